/* optimizer.c - the optimiser on bound-constrained problems with SciPy's answers, and where functions
 * misbehave.
 *
 * The problems and their formulas are those of fixtures/make_optimizer_fixtures.py.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>

#include <cmocka.h>

#include "micromaser.h"

enum { VARIABLES_MAX = 1000, SAMPLES = 50, LINE_SIZE = 4096 };

typedef double (*function)(size_t n, const double *x, double *gradient);

/* ------------------------------------------------------------------------------------- smooth functions */

static double rosenbrock(size_t n, const double *x, double *gradient)
{
    double value = 0.0;
    memset(gradient, 0, n * sizeof *gradient);
    for (size_t i = 0; i + 1 < n; i++) {
        double bend = x[i + 1] - x[i] * x[i];
        double away = 1.0 - x[i];
        value += 100.0 * bend * bend + away * away;
        gradient[i] += -400.0 * x[i] * bend - 2.0 * away;
        gradient[i + 1] += 200.0 * bend;
    }
    return value;
}

static double driver(size_t n, const double *x, double *gradient)
{
    double value = (x[0] - 1.0) * (x[0] - 1.0);
    memset(gradient, 0, n * sizeof *gradient);
    gradient[0] = 2.0 * (x[0] - 1.0);
    for (size_t i = 1; i < n; i++) {
        double bend = x[i] - x[i - 1] * x[i - 1];
        value += 4.0 * bend * bend;
        gradient[i] += 8.0 * bend;
        gradient[i - 1] -= 16.0 * x[i - 1] * bend;
    }
    return value;
}

static double quadratic(size_t n, const double *x, double *gradient)
{
    double value = 0.0;
    for (size_t i = 0; i < n; i++) {
        double away = x[i] - 2.0 * sin((double)i);
        double stiffness = 1.0 + (double)(i % 10);
        value += stiffness * away * away / 2.0;
        gradient[i] = stiffness * away;
    }
    for (size_t i = 0; i + 1 < n; i++) {
        double change = x[i + 1] - x[i];
        value += change * change / 2.0;
        gradient[i + 1] += change;
        gradient[i] -= change;
    }
    return value;
}

static double beale(size_t n, const double *x, double *gradient)
{
    static const double constants[3] = {1.5, 2.25, 2.625};
    double value = 0.0;
    memset(gradient, 0, n * sizeof *gradient);
    for (int k = 1; k <= 3; k++) {
        double residual = constants[k - 1] - x[0] + x[0] * pow(x[1], k);
        value += residual * residual;
        gradient[0] += 2.0 * residual * (pow(x[1], k) - 1.0);
        gradient[1] += 2.0 * residual * x[0] * k * pow(x[1], k - 1);
    }
    return value;
}

static double wood(size_t n, const double *x, double *gradient)
{
    assert_int_equal(n, 4);
    double a = x[1] - x[0] * x[0];
    double b = x[3] - x[2] * x[2];
    double x1 = 1.0 - x[0], x2 = x[1] - 1.0, x3 = 1.0 - x[2], x4 = x[3] - 1.0;
    gradient[0] = -400.0 * x[0] * a - 2.0 * x1;
    gradient[1] = 200.0 * a + 20.2 * x2 + 19.8 * x4;
    gradient[2] = -360.0 * x[2] * b - 2.0 * x3;
    gradient[3] = 180.0 * b + 20.2 * x4 + 19.8 * x2;
    return 100.0 * a * a + x1 * x1 + 90.0 * b * b + x3 * x3 + 10.1 * (x2 * x2 + x4 * x4) + 19.8 * x2 * x4;
}

static double well(size_t n, const double *x, double *gradient)
{
    double value = 0.0;
    for (size_t i = 0; i < n; i++) {
        double away = x[i] - 2.0;
        value += away * away * away * away / 4.0 + away * away / 2.0 + cos(x[i]);
        gradient[i] = away * away * away + away - sin(x[i]);
    }
    return value;
}

/* ------------------------------------------------------------------------------------------- problems */

/* Start and bounds take one value for even and one for odd variables. */
struct problem {
    const char *name;
    function function;
    size_t n;
    double start[2];
    double lower[2];
    double upper[2];
    int fixed; /* a variable held at fixed_value, or -1 */
    double fixed_value;
};

static const struct problem problems[] = {
    {"rosenbrock_2", rosenbrock, 2, {-1.2, 1}, {-INFINITY, -INFINITY}, {INFINITY, INFINITY}, -1, 0},
    {"rosenbrock_2_active", rosenbrock, 2, {-1.2, 1}, {-2, -2}, {0.5, 0.5}, -1, 0},
    {"rosenbrock_2_one_sided", rosenbrock, 2, {-1.2, 2}, {-INFINITY, -INFINITY}, {0.8, 0.8}, -1, 0},
    {"rosenbrock_25", rosenbrock, 25, {-1.2, 1}, {-INFINITY, -INFINITY}, {INFINITY, INFINITY}, -1, 0},
    {"rosenbrock_25_boxed", rosenbrock, 25, {-1.2, 1}, {-1.5, -1.5}, {0.9, 0.9}, -1, 0},
    {"driver_25", driver, 25, {3, 3}, {1, -100}, {100, 100}, -1, 0},
    {"driver_1000", driver, 1000, {3, 3}, {1, -100}, {100, 100}, -1, 0},
    {"quadratic_2", quadratic, 2, {0, 0}, {-1, -1}, {1, 1}, -1, 0},
    {"quadratic_10", quadratic, 10, {0, 0}, {-1, -1}, {1, 1}, -1, 0},
    {"quadratic_100", quadratic, 100, {0, 0}, {-1, -1}, {1, 1}, -1, 0},
    {"quadratic_1000", quadratic, 1000, {0, 0}, {-1, -1}, {1, 1}, -1, 0},
    {"quadratic_1000_free", quadratic, 1000, {0, 0}, {-INFINITY, -INFINITY}, {INFINITY, INFINITY}, -1, 0},
    {"quadratic_at_bounds", quadratic, 20, {-1, 1}, {-1, -1}, {1, 1}, -1, 0},
    {"quadratic_infeasible", quadratic, 20, {-30, 40}, {-1, -1}, {1, 1}, -1, 0},
    {"beale_boxed", beale, 2, {1, 1}, {-4.5, -4.5}, {4.5, 4.5}, -1, 0},
    {"beale_active", beale, 2, {1, 1}, {0, -1}, {2, 1.5}, -1, 0},
    {"wood_4", wood, 4, {-3, -1}, {-INFINITY, -INFINITY}, {INFINITY, INFINITY}, -1, 0},
    {"wood_4_lower", wood, 4, {-3, -1}, {-3.5, -3.5}, {INFINITY, INFINITY}, -1, 0},
    {"well_1", well, 1, {-4, -4}, {-5, -5}, {5, 5}, -1, 0},
    {"well_1_active", well, 1, {-4, -4}, {-5, -5}, {1.5, 1.5}, -1, 0},
    {"well_1_free", well, 1, {-4, -4}, {-INFINITY, -INFINITY}, {INFINITY, INFINITY}, -1, 0},
    {"rosenbrock_5_fixed", rosenbrock, 5, {-1.2, 1}, {-2, -2}, {2, 2}, 2, 0.3},
};

