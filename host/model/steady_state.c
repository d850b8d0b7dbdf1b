/* steady_state.c - trapping chambers, the coherent steady state, and how long a metastable state lives.
 *
 * Chambers. An excited qubit lifts |n-1> to |n> with probability sin^2(g sqrt n), which vanishes where g sqrt n is
 * a multiple Q of pi. For any g the borders lie at m + epsilon = (Q pi / g)^2 with integer m and
 * -0.5 < epsilon <= 0.5 (Eq. 9); epsilon = 0 is a wall (Eq. 7), any other a leak.
 *
 * Steady state (Eq. 8), for c = 1 and all n < m:
 *
 *     rho_nn = (1-q)/q cot^2(g sqrt(n) / 2) rho_{n-1,n-1},
 *
 * which at the paper's Q = 1 is cot^2(pi sqrt(n) / (2 sqrt m)). Populations are kept as logarithms until they are
 * normalised, so that no q overflows.
 */
#include "model/steady_state.h"

#include <math.h>
#include <stdlib.h>

/* ---------------------------------------------------------------------------------------------- chambers */

/* The border of Q half turns; m < 1 or m >= levels where there is none. */
static struct mm_chamber_border border_of(double g, int Q)
{
    const double place = (Q * M_PI / g) * (Q * M_PI / g);
    struct mm_chamber_border border = {.Q = Q};
    if (place >= (double)MM_LEVELS_MAX) {
        border.m = MM_LEVELS_MAX;
        return border;
    }
    border.m = (int)ceil(place - 0.5); /* epsilon = 0.5 belongs to the lower m */
    border.epsilon = place - border.m;
    const double sine = sin(g * sqrt((double)border.m));
    border.leak = sine * sine;
    return border;
}

