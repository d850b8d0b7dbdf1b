/* bound_step.c - the compact BFGS matrix, its restricted inverse and the Cauchy point against dense algebra.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "optimise/bound_step.h"
#include "optimise/limited_memory.h"

enum { VARIABLES = 12, PAIRS = 4 };

static const double tolerance = 1e-9;

/* Memory and step under test, with the pairs that a dense matrix is built from. */
struct bench {
    unsigned char *block;
    uint64_t random;
    struct mm_limited_memory memory;
    struct mm_bound_step step;
    double lower[VARIABLES], upper[VARIABLES];
    double x[VARIABLES], gradient[VARIABLES];
    size_t count;
    double s[PAIRS][VARIABLES], y[PAIRS][VARIABLES]; /* oldest first */
};

/* Uniform in [-1, 1). */
static double uniform(struct bench *bench)
{
    bench->random = bench->random * 6364136223846793005U + 1442695040888963407U;
    return (double)(bench->random >> 11) * 0x1p-52 - 1.0;
}

static void lay_out(struct bench *bench, struct mm_arena *arena)
{
    mm_limited_memory_layout(&bench->memory, VARIABLES, PAIRS, arena);
    mm_bound_step_layout(&bench->step, VARIABLES, PAIRS, bench->lower, bench->upper, arena);
}

static void setup(struct bench *bench, uint64_t seed)
{
    memset(bench, 0, sizeof *bench);
    bench->random = seed;
    struct mm_arena arena = {.base = NULL, .used = 0};
    lay_out(bench, &arena);
    bench->block = aligned_alloc(MM_ARENA_ALIGNMENT, arena.used);
    assert_non_null(bench->block);
    memset(bench->block, 0, arena.used);
    arena = (struct mm_arena){.base = bench->block, .used = 0};
    lay_out(bench, &arena);
}

/* Adds a pair of a random positive definite quadratic. */
static void add_pair(struct bench *bench)
{
    double s[VARIABLES], y[VARIABLES];
    for (size_t i = 0; i < VARIABLES; i++)
        s[i] = uniform(bench);
    for (size_t i = 0; i < VARIABLES; i++) {
        y[i] = (1.0 + (double)i) * s[i] + 0.3 * (i > 0 ? s[i - 1] : 0.0);
        y[i] += 0.3 * (i + 1 < VARIABLES ? s[i + 1] : 0.0);
    }
    mm_limited_memory_update(&bench->memory, s, y);
    if (bench->count == PAIRS) {
        memmove(bench->s[0], bench->s[1], sizeof bench->s - sizeof bench->s[0]);
        memmove(bench->y[0], bench->y[1], sizeof bench->y - sizeof bench->y[0]);
        bench->count--;
    }
    memcpy(bench->s[bench->count], s, sizeof s);
    memcpy(bench->y[bench->count++], y, sizeof y);
    assert_int_equal(bench->memory.count, bench->count);
}

static double dot(const double *a, const double *b)
{
    double sum = 0.0;
    for (size_t i = 0; i < VARIABLES; i++)
        sum += a[i] * b[i];
    return sum;
}

static void multiply(double matrix[VARIABLES][VARIABLES], const double *vector, double *result)
{
    for (size_t i = 0; i < VARIABLES; i++)
        result[i] = dot(matrix[i], vector);
}

/* B by its definition: BFGS updates of theta I, one pair after the other. */
static void dense_matrix(const struct bench *bench, double matrix[VARIABLES][VARIABLES])
{
    memset(matrix, 0, sizeof(double[VARIABLES][VARIABLES]));
    const double *newest = bench->count > 0 ? bench->y[bench->count - 1] : NULL;
    double theta = newest != NULL ? dot(newest, newest) / dot(newest, bench->s[bench->count - 1]) : 1.0;
    for (size_t i = 0; i < VARIABLES; i++)
        matrix[i][i] = theta;
    for (size_t k = 0; k < bench->count; k++) {
        double bs[VARIABLES];
        multiply(matrix, bench->s[k], bs);
        double sbs = dot(bench->s[k], bs);
        double sy = dot(bench->s[k], bench->y[k]);
        for (size_t i = 0; i < VARIABLES; i++)
            for (size_t j = 0; j < VARIABLES; j++)
                matrix[i][j] += bench->y[k][i] * bench->y[k][j] / sy - bs[i] * bs[j] / sbs;
    }
}

static void expect_near(const double *found, const double *expected)
{
    for (size_t i = 0; i < VARIABLES; i++)
        if (!(fabs(found[i] - expected[i]) <= tolerance * fmax(1.0, fabs(expected[i]))))
            fail_msg("component %zu: %.17g, expected %.17g", i, found[i], expected[i]);
}

