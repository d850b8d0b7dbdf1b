/* points.c - the few points of a grid at which a Wigner function has to be summed.
 *
 * The radial functions depend on x^2 + p^2 alone and the angular ones are even or odd under every reflection and
 * quarter turn, so the sums at (|x|, |p|) give up to eight values (wigner/wigner.h). For axes symmetric about 0
 * that leaves a quarter of the points, for equal ones an eighth; for any other grid the same code needs every
 * point.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "wigner/wigner.h"

/* ------------------------------------------------------------------------------------------- half axes */

struct numbered {
    double magnitude;
    size_t number;
};

static int by_magnitude(const void *first, const void *second)
{
    const struct numbered *one = first;
    const struct numbered *other = second;
    if (one->magnitude != other->magnitude)
        return one->magnitude < other->magnitude ? -1 : 1;
    return one->number < other->number ? -1 : 1;
}

static void free_half_axis(struct mm_half_axis *half)
{
    free(half->magnitude);
    free(half->first);
    free(half->member);
    *half = (struct mm_half_axis){0};
}

static mm_status check_axis(const char *name, size_t count, const double *axis, struct mm_error *error)
{
    if (count < 1 || count > MM_WIGNER_POINTS_MAX)
        return mm_fail(error, MM_ERROR_INPUT, "the grid has %zu points of %s; allowed are 1 to %d", count, name,
                       MM_WIGNER_POINTS_MAX);
    for (size_t i = 0; i < count; i++)
        if (!(fabs(axis[i]) <= MM_WIGNER_COORDINATE_MAX))
            return mm_fail(error, MM_ERROR_INPUT, "point %zu of %s is %g; allowed are -%d to %d", i, name, axis[i],
                           MM_WIGNER_COORDINATE_MAX, MM_WIGNER_COORDINATE_MAX);
    return MM_OK;
}

/* Groups sorted points by their magnitude. */
static void group(struct mm_half_axis *half, size_t count, const struct numbered *sorted)
{
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || sorted[i].magnitude != sorted[i - 1].magnitude) {
            half->magnitude[half->count] = sorted[i].magnitude;
            half->first[half->count++] = i;
        }
        half->member[i] = sorted[i].number;
    }
    half->first[half->count] = count;
}

static mm_status halve_axis(struct mm_half_axis *half, const char *name, size_t count, const double *axis,
                            struct mm_error *error)
{
    mm_status status = check_axis(name, count, axis, error);
    if (status != MM_OK)
        return status;
    struct numbered *sorted = malloc(count * sizeof *sorted);
    half->magnitude = malloc(count * sizeof *half->magnitude);
    half->first = malloc((count + 1) * sizeof *half->first);
    half->member = malloc(count * sizeof *half->member);
    if (sorted == NULL || half->magnitude == NULL || half->first == NULL || half->member == NULL) {
        free(sorted);
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory for %zu points of %s", count, name);
    }
    for (size_t i = 0; i < count; i++)
        sorted[i] = (struct numbered){fabs(axis[i]), i};
    qsort(sorted, count, sizeof *sorted, by_magnitude);
    group(half, count, sorted);
    free(sorted);
    return MM_OK;
}

/* --------------------------------------------------------------------------------------------- points */

mm_status mm_wigner_points_create(struct mm_wigner_points *points, const struct mm_wigner_grid *grid,
                                  struct mm_error *error)
{
    *points = (struct mm_wigner_points){0};
    struct mm_half_axis *x = &points->x;
    struct mm_half_axis *p = &points->p;
    mm_status status = halve_axis(x, "x", grid->x_count, grid->x, error);
    if (status == MM_OK)
        status = halve_axis(p, "p", grid->p_count, grid->p, error);
    if (status != MM_OK) {
        mm_wigner_points_free(points);
        return status;
    }
    points->shared =
        x->count == p->count && memcmp(x->magnitude, p->magnitude, x->count * sizeof *x->magnitude) == 0;
    points->count = points->shared ? x->count * (x->count + 1) / 2 : x->count * p->count;
    return MM_OK;
}

void mm_wigner_points_free(struct mm_wigner_points *points)
{
    free_half_axis(&points->x);
    free_half_axis(&points->p);
    *points = (struct mm_wigner_points){0};
}

/* A pair of magnitudes. */
struct place {
    size_t j; /* of x */
    size_t k; /* of p */
};

static struct place find_place(const struct mm_wigner_points *points, size_t number)
{
    if (!points->shared)
        return (struct place){number / points->p.count, number % points->p.count};
    size_t j = (size_t)((sqrt(8.0 * (double)number + 1.0) - 1.0) / 2.0); /* number = j (j + 1) / 2 + k, k <= j */
    while (j * (j + 1) / 2 > number)
        j--;
    while ((j + 1) * (j + 2) / 2 <= number)
        j++;
    return (struct place){j, number - j * (j + 1) / 2};
}

static struct place next_place(const struct mm_wigner_points *points, struct place place)
{
    size_t last = points->shared ? place.j : points->p.count - 1;
    return place.k < last ? (struct place){place.j, place.k + 1} : (struct place){place.j + 1, 0};
}

void mm_wigner_points_get(const struct mm_wigner_points *points, size_t first, double *x, double *p)
{
    struct place place = find_place(points, first);
    for (size_t i = 0; i < MM_WIGNER_TILE; i++) {
        x[i] = points->x.magnitude[place.j];
        p[i] = points->p.magnitude[place.k];
        if (first + i + 1 < points->count)
            place = next_place(points, place);
    }
}

/* Sets W = common + odd sign(p) at all points of one pair of magnitudes. */
static void put_pair(const struct mm_wigner_points *points, const struct mm_wigner_grid *grid, struct place place,
                     double common, double odd, double *wigner)
{
    for (size_t a = points->x.first[place.j]; a < points->x.first[place.j + 1]; a++)
        for (size_t b = points->p.first[place.k]; b < points->p.first[place.k + 1]; b++) {
            size_t column = points->p.member[b];
            wigner[points->x.member[a] * grid->p_count + column] =
                grid->p[column] < 0.0 ? common - odd : common + odd;
        }
}

void mm_wigner_points_put(const struct mm_wigner_points *points, const struct mm_wigner_grid *grid, size_t first,
                          const double *sums, double *wigner)
{
    const double *even = sums + MM_WIGNER_EVEN * MM_WIGNER_TILE;
    const double *quarter = sums + MM_WIGNER_QUARTER * MM_WIGNER_TILE;
    const double *odd = sums + MM_WIGNER_ODD * MM_WIGNER_TILE;
    const double *turned = sums + MM_WIGNER_TURNED * MM_WIGNER_TILE;
    struct place place = find_place(points, first);
    for (size_t i = 0; i < MM_WIGNER_TILE && first + i < points->count; i++) {
        put_pair(points, grid, place, even[i] + quarter[i], odd[i], wigner);
        if (points->shared && place.j != place.k)
            put_pair(points, grid, (struct place){place.k, place.j}, even[i] - quarter[i], turned[i], wigner);
        place = next_place(points, place);
    }
}
