/* sweep_ways.cuh - the ways of an adjoint sweep over a schedule (host/solver/sweep_plan.h) as the kernels look them
 * up. */
#ifndef MM_CUDA_KERNELS_SWEEP_WAYS_CUH
#define MM_CUDA_KERNELS_SWEEP_WAYS_CUH

#include <cstdint>

#include <cuda_runtime.h>

extern "C" {
#include "solver/sweep_plan.h"
}

enum mm_sweep_way {
    MM_SWEEP_EXACT, /* the plans of that name: by few collisions where they tell */
    MM_SWEEP_ROUGH,
    MM_SWEEP_EVERY, /* by every collision, where the few did not tell */
    MM_SWEEP_WAYS,
};

/** Collisions with one kind of sum. */
struct mm_way_stretch {
    struct mm_collision_range range;
    bool every;     /* every collision counts; else those that are terms of the way, which may be none */
    bool all_kept;  /* all its states are kept, so that each may count; else those of its terms */
    int first_term; /* of the way: the first one at range.first or later */
    int64_t kept;   /* states that are kept before range.first */
};

/** A way; its arrays are either all on the host or all on a device. */
struct mm_way {
    int stretch_count;
    int term_count;
    struct mm_way_stretch *stretches; /* [stretch_count], from the first free batch to the end of the schedule */
    struct mm_sweep_term *terms;      /* [term_count] */
    struct mm_sum_limits limits;      /* as those of the plan */
};

/** Where a collision lies in a way. Zero-initialise; it is looked for from where the last one lay. */
struct mm_way_place {
    int stretch; /* the one that it belongs to, or the one nearest to it */
    int term;    /* the first one at the collision or later */
};

__host__ __device__ static inline void mm_way_find(const struct mm_way &way, int64_t k, struct mm_way_place &place)
{
    while (place.stretch + 1 < way.stretch_count && k >= way.stretches[place.stretch].range.end)
        place.stretch++;
    while (place.stretch > 0 && k < way.stretches[place.stretch].range.first)
        place.stretch--;
    while (place.term < way.term_count && way.terms[place.term].collision < k)
        place.term++;
    while (place.term > 0 && way.terms[place.term - 1].collision >= k)
        place.term--;
}

/** Whether collision k, which lies there, is a term. */
__host__ __device__ static inline bool mm_way_has_term(const struct mm_way &way, const struct mm_way_place &place,
                                                       int64_t k)
{
    return place.term < way.term_count && way.terms[place.term].collision == k;
}

/** The first collision from k on, which is in the way, whose state is kept; INT64_MAX: there is none. */
__host__ __device__ static inline int64_t mm_way_next_kept(const struct mm_way &way, int64_t k,
                                                           struct mm_way_place &place)
{
    mm_way_find(way, k, place);
    for (int i = place.stretch; i < way.stretch_count; i++) {
        const struct mm_way_stretch &stretch = way.stretches[i];
        const int64_t from = k > stretch.range.first ? k : stretch.range.first;
        if (stretch.all_kept && from < stretch.range.end)
            return from;
        if (place.term < way.term_count && way.terms[place.term].collision < stretch.range.end)
            return way.terms[place.term].collision;
    }
    return INT64_MAX;
}

/** States that are kept of those before collisions up to k, which is in the way or at its end. */
__host__ __device__ static inline int64_t mm_way_kept_before(const struct mm_way &way,
                                                             const struct mm_way_place &place, int64_t k)
{
    const struct mm_way_stretch &stretch = way.stretches[place.stretch];
    return stretch.kept + (stretch.all_kept ? k - stretch.range.first : place.term - stretch.first_term);
}

/** The ways of a problem. */
struct mm_sweep_ways {
    struct mm_way ways[MM_SWEEP_WAYS];
};

/** Makes the ways of a problem, on the host. Before the tail a way keeps the states of its terms alone. In it, it
 *  keeps all: whether the energy turns there, so that every collision counts, shows only at the end of the run.
 *  @param problem  with at least one free batch
 *  @param ways     zero-initialised; owned by the caller, who frees them with mm_sweep_ways_free, after a failure,
 *                  too
 *  Errors: MM_ERROR_MEMORY, MM_ERROR_LAPACK. */
mm_status mm_sweep_ways_create(struct mm_sweep_ways *ways, const struct mm_problem *problem,
                               struct mm_error *error);

void mm_sweep_ways_free(struct mm_sweep_ways *ways);

/** The ways on a device. Zero-initialise. */
struct mm_device_ways {
    struct mm_sweep_ways ways; /* on the host, with arrays on the device */
    struct mm_way *table;      /* [MM_SWEEP_WAYS], on the device: the same */
};

/** Copies the ways to the present device.
 *  @param copy  owned by the caller, who frees it with mm_device_ways_free, after a failure, too
 *  Errors: MM_ERROR_DEVICE. */
mm_status mm_device_ways_create(struct mm_device_ways *copy, const struct mm_sweep_ways *ways,
                                struct mm_error *error);

void mm_device_ways_free(struct mm_device_ways *copy);

#endif
