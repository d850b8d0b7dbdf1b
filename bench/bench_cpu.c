/* bench_cpu.c - speed of the cpu backend: gradients, threads, and the distance from the machine's limits.
 *
 * usage: bench_cpu [forward]
 *   forward  one forward run only, as one JSON object: loss, seconds (median), device
 *
 * The run is the paper's: N = 120 levels, 1000 collisions, g = pi / sqrt(15.6), c = 0.31, q = 0.145, lambda = 1,
 * tail 200. Whatever is compared is measured in turn, round after round, so that a change of the clock meets all
 * alike; times are medians over the rounds, ratios are medians of the ratios of each round, and the smallest and
 * the largest follow in brackets.
 */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "collision_loop.h"
#include "machine_limits.h"
#include "micromaser.h"

enum {
    ROUNDS = 9,
    LEVELS = 120,
    COLLISIONS = 1000,
    TAIL = 200,
    BATCHES_MAX = 100,
    POINTS = 64,
    SPECTRUM_ROUNDS = 60,
    STENCIL_TERMS = 7, /* multiply-adds of one element in one collision */
    LOOP_LEVELS = 120, /* window of the loop measured by itself: that of the run's last state */
    LOOP_BANDS = 34,
};
static const double COUPLING = 0.79540363890780597; /* pi / sqrt(15.6) */
static const double COHERENCE = 0.31;
static const double POPULATION = 0.145;
static const double TOLERANCE = 1e-16; /* what a collision may drop */
static const double SECONDS_PER_MEASUREMENT = 0.04;

/* One thing to measure: a solver, its points and what is asked of it. */
struct measurement {
    const char *name;
    size_t batch_count; /* the 1000 qubits are split into this many free batches */
    bool gradient;
    int threads;
    size_t points;
    struct mm_solver *solver;
    double *parameters;                      /* [points][batch_count][2] */
    struct mm_point point[POINTS];           /* [points] */
    struct mm_evaluation evaluation[POINTS]; /* [points] */
    struct mm_channel_gradient *gradients;   /* [points][batch_count] */
    double seconds[ROUNDS];                  /* of one call */
};

static void stop(const char *message)
{
    fprintf(stderr, "bench_cpu: %s\n", message);
    exit(1);
}

