/* search.c - multi-start search: every chain of the grid through a fixed number of slots.
 *
 * A chain is one optimisation of the free batches from one random start at one grid point (g, lambda). Its
 * variables are (c, theta) of each free batch in [0, 1] x [0, pi], with q = sin^2(theta/2): the loss is smooth in
 * them, bounds included, where it has infinite slopes in q.
 *
 * In every round each slot asks its optimiser for a point, one call evaluates all of them, and each optimiser is
 * told its value and gradient. A chain that ends leaves its slot to the next unfinished chain at once, so that the
 * evaluations stay full to the end. Chains share nothing and the evaluation of a point depends on that point
 * alone: the end of a chain does not depend on the slots, their number, or the threads.
 */
#include <math.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "results.h"

/* One chain in flight. */
struct slot {
    int64_t chain;
    struct mm_optimizer *optimizer;
    double *asked; /* [free batches][2]: c, q of the point in evaluation */
    double *best;  /* [free batches][2]: c, q of the best point so far */
    struct mm_evaluation best_evaluation;
};

struct search {
    const struct mm_config *config;
    struct mm_results *results;
    struct mm_problem problem;
    struct mm_solver *solver;
    size_t free_batches;
    int64_t next_chain; /* no chain before it waits for a slot */

    size_t slot_count;
    size_t active;      /* slots [0, active) hold a chain */
    struct slot *slots; /* [slot_count] */
    struct mm_point *points;
    struct mm_evaluation *evaluations;
    struct mm_channel_gradient *channels; /* [slot_count][free batches] */

    double *parameters; /* storage behind asked and best, [slot_count][2][free batches][2] */
    double *variables;  /* [free batches][2]: scratch for a start or a gradient in (c, theta) */
    double *lower;      /* [free batches][2] */
    double *upper;

    double *best_loss; /* [lambda_count] */
    struct mm_progress progress;
    double start_seconds;
};

/* ---------------------------------------------------------------------------------------------- chains */

/* Spreads the parameters of the free batches over all batches: [batch_count][2]. */
static void with_fixed_batches(const struct mm_problem *problem, const double *free_parameters, double *all)
{
    for (size_t b = 0; b < problem->batch_count; b++) {
        const struct mm_batch *batch = &problem->batches[b];
        all[2 * b] = batch->fixed ? batch->c : *free_parameters++;
        all[2 * b + 1] = batch->fixed ? batch->q : *free_parameters++;
    }
}

/* Reads the point that the optimiser of a slot wants: (c, theta) -> (c, q). */
static void ask(const struct search *search, struct slot *slot)
{
    const double *angles = mm_optimizer_ask(slot->optimizer);
    for (size_t b = 0; b < search->free_batches; b++) {
        slot->asked[2 * b] = angles[2 * b];
        slot->asked[2 * b + 1] = mm_population_from_angle(angles[2 * b + 1]);
    }
}

static mm_status start_chain(struct search *search, struct slot *slot, int64_t index, struct mm_error *error)
{
    const struct mm_config *config = search->config;
    struct mm_chain_place place = mm_results_place(config, index);
    slot->chain = index;
    slot->best_evaluation = (struct mm_evaluation){.loss = INFINITY};
    mm_random_start(config->seed, place.g_index, place.lambda_index, place.start, search->free_batches, slot->best);
    with_fixed_batches(&search->problem, slot->best, mm_results_initial(search->results, index));
    for (size_t b = 0; b < search->free_batches; b++) {
        search->variables[2 * b] = slot->best[2 * b];
        search->variables[2 * b + 1] = mm_angle_from_population(slot->best[2 * b + 1]);
    }
    return mm_optimizer_create(&slot->optimizer, 2 * search->free_batches, search->lower, search->upper,
                               search->variables, &config->optimizer, error);
}

/* Enters the end of a chain in the results. A chain whose start had no finite loss keeps loss = INFINITY. */
static void record_chain(struct search *search, const struct slot *slot)
{
    struct mm_chain *chain = mm_results_claim(search->results, search->config, slot->chain);
    with_fixed_batches(&search->problem, slot->best, mm_results_final(search->results, slot->chain));
    chain->evaluation = slot->best_evaluation;
    chain->gradient_norm = mm_optimizer_gradient_norm(slot->optimizer);
    chain->iterations = mm_optimizer_iterations(slot->optimizer);
    chain->evaluations = mm_optimizer_evaluations(slot->optimizer);
    chain->status = mm_optimizer_reason(slot->optimizer);
    chain->finished = true;
}

