/* physics.c - the cpu backend against the reference backend, Python's fixtures and exact results. */
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
#include "support/density_checks.h"
#include "support/physics_fixtures.h"
#include "support/protocols.h"
#include "support/solver_checks.h"

/* --------------------------------------------------------------------------------------------- fixtures */

static void evaluations_match_the_fixtures(void **state)
{
    (void)state;
    FILE *file = fixture_open("physics_cases.txt");
    struct physics_case fixture;
    while (physics_case_read(file, &fixture)) {
        const struct mm_evaluation found = evaluate_on("cpu", &fixture.problem, &fixture.point, NULL);
        assert_is_fixture(&found, &fixture);
    }
    assert_int_equal(fclose(file), 0);
}

static void density_matrices_match_the_fixtures(void **state)
{
    (void)state;
    static const double complex phases[4] = {1.0, I, -1.0, -I};
    FILE *file = fixture_open("physics_cases.txt");
    struct physics_case fixture;
    while (physics_case_read(file, &fixture)) {
        double complex *rho = physics_density_read(&fixture);
        if (rho == NULL)
            continue;
        const int size = fixture.problem.levels;
        struct mm_state found =
            evolve_on("cpu", &fixture.problem, &fixture.point, mm_problem_collisions(&fixture.problem), NULL);
        for (int n = 0; n < size; n++)
            for (int m = 0; m < size; m++)
                assert_double_near(
                    cabs(phases[(n - m + 4 * size) % 4] * rho[n * size + m] - found.density[n * size + m]), 0.0,
                    1e-12);
        mm_state_free(&found);
        free(rho);
    }
    assert_int_equal(fclose(file), 0);
}

/* ------------------------------------------------------------------------------ against the dense form */

static void assert_same_state(const struct stream *stream, int64_t collisions)
{
    double *energies = malloc(2 * ((size_t)collisions + 1) * sizeof *energies);
    assert_non_null(energies);
    double *expected_energies = energies + collisions + 1;
    struct mm_state found = evolve_on("cpu", &stream->problem, &stream->point, collisions, energies);
    struct mm_state expected =
        evolve_on("reference", &stream->problem, &stream->point, collisions, expected_energies);
    assert_int_equal(found.levels, expected.levels);
    assert_double_near(largest_difference(found.density, expected.density, found.levels), 0.0, 1e-12);
    assert_double_near(found.truncation_population, expected.truncation_population, 1e-12);
    for (int64_t k = 0; k <= collisions; k++)
        assert_double_near(energies[k], expected_energies[k], 1e-11);
    mm_state_free(&found);
    mm_state_free(&expected);
    free(energies);
}

static void states_match_the_reference(void **state)
{
    (void)state;
    static const int sizes[] = {2, 3, 4, 5, 8, 9, 16, 17, 33, 61};
    uint64_t random = 7;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (int draw = 0; draw < 4; draw++) {
            struct stream stream;
            stream_set(&stream, sizes[i], 60, 4.0 * random_uniform(&random), random_uniform(&random),
                       random_uniform(&random));
            assert_same_state(&stream, 60);
        }
}

static void states_match_the_reference_after_a_thousand_collisions(void **state)
{
    (void)state;
    struct stream stream;
    stream_set(&stream, 33, 1000, 0.795, 0.31, 0.145);
    assert_same_state(&stream, 1000);
    stream.problem.band_tolerance = 1e-16;
    assert_same_state(&stream, 1000);
}

static void corners_match_the_reference(void **state)
{
    (void)state;
    for (int corner = 0; corner < 4; corner++) {
        struct stream stream;
        stream_set(&stream, 21, 40, 0.795, corner % 2, corner / 2);
        assert_same_state(&stream, 40);
    }
}

