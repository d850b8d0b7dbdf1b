/* inside.h - the inside of a result store (store/store.h): an index of the chains, the sources that their records
 * are read from, and what this process writes. */
#ifndef MM_STORE_INSIDE_H
#define MM_STORE_INSIDE_H

#include "disk/retry.h"
#include "store/index.h"
#include "store/store.h"

struct mm_store {
    char *path;
    struct mm_config config;
    struct mm_index index;
    struct mm_record_source *sources; /* [source_count] (store/sources.h) */
    size_t source_count;
    int64_t duplicates; /* further copies of records that were met */

    struct mm_journal_file *journals; /* the last list, this process's own at its end */
    size_t journal_count;
    size_t other_journals; /* without this process's own */
    struct mm_store_damage *damages;
    size_t damage_count;

    unsigned char *pending; /* [pending_room] records, [0, pending_count) in use */
    size_t pending_count;
    size_t pending_room;

    struct mm_journal *journal; /* NULL: a store that is only looked at */
    struct mm_store_options options;
    char backend[16];
    char device[128];
    double counted_until; /* monotonic time up to which this process's own is in there */
    bool written;         /* the result file was, since the store was opened */
    double last_commit;   /* monotonic times, of attempts */
    double next_fold;
    struct mm_retry retry; /* of the disk */
};

/* ---------------------------------------------------------------------------------------- store/create.c */

/** Allocates an empty store for the run of a configuration given as text. */
mm_status mm_store_create(struct mm_store **store, const char *path, const char *configuration,
                          struct mm_error *error);

/** Tells a person one line, if anybody listens. */
void mm_store_report(const struct mm_store *store, const char *format, ...) MM_PRINTF(2, 3);

/** Enters damage of a file, and tells a person the line of `format` if it was not known. MM_ERROR_MEMORY. */
mm_status mm_store_add_damage(struct mm_store *store, struct mm_store_damage damage, struct mm_error *error,
                              const char *format, ...) MM_PRINTF(4, 5);

/* ---------------------------------------------------------------------------------------- store/identity.c */

/** Whether a journal is of the store's run. */
bool mm_store_is_of_this_run(const struct mm_store *store, const struct mm_journal_file *journal);

/** MM_ERROR_INPUT if a listed journal is of another run, or computed by another backend. A store without a backend
 * takes theirs. */
mm_status mm_store_check_journals(struct mm_store *store, struct mm_error *error);

/** Configuration text of the run at `path`, from its result file or a journal; to be freed by the caller.
 *  MM_ERROR_INPUT if there is neither. */
mm_status mm_store_find_configuration(const char *path, char **text, struct mm_error *error);

/* ---------------------------------------------------------------------------------------- store/journals.c */

/** Lists the journals of a run into store->journals. */
mm_status mm_store_list_journals(struct mm_store *store, const char *run, bool lock, struct mm_error *error);

/** Makes parts of the journals in the last list that are of the store's run; takes their descriptors. */
mm_status mm_store_admit_journals(struct mm_store *store, const char *run, struct mm_error *error);

/* ------------------------------------------------------------------------------------------ store/scan.c */

/** Opens the result file of a run and takes its rows, if there is one and it is not the one read last. What it
 * replaces is superseded, not swept.
 *  @param changed  out: whether there was a new one; may be NULL */
mm_status mm_store_load_file(struct mm_store *store, const char *run, bool *changed, struct mm_error *error);

/** Reads the result file and the journals of a run, again if somebody replaces the result file meanwhile.
 *  @param lock  whether the run is locked (disk/run_lock.h), and dead journals shall be */
mm_status mm_store_read_run(struct mm_store *store, const char *run, bool lock, struct mm_error *error);

/* ------------------------------------------------------------------------------------------ store/fold.c */

/** What the result file has to lack to be written again. */
enum mm_store_write_rule {
    MM_WRITE_ALWAYS,      /* nothing */
    MM_WRITE_IF_BEHIND,   /* any chain that is finished */
    MM_WRITE_IF_ORPHANED, /* one that only the journal of a dead process holds */
};

/** Writes the result file, if it is not there, lacks what it should not or is damaged beside its chains, from a
 * store that has read its run under the run's lock; then removes the dead journals that are in it and, once all is,
 * clears this process's own.
 *  @param replace  whether a file that is not known may be replaced */
mm_status mm_store_write(struct mm_store *store, enum mm_store_write_rule need, bool replace,
                         struct mm_error *error);

/** Releases the locks of dead journals: those that could not be folded are left to whoever comes next. */
void mm_store_unlock_journals(const struct mm_store *store);

/** Under the run's lock: removes what those left who were killed while they wrote the result file. */
void mm_store_remove_unfinished(const char *path);

/** Locks the run, reads what is there, writes the result file, and unlocks.
 *  @param wait_seconds  seconds to wait for the lock
 *  @param done      out: false if somebody else holds the lock all that time (MM_OK) */
mm_status mm_store_fold(struct mm_store *store, double wait_seconds, bool *done, struct mm_error *error);

#endif
