/* march.h - a collision of the cpu backend, forward or backward, in ten operations an element.
 *
 * With a = C_{m+1} R_nm, b = S_{m+1} R_{n,m+1}, o = C_m R_nm and l = S_m R_{n,m-1} the stencil (model/collision.h)
 * is
 *   R'_nm = C_{n+1} [w_e a - x b]_n + S_{n+1} [w_g b - x a]_{n+1} + C_n [w_g o + x l]_n + S_n [w_e l + x o]_{n-1}.
 * The brackets come in pairs that differ, up to a factor, by a multiple of R_nm only. With
 *   up = (x^2/w_g) a - x b         and         down = (x^2/w_e) o + x l
 * the second and the fourth are -(w_g/x) up and (w_e/x) down, the first and the third
 *   next = up + (w_e - x^2/w_g) a  and         this = down + (w_g - x^2/w_e) o,
 * and the factors of S can be multiplied into S_n beforehand: two operations for up and down each, one for next and
 * this each, and four to add them up.
 *
 * The adjoint channel swaps w_e and w_g in the pairs, x changes its sign, and C_n goes with `this`, C_{n+1} with
 * `next` as they are named below:
 *   up = (x^2/w_e) o + x b,              down = (x^2/w_g) a - x l,
 *   next = up + (w_g - x^2/w_e) o,       this = down + (w_e - x^2/w_g) a
 * with the factors (w_e/x) S_n of up and -(w_g/x) S_n of down: the same two as before, the other way round.
 *
 * That divides by x: qubits without coherence (c = 0, q = 0, q = 1), or with so little of it that x^2 leaves the
 * range of the numbers, take the form of model/collision.h.
 */
#ifndef MM_CPU_MARCH_H
#define MM_CPU_MARCH_H

#include <stdbool.h>

#include "model/collision.h"

/** Whether a qubit has enough coherence to divide by. */
MM_INLINE bool mm_is_coherent(struct mm_qubit qubit)
{
#ifdef MM_SINGLE_PRECISION
    return qubit.coherence > 1e-10;
#else
    return qubit.coherence > 1e-100;
#endif
}

/** What S_n is multiplied with in a collision. */
struct mm_sine_scales {
    double down; /* w_e/x */
    double up;   /* -w_g/x */
};

MM_INLINE struct mm_sine_scales mm_sine_scales_of(struct mm_qubit qubit)
{
    struct mm_sine_scales scales = {qubit.excited / qubit.coherence, -qubit.ground / qubit.coherence};
    return scales;
}

/** Column factors: own multiplies R_nm, side its left or right neighbour. */
struct mm_march_factors {
    MM_REAL up_own, up_right;
    MM_REAL down_own, down_left;
    MM_REAL next_own; /* next - up */
    MM_REAL this_own; /* this - down */
};

MM_INLINE struct mm_march_factors mm_march_column(struct mm_qubit qubit, struct mm_column column)
{
    const double up = qubit.coherence * (qubit.coherence / qubit.ground);
    const double down = qubit.coherence * (qubit.coherence / qubit.excited);
    const MM_SCALAR coherence = (MM_SCALAR)qubit.coherence;
    struct mm_march_factors factors;
    factors.up_own = (MM_SCALAR)up * column.cosine_next;
    factors.up_right = -coherence * column.sine_next;
    factors.down_own = (MM_SCALAR)down * column.cosine;
    factors.down_left = coherence * column.sine;
    factors.next_own = (MM_SCALAR)(qubit.excited - up) * column.cosine_next;
    factors.this_own = (MM_SCALAR)(qubit.ground - down) * column.cosine;
    return factors;
}

/** The same for Phi^T: over rows of mm_backward_march_row the march gives the adjoint of a matrix. */
MM_INLINE struct mm_march_factors mm_backward_march_column(struct mm_qubit qubit, struct mm_column column)
{
    const double up = qubit.coherence * (qubit.coherence / qubit.excited);
    const double down = qubit.coherence * (qubit.coherence / qubit.ground);
    const MM_SCALAR coherence = (MM_SCALAR)qubit.coherence;
    struct mm_march_factors factors;
    factors.up_own = (MM_SCALAR)up * column.cosine;
    factors.up_right = coherence * column.sine_next;
    factors.down_own = (MM_SCALAR)down * column.cosine_next;
    factors.down_left = -coherence * column.sine;
    factors.next_own = (MM_SCALAR)(qubit.ground - up) * column.cosine;
    factors.this_own = (MM_SCALAR)(qubit.excited - down) * column.cosine_next;
    return factors;
}

/** Row factors: C_n, C_{n+1}, (w_e/x) S_n and -(w_g/x) S_n. */
struct mm_march_row {
    MM_REAL cosine;
    MM_REAL cosine_next;
    MM_REAL down;
    MM_REAL up;
};

MM_INLINE struct mm_march_row mm_backward_march_row(struct mm_march_row row)
{
    struct mm_march_row backward = {row.cosine_next, row.cosine, row.up, row.down};
    return backward;
}

/** Running sums of the march down a column. */
struct mm_march {
    MM_REAL partial; /* R' of the row above, still without what the present row gives it */
    MM_REAL down;    /* of the row above */
};

/** Enters a column from the row above its first one. */
MM_INLINE struct mm_march mm_march_start(const struct mm_march_factors *column, MM_REAL own, MM_REAL left)
{
    MM_REAL zero = {0};
    struct mm_march march;
    march.partial = zero;
    march.down = column->down_own * own + column->down_left * left;
    return march;
}

/** Takes element (n, m) and its neighbours; returns R'_{n-1,m}, now complete. */
MM_INLINE MM_REAL mm_march_element(const struct mm_march_factors *column, struct mm_march_row row, MM_REAL own,
                                   MM_REAL left, MM_REAL right, struct mm_march *march)
{
    const MM_REAL up = column->up_own * own + column->up_right * right;
    const MM_REAL down = column->down_own * own + column->down_left * left;
    const MM_REAL next = up + column->next_own * own;
    const MM_REAL this = down + column->this_own * own;
    const MM_REAL above = march->partial + row.up * up;
    march->partial = row.down * march->down + row.cosine_next * next + row.cosine * this;
    march->down = down;
    return above;
}

#endif
