/* sweep_plan.c - divides a schedule into stretches and chooses the states that an adjoint sweep over them needs.
 *
 * Where every collision counts, states are marked at equal distances, to be computed again in between. A long free
 * batch does with few collisions, and marks the states from which these are reached: the sources of the adjoint lie
 * in the tail, so that the batch's terms are smooth before it and, unless the energy turns, in it.
 */
#include <math.h>
#include <stdlib.h>

#include "solver/collision_sum.h"
#include "model/problem.h"
#include "solver/sweep_plan.h"

enum {
    SHORTEST = 64, /* collisions of a stretch that is not summed over all of them */
    /* Most marks where not every collision counts: with 120 levels their states fill 16 MB, and what the caches do
     * not hold takes as long to fetch as to compute again. */
    MARKS_MAX = 512,
    PLANS = 2,        /* the exact one and the rough one */
    KEPT_LENGTHS = 8, /* of stretches */
};

static const double LARGEST_SHARE = 0.95; /* of its collisions that a sum by few may take */
static const double TOLERANCES[PLANS] = {1e-13, 1e-6};
static const double MOST_CORRECTIONS[PLANS] = {3e-9, INFINITY};

/* Collisions from one term to the next that take less time than to put a state aside and fetch it. */
static const int NEAREST[PLANS] = {4, 2};

int64_t mm_sweep_spacing(struct mm_collision_range range)
{
    const int64_t least = (range.end - range.first + MM_SWEEP_PIECES - 1) / MM_SWEEP_PIECES;
    return least > MM_SWEEP_SEGMENT ? least : MM_SWEEP_SEGMENT;
}

/* --------------------------------------------------------------------------------------------- stretches */

/* Takes the range that follows the last stretch, or lengthens that one where every collision counts in both. */
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

/* Part of a batch. */
static void add_part(struct mm_sweep_plan *plan, const struct mm_batch *batch, struct mm_collision_range range,
                     bool by_few)
{
    enum mm_stretch_kind kind = MM_STRETCH_EVERY;
    if (by_few && range.end - range.first >= SHORTEST)
        kind = batch->fixed ? MM_STRETCH_FIXED : MM_STRETCH_FEW;
    add_stretch(plan, range, kind);
}