enum { PROBLEM_COUNT = sizeof problems / sizeof problems[0] };

static const struct problem *problem_named(const char *name)
{
    for (size_t i = 0; i < PROBLEM_COUNT; i++)
        if (strcmp(problems[i].name, name) == 0)
            return &problems[i];
    fail_msg("no problem is called %s", name);
    return NULL;
}

static struct mm_optimizer *create(const struct problem *problem, const struct mm_optimizer_options *options)
{
    double lower[VARIABLES_MAX], upper[VARIABLES_MAX], start[VARIABLES_MAX];
    for (size_t i = 0; i < problem->n; i++) {
        bool fixed = (int)i == problem->fixed;
        lower[i] = fixed ? problem->fixed_value : problem->lower[i % 2];
        upper[i] = fixed ? problem->fixed_value : problem->upper[i % 2];
        start[i] = problem->start[i % 2];
    }
    struct mm_optimizer *optimizer = NULL;
    struct mm_error error;
    mm_status status = mm_optimizer_create(&optimizer, problem->n, lower, upper, start, options, &error);
    if (status != MM_OK)
        fail_msg("%s", error.message);
    return optimizer;
}

/* Evaluates once at the point asked for, which must lie within the bounds. */
static enum mm_stop_reason advance(struct mm_optimizer *optimizer, const struct problem *problem, double *value)
{
    double gradient[VARIABLES_MAX];
    const double *x = mm_optimizer_ask(optimizer);
    for (size_t i = 0; i < problem->n; i++)
        if ((int)i == problem->fixed)
            assert_true(x[i] == problem->fixed_value);
        else
            assert_true(problem->lower[i % 2] <= x[i] && x[i] <= problem->upper[i % 2]);
    *value = problem->function(problem->n, x, gradient);
    return mm_optimizer_tell(optimizer, *value, gradient);
}

/* Runs to the end and checks what must hold for every function: limits, finiteness, best value and point. */
static struct mm_optimizer *run(const struct problem *problem, const struct mm_optimizer_options *options)
{
    struct mm_optimizer *optimizer = create(problem, options);
    double lowest = INFINITY;
    int64_t evaluations = 0;
    while (mm_optimizer_reason(optimizer) == MM_RUNNING) {
        double value;
        assert_true(++evaluations <= options->evaluations);
        enum mm_stop_reason reason = advance(optimizer, problem, &value);
        if (isfinite(value) && value < lowest)
            lowest = value;
        assert_int_equal(reason, mm_optimizer_reason(optimizer));
        assert_int_equal(evaluations, mm_optimizer_evaluations(optimizer));
    }
    assert_true(mm_optimizer_iterations(optimizer) <= options->iterations);
    assert_true(mm_optimizer_value(optimizer) <= lowest);
    const double *best = mm_optimizer_ask(optimizer);
    for (size_t i = 0; i < problem->n; i++)
        assert_true(isfinite(best[i]));
    assert_true(!isnan(mm_optimizer_gradient_norm(optimizer)));
    return optimizer;
}

/* -------------------------------------------------------------------------------------- SciPy's answers */

struct answer {
    char name[64];
    size_t n;
    double first;
    double value;
    long iterations;
    long evaluations;
    char reason[128];
    double point[SAMPLES];
};

static void parse_answer(const char *line, struct answer *answer)
{
    int used = 0;
    int fields = sscanf(line, "%63[^,],%zu,%lf,%lf,%ld,%ld,%127[^,],%n", answer->name, &answer->n, &answer->first,
                        &answer->value, &answer->iterations, &answer->evaluations, answer->reason, &used);
    assert_int_equal(fields, 7);
    char *rest = (char *)line + used;
    for (size_t i = 0; i < answer->n && i < SAMPLES; i++)
        answer->point[i] = strtod(rest, &rest);
}

/* The end of our run has the value, point and cost of SciPy's. */
static void compare_with_answer(const struct answer *answer)
{
    const struct problem *problem = problem_named(answer->name);
    struct mm_optimizer_options options = mm_optimizer_default_options();
    assert_int_equal(problem->n, answer->n);
    struct mm_optimizer *optimizer = create(problem, &options);
    double gradient[VARIABLES_MAX];
    double first = problem->function(problem->n, mm_optimizer_ask(optimizer), gradient);
    assert_true(fabs(first - answer->first) <= 1e-12 * answer->first);
    mm_optimizer_free(optimizer);

    optimizer = run(problem, &options);
    double value = mm_optimizer_value(optimizer);
    long evaluations = (long)mm_optimizer_evaluations(optimizer);
    const char *reason = mm_stop_reason_text(mm_optimizer_reason(optimizer));
    print_message("%-23s iterations %4ld (SciPy %4ld)  evaluations %4ld (%4ld)  value %.10g (%.10g)  %s\n",
                  answer->name, (long)mm_optimizer_iterations(optimizer), answer->iterations, evaluations,
                  answer->evaluations, value, answer->value, reason);
    assert_true(fabs(value - answer->value) <= 1e-7 * fmax(1.0, fabs(answer->value)));
    assert_true(2 * evaluations <= 3 * answer->evaluations + 10);
    assert_true(strncmp(reason, "CONVERGENCE", 11) == 0 && strncmp(answer->reason, "CONVERGENCE", 11) == 0);
    size_t samples = answer->n < SAMPLES ? answer->n : SAMPLES;
    for (size_t i = 0; i < samples; i++)
        assert_true(fabs(mm_optimizer_ask(optimizer)[i * answer->n / samples] - answer->point[i]) <= 1e-3);
    mm_optimizer_free(optimizer);
}

