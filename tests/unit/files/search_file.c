/* search_file.c - result files: every bit comes back, nothing is overwritten or left behind whatever the disk
 * does, foreign files are refused. */
#include <dirent.h>
#include <errno.h>
#include <hdf5.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "files/search/file.h"
#include "files/search/reader.h"
#include "chain/grid.h"
#include "chain/results.h"
#include "support/search_checks.h"

static const struct mm_run_info run_info = {"micromaser search test.ini", "2026-01-01T00:00:00Z",
                                            "2026-01-01T00:01:00Z", "laboratory"};

/* A folder of its own for each test. */
struct folder {
    char path[64];
    char file[80]; /* path/result.h5 */
};

static int make_folder(void **state)
{
    struct folder *folder = calloc(1, sizeof *folder);
    if (folder == NULL)
        return -1;
    snprintf(folder->path, sizeof folder->path, "/tmp/test_result_file.XXXXXX");
    if (mkdtemp(folder->path) == NULL)
        return -1;
    snprintf(folder->file, sizeof folder->file, "%s/result.h5", folder->path);
    *state = folder;
    return 0;
}

static int entries(const char *path)
{
    DIR *directory = opendir(path);
    int count = -2; /* . and .. */
    assert_non_null(directory);
    while (readdir(directory) != NULL)
        count++;
    assert_int_equal(closedir(directory), 0);
    return count;
}

static int remove_folder(void **state)
{
    struct folder *folder = *state;
    unlink(folder->file);
    int failure = rmdir(folder->path); /* fails if anything was left behind */
    free(folder);
    return failure;
}

/* ------------------------------------------------------------------------------- made-up results */

static double any_double(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return ldexp((double)(*seed >> 11), -40) - 4096.0;
}

/* Fills every `step`-th chain with made-up values, among them the extremes of double. */
static void make_up_results(const struct mm_config *config, int64_t step, struct mm_results *results)
{
    uint64_t seed = 1;
    assert_int_equal(mm_results_create(results, config, NULL), MM_OK);
    snprintf(results->backend, sizeof results->backend, "cpu");
    snprintf(results->device, sizeof results->device, "made up");
    results->seconds = 0.1;
    for (size_t i = 0; i < (size_t)results->chain_count * 4 * results->batch_count; i++)
        results->parameters[i] = any_double(&seed);
    for (int64_t i = 0; i < results->chain_count; i += step) {
        struct mm_chain *chain = &results->chains[i];
        const double *parameters = results->parameters + (size_t)i * 4 * results->batch_count;
        *chain = (struct mm_chain){
            .finished = true,
            .g_index = (int32_t)(i / config->starts / (int64_t)config->lambda_count),
            .lambda_index = (int32_t)(i / config->starts % (int64_t)config->lambda_count),
            .start = (int32_t)(i % config->starts),
            .initial = parameters,
            .final = parameters + 2 * results->batch_count,
            .evaluation = {any_double(&seed), 0x1p-1074, 0x1.fffffffffffffp1023, -0.0, any_double(&seed),
                           any_double(&seed), any_double(&seed), any_double(&seed), any_double(&seed),
                           any_double(&seed), any_double(&seed), (int)(i % 4096), 0},
            .gradient_norm = i % 3 == 0 ? INFINITY : any_double(&seed),
            .iterations = INT64_MAX - i,
            .evaluations = i,
            .eigen_failures = i % 7,
            .status = (enum mm_stop_reason)(1 + i % 5),
        };
    }
}

static void write_results(const char *path, const struct mm_config *config, const struct mm_results *results)
{
    struct mm_error error = {0};
    if (mm_result_file_write(path, config, results, &run_info, true, &error) != MM_OK)
        fail_msg("%s", error.message);
}

