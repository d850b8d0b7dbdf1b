/* index.h - what a store knows of every chain: its loss, a digest of its record, and its place among the sources of
 * records. It knows nothing of files.
 *
 * Records themselves stay in the sources, so that memory is 24 bytes a chain whatever a record holds. Which copy of
 * a record counts does not matter: two copies of one chain have the same bits, or the store refuses.
 */
#ifndef MM_STORE_INDEX_H
#define MM_STORE_INDEX_H

#include "chain/record.h"

/** Where a record lies: in which source, and which one it is there. */
struct mm_place {
    size_t source; /* < 2^24 - 1 */
    int64_t row;   /* < 2^40 */
};

struct mm_index {
    const struct mm_config *config; /* borrowed */
    uint64_t fingerprint;
    size_t record_size;
    int64_t chain_count;
    double *losses;      /* [chain_count], NAN: not finished */
    uint64_t *digests;   /* [chain_count], of the records of finished chains */
    uint64_t *locations; /* [chain_count], packed places */
    int64_t *needed;    /* [grid points], starts that belong in the result, -1: to be found; NULL without `agree` */
    double *parameters; /* [2][batch_count][2], scratch to unpack a record */
};

/** Makes an index of no chains; false if there is no memory. Release it with mm_index_free in any case. */
bool mm_index_create(struct mm_index *index, const struct mm_config *config);

void mm_index_free(struct mm_index *index);

/** What a record turned out to be. */
enum mm_index_found {
    MM_INDEX_DAMAGED,   /* its checksum is wrong, or it is of another run: nothing was learned */
    MM_INDEX_NEW,       /* a chain that was not known; it has no place yet (mm_index_locate) */
    MM_INDEX_SAME,      /* a copy of what is known */
    MM_INDEX_DIFFERENT, /* another end of a chain that is known: nothing was learned */
};

/** Learns a chain from its record, or compares it with what is known.
 *  @param chain  out: its number, unless the record is damaged */
enum mm_index_found mm_index_learn(struct mm_index *index, const unsigned char *record, int64_t *chain);

/** Place of a chain's record; false if it lies nowhere. */
bool mm_index_place(const struct mm_index *index, int64_t chain, struct mm_place *place);

/** Moves a chain to another place. */
void mm_index_locate(struct mm_index *index, int64_t chain, struct mm_place place);

/** Whether a record is the one that was learned as that chain. */
bool mm_index_is_record_of(const struct mm_index *index, int64_t chain, const unsigned char *record);

/** Makes a chain unknown again. */
void mm_index_forget(struct mm_index *index, int64_t chain);

/** Forgets the chains that lie in sources from which nothing may be read any more. Those that are not needed stay
 *  finished, though no source keeps them, unless one of their grid point that is needed is lost.
 *  @param superseded  says so of a source */
void mm_index_forget_superseded(struct mm_index *index, bool (*superseded)(const void *context, size_t source),
                                const void *context);

/** Whether a chain belongs in the result, and how many do (chain/agreement.h decides where the search has
 * `agree`). */
bool mm_index_wants(const struct mm_index *index, int64_t chain);
int64_t mm_index_wanted(const struct mm_index *index);

#endif
