/* store.c - the store of one process: what was committed comes back, whatever else happens. */
#include <hdf5.h>
#include <signal.h>
#include <sys/resource.h>

#include "support/store_checks.h"

/* ---------------------------------------------------------------------------------------- from run to run */

static void fresh_run_has_a_file(void **state)
{
    (void)state;
    struct run run = begin_run(small_search);
    struct mm_store *store = open_simply(&run);
    char journal[400];
    find_file(&run, ".journal.0of1.laboratory.", journal);
    assert_int_equal(list_folder(run.folder, NULL, 0, NULL), 2);
    assert_on_disk(&run, 0, 0, 1);
    finish(store);
    assert_int_equal(list_folder(run.folder, NULL, 0, NULL), 1);
    assert_on_disk(&run, 0, 0, 1);
    assert_int_equal(run.lines, 0);
    end_run(&run);
}

static void appended_chains_are_known(void **state)
{
    (void)state;
    struct run run = begin_run(small_search);
    struct mm_store *store = open_simply(&run);
    append_chains(&run, store, 0, 5, 1);
    assert_holds(&run, store, 0, 5, 1);
    assert_on_disk(&run, 0, 0, 1); /* not committed yet */
    settle(store);
    assert_holds(&run, store, 0, 5, 1);
    assert_on_disk(&run, 0, 5, 1);
    append_chains(&run, store, 5, 16, 1);
    finish(store);
    assert_on_disk(&run, 0, 16, 1);
    end_run(&run);
}

static void committed_chains_survive(void **state)
{
    (void)state;
    struct run run = begin_run(small_search);
    struct mm_store *store = open_simply(&run);
    append_chains(&run, store, 1, 16, 3);
    settle(store);
    append_chains(&run, store, 0, 16, 3); /* never committed */
    mm_store_close(store);
    assert_int_equal(list_folder(run.folder, NULL, 0, NULL), 2);
    assert_on_disk(&run, 1, 16, 3);

    store = open_simply(&run);
    assert_holds(&run, store, 1, 16, 3);
    assert_int_equal(list_folder(run.folder, NULL, 0, NULL), 2); /* the file, and a journal of its own */
    append_chains(&run, store, 0, 16, 3);
    append_chains(&run, store, 2, 16, 3);
    finish(store);
    assert_int_equal(run.lines, 0);
    assert_on_disk(&run, 0, 16, 1);
    end_run(&run);
}

/* The file of a run with interruptions is that of a run without, but for times. */
static void interruptions_leave_no_trace(void **state)
{
    (void)state;
    struct run run = begin_run(small_search);
    struct run smooth = begin_run(small_search);
    struct mm_results there;
    struct mm_results here;
    for (int64_t i = 15; i >= 0; i--) {
        struct mm_store *store = open_simply(&run);
        append_chains(&run, store, i, i + 1, 1);
        settle(store);
        mm_store_close(store);
    }
    finish(open_simply(&run));
    struct mm_store *store = open_simply(&smooth);
    append_chains(&smooth, store, 0, 16, 1);
    finish(store);
    must(mm_results_create(&there, &run.config, NULL), NULL);
    must(mm_results_create(&here, &run.config, NULL), NULL);
    must(mm_result_file_resume(run.file, &run.config, &there, NULL, NULL), NULL);
    must(mm_result_file_resume(smooth.file, &run.config, &here, NULL, NULL), NULL);
    assert_same_results(&there, &here);
    mm_results_free(&there);
    mm_results_free(&here);
    end_run(&run);
    end_run(&smooth);
}

static void one_chain_is_a_run(void **state)
{
    (void)state;
    struct run run =
        begin_run("[coupling]\ng = 0.8\n[batch.1]\nqubits = 2\n[loss]\nlambda = 1\n[search]\nstarts = 1\n");
    struct mm_store *store = open_simply(&run);
    append_chains(&run, store, 0, 1, 1);
    finish(store);
    assert_on_disk(&run, 0, 1, 1);
    end_run(&run);
}

static void replaced_run_is_forgotten(void **state)
{
    (void)state;
    struct run run = begin_run(small_search);
    struct mm_store_options options = made_up_options(&run);
    struct mm_store *store = open_simply(&run);
    append_chains(&run, store, 0, 4, 1);
    settle(store);
    mm_store_close(store);
    options.replace = true;
    store = open_store(&run, &options);
    assert_holds(&run, store, 0, 0, 1);
    append_chains(&run, store, 8, 9, 1);
    assert_refused(&run, &options, MM_ERROR_OUTPUT, "works on it", run.file);
    finish(store);
    assert_on_disk(&run, 8, 9, 1);
    end_run(&run);
}