/* ------------------------------------------------------------------------------------------ slots */

/* Number of the next chain that waits for a slot, or -1. */
static int64_t next_unfinished(struct search *search)
{
    while (search->next_chain < search->results->chain_count) {
        int64_t index = search->next_chain++;
        if (!search->results->chains[index].finished)
            return index;
    }
    return -1;
}

static mm_status fill_slots(struct search *search, struct mm_error *error)
{
    while (search->active < search->slot_count) {
        int64_t index = next_unfinished(search);
        if (index < 0)
            break;
        mm_status status = start_chain(search, &search->slots[search->active], index, error);
        if (status != MM_OK)
            return status;
        search->active++;
    }
    return MM_OK;
}

static void count_chain(struct search *search, const struct mm_chain *chain)
{
    double *best = &search->best_loss[chain->lambda_index];
    *best = fmin(*best, chain->evaluation.loss);
    search->progress.chains_done++;
}

/* Records the chains that ended and closes the gaps they leave among the active slots. */
static void empty_slots(struct search *search)
{
    for (size_t i = search->active; i-- > 0;) {
        struct slot *slot = &search->slots[i];
        if (mm_optimizer_reason(slot->optimizer) == MM_RUNNING)
            continue;
        record_chain(search, slot);
        count_chain(search, &search->results->chains[slot->chain]);
        mm_optimizer_free(slot->optimizer);
        slot->optimizer = NULL;
        struct slot ended = *slot;
        *slot = search->slots[--search->active];
        search->slots[search->active] = ended;
    }
}

/* ----------------------------------------------------------------------------------------- rounds */

static mm_status evaluate_slots(struct search *search, struct mm_error *error)
{
    const struct mm_config *config = search->config;
    for (size_t i = 0; i < search->active; i++) {
        struct slot *slot = &search->slots[i];
        struct mm_chain_place place = mm_results_place(config, slot->chain);
        ask(search, slot);
        search->points[i] = (struct mm_point){
            .g = config->g[place.g_index],
            .lambda = config->lambda[place.lambda_index],
            .parameters = slot->asked,
        };
    }
    search->progress.evaluations += (int64_t)search->active;
    return mm_solver_evaluate(search->solver, search->active, search->points, search->evaluations, search->channels,
                              error);
}

static void tell_slots(struct search *search)
{
    for (size_t i = 0; i < search->active; i++) {
        struct slot *slot = &search->slots[i];
        const struct mm_evaluation *evaluation = &search->evaluations[i];
        mm_gradient_angle(&search->problem, mm_optimizer_ask(slot->optimizer), evaluation,
                          search->channels + i * search->free_batches, search->variables);
        mm_optimizer_tell(slot->optimizer, evaluation->loss, search->variables);
        if (mm_optimizer_value(slot->optimizer) < slot->best_evaluation.loss) {
            slot->best_evaluation = *evaluation;
            memcpy(slot->best, slot->asked, 2 * search->free_batches * sizeof *slot->best);
        }
    }
}

static mm_status run_rounds(struct search *search, const struct mm_search_options *options, struct mm_error *error)
{
    mm_status status = fill_slots(search, error);
    while (status == MM_OK && search->active > 0) {
        if (options->stop != NULL && *options->stop != 0)
            return mm_fail(error, MM_STOPPED, "stopped after %lld of %lld chains",
                           (long long)search->progress.chains_done, (long long)search->progress.chains_total);
        status = evaluate_slots(search, error);
        if (status != MM_OK)
            break;
        tell_slots(search);
        empty_slots(search);
        search->progress.seconds = mm_monotonic_seconds() - search->start_seconds;
        if (options->progress != NULL)
            options->progress(options->progress_context, &search->progress);
        status = fill_slots(search, error);
    }
    return status;
}

/* ----------------------------------------------------------------------------------- setting up */