/* Every instruction set that this machine has computes the same physics. */
static void instruction_sets_match_the_reference(void **state)
{
    (void)state;
    static const char *const sets[] = {"portable", "avx2", "avx512"};
    struct protocol protocol;
    struct mm_channel_gradient expected_channel[3];
    uint64_t random = 3;
    protocol_draw(&protocol, &random, 23, 3, 20);
    const struct mm_evaluation expected =
        evaluate_on("reference", &protocol.problem, &protocol.point, expected_channel);
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        const struct mm_solver_options options = {.backend = "cpu", .threads = 1, .instructions = sets[i]};
        struct mm_solver *solver = NULL;
        struct mm_evaluation found;
        struct mm_channel_gradient channel[3];
        const mm_status status = mm_solver_open(&solver, &protocol.problem, &options, NULL);
        if (status == MM_ERROR_INPUT && i > 0) { /* the portable loops run everywhere */
            print_message("this machine has no %s: not tested\n", sets[i]);
            continue;
        }
        assert_int_equal(status, MM_OK);
        assert_int_equal(mm_solver_evaluate(solver, 1, &protocol.point, &found, channel, NULL), MM_OK);
        mm_solver_close(solver);
        assert_double_near(found.loss, expected.loss, 1e-11);
        for (size_t j = 0; j < 3; j++) {
            assert_double_near(channel[j].by_q, expected_channel[j].by_q, 1e-9);
            assert_double_near(channel[j].by_x, expected_channel[j].by_x, 1e-9);
        }
    }
}

/* --------------------------------------------------------------------------------- states stay physical */

static void trace_and_positivity_are_kept(void **state)
{
    (void)state;
    uint64_t random = 11;
    for (int i = 0; i < 40; i++) {
        struct stream stream;
        const int levels = random_integer(&random, 2, 120);
        stream_set(&stream, levels, 1000, 4.0 * random_uniform(&random), random_uniform(&random),
                   random_uniform(&random));
        stream.problem.band_tolerance = i % 2 == 0 ? 0.0 : 1e-16;
        struct mm_state found = evolve_on("cpu", &stream.problem, &stream.point, 1000, NULL);
        assert_double_near(matrix_trace(found.density, levels), 1.0, 1e-12);
        assert_true(smallest_eigenvalue(found.density, levels) >= -1e-12);
        for (int n = 0; n < levels; n++)
            for (int m = 0; m < n; m++)
                assert_double_near(found.density[n * levels + m], found.density[m * levels + n], 0.0);
        mm_state_free(&found);
    }
}

static void incoherent_qubits_keep_the_state_diagonal(void **state)
{
    (void)state;
    static const double populations[] = {0.0, 0.2, 0.7, 1.0};
    for (int i = 0; i < 4; i++) {
        struct stream stream;
        stream_set(&stream, 50, 300, 0.795, 0.0, populations[i]);
        struct mm_state found = evolve_on("cpu", &stream.problem, &stream.point, 300, NULL);
        for (int n = 0; n < 50; n++)
            for (int m = 0; m < 50; m++)
                if (n != m)
                    assert_double_near(found.density[n * 50 + m], 0.0, 0.0);
        mm_state_free(&found);
    }
}

/* An evaluation is made of the same run that evolve shows. */
static void figures_of_merit_are_those_of_the_state(void **state)
{
    (void)state;
    enum { LEVELS = 37, COLLISIONS = 90, TAIL = 23 };
    struct stream stream;
    double energies[COLLISIONS + 1];
    stream_set(&stream, LEVELS, COLLISIONS, 0.9, 0.45, 0.2);
    stream.problem.tail = TAIL;
    const struct mm_evaluation found = evaluate_on("cpu", &stream.problem, &stream.point, NULL);
    struct mm_state final = evolve_on("cpu", &stream.problem, &stream.point, COLLISIONS, energies);
    double purity = 0.0;
    double instability = 0.0;
    for (int i = 0; i < LEVELS * LEVELS; i++)
        purity += final.density[i] * final.density[i];
    for (int k = COLLISIONS - TAIL + 1; k <= COLLISIONS; k++)
        instability += fabs(energies[k] - energies[k - 1]);
    assert_double_near(energies[0], 0.0, 0.0);
    assert_double_near(found.energy, energies[COLLISIONS], 1e-13);
    assert_double_near(found.purity, purity, 1e-13);
    assert_double_near(found.ergotropy, matrix_ergotropy(final.density, LEVELS), 1e-12);
    assert_double_near(found.instability, instability, 1e-12);
    mm_state_free(&final);
}

