/* keep.cuh - what a forward run leaves for an adjoint sweep: the windows of all states, and checkpoints. */
#ifndef MM_CUDA_KERNELS_KEEP_CUH
#define MM_CUDA_KERNELS_KEEP_CUH

#include "kernels/chain_batch.cuh"

/** Notes the window of a state, the one numbered `place` of a segment. */
__device__ static inline void mm_keep_window(const struct mm_chain_view &view, int64_t place,
                                             struct mm_window window)
{
    if (threadIdx.x == 0)
        view.windows[place] = window;
}

/** What a run keeps next. */
struct mm_keeper {
    struct mm_way_place place;
    int64_t next; /* collision before which the state is kept; INT64_MAX: none any more */
    int kept;     /* states of the segment up to now */
};

/** Begins a run with collision `first`.
 *  @param keep  whether anything is kept */
__device__ static inline struct mm_keeper mm_keep_from(const struct mm_chain_batch &batch,
                                                       const struct mm_chain_view &view, int64_t first, bool keep)
{
    struct mm_keeper keeper = {{}, INT64_MAX, 0};
    if (keep)
        keeper.next = mm_way_next_kept(batch.ways[view.chain->way], first, keeper.place);
    return keeper;
}

/** Goes on to what follows the state before collision k, which has been kept. */
__device__ static inline void mm_keep_next(const struct mm_chain_batch &batch, const struct mm_chain_view &view,
                                           int64_t k, struct mm_keeper &keeper)
{
    keeper.next = mm_way_next_kept(batch.ways[view.chain->way], k + 1, keeper.place);
    keeper.kept++;
}

/** Kept state number `kept` of a segment. */
__device__ static inline double *mm_kept_state(const struct mm_chain_batch &batch, const struct mm_chain_view &view,
                                               int kept)
{
    return view.segment + (size_t)kept * mm_batch_matrix(batch);
}

#endif
