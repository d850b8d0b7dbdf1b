/* low_rank.c - passive energy of a state by a Cholesky factorisation that ends early.
 *
 * The eigenvalues of a charged state fall off geometrically: of 100 live levels 15 to 50 hold all but 1e-6 of its
 * trace. R = G G^T + S by Cholesky's method with the largest remaining diagonal element as pivot (Harbrecht, Peters
 * and Schneider, Appl. Numer. Math. 62, 428 (2012)), until the trace of S is small. With the eigenvalues r_k of
 * G^T G, descending, and its eigenvectors u_k, those of G G^T are r_k and v_k = G u_k / sqrt(r_k), and
 *
 *   passive energy = sum_k k r_k + p (Tr R - sum_k r_k),     its derivative = p 1 - sum_k (p - k) v_k v_k^T
 *
 * for a rank p: what is left over is counted as lying just above the others. Counted for L levels: L p^2 / 2
 * multiply-adds each for G and G^T G and L p^2 for the v_k, beside a spectrum of p levels instead of L.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cblas.h>

#include "solver/band_layout.h"
#include "spectrum/low_rank.h"
#include "base/memory.h"

void mm_low_rank_free(struct mm_low_rank *low)
{
    free(low->factor);
    free(low->left);
    free(low->directions);
    mm_eigen_free(&low->gram);
    *low = (struct mm_low_rank){0};
}

static mm_status reserve(struct mm_low_rank *low, int levels, struct mm_error *error)
{
    if (levels <= low->capacity)
        return MM_OK;
    const size_t size = (size_t)levels * (size_t)levels;
    mm_low_rank_free(low);
    low->factor = mm_allocate_doubles(size);
    low->left = mm_allocate_doubles((size_t)levels);
    low->directions = mm_allocate_doubles((size_t)levels * mm_eigen_stride(levels));
    if (!low->factor || !low->left || !low->directions) {
        mm_low_rank_free(low);
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for the factors of %d levels", levels);
    }
    low->capacity = levels;
    return MM_OK;
}

/* Column `pivot` of R. */
static void take_column(struct mm_band_state state, int pivot, double *column)
{
    for (int n = 0; n < state.levels; n++) {
        const int diagonal = n > pivot ? n - pivot : pivot - n, lower = n > pivot ? pivot : n;
        column[n] = diagonal < state.bands ? state.elements[mm_band_index(state.stride, diagonal, lower)] : 0.0;
    }
}

/* Level with the largest remaining diagonal element; *trace gets the sum of those that are positive. */
static int find_pivot(const double *left, int levels, double *trace)
{
    int pivot = 0;
    *trace = 0.0;
    for (int n = 0; n < levels; n++) {
        *trace += left[n] > 0.0 ? left[n] : 0.0;
        pivot = left[n] > left[pivot] ? n : pivot;
    }
    return pivot;
}

/* Finds G; returns its columns, or `most` where more would be needed. */
static int factorise(struct mm_low_rank *low, struct mm_band_state state, double tolerance, int most)
{
    const int levels = state.levels;
    for (int n = 0; n < levels; n++)
        low->left[n] = state.elements[n];
    for (int rank = 0; rank < most; rank++) {
        double trace, *column = low->factor + (size_t)rank * (size_t)levels;
        const int pivot = find_pivot(low->left, levels, &trace);
        if (trace <= tolerance)
            return rank;
        take_column(state, pivot, column);
        if (rank > 0)
            cblas_dgemv(CblasColMajor, CblasNoTrans, levels, rank, -1.0, low->factor, levels, low->factor + pivot,
                        levels, 1.0, column, 1);
        const double scale = 1.0 / sqrt(low->left[pivot]);
        for (int n = 0; n < levels; n++) {
            column[n] *= scale;
            low->left[n] -= column[n] * column[n];
        }
        low->left[pivot] = 0.0; /* but for rounding */
    }
    return most;
}

/* Turns the projector of G^T G into that of G G^T. */
static void apply_factor(struct mm_low_rank *low, int levels, struct mm_projector *projector)
{
    const size_t stride = mm_eigen_stride(levels);
    memset(low->directions, 0, (size_t)levels * stride * sizeof(double));
    cblas_dgemm(CblasColMajor, CblasNoTrans, CblasTrans, projector->count, levels, projector->levels, 1.0,
                projector->factor, (int)projector->factor_stride, low->factor, levels, 0.0, low->directions,
                (int)stride);
    projector->levels = levels;
    projector->factor = low->directions;
    projector->factor_stride = stride;
}

mm_status mm_low_rank_passive_energy(struct mm_low_rank *low, struct mm_band_state state, double tolerance,
                                     struct mm_projector *projector, double *energy, struct mm_error *error)
{
    const int most = 2 * state.levels / 3;
    mm_status status = reserve(low, state.levels, error);
    if (status != MM_OK)
        return status;
    *energy = NAN;
    const int rank = factorise(low, state, tolerance, most);
    if (rank == 0 || rank == most)
        return MM_OK;
    status = mm_eigen_reserve(&low->gram, rank, error);
    if (status != MM_OK)
        return status;
    cblas_dsyrk(CblasColMajor, CblasLower, CblasTrans, rank, state.levels, 1.0, low->factor, state.levels, 0.0,
                low->gram.matrix, rank);
    status = projector != NULL ? mm_eigen_passive_derivative(&low->gram, rank, true, energy, projector, error)
                               : mm_eigen_solve(&low->gram, rank, false, error);
    if (status != MM_OK)
        return status;
    double rest = 0.0;
    for (int n = 0; n < state.levels; n++)
        rest += state.elements[n];
    for (int k = 0; k < rank; k++)
        rest -= low->gram.values[k];
    *energy = mm_eigen_passive_energy(&low->gram, rank) + rank * rest;
    if (projector != NULL)
        apply_factor(low, state.levels, projector);
    return MM_OK;
}
