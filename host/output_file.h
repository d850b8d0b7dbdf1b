/* output_file.h - output files that appear complete or not at all. */
#ifndef MM_OUTPUT_FILE_H
#define MM_OUTPUT_FILE_H

#include "micromaser.h"

/** A file being written under a temporary name, .NAME.XXXXXX, in the directory of its final name. */
struct mm_output_file {
    char *path;      /* final name */
    char *temporary; /* name of the file so far */
    char *directory; /* of both */
};

/** Checks that `path` may be written (a regular file only if `replace`, nothing else that exists) and creates the
 *  empty temporary file beside it. MM_ERROR_OUTPUT says why not. End with commit or discard. */
mm_status mm_output_file_create(struct mm_output_file *file, const char *path, bool replace,
                                struct mm_error *error);

/** Writes the whole content and syncs it. MM_ERROR_SYSTEM, say when the disk is full. */
mm_status mm_output_file_write(const struct mm_output_file *file, const void *content, size_t size,
                               struct mm_error *error);

/** Makes the content of another file the temporary one's, to be changed before it is committed. */
mm_status mm_output_file_copy(const struct mm_output_file *file, const char *from, struct mm_error *error);

/** Syncs what others have written to the temporary file. */
mm_status mm_output_file_sync(const struct mm_output_file *file, struct mm_error *error);

/** Gives the file its final name, never over an existing file unless `replace`, even one made meanwhile
 *  (MM_ERROR_OUTPUT), and syncs the directory. On failure the temporary file is removed. Frees *file. */
mm_status mm_output_file_commit(struct mm_output_file *file, bool replace, struct mm_error *error);

/** Removes the temporary file and frees *file. */
void mm_output_file_discard(struct mm_output_file *file);

/** Before a long computation: can its output be written at the end? Creates and removes the temporary file. */
mm_status mm_output_file_check(const char *path, bool replace, struct mm_error *error);

#endif
