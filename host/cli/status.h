/* status.h - what there is to tell about a run, between the file that finds it out and the one that prints it.
 */
#ifndef MM_CLI_STATUS_H
#define MM_CLI_STATUS_H

#include "chain/progress.h"
#include "store/store.h"

/** A run as it stands. Everything is borrowed from the store but `best` and `command`. */
struct cli_run_status {
    const char *path;
    const struct mm_config *config;
    const double *losses; /* [chains] */
    char backend[16];
    char device[128];

    struct mm_grid_progress progress; /* of the grid, and of the share if it is known */
    struct mm_task task;              /* whose share is asked for; count 1: the whole grid */
    bool share_known;                 /* its round has begun */

    double seconds;           /* computing time so far, summed over the tasks */
    double chains_per_second; /* of the tasks at work; 0 if it cannot be told */
    int64_t alive;            /* tasks at work */
    int64_t dead;             /* that ended without folding their journal */
    size_t journal_count;
    const struct mm_journal_file *journals;
    size_t damage_count;
    const struct mm_store_damage *damage;

    struct mm_lambda_best *best; /* [lambda_count] */
    char *command;               /* which fills the gaps; NULL if nothing tells it */
};

/** Prints it for people. */
void cli_print_status(const struct cli_run_status *status);

/** Prints it as one JSON object. */
void cli_print_status_json(const struct cli_run_status *status);

#endif
