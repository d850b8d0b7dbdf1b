/* create.c - a store is made and released, and tells what it knows. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain/grid.h"
#include "chain/agreement.h"
#include "base/clock.h"
#include "chain/results.h"
#include "store/sources.h"

enum { LINE_SIZE = 1024 };

/* ----------------------------------------------------------------------------------- what it knows */

const struct mm_config *mm_store_config(const struct mm_store *store)
{
    return &store->config;
}

double mm_store_loss(const struct mm_store *store, int64_t index)
{
    return store->index.losses[index];
}

const double *mm_store_losses(const struct mm_store *store)
{
    return store->index.losses;
}

const struct mm_journal_file *mm_store_journals(const struct mm_store *store, size_t *count)
{
    *count = store->other_journals;
    return store->journals;
}

const struct mm_store_damage *mm_store_damage(const struct mm_store *store, size_t *count)
{
    *count = store->damage_count;
    return store->damages;
}

/* ------------------------------------------------------------------------------------- telling people */

static void report_line(const struct mm_store *store, const char *format, va_list arguments)
{
    char line[LINE_SIZE];
    if (store->options.report != NULL && vsnprintf(line, sizeof line, format, arguments) >= 0)
        store->options.report(store->options.report_context, line);
}

void mm_store_report(const struct mm_store *store, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    report_line(store, format, arguments);
    va_end(arguments);
}

/* The entry of a file; a new one if it has none; NULL if there is no memory. */
static struct mm_store_damage *damage_entry(struct mm_store *store, const char *path)
{
    for (size_t i = 0; i < store->damage_count; i++)
        if (strcmp(store->damages[i].path, path) == 0)
            return &store->damages[i];
    char *copy = strdup(path);
    struct mm_store_damage *damages = realloc(store->damages, (store->damage_count + 1) * sizeof *damages);
    store->damages = damages == NULL ? store->damages : damages;
    if (copy == NULL || damages == NULL) {
        free(copy);
        return NULL;
    }
    damages[store->damage_count] = (struct mm_store_damage){.path = copy};
    return &damages[store->damage_count++];
}

mm_status mm_store_add_damage(struct mm_store *store, struct mm_store_damage damage, struct mm_error *error,
                              const char *format, ...)
{
    struct mm_store_damage *known = damage_entry(store, damage.path);
    if (known == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "%s: out of memory", store->path);
    if (damage.records <= known->records && damage.torn_bytes <= known->torn_bytes &&
        damage.header <= known->header)
        return MM_OK;
    known->records = damage.records > known->records ? damage.records : known->records;
    known->torn_bytes = damage.torn_bytes > known->torn_bytes ? damage.torn_bytes : known->torn_bytes;
    known->header = damage.header || known->header;
    va_list arguments;
    va_start(arguments, format);
    report_line(store, format, arguments);
    va_end(arguments);
    return MM_OK;
}

/* -------------------------------------------------------------------------------- making and releasing */

mm_status mm_store_create(struct mm_store **store, const char *path, const char *configuration,
                          struct mm_error *error)
{
    struct mm_store *created = calloc(1, sizeof *created);
    if (created == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "%s: out of memory", path);
    created->next_fold = INFINITY;
    created->counted_until = mm_monotonic_seconds();
    mm_status status =
        mm_config_parse(path, configuration, strlen(configuration), 0, NULL, &created->config, error);
    if (status != MM_OK) {
        free(created);
        return status;
    }
    created->path = strdup(path);
    const bool made = created->path != NULL && mm_index_create(&created->index, &created->config) &&
                      mm_store_begin_sources(created);
    if (!made) {
        status = mm_fail(error, MM_ERROR_MEMORY, "%s: out of memory for %lld chains", path,
                         (long long)mm_config_chains(&created->config));
        mm_store_close(created);
        return status;
    }
    *store = created;
    return MM_OK;
}

void mm_store_close(struct mm_store *store)
{
    if (store == NULL)
        return;
    mm_journal_close(store->journal, store->journal != NULL && mm_journal_committed(store->journal) == 0);
    mm_store_close_sources(store);
    mm_index_free(&store->index);
    for (size_t i = 0; i < store->damage_count; i++)
        free((char *)store->damages[i].path);
    mm_journal_list_free(store->journals, store->journal_count);
    mm_config_free(&store->config);
    free(store->damages);
    free(store->pending);
    free(store->path);
    free(store);
}
