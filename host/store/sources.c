/* sources.c - the sources that a store reads records from: result files, journals, and what is not committed
 * yet. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain/grid.h"
#include "store/sources.h"

/* --------------------------------------------------------------------------------------------- kinds */

static const char *this_process(const struct mm_store *store, const struct mm_record_source *source)
{
    (void)store;
    (void)source;
    return "this process";
}

static const char *path_of_own(const struct mm_store *store, const struct mm_record_source *source)
{
    (void)source;
    return mm_journal_path(store->journal);
}

static const char *path_of(const struct mm_store *store, const struct mm_record_source *source)
{
    (void)store;
    return source->path;
}

static mm_status read_pending(struct mm_store *store, const struct mm_record_source *source, int64_t row,
                              size_t left, struct mm_read_ahead *ahead, unsigned char *record,
                              struct mm_error *error)
{
    (void)source;
    (void)left;
    (void)ahead;
    (void)error;
    memcpy(record, store->pending + (size_t)row * store->index.record_size, store->index.record_size);
    return MM_OK;
}

static mm_status read_own(struct mm_store *store, const struct mm_record_source *source, int64_t row, size_t left,
                          struct mm_read_ahead *ahead, unsigned char *record, struct mm_error *error)
{
    (void)source;
    (void)left;
    (void)ahead;
    return mm_journal_read(store->journal, row, record, error);
}

static mm_status read_journal(struct mm_store *store, const struct mm_record_source *source, int64_t row,
                              size_t left, struct mm_read_ahead *ahead, unsigned char *record,
                              struct mm_error *error)
{
    (void)left;
    (void)ahead;
    const size_t record_size = store->index.record_size;
    off_t at = source->journal.first + row * (off_t)record_size;
    ssize_t size = -1;
    do
        size = pread(source->journal.descriptor, record, record_size, at);
    while (size < 0 && errno == EINTR);
    if (size == (ssize_t)record_size)
        return MM_OK;
    return mm_fail(error, MM_ERROR_SYSTEM, "%s: record %lld cannot be read: %s", source->path, (long long)row,
                   size < 0 ? strerror(errno) : "the file ends before it");
}

static mm_status read_row(struct mm_store *store, const struct mm_record_source *source, int64_t row, size_t left,
                          struct mm_read_ahead *ahead, unsigned char *record, struct mm_error *error)
{
    const size_t record_size = store->index.record_size;
    if (ahead->source != source || row < ahead->first || row >= ahead->first + ahead->count) {
        int64_t rows = source->result.rows - row;
        *ahead = (struct mm_read_ahead){
            .source = source,
            .first = row,
            .count = rows < (int64_t)left ? rows : (int64_t)left,
            .records = ahead->records,
        };
        mm_status status =
            mm_result_reader_read(source->result.reader, &store->config, row, ahead->count, ahead->records, error);
        if (status != MM_OK)
            return status;
    }
    memcpy(record, ahead->records + (size_t)(row - ahead->first) * record_size, record_size);
    return MM_OK;
}

static void close_nothing(struct mm_record_source *source)
{
    (void)source;
}

static void close_journal(struct mm_record_source *source)
{
    if (source->journal.descriptor >= 0)
        close(source->journal.descriptor); /* only read from; its lock, if we hold it, goes too */
}

static void close_result(struct mm_record_source *source)
{
    mm_result_reader_close(source->result.reader);
}

const struct mm_source_kind mm_pending_records = {this_process, read_pending, close_nothing};
const struct mm_source_kind mm_own_journal = {path_of_own, read_own, close_nothing};
const struct mm_source_kind mm_other_journal = {path_of, read_journal, close_journal};
const struct mm_source_kind mm_result_file = {path_of, read_row, close_result};

/* ------------------------------------------------------------------------------------------- sources */

bool mm_store_begin_sources(struct mm_store *store)
{
    static const struct mm_source_kind *const kinds[MM_FIRST_OTHER_SOURCE] = {
        [MM_PENDING_SOURCE] = &mm_pending_records,
        [MM_OWN_SOURCE] = &mm_own_journal,
    };
    store->sources = calloc(MM_FIRST_OTHER_SOURCE, sizeof *store->sources);
    if (store->sources == NULL)
        return false;
    store->source_count = MM_FIRST_OTHER_SOURCE;
    for (size_t s = 0; s < MM_FIRST_OTHER_SOURCE; s++)
        store->sources[s] = (struct mm_record_source){
            .kind = kinds[s], .run = store->path, .journal = {.descriptor = -1, .listed = true}};
    return true;
}

size_t mm_store_new_source(struct mm_store *store, const struct mm_source_kind *kind, const char *path,
                           const char *run)
{
    size_t at = MM_FIRST_OTHER_SOURCE;
    while (at < store->source_count && store->sources[at].kind != NULL)
        at++;
    char *copy = strdup(path);
    struct mm_record_source *sources = store->sources;
    if (at >= store->source_count) {
        sources = realloc(sources, (at + 1) * sizeof *sources);
        store->sources = sources == NULL ? store->sources : sources;
    }
    if (copy == NULL || sources == NULL) {
        free(copy);
        return SIZE_MAX;
    }
    store->source_count = at >= store->source_count ? at + 1 : store->source_count;
    store->sources[at] =
        (struct mm_record_source){.kind = kind, .path = copy, .run = run, .journal = {.descriptor = -1}};
    return at;
}

static void close_source(struct mm_record_source *source)
{
    if (source->kind != NULL)
        source->kind->close(source);
    free(source->path);
    *source = (struct mm_record_source){.journal = {.descriptor = -1}};
}

