/* robustness.c - what noise in the qubits and the coupling does to protocols: many realisations and their spread.
 *
 * A lane is a solver with the states that advance side by side on it: on a device many, driven by one thread;
 * on the CPU one a thread. What becomes of a realisation depends on its noise (model/noise.c) alone, so that all
 * lanes give the same.
 */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "solver/backend.h"
#include "base/clock.h"
#include "model/state.h"
#include "spectrum/eigen.h"
#include "evolve/robustness.h"

enum {
    STRETCH_MOST = 1024,    /* collisions drawn at once: a request to stop waits no longer */
    DRAWN_MOST = 1 << 21,   /* collisions that a lane holds, of all its states */
    STATES_MOST = 1024,     /* states that a device takes side by side */
    ELEMENTS_MOST = 1 << 27 /* of all these states */
};

const double mm_quantiles[MM_QUANTILES] = {0.05, 0.25, 0.5, 0.75, 0.95};
const char *const mm_measure_names[MM_MEASURES] = {"energy", "ergotropy", "purity"};

/* ------------------------------------------------------------------------------------------ realisations */

/* States that advance side by side: on a device many, by one thread that drives it; else one a thread. */
struct lane {
    struct mm_solver *solver;
    size_t width;
    int threads; /* that draw and measure: 1 where other lanes run beside */
    int64_t stretch;
    struct mm_state *states;          /* [width] */
    struct mm_drawn_collision *drawn; /* [width][stretch] */
    struct mm_eigen *eigens;          /* [threads] */
};

/* One realisation of one curve is item number realisation * curve_count + curve. */
struct sampler {
    const struct mm_evolution_plan *plan;
    struct mm_protocol protocol;
    int64_t *batch_ends; /* [batch_count], those of the protocol */
    const struct mm_noise *noise;
    const struct mm_robustness_options *options;
    struct mm_robustness *robustness;
    int lane_count;
    struct lane *lanes;         /* [lane_count] */
    int8_t *done;               /* [item] */
    struct mm_clipped *clipped; /* [item] */
    int64_t finished;           /* items */
    double begin;
};

/* Items that share a lane. */
struct group {
    size_t first;
    size_t count;
};

static void draw_collisions(struct sampler *sampler, struct lane *lane, struct group group, int64_t first,
                            int64_t count)
{
    const size_t curves = sampler->robustness->curve_count;
#pragma omp parallel for num_threads(lane->threads)
    for (size_t j = 0; j < group.count; j++) {
        const size_t item = group.first + j;
        for (int64_t i = 0; i < count; i++)
            lane->drawn[(int64_t)j * count + i] =
                mm_noise_draw(&sampler->plan->problem, sampler->protocol, &sampler->plan->curves[item % curves],
                              sampler->noise, (int64_t)(item / curves), first + i, &sampler->clipped[item]);
    }
}

/* Takes the states of a group to `end` collisions. */
static mm_status advance(struct sampler *sampler, struct lane *lane, struct group group, int64_t end,
                         struct mm_error *error)
{
    mm_status status = MM_OK;
    while (lane->states[0].collisions < end && status == MM_OK) {
        const int64_t first = lane->states[0].collisions, left = end - first;
        const int64_t count = left < lane->stretch ? left : lane->stretch;
        draw_collisions(sampler, lane, group, first, count);
        status = mm_solver_evolve_drawn(lane->solver, group.count, count, lane->drawn, lane->states, error);
        if (sampler->options->stop != NULL && *sampler->options->stop != 0)
            return MM_STOPPED;
    }
    return status;
}

static void keep(struct mm_robustness *robustness, size_t curve, size_t record, int64_t realisation,
                 const struct mm_merits *figures)
{
    const double values[MM_MEASURES] = {figures->energy, figures->ergotropy, figures->purity};
    double *samples = &robustness->samples[(curve * robustness->record_count + record) * MM_MEASURES *
                                           (size_t)robustness->realisations];
    for (size_t i = 0; i < MM_MEASURES; i++)
        samples[i * (size_t)robustness->realisations + (size_t)realisation] = values[i];
}

