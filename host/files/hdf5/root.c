/* root.c - the attributes at the root of each of our files: what it is, and the run that made it.
 *
 * HDF5 keeps texts of variable length, which is how other programs like to read them, in a heap that has no
 * checksum: damage there can change them unseen, and keep HDF5 1.10 from ever returning. So the texts are there
 * once more, as the bytes `description`, each with the zero at its end, with a checksum; these are what this
 * program reads.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "base/text.h"
#include "disk/retry.h"
#include "files/hdf5/root.h"
#include "files/hdf5/write.h"

#ifndef MM_GIT_COMMIT
#define MM_GIT_COMMIT "unknown"
#endif

#define PROGRAM_NAME "micromaser" /* root attribute `program` of our files */
#define DESCRIPTION  "description"

enum { BYTES_MAX = 1 << 24 /* of a description; a damaged file may claim anything */ };

/* The texts of the root, in the order in which the description holds them. */
enum { PROGRAM, KIND, VERSION, GIT_COMMIT, COMMAND_LINE, CONFIGURATION, BACKEND, DEVICE, HOST, START, END, TEXTS };
static const char *const names[TEXTS] = {
    "program", "kind",   "version", "git_commit", "command_line", "configuration",
    "backend", "device", "host",    "start_time", "end_time",
};

static uint32_t checksum(size_t size, const unsigned char *bytes)
{
    return (uint32_t)crc32_z(0, bytes, size);
}

static void write_bytes(struct mm_hdf5 *hdf5, hid_t file, size_t size, const unsigned char *bytes)
{
    const hsize_t length = size;
    hid_t space = mm_hdf5_check(hdf5, H5Screate_simple(1, &length, NULL), "create attribute", DESCRIPTION);
    if (H5Aexists(file, DESCRIPTION) > 0)
        mm_hdf5_check(hdf5, H5Adelete(file, DESCRIPTION), "replace attribute", DESCRIPTION);
    hid_t attribute =
        mm_hdf5_check(hdf5, H5Acreate2(file, DESCRIPTION, H5T_STD_U8LE, space, H5P_DEFAULT, H5P_DEFAULT),
                      "create attribute", DESCRIPTION);
    mm_hdf5_check(hdf5, H5Awrite(attribute, H5T_NATIVE_UINT8, bytes), "write attribute", DESCRIPTION);
    mm_hdf5_close(hdf5, attribute, H5Aclose, DESCRIPTION);
    mm_hdf5_close(hdf5, space, H5Sclose, DESCRIPTION);
}

/* Writes the texts once more, as bytes: each with the zero at its end, one after another. */
static void write_description(struct mm_hdf5 *hdf5, hid_t file, const char *const texts[TEXTS])
{
    size_t size = 0;
    for (int i = 0; i < TEXTS; i++)
        size += strlen(texts[i]) + 1;
    unsigned char *bytes = malloc(size);
    if (bytes == NULL) {
        mm_hdf5_fail(hdf5, MM_ERROR_MEMORY, "out of memory for its description");
        return;
    }
    unsigned char *at = bytes;
    for (int i = 0; i < TEXTS; i++) {
        memcpy(at, texts[i], strlen(texts[i]) + 1);
        at += strlen(texts[i]) + 1;
    }
    uint32_t crc = checksum(size, bytes);
    write_bytes(hdf5, file, size, bytes);
    mm_hdf5_write_attribute(hdf5, file, DESCRIPTION "_crc32", H5T_STD_U32LE, &crc);
    free(bytes);
}

