/* search.c - multi-start search: the chains of a plan through a fixed number of slots.
 *
 * A chain is one optimisation of the free batches from one start at one grid point (g, lambda). Its
 * variables are (c, phi) of each free batch in [0, 1] x [0, pi/2], with phi = theta/2 and q = sin^2(phi): the loss
 * is smooth in them, bounds included, where it has infinite slopes in q. The optimiser's first model has the same
 * scale in all variables, and phi suits it better than theta: a fifth fewer evaluations. Its first trials go
 * no further than half the side of the square: the instability is so steep that models made of it point across it,
 * to c = 1 or q = 1, where the loss has the trivial minimum 0 and high walls. Much shorter ones end more often at
 * the kinks of the instability.
 *
 * A chain begins with rough values, those of coarser bands: first of one with up to a hundred times
 * rough_tolerance, then of one with that itself, each until the loss decreases by less than three tolerances. They
 * lead the same way at a fifth to a half of the cost. What is kept of a chain are exact values only.
 *
 * A slot asks its optimiser for a point, which is evaluated beside those of other slots (solver/work_queue.h), and
 * the optimiser is told its value and gradient; of a trial above its iterate, one in four, the value alone, since
 * three quarters of an evaluation go into a gradient that could only make the step back a little better. A chain
 * that ends leaves its slot to the next unfinished chain at once, so that the evaluations stay full to the end.
 * Chains share nothing and the evaluation of a point depends on that point alone: the end of a chain does not
 * depend on the slots, their number, or the threads.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "solver/backend.h"
#include "base/clock.h"
#include "model/protocol.h"
#include "chain/grid.h"
#include "search/search.h"

static const double trial_length = 0.5; /* longest first trial of a line search */

/* Band tolerance of the first rough phase of a chain, in units of rough_tolerance: at most `coarsest`, and less
 * where lambda makes so much of what the band drops that line searches fail. */
static const double coarsest = 100.0, coarsest_times_lambda = 1000.0;

/* Where rough phases end, in units of their tolerance. Three times as much or as little takes as many evaluations,
 * but more of them are exact, or rough. */
static const double rough_ftol = 3.0, rough_gtol = 1e3;

/* One chain in flight. */
struct slot {
    size_t following; /* in the list that the slot is in */
    int64_t chain;
    struct mm_optimizer *optimizer;
    double *asked;         /* [free batches][2]: c, q of the point in evaluation */
    double *best;          /* [free batches][2]: c, q of the best point so far */
    double *initial;       /* [batch_count][2] */
    double gradient_limit; /* loss above which the optimiser does without the gradient */
    double *variables;     /* [free batches][2]: scratch for a start or a gradient in (c, phi) */
    double *angles;        /* [free batches][2]: c, theta of the point in evaluation */
    int rough_phases_left; /* at the point in evaluation; 0: it is exact */
    double begin_seconds;  /* when its evaluation began */
    struct mm_evaluation best_evaluation;
    int64_t eigen_failures;
};

/* Slots in the order in which they came. */
struct slot_list {
    size_t first; /* MM_NO_SLOT: the list is empty */
    size_t last;
};

struct search {
    const struct mm_config *config;
    const struct mm_search_options *options;
    const struct mm_chain_keeper *keeper;
    struct mm_search_plan *plan;
    struct mm_problem problem;
    struct mm_solver *solver;
    size_t free_batches;

    size_t slot_count;
    size_t active;      /* slots that hold a chain */
    struct slot *slots; /* [slot_count] */
    struct slot_list empty;
    struct slot_list waiting[MM_ROUGH_PHASES_MAX + 1]; /* for an evaluation, by the rough phases that are left */
    bool starved;                                      /* no chain can begin before another one has ended */
    struct mm_point *points;
    struct mm_evaluation *evaluations;
    struct mm_channel_gradient *channels; /* [slot_count][free batches] */

    double *parameters; /* storage behind those of the slots */
    double *bounds;     /* [2][free batches][2]: lower, upper */
    double *kept;       /* [2][batch_count][2]: scratch for a chain that is read or taken */

    double *best_loss; /* [lambda_count] */
    struct mm_progress progress;
    double start_seconds;
    double longest_evaluation; /* seconds */
    bool stopped;              /* before all chains had ended */
};

/* ------------------------------------------------------------------------------------------------ lists */

static void append_slot(struct search *search, struct slot_list *list, size_t index)
{
    search->slots[index].following = MM_NO_SLOT;
    if (list->first == MM_NO_SLOT)
        list->first = index;
    else
        search->slots[list->last].following = index;
    list->last = index;
}

