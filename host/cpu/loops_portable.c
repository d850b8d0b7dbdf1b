/* loops_portable.c - the loops of cpu/collision_loops.h on vectors of 2 doubles. */
#define MM_VECTOR_LENGTH 2
#include "cpu/collision_loops.h"

extern const struct mm_collision_loops mm_collision_loops_portable;

const struct mm_collision_loops mm_collision_loops_portable = MM_COLLISION_LOOPS;
