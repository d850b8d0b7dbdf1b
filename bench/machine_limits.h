/* machine_limits.h - how fast one core can multiply, load and store, measured. */
#ifndef MACHINE_LIMITS_H
#define MACHINE_LIMITS_H

struct machine_limits {
    const char *instruction_set;     /* "AVX-512" or "AVX2"; NULL if there is neither, and nothing was measured */
    double multiply_adds_per_second; /* fused multiply-adds of doubles, operands in registers */
    double loads_per_second;         /* doubles loaded from the first-level cache */
    double stores_per_second;        /* doubles stored to it */
};

/** Measures the widest instruction set there is, on the calling core; takes about half a second. */
struct machine_limits measure_machine_limits(void);

#endif
