/* problem.c - counts and checks of a problem: its levels, batches, tail and tolerance. */
#include <inttypes.h>
#include <math.h>

#include "micromaser.h"
#include "model/problem.h"

/* From here on rough gradients may be so rough that a float will do for the adjoint: a collision drops more than it
 * rounds. */
static const double ROUGH_GRADIENT_TOLERANCE = 1e-8;

/* A population of the top level above which results may depend on the number of levels. */
static const double LARGEST_TRUNCATION_POPULATION = 1e-8;

size_t mm_problem_free_batches(const struct mm_problem *problem)
{
    size_t count = 0;
    for (size_t j = 0; j < problem->batch_count; j++)
        count += !problem->batches[j].fixed;
    return count;
}

int64_t mm_problem_collisions(const struct mm_problem *problem)
{
    int64_t sum = 0;
    for (size_t j = 0; j < problem->batch_count; j++)
        sum += problem->batches[j].qubits;
    return sum;
}

struct mm_tail mm_problem_tail(const struct mm_problem *problem)
{
    const int64_t collisions = mm_problem_collisions(problem);
    return (struct mm_tail){collisions - problem->tail, collisions};
}

/* False for NaN as well. */
static bool is_fraction(double value)
{
    return value >= 0 && value <= 1;
}

static mm_status check_batch(const struct mm_batch *batch, size_t number, struct mm_error *error)
{
    if (batch->qubits < 1 || batch->qubits > MM_COLLISIONS_MAX)
        return mm_fail(error, MM_ERROR_INPUT, "batch %zu has %" PRId64 " qubits: expected 1 .. %d", number,
                       batch->qubits, MM_COLLISIONS_MAX);
    if (batch->fixed && !is_fraction(batch->c))
        return mm_fail(error, MM_ERROR_INPUT, "batch %zu has c = %g: expected 0 .. 1", number, batch->c);
    if (batch->fixed && !is_fraction(batch->q))
        return mm_fail(error, MM_ERROR_INPUT, "batch %zu has q = %g: expected 0 .. 1", number, batch->q);
    return MM_OK;
}

static mm_status check_batches(const struct mm_problem *problem, struct mm_error *error)
{
    if (problem->batch_count < 1 || problem->batch_count > MM_BATCHES_MAX)
        return mm_fail(error, MM_ERROR_INPUT, "%zu batches: expected 1 .. %d", problem->batch_count,
                       MM_BATCHES_MAX);
    for (size_t j = 0; j < problem->batch_count; j++) {
        mm_status status = check_batch(&problem->batches[j], j + 1, error);
        if (status != MM_OK)
            return status;
    }
    if (mm_problem_free_batches(problem) == 0)
        return mm_fail(error, MM_ERROR_INPUT, "all %zu batches are fixed: expected at least one free batch",
                       problem->batch_count);
    return MM_OK;
}

mm_status mm_problem_check(const struct mm_problem *problem, struct mm_error *error)
{
    int levels = problem->levels;
    if (levels != MM_LEVELS_AUTO && (levels < MM_LEVELS_MIN || levels > MM_LEVELS_MAX))
        return mm_fail(error, MM_ERROR_INPUT, "%d levels: expected %d .. %d, or %d for automatic", levels,
                       MM_LEVELS_MIN, MM_LEVELS_MAX, MM_LEVELS_AUTO);
    mm_status status = check_batches(problem, error);
    if (status != MM_OK)
        return status;
    int64_t collisions = mm_problem_collisions(problem);
    if (collisions > MM_COLLISIONS_MAX)
        return mm_fail(error, MM_ERROR_INPUT, "%" PRId64 " collisions in all batches: expected at most %d",
                       collisions, MM_COLLISIONS_MAX);
    if (problem->tail < 1 || problem->tail > collisions)
        return mm_fail(error, MM_ERROR_INPUT, "a tail of %" PRId64 " collisions: expected 1 .. %" PRId64,
                       problem->tail, collisions);
    if (!(problem->band_tolerance >= 0) || !isfinite(problem->band_tolerance))
        return mm_fail(error, MM_ERROR_INPUT, "band_tolerance = %g: expected a finite number >= 0",
                       problem->band_tolerance);
    return MM_OK;
}

mm_status mm_point_check(const struct mm_point *point, size_t free_batches, struct mm_error *error)
{
    if (!isfinite(point->g))
        return mm_fail(error, MM_ERROR_INPUT, "g = %g; allowed is any finite number", point->g);
    if (!isfinite(point->lambda) || point->lambda < 0.0)
        return mm_fail(error, MM_ERROR_INPUT, "lambda = %g; allowed is any finite number from 0", point->lambda);
    if (!isfinite(point->band_tolerance) || point->band_tolerance < 0.0)
        return mm_fail(error, MM_ERROR_INPUT, "band_tolerance = %g; allowed is any finite number from 0",
                       point->band_tolerance);
    for (size_t i = 0; i < 2 * free_batches; i++)
        if (!is_fraction(point->parameters[i]))
            return mm_fail(error, MM_ERROR_INPUT, "%s of free batch %zu = %g; allowed is 0 to 1",
                           i % 2 == 0 ? "c" : "q", i / 2 + 1, point->parameters[i]);
    return MM_OK;
}

double mm_point_band_tolerance(const struct mm_problem *problem, const struct mm_point *point)
{
    return fmax(problem->band_tolerance, point->band_tolerance);
}

double mm_rough_tolerance(const struct mm_problem *problem, const struct mm_point *point)
{
    const bool rough = mm_tolerance_is_rough(problem, point->band_tolerance);
    return rough ? point->band_tolerance / fmax(point->lambda, 1.0) : 0.0;
}

bool mm_gradient_may_be_rough(const struct mm_problem *problem, const struct mm_point *point)
{
    return mm_rough_tolerance(problem, point) >= ROUGH_GRADIENT_TOLERANCE;
}

bool mm_truncation_may_matter(double truncation_population)
{
    return !(truncation_population <= LARGEST_TRUNCATION_POPULATION);
}
