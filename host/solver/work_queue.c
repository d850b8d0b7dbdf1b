/* work_queue.c - a queue of points to evaluate, to which evaluations add: chains that do not wait for each
 * other. */
#include <stdlib.h>
#include <string.h>

#include "solver/work_queue.h"
#include "model/problem.h"

/* The next point, checked. */
static mm_status find_next(const struct mm_work_queue *work, size_t *slot, struct mm_error *error)
{
    mm_status status = work->next(work->context, slot, error);
    if (status != MM_OK || *slot == MM_NO_SLOT)
        return status;
    return mm_point_check(&work->points[*slot], work->free_batches, error);
}

/* ----------------------------------------------------------------------------------------------- rounds */

/* The points of a round, side by side as an evaluation wants them. */
struct round {
    size_t count;
    size_t *slots; /* arrays: [slot_count] */
    struct mm_point *points;
    struct mm_evaluation *evaluations;
    struct mm_channel_gradient *gradients; /* [slot_count][free batches] */
};

static void free_round(struct round *round)
{
    free(round->slots);
    free(round->points);
    free(round->evaluations);
    free(round->gradients);
}

static mm_status allocate_round(struct round *round, const struct mm_work_queue *work, struct mm_error *error)
{
    const size_t count = work->slot_count;
    round->slots = calloc(count, sizeof *round->slots);
    round->points = calloc(count, sizeof *round->points);
    round->evaluations = calloc(count, sizeof *round->evaluations);
    round->gradients = calloc(count * work->free_batches, sizeof *round->gradients);
    if (!round->slots || !round->points || !round->evaluations || !round->gradients)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for a round of %zu points", count);
    return MM_OK;
}

static mm_status collect_round(struct round *round, const struct mm_work_queue *work, struct mm_error *error)
{
    size_t slot = MM_NO_SLOT;
    mm_status status = find_next(work, &slot, error);
    for (round->count = 0; status == MM_OK && slot != MM_NO_SLOT; status = find_next(work, &slot, error)) {
        round->slots[round->count] = slot;
        round->points[round->count++] = work->points[slot];
    }
    return status;
}

static mm_status finish_round(const struct round *round, const struct mm_work_queue *work, struct mm_error *error)
{
    mm_status status = MM_OK;
    for (size_t i = 0; i < round->count && status == MM_OK; i++) {
        const size_t slot = round->slots[i], batches = work->free_batches;
        work->evaluations[slot] = round->evaluations[i];
        memcpy(work->gradients + slot * batches, round->gradients + i * batches, batches * sizeof *work->gradients);
        work->use(work->context, slot);
        status = work->finish(work->context, slot, error);
    }
    return status;
}

mm_status mm_work_in_rounds(const struct mm_work_queue *work, mm_evaluate_points evaluate, void *context,
                            struct mm_error *error)
{
    struct round round = {0};
    mm_status status = allocate_round(&round, work, error);
    if (status == MM_OK)
        status = collect_round(&round, work, error);
    while (status == MM_OK && round.count > 0) {
        status = evaluate(context, round.count, round.points, round.evaluations, round.gradients, error);
        if (status == MM_OK)
            status = finish_round(&round, work, error);
        if (status == MM_OK)
            status = collect_round(&round, work, error);
    }
    free_round(&round);
    return status;
}

/* ------------------------------------------------------------------------------------------------ queue */

mm_status mm_shared_queue_open(struct mm_shared_queue *queue, const struct mm_work_queue *work,
                               struct mm_error *error)
{
    *queue = (struct mm_shared_queue){.work = work};
    if (pthread_mutex_init(&queue->lock, NULL) != 0)
        return mm_fail(error, MM_ERROR_MEMORY, "no lock for the threads of a search");
    if (pthread_cond_init(&queue->changed, NULL) == 0)
        return MM_OK;
    pthread_mutex_destroy(&queue->lock);
    return mm_fail(error, MM_ERROR_MEMORY, "no signal for the threads of a search");
}

/* Keeps the first failure, which ends the queue. */
static void note_status(struct mm_shared_queue *queue, mm_status status, const struct mm_error *error)
{
    if (queue->status != MM_OK || status == MM_OK)
        return;
    queue->status = status;
    queue->error = *error;
}

/* All points that are known, up to so many; under the lock. */
static size_t take_known(struct mm_shared_queue *queue, size_t most, size_t *slots)
{
    struct mm_error error = {0};
    size_t count = 0, slot = MM_NO_SLOT;
    while (count < most) {
        note_status(queue, find_next(queue->work, &slot, &error), &error);
        if (queue->status != MM_OK)
            return 0;
        if (slot == MM_NO_SLOT)
            break;
        slots[count++] = slot;
    }
    return count;
}

size_t mm_shared_queue_take(struct mm_shared_queue *queue, size_t most, size_t *slots)
{
    size_t count = 0;
    pthread_mutex_lock(&queue->lock);
    while (queue->status == MM_OK) {
        count = take_known(queue, most, slots);
        if (queue->status != MM_OK || count > 0 || queue->busy == 0)
            break;
        pthread_cond_wait(&queue->changed, &queue->lock);
    }
    queue->busy += count;
    pthread_mutex_unlock(&queue->lock);
    return count;
}

void mm_shared_queue_give(struct mm_shared_queue *queue, size_t count, const size_t *slots, mm_status status,
                          const struct mm_error *error)
{
    const struct mm_work_queue *work = queue->work;
    struct mm_error failure = *error;
    for (size_t i = 0; i < count && status == MM_OK; i++)
        work->use(work->context, slots[i]);
    pthread_mutex_lock(&queue->lock);
    for (size_t i = 0; i < count && status == MM_OK && queue->status == MM_OK; i++)
        status = work->finish(work->context, slots[i], &failure);
    note_status(queue, status, &failure);
    queue->busy -= count;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

mm_status mm_shared_queue_close(struct mm_shared_queue *queue, struct mm_error *error)
{
    pthread_cond_destroy(&queue->changed);
    pthread_mutex_destroy(&queue->lock);
    return queue->status == MM_OK ? MM_OK : mm_fail(error, queue->status, "%s", queue->error.message);
}
