/* robustness.c - what noise in the qubits and the coupling does to protocols: many realisations and their spread.
 *
 * Realisation r draws for collision k (or for its batch b) from Philox4x32-10 with the seed as key and the counter
 *
 *     (k mod 2^32, k / 2^32, r, 0)   c and q once a collision
 *     (b, 0, r, 1)                   c and q once a batch
 *     (k mod 2^32, k / 2^32, r, 2)   g, always once a collision
 *
 * so that the noise is the same for every curve, on any number of threads. Four words give two uniform numbers
 * u, v; a gaussian pair is sqrt(-2 ln(1-u)) (cos 2 pi v, sin 2 pi v) (Box and Muller 1958), a uniform one
 * (2u - 1, 2v - 1), each times its width.
 */
#include <cblas.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend_reference.h"
#include "clock.h"
#include "cpu_run.h"
#include "random_words.h"
#include "robustness.h"

enum { STREAM_COLLISION, STREAM_BATCH, STREAM_COUPLING, STRETCH = 1024 /* most collisions drawn at once */ };

const double mm_quantiles[MM_QUANTILES] = {0.05, 0.25, 0.5, 0.75, 0.95};
const char *const mm_measure_names[MM_MEASURES] = {"energy", "ergotropy", "purity"};

/* ------------------------------------------------------------------------------------------------ noise */

/* Two independent draws of width 1. */
static void draw_pair(const struct mm_noise *noise, philox4x32_ctr_t counter, double pair[2])
{
    const philox4x32_ctr_t words = mm_random_words(noise->seed, counter);
    const double u = mm_uniform_from_words(words.v[0], words.v[1]);
    const double v = mm_uniform_from_words(words.v[2], words.v[3]);
    if (noise->shape == MM_NOISE_UNIFORM) {
        pair[0] = 2.0 * u - 1.0;
        pair[1] = 2.0 * v - 1.0;
    } else {
        const double radius = sqrt(-2.0 * log1p(-u)), angle = 2.0 * M_PI * v;
        pair[0] = radius * cos(angle);
        pair[1] = radius * sin(angle);
    }
}

static double clip(double value, int64_t *clipped)
{
    const double inside = fmin(fmax(value, 0.0), 1.0);
    *clipped += inside != value;
    return inside;
}

static size_t batch_of(const struct mm_problem *problem, int64_t collision)
{
    size_t batch = 0;
    int64_t end = problem->batches[0].qubits;
    while (batch + 1 < problem->batch_count && collision >= end)
        end += problem->batches[++batch].qubits;
    return batch;
}

struct mm_drawn_collision mm_noise_draw(const struct mm_evolution_plan *plan, const struct mm_noise *noise,
                                        size_t curve, int64_t realisation, int64_t collision,
                                        struct mm_clipped *clipped)
{
    const size_t batch = batch_of(&plan->problem, collision);
    const uint32_t low = (uint32_t)collision, high = (uint32_t)(collision >> 32), r = (uint32_t)realisation;
    double fixed[2], qubit[2], coupling[2];
    const double *parameters = mm_curve_batch(plan, curve, batch, fixed);
    struct mm_drawn_collision drawn = {parameters[0], parameters[1], plan->curves[curve].g};
    if (noise->c_width > 0.0 || noise->q_width > 0.0) {
        const philox4x32_ctr_t by_collision = {{low, high, r, STREAM_COLLISION}};
        const philox4x32_ctr_t by_batch = {{(uint32_t)batch, 0, r, STREAM_BATCH}};
        draw_pair(noise, noise->per_batch ? by_batch : by_collision, qubit);
        drawn.c = clip(drawn.c + noise->c_width * qubit[0], &clipped->c);
        drawn.q = clip(drawn.q + noise->q_width * qubit[1], &clipped->q);
        clipped->drawn++;
    }
    if (noise->g_width > 0.0) {
        const philox4x32_ctr_t counter = {{low, high, r, STREAM_COUPLING}};
        draw_pair(noise, counter, coupling);
        drawn.g += noise->g_width * coupling[0];
    }
    return drawn;
}

/* ------------------------------------------------------------------------------------------ realisations */

