/* work_queue.c - points that become known while others are evaluated: in rounds, and from several threads. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <omp.h>

#include "solver/backend.h"
#include "support/solver_checks.h"

enum { SLOTS = 5, VISITS = 7, BATCHES = 2 };

/* A work queue of SLOTS chains of VISITS points each: the next point of a chain is that of a counter and its last
 * loss.
 */
struct chains {
    struct mm_point points[SLOTS];
    struct mm_evaluation evaluations[SLOTS];
    struct mm_channel_gradient gradients[SLOTS * BATCHES];
    double parameters[SLOTS][2 * BATCHES];
    double losses[SLOTS][VISITS];
    double slopes[SLOTS][VISITS];
    int used[SLOTS];
    int settled[SLOTS];
    bool named[SLOTS];
    int calls; /* of evaluate_counted */
    size_t most;
    int fail_next_after; /* settled points before `next` fails, or -1 */
    int fail_finish_after;
    double fail_above; /* evaluations of points with a greater g fail */
};

static int total(const int *counts)
{
    int sum = 0;
    for (int i = 0; i < SLOTS; i++)
        sum += counts[i];
    return sum;
}

static void set_point(struct chains *chains, size_t slot)
{
    const int visit = chains->used[slot];
    const double last = visit == 0 ? 0.0 : chains->losses[slot][visit - 1];
    for (int i = 0; i < 2 * BATCHES; i++)
        chains->parameters[slot][i] = fabs(sin((double)slot + 0.7 * visit + 0.3 * i + last));
    chains->points[slot] = (struct mm_point){
        .g = 0.5 + 0.05 * (double)slot + 0.01 * visit, .lambda = 1.0, .parameters = chains->parameters[slot]};
}

static void open_chains(struct chains *chains)
{
    *chains = (struct chains){.fail_next_after = -1, .fail_finish_after = -1, .fail_above = INFINITY};
    for (size_t i = 0; i < SLOTS; i++)
        set_point(chains, i);
}

/* Chains that have been visited least go first, so that at times several threads wait for the last ones. */
static mm_status next(void *context, size_t *slot, struct mm_error *error)
{
    struct chains *chains = context;
    *slot = MM_NO_SLOT;
    if (chains->fail_next_after >= 0 && total(chains->settled) >= chains->fail_next_after)
        return mm_fail(error, MM_ERROR_INPUT, "no next point");
    for (size_t i = 0; i < SLOTS; i++)
        if (!chains->named[i] && chains->settled[i] < VISITS &&
            (*slot == MM_NO_SLOT || chains->settled[i] < chains->settled[*slot]))
            *slot = i;
    if (*slot != MM_NO_SLOT)
        chains->named[*slot] = true;
    return MM_OK;
}

static void use(void *context, size_t slot)
{
    struct chains *chains = context;
    const int visit = chains->used[slot]++;
    chains->losses[slot][visit] = chains->evaluations[slot].loss;
    chains->slopes[slot][visit] = chains->gradients[BATCHES * slot + 1].by_x;
    set_point(chains, slot);
}

static mm_status finish(void *context, size_t slot, struct mm_error *error)
{
    struct chains *chains = context;
    assert_true(chains->named[slot]);
    chains->named[slot] = false;
    chains->settled[slot]++;
    assert_int_equal(chains->settled[slot], chains->used[slot]);
    if (chains->fail_finish_after >= 0 && total(chains->settled) >= chains->fail_finish_after)
        return mm_fail(error, MM_ERROR_OUTPUT, "nowhere to put it");
    return MM_OK;
}

static struct mm_work_queue work_of(struct chains *chains)
{
    return (struct mm_work_queue){.context = chains,
                                  .slot_count = SLOTS,
                                  .free_batches = BATCHES,
                                  .points = chains->points,
                                  .evaluations = chains->evaluations,
                                  .gradients = chains->gradients,
                                  .next = next,
                                  .use = use,
                                  .finish = finish};
}

