/* evolve.c - long evolutions: known numbers, going on from a state, powers of the channel, recorded numbers.
 */
#include <stdlib.h>
#include <string.h>

#include "support/assert_double.h"
#include "evolve/powers.h"
#include "model/collision.h"
#include "support/density_checks.h"
#include "evolve/evolve.h"
#include "support/known_protocols.h"
#include "support/protocols.h"
#include "support/solver_checks.h"

/* ------------------------------------------------------------------------------------------ known numbers */

/* Plan of one curve that records once a decade. The state wanted is the last one. */
struct single {
    struct mm_curve curve;
    int64_t last;
    struct mm_evolution_plan plan;
};

static void single_set(struct single *single, const struct mm_problem *problem, double g, const double *parameters,
                       int64_t collisions, int per_decade)
{
    *single = (struct single){.curve = {.g = g, .parameters = parameters}, .last = collisions};
    single->plan = (struct mm_evolution_plan){
        .problem = *problem,
        .curve_count = 1,
        .curves = &single->curve,
        .collisions = collisions,
        .per_decade = per_decade,
        .state_count = 1,
        .states = &single->last,
    };
}

static void open_evolution(struct mm_evolution *evolution, const struct mm_evolution_plan *plan,
                           const char *backend, int threads)
{
    const struct mm_solver_options options = {.backend = backend, .threads = threads};
    struct mm_error error = {0};
    *evolution = (struct mm_evolution){0};
    if (mm_evolution_open(evolution, plan, &options, &error) != MM_OK)
        fail_msg("%s", error.message);
}

static void advance(struct mm_evolution *evolution)
{
    struct mm_error error = {0};
    if (mm_evolution_advance(evolution, &error) != MM_OK)
        fail_msg("%s", error.message);
}

static void long_runs_have_the_known_ergotropies(void **state)
{
    (void)state;
    for (size_t i = 0; i < LONG_EVOLUTIONS; i++) {
        const struct mm_problem problem = {.levels = long_evolutions[i].levels,
                                           .batch_count = long_evolutions[i].batch_count,
                                           .batches = long_evolutions[i].batches,
                                           .tail = 1,
                                           .band_tolerance = 1e-16};
        struct single single;
        struct mm_evolution evolution;
        int found = 0;
        single_set(&single, &problem, coupling(), long_evolutions[i].parameters, 100000, 1);
        open_evolution(&evolution, &single.plan, "cpu", 1);
        while (!mm_evolution_done(&evolution)) {
            advance(&evolution);
            for (size_t row = 0; row < evolution.round.record_count; row++)
                if (evolution.round.k[row] >= 1000)
                    assert_double_near(evolution.round.figures[row].ergotropy,
                                       long_evolutions[i].ergotropy[found++], 6e-5);
        }
        assert_int_equal(found, 3);
        assert_true(evolution.states[0].band_error < 1e-10);
        mm_evolution_close(&evolution);
    }
}

/* The fine-tuned incoherent protocol ends in |15> and stays there. */
static void fine_tuned_stream_stays(void **state)
{
    (void)state;
    const struct mm_problem problem = {
        .levels = 120, .batch_count = 1, .batches = identical, .tail = 1, .band_tolerance = 1e-16};
    const double parameters[2] = {0.0, 0.0};
    struct single single;
    struct mm_evolution evolution;
    single_set(&single, &problem, acos(-1.0) / 4.0, parameters, 100000, 1);
    open_evolution(&evolution, &single.plan, "cpu", 1);
    while (!mm_evolution_done(&evolution))
        advance(&evolution);
    const struct mm_merits *last = &evolution.round.figures[evolution.round.record_count - 1];
    assert_double_near(last->ergotropy, 15.0, 1e-10);
    assert_double_near(last->purity, 1.0, 1e-11);
    mm_evolution_close(&evolution);
}

/* ----------------------------------------------------------------------------------------------- going on */

/* Evolves in the pieces given, up to a piece of 0. */
static struct mm_state evolve_in_pieces(const char *backend, const struct mm_problem *problem,
                                        const struct mm_point *point, const int64_t *pieces, double *energies)
{
    struct mm_solver *solver = open_solver(backend, NULL, problem);
    struct mm_state found = {0};
    struct mm_error error = {0};
    for (; *pieces > 0; pieces++) {
        double *own = energies == NULL ? NULL : energies + found.collisions;
        if (mm_solver_evolve(solver, point, *pieces, own, &found, &error) != MM_OK)
            fail_msg("%s", error.message);
    }
    mm_solver_close(solver);
    return found;
}

