/* resume.h - what an evolution file holds so that a later run can go on, and its check by that run. */
#ifndef MM_FILES_EVOLUTION_RESUME_H
#define MM_FILES_EVOLUTION_RESUME_H

#include "evolve/evolve.h"
#include "files/hdf5/read.h"
#include "files/hdf5/write.h"

enum { MM_PLAN_TEXT_SIZE = 8192 };

/** The plan as text: two evolutions of the same configuration and curves are the same if it is. */
mm_status mm_evolution_plan_text(const struct mm_evolution_plan *plan, char text[MM_PLAN_TEXT_SIZE],
                                 struct mm_error *error);

/** Writes /resume: where the evolution stands. */
void mm_evolution_resume_write(struct mm_hdf5 *hdf5, hid_t file, const struct mm_evolution *evolution);

/** Checks that a file holds an earlier part of this evolution and makes the evolution stand where it stopped.
 *  @param config    of the evolution
 *  @param seconds   out: time spent on it so far
 *  @param complete  out: nothing is left to do; the evolution is then left as it is
 *  MM_ERROR_INPUT names what differs. */
mm_status mm_evolution_resume_read(const char *path, struct mm_evolution *evolution, const struct mm_config *config,
                                   double *seconds, bool *complete, struct mm_error *error);

#endif
