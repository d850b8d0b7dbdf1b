/* loops.c - the vector loops of every instruction set and precision against the stencil written out element
 * by element. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/assert_double.h"
#include "solver/band_layout.h"
#include "model/collision.h"
#include "cpu/loops.h"
#include "support/density_checks.h"
#include "base/memory.h"

enum { CASES = 150, LEVELS_MOST = 70 };

/* A random window with random contents, as full matrices and in the layout of the loops. */
struct band_case {
    int space; /* levels N of the whole space */
    int levels;
    int bands;
    double g;
    struct mm_qubit qubit;
    size_t stride;
    size_t size;
    double *cosine;
    double *sine;
    double *rows;
    double *carried;
    double *state;
    double *adjoint;
};

static double *random_matrix(const struct band_case *test, uint64_t *random)
{
    double *matrix = mm_allocate_doubles(test->size);
    assert_non_null(matrix);
    for (int d = 0; d < test->bands; d++)
        for (int m = 0; m + d < test->levels; m++)
            matrix[mm_band_index(test->stride, d, m)] = 2.0 * random_uniform(random) - 1.0;
    return matrix;
}

/* One in four has no coherence, or so little that the loops must not divide by it. */
static struct mm_qubit random_qubit(uint64_t *random)
{
    static const double corners[][2] = {{0.0, 0.3}, {0.6, 0.0},    {0.6, 1.0},   {0.0, 1.0},
                                        {0.0, 0.0}, {1e-160, 0.4}, {1e-90, 0.4}, {1e-9, 1e-12}};
    const int corner = random_integer(random, 0, 31);
    if (corner < (int)(sizeof corners / sizeof corners[0]))
        return mm_qubit_from_population(corners[corner][0], corners[corner][1]);
    return mm_qubit_from_population(random_uniform(random), random_uniform(random));
}

static void create_case(struct band_case *test, uint64_t *random)
{
    test->levels = random_integer(random, 1, LEVELS_MOST);
    test->space = random_integer(random, 0, 1) ? test->levels : test->levels + random_integer(random, 1, 20);
    test->bands = random_integer(random, 1, test->levels);
    test->g = 0.1 + 2.4 * random_uniform(random);
    test->qubit = random_qubit(random);
    test->stride = mm_band_stride(test->space);
    test->size = (size_t)(test->bands + 1) * test->stride;
    size_t rows = 2 * (size_t)mm_band_columns(test->space) + 2 * MM_COLUMN_BLOCK;
    test->cosine = mm_allocate_doubles(rows);
    test->sine = mm_allocate_doubles(rows);
    test->carried = mm_allocate_doubles((size_t)(test->bands + 2) * MM_COLUMN_BLOCK);
    test->rows = mm_allocate_doubles((size_t)mm_band_rows(test->space) * MM_ROW_NUMBERS);
    assert_true(test->cosine && test->sine && test->carried && test->rows);
    for (int n = 0; n <= test->space; n++)
        test->cosine[n] = mm_collision_cos(test->g, n, test->space);
    for (int n = 0; n < test->levels; n++)
        test->sine[n] = mm_collision_sin(test->g, n, test->space);
    test->state = random_matrix(test, random);
    test->adjoint = random_matrix(test, random);
}

static void free_case(struct band_case *test)
{
    free(test->cosine);
    free(test->sine);
    free(test->rows);
    free(test->carried);
    free(test->state);
    free(test->adjoint);
}

/* Element (n, m) of a windowed matrix; zero outside. */
static double element(const struct band_case *test, const double *matrix, int n, int m)
{
    int row = n > m ? n : m, column = n > m ? m : n;
    if (column < 0 || row >= test->levels || row - column >= test->bands)
        return 0.0;
    return matrix[mm_band_index(test->stride, row - column, column)];
}

static double cosine(const struct band_case *test, int n)
{
    return n == test->space ? 1.0 : cos(test->g * sqrt(n));
}

static double sine(const struct band_case *test, int n)
{
    return n == test->space ? 0.0 : sin(test->g * sqrt(n));
}

/* The seven points of the channel, with weights w_e, w_g and x. */
static double channel(const struct band_case *t, const double *r, int n, int m, double we, double wg, double x)
{
    double cn = cosine(t, n), cm = cosine(t, m), sn = sine(t, n), sm = sine(t, m);
    double cn1 = cosine(t, n + 1), cm1 = cosine(t, m + 1), sn1 = sine(t, n + 1), sm1 = sine(t, m + 1);
    return (we * cn1 * cm1 + wg * cn * cm) * element(t, r, n, m) + we * sn * sm * element(t, r, n - 1, m - 1) +
           wg * sn1 * sm1 * element(t, r, n + 1, m + 1) +
           x * (cn * sm * element(t, r, n, m - 1) + sn * cm * element(t, r, n - 1, m) -
                sn1 * cm1 * element(t, r, n + 1, m) - cn1 * sm1 * element(t, r, n, m + 1));
}

