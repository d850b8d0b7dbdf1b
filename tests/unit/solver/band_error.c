/* band_error.c - band_error bounds what leaving elements out of the band and the top does to a result. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/assert_double.h"
#include "support/density_checks.h"
#include "support/protocols.h"
#include "support/solver_checks.h"

/* Rounding of a run of a few hundred collisions and of the eigenvalues. */
static const double rounding = 1e-12;

/* The channel contracts the trace norm, so the final states of a narrow and a full run differ by no more than the
 * sum of the trace norms of everything dropped on the way: band_error. */
static void trace_norm_stays_within_the_bound(void **state)
{
    (void)state;
    enum { CASES = 250 };
    uint64_t random = 51;
    int dropped = 0;
    for (int i = 0; i < CASES; i++) {
        struct protocol protocol;
        const int levels = random_integer(&random, 4, 90);
        protocol_draw(&protocol, &random, levels, (size_t)random_integer(&random, 1, 4), 120);
        const int64_t collisions = mm_problem_collisions(&protocol.problem);
        struct mm_state full = evolve_on("cpu", &protocol.problem, &protocol.point, collisions, NULL);
        protocol.problem.band_tolerance = pow(10.0, -10.0 + 6.0 * random_uniform(&random));
        struct mm_state narrow = evolve_on("cpu", &protocol.problem, &protocol.point, collisions, NULL);
        const double difference = trace_distance_norm(narrow.density, full.density, levels);
        assert_double_near(full.band_error, 0.0, 0.0);
        if (difference > narrow.band_error + rounding)
            fail_msg("case %d: the states differ by %g, the bound is %g", i, difference, narrow.band_error);
        assert_true(narrow.band_error <= (double)collisions * protocol.problem.band_tolerance * (1.0 + 1e-9));
        dropped += difference > 100.0 * rounding;
        mm_state_free(&full);
        mm_state_free(&narrow);
    }
    assert_true(dropped > CASES / 2); /* else nothing was tested */
}

/* The same against the dense form, which drops nothing and knows no window. */
static void states_stay_within_the_bound_of_the_reference(void **state)
{
    (void)state;
    uint64_t random = 53;
    for (int i = 0; i < 60; i++) {
        struct protocol protocol;
        const int levels = random_integer(&random, 2, 34);
        protocol_draw(&protocol, &random, levels, (size_t)random_integer(&random, 1, 3), 30);
        const int64_t collisions = mm_problem_collisions(&protocol.problem);
        if (i % 3 != 0)
            protocol.problem.band_tolerance = pow(10.0, -16.0 + 12.0 * random_uniform(&random));
        struct mm_state narrow = evolve_on("cpu", &protocol.problem, &protocol.point, collisions, NULL);
        struct mm_state full = evolve_on("reference", &protocol.problem, &protocol.point, collisions, NULL);
        const double difference = trace_distance_norm(narrow.density, full.density, levels);
        if (difference > narrow.band_error + rounding)
            fail_msg("case %d: the states differ by %g, the bound is %g", i, difference, narrow.band_error);
        mm_state_free(&full);
        mm_state_free(&narrow);
    }
}

/* A space that grows with the state leaves out its top too. As many levels as there are collisions hold all. */
static void growing_spaces_stay_within_the_bound(void **state)
{
    (void)state;
    enum { LEVELS = 101 };
    uint64_t random = 54;
    for (int i = 0; i < 60; i++) {
        struct protocol protocol;
        protocol_draw(&protocol, &random, LEVELS, 2, (LEVELS - 1) / 2);
        const int64_t collisions = mm_problem_collisions(&protocol.problem);
        struct mm_state full = evolve_on("cpu", &protocol.problem, &protocol.point, collisions, NULL);
        protocol.problem.levels = MM_LEVELS_AUTO;
        protocol.problem.band_tolerance = pow(10.0, -16.0 + 12.0 * random_uniform(&random));
        struct mm_state grown = evolve_on("cpu", &protocol.problem, &protocol.point, collisions, NULL);
        const int levels = grown.levels > LEVELS ? grown.levels : LEVELS;
        double *grown_density = matrix_enlarge(grown.density, grown.levels, levels);
        double *full_density = matrix_enlarge(full.density, LEVELS, levels);
        const double difference = trace_distance_norm(grown_density, full_density, levels);
        if (difference > grown.band_error + rounding)
            fail_msg("case %d: the states differ by %g, the bound is %g", i, difference, grown.band_error);
        free(grown_density);
        free(full_density);
        mm_state_free(&full);
        mm_state_free(&grown);
    }
}

/* An evaluation reports the bound of its own run, and its energy and purity stay within what it allows. */
static void evaluations_stay_within_the_bound(void **state)
{
    (void)state;
    uint64_t random = 52;
    for (int i = 0; i < 60; i++) {
        struct protocol protocol;
        const int levels = random_integer(&random, 4, 90);
        protocol_draw(&protocol, &random, levels, (size_t)random_integer(&random, 1, 4), 120);
        const int64_t collisions = mm_problem_collisions(&protocol.problem);
        const struct mm_evaluation full = evaluate_on("cpu", &protocol.problem, &protocol.point, NULL);
        protocol.problem.band_tolerance = pow(10.0, -10.0 + 6.0 * random_uniform(&random));
        const struct mm_evaluation narrow = evaluate_on("cpu", &protocol.problem, &protocol.point, NULL);
        struct mm_state evolved = evolve_on("cpu", &protocol.problem, &protocol.point, collisions, NULL);
        const double bound = narrow.band_error;
        const double top = levels - 1.0;
        assert_double_near(bound, evolved.band_error, 0.0);
        assert_double_near(narrow.energy, full.energy, top * bound + top * rounding);
        assert_double_near(narrow.ergotropy, full.ergotropy, 2.0 * top * bound + 2.0 * top * rounding);
        assert_double_near(narrow.purity, full.purity, 2.0 * bound * (1.0 + bound) + rounding);
        mm_state_free(&evolved);
    }
}

/* The default tolerance costs nothing that a double could show in the loss. */
static void default_tolerance_is_harmless(void **state)
{
    (void)state;
    struct stream stream;
    stream_set(&stream, 120, 1000, M_PI / sqrt(15.6), 0.31, 0.145);
    stream.problem.tail = 200;
    const struct mm_evaluation full = evaluate_on("cpu", &stream.problem, &stream.point, NULL);
    stream.problem.band_tolerance = 1e-16;
    const struct mm_evaluation narrow = evaluate_on("cpu", &stream.problem, &stream.point, NULL);
    assert_true(narrow.band_error > 0.0);
    assert_true(narrow.band_error <= 1e-13 * 1.001);
    assert_double_near(narrow.loss, full.loss, 1e-11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trace_norm_stays_within_the_bound),
        cmocka_unit_test(states_stay_within_the_bound_of_the_reference),
        cmocka_unit_test(growing_spaces_stay_within_the_bound),
        cmocka_unit_test(evaluations_stay_within_the_bound),
        cmocka_unit_test(default_tolerance_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
