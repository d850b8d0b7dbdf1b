/* clock.h - time for measuring durations. */
#ifndef MM_BASE_CLOCK_H
#define MM_BASE_CLOCK_H

#include <time.h>

/** Seconds since some moment in the past. */
static inline double mm_monotonic_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail: the clock and the pointer are valid */
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#endif
