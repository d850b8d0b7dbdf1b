/* commit.c - takes the ends of chains, and commits them to this process's journal in groups. A disk that
 * fails is borne with for some time. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "store/sources.h"

static const double commit_every = 1; /* seconds between commits, and between attempts after a failure */
enum { PENDING_BYTES = 8 << 20 };

/* ----------------------------------------------------------------------------------------- appending */

static bool make_room(struct mm_store *store)
{
    if (store->pending_count < store->pending_room)
        return true;
    size_t room = store->pending_room == 0 ? 64 : 2 * store->pending_room;
    unsigned char *pending = realloc(store->pending, room * store->index.record_size);
    if (pending == NULL)
        return false;
    store->pending = pending;
    store->pending_room = room;
    return true;
}

mm_status mm_store_append(struct mm_store *store, int64_t index, const struct mm_chain *chain,
                          struct mm_error *error)
{
    bool sound = false;
    if (!make_room(store))
        return mm_fail(error, MM_ERROR_MEMORY, "%s: out of memory for finished chains", store->path);
    size_t row = store->pending_count;
    unsigned char *record = store->pending + row * store->index.record_size;
    mm_chain_record_pack(store->index.fingerprint, store->config.batch_count, index, chain, record);
    bool kept = index >= 0 && index < store->index.chain_count && mm_store_source_of(store, index) != NULL;
    mm_status status = mm_store_take(store, MM_PENDING_SOURCE, (int64_t)row, record, &sound, error);
    if (status != MM_OK)
        return status;
    if (!sound)
        return mm_fail(error, MM_ERROR_INPUT, "chain %lld is not a finished chain of %s", (long long)index,
                       store->path);
    store->pending_count += !kept; /* another task may have had it before */
    return MM_OK;
}

/* Commits what is pending to this process's journal now. */
static mm_status commit(struct mm_store *store, struct mm_error *error)
{
    if (store->pending_count == 0)
        return MM_OK;
    store->last_commit = mm_monotonic_seconds();
    int64_t committed = mm_journal_committed(store->journal);
    mm_status status = mm_journal_commit(store->journal, store->pending_count, store->pending, error);
    if (status != MM_OK)
        return status;
    for (size_t i = 0; i < store->pending_count; i++) {
        int64_t index = mm_chain_record_check(store->index.fingerprint, &store->config,
                                              store->pending + i * store->index.record_size);
        const struct mm_record_source *source = index < 0 ? NULL : mm_store_source_of(store, index);
        if (source != NULL && source->kind == &mm_pending_records)
            mm_index_locate(&store->index, index, (struct mm_place){MM_OWN_SOURCE, committed + (int64_t)i});
    }
    store->pending_count = 0;
    return MM_OK;
}

/* ------------------------------------------------------------------------------------- failing disks */

/* Failures that time may cure. */
static bool may_pass(mm_status status)
{
    return status == MM_ERROR_SYSTEM || status == MM_ERROR_OUTPUT || status == MM_ERROR_HDF5;
}

/* ------------------------------------------------------------------------------------------- settling */

/* Seconds until the result file is old enough for the next fold: one of many tasks folds for all of them. */
static double fold_due_in(const struct mm_store *store)
{
    struct stat file;
    struct timespec now;
    if (stat(store->path, &file) != 0 || clock_gettime(CLOCK_REALTIME, &now) != 0)
        return 0;
    double age = (double)(now.tv_sec - file.st_mtim.tv_sec) + 1e-9 * (double)(now.tv_nsec - file.st_mtim.tv_nsec);
    return age < 0 ? 0 : store->options.fold_every - age; /* a clock that is ahead must not keep us from it */
}

/* Folds if it is time to. A failure costs nothing but the fold: the journals hold everything. */
static mm_status fold_if_due(struct mm_store *store, struct mm_error *error)
{
    struct mm_error failure = {0};
    double now = mm_monotonic_seconds();
    bool done = false;
    if (now < store->next_fold)
        return MM_OK;
    double wait = fold_due_in(store);
    store->next_fold = now + (wait > 0 ? wait : store->options.fold_every);
    if (wait > 0)
        return MM_OK;
    mm_status status = mm_store_fold(store, 0, &done, &failure);
    if (status == MM_OK || !may_pass(status))
        return status == MM_OK ? MM_OK : mm_fail(error, status, "%s", failure.message);
    mm_store_report(store, "%s; the result file is brought up to date later, the journals hold everything",
                    failure.message);
    return MM_OK;
}

/* Commits are a second apart, unless very many chains end in that time: they must not fill the memory. */
static bool commit_is_due(const struct mm_store *store)
{
    bool many = store->retry.failing_since < 0 && store->pending_count * store->index.record_size > PENDING_BYTES;
    return store->pending_count > 0 && (many || mm_monotonic_seconds() - store->last_commit >= commit_every);
}

mm_status mm_store_maintain(struct mm_store *store, struct mm_error *error)
{
    struct mm_error failure = {0};
    if (commit_is_due(store)) {
        mm_status status = commit(store, &failure);
        if (status != MM_OK && !may_pass(status))
            return mm_fail(error, status, "%s", failure.message);
        if (status != MM_OK)
            status = mm_retry_after(&store->retry, &failure, error);
        else
            mm_retry_succeeded(&store->retry);
        if (status != MM_OK)
            return status;
    }
    return store->retry.failing_since < 0 ? fold_if_due(store, error) : MM_OK;
}

mm_status mm_store_refresh(struct mm_store *store, struct mm_error *error)
{
    struct mm_error failure = {0};
    mm_status status = mm_store_read_run(store, store->path, false, &failure);
    if (status == MM_OK || !may_pass(status))
        return status == MM_OK ? MM_OK : mm_fail(error, status, "%s", failure.message);
    mm_store_report(store, "%s; what other tasks have finished is looked up later", failure.message);
    return MM_OK;
}

/* ------------------------------------------------------------------------------------------ finishing */

/* Commits and folds once. Folding saves what could not be committed, too. */
static mm_status save(void *context, struct mm_error *error)
{
    struct mm_store *store = context;
    struct mm_error commit_error = {0};
    bool done = false;
    mm_status committed = commit(store, &commit_error);
    mm_status status = mm_store_fold(store, store->options.patience, &done, error);
    if (status != MM_OK || done)
        return status;
    if (committed != MM_OK)
        return mm_fail(error, committed, "%s", commit_error.message);
    return mm_fail(
        error, MM_ERROR_STORAGE,
        "%s: another process holds its lock; the finished chains are safe in %s, and the next process folds "
        "them",
        store->path, mm_journal_path(store->journal));
}

mm_status mm_store_finish(struct mm_store *store, struct mm_error *error)
{
    mm_status status = mm_retry_until_done(&store->retry, save, store, may_pass, error);
    if (status != MM_OK)
        return status;
    mm_journal_close(store->journal, true);
    store->journal = NULL;
    return MM_OK;
}
