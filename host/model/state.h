/* state.h - density matrices: the one in which charging begins. */
#ifndef MM_MODEL_STATE_H
#define MM_MODEL_STATE_H

#include "micromaser.h"

/** Makes *state, whatever it held, the state before the first collision: the vacuum, of as few levels as hold it.
 *  Free it with mm_state_free. Errors: MM_ERROR_MEMORY, and *state is {0}. */
mm_status mm_initial_state(struct mm_state *state, struct mm_error *error);

#endif
