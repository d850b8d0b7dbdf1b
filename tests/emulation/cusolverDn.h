/* cusolverDn.h - cuSOLVER's batched symmetric eigenvalue problem in double precision; LAPACK answers
 * (cusolver.cpp). */
#ifndef EMULATION_CUSOLVERDN_H
#define EMULATION_CUSOLVERDN_H

#include <cstdint>

#include "cublas_v2.h"
#include "cuda_runtime.h"

enum cudaDataType { CUDA_R_32F = 0, CUDA_R_64F = 1, CUDA_C_32F = 4, CUDA_C_64F = 5 };

enum cusolverStatus_t {
    CUSOLVER_STATUS_SUCCESS = 0,
    CUSOLVER_STATUS_NOT_INITIALIZED = 1,
    CUSOLVER_STATUS_ALLOC_FAILED = 2,
    CUSOLVER_STATUS_INVALID_VALUE = 3,
    CUSOLVER_STATUS_ARCH_MISMATCH = 4,
    CUSOLVER_STATUS_EXECUTION_FAILED = 6,
    CUSOLVER_STATUS_INTERNAL_ERROR = 7,
    CUSOLVER_STATUS_NOT_SUPPORTED = 9
};

enum cusolverEigMode_t { CUSOLVER_EIG_MODE_NOVECTOR = 0, CUSOLVER_EIG_MODE_VECTOR = 1 };

typedef struct emulation_cusolver *cusolverDnHandle_t;
typedef struct emulation_cusolver_params *cusolverDnParams_t;

cusolverStatus_t cusolverDnCreate(cusolverDnHandle_t *handle);
cusolverStatus_t cusolverDnDestroy(cusolverDnHandle_t handle);
cusolverStatus_t cusolverDnSetStream(cusolverDnHandle_t handle, cudaStream_t stream);
cusolverStatus_t cusolverDnCreateParams(cusolverDnParams_t *params);
cusolverStatus_t cusolverDnDestroyParams(cusolverDnParams_t params);

/** Work space that cusolverDnXsyevBatched wants, in bytes, on the device and on the host. */
cusolverStatus_t cusolverDnXsyevBatched_bufferSize(cusolverDnHandle_t handle, cusolverDnParams_t params,
                                                   cusolverEigMode_t mode, cublasFillMode_t triangle,
                                                   std::int64_t n, cudaDataType matrix_type, const void *matrices,
                                                   std::int64_t leading, cudaDataType value_type,
                                                   const void *values, cudaDataType compute_type,
                                                   std::size_t *device_bytes, std::size_t *host_bytes,
                                                   std::int64_t batch_count);

/** Eigenvalues, ascending, and eigenvectors of symmetric matrices.
 *  @param matrices  device, [batch_count][n][leading]: column-major; gets the eigenvectors as columns, or, without
 *                   vectors, is destroyed
 *  @param values    device, [batch_count][n]
 *  @param info      device, [batch_count]: 0, or a positive number where the matrix did not converge */
cusolverStatus_t cusolverDnXsyevBatched(cusolverDnHandle_t handle, cusolverDnParams_t params,
                                        cusolverEigMode_t mode, cublasFillMode_t triangle, std::int64_t n,
                                        cudaDataType matrix_type, void *matrices, std::int64_t leading,
                                        cudaDataType value_type, void *values, cudaDataType compute_type,
                                        void *device_buffer, std::size_t device_bytes, void *host_buffer,
                                        std::size_t host_bytes, int *info, std::int64_t batch_count);

#endif
