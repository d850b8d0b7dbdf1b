/* status.h - what there is to tell about a run, between the file that finds it out and the one that prints it.
 */
#ifndef MM_CLI_STATUS_H
#define MM_CLI_STATUS_H

#include "store/store.h"

/** The best chain of one lambda. */
struct cli_lambda_best {
    int64_t chain;    /* its number, -1 if none is finished */
    int64_t finished; /* chains of this lambda */
};

/** A run as it stands. Everything is borrowed from the store but `best` and `command`. */
struct cli_run_status {
    const char *path;
    const struct mm_config *config;
    const double *losses; /* [chains] */
    char backend[16];
    char device[128];

    int64_t total;         /* chains of the grid */
    int64_t finished;      /* of those needed */
    int64_t missing;       /* needed and not finished */
    int64_t grid_points;   /* of the grid */
    int64_t incomplete;    /* that lack chains */
    struct mm_task task;   /* whose share is asked for; count 1: the whole grid */
    bool share_known;      /* its round has begun */
    int64_t share_missing; /* chains of the share that are missing; without a share those of the grid */

    double seconds;           /* computing time so far, summed over the tasks */
    double chains_per_second; /* of the tasks at work; 0 if it cannot be told */
    int64_t alive;            /* tasks at work */
    int64_t dead;             /* that ended without folding their journal */
    size_t journal_count;
    const struct mm_journal_file *journals;
    size_t damage_count;
    const struct mm_store_damage *damage;

    struct cli_lambda_best *best; /* [lambda_count] */
    char *command;                /* which fills the gaps; NULL if nothing tells it */
};

/** Prints it for people. */
void cli_print_status(const struct cli_run_status *status);

/** Prints it as one JSON object. */
void cli_print_status_json(const struct cli_run_status *status);

#endif
