/* resume.c - reads the finished chains of a result file back into memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files/search/reader.h"
#include "files/search/types.h"
#include "chain/results.h"

enum { BLOCK_ROWS = 256 /* records read at once */ };

/* ------------------------------------------------------------------------------------- configuration */

/* Characters of a line that a message shows. */
static int shown(const char *line)
{
    enum { SHOWN = 100 };
    size_t length = strcspn(line, "\n");
    return length < SHOWN ? (int)length : SHOWN;
}

void mm_hdf5_fail_on_difference(struct mm_hdf5 *hdf5, const char *what, const char *there, const char *here)
{
    const char *section = "";
    while (*there != '\0' && *here != '\0') {
        size_t length = strcspn(there, "\n");
        if (length != strcspn(here, "\n") || strncmp(there, here, length) != 0)
            break;
        if (*there == '[')
            section = there;
        there += length + (there[length] == '\n');
        here += length + (here[length] == '\n');
    }
    char reason[MM_ERROR_MESSAGE_SIZE];
    const bool of_sections = *there == '[' || *here == '[';
    snprintf(reason, sizeof reason, "belongs to another %s: %s%.*s there '%.*s', here '%.*s'", what,
             of_sections ? "after " : "", shown(section), section, shown(there), there, shown(here), here);
    mm_hdf5_fail(hdf5, MM_ERROR_INPUT, reason);
}

static mm_status check_configuration(const char *path, const struct mm_config *config,
                                     const struct mm_result_reader *reader, struct mm_error *error)
{
    const char *there = mm_result_reader_description(reader)->configuration;
    if (strcmp(there, config->text) == 0)
        return MM_OK;
    struct mm_hdf5 hdf5;
    mm_hdf5_begin(&hdf5, path, MM_ERROR_INPUT, error);
    mm_hdf5_fail_on_difference(&hdf5, "configuration", there, config->text);
    return mm_hdf5_end(&hdf5);
}

/* --------------------------------------------------------------------------------------------- chains */

/* Takes a record; false if it is damaged. */
static bool take_record(const struct mm_config *config, uint64_t fingerprint, const unsigned char *record,
                        struct mm_results *results)
{
    int64_t index = mm_record_check(fingerprint, config, record);
    if (index < 0)
        return false;
    struct mm_chain *chain = mm_results_claim(results, config, index);
    mm_record_unpack(results->batch_count, record, mm_results_initial(results, index), chain);
    return true;
}

static mm_status read_chains(struct mm_result_reader *reader, const struct mm_config *config,
                             struct mm_results *results, int64_t *damaged, struct mm_error *error)
{
    uint64_t fingerprint = mm_run_fingerprint(config);
    size_t size = mm_record_size(config->batch_count);
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
    status = check_configuration(path, config, reader, error);
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
