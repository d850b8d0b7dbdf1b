/* plan.c - which chains a search runs, in which order, and where each of them starts. */
#include <math.h>
#include <stdlib.h>

#include "chain/agreement.h"
#include "search/plan.h"
#include "chain/grid.h"

enum { SOURCES_MAX = MM_AXES }; /* of a grid point: the next lower ones along each axis, or itself */

struct mm_search_plan {
    const struct mm_config *config;
    const double *losses;
    const struct mm_share *share;
    int64_t chain_count;
    int64_t cell_count;
    int32_t *lower[MM_AXES];         /* of each axis: position of the next lower value, -1 for the lowest */
    struct mm_agreement *agreements; /* [cell_count], where the search has `agree`; else NULL */
    int64_t *needed;                 /* [cell_count]: starts needed, where the search has `agree`; else NULL */
    int64_t first_pass;              /* places of the first pass that have been looked at */
    int64_t second_pass;
    int64_t own_finished; /* chains of this process that are needed and finished */
    int64_t own_needed;
};

/* -------------------------------------------------------------------------------------- neighbours */

static int compare_values(const void *one, const void *other, void *context)
{
    const double *values = context;
    double a = values[*(const int32_t *)one];
    double b = values[*(const int32_t *)other];
    return (a > b) - (a < b);
}

/* Position of the next lower value of each, -1 for the lowest. Equal values are not neighbours. */
static mm_status find_lower(struct mm_axis axis, int32_t **lower, struct mm_error *error)
{
    const size_t count = axis.count;
    const double *values = axis.values;
    int32_t *order = malloc(count * sizeof *order);
    *lower = malloc(count * sizeof **lower);
    if (order == NULL || *lower == NULL) {
        free(order);
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory for %zu grid values", count);
    }
    for (size_t i = 0; i < count; i++)
        order[i] = (int32_t)i;
    qsort_r(order, count, sizeof *order, compare_values, (void *)values);
    for (size_t i = 0; i < count; i++) {
        bool equal = i > 0 && values[order[i]] <= values[order[i - 1]];
        int32_t below = i == 0 ? -1 : order[i - 1];
        (*lower)[order[i]] = equal ? (*lower)[below] : below;
    }
    free(order);
    return MM_OK;
}

/* Numbers of the grid points below one, the fastest axis first; returns how many there are. */
static int find_neighbours(const struct mm_search_plan *plan, int64_t cell, int64_t neighbours[SOURCES_MAX])
{
    int count = 0;
    for (int i = MM_AXES - 1; i >= 0; i--) {
        const enum mm_axis_number axis = (enum mm_axis_number)i;
        const int32_t below = plan->lower[axis][mm_grid_position(plan->config, cell, axis)];
        if (below >= 0)
            neighbours[count++] = mm_grid_move(plan->config, cell, axis, (size_t)below);
    }
    return count;
}

/* Numbers of the grid points from whose ends the last starts of one begin: its neighbours, or after a race itself.
 */
static int find_sources(const struct mm_search_plan *plan, int64_t cell, int64_t sources[SOURCES_MAX])
{
    if (plan->config->neighbour_starts > 0)
        return find_neighbours(plan, cell, sources);
    sources[0] = cell;
    return plan->config->race > 0;
}

/* Random starts of a grid point, which come before those from the ends of others. */
static int64_t random_starts(const struct mm_search_plan *plan, int64_t cell)
{
    int64_t sources[SOURCES_MAX];
    if (find_sources(plan, cell, sources) == 0)
        return plan->config->starts;
    return plan->config->starts - plan->config->neighbour_starts - plan->config->finalists;
}

/* Starts of a grid point that belong to the result, as far as is known. */
static int64_t starts_needed(const struct mm_search_plan *plan, int64_t cell)
{
    return plan->needed == NULL ? plan->config->starts : plan->needed[cell];
}

/* Random starts of a grid point that belong to the result. */
static int64_t random_starts_needed(const struct mm_search_plan *plan, int64_t cell)
{
    int64_t random = random_starts(plan, cell);
    int64_t needed = starts_needed(plan, cell);
    return needed < random ? needed : random;
}

