/* loops_single_avx512.c - the loops of cpu/collision_loops.h on vectors of 8 floats. The block of columns holds no
 * more. */
#define MM_SINGLE_PRECISION
#define MM_VECTOR_LENGTH 8
#include "cpu/collision_loops.h"

extern const struct mm_collision_loops mm_collision_loops_avx512_single;

const struct mm_collision_loops mm_collision_loops_avx512_single = MM_COLLISION_LOOPS;
