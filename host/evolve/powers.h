/* powers.h - many identical collisions at once, by powers of the channel as a matrix. */
#ifndef MM_EVOLVE_POWERS_H
#define MM_EVOLVE_POWERS_H

#include "micromaser.h"

enum { MM_POWER_BITS = 18 }; /* most collisions at once: 2^18 */

struct mm_qubit;

/** The channel of identical collisions and its powers, each made when it is first needed; {0} before it is opened.
 */
struct mm_channel_powers {
    int space;                         /* levels of the whole space */
    int levels;                        /* of the live block */
    double leak;                       /* bound on the trace norm of what one collision takes out of the block */
    bool diagonal;                     /* the state is diagonal and stays so */
    size_t dimension;                  /* elements of a state: of its lower triangle, or of its diagonal */
    int count;                         /* powers made so far */
    double *powers[MM_POWER_BITS + 1]; /* Phi^(2^j), [dimension][dimension], row-major */
    double *elements;                  /* two states, [2][dimension] */
};

/** Levels below the lowest border that no collision with this coupling crosses: `levels` where there is none. */
int mm_closed_levels(double g, int levels);

/** Whether powers cost less than collision by collision, by counted operations.
 *  @param levels      of the live block, mm_closed_levels
 *  @param diagonal    the state is diagonal and x = 0
 *  @param collisions  identical ones
 *  @param stops       states wanted on the way */
bool mm_channel_powers_pay(int levels, bool diagonal, int64_t collisions, int64_t stops);

/** Makes the matrix of one collision on the live block of a space. On failure nothing stays allocated.
 *  @param levels  of the whole space */
mm_status mm_channel_powers_open(struct mm_channel_powers *powers, double g, const struct mm_qubit *qubit,
                                 int levels, bool diagonal, struct mm_error *error);

/** Takes a state of up to powers->space levels through `collisions` of them, which must be fewer than
 *  2^(MM_POWER_BITS + 1). truncation_population sees the states after each power; band_error grows by what is left
 *  outside the live block. */
mm_status mm_channel_powers_apply(struct mm_channel_powers *powers, int64_t collisions, struct mm_state *state,
                                  struct mm_error *error);

void mm_channel_powers_close(struct mm_channel_powers *powers);

#endif
