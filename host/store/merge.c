/* merge.c - folds what a run has committed, and joins the parts of a run, without computing anything. */
#include <stdlib.h>

#include "chain/agreement.h"
#include "disk/run_lock.h"
#include "store/inside.h"

static const double lock_wait = 60; /* seconds to wait for others who fold */

/* A store for the run at `path` that computes nothing. */
static mm_status open_idle(struct mm_store **store, const char *path, const char *run,
                           const struct mm_run_info *info, void (*report)(void *context, const char *line),
                           void *report_context, struct mm_error *error)
{
    char *configuration = NULL;
    mm_status status = mm_store_find_configuration(run, &configuration, error);
    if (status == MM_OK)
        status = mm_store_create(store, path, configuration, error);
    free(configuration);
    if (status != MM_OK)
        return status;
    (*store)->options.info = info;
    (*store)->options.report = report;
    (*store)->options.report_context = report_context;
    return MM_OK;
}

/* Takes the lock of the store's run, or fails. */
static mm_status lock_run(struct mm_run_lock *lock, const struct mm_store *store, struct mm_error *error)
{
    bool taken = false;
    mm_status status = mm_run_lock_take(lock, store->path, lock_wait, NULL, &taken, error);
    if (status != MM_OK || taken)
        return status;
    return mm_fail(error, MM_ERROR_OUTPUT, "%s: another process holds its lock %s.lock all the time", store->path,
                   store->path);
}

mm_status mm_store_fold_run(const char *path, const struct mm_run_info *info,
                            void (*report)(void *context, const char *line), void *report_context, bool *written,
                            struct mm_error *error)
{
    struct mm_run_lock lock = {0};
    struct mm_store *store = NULL;
    mm_status status = open_idle(&store, path, path, info, report, report_context, error);
    if (status != MM_OK)
        return status;
    status = lock_run(&lock, store, error);
    if (status == MM_OK)
        mm_store_remove_unfinished(store->path);
    if (status == MM_OK)
        status = mm_store_list_journals(store, store->path, false, error);
    if (status == MM_OK)
        status = mm_store_check_journals(store, error);
    if (status == MM_OK)
        status = mm_store_read_run(store, store->path, true, error);
    if (status == MM_OK)
        status = mm_store_write(store, MM_WRITE_IF_BEHIND, false, error);
    if (status == MM_OK && written != NULL)
        *written = store->written;
    mm_store_unlock_journals(store);
    mm_run_lock_release(&lock);
    mm_store_close(store);
    return status;
}

/* Reads one part. */
static mm_status read_part(struct mm_store *store, const char *part, struct mm_error *error)
{
    char *configuration = NULL;
    mm_status status = mm_store_find_configuration(part, &configuration, error);
    if (status == MM_OK)
        status = mm_run_check_configuration(part, configuration, store->config.text, error);
    free(configuration);
    if (status == MM_OK)
        status = mm_store_list_journals(store, part, false, error);
    if (status == MM_OK)
        status = mm_store_check_journals(store, error);
    if (status == MM_OK)
        status = mm_store_read_run(store, part, false, error);
    return status;
}

/* Writes the output, which must not be that of a run which goes on. */
static mm_status write_output(struct mm_store *store, bool replace, struct mm_error *error)
{
    struct mm_run_lock lock = {0};
    mm_status status = lock_run(&lock, store, error);
    if (status == MM_OK)
        status = mm_store_list_journals(store, store->path, false, error);
    if (status == MM_OK && store->other_journals > 0)
        status = mm_fail(error, MM_ERROR_OUTPUT,
                         "%s: has journals of a run of its own beside it, such as %s; fold them first", store->path,
                         store->journals[0].path);
    if (status == MM_OK)
        status = mm_store_write(store, MM_WRITE_ALWAYS, replace, error);
    mm_run_lock_release(&lock);
    return status;
}

mm_status mm_store_merge(size_t count, const char *const *parts, const char *output, bool replace,
                         const struct mm_run_info *info, void (*report)(void *context, const char *line),
                         void *report_context, struct mm_merge_summary *summary, struct mm_error *error)
{
    struct mm_store *store = NULL;
    if (count == 0)
        return mm_fail(error, MM_ERROR_INPUT, "%s: there is nothing to merge", output);
    mm_status status = open_idle(&store, output, parts[0], info, report, report_context, error);
    for (size_t i = 0; i < count && status == MM_OK; i++)
        status = read_part(store, parts[i], error);
    struct mm_merge_summary found = {0};
    if (status == MM_OK) {
        found.chains = mm_index_wanted(&store->index);
        found.duplicates = store->duplicates;
        found.missing = mm_chains_missing(&store->config, store->index.losses);
        status = write_output(store, replace, error);
    }
    if (status == MM_OK && summary != NULL)
        *summary = found;
    mm_store_close(store);
    return status;
}
