/* evolve.h - many protocols side by side through many collisions, measured on the way. */
#ifndef MM_EVOLVE_EVOLVE_H
#define MM_EVOLVE_EVOLVE_H

#include "model/protocol.h"
#include "evolve/powers.h"
#include "micromaser.h"
#include "spectrum/merits.h"

enum {
    MM_PER_DECADE_MAX = 10000,        /* most recorded states a decade */
    MM_ROUND_RECORDS = 64,            /* most records of one round */
    MM_STENCIL_STRETCH = 1024,        /* most collisions of one round: a request to stop waits no longer */
    MM_ENERGIES = MM_STENCIL_STRETCH, /* most energies of one round */
};

/** What is done. The arrays are borrowed. */
struct mm_evolution_plan {
    struct mm_problem problem; /* band_tolerance is the only numerical freedom */
    size_t curve_count;
    const struct mm_curve *curves; /* [curve_count] */
    int64_t collisions;            /* to the end */
    int per_decade;                /* recorded states a decade, on a logarithmic grid, or 0 */
    int64_t every;                 /* else every so many collisions */
    int64_t energy_step;           /* E is kept every so many collisions; 0: not at all */
    size_t state_count;
    const int64_t *states; /* [state_count], ascending, the last one is `collisions`: whole states wanted */
};

/** Levels that a state may come to have. */
int mm_plan_largest_space(const struct mm_evolution_plan *plan);

/** Next number of collisions at which the plan records, after k; 0 (k = -1) and the end always are. */
int64_t mm_evolution_next_record(const struct mm_evolution_plan *plan, int64_t k);

/** Number of records of a plan in (first, last], or an upper bound of it. */
int64_t mm_evolution_record_count(const struct mm_evolution_plan *plan, int64_t first, int64_t last);

/** Populations of the states that a round recorded of one curve. */
struct mm_populations {
    int levels;     /* most levels of these states; zero above those of each */
    double *values; /* [MM_ROUND_RECORDS][levels] */
};

/** What one round found, to be stored and forgotten. Rows of one curve follow each other. */
struct mm_round {
    size_t record_count;
    int64_t k[MM_ROUND_RECORDS];
    struct mm_merits *figures;          /* [curve][MM_ROUND_RECORDS] */
    double *truncation_populations;     /* the same */
    double *band_errors;                /* the same */
    struct mm_populations *populations; /* [curve] */
    size_t energy_count;
    int64_t first_energy; /* in steps of energy_step */
    double *energies;     /* [curve][MM_ENERGIES] */
    bool state_wanted;    /* the states after the round are among plan->states */
};

/** An evolution under way: every curve stands after the same number of collisions. */
struct mm_evolution {
    const struct mm_evolution_plan *plan;
    int64_t collisions;      /* done; -1 before the first round, which records the initial state */
    struct mm_state *states; /* [curve_count] */
    struct mm_state *before; /* [curve_count]: before the last round */
    struct mm_round round;   /* the last one */
    struct mm_lane *lanes;   /* [lane_count]: one solver a thread */
    int lane_count;
    struct mm_curve_run *runs; /* [curve_count] */
    struct mm_protocol protocol;
    int64_t *batch_ends; /* [batch_count], those of the protocol */
    bool *by_powers;     /* [curve_count][batch_count] */
};

/** Opens solvers for a plan, which must outlive the evolution. options->threads curves advance at a time.
 *  *evolution is zero before; end it with mm_evolution_close, also after a failure. */
mm_status mm_evolution_open(struct mm_evolution *evolution, const struct mm_evolution_plan *plan,
                            const struct mm_solver_options *options, struct mm_error *error);

/** Makes the evolution stand after `collisions` collisions at the states given, one a curve, whose matrices it
 *  takes over. */
void mm_evolution_set(struct mm_evolution *evolution, int64_t collisions, struct mm_state *states);

bool mm_evolution_done(const struct mm_evolution *evolution);

/** Takes every curve through one round and measures it. After a failure everything stands where it stood before,
 * and can be stored. */
mm_status mm_evolution_advance(struct mm_evolution *evolution, struct mm_error *error);

/** Fills batch_ends and by_powers; the choice depends on the plan and the backend alone.
 *  @param powers  whether the backend leaves room for powers (mm_backend_traits) */
void mm_evolution_choose_methods(struct mm_evolution *evolution, bool powers);

bool mm_evolution_takes_powers(const struct mm_evolution *evolution, size_t curve, size_t batch);

/** How the collisions of a curve are made: "stencil", "powers", or, where batches differ, "stencil, powers". */
const char *mm_evolution_method(const struct mm_evolution *evolution, size_t curve);

const char *mm_evolution_backend(const struct mm_evolution *evolution);
const char *mm_evolution_device(const struct mm_evolution *evolution);

void mm_evolution_close(struct mm_evolution *evolution);

#endif