static void a_result_depends_on_its_point_alone(void **state)
{
    (void)state;
    enum { POINTS = 9 };
    struct protocol protocol;
    struct mm_point points[POINTS];
    double parameters[POINTS][4];
    struct mm_evaluation together[POINTS];
    struct mm_channel_gradient together_channel[2 * POINTS];
    const struct mm_solver_options options = {.backend = "cpu", .threads = 2};
    struct mm_solver *solver = NULL;
    uint64_t random = 5;
    protocol_draw(&protocol, &random, 40, 2, 60);
    protocol.problem.band_tolerance = 1e-12;
    for (size_t i = 0; i < POINTS; i++) {
        for (size_t j = 0; j < 4; j++)
            parameters[i][j] = i == 0 ? 0.0 : random_uniform(&random);
        points[i] = (struct mm_point){.g = 2.0 * random_uniform(&random),
                                      .lambda = 10.0 * random_uniform(&random),
                                      .parameters = parameters[i]};
    }
    assert_int_equal(mm_solver_open(&solver, &protocol.problem, &options, NULL), MM_OK);
    assert_int_equal(mm_solver_evaluate(solver, POINTS, points, together, together_channel, NULL), MM_OK);
    mm_solver_close(solver);
    for (size_t i = 0; i < POINTS; i++) {
        struct mm_channel_gradient channel[2];
        const struct mm_evaluation alone = evaluate_on("cpu", &protocol.problem, &points[i], channel);
        assert_same_evaluation(&alone, &together[i]);
        assert_memory_equal(channel, &together_channel[2 * i], sizeof channel);
    }
}

/* Work space that has grown with earlier points must not show: LAPACK's block sizes depend on what it is offered.
 */
static void a_result_does_not_depend_on_earlier_points(void **state)
{
    (void)state;
    struct protocol protocol;
    struct mm_batch batches[2] = {{.qubits = 100}, {.qubits = 80}};
    const struct mm_problem problem = {
        .levels = 60, .batch_count = 2, .batches = batches, .tail = 40, .band_tolerance = 1e-16};
    struct mm_solver *solver = open_solver("cpu", NULL, &problem);
    uint64_t random = 6;
    for (int i = 0; i < 40; i++) {
        struct mm_evaluation later;
        struct mm_channel_gradient later_channel[2], channel[2];
        protocol_draw(&protocol, &random, 60, 2, 100);
        assert_int_equal(mm_solver_evaluate(solver, 1, &protocol.point, &later, later_channel, NULL), MM_OK);
        const struct mm_evaluation alone = evaluate_on("cpu", &problem, &protocol.point, channel);
        assert_same_evaluation(&alone, &later);
        assert_memory_equal(channel, later_channel, sizeof channel);
    }
    mm_solver_close(solver);
}

/* -------------------------------------------------------------------------------------- exact results */

/* Excited qubits, g = pi/4: populations obey p'_n = C_{n+1}^2 p_n + S_n^2 p_{n-1}, and S_16 = 0 traps |15>. */
static void fine_tuned_coupling_traps_a_number_state(void **state)
{
    (void)state;
    enum { LEVELS = 120, COLLISIONS = 1000 };
    struct stream stream;
    double populations[LEVELS] = {1.0};
    stream_set(&stream, LEVELS, COLLISIONS, M_PI / 4.0, 0.0, 0.0);
    for (int k = 0; k < COLLISIONS; k++)
        for (int n = LEVELS - 1; n >= 0; n--) {
            const double stay = n + 1 < LEVELS ? cos(M_PI / 4.0 * sqrt(n + 1.0)) : 1.0;
            const double rise = sin(M_PI / 4.0 * sqrt(n));
            populations[n] = stay * stay * populations[n] + (n > 0 ? rise * rise * populations[n - 1] : 0.0);
        }
    struct mm_state found = evolve_on("cpu", &stream.problem, &stream.point, COLLISIONS, NULL);
    for (int n = 0; n < LEVELS; n++)
        assert_double_near(found.density[n * (LEVELS + 1)], populations[n], 1e-13);
    mm_state_free(&found);
    stream.batch.qubits = 4000; /* the last step, from |14>, takes sin^2(pi sqrt(15)/4) = 0.0098 a collision */
    const struct mm_evaluation trapped = evaluate_on("cpu", &stream.problem, &stream.point, NULL);
    assert_double_near(trapped.ergotropy, 15.0, 1e-9);
    assert_double_near(trapped.purity, 1.0, 1e-9);
    assert_double_near(trapped.instability, 0.0, 1e-12);
}

