/* gradient.c - gradients in (c, q) and (c, theta) against a toy loss, and the map between q and theta. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/assert_double.h"
#include "micromaser.h"

/* Three batches, the middle one fixed: weights 3/4 and 1/4. */
static const struct mm_batch batches[] = {
    {.qubits = 300}, {.qubits = 5000, .fixed = true, .c = 0.5, .q = 0.5}, {.qubits = 100}};
static const struct mm_problem problem = {
    .levels = 10, .batch_count = 3, .batches = batches, .tail = 1, .band_tolerance = 0};
static const double weights[] = {0.75, 0.25};

enum { FREE = 2, PARAMETERS = 2 * FREE };

/* A loss with the dependences of the real one: through q_j and x_j of each channel, and through the means. */
struct toy {
    double value;
    struct mm_evaluation evaluation;
    struct mm_channel_gradient channel[FREE];
};

static struct toy toy_loss(const double c[FREE], const double q[FREE], const double x[FREE])
{
    double mean_c = weights[0] * c[0] + weights[1] * c[1];
    double mean_q = weights[0] * q[0] + weights[1] * q[1];
    double twist = q[0] * x[1] - 2 * x[0] * x[0] + 3 * q[1];
    struct toy toy = {.value = sin(twist) + mean_c * mean_c * mean_q};
    toy.evaluation.loss_by_mean_c = 2 * mean_c * mean_q;
    toy.evaluation.loss_by_mean_q = mean_c * mean_c;
    toy.channel[0] = (struct mm_channel_gradient){.by_q = cos(twist) * x[1], .by_x = -4 * cos(twist) * x[0]};
    toy.channel[1] = (struct mm_channel_gradient){.by_q = 3 * cos(twist), .by_x = cos(twist) * q[0]};
    return toy;
}

static struct toy toy_of_populations(const double parameters[PARAMETERS])
{
    double c[FREE], q[FREE], x[FREE];
    for (int j = 0; j < FREE; j++) {
        c[j] = parameters[2 * j];
        q[j] = parameters[2 * j + 1];
        x[j] = c[j] * sqrt(q[j] * (1 - q[j]));
    }
    return toy_loss(c, q, x);
}

static struct toy toy_of_angles(const double angles[PARAMETERS])
{
    double c[FREE], q[FREE], x[FREE];
    for (int j = 0; j < FREE; j++) {
        c[j] = angles[2 * j];
        q[j] = (1 - cos(angles[2 * j + 1])) / 2;
        x[j] = c[j] * sin(angles[2 * j + 1]) / 2;
    }
    return toy_loss(c, q, x);
}

/* Central difference of fourth order in coordinate i. */
static double slope(struct toy (*toy)(const double *), const double *at, int i)
{
    const double h = 2e-4;
    double value[4];
    for (int k = 0; k < 4; k++) {
        static const double steps[] = {-2, -1, 1, 2};
        double moved[PARAMETERS] = {at[0], at[1], at[2], at[3]};
        moved[i] += steps[k] * h;
        value[k] = toy(moved).value;
    }
    return (8 * (value[2] - value[1]) - (value[3] - value[0])) / (12 * h);
}

static void gradient_in_populations(void **state)
{
    (void)state;
    static const double points[][PARAMETERS] = {{0.3, 0.2, 0.7, 0.6}, {0.9, 0.5, 0.1, 0.85}, {0.0, 0.4, 1.0, 0.1}};
    for (size_t k = 0; k < sizeof points / sizeof points[0]; k++) {
        struct toy toy = toy_of_populations(points[k]);
        double gradient[PARAMETERS];
        mm_gradient_population(&problem, points[k], &toy.evaluation, toy.channel, gradient);
        for (int i = 0; i < PARAMETERS; i++)
            assert_double_near(gradient[i], slope(toy_of_populations, points[k], i), 1e-9);
    }
}

