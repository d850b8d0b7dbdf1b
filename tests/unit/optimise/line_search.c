/* line_search.c - the line search: trial steps against SciPy's, and steps that cannot be evaluated.
 *
 * The functions are those of fixtures/make_optimizer_fixtures.py.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "optimise/line_search.h"

enum { TRIALS_MAX = 20, LINE_SIZE = 1024 };

static const double step_tolerance = 1e-9; /* relative; rounding grows from trial to trial */

typedef double (*line)(double t, double *slope);

static double pole(double t, double *slope)
{
    double square = t * t + 2.0;
    *slope = (t * t - 2.0) / (square * square);
    return -t / square;
}

static double quintic(double t, double *slope)
{
    double a = t + 0.004;
    *slope = 5.0 * pow(a, 4) - 8.0 * pow(a, 3);
    return pow(a, 5) - 2.0 * pow(a, 4);
}

static double wavy(double t, double *slope)
{
    *slope = (t - 1.0) / 10.0 - 0.7 * cos(7.0 * t) - 0.5;
    return (t - 1.0) * (t - 1.0) / 20.0 - sin(7.0 * t) / 10.0 - t / 2.0;
}

static double walls(double t, double *slope)
{
    double near = sqrt(t * t + 0.01);
    double far = sqrt((1.0 - t) * (1.0 - t) + 1e-6);
    *slope = 0.999 * (t - 1.0) / far + 0.001 * t / near;
    return 0.999 * far + 0.001 * near;
}

static double kink(double t, double *slope)
{
    *slope = (t >= 0.3 ? 1.0 : -1.0) + t / 5.0;
    return fabs(t - 0.3) + t * t / 10.0;
}

static double quartic(double t, double *slope)
{
    *slope = 4.0 * pow(t - 2.0, 3) - 0.2;
    return pow(t - 2.0, 4) - t / 5.0;
}

static const struct {
    const char *name;
    line function;
} lines[] = {{"pole", pole},   {"quintic", quintic}, {"wavy", wavy},
             {"walls", walls}, {"kink", kink},       {"quartic", quartic}};

static line line_named(const char *name)
{
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (strcmp(lines[i].name, name) == 0)
            return lines[i].function;
    fail_msg("no function is called %s", name);
    return NULL;
}

/* Every trial is SciPy's, in number and place, and the last is accepted. */
static void compare_steps(const char *text)
{
    char name[32];
    double first, longest, slope;
    int ended, used = 0;
    assert_int_equal(sscanf(text, "%31[^,],%lf,%lf,%d,%n", name, &first, &longest, &ended, &used), 4);
    char *rest = (char *)text + used;
    line function = line_named(name);
    struct mm_line_search search;
    double value = function(0.0, &slope);
    enum mm_line_search_outcome outcome = mm_line_search_start(&search, value, slope, first, longest, TRIALS_MAX);
    while (outcome == MM_LINE_SEARCH_TRIAL) {
        double expected = strtod(rest, &rest);
        if (!(fabs(search.trial - expected) <= step_tolerance * expected))
            fail_msg("%s: trial %.17g, SciPy %.17g", text, search.trial, expected);
        value = function(search.trial, &slope);
        outcome = mm_line_search_tell(&search, value, slope);
    }
    assert_int_equal(outcome, ended ? MM_LINE_SEARCH_ACCEPT : MM_LINE_SEARCH_FAIL);
    assert_string_equal(rest, "\n");
}

static void test_scipy_steps(void **state)
{
    (void)state;
    FILE *file = fopen(MM_FIXTURES "/line_search.csv", "r");
    assert_non_null(file);
    char text[LINE_SIZE];
    size_t compared = 0;
    while (fgets(text, sizeof text, file) != NULL) {
        assert_non_null(strchr(text, '\n'));
        if (text[0] == '#')
            continue;
        compare_steps(text);
        compared++;
    }
    assert_int_equal(fclose(file), 0);
    assert_true(compared >= 50);
}

