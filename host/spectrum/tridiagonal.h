/* tridiagonal.h - a symmetric matrix on its way to tridiagonal form. */
#ifndef MM_SPECTRUM_TRIDIAGONAL_H
#define MM_SPECTRUM_TRIDIAGONAL_H

#include <stdbool.h>
#include <stddef.h>

enum { MM_TRIDIAGONAL_VECTORS = 4 };

/** A symmetric matrix A = Q T Q^T and its reduction. Columns are padded with zeros to blocks of MM_COLUMN_BLOCK
 *  rows and 64-byte aligned; there are as many of them as rows. All arrays are borrowed. */
struct mm_tridiagonal {
    int levels;       /* rows of A, at least 1 */
    size_t stride;    /* doubles from one column to the next: the levels in whole blocks */
    double *matrix;   /* [stride][stride], column-major: A on and below the diagonal and in all of its diagonal
                         blocks.   Out: the reflector u_k of column k, from the diagonal block of k on */
    double *diagonal; /* [levels], out: of T */
    double *below;    /* [levels], out: T's subdiagonal, levels - 1 elements */
    double *scales;   /* [levels], out: tau_k; Q is the product of I - tau_k u_k u_k^T, k = 0 .. levels - 2 */
    double *scratch;  /* [MM_TRIDIAGONAL_VECTORS][stride] */
};

enum { MM_TWISTED_VECTORS = 4, MM_TWISTED_LANES = 32 };

/** The largest eigenvalues and their eigenvectors of T + sigma = L D L^T. All arrays are borrowed and 64-byte
 *  aligned. */
struct mm_twisted {
    int levels;           /* rows of T */
    int count;            /* eigenvectors wanted, at least 1 */
    size_t stride;        /* doubles from one row of the vectors to the next: at least the count in whole groups of
                             MM_TWISTED_LANES */
    const double *pivots; /* [levels], of D: positive */
    const double *ratios; /* [levels - 1], the subdiagonal of L */
    const double *products; /* [levels - 1], D L: that of T */
    const double *squares;  /* [levels - 1], D L^2 */
    double *values;         /* [stride], eigenvalues, descending; what follows the count repeats the last one. Out:
                               nearer to those of L D L^T */
    const double *lengths;  /* [stride], of the vectors */
    double *vectors;        /* [levels][stride], out: an eigenvector a column */
    double *scratch;        /* [MM_TWISTED_VECTORS][levels][MM_TWISTED_LANES] */
};

/** Eigenvalues of a symmetric tridiagonal matrix, ascending, to a few roundings of its largest one.
 *  @param diagonal  [levels], out: the eigenvalues
 *  @param below     [levels], its subdiagonal of levels - 1 elements, destroyed
 *  Returns whether it converged. */
bool mm_tridiagonal_values(int levels, double *diagonal, double *below);

#endif
