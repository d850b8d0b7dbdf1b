/* direction.cuh - a collision forward, or backward without derivatives: the same march over other factors. */
#ifndef MM_CUDA_KERNELS_DIRECTION_CUH
#define MM_CUDA_KERNELS_DIRECTION_CUH

#include "model/collision.h"

enum mm_direction {
    MM_FORWARD,  /* Phi, of states */
    MM_BACKWARD, /* Phi^T, of adjoints */
};

/** Factors of a column. */
template <enum mm_direction DIRECTION>
__device__ __forceinline__ struct mm_forward_factors mm_direction_column(struct mm_qubit qubit,
                                                                         struct mm_column column)
{
    return DIRECTION == MM_FORWARD ? mm_forward_column(qubit, column) : mm_backward_column(qubit, column);
}

/** Factors of a row. */
template <enum mm_direction DIRECTION> __device__ __forceinline__ struct mm_row mm_direction_row(struct mm_row row)
{
    return DIRECTION == MM_FORWARD ? row : mm_backward_row(row);
}

#endif
