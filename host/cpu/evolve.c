/* evolve.c - one state through any number of collisions on the cpu backend, of a protocol or given one by one.
 */
#include <stdlib.h>

#include "solver/band_layout.h"
#include "cpu/run.h"

/* Replaces a state by the run's, as a full matrix. */
static mm_status take_state(const struct mm_cpu_run *run, struct mm_state *state, struct mm_error *error)
{
    const int levels = run->problem->levels == MM_LEVELS_AUTO ? run->window.levels : run->problem->levels;
    double *density = calloc((size_t)levels * (size_t)levels, sizeof *density);
    if (density == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for a density matrix of %d levels", levels);
    for (int d = 0; d < run->window.bands; d++)
        for (int m = 0; m < run->window.levels - d; m++) {
            double element = mm_cpu_run_state(run)[mm_band_index(run->stride, d, m)];
            density[(size_t)(m + d) * (size_t)levels + (size_t)m] = element;
            density[(size_t)m * (size_t)levels + (size_t)(m + d)] = element;
        }
    free(state->density);
    *state = (struct mm_state){
        .levels = levels,
        .density = density,
        .collisions = run->collision,
        .band_error = run->band_error,
        .truncation_population = run->truncation_population,
    };
    return MM_OK;
}

mm_status mm_cpu_evolve(struct mm_cpu_run *run, const struct mm_point *point, int64_t collisions, double *energies,
                        struct mm_state *state, struct mm_error *error)
{
    mm_status status = mm_cpu_run_resume(run, point, state, error);
    if (status == MM_OK && energies != NULL)
        energies[0] = mm_cpu_run_energy(run);
    for (int64_t k = 0; k < collisions && status == MM_OK; k++) {
        status = mm_cpu_run_advance(run, error);
        if (status == MM_OK && energies != NULL)
            energies[k + 1] = mm_cpu_run_energy(run);
    }
    return status == MM_OK ? take_state(run, state, error) : status;
}

mm_status mm_cpu_evolve_drawn(struct mm_cpu_run *run, const struct mm_drawn_collision *drawn, int64_t collisions,
                              struct mm_state *state, struct mm_error *error)
{
    mm_status status = mm_cpu_run_resume_drawn(run, drawn[0].g, state, error);
    for (int64_t k = 0; k < collisions && status == MM_OK; k++)
        status = mm_cpu_run_advance_drawn(run, &drawn[k], error);
    return status == MM_OK ? take_state(run, state, error) : status;
}
