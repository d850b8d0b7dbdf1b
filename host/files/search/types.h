/* types.h - the columns of a chain as types of HDF5. */
#ifndef MM_FILES_SEARCH_TYPES_H
#define MM_FILES_SEARCH_TYPES_H

#include "chain/columns.h"
#include "files/hdf5/checked.h"

/** HDF5 type of the elements of a column, in a file and in a record alike; close with H5Tclose. The status is an
 *  enumeration of the names of MM_STOP_REASON_LIST, and NO_FINISHED_CHAIN = -1. */
hid_t mm_result_column_type(struct mm_hdf5 *hdf5, enum mm_chain_column_kind kind);

#endif
