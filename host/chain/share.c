/* share.c - which chains of a run are one task's. */
#include <stdlib.h>

#include "chain/share.h"

size_t mm_share_bitmap_size(int64_t units)
{
    return (size_t)(units + 7) / 8;
}

bool mm_share_has_bit(const unsigned char *bits, int64_t unit)
{
    return (bits[unit / 8] >> (unit % 8) & 1) != 0;
}

void mm_share_set_bit(unsigned char *bits, int64_t unit)
{
    bits[unit / 8] = (unsigned char)(bits[unit / 8] | 1 << (unit % 8));
}

int64_t mm_share_chains_of_unit(const struct mm_config *config)
{
    return config->agree > 0 ? config->starts : 1;
}

mm_status mm_share_create(struct mm_share *share, const struct mm_config *config, int64_t index, int64_t count,
                          const unsigned char *missing, struct mm_error *error)
{
    const int64_t starts = mm_share_chains_of_unit(config), units = mm_config_chains(config) / starts;
    *share = (struct mm_share){.starts = starts, .units = calloc(mm_share_bitmap_size(units), 1)};
    if (share->units == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory for the share of a task in %lld chains",
                       (long long)mm_config_chains(config));
    int64_t rank = 0;
    for (int64_t unit = 0; unit < units; unit++) {
        const int64_t turn = mm_share_has_bit(missing, unit) ? rank++ : unit;
        if (turn % count == index)
            mm_share_set_bit(share->units, unit);
    }
    return MM_OK;
}

bool mm_share_has(const struct mm_share *share, int64_t index)
{
    return share == NULL || mm_share_has_bit(share->units, index / share->starts);
}

void mm_share_free(struct mm_share *share)
{
    free(share->units);
    *share = (struct mm_share){0};
}
