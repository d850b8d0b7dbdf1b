/* loops_avx2.c - the loops of a dense symmetric eigenvalue problem on vectors of 4 doubles. */
#define MM_VECTOR_LENGTH 4
#include "spectrum/projector_loops.h"
#include "spectrum/tridiagonal_loops.h"
#include "spectrum/twisted_loops.h"

extern const struct mm_spectrum_loops mm_spectrum_loops_avx2;

const struct mm_spectrum_loops mm_spectrum_loops_avx2 = {tridiagonalize, twisted_vectors, transform_back,
                                                         add_projector};
