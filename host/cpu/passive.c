/* passive.c - passive energy of the cpu backend's banded state, and dW/dR for the adjoint.
 *
 * Eq. 10: W = E - sum_k k r_k with the eigenvalues r_k of R sorted descending. Its derivative by the state is
 * dW/dR = H - sum_k k v_k v_k^T (Hellmann-Feynman), of which the adjoint needs the window of the state only.
 */
#include <math.h>
#include <stdlib.h>

#include "solver/band_layout.h"
#include "cpu/run.h"
#include "model/problem.h"

static const double LOW_RANK_TOLERANCE = 1e-8; /* finer ones need most of the spectrum */

struct population {
    double value;
    int level;
};

/* Descending; equal populations in the order of their levels. */
static int compare_populations(const void *a, const void *b)
{
    const struct population *left = a, *right = b;
    if (left->value != right->value)
        return left->value < right->value ? 1 : -1;
    return (left->level > right->level) - (left->level < right->level);
}

/* A diagonal state is its own spectrum: rank k of level n replaces the projector. */
static mm_status diagonal_passive_energy(struct mm_cpu_run *run, bool derivative, double *energy,
                                         struct mm_error *error)
{
    const double *state = mm_cpu_run_state(run);
    int levels = run->window.levels;
    struct population *populations = malloc((size_t)levels * sizeof *populations);
    if (populations == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory to sort %d populations", levels);
    for (int n = 0; n < levels; n++)
        populations[n] = (struct population){state[n], n};
    qsort(populations, (size_t)levels, sizeof *populations, compare_populations);
    *energy = 0.0;
    for (int k = levels - 1; k >= 0; k--) {
        *energy += k * populations[k].value;
        if (derivative)
            mm_cpu_run_adjoint(run)[populations[k].level] = populations[k].level - k;
    }
    free(populations);
    return MM_OK;
}

/* Lower triangle of the live block as LAPACK wants it. */
static void gather(struct mm_cpu_run *run)
{
    const double *state = mm_cpu_run_state(run);
    int levels = run->window.levels;
    for (int m = 0; m < levels; m++) {
        double *column = run->eigen.matrix + (size_t)m * (size_t)levels + (size_t)m;
        int below = levels - m;
        int bands = below < run->window.bands ? below : run->window.bands;
        for (int d = 0; d < bands; d++)
            column[d] = state[mm_band_index(run->stride, d, m)];
        for (int d = bands; d < below; d++)
            column[d] = 0.0;
    }
}

/* The window of H minus the derivative of the passive energy. */
static void fill_derivative(struct mm_cpu_run *run, struct mm_projector projector)
{
    double *adjoint = mm_cpu_run_adjoint(run);
    for (int m = 0; m < run->window.levels; m++)
        adjoint[m] = m - projector.count;
    projector.bands = run->window.bands;
    projector.target = adjoint;
    projector.target_stride = run->stride;
    run->spectrum_loops->add_projector(&projector);
}

/* From the whole spectrum. */
static mm_status dense_passive_energy(struct mm_cpu_run *run, struct mm_projector *projector, double *energy,
                                      struct mm_error *error)
{
    const int levels = run->window.levels;
    run->eigen.loops = run->spectrum_loops;
    gather(run);
    if (projector != NULL)
        return mm_eigen_passive_derivative(&run->eigen, levels, false, energy, projector, error);
    mm_status status = mm_eigen_solve(&run->eigen, levels, false, error);
    if (status == MM_OK)
        *energy = mm_eigen_passive_energy(&run->eigen, levels);
    return status;
}

/* From the part of it that matters to a rough value, all but the tolerance of a band; *energy is NAN where that is
 * most of it. */
static mm_status rough_passive_energy(struct mm_cpu_run *run, struct mm_projector *projector, double *energy,
                                      struct mm_error *error)
{
    const struct mm_band_state state = {mm_cpu_run_state(run), run->stride, run->window.levels, run->window.bands};
    run->low_rank.gram.loops = run->spectrum_loops;
    return mm_low_rank_passive_energy(&run->low_rank, state, run->band_tolerance, projector, energy, error);
}

/* Whether the band of a rough point is so coarse that a part of the spectrum does. */
static bool may_leave_out(const struct mm_cpu_run *run)
{
    return mm_tolerance_is_rough(run->problem, run->band_tolerance) && run->band_tolerance >= LOW_RANK_TOLERANCE;
}

mm_status mm_cpu_passive_energy(struct mm_cpu_run *run, bool derivative, double *energy, struct mm_error *error)
{
    if (run->window.bands == 1)
        return diagonal_passive_energy(run, derivative, energy, error);
    struct mm_projector projector, *wanted = derivative ? &projector : NULL;
    mm_status status = mm_eigen_reserve(&run->eigen, run->window.levels, error);
    *energy = NAN;
    if (status == MM_OK && may_leave_out(run))
        status = rough_passive_energy(run, wanted, energy, error);
    if (status == MM_OK && isnan(*energy))
        status = dense_passive_energy(run, wanted, energy, error);
    if (status == MM_OK && derivative)
        fill_derivative(run, projector);
    return status;
}