/* Smooth everywhere, so the ends theta = 0 and pi are compared as well. */
static void gradient_in_angles(void **state)
{
    (void)state;
    static const double points[][PARAMETERS] = {{0.3, 1.0, 0.7, 2.0}, {1.0, 0.0, 0.5, M_PI}, {0.0, M_PI, 1.0, 0.0}};
    for (size_t k = 0; k < sizeof points / sizeof points[0]; k++) {
        struct toy toy = toy_of_angles(points[k]);
        double gradient[PARAMETERS];
        mm_gradient_angle(&problem, points[k], &toy.evaluation, toy.channel, gradient);
        for (int i = 0; i < PARAMETERS; i++)
            assert_double_near(gradient[i], slope(toy_of_angles, points[k], i), 1e-9);
    }
}

/* dL/dtheta = dL/dq sin(theta)/2 ties the two gradients together. */
static void chain_rule_between_them(void **state)
{
    (void)state;
    const double angles[PARAMETERS] = {0.4, 0.7, 0.8, 2.5};
    double parameters[PARAMETERS], by_angle[PARAMETERS], by_population[PARAMETERS];
    for (int j = 0; j < FREE; j++) {
        parameters[2 * j] = angles[2 * j];
        parameters[2 * j + 1] = mm_population_from_angle(angles[2 * j + 1]);
    }
    struct toy toy = toy_of_angles(angles);
    mm_gradient_angle(&problem, angles, &toy.evaluation, toy.channel, by_angle);
    mm_gradient_population(&problem, parameters, &toy.evaluation, toy.channel, by_population);
    for (int j = 0; j < FREE; j++) {
        assert_double_near(by_angle[2 * j], by_population[2 * j], 1e-14);
        assert_double_near(by_angle[2 * j + 1], by_population[2 * j + 1] * sin(angles[2 * j + 1]) / 2, 1e-14);
    }
}

/* dL/dq at one end of q, for one batch with unit weight. */
static double slope_at_end(double c, double q, double by_x)
{
    const struct mm_batch batch = {.qubits = 10};
    const struct mm_problem single = {.levels = 2, .batch_count = 1, .batches = &batch, .tail = 1};
    const struct mm_evaluation evaluation = {.loss_by_mean_c = 7, .loss_by_mean_q = 2};
    const struct mm_channel_gradient channel = {.by_q = 3, .by_x = by_x};
    double gradient[2];
    mm_gradient_population(&single, (const double[]){c, q}, &evaluation, &channel, gradient);
    assert_double_near(gradient[0], 7, 0); /* x does not move with c where q (1-q) = 0 */
    return gradient[1];
}

static void infinite_only_where_x_is_steep_and_felt(void **state)
{
    (void)state;
    assert_true(slope_at_end(0.5, 0, 1) == INFINITY);
    assert_true(slope_at_end(0.5, 0, -1) == -INFINITY);
    assert_true(slope_at_end(0.5, 1, 1) == -INFINITY);
    assert_true(slope_at_end(0.5, 1, -1) == INFINITY);
    assert_double_near(slope_at_end(0, 0, 1), 5, 0);
    assert_double_near(slope_at_end(0, 1, 1), 5, 0);
    assert_double_near(slope_at_end(0.5, 0, 0), 5, 0);
    assert_double_near(slope_at_end(0.5, 1, 0), 5, 0);
}

static void angle_and_population_are_inverse(void **state)
{
    (void)state;
    assert_double_near(mm_angle_from_population(0), 0, 0);
    assert_double_near(mm_angle_from_population(0.5), M_PI / 2, 1e-15);
    assert_double_near(mm_angle_from_population(1), M_PI, 0);
    assert_double_near(mm_population_from_angle(0), 0, 0);
    assert_double_near(mm_population_from_angle(M_PI), 1, 0);
    for (int i = 0; i <= 1000; i++) {
        double q = i / 1000.0;
        double theta = mm_angle_from_population(q);
        assert_true(theta >= 0 && theta <= M_PI);
        assert_double_near(mm_population_from_angle(theta), q, 4e-16);
    }
    assert_double_near(mm_population_from_angle(mm_angle_from_population(1e-20)) * 1e20, 1, 1e-15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradient_in_populations),
        cmocka_unit_test(gradient_in_angles),
        cmocka_unit_test(chain_rule_between_them),
        cmocka_unit_test(infinite_only_where_x_is_steep_and_felt),
        cmocka_unit_test(angle_and_population_are_inverse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
