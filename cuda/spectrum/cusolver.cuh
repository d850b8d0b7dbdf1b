/* cusolver.cuh - symmetric eigenvalue problems of many matrices at once, by cuSOLVER. */
#ifndef MM_CUDA_SPECTRUM_CUSOLVER_CUH
#define MM_CUDA_SPECTRUM_CUSOLVER_CUH

#include "device/libraries.cuh"

/** Handles and work space on the host. Zero-initialise before mm_cusolver_open. */
struct mm_cusolver {
    const struct mm_cuda_libraries *libraries;
    cusolverDnHandle_t handle;
    cusolverDnParams_t parameters;
    void *host_work;
    size_t host_work_bytes;
};

/** Matrices of the same size, device memory. */
struct mm_cusolver_group {
    int count;
    int levels;       /* rows of each */
    bool vectors;     /* eigenvectors are wanted */
    double *matrices; /* [count][levels][levels], column-major, the lower triangle is read; out: unit eigenvectors,
                         one a column */
    double *values;   /* [count][levels], out: eigenvalues, ascending */
    int *info;        /* [count], out: not 0 where there is no solution */
};

/** Creates the handles on a stream of the present device. Free with mm_cusolver_close, after a failure too. */
mm_status mm_cusolver_open(struct mm_cusolver *solver, const struct mm_cuda_libraries *libraries,
                           cudaStream_t stream, struct mm_error *error);

void mm_cusolver_close(struct mm_cusolver *solver);

/** Most matrices of so many rows in one group: fewer than 2^31 bytes of them. The arguments have 64 bits, but
 * others who call the function (jaxlib) do not go beyond that either, and nothing documented says that one may. */
int mm_cusolver_most(int levels);

/** Bytes of work space that a group needs. */
mm_status mm_cusolver_work(const struct mm_cusolver *solver, const struct mm_cusolver_group &group,
                           size_t *device_bytes, size_t *host_bytes, struct mm_error *error);

/** Makes room for so much work space on the host. Errors: MM_ERROR_MEMORY. */
mm_status mm_cusolver_reserve(struct mm_cusolver *solver, size_t host_bytes, struct mm_error *error);

/** Solves a group, for which there is room on the host.
 *  @param work  device memory, as much as is needed */
mm_status mm_cusolver_solve(const struct mm_cusolver *solver, const struct mm_cusolver_group &group, void *work,
                            struct mm_error *error);

#endif
