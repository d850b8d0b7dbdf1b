/* point_flow.h - points that become known while others are evaluated: chains that do not wait for each other. */
#ifndef MM_SOLVER_POINT_FLOW_H
#define MM_SOLVER_POINT_FLOW_H

#include <pthread.h>

#include "micromaser.h"

#define MM_NO_SLOT SIZE_MAX

/** Slots that hold one point each, at most once in evaluation at a time. All arrays are borrowed. */
struct mm_point_flow {
    void *context; /* of the functions */
    size_t slot_count;
    size_t free_batches;
    const struct mm_point *points;         /* [slot_count]: of a slot, from when `next` names it until `settle` */
    struct mm_evaluation *evaluations;     /* [slot_count], out */
    struct mm_channel_gradient *gradients; /* [slot_count][free batches], out */

    /** Names a slot whose point is to be evaluated; MM_NO_SLOT: none at present. The flow ends where there is none
     * and none is in evaluation. Calls of `next` and `settle` come one at a time, from any thread. */
    mm_status (*next)(void *context, size_t *slot, struct mm_error *error);

    /** Makes use of the evaluation of a slot, beside other slots and the other functions. */
    void (*use)(void *context, size_t slot);

    /** After that: the slot may be named again. */
    mm_status (*settle)(void *context, size_t slot, struct mm_error *error);
};

/** Evaluates so many points at once; as mm_solver_evaluate. */
typedef mm_status (*mm_evaluate_points)(void *context, size_t count, const struct mm_point *points,
                                        struct mm_evaluation *evaluations, struct mm_channel_gradient *gradients,
                                        struct mm_error *error);

/** Evaluates a flow in rounds: all points that are known, then all that are known after that.
 *  Returns the first error of the flow or of an evaluation. */
mm_status mm_flow_in_rounds(const struct mm_point_flow *flow, mm_evaluate_points evaluate, void *context,
                            struct mm_error *error);

/** A flow from which threads take points. */
struct mm_flow_queue {
    const struct mm_point_flow *flow;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* a slot was settled */
    size_t busy;            /* slots in evaluation */
    mm_status status;       /* the first that was not MM_OK */
    struct mm_error error;
};

/** Opens the queue of a flow; close it with mm_flow_queue_close. */
mm_status mm_flow_queue_open(struct mm_flow_queue *queue, const struct mm_point_flow *flow, struct mm_error *error);

/** Takes the next points, waiting for one while others are in evaluation.
 *  @param most   of them, at least 1
 *  @param slots  [most], out
 *  @return how many: all that are known; 0: the flow has ended */
size_t mm_flow_queue_take(struct mm_flow_queue *queue, size_t most, size_t *slots);

/** Gives points back whose evaluations are in place, or have failed with a status.
 *  @param slots  [count] */
void mm_flow_queue_give(struct mm_flow_queue *queue, size_t count, const size_t *slots, mm_status status,
                        const struct mm_error *error);

/** Returns the first error of the flow or of an evaluation. */
mm_status mm_flow_queue_close(struct mm_flow_queue *queue, struct mm_error *error);

#endif