static void test_scipy_answers(void **state)
{
    (void)state;
    FILE *file = fopen(MM_FIXTURES "/optimizer.csv", "r");
    assert_non_null(file);
    char line[LINE_SIZE];
    size_t compared = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        assert_non_null(strchr(line, '\n'));
        if (line[0] == '#')
            continue;
        struct answer answer;
        parse_answer(line, &answer);
        compare_with_answer(&answer);
        compared++;
    }
    assert_int_equal(fclose(file), 0);
    assert_int_equal(compared, PROBLEM_COUNT);
}

/* With tight tolerances the ends satisfy the first-order conditions closely, whatever SciPy says. */
static void test_tight_tolerances(void **state)
{
    (void)state;
    struct mm_optimizer_options options = mm_optimizer_default_options();
    options.ftol = 0.0;
    options.gtol = 1e-9;
    for (size_t i = 0; i < PROBLEM_COUNT; i++) {
        struct mm_optimizer *optimizer = run(&problems[i], &options);
        double norm = mm_optimizer_gradient_norm(optimizer);
        if (norm > 1e-6 * fmax(1.0, mm_optimizer_value(optimizer)))
            fail_msg("%s: projected gradient %g, %s", problems[i].name, norm,
                     mm_stop_reason_text(mm_optimizer_reason(optimizer)));
        mm_optimizer_free(optimizer);
    }
}

/* Any number of pairs from 1 to 100 leads to the minimum. */
static void test_corrections(void **state)
{
    (void)state;
    static const int corrections[] = {1, 2, 3, 5, 17, 100};
    struct mm_optimizer_options options = mm_optimizer_default_options();
    const struct problem *problem = problem_named("driver_25");
    for (size_t i = 0; i < sizeof corrections / sizeof corrections[0]; i++) {
        options.corrections = corrections[i];
        struct mm_optimizer *optimizer = run(problem, &options);
        assert_true(mm_optimizer_value(optimizer) < 1e-6);
        mm_optimizer_free(optimizer);
    }
}

/* ------------------------------------------------------------------------------- functions with kinks */

/* sum_i (1 + i mod 3) |x_i - sin(i + 1)|: lowest value 0 */
static double absolute(size_t n, const double *x, double *gradient)
{
    double value = 0.0;
    for (size_t i = 0; i < n; i++) {
        double away = x[i] - sin((double)i + 1.0);
        double weight = 1.0 + (double)(i % 3);
        value += weight * fabs(away);
        gradient[i] = away < 0.0 ? -weight : weight;
    }
    return value;
}

/* a smooth valley with a kink along it, as |dE| gives: lowest value 0 at (1, 1, ..) */
static double kinked_valley(size_t n, const double *x, double *gradient)
{
    double value = 0.0;
    memset(gradient, 0, n * sizeof *gradient);
    for (size_t i = 0; i + 1 < n; i++) {
        double bend = x[i + 1] - x[i] * x[i];
        double sign = bend < 0.0 ? -1.0 : 1.0;
        value += 10.0 * fabs(bend) + (1.0 - x[i]) * (1.0 - x[i]);
        gradient[i] += -20.0 * sign * x[i] - 2.0 * (1.0 - x[i]);
        gradient[i + 1] += 10.0 * sign;
    }
    return value;
}

static void test_kinks(void **state)
{
    (void)state;
    struct mm_optimizer_options options = mm_optimizer_default_options();
    static const function functions[] = {absolute, kinked_valley};
    for (size_t f = 0; f < 2; f++) {
        for (size_t n = 2; n <= 20; n += 3) {
            struct problem problem = {"kink", functions[f], n, {-1.2, 0.7}, {-2, -2}, {2, 2}, -1, 0};
            struct mm_optimizer *optimizer = create(&problem, &options);
            double first;
            advance(optimizer, &problem, &first);
            mm_optimizer_free(optimizer);
            optimizer = run(&problem, &options);
            enum mm_stop_reason reason = mm_optimizer_reason(optimizer);
            assert_true(reason != MM_RUNNING && reason != MM_STOPPED_EVALUATIONS);
            assert_true(mm_optimizer_value(optimizer) < 0.5 * first);
            mm_optimizer_free(optimizer);
        }
    }
}

/* A kink in one variable is found. */
static void test_single_kink(void **state)
{
    (void)state;
    struct mm_optimizer_options options = mm_optimizer_default_options();
    struct problem problem = {"kink", absolute, 1, {-0.3, 0}, {-2, 0}, {2, 0}, -1, 0};
    struct mm_optimizer *optimizer = run(&problem, &options);
    assert_true(mm_optimizer_value(optimizer) < 1e-6);
    mm_optimizer_free(optimizer);
}

/* A quadratic whose gradient points the wrong way near the minimum, where no step downhill is found. */
static double misleading(size_t n, const double *x, double *gradient)
{
    double value = quadratic(n, x, gradient);
    if (value < 25.0)
        for (size_t i = 0; i < n; i++)
            gradient[i] = -gradient[i];
    return value;
}

/* The failed line search is repeated once from steepest descent, at the best point; then the run ends. */
static void test_restart(void **state)
{
    (void)state;
    struct mm_optimizer_options options = mm_optimizer_default_options();
    struct problem problem = {"misleading", misleading, 20, {0, 0}, {-1, -1}, {1, 1}, -1, 0};
    struct mm_optimizer *optimizer = create(&problem, &options);
    int64_t best_at = 0;
    double lowest = INFINITY;
    while (mm_optimizer_reason(optimizer) == MM_RUNNING) {
        double value;
        advance(optimizer, &problem, &value);
        if (value < lowest) {
            lowest = value;
            best_at = mm_optimizer_evaluations(optimizer);
        }
    }
    assert_int_equal(mm_optimizer_reason(optimizer), MM_STOPPED_LINE_SEARCH);
    assert_true(mm_optimizer_iterations(optimizer) >= 1);
    assert_true(lowest < 25.0 && mm_optimizer_value(optimizer) == lowest);
    assert_true(mm_optimizer_evaluations(optimizer) - best_at >= 2 * options.line_search_steps - 1);
    assert_true(mm_optimizer_evaluations(optimizer) - best_at <= 2 * options.line_search_steps);
    mm_optimizer_free(optimizer);
}

/* Tells an optimiser of one variable a value and slope of the test's own making. */
static enum mm_stop_reason tell_one(struct mm_optimizer *optimizer, double value, double gradient)
{
    return mm_optimizer_tell(optimizer, value, &gradient);
}

