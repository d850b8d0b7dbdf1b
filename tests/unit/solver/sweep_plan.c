/* sweep_plan.c - how schedules are divided, and what becomes of sums that are not to be trusted. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/assert_double.h"
#include "cpu/run.h"
#include "support/protocols.h"
#include "solver/sweep_plan.h"

enum { BATCHES_MAX = 40 };

/* What a stretch of the rough plan should be: its end and its kind. */
struct expected {
    int64_t end;
    enum mm_stretch_kind kind;
};

/* Marks ascend, begin with each stretch, and end at the end of the schedule. */
static void assert_marks_are_sound(const struct mm_sweep_plan *plan, int64_t collisions)
{
    size_t mark = 0;
    for (size_t i = 0; i < plan->stretch_count; i++) {
        const struct mm_sweep_stretch *stretch = &plan->stretches[i];
        double weights = 0.0;
        assert_int_equal(stretch->first_mark, mark);
        assert_int_equal(plan->marks[mark].collision, stretch->range.first);
        for (size_t j = mark; j < mark + stretch->piece_count; j++) {
            assert_true(plan->marks[j].collision < plan->marks[j + 1].collision);
            for (size_t k = plan->marks[j].first_term; k < plan->marks[j + 1].first_term; k++) {
                weights += plan->terms[k].weight;
                assert_true(plan->terms[k].collision >= plan->marks[j].collision);
                assert_true(plan->terms[k].collision < plan->marks[j].collision + MM_SWEEP_SEGMENT);
                assert_true(plan->terms[k].collision < plan->marks[j + 1].collision);
            }
        }
        if (stretch->kind == MM_STRETCH_FEW) /* the sum of ones */
            assert_double_near(weights, (double)(stretch->range.end - stretch->range.first), 1e-3);
        mark += stretch->piece_count;
        assert_int_equal(plan->marks[mark].collision, stretch->range.end);
    }
    assert_int_equal(plan->mark_count, mark + 1);
    assert_int_equal(plan->marks[mark].collision, collisions);
}

static void check_plan(size_t batch_count, const struct mm_batch *batches, int64_t tail, size_t count,
                       const struct expected *expected)
{
    const struct mm_problem problem = {
        .levels = 20, .batch_count = batch_count, .batches = batches, .tail = tail, .band_tolerance = 1e-16};
    struct mm_sweep_plans plans;
    assert_int_equal(mm_sweep_plans_create(&plans, &problem, NULL), MM_OK);
    assert_int_equal(plans.rough.stretch_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(plans.rough.stretches[i].range.end, expected[i].end);
        assert_int_equal(plans.rough.stretches[i].kind, expected[i].kind);
        assert_true(i == 0 || plans.rough.stretches[i].range.first == expected[i - 1].end);
    }
    assert_marks_are_sound(&plans.rough, mm_problem_collisions(&problem));
    assert_marks_are_sound(&plans.exact, mm_problem_collisions(&problem));
    mm_sweep_plans_free(&plans);
}

static void a_stream_is_cut_at_its_tail(void **state)
{
    (void)state;
    const struct mm_batch batch = {.qubits = 1000};
    check_plan(1, &batch, 200, 2, (struct expected[]){{800, MM_STRETCH_FEW}, {1000, MM_STRETCH_FEW}});
    check_plan(1, &batch, 1000, 1, (struct expected[]){{1000, MM_STRETCH_FEW}});
    check_plan(1, &batch, 20, 2, (struct expected[]){{980, MM_STRETCH_FEW}, {1000, MM_STRETCH_EVERY}});
}

static void fixed_batches_are_passed_over(void **state)
{
    (void)state;
    const struct mm_batch batches[] = {
        {.qubits = 300, .fixed = true}, {.qubits = 400}, {.qubits = 200, .fixed = true}, {.qubits = 300}};
    check_plan(4, batches, 500, 3,
               (struct expected[]){{700, MM_STRETCH_FEW}, {900, MM_STRETCH_FIXED}, {1200, MM_STRETCH_FEW}});
    check_plan(
        4, batches, 400, 4,
        (struct expected[]){
            {700, MM_STRETCH_FEW}, {800, MM_STRETCH_FIXED}, {900, MM_STRETCH_FIXED}, {1200, MM_STRETCH_FEW}});
}

