/* cpu_band_portable.c - the loops of cpu_band_loops.h and tridiagonal_loops.h on vectors of 2 doubles. */
#define MM_VECTOR_LENGTH 2
#include "cpu_band_loops.h"
#include "tridiagonal_loops.h"

static bool supported(void)
{
    return true;
}

const struct mm_band_loops mm_band_loops_portable = {"portable", supported,      fill_rows,     forward,
                                                     adjoint,    tridiagonalize, transform_back};
