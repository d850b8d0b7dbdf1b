/* backend_tasks.h - problems with points, their evaluation on any backend, and comparisons, for the tests of
 * the cuda backend. */
#ifndef MM_TESTS_CUDA_BACKEND_TASKS_H
#define MM_TESTS_CUDA_BACKEND_TASKS_H

#include <cmath>
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

extern "C" {
#include <cmocka.h>
}

#include "backend/backend.cuh"
#include "backend/host.cuh"
#include "micromaser.h"

constexpr double ROUNDED_OFF = 1e-14; /* sums of |elements| that rounding alone leaves beyond a band */

/* -------------------------------------------------------------------------------------------- problems */

/** A problem and points of it. */
struct task {
    std::vector<mm_batch> batches;
    mm_problem problem;
    std::vector<std::vector<double>> parameters;
    std::vector<mm_point> points;
};

inline double uniform(std::mt19937_64 *random, double low, double high)
{
    return std::uniform_real_distribution<double>(low, high)(*random);
}

inline int whole(std::mt19937_64 *random, int low, int high)
{
    return std::uniform_int_distribution<int>(low, high)(*random);
}

/** The batches of a task without points, all free. */
inline void set_problem(task *made, int levels, const std::vector<int64_t> &qubits, int64_t tail)
{
    for (int64_t count : qubits)
        made->batches.push_back({count, false, 0.0, 0.0});
    made->problem = {levels, made->batches.size(), made->batches.data(), tail, 1e-16};
}

inline void add_point(task *made, double g, double lambda, const std::vector<double> &parameters)
{
    made->parameters.push_back(parameters);
    made->points.push_back({g, lambda, nullptr, nullptr, 0.0});
    for (size_t i = 0; i < made->points.size(); i++)
        made->points[i].parameters = made->parameters[i].data();
}

inline void add_random_points(task *made, size_t count, std::mt19937_64 *random)
{
    for (size_t i = 0; i < count; i++) {
        std::vector<double> parameters;
        for (size_t b = 0; b < mm_problem_free_batches(&made->problem); b++) {
            parameters.push_back(uniform(random, 0.0, 1.0));
            parameters.push_back(uniform(random, 0.05, 0.95));
        }
        add_point(made, uniform(random, 0.2, 2.0), uniform(random, 0.0, 3.0), parameters);
    }
}

/** One to five batches, some of them fixed, of a space of `levels`. */
inline void set_random_task(task *made, int levels, size_t count, std::mt19937_64 *random)
{
    std::vector<int64_t> qubits(static_cast<size_t>(whole(random, 1, 5)));
    int64_t collisions = 0;
    for (int64_t &batch : qubits)
        collisions += batch = whole(random, 1, 9);
    set_problem(made, levels, qubits, whole(random, 1, static_cast<int>(collisions)));
    const size_t spared = static_cast<size_t>(whole(random, 0, static_cast<int>(qubits.size()) - 1));
    for (size_t b = 0; b < qubits.size(); b++)
        if (b != spared && whole(random, 0, 2) == 0)
            made->batches[b] = {qubits[b], true, uniform(random, 0.0, 1.0), uniform(random, 0.0, 1.0)};
    add_random_points(made, count, random);
}

/* --------------------------------------------------------------------------------------------- results */

struct outcome {
    std::vector<mm_evaluation> evaluations;
    std::vector<mm_channel_gradient> gradients;
};

/** One thread of a backend. */
inline mm_solver_options options_of(const char *backend)
{
    mm_solver_options options = {};
    options.backend = backend;
    options.threads = 1;
    return options;
}

/** The cuda backend with its own eigenvalue solver. */
inline mm_solver_options tridiagonal_options()
{
    mm_solver_options options = options_of("cuda");
    options.eigen_method = MM_EIGEN_TRIDIAGONAL;
    return options;
}

inline mm_solver *open_solver(const mm_problem *problem, const mm_solver_options &options)
{
    mm_error error = {};
    mm_solver *solver = nullptr;
    if (mm_solver_open(&solver, problem, &options, &error) != MM_OK)
        fail_msg("%s", error.message);
    assert_string_equal(mm_solver_backend(solver), options.backend);
    return solver;
}

inline mm_solver *open_solver(const mm_problem *problem, const char *backend)
{
    return open_solver(problem, options_of(backend));
}

