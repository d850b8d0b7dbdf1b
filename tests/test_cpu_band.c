/* test_cpu_band.c - the vector loops of every instruction set against the stencil written out element by element.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assert_double.h"
#include "band_layout.h"
#include "collision.h"
#include "cpu_band.h"
#include "density_checks.h"
#include "memory.h"

enum { CASES = 150, LEVELS_MOST = 70 };

/** A random window with random contents, as full matrices and in the layout of the loops. */
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

/** One in four has no coherence, or so little that the loops must not divide by it. */
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
    test->rows = mm_allocate_doubles((size_t)mm_band_rows(test->space) * MM_ROW_DOUBLES);
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

static struct mm_band_sweep case_sweep(const struct band_case *test)
{
    return (struct mm_band_sweep){test->stride, test->levels, test->bands,  test->cosine,
                                  test->sine,   test->rows,   test->carried};
}

/** Element (n, m) of a windowed matrix; zero outside. */
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

/** The seven points of the channel, with weights w_e, w_g and x. */
static double channel(const struct band_case *t, const double *r, int n, int m, double we, double wg, double x)
{
    double cn = cosine(t, n), cm = cosine(t, m), sn = sine(t, n), sm = sine(t, m);
    double cn1 = cosine(t, n + 1), cm1 = cosine(t, m + 1), sn1 = sine(t, n + 1), sm1 = sine(t, m + 1);
    return (we * cn1 * cm1 + wg * cn * cm) * element(t, r, n, m) + we * sn * sm * element(t, r, n - 1, m - 1) +
           wg * sn1 * sm1 * element(t, r, n + 1, m + 1) +
           x * (cn * sm * element(t, r, n, m - 1) + sn * cm * element(t, r, n - 1, m) -
                sn1 * cm1 * element(t, r, n + 1, m) - cn1 * sm1 * element(t, r, n, m + 1));
}

/** sum over both triangles of the window of A_nm Phi(R)_nm, Phi with the given weights. */
static double product(const struct band_case *test, double we, double wg, double x)
{
    double sum = 0.0;
    for (int m = 0; m < test->levels; m++)
        for (int n = m; n < test->levels && n - m < test->bands; n++)
            sum += (n == m ? 1.0 : 2.0) * element(test, test->adjoint, n, m) *
                   channel(test, test->state, n, m, we, wg, x);
    return sum;
}

typedef void (*band_check)(const struct mm_band_loops *loops, const struct band_case *test);

/** Runs a check on random windows with every instruction set this processor has. */
static void for_all_loops(band_check check, uint64_t seed)
{
    int count;
    const struct mm_band_loops *const *list = mm_band_loops_list(&count);
    for (int i = 0; i < count; i++) {
        uint64_t random = seed;
        for (int k = 0; k < CASES && list[i]->supported(); k++) {
            struct band_case test;
            create_case(&test, &random);
            check(list[i], &test);
            free_case(&test);
        }
    }
}

static void assert_is_channel(const struct band_case *test, const double *source, const double *target)
{
    for (int d = 0; d < test->bands; d++)
        for (int m = 0; m + d < test->levels; m++)
            assert_double_near(
                target[mm_band_index(test->stride, d, m)],
                channel(test, source, m + d, m, test->qubit.excited, test->qubit.ground, test->qubit.coherence),
                1e-14);
}

/** Nothing may appear outside the window: the next collision relies on zeros there. */
static void assert_window_is_kept(const struct band_case *test, const double *matrix)
{
    for (size_t i = 0; i < test->size; i++) {
        size_t d = i / test->stride, m = i % test->stride;
        if (d >= (size_t)test->bands || m + d >= (size_t)test->levels)
            assert_true(matrix[i] == 0.0);
    }
}

static void check_forward(const struct mm_band_loops *loops, const struct band_case *test)
{
    struct mm_band_sweep sweep = case_sweep(test);
    double *target = mm_allocate_doubles(test->size), *in_place = mm_allocate_doubles(test->size);
    assert_true(target && in_place);
    memcpy(in_place, test->state, test->size * sizeof(double));
    loops->fill_rows(&sweep, &test->qubit, test->rows);
    loops->forward(&sweep, &test->qubit, test->state, target);
    loops->forward(&sweep, &test->qubit, in_place, in_place);
    assert_is_channel(test, test->state, target);
    assert_window_is_kept(test, target);
    assert_memory_equal(target, in_place, test->size * sizeof(double));
    free(target);
    free(in_place);
}

static void forward_is_the_stencil(void **state)
{
    (void)state;
    for_all_loops(check_forward, 1);
}

/** <Phi^T A, R> = <A, Phi R> and its derivatives by the weights. */
static void check_adjoint(const struct mm_band_loops *loops, const struct band_case *test)
{
    struct mm_band_sweep sweep = case_sweep(test);
    double by_q, by_x, found = 0.0, scale = test->levels * test->bands;
    double *adjoint = mm_allocate_doubles(test->size);
    assert_non_null(adjoint);
    memcpy(adjoint, test->adjoint, test->size * sizeof(double));
    loops->adjoint(&sweep, &test->qubit, adjoint, test->state, &by_q, &by_x);
    assert_window_is_kept(test, adjoint);
    for (int d = 0; d < test->bands; d++)
        for (int m = 0; m + d < test->levels; m++)
            found += (d == 0 ? 1.0 : 2.0) * adjoint[mm_band_index(test->stride, d, m)] *
                     test->state[mm_band_index(test->stride, d, m)];
    assert_double_near(found, product(test, test->qubit.excited, test->qubit.ground, test->qubit.coherence),
                       1e-14 * scale);
    assert_double_near(by_q, product(test, -1.0, 1.0, 0.0), 1e-14 * scale);
    assert_double_near(by_x, product(test, 0.0, 0.0, 1.0), 1e-14 * scale);
    free(adjoint);
}

static void adjoint_is_the_transpose(void **state)
{
    (void)state;
    for_all_loops(check_adjoint, 2);
}

static void loops_are_found_by_name(void **state)
{
    (void)state;
    assert_string_equal(mm_band_loops_find("portable")->name, "portable");
    assert_non_null(mm_band_loops_find(NULL));
    assert_null(mm_band_loops_find("abacus"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_is_the_stencil),
        cmocka_unit_test(adjoint_is_the_transpose),
        cmocka_unit_test(loops_are_found_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
