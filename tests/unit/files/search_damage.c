/* search_damage.c - damage anywhere in a result file is found: no chain is ever read with a wrong value. */
#include <fcntl.h>
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files/search/reader.h"
#include "support/search_checks.h"

static const struct mm_run_info run_info = {"micromaser search test.ini", "2026-01-01T00:00:00Z",
                                            "2026-01-01T00:01:00Z", "laboratory"};

/* A few chains: most of the file is structure. */
static const char few_chains[] = "[coupling]\ng = 0.7,0.8\n[batch.1]\nqubits = 2\n[batch.2]\nqubits = 3\n"
                                 "[loss]\nlambda = 1,10\n[search]\nstarts = 2\n";
/* Several blocks of chains: most of the file is data. */
static const char many_chains[] = "[coupling]\ng = 0.5:1:100\n[batch.1]\nqubits = 2\n[batch.2]\nqubits = 3\n"
                                  "[loss]\nlambda = 1,10\n[search]\nstarts = 50\n";

/* A sound result file, and what it holds. */
struct sample {
    char path[32];
    int descriptor;
    struct mm_config config;
    uint64_t fingerprint;
    size_t record_size;
    int64_t rows;
    unsigned char *records; /* [rows][record_size], row i being chain i */
    size_t size;
    unsigned char *bytes; /* [size] of the file */
};

enum { DAMAGED_BYTE = 100 };

enum outcome { HARMLESS, REFUSED, MISSING_ROWS, WRONG, OUTCOMES };

/* ------------------------------------------------------------------------------------ a sound file */

static double any_double(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(*seed >> 11) * 0x1p-53;
}

static void write_sample(const struct sample *sample)
{
    struct mm_results results;
    struct mm_error error = {0};
    uint64_t seed = 1;
    assert_int_equal(mm_results_create(&results, &sample->config, NULL), MM_OK);
    snprintf(results.backend, sizeof results.backend, "cpu");
    for (int64_t i = 0; i < results.chain_count; i++) {
        int64_t cell = i / sample->config.starts;
        double *parameters = results.parameters + (size_t)i * 4 * results.batch_count;
        for (size_t p = 0; p < 4 * results.batch_count; p++)
            parameters[p] = any_double(&seed);
        results.chains[i] = (struct mm_chain){
            .finished = true,
            .g_index = (int32_t)(cell / (int64_t)sample->config.lambda_count),
            .lambda_index = (int32_t)(cell % (int64_t)sample->config.lambda_count),
            .start = (int32_t)(i % sample->config.starts),
            .initial = parameters,
            .final = parameters + 2 * results.batch_count,
            .evaluation.loss = -any_double(&seed),
            .evaluation.energy = any_double(&seed),
            .iterations = i % 50,
            .status = MM_CONVERGED_FTOL,
        };
    }
    if (mm_result_file_write(sample->path, &sample->config, &results, &run_info, true, &error) != MM_OK)
        fail_msg("%s", error.message);
    mm_results_free(&results);
}

static struct mm_result_reader *open_reader(const struct sample *sample)
{
    struct mm_result_reader *reader = NULL;
    struct mm_error error = {0};
    if (mm_result_reader_open(&reader, sample->path, &error) != MM_OK)
        fail_msg("%s", error.message);
    return reader;
}

static void read_sample(struct sample *sample)
{
    struct stat status;
    struct mm_result_reader *reader = open_reader(sample);
    sample->rows = mm_result_reader_rows(reader);
    assert_int_equal(sample->rows, mm_config_chains(&sample->config));
    sample->record_size = mm_chain_record_size(sample->config.batch_count);
    sample->records = malloc((size_t)sample->rows * sample->record_size);
    assert_non_null(sample->records);
    assert_int_equal(mm_result_reader_read(reader, &sample->config, 0, sample->rows, sample->records, NULL), MM_OK);
    mm_result_reader_close(reader);
    for (int64_t i = 0; i < sample->rows; i++)
        assert_int_equal(mm_chain_record_check(sample->fingerprint, &sample->config,
                                               sample->records + (size_t)i * sample->record_size),
                         i);
    sample->descriptor = open(sample->path, O_RDWR);
    assert_int_equal(fstat(sample->descriptor, &status), 0);
    sample->size = (size_t)status.st_size;
    sample->bytes = malloc(sample->size);
    assert_non_null(sample->bytes);
    assert_int_equal(pread(sample->descriptor, sample->bytes, sample->size, 0), sample->size);
}

static void make_sample(const char *configuration, struct sample *sample)
{
    *sample = (struct sample){.path = "/tmp/test_result_damage.XXXXXX"};
    int descriptor = mkstemp(sample->path);
    assert_true(descriptor >= 0 && close(descriptor) == 0);
    read_config(configuration, &sample->config);
    sample->fingerprint = mm_run_fingerprint(&sample->config);
    write_sample(sample);
    read_sample(sample);
}

