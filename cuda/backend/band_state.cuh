/* band_state.cuh - a state of the host as the band matrix of a chain (kernels/chain_batch.cuh), and back. */
#ifndef MM_CUDA_BACKEND_BAND_STATE_CUH
#define MM_CUDA_BACKEND_BAND_STATE_CUH

#include "kernels/chain_batch.cuh"
#include "micromaser.h"

/** Smallest window, in the steps in which windows grow, that holds every element of a state that is not zero.
 *  @param most_levels  of any window */
struct mm_window mm_band_state_window(const struct mm_state *state, int most_levels);

/** Writes a state.
 *  @param window  that of mm_band_state_window
 *  @param batch   its shape is used
 *  @param matrix  [bands][columns], out */
void mm_band_state_write(const struct mm_state *state, struct mm_window window, const struct mm_chain_batch &batch,
                         double *matrix);

/** Replaces a state by that of a chain, as a full matrix.
 *  @param levels  of the space, or MM_LEVELS_AUTO: those of the window
 *  @param matrix  [bands][columns]
 *  Errors: MM_ERROR_MEMORY, and the state is as it was. */
mm_status mm_band_state_read(const double *matrix, const struct mm_chain_batch &batch,
                             const struct mm_device_chain &chain, int levels, struct mm_state *state,
                             struct mm_error *error);

#endif
