/* propagate.cuh - launch of the forward run. */
#ifndef MM_CUDA_KERNELS_PROPAGATE_CUH
#define MM_CUDA_KERNELS_PROPAGATE_CUH

#include "kernels/chain_batch.cuh"
#include "micromaser.h"

/** Carries chains from collision `first` to `end`, with R_{k+1} = P_{k+1} Phi R_k and the projection P on a window
 * that follows the state (kernels/window.cuh). On exit chain.collision, window, energy and the sums are those of
 * state `end`. Running a stretch again from a copy of batch.state and batch.chains at `first` gives the same bits
 * again.
 *
 *  A chain whose window outgrows the class stops with `overflow` set and the window that it needs in `window`; its
 *  state is not valid any more, and it has to start again in the class of that window. Chains with `overflow` set
 *  on entry are passed over.
 *
 *  @param order  [count], device memory: rows of the batch, each at most once; they are at collision `first`
 *  @param keep   of the states first .. end-1 those that the chain's way keeps go to batch.segment (in their
 * window; outside it the memory is not touched), and the windows of the states first .. end to batch.windows; end -
 * first is then at most batch.segment_length, and the states are at most batch.segment_states
 *  @return MM_ERROR_DEVICE if the launch fails, MM_ERROR_INPUT if the stretch does not fit segment or energies */
mm_status mm_cuda_propagate(const struct mm_chain_batch &batch, int count, const int *order, int64_t first,
                            int64_t end, bool keep, cudaStream_t stream, struct mm_error *error);

#endif
