/* sweep_ways.cu - makes the ways of an adjoint sweep from its plans, and brings them to a device. */
#include "kernels/sweep_ways.cuh"

#include <cstdlib>
#include <cstring>

#include "device/memory.cuh"
extern "C" {
#include "model/problem.h"
}

namespace
{

/* Room for the stretches and terms of a way. */
mm_status allocate(struct mm_way *way, size_t stretches, size_t terms, struct mm_error *error)
{
    way->stretches = static_cast<struct mm_way_stretch *>(calloc(stretches, sizeof *way->stretches));
    way->terms = static_cast<struct mm_sweep_term *>(calloc(terms + 1, sizeof *way->terms)); /* NULL fails only */
    if (way->stretches == nullptr || way->terms == nullptr)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for the ways of an adjoint sweep");
    way->stretch_count = static_cast<int>(stretches);
    way->term_count = static_cast<int>(terms);
    return MM_OK;
}

/* Counts the states that are kept before each stretch. */
void count_kept(const struct mm_way &way)
{
    int64_t kept = 0;
    int term = 0;
    for (int i = 0; i < way.stretch_count; i++) {
        struct mm_way_stretch &stretch = way.stretches[i];
        stretch.kept = kept;
        stretch.first_term = term;
        while (term < way.term_count && way.terms[term].collision < stretch.range.end)
            term++;
        kept += stretch.all_kept ? stretch.range.end - stretch.range.first : term - stretch.first_term;
    }
}

mm_status follow_plan(struct mm_way *way, const struct mm_sweep_plan &plan, int64_t tail_start,
                      struct mm_error *error)
{
    mm_status status = allocate(way, plan.stretch_count, plan.term_count, error);
    if (status != MM_OK)
        return status;
    for (size_t i = 0; i < plan.stretch_count; i++) {
        const struct mm_sweep_stretch &planned = plan.stretches[i];
        const bool every = planned.kind == MM_STRETCH_EVERY;
        const bool in_tail = planned.kind == MM_STRETCH_FEW && planned.range.first >= tail_start;
        way->stretches[i] = {planned.range, every, every || in_tail, 0, 0};
    }
    memcpy(way->terms, plan.terms, plan.term_count * sizeof *plan.terms);
    way->limits = plan.limits;
    count_kept(*way);
    return MM_OK;
}

/* One stretch in which every collision counts, as long as a plan. */
mm_status take_every(struct mm_way *way, const struct mm_sweep_plan &plan, struct mm_error *error)
{
    mm_status status = allocate(way, 1, 0, error);
    if (status == MM_OK)
        way->stretches[0] = {
            {plan.stretches[0].range.first, plan.stretches[plan.stretch_count - 1].range.end}, true, true, 0, 0};
    return status;
}

} // namespace

mm_status mm_sweep_ways_create(struct mm_sweep_ways *ways, const struct mm_problem *problem, struct mm_error *error)
{
    const int64_t tail_start = mm_problem_tail(problem).start;
    struct mm_sweep_plans plans;
    mm_status status = mm_sweep_plans_create(&plans, problem, error);
    if (status != MM_OK)
        return status;
    status = follow_plan(&ways->ways[MM_SWEEP_EXACT], plans.exact, tail_start, error);
    if (status == MM_OK)
        status = follow_plan(&ways->ways[MM_SWEEP_ROUGH], plans.rough, tail_start, error);
    if (status == MM_OK)
        status = take_every(&ways->ways[MM_SWEEP_EVERY], plans.exact, error);
    mm_sweep_plans_free(&plans);
    return status;
}

void mm_sweep_ways_free(struct mm_sweep_ways *ways)
{
    for (struct mm_way &way : ways->ways) {
        free(way.stretches);
        free(way.terms);
    }
    *ways = {};
}

mm_status mm_device_ways_create(struct mm_device_ways *copy, const struct mm_sweep_ways *ways,
                                struct mm_error *error)
{
    mm_status status = MM_OK;
    for (int i = 0; i < MM_SWEEP_WAYS && status == MM_OK; i++) {
        const struct mm_way &from = ways->ways[i];
        struct mm_way &to = copy->ways.ways[i];
        to = {from.stretch_count, from.term_count, nullptr, nullptr, from.limits};
        status = mm_device_copy(&to.stretches, from.stretches, static_cast<size_t>(from.stretch_count), error);
        if (status == MM_OK)
            status = mm_device_copy(&to.terms, from.terms, static_cast<size_t>(from.term_count), error);
    }
    return status == MM_OK ? mm_device_copy(&copy->table, copy->ways.ways, MM_SWEEP_WAYS, error) : status;
}

void mm_device_ways_free(struct mm_device_ways *copy)
{
    (void)cudaFree(copy->table);
    for (struct mm_way &way : copy->ways.ways) {
        (void)cudaFree(way.stretches);
        (void)cudaFree(way.terms);
    }
    *copy = {};
}
