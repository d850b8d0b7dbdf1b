/* journal.h - the journal of one process: finished chains, appended and synced, which nothing that was committed
 * gets lost from. */
#ifndef MM_STORE_JOURNAL_H
#define MM_STORE_JOURNAL_H

#include "chain/record.h"
#include "store/task.h"

/** Who writes a journal, as its header tells. */
struct mm_journal_header {
    uint64_t fingerprint;
    char *configuration; /* canonical text */
    char *command_line;
    char *folder; /* working directory of the process */
    char host[256];
    int64_t process;    /* its pid */
    int64_t start_time; /* seconds since 1970, UTC */
    char backend[16];
    char device[128];
    struct mm_task task;
};

/** Releases the texts of a header and clears it. */
void mm_journal_header_free(struct mm_journal_header *header);

/** A journal that this process writes, locked (flock) from before it has its name until it is closed. */
struct mm_journal;

/** Creates FILE.journal.<task>of<tasks>.<host>.<pid>.<six letters> beside `output`, with its header synced, its
 * lock held, and the directory synced. */
mm_status mm_journal_create(struct mm_journal **journal, const char *output, const struct mm_journal_header *header,
                            size_t record_size, struct mm_error *error);

const char *mm_journal_path(const struct mm_journal *journal);

/** Appends whole records with one write and one fdatasync. All or nothing: after a failure the file ends where the
 *  last commit did (if the disk lets us say so), and the same records may be given again. A journal whose file has
 *  been removed or whose directory vanished is written anew under a new name, from what it held.
 *  MM_ERROR_SYSTEM: disk full, quota, EIO, read-only .. */
mm_status mm_journal_commit(struct mm_journal *journal, size_t count, const unsigned char *records,
                            struct mm_error *error);

/** Number of committed records. */
int64_t mm_journal_committed(const struct mm_journal *journal);

/** Reads committed record number `number` of this journal. */
mm_status mm_journal_read(const struct mm_journal *journal, int64_t number, unsigned char *record,
                          struct mm_error *error);

/** Drops every record: they are in the result file now. */
mm_status mm_journal_clear(struct mm_journal *journal, struct mm_error *error);

/** Closes the journal and, if it holds nothing that is not folded (`remove`), removes it. NULL is allowed. */
void mm_journal_close(struct mm_journal *journal, bool remove);

/* ------------------------------------------------------------------------------ journals of all processes */

/** Between the name of the result file and the rest in the name of a journal. */
#define MM_JOURNAL_MIDDLE ".journal."

/** FOLDER/.NAME of FOLDER/NAME: takes the place of the output in the name of a journal that is being created.
 *  To be freed by the caller; NULL if there is no memory. */
char *mm_journal_hidden(const char *output);

/** A journal of any process, as it lies on the disk. */
struct mm_journal_file {
    char *path;
    struct mm_journal_header header;
    bool readable;       /* a header copy was intact */
    bool alive;          /* its process holds the lock */
    int descriptor;      /* open for reading; locked by us if it was not alive and `lock` was asked for */
    int64_t first;       /* offset of the first record */
    size_t record_size;  /* bytes of a record, as its header tells */
    int64_t records;     /* whole records in the file now, good or bad */
    int64_t torn_bytes;  /* bytes of an incomplete record at the end */
    int64_t commit_time; /* of the last change, seconds since 1970 */
};

/** Every journal beside `output`, sorted by name, but those unlinked meanwhile. The header is kept twice in a
 *  file, so one damaged copy is no loss.
 *  @param lock   take the lock of those that are dead, so that nobody else folds them meanwhile, and remove what
 *                processes left behind that died while they created a journal
 *  @param files  out, [*count]; free with mm_journal_list_free */
mm_status mm_journal_list(const char *output, bool lock, struct mm_journal_file **files, size_t *count,
                          struct mm_error *error);

/** Closes (and so unlocks) and frees them. */
void mm_journal_list_free(struct mm_journal_file *files, size_t count);

/* ------------------------------------------------------------------------------------- the header as bytes */

enum { MM_JOURNAL_HEADER_MAX = 64 << 20 /* most bytes of both copies of a header */ };

/** Both copies of a header, as a journal begins with them.
 *  @param bytes  out, to be freed by the caller
 *  @param size   out: their number, the offset of the first record */
mm_status mm_journal_header_pack(const struct mm_journal_header *header, size_t record_size, unsigned char **bytes,
                                 size_t *size, struct mm_error *error);

/** Parses a header from the beginning of a journal's bytes; whatever they are, it never reads beyond
 *  data[0 .. size-1].
 *  @param header       out; free with mm_journal_header_free
 *  @param first        out: offset of the first record
 *  @param record_size  out: bytes of a record
 *  MM_ERROR_INPUT if no copy is intact. */
mm_status mm_journal_header_parse(const unsigned char *data, size_t size, struct mm_journal_header *header,
                                  int64_t *first, size_t *record_size, struct mm_error *error);

#endif
