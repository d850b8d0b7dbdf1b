/* journal_header.c - the header of a journal as bytes, checked when it is read.
 *
 * A header is there twice, each copy in whole blocks of its own, so that one damaged block costs one copy. A copy,
 * all numbers little-endian:
 *
 *     offset  0   char[8]    mark
 *             8   uint32     version of the format
 *            12   uint32     number of the copy, 0 or 1: it lies at this number times its size in whole blocks
 *            16   uint64     bytes of the copy, CRC included
 *            24   uint64     bytes of a record
 *            32   uint64     fingerprint of the run
 *            40   int64[4]   process, start time, task, tasks
 *            72   int32[2]   host index, host count
 *            80   7 texts    each its length as uint32 and its bytes: configuration, command line, folder, host,
 *                            backend, device, round
 *                 uint32     CRC-32 of all before it
 *
 * and zeros up to the next block.
 */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "store/journal.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are copied from memory in its byte order");

enum { BLOCK = 4096, MARK_SIZE = 8, VERSION = 1, COPIES = 2, TEXTS = 7, FIXED_SIZE = 80, CRC_SIZE = 4 };

static const char mark[MARK_SIZE] = "\211MMJ\r\n\032\n";

/* The part of a copy before its texts, without gaps. */
struct fixed_part {
    char mark[MARK_SIZE];
    uint32_t version;
    uint32_t copy;
    uint64_t size;
    uint64_t record_size;
    uint64_t fingerprint;
    int64_t process;
    int64_t start_time;
    int64_t task_index;
    int64_t task_count;
    int32_t host_index;
    int32_t host_count;
};
_Static_assert(sizeof(struct fixed_part) == FIXED_SIZE, "the fixed part has no gaps");

void mm_journal_header_free(struct mm_journal_header *header)
{
    free(header->configuration);
    free(header->command_line);
    free(header->folder);
    *header = (struct mm_journal_header){0};
}

static size_t whole_blocks(size_t size)
{
    return (size + BLOCK - 1) / BLOCK * BLOCK;
}

/* -------------------------------------------------------------------------------------------------- packing */

/* The texts of a header in the order of the file. */
static void list_texts(const struct mm_journal_header *header, const char *texts[TEXTS])
{
    const char *const list[TEXTS] = {header->configuration, header->command_line, header->folder,    header->host,
                                     header->backend,       header->device,       header->task.round};
    memcpy(texts, list, sizeof list);
}

static size_t packed_size(const char *const texts[TEXTS])
{
    size_t size = FIXED_SIZE + CRC_SIZE;
    for (int i = 0; i < TEXTS; i++)
        size += sizeof(uint32_t) + strlen(texts[i]);
    return size;
}

static void pack_copy(const struct mm_journal_header *header, const char *const texts[TEXTS], uint32_t copy,
                      size_t size, size_t record_size, unsigned char *bytes)
{
    struct fixed_part fixed = {
        .version = VERSION,
        .copy = copy,
        .size = size,
        .record_size = record_size,
        .fingerprint = header->fingerprint,
        .process = header->process,
        .start_time = header->start_time,
        .task_index = header->task.index,
        .task_count = header->task.count,
        .host_index = header->task.host_index,
        .host_count = header->task.host_count,
    };
    memcpy(fixed.mark, mark, MARK_SIZE);
    memcpy(bytes, &fixed, FIXED_SIZE);
    unsigned char *at = bytes + FIXED_SIZE;
    for (int i = 0; i < TEXTS; i++) {
        uint32_t length = (uint32_t)strlen(texts[i]);
        memcpy(at, &length, sizeof length);
        memcpy(at + sizeof length, texts[i], length);
        at += sizeof length + length;
    }
    uint32_t crc = (uint32_t)crc32_z(0, bytes, (size_t)(at - bytes));
    memcpy(at, &crc, CRC_SIZE);
}