void mm_hdf5_write_root(struct mm_hdf5 *hdf5, hid_t file, const struct mm_file_root *root)
{
    const char *const texts[TEXTS] = {
        [PROGRAM] = PROGRAM_NAME,
        [KIND] = root->kind,
        [VERSION] = MM_VERSION,
        [GIT_COMMIT] = MM_GIT_COMMIT,
        [COMMAND_LINE] = root->info->command_line,
        [CONFIGURATION] = root->configuration,
        [BACKEND] = root->backend,
        [DEVICE] = root->device,
        [HOST] = root->info->host,
        [START] = root->info->start_time,
        [END] = root->info->end_time,
    };
    int8_t complete = root->complete;
    for (int i = 0; i < TEXTS; i++)
        mm_hdf5_write_text(hdf5, file, names[i], texts[i]);
    write_description(hdf5, file, texts);
    mm_hdf5_write_attribute(hdf5, file, "seed", H5T_NATIVE_UINT64, &root->seed);
    mm_hdf5_write_attribute(hdf5, file, "seconds", H5T_NATIVE_DOUBLE, &root->seconds);
    mm_hdf5_write_attribute(hdf5, file, "complete", H5T_NATIVE_INT8, &complete);
}

/* ------------------------------------------------------------------------------------------- reading */

/* Reads the description, of *size bytes, and checks it; NULL after a failure. */
static char *read_description(struct mm_hdf5 *hdf5, hid_t file, size_t *size)
{
    uint32_t crc = 0;
    mm_hdf5_read_attribute(hdf5, file, DESCRIPTION "_crc32", H5T_NATIVE_UINT32, &crc);
    hid_t attribute = mm_hdf5_check(hdf5, H5Aopen(file, DESCRIPTION, H5P_DEFAULT), "read attribute", DESCRIPTION);
    hid_t space = mm_hdf5_check(hdf5, H5Aget_space(attribute), "read attribute", DESCRIPTION);
    hssize_t length = mm_hdf5_check(hdf5, H5Sget_simple_extent_npoints(space), "read attribute", DESCRIPTION);
    bool fits = length > 0 && length <= BYTES_MAX;
    unsigned char *bytes = fits ? malloc((size_t)length) : NULL;
    if (fits && bytes == NULL)
        mm_hdf5_fail(hdf5, MM_ERROR_MEMORY, "out of memory for its description");
    if (bytes != NULL)
        mm_hdf5_check(hdf5, H5Aread(attribute, H5T_NATIVE_UINT8, bytes), "read attribute", DESCRIPTION);
    mm_hdf5_close(hdf5, space, H5Sclose, DESCRIPTION);
    mm_hdf5_close(hdf5, attribute, H5Aclose, DESCRIPTION);
    *size = (size_t)length;
    if (hdf5->status == MM_OK && (bytes == NULL || bytes[*size - 1] != 0 || crc != checksum(*size, bytes)))
        mm_hdf5_fail(hdf5, hdf5->failure, "is damaged: its description does not fit its checksum");
    if (hdf5->status == MM_OK)
        return (char *)bytes;
    free(bytes);
    return NULL;
}

/* Place of a text in the description; TEXTS if it has none of that name. */
static int find_text(const char *name)
{
    int i = 0;
    while (i < TEXTS && strcmp(names[i], name) != 0)
        i++;
    return i;
}

bool mm_hdf5_root_describes(hid_t file, const char *name)
{
    return find_text(name) < TEXTS && H5Aexists(file, DESCRIPTION) > 0;
}

static char *read_described(struct mm_hdf5 *hdf5, hid_t file, const char *name)
{
    size_t size = 0;
    char *text = NULL;
    char *description = read_description(hdf5, file, &size);
    if (description == NULL)
        return NULL;
    const char *at = description;
    for (int i = find_text(name); i > 0 && at < description + size; i--)
        at += strlen(at) + 1;
    if (at == description + size)
        mm_hdf5_fail(hdf5, hdf5->failure, "is damaged: its description is not complete");
    else if ((text = H5allocate_memory(strlen(at) + 1, false)) == NULL)
        mm_hdf5_fail(hdf5, MM_ERROR_MEMORY, "out of memory for its description");
    else
        strcpy(text, at);
    free(description);
    return text;
}

char *mm_hdf5_read_text(struct mm_hdf5 *hdf5, hid_t object, const char *name)
{
    char *text = NULL;
    if (hdf5->status == MM_OK && mm_hdf5_root_describes(object, name))
        return read_described(hdf5, object, name);
    hid_t type = mm_hdf5_text_type(hdf5);
    mm_hdf5_read_attribute(hdf5, object, name, type, &text);
    mm_hdf5_close(hdf5, type, H5Tclose, name);
    if (text == NULL)
        mm_hdf5_fail(hdf5, hdf5->failure, "a text attribute is empty");
    return text;
}