mm_status mm_chambers_find(double g, int levels, struct mm_chambers *chambers, struct mm_error *error)
{
    *chambers = (struct mm_chambers){.g = g, .levels = levels};
    chambers->borders = calloc((size_t)levels, sizeof *chambers->borders);
    if (chambers->borders == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for the chambers of %d levels", levels);
    const double coupling = fabs(g);
    /* (Q pi / g)^2 reaches every level at some Q <= g sqrt(levels) / pi */
    const double last = coupling * sqrt((double)levels) / M_PI + 1.0;
    for (int Q = 1; (double)Q <= last; Q++) {
        const struct mm_chamber_border border = border_of(coupling, Q);
        struct mm_chamber_border *before =
            chambers->border_count > 0 ? &chambers->borders[chambers->border_count - 1] : NULL;
        if (border.m < 1 || border.m >= levels)
            continue;
        if (before == NULL || before->m < border.m)
            chambers->borders[chambers->border_count++] = border;
        else if (fabs(border.epsilon) < fabs(before->epsilon))
            *before = border;
    }
    return MM_OK;
}

bool mm_chamber_is_fine_tuned(const struct mm_chamber_border *border)
{
    return border->leak < 1e-20;
}

int mm_chambers_levels(int levels, double g)
{
    enum { BORDERS = 4 };
    const double wanted = ceil((BORDERS * M_PI / g) * (BORDERS * M_PI / g)) + 1.0;
    if (levels != MM_LEVELS_AUTO)
        return levels;
    return wanted < MM_LEVELS_MAX ? (int)wanted : MM_LEVELS_MAX;
}

void mm_chambers_free(struct mm_chambers *chambers)
{
    free(chambers->borders);
    *chambers = (struct mm_chambers){0};
}

int mm_chambers_of_level(const struct mm_chambers *chambers, int level)
{
    int chamber = 0;
    while (chamber < chambers->border_count && level >= chambers->borders[chamber].m)
        chamber++;
    return chamber;
}

void mm_chambers_sum(const struct mm_chambers *chambers, size_t level_count, const double *populations,
                     double *sums)
{
    int chamber = 0;
    for (int i = 0; i <= chambers->border_count; i++)
        sums[i] = 0.0;
    for (size_t n = 0; n < level_count; n++) {
        while (chamber < chambers->border_count && n >= (size_t)chambers->borders[chamber].m)
            chamber++;
        sums[chamber] += populations[n];
    }
}

/* ------------------------------------------------------------------------------------------ steady state */

void mm_steady_populations(double g, int m, double q, double *populations)
{
    double largest = 0.0, sum = 0.0;
    if (q <= 0.0 || q >= 1.0) {
        for (int n = 0; n < m; n++)
            populations[n] = n == (q <= 0.0 ? m - 1 : 0);
        return;
    }
    populations[0] = 0.0;
    for (int n = 1; n < m; n++) {
        populations[n] = populations[n - 1] + log((1.0 - q) / q) - 2.0 * log(fabs(tan(0.5 * g * sqrt((double)n))));
        largest = fmax(largest, populations[n]);
    }
    for (int n = 0; n < m; n++)
        sum += populations[n] = exp(populations[n] - largest);
    for (int n = 0; n < m; n++)
        populations[n] /= sum;
}

/* ---------------------------------------------------------------------------------------------- lifetime */

/* Point of the plateau, or 0 if there is none. */
static size_t find_plateau(size_t count, const int64_t *k, const double *energies, int64_t from)
{
    size_t plateau = 0;
    double flattest = INFINITY;
    for (size_t i = 1; i + 1 < count; i++) {
        if (k[i] < from || k[i - 1] <= 0)
            continue;
        const double steepness =
            fabs((energies[i + 1] - energies[i - 1]) / (log((double)k[i + 1]) - log((double)k[i - 1])));
        if (steepness < flattest) {
            flattest = steepness;
            plateau = i;
        }
    }
    return plateau;
}

/* Where E crosses the edge of the band between a point inside and its neighbour outside. */
static double crossing(const struct mm_lifetime *found, const int64_t *k, const double *energies, size_t inside,
                       size_t outside)
{
    const double edge = found->energy + copysign(found->band, energies[outside] - found->energy);
    const double share = (edge - energies[inside]) / (energies[outside] - energies[inside]);
    return (double)k[inside] + share * (double)(k[outside] - k[inside]);
}

/* Least squares of E over k on the points first .. last. */
static double fit_slope(const int64_t *k, const double *energies, size_t first, size_t last)
{
    const double count = (double)(last - first + 1);
    double mean_k = 0.0, mean_energy = 0.0, products = 0.0, squares = 0.0;
    for (size_t i = first; i <= last; i++) {
        mean_k += (double)k[i] / count;
        mean_energy += energies[i] / count;
    }
    for (size_t i = first; i <= last; i++) {
        const double distance = (double)k[i] - mean_k;
        products += distance * (energies[i] - mean_energy);
        squares += distance * distance;
    }
    return squares > 0.0 ? products / squares : 0.0;
}

struct mm_lifetime mm_lifetime_find(size_t count, const int64_t *k, const double *energies, int64_t from,
                                    double width)
{
    struct mm_lifetime found = {0};
    const size_t plateau = find_plateau(count, k, energies, from);
    if (plateau == 0)
        return found;
    found.found = true;
    found.plateau = k[plateau];
    found.energy = energies[plateau];
    found.band = width * fabs(found.energy);
    size_t first = plateau, last = plateau;
    while (first > 0 && fabs(energies[first - 1] - found.energy) <= found.band)
        first--;
    while (last + 1 < count && fabs(energies[last + 1] - found.energy) <= found.band)
        last++;
    found.enters = first == 0 ? (double)k[0] : crossing(&found, k, energies, first, first - 1);
    found.leaves = last + 1 == count ? INFINITY : crossing(&found, k, energies, last, last + 1);
    found.lifetime = found.leaves - found.enters;
    found.slope = fit_slope(k, energies, plateau, last > plateau ? last : plateau + 1);
    found.rate = found.band > 0.0 ? fabs(found.slope) / found.band : 0.0;
    return found;
}
