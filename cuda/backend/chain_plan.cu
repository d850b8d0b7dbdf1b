/* chain_plan.cu - the size classes of chains, and how many chains of a class go into some device memory. */
#include "backend/chain_plan.cuh"

#include <algorithm>
#include <climits>
#include <cstring>

#include "device/memory.cuh"
#include "kernels/density.cuh"

namespace
{

constexpr int FIRST_COLUMNS = 128; /* live levels of most chains never pass that */

/* Collisions of chains of a class that take a multiprocessor as long as MM_LAUNCH_COLLISIONS of the largest class
 * in registers; the largest class of all has 2^24 elements. */
int64_t launch_collisions(struct mm_chain_class size)
{
    constexpr int64_t most = int64_t{MM_LAUNCH_COLLISIONS} * MM_TILE_FLAT_BANDS * MM_TILE_COLUMNS_MAX;
    return most / (int64_t{size.bands} * size.columns);
}

/* Chains of a plan that fit, with the segments it has. */
size_t rows_that_fit(struct mm_chain_plan plan, const struct mm_problem *problem, size_t limit)
{
    size_t wanted[MM_ARRAY_COUNT], bytes = 0;
    plan.rows = 1;
    mm_chain_plan_arrays(&plan, problem, wanted);
    for (size_t array : wanted)
        bytes += array;
    return limit / bytes;
}

/* Collision before which the segments start to be counted. */
int64_t segment_origin(const struct mm_chain_plan &plan)
{
    return plan.first / MM_DERIVATIVE_INTERVAL * MM_DERIVATIVE_INTERVAL;
}

/* Most states that a way keeps of a segment of the plan. */
int64_t most_kept(const struct mm_chain_plan &plan, const struct mm_way &way)
{
    struct mm_way_place place = {};
    int64_t most = 0, before = 0;
    for (int64_t segment = 1; segment <= plan.segments; segment++) {
        const int64_t end = mm_chain_plan_segment(&plan, segment);
        mm_way_find(way, end, place);
        const int64_t kept = mm_way_kept_before(way, place, end);
        most = std::max(most, kept - before);
        before = kept;
    }
    return most;
}

/* Gives the plan segments of a length. */
void set_segments(struct mm_chain_plan *plan, const struct mm_chain_purpose &purpose, int64_t length)
{
    const struct mm_way *ways = purpose.ways->ways;
    plan->segment_length = length;
    plan->segments = (plan->collisions - segment_origin(*plan) + length - 1) / length;
    plan->segment_states =
        purpose.every ? most_kept(*plan, ways[MM_SWEEP_EVERY])
                      : std::max(most_kept(*plan, ways[MM_SWEEP_EXACT]), most_kept(*plan, ways[MM_SWEEP_ROUGH]));
}

/* Of segments that double in length, those that take least memory for states and checkpoints. */
void cut_segments(struct mm_chain_plan *plan, const struct mm_chain_purpose &purpose)
{
    struct mm_chain_plan cut = *plan;
    for (int64_t length = MM_DERIVATIVE_INTERVAL; length < plan->collisions; length *= 2) {
        set_segments(&cut, purpose, length);
        if (cut.segments + cut.segment_states < plan->segments + plan->segment_states)
            *plan = cut;
    }
}

} // namespace

/* --------------------------------------------------------------------------------------------- classes */

struct mm_chain_class mm_chain_class_first(const struct mm_problem *problem)
{
    const bool small = problem->levels != MM_LEVELS_AUTO && problem->levels < FIRST_COLUMNS;
    const int columns = small ? mm_class_columns(problem->levels) : FIRST_COLUMNS;
    return {mm_class_bands(1, columns), columns};
}

struct mm_chain_class mm_chain_class_next(struct mm_chain_class size, struct mm_window window)
{
    struct mm_chain_class next = size;
    if (window.levels > size.columns)
        next.columns = mm_class_columns(
            std::min(window.levels + window.levels / 4, int{MM_LEVELS_MAX})); /* it will go on growing */
    if (window.bands > size.bands)
        next.bands = mm_class_bands(window.bands, next.columns);
    return next;
}

struct mm_chain_class mm_chain_class_own(const struct mm_problem *problem, struct mm_window most)
{
    const int levels = problem->levels == MM_LEVELS_AUTO ? MM_LEVELS_MAX : problem->levels;
    struct mm_chain_class size = mm_chain_class_first(problem);
    while (most.levels > size.columns)
        size = mm_chain_class_next(size, {std::min(size.columns + MM_WINDOW_STEP, levels), 0});
    if (most.bands > size.bands)
        size.bands = mm_class_bands(most.bands, size.columns);
    return size;
}

