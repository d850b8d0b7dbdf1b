/* protocols.h - charging protocols for the physics tests: one stream of qubits, or random batches. */
#ifndef MM_TESTS_SUPPORT_PROTOCOLS_H
#define MM_TESTS_SUPPORT_PROTOCOLS_H

#include "support/density_checks.h"
#include "micromaser.h"

enum { PROTOCOL_BATCHES_MAX = 64 };

/** One batch of free qubits. Not to be copied: it points into itself. */
struct stream {
    struct mm_batch batch;
    struct mm_problem problem; /* tail 1, band_tolerance 0 */
    double parameters[2];
    struct mm_point point; /* lambda 1 */
};

static inline void stream_set(struct stream *stream, int levels, int64_t qubits, double g, double c, double q)
{
    *stream = (struct stream){
        .batch = {.qubits = qubits},
        .problem = {.levels = levels, .batch_count = 1, .batches = &stream->batch, .tail = 1},
        .parameters = {c, q},
        .point = {.g = g, .lambda = 1.0, .parameters = stream->parameters},
    };
}

/** A protocol of free batches. Not to be copied: it points into itself. */
struct protocol {
    struct mm_batch batches[PROTOCOL_BATCHES_MAX];
    struct mm_problem problem;
    double parameters[2 * PROTOCOL_BATCHES_MAX];
    struct mm_point point;
};

/** Random batches of 1 .. longest qubits, random c, q, g and lambda; band_tolerance 0. */
static inline void protocol_draw(struct protocol *protocol, uint64_t *random, int levels, size_t batches,
                                 int longest)
{
    int64_t collisions = 0;
    *protocol = (struct protocol){
        .problem = {.levels = levels, .batch_count = batches, .batches = protocol->batches},
        .point = {.g = 0.1 + 2.4 * random_uniform(random),
                  .lambda = 5.0 * random_uniform(random),
                  .parameters = protocol->parameters},
    };
    for (size_t i = 0; i < batches; i++) {
        protocol->batches[i] = (struct mm_batch){.qubits = random_integer(random, 1, longest)};
        protocol->parameters[2 * i] = random_uniform(random);
        protocol->parameters[2 * i + 1] = random_uniform(random);
        collisions += protocol->batches[i].qubits;
    }
    protocol->problem.tail = random_integer(random, 1, (int)collisions);
}

#endif
