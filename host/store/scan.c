/* scan.c - reads what a run has finished: its result file and the journals beside it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/sources.h"
#include "base/text.h"

enum {
    BLOCK_BYTES = 4 << 20, /* records looked at together */
    NUMBERS_SHOWN = 5,     /* damaged records named in a line */
    ATTEMPTS = 100,        /* to read a run while others replace its result file */
};

/* Records of one part that turned out to be damaged. */
struct damaged {
    int64_t count;
    int64_t readable; /* those of a result file which can be read, but have a wrong checksum */
    int64_t first[NUMBERS_SHOWN];
};

static void add_damaged(struct damaged *damaged, int64_t row)
{
    if (damaged->count < NUMBERS_SHOWN)
        damaged->first[damaged->count] = row;
    damaged->count++;
}

/* Says which records of a file are damaged, and keeps it. */
static mm_status settle_damaged(struct mm_store *store, const char *path, const char *what,
                                const struct damaged *damaged, struct mm_error *error)
{
    char numbers[NUMBERS_SHOWN * 24] = "";
    size_t used = 0;
    if (damaged->count == 0)
        return MM_OK;
    for (int64_t i = 0; i < damaged->count && i < NUMBERS_SHOWN; i++)
        used += (size_t)snprintf(numbers + used, sizeof numbers - used, "%s%" PRId64, i == 0 ? "" : ", ",
                                 damaged->first[i]);
    return mm_store_add_damage(store, (struct mm_store_damage){.path = path, .records = damaged->count}, error,
                               "%s: %lld damaged %s%s left out (number %s%s): what %s held is computed again", path,
                               (long long)damaged->count, what, mm_plural(damaged->count), numbers,
                               damaged->count > NUMBERS_SHOWN ? ", .." : "", damaged->count == 1 ? "it" : "they");
}

static size_t block_records(const struct mm_store *store)
{
    return store->index.record_size < BLOCK_BYTES ? BLOCK_BYTES / store->index.record_size : 1;
}

static unsigned char *allocate_block(const struct mm_store *store, struct mm_error *error)
{
    unsigned char *block = malloc(block_records(store) * store->index.record_size);
    if (block == NULL)
        mm_fail(error, MM_ERROR_MEMORY, "%s: out of memory for reading records", store->path);
    return block;
}

/* --------------------------------------------------------------------------------------- result file */

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Takes over what the result file tells about its run. */
static mm_status check_description(struct mm_store *store, const struct mm_record_source *source,
                                   struct mm_error *error)
{
    const struct mm_result_description *description = mm_result_reader_description(source->result.reader);
    mm_status status =
        mm_run_check_configuration(source->path, description->configuration, store->config.text, error);
    if (status != MM_OK)
        return status;
    if (source->result.rows > 0 && store->backend[0] != '\0' && strcmp(store->backend, description->backend) != 0)
        return mm_fail(error, MM_ERROR_INPUT, "%s: was computed by backend '%s', so '%s' cannot go on with it",
                       source->path, description->backend, store->backend);
    if (store->backend[0] == '\0')
        snprintf(store->backend, sizeof store->backend, "%s", description->backend);
    if (store->device[0] == '\0')
        snprintf(store->device, sizeof store->device, "%s", description->device);
    return MM_OK;
}

/* Whether the reader gave zeros for a row, because that part of the file cannot be read. */
static bool is_unreadable(const struct mm_store *store, const unsigned char *record)
{
    return record[0] == 0 && memcmp(record, record + 1, store->index.record_size - 1) == 0;
}

/* Takes rows [first, first + count) of a result file. */
static mm_status take_rows(struct mm_store *store, size_t p, int64_t first, int64_t count,
                           const unsigned char *block, struct damaged *damaged, struct mm_error *error)
{
    for (int64_t i = 0; i < count; i++) {
        const unsigned char *record = block + (size_t)i * store->index.record_size;
        bool sound = false;
        mm_status status = mm_store_take(store, p, first + i, record, &sound, error);
        if (status != MM_OK)
            return status;
        store->sources[p].result.sound += sound;
        if (!sound)
            add_damaged(damaged, first + i);
        damaged->readable += !sound && !is_unreadable(store, record);
    }
    return MM_OK;
}

