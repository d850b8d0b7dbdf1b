/* bench_wigner.c - speed of the Wigner function, for comparison with QuTiP's on the same state and grid.
 *
 * usage: bench_wigner FOLDER
 *
 * Charges the battery by the paper's protocol of two batches (N = 150, lambda = 1), makes its Wigner function on
 * the automatic grid of 201 x 201 points with one thread and with all, in turn, and prints one JSON object. Writes,
 * as raw doubles, FOLDER/density (R_nm, [levels][levels]) and FOLDER/wigner ([x][p]).
 */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "machine_limits.h"
#include "wigner/wigner.h"

enum { ROUNDS = 21, LEVELS = 150, QUBITS = 500, POINTS = MM_WIGNER_POINTS_DEFAULT };
static const double COUPLING = 0.79540363890780597; /* pi / sqrt(15.6) */
static const double PARAMETERS[] = {0.15137, 0.07949, 0.36095, 0.15014};

static void stop(const char *message)
{
    fprintf(stderr, "bench_wigner: %s\n", message);
    exit(1);
}

static double now(void)
{
    struct timespec time;
    if (clock_gettime(CLOCK_MONOTONIC, &time) != 0)
        stop("no monotonic clock");
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static struct mm_state charge(void)
{
    const struct mm_batch batches[] = {{.qubits = QUBITS}, {.qubits = QUBITS}};
    const struct mm_problem problem = {LEVELS, 2, batches, 1, 1e-16};
    const struct mm_point point = {.g = COUPLING, .lambda = 1, .parameters = PARAMETERS};
    const struct mm_solver_options options = {.backend = "cpu", .threads = 1};
    struct mm_solver *solver = NULL;
    struct mm_state state = {0};
    struct mm_error error;
    if (mm_solver_open(&solver, &problem, &options, &error) != MM_OK ||
        mm_solver_evolve(solver, &point, (int64_t)2 * QUBITS, NULL, &state, &error) != MM_OK)
        stop(error.message);
    mm_solver_close(solver);
    return state;
}

static double time_wigner(const struct mm_state *state, const struct mm_wigner_grid *grid, int threads,
                          double *wigner)
{
    const struct mm_solver_options options = {.backend = "cpu", .threads = threads};
    struct mm_error error;
    double start = now();
    if (mm_wigner(state, grid, &options, wigner, &error) != MM_OK)
        stop(error.message);
    return now() - start;
}

static int ascending(const void *one, const void *other)
{
    double difference = *(const double *)one - *(const double *)other;
    return (difference > 0.0) - (difference < 0.0);
}

static double median(double *values)
{
    qsort(values, ROUNDS, sizeof *values, ascending);
    return values[ROUNDS / 2];
}

/* Live elements times points that symmetry does not give, times three multiply-adds each. */
static double count_multiply_adds(const struct mm_state *state, const struct mm_wigner_grid *grid)
{
    struct mm_wigner_series series;
    struct mm_wigner_points points;
    struct mm_error error;
    if (mm_wigner_series_create(&series, state, &error) != MM_OK ||
        mm_wigner_points_create(&points, grid, &error) != MM_OK)
        stop(error.message);
    double count = 3.0 * (double)series.first[series.diagonals] * (double)points.count;
    mm_wigner_series_free(&series);
    mm_wigner_points_free(&points);
    return count;
}

static void write_doubles(const char *folder, const char *name, size_t count, const double *values)
{
    char path[4096];
    int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = length < (int)sizeof path ? fopen(path, "wb") : NULL;
    if (file == NULL || fwrite(values, sizeof *values, count, file) != count || fclose(file) != 0)
        stop("an output file cannot be written");
}

int main(int argc, char **argv)
{
    static double wigner[POINTS * POINTS];
    static double axis[POINTS];
    static double seconds[2][ROUNDS];
    if (argc != 2) {
        fprintf(stderr, "usage: bench_wigner FOLDER\n");
        return 2;
    }
    struct mm_state state = charge();
    const struct mm_wigner_grid grid = {POINTS, axis, POINTS, axis};
    const double extent = mm_wigner_extent(&state);
    const int threads[] = {1, omp_get_max_threads()};
    mm_wigner_axis(extent, POINTS, axis);
    for (int round = -1; round < ROUNDS; round++) /* the first one warms up */
        for (int i = 0; i < 2; i++)
            seconds[i][round < 0 ? 0 : round] = time_wigner(&state, &grid, threads[i], wigner);
    const double operations = count_multiply_adds(&state, &grid);
    const double one = median(seconds[0]);
    const struct machine_limits limits = measure_machine_limits();
    write_doubles(argv[1], "density", LEVELS * LEVELS, state.density);
    write_doubles(argv[1], "wigner", (size_t)POINTS * POINTS, wigner);
    printf("{\"levels\": %d, \"points\": %d, \"extent\": %.17g, \"threads\": %d, \"seconds_one\": %.9g, "
           "\"seconds_all\": %.9g, \"multiply_adds\": %.0f, \"share_of_peak\": %.3g}\n",
           LEVELS, POINTS, extent, threads[1], one, median(seconds[1]), operations,
           limits.instruction_set == NULL ? 0.0 : operations / one / limits.multiply_adds_per_second);
    mm_state_free(&state);
    return fflush(stdout) == 0 ? 0 : 1;
}
