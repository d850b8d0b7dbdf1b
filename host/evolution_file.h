/* evolution_file.h - the HDF5 file of an evolution: written as it grows, continued, and read back. */
#ifndef MM_EVOLUTION_FILE_H
#define MM_EVOLUTION_FILE_H

#include "evolve.h"
#include "hdf5_write.h"

/** What describes the run beside the plan. Texts are borrowed. */
struct mm_evolution_run {
    const struct mm_config *config; /* its batches are the plan's */
    const struct mm_run_info *info;
    double seconds; /* of this run and those that it continues */
};

enum mm_evolution_dataset {
    MM_EVOLUTION_K,
    MM_EVOLUTION_ENERGY,
    MM_EVOLUTION_ERGOTROPY,
    MM_EVOLUTION_PURITY,
    MM_EVOLUTION_TRUNCATION_POPULATION,
    MM_EVOLUTION_BAND_ERROR,
    MM_EVOLUTION_POPULATION,
    MM_EVOLUTION_LEVEL,
    MM_EVOLUTION_ENERGY_K,
    MM_EVOLUTION_ENERGY_STEPS,
    MM_STATE_K,
    MM_STATE_LEVEL_COLUMN,
    MM_STATE_DENSITY_MATRIX,
    MM_STATE_POPULATION,
    MM_EVOLUTION_DATASETS,
};

/** An evolution file being written under a temporary name. */
struct mm_evolution_file {
    struct mm_output_file output;
    struct mm_hdf5 hdf5;
    hid_t file;
    hid_t datasets[MM_EVOLUTION_DATASETS]; /* -1 where there is none */
    hsize_t records;                       /* rows of /evolution */
    hsize_t energies;                      /* rows of /evolution/energy_k */
    hsize_t states;                        /* rows of /state */
    hsize_t levels;                        /* length of /evolution/level */
};

/** Creates the file with the protocols of a plan and nothing recorded yet. */
mm_status mm_evolution_file_create(struct mm_evolution_file *file, const char *path, bool replace,
                                   const struct mm_evolution *evolution, const struct mm_evolution_run *run,
                                   struct mm_error *error);

/** Goes on with an earlier file of the same plan: sets the evolution to where it stopped. *seconds becomes the time
 *  spent so far, *complete whether nothing is left to do (then no file is opened). MM_ERROR_INPUT names what
 *  differs. */
mm_status mm_evolution_file_continue(struct mm_evolution_file *file, const char *path,
                                     struct mm_evolution *evolution, const struct mm_evolution_run *run,
                                     double *seconds, bool *complete, struct mm_error *error);

/** Appends the evolution's last round. */
mm_status mm_evolution_file_append(struct mm_evolution_file *file, const struct mm_evolution *evolution,
                                   struct mm_error *error);

/** Writes the description of the run and, unless the evolution is done, what it takes to go on; gives the file its
 *  name. The file is ended, also on failure. */
mm_status mm_evolution_file_finish(struct mm_evolution_file *file, const struct mm_evolution *evolution,
                                   const struct mm_evolution_run *run, bool replace, struct mm_error *error);

/** Ends a file and leaves nothing behind. */
void mm_evolution_file_discard(struct mm_evolution_file *file);

/** Writes /curve, /protocol and their axes: the same in every file with curves. */
void mm_write_curves(struct mm_hdf5 *hdf5, hid_t file, const struct mm_config *config, size_t curve_count,
                     const struct mm_curve *curves, hid_t *curve_axis);

#endif
