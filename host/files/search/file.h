/* file.h - the result file of finished chains, wherever they lie. */
#ifndef MM_FILES_SEARCH_FILE_H
#define MM_FILES_SEARCH_FILE_H

#include "chain/source.h"

/** Writes the result file of a source (layout: files/search/file.c) under a temporary name beside `path`, syncs it,
 * renames it and syncs the directory. Nothing is left behind on failure, and memory does not grow with the number
 * of chains but for 24 bytes a grid point.
 *  @param replace  whether a file at `path` may be replaced
 *  Errors: MM_ERROR_OUTPUT, MM_ERROR_SYSTEM (disk full, EIO ..), MM_ERROR_MEMORY, and those of source->read. */
mm_status mm_result_file_write_source(const char *path, struct mm_chain_source *source,
                                      const struct mm_run_info *info, bool replace, struct mm_error *error);

#endif
