/* loss.c - Eq. 11, its means and its partial derivatives, at ordinary and at singular points. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/assert_double.h"
#include "model/loss.h"

static void value_by_hand(void **state)
{
    (void)state;
    /* W = 6, 1-c = 1/2, 1-q = 3/4: the first term is -(6 * 3/8) / (29/4) = -9/29 */
    const struct mm_loss loss = mm_loss_value(6.0, 0.5, 0.25, 0.125, 16.0);
    assert_double_near(loss.loss, -9.0 / 29.0 + 2.0, 1e-15);
}

/* Partial derivatives against central differences of fourth order. */
static void partials_are_derivatives(void **state)
{
    (void)state;
    static const double points[][3] = {{12.0, 0.31, 0.145}, {0.02, 0.9, 0.95}, {3.0, 0.0, 1.0}, {1.0, 0.999, 0.4}};
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        const double *p = points[i];
        const struct mm_loss loss = mm_loss_value(p[0], p[1], p[2], 0.3, 2.0);
        const double partials[3] = {loss.by_ergotropy, loss.by_mean_c, loss.by_mean_q};
        for (size_t j = 0; j < 3; j++) {
            const double h = 1e-4;
            double value[4];
            for (size_t k = 0; k < 4; k++) {
                static const double steps[4] = {-2.0, -1.0, 1.0, 2.0};
                double at[3] = {p[0], p[1], p[2]};
                at[j] += steps[k] * h;
                value[k] = mm_loss_value(at[0], at[1], at[2], 0.3, 2.0).loss;
            }
            const double difference = (8.0 * (value[2] - value[1]) - (value[3] - value[0])) / (12.0 * h);
            assert_double_near(partials[j], difference, 1e-9);
        }
    }
}

static void nothing_is_divided_by_zero(void **state)
{
    (void)state;
    const double tiny[] = {0.0, DBL_TRUE_MIN, DBL_MIN, 1e-300, 1e-17};
    for (size_t i = 0; i < sizeof tiny / sizeof tiny[0]; i++) {
        const struct mm_loss loss = mm_loss_value(tiny[i], 1.0, 1.0, 0.25, 4.0);
        assert_double_near(loss.loss, 1.0, 0.0);
        assert_double_near(loss.by_ergotropy, 0.0, 0.0);
        assert_double_near(loss.by_mean_c, 0.0, 0.0);
        assert_double_near(loss.by_mean_q, 0.0, 0.0);
    }
    const struct mm_loss near = mm_loss_value(1e-300, 1.0 - DBL_EPSILON, 1.0, 0.0, 0.0);
    assert_true(isfinite(near.loss) && isfinite(near.by_ergotropy));
    assert_true(isfinite(near.by_mean_c) && isfinite(near.by_mean_q));
}

/* A qubit in its ground state, or one without disorder, gains nothing: the first term vanishes at either bound. */
static void first_term_vanishes_at_the_bounds(void **state)
{
    (void)state;
    assert_double_near(mm_loss_value(5.0, 1.0, 0.3, 0.0, 1.0).loss, 0.0, 0.0);
    assert_double_near(mm_loss_value(5.0, 0.3, 1.0, 0.0, 1.0).loss, 0.0, 0.0);
    assert_double_near(mm_loss_value(0.0, 0.3, 0.2, 0.0, 1.0).loss, 0.0, 0.0);
}

static void means_weigh_the_free_batches(void **state)
{
    (void)state;
    const struct mm_batch batches[] = {
        {.qubits = 100}, {.qubits = 1000, .fixed = true, .c = 0.9, .q = 0.9}, {.qubits = 300}};
    const struct mm_problem problem = {.levels = 8, .batch_count = 3, .batches = batches, .tail = 1};
    const double parameters[] = {0.25, 1.0, 0.75, 0.5};
    double mean_c;
    double mean_q;
    mm_loss_means(&problem, parameters, &mean_c, &mean_q);
    assert_double_near(mean_c, 0.625, 1e-15);
    assert_double_near(mean_q, 0.625, 1e-15);
}

/* Means of numbers at or just below 1 stay in [0, 1], so that Eq. 11 keeps its sign. */
static void means_never_leave_the_interval(void **state)
{
    (void)state;
    struct mm_batch batches[MM_BATCHES_MAX];
    double parameters[2 * MM_BATCHES_MAX];
    const struct mm_problem problem = {.levels = 8, .batch_count = MM_BATCHES_MAX, .batches = batches, .tail = 1};
    for (size_t i = 0; i < MM_BATCHES_MAX; i++) {
        batches[i] = (struct mm_batch){.qubits = 3 + (int64_t)(i % 7)};
        parameters[2 * i] = 1.0 - DBL_EPSILON / 2.0;
        parameters[2 * i + 1] = 1.0;
    }
    double mean_c;
    double mean_q;
    mm_loss_means(&problem, parameters, &mean_c, &mean_q);
    assert_true(mean_c <= 1.0 && mean_c > 1.0 - 1e-12);
    assert_double_near(mean_q, 1.0, 0.0);
}

static void finish_fills_an_evaluation(void **state)
{
    (void)state;
    const struct mm_batch batches[] = {{.qubits = 10}};
    const struct mm_problem problem = {.levels = 8, .batch_count = 1, .batches = batches, .tail = 1};
    const double parameters[] = {0.5, 0.25};
    const struct mm_point point = {.g = 1.0, .lambda = 16.0, .parameters = parameters};
    struct mm_evaluation evaluation = {.ergotropy = 6.0, .instability = 0.125, .energy = 7.0};
    const struct mm_loss finished = mm_loss_finish(&problem, &point, &evaluation);
    const struct mm_loss loss = mm_loss_value(6.0, 0.5, 0.25, 0.125, 16.0);
    assert_double_near(evaluation.loss, loss.loss, 0.0);
    assert_double_near(evaluation.mean_c, 0.5, 0.0);
    assert_double_near(evaluation.mean_q, 0.25, 0.0);
    assert_double_near(evaluation.loss_by_mean_c, loss.by_mean_c, 0.0);
    assert_double_near(evaluation.loss_by_mean_q, loss.by_mean_q, 0.0);
    assert_double_near(finished.by_ergotropy, loss.by_ergotropy, 0.0);
    assert_double_near(finished.by_instability, point.lambda, 0.0);
    assert_double_near(evaluation.energy, 7.0, 0.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(value_by_hand),
        cmocka_unit_test(partials_are_derivatives),
        cmocka_unit_test(nothing_is_divided_by_zero),
        cmocka_unit_test(first_term_vanishes_at_the_bounds),
        cmocka_unit_test(means_weigh_the_free_batches),
        cmocka_unit_test(means_never_leave_the_interval),
        cmocka_unit_test(finish_fills_an_evaluation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