/* Takes the first slot out of a list, or MM_NO_SLOT. */
static size_t take_first(const struct search *search, struct slot_list *list)
{
    const size_t index = list->first;
    if (index != MM_NO_SLOT)
        list->first = search->slots[index].following;
    return index;
}

/* ---------------------------------------------------------------------------------------------- chains */

/* The band tolerance of the rough phase with so many left, itself included; 0 after the last one. */
static double tolerance_of_phase(const struct mm_config *config, double lambda, int left)
{
    if (left == 0)
        return 0.0;
    return config->rough_tolerance * (left == 1 ? 1.0 : fmin(coarsest, coarsest_times_lambda / lambda));
}

/* Sets the point of a slot to what its optimiser wants: (c, phi) -> (c, theta) and (c, q). */
static void ask(struct search *search, size_t index)
{
    struct slot *slot = &search->slots[index];
    const double *variables = mm_optimizer_ask(slot->optimizer);
    for (size_t b = 0; b < search->free_batches; b++) {
        slot->angles[2 * b] = slot->asked[2 * b] = variables[2 * b];
        slot->angles[2 * b + 1] = 2.0 * variables[2 * b + 1];
        slot->asked[2 * b + 1] = mm_population_from_angle(slot->angles[2 * b + 1]);
    }
    struct mm_point *point = &search->points[index];
    slot->gradient_limit = mm_optimizer_gradient_limit(slot->optimizer);
    slot->rough_phases_left = mm_optimizer_rough_phases_left(slot->optimizer);
    *point = mm_grid_evaluation_point(search->config, mm_grid_point_of(search->config, slot->chain));
    point->parameters = slot->asked;
    point->gradient_limit = &slot->gradient_limit;
    point->band_tolerance = tolerance_of_phase(search->config, point->lambda, slot->rough_phases_left);
}

/* Tells the optimiser of a slot the loss, and its gradient in (c, phi): that in phi is twice that in theta. Where
 * it is not wanted it is not told, whether the backend has computed it or not. */
static void tell(struct search *search, struct slot *slot, const struct mm_evaluation *evaluation,
                 const struct mm_channel_gradient *channel)
{
    if (evaluation->loss > slot->gradient_limit) {
        mm_optimizer_tell(slot->optimizer, evaluation->loss, NULL);
        return;
    }
    mm_gradient_angle(&search->problem, slot->angles, evaluation, channel, slot->variables);
    for (size_t b = 0; b < search->free_batches; b++)
        slot->variables[2 * b + 1] *= 2.0;
    mm_optimizer_tell(slot->optimizer, evaluation->loss, slot->variables);
}

/* An excited start: the first 1, 2, .. or all but the last of the free batches, from one start to the next, begin
 * with q = 0. Such qubits pump energy as fast as any, the later ones may then tidy up: a strategy whose valley is
 * narrow, so that random starts seldom fall into it. */
static void excite_first_batches(const struct search *search, int start, double *parameters)
{
    const size_t excited = 1 + (size_t)start % (search->free_batches - 1);
    for (size_t b = 0; b < excited; b++)
        parameters[2 * b + 1] = 0.0;
}

/* Finds where a chain begins: slot->best. */
static mm_status find_start(struct search *search, struct slot *slot, struct mm_error *error)
{
    const int32_t start = mm_grid_start_of(search->config, slot->chain);
    int64_t source = mm_search_plan_start_source(search->plan, slot->chain);
    struct mm_chain chain;
    if (source < 0) {
        mm_grid_random_start(search->config, slot->chain, search->free_batches, slot->best);
        if (start < search->config->excited_starts)
            excite_first_batches(search, start, slot->best);
        return MM_OK;
    }
    mm_status status = search->keeper->read(search->keeper->context, source, search->kept, &chain, error);
    if (status == MM_OK)
        mm_gather_parameters(search->problem.batch_count, search->problem.batches, chain.final, slot->best);
    return status;
}

/* Gives a chain its rough phases: as many as are coarser than the next one. */
static void add_rough_phases(const struct mm_config *config, double lambda, struct mm_optimizer_options *options)
{
    double next = config->band_tolerance;
    int phases = 0;
    while (phases < MM_ROUGH_PHASES_MAX && tolerance_of_phase(config, lambda, phases + 1) > next)
        next = tolerance_of_phase(config, lambda, ++phases);
    for (int left = phases; left > 0; left--) {
        const double tolerance = tolerance_of_phase(config, lambda, left);
        options->rough[options->rough_phases++] =
            (struct mm_phase_end){rough_ftol * tolerance, rough_gtol * tolerance};
    }
}

