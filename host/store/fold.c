/* fold.c - brings the result file up to date with the journals, and removes those that it makes needless.
 *
 * Order: the result file is written under a temporary name, synced, renamed, its directory synced; it is read back
 * and counted; only then dead journals are removed and this process's own is cleared. Whatever ends the process in
 * between, every record lies in the one or the other. Journals of living processes stay: they clear them
 * themselves.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "disk/files_beside.h"
#include "store/journal.h"
#include "disk/output_file.h"
#include "files/search/check.h"
#include "files/search/file.h"
#include "disk/run_lock.h"
#include "store/sources.h"
#include "store/task_share.h"
#include "base/utc_time.h"

static const double wait_when_stopped = 3; /* seconds to wait for the run's lock */

/* ------------------------------------------------------------------------------------------- the source */

static bool source_has(const void *context, int64_t index)
{
    return mm_index_wants(&((const struct mm_store *)context)->index, index);
}

static double source_loss(const void *context, int64_t index)
{
    return mm_store_loss(context, index);
}

static mm_status source_read(void *context, size_t count, const int64_t *indices, unsigned char *records,
                             struct mm_error *error)
{
    return mm_store_read_records(context, count, indices, records, error);
}

/* Computing time of this process that the result file does not tell yet. */
static double own_seconds(const struct mm_store *store)
{
    return store->journal == NULL ? 0 : mm_monotonic_seconds() - store->counted_until;
}

struct mm_chain_source mm_store_source(struct mm_store *store)
{
    struct mm_chain_source source = {
        .context = store,
        .config = &store->config,
        .seconds = own_seconds(store),
        .has = source_has,
        .loss = source_loss,
        .read = source_read,
    };
    snprintf(source.backend, sizeof source.backend, "%s", store->backend);
    snprintf(source.device, sizeof source.device, "%s", store->device);
    for (size_t p = MM_FIRST_OTHER_SOURCE; p < store->source_count; p++)
        source.seconds += store->sources[p].superseded ? 0 : store->sources[p].seconds;
    return source;
}

/* --------------------------------------------------------------------------------------------- writing */

/* Whether a chain that belongs in the result lies elsewhere: anywhere, or in the journal of a dead process. */
static bool is_behind(const struct mm_store *store, bool the_dead_only)
{
    for (int64_t i = 0; i < store->index.chain_count; i++) {
        const struct mm_record_source *source = mm_store_source_of(store, i);
        bool elsewhere =
            source != NULL && (the_dead_only ? source->kind == &mm_other_journal && !source->journal.alive
                                             : source->kind != &mm_result_file);
        if (elsewhere && mm_index_wants(&store->index, i))
            return true;
    }
    return false;
}

/* Command line of the run that others fold for: that in its result file, else in one of its journals; NULL if the
 * run is this process's own. */
static const char *command_of_others(const struct mm_store *store)
{
    const struct mm_record_source *file = mm_store_result_source(store, store->path);
    if (store->journal != NULL)
        return NULL;
    if (file != NULL)
        return mm_result_reader_description(file->result.reader)->command_line;
    for (size_t i = 0; i < store->other_journals; i++)
        if (mm_store_is_of_this_run(store, &store->journals[i]))
            return store->journals[i].header.command_line;
    return NULL;
}

static mm_status write_file(struct mm_store *store, bool replace, struct mm_error *error)
{
    char end_time[MM_UTC_SIZE];
    struct mm_run_info info = *store->options.info;
    struct mm_chain_source source = mm_store_source(store);
    const char *command_line = command_of_others(store);
    if (command_line != NULL)
        info.command_line = command_line;
    mm_format_utc(time(NULL), end_time);
    if (info.end_time == NULL)
        info.end_time = end_time;
    return mm_result_file_write_source(store->path, &source, &info, replace, error);
}

/* Reads the new file back. */
static mm_status check_written(struct mm_store *store, int64_t wanted, struct mm_error *error)
{
    bool changed = false;
    mm_status status = mm_store_load_file(store, store->path, &changed, error);
    const struct mm_record_source *source = mm_store_result_source(store, store->path);
    if (status != MM_OK || (source != NULL && source->result.sound == wanted))
        return status;
    return mm_fail(error, MM_ERROR_SYSTEM, "%s: %lld chains were written, but %lld can be read back", store->path,
                   (long long)wanted, (long long)(source == NULL ? 0 : source->result.sound));
}

/* Who wrote the result file may have been killed before its name was durable: it must be before journals go. */
static mm_status sync_name(const struct mm_store *store, struct mm_error *error)
{
    const char *slash = strrchr(store->path, '/');
    char *directory = slash == NULL ? strdup(".") : strndup(store->path, (size_t)(slash + 1 - store->path));
    bool synced = directory != NULL && mm_sync_directory(directory);
    int reason = directory == NULL ? ENOMEM : errno;
    free(directory);
    return synced ? MM_OK
                  : mm_fail(error, MM_ERROR_SYSTEM, "%s: cannot be synced: %s", store->path, strerror(reason));
}

/* ------------------------------------------------------------------------------------------- journals */

/* Removes a journal, unless its name is another file's by now. */
static void remove_journal(const struct mm_store *store, const struct mm_record_source *source)
{
    struct stat named;
    bool its_name = lstat(source->path, &named) == 0 && named.st_dev == source->file.st_dev &&
                    named.st_ino == source->file.st_ino;
    if (its_name && unlink(source->path) != 0 && errno != ENOENT)
        mm_store_report(store, "%s: is in the result file now and cannot be removed: %s", source->path,
                        strerror(errno));
}

