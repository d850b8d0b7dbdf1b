/* twisted.cu - eigenvectors of tridiagonal matrices by twisted factorisations, a thread for each.
 *
 * The method is the cpu's, where its reasons are given (host/spectrum/twisted_loops.h); here a thread takes one
 * eigenvalue as often as it needs. U_- takes the place of what the way down leaves for gamma, and the vector that
 * of L_+.
 *
 * Neighbouring eigenvalues that are close have vectors whose angle is off by rounding over their relative gap, and
 * so is the product of the two, which is therefore looked at: where it is small enough, half of it is taken out of
 * each vector (spectrum/householder.cu).
 */
#include "device/check.cuh"
#include "spectrum/eigen.cuh"
#include "kernels/reduce.cuh"
#include "solver/spectrum.h"
#include "spectrum/tridiagonal.cuh"

namespace
{

constexpr int THREADS = 128;

/* What is missing in an eigenvalue, relative to it, beyond which its vector is found again. On the cpu a vector is
 * as good as its weight in a gradient asks for (MM_TWISTED_TOLERANCE); another pass costs little here, and all
 * vectors come to right angles. */
constexpr double FINE_TOLERANCE = 1e-13;

/* Product of neighbouring unit vectors beyond which both are the same. */
constexpr double OVERLAP_MOST = 0.99999;

/* One eigenvalue's part of a group; columns are read and written with a stride of the levels. */
struct twist {
    int levels;
    const double *pivots, *ratios, *products, *squares;
    double *lower; /* L_+, then the vector */
    double *upper; /* the top's part of gamma, then U_- */
};

__device__ struct twist find_twist(const struct mm_tridiagonal_group &group, int matrix, int k)
{
    return {group.levels,
            mm_tridiagonal_find(group, matrix, MM_ROW_PIVOTS),
            mm_tridiagonal_find(group, matrix, MM_ROW_RATIOS),
            mm_tridiagonal_find(group, matrix, MM_ROW_BELOW),
            mm_tridiagonal_find(group, matrix, MM_ROW_SQUARES),
            mm_tridiagonal_square(group, group.lower, matrix) + k,
            mm_tridiagonal_square(group, group.upper, matrix) + k};
}

/* L_+ from the top down; returns the last row's part of gamma. */
__device__ double factorise_down(const struct twist &twist, double lambda)
{
    double top = -lambda;
    for (int i = 0; i + 1 < twist.levels; i++) {
        const double lower = twist.products[i] / (top + twist.pivots[i] + MM_TWISTED_PIVOT);
        twist.lower[i * twist.levels] = lower;
        twist.upper[i * twist.levels] = top;
        top = lower * twist.ratios[i] * top - lambda;
    }
    return top;
}

/* The row of the smallest |gamma|, the first of several, and gamma. */
struct twist_row {
    int row;
    double gamma;
};

/* U_- from the bottom up. */
__device__ struct twist_row factorise_up(const struct twist &twist, double lambda, double top)
{
    const int last = twist.levels - 1;
    struct twist_row best = {last, top + twist.pivots[last]};
    double bottom = twist.pivots[last] - lambda;
    for (int i = last - 1; i >= 0; i--) {
        const double ratio = twist.pivots[i] / (bottom + twist.squares[i] + MM_TWISTED_PIVOT);
        double *place = twist.upper + i * twist.levels;
        const double gamma = *place + bottom * ratio;
        *place = ratio * twist.ratios[i];
        bottom = bottom * ratio - lambda;
        if (fabs(gamma) <= fabs(best.gamma))
            best = {i, gamma};
    }
    return best;
}

__device__ double flush(double element)
{
    return fabs(element) > MM_TWISTED_SMALLEST ? element : 0.0;
}

/* The vector, 1 where it is twisted; returns its square. All lanes go through all rows: they stay together. */
__device__ double fill_vector(const struct twist &twist, int row)
{
    double element = 0.0, square = 0.0;
    for (int i = twist.levels - 1; i >= 0; i--) {
        double *place = twist.lower + i * twist.levels;
        if (i <= row) {
            element = i == row ? 1.0 : flush(-*place * element);
            *place = element;
            square += element * element;
        }
    }
    element = 1.0;
    for (int i = 1; i < twist.levels; i++)
        if (i > row) {
            element = flush(-twist.upper[(i - 1) * twist.levels] * element);
            twist.lower[i * twist.levels] = element;
            square += element * element;
        }
    return square;
}

/* An eigenvector; returns whether the eigenvalue was, or could be brought, near enough for it.
 * @param lambda  of L D L^T
 * @param square  out: of the vector */
__device__ bool find_vector(const struct twist &twist, double lambda, double *square)
{
    double missing = INFINITY;
    for (int pass = 0; pass < MM_TWISTED_PASSES && !(fabs(missing) <= FINE_TOLERANCE * lambda); pass++) {
        const double top = factorise_down(twist, lambda);
        const struct twist_row best = factorise_up(twist, lambda, top);
        *square = fill_vector(twist, best.row);
        missing = best.gamma / *square;
        lambda += missing;
    }
    return fabs(missing) <= MM_TWISTED_TOLERANCE * lambda;
}

/* Product of a vector and the next one. */
__device__ double overlap_of(const struct twist &twist)
{
    double product = 0.0;
    for (int i = 0; i < twist.levels; i++)
        product += twist.lower[i * twist.levels] * twist.lower[i * twist.levels + 1];
    return product;
}

/* What vectors k-1, k and k+1 of T give to unit vector k of three at right angles, from the products of k-1 and k
 * and of k and k+1, at most one of which counts. Returns whether it does not take more. */
__device__ bool find_shares(const struct mm_tridiagonal_group &group, int matrix, int k)
{
    const double *overlaps = mm_tridiagonal_find(group, matrix, MM_ROW_OVERLAPS) + k,
                 *weights = mm_tridiagonal_find(group, matrix, MM_ROW_WEIGHTS) + k;
    const bool first = k == 0, last = k + 1 == group.populations[matrix];
    const double before = first ? 0.0 : overlaps[-1], after = last ? 0.0 : overlaps[0];
    const double in_before = rsqrt(1.0 + before), out_before = rsqrt(1.0 - before);
    const double in_after = rsqrt(1.0 + after), out_after = rsqrt(1.0 - after);
    mm_tridiagonal_find(group, matrix, MM_ROW_OWN)[k] =
        0.25 * (in_before + out_before) * (in_after + out_after) * weights[0];
    mm_tridiagonal_find(group, matrix, MM_ROW_BEFORE)[k] =
        first ? 0.0 : 0.5 * (in_before - out_before) * weights[-1];
    mm_tridiagonal_find(group, matrix, MM_ROW_AFTER)[k] = last ? 0.0 : 0.5 * (in_after - out_after) * weights[1];
    return fabs(after) <= OVERLAP_MOST && fmin(fabs(before), fabs(after)) <= MM_TWISTED_PRODUCT_MOST;
}

/* One block a matrix. Asking for four a multiprocessor keeps the compiler from spilling to fit five. */
__global__ void __launch_bounds__(THREADS, 4) twist_vectors(struct mm_tridiagonal_group group)
{
    const int matrix = static_cast<int>(blockIdx.x), levels = group.levels;
    if (group.info[matrix] != 0)
        return;
    const int populations = group.populations[matrix];
    const double *values = group.values + static_cast<size_t>(matrix) * static_cast<size_t>(levels);
    double *overlaps = mm_tridiagonal_find(group, matrix, MM_ROW_OVERLAPS),
           *weights = mm_tridiagonal_find(group, matrix, MM_ROW_WEIGHTS);
    bool good = true;
    for (int k = static_cast<int>(threadIdx.x); k < populations; k += THREADS) {
        const double lambda = values[levels - 1 - k] + group.shifts[matrix];
        double square = 1.0;
        good = find_vector(find_twist(group, matrix, k), lambda, &square) && good;
        weights[k] = 1.0 / sqrt(square);
    }
    __syncthreads();
    for (int k = static_cast<int>(threadIdx.x); k + 1 < populations; k += THREADS)
        overlaps[k] = weights[k] * weights[k + 1] * overlap_of(find_twist(group, matrix, k));
    __syncthreads();
    for (int k = static_cast<int>(threadIdx.x); k < populations; k += THREADS)
        good = find_shares(group, matrix, k) && good;
    if (!__syncthreads_and(good) && threadIdx.x == 0)
        group.info[matrix] = MM_EIGEN_REJECTED;
}

} // namespace

mm_status mm_cuda_tridiagonal_vectors(const struct mm_tridiagonal_group &group, cudaStream_t stream,
                                      struct mm_error *error)
{
    MM_CUDA_CHECK(error,
                  MM_LAUNCH(twist_vectors, static_cast<unsigned int>(group.count), THREADS, 0, stream, group));
    return MM_OK;
}
