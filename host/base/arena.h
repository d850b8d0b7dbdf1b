/* arena.h - many arrays in one allocation, by laying them out twice: first to count, then for real. */
#ifndef MM_BASE_ARENA_H
#define MM_BASE_ARENA_H

#include <stddef.h>

enum { MM_ARENA_ALIGNMENT = 64 };

/** Where the next array goes. With a NULL base nothing is placed and `used` counts the bytes needed. */
struct mm_arena {
    unsigned char *base; /* aligned to MM_ARENA_ALIGNMENT, or NULL */
    size_t used;         /* bytes, a multiple of MM_ARENA_ALIGNMENT */
};

/** Takes count elements of `size` bytes, aligned to MM_ARENA_ALIGNMENT. NULL while counting.
 *  The caller has made sure that the sum of all its arrays fits a size_t. */
static inline void *mm_arena_take(struct mm_arena *arena, size_t count, size_t size)
{
    void *array = arena->base == NULL ? NULL : arena->base + arena->used;
    arena->used += (count * size + MM_ARENA_ALIGNMENT - 1) / MM_ARENA_ALIGNMENT * MM_ARENA_ALIGNMENT;
    return array;
}

#endif
