/* journals.c - which journals lie beside a result file, and whose they are. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "store/sources.h"

/* The part of a journal that is open already, or a new one; SIZE_MAX if there is no memory. */
static size_t journal_source(struct mm_store *store, const char *path, const char *run, const struct stat *file)
{
    for (size_t p = MM_FIRST_OTHER_SOURCE; p < store->source_count; p++) {
        const struct mm_record_source *source = &store->sources[p];
        if (source->kind == &mm_other_journal && source->file.st_dev == file->st_dev &&
            source->file.st_ino == file->st_ino)
            return p;
    }
    return mm_store_new_source(store, &mm_other_journal, path, run);
}

/* Computing time of a dead process since the result file was written last, by whomever. */
static double uncounted_seconds(const struct mm_store *store, const char *run,
                                const struct mm_journal_file *journal)
{
    const struct mm_record_source *result = mm_store_result_source(store, run);
    int64_t since = journal->header.start_time;
    if (result != NULL && result->file.st_mtim.tv_sec > since)
        since = result->file.st_mtim.tv_sec;
    bool counts = !journal->alive && journal->records > 0 && journal->commit_time > since;
    return counts ? (double)(journal->commit_time - since) : 0;
}

/* Opens a journal of this run, or what is new of it. Takes its descriptor. */
static mm_status admit_journal(struct mm_store *store, const char *run, struct mm_journal_file *journal,
                               struct mm_error *error)
{
    struct stat file;
    if (fstat(journal->descriptor, &file) != 0)
        return mm_fail(error, MM_ERROR_SYSTEM, "%s: cannot be read: %s", journal->path, strerror(errno));
    size_t p = journal_source(store, journal->path, run, &file);
    if (p == SIZE_MAX)
        return mm_fail(error, MM_ERROR_MEMORY, "%s: out of memory", journal->path);
    struct mm_record_source *source = &store->sources[p];
    if (source->journal.descriptor >= 0)
        close(source->journal.descriptor);
    source->file = file;
    source->journal.descriptor = journal->descriptor;
    journal->descriptor = -1;
    source->journal.first = journal->first;
    source->journal.alive = journal->alive;
    source->journal.listed = true;
    source->seconds = uncounted_seconds(store, run, journal);
    if (journal->alive || journal->torn_bytes == 0)
        return MM_OK;
    const struct mm_store_damage torn = {.path = journal->path, .torn_bytes = journal->torn_bytes};
    return mm_store_add_damage(store, torn, error,
                               "%s: the %lld bytes of an incomplete record at its end are left out", journal->path,
                               (long long)journal->torn_bytes);
}

/* Moves this process's own journal to the end of the list, out of sight. */
static void set_own_apart(struct mm_store *store)
{
    store->other_journals = store->journal_count;
    if (store->journal == NULL)
        return;
    const char *own = strrchr(mm_journal_path(store->journal), '/');
    own = own == NULL ? mm_journal_path(store->journal) : own + 1;
    for (size_t i = 0; i < store->journal_count; i++) {
        struct mm_journal_file journal = store->journals[i];
        const char *name = strrchr(journal.path, '/');
        if (strcmp(name == NULL ? journal.path : name + 1, own) != 0)
            continue;
        size_t after = store->journal_count - i - 1;
        memmove(&store->journals[i], &store->journals[i + 1], after * sizeof *store->journals);
        store->journals[store->journal_count - 1] = journal;
        store->other_journals--;
        return;
    }
}

mm_status mm_store_list_journals(struct mm_store *store, const char *run, bool lock, struct mm_error *error)
{
    mm_journal_list_free(store->journals, store->journal_count); /* first: it may hold locks */
    store->journals = NULL;
    store->journal_count = 0;
    store->other_journals = 0;
    mm_status status = mm_journal_list(run, lock, &store->journals, &store->journal_count, error);
    if (status == MM_OK)
        set_own_apart(store);
    return status;
}

mm_status mm_store_admit_journals(struct mm_store *store, const char *run, struct mm_error *error)
{
    mm_status status = MM_OK;
    for (size_t p = MM_FIRST_OTHER_SOURCE; p < store->source_count; p++) {
        struct mm_record_source *source = &store->sources[p];
        if (source->kind != &mm_other_journal || source->run != run)
            continue;
        source->journal.listed = false;
        source->seconds = 0;
    }
    for (size_t i = 0; i < store->other_journals && status == MM_OK; i++) {
        struct mm_journal_file *journal = &store->journals[i];
        const struct mm_store_damage damage = {.path = journal->path, .header = true};
        if (!journal->readable)
            status = mm_store_add_damage(store, damage, error,
                                         "%s: both copies of its header are damaged; it is left as it is",
                                         journal->path);
        else if (mm_store_is_of_this_run(store, journal))
            status = admit_journal(store, run, journal, error);
    }
    return status;
}
