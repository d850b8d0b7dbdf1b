/* sweep_plan.c - divides a schedule into stretches and chooses the states that an adjoint sweep over them needs.
 *
 * Where every collision counts, states are marked at equal distances, to be computed again in between. A long free
 * batch does with few collisions, whose states are all marked: the sources of the adjoint lie in the tail, so that
 * the batch's terms are smooth before it and, unless the energy turns, in it.
 */
#include <math.h>
#include <stdlib.h>

#include "collision_sum.h"
#include "problem.h"
#include "sweep_plan.h"

enum {
    SPACING = 16,  /* With 120 levels the states of so many collisions fill half a megabyte. */
    SHORTEST = 64, /* collisions of a stretch that is not summed over all of them */
    /* Most marks where not every collision counts: with 120 levels their states fill 16 MB, and what does not fit
     * the caches takes as long to fetch as to compute again. */
    MARKS_MAX = 512,
};

static const double LARGEST_SHARE = 0.6; /* of its collisions that a sum by few may take */
static const double EXACT_TOLERANCE = 1e-13, ROUGH_TOLERANCE = 1e-6;

int64_t mm_sweep_spacing(struct mm_collision_range range)
{
    const int64_t least = (range.end - range.first + MM_SWEEP_PIECES - 1) / MM_SWEEP_PIECES;
    return least > SPACING ? least : SPACING;
}

void mm_sweep_plan_free(struct mm_sweep_plan *plan)
{
    free(plan->stretches);
    free(plan->marks);
    *plan = (struct mm_sweep_plan){0};
}

/* --------------------------------------------------------------------------------------------- stretches */

/** Takes the range that follows the last stretch, or lengthens that one where every collision counts in both. */
static void add_stretch(struct mm_sweep_plan *plan, struct mm_collision_range range, enum mm_stretch_kind kind)
{
    struct mm_sweep_stretch *last = plan->stretches + plan->stretch_count - 1;
    if (range.first == range.end)
        return;
    if (plan->stretch_count > 0 && kind == MM_STRETCH_EVERY && last->kind == MM_STRETCH_EVERY)
        last->range.end = range.end;
    else
        plan->stretches[plan->stretch_count++] = (struct mm_sweep_stretch){.range = range, .kind = kind};
}

/** Part of a batch. */
static void add_part(struct mm_sweep_plan *plan, const struct mm_batch *batch, struct mm_collision_range range,
                     bool by_few)
{
    enum mm_stretch_kind kind = MM_STRETCH_EVERY;
    if (by_few && range.end - range.first >= SHORTEST)
        kind = batch->fixed ? MM_STRETCH_FIXED : MM_STRETCH_FEW;
    add_stretch(plan, range, kind);
}

/** Divides the schedule from the first free batch on. Batches are cut where the tail starts. */
static void add_stretches(struct mm_sweep_plan *plan, const struct mm_problem *problem, bool by_few)
{
    const int64_t tail_start = mm_problem_collisions(problem) - problem->tail;
    int64_t first = 0;
    bool free_before = false;
    plan->stretch_count = 0;
    for (size_t b = 0; b < problem->batch_count; b++) {
        const struct mm_batch *batch = &problem->batches[b];
        const int64_t end = first + batch->qubits;
        const int64_t cut = first < tail_start && tail_start < end ? tail_start : end;
        free_before = free_before || !batch->fixed;
        if (free_before) {
            add_part(plan, batch, (struct mm_collision_range){first, cut}, by_few);
            add_part(plan, batch, (struct mm_collision_range){cut, end}, by_few);
        }
        first = end;
    }
}

/* ------------------------------------------------------------------------------------------------- marks */

/** Counts those that there is no room for as well. */
static void add_mark(struct mm_sweep_plan *plan, struct mm_sweep_mark mark)
{
    if (plan->mark_count < MARKS_MAX)
        plan->marks[plan->mark_count] = mark;
    plan->mark_count++;
}

static void mark_equally(struct mm_sweep_plan *plan, struct mm_sweep_stretch *stretch)
{
    const int64_t spacing = mm_sweep_spacing(stretch->range);
    for (int64_t k = stretch->range.first; k < stretch->range.end; k += spacing)
        add_mark(plan, (struct mm_sweep_mark){k, 1.0, 0.0});
}

/** Two sums over a stretch, kept for the next one of the same length. */
struct stretch_sums {
    int64_t length;       /* 0: none yet */
    double tolerances[2]; /* the tight one's, and the loose one's */
    struct mm_collision_sum sums[2];
};

static void free_sums(struct stretch_sums *known)
{
    for (int i = 0; i < 2; i++)
        mm_collision_sum_free(&known->sums[i]);
    known->length = 0;
}

static mm_status find_sums(struct stretch_sums *known, int64_t length, struct mm_error *error)
{
    if (known->length == length)
        return MM_OK;
    free_sums(known);
    mm_status status = mm_collision_sums_find(length, 2, known->tolerances, known->sums, error);
    if (status == MM_OK)
        known->length = length;
    return status;
}

