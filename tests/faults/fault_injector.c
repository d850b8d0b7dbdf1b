/* fault_injector.c - a library to be preloaded (LD_PRELOAD): lets a program meet a failing disk, die at a chosen
 * moment, or write down what it asks of the disk.
 *
 * Every call that changes a file below MM_FAULT_FOLDER is counted: write, pwrite, writev, pwritev, fsync,
 * fdatasync, ftruncate, fallocate, rename, link, unlink, mkdir, rmdir and an open that creates or empties a file.
 *
 *     MM_FAULT_FOLDER   absolute path of the folder, symbolic links resolved
 *     MM_FAULT_AT       number of the call, from 1, that the fault comes at
 *     MM_FAULT_ACTION   kill     SIGKILL before the call
 *                       half     SIGKILL in the call: of a write, after half of its bytes; else before it
 *                       short    a write writes half of its bytes, and says so
 *                       ENOSPC   the call fails if it needs space
 *                       EIO      the call fails; of a write, half is written
 *                       unreadable  reads (read, pread) are counted instead of those calls, and fail with EIO
 *     MM_FAULT_FOREVER  1: so do all calls after it
 *     MM_FAULT_LOG      file that every counted call is appended to, with its data (see struct entry)
 *     MM_FAULT_CLOCK    seconds that pass whenever the program looks at a clock, and else only while it sleeps,
 *                       which then takes no time: the same run does the same again
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { PATH_SIZE = 8192 };

/* Kinds of calls, as the log has them. */
enum kind {
    WRITE = 'W',
    SYNC = 'F',
    TRUNCATE = 'T',
    ALLOCATE = 'A',
    CREATE = 'C', /* of a file that was not there */
    EMPTY = 'E',  /* an open with O_TRUNC of one that was */
    RENAME = 'R',
    LINK = 'L',
    UNLINK = 'U',
    FOLDER = 'M', /* mkdir, rmdir */
    READ = 'D',   /* in the log only where reads are counted */
};

/* An entry of the log; its two paths and the data follow. */
struct entry {
    uint32_t kind;
    int32_t failure; /* errno, or 0 */
    uint64_t number; /* of the call */
    uint64_t inode;
    int64_t offset; /* of a write; the new size of a truncation */
    uint32_t path_size;
    uint32_t other_size; /* of the second path */
    uint64_t data_size;
};

static struct {
    const char *folder;
    size_t folder_length;
    const char *action;
    bool of_reads; /* it strikes reads */
    uint64_t at;
    bool forever;
    int log;
    double clock;
    uint64_t count;
} faults = {.log = -1};

static pthread_mutex_t one_call = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void begin(void)
{
    const char *at = getenv("MM_FAULT_AT");
    const char *forever = getenv("MM_FAULT_FOREVER");
    const char *log = getenv("MM_FAULT_LOG");
    const char *speed = getenv("MM_FAULT_CLOCK");
    faults.folder = getenv("MM_FAULT_FOLDER");
    faults.folder_length = faults.folder == NULL ? 0 : strlen(faults.folder);
    faults.action = getenv("MM_FAULT_ACTION");
    faults.of_reads = faults.action != NULL && strcmp(faults.action, "unreadable") == 0;
    faults.at = at == NULL ? 0 : strtoull(at, NULL, 10);
    faults.forever = forever != NULL && strcmp(forever, "1") == 0;
    faults.clock = speed == NULL ? 0 : strtod(speed, NULL);
    if (log != NULL)
        faults.log = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* --------------------------------------------------------------------------------------------------- paths */

static bool is_watched(const char *path)
{
    return faults.folder_length > 0 && strncmp(path, faults.folder, faults.folder_length) == 0 &&
           (path[faults.folder_length] == '/' || path[faults.folder_length] == '\0');
}

/* Path of an open file, "" if it has none. */
static void path_of(int descriptor, char path[PATH_SIZE])
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, PATH_SIZE - 1);
    path[length < 0 ? 0 : length] = '\0';
}

/* Absolute path of a name relative to an open folder or to the current one. */
static void absolute(int folder, const char *name, char path[PATH_SIZE])
{
    char base[PATH_SIZE / 2] = "";
    if (name[0] == '/')
        snprintf(path, PATH_SIZE, "%s", name);
    else if (folder == AT_FDCWD)
        snprintf(path, PATH_SIZE, "%s/%s", getcwd(base, sizeof base) == NULL ? "" : base, name);
    else {
        path_of(folder, path);
        size_t length = strlen(path);
        snprintf(path + length, PATH_SIZE - length, "/%s", name);
    }
}

static uint64_t inode_of(int descriptor)
{
    struct stat status;
    return fstat(descriptor, &status) == 0 ? status.st_ino : 0;
}

/* ------------------------------------------------------------------------------------------------ decisions */

