/* loops.h - the vector loops of a dense symmetric eigenvalue problem. */
#ifndef MM_SPECTRUM_LOOPS_H
#define MM_SPECTRUM_LOOPS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/instructions.h"

struct mm_tridiagonal;
struct mm_twisted;

/** The derivative p 1 - F F^T of a passive energy, in the form in which it is found. All arrays are borrowed. */
struct mm_projector {
    int levels;
    int count;            /* p, columns of F; zeros follow them up to a whole block */
    const double *factor; /* F, [levels][factor_stride], 64-byte aligned */
    size_t factor_stride;
    int bands; /* diagonals wanted */
    double *target;
    size_t target_stride; /* of a diagonal (solver/band_layout.h) */
};

/** Loops compiled for one instruction set. They differ in vector length only. */
struct mm_spectrum_loops {
    /** Reduces a symmetric matrix to tridiagonal form (spectrum/tridiagonal.h). */
    void (*tridiagonalize)(const struct mm_tridiagonal *target);

    /** The largest eigenvalues of a tridiagonal matrix and their eigenvectors (spectrum/tridiagonal.h). Returns
     *  whether all of them were found to a relative 1e-8; eigenvectors are orthogonal up to this over the relative
     *  gap. */
    bool (*twisted_vectors)(const struct mm_twisted *target);

    /** Z = Q Z: turns eigenvectors of T into those of the matrix that was reduced.
     *  @param vectors  [levels][stride], one a column, 64-byte aligned
     *  @param columns  of vectors; as many as are in whole groups of MM_TWISTED_LANES lie within the stride and are
     *                  finite */
    void (*transform_back)(const struct mm_tridiagonal *reduced, double *vectors, size_t stride, int columns);

    /** Adds the diagonals of F F^T that are wanted to the target. */
    void (*add_projector)(const struct mm_projector *projector);
};

/** The loops for an instruction set. */
const struct mm_spectrum_loops *mm_spectrum_loops(enum mm_instructions instructions);

#endif
