/* journal.c - libFuzzer target of the journal reader: headers and records.
 *
 * Input: the number of a byte (3 bytes), a byte of flags, and the bytes of a journal; or, as a flag says, bytes
 * that are added to those of a good journal from that byte on, and where it is cut. Because no random change gets
 * past a CRC, flags ask for the CRCs of the header's copies and of the record at that byte to be made right first.
 * Whatever the bytes are, a header is either refused with one line, or packing it gives a header that reads the
 * same; and a record is either refused, or packing what it unpacks to gives the same bytes.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "store/journal.h"

enum { PREFIX = 4, BLOCK = 4096, BATCHES = 2, FIX_HEADER = 1, FIX_RECORD = 2, ADD = 4, CUT = 8, CRC_SIZE = 4 };

static const char search[] = "[cavity]\nlevels = 8\n[coupling]\ng = 0.7,0.8\n[batch.1]\nqubits = 2\n"
                             "[batch.2]\nqubits = 3\n[loss]\nlambda = 1,2\n[search]\nstarts = 3\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "%s\n", what);
    abort();
}

/* Makes the CRC right of a copy of a header that begins at data[offset], if it ends within the data. */
static void fix_copy(uint8_t *data, size_t size, size_t offset)
{
    enum { SIZE_AT = 16 };
    uint64_t length = 0;
    if (size - offset < SIZE_AT + sizeof length)
        return;
    memcpy(&length, data + offset + SIZE_AT, sizeof length);
    if (length < CRC_SIZE || length > size - offset)
        return;
    uint32_t crc = (uint32_t)crc32_z(0, data + offset, (size_t)length - CRC_SIZE);
    memcpy(data + offset + length - CRC_SIZE, &crc, CRC_SIZE);
}

static bool same_header(const struct mm_journal_header *a, const struct mm_journal_header *b)
{
    return a->fingerprint == b->fingerprint && strcmp(a->configuration, b->configuration) == 0 &&
           strcmp(a->command_line, b->command_line) == 0 && strcmp(a->folder, b->folder) == 0 &&
           strcmp(a->host, b->host) == 0 && strcmp(a->backend, b->backend) == 0 &&
           strcmp(a->device, b->device) == 0 && a->process == b->process && a->start_time == b->start_time &&
           memcmp(&a->task, &b->task, sizeof a->task) == 0;
}

static void check_header(const uint8_t *data, size_t size)
{
    struct mm_journal_header header;
    struct mm_journal_header again;
    struct mm_error error = {0};
    int64_t first = 0;
    size_t record_size = 0;
    if (mm_journal_header_parse(data, size, &header, &first, &record_size, &error) != MM_OK) {
        require(error.message[0] != '\0' && strpbrk(error.message, "\r\n\033") == NULL, "no message of one line");
        return;
    }
    unsigned char *bytes = NULL;
    size_t packed = 0;
    require(first > 0 && first % BLOCK == 0, "records begin at an odd place");
    require(record_size >= mm_chain_record_size(1) && record_size <= mm_chain_record_size(MM_BATCHES_MAX),
            "odd records");
    require(header.task.index >= 0 && header.task.index < header.task.count, "odd task");
    require(mm_journal_header_pack(&header, record_size, &bytes, &packed, NULL) == MM_OK, "cannot be packed");
    require((int64_t)packed == first, "packed to another size");
    require(mm_journal_header_parse(bytes, packed, &again, &first, &record_size, NULL) == MM_OK, "not read again");
    require(same_header(&header, &again), "another header");
    free(bytes);
    mm_journal_header_free(&header);
    mm_journal_header_free(&again);
}

static void check_record(const struct mm_config *config, bool fix, uint8_t *record, size_t size)
{
    size_t record_size = mm_chain_record_size(BATCHES);
    uint64_t fingerprint = mm_run_fingerprint(config);
    if (size < record_size)
        return;
    if (fix) {
        unsigned char key[sizeof fingerprint];
        memcpy(key, &fingerprint, sizeof key);
        uint32_t crc = (uint32_t)crc32_z(crc32_z(0, key, sizeof key), record, record_size - CRC_SIZE);
        memcpy(record + record_size - CRC_SIZE, &crc, CRC_SIZE);
    }
    int64_t index = mm_chain_record_check(fingerprint, config, record);
    if (index < 0)
        return;
    double parameters[4 * BATCHES];
    struct mm_chain chain;
    unsigned char *again = malloc(record_size);
    require(again != NULL, "no memory");
    require(index < mm_config_chains(config), "outside the grid");
    mm_chain_record_unpack(BATCHES, record, parameters, &chain);
    mm_chain_record_pack(fingerprint, BATCHES, index, &chain, again);
    require(memcmp(record, again, record_size) == 0, "another record");
    free(again);
}

/* The bytes of a good journal of one record. */
static uint8_t *make_journal(const struct mm_config *config, size_t *size)
{
    static char text[] = "text";
    const struct mm_journal_header header = {.configuration = config->text,
                                             .command_line = text,
                                             .folder = text,
                                             .host = "host",
                                             .backend = "cpu",
                                             .device = "made up",
                                             .task = {.count = 1, .host_count = 1}};
    double parameters[4 * BATCHES] = {0};
    const struct mm_chain chain = {
        .initial = parameters, .final = parameters + 2 * BATCHES, .status = MM_CONVERGED_FTOL};
    unsigned char *bytes = NULL;
    size_t record_size = mm_chain_record_size(BATCHES);
    require(mm_journal_header_pack(&header, record_size, &bytes, size, NULL) == MM_OK, "cannot be packed");
    bytes = realloc(bytes, *size + record_size);
    require(bytes != NULL, "no memory");
    mm_chain_record_pack(mm_run_fingerprint(config), BATCHES, 0, &chain, bytes + *size);
    *size += record_size;
    return bytes;
}

/* The bytes to be read, in memory of just their size: reading beyond it is an error that sanitizers see. */
static uint8_t *make_input(const struct mm_config *config, uint8_t flags, size_t offset, const uint8_t *data,
                           size_t *size)
{
    size_t data_size = *size;
    if ((flags & ADD) == 0) {
        uint8_t *bytes = malloc(data_size);
        require(bytes != NULL || data_size == 0, "no memory");
        return data_size == 0 ? bytes : memcpy(bytes, data, data_size);
    }
    uint8_t *bytes = make_journal(config, size);
    for (size_t i = 0; i < data_size && offset + i < *size; i++)
        bytes[offset + i] = (uint8_t)(bytes[offset + i] + data[i]);
    if ((flags & CUT) != 0 && offset + data_size < *size) {
        *size = offset + data_size;
        bytes = realloc(bytes, *size + (*size == 0));
        require(bytes != NULL, "no memory");
    }
    return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < PREFIX)
        return 0;
    struct mm_config config;
    require(mm_config_parse("fuzz", search, strlen(search), 0, NULL, &config, NULL) == MM_OK, "no configuration");
    size_t offset = data[0] | (size_t)data[1] << 8 | (size_t)data[2] << 16;
    uint8_t flags = data[3];
    size -= PREFIX;
    uint8_t *bytes = make_input(&config, flags, offset, data + PREFIX, &size);
    for (size_t block = 0; (flags & FIX_HEADER) != 0 && block < size; block += BLOCK)
        fix_copy(bytes, size, block);
    check_header(bytes, size);
    if (offset < size)
        check_record(&config, (flags & FIX_RECORD) != 0, bytes + offset, size - offset);
    free(bytes);
    mm_config_free(&config);
    return 0;
}
