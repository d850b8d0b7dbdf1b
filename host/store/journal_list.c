/* journal_list.c - finds the journals beside a result file, of processes that are alive and of those that died. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "disk/files_beside.h"
#include "store/journal.h"
#include "disk/retry.h"

char *mm_journal_hidden(const char *output)
{
    const char *slash = strrchr(output, '/');
    int folder_length = slash == NULL ? 0 : (int)(slash + 1 - output);
    char *hidden = NULL;
    return asprintf(&hidden, "%.*s.%s", folder_length, output, output + folder_length) < 0 ? NULL : hidden;
}

/* -------------------------------------------------------------------------------------------------- locks */

/* Whether a process holds the lock of an open journal. Where `take`, the lock is ours afterwards if none does.
 * Those who only look hold a shared lock for a moment, which must not pass for a process that writes. Returns 1:
 * held, 0: not, -1: it cannot be told (errno). */
static int find_lock_held(int descriptor, bool take)
{
    enum { ATTEMPTS = 200 };
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        if (take && flock(descriptor, LOCK_EX | LOCK_NB) == 0)
            return 0;
        if (take && errno != EWOULDBLOCK)
            return -1;
        if (flock(descriptor, LOCK_SH | LOCK_NB) != 0)
            return errno == EWOULDBLOCK ? 1 : -1;
        flock(descriptor, LOCK_UN); /* nothing can fail: it is held */
        if (!take)
            return 0;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return 1;
}

/* ------------------------------------------------------------------------------------------------ a journal */

/* Reads the first `size` bytes of a file, fewer if it is shorter; NULL with errno on failure. */
static unsigned char *read_beginning(int descriptor, size_t *size)
{
    unsigned char *data = malloc(*size + 1); /* + 1: never an empty request */
    size_t at = 0;
    while (data != NULL && at < *size) {
        ssize_t got = pread(descriptor, data + at, *size - at, (off_t)at);
        if (got == 0)
            break;
        if (got < 0 && errno != EINTR) {
            free(data);
            return NULL;
        }
        at += got > 0 ? (size_t)got : 0;
    }
    *size = at;
    return data;
}

/* Reads the header: its first blocks at first, because it is short; more where these hold no intact copy.
 * A header that makes no sense is no failure: the file is then not readable. */
static mm_status read_header(struct mm_journal_file *file, size_t file_size, struct mm_error *error)
{
    const size_t sizes[] = {16 * 1024, MM_JOURNAL_HEADER_MAX};
    for (size_t i = 0; i < 2 && !file->readable; i++) {
        size_t size = file_size < sizes[i] ? file_size : sizes[i];
        unsigned char *data = read_beginning(file->descriptor, &size);
        if (data == NULL)
            return mm_fail(error, MM_ERROR_SYSTEM, "%s: cannot be read: %s", file->path, strerror(errno));
        mm_status status =
            mm_journal_header_parse(data, size, &file->header, &file->first, &file->record_size, NULL);
        free(data);
        if (status == MM_ERROR_MEMORY)
            return mm_fail(error, status, "%s: out of memory for its header", file->path);
        file->readable = status == MM_OK;
    }
    return MM_OK;
}

static void count_records(struct mm_journal_file *file, int64_t size)
{
    if (!file->readable || size < file->first)
        return;
    file->records = (size - file->first) / (int64_t)file->record_size;
    file->torn_bytes = (size - file->first) % (int64_t)file->record_size;
}

/* A run of thousands of tasks has more journals than a process may open, unless it asks for more. */
static bool raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return false;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

static int open_journal(const char *path, bool for_lock)
{
    const int flags = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    /* NFS locks only what may be written; elsewhere reading is enough. */
    int descriptor = for_lock ? open(path, O_RDWR | flags) : -1;
    if (descriptor < 0 && (!for_lock || errno == EACCES || errno == EROFS))
        descriptor = open(path, O_RDONLY | flags);
    if (descriptor < 0 && errno == EMFILE && raise_file_limit())
        return open_journal(path, for_lock);
    return descriptor;
}

static mm_status fail_unreadable(const char *path, struct mm_error *error)
{
    return mm_fail(error, mm_disk_status(errno, MM_ERROR_INPUT), "%s: cannot be read: %s", path, strerror(errno));
}

