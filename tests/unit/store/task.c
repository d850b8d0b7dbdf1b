/* task.c - tasks from the command line and from the environments that launchers make.
 *
 * The environments are those of Slurm 22.05, OpenMPI 4.1 and MPICH 4, as seen by the processes that they started.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/task.h"

/* Runs with this environment alone; entries "NAME=value" until NULL. */
static mm_status with_environment(const char *const *entries, struct mm_task *task, struct mm_error *error)
{
    assert_int_equal(clearenv(), 0);
    for (; *entries != NULL; entries++) {
        char entry[256];
        snprintf(entry, sizeof entry, "%s", *entries);
        char *value = strchr(entry, '=');
        *value++ = '\0';
        assert_int_equal(setenv(entry, value, 1), 0);
    }
    return mm_task_from_environment(getenv, task, error);
}

#define WITH(...) ((const char *const[]){__VA_ARGS__, NULL})

static void expect(const char *const *entries, int64_t index, int64_t count, const char *round, int host_index,
                   int host_count)
{
    struct mm_error error = {0};
    struct mm_task task;
    mm_status status = with_environment(entries, &task, &error);
    if (status != MM_OK)
        fail_msg("%s", error.message);
    assert_int_equal(task.index, index);
    assert_int_equal(task.count, count);
    assert_string_equal(task.round, round);
    assert_int_equal(task.host_index, host_index);
    assert_int_equal(task.host_count, host_count);
}

static void refuse(const char *const *entries, const char *mention)
{
    struct mm_error error = {0};
    struct mm_task task;
    assert_int_equal(with_environment(entries, &task, &error), MM_ERROR_INPUT);
    if (strstr(error.message, mention) == NULL)
        fail_msg("'%s' does not mention '%s'", error.message, mention);
    assert_null(strchr(error.message, '\n'));
}

static void test_command_line(void **state)
{
    (void)state;
    struct mm_task task;
    assert_int_equal(mm_task_parse("3/8", &task, NULL), MM_OK);
    assert_int_equal(task.index, 3);
    assert_int_equal(task.count, 8);
    assert_string_equal(task.round, "T8");
    assert_int_equal(task.host_index, 0);
    assert_int_equal(task.host_count, 1);
    assert_int_equal(mm_task_parse("999999/1000000", &task, NULL), MM_OK);
    assert_int_equal(mm_task_parse("0/1", &task, NULL), MM_OK);
    assert_int_equal(task.count, 1);
    assert_string_equal(task.round, "");
    const char *const wrong[] = {
        "",     "/",    "3",    "8/8",  "9/8",   "-1/8",  "1/0",       "a/b",
        "1/8x", "1//8", "1 /8", "1/-8", "0x1/8", "1/8/9", "0/1000001", "0/18446744073709551617"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct mm_error error = {0};
        assert_int_equal(mm_task_parse(wrong[i], &task, &error), MM_ERROR_INPUT);
        assert_non_null(strstr(error.message, "must be I/T"));
        assert_non_null(strstr(error.message, wrong[i]));
    }
}

static void test_alone(void **state)
{
    (void)state;
    expect(WITH("PATH=/bin"), 0, 1, "", 0, 1);
    /* A job that is no array, its batch script and one process of srun. */
    expect(WITH("SLURM_JOB_ID=7", "SLURM_PROCID=0", "SLURM_NTASKS=1"), 0, 1, "", 0, 1);
    expect(WITH("SLURM_JOB_ID=7", "SLURM_PROCID=0", "SLURM_STEP_ID=0", "SLURM_STEP_NUM_TASKS=1", "SLURM_LOCALID=0",
                "SLURM_NODEID=0", "SLURM_STEP_TASKS_PER_NODE=1"),
           0, 1, "", 0, 1);
    /* An array of one. */
    expect(WITH("SLURM_JOB_ID=7", "SLURM_ARRAY_JOB_ID=7", "SLURM_ARRAY_TASK_ID=5", "SLURM_ARRAY_TASK_COUNT=1",
                "SLURM_ARRAY_TASK_MIN=5", "SLURM_ARRAY_TASK_MAX=5", "SLURM_ARRAY_TASK_STEP=1"),
           0, 1, "", 0, 1);
}

#define ARRAY_1_TO_7_BY_3(id)                                                                                      \
    "SLURM_ARRAY_JOB_ID=1", "SLURM_JOB_ID=3", "SLURM_ARRAY_TASK_COUNT=3", "SLURM_ARRAY_TASK_ID=" id,               \
        "SLURM_ARRAY_TASK_MAX=7", "SLURM_ARRAY_TASK_MIN=1", "SLURM_ARRAY_TASK_STEP=3"

