/* inside.h - the inside of a result store (store/store.h), shared by the files it is made of.
 *
 * A store knows of every chain whether it is finished, its loss, a digest of its record, and where that record
 * lies: in which part (a result file, a journal, the records not committed yet), and which one it is there. Records
 * themselves stay in the files, so that memory is 24 bytes a chain whatever a record holds.
 *
 * Which copy of a record counts does not matter: two copies of one chain have the same bits, or the store refuses.
 * A result file that somebody replaced is read again, and with it every journal, because whoever folds may clear
 * his own.
 */
#ifndef MM_STORE_INSIDE_H
#define MM_STORE_INSIDE_H

#include <sys/stat.h>

#include "disk/patience.h"
#include "files/search/reader.h"
#include "store/store.h"

/** Every part that records lie in. */
enum mm_store_part_kind {
    MM_PART_FREE, /* the entry may be used again */
    MM_PART_PENDING,
    MM_PART_OWN_JOURNAL,
    MM_PART_JOURNAL,
    MM_PART_RESULT_FILE,
};

struct mm_store_part {
    enum mm_store_part_kind kind;
    char *path;
    const char *run;  /* result file of the run it belongs to, as given; compared by address */
    bool superseded;  /* nothing may be read from it any more */
    struct stat file; /* MM_PART_RESULT_FILE: which file was opened; MM_PART_JOURNAL: device and inode */

    struct mm_result_reader *reader; /* MM_PART_RESULT_FILE */
    int64_t rows;                    /* its rows */
    int64_t sound;                   /* those with a right checksum */

    int descriptor;  /* MM_PART_JOURNAL */
    int64_t first;   /* offset of its first record */
    int64_t scanned; /* records [0, scanned) have been looked at */
    bool alive;      /* its process works */
    bool listed;     /* its name is still there */
    double seconds;  /* computing time: the file's, or that of a dead process which no result file counts yet */
};

/** Index in parts of the two that are always there. */
enum { MM_PENDING_PART, MM_OWN_PART, MM_FIRST_OTHER_PART };

/** Where a record lies: part (24 bits, plus 1) and number in it (40 bits). */
#define MM_LOCATION_NONE    UINT64_C(0)
#define MM_LOCATION_DROPPED UINT64_MAX /* finished, but not needed, so no file keeps it */

struct mm_store {
    char *path;
    struct mm_config config;
    uint64_t fingerprint;
    size_t record_size;
    int64_t chain_count;

    double *losses;      /* [chain_count], NAN: not finished */
    uint64_t *digests;   /* [chain_count], of the records of finished chains */
    uint64_t *locations; /* [chain_count] */
    int64_t *needed;    /* [grid points], starts that belong in the result, -1: to be found; NULL without `agree` */
    int64_t duplicates; /* further copies of records that were met */

    struct mm_store_part *parts;
    size_t part_count;
    struct mm_journal_file *journals; /* the last list, this process's own at its end */
    size_t journal_count;
    size_t other_journals; /* without this process's own */
    struct mm_store_damage *damages;
    size_t damage_count;

    unsigned char *pending; /* [pending_room] records, [0, pending_count) in use */
    size_t pending_count;
    size_t pending_room;
    double *parameters; /* [2][batch_count][2], scratch to unpack a record */

    struct mm_journal *journal; /* NULL: a store that is only looked at */
    struct mm_store_options options;
    char backend[16];
    char device[128];
    double counted_until; /* monotonic time up to which this process's own is in there */
    bool written;         /* the result file was, since the store was opened */
    double last_commit;   /* monotonic times, of attempts */
    double next_fold;
    struct mm_patience patience; /* with the disk */
};

/* ---------------------------------------------------------------------------------------- store/chains.c */

/** Allocates an empty store for the run of a configuration given as text. */
mm_status mm_store_create(struct mm_store **store, const char *path, const char *configuration,
                          struct mm_error *error);

/** The part that a chain lies in, NULL if it lies nowhere. */
struct mm_store_part *mm_store_part_of(const struct mm_store *store, int64_t index);

/** Number of a chain's record in its part. */
int64_t mm_store_row(const struct mm_store *store, int64_t index);

/** Moves a chain to another place. */
void mm_store_locate(struct mm_store *store, int64_t index, size_t part, int64_t row);

/** Takes the record number `row` of a part: learns a new chain, or compares with the copy that is known, whose
 * place a result file then takes.
 *  @param sound  out: whether the checksum is right; a damaged record is left out
 *  MM_ERROR_INPUT if the two copies differ, naming chain and files. */
mm_status mm_store_take(struct mm_store *store, size_t part, int64_t row, const unsigned char *record, bool *sound,
                        struct mm_error *error);

/** Whether a record is the one that was taken as chain `index`. */
bool mm_store_is_record_of(const struct mm_store *store, int64_t index, const unsigned char *record);

/** Makes a chain unknown again. */
void mm_store_forget(struct mm_store *store, int64_t index);

/** Forgets the chains that lie in superseded parts, but those not needed. Closes the parts that nothing lies in and
 *  that are superseded or gone from the disk. */
void mm_store_sweep(struct mm_store *store);

/** The first half of it. */
void mm_store_forget_superseded(struct mm_store *store);

/** The part of the result file of a run; NULL if none is known. */
struct mm_store_part *mm_store_result_part(const struct mm_store *store, const char *run);

/** A free entry of parts; SIZE_MAX if there is no memory. Moves the array. */
size_t mm_store_new_part(struct mm_store *store, enum mm_store_part_kind kind, const char *path, const char *run);

/** Whether a chain belongs in the result, and how many do. */
bool mm_store_wants(const struct mm_store *store, int64_t index);
int64_t mm_store_wanted(const struct mm_store *store);

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

/* ------------------------------------------------------------------------------------------ store/read.c */

/** Records of known chains, whose numbers ascend, wherever they lie. A record that is not any more what it was when
 * it was taken is forgotten: MM_ERROR_SYSTEM, because reading the run again may find another copy of it. */
mm_status mm_store_read_records(struct mm_store *store, size_t count, const int64_t *indices,
                                unsigned char *records, struct mm_error *error);

/* ------------------------------------------------------------------------------------------ store/fold.c */

/** What the result file has to lack to be written again. */
enum mm_store_need {
    MM_NEED_ALWAYS,       /* nothing */
    MM_NEED_FOR_ALL,      /* any chain that is finished */
    MM_NEED_FOR_THE_DEAD, /* one that only the journal of a dead process holds */
};

/** Writes the result file, if it is not there, lacks what it should not or is damaged beside its chains, from a
 * store that has read its run under the run's lock; then removes the dead journals that are in it and, once all is,
 * clears this process's own.
 *  @param replace  whether a file that is not known may be replaced */
mm_status mm_store_write(struct mm_store *store, enum mm_store_need need, bool replace, struct mm_error *error);

/** Releases the locks of dead journals: those that could not be folded are left to whoever comes next. */
void mm_store_unlock_journals(const struct mm_store *store);

/** Under the run's lock: removes what those left who were killed while they wrote the result file. */
void mm_store_remove_unfinished(const char *path);

/** Locks the run, reads what is there, writes the result file, and unlocks.
 *  @param patience  seconds to wait for the lock
 *  @param done      out: false if somebody else holds the lock all that time (MM_OK) */
mm_status mm_store_fold_now(struct mm_store *store, double patience, bool *done, struct mm_error *error);

#endif
