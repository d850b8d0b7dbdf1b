/* task.h - one process among the tasks that share a search: from the command line or the launcher's environment. */
#ifndef MM_STORE_TASK_H
#define MM_STORE_TASK_H

#include "micromaser.h"

enum { MM_TASKS_MAX = 1000000, MM_TASK_ROUND_SIZE = 64 };

/** A process and the tasks it belongs to. */
struct mm_task {
    int64_t index; /* 0 .. count - 1 */
    int64_t count; /* 1: the process is alone */
    /** Names the round of tasks that share the missing chains: those of one Slurm job, one mpirun. A requeued task
     *  is of the same round as before. Letters, digits, '-' and '_'; "" for a process that is alone. */
    char round[MM_TASK_ROUND_SIZE];
    int64_t launch_count; /* tasks that one launcher started together, this one among them; 1 without a launcher */
    int host_index;       /* among the tasks on this host, where the launcher tells; else 0 */
    int host_count;       /* 1 where it does not */
};

/** Whether another task was started together with this one, by the same srun or mpirun. */
bool mm_task_same_launch(const struct mm_task *task, const struct mm_task *other);

/** Reads "I/T" as given to --task; round is then "T<T>", or "" if T is 1. MM_ERROR_INPUT says what is allowed. */
mm_status mm_task_parse(const char *text, struct mm_task *task, struct mm_error *error);

/** Finds the task in the environment: a Slurm array (task id and count) times the tasks of srun, else the rank and
 *  size of OpenMPI, MPICH or PMI. Without any of these a process is alone.
 *  @param get  looks a variable up, as getenv does
 *  MM_ERROR_INPUT for variables that contradict each other or are no numbers. */
mm_status mm_task_from_environment(char *(*get)(const char *name), struct mm_task *task, struct mm_error *error);

#endif
