/* density.cuh - matrices of a batch from outside and for outside: the vacuum, purity, dense copies, the adjoint's
 * end.
 */
#ifndef MM_CUDA_KERNELS_DENSITY_CUH
#define MM_CUDA_KERNELS_DENSITY_CUH

extern "C" {
#include "model/loss.h"
}
#include "kernels/chain_batch.cuh"
#include "micromaser.h"

/* In all of these `order` is [count] in device memory: rows of the batch, each at most once. They return
 * MM_ERROR_DEVICE if the launch fails. */

/** Whether the program has code for the present device: cudaSuccess, or why not. */
cudaError_t mm_cuda_code(void);

/** Puts the vacuum into chains: state, window, and all that is summed up, derivatives included, to zero. g,
 * band_tolerance and way of the chains are kept. */
mm_status mm_cuda_start(const struct mm_chain_batch &batch, int count, const int *order, cudaStream_t stream,
                        struct mm_error *error);

/** Tr(R^2) of the present states, into chain.purity. */
mm_status mm_cuda_purity(const struct mm_chain_batch &batch, int count, const int *order, cudaStream_t stream,
                         struct mm_error *error);

/** Copies the present states into full symmetric matrices.
 *  @param n        rows of each, at least the live levels of every chain
 *  @param padding  on the diagonal beyond the live levels (off it zero): below all eigenvalues of a state, say -1,
 * it keeps the spectrum of the live block apart, as the first eigenvalues in ascending order
 *  @param dense    [count][n][n], device memory, in the order of `order` */
mm_status mm_cuda_expand(const struct mm_chain_batch &batch, int count, const int *order, int n, double padding,
                         double *dense, cudaStream_t stream, struct mm_error *error);

/** Sets the adjoint at the end of the schedule, from W = Tr(H R) - Tr(P R) with P = sum_k k v_k v_k^T:
 *  A = by_ergotropy (H - P) + (by_energy + by_instability s_n) H + 2 by_purity R in the window of the present
 *  state, zero outside. The batch keeps by_instability for the sweep.
 *  @param n             rows of the projectors, at least the live levels of every chain
 *  @param projector     [count][n][n], device memory, in the order of `order`; element (row, column) at
 *                       column * n + row, of which the lower triangle is read
 *  @param losses        [count], device memory, in the order of `order`: the partial derivatives of the loss */
mm_status mm_cuda_build_adjoint(const struct mm_chain_batch &batch, int count, const int *order, int n,
                                const double *projector, const struct mm_loss *losses, cudaStream_t stream,
                                struct mm_error *error);

#endif