/* theta v - W M W^T v is B v. */
static void test_compact_matrix(void **state)
{
    (void)state;
    struct bench bench;
    setup(&bench, 7);
    for (int pair = 0; pair < 11; pair++) {
        double matrix[VARIABLES][VARIABLES], v[VARIABLES], expected[VARIABLES], found[VARIABLES] = {0.0};
        double coefficients[2 * PAIRS];
        for (size_t i = 0; i < VARIABLES; i++)
            v[i] = uniform(&bench);
        dense_matrix(&bench, matrix);
        multiply(matrix, v, expected);
        mm_limited_memory_project(&bench.memory, v, coefficients);
        mm_limited_memory_apply_middle(&bench.memory, coefficients);
        mm_limited_memory_expand(&bench.memory, coefficients, found);
        for (size_t i = 0; i < VARIABLES; i++)
            found[i] = bench.memory.theta * v[i] - found[i];
        expect_near(found, expected);
        add_pair(&bench);
    }
    free(bench.block);
}

/* With the free variables changing from pair to pair, (Z^T B Z)^-1 undoes B on them. */
static void test_restricted_inverse(void **state)
{
    (void)state;
    struct bench bench;
    setup(&bench, 11);
    for (int round = 0; round < 500; round++) {
        double matrix[VARIABLES][VARIABLES], v[VARIABLES], product[VARIABLES], found[VARIABLES];
        double coefficients[2 * PAIRS];
        bool is_free[VARIABLES];
        add_pair(&bench);
        for (size_t i = 0; i < VARIABLES; i++) {
            is_free[i] = uniform(&bench) < 0.4;
            v[i] = is_free[i] ? uniform(&bench) : 0.0;
        }
        dense_matrix(&bench, matrix);
        multiply(matrix, v, product);
        for (size_t i = 0; i < VARIABLES; i++)
            product[i] = is_free[i] ? product[i] : 0.0;
        assert_true(mm_limited_memory_restrict(&bench.memory, is_free));
        mm_limited_memory_solve(&bench.memory, product, coefficients, found);
        expect_near(found, v);
    }
    free(bench.block);
}

/* A pair without positive curvature is left out; clearing leaves the identity. */
static void test_skip_and_clear(void **state)
{
    (void)state;
    struct bench bench;
    setup(&bench, 3);
    add_pair(&bench);
    double theta = bench.memory.theta;
    double s[VARIABLES] = {1.0}, opposite[VARIABLES] = {-1.0}, nothing[VARIABLES] = {0.0};
    mm_limited_memory_update(&bench.memory, s, opposite);
    mm_limited_memory_update(&bench.memory, s, nothing);
    assert_int_equal(bench.memory.count, 1);
    assert_true(bench.memory.theta == theta);
    mm_limited_memory_clear(&bench.memory);
    assert_int_equal(bench.memory.count, 0);
    assert_true(bench.memory.theta == 1.0);
    free(bench.block);
}

/* The path P(x - t g). */
static void path_point(const struct bench *bench, double t, double *point)
{
    for (size_t i = 0; i < VARIABLES; i++)
        point[i] = fmin(fmax(bench->x[i] - t * bench->gradient[i], bench->lower[i]), bench->upper[i]);
}

/* Where a variable meets its bound on the path. */
static double breakpoint(const struct bench *bench, size_t i)
{
    double g = bench->gradient[i];
    double bound = g > 0.0 ? bench->lower[i] : bench->upper[i];
    return g == 0.0 ? INFINITY : (bench->x[i] - bound) / g;
}

/* First local minimum of the model along the path: leg by leg, each one's slope and curvature from dense products.
 */
static void first_minimum(const struct bench *bench, double matrix[VARIABLES][VARIABLES], double *point)
{
    double t = 0.0;
    for (;;) {
        double d[VARIABLES], away[VARIABLES], product[VARIABLES];
        double end = INFINITY;
        path_point(bench, t, point);
        for (size_t i = 0; i < VARIABLES; i++) {
            bool moves = breakpoint(bench, i) > t;
            d[i] = moves ? -bench->gradient[i] : 0.0;
            away[i] = point[i] - bench->x[i];
            end = moves ? fmin(end, breakpoint(bench, i)) : end;
        }
        multiply(matrix, d, product);
        double slope = dot(bench->gradient, d) + dot(away, product);
        double length = -slope / dot(d, product);
        if (dot(d, d) == 0.0 || slope >= 0.0)
            return;
        if (t + length < end) {
            path_point(bench, t + length, point);
            return;
        }
        t = end;
    }
}

/* Random bounds, some missing, some equal, and a point within them, some of it at a bound. */
static void random_place(struct bench *bench)
{
    for (size_t i = 0; i < VARIABLES; i++) {
        double kind = uniform(bench);
        bench->lower[i] = -0.1 - fabs(uniform(bench));
        bench->upper[i] = 0.1 + fabs(uniform(bench));
        bench->x[i] = kind > 0.6 ? bench->lower[i] : kind > 0.3 ? bench->upper[i] : 0.1 * uniform(bench);
        if (kind < -0.8)
            bench->lower[i] = -INFINITY;
        if (kind < -0.6)
            bench->upper[i] = INFINITY;
        if (i == 4)
            bench->lower[i] = bench->upper[i] = bench->x[i];
        bench->gradient[i] = i == 7 ? 0.0 : 5.0 * uniform(bench);
    }
}

