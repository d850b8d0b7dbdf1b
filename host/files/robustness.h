/* robustness.h - the HDF5 file of a robustness study. */
#ifndef MM_FILES_ROBUSTNESS_H
#define MM_FILES_ROBUSTNESS_H

#include "evolve/robustness.h"

/** Writes the spread of all realisations done (layout: files/robustness.c), to appear complete or not at all.
 *  Overwrites `path` only if `replace`. */
mm_status mm_robustness_file_write(const char *path, const struct mm_config *config,
                                   const struct mm_evolution_plan *plan, const struct mm_noise *noise,
                                   struct mm_robustness *robustness, const struct mm_run_info *info, bool replace,
                                   struct mm_error *error);

#endif
