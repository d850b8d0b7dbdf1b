/* landscape.c - computes the loss over (c, q) of one batch at chosen grid points. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "evolve/landscape.h"
#include "model/protocol.h"

/* Points of one call of the solver at least: enough for every thread. */
enum { POINTS_MIN = 256 };

/* Number of the batch behind a free batch: both from 0. */
static size_t find_batch(const struct mm_config *config, size_t free_batch)
{
    size_t batch = 0;
    while (config->batches[batch].fixed || free_batch-- > 0)
        batch++;
    return batch;
}

void mm_landscape_free(struct mm_landscape *landscape)
{
    double *arrays[] = {landscape->parameters,
                        landscape->c,
                        landscape->q,
                        landscape->g,
                        landscape->lambda,
                        landscape->loss,
                        landscape->ergotropy,
                        landscape->instability,
                        landscape->end_points.c,
                        landscape->end_points.q,
                        landscape->end_points.loss};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++)
        free(arrays[i]);
    free(landscape->end_points.cell);
    *landscape = (struct mm_landscape){0};
}

static mm_status allocate(const struct mm_config *config, const struct mm_landscape_request *request,
                          struct mm_landscape *landscape, struct mm_error *error)
{
    size_t plane = request->c_count * request->q_count;
    *landscape = (struct mm_landscape){.batch_count = config->batch_count,
                                       .cell_count = request->cell_count,
                                       .c_count = request->c_count,
                                       .q_count = request->q_count};
    landscape->parameters = calloc(config->batch_count, 2 * sizeof *landscape->parameters);
    landscape->c = calloc(request->c_count, sizeof *landscape->c);
    landscape->q = calloc(request->q_count, sizeof *landscape->q);
    landscape->g = calloc(request->cell_count, sizeof *landscape->g);
    landscape->lambda = calloc(request->cell_count, sizeof *landscape->lambda);
    landscape->loss = calloc(request->cell_count, plane * sizeof *landscape->loss);
    landscape->ergotropy = calloc(request->cell_count, plane * sizeof *landscape->ergotropy);
    landscape->instability = calloc(request->cell_count, plane * sizeof *landscape->instability);
    if (landscape->parameters != NULL && landscape->c != NULL && landscape->q != NULL && landscape->g != NULL &&
        landscape->lambda != NULL && landscape->loss != NULL && landscape->ergotropy != NULL &&
        landscape->instability != NULL)
        return MM_OK;
    return mm_fail(error, MM_ERROR_MEMORY, "out of memory for landscapes of %zu x %zu points", request->c_count,
                   request->q_count);
}

/* c and q of every batch; NaN of the one that is varied. */
static void take_parameters(const struct mm_config *config, const double *own, struct mm_landscape *landscape)
{
    mm_spread_parameters(config->batch_count, config->batches, own, landscape->parameters);
    landscape->parameters[2 * landscape->batch] = landscape->parameters[2 * landscape->batch + 1] = NAN;
}

/* From 0 to 1. */
static void lay_axis(size_t count, double *axis)
{
    for (size_t i = 0; i < count; i++)
        axis[i] = (double)i / (double)(count - 1);
}

mm_status mm_landscape_prepare(const struct mm_config *config, const struct mm_landscape_request *request,
                               struct mm_landscape *landscape, struct mm_error *error)
{
    mm_status status = allocate(config, request, landscape, error);
    if (status != MM_OK) {
        mm_landscape_free(landscape);
        return status;
    }
    landscape->batch = find_batch(config, request->batch);
    take_parameters(config, request->parameters, landscape);
    lay_axis(request->c_count, landscape->c);
    lay_axis(request->q_count, landscape->q);
    for (size_t i = 0; i < request->cell_count; i++) {
        landscape->g[i] = request->cells[i].g;
        landscape->lambda[i] = request->cells[i].lambda;
    }
    for (size_t i = 0; i < request->cell_count * request->c_count * request->q_count; i++)
        landscape->loss[i] = landscape->ergotropy[i] = landscape->instability[i] = NAN;
    return MM_OK;
}

size_t mm_landscape_missing(const struct mm_landscape *landscape)
{
    size_t missing = 0;
    for (size_t i = 0; i < landscape->cell_count * landscape->c_count * landscape->q_count; i++)
        missing += isnan(landscape->loss[i]) ? 1 : 0;
    return missing;
}

