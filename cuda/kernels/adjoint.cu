/* adjoint.cu - launches the adjoint sweep of the class of a batch. */
#include "kernels/adjoint.cuh"

#include "kernels/adjoint_tile.cuh"
#include "kernels/adjoint_wide.cuh"

mm_status mm_cuda_adjoint_sweep(const struct mm_chain_batch &batch, int count, const int *order, int64_t first,
                                int64_t end, cudaStream_t stream, struct mm_error *error)
{
    if (end - first > batch.segment_length)
        return mm_fail(error, MM_ERROR_INPUT, "collisions %lld to %lld do not fit a segment of %lld states",
                       (long long)first, (long long)end, (long long)batch.segment_length);
    if (count == 0)
        return MM_OK;
    if (!mm_batch_is_tiled(batch)) {
        MM_CUDA_CHECK(error, MM_LAUNCH(mm_adjoint_sweep_wide, (unsigned)count, MM_BLOCK_THREADS, 0, stream, batch,
                                       order, first, end));
        return MM_OK;
    }
    switch (batch.bands) {
#define MM_ADJOINT_CASE(BANDS)                                                                                     \
    case BANDS:                                                                                                    \
        MM_CUDA_CHECK(error, MM_LAUNCH(mm_adjoint_sweep_tile<BANDS>, (unsigned)count, mm_tile_threads(batch),      \
                                       mm_tile_shared_bytes(batch), stream, batch, order, first, end));            \
        return MM_OK;
        MM_TILE_CLASSES(MM_ADJOINT_CASE)
#undef MM_ADJOINT_CASE
    }
    return mm_fail(error, MM_ERROR_INPUT, "there is no tile class of %d diagonals", batch.bands);
}
