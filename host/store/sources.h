/* sources.h - the sources that a store reads records from: result files, journals, and what is not committed yet.
 *
 * A kind of source is a row of operations. A result file that somebody replaced is read again, and with it every
 * journal, because whoever folds may clear his own.
 */
#ifndef MM_STORE_SOURCES_H
#define MM_STORE_SOURCES_H

#include <sys/stat.h>

#include "files/search/reader.h"
#include "store/inside.h"

struct mm_record_source;

/** Rows of a result file, read in one go because reading them one by one would take forever. */
struct mm_read_ahead {
    const struct mm_record_source *source;
    int64_t first;
    int64_t count;
    unsigned char *records; /* as many as are asked for in all */
};

/** What can be done with a source. */
struct mm_source_kind {
    /** What messages call it. */
    const char *(*name)(const struct mm_store *store, const struct mm_record_source *source);

    /** Reads record number `row`. Chains and rows ascend together, so at most `left` rows of it are still
     * wanted. */
    mm_status (*read)(struct mm_store *store, const struct mm_record_source *source, int64_t row, size_t left,
                      struct mm_read_ahead *ahead, unsigned char *record, struct mm_error *error);

    /** Releases what it holds. */
    void (*close)(struct mm_record_source *source);
};

/** Those not committed yet; this process's journal; that of another process, alive or dead; a result file, the
 *  place of a record of which there are several copies. */
extern const struct mm_source_kind mm_pending_records, mm_own_journal, mm_other_journal, mm_result_file;

struct mm_record_source {
    const struct mm_source_kind *kind; /* NULL: the entry may be used again */
    char *path;
    const char *run;  /* result file of the run it belongs to, as given; compared by address */
    bool superseded;  /* nothing may be read from it any more */
    struct stat file; /* which file was opened */
    double seconds;   /* computing time: the file's, or that of a dead process which no result file counts yet */

    struct {
        struct mm_result_reader *reader;
        int64_t rows;
        int64_t sound; /* those with a right checksum */
    } result;

    struct {
        int descriptor;
        int64_t first;   /* offset of its first record */
        int64_t scanned; /* records [0, scanned) have been looked at */
        bool alive;      /* its process works */
        bool listed;     /* its name is still there */
    } journal;
};

/** Number of the two sources that are always there. */
enum { MM_PENDING_SOURCE, MM_OWN_SOURCE, MM_FIRST_OTHER_SOURCE };

/** Makes the two; false if there is no memory. */
bool mm_store_begin_sources(struct mm_store *store);

/** Closes them all. */
void mm_store_close_sources(struct mm_store *store);

/** A free entry; SIZE_MAX if there is no memory. Moves the array. */
size_t mm_store_new_source(struct mm_store *store, const struct mm_source_kind *kind, const char *path,
                           const char *run);

/** The source that a chain lies in, NULL if it lies nowhere. */
struct mm_record_source *mm_store_source_of(const struct mm_store *store, int64_t index);

/** The source that is the result file of a run; NULL if none is known. */
struct mm_record_source *mm_store_result_source(const struct mm_store *store, const char *run);

/** Takes the record number `row` of a source: learns a new chain, or compares with the copy that is known, whose
 *  place a result file then takes.
 *  @param sound  out: whether the checksum is right; a damaged record is left out
 *  MM_ERROR_INPUT if the two copies differ, naming chain and files. */
mm_status mm_store_take(struct mm_store *store, size_t source, int64_t row, const unsigned char *record,
                        bool *sound, struct mm_error *error);

/** Records of known chains, whose numbers ascend, wherever they lie. A record that is not any more what it was when
 *  it was taken is forgotten: MM_ERROR_SYSTEM, because reading the run again may find another copy of it. */
mm_status mm_store_read_records(struct mm_store *store, size_t count, const int64_t *indices,
                                unsigned char *records, struct mm_error *error);

/** Forgets the chains that lie in superseded sources, but those not needed. Closes the sources that nothing lies in
 *  and that are superseded or gone from the disk. */
void mm_store_sweep(struct mm_store *store);

/** The first half of it. */
void mm_store_forget_superseded(struct mm_store *store);

#endif
