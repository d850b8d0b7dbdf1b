/* series.c - the diagonals of a state as series for the loops of its Wigner function.
 *
 * phi_m of wigner/wigner.h obeys, with r_m = sqrt(m (m+d)),
 *
 *     r_{m+1} phi_{m+1} = (2m+1+d - t) phi_m - r_m phi_{m-1}
 *
 * run upwards in m, the direction in which phi grows out of the region it cannot classically reach (t far from
 * 2m+1+d) and stays of order one beyond: stable at any m, d and t. Writing phi_m = phi_0 s_m P_m with s_0 = 1 and
 * s_{m+1} = 1 / (r_{m+1} s_m) turns it into
 *
 *     P_{m+1} = (2m+1+d - t) s_m^2 P_m - P_{m-1}
 *
 * which is one multiplication less for every term at every point. s_m changes slowly (like r_m^(-1/2) for even and
 * for odd m), so that P_m has the range of phi_m / phi_0.
 */
#include <math.h>
#include <stdlib.h>

#include "wigner/wigner.h"

static const double LARGEST_DROPPED_SUM = 1e-12;

static double element(const struct mm_state *state, int n, int m)
{
    return state->density[(size_t)n * (size_t)state->levels + (size_t)m];
}

/* Terms of a diagonal up to its last element above the threshold. */
static int live_terms(const struct mm_state *state, int levels, int d, double threshold)
{
    int count = levels - d;
    while (count > 0 && fabs(element(state, count - 1 + d, count - 1)) <= threshold)
        count--;
    return count;
}

static mm_status check_state(const struct mm_state *state, int levels, struct mm_error *error)
{
    if (levels < 1 || levels > MM_LEVELS_MAX)
        return mm_fail(error, MM_ERROR_INPUT, "the state has %d levels; allowed are 1 to %d", levels,
                       MM_LEVELS_MAX);
    for (int n = 0; n < levels; n++)
        for (int m = 0; m <= n; m++)
            if (!isfinite(element(state, n, m)))
                return mm_fail(error, MM_ERROR_INPUT, "element (%d, %d) of the state is %g; it must be finite", n,
                               m, element(state, n, m));
    return MM_OK;
}

/* Counts the terms of every diagonal. */
static mm_status count_terms(struct mm_wigner_series *series, const struct mm_state *state, struct mm_error *error)
{
    double levels = series->levels;
    double threshold = LARGEST_DROPPED_SUM / (levels * levels);
    series->first = calloc((size_t)series->levels + 1, sizeof *series->first);
    if (series->first == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory for the diagonals of %d levels", series->levels);
    for (int d = 0; d < series->levels; d++) {
        int count = live_terms(state, series->levels, d, threshold);
        series->first[d + 1] = series->first[d] + (size_t)count;
        if (count > 0)
            series->diagonals = d + 1;
    }
    return MM_OK;
}

static void fill_diagonal(struct mm_wigner_series *series, const struct mm_state *state, int d)
{
    struct mm_wigner_term *terms = series->terms + series->first[d];
    size_t count = series->first[d + 1] - series->first[d];
    double scale = 1.0;
    for (size_t m = 0; m < count; m++) {
        double sign = m % 2 == 0 ? 1.0 : -1.0;
        double weight = (d == 0 ? 1.0 : 2.0) / M_PI * sign * element(state, (int)m + d, (int)m);
        double slope = scale * scale;
        terms[m] = (struct mm_wigner_term){weight * scale, (2.0 * (double)m + 1.0 + d) * slope, slope};
        scale = 1.0 / (sqrt((double)(m + 1) * ((double)(m + 1) + d)) * scale);
    }
}

mm_status mm_wigner_series_create(struct mm_wigner_series *series, const struct mm_state *state,
                                  struct mm_error *error)
{
    *series = (struct mm_wigner_series){.levels = state->levels};
    mm_status status = check_state(state, series->levels, error);
    if (status == MM_OK)
        status = count_terms(series, state, error);
    if (status != MM_OK)
        return status;
    size_t count = series->first[series->diagonals];
    series->terms = malloc((count + 1) * sizeof *series->terms); /* + 1: never an empty request */
    if (series->terms == NULL) {
        mm_wigner_series_free(series);
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory for a series of %zu terms", count);
    }
    for (int d = 0; d < series->diagonals; d++)
        fill_diagonal(series, state, d);
    return MM_OK;
}

void mm_wigner_series_free(struct mm_wigner_series *series)
{
    free(series->first);
    free(series->terms);
    *series = (struct mm_wigner_series){0};
}