/* The trial that follows a rise of unknown slope, from value 0 and slope -1 to a value at step 1. */
static double trial_after_rise_to(double value)
{
    struct mm_line_search search;
    mm_line_search_start(&search, 0.0, -1.0, 1.0, 10.0, TRIALS_MAX);
    assert_int_equal(mm_line_search_tell_rise(&search, value), MM_LINE_SEARCH_TRIAL);
    return search.trial;
}

/* The next trial is the minimum of the parabola through what is known, but no less than 0.3 of the way. */
static void test_trial_after_rise(void **state)
{
    (void)state;
    const double tilt = 1e-3; /* of the auxiliary function that decides */
    assert_true(fabs(trial_after_rise_to(0.25) - 0.4) < 2.0 * tilt);
    assert_true(fabs(trial_after_rise_to(0.5) - 1.0 / 3.0) < 2.0 * tilt);
    assert_true(trial_after_rise_to(3.0) == 0.3);
    assert_true(trial_after_rise_to(1e300) == 0.3);
}

/* Rise, then a point below it from where it goes on down, steeper: a parabola to the rise gives the next trial. */
static void test_steepening_before_rise(void **state)
{
    (void)state;
    struct mm_line_search search;
    mm_line_search_start(&search, 0.0, -1.0, 1.0, 10.0, TRIALS_MAX);
    mm_line_search_tell_rise(&search, 3.0);
    assert_int_equal(mm_line_search_tell(&search, -0.4, -2.0), MM_LINE_SEARCH_TRIAL);
    const double chord = (-0.4 - 3.0) / 0.7;
    assert_true(fabs(search.trial - (0.3 + 0.7 * -2.0 / (chord - 2.0) / 2.0)) < 2e-3);
}

/* Without the slopes of rises every function still gets a step accepted, and none above its start. */
static void test_searches_without_slopes_of_rises(void **state)
{
    (void)state;
    int rises = 0;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        for (double first = 1e-3; first < 50.0; first *= 2.3) {
            struct mm_line_search search;
            double slope, value = lines[i].function(0.0, &slope);
            const double start = value;
            enum mm_line_search_outcome outcome =
                mm_line_search_start(&search, value, slope, first, 100.0, TRIALS_MAX);
            while (outcome == MM_LINE_SEARCH_TRIAL) {
                value = lines[i].function(search.trial, &slope);
                rises += value > start;
                outcome = value > start ? mm_line_search_tell_rise(&search, value)
                                        : mm_line_search_tell(&search, value, slope);
            }
            if (outcome != MM_LINE_SEARCH_ACCEPT || !(value < start))
                fail_msg("%s from step %g ends at value %g, start %g", lines[i].name, first, value, start);
        }
    assert_true(rises > 20);
}

/* No search is possible uphill, without slope, or with steps that make no sense. */
static void test_impossible_searches(void **state)
{
    (void)state;
    struct mm_line_search search;
    assert_int_equal(mm_line_search_start(&search, 0.0, 1.0, 1.0, 2.0, 20), MM_LINE_SEARCH_FAIL);
    assert_int_equal(mm_line_search_start(&search, 0.0, 0.0, 1.0, 2.0, 20), MM_LINE_SEARCH_FAIL);
    assert_int_equal(mm_line_search_start(&search, 0.0, NAN, 1.0, 2.0, 20), MM_LINE_SEARCH_FAIL);
    assert_int_equal(mm_line_search_start(&search, 0.0, -INFINITY, 1.0, 2.0, 20), MM_LINE_SEARCH_FAIL);
    assert_int_equal(mm_line_search_start(&search, 0.0, -1.0, 0.0, 2.0, 20), MM_LINE_SEARCH_FAIL);
    assert_int_equal(mm_line_search_start(&search, 0.0, -1.0, 1.0, 0.5, 20), MM_LINE_SEARCH_FAIL);
    assert_int_equal(mm_line_search_start(&search, 0.0, -1.0, 1.0, 2.0, 0), MM_LINE_SEARCH_FAIL);
}

