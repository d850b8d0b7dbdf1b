/* loops_avx2.c - the loops that work on vectors of 4 doubles. */
#define MM_VECTOR_LENGTH 4
#include "cpu/collision_loops.h"
#include "spectrum/projector_loops.h"
#include "spectrum/tridiagonal_loops.h"
#include "spectrum/twisted_loops.h"

static bool supported(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

extern const struct mm_collision_loops mm_collision_loops_avx2_single;

static const struct mm_collision_loops collision_loops = MM_COLLISION_LOOPS;

const struct mm_band_loops mm_band_loops_avx2 = {
    "avx2",         supported,       {&collision_loops, &mm_collision_loops_avx2_single},
    tridiagonalize, twisted_vectors, transform_back,
    add_projector};
