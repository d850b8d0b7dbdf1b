/* table.h - the contents of our files as flat tables: one row a chain, a grid point, a recorded collision. */
#ifndef MM_FILES_TABLE_H
#define MM_FILES_TABLE_H

#include "files/hdf5/read.h"

enum { MM_TABLE_NAME_SIZE = 64 };

/** One column: numbers or texts. */
struct mm_table_column {
    char name[MM_TABLE_NAME_SIZE];
    double *numbers; /* [row_count], NULL for texts */
    char **texts;    /* [row_count], NULL for numbers */
};

/** A table. Free with mm_table_free. */
struct mm_table {
    const char *name;
    size_t row_count;
    size_t column_count;
    struct mm_table_column *columns; /* [column_count] */
};

/** Reads a table of a file.
 *  @param name  NULL: the first table of that kind of file, its summary
 *  An unknown name is the failure "PATH: .." with MM_ERROR_INPUT that lists those there are. */
void mm_table_read(struct mm_hdf5_file *file, const char *name, struct mm_table *table);

/** The column of that name, or NULL. */
const struct mm_table_column *mm_table_find(const struct mm_table *table, const char *name);

void mm_table_free(struct mm_table *table);

#endif
