/* loops_portable.c - the loops that work on vectors of 2 doubles. */
#define MM_VECTOR_LENGTH 2
#include "cpu/collision_loops.h"
#include "spectrum/projector_loops.h"
#include "spectrum/tridiagonal_loops.h"
#include "spectrum/twisted_loops.h"

static bool supported(void)
{
    return true;
}

extern const struct mm_collision_loops mm_collision_loops_portable_single;

static const struct mm_collision_loops collision_loops = MM_COLLISION_LOOPS;

const struct mm_band_loops mm_band_loops_portable = {
    "portable",     supported,       {&collision_loops, &mm_collision_loops_portable_single},
    tridiagonalize, twisted_vectors, transform_back,
    add_projector};