static void remove_sample(struct sample *sample)
{
    close(sample->descriptor);
    unlink(sample->path);
    free(sample->records);
    free(sample->bytes);
    mm_config_free(&sample->config);
}

/* ------------------------------------------------------------------------------------------ damage */

static bool same_description(const struct sample *sample, const struct mm_result_description *description)
{
    return strcmp(description->configuration, sample->config.text) == 0 &&
           strcmp(description->command_line, run_info.command_line) == 0 &&
           strcmp(description->backend, "cpu") == 0 && strcmp(description->device, "") == 0 &&
           description->seconds == 0.0 && description->complete;
}

/* Reads the file as it is now and compares what is sound in it with the sample. */
static enum outcome read_damaged(const struct sample *sample, unsigned char *records)
{
    struct mm_result_reader *reader = NULL;
    int64_t found = 0;
    if (mm_result_reader_open(&reader, sample->path, NULL) != MM_OK)
        return REFUSED;
    bool same = same_description(sample, mm_result_reader_description(reader)) &&
                mm_result_reader_rows(reader) == sample->rows;
    bool refused = same && mm_result_reader_read(reader, &sample->config, 0, sample->rows, records, NULL) != MM_OK;
    mm_result_reader_close(reader);
    for (int64_t i = 0; same && !refused && i < sample->rows; i++) {
        const unsigned char *record = records + (size_t)i * sample->record_size;
        int64_t index = mm_chain_record_check(sample->fingerprint, &sample->config, record);
        found += index >= 0;
        same = index < 0 ||
               memcmp(record, sample->records + (size_t)index * sample->record_size, sample->record_size) == 0;
    }
    return !same ? WRONG : refused ? REFUSED : found < sample->rows ? MISSING_ROWS : HARMLESS;
}

/* Damages `size` bytes at random places, `trials` times: flips one bit if `size` is 1, else zeroes them. */
static void damage(const struct sample *sample, int trials, size_t size)
{
    uint64_t seed = size;
    int tally[OUTCOMES] = {0};
    unsigned char bytes[4096] = {0};
    unsigned char *records = malloc((size_t)sample->rows * sample->record_size);
    assert_non_null(records);
    for (int trial = 0; trial < trials; trial++) {
        size_t at = (size_t)(any_double(&seed) * (double)sample->size) / size * size;
        size_t part = sample->size - at < size ? sample->size - at : size;
        if (size == 1)
            bytes[0] = (unsigned char)(sample->bytes[at] ^ (1 << trial % 8));
        assert_int_equal(pwrite(sample->descriptor, bytes, part, (off_t)at), part);
        enum outcome outcome = read_damaged(sample, records);
        tally[outcome]++;
        if (outcome == WRONG)
            print_message("wrong after damage of %zu bytes at %zu\n", part, at);
        assert_int_equal(pwrite(sample->descriptor, sample->bytes + at, part, (off_t)at), part);
    }
    free(records);
    print_message("%d x %zu bytes of %zu: %d harmless, %d refused, %d with rows found damaged, %d wrong\n", trials,
                  size, sample->size, tally[HARMLESS], tally[REFUSED], tally[MISSING_ROWS], tally[WRONG]);
    assert_int_equal(tally[WRONG], 0);
    assert_true(tally[REFUSED] + tally[MISSING_ROWS] > trials / 10);
}

static void damage_of_structure_is_found(void **state)
{
    (void)state;
    struct sample sample;
    make_sample(few_chains, &sample);
    damage(&sample, 400, 1);
    damage(&sample, 80, 512);
    damage(&sample, 11, 4096);
    remove_sample(&sample);
}

static void damage_of_data_is_found(void **state)
{
    (void)state;
    struct sample sample;
    make_sample(many_chains, &sample);
    damage(&sample, 120, 1);
    damage(&sample, 60, 4096);
    remove_sample(&sample);
}

/* HDF5 keeps texts in heaps without a checksum, and may never return from a damaged one. */
static void damaged_texts_do_no_harm(void **state)
{
    (void)state;
    struct sample sample;
    int heaps = 0;
    make_sample(few_chains, &sample);
    unsigned char *records = malloc((size_t)sample.rows * sample.record_size);
    assert_non_null(records);
    for (size_t at = 0; at + 4096 <= sample.size; at += 8) {
        static const unsigned char zeros[4096 - 16];
        if (memcmp(sample.bytes + at, "GCOL", 4) != 0)
            continue;
        heaps++;
        assert_int_equal(pwrite(sample.descriptor, zeros, sizeof zeros, (off_t)at + 16), sizeof zeros);
        assert_int_equal(read_damaged(&sample, records), HARMLESS);
        assert_int_equal(pwrite(sample.descriptor, sample.bytes + at, 4096, (off_t)at), 4096);
    }
    assert_true(heaps > 0);
    free(records);
    remove_sample(&sample);
}

/* ------------------------------------------------------------------------------------------ reading */

