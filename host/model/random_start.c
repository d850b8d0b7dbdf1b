/* random_start.c - random starts of the search, the same on every machine, backend and restart.
 *
 * Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11) maps a
 * counter and a key to four random words. Here the key is the seed and the counter names the batch of one start:
 *
 *     key      (seed mod 2^32, seed / 2^32)
 *     counter  (g_index, lambda_index, start, batch)
 *     c = floor((2^32 word_0 + word_1) / 2^11) / 2^53,     q likewise from words 2 and 3,
 *
 * so that c and q take every multiple of 2^-53 in [0, 1) with equal probability.
 */
#include "micromaser.h"
#include "model/random_words.h"

void mm_random_start(uint64_t seed, int32_t g_index, int32_t lambda_index, int32_t start, size_t free_batches,
                     double *parameters)
{
    for (size_t batch = 0; batch < free_batches; batch++) {
        philox4x32_ctr_t counter = {{(uint32_t)g_index, (uint32_t)lambda_index, (uint32_t)start, (uint32_t)batch}};
        philox4x32_ctr_t words = mm_random_words(seed, counter);
        parameters[2 * batch] = mm_uniform_from_words(words.v[0], words.v[1]);
        parameters[2 * batch + 1] = mm_uniform_from_words(words.v[2], words.v[3]);
    }
}
