/* evolution.cpp - long evolutions in rounds on the cuda backend: going on, agreeing, surviving a failure.
 */
#include "cuda/backend_tasks.h"

#include "emulation/emulation.h"

extern "C" {
#include "evolve/evolve.h"
}

namespace
{

/* Two curves through three batches, the middle one fixed, and beyond; E at every third collision. */
struct rounds {
    mm_batch batches[3];
    double parameters[2][4];
    mm_curve curves[2];
    int64_t states[3];
    mm_evolution_plan plan;
};

void set_rounds(rounds *made, int levels)
{
    *made = {{{7, false, 0.0, 0.0}, {8, true, 0.2, 0.6}, {9, false, 0.0, 0.0}},
             {{0.5, 0.2, 0.7, 0.3}, {0.1, 0.4, 0.6, 0.2}},
             {},
             {11, 30, 60},
             {}};
    for (int c = 0; c < 2; c++) {
        made->curves[c].g = 0.8 + 0.1 * c;
        made->curves[c].parameters = made->parameters[c];
    }
    made->plan.problem = {levels, 3, made->batches, 1, 1e-16};
    made->plan.curve_count = 2;
    made->plan.curves = made->curves;
    made->plan.collisions = 60;
    made->plan.per_decade = 6;
    made->plan.energy_step = 3;
    made->plan.state_count = 3;
    made->plan.states = made->states;
}

void open_evolution(mm_evolution *evolution, const rounds &given, const char *backend)
{
    mm_solver_options options = {};
    options.backend = backend;
    options.threads = 1;
    mm_error error = {};
    *evolution = {};
    if (mm_evolution_open(evolution, &given.plan, &options, &error) != MM_OK)
        fail_msg("%s", error.message);
}

/* What an evolution found: figures, populations and energies of all its rounds, and its last states. */
struct found {
    std::vector<double> figures;
    std::vector<double> energies;
    std::vector<double> elements;
};

void take_round(const mm_evolution &evolution, found *taken)
{
    const mm_round &round = evolution.round;
    for (size_t c = 0; c < evolution.plan->curve_count; c++) {
        for (size_t i = 0; i < round.record_count; i++) {
            const mm_merits &figures = round.figures[c * MM_ROUND_RECORDS + i];
            taken->figures.insert(taken->figures.end(), {figures.energy, figures.ergotropy, figures.purity});
        }
        for (size_t i = 0; i < round.energy_count; i++)
            taken->energies.push_back(round.energies[c * MM_ENERGIES + i]);
    }
}

void finish(mm_evolution *evolution, found *taken)
{
    mm_error error = {};
    while (!mm_evolution_done(evolution)) {
        if (mm_evolution_advance(evolution, &error) != MM_OK)
            fail_msg("%s", error.message);
        take_round(*evolution, taken);
    }
    for (size_t c = 0; c < evolution->plan->curve_count; c++) {
        const mm_state &state = evolution->states[c];
        taken->elements.insert(taken->elements.end(), state.density, state.density + state.levels * state.levels);
    }
    mm_evolution_close(evolution);
}

found evolve_on(const rounds &given, const char *backend)
{
    mm_evolution evolution;
    found taken;
    open_evolution(&evolution, given, backend);
    finish(&evolution, &taken);
    return taken;
}

void assert_all_near(const char *what, const std::vector<double> &one, const std::vector<double> &other,
                     double tolerance)
{
    assert_int_equal(one.size(), other.size());
    for (size_t i = 0; i < one.size(); i++)
        assert_near(what, one[i], other[i], tolerance);
}

void assert_same(const found &one, const found &other, double tolerance)
{
    assert_all_near("figure", one.figures, other.figures, tolerance);
    assert_all_near("energy", one.energies, other.energies, tolerance);
    assert_all_near("element", one.elements, other.elements, tolerance);
}

void test_rounds_agree_with_the_cpu(void **)
{
    for (int levels : {18, static_cast<int>(MM_LEVELS_AUTO)}) {
        rounds given;
        set_rounds(&given, levels);
        assert_same(evolve_on(given, "cuda"), evolve_on(given, "cpu"), 1e-12);
    }
}

/* Stopped after some rounds, and gone on with by another process: nothing but the states is handed over. */
void test_a_stopped_evolution_goes_on_with_the_same_bits(void **)
{
    rounds given;
    set_rounds(&given, MM_LEVELS_AUTO);
    const found whole = evolve_on(given, "cuda");
    for (int stop = 1; stop < 4; stop++) {
        mm_evolution first, second;
        mm_error error = {};
        found taken;
        open_evolution(&first, given, "cuda");
        for (int i = 0; i < stop; i++) {
            assert_int_equal(mm_evolution_advance(&first, &error), MM_OK);
            take_round(first, &taken);
        }
        open_evolution(&second, given, "cuda");
        mm_evolution_set(&second, first.collisions, first.states);
        mm_evolution_close(&first);
        finish(&second, &taken);
        assert_same(taken, whole, 0.0);
    }
}

/* A device that is lost in a round leaves everything where the round began, and is named; from there another
 * device goes on to the same bits. */
void test_a_lost_device_loses_no_round(void **)
{
    rounds given;
    set_rounds(&given, 18);
    const found whole = evolve_on(given, "cuda");
    for (long call : {1, 20, 60}) {
        mm_evolution lost, second;
        mm_error error = {};
        found taken;
        emulation_reset();
        open_evolution(&lost, given, "cuda");
        for (int i = 0; i < 2; i++) {
            assert_int_equal(mm_evolution_advance(&lost, &error), MM_OK);
            take_round(lost, &taken);
        }
        emulation_fail_after(call, cudaErrorLaunchFailure);
        assert_int_equal(mm_evolution_advance(&lost, &error), MM_ERROR_DEVICE);
        assert_non_null(strstr(error.message, "CUDA device"));
        assert_int_equal(lost.collisions, 11);
        assert_int_equal(lost.round.record_count, 0);
        const int64_t collisions = lost.collisions;
        mm_state kept[2] = {lost.states[0], lost.states[1]};
        lost.states[0] = lost.states[1] = {};
        mm_evolution_close(&lost);
        emulation_reset();
        open_evolution(&second, given, "cuda");
        mm_evolution_set(&second, collisions, kept);
        finish(&second, &taken);
        assert_same(taken, whole, 0.0);
    }
}

int start_fresh(void **)
{
    emulation_reset();
    return 0;
}

} // namespace

#define DEVICE_TEST(function) cmocka_unit_test_setup(function, start_fresh)

int main()
{
    const CMUnitTest tests[] = {
        DEVICE_TEST(test_rounds_agree_with_the_cpu),
        DEVICE_TEST(test_a_stopped_evolution_goes_on_with_the_same_bits),
        DEVICE_TEST(test_a_lost_device_loses_no_round),
    };
    return cmocka_run_group_tests_name("cuda evolution", tests, nullptr, nullptr);
}
