/* reduce.cuh - sums over lanes, warps and columns in a fixed order: the same bits on every run, in every class.
 *
 * A sum over columns is taken over the two columns of a lane, then over the lanes of a warp by halves (lane l takes
 * in lane l+16, l+8, .., l+1), then over the warps' 64 columns each in ascending order. Kernels with fewer threads
 * than columns keep to the same order, and columns outside the window add zero: so the shape of the class does
 * not show in a sum.
 */
#ifndef MM_REDUCE_CUH
#define MM_REDUCE_CUH

#include <cuda_runtime.h>

/* Before a loop that must be unrolled. */
#ifdef __CUDACC__
#define MM_UNROLL _Pragma("unroll")
#else
#define MM_UNROLL
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
    for (int i = 0; i < count; i++)
        sum += place[i * stride];
    return sum;
}

#endif
