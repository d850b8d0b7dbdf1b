/* sweep_ways.cpp - the ways of an adjoint sweep against their plans, collision by collision, and the
 * memory that plans of chains leave for the states that they keep. */
#include <algorithm>
#include <climits>
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

extern "C" {
#include <cmocka.h>
}

#include "backend/chain_plan.cuh"
#include "device/memory.cuh"
#include "kernels/sweep_ways.cuh"

namespace
{

/* A problem with its ways. Not to be copied: it points into itself. */
struct schedule {
    std::vector<mm_batch> batches;
    mm_problem problem;
    mm_sweep_ways ways = {};

    schedule(const std::vector<mm_batch> &given, int64_t tail) : batches(given)
    {
        mm_error error = {};
        problem = {12, batches.size(), batches.data(), tail, 1e-16};
        if (mm_sweep_ways_create(&ways, &problem, &error) != MM_OK)
            fail_msg("%s", error.message);
    }
    schedule(const schedule &) = delete;
    schedule &operator=(const schedule &) = delete;

    ~schedule()
    {
        mm_sweep_ways_free(&ways);
    }

    int64_t first() const
    {
        return ways.ways[MM_SWEEP_EVERY].stretches[0].range.first;
    }

    int64_t collisions() const
    {
        return mm_problem_collisions(&problem);
    }
};

mm_batch free_batch(int64_t qubits)
{
    return {qubits, false, 0.0, 0.0};
}

mm_batch fixed_batch(int64_t qubits)
{
    return {qubits, true, 0.5, 0.3};
}

/* Short batches and long ones, free and fixed. */
std::vector<mm_batch> random_batches(std::mt19937_64 &random)
{
    std::vector<mm_batch> batches;
    for (std::uint64_t left = 1 + random() % 4; left > 0; left--) {
        const int64_t qubits = 1 + static_cast<int64_t>(random() % (random() % 2 == 0 ? 60 : 600));
        batches.push_back(random() % 3 == 0 ? fixed_batch(qubits) : free_batch(qubits));
    }
    batches[random() % batches.size()].fixed = false;
    return batches;
}

/* Whether the state before collision k, which lies there, is kept. */
bool keeps(const mm_way &way, const mm_way_place &place, std::int64_t k)
{
    return way.stretches[place.stretch].all_kept || mm_way_has_term(way, place, k);
}

/* Places are looked for from anywhere; what is kept is counted one by one. */
void check_way(const schedule &given, const mm_way &way, std::mt19937_64 &random)
{
    mm_way_place ascending = {}, jumping = {};
    int64_t kept = 0;
    for (int64_t k = given.first(); k < given.collisions(); k++) {
        const int64_t elsewhere =
            given.first() +
            static_cast<int64_t>(random() % static_cast<std::uint64_t>(given.collisions() - given.first()));
        mm_way_find(way, k, ascending);
        mm_way_find(way, elsewhere, jumping);
        mm_way_find(way, k, jumping);
        assert_int_equal(jumping.stretch, ascending.stretch);
        assert_int_equal(jumping.term, ascending.term);
        const mm_way_stretch &stretch = way.stretches[ascending.stretch];
        assert_in_range(k, stretch.range.first, stretch.range.end - 1);
        assert_int_equal(mm_way_kept_before(way, ascending, k), kept);
        kept += keeps(way, ascending, k);
    }
    mm_way_find(way, given.collisions(), ascending);
    assert_int_equal(mm_way_kept_before(way, ascending, given.collisions()), kept);
}

/* Every collision that a plan counts has its state kept, and in the tail all have. */
void check_plan(const schedule &given, const mm_way &way, const mm_sweep_plan &plan)
{
    const int64_t tail_start = given.collisions() - given.problem.tail;
    assert_int_equal(way.stretch_count, plan.stretch_count);
    assert_int_equal(way.term_count, plan.term_count);
    for (size_t i = 0; i < plan.term_count; i++) {
        mm_way_place place = {};
        mm_way_find(way, plan.terms[i].collision, place);
        assert_true(mm_way_has_term(way, place, plan.terms[i].collision));
        assert_int_equal(place.term, i);
        assert_memory_equal(&way.terms[place.term], &plan.terms[i], sizeof plan.terms[i]);
    }
    for (size_t i = 0; i < plan.stretch_count; i++) {
        const mm_sweep_stretch &stretch = plan.stretches[i];
        const bool every = stretch.kind == MM_STRETCH_EVERY, few = stretch.kind == MM_STRETCH_FEW;
        assert_int_equal(way.stretches[i].every, every);
        for (int64_t k = stretch.range.first; k < stretch.range.end; k++) {
            mm_way_place place = {};
            mm_way_find(way, k, place);
            assert_int_equal(keeps(way, place, k),
                             every || (few && (k >= tail_start || mm_way_has_term(way, place, k))));
        }
    }
}

void test_ways_keep_what_their_plans_need(void **)
{
    std::mt19937_64 random(3);
    int by_few = 0;
    for (int i = 0; i < 12; i++) {
        const std::vector<mm_batch> batches = random_batches(random);
        int64_t collisions = 0;
        for (const mm_batch &batch : batches)
            collisions += batch.qubits;
        const schedule given(batches, 1 + static_cast<int64_t>(random() % static_cast<std::uint64_t>(collisions)));
        mm_sweep_plans plans;
        assert_int_equal(mm_sweep_plans_create(&plans, &given.problem, nullptr), MM_OK);
        for (const mm_way &way : given.ways.ways)
            check_way(given, way, random);
        check_plan(given, given.ways.ways[MM_SWEEP_EXACT], plans.exact);
        check_plan(given, given.ways.ways[MM_SWEEP_ROUGH], plans.rough);
        by_few += plans.exact.term_count > 0 && plans.rough.term_count > 0;
        mm_sweep_plans_free(&plans);
    }
    assert_true(by_few >= 4);
}

void test_every_collision_counts_on_the_last_way(void **)
{
    const schedule given({fixed_batch(70), free_batch(200), fixed_batch(100), free_batch(150)}, 90);
    const mm_way &way = given.ways.ways[MM_SWEEP_EVERY];
    mm_way_place place = {};
    assert_int_equal(way.stretch_count, 1);
    assert_true(way.stretches[0].every);
    assert_int_equal(way.stretches[0].range.first, 70);
    assert_int_equal(way.stretches[0].range.end, 520);
    mm_way_find(way, 520, place);
    assert_int_equal(mm_way_kept_before(way, place, 520), 450);
}

/* --------------------------------------------------------------------------------------------- memory */

size_t bytes_of(const mm_chain_plan &plan, const mm_problem &problem)
{
    size_t wanted[MM_ARRAY_COUNT], bytes = 0;
    mm_chain_plan_arrays(&plan, &problem, wanted);
    for (size_t array : wanted)
        bytes += array;
    return bytes;
}

/* Whether a plan has room for the windows and the kept states of each of its segments. */
void check_segments(const schedule &given, const mm_chain_plan &plan, const mm_way &way)
{
    int64_t begin = given.first();
    assert_int_equal(mm_chain_plan_segment(&plan, 0), begin);
    for (int64_t segment = 1; segment <= plan.segments; segment++) {
        const int64_t end = mm_chain_plan_segment(&plan, segment);
        int64_t kept = 0;
        for (int64_t k = begin; k < end; k++) {
            mm_way_place place = {};
            mm_way_find(way, k, place);
            kept += keeps(way, place, k);
        }
        assert_in_range(end - begin, 1, plan.segment_length);
        assert_in_range(kept, 0, plan.segment_states);
        if (segment < plan.segments)
            assert_int_equal(end % MM_DERIVATIVE_INTERVAL, 0);
        begin = end;
    }
    assert_int_equal(begin, given.collisions());
}

/* From all the memory that is wanted down to too little for one chain. */
void test_segments_hold_what_is_kept(void **)
{
    const schedule given({fixed_batch(70), free_batch(1500), free_batch(700)}, 400);
    const mm_chain_class size = {8, 64};
    for (const bool every : {false, true}) {
        bool whole = false, cut = false;
        mm_chain_plan plan;
        size_t limit = 64 << 20;
        for (; mm_chain_plan_make(&plan, &given.problem, size, {&given.ways, every}, 4, 4, limit, nullptr) == MM_OK;
             limit = limit * 4 / 5) {
            assert_in_range(bytes_of(plan, given.problem), 1, limit);
            for (int way = 0; way < MM_SWEEP_WAYS; way++)
                if ((way == MM_SWEEP_EVERY) == every)
                    check_segments(given, plan, given.ways.ways[way]);
            whole = whole || plan.segments == 1;
            cut = cut || plan.segments > 4;
        }
        assert_true(whole && cut);
        assert_in_range(limit, 1, every ? 2 << 20 : 1 << 20);
    }
}

void test_few_collisions_take_less_memory(void **)
{
    const schedule given({free_batch(1000)}, 200);
    mm_chain_plan few, every;
    assert_int_equal(
        mm_chain_plan_make(&few, &given.problem, {24, 128}, {&given.ways, false}, 1, 1, SIZE_MAX, nullptr), MM_OK);
    assert_int_equal(
        mm_chain_plan_make(&every, &given.problem, {24, 128}, {&given.ways, true}, 1, 1, SIZE_MAX, nullptr), MM_OK);
    assert_int_equal(every.segment_states, 1000);
    assert_in_range(few.segment_states, 201, 400);
}

void test_losses_keep_nothing(void **)
{
    const schedule given({free_batch(300)}, 50);
    mm_chain_plan plan;
    size_t wanted[MM_ARRAY_COUNT];
    assert_int_equal(mm_chain_plan_make(&plan, &given.problem, {8, 64}, {}, 3, 3, SIZE_MAX, nullptr), MM_OK);
    mm_chain_plan_arrays(&plan, &given.problem, wanted);
    assert_int_equal(plan.rows, 3);
    assert_int_equal(wanted[MM_ARRAY_SEGMENTS], 0);
    assert_int_equal(wanted[MM_ARRAY_WINDOWS], 0);
}

/* The device of a display ends a kernel after two seconds. */
void test_a_launch_of_a_large_class_takes_no_longer(void **)
{
    const int64_t most = int64_t{MM_LAUNCH_COLLISIONS} * MM_TILE_FLAT_BANDS * MM_TILE_COLUMNS_MAX;
    assert_int_equal(mm_chain_class_launch({8, 128}), MM_LAUNCH_COLLISIONS);
    assert_int_equal(mm_chain_class_launch({32, 512}), MM_LAUNCH_COLLISIONS);
    assert_int_equal(mm_chain_class_rows({32, 512}, MM_LAUNCH_COLLISIONS), 1);
    assert_int_equal(mm_chain_class_rows({32, 512}, 1000 * MM_LAUNCH_COLLISIONS), 1);
    assert_int_equal(mm_chain_class_rows({32, 128}, MM_LAUNCH_COLLISIONS / 4), 16);
    for (int columns = 128; columns <= MM_LEVELS_MAX; columns *= 2)
        for (int bands = 128; bands <= columns; bands *= 2) {
            const int64_t collisions = mm_chain_class_launch({bands, columns});
            assert_in_range(collisions, 1, MM_LAUNCH_COLLISIONS);
            assert_in_range(collisions * bands * columns, 1, most);
        }
}

/* Kernels have room for MM_LEVELS_MAX columns, and no more. */
void test_no_class_has_more_columns_than_there_are_levels(void **)
{
    const schedule given({free_batch(10)}, 2);
    mm_problem problem = given.problem;
    problem.levels = MM_LEVELS_AUTO;
    mm_chain_class size = mm_chain_class_first(&problem);
    while (size.columns < MM_LEVELS_MAX)
        size = mm_chain_class_next(size, {size.columns + MM_WINDOW_STEP, 1});
    assert_int_equal(size.columns, MM_LEVELS_MAX);
    for (int levels = 64; levels <= MM_LEVELS_MAX; levels += 64)
        assert_in_range(mm_chain_class_own(&problem, {levels, 1}).columns, levels, MM_LEVELS_MAX);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        cmocka_unit_test(test_a_launch_of_a_large_class_takes_no_longer),
        cmocka_unit_test(test_no_class_has_more_columns_than_there_are_levels),
        cmocka_unit_test(test_ways_keep_what_their_plans_need),
        cmocka_unit_test(test_every_collision_counts_on_the_last_way),
        cmocka_unit_test(test_segments_hold_what_is_kept),
        cmocka_unit_test(test_few_collisions_take_less_memory),
        cmocka_unit_test(test_losses_keep_nothing),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
