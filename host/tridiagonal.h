/* tridiagonal.h - a symmetric matrix on its way to tridiagonal form. */
#ifndef MM_TRIDIAGONAL_H
#define MM_TRIDIAGONAL_H

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

#endif
