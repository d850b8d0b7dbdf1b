/* files_beside.c - the files of a run that lie beside its output: those whose names begin with that of the output.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "disk/files_beside.h"
#include "disk/retry.h"

/* The paths found so far. */
struct list {
    char **paths;
    size_t count;
    size_t room;
};

/* Adds FOLDER/name to the list; false if there is no memory. */
static bool add(struct list *list, const char *folder, int folder_length, const char *name)
{
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 16 : 2 * list->room;
        char **paths = realloc(list->paths, room * sizeof *paths);
        if (paths == NULL)
            return false;
        list->paths = paths;
        list->room = room;
    }
    if (asprintf(&list->paths[list->count], "%.*s%s", folder_length, folder, name) < 0)
        return false;
    list->count++;
    return true;
}

static int compare_paths(const void *one, const void *other)
{
    return strcmp(*(char *const *)one, *(char *const *)other);
}

/* Reads a whole directory; an entry that cannot be read ends it with errno. */
static bool add_matching(struct list *list, DIR *directory, const char *output, int folder_length,
                         const char *beginning)
{
    errno = 0;
    for (const struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        if (strncmp(entry->d_name, beginning, strlen(beginning)) == 0 &&
            !add(list, output, folder_length, entry->d_name)) {
            errno = ENOMEM;
            return false;
        }
        errno = 0;
    }
    return errno == 0;
}

mm_status mm_files_beside(const char *output, const char *middle, char ***paths, size_t *count,
                          struct mm_error *error)
{
    const char *slash = strrchr(output, '/');
    int folder_length = slash == NULL ? 0 : (int)(slash + 1 - output);
    char *folder = folder_length == 0 ? strdup(".") : strndup(output, (size_t)folder_length);
    char *beginning = NULL;
    if (asprintf(&beginning, "%s%s", output + folder_length, middle) < 0)
        beginning = NULL;
    struct list list = {0};
    DIR *directory = folder == NULL || beginning == NULL ? NULL : opendir(folder);
    bool listed = directory != NULL && add_matching(&list, directory, output, folder_length, beginning);
    int reason = folder == NULL || beginning == NULL ? ENOMEM : errno;
    if (directory != NULL)
        closedir(directory); /* only read from */
    free(folder);
    free(beginning);
    if (!listed) {
        mm_files_beside_free(list.paths, list.count);
        return mm_fail(error, mm_disk_status(reason, MM_ERROR_OUTPUT),
                       "%s: the files beside it cannot be listed: %s", output, strerror(reason));
    }
    if (list.count > 0) /* qsort takes no null pointer */
        qsort(list.paths, list.count, sizeof *list.paths, compare_paths);
    *paths = list.paths;
    *count = list.count;
    return MM_OK;
}

void mm_files_beside_free(char **paths, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(paths[i]);
    free(paths);
}