static void comes_back(const struct folder *folder, const char *configuration, int64_t step)
{
    struct mm_config config;
    struct mm_results written;
    struct mm_results read;
    struct mm_error error = {0};
    int64_t damaged = -1;
    read_config(configuration, &config);
    make_up_results(&config, step, &written);
    write_results(folder->file, &config, &written);
    assert_int_equal(entries(folder->path), 1);
    assert_int_equal(mm_results_create(&read, &config, NULL), MM_OK);
    if (mm_result_file_resume(folder->file, &config, &read, &damaged, &error) != MM_OK)
        fail_msg("%s", error.message);
    assert_same_results(&written, &read);
    assert_int_equal(damaged, 0);
    assert_string_equal(read.backend, "cpu");
    assert_string_equal(read.device, "made up");
    assert_true(read.seconds == 0.1);
    mm_results_free(&written);
    mm_results_free(&read);
    mm_config_free(&config);
}

static void every_bit_comes_back(void **state)
{
    comes_back(*state, small_search, 1);
}

static void missing_chains_stay_missing(void **state)
{
    comes_back(*state, small_search, 5);
}

/* Enough rows for several blocks of each column, of chains and of grid points. */
static void large_results_come_back(void **state)
{
    static const char many_rows[] = "[coupling]\ng = 0.5:1:300\n[batch.1]\nqubits = 2\n[loss]\nlambda = 1:9:30\n"
                                    "[search]\nstarts = 2\n";
    char text[2048] = "[coupling]\ng = 0.5:1:3\n[loss]\nlambda = 1,2\n[search]\nstarts = 700\n";
    for (int b = 1; b <= 50; b++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "[batch.%d]\nqubits = 2\n", b);
    comes_back(*state, text, 1);
    comes_back(*state, text, 3);
    comes_back(*state, many_rows, 1);
    comes_back(*state, many_rows, 7);
}

static void no_chain_at_all(void **state)
{
    const struct folder *folder = *state;
    struct mm_config config;
    struct mm_results results;
    read_config(small_search, &config);
    assert_int_equal(mm_results_create(&results, &config, NULL), MM_OK);
    write_results(folder->file, &config, &results);
    assert_int_equal(mm_result_file_resume(folder->file, &config, &results, NULL, NULL), MM_OK);
    for (int64_t i = 0; i < results.chain_count; i++)
        assert_false(results.chains[i].finished);
    mm_results_free(&results);
    mm_config_free(&config);
}

/* --------------------------------------------------------------------------------------- many chains */

/* Whether the file of the first `finished` chains, whose losses are all the same, is called complete. */
static bool is_complete(const struct folder *folder, const char *configuration, int64_t finished)
{
    struct mm_config config;
    struct mm_results results;
    struct mm_result_reader *reader = NULL;
    struct mm_error error = {0};
    read_config(configuration, &config);
    make_up_results(&config, 1, &results);
    for (int64_t i = 0; i < results.chain_count; i++) {
        results.chains[i].finished = i < finished;
        results.chains[i].evaluation.loss = -0.5;
    }
    write_results(folder->file, &config, &results);
    if (mm_result_reader_open(&reader, folder->file, &error) != MM_OK)
        fail_msg("%s", error.message);
    assert_int_equal(mm_result_reader_rows(reader), finished);
    bool complete = mm_result_reader_description(reader)->complete;
    mm_result_reader_close(reader);
    mm_results_free(&results);
    mm_config_free(&config);
    return complete;
}

static void completeness_looks_at_what_is_needed(void **state)
{
    static const char all[] =
        "[coupling]\ng = 0.7\n[batch.1]\nqubits = 3\n[loss]\nlambda = 1\n[search]\nstarts = 5\n";
    char agreeing[sizeof all + 16];
    snprintf(agreeing, sizeof agreeing, "%sagree = 3\n", all);
    assert_false(is_complete(*state, all, 0));
    assert_false(is_complete(*state, all, 4));
    assert_true(is_complete(*state, all, 5));
    assert_false(is_complete(*state, agreeing, 2));
    assert_true(is_complete(*state, agreeing, 3));
}

static bool all_finished(const void *context, int64_t index)
{
    (void)context;
    (void)index;
    return true;
}

