/* journal_header.h - the header of a journal as bytes. */
#ifndef MM_STORE_JOURNAL_HEADER_H
#define MM_STORE_JOURNAL_HEADER_H

#include "store/journal.h"

enum { MM_JOURNAL_HEADER_MAX = 64 << 20 /* most bytes of both copies of a header */ };

/** Both copies of a header, as a journal begins with them.
 *  @param bytes  out, to be freed by the caller
 *  @param size   out: their number, the offset of the first record */
mm_status mm_journal_header_pack(const struct mm_journal_header *header, size_t record_size, unsigned char **bytes,
                                 size_t *size, struct mm_error *error);

#endif