static void assert_same_states(const struct mm_state *one, const struct mm_state *other, double tolerance)
{
    assert_int_equal(one->levels, other->levels);
    assert_int_equal(one->collisions, other->collisions);
    for (int i = 0; i < one->levels * one->levels; i++)
        assert_double_near(one->density[i], other->density[i], tolerance);
    assert_double_near(one->truncation_population, other->truncation_population, tolerance);
}

/* Pieces that end inside, at and beyond the ends of batches give what one call gives. */
static void pieces_make_the_whole(void **state)
{
    (void)state;
    static const int64_t pieces[] = {3, 4, 1, 12, 30, 0};
    static const struct mm_batch batches[] = {
        {.qubits = 7}, {.qubits = 8, .fixed = true, .c = 0.2, .q = 0.6}, {.qubits = 9}};
    static const double parameters[] = {0.5, 0.2, 0.7, 0.3};
    const struct mm_point point = {.g = 0.9, .parameters = parameters};
    static const char *const backends[] = {"cpu", "reference"};
    static const int levels[] = {18, MM_LEVELS_AUTO};
    for (size_t b = 0; b < 2; b++)
        for (size_t l = 0; l < 2; l++) {
            const struct mm_problem problem = {
                .levels = levels[l], .batch_count = 3, .batches = batches, .tail = 1, .band_tolerance = 1e-16};
            double whole_energies[51], energies[51];
            struct mm_state whole = evolve_on(backends[b], &problem, &point, 50, whole_energies);
            struct mm_state found = evolve_in_pieces(backends[b], &problem, &point, pieces, energies);
            assert_same_states(&found, &whole, 1e-14);
            for (int k = 0; k <= 50; k++)
                assert_double_near(energies[k], whole_energies[k], 1e-13);
            mm_state_free(&whole);
            mm_state_free(&found);
        }
}

/* A state of another backend, of fewer levels than the problem, is gone on from as well. */
static void states_pass_between_backends(void **state)
{
    (void)state;
    struct stream small, large;
    stream_set(&small, 14, 40, 0.9, 0.4, 0.3);
    stream_set(&large, 20, 40, 0.9, 0.4, 0.3);
    struct mm_state found = evolve_on("reference", &small.problem, &small.point, 10, NULL);
    struct mm_state expected = evolve_on("reference", &small.problem, &small.point, 10, NULL);
    struct mm_solver *cpu = open_solver("cpu", NULL, &large.problem);
    struct mm_solver *reference = open_solver("reference", NULL, &large.problem);
    assert_int_equal(mm_solver_evolve(cpu, &large.point, 15, NULL, &found, NULL), MM_OK);
    assert_int_equal(mm_solver_evolve(reference, &large.point, 15, NULL, &expected, NULL), MM_OK);
    assert_int_equal(found.levels, 20);
    assert_same_states(&found, &expected, 1e-13);
    mm_solver_close(cpu);
    mm_solver_close(reference);
    mm_state_free(&found);
    mm_state_free(&expected);
}

static void bad_states_are_refused(void **state)
{
    (void)state;
    struct stream stream;
    stream_set(&stream, 6, 10, 0.9, 0.4, 0.3);
    struct mm_solver *solver = open_solver("cpu", NULL, &stream.problem);
    struct mm_state bad = evolve_on("cpu", &stream.problem, &stream.point, 5, NULL);
    struct mm_error error = {0};
    bad.density[1] += 1.0;
    assert_int_equal(mm_solver_evolve(solver, &stream.point, 1, NULL, &bad, &error), MM_ERROR_INPUT);
    assert_non_null(strstr(error.message, "(1, 0)"));
    assert_int_equal(bad.collisions, 5);
    bad.density[1] = bad.density[6] = NAN;
    assert_int_equal(mm_solver_evolve(solver, &stream.point, 1, NULL, &bad, &error), MM_ERROR_INPUT);
    bad.density[1] = bad.density[6] = 0.0;
    bad.levels = 7;
    assert_int_equal(mm_solver_evolve(solver, &stream.point, 1, NULL, &bad, &error), MM_ERROR_INPUT);
    assert_non_null(strstr(error.message, "7 levels"));
    bad.levels = 6;
    bad.collisions = -1;
    assert_int_equal(mm_solver_evolve(solver, &stream.point, 1, NULL, &bad, &error), MM_ERROR_INPUT);
    mm_state_free(&bad);
    mm_solver_close(solver);
}

