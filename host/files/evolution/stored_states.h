/* stored_states.h - reads the states that an evolution file stores. */
#ifndef MM_FILES_EVOLUTION_STORED_STATES_H
#define MM_FILES_EVOLUTION_STORED_STATES_H

#include "files/hdf5/read.h"

/** The states of an open evolution file. End with mm_stored_states_close. */
struct mm_stored_states {
    struct mm_hdf5_file file;
    size_t curves;
    size_t states;
    size_t levels;
    struct mm_hdf5_array k; /* [states]: collisions that led to each */
    hid_t density;          /* /state/density_matrix */
    hid_t complex_type;
    void *buffer; /* of one state */
};

/** Opens an evolution file. MM_ERROR_INPUT if it is none, or is damaged; then nothing needs to be closed. */
mm_status mm_stored_states_open(struct mm_stored_states *stored, const char *path, struct mm_error *error);

/** Records a failure unless there is a state of that number. */
void mm_stored_states_check(struct mm_stored_states *stored, int64_t state);

/** Reads a state and turns it into the real gauge. Failures are remembered in stored->file.hdf5.
 *  @param density  [levels][levels], out */
void mm_stored_states_read(struct mm_stored_states *stored, size_t curve, size_t state, double *density);

/** Closes the file and returns the status of everything that was read from it. */
mm_status mm_stored_states_close(struct mm_stored_states *stored);

#endif