static mm_status scan_rows(struct mm_store *store, size_t p, struct mm_error *error)
{
    struct damaged damaged = {0};
    int64_t rows = store->sources[p].result.rows;
    int64_t step = (int64_t)block_records(store);
    unsigned char *block = allocate_block(store, error);
    mm_status status = block == NULL ? MM_ERROR_MEMORY : MM_OK;
    for (int64_t first = 0; first < rows && status == MM_OK; first += step) {
        int64_t count = rows - first < step ? rows - first : step;
        status = mm_result_reader_read(store->sources[p].result.reader, &store->config, first, count, block, error);
        if (status == MM_OK)
            status = take_rows(store, p, first, count, block, &damaged, error);
    }
    free(block);
    if (status == MM_OK && rows > 0 && damaged.readable == rows)
        return mm_fail(
            error, MM_ERROR_INPUT,
            "%s: was written by another version of the program, whose numbers differ from this one's: none "
            "of its %lld checksums fits",
            store->sources[p].path, (long long)rows);
    return status == MM_OK ? settle_damaged(store, store->sources[p].path, "row", &damaged, error) : status;
}

/* Opens the result file and checks what it is. */
static mm_status open_result(struct mm_store *store, size_t p, const struct stat *file, struct mm_error *error)
{
    struct mm_record_source *source = &store->sources[p];
    source->file = *file;
    mm_status status = mm_result_reader_open(&source->result.reader, source->path, error);
    if (status != MM_OK)
        return status;
    source->result.rows = mm_result_reader_rows(source->result.reader);
    return check_description(store, source, error);
}

mm_status mm_store_load_file(struct mm_store *store, const char *run, bool *changed, struct mm_error *error)
{
    struct stat file;
    struct mm_record_source *before = mm_store_result_source(store, run);
    bool there = stat(run, &file) == 0;
    if (changed != NULL)
        *changed = false;
    if (!there && errno != ENOENT && errno != ENOTDIR)
        return mm_fail(error, mm_disk_status(errno, MM_ERROR_INPUT), "%s: cannot be read: %s", run,
                       strerror(errno));
    if (!there || (before != NULL && same_file(&before->file, &file)))
        return MM_OK; /* a file that was removed is still open, and its chains are not lost */
    size_t before_at = before == NULL ? SIZE_MAX : (size_t)(before - store->sources);
    size_t p = mm_store_new_source(store, &mm_result_file, run, run);
    if (p == SIZE_MAX)
        return mm_fail(error, MM_ERROR_MEMORY, "%s: out of memory", run);
    if (before_at != SIZE_MAX)
        store->sources[before_at].superseded = true;
    mm_status status = open_result(store, p, &file, error);
    if (status == MM_OK)
        status = scan_rows(store, p, error);
    if (status != MM_OK) {
        store->sources[p].superseded = true;
        return status;
    }
    store->sources[p].seconds = mm_result_reader_description(store->sources[p].result.reader)->seconds;
    if (changed != NULL)
        *changed = true;
    return MM_OK;
}

/* ------------------------------------------------------------------------------------------ journals */

/* Reads records [first, first + count) of a journal; false and errno. */
static bool read_journal(const struct mm_record_source *source, size_t record_size, int64_t first, int64_t count,
                         unsigned char *records)
{
    size_t left = (size_t)count * record_size;
    off_t at = source->journal.first + first * (off_t)record_size;
    while (left > 0) {
        ssize_t size = pread(source->journal.descriptor, records, left, at);
        if (size == 0)
            errno = ENODATA;
        if (size == 0 || (size < 0 && errno != EINTR))
            return false;
        records += size > 0 ? size : 0;
        left -= size > 0 ? (size_t)size : 0;
        at += size > 0 ? size : 0;
    }
    return true;
}

/* Whole records of a journal now. */
static int64_t journal_records(const struct mm_store *store, const struct mm_record_source *source)
{
    struct stat file;
    if (fstat(source->journal.descriptor, &file) != 0 || file.st_size < source->journal.first)
        return 0;
    return (file.st_size - source->journal.first) / (int64_t)store->index.record_size;
}

/* What was found in a journal so far. */
struct found {
    struct damaged damaged;
    struct damaged settled; /* damaged records that a sound one follows */
    int64_t sound_end;      /* end of the last sound record */
};