static void impossible_outputs_are_refused_at_once(void **state)
{
    (void)state;
    struct run run = begin_run(small_search);
    struct run missing = run;
    struct mm_store_options options = made_up_options(&run);
    snprintf(missing.file, sizeof missing.file, "%s", run.folder);
    assert_refused(&missing, &options, MM_ERROR_OUTPUT, "is a directory", run.folder);
    snprintf(missing.file, sizeof missing.file, "%s/no/x.h5", run.folder);
    assert_refused(&missing, &options, MM_ERROR_OUTPUT, "No such file", missing.file);
    FILE *file = fopen(run.file, "w");
    assert_non_null(file);
    assert_true(fputs("precious", file) >= 0 && fclose(file) == 0);
    assert_refused(&run, &options, MM_ERROR_INPUT, "HDF5", run.file);
    assert_int_equal(list_folder(run.folder, NULL, 0, NULL), 1);
    end_run(&run);
}

/* Makes a part: a result file, and a journal beside it if it is not finished. */
static struct run make_part(int64_t first, int64_t end, int64_t step, bool finished)
{
    struct run run = begin_run(small_search);
    struct mm_store *store = open_simply(&run);
    append_chains(&run, store, first, end, step);
    settle(store);
    if (finished)
        finish(store);
    else
        mm_store_close(store);
    return run;
}

/* ------------------------------------------------------------------------------------------------- identity */

static char other_search[sizeof small_search];

static void make_other_search(void)
{
    strcpy(other_search, small_search);
    memcpy(strstr(other_search, "qubits = 8"), "qubits = 9", 10);
}

static void other_configurations_are_refused(void **state)
{
    (void)state;
    make_other_search();
    struct run run = begin_run(small_search);
    struct run other = begin_run(other_search);
    struct mm_store_options options = made_up_options(&other);
    char backend[16];
    char journal[400];
    struct mm_error error = {0};
    snprintf(other.file, sizeof other.file, "%s", run.file);
    struct mm_store *store = open_simply(&run);
    append_chains(&run, store, 0, 3, 1);
    settle(store);
    assert_refused(&other, &options, MM_ERROR_OUTPUT, "works on it since 20", "another configuration");
    mm_store_close(store);
    assert_refused(&other, &options, MM_ERROR_INPUT, "[batch.3] there 'qubits = 8', here 'qubits = 9'",
                   ".journal.");
    assert_int_equal(mm_store_backend(other.file, &other.config, backend, &error), MM_ERROR_INPUT);
    find_file(&run, ".journal.", journal);
    assert_int_equal(unlink(journal), 0);
    assert_refused(&other, &options, MM_ERROR_INPUT, "[batch.3] there 'qubits = 8', here 'qubits = 9'", run.file);
    assert_on_disk(&run, 0, 0, 1);

    options.replace = true;
    finish(open_store(&other, &options));
    assert_int_equal(rmdir(other.folder), 0);
    snprintf(other.folder, sizeof other.folder, "%s", run.folder);
    end_run(&other);
    free(run.storage);
    mm_config_free(&run.config);
}

static void one_backend_a_run(void **state)
{
    (void)state;
    struct run run = begin_run(small_search);
    struct mm_store_options options = made_up_options(&run);
    char backend[16] = "?";
    must(mm_store_backend(run.file, &run.config, backend, NULL), NULL);
    assert_string_equal(backend, "");
    mm_store_close(open_store(&run, &options));
    must(mm_store_backend(run.file, &run.config, backend, NULL), NULL);
    assert_string_equal(backend, "");
    options.backend = "cuda"; /* nothing was computed yet */
    struct mm_store *store = open_store(&run, &options);
    must(mm_store_backend(run.file, &run.config, backend, NULL), NULL);
    assert_string_equal(backend, "cuda");
    append_chains(&run, store, 0, 1, 1);
    settle(store);
    mm_store_close(store);
    options.backend = "cpu";
    assert_refused(&run, &options, MM_ERROR_INPUT, "'cuda'", "'cpu'");
    must(mm_store_fold_run(run.file, &made_up_run, NULL, NULL, NULL, NULL), NULL);
    must(mm_store_backend(run.file, &run.config, backend, NULL), NULL);
    assert_string_equal(backend, "cuda");
    assert_refused(&run, &options, MM_ERROR_INPUT, "'cuda'", "'cpu'");
    end_run(&run);
}

