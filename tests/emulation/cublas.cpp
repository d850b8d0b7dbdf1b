/* cublas.cpp - cuBLAS answered by cblas. */
#include <cblas.h>
#include <memory>
#include <utility>

#include "cublas_v2.h"
#include "emulation/device.h"
#include "emulation/work_queue.h"

struct emulation_cublas {
    cudaStream_t stream = nullptr;
    int device = emulation_current_device();
};

namespace
{

/* Elements from the first to the last of a column-major matrix. */
std::size_t extent(int rows, int columns, int leading)
{
    if (rows <= 0 || columns <= 0)
        return 0;
    return static_cast<std::size_t>(leading) * static_cast<std::size_t>(columns - 1) +
           static_cast<std::size_t>(rows);
}

/* One factor or the result of a product: where it lies and how large it is. */
struct operand {
    const double *begin;
    int rows;
    int columns;
    int leading;
    long long int stride;
};

operand factor(cublasOperation_t operation, const double *begin, int rows, int columns, int leading,
               long long int stride)
{
    if (operation == CUBLAS_OP_N)
        return {begin, rows, columns, leading, stride};
    return {begin, columns, rows, leading, stride};
}

bool fits(const operand &matrix, int batch_count)
{
    std::size_t elements = extent(matrix.rows, matrix.columns, matrix.leading);
    if (matrix.leading < 1 || matrix.leading < matrix.rows || matrix.stride < 0)
        return false;
    if (elements == 0 || batch_count == 0)
        return true;
    elements += static_cast<std::size_t>(matrix.stride) * static_cast<std::size_t>(batch_count - 1);
    return emulation_is_device_memory(matrix.begin, elements * sizeof(double));
}

CBLAS_TRANSPOSE transpose(cublasOperation_t operation)
{
    return operation == CUBLAS_OP_N ? CblasNoTrans : CblasTrans;
}

/* Runs the body, which returns a status, unless the call must fail. */
template <typename Body> cublasStatus_t library_call(cublasHandle_t handle, Body body)
{
    std::lock_guard<std::recursive_mutex> lock(emulation_mutex());
    cudaError_t error = emulation_admit();
    if (error != cudaSuccess)
        return error == cudaErrorMemoryAllocation ? CUBLAS_STATUS_ALLOC_FAILED : CUBLAS_STATUS_EXECUTION_FAILED;
    if (handle == nullptr)
        return CUBLAS_STATUS_NOT_INITIALIZED;
    if (handle->device != emulation_current_device() || emulation_find_own_stream(handle->stream) == nullptr)
        return CUBLAS_STATUS_EXECUTION_FAILED;
    return body();
}

/* Gives the stream of the handle what a call does on the device. */
cublasStatus_t give(cublasHandle_t handle, emulation_work work)
{
    cudaError_t error = emulation_give_with_memory(handle->stream, std::move(work));
    return error == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}

} // namespace

cublasStatus_t cublasCreate(cublasHandle_t *handle)
{
    std::unique_ptr<emulation_cublas> made = std::make_unique<emulation_cublas>();
    return library_call(made.get(), [&] {
        *handle = made.release();
        emulation_count_handle(1);
        return CUBLAS_STATUS_SUCCESS;
    });
}

cublasStatus_t cublasDestroy(cublasHandle_t handle)
{
    if (handle == nullptr)
        return CUBLAS_STATUS_NOT_INITIALIZED;
    cublasStatus_t status = library_call(handle, [] { return CUBLAS_STATUS_SUCCESS; });
    std::lock_guard<std::recursive_mutex> lock(emulation_mutex());
    delete handle;
    emulation_count_handle(-1);
    return status;
}

cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream)
{
    return library_call(handle, [&] {
        if (emulation_find_own_stream(stream) == nullptr)
            return CUBLAS_STATUS_INVALID_VALUE;
        handle->stream = stream;
        return CUBLAS_STATUS_SUCCESS;
    });
}

cublasStatus_t cublasDgemm(cublasHandle_t handle, cublasOperation_t a_operation, cublasOperation_t b_operation,
                           int m, int n, int k, const double *alpha, const double *a, int a_leading,
                           const double *b, int b_leading, const double *beta, double *c, int c_leading)
{
    return cublasDgemmStridedBatched(handle, a_operation, b_operation, m, n, k, alpha, a, a_leading, 0, b,
                                     b_leading, 0, beta, c, c_leading, 0, 1);
}

cublasStatus_t cublasDgemmStridedBatched(cublasHandle_t handle, cublasOperation_t a_operation,
                                         cublasOperation_t b_operation, int m, int n, int k, const double *alpha,
                                         const double *a, int a_leading, long long int a_stride, const double *b,
                                         int b_leading, long long int b_stride, const double *beta, double *c,
                                         int c_leading, long long int c_stride, int batch_count)
{
    return library_call(handle, [&] {
        if (m < 0 || n < 0 || k < 0 || batch_count < 0)
            return CUBLAS_STATUS_INVALID_VALUE;
        if (!fits(factor(a_operation, a, m, k, a_leading, a_stride), batch_count) ||
            !fits(factor(b_operation, b, k, n, b_leading, b_stride), batch_count) ||
            !fits({c, m, n, c_leading, c_stride}, batch_count))
            return CUBLAS_STATUS_INVALID_VALUE;
        return give(handle, [=, alpha = *alpha, beta = *beta] {
            for (long long int batch = 0; batch < batch_count; batch++)
                cblas_dgemm(CblasColMajor, transpose(a_operation), transpose(b_operation), m, n, k, alpha,
                            a + batch * a_stride, a_leading, b + batch * b_stride, b_leading, beta,
                            c + batch * c_stride, c_leading);
            return cudaSuccess;
        });
    });
}

cublasStatus_t cublasDsyrk(cublasHandle_t handle, cublasFillMode_t triangle, cublasOperation_t operation, int n,
                           int k, const double *alpha, const double *a, int a_leading, const double *beta,
                           double *c, int c_leading)
{
    return library_call(handle, [&] {
        if (n < 0 || k < 0 || !fits(factor(operation, a, n, k, a_leading, 0), 1) ||
            !fits({c, n, n, c_leading, 0}, 1))
            return CUBLAS_STATUS_INVALID_VALUE;
        return give(handle, [=, alpha = *alpha, beta = *beta] {
            cblas_dsyrk(CblasColMajor, triangle == CUBLAS_FILL_MODE_LOWER ? CblasLower : CblasUpper,
                        transpose(operation), n, k, alpha, a, a_leading, beta, c, c_leading);
            return cudaSuccess;
        });
    });
}

cublasStatus_t cublasDscal(cublasHandle_t handle, int n, const double *alpha, double *x, int increment)
{
    return library_call(handle, [&] {
        if (n < 0 || increment < 1 || !fits({x, 1, n, increment, 0}, 1))
            return CUBLAS_STATUS_INVALID_VALUE;
        return give(handle, [=, alpha = *alpha] {
            cblas_dscal(n, alpha, x, increment);
            return cudaSuccess;
        });
    });
}