/** What one thread works with. */
struct lane {
    struct mm_cpu_run run; /* of the cpu backend */
    struct mm_eigen eigen;
};

struct sampler {
    const struct mm_evolution_plan *plan;
    const struct mm_noise *noise;
    const struct mm_robustness_options *options;
    struct mm_robustness *robustness;
    bool literal; /* the reference backend */
    int lane_count;
    struct lane *lanes;         /* [lane_count] */
    int8_t *done;               /* [realisation][curve] */
    struct mm_clipped *clipped; /* [realisation][curve] */
    int64_t finished;           /* of all of these */
    double begin;
};

/* Takes a state to `end` collisions. */
static mm_status advance(struct sampler *sampler, struct lane *lane, size_t curve, int64_t realisation, int64_t end,
                         struct mm_clipped *clipped, struct mm_state *state, struct mm_error *error)
{
    struct mm_drawn_collision drawn[STRETCH];
    mm_status status = MM_OK;
    while (state->collisions < end && status == MM_OK) {
        const int64_t left = end - state->collisions, count = left < STRETCH ? left : STRETCH;
        for (int64_t i = 0; i < count; i++)
            drawn[i] =
                mm_noise_draw(sampler->plan, sampler->noise, curve, realisation, state->collisions + i, clipped);
        status = sampler->literal ? mm_reference_evolve_drawn(&sampler->plan->problem, drawn, count, state, error)
                                  : mm_cpu_evolve_drawn(&lane->run, drawn, count, state, error);
        if (sampler->options->stop != NULL && *sampler->options->stop != 0)
            return MM_STOPPED;
    }
    return status;
}

static void keep(struct mm_robustness *robustness, size_t curve, size_t record, int64_t realisation,
                 const struct mm_figures *figures)
{
    const double values[MM_MEASURES] = {figures->energy, figures->ergotropy, figures->purity};
    double *samples = &robustness->samples[(curve * robustness->record_count + record) * MM_MEASURES *
                                           (size_t)robustness->realisations];
    for (size_t i = 0; i < MM_MEASURES; i++)
        samples[i * (size_t)robustness->realisations + (size_t)realisation] = values[i];
}

/* One realisation of one curve. */
static mm_status sample(struct sampler *sampler, struct lane *lane, size_t curve, int64_t realisation,
                        struct mm_error *error)
{
    struct mm_robustness *robustness = sampler->robustness;
    const size_t at = (size_t)realisation * robustness->curve_count + curve;
    struct mm_state state = {0};
    struct mm_figures figures;
    mm_status status = MM_OK;
    for (size_t i = 0; i < robustness->record_count && status == MM_OK; i++) {
        status = advance(sampler, lane, curve, realisation, robustness->k[i], &sampler->clipped[at], &state, error);
        if (status == MM_OK)
            status = mm_state_figures(&state, &lane->eigen, &figures, error);
        if (status == MM_OK)
            keep(robustness, curve, i, realisation, &figures);
    }
    sampler->done[at] = status == MM_OK;
    mm_state_free(&state);
    return status;
}

static void report_progress(struct sampler *sampler)
{
    const struct mm_robustness_options *options = sampler->options;
    const struct mm_robustness *robustness = sampler->robustness;
    sampler->finished++;
    if (options->progress != NULL)
        options->progress(options->progress_context, sampler->finished / (int64_t)robustness->curve_count,
                          robustness->realisations, mm_monotonic_seconds() - sampler->begin);
}

