/* share.h - which chains of a run are one task's. */
#ifndef MM_CHAIN_SHARE_H
#define MM_CHAIN_SHARE_H

#include "micromaser.h"

/** The chains of one task. Every T-th of the chains that were missing when the first task of the round began is one
 *  task's, so that tasks that start early, late, one after another or again have shares that never overlap and
 *  leave nothing out. With `agree` the shares are of grid points, whose starts decide together. */
struct mm_share {
    int64_t starts;       /* chains of a unit: 1, or with `agree` all starts of a grid point */
    unsigned char *units; /* one bit a unit, set for those of this task; owned */
};

/** Bytes of one bit a unit, one bit, and setting it. */
size_t mm_share_bitmap_size(int64_t units);
bool mm_share_has_bit(const unsigned char *bits, int64_t unit);
void mm_share_set_bit(unsigned char *bits, int64_t unit);

/** Chains that are shared out together: `starts` of struct mm_share. */
int64_t mm_share_chains_of_unit(const struct mm_config *config);

/** The share of task `index` of `count`: the index-th, (index + count)-th, .. unit of those that were missing. The
 *  others are somebody's too, should they turn out to be damaged later.
 *  @param missing  one bit a unit
 *  @param share    out; release with mm_share_free */
mm_status mm_share_create(struct mm_share *share, const struct mm_config *config, int64_t index, int64_t count,
                          const unsigned char *missing, struct mm_error *error);

/** Whether a chain belongs to the share; share NULL stands for all chains. */
bool mm_share_has(const struct mm_share *share, int64_t index);

void mm_share_free(struct mm_share *share);

#endif