/* With two trials a line search, the first search fails after it has found a lower point: the run goes on there. */
static struct mm_optimizer *fail_first_search(void)
{
    struct mm_optimizer_options options = mm_optimizer_default_options();
    options.line_search_steps = 2;
    struct problem problem = {"told", NULL, 1, {0, 0}, {-INFINITY, 0}, {INFINITY, 0}, -1, 0};
    struct mm_optimizer *optimizer = create(&problem, &options);
    assert_int_equal(tell_one(optimizer, 0.0, -1.0), MM_RUNNING);
    double lower = mm_optimizer_ask(optimizer)[0];
    assert_true(lower > 0.0);
    assert_int_equal(tell_one(optimizer, -1.0, 5.0), MM_RUNNING);
    assert_int_equal(tell_one(optimizer, -0.5, -5.0), MM_RUNNING);
    assert_true(fabs(mm_optimizer_ask(optimizer)[0] - (lower - 1.0)) < 1e-15);
    assert_int_equal(mm_optimizer_iterations(optimizer), 0);
    return optimizer;
}

static void test_no_second_restart(void **state)
{
    (void)state;
    struct mm_optimizer *optimizer = fail_first_search();
    assert_int_equal(tell_one(optimizer, -2.0, -50.0), MM_RUNNING);
    assert_int_equal(tell_one(optimizer, -1.5, 50.0), MM_STOPPED_LINE_SEARCH);
    assert_true(mm_optimizer_value(optimizer) == -2.0);
    assert_true(mm_optimizer_gradient_norm(optimizer) == 50.0);
    mm_optimizer_free(optimizer);
}

static void test_restart_after_iteration(void **state)
{
    (void)state;
    struct mm_optimizer *optimizer = fail_first_search();
    assert_int_equal(tell_one(optimizer, -2.0, 1.0), MM_RUNNING);
    assert_int_equal(mm_optimizer_iterations(optimizer), 1);
    assert_int_equal(tell_one(optimizer, -1.0, -9.0), MM_RUNNING);
    assert_int_equal(tell_one(optimizer, -1.5, -9.0), MM_RUNNING);
    assert_int_equal(tell_one(optimizer, -1.0, -9.0), MM_RUNNING);
    assert_int_equal(tell_one(optimizer, -1.5, -9.0), MM_STOPPED_LINE_SEARCH);
    assert_true(mm_optimizer_value(optimizer) == -2.0);
    mm_optimizer_free(optimizer);
}

/* ----------------------------------------------------------------------------------- undefined values */

/* -sum log(1 - x_i) - x_i ..: undefined for x >= 1, lowest where 1 / (1 - x) = 4, x = 3/4 */
static double barrier(size_t n, const double *x, double *gradient)
{
    double value = 0.0;
    for (size_t i = 0; i < n; i++) {
        value -= log(1.0 - x[i]) + 4.0 * x[i];
        gradient[i] = 1.0 / (1.0 - x[i]) - 4.0;
    }
    return value;
}

/* falls towards x = 1, beyond which nothing is defined: value, then gradient, then both */
static double cliff(size_t n, const double *x, double *gradient)
{
    double value = 0.0;
    for (size_t i = 0; i < n; i++) {
        value -= x[i];
        gradient[i] = -1.0;
    }
    if (x[0] > 1.0)
        value = x[0] > 2.0 ? -INFINITY : NAN;
    if (n > 1 && x[1] > 1.0)
        gradient[1] = x[1] > 2.0 ? INFINITY : NAN;
    return value;
}

/* a quadratic with an undefined shell between the start and its minimum */
static double shell(size_t n, const double *x, double *gradient)
{
    double value = quadratic(n, x, gradient);
    double square = 0.0;
    for (size_t i = 0; i < n; i++)
        square += x[i] * x[i];
    return square > 0.3 && square < 0.4 ? NAN : value;
}

static double nowhere(size_t n, const double *x, double *gradient)
{
    for (size_t i = 0; i < n; i++)
        gradient[i] = x[i];
    return NAN;
}

static double at_start_only(size_t n, const double *x, double *gradient)
{
    bool at_start = true;
    for (size_t i = 0; i < n; i++) {
        gradient[i] = 1.0;
        at_start = at_start && x[i] == 0.0;
    }
    return at_start ? 3.0 : NAN;
}

static void test_undefined_region(void **state)
{
    (void)state;
    struct mm_optimizer_options options = mm_optimizer_default_options();
    struct problem problem = {"barrier", barrier, 3, {-50, 0}, {-100, -100}, {100, 100}, -1, 0};
    struct mm_optimizer *optimizer = run(&problem, &options);
    for (size_t i = 0; i < 3; i++)
        assert_true(fabs(mm_optimizer_ask(optimizer)[i] - 0.75) < 1e-4);
    mm_optimizer_free(optimizer);

    struct problem falling = {"cliff", cliff, 2, {-0.3, -0.7}, {-100, -100}, {100, 100}, -1, 0};
    optimizer = run(&falling, &options);
    assert_true(mm_optimizer_value(optimizer) < -1.5);
    assert_true(mm_optimizer_value(optimizer) >= -2.0);
    mm_optimizer_free(optimizer);

    struct problem hollow = {"shell", shell, 6, {0, 0}, {-1, -1}, {1, 1}, -1, 0};
    optimizer = run(&hollow, &options);
    assert_true(isfinite(mm_optimizer_value(optimizer)));
    mm_optimizer_free(optimizer);
}

static void test_undefined_everywhere(void **state)
{
    (void)state;
    struct mm_optimizer_options options = mm_optimizer_default_options();
    struct problem problem = {"nowhere", nowhere, 2, {3, -9}, {-1, -1}, {1, 1}, -1, 0};
    struct mm_optimizer *optimizer = run(&problem, &options);
    assert_int_equal(mm_optimizer_reason(optimizer), MM_STOPPED_LINE_SEARCH);
    assert_int_equal(mm_optimizer_evaluations(optimizer), 1);
    assert_true(mm_optimizer_value(optimizer) == INFINITY);
    assert_true(mm_optimizer_gradient_norm(optimizer) == INFINITY);
    assert_true(mm_optimizer_ask(optimizer)[0] == 1.0 && mm_optimizer_ask(optimizer)[1] == -1.0);
    mm_optimizer_free(optimizer);

    struct problem lonely = {"at_start_only", at_start_only, 2, {0, 0}, {-1, -1}, {1, 1}, -1, 0};
    optimizer = run(&lonely, &options);
    assert_int_equal(mm_optimizer_reason(optimizer), MM_STOPPED_LINE_SEARCH);
    assert_int_equal(mm_optimizer_evaluations(optimizer), 1 + options.line_search_steps);
    assert_true(mm_optimizer_value(optimizer) == 3.0);
    assert_true(mm_optimizer_ask(optimizer)[0] == 0.0);
    mm_optimizer_free(optimizer);
}

