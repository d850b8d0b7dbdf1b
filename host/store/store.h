/* store.h - the finished chains of a run: in its result file, in the journals of its tasks, and in memory
 * until they are committed. */
#ifndef MM_STORE_STORE_H
#define MM_STORE_STORE_H

#include "chain/source.h"
#include "store/journal.h"

struct mm_store;

struct mm_store_options {
    struct mm_task task;
    const char *backend; /* of the solver: one backend a run */
    const char *device;
    const struct mm_run_info
        *info;    /* borrowed for the life of the store; end_time may be NULL: it is then the time of each fold */
    bool replace; /* forget what is there; not while another process works on it */
    double patience;                                 /* seconds for which a failing disk is tried again */
    double fold_every;                               /* seconds between folds */
    const volatile int *stop;                        /* not zero: stop waiting for the disk (may be NULL) */
    void (*report)(void *context, const char *line); /* what a person should know; may be NULL */
    void *report_context;
};

/** Name of the backend that the run at `path` was computed with so far, "" if nothing is there yet. */
mm_status mm_store_backend(const char *path, const struct mm_config *config, char backend[16],
                           struct mm_error *error);

/** Opens the run whose result is `path` (there or not) to go on with it: refuses a file, a program or a
 *  configuration that is not this run's (MM_ERROR_INPUT), and a process that works on the same task or on another
 * number of tasks (MM_ERROR_OUTPUT, naming its host, pid and start time); folds the journals of dead processes,
 * reporting torn tails and damaged records (these chains are then missing); creates this process's journal. */
mm_status mm_store_open(struct mm_store **store, const char *path, const struct mm_config *config,
                        const struct mm_store_options *options, struct mm_error *error);

/** Opens what is there to look at it: nothing is created, locked or changed. The configuration is the run's own. */
mm_status mm_store_view(struct mm_store **store, const char *path, struct mm_error *error);

const struct mm_config *mm_store_config(const struct mm_store *store);

/** Loss of a finished chain (this process's own included, committed or not); NAN if it is not finished. INFINITY
 * for a chain that found no finite loss. */
double mm_store_loss(const struct mm_store *store, int64_t index);

/** All of them, [chain_count], as mm_store_loss. */
const double *mm_store_losses(const struct mm_store *store);

/** Reads a finished chain; parameters [2][batch_count][2] is the storage behind its initial and final. */
mm_status mm_store_read(struct mm_store *store, int64_t index, double *parameters, struct mm_chain *chain,
                        struct mm_error *error);

/** The chains that belong in the result file (chain/agreement.h decides where the search has `agree`); borrows the
 * store.
 */
struct mm_chain_source mm_store_source(struct mm_store *store);

/** Takes the end of a chain; it is kept in memory until it is committed. */
mm_status mm_store_append(struct mm_store *store, int64_t index, const struct mm_chain *chain,
                          struct mm_error *error);

/** To be called after every round: commits once a second at most, folds when it is due. A disk that fails is told
 * once and tried again at later calls; MM_ERROR_STORAGE (exit code 75) when `patience` is over. */
mm_status mm_store_maintain(struct mm_store *store, struct mm_error *error);

/** Learns what other tasks have committed since, and finished. A disk that fails is told; nothing is learned then.
 */
mm_status mm_store_refresh(struct mm_store *store, struct mm_error *error);

/** Looks whether all of the result file besides its chains can be read and is what follows from them. A file that
 * lacks chains, or holds damaged ones, passes.
 *  @param sound  out
 *  @param fault  out: why not */
mm_status mm_store_check_file(struct mm_store *store, bool *sound, struct mm_error *fault, struct mm_error *error);

/** Removes what killed processes left beside the complete result of a run: its lock, shares, unfinished files.
 * Nothing happens if somebody holds the lock, or if nothing may be changed here. */
void mm_store_tidy(const char *path);

/** Commits and folds, trying again for `patience`; after that the journal holds what the result file does not.
 * Removes the journal if all is in the file. To be followed by mm_store_close. */
mm_status mm_store_finish(struct mm_store *store, struct mm_error *error);

/** Releases everything; what was not committed is gone. NULL is allowed. */
void mm_store_close(struct mm_store *store);

/** The journals that were found when the store was opened or viewed (not this process's own). */
const struct mm_journal_file *mm_store_journals(const struct mm_store *store, size_t *count);

/** Damage that was found in one file since the store was opened. */
struct mm_store_damage {
    const char *path;
    int64_t
        records; /* records (rows of a result file) with a wrong checksum: left out, so their chains are missing */
    int64_t torn_bytes; /* bytes of an incomplete record at the end of a dead process's journal: never committed */
    bool header;        /* both copies of a journal's header are damaged: nothing in it can be read */
};

/** Every damaged file, one entry each. */
const struct mm_store_damage *mm_store_damage(const struct mm_store *store, size_t *count);

/** Folds all that is committed, by whomever, into the result file now, and removes the journals of dead processes.
 * A file that is damaged beside its chains is written again.
 *  @param written  out, may be NULL: false if the file was up to date
 *  MM_ERROR_INPUT if there is neither a result file nor a journal. */
mm_status mm_store_fold_run(const char *path, const struct mm_run_info *info,
                            void (*report)(void *context, const char *line), void *report_context, bool *written,
                            struct mm_error *error);

/** What mm_store_merge joined. */
struct mm_merge_summary {
    int64_t chains;     /* rows of the output */
    int64_t duplicates; /* further copies of them in the parts, all bit-identical */
    int64_t missing;    /* chains that the grid still lacks */
};

/** Joins the parts of a run, each a result file with the journals beside it (or these alone), into the result file
 *  `output`. The parts are left as they are. MM_ERROR_INPUT if two parts are not of one run (configuration,
 * program, backend) or two records of a chain differ, naming both files; nothing is written then. MM_ERROR_OUTPUT
 * if `output` exists and not `replace`, or has journals beside it.
 *  @param summary  out, may be NULL */
mm_status mm_store_merge(size_t count, const char *const *parts, const char *output, bool replace,
                         const struct mm_run_info *info, void (*report)(void *context, const char *line),
                         void *report_context, struct mm_merge_summary *summary, struct mm_error *error);

#endif
