/* stretch.cuh - a sweep's course over the stretches of a chain's way: by every collision, or by few of them.
 *
 * Thread 0 looks up what is to be done at a collision, and leaves it in shared memory for all: registers are for
 * the matrix. The terms of a stretch by few are summed over the block one by one, because each has a weight, a
 * correction and a part in the magnitude that tells whether the sum holds (host/solver/sweep_plan.h). Thread 0
 * keeps that account in global memory, so that a stretch may go on in the next launch.
 */
#ifndef MM_CUDA_KERNELS_STRETCH_CUH
#define MM_CUDA_KERNELS_STRETCH_CUH

#include "kernels/derivatives.cuh"
#include "kernels/keep.cuh"

/** What a sweep does at the collisions until .. k of one batch of qubits, of which k is where it begins. */
struct mm_sweep_step {
    int64_t until;
    struct mm_qubit qubit;
    int batch_number;
    int kept;    /* number of the state before collision `until` among those kept of the segment */
    int term;    /* number of the term that the only collision is, if it counts by a weight */
    bool counts; /* derivatives do */
    bool every;  /* they do without weights */
    bool begins; /* the stretch begins with collision `until`: there is none left of it */
};

/** The course of a sweep, in shared memory. Two steps in turn use two places: who writes one has passed a barrier
 * after everybody read it. */
struct mm_sweep_course {
    const struct mm_way *way;
    struct mm_way_place place; /* of the first collision of the present step */
    int stretch;               /* the one that it is in, -1: in none yet */
    int batch_number;
    bool every;          /* every collision of the stretch counts */
    int64_t kept_before; /* states that the way keeps before the segment */
    struct mm_sweep_step steps[2];
};

/** Begins a course at the end of a segment; for thread 0. Place 0 gets a step of no collision. */
__device__ static inline void mm_course_begin(const struct mm_chain_batch &batch, const struct mm_chain_view &view,
                                              int64_t first, int64_t end, struct mm_sweep_course &course)
{
    course.way = batch.ways + view.chain->way;
    course.place = {};
    course.stretch = -1;
    course.batch_number = 0;
    course.every = false;
    mm_way_find(*course.way, first, course.place);
    course.kept_before = mm_way_kept_before(*course.way, course.place, first);
    course.steps[0].until = end;
}

/** Whether A has a source between the first and the last state of a stretch. */
__device__ static inline bool mm_stretch_has_source(const struct mm_device_problem &problem,
                                                    const struct mm_chain_view &view,
                                                    struct mm_collision_range range)
{
    int turns = 0;
    for (int64_t k = max(range.first + 1, problem.tail.start); k < range.end; k++)
        turns |= mm_tail_source(problem.tail, view.tail_signs, k);
    return turns != 0;
}

/** Finds the step that begins with collision k; for thread 0. */
__device__ static inline void mm_find_step(const struct mm_device_problem &problem,
                                           const struct mm_chain_view &view, int64_t k,
                                           struct mm_sweep_course &course, struct mm_sweep_step &step)
{
    const struct mm_way &way = *course.way;
    mm_way_find(way, k, course.place);
    const struct mm_way_stretch &stretch = way.stretches[course.place.stretch];
    if (course.stretch != course.place.stretch)
        course.every = stretch.every || (stretch.all_kept && mm_stretch_has_source(problem, view, stretch.range));
    course.stretch = course.place.stretch;
    course.batch_number = mm_protocol_batch(problem.protocol, k, course.batch_number);
    const bool is_term = !course.every && mm_way_has_term(way, course.place, k);
    int64_t until = max(stretch.range.first, mm_protocol_begin(problem.protocol, course.batch_number));
    if (is_term)
        until = k;
    else if (!course.every && course.place.term > 0)
        until = max(until, way.terms[course.place.term - 1].collision + 1);
    mm_way_find(way, until, course.place);
    step.until = until;
    step.qubit = view.qubits[course.batch_number];
    step.batch_number = course.batch_number;
    step.kept = (int)(mm_way_kept_before(way, course.place, until) - course.kept_before);
    step.term = course.place.term;
    step.counts = course.every || is_term;
    step.every = course.every;
    step.begins = until == stretch.range.first;
}

/** Goes back to collision k; a barrier must follow.
 *  @param which  place of the step of the last collision; becomes that of the present one */
__device__ static inline void mm_course_go_back(const struct mm_device_problem &problem,
                                                const struct mm_chain_view &view, int64_t k,
                                                struct mm_sweep_course &course, int &which)
{
    if (k >= course.steps[which].until)
        return;
    which ^= 1;
    if (threadIdx.x == 0)
        mm_find_step(problem, view, k, course, course.steps[which]);
}

/** Takes a term into the account of a stretch; for thread 0. */
__device__ static inline void mm_enter_term(struct mm_few_sums &few, const struct mm_sweep_term &term,
                                            struct mm_derivative_sums value)
{
    few.by_q += term.weight * value.by_q;
    few.by_x += term.weight * value.by_x;
    few.correction_by_q += term.correction * value.by_q;
    few.correction_by_x += term.correction * value.by_x;
    few.magnitude += fabs(term.weight) * (fabs(value.by_q) + fabs(value.by_x));
}

/** Adds the sums of a stretch to the derivatives by its batch of qubits, and looks whether they are to be trusted;
 * for thread 0. */
__device__ static inline void mm_close_stretch(const struct mm_chain_view &view, const struct mm_way &way,
                                               int batch_number)
{
    struct mm_few_sums &few = *view.few;
    const bool holds =
        mm_sums_hold(way.limits, *view.by_instability, few.magnitude, few.correction_by_q, few.correction_by_x);
    view.derivatives[2 * batch_number] += few.by_q;
    view.derivatives[2 * batch_number + 1] += few.by_x;
    few = {0.0, 0.0, 0.0, 0.0, few.magnitude, few.failed || !holds};
}

/** Accounts for collision k, after its march; contains a barrier where shares are added up.
 *  @param first   the last collision of the launch
 *  @param places  [warps][2], shared memory; not the ones of the call before */
__device__ static inline void mm_course_account(const struct mm_chain_view &view,
                                                const struct mm_sweep_course &course,
                                                const struct mm_sweep_step &step, int64_t first, int64_t k,
                                                double *places, struct mm_derivative_sums &share)
{
    if (step.every) {
        if (k == step.until || k == first || k % MM_DERIVATIVE_INTERVAL == 0)
            mm_add_derivatives(view, step.batch_number, places, share);
        return;
    }
    if (step.counts) {
        const struct mm_derivative_sums sum = mm_block_derivatives(places, share);
        if (threadIdx.x == 0)
            mm_enter_term(*view.few, course.way->terms[step.term], sum);
    }
    if (step.begins && k == step.until && threadIdx.x == 0)
        mm_close_stretch(view, *course.way, step.batch_number);
}

#endif