inline outcome evaluate_with(mm_solver *solver, const task &given, bool gradients)
{
    const size_t count = given.points.size(), free_batches = mm_problem_free_batches(&given.problem);
    outcome result;
    mm_error error = {};
    result.evaluations.resize(count);
    memset(result.evaluations.data(), 0, count * sizeof(mm_evaluation));
    result.gradients.resize(gradients ? count * free_batches : 0);
    if (mm_solver_evaluate(solver, count, given.points.data(), result.evaluations.data(),
                           gradients ? result.gradients.data() : nullptr, &error) != MM_OK)
        fail_msg("%s", error.message);
    return result;
}

inline outcome evaluate_on(const mm_solver_options &options, const task &given, bool gradients)
{
    mm_solver *solver = open_solver(&given.problem, options);
    outcome result = evaluate_with(solver, given, gradients);
    mm_solver_close(solver);
    return result;
}

inline outcome evaluate_on(const char *backend, const task &given, bool gradients)
{
    return evaluate_on(options_of(backend), given, gradients);
}

inline void assert_near(const char *name, double found, double expected, double tolerance)
{
    if (!(std::fabs(found - expected) <= tolerance))
        fail_msg("%s is %.17g, not %.17g: they differ by %.3g, more than %.3g", name, found, expected,
                 std::fabs(found - expected), tolerance);
}

inline void assert_close(const outcome &found, const outcome &expected, bool bounds)
{
    assert_int_equal(found.evaluations.size(), expected.evaluations.size());
    for (size_t i = 0; i < found.evaluations.size(); i++) {
        const mm_evaluation &a = found.evaluations[i], &b = expected.evaluations[i];
        assert_near("loss", a.loss, b.loss, 1e-11 * std::fmax(1.0, std::fabs(b.loss)));
        assert_near("ergotropy", a.ergotropy, b.ergotropy, 1e-11 * std::fmax(1.0, b.ergotropy));
        assert_near("energy", a.energy, b.energy, 1e-11 * std::fmax(1.0, b.energy));
        assert_near("purity", a.purity, b.purity, 1e-12);
        assert_near("instability", a.instability, b.instability, 1e-11 * std::fmax(1.0, b.instability));
        assert_near("mean_c", a.mean_c, b.mean_c, 0.0);
        assert_near("mean_q", a.mean_q, b.mean_q, 0.0);
        assert_near("truncation_population", a.truncation_population, b.truncation_population, 1e-12);
        assert_int_equal(a.levels, b.levels);
        if (bounds)
            assert_near("band_error", a.band_error, b.band_error, 1e-6 * b.band_error + ROUNDED_OFF);
    }
    assert_int_equal(found.gradients.size(), expected.gradients.size());
    for (size_t i = 0; i < found.gradients.size(); i++) {
        const mm_channel_gradient &a = found.gradients[i], &b = expected.gradients[i];
        const double scale = std::fmax(1.0, std::fmax(std::fabs(b.by_q), std::fabs(b.by_x)));
        assert_near("by_q", a.by_q, b.by_q, 1e-8 * scale);
        assert_near("by_x", a.by_x, b.by_x, 1e-8 * scale);
    }
}

inline void assert_same_bits(const outcome &a, const outcome &b)
{
    assert_int_equal(a.evaluations.size(), b.evaluations.size());
    for (size_t i = 0; i < a.evaluations.size(); i++) {
        assert_memory_equal(&a.evaluations[i], &b.evaluations[i], offsetof(mm_evaluation, levels));
        assert_int_equal(a.evaluations[i].levels, b.evaluations[i].levels);
    }
    assert_int_equal(a.gradients.size(), b.gradients.size());
    if (!a.gradients.empty())
        assert_memory_equal(a.gradients.data(), b.gradients.data(), a.gradients.size() * sizeof a.gradients[0]);
}

/** 6 chains of two batches that need up to 24 diagonals. */
inline void set_common_task(task *made)
{
    std::mt19937_64 random(21);
    set_problem(made, 24, {9, 11}, 7);
    add_random_points(made, 5, &random);
    add_point(made, 1.1, 1.0, {1.0, 0.5, 0.9, 0.4});
}

/** The table itself, where a test wants the backend's own state. */
inline void *open_backend(const mm_problem *problem, const mm_solver_options &options = options_of("cuda"))
{
    mm_error error = {};
    void *state = nullptr;
    if (mm_backend_cuda.open(&state, problem, &options, &error) != MM_OK)
        fail_msg("%s", error.message);
    return state;
}

#endif
