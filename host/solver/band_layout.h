/* band_layout.h - index arithmetic of a banded symmetric matrix, for host and device.
 *
 * Only the lower diagonals d = n - m = 0 .. bands-1 are stored, diagonal after diagonal: element (m+d, m) is at
 * d * stride + m. Columns are worked on in blocks of MM_COLUMN_BLOCK; a block reads one column beyond itself, so a
 * diagonal is padded to hold one more block. The stride is an odd number of cache lines, because diagonals of
 * one column block would otherwise fall into few cache sets.
 */
#ifndef MM_SOLVER_BAND_LAYOUT_H
#define MM_SOLVER_BAND_LAYOUT_H

#include <stddef.h>

enum {
    MM_COLUMN_BLOCK = 8, /* columns of a block; the live levels grow in this step */
    MM_LINE_DOUBLES = 8, /* doubles in a cache line */
};

/** Smallest multiple of MM_COLUMN_BLOCK that holds `levels` columns. */
static inline int mm_band_columns(int levels)
{
    return (levels + MM_COLUMN_BLOCK - 1) / MM_COLUMN_BLOCK * MM_COLUMN_BLOCK;
}

/** Doubles from one diagonal to the next, for matrices of up to `levels` levels. */
static inline size_t mm_band_stride(int levels)
{
    size_t lines = (size_t)mm_band_columns(levels) / MM_LINE_DOUBLES + 1;
    return (lines | 1) * MM_LINE_DOUBLES;
}

/** Position of element (column + diagonal, column). */
static inline size_t mm_band_index(size_t stride, int diagonal, int column)
{
    return (size_t)diagonal * stride + (size_t)column;
}

#endif
