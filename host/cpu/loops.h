/* loops.h - the vector loops of the cpu backend: one collision forward, one collision of the adjoint, and the
 * dense part of a spectrum. */
#ifndef MM_CPU_LOOPS_H
#define MM_CPU_LOOPS_H

#include <stdbool.h>
#include <stddef.h>

#include "solver/band_layout.h"

struct mm_qubit;
struct mm_tridiagonal;
struct mm_twisted;

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

/** The derivative p 1 - F F^T of a passive energy, in the form in which it is found. All arrays are borrowed. */
struct mm_projector {
    int levels;
    int count;            /* p, columns of F; zeros follow them up to a whole block */
    const double *factor; /* F, [levels][factor_stride], 64-byte aligned */
    size_t factor_stride;
    int bands; /* diagonals wanted */
    double *target;
    size_t target_stride; /* of a diagonal (solver/band_layout.h) */
};

/** Loops compiled for one instruction set. They differ in vector length only. */
struct mm_band_loops {
    const char *name;
    bool (*supported)(void);
    const struct mm_collision_loops *collision[MM_PRECISIONS];

    /** Reduces a symmetric matrix to tridiagonal form (spectrum/tridiagonal.h). */
    void (*tridiagonalize)(const struct mm_tridiagonal *target);

    /** The largest eigenvalues of a tridiagonal matrix and their eigenvectors (spectrum/tridiagonal.h). Returns
     * whether all
     *  of them were found to a relative 1e-8; eigenvectors are orthogonal up to this over the relative gap. */
    bool (*twisted_vectors)(const struct mm_twisted *target);

    /** Z = Q Z: turns eigenvectors of T into those of the matrix that was reduced.
     *  @param vectors  [levels][stride], one a column, 64-byte aligned
     *  @param columns  of vectors; as many as are in whole groups of MM_TWISTED_LANES lie within the stride and are
     *                  finite */
    void (*transform_back)(const struct mm_tridiagonal *reduced, double *vectors, size_t stride, int columns);

    /** Adds the diagonals of F F^T that are wanted to the target. */
    void (*add_projector)(const struct mm_projector *projector);
};

/** All loops compiled in, widest first; the last one runs everywhere. *count gets their number. */
const struct mm_band_loops *const *mm_band_loops_list(int *count);

/** The loops of that name if this processor supports them; NULL name: the widest supported. NULL if there are none.
 */
const struct mm_band_loops *mm_band_loops_find(const char *name);

#endif