/* Measures the states of a group and keeps what was found. */
static mm_status measure(struct sampler *sampler, struct lane *lane, struct group group, size_t record,
                         struct mm_error *error)
{
    const size_t curves = sampler->robustness->curve_count;
    mm_status worst = MM_OK;
#pragma omp parallel for num_threads(lane->threads)
    for (size_t j = 0; j < group.count; j++) {
        const size_t item = group.first + j;
        struct mm_error own = {0};
        struct mm_merits figures;
        mm_status status = mm_state_merits(
            &lane->states[j], &lane->eigens[lane->threads > 1 ? omp_get_thread_num() : 0], &figures, &own);
        if (status == MM_OK) {
            keep(sampler->robustness, item % curves, record, (int64_t)(item / curves), &figures);
            continue;
        }
#pragma omp critical(mm_robustness_measured)
        {
            worst = status;
            if (error != NULL)
                *error = own;
        }
    }
    return worst;
}

/* All realisations of a group, from the initial state to the end. */
static mm_status sample(struct sampler *sampler, struct lane *lane, struct group group, struct mm_error *error)
{
    const struct mm_robustness *robustness = sampler->robustness;
    mm_status status = MM_OK;
    for (size_t j = 0; j < group.count && status == MM_OK; j++)
        status = mm_initial_state(&lane->states[j], error);
    for (size_t i = 0; i < robustness->record_count && status == MM_OK; i++) {
        status = advance(sampler, lane, group, robustness->k[i], error);
        if (status == MM_OK)
            status = measure(sampler, lane, group, i, error);
    }
    for (size_t j = 0; j < group.count; j++) {
        sampler->done[group.first + j] = status == MM_OK;
        mm_state_free(&lane->states[j]);
    }
    return status;
}

static void report_progress(struct sampler *sampler, size_t count)
{
    const struct mm_robustness_options *options = sampler->options;
    const struct mm_robustness *robustness = sampler->robustness;
    sampler->finished += (int64_t)count;
    if (options->progress != NULL)
        options->progress(options->progress_context, sampler->finished / (int64_t)robustness->curve_count,
                          robustness->realisations, mm_monotonic_seconds() - sampler->begin);
}

/* All realisations of all curves, a group a lane; those of one realisation follow each other. */
static mm_status sample_all(struct sampler *sampler, struct mm_error *error)
{
    const size_t count = (size_t)sampler->robustness->realisations * sampler->robustness->curve_count;
    const size_t width = sampler->lanes[0].width;
    mm_status worst = MM_OK;
#pragma omp parallel for schedule(dynamic, 1) num_threads(sampler->lane_count)
    for (size_t first = 0; first < count; first += width) {
        const struct group group = {first, count - first < width ? count - first : width};
        struct mm_error own = {0};
        mm_status status, before;
#pragma omp atomic read
        before = worst;
        if (before != MM_OK)
            continue;
        status = sample(sampler, &sampler->lanes[omp_get_thread_num()], group, &own);
#pragma omp critical(mm_robustness_sampled)
        {
            if (status == MM_OK)
                report_progress(sampler, group.count);
            else if (worst == MM_OK || worst == MM_STOPPED) {
#pragma omp atomic write
                worst = status;
                if (error != NULL && status != MM_STOPPED)
                    *error = own;
            }
        }
    }
    return worst;
}

/* ---------------------------------------------------------------------------------------------- opening */

