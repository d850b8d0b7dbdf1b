/* journal.c - the journal that this process writes: appends finished chains and syncs them, all or nothing. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/journal.h"
#include "disk/output_file.h"
#include "disk/retry.h"

enum { HOST_SHOWN = 32 /* characters of the host's name in the name of a journal */ };

struct mm_journal {
    char *directory;
    char *path_pattern; /* of its name, and of that while it is created; each ends in XXXXXX */
    char *hidden_pattern;
    char *path;
    int descriptor;
    unsigned char *header; /* what the file begins with */
    size_t header_size;
    size_t record_size;
    int64_t end;   /* bytes of the file that are committed */
    bool overlong; /* the file may go on behind its end: the disk did not let us cut it */
};

/* ------------------------------------------------------------------------------------------------- one step */

static bool write_at(int descriptor, const unsigned char *bytes, size_t size, int64_t offset)
{
    while (size > 0) {
        ssize_t written = pwrite(descriptor, bytes, size, (off_t)offset);
        if (written < 0 && errno != EINTR)
            return false;
        size_t step = written > 0 ? (size_t)written : 0;
        bytes += step;
        size -= step;
        offset += (int64_t)step;
    }
    return true;
}

static bool read_at(int descriptor, unsigned char *bytes, size_t size, int64_t offset)
{
    while (size > 0) {
        ssize_t got = pread(descriptor, bytes, size, (off_t)offset);
        if (got == 0)
            errno = EIO; /* the file is shorter than it was */
        if (got == 0 || (got < 0 && errno != EINTR))
            return false;
        size_t step = got > 0 ? (size_t)got : 0;
        bytes += step;
        size -= step;
        offset += (int64_t)step;
    }
    return true;
}

/* Cuts what lies behind the last commit; keeps errno. */
static void cut(struct mm_journal *journal)
{
    int reason = errno;
    journal->overlong = ftruncate(journal->descriptor, (off_t)journal->end) != 0;
    errno = reason;
}

static bool append(struct mm_journal *journal, const unsigned char *bytes, size_t size)
{
    if (journal->overlong && ftruncate(journal->descriptor, (off_t)journal->end) != 0)
        return false;
    journal->overlong = false;
    if (write_at(journal->descriptor, bytes, size, journal->end) && fdatasync(journal->descriptor) == 0)
        return true;
    cut(journal);
    return false;
}

/* Whether the file has lost its name, say because somebody removed it or its directory. */
static bool has_vanished(const struct mm_journal *journal)
{
    struct stat ours;
    struct stat there;
    if (fstat(journal->descriptor, &ours) != 0)
        return errno == ESTALE;
    if (ours.st_nlink == 0)
        return true;
    if (lstat(journal->path, &there) != 0)
        return errno == ENOENT || errno == ENOTDIR || errno == ESTALE;
    return ours.st_dev != there.st_dev || ours.st_ino != there.st_ino;
}

/* ------------------------------------------------------------------------------------------------- creating */

/* Creates an empty, locked file under a new temporary name, whose last six characters it fills in. Somebody who
 * clears up may take the file for left behind before it is locked: it is then made again. */
static int create_locked(char *temporary)
{
    enum { ATTEMPTS = 100 };
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        struct stat status;
        int descriptor = mm_create_unique(temporary);
        if (descriptor < 0)
            return -1;
        int locked = flock(descriptor, LOCK_EX | LOCK_NB);
        if (locked == 0 && fstat(descriptor, &status) == 0 && status.st_nlink > 0)
            return descriptor;
        int reason = errno;
        if (locked != 0)
            unlink(temporary);
        close(descriptor);
        errno = reason;
        if (locked != 0 && errno != EWOULDBLOCK)
            return -1;
    }
    errno = EAGAIN;
    return -1;
}

static bool copy_records(int from, int to, int64_t offset, int64_t end)
{
    unsigned char block[64 * 1024];
    while (offset < end) {
        size_t size = end - offset < (int64_t)sizeof block ? (size_t)(end - offset) : sizeof block;
        if (!read_at(from, block, size, offset) || !write_at(to, block, size, offset))
            return false;
        offset += (int64_t)size;
    }
    return true;
}

/* What a new journal begins with: header, the records of the journal so far, more records. */
static bool fill(const struct mm_journal *journal, int descriptor, const unsigned char *more, size_t more_size)
{
    return write_at(descriptor, journal->header, journal->header_size, 0) &&
           copy_records(journal->descriptor, descriptor, (int64_t)journal->header_size, journal->end) &&
           write_at(descriptor, more, more_size, journal->end) && fsync(descriptor) == 0;
}

static bool rename_durably(const char *from, const char *to, const char *directory)
{
    if (!mm_rename_new(from, to))
        return false;
    if (mm_sync_directory(directory))
        return true;
    int reason = errno;
    unlink(to);
    errno = reason;
    return false;
}

/* Writes the journal into a new file and goes on with that; on failure (errno) all is as it was. */
static bool begin_file(struct mm_journal *journal, char *temporary, char *path, const unsigned char *more,
                       size_t more_size)
{
    int descriptor = create_locked(temporary);
    if (descriptor < 0)
        return false;
    memcpy(path + strlen(path) - 6, temporary + strlen(temporary) - 6, 6);
    if (fill(journal, descriptor, more, more_size) && rename_durably(temporary, path, journal->directory)) {
        if (journal->descriptor >= 0)
            close(journal->descriptor); /* what it held is in the new file */
        journal->descriptor = descriptor;
        journal->end += (int64_t)more_size;
        journal->overlong = false;
        return true;
    }
    int reason = errno;
    unlink(temporary);
    close(descriptor);
    errno = reason;
    return false;
}