/* Values and slopes near the largest double end the run, not the arithmetic. */
static double enormous(size_t n, const double *x, double *gradient)
{
    double value = 0.0;
    for (size_t i = 0; i < n; i++) {
        value += 1e300 * x[i] * x[i];
        gradient[i] = 2e300 * x[i];
    }
    return value;
}

static void test_overflow(void **state)
{
    (void)state;
    struct mm_optimizer_options options = mm_optimizer_default_options();
    struct problem free = {"enormous",           enormous, 3, {0.7, -0.1}, {-INFINITY, -INFINITY},
                           {INFINITY, INFINITY}, -1,       0};
    struct problem boxed = {"enormous", enormous, 3, {0.7, -0.1}, {-1, -1}, {1, 1}, -1, 0};
    mm_optimizer_free(run(&free, &options));
    mm_optimizer_free(run(&boxed, &options));
}

/* ------------------------------------------------------------------------------------------ rough noise */

/* Uniform in [-1, 1], a function of the bits of the point and a number (splitmix64). */
static double noise(const double *x, size_t n, uint64_t number)
{
    uint64_t mixed = number + 0x9e3779b97f4a7c15U;
    for (size_t i = 0; i < n; i++) {
        uint64_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        mixed = (mixed ^ bits) * 0xbf58476d1ce4e5b9U;
        mixed ^= mixed >> 27;
        mixed *= 0x94d049bb133111ebU;
        mixed ^= mixed >> 31;
    }
    return (double)(mixed >> 11) * 0x1p-52 - 1.0;
}

/* Value and gradient have nothing to do with each other; now and then they are not finite, or huge. */
static void tell_noise(struct mm_optimizer *optimizer, size_t n, uint64_t seed)
{
    const double *x = mm_optimizer_ask(optimizer);
    double gradient[20];
    double scale = pow(10.0, 6.0 * noise(x, n, seed + 1));
    for (size_t i = 0; i < n; i++)
        gradient[i] = scale * noise(x, n, seed + 100 + i);
    double value = scale * noise(x, n, seed + 2);
    double choice = noise(x, n, seed + 3);
    if (choice > 0.95)
        value = choice > 0.98 ? NAN : 1e308;
    if (choice < -0.97)
        gradient[0] = INFINITY;
    mm_optimizer_tell(optimizer, value, gradient);
}

static void test_noise(void **state)
{
    (void)state;
    struct mm_optimizer_options options = mm_optimizer_default_options();
    options.ftol = 0.0;
    options.gtol = 0.0;
    for (uint64_t seed = 0; seed < 3000; seed++) {
        size_t n = 1 + seed % 20;
        double low = seed % 3 == 0 ? -INFINITY : -1.0;
        double high = seed % 3 == 1 ? INFINITY : 2.0;
        options.corrections = 1 + (int)(seed % 7);
        struct problem problem = {"noise", NULL, n, {0.5, -0.5}, {low, low}, {high, high}, -1, 0};
        struct mm_optimizer *optimizer = create(&problem, &options);
        while (mm_optimizer_reason(optimizer) == MM_RUNNING) {
            for (size_t i = 0; i < n; i++)
                assert_true(mm_optimizer_ask(optimizer)[i] >= low && mm_optimizer_ask(optimizer)[i] <= high);
            tell_noise(optimizer, n, seed);
        }
        assert_true(!isnan(mm_optimizer_value(optimizer)));
        assert_true(mm_optimizer_reason(optimizer) != MM_STOPPED_EVALUATIONS);
        mm_optimizer_free(optimizer);
    }
}

/* A small ripple on a smooth function: the run ends near the minimum. */
static double ripple(size_t n, const double *x, double *gradient)
{
    return quadratic(n, x, gradient) * (1.0 + 1e-10 * noise(x, n, 5));
}

static void test_ripple(void **state)
{
    (void)state;
    struct mm_optimizer_options options = mm_optimizer_default_options();
    options.ftol = 0.0;
    options.gtol = 0.0;
    struct problem smooth = {"quadratic", quadratic, 20, {0, 0}, {-1, -1}, {1, 1}, -1, 0};
    struct problem rough = {"ripple", ripple, 20, {0, 0}, {-1, -1}, {1, 1}, -1, 0};
    struct mm_optimizer *exact = run(&smooth, &options);
    struct mm_optimizer *optimizer = run(&rough, &options);
    assert_true(fabs(mm_optimizer_value(optimizer) - mm_optimizer_value(exact)) < 1e-6);
    mm_optimizer_free(optimizer);
    mm_optimizer_free(exact);
}

/* --------------------------------------------------------------------------------- length of first trials */

/* Valleys at 1/3 and 1, steep between them. */
static double waves(size_t n, const double *x, double *gradient)
{
    double value = 0.0;
    for (size_t i = 0; i < n; i++) {
        value += 10.0 * cos(3.0 * M_PI * x[i]);
        gradient[i] = -30.0 * M_PI * sin(3.0 * M_PI * x[i]);
    }
    return value;
}

/* From beside a valley the model's first step goes to the far bound; a short first trial stays in the valley. */
static void test_trial_length(void **state)
{
    (void)state;
    struct mm_optimizer_options options = mm_optimizer_default_options();
    struct problem problem = {"waves", waves, 2, {0.3, 0.3}, {0, 0}, {1, 1}, -1, 0};
    struct mm_optimizer *optimizer = run(&problem, &options);
    assert_true(fabs(mm_optimizer_ask(optimizer)[0] - 1.0) < 1e-6);
    mm_optimizer_free(optimizer);

    options.trial_length = 0.05;
    optimizer = create(&problem, &options);
    double value;
    assert_int_equal(advance(optimizer, &problem, &value), MM_RUNNING);
    const double *x = mm_optimizer_ask(optimizer);
    assert_true(fabs(hypot(x[0] - 0.3, x[1] - 0.3) - 0.05) < 1e-15);
    mm_optimizer_free(optimizer);
    optimizer = run(&problem, &options);
    assert_true(fabs(mm_optimizer_ask(optimizer)[0] - 1.0 / 3.0) < 1e-6);
    mm_optimizer_free(optimizer);
}

