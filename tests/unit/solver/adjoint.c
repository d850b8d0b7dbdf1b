/* adjoint.c - the adjoint gradient of the cpu backend against forward tangents and central differences. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/assert_double.h"
#include "support/density_checks.h"
#include "support/physics_fixtures.h"
#include "support/protocols.h"
#include "support/solver_checks.h"

static void gradients_match_the_fixtures(void **state)
{
    (void)state;
    FILE *file = fixture_open("physics_cases.txt");
    struct physics_case fixture;
    while (physics_case_read(file, &fixture)) {
        struct mm_channel_gradient channel[FIXTURE_BATCHES_MAX];
        double found[2 * FIXTURE_BATCHES_MAX];
        double scale = 0.0;
        const struct mm_evaluation evaluation = evaluate_on("cpu", &fixture.problem, &fixture.point, channel);
        mm_gradient_population(&fixture.problem, fixture.parameters, &evaluation, channel, found);
        for (size_t i = 0; i < 2 * fixture.free_batches; i++)
            scale = fmax(scale, fabs(fixture.gradient[i]));
        for (size_t i = 0; i < 2 * fixture.free_batches; i++)
            assert_double_near(found[i], fixture.gradient[i], 1e-6 * scale);
    }
    assert_int_equal(fclose(file), 0);
}

/* ----------------------------------------------------------------------- where gradients have been wrong */

/* Points where the sums over few collisions do not hold, so that states are computed again during the sweep, and
 * where these need more diagonals than the run did: the adjoint used to be lost then. A second evaluation finds the
 * memory large enough. */
static void a_sweep_that_needs_more_memory_keeps_the_adjoint(void **state)
{
    (void)state;
    static const double parameters[][2] = {{0.957361711556158, 0.5002199483299711},
                                           {0.9020201583500368, 0.5338502644990437},
                                           {0.9499387217228025, 0.5339285657414996},
                                           {0.9951330375563592, 0.5523147016745034}};
    const struct mm_batch batch = {.qubits = 1000};
    const struct mm_problem problem = {
        .levels = 120, .batch_count = 1, .batches = &batch, .tail = 200, .band_tolerance = 1e-16};
    const double g = M_PI / sqrt(15.6);
    for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++)
        for (int rough = 0; rough < 2; rough++) {
            const struct mm_point point = {
                .g = g, .lambda = 1.0, .parameters = parameters[i], .band_tolerance = rough ? 1e-6 : 0.0};
            struct mm_channel_gradient gradients[2];
            struct mm_evaluation evaluation;
            struct mm_solver *solver = open_solver("cpu", NULL, &problem);
            for (int j = 0; j < 2; j++)
                assert_int_equal(mm_solver_evaluate(solver, 1, &point, &evaluation, &gradients[j], NULL), MM_OK);
            mm_solver_close(solver);
            assert_memory_equal(&gradients[0], &gradients[1], sizeof gradients[0]);
        }
}

/* The windows of a sweep leave out less of the states where lambda weighs it more: a tolerance a hundred times
 * finer changes little. */
static void a_large_lambda_keeps_the_gradient(void **state)
{
    (void)state;
    static const double parameters[][2] = {{0.763774618976614, 0.19344693750280673},
                                           {0.8602897789205496, 0.1778797670828499},
                                           {0.6106047559295025, 0.24879149883438162},
                                           {0.017137396357369994, 0.6613961043003088}};
    const struct mm_batch batch = {.qubits = 1000};
    for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++) {
        const struct mm_point point = {.g = M_PI / sqrt(15.6), .lambda = 1000.0, .parameters = parameters[i]};
        struct mm_channel_gradient gradients[2];
        for (int finer = 0; finer < 2; finer++) {
            const struct mm_problem problem = {.levels = 120,
                                               .batch_count = 1,
                                               .batches = &batch,
                                               .tail = 200,
                                               .band_tolerance = finer ? 1e-18 : 1e-16};
            evaluate_on("cpu", &problem, &point, &gradients[finer]);
        }
        const double scale = fmax(1.0, fmax(fabs(gradients[1].by_q), fabs(gradients[1].by_x)));
        assert_double_near(gradients[0].by_q, gradients[1].by_q, 1e-9 * scale);
        assert_double_near(gradients[0].by_x, gradients[1].by_x, 1e-9 * scale);
    }
}

