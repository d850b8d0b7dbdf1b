/* loops_single_avx2.c - the loops of cpu/collision_loops.h on vectors of 8 floats. */
#define MM_SINGLE_PRECISION
#define MM_VECTOR_LENGTH 8
#include "cpu/collision_loops.h"

extern const struct mm_collision_loops mm_collision_loops_avx2_single;

const struct mm_collision_loops mm_collision_loops_avx2_single = MM_COLLISION_LOOPS;
