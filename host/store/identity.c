/* identity.c - whether the files of a run are of one and the same run. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files/hdf5/read.h"
#include "files/search/reader.h"
#include "store/inside.h"

bool mm_store_is_of_this_run(const struct mm_store *store, const struct mm_journal_file *journal)
{
    return journal->readable && journal->header.fingerprint == store->index.fingerprint &&
           journal->record_size == store->index.record_size;
}

static mm_status refuse_foreign(const struct mm_store *store, const struct mm_journal_file *journal,
                                struct mm_error *error)
{
    mm_status status =
        mm_run_check_configuration(journal->path, journal->header.configuration, store->config.text, error);
    if (status != MM_OK)
        return status;
    return mm_fail(error, MM_ERROR_INPUT,
                   "%s: was written by another version of the program, whose numbers differ from this one's",
                   journal->path);
}

static mm_status check_journal(struct mm_store *store, const struct mm_journal_file *journal,
                               struct mm_error *error)
{
    if (!journal->readable)
        return MM_OK; /* reported, and left as it is */
    if (!mm_store_is_of_this_run(store, journal))
        return refuse_foreign(store, journal, error);
    if (!journal->alive && journal->records == 0)
        return MM_OK;
    if (store->backend[0] == '\0') {
        snprintf(store->backend, sizeof store->backend, "%s", journal->header.backend);
        snprintf(store->device, sizeof store->device, "%s", journal->header.device);
    }
    if (strcmp(store->backend, journal->header.backend) != 0)
        return mm_fail(error, MM_ERROR_INPUT, "%s: was computed by backend '%s', so '%s' cannot go on with it",
                       journal->path, journal->header.backend, store->backend);
    return MM_OK;
}

mm_status mm_store_check_journals(struct mm_store *store, struct mm_error *error)
{
    mm_status status = MM_OK;
    for (size_t i = 0; i < store->other_journals && status == MM_OK; i++)
        status = check_journal(store, &store->journals[i], error);
    return status;
}

/* ------------------------------------------------------------------------------------- configuration */

/* Text of the first journal that can be read, NULL if there is none. */
static mm_status find_in_journals(const char *path, char **text, struct mm_error *error)
{
    struct mm_journal_file *journals = NULL;
    size_t count = 0;
    mm_status status = mm_journal_list(path, false, &journals, &count, error);
    if (status != MM_OK)
        return status;
    *text = NULL;
    for (size_t i = 0; i < count && *text == NULL && status == MM_OK; i++) {
        if (!journals[i].readable)
            continue;
        *text = strdup(journals[i].header.configuration);
        if (*text == NULL)
            status = mm_fail(error, MM_ERROR_MEMORY, "%s: out of memory", path);
    }
    mm_journal_list_free(journals, count);
    return status;
}

mm_status mm_store_find_configuration(const char *path, char **text, struct mm_error *error)
{
    struct mm_result_reader *reader = NULL;
    mm_status status = MM_OK;
    *text = NULL;
    if (access(path, F_OK) != 0) {
        int reason = errno;
        status = find_in_journals(path, text, error);
        if (status != MM_OK || *text != NULL)
            return status;
        return mm_fail(error, mm_disk_status(reason, MM_ERROR_INPUT), "%s: cannot be read: %s", path,
                       strerror(reason));
    }
    status = mm_result_reader_open(&reader, path, error);
    if (status != MM_OK)
        return status;
    *text = strdup(mm_result_reader_description(reader)->configuration);
    mm_result_reader_close(reader);
    return *text != NULL ? MM_OK : mm_fail(error, MM_ERROR_MEMORY, "%s: out of memory", path);
}

/* ------------------------------------------------------------------------------------------- backend */

/* Backend of the first journal of this run that counts. */
static mm_status find_backend_in_journals(const char *path, uint64_t fingerprint, char backend[16],
                                          struct mm_error *error)
{
    struct mm_journal_file *journals = NULL;
    size_t count = 0;
    mm_status status = mm_journal_list(path, false, &journals, &count, error);
    for (size_t i = 0; i < count && backend[0] == '\0'; i++) {
        const struct mm_journal_file *journal = &journals[i];
        if (journal->readable && journal->header.fingerprint == fingerprint &&
            (journal->alive || journal->records > 0))
            snprintf(backend, sizeof journal->header.backend, "%s", journal->header.backend);
    }
    mm_journal_list_free(journals, count);
    return status;
}

mm_status mm_store_backend(const char *path, const struct mm_config *config, char backend[16],
                           struct mm_error *error)
{
    struct mm_result_reader *reader = NULL;
    mm_status status = MM_OK;
    backend[0] = '\0';
    if (access(path, F_OK) == 0) {
        status = mm_result_reader_open(&reader, path, error);
        if (status != MM_OK)
            return status;
        const struct mm_result_description *description = mm_result_reader_description(reader);
        status = mm_run_check_configuration(path, description->configuration, config->text, error);
        if (status == MM_OK && mm_result_reader_rows(reader) > 0)
            snprintf(backend, sizeof description->backend, "%s", description->backend);
        mm_result_reader_close(reader);
    }
    return status == MM_OK ? find_backend_in_journals(path, mm_run_fingerprint(config), backend, error) : status;
}