/* Protocols whose terms are not as smooth as sums by few collisions need, though these differed from looser ones by
 * less than 1e-9 of the terms' magnitudes, which is far more than the gradient: they were trusted, and it was wrong
 * by 5e-8. */
static void sums_that_do_not_tell_are_not_trusted(void **state)
{
    (void)state;
    static const struct mm_batch batches[][3] = {{{.qubits = 289}, {.qubits = 383}, {.qubits = 2}},
                                                 {{.qubits = 84}, {.qubits = 1}, {.qubits = 330}},
                                                 {{.qubits = 84}, {.qubits = 1}, {.qubits = 330}}};
    static const double parameters[][6] = {{0.90360481098449141, 0.97156307700870115, 0.98339958699881247,
                                            0.86819477355969976, 0.49706766407725089, 0.3013296030019571},
                                           {0.41290775769035087, 0.75514579775514179, 0.84938727676242132,
                                            0.31299715864990268, 0.73907863662538176, 0.8333218032672538},
                                           {0.17205339828340172, 0.74740321955433886, 0.9852277782139961,
                                            0.79985284379542942, 0.96772248651483006, 0.5188558348041199}};
    static const double g[] = {0.42011222321381436, 0.65610747823061211, 0.95020427343145208};
    static const double lambda[] = {0.934186, 159.219, 8.22365};
    static const int64_t tail[] = {152, 75, 75};
    static const int levels[] = {11, 25, 25};
    for (size_t i = 0; i < 3; i++) {
        const struct mm_problem problem = {
            .levels = levels[i], .batch_count = 3, .batches = batches[i], .tail = tail[i], .band_tolerance = 1e-16};
        const struct mm_point point = {.g = g[i], .lambda = lambda[i], .parameters = parameters[i]};
        struct mm_channel_gradient found[3], expected[3];
        evaluate_on("cpu", &problem, &point, found);
        evaluate_on("reference", &problem, &point, expected);
        for (size_t j = 0; j < 3; j++) {
            assert_double_near(found[j].by_q, expected[j].by_q, 1e-9);
            assert_double_near(found[j].by_x, expected[j].by_x, 1e-9);
        }
    }
}

/* ----------------------------------------------------------------------------- against forward tangents */

/* Relative to the largest derivative, or to `scale` where that is more. Eigenvalues that almost cross amplify
 * rounding, hence not 1e-13. */
static void assert_gradient_within(const struct mm_problem *problem, const struct mm_point *point, double scale)
{
    const size_t batches = mm_problem_free_batches(problem);
    struct mm_channel_gradient found[PROTOCOL_BATCHES_MAX];
    struct mm_channel_gradient expected[PROTOCOL_BATCHES_MAX];
    const struct mm_evaluation evaluation = evaluate_on("cpu", problem, point, found);
    const struct mm_evaluation reference = evaluate_on("reference", problem, point, expected);
    for (size_t i = 0; i < batches; i++)
        scale = fmax(scale, fmax(fabs(expected[i].by_q), fabs(expected[i].by_x)));
    for (size_t i = 0; i < batches; i++) {
        assert_double_near(found[i].by_q, expected[i].by_q, 1e-10 * scale);
        assert_double_near(found[i].by_x, expected[i].by_x, 1e-10 * scale);
    }
    assert_double_near(evaluation.loss_by_mean_c, reference.loss_by_mean_c, 1e-10);
    assert_double_near(evaluation.loss_by_mean_q, reference.loss_by_mean_q, 1e-10);
}

static void assert_same_gradient(const struct mm_problem *problem, const struct mm_point *point)
{
    assert_gradient_within(problem, point, 1e-3);
}

static void one_batch_matches_the_tangents(void **state)
{
    (void)state;
    uint64_t random = 21;
    for (int i = 0; i < 20; i++) {
        struct protocol protocol;
        protocol_draw(&protocol, &random, random_integer(&random, 2, 30), 1, 80);
        assert_same_gradient(&protocol.problem, &protocol.point);
    }
}

static void two_batches_match_the_tangents(void **state)
{
    (void)state;
    uint64_t random = 22;
    for (int i = 0; i < 20; i++) {
        struct protocol protocol;
        protocol_draw(&protocol, &random, random_integer(&random, 2, 24), 2, 40);
        assert_same_gradient(&protocol.problem, &protocol.point);
    }
}

static void fifty_batches_match_the_tangents(void **state)
{
    (void)state;
    uint64_t random = 23;
    struct protocol protocol;
    protocol_draw(&protocol, &random, 11, 50, 3);
    assert_same_gradient(&protocol.problem, &protocol.point);
}

