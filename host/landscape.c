/* landscape.c - computes the loss over (c, q) of one batch at chosen grid points. */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "landscape.h"

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
    double *arrays[] = {landscape->c,
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

static mm_status allocate(const struct mm_landscape_request *request, struct mm_landscape *landscape,
                          struct mm_error *error)
{
    size_t plane = request->c_count * request->q_count;
    *landscape = (struct mm_landscape){
        .cell_count = request->cell_count, .c_count = request->c_count, .q_count = request->q_count};
    landscape->c = calloc(request->c_count, sizeof *landscape->c);
    landscape->q = calloc(request->q_count, sizeof *landscape->q);
    landscape->g = calloc(request->cell_count, sizeof *landscape->g);
    landscape->lambda = calloc(request->cell_count, sizeof *landscape->lambda);
    landscape->loss = calloc(request->cell_count, plane * sizeof *landscape->loss);
    landscape->ergotropy = calloc(request->cell_count, plane * sizeof *landscape->ergotropy);
    landscape->instability = calloc(request->cell_count, plane * sizeof *landscape->instability);
    if (landscape->c != NULL && landscape->q != NULL && landscape->g != NULL && landscape->lambda != NULL &&
        landscape->loss != NULL && landscape->ergotropy != NULL && landscape->instability != NULL)
        return MM_OK;
    return mm_fail(error, MM_ERROR_MEMORY, "out of memory for landscapes of %zu x %zu points", request->c_count,
                   request->q_count);
}

mm_status mm_landscape_prepare(const struct mm_config *config, const struct mm_landscape_request *request,
                               struct mm_landscape *landscape, struct mm_error *error)
{
    mm_status status = allocate(request, landscape, error);
    landscape->batch = find_batch(config, request->batch);
    for (size_t i = 0; status == MM_OK && i < request->c_count; i++)
        landscape->c[i] = (double)i / (double)(request->c_count - 1);
    for (size_t i = 0; status == MM_OK && i < request->q_count; i++)
        landscape->q[i] = (double)i / (double)(request->q_count - 1);
    for (size_t i = 0; status == MM_OK && i < request->cell_count; i++) {
        landscape->g[i] = config->g[request->cells[i].g_index];
        landscape->lambda[i] = config->lambda[request->cells[i].lambda_index];
    }
    if (status != MM_OK)
        mm_landscape_free(landscape);
    return status;
}

/* What one call of the solver works on. */
struct block {
    size_t capacity;
    size_t free_batches;
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
    block->points = calloc(block->capacity, sizeof *block->points);
    block->evaluations = calloc(block->capacity, sizeof *block->evaluations);
    block->parameters = calloc(block->capacity, 2 * block->free_batches * sizeof *block->parameters);
    if (block->points != NULL && block->evaluations != NULL && block->parameters != NULL)
        return MM_OK;
    return mm_fail(error, MM_ERROR_MEMORY, "out of memory for %zu points", block->capacity);
}

static void free_block(struct block *block)
{
    free(block->points);
    free(block->evaluations);
    free(block->parameters);
}

/* Evaluates points [first, first + count) of all, counted through as [cell][c][q]. */
static mm_status evaluate_block(const struct mm_landscape_request *request, struct mm_solver *solver, size_t first,
                                size_t count, struct block *block, struct mm_landscape *landscape,
                                struct mm_error *error)
{
    size_t plane = request->c_count * request->q_count;
    size_t row = 2 * block->free_batches;
    for (size_t i = 0; i < count; i++) {
        size_t cell = (first + i) / plane;
        double *parameters = block->parameters + i * row;
        memcpy(parameters, request->parameters, row * sizeof *parameters);
        parameters[2 * request->batch] = landscape->c[(first + i) % plane / request->q_count];
        parameters[2 * request->batch + 1] = landscape->q[(first + i) % request->q_count];
        block->points[i] = (struct mm_point){landscape->g[cell], landscape->lambda[cell], parameters};
    }
    mm_status status = mm_solver_evaluate(solver, count, block->points, block->evaluations, NULL, error);
    for (size_t i = 0; status == MM_OK && i < count; i++) {
        landscape->loss[first + i] = block->evaluations[i].loss;
        landscape->ergotropy[first + i] = block->evaluations[i].ergotropy;
        landscape->instability[first + i] = block->evaluations[i].instability;
    }
    return status;
}

mm_status mm_landscape_compute(const struct mm_config *config, const struct mm_landscape_request *request,
                               struct mm_solver *solver, struct mm_landscape *landscape, struct mm_error *error)
{
    struct block block = {0};
    const double start = mm_monotonic_seconds();
    size_t total = request->cell_count * request->c_count * request->q_count;
    mm_status status = allocate_block(config, solver, &block, error);
    for (size_t done = 0; status == MM_OK && done < total;) {
        size_t count = total - done < block.capacity ? total - done : block.capacity;
        status = evaluate_block(request, solver, done, count, &block, landscape, error);
        done += count;
        if (status == MM_OK && request->progress != NULL)
            request->progress(request->progress_context, (int64_t)done, (int64_t)total,
                              mm_monotonic_seconds() - start);
    }
    landscape->seconds = mm_monotonic_seconds() - start;
    free_block(&block);
    return status;
}