/* Removes, clears and forgets what the result file holds. */
static void retire_journals(struct mm_store *store)
{
    struct mm_error error = {0};
    for (size_t p = MM_FIRST_OTHER_SOURCE; p < store->source_count; p++) {
        struct mm_record_source *source = &store->sources[p];
        if (source->kind != &mm_other_journal || source->journal.alive || source->run != store->path)
            continue;
        remove_journal(store, source);
        source->superseded = true;
    }
    if (store->journal != NULL) {
        store->pending_count = 0;
        store->sources[MM_PENDING_SOURCE].superseded = true;
        if (mm_journal_committed(store->journal) > 0 && mm_journal_clear(store->journal, &error) != MM_OK)
            mm_store_report(store, "%s", error.message); /* its records are in the file twice: no harm */
        store->sources[MM_OWN_SOURCE].superseded = true;
    }
    mm_store_sweep(store);
}

/* Writes the result file and reads it back. */
static mm_status write_and_check(struct mm_store *store, bool replace, struct mm_error *error)
{
    double now = mm_monotonic_seconds();
    int64_t wanted = mm_index_wanted(&store->index);
    mm_status status = write_file(store, replace, error);
    if (status == MM_OK)
        status = check_written(store, wanted, error);
    if (status != MM_OK)
        return status;
    store->written = true;
    store->counted_until = now;
    mm_store_sweep(store);
    return MM_OK;
}

mm_status mm_store_check_file(struct mm_store *store, bool *sound, struct mm_error *fault, struct mm_error *error)
{
    const struct mm_record_source *file = mm_store_result_source(store, store->path);
    struct mm_chain_source source = mm_store_source(store);
    *sound = true;
    if (file == NULL || file->result.sound != file->result.rows ||
        file->result.rows != mm_index_wanted(&store->index) || is_behind(store, false))
        return MM_OK; /* it will be written when these chains are in it */
    return mm_result_file_check(store->path, &source, sound, fault, error);
}

/* Finds out whether the result file, which lacks no chain, is to be written again all the same, and says why. */
static mm_status look_for_damage(struct mm_store *store, bool *damaged, struct mm_error *error)
{
    struct mm_error fault = {0};
    bool sound = true;
    mm_status status = mm_store_check_file(store, &sound, &fault, error);
    *damaged = status == MM_OK && !sound;
    if (*damaged)
        mm_store_report(store, "%s; its chains are sound: the file is written again from them", fault.message);
    return status;
}

mm_status mm_store_write(struct mm_store *store, enum mm_store_write_rule need, bool replace,
                         struct mm_error *error)
{
    const struct mm_record_source *file = mm_store_result_source(store, store->path);
    bool there = file != NULL && access(store->path, F_OK) == 0;
    bool needed = !there || need == MM_WRITE_ALWAYS || is_behind(store, need == MM_WRITE_IF_ORPHANED);
    mm_status status = needed ? MM_OK : look_for_damage(store, &needed, error);
    if (status == MM_OK)
        status = needed ? write_and_check(store, there || replace, error) : sync_name(store, error);
    if (status == MM_OK)
        retire_journals(store);
    return status;
}

void mm_store_unlock_journals(const struct mm_store *store)
{
    for (size_t p = MM_FIRST_OTHER_SOURCE; p < store->source_count; p++) {
        const struct mm_record_source *source = &store->sources[p];
        if (source->kind == &mm_other_journal && !source->journal.alive)
            flock(source->journal.descriptor, LOCK_UN); /* cannot fail on an open file */
    }
    for (size_t i = 0; i < store->journal_count; i++)
        if (store->journals[i].descriptor >= 0 && !store->journals[i].alive)
            flock(store->journals[i].descriptor, LOCK_UN);
}

void mm_store_remove_unfinished(const char *path)
{
    char **paths = NULL;
    size_t count = 0;
    char *hidden = mm_journal_hidden(path);
    bool listed = hidden != NULL && mm_files_beside(hidden, MM_UNFINISHED_MIDDLE, &paths, &count, NULL) == MM_OK;
    for (size_t i = 0; listed && i < count; i++)
        unlink(paths[i]); /* if this fails, it is tried again at the next fold */
    if (listed)
        mm_files_beside_free(paths, count);
    free(hidden);
}

void mm_store_tidy(const char *path)
{
    struct mm_run_lock lock = {0};
    bool taken = false;
    if (mm_run_lock_take(&lock, path, 0, NULL, &taken, NULL) != MM_OK || !taken)
        return;
    mm_store_remove_unfinished(path);
    (void)mm_task_share_remove(path, NULL); /* what cannot be removed harms nobody */
    mm_run_lock_release(&lock);
}

mm_status mm_store_fold(struct mm_store *store, double wait_seconds, bool *done, struct mm_error *error)
{
    struct mm_run_lock lock = {0};
    const volatile int *stop = store->options.stop;
    if (stop != NULL && *stop != 0) { /* asked to stop before: still give a fold the time it takes */
        stop = NULL;
        wait_seconds = fmin(wait_seconds, wait_when_stopped);
    }
    mm_status status = mm_run_lock_take(&lock, store->path, wait_seconds, stop, done, error);
    if (status != MM_OK || !*done)
        return status;
    mm_store_remove_unfinished(store->path);
    status = mm_store_read_run(store, store->path, true, error);
    if (status == MM_OK)
        status = mm_store_write(store, MM_WRITE_IF_BEHIND, false, error);
    mm_store_unlock_journals(store);
    mm_run_lock_release(&lock);
    return status;
}
