/* host_backend.cuh - the host's C declarations that the cuda backend uses, for C++. */
#ifndef MM_HOST_BACKEND_CUH
#define MM_HOST_BACKEND_CUH

extern "C" {
#include "backend.h"
#include "loss.h"
#include "problem.h"
}

#endif
