/* wigner_table.h - /state/wigner of an evolution file, added or extended in a copy of it. */
#ifndef MM_FILES_EVOLUTION_WIGNER_TABLE_H
#define MM_FILES_EVOLUTION_WIGNER_TABLE_H

#include "files/hdf5/driver.h"
#include "files/hdf5/write.h"

/** What the table is to be. */
struct mm_wigner_table_shape {
    size_t curves;
    size_t states; /* after the insertion */
    const struct mm_wigner_grid *grid;
    bool keeps; /* what /state/wigner holds: it is on this grid */
};

/** A state to be put between those of the file, or none where `states` is NULL. */
struct mm_inserted_state {
    size_t row;
    int64_t k;
    const struct mm_state *states; /* [curves] */
};

/** A file that is being extended. Failures are remembered in `hdf5`. */
struct mm_wigner_table {
    struct mm_hdf5 hdf5;
    struct mm_hdf5_disk disk;
    hid_t file;
    hid_t group;     /* /state */
    hid_t scales[4]; /* axes of /state/wigner */
    hid_t wigner;
};

/** Opens the temporary file of an output, a copy of an evolution file, and prepares its table: a row of NaN for
 * every state that has none. End with mm_wigner_table_end, also after a failure. */
void mm_wigner_table_begin(struct mm_wigner_table *table, const struct mm_output_file *output,
                           const struct mm_wigner_table_shape *shape, const struct mm_inserted_state *inserted,
                           struct mm_error *error);

/** Writes one Wigner function.
 *  @param wigner  [x][p] */
void mm_wigner_table_put(struct mm_wigner_table *table, const struct mm_wigner_grid *grid, size_t curve,
                         size_t state, const double *wigner);

/** Closes and syncs the file and returns the status of all calls. */
mm_status mm_wigner_table_end(struct mm_wigner_table *table);

#endif
