/* wigner.cuh - the sums of a Wigner function on a device. */
#ifndef MM_CUDA_WIGNER_WIGNER_CUH
#define MM_CUDA_WIGNER_WIGNER_CUH

extern "C" {
#include "wigner/wigner.h"
}

/** Points of one launch: what is in flight at a time, 48 bytes each on the device. */
constexpr size_t MM_WIGNER_POINTS_OF_A_LAUNCH = static_cast<size_t>(1) << 20;

/** As mm_cpu_wigner, on the current device. Errors: MM_ERROR_DEVICE, MM_ERROR_MEMORY. */
mm_status mm_cuda_wigner(const struct mm_wigner_work *work, struct mm_error *error);

#endif
