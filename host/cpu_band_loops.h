/* cpu_band_loops.h - the vector loops themselves, included once per instruction set (cpu_band_*.c).
 *
 * The includer defines MM_VECTOR_LENGTH (doubles a vector, a divisor of MM_COLUMN_BLOCK). Lanes are neighbouring
 * columns m .. m+length-1; the march goes down the diagonals d, so that lane i is at row n = m+i+d. Per vector of
 * elements that is five loads, two stores and one lane shift against twelve multiply-adds.
 *
 * A matrix is updated in place: the blocks left of the current one are new already, so each block leaves its old
 * elements in `carried`, from which the next block takes its left neighbours. Elements above the diagonal come
 * from the mirrored place: right of the diagonal (m, m+1) is d = 1 at m; the row above the first one starts with
 * (m-1, m), which is d = 1 at m-1, and (m-1, m-1).
 */
#include "band_layout.h"
#include "cpu_band.h"

typedef double mm_vector __attribute__((vector_size(8 * MM_VECTOR_LENGTH)));
typedef double mm_vector_unaligned __attribute__((vector_size(8 * MM_VECTOR_LENGTH), aligned(8)));

#define MM_REAL mm_vector
#include "collision.h"

MM_INLINE mm_vector load(const double *from)
{
    return *(const mm_vector *)from;
}

MM_INLINE mm_vector load_unaligned(const double *from)
{
    return *(const mm_vector_unaligned *)from;
}

MM_INLINE void store(double *to, mm_vector value)
{
    *(mm_vector *)to = value;
}

/** Elements one column to the left: the last lane of `before`, then all but the last of `current`. */
MM_INLINE mm_vector shift_right(mm_vector before, mm_vector current)
{
#if MM_VECTOR_LENGTH == 8
#define MM_SHIFT_LANES 7, 8, 9, 10, 11, 12, 13, 14
#elif MM_VECTOR_LENGTH == 4
#define MM_SHIFT_LANES 3, 4, 5, 6
#elif MM_VECTOR_LENGTH == 2
#define MM_SHIFT_LANES 1, 2
#endif
#ifdef __clang__
    return __builtin_shufflevector(before, current, MM_SHIFT_LANES);
#else
    typedef long long lanes __attribute__((vector_size(8 * MM_VECTOR_LENGTH)));
    return __builtin_shuffle(before, current, (lanes){MM_SHIFT_LANES});
#endif
#undef MM_SHIFT_LANES
}

MM_INLINE double sum_lanes(mm_vector value)
{
    double sum = value[0];
    for (int lane = 1; lane < MM_VECTOR_LENGTH; lane++)
        sum += value[lane];
    return sum;
}

/** Replaces the carried old elements of a diagonal by the present block's, and gives the left neighbours. The first
 *  block (a constant where this is inlined) has none. */
MM_INLINE mm_vector carry(double *carried, int diagonal, mm_vector current, bool first)
{
    double *place = carried + (size_t)diagonal * MM_COLUMN_BLOCK;
    const mm_vector zero = {0};
    mm_vector left = shift_right(first ? zero : load(place), current);
    store(place, current);
    return left;
}

MM_INLINE struct mm_column load_column(const struct mm_band_sweep *sweep, int m)
{
    struct mm_column column = {load(sweep->cosine + m), load_unaligned(sweep->cosine + m + 1),
                               load(sweep->sine + m), load_unaligned(sweep->sine + m + 1)};
    return column;
}

/** Row factors of the lanes at diagonal d; the caller rolls `cosine`, since C_{n+1} is C_n of the next row. */
MM_INLINE struct mm_row next_row(const struct mm_band_sweep *sweep, int m, int d, mm_vector *cosine)
{
    struct mm_row row;
    row.cosine = *cosine;
    row.cosine_next = load_unaligned(sweep->cosine + m + d + 1);
    row.sine = load_unaligned(sweep->sine + m + d);
    *cosine = row.cosine_next;
    return row;
}

/** Diagonals of the columns from m on: the window ends at row L-1. */
MM_INLINE int block_bands(const struct mm_band_sweep *sweep, int m)
{
    int below = sweep->levels - m;
    return below < sweep->bands ? below : sweep->bands;
}