static double any_loss(const void *context, int64_t index)
{
    (void)context;
    return -1.0 / (double)(1 + index % 977);
}

static mm_status make_up_records(void *context, size_t count, const int64_t *indices, unsigned char *records,
                                 struct mm_error *error)
{
    (void)error;
    const struct mm_config *config = context;
    for (size_t i = 0; i < count; i++) {
        uint64_t seed = (uint64_t)indices[i];
        double parameters[4] = {any_double(&seed), any_double(&seed), any_double(&seed), any_double(&seed)};
        struct mm_chain chain = {
            .finished = true,
            .initial = parameters,
            .final = parameters + 2,
            .evaluation.loss = any_loss(NULL, indices[i]),
            .status = MM_CONVERGED_FTOL,
        };
        mm_grid_place(config, indices[i], &chain);
        mm_chain_record_pack(mm_run_fingerprint(config), 1, indices[i], &chain,
                             records + i * mm_chain_record_size(1));
    }
    return MM_OK;
}

/* Largest memory of a process that writes and reads that many chains, in bytes; it ends with 0 if all came back. */
static long memory_of(const struct folder *folder, int couplings)
{
    char text[256];
    struct mm_config config;
    struct mm_error error = {0};
    snprintf(text, sizeof text,
             "[coupling]\ng = 0.5:1:%d\n[batch.1]\nqubits = 2\n[loss]\nlambda = 1\n[search]\nstarts = 100\n",
             couplings);
    read_config(text, &config);
    struct mm_chain_source source = {
        .context = &config, .config = &config, .has = all_finished, .loss = any_loss, .read = make_up_records};
    pid_t child = fork();
    if (child == 0) {
        struct mm_result_reader *reader = NULL;
        unsigned char record[512];
        int64_t found = 0;
        if (mm_result_file_write_source(folder->file, &source, &run_info, true, &error) != MM_OK ||
            mm_result_reader_open(&reader, folder->file, &error) != MM_OK)
            _exit(1);
        int64_t rows = mm_result_reader_rows(reader);
        for (int64_t i = 0; i < rows; i++)
            found += mm_result_reader_read(reader, &config, i, 1, record, &error) == MM_OK &&
                     mm_chain_record_check(mm_run_fingerprint(&config), &config, record) == i;
        mm_result_reader_close(reader);
        _exit(found == mm_config_chains(&config) ? 0 : 2);
    }
    int ended = -1;
    struct rusage usage;
    assert_int_equal(wait4(child, &ended, 0, &usage), child);
    assert_int_equal(ended, 0);
    mm_config_free(&config);
    return 1024 * usage.ru_maxrss;
}

#ifdef __SANITIZE_ADDRESS__
static const bool memory_tells = false; /* AddressSanitizer keeps what was freed */
#else
static const bool memory_tells = true;
#endif

/* HDF5 keeps up to 1 MiB of each column, in both. */
static void memory_is_flat(void **state)
{
    long some = memory_of(*state, 2000);
    long many = memory_of(*state, 8000);
    assert_true(many < some + some / 4 || !memory_tells);
}

/* ------------------------------------------------------------------------------------- refusals */

static void assert_one_line(const char *message, const char *mention)
{
    assert_true(message[0] != '\0');
    assert_null(strchr(message, '\n'));
    if (strstr(message, mention) == NULL)
        fail_msg("'%s' does not mention '%s'", message, mention);
}

/* Writing must fail with MM_ERROR_OUTPUT and a message that names the path. */
static void assert_not_writable(const char *path, bool replace)
{
    struct mm_config config;
    struct mm_results results;
    struct mm_error error = {0};
    read_config(small_search, &config);
    make_up_results(&config, 1, &results);
    assert_int_equal(mm_result_file_write(path, &config, &results, &run_info, replace, &error), MM_ERROR_OUTPUT);
    assert_int_equal(error.status, MM_ERROR_OUTPUT);
    assert_one_line(error.message, path);
    mm_results_free(&results);
    mm_config_free(&config);
}

