/* wigner.c - the Wigner function of a state on a grid, how wide the grid has to be, and what it tells.
 *
 * Cost, counted: three multiply-adds for each live element of the lower half of the state (wigner/series.c) and
 * each point that symmetry does not give (wigner/points.c). For the default grid of 201 x 201 points, symmetric and
 * square, that is 5151 points; for the paper's battery of two batches, N = 150, with 36 live diagonals and 4330
 * elements, 67 million multiply-adds. Each of the 161 tiles of MM_WIGNER_TILE points reads the series once, 24
 * bytes an element, 104 kB, which stay in the second-level cache: 17 MB from there in all. The values, 323 kB, are
 * written once.
 */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "solver/backend.h"
#include "wigner/wigner.h"

#define DECLARE(name) extern const struct mm_wigner_loops mm_wigner_loops_##name;
MM_INSTRUCTIONS_LIST(DECLARE)
#undef DECLARE

const struct mm_wigner_loops *mm_wigner_loops(enum mm_instructions instructions)
{
#define ROW(name) &mm_wigner_loops_##name,
    static const struct mm_wigner_loops *const list[MM_INSTRUCTIONS_COUNT] = {MM_INSTRUCTIONS_LIST(ROW)};
#undef ROW
    return list[instructions];
}

/* -------------------------------------------------------------------------------------------------- grid */

/* A state as a caller gives it: {0} stands for the vacuum, whose only element is *one = 1. */
static struct mm_state given_state(const struct mm_state *state, double *one)
{
    return state->density != NULL ? *state : (struct mm_state){.levels = 1, .density = one};
}

/* The position density of |n> falls off beyond its turning point sqrt(2n+1) as that of an Airy function whose
 * length is proportional to (2n+1)^(-1/6). With MARGIN such lengths less than 2.5e-9 lies beyond, for every n
 * (checked up to n = 4095); together with LARGEST_TAIL in higher levels, amplitudes added, that is below 1e-8. */
double mm_wigner_extent(const struct mm_state *state)
{
    static const double LARGEST_TAIL = 1e-10;
    static const double MARGIN = 3.8;
    double one = 1.0;
    const struct mm_state given = given_state(state, &one);
    int n = given.levels - 1;
    for (double tail = 0.0; n > 0; n--) {
        tail += fabs(given.density[(size_t)n * ((size_t)given.levels + 1)]);
        if (!(tail <= LARGEST_TAIL))
            break;
    }
    double square = 2.0 * n + 1.0;
    return sqrt(square) + MARGIN * pow(square, -1.0 / 6.0);
}

void mm_wigner_axis(double extent, size_t count, double *axis)
{
    double last = (double)(count - 1);
    for (size_t i = 0; i < count; i++)
        axis[i] = extent * ((2.0 * (double)i - last) / last);
}

/* ------------------------------------------------------------------------------------------------ values */

/* Whether a device would take as long to wake up: about a second of one core. */
static bool is_little(const struct mm_wigner_work *work)
{
    static const double WORTH_A_DEVICE = 2e10; /* multiply-adds */
    const struct mm_wigner_series *series = work->series;
    const double multiply_adds = 3.0 * (double)series->first[series->diagonals] * (double)work->points->count;
    return multiply_adds < WORTH_A_DEVICE;
}

static mm_status sum_all(const struct mm_solver_options *options, struct mm_wigner_work *work,
                         struct mm_error *error)
{
    const struct mm_backend *backend;
    mm_status status = mm_backend_for_wigner(options->backend, is_little(work), &backend, error);
    if (status != MM_OK)
        return status;
    work->threads = options->threads > 0 ? options->threads : omp_get_max_threads();
    const enum mm_instructions instructions = mm_instructions_find(options->instructions);
    if (instructions == MM_INSTRUCTIONS_NONE)
        return mm_fail(error, MM_ERROR_INPUT, "instructions '%s': not supported here", options->instructions);
    work->loops = mm_wigner_loops(instructions);
    return backend->wigner(work, error);
}

mm_status mm_wigner(const struct mm_state *state, const struct mm_wigner_grid *grid,
                    const struct mm_solver_options *options, double *wigner, struct mm_error *error)
{
    struct mm_solver_options own;
    double one = 1.0;
    const struct mm_state given = given_state(state, &one);
    struct mm_wigner_series series = {0};
    struct mm_wigner_points points = {0};
    struct mm_wigner_work work = {.series = &series, .points = &points, .grid = grid, .wigner = wigner};
    mm_status status = mm_solver_options_take(options, &own, error);
    if (status == MM_OK)
        status = mm_wigner_points_create(&points, grid, error);
    if (status == MM_OK)
        status = mm_wigner_series_create(&series, &given, error);
    if (status == MM_OK)
        status = sum_all(&own, &work, error);
    mm_wigner_series_free(&series);
    mm_wigner_points_free(&points);
    return status;
}

/* ----------------------------------------------------------------------------------------------- summary */

/* Weight of point i of an axis in the trapezoidal rule. */
static double weight(size_t count, const double *axis, size_t i)
{
    return 0.5 * (axis[i + 1 < count ? i + 1 : i] - axis[i > 0 ? i - 1 : i]);
}

struct mm_wigner_summary mm_wigner_summarize(const struct mm_wigner_grid *grid, const double *wigner)
{
    struct mm_wigner_summary summary = {.minimum = wigner[0], .maximum = wigner[0]};
    for (size_t i = 0; i < grid->x_count; i++) {
        double row_weight = weight(grid->x_count, grid->x, i);
        for (size_t j = 0; j < grid->p_count; j++) {
            double value = wigner[i * grid->p_count + j];
            double area = row_weight * weight(grid->p_count, grid->p, j);
            double square = grid->x[i] * grid->x[i] + grid->p[j] * grid->p[j];
            summary.integral += area * value;
            summary.mean_square += area * square * value;
            summary.purity += 2.0 * M_PI * area * value * value;
            summary.negative_volume += value < 0.0 ? -area * value : 0.0;
            summary.minimum = fmin(summary.minimum, value);
            summary.maximum = fmax(summary.maximum, value);
        }
    }
    return summary;
}
