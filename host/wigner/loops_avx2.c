/* loops_avx2.c - the loops of wigner/loops.h on vectors of 4 doubles. */
#define MM_VECTOR_LENGTH 4
#define MM_GROUP_VECTORS 4
#include "wigner/loops.h"

const struct mm_wigner_loops mm_wigner_loops_avx2 = {tile};
