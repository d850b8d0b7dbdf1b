/* results.c - the results of a search: one row a chain, in the order (g, lambda, start), and the best of each
 * grid point. */
#include <math.h>
#include <stdlib.h>

#include "agreement.h"
#include "results.h"

struct mm_chain_place mm_results_place(const struct mm_config *config, int64_t index)
{
    int64_t cell = index / config->starts;
    return (struct mm_chain_place){
        .g_index = (int32_t)(cell / (int64_t)config->lambda_count),
        .lambda_index = (int32_t)(cell % (int64_t)config->lambda_count),
        .start = (int32_t)(index % config->starts),
    };
}

int64_t mm_results_index(const struct mm_config *config, struct mm_chain_place place)
{
    return (place.g_index * (int64_t)config->lambda_count + place.lambda_index) * config->starts + place.start;
}

double *mm_results_initial(struct mm_results *results, int64_t index)
{
    return results->parameters + (size_t)index * 4 * results->batch_count;
}

double *mm_results_final(struct mm_results *results, int64_t index)
{
    return mm_results_initial(results, index) + 2 * results->batch_count;
}

struct mm_chain *mm_results_claim(struct mm_results *results, const struct mm_config *config, int64_t index)
{
    struct mm_chain_place place = mm_results_place(config, index);
    results->chains[index] = (struct mm_chain){
        .g_index = place.g_index,
        .lambda_index = place.lambda_index,
        .start = place.start,
        .initial = mm_results_initial(results, index),
        .final = mm_results_final(results, index),
    };
    return &results->chains[index];
}

int64_t mm_results_finished(const struct mm_results *results)
{
    int64_t finished = 0;
    for (int64_t i = 0; i < results->chain_count; i++)
        finished += results->chains[i].finished;
    return finished;
}

mm_status mm_results_create(struct mm_results *results, const struct mm_config *config, struct mm_error *error)
{
    int64_t count = mm_config_chains(config);
    struct mm_results created = {.chain_count = count, .batch_count = config->batch_count};
    created.chains = calloc((size_t)count, sizeof *created.chains);
    created.parameters = calloc((size_t)count, 4 * config->batch_count * sizeof *created.parameters);
    if (created.chains == NULL || created.parameters == NULL) {
        mm_results_free(&created);
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory for the results of %lld chains of %zu batches",
                       (long long)count, config->batch_count);
    }
    *results = created;
    return MM_OK;
}

int64_t mm_results_best(const struct mm_results *results, const struct mm_config *config, size_t g_index,
                        size_t lambda_index, int64_t *agree)
{
    struct mm_chain_place place = {.g_index = (int32_t)g_index, .lambda_index = (int32_t)lambda_index};
    int64_t first = mm_results_index(config, place);
    int64_t end = first + config->starts;
    int64_t best = -1;
    for (int64_t i = first; i < end; i++) {
        const struct mm_chain *chain = &results->chains[i];
        double lowest = best < 0 ? INFINITY : results->chains[best].evaluation.loss;
        if (chain->finished && chain->evaluation.loss < lowest)
            best = i;
    }
    if (agree == NULL)
        return best;
    *agree = 0;
    if (best < 0)
        return best;
    double loss = results->chains[best].evaluation.loss;
    for (int64_t i = first; i < end; i++)
        *agree += results->chains[i].finished && results->chains[i].evaluation.loss <= mm_agreeing_loss(loss);
    return best;
}

void mm_results_free(struct mm_results *results)
{
    free(results->chains);
    free(results->parameters);
    *results = (struct mm_results){0};
}
