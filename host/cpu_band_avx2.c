/* cpu_band_avx2.c - the loops of cpu_band_loops.h and tridiagonal_loops.h on vectors of 4 doubles. */
#define MM_VECTOR_LENGTH 4
#include "cpu_band_loops.h"
#include "tridiagonal_loops.h"

static bool supported(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

const struct mm_band_loops mm_band_loops_avx2 = {"avx2",  supported,      fill_rows,     forward,
                                                 adjoint, tridiagonalize, transform_back};
