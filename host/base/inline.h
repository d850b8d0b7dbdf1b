/* inline.h - functions that are compiled into their callers, on the host and on a device. */
#ifndef MM_BASE_INLINE_H
#define MM_BASE_INLINE_H

#ifdef __CUDACC__
#define MM_INLINE __host__ __device__ __forceinline__ static
#else
#define MM_INLINE static inline __attribute__((always_inline, unused))
#endif

#endif
