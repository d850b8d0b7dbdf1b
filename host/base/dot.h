/* dot.h - the inner product, with one fixed order of summation. */
#ifndef MM_BASE_DOT_H
#define MM_BASE_DOT_H

#include <stddef.h>

/** Sum of a_i b_i. Four partial sums hide the latency of the additions; their order never depends on where the
 *  arrays lie in memory, as it does in a BLAS, so that equal input gives equal bits. */
static inline double mm_dot(size_t n, const double *a, const double *b)
{
    double sum[4] = {0.0, 0.0, 0.0, 0.0};
    size_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (size_t part = 0; part < 4; part++)
            sum[part] += a[i + part] * b[i + part];
    for (; i < n; i++)
        sum[0] += a[i] * b[i];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

#endif