/* Eq. 8: g = pi/sqrt(m), c = 1. */
static void coherent_qubits_reach_the_pure_steady_state(void **state)
{
    (void)state;
    enum { LEVELS = 120, COLLISIONS = 20000 };
    static const struct {
        int m;
        double q;
    } cases[] = {{4, 0.3}, {4, 0.7}, {16, 0.4}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct stream stream;
        double expected[16];
        stream_set(&stream, LEVELS, COLLISIONS, M_PI / sqrt(cases[i].m), 1.0, cases[i].q);
        stream.problem.band_tolerance = 1e-16;
        struct mm_state final = evolve_on("cpu", &stream.problem, &stream.point, COLLISIONS, NULL);
        steady_state_read(cases[i].m, cases[i].q, expected);
        for (int n = 0; n < LEVELS; n++)
            assert_double_near(final.density[n * (LEVELS + 1)], n < cases[i].m ? expected[n] : 0.0, 1e-9);
        mm_state_free(&final);
        const struct mm_evaluation found = evaluate_on("cpu", &stream.problem, &stream.point, NULL);
        assert_double_near(found.purity, 1.0, 1e-9);
        assert_double_near(found.ergotropy, found.energy, 1e-8);
    }
}

static void couplings_follow_equation_nine(void **state)
{
    (void)state;
    FILE *file = fixture_open("physics_couplings.csv");
    char header[FIXTURE_LINE_MAX];
    int chamber;
    int m;
    double epsilon;
    double g;
    int rows = 0;
    assert_non_null(fgets(header, sizeof header, file));
    for (; fscanf(file, "%d,%d,%lf,%lf", &chamber, &m, &epsilon, &g) == 4; rows++) {
        char text[256];
        struct mm_config config;
        const int length = snprintf(text, sizeof text,
                                    "[cavity]\nlevels = 8\n[coupling]\nQ = %d\nm = %d\nepsilon = %.17g\n"
                                    "[batch.1]\nqubits = 10\n[loss]\nlambda = 1\n",
                                    chamber, m, epsilon);
        assert_in_range(length, 1, sizeof text - 1);
        assert_int_equal(mm_config_parse("couplings", text, (size_t)length, 0, NULL, &config, NULL), MM_OK);
        assert_int_equal(config.g_count, 1);
        assert_double_near(config.g[0], g, 1e-15 * g);
        mm_config_free(&config);
    }
    assert_true(rows >= 5);
    assert_int_equal(fclose(file), 0);
}

/* The space grows until nothing reaches its top: the loss is that of any larger space. */
static void automatic_levels_are_enough(void **state)
{
    (void)state;
    const struct mm_batch batches[] = {{.qubits = 500}, {.qubits = 500}};
    const double parameters[] = {0.15137, 0.07949, 0.36095, 0.15014};
    const struct mm_point point = {.g = M_PI / sqrt(15.6), .lambda = 1.0, .parameters = parameters};
    struct mm_problem problem = {
        .levels = MM_LEVELS_AUTO, .batch_count = 2, .batches = batches, .tail = 100, .band_tolerance = 1e-16};
    const struct mm_evaluation automatic = evaluate_on("cpu", &problem, &point, NULL);
    problem.levels = 300;
    const struct mm_evaluation large = evaluate_on("cpu", &problem, &point, NULL);
    assert_double_near(automatic.loss, large.loss, 1e-10);
    assert_true(automatic.truncation_population <= 1e-12);
    assert_in_range(automatic.levels, 120, 300);
    assert_true(automatic.band_error <= 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evaluations_match_the_fixtures),
        cmocka_unit_test(density_matrices_match_the_fixtures),
        cmocka_unit_test(states_match_the_reference),
        cmocka_unit_test(states_match_the_reference_after_a_thousand_collisions),
        cmocka_unit_test(corners_match_the_reference),
        cmocka_unit_test(instruction_sets_match_the_reference),
        cmocka_unit_test(trace_and_positivity_are_kept),
        cmocka_unit_test(incoherent_qubits_keep_the_state_diagonal),
        cmocka_unit_test(figures_of_merit_are_those_of_the_state),
        cmocka_unit_test(a_result_depends_on_its_point_alone),
        cmocka_unit_test(a_result_does_not_depend_on_earlier_points),
        cmocka_unit_test(fine_tuned_coupling_traps_a_number_state),
        cmocka_unit_test(coherent_qubits_reach_the_pure_steady_state),
        cmocka_unit_test(couplings_follow_equation_nine),
        cmocka_unit_test(automatic_levels_are_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