void mm_hdf5_check_text(struct mm_hdf5_file *file, const char *name, const char *what, const char *here)
{
    char difference[MM_ERROR_MESSAGE_SIZE];
    char *there = mm_hdf5_read_text(&file->hdf5, file->file, name);
    if (there != NULL && strcmp(there, here) != 0) {
        mm_text_difference(what, there, here, sizeof difference, difference);
        mm_hdf5_fail(&file->hdf5, MM_ERROR_INPUT, difference);
    }
    H5free_memory(there);
}

/* ----------------------------------------------------------------------------------------------- file */

static mm_status check_regular_file(const char *path, struct mm_error *error)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return mm_fail(error, mm_disk_status(errno, MM_ERROR_INPUT), "%s: cannot be read: %s", path,
                       strerror(errno));
    if (!S_ISREG(status.st_mode))
        return mm_fail(error, MM_ERROR_INPUT, "%s: is not a regular file", path);
    return MM_OK;
}

const char *mm_file_kind_text(enum mm_file_kind kind)
{
    static const char *const texts[] = {
#define KIND_TEXT(name, text) text,
        MM_FILE_KIND_LIST(KIND_TEXT)
#undef KIND_TEXT
    };
    return texts[kind];
}

static void find_kind(struct mm_hdf5_file *file)
{
    struct mm_hdf5 *hdf5 = &file->hdf5;
    char *kind = mm_hdf5_read_text(hdf5, file->file, "kind");
    bool known = false;
#define FIND_KIND(name, text)                                                                                      \
    if (kind != NULL && strcmp(kind, text) == 0) {                                                                 \
        file->kind = name;                                                                                         \
        known = true;                                                                                              \
    }
    MM_FILE_KIND_LIST(FIND_KIND)
#undef FIND_KIND
    if (!known)
        mm_hdf5_fail(hdf5, MM_ERROR_INPUT, "is of a kind that this version of " PROGRAM_NAME " cannot read");
    H5free_memory(kind);
}

static void find_identity(struct mm_hdf5_file *file)
{
    struct mm_hdf5 *hdf5 = &file->hdf5;
    if (hdf5->status != MM_OK)
        return;
    htri_t ours = H5Aexists(file->file, "program");
    char *program = ours > 0 ? mm_hdf5_read_text(hdf5, file->file, "program") : NULL;
    if (program == NULL || strcmp(program, PROGRAM_NAME) != 0)
        mm_hdf5_fail(hdf5, MM_ERROR_INPUT, "is not a file of " PROGRAM_NAME);
    H5free_memory(program);
    if (hdf5->status == MM_OK)
        find_kind(file);
}

mm_status mm_hdf5_file_open(struct mm_hdf5_file *file, const char *path, struct mm_error *error)
{
    *file = (struct mm_hdf5_file){.file = -1};
    mm_status status = check_regular_file(path, error);
    if (status != MM_OK)
        return status;
    mm_hdf5_begin(&file->hdf5, path, MM_ERROR_INPUT, error);
    file->file = mm_hdf5_check(&file->hdf5, H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT), "read", "HDF5 file");
    find_identity(file);
    return file->hdf5.status == MM_OK ? MM_OK : mm_hdf5_file_close(file);
}

bool mm_hdf5_is_complete(struct mm_hdf5_file *file)
{
    int8_t complete = 1;
    if (file->hdf5.status == MM_OK && H5Aexists(file->file, "complete") > 0)
        mm_hdf5_read_attribute(&file->hdf5, file->file, "complete", H5T_NATIVE_INT8, &complete);
    return complete != 0;
}

mm_status mm_hdf5_file_close(struct mm_hdf5_file *file)
{
    mm_hdf5_close(&file->hdf5, file->file, H5Fclose, "file");
    file->file = -1;
    return mm_hdf5_end(&file->hdf5);
}
