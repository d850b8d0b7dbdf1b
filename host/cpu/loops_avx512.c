/* loops_avx512.c - the loops of cpu/collision_loops.h on vectors of 8 doubles. */
#define MM_VECTOR_LENGTH 8
#include "cpu/collision_loops.h"

extern const struct mm_collision_loops mm_collision_loops_avx512;

const struct mm_collision_loops mm_collision_loops_avx512 = MM_COLLISION_LOOPS;
