/* channel_power.c - many identical collisions at once, by powers of the channel as a matrix.
 *
 * On the D = N (N+1) / 2 elements of the lower triangle (D = N where the state is diagonal) a collision is a matrix
 * with at most seven entries a row (collision.h). Its powers Phi, Phi^2, Phi^4, .. follow by squaring, and k
 * collisions are the product of those whose bit is set in k:
 *
 *     powers    one squaring 2 D^3 operations, of which log2(k) are needed once, and D^2 elements read for each set
 *               bit of each of the stretches between two wanted states
 *     stencil   about twelve operations an element and collision, D k in all
 *
 * so powers win where the space is small and the stretches are long. All elements are kept: nothing is dropped,
 * which is why the whole space and not the live window is the basis.
 *
 * Rounding. Squaring doubles the relative error of a power, so that Phi^k is off by at most about k times the
 * rounding of one product, as k collisions one by one are. What would grow is the trace, since its eigenvalue is 1
 * and all others are smaller: each power's columns are set right, to the trace they must give. 2^18 collisions at
 * once keep the bound below 1e-10.
 */
#include <cblas.h>
#include <stdlib.h>
#include <string.h>

#include "channel_power.h"
#include "collision.h"
#include "memory.h"

enum { LARGEST_DIMENSION = 256 }; /* of the matrices: half a megabyte each */

/* Costs in nanoseconds on one core of 2020, of which only the ratios matter. */
static const double COLLISION = 50.0;        /* a collision one by one, */
static const double COLLISION_ELEMENT = 0.6; /* and its share of an element */
static const double PRODUCT_TERM = 0.12;     /* a multiply-add of a matrix product */
static const double APPLY = 200.0;           /* a power taken to a state, */
static const double APPLY_TERM = 0.25;       /* and its share of a matrix element */
static const double MARGIN = 0.5;            /* powers are taken where they cost less than this share */

static size_t dimension_of(int levels, bool diagonal)
{
    const size_t n = (size_t)levels;
    return diagonal ? n : n * (n + 1) / 2;
}

static int bits_of(int64_t collisions)
{
    int bits = 0;
    while (collisions >> bits > 1 && bits < MM_POWER_BITS)
        bits++;
    return bits;
}

bool mm_channel_powers_pay(int levels, bool diagonal, int64_t collisions, int64_t stops)
{
    const size_t dimension = dimension_of(levels, diagonal);
    if (dimension > LARGEST_DIMENSION)
        return false;
    const double d = (double)dimension;
    const double strides = (double)stops + (double)(collisions >> MM_POWER_BITS);
    const double one_by_one = (double)collisions * (COLLISION + COLLISION_ELEMENT * d);
    const double squarings = bits_of(collisions) * PRODUCT_TERM * d * d * d;
    const double applied = strides * 0.5 * bits_of(collisions / (stops + 1)) * (APPLY + APPLY_TERM * d * d);
    return squarings + applied < MARGIN * one_by_one;
}

/* Place of element (n, m) in the packed state. */
static size_t place(const struct mm_channel_powers *powers, int n, int m)
{
    if (powers->diagonal)
        return (size_t)n;
    const size_t row = (size_t)(n > m ? n : m), column = (size_t)(n > m ? m : n);
    return row * (row + 1) / 2 + column;
}

/* Adds what R_nm' contributes to the new element in `row`; elements outside the space are zero. */
static void add_term(const struct mm_channel_powers *powers, double *row, int n, int m, double coefficient)
{
    if (n >= 0 && m >= 0 && n < powers->levels && m < powers->levels)
        row[place(powers, n, m)] += coefficient;
}

/* One row of the matrix: the stencil of collision.h at (n, m). */
static void fill_row(const struct mm_channel_powers *powers, double g, struct mm_qubit qubit, int n, int m,
                     double *row)
{
    const int levels = powers->levels;
    const double cn = mm_collision_cos(g, n, levels), cn1 = mm_collision_cos(g, n + 1, levels);
    const double cm = mm_collision_cos(g, m, levels), cm1 = mm_collision_cos(g, m + 1, levels);
    const double sn = mm_collision_sin(g, n, levels), sn1 = mm_collision_sin(g, n + 1, levels);
    const double sm = mm_collision_sin(g, m, levels), sm1 = mm_collision_sin(g, m + 1, levels);
    add_term(powers, row, n, m, qubit.excited * cn1 * cm1 + qubit.ground * cn * cm);
    add_term(powers, row, n - 1, m - 1, qubit.excited * sn * sm);
    add_term(powers, row, n + 1, m + 1, qubit.ground * sn1 * sm1);
    if (powers->diagonal)
        return;
    add_term(powers, row, n, m - 1, qubit.coherence * cn * sm);
    add_term(powers, row, n - 1, m, qubit.coherence * sn * cm);
    add_term(powers, row, n + 1, m, -qubit.coherence * sn1 * cm1);
    add_term(powers, row, n, m + 1, -qubit.coherence * cn1 * sm1);
}