MM_INLINE void forward_block(const struct mm_band_sweep *sweep, const struct mm_qubit *qubit, int m, bool first,
                             const double *source, double *target)
{
    const struct mm_forward_factors column = mm_forward_column(*qubit, load_column(sweep, m));
    const int bands = block_bands(sweep, m);
    const size_t stride = sweep->stride;
    const mm_vector zero = {0};
    mm_vector own = load(source + m);
    mm_vector below = load(source + stride + m);
    mm_vector left_above = carry(sweep->carried, 0, own, first);
    mm_vector left = carry(sweep->carried, 1, below, first);
    mm_vector right = below;
    mm_vector cosine = load(sweep->cosine + m);
    struct mm_forward_march march = mm_forward_start(&column, left, left_above);
    struct mm_row row = next_row(sweep, m, 0, &cosine);
    mm_forward_element(&column, row, own, left, right, &march);
    for (int d = 1; d < bands; d++) {
        own = below;
        below = load(source + mm_band_index(stride, d + 1, m));
        left = carry(sweep->carried, d + 1, below, first);
        right = load_unaligned(source + mm_band_index(stride, d - 1, m + 1));
        row = next_row(sweep, m, d, &cosine);
        store(target + mm_band_index(stride, d - 1, m), mm_forward_element(&column, row, own, left, right, &march));
    }
    right = load_unaligned(source + mm_band_index(stride, bands - 1, m + 1));
    row = next_row(sweep, m, bands, &cosine);
    store(target + mm_band_index(stride, bands - 1, m),
          mm_forward_element(&column, row, zero, zero, right, &march));
}

static void forward(const struct mm_band_sweep *sweep, const struct mm_qubit *qubit, const double *source,
                    double *target)
{
    forward_block(sweep, qubit, 0, true, source, target);
    for (int m = MM_VECTOR_LENGTH; m < sweep->levels; m += MM_VECTOR_LENGTH)
        forward_block(sweep, qubit, m, false, source, target);
}

/** Where an adjoint march stands: its running sums, and <dPhi^T(A), R> of the elements it has passed. */
struct adjoint_lanes {
    struct mm_adjoint_march march;
    mm_vector cosine;
    mm_vector by_q;
    mm_vector by_x;
};

/** Row d of the march: completes and stores diagonal d-1, and sums it against the state. */
MM_INLINE void adjoint_row(const struct mm_band_sweep *sweep, const struct mm_qubit *qubit, struct mm_column column,
                           int m, int d, mm_vector own, mm_vector left, struct adjoint_lanes *lanes,
                           double *adjoint, const double *state)
{
    const size_t above = mm_band_index(sweep->stride, d - 1, m);
    const mm_vector right = load_unaligned(adjoint + above + 1);
    const mm_vector weight = load(state + above);
    const struct mm_row row = next_row(sweep, m, d, &lanes->cosine);
    const struct mm_adjoint_values element =
        mm_adjoint_element(*qubit, column, row, own, left, right, &lanes->march);
    store(adjoint + above, element.value);
    lanes->by_q += element.by_q * weight;
    lanes->by_x += element.by_x * weight;
}

/** One block of columns; *by_q and *by_x take the diagonal at half its weight, since all else counts twice. */
MM_INLINE void adjoint_block(const struct mm_band_sweep *sweep, const struct mm_qubit *qubit, int m, bool first,
                             double *adjoint, const double *state, mm_vector *by_q, mm_vector *by_x)
{
    const struct mm_column column = load_column(sweep, m);
    const int bands = block_bands(sweep, m);
    const mm_vector zero = {0};
    struct adjoint_lanes lanes = {.cosine = load(sweep->cosine + m)};
    mm_vector own = load(adjoint + m);
    mm_vector below = load(adjoint + sweep->stride + m);
    mm_vector left = carry(sweep->carried, 0, own, first);
    mm_vector first_left = carry(sweep->carried, 1, below, first);
    lanes.march = mm_adjoint_start(column, first_left, left);
    mm_adjoint_element(*qubit, column, next_row(sweep, m, 0, &lanes.cosine), own, first_left, below, &lanes.march);
    for (int d = 1; d < bands; d++) {
        own = below;
        below = load(adjoint + mm_band_index(sweep->stride, d + 1, m));
        left = carry(sweep->carried, d + 1, below, first);
        adjoint_row(sweep, qubit, column, m, d, own, left, &lanes, adjoint, state);
        if (d == 1) {
            lanes.by_q *= 0.5;
            lanes.by_x *= 0.5;
        }
    }
    adjoint_row(sweep, qubit, column, m, bands, zero, zero, &lanes, adjoint, state);
    const double weight = bands == 1 ? 0.5 : 1.0;
    *by_q += weight * lanes.by_q;
    *by_x += weight * lanes.by_x;
}

static void adjoint(const struct mm_band_sweep *sweep, const struct mm_qubit *qubit, double *matrix,
                    const double *state, double *by_q, double *by_x)
{
    mm_vector sum_by_q = {0}, sum_by_x = {0};
    adjoint_block(sweep, qubit, 0, true, matrix, state, &sum_by_q, &sum_by_x);
    for (int m = MM_VECTOR_LENGTH; m < sweep->levels; m += MM_VECTOR_LENGTH)
        adjoint_block(sweep, qubit, m, false, matrix, state, &sum_by_q, &sum_by_x);
    *by_q = 2.0 * sum_lanes(sum_by_q);
    *by_x = 2.0 * sum_lanes(sum_by_x);
}