/* Short first trials find the same minimum: line searches lengthen them, and the model's own steps become short. */
static void test_trial_length_convex(void **state)
{
    (void)state;
    struct mm_optimizer_options options = mm_optimizer_default_options();
    struct problem problem = {"quadratic", quadratic, 20, {0, 0}, {-5, -5}, {5, 5}, -1, 0};
    struct mm_optimizer *unlimited = run(&problem, &options);
    options.trial_length = 0.01;
    struct mm_optimizer *limited = run(&problem, &options);
    assert_true(mm_optimizer_evaluations(limited) > mm_optimizer_evaluations(unlimited));
    assert_true(fabs(mm_optimizer_value(limited) - mm_optimizer_value(unlimited)) < 1e-6);
    mm_optimizer_free(unlimited);
    mm_optimizer_free(limited);
}

/* ---------------------------------------------------------------------------------- rises without gradient */

/* Runs without the gradients that are not wanted; *rises gets their number. */
static struct mm_optimizer *run_sparingly(const struct problem *problem, int *rises)
{
    struct mm_optimizer_options options = mm_optimizer_default_options();
    struct mm_optimizer *optimizer = create(problem, &options);
    double gradient[VARIABLES_MAX];
    *rises = 0;
    while (mm_optimizer_reason(optimizer) == MM_RUNNING) {
        const double value = problem->function(problem->n, mm_optimizer_ask(optimizer), gradient);
        const bool wanted = !(value > mm_optimizer_gradient_limit(optimizer));
        *rises += !wanted;
        mm_optimizer_tell(optimizer, value, wanted ? gradient : NULL);
    }
    return optimizer;
}

/* The minimum is found as well, and the point that is reported has a gradient. */
static void test_rises_without_gradient(void **state)
{
    (void)state;
    static const char *const names[] = {"rosenbrock_25", "quadratic_10", "driver_25"};
    int all_rises = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct mm_optimizer_options options = mm_optimizer_default_options();
        const struct problem *problem = problem_named(names[i]);
        struct mm_optimizer *full = run(problem, &options);
        int rises;
        struct mm_optimizer *spare = run_sparingly(problem, &rises);
        assert_true(fabs(mm_optimizer_value(spare) - mm_optimizer_value(full)) < 1e-6);
        assert_true(isfinite(mm_optimizer_gradient_norm(spare)));
        all_rises += rises;
        mm_optimizer_free(full);
        mm_optimizer_free(spare);
    }
    assert_true(all_rises > 0);
}

/* Only a value above the iterate's does without: else a missing gradient is an undefined point. */
static void test_missing_gradient(void **state)
{
    (void)state;
    struct mm_optimizer_options options = mm_optimizer_default_options();
    struct problem problem = {"told", NULL, 1, {0, 0}, {-INFINITY, 0}, {INFINITY, 0}, -1, 0};
    struct mm_optimizer *optimizer = create(&problem, &options);
    assert_true(mm_optimizer_gradient_limit(optimizer) == INFINITY);
    tell_one(optimizer, 2.0, -1.0);
    assert_true(mm_optimizer_gradient_limit(optimizer) == 2.0);
    const double first = mm_optimizer_ask(optimizer)[0];
    assert_int_equal(mm_optimizer_tell(optimizer, 1.0, NULL), MM_RUNNING);
    assert_true(mm_optimizer_ask(optimizer)[0] == first / 2.0);
    assert_true(mm_optimizer_value(optimizer) == 2.0);
    mm_optimizer_free(optimizer);

    optimizer = create(&problem, &options);
    assert_int_equal(mm_optimizer_tell(optimizer, 2.0, NULL), MM_STOPPED_LINE_SEARCH);
    mm_optimizer_free(optimizer);
}

/* ----------------------------------------------------------------------------------------- rough phases */

/* Rough values are those of the same function a little beside, the farther the more phases are left. */
static double tell_rough_or_exact(struct mm_optimizer *optimizer, const struct problem *problem)
{
    double gradient[VARIABLES_MAX], beside[VARIABLES_MAX];
    const double *x = mm_optimizer_ask(optimizer);
    for (size_t i = 0; i < problem->n; i++)
        beside[i] = x[i] + 1e-3 * mm_optimizer_rough_phases_left(optimizer);
    const double value = problem->function(problem->n, beside, gradient);
    mm_optimizer_tell(optimizer, value, gradient);
    return value;
}

/* Runs to the end. Phases follow one after the other, or the exact one at once, from the best point, if no
 * evaluation is left for another; what is reported at the end is exact. *exact gets the number of exact values. */
static struct mm_optimizer *run_rough(const struct problem *problem, const struct mm_optimizer_options *options,
                                      int *exact)
{
    struct mm_optimizer *optimizer = create(problem, options);
    double best[VARIABLES_MAX], lowest = INFINITY;
    int before = mm_optimizer_rough_phases_left(optimizer);
    assert_int_equal(before, options->evaluations > 1 ? options->rough_phases : 0);
    *exact = 0;
    while (mm_optimizer_reason(optimizer) == MM_RUNNING) {
        const int left = mm_optimizer_rough_phases_left(optimizer);
        double asked[VARIABLES_MAX];
        memcpy(asked, mm_optimizer_ask(optimizer), problem->n * sizeof *asked);
        if (left != before) {
            const bool last = mm_optimizer_evaluations(optimizer) == options->evaluations - 1;
            assert_true(left == before - 1 || last);
            if (last)
                assert_memory_equal(asked, best, problem->n * sizeof *asked);
            lowest = INFINITY;
        }
        const double value = tell_rough_or_exact(optimizer, problem);
        *exact += left == 0;
        if (value < lowest) {
            lowest = value;
            memcpy(best, asked, problem->n * sizeof *asked);
        }
        before = left;
    }
    assert_true(*exact >= 1 && before == 0);
    assert_true(mm_optimizer_value(optimizer) == lowest);
    return optimizer;
}

static void test_rough_phases(void **state)
{
    (void)state;
    struct mm_optimizer_options plain = mm_optimizer_default_options();
    assert_int_equal(plain.rough_phases, 0);
    for (int phases = 1; phases <= MM_ROUGH_PHASES_MAX; phases++) {
        struct mm_optimizer_options options = plain;
        options.rough_phases = phases;
        options.rough[0] = (struct mm_phase_end){1e-5, 1e-2};
        options.rough[1] = (struct mm_phase_end){1e-6, 1e-3};
        int64_t evaluations = 0;
        int all_exact = 0;
        for (size_t p = 0; p < PROBLEM_COUNT; p++) {
            int exact;
            struct mm_optimizer *without = run(&problems[p], &plain);
            struct mm_optimizer *with = run_rough(&problems[p], &options, &exact);
            const double minimum = mm_optimizer_value(without), found = mm_optimizer_value(with);
            if (!(found - minimum < 1e-5 * fmax(1.0, fabs(minimum)))) /* wood_4 ends at a saddle without phases */
                fail_msg("%s: %.17g, not %.17g", problems[p].name, found, minimum);
            evaluations += mm_optimizer_evaluations(without);
            all_exact += exact;
            mm_optimizer_free(without);
            mm_optimizer_free(with);
        }
        assert_true(all_exact < evaluations / 2);
    }
}

