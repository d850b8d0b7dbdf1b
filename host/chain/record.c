/* record.c - packs finished chains into checksummed records of fixed size, and checks and unpacks them. */
#include <string.h>
#include <zlib.h>

#include "base/text.h"
#include "chain/record.h"
#include "chain/columns.h"
#include "chain/grid.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "records are copied from memory in its byte order");

enum { NUMBER_SIZE = sizeof(int64_t), CRC_SIZE = sizeof(uint32_t) };

/* FNV-1a: http://www.isthe.com/chongo/tech/comp/fnv/ */
static uint64_t hash(uint64_t value, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++)
        value = (value ^ bytes[i]) * 0x100000001b3u;
    return value;
}

uint64_t mm_run_fingerprint(const struct mm_config *config)
{
    const uint32_t version = MM_RESULTS_VERSION;
    uint64_t value = hash(0xcbf29ce484222325u, &version, sizeof version);
    return hash(value, config->text, strlen(config->text));
}

mm_status mm_run_check_configuration(const char *path, const char *there, const char *here, struct mm_error *error)
{
    char difference[MM_ERROR_MESSAGE_SIZE];
    if (strcmp(there, here) == 0)
        return MM_OK;
    mm_text_difference("configuration", there, here, sizeof difference, difference);
    return mm_fail(error, MM_ERROR_INPUT, "%s: %s", path, difference);
}

static size_t columns_size(size_t batch_count)
{
    size_t size = 0;
    for (size_t i = 0; i < mm_chain_column_count; i++)
        size += mm_chain_column_size(&mm_chain_columns[i], batch_count);
    return size;
}

size_t mm_chain_record_size(size_t batch_count)
{
    return NUMBER_SIZE + columns_size(batch_count) + CRC_SIZE;
}

/* CRC of a record of `covered` bytes before its CRC. */
static uint32_t checksum(uint64_t fingerprint, const unsigned char *record, size_t covered)
{
    unsigned char key[sizeof fingerprint];
    memcpy(key, &fingerprint, sizeof key);
    uLong crc = crc32_z(0, key, sizeof key);
    return (uint32_t)crc32_z(crc, record, covered);
}

void mm_chain_record_pack(uint64_t fingerprint, size_t batch_count, int64_t index, const struct mm_chain *chain,
                          unsigned char *record)
{
    unsigned char *at = record;
    memcpy(at, &index, NUMBER_SIZE);
    at += NUMBER_SIZE;
    for (size_t i = 0; i < mm_chain_column_count; i++) {
        mm_chain_column_take(&mm_chain_columns[i], batch_count, chain, (char *)at);
        at += mm_chain_column_size(&mm_chain_columns[i], batch_count);
    }
    uint32_t crc = checksum(fingerprint, record, (size_t)(at - record));
    memcpy(at, &crc, CRC_SIZE);
}

static uint32_t stored_checksum(size_t batch_count, const unsigned char *record)
{
    uint32_t crc = 0;
    memcpy(&crc, record + mm_chain_record_size(batch_count) - CRC_SIZE, CRC_SIZE);
    return crc;
}

/* Copies the columns of a record into a chain: its parameters where it has storage for them, else only the rest. */
static void take_columns(size_t batch_count, const unsigned char *record, struct mm_chain *chain)
{
    bool with_parameters = chain->initial != NULL;
    const unsigned char *at = record + NUMBER_SIZE;
    for (size_t i = 0; i < mm_chain_column_count; i++) {
        if (with_parameters || mm_chain_columns[i].kind != MM_CHAIN_COLUMN_PARAMETERS)
            mm_chain_column_put(&mm_chain_columns[i], batch_count, (const char *)at, chain);
        at += mm_chain_column_size(&mm_chain_columns[i], batch_count);
    }
}

void mm_chain_record_place(size_t batch_count, const unsigned char *record, struct mm_chain *chain)
{
    struct mm_chain all = {0};
    take_columns(batch_count, record, &all);
    *chain = (struct mm_chain){.start = all.start};
#define POSITION(name, long_name) chain->name##_index = all.name##_index;
    MM_AXIS_LIST(POSITION)
#undef POSITION
}

static bool is_end(enum mm_stop_reason reason)
{
    switch (reason) {
#define CASE(name, text) case name:
        MM_STOP_REASON_LIST(CASE)
#undef CASE
        return reason != MM_RUNNING;
    }
    return false;
}

int64_t mm_chain_record_check(uint64_t fingerprint, const struct mm_config *config, const unsigned char *record)
{
    size_t covered = mm_chain_record_size(config->batch_count) - CRC_SIZE;
    if (stored_checksum(config->batch_count, record) != checksum(fingerprint, record, covered))
        return -1;
    int64_t index = -1;
    memcpy(&index, record, NUMBER_SIZE);
    if (index < 0 || index >= mm_config_chains(config))
        return -1;
    struct mm_chain chain = {0};
    take_columns(config->batch_count, record, &chain);
    return mm_grid_index_of(config, &chain) == index && is_end(chain.status) ? index : -1;
}

void mm_chain_record_unpack(size_t batch_count, const unsigned char *record, double *parameters,
                            struct mm_chain *chain)
{
    *chain = (struct mm_chain){.initial = parameters, .final = parameters + 2 * batch_count};
    take_columns(batch_count, record, chain);
    chain->finished = true;
}