/* --------------------------------------------------------------------------------------------------- damage */

/* Changes a byte `from_end` bytes before the end of a file, or cuts it there. */
static void damage(const char *path, long from_end, bool cut)
{
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, -from_end, SEEK_END), 0);
    if (cut)
        assert_int_equal(ftruncate(fileno(file), ftell(file)), 0);
    else
        assert_true(fputc('!', file) != EOF);
    assert_int_equal(fclose(file), 0);
}

static void damaged_records_are_computed_again(void **state)
{
    (void)state;
    struct run run = begin_run(small_search);
    char journal[400];
    long size = (long)mm_chain_record_size(run.config.batch_count);
    struct mm_store *store = open_simply(&run);
    append_chains(&run, store, 0, 8, 1);
    settle(store);
    mm_store_close(store);
    find_file(&run, ".journal.", journal);
    damage(journal, size * 2 + 20, false); /* in the last but two: number 5 */
    damage(journal, 7, true);              /* in the last one */

    size_t count = 0;
    must(mm_store_view(&store, run.file, NULL), NULL);
    const struct mm_store_damage *damages = mm_store_damage(store, &count);
    assert_int_equal(count, 1);
    assert_string_equal(damages[0].path, journal);
    assert_int_equal(damages[0].records, 1);
    assert_int_equal(damages[0].torn_bytes, size - 7);
    assert_false(damages[0].header);
    mm_store_close(store);

    store = open_simply(&run);
    assert_int_equal(run.lines, 2);
    assert_mentions(run.last, journal, "number 5");
    assert_true(isnan(mm_store_loss(store, 5)) && isnan(mm_store_loss(store, 7)));
    append_chains(&run, store, 5, 8, 2);
    assert_holds(&run, store, 0, 8, 1);
    finish(store);
    assert_on_disk(&run, 0, 8, 1);
    end_run(&run);
}

static void damaged_rows_are_computed_again(void **state)
{
    (void)state;
    struct run run = begin_run(small_search);
    double losses[16];
    struct mm_store *store = open_simply(&run);
    append_chains(&run, store, 0, 16, 1);
    finish(store);
    hid_t file = H5Fopen(run.file, H5F_ACC_RDWR, H5P_DEFAULT);
    hid_t dataset = H5Dopen2(file, "/chains/loss", H5P_DEFAULT);
    assert_true(H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, losses) >= 0);
    losses[9] = -100;
    assert_true(H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, losses) >= 0);
    assert_true(H5Dclose(dataset) >= 0 && H5Fclose(file) >= 0);
    store = open_simply(&run);
    assert_int_equal(run.lines, 1);
    assert_mentions(run.last, run.file, "number 9");
    assert_true(isnan(mm_store_loss(store, 9)));
    append_chains(&run, store, 9, 10, 1);
    finish(store);
    assert_on_disk(&run, 0, 16, 1);
    end_run(&run);
}

