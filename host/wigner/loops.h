/* loops.h - the loops of the Wigner function, included once per instruction set (wigner/loops_*.c).
 *
 * The includer defines MM_VECTOR_LENGTH (doubles a vector) and MM_GROUP_VECTORS (vectors that advance together).
 * Lanes are points. A term of the series costs three multiply-adds a point, and reads 24 bytes for the whole group:
 * with four vectors a group the multiply-adds are the limit, not the loads, and the vectors hide their latency.
 *
 * Range. phi_0 = exp(-t/2) t^(d/2) / sqrt(d!) underflows far from the origin, where P_m = phi_m / (phi_0 s_m)
 * overflows. Each is kept with a power of 2^256 of its own: every FOLD_TERMS terms a P_m beyond 2^256 is divided by
 * it, with the sum so far. Within the coordinates allowed (t <= 1.6e5) P_m grows by less than t^16 / 16! < 2^256
 * between two folds, so nothing overflows; phi_0, the sum and their powers together give a part of W, of order one.
 */
#include <math.h>
#include <stdint.h>

#include "wigner/wigner.h"

enum {
    GROUP = MM_GROUP_VECTORS * MM_VECTOR_LENGTH, /* points that advance together */
    FOLD_TERMS = 16,
    FOLD_BITS = 256,
    UNFOLDED_LEVELS = 512, /* P_m <= exp(t/2) 2^((m+d)/2) / s_m: below both limits it stays under 1e255 */
    UNFOLDED_T = 800,
};

typedef double lanes __attribute__((vector_size(8 * MM_VECTOR_LENGTH)));
typedef int64_t integers __attribute__((vector_size(8 * MM_VECTOR_LENGTH)));

/* Advances phi_0 z^d / |z|^d, which is exp(-t/2) z^d / sqrt(d!), as value * 2^(FOLD_BITS * power). */
struct angular {
    lanes z_real;
    lanes z_imaginary;
    lanes real;
    lanes imaginary;
    integers power;
};

/* The sum over the terms of a diagonal, as value * 2^(FOLD_BITS * power). */
struct radial {
    lanes sum;
    integers power;
};

/* A group of points and their sums. */
struct group {
    lanes t[MM_GROUP_VECTORS];
    struct angular angular[MM_GROUP_VECTORS];
    lanes sums[MM_WIGNER_SUMS][MM_GROUP_VECTORS];
    size_t fold_terms; /* terms between two folds */
};

static inline lanes choose(integers mask, lanes yes, lanes no)
{
    return (lanes)((mask & (integers)yes) | (~mask & (integers)no));
}

static inline lanes magnitude(lanes value)
{
    return (lanes)((integers)value & INT64_MAX);
}

/* Splits exp(-t/2) into a value near one and a power. */
static void split_exponential(const lanes *t, lanes *value, integers *power)
{
    for (int i = 0; i < MM_VECTOR_LENGTH; i++) {
        double bits = -0.5 * M_LOG2E * (*t)[i];
        double folds = rint(bits / FOLD_BITS);
        (*value)[i] = exp2(bits - FOLD_BITS * folds);
        (*power)[i] = (int64_t)folds;
    }
}

static void start_group(struct group *group, int levels, const double *x, const double *p)
{
    double largest_t = 0.0;
    *group = (struct group){0};
    for (int v = 0; v < MM_GROUP_VECTORS; v++) {
        struct angular *angular = &group->angular[v];
        for (int i = 0; i < MM_VECTOR_LENGTH; i++) {
            angular->z_real[i] = -M_SQRT2 * p[v * MM_VECTOR_LENGTH + i];
            angular->z_imaginary[i] = M_SQRT2 * x[v * MM_VECTOR_LENGTH + i];
        }
        group->t[v] = angular->z_real * angular->z_real + angular->z_imaginary * angular->z_imaginary;
        split_exponential(&group->t[v], &angular->real, &angular->power);
        for (int i = 0; i < MM_VECTOR_LENGTH; i++)
            largest_t = fmax(largest_t, group->t[v][i]);
    }
    group->fold_terms = largest_t <= UNFOLDED_T && levels <= UNFOLDED_LEVELS ? SIZE_MAX : FOLD_TERMS;
}

