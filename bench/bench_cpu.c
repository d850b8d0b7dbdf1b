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
    STENCIL_TERMS = 7, /* multiply-adds of one element in one collision, and neighbours it reads */
    LOOP_LEVELS = 120, /* window of the loop measured by itself: that of the run's last state */
    LOOP_BANDS = 34,
    FORWARD_OPERATIONS = 12, /* multiply or multiply-add operations the loops take for an element */
    ADJOINT_OPERATIONS = 16,
};
static const double COUPLING = 0.79540363890780597; /* pi / sqrt(15.6) */
static const double COHERENCE = 0.31;
static const double POPULATION = 0.145;
static const double SECONDS_PER_MEASUREMENT = 0.04;

/** One thing to measure: a solver, its points and what is asked of it. */
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
    struct mm_problem problem = {
        .levels = LEVELS, .batch_count = m->batch_count, .batches = batches, .tail = TAIL, .band_tolerance = 1e-16};
    if (mm_solver_open(&m->solver, &problem, &options, &error) != MM_OK)
        stop(error.message);
}

/** Opens the solver and fills the points. One point is the paper's; many are spread around it, as in a search. */
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

/** Seconds of one call, from as many calls as fill a measurement. */
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

/** Measures all in turn, ROUNDS times, after one call each to warm up. */
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

/** Spread of the ratio of two measurements of the same rounds. */
static struct spread ratio_of(const struct measurement *over, const struct measurement *under)
{
    double ratios[ROUNDS];
    for (int round = 0; round < ROUNDS; round++)
        ratios[round] = over->seconds[round] / under->seconds[round];
    return spread_of(ratios);
}

/* -------------------------------------------------------------------------------------------------- reports */

/** Gradients of 1 to 100 batches in forward runs. measurements[0] is the forward run. */
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

/** Elements of the lower half of the state that are not zero after some collisions. */
static double live_elements(struct measurement *forward, int64_t collisions)
{
    struct mm_state state = {0};
    struct mm_error error;
    double count = 0;
    if (mm_solver_evolve(forward->solver, forward->point, collisions, NULL, &state, &error) != MM_OK)
        stop(error.message);
    for (int n = 0; n < state.levels; n++)
        for (int m = 0; m <= n; m++)
            count += state.density[(size_t)n * (size_t)state.levels + (size_t)m] != 0 ? 1 : 0;
    mm_state_free(&state);
    return count;
}

/** Live elements summed over the collisions of the run, by the trapezoidal rule over a few of them. */
static double sum_of_live_elements(struct measurement *forward)
{
    static const int64_t collisions[] = {1,   2,   4,   8,   15,  30,  60,  100,
                                         150, 200, 300, 400, 500, 600, 800, COLLISIONS};
    double before = live_elements(forward, collisions[0]);
    double sum = before;
    for (size_t i = 1; i < sizeof collisions / sizeof *collisions; i++) {
        double after = live_elements(forward, collisions[i]);
        sum += 0.5 * (before + after) * (double)(collisions[i] - collisions[i - 1]);
        before = after;
    }
    return sum;
}

static void report_limits(struct measurement *forward)
{
    struct machine_limits limits = measure_machine_limits();
    double elements = sum_of_live_elements(forward);
    double terms_per_second = STENCIL_TERMS * elements / spread_of(forward->seconds).median;
    printf("\n| limits of one core | 1e9 a second |\n|---|---|\n");
    if (limits.instruction_set == NULL) {
        printf("| not measured: this machine has neither AVX2 nor AVX-512 | |\n");
        return;
    }
    printf("| %s multiply-adds of doubles in registers | %.2f |\n", limits.instruction_set,
           1e-9 * limits.multiply_adds_per_second);
    printf("| %s loads of doubles from the first-level cache | %.2f |\n", limits.instruction_set,
           1e-9 * limits.loads_per_second);
    printf("| multiply-adds of the forward run (%d x %.3g live elements) | %.2f = %.0f %% of the limit |\n",
           STENCIL_TERMS, elements, 1e-9 * terms_per_second,
           100 * terms_per_second / limits.multiply_adds_per_second);
    printf("| reads of neighbours of the forward run (as many) | %.2f = %.0f %% of the limit |\n",
           1e-9 * terms_per_second, 100 * terms_per_second / limits.loads_per_second);
}

/** One row on a loop by itself: time, and the operations it executes against the limit. */
static void report_loop(const char *name, double seconds, int operations, const struct collision_loop *loop,
                        const struct machine_limits *limits)
{
    double executed = operations * loop->rows / seconds, useful = STENCIL_TERMS * loop->elements / seconds;
    printf("| %s | %.3f | %.2f = %.0f %% | %.2f = %.0f %% |\n", name, 1e6 * seconds, 1e-9 * executed,
           100 * executed / limits->multiply_adds_per_second, 1e-9 * useful,
           100 * useful / limits->multiply_adds_per_second);
}

static void report_loops(void)
{
    struct machine_limits limits = measure_machine_limits();
    struct collision_loop loop = measure_collision_loop(LOOP_LEVELS, LOOP_BANDS);
    if (limits.instruction_set == NULL)
        return;
    printf("\n| one collision, %s, %d levels, %d diagonals | microseconds | operations executed, 1e9 a second | "
           "%d an element, 1e9 a second |\n|---|---|---|---|\n",
           loop.instructions, LOOP_LEVELS, LOOP_BANDS, STENCIL_TERMS);
    report_loop("forward", loop.forward_seconds, FORWARD_OPERATIONS, &loop, &limits);
    report_loop("adjoint with derivatives", loop.adjoint_seconds, ADJOINT_OPERATIONS, &loop, &limits);
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
    report_limits(&runs[0]);
    report_loops();
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