/* sum over both triangles of the window of A_nm Phi(R)_nm, Phi with the given weights. */
static double product(const struct band_case *test, double we, double wg, double x)
{
    double sum = 0.0;
    for (int m = 0; m < test->levels; m++)
        for (int n = m; n < test->levels && n - m < test->bands; n++)
            sum += (n == m ? 1.0 : 2.0) * element(test, test->adjoint, n, m) *
                   channel(test, test->state, n, m, we, wg, x);
    return sum;
}

/* The loops under test, and how near they must come to the stencil, beside elements of order one. */
struct loops_case {
    const struct mm_collision_loops *loops;
    enum mm_precision precision;
    double tolerance;
};

typedef void (*band_check)(const struct loops_case *loops, const struct band_case *test);

/* Runs a check on random windows with every instruction set this processor has, in both precisions. */
static void for_all_loops(band_check check, uint64_t seed)
{
    for (int i = 0; i < MM_INSTRUCTIONS_COUNT * MM_PRECISIONS; i++) {
        const enum mm_instructions instructions = (enum mm_instructions)(i / MM_PRECISIONS);
        const struct loops_case loops = {mm_collision_loops(instructions)[i % MM_PRECISIONS], i % MM_PRECISIONS,
                                         i % MM_PRECISIONS == MM_SINGLE ? 5e-6 : 1e-14};
        uint64_t random = seed;
        for (int k = 0; k < CASES && mm_instructions_supported(instructions); k++) {
            struct band_case test;
            create_case(&test, &random);
            check(&loops, &test);
            free_case(&test);
        }
    }
}

/* A copy of numbers in the precision of the loops. */
static void *in_precision(const struct loops_case *loops, const double *numbers, size_t count)
{
    double *copy = mm_allocate_doubles(count);
    assert_non_null(copy);
    for (size_t i = 0; i < count; i++)
        if (loops->precision == MM_SINGLE)
            ((float *)copy)[i] = (float)numbers[i];
        else
            copy[i] = numbers[i];
    return copy;
}

/* And back. */
static void take_doubles(const struct loops_case *loops, const void *from, double *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        numbers[i] = loops->precision == MM_SINGLE ? (double)((const float *)from)[i] : ((const double *)from)[i];
}

/* A case in the precision of the loops, with its row factors; free the tables with free_sweep. */
static struct mm_band_sweep create_sweep(const struct loops_case *loops, const struct band_case *test)
{
    const size_t table = 2 * (size_t)mm_band_columns(test->space) + 2 * MM_COLUMN_BLOCK;
    const struct mm_band_sweep sweep = {test->stride,
                                        test->levels,
                                        test->bands,
                                        in_precision(loops, test->cosine, table),
                                        in_precision(loops, test->sine, table),
                                        test->rows,
                                        test->carried};
    loops->loops->fill_rows(&sweep, &test->qubit, test->rows);
    return sweep;
}

static void free_sweep(struct mm_band_sweep sweep)
{
    free((void *)sweep.cosine);
    free((void *)sweep.sine);
}

static void assert_is_channel(const struct band_case *test, const double *source, const double *target,
                              double tolerance)
{
    for (int d = 0; d < test->bands; d++)
        for (int m = 0; m + d < test->levels; m++)
            assert_double_near(
                target[mm_band_index(test->stride, d, m)],
                channel(test, source, m + d, m, test->qubit.excited, test->qubit.ground, test->qubit.coherence),
                tolerance);
}

/* Nothing may appear outside the window: the next collision relies on zeros there. */
static void assert_window_is_kept(const struct band_case *test, const double *matrix)
{
    for (size_t i = 0; i < test->size; i++) {
        size_t d = i / test->stride, m = i % test->stride;
        if (d >= (size_t)test->bands || m + d >= (size_t)test->levels)
            assert_true(matrix[i] == 0.0);
    }
}

static void check_forward(const struct loops_case *loops, const struct band_case *test)
{
    const struct mm_band_sweep sweep = create_sweep(loops, test);
    double *target = mm_allocate_doubles(test->size), *found = mm_allocate_doubles(test->size);
    void *source = in_precision(loops, test->state, test->size);
    void *in_place = in_precision(loops, test->state, test->size);
    assert_true(target && found);
    loops->loops->forward(&sweep, &test->qubit, source, target);
    loops->loops->forward(&sweep, &test->qubit, in_place, in_place);
    take_doubles(loops, target, found, test->size);
    assert_is_channel(test, test->state, found, loops->tolerance);
    assert_window_is_kept(test, found);
    assert_memory_equal(target, in_place, test->size * loops->loops->number_size);
    free(target);
    free(found);
    free(source);
    free(in_place);
    free_sweep(sweep);
}