mm_status mm_journal_header_pack(const struct mm_journal_header *header, size_t record_size, unsigned char **bytes,
                                 size_t *size, struct mm_error *error)
{
    const char *texts[TEXTS];
    list_texts(header, texts);
    size_t copy_size = packed_size(texts);
    size_t extent = whole_blocks(copy_size);
    if (extent > MM_JOURNAL_HEADER_MAX / COPIES)
        return mm_fail(error, MM_ERROR_INPUT, "the command line is too long for a journal: %zu bytes",
                       strlen(header->command_line));
    *bytes = calloc(COPIES, extent);
    if (*bytes == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory for the header of a journal");
    for (uint32_t copy = 0; copy < COPIES; copy++)
        pack_copy(header, texts, copy, copy_size, record_size, *bytes + copy * extent);
    *size = COPIES * extent;
    return MM_OK;
}

/* -------------------------------------------------------------------------------------------------- parsing */

/* The fixed part of an intact copy at data[offset]; false if there is none. */
static bool find_copy(const unsigned char *data, size_t size, size_t offset, struct fixed_part *fixed)
{
    size_t left = size - offset;
    if (left < FIXED_SIZE + CRC_SIZE)
        return false;
    memcpy(fixed, data + offset, FIXED_SIZE);
    if (memcmp(fixed->mark, mark, MARK_SIZE) != 0 || fixed->size < FIXED_SIZE + CRC_SIZE || fixed->size > left)
        return false;
    if (fixed->copy >= COPIES || fixed->copy * whole_blocks((size_t)fixed->size) != offset)
        return false;
    uint32_t crc = 0;
    memcpy(&crc, data + offset + fixed->size - CRC_SIZE, CRC_SIZE);
    return crc == (uint32_t)crc32_z(0, data + offset, (size_t)fixed->size - CRC_SIZE);
}

/* Takes the next text off bytes[*at .. end-1]; false if it does not fit or holds a zero byte. */
static bool take_text(const unsigned char *bytes, size_t end, size_t *at, const char **text, size_t *length)
{
    uint32_t count = 0;
    if (end - *at < sizeof count)
        return false;
    memcpy(&count, bytes + *at, sizeof count);
    *at += sizeof count;
    if (end - *at < count)
        return false;
    *text = (const char *)bytes + *at;
    *length = count;
    *at += count;
    return memchr(*text, '\0', count) == NULL;
}

static bool copy_short(char *target, size_t target_size, const char *text, size_t length)
{
    if (length >= target_size)
        return false;
    memcpy(target, text, length);
    target[length] = '\0';
    return true;
}

/* Takes the texts of a copy. MM_ERROR_INPUT if they are not what the format says. */
static mm_status parse_texts(const unsigned char *bytes, size_t size, struct mm_journal_header *header)
{
    const char *text[TEXTS] = {NULL};
    size_t length[TEXTS] = {0};
    size_t at = FIXED_SIZE;
    size_t end = size - CRC_SIZE;
    bool right = true;
    for (int i = 0; i < TEXTS && right; i++)
        right = take_text(bytes, end, &at, &text[i], &length[i]);
    right = right && at == end && copy_short(header->host, sizeof header->host, text[3], length[3]) &&
            copy_short(header->backend, sizeof header->backend, text[4], length[4]) &&
            copy_short(header->device, sizeof header->device, text[5], length[5]) &&
            copy_short(header->task.round, sizeof header->task.round, text[6], length[6]);
    if (!right)
        return MM_ERROR_INPUT;
    header->configuration = strndup(text[0], length[0]);
    header->command_line = strndup(text[1], length[1]);
    header->folder = strndup(text[2], length[2]);
    bool copied = header->configuration != NULL && header->command_line != NULL && header->folder != NULL;
    return copied ? MM_OK : MM_ERROR_MEMORY;
}

static bool sensible(const struct fixed_part *fixed)
{
    return fixed->record_size >= mm_chain_record_size(1) &&
           fixed->record_size <= mm_chain_record_size(MM_BATCHES_MAX) && fixed->task_count >= 1 &&
           fixed->task_count <= MM_TASKS_MAX && fixed->task_index >= 0 && fixed->task_index < fixed->task_count;
}

/* Parses the copy whose fixed part is given. */
static mm_status parse_copy(const struct fixed_part *fixed, const unsigned char *bytes,
                            struct mm_journal_header *header, struct mm_error *error)
{
    if (fixed->version != VERSION)
        return mm_fail(error, MM_ERROR_INPUT, "is a journal of format %u; this program reads format %d",
                       fixed->version, VERSION);
    *header = (struct mm_journal_header){
        .fingerprint = fixed->fingerprint,
        .process = fixed->process,
        .start_time = fixed->start_time,
        .task = {.index = fixed->task_index,
                 .count = fixed->task_count,
                 .host_index = fixed->host_index,
                 .host_count = fixed->host_count},
    };
    mm_status status = sensible(fixed) ? parse_texts(bytes, (size_t)fixed->size, header) : MM_ERROR_INPUT;
    if (status == MM_OK)
        return MM_OK;
    mm_journal_header_free(header);
    return status == MM_ERROR_MEMORY ? mm_fail(error, status, "out of memory for the header of a journal")
                                     : mm_fail(error, status, "is damaged: its header makes no sense");
}

mm_status mm_journal_header_parse(const unsigned char *data, size_t size, struct mm_journal_header *header,
                                  int64_t *first, size_t *record_size, struct mm_error *error)
{
    *header = (struct mm_journal_header){0};
    for (size_t offset = 0; offset < size && offset < MM_JOURNAL_HEADER_MAX; offset += BLOCK) {
        struct fixed_part fixed;
        if (!find_copy(data, size, offset, &fixed))
            continue;
        *first = (int64_t)(COPIES * whole_blocks((size_t)fixed.size));
        *record_size = (size_t)fixed.record_size;
        return parse_copy(&fixed, data + offset, header, error);
    }
    return mm_fail(error, MM_ERROR_INPUT, "is not a journal, or both copies of its header are damaged");
}
