/* cpu_band_avx512.c - the loops of cpu_band_loops.h and tridiagonal_loops.h on vectors of 8 doubles. */
#define MM_VECTOR_LENGTH 8
#include "cpu_band_loops.h"
#include "tridiagonal_loops.h"

static bool supported(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq");
}

const struct mm_band_loops mm_band_loops_avx512 = {"avx512", supported,      fill_rows,     forward,
                                                   adjoint,  tridiagonalize, transform_back};