static void fixed_batches_match_the_tangents(void **state)
{
    (void)state;
    const struct mm_batch batches[] = {{.qubits = 15, .fixed = true},
                                       {.qubits = 20},
                                       {.qubits = 10, .fixed = true, .c = 0.7, .q = 0.4},
                                       {.qubits = 25},
                                       {.qubits = 5, .fixed = true, .c = 1.0, .q = 0.5}};
    const double parameters[] = {0.3, 0.2, 0.55, 0.15};
    const struct mm_point point = {.g = 0.795, .lambda = 3.0, .parameters = parameters};
    struct mm_problem problem = {.levels = 22, .batch_count = 5, .batches = batches};
    static const int64_t tails[] = {1, 4, 5, 6, 31, 75};
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        problem.tail = tails[i];
        assert_same_gradient(&problem, &point);
    }
}

static void tails_of_one_and_of_all_match_the_tangents(void **state)
{
    (void)state;
    uint64_t random = 24;
    for (int i = 0; i < 10; i++) {
        struct protocol protocol;
        protocol_draw(&protocol, &random, 19, 2, 30);
        protocol.point.lambda = 7.0;
        protocol.problem.tail = 1;
        assert_same_gradient(&protocol.problem, &protocol.point);
        protocol.problem.tail = mm_problem_collisions(&protocol.problem);
        assert_same_gradient(&protocol.problem, &protocol.point);
    }
}

static void a_single_collision_matches_the_tangents(void **state)
{
    (void)state;
    struct stream stream;
    stream_set(&stream, 5, 1, 0.8, 0.4, 0.3);
    assert_same_gradient(&stream.problem, &stream.point);
}

/* So long that its derivatives are summed over few of its collisions. Those of the tail and those before it are
 * about 14, of opposite sign, and leave 0.06. */
static void a_long_stream_matches_the_tangents(void **state)
{
    (void)state;
    struct stream stream;
    stream_set(&stream, 24, 1500, 0.795, 0.6, 0.22);
    stream.problem.tail = 300;
    assert_gradient_within(&stream.problem, &stream.point, 14.0);
}

/* Long batches, free and fixed, some of them in the tail, beside short ones. With one of these qubits the energy
 * turns in the tail, where the gradient of the instability has a jump. */
static void long_batches_match_the_tangents(void **state)
{
    (void)state;
    const struct mm_batch batches[] = {{.qubits = 40, .fixed = true, .c = 0.2, .q = 0.3},
                                       {.qubits = 300},
                                       {.qubits = 120, .fixed = true, .c = 0.1, .q = 0.4},
                                       {.qubits = 9},
                                       {.qubits = 30},
                                       {.qubits = 250}};
    static const double parameters[][8] = {{0.3, 0.2, 0.55, 0.15, 0.4, 0.3, 0.31, 0.145},
                                           {0.9, 0.05, 0.0, 0.3, 0.7, 0.6, 0.05, 0.4},
                                           {0.1, 0.02, 0.2, 0.5, 0.3, 0.0, 0.2, 0.05}};
    static const int64_t tails[] = {1, 200, 270, 600};
    struct mm_problem problem = {.levels = 30, .batch_count = 6, .batches = batches};
    for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++)
        for (size_t t = 0; t < sizeof tails / sizeof tails[0]; t++) {
            const struct mm_point point = {.g = 0.795, .lambda = 3.0, .parameters = parameters[i]};
            problem.tail = tails[t];
            assert_gradient_within(&problem, &point, 1.0);
        }
}

/* Within 1e-8, for where terms cancel sums by few collisions leave more than rounding. */
static void random_long_protocols_match_the_tangents(void **state)
{
    (void)state;
    uint64_t random = 27;
    for (int i = 0; i < 60; i++) {
        struct protocol protocol;
        protocol_draw(&protocol, &random, random_integer(&random, 2, 30), (size_t)random_integer(&random, 1, 3),
                      400);
        protocol.problem.band_tolerance = 1e-16;
        assert_gradient_within(&protocol.problem, &protocol.point, 100.0);
    }
}

/* At c = 0, q = 0 and q = 1 a batch keeps what it finds diagonal, or the vacuum; the derivative by its x or q does
 * not, and reaches the loss through the batches beside it. */