/* Takes records [first, first + count) of a journal. */
static mm_status take_records(struct mm_store *store, size_t p, int64_t first, int64_t count,
                              const unsigned char *block, struct found *found, struct mm_error *error)
{
    for (int64_t i = 0; i < count; i++) {
        bool sound = false;
        mm_status status =
            mm_store_take(store, p, first + i, block + (size_t)i * store->index.record_size, &sound, error);
        if (status != MM_OK)
            return status;
        if (!sound) {
            add_damaged(&found->damaged, first + i);
            continue;
        }
        found->sound_end = first + i + 1;
        found->settled = found->damaged;
    }
    return MM_OK;
}

/* Takes the records of a journal from `scanned` on. Damaged ones at the end of a living process's journal may be on
 * their way to this machine still: they are looked at again next time. */
static mm_status scan_journal(struct mm_store *store, size_t p, unsigned char *block, struct mm_error *error)
{
    struct mm_record_source *source = &store->sources[p]; /* taking records adds no sources */
    struct found found = {.sound_end = source->journal.scanned};
    int64_t records = journal_records(store, source);
    int64_t step = (int64_t)block_records(store);
    for (int64_t first = source->journal.scanned; first < records; first += step) {
        int64_t count = records - first < step ? records - first : step;
        bool readable = read_journal(source, store->index.record_size, first, count, block);
        if (!readable && (!source->journal.listed || errno == ENODATA))
            break; /* cut or removed meanwhile: what it held is in the result file */
        if (!readable)
            return mm_fail(error, MM_ERROR_SYSTEM, "%s: cannot be read: %s", source->path, strerror(errno));
        mm_status status = take_records(store, p, first, count, block, &found, error);
        if (status != MM_OK)
            return status;
    }
    source->journal.scanned = source->journal.alive ? found.sound_end : records;
    return settle_damaged(store, source->path, "record", source->journal.alive ? &found.settled : &found.damaged,
                          error);
}

/* Takes what the journals of a run hold and was not looked at yet. */
static mm_status scan_journals(struct mm_store *store, const char *run, struct mm_error *error)
{
    unsigned char *block = allocate_block(store, error);
    mm_status status = block == NULL ? MM_ERROR_MEMORY : MM_OK;
    for (size_t p = MM_FIRST_OTHER_SOURCE; p < store->source_count && status == MM_OK; p++)
        if (store->sources[p].kind == &mm_other_journal && store->sources[p].run == run)
            status = scan_journal(store, p, block, error);
    free(block);
    return status;
}

/* --------------------------------------------------------------------------------------------- a run */

/* Whether a journal has to be read from its beginning: it was cut since, or somebody has folded and so may have. */
static bool is_to_rewind(const struct mm_store *store, const struct mm_record_source *source, bool folded)
{
    return source->journal.scanned > 0 && (folded || source->journal.scanned > journal_records(store, source));
}

/* Forgets what lies in such journals of a run, which are then scanned again. */
static void rewind_journals(struct mm_store *store, const char *run, bool folded)
{
    bool superseded = false;
    for (size_t p = MM_FIRST_OTHER_SOURCE; p < store->source_count; p++) {
        struct mm_record_source *source = &store->sources[p];
        if (source->kind != &mm_other_journal || source->run != run || !is_to_rewind(store, source, folded))
            continue;
        source->journal.scanned = 0;
        source->superseded = true;
        superseded = true;
    }
    if (!superseded)
        return;
    mm_store_forget_superseded(store);
    for (size_t p = MM_FIRST_OTHER_SOURCE; p < store->source_count; p++)
        if (store->sources[p].kind == &mm_other_journal)
            store->sources[p].superseded = false;
}

mm_status mm_store_read_run(struct mm_store *store, const char *run, bool lock, struct mm_error *error)
{
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        bool changed = false;
        mm_status status = mm_store_load_file(store, run, &changed, error);
        if (attempt > 0 && !changed && status == MM_OK)
            return MM_OK;
        if (status == MM_OK)
            status = mm_store_list_journals(store, run, lock, error);
        if (status == MM_OK)
            status = mm_store_admit_journals(store, run, error);
        if (status != MM_OK)
            return status;
        rewind_journals(store, run, changed);
        status = scan_journals(store, run, error);
        if (status != MM_OK)
            return status;
        mm_store_sweep(store);
        if (lock)
            return MM_OK;
    }
    return mm_fail(error, MM_ERROR_INPUT, "%s: is replaced faster than it can be read", run);
}
