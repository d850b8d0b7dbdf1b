/* collision.h - one collision of the battery with a qubit: coefficients and stencil, shared by CPU and CUDA.
 *
 * Eqs. 4-6 in the real gauge rho_nm = (-i)^(n-m) R_nm, with C_n = cos(g sqrt n), S_n = sin(g sqrt n) and the qubit
 * of Eq. 2 as w_e = 1-q, w_g = q, x = c sqrt(q (1-q)):
 *
 *   R'_nm = [w_e C_{n+1} C_{m+1} + w_g C_n C_m] R_nm + w_e S_n S_m R_{n-1,m-1} + w_g S_{n+1} S_{m+1} R_{n+1,m+1}
 *         + x [C_n S_m R_{n,m-1} + S_n C_m R_{n-1,m} - S_{n+1} C_{m+1} R_{n+1,m} - C_{n+1} S_{m+1} R_{n,m+1}]
 *
 * and its adjoint A'_nm (the Heisenberg picture), which swaps source and target of every term:
 *
 *   A'_nm = [w_e C_{n+1} C_{m+1} + w_g C_n C_m] A_nm + w_e S_{n+1} S_{m+1} A_{n+1,m+1} + w_g S_n S_m A_{n-1,m-1}
 *         + x [C_n S_{m+1} A_{n,m+1} + S_{n+1} C_m A_{n+1,m} - S_n C_{m+1} A_{n-1,m} - C_{n+1} S_m A_{n,m-1}]
 *
 * Both are evaluated by marching down a column m. Factors that depend on m alone are formed once a column; the
 * element (n, m) and its neighbours left (n, m-1) and right (n, m+1) then give everything row n contributes to
 * the rows n-1, n and n+1. A forward element takes twelve multiply or multiply-add operations, an adjoint element
 * with both derivatives sixteen, without them as many as a forward one. (With row factors in memory these can do
 * with ten: cpu/march.h.)
 *
 * Truncation to N levels is that of the matrix exponential of the truncated operators: C_N = 1, S_N = 0.
 *
 * MM_REAL is the arithmetic type: double, or a vector of numbers for neighbouring columns, which are MM_SCALAR.
 */
#ifndef MM_MODEL_COLLISION_H
#define MM_MODEL_COLLISION_H

#include <math.h>

#include "base/inline.h"

#ifndef MM_REAL
#define MM_REAL   double
#define MM_SCALAR double
#endif

/** The qubit state of Eq. 2 as the weights of Phi = excited Phi_e + ground Phi_g + coherence Phi_x. */
struct mm_qubit {
    double excited;   /* 1 - q */
    double ground;    /* q */
    double coherence; /* c sqrt(q (1-q)) */
};

/** Qubit weights of coherence c and ground-state population q, both in [0, 1] (Eq. 2). */
MM_INLINE struct mm_qubit mm_qubit_from_population(double c, double q)
{
    struct mm_qubit qubit = {1.0 - q, q, c * sqrt(q * (1.0 - q))};
    return qubit;
}

/** C_n and S_n of a space of `levels` Fock levels, for n = 0 .. levels; C_N = 1 and S_N = 0 close the space. */
MM_INLINE double mm_collision_cos(double g, int n, int levels)
{
    return n == levels ? 1.0 : cos(g * sqrt((double)n));
}

MM_INLINE double mm_collision_sin(double g, int n, int levels)
{
    return n == levels ? 0.0 : sin(g * sqrt((double)n));
}

/** C and S at the column m and at m+1. */
struct mm_column {
    MM_REAL cosine;
    MM_REAL cosine_next;
    MM_REAL sine;
    MM_REAL sine_next;
};

/** What row n of the channel needs: C_n, C_{n+1} and S_n. */
struct mm_row {
    MM_REAL cosine;
    MM_REAL cosine_next;
    MM_REAL sine;
};

/** Column factors of the forward channel: own multiplies R_nm, side its left or right neighbour. */
struct mm_forward_factors {
    MM_REAL next_own, next_right; /* enters row n with C_{n+1} */
    MM_REAL this_own, this_left;  /* enters row n with C_n */
    MM_REAL down_own, down_left;  /* enters row n+1 with S_{n+1} */
    MM_REAL up_own, up_right;     /* enters row n-1 with S_n */
};

MM_INLINE struct mm_forward_factors mm_forward_column(struct mm_qubit qubit, struct mm_column column)
{
    const MM_SCALAR excited = (MM_SCALAR)qubit.excited;
    const MM_SCALAR ground = (MM_SCALAR)qubit.ground;
    const MM_SCALAR coherence = (MM_SCALAR)qubit.coherence;
    struct mm_forward_factors factors;
    factors.next_own = excited * column.cosine_next;
    factors.next_right = -coherence * column.sine_next;
    factors.this_own = ground * column.cosine;
    factors.this_left = coherence * column.sine;
    factors.down_own = coherence * column.cosine;
    factors.down_left = excited * column.sine;
    factors.up_own = -coherence * column.cosine_next;
    factors.up_right = ground * column.sine_next;
    return factors;
}