static void corners_beside_other_batches_match_the_tangents(void **state)
{
    (void)state;
    static const double corners[][2] = {{0.0, 0.3}, {0.6, 0.0}, {0.6, 1.0}, {0.0, 1.0}, {0.0, 0.0}, {1e-12, 0.4}};
    uint64_t random = 41;
    for (size_t i = 0; i < sizeof corners / sizeof corners[0]; i++)
        for (int place = 0; place < 3; place++) {
            struct protocol protocol;
            protocol_draw(&protocol, &random, random_integer(&random, 18, 40), 3, 25);
            protocol.parameters[2 * place] = corners[i][0];
            protocol.parameters[2 * place + 1] = corners[i][1];
            protocol.problem.band_tolerance = i % 2 == 0 ? 0.0 : 1e-16;
            assert_same_gradient(&protocol.problem, &protocol.point);
        }
}

/* So many collisions that checkpoints of one depth do not reach: the sweep recomputes in two stages. */
static void a_stream_of_two_checkpoint_depths_matches_the_tangents(void **state)
{
    (void)state;
    struct stream stream;
    stream_set(&stream, 3, 9000, 0.795, 0.6, 0.22);
    stream.problem.tail = 8500;
    assert_same_gradient(&stream.problem, &stream.point);
}

/* Windows that grow and shrink on the way, over batches with and without coherence: what a loose tolerance drops
 * must leave the gradient as close as the dropped part is small. */
static void a_moving_window_keeps_the_gradient(void **state)
{
    (void)state;
    uint64_t random = 77;
    for (int i = 0; i < 20; i++) {
        struct protocol protocol;
        struct mm_channel_gradient exact[PROTOCOL_BATCHES_MAX], windowed[PROTOCOL_BATCHES_MAX];
        protocol_draw(&protocol, &random, random_integer(&random, 20, 80), 4, 120);
        protocol.parameters[2] = 0.01 * protocol.parameters[2];
        protocol.parameters[4] = 0.0;
        evaluate_on("cpu", &protocol.problem, &protocol.point, exact);
        protocol.problem.band_tolerance = 1e-13;
        evaluate_on("cpu", &protocol.problem, &protocol.point, windowed);
        for (int b = 0; b < 4; b++) {
            double scale = fmax(1.0, fmax(fabs(exact[b].by_q), fabs(exact[b].by_x)));
            assert_double_near(windowed[b].by_q, exact[b].by_q, 1e-6 * scale);
            assert_double_near(windowed[b].by_x, exact[b].by_x, 1e-6 * scale);
        }
    }
}

/* The sweep leaves out what the default tolerance makes too small to matter to a derivative. */
static void narrow_segments_keep_the_gradient(void **state)
{
    (void)state;
    static const double parameters[][2] = {{0.39, 0.168}, {0.9, 0.4}, {0.0, 0.3}, {0.3, 0.0}};
    for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++) {
        struct stream stream;
        struct mm_channel_gradient exact, narrow;
        stream_set(&stream, 120, 1000, M_PI / sqrt(15.6), parameters[i][0], parameters[i][1]);
        stream.problem.tail = 200;
        evaluate_on("cpu", &stream.problem, &stream.point, &exact);
        stream.problem.band_tolerance = 1e-16;
        evaluate_on("cpu", &stream.problem, &stream.point, &narrow);
        const double scale = fmax(fabs(exact.by_q), fabs(exact.by_x));
        assert_double_near(narrow.by_q, exact.by_q, 1e-9 * scale);
        assert_double_near(narrow.by_x, exact.by_x, 1e-9 * scale);
    }
}

/* --------------------------------------------------------------------------- against central differences */

/* Loss at angles displaced along one of them, [free batches][2] of c and theta. */
static double loss_at(struct mm_solver *solver, const struct protocol *protocol, const double *angles, size_t index,
                      double shift)
{
    const size_t batches = protocol->problem.batch_count;
    double parameters[2 * PROTOCOL_BATCHES_MAX];
    struct mm_point point = protocol->point;
    struct mm_evaluation evaluation;
    for (size_t i = 0; i < batches; i++) {
        const double theta = angles[2 * i + 1] + (index == 2 * i + 1 ? shift : 0.0);
        parameters[2 * i] = angles[2 * i] + (index == 2 * i ? shift : 0.0);
        parameters[2 * i + 1] = mm_population_from_angle(theta);
    }
    point.parameters = parameters;
    assert_int_equal(mm_solver_evaluate(solver, 1, &point, &evaluation, NULL, NULL), MM_OK);
    return evaluation.loss;
}

