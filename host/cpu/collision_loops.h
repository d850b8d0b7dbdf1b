/* collision_loops.h - the vector loops themselves, included once per instruction set and precision (cpu/loops_*.c).
 *
 * Vectors are those of base/lanes.h. Lanes are neighbouring columns m .. m+length-1; the march goes down the
 * diagonals d, so that lane i is at row n = m+i+d. Per vector of elements that is six loads, two stores and one
 * lane shift against ten multiply-adds forward and backward (cpu/march.h), half a load and half a store less where
 * two blocks of columns go abreast, and six loads against sixteen in the adjoint with derivatives
 * (model/collision.h).
 *
 * A matrix is updated in place: the blocks left of the current one are new already, so each block leaves its old
 * elements in `carried`, from which the next block takes its left neighbours. Elements above the diagonal come
 * from the mirrored place: right of the diagonal (m, m+1) is d = 1 at m; the row above the first one starts with
 * (m-1, m), which is d = 1 at m-1, and (m-1, m-1).
 */
#include "solver/band_layout.h"
#include "cpu/loops.h"
#include "base/lanes.h"

#define MM_REAL   mm_vector
#define MM_SCALAR mm_number
#include "model/collision.h"

#include "cpu/march.h"

/* Blocks of columns side by side that go down the diagonals together. What the right one needs of the left one
 * stays in registers; two take more than sixteen. */
#ifdef __AVX512VL__
enum { BLOCKS_ABREAST = 2 };
#else
enum { BLOCKS_ABREAST = 1 };
#endif

enum { COLUMNS_ABREAST = BLOCKS_ABREAST * MM_VECTOR_LENGTH };

/* Before a loop over such blocks: gcc would unroll it too late to keep their vectors in registers. */
#ifdef __clang__
#define EACH_BLOCK
#else
#define EACH_BLOCK _Pragma("GCC unroll 2")
#endif

/** Elements of one diagonal in such blocks, and their left neighbours. */
struct front {
    mm_vector own[BLOCKS_ABREAST];
    mm_vector left[BLOCKS_ABREAST];
};

/** Loads `blocks` blocks of a diagonal, and replaces the old elements that the block left of them has carried there
 * by their last one's. The first block has no left one. */
MM_INLINE struct front load_front(const struct mm_band_sweep *sweep, const mm_number *matrix, int m, int diagonal,
                                  int blocks, bool first)
{
    mm_number *carried = (mm_number *)sweep->carried + (size_t)diagonal * MM_COLUMN_BLOCK;
    const mm_number *place = matrix + mm_band_index(sweep->stride, diagonal, m);
    const mm_vector zero = {0};
    struct front front;
    EACH_BLOCK
    for (int j = 0; j < blocks; j++)
        front.own[j] = load(place + j * MM_VECTOR_LENGTH);
    front.left[0] = shift_right(first ? zero : load(carried), front.own[0]);
    EACH_BLOCK
    for (int j = 1; j < blocks; j++)
        front.left[j] = shift_right(front.own[j - 1], front.own[j]);
    store(carried, front.own[blocks - 1]);
    return front;
}

MM_INLINE struct mm_column load_column(const struct mm_band_sweep *sweep, int m)
{
    const mm_number *cosine = sweep->cosine, *sine = sweep->sine;
    struct mm_column column = {load(cosine + m), load_unaligned(cosine + m + 1), load(sine + m),
                               load_unaligned(sine + m + 1)};
    return column;
}

/** Row factors of the adjoint's lanes at diagonal d; C_{n+1} is left as the next row's C_n. */
MM_INLINE struct mm_row next_row(const struct mm_band_sweep *sweep, int m, int d, mm_vector *cosine)
{
    struct mm_row row;
    row.cosine = *cosine;
    row.cosine_next = load_unaligned((const mm_number *)sweep->cosine + m + d + 1);
    row.sine = load_unaligned((const mm_number *)sweep->sine + m + d);
    *cosine = row.cosine_next;
    return row;
}