bool mm_chain_class_same(struct mm_chain_class a, struct mm_chain_class b)
{
    return a.bands == b.bands && a.columns == b.columns;
}

bool mm_chain_class_before(struct mm_chain_class a, struct mm_chain_class b)
{
    return a.columns != b.columns ? a.columns < b.columns : a.bands < b.bands;
}

int64_t mm_chain_class_launch(struct mm_chain_class size)
{
    return std::min(launch_collisions(size), int64_t{MM_LAUNCH_COLLISIONS});
}

size_t mm_chain_class_rows(struct mm_chain_class size, int64_t collisions)
{
    return static_cast<size_t>(std::max(launch_collisions(size) / std::max(collisions, int64_t{1}), int64_t{1}));
}

/* --------------------------------------------------------------------------------- segments and memory */

int64_t mm_chain_plan_segment(const struct mm_chain_plan *plan, int64_t segment)
{
    if (segment == plan->segments)
        return plan->collisions;
    return segment == 0 ? plan->first : segment_origin(*plan) + segment * plan->segment_length;
}

void mm_chain_plan_arrays(const struct mm_chain_plan *plan, const struct mm_problem *problem, size_t *wanted)
{
    const size_t rows = static_cast<size_t>(plan->rows);
    struct mm_chain_batch shape = {};
    shape.bands = plan->size.bands;
    shape.columns = plan->size.columns;
    const size_t matrix = mm_batch_matrix(shape) * sizeof(double);
    memset(wanted, 0, MM_ARRAY_COUNT * sizeof *wanted);
    wanted[MM_ARRAY_INPUT] =
        rows * (sizeof(struct mm_device_chain) + problem->batch_count * sizeof(struct mm_qubit));
    wanted[MM_ARRAY_STATES] = rows * matrix;
    wanted[MM_ARRAY_TAIL_SIGNS] = rows * static_cast<size_t>(problem->tail);
    wanted[MM_ARRAY_ORDER] = rows * sizeof(int);
    wanted[MM_ARRAY_KEYS] = rows * sizeof(int);
    wanted[MM_ARRAY_SCRATCH] = rows * mm_batch_scratch(shape) * sizeof(double);
    if (!plan->gradient)
        return;
    wanted[MM_ARRAY_ADJOINTS] = rows * matrix;
    wanted[MM_ARRAY_DERIVATIVES] = rows * problem->batch_count * 2 * sizeof(double);
    wanted[MM_ARRAY_FEW_SUMS] = rows * sizeof(struct mm_few_sums);
    wanted[MM_ARRAY_BY_INSTABILITY] = rows * sizeof(double);
    wanted[MM_ARRAY_LOSSES] = rows * sizeof(struct mm_loss);
    wanted[MM_ARRAY_SEGMENTS] = rows * static_cast<size_t>(plan->segment_states) * matrix;
    wanted[MM_ARRAY_WINDOWS] = rows * static_cast<size_t>(plan->segment_length + 1) * sizeof(struct mm_window);
    /* the last segment's states are kept in the first run already */
    const size_t checkpoints = static_cast<size_t>(plan->segments - 1);
    wanted[MM_ARRAY_CHECKPOINT_STATES] = checkpoints * rows * matrix;
    wanted[MM_ARRAY_CHECKPOINT_CHAINS] = checkpoints * rows * sizeof(struct mm_device_chain);
}

mm_status mm_chain_plan_make(struct mm_chain_plan *plan, const struct mm_problem *problem,
                             struct mm_chain_class size, struct mm_chain_purpose purpose, size_t wanted,
                             size_t resident, size_t limit, struct mm_error *error)
{
    *plan = {size, 0, purpose.ways != nullptr, 0, mm_problem_collisions(problem), 0, 0, 1};
    if (plan->gradient) {
        plan->first = purpose.ways->ways[MM_SWEEP_EVERY].stretches[0].range.first;
        set_segments(plan, purpose, plan->collisions - segment_origin(*plan));
    }
    size_t rows = rows_that_fit(*plan, problem, limit);
    if (plan->gradient && rows < wanted && rows < resident) {
        cut_segments(plan, purpose);
        rows = rows_that_fit(*plan, problem, limit);
    }
    if (rows == 0)
        return mm_fail(error, MM_ERROR_DEVICE,
                       "a chain of %d diagonals, %d levels and %lld collisions does not fit into the %zu bytes of "
                       "device memory that may be used",
                       size.bands, size.columns, static_cast<long long>(plan->collisions), limit);
    rows = rows < wanted ? rows : wanted;
    plan->rows = rows < INT_MAX ? static_cast<int>(rows) : INT_MAX;
    return MM_OK;
}
