/* twisted_loops.h - eigenvectors of a tridiagonal matrix by twisted factorisations, included once per instruction
 * set.
 *
 * T + sigma = L D L^T with positive pivots D determines small eigenvalues as well, relative to their own size, as
 * large ones. For an eigenvalue lambda of it the factorisations from the top and from the bottom,
 *
 *   L D L^T - lambda = L_+ D_+ L_+^T = U_- D_- U_-^T,
 *
 * are formed by differences (dstqds and dqds: Dhillon and Parlett, Linear Algebra Appl. 387, 1 (2004)), so that
 * this holds for them too, and meet in the row where their twisted pivot gamma is smallest. From there the
 * eigenvector follows by multiplications alone, orthogonal to the others up to rounding over the relative gap, and
 * gamma / |z|^2 is what is still missing in lambda (Rayleigh's quotient). Lanes are eigenvalues: two vectors of
 * them at once, since every row waits for a division.
 */
#include <stdbool.h>

#include "base/lanes.h"
#include "solver/spectrum.h"
#include "spectrum/tridiagonal.h"

enum { TWISTED_VECTORS = 2, TWISTED_LANES = TWISTED_VECTORS * MM_VECTOR_LENGTH };

typedef mm_lane mm_mask __attribute__((vector_size(MM_VECTOR_BYTES)));

MM_INLINE mm_vector select_lanes(mm_mask mask, mm_vector chosen, mm_vector other)
{
    return (mm_vector)((mask & (mm_mask)chosen) | (~mask & (mm_mask)other));
}

/** Factorisations of some eigenvalues in the scratch memory: a row of lanes for every level. */
struct twisted {
    const struct mm_twisted *target;
    double *lower; /* L_+ */
    double *upper; /* U_- */
    double *top;   /* what the two give to gamma */
    double *bottom;
};

/** Both factorisations, the one from the top down and the other from the bottom up, side by side. */
static void factorise(const struct twisted *twisted, const double *lambdas)
{
    const struct mm_twisted *target = twisted->target;
    const int last = target->levels - 1;
    mm_vector lambda[TWISTED_VECTORS], top[TWISTED_VECTORS], bottom[TWISTED_VECTORS];
    for (int v = 0; v < TWISTED_VECTORS; v++) {
        lambda[v] = load(lambdas + v * MM_VECTOR_LENGTH);
        top[v] = -lambda[v];
        bottom[v] = target->pivots[last] - lambda[v];
    }
    for (int i = 0; i < last; i++) {
        const int j = last - 1 - i;
        for (int v = 0; v < TWISTED_VECTORS; v++) {
            const size_t down = (size_t)i * TWISTED_LANES + (size_t)v * MM_VECTOR_LENGTH;
            const size_t up = (size_t)j * TWISTED_LANES + (size_t)v * MM_VECTOR_LENGTH;
            const mm_vector lower = target->products[i] / (top[v] + target->pivots[i] + MM_TWISTED_PIVOT);
            const mm_vector ratio = target->pivots[j] / (bottom[v] + target->squares[j] + MM_TWISTED_PIVOT);
            store(twisted->lower + down, lower);
            store(twisted->upper + up, ratio * target->ratios[j]);
            store(twisted->top + down, top[v]);
            store(twisted->bottom + up, bottom[v] * ratio);
            top[v] = lower * target->ratios[i] * top[v] - lambda[v];
            bottom[v] = bottom[v] * ratio - lambda[v];
        }
    }
    const mm_vector zero = {0};
    for (int v = 0; v < TWISTED_VECTORS; v++) {
        const size_t row = (size_t)last * TWISTED_LANES + (size_t)v * MM_VECTOR_LENGTH;
        store(twisted->lower + row, zero);
        store(twisted->top + row, top[v]);
        store(twisted->bottom + row, zero + target->pivots[last]);
    }
}

/** Where some lanes are twisted: the row of the smallest |gamma|. */
struct twist {
    mm_vector row;
    mm_vector gamma;
};