/* From d - 1 to d. */
static inline void advance_angular(struct angular *angular, double inverse_root_d)
{
    lanes real = angular->real * angular->z_real - angular->imaginary * angular->z_imaginary;
    lanes imaginary = angular->real * angular->z_imaginary + angular->imaginary * angular->z_real;
    lanes size = magnitude(real) + magnitude(imaginary);
    lanes one = size * 0.0 + 1.0;
    integers large = size > 0x1p256;
    integers small = size < 0x1p-256;
    lanes scale = choose(large, one * 0x1p-256, choose(small, one * 0x1p256, one)) * inverse_root_d;
    angular->real = real * scale;
    angular->imaginary = imaginary * scale;
    angular->power += small - large; /* true is -1 */
}

static inline void fold(lanes *present, lanes *previous, struct radial *radial)
{
    integers large = magnitude(*present) > 0x1p256;
    lanes one = *present * 0.0 + 1.0;
    lanes scale = choose(large, one * 0x1p-256, one);
    *present *= scale;
    *previous *= scale;
    radial->sum *= scale;
    radial->power -= large;
}

/* Sums the series of one diagonal at all points of the group. */
static inline void sum_terms(size_t count, const struct mm_wigner_term *terms, const struct group *group,
                             struct radial *radial)
{
    lanes present[MM_GROUP_VECTORS];
    lanes previous[MM_GROUP_VECTORS];
    for (int v = 0; v < MM_GROUP_VECTORS; v++) {
        radial[v] = (struct radial){0};
        previous[v] = (lanes){0};
        present[v] = previous[v] + 1.0;
    }
    for (size_t first = 0; first < count;) {
        size_t last = count - first > group->fold_terms ? first + group->fold_terms : count;
        for (size_t m = first; m < last; m++)
            for (int v = 0; v < MM_GROUP_VECTORS; v++) {
                lanes next = (terms[m].constant - terms[m].slope * group->t[v]) * present[v] - previous[v];
                radial[v].sum += terms[m].weight * present[v];
                previous[v] = present[v];
                present[v] = next;
            }
        for (int v = 0; last < count && v < MM_GROUP_VECTORS; v++)
            fold(&present[v], &previous[v], &radial[v]);
        first = last;
    }
}

/* 2^(FOLD_BITS * power), or 0 where that makes any product of a sum and a phi_0 vanish. */
static inline lanes unfold(integers power)
{
    enum { BIAS = 1023, MANTISSA_BITS = 52, SMALLEST = -3 };
    integers exponent = (power * FOLD_BITS + BIAS) << MANTISSA_BITS;
    return (lanes)(exponent & (power >= SMALLEST));
}

/* Adds diagonal d to the sums. */
static inline void add_diagonal(struct group *group, int d, const struct radial *radial)
{
    static const enum mm_wigner_sum which[] = {MM_WIGNER_EVEN, MM_WIGNER_ODD, MM_WIGNER_QUARTER, MM_WIGNER_ODD};
    lanes *real = group->sums[which[d % 4]];
    lanes *turned = group->sums[MM_WIGNER_TURNED];
    double turn = d % 2 == 0 ? 0.0 : d % 4 == 3 ? 1.0 : -1.0;
    for (int v = 0; v < MM_GROUP_VECTORS; v++) {
        const struct angular *angular = &group->angular[v];
        lanes scale = unfold(angular->power + radial[v].power);
        real[v] += radial[v].sum * angular->real * scale;
        turned[v] += turn * (radial[v].sum * angular->imaginary * scale);
    }
}

static void sum_group(const struct mm_wigner_series *series, const double *x, const double *p, double *sums)
{
    struct group group;
    struct radial radial[MM_GROUP_VECTORS];
    start_group(&group, series->levels, x, p);
    for (int d = 0; d < series->diagonals; d++) {
        size_t count = series->first[d + 1] - series->first[d];
        for (int v = 0; d > 0 && v < MM_GROUP_VECTORS; v++)
            advance_angular(&group.angular[v], 1.0 / sqrt(d));
        if (count == 0)
            continue;
        sum_terms(count, series->terms + series->first[d], &group, radial);
        add_diagonal(&group, d, radial);
    }
    for (int sum = 0; sum < MM_WIGNER_SUMS; sum++)
        for (int v = 0; v < MM_GROUP_VECTORS; v++)
            *(lanes *)(sums + sum * MM_WIGNER_TILE + v * MM_VECTOR_LENGTH) = group.sums[sum][v];
}

static void tile(const struct mm_wigner_series *series, const double *x, const double *p, double *sums)
{
    for (int first = 0; first < MM_WIGNER_TILE; first += GROUP)
        sum_group(series, x + first, p + first, sums + first);
}
