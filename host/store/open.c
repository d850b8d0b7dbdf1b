/* open.c - opens the finished chains of a run, to go on with it or to look at it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "disk/output_file.h"
#include "disk/run_lock.h"
#include "store/sources.h"
#include "base/utc_time.h"

mm_status mm_store_read(struct mm_store *store, int64_t index, double *parameters, struct mm_chain *chain,
                        struct mm_error *error)
{
    unsigned char *record = malloc(store->index.record_size);
    if (record == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "%s: out of memory for a record", store->path);
    mm_status status = mm_store_read_records(store, 1, &index, record, error);
    if (status == MM_ERROR_SYSTEM && mm_store_refresh(store, error) == MM_OK)
        status = mm_store_read_records(store, 1, &index, record, error); /* it may have moved to the result file */
    if (status == MM_OK)
        mm_chain_record_unpack(store->config.batch_count, record, parameters, chain);
    free(record);
    return status;
}

/* ----------------------------------------------------------------------------- other processes' journals */

/* Whether a living process may work beside this one: on another task of the same run. */
static bool may_work_beside(const struct mm_store *store, const struct mm_journal_file *journal)
{
    const struct mm_task *mine = &store->options.task;
    const struct mm_task *its = &journal->header.task;
    return mm_store_is_of_this_run(store, journal) && !store->options.replace && mine->count > 1 &&
           its->count == mine->count && its->index != mine->index;
}

static mm_status refuse_process(const struct mm_store *store, const struct mm_journal_file *journal,
                                struct mm_error *error)
{
    const struct mm_journal_header *header = &journal->header;
    char since[MM_UTC_SIZE];
    if (!journal->readable)
        return mm_fail(error, MM_ERROR_OUTPUT,
                       "%s: another process works on it, but the header of its journal %s is damaged", store->path,
                       journal->path);
    mm_format_utc(header->start_time, since);
    return mm_fail(error, MM_ERROR_OUTPUT,
                   "%s: process %" PRId64 " on host %s works on it since %s (task %" PRId64 " of %" PRId64 "%s)",
                   store->path, header->process, header->host, since, header->task.index, header->task.count,
                   mm_store_is_of_this_run(store, journal) ? "" : ", another configuration or version");
}

static mm_status check_processes(const struct mm_store *store, struct mm_error *error)
{
    for (size_t i = 0; i < store->other_journals; i++)
        if (store->journals[i].alive && !may_work_beside(store, &store->journals[i]))
            return refuse_process(store, &store->journals[i], error);
    return MM_OK;
}

/* ---------------------------------------------------------------------------------------- registering */

static mm_status create_journal(struct mm_store *store, struct mm_error *error)
{
    const struct mm_store_options *options = &store->options;
    struct mm_journal_header header = {
        .fingerprint = store->index.fingerprint,
        .configuration = strdup(store->config.text),
        .command_line = strdup(options->info->command_line),
        .folder = getcwd(NULL, 0),
        .process = getpid(),
        .start_time = time(NULL),
        .task = options->task,
    };
    snprintf(header.host, sizeof header.host, "%s", options->info->host);
    snprintf(header.backend, sizeof header.backend, "%s", store->backend);
    snprintf(header.device, sizeof header.device, "%s", store->device);
    if (header.folder == NULL)
        header.folder = strdup(""); /* a working directory that was removed is nothing to fail for */
    mm_status status = MM_OK;
    if (header.configuration == NULL || header.command_line == NULL || header.folder == NULL)
        status = mm_fail(error, MM_ERROR_MEMORY, "%s: out of memory", store->path);
    if (status == MM_OK)
        status = mm_journal_create(&store->journal, store->path, &header, store->index.record_size, error);
    mm_journal_header_free(&header);
    return status;
}

/* Removes the journals of the dead, which nobody wants any more. */
static void remove_dead_journals(const struct mm_store *store)
{
    for (size_t i = 0; i < store->other_journals; i++) {
        const struct mm_journal_file *journal = &store->journals[i];
        if (!journal->alive && unlink(journal->path) != 0 && errno != ENOENT)
            mm_store_report(store, "%s: cannot be removed: %s", journal->path, strerror(errno));
    }
}

/* What has to happen under the run's lock: finds out who else is there, brings the result file up to date, and
 * makes this process known by its journal. */
static mm_status enter(struct mm_store *store, struct mm_error *error)
{
    bool replace = store->options.replace;
    mm_status status = mm_store_list_journals(store, store->path, replace, error);
    if (status == MM_OK)
        status = check_processes(store, error);
    if (status == MM_OK && !replace)
        status = mm_store_check_journals(store, error);
    if (status == MM_OK && !replace)
        status = mm_store_read_run(store, store->path, true, error);
    if (status == MM_OK)
        status = mm_store_write(store, replace ? MM_WRITE_ALWAYS : MM_WRITE_IF_ORPHANED, replace, error);
    if (status == MM_OK && replace)
        remove_dead_journals(store);
    if (status == MM_OK)
        status = create_journal(store, error);
    return status;
}

static mm_status enter_locked(struct mm_store *store, struct mm_error *error)
{
    struct mm_run_lock lock = {0};
    bool taken = false;
    mm_status status = mm_output_file_check(store->path, true, error);
    if (status == MM_OK && store->options.task.count > 1 && !store->options.replace)
        status =
            mm_store_read_run(store, store->path, false, error); /* so that many tasks wait for each other less */
    if (status == MM_OK)
        status = mm_run_lock_take(&lock, store->path, store->options.patience, store->options.stop, &taken, error);
    if (status != MM_OK)
        return status;
    if (!taken)
        return mm_fail(error, MM_ERROR_STORAGE, "%s: another process holds its lock %s.lock all the time",
                       store->path, store->path);
    mm_store_remove_unfinished(store->path);
    status = enter(store, error);
    mm_store_unlock_journals(store);
    mm_run_lock_release(&lock);
    return status;
}

mm_status mm_store_open(struct mm_store **store, const char *path, const struct mm_config *config,
                        const struct mm_store_options *options, struct mm_error *error)
{
    struct mm_store *opened = NULL;
    mm_status status = mm_store_create(&opened, path, config->text, error);
    if (status != MM_OK)
        return status;
    opened->options = *options;
    opened->retry = (struct mm_retry){
        .path = opened->path,
        .meanwhile = "finished chains are kept in memory",
        .seconds = options->patience,
        .stop = options->stop,
        .report = options->report,
        .report_context = options->report_context,
        .failing_since = -1,
    };
    snprintf(opened->backend, sizeof opened->backend, "%s", options->backend);
    snprintf(opened->device, sizeof opened->device, "%s", options->device);
    status = enter_locked(opened, error);
    if (status != MM_OK) {
        mm_store_close(opened);
        return status;
    }
    opened->options.replace = false; /* done */
    opened->counted_until = mm_monotonic_seconds();
    opened->next_fold = opened->counted_until + options->fold_every;
    *store = opened;
    return MM_OK;
}

/* -------------------------------------------------------------------------------------------- looking */

mm_status mm_store_view(struct mm_store **store, const char *path, struct mm_error *error)
{
    struct mm_store *opened = NULL;
    char *configuration = NULL;
    mm_status status = mm_store_find_configuration(path, &configuration, error);
    if (status == MM_OK)
        status = mm_store_create(&opened, path, configuration, error);
    free(configuration);
    if (status == MM_OK)
        status = mm_store_read_run(opened, opened->path, false, error);
    if (status == MM_OK)
        *store = opened;
    else
        mm_store_close(opened);
    return status;
}
