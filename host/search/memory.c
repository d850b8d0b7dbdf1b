/* memory.c - a search whose results are kept in memory, for programs that use the library. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain/agreement.h"
#include "base/clock.h"
#include "base/options.h"
#include "chain/results.h"
#include "search/search.h"

struct keeper {
    const struct mm_config *config;
    struct mm_results *results;
    double *losses; /* [chain_count]: NAN where a chain is not finished */
};

static mm_status read_chain(void *context, int64_t index, double *parameters, struct mm_chain *chain,
                            struct mm_error *error)
{
    (void)parameters; /* the pointers of the chain in memory are as good */
    (void)error;
    const struct keeper *keeper = context;
    *chain = keeper->results->chains[index];
    return MM_OK;
}

static mm_status take_chain(void *context, int64_t index, const struct mm_chain *chain, struct mm_error *error)
{
    (void)error;
    struct keeper *keeper = context;
    size_t bytes = 2 * keeper->results->batch_count * sizeof(double);
    struct mm_chain *kept = mm_results_claim(keeper->results, keeper->config, index);
    const struct mm_chain place = *kept;
    memcpy(mm_results_initial(keeper->results, index), chain->initial, bytes);
    memcpy(mm_results_final(keeper->results, index), chain->final, bytes);
    *kept = *chain;
    kept->initial = place.initial;
    kept->final = place.final;
    keeper->losses[index] = chain->evaluation.loss;
    return MM_OK;
}

static mm_status open_keeper(struct keeper *keeper, struct mm_error *error)
{
    int64_t count = keeper->results->chain_count;
    keeper->losses = malloc((size_t)count * sizeof *keeper->losses);
    if (keeper->losses == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory for %lld chains", (long long)count);
    for (int64_t i = 0; i < count; i++) {
        const struct mm_chain *chain = &keeper->results->chains[i];
        keeper->losses[i] = chain->finished ? chain->evaluation.loss : NAN;
    }
    return MM_OK;
}

/* Opens the backend, which must be the one of the chains that are there. */
static mm_status open_solver(struct mm_solver **solver, const struct keeper *keeper,
                             const struct mm_search_options *options, struct mm_error *error)
{
    struct mm_results *results = keeper->results;
    const struct mm_problem problem = mm_config_problem(keeper->config);
    mm_status status = mm_solver_open(solver, &problem, options->solver, error);
    if (status != MM_OK)
        return status;
    const char *backend = mm_solver_backend(*solver);
    if (mm_results_finished(results) > 0 && strcmp(results->backend, backend) != 0)
        return mm_fail(error, MM_ERROR_INPUT,
                       "the finished chains were computed by backend '%s', so '%s' cannot go on with them",
                       results->backend, backend);
    snprintf(results->backend, sizeof results->backend, "%s", backend);
    snprintf(results->device, sizeof results->device, "%s", mm_solver_device(*solver));
    return MM_OK;
}

static mm_status run_plan(struct keeper *keeper, struct mm_search_plan *plan,
                          const struct mm_search_options *options, struct mm_error *error)
{
    const struct mm_chain_keeper callbacks = {.context = keeper, .read = read_chain, .take = take_chain};
    struct mm_solver *solver = NULL;
    int64_t finished = 0;
    int64_t needed = 0;
    mm_search_plan_count(plan, &finished, &needed);
    if (finished == needed)
        return MM_OK;
    mm_status status = open_solver(&solver, keeper, options, error);
    if (status == MM_OK)
        status = mm_search_chains(keeper->config, options, solver, plan, &callbacks, error);
    mm_solver_close(solver);
    return status;
}

/* Starts that ended before it was known that they are not needed are no part of the result. */
static void drop_unneeded(const struct keeper *keeper)
{
    int64_t starts = keeper->config->starts;
    for (int64_t first = 0; first < keeper->results->chain_count; first += starts)
        for (int64_t s = mm_starts_needed(keeper->config, keeper->losses + first); s < starts; s++)
            keeper->results->chains[first + s] = (struct mm_chain){0};
}

mm_status mm_search_run(const struct mm_config *config, const struct mm_search_options *options,
                        struct mm_results *results, struct mm_error *error)
{
    static const size_t FIRST_SIZE = MM_OPTIONS_FIRST_SIZE(struct mm_search_options, progress_context);
    double start = mm_monotonic_seconds();
    struct mm_search_options own = {0};
    struct keeper keeper = {.config = config, .results = results};
    struct mm_search_plan *plan = NULL;
    mm_status status = mm_options_copy("mm_search_options", FIRST_SIZE, sizeof own, options, &own, error);
    if (status == MM_OK)
        status = open_keeper(&keeper, error);
    if (status == MM_OK)
        status = mm_search_plan_create(&plan, config, keeper.losses, NULL, error);
    if (status == MM_OK)
        status = run_plan(&keeper, plan, &own, error);
    if (plan != NULL)
        drop_unneeded(&keeper);
    results->seconds += mm_monotonic_seconds() - start;
    mm_search_plan_free(plan);
    free(keeper.losses);
    return status;
}
