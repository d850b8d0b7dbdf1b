/* gnuplot_run.c - runs gnuplot on a script and takes its picture.
 *
 * Script, picture and complaints go through files in memory: nothing is left on the disk, no shell and no file name
 * takes part, and no pipe can fill up.
 */
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plot/gnuplot.h"

mm_status mm_picture_format_find(const char *path, enum mm_picture_format *format, struct mm_error *error)
{
    const char *dot = strrchr(path, '.');
#define FIND_FORMAT(name, ending, last)                                                                            \
    if (dot != NULL && strcasecmp(dot + 1, ending) == 0) {                                                         \
        *format = name;                                                                                            \
        return MM_OK;                                                                                              \
    }
    MM_PICTURE_LIST(FIND_FORMAT)
#undef FIND_FORMAT
#define LIST_FORMAT(name, ending, last) " ." ending
    return mm_fail(error, MM_ERROR_INPUT,
                   "%s: the name of a picture must end in one of" MM_PICTURE_LIST(LIST_FORMAT), path);
#undef LIST_FORMAT
}

enum stream { SCRIPT, PICTURE, COMPLAINTS, STREAM_COUNT }; /* in the order of the standard streams */

static mm_status fail_to_run(const char *what, int reason, struct mm_error *error)
{
    return mm_fail(error, MM_ERROR_SYSTEM, "gnuplot: cannot %s: %s", what, strerror(reason));
}

static mm_status open_streams(int descriptors[STREAM_COUNT], struct mm_error *error)
{
    for (int i = 0; i < STREAM_COUNT; i++) {
        descriptors[i] = memfd_create("gnuplot", MFD_CLOEXEC);
        if (descriptors[i] < 0)
            return fail_to_run("prepare files in memory", errno, error);
    }
    return MM_OK;
}

static mm_status write_script(const struct mm_figure *figure, enum mm_picture_format format, int descriptor,
                              struct mm_error *error)
{
    int copy = dup(descriptor);
    FILE *stream = copy < 0 ? NULL : fdopen(copy, "w");
    if (stream == NULL) {
        mm_status status = fail_to_run("write its script", errno, error);
        if (copy >= 0)
            close(copy);
        return status;
    }
    mm_gnuplot_write_script(figure, format, stream);
    bool failed = ferror(stream) != 0;
    failed = fclose(stream) != 0 || failed;
    if (failed || lseek(descriptor, 0, SEEK_SET) != 0)
        return fail_to_run("write its script", errno, error);
    return MM_OK;
}

static mm_status spawn(const int descriptors[STREAM_COUNT], pid_t *child, struct mm_error *error)
{
    extern char **environ;
    static char name[] = "gnuplot";
    static char defaults[] = "--default-settings"; /* the user's own would change the look */
    char *arguments[] = {name, defaults, NULL};
    posix_spawn_file_actions_t actions;
    int failure = posix_spawn_file_actions_init(&actions);
    if (failure != 0)
        return fail_to_run("run", failure, error);
    for (int i = 0; failure == 0 && i < STREAM_COUNT; i++)
        failure = posix_spawn_file_actions_adddup2(&actions, descriptors[i], i);
    if (failure == 0)
        failure = posix_spawnp(child, name, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failure == ENOENT)
        return mm_fail(error, MM_ERROR_SYSTEM,
                       "gnuplot: not found on PATH; pictures need it: install the package gnuplot-nox");
    return failure == 0 ? MM_OK : fail_to_run("run", failure, error);
}

/* Reads a whole file in memory; NULL if there is no memory or it cannot be read. Adds a '\0' that does not count.
 */
static char *read_all(int descriptor, size_t *size)
{
    struct stat status;
    if (fstat(descriptor, &status) != 0)
        return NULL;
    *size = (size_t)status.st_size;
    char *content = malloc(*size + 1);
    if (content == NULL)
        return NULL;
    content[*size] = '\0';
    for (size_t done = 0; done < *size;) {
        ssize_t count = pread(descriptor, content + done, *size - done, (off_t)done);
        if (count <= 0) {
            free(content);
            return NULL;
        }
        done += (size_t)count;
    }
    return content;
}

