/* edge_gradient.c - the gradient with respect to (c, q) also where q is at the edge of what it may be. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "solver/edge_gradient.h"

/* Where q is so near to 0 or 1 that the coherence x = c sqrt(q (1-q)) is lost in rounding, a loss that depends on
 * x^2 has the finite slope of a q a little inside, though that of x is infinite and the derivative by x is none. */
static const double EDGE = 1e-25, INSIDE = 1e-14, NO_DERIVATIVE = 1e-12;

static bool needs_limit(const double *parameters, const struct mm_channel_gradient *channel)
{
    const double c = parameters[0], q = parameters[1];
    return c > 0.0 && fmin(q, 1.0 - q) < EDGE &&
           fabs(channel->by_x) <= NO_DERIVATIVE * fmax(1.0, fabs(channel->by_q));
}

/* Takes dL/dq of such batches from where it can be computed, one batch after the other. */
mm_status mm_edge_gradient(struct mm_solver *solver, const struct mm_problem *problem, const struct mm_point *point,
                           const struct mm_evaluation *evaluation, const struct mm_channel_gradient *channels,
                           double *gradient, struct mm_error *error)
{
    const size_t free_batches = mm_problem_free_batches(problem), bytes = free_batches * 2 * sizeof(double);
    mm_gradient_population(problem, point->parameters, evaluation, channels, gradient);
    struct mm_channel_gradient *inside_channels = calloc(free_batches, sizeof *inside_channels);
    double *inside = malloc(2 * bytes), *inside_gradient = inside == NULL ? NULL : inside + 2 * free_batches;
    struct mm_point there = *point;
    there.parameters = inside;
    mm_status status = MM_OK;
    if (inside_channels == NULL || inside == NULL)
        status = mm_fail(error, MM_ERROR_MEMORY, "out of memory for %zu free batches", free_batches);
    for (size_t b = 0; b < free_batches && status == MM_OK; b++) {
        struct mm_evaluation inside_evaluation;
        if (!needs_limit(point->parameters + 2 * b, &channels[b]))
            continue;
        memcpy(inside, point->parameters, bytes);
        inside[2 * b + 1] = inside[2 * b + 1] < 0.5 ? INSIDE : 1.0 - INSIDE;
        status = mm_solver_evaluate(solver, 1, &there, &inside_evaluation, inside_channels, error);
        if (status != MM_OK)
            break;
        mm_gradient_population(problem, inside, &inside_evaluation, inside_channels, inside_gradient);
        gradient[2 * b + 1] = inside_gradient[2 * b + 1];
    }
    free(inside_channels);
    free(inside);
    return status;
}
