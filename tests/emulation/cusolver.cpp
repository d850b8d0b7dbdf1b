/* cusolver.cpp - cuSOLVER's batched eigenvalue problem answered by LAPACK, one matrix after the other. */
#include "cusolverDn.h"

#include <climits>
#include <cstring>
#include <lapacke.h>
#include <memory>
#include <utility>

#include "emulation/device.h"
#include "emulation/emulation.h"
#include "emulation/shared_memory.h"
#include "emulation/work_queue.h"

struct emulation_cusolver {
    cudaStream_t stream = nullptr;
    int device = emulation_current_device();
};

struct emulation_cusolver_params {
};

namespace
{

constexpr std::int64_t no_matrix = -1;
std::int64_t matrix_to_fail = no_matrix;

struct problem {
    cusolverEigMode_t mode;
    cublasFillMode_t triangle;
    std::int64_t n;
    std::int64_t leading;
    std::int64_t batch_count;

    std::size_t matrix_bytes() const
    {
        return static_cast<std::size_t>(n * leading) * sizeof(double);
    }

    /* Asked for so that callers must provide it; overwritten, so that nobody keeps anything there. */
    std::size_t buffer_bytes() const
    {
        return static_cast<std::size_t>(batch_count) * matrix_bytes();
    }
};

template <typename Body> cusolverStatus_t library_call(cusolverDnHandle_t handle, Body body)
{
    std::lock_guard<std::recursive_mutex> lock(emulation_mutex());
    cudaError_t error = emulation_admit();
    if (error != cudaSuccess)
        return error == cudaErrorMemoryAllocation ? CUSOLVER_STATUS_ALLOC_FAILED : CUSOLVER_STATUS_EXECUTION_FAILED;
    if (handle == nullptr)
        return CUSOLVER_STATUS_NOT_INITIALIZED;
    if (handle->device != emulation_current_device() || emulation_find_own_stream(handle->stream) == nullptr)
        return CUSOLVER_STATUS_EXECUTION_FAILED;
    return body();
}

/* Gives the stream of the handle what a call does on the device. */
cusolverStatus_t give(cusolverDnHandle_t handle, emulation_work work)
{
    cudaError_t error = emulation_give_with_memory(handle->stream, std::move(work));
    return error == cudaSuccess ? CUSOLVER_STATUS_SUCCESS : CUSOLVER_STATUS_EXECUTION_FAILED;
}

cusolverStatus_t check_problem(cusolverDnParams_t params, const problem &wanted, cudaDataType matrix_type,
                               cudaDataType value_type, cudaDataType compute_type)
{
    if (matrix_type != CUDA_R_64F || value_type != CUDA_R_64F || compute_type != CUDA_R_64F)
        return CUSOLVER_STATUS_NOT_SUPPORTED;
    if (params == nullptr || wanted.n < 1 || wanted.leading < wanted.n || wanted.batch_count < 1)
        return CUSOLVER_STATUS_INVALID_VALUE;
    /* more is not known to work */
    if (static_cast<std::size_t>(wanted.batch_count) * wanted.matrix_bytes() > INT_MAX)
        return CUSOLVER_STATUS_INVALID_VALUE;
    return CUSOLVER_STATUS_SUCCESS;
}

void fill_unwritten(double *begin, std::size_t bytes)
{
    std::memset(begin, emulation_unwritten_byte, bytes);
}

/* LAPACKE refuses matrices that hold a NaN; the device would not converge. */
int solve_one(const problem &wanted, double *matrix, double *values)
{
    bool vectors = wanted.mode == CUSOLVER_EIG_MODE_VECTOR;
    lapack_int info =
        LAPACKE_dsyevd(LAPACK_COL_MAJOR, vectors ? 'V' : 'N', wanted.triangle == CUBLAS_FILL_MODE_LOWER ? 'L' : 'U',
                       static_cast<lapack_int>(wanted.n), matrix, static_cast<lapack_int>(wanted.leading), values);
    int not_converged = info < 0 ? static_cast<int>(wanted.n) : static_cast<int>(info);
    if (not_converged != 0)
        fill_unwritten(values, static_cast<std::size_t>(wanted.n) * sizeof(double));
    if (not_converged != 0 || !vectors)
        fill_unwritten(matrix, wanted.matrix_bytes());
    return not_converged;
}

void solve_all(const problem &wanted, double *matrices, double *values, int *info)
{
    for (std::int64_t i = 0; i < wanted.batch_count; i++) {
        double *matrix = matrices + i * wanted.n * wanted.leading;
        if (i == matrix_to_fail)
            fill_unwritten(matrix, wanted.matrix_bytes());
        info[i] = solve_one(wanted, matrix, values + i * wanted.n);
    }
    matrix_to_fail = no_matrix;
}

} // namespace