/* A stand-in for a backend that takes whole rounds: loss and gradient are functions of the point. */
static mm_status evaluate_counted(void *context, size_t count, const struct mm_point *points,
                                  struct mm_evaluation *evaluations, struct mm_channel_gradient *gradients,
                                  struct mm_error *error)
{
    struct chains *chains = context;
    chains->calls++;
    chains->most = count > chains->most ? count : chains->most;
    for (size_t i = 0; i < count; i++) {
        if (points[i].g > chains->fail_above)
            return mm_fail(error, MM_ERROR_DEVICE, "g = %g is too much", points[i].g);
        evaluations[i] = (struct mm_evaluation){.loss = points[i].g + points[i].parameters[0]};
        for (size_t b = 0; b < BATCHES; b++)
            gradients[i * BATCHES + b] = (struct mm_channel_gradient){points[i].parameters[2 * b], points[i].g};
    }
    return MM_OK;
}

static void rounds_hold_all_that_is_known(void **state)
{
    (void)state;
    struct chains chains;
    struct mm_error error = {0};
    open_chains(&chains);
    const struct mm_work_queue work = work_of(&chains);
    assert_int_equal(mm_work_in_rounds(&work, evaluate_counted, &chains, &error), MM_OK);
    assert_int_equal(chains.calls, VISITS);
    assert_int_equal(chains.most, SLOTS);
    for (int i = 0; i < SLOTS; i++)
        for (int visit = 0; visit < VISITS; visit++)
            assert_true(chains.slopes[i][visit] == 0.5 + 0.05 * i + 0.01 * visit);
    assert_int_equal(total(chains.used), SLOTS * VISITS);
}

/* Evaluates some slots by evaluate_counted, one point at a time. */
static mm_status evaluate_slots(const struct mm_shared_queue *queue, const struct chains *chains, size_t count,
                                const size_t *slots, struct mm_error *error)
{
    struct chains own = {.fail_above = chains->fail_above};
    mm_status status = MM_OK;
    for (size_t i = 0; status == MM_OK && i < count; i++)
        status = evaluate_counted(&own, 1, &queue->work->points[slots[i]], &queue->work->evaluations[slots[i]],
                                  queue->work->gradients + BATCHES * slots[i], error);
    return status;
}

/* What a queue does with a thread that takes up to so many points at a time. */
static void take_all(struct mm_shared_queue *queue, const struct chains *chains, size_t most)
{
    size_t slots[SLOTS];
    for (size_t count; (count = mm_shared_queue_take(queue, most, slots)) > 0;) {
        struct mm_error error = {0};
        mm_status status = evaluate_slots(queue, chains, count, slots, &error);
        mm_shared_queue_give(queue, count, slots, status, &error);
    }
}

/* One thread more takes one point more at a time, up to all. */
static mm_status run_queue(struct chains *chains, int threads, struct mm_error *error)
{
    const struct mm_work_queue work = work_of(chains);
    struct mm_shared_queue queue;
    const size_t most = threads < SLOTS ? (size_t)threads : SLOTS;
    assert_int_equal(mm_shared_queue_open(&queue, &work, error), MM_OK);
#pragma omp parallel num_threads(threads)
    take_all(&queue, chains, most);
    return mm_shared_queue_close(&queue, error);
}

/* A single thread gets all that is known, and no more than it asks for. */
static void points_are_taken_together(void **state)
{
    (void)state;
    struct chains chains;
    struct mm_error error = {0};
    size_t slots[SLOTS];
    open_chains(&chains);
    const struct mm_work_queue work = work_of(&chains);
    struct mm_shared_queue queue;
    assert_int_equal(mm_shared_queue_open(&queue, &work, &error), MM_OK);
    assert_int_equal(mm_shared_queue_take(&queue, 3, slots), 3);
    assert_int_equal(mm_shared_queue_take(&queue, SLOTS, slots + 3), SLOTS - 3);
    assert_int_equal(evaluate_slots(&queue, &chains, SLOTS, slots, &error), MM_OK);
    mm_shared_queue_give(&queue, 3, slots, MM_OK, &error);
    assert_int_equal(mm_shared_queue_take(&queue, SLOTS, slots), 3);
    mm_shared_queue_give(&queue, SLOTS, slots, MM_ERROR_DEVICE, &error);
    assert_int_equal(mm_shared_queue_take(&queue, SLOTS, slots), 0);
    assert_int_equal(total(chains.settled), 3);
    assert_int_equal(mm_shared_queue_close(&queue, &error), MM_ERROR_DEVICE);
}