/* ------------------------------------------------------------------------------------------------ powers */

static void check_powers(int levels, double c, double q, int64_t collisions)
{
    struct stream stream;
    struct mm_channel_powers powers;
    const struct mm_qubit qubit = mm_qubit_from_population(c, q);
    stream_set(&stream, levels, 10, 0.8, c, q);
    struct mm_state one_by_one = evolve_on("cpu", &stream.problem, &stream.point, collisions, NULL);
    struct mm_state found = evolve_on("cpu", &stream.problem, &stream.point, 0, NULL);
    assert_int_equal(mm_channel_powers_open(&powers, 0.8, &qubit, levels, c == 0.0, NULL), MM_OK);
    int64_t left = collisions;
    while (left > 0) {
        const int64_t stride = left < (1 << MM_POWER_BITS) ? left : 1 << MM_POWER_BITS;
        assert_int_equal(mm_channel_powers_apply(&powers, stride, &found, NULL), MM_OK);
        left -= stride;
    }
    assert_int_equal(found.collisions, collisions);
    double trace = 0.0;
    for (int n = 0; n < levels; n++)
        trace += found.density[n * levels + n];
    assert_double_near(trace, 1.0, 1e-12);
    for (int i = 0; i < levels * levels; i++)
        assert_double_near(found.density[i], one_by_one.density[i], 1e-10);
    mm_channel_powers_close(&powers);
    mm_state_free(&one_by_one);
    mm_state_free(&found);
}

static void powers_agree_with_the_stencil(void **state)
{
    (void)state;
    static const int64_t collisions[] = {1, 2, 3, 1000, 12345, 1000003};
    for (size_t i = 0; i < sizeof collisions / sizeof collisions[0]; i++) {
        check_powers(2, 0.9, 0.4, collisions[i]);
        check_powers(9, 0.3, 0.2, collisions[i]);
        check_powers(30, 0.0, 0.1, collisions[i]);
        check_powers(20, 0.0, 0.0, collisions[i]);
    }
    check_powers(16, 0.5, 0.2, 100000);
}

/* An evolution that takes powers gives what one that may not take them (it wants energies) gives. */
static void methods_of_an_evolution_agree(void **state)
{
    (void)state;
    static const struct mm_batch batches[] = {{.qubits = 20}, {.qubits = 100}};
    static const double parameters[] = {0.4, 0.3, 0.3, 0.2};
    const struct mm_problem problem = {
        .levels = 8, .batch_count = 2, .batches = batches, .tail = 1, .band_tolerance = 1e-16};
    struct single with, without;
    struct mm_evolution powers, stencil;
    single_set(&with, &problem, 0.8, parameters, 300000, 5);
    single_set(&without, &problem, 0.8, parameters, 300000, 5);
    without.plan.energy_step = 100000;
    open_evolution(&powers, &with.plan, "cpu", 1);
    open_evolution(&stencil, &without.plan, "cpu", 1);
    assert_string_equal(mm_evolution_method(&powers, 0), "stencil, powers");
    assert_string_equal(mm_evolution_method(&stencil, 0), "stencil");
    while (!mm_evolution_done(&powers))
        advance(&powers);
    while (!mm_evolution_done(&stencil))
        advance(&stencil);
    for (int i = 0; i < 64; i++)
        assert_double_near(powers.states[0].density[i], stencil.states[0].density[i], 1e-10);
    mm_evolution_close(&powers);
    mm_evolution_close(&stencil);
}

static void powers_pay_only_where_they_are_cheaper(void **state)
{
    (void)state;
    assert_true(mm_channel_powers_pay(8, false, 1000000, 300));
    assert_false(mm_channel_powers_pay(8, false, 100, 100));
    assert_false(mm_channel_powers_pay(150, false, 1000000000, 1));
    assert_true(mm_channel_powers_pay(60, true, 1000000, 300));
}

/* The border at m is closed where g sqrt m is a multiple of pi, and nowhere near it. */
static void closed_borders(void **state)
{
    (void)state;
    const double pi = acos(-1.0);
    for (int m = 2; m < 150; m++)
        assert_int_equal(mm_closed_levels(pi / sqrt((double)m), 150), m);
    assert_int_equal(mm_closed_levels(2.0 * pi / sqrt(17.0), 150), 17);
    assert_int_equal(mm_closed_levels(pi / 4.0, 12), 12);
    assert_int_equal(mm_closed_levels(pi / 4.0 * (1.0 + 1e-14), 40), 40);
    assert_int_equal(mm_closed_levels(coupling(), 4096), 390); /* 25 times 15.6 */
}

