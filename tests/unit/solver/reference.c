/* reference.c - the reference backend against Python's fixtures and against what the paper knows exactly. */
#include <cblas.h>
#include <complex.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/assert_double.h"
#include "model/state.h"
#include "solver/backend.h"
#include "solver/reference.h"
#include "support/density_checks.h"
#include "support/physics_fixtures.h"
#include "support/protocols.h"

static void evaluate(const struct mm_problem *problem, const struct mm_point *point,
                     struct mm_evaluation *evaluation, struct mm_channel_gradient *channel)
{
    const struct mm_solver_options options = {.threads = 1};
    struct mm_error error = {0};
    void *state = NULL;
    assert_int_equal(mm_backend_reference.open(&state, problem, &options, &error), MM_OK);
    assert_int_equal(mm_backend_reference.evaluate(state, 1, point, evaluation, channel, &error), MM_OK);
    mm_backend_reference.close(state);
}

static struct mm_state evolve(const struct mm_problem *problem, const struct mm_point *point, int64_t collisions,
                              double *energies)
{
    const struct mm_solver_options options = {.threads = 1};
    struct mm_error error = {0};
    struct mm_state result;
    void *state = NULL;
    assert_int_equal(mm_initial_state(&result, &error), MM_OK);
    assert_int_equal(mm_backend_reference.open(&state, problem, &options, &error), MM_OK);
    assert_int_equal(mm_backend_reference.evolve(state, point, collisions, energies, &result, &error), MM_OK);
    mm_backend_reference.close(state);
    return result;
}

static double complex *density_of(const struct mm_problem *problem, const struct mm_point *point,
                                  int64_t collisions)
{
    struct mm_error error = {0};
    struct mm_state summary;
    double complex *rho = NULL;
    assert_int_equal(mm_reference_density(problem, point, collisions, NULL, &summary, &rho, &error), MM_OK);
    assert_int_equal(summary.levels, problem->levels);
    return rho;
}

/* --------------------------------------------------------------------------------------------- fixtures */

static void evaluations_match_the_fixtures(void **state)
{
    (void)state;
    FILE *file = fixture_open("physics_cases.txt");
    struct physics_case fixture;
    size_t cases = 0;
    for (; physics_case_read(file, &fixture); cases++) {
        struct mm_evaluation found;
        evaluate(&fixture.problem, &fixture.point, &found, NULL);
        assert_is_fixture(&found, &fixture);
    }
    assert_true(cases >= 15);
    assert_int_equal(fclose(file), 0);
}

/* Relative to the largest component of the gradient. */
static void gradients_match_central_differences(void **state)
{
    (void)state;
    FILE *file = fixture_open("physics_cases.txt");
    struct physics_case fixture;
    while (physics_case_read(file, &fixture)) {
        struct mm_evaluation evaluation;
        struct mm_channel_gradient channel[FIXTURE_BATCHES_MAX];
        double found[2 * FIXTURE_BATCHES_MAX];
        double scale = 0.0;
        evaluate(&fixture.problem, &fixture.point, &evaluation, channel);
        mm_gradient_population(&fixture.problem, fixture.parameters, &evaluation, channel, found);
        for (size_t i = 0; i < 2 * fixture.free_batches; i++)
            scale = fmax(scale, fabs(fixture.gradient[i]));
        for (size_t i = 0; i < 2 * fixture.free_batches; i++)
            assert_double_near(found[i], fixture.gradient[i], 1e-6 * scale);
    }
    assert_int_equal(fclose(file), 0);
}

static void density_matrices_match_the_fixtures(void **state)
{
    (void)state;
    FILE *file = fixture_open("physics_cases.txt");
    struct physics_case fixture;
    size_t matrices = 0;
    while (physics_case_read(file, &fixture)) {
        double complex *expected = physics_density_read(&fixture);
        if (expected == NULL)
            continue;
        const int size = fixture.problem.levels;
        double complex *found =
            density_of(&fixture.problem, &fixture.point, mm_problem_collisions(&fixture.problem));
        for (int i = 0; i < size * size; i++)
            assert_double_near(cabs(found[i] - expected[i]), 0.0, 1e-12);
        free(found);
        free(expected);
        matrices++;
    }
    assert_true(matrices >= 4);
    assert_int_equal(fclose(file), 0);
}

/* ---------------------------------------------------------------------------------------------- channel */

