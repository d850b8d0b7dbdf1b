/* projector_loops.h - the part of F F^T that a band matrix keeps, included once per instruction set.
 *
 * Tiles of four rows and four columns: sixteen multiply-adds for eight loads, and the lanes are summed once at the
 * end of a tile.
 */
#include "solver/band_layout.h"
#include "base/lanes.h"
#include "spectrum/loops.h"

enum { TILE = 4 };

/** Products of rows n .. n+3 and m .. m+3 of F; rows beyond the last one repeat it. */
MM_INLINE void multiply_tile(const struct mm_projector *projector, int n, int m, double products[TILE][TILE])
{
    const double *left[TILE], *right[TILE];
    const mm_vector zero = {0};
    mm_vector sums[TILE][TILE];
    for (int i = 0; i < TILE; i++) {
        const int last = projector->levels - 1;
        left[i] = projector->factor + (size_t)(n + i < last ? n + i : last) * projector->factor_stride;
        right[i] = projector->factor + (size_t)(m + i < last ? m + i : last) * projector->factor_stride;
        for (int j = 0; j < TILE; j++)
            sums[i][j] = zero;
    }
    for (int k = 0; k < projector->count; k += MM_VECTOR_LENGTH)
        for (int i = 0; i < TILE; i++)
            for (int j = 0; j < TILE; j++)
                sums[i][j] += load(left[i] + k) * load(right[j] + k);
    for (int i = 0; i < TILE; i++)
        sum_four(sums[i], products[i]);
}

/** Adds a tile's products to the target, where it has room for them. */
static void add_tile(const struct mm_projector *projector, int n, int m, double products[TILE][TILE])
{
    for (int i = 0; i < TILE && n + i < projector->levels; i++)
        for (int j = 0; j < TILE; j++) {
            const int diagonal = n + i - m - j;
            if (diagonal >= 0 && diagonal < projector->bands)
                projector->target[mm_band_index(projector->target_stride, diagonal, m + j)] += products[i][j];
        }
}

static void add_projector(const struct mm_projector *projector)
{
    for (int m = 0; m < projector->levels; m += TILE)
        for (int n = m; n < projector->levels && n < m + TILE - 1 + projector->bands; n += TILE) {
            double products[TILE][TILE];
            multiply_tile(projector, n, m, products);
            add_tile(projector, n, m, products);
        }
}
