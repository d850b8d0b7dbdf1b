/* projector_checks.h - the derivative of a passive energy, multiplied out. */
#ifndef MM_TESTS_SUPPORT_PROJECTOR_CHECKS_H
#define MM_TESTS_SUPPORT_PROJECTOR_CHECKS_H

#include <stddef.h>

#include "cpu/loops.h"
#include "spectrum/eigen.h"

/** p 1 - F F^T, one element after the other.
 *  @param dense  [levels][levels], out */
static inline void multiply_out(const struct mm_projector *projector, double *dense)
{
    const size_t levels = (size_t)projector->levels;
    for (size_t n = 0; n < levels; n++)
        for (size_t m = 0; m < levels; m++) {
            double sum = n == m ? projector->count : 0.0;
            for (size_t k = 0; k < (size_t)projector->count; k++)
                sum -= projector->factor[n * projector->factor_stride + k] *
                       projector->factor[m * projector->factor_stride + k];
            dense[n * levels + m] = sum;
        }
}

/** The same derivative, sum_k k v_k v_k^T, of the eigenvectors that mm_eigen_solve has found. */
static inline void derivative_of_vectors(const struct mm_eigen *eigen, int levels, double *dense)
{
    const size_t stride = mm_eigen_stride(levels);
    for (int n = 0; n < levels; n++)
        for (int m = 0; m < levels; m++) {
            double sum = 0.0;
            for (int k = 0; k < levels; k++)
                sum += (levels - 1 - k) * eigen->vectors[(size_t)n * stride + (size_t)k] *
                       eigen->vectors[(size_t)m * stride + (size_t)k];
            dense[n * levels + m] = sum;
        }
}

#endif