/* What one call of the solver works on. */
struct block {
    size_t capacity;
    size_t free_batches;
    size_t count;
    size_t *places;                    /* [count]: of the points among all, counted through as [cell][c][q] */
    struct mm_point *points;           /* [capacity] */
    struct mm_evaluation *evaluations; /* [capacity] */
    double *parameters;                /* [capacity][free_batches][2] */
};

static mm_status allocate_block(const struct mm_config *config, const struct mm_solver *solver, struct block *block,
                                struct mm_error *error)
{
    struct mm_problem problem = mm_config_problem(config);
    size_t preferred = mm_solver_preferred_points(solver);
    block->capacity = preferred < POINTS_MIN ? POINTS_MIN : preferred;
    block->free_batches = mm_problem_free_batches(&problem);
    block->places = calloc(block->capacity, sizeof *block->places);
    block->points = calloc(block->capacity, sizeof *block->points);
    block->evaluations = calloc(block->capacity, sizeof *block->evaluations);
    block->parameters = calloc(block->capacity, 2 * block->free_batches * sizeof *block->parameters);
    if (block->places != NULL && block->points != NULL && block->evaluations != NULL && block->parameters != NULL)
        return MM_OK;
    return mm_fail(error, MM_ERROR_MEMORY, "out of memory for %zu points", block->capacity);
}

static void free_block(struct block *block)
{
    free(block->places);
    free(block->points);
    free(block->evaluations);
    free(block->parameters);
}

/* Fills a block with missing points from `next` on; returns where to look for more. */
static size_t fill_block(const struct mm_landscape *landscape, size_t next, struct block *block)
{
    const size_t total = landscape->cell_count * landscape->c_count * landscape->q_count;
    block->count = 0;
    for (; next < total && block->count < block->capacity; next++)
        if (isnan(landscape->loss[next]))
            block->places[block->count++] = next;
    return next;
}

static mm_status evaluate_block(const struct mm_landscape_request *request, struct mm_solver *solver,
                                struct block *block, struct mm_landscape *landscape, struct mm_error *error)
{
    size_t plane = request->c_count * request->q_count;
    size_t row = 2 * block->free_batches;
    for (size_t i = 0; i < block->count; i++) {
        size_t place = block->places[i], cell = place / plane;
        double *parameters = block->parameters + i * row;
        memcpy(parameters, request->parameters, row * sizeof *parameters);
        parameters[2 * request->batch] = landscape->c[place % plane / request->q_count];
        parameters[2 * request->batch + 1] = landscape->q[place % request->q_count];
        block->points[i] =
            (struct mm_point){.g = landscape->g[cell], .lambda = landscape->lambda[cell], .parameters = parameters};
    }
    mm_status status = mm_solver_evaluate(solver, block->count, block->points, block->evaluations, NULL, error);
    for (size_t i = 0; status == MM_OK && i < block->count; i++) {
        landscape->loss[block->places[i]] = block->evaluations[i].loss;
        landscape->ergotropy[block->places[i]] = block->evaluations[i].ergotropy;
        landscape->instability[block->places[i]] = block->evaluations[i].instability;
    }
    return status;
}

mm_status mm_landscape_compute(const struct mm_config *config, const struct mm_landscape_request *request,
                               struct mm_solver *solver, struct mm_landscape *landscape, struct mm_error *error)
{
    struct block block = {0};
    const double start = mm_monotonic_seconds();
    const size_t total = request->cell_count * request->c_count * request->q_count;
    size_t missing = mm_landscape_missing(landscape);
    mm_status status = allocate_block(config, solver, &block, error);
    for (size_t next = 0; status == MM_OK && missing > 0;) {
        next = fill_block(landscape, next, &block);
        status = evaluate_block(request, solver, &block, landscape, error);
        if (status != MM_OK)
            break;
        missing -= block.count;
        if (request->progress != NULL)
            request->progress(request->progress_context, (int64_t)(total - missing), (int64_t)total,
                              mm_monotonic_seconds() - start);
        if (missing > 0 && request->stop != NULL && *request->stop != 0)
            status = mm_fail(error, MM_STOPPED, "stopped after %zu of %zu points", total - missing, total);
    }
    landscape->seconds += mm_monotonic_seconds() - start;
    free_block(&block);
    return status;
}
