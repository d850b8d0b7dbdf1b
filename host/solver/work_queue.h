/* work_queue.h - a queue of points to evaluate, to which evaluations add: chains that do not wait for each
 * other. */
#ifndef MM_SOLVER_WORK_QUEUE_H
#define MM_SOLVER_WORK_QUEUE_H

#include <pthread.h>

#include "micromaser.h"

#define MM_NO_SLOT SIZE_MAX

/** Slots that hold one point each, at most once in evaluation at a time. All arrays are borrowed. */
struct mm_work_queue {
    void *context; /* of the functions */
    size_t slot_count;
    size_t free_batches;
    const struct mm_point *points;         /* [slot_count]: of a slot, from when `next` names it until `finish` */
    struct mm_evaluation *evaluations;     /* [slot_count], out */
    struct mm_channel_gradient *gradients; /* [slot_count][free batches], out */

    /** Names a slot whose point is to be evaluated; MM_NO_SLOT: none at present. The queue ends where there is none
     * and none is in evaluation. Calls of `next` and `finish` come one at a time, from any thread. */
    mm_status (*next)(void *context, size_t *slot, struct mm_error *error);

    /** Makes use of the evaluation of a slot, beside other slots and the other functions. */
    void (*use)(void *context, size_t slot);

    /** After that: the slot may be named again. */
    mm_status (*finish)(void *context, size_t slot, struct mm_error *error);
};

/** Evaluates so many points at once; as mm_solver_evaluate. */
typedef mm_status (*mm_evaluate_points)(void *context, size_t count, const struct mm_point *points,
                                        struct mm_evaluation *evaluations, struct mm_channel_gradient *gradients,
                                        struct mm_error *error);

/** Evaluates a work queue in rounds: all points that are known, then all that are known after that.
 *  Returns the first error of the queue or of an evaluation. */
mm_status mm_work_in_rounds(const struct mm_work_queue *work, mm_evaluate_points evaluate, void *context,
                            struct mm_error *error);

/** A work queue from which threads take points. */
struct mm_shared_queue {
    const struct mm_work_queue *work;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* a slot was finished */
    size_t busy;            /* slots in evaluation */
    mm_status status;       /* the first that was not MM_OK */
    struct mm_error error;
};

/** Opens the queue of a work queue; close it with mm_shared_queue_close. */
mm_status mm_shared_queue_open(struct mm_shared_queue *queue, const struct mm_work_queue *work,
                               struct mm_error *error);

/** Takes the next points, waiting for one while others are in evaluation.
 *  @param most   of them, at least 1
 *  @param slots  [most], out
 *  @return how many: all that are known; 0: the queue has ended */
size_t mm_shared_queue_take(struct mm_shared_queue *queue, size_t most, size_t *slots);

/** Gives points back whose evaluations are in place, or have failed with a status.
 *  @param slots  [count] */
void mm_shared_queue_give(struct mm_shared_queue *queue, size_t count, const size_t *slots, mm_status status,
                          const struct mm_error *error);

/** Returns the first error of the queue or of an evaluation. */
mm_status mm_shared_queue_close(struct mm_shared_queue *queue, struct mm_error *error);

#endif