/* Gives an empty slot a chain. */
static mm_status start_chain(struct search *search, size_t index, int64_t chain, struct mm_error *error)
{
    struct slot *slot = &search->slots[index];
    const int64_t point = mm_grid_point_of(search->config, chain);
    struct mm_optimizer_options options = search->config->optimizer;
    slot->chain = chain;
    slot->best_evaluation = (struct mm_evaluation){.loss = INFINITY};
    slot->eigen_failures = 0;
    mm_status status = find_start(search, slot, error);
    if (status != MM_OK)
        return status;
    mm_spread_parameters(search->problem.batch_count, search->problem.batches, slot->best, slot->initial);
    for (size_t b = 0; b < search->free_batches; b++) {
        slot->variables[2 * b] = slot->best[2 * b];
        slot->variables[2 * b + 1] = mm_angle_from_population(slot->best[2 * b + 1]) / 2.0;
    }
    options.trial_length = trial_length;
    add_rough_phases(search->config, mm_grid_value(search->config, point, MM_AXIS_lambda), &options);
    options.evaluations = mm_search_plan_evaluations(search->plan, chain);
    status = mm_optimizer_create(&slot->optimizer, 2 * search->free_batches, search->bounds,
                                 search->bounds + 2 * search->free_batches, slot->variables, &options, error);
    if (status != MM_OK)
        return status;
    ask(search, index);
    return MM_OK;
}

/* Hands the end of a chain to the keeper. A chain whose start had no finite loss keeps loss = INFINITY. */
static mm_status keep_chain(struct search *search, const struct slot *slot, struct mm_error *error)
{
    const int64_t point = mm_grid_point_of(search->config, slot->chain);
    struct mm_chain chain = {
        .finished = true,
        .initial = slot->initial,
        .final = search->kept,
        .evaluation = slot->best_evaluation,
        .gradient_norm = mm_optimizer_gradient_norm(slot->optimizer),
        .iterations = mm_optimizer_iterations(slot->optimizer),
        .evaluations = mm_optimizer_evaluations(slot->optimizer),
        .eigen_failures = slot->eigen_failures,
        .status = mm_optimizer_reason(slot->optimizer),
    };
    mm_grid_place(search->config, slot->chain, &chain);
    mm_spread_parameters(search->problem.batch_count, search->problem.batches, slot->best, search->kept);
    mm_status status = search->keeper->take(search->keeper->context, slot->chain, &chain, error);
    if (status != MM_OK)
        return status;
    mm_search_plan_ended(search->plan, slot->chain);
    double *best = &search->best_loss[mm_grid_position(search->config, point, MM_AXIS_lambda)];
    *best = fmin(*best, chain.evaluation.loss);
    return MM_OK;
}

/* ------------------------------------------------------------------------------------------ slots */

static mm_status next_chain(struct search *search, int64_t *chain, struct mm_error *error)
{
    mm_status status = MM_OK;
    *chain = mm_search_plan_next(search->plan, false);
    if (*chain >= 0 || search->active > 0)
        return MM_OK;
    if (search->keeper->refresh != NULL) /* nothing runs that the rest could be waiting for */
        status = search->keeper->refresh(search->keeper->context, error);
    if (status != MM_OK)
        return status;
    mm_search_plan_recount(search->plan);
    *chain = mm_search_plan_next(search->plan, true);
    return MM_OK;
}

static mm_status fill_slots(struct search *search, struct mm_error *error)
{
    while (search->empty.first != MM_NO_SLOT && !search->starved) {
        int64_t chain;
        mm_status status = next_chain(search, &chain, error);
        search->starved = status == MM_OK && chain < 0;
        if (status != MM_OK || search->starved)
            return status;
        const size_t index = search->empty.first;
        status = start_chain(search, index, chain, error);
        if (status != MM_OK)
            return status;
        take_first(search, &search->empty);
        append_slot(search, &search->waiting[search->slots[index].rough_phases_left], index);
        search->active++;
    }
    return MM_OK;
}

static void empty_slot(struct search *search, size_t index)
{
    mm_optimizer_free(search->slots[index].optimizer);
    search->slots[index].optimizer = NULL;
    append_slot(search, &search->empty, index);
    search->active--;
    search->starved = false;
}

/* ------------------------------------------------------------------------------------------- work */

