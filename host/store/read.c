/* read.c - reads the records of chains from wherever they lie. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/inside.h"

/* Rows of a result file, read in one go because reading them one by one would take forever. */
struct window {
    const struct mm_store_part *part;
    int64_t first;
    int64_t count;
    unsigned char *records; /* as many as are asked for in all */
};

/* Reads one row of a result file. Chains and rows ascend together, so at most `left` rows of it are still wanted.
 */
static mm_status read_row(struct mm_store *store, struct window *window, const struct mm_store_part *part,
                          int64_t row, size_t left, unsigned char *record, struct mm_error *error)
{
    if (window->part != part || row < window->first || row >= window->first + window->count) {
        int64_t rows = part->rows - row;
        *window = (struct window){
            .part = part,
            .first = row,
            .count = rows < (int64_t)left ? rows : (int64_t)left,
            .records = window->records,
        };
        mm_status status =
            mm_result_reader_read(part->reader, &store->config, row, window->count, window->records, error);
        if (status != MM_OK)
            return status;
    }
    memcpy(record, window->records + (size_t)(row - window->first) * store->record_size, store->record_size);
    return MM_OK;
}

static mm_status read_from_journal(const struct mm_store *store, const struct mm_store_part *part, int64_t number,
                                   unsigned char *record, struct mm_error *error)
{
    off_t at = part->first + number * (off_t)store->record_size;
    ssize_t size = -1;
    do
        size = pread(part->descriptor, record, store->record_size, at);
    while (size < 0 && errno == EINTR);
    if (size == (ssize_t)store->record_size)
        return MM_OK;
    return mm_fail(error, MM_ERROR_SYSTEM, "%s: record %lld cannot be read: %s", part->path, (long long)number,
                   size < 0 ? strerror(errno) : "the file ends before it");
}

static mm_status read_record(struct mm_store *store, struct window *window, int64_t index, size_t left,
                             unsigned char *record, struct mm_error *error)
{
    const struct mm_store_part *part = mm_store_part_of(store, index);
    int64_t row = mm_store_row(store, index);
    mm_status status = MM_OK;
    if (part == NULL)
        return mm_fail(error, MM_ERROR_INPUT, "%s: no file holds chain %lld", store->path, (long long)index);
    switch (part->kind) {
    case MM_PART_PENDING:
        memcpy(record, store->pending + (size_t)row * store->record_size, store->record_size);
        break;
    case MM_PART_OWN_JOURNAL:
        status = mm_journal_read(store->journal, row, record, error);
        break;
    case MM_PART_JOURNAL:
        status = read_from_journal(store, part, row, record, error);
        break;
    case MM_PART_RESULT_FILE:
        status = read_row(store, window, part, row, left, record, error);
        break;
    case MM_PART_FREE:
        break;
    }
    if (status != MM_OK || mm_store_is_record_of(store, index, record))
        return status;
    mm_store_forget(store, index);
    return mm_fail(error, MM_ERROR_SYSTEM, "%s: the record of chain %lld was changed or damaged since it was read",
                   part->path == NULL ? store->path : part->path, (long long)index);
}

mm_status mm_store_read_records(struct mm_store *store, size_t count, const int64_t *indices,
                                unsigned char *records, struct mm_error *error)
{
    struct window window = {.records = malloc((count + 1) * store->record_size)}; /* + 1: never an empty request */
    if (window.records == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "%s: out of memory for %zu records", store->path, count);
    mm_status status = MM_OK;
    for (size_t i = 0; i < count && status == MM_OK; i++)
        status = read_record(store, &window, indices[i], count - i, records + i * store->record_size, error);
    free(window.records);
    return status;
}
