/* types.h - the columns of a result file: one table for /chains, /best and resuming. */
#ifndef MM_FILES_SEARCH_TYPES_H
#define MM_FILES_SEARCH_TYPES_H

#include "files/hdf5/checked.h"

#define MM_RESULT_PROGRAM "micromaser" /* root attribute `program` of our files */

/** Records the failure "PATH: belongs to another WHAT: [section] there '..', here '..'" with the first line in
 * which two texts differ. */
void mm_hdf5_fail_on_difference(struct mm_hdf5 *hdf5, const char *what, const char *there, const char *here);

/** What a column holds in each row. */
enum mm_column_kind {
    MM_COLUMN_DOUBLE,     /* a double of struct mm_chain */
    MM_COLUMN_INT32,      /* an int32_t or int */
    MM_COLUMN_UINT32,     /* a uint32_t of the record */
    MM_COLUMN_INT64,      /* an int64_t */
    MM_COLUMN_STATUS,     /* an enum mm_stop_reason */
    MM_COLUMN_PARAMETERS, /* [batch_count][2] doubles behind a pointer */
};

/** One column: a member of struct mm_chain and how the file describes it. */
struct mm_column {
    const char *name;
    enum mm_column_kind kind;
    bool in_best;  /* also in /best */
    size_t offset; /* of the member */
    const char *units;
    const char *long_name;
};

/** Every column of /chains. */
extern const struct mm_column mm_columns[];
extern const size_t mm_column_count;

/** Bytes of one row of a column. */
size_t mm_column_size(const struct mm_column *column, size_t batch_count);

/** HDF5 type of the elements of a column, in a file and in a record alike; close with H5Tclose. The status is an
 *  enumeration of the names of MM_STOP_REASON_LIST, and NO_FINISHED_CHAIN = -1. */
hid_t mm_column_type(struct mm_hdf5 *hdf5, enum mm_column_kind kind);

/** Copies one row of a chain out; chain NULL gives NaN or -1. */
void mm_column_take(const struct mm_column *column, size_t batch_count, const struct mm_chain *chain, char *row);

/** Copies one row into a chain whose parameter pointers are set. */
void mm_column_put(const struct mm_column *column, size_t batch_count, const char *row, struct mm_chain *chain);

#endif
