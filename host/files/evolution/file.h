/* file.h - the HDF5 file of an evolution: grows beside its name, and is saved under it now and then. */
#ifndef MM_FILES_EVOLUTION_FILE_H
#define MM_FILES_EVOLUTION_FILE_H

#include "files/evolution/curves.h"
#include "files/evolution/tables.h"
#include "files/hdf5/driver.h"

/** What describes the run beside the plan. Texts are borrowed. */
struct mm_evolution_run {
    const struct mm_config *config; /* its batches are the plan's */
    const struct mm_run_info *info;
    double seconds; /* of this run and those that it continues */
};

/** The file of an evolution under way. It must stay where it is in memory. */
struct mm_evolution_file {
    char *path;                  /* where it is saved */
    bool replace;                /* a file of that name may be replaced; it may once it has been saved */
    struct mm_hdf5_disk working; /* the working file, which has no name */
    hid_t file;                  /* the same for HDF5 */
    struct mm_hdf5 hdf5;
    struct mm_evolution_tables tables;
};

/** Begins a file with the protocols of a plan and nothing recorded yet. Nothing is there under its name before it
 *  is saved. End it with mm_evolution_file_close, but not after a failure here. */
mm_status mm_evolution_file_create(struct mm_evolution_file *file, const char *path, bool replace,
                                   const struct mm_evolution *evolution, const struct mm_evolution_run *run,
                                   struct mm_error *error);

/** Goes on with an earlier file of the same plan: sets the evolution to where it stopped. *seconds becomes the time
 *  spent so far, *complete whether nothing is left to do (then no file is opened). MM_ERROR_INPUT names what
 *  differs. */
mm_status mm_evolution_file_continue(struct mm_evolution_file *file, const char *path,
                                     struct mm_evolution *evolution, const struct mm_evolution_run *run,
                                     double *seconds, bool *complete, struct mm_error *error);

/** Appends the evolution's last round. After a failure the file can only be closed. */
mm_status mm_evolution_file_append(struct mm_evolution_file *file, const struct mm_evolution *evolution,
                                   struct mm_error *error);

/** Saves everything appended so far under the file's name, with the description of the run and, unless the
 *  evolution is done, what it takes to go on. It happens whole or, on failure or power loss, not at all: an earlier
 *  file of that name is then untouched. */
mm_status mm_evolution_file_save(struct mm_evolution_file *file, const struct mm_evolution *evolution,
                                 const struct mm_evolution_run *run, struct mm_error *error);

/** Ends the file; what was not saved is gone, and nothing but the saved file is left. */
void mm_evolution_file_close(struct mm_evolution_file *file);

#endif
