/* emulation.cpp - the emulated CUDA device: it computes what a device does, and catches what it must catch. */
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <lapacke.h>
#include <numeric>
#include <random>
#include <string>
#include <thread>
#include <type_traits>
#include <unistd.h>
#include <utility>
#include <vector>

extern "C" {
#include <cmocka.h>
}

#include "cuda/device_array.h"
#include "device/check.cuh"
#include "emulation/emulation.h"
#include "device/libraries.cuh"
#include "support/survives.h"

#if __has_include(<thrust/sort.h>)
#include <thrust/execution_policy.h>
#include <thrust/sort.h>
#define WITH_THRUST 1
#else
#define WITH_THRUST 0
#endif

namespace
{

/* ------------------------------------------------------------------------------------------------------ helpers */

constexpr unsigned int all_lanes = 0xffffffffU;
constexpr std::uint64_t schedules = 8; /* ascending, descending and six random ones */

std::vector<double> random_numbers(std::size_t count, unsigned int seed)
{
    std::mt19937_64 engine(seed);
    std::uniform_real_distribution<double> uniform(-1.0, 1.0);
    std::vector<double> numbers(count);
    std::generate(numbers.begin(), numbers.end(), [&] { return uniform(engine); });
    return numbers;
}

bool failure_says(const std::string &text)
{
    return std::string(emulation_failure()).find(text) != std::string::npos;
}

/* What tests that failed have left behind must not make the others fail. */
std::size_t allocations_before = 0;
std::size_t handles_before = 0;

int start_fresh(void **)
{
    emulation_reset();
    allocations_before = emulation_live_allocations();
    handles_before = emulation_live_handles();
    return 0;
}

int nothing_left(void **)
{
    emulation_reset();
    bool clean = emulation_live_allocations() == allocations_before && emulation_live_handles() == handles_before;
    return clean ? 0 : 1;
}

/* The call fails, and no later call reports it. */
#define assert_refused(call, error)                                                                                \
    do {                                                                                                           \
        assert_int_equal(call, error);                                                                             \
        cudaGetLastError();                                                                                        \
    } while (0)

/* ------------------------------------------------------------------------------------------ kernels that compute
 */

__global__ void add(int count, const double *a, const double *b, double *sum)
{
    int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    if (i < count)
        sum[i] = a[i] + b[i];
}

void test_vector_add_with_a_partial_block(void **)
{
    constexpr int count = 1000;
    std::vector<double> a = random_numbers(count, 1), b = random_numbers(count, 2);
    device_array<double> device_a(a), device_b(b), device_sum(count);
    assert_int_equal(MM_LAUNCH(add, 8, 128, 0, nullptr, count, device_a.get(), device_b.get(), device_sum.get()),
                     cudaSuccess);
    std::vector<double> sum = device_sum.download();
    for (std::size_t i = 0; i < count; i++)
        assert_true(sum[i] == a[i] + b[i]);
}

/* Sum of the block's values, in the order of a binary tree. */
template <int THREADS> __device__ double block_sum(double value)
{
    __shared__ double partial[THREADS];
    int thread = static_cast<int>(threadIdx.x);
    partial[thread] = value;
    for (int half = THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (thread < half)
            partial[thread] += partial[thread + half];
    }
    __syncthreads();
    return partial[0];
}

template <int THREADS> __global__ void __launch_bounds__(THREADS) sum_blocks(const double *values, double *sums)
{
    double sum = block_sum<THREADS>(values[blockIdx.x * THREADS + threadIdx.x]);
    if (threadIdx.x == THREADS - 1)
        sums[blockIdx.x] = sum;
}

double tree_sum(std::vector<double> values)
{
    for (std::size_t half = values.size() / 2; half > 0; half /= 2)
        for (std::size_t i = 0; i < half; i++)
            values[i] += values[i + half];
    return values[0];
}

template <int THREADS> void check_block_sums()
{
    constexpr std::size_t blocks = 5;
    std::vector<double> values = random_numbers(blocks * THREADS, THREADS);
    device_array<double> device_values(values), device_sums(blocks);
    for (std::uint64_t seed = 0; seed < schedules; seed++) {
        emulation_set_schedule(seed);
        assert_int_equal(MM_LAUNCH((sum_blocks<THREADS>), dim3(blocks), dim3(THREADS), 0, nullptr,
                                   device_values.get(), device_sums.get()),
                         cudaSuccess);
        std::vector<double> sums = device_sums.download();
        for (std::size_t block = 0; block < blocks; block++) {
            auto first = values.begin() + static_cast<std::ptrdiff_t>(block * THREADS);
            assert_true(sums[block] == tree_sum(std::vector<double>(first, first + THREADS)));
        }
    }
}

void test_block_reduction_under_every_schedule(void **)
{
    check_block_sums<32>();
    check_block_sums<256>();
    check_block_sums<1024>();
}

__global__ void rotate_many_times(int rounds, double *values)
{
    MM_DYNAMIC_SHARED(double, line);
    unsigned int thread = threadIdx.x;
    line[thread] = values[thread];
    for (int round = 0; round < rounds; round++) {
        __syncthreads();
        double next = line[(thread + 1) % blockDim.x];
        __syncthreads();
        line[thread] = next;
    }
    values[thread] = line[thread];
}

void test_a_thousand_threads_and_many_barriers(void **)
{
    constexpr std::size_t threads = 1024;
    constexpr int rounds = 300;
    std::vector<double> values = random_numbers(threads, 3);
    device_array<double> device_values(values);
    assert_int_equal(
        MM_LAUNCH(rotate_many_times, 1, threads, threads * sizeof(double), nullptr, rounds, device_values.get()),
        cudaSuccess);
    std::vector<double> rotated = device_values.download();
    std::rotate(values.begin(), values.begin() + rounds, values.end());
    assert_memory_equal(rotated.data(), values.data(), threads * sizeof(double));
}

__global__ void write_indices(int *values)
{
    unsigned int block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
    unsigned int thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
    values[block * (blockDim.x * blockDim.y * blockDim.z) + thread] += static_cast<int>(block * 1000 + thread);
}

void test_three_dimensional_indices_visit_all_once(void **)
{
    constexpr std::size_t blocks = 2 * 3 * 4, threads = 5 * 3 * 2;
    device_array<int> device_values(std::vector<int>(blocks * threads, 0));
    emulation_set_schedule(99);
    assert_int_equal(MM_LAUNCH(write_indices, dim3(2, 3, 4), dim3(5, 3, 2), 0, nullptr, device_values.get()),
                     cudaSuccess);
    std::vector<int> values = device_values.download();
    for (std::size_t block = 0; block < blocks; block++)
        for (std::size_t thread = 0; thread < threads; thread++)
            assert_int_equal(values[block * threads + thread], block * 1000 + thread);
}

/* ----------------------------------------------------------------------------------------------- warp functions */

enum { shuffle_results = 8 };

__global__ void shuffle_everything(double *results)
{
    int lane = static_cast<int>(threadIdx.x);
    double value = 100.0 + lane;
    double *mine = results + lane * shuffle_results;
    mine[0] = __shfl_sync(all_lanes, value, 5);
    mine[1] = __shfl_up_sync(all_lanes, value, 3);
    mine[2] = __shfl_down_sync(all_lanes, value, 3);
    mine[3] = __shfl_xor_sync(all_lanes, value, 6);
    mine[4] = __shfl_sync(all_lanes, value, 2, 8);
    mine[5] = __shfl_up_sync(all_lanes, value, 1, 8);
    mine[6] = __shfl_down_sync(all_lanes, value, 1, 8);
    mine[7] = __shfl_xor_sync(all_lanes, value, 9, 8);
}

void test_shuffles_of_every_kind(void **)
{
    device_array<double> device_results(std::size_t{32 * shuffle_results});
    for (std::uint64_t seed = 0; seed < schedules; seed++) {
        emulation_set_schedule(seed);
        assert_int_equal(MM_LAUNCH(shuffle_everything, 1, 32, 0, nullptr, device_results.get()), cudaSuccess);
        std::vector<double> results = device_results.download();
        for (int lane = 0; lane < 32; lane++) {
            const double *mine = results.data() + lane * shuffle_results;
            int segment = lane / 8 * 8;
            assert_true(mine[0] == 105);
            assert_true(mine[1] == 100 + (lane < 3 ? lane : lane - 3));
            assert_true(mine[2] == 100 + (lane > 28 ? lane : lane + 3));
            assert_true(mine[3] == 100 + (lane ^ 6));
            assert_true(mine[4] == 102 + segment);
            assert_true(mine[5] == 100 + (lane == segment ? lane : lane - 1));
            assert_true(mine[6] == 100 + (lane == segment + 7 ? lane : lane + 1));
            /* Only lower segments can be reached: this is what makes butterflies over segments safe. */
            assert_true(mine[7] == 100 + ((lane ^ 9) < segment + 8 ? lane ^ 9 : lane));
        }
    }
}

__global__ void shuffle_other_types(unsigned long long *results)
{
    int lane = static_cast<int>(threadIdx.x);
    int integer = __shfl_xor_sync(all_lanes, -lane, 1);
    float real = __shfl_xor_sync(all_lanes, 0.5F * static_cast<float>(lane), 1);
    unsigned long long wide = __shfl_xor_sync(all_lanes, static_cast<unsigned long long>(lane) << 40, 1);
    if (integer == -(lane ^ 1) && real == 0.5F * static_cast<float>(lane ^ 1))
        results[lane] = wide;
}

void test_shuffles_of_every_type(void **)
{
    device_array<unsigned long long> device_results(std::size_t{32});
    assert_int_equal(MM_LAUNCH(shuffle_other_types, 1, 32, 0, nullptr, device_results.get()), cudaSuccess);
    std::vector<unsigned long long> results = device_results.download();
    for (std::size_t lane = 0; lane < 32; lane++)
        assert_true(results[lane] == static_cast<unsigned long long>(lane ^ 1) << 40);
}

/* The two halves of a warp meet apart; half a warp more exists than the last block has threads. */
__global__ void meet_in_halves(int *sums)
{
    int thread = static_cast<int>(threadIdx.x), lane = thread % 32;
    unsigned int mask = lane < 16 ? 0x0000ffffU : 0xffff0000U;
    int sum = thread;
    if (lane < 16) {
        for (int distance = 8; distance > 0; distance /= 2)
            sum += __shfl_xor_sync(mask, sum, distance);
    } else {
        for (int distance = 8; distance > 0; distance /= 2)
            sum += 2 * __shfl_xor_sync(mask, sum, distance);
        __syncwarp(mask);
    }
    sums[thread] = sum;
}

void test_partial_masks_and_a_partial_warp(void **)
{
    constexpr int threads = 48;
    device_array<int> device_sums(std::size_t{threads});
    for (std::uint64_t seed = 0; seed < schedules; seed++) {
        emulation_set_schedule(seed);
        assert_int_equal(MM_LAUNCH(meet_in_halves, 1, threads, 0, nullptr, device_sums.get()), cudaSuccess);
        std::vector<int> sums = device_sums.download();
        assert_int_equal(sums[0], 15 * 16 / 2);
        assert_int_equal(sums[15], 15 * 16 / 2);
        assert_int_equal(sums[32], 32 * 16 + 15 * 16 / 2);
        int expected[16], next[16];
        std::iota(expected, expected + 16, 16);
        for (int distance = 8; distance > 0; distance /= 2) {
            for (int i = 0; i < 16; i++)
                next[i] = expected[i] + 2 * expected[i ^ distance];
            std::copy(next, next + 16, expected);
        }
        assert_memory_equal(&sums[16], expected, sizeof expected);
    }
}

__global__ void vote(unsigned int *ballots, int *counts)
{
    int lane = static_cast<int>(threadIdx.x % 32);
    unsigned int ballot = __ballot_sync(all_lanes, lane % 3 == 0);
    if (lane % 2 == 0)
        ballot ^= __ballot_sync(0x55555555U, 1);
    int any_all = __any_sync(all_lanes, lane == 31) + 2 * __all_sync(all_lanes, lane < 31) +
                  4 * __all_sync(all_lanes, lane < 32) + 8 * __any_sync(all_lanes, lane > 31);
    ballots[threadIdx.x] = ballot;
    counts[threadIdx.x] = any_all + 16 * __syncthreads_count(lane < 7) + 4096 * __syncthreads_or(lane == 3) +
                          8192 * __syncthreads_and(lane == 3);
}

void test_votes_of_warps_and_blocks(void **)
{
    constexpr std::size_t threads = 96;
    device_array<unsigned int> device_ballots(threads);
    device_array<int> device_counts(threads);
    emulation_set_schedule(7);
    assert_int_equal(MM_LAUNCH(vote, 1, threads, 0, nullptr, device_ballots.get(), device_counts.get()),
                     cudaSuccess);
    unsigned int thirds = 0;
    for (unsigned int lane = 0; lane < 32; lane += 3)
        thirds |= 1U << lane;
    std::vector<unsigned int> ballots = device_ballots.download();
    std::vector<int> counts = device_counts.download();
    for (std::size_t thread = 0; thread < threads; thread++) {
        assert_int_equal(ballots[thread], thread % 2 == 0 ? thirds ^ 0x55555555U : thirds);
        assert_int_equal(counts[thread], 1 + 4 + 16 * 3 * 7 + 4096);
    }
}

__global__ void ask_a_lane_that_is_absent(double *results)
{
    int lane = static_cast<int>(threadIdx.x);
    if (lane < 8)
        results[lane] = __shfl_sync(0x000000ffU, 1.0, 20);
}

void test_value_of_an_absent_lane_is_no_number(void **)
{
    device_array<double> device_results(std::size_t{8});
    assert_int_equal(MM_LAUNCH(ask_a_lane_that_is_absent, 1, 32, 0, nullptr, device_results.get()), cudaSuccess);
    for (double result : device_results.download())
        assert_true(std::isnan(result));
}

/* ------------------------------------------------------------------------------------------------------ atomics */

struct counters {
    double sum;
    unsigned long long wide;
    unsigned int plain;
    int added, largest, smallest, exchanged, locked;
};

__global__ void count_everything(counters *all)
{
    int number = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    atomicAdd(&all->sum, 0.5);
    atomicAdd(&all->wide, 1ULL << 32);
    atomicAdd(&all->plain, 3U);
    atomicAdd(&all->added, -1);
    atomicMax(&all->largest, number);
    atomicMin(&all->smallest, -number);
    atomicExch(&all->exchanged, 7);
    int seen = all->locked;
    while (int before = atomicCAS(&all->locked, seen, seen + 2))
        if (before == seen)
            break;
        else
            seen = before;
    __threadfence();
}

void test_atomics_across_blocks(void **)
{
    constexpr int threads = 6 * 64;
    for (std::uint64_t seed = 0; seed < schedules; seed++) {
        emulation_set_schedule(seed);
        device_array<counters> device_counters(std::vector<counters>{{0, 0, 0, 0, 0, 0, 0, 1}});
        assert_int_equal(MM_LAUNCH(count_everything, 6, 64, 0, nullptr, device_counters.get()), cudaSuccess);
        counters all = device_counters.download()[0];
        assert_true(all.sum == 0.5 * threads);
        assert_true(all.wide == static_cast<unsigned long long>(threads) << 32);
        assert_int_equal(all.plain, 3 * threads);
        assert_int_equal(all.added, -threads);
        assert_int_equal(all.largest, threads - 1);
        assert_int_equal(all.smallest, 1 - threads);
        assert_int_equal(all.exchanged, 7);
        assert_int_equal(all.locked, 1 + 2 * threads);
    }
}

/* The order in which blocks run, as they find it. */
__global__ void take_a_number(int *next, int *numbers)
{
    numbers[blockIdx.x] = atomicAdd(next, 1);
}

std::vector<int> order_of_blocks(std::uint64_t seed)
{
    constexpr std::size_t blocks = 16;
    device_array<int> next(std::vector<int>{0}), numbers(blocks);
    emulation_set_schedule(seed);
    assert_int_equal(MM_LAUNCH(take_a_number, blocks, 1, 0, nullptr, next.get(), numbers.get()), cudaSuccess);
    return numbers.download();
}

void test_schedules_vary_and_repeat(void **)
{
    std::vector<int> ascending = order_of_blocks(0), descending = order_of_blocks(1);
    assert_true(std::is_sorted(ascending.begin(), ascending.end()));
    assert_true(std::is_sorted(descending.rbegin(), descending.rend()));
    assert_true(order_of_blocks(2) != ascending);
    assert_true(order_of_blocks(2) != order_of_blocks(3));
    assert_true(order_of_blocks(2) == order_of_blocks(2));
}

/* ------------------------------------------------------------------------------------- constants, unwritten memory
 */

__constant__ double table[4];

__global__ void read_table(double *values)
{
    values[threadIdx.x] = 2 * table[threadIdx.x];
}

void test_constant_memory(void **)
{
    const double host_table[4] = {1, 2, 3, 4};
    assert_int_equal(cudaMemcpyToSymbol(table, host_table, sizeof host_table), cudaSuccess);
    assert_refused(cudaMemcpyToSymbol(table, host_table, sizeof host_table, 8), cudaErrorInvalidValue);
    device_array<double> device_values(std::size_t{4});
    assert_int_equal(MM_LAUNCH(read_table, 1, 4, 0, nullptr, device_values.get()), cudaSuccess);
    std::vector<double> values = device_values.download();
    for (std::size_t i = 0; i < 4; i++)
        assert_true(values[i] == 2 * host_table[i]);
}

/* Each block reads its shared memory before it writes there. */
__global__ void read_then_write_shared(double *found)
{
    __shared__ double fixed;
    __shared__ int whole[3];
    MM_DYNAMIC_SHARED(double, dynamic);
    found[3 * blockIdx.x] = fixed;
    found[3 * blockIdx.x + 1] = dynamic[1];
    found[3 * blockIdx.x + 2] = whole[2];
    fixed = dynamic[1] = whole[2] = 4;
}

thread_local int of_the_host = 11;

void test_unwritten_memory_is_no_number(void **)
{
    device_array<double> device_found(std::size_t{6});
    for (double value : device_found.download())
        assert_true(std::isnan(value));
    assert_int_equal(MM_LAUNCH(read_then_write_shared, 2, 1, 2 * sizeof(double), nullptr, device_found.get()),
                     cudaSuccess);
    std::vector<double> found = device_found.download();
    for (std::size_t block = 0; block < 2; block++) {
        assert_true(std::isnan(found[3 * block]));
        assert_true(std::isnan(found[3 * block + 1]));
        assert_true(found[3 * block + 2] == -1);
    }
    assert_int_equal(of_the_host, 11);
}

/* ------------------------------------------------------------------------------------------- what must be caught
 */

template <bool WITH_BARRIER> __global__ void reverse_block(const double *values, double *reversed)
{
    __shared__ double block[64];
    block[threadIdx.x] = values[threadIdx.x];
    if (WITH_BARRIER)
        __syncthreads();
    reversed[threadIdx.x] = block[63 - threadIdx.x];
}

template <bool WITH_BARRIER> int schedules_with_the_right_answer()
{
    std::vector<double> values = random_numbers(64, 4), expected(values.rbegin(), values.rend());
    device_array<double> device_values(values), device_reversed(std::size_t{64});
    int right = 0;
    for (std::uint64_t seed = 0; seed < schedules; seed++) {
        emulation_set_schedule(seed);
        assert_int_equal(
            MM_LAUNCH((reverse_block<WITH_BARRIER>), 1, 64, 0, nullptr, device_values.get(), device_reversed.get()),
            cudaSuccess);
        right += device_reversed.download() == expected;
    }
    return right;
}

void test_a_missing_barrier_shows(void **)
{
    assert_int_equal(schedules_with_the_right_answer<true>(), schedules);
    assert_int_equal(schedules_with_the_right_answer<false>(), 0);
}

/* Two warps that exchange a number. Between writing and reading stands a shuffle, which holds the lanes of a warp
 * together and nothing else: right only by luck if no barrier follows. */
template <bool WITH_BARRIER> __global__ void exchange_between_warps(double *found)
{
    __shared__ double handed[2];
    const unsigned int warp = threadIdx.x / 32;
    if (threadIdx.x % 32 == 0)
        handed[warp] = 1.0 + warp;
    (void)__shfl_xor_sync(0xffffffffu, found[threadIdx.x], 1);
    if (WITH_BARRIER)
        __syncthreads();
    found[threadIdx.x] = handed[1 - warp];
}

template <bool WITH_BARRIER> bool exchanges_right(std::uint64_t seed)
{
    device_array<double> found(std::vector<double>(64, 0.0));
    std::vector<double> expected(64, 1.0);
    std::fill(expected.begin(), expected.begin() + 32, 2.0);
    emulation_set_schedule(seed);
    assert_int_equal(MM_LAUNCH((exchange_between_warps<WITH_BARRIER>), 1, 64, 0, nullptr, found.get()),
                     cudaSuccess);
    return found.download() == expected;
}

void test_a_missing_barrier_between_shuffling_warps_shows(void **)
{
    for (std::uint64_t seed = 0; seed < schedules; seed++)
        assert_true(exchanges_right<true>(seed));
    assert_false(exchanges_right<false>(0));
    assert_false(exchanges_right<false>(1));
}

/* Neighbours within a warp: right only if the lanes run in step, which CUDA does not promise. */
template <bool WITH_BARRIER> __global__ void shift_in_place(double *values)
{
    double mine = values[threadIdx.x];
    if (WITH_BARRIER)
        __syncwarp();
    if (threadIdx.x + 1 < blockDim.x)
        values[threadIdx.x + 1] = mine;
}

template <bool WITH_BARRIER> bool shifts_right(std::uint64_t seed)
{
    std::vector<double> values = random_numbers(32, 5), expected(values);
    std::copy(values.begin(), values.end() - 1, expected.begin() + 1);
    device_array<double> device_values(values);
    emulation_set_schedule(seed);
    assert_int_equal(MM_LAUNCH((shift_in_place<WITH_BARRIER>), 1, 32, 0, nullptr, device_values.get()),
                     cudaSuccess);
    return device_values.download() == expected;
}

void test_a_missing_warp_barrier_shows_in_one_of_two_orders(void **)
{
    assert_true(shifts_right<true>(0) && shifts_right<true>(1));
    assert_false(shifts_right<false>(0) && shifts_right<false>(1));
}

__global__ void copy_from(const double *source, double *destination, int offset)
{
    destination[threadIdx.x] = source[static_cast<int>(threadIdx.x) + offset];
}

template <int OFFSET> void read_at_offset()
{
    double *source = nullptr, *destination = nullptr;
    cudaMalloc(&source, 32 * sizeof(double));
    cudaMalloc(&destination, 32 * sizeof(double));
    if (MM_LAUNCH(copy_from, 1, 32, 0, nullptr, source, destination, OFFSET) != cudaSuccess)
        _exit(0);
}

void test_reading_beyond_device_memory_is_caught(void **)
{
    assert_true(survives(read_at_offset<0>));
    assert_false(survives(read_at_offset<1>));
    assert_false(survives(read_at_offset<-1000>));
#ifdef __SANITIZE_ADDRESS__
    assert_false(survives(read_at_offset<-1>));
#endif
}

__global__ void write_dynamic_shared(int index)
{
    MM_DYNAMIC_SHARED(double, values);
    values[index] = 1;
}

template <int INDEX> void write_ten_dynamic_shared()
{
    if (MM_LAUNCH(write_dynamic_shared, 1, 1, 10 * sizeof(double), nullptr, INDEX) != cudaSuccess)
        _exit(0);
}

void test_writing_beyond_dynamic_shared_memory_is_caught(void **)
{
    assert_true(survives(write_ten_dynamic_shared<9>));
    assert_false(survives(write_ten_dynamic_shared<10>));
}

__global__ void write_at(char *bytes, int index)
{
    bytes[index] = 1;
}

#ifndef __SANITIZE_ADDRESS__ /* it catches this at once */
void test_writing_into_the_slack_is_noticed_on_release(void **)
{
    for (int index : {-1, 13}) {
        char *bytes = nullptr;
        assert_int_equal(cudaMalloc(&bytes, 13), cudaSuccess);
        assert_int_equal(MM_LAUNCH(write_at, 1, 1, 0, nullptr, bytes, index), cudaSuccess);
        assert_int_equal(cudaFree(bytes), cudaErrorIllegalAddress);
        assert_true(failure_says("just outside an allocation of 13 bytes"));
        emulation_reset();
    }
}
#endif

template <bool INSIDE_ACCESS> void touch_from_the_host()
{
    double *memory = nullptr;
    cudaMalloc(&memory, sizeof(double));
    cudaMemset(memory, 0, sizeof(double)); /* opens the memory for a while */
    if (INSIDE_ACCESS) {
        MM_DEVICE_ACCESS;
        *memory = 1;
    } else {
        *static_cast<volatile double *>(memory) = 1;
    }
}

void test_the_host_cannot_touch_device_memory(void **)
{
    assert_true(survives(touch_from_the_host<true>));
    assert_false(survives(touch_from_the_host<false>));
}

void test_pointers_to_host_memory_are_refused(void **)
{
    char here = 0, *pinned = nullptr;
    assert_int_equal(MM_LAUNCH(write_at, 1, 1, 0, nullptr, &here, 0), cudaErrorIllegalAddress);
    assert_true(failure_says("kernel write_at: argument 0"));
    emulation_reset();
    assert_int_equal(cudaMallocHost(&pinned, 1), cudaSuccess);
    assert_int_equal(MM_LAUNCH(write_at, 1, 1, 0, nullptr, pinned, 0), cudaSuccess);
    assert_int_equal(*pinned, 1);
    assert_int_equal(cudaFreeHost(pinned), cudaSuccess);
}

__global__ void half_meet_at_a_barrier(unsigned int half)
{
    if (threadIdx.x < half)
        __syncthreads();
}

__global__ void meet_at_two_barriers(unsigned int half)
{
    if (threadIdx.x < half)
        __syncthreads();
    else
        __syncthreads();
}

__global__ void shuffle_with_one_lane_elsewhere(unsigned int lane)
{
    if (threadIdx.x != lane)
        __shfl_sync(all_lanes, 1, 0);
    __syncthreads();
}

__global__ void shuffle_outside_the_mask(unsigned int mask)
{
    __shfl_sync(mask, 1, 0);
}

void test_divergent_barriers_are_reported(void **)
{
    for (std::uint64_t seed = 0; seed < schedules; seed++) {
        emulation_set_schedule(seed);
        assert_int_equal(MM_LAUNCH(half_meet_at_a_barrier, 2, 64, 0, nullptr, 32), cudaErrorLaunchFailure);
        assert_true(failure_says("kernel half_meet_at_a_barrier, block ("));
        assert_true(failure_says("deadlock: 32 threads at __syncthreads in emulation.cpp:"));
        assert_true(failure_says("32 threads ended from thread 32 on"));
        assert_int_equal(cudaDeviceSynchronize(), cudaErrorLaunchFailure);
        assert_string_equal(cudaGetErrorString(cudaErrorLaunchFailure), emulation_failure());
        emulation_reset();
    }
    assert_int_equal(MM_LAUNCH(meet_at_two_barriers, 1, 64, 0, nullptr, 32), cudaErrorLaunchFailure);
    assert_true(failure_says("while thread"));
    emulation_reset();
    assert_int_equal(MM_LAUNCH(shuffle_with_one_lane_elsewhere, 1, 32, 0, nullptr, 5), cudaErrorLaunchFailure);
    assert_true(failure_says("31 threads at __shfl_sync"));
    emulation_reset();
    assert_int_equal(MM_LAUNCH(shuffle_outside_the_mask, 1, 32, 0, nullptr, 0x0000ffffU), cudaErrorLaunchFailure);
    assert_true(failure_says("not in the mask"));
    emulation_reset();
    /* Threads abandoned at a barrier leave nothing behind. */
    check_block_sums<64>();
}

/* ------------------------------------------------------------------------------------------------------ runtime */

void test_leaks_are_counted(void **)
{
    double *memory = nullptr, *pinned = nullptr;
    cudaStream_t stream = nullptr;
    cudaEvent_t event = nullptr;
    cublasHandle_t cublas = nullptr;
    cusolverDnHandle_t cusolver = nullptr;
    cusolverDnParams_t params = nullptr;
    assert_int_equal(cudaMalloc(&memory, 8), cudaSuccess);
    assert_int_equal(cudaMallocHost(&pinned, 8), cudaSuccess);
    assert_int_equal(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
    assert_int_equal(cudaEventCreate(&event), cudaSuccess);
    assert_int_equal(cublasCreate(&cublas), CUBLAS_STATUS_SUCCESS);
    assert_int_equal(cusolverDnCreate(&cusolver), CUSOLVER_STATUS_SUCCESS);
    assert_int_equal(cusolverDnCreateParams(&params), CUSOLVER_STATUS_SUCCESS);
    assert_int_equal(emulation_live_allocations(), allocations_before + 2);
    assert_int_equal(emulation_live_handles(), handles_before + 5);
    assert_int_equal(cusolverDnDestroyParams(params), CUSOLVER_STATUS_SUCCESS);
    assert_int_equal(cusolverDnDestroy(cusolver), CUSOLVER_STATUS_SUCCESS);
    assert_int_equal(cublasDestroy(cublas), CUBLAS_STATUS_SUCCESS);
    assert_int_equal(cudaEventDestroy(event), cudaSuccess);
    assert_int_equal(cudaStreamDestroy(stream), cudaSuccess);
    assert_int_equal(cudaFreeHost(pinned), cudaSuccess);
    assert_int_equal(cudaFree(memory), cudaSuccess);
    assert_int_equal(cudaFree(memory), cudaErrorInvalidDevicePointer);
    assert_int_equal(cudaFree(nullptr), cudaSuccess);
}

void test_copies_are_checked(void **)
{
    double host[4] = {1, 2, 3, 4};
    device_array<double> device(std::vector<double>(4, 0.0));
    assert_int_equal(cudaMemcpy(device.get(), host, sizeof host, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
    assert_int_equal(cudaMemcpy(device.get() + 1, host, sizeof host, cudaMemcpyHostToDevice),
                     cudaErrorInvalidValue);
    assert_int_equal(cudaMemcpy(host, device.get() + 1, sizeof host, cudaMemcpyDefault), cudaErrorInvalidValue);
    assert_int_equal(cudaMemset(device.get(), 0, 5 * sizeof(double)), cudaErrorInvalidValue);
    assert_int_equal(cudaMemset(device.get(), 0, 4 * sizeof(double)), cudaSuccess);
    assert_int_equal(cudaMemcpy(device.get() + 2, host, 2 * sizeof(double), cudaMemcpyHostToDevice), cudaSuccess);
    assert_true(device.download() == (std::vector<double>{0, 0, 1, 2}));
    assert_int_equal(cudaGetLastError(), cudaErrorInvalidValue);
    assert_int_equal(cudaGetLastError(), cudaSuccess);
}

void test_device_memory_runs_out(void **)
{
    std::size_t free_bytes = 0, total = 0;
    char *first = nullptr, *second = nullptr;
    assert_int_equal(cudaMemGetInfo(&free_bytes, &total), cudaSuccess);
    std::size_t in_use = total - free_bytes;
    emulation_set_device_memory(in_use + 1000);
    assert_int_equal(cudaMalloc(&first, 600), cudaSuccess);
    assert_int_equal(cudaMalloc(&second, 401), cudaErrorMemoryAllocation);
    assert_int_equal(cudaMemGetInfo(&free_bytes, &total), cudaSuccess);
    assert_int_equal(free_bytes, 400);
    assert_int_equal(total, in_use + 1000);
    assert_int_equal(cudaFree(first), cudaSuccess);
}

__global__ void increment(double *value)
{
    *value += 1;
}

void test_streams_and_events_keep_the_order(void **)
{
    cudaStream_t first = nullptr, second = nullptr;
    cudaEvent_t done = nullptr, untimed = nullptr;
    device_array<double> device(std::vector<double>{0.0});
    double seen = 0, one = 1;
    float milliseconds = -1;
    assert_int_equal(cudaStreamCreate(&first), cudaSuccess);
    assert_int_equal(cudaStreamCreateWithFlags(&second, cudaStreamNonBlocking), cudaSuccess);
    assert_int_equal(cudaEventCreate(&done), cudaSuccess);
    assert_int_equal(cudaEventCreateWithFlags(&untimed, cudaEventDisableTiming), cudaSuccess);
    assert_int_equal(cudaMemcpyAsync(device.get(), &one, sizeof one, cudaMemcpyHostToDevice, first), cudaSuccess);
    assert_int_equal(MM_LAUNCH(increment, 1, 1, 0, first, device.get()), cudaSuccess);
    assert_int_equal(cudaEventRecord(done, first), cudaSuccess);
    assert_int_equal(cudaStreamWaitEvent(second, done, 0), cudaSuccess);
    assert_int_equal(cudaMemcpyAsync(&seen, device.get(), sizeof seen, cudaMemcpyDeviceToHost, second),
                     cudaSuccess);
    assert_int_equal(cudaStreamSynchronize(second), cudaSuccess);
    assert_true(seen == 2);
    assert_int_equal(cudaEventQuery(done), cudaSuccess);
    assert_int_equal(cudaEventElapsedTime(&milliseconds, done, done), cudaSuccess);
    assert_true(milliseconds == 0);
    assert_int_equal(cudaEventElapsedTime(&milliseconds, done, untimed), cudaErrorInvalidResourceHandle);
    assert_int_equal(cudaEventDestroy(untimed), cudaSuccess);
    assert_int_equal(cudaEventDestroy(done), cudaSuccess);
    assert_int_equal(cudaEventRecord(done, first), cudaErrorInvalidResourceHandle);
    assert_int_equal(cudaStreamDestroy(second), cudaSuccess);
    assert_int_equal(cudaStreamDestroy(first), cudaSuccess);
    assert_int_equal(MM_LAUNCH(increment, 1, 1, 0, first, device.get()), cudaErrorInvalidResourceHandle);
}

void test_launch_limits(void **)
{
    int blocks = 0;
    cudaFuncAttributes attributes;
    assert_int_equal(MM_LAUNCH(half_meet_at_a_barrier, 1, 1025, 0, nullptr, 32), cudaErrorInvalidConfiguration);
    assert_int_equal(MM_LAUNCH(half_meet_at_a_barrier, 1, dim3(32, 33), 0, nullptr, 32),
                     cudaErrorInvalidConfiguration);
    assert_int_equal(MM_LAUNCH(half_meet_at_a_barrier, 0, 32, 0, nullptr, 32), cudaErrorInvalidConfiguration);
    assert_int_equal(MM_LAUNCH(write_dynamic_shared, 1, 1, 48 * 1024 + 8, nullptr, 0), cudaErrorInvalidValue);
    assert_refused(
        cudaFuncSetAttribute(write_dynamic_shared, cudaFuncAttributeMaxDynamicSharedMemorySize, 227 * 1024 + 1),
        cudaErrorInvalidValue);
    assert_int_equal(
        cudaFuncSetAttribute(write_dynamic_shared, cudaFuncAttributeMaxDynamicSharedMemorySize, 227 * 1024),
        cudaSuccess);
    assert_int_equal(MM_LAUNCH(write_dynamic_shared, 1, 1, 227 * 1024, nullptr, 227 * 128 - 1), cudaSuccess);
    assert_int_equal(cudaFuncGetAttributes(&attributes, write_dynamic_shared), cudaSuccess);
    assert_int_equal(attributes.maxDynamicSharedSizeBytes, 227 * 1024);
    assert_int_equal(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, write_dynamic_shared, 256, 56 * 1024),
                     cudaSuccess);
    assert_int_equal(blocks, 4);
}

void test_device_properties(void **)
{
    cudaDeviceProp properties;
    int value = 0;
    assert_int_equal(cudaGetDeviceProperties(&properties, 0), cudaSuccess);
    assert_string_equal(properties.name, "emulated device");
    assert_int_equal(properties.sharedMemPerBlockOptin, 232448);
    assert_int_equal(cudaDeviceGetAttribute(&value, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0), cudaSuccess);
    assert_int_equal(value, 232448);
    assert_int_equal(cudaSetDevice(1), cudaErrorInvalidDevice);
    emulation_set_device_count(2);
    assert_int_equal(cudaSetDevice(1), cudaSuccess);
    assert_int_equal(cudaGetDevice(&value), cudaSuccess);
    assert_int_equal(value, 1);
    emulation_set_device_count(0);
    assert_int_equal(cudaGetDeviceCount(&value), cudaErrorNoDevice);
}

/* The same launches from several threads of the host, each with a device of its own; true if all were right. */
bool sums_are_right_on(int device)
{
    constexpr std::size_t threads = 256;
    std::vector<double> values = random_numbers(threads, static_cast<unsigned int>(device));
    double *device_values = nullptr, *device_sum = nullptr, sum = 0;
    bool right =
        cudaSetDevice(device) == cudaSuccess &&
        cudaMalloc(&device_values, threads * sizeof(double)) == cudaSuccess &&
        cudaMalloc(&device_sum, sizeof(double)) == cudaSuccess &&
        cudaMemcpy(device_values, values.data(), threads * sizeof(double), cudaMemcpyHostToDevice) == cudaSuccess;
    for (int round = 0; right && round < 50; round++)
        right =
            MM_LAUNCH((sum_blocks<threads>), 1, threads, 0, nullptr, device_values, device_sum) == cudaSuccess &&
            cudaMemcpy(&sum, device_sum, sizeof sum, cudaMemcpyDeviceToHost) == cudaSuccess &&
            sum == tree_sum(values);
    int device_after = -1;
    right = right && cudaGetDevice(&device_after) == cudaSuccess && device_after == device;
    cudaFree(device_values);
    cudaFree(device_sum);
    return right;
}

void test_threads_of_the_host_share_the_emulation(void **)
{
    constexpr int workers = 3;
    bool right[workers] = {};
    std::vector<std::thread> threads;
    emulation_set_device_count(workers);
    emulation_set_schedule(5);
    for (int worker = 0; worker < workers; worker++)
        threads.emplace_back([&right, worker] { right[worker] = sums_are_right_on(worker); });
    for (std::thread &thread : threads)
        thread.join();
    assert_true(right[0] && right[1] && right[2]);
}

/* ----------------------------------------------------------------------------------------------------- failures */

mm_status allocate_and_increment(double **memory, mm_error *error)
{
    MM_CUDA_CHECK(error, cudaMalloc(memory, sizeof(double)));
    MM_CUDA_CHECK(error, cudaMemset(*memory, 0, sizeof(double)));
    MM_CUDA_CHECK(error, MM_LAUNCH(increment, 1, 1, 0, nullptr, *memory));
    return MM_OK;
}

void test_injected_failures_reach_the_caller(void **)
{
    const char *calls[] = {"cudaMalloc(memory, sizeof(double))", "cudaMemset(*memory, 0, sizeof(double))",
                           "MM_LAUNCH(increment, 1, 1, 0, nullptr, *memory)"};
    for (int call = 0; call < 4; call++) {
        double *memory = nullptr;
        mm_error error = {};
        emulation_fail_after(call + 1, cudaErrorMemoryAllocation);
        assert_int_equal(allocate_and_increment(&memory, &error), call < 3 ? MM_ERROR_DEVICE : MM_OK);
        emulation_fail_after(0, cudaSuccess);
        if (call < 3) {
            std::string expected = std::string("cudaErrorMemoryAllocation (out of memory) from ") + calls[call];
            assert_string_equal(error.message, expected.c_str());
        }
        assert_int_equal(cudaPeekAtLastError(), cudaSuccess); /* the next launch does not report it */
        assert_int_equal(cudaFree(memory), cudaSuccess);
    }
}

void test_a_lost_device_stays_lost(void **)
{
    double *memory = nullptr;
    assert_int_equal(cudaMalloc(&memory, sizeof(double)), cudaSuccess);
    emulation_fail_after(2, cudaErrorLaunchFailure);
    assert_int_equal(cudaDeviceSynchronize(), cudaSuccess);
    assert_int_equal(cudaDeviceSynchronize(), cudaErrorLaunchFailure);
    assert_int_equal(cudaDeviceSynchronize(), cudaErrorLaunchFailure);
    assert_int_equal(cudaGetLastError(), cudaErrorLaunchFailure);
    assert_int_equal(allocate_and_increment(&memory, nullptr), MM_ERROR_DEVICE);
    assert_int_equal(cudaFree(memory), cudaErrorLaunchFailure);
    assert_int_equal(emulation_live_allocations(), allocations_before);
}

mm_status multiply(cublasHandle_t handle, int n, mm_error *error)
{
    const double one = 1;
    MM_CUBLAS_CHECK(error, cublasDscal(handle, n, &one, nullptr, 1));
    return MM_OK;
}

mm_status set_stream(cusolverDnHandle_t handle, cudaStream_t stream, mm_error *error)
{
    MM_CUSOLVER_CHECK(error, cusolverDnSetStream(handle, stream));
    return MM_OK;
}

void test_library_failures_are_named(void **)
{
    mm_error error = {};
    assert_int_equal(multiply(nullptr, 1, &error), MM_ERROR_DEVICE);
    assert_non_null(std::strstr(error.message, "CUBLAS_STATUS_NOT_INITIALIZED (cuBLAS) from cublasDscal(handle"));
    assert_int_equal(set_stream(nullptr, nullptr, &error), MM_ERROR_DEVICE);
    assert_non_null(
        std::strstr(error.message, "CUSOLVER_STATUS_NOT_INITIALIZED (cuSOLVER) from cusolverDnSetStream(handle"));
}

/* ---------------------------------------------------------------------------------------------------- libraries */

/* A batch of symmetric eigenvalue problems with everything that cuSOLVER wants for it. */
class eigen_batch
{
  public:
    static constexpr std::size_t n = 13, leading = 16, count = 5;

    eigen_batch() : matrices(count * leading * n), values_(count * n), info_(count)
    {
        for (std::size_t i = 0; i < count; i++) {
            std::vector<double> numbers = random_numbers(n * n, static_cast<unsigned int>(10 + i));
            for (std::size_t row = 0; row < n; row++)
                for (std::size_t column = 0; column < n; column++)
                    element(i, row, column) = numbers[row * n + column] + numbers[column * n + row];
        }
        assert_int_equal(cusolverDnCreate(&handle_), CUSOLVER_STATUS_SUCCESS);
        assert_int_equal(cusolverDnCreateParams(&params_), CUSOLVER_STATUS_SUCCESS);
    }

    ~eigen_batch()
    {
        cusolverDnDestroyParams(params_);
        cusolverDnDestroy(handle_);
    }

    double &element(std::size_t matrix, std::size_t row, std::size_t column)
    {
        return matrices[matrix * leading * n + column * leading + row];
    }

    cusolverStatus_t solve(cusolverEigMode_t mode, cudaDataType type)
    {
        device_array<double> device_matrices(matrices), device_values(count * n);
        device_array<int> device_info(count);
        std::size_t device_bytes = 1, host_bytes = 1;
        cusolverDnXsyevBatched_bufferSize(handle_, params_, mode, CUBLAS_FILL_MODE_LOWER, n, type,
                                          device_matrices.get(), leading, type, device_values.get(), type,
                                          &device_bytes, &host_bytes, count);
        device_array<char> device_buffer(device_bytes);
        std::vector<char> host_buffer(host_bytes);
        cusolverStatus_t status =
            cusolverDnXsyevBatched(handle_, params_, mode, CUBLAS_FILL_MODE_LOWER, n, type, device_matrices.get(),
                                   leading, type, device_values.get(), type, device_buffer.get(), device_bytes,
                                   host_buffer.data(), host_bytes, device_info.get(), count);
        vectors_ = device_matrices.download();
        values_ = device_values.download();
        info_ = device_info.download();
        return status;
    }

    /* Eigenvalues by another routine of LAPACK, which iterates on the tridiagonal form instead of dividing it. */
    std::vector<double> expected_values(std::size_t matrix) const
    {
        auto first = matrices.begin() + static_cast<std::ptrdiff_t>(matrix * leading * n);
        std::vector<double> copy(first, first + leading * n), values(n);
        assert_int_equal(LAPACKE_dsyev(LAPACK_COL_MAJOR, 'N', 'U', n, copy.data(), leading, values.data()), 0);
        return values;
    }

    /* Largest element of A V - V diag(values) of a matrix. */
    double residual(std::size_t matrix)
    {
        double largest = 0;
        const double *v = &vectors_[matrix * leading * n];
        for (std::size_t column = 0; column < n; column++)
            for (std::size_t row = 0; row < n; row++) {
                double sum = -values_[matrix * n + column] * v[column * leading + row];
                for (std::size_t k = 0; k < n; k++)
                    sum += element(matrix, row, k) * v[column * leading + k];
                largest = std::max(largest, std::fabs(sum));
            }
        return largest;
    }

    std::vector<double> matrices;

    const std::vector<double> &values() const
    {
        return values_;
    }

    const std::vector<double> &vectors() const
    {
        return vectors_;
    }

    const std::vector<int> &info() const
    {
        return info_;
    }

  private:
    std::vector<double> values_, vectors_;
    std::vector<int> info_;
    cusolverDnHandle_t handle_ = nullptr;
    cusolverDnParams_t params_ = nullptr;
};

void test_batched_eigenvalues(void **)
{
    eigen_batch batch;
    for (cusolverEigMode_t mode : {CUSOLVER_EIG_MODE_VECTOR, CUSOLVER_EIG_MODE_NOVECTOR}) {
        assert_int_equal(batch.solve(mode, CUDA_R_64F), CUSOLVER_STATUS_SUCCESS);
        for (std::size_t i = 0; i < eigen_batch::count; i++) {
            assert_int_equal(batch.info()[i], 0);
            std::vector<double> expected = batch.expected_values(i);
            for (std::size_t k = 0; k < eigen_batch::n; k++)
                assert_true(std::fabs(batch.values()[i * eigen_batch::n + k] - expected[k]) < 1e-13);
            if (mode == CUSOLVER_EIG_MODE_VECTOR)
                assert_true(batch.residual(i) < 1e-13);
            else
                assert_true(std::isnan(batch.vectors()[i * eigen_batch::n * eigen_batch::leading]));
        }
    }
    assert_int_equal(batch.solve(CUSOLVER_EIG_MODE_VECTOR, CUDA_R_32F), CUSOLVER_STATUS_NOT_SUPPORTED);
}

void test_an_eigenproblem_that_fails(void **)
{
    eigen_batch batch;
    emulation_fail_eigensolve(2);
    assert_int_equal(batch.solve(CUSOLVER_EIG_MODE_VECTOR, CUDA_R_64F), CUSOLVER_STATUS_SUCCESS);
    for (std::size_t i = 0; i < eigen_batch::count; i++) {
        assert_int_equal(batch.info()[i] > 0, i == 2);
        assert_int_equal(std::isnan(batch.values()[i * eigen_batch::n]), i == 2);
    }
    assert_int_equal(batch.solve(CUSOLVER_EIG_MODE_VECTOR, CUDA_R_64F), CUSOLVER_STATUS_SUCCESS);
    assert_int_equal(batch.info()[2], 0);
}

void test_batched_products(void **)
{
    constexpr int m = 4, n = 3, k = 5, count = 3;
    constexpr double alpha = 1.5, beta = -0.5;
    std::vector<double> a = random_numbers(m * k * count, 21), b = random_numbers(n * k * count, 22),
                        c = random_numbers(m * n * count, 23);
    device_array<double> device_a(a), device_b(b), device_c(c);
    cublasHandle_t handle = nullptr;
    assert_int_equal(cublasCreate(&handle), CUBLAS_STATUS_SUCCESS);
    assert_int_equal(cublasDgemmStridedBatched(handle, CUBLAS_OP_N, CUBLAS_OP_T, m, n, k, &alpha, device_a.get(), m,
                                               m * k, device_b.get(), n, n * k, &beta, device_c.get(), m, m * n,
                                               count),
                     CUBLAS_STATUS_SUCCESS);
    std::vector<double> product = device_c.download();
    for (int i = 0; i < count; i++)
        for (int row = 0; row < m; row++)
            for (int column = 0; column < n; column++) {
                std::size_t at = static_cast<std::size_t>(i * m * n + column * m + row);
                double expected = beta * c[at];
                for (int inner = 0; inner < k; inner++)
                    expected += alpha * a[static_cast<std::size_t>(i * m * k + inner * m + row)] *
                                b[static_cast<std::size_t>(i * n * k + inner * n + column)];
                assert_true(std::fabs(product[at] - expected) < 1e-14);
            }
    /* One element more than there is memory for. */
    assert_int_equal(cublasDgemm(handle, CUBLAS_OP_N, CUBLAS_OP_T, m, n, k * count + 1, &alpha, device_a.get(), m,
                                 device_b.get(), n, &beta, device_c.get(), m),
                     CUBLAS_STATUS_INVALID_VALUE);
    assert_int_equal(cublasDestroy(handle), CUBLAS_STATUS_SUCCESS);
}

void test_scaling_and_symmetric_products(void **)
{
    constexpr int n = 3, k = 4;
    const double alpha = 2, beta = 0;
    std::vector<double> a = random_numbers(n * k, 31);
    device_array<double> device_a(a), device_c(std::size_t{n * n});
    cublasHandle_t handle = nullptr;
    assert_int_equal(cublasCreate(&handle), CUBLAS_STATUS_SUCCESS);
    assert_int_equal(cublasDscal(handle, n * k, &alpha, device_a.get(), 1), CUBLAS_STATUS_SUCCESS);
    assert_int_equal(cublasDsyrk(handle, CUBLAS_FILL_MODE_LOWER, CUBLAS_OP_N, n, k, &alpha, device_a.get(), n,
                                 &beta, device_c.get(), n),
                     CUBLAS_STATUS_SUCCESS);
    std::vector<double> product = device_c.download();
    for (std::size_t column = 0; column < n; column++)
        for (std::size_t row = 0; row < n; row++) {
            double expected = 0;
            for (std::size_t inner = 0; inner < k; inner++)
                expected += 8 * a[inner * n + row] * a[inner * n + column];
            if (row >= column)
                assert_true(std::fabs(product[column * n + row] - expected) < 1e-14);
            else
                assert_true(std::isnan(product[column * n + row]));
        }
    assert_int_equal(cublasDestroy(handle), CUBLAS_STATUS_SUCCESS);
}

void test_the_table_of_library_functions(void **)
{
    mm_cuda_libraries libraries = {};
    const char *reason = nullptr;
    cublasHandle_t handle = nullptr;
    assert_true(mm_cuda_libraries_find(&libraries, &reason));
    assert_int_equal(libraries.cublasCreate(&handle), CUBLAS_STATUS_SUCCESS);
    assert_int_equal(emulation_live_handles(), handles_before + 1);
    assert_int_equal(libraries.cublasDestroy(handle), CUBLAS_STATUS_SUCCESS);
}

#if WITH_THRUST
mm_status sort_classes(int *keys, int *rows, std::ptrdiff_t count, cudaStream_t stream, mm_error *error)
{
    MM_THRUST_CHECK(error, thrust::stable_sort_by_key(MM_THRUST_POLICY(stream), keys, keys + count, rows));
    return MM_OK;
}

void test_thrust_sorts_device_memory(void **)
{
    constexpr std::size_t count = 1000;
    std::vector<int> keys(count), rows(count);
    for (std::size_t i = 0; i < count; i++)
        keys[i] = static_cast<int>(i * 7919 % 13);
    std::iota(rows.begin(), rows.end(), 0);
    std::vector<int> expected(rows);
    std::stable_sort(expected.begin(), expected.end(), [&](int a, int b) {
        return keys[static_cast<std::size_t>(a)] < keys[static_cast<std::size_t>(b)];
    });
    device_array<int> device_keys(keys), device_rows(rows);
    assert_int_equal(sort_classes(device_keys.get(), device_rows.get(), count, nullptr, nullptr), MM_OK);
    assert_true(device_rows.download() == expected);
}

/* Counts what Thrust takes and gives back. */
struct counting_allocator {
    typedef char value_type;
    int *held;

    char *allocate(std::ptrdiff_t bytes)
    {
        char *memory = nullptr;
        if (cudaMalloc(&memory, static_cast<std::size_t>(bytes)) != cudaSuccess)
            throw std::bad_alloc();
        held[0]++;
        held[1]++;
        return memory;
    }

    void deallocate(char *memory, std::size_t)
    {
        cudaFree(memory);
        held[1]--;
    }
};

mm_status sort_with(counting_allocator &allocator, double *keys, int *rows, std::ptrdiff_t count, mm_error *error)
{
    MM_THRUST_CHECK(
        error, thrust::stable_sort_by_key(MM_THRUST_POLICY_WITH(allocator, nullptr), keys, keys + count, rows));
    return MM_OK;
}

void test_thrust_takes_memory_from_an_allocator(void **)
{
    std::vector<double> keys = random_numbers(500, 41);
    device_array<double> device_keys(keys);
    device_array<int> device_rows(std::vector<int>(keys.size(), 0));
    int held[2] = {0, 0};
    counting_allocator allocator = {held};
    assert_int_equal(sort_with(allocator, device_keys.get(), device_rows.get(), 500, nullptr), MM_OK);
    std::sort(keys.begin(), keys.end());
    assert_true(device_keys.download() == keys);
    assert_true(held[0] > 0);
    assert_int_equal(held[1], 0);
}

mm_status throw_from_thrust(mm_error *error)
{
    MM_THRUST_CHECK(error, throw std::bad_alloc());
    return MM_OK;
}

void test_exceptions_of_thrust_end_in_a_status(void **)
{
    mm_error error = {};
    assert_int_equal(throw_from_thrust(&error), MM_ERROR_DEVICE);
    assert_non_null(std::strstr(error.message, "bad_alloc"));
}
#endif

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_vector_add_with_a_partial_block, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_block_reduction_under_every_schedule, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_a_thousand_threads_and_many_barriers, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_three_dimensional_indices_visit_all_once, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_shuffles_of_every_kind, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_shuffles_of_every_type, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_partial_masks_and_a_partial_warp, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_votes_of_warps_and_blocks, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_value_of_an_absent_lane_is_no_number, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_atomics_across_blocks, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_schedules_vary_and_repeat, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_constant_memory, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_unwritten_memory_is_no_number, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_a_missing_barrier_shows, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_a_missing_barrier_between_shuffling_warps_shows, start_fresh,
                                        nothing_left),
        cmocka_unit_test_setup_teardown(test_a_missing_warp_barrier_shows_in_one_of_two_orders, start_fresh,
                                        nothing_left),
        cmocka_unit_test_setup_teardown(test_reading_beyond_device_memory_is_caught, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_writing_beyond_dynamic_shared_memory_is_caught, start_fresh,
                                        nothing_left),
#ifndef __SANITIZE_ADDRESS__
        cmocka_unit_test_setup_teardown(test_writing_into_the_slack_is_noticed_on_release, start_fresh,
                                        nothing_left),
#endif
        cmocka_unit_test_setup_teardown(test_the_host_cannot_touch_device_memory, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_pointers_to_host_memory_are_refused, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_divergent_barriers_are_reported, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_leaks_are_counted, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_copies_are_checked, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_device_memory_runs_out, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_streams_and_events_keep_the_order, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_launch_limits, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_device_properties, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_threads_of_the_host_share_the_emulation, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_injected_failures_reach_the_caller, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_a_lost_device_stays_lost, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_library_failures_are_named, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_batched_eigenvalues, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_an_eigenproblem_that_fails, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_batched_products, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_scaling_and_symmetric_products, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_the_table_of_library_functions, start_fresh, nothing_left),
#if WITH_THRUST
        cmocka_unit_test_setup_teardown(test_thrust_sorts_device_memory, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_thrust_takes_memory_from_an_allocator, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_exceptions_of_thrust_end_in_a_status, start_fresh, nothing_left),
#endif
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