/* The state stays a density matrix, and i^(n-m) rho_nm stays real: the gauge of all other backends. */
static void states_are_density_matrices_in_the_real_gauge(void **state)
{
    (void)state;
    static const double complex phases[4] = {1.0, I, -1.0, -I};
    uint64_t random = 1;
    for (int i = 0; i < 20; i++) {
        struct stream stream;
        const int levels = random_integer(&random, 2, 25);
        stream_set(&stream, levels, 100, 4.0 * random_uniform(&random), random_uniform(&random),
                   random_uniform(&random));
        const struct mm_state real = evolve(&stream.problem, &stream.point, 100, NULL);
        double complex *rho = density_of(&stream.problem, &stream.point, 100);
        for (int n = 0; n < levels; n++)
            for (int m = 0; m < levels; m++) {
                const double complex gauged = phases[(n - m + 4 * levels) % 4] * rho[n * levels + m];
                assert_double_near(cimag(gauged), 0.0, 1e-14);
                assert_double_near(creal(gauged), real.density[n * levels + m], 1e-14);
                assert_double_near(cabs(rho[n * levels + m] - conj(rho[m * levels + n])), 0.0, 1e-14);
                assert_double_near(real.density[n * levels + m], real.density[m * levels + n], 0.0);
            }
        assert_double_near(matrix_trace(real.density, levels), 1.0, 1e-12);
        assert_true(smallest_eigenvalue(real.density, levels) >= -1e-12);
        free(rho);
        free(real.density);
    }
}

static void trace_is_kept_for_a_thousand_collisions(void **state)
{
    (void)state;
    struct stream stream;
    stream_set(&stream, 33, 1000, 0.795, 0.4, 0.17);
    const struct mm_state found = evolve(&stream.problem, &stream.point, 1000, NULL);
    assert_double_near(matrix_trace(found.density, 33), 1.0, 1e-12);
    free(found.density);
}

/* g = pi/4, excited qubits: S_16 = 0 closes the first chamber, and its top |15> is all that is left. */
static void fine_tuned_coupling_traps_a_number_state(void **state)
{
    (void)state;
    struct stream stream;
    struct mm_evaluation found;
    stream_set(&stream, 24, 4000, M_PI / 4.0, 0.0, 0.0);
    evaluate(&stream.problem, &stream.point, &found, NULL);
    assert_double_near(found.ergotropy, 15.0, 1e-9);
    assert_double_near(found.energy, 15.0, 1e-9);
    assert_double_near(found.purity, 1.0, 1e-9);
}

/* Eq. 8: g = pi/sqrt(m), c = 1. */
static void coherent_qubits_reach_the_pure_steady_state(void **state)
{
    (void)state;
    static const double populations_of_ground[] = {0.3, 0.7};
    for (int i = 0; i < 2; i++) {
        struct stream stream;
        double expected[4];
        struct mm_evaluation found;
        stream_set(&stream, 9, 2000, M_PI / 2.0, 1.0, populations_of_ground[i]);
        evaluate(&stream.problem, &stream.point, &found, NULL);
        assert_double_near(found.purity, 1.0, 1e-10);
        assert_double_near(found.ergotropy, found.energy, 1e-9);
        const struct mm_state final = evolve(&stream.problem, &stream.point, 2000, NULL);
        steady_state_read(4, populations_of_ground[i], expected);
        for (int n = 0; n < 9; n++)
            assert_double_near(final.density[10 * n], n < 4 ? expected[n] : 0.0, 1e-10);
        free(final.density);
    }
}

/* -------------------------------------------------------------------------------------------- contracts */

/* The space is enlarged until the top level stays empty, and the result is that of a space fixed at that size. */
static void automatic_levels_are_enough(void **state)
{
    (void)state;
    struct stream stream;
    struct mm_evaluation automatic;
    struct mm_evaluation fixed;
    struct mm_channel_gradient automatic_channel;
    struct mm_channel_gradient fixed_channel;
    stream_set(&stream, MM_LEVELS_AUTO, 60, 0.795, 0.3, 0.1);
    evaluate(&stream.problem, &stream.point, &automatic, &automatic_channel);
    assert_true(automatic.levels > 32);
    assert_true(automatic.truncation_population <= 1e-14);
    stream.problem.levels = automatic.levels;
    evaluate(&stream.problem, &stream.point, &fixed, &fixed_channel);
    assert_same_evaluation(&automatic, &fixed);
    assert_memory_equal(&automatic_channel, &fixed_channel, sizeof fixed_channel);
    stream.problem.levels = automatic.levels + 9;
    evaluate(&stream.problem, &stream.point, &fixed, NULL);
    assert_double_near(fixed.loss, automatic.loss, 1e-12);
}

static void automatic_levels_start_at_thirty_two(void **state)
{
    (void)state;
    struct stream stream;
    struct mm_evaluation found;
    stream_set(&stream, MM_LEVELS_AUTO, 5, 0.795, 0.3, 0.1);
    evaluate(&stream.problem, &stream.point, &found, NULL);
    assert_int_equal(found.levels, 32);
    assert_double_near(found.truncation_population, 0.0, 1e-14);
}

