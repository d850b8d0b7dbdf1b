/* reduce.cuh - sums over lanes, warps and columns in a fixed order: the same bits on every run, in every class.
 *
 * A sum over columns is taken over the two columns of a lane, then over the lanes of a warp by halves (lane l takes
 * in lane l+16, l+8, .., l+1), then over the warps' 64 columns each in ascending order. Kernels with fewer threads
 * than columns keep to the same order, and columns outside the window add zero: so the shape of the class does
 * not show in a sum.
 */
#ifndef MM_CUDA_KERNELS_REDUCE_CUH
#define MM_CUDA_KERNELS_REDUCE_CUH

#include <cuda_runtime.h>

/* Before a loop that must be unrolled, and before one that is not worth it. */
#ifdef __CUDACC__
#define MM_UNROLL _Pragma("unroll")
#define MM_ROLLED _Pragma("unroll 1")
#else
#define MM_UNROLL
#define MM_ROLLED
#endif

enum { MM_ALL_LANES = -1 }; /* as a mask */

__device__ static inline int mm_lane(void)
{
    return (int)threadIdx.x % 32;
}

__device__ static inline int mm_warp(void)
{
    return (int)threadIdx.x / 32;
}

/** Sum over a warp, in every lane. */
__device__ __forceinline__ double mm_warp_sum(double sum)
{
    MM_UNROLL
    for (int distance = 16; distance > 0; distance /= 2)
        sum += __shfl_xor_sync((unsigned)MM_ALL_LANES, sum, distance);
    return sum;
}

/** Sums of two numbers over a warp at the price of one: lane 0 gets that of x, lane 16 that of y. */
__device__ __forceinline__ double mm_warp_sum_pair(double x, double y)
{
    const bool lower = mm_lane() < 16;
    double sum = lower ? x : y;
    sum += __shfl_xor_sync((unsigned)MM_ALL_LANES, lower ? y : x, 16);
    MM_UNROLL
    for (int distance = 8; distance > 0; distance /= 2)
        sum += __shfl_xor_sync((unsigned)MM_ALL_LANES, sum, distance);
    return sum;
}

/** Sums of four numbers over a warp, in the same order: lanes 0, 8, 16 and 24 get those of x, y, z and w. */
__device__ __forceinline__ double mm_warp_sum_four(double x, double y, double z, double w)
{
    const bool lower = mm_lane() < 16, first = mm_lane() % 16 < 8;
    double one = lower ? x : z, two = lower ? y : w;
    one += __shfl_xor_sync((unsigned)MM_ALL_LANES, lower ? z : x, 16);
    two += __shfl_xor_sync((unsigned)MM_ALL_LANES, lower ? w : y, 16);
    double sum = first ? one : two;
    sum += __shfl_xor_sync((unsigned)MM_ALL_LANES, first ? two : one, 8);
    MM_UNROLL
    for (int distance = 4; distance > 0; distance /= 2)
        sum += __shfl_xor_sync((unsigned)MM_ALL_LANES, sum, distance);
    return sum;
}

/** Leaves the sums of four numbers over a warp at place[0] .. place[3] of shared memory. */
__device__ __forceinline__ void mm_warp_publish_four(double *place, double x, double y, double z, double w)
{
    const double sum = mm_warp_sum_four(x, y, z, w);
    if (mm_lane() % 8 == 0)
        place[mm_lane() / 8] = sum;
}

/** Leaves the sums of two numbers over a warp at place[0] and place[1] of shared memory. */
__device__ __forceinline__ void mm_warp_publish_pair(double *place, double x, double y)
{
    const double sum = mm_warp_sum_pair(x, y);
    if (mm_lane() % 16 == 0)
        place[mm_lane() / 16] = sum;
}

/** Sum of entries 0, stride, 2 stride .. of shared memory. */
__device__ __forceinline__ double mm_ordered_sum(const double *place, int stride, int count)
{
    double sum = 0.0;
    MM_ROLLED
    for (int i = 0; i < count; i++)
        sum += place[i * stride];
    return sum;
}

#endif
