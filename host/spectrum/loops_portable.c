/* loops_portable.c - the loops of a dense symmetric eigenvalue problem on vectors of 2 doubles. */
#define MM_VECTOR_LENGTH 2
#include "spectrum/projector_loops.h"
#include "spectrum/tridiagonal_loops.h"
#include "spectrum/twisted_loops.h"

extern const struct mm_spectrum_loops mm_spectrum_loops_portable;

const struct mm_spectrum_loops mm_spectrum_loops_portable = {tridiagonalize, twisted_vectors, transform_back,
                                                             add_projector};
