/* adjoint.cuh - launch of the adjoint sweep. */
#ifndef MM_CUDA_KERNELS_ADJOINT_CUH
#define MM_CUDA_KERNELS_ADJOINT_CUH

#include "kernels/chain_batch.cuh"
#include "micromaser.h"

/** Sweeps the adjoint back from collision `end` to `first`, over the states and windows that mm_cuda_propagate has
 *  kept of this stretch. With s_k the sign of E_k - E_{k-1} in the tail and 0 elsewhere,
 *      A_k = P_k Phi^T P_{k+1} A_{k+1} + dL/d(instability) (s_k - s_{k+1}) H,
 *  and the derivatives of the loss by the channel of a batch of qubits are the sums over its collisions of
 *  <dPhi/dq^T A_{k+1}, R_k> at constant x, and of <dPhi/dx^T A_{k+1}, R_k> at constant q (both triangles).
 *
 *  Where the chain's way takes a stretch by few of its collisions, these are weighted sums over its terms, unless A
 *  has a source in the stretch. If sums do not hold, `failed` is set in batch.few, and the derivatives are not
 * valid: the chain has to take the way MM_SWEEP_EVERY, from the vacuum on.
 *
 *  batch.adjoint holds A_end on entry, in its window and zero outside (mm_cuda_build_adjoint, or the sweep of the
 *  stretch after this one), and A_first on exit. The derivatives are added to batch.derivatives. They come out the
 *  same, bit for bit, however a schedule is cut into stretches at multiples of MM_DERIVATIVE_INTERVAL.
 *
 *  @param first, end  between them lies a part of all chains' ways
 *  @param order  [count], device memory: rows of the batch, each at most once; chains with `overflow` set are
 *                passed over
 *  @return MM_ERROR_DEVICE if the launch fails, MM_ERROR_INPUT if the stretch does not fit the segment */
mm_status mm_cuda_adjoint_sweep(const struct mm_chain_batch &batch, int count, const int *order, int64_t first,
                                int64_t end, cudaStream_t stream, struct mm_error *error);

#endif