/* A batch script without srun runs one process, whatever --ntasks was. */
static void test_array_in_a_batch_script(void **state)
{
    (void)state;
    const char *const ids[] = {"1", "4", "7"};
    for (int i = 0; i < 3; i++) {
        char id[32];
        snprintf(id, sizeof id, "SLURM_ARRAY_TASK_ID=%s", ids[i]);
        expect(WITH(ARRAY_1_TO_7_BY_3("0"), id, "SLURM_NTASKS=2", "SLURM_NPROCS=2", "SLURM_PROCID=0",
                    "SLURM_LOCALID=0", "SLURM_NODEID=0", "SLURM_TASKS_PER_NODE=2"),
               i, 3, "slurm-1-T3", 0, 1);
    }
    expect(WITH("SLURM_ARRAY_JOB_ID=90", "SLURM_JOB_ID=91", "SLURM_ARRAY_TASK_COUNT=31", "SLURM_ARRAY_TASK_ID=30",
                "SLURM_ARRAY_TASK_MAX=30", "SLURM_ARRAY_TASK_MIN=0", "SLURM_ARRAY_TASK_STEP=1"),
           30, 31, "slurm-90-T31", 0, 1);
    /* The last number of 1-8:3 as it was written. */
    expect(WITH("SLURM_ARRAY_JOB_ID=90", "SLURM_JOB_ID=91", "SLURM_ARRAY_TASK_COUNT=3", "SLURM_ARRAY_TASK_ID=7",
                "SLURM_ARRAY_TASK_MAX=8", "SLURM_ARRAY_TASK_MIN=1", "SLURM_ARRAY_TASK_STEP=3"),
           2, 3, "slurm-90-T3", 0, 1);
}

#define SRUN_STEP(rank, local, node, layout)                                                                       \
    "SLURM_PROCID=" rank, "SLURM_NTASKS=5", "SLURM_STEP_ID=0", "SLURM_STEP_NUM_TASKS=5", "SLURM_LOCALID=" local,   \
        "SLURM_NODEID=" node, "SLURM_STEP_TASKS_PER_NODE=" layout

static void test_srun(void **state)
{
    (void)state;
    expect(WITH("SLURM_JOB_ID=12", SRUN_STEP("0", "0", "0", "2(x2),1")), 0, 5, "slurm-12-T5", 0, 2);
    expect(WITH("SLURM_JOB_ID=12", SRUN_STEP("3", "1", "1", "2(x2),1")), 3, 5, "slurm-12-T5", 1, 2);
    expect(WITH("SLURM_JOB_ID=12", SRUN_STEP("4", "0", "2", "2(x2),1")), 4, 5, "slurm-12-T5", 0, 1);
    expect(WITH("SLURM_JOB_ID=12", SRUN_STEP("4", "4", "0", "5")), 4, 5, "slurm-12-T5", 4, 5);
    /* A layout that says nothing leaves what the local number says. */
    expect(WITH("SLURM_JOB_ID=12", SRUN_STEP("4", "2", "7", "5(")), 4, 5, "slurm-12-T5", 2, 3);
}

static void test_srun_in_an_array(void **state)
{
    (void)state;
    expect(WITH(ARRAY_1_TO_7_BY_3("4"), SRUN_STEP("3", "3", "0", "5")), 8, 15, "slurm-1-T15", 3, 5);
    /* srun --mpi=pmi2 tells the same twice. */
    expect(WITH(ARRAY_1_TO_7_BY_3("4"), SRUN_STEP("3", "3", "0", "5"), "PMI_RANK=3", "PMI_SIZE=5", "PMI_JOBID=3.1"),
           8, 15, "slurm-1-T15", 3, 5);
}

#define OPENMPI(rank, size, local_rank, local_size)                                                                \
    "OMPI_COMM_WORLD_RANK=" rank, "OMPI_COMM_WORLD_SIZE=" size, "OMPI_COMM_WORLD_LOCAL_RANK=" local_rank,          \
        "OMPI_COMM_WORLD_LOCAL_SIZE=" local_size, "PMIX_RANK=" rank, "PMIX_NAMESPACE=343146497"

static void test_mpirun(void **state)
{
    (void)state;
    expect(WITH(OPENMPI("2", "4", "0", "2")), 2, 4, "mpi-343146497-T4", 0, 2);
    expect(WITH(OPENMPI("0", "1", "0", "1")), 0, 1, "", 0, 1);
    expect(WITH("PMI_RANK=1", "PMI_SIZE=4", "MPI_LOCALRANKID=1", "MPI_LOCALNRANKS=2"), 1, 4, "mpi-T4", 1, 2);
    expect(WITH("PMI_RANK=1", "PMI_SIZE=4", "PMI_JOBID=kvs 1/2@host"), 1, 4, "mpi-kvs_1_2_host-T4", 0, 1);
    /* Names of any length fit. */
    expect(WITH("PMI_RANK=1", "PMI_SIZE=1000000", "PMI_JOBID=0123456789012345678901234567890123456789"), 1, 1000000,
           "mpi-01234567890123456789012345678901-T1000000", 0, 1);
}