static double now(void)
{
    struct timespec time;
    if (clock_gettime(CLOCK_MONOTONIC, &time) != 0)
        stop("no monotonic clock");
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* --------------------------------------------------------------------------------------------- measurements */

static void open_solver(struct measurement *m)
{
    struct mm_batch batches[BATCHES_MAX];
    struct mm_error error;
    struct mm_solver_options options = {.backend = "cpu", .threads = m->threads};
    for (size_t i = 0; i < m->batch_count; i++)
        batches[i] = (struct mm_batch){.qubits = COLLISIONS / (int64_t)m->batch_count};
    struct mm_problem problem = {.levels = LEVELS,
                                 .batch_count = m->batch_count,
                                 .batches = batches,
                                 .tail = TAIL,
                                 .band_tolerance = TOLERANCE};
    if (mm_solver_open(&m->solver, &problem, &options, &error) != MM_OK)
        stop(error.message);
}

/* Opens the solver and fills the points. One point is the paper's; many are spread around it, as in a search. */
static void prepare(struct measurement *m)
{
    open_solver(m);
    m->parameters = malloc(m->points * m->batch_count * 2 * sizeof *m->parameters);
    m->gradients = malloc(m->points * m->batch_count * sizeof *m->gradients);
    if (m->parameters == NULL || m->gradients == NULL)
        stop("out of memory");
    for (size_t i = 0; i < m->points; i++) {
        double *parameters = m->parameters + i * m->batch_count * 2;
        for (size_t batch = 0; batch < m->batch_count; batch++) {
            parameters[2 * batch] = COHERENCE + 0.002 * (double)i;
            parameters[2 * batch + 1] = POPULATION + 0.001 * (double)i;
        }
        m->point[i] = (struct mm_point){.g = COUPLING, .lambda = 1, .parameters = parameters};
    }
}

static void finish(struct measurement *m)
{
    mm_solver_close(m->solver);
    free(m->parameters);
    free(m->gradients);
}

static void evaluate(struct measurement *m)
{
    struct mm_error error;
    if (mm_solver_evaluate(m->solver, m->points, m->point, m->evaluation, m->gradient ? m->gradients : NULL,
                           &error) != MM_OK)
        stop(error.message);
}

/* Seconds of one call, from as many calls as fill a measurement. */
static double time_evaluate(struct measurement *m)
{
    double start = now();
    double elapsed;
    int calls = 0;
    do {
        evaluate(m);
        calls++;
        elapsed = now() - start;
    } while (elapsed < SECONDS_PER_MEASUREMENT);
    return elapsed / calls;
}

/* Measures all in turn, ROUNDS times, after one call each to warm up. */
static void measure(size_t count, struct measurement *measurements)
{
    for (size_t i = 0; i < count; i++) {
        prepare(&measurements[i]);
        evaluate(&measurements[i]);
    }
    for (int round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < count; i++)
            measurements[i].seconds[round] = time_evaluate(&measurements[i]);
}

/* ---------------------------------------------------------------------------------------------- statistics */

struct spread {
    double median, smallest, largest;
};

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct spread spread_of(const double values[ROUNDS])
{
    double sorted[ROUNDS];
    memcpy(sorted, values, sizeof sorted);
    qsort(sorted, ROUNDS, sizeof *sorted, compare_doubles);
    return (struct spread){sorted[ROUNDS / 2], sorted[0], sorted[ROUNDS - 1]};
}

/* Spread of the ratio of two measurements of the same rounds. */
static struct spread ratio_of(const struct measurement *over, const struct measurement *under)
{
    double ratios[ROUNDS];
    for (int round = 0; round < ROUNDS; round++)
        ratios[round] = over->seconds[round] / under->seconds[round];
    return spread_of(ratios);
}

/* -------------------------------------------------------------------------------------------------- reports */

/* Gradients of 1 to 100 batches in forward runs. measurements[0] is the forward run. */
static void report_gradients(size_t count, const struct measurement *measurements)
{
    printf("| one thread | ms | in forward runs |\n|---|---|---|\n");
    for (size_t i = 0; i < count; i++) {
        struct spread time = spread_of(measurements[i].seconds);
        struct spread ratio = ratio_of(&measurements[i], &measurements[0]);
        printf("| %s | %.3f (%.3f to %.3f) | %.2f (%.2f to %.2f) |\n", measurements[i].name, 1e3 * time.median,
               1e3 * time.smallest, 1e3 * time.largest, ratio.median, ratio.smallest, ratio.largest);
    }
}

static void report_threads(const struct measurement measurements[2])
{
    struct spread one = spread_of(measurements[0].seconds);
    struct spread two = spread_of(measurements[1].seconds);
    struct spread ratio = ratio_of(&measurements[0], &measurements[1]);
    printf("\n| %d gradients in one call | ms |\n|---|---|\n", POINTS);
    printf("| one thread | %.2f (%.2f to %.2f) |\n", 1e3 * one.median, 1e3 * one.smallest, 1e3 * one.largest);
    printf("| two threads | %.2f (%.2f to %.2f) |\n", 1e3 * two.median, 1e3 * two.smallest, 1e3 * two.largest);
    printf("| two threads are faster | %.2f times (%.2f to %.2f) |\n", ratio.median, ratio.smallest, ratio.largest);
}

/* State after some collisions, to be freed. */
static struct mm_state evolved_state(const struct measurement *forward, int64_t collisions)
{
    struct mm_state state = {0};
    struct mm_error error;
    if (mm_solver_evolve(forward->solver, forward->point, collisions, NULL, &state, &error) != MM_OK)
        stop(error.message);
    return state;
}

/* Elements of the lower half of a state. */
struct element_count {
    double window; /* in the window, outside of which all are zero */
    double above;  /* larger than the tolerance */
};

/* Elements after some collisions. */
static struct element_count count_elements(const struct measurement *forward, int64_t collisions)
{
    struct mm_state state = evolved_state(forward, collisions);
    struct element_count count = {0, 0};
    for (int n = 0; n < state.levels; n++)
        for (int m = 0; m <= n; m++) {
            const double element = fabs(state.density[(size_t)n * (size_t)state.levels + (size_t)m]);
            count.window += element > 0 ? 1 : 0;
            count.above += element > TOLERANCE ? 1 : 0;
        }
    mm_state_free(&state);
    return count;
}

/* Elements summed over the collisions of the run, by the trapezoidal rule over a few of them. */
static struct element_count sum_of_elements(const struct measurement *forward)
{
    static const int64_t collisions[] = {1,   2,   4,   8,   15,  30,  60,  100,
                                         150, 200, 300, 400, 500, 600, 800, COLLISIONS};
    struct element_count before = count_elements(forward, collisions[0]), sum = before;
    for (size_t i = 1; i < sizeof collisions / sizeof *collisions; i++) {
        const struct element_count after = count_elements(forward, collisions[i]);
        const double half_step = 0.5 * (double)(collisions[i] - collisions[i - 1]);
        sum.window += half_step * (before.window + after.window);
        sum.above += half_step * (before.above + after.above);
        before = after;
    }
    return sum;
}

/* The limits of a core and the loops by themselves, one after the other: what the machine's speed does to the one
 * it does to the other. */
struct loop_rounds {
    struct machine_limits limits[ROUNDS];
    struct collision_loop loops[ROUNDS];
};

static void measure_loops(struct loop_rounds *rounds)
{
    for (int round = 0; round < ROUNDS; round++) {
        rounds->limits[round] = measure_machine_limits();
        rounds->loops[round] = measure_collision_loop(LOOP_LEVELS, LOOP_BANDS);
    }
}

/* Medians over the rounds. */
static struct machine_limits median_limits(const struct loop_rounds *rounds)
{
    double multiply_adds[ROUNDS], loads[ROUNDS], stores[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        multiply_adds[round] = rounds->limits[round].multiply_adds_per_second;
        loads[round] = rounds->limits[round].loads_per_second;
        stores[round] = rounds->limits[round].stores_per_second;
    }
    return (struct machine_limits){rounds->limits[0].instruction_set, spread_of(multiply_adds).median,
                                   spread_of(loads).median, spread_of(stores).median};
}

static void report_limits(const struct measurement *forward, const struct machine_limits *limits)
{
    const struct element_count elements = sum_of_elements(forward);
    const double terms_per_second = STENCIL_TERMS * elements.window / spread_of(forward->seconds).median;
    printf("\n| limits of one core | 1e9 a second |\n|---|---|\n");
    printf("| %s multiply-adds of doubles in registers | %.2f |\n", limits->instruction_set,
           1e-9 * limits->multiply_adds_per_second);
    printf("| %s loads of doubles from the first-level cache | %.2f |\n", limits->instruction_set,
           1e-9 * limits->loads_per_second);
    printf("| %s stores of doubles to it | %.2f |\n", limits->instruction_set, 1e-9 * limits->stores_per_second);
    printf(
        "| multiply-adds of the stencil, whole forward run (%d x %.3g elements in the window) | %.2f = %.0f %% |\n",
        STENCIL_TERMS, elements.window, 1e-9 * terms_per_second,
        100 * terms_per_second / limits->multiply_adds_per_second);
    printf("| elements in the window that are larger than the tolerance, %.0e | %.0f %% |\n", TOLERANCE,
           100 * elements.above / elements.window);
}

/* What a loop takes for an element, counted in its code (cpu/collision_loops.h). */
struct loop_count {
    const char *name;
    size_t seconds; /* where its time is in a struct collision_loop */
    double multiply_adds;
    double loads;
    double stores;
};

/* The least time that each of these alone would take for so many elements. */
struct least_seconds {
    double multiply_adds;
    double loads;
    double stores;
};

static struct least_seconds least_seconds(struct loop_count count, double rows, struct machine_limits limits)
{
    return (struct least_seconds){rows * count.multiply_adds / limits.multiply_adds_per_second,
                                  rows * count.loads / limits.loads_per_second,
                                  rows * count.stores / limits.stores_per_second};
}

/* One row on a loop by itself: what it does for an element, the least time the limits allow for that, its time,
 * and its share of the limit. */
static void report_loop(struct loop_count count, const struct loop_rounds *rounds)
{
    const struct least_seconds median = least_seconds(count, rounds->loops[0].rows, median_limits(rounds));
    double seconds[ROUNDS], shares[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        const struct collision_loop *loop = &rounds->loops[round];
        const struct least_seconds least = least_seconds(count, loop->rows, rounds->limits[round]);
        seconds[round] = *(const double *)(const void *)((const char *)loop + count.seconds);
        shares[round] = 100 * fmax(least.multiply_adds, fmax(least.loads, least.stores)) / seconds[round];
    }
    const struct spread share = spread_of(shares);
    printf("| %s | %g | %g | %g | %.3f | %.3f | %.3f | %.3f | %.0f %% (%.0f to %.0f) |\n", count.name,
           count.multiply_adds, count.loads, count.stores, 1e6 * median.multiply_adds, 1e6 * median.loads,
           1e6 * median.stores, 1e6 * spread_of(seconds).median, share.median, share.smallest, share.largest);
}

static void report_loops(const struct loop_rounds *rounds)
{
    const double carried = 1.0 / rounds->loops[0].abreast; /* a vector loaded and one stored for so many */
    const struct loop_count counts[] = {
        {"forward", offsetof(struct collision_loop, forward_seconds), 10, 5 + carried, 1 + carried},
        {"backward", offsetof(struct collision_loop, backward_seconds), 10, 5 + carried, 1 + carried},
        {"backward with derivatives", offsetof(struct collision_loop, adjoint_seconds), 16, 6, 2},
    };
    printf(
        "\n| one collision, %s, %d levels, %d diagonals | multiply-adds an element | loads | stores | these alone, "
        "microseconds | loads alone | stores alone | measured | share of the limit |\n"
        "|---|---|---|---|---|---|---|---|---|\n",
        rounds->loops[0].instructions, LOOP_LEVELS, LOOP_BANDS);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        report_loop(counts[i], rounds);
}

/* Least processor times, in turn, of an evaluation with its loss or gradient and of the spectrum of its last
 * state. */
struct spectrum_share {
    double loss_seconds;
    double gradient_seconds;
    struct spectrum_time spectrum;
};

static double time_once(struct measurement *m)
{
    const double start = processor_seconds();
    evaluate(m);
    return processor_seconds() - start;
}

static struct spectrum_share measure_share(struct measurement *forward, struct measurement *gradient)
{
    struct mm_state state = evolved_state(forward, COLLISIONS);
    struct spectrum_share share = {1, 1, {1, 1}};
    for (int round = 0; round < SPECTRUM_ROUNDS; round++) {
        const struct spectrum_time time = measure_spectrum(state.density, state.levels);
        share.spectrum.values_seconds = fmin(share.spectrum.values_seconds, time.values_seconds);
        share.spectrum.vectors_seconds = fmin(share.spectrum.vectors_seconds, time.vectors_seconds);
        share.loss_seconds = fmin(share.loss_seconds, time_once(forward));
        share.gradient_seconds = fmin(share.gradient_seconds, time_once(gradient));
    }
    mm_state_free(&state);
    return share;
}

static void report_spectrum(struct measurement *forward, struct measurement *gradient)
{
    const struct spectrum_share share = measure_share(forward, gradient);
    printf("\n| spectrum of %d levels, least of %d in turn | ms of processor time | share of the evaluation "
           "|\n|---|---|---|\n",
           LEVELS, SPECTRUM_ROUNDS);
    printf("| eigenvalues, for a loss | %.3f | %.1f %% of %.3f ms |\n", 1e3 * share.spectrum.values_seconds,
           100 * share.spectrum.values_seconds / share.loss_seconds, 1e3 * share.loss_seconds);
    printf("| eigenvectors and derivative, for a gradient | %.3f | %.1f %% of %.3f ms |\n",
           1e3 * share.spectrum.vectors_seconds, 100 * share.spectrum.vectors_seconds / share.gradient_seconds,
           1e3 * share.gradient_seconds);
}

/* How far the run and its parts are from what the core can do. */
static void report_parts(struct measurement *forward, struct measurement *gradient)
{
    struct loop_rounds rounds;
    measure_loops(&rounds);
    const struct machine_limits limits = median_limits(&rounds);
    if (limits.instruction_set != NULL) {
        report_limits(forward, &limits);
        report_loops(&rounds);
    } else {
        printf("\nThis machine has neither AVX2 nor AVX-512: its limits are not measured.\n");
    }
    report_spectrum(forward, gradient);
}

static void run_forward(void)
{
    struct measurement forward = {.name = "forward", .batch_count = 1, .threads = 1, .points = 1};
    measure(1, &forward);
    printf("{\"loss\": %.17g, \"seconds\": %.17g, \"device\": \"%s\"}\n", forward.evaluation[0].loss,
           spread_of(forward.seconds).median, mm_solver_device(forward.solver));
    finish(&forward);
}

static void run_all(void)
{
    static struct measurement runs[] = {
        {.name = "loss: the forward run", .batch_count = 1, .threads = 1, .points = 1},
        {.name = "loss and gradient, 1 batch", .batch_count = 1, .gradient = true, .threads = 1, .points = 1},
        {.name = "loss and gradient, 2 batches", .batch_count = 2, .gradient = true, .threads = 1, .points = 1},
        {.name = "loss and gradient, 10 batches", .batch_count = 10, .gradient = true, .threads = 1, .points = 1},
        {.name = "loss and gradient, 100 batches", .batch_count = 100, .gradient = true, .threads = 1, .points = 1},
    };
    static struct measurement threads[] = {
        {.name = "one thread", .batch_count = 1, .gradient = true, .threads = 1, .points = POINTS},
        {.name = "two threads", .batch_count = 1, .gradient = true, .threads = 2, .points = POINTS},
    };
    enum { RUNS = sizeof runs / sizeof *runs, THREADS = sizeof threads / sizeof *threads };

    measure(RUNS, runs);
    printf("Device: %s\n\n", mm_solver_device(runs[0].solver));
    report_gradients(RUNS, runs);
    measure(THREADS, threads);
    report_threads(threads);
    report_parts(&runs[0], &runs[1]);
    for (size_t i = 0; i < RUNS; i++)
        finish(&runs[i]);
    for (size_t i = 0; i < THREADS; i++)
        finish(&threads[i]);
}

int main(int argc, char **argv)
{
    if (argc == 1) {
        run_all();
    } else if (argc == 2 && strcmp(argv[1], "forward") == 0) {
        run_forward();
    } else {
        fprintf(stderr, "usage: bench_cpu [forward]\n");
        return 2;
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
