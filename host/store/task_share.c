/* task_share.c - the file in which the tasks of a run agree on their shares of the chains that are missing.
 *
 * OUTPUT.share.<round> holds, little-endian,
 *
 *     "MMSHARE1" | uint64 fingerprint | int64 tasks | int64 units | one bit a unit: it was missing
 *     | uint32 CRC of all before
 *
 * and is never changed after it has appeared.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "chain/agreement.h"
#include "chain/record.h"
#include "disk/files_beside.h"
#include "store/journal.h"
#include "disk/output_file.h"
#include "disk/retry.h"
#include "store/task_share.h"

static const char MAGIC[8] = "MMSHARE1";

/* The beginning of the file. */
struct heading {
    char magic[8];
    uint64_t fingerprint;
    int64_t tasks;
    int64_t units;
};

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the file is written as it lies in memory");
_Static_assert(sizeof(struct heading) == 32, "the heading has no gaps");

static struct heading make_heading(const struct mm_config *config, const struct mm_task *task)
{
    struct heading heading = {
        .fingerprint = mm_run_fingerprint(config),
        .tasks = task->count,
        .units = mm_config_chains(config) / mm_share_chains_of_unit(config),
    };
    memcpy(heading.magic, MAGIC, sizeof heading.magic);
    return heading;
}

static size_t file_size(int64_t units)
{
    return sizeof(struct heading) + mm_share_bitmap_size(units) + sizeof(uint32_t);
}

static char *share_path(const char *output, const struct mm_task *task, struct mm_error *error)
{
    char *path = NULL;
    if (asprintf(&path, "%s.share.%s", output, task->round) >= 0)
        return path;
    mm_fail(error, MM_ERROR_MEMORY, "out of memory");
    return NULL;
}

/* --------------------------------------------------------------------------------------- reading */

/* Reads a file of exactly that size; false with errno otherwise, EINVAL for another size. */
static bool read_exactly(const char *path, size_t size, unsigned char *content)
{
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return false;
    errno = 0;
    bool whole = fread(content, 1, size, file) == size && fgetc(file) == EOF && !ferror(file);
    int reason = errno != 0 ? errno : EINVAL;
    fclose(file); /* only read from */
    errno = reason;
    return whole;
}

static bool is_intact(const unsigned char *content, size_t size, const struct heading *expected)
{
    uint32_t crc = 0;
    memcpy(&crc, content + size - sizeof crc, sizeof crc);
    return memcmp(content, expected, sizeof *expected) == 0 &&
           crc == (uint32_t)crc32(0, content, (uInt)(size - sizeof crc));
}

/* Reads the file of the round; *found is false if there is none. */
static mm_status read_share(struct mm_share *share, bool *found, const char *path, const struct mm_config *config,
                            const struct mm_task *task, struct mm_error *error)
{
    const struct heading heading = make_heading(config, task);
    size_t size = file_size(heading.units);
    unsigned char *content = malloc(size);
    if (content == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory for the shares of %lld chains",
                       (long long)mm_config_chains(config));
    mm_status status = MM_OK;
    *found = read_exactly(path, size, content);
    if (!*found && errno != ENOENT)
        status =
            mm_fail(error, mm_disk_status(errno, MM_ERROR_INPUT),
                    "%s: cannot be used: %s; remove it if no task of this run is active", path, strerror(errno));
    else if (*found && !is_intact(content, size, &heading))
        status = mm_fail(error, MM_ERROR_INPUT,
                         "%s: is damaged or of another run; remove it if no task of this run is active", path);
    else if (*found)
        status = mm_share_create(share, config, task->index, task->count, content + sizeof heading, error);
    free(content);
    return status;
}

/* --------------------------------------------------------------------------------------- writing */

static bool is_missing(const struct mm_config *config, const double *losses, int64_t unit)
{
    if (config->agree == 0)
        return isnan(losses[unit]);
    const double *of_cell = losses + unit * config->starts;
    int64_t needed = mm_starts_needed(config, of_cell);
    for (int64_t s = 0; s < needed; s++)
        if (isnan(of_cell[s]))
            return true;
    return false;
}

/* Writes the file of the round, unless another task has done so first. */
static mm_status write_share(const char *path, const struct mm_config *config, const struct mm_task *task,
                             const double *losses, struct mm_error *error)
{
    const struct heading heading = make_heading(config, task);
    size_t size = file_size(heading.units);
    unsigned char *content = calloc(size, 1);
    struct mm_output_file file = {0};
    if (content == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory for the shares of %lld chains",
                       (long long)mm_config_chains(config));
    memcpy(content, &heading, sizeof heading);
    for (int64_t unit = 0; unit < heading.units; unit++)
        if (is_missing(config, losses, unit))
            mm_share_set_bit(content + sizeof heading, unit);
    uint32_t crc = (uint32_t)crc32(0, content, (uInt)(size - sizeof crc));
    memcpy(content + size - sizeof crc, &crc, sizeof crc);
    mm_status status = mm_output_file_create(&file, path, true, error);
    if (status == MM_OK) {
        status = mm_output_file_write(&file, content, size, error);
        if (status == MM_OK)
            status = mm_output_file_commit(&file, false, error);
        else
            mm_output_file_discard(&file);
    }
    free(content);
    return status == MM_ERROR_OUTPUT && access(path, F_OK) == 0 ? MM_OK : status;
}

/* ---------------------------------------------------------------------------------------- interface */

mm_status mm_task_share_view(struct mm_share *share, bool *found, const char *output,
                             const struct mm_config *config, const struct mm_task *task, struct mm_error *error)
{
    char *path = share_path(output, task, error);
    if (path == NULL)
        return MM_ERROR_MEMORY;
    mm_status status = read_share(share, found, path, config, task, error);
    free(path);
    return status;
}

mm_status mm_task_share_open(struct mm_share *share, const char *output, const struct mm_config *config,
                             const struct mm_task *task, const double *losses, struct mm_error *error)
{
    bool found = false;
    char *path = share_path(output, task, error);
    if (path == NULL)
        return MM_ERROR_MEMORY;
    mm_status status = read_share(share, &found, path, config, task, error);
    if (status == MM_OK && !found) {
        status = write_share(path, config, task, losses, error);
        if (status == MM_OK)
            status = read_share(share, &found, path, config, task, error);
        if (status == MM_OK && !found)
            status = mm_fail(error, MM_ERROR_SYSTEM, "%s: has vanished", path);
    }
    free(path);
    return status;
}

/* Removes the files whose names begin with `beginning` and ".share.". */
static mm_status remove_shares(const char *beginning, struct mm_error *error)
{
    char **paths = NULL;
    size_t count = 0;
    mm_status status = mm_files_beside(beginning, ".share.", &paths, &count, error);
    for (size_t i = 0; i < count && status == MM_OK; i++)
        if (unlink(paths[i]) != 0 && errno != ENOENT)
            status = mm_fail(error, MM_ERROR_SYSTEM, "%s: cannot be removed: %s", paths[i], strerror(errno));
    mm_files_beside_free(paths, count); /* none after a failed listing */
    return status;
}

mm_status mm_task_share_remove(const char *output, struct mm_error *error)
{
    char *hidden = mm_journal_hidden(output); /* shares that their writers were killed in */
    if (hidden == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "%s: out of memory", output);
    mm_status status = remove_shares(output, error);
    if (status == MM_OK)
        status = remove_shares(hidden, error);
    free(hidden);
    return status;
}
