/* source.h - finished chains, wherever they lie: what a result file is written from. */
#ifndef MM_CHAIN_SOURCE_H
#define MM_CHAIN_SOURCE_H

#include "chain/record.h"

/** Chains of one search, numbered as in chain/grid.h. Borrowed by whoever is given one. */
struct mm_chain_source {
    void *context;
    const struct mm_config *config;
    char backend[16];
    char device[128];
    double seconds; /* computing time so far, summed over the tasks of the run */

    /** Whether chain `index` is finished and belongs in the result (chain/agreement.h). */
    bool (*has)(const void *context, int64_t index);

    /** Loss of a finished chain. */
    double (*loss)(const void *context, int64_t index);

    /** Records of the finished chains indices[0..count-1], which ascend, one after another into records. */
    mm_status (*read)(void *context, size_t count, const int64_t *indices, unsigned char *records,
                      struct mm_error *error);
};

/** As mm_results_best, of any source. */
int64_t mm_chain_source_best(const struct mm_chain_source *source, size_t cell, int64_t *agree);

#endif
