/* machine_limits.c - how fast one core can multiply, load and store, measured with loops that do nothing else.
 *
 * Multiply-adds: a <- a f + s on twelve independent vectors, more than latency times throughput of any core, so
 * that the units are never idle. Loads: vectors of a 16 KiB buffer, which lies in the first-level cache, are
 * brought into registers; an empty assembler statement uses each, so that the compiler keeps them. Stores: a
 * register is written all over that buffer. The best of several repetitions counts: anything else the core does
 * only makes a loop slower.
 */
#include "machine_limits.h"

#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#if MM_X86

enum { CHAINS = 12, BUFFER_BYTES = 16384, LOADS_UNROLLED = 8, ROUNDS = 200000, PASSES = 20000, REPETITIONS = 7 };

/* Defines multiply_adds_NAME, loads_NAME and stores_NAME for vectors of some bytes; all return the operations they
 * did. */
#define DEFINE_LOOPS(name, instructions, bytes, vector_register)                                                   \
    typedef double vector_##name __attribute__((vector_size(bytes)));                                              \
                                                                                                                   \
    __attribute__((target(instructions), noinline)) static double multiply_adds_##name(double factor,              \
                                                                                       double summand)             \
    {                                                                                                              \
        vector_##name a[CHAINS], f, s;                                                                             \
        for (size_t lane = 0; lane < sizeof f / sizeof(double); lane++) {                                          \
            f[lane] = factor;                                                                                      \
            s[lane] = summand;                                                                                     \
        }                                                                                                          \
        for (int chain = 0; chain < CHAINS; chain++)                                                               \
            a[chain] = s;                                                                                          \
        for (int round = 0; round < ROUNDS; round++)                                                               \
            for (int chain = 0; chain < CHAINS; chain++)                                                           \
                a[chain] = a[chain] * f + s;                                                                       \
        for (int chain = 0; chain < CHAINS; chain++)                                                               \
            __asm__ volatile("" : : vector_register(a[chain]));                                                    \
        return (double)ROUNDS * CHAINS * (double)(sizeof f / sizeof(double));                                      \
    }                                                                                                              \
                                                                                                                   \
    __attribute__((target(instructions), noinline)) static double loads_##name(const void *buffer)                 \
    {                                                                                                              \
        const vector_##name *vectors = buffer;                                                                     \
        for (int pass = 0; pass < PASSES; pass++)                                                                  \
            for (size_t i = 0; i < BUFFER_BYTES / sizeof *vectors; i += LOADS_UNROLLED)                            \
                for (size_t j = 0; j < LOADS_UNROLLED; j++)                                                        \
                    __asm__ volatile("" : : vector_register(vectors[i + j]));                                      \
        return (double)PASSES * (BUFFER_BYTES / sizeof(double));                                                   \
    }                                                                                                              \
                                                                                                                   \
    __attribute__((target(instructions), noinline)) static double stores_##name(void *buffer)                      \
    {                                                                                                              \
        vector_##name *vectors = buffer;                                                                           \
        vector_##name value = vectors[0];                                                                          \
        for (int pass = 0; pass < PASSES; pass++)                                                                  \
            for (size_t i = 0; i < BUFFER_BYTES / sizeof *vectors; i += LOADS_UNROLLED)                            \
                for (size_t j = 0; j < LOADS_UNROLLED; j++) {                                                      \
                    vectors[i + j] = value;                                                                        \
                    __asm__ volatile("" : : "m"(vectors[i + j]));                                                  \
                }                                                                                                  \
        return (double)PASSES * (BUFFER_BYTES / sizeof(double));                                                   \
    }

DEFINE_LOOPS(avx512, "avx512f", 64, "v")
DEFINE_LOOPS(avx2, "avx2,fma", 32, "x")

static double now(void)
{
    struct timespec time;
    if (clock_gettime(CLOCK_MONOTONIC, &time) != 0)
        abort();
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static double greater(double a, double b)
{
    return a > b ? a : b;
}

static struct machine_limits measure(const char *instruction_set, double (*multiply_adds)(double, double),
                                     double (*loads)(const void *), double (*stores)(void *))
{
    static _Alignas(64) double buffer[BUFFER_BYTES / sizeof(double)];
    struct machine_limits limits = {.instruction_set = instruction_set};
    /* Pages that were never written all share one page of zeros, which the cache finds slowly. */
    for (size_t i = 0; i < BUFFER_BYTES / sizeof *buffer; i++)
        buffer[i] = (double)i;
    for (int repetition = 0; repetition < REPETITIONS; repetition++) {
        double start = now();
        double done = multiply_adds(0.5, 1.0);
        double middle = now();
        limits.multiply_adds_per_second = greater(limits.multiply_adds_per_second, done / (middle - start));
        done = loads(buffer);
        double end = now();
        limits.loads_per_second = greater(limits.loads_per_second, done / (end - middle));
        done = stores(buffer);
        limits.stores_per_second = greater(limits.stores_per_second, done / (now() - end));
    }
    return limits;
}

struct machine_limits measure_machine_limits(void)
{
    if (__builtin_cpu_supports("avx512f"))
        return measure("AVX-512", multiply_adds_avx512, loads_avx512, stores_avx512);
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return measure("AVX2", multiply_adds_avx2, loads_avx2, stores_avx2);
    return (struct machine_limits){0};
}

#else

struct machine_limits measure_machine_limits(void)
{
    return (struct machine_limits){0};
}

#endif