static bool has_ended_random_starts(const struct mm_search_plan *plan, int64_t cell)
{
    int64_t needed = random_starts_needed(plan, cell);
    for (int64_t s = 0; s < needed; s++)
        if (isnan(plan->losses[cell * plan->config->starts + s]))
            return false;
    return true;
}

/* The random start of a grid point with the lowest loss above `above`; -1 if there is none. */
static int64_t best_above(const struct mm_search_plan *plan, int64_t cell, double above)
{
    int64_t needed = random_starts_needed(plan, cell);
    int64_t first = cell * plan->config->starts;
    int64_t best = -1;
    for (int64_t i = first; i < first + needed; i++)
        if (plan->losses[i] > above && isfinite(plan->losses[i]) &&
            (best < 0 || plan->losses[i] < plan->losses[best]))
            best = i;
    return best;
}

int64_t mm_search_plan_start_source(const struct mm_search_plan *plan, int64_t index)
{
    int64_t cell = index / plan->config->starts;
    int64_t number = index % plan->config->starts - random_starts(plan, cell); /* among those from ends */
    int64_t sources[SOURCES_MAX];
    if (number < 0)
        return -1;
    int count = find_sources(plan, cell, sources);
    int64_t source = -1;
    double above = -INFINITY;
    for (int64_t optimum = 0; optimum <= number / count; optimum++) {
        source = best_above(plan, sources[number % count], above);
        if (source < 0)
            break;
        above = mm_agreeing_loss(plan->losses[source]);
    }
    return source;
}

/* ------------------------------------------------------------------------------------------- order */

/* Chain at a place of the order in which they are run. */
static int64_t chain_at(const struct mm_search_plan *plan, int64_t place)
{
    if (plan->config->agree == 0)
        return place;
    return place % plan->cell_count * plan->config->starts + place / plan->cell_count;
}

bool mm_search_plan_wants(const struct mm_search_plan *plan, int64_t index)
{
    int64_t starts = plan->config->starts;
    return index % starts < starts_needed(plan, index / starts);
}

static bool is_to_be_run(const struct mm_search_plan *plan, int64_t index)
{
    return isnan(plan->losses[index]) && mm_share_has(plan->share, index) && mm_search_plan_wants(plan, index);
}

static bool is_random(const struct mm_search_plan *plan, int64_t index)
{
    return index % plan->config->starts < random_starts(plan, index / plan->config->starts);
}

int64_t mm_search_plan_evaluations(const struct mm_search_plan *plan, int64_t index)
{
    int64_t most = plan->config->optimizer.evaluations;
    bool races = plan->config->race > 0 && is_random(plan, index);
    return races && plan->config->race < most ? plan->config->race : most;
}

static bool can_begin(const struct mm_search_plan *plan, int64_t index)
{
    int64_t sources[SOURCES_MAX];
    int count = find_sources(plan, index / plan->config->starts, sources);
    for (int i = 0; i < count; i++)
        if (!has_ended_random_starts(plan, sources[i]))
            return false;
    return true;
}

int64_t mm_search_plan_next(struct mm_search_plan *plan, bool idle)
{
    while (plan->first_pass < plan->chain_count) {
        int64_t index = chain_at(plan, plan->first_pass++);
        if (is_random(plan, index) && is_to_be_run(plan, index))
            return index;
    }
    bool has_second_pass = plan->config->neighbour_starts > 0 || plan->config->race > 0;
    while (has_second_pass && plan->second_pass < plan->chain_count) {
        int64_t index = chain_at(plan, plan->second_pass);
        bool waits = !is_random(plan, index) && is_to_be_run(plan, index) && !can_begin(plan, index);
        if (waits && !idle)
            return -1;
        plan->second_pass++;
        if (!waits && !is_random(plan, index) && is_to_be_run(plan, index))
            return index;
    }
    return -1;
}

/* ----------------------------------------------------------------------------------------- counting */