static void release_file(struct mm_journal_file *file)
{
    if (file->descriptor >= 0)
        close(file->descriptor); /* nothing was written through it */
    mm_journal_header_free(&file->header);
    free(file->path);
}

/* Looks at an open journal. Its size is taken after its lock, so that a dead one has all its records.
 * @param present  out: false if it has been unlinked meanwhile */
static mm_status inspect(struct mm_journal_file *file, bool lock, bool *present, struct mm_error *error)
{
    struct stat status;
    int held = find_lock_held(file->descriptor, lock);
    if (held < 0 || fstat(file->descriptor, &status) != 0)
        return fail_unreadable(file->path, error);
    *present = status.st_nlink > 0 && S_ISREG(status.st_mode);
    if (!*present)
        return MM_OK;
    file->alive = held == 1;
    file->commit_time = status.st_mtim.tv_sec;
    mm_status read = read_header(file, (size_t)status.st_size, error);
    count_records(file, status.st_size);
    return read;
}

/* Opens a journal; *present is false if it is gone. */
static mm_status open_file(const char *path, bool lock, struct mm_journal_file *file, bool *present,
                           struct mm_error *error)
{
    *present = false;
    *file = (struct mm_journal_file){.path = strdup(path), .descriptor = -1};
    if (file->path == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "%s: out of memory", path);
    file->descriptor = open_journal(path, lock);
    if (file->descriptor < 0)
        return errno == ENOENT || errno == ELOOP ? MM_OK : fail_unreadable(path, error);
    return inspect(file, lock, present, error);
}

/* ---------------------------------------------------------------------------------------------- all of them */

/* Removes a journal that never got its name, unless the process that creates it is alive. */
static void remove_dead(const char *path)
{
    int descriptor = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0)
        return;
    if (find_lock_held(descriptor, true) == 0)
        unlink(path); /* if this fails, it is tried again next time */
    close(descriptor);
}

/* Removes the journals that never got their names because their processes died. */
static mm_status sweep(const char *output, struct mm_error *error)
{
    char **paths = NULL;
    size_t count = 0;
    char *hidden = mm_journal_hidden(output);
    if (hidden == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "%s: out of memory", output);
    mm_status status = mm_files_beside(hidden, MM_JOURNAL_MIDDLE, &paths, &count, error);
    free(hidden);
    if (status != MM_OK)
        return status;
    for (size_t i = 0; i < count; i++)
        remove_dead(paths[i]);
    mm_files_beside_free(paths, count);
    return MM_OK;
}

/* Opens those of the paths that are journals still there; files[] has room for all. */
static mm_status open_files(char *const *paths, size_t path_count, bool lock, struct mm_journal_file *files,
                            size_t *count, struct mm_error *error)
{
    mm_status status = MM_OK;
    for (size_t i = 0; i < path_count && status == MM_OK; i++) {
        struct mm_journal_file file;
        bool present = false;
        status = open_file(paths[i], lock, &file, &present, error);
        if (status == MM_OK && present)
            files[(*count)++] = file;
        else
            release_file(&file);
    }
    return status;
}

mm_status mm_journal_list(const char *output, bool lock, struct mm_journal_file **files, size_t *count,
                          struct mm_error *error)
{
    char **paths = NULL;
    size_t path_count = 0;
    *count = 0;
    mm_status status = lock ? sweep(output, error) : MM_OK;
    if (status == MM_OK)
        status = mm_files_beside(output, MM_JOURNAL_MIDDLE, &paths, &path_count, error);
    if (status != MM_OK)
        return status;
    *files = calloc(path_count + 1, sizeof **files); /* + 1: never an empty request */
    status = *files == NULL ? mm_fail(error, MM_ERROR_MEMORY, "%s: out of memory to list its journals", output)
                            : open_files(paths, path_count, lock, *files, count, error);
    mm_files_beside_free(paths, path_count);
    if (status != MM_OK) {
        mm_journal_list_free(*files, *count);
        *files = NULL;
        *count = 0;
    }
    return status;
}

void mm_journal_list_free(struct mm_journal_file *files, size_t count)
{
    for (size_t i = 0; i < count; i++)
        release_file(&files[i]);
    free(files);
}
