/* block.cpp - runs the threads of one block as fibers and lets them meet.
 *
 * The threads take turns in the order of the schedule; each runs until it must wait or ends. Between two meetings
 * a whole thread runs before the next one: what it reads, the others have all written or all not written, and an
 * ascending and a descending order differ wherever a barrier is missing between them.
 *
 * Barrier of the block: all threads arrive, from one place in the source; a thread that has ended is an error.
 * Warp functions: the lanes of the mask that have not ended make the same call with the same mask; what a lane
 * asks of one that takes no part is undefined in CUDA, and a pattern here. When nobody can run, those who wait
 * wait for ever: that is reported, not waited for. */
#include "emulation/block.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <numeric>
#include <random>

#include "emulation/device_language.h"
#include "emulation/fibers.h"

uint3 threadIdx;
uint3 blockIdx;
dim3 blockDim;
dim3 gridDim;

namespace
{

constexpr unsigned int lanes_per_warp = 32;
constexpr std::uint64_t undefined_value = ~std::uint64_t{0};

struct schedule {
    enum { ascending, descending, random } kind = ascending;
    std::mt19937_64 engine;

    template <typename Value> std::vector<Value> order(std::size_t count)
    {
        std::vector<Value> numbers(count);
        std::iota(numbers.begin(), numbers.end(), Value{0});
        if (kind == descending)
            std::reverse(numbers.begin(), numbers.end());
        shuffle(numbers);
        return numbers;
    }

