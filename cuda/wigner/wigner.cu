/* wigner.cu - the sums of a Wigner function on a device: the twin of wigner/loops.h.
 *
 * A thread has POINTS points, as a vector there has lanes, so that a term read serves three multiply-adds of each:
 * the 24 bytes, which all threads of a warp read from the same place, then cost half of what the arithmetic does.
 * Nothing else is read or written before the sums, 32 bytes a point, at the end.
 */
#include "wigner/wigner.cuh"

#include <cstdint>
#include <cstdlib>

#include "device/check.cuh"
#include "device/memory.cuh"

namespace
{

constexpr int POINTS = 4;
constexpr unsigned BLOCK_THREADS = 128;
constexpr int FOLD_TERMS = 16;
constexpr int FOLD_BITS = 256;
constexpr double FOLD_ABOVE = 0x1p256;
constexpr double FOLD_SCALE = 0x1p-256;

/* exp(-t/2) z^d / sqrt(d!), as value * 2^(FOLD_BITS * power). */
struct angular {
    double z_real, z_imaginary;
    double real, imaginary;
    int power;
};

/* The sum over the terms of a diagonal, as value * 2^(FOLD_BITS * power). */
struct radial {
    double sum;
    int power;
};

__device__ struct angular start_angular(double x, double p)
{
    const double root_two = 1.4142135623730951, bits_of_one = 1.4426950408889634; /* log2(e) */
    struct angular angular = {-root_two * p, root_two * x, 0.0, 0.0, 0};
    const double t = angular.z_real * angular.z_real + angular.z_imaginary * angular.z_imaginary;
    const double bits = -0.5 * bits_of_one * t;
    const double folds = rint(bits / FOLD_BITS);
    angular.real = exp2(bits - FOLD_BITS * folds);
    angular.power = static_cast<int>(folds);
    return angular;
}

/* From d - 1 to d. */
__device__ void advance_angular(struct angular *angular, double inverse_root_d)
{
    const double real = angular->real * angular->z_real - angular->imaginary * angular->z_imaginary;
    const double imaginary = angular->real * angular->z_imaginary + angular->imaginary * angular->z_real;
    const double size = fabs(real) + fabs(imaginary);
    double scale = inverse_root_d;
    if (size > FOLD_ABOVE) {
        scale *= FOLD_SCALE;
        angular->power++;
    } else if (size < FOLD_SCALE) {
        scale *= FOLD_ABOVE;
        angular->power--;
    }
    angular->real = real * scale;
    angular->imaginary = imaginary * scale;
}

__device__ void fold(double *present, double *previous, struct radial *radial)
{
    if (!(fabs(*present) > FOLD_ABOVE))
        return;
    *present *= FOLD_SCALE;
    *previous *= FOLD_SCALE;
    radial->sum *= FOLD_SCALE;
    radial->power++;
}

/* Sums the series of one diagonal at the points of a thread. */
__device__ void sum_terms(int64_t count, const struct mm_wigner_term *terms, const double t[POINTS],
                          struct radial radial[POINTS])
{
    double present[POINTS], previous[POINTS];
    for (int i = 0; i < POINTS; i++) {
        radial[i] = {0.0, 0};
        previous[i] = 0.0;
        present[i] = 1.0;
    }
    for (int64_t first = 0; first < count; first += FOLD_TERMS) {
        const int64_t last = first + FOLD_TERMS < count ? first + FOLD_TERMS : count;
        for (int64_t m = first; m < last; m++) {
            const struct mm_wigner_term term = terms[m];
            for (int i = 0; i < POINTS; i++) {
                const double next = (term.constant - term.slope * t[i]) * present[i] - previous[i];
                radial[i].sum += term.weight * present[i];
                previous[i] = present[i];
                present[i] = next;
            }
        }
        for (int i = 0; i < POINTS; i++)
            fold(&present[i], &previous[i], &radial[i]);
    }
}

/* 2^(FOLD_BITS * power), or 0 where that makes any product of a sum and a phi_0 vanish. */
__device__ double unfold(int power)
{
    constexpr int SMALLEST = -3;
    return power >= SMALLEST ? ldexp(1.0, FOLD_BITS * power) : 0.0;
}

/* Adds diagonal d to the sums of a point. */
__device__ void add_diagonal(int d, const struct angular &angular, const struct radial &radial,
                             double sums[MM_WIGNER_SUMS])
{
    const double scale = unfold(angular.power + radial.power);
    const double real = radial.sum * angular.real * scale;
    const double imaginary = radial.sum * angular.imaginary * scale;
    if (d % 4 == 0)
        sums[MM_WIGNER_EVEN] += real;
    else if (d % 4 == 2)
        sums[MM_WIGNER_QUARTER] += real;
    else
        sums[MM_WIGNER_ODD] += real;
    if (d % 2 == 1)
        sums[MM_WIGNER_TURNED] += d % 4 == 3 ? imaginary : -imaginary;
}

/* @param points  [tiles][2][MM_WIGNER_TILE]: x, then p
 * @param sums    [tiles][MM_WIGNER_SUMS][MM_WIGNER_TILE], out */
__global__ void __launch_bounds__(BLOCK_THREADS)
    sum_points(int diagonals, const int64_t *first, const struct mm_wigner_term *terms, int64_t count,
               const double *points, double *sums)
{
    struct angular angular[POINTS];
    struct radial radial[POINTS];
    double t[POINTS], of_points[POINTS][MM_WIGNER_SUMS] = {};
    const int64_t threads = static_cast<int64_t>(gridDim.x) * blockDim.x;
    const int64_t thread = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    for (int i = 0; i < POINTS; i++) { /* neighbouring threads have neighbouring points */
        const int64_t point = min(thread + i * threads, count - 1);
        const double *tile = points + point / MM_WIGNER_TILE * (2 * MM_WIGNER_TILE) + point % MM_WIGNER_TILE;
        angular[i] = start_angular(tile[0], tile[MM_WIGNER_TILE]);
        t[i] = angular[i].z_real * angular[i].z_real + angular[i].z_imaginary * angular[i].z_imaginary;
    }
    for (int d = 0; d < diagonals; d++) {
        for (int i = 0; d > 0 && i < POINTS; i++)
            advance_angular(&angular[i], 1.0 / sqrt(static_cast<double>(d)));
        sum_terms(first[d + 1] - first[d], terms + first[d], t, radial);
        for (int i = 0; i < POINTS; i++)
            add_diagonal(d, angular[i], radial[i], of_points[i]);
    }
    for (int i = 0; i < POINTS; i++) {
        const int64_t point = thread + i * threads;
        double *tile = sums + point / MM_WIGNER_TILE * (MM_WIGNER_SUMS * MM_WIGNER_TILE) + point % MM_WIGNER_TILE;
        for (int sum = 0; point < count && sum < MM_WIGNER_SUMS; sum++)
            tile[sum * MM_WIGNER_TILE] = of_points[i][sum];
    }
}

/* What lies on the device. */
struct arrays {
    int64_t *first;
    struct mm_wigner_term *terms;
    double *points;
    double *sums;
};

mm_status upload_series(const struct mm_wigner_series *series, struct arrays *arrays, struct mm_error *error)
{
    const size_t count = static_cast<size_t>(series->diagonals) + 1;
    int64_t *first = static_cast<int64_t *>(malloc(count * sizeof *first));
    if (first == nullptr)
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory for %zu diagonals", count - 1);
    for (size_t d = 0; d < count; d++)
        first[d] = static_cast<int64_t>(series->first[d]);
    mm_status status = mm_device_copy(&arrays->first, first, count, error);
    free(first);
    if (status == MM_OK)
        status = mm_device_copy(&arrays->terms, static_cast<const struct mm_wigner_term *>(series->terms),
                                series->first[series->diagonals], error);
    return status;
}

/* One launch: the sums of points first .. first + count - 1, count a multiple of MM_WIGNER_TILE but at the end.
 * @param buffer  [tiles][MM_WIGNER_SUMS][MM_WIGNER_TILE]: what travels, first the points, then the sums */
mm_status sum_part(const struct mm_wigner_series *series, const struct mm_wigner_points *points, size_t first,
                   size_t count, const struct arrays &arrays, double *buffer, struct mm_error *error)
{
    const size_t tiles = (count + MM_WIGNER_TILE - 1) / MM_WIGNER_TILE;
    const size_t threads = (count + POINTS - 1) / POINTS;
    for (size_t i = 0; i < tiles; i++) {
        double *tile = buffer + i * (2 * MM_WIGNER_TILE);
        mm_wigner_points_get(points, first + i * MM_WIGNER_TILE, tile, tile + MM_WIGNER_TILE);
    }
    MM_CUDA_CHECK(error, cudaMemcpy(arrays.points, buffer, tiles * 2 * MM_WIGNER_TILE * sizeof *buffer,
                                    cudaMemcpyHostToDevice));
    MM_CUDA_CHECK(error, MM_LAUNCH(sum_points, static_cast<unsigned>((threads + BLOCK_THREADS - 1) / BLOCK_THREADS),
                                   BLOCK_THREADS, 0, nullptr, series->diagonals, arrays.first, arrays.terms,
                                   static_cast<int64_t>(count), arrays.points, arrays.sums));
    MM_CUDA_CHECK(error, cudaMemcpy(buffer, arrays.sums, tiles * MM_WIGNER_SUMS * MM_WIGNER_TILE * sizeof *buffer,
                                    cudaMemcpyDeviceToHost));
    return MM_OK;
}

mm_status sum_all(const struct mm_wigner_work &work, struct arrays *arrays, double *buffer, struct mm_error *error)
{
    const struct mm_wigner_points *points = work.points;
    const size_t most = points->count < MM_WIGNER_POINTS_OF_A_LAUNCH ? points->count : MM_WIGNER_POINTS_OF_A_LAUNCH;
    const size_t tiles = (most + MM_WIGNER_TILE - 1) / MM_WIGNER_TILE;
    mm_status status = upload_series(work.series, arrays, error);
    if (status != MM_OK)
        return status;
    MM_CUDA_CHECK(error, cudaMalloc(&arrays->points, tiles * 2 * MM_WIGNER_TILE * sizeof *buffer));
    MM_CUDA_CHECK(error, cudaMalloc(&arrays->sums, tiles * MM_WIGNER_SUMS * MM_WIGNER_TILE * sizeof *buffer));
    for (size_t first = 0; first < points->count; first += MM_WIGNER_POINTS_OF_A_LAUNCH) {
        const size_t left = points->count - first;
        const size_t count = left < MM_WIGNER_POINTS_OF_A_LAUNCH ? left : MM_WIGNER_POINTS_OF_A_LAUNCH;
        status = sum_part(work.series, points, first, count, *arrays, buffer, error);
        if (status != MM_OK)
            return status;
        for (size_t i = 0; i < count; i += MM_WIGNER_TILE)
            mm_wigner_points_put(points, work.grid, first + i, buffer + i * MM_WIGNER_SUMS, work.wigner);
    }
    return MM_OK;
}

} // namespace

mm_status mm_cuda_wigner(const struct mm_wigner_work *work, struct mm_error *error)
{
    const struct mm_wigner_points *points = work->points;
    const size_t most = points->count < MM_WIGNER_POINTS_OF_A_LAUNCH ? points->count : MM_WIGNER_POINTS_OF_A_LAUNCH;
    const size_t tiles = (most + MM_WIGNER_TILE - 1) / MM_WIGNER_TILE;
    double *buffer = static_cast<double *>(malloc(tiles * MM_WIGNER_SUMS * MM_WIGNER_TILE * sizeof *buffer));
    if (buffer == nullptr)
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory for the sums of %zu points", most);
    struct arrays arrays = {};
    mm_status status = sum_all(*work, &arrays, buffer, error);
    /* what freeing says would come too late to matter */
    (void)cudaFree(arrays.first);
    (void)cudaFree(arrays.terms);
    (void)cudaFree(arrays.points);
    (void)cudaFree(arrays.sums);
    free(buffer);
    return status;
}
