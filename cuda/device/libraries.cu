/* libraries.cu - opens cuSOLVER and cuBLAS of the version that the backend was compiled for. */
#include "device/libraries.cuh"

#include <dlfcn.h>

#if CUSOLVER_VERSION < 11701
#error "the CUDA backend needs cusolverDnXsyevBatched, which came with cuSOLVER 11.7.1 (CUDA 12.6 update 2)"
#endif

/* Folder of the toolkit's libraries at compile time: not every installation tells the system's loader of it. */
#ifndef MM_CUDA_LIBRARY_FOLDER
#define MM_CUDA_LIBRARY_FOLDER "/usr/local/cuda/lib64"
#endif

#define TEXT_OF(number) #number
#define TEXT(number)    TEXT_OF(number)
#define CUSOLVER_FILE   "libcusolver.so." TEXT(CUSOLVER_VER_MAJOR)
#define CUBLAS_FILE     "libcublas.so." TEXT(CUBLAS_VER_MAJOR)

namespace
{

void *open_library(const char *file, const char *file_in_folder)
{
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    return library != nullptr ? library : dlopen(file_in_folder, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
}

template <typename Function> bool find_function(void *library, const char *name, Function *function)
{
    *function = reinterpret_cast<Function>(dlsym(library, name));
    return *function != nullptr;
}

} // namespace

bool mm_cuda_libraries_find(struct mm_cuda_libraries *libraries, const char **reason)
{
    void *cusolver = open_library(CUSOLVER_FILE, MM_CUDA_LIBRARY_FOLDER "/" CUSOLVER_FILE);
    void *cublas = open_library(CUBLAS_FILE, MM_CUDA_LIBRARY_FOLDER "/" CUBLAS_FILE);
    *reason = "CUDA built in, but " CUSOLVER_FILE " cannot be loaded";
    if (cusolver == nullptr)
        return false;
    *reason = "CUDA built in, but " CUBLAS_FILE " cannot be loaded";
    if (cublas == nullptr)
        return false;
    bool found = true;
#define FIND_CUSOLVER(function) found = found && find_function(cusolver, TEXT(function), &libraries->function);
#define FIND_CUBLAS(function)   found = found && find_function(cublas, TEXT(function), &libraries->function);
    MM_CUSOLVER_FUNCTIONS(FIND_CUSOLVER)
    MM_CUBLAS_FUNCTIONS(FIND_CUBLAS)
#undef FIND_CUSOLVER
#undef FIND_CUBLAS
    *reason = "CUDA built in, but " CUSOLVER_FILE " or " CUBLAS_FILE " lacks a function: too old";
    return found;
}