/* Central difference of fourth order. */
static double difference_at(struct mm_solver *solver, const struct protocol *protocol, const double *angles,
                            size_t index, double step)
{
    const double near =
        loss_at(solver, protocol, angles, index, step) - loss_at(solver, protocol, angles, index, -step);
    const double far = loss_at(solver, protocol, angles, index, 2.0 * step) -
                       loss_at(solver, protocol, angles, index, -2.0 * step);
    return (8.0 * near - far) / (12.0 * step);
}

/* Compares every component whose differences have converged. A kink of |E_k - E_{k-1}|, or eigenvalues that almost
 * cross, spoil a difference: halving its step shows that. @returns the number of components compared */
static size_t compare_with_differences(const struct protocol *protocol)
{
    const size_t variables = 2 * protocol->problem.batch_count;
    struct mm_solver *solver = open_solver("cpu", NULL, &protocol->problem);
    struct mm_evaluation evaluation;
    struct mm_channel_gradient channel[PROTOCOL_BATCHES_MAX];
    double angles[2 * PROTOCOL_BATCHES_MAX];
    double gradient[2 * PROTOCOL_BATCHES_MAX];
    double scale = 0.0;
    size_t compared = 0;
    assert_int_equal(mm_solver_evaluate(solver, 1, &protocol->point, &evaluation, channel, NULL), MM_OK);
    for (size_t i = 0; i < variables; i += 2) {
        angles[i] = protocol->parameters[i];
        angles[i + 1] = mm_angle_from_population(protocol->parameters[i + 1]);
    }
    mm_gradient_angle(&protocol->problem, angles, &evaluation, channel, gradient);
    for (size_t i = 0; i < variables; i++)
        scale = fmax(scale, fabs(gradient[i]));
    for (size_t i = 0; i < variables; i++) {
        const double coarse = difference_at(solver, protocol, angles, i, 4e-4);
        const double fine = difference_at(solver, protocol, angles, i, 2e-4);
        if (fabs(coarse - fine) > 1e-7 * scale)
            continue;
        assert_double_near(gradient[i], fine, 1e-6 * scale);
        compared++;
    }
    mm_solver_close(solver);
    return compared;
}

/* Moves parameters away from the bounds, where differences would leave the domain. */
static void move_inside(struct protocol *protocol)
{
    for (size_t i = 0; i < 2 * protocol->problem.batch_count; i++)
        protocol->parameters[i] = 0.01 + 0.98 * protocol->parameters[i];
}

static void assert_differences_agree(uint64_t seed, int draws, int levels, size_t batches, int longest)
{
    uint64_t random = seed;
    size_t compared = 0;
    for (int i = 0; i < draws; i++) {
        struct protocol protocol;
        protocol_draw(&protocol, &random, levels, batches, longest);
        move_inside(&protocol);
        compared += compare_with_differences(&protocol);
    }
    assert_true(compared >= (size_t)draws * batches); /* half of the components */
}

static void one_batch_matches_differences(void **state)
{
    (void)state;
    assert_differences_agree(31, 30, 30, 1, 80);
}

static void two_batches_match_differences(void **state)
{
    (void)state;
    assert_differences_agree(32, 20, 25, 2, 50);
}

static void fifty_batches_match_differences(void **state)
{
    (void)state;
    assert_differences_agree(33, 1, 20, 50, 4);
}

/* ------------------------------------------------------------------------------------------- the bounds */

/* c and q at 0 and 1, alone and in pairs of batches: tangents agree, angles give finite slopes, (c, q) no NaN. */
static void bounds_are_finite(void **state)
{
    (void)state;
    for (int corner = 0; corner < 16; corner++) {
        struct protocol protocol;
        struct mm_channel_gradient channel[2];
        double angles[4];
        double by_angle[4];
        double by_population[4];
        uint64_t random = 41;
        protocol_draw(&protocol, &random, 16, 2, 30);
        for (int i = 0; i < 4; i++) {
            protocol.parameters[i] = corner >> i & 1;
            angles[i] = i % 2 == 0 ? protocol.parameters[i] : mm_angle_from_population(protocol.parameters[i]);
        }
        const struct mm_evaluation evaluation = evaluate_on("cpu", &protocol.problem, &protocol.point, channel);
        mm_gradient_angle(&protocol.problem, angles, &evaluation, channel, by_angle);
        mm_gradient_population(&protocol.problem, protocol.parameters, &evaluation, channel, by_population);
        assert_true(isfinite(evaluation.loss));
        for (int i = 0; i < 4; i++) {
            assert_true(isfinite(by_angle[i]));
            assert_true(!isnan(by_population[i]));
        }
        for (int i = 0; i < 2; i++)
            assert_true(isfinite(channel[i].by_q) && isfinite(channel[i].by_x));
    }
}