/* gnuplot repeats the offending line with a caret before it says "line N: what is wrong". */
static mm_status report_complaint(int descriptor, struct mm_error *error)
{
    size_t size = 0;
    char *text = read_all(descriptor, &size);
    const char *reason = "no reason given";
    for (char *line = text == NULL ? NULL : strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
        if (strspn(line, " ^") != strlen(line))
            reason = line;
    mm_status status = mm_fail(error, MM_ERROR_SYSTEM, "gnuplot: failed: %s", reason);
    free(text);
    return status;
}

static mm_status wait_for(pid_t child, const int descriptors[STREAM_COUNT], struct mm_error *error)
{
    int result = 0;
    while (waitpid(child, &result, 0) < 0)
        if (errno != EINTR)
            return fail_to_run("wait for it", errno, error);
    struct stat picture;
    if (fstat(descriptors[PICTURE], &picture) != 0)
        return fail_to_run("read its picture", errno, error);
    if (!WIFEXITED(result) || WEXITSTATUS(result) != 0 || picture.st_size == 0)
        return report_complaint(descriptors[COMPLAINTS], error);
    return MM_OK;
}

/* gnuplot takes no notice of a write that fails, and calls what it has written a success. */
static mm_status check_whole(const struct mm_picture *picture, enum mm_picture_format format,
                             struct mm_error *error)
{
#define PICTURE_END(name, ending, last) [name] = (last),
    static const char *const ends[] = {MM_PICTURE_LIST(PICTURE_END)};
#undef PICTURE_END
    const size_t length = strlen(ends[format]);
    size_t size = picture->size;
    while (size > 0 && picture->content[size - 1] == '\n')
        size--;
    if (size >= length && memcmp(picture->content + size - length, ends[format], length) == 0)
        return MM_OK;
    return mm_fail(error, MM_ERROR_SYSTEM,
                   "gnuplot: the picture could not be written completely (disk full, quota or file size limit)");
}

/* cairo writes the time into a PDF; all else it writes depends on the figure alone. */
static void fix_date(struct mm_picture *picture)
{
    static const char key[] = "/CreationDate (D:";
    static const char date[] = "20000101000000";
    char *at = memmem(picture->content, picture->size, key, sizeof key - 1);
    if (at != NULL && (size_t)(picture->content + picture->size - at) >= sizeof key - 1 + sizeof date - 1)
        memcpy(at + sizeof key - 1, date, sizeof date - 1);
}

/* Takes what gnuplot has drawn. */
static mm_status take_picture(int descriptor, enum mm_picture_format format, struct mm_picture *picture,
                              struct mm_error *error)
{
    picture->content = read_all(descriptor, &picture->size);
    if (picture->content == NULL)
        return fail_to_run("read its picture", errno, error);
    fix_date(picture);
    return check_whole(picture, format, error);
}

mm_status mm_gnuplot_draw(const struct mm_figure *figure, enum mm_picture_format format, struct mm_picture *picture,
                          struct mm_error *error)
{
    int descriptors[STREAM_COUNT] = {-1, -1, -1};
    pid_t child = 0;
    *picture = (struct mm_picture){0};
    mm_status status = open_streams(descriptors, error);
    if (status == MM_OK)
        status = write_script(figure, format, descriptors[SCRIPT], error);
    if (status == MM_OK)
        status = spawn(descriptors, &child, error);
    if (status == MM_OK)
        status = wait_for(child, descriptors, error);
    if (status == MM_OK)
        status = take_picture(descriptors[PICTURE], format, picture, error);
    for (int i = 0; i < STREAM_COUNT; i++)
        if (descriptors[i] >= 0)
            close(descriptors[i]);
    return status;
}
