/* backend.cpp - the cuda backend through the public interface: the cpu's and the reference's numbers, and
 * the same bits whatever the memory and whatever else is evaluated. Runs on an emulated device and on a real one.
 */
#include "cuda/backend_tasks.h"

namespace
{

/* --------------------------------------------------------------------------------------- right numbers */

void test_random_protocols_agree_with_cpu_and_reference(void **)
{
    static const int sizes[] = {2, 3, 7, 16, 23, 40};
    std::mt19937_64 random(11);
    for (int levels : sizes) {
        task given;
        set_random_task(&given, levels, 3, &random);
        outcome found = evaluate_on("cuda", given, true);
        assert_close(found, evaluate_on("cpu", given, true), true);
        assert_close(found, evaluate_on("reference", given, true), false);
    }
}

/* Batches of up to 150 qubits, free and fixed ones: summed by few of their collisions, by all, or not at all. */
void test_random_long_protocols_agree_with_the_cpu(void **)
{
    std::mt19937_64 random(17);
    for (int i = 0; i < 12; i++) {
        task given;
        std::vector<int64_t> qubits(static_cast<size_t>(whole(&random, 1, 4)));
        int64_t collisions = 0;
        for (int64_t &batch : qubits)
            collisions += batch = whole(&random, 1, 150);
        set_problem(&given, whole(&random, 4, 20), qubits, whole(&random, 1, static_cast<int>(collisions)));
        for (size_t b = 1; b < qubits.size(); b++)
            if (whole(&random, 0, 1) == 0)
                given.batches[b] = {qubits[b], true, uniform(&random, 0.0, 1.0), uniform(&random, 0.0, 1.0)};
        add_random_points(&given, 3, &random);
        assert_close(evaluate_on("cuda", given, true), evaluate_on("cpu", given, true), true);
    }
}

void test_losses_alone_agree_with_the_cpu(void **)
{
    std::mt19937_64 random(12);
    for (int levels : {5, 17, 33}) {
        task given;
        set_random_task(&given, levels, 4, &random);
        assert_close(evaluate_on("cuda", given, false), evaluate_on("cpu", given, false), true);
    }
}

/* A tolerance far above rounding: the windows are decided alike, and what they drop is bounded alike. */
void test_a_coarse_band_agrees_with_the_cpu(void **)
{
    std::mt19937_64 random(15);
    task given;
    set_problem(&given, 30, {25, 20}, 9);
    given.problem.band_tolerance = 1e-8;
    add_random_points(&given, 4, &random);
    for (bool gradients : {false, true}) {
        outcome expected = evaluate_on("cpu", given, gradients);
        for (const mm_evaluation &evaluation : expected.evaluations)
            assert_true(evaluation.band_error > 1e-12);
        assert_close(evaluate_on("cuda", given, gradients), expected, true);
    }
}

/* Chains with tolerances of their own beside each other: each is what it is alone. */
void test_chains_may_have_coarser_bands(void **)
{
    std::mt19937_64 random(16);
    task given;
    set_problem(&given, 30, {25, 20}, 9);
    given.problem.band_tolerance = 1e-14;
    add_random_points(&given, 6, &random);
    for (size_t i = 0; i < given.points.size(); i += 2)
        given.points[i].band_tolerance = 5e-9; /* the cpu's sweep is in double precision up to 1e-8 */
    const outcome expected = evaluate_on("cpu", given, true);
    for (size_t i = 0; i < given.points.size(); i++)
        assert_true((expected.evaluations[i].band_error > 1e-11) == (i % 2 == 0));
    assert_close(evaluate_on("cuda", given, true), expected, true);
}

/* Batches so long that few of their collisions tell the gradient. */
void set_long_task(task *made)
{
    set_problem(made, 12, {200, 40, 170}, 90);
    made->batches[1] = {40, true, 0.3, 0.4};
    add_point(made, 0.8, 1.0, {0.5, 0.2, 0.6, 0.3});
    add_point(made, 1.3, 3.0, {0.3, 0.4, 0.0, 0.35});
    add_point(made, 0.5, 0.0, {0.9, 0.15, 0.4, 0.6});
}

void test_gradients_by_few_collisions_agree_with_the_others(void **)
{
    task given;
    set_long_task(&given);
    const outcome found = evaluate_on("cuda", given, true);
    assert_close(found, evaluate_on("cpu", given, true), true);
    assert_close(found, evaluate_on("reference", given, true), false);
}

/* A long fixed batch in a tail where the energy turns round: it has no derivatives, and none of its states is
 * kept. */
void test_long_fixed_batches_in_the_tail_agree_with_the_others(void **)
{
    task given;
    set_problem(&given, 12, {120, 90, 100}, 200);
    given.batches[1] = {90, true, 0.3, 0.4};
    given.batches[2] = {100, true, 0.9, 0.3};
    add_point(&given, 0.8, 1.0, {0.5, 0.2});
    add_point(&given, 1.3, 3.0, {0.3, 0.4});
    const outcome found = evaluate_on("cuda", given, true);
    assert_close(found, evaluate_on("cpu", given, true), true);
    assert_close(found, evaluate_on("reference", given, true), false);
}

/* Gradients of rough points are as rough as their tolerance. */
void test_rough_gradients_by_few_collisions_are_near_the_others(void **)
{
    const double tolerance = 1e-6;
    task given;
    set_long_task(&given);
    const outcome expected = evaluate_on("cpu", given, true);
    for (mm_point &point : given.points)
        point.band_tolerance = tolerance;
    const outcome found = evaluate_on("cuda", given, true);
    for (size_t i = 0; i < found.gradients.size(); i++) {
        const mm_channel_gradient &a = found.gradients[i], &b = expected.gradients[i];
        const double scale = std::fmax(1.0, std::fmax(std::fabs(b.by_q), std::fabs(b.by_x)));
        assert_near("by_q", a.by_q, b.by_q, 10.0 * tolerance * scale);
        assert_near("by_x", a.by_x, b.by_x, 10.0 * tolerance * scale);
    }
}

/* Gradients that few collisions do not tell: found out, and summed again. */
void test_gradients_that_few_collisions_do_not_tell_agree_with_the_cpu(void **)
{
    task given;
    set_problem(&given, 16, {300}, 100);
    add_point(&given, 0.6, 1.0, {0.5, 0.2});
    add_point(&given, 0.6, 1.0, {0.8, 0.15});
    add_point(&given, 0.5, 3.0, {0.3, 0.4});
    outcome found = {std::vector<mm_evaluation>(3), std::vector<mm_channel_gradient>(3)};
    void *state = open_backend(&given.problem);
    assert_int_equal(mm_backend_cuda.evaluate(state, 3, given.points.data(), found.evaluations.data(),
                                              found.gradients.data(), nullptr),
                     MM_OK);
    assert_int_equal(mm_cuda_gradients_summed_again(state), 1);
    mm_backend_cuda.close(state);
    assert_close(found, evaluate_on("cpu", given, true), true);
    assert_close(found, evaluate_on("reference", given, true), false);
}

/* c = 0 keeps states diagonal, and their eigenvalues are not asked of a solver. */
void test_incoherent_chains_agree_with_the_cpu(void **)
{
    std::mt19937_64 random(13);
    task given;
    set_problem(&given, 12, {6, 7}, 5);
    for (double q : {0.0, 0.3, 0.6})
        add_point(&given, 0.9, 1.0, {0.0, q, 0.0, 0.4});
    add_random_points(&given, 2, &random);
    outcome found = evaluate_on("cuda", given, true);
    assert_close(found, evaluate_on("cpu", given, true), true);
    assert_close(evaluate_on("cuda", given, false), evaluate_on("cpu", given, false), true);
}

/* Excited qubits drive the number state up by nearly one level a collision. */
void test_a_growing_space_passes_its_first_columns(void **)
{
    task given;
    set_problem(&given, MM_LEVELS_AUTO, {240}, 10);
    add_point(&given, 0.17, 0.5, {0.0, 0.02});
    outcome found = evaluate_on("cuda", given, false);
    assert_true(found.evaluations[0].levels > 128);
    assert_close(found, evaluate_on("cpu", given, false), true);
}

void test_automatic_levels_agree_with_the_cpu(void **)
{
    std::mt19937_64 random(14);
    task given;
    set_problem(&given, MM_LEVELS_AUTO, {12, 9}, 8);
    add_random_points(&given, 3, &random);
    assert_close(evaluate_on("cuda", given, true), evaluate_on("cpu", given, true), true);
}

/* Gradients that are not wanted are left out, wherever the chains stand among the others; nothing else changes. */
void test_gradients_that_are_not_wanted_are_left_out(void **)
{
    task given;
    set_common_task(&given);
    const outcome expected = evaluate_on("cuda", given, true);
    const double never = INFINITY, always = -INFINITY;
    const size_t count = given.points.size(), free_batches = expected.gradients.size() / count;
    for (size_t left_out = 0; left_out <= count; left_out++) {
        for (size_t i = 0; i < count; i++)
            given.points[i].gradient_limit = left_out == count || i == left_out ? &always : &never;
        outcome found = evaluate_on("cuda", given, true);
        for (size_t i = 0; i < found.gradients.size(); i++) {
            if (left_out < count && i / free_batches != left_out)
                continue;
            assert_true(std::isnan(found.gradients[i].by_q) && std::isnan(found.gradients[i].by_x));
            found.gradients[i] = expected.gradients[i];
        }
        assert_same_bits(found, expected);
    }
}

void test_evolution_agrees_with_the_cpu(void **)
{
    const int64_t collisions = 45;
    for (int levels : {20, static_cast<int>(MM_LEVELS_AUTO)}) {
        task given;
        mm_error error = {};
        set_problem(&given, levels, {10, 12}, 5);
        add_point(&given, 0.8, 1.0, {0.6, 0.2, 0.4, 0.3});
        std::vector<std::vector<double>> energies;
        std::vector<mm_state> states;
        for (const char *backend : {"cuda", "cpu"}) {
            mm_solver *solver = open_solver(&given.problem, backend);
            energies.emplace_back(static_cast<size_t>(collisions + 1));
            states.push_back({});
            if (mm_solver_evolve(solver, given.points.data(), collisions, energies.back().data(), &states.back(),
                                 &error) != MM_OK)
                fail_msg("%s", error.message);
            mm_solver_close(solver);
        }
        assert_int_equal(states[0].levels, states[1].levels);
        for (size_t k = 0; k < energies[0].size(); k++)
            assert_near("energy", energies[0][k], energies[1][k], 1e-12);
        for (int i = 0; i < states[0].levels * states[0].levels; i++)
            assert_near("element", states[0].density[i], states[1].density[i], 1e-13);
        assert_near("band_error", states[0].band_error, states[1].band_error, ROUNDED_OFF);
        mm_state_free(&states[0]);
        mm_state_free(&states[1]);
    }
}

void test_evolution_through_no_collision_is_the_vacuum(void **)
{
    task given;
    mm_state state = {};
    double energy = -1.0;
    set_problem(&given, 9, {4}, 2);
    add_point(&given, 0.8, 1.0, {0.6, 0.2});
    mm_solver *solver = open_solver(&given.problem, "cuda");
    assert_int_equal(mm_solver_evolve(solver, given.points.data(), 0, &energy, &state, nullptr), MM_OK);
    assert_near("energy", energy, 0.0, 0.0);
    for (int i = 0; i < 81; i++)
        assert_near("element", state.density[i], i == 0 ? 1.0 : 0.0, 0.0);
    mm_state_free(&state);
    mm_solver_close(solver);
}

/* ------------------------------------------------------------------------------------------- same bits */

/* The first call runs wide chains again in larger classes; the second one begins each chain where the first one
 * ended it, the third in the class of another chain. */
void test_later_calls_give_the_same_bits(void **)
{
    task given, reversed;
    set_common_task(&given);
    mm_solver *solver = open_solver(&given.problem, "cuda");
    outcome first = evaluate_with(solver, given, true);
    assert_same_bits(evaluate_with(solver, given, true), first);
    set_problem(&reversed, 24, {9, 11}, 7);
    for (size_t i = given.points.size(); i-- > 0;)
        add_point(&reversed, given.points[i].g, given.points[i].lambda, given.parameters[i]);
    assert_same_bits(evaluate_with(solver, reversed, true), evaluate_on("cuda", reversed, true));
    mm_solver_close(solver);
}

/* The state that a first evolution leaves is where a second one goes on, on either backend. */
void test_evolution_goes_on_from_a_state(void **)
{
    task given;
    set_problem(&given, 30, {10, 12}, 5);
    add_point(&given, 0.8, 1.0, {0.6, 0.2, 0.4, 0.3});
    std::vector<mm_state> states;
    for (const char *backend : {"cuda", "cpu"}) {
        mm_error error = {};
        mm_state state = {};
        double energies[10];
        mm_solver *solver = open_solver(&given.problem, backend);
        for (int64_t piece : {8, 9}) {
            if (mm_solver_evolve(solver, given.points.data(), piece, energies, &state, &error) != MM_OK)
                fail_msg("%s", error.message);
        }
        states.push_back(state);
        mm_solver_close(solver);
    }
    assert_int_equal(states[0].collisions, 17);
    assert_int_equal(states[0].levels, states[1].levels);
    for (int i = 0; i < 30 * 30; i++)
        assert_near("element", states[0].density[i], states[1].density[i], 1e-13);
    assert_near("band_error", states[0].band_error, states[1].band_error, ROUNDED_OFF);
    mm_state_free(&states[0]);
    mm_state_free(&states[1]);
}

void test_a_chain_alone_gives_the_same_bits(void **)
{
    task given;
    set_common_task(&given);
    outcome all = evaluate_on("cuda", given, true);
    const size_t free_batches = mm_problem_free_batches(&given.problem);
    for (size_t i = 0; i < given.points.size(); i += 2) {
        task one;
        set_problem(&one, 24, {9, 11}, 7);
        add_point(&one, given.points[i].g, given.points[i].lambda, given.parameters[i]);
        outcome expected;
        expected.evaluations = {all.evaluations[i]};
        expected.gradients.assign(all.gradients.begin() + static_cast<ptrdiff_t>(i * free_batches),
                                  all.gradients.begin() + static_cast<ptrdiff_t>((i + 1) * free_batches));
        assert_same_bits(evaluate_on("cuda", one, true), expected);
    }
}

/* As evaluate_on("cuda", ..), with so many bytes of device memory. */
outcome evaluate_within(size_t bytes, const task &given, size_t *preferred_points)
{
    const size_t count = given.points.size(), free_batches = mm_problem_free_batches(&given.problem);
    outcome result = {std::vector<mm_evaluation>(count), std::vector<mm_channel_gradient>(count * free_batches)};
    mm_error error = {};
    void *state = open_backend(&given.problem);
    mm_cuda_limit_memory(state, bytes);
    *preferred_points = mm_backend_cuda.preferred_points(state);
    if (mm_backend_cuda.evaluate(state, count, given.points.data(), result.evaluations.data(),
                                 result.gradients.data(), &error) != MM_OK)
        fail_msg("%s", error.message);
    mm_backend_cuda.close(state);
    return result;
}

/* Memory for two or three chains at a time. */
void test_more_chains_than_fit_give_the_same_bits(void **)
{
    task given;
    size_t preferred_points;
    set_common_task(&given);
    outcome roomy = evaluate_on("cuda", given, true);
    assert_same_bits(evaluate_within(600 << 10, given, &preferred_points), roomy);
    assert_true(preferred_points < 12);
}

/* Memory for the states of a part of the schedule: the others are recomputed from checkpoints. */
void test_recomputed_segments_give_the_same_bits(void **)
{
    task given;
    size_t preferred_points;
    set_problem(&given, 6, {70, 160, 90}, 40);
    given.batches[0] = {70, true, 0.3, 0.4};
    add_point(&given, 0.9, 1.0, {0.5, 0.2, 0.7, 0.6});
    add_point(&given, 1.4, 2.0, {0.0, 0.3, 0.2, 0.5});
    outcome roomy = evaluate_on("cuda", given, true);
    assert_close(roomy, evaluate_on("cpu", given, true), true);
    assert_same_bits(evaluate_within(1 << 20, given, &preferred_points), roomy);
}

void test_recomputed_segments_of_few_states_give_the_same_bits(void **)
{
    task given;
    size_t preferred_points;
    set_long_task(&given);
    assert_same_bits(evaluate_within(2 << 20, given, &preferred_points), evaluate_on("cuda", given, true));
    assert_in_range(preferred_points, 1, 4);
}

/* ---------------------------------------------------------------------------------------------- limits */

void test_good_solutions_pass_the_check(void **)
{
    task given;
    set_common_task(&given);
    outcome expected = evaluate_on("cuda", given, false), found = expected;
    mm_solver_options options = options_of("cuda");
    options.check_eigen = true;
    void *state = open_backend(&given.problem, options);
    assert_int_equal(mm_backend_cuda.evaluate(state, given.points.size(), given.points.data(),
                                              found.evaluations.data(), nullptr, nullptr),
                     MM_OK);
    assert_int_equal(mm_cuda_eigen_failures(state), 0);
    assert_close(found, expected, true);
    mm_backend_cuda.close(state);
}

void test_too_little_memory_is_a_device_error(void **)
{
    task given;
    set_common_task(&given);
    mm_error error = {};
    std::vector<mm_evaluation> evaluations(given.points.size());
    void *state = open_backend(&given.problem);
    mm_cuda_limit_memory(state, 16 << 10);
    assert_int_equal(mm_backend_cuda.evaluate(state, given.points.size(), given.points.data(), evaluations.data(),
                                              nullptr, &error),
                     MM_ERROR_DEVICE);
    assert_int_equal(error.status, MM_ERROR_DEVICE);
    assert_non_null(strstr(error.message, "device memory"));
    mm_backend_cuda.close(state);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        cmocka_unit_test(test_random_protocols_agree_with_cpu_and_reference),
        cmocka_unit_test(test_random_long_protocols_agree_with_the_cpu),
        cmocka_unit_test(test_losses_alone_agree_with_the_cpu),
        cmocka_unit_test(test_a_coarse_band_agrees_with_the_cpu),
        cmocka_unit_test(test_chains_may_have_coarser_bands),
        cmocka_unit_test(test_gradients_by_few_collisions_agree_with_the_others),
        cmocka_unit_test(test_long_fixed_batches_in_the_tail_agree_with_the_others),
        cmocka_unit_test(test_rough_gradients_by_few_collisions_are_near_the_others),
        cmocka_unit_test(test_gradients_that_few_collisions_do_not_tell_agree_with_the_cpu),
        cmocka_unit_test(test_incoherent_chains_agree_with_the_cpu),
        cmocka_unit_test(test_a_growing_space_passes_its_first_columns),
        cmocka_unit_test(test_automatic_levels_agree_with_the_cpu),
        cmocka_unit_test(test_gradients_that_are_not_wanted_are_left_out),
        cmocka_unit_test(test_evolution_agrees_with_the_cpu),
        cmocka_unit_test(test_evolution_through_no_collision_is_the_vacuum),
        cmocka_unit_test(test_later_calls_give_the_same_bits),
        cmocka_unit_test(test_evolution_goes_on_from_a_state),
        cmocka_unit_test(test_a_chain_alone_gives_the_same_bits),
        cmocka_unit_test(test_more_chains_than_fit_give_the_same_bits),
        cmocka_unit_test(test_recomputed_segments_give_the_same_bits),
        cmocka_unit_test(test_recomputed_segments_of_few_states_give_the_same_bits),
        cmocka_unit_test(test_good_solutions_pass_the_check),
        cmocka_unit_test(test_too_little_memory_is_a_device_error),
    };
    return cmocka_run_group_tests_name("cuda backend", tests, nullptr, nullptr);
}
