/* work_queue.cpp - chains that do not wait for each other on the cuda backend: what mm_solver_evaluate gives,
 * on one device and on several, with failures told. Needs the emulated device. */
#include "cuda/backend_tasks.h"

#include "emulation/emulation.h"

namespace
{

constexpr int VISITS = 4;

/* Chains of VISITS points each: the next point of a chain is that of the last loss. */
struct chains {
    task given; /* a point a chain, the present one */
    outcome present;
    std::vector<std::vector<double>> losses, slopes; /* [chain][visit] */
    std::vector<bool> named;
    size_t settled = 0;
    int failures = 0; /* that were told with an evaluation */
};

void open_chains(chains *opened, size_t count)
{
    std::mt19937_64 random(41);
    set_problem(&opened->given, 14, {9, 80}, 6);
    add_random_points(&opened->given, count, &random);
    opened->present = {std::vector<mm_evaluation>(count), std::vector<mm_channel_gradient>(2 * count)};
    opened->losses.resize(count);
    opened->slopes.resize(count);
    opened->named.assign(count, false);
}

mm_status next(void *context, size_t *slot, mm_error *)
{
    chains *those = static_cast<chains *>(context);
    for (*slot = 0; *slot < those->named.size(); ++*slot)
        if (!those->named[*slot] && those->losses[*slot].size() < VISITS)
            break;
    if (*slot == those->named.size()) {
        *slot = MM_NO_SLOT;
        return MM_OK;
    }
    those->named[*slot] = true;
    return MM_OK;
}

/* Notes an evaluation, and goes on to a point that depends on it. */
void use(void *context, size_t slot)
{
    chains *those = static_cast<chains *>(context);
    const double loss = those->present.evaluations[slot].loss;
    those->losses[slot].push_back(loss);
    those->slopes[slot].push_back(those->present.gradients[2 * slot + 1].by_x);
    for (double &parameter : those->given.parameters[slot])
        parameter = 0.05 + 0.9 * std::fabs(std::sin(3.0 * parameter + loss));
}

mm_status finish(void *context, size_t slot, mm_error *)
{
    chains *those = static_cast<chains *>(context);
    those->named[slot] = false;
    those->settled++;
    those->failures += those->present.evaluations[slot].eigen_failures;
    return MM_OK;
}

mm_work_queue work_of(chains *those)
{
    return {those,
            those->given.points.size(),
            2,
            those->given.points.data(),
            those->present.evaluations.data(),
            those->present.gradients.data(),
            next,
            use,
            finish};
}

/* All chains, one evaluation after the other. */
void run_one_by_one(chains *those)
{
    void *state = open_backend(&those->given.problem);
    for (size_t slot = 0; slot < those->given.points.size(); slot++)
        for (int visit = 0; visit < VISITS; visit++) {
            assert_int_equal(mm_backend_cuda.evaluate(state, 1, &those->given.points[slot],
                                                      &those->present.evaluations[slot],
                                                      &those->present.gradients[2 * slot], nullptr),
                             MM_OK);
            use(those, slot);
        }
    mm_backend_cuda.close(state);
}

void test_chains_come_to_the_same_in_a_flow(void **)
{
    const size_t count = 9;
    chains expected;
    open_chains(&expected, count);
    run_one_by_one(&expected);
    for (int devices : {1, 3}) {
        emulation_set_device_count(devices);
        chains found;
        open_chains(&found, count);
        const mm_work_queue work = work_of(&found);
        void *state = open_backend(&found.given.problem);
        mm_error error = {};
        assert_int_equal(mm_backend_cuda.evaluate_work(state, &work, &error), MM_OK);
        mm_backend_cuda.close(state);
        assert_int_equal(found.settled, count * VISITS);
        for (size_t i = 0; i < count; i++) {
            assert_true(found.losses[i] == expected.losses[i]);
            assert_true(found.slopes[i] == expected.slopes[i]);
        }
    }
    emulation_reset();
}

/* A work queue of the solver, in which a point fails at its eigenvalues. */
void test_points_that_failed_are_replaced_in_a_flow(void **)
{
    const size_t count = 5;
    for (int devices : {1, 2}) {
        emulation_set_device_count(devices);
        chains found, expected;
        open_chains(&found, count);
        const mm_work_queue work = work_of(&found);
        mm_solver *solver = open_solver(&found.given.problem, "cuda");
        mm_error error = {};
        emulation_fail_eigensolve(0);
        assert_int_equal(mm_solver_evaluate_work(solver, &work, &error), MM_OK);
        mm_solver_close(solver);
        assert_int_equal(found.settled, count * VISITS);
        assert_int_equal(found.failures, 1);
        open_chains(&expected, count);
        run_one_by_one(&expected);
        for (size_t i = 0; i < count; i++)
            for (int visit = 0; visit < VISITS; visit++)
                assert_near("loss", found.losses[i][visit], expected.losses[i][visit], 1e-9);
        emulation_reset();
    }
}

/* The device is lost on the way: the queue ends, and names it. */
void test_a_lost_device_ends_a_flow(void **)
{
    for (long call : {1L, 40L, 200L}) {
        chains those;
        open_chains(&those, 5);
        const mm_work_queue work = work_of(&those);
        void *state = open_backend(&those.given.problem);
        mm_error error = {};
        emulation_fail_after(call, cudaErrorLaunchFailure);
        assert_int_equal(mm_backend_cuda.evaluate_work(state, &work, &error), MM_ERROR_DEVICE);
        assert_non_null(strstr(error.message, "CUDA device 0: "));
        assert_true(those.settled < 5 * VISITS);
        mm_backend_cuda.close(state);
        emulation_reset();
    }
}

int nothing_is_left(void **)
{
    return emulation_live_allocations() == 0 ? 0 : -1;
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        cmocka_unit_test(test_chains_come_to_the_same_in_a_flow),
        cmocka_unit_test(test_points_that_failed_are_replaced_in_a_flow),
        cmocka_unit_test(test_a_lost_device_ends_a_flow),
    };
    return cmocka_run_group_tests_name("cuda work queue", tests, nullptr, nothing_is_left);
}
