/* low_rank.c - passive energies from a part of the spectrum against those from all of it. */
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
#include "support/density_checks.h"
#include "spectrum/low_rank.h"
#include "base/memory.h"
#include "support/projector_checks.h"

enum { LEVELS_MOST = 90, CASES = 60 };

/* A banded state R = B B^T with trace one, whose spectrum falls off, and room for what is found of it. */
struct sample {
    struct mm_band_state state;
    double *elements;
    double *projector;
};

/* @param decay  by which a column of B is smaller than the one before; 1: a flat spectrum */
static void create_sample(struct sample *sample, double decay, uint64_t *random)
{
    const int levels = random_integer(random, 20, LEVELS_MOST), reach = random_integer(random, 1, 6);
    const size_t stride = mm_band_stride(levels);
    double trace = 0.0, *columns = mm_allocate_doubles((size_t)(levels * (reach + 1)));
    sample->elements = mm_allocate_doubles(stride * (size_t)(reach + 2));
    sample->projector = mm_allocate_doubles((size_t)(levels * levels));
    assert_true(columns && sample->elements && sample->projector);
    sample->state = (struct mm_band_state){sample->elements, stride, levels, reach + 1};
    for (int k = 0; k < levels; k++)
        for (int i = 0; i <= reach; i++)
            columns[k * (reach + 1) + i] = pow(decay, k) * (i == 0 ? 1.0 : 1.6 * random_uniform(random) - 0.8);
    for (int k = 0; k < levels; k++)
        for (int i = 0; i <= reach && k + i < levels; i++)
            for (int j = 0; j <= i; j++)
                sample->elements[mm_band_index(stride, i - j, k + j)] +=
                    columns[k * (reach + 1) + i] * columns[k * (reach + 1) + j];
    for (int n = 0; n < levels; n++)
        trace += sample->elements[n];
    for (size_t i = 0; i < stride * (size_t)(reach + 1); i++)
        sample->elements[i] /= trace;
    free(columns);
}

static void free_sample(struct sample *sample)
{
    free(sample->elements);
    free(sample->projector);
}

/* Passive energy by LAPACK's whole spectrum, and its derivative.
 * @param derivative  [levels][levels], out */
static double whole_passive_energy(struct mm_eigen *eigen, struct mm_band_state state, double *derivative)
{
    const int levels = state.levels;
    assert_int_equal(mm_eigen_reserve(eigen, levels, NULL), MM_OK);
    for (int m = 0; m < levels; m++)
        for (int n = m; n < levels; n++)
            eigen->matrix[m * levels + n] =
                n - m < state.bands ? state.elements[mm_band_index(state.stride, n - m, m)] : 0.0;
    assert_int_equal(mm_eigen_solve(eigen, levels, true, NULL), MM_OK);
    derivative_of_vectors(eigen, levels, derivative);
    return mm_eigen_passive_energy(eigen, levels);
}

/* <P, (D R + R D) / 2> over both triangles, with a diagonal matrix D. */
static double product(const double *projector, struct mm_band_state state, const double *scales)
{
    double sum = 0.0;
    for (int d = 0; d < state.bands; d++)
        for (int m = 0; m + d < state.levels; m++)
            sum += (d == 0 ? 0.5 : 1.0) * projector[m * state.levels + m + d] * (scales[m + d] + scales[m]) *
                   state.elements[mm_band_index(state.stride, d, m)];
    return sum;
}

/* The energy and its derivatives along R and along D R + R D, which leads to states nearby, are as near as the
 * tolerance says. */
static void the_energy_is_within_the_tolerance(void **state)
{
    (void)state;
    uint64_t random = 3;
    struct mm_low_rank low = {0};
    struct mm_eigen eigen = {0};
    for (int i = 0; i < CASES; i++) {
        const double tolerances[] = {1e-11, 1e-7, 1e-5}, tolerance = tolerances[i % 3];
        struct sample sample;
        struct mm_projector projector;
        double energy, scales[LEVELS_MOST], expected[LEVELS_MOST * LEVELS_MOST];
        create_sample(&sample, 0.3 + 0.2 * random_uniform(&random), &random);
        const double whole = whole_passive_energy(&eigen, sample.state, expected);
        assert_int_equal(mm_low_rank_passive_energy(&low, sample.state, tolerance, &projector, &energy, NULL),
                         MM_OK);
        multiply_out(&projector, sample.projector);
        assert_double_near(energy, whole, 1e-13 + 10.0 * tolerance);
        for (int n = 0; n < sample.state.levels; n++)
            scales[n] = 1.0;
        assert_double_near(product(sample.projector, sample.state, scales), energy, 1e-11 + 10.0 * tolerance);
        for (int n = 0; n < sample.state.levels; n++)
            scales[n] = 0.5 + random_uniform(&random);
        assert_double_near(product(sample.projector, sample.state, scales), product(expected, sample.state, scales),
                           1e-11 + 100.0 * tolerance);
        double alone;
        assert_int_equal(mm_low_rank_passive_energy(&low, sample.state, tolerance, NULL, &alone, NULL), MM_OK);
        assert_double_near(alone, energy, 1e-14);
        free_sample(&sample);
    }
    mm_low_rank_free(&low);
    mm_eigen_free(&eigen);
}

/* A spectrum that does not fall off is left to others. */
static void a_flat_spectrum_is_refused(void **state)
{
    (void)state;
    uint64_t random = 4;
    struct mm_low_rank low = {0};
    for (int i = 0; i < 10; i++) {
        struct sample sample;
        struct mm_projector projector;
        double energy = 0.0;
        create_sample(&sample, 1.0, &random);
        assert_int_equal(mm_low_rank_passive_energy(&low, sample.state, 1e-5, &projector, &energy, NULL), MM_OK);
        assert_true(isnan(energy));
        free_sample(&sample);
    }
    mm_low_rank_free(&low);
}

/* States that were cut off have small negative eigenvalues: those are not divided by. */
static void a_negative_rest_does_no_harm(void **state)
{
    (void)state;
    double elements[3 * 24] = {0}, derivative[20 * 20], energy;
    struct mm_projector projector;
    const struct mm_band_state cut = {elements, 24, 20, 2};
    struct mm_low_rank low = {0};
    elements[0] = 0.7;
    elements[1] = 0.3;
    elements[2] = -1e-8;
    elements[24 + 2] = 1e-7; /* R_32 beside R_33 = 0 */
    assert_int_equal(mm_low_rank_passive_energy(&low, cut, 1e-6, &projector, &energy, NULL), MM_OK);
    assert_double_near(energy, 0.3, 1e-6);
    multiply_out(&projector, derivative);
    assert_double_near(derivative[0], 0.0, 1e-12);
    assert_double_near(derivative[20 + 1], 1.0, 1e-12);
    mm_low_rank_free(&low);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_energy_is_within_the_tolerance),
        cmocka_unit_test(a_flat_spectrum_is_refused),
        cmocka_unit_test(a_negative_rest_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
