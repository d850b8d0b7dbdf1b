/* backend.c - the cpu backend: banded, vectorised, one chain a thread at a time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cblas.h>
#include <omp.h>

#include "solver/backend.h"
#include "cpu/run.h"
#include "base/text.h"
#include "wigner/wigner.h"

enum { POINTS_PER_THREAD = 16 }; /* chains differ in cost: enough of them to keep every thread busy to the end */

struct cpu_backend {
    int threads;
    enum mm_instructions instructions;
    size_t free_batches;
    const struct mm_problem *problem;
    struct mm_sweep_plans plans; /* made when the first gradient is wanted */
    struct mm_cpu_run *runs;     /* [threads] */
};

static bool cpu_available(size_t size, char *text)
{
    snprintf(text, size, "%s", mm_instructions_name(mm_instructions_find(NULL)));
    return true;
}

static void cpu_close(void *state)
{
    struct cpu_backend *cpu = state;
    for (int i = 0; cpu->runs != NULL && i < cpu->threads; i++)
        mm_cpu_run_free(&cpu->runs[i]);
    free(cpu->runs);
    mm_sweep_plans_free(&cpu->plans);
    free(cpu);
}

static mm_status choose_instructions(struct cpu_backend *cpu, const char *name, struct mm_error *error)
{
    cpu->instructions = mm_instructions_find(name);
    if (cpu->instructions == MM_INSTRUCTIONS_NONE)
        return mm_fail(error, MM_ERROR_INPUT,
                       "instructions '%s': this processor or build does not have them; allowed are avx512, avx2 "
                       "and portable, where supported",
                       name);
    return MM_OK;
}

