/* libraries.cpp - the emulated cuSOLVER and cuBLAS as the libraries that the cuda backend finds. */
#include "device/libraries.cuh"

bool mm_cuda_libraries_find(struct mm_cuda_libraries *libraries, const char **reason)
{
#define FIND(function) libraries->function = function;
    MM_CUSOLVER_FUNCTIONS(FIND)
    MM_CUBLAS_FUNCTIONS(FIND)
#undef FIND
    *reason = "";
    return true;
}
