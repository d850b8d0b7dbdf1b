/* host.cuh - the host's C declarations that the cuda backend uses, for C++. */
#ifndef MM_CUDA_BACKEND_HOST_CUH
#define MM_CUDA_BACKEND_HOST_CUH

extern "C" {
#include "solver/backend.h"
#include "model/loss.h"
#include "model/problem.h"
#include "model/protocol.h"
}

#endif
