/* evolve.c - many protocols side by side through many collisions, measured on the way.
 *
 * All curves go forward in rounds. A round ends at the latest after MM_STENCIL_STRETCH collisions, after
 * MM_ROUND_RECORDS records, or where whole states are wanted; what it found is then stored, so that memory does not
 * grow with the number of collisions. A curve is taken from one record to the next by one call of its backend, or,
 * where a batch is long and the live block small, by powers of the channel (evolve/powers.h); which of the two
 * depends on the plan alone, and where rounds end on the plan and the collisions done, so that an evolution that
 * was stopped and goes on gives the same bits.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <omp.h>

#include "model/collision.h"
#include "model/state.h"
#include "evolve/evolve.h"
#include "base/memory.h"
#include "solver/backend.h"

/* What one thread works with. */
struct mm_lane {
    struct mm_solver *solver;
    struct mm_eigen eigen;
    double *energies; /* [MM_STENCIL_STRETCH + 1]: before and after each collision of a call */
};

/* Where a curve stands in its protocol. */
struct mm_curve_run {
    size_t batch; /* of the next collision */
    bool opened;  /* `powers` are those of that batch */
    struct mm_channel_powers powers;
};

/* ---------------------------------------------------------------------------------------------- opening */

static mm_status open_lanes(struct mm_evolution *evolution, const struct mm_solver_options *options,
                            struct mm_error *error)
{
    const struct mm_evolution_plan *plan = evolution->plan;
    struct mm_solver_options own = *options;
    int wanted = options->threads > 0 ? options->threads : omp_get_max_threads();
    wanted = (size_t)wanted < plan->curve_count ? wanted : (int)plan->curve_count;
    evolution->lanes = calloc((size_t)wanted, sizeof *evolution->lanes);
    if (evolution->lanes == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for %d solvers", wanted);
    own.threads = 1;
    for (int i = 0; i < wanted; i++) {
        struct mm_lane *lane = &evolution->lanes[evolution->lane_count++];
        mm_status status = mm_solver_open(&lane->solver, &plan->problem, &own, error);
        if (status != MM_OK)
            return status;
        lane->energies = mm_allocate_doubles(MM_STENCIL_STRETCH + 1);
        if (lane->energies == NULL)
            return mm_fail(error, MM_ERROR_MEMORY, "no memory for the energies of a round");
        if (mm_solver_traits(lane->solver)->device)
            break; /* which serves one curve at a time */
    }
    return MM_OK;
}

static mm_status allocate(struct mm_evolution *evolution, struct mm_error *error)
{
    const struct mm_evolution_plan *plan = evolution->plan;
    struct mm_round *round = &evolution->round;
    const size_t records = plan->curve_count * MM_ROUND_RECORDS;
    evolution->states = calloc(plan->curve_count, sizeof *evolution->states);
    evolution->before = calloc(plan->curve_count, sizeof *evolution->before);
    evolution->runs = calloc(plan->curve_count, sizeof *evolution->runs);
    evolution->batch_ends = calloc(plan->problem.batch_count, sizeof *evolution->batch_ends);
    evolution->by_powers = calloc(plan->curve_count * plan->problem.batch_count, sizeof *evolution->by_powers);
    round->figures = calloc(records, sizeof *round->figures);
    round->truncation_populations = mm_allocate_doubles(records);
    round->band_errors = mm_allocate_doubles(records);
    round->populations = calloc(plan->curve_count, sizeof *round->populations);
    round->energies = mm_allocate_doubles(plan->energy_step > 0 ? plan->curve_count * MM_ENERGIES : 0);
    if (!evolution->states || !evolution->before || !evolution->runs || !evolution->batch_ends ||
        !evolution->by_powers || !round->figures || !round->truncation_populations || !round->band_errors ||
        !round->populations || !round->energies)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for %zu curves", plan->curve_count);
    return MM_OK;
}

mm_status mm_evolution_open(struct mm_evolution *evolution, const struct mm_evolution_plan *plan,
                            const struct mm_solver_options *options, struct mm_error *error)
{
    evolution->plan = plan;
    evolution->collisions = -1;
    mm_status status = open_lanes(evolution, options, error);
    if (status == MM_OK)
        status = allocate(evolution, error);
    if (status != MM_OK)
        return status;
    mm_protocol_find_ends(&plan->problem, evolution->batch_ends);
    evolution->protocol = (struct mm_protocol){(int)plan->problem.batch_count, evolution->batch_ends};
    mm_evolution_choose_methods(evolution, mm_solver_traits(evolution->lanes[0].solver)->powers);
    for (size_t c = 0; c < plan->curve_count && status == MM_OK; c++)
        status = mm_initial_state(&evolution->states[c], error);
    return status;
}

void mm_evolution_set(struct mm_evolution *evolution, int64_t collisions, struct mm_state *states)
{
    const struct mm_evolution_plan *plan = evolution->plan;
    evolution->collisions = collisions;
    for (size_t c = 0; c < plan->curve_count; c++) {
        mm_state_free(&evolution->states[c]);
        evolution->states[c] = states[c];
        states[c] = (struct mm_state){0};
    }
}

void mm_evolution_close(struct mm_evolution *evolution)
{
    const size_t curves = evolution->plan == NULL ? 0 : evolution->plan->curve_count;
    for (int i = 0; i < evolution->lane_count; i++) {
        mm_solver_close(evolution->lanes[i].solver);
        mm_eigen_free(&evolution->lanes[i].eigen);
        free(evolution->lanes[i].energies);
    }
    for (size_t c = 0; c < curves; c++) {
        if (evolution->states != NULL)
            mm_state_free(&evolution->states[c]);
        if (evolution->before != NULL)
            mm_state_free(&evolution->before[c]);
        if (evolution->runs != NULL)
            mm_channel_powers_close(&evolution->runs[c].powers);
        if (evolution->round.populations != NULL)
            free(evolution->round.populations[c].values);
    }
    free(evolution->lanes);
    free(evolution->states);
    free(evolution->before);
    free(evolution->runs);
    free(evolution->batch_ends);
    free(evolution->by_powers);
    free(evolution->round.figures);
    free(evolution->round.truncation_populations);
    free(evolution->round.band_errors);
    free(evolution->round.populations);
    free(evolution->round.energies);
    *evolution = (struct mm_evolution){0};
}

bool mm_evolution_done(const struct mm_evolution *evolution)
{
    return evolution->collisions == evolution->plan->collisions;
}

const char *mm_evolution_backend(const struct mm_evolution *evolution)
{
    return mm_solver_backend(evolution->lanes[0].solver);
}

const char *mm_evolution_device(const struct mm_evolution *evolution)
{
    return mm_solver_device(evolution->lanes[0].solver);
}

/* ----------------------------------------------------------------------------------------------- curves */

/* Goes over to the batch of the next collision. */
static void enter_batch(struct mm_evolution *evolution, size_t curve, int64_t collision)
{
    struct mm_curve_run *run = &evolution->runs[curve];
    const int batch = mm_protocol_batch(evolution->protocol, collision, (int)run->batch);
    if ((size_t)batch == run->batch)
        return;
    mm_channel_powers_close(&run->powers);
    *run = (struct mm_curve_run){.batch = (size_t)batch};
}

static mm_status apply_powers(struct mm_evolution *evolution, size_t curve, int64_t collisions,
                              struct mm_error *error)
{
    const struct mm_evolution_plan *plan = evolution->plan;
    struct mm_curve_run *run = &evolution->runs[curve];
    if (!run->opened) {
        const struct mm_qubit qubit = mm_curve_qubit(&plan->problem, &plan->curves[curve], run->batch);
        mm_status status =
            mm_channel_powers_open(&run->powers, plan->curves[curve].g, &qubit, mm_plan_largest_space(plan),
                                   mm_curve_is_diagonal(&plan->problem, &plan->curves[curve], run->batch), error);
        if (status != MM_OK)
            return status;
        run->opened = true;
    }
    return mm_channel_powers_apply(&run->powers, collisions, &evolution->states[curve], error);
}

/* Keeps those of the energies after more than `first` and up to first + count collisions that are on the grid of
 * energies. */
static void keep_energies(struct mm_evolution *evolution, size_t curve, int64_t first, int64_t count,
                          const double *energies)
{
    struct mm_round *round = &evolution->round;
    const int64_t step = evolution->plan->energy_step;
    double *kept = &round->energies[curve * MM_ENERGIES];
    for (int64_t k = (first / step + 1) * step; k <= first + count; k += step)
        kept[k / step - round->first_energy] = energies[k - first];
}

/* Gives the state in which a curve begins the levels of its solver, and keeps its energy. */
static mm_status begin_curve(struct mm_evolution *evolution, struct mm_lane *lane, size_t curve,
                             struct mm_error *error)
{
    const struct mm_curve *protocol = &evolution->plan->curves[curve];
    const struct mm_point point = {.g = protocol->g, .parameters = protocol->parameters};
    struct mm_round *round = &evolution->round;
    double *energy = round->energy_count > 0 ? &round->energies[curve * MM_ENERGIES] : NULL;
    return mm_solver_evolve(lane->solver, &point, 0, energy, &evolution->states[curve], error);
}

/* Takes a curve to `end` collisions. */
static mm_status advance_curve(struct mm_evolution *evolution, struct mm_lane *lane, size_t curve, int64_t end,
                               struct mm_error *error)
{
    const struct mm_evolution_plan *plan = evolution->plan;
    struct mm_state *state = &evolution->states[curve];
    const struct mm_point point = {.g = plan->curves[curve].g, .parameters = plan->curves[curve].parameters};
    double *energies = plan->energy_step > 0 ? lane->energies : NULL;
    mm_status status = MM_OK;
    while (status == MM_OK && state->collisions < end) {
        enter_batch(evolution, curve, state->collisions);
        const size_t batch = evolution->runs[curve].batch;
        const int64_t first = state->collisions;
        const int64_t batch_end = mm_protocol_end(evolution->protocol, (int)batch);
        const int64_t stop = end < batch_end ? end : batch_end;
        if (mm_evolution_takes_powers(evolution, curve, batch))
            status = apply_powers(evolution, curve, stop - first, error);
        else
            status = mm_solver_evolve(lane->solver, &point, stop - first, energies, state, error);
        if (status == MM_OK && energies != NULL)
            keep_energies(evolution, curve, first, stop - first, energies);
    }
    return status;
}

/* Makes room for states of more levels beside the rows that are there. */
static mm_status widen_populations(struct mm_populations *populations, int levels, size_t rows,
                                   struct mm_error *error)
{
    if (levels <= populations->levels)
        return MM_OK;
    const size_t width = (size_t)levels, before = (size_t)populations->levels;
    double *values = mm_allocate_doubles(MM_ROUND_RECORDS * width);
    if (values == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for populations of %d levels", levels);
    for (size_t row = 0; row < rows && before > 0; row++)
        memcpy(&values[row * width], &populations->values[row * before], before * sizeof *values);
    free(populations->values);
    *populations = (struct mm_populations){levels, values};
    return MM_OK;
}

static mm_status record(struct mm_evolution *evolution, struct mm_lane *lane, size_t curve, size_t row,
                        struct mm_error *error)
{
    struct mm_round *round = &evolution->round;
    struct mm_populations *populations = &round->populations[curve];
    const struct mm_state *state = &evolution->states[curve];
    const size_t at = curve * MM_ROUND_RECORDS + row, levels = (size_t)state->levels;
    mm_status status = widen_populations(populations, state->levels, row, error);
    if (status != MM_OK)
        return status;
    double *own = &populations->values[row * (size_t)populations->levels];
    memset(own, 0, (size_t)populations->levels * sizeof *own);
    for (size_t n = 0; n < levels; n++)
        own[n] = state->density[n * levels + n];
    round->truncation_populations[at] = state->truncation_population;
    round->band_errors[at] = state->band_error;
    return mm_state_merits(state, &lane->eigen, &round->figures[at], error);
}

/* ----------------------------------------------------------------------------------------------- rounds */

/* Most collisions of a round: many only where every curve goes by powers. */
static int64_t longest_stretch(const struct mm_evolution *evolution)
{
    const int64_t next = evolution->collisions < 0 ? 0 : evolution->collisions;
    const size_t batch = (size_t)mm_protocol_batch(evolution->protocol, next, 0);
    for (size_t c = 0; c < evolution->plan->curve_count; c++)
        if (!mm_evolution_takes_powers(evolution, c, batch))
            return MM_STENCIL_STRETCH;
    return (int64_t)1 << MM_POWER_BITS;
}

/* Where the round ends; lists what it records. The first round records the initial state alone. */
static int64_t plan_round(struct mm_evolution *evolution)
{
    const struct mm_evolution_plan *plan = evolution->plan;
    struct mm_round *round = &evolution->round;
    const int64_t done = evolution->collisions, stretch = longest_stretch(evolution);
    int64_t end = done < 0 ? 0 : (done / stretch + 1) * stretch;
    for (size_t i = 0; i < plan->state_count; i++)
        if (plan->states[i] > done && plan->states[i] < end)
            end = plan->states[i];
    end = end < plan->collisions ? end : plan->collisions;
    round->record_count = 0;
    for (int64_t k = mm_evolution_next_record(plan, done); k <= end; k = mm_evolution_next_record(plan, k)) {
        round->k[round->record_count++] = k;
        if (round->record_count == MM_ROUND_RECORDS)
            end = k;
        if (k == plan->collisions)
            break;
    }
    round->state_wanted = false;
    for (size_t i = 0; i < plan->state_count; i++)
        round->state_wanted = round->state_wanted || plan->states[i] == end;
    const int64_t step = plan->energy_step;
    round->first_energy = step == 0 || done < 0 ? 0 : done / step + 1;
    round->energy_count = step == 0 ? 0 : (size_t)(end / step + 1 - round->first_energy);
    return end;
}

/* Takes one curve through the round. */
static mm_status run_curve(struct mm_evolution *evolution, struct mm_lane *lane, size_t curve, int64_t end,
                           struct mm_error *error)
{
    const struct mm_round *round = &evolution->round;
    mm_status status = evolution->collisions < 0 ? begin_curve(evolution, lane, curve, error) : MM_OK;
    for (size_t row = 0; row < round->record_count && status == MM_OK; row++) {
        status = advance_curve(evolution, lane, curve, round->k[row], error);
        if (status == MM_OK)
            status = record(evolution, lane, curve, row, error);
    }
    return status == MM_OK ? advance_curve(evolution, lane, curve, end, error) : status;
}

/* Makes *copy a copy of a state, in the memory that it has. */
static bool copy_state(const struct mm_state *state, struct mm_state *copy)
{
    const size_t size = (size_t)state->levels * (size_t)state->levels * sizeof *state->density;
    double *density = realloc(copy->density, size);
    if (density == NULL)
        return false;
    memcpy(density, state->density, size);
    *copy = *state;
    copy->density = density;
    return true;
}

/* Keeps the states before a round, whose curves may fail at different places. */
static mm_status keep_states(struct mm_evolution *evolution, struct mm_error *error)
{
    for (size_t c = 0; c < evolution->plan->curve_count; c++)
        if (!copy_state(&evolution->states[c], &evolution->before[c]))
            return mm_fail(error, MM_ERROR_MEMORY, "no memory for a density matrix of %d levels",
                           evolution->states[c].levels);
    return MM_OK;
}

/* Makes every curve stand where the round began, which then holds nothing. */
static void return_to_kept_states(struct mm_evolution *evolution)
{
    for (size_t c = 0; c < evolution->plan->curve_count; c++) {
        const struct mm_state reached = evolution->states[c];
        evolution->states[c] = evolution->before[c];
        evolution->before[c] = reached;
        mm_channel_powers_close(&evolution->runs[c].powers);
        evolution->runs[c] = (struct mm_curve_run){0};
    }
    evolution->round.record_count = evolution->round.energy_count = 0;
    evolution->round.state_wanted = false;
}

mm_status mm_evolution_advance(struct mm_evolution *evolution, struct mm_error *error)
{
    const size_t curves = evolution->plan->curve_count;
    mm_status worst = keep_states(evolution, error);
    if (worst != MM_OK)
        return worst;
    const int64_t end = plan_round(evolution);
#pragma omp parallel for schedule(dynamic, 1) num_threads(evolution->lane_count)
    for (size_t c = 0; c < curves; c++) {
        struct mm_error own = {0};
        mm_status status = run_curve(evolution, &evolution->lanes[omp_get_thread_num()], c, end, &own);
        if (status == MM_OK)
            continue;
#pragma omp critical(mm_evolution_failed)
        {
            worst = status;
            if (error != NULL)
                *error = own;
        }
    }
    if (worst == MM_OK)
        evolution->collisions = end;
    else
        return_to_kept_states(evolution);
    return worst;
}
