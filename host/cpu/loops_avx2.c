/* loops_avx2.c - the loops of cpu/collision_loops.h on vectors of 4 doubles. */
#define MM_VECTOR_LENGTH 4
#include "cpu/collision_loops.h"

extern const struct mm_collision_loops mm_collision_loops_avx2;

const struct mm_collision_loops mm_collision_loops_avx2 = MM_COLLISION_LOOPS;
