/* output_file.h - output files that appear complete or not at all. */
#ifndef MM_DISK_OUTPUT_FILE_H
#define MM_DISK_OUTPUT_FILE_H

#include "micromaser.h"

/** What comes between .NAME and the last six characters in the temporary name of an output. */
#define MM_UNFINISHED_MIDDLE ".unfinished."

/** A file being written under a temporary name, .NAME.unfinished.XXXXXX, in the directory of its final name. */
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

/** The same from a descriptor open for reading, which stays open. */
mm_status mm_output_file_copy_open(const struct mm_output_file *file, int from, struct mm_error *error);

/** Gives the file its final name, never over an existing file unless `replace`, even one made meanwhile
 *  (MM_ERROR_OUTPUT), and syncs the directory. On failure the temporary file is removed. Frees *file. */
mm_status mm_output_file_commit(struct mm_output_file *file, bool replace, struct mm_error *error);

/** Removes the temporary file and frees *file. */
void mm_output_file_discard(struct mm_output_file *file);

/** Before a long computation: can its output be written at the end? Creates and removes the temporary file. */
mm_status mm_output_file_check(const char *path, bool replace, struct mm_error *error);

/** Creates an empty file for reading and writing; its six last characters are chosen so that no other has its name.
 *  @param name  in: ends in six characters of any kind; out: the name
 *  Returns its descriptor; -1 and errno on failure. */
int mm_create_unique(char *name);

/** Renames only if no file of the new name exists, in one step; errno on failure. */
bool mm_rename_new(const char *from, const char *to);

/** Makes the names in a directory durable; errno on failure. */
bool mm_sync_directory(const char *path);

#endif
