/* failures.cpp - the cuda backend on devices as they may be: several, none, slow or broken ones, in any
 * order of threads. Needs the emulated device. */
#include "cuda/backend_tasks.h"

#include "emulation/emulation.h"

namespace
{

void test_schedules_of_threads_and_blocks_do_not_show(void **)
{
    task given;
    set_common_task(&given);
    for (const mm_solver_options &options : {options_of("cuda"), tridiagonal_options()}) {
        emulation_set_schedule(0);
        outcome ascending = evaluate_on(options, given, true);
        for (const mm_evaluation &evaluation : ascending.evaluations)
            assert_int_equal(evaluation.eigen_failures, 0);
        for (std::uint64_t seed : {1, 5, 9}) {
            emulation_set_schedule(seed);
            assert_same_bits(evaluate_on(options, given, true), ascending);
        }
    }
}

void test_several_devices_give_the_same_bits(void **)
{
    task given;
    set_common_task(&given);
    outcome one = evaluate_on("cuda", given, true);
    emulation_set_device_count(3);
    mm_solver *solver = open_solver(&given.problem, "cuda");
    assert_non_null(strstr(mm_solver_device(solver), "3 devices"));
    assert_same_bits(evaluate_with(solver, given, true), one);
    mm_solver_close(solver);
}

/* Where a display hangs on the device, its driver ends a kernel after two seconds. */
void test_a_worker_beside_a_display_takes_fewer_chains(void **)
{
    task given;
    set_common_task(&given);
    for (bool display : {false, true}) {
        mm_cuda_worker worker = {};
        mm_cuda_libraries libraries = {};
        mm_error error = {};
        const char *reason = "";
        emulation_set_display(display);
        assert_true(mm_cuda_libraries_find(&libraries, &reason));
        assert_int_equal(mm_cuda_worker_open(&worker, 0, &given.problem, nullptr, &libraries, &error), MM_OK);
        assert_int_equal(worker.timed > 0, display);
        assert_int_equal(mm_cuda_worker_rows(&worker, {32, 512}, 1024, 2048), display ? 8 * worker.timed : 2048);
        assert_int_equal(mm_cuda_worker_rows(&worker, {32, 512}, 1024, 5), 5);
        mm_cuda_worker_close(&worker);
    }
}

/* Whatever the order in which processes open their backends, all get their share, though contexts are there too.
 */
void test_processes_share_the_memory_of_a_device(void **)
{
    const size_t gigabyte = size_t{1} << 30, context = size_t{400} << 20;
    assert_in_range(mm_cuda_memory_share(24 * gigabyte, 23 * gigabyte, 1), 20 * gigabyte, 23 * gigabyte);
    for (int processes : {2, 8, 32}) {
        size_t free = 24 * gigabyte;
        for (int opened = 0; opened < processes; opened++) {
            free -= context;
            const size_t share = mm_cuda_memory_share(24 * gigabyte, free, processes);
            assert_in_range(share, 1, free);
            free -= share;
        }
    }
    assert_true(mm_cuda_memory_share(2 * gigabyte, gigabyte, 8) > 0);
}

struct description {
    bool seen;
    bool available;
    std::string text;
};

void take_line(void *context, const char *name, bool available, const char *text)
{
    if (strcmp(name, "cuda") == 0)
        *static_cast<description *>(context) = {true, available, text};
}

description described()
{
    description cuda = {};
    mm_backend_describe(take_line, &cuda);
    return cuda;
}

/* A chain may go to any device in use, so that all of them must round alike. */
void test_devices_unlike_the_first_one_are_left_out(void **)
{
    task given;
    mm_error error = {};
    mm_solver *solver = nullptr;
    set_common_task(&given);
    mm_solver_options options = options_of("cuda");
    emulation_set_device_count(4);
    emulation_set_multiprocessors(1, 1);
    emulation_set_multiprocessors(2, 7);
    for (int process = 0; process < 2; process++) {
        options.host_index = process;
        options.host_count = 2;
        assert_int_equal(mm_solver_open(&solver, &given.problem, &options, &error), MM_OK);
        assert_string_equal(mm_solver_device(solver), "emulated device, 1 device");
        mm_solver_close(solver);
    }
    assert_string_equal(described().text.c_str(), "emulated device, 2 devices");
}

/* -------------------------------------------------------------------------------------------- failures */

void test_a_chain_whose_eigenvalues_fail_is_the_next_backends(void **)
{
    task given;
    set_problem(&given, 20, {8, 6}, 4);
    std::mt19937_64 random(31);
    add_random_points(&given, 4, &random);
    const outcome expected = evaluate_on("cpu", given, true);
    for (bool gradients : {true, false}) {
        mm_solver *solver = open_solver(&given.problem, "cuda");
        emulation_fail_eigensolve(0);
        const outcome found = evaluate_with(solver, given, gradients);
        mm_solver_close(solver);
        size_t failed = 0, told = 0; /* of the chain that came first to the solver */
        for (size_t i = 0; i < given.points.size(); i++)
            if (found.evaluations[i].eigen_failures > 0) {
                told++;
                failed = i;
            }
        assert_int_equal(told, 1);
        assert_int_equal(found.evaluations[failed].eigen_failures, 1);
        task alone = given;
        alone.points = {given.points[failed]};
        const outcome own = evaluate_on("cpu", alone, gradients);
        assert_memory_equal(&found.evaluations[failed], &own.evaluations[0],
                            offsetof(mm_evaluation, eigen_failures));
        if (gradients) {
            assert_memory_equal(&found.gradients[2 * failed], own.gradients.data(), 2 * sizeof own.gradients[0]);
            assert_close(found, expected, true);
        }
    }
}

/* What a backend says about such a chain: that it failed, and no more. */
void test_a_chain_whose_eigenvalues_fail_is_marked(void **)
{
    task given;
    set_problem(&given, 20, {8, 6}, 4);
    std::mt19937_64 random(31);
    add_random_points(&given, 4, &random);
    std::vector<mm_evaluation> found(4);
    void *state = open_backend(&given.problem);
    emulation_fail_eigensolve(0);
    assert_int_equal(mm_backend_cuda.evaluate(state, 4, given.points.data(), found.data(), nullptr, nullptr),
                     MM_OK);
    assert_int_equal(mm_cuda_eigen_failures(state), 1);
    int told = 0;
    for (const mm_evaluation &evaluation : found)
        told += evaluation.eigen_failures;
    assert_int_equal(told, 1);
    mm_backend_cuda.close(state);
}

/* Solves, and then spoils one element of the first matrix's first vector. */
cusolverStatus_t spoil_solution(cusolverDnHandle_t handle, cusolverDnParams_t params, cusolverEigMode_t mode,
                                cublasFillMode_t triangle, std::int64_t n, cudaDataType matrix_type, void *matrices,
                                std::int64_t leading, cudaDataType value_type, void *values,
                                cudaDataType compute_type, void *device_buffer, std::size_t device_bytes,
                                void *host_buffer, std::size_t host_bytes, int *info, std::int64_t batch_count)
{
    const double wrong = 1e-9;
    cusolverStatus_t status = cusolverDnXsyevBatched(handle, params, mode, triangle, n, matrix_type, matrices,
                                                     leading, value_type, values, compute_type, device_buffer,
                                                     device_bytes, host_buffer, host_bytes, info, batch_count);
    assert_int_equal(cudaDeviceSynchronize(), cudaSuccess); /* solved by now */
    assert_int_equal(cudaMemcpy(matrices, &wrong, sizeof wrong, cudaMemcpyHostToDevice), cudaSuccess);
    assert_int_equal(cudaDeviceSynchronize(), cudaSuccess);
    return status;
}

/* Evaluates a task on a worker of its own.
 * @param check  whether solutions of the eigenvalue solver are looked at
 * @param every  whether gradients are summed by every collision from the beginning
 * @return the worker as it was closed: its counters */
mm_cuda_worker evaluate_on_worker(const task &given, const mm_cuda_libraries &libraries, const mm_sweep_ways &ways,
                                  bool check, bool every, outcome *result)
{
    mm_cuda_worker worker = {};
    std::vector<mm_cuda_item> items;
    const size_t count = given.points.size(), free_batches = mm_problem_free_batches(&given.problem);
    *result = {std::vector<mm_evaluation>(count), std::vector<mm_channel_gradient>(count * free_batches)};
    const mm_cuda_job job = {given.points.data(), result->evaluations.data(), result->gradients.data(),
                             free_batches};
    for (size_t i = 0; i < count; i++)
        items.push_back({i, mm_chain_class_first(&given.problem), false, every, false, false, false});
    assert_int_equal(mm_cuda_worker_open(&worker, 0, &given.problem, &ways, &libraries, nullptr), MM_OK);
    mm_cuda_worker_share(&worker, 64 << 20);
    worker.eigen.check = check;
    assert_int_equal(mm_cuda_worker_evaluate(&worker, job, count, items.data(), nullptr), MM_OK);
    const mm_cuda_worker counted = worker;
    mm_cuda_worker_close(&worker);
    return counted;
}

/* A solver that errs without a word is found out by the check, and only by it. */
void test_wrong_solutions_do_not_pass_the_check(void **)
{
    task given;
    set_problem(&given, 20, {8, 6}, 4);
    std::mt19937_64 random(32);
    add_random_points(&given, 1, &random);
    outcome found;
    const char *reason;
    mm_cuda_libraries libraries;
    assert_true(mm_cuda_libraries_find(&libraries, &reason));
    libraries.cusolverDnXsyevBatched = spoil_solution;
    mm_sweep_ways ways = {};
    assert_int_equal(mm_sweep_ways_create(&ways, &given.problem, nullptr), MM_OK);
    for (bool check : {false, true}) {
        assert_int_equal(evaluate_on_worker(given, libraries, ways, check, false, &found).eigen_failures,
                         check ? 1 : 0);
        assert_int_equal(found.evaluations[0].eigen_failures, check ? 1 : 0);
    }
    mm_sweep_ways_free(&ways);
}

/* Sums that are not trusted, here because nothing is near enough, give way to sums by every collision. */
void test_sums_that_do_not_hold_are_taken_again(void **)
{
    task given;
    outcome found, expected;
    set_problem(&given, 12, {120, 90}, 30);
    add_point(&given, 0.8, 1.0, {0.5, 0.2, 0.6, 0.3});
    add_point(&given, 1.1, 0.5, {0.3, 0.4, 0.2, 0.35});
    add_point(&given, 1.4, 2.0, {1.0, 0.5, 0.9, 0.4});
    given.points[1].band_tolerance = 1e-7;
    const double never = INFINITY;
    given.points[2].gradient_limit = &never;
    const char *reason;
    mm_cuda_libraries libraries;
    mm_sweep_ways ways = {};
    assert_true(mm_cuda_libraries_find(&libraries, &reason));
    assert_int_equal(mm_sweep_ways_create(&ways, &given.problem, nullptr), MM_OK);
    assert_in_range(evaluate_on_worker(given, libraries, ways, false, false, &found).summed_again, 0, 2);
    assert_close(found, evaluate_on("cuda", given, true), true);
    assert_int_equal(evaluate_on_worker(given, libraries, ways, false, true, &expected).summed_again, 0);
    for (mm_way &way : ways.ways)
        way.limits = {0.0, 0.0};
    assert_int_equal(evaluate_on_worker(given, libraries, ways, false, false, &found).summed_again, 3);
    assert_same_bits(found, expected);
    mm_sweep_ways_free(&ways);
}

/* One call after the other fails, from opening to closing. Nothing is left behind, and every failure is told. */
void test_every_failing_call_is_reported(void **)
{
    task given;
    set_problem(&given, 6, {3}, 2);
    add_point(&given, 0.9, 1.0, {0.5, 0.2});
    const mm_solver_options options = options_of("cuda");
    bool failed = true;
    for (long call = 1; failed; call++) {
        mm_error error = {};
        mm_solver *solver = nullptr;
        mm_evaluation evaluation;
        mm_channel_gradient gradient;
        emulation_reset();
        emulation_fail_after(call, cudaErrorMemoryAllocation);
        mm_status status = mm_solver_open(&solver, &given.problem, &options, &error);
        if (status == MM_OK)
            status = mm_solver_evaluate(solver, 1, given.points.data(), &evaluation, &gradient, &error);
        failed = status != MM_OK;
        if (failed && status != MM_ERROR_DEVICE && status != MM_ERROR_BACKEND)
            fail_msg("call %ld: status %d, %s", call, static_cast<int>(status), error.message);
        assert_int_equal(error.status, status);
        mm_solver_close(failed && solver == nullptr ? nullptr : solver);
        assert_int_equal(emulation_live_allocations(), 0);
        assert_int_equal(emulation_live_handles(), 0);
        assert_true(call < 1000);
    }
}

void test_a_lost_device_is_a_device_error(void **)
{
    task given;
    set_common_task(&given);
    mm_error error = {};
    outcome found;
    found.evaluations.resize(given.points.size());
    mm_solver *solver = open_solver(&given.problem, "cuda");
    emulation_fail_after(12, cudaErrorLaunchFailure);
    for (int attempt = 0; attempt < 2; attempt++)
        assert_int_equal(mm_solver_evaluate(solver, given.points.size(), given.points.data(),
                                            found.evaluations.data(), nullptr, &error),
                         MM_ERROR_DEVICE);
    assert_non_null(strstr(error.message, "cudaErrorLaunchFailure"));
    mm_solver_close(solver);
}

/* The same for collisions given one by one, with a coupling that varies. */
void test_every_failing_call_of_drawn_collisions_is_reported(void **)
{
    task given;
    set_problem(&given, 6, {3}, 2);
    const mm_solver_options options = options_of("cuda");
    const mm_drawn_collision drawn[] = {{0.5, 0.2, 0.9}, {0.4, 0.3, 1.0}, {0.3, 0.1, 0.8}, {0.2, 0.6, 0.7}};
    bool failed = true;
    for (long call = 1; failed; call++) {
        mm_error error = {};
        mm_solver *solver = nullptr;
        mm_state states[2] = {};
        emulation_reset();
        emulation_fail_after(call, cudaErrorMemoryAllocation);
        mm_status status = mm_solver_open(&solver, &given.problem, &options, &error);
        if (status == MM_OK)
            status = mm_solver_evolve_drawn(solver, 2, 2, drawn, states, &error);
        failed = status != MM_OK;
        if (failed && status != MM_ERROR_DEVICE && status != MM_ERROR_BACKEND)
            fail_msg("call %ld: status %d, %s", call, static_cast<int>(status), error.message);
        assert_int_equal(error.status, status);
        mm_solver_close(failed && solver == nullptr ? nullptr : solver);
        for (mm_state &state : states)
            mm_state_free(&state);
        assert_int_equal(emulation_live_allocations(), 0);
        assert_int_equal(emulation_live_handles(), 0);
        assert_true(call < 1000);
    }
}

/* A program built for other devices than the one there: no loss of a device, which one would try again. */
void test_a_device_without_code_for_it_is_not_used(void **)
{
    task given;
    mm_error error = {};
    mm_solver *solver = nullptr;
    set_problem(&given, 6, {3}, 2);
    mm_solver_options options = options_of("cuda");
    emulation_fail_after(2, cudaErrorNoKernelImageForDevice); /* the first one counts the devices */
    assert_int_equal(mm_solver_open(&solver, &given.problem, &options, &error), MM_ERROR_BACKEND);
    assert_non_null(strstr(error.message, "without code for this device"));
    options.backend = "auto";
    emulation_fail_after(2, cudaErrorNoKernelImageForDevice);
    assert_int_equal(mm_solver_open(&solver, &given.problem, &options, &error), MM_OK);
    assert_string_equal(mm_solver_backend(solver), "cpu");
    mm_solver_close(solver);
}

void test_without_a_device_auto_takes_the_cpu(void **)
{
    task given;
    mm_error error = {};
    mm_solver *solver = nullptr;
    description cuda = {};
    set_problem(&given, 6, {3}, 2);
    emulation_set_device_count(0);
    mm_solver_options options = options_of("cuda");
    assert_int_equal(mm_solver_open(&solver, &given.problem, &options, &error), MM_ERROR_BACKEND);
    assert_non_null(strstr(error.message, "CUDA built in, no device"));
    options.backend = "auto";
    assert_int_equal(mm_solver_open(&solver, &given.problem, &options, &error), MM_OK);
    assert_string_equal(mm_solver_backend(solver), "cpu");
    mm_solver_close(solver);
    cuda = described();
    assert_true(cuda.seen && !cuda.available);
    assert_non_null(strstr(cuda.text.c_str(), "no device"));
    emulation_set_device_count(1);
    cuda = described();
    assert_true(cuda.available);
    assert_string_equal(cuda.text.c_str(), "emulated device, 1 device");
    assert_int_equal(mm_solver_open(&solver, &given.problem, &options, &error), MM_OK);
    assert_string_equal(mm_solver_backend(solver), "cuda");
    assert_string_equal(mm_solver_device(solver), "emulated device, 1 device");
    mm_solver_close(solver);
}

int start_fresh(void **)
{
    emulation_reset();
    return 0;
}

int nothing_left(void **)
{
    const bool clean = emulation_live_allocations() == 0 && emulation_live_handles() == 0;
    if (!clean)
        print_error("%zu allocations and %zu handles are left\n", emulation_live_allocations(),
                    emulation_live_handles());
    return clean ? 0 : -1;
}

} // namespace