static void write_bytes(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static size_t read_bytes(const char *path, size_t size, char *bytes)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t count = fread(bytes, 1, size, file);
    assert_int_equal(fclose(file), 0);
    return count;
}

static void existing_file_is_kept(void **state)
{
    const struct folder *folder = *state;
    char content[16] = {0};
    write_bytes(folder->file, "precious", 8);
    assert_not_writable(folder->file, false);
    assert_int_equal(read_bytes(folder->file, sizeof content, content), 8);
    assert_string_equal(content, "precious");
    assert_int_equal(entries(folder->path), 1);
    comes_back(folder, small_search, 1); /* replaces it */
}

static void impossible_places(void **state)
{
    const struct folder *folder = *state;
    char path[160];
    assert_not_writable(folder->path, true);
    snprintf(path, sizeof path, "%s/", folder->path);
    assert_not_writable(path, true);
    snprintf(path, sizeof path, "%s/missing/result.h5", folder->path);
    assert_not_writable(path, true);
    assert_not_writable("/proc/result.h5", true);
    assert_not_writable("", true);
    assert_int_equal(entries(folder->path), 0);

    write_bytes(folder->file, "", 0);
    snprintf(path, sizeof path, "%s/result.h5", folder->file);
    assert_not_writable(path, true);
    assert_int_equal(unlink(folder->file), 0);

    struct stat status;
    assert_int_equal(mkfifo(folder->file, 0600), 0);
    assert_not_writable(folder->file, true);
    assert_int_equal(lstat(folder->file, &status), 0);
    assert_true(S_ISFIFO(status.st_mode));
    assert_int_equal(unlink(folder->file), 0);

    assert_int_equal(symlink("/dev/null", folder->file), 0);
    assert_not_writable(folder->file, true);
    assert_int_equal(entries(folder->path), 1);
}

