/* known_protocols.h - the paper's protocols and what their long evolutions are known to reach. */
#ifndef MM_TESTS_SUPPORT_KNOWN_PROTOCOLS_H
#define MM_TESTS_SUPPORT_KNOWN_PROTOCOLS_H

#include <math.h>

#include "micromaser.h"

/** The paper's coupling away from fine tuning: Eq. 9 with Q = 1, m = 16, epsilon = -0.4. */
static inline double coupling(void)
{
    return acos(-1.0) / sqrt(15.6);
}

static const struct mm_batch identical[] = {{.qubits = 1000}};
static const struct mm_batch two_batches[] = {{.qubits = 500}, {.qubits = 500}};
static const struct mm_batch improved[] = {{.qubits = 500, .fixed = true}, {.qubits = 1000}};

/** Ergotropies after 10^3, 10^4 and 10^5 collisions with the paper's rounded parameters, four digits after the
 *  point. */
static const struct long_evolution {
    int levels;
    size_t batch_count;
    const struct mm_batch *batches;
    double parameters[4];
    double ergotropy[3];
} long_evolutions[] = {
    {200, 1, identical, {0.310, 0.145}, {12.7736, 14.1488, 25.8632}},
    {200, 1, identical, {0.390, 0.168}, {11.2486, 11.3712, 12.5916}},
    {200, 1, identical, {0.553, 0.190}, {9.4200, 9.4210, 9.4318}},
    {150, 2, two_batches, {0.150, 0.079, 0.361, 0.150}, {18.4478, 18.8265, 21.9295}},
    {150, 2, improved, {0.449, 0.208}, {28.2601, 28.3969, 28.4736}},
};

enum { LONG_EVOLUTIONS = sizeof long_evolutions / sizeof long_evolutions[0] };

#endif
