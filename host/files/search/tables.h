/* tables.h - the tables of a result file, written block by block. */
#ifndef MM_FILES_SEARCH_TABLES_H
#define MM_FILES_SEARCH_TABLES_H

#include "chain/grid.h"
#include "chain/source.h"
#include "files/hdf5/driver.h"

/** A result file that is being written. */
struct mm_result_writer {
    struct mm_hdf5 hdf5;
    struct mm_hdf5_disk disk;
    struct mm_chain_source *source;
    hid_t file;
    hid_t axes[MM_AXES], batch, parameter; /* the datasets of the axes */
};

/** Writes the groups of the file (layout: files/search/file.c).
 *  @param chains  whether /chains too, or only what follows from them and the configuration */
void mm_result_write_groups(struct mm_result_writer *writer, bool chains);

/** Writes /chains: one row a chain of the source. */
void mm_result_write_chains(struct mm_result_writer *writer);

/** Writes /best: the best chain of each grid point. */
void mm_result_write_best(struct mm_result_writer *writer);

#endif
