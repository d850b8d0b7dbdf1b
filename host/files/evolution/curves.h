/* curves.h - the protocols of the curves, as every file with curves holds them. */
#ifndef MM_FILES_EVOLUTION_CURVES_H
#define MM_FILES_EVOLUTION_CURVES_H

#include "evolve/evolve.h"
#include "files/hdf5/write.h"

/** Writes /curve, /protocol and their axes: the same in every file with curves.
 *  @param curve_axis  out: the axis of the curves; close with H5Dclose */
void mm_evolution_write_curves(struct mm_hdf5 *hdf5, hid_t file, const struct mm_config *config, size_t curve_count,
                               const struct mm_curve *curves, hid_t *curve_axis);

/** Writes a number (type H5T_NATIVE_DOUBLE), or a text, of every curve.
 *  @param values  [curve_count] */
void mm_evolution_write_of_curves(struct mm_hdf5 *hdf5, hid_t group, const char *name, const char *long_name,
                                  size_t curve_count, hid_t axis, hid_t type, const void *values);

#endif
