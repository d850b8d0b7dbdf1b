/* evaluate.c - loss and gradient of one chain on the cpu backend: forward run, spectrum, adjoint sweep.
 *
 * A point whose own band tolerance is larger than the problem's may be rough (mm_tolerance_is_rough). From a
 * tolerance of 1e-8 on (ROUGH_GRADIENT_TOLERANCE) its gradient is taken in single precision and from fewer
 * collisions, from 1e-6 on (SINGLE_STATE_TOLERANCE) its state before the tail is in single precision, both times
 * lambda where that is above 1; and its spectrum leaves out as much as the tolerance (LOW_RANK_TOLERANCE). Where
 * gradients are wanted the band is wider than for a loss, so that bits depend on whether they are.
 */
#include <math.h>
#include <string.h>

#include "cpu/run.h"
#include "model/loss.h"
#include "model/problem.h"

/** Rough tolerance from which the state may be in single precision, because a collision drops more than it rounds,
 * and the loss sees that. */
static const double SINGLE_STATE_TOLERANCE = 1e-6;

static int sign(double value)
{
    return (value > 0.0) - (value < 0.0);
}

/** Runs the schedule; the tail's energy steps add up to *instability and leave their signs. */
static mm_status run_schedule(struct mm_cpu_run *run, double *instability, struct mm_error *error)
{
    const int64_t collisions = mm_problem_collisions(run->problem);
    const int64_t tail_start = collisions - run->problem->tail;
    double before = 0.0;
    *instability = 0.0;
    for (int64_t k = 0; k < collisions; k++) {
        mm_status status = mm_cpu_pass_mark(run, error);
        if (status == MM_OK && k == tail_start)
            before = mm_cpu_run_energy(run);
        if (status == MM_OK)
            status = mm_cpu_run_advance(run, error);
        if (status != MM_OK)
            return status;
        if (k < tail_start)
            continue;
        double energy = mm_cpu_run_energy(run), step = energy - before;
        *instability += step < 0.0 ? -step : step;
        run->tail_signs[k - tail_start] = (int8_t)sign(step);
        before = energy;
    }
    return mm_cpu_pass_mark(run, error);
}

/** Fills the figures of merit of the final state; the ergotropy is never negative. */
static mm_status figures_of_merit(struct mm_cpu_run *run, bool derivative, struct mm_evaluation *evaluation,
                                  struct mm_error *error)
{
    double passive;
    if (derivative)
        memset(mm_cpu_run_adjoint(run), 0, mm_cpu_run_matrix_bytes(run));
    mm_status status = mm_cpu_passive_energy(run, derivative, &passive, error);
    if (status != MM_OK)
        return status;
    evaluation->energy = mm_cpu_run_energy(run);
    evaluation->ergotropy = evaluation->energy > passive ? evaluation->energy - passive : 0.0;
    evaluation->purity = mm_cpu_run_purity(run);
    evaluation->band_error = run->band_error;
    evaluation->truncation_population = run->truncation_population;
    evaluation->levels = run->problem->levels == MM_LEVELS_AUTO ? run->window.levels : run->problem->levels;
    return MM_OK;
}

/** What of a run may be in single precision where the point may be rough. The energy steps of the tail are small
 * differences: they need doubles, and so does their share of a gradient, unless lambda is small. */
static struct mm_single_part single_part(const struct mm_cpu_run *run, const struct mm_point *point)
{
    const int64_t collisions = mm_problem_collisions(run->problem), before_tail = collisions - run->problem->tail;
    struct mm_single_part part = {0, 0};
    if (mm_gradient_may_be_rough(run->problem, point))
        part.adjoint = before_tail;
    if (mm_rough_tolerance(run->problem, point) >= SINGLE_STATE_TOLERANCE)
        part = (struct mm_single_part){before_tail, collisions};
    return part;
}

mm_status mm_cpu_evaluate(struct mm_cpu_run *run, const struct mm_sweep_plans *plans, const struct mm_point *point,
                          struct mm_evaluation *evaluation, struct mm_channel_gradient *gradient,
                          struct mm_error *error)
{
    struct mm_evaluation result = {0};
    const struct mm_single_part single = single_part(run, point);
    const struct mm_sweep_plan *plan = NULL;
    if (gradient != NULL)
        plan = mm_gradient_may_be_rough(run->problem, point) ? &plans->rough : &plans->exact;
    mm_status status = mm_cpu_run_start(run, point, gradient != NULL, &single, error);
    if (status == MM_OK)
        status = mm_cpu_follow_plan(run, plan, point->lambda, error);
    if (status == MM_OK)
        status = run_schedule(run, &result.instability, error);
    if (status == MM_OK)
        status = figures_of_merit(run, gradient != NULL, &result, error);
    if (status != MM_OK)
        return status;
    double by_ergotropy = mm_loss_finish(run->problem, point, &result);
    if (gradient != NULL && mm_loss_wants_gradient(point, &result)) {
        const size_t size = mm_cpu_run_matrix_bytes(run) / sizeof(double);
        double *adjoint = mm_cpu_run_adjoint(run);
        for (size_t i = 0; i < size; i++)
            adjoint[i] *= by_ergotropy;
        status = mm_cpu_adjoint_sweep(run, point->lambda, gradient, error);
    } else if (gradient != NULL) {
        for (size_t i = 0; i < mm_problem_free_batches(run->problem); i++)
            gradient[i] = (struct mm_channel_gradient){NAN, NAN};
    }
    if (status == MM_OK)
        *evaluation = result;
    return status;
}
