/* chains.c - what a store knows of each chain: its loss, a digest of its record, and where that lies.
 *
 * Two copies of a record are the same if their losses are, bit for bit, and their digests: 64 bits over all of it.
 */
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
#include "store/inside.h"

enum { ROW_BITS = 40, LINE_SIZE = 1024 };

/* ----------------------------------------------------------------------------------- what it knows */

const struct mm_config *mm_store_config(const struct mm_store *store)
{
    return &store->config;
}

double mm_store_loss(const struct mm_store *store, int64_t index)
{
    return store->losses[index];
}

const double *mm_store_losses(const struct mm_store *store)
{
    return store->losses;
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

/* ------------------------------------------------------------------------------------------ places */

static bool is_known(const struct mm_store *store, int64_t index)
{
    return store->locations[index] != MM_LOCATION_NONE;
}

struct mm_store_part *mm_store_part_of(const struct mm_store *store, int64_t index)
{
    uint64_t location = store->locations[index];
    if (location == MM_LOCATION_NONE || location == MM_LOCATION_DROPPED)
        return NULL;
    return &store->parts[(location >> ROW_BITS) - 1];
}

int64_t mm_store_row(const struct mm_store *store, int64_t index)
{
    return (int64_t)(store->locations[index] & ((UINT64_C(1) << ROW_BITS) - 1));
}

void mm_store_locate(struct mm_store *store, int64_t index, size_t part, int64_t row)
{
    store->locations[index] = ((uint64_t)part + 1) << ROW_BITS | (uint64_t)row;
}

/* ------------------------------------------------------------------------------------ taking records */

/* Multiplies and mixes the record's words of 8 bytes, the last one filled up with zeros; multiplication by an odd
 * number and the shifted sum are both one to one, so a change of one word always shows. */
static uint64_t digest_of(const unsigned char *record, size_t size)
{
    uint64_t digest = UINT64_C(0x9e3779b97f4a7c15);
    for (size_t at = 0; at < size; at += sizeof digest) {
        uint64_t word = 0;
        memcpy(&word, record + at, size - at < sizeof word ? size - at : sizeof word);
        digest = (digest ^ word) * UINT64_C(0xd6e8feb86659fd93);
        digest ^= digest >> 32;
    }
    return digest;
}

static double loss_of(const struct mm_store *store, const unsigned char *record)
{
    struct mm_chain chain = {0};
    mm_record_unpack(store->config.batch_count, record, store->parameters, &chain);
    return isnan(chain.evaluation.loss) ? INFINITY : chain.evaluation.loss; /* NAN would mean: not finished */
}

/* The grid point of a chain has to be decided again. */
static void reconsider(struct mm_store *store, int64_t index)
{
    if (store->needed != NULL)
        store->needed[index / store->config.starts] = -1;
}

/* Where a part lies, as messages name it. */
static const char *part_name(const struct mm_store *store, const struct mm_store_part *part)
{
    if (part == NULL || part->kind == MM_PART_PENDING)
        return "this process";
    return part->kind == MM_PART_OWN_JOURNAL ? mm_journal_path(store->journal) : part->path;
}

static mm_status fail_on_difference(const struct mm_store *store, int64_t index, size_t part,
                                    struct mm_error *error)
{
    char place[MM_GRID_TEXT_SIZE];
    mm_grid_text(&store->config, index, place);
    return mm_fail(error, MM_ERROR_INPUT, "chain %lld (%s) has two different ends, in %s and in %s",
                   (long long)index, place, part_name(store, mm_store_part_of(store, index)),
                   part_name(store, &store->parts[part]));
}

mm_status mm_store_take(struct mm_store *store, size_t part, int64_t row, const unsigned char *record, bool *sound,
                        struct mm_error *error)
{
    int64_t index = mm_record_check(store->fingerprint, &store->config, record);
    *sound = index >= 0;
    if (index < 0)
        return MM_OK;
    uint64_t digest = digest_of(record, store->record_size);
    double loss = loss_of(store, record);
    bool known = is_known(store, index);
    if (known && (digest != store->digests[index] || memcmp(&loss, &store->losses[index], sizeof loss) != 0))
        return fail_on_difference(store, index, part, error);
    const struct mm_store_part *before = mm_store_part_of(store, index);
    store->duplicates += known && before != &store->parts[part];
    if (before == NULL || before->superseded || store->parts[part].kind == MM_PART_RESULT_FILE)
        mm_store_locate(store, index, part, row);
    if (known)
        return MM_OK;
    store->digests[index] = digest;
    store->losses[index] = loss;
    reconsider(store, index);
    return MM_OK;
}

bool mm_store_is_record_of(const struct mm_store *store, int64_t index, const unsigned char *record)
{
    return mm_record_check(store->fingerprint, &store->config, record) == index &&
           digest_of(record, store->record_size) == store->digests[index];
}

/* ------------------------------------------------------------------------------------------ agreement */

/* Starts of a grid point that belong in the result. */
static int64_t needed_starts(const struct mm_store *store, int64_t cell)
{
    if (store->needed == NULL)
        return store->config.starts;
    if (store->needed[cell] < 0)
        store->needed[cell] = mm_starts_needed(&store->config, store->losses + cell * store->config.starts);
    return store->needed[cell];
}

bool mm_store_wants(const struct mm_store *store, int64_t index)
{
    return mm_store_part_of(store, index) != NULL &&
           index % store->config.starts < needed_starts(store, index / store->config.starts);
}

int64_t mm_store_wanted(const struct mm_store *store)
{
    int64_t wanted = 0;
    for (int64_t i = 0; i < store->chain_count; i++)
        wanted += mm_store_wants(store, i);
    return wanted;
}

/* ---------------------------------------------------------------------------------------------- parts */

size_t mm_store_new_part(struct mm_store *store, enum mm_store_part_kind kind, const char *path, const char *run)
{
    size_t at = MM_FIRST_OTHER_PART;
    while (at < store->part_count && store->parts[at].kind != MM_PART_FREE)
        at++;
    char *copy = strdup(path);
    struct mm_store_part *parts = store->parts;
    if (at >= store->part_count) {
        parts = realloc(parts, (at + 1) * sizeof *parts);
        store->parts = parts == NULL ? store->parts : parts;
    }
    if (copy == NULL || parts == NULL) {
        free(copy);
        return SIZE_MAX;
    }
    store->part_count = at >= store->part_count ? at + 1 : store->part_count;
    store->parts[at] = (struct mm_store_part){.kind = kind, .path = copy, .run = run, .descriptor = -1};
    return at;
}

struct mm_store_part *mm_store_result_part(const struct mm_store *store, const char *run)
{
    for (size_t p = MM_FIRST_OTHER_PART; p < store->part_count; p++) {
        struct mm_store_part *part = &store->parts[p];
        if (part->kind == MM_PART_RESULT_FILE && part->run == run && !part->superseded)
            return part;
    }
    return NULL;
}

static void close_part(struct mm_store_part *part)
{
    mm_result_reader_close(part->reader);
    if (part->descriptor >= 0)
        close(part->descriptor); /* only read from; its lock, if we hold it, goes too */
    free(part->path);
    *part = (struct mm_store_part){.descriptor = -1};
}

void mm_store_forget(struct mm_store *store, int64_t index)
{
    store->locations[index] = MM_LOCATION_NONE;
    store->losses[index] = NAN;
    reconsider(store, index);
}

/* Forgets the chains of a grid point whose records cannot be read any more. Those that are not needed stay known,
 * because nobody has to compute them, unless one that is needed is lost. */
static void forget_in_cell(struct mm_store *store, int64_t cell)
{
    const struct mm_store_part *part = NULL;
    int64_t first = cell * store->config.starts;
    int64_t needed = needed_starts(store, cell); /* with all that was known before */
    bool lost = false;
    for (int64_t s = 0; s < store->config.starts; s++) {
        part = mm_store_part_of(store, first + s);
        if (part == NULL || !part->superseded)
            continue;
        lost = lost || s < needed;
        store->locations[first + s] = MM_LOCATION_DROPPED;
    }
    if (!lost)
        return;
    for (int64_t i = first; i < first + store->config.starts; i++)
        if (store->locations[i] == MM_LOCATION_DROPPED)
            mm_store_forget(store, i);
}

void mm_store_forget_superseded(struct mm_store *store)
{
    for (int64_t cell = 0; cell < store->chain_count / store->config.starts; cell++)
        forget_in_cell(store, cell);
}

/* Closes journals that are gone from the disk and that no chain lies in. */
static void close_vanished(struct mm_store *store)
{
    bool vanished = false;
    for (size_t p = 0; p < store->part_count; p++)
        vanished |= store->parts[p].kind == MM_PART_JOURNAL && !store->parts[p].listed;
    if (!vanished)
        return;
    for (size_t p = 0; p < store->part_count; p++)
        if (store->parts[p].kind == MM_PART_JOURNAL && !store->parts[p].listed)
            store->parts[p].superseded = true;
    for (int64_t i = 0; i < store->chain_count; i++) {
        struct mm_store_part *part = mm_store_part_of(store, i);
        if (part != NULL)
            part->superseded = false;
    }
    for (size_t p = MM_FIRST_OTHER_PART; p < store->part_count; p++)
        if (store->parts[p].superseded)
            close_part(&store->parts[p]);
}

void mm_store_sweep(struct mm_store *store)
{
    mm_store_forget_superseded(store);
    store->parts[MM_PENDING_PART].superseded = false;
    store->parts[MM_OWN_PART].superseded = false;
    for (size_t p = MM_FIRST_OTHER_PART; p < store->part_count; p++)
        if (store->parts[p].superseded)
            close_part(&store->parts[p]);
    close_vanished(store);
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

static bool allocate(struct mm_store *store)
{
    size_t chains = (size_t)store->chain_count;
    size_t cells = (size_t)mm_grid_points(&store->config);
    store->losses = malloc(chains * sizeof *store->losses);
    store->digests = calloc(chains, sizeof *store->digests);
    store->locations = calloc(chains, sizeof *store->locations);
    store->parameters = calloc(store->config.batch_count, 4 * sizeof *store->parameters);
    store->parts = calloc(MM_FIRST_OTHER_PART, sizeof *store->parts);
    if (store->config.agree > 0)
        store->needed = malloc(cells * sizeof *store->needed);
    if (store->losses == NULL || store->digests == NULL || store->locations == NULL || store->parameters == NULL ||
        store->parts == NULL || (store->config.agree > 0 && store->needed == NULL))
        return false;
    for (size_t i = 0; i < chains; i++)
        store->losses[i] = NAN;
    for (size_t i = 0; store->needed != NULL && i < cells; i++)
        store->needed[i] = -1;
    store->part_count = MM_FIRST_OTHER_PART;
    for (size_t p = 0; p < MM_FIRST_OTHER_PART; p++)
        store->parts[p] = (struct mm_store_part){
            .kind = p == MM_PENDING_PART ? MM_PART_PENDING : MM_PART_OWN_JOURNAL,
            .run = store->path,
            .descriptor = -1,
            .listed = true,
        };
    return true;
}

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
    created->fingerprint = mm_run_fingerprint(&created->config);
    created->record_size = mm_record_size(created->config.batch_count);
    created->chain_count = mm_config_chains(&created->config);
    if (created->path == NULL || !allocate(created)) {
        status = mm_fail(error, MM_ERROR_MEMORY, "%s: out of memory for %lld chains", path,
                         (long long)created->chain_count);
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
    for (size_t p = MM_FIRST_OTHER_PART; store->parts != NULL && p < store->part_count; p++)
        close_part(&store->parts[p]);
    for (size_t i = 0; i < store->damage_count; i++)
        free((char *)store->damages[i].path);
    mm_journal_list_free(store->journals, store->journal_count);
    mm_config_free(&store->config);
    free(store->damages);
    free(store->parts);
    free(store->losses);
    free(store->digests);
    free(store->locations);
    free(store->needed);
    free(store->parameters);
    free(store->pending);
    free(store->path);
    free(store);
}
