/* reader.h - the rows of a result file, as records. */
#ifndef MM_FILES_SEARCH_READER_H
#define MM_FILES_SEARCH_READER_H

#include "chain/record.h"

struct mm_result_reader;

/** What a result file tells about its run. Texts are owned by the reader. */
struct mm_result_description {
    const char *configuration; /* canonical text */
    const char *command_line;
    char backend[16];
    char device[128];
    double seconds;
    bool complete;
};

/** Opens a result file after checking that it is ours: program, kind and layout, before anything else is read.
 *  MM_ERROR_INPUT if it is not, or is damaged where nothing can be read without it. */
mm_status mm_result_reader_open(struct mm_result_reader **reader, const char *path, struct mm_error *error);

const struct mm_result_description *mm_result_reader_description(const struct mm_result_reader *reader);

/** Number of rows of /chains. */
int64_t mm_result_reader_rows(const struct mm_result_reader *reader);

/** Reads rows [first, first + count) as records, with the checksums that the file holds: mm_chain_record_check
 * tells which are sound. Rows of a part of the file that cannot be read (its own checksum is wrong) become zeros,
 * which are not.
 *  @param config   of the run (the number of a chain depends on it)
 *  @param records  [count][mm_chain_record_size], out */
mm_status mm_result_reader_read(struct mm_result_reader *reader, const struct mm_config *config, int64_t first,
                                int64_t count, unsigned char *records, struct mm_error *error);

/** Closes it; NULL is allowed. */
void mm_result_reader_close(struct mm_result_reader *reader);

#endif