/* Tasks of the same srun are of one launch, those of other jobs of the array are not. */
static void test_tasks_of_one_launch(void **state)
{
    (void)state;
    struct mm_task task, alone;
    assert_int_equal(with_environment(WITH(ARRAY_1_TO_7_BY_3("4"), SRUN_STEP("3", "3", "0", "5")), &task, NULL),
                     MM_OK);
    assert_int_equal(task.launch_count, 5);
    for (int64_t i = 0; i < 15; i++) {
        const struct mm_task other = {.index = i, .count = 15};
        assert_int_equal(mm_task_same_launch(&task, &other), i >= 5 && i < 10 && i != 8);
    }
    assert_false(mm_task_same_launch(&task, &(struct mm_task){.index = 6, .count = 14}));
    assert_int_equal(with_environment(WITH(ARRAY_1_TO_7_BY_3("4")), &alone, NULL), MM_OK);
    assert_int_equal(alone.launch_count, 1);
    assert_false(mm_task_same_launch(&alone, &(struct mm_task){.index = 0, .count = 3}));
    assert_int_equal(mm_task_parse("1/3", &alone, NULL), MM_OK);
    assert_int_equal(alone.launch_count, 1);
}

/* mpirun starts its helpers with srun, whose variables its processes then have too. */
static void test_mpirun_in_an_array(void **state)
{
    (void)state;
    expect(WITH(ARRAY_1_TO_7_BY_3("7"), OPENMPI("1", "2", "1", "2"), "SLURM_PROCID=0", "SLURM_NTASKS=2"), 5, 6,
           "slurm-1-T6", 1, 2);
    expect(WITH(ARRAY_1_TO_7_BY_3("7"), OPENMPI("1", "2", "0", "1"), "SLURM_PROCID=0", "SLURM_STEP_ID=0",
                "SLURM_STEP_NUM_TASKS=1", "SLURM_LOCALID=0"),
           5, 6, "slurm-1-T6", 0, 1);
}

static void test_contradictions(void **state)
{
    (void)state;
    refuse(WITH("OMPI_COMM_WORLD_RANK=4", "OMPI_COMM_WORLD_SIZE=4"), "OMPI_COMM_WORLD_RANK is '4'");
    refuse(WITH("OMPI_COMM_WORLD_RANK=1"), "OMPI_COMM_WORLD_SIZE is not set");
    refuse(WITH("OMPI_COMM_WORLD_SIZE=4"), "OMPI_COMM_WORLD_RANK is not set");
    refuse(WITH(OPENMPI("1", "2", "2", "2")), "OMPI_COMM_WORLD_LOCAL_RANK is '2'");
    refuse(WITH("PMI_RANK=one", "PMI_SIZE=4"), "PMI_RANK is 'one'");
    refuse(WITH("PMI_RANK=0", "PMI_SIZE=0"), "PMI_SIZE is '0'");
    refuse(WITH("PMI_RANK=-1", "PMI_SIZE=2"), "PMI_RANK is '-1'");
    refuse(WITH("PMI_RANK=0", "PMI_SIZE=2", "MPI_LOCALRANKID=0"), "MPI_LOCALNRANKS is not set");
    refuse(WITH("SLURM_STEP_NUM_TASKS=4"), "SLURM_PROCID is not set");
    refuse(WITH("SLURM_STEP_NUM_TASKS=4", "SLURM_PROCID=5"), "SLURM_PROCID is '5'");
    refuse(WITH("SLURM_ARRAY_TASK_ID=4"), "SLURM_ARRAY_TASK_COUNT is not set");
    refuse(WITH(ARRAY_1_TO_7_BY_3("8")), "SLURM_ARRAY_TASK_ID is '8'");
    refuse(WITH(ARRAY_1_TO_7_BY_3("5")), "the array has gaps");
    refuse(WITH("SLURM_ARRAY_TASK_ID=3", "SLURM_ARRAY_TASK_COUNT=3", "SLURM_ARRAY_TASK_MIN=0",
                "SLURM_ARRAY_TASK_MAX=7", "SLURM_ARRAY_TASK_STEP=1"),
           "the array has gaps");
    refuse(WITH("SLURM_ARRAY_TASK_ID=0", "SLURM_ARRAY_TASK_COUNT=1000", "SLURM_ARRAY_TASK_MIN=0",
                "SLURM_ARRAY_TASK_MAX=999", "SLURM_ARRAY_TASK_STEP=1", "SLURM_STEP_NUM_TASKS=1001",
                "SLURM_PROCID=0"),
           "more than 1000000 tasks");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command_line),
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_array_in_a_batch_script),
        cmocka_unit_test(test_srun),
        cmocka_unit_test(test_srun_in_an_array),
        cmocka_unit_test(test_tasks_of_one_launch),
        cmocka_unit_test(test_mpirun),
        cmocka_unit_test(test_mpirun_in_an_array),
        cmocka_unit_test(test_contradictions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
