/* steady.h - chambers, steady states and lifetimes of a protocol, gathered from an evolution. */
#ifndef MM_EVOLVE_STEADY_H
#define MM_EVOLVE_STEADY_H

#include "evolve/evolve.h"
#include "model/steady_state.h"

/** One curve: its chambers alone (count 0), or with E(k) and the populations of the chambers. Zero-initialise; free
 *  with mm_steady_free. */
struct mm_steady {
    char label[MM_CURVE_LABEL_SIZE];
    struct mm_chambers chambers;
    size_t count;
    int64_t *k;       /* [count] */
    double *energies; /* [count] */
    double *sums;     /* [count][border_count + 1] */
    struct mm_lifetime lifetime;
    double *steady; /* [borders[0].m], Eq. 8; NULL where not asked for or without a border */
};

/** Begins a report with its chambers, with room for `records` states. */
mm_status mm_steady_begin(struct mm_steady *steady, const char *label, double g, int levels, size_t records,
                          struct mm_error *error);

/** Adds one state. */
void mm_steady_add(struct mm_steady *steady, int64_t k, double energy, size_t levels, const double *populations);

/** Adds what the last round of an evolution recorded.
 *  @param steady  [curves of the evolution] */
void mm_steady_add_round(struct mm_steady *steady, const struct mm_evolution *evolution);

/** Finds what follows from the records: the lifetime, and the steady state of Eq. 8.
 *  @param from  where to look for the plateau
 *  @param band  relative half width of the band around it, NAN: 0.01
 *  @param q     of the qubits of Eq. 8, NAN: no steady state is wanted */
mm_status mm_steady_finish(struct mm_steady *steady, int64_t from, double band, double q, struct mm_error *error);

void mm_steady_free(struct mm_steady *steady);

#endif
