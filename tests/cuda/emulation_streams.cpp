/* emulation_streams.cpp - the emulated streams and devices: order is kept where CUDA keeps it, and who relies
 * on more than that, or takes one device for another, is found out. */
#include <algorithm>
#include <cmath>
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

extern "C" {
#include <cmocka.h>
}

#include "cuda/device_array.h"
#include "device/check.cuh"
#include "emulation/emulation.h"
#include "support/survives.h"

namespace
{

constexpr std::uint64_t LATE = 1;
constexpr std::uint64_t SCHEDULES = 12; /* at once, late, and ten random ones */

int start_fresh(void **)
{
    emulation_reset();
    emulation_set_streams(0);
    return 0;
}

int nothing_left(void **)
{
    emulation_reset();
    return emulation_live_allocations() == 0 && emulation_live_handles() == 0 ? 0 : 1;
}

/* Two streams, which do not wait for the default one, an event, and pinned memory. */
struct pair_of_streams {
    cudaStream_t first = nullptr, second = nullptr;
    cudaEvent_t done = nullptr;
    double *pinned = nullptr;

    pair_of_streams()
    {
        assert_int_equal(cudaStreamCreateWithFlags(&first, cudaStreamNonBlocking), cudaSuccess);
        assert_int_equal(cudaStreamCreateWithFlags(&second, cudaStreamNonBlocking), cudaSuccess);
        assert_int_equal(cudaEventCreateWithFlags(&done, cudaEventDisableTiming), cudaSuccess);
        assert_int_equal(cudaMallocHost(&pinned, sizeof *pinned), cudaSuccess);
        *pinned = 0;
    }

    ~pair_of_streams()
    {
        cudaFreeHost(pinned);
        cudaEventDestroy(done);
        cudaStreamDestroy(second);
        cudaStreamDestroy(first);
    }
    pair_of_streams(const pair_of_streams &) = delete;
    pair_of_streams &operator=(const pair_of_streams &) = delete;

    void upload(double *device, cudaStream_t stream) const
    {
        assert_int_equal(cudaMemcpyAsync(device, pinned, sizeof *pinned, cudaMemcpyHostToDevice, stream),
                         cudaSuccess);
    }

