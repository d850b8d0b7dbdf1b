/* derivatives.cuh - what an adjoint sweep gathers besides the adjoint: signs of the tail, derivatives of a batch.
 *
 * Every thread adds up its own share of the derivatives over the collisions of a batch of qubits; the shares are
 * added over the block when the batch begins (a sweep runs backwards), and at every multiple of
 * MM_DERIVATIVE_INTERVAL, where a schedule may be cut.
 */
#ifndef MM_DERIVATIVES_CUH
#define MM_DERIVATIVES_CUH

#include "chain_batch.cuh"
#include "reduce.cuh"

/** <Phi_q^T A, R> and <Phi_x^T A, R>, or a thread's share; half, since all but the diagonal counts twice. */
struct mm_derivative_sums {
    double by_q;
    double by_x;
};

/** s_k: the sign of E_k - E_{k-1} in the tail. */
__device__ static inline int mm_tail_sign(const struct mm_device_problem &problem, const struct mm_chain_view &view,
                                          int64_t k)
{
    return k > problem.tail_start && k <= problem.collisions ? view.tail_signs[k - 1 - problem.tail_start] : 0;
}

/** s_k - s_{k+1}: 0 but where the energy turns round, and at the ends of the tail. */
__device__ static inline int mm_tail_turn(const struct mm_device_problem &problem, const struct mm_chain_view &view,
                                          int64_t k)
{
    return mm_tail_sign(problem, view, k) - mm_tail_sign(problem, view, k + 1);
}

/** Whether the shares are to be added up after collision k. */
__device__ static inline bool mm_derivatives_due(const struct mm_device_problem &problem, int64_t k, int64_t first,
                                                 int batch_number)
{
    return k == first || k % MM_DERIVATIVE_INTERVAL == 0 ||
           (batch_number > 0 && k == problem.batch_ends[batch_number - 1]);
}

/** Adds the shares of all threads to the derivatives of a batch of qubits and clears them; contains a barrier.
 *  @param places  [warps][2], shared memory; not the ones of the call before */
__device__ static inline void mm_add_derivatives(const struct mm_chain_view &view, int batch_number, double *places,
                                                 struct mm_derivative_sums &share)
{
    mm_warp_publish_pair(places + 2 * mm_warp(), share.by_q, share.by_x);
    share.by_q = share.by_x = 0.0;
    __syncthreads();
    if (threadIdx.x == 0) {
        view.derivatives[2 * batch_number] += 2.0 * mm_ordered_sum(places, 2, (int)blockDim.x / 32);
        view.derivatives[2 * batch_number + 1] += 2.0 * mm_ordered_sum(places + 1, 2, (int)blockDim.x / 32);
    }
}

#endif