    template <typename Value> void shuffle(std::vector<Value> &numbers)
    {
        if (kind == random)
            std::shuffle(numbers.begin(), numbers.end(), engine);
    }
};

enum thread_state { ready, at_barrier, at_warp_function, ended };

struct device_thread {
    emulation_fiber fiber;
    uint3 index{};
    unsigned int number = 0;
    thread_state state = ended;
    const char *file = nullptr; /* where it waits */
    int line = 0;
    emulation_warp_call call{};                /* what it waits for in its warp */
    std::uint64_t warp_result = 0;             /* and what came of it */
    emulation_barrier_counts barrier_result{}; /* what came of the last barrier */
};

/* The block that runs. Its threads' stacks are kept for the blocks to come. */
struct running_block {
    std::vector<std::unique_ptr<device_thread>> threads;
    std::vector<unsigned int> order;
    unsigned int count = 0;
    unsigned int ended_count = 0;
    unsigned int arrived = 0;
    const device_thread *first_arrived = nullptr;
    int nonzero = 0;
    device_thread *current = nullptr;
    const std::function<void()> *kernel = nullptr;
    std::string failure;
};

schedule launch_schedule;
running_block block_state;

std::string place(const char *file, int line)
{
    const char *slash = std::strrchr(file, '/');
    return std::string(slash != nullptr ? slash + 1 : file) + ":" + std::to_string(line);
}

const char *function_name(emulation_warp_function function)
{
    switch (function) {
    case emulation_syncwarp:
        return "__syncwarp";
    case emulation_ballot:
        return "__ballot_sync";
    case emulation_shuffle:
        return "__shfl_sync";
    case emulation_shuffle_up:
        return "__shfl_up_sync";
    case emulation_shuffle_down:
        return "__shfl_down_sync";
    case emulation_shuffle_xor:
        return "__shfl_xor_sync";
    }
    return "";
}

/* What a thread that cannot go on is doing, in words. */
std::string standing(const device_thread &thread)
{
    if (thread.state == at_barrier)
        return "at __syncthreads in " + place(thread.file, thread.line);
    if (thread.state == at_warp_function)
        return std::string("at ") + function_name(thread.call.function) + " in " + place(thread.file, thread.line);
    return "ended";
}

/* Threads that stand at the same place. */
struct standing_group {
    std::string text;
    unsigned int first;
    unsigned int count;
};

std::string deadlock_report()
{
    std::vector<standing_group> groups;
    for (unsigned int number = 0; number < block_state.count; number++) {
        std::string text = standing(*block_state.threads[number]);
        auto group = std::find_if(groups.begin(), groups.end(),
                                  [&text](const standing_group &candidate) { return candidate.text == text; });
        if (group == groups.end())
            groups.push_back({text, number, 1});
        else
            group->count++;
    }
    std::string report = "deadlock";
    for (const standing_group &group : groups)
        report += (&group == groups.data() ? ": " : "; ") + std::to_string(group.count) +
                  (group.count == 1 ? " thread " : " threads ") + group.text + " from thread " +
                  std::to_string(group.first) + " on";
    return report;
}

/* Ends the block after the running thread's next suspension. The thread itself does not unwind: it must hold
 * nothing by then, least of all the text. */
void note_failure(const std::string &text)
{
    block_state.failure = "thread " + std::to_string(block_state.current->number) + ": " + text;
}

void wait_as(thread_state state, const char *file, int line)
{
    device_thread &thread = *block_state.current;
    thread.state = state;
    thread.file = file;
    thread.line = line;
    emulation_fiber::suspend();
}

/* ---------------------------------------------------------------------------------------------------- barrier */

void release_barrier()
{
    emulation_barrier_counts counts = {static_cast<int>(block_state.count), block_state.nonzero};
    for (unsigned int number = 0; number < block_state.count; number++) {
        block_state.threads[number]->barrier_result = counts;
        block_state.threads[number]->state = ready;
    }
    block_state.arrived = 0;
    block_state.nonzero = 0;
}

bool elsewhere(const device_thread &thread, const char *file, int line)
{
    return thread.line != line || std::strcmp(thread.file, file) != 0;
}

/* ---------------------------------------------------------------------------------------------- warp functions */

device_thread *lane_of(unsigned int first, unsigned int lane)
{
    unsigned int number = first + lane;
    return number < block_state.count ? block_state.threads[number].get() : nullptr;
}

/* The lanes of mask that exist and have not ended. */
unsigned int live_lanes(unsigned int first, unsigned int mask)
{
    unsigned int live = 0;
    for (unsigned int lane = 0; lane < lanes_per_warp; lane++) {
        const device_thread *thread = lane_of(first, lane);
        if (thread != nullptr && thread->state != ended)
            live |= 1U << lane;
    }
    return live & mask;
}

bool all_have_called(unsigned int first, unsigned int lanes, const emulation_warp_call &call)
{
    for (unsigned int lane = 0; lane < lanes_per_warp; lane++) {
        if ((lanes >> lane & 1U) == 0)
            continue;
        const device_thread &thread = *lane_of(first, lane);
        if (thread.state != at_warp_function || thread.call.function != call.function ||
            thread.call.mask != call.mask)
            return false;
    }
    return true;
}

/* The lane whose value a shuffle gives to `lane` (PTX ISA, shfl.sync); its own one at the end of its segment. */
int source_lane(int lane, const emulation_warp_call &call)
{
    int segment = lane & ~(call.width - 1);
    int operand = call.operand & 31;
    int source = lane;
    switch (call.function) {
    case emulation_shuffle:
        return segment | (operand & (call.width - 1));
    case emulation_shuffle_up:
        source = lane - operand;
        return source < segment ? lane : source;
    case emulation_shuffle_down:
        source = lane + operand;
        break;
    case emulation_shuffle_xor:
        source = lane ^ operand;
        break;
    case emulation_syncwarp:
    case emulation_ballot:
        break;
    }
    return source >= segment + call.width ? lane : source;
}

std::uint64_t ballot(unsigned int first, unsigned int lanes)
{
    std::uint64_t votes = 0;
    for (unsigned int lane = 0; lane < lanes_per_warp; lane++)
        if ((lanes >> lane & 1U) != 0)
            votes |= lane_of(first, lane)->call.value << lane;
    return votes;
}

std::uint64_t warp_result(unsigned int first, unsigned int lanes, unsigned int lane)
{
    const emulation_warp_call &call = lane_of(first, lane)->call;
    if (call.function == emulation_syncwarp)
        return 0;
    if (call.function == emulation_ballot)
        return ballot(first, lanes);
    unsigned int source = static_cast<unsigned int>(source_lane(static_cast<int>(lane), call));
    return (lanes >> source & 1U) != 0 ? lane_of(first, source)->call.value : undefined_value;
}

bool is_in_mask(const emulation_warp_call &call, unsigned int lane)
{
    return (call.mask >> lane & 1U) != 0;
}

bool is_valid(const emulation_warp_call &call, unsigned int lane)
{
    bool power_of_two = call.width >= 1 && call.width <= warpSize && (call.width & (call.width - 1)) == 0;
    return is_in_mask(call, lane) && power_of_two;
}

/* What is wrong with a call that is not valid. */
std::string complaint(const emulation_warp_call &call, unsigned int lane)
{
    std::string where = std::string(function_name(call.function)) + " in " + place(call.file, call.line) + ": ";
    if (!is_in_mask(call, lane))
        return where + "the calling lane is not in the mask";
    return where + "width " + std::to_string(call.width) + " is not a power of two from 1 to 32";
}

/* Ends the meeting that this call belongs to if nobody is missing any more. */
void complete_warp_call(unsigned int first, const emulation_warp_call &call)
{
    unsigned int lanes = live_lanes(first, call.mask);
    if (!all_have_called(first, lanes, call))
        return;
    for (unsigned int lane = 0; lane < lanes_per_warp; lane++)
        if ((lanes >> lane & 1U) != 0)
            lane_of(first, lane)->warp_result = warp_result(first, lanes, lane);
    for (unsigned int lane = 0; lane < lanes_per_warp; lane++)
        if ((lanes >> lane & 1U) != 0)
            lane_of(first, lane)->state = ready;
}

/* --------------------------------------------------------------------------------------------------- scheduler */

void run_thread(void *)
{
    (*block_state.kernel)();
}

void start_threads(dim3 block)
{
    block_state.count = block.x * block.y * block.z;
    while (block_state.threads.size() < block_state.count)
        block_state.threads.push_back(std::make_unique<device_thread>());
    block_state.ended_count = 0;
    block_state.arrived = 0;
    block_state.nonzero = 0;
    block_state.failure.clear();
    for (unsigned int number = 0; number < block_state.count; number++) {
        device_thread &thread = *block_state.threads[number];
        thread.index = {number % block.x, number / block.x % block.y, number / (block.x * block.y)};
        thread.number = number;
        thread.state = ready;
        thread.fiber.start(run_thread, nullptr);
    }
}

/* A thread that ends may be the one that a warp function waited for. */
void end_thread(device_thread &thread)
{
    thread.state = ended;
    block_state.ended_count++;
    unsigned int first = thread.number / lanes_per_warp * lanes_per_warp;
    for (unsigned int lane = 0; lane < lanes_per_warp; lane++) {
        const device_thread *other = lane_of(first, lane);
        if (other != nullptr && other->state == at_warp_function)
            complete_warp_call(first, emulation_warp_call(other->call));
    }
}

/* Lets every thread of a warp that can run do so once, or of all warps; false if there was none. */
bool run_threads(unsigned int warp, bool all_warps)
{
    bool ran = false;
    for (unsigned int number : block_state.order) {
        device_thread &thread = *block_state.threads[number];
        if (thread.state != ready || (!all_warps && number / lanes_per_warp != warp))
            continue;
        ran = true;
        block_state.current = &thread;
        threadIdx = thread.index;
        thread.fiber.resume();
        if (!block_state.failure.empty())
            break;
        if (thread.fiber.finished())
            end_thread(thread);
    }
    return ran;
}

/* One round of all threads, or of one warp after the other, each as far as it can get: what warps leave one another
 * without a barrier shows although shuffles hold the lanes of a warp together. */
bool run_a_round()
{
    bool ran = false;
    if (launch_schedule.kind == schedule::random && launch_schedule.engine() % 2 == 0)
        return run_threads(0, true);
    std::vector<unsigned int> order = block_state.order;
    for (unsigned int number : order)
        while (block_state.failure.empty() && run_threads(number / lanes_per_warp, false))
            ran = true;
    return ran;
}

} // namespace