/* What becomes of a counted call. */
struct fate {
    uint64_t number;
    bool struck;
    bool half;   /* a write: do half of it first */
    int failure; /* errno that the call fails with, or 0 */
};

static bool needs_space(enum kind kind)
{
    return kind != TRUNCATE && kind != UNLINK && kind != EMPTY;
}

static void die(void)
{
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;)
        pause();
}

/* Counts a call and tells what becomes of it. Does not return if the process is to die before it. */
static struct fate decide(enum kind kind)
{
    if ((kind == READ) != faults.of_reads)
        return (struct fate){0};
    struct fate fate = {.number = ++faults.count};
    if (faults.at == 0 || fate.number < faults.at || (fate.number > faults.at && !faults.forever))
        return fate;
    const char *action = faults.action;
    if (strcmp(action, "kill") == 0 || (strcmp(action, "half") == 0 && kind != WRITE))
        die();
    fate.struck = true;
    fate.half = kind == WRITE && strcmp(action, "ENOSPC") != 0;
    if (strcmp(action, "ENOSPC") == 0 && needs_space(kind))
        fate.failure = ENOSPC;
    if (strcmp(action, "EIO") == 0 || faults.of_reads)
        fate.failure = EIO;
    return fate;
}

static void put(const void *data, size_t size)
{
    const char *at = data;
    while (size > 0) {
        ssize_t written = syscall(SYS_write, faults.log, at, size);
        if (written <= 0)
            return;
        at += written;
        size -= (size_t)written;
    }
}

static void note(enum kind kind, struct fate fate, uint64_t inode, int64_t offset, const char *path,
                 const char *other, size_t data_size, const void *data, bool failed)
{
    if (faults.log < 0)
        return;
    int reason = errno;
    struct entry entry = {.kind = kind,
                          .failure = failed ? reason : 0,
                          .number = fate.number,
                          .inode = inode,
                          .offset = offset,
                          .path_size = (uint32_t)strlen(path),
                          .other_size = (uint32_t)strlen(other),
                          .data_size = data_size};
    put(&entry, sizeof entry);
    put(path, entry.path_size);
    put(other, entry.other_size);
    put(data, data_size);
    errno = reason;
}

/* -------------------------------------------------------------------------------------------------- writing */

/* The raw call: at the position of the file if offset is negative. */
static ssize_t raw_write(int descriptor, const void *data, size_t size, int64_t offset)
{
    if (offset < 0)
        return syscall(SYS_write, descriptor, data, size);
    return syscall(SYS_pwrite64, descriptor, data, size, offset);
}

static ssize_t struck_write(int descriptor, const void *data, size_t size, int64_t offset)
{
    char path[PATH_SIZE];
    path_of(descriptor, path);
    if (!is_watched(path))
        return raw_write(descriptor, data, size, offset);
    pthread_mutex_lock(&one_call);
    struct fate fate = decide(WRITE);
    int64_t at = offset >= 0 ? offset : lseek(descriptor, 0, SEEK_CUR);
    size_t asked = fate.half ? size / 2 : size;
    ssize_t written = fate.failure != 0 && !fate.half ? -1 : raw_write(descriptor, data, asked, offset);
    if (fate.struck && strcmp(faults.action, "half") == 0)
        die();
    note(WRITE, fate, inode_of(descriptor), at, path, "", written > 0 ? (size_t)written : 0, data,
         written < 0 && fate.failure == 0);
    if (fate.failure != 0) {
        errno = fate.failure;
        written = -1;
    }
    pthread_mutex_unlock(&one_call);
    return written;
}

ssize_t write(int descriptor, const void *data, size_t size)
{
    return struck_write(descriptor, data, size, -1);
}

ssize_t pwrite(int descriptor, const void *data, size_t size, off_t offset)
{
    return struck_write(descriptor, data, size, offset);
}

ssize_t pwrite64(int descriptor, const void *data, size_t size, off64_t offset)
{
    return struck_write(descriptor, data, size, offset);
}

/* The pieces one by one, which is all that a caller may rely on. */
static ssize_t write_pieces(int descriptor, const struct iovec *pieces, int count, int64_t offset)
{
    ssize_t all = 0;
    for (int i = 0; i < count; i++) {
        ssize_t written =
            struck_write(descriptor, pieces[i].iov_base, pieces[i].iov_len, offset < 0 ? -1 : offset + all);
        if (written < 0)
            return all > 0 ? all : -1;
        all += written;
        if ((size_t)written < pieces[i].iov_len)
            break;
    }
    return all;
}

ssize_t writev(int descriptor, const struct iovec *pieces, int count)
{
    return write_pieces(descriptor, pieces, count, -1);
}

ssize_t pwritev(int descriptor, const struct iovec *pieces, int count, off_t offset)
{
    return write_pieces(descriptor, pieces, count, offset);
}

