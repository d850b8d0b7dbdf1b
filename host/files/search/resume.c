/* resume.c - reads the finished chains of a result file back into memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files/search/reader.h"
#include "chain/results.h"

enum { BLOCK_ROWS = 256 /* records read at once */ };

/* --------------------------------------------------------------------------------------------- chains */

/* Takes a record; false if it is damaged. */
static bool take_record(const struct mm_config *config, uint64_t fingerprint, const unsigned char *record,
                        struct mm_results *results)
{
    int64_t index = mm_chain_record_check(fingerprint, config, record);
    if (index < 0)
        return false;
    struct mm_chain *chain = mm_results_claim(results, config, index);
    mm_chain_record_unpack(results->batch_count, record, mm_results_initial(results, index), chain);
    return true;
}

static mm_status read_chains(struct mm_result_reader *reader, const struct mm_config *config,
                             struct mm_results *results, int64_t *damaged, struct mm_error *error)
{
    uint64_t fingerprint = mm_run_fingerprint(config);
    size_t size = mm_chain_record_size(config->batch_count);
    int64_t rows = mm_result_reader_rows(reader);
    unsigned char *records = malloc(BLOCK_ROWS * size);
    mm_status status =
        records != NULL ? MM_OK : mm_fail(error, MM_ERROR_MEMORY, "out of memory for %d chains", BLOCK_ROWS);
    for (int64_t first = 0; first < rows && status == MM_OK; first += BLOCK_ROWS) {
        int64_t count = rows - first < BLOCK_ROWS ? rows - first : BLOCK_ROWS;
        status = mm_result_reader_read(reader, config, first, count, records, error);
        for (int64_t i = 0; i < count && status == MM_OK; i++)
            *damaged += !take_record(config, fingerprint, records + (size_t)i * size, results);
    }
    free(records);
    return status;
}

mm_status mm_result_file_resume(const char *path, const struct mm_config *config, struct mm_results *results,
                                int64_t *damaged, struct mm_error *error)
{
    int64_t damaged_rows = 0;
    struct mm_result_reader *reader = NULL;
    mm_status status = mm_result_reader_open(&reader, path, error);
    if (status != MM_OK)
        return status;
    status =
        mm_run_check_configuration(path, mm_result_reader_description(reader)->configuration, config->text, error);
    if (status == MM_OK)
        status = read_chains(reader, config, results, &damaged_rows, error);
    if (status == MM_OK) {
        const struct mm_result_description *run = mm_result_reader_description(reader);
        memcpy(results->backend, run->backend, sizeof results->backend);
        memcpy(results->device, run->device, sizeof results->device);
        results->seconds = run->seconds;
        if (damaged != NULL)
            *damaged = damaged_rows;
    }
    mm_result_reader_close(reader);
    return status;
}
