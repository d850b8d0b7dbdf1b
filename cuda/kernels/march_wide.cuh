/* march_wide.cuh - one collision of a column in global memory, forward or backward. */
#ifndef MM_CUDA_KERNELS_MARCH_WIDE_CUH
#define MM_CUDA_KERNELS_MARCH_WIDE_CUH

#include "kernels/band_wide.cuh"
#include "kernels/direction.cuh"

/** Column m of target = window of Phi(source), or of Phi^T(source). */
template <enum mm_direction DIRECTION>
__device__ static inline void mm_wide_collide_column(const struct mm_wide_tables &tables,
                                                     const struct mm_wide_matrix &source, double *target,
                                                     struct mm_window window, struct mm_qubit qubit, int m)
{
    const struct mm_forward_factors column = mm_direction_column<DIRECTION>(qubit, mm_wide_column(tables, m));
    const int bands = min(window.bands, window.levels - m);
    double own = mm_wide_element(source, 0, m), below = mm_wide_element(source, 1, m);
    const double left = mm_wide_element(source, 1, m - 1);
    struct mm_forward_march march = mm_forward_start(&column, left, mm_wide_element(source, 0, m - 1));
    mm_forward_element(&column, mm_direction_row<DIRECTION>(mm_wide_row(tables, m)), own, left, below, &march);
    for (int d = 1; d <= bands; d++) {
        own = below;
        below = mm_wide_element(source, d + 1, m);
        target[(size_t)(d - 1) * (size_t)source.columns + (size_t)m] = mm_forward_element(
            &column, mm_direction_row<DIRECTION>(mm_wide_row(tables, m + d)), own,
            mm_wide_element(source, d + 1, m - 1), mm_wide_element(source, d - 1, m + 1), &march);
    }
}

#endif
