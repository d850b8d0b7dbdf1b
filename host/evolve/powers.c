/* powers.c - many identical collisions at once, by powers of the channel as a matrix.
 *
 * On the D = L (L+1) / 2 elements of the lower triangle of L levels (D = L where the state is diagonal) a collision
 * is a matrix with at most seven entries a row (model/collision.h). Its powers Phi, Phi^2, Phi^4, .. follow by
 * squaring, and k collisions are the product of those whose bit is set in k. Counted:
 *
 *     powers    log2(k) squarings of 2 D^3 operations once, each reading 16 D^2 and writing 8 D^2 bytes, in cache;
 *               for each stretch between two wanted states as many products of 2 D^2 operations and 8 D^2 bytes as
 *               it has bits set
 *     stencil   twelve operations and 16 bytes an element of the live band, k times
 *
 * so powers win where D^2 log2(k) / 6 is well below k. Measured on one core with AVX-512, 10^6 collisions and 300
 * states wanted, c = 0.3, q = 0.2:
 *
 *     L = 16  (D = 136)     0.03 s by powers, 0.19 s by the stencil
 *     L = 27  (D = 378)     0.12 s by powers, 0.42 s by the stencil
 *     L = 64  (D = 2080)    18 squarings alone 6 s, 0.8 s by the stencil, whose band is narrower than the triangle
 *
 * Live block. What a power leaves out is left out of every collision in it, unseen, and so must be certified
 * beforehand. Outside the block lies what is not reached: the levels from L on where the border at L is closed,
 * that is where S_L = sin(g sqrt L) is zero to the rounding of its argument (a chamber of Eq. 7 at a fine-tuned g).
 * One collision takes the population w_e S_L^2 R_{L-1,L-1} across, and the trace norm of all it moves there or
 * correlates with there is at most
 *
 *     2 |S_L| sqrt(w_e R_{L-1,L-1}) + w_e S_L^2 R_{L-1,L-1},
 *
 * by the Cauchy-Schwarz inequality for the Hilbert-Schmidt norms of the two factors of U (R x sigma) U^dagger. That
 * is counted into band_error for every collision, with R_{L-1,L-1} <= 1, and so is what a state holds outside
 * already. Where no border is closed the state leaks upwards for ever: |R_nm| <= sqrt(R_nn R_mm) bounds the
 * coherences lost at the edge only by the square root of populations, which would have to stay below 1e-32 where
 * rounding leaves 1e-17, so that no smaller block than the whole space can be certified beforehand; the stencil,
 * which looks at its edges before every collision, needs no such bound. The same holds for a narrow band.
 *
 * Rounding. Squaring doubles the relative error of a power, so that Phi^k is off by at most about k times the
 * rounding of one product, as k collisions one by one are. What would grow is the trace, since its eigenvalue is 1
 * and all others are smaller: each power's columns are set right, to the trace they must give. 2^18 collisions at
 * once keep the bound below 1e-10.
 */
#include <cblas.h>
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "evolve/powers.h"
#include "model/collision.h"
#include "base/memory.h"

enum { LARGEST_DIMENSION = 384 }; /* of the matrices: a megabyte each */

/* Costs in nanoseconds on one core of 2020, of which only the ratios matter. */
static const double COLLISION = 100.0;       /* a collision one by one, */
static const double COLLISION_ELEMENT = 0.7; /* and its share of an element */
static const double PRODUCT_TERM = 0.06;     /* a multiply-add of a matrix product */
static const double APPLY = 200.0;           /* a power taken to a state, */
static const double APPLY_TERM = 0.3;        /* and its share of a matrix element */
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

int mm_closed_levels(double g, int levels)
{
    for (int n = 1; n < levels; n++)
        if (fabs(mm_collision_sin(g, n, levels)) <= DBL_EPSILON * fabs(g) * sqrt((double)n))
            return n;
    return levels;
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

/* One row of the matrix: the stencil of model/collision.h at (n, m). */
static void fill_row(const struct mm_channel_powers *powers, double g, struct mm_qubit qubit, int n, int m,
                     double *row)
{
    const int levels = powers->space;
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
    const int live = mm_closed_levels(g, levels);
    const double border = fabs(mm_collision_sin(g, live, levels));
    *powers = (struct mm_channel_powers){
        .space = levels,
        .levels = live,
        .diagonal = diagonal,
        .leak = 2.0 * border * sqrt(qubit->excited) + border * border * qubit->excited,
    };
    const size_t dimension = powers->dimension = dimension_of(live, diagonal);
    powers->elements = mm_allocate_doubles(2 * dimension);
    powers->powers[0] = mm_allocate_doubles(dimension * dimension);
    if (powers->elements == NULL || powers->powers[0] == NULL) {
        mm_channel_powers_close(powers);
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for the channel as a matrix of %zu rows", dimension);
    }
    for (int n = 0; n < live; n++)
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

/* Makes a state that has fewer levels than the live block as large as that: its space grows with it. */
static mm_status widen(struct mm_state *state, int levels, struct mm_error *error)
{
    if (state->levels >= levels)
        return MM_OK;
    const size_t width = (size_t)levels, before = (size_t)state->levels;
    double *density = mm_allocate_doubles(width * width);
    if (density == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for a density matrix of %d levels", levels);
    for (size_t n = 0; n < before; n++)
        memcpy(&density[n * width], &state->density[n * before], before * sizeof *density);
    free(state->density);
    state->density = density;
    state->levels = levels;
    return MM_OK;
}

/* Takes the live block out of a state and clears the rest of it; returns the sum of |elements| of the rest. */
static double pack(const struct mm_channel_powers *powers, struct mm_state *state, double *elements)
{
    const size_t levels = (size_t)state->levels;
    double rest = 0.0;
    for (int n = 0; n < powers->levels; n++)
        for (int m = powers->diagonal ? n : 0; m <= n; m++)
            elements[place(powers, n, m)] = state->density[(size_t)n * levels + (size_t)m];
    for (size_t n = (size_t)powers->levels; n < levels; n++)
        for (size_t m = 0; m <= n; m++) {
            rest += (n == m ? 1.0 : 2.0) * fabs(state->density[n * levels + m]);
            state->density[n * levels + m] = state->density[m * levels + n] = 0.0;
        }
    return rest;
}

static void unpack(const struct mm_channel_powers *powers, const double *elements, struct mm_state *state)
{
    const size_t levels = (size_t)state->levels;
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
    mm_status status = widen(state, powers->levels, error);
    if (status != MM_OK)
        return status;
    double *from = powers->elements, *to = powers->elements + powers->dimension;
    state->band_error += pack(powers, state, from) + (double)collisions * powers->leak;
    for (int j = 0; collisions >> j != 0; j++) {
        status = j < powers->count ? MM_OK : square(powers, error);
        if (status != MM_OK)
            return status;
        if ((collisions >> j & 1) == 0)
            continue;
        cblas_dgemv(CblasRowMajor, CblasNoTrans, n, n, 1.0, powers->powers[j], n, from, 1, 0.0, to, 1);
        double *reached = to;
        to = from;
        from = reached;
        if (powers->levels == powers->space)
            state->truncation_population =
                fmax(state->truncation_population, from[place(powers, powers->levels - 1, powers->levels - 1)]);
    }
    unpack(powers, from, state);
    state->collisions += collisions;
    return MM_OK;
}
