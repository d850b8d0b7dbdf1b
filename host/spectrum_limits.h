/* spectrum_limits.h - what counts as zero, as close and as good enough in the spectrum of a density matrix, for
 * host and device.
 *
 * A density matrix is known to some 1e-13 of its trace: what its collisions dropped and rounded. Eigenvalues below
 * that, negative ones among them, are noise.
 */
#ifndef MM_SPECTRUM_LIMITS_H
#define MM_SPECTRUM_LIMITS_H

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

#endif
