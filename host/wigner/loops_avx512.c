/* loops_avx512.c - the loops of wigner/loops.h on vectors of 8 doubles. */
#define MM_VECTOR_LENGTH 8
#define MM_GROUP_VECTORS 4
#include "wigner/loops.h"

const struct mm_wigner_loops mm_wigner_loops_avx512 = {tile};
