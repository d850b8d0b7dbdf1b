/* output_file.c - output files that appear complete or not at all: temporary name, sync, rename, sync. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk/output_file.h"
#include "disk/retry.h"

static void release(struct mm_output_file *file)
{
    free(file->path);
    free(file->temporary);
    free(file->directory);
    *file = (struct mm_output_file){0};
}

/* Splits path and allocates the three names; the six last characters of the temporary one are still open. */
static mm_status make_names(struct mm_output_file *file, const char *path, struct mm_error *error)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    int directory_length = (int)(name - path);
    file->path = strdup(path);
    file->directory = directory_length == 0 ? strdup(".") : strndup(path, (size_t)directory_length);
    if (asprintf(&file->temporary, "%.*s.%s" MM_UNFINISHED_MIDDLE "XXXXXX", directory_length, path, name) < 0)
        file->temporary = NULL;
    if (file->path != NULL && file->directory != NULL && file->temporary != NULL)
        return MM_OK;
    release(file);
    return mm_fail(error, MM_ERROR_MEMORY, "%s: out of memory", path);
}

static mm_status check_existing(const char *path, bool replace, struct mm_error *error)
{
    struct stat status;
    if (lstat(path, &status) != 0)
        return errno == ENOENT ? MM_OK
                               : mm_fail(error, mm_disk_status(errno, MM_ERROR_OUTPUT), "%s: cannot be written: %s",
                                         path, strerror(errno));
    if (S_ISDIR(status.st_mode))
        return mm_fail(error, MM_ERROR_OUTPUT, "%s: is a directory; the output must be a file", path);
    if (!S_ISREG(status.st_mode))
        return mm_fail(error, MM_ERROR_OUTPUT, "%s: exists and is not a regular file; it is not replaced", path);
    if (!replace)
        return mm_fail(error, MM_ERROR_OUTPUT, "%s: exists already and is not overwritten", path);
    return MM_OK;
}

/* Not mkstemp: a result is an ordinary file, whose permissions follow the umask. */
int mm_create_unique(char *name)
{
    static const char letters[64] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    enum { OPEN_CHARACTERS = 6, ATTEMPTS = 100 };
    char *open_part = name + strlen(name) - OPEN_CHARACTERS;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        unsigned char random[OPEN_CHARACTERS];
        if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
            return -1;
        for (int i = 0; i < OPEN_CHARACTERS; i++)
            open_part[i] = letters[random[i] % sizeof letters];
        int descriptor = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (descriptor >= 0 || errno != EEXIST)
            return descriptor;
    }
    return -1;
}

mm_status mm_output_file_create(struct mm_output_file *file, const char *path, bool replace, struct mm_error *error)
{
    if (path[0] == '\0' || path[strlen(path) - 1] == '/')
        return mm_fail(error, MM_ERROR_OUTPUT, "'%s': is not the name of a file", path);
    mm_status status = check_existing(path, replace, error);
    if (status == MM_OK)
        status = make_names(file, path, error);
    if (status != MM_OK)
        return status;
    int descriptor = mm_create_unique(file->temporary);
    if (descriptor >= 0 && close(descriptor) == 0)
        return MM_OK;
    status = mm_fail(error, mm_disk_status(errno, MM_ERROR_OUTPUT), "%s: cannot be written: %s: %s", path,
                     file->directory, strerror(errno));
    if (descriptor >= 0)
        unlink(file->temporary);
    release(file);
    return status;
}

/* Closes a descriptor; false, with the reason in errno, if `fine` is false or closing fails. */
static bool close_after(int descriptor, bool fine)
{
    int reason = errno;
    bool closed = close(descriptor) == 0;
    if (!fine)
        errno = reason;
    return fine && closed;
}

static bool write_all(int descriptor, const char *content, size_t size)
{
    while (size > 0) {
        ssize_t written = write(descriptor, content, size);
        if (written < 0 && errno != EINTR)
            return false;
        content += written > 0 ? written : 0;
        size -= written > 0 ? (size_t)written : 0;
    }
    return true;
}

mm_status mm_output_file_write(const struct mm_output_file *file, const void *content, size_t size,
                               struct mm_error *error)
{
    int descriptor = open(file->temporary, O_WRONLY | O_TRUNC | O_CLOEXEC);
    if (descriptor >= 0 && close_after(descriptor, write_all(descriptor, content, size) && fsync(descriptor) == 0))
        return MM_OK;
    return mm_fail(error, MM_ERROR_SYSTEM, "%s: writing failed: %s", file->path, strerror(errno));
}

/* Copies one open file into another. */
static bool copy_all(int from, int to)
{
    char block[64 * 1024];
    for (;;) {
        ssize_t size = read(from, block, sizeof block);
        if (size == 0)
            return true;
        if (size < 0 && errno != EINTR)
            return false;
        if (size > 0 && !write_all(to, block, (size_t)size))
            return false;
    }
}

mm_status mm_output_file_copy(const struct mm_output_file *file, const char *from, struct mm_error *error)
{
    int source = open(from, O_RDONLY | O_CLOEXEC);
    if (source < 0)
        return mm_fail(error, MM_ERROR_SYSTEM, "%s: copying %s failed: %s", file->path, from, strerror(errno));
    mm_status status = mm_output_file_copy_open(file, source, error);
    close(source); /* only read from: nothing can be lost */
    return status;
}

mm_status mm_output_file_copy_open(const struct mm_output_file *file, int from, struct mm_error *error)
{
    int target = open(file->temporary, O_WRONLY | O_TRUNC | O_CLOEXEC);
    if (target >= 0 && close_after(target, lseek(from, 0, SEEK_SET) == 0 && copy_all(from, target)))
        return MM_OK;
    return mm_fail(error, MM_ERROR_SYSTEM, "%s: writing failed: %s", file->path, strerror(errno));
}

bool mm_sync_directory(const char *path)
{
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* Some file systems cannot sync a directory and say EINVAL; the rename itself is all they offer. */
    return descriptor >= 0 && close_after(descriptor, fsync(descriptor) == 0 || errno == EINVAL);
}

/* link() is for file systems without such a rename. */
bool mm_rename_new(const char *from, const char *to)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return true;
    if (errno != EINVAL && errno != ENOSYS)
        return false;
    return link(from, to) == 0 && unlink(from) == 0;
}

/* Whether a new name is denied for good: time alone changes nothing. */
static bool is_refusal(int reason)
{
    return reason == EEXIST || reason == EACCES || reason == EPERM;
}

mm_status mm_output_file_commit(struct mm_output_file *file, bool replace, struct mm_error *error)
{
    mm_status status = MM_OK;
    bool renamed = replace ? rename(file->temporary, file->path) == 0 : mm_rename_new(file->temporary, file->path);
    if (!renamed || !mm_sync_directory(file->directory))
        status = mm_fail(error, is_refusal(errno) ? MM_ERROR_OUTPUT : MM_ERROR_SYSTEM, "%s: cannot be written: %s",
                         file->path, strerror(errno));
    if (!renamed)
        unlink(file->temporary);
    release(file);
    return status;
}

void mm_output_file_discard(struct mm_output_file *file)
{
    if (file->temporary != NULL)
        unlink(file->temporary);
    release(file);
}

mm_status mm_output_file_check(const char *path, bool replace, struct mm_error *error)
{
    struct mm_output_file file = {0};
    mm_status status = mm_output_file_create(&file, path, replace, error);
    if (status == MM_OK)
        mm_output_file_discard(&file);
    return status;
}
