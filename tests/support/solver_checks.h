/* solver_checks.h - one-line calls of the solver for the physics tests; any failure fails the test. */
#ifndef MM_TESTS_SUPPORT_SOLVER_CHECKS_H
#define MM_TESTS_SUPPORT_SOLVER_CHECKS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "micromaser.h"

/** Opens a backend on one thread. @param instructions as in mm_solver_options */
static inline struct mm_solver *open_solver(const char *backend, const char *instructions,
                                            const struct mm_problem *problem)
{
    const struct mm_solver_options options = {.backend = backend, .threads = 1, .instructions = instructions};
    struct mm_error error = {0};
    struct mm_solver *solver = NULL;
    if (mm_solver_open(&solver, problem, &options, &error) != MM_OK)
        fail_msg("%s", error.message);
    assert_string_equal(mm_solver_backend(solver), backend);
    return solver;
}

/** Evaluates one point; channel may be NULL. */
static inline struct mm_evaluation evaluate_on(const char *backend, const struct mm_problem *problem,
                                               const struct mm_point *point, struct mm_channel_gradient *channel)
{
    struct mm_error error = {0};
    struct mm_evaluation evaluation;
    struct mm_solver *solver = open_solver(backend, NULL, problem);
    if (mm_solver_evaluate(solver, 1, point, &evaluation, channel, &error) != MM_OK)
        fail_msg("%s", error.message);
    mm_solver_close(solver);
    return evaluation;
}

/** Evolves the vacuum; energies may be NULL, the state is to be freed by the caller. */
static inline struct mm_state evolve_on(const char *backend, const struct mm_problem *problem,
                                        const struct mm_point *point, int64_t collisions, double *energies)
{
    struct mm_error error = {0};
    struct mm_state state = {0};
    struct mm_solver *solver = open_solver(backend, NULL, problem);
    if (mm_solver_evolve(solver, point, collisions, energies, &state, &error) != MM_OK)
        fail_msg("%s", error.message);
    mm_solver_close(solver);
    return state;
}

#endif
