/* keep.cuh - what a forward run leaves for an adjoint sweep: windows of all states, and the states of its way. */
#ifndef MM_KEEP_CUH
#define MM_KEEP_CUH

#include "chain_batch.cuh"

/** Notes the window of a state, the one numbered `place` of a segment. */
__device__ static inline void mm_keep_window(const struct mm_chain_view &view, int64_t place,
                                             struct mm_device_window window)
{
    if (threadIdx.x == 0)
        view.windows[place] = window;
}

/** Notes the window of the state before collision k of a segment that begins with collision `first`.
 *  @param place  where the last collision lay; becomes that of k
 *  @return whether the chain's way keeps the state as well */
__device__ static inline bool mm_keep_window(const struct mm_chain_batch &batch, const struct mm_chain_view &view,
                                             enum mm_sweep_way way, int64_t first, int64_t k,
                                             struct mm_device_window window, struct mm_way_place &place)
{
    mm_keep_window(view, k - first, window);
    mm_way_find(batch.ways[way], k, place);
    return mm_way_keeps(batch.ways[way], place, k);
}

/** States that a way keeps of those before the collisions first .. end-1. */
__device__ static inline int mm_kept_states(const struct mm_way &way, int64_t first, int64_t end)
{
    struct mm_way_place place = {};
    mm_way_find(way, first, place);
    const int64_t before = mm_way_kept_before(way, place, first);
    mm_way_find(way, end, place);
    return (int)(mm_way_kept_before(way, place, end) - before);
}

/** Kept state number `kept` of a segment. */
__device__ static inline double *mm_kept_state(const struct mm_chain_batch &batch, const struct mm_chain_view &view,
                                               int kept)
{
    return view.segment + (size_t)kept * mm_batch_matrix(batch);
}

#endif