ssize_t pwritev64(int descriptor, const struct iovec *pieces, int count, off64_t offset)
{
    return write_pieces(descriptor, pieces, count, offset);
}

/* -------------------------------------------------------------------------------------------------- reading */

/* At the position of the file if offset is negative. */
static ssize_t struck_read(int descriptor, void *data, size_t size, int64_t offset)
{
    char path[PATH_SIZE];
    if (faults.of_reads)
        path_of(descriptor, path);
    if (faults.of_reads && is_watched(path)) {
        pthread_mutex_lock(&one_call);
        struct fate fate = decide(READ);
        note(READ, fate, 0, offset, path, "", 0, "", false);
        pthread_mutex_unlock(&one_call);
        errno = fate.failure;
        if (fate.failure != 0)
            return -1;
    }
    if (offset < 0)
        return syscall(SYS_read, descriptor, data, size);
    return syscall(SYS_pread64, descriptor, data, size, offset);
}

ssize_t read(int descriptor, void *data, size_t size)
{
    return struck_read(descriptor, data, size, -1);
}

ssize_t pread(int descriptor, void *data, size_t size, off_t offset)
{
    return struck_read(descriptor, data, size, offset);
}

ssize_t pread64(int descriptor, void *data, size_t size, off64_t offset)
{
    return struck_read(descriptor, data, size, offset);
}

/* ------------------------------------------------------------------------------------- calls on a descriptor */

/* A call that changes an open file: `number` with two arguments. */
static int on_descriptor(enum kind kind, int descriptor, int64_t size, long number, long second, long third,
                         long fourth)
{
    char path[PATH_SIZE];
    path_of(descriptor, path);
    if (!is_watched(path))
        return (int)syscall(number, descriptor, second, third, fourth);
    pthread_mutex_lock(&one_call);
    struct fate fate = decide(kind);
    errno = fate.failure;
    int result = fate.failure != 0 ? -1 : (int)syscall(number, descriptor, second, third, fourth);
    note(kind, fate, inode_of(descriptor), size, path, "", 0, "", result != 0);
    pthread_mutex_unlock(&one_call);
    return result;
}

int fsync(int descriptor)
{
    return on_descriptor(SYNC, descriptor, 0, SYS_fsync, 0, 0, 0);
}

int fdatasync(int descriptor)
{
    return on_descriptor(SYNC, descriptor, 0, SYS_fdatasync, 0, 0, 0);
}

int ftruncate(int descriptor, off_t size)
{
    return on_descriptor(TRUNCATE, descriptor, size, SYS_ftruncate, size, 0, 0);
}

int ftruncate64(int descriptor, off64_t size)
{
    return on_descriptor(TRUNCATE, descriptor, size, SYS_ftruncate, size, 0, 0);
}

int fallocate(int descriptor, int mode, off_t offset, off_t size)
{
    return on_descriptor(ALLOCATE, descriptor, offset + size, SYS_fallocate, mode, offset, size);
}

int posix_fallocate(int descriptor, off_t offset, off_t size)
{
    return fallocate(descriptor, 0, offset, size) == 0 ? 0 : errno;
}

/* -------------------------------------------------------------------------------------------- calls on names */

static int on_names(enum kind kind, const char *path, const char *other, int (*call)(const long arguments[5]),
                    const long arguments[5])
{
    if (!is_watched(path) && !is_watched(other))
        return call(arguments);
    pthread_mutex_lock(&one_call);
    struct fate fate = decide(kind);
    errno = fate.failure;
    int result = fate.failure != 0 ? -1 : call(arguments);
    note(kind, fate, 0, 0, path, other, 0, "", result < 0);
    pthread_mutex_unlock(&one_call);
    return result;
}

static int call_rename(const long arguments[5])
{
    return (int)syscall(SYS_renameat2, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4]);
}

static int call_link(const long arguments[5])
{
    return (int)syscall(SYS_linkat, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4]);
}

static int call_unlink(const long arguments[5])
{
    return (int)syscall(SYS_unlinkat, arguments[0], arguments[1], arguments[2]);
}

static int call_mkdir(const long arguments[5])
{
    return (int)syscall(SYS_mkdirat, arguments[0], arguments[1], arguments[2]);
}

static int two_names(enum kind kind, int from_folder, const char *from, int to_folder, const char *to, long flags,
                     int (*call)(const long arguments[5]))
{
    char path[PATH_SIZE];
    char other[PATH_SIZE];
    const long arguments[5] = {from_folder, (long)from, to_folder, (long)to, flags};
    absolute(from_folder, from, path);
    absolute(to_folder, to, other);
    return on_names(kind, path, other, call, arguments);
}

static int one_name(enum kind kind, int folder, const char *name, long third, int (*call)(const long arguments[5]))
{
    char path[PATH_SIZE];
    const long arguments[5] = {folder, (long)name, third};
    absolute(folder, name, path);
    return on_names(kind, path, "", call, arguments);
}

