/* bisection.cu - eigenvalues of tridiagonal matrices by bisection, a thread for each, and L D L^T of them.
 *
 * The signs of the leading minors of T - x, p_i = (d_i - x) p_{i-1} - b_{i-1}^2 p_{i-2}, change as often as T has
 * eigenvalues below x (Givens; Golub and Van Loan, Matrix Computations, 8.4.1): no division. Every eigenvalue is
 * halved in from the same bounds, so that the threads of a warp stay together.
 *
 * Counted for n levels: 55 halvings of n rows at three operations of the FP64 unit, for n = 100 some 7e4 of a warp.
 */
#include "device/check.cuh"
#include "spectrum/eigen.cuh"
#include "kernels/reduce.cuh"
#include "solver/spectrum.h"
#include "spectrum/tridiagonal.cuh"

namespace
{

constexpr int THREADS = 128;
constexpr int HALVINGS = 55;        /* to an eighth of what rounds in a number of the size of the bound */
constexpr int RESCALE_INTERVAL = 8; /* rows after which a minor is brought back to the size of 1 */

/* Stands for a minor that vanishes, and is lost in any other: within the interval a row makes a minor smaller by
 * what it rounds at most, some 1e-17. */
constexpr double MINOR_ZERO = 1e-280;

/* Rows d_i and b_{i-1}^2 of T, b_{-1} = 0. */
struct tridiagonal {
    int levels;
    const double2 *rows; /* [levels] */
};

/* The power of two that brings a number to between 1 and 2; NAN stays what it is by it. */
__device__ double power_to_one(double number)
{
    const long long exponent = __double_as_longlong(number) >> 52 & 0x7ff;
    return __longlong_as_double((2046 - exponent) * (1LL << 52));
}

/* Eigenvalues below x. */
__device__ int count_below(const struct tridiagonal &matrix, double x)
{
    double before = 0.0, minor = 1.0;
    int count = 0;
    for (int start = 0; start < matrix.levels; start += RESCALE_INTERVAL) {
        const int end = min(start + RESCALE_INTERVAL, matrix.levels);
        for (int i = start; i < end; i++) {
            const double2 row = matrix.rows[i];
            const double next = (row.x - x) * minor + (MINOR_ZERO - row.y * before);
            count += (__double_as_longlong(next) ^ __double_as_longlong(minor)) < 0;
            before = minor;
            minor = next;
        }
        const double factor = power_to_one(minor);
        before *= factor;
        minor *= factor;
    }
    return count;
}

/* No eigenvalue is larger in size (Gershgorin). */
__device__ double bound_of(const struct tridiagonal &matrix)
{
    double diagonal = 0.0, square = 0.0;
    for (int i = 0; i < matrix.levels; i++) {
        diagonal = fmax(diagonal, fabs(matrix.rows[i].x));
        square = fmax(square, matrix.rows[i].y);
    }
    return diagonal + 2.0 * sqrt(square);
}

/* Whether T has neither infinities nor NAN, which comparisons do not see. */
__device__ bool is_finite(const struct tridiagonal &matrix)
{
    double sum = 0.0;
    for (int i = 0; i < matrix.levels; i++)
        sum += fabs(matrix.rows[i].x) + matrix.rows[i].y;
    return isfinite(sum);
}

/* Eigenvalue `index`, ascending. */
__device__ double find_value(const struct tridiagonal &matrix, int index, double bound)
{
    double low = -bound, high = bound;
    for (int halving = 0; halving < HALVINGS; halving++) {
        const double middle = 0.5 * (low + high);
        if (count_below(matrix, middle) > index)
            high = middle;
        else
            low = middle;
    }
    return 0.5 * (low + high);
}

/* T + shift = L D L^T; returns whether D is positive. */
__device__ bool factorise(const struct mm_tridiagonal_group &group, int matrix, double shift)
{
    const struct mm_tridiagonal_factors factors = {group.levels,
                                                   mm_tridiagonal_find(group, matrix, MM_ROW_DIAGONAL),
                                                   mm_tridiagonal_find(group, matrix, MM_ROW_BELOW),
                                                   mm_tridiagonal_find(group, matrix, MM_ROW_PIVOTS),
                                                   mm_tridiagonal_find(group, matrix, MM_ROW_RATIOS),
                                                   mm_tridiagonal_find(group, matrix, MM_ROW_SQUARES)};
    return mm_factorise(factors, shift);
}

/* One block a matrix. */
__global__ void __launch_bounds__(THREADS)
    bisect_values(struct mm_tridiagonal_group group, struct mm_chain_batch batch, const int *order, bool factors)
{
    MM_DYNAMIC_SHARED(double2, rows);
    const int levels = group.levels, matrix = static_cast<int>(blockIdx.x);
    double *values = group.values + static_cast<size_t>(matrix) * static_cast<size_t>(levels);
    const double *diagonal = mm_tridiagonal_find(group, matrix, MM_ROW_DIAGONAL),
                 *below = mm_tridiagonal_find(group, matrix, MM_ROW_BELOW);
    for (int i = static_cast<int>(threadIdx.x); i < levels; i += THREADS)
        rows[i] = make_double2(diagonal[i], i > 0 ? below[i - 1] * below[i - 1] : 0.0);
    __syncthreads();
    const struct tridiagonal tridiagonal = {levels, rows};
    const double bound = bound_of(tridiagonal);
    for (int i = static_cast<int>(threadIdx.x); i < levels; i += THREADS)
        values[i] = find_value(tridiagonal, i, bound);
    __syncthreads();
    if (threadIdx.x > 0)
        return;
    bool found = is_finite(tridiagonal);
    if (factors) {
        double shift = 0.0;
        const double dropped = batch.chains[order[matrix]].band_error;
        const int populations = found ? mm_count_populations(values, levels, dropped, &shift) : 0;
        found = populations > 0 && factorise(group, matrix, shift);
        group.populations[matrix] = populations;
        group.shifts[matrix] = shift;
    }
    group.info[matrix] = found ? 0 : MM_EIGEN_REJECTED;
}

} // namespace

mm_status mm_cuda_tridiagonal_values(const struct mm_tridiagonal_group &group, const struct mm_chain_batch &batch,
                                     const int *order, bool factors, cudaStream_t stream, struct mm_error *error)
{
    const size_t bytes = static_cast<size_t>(group.levels) * sizeof(double2);
    MM_CUDA_CHECK(error, MM_LAUNCH(bisect_values, static_cast<unsigned int>(group.count), THREADS, bytes, stream,
                                   group, batch, order, factors));
    return MM_OK;
}
