/* cpu_band.h - the vector loops of the cpu backend: one collision forward, one collision of the adjoint. */
#ifndef MM_CPU_BAND_H
#define MM_CPU_BAND_H

#include <stdbool.h>
#include <stddef.h>

struct mm_qubit;

/** Where and with what one collision is applied. All arrays are borrowed and 64-byte aligned. */
struct mm_band_sweep {
    size_t stride;        /* of every band matrix below (band_layout.h) */
    int levels;           /* live levels L: rows and columns 0 .. L-1 */
    int bands;            /* diagonals 0 .. bands-1 are live, bands <= L; diagonal `bands` exists and is zero */
    const double *cosine; /* C_n for n <= L, then finite padding, [2 * columns(L) + 2 blocks] */
    const double *sine;   /* S_n for n < L, then zeros, same length: nothing leaves the window upwards */
    double *carried;      /* scratch, [bands + 1][MM_COLUMN_BLOCK] */
};

/** Loops compiled for one instruction set. They differ in vector length only. */
struct mm_band_loops {
    const char *name;
    bool (*supported)(void);

    /** target = window of Phi(source) (collision.h). source and target may be the same matrix.
     *  Entries of source outside the window must be zero; those of target outside it are not touched. */
    void (*forward)(const struct mm_band_sweep *sweep, const struct mm_qubit *qubit, const double *source,
                    double *target);

    /** adjoint = window of Phi^T(adjoint), in place, and
     *  by_q = <dPhi/dq^T(adjoint), state> at constant x, by_x = the same for x at constant q, where <,> runs
     *  over both triangles and adjoint is the matrix before the call. */
    void (*adjoint)(const struct mm_band_sweep *sweep, const struct mm_qubit *qubit, double *adjoint,
                    const double *state, double *by_q, double *by_x);
};

/** All loops compiled in, widest first; the last one runs everywhere. *count gets their number. */
const struct mm_band_loops *const *mm_band_loops_list(int *count);

/** The loops of that name if this processor supports them; NULL name: the widest supported. NULL if there are none.
 */
const struct mm_band_loops *mm_band_loops_find(const char *name);

#endif
