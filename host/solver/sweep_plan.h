/* sweep_plan.h - which states of a run an adjoint sweep needs, and which collisions its derivatives are taken at.
 */
#ifndef MM_SOLVER_SWEEP_PLAN_H
#define MM_SOLVER_SWEEP_PLAN_H

#include "micromaser.h"
#include "solver/sum_limits.h"

/** The collisions first .. end-1 of a schedule: from state `first` to state `end`. */
struct mm_collision_range {
    int64_t first;
    int64_t end;
};

/** How the derivative by the qubits of a stretch is summed over its collisions. */
enum mm_stretch_kind {
    MM_STRETCH_FIXED, /* not at all: the qubits are fixed */
    MM_STRETCH_FEW,   /* by some of them, with weights (solver/collision_sum.h) */
    MM_STRETCH_EVERY, /* every collision */
};

/** A state that is kept during the run. */
struct mm_sweep_mark {
    int64_t collision;
    size_t first_term; /* the terms of a stretch of the kind FEW, up to those of the next mark */
};

/** A collision that counts in a stretch of the kind FEW. */
struct mm_sweep_term {
    int64_t collision;
    double weight;
    double correction; /* by which it differs from the weight in a looser sum: shows the error */
};

/** Collisions with one kind of sum: of one batch, and not across the start of the tail, unless every one counts. */
struct mm_sweep_stretch {
    struct mm_collision_range range;
    enum mm_stretch_kind kind;
    size_t first_mark;  /* at range.first */
    size_t piece_count; /* between marks; the last one ends at the first mark after the stretch, at range.end */
};

/** The stretches from the first free batch to the end of the schedule. */
struct mm_sweep_plan {
    size_t stretch_count;
    size_t mark_count;
    size_t term_count;
    struct mm_sweep_stretch *stretches; /* [stretch_count] */
    struct mm_sweep_mark *marks;        /* [mark_count], of which the last is at the end of the schedule */
    struct mm_sweep_term *terms;        /* [term_count], ascending, fewer than MM_SWEEP_SEGMENT from their marks */
    struct mm_sum_limits limits;        /* of corrections: see mm_sweep_plans */
};

enum {
    MM_SWEEP_PIECES = 128, /* most pieces of a range in which every collision counts */

    /* Collisions of a segment, whose states are computed again together. With 120 levels they fill about half a
     * megabyte; half or twice as many are no faster. It is the same for all sizes, because the windows of the
     * segments, and with them the last digits of a gradient, must not depend on how much memory earlier points have
     * needed. */
    MM_SWEEP_SEGMENT = 16,
};

/** Collisions of a piece of a range in which every one counts. */
int64_t mm_sweep_spacing(struct mm_collision_range range);

/** The plans of a problem. Sums by few collisions have a tolerance t, about their error in units of the largest
 *  term, and corrections towards a sum with the tolerance t^(4/5); their limit is half of that. */
struct mm_sweep_plans {
    struct mm_sweep_plan exact; /* t = 1e-13: gradients are as right as by every collision, or nearly */
    struct mm_sweep_plan rough; /* t = 1e-6 */
};

/** Plans the sweeps over a problem's schedule.
 *  @param problem  with at least one free batch
 *  @param plans    out; owned by the caller, who frees them with mm_sweep_plans_free
 *  Errors: MM_ERROR_MEMORY, MM_ERROR_LAPACK, and nothing is left to free. */
mm_status mm_sweep_plans_create(struct mm_sweep_plans *plans, const struct mm_problem *problem,
                                struct mm_error *error);

/** Frees the arrays of both plans. */
void mm_sweep_plans_free(struct mm_sweep_plans *plans);

#endif
