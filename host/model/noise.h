/* noise.h - noise in the qubits and the coupling of a protocol: what each collision is made with. */
#ifndef MM_MODEL_NOISE_H
#define MM_MODEL_NOISE_H

#include "model/drawn_collision.h"
#include "model/protocol.h"

/** Distributions of noise. X(enumerator, name on the command line). */
#define MM_NOISE_LIST(X)                                                                                           \
    X(MM_NOISE_GAUSSIAN, "gaussian")                                                                               \
    X(MM_NOISE_UNIFORM, "uniform")

#define MM_NOISE_ENUM(name, text) name,
enum mm_noise_shape { MM_NOISE_LIST(MM_NOISE_ENUM) };
#undef MM_NOISE_ENUM

/** Noise that is added to the parameters of a protocol. A width is the standard deviation of a gaussian, or half
 * the range of a uniform distribution around 0; c and q are clipped to [0, 1]. */
struct mm_noise {
    enum mm_noise_shape shape;
    double c_width;
    double q_width;
    double g_width;
    bool per_batch; /* c and q are drawn once a batch and not once a collision; g always is once a collision */
    uint64_t seed;
};

/** How often noise left [0, 1]. */
struct mm_clipped {
    int64_t drawn; /* pairs (c, q); one for the whole of a batch where they are drawn once a batch */
    int64_t c;     /* clipped values of c */
    int64_t q;
};

/** The collision number `collision` of a realisation of a curve; adds to *clipped, with noise once a batch at the
 *  first collision of the batch alone. Every curve of a realisation meets the same noise. The result depends on the
 *  arguments alone.
 *  @param protocol  of the problem */
struct mm_drawn_collision mm_noise_draw(const struct mm_problem *problem, struct mm_protocol protocol,
                                        const struct mm_curve *curve, const struct mm_noise *noise,
                                        int64_t realisation, int64_t collision, struct mm_clipped *clipped);

#endif