/** Diagonals of the columns from m on: the window ends at row L-1. */
MM_INLINE int block_bands(const struct mm_band_sweep *sweep, int m)
{
    int below = sweep->levels - m;
    return below < sweep->bands ? below : sweep->bands;
}

static void fill_rows(const struct mm_band_sweep *sweep, const struct mm_qubit *qubit, void *rows)
{
    if (!mm_is_coherent(*qubit))
        return;
    const struct mm_sine_scales scales = mm_sine_scales_of(*qubit);
    const mm_number *cosines = sweep->cosine, *sines = sweep->sine;
    for (int n = 0; n < mm_band_rows(sweep->levels); n++)
        for (int lane = 0; lane < MM_COLUMN_BLOCK; lane += MM_VECTOR_LENGTH) {
            mm_number *row = (mm_number *)rows + (size_t)n * MM_ROW_NUMBERS + lane;
            const mm_vector sine = load_unaligned(sines + n + lane);
            store(row, load_unaligned(cosines + n + lane));
            store(row + MM_COLUMN_BLOCK, (mm_number)scales.down * sine);
            store(row + 2 * MM_COLUMN_BLOCK, (mm_number)scales.up * sine);
        }
}

/** How a march is done. Both are constants wherever these are used, so that the rest disappears. */
struct march_form {
    bool coherent; /* the form of cpu/march.h, else that of model/collision.h */
    bool backward; /* Phi^T, else Phi */
};

/** Column factors and running sums of one of the two forms. */
struct march_lanes {
    struct march_form form;
    struct mm_march_factors paired;
    struct mm_march paired_march;
    struct mm_forward_factors plain;
    struct mm_forward_march plain_march;
    mm_vector cosine; /* C_n of the next row */
};

MM_INLINE struct march_lanes start_march(const struct mm_band_sweep *sweep, const struct mm_qubit *qubit, int m,
                                         struct march_form form, mm_vector own, mm_vector left)
{
    const struct mm_column column = load_column(sweep, m);
    struct march_lanes lanes = {.form = form, .cosine = column.cosine};
    if (form.coherent) {
        lanes.paired = form.backward ? mm_backward_march_column(*qubit, column) : mm_march_column(*qubit, column);
        lanes.paired_march = mm_march_start(&lanes.paired, own, left);
    } else {
        lanes.plain = form.backward ? mm_backward_column(*qubit, column) : mm_forward_column(*qubit, column);
        lanes.plain_march = mm_forward_start(&lanes.plain, own, left);
    }
    return lanes;
}

/** Takes the elements of the lanes that start at row n; returns the row above. */
MM_INLINE mm_vector march_row(const struct mm_band_sweep *sweep, int n, mm_vector own, mm_vector left,
                              mm_vector right, struct march_lanes *lanes)
{
    const mm_vector cosine = lanes->cosine;
    if (lanes->form.coherent) {
        const mm_number *place = (const mm_number *)sweep->rows + (size_t)n * MM_ROW_NUMBERS;
        const struct mm_march_row row = {cosine, load(place + MM_ROW_NUMBERS), load(place + MM_COLUMN_BLOCK),
                                         load(place + 2 * MM_COLUMN_BLOCK)};
        lanes->cosine = row.cosine_next;
        return mm_march_element(&lanes->paired, lanes->form.backward ? mm_backward_march_row(row) : row, own, left,
                                right, &lanes->paired_march);
    }
    const struct mm_row row = {cosine, load_unaligned((const mm_number *)sweep->cosine + n + 1),
                               load_unaligned((const mm_number *)sweep->sine + n)};
    lanes->cosine = row.cosine_next;
    return mm_forward_element(&lanes->plain, lanes->form.backward ? mm_backward_row(row) : row, own, left, right,
                              &lanes->plain_march);
}

/** Marches down `blocks` blocks from column m on. The window of the first one is the longest; rows above L-1 of the
 * others are zero and stay so. */
