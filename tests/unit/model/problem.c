/* problem.c - counts of a problem, what its top level may hold, and the message for each field that is out of range. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "micromaser.h"
#include "model/problem.h"

/* A good problem of two batches, for a test to spoil. */
struct sample {
    struct mm_batch batches[2];
    struct mm_problem problem;
};

static void make_sample(struct sample *sample)
{
    *sample = (struct sample){
        .batches = {{.qubits = 10, .fixed = true, .c = 0.25, .q = 1}, {.qubits = 20}},
        .problem = {.levels = 12, .batch_count = 2, .batches = sample->batches, .tail = 30, .band_tolerance = 0},
    };
}

static void counts(void **state)
{
    (void)state;
    struct sample sample;
    make_sample(&sample);
    assert_int_equal(mm_problem_free_batches(&sample.problem), 1);
    assert_int_equal(mm_problem_collisions(&sample.problem), 30);
}

static void accepts_the_limits(void **state)
{
    (void)state;
    struct sample sample;
    struct mm_error error;
    static const int levels[] = {MM_LEVELS_AUTO, MM_LEVELS_MIN, MM_LEVELS_MAX};
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        make_sample(&sample);
        sample.problem.levels = levels[i];
        assert_int_equal(mm_problem_check(&sample.problem, &error), MM_OK);
    }
    sample.problem.tail = 1;
    assert_int_equal(mm_problem_check(&sample.problem, NULL), MM_OK);
}

static void assert_refused(const struct mm_problem *problem, const char *expected)
{
    struct mm_error error = {0};
    assert_int_equal(mm_problem_check(problem, &error), MM_ERROR_INPUT);
    assert_int_equal(mm_problem_check(problem, NULL), MM_ERROR_INPUT);
    if (strstr(error.message, expected) == NULL)
        fail_msg("'%s' does not contain '%s'", error.message, expected);
}

#define ASSERT_SPOILED(change, expected)                                                                           \
    do {                                                                                                           \
        struct sample sample;                                                                                      \
        make_sample(&sample);                                                                                      \
        change;                                                                                                    \
        assert_refused(&sample.problem, expected);                                                                 \
    } while (0)

static void refuses_each_field(void **state)
{
    (void)state;
    ASSERT_SPOILED(sample.problem.levels = 1, "1 levels: expected 2 .. 4096");
    ASSERT_SPOILED(sample.problem.levels = 4097, "4097 levels: expected 2 .. 4096");
    ASSERT_SPOILED(sample.problem.levels = -3, "-3 levels");
    ASSERT_SPOILED(sample.problem.batch_count = 0, "0 batches: expected 1 .. 1000");
    ASSERT_SPOILED(sample.problem.batch_count = 1001, "1001 batches: expected 1 .. 1000");
    ASSERT_SPOILED(sample.batches[0].qubits = 0, "batch 1 has 0 qubits: expected 1 .. 1000000000");
    ASSERT_SPOILED(sample.batches[1].qubits = -7, "batch 2 has -7 qubits");
    ASSERT_SPOILED(sample.batches[1].qubits = INT64_MAX, "batch 2 has 9223372036854775807 qubits");
    ASSERT_SPOILED(sample.batches[0].c = 1.5, "batch 1 has c = 1.5: expected 0 .. 1");
    ASSERT_SPOILED(sample.batches[0].q = -0.1, "batch 1 has q = -0.1: expected 0 .. 1");
    ASSERT_SPOILED(sample.batches[0].c = NAN, "batch 1 has c = nan");
    ASSERT_SPOILED(sample.batches[0].q = NAN, "batch 1 has q = nan");
    ASSERT_SPOILED(sample.batches[1].fixed = true, "all 2 batches are fixed");
    ASSERT_SPOILED(sample.batches[1].qubits = 1000000000, "1000000010 collisions in all batches");
    ASSERT_SPOILED(sample.problem.tail = 0, "a tail of 0 collisions: expected 1 .. 30");
    ASSERT_SPOILED(sample.problem.tail = 31, "a tail of 31 collisions: expected 1 .. 30");
    ASSERT_SPOILED(sample.problem.band_tolerance = -1e-20, "band_tolerance = -1e-20");
    ASSERT_SPOILED(sample.problem.band_tolerance = INFINITY, "band_tolerance = inf");
    ASSERT_SPOILED(sample.problem.band_tolerance = NAN, "band_tolerance = nan");
}

static void tells_when_truncation_may_matter(void **state)
{
    (void)state;
    assert_false(mm_truncation_may_matter(0));
    assert_false(mm_truncation_may_matter(1e-8));
    assert_true(mm_truncation_may_matter(nextafter(1e-8, 1)));
    assert_true(mm_truncation_may_matter(NAN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts),
        cmocka_unit_test(accepts_the_limits),
        cmocka_unit_test(refuses_each_field),
        cmocka_unit_test(tells_when_truncation_may_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
