/* reference.h - what the reference backend does beyond its table: the complex density matrix, for tests of
 * what the real gauge hides. */
#ifndef MM_SOLVER_REFERENCE_H
#define MM_SOLVER_REFERENCE_H

#include <complex.h>

#include "micromaser.h"

/** Evolves the initial state through `collisions` collisions, as mm_solver_evolve, without going to the real gauge.
 *  @param point     its parameters and g are used
 *  @param energies  [collisions + 1], out: E after 0, 1, .. collisions; may be NULL
 *  @param state     out: levels, band_error and truncation_population; its density stays NULL
 *  @param density   out: rho, [levels][levels], row-major, Hermitian to rounding; the caller frees it
 *  Errors: MM_ERROR_MEMORY, MM_ERROR_LAPACK; nothing is written then. */
mm_status mm_reference_density(const struct mm_problem *problem, const struct mm_point *point, int64_t collisions,
                               double *energies, struct mm_state *state, double complex **density,
                               struct mm_error *error);

#endif