/* Adds (sign 1) or takes away (sign -1) the needed chains of a grid point that are this process's. */
static void count_cell(struct mm_search_plan *plan, int64_t cell, int sign)
{
    int64_t first = cell * plan->config->starts;
    for (int64_t i = first; i < first + starts_needed(plan, cell); i++) {
        bool own = mm_share_has(plan->share, i);
        plan->own_needed += sign * own;
        plan->own_finished += sign * (own && !isnan(plan->losses[i]));
    }
}

void mm_search_plan_recount(struct mm_search_plan *plan)
{
    plan->own_needed = 0;
    plan->own_finished = 0;
    for (int64_t cell = 0; cell < plan->cell_count; cell++) {
        if (plan->needed != NULL)
            plan->needed[cell] = mm_agreement_advance(&plan->agreements[cell], plan->config,
                                                      plan->losses + cell * plan->config->starts);
        count_cell(plan, cell, 1);
    }
}

void mm_search_plan_ended(struct mm_search_plan *plan, int64_t index)
{
    int64_t cell = index / plan->config->starts;
    bool counts = index % plan->config->starts < starts_needed(plan, cell);
    plan->own_finished += counts && mm_share_has(plan->share, index);
    if (plan->needed == NULL)
        return;
    int64_t needed =
        mm_agreement_advance(&plan->agreements[cell], plan->config, plan->losses + cell * plan->config->starts);
    if (needed == plan->needed[cell])
        return;
    count_cell(plan, cell, -1);
    plan->needed[cell] = needed;
    count_cell(plan, cell, 1);
}

void mm_search_plan_count(const struct mm_search_plan *plan, int64_t *finished, int64_t *needed)
{
    *finished = plan->own_finished;
    *needed = plan->own_needed;
}

void mm_search_plan_best_losses(const struct mm_search_plan *plan, double *best_loss)
{
    const struct mm_config *config = plan->config;
    for (size_t l = 0; l < mm_grid_axis(config, MM_AXIS_lambda).count; l++)
        best_loss[l] = INFINITY;
    for (int64_t i = 0; i < plan->chain_count; i++) {
        double *best = &best_loss[mm_grid_position(config, mm_grid_point_of(config, i), MM_AXIS_lambda)];
        *best = fmin(*best, plan->losses[i]); /* fmin takes no notice of NAN */
    }
}

/* --------------------------------------------------------------------------------------- setting up */

/* Neighbours and agreements, where the search has them. */
static mm_status prepare(struct mm_search_plan *plan, struct mm_error *error)
{
    const struct mm_config *config = plan->config;
    mm_status status = MM_OK;
    for (int axis = 0; config->neighbour_starts > 0 && axis < MM_AXES && status == MM_OK; axis++)
        status = find_lower(mm_grid_axis(config, (enum mm_axis_number)axis), &plan->lower[axis], error);
    if (config->agree == 0 || status != MM_OK)
        return status;
    plan->agreements = calloc((size_t)plan->cell_count, sizeof *plan->agreements);
    plan->needed = malloc((size_t)plan->cell_count * sizeof *plan->needed);
    if (plan->agreements == NULL || plan->needed == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory for %lld grid points", (long long)plan->cell_count);
    return MM_OK;
}

mm_status mm_search_plan_create(struct mm_search_plan **plan, const struct mm_config *config, const double *losses,
                                const struct mm_share *share, struct mm_error *error)
{
    struct mm_search_plan *created = malloc(sizeof *created);
    if (created == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory");
    *created = (struct mm_search_plan){
        .config = config,
        .losses = losses,
        .share = share,
        .chain_count = mm_config_chains(config),
        .cell_count = mm_grid_points(config),
    };
    mm_status status = prepare(created, error);
    if (status != MM_OK) {
        mm_search_plan_free(created);
        return status;
    }
    mm_search_plan_recount(created);
    *plan = created;
    return MM_OK;
}

void mm_search_plan_free(struct mm_search_plan *plan)
{
    if (plan == NULL)
        return;
    for (int axis = 0; axis < MM_AXES; axis++)
        free(plan->lower[axis]);
    free(plan->agreements);
    free(plan->needed);
    free(plan);
}
