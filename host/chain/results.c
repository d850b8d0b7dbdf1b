/* results.c - the results of a search: one row a chain, in the order (g, lambda, start), and the best of each
 * grid point. */
#include <stdio.h>
#include <stdlib.h>

#include "chain/grid.h"
#include "chain/results.h"

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
    struct mm_chain *chain = &results->chains[index];
    *chain =
        (struct mm_chain){.initial = mm_results_initial(results, index), .final = mm_results_final(results, index)};
    mm_grid_place(config, index, chain);
    return chain;
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

static bool is_finished(const void *context, int64_t index)
{
    return ((const struct mm_results_view *)context)->results->chains[index].finished;
}

static double loss_of(const void *context, int64_t index)
{
    return ((const struct mm_results_view *)context)->results->chains[index].evaluation.loss;
}

static mm_status pack(void *context, size_t count, const int64_t *indices, unsigned char *records,
                      struct mm_error *error)
{
    (void)error;
    const struct mm_results_view *view = context;
    size_t batch_count = view->results->batch_count;
    uint64_t fingerprint = mm_run_fingerprint(view->config);
    for (size_t i = 0; i < count; i++)
        mm_chain_record_pack(fingerprint, batch_count, indices[i], &view->results->chains[indices[i]],
                             records + i * mm_chain_record_size(batch_count));
    return MM_OK;
}

struct mm_chain_source mm_results_source(struct mm_results_view *view)
{
    struct mm_chain_source source = {
        .context = view,
        .config = view->config,
        .seconds = view->results->seconds,
        .has = is_finished,
        .loss = loss_of,
        .read = pack,
    };
    snprintf(source.backend, sizeof source.backend, "%s", view->results->backend);
    snprintf(source.device, sizeof source.device, "%s", view->results->device);
    return source;
}

int64_t mm_results_best(const struct mm_results *results, const struct mm_config *config, size_t g_index,
                        size_t lambda_index, int64_t *agree)
{
    struct mm_results_view view = {config, results};
    const struct mm_chain_source source = mm_results_source(&view);
    const int64_t point =
        mm_grid_move(config, mm_grid_move(config, 0, MM_AXIS_g, g_index), MM_AXIS_lambda, lambda_index);
    return mm_chain_source_best(&source, (size_t)point, agree);
}

void mm_results_free(struct mm_results *results)
{
    free(results->chains);
    free(results->parameters);
    *results = (struct mm_results){0};
}
