/* chain_sort.cuh - chains of a batch in the order of what is to be done with them next. */
#ifndef MM_CUDA_BACKEND_CHAIN_SORT_CUH
#define MM_CUDA_BACKEND_CHAIN_SORT_CUH

#include <cuda_runtime.h>

#include "kernels/chain_batch.cuh"
#include "micromaser.h"

/** What a chain is sorted by: the kind of its state, live levels, diagonals; those that outgrew the class last. */
enum {
    MM_SORT_BLOCKS_MAX = 8,
    MM_KEY_LEVELS = 1 << 13, /* times the live levels, plus the diagonals */
    MM_KEY_COHERENT =
        1 << 26, /* plus this if the chain ever meets a coherent qubit: else its states are diagonal */
    MM_KEY_OVERFLOW = 0x7fffffff,
};

/** Device memory that a sort takes as scratch, kept for the next one: memory given back would hold up every other
 *  stream. Zero-initialise before the first use. */
struct mm_sort_scratch {
    struct {
        void *data;
        size_t bytes;
        bool taken;
    } blocks[MM_SORT_BLOCKS_MAX];
};

void mm_sort_scratch_free(struct mm_sort_scratch *scratch);

/** The key without the number of diagonals: the same for chains whose eigenvalue problems are alike. */
static inline int mm_key_group(int key)
{
    return key / MM_KEY_LEVELS;
}

static inline int mm_key_levels(int key)
{
    return key % MM_KEY_COHERENT / MM_KEY_LEVELS;
}

static inline bool mm_key_diagonal(int key)
{
    return key < MM_KEY_COHERENT;
}

/** Sorts rows by their keys, smallest first; equal ones stay in their order.
 *  @param order  [count], device memory, in and out
 *  @param keys   [count], device memory, out, sorted */
mm_status mm_cuda_sort_chains(const struct mm_chain_batch &batch, int count, int *order, int *keys,
                              struct mm_sort_scratch *scratch, cudaStream_t stream, struct mm_error *error);

#endif