#define DEVICE_TEST(function) cmocka_unit_test_setup_teardown(function, start_fresh, nothing_left)

int main()
{
    const CMUnitTest tests[] = {
        DEVICE_TEST(test_schedules_of_threads_and_blocks_do_not_show),
        DEVICE_TEST(test_several_devices_give_the_same_bits),
        DEVICE_TEST(test_a_worker_beside_a_display_takes_fewer_chains),
        DEVICE_TEST(test_processes_share_the_memory_of_a_device),
        DEVICE_TEST(test_devices_unlike_the_first_one_are_left_out),
        DEVICE_TEST(test_a_chain_whose_eigenvalues_fail_is_the_next_backends),
        DEVICE_TEST(test_a_chain_whose_eigenvalues_fail_is_marked),
        DEVICE_TEST(test_wrong_solutions_do_not_pass_the_check),
        DEVICE_TEST(test_sums_that_do_not_hold_are_taken_again),
        DEVICE_TEST(test_every_failing_call_is_reported),
        DEVICE_TEST(test_a_lost_device_is_a_device_error),
        DEVICE_TEST(test_every_failing_call_of_drawn_collisions_is_reported),
        DEVICE_TEST(test_a_device_without_code_for_it_is_not_used),
        DEVICE_TEST(test_without_a_device_auto_takes_the_cpu),
    };
    return cmocka_run_group_tests_name("cuda failures", tests, nullptr, nullptr);
}