/* Whether an evaluation that begins now could end after the time that the search has. */
static bool is_out_of_time(const struct search *search)
{
    double most = search->options->max_seconds;
    double seconds = mm_monotonic_seconds() - search->start_seconds;
    return most > 0.0 && (seconds > 0.99 * most || seconds + search->longest_evaluation > most);
}

static bool is_asked_to_stop(const struct search *search)
{
    return search->options->stop != NULL && *search->options->stop != 0;
}

/* Takes the slot whose turn it is out of its list, or MM_NO_SLOT: chains in their early phases go first, whose ends
 * are furthest away, so that threads are busy to the end. Chains that are not needed any more are dropped. */
static size_t take_turn(struct search *search)
{
    for (int left = MM_ROUGH_PHASES_MAX; left >= 0; left--)
        for (size_t index; (index = take_first(search, &search->waiting[left])) != MM_NO_SLOT;) {
            if (mm_search_plan_wants(search->plan, search->slots[index].chain))
                return index;
            empty_slot(search, index);
        }
    return MM_NO_SLOT;
}

static mm_status next_slot(void *context, size_t *index, struct mm_error *error)
{
    struct search *search = context;
    mm_status status;
    *index = MM_NO_SLOT;
    do { /* dropped chains make room for others */
        status = fill_slots(search, error);
        if (status != MM_OK)
            return status;
        *index = take_turn(search);
    } while (*index == MM_NO_SLOT && search->empty.first != MM_NO_SLOT && !search->starved);
    if (*index == MM_NO_SLOT)
        return MM_OK;
    search->stopped = search->stopped || is_asked_to_stop(search) || is_out_of_time(search);
    if (search->stopped)
        *index = MM_NO_SLOT;
    else
        search->slots[*index].begin_seconds = mm_monotonic_seconds();
    return MM_OK;
}

/* Tells the optimiser of a slot and asks it for the next point; keeps the best one. */
static void use_evaluation(void *context, size_t index)
{
    struct search *search = context;
    struct slot *slot = &search->slots[index];
    const struct mm_evaluation *evaluation = &search->evaluations[index];
    tell(search, slot, evaluation, search->channels + index * search->free_batches);
    slot->eigen_failures += evaluation->eigen_failures;
    if (slot->rough_phases_left == 0 && mm_optimizer_value(slot->optimizer) < slot->best_evaluation.loss) {
        slot->best_evaluation = *evaluation;
        memcpy(slot->best, slot->asked, 2 * search->free_batches * sizeof *slot->best);
    }
    if (mm_optimizer_reason(slot->optimizer) == MM_RUNNING)
        ask(search, index);
}

static void report_progress(struct search *search)
{
    mm_search_plan_count(search->plan, &search->progress.chains_done, &search->progress.chains_total);
    search->progress.seconds = mm_monotonic_seconds() - search->start_seconds;
    if (search->options->progress != NULL)
        search->options->progress(search->options->progress_context, &search->progress);
}

/* Keeps a chain that has ended; one that has not, and is still needed, waits for its next turn. */
static mm_status finish_chain(struct search *search, size_t index, struct mm_error *error)
{
    const struct slot *slot = &search->slots[index];
    const bool wanted = mm_search_plan_wants(search->plan, slot->chain);
    if (wanted && mm_optimizer_reason(slot->optimizer) == MM_RUNNING) {
        append_slot(search, &search->waiting[slot->rough_phases_left], index);
        return MM_OK;
    }
    mm_status status = wanted ? keep_chain(search, slot, error) : MM_OK;
    empty_slot(search, index);
    return status;
}

static mm_status finish_slot(void *context, size_t index, struct mm_error *error)
{
    struct search *search = context;
    const double seconds = mm_monotonic_seconds() - search->slots[index].begin_seconds;
    search->progress.evaluations++;
    search->longest_evaluation = fmax(search->longest_evaluation, seconds);
    mm_status status = finish_chain(search, index, error);
    report_progress(search);
    if (status == MM_OK && search->keeper->after_evaluation != NULL)
        status = search->keeper->after_evaluation(search->keeper->context, error);
    return status;
}

static mm_status run_flow(struct search *search, struct mm_error *error)
{
    const struct mm_work_queue work = {
        .context = search,
        .slot_count = search->slot_count,
        .free_batches = search->free_batches,
        .points = search->points,
        .evaluations = search->evaluations,
        .gradients = search->channels,
        .next = next_slot,
        .use = use_evaluation,
        .finish = finish_slot,
    };
    mm_status status = mm_solver_evaluate_work(search->solver, &work, error);
    if (status == MM_ERROR_DEVICE) {
        struct mm_error cause = *error;
        return mm_fail(error, status, "%s: %s", mm_solver_device(search->solver), cause.message);
    }
    if (status != MM_OK || !search->stopped)
        return status;
    return mm_fail(error, MM_STOPPED, "stopped %safter %lld of %lld chains",
                   is_asked_to_stop(search) ? "" : "before the time was over, ",
                   (long long)search->progress.chains_done, (long long)search->progress.chains_total);
}