MM_INLINE struct twist find_twist(const struct twisted *twisted, int lane)
{
    const mm_vector zero = {0};
    struct twist twist = {zero, zero + INFINITY};
    mm_vector least = twist.gamma;
    for (int i = 0; i < twisted->target->levels; i++) {
        const size_t place = (size_t)i * TWISTED_LANES + (size_t)lane;
        const mm_vector gamma = load(twisted->top + place) + load(twisted->bottom + place);
        const mm_vector size = select_lanes(gamma < zero, -gamma, gamma);
        const mm_mask smaller = size < least;
        least = select_lanes(smaller, size, least);
        twist.gamma = select_lanes(smaller, gamma, twist.gamma);
        twist.row = select_lanes(smaller, zero + (double)i, twist.row);
    }
    return twist;
}

MM_INLINE mm_vector flush(mm_vector element)
{
    const mm_vector zero = {0}, smallest = zero + MM_TWISTED_SMALLEST;
    return (mm_vector)((mm_mask)element & ((element > smallest) | (element < -smallest)));
}

/** The vectors of some lanes, 1 where they are twisted; returns their squares. */
MM_INLINE mm_vector fill_vectors(const struct twisted *twisted, int lane, mm_vector row, double *vectors)
{
    const int last = twisted->target->levels - 1;
    const size_t stride = twisted->target->stride;
    const mm_vector zero = {0}, one = zero + 1.0;
    mm_vector element = zero, square = zero;
    for (int i = last; i >= 0; i--) {
        const mm_vector lower = load(twisted->lower + (size_t)i * TWISTED_LANES + (size_t)lane);
        element = select_lanes(row == zero + (double)i, one, flush(-lower * element));
        store(vectors + (size_t)i * stride, element);
        square += element * element;
    }
    element = select_lanes(row == zero, one, zero);
    for (int i = 1; i <= last; i++) {
        double *place = vectors + (size_t)i * stride;
        element = flush(-load(twisted->upper + (size_t)(i - 1) * TWISTED_LANES + (size_t)lane) * element);
        store(place, load(place) + element);
        square += element * element;
        element = select_lanes(row == zero + (double)i, one, element);
    }
    return square;
}

/** Eigenvectors of some lanes; *lambdas are brought nearer to their eigenvalues. Returns whether they had been near
 * enough. */
static bool refine(const struct twisted *twisted, double *lambdas, double *vectors, double *squares)
{
    bool near = true;
    factorise(twisted, lambdas);
    for (int lane = 0; lane < TWISTED_LANES; lane += MM_VECTOR_LENGTH) {
        const struct twist twist = find_twist(twisted, lane);
        const mm_vector square = fill_vectors(twisted, lane, twist.row, vectors + lane);
        const mm_vector missing = twist.gamma / square;
        store(squares + lane, square);
        for (int i = 0; i < MM_VECTOR_LENGTH; i++) {
            near = near && fabs(missing[i]) <= MM_TWISTED_TOLERANCE * lambdas[lane + i];
            lambdas[lane + i] += missing[i];
        }
    }
    return near;
}

/** Multiplies the vectors of some lanes, whose squares are given, to their length. */
static void scale_vectors(const struct mm_twisted *target, int first, const double *squares)
{
    double scales[TWISTED_LANES] __attribute__((aligned(64)));
    for (int i = 0; i < TWISTED_LANES; i++)
        scales[i] = target->lengths[first + i] / sqrt(squares[i]);
    for (int row = 0; row < target->levels; row++)
        for (int lane = 0; lane < TWISTED_LANES; lane += MM_VECTOR_LENGTH) {
            double *place = target->vectors + (size_t)row * target->stride + (size_t)(first + lane);
            store(place, load(place) * load(scales + lane));
        }
}

static bool twisted_vectors(const struct mm_twisted *target)
{
    const size_t size = (size_t)target->levels * TWISTED_LANES;
    const struct twisted twisted = {target, target->scratch, target->scratch + size, target->scratch + 2 * size,
                                    target->scratch + 3 * size};
    double squares[TWISTED_LANES] __attribute__((aligned(64)));
    for (int first = 0; first < target->count; first += TWISTED_LANES) {
        int passes = 1;
        while (!refine(&twisted, target->values + first, target->vectors + first, squares))
            if (++passes > MM_TWISTED_PASSES)
                return false;
        scale_vectors(target, first, squares);
    }
    return true;
}