/* A function that only rises never gets a step accepted; as many trials are made as allowed. */
static void test_no_descent(void **state)
{
    (void)state;
    struct mm_line_search search;
    enum mm_line_search_outcome outcome = mm_line_search_start(&search, 0.0, -1.0, 1.0, 2.0, TRIALS_MAX);
    int trials = 0;
    for (; outcome == MM_LINE_SEARCH_TRIAL; trials++)
        outcome = mm_line_search_tell(&search, search.trial, 1.0);
    assert_int_equal(outcome, MM_LINE_SEARCH_FAIL);
    assert_int_equal(trials, TRIALS_MAX);
}

/* Where the function ends at some step, the search halves back to the defined side and accepts a point there,
 * whether the minimum lies before or beyond the end. */
static void test_undefined_beyond(void **state)
{
    (void)state;
    for (double end = 0.01; end < 4.0; end *= 1.3) {
        struct mm_line_search search;
        double slope, value = quartic(0.0, &slope);
        double start = value, told = 0.0;
        enum mm_line_search_outcome outcome = mm_line_search_start(&search, value, slope, 1.0, 100.0, TRIALS_MAX);
        while (outcome == MM_LINE_SEARCH_TRIAL) {
            told = search.trial;
            value = quartic(told, &slope);
            outcome =
                told > end ? mm_line_search_tell_undefined(&search) : mm_line_search_tell(&search, value, slope);
        }
        assert_int_equal(outcome, MM_LINE_SEARCH_ACCEPT);
        assert_true(told <= end && value < start);
        assert_true(told >= fmin(0.25 * end, 0.5));
    }
}

/* Undefined halfway back from a lower point that was passed too far: no trial leaves the allowed steps. */
static void test_undefined_between(void **state)
{
    (void)state;
    struct mm_line_search search;
    double told = 0.0;
    enum mm_line_search_outcome outcome = mm_line_search_start(&search, 0.0, -1.0, 1.0, 100.0, TRIALS_MAX);
    outcome = mm_line_search_tell(&search, -2.0, 5.0);
    assert_int_equal(outcome, MM_LINE_SEARCH_TRIAL);
    assert_true(search.trial < 1.0);
    double undefined = search.trial;
    outcome = mm_line_search_tell_undefined(&search);
    for (int trials = 2; outcome == MM_LINE_SEARCH_TRIAL; trials++) {
        assert_true(trials < TRIALS_MAX);
        told = search.trial;
        assert_true(told > undefined && told <= 1.0);
        outcome = mm_line_search_tell(&search, -2.0 - 5.0 * (1.0 - told), 5.0);
    }
    assert_int_equal(outcome, MM_LINE_SEARCH_ACCEPT);
}

/* Undefined everywhere but at the start: fails after the trials allowed. */
static void test_undefined_everywhere(void **state)
{
    (void)state;
    struct mm_line_search search;
    enum mm_line_search_outcome outcome = mm_line_search_start(&search, 0.0, -1.0, 1.0, 100.0, TRIALS_MAX);
    int trials = 0;
    for (; outcome == MM_LINE_SEARCH_TRIAL; trials++) {
        assert_true(search.trial == ldexp(1.0, -trials));
        outcome = mm_line_search_tell_undefined(&search);
    }
    assert_int_equal(outcome, MM_LINE_SEARCH_FAIL);
    assert_int_equal(trials, TRIALS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scipy_steps),
        cmocka_unit_test(test_trial_after_rise),
        cmocka_unit_test(test_steepening_before_rise),
        cmocka_unit_test(test_searches_without_slopes_of_rises),
        cmocka_unit_test(test_impossible_searches),
        cmocka_unit_test(test_no_descent),
        cmocka_unit_test(test_undefined_beyond),
        cmocka_unit_test(test_undefined_between),
        cmocka_unit_test(test_undefined_everywhere),
    };
    return cmocka_run_group_tests_name("line_search", tests, NULL, NULL);
}
