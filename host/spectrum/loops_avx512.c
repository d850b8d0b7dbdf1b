/* loops_avx512.c - the loops of a dense symmetric eigenvalue problem on vectors of 8 doubles. */
#define MM_VECTOR_LENGTH 8
#include "spectrum/projector_loops.h"
#include "spectrum/tridiagonal_loops.h"
#include "spectrum/twisted_loops.h"

extern const struct mm_spectrum_loops mm_spectrum_loops_avx512;

const struct mm_spectrum_loops mm_spectrum_loops_avx512 = {tridiagonalize, twisted_vectors, transform_back,
                                                           add_projector};
