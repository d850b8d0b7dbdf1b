/* spectrum.h - what counts as zero, as close and as good enough in the spectrum of a density matrix, for
 * host and device.
 *
 * A density matrix is known to some 1e-13 of its trace: what its collisions dropped and rounded. Eigenvalues below
 * that, negative ones among them, are noise.
 */
#ifndef MM_SOLVER_SPECTRUM_H
#define MM_SOLVER_SPECTRUM_H

#include <math.h>
#include <stdbool.h>

#include "model/collision.h"

/* Noise of an eigenvalue relative to the trace. */
#define MM_SPECTRUM_NOISE 1e-13

/* With eigenvalues further below zero than this, relative to the trace, a matrix is no density matrix. */
#define MM_SPECTRUM_MOST_NOISE 1e-10

/* A column whose square is below this counts as zero: it is far below what a double can tell beside 1. */
#define MM_REFLECTOR_SMALLEST_SQUARE 1e-280

/* Where an eigenvalue is good enough for its twisted factorisation: what is missing, relative to it; and how often
 * it may be brought nearer. */
#define MM_TWISTED_TOLERANCE 1e-8
enum { MM_TWISTED_PASSES = 5 };

/* Keeps pivots that vanish from dividing, and leaves all others as they are. */
#define MM_TWISTED_PIVOT 1e-300

/* Elements of a vector below this count as zero, far from where squares would lose their precision and their
 * speed. */
#define MM_TWISTED_SMALLEST 1e-100

/** Eigenvalues above the noise; 0 where they are not those of a density matrix.
 *  @param values   [levels], ascending
 *  @param dropped  bounds what the state has lost, and so how far an eigenvalue may be below zero
 *  @param shift    out: by how much the others may be below zero */
MM_INLINE int mm_count_populations(const double *values, int levels, double dropped, double *shift)
{
    double trace = 0.0;
    int count = 0;
    for (int k = 0; k < levels; k++)
        trace += values[k];
    *shift = fmax(MM_SPECTRUM_NOISE * trace, -2.0 * values[0]);
    if (!(values[0] >= -fmax(MM_SPECTRUM_MOST_NOISE * trace, dropped)))
        return 0;
    while (count < levels && values[levels - 1 - count] > *shift)
        count++;
    return count;
}

/** A tridiagonal matrix T and T + shift = L D L^T. */
struct mm_tridiagonal_factors {
    int levels;
    const double *diagonal; /* [levels], of T */
    const double *below;    /* [levels - 1], the subdiagonal of both */
    double *pivots;         /* [levels], out: D */
    double *ratios;         /* [levels - 1], out: the subdiagonal of L */
    double *squares;        /* [levels - 1], out: D L^2 */
};

/** Factorises T + shift; returns whether D is positive. */
MM_INLINE bool mm_factorise(struct mm_tridiagonal_factors factors, double shift)
{
    double pivot = factors.diagonal[0] + shift;
    for (int i = 0; i + 1 < factors.levels; i++) {
        const double ratio = factors.below[i] / pivot;
        factors.pivots[i] = pivot;
        factors.ratios[i] = ratio;
        factors.squares[i] = factors.below[i] * ratio;
        if (!(pivot > 0.0))
            return false;
        pivot = factors.diagonal[i + 1] + shift - factors.squares[i];
    }
    factors.pivots[factors.levels - 1] = pivot;
    return pivot > 0.0 && isfinite(pivot);
}

/** Householder's reflector 1 - tau u u^T, u_first = 1, of a row that begins with `first`. */
struct mm_reflector {
    double below; /* what the row becomes: below, 0, 0, .. */
    double tau;
    double scale; /* of the rest of the row, which becomes u; 0: there is nothing to reflect */
};

/** @param square  of the rest of the row */
MM_INLINE struct mm_reflector mm_find_reflector(double first, double square)
{
    struct mm_reflector reflector = {first, 0.0, 0.0};
    if (square > MM_REFLECTOR_SMALLEST_SQUARE) {
        const double length = copysign(sqrt(first * first + square), first);
        reflector.below = -length;
        reflector.tau = (first + length) / length;
        reflector.scale = 1.0 / (first + length);
    }
    return reflector;
}

#endif