static void test_cauchy_point(void **state)
{
    (void)state;
    struct bench bench;
    setup(&bench, 5);
    for (int round = 0; round < 1000; round++) {
        double matrix[VARIABLES][VARIABLES], expected[VARIABLES];
        if (round % 3 != 0)
            add_pair(&bench);
        random_place(&bench);
        if (round % 5 == 0) { /* every variable with a bound ahead meets it */
            mm_limited_memory_clear(&bench.memory);
            bench.count = 0;
            for (size_t i = 0; i < VARIABLES; i++)
                bench.gradient[i] = copysign(5.0, bench.gradient[i]);
        }
        dense_matrix(&bench, matrix);
        first_minimum(&bench, matrix, expected);
        mm_bound_step_cauchy(&bench.step, &bench.memory, bench.x, bench.gradient);
        for (size_t i = 0; i < VARIABLES; i++) {
            double end = bench.step.target[i];
            assert_true(fabs(end - expected[i]) < tolerance);
            assert_true(bench.step.is_free[i] == (end > bench.lower[i] && end < bench.upper[i]));
        }
    }
    free(bench.block);
}

/* The target lies within the bounds and downhill; without bounds in the way it is the minimum of the model. */
static void test_minimum(void **state)
{
    (void)state;
    struct bench bench;
    setup(&bench, 9);
    for (int round = 0; round < 200; round++) {
        double matrix[VARIABLES][VARIABLES], away[VARIABLES], product[VARIABLES];
        add_pair(&bench);
        random_place(&bench);
        bool unbounded = round % 4 == 0;
        for (size_t i = 0; i < VARIABLES && unbounded; i++) {
            bench.lower[i] = -INFINITY;
            bench.upper[i] = INFINITY;
        }
        assert_true(mm_bound_step_minimum(&bench.step, &bench.memory, bench.x, bench.gradient));
        for (size_t i = 0; i < VARIABLES; i++) {
            assert_true(bench.step.target[i] >= bench.lower[i] && bench.step.target[i] <= bench.upper[i]);
            away[i] = bench.step.target[i] - bench.x[i];
        }
        assert_true(dot(away, bench.gradient) < 0.0);
        if (!unbounded)
            continue;
        dense_matrix(&bench, matrix);
        multiply(matrix, away, product);
        for (size_t i = 0; i < VARIABLES; i++)
            product[i] = -product[i];
        expect_near(product, bench.gradient);
    }
    free(bench.block);
}

/* Two variables coupled as [[1, 0.99], [0.99, 1]]: projecting the far minimum onto the bound of the first would
 * lead uphill, so the step is cut at that bound. */
static void test_truncation(void **state)
{
    (void)state;
    struct bench bench;
    setup(&bench, 1);
    double soft_s[VARIABLES] = {1.0, -1.0}, soft_y[VARIABLES] = {0.01, -0.01};
    double stiff_s[VARIABLES] = {1.0, 1.0}, stiff_y[VARIABLES] = {1.99, 1.99};
    mm_limited_memory_update(&bench.memory, soft_s, soft_y);
    mm_limited_memory_update(&bench.memory, stiff_s, stiff_y);
    for (size_t i = 0; i < VARIABLES; i++) {
        bench.lower[i] = -20.0;
        bench.upper[i] = i == 0 ? 0.6 : 20.0;
    }
    bench.gradient[0] = -1.0;
    bench.gradient[1] = -0.5;
    /* Cauchy point t (1, 0.5), t = 1.25 / 2.24; minimum B^-1 (1, 0.5) */
    double cauchy[2] = {1.25 / 2.24, 0.625 / 2.24};
    double minimum[2] = {(1.0 - 0.495) / 0.0199, (0.5 - 0.99) / 0.0199};
    double part = (0.6 - cauchy[0]) / (minimum[0] - cauchy[0]);
    assert_true(mm_bound_step_minimum(&bench.step, &bench.memory, bench.x, bench.gradient));
    assert_true(bench.step.target[0] == 0.6);
    assert_true(fabs(bench.step.target[1] - (cauchy[1] + part * (minimum[1] - cauchy[1]))) < tolerance);
    free(bench.block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compact_matrix), cmocka_unit_test(test_restricted_inverse),
        cmocka_unit_test(test_skip_and_clear), cmocka_unit_test(test_cauchy_point),
        cmocka_unit_test(test_minimum),        cmocka_unit_test(test_truncation),
    };
    return cmocka_run_group_tests_name("bound_step", tests, NULL, NULL);
}