/* The journal under a new name, with more records behind those that it has. */
static mm_status begin_anew(struct mm_journal *journal, const unsigned char *more, size_t more_size,
                            mm_status failure, struct mm_error *error)
{
    char *temporary = strdup(journal->hidden_pattern);
    char *path = strdup(journal->path_pattern);
    mm_status status = MM_OK;
    if (temporary == NULL || path == NULL) {
        status = mm_fail(error, MM_ERROR_MEMORY, "out of memory for the name of a journal");
    } else if (begin_file(journal, temporary, path, more, more_size)) {
        char *old = journal->path;
        journal->path = path;
        path = old;
    } else {
        status = mm_fail(error, mm_disk_status(errno, failure), "%s: cannot be written: %s", path, strerror(errno));
    }
    free(temporary);
    free(path);
    return status;
}

/* "OUTPUT.journal.<task>of<tasks>.<host>.<pid>.XXXXXX", the host's name shortened and of harmless characters. */
static char *make_pattern(const char *output, const struct mm_journal_header *header)
{
    char host[HOST_SHOWN + 1];
    snprintf(host, sizeof host, "%.*s", HOST_SHOWN, header->host);
    for (char *at = host; *at != '\0'; at++)
        if (!isalnum((unsigned char)*at) && *at != '-' && *at != '_')
            *at = '-';
    char *pattern = NULL;
    int length = asprintf(&pattern, "%s" MM_JOURNAL_MIDDLE "%" PRId64 "of%" PRId64 ".%s.%" PRId64 ".XXXXXX", output,
                          header->task.index, header->task.count, host, header->process);
    return length < 0 ? NULL : pattern;
}

static mm_status make_patterns(struct mm_journal *journal, const char *output,
                               const struct mm_journal_header *header, struct mm_error *error)
{
    const char *slash = strrchr(output, '/');
    char *hidden = mm_journal_hidden(output);
    journal->directory = slash == NULL ? strdup(".") : strndup(output, (size_t)(slash + 1 - output));
    journal->path_pattern = make_pattern(output, header);
    journal->hidden_pattern = hidden == NULL ? NULL : make_pattern(hidden, header);
    free(hidden);
    if (journal->directory != NULL && journal->path_pattern != NULL && journal->hidden_pattern != NULL)
        return MM_OK;
    return mm_fail(error, MM_ERROR_MEMORY, "out of memory for the name of a journal");
}

mm_status mm_journal_create(struct mm_journal **journal, const char *output, const struct mm_journal_header *header,
                            size_t record_size, struct mm_error *error)
{
    struct mm_journal *created = calloc(1, sizeof *created);
    if (created == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory for a journal");
    created->descriptor = -1;
    created->record_size = record_size;
    mm_status status = make_patterns(created, output, header, error);
    if (status == MM_OK)
        status = mm_journal_header_pack(header, record_size, &created->header, &created->header_size, error);
    if (status == MM_OK) {
        created->end = (int64_t)created->header_size;
        status = begin_anew(created, NULL, 0, MM_ERROR_OUTPUT, error);
    }
    if (status != MM_OK) {
        mm_journal_close(created, false);
        return status;
    }
    *journal = created;
    return MM_OK;
}

/* --------------------------------------------------------------------------------------------------- using */

const char *mm_journal_path(const struct mm_journal *journal)
{
    return journal->path;
}

mm_status mm_journal_commit(struct mm_journal *journal, size_t count, const unsigned char *records,
                            struct mm_error *error)
{
    size_t size = count * journal->record_size;
    bool written = append(journal, records, size);
    int reason = errno;
    if (has_vanished(journal)) {
        if (written)
            cut(journal);
        return begin_anew(journal, records, size, MM_ERROR_SYSTEM, error);
    }
    if (!written)
        return mm_fail(error, MM_ERROR_SYSTEM, "%s: cannot be written: %s", journal->path, strerror(reason));
    journal->end += (int64_t)size;
    return MM_OK;
}

int64_t mm_journal_committed(const struct mm_journal *journal)
{
    return (journal->end - (int64_t)journal->header_size) / (int64_t)journal->record_size;
}

mm_status mm_journal_read(const struct mm_journal *journal, int64_t number, unsigned char *record,
                          struct mm_error *error)
{
    int64_t offset = (int64_t)journal->header_size + number * (int64_t)journal->record_size;
    if (read_at(journal->descriptor, record, journal->record_size, offset))
        return MM_OK;
    return mm_fail(error, MM_ERROR_SYSTEM, "%s: cannot be read: %s", journal->path, strerror(errno));
}

mm_status mm_journal_clear(struct mm_journal *journal, struct mm_error *error)
{
    if (ftruncate(journal->descriptor, (off_t)journal->header_size) != 0)
        return mm_fail(error, MM_ERROR_SYSTEM, "%s: cannot be written: %s", journal->path, strerror(errno));
    journal->end = (int64_t)journal->header_size;
    journal->overlong = false;
    return MM_OK;
}

void mm_journal_close(struct mm_journal *journal, bool remove)
{
    if (journal == NULL)
        return;
    if (journal->descriptor >= 0 && remove && !has_vanished(journal))
        unlink(journal->path); /* before its lock goes, so that nobody finds it dead */
    if (journal->descriptor >= 0)
        close(journal->descriptor); /* every record was synced */
    free(journal->directory);
    free(journal->path_pattern);
    free(journal->hidden_pattern);
    free(journal->path);
    free(journal->header);
    free(journal);
}