/* Powers on the live block of a large space, from a state that already holds something beyond it, are within
 * band_error of the stencil. */
static void powers_on_the_live_block_are_certified(void **state)
{
    (void)state;
    const double g = acos(-1.0) / 3.0;
    const struct mm_qubit qubit = mm_qubit_from_population(0.6, 0.3);
    struct stream stream;
    struct mm_channel_powers powers;
    stream_set(&stream, 40, 10, g, 0.6, 0.3);
    struct mm_state one_by_one = evolve_on("cpu", &stream.problem, &stream.point, 50, NULL);
    struct mm_state found = evolve_on("cpu", &stream.problem, &stream.point, 50, NULL);
    one_by_one.density[20 * 40 + 9] = one_by_one.density[9 * 40 + 20] = 1e-6;
    found.density[20 * 40 + 9] = found.density[9 * 40 + 20] = 1e-6;
    struct mm_solver *solver = open_solver("cpu", NULL, &stream.problem);
    assert_int_equal(mm_solver_evolve(solver, &stream.point, 3000, NULL, &one_by_one, NULL), MM_OK);
    assert_int_equal(mm_channel_powers_open(&powers, g, &qubit, 40, false, NULL), MM_OK);
    assert_int_equal(powers.levels, 9);
    assert_int_equal(mm_channel_powers_apply(&powers, 3000, &found, NULL), MM_OK);
    double difference = 0.0; /* of populations: at most the trace norm */
    for (int n = 0; n < 40; n++)
        difference += fabs(found.density[41 * n] - one_by_one.density[41 * n]);
    assert_true(found.density[20 * 40 + 9] == 0.0 && found.density[9 * 40 + 20] == 0.0);
    assert_true(found.band_error >= 2e-6 && found.band_error < 2.001e-6);
    assert_true(difference < found.band_error);
    mm_channel_powers_close(&powers);
    mm_solver_close(solver);
    mm_state_free(&one_by_one);
    mm_state_free(&found);
}

/* ---------------------------------------------------------------------------------------- failed rounds */

/* Where one curve fails, all stand where the round began; once the reason is gone, they go on with the same bits.
 */
static void a_failed_round_changes_nothing(void **state)
{
    (void)state;
    static const struct mm_batch batches[] = {{.qubits = 100}};
    static const double parameters[2][2] = {{0.3, 0.1}, {0.5, 0.2}};
    const struct mm_curve curves[2] = {{.g = 0.8, .parameters = parameters[0]},
                                       {.g = 0.9, .parameters = parameters[1]}};
    static const int64_t states[] = {200, 500};
    const struct mm_evolution_plan plan = {
        .problem = {.levels = 30, .batch_count = 1, .batches = batches, .tail = 1, .band_tolerance = 1e-16},
        .curve_count = 2,
        .curves = curves,
        .collisions = 500,
        .every = 50,
        .state_count = 2,
        .states = states,
    };
    struct mm_evolution whole, failing;
    struct mm_error error = {0};
    open_evolution(&whole, &plan, "cpu", 1);
    open_evolution(&failing, &plan, "cpu", 2);
    for (int i = 0; i < 2; i++) { /* to 0 and to 200 collisions */
        advance(&whole);
        advance(&failing);
    }
    const double element = failing.states[1].density[1];
    failing.states[1].density[1] = NAN;
    assert_int_equal(mm_evolution_advance(&failing, &error), MM_ERROR_INPUT);
    assert_int_equal(failing.collisions, 200);
    assert_int_equal(failing.round.record_count, 0);
    for (int i = 0; i < 900; i++)
        assert_true(failing.states[0].density[i] == whole.states[0].density[i]);
    failing.states[1].density[1] = element;
    while (!mm_evolution_done(&failing))
        advance(&failing);
    while (!mm_evolution_done(&whole))
        advance(&whole);
    for (size_t c = 0; c < 2; c++)
        for (int i = 0; i < 900; i++)
            assert_true(failing.states[c].density[i] == whole.states[c].density[i]);
    mm_evolution_close(&whole);
    mm_evolution_close(&failing);
}

/* ----------------------------------------------------------------------------------------------- records */

