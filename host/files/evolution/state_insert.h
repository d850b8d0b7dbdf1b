/* state_insert.h - puts one more state between those of an evolution file. */
#ifndef MM_FILES_EVOLUTION_STATE_INSERT_H
#define MM_FILES_EVOLUTION_STATE_INSERT_H

#include "files/hdf5/write.h"

/** Inserts a row into /state/k, /state/density_matrix and /state/population, and into /state/wigner where that
 * reaches so far (NaN, to be filled by the caller). The axes of levels grow where the states have more levels.
 *  @param file    open for writing; its datasets are those that an evolution writes
 *  @param row     of the new state; later rows move on by one
 *  @param states  [curves]
 *  Failures are remembered in *hdf5. */
void mm_evolution_insert_state(struct mm_hdf5 *hdf5, hid_t file, size_t row, int64_t k, size_t curves,
                               const struct mm_state *states);

/** rho_nm = (-i)^(n-m) R_nm as pairs of real and imaginary parts, [levels][levels][2]. */
void mm_evolution_physical_gauge(const struct mm_state *state, double *pairs);

#endif
