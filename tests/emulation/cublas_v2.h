/* cublas_v2.h - the part of cuBLAS that the product uses, in double precision; cblas answers (cublas.cpp). */
#ifndef EMULATION_CUBLAS_V2_H
#define EMULATION_CUBLAS_V2_H

#include "cuda_runtime.h"

enum cublasStatus_t {
    CUBLAS_STATUS_SUCCESS = 0,
    CUBLAS_STATUS_NOT_INITIALIZED = 1,
    CUBLAS_STATUS_ALLOC_FAILED = 3,
    CUBLAS_STATUS_INVALID_VALUE = 7,
    CUBLAS_STATUS_ARCH_MISMATCH = 8,
    CUBLAS_STATUS_EXECUTION_FAILED = 13,
    CUBLAS_STATUS_INTERNAL_ERROR = 14,
    CUBLAS_STATUS_NOT_SUPPORTED = 15
};

enum cublasFillMode_t { CUBLAS_FILL_MODE_LOWER = 0, CUBLAS_FILL_MODE_UPPER = 1 };
enum cublasOperation_t { CUBLAS_OP_N = 0, CUBLAS_OP_T = 1, CUBLAS_OP_C = 2 };

typedef struct emulation_cublas *cublasHandle_t;

cublasStatus_t cublasCreate(cublasHandle_t *handle);
cublasStatus_t cublasDestroy(cublasHandle_t handle);
cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream);

/* Matrices are column-major device memory; alpha and beta are on the host. */

cublasStatus_t cublasDgemm(cublasHandle_t handle, cublasOperation_t a_operation, cublasOperation_t b_operation,
                           int m, int n, int k, const double *alpha, const double *a, int a_leading,
                           const double *b, int b_leading, const double *beta, double *c, int c_leading);

cublasStatus_t cublasDgemmStridedBatched(cublasHandle_t handle, cublasOperation_t a_operation,
                                         cublasOperation_t b_operation, int m, int n, int k, const double *alpha,
                                         const double *a, int a_leading, long long int a_stride, const double *b,
                                         int b_leading, long long int b_stride, const double *beta, double *c,
                                         int c_leading, long long int c_stride, int batch_count);

cublasStatus_t cublasDsyrk(cublasHandle_t handle, cublasFillMode_t triangle, cublasOperation_t operation, int n,
                           int k, const double *alpha, const double *a, int a_leading, const double *beta,
                           double *c, int c_leading);

cublasStatus_t cublasDscal(cublasHandle_t handle, int n, const double *alpha, double *x, int increment);

#endif