    void download(const double *device, cudaStream_t stream) const
    {
        assert_int_equal(cudaMemcpyAsync(pinned, device, sizeof *pinned, cudaMemcpyDeviceToHost, stream),
                         cudaSuccess);
    }
};

__global__ void scale_and_shift(double factor, double shift, double *value)
{
    *value = *value * factor + shift;
}

void launch(double factor, double shift, double *value, cudaStream_t stream)
{
    assert_int_equal(MM_LAUNCH(scale_and_shift, 1, 1, 0, stream, factor, shift, value), cudaSuccess);
}

/* ------------------------------------------------------------------------------------------------------- order */

void test_a_stream_keeps_the_order(void **)
{
    for (std::uint64_t seed = 0; seed < SCHEDULES; seed++) {
        emulation_set_streams(seed);
        pair_of_streams streams;
        device_array<double> value(1);
        assert_int_equal(cudaMemsetAsync(value.get(), 0, sizeof(double), streams.first), cudaSuccess);
        launch(1, 3, value.get(), streams.first);
        launch(2, 0, value.get(), streams.first);
        launch(1, 1, value.get(), streams.first);
        streams.download(value.get(), streams.first);
        assert_int_equal(cudaStreamSynchronize(streams.first), cudaSuccess);
        assert_true(*streams.pinned == 7);
    }
}

void test_nothing_is_there_before_somebody_waits(void **)
{
    emulation_set_streams(LATE);
    pair_of_streams streams;
    device_array<double> value(std::vector<double>{5});
    assert_int_equal(cudaStreamSynchronize(nullptr), cudaSuccess);
    streams.download(value.get(), streams.first);
    assert_true(std::isnan(*streams.pinned));
    assert_int_equal(cudaStreamQuery(streams.second), cudaSuccess);
    assert_int_equal(cudaStreamSynchronize(streams.second), cudaSuccess);
    assert_true(std::isnan(*streams.pinned));
    assert_int_equal(cudaStreamSynchronize(streams.first), cudaSuccess);
    assert_true(*streams.pinned == 5);
}

void test_every_way_to_wait(void **)
{
    for (int way = 0; way < 5; way++) {
        emulation_set_streams(LATE);
        pair_of_streams streams;
        device_array<double> value(std::vector<double>{5});
        assert_int_equal(cudaStreamSynchronize(nullptr), cudaSuccess);
        launch(1, 1, value.get(), streams.first);
        streams.download(value.get(), streams.first);
        assert_int_equal(cudaEventRecord(streams.done, streams.first), cudaSuccess);
        switch (way) {
        case 0:
            assert_int_equal(cudaStreamQuery(streams.first), cudaErrorNotReady);
            while (cudaStreamQuery(streams.first) == cudaErrorNotReady)
                ;
            break;
        case 1:
            assert_int_equal(cudaEventQuery(streams.done), cudaErrorNotReady);
            while (cudaEventQuery(streams.done) == cudaErrorNotReady)
                ;
            break;
        case 2:
            assert_int_equal(cudaEventSynchronize(streams.done), cudaSuccess);
            break;
        case 3:
            assert_int_equal(cudaDeviceSynchronize(), cudaSuccess);
            break;
        default: /* work of the second stream that comes after that of the first */
            assert_int_equal(cudaStreamWaitEvent(streams.second, streams.done), cudaSuccess);
            assert_int_equal(cudaStreamSynchronize(streams.second), cudaSuccess);
        }
        assert_true(*streams.pinned == 6);
        (void)cudaGetLastError(); /* not ready */
    }
}

/* What the second stream brings home of what the first one computes. */
double handed_over(std::uint64_t seed, bool with_event)
{
    emulation_set_streams(seed);
    pair_of_streams streams;
    device_array<double> value(std::vector<double>{1});
    assert_int_equal(cudaStreamSynchronize(nullptr), cudaSuccess);
    launch(1, 1, value.get(), streams.first);
    assert_int_equal(cudaEventRecord(streams.done, streams.first), cudaSuccess);
    if (with_event)
        assert_int_equal(cudaStreamWaitEvent(streams.second, streams.done), cudaSuccess);
    streams.download(value.get(), streams.second);
    assert_int_equal(cudaStreamSynchronize(streams.second), cudaSuccess);
    return *streams.pinned;
}

void test_a_missing_event_shows(void **)
{
    int wrong = 0;
    for (std::uint64_t seed = 0; seed < SCHEDULES; seed++) {
        assert_true(handed_over(seed, true) == 2);
        wrong += handed_over(seed, false) != 2;
    }
    assert_true(handed_over(LATE, false) == 1);
    assert_in_range(wrong, 2, SCHEDULES - 2);
}

/* --------------------------------------------------------------------------------------------- memory of the host
 */

void test_pinned_memory_that_changes_too_early_shows(void **)
{
    for (bool waits : {true, false}) {
        emulation_set_streams(LATE);
        pair_of_streams streams;
        device_array<double> value(1);
        *streams.pinned = 4;
        streams.upload(value.get(), streams.first);
        if (waits)
            assert_int_equal(cudaStreamSynchronize(streams.first), cudaSuccess);
        *streams.pinned = 9;
        assert_int_equal(cudaStreamSynchronize(streams.first), cudaSuccess);
        assert_true(value.download()[0] == (waits ? 4 : 9));
    }
}

/* There and back through the same pinned memory, without a wait between, as is allowed. */
void test_pinned_memory_that_is_still_read_is_left_alone(void **)
{
    for (std::uint64_t seed = 0; seed < SCHEDULES; seed++) {
        emulation_set_streams(seed);
        pair_of_streams streams;
        device_array<double> value(1);
        *streams.pinned = 4;
        streams.upload(value.get(), streams.first);
        launch(2, 0, value.get(), streams.first);
        streams.download(value.get(), streams.first);
        assert_int_equal(cudaStreamSynchronize(streams.first), cudaSuccess);
        assert_true(*streams.pinned == 8);
    }
}

void test_pinned_memory_that_is_freed_too_early_is_caught(void **)
{
    emulation_set_streams(LATE);
    double *pinned = nullptr;
    cudaStream_t stream = nullptr;
    device_array<double> value(1);
    assert_int_equal(cudaStreamCreate(&stream), cudaSuccess);
    assert_int_equal(cudaMallocHost(&pinned, sizeof *pinned), cudaSuccess);
    assert_int_equal(cudaMemcpyAsync(pinned, value.get(), sizeof *pinned, cudaMemcpyDeviceToHost, stream),
                     cudaSuccess);
    assert_int_equal(cudaFreeHost(pinned), cudaSuccess);
    assert_int_equal(cudaStreamSynchronize(stream), cudaErrorIllegalAddress);
    assert_string_equal(emulation_failure(),
                        "pinned memory was freed before a copy of 8 bytes from or to it was done");
    emulation_reset();
    assert_int_equal(cudaStreamDestroy(stream), cudaSuccess);
}

/* What a kernel finds of a plain variable that cudaMemcpy took to the device. */
double uploaded(std::uint64_t seed, unsigned int flags, bool waits)
{
    emulation_set_streams(seed);
    cudaStream_t stream = nullptr;
    double given = 3;
    device_array<double> value(1), result(1);
    assert_int_equal(cudaStreamCreateWithFlags(&stream, flags), cudaSuccess);
    assert_int_equal(cudaMemcpy(value.get(), &given, sizeof given, cudaMemcpyHostToDevice), cudaSuccess);
    given = 0; /* it has been read */
    if (waits)
        assert_int_equal(cudaStreamSynchronize(nullptr), cudaSuccess);
    assert_int_equal(cudaMemcpyAsync(result.get(), value.get(), sizeof given, cudaMemcpyDeviceToDevice, stream),
                     cudaSuccess);
    assert_int_equal(cudaStreamSynchronize(stream), cudaSuccess);
    assert_int_equal(cudaStreamDestroy(stream), cudaSuccess);
    return result.download()[0];
}

void test_an_upload_that_only_some_streams_wait_for(void **)
{
    for (std::uint64_t seed = 0; seed < SCHEDULES; seed++) {
        assert_true(uploaded(seed, cudaStreamDefault, false) == 3);
        assert_true(uploaded(seed, cudaStreamNonBlocking, true) == 3);
    }
    assert_true(std::isnan(uploaded(LATE, cudaStreamNonBlocking, false)));
}

void test_the_default_stream_and_blocking_ones_wait_for_each_other(void **)
{
    for (std::uint64_t seed = 0; seed < SCHEDULES; seed++) {
        emulation_set_streams(seed);
        cudaStream_t stream = nullptr;
        device_array<double> value(std::vector<double>{1});
        assert_int_equal(cudaStreamCreate(&stream), cudaSuccess);
        launch(1, 3, value.get(), stream);
        launch(2, 0, value.get(), nullptr);
        launch(1, 1, value.get(), stream);
        assert_true(value.download()[0] == 9);
        assert_int_equal(cudaStreamDestroy(stream), cudaSuccess);
    }
}

/* ---------------------------------------------------------------------------------------------------- failures */

__global__ void half_meet_at_a_barrier()
{
    if (threadIdx.x < 32)
        __syncthreads();
}

void test_a_failure_is_told_later_and_ends_all_work(void **)
{
    emulation_set_streams(LATE);
    {
        pair_of_streams streams;
        device_array<double> value(std::vector<double>{1});
        assert_int_equal(MM_LAUNCH(half_meet_at_a_barrier, 1, 64, 0, streams.first), cudaSuccess);
        streams.download(value.get(), streams.first);
        assert_int_equal(cudaStreamSynchronize(streams.first), cudaErrorLaunchFailure);
        assert_true(std::string(emulation_failure()).find("deadlock") != std::string::npos);
        assert_true(std::isnan(*streams.pinned));
        assert_int_equal(cudaStreamSynchronize(streams.second), cudaErrorLaunchFailure);
    }
}

/* ----------------------------------------------------------------------------------------------------- devices */

void test_streams_and_handles_belong_to_a_device(void **)
{
    emulation_set_device_count(2);
    cudaStream_t stream = nullptr;
    cudaEvent_t event = nullptr;
    cublasHandle_t cublas = nullptr;
    double *memory = nullptr;
    const double one = 1;
    assert_int_equal(cudaStreamCreate(&stream), cudaSuccess);
    assert_int_equal(cublasCreate(&cublas), CUBLAS_STATUS_SUCCESS);
    assert_int_equal(cudaMalloc(&memory, sizeof *memory), cudaSuccess);
    assert_int_equal(cudaSetDevice(1), cudaSuccess);
    assert_int_equal(cudaEventCreate(&event), cudaSuccess);
    assert_int_equal(MM_LAUNCH(scale_and_shift, 1, 1, 0, stream, 1.0, 0.0, nullptr),
                     cudaErrorInvalidResourceHandle);
    assert_int_equal(cudaEventRecord(event, stream), cudaErrorInvalidResourceHandle);
    assert_int_equal(cublasDscal(cublas, 1, &one, memory, 1), CUBLAS_STATUS_EXECUTION_FAILED);
    assert_int_equal(MM_LAUNCH(scale_and_shift, 1, 1, 0, nullptr, 1.0, 0.0, memory), cudaErrorIllegalAddress);
    emulation_reset();
    assert_int_equal(cublasDestroy(cublas), CUBLAS_STATUS_SUCCESS);
    assert_int_equal(cudaEventDestroy(event), cudaSuccess);
    assert_int_equal(cudaStreamDestroy(stream), cudaSuccess);
    assert_int_equal(cudaFree(memory), cudaSuccess);
}

void test_each_device_has_its_memory(void **)
{
    std::size_t free_bytes = 0, total = 0;
    double *memory = nullptr;
    emulation_set_device_count(2);
    emulation_set_device_memory(1000);
    assert_int_equal(cudaMalloc(&memory, 800), cudaSuccess);
    assert_int_equal(cudaSetDevice(1), cudaSuccess);
    assert_int_equal(cudaMemGetInfo(&free_bytes, &total), cudaSuccess);
    assert_int_equal(free_bytes, 1000);
    assert_int_equal(cudaSetDevice(0), cudaSuccess);
    assert_int_equal(cudaMemGetInfo(&free_bytes, &total), cudaSuccess);
    assert_int_equal(free_bytes, 200);
    assert_int_equal(cudaFree(memory), cudaSuccess);
}

__global__ void ask_for_shared_memory(double *value)
{
    MM_DYNAMIC_SHARED(double, shared);
    shared[0] = *value;
}

void test_each_device_has_its_attributes_of_a_kernel(void **)
{
    constexpr int bytes = 100 * 1024;
    device_array<double> value(std::vector<double>{1});
    emulation_set_device_count(2);
    assert_int_equal(
        cudaFuncSetAttribute(ask_for_shared_memory, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes),
        cudaSuccess);
    assert_int_equal(MM_LAUNCH(ask_for_shared_memory, 1, 1, bytes, nullptr, value.get()), cudaSuccess);
    assert_int_equal(cudaSetDevice(1), cudaSuccess);
    assert_int_equal(MM_LAUNCH(ask_for_shared_memory, 1, 1, bytes, nullptr, nullptr), cudaErrorInvalidValue);
}

struct hidden_pointer {
    double *value;
};

__global__ void write_through(hidden_pointer hidden)
{
    *hidden.value = 1;
}

/* A kernel on a device writes to memory of device 0, which the launch does not see. */
template <int DEVICE> void write_to_device_0_from()
{
    hidden_pointer hidden = {};
    if (cudaMalloc(&hidden.value, sizeof(double)) == cudaSuccess && cudaSetDevice(DEVICE) == cudaSuccess)
        (void)MM_LAUNCH(write_through, 1, 1, 0, nullptr, hidden);
}

void test_a_kernel_that_writes_to_another_device_is_caught(void **)
{
    emulation_set_device_count(2);
    assert_true(survives(write_to_device_0_from<0>));
    assert_false(survives(write_to_device_0_from<1>));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_stream_keeps_the_order, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_nothing_is_there_before_somebody_waits, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_every_way_to_wait, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_a_missing_event_shows, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_pinned_memory_that_changes_too_early_shows, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_pinned_memory_that_is_still_read_is_left_alone, start_fresh,
                                        nothing_left),
        cmocka_unit_test_setup_teardown(test_pinned_memory_that_is_freed_too_early_is_caught, start_fresh,
                                        nothing_left),
        cmocka_unit_test_setup_teardown(test_an_upload_that_only_some_streams_wait_for, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_the_default_stream_and_blocking_ones_wait_for_each_other, start_fresh,
                                        nothing_left),
        cmocka_unit_test_setup_teardown(test_a_failure_is_told_later_and_ends_all_work, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_streams_and_handles_belong_to_a_device, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_each_device_has_its_memory, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_each_device_has_its_attributes_of_a_kernel, start_fresh, nothing_left),
        cmocka_unit_test_setup_teardown(test_a_kernel_that_writes_to_another_device_is_caught, start_fresh,
                                        nothing_left),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
