/* wigner.cuh - the sums of a Wigner function on a device. */
#ifndef MM_CUDA_WIGNER_WIGNER_CUH
#define MM_CUDA_WIGNER_WIGNER_CUH

extern "C" {
#include "wigner/wigner.h"
}

/* The entry point, mm_cuda_wigner, is declared in wigner/wigner.h, because C calls it. */

/** Points of one launch: what is in flight at a time, 48 bytes each on the device. */
constexpr size_t MM_WIGNER_POINTS_OF_A_LAUNCH = static_cast<size_t>(1) << 20;

#endif
