/* check.h - whether a result file holds what follows from its chains and its configuration. */
#ifndef MM_FILES_SEARCH_CHECK_H
#define MM_FILES_SEARCH_CHECK_H

#include "chain/source.h"

/** Compares every dataset of /grid, /protocol and /best of the file at `path`, and the axis of /chains, with what
 * would be written there. Needs the memory of these.
 *  @param source  the chains of the file, all of them and no others
 *  @param sound   out: whether all of it can be read and is the same, bit by bit
 *  @param fault   out: where it is not, "PATH: .." that says why
 *  MM_ERROR_SYSTEM if the disk fails, MM_ERROR_MEMORY, and the errors of source->read. */
mm_status mm_result_file_check(const char *path, struct mm_chain_source *source, bool *sound,
                               struct mm_error *fault, struct mm_error *error);

#endif
