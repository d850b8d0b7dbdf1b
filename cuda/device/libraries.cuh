/* libraries.cuh - the functions of cuSOLVER and cuBLAS that the cuda backend calls, found when it is opened.
 *
 * Linked against, these libraries would keep the program from starting wherever they are not installed. They are
 * therefore opened when they are wanted. An emulation fills the same table with functions of its own.
 */
#ifndef MM_CUDA_DEVICE_LIBRARIES_CUH
#define MM_CUDA_DEVICE_LIBRARIES_CUH

#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <cusolverDn.h>

#include "micromaser.h"

/* X(function) */
#define MM_CUSOLVER_FUNCTIONS(X)                                                                                   \
    X(cusolverDnCreate)                                                                                            \
    X(cusolverDnDestroy)                                                                                           \
    X(cusolverDnSetStream)                                                                                         \
    X(cusolverDnCreateParams)                                                                                      \
    X(cusolverDnDestroyParams)                                                                                     \
    X(cusolverDnXsyevBatched_bufferSize)                                                                           \
    X(cusolverDnXsyevBatched)

#define MM_CUBLAS_FUNCTIONS(X)                                                                                     \
    X(cublasCreate)                                                                                                \
    X(cublasDestroy)                                                                                               \
    X(cublasSetStream)                                                                                             \
    X(cublasDgemmStridedBatched)

/** One pointer a function, under the function's own name. */
struct mm_cuda_libraries {
#define MM_LIBRARY_MEMBER(function) decltype(&::function) function;
    MM_CUSOLVER_FUNCTIONS(MM_LIBRARY_MEMBER)
    MM_CUBLAS_FUNCTIONS(MM_LIBRARY_MEMBER)
#undef MM_LIBRARY_MEMBER
};

/** Fills the table. The libraries stay in the process to its end.
 *  @param reason  out on failure: static text that names the library that is missing
 *  @returns false if a library or a function of it is missing */
bool mm_cuda_libraries_find(struct mm_cuda_libraries *libraries, const char **reason);

#endif
