/* merits.c - energy, ergotropy and purity of a state, whatever backend it comes from.
 *
 * E = sum_n n R_nn, purity = sum_nm R_nm^2 and, with the eigenvalues r_k of R in descending order,
 * W = E - sum_k k r_k (Eq. 10). Levels above the highest one that is not empty have no part in it.
 */
#include "spectrum/merits.h"

/* Levels up to the highest one with an element that is not zero. */
static int live_levels(const struct mm_state *state)
{
    const size_t levels = (size_t)state->levels;
    for (size_t n = levels; n-- > 1;)
        for (size_t m = 0; m <= n; m++)
            if (state->density[n * levels + m] != 0.0)
                return (int)n + 1;
    return 1;
}

/* Lower triangle of the live block as LAPACK wants it, column by column; the matrix is symmetric. */
static void gather(const struct mm_state *state, int live, double *matrix)
{
    for (int m = 0; m < live; m++)
        for (int n = m; n < live; n++)
            matrix[m * live + n] = state->density[(size_t)m * (size_t)state->levels + (size_t)n];
}

mm_status mm_state_merits(const struct mm_state *state, struct mm_eigen *eigen, struct mm_merits *figures,
                          struct mm_error *error)
{
    const int live = live_levels(state);
    mm_status status = mm_eigen_reserve(eigen, live, error);
    if (status != MM_OK)
        return status;
    struct mm_merits found = {0};
    for (size_t n = 0; n < (size_t)live; n++) {
        const double *row = &state->density[n * (size_t)state->levels];
        found.energy += (double)n * row[n];
        for (size_t m = 0; m < (size_t)live; m++)
            found.purity += row[m] * row[m];
    }
    gather(state, live, eigen->matrix);
    status = mm_eigen_solve(eigen, live, false, error);
    if (status != MM_OK)
        return status;
    const double passive = mm_eigen_passive_energy(eigen, live);
    found.ergotropy = found.energy > passive ? found.energy - passive : 0.0;
    *figures = found;
    return MM_OK;
}