int rename(const char *from, const char *to)
{
    return two_names(RENAME, AT_FDCWD, from, AT_FDCWD, to, 0, call_rename);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    return two_names(RENAME, from_folder, from, to_folder, to, 0, call_rename);
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags)
{
    return two_names(RENAME, from_folder, from, to_folder, to, flags, call_rename);
}

int link(const char *from, const char *to)
{
    return two_names(LINK, AT_FDCWD, from, AT_FDCWD, to, 0, call_link);
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags)
{
    return two_names(LINK, from_folder, from, to_folder, to, flags, call_link);
}

int unlink(const char *name)
{
    return one_name(UNLINK, AT_FDCWD, name, 0, call_unlink);
}

int unlinkat(int folder, const char *name, int flags)
{
    return one_name((flags & AT_REMOVEDIR) != 0 ? FOLDER : UNLINK, folder, name, flags, call_unlink);
}

int rmdir(const char *name)
{
    return one_name(FOLDER, AT_FDCWD, name, AT_REMOVEDIR, call_unlink);
}

int mkdir(const char *name, mode_t mode)
{
    return one_name(FOLDER, AT_FDCWD, name, (long)mode, call_mkdir);
}

/* ------------------------------------------------------------------------------------------------- opening */

static int struck_open(int folder, const char *name, int flags, mode_t mode)
{
    char path[PATH_SIZE] = "";
    bool changes = (flags & (O_CREAT | O_TRUNC)) != 0;
    if (changes)
        absolute(folder, name, path);
    if (!changes || !is_watched(path))
        return (int)syscall(SYS_openat, folder, name, flags, mode);
    pthread_mutex_lock(&one_call);
    struct stat status;
    bool there = fstatat(folder, name, &status, 0) == 0;
    bool counted = !there || (flags & O_TRUNC) != 0;
    enum kind kind = there ? EMPTY : CREATE;
    struct fate fate = counted ? decide(kind) : (struct fate){0};
    errno = fate.failure;
    int descriptor = fate.failure != 0 ? -1 : (int)syscall(SYS_openat, folder, name, flags, mode);
    if (counted)
        note(kind, fate, descriptor < 0 ? 0 : inode_of(descriptor), 0, path, "", 0, "", descriptor < 0);
    pthread_mutex_unlock(&one_call);
    return descriptor;
}

static mode_t mode_argument(int flags, va_list arguments)
{
    return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
}

#define DEFINE_OPEN(function)                                                                                      \
    int function(const char *name, int flags, ...)                                                                 \
    {                                                                                                              \
        va_list arguments;                                                                                         \
        va_start(arguments, flags);                                                                                \
        mode_t mode = mode_argument(flags, arguments);                                                             \
        va_end(arguments);                                                                                         \
        return struck_open(AT_FDCWD, name, flags, mode);                                                           \
    }
#define DEFINE_OPENAT(function)                                                                                    \
    int function(int folder, const char *name, int flags, ...)                                                     \
    {                                                                                                              \
        va_list arguments;                                                                                         \
        va_start(arguments, flags);                                                                                \
        mode_t mode = mode_argument(flags, arguments);                                                             \
        va_end(arguments);                                                                                         \
        return struck_open(folder, name, flags, mode);                                                             \
    }
DEFINE_OPEN(open)
DEFINE_OPEN(open64)
DEFINE_OPENAT(openat)
DEFINE_OPENAT(openat64)

/* --------------------------------------------------------------------------------------------------- clocks */

/* Seconds since the first look at a clock, where clocks are made up. */
static double pass(double duration)
{
    static double passed;
    static pthread_mutex_t passing = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&passing);
    passed += duration;
    double result = passed;
    pthread_mutex_unlock(&passing);
    return result;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    static struct timespec began[2];
    if (faults.clock <= 0 || (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC))
        return (int)syscall(SYS_clock_gettime, clock, now);
    struct timespec *first = &began[clock == CLOCK_MONOTONIC];
    if (first->tv_sec == 0 && syscall(SYS_clock_gettime, clock, first) != 0)
        return -1;
    double shown = (double)first->tv_nsec * 1e-9 + pass(faults.clock);
    double whole = (double)(int64_t)shown;
    now->tv_sec = first->tv_sec + (time_t)whole;
    now->tv_nsec = (long)((shown - whole) * 1e9);
    return 0;
}

int nanosleep(const struct timespec *duration, struct timespec *left)
{
    if (faults.clock <= 0)
        return (int)syscall(SYS_nanosleep, duration, left);
    const struct timespec moment = {.tv_nsec = 1000000}; /* for other processes */
    pass((double)duration->tv_sec + (double)duration->tv_nsec * 1e-9);
    return (int)syscall(SYS_nanosleep, &moment, left);
}