static mm_status list_records(const struct mm_evolution_plan *plan, struct mm_robustness *robustness,
                              struct mm_error *error)
{
    size_t count = 0;
    for (int64_t k = 0; k < plan->collisions; k = mm_evolution_next_record(plan, k))
        count++;
    robustness->record_count = count + 1;
    robustness->k = calloc(count + 1, sizeof *robustness->k);
    if (robustness->k == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for %zu records", count + 1);
    for (size_t i = 1; i <= count; i++)
        robustness->k[i] = mm_evolution_next_record(plan, robustness->k[i - 1]);
    return MM_OK;
}

static mm_status allocate_samples(struct sampler *sampler, struct mm_error *error)
{
    struct mm_robustness *robustness = sampler->robustness;
    const size_t runs = robustness->curve_count * (size_t)robustness->realisations;
    robustness->samples = calloc(runs * robustness->record_count, MM_MEASURES * sizeof *robustness->samples);
    robustness->clipped = calloc(robustness->curve_count, sizeof *robustness->clipped);
    const struct mm_problem *problem = &sampler->plan->problem;
    sampler->batch_ends = calloc(problem->batch_count, sizeof *sampler->batch_ends);
    sampler->done = calloc(runs, sizeof *sampler->done);
    sampler->clipped = calloc(runs, sizeof *sampler->clipped);
    if (robustness->samples == NULL || robustness->clipped == NULL || sampler->done == NULL ||
        sampler->clipped == NULL || sampler->batch_ends == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for %zu records of %lld realisations of %zu curves",
                       robustness->record_count, (long long)robustness->realisations, robustness->curve_count);
    mm_protocol_find_ends(problem, sampler->batch_ends);
    sampler->protocol = (struct mm_protocol){(int)problem->batch_count, sampler->batch_ends};
    return MM_OK;
}

/* States that a lane takes side by side. */
static size_t lane_width(const struct sampler *sampler, const struct mm_solver *solver)
{
    const int levels = sampler->plan->problem.levels;
    const size_t square = levels == MM_LEVELS_AUTO ? 1 << 16 : (size_t)levels * (size_t)levels;
    const size_t items = (size_t)sampler->robustness->realisations * sampler->robustness->curve_count;
    size_t width = mm_solver_preferred_points(solver);
    width = width < STATES_MOST ? width : STATES_MOST;
    width = width < ELEMENTS_MOST / square ? width : ELEMENTS_MOST / square;
    width = width < items ? width : items;
    return width > 0 ? width : 1;
}

static mm_status open_lane(struct sampler *sampler, struct lane *lane, int threads, struct mm_error *error)
{
    struct mm_solver_options own = sampler->options->solver;
    own.threads = 1; /* realisations are the parallel work */
    mm_status status = mm_solver_open(&lane->solver, &sampler->plan->problem, &own, error);
    if (status != MM_OK)
        return status;
    const bool on_device = mm_solver_traits(lane->solver)->device;
    lane->width = on_device ? lane_width(sampler, lane->solver) : 1;
    lane->threads = on_device ? threads : 1;
    const size_t stretch = DRAWN_MOST / lane->width;
    lane->stretch = stretch < STRETCH_MOST ? (int64_t)stretch : STRETCH_MOST;
    lane->states = calloc(lane->width, sizeof *lane->states);
    lane->drawn = calloc(lane->width * (size_t)lane->stretch, sizeof *lane->drawn);
    lane->eigens = calloc((size_t)lane->threads, sizeof *lane->eigens);
    if (lane->states == NULL || lane->drawn == NULL || lane->eigens == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for %zu states", lane->width);
    return MM_OK;
}

/* One lane a thread; a device needs one alone. */
static mm_status open_lanes(struct sampler *sampler, struct mm_error *error)
{
    const int threads = sampler->options->solver.threads;
    const int wanted = threads > 0 ? threads : omp_get_max_threads();
    struct mm_robustness *robustness = sampler->robustness;
    mm_status status = MM_OK;
    sampler->lanes = calloc((size_t)wanted, sizeof *sampler->lanes);
    if (sampler->lanes == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for %d threads", wanted);
    while (status == MM_OK && sampler->lane_count < wanted &&
           (sampler->lane_count == 0 || sampler->lanes->threads == 1))
        status = open_lane(sampler, &sampler->lanes[sampler->lane_count++], wanted, error);
    if (status != MM_OK)
        return status;
    const struct mm_solver *solver = sampler->lanes[0].solver;
    const char *device = mm_solver_device(solver);
    snprintf(robustness->backend, sizeof robustness->backend, "%s", mm_solver_backend(solver));
    if (sampler->lane_count == 1)
        snprintf(robustness->device, sizeof robustness->device, "%s", device);
    else
        snprintf(robustness->device, sizeof robustness->device, "%.*s, %d threads", (int)strcspn(device, ","),
                 device, sampler->lane_count);
    return MM_OK;
}

static void close_lanes(struct sampler *sampler)
{
    for (int i = 0; i < sampler->lane_count; i++) {
        struct lane *lane = &sampler->lanes[i];
        for (int t = 0; lane->eigens != NULL && t < lane->threads; t++)
            mm_eigen_free(&lane->eigens[t]);
        mm_solver_close(lane->solver);
        free(lane->states);
        free(lane->drawn);
        free(lane->eigens);
    }
    free(sampler->lanes);
    free(sampler->batch_ends);
    free(sampler->done);
    free(sampler->clipped);
}

/* Counts the leading realisations that every curve has finished, and what was clipped in them. */
static void count_done(struct sampler *sampler)
{
    struct mm_robustness *robustness = sampler->robustness;
    const size_t curves = robustness->curve_count, runs = curves * (size_t)robustness->realisations;
    size_t first_missing = 0;
    while (first_missing < runs && sampler->done[first_missing])
        first_missing++;
    robustness->realisations_done = (int64_t)(first_missing / curves);
    for (size_t i = 0; i < (size_t)robustness->realisations_done * curves; i++) {
        struct mm_clipped *sum = &robustness->clipped[i % curves];
        sum->drawn += sampler->clipped[i].drawn;
        sum->c += sampler->clipped[i].c;
        sum->q += sampler->clipped[i].q;
    }
}

mm_status mm_robustness_run(const struct mm_evolution_plan *plan, const struct mm_noise *noise,
                            int64_t realisations, const struct mm_robustness_options *options,
                            struct mm_robustness *robustness, struct mm_error *error)
{
    *robustness = (struct mm_robustness){.curve_count = plan->curve_count, .realisations = realisations};
    struct sampler sampler = {.plan = plan,
                              .noise = noise,
                              .options = options,
                              .robustness = robustness,
                              .begin = mm_monotonic_seconds()};
    mm_status status = mm_problem_check(&plan->problem, error);
    if (status == MM_OK)
        status = list_records(plan, robustness, error);
    if (status == MM_OK)
        status = allocate_samples(&sampler, error);
    if (status == MM_OK)
        status = open_lanes(&sampler, error);
    if (status == MM_OK)
        status = sample_all(&sampler, error);
    const bool keeps = status == MM_OK || status == MM_STOPPED || status == MM_ERROR_DEVICE;
    if (keeps && robustness->clipped != NULL)
        count_done(&sampler);
    close_lanes(&sampler);
    robustness->seconds = mm_monotonic_seconds() - sampler.begin;
    if (status == MM_STOPPED)
        return mm_fail(error, MM_STOPPED, "stopped after %lld of %lld realisations",
                       (long long)robustness->realisations_done, (long long)realisations);
    if (!keeps)
        mm_robustness_free(robustness);
    return status;
}

void mm_robustness_free(struct mm_robustness *robustness)
{
    free(robustness->k);
    free(robustness->samples);
    free(robustness->clipped);
    *robustness = (struct mm_robustness){0};
}

/* --------------------------------------------------------------------------------------------- statistics */

static int compare_samples(const void *a, const void *b)
{
    const double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

struct mm_spread mm_robustness_spread(struct mm_robustness *robustness, size_t curve, size_t record, size_t measure)
{
    double *samples = &robustness->samples[((curve * robustness->record_count + record) * MM_MEASURES + measure) *
                                           (size_t)robustness->realisations];
    const size_t count = (size_t)robustness->realisations_done;
    struct mm_spread spread = {0};
    qsort(samples, count, sizeof *samples, compare_samples);
    for (size_t i = 0; i < count; i++)
        spread.mean += samples[i];
    spread.mean /= (double)count;
    for (size_t i = 0; i < count; i++)
        spread.standard_deviation += (samples[i] - spread.mean) * (samples[i] - spread.mean);
    spread.standard_deviation = count > 1 ? sqrt(spread.standard_deviation / (double)(count - 1)) : 0.0;
    for (size_t i = 0; i < MM_QUANTILES; i++) {
        const double position = mm_quantiles[i] * (double)(count - 1);
        const size_t below = (size_t)position, above = below + 1 < count ? below + 1 : below;
        spread.quantile[i] = samples[below] + (position - (double)below) * (samples[above] - samples[below]);
    }
    return spread;
}