void mm_store_close_sources(struct mm_store *store)
{
    for (size_t s = 0; s < store->source_count; s++)
        close_source(&store->sources[s]);
    free(store->sources);
    store->sources = NULL;
    store->source_count = 0;
}

struct mm_record_source *mm_store_source_of(const struct mm_store *store, int64_t index)
{
    struct mm_place place;
    return mm_index_place(&store->index, index, &place) ? &store->sources[place.source] : NULL;
}

struct mm_record_source *mm_store_result_source(const struct mm_store *store, const char *run)
{
    for (size_t s = MM_FIRST_OTHER_SOURCE; s < store->source_count; s++) {
        struct mm_record_source *source = &store->sources[s];
        if (source->kind == &mm_result_file && source->run == run && !source->superseded)
            return source;
    }
    return NULL;
}

/* ------------------------------------------------------------------------------------------- records */

static const char *name_of(const struct mm_store *store, const struct mm_record_source *source)
{
    return source == NULL ? "this process" : source->kind->name(store, source);
}

static mm_status fail_on_difference(const struct mm_store *store, int64_t index, size_t source,
                                    struct mm_error *error)
{
    char place[MM_GRID_TEXT_SIZE];
    mm_grid_text(&store->config, index, place);
    return mm_fail(error, MM_ERROR_INPUT, "chain %lld (%s) has two different ends, in %s and in %s",
                   (long long)index, place, name_of(store, mm_store_source_of(store, index)),
                   name_of(store, &store->sources[source]));
}

mm_status mm_store_take(struct mm_store *store, size_t source, int64_t row, const unsigned char *record,
                        bool *sound, struct mm_error *error)
{
    int64_t index = -1;
    const enum mm_index_found found = mm_index_learn(&store->index, record, &index);
    *sound = found != MM_INDEX_DAMAGED;
    if (found == MM_INDEX_DAMAGED)
        return MM_OK;
    if (found == MM_INDEX_DIFFERENT)
        return fail_on_difference(store, index, source, error);
    const struct mm_record_source *before = mm_store_source_of(store, index);
    store->duplicates += found == MM_INDEX_SAME && before != &store->sources[source];
    if (before == NULL || before->superseded || store->sources[source].kind == &mm_result_file)
        mm_index_locate(&store->index, index, (struct mm_place){source, row});
    return MM_OK;
}

static mm_status read_record(struct mm_store *store, struct mm_read_ahead *ahead, int64_t index, size_t left,
                             unsigned char *record, struct mm_error *error)
{
    struct mm_place place;
    if (!mm_index_place(&store->index, index, &place))
        return mm_fail(error, MM_ERROR_INPUT, "%s: no file holds chain %lld", store->path, (long long)index);
    const struct mm_record_source *source = &store->sources[place.source];
    mm_status status = source->kind->read(store, source, place.row, left, ahead, record, error);
    if (status != MM_OK || mm_index_is_record_of(&store->index, index, record))
        return status;
    mm_index_forget(&store->index, index);
    return mm_fail(error, MM_ERROR_SYSTEM, "%s: the record of chain %lld was changed or damaged since it was read",
                   source->path == NULL ? store->path : source->path, (long long)index);
}

mm_status mm_store_read_records(struct mm_store *store, size_t count, const int64_t *indices,
                                unsigned char *records, struct mm_error *error)
{
    const size_t record_size = store->index.record_size;
    struct mm_read_ahead ahead = {.records = malloc((count + 1) * record_size)}; /* + 1: never an empty request */
    if (ahead.records == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "%s: out of memory for %zu records", store->path, count);
    mm_status status = MM_OK;
    for (size_t i = 0; i < count && status == MM_OK; i++)
        status = read_record(store, &ahead, indices[i], count - i, records + i * record_size, error);
    free(ahead.records);
    return status;
}

/* ---------------------------------------------------------------------------------------- forgetting */

static bool is_superseded(const void *context, size_t source)
{
    return ((const struct mm_store *)context)->sources[source].superseded;
}

void mm_store_forget_superseded(struct mm_store *store)
{
    mm_index_forget_superseded(&store->index, is_superseded, store);
}

static bool has_vanished(const struct mm_record_source *source)
{
    return source->kind == &mm_other_journal && !source->journal.listed;
}

/* Closes journals that are gone from the disk and that no chain lies in. */
static void close_vanished(struct mm_store *store)
{
    bool vanished = false;
    for (size_t s = 0; s < store->source_count; s++)
        vanished |= has_vanished(&store->sources[s]);
    if (!vanished)
        return;
    for (size_t s = 0; s < store->source_count; s++)
        if (has_vanished(&store->sources[s]))
            store->sources[s].superseded = true;
    for (int64_t i = 0; i < store->index.chain_count; i++) {
        struct mm_record_source *source = mm_store_source_of(store, i);
        if (source != NULL)
            source->superseded = false;
    }
    for (size_t s = MM_FIRST_OTHER_SOURCE; s < store->source_count; s++)
        if (store->sources[s].superseded)
            close_source(&store->sources[s]);
}

void mm_store_sweep(struct mm_store *store)
{
    mm_store_forget_superseded(store);
    store->sources[MM_PENDING_SOURCE].superseded = false;
    store->sources[MM_OWN_SOURCE].superseded = false;
    for (size_t s = MM_FIRST_OTHER_SOURCE; s < store->source_count; s++)
        if (store->sources[s].superseded)
            close_source(&store->sources[s]);
    close_vanished(store);
}