static void short_batches_are_swept_together(void **state)
{
    (void)state;
    struct mm_batch batches[BATCHES_MAX];
    for (size_t b = 0; b < BATCHES_MAX; b++)
        batches[b] = (struct mm_batch){.qubits = 25, .fixed = b % 3 == 1};
    check_plan(BATCHES_MAX, batches, 100, 1, (struct expected[]){{1000, MM_STRETCH_EVERY}});
    batches[20].qubits = 500;
    check_plan(BATCHES_MAX, batches, 100, 3,
               (struct expected[]){{500, MM_STRETCH_EVERY}, {1000, MM_STRETCH_FEW}, {1475, MM_STRETCH_EVERY}});
}

/* So many long batches that their states would not fit the caches: none is summed by few. */
static void the_number_of_marks_is_bounded(void **state)
{
    (void)state;
    struct mm_batch batches[BATCHES_MAX];
    for (size_t b = 0; b < BATCHES_MAX; b++)
        batches[b] = (struct mm_batch){.qubits = 1000};
    check_plan(BATCHES_MAX, batches, 1000, 1, (struct expected[]){{40000, MM_STRETCH_EVERY}});
}

/* The gradient of a stream with given plans. */
static struct mm_channel_gradient gradient_with(const struct stream *stream, const struct mm_sweep_plans *plans)
{
    struct mm_cpu_run run = {0};
    struct mm_evaluation evaluation;
    struct mm_channel_gradient gradient;
    assert_int_equal(mm_cpu_run_create(&run, &stream->problem, mm_instructions_find(NULL), NULL), MM_OK);
    assert_int_equal(mm_cpu_evaluate(&run, plans, &stream->point, &evaluation, &gradient, NULL), MM_OK);
    mm_cpu_run_free(&run);
    return gradient;
}

/* Weights that are wrong, and corrections that say so: the stretches are swept over every collision instead, some
 * pieces of which are so long that they are refined. */
static void sums_that_do_not_hold_are_not_used(void **state)
{
    (void)state;
    struct stream stream;
    struct mm_sweep_plans plans;
    stream_set(&stream, 60, 2000, 0.795, 0.31, 0.145);
    stream.problem.tail = 200;
    stream.problem.band_tolerance = 1e-16;
    assert_int_equal(mm_sweep_plans_create(&plans, &stream.problem, NULL), MM_OK);
    const struct mm_channel_gradient expected = gradient_with(&stream, &plans);
    const double scale = fmax(fabs(expected.by_q), fabs(expected.by_x));
    for (size_t i = 0; i < plans.exact.term_count; i++)
        plans.exact.terms[i].weight *= 1.5;
    const struct mm_channel_gradient trusted = gradient_with(&stream, &plans);
    assert_true(fmax(fabs(trusted.by_q - expected.by_q), fabs(trusted.by_x - expected.by_x)) > 0.1 * scale);
    for (size_t i = 0; i < plans.exact.term_count; i++)
        plans.exact.terms[i].correction = 1e-3 * plans.exact.terms[i].weight;
    const struct mm_channel_gradient found = gradient_with(&stream, &plans);
    assert_double_near(found.by_q, expected.by_q, 1e-10 * scale);
    assert_double_near(found.by_x, expected.by_x, 1e-10 * scale);
    mm_sweep_plans_free(&plans);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_is_cut_at_its_tail),        cmocka_unit_test(fixed_batches_are_passed_over),
        cmocka_unit_test(short_batches_are_swept_together),   cmocka_unit_test(the_number_of_marks_is_bounded),
        cmocka_unit_test(sums_that_do_not_hold_are_not_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
