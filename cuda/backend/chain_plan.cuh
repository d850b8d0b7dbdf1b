/* chain_plan.cuh - the size classes of chains, and how many chains of a class go into some device memory. */
#ifndef MM_CUDA_BACKEND_CHAIN_PLAN_CUH
#define MM_CUDA_BACKEND_CHAIN_PLAN_CUH

#include "kernels/chain_batch.cuh"
#include "micromaser.h"

/** Shape of a chain's matrices on the device (kernels/chain_batch.cuh). The device may round differently in
 * different classes: to give the same bits always, a chain's results are those of its own class, the smallest one
 * that it fits into. */
struct mm_chain_class {
    int bands;
    int columns;
};

/** The class in which a chain starts that nothing is known of: the smallest one. */
struct mm_chain_class mm_chain_class_first(const struct mm_problem *problem);

/** The class in which a chain is run again that stopped before a window that did not fit. */
struct mm_chain_class mm_chain_class_next(struct mm_chain_class size, struct mm_window window);

/** A chain's own class.
 *  @param most  the most levels and the most diagonals that it ever had */
struct mm_chain_class mm_chain_class_own(const struct mm_problem *problem, struct mm_window most);

/** Whether two classes are the same, and whether the first comes before the second. */
bool mm_chain_class_same(struct mm_chain_class a, struct mm_chain_class b);
bool mm_chain_class_before(struct mm_chain_class a, struct mm_chain_class b);

enum { MM_LAUNCH_COLLISIONS = 8192 };

/** Collisions of a single chain in one launch that leave the device of a display alive, which ends a kernel after
 * two seconds: at most MM_LAUNCH_COLLISIONS, fewer in large classes. A multiprocessor that does two multiply-adds
 * in double precision a cycle, the slowest kind, then takes half a second. */
int64_t mm_chain_class_launch(struct mm_chain_class size);

/** Chains of so many collisions in one launch that a multiprocessor is done with as soon; at least 1. */
size_t mm_chain_class_rows(struct mm_chain_class size, int64_t collisions);

/** How a set of chains of one class is run.
 *
 *  A gradient needs states in reverse, those that the ways of the chains keep. If they do not fit, the run leaves
 *  checkpoints, one at the start of each segment, and the segments are recomputed one by one: one more forward run
 *  for much less memory. Segments end at multiples of MM_DERIVATIVE_INTERVAL, so that the cuts do not show in the
 *  derivatives. */
struct mm_chain_plan {
    struct mm_chain_class size;
    int rows; /* chains */
    bool gradient;
    int64_t first;          /* the first collision of the ways */
    int64_t collisions;     /* of the schedule */
    int64_t segment_length; /* most collisions of a segment, 0 without gradient */
    int64_t segment_states; /* most states kept of a segment */
    int64_t segments;       /* 1: all states that are kept are at hand */
};

/** First collision of a segment; that of the segment after the last one is the end of the schedule. */
int64_t mm_chain_plan_segment(const struct mm_chain_plan *plan, int64_t segment);

/** What chains are run for. */
struct mm_chain_purpose {
    const struct mm_sweep_ways *ways; /* for gradients, else NULL */
    bool every;                       /* by the way MM_SWEEP_EVERY, else by any of the others */
};

/** Plans for at most `wanted` chains in at most `limit` bytes.
 *  @param resident  chains that keep the device busy: to hold so many, states are recomputed
 *  Errors: MM_ERROR_DEVICE if not even one chain fits. */
mm_status mm_chain_plan_make(struct mm_chain_plan *plan, const struct mm_problem *problem,
                             struct mm_chain_class size, struct mm_chain_purpose purpose, size_t wanted,
                             size_t resident, size_t limit, struct mm_error *error);

/** Bytes of every array of a plan: wanted[MM_ARRAY_COUNT] (device/memory.cuh). */
void mm_chain_plan_arrays(const struct mm_chain_plan *plan, const struct mm_problem *problem, size_t *wanted);

#endif
