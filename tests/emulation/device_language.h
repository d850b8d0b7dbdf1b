/* device_language.h - what CUDA adds to C++ inside kernels: qualifiers, indices, barriers, warp functions, atomics.
 */
#ifndef EMULATION_DEVICE_LANGUAGE_H
#define EMULATION_DEVICE_LANGUAGE_H

#include <cmath>
#include <cstdint>
#include <cstring>
#include <math.h>
#include <type_traits>

#include "vector_types.h"

/* ------------------------------------------------------------------------------------------------ qualifiers */

#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))

/* One block runs at a time, on one thread of the operating system: that thread's copy is the block's. The launch
 * fills all of them with a pattern before each block (shared_memory.cpp), which `used` makes compilers expect. */
#define __shared__ __attribute__((used)) thread_local

/** The launch's dynamic shared memory; any access to it faults if the launch gave none. */
void *emulation_dynamic_shared();

/* --------------------------------------------------------------------------------------------------- indices */

extern uint3 threadIdx;
extern uint3 blockIdx;
extern dim3 blockDim;
extern dim3 gridDim;
constexpr int warpSize = 32;

/* -------------------------------------------------------------------------------------------- block barriers */

struct emulation_barrier_counts {
    int threads; /* that met */
    int nonzero; /* of them, those that brought a nonzero predicate */
};

/** Waits for every thread of the block. All must come from one place in the source. */
emulation_barrier_counts emulation_barrier(int predicate, const char *file, int line);

inline void __syncthreads(const char *file = __builtin_FILE(), int line = __builtin_LINE())
{
    emulation_barrier(0, file, line);
}

inline int __syncthreads_count(int predicate, const char *file = __builtin_FILE(), int line = __builtin_LINE())
{
    return emulation_barrier(predicate, file, line).nonzero;
}

inline int __syncthreads_and(int predicate, const char *file = __builtin_FILE(), int line = __builtin_LINE())
{
    emulation_barrier_counts counts = emulation_barrier(predicate, file, line);
    return counts.nonzero == counts.threads;
}

inline int __syncthreads_or(int predicate, const char *file = __builtin_FILE(), int line = __builtin_LINE())
{
    return emulation_barrier(predicate, file, line).nonzero != 0;
}

/* -------------------------------------------------------------------------------------------- warp functions */

enum emulation_warp_function {
    emulation_syncwarp,
    emulation_ballot,
    emulation_shuffle,
    emulation_shuffle_up,
    emulation_shuffle_down,
    emulation_shuffle_xor
};

/** What a lane brings to a warp function. */
struct emulation_warp_call {
    emulation_warp_function function;
    unsigned int mask;
    std::uint64_t value; /* predicate of a ballot, bits of a shuffled value */
    int operand;         /* lane, distance or lane mask of a shuffle */
    int width;
    const char *file;
    int line;
};

/** Waits until all lanes of call.mask that have not ended have made the same call.
 *  @return the lanes' predicates (ballot) or the value of the lane asked for (shuffles); a pattern where that lane
 *          takes no part. */
std::uint64_t emulation_warp_meet(const emulation_warp_call &call);

inline void __syncwarp(unsigned int mask = 0xffffffffU, const char *file = __builtin_FILE(),
                       int line = __builtin_LINE())
{
    emulation_warp_meet({emulation_syncwarp, mask, 0, 0, warpSize, file, line});
}

inline unsigned int __ballot_sync(unsigned int mask, int predicate, const char *file = __builtin_FILE(),
                                  int line = __builtin_LINE())
{
    return static_cast<unsigned int>(emulation_warp_meet(
        {emulation_ballot, mask, predicate != 0 ? std::uint64_t{1} : std::uint64_t{0}, 0, warpSize, file, line}));
}

inline int __any_sync(unsigned int mask, int predicate, const char *file = __builtin_FILE(),
                      int line = __builtin_LINE())
{
    return __ballot_sync(mask, predicate, file, line) != 0;
}

inline int __all_sync(unsigned int mask, int predicate, const char *file = __builtin_FILE(),
                      int line = __builtin_LINE())
{
    return __ballot_sync(mask, !predicate, file, line) == 0;
}