/* A whole chunk of the file is lost, which is all rows here. */
static void damaged_chunk_is_computed_again(void **state)
{
    (void)state;
    struct run run = make_part(0, 16, 1, true);
    hsize_t at[1] = {0};
    haddr_t address = 0;
    hsize_t size = 0;
    unsigned filters = 0;
    struct stat before;
    hid_t file = H5Fopen(run.file, H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t dataset = H5Dopen2(file, "/chains/iterations", H5P_DEFAULT);
    hid_t space = H5Dget_space(dataset);
    assert_true(H5Dget_chunk_info(dataset, space, 0, at, &filters, &address, &size) >= 0);
    assert_true(H5Sclose(space) >= 0 && H5Dclose(dataset) >= 0 && H5Fclose(file) >= 0);
    assert_int_equal(stat(run.file, &before), 0);
    damage(run.file, (long)before.st_size - (long)address - 3, false);
    struct mm_store *store = open_simply(&run);
    assert_int_equal(run.lines, 1);
    assert_mentions(run.last, run.file, "16 damaged rows");
    assert_holds(&run, store, 0, 0, 1);
    append_chains(&run, store, 0, 16, 1);
    finish(store);
    assert_on_disk(&run, 0, 16, 1);
    end_run(&run);
}

static void damaged_header_is_left_alone(void **state)
{
    (void)state;
    struct run run = begin_run(small_search);
    struct stat file;
    char journal[400];
    struct mm_store *store = open_simply(&run);
    append_chains(&run, store, 0, 4, 1);
    settle(store);
    mm_store_close(store);
    find_file(&run, ".journal.", journal);
    assert_int_equal(stat(journal, &file), 0);
    for (long at = 4 * (long)mm_chain_record_size(run.config.batch_count) + 1; at < file.st_size; at += 10)
        damage(journal, at, false);
    for (int i = 1; i <= 2; i++) {
        store = open_simply(&run);
        assert_int_equal(run.lines, i);
        assert_mentions(run.last, journal, "header");
        assert_holds(&run, store, 0, 0, 1);
        finish(store);
    }
    assert_int_equal(unlink(journal), 0);
    end_run(&run);
}

/* -------------------------------------------------------------------------------------- duplicates, merging */

static void end_part(struct run *run)
{
    finish(open_simply(run)); /* folds its journal */
    end_run(run);
}

static void parts_are_joined(void **state)
{
    (void)state;
    struct run even = make_part(0, 16, 2, true);
    struct run third = make_part(0, 16, 3, false);
    struct run whole = begin_run(small_search);
    struct mm_merge_summary summary;
    struct mm_error error = {0};
    const char *parts[] = {even.file, third.file};
    must(mm_store_merge(2, parts, whole.file, false, &made_up_run, NULL, NULL, &summary, &error), &error);
    assert_int_equal(summary.chains, 8 + 6 - 3);
    assert_int_equal(summary.duplicates, 3);
    assert_int_equal(summary.missing, 16 - summary.chains);
    assert_on_disk(&third, 0, 16, 3);
    assert_int_equal(list_folder(third.folder, NULL, 0, NULL), 2);
    assert_int_equal(list_folder(whole.folder, NULL, 0, NULL), 1);
    assert_int_equal(mm_store_merge(2, parts, whole.file, false, &made_up_run, NULL, NULL, NULL, &error),
                     MM_ERROR_OUTPUT);
    struct mm_store *store = open_simply(&whole);
    assert_chain(&whole, store, 9);
    append_chains(&whole, store, 1, 16, 2);
    assert_int_equal(mm_store_merge(2, parts, whole.file, true, &made_up_run, NULL, NULL, NULL, &error),
                     MM_ERROR_OUTPUT);
    assert_mentions(error.message, whole.file, ".journal.");
    finish(store);
    assert_on_disk(&whole, 0, 16, 1);
    end_part(&even);
    end_part(&third);
    end_run(&whole);
}

/* A part whose chain 6 ended elsewhere. */
static struct run make_contradicting_part(bool finished)
{
    struct run run = make_part(4, 6, 1, false);
    struct mm_store *store = open_simply(&run);
    struct mm_chain chain = made_up_chain(&run.config, 6, run.storage);
    run.storage[3] = nextafter(run.storage[3], 2);
    must(mm_store_append(store, 6, &chain, NULL), NULL);
    settle(store);
    if (finished)
        finish(store);
    else
        mm_store_close(store);
    return run;
}

static void contradictions_are_refused(void **state)
{
    (void)state;
    struct run one = make_part(0, 16, 2, true);
    struct run other = make_contradicting_part(true);
    struct run whole = begin_run(small_search);
    struct mm_error error = {0};
    const char *parts[] = {one.file, other.file};
    assert_int_equal(mm_store_merge(2, parts, whole.file, false, &made_up_run, NULL, NULL, NULL, &error),
                     MM_ERROR_INPUT);
    assert_mentions(error.message, one.file, other.file);
    assert_mentions(error.message, "chain 6 ", "lambda_index 1, start 2");
    assert_int_equal(list_folder(whole.folder, NULL, 0, NULL), 0);
    assert_int_equal(rmdir(whole.folder), 0);
    free(whole.storage);
    mm_config_free(&whole.config);
    end_part(&one);
    end_part(&other);
}

static void contradicting_journals_are_refused(void **state)
{
    (void)state;
    struct run run = make_part(0, 16, 2, true);
    struct run other = make_contradicting_part(false);
    struct mm_store_options options = made_up_options(&run);
    char from[400];
    char to[500];
    find_file(&other, ".journal.", from);
    snprintf(to, sizeof to, "%s%s", run.folder, strrchr(from, '/'));
    assert_int_equal(rename(from, to), 0);
    assert_refused(&run, &options, MM_ERROR_INPUT, run.file, to);
    assert_int_equal(mm_store_fold_run(run.file, &made_up_run, NULL, NULL, NULL, NULL), MM_ERROR_INPUT);
    assert_int_equal(list_folder(run.folder, NULL, 0, NULL), 2); /* nothing was changed */
    assert_int_equal(unlink(to), 0);
    assert_on_disk(&run, 0, 16, 2);
    end_part(&run);
    end_part(&other);
}

static void wrong_parts_are_refused(void **state)
{
    (void)state;
    make_other_search();
    struct run run = make_part(0, 4, 1, true);
    struct run other = begin_run(other_search);
    finish(open_simply(&other));
    struct mm_error error = {0};
    char output[100];
    snprintf(output, sizeof output, "%s/all.h5", run.folder);
    const char *different[] = {run.file, other.file};
    const char *missing[] = {run.file, "/tmp/no such file.h5"};
    assert_int_equal(mm_store_merge(2, different, output, false, &made_up_run, NULL, NULL, NULL, &error),
                     MM_ERROR_INPUT);
    assert_mentions(error.message, other.file, "another configuration");
    assert_int_equal(mm_store_merge(2, missing, output, false, &made_up_run, NULL, NULL, NULL, &error),
                     MM_ERROR_INPUT);
    assert_mentions(error.message, missing[1], "No such file");
    assert_int_equal(mm_store_fold_run(missing[1], &made_up_run, NULL, NULL, NULL, &error), MM_ERROR_INPUT);
    assert_int_equal(list_folder(run.folder, NULL, 0, NULL), 1);
    end_run(&run);
    end_run(&other);
}

/* A chain that another task had finished as well is no harm. */
static void equal_duplicates_are_kept_once(void **state)
{
    (void)state;
    struct run run = make_part(0, 8, 1, true);
    struct mm_store *store = open_simply(&run);
    append_chains(&run, store, 4, 12, 1);
    settle(store);
    append_chains(&run, store, 4, 12, 1);
    assert_holds(&run, store, 0, 12, 1);
    finish(store);
    assert_on_disk(&run, 0, 12, 1);
    end_run(&run);
}

/* ------------------------------------------------------------------------------------------------- agreement */

static void chains_that_are_not_needed_are_left_out(void **state)
{
    (void)state;
    char text[sizeof small_search + 16];
    snprintf(text, sizeof text, "%sagree = 2\n", small_search);
    struct run run = begin_run(text);
    struct mm_store *store = open_simply(&run);
    static const double losses[] = {-1, -2, -2, -3};
    for (int64_t i = 3; i >= 0; i--) {
        struct mm_chain chain = made_up_chain(&run.config, i, run.storage);
        chain.evaluation.loss = losses[i];
        must(mm_store_append(store, i, &chain, NULL), NULL);
        struct mm_chain_source source = mm_store_source(store);
        assert_true(source.has(source.context, i));
        assert_int_equal(source.has(source.context, 3), i > 0); /* decided once all before it are there */
    }
    finish(store);
    must(mm_store_view(&store, run.file, NULL), NULL);
    for (int64_t i = 0; i < 4; i++)
        assert_int_equal(isnan(mm_store_loss(store, i)), i == 3);
    mm_store_close(store);
    end_run(&run);
}

/* --------------------------------------------------------------------------------------------- failing disks */

/* Lets no file grow beyond a size; returns the limit before. */
static struct rlimit limit_files(rlim_t size)
{
    struct rlimit before;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit small = {size, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    return before;
}

static void full_disk_is_told_and_borne(void **state)
{
    (void)state;
    struct run run = begin_run(small_search);
    struct mm_store *store = open_simply(&run);
    append_chains(&run, store, 0, 4, 1);
    settle(store);
    sleep(1); /* settling commits again */
    const struct rlimit before = limit_files(100);
    append_chains(&run, store, 4, 8, 1);
    settle(store);
    settle(store);
    assert_int_equal(run.lines, 1);
    assert_mentions(run.last, ".journal.", "finished chains are kept in memory; trying again for 600 s");
    assert_holds(&run, store, 0, 8, 1);
    assert_on_disk(&run, 0, 4, 1);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    sleep(1);
    settle(store);
    assert_int_equal(run.lines, 2);
    assert_mentions(run.last, run.file, "the disk works again");
    assert_on_disk(&run, 0, 8, 1);
    finish(store);
    end_run(&run);
}

static void patience_ends(void **state)
{
    (void)state;
    struct run run = begin_run(small_search);
    struct mm_store_options options = made_up_options(&run);
    struct mm_error error = {0};
    options.patience = 0;
    struct mm_store *store = open_store(&run, &options);
    append_chains(&run, store, 0, 4, 1);
    settle(store);
    sleep(1);
    append_chains(&run, store, 4, 8, 1);
    const struct rlimit before = limit_files(100);
    assert_int_equal(mm_store_maintain(store, &error), MM_ERROR_STORAGE);
    assert_mentions(error.message, run.file, "gave up");
    assert_int_equal(mm_store_finish(store, &error), MM_ERROR_STORAGE);
    assert_mentions(error.message, run.file, "gave up");
    assert_int_equal(mm_status_exit_code(MM_ERROR_STORAGE), 75);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    mm_store_close(store);
    assert_on_disk(&run, 0, 4, 1);
    finish(open_simply(&run));
    assert_on_disk(&run, 0, 4, 1);
    end_run(&run);
}

/* A stop does not wait for the disk. */
static void stop_ends_patience(void **state)
{
    (void)state;
    struct run run = begin_run(small_search);
    struct mm_store_options options = made_up_options(&run);
    struct mm_error error = {0};
    volatile int stop = 1;
    options.stop = &stop;
    struct mm_store *store = open_store(&run, &options);
    append_chains(&run, store, 0, 4, 1);
    settle(store);
    append_chains(&run, store, 4, 8, 1);
    const struct rlimit before = limit_files(100);
    assert_int_equal(mm_store_finish(store, &error), MM_ERROR_STORAGE);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(mm_store_finish(store, &error), MM_OK);
    mm_store_close(store);
    assert_on_disk(&run, 0, 8, 1);
    end_run(&run);
}

/* Removes a folder and all that is in it. */
static void remove_all(const struct run *run)
{
    char path[400];
    while (list_folder(run->folder, "result", sizeof path, path) > 0)
        assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(run->folder), 0);
}

static void vanished_folder_is_filled_again(void **state)
{
    (void)state;
    struct run run = make_part(0, 4, 1, true);
    struct mm_store *store = open_simply(&run);
    append_chains(&run, store, 4, 8, 1);
    settle(store);
    remove_all(&run);
    sleep(1);
    append_chains(&run, store, 8, 12, 1);
    settle(store);
    assert_int_equal(run.lines, 1);
    assert_holds(&run, store, 0, 12, 1);
    assert_int_equal(mkdir(run.folder, 0700), 0);
    sleep(1);
    settle(store);
    assert_int_equal(run.lines, 2);
    assert_on_disk(&run, 4, 12, 1);
    finish(store);
    assert_on_disk(&run, 0, 12, 1);
    end_run(&run);
}

/* ---------------------------------------------------------------------------------------------------- folding */

static void folds_are_due(void **state)
{
    (void)state;
    struct run run = begin_run(small_search);
    struct mm_store_options options = made_up_options(&run);
    struct stat before;
    struct stat after;
    options.fold_every = 1;
    struct mm_store *store = open_store(&run, &options);
    append_chains(&run, store, 0, 8, 1);
    settle(store);
    assert_int_equal(stat(run.file, &before), 0);
    usleep(1200 * 1000);
    settle(store);
    assert_int_equal(stat(run.file, &after), 0);
    assert_int_not_equal(before.st_ino, after.st_ino);
    assert_holds(&run, store, 0, 8, 1);
    append_chains(&run, store, 8, 10, 1);
    settle(store);
    assert_int_equal(stat(run.file, &before), 0); /* not yet */
    assert_int_equal(before.st_ino, after.st_ino);
    assert_holds(&run, store, 0, 10, 1);
    finish(store);
    assert_on_disk(&run, 0, 10, 1);
    end_run(&run);
}

/* Somebody folds while the store works, and removes what he must not. */
static void others_may_fold(void **state)
{
    (void)state;
    struct run run = begin_run(small_search);
    struct mm_error error = {0};
    char journal[400];
    struct mm_store *store = open_simply(&run);
    append_chains(&run, store, 0, 6, 1);
    settle(store);
    must(mm_store_fold_run(run.file, &made_up_run, NULL, NULL, NULL, &error), &error);
    find_file(&run, ".journal.", journal); /* it is alive, and stays */
    assert_on_disk(&run, 0, 6, 1);
    assert_holds(&run, store, 0, 6, 1);
    must(mm_store_refresh(store, &error), &error);
    assert_holds(&run, store, 0, 6, 1);
    assert_int_equal(unlink(journal), 0); /* what it held is in the file by now */
    assert_on_disk(&run, 0, 6, 1);
    append_chains(&run, store, 6, 9, 1);
    sleep(1);
    settle(store);
    assert_on_disk(&run, 0, 9, 1);
    finish(store);
    assert_on_disk(&run, 0, 9, 1);
    end_run(&run);
}

/* Another task folds and begins its journal anew: records are no longer where they were. */
static void moved_records_are_found(void **state)
{
    (void)state;
    struct run run = begin_run(small_search);
    struct mm_store_options options = made_up_options(&run);
    struct stat before;
    struct stat after;
    options.task.count = 2;
    options.fold_every = 2;
    struct mm_store *folder = open_store(&run, &options);
    append_chains(&run, folder, 0, 5, 1);
    settle(folder); /* commits */
    options.fold_every = INFINITY;
    options.task.index = 1;
    assert_int_equal(stat(run.file, &before), 0);
    struct mm_store *reader = open_store(&run, &options);
    assert_int_equal(stat(run.file, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino); /* what the living have is theirs to fold */
    assert_holds(&run, reader, 0, 5, 1);
    usleep(2100 * 1000);
    append_chains(&run, folder, 5, 9, 1);
    settle(folder); /* commits and folds */
    assert_int_equal(run.lines, 0);
    append_chains(&run, folder, 9, 15, 1);
    usleep(1100 * 1000);
    settle(folder);                /* commits, where the first chains were before */
    assert_chain(&run, reader, 0); /* which makes it look for the others */
    assert_holds(&run, reader, 0, 15, 1);
    append_chains(&run, reader, 15, 16, 1);
    finish(folder); /* its journal is gone */
    assert_chain(&run, reader, 9);
    assert_holds(&run, reader, 0, 16, 1);
    finish(reader);
    assert_on_disk(&run, 0, 16, 1);
    end_run(&run);
}

static void what_a_killed_fold_left_is_removed(void **state)
{
    (void)state;
    struct run run = make_part(0, 6, 1, true);
    char left[120];
    snprintf(left, sizeof left, "%s/.result.h5.unfinished.ab12_-", run.folder);
    FILE *file = fopen(left, "w");
    assert_true(file != NULL && fclose(file) == 0);
    snprintf(left, sizeof left, "%s.lock", run.file);
    file = fopen(left, "w");
    assert_true(file != NULL && fclose(file) == 0);
    finish(open_simply(&run));
    assert_int_equal(list_folder(run.folder, NULL, 0, NULL), 1);
    assert_on_disk(&run, 0, 6, 1);
    end_run(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fresh_run_has_a_file),
        cmocka_unit_test(appended_chains_are_known),
        cmocka_unit_test(committed_chains_survive),
        cmocka_unit_test(interruptions_leave_no_trace),
        cmocka_unit_test(one_chain_is_a_run),
        cmocka_unit_test(replaced_run_is_forgotten),
        cmocka_unit_test(impossible_outputs_are_refused_at_once),
        cmocka_unit_test(other_configurations_are_refused),
        cmocka_unit_test(one_backend_a_run),
        cmocka_unit_test(damaged_records_are_computed_again),
        cmocka_unit_test(damaged_rows_are_computed_again),
        cmocka_unit_test(damaged_chunk_is_computed_again),
        cmocka_unit_test(damaged_header_is_left_alone),
        cmocka_unit_test(parts_are_joined),
        cmocka_unit_test(contradictions_are_refused),
        cmocka_unit_test(contradicting_journals_are_refused),
        cmocka_unit_test(wrong_parts_are_refused),
        cmocka_unit_test(equal_duplicates_are_kept_once),
        cmocka_unit_test(chains_that_are_not_needed_are_left_out),
        cmocka_unit_test(full_disk_is_told_and_borne),
        cmocka_unit_test(patience_ends),
        cmocka_unit_test(stop_ends_patience),
        cmocka_unit_test(vanished_folder_is_filled_again),
        cmocka_unit_test(folds_are_due),
        cmocka_unit_test(others_may_fold),
        cmocka_unit_test(moved_records_are_found),
        cmocka_unit_test(what_a_killed_fold_left_is_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
