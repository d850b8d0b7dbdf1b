/* cpu_evaluate.c - loss and gradient of one chain on the cpu backend: forward run, spectrum, adjoint sweep. */
#include <math.h>
#include <string.h>

#include "cpu_run.h"
#include "loss.h"

/** Collision at which the first free batch begins; what comes before has no derivative. */
static int64_t first_free_collision(const struct mm_cpu_run *run)
{
    int64_t first = 0;
    for (size_t b = 0; run->problem->batches[b].fixed; b++)
        first = run->batch_ends[b];
    return first;
}

static int sign(double value)
{
    return (value > 0.0) - (value < 0.0);
}

/** Runs the schedule; the tail's energy steps add up to *instability and leave their signs.
 *  @param first  collision of the first checkpoint, or -1 for none */
static mm_status run_schedule(struct mm_cpu_run *run, int64_t first, double *instability, struct mm_error *error)
{
    const int64_t collisions = mm_problem_collisions(run->problem);
    const int64_t tail_start = collisions - run->problem->tail;
    const int64_t spacing = first < 0 ? 0 : mm_cpu_checkpoint_spacing(run, collisions - first);
    run->checkpoint_spacing = spacing;
    double before = 0.0;
    *instability = 0.0;
    for (int64_t k = 0; k < collisions; k++) {
        mm_status status = MM_OK;
        if (first >= 0 && k >= first && (k - first) % spacing == 0)
            status = mm_cpu_checkpoint_save(run, 0, (k - first) / spacing, error);
        if (status == MM_OK && k == tail_start)
            before = mm_cpu_run_energy(run);
        if (status == MM_OK)
            status = mm_cpu_run_prepare(run, run->state, error);
        if (status != MM_OK)
            return status;
        mm_cpu_run_collide(run, run->state, run->state);
        if (k < tail_start)
            continue;
        double energy = mm_cpu_run_energy(run), step = energy - before;
        *instability += step < 0.0 ? -step : step;
        run->tail_signs[k - tail_start] = (int8_t)sign(step);
        before = energy;
    }
    return MM_OK;
}

/** Fills the figures of merit of the final state; the ergotropy is never negative. */
static mm_status figures_of_merit(struct mm_cpu_run *run, bool derivative, struct mm_evaluation *evaluation,
                                  struct mm_error *error)
{
    double passive;
    if (derivative)
        memset(run->adjoint, 0, mm_cpu_run_matrix_size(run) * sizeof(double));
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

mm_status mm_cpu_evaluate(struct mm_cpu_run *run, const struct mm_point *point, struct mm_evaluation *evaluation,
                          struct mm_channel_gradient *gradient, struct mm_error *error)
{
    struct mm_evaluation result = {0};
    const int64_t first = gradient == NULL ? -1 : first_free_collision(run);
    mm_status status = mm_cpu_run_start(run, point, gradient != NULL, error);
    if (status == MM_OK)
        status = run_schedule(run, first, &result.instability, error);
    if (status == MM_OK)
        status = figures_of_merit(run, gradient != NULL, &result, error);
    if (status != MM_OK)
        return status;
    double by_ergotropy = mm_loss_finish(run->problem, point, &result);
    if (gradient != NULL && mm_loss_wants_gradient(point, &result)) {
        for (size_t i = 0; i < mm_cpu_run_matrix_size(run); i++)
            run->adjoint[i] *= by_ergotropy;
        status = mm_cpu_adjoint_sweep(run, first, point->lambda, gradient, error);
    } else if (gradient != NULL) {
        for (size_t i = 0; i < mm_problem_free_batches(run->problem); i++)
            gradient[i] = (struct mm_channel_gradient){NAN, NAN};
    }
    if (status == MM_OK)
        *evaluation = result;
    return status;
}
