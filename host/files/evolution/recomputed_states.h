/* recomputed_states.h - states of an evolution that its file does not store, computed again from it. */
#ifndef MM_FILES_EVOLUTION_RECOMPUTED_STATES_H
#define MM_FILES_EVOLUTION_RECOMPUTED_STATES_H

#include "files/evolution/stored_states.h"

/** Computes the state of every curve after k collisions, from the nearest stored state before it, or the vacuum,
 * with the protocols, couplings, levels and tolerance of the file.
 *  @param k        within the evolution, else MM_ERROR_INPUT
 *  @param options  backend ("auto" stands for cpu) and threads
 *  @param stop     set to non-zero to stop; may be NULL
 *  @param states   [stored->curves], {0} each; out: the caller frees each with mm_state_free, also after a failure
 *  Returns MM_STOPPED when *stop was set. Failures to read are those of stored->file.hdf5 as well. */
mm_status mm_evolution_recompute_states(struct mm_stored_states *stored, int64_t k,
                                        const struct mm_solver_options *options, const volatile int *stop,
                                        struct mm_state *states, struct mm_error *error);

#endif