static void threads_come_to_the_same(void **state)
{
    (void)state;
    struct chains expected, chains;
    struct mm_error error = {0};
    open_chains(&expected);
    const struct mm_work_queue work = work_of(&expected);
    assert_int_equal(mm_work_in_rounds(&work, evaluate_counted, &expected, &error), MM_OK);
    for (int threads = 1; threads <= 8; threads++) {
        open_chains(&chains);
        assert_int_equal(run_queue(&chains, threads, &error), MM_OK);
        assert_memory_equal(chains.losses, expected.losses, sizeof chains.losses);
        assert_memory_equal(chains.slopes, expected.slopes, sizeof chains.slopes);
    }
}

/* Whatever fails ends the queue with its status and message, with rounds and with threads. */
static void the_first_failure_ends_it(void **state)
{
    (void)state;
    static const struct {
        int next, finish;
        double g;
        mm_status status;
        const char *message;
    } cases[] = {
        {9, -1, INFINITY, MM_ERROR_INPUT, "no next point"},
        {-1, 9, INFINITY, MM_ERROR_OUTPUT, "nowhere to put it"},
        {-1, -1, 0.6, MM_ERROR_DEVICE, "is too much"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int threads = 0; threads <= 4; threads++) {
            struct chains chains;
            struct mm_error error = {0};
            open_chains(&chains);
            chains.fail_next_after = cases[i].next;
            chains.fail_finish_after = cases[i].finish;
            chains.fail_above = cases[i].g;
            const struct mm_work_queue work = work_of(&chains);
            mm_status status = threads == 0 ? mm_work_in_rounds(&work, evaluate_counted, &chains, &error)
                                            : run_queue(&chains, threads, &error);
            assert_int_equal(status, cases[i].status);
            assert_non_null(strstr(error.message, cases[i].message));
            assert_true(total(chains.settled) < SLOTS * VISITS);
        }
}

static void points_are_checked(void **state)
{
    (void)state;
    for (int threads = 0; threads <= 2; threads++) {
        struct chains chains;
        struct mm_error error = {0};
        open_chains(&chains);
        chains.parameters[3][2] = 1.5;
        const struct mm_work_queue work = work_of(&chains);
        mm_status status = threads == 0 ? mm_work_in_rounds(&work, evaluate_counted, &chains, &error)
                                        : run_queue(&chains, threads, &error);
        assert_int_equal(status, MM_ERROR_INPUT);
        assert_string_equal(error.message, "c of free batch 2 = 1.5; allowed is 0 to 1");
    }
}

/* Backends with a work queue of their own and without one give what mm_solver_evaluate gives. */
static void backends_agree_with_evaluate(void **state)
{
    (void)state;
    static const char *const backends[] = {"cpu", "reference"};
    const struct mm_batch batches[BATCHES] = {{.qubits = 12}, {.qubits = 9}};
    const struct mm_problem problem = {.levels = 10, .tail = 6, .batch_count = BATCHES, .batches = batches};
    for (int i = 0; i < 2; i++)
        for (int threads = 1; threads <= 3; threads++) {
            const struct mm_solver_options options = {.backend = backends[i], .threads = threads};
            struct mm_solver *solver;
            struct mm_error error = {0};
            struct chains chains, one_by_one;
            open_chains(&chains);
            open_chains(&one_by_one);
            assert_int_equal(mm_solver_open(&solver, &problem, &options, &error), MM_OK);
            const struct mm_work_queue work = work_of(&chains);
            assert_int_equal(mm_solver_evaluate_work(solver, &work, &error), MM_OK);
            for (size_t slot = 0; slot < SLOTS; slot++)
                for (int visit = 0; visit < VISITS; visit++) {
                    assert_int_equal(mm_solver_evaluate(solver, 1, &one_by_one.points[slot],
                                                        &one_by_one.evaluations[slot],
                                                        one_by_one.gradients + BATCHES * slot, &error),
                                     MM_OK);
                    use(&one_by_one, slot);
                }
            assert_memory_equal(chains.losses, one_by_one.losses, sizeof chains.losses);
            assert_memory_equal(chains.slopes, one_by_one.slopes, sizeof chains.slopes);
            mm_solver_close(solver);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounds_hold_all_that_is_known),
        cmocka_unit_test(threads_come_to_the_same),
        cmocka_unit_test(points_are_taken_together),
        cmocka_unit_test(the_first_failure_ends_it),
        cmocka_unit_test(points_are_checked),
        cmocka_unit_test(backends_agree_with_evaluate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