static mm_status create_runs(struct cpu_backend *cpu, const struct mm_problem *problem, struct mm_error *error)
{
    cpu->runs = calloc((size_t)cpu->threads, sizeof *cpu->runs);
    if (cpu->runs == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for %d threads", cpu->threads);
    for (int i = 0; i < cpu->threads; i++) {
        mm_status status = mm_cpu_run_create(&cpu->runs[i], problem, cpu->instructions, error);
        if (status != MM_OK)
            return status;
    }
    return MM_OK;
}

static mm_status cpu_open(void **state, const struct mm_problem *problem, const struct mm_solver_options *options,
                          struct mm_error *error)
{
    struct cpu_backend *cpu = calloc(1, sizeof *cpu);
    if (cpu == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for the cpu backend");
    cpu->threads = options->threads;
    cpu->problem = problem;
    cpu->free_batches = mm_problem_free_batches(problem);
    mm_status status = choose_instructions(cpu, options->instructions, error);
    if (status == MM_OK)
        status = create_runs(cpu, problem, error);
    if (status != MM_OK) {
        cpu_close(cpu);
        return status;
    }
    *state = cpu;
    return MM_OK;
}

static void cpu_device(const void *state, size_t size, char *text)
{
    const struct cpu_backend *cpu = state;
    snprintf(text, size, "%s, %d thread%s", mm_instructions_name(cpu->instructions), cpu->threads,
             mm_plural(cpu->threads));
}

static size_t cpu_preferred_points(const void *state)
{
    const struct cpu_backend *cpu = state;
    return (size_t)cpu->threads * POINTS_PER_THREAD;
}

/* Threads for so many chains: one without work would only spin beside the others. */
static int team_size(const struct cpu_backend *cpu, size_t count)
{
    return count > 0 && count < (size_t)cpu->threads ? (int)count : cpu->threads;
}

/* A point and what its cost goes by. */
struct queued_point {
    size_t index;
    double band_tolerance;
};

static int compare_queued(const void *a, const void *b)
{
    const struct queued_point *left = a, *right = b;
    if (left->band_tolerance != right->band_tolerance)
        return left->band_tolerance < right->band_tolerance ? -1 : 1;
    return (left->index > right->index) - (left->index < right->index);
}

/* The points in the order in which threads take them: the finest bands, which take longest, first, so that the
 * threads end together. NULL if there is no memory. */
static struct queued_point *queue_points(size_t count, const struct mm_point *points)
{
    struct queued_point *queue = malloc((count > 0 ? count : 1) * sizeof *queue);
    for (size_t i = 0; queue != NULL && i < count; i++)
        queue[i] = (struct queued_point){i, points[i].band_tolerance};
    if (queue != NULL)
        qsort(queue, count, sizeof *queue, compare_queued);
    return queue;
}

static mm_status prepare_gradients(struct cpu_backend *cpu, struct mm_error *error)
{
    return cpu->plans.exact.mark_count > 0 ? MM_OK : mm_sweep_plans_create(&cpu->plans, cpu->problem, error);
}

static mm_status cpu_evaluate(void *state, size_t count, const struct mm_point *points,
                              struct mm_evaluation *evaluations, struct mm_channel_gradient *gradients,
                              struct mm_error *error)
{
    struct cpu_backend *cpu = state;
    mm_status worst = gradients != NULL ? prepare_gradients(cpu, error) : MM_OK;
    if (worst != MM_OK)
        return worst;
    struct queued_point *queue = queue_points(count, points);
    if (queue == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for a queue of %zu points", count);
#pragma omp parallel for schedule(dynamic, 1) num_threads(team_size(cpu, count))
    for (size_t place = 0; place < count; place++) {
        const size_t i = queue[place].index;
        struct mm_error own = {0};
        struct mm_channel_gradient *gradient = gradients == NULL ? NULL : gradients + i * cpu->free_batches;
        mm_status status = mm_cpu_evaluate(&cpu->runs[omp_get_thread_num()], &cpu->plans, &points[i],
                                           &evaluations[i], gradient, &own);
        if (status == MM_OK)
            continue;
#pragma omp critical(mm_cpu_evaluate_failed)
        {
            worst = status;
            if (error != NULL)
                *error = own;
        }
    }
    free(queue);
    return worst;
}

/* What one thread does for a work queue. */
static void evaluate_queue(const struct cpu_backend *cpu, struct mm_cpu_run *run, struct mm_shared_queue *queue)
{
    const struct mm_work_queue *work = queue->work;
    for (size_t slot; mm_shared_queue_take(queue, 1, &slot) > 0;) {
        struct mm_error error = {0};
        mm_status status = mm_cpu_evaluate(run, &cpu->plans, &work->points[slot], &work->evaluations[slot],
                                           work->gradients + slot * cpu->free_batches, &error);
        mm_shared_queue_give(queue, 1, &slot, status, &error);
    }
}

static mm_status cpu_evaluate_work(void *state, const struct mm_work_queue *work, struct mm_error *error)
{
    struct cpu_backend *cpu = state;
    struct mm_shared_queue queue;
    mm_status status = prepare_gradients(cpu, error);
    if (status == MM_OK)
        status = mm_shared_queue_open(&queue, work, error);
    if (status != MM_OK)
        return status;
#pragma omp parallel num_threads(team_size(cpu, work->slot_count))
    evaluate_queue(cpu, &cpu->runs[omp_get_thread_num()], &queue);
    return mm_shared_queue_close(&queue, error);
}

static mm_status cpu_evolve(void *state, const struct mm_point *point, int64_t collisions, double *energies,
                            struct mm_state *result, struct mm_error *error)
{
    struct cpu_backend *cpu = state;
    return mm_cpu_evolve(&cpu->runs[0], point, collisions, energies, result, error);
}

static mm_status cpu_evolve_drawn(void *state, size_t count, int64_t collisions,
                                  const struct mm_drawn_collision *drawn, struct mm_state *states,
                                  struct mm_error *error)
{
    struct cpu_backend *cpu = state;
    mm_status worst = MM_OK;
#pragma omp parallel for schedule(dynamic, 1) num_threads(team_size(cpu, count))
    for (size_t i = 0; i < count; i++) {
        struct mm_error own = {0};
        mm_status status = mm_cpu_evolve_drawn(&cpu->runs[omp_get_thread_num()], &drawn[i * (size_t)collisions],
                                               collisions, &states[i], &own);
        if (status == MM_OK)
            continue;
#pragma omp critical(mm_cpu_evolve_failed)
        {
            worst = status;
            if (error != NULL)
                *error = own;
        }
    }
    return worst;
}

const struct mm_backend mm_backend_cpu = {
    .name = "cpu",
    .traits = {.powers = true},
    .available = cpu_available,
    .open = cpu_open,
    .device = cpu_device,
    .preferred_points = cpu_preferred_points,
    .evaluate = cpu_evaluate,
    .evaluate_work = cpu_evaluate_work,
    .evolve = cpu_evolve,
    .evolve_drawn = cpu_evolve_drawn,
    .close = cpu_close,
    .wigner = mm_cpu_wigner,
};