/* ----------------------------------------------------------------------------------- setting up */

/* Divides the storage behind the slots' parameters among them: four times the free batches' and all batches'. */
static void give_storage(struct search *search, size_t variables, size_t all)
{
    for (size_t i = 0; i < search->slot_count; i++) {
        struct slot *slot = &search->slots[i];
        slot->asked = search->parameters + i * (4 * variables + all);
        slot->best = slot->asked + variables;
        slot->variables = slot->best + variables;
        slot->angles = slot->variables + variables;
        slot->initial = slot->angles + variables;
    }
}

static mm_status allocate_slots(struct search *search, struct mm_error *error)
{
    size_t waiting = (size_t)(search->progress.chains_total - search->progress.chains_done);
    size_t wanted =
        search->options->slots > 0 ? search->options->slots : mm_solver_preferred_points(search->solver);
    size_t count = wanted < waiting ? wanted : waiting;
    size_t variables = 2 * search->free_batches;
    size_t all = 2 * search->config->batch_count;
    search->slot_count = count;
    search->slots = calloc(count, sizeof *search->slots);
    search->points = calloc(count, sizeof *search->points);
    search->evaluations = calloc(count, sizeof *search->evaluations);
    search->channels = calloc(count, search->free_batches * sizeof *search->channels);
    search->parameters = calloc(count, (4 * variables + all) * sizeof *search->parameters);
    search->bounds = calloc(2, variables * sizeof *search->bounds);
    search->kept = calloc(2, all * sizeof *search->kept);
    if (search->slots == NULL || search->points == NULL || search->evaluations == NULL ||
        search->channels == NULL || search->parameters == NULL || search->bounds == NULL || search->kept == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory for %zu slots of %zu free batches", count,
                       search->free_batches);
    give_storage(search, variables, all);
    for (size_t i = 0; i < count; i++)
        append_slot(search, &search->empty, i);
    for (size_t v = 0; v < variables; v++)
        search->bounds[variables + v] = v % 2 == 0 ? 1.0 : M_PI / 2.0;
    return MM_OK;
}

/* Counts what is finished and finds the best loss of every lambda so far. */
static mm_status begin_progress(struct search *search, struct mm_error *error)
{
    const struct mm_config *config = search->config;
    const struct mm_axis lambda = mm_grid_axis(config, MM_AXIS_lambda);
    search->best_loss = malloc(lambda.count * sizeof *search->best_loss);
    if (search->best_loss == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory for %zu values of lambda", lambda.count);
    search->progress = (struct mm_progress){
        .lambda_count = lambda.count,
        .lambda = lambda.values,
        .best_loss = search->best_loss,
    };
    mm_search_plan_best_losses(search->plan, search->best_loss);
    mm_search_plan_count(search->plan, &search->progress.chains_done, &search->progress.chains_total);
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
    free(search->bounds);
    free(search->kept);
    free(search->best_loss);
}

mm_status mm_search_chains(const struct mm_config *config, const struct mm_search_options *options,
                           struct mm_solver *solver, struct mm_search_plan *plan,
                           const struct mm_chain_keeper *keeper, struct mm_error *error)
{
    const struct slot_list no_slots = {MM_NO_SLOT, MM_NO_SLOT};
    struct mm_error local = {0}; /* a failure of the device is told again with its name */
    struct search search = {
        .config = config,
        .options = options,
        .keeper = keeper,
        .plan = plan,
        .problem = mm_config_problem(config),
        .solver = solver,
        .empty = no_slots,
        .start_seconds = mm_monotonic_seconds(),
    };
    for (int left = 0; left <= MM_ROUGH_PHASES_MAX; left++)
        search.waiting[left] = no_slots;
    search.free_batches = mm_problem_free_batches(&search.problem);
    mm_status status = begin_progress(&search, &local);
    bool waiting = search.progress.chains_done < search.progress.chains_total;
    if (status == MM_OK && waiting)
        status = allocate_slots(&search, &local);
    if (status == MM_OK && waiting)
        status = run_flow(&search, &local);
    close_search(&search);
    return status == MM_OK ? MM_OK : mm_fail(error, status, "%s", local.message);
}