void emulation_block_set_schedule(std::uint64_t seed)
{
    launch_schedule.kind = seed == 0 ? schedule::ascending : seed == 1 ? schedule::descending : schedule::random;
    launch_schedule.engine.seed(seed);
}

std::vector<std::uint64_t> emulation_block_order(std::uint64_t count)
{
    return launch_schedule.order<std::uint64_t>(static_cast<std::size_t>(count));
}

std::string emulation_block_run(dim3 grid, dim3 block, uint3 index, const std::function<void()> &kernel)
{
    gridDim = grid;
    blockDim = block;
    blockIdx = index;
    block_state.kernel = &kernel;
    start_threads(block);
    block_state.order = launch_schedule.order<unsigned int>(block_state.count);
    while (block_state.ended_count < block_state.count && block_state.failure.empty()) {
        if (!run_a_round())
            block_state.failure = deadlock_report();
        launch_schedule.shuffle(block_state.order);
    }
    return block_state.failure;
}

emulation_barrier_counts emulation_barrier(int predicate, const char *file, int line)
{
    device_thread &thread = *block_state.current;
    if (block_state.arrived == 0) {
        block_state.first_arrived = &thread;
    } else if (elsewhere(*block_state.first_arrived, file, line)) {
        note_failure("is at __syncthreads in " + place(file, line) + " while thread " +
                     std::to_string(block_state.first_arrived->number) + " is " +
                     standing(*block_state.first_arrived));
        emulation_fiber::suspend();
    }
    block_state.arrived++;
    block_state.nonzero += predicate != 0;
    if (block_state.arrived == block_state.count)
        release_barrier();
    else
        wait_as(at_barrier, file, line);
    return thread.barrier_result;
}

std::uint64_t emulation_warp_meet(const emulation_warp_call &call)
{
    device_thread &thread = *block_state.current;
    unsigned int lane = thread.number % lanes_per_warp;
    if (!is_valid(call, lane)) {
        note_failure(complaint(call, lane));
        emulation_fiber::suspend();
    }
    thread.call = call;
    thread.state = at_warp_function;
    thread.file = call.file;
    thread.line = call.line;
    complete_warp_call(thread.number - lane, call);
    if (thread.state != ready)
        emulation_fiber::suspend();
    return thread.warp_result;
}

void emulation_interrupt()
{
    if (launch_schedule.kind == schedule::random)
        emulation_fiber::suspend();
}
