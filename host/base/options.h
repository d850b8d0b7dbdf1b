/* options.h - option structs of callers that were compiled with another version of the public header. */
#ifndef MM_BASE_OPTIONS_H
#define MM_BASE_OPTIONS_H

#include <stddef.h>

#include "micromaser.h"

/** Most bytes of an option struct: what is larger was never one. */
enum { MM_OPTIONS_SIZE_MAX = 4096 };

/** Size of an option struct in version 0.1, where `last` was its last member. */
#define MM_OPTIONS_FIRST_SIZE(type, last) (offsetof(type, last) + sizeof(((type *)NULL)->last))

/** Copies the options of a caller over the defaults; what they lack stays as it is.
 *  @param name        of the struct, for messages
 *  @param first_size  that of MM_OPTIONS_FIRST_SIZE
 *  @param size        of *own
 *  @param given       begins with its size, as *own does; NULL: nothing is copied
 *  @param own         in: the defaults; out: the options, complete
 *  Errors: MM_ERROR_INPUT for a size that no version had, and for values in members that are not known here. */
mm_status mm_options_copy(const char *name, size_t first_size, size_t size, const void *given, void *own,
                          struct mm_error *error);

#endif