/** Marks the collisions of a sum, and the first one in any case. */
static void mark_terms(struct mm_sweep_plan *plan, const struct mm_sweep_stretch *stretch,
                       const struct stretch_sums *known)
{
    const struct mm_collision_sum *tight = &known->sums[0], *loose = &known->sums[1];
    const int64_t first = stretch->range.first;
    if (tight->collisions[0] != 0)
        add_mark(plan, (struct mm_sweep_mark){first, 0.0, 0.0});
    for (int i = 0, j = 0; i < tight->count; i++) {
        struct mm_sweep_mark mark = {first + tight->collisions[i], tight->weights[i], -tight->weights[i]};
        if (j < loose->count && loose->collisions[j] == tight->collisions[i])
            mark.correction += loose->weights[j++];
        add_mark(plan, mark);
    }
}

/** Marks the terms of a sum by few collisions, unless it takes too many: then every one counts. */
static mm_status mark_few(struct mm_sweep_plan *plan, struct mm_sweep_stretch *stretch, struct stretch_sums *known,
                          struct mm_error *error)
{
    const int64_t length = stretch->range.end - stretch->range.first;
    mm_status status = find_sums(known, length, error);
    if (status != MM_OK)
        return status;
    if ((double)known->sums[0].count <= LARGEST_SHARE * (double)length) {
        mark_terms(plan, stretch, known);
        return MM_OK;
    }
    stretch->kind = MM_STRETCH_EVERY;
    mark_equally(plan, stretch);
    return MM_OK;
}

/** Marks the states of all stretches, and the last state of the schedule. */
static mm_status add_marks(struct mm_sweep_plan *plan, struct stretch_sums *known, struct mm_error *error)
{
    mm_status status = MM_OK;
    plan->mark_count = 0;
    for (size_t i = 0; status == MM_OK && i < plan->stretch_count; i++) {
        struct mm_sweep_stretch *stretch = &plan->stretches[i];
        stretch->first_mark = plan->mark_count;
        if (stretch->kind == MM_STRETCH_FEW)
            status = mark_few(plan, stretch, known, error);
        else if (stretch->kind == MM_STRETCH_EVERY)
            mark_equally(plan, stretch);
        else
            add_mark(plan, (struct mm_sweep_mark){stretch->range.first, 0.0, 0.0});
        stretch->piece_count = plan->mark_count - stretch->first_mark;
    }
    add_mark(plan, (struct mm_sweep_mark){plan->stretches[plan->stretch_count - 1].range.end, 0.0, 0.0});
    return status;
}

/** Of the sum that a sum with a tolerance is compared with. */
static double loose_tolerance(double tolerance)
{
    return pow(tolerance, 2.0 / 3.0);
}

static mm_status fill(struct mm_sweep_plan *plan, const struct mm_problem *problem, double tolerance,
                      struct mm_error *error)
{
    struct stretch_sums known = {.tolerances = {tolerance, loose_tolerance(tolerance)}};
    add_stretches(plan, problem, true);
    mm_status status = add_marks(plan, &known, error);
    free_sums(&known);
    if (status != MM_OK || plan->mark_count <= MARKS_MAX)
        return status;
    add_stretches(plan, problem, false);
    return add_marks(plan, &known, error);
}

mm_status mm_sweep_plan_create(struct mm_sweep_plan *plan, const struct mm_problem *problem, double tolerance,
                               struct mm_error *error)
{
    /* A batch has two parts at most where the tail starts, and one else. */
    *plan = (struct mm_sweep_plan){.error_limit = 0.5 * loose_tolerance(tolerance)};
    plan->stretches = calloc(problem->batch_count + 1, sizeof *plan->stretches);
    plan->marks = calloc(MARKS_MAX, sizeof *plan->marks);
    mm_status status = MM_OK;
    if (plan->stretches == NULL || plan->marks == NULL)
        status = mm_fail(error, MM_ERROR_MEMORY, "no memory for the plan of an adjoint sweep over %zu batches",
                         problem->batch_count);
    if (status == MM_OK)
        status = fill(plan, problem, tolerance, error);
    if (status != MM_OK)
        mm_sweep_plan_free(plan);
    return status;
}

mm_status mm_sweep_plans_create(struct mm_sweep_plans *plans, const struct mm_problem *problem,
                                struct mm_error *error)
{
    *plans = (struct mm_sweep_plans){0};
    mm_status status = mm_sweep_plan_create(&plans->exact, problem, EXACT_TOLERANCE, error);
    if (status == MM_OK)
        status = mm_sweep_plan_create(&plans->rough, problem, ROUGH_TOLERANCE, error);
    if (status != MM_OK)
        mm_sweep_plans_free(plans);
    return status;
}

void mm_sweep_plans_free(struct mm_sweep_plans *plans)
{
    mm_sweep_plan_free(&plans->exact);
    mm_sweep_plan_free(&plans->rough);
}
