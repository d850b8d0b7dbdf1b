/* loops.h - the vector loops of the cpu backend: one collision forward, and one of the adjoint. */
#ifndef MM_CPU_LOOPS_H
#define MM_CPU_LOOPS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/instructions.h"
#include "solver/band_layout.h"

struct mm_qubit;

enum { MM_ROW_NUMBERS = 24 }; /* row factors of one block of lanes: 3 of MM_COLUMN_BLOCK */

/** What the numbers of a band matrix and of all that is applied to it are. */
enum mm_precision {
    MM_DOUBLE, /* double */
    MM_SINGLE, /* float */
    MM_PRECISIONS,
};

/** Rows of row factors that a window of `levels` levels needs: its last block of columns is marched as far down as
 * the one left of it. */
static inline int mm_band_rows(int levels)
{
    return levels + MM_COLUMN_BLOCK + 2;
}

/** Where and with what one collision is applied. All arrays are borrowed, 64-byte aligned and of one precision,
 * that of the loops. */
struct mm_band_sweep {
    size_t stride;      /* of every band matrix below (solver/band_layout.h) */
    int levels;         /* live levels L: rows and columns 0 .. L-1 */
    int bands;          /* diagonals 0 .. bands-1 are live, bands <= L; diagonal `bands` exists and is zero */
    const void *cosine; /* C_n for n <= L, then finite padding, [2 * columns(L) + 2 blocks] */
    const void *sine;   /* S_n for n < L, then zeros, same length: nothing leaves the window upwards */
    const void *rows;   /* of fill_rows, for forward and backward */
    void *carried;      /* scratch, [bands + 1][MM_COLUMN_BLOCK] */
};

/** The loops of one precision. */
struct mm_collision_loops {
    size_t number_size; /* bytes */
    int abreast;        /* blocks of columns that forward and backward take down the diagonals together */

    /** Fills the row factors of a qubit from sweep's cosine and sine: for every row n those of the lanes n .. n+7
     * side by side, so that loads are aligned. They hold for all sweeps with the same tables and levels; without
     * coherence there are none.
     *  @param rows  [mm_band_rows(levels)][MM_ROW_NUMBERS], out, 64-byte aligned */
    void (*fill_rows)(const struct mm_band_sweep *sweep, const struct mm_qubit *qubit, void *rows);

    /** target = window of Phi(source) (model/collision.h), with the row factors of the qubit. source and target may
     * be the same matrix. Entries of both outside the window must be zero, and stay so. */
    void (*forward)(const struct mm_band_sweep *sweep, const struct mm_qubit *qubit, const void *source,
                    void *target);

    /** matrix = window of Phi^T(matrix), in place, with the row factors of the qubit. */
    void (*backward)(const struct mm_band_sweep *sweep, const struct mm_qubit *qubit, void *matrix);

    /** adjoint = window of Phi^T(adjoint), in place, and
     *  by_q = <dPhi/dq^T(adjoint), state> at constant x, by_x = the same for x at constant q, where <,> runs
     *  over both triangles and adjoint is the matrix before the call. */
    void (*adjoint)(const struct mm_band_sweep *sweep, const struct mm_qubit *qubit, void *adjoint,
                    const void *state, double *by_q, double *by_x);

    /** Sum of |elements| of one diagonal.
     *  @param count  of columns, a multiple of MM_COLUMN_BLOCK; what is beyond the last element is zero */
    double (*diagonal_sum)(const void *matrix, size_t stride, int diagonal, int count);

    /** Sum of |elements| of one row on the diagonals below `bands`; bands <= row + 1. */
    double (*row_sum)(const void *matrix, size_t stride, int row, int bands);
};

/** The loops for an instruction set, in each precision; they differ in vector length only. */
const struct mm_collision_loops *const *mm_collision_loops(enum mm_instructions instructions);

#endif
