/* files_beside.h - the files of a run that lie beside its output: those whose names begin with that of the output.
 */
#ifndef MM_DISK_FILES_BESIDE_H
#define MM_DISK_FILES_BESIDE_H

#include "micromaser.h"

/** Paths of the files OUTPUT<middle>*, sorted.
 *  @param paths  out, [*count]; free with mm_files_beside_free
 *  MM_ERROR_OUTPUT if the directory cannot be read. */
mm_status mm_files_beside(const char *output, const char *middle, char ***paths, size_t *count,
                          struct mm_error *error);

void mm_files_beside_free(char **paths, size_t count);

#endif
