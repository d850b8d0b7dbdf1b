/* columns.h - the columns of a finished chain, which journals, result files, /best and tables are made from.
 *
 * A new column is a row here, and the code that fills its member.
 */
#ifndef MM_CHAIN_COLUMNS_H
#define MM_CHAIN_COLUMNS_H

#include "micromaser.h"

/** What a column holds in each row. */
enum mm_chain_column_kind {
    MM_CHAIN_COLUMN_DOUBLE,     /* a double of struct mm_chain */
    MM_CHAIN_COLUMN_INT32,      /* an int32_t or int */
    MM_CHAIN_COLUMN_UINT32,     /* a uint32_t of the record */
    MM_CHAIN_COLUMN_INT64,      /* an int64_t */
    MM_CHAIN_COLUMN_STATUS,     /* an enum mm_stop_reason */
    MM_CHAIN_COLUMN_PARAMETERS, /* [batch_count][2] doubles behind a pointer */
};

/** One column: a member of struct mm_chain and how the file describes it. */
struct mm_chain_column {
    const char *name;
    enum mm_chain_column_kind kind;
    bool in_best;  /* also in /best */
    size_t offset; /* of the member */
    const char *units;
    const char *long_name;
};

/** Every column, in the order of /chains and of a record (chain/record.h). */
extern const struct mm_chain_column mm_chain_columns[];
extern const size_t mm_chain_column_count;

/** Bytes of one row of a column. */
size_t mm_chain_column_size(const struct mm_chain_column *column, size_t batch_count);

/** Copies one row of a chain out; chain NULL gives NaN or -1. */
void mm_chain_column_take(const struct mm_chain_column *column, size_t batch_count, const struct mm_chain *chain,
                          char *row);

/** Copies one row into a chain whose parameter pointers are set. */
void mm_chain_column_put(const struct mm_chain_column *column, size_t batch_count, const char *row,
                         struct mm_chain *chain);

#endif
