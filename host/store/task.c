/* task.c - one process among the tasks that share a search: from the command line or the launcher's environment.
 *
 * Two levels multiply. Outside, an array of Slurm jobs: job a of A. Inside each job, a launcher that starts P
 * processes: process p. The task is then a P + p of A P. Launchers that start processes through srun leave Slurm's
 * variables behind that count their own helpers, so an MPI launcher's rank goes before srun's. In a batch script
 * that nobody started with srun, SLURM_NTASKS tells what was asked for, not what runs: only a step's variables
 * count.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/numbers.h"
#include "store/task.h"
#include "base/text.h"

/* Where a launcher tells of itself. */
struct launcher {
    const char *rank;
    const char *size;
    const char *local_rank;
    const char *local_size;
};

static const struct launcher mpi_launchers[] = {
    {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"},
    {"PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"}, /* MPICH, Intel MPI, srun --mpi=pmi2 */
};

static const char srun_size[] = "SLURM_STEP_NUM_TASKS"; /* only srun sets it */

struct environment {
    char *(*get)(const char *name);
    struct mm_error *error;
};

/* -------------------------------------------------------------------------------------------- variables */

/* The value of a variable; NULL where it is not set or empty. */
static const char *value_of(const struct environment *environment, const char *name)
{
    const char *text = environment->get(name);
    return text == NULL || text[0] == '\0' ? NULL : text;
}

static mm_status read_number(const struct environment *environment, const char *name, int64_t minimum,
                             int64_t maximum, int64_t *value)
{
    const char *text = value_of(environment, name);
    uint64_t number = 0;
    if (text == NULL)
        return mm_fail(environment->error, MM_ERROR_INPUT,
                       "the environment does not tell which task this is: %s is not set; give --task I/T", name);
    if (!mm_integer_parse(text, strlen(text), &number) || number < (uint64_t)minimum || number > (uint64_t)maximum)
        return mm_fail(
            environment->error, MM_ERROR_INPUT,
            "the environment does not tell which task this is: %s is '%.*s', must be a whole number from "
            "%lld to %lld; give --task I/T",
            name, mm_text_excerpt(text, strlen(text)), text, (long long)minimum, (long long)maximum);
    *value = (int64_t)number;
    return MM_OK;
}

/* Reads "rank of size". */
static mm_status read_pair(const struct environment *environment, const char *rank_name, const char *size_name,
                           int64_t *rank, int64_t *size)
{
    mm_status status = read_number(environment, size_name, 1, MM_TASKS_MAX, size);
    return status == MM_OK ? read_number(environment, rank_name, 0, *size - 1, rank) : status;
}

/* ------------------------------------------------------------------------------------------------ array */

/* Place of this job in an array such as 1-31:3. Slurm does not tell the numbers of an array with gaps, such as
 * 1,5,6, and so not the place in it. */
static mm_status read_array(const struct environment *environment, int64_t *index, int64_t *count)
{
    int64_t id = 0, first = 0, last = 0, step = 1;
    if (value_of(environment, "SLURM_ARRAY_TASK_ID") == NULL)
        return MM_OK;
    mm_status status = read_number(environment, "SLURM_ARRAY_TASK_COUNT", 1, MM_TASKS_MAX, count);
    if (status == MM_OK)
        status = read_number(environment, "SLURM_ARRAY_TASK_MIN", 0, INT32_MAX, &first);
    if (status == MM_OK)
        status = read_number(environment, "SLURM_ARRAY_TASK_MAX", first, INT32_MAX, &last);
    if (status == MM_OK)
        status = read_number(environment, "SLURM_ARRAY_TASK_ID", first, last, &id);
    if (status == MM_OK && value_of(environment, "SLURM_ARRAY_TASK_STEP") != NULL)
        status = read_number(environment, "SLURM_ARRAY_TASK_STEP", 1, INT32_MAX, &step);
    if (status == MM_OK && *count == 1)
        return MM_OK;
    if (status == MM_OK && ((last - first) / step + 1 != *count || (id - first) % step != 0))
        status =
            mm_fail(environment->error, MM_ERROR_INPUT,
                    "task %lld of an array of %lld from %lld to %lld with step %lld: the array has gaps, so the "
                    "share of this task is not known; submit the whole array again, or give --task I/T",
                    (long long)id, (long long)*count, (long long)first, (long long)last, (long long)step);
    *index = (id - first) / step;
    return status;
}

/* --------------------------------------------------------------------------------------------- launcher */

/* Number of tasks on a node from a list such as "2(x3),1": node number `node` of the step; 0 if it does not tell.
 */
static int64_t tasks_on_node(const char *list, int64_t node)
{
    while (*list != '\0') {
        char *end = NULL;
        long tasks = strtol(list, &end, 10);
        long nodes = strncmp(end, "(x", 2) == 0 ? strtol(end + 2, &end, 10) : 1;
        end += *end == ')';
        if (end == list || tasks < 1 || tasks > MM_TASKS_MAX || nodes < 1 || (*end != ',' && *end != '\0'))
            return 0;
        if (node < nodes)
            return tasks;
        node -= nodes;
        list = end + (*end == ',');
    }
    return 0;
}

/* Place among the tasks of srun on this node. */
static mm_status read_srun_host(const struct environment *environment, struct mm_task *task)
{
    int64_t local = 0, node = 0;
    const char *tasks = value_of(environment, "SLURM_STEP_TASKS_PER_NODE");
    if (value_of(environment, "SLURM_LOCALID") == NULL)
        return MM_OK;
    mm_status status = read_number(environment, "SLURM_LOCALID", 0, MM_TASKS_MAX - 1, &local);
    if (status == MM_OK && value_of(environment, "SLURM_NODEID") != NULL)
        status = read_number(environment, "SLURM_NODEID", 0, MM_TASKS_MAX, &node);
    if (status != MM_OK)
        return status;
    int64_t count = tasks == NULL ? 0 : tasks_on_node(tasks, node);
    task->host_index = (int)local;
    task->host_count = (int)(count > local ? count : local + 1);
    return MM_OK;
}

/* Reads what an MPI launcher tells. */
static mm_status read_mpi(const struct environment *environment, const struct launcher *launcher, int64_t *rank,
                          int64_t *size, struct mm_task *task)
{
    int64_t local_rank = 0, local_size = 1;
    mm_status status = read_pair(environment, launcher->rank, launcher->size, rank, size);
    bool local =
        value_of(environment, launcher->local_rank) != NULL || value_of(environment, launcher->local_size) != NULL;
    if (status == MM_OK && !local && value_of(environment, srun_size) != NULL)
        return read_srun_host(environment, task);
    if (status == MM_OK && local)
        status = read_pair(environment, launcher->local_rank, launcher->local_size, &local_rank, &local_size);
    task->host_index = (int)local_rank;
    task->host_count = (int)local_size;
    return status;
}

/* Place among the processes that a launcher started; 0 of 1 without one. */
static mm_status read_launcher(const struct environment *environment, int64_t *rank, int64_t *size,
                               struct mm_task *task)
{
    for (size_t i = 0; i < sizeof mpi_launchers / sizeof mpi_launchers[0]; i++) {
        const struct launcher *launcher = &mpi_launchers[i];
        if (value_of(environment, launcher->rank) != NULL || value_of(environment, launcher->size) != NULL)
            return read_mpi(environment, launcher, rank, size, task);
    }
    if (value_of(environment, srun_size) == NULL)
        return MM_OK;
    mm_status status = read_pair(environment, "SLURM_PROCID", srun_size, rank, size);
    return status == MM_OK ? read_srun_host(environment, task) : status;
}

/* ------------------------------------------------------------------------------------------------ round */

/* Names the round: by what all of its tasks, also those that are started again, have in common and others have not.
 * The number of tasks belongs to it, because a job may call its launcher twice. */
static void name_round(const struct environment *environment, struct mm_task *task)
{
    static const char *const names[][2] = {{"SLURM_ARRAY_JOB_ID", "slurm"},
                                           {"SLURM_JOB_ID", "slurm"},
                                           {"PMIX_NAMESPACE", "mpi"},
                                           {"PMI_JOBID", "mpi"}};
    const char *prefix = "mpi";
    const char *name = "";
    for (size_t i = 0; i < sizeof names / sizeof names[0] && name[0] == '\0'; i++) {
        const char *value = value_of(environment, names[i][0]);
        name = value == NULL ? "" : value;
        prefix = names[i][1];
    }
    snprintf(task->round, sizeof task->round, "%s-%.32s%sT%lld", prefix, name, name[0] == '\0' ? "" : "-",
             (long long)task->count);
    for (char *c = task->round; *c != '\0'; c++)
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", *c) == NULL)
            *c = '_';
}

mm_status mm_task_from_environment(char *(*get)(const char *name), struct mm_task *task, struct mm_error *error)
{
    const struct environment environment = {get, error};
    int64_t index = 0, count = 1, rank = 0, size = 1;
    *task = (struct mm_task){.count = 1, .launch_count = 1, .host_count = 1};
    mm_status status = read_array(&environment, &index, &count);
    if (status == MM_OK)
        status = read_launcher(&environment, &rank, &size, task);
    if (status == MM_OK && size > MM_TASKS_MAX / count)
        status = mm_fail(error, MM_ERROR_INPUT, "%lld array tasks of %lld processes: more than %d tasks",
                         (long long)count, (long long)size, MM_TASKS_MAX);
    if (status != MM_OK)
        return status;
    task->index = index * size + rank;
    task->count = count * size;
    task->launch_count = size;
    if (task->count > 1)
        name_round(&environment, task);
    return MM_OK;
}

mm_status mm_task_parse(const char *text, struct mm_task *task, struct mm_error *error)
{
    uint64_t index = 0, count = 0;
    size_t slash = strcspn(text, "/");
    *task = (struct mm_task){.count = 1, .launch_count = 1, .host_count = 1};
    if (text[slash] != '/' || !mm_integer_parse(text, slash, &index) ||
        !mm_integer_parse(text + slash + 1, strlen(text + slash + 1), &count) || count < 1 ||
        count > MM_TASKS_MAX || index >= count)
        return mm_fail(error, MM_ERROR_INPUT,
                       "--task '%.*s': must be I/T, task I from 0 to T - 1 of T tasks, T from 1 to %d",
                       mm_text_excerpt(text, strlen(text)), text, MM_TASKS_MAX);
    task->index = (int64_t)index;
    task->count = (int64_t)count;
    if (count > 1)
        snprintf(task->round, sizeof task->round, "T%lld", (long long)count);
    return MM_OK;
}

bool mm_task_same_launch(const struct mm_task *task, const struct mm_task *other)
{
    return other->index != task->index && other->count == task->count &&
           other->index / task->launch_count == task->index / task->launch_count;
}