static void permissions_follow_the_umask(void **state)
{
    const struct folder *folder = *state;
    struct stat status;
    mode_t before = umask(027);
    comes_back(folder, small_search, 1);
    umask(before);
    assert_int_equal(stat(folder->file, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0640);
}

/* ------------------------------------------------------------------------------------ failing disks */

/* Writes results where `limit` bytes fit; MM_OK or MM_ERROR_SYSTEM, and then nothing is left behind. */
static mm_status write_limited(const struct folder *folder, rlim_t limit, const struct mm_config *config,
                               const struct mm_results *results)
{
    struct rlimit before;
    struct mm_error error = {0};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit small = {limit, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    mm_status status = mm_result_file_write(folder->file, config, results, &run_info, false, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    if (status != MM_OK) {
        assert_int_equal(status, MM_ERROR_SYSTEM);
        assert_one_line(error.message, folder->file);
        assert_one_line(error.message, "writing failed: File too large");
        assert_int_equal(entries(folder->path), 0);
        assert_int_equal(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL), 0); /* HDF5 has let go of it */
    }
    return status;
}

/* A disk that fills at any byte, here a limit on the size of a file, leaves nothing behind and harms no later file.
 */
static void full_disk_leaves_nothing(void **state)
{
    static const char many_rows[] = "[coupling]\ng = 0.5:1:100\n[batch.1]\nqubits = 2\n[loss]\nlambda = 1:9:10\n"
                                    "[search]\nstarts = 20\n";
    static const struct {
        const char *configuration;
        rlim_t step;
    } sizes[] = {{small_search, 499}, {many_rows, 99991}};
    const struct folder *folder = *state;
    signal(SIGXFSZ, SIG_IGN);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct mm_config config;
        struct mm_results results;
        rlim_t limit = 0;
        read_config(sizes[i].configuration, &config);
        make_up_results(&config, 1, &results);
        while (write_limited(folder, limit, &config, &results) != MM_OK)
            limit += sizes[i].step;
        assert_true(limit > 20 * sizes[i].step);
        assert_int_equal(unlink(folder->file), 0);
        mm_results_free(&results);
        mm_config_free(&config);
        comes_back(folder, sizes[i].configuration, 1);
        assert_int_equal(unlink(folder->file), 0);
    }
}

/* A file system that fills: some of these reserve no space before it is needed. The process then ends as it should.
 */
static void full_file_system_leaves_nothing(void **state)
{
    const struct folder *folder = *state;
    struct mm_config config;
    struct mm_results results;
    read_config(small_search, &config);
    make_up_results(&config, 1, &results);
    for (int pages = 1; pages <= 32; pages++) {
        char options[32];
        struct mm_error error = {0};
        snprintf(options, sizeof options, "size=%d", pages * 4096);
        if (mount("tmpfs", folder->path, "tmpfs", 0, options) != 0) {
            print_message("left out: a file system cannot be mounted here: %s\n", strerror(errno));
            break;
        }
        pid_t child = fork();
        if (child == 0) {
            mm_status status = mm_result_file_write(folder->file, &config, &results, &run_info, false, &error);
            exit(status == MM_OK || (status == MM_ERROR_SYSTEM && entries(folder->path) == 0) ? (int)status : 99);
        }
        int ended = -1;
        assert_int_equal(waitpid(child, &ended, 0), child);
        assert_int_equal(umount(folder->path), 0);
        assert_true(WIFEXITED(ended));
        bool full = WEXITSTATUS(ended) == MM_ERROR_SYSTEM;
        assert_true(full ? pages < 32 : WEXITSTATUS(ended) == MM_OK && pages > 8);
    }
    mm_results_free(&results);
    mm_config_free(&config);
}

/* ------------------------------------------------------------------------------------- foreign files */

/* Resuming must fail with MM_ERROR_INPUT, a message that holds `mention`, and results as before. */
static void assert_not_resumed(const char *path, const char *configuration, const char *mention)
{
    struct mm_config config;
    struct mm_results results;
    struct mm_error error = {0};
    read_config(configuration, &config);
    assert_int_equal(mm_results_create(&results, &config, NULL), MM_OK);
    assert_int_equal(mm_result_file_resume(path, &config, &results, NULL, &error), MM_ERROR_INPUT);
    assert_one_line(error.message, path);
    assert_one_line(error.message, mention);
    for (int64_t i = 0; i < results.chain_count; i++) {
        assert_false(results.chains[i].finished);
        assert_null(results.chains[i].initial);
    }
    assert_string_equal(results.backend, "");
    mm_results_free(&results);
    mm_config_free(&config);
}

static void other_configuration_is_told(void **state)
{
    const struct folder *folder = *state;
    char other[sizeof small_search];
    strcpy(other, small_search);
    memcpy(strstr(other, "qubits = 8"), "qubits = 9", 10);
    comes_back(folder, small_search, 1);
    assert_not_resumed(folder->file, other, "[batch.3] there 'qubits = 8', here 'qubits = 9'");
}

static void foreign_files_are_refused(void **state)
{
    const struct folder *folder = *state;
    char garbage[5000];
    assert_not_resumed(folder->file, small_search, "No such file");
    assert_not_resumed(folder->path, small_search, "not a regular file");
    write_bytes(folder->file, "", 0);
    assert_not_resumed(folder->file, small_search, "cannot read HDF5 file");
    memset(garbage, 0xa5, sizeof garbage);
    write_bytes(folder->file, garbage, sizeof garbage);
    assert_not_resumed(folder->file, small_search, "cannot read HDF5 file");
    write_bytes(folder->file, small_search, sizeof small_search);
    assert_not_resumed(folder->file, small_search, "cannot read HDF5 file");

    hid_t file = H5Fcreate(folder->file, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(file >= 0 && H5Fclose(file) >= 0);
    assert_not_resumed(folder->file, small_search, "is not a file of micromaser");
}

static void truncated_files_are_refused(void **state)
{
    static char content[1 << 18];
    const struct folder *folder = *state;
    comes_back(folder, small_search, 1);
    size_t size = read_bytes(folder->file, sizeof content, content);
    assert_in_range(size, 1000, sizeof content - 1);
    for (size_t part = 1; part < 16; part++) {
        write_bytes(folder->file, content, size * part / 16);
        assert_not_resumed(folder->file, small_search, "cannot read HDF5 file");
    }
}

/* Overwrites the first element of a column of /chains. */
static void overwrite(const char *path, const char *column, int32_t value)
{
    int32_t values[64];
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    hid_t dataset = H5Dopen2(file, column, H5P_DEFAULT);
    hid_t type = H5Dget_type(dataset);
    assert_true(H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    values[0] = value;
    assert_true(H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    assert_true(H5Tclose(type) >= 0 && H5Dclose(dataset) >= 0 && H5Fclose(file) >= 0);
}

/* A row that was changed is left out; all others come back. */
static void changed_rows_are_left_out(void **state)
{
    static const struct {
        const char *column;
        int32_t value;
    } damages[] = {
        {"/chains/start", 1},   {"/chains/start", 4},   {"/chains/start", -1},
        {"/chains/g_index", 2}, {"/chains/g_index", 1}, {"/chains/lambda_index", INT32_MAX},
        {"/chains/status", 0},  {"/chains/status", 77}, {"/chains/crc32", 1},
    };
    const struct folder *folder = *state;
    struct mm_config config;
    struct mm_results written;
    struct mm_results read;
    read_config(small_search, &config);
    make_up_results(&config, 1, &written);
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        write_results(folder->file, &config, &written);
        overwrite(folder->file, damages[i].column, damages[i].value);
        assert_int_equal(mm_results_create(&read, &config, NULL), MM_OK);
        int64_t damaged = 0;
        assert_int_equal(mm_result_file_resume(folder->file, &config, &read, &damaged, NULL), MM_OK);
        assert_int_equal(damaged, 1);
        assert_false(read.chains[0].finished);
        for (int64_t c = 1; c < read.chain_count; c++)
            assert_same_chain(&written.chains[c], &read.chains[c], read.batch_count);
        mm_results_free(&read);
    }
    mm_results_free(&written);
    mm_config_free(&config);
}

static void missing_and_exchanged_columns_are_refused(void **state)
{
    static const char *const columns[] = {"loss", "final", "status", "g_index"};
    const struct folder *folder = *state;
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        char path[64];
        comes_back(folder, small_search, 1);
        snprintf(path, sizeof path, "/chains/%s", columns[i]);
        hid_t file = H5Fopen(folder->file, H5F_ACC_RDWR, H5P_DEFAULT);
        assert_true(H5Ldelete(file, path, H5P_DEFAULT) >= 0 && H5Fclose(file) >= 0);
        assert_not_resumed(folder->file, small_search, columns[i]);

        file = H5Fopen(folder->file, H5F_ACC_RDWR, H5P_DEFAULT);
        assert_true(H5Lcreate_hard(file, "/best/purity", file, path, H5P_DEFAULT, H5P_DEFAULT) >= 0);
        assert_true(H5Fclose(file) >= 0);
        assert_not_resumed(folder->file, small_search, "wrong shape");
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(every_bit_comes_back),
        TEST(missing_chains_stay_missing),
        TEST(large_results_come_back),
        TEST(no_chain_at_all),
        TEST(existing_file_is_kept),
        TEST(impossible_places),
        TEST(permissions_follow_the_umask),
        TEST(full_disk_leaves_nothing),
        TEST(full_file_system_leaves_nothing),
        TEST(completeness_looks_at_what_is_needed),
        TEST(memory_is_flat),
        TEST(other_configuration_is_told),
        TEST(foreign_files_are_refused),
        TEST(truncated_files_are_refused),
        TEST(changed_rows_are_left_out),
        TEST(missing_and_exchanged_columns_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