static void forward_is_the_stencil(void **state)
{
    (void)state;
    for_all_loops(check_forward, 1);
}

/* <Phi^T A, R> = <A, Phi R> and its derivatives by the weights. */
static void check_adjoint(const struct loops_case *loops, const struct band_case *test)
{
    const struct mm_band_sweep sweep = create_sweep(loops, test);
    const double tolerance = loops->tolerance * test->levels * test->bands;
    double by_q, by_x, found = 0.0;
    void *adjoint = in_precision(loops, test->adjoint, test->size);
    void *state = in_precision(loops, test->state, test->size);
    double *doubles = mm_allocate_doubles(test->size);
    assert_non_null(doubles);
    loops->loops->adjoint(&sweep, &test->qubit, adjoint, state, &by_q, &by_x);
    take_doubles(loops, adjoint, doubles, test->size);
    assert_window_is_kept(test, doubles);
    for (int d = 0; d < test->bands; d++)
        for (int m = 0; m + d < test->levels; m++)
            found += (d == 0 ? 1.0 : 2.0) * doubles[mm_band_index(test->stride, d, m)] *
                     test->state[mm_band_index(test->stride, d, m)];
    assert_double_near(found, product(test, test->qubit.excited, test->qubit.ground, test->qubit.coherence),
                       tolerance);
    assert_double_near(by_q, product(test, -1.0, 1.0, 0.0), tolerance);
    assert_double_near(by_x, product(test, 0.0, 0.0, 1.0), tolerance);
    free(adjoint);
    free(state);
    free(doubles);
    free_sweep(sweep);
}

static void adjoint_is_the_transpose(void **state)
{
    (void)state;
    for_all_loops(check_adjoint, 2);
}

/* Without derivatives: the same matrix as with them, which is the transpose. */
static void check_backward(const struct loops_case *loops, const struct band_case *test)
{
    const struct mm_band_sweep sweep = create_sweep(loops, test);
    double by_q, by_x, *found = mm_allocate_doubles(test->size), *expected = mm_allocate_doubles(test->size);
    void *matrix = in_precision(loops, test->adjoint, test->size);
    void *with_derivatives = in_precision(loops, test->adjoint, test->size);
    assert_true(found && expected);
    loops->loops->backward(&sweep, &test->qubit, matrix);
    loops->loops->adjoint(&sweep, &test->qubit, with_derivatives, with_derivatives, &by_q, &by_x);
    take_doubles(loops, matrix, found, test->size);
    take_doubles(loops, with_derivatives, expected, test->size);
    for (size_t i = 0; i < test->size; i++)
        assert_double_near(found[i], expected[i], loops->tolerance);
    assert_window_is_kept(test, found);
    free(matrix);
    free(with_derivatives);
    free(found);
    free(expected);
    free_sweep(sweep);
}

static void backward_is_the_adjoint(void **state)
{
    (void)state;
    for_all_loops(check_backward, 4);
}

/* Sums of |elements| of every diagonal and row. */
static void check_sums(const struct loops_case *loops, const struct band_case *test)
{
    void *state = in_precision(loops, test->state, test->size);
    const double tolerance = loops->tolerance * test->levels;
    for (int d = 0; d < test->bands; d++) {
        double sum = 0.0;
        for (int m = 0; m + d < test->levels; m++)
            sum += fabs(element(test, test->state, m + d, m));
        assert_double_near(loops->loops->diagonal_sum(state, test->stride, d, mm_band_columns(test->levels - d)),
                           sum, tolerance);
    }
    for (int n = 0; n < test->levels; n++) {
        double sum = 0.0;
        for (int m = 0; m <= n; m++)
            sum += fabs(element(test, test->state, n, m));
        const int bands = n + 1 < test->bands ? n + 1 : test->bands;
        assert_double_near(loops->loops->row_sum(state, test->stride, n, bands), sum, tolerance);
    }
    free(state);
}

static void sums_are_of_magnitudes(void **state)
{
    (void)state;
    for_all_loops(check_sums, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_is_the_stencil),
        cmocka_unit_test(adjoint_is_the_transpose),
        cmocka_unit_test(backward_is_the_adjoint),
        cmocka_unit_test(sums_are_of_magnitudes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
