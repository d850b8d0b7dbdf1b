/* tridiagonal.cuh - eigenvalues and eigenvectors of the states of many chains at once, by kernels of our own.
 *
 * The states of a group, A = Q T Q^T, become tridiagonal (spectrum/householder.cu), their eigenvalues are found by
 * bisection (spectrum/bisection.cu), the eigenvectors of T by twisted factorisations (spectrum/twisted.cu), and
 * these are taken back by Q (spectrum/householder.cu): as on the cpu (host/spectrum/passive.c), and by its limits
 * (host/solver/spectrum.h).
 */
#ifndef MM_CUDA_SPECTRUM_TRIDIAGONAL_CUH
#define MM_CUDA_SPECTRUM_TRIDIAGONAL_CUH

#include <cuda_runtime.h>

#include "kernels/chain_batch.cuh"
#include "micromaser.h"

enum { MM_HOUSEHOLDER_LEVELS_MAX = 512 }; /* rows that the lanes of a warp hold in registers, 16 a lane */

/** Products of two unit vectors up to this do not show in a gradient. Beyond it they are those of close
 * eigenvalues, of which there may be two beside each other, not three. */
constexpr double MM_TWISTED_PRODUCT_MOST = 1e-9;

/** Numbers of a tridiagonal matrix T and of T + shift = L D L^T; rows of mm_tridiagonal_group.rows. */
enum mm_tridiagonal_row {
    MM_ROW_DIAGONAL,
    MM_ROW_BELOW,    /* subdiagonal of T and of L D L^T */
    MM_ROW_SCALES,   /* tau_k; Q is the product of 1 - tau_k u_k u_k^T, k = 0 .. levels - 2 */
    MM_ROW_PIVOTS,   /* D */
    MM_ROW_RATIOS,   /* subdiagonal of L */
    MM_ROW_SQUARES,  /* D L^2 */
    MM_ROW_WEIGHTS,  /* what brings vector k of T to length 1 */
    MM_ROW_OVERLAPS, /* product of the unit vectors k and k+1 */
    MM_ROW_OWN,      /* what vector k of T gives to number k of a set at right angles, */
    MM_ROW_BEFORE,   /* and vectors k-1 */
    MM_ROW_AFTER,    /* and k+1 */
    MM_ROW_COUNT
};

/** Symmetric matrices of the same size and what becomes of them. All is device memory; a matrix has one row of
 * every array. Matrices are row-major and symmetric where they are in the beginning. */
struct mm_tridiagonal_group {
    int count;
    int levels;         /* rows of each, at most MM_HOUSEHOLDER_LEVELS_MAX where vectors are wanted */
    double *rows;       /* [count][MM_ROW_COUNT][levels] */
    double *values;     /* [count][levels]: eigenvalues, ascending */
    int *populations;   /* [count]: eigenvalues above the noise */
    double *shifts;     /* [count] */
    double *reflectors; /* [count][levels][levels]: u_k in row k from column k on */
    double *lower; /* [count][levels][levels]: L_+ of eigenvalue k, descending, in column k, then its vector of T */
    double *upper; /* [count][levels][levels]: U_- of it */
    int *info;     /* [count]: not 0 where the spectrum could not be found */
};

/** Row `row` of a matrix. */
__device__ static inline double *mm_tridiagonal_find(const struct mm_tridiagonal_group &group, int matrix,
                                                     enum mm_tridiagonal_row row)
{
    return group.rows + ((size_t)matrix * MM_ROW_COUNT + (size_t)row) * (size_t)group.levels;
}

/** First element of a matrix in an array of square ones. */
__device__ static inline double *mm_tridiagonal_square(const struct mm_tridiagonal_group &group, double *squares,
                                                       int matrix)
{
    return squares + (size_t)matrix * (size_t)group.levels * (size_t)group.levels;
}

/* All of these return MM_ERROR_DEVICE if the launch fails. */

/** Takes the live blocks of states to tridiagonal form: T, the scales and the reflectors.
 *  @param order  [count], device memory: rows of the batch */
mm_status mm_cuda_tridiagonalize(const struct mm_tridiagonal_group &group, const struct mm_chain_batch &batch,
                                 const int *order, cudaStream_t stream, struct mm_error *error);

/** Eigenvalues of T to a few roundings of its largest one.
 *  @param order    [count], device memory: rows of the batch
 *  @param factors  the populations are counted and L D L^T is formed, too; info becomes MM_EIGEN_REJECTED where
 *                  the eigenvalues are not those of a density matrix, else 0 */
mm_status mm_cuda_tridiagonal_values(const struct mm_tridiagonal_group &group, const struct mm_chain_batch &batch,
                                     const int *order, bool factors, cudaStream_t stream, struct mm_error *error);

/** Eigenvectors of T for all populations, into `lower`, their weights and overlaps; info becomes MM_EIGEN_REJECTED
 * where they are not as good as those of well separated eigenvalues are. */
mm_status mm_cuda_tridiagonal_vectors(const struct mm_tridiagonal_group &group, cudaStream_t stream,
                                      struct mm_error *error);

/** Those of A, in ascending order of their eigenvalues; zero for eigenvalues that are noise.
 *  @param vectors  [count][levels][levels], one a row: device memory, may be group.upper */
mm_status mm_cuda_tridiagonal_back(const struct mm_tridiagonal_group &group, double *vectors, cudaStream_t stream,
                                   struct mm_error *error);

#endif
