/* index.c - what a store knows of every chain: its loss, a digest of its record, and its place.
 *
 * Two copies of a record are the same if their losses are, bit for bit, and their digests: 64 bits over all of it.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "chain/agreement.h"
#include "chain/grid.h"
#include "store/index.h"

/* A place: source (24 bits, plus 1) and row (40 bits). */
enum { ROW_BITS = 40 };
#define LOCATION_NONE    UINT64_C(0)
#define LOCATION_DROPPED UINT64_MAX /* finished, but not needed, so that no source keeps it */

bool mm_index_create(struct mm_index *index, const struct mm_config *config)
{
    const size_t chains = (size_t)mm_config_chains(config), points = (size_t)mm_grid_points(config);
    *index = (struct mm_index){
        .config = config,
        .fingerprint = mm_run_fingerprint(config),
        .record_size = mm_chain_record_size(config->batch_count),
        .chain_count = (int64_t)chains,
        .losses = malloc(chains * sizeof *index->losses),
        .digests = calloc(chains, sizeof *index->digests),
        .locations = calloc(chains, sizeof *index->locations),
        .needed = config->agree > 0 ? malloc(points * sizeof *index->needed) : NULL,
        .parameters = calloc(config->batch_count, 4 * sizeof *index->parameters),
    };
    if (index->losses == NULL || index->digests == NULL || index->locations == NULL || index->parameters == NULL ||
        (config->agree > 0 && index->needed == NULL))
        return false;
    for (size_t i = 0; i < chains; i++)
        index->losses[i] = NAN;
    for (size_t i = 0; index->needed != NULL && i < points; i++)
        index->needed[i] = -1;
    return true;
}

void mm_index_free(struct mm_index *index)
{
    free(index->losses);
    free(index->digests);
    free(index->locations);
    free(index->needed);
    free(index->parameters);
    *index = (struct mm_index){0};
}

/* ------------------------------------------------------------------------------------------- places */

bool mm_index_place(const struct mm_index *index, int64_t chain, struct mm_place *place)
{
    const uint64_t location = index->locations[chain];
    if (location == LOCATION_NONE || location == LOCATION_DROPPED)
        return false;
    *place = (struct mm_place){(size_t)(location >> ROW_BITS) - 1,
                               (int64_t)(location & ((UINT64_C(1) << ROW_BITS) - 1))};
    return true;
}

void mm_index_locate(struct mm_index *index, int64_t chain, struct mm_place place)
{
    index->locations[chain] = ((uint64_t)place.source + 1) << ROW_BITS | (uint64_t)place.row;
}

/* ----------------------------------------------------------------------------------------- learning */

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

static double loss_of(const struct mm_index *index, const unsigned char *record)
{
    struct mm_chain chain = {0};
    mm_chain_record_unpack(index->config->batch_count, record, index->parameters, &chain);
    return isnan(chain.evaluation.loss) ? INFINITY : chain.evaluation.loss; /* NAN would mean: not finished */
}

/* The grid point of a chain has to be decided again. */
static void reconsider(struct mm_index *index, int64_t chain)
{
    if (index->needed != NULL)
        index->needed[mm_grid_point_of(index->config, chain)] = -1;
}

enum mm_index_found mm_index_learn(struct mm_index *index, const unsigned char *record, int64_t *chain)
{
    *chain = mm_chain_record_check(index->fingerprint, index->config, record);
    if (*chain < 0)
        return MM_INDEX_DAMAGED;
    const uint64_t digest = digest_of(record, index->record_size);
    const double loss = loss_of(index, record);
    if (index->locations[*chain] != LOCATION_NONE)
        return digest == index->digests[*chain] && memcmp(&loss, &index->losses[*chain], sizeof loss) == 0
                   ? MM_INDEX_SAME
                   : MM_INDEX_DIFFERENT;
    index->digests[*chain] = digest;
    index->losses[*chain] = loss;
    reconsider(index, *chain);
    return MM_INDEX_NEW;
}

bool mm_index_is_record_of(const struct mm_index *index, int64_t chain, const unsigned char *record)
{
    return mm_chain_record_check(index->fingerprint, index->config, record) == chain &&
           digest_of(record, index->record_size) == index->digests[chain];
}

/* ---------------------------------------------------------------------------------------- agreement */

/* Starts of a grid point that belong in the result. */
static int64_t needed_starts(const struct mm_index *index, int64_t point)
{
    const int64_t starts = index->config->starts;
    if (index->needed == NULL)
        return starts;
    if (index->needed[point] < 0)
        index->needed[point] = mm_starts_needed(index->config, index->losses + point * starts);
    return index->needed[point];
}

bool mm_index_wants(const struct mm_index *index, int64_t chain)
{
    struct mm_place place;
    return mm_index_place(index, chain, &place) &&
           mm_grid_start_of(index->config, chain) < needed_starts(index, mm_grid_point_of(index->config, chain));
}

int64_t mm_index_wanted(const struct mm_index *index)
{
    int64_t wanted = 0;
    for (int64_t i = 0; i < index->chain_count; i++)
        wanted += mm_index_wants(index, i);
    return wanted;
}

/* --------------------------------------------------------------------------------------- forgetting */

void mm_index_forget(struct mm_index *index, int64_t chain)
{
    index->locations[chain] = LOCATION_NONE;
    index->losses[chain] = NAN;
    reconsider(index, chain);
}

/* Forgets the chains of a grid point whose records cannot be read any more. Those that are not needed stay known,
 * because nobody has to compute them, unless one that is needed is lost. */
static void forget_at(struct mm_index *index, int64_t point, bool (*superseded)(const void *context, size_t source),
                      const void *context)
{
    const int64_t starts = index->config->starts, first = point * starts;
    const int64_t needed = needed_starts(index, point); /* with all that was known before */
    struct mm_place place;
    bool lost = false;
    for (int64_t s = 0; s < starts; s++) {
        if (!mm_index_place(index, first + s, &place) || !superseded(context, place.source))
            continue;
        lost = lost || s < needed;
        index->locations[first + s] = LOCATION_DROPPED;
    }
    for (int64_t i = first; lost && i < first + starts; i++)
        if (index->locations[i] == LOCATION_DROPPED)
            mm_index_forget(index, i);
}

void mm_index_forget_superseded(struct mm_index *index, bool (*superseded)(const void *context, size_t source),
                                const void *context)
{
    for (int64_t point = 0; point < mm_grid_points(index->config); point++)
        forget_at(index, point, superseded, context);
}
