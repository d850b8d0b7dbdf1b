/* random_words.h - numbers from the words of a counter-based random number generator. */
#ifndef MM_MODEL_RANDOM_WORDS_H
#define MM_MODEL_RANDOM_WORDS_H

#include <Random123/philox.h>
#include <stdint.h>

/** The four random words of a counter under a seed: Philox4x32-10 (Salmon, Moraes, Dror and Shaw, SC'11). */
static inline philox4x32_ctr_t mm_random_words(uint64_t seed, philox4x32_ctr_t counter)
{
    philox4x32_key_t key = {{(uint32_t)seed, (uint32_t)(seed >> 32)}};
    return philox4x32_R(10, counter, key);
}

/** Uniform in [0, 1): every multiple of 2^-53 with equal probability. */
static inline double mm_uniform_from_words(uint32_t high, uint32_t low)
{
    return (double)(((uint64_t)high << 32 | low) >> 11) * 0x1p-53;
}

#endif