/* A phase is begun with nearer to the minimum of the last one than that has been, and one evaluation there is
 * enough where the model expects no more: here the functions of all phases are the same. */
static void test_phases_begin_at_the_minimum_of_the_model(void **state)
{
    (void)state;
    const struct problem problem = {"quadratic", quadratic, 3, {0, 0}, {-5, -5}, {5, 5}, -1, 0};
    struct mm_optimizer_options options = mm_optimizer_default_options();
    options.ftol = 1e-6;
    options.gtol = 0.0;
    options.rough_phases = 1;
    options.rough[0] = (struct mm_phase_end){1e-3, 0.0};
    struct mm_optimizer *optimizer = create(&problem, &options);
    double value, lowest = INFINITY;
    while (mm_optimizer_rough_phases_left(optimizer) == 1) {
        assert_int_equal(advance(optimizer, &problem, &value), MM_RUNNING);
        lowest = fmin(lowest, value);
    }
    const int64_t rough = mm_optimizer_evaluations(optimizer);
    assert_int_equal(advance(optimizer, &problem, &value), MM_CONVERGED_FTOL);
    assert_true(value < lowest);
    assert_int_equal(mm_optimizer_evaluations(optimizer), rough + 1);
    mm_optimizer_free(optimizer);
}

/* The limits hold for all phases together, and the last value is exact. */
static void test_limits_with_rough_phases(void **state)
{
    (void)state;
    const struct problem *problem = problem_named("rosenbrock_25");
    for (int64_t limit = 1; limit <= 40; limit++) {
        struct mm_optimizer_options options = mm_optimizer_default_options();
        options.rough_phases = 1 + (int)(limit % MM_ROUGH_PHASES_MAX);
        options.rough[0] = options.rough[1] = (struct mm_phase_end){1e-5, 0.0};
        int exact;
        options.evaluations = limit;
        struct mm_optimizer *optimizer = run_rough(problem, &options, &exact);
        assert_int_equal(mm_optimizer_reason(optimizer), MM_STOPPED_EVALUATIONS);
        assert_int_equal(mm_optimizer_evaluations(optimizer), limit);
        mm_optimizer_free(optimizer);

        options.evaluations = 15000;
        options.iterations = limit;
        optimizer = run_rough(problem, &options, &exact);
        assert_int_equal(mm_optimizer_reason(optimizer), MM_STOPPED_ITERATIONS);
        assert_int_equal(mm_optimizer_iterations(optimizer), limit);
        mm_optimizer_free(optimizer);
    }
}

/* ---------------------------------------------------------------------------------- limits and the rest */

static void test_limits(void **state)
{
    (void)state;
    const struct problem *problem = problem_named("rosenbrock_25");
    for (int64_t limit = 1; limit <= 40; limit++) {
        struct mm_optimizer_options options = mm_optimizer_default_options();
        options.evaluations = limit;
        struct mm_optimizer *optimizer = run(problem, &options);
        assert_int_equal(mm_optimizer_reason(optimizer), MM_STOPPED_EVALUATIONS);
        assert_int_equal(mm_optimizer_evaluations(optimizer), limit);
        mm_optimizer_free(optimizer);

        options = mm_optimizer_default_options();
        options.iterations = limit;
        optimizer = run(problem, &options);
        assert_int_equal(mm_optimizer_reason(optimizer), MM_STOPPED_ITERATIONS);
        assert_int_equal(mm_optimizer_iterations(optimizer), limit);
        mm_optimizer_free(optimizer);
    }
}

/* A start at the minimum, or with every variable fixed, needs one evaluation. */
static void test_start_at_minimum(void **state)
{
    (void)state;
    struct mm_optimizer_options options = mm_optimizer_default_options();
    struct problem there = {"rosenbrock", rosenbrock, 4, {1, 1}, {-2, -2}, {2, 2}, -1, 0};
    struct problem fixed = {"rosenbrock", rosenbrock, 4, {3, 3}, {0.5, -0.5}, {0.5, -0.5}, -1, 0};
    const struct problem *both[] = {&there, &fixed};
    for (size_t i = 0; i < 2; i++) {
        struct mm_optimizer *optimizer = run(both[i], &options);
        assert_int_equal(mm_optimizer_reason(optimizer), MM_CONVERGED_GTOL);
        assert_int_equal(mm_optimizer_evaluations(optimizer), 1);
        assert_int_equal(mm_optimizer_iterations(optimizer), 0);
        assert_true(mm_optimizer_gradient_norm(optimizer) == 0.0);
        mm_optimizer_free(optimizer);
    }
}

/* Two optimisers that advance in turn ask for the same bits, whatever lies between them in memory. */
static void test_determinism(void **state)
{
    (void)state;
    struct mm_optimizer_options options = mm_optimizer_default_options();
    for (size_t p = 0; p < PROBLEM_COUNT; p++) {
        struct mm_optimizer *first = create(&problems[p], &options);
        void *between = malloc(24 + 40 * p);
        assert_non_null(between);
        struct mm_optimizer *second = create(&problems[p], &options);
        while (mm_optimizer_reason(first) == MM_RUNNING) {
            double values[2];
            enum mm_stop_reason reason = advance(first, &problems[p], &values[0]);
            assert_int_equal(reason, advance(second, &problems[p], &values[1]));
            assert_memory_equal(&values[0], &values[1], sizeof values[0]);
            assert_memory_equal(mm_optimizer_ask(first), mm_optimizer_ask(second), problems[p].n * sizeof(double));
        }
        mm_optimizer_free(first);
        mm_optimizer_free(second);
        free(between);
    }
}

/* Telling a finished optimiser changes nothing. */
static void test_tell_after_end(void **state)
{
    (void)state;
    struct mm_optimizer_options options = mm_optimizer_default_options();
    const struct problem *problem = problem_named("beale_boxed");
    struct mm_optimizer *optimizer = run(problem, &options);
    double value = mm_optimizer_value(optimizer);
    int64_t evaluations = mm_optimizer_evaluations(optimizer);
    double gradient[2] = {0.0, 0.0};
    assert_int_equal(mm_optimizer_tell(optimizer, -1.0, gradient), mm_optimizer_reason(optimizer));
    assert_true(mm_optimizer_value(optimizer) == value);
    assert_int_equal(mm_optimizer_evaluations(optimizer), evaluations);
    mm_optimizer_free(optimizer);
    mm_optimizer_free(NULL);
}