/* Energies are those of the states, the instability is theirs, and the last batch goes on after the schedule. */
static void evolution_continues_the_last_batch(void **state)
{
    (void)state;
    const struct mm_batch short_batches[] = {
        {.qubits = 5}, {.qubits = 3, .fixed = true, .c = 0.9, .q = 0.4}, {.qubits = 7}};
    const struct mm_batch long_batches[] = {
        {.qubits = 5}, {.qubits = 3, .fixed = true, .c = 0.9, .q = 0.4}, {.qubits = 12}};
    const double parameters[] = {0.3, 0.2, 0.6, 0.35};
    const struct mm_point point = {.g = 0.8, .lambda = 1.0, .parameters = parameters};
    const struct mm_problem schedule = {.levels = 15, .batch_count = 3, .batches = short_batches, .tail = 4};
    const struct mm_problem longer = {.levels = 15, .batch_count = 3, .batches = long_batches, .tail = 4};
    double energies[21];
    struct mm_evaluation expected;
    const struct mm_state beyond = evolve(&schedule, &point, 20, energies);
    evaluate(&longer, &point, &expected, NULL);
    assert_double_near(energies[0], 0.0, 0.0);
    assert_double_near(energies[20], expected.energy, 0.0);
    double instability = 0.0;
    for (int k = 17; k <= 20; k++)
        instability += fabs(energies[k] - energies[k - 1]);
    assert_double_near(instability, expected.instability, 1e-15);
    double energy = 0.0;
    for (int n = 0; n < 15; n++)
        energy += n * beyond.density[16 * n];
    assert_double_near(energy, expected.energy, 1e-13);
    free(beyond.density);
    const struct mm_state vacuum = evolve(&schedule, &point, 0, NULL);
    assert_double_near(vacuum.density[0], 1.0, 0.0);
    assert_double_near(matrix_trace(vacuum.density, 15), 1.0, 0.0);
    free(vacuum.density);
}

/* At the corners of (c, q) everything is finite; a ground-state qubit leaves the vacuum alone. */
static void corners_are_finite(void **state)
{
    (void)state;
    for (int corner = 0; corner < 4; corner++) {
        struct stream stream;
        struct mm_evaluation found;
        struct mm_channel_gradient channel;
        stream_set(&stream, 12, 30, 0.795, corner % 2, corner / 2);
        evaluate(&stream.problem, &stream.point, &found, &channel);
        assert_true(isfinite(found.loss) && isfinite(channel.by_q) && isfinite(channel.by_x));
        if (corner / 2 == 1) {
            assert_double_near(found.ergotropy, 0.0, 1e-12);
            assert_true(found.ergotropy >= 0.0);
            assert_double_near(found.energy, 0.0, 1e-12);
        }
    }
}

/* Each result belongs to its point alone. */
static void points_do_not_disturb_each_other(void **state)
{
    (void)state;
    const struct mm_batch batches[] = {{.qubits = 12}, {.qubits = 9}};
    const struct mm_problem problem = {.levels = 11, .batch_count = 2, .batches = batches, .tail = 3};
    const double parameters[2][4] = {{0.3, 0.2, 0.6, 0.35}, {0.1, 0.9, 0.0, 0.2}};
    const struct mm_point points[2] = {{.g = 0.8, .lambda = 1.0, .parameters = parameters[0]},
                                       {.g = 1.3, .lambda = 10.0, .parameters = parameters[1]}};
    const struct mm_solver_options options = {.threads = 1};
    struct mm_evaluation together[2];
    struct mm_channel_gradient together_channel[4];
    void *backend = NULL;
    assert_int_equal(mm_backend_reference.open(&backend, &problem, &options, NULL), MM_OK);
    assert_int_equal(mm_backend_reference.evaluate(backend, 2, points, together, together_channel, NULL), MM_OK);
    mm_backend_reference.close(backend);
    for (size_t i = 0; i < 2; i++) {
        struct mm_evaluation alone;
        struct mm_channel_gradient alone_channel[2];
        evaluate(&problem, &points[i], &alone, alone_channel);
        assert_same_evaluation(&alone, &together[i]);
        assert_memory_equal(alone_channel, &together_channel[2 * i], sizeof alone_channel);
    }
}

int main(void)
{
    openblas_set_num_threads(1); /* as the solver does: the matrices are too small for more */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evaluations_match_the_fixtures),
        cmocka_unit_test(gradients_match_central_differences),
        cmocka_unit_test(density_matrices_match_the_fixtures),
        cmocka_unit_test(states_are_density_matrices_in_the_real_gauge),
        cmocka_unit_test(trace_is_kept_for_a_thousand_collisions),
        cmocka_unit_test(fine_tuned_coupling_traps_a_number_state),
        cmocka_unit_test(coherent_qubits_reach_the_pure_steady_state),
        cmocka_unit_test(automatic_levels_are_enough),
        cmocka_unit_test(automatic_levels_start_at_thirty_two),
        cmocka_unit_test(evolution_continues_the_last_batch),
        cmocka_unit_test(corners_are_finite),
        cmocka_unit_test(points_do_not_disturb_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