/** A row as the adjoint channel needs it for the march of the forward one: what enters row n with C_n there enters
 *  with C_{n+1} here, and the other way round. */
MM_INLINE struct mm_row mm_backward_row(struct mm_row row)
{
    struct mm_row backward = {row.cosine_next, row.cosine, row.sine};
    return backward;
}

/** Column factors that make the forward march, over rows of mm_backward_row, give Phi^T A without derivatives. */
MM_INLINE struct mm_forward_factors mm_backward_column(struct mm_qubit qubit, struct mm_column column)
{
    const MM_SCALAR excited = (MM_SCALAR)qubit.excited;
    const MM_SCALAR ground = (MM_SCALAR)qubit.ground;
    const MM_SCALAR coherence = (MM_SCALAR)qubit.coherence;
    struct mm_forward_factors factors;
    factors.next_own = ground * column.cosine;
    factors.next_right = coherence * column.sine_next;
    factors.this_own = excited * column.cosine_next;
    factors.this_left = -coherence * column.sine;
    factors.down_own = -coherence * column.cosine_next;
    factors.down_left = ground * column.sine;
    factors.up_own = coherence * column.cosine;
    factors.up_right = excited * column.sine_next;
    return factors;
}

/** Running sums of the march down a column. */
struct mm_forward_march {
    MM_REAL partial; /* R' of the row above, still without what the present row gives it */
    MM_REAL down;    /* what the row above gives to the present row, before S_n */
};

/** Enters a column from the row above its first one. */
MM_INLINE struct mm_forward_march mm_forward_start(const struct mm_forward_factors *column, MM_REAL own,
                                                   MM_REAL left)
{
    MM_REAL zero = {0};
    struct mm_forward_march march;
    march.partial = zero;
    march.down = column->down_own * own + column->down_left * left;
    return march;
}

/** Takes element (n, m) and its neighbours; returns R'_{n-1,m}, now complete. */
MM_INLINE MM_REAL mm_forward_element(const struct mm_forward_factors *column, struct mm_row row, MM_REAL own,
                                     MM_REAL left, MM_REAL right, struct mm_forward_march *march)
{
    MM_REAL above = march->partial + row.sine * (column->up_own * own + column->up_right * right);
    march->partial = row.sine * march->down +
                     row.cosine_next * (column->next_own * own + column->next_right * right) +
                     row.cosine * (column->this_own * own + column->this_left * left);
    march->down = column->down_own * own + column->down_left * left;
    return above;
}

/** Running sums of the adjoint march: Phi_e^T A, Phi_g^T A and Phi_x^T A apart, for the derivatives. */
struct mm_adjoint_march {
    MM_REAL excited;   /* Phi_e^T A of the row above, without what the present row gives it */
    MM_REAL ground;    /* Phi_g^T A of the row above, complete */
    MM_REAL coherence; /* Phi_x^T A of the row above, without what the present row gives it */
    MM_REAL own;       /* C_{m+1} A of the row above */
    MM_REAL left;      /* S_m A_{.,m-1} of the row above */
};

/** Enters a column from the row above its first one. */
MM_INLINE struct mm_adjoint_march mm_adjoint_start(struct mm_column column, MM_REAL own, MM_REAL left)
{
    MM_REAL zero = {0};
    struct mm_adjoint_march march;
    march.excited = march.ground = march.coherence = zero;
    march.own = column.cosine_next * own;
    march.left = column.sine * left;
    return march;
}

/** Adjoint of one element: Phi^T A, and its derivatives by q at constant x and by x at constant q. */
struct mm_adjoint_values {
    MM_REAL value;
    MM_REAL by_q;
    MM_REAL by_x;
};

/** Takes element (n, m) of A and its neighbours; returns the adjoint at (n-1, m), now complete. */
MM_INLINE struct mm_adjoint_values mm_adjoint_element(struct mm_qubit qubit, struct mm_column column,
                                                      struct mm_row row, MM_REAL own, MM_REAL left, MM_REAL right,
                                                      struct mm_adjoint_march *march)
{
    MM_REAL own_next = column.cosine_next * own;
    MM_REAL own_this = column.cosine * own;
    MM_REAL side_left = column.sine * left;
    MM_REAL side_right = column.sine_next * right;
    MM_REAL excited = march->excited + row.sine * side_right;
    struct mm_adjoint_values above;
    above.by_q = march->ground - excited;
    above.by_x = march->coherence + row.sine * own_this;
    above.value = excited + (MM_SCALAR)qubit.ground * above.by_q + (MM_SCALAR)qubit.coherence * above.by_x;
    march->excited = row.cosine_next * own_next;
    march->ground = row.cosine * own_this + row.sine * march->left;
    march->coherence = row.cosine * side_right - row.cosine_next * side_left - row.sine * march->own;
    march->own = own_next;
    march->left = side_left;
    return above;
}

#endif