/* Makes every column of a power give the trace that its element has: 1 on the diagonal, 0 beside it. The largest
 * population that comes of it takes the difference, which is rounding. */
static void repair_trace(const struct mm_channel_powers *powers, double *power)
{
    for (int i = 0; i < powers->levels; i++)
        for (int j = powers->diagonal ? i : 0; j <= i; j++) {
            const size_t column = place(powers, i, j);
            double excess = i == j ? -1.0 : 0.0;
            double *largest = NULL;
            for (int n = 0; n < powers->levels; n++) {
                double *population = &power[place(powers, n, n) * powers->dimension + column];
                excess += *population;
                if (largest == NULL || fabs(*population) > fabs(*largest))
                    largest = population;
            }
            *largest -= excess;
        }
}

mm_status mm_channel_powers_open(struct mm_channel_powers *powers, double g, const struct mm_qubit *qubit,
                                 int levels, bool diagonal, struct mm_error *error)
{
    *powers = (struct mm_channel_powers){.levels = levels, .diagonal = diagonal};
    const size_t dimension = powers->dimension = dimension_of(levels, diagonal);
    powers->elements = mm_allocate_doubles(2 * dimension);
    powers->powers[0] = mm_allocate_doubles(dimension * dimension);
    if (powers->elements == NULL || powers->powers[0] == NULL) {
        mm_channel_powers_close(powers);
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for the channel as a matrix of %zu rows", dimension);
    }
    for (int n = 0; n < levels; n++)
        for (int m = diagonal ? n : 0; m <= n; m++)
            fill_row(powers, g, *qubit, n, m, powers->powers[0] + place(powers, n, m) * dimension);
    repair_trace(powers, powers->powers[0]);
    powers->count = 1;
    return MM_OK;
}

void mm_channel_powers_close(struct mm_channel_powers *powers)
{
    for (int j = 0; j <= MM_POWER_BITS; j++)
        free(powers->powers[j]);
    free(powers->elements);
    *powers = (struct mm_channel_powers){0};
}

/* Makes the next power by squaring the last one. */
static mm_status square(struct mm_channel_powers *powers, struct mm_error *error)
{
    const size_t dimension = powers->dimension;
    const int n = (int)dimension;
    const double *last = powers->powers[powers->count - 1];
    double *next = mm_allocate_doubles(dimension * dimension);
    if (next == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for a power of the channel, %zu rows", dimension);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1.0, last, n, last, n, 0.0, next, n);
    repair_trace(powers, next);
    powers->powers[powers->count++] = next;
    return MM_OK;
}

static void pack(const struct mm_channel_powers *powers, const struct mm_state *state, double *elements)
{
    const size_t levels = (size_t)powers->levels;
    for (int n = 0; n < powers->levels; n++)
        for (int m = powers->diagonal ? n : 0; m <= n; m++)
            elements[place(powers, n, m)] = state->density[(size_t)n * levels + (size_t)m];
}

static void unpack(const struct mm_channel_powers *powers, const double *elements, struct mm_state *state)
{
    const size_t levels = (size_t)powers->levels;
    for (int n = 0; n < powers->levels; n++)
        for (int m = powers->diagonal ? n : 0; m <= n; m++) {
            const double element = elements[place(powers, n, m)];
            state->density[(size_t)n * levels + (size_t)m] = element;
            state->density[(size_t)m * levels + (size_t)n] = element;
        }
}

mm_status mm_channel_powers_apply(struct mm_channel_powers *powers, int64_t collisions, struct mm_state *state,
                                  struct mm_error *error)
{
    const int n = (int)powers->dimension;
    double *from = powers->elements, *to = powers->elements + powers->dimension;
    pack(powers, state, from);
    for (int j = 0; collisions >> j != 0; j++) {
        mm_status status = j < powers->count ? MM_OK : square(powers, error);
        if (status != MM_OK)
            return status;
        if ((collisions >> j & 1) == 0)
            continue;
        cblas_dgemv(CblasRowMajor, CblasNoTrans, n, n, 1.0, powers->powers[j], n, from, 1, 0.0, to, 1);
        double *reached = to;
        to = from;
        from = reached;
        const double top = from[place(powers, powers->levels - 1, powers->levels - 1)];
        state->truncation_population = fmax(state->truncation_population, top);
    }
    unpack(powers, from, state);
    state->collisions += collisions;
    return MM_OK;
}