static void test_before_first_value(void **state)
{
    (void)state;
    struct mm_optimizer_options options = mm_optimizer_default_options();
    struct mm_optimizer *optimizer = create(problem_named("beale_boxed"), &options);
    assert_int_equal(mm_optimizer_reason(optimizer), MM_RUNNING);
    assert_true(mm_optimizer_value(optimizer) == INFINITY);
    assert_true(mm_optimizer_gradient_norm(optimizer) == INFINITY);
    assert_int_equal(mm_optimizer_evaluations(optimizer), 0);
    assert_int_equal(mm_optimizer_iterations(optimizer), 0);
    mm_optimizer_free(optimizer);
}

/* ------------------------------------------------------------------------------------------- bad input */

/* Creation with these must fail with one line that holds `named`. */
static void expect_refusal(size_t n, double lower, double upper, double start,
                           const struct mm_optimizer_options *options, const char *named)
{
    struct mm_optimizer *optimizer = NULL;
    struct mm_error error = {.message = ""};
    double lowers[2] = {0.0, lower}, uppers[2] = {1.0, upper}, starts[2] = {0.5, start};
    assert_int_equal(mm_optimizer_create(&optimizer, n, lowers, uppers, starts, options, &error), MM_ERROR_INPUT);
    assert_int_equal(mm_optimizer_create(&optimizer, n, lowers, uppers, starts, options, NULL), MM_ERROR_INPUT);
    assert_null(optimizer);
    assert_int_equal(error.status, MM_ERROR_INPUT);
    assert_non_null(strstr(error.message, named));
    assert_null(strchr(error.message, '\n'));
}

static void test_bad_bounds(void **state)
{
    (void)state;
    const struct mm_optimizer_options options = mm_optimizer_default_options();
    expect_refusal(0, 0, 1, 0, &options, "0 variables");
    expect_refusal(2, 2, 1, 0, &options, "bounds 2 and 1 of variable 1");
    expect_refusal(2, NAN, 1, 0, &options, "variable 1");
    expect_refusal(2, 0, NAN, 0, &options, "variable 1");
    expect_refusal(2, INFINITY, INFINITY, 0, &options, "variable 1");
    expect_refusal(2, -INFINITY, -INFINITY, 0, &options, "variable 1");
    expect_refusal(2, 0, 1, NAN, &options, "start nan of variable 1");
    expect_refusal(2, 0, 1, INFINITY, &options, "start inf of variable 1");
}

static void test_bad_options(void **state)
{
    (void)state;
    const struct mm_optimizer_options good = mm_optimizer_default_options();
    struct mm_optimizer_options options = good;
    options.ftol = -1.0;
    expect_refusal(2, 0, 1, 0, &options, "ftol = -1");
    options.ftol = NAN;
    expect_refusal(2, 0, 1, 0, &options, "ftol = nan");
    options = good;
    options.gtol = INFINITY;
    expect_refusal(2, 0, 1, 0, &options, "gtol = inf");
    options = good;
    options.iterations = 0;
    expect_refusal(2, 0, 1, 0, &options, "iterations = 0");
    options = good;
    options.evaluations = -5;
    expect_refusal(2, 0, 1, 0, &options, "evaluations = -5");
    options = good;
    options.corrections = 0;
    expect_refusal(2, 0, 1, 0, &options, "corrections = 0");
    options.corrections = 101;
    expect_refusal(2, 0, 1, 0, &options, "corrections = 101");
    options = good;
    options.line_search_steps = 0;
    expect_refusal(2, 0, 1, 0, &options, "line_search_steps = 0");
    options = good;
    options.trial_length = -1.0;
    expect_refusal(2, 0, 1, 0, &options, "trial_length = -1");
    options.trial_length = NAN;
    expect_refusal(2, 0, 1, 0, &options, "trial_length = nan");
    options = good;
    options.rough_phases = 1;
    options.rough[0].ftol = NAN;
    expect_refusal(2, 0, 1, 0, &options, "ftol of a rough phase = nan");
    options = good;
    options.rough_phases = 2;
    options.rough[1].gtol = -1.0;
    expect_refusal(2, 0, 1, 0, &options, "gtol of a rough phase = -1");
    options = good;
    options.rough_phases = 3;
    expect_refusal(2, 0, 1, 0, &options, "rough_phases = 3: 0 .. 2 is allowed");
}

static void test_defaults_and_texts(void **state)
{
    (void)state;
    struct mm_optimizer_options options = mm_optimizer_default_options();
    assert_true(options.ftol == 2.2e-9 && options.gtol == 1e-5);
    assert_int_equal(options.iterations, 15000);
    assert_int_equal(options.evaluations, 15000);
    assert_int_equal(options.corrections, 10);
    assert_int_equal(options.line_search_steps, 20);
    assert_true(options.trial_length == 0.0);
    assert_string_equal(mm_stop_reason_text(MM_CONVERGED_GTOL), "CONVERGENCE: NORM_OF_PROJECTED_GRADIENT_<=_PGTOL");
    assert_string_equal(mm_stop_reason_text(MM_STOPPED_LINE_SEARCH), "ABNORMAL_TERMINATION_IN_LNSRCH");
    assert_non_null(mm_stop_reason_text((enum mm_stop_reason)99));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scipy_answers),
        cmocka_unit_test(test_tight_tolerances),
        cmocka_unit_test(test_corrections),
        cmocka_unit_test(test_kinks),
        cmocka_unit_test(test_single_kink),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_no_second_restart),
        cmocka_unit_test(test_restart_after_iteration),
        cmocka_unit_test(test_undefined_region),
        cmocka_unit_test(test_undefined_everywhere),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_ripple),
        cmocka_unit_test(test_trial_length),
        cmocka_unit_test(test_trial_length_convex),
        cmocka_unit_test(test_rises_without_gradient),
        cmocka_unit_test(test_missing_gradient),
        cmocka_unit_test(test_rough_phases),
        cmocka_unit_test(test_phases_begin_at_the_minimum_of_the_model),
        cmocka_unit_test(test_limits_with_rough_phases),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_start_at_minimum),
        cmocka_unit_test(test_determinism),
        cmocka_unit_test(test_tell_after_end),
        cmocka_unit_test(test_before_first_value),
        cmocka_unit_test(test_bad_bounds),
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_defaults_and_texts),
    };
    return cmocka_run_group_tests_name("optimizer", tests, NULL, NULL);
}