/* At c = 0 the sign of the coherence is a matter of gauge, so the loss is even in x. */
static void incoherent_qubits_have_no_slope_in_coherence(void **state)
{
    (void)state;
    struct stream stream;
    struct mm_channel_gradient channel;
    stream_set(&stream, 40, 200, 0.795, 0.0, 0.2);
    stream.problem.tail = 40;
    evaluate_on("cpu", &stream.problem, &stream.point, &channel);
    assert_double_near(channel.by_x, 0.0, 1e-14);
    assert_true(fabs(channel.by_q) > 1e-3);
}

/* Above the limit of a point its gradient is left out and nothing else changes; at the limit it is there. */
static void a_gradient_that_is_not_wanted_is_left_out(void **state)
{
    (void)state;
    uint64_t random = 27;
    struct protocol protocol;
    protocol_draw(&protocol, &random, 24, 2, 40);
    struct mm_channel_gradient full[2], limited[2];
    const struct mm_evaluation expected = evaluate_on("cpu", &protocol.problem, &protocol.point, full);
    const double limits[2] = {expected.loss, nextafter(expected.loss, -INFINITY)};
    for (int i = 0; i < 2; i++) {
        struct mm_point point = protocol.point;
        point.gradient_limit = &limits[i];
        const struct mm_evaluation found = evaluate_on("cpu", &protocol.problem, &point, limited);
        assert_memory_equal(&found, &expected, offsetof(struct mm_evaluation, levels));
        for (int b = 0; b < 2 && i == 0; b++)
            assert_memory_equal(&limited[b], &full[b], sizeof full[b]);
        for (int b = 0; b < 2 && i == 1; b++)
            assert_true(isnan(limited[b].by_q) && isnan(limited[b].by_x));
    }
}

/* The coarser one of the tolerances of point and problem holds: the same bits as with the problem's alone. */
static void a_point_may_have_a_coarser_band(void **state)
{
    (void)state;
    uint64_t random = 28;
    struct protocol protocol;
    protocol_draw(&protocol, &random, 40, 2, 60);
    struct mm_channel_gradient expected[2], found[2];
    protocol.problem.band_tolerance = 5e-9;
    const struct mm_evaluation coarse = evaluate_on("cpu", &protocol.problem, &protocol.point, expected);
    assert_true(coarse.band_error > 1e-11);
    for (int i = 0; i < 2; i++) {
        protocol.problem.band_tolerance = i == 0 ? 1e-16 : 5e-9;
        protocol.point.band_tolerance = i == 0 ? 5e-9 : 1e-12;
        const struct mm_evaluation at_point = evaluate_on("cpu", &protocol.problem, &protocol.point, found);
        assert_memory_equal(&at_point, &coarse, offsetof(struct mm_evaluation, levels));
        assert_memory_equal(found, expected, sizeof found);
    }
}

/* A point that is rougher than its problem is partly evaluated in single precision, and its spectrum is that of
 * fewer levels. Beside the same tolerance as the problem's, where neither happens.
 *  @param loss_close       largest difference of the loss
 *  @param gradient_close   of a derivative, in units of the largest */
static void assert_rough_is_close(struct mm_problem *problem, struct mm_point *point, double tolerance,
                                  double loss_close, double gradient_close)
{
    struct mm_channel_gradient expected[PROTOCOL_BATCHES_MAX], found[PROTOCOL_BATCHES_MAX];
    double largest = 0.0;
    point->band_tolerance = 0.0;
    problem->band_tolerance = tolerance;
    const struct mm_evaluation fine = evaluate_on("cpu", problem, point, expected);
    point->band_tolerance = tolerance;
    problem->band_tolerance = 1e-16;
    const struct mm_evaluation rough = evaluate_on("cpu", problem, point, found);
    assert_double_near(rough.loss, fine.loss, loss_close);
    assert_int_equal(rough.levels, fine.levels);
    assert_true(memcmp(found, expected, problem->batch_count * sizeof *found) != 0);
    for (size_t b = 0; b < problem->batch_count; b++)
        largest = fmax(largest, fmax(fabs(expected[b].by_q), fabs(expected[b].by_x)));
    for (size_t b = 0; b < problem->batch_count; b++) {
        assert_double_near(found[b].by_q, expected[b].by_q, gradient_close * largest);
        assert_double_near(found[b].by_x, expected[b].by_x, gradient_close * largest);
    }
}

