/* robustness.cpp - states through drawn collisions on a device: the cpu's and the reference's numbers,
 * the same bits whatever stands beside and whatever the memory, and whole studies of noise. Runs on an emulated
 * device and on a real one.
 */
#include "cuda/backend_tasks.h"

extern "C" {
#include "evolve/robustness.h"
#include "model/state.h"
}

namespace
{

/* States and what is to become of them. */
struct drawn_task {
    size_t count;
    int64_t collisions;
    std::vector<mm_drawn_collision> drawn; /* [count][collisions] */
};

/* Collisions of every kind: narrow and wide bands, c = 0, couplings that vary or not. */
drawn_task draw(size_t count, int64_t collisions, bool coupling_varies, unsigned seed)
{
    std::mt19937_64 random(seed);
    drawn_task made = {count, collisions, {}};
    for (size_t s = 0; s < count; s++) {
        const double largest_c = s % 3 == 0 ? 0.0 : s % 3 == 1 ? 0.1 : 1.0, g = uniform(&random, 0.3, 1.5);
        for (int64_t i = 0; i < collisions; i++)
            made.drawn.push_back({uniform(&random, 0.0, largest_c), uniform(&random, 0.0, 1.0),
                                  coupling_varies ? uniform(&random, 0.3, 1.5) : g});
    }
    return made;
}

void fail_with(const mm_error &error)
{
    fail_msg("%s", error.message);
}

/* The states after all collisions, made in pieces of at most `piece`. */
std::vector<mm_state> evolve_with(mm_solver *solver, const drawn_task &given, int64_t piece)
{
    std::vector<mm_state> states(given.count);
    for (int64_t first = 0; first < given.collisions; first += piece) {
        const int64_t length = std::min(piece, given.collisions - first);
        std::vector<mm_drawn_collision> part;
        mm_error error = {};
        for (size_t s = 0; s < given.count; s++)
            for (int64_t i = 0; i < length; i++)
                part.push_back(
                    given.drawn[s * static_cast<size_t>(given.collisions) + static_cast<size_t>(first + i)]);
        if (mm_solver_evolve_drawn(solver, given.count, length, part.data(), states.data(), &error) != MM_OK)
            fail_with(error);
    }
    return states;
}

std::vector<mm_state> evolve_on(const char *backend, const mm_problem *problem, const drawn_task &given,
                                int64_t piece)
{
    mm_solver *solver = open_solver(problem, backend);
    std::vector<mm_state> states = evolve_with(solver, given, piece);
    mm_solver_close(solver);
    return states;
}

void free_states(std::vector<mm_state> *states)
{
    for (mm_state &state : *states)
        mm_state_free(&state);
}

/* Elements beyond the levels of one of them are zero in the other. */
void assert_close_states(std::vector<mm_state> found, std::vector<mm_state> expected, bool bounds)
{
    for (size_t s = 0; s < expected.size(); s++) {
        const mm_state &a = found[s], &b = expected[s];
        const int levels = std::max(a.levels, b.levels);
        assert_int_equal(a.collisions, b.collisions);
        for (int n = 0; n < levels; n++)
            for (int m = 0; m < levels; m++) {
                const bool in_a = std::max(n, m) < a.levels, in_b = std::max(n, m) < b.levels;
                assert_near("element", in_a ? a.density[n * a.levels + m] : 0.0,
                            in_b ? b.density[n * b.levels + m] : 0.0, 1e-12);
            }
        assert_near("truncation_population", a.truncation_population, b.truncation_population, 1e-12);
        if (bounds) {
            assert_int_equal(a.levels, b.levels);
            assert_near("band_error", a.band_error, b.band_error, 1e-6 * b.band_error + ROUNDED_OFF);
        }
    }
    free_states(&found);
    free_states(&expected);
}

mm_problem problem_of(task *made, int levels, double tolerance)
{
    set_problem(made, levels, {3}, 1);
    made->problem.band_tolerance = tolerance;
    return made->problem;
}

/* --------------------------------------------------------------------------------------- right numbers */

void test_drawn_collisions_agree_with_cpu_and_reference(void **)
{
    for (int levels : {2, 11, 24, 40, static_cast<int>(MM_LEVELS_AUTO)})
        for (bool coupling_varies : {false, true}) {
            task made;
            const mm_problem problem = problem_of(&made, levels, 1e-16);
            const drawn_task given = draw(5, 21, coupling_varies, 31);
            assert_close_states(evolve_on("cuda", &problem, given, 21), evolve_on("cpu", &problem, given, 21),
                                true);
            assert_close_states(evolve_on("cuda", &problem, given, 8), evolve_on("reference", &problem, given, 21),
                                false);
        }
}

/* A tolerance far above rounding: the windows are decided alike, and what they drop is bounded alike. */
void test_a_coarse_band_agrees_with_the_cpu(void **)
{
    task made;
    const mm_problem problem = problem_of(&made, 30, 1e-7);
    for (bool coupling_varies : {false, true}) {
        const drawn_task given = draw(4, 40, coupling_varies, 32);
        std::vector<mm_state> expected = evolve_on("cpu", &problem, given, 17);
        assert_true(expected[1].band_error > 1e-11);
        assert_close_states(evolve_on("cuda", &problem, given, 17), expected, true);
    }
}

/* -------------------------------------------------------------------------------------------- same bits */

void assert_same_states(std::vector<mm_state> *found, const std::vector<mm_state> &expected)
{
    for (size_t s = 0; s < expected.size(); s++) {
        const mm_state &a = (*found)[s], &b = expected[s];
        assert_int_equal(a.levels, b.levels);
        assert_memory_equal(a.density, b.density,
                            sizeof(double) * static_cast<size_t>(a.levels) * static_cast<size_t>(a.levels));
        assert_memory_equal(&a.band_error, &b.band_error, sizeof a.band_error);
    }
    free_states(found);
}

void test_states_do_not_depend_on_their_neighbours(void **)
{
    task made;
    const mm_problem problem = problem_of(&made, 40, 1e-16);
    const drawn_task all = draw(7, 20, true, 33);
    std::vector<mm_state> expected = evolve_on("cuda", &problem, all, 10);
    for (size_t s = 0; s < all.count; s++) {
        const auto begin = all.drawn.begin() + static_cast<std::ptrdiff_t>(s) * all.collisions;
        const drawn_task one = {1, all.collisions, {begin, begin + all.collisions}};
        std::vector<mm_state> alone = evolve_on("cuda", &problem, one, 10);
        assert_same_states(&alone, {expected[s]});
    }
    free_states(&expected);
}

std::vector<mm_state> initial_states(size_t count)
{
    std::vector<mm_state> states(count);
    for (mm_state &state : states)
        assert_int_equal(mm_initial_state(&state, nullptr), MM_OK);
    return states;
}

/* Little memory takes the states a few at a time; too little is a clear failure. */
void test_memory_does_not_matter(void **)
{
    task made;
    mm_problem problem = problem_of(&made, 40, 1e-16);
    const drawn_task given = draw(9, 12, false, 34);
    std::vector<mm_state> expected = evolve_on("cuda", &problem, given, 12);
    for (size_t bytes : {size_t{1} << 20, size_t{200} << 10}) {
        std::vector<mm_state> states = initial_states(given.count);
        mm_error error = {};
        void *state = open_backend(&problem);
        mm_cuda_limit_memory(state, bytes);
        if (mm_backend_cuda.evolve_drawn(state, given.count, 12, given.drawn.data(), states.data(), &error) !=
            MM_OK)
            fail_with(error);
        assert_same_states(&states, expected);
        mm_backend_cuda.close(state);
    }
    std::vector<mm_state> states = initial_states(given.count);
    mm_error error = {};
    void *state = open_backend(&problem);
    mm_cuda_limit_memory(state, 2 << 10);
    assert_int_equal(
        mm_backend_cuda.evolve_drawn(state, given.count, 12, given.drawn.data(), states.data(), &error),
        MM_ERROR_DEVICE);
    assert_true(strlen(error.message) > 0);
    mm_backend_cuda.close(state);
    free_states(&states);
    free_states(&expected);
}

/* ----------------------------------------------------------------------------------------- whole studies */

const double FIRST[] = {0.5, 0.2};
const double SECOND[] = {0.1, 0.0};

mm_robustness study(const mm_problem &problem, const mm_noise &noise, const char *backend, int threads)
{
    const mm_curve curves[] = {{0.9, NAN, FIRST, ""}, {0.7, NAN, SECOND, ""}};
    mm_evolution_plan plan = {};
    plan.problem = problem;
    plan.curve_count = 2;
    plan.curves = curves;
    plan.collisions = 20;
    plan.every = 8;
    mm_robustness_options options = {};
    options.solver.backend = backend;
    options.solver.threads = threads;
    mm_robustness found;
    mm_error error = {};
    if (mm_robustness_run(&plan, &noise, 6, &options, &found, &error) != MM_OK)
        fail_with(error);
    assert_string_equal(found.backend, backend);
    assert_int_equal(found.realisations_done, 6);
    return found;
}

void test_robustness_agrees_with_the_cpu(void **)
{
    for (int levels : {14, static_cast<int>(MM_LEVELS_AUTO)})
        for (double g_width : {0.0, 0.05}) {
            task made;
            const mm_problem problem = problem_of(&made, levels, 1e-16);
            const mm_noise noise = {MM_NOISE_GAUSSIAN, 0.1, 0.1, g_width, g_width > 0.0, 3};
            mm_robustness expected = study(problem, noise, "cpu", 1);
            for (int threads : {1, 2}) {
                mm_robustness found = study(problem, noise, "cuda", threads);
                const size_t count = 2 * found.record_count * MM_MEASURES * 6;
                for (size_t i = 0; i < count; i++)
                    assert_near("sample", found.samples[i], expected.samples[i], 1e-11);
                assert_memory_equal(found.clipped, expected.clipped, 2 * sizeof *found.clipped);
                mm_robustness_free(&found);
            }
            mm_robustness_free(&expected);
        }
}

} // namespace

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drawn_collisions_agree_with_cpu_and_reference),
        cmocka_unit_test(test_a_coarse_band_agrees_with_the_cpu),
        cmocka_unit_test(test_states_do_not_depend_on_their_neighbours),
        cmocka_unit_test(test_memory_does_not_matter),
        cmocka_unit_test(test_robustness_agrees_with_the_cpu),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
