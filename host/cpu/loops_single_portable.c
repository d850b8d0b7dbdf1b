/* loops_single_portable.c - the loops of cpu/collision_loops.h on vectors of 4 floats. */
#define MM_SINGLE_PRECISION
#define MM_VECTOR_LENGTH 4
#include "cpu/collision_loops.h"

extern const struct mm_collision_loops mm_collision_loops_portable_single;

const struct mm_collision_loops mm_collision_loops_portable_single = MM_COLLISION_LOOPS;