static void rough_values_are_close(void **state)
{
    (void)state;
    struct stream stream;
    uint64_t random = 19;
    stream_set(&stream, 120, 1000, M_PI / sqrt(15.6), 0.31, 0.145);
    stream.problem.tail = 200;
    assert_rough_is_close(&stream.problem, &stream.point, 1e-5, 1e-4, 1e-3);
    assert_rough_is_close(&stream.problem, &stream.point, 1e-7, 1e-6, 1e-4);
    stream.point.lambda = 100.0; /* the state in double precision */
    assert_rough_is_close(&stream.problem, &stream.point, 1e-5, 1e-4, 1e-3);
    for (int i = 0; i < 20; i++) {
        struct protocol protocol;
        protocol_draw(&protocol, &random, random_integer(&random, 20, 80), 4, 120);
        protocol.parameters[2] = i % 2 == 0 ? 0.0 : 1e-12; /* without coherence, and with hardly any */
        protocol.batches[0].qubits += 40;
        protocol.problem.tail = 20;
        protocol.point.lambda = 1.0;
        assert_rough_is_close(&protocol.problem, &protocol.point, 1e-5, 1e-4, 1e-3);
    }
}

/* Where the space grows with the state, its memory does so in the middle of single precision; a long stream is
 * refined from checkpoints in both precisions. */
static void single_precision_grows_and_is_refined(void **state)
{
    (void)state;
    struct stream stream;
    stream_set(&stream, MM_LEVELS_AUTO, 300, 0.17, 0.3, 0.02);
    stream.problem.tail = 10;
    assert_rough_is_close(&stream.problem, &stream.point, 1e-5, 1e-4, 1e-3);
    stream_set(&stream, 40, 9000, 0.795, 0.6, 0.22);
    stream.problem.tail = 3001;
    stream.point.lambda = 0.0; /* the energy steps of its end are rounding */
    assert_rough_is_close(&stream.problem, &stream.point, 1e-5, 1e-4, 1e-3);
    assert_rough_is_close(&stream.problem, &stream.point, 1e-7, 1e-6, 1e-3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_match_the_fixtures),
        cmocka_unit_test(a_sweep_that_needs_more_memory_keeps_the_adjoint),
        cmocka_unit_test(a_large_lambda_keeps_the_gradient),
        cmocka_unit_test(sums_that_do_not_tell_are_not_trusted),
        cmocka_unit_test(one_batch_matches_the_tangents),
        cmocka_unit_test(two_batches_match_the_tangents),
        cmocka_unit_test(fifty_batches_match_the_tangents),
        cmocka_unit_test(fixed_batches_match_the_tangents),
        cmocka_unit_test(tails_of_one_and_of_all_match_the_tangents),
        cmocka_unit_test(a_single_collision_matches_the_tangents),
        cmocka_unit_test(a_long_stream_matches_the_tangents),
        cmocka_unit_test(long_batches_match_the_tangents),
        cmocka_unit_test(random_long_protocols_match_the_tangents),
        cmocka_unit_test(corners_beside_other_batches_match_the_tangents),
        cmocka_unit_test(a_stream_of_two_checkpoint_depths_matches_the_tangents),
        cmocka_unit_test(a_moving_window_keeps_the_gradient),
        cmocka_unit_test(narrow_segments_keep_the_gradient),
        cmocka_unit_test(one_batch_matches_differences),
        cmocka_unit_test(two_batches_match_differences),
        cmocka_unit_test(fifty_batches_match_differences),
        cmocka_unit_test(a_gradient_that_is_not_wanted_is_left_out),
        cmocka_unit_test(a_point_may_have_a_coarser_band),
        cmocka_unit_test(rough_values_are_close),
        cmocka_unit_test(single_precision_grows_and_is_refined),
        cmocka_unit_test(bounds_are_finite),
        cmocka_unit_test(incoherent_qubits_have_no_slope_in_coherence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