void emulation_fail_eigensolve(std::int64_t matrix)
{
    std::lock_guard<std::recursive_mutex> lock(emulation_mutex());
    matrix_to_fail = matrix;
}

cusolverStatus_t cusolverDnCreate(cusolverDnHandle_t *handle)
{
    std::unique_ptr<emulation_cusolver> made = std::make_unique<emulation_cusolver>();
    return library_call(made.get(), [&] {
        *handle = made.release();
        emulation_count_handle(1);
        return CUSOLVER_STATUS_SUCCESS;
    });
}

cusolverStatus_t cusolverDnDestroy(cusolverDnHandle_t handle)
{
    if (handle == nullptr)
        return CUSOLVER_STATUS_NOT_INITIALIZED;
    cusolverStatus_t status = library_call(handle, [] { return CUSOLVER_STATUS_SUCCESS; });
    std::lock_guard<std::recursive_mutex> lock(emulation_mutex());
    delete handle;
    emulation_count_handle(-1);
    return status;
}

cusolverStatus_t cusolverDnSetStream(cusolverDnHandle_t handle, cudaStream_t stream)
{
    return library_call(handle, [&] {
        if (emulation_find_own_stream(stream) == nullptr)
            return CUSOLVER_STATUS_INVALID_VALUE;
        handle->stream = stream;
        return CUSOLVER_STATUS_SUCCESS;
    });
}

cusolverStatus_t cusolverDnCreateParams(cusolverDnParams_t *params)
{
    emulation_cusolver no_handle; /* the call has none */
    return library_call(&no_handle, [&] {
        *params = new emulation_cusolver_params;
        emulation_count_handle(1);
        return CUSOLVER_STATUS_SUCCESS;
    });
}

cusolverStatus_t cusolverDnDestroyParams(cusolverDnParams_t params)
{
    if (params == nullptr)
        return CUSOLVER_STATUS_INVALID_VALUE;
    emulation_cusolver no_handle;
    cusolverStatus_t status = library_call(&no_handle, [] { return CUSOLVER_STATUS_SUCCESS; });
    std::lock_guard<std::recursive_mutex> lock(emulation_mutex());
    delete params;
    emulation_count_handle(-1);
    return status;
}

cusolverStatus_t cusolverDnXsyevBatched_bufferSize(cusolverDnHandle_t handle, cusolverDnParams_t params,
                                                   cusolverEigMode_t mode, cublasFillMode_t triangle,
                                                   std::int64_t n, cudaDataType matrix_type, const void *,
                                                   std::int64_t leading, cudaDataType value_type, const void *,
                                                   cudaDataType compute_type, std::size_t *device_bytes,
                                                   std::size_t *host_bytes, std::int64_t batch_count)
{
    return library_call(handle, [&] {
        problem wanted = {mode, triangle, n, leading, batch_count};
        cusolverStatus_t status = check_problem(params, wanted, matrix_type, value_type, compute_type);
        if (status == CUSOLVER_STATUS_SUCCESS) {
            *device_bytes = wanted.buffer_bytes();
            *host_bytes = wanted.matrix_bytes();
        }
        return status;
    });
}

cusolverStatus_t cusolverDnXsyevBatched(cusolverDnHandle_t handle, cusolverDnParams_t params,
                                        cusolverEigMode_t mode, cublasFillMode_t triangle, std::int64_t n,
                                        cudaDataType matrix_type, void *matrices, std::int64_t leading,
                                        cudaDataType value_type, void *values, cudaDataType compute_type,
                                        void *device_buffer, std::size_t device_bytes, void *host_buffer,
                                        std::size_t host_bytes, int *info, std::int64_t batch_count)
{
    return library_call(handle, [&] {
        problem wanted = {mode, triangle, n, leading, batch_count};
        cusolverStatus_t status = check_problem(params, wanted, matrix_type, value_type, compute_type);
        if (status != CUSOLVER_STATUS_SUCCESS)
            return status;
        std::size_t count = static_cast<std::size_t>(batch_count);
        if (device_bytes < wanted.buffer_bytes() || host_bytes < wanted.matrix_bytes() || host_buffer == nullptr ||
            !emulation_is_device_memory(device_buffer, device_bytes) ||
            !emulation_is_device_memory(matrices, count * wanted.matrix_bytes()) ||
            !emulation_is_device_memory(values, count * static_cast<std::size_t>(n) * sizeof(double)) ||
            !emulation_is_device_memory(info, count * sizeof *info))
            return CUSOLVER_STATUS_INVALID_VALUE;
        return give(handle, [=] {
            std::memset(device_buffer, emulation_unwritten_byte, device_bytes);
            std::memset(host_buffer, emulation_unwritten_byte, host_bytes);
            solve_all(wanted, static_cast<double *>(matrices), static_cast<double *>(values), info);
            return cudaSuccess;
        });
    });
}