MM_INLINE void march_abreast(const struct mm_band_sweep *sweep, const struct mm_qubit *qubit, int m, int blocks,
                             bool first, struct march_form form, const mm_number *source, mm_number *target)
{
    const int bands = block_bands(sweep, m);
    const size_t stride = sweep->stride;
    const mm_vector zero = {0};
    struct march_lanes lanes[BLOCKS_ABREAST];
    struct front front = load_front(sweep, source, m, 0, blocks, first);
    struct front below = load_front(sweep, source, m, 1, blocks, first);
    EACH_BLOCK
    for (int j = 0; j < blocks; j++) {
        const int column = m + j * MM_VECTOR_LENGTH;
        lanes[j] = start_march(sweep, qubit, column, form, below.left[j], front.left[j]);
        march_row(sweep, column, front.own[j], below.left[j], below.own[j], &lanes[j]);
    }
    for (int d = 1; d < bands; d++) {
        front = below;
        below = load_front(sweep, source, m, d + 1, blocks, first);
        EACH_BLOCK
        for (int j = 0; j < blocks; j++) {
            const int column = m + j * MM_VECTOR_LENGTH;
            const mm_vector right = load_unaligned(source + mm_band_index(stride, d - 1, column + 1));
            store(target + mm_band_index(stride, d - 1, column),
                  march_row(sweep, column + d, front.own[j], below.left[j], right, &lanes[j]));
        }
    }
    EACH_BLOCK
    for (int j = 0; j < blocks; j++) {
        const int column = m + j * MM_VECTOR_LENGTH;
        const mm_vector right = load_unaligned(source + mm_band_index(stride, bands - 1, column + 1));
        store(target + mm_band_index(stride, bands - 1, column),
              march_row(sweep, column + bands, zero, zero, right, &lanes[j]));
    }
}

/** The blocks from column m on: as many as go abreast, or the window's last one by itself. */
MM_INLINE void march_group(const struct mm_band_sweep *sweep, const struct mm_qubit *qubit, int m, bool first,
                           struct march_form form, const mm_number *source, mm_number *target)
{
    if (m + COLUMNS_ABREAST - MM_VECTOR_LENGTH < sweep->levels)
        march_abreast(sweep, qubit, m, BLOCKS_ABREAST, first, form, source, target);
    else
        march_abreast(sweep, qubit, m, 1, first, form, source, target);
}

MM_INLINE void march_blocks(const struct mm_band_sweep *sweep, const struct mm_qubit *qubit, struct march_form form,
                            const mm_number *source, mm_number *target)
{
    /* Copies, which no store to a matrix can change: what is made of them is made once. */
    const struct mm_band_sweep fixed_sweep = *sweep;
    const struct mm_qubit fixed_qubit = *qubit;
    march_group(&fixed_sweep, &fixed_qubit, 0, true, form, source, target);
    for (int m = COLUMNS_ABREAST; m < fixed_sweep.levels; m += COLUMNS_ABREAST)
        march_group(&fixed_sweep, &fixed_qubit, m, false, form, source, target);
}

static void forward(const struct mm_band_sweep *sweep, const struct mm_qubit *qubit, const void *source,
                    void *target)
{
    if (mm_is_coherent(*qubit))
        march_blocks(sweep, qubit, (struct march_form){true, false}, source, target);
    else
        march_blocks(sweep, qubit, (struct march_form){false, false}, source, target);
}

static void backward(const struct mm_band_sweep *sweep, const struct mm_qubit *qubit, void *matrix)
{
    if (mm_is_coherent(*qubit))
        march_blocks(sweep, qubit, (struct march_form){true, true}, matrix, matrix);
    else
        march_blocks(sweep, qubit, (struct march_form){false, true}, matrix, matrix);
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
                           mm_number *adjoint, const mm_number *state)
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

/** Row d of the march, and the diagonal below it. */
MM_INLINE void adjoint_step(const struct mm_band_sweep *sweep, const struct mm_qubit *qubit,
                            struct mm_column column, int m, int d, bool first, struct front *below,
                            struct adjoint_lanes *lanes, mm_number *adjoint, const mm_number *state)
{
    const mm_vector own = below->own[0];
    *below = load_front(sweep, adjoint, m, d + 1, 1, first);
    adjoint_row(sweep, qubit, column, m, d, own, below->left[0], lanes, adjoint, state);
}

