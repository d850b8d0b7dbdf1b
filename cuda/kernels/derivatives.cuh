/* derivatives.cuh - what an adjoint sweep gathers besides the adjoint: the derivatives of a batch.
 *
 * Every thread adds up its own share of the derivatives over the collisions of a batch of qubits; the shares are
 * added over the block when the batch begins (a sweep runs backwards), and at every multiple of
 * MM_DERIVATIVE_INTERVAL, where a schedule may be cut.
 */
#ifndef MM_CUDA_KERNELS_DERIVATIVES_CUH
#define MM_CUDA_KERNELS_DERIVATIVES_CUH

#include "kernels/chain_batch.cuh"
#include "kernels/reduce.cuh"

/** <Phi_q^T A, R> and <Phi_x^T A, R>, or a thread's share; half, since all but the diagonal counts twice. */
struct mm_derivative_sums {
    double by_q;
    double by_x;
};

/** Sums of the shares of all threads, both triangles, for thread 0 alone; clears the shares. Contains a barrier.
 *  @param places  [warps][2], shared memory; not the ones of the call before */
__device__ static inline struct mm_derivative_sums mm_block_derivatives(double *places,
                                                                        struct mm_derivative_sums &share)
{
    struct mm_derivative_sums sum = {0.0, 0.0};
    mm_warp_publish_pair(places + 2 * mm_warp(), share.by_q, share.by_x);
    share.by_q = share.by_x = 0.0;
    __syncthreads();
    if (threadIdx.x == 0) {
        sum.by_q = 2.0 * mm_ordered_sum(places, 2, (int)blockDim.x / 32);
        sum.by_x = 2.0 * mm_ordered_sum(places + 1, 2, (int)blockDim.x / 32);
    }
    return sum;
}

/** Adds the shares of all threads to the derivatives of a batch of qubits; otherwise as mm_block_derivatives. */
__device__ static inline void mm_add_derivatives(const struct mm_chain_view &view, int batch_number, double *places,
                                                 struct mm_derivative_sums &share)
{
    const struct mm_derivative_sums sum = mm_block_derivatives(places, share);
    if (threadIdx.x == 0) {
        view.derivatives[2 * batch_number] += sum.by_q;
        view.derivatives[2 * batch_number + 1] += sum.by_x;
    }
}

#endif