static void recorded_numbers(void **state)
{
    (void)state;
    static const int64_t steps[] = {0, 30, 60, 77};
    struct mm_evolution_plan plan = {.collisions = 77, .per_decade = 4};
    int64_t k = -1;
    /* 10^(1/4) = 1.78, 10^(2/4) = 3.16, 10^(3/4) = 5.62, 10^(1/4 + 1) = 17.8, 31.6, 56.2 */
    static const int64_t expected[] = {0, 1, 2, 3, 6, 10, 18, 32, 56, 77};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        assert_int_equal(k = mm_evolution_next_record(&plan, k), expected[i]);
    assert_true(mm_evolution_record_count(&plan, 0, 77) >= 9);
    plan.per_decade = 0;
    plan.every = 30;
    k = -1;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        assert_int_equal(k = mm_evolution_next_record(&plan, k), steps[i]);
    plan.every = 1000;
    assert_int_equal(mm_evolution_next_record(&plan, 0), 77);
}

/* Everything a round holds agrees with the solver, on any number of threads, with a space that grows. */
static void rounds_hold_what_the_solver_finds(void **state)
{
    (void)state;
    enum { CURVES = 3, COLLISIONS = 2500 };
    static const struct mm_batch batches[] = {{.qubits = 100}};
    static const double parameters[CURVES][2] = {{0.3, 0.1}, {0.5, 0.2}, {0.0, 0.0}};
    struct mm_curve curves[CURVES];
    static const int64_t states[] = {1500, COLLISIONS};
    for (size_t c = 0; c < CURVES; c++)
        curves[c] = (struct mm_curve){.g = 0.8 + 0.1 * (double)c, .parameters = parameters[c]};
    const struct mm_evolution_plan plan = {
        .problem =
            {.levels = MM_LEVELS_AUTO, .batch_count = 1, .batches = batches, .tail = 1, .band_tolerance = 1e-16},
        .curve_count = CURVES,
        .curves = curves,
        .collisions = COLLISIONS,
        .every = 700,
        .energy_step = 500,
        .state_count = 2,
        .states = states,
    };
    double energies[CURVES][COLLISIONS + 1];
    struct mm_evolution evolution;
    size_t records = 0, kept = 0, wanted = 0;
    for (size_t c = 0; c < CURVES; c++) {
        const struct mm_point point = {.g = curves[c].g, .parameters = parameters[c]};
        struct mm_state final = evolve_on("cpu", &plan.problem, &point, COLLISIONS, energies[c]);
        mm_state_free(&final);
    }
    open_evolution(&evolution, &plan, "cpu", 2);
    while (!mm_evolution_done(&evolution)) {
        advance(&evolution);
        const struct mm_round *round = &evolution.round;
        for (size_t c = 0; c < CURVES; c++) {
            for (size_t i = 0; i < round->record_count; i++) {
                const struct mm_populations *populations = &round->populations[c];
                double sum = 0.0;
                for (int n = 0; n < populations->levels; n++)
                    sum += populations->values[i * (size_t)populations->levels + (size_t)n];
                assert_double_near(sum, 1.0, 1e-12);
                assert_double_near(round->figures[c * MM_ROUND_RECORDS + i].energy, energies[c][round->k[i]],
                                   1e-11);
            }
            for (size_t i = 0; i < round->energy_count; i++)
                assert_double_near(round->energies[c * MM_ENERGIES + i],
                                   energies[c][500 * (round->first_energy + (int64_t)i)], 1e-11);
        }
        records += round->record_count;
        kept += round->energy_count;
        wanted += round->state_wanted;
    }
    assert_int_equal(records, 5); /* 0, 700, 1400, 2100, 2500 */
    assert_int_equal(kept, 6);
    assert_int_equal(wanted, 2);
    mm_evolution_close(&evolution);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(long_runs_have_the_known_ergotropies),
        cmocka_unit_test(fine_tuned_stream_stays),
        cmocka_unit_test(pieces_make_the_whole),
        cmocka_unit_test(states_pass_between_backends),
        cmocka_unit_test(bad_states_are_refused),
        cmocka_unit_test(powers_agree_with_the_stencil),
        cmocka_unit_test(methods_of_an_evolution_agree),
        cmocka_unit_test(powers_pay_only_where_they_are_cheaper),
        cmocka_unit_test(closed_borders),
        cmocka_unit_test(powers_on_the_live_block_are_certified),
        cmocka_unit_test(a_failed_round_changes_nothing),
        cmocka_unit_test(recorded_numbers),
        cmocka_unit_test(rounds_hold_what_the_solver_finds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
