/* sums.c - the sums of a Wigner function on threads of the cpu. */
#include "wigner/wigner.h"

mm_status mm_cpu_wigner(const struct mm_wigner_work *work, struct mm_error *error)
{
    (void)error;
#pragma omp parallel for schedule(dynamic, 4) num_threads(work->threads)
    for (size_t first = 0; first < work->points->count; first += MM_WIGNER_TILE) {
        _Alignas(64) double x[MM_WIGNER_TILE];
        _Alignas(64) double p[MM_WIGNER_TILE];
        _Alignas(64) double sums[MM_WIGNER_SUMS * MM_WIGNER_TILE];
        mm_wigner_points_get(work->points, first, x, p);
        work->loops->tile(work->series, x, p, sums);
        mm_wigner_points_put(work->points, work->grid, first, sums, work->wigner);
    }
    return MM_OK;
}
