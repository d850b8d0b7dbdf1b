/* eigen.cuh - passive energies of many chains at once (Eq. 10), and the projectors of their derivatives.
 */
#ifndef MM_CUDA_SPECTRUM_EIGEN_CUH
#define MM_CUDA_SPECTRUM_EIGEN_CUH

#include "kernels/chain_batch.cuh"
#include "device/memory.cuh"
#include "spectrum/cusolver.cuh"

/** Handles and memory of one worker. Zero-initialise before mm_eigen_open. */
struct mm_eigen_solver {
    const struct mm_cuda_libraries *libraries;
    cudaStream_t stream;
    struct mm_cusolver cusolver;
    cublasHandle_t cublas;
    struct mm_device_memory memory;
    enum mm_eigen_method method;
    bool check; /* look at the residual and the orthogonality of every solution */
};

enum { MM_EIGEN_REJECTED = -1 }; /* info of a solution that is not good enough */

/** Chains of a batch whose states have the same size and kind. */
struct mm_eigen_group {
    const int *order; /* [count], device memory: rows of the batch */
    int count;
    int levels;    /* live levels of all of them: rows of the eigenvalue problems */
    bool diagonal; /* the states are diagonal: the populations are the eigenvalues */
    bool vectors;  /* projectors are wanted */
};

/** Creates the handles on a stream of the present device. Free with mm_eigen_close, after a failure too. */
mm_status mm_eigen_open(struct mm_eigen_solver *solver, const struct mm_cuda_libraries *libraries,
                        cudaStream_t stream, struct mm_error *error);

void mm_eigen_close(struct mm_eigen_solver *solver);

/** Makes room for as many chains of a group as possible; group->count becomes their number, at least 1.
 *  Errors: MM_ERROR_DEVICE if there is no room for a single one. */
mm_status mm_eigen_reserve(struct mm_eigen_solver *solver, struct mm_eigen_group *group, struct mm_error *error);

/** Passive energies sum_k k r_k, with the eigenvalues r_k of the states sorted descending; waits for them.
 *  @param group    no more than there is room for
 *  @param passive  out: [count], memory of the solver on the host
 *  @param info     out: [count], the same; not 0 where there is no solution */
mm_status mm_eigen_passive(struct mm_eigen_solver *solver, const struct mm_chain_batch &batch,
                           const struct mm_eigen_group &group, const double **passive, const int **info,
                           struct mm_error *error);

/** Derivatives sum_k k v_k v_k^T, with eigenvalues that are noise counted as one level, of the passive energies
 * that mm_eigen_passive gave last for a group with vectors.
 *  @param projectors  out: [count][levels][levels], symmetric, device memory of the solver */
mm_status mm_eigen_projectors(struct mm_eigen_solver *solver, const struct mm_eigen_group &group,
                              const double **projectors, struct mm_error *error);

#endif
