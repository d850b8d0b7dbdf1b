/* collision_sum.c - sums over many collisions by few terms, against the sums of all terms. */
#include <complex.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/assert_double.h"
#include "solver/collision_sum.h"
#include "support/density_checks.h"

enum { MODES = 6 };

/* Terms sum_ij a_ij z_i^k w_j^(n-1-k), as the eigenvalues of a collision give them. */
struct terms {
    int64_t length;
    double complex before[MODES]; /* logarithms of z_i */
    double complex after[MODES];
    double alternating[2][MODES]; /* signs of z_i and w_j */
    double amplitude[MODES][MODES];
};

/* Decays of all sizes, the first one zero, phases below a quarter of them, and either sign. */
static void draw_modes(double complex *logarithms, double *signs, int64_t length, uint64_t *random)
{
    for (int i = 0; i < MODES; i++) {
        const double decay = i == 0 ? 0.0 : exp(-random_uniform(random) * log((double)length));
        logarithms[i] = -decay * (1.0 + I * 0.5 * (random_uniform(random) - 0.5));
        signs[i] = i > 0 && random_integer(random, 0, 2) == 0 ? -1.0 : 1.0;
    }
}

static void draw_terms(struct terms *terms, int64_t length, uint64_t *random)
{
    terms->length = length;
    draw_modes(terms->before, terms->alternating[0], length, random);
    draw_modes(terms->after, terms->alternating[1], length, random);
    for (int i = 0; i < MODES; i++)
        for (int j = 0; j < MODES; j++)
            terms->amplitude[i][j] = (2.0 * random_uniform(random) - 1.0) / (MODES * MODES);
}

static double complex power(double complex logarithm, double sign, int64_t exponent)
{
    return (exponent % 2 != 0 ? sign : 1.0) * cexp(logarithm * (double)exponent);
}

static double term(const struct terms *terms, int64_t k)
{
    double complex sum = 0.0;
    for (int i = 0; i < MODES; i++)
        for (int j = 0; j < MODES; j++)
            sum += terms->amplitude[i][j] * power(terms->before[i], terms->alternating[0][i], k) *
                   power(terms->after[j], terms->alternating[1][j], terms->length - 1 - k);
    return creal(sum);
}

static double sum_of_few(const struct terms *terms, const struct mm_collision_sum *sum)
{
    double value = 0.0;
    for (int i = 0; i < sum->count; i++)
        value += sum->weights[i] * term(terms, sum->collisions[i]);
    return value;
}

/* Ascending, inside the stretch, and symmetric about its middle. */
static void assert_is_sum_over(const struct mm_collision_sum *sum, int64_t length)
{
    assert_true(sum->count > 0 && sum->count <= length);
    assert_true(sum->collisions[0] >= 0 && sum->collisions[sum->count - 1] < length);
    for (int i = 0; i < sum->count; i++) {
        const int mirrored = sum->count - 1 - i;
        assert_true(i == 0 || sum->collisions[i] > sum->collisions[i - 1]);
        assert_int_equal(sum->collisions[i] + sum->collisions[mirrored], length - 1);
        assert_double_near(sum->weights[i], sum->weights[mirrored], 0.0);
    }
}

static void few_terms_are_enough(void **state)
{
    (void)state;
    static const int64_t lengths[] = {2, 3, 10, 64, 65, 100, 333, 800, 1000, 20001};
    static const double tolerances[] = {1e-13, 1e-6};
    static const double allowed[] = {2e-11, 2e-5};
    uint64_t random = 5;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct mm_collision_sum sums[2];
        assert_int_equal(mm_collision_sums_find(lengths[i], 2, tolerances, sums, NULL), MM_OK);
        for (int j = 0; j < 2; j++)
            assert_is_sum_over(&sums[j], lengths[i]);
        for (int repeat = 0; repeat < 40; repeat++) {
            struct terms terms;
            double all = 0.0, magnitude = 0.0;
            draw_terms(&terms, lengths[i], &random);
            for (int64_t k = 0; k < lengths[i]; k++) {
                const double one = term(&terms, k);
                all += one;
                magnitude += fabs(one);
            }
            for (int j = 0; j < 2; j++)
                assert_double_near(sum_of_few(&terms, &sums[j]), all, allowed[j] * (1.0 + magnitude));
        }
        for (int j = 0; j < 2; j++)
            mm_collision_sum_free(&sums[j]);
    }
}

/* What the time of a gradient goes by. */
static void long_stretches_take_few_terms(void **state)
{
    (void)state;
    static const double tolerances[] = {1e-13, 1e-6};
    static const struct {
        int64_t length;
        int most[2];
    } cases[] = {{200, {100, 65}}, {800, {140, 85}}, {100000, {280, 150}}, {1000000000, {550, 280}}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mm_collision_sum sums[2];
        assert_int_equal(mm_collision_sums_find(cases[i].length, 2, tolerances, sums, NULL), MM_OK);
        for (int j = 0; j < 2; j++) {
            double ones = 0.0;
            assert_true(sums[j].count <= cases[i].most[j]);
            for (int k = 0; k < sums[j].count; k++)
                ones += sums[j].weights[k];
            assert_double_near(ones, (double)cases[i].length, 100.0 * tolerances[j] * (double)cases[i].length);
            mm_collision_sum_free(&sums[j]);
        }
    }
}

/* A sum with a looser tolerance takes terms that the tighter one has already. */
static void sums_are_nested(void **state)
{
    (void)state;
    static const double tolerances[] = {1e-12, 1e-8, 1e-4};
    struct mm_collision_sum sums[3];
    assert_int_equal(mm_collision_sums_find(700, 3, tolerances, sums, NULL), MM_OK);
    for (int j = 1; j < 3; j++) {
        assert_true(sums[j].count < sums[j - 1].count);
        for (int i = 0, k = 0; i < sums[j].count; i++, k++) {
            while (k < sums[j - 1].count && sums[j - 1].collisions[k] < sums[j].collisions[i])
                k++;
            assert_true(k < sums[j - 1].count && sums[j - 1].collisions[k] == sums[j].collisions[i]);
        }
    }
    for (int j = 0; j < 3; j++)
        mm_collision_sum_free(&sums[j]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_terms_are_enough),
        cmocka_unit_test(long_stretches_take_few_terms),
        cmocka_unit_test(sums_are_nested),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
