/* cusolver.cu - symmetric eigenvalue problems of many matrices at once, by cuSOLVER. */
#include "spectrum/cusolver.cuh"

#include <climits>
#include <cstdlib>

#include "device/check.cuh"

namespace
{

cusolverEigMode_t mode_of(const struct mm_cusolver_group &group)
{
    return group.vectors ? CUSOLVER_EIG_MODE_VECTOR : CUSOLVER_EIG_MODE_NOVECTOR;
}

} // namespace

mm_status mm_cusolver_open(struct mm_cusolver *solver, const struct mm_cuda_libraries *libraries,
                           cudaStream_t stream, struct mm_error *error)
{
    solver->libraries = libraries;
    MM_CUSOLVER_CHECK(error, libraries->cusolverDnCreate(&solver->handle));
    MM_CUSOLVER_CHECK(error, libraries->cusolverDnSetStream(solver->handle, stream));
    MM_CUSOLVER_CHECK(error, libraries->cusolverDnCreateParams(&solver->parameters));
    return MM_OK;
}

/* What a library says while it is closed cannot be acted on. */
void mm_cusolver_close(struct mm_cusolver *solver)
{
    if (solver->parameters != nullptr)
        (void)solver->libraries->cusolverDnDestroyParams(solver->parameters);
    if (solver->handle != nullptr)
        (void)solver->libraries->cusolverDnDestroy(solver->handle);
    free(solver->host_work);
    *solver = {};
}

int mm_cusolver_most(int levels)
{
    const size_t matrix = static_cast<size_t>(levels) * static_cast<size_t>(levels) * sizeof(double);
    return static_cast<int>(INT_MAX / matrix);
}

mm_status mm_cusolver_work(const struct mm_cusolver *solver, const struct mm_cusolver_group &group,
                           size_t *device_bytes, size_t *host_bytes, struct mm_error *error)
{
    *device_bytes = *host_bytes = 0;
    MM_CUSOLVER_CHECK(error, solver->libraries->cusolverDnXsyevBatched_bufferSize(
                                 solver->handle, solver->parameters, mode_of(group), CUBLAS_FILL_MODE_LOWER,
                                 group.levels, CUDA_R_64F, group.matrices, group.levels, CUDA_R_64F, group.values,
                                 CUDA_R_64F, device_bytes, host_bytes, group.count));
    return MM_OK;
}

mm_status mm_cusolver_reserve(struct mm_cusolver *solver, size_t host_bytes, struct mm_error *error)
{
    if (host_bytes <= solver->host_work_bytes)
        return MM_OK;
    free(solver->host_work);
    solver->host_work_bytes = 0;
    solver->host_work = malloc(host_bytes);
    if (solver->host_work == nullptr)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for cuSOLVER's %zu bytes on the host", host_bytes);
    solver->host_work_bytes = host_bytes;
    return MM_OK;
}

mm_status mm_cusolver_solve(const struct mm_cusolver *solver, const struct mm_cusolver_group &group, void *work,
                            struct mm_error *error)
{
    size_t bytes,
        host_bytes; /* exactly what is asked for: how a library computes may depend on what it is offered */
    mm_status status = mm_cusolver_work(solver, group, &bytes, &host_bytes, error);
    if (status != MM_OK)
        return status;
    MM_CUSOLVER_CHECK(error, solver->libraries->cusolverDnXsyevBatched(
                                 solver->handle, solver->parameters, mode_of(group), CUBLAS_FILL_MODE_LOWER,
                                 group.levels, CUDA_R_64F, group.matrices, group.levels, CUDA_R_64F, group.values,
                                 CUDA_R_64F, work, bytes, solver->host_work, host_bytes, group.info, group.count));
    return MM_OK;
}