static mm_status open_solver(struct search *search, const struct mm_search_options *options, struct mm_error *error)
{
    struct mm_results *results = search->results;
    mm_status status = mm_solver_open(&search->solver, &search->problem, &options->solver, error);
    if (status != MM_OK)
        return status;
    const char *backend = mm_solver_backend(search->solver);
    if (search->progress.chains_done > 0 && strcmp(results->backend, backend) != 0)
        return mm_fail(error, MM_ERROR_INPUT,
                       "the finished chains were computed by backend '%s', so '%s' cannot go on with them",
                       results->backend, backend);
    snprintf(results->backend, sizeof results->backend, "%s", backend);
    snprintf(results->device, sizeof results->device, "%s", mm_solver_device(search->solver));
    size_t wanted = options->slots > 0 ? options->slots : mm_solver_preferred_points(search->solver);
    size_t waiting = (size_t)(results->chain_count - search->progress.chains_done);
    search->slot_count = wanted < waiting ? wanted : waiting;
    return MM_OK;
}

static mm_status allocate_slots(struct search *search, struct mm_error *error)
{
    size_t count = search->slot_count;
    size_t variables = 2 * search->free_batches;
    search->slots = calloc(count, sizeof *search->slots);
    search->points = calloc(count, sizeof *search->points);
    search->evaluations = calloc(count, sizeof *search->evaluations);
    search->channels = calloc(count, search->free_batches * sizeof *search->channels);
    search->parameters = calloc(count, 2 * variables * sizeof *search->parameters);
    search->variables = calloc(3, variables * sizeof *search->variables);
    if (search->slots == NULL || search->points == NULL || search->evaluations == NULL ||
        search->channels == NULL || search->parameters == NULL || search->variables == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory for %zu slots of %zu free batches", count,
                       search->free_batches);
    for (size_t i = 0; i < count; i++) {
        search->slots[i].asked = search->parameters + 2 * i * variables;
        search->slots[i].best = search->slots[i].asked + variables;
    }
    search->lower = search->variables + variables;
    search->upper = search->lower + variables;
    for (size_t v = 0; v < variables; v++)
        search->upper[v] = v % 2 == 0 ? 1.0 : M_PI;
    return MM_OK;
}

static mm_status count_finished(struct search *search, struct mm_error *error)
{
    const struct mm_config *config = search->config;
    search->best_loss = malloc(config->lambda_count * sizeof *search->best_loss);
    if (search->best_loss == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory for %zu values of lambda", config->lambda_count);
    for (size_t i = 0; i < config->lambda_count; i++)
        search->best_loss[i] = INFINITY;
    search->progress = (struct mm_progress){
        .chains_total = search->results->chain_count,
        .lambda_count = config->lambda_count,
        .lambda = config->lambda,
        .best_loss = search->best_loss,
    };
    for (int64_t i = 0; i < search->results->chain_count; i++)
        if (search->results->chains[i].finished)
            count_chain(search, &search->results->chains[i]);
    return MM_OK;
}

static void close_search(struct search *search)
{
    for (size_t i = 0; search->slots != NULL && i < search->slot_count; i++)
        mm_optimizer_free(search->slots[i].optimizer);
    free(search->slots);
    free(search->points);
    free(search->evaluations);
    free(search->channels);
    free(search->parameters);
    free(search->variables);
    free(search->best_loss);
    mm_solver_close(search->solver);
}

mm_status mm_search_run(const struct mm_config *config, const struct mm_search_options *options,
                        struct mm_results *results, struct mm_error *error)
{
    struct search search = {
        .config = config,
        .results = results,
        .problem = mm_config_problem(config),
        .start_seconds = mm_monotonic_seconds(),
    };
    search.free_batches = mm_problem_free_batches(&search.problem);
    mm_status status = count_finished(&search, error);
    bool waiting = search.progress.chains_done < search.progress.chains_total;
    if (status == MM_OK && waiting)
        status = open_solver(&search, options, error);
    if (status == MM_OK && waiting)
        status = allocate_slots(&search, error);
    if (status == MM_OK && waiting)
        status = run_rounds(&search, options, error);
    results->seconds += mm_monotonic_seconds() - search.start_seconds;
    close_search(&search);
    return status;
}