/* All realisations of all curves, a thread each; those of one realisation follow each other. */
static mm_status sample_all(struct sampler *sampler, struct mm_error *error)
{
    const size_t curves = sampler->robustness->curve_count;
    const size_t count = (size_t)sampler->robustness->realisations * curves;
    mm_status worst = MM_OK;
#pragma omp parallel for schedule(dynamic, 1) num_threads(sampler->lane_count)
    for (size_t i = 0; i < count; i++) {
        struct mm_error own = {0};
        mm_status status, before;
#pragma omp atomic read
        before = worst;
        if (before != MM_OK)
            continue;
        status = sample(sampler, &sampler->lanes[omp_get_thread_num()], i % curves, (int64_t)(i / curves), &own);
#pragma omp critical(mm_robustness_sampled)
        {
            if (status == MM_OK)
                report_progress(sampler);
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
    for (int64_t k = 0; k < plan->collisions; k = mm_record_next(plan, k))
        count++;
    robustness->record_count = count + 1;
    robustness->k = calloc(count + 1, sizeof *robustness->k);
    if (robustness->k == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for %zu records", count + 1);
    for (size_t i = 1; i <= count; i++)
        robustness->k[i] = mm_record_next(plan, robustness->k[i - 1]);
    return MM_OK;
}

static mm_status allocate_samples(struct sampler *sampler, struct mm_error *error)
{
    struct mm_robustness *robustness = sampler->robustness;
    const size_t runs = robustness->curve_count * (size_t)robustness->realisations;
    robustness->samples = calloc(runs * robustness->record_count, MM_MEASURES * sizeof *robustness->samples);
    robustness->clipped = calloc(robustness->curve_count, sizeof *robustness->clipped);
    sampler->done = calloc(runs, sizeof *sampler->done);
    sampler->clipped = calloc(runs, sizeof *sampler->clipped);
    if (robustness->samples == NULL || robustness->clipped == NULL || sampler->done == NULL ||
        sampler->clipped == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for %zu records of %lld realisations of %zu curves",
                       robustness->record_count, (long long)robustness->realisations, robustness->curve_count);
    return MM_OK;
}

static mm_status choose_backend(struct sampler *sampler, const struct mm_band_loops **loops, struct mm_error *error)
{
    const struct mm_solver_options *solver = &sampler->options->solver;
    const char *name = solver->backend == NULL || strcmp(solver->backend, "auto") == 0 ? "cpu" : solver->backend;
    sampler->literal = strcmp(name, "reference") == 0;
    if (!sampler->literal && strcmp(name, "cpu") != 0)
        return mm_fail(error, MM_ERROR_BACKEND,
                       "backend '%s' does not do noise; allowed are auto, cpu and reference", name);
    *loops = mm_band_loops_find(solver->instructions);
    if (*loops == NULL)
        return mm_fail(error, MM_ERROR_INPUT, "instructions '%s' are not supported here", solver->instructions);
    sampler->robustness->backend = sampler->literal ? "reference" : "cpu";
    return MM_OK;
}

static mm_status open_lanes(struct sampler *sampler, struct mm_error *error)
{
    const struct mm_band_loops *loops;
    const int threads = sampler->options->solver.threads;
    const int wanted = threads > 0 ? threads : omp_get_max_threads();
    mm_status status = choose_backend(sampler, &loops, error);
    if (status != MM_OK)
        return status;
    openblas_set_num_threads(1); /* realisations are the parallel work */
    sampler->lanes = calloc((size_t)wanted, sizeof *sampler->lanes);
    if (sampler->lanes == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for %d threads", wanted);
    for (int i = 0; i < wanted && status == MM_OK; i++) {
        sampler->lane_count++;
        if (!sampler->literal)
            status = mm_cpu_run_create(&sampler->lanes[i].run, &sampler->plan->problem, loops, error);
    }
    snprintf(sampler->robustness->device, sizeof sampler->robustness->device, "%s, %d thread%s",
             sampler->literal ? "dense complex reference" : loops->name, wanted, wanted == 1 ? "" : "s");
    return status;
}

static void close_lanes(struct sampler *sampler)
{
    for (int i = 0; i < sampler->lane_count; i++) {
        mm_cpu_run_free(&sampler->lanes[i].run);
        mm_eigen_free(&sampler->lanes[i].eigen);
    }
    free(sampler->lanes);
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
    if (status == MM_OK || status == MM_STOPPED)
        count_done(&sampler);
    close_lanes(&sampler);
    robustness->seconds = mm_monotonic_seconds() - sampler.begin;
    if (status == MM_STOPPED)
        return mm_fail(error, MM_STOPPED, "stopped after %lld of %lld realisations",
                       (long long)robustness->realisations_done, (long long)realisations);
    if (status != MM_OK)
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