template <typename Value>
Value emulation_shuffle_value(emulation_warp_function function, unsigned int mask, Value value, int operand,
                              int width, const char *file, int line)
{
    static_assert(std::is_arithmetic_v<Value> && (sizeof(Value) == 4 || sizeof(Value) == 8),
                  "shuffles move 4 or 8 bytes");
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    bits = emulation_warp_meet({function, mask, bits, operand, width, file, line});
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

template <typename Value>
Value __shfl_sync(unsigned int mask, Value value, int lane, int width = warpSize,
                  const char *file = __builtin_FILE(), int line = __builtin_LINE())
{
    return emulation_shuffle_value(emulation_shuffle, mask, value, lane, width, file, line);
}

template <typename Value>
Value __shfl_up_sync(unsigned int mask, Value value, unsigned int distance, int width = warpSize,
                     const char *file = __builtin_FILE(), int line = __builtin_LINE())
{
    return emulation_shuffle_value(emulation_shuffle_up, mask, value, static_cast<int>(distance), width, file,
                                   line);
}

template <typename Value>
Value __shfl_down_sync(unsigned int mask, Value value, unsigned int distance, int width = warpSize,
                       const char *file = __builtin_FILE(), int line = __builtin_LINE())
{
    return emulation_shuffle_value(emulation_shuffle_down, mask, value, static_cast<int>(distance), width, file,
                                   line);
}

template <typename Value>
Value __shfl_xor_sync(unsigned int mask, Value value, int lane_mask, int width = warpSize,
                      const char *file = __builtin_FILE(), int line = __builtin_LINE())
{
    return emulation_shuffle_value(emulation_shuffle_xor, mask, value, lane_mask, width, file, line);
}

/* ----------------------------------------------------------------------------------------- fences and atomics */

/** Lets other threads run first, under a random schedule; elsewhere nothing. */
void emulation_interrupt();

inline void __threadfence()
{
    emulation_interrupt();
}

inline void __threadfence_block()
{
    emulation_interrupt();
}

inline void __threadfence_system()
{
    emulation_interrupt();
}

/** Whether CUDA has an atomic function of this kind for the type. */
template <typename Value>
inline constexpr bool emulation_atomic_integer =
    std::is_same_v<Value, int> || std::is_same_v<Value, unsigned int> || std::is_same_v<Value, unsigned long long>;
template <typename Value>
inline constexpr bool emulation_atomic_sum =
    emulation_atomic_integer<Value> || std::is_same_v<Value, float> || std::is_same_v<Value, double>;

/** Fibers never interrupt one another inside this: it is atomic. */
template <typename Value, typename Change> Value emulation_atomic(Value *address, Change change)
{
    emulation_interrupt();
    Value before = *address;
    *address = change(before);
    return before;
}

/* The second argument is of the first one's type, as with CUDA's overloads: integers convert to it. */
template <typename Value> Value atomicAdd(Value *address, std::common_type_t<Value> value)
{
    static_assert(emulation_atomic_sum<Value>, "CUDA has no atomicAdd for this type");
    return emulation_atomic(address, [value](Value before) { return static_cast<Value>(before + value); });
}

template <typename Value> Value atomicMax(Value *address, std::common_type_t<Value> value)
{
    static_assert(emulation_atomic_integer<Value>, "CUDA has no atomicMax for this type");
    return emulation_atomic(address, [value](Value before) { return before < value ? value : before; });
}

template <typename Value> Value atomicMin(Value *address, std::common_type_t<Value> value)
{
    static_assert(emulation_atomic_integer<Value>, "CUDA has no atomicMin for this type");
    return emulation_atomic(address, [value](Value before) { return value < before ? value : before; });
}

template <typename Value> Value atomicExch(Value *address, std::common_type_t<Value> value)
{
    static_assert(emulation_atomic_integer<Value> || std::is_same_v<Value, float>,
                  "CUDA has no atomicExch for this type");
    return emulation_atomic(address, [value](Value) { return value; });
}

template <typename Value>
Value atomicCAS(Value *address, std::common_type_t<Value> expected, std::common_type_t<Value> value)
{
    static_assert(emulation_atomic_integer<Value>, "CUDA has no atomicCAS for this type");
    return emulation_atomic(address,
                            [expected, value](Value before) { return before == expected ? value : before; });
}

/* ------------------------------------------------------------------------------------------ small functions */

template <typename Value> Value __ldg(const Value *address)
{
    return *address;
}

inline int __popc(unsigned int bits)
{
    return __builtin_popcount(bits);
}

inline int __ffs(int bits)
{
    return __builtin_ffs(bits);
}

inline int __clz(int bits)
{
    return bits == 0 ? 32 : __builtin_clz(static_cast<unsigned int>(bits));
}

inline long long __double_as_longlong(double value)
{
    long long bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

inline double __longlong_as_double(long long bits)
{
    double value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

/* A template, so that it gives way to the rsqrt that newer C libraries have. */
template <typename Value> Value rsqrt(Value value)
{
    return 1 / std::sqrt(value);
}

#define EMULATION_MIN_MAX(type)                                                                                    \
    inline type min(type a, type b)                                                                                \
    {                                                                                                              \
        return b < a ? b : a;                                                                                      \
    }                                                                                                              \
    inline type max(type a, type b)                                                                                \
    {                                                                                                              \
        return a < b ? b : a;                                                                                      \
    }
EMULATION_MIN_MAX(int)
EMULATION_MIN_MAX(unsigned int)
EMULATION_MIN_MAX(long)
EMULATION_MIN_MAX(unsigned long)
EMULATION_MIN_MAX(long long)
EMULATION_MIN_MAX(unsigned long long)
#undef EMULATION_MIN_MAX

inline double min(double a, double b)
{
    return std::fmin(a, b);
}

inline double max(double a, double b)
{
    return std::fmax(a, b);
}

#endif