static void rows_come_in_any_order(void **state)
{
    (void)state;
    struct sample sample;
    unsigned char records[3 * 512];
    uint64_t seed = 7;
    make_sample(many_chains, &sample);
    struct mm_result_reader *reader = open_reader(&sample);
    assert_true(sample.record_size <= 512);
    for (int trial = 0; trial < 300; trial++) {
        int64_t count = 1 + trial % 3;
        int64_t first = (int64_t)(any_double(&seed) * (double)(sample.rows - count));
        assert_int_equal(mm_result_reader_read(reader, &sample.config, first, count, records, NULL), MM_OK);
        assert_memory_equal(records, sample.records + (size_t)first * sample.record_size,
                            (size_t)count * sample.record_size);
    }
    mm_result_reader_close(reader);
    remove_sample(&sample);
}

/* Flips a bit of the second chunk of a column. Returns its rows. */
static int64_t damage_second_chunk(const struct sample *sample, const char *column)
{
    hid_t file = H5Fopen(sample->path, H5F_ACC_RDWR, H5P_DEFAULT);
    hid_t dataset = H5Dopen2(file, column, H5P_DEFAULT);
    hid_t properties = H5Dget_create_plist(dataset);
    hsize_t chunk = 0;
    hsize_t size = 0;
    uint32_t filters = 0;
    assert_true(H5Pget_chunk(properties, 1, &chunk) == 1 && (int64_t)chunk < sample->rows);
    assert_true(H5Dget_chunk_storage_size(dataset, &chunk, &size) >= 0 && size > DAMAGED_BYTE);
    unsigned char *bytes = malloc(size);
    assert_non_null(bytes);
    assert_true(H5Dread_chunk(dataset, H5P_DEFAULT, &chunk, &filters, bytes) >= 0);
    bytes[DAMAGED_BYTE] ^= 4;
    assert_true(H5Dwrite_chunk(dataset, H5P_DEFAULT, filters, &chunk, size, bytes) >= 0);
    assert_true(H5Pclose(properties) >= 0 && H5Dclose(dataset) >= 0 && H5Fclose(file) >= 0);
    free(bytes);
    return (int64_t)chunk;
}

/* Damages a column and reads everything: rows [first, end) of its second chunk must be found damaged, no others. */
static void costs_rows(const char *column, int64_t first, int64_t end)
{
    struct sample sample;
    make_sample(many_chains, &sample);
    unsigned char *records = malloc((size_t)sample.rows * sample.record_size);
    assert_non_null(records);
    int64_t chunk = damage_second_chunk(&sample, column);
    struct mm_result_reader *reader = open_reader(&sample);
    assert_int_equal(mm_result_reader_read(reader, &sample.config, 0, sample.rows, records, NULL), MM_OK);
    for (int64_t i = 0; i < sample.rows; i++) {
        bool lost = i - chunk >= first && i - chunk < (end < 0 ? chunk : end);
        const unsigned char *record = records + (size_t)i * sample.record_size;
        assert_int_equal(mm_chain_record_check(sample.fingerprint, &sample.config, record), lost ? -1 : i);
    }
    mm_result_reader_close(reader);
    free(records);
    remove_sample(&sample);
}

static void damage_costs_few_rows(void **state)
{
    (void)state;
    costs_rows("/chains/energy", DAMAGED_BYTE / 8, DAMAGED_BYTE / 8 + 1); /* a double: its row */
    costs_rows("/chains/iterations", 0, -1);                              /* packed: the whole chunk */
}

static void other_runs_and_files_are_refused(void **state)
{
    (void)state;
    struct sample sample;
    struct mm_config other;
    struct mm_result_reader *reader = NULL;
    struct mm_error error = {0};
    unsigned char record[512];
    make_sample(few_chains, &sample);
    read_config(small_search, &other);
    reader = open_reader(&sample);
    assert_int_equal(mm_result_reader_read(reader, &other, 0, 1, record, &error), MM_ERROR_INPUT);
    assert_non_null(strstr(error.message, "batches"));
    mm_result_reader_close(reader);
    mm_config_free(&other);

    hid_t file = H5Fopen(sample.path, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(H5Adelete(file, "description") >= 0 && H5Fclose(file) >= 0);
    assert_int_equal(mm_result_reader_open(&reader, sample.path, &error), MM_ERROR_INPUT);
    assert_non_null(strstr(error.message, "no checksums"));
    remove_sample(&sample);
}

/* HDF5 1.10 loses a little memory whenever it finds damage. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damage_of_structure_is_found), cmocka_unit_test(damage_of_data_is_found),
        cmocka_unit_test(damaged_texts_do_no_harm),     cmocka_unit_test(rows_come_in_any_order),
        cmocka_unit_test(damage_costs_few_rows),        cmocka_unit_test(other_runs_and_files_are_refused),
    };
    alarm(120); /* HDF5 may never return from a damaged file */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