/* Divides the schedule from the first free batch on. Batches are cut where the tail starts. */
static void add_stretches(struct mm_sweep_plan *plan, const struct mm_problem *problem, bool by_few)
{
    const int64_t tail_start = mm_problem_tail(problem).start;
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

/* Counts those that there is no room for as well. */
static void add_mark(struct mm_sweep_plan *plan, int64_t collision)
{
    if (plan->mark_count < MARKS_MAX)
        plan->marks[plan->mark_count] = (struct mm_sweep_mark){collision, plan->term_count};
    plan->mark_count++;
}

static void mark_equally(struct mm_sweep_plan *plan, struct mm_sweep_stretch *stretch)
{
    const int64_t spacing = mm_sweep_spacing(stretch->range);
    for (int64_t k = stretch->range.first; k < stretch->range.end; k += spacing)
        add_mark(plan, k);
}

/* The sums over stretches of one length: for either plan a tight one, and a loose one that it is compared with. */
struct stretch_sums {
    int64_t length;
    struct mm_collision_sum sums[PLANS][2];
};

/* Those of the last few lengths, which many a problem does with. */
struct sum_table {
    size_t found; /* lengths, the last ones of which are kept */
    struct stretch_sums entries[KEPT_LENGTHS];
};

static void free_sums(struct stretch_sums *entry)
{
    for (int i = 0; i < PLANS; i++)
        for (int j = 0; j < 2; j++)
            mm_collision_sum_free(&entry->sums[i][j]);
    entry->length = 0;
}

/* Of the sum that one with a tolerance is compared with. */
static double loose_tolerance(double tolerance)
{
    return pow(tolerance, 0.8);
}

/* The sums over a length, which is not 0. */
static mm_status find_sums(struct sum_table *table, int64_t length, const struct stretch_sums **found,
                           struct mm_error *error)
{
    double tolerances[PLANS][2];
    for (size_t i = 0; i < KEPT_LENGTHS; i++)
        if (table->entries[i].length == length) {
            *found = &table->entries[i];
            return MM_OK;
        }
    struct stretch_sums *entry = &table->entries[table->found++ % KEPT_LENGTHS];
    for (int i = 0; i < PLANS; i++) {
        tolerances[i][0] = TOLERANCES[i];
        tolerances[i][1] = loose_tolerance(TOLERANCES[i]);
    }
    free_sums(entry);
    mm_status status = mm_collision_sums_find(length, (size_t)PLANS * 2, tolerances[0], entry->sums[0], error);
    if (status == MM_OK)
        entry->length = length;
    *found = entry;
    return status;
}

/* Takes the terms of a sum over a stretch. A term near the one before is reached from the same mark. */
static void add_terms(struct mm_sweep_plan *plan, int64_t first, int nearest, const struct mm_collision_sum *tight,
                      const struct mm_collision_sum *loose)
{
    int64_t mark = first, before = first;
    add_mark(plan, first);
    for (int i = 0, j = 0; i < tight->count && plan->mark_count <= MARKS_MAX; i++) {
        struct mm_sweep_term term = {first + tight->collisions[i], tight->weights[i], -tight->weights[i]};
        if (j < loose->count && loose->collisions[j] == tight->collisions[i])
            term.correction += loose->weights[j++];
        if (term.collision - before > nearest || term.collision - mark >= MM_SWEEP_SEGMENT)
            add_mark(plan, mark = term.collision);
        before = term.collision;
        plan->terms[plan->term_count++] = term;
    }
}

/* A plan that is being made. */
struct draft {
    struct mm_sweep_plan *plan;
    int number; /* of the plan */
    struct sum_table *table;
};

/* Takes a sum by few collisions, unless it takes too many: then every one counts. */
static mm_status sum_by_few(const struct draft *draft, struct mm_sweep_stretch *stretch, struct mm_error *error)
{
    const int64_t length = stretch->range.end - stretch->range.first;
    const struct stretch_sums *entry;
    mm_status status = find_sums(draft->table, length, &entry, error);
    if (status != MM_OK)
        return status;
    const struct mm_collision_sum *sums = entry->sums[draft->number];
    if ((double)sums[0].count <= LARGEST_SHARE * (double)length) {
        add_terms(draft->plan, stretch->range.first, NEAREST[draft->number], &sums[0], &sums[1]);
        return MM_OK;
    }
    stretch->kind = MM_STRETCH_EVERY;
    mark_equally(draft->plan, stretch);
    return MM_OK;
}

/* Marks the states of all stretches, unless they become too many, and the last state of the schedule. */
static mm_status add_marks(const struct draft *draft, struct mm_error *error)
{
    struct mm_sweep_plan *plan = draft->plan;
    mm_status status = MM_OK;
    plan->mark_count = plan->term_count = 0;
    for (size_t i = 0; status == MM_OK && plan->mark_count <= MARKS_MAX && i < plan->stretch_count; i++) {
        struct mm_sweep_stretch *stretch = &plan->stretches[i];
        stretch->first_mark = plan->mark_count;
        if (stretch->kind == MM_STRETCH_FEW)
            status = sum_by_few(draft, stretch, error);
        else if (stretch->kind == MM_STRETCH_EVERY)
            mark_equally(plan, stretch);
        else
            add_mark(plan, stretch->range.first);
        stretch->piece_count = plan->mark_count - stretch->first_mark;
    }
    add_mark(plan, plan->stretches[plan->stretch_count - 1].range.end);
    return status;
}

static mm_status create_plan(const struct draft *draft, const struct mm_problem *problem, struct mm_error *error)
{
    struct mm_sweep_plan *plan = draft->plan;
    /* A batch has two parts at most where the tail starts, and one else. */
    plan->stretches = calloc(problem->batch_count + 1, sizeof *plan->stretches);
    plan->marks = calloc(MARKS_MAX, sizeof *plan->marks);
    plan->terms = calloc(((size_t)MARKS_MAX + 1) * MM_SWEEP_SEGMENT, sizeof *plan->terms);
    plan->limits =
        (struct mm_sum_limits){0.5 * loose_tolerance(TOLERANCES[draft->number]), MOST_CORRECTIONS[draft->number]};
    if (plan->stretches == NULL || plan->marks == NULL || plan->terms == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for the plan of an adjoint sweep over %zu batches",
                       problem->batch_count);
    add_stretches(plan, problem, true);
    mm_status status = add_marks(draft, error);
    if (status != MM_OK || plan->mark_count <= MARKS_MAX)
        return status;
    add_stretches(plan, problem, false);
    return add_marks(draft, error);
}

mm_status mm_sweep_plans_create(struct mm_sweep_plans *plans, const struct mm_problem *problem,
                                struct mm_error *error)
{
    struct sum_table table = {0};
    struct mm_sweep_plan *both[PLANS] = {&plans->exact, &plans->rough};
    mm_status status = MM_OK;
    *plans = (struct mm_sweep_plans){0};
    for (int i = 0; status == MM_OK && i < PLANS; i++)
        status = create_plan(&(struct draft){both[i], i, &table}, problem, error);
    for (size_t i = 0; i < KEPT_LENGTHS; i++)
        free_sums(&table.entries[i]);
    if (status != MM_OK)
        mm_sweep_plans_free(plans);
    return status;
}

static void free_plan(struct mm_sweep_plan *plan)
{
    free(plan->stretches);
    free(plan->marks);
    free(plan->terms);
    *plan = (struct mm_sweep_plan){0};
}

void mm_sweep_plans_free(struct mm_sweep_plans *plans)
{
    free_plan(&plans->exact);
    free_plan(&plans->rough);
}
