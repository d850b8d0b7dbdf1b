/* noise.c - noise in the qubits and the coupling of a protocol: what each collision is made with.
 *
 * Realisation r draws for collision k (or for its batch b) from Philox4x32-10 with the seed as key and the counter
 *
 *     (k mod 2^32, k / 2^32, r, 0)   c and q once a collision
 *     (b, 0, r, 1)                   c and q once a batch
 *     (k mod 2^32, k / 2^32, r, 2)   g, always once a collision
 *
 * so that the noise is the same for every curve, on any number of threads. Four words give two uniform numbers
 * u, v; a gaussian pair is sqrt(-2 ln(1-u)) (cos 2 pi v, sin 2 pi v) (Box and Muller 1958), a uniform one
 * (2u - 1, 2v - 1), each times its width.
 */
#include <math.h>

#include "model/noise.h"
#include "model/random_words.h"

enum { STREAM_COLLISION, STREAM_BATCH, STREAM_COUPLING };

/* Two independent draws of width 1. */
static void draw_pair(const struct mm_noise *noise, philox4x32_ctr_t counter, double pair[2])
{
    const philox4x32_ctr_t words = mm_random_words(noise->seed, counter);
    const double u = mm_uniform_from_words(words.v[0], words.v[1]);
    const double v = mm_uniform_from_words(words.v[2], words.v[3]);
    if (noise->shape == MM_NOISE_UNIFORM) {
        pair[0] = 2.0 * u - 1.0;
        pair[1] = 2.0 * v - 1.0;
    } else {
        const double radius = sqrt(-2.0 * log1p(-u)), angle = 2.0 * M_PI * v;
        pair[0] = radius * cos(angle);
        pair[1] = radius * sin(angle);
    }
}

static double clip(double value, int64_t *clipped)
{
    const double inside = fmin(fmax(value, 0.0), 1.0);
    *clipped += inside != value;
    return inside;
}

struct mm_drawn_collision mm_noise_draw(const struct mm_problem *problem, struct mm_protocol protocol,
                                        const struct mm_curve *curve, const struct mm_noise *noise,
                                        int64_t realisation, int64_t collision, struct mm_clipped *clipped)
{
    const int batch = mm_protocol_batch(protocol, collision, 0);
    const uint32_t low = (uint32_t)collision, high = (uint32_t)(collision >> 32), r = (uint32_t)realisation;
    double own[2], qubit[2], coupling[2];
    mm_protocol_parameters(problem, curve->parameters, (size_t)batch, own);
    struct mm_drawn_collision drawn = {own[0], own[1], curve->g};
    if (noise->c_width > 0.0 || noise->q_width > 0.0) {
        const philox4x32_ctr_t by_collision = {{low, high, r, STREAM_COLLISION}};
        const philox4x32_ctr_t by_batch = {{(uint32_t)batch, 0, r, STREAM_BATCH}};
        const bool repeated = noise->per_batch && collision > mm_protocol_begin(protocol, batch);
        struct mm_clipped uncounted = {0};
        struct mm_clipped *count = repeated ? &uncounted : clipped;
        draw_pair(noise, noise->per_batch ? by_batch : by_collision, qubit);
        drawn.c = clip(drawn.c + noise->c_width * qubit[0], &count->c);
        drawn.q = clip(drawn.q + noise->q_width * qubit[1], &count->q);
        count->drawn++;
    }
    if (noise->g_width > 0.0) {
        const philox4x32_ctr_t counter = {{low, high, r, STREAM_COUPLING}};
        draw_pair(noise, counter, coupling);
        drawn.g += noise->g_width * coupling[0];
    }
    return drawn;
}
