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

/* Rough tolerance from which the state may be in single precision, because a collision drops more than it rounds,
 * and the loss sees that. */
static const double SINGLE_STATE_TOLERANCE = 1e-6;

/* Runs the schedule; the tail's energy steps add up to *instability and leave their signs. */
static mm_status run_schedule(struct mm_cpu_run *run, double *instability, struct mm_error *error)
{
    const struct mm_tail tail = mm_problem_tail(run->problem);
    double before = 0.0;
    *instability = 0.0;
    for (int64_t k = 0; k < tail.end; k++) {
        mm_status status = mm_cpu_pass_mark(run, error);
        if (status == MM_OK && k == tail.start)
            before = mm_cpu_run_energy(run);
        if (status == MM_OK)
            status = mm_cpu_run_advance(run, error);
        if (status != MM_OK)
            return status;
        if (!mm_tail_has(tail, k + 1))
            continue;
        double energy = mm_cpu_run_energy(run), step = energy - before;
        *instability += mm_tail_value(step);
        run->tail_signs[mm_tail_place(tail, k + 1)] = mm_tail_sign(step);
        before = energy;
    }
    return mm_cpu_pass_mark(run, error);
}

/* Fills the figures of merit of the final state; the ergotropy is never negative. */
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

/* What of a run may be in single precision where the point may be rough. The energy steps of the tail are small
 * differences: they need doubles, and so does their share of a gradient, unless lambda is small. */
static struct mm_single_part single_part(const struct mm_cpu_run *run, const struct mm_point *point)
{
    const struct mm_tail tail = mm_problem_tail(run->problem);
    struct mm_single_part part = {0, 0};
    if (mm_gradient_may_be_rough(run->problem, point))
        part.adjoint = tail.start;
    if (mm_rough_tolerance(run->problem, point) >= SINGLE_STATE_TOLERANCE)
        part = (struct mm_single_part){tail.start, tail.end};
    return part;
}

/* Makes the adjoint, which holds dW/dR, that of the loss: by_ergotropy dW/dR + by_energy H + 2 by_purity R. */
static void begin_adjoint(struct mm_cpu_run *run, const struct mm_loss *loss)
{
    const size_t size = mm_cpu_run_matrix_bytes(run) / sizeof(double);
    double *adjoint = mm_cpu_run_adjoint(run);
    const double *state = mm_cpu_run_state(run);
    for (size_t i = 0; i < size; i++)
        adjoint[i] *= loss->by_ergotropy;
    for (int n = 0; loss->by_energy != 0.0 && n < run->window.levels; n++)
        adjoint[n] += loss->by_energy * n;
    for (size_t i = 0; loss->by_purity != 0.0 && i < size; i++)
        adjoint[i] += 2.0 * loss->by_purity * state[i];
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
    const struct mm_loss loss = mm_loss_finish(run->problem, point, &result);
    if (gradient != NULL && mm_loss_wants_gradient(point, &result)) {
        begin_adjoint(run, &loss);
        status = mm_cpu_adjoint_sweep(run, loss.by_instability, gradient, error);
    } else if (gradient != NULL) {
        for (size_t i = 0; i < mm_problem_free_batches(run->problem); i++)
            gradient[i] = (struct mm_channel_gradient){NAN, NAN};
    }
    if (status == MM_OK)
        *evaluation = result;
    return status;
}
