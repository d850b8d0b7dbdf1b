/* state.c - density matrices: the one in which charging begins, and the end of all. */
#include <stdlib.h>

#include "base/memory.h"
#include "model/state.h"

mm_status mm_initial_state(struct mm_state *state, struct mm_error *error)
{
    *state = (struct mm_state){0};
    double *density = mm_allocate_doubles(1);
    if (density == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for a density matrix of 1 level");
    density[0] = 1.0;
    state->levels = 1;
    state->density = density;
    return MM_OK;
}

void mm_state_free(struct mm_state *state)
{
    free(state->density);
    *state = (struct mm_state){0};
}