/** One block of columns; *by_q and *by_x take the diagonal at half its weight, since all else counts twice. */
MM_INLINE void adjoint_block(const struct mm_band_sweep *sweep, const struct mm_qubit *qubit, int m, bool first,
                             mm_number *adjoint, const mm_number *state, mm_vector *by_q, mm_vector *by_x)
{
    const struct mm_column column = load_column(sweep, m);
    const int bands = block_bands(sweep, m);
    const mm_vector zero = {0};
    struct adjoint_lanes lanes = {.cosine = load((const mm_number *)sweep->cosine + m)};
    const struct front diagonal = load_front(sweep, adjoint, m, 0, 1, first);
    struct front below = load_front(sweep, adjoint, m, 1, 1, first);
    lanes.march = mm_adjoint_start(column, below.left[0], diagonal.left[0]);
    mm_adjoint_element(*qubit, column, next_row(sweep, m, 0, &lanes.cosine), diagonal.own[0], below.left[0],
                       below.own[0], &lanes.march);
    if (bands > 1)
        adjoint_step(sweep, qubit, column, m, 1, first, &below, &lanes, adjoint, state);
    else
        adjoint_row(sweep, qubit, column, m, 1, zero, zero, &lanes, adjoint, state);
    lanes.by_q *= (mm_number)0.5;
    lanes.by_x *= (mm_number)0.5;
    for (int d = 2; d < bands; d++)
        adjoint_step(sweep, qubit, column, m, d, first, &below, &lanes, adjoint, state);
    if (bands > 1)
        adjoint_row(sweep, qubit, column, m, bands, zero, zero, &lanes, adjoint, state);
    *by_q += lanes.by_q;
    *by_x += lanes.by_x;
}

static void adjoint(const struct mm_band_sweep *sweep, const struct mm_qubit *qubit, void *matrix,
                    const void *state, double *by_q, double *by_x)
{
    const struct mm_band_sweep fixed_sweep = *sweep; /* as in march_blocks */
    const struct mm_qubit fixed_qubit = *qubit;
    mm_vector sum_by_q = {0}, sum_by_x = {0};
    adjoint_block(&fixed_sweep, &fixed_qubit, 0, true, matrix, state, &sum_by_q, &sum_by_x);
    for (int m = MM_VECTOR_LENGTH; m < fixed_sweep.levels; m += MM_VECTOR_LENGTH)
        adjoint_block(&fixed_sweep, &fixed_qubit, m, false, matrix, state, &sum_by_q, &sum_by_x);
    *by_q = 2.0 * sum_lanes(sum_by_q);
    *by_x = 2.0 * sum_lanes(sum_by_x);
}

/** In an order that vectorises, the same for all instruction sets. */
static double diagonal_sum(const void *matrix, size_t stride, int diagonal, int count)
{
    const mm_number *elements = (const mm_number *)matrix + mm_band_index(stride, diagonal, 0);
    mm_number sums[MM_COLUMN_BLOCK] = {0};
    for (int m = 0; m < count; m += MM_COLUMN_BLOCK)
        for (int i = 0; i < MM_COLUMN_BLOCK; i++)
            sums[i] += magnitude(elements[m + i]);
    double sum = 0.0;
    for (int i = 0; i < MM_COLUMN_BLOCK; i++)
        sum += (double)sums[i];
    return sum;
}

static double row_sum(const void *matrix, size_t stride, int row, int bands)
{
    const mm_number *elements = matrix;
    double sums[2] = {0.0, 0.0};
    for (int d = 0; d < bands; d++)
        sums[d % 2] += (double)magnitude(elements[mm_band_index(stride, d, row - d)]);
    return sums[0] + sums[1];
}

/** The loops above; a macro, because it must be a constant where a file of another precision refers to it. */
#define MM_COLLISION_LOOPS                                                                                         \
    {                                                                                                              \
        sizeof(mm_number), BLOCKS_ABREAST, fill_rows, forward, backward, adjoint, diagonal_sum, row_sum            \
    }
