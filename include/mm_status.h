/* mm_status.h - every status code, its process exit code and its text, from one list. */
#ifndef MM_STATUS_H
#define MM_STATUS_H

/* X(name, exit code of the program, text).
 * Exit codes: 0 done, 1 failed while running, 2 bad usage or input, 75 stopped early with everything saved. */
#define MM_STATUS_LIST(X)                                                                                          \
    X(MM_OK, 0, "success")                                                                                         \
    X(MM_STOPPED, 75, "stopped early; everything finished is saved")                                               \
    X(MM_ERROR_INPUT, 2, "invalid input")                                                                          \
    X(MM_ERROR_OUTPUT, 2, "the output cannot be written")                                                          \
    X(MM_ERROR_BACKEND, 2, "the backend is not available")                                                         \
    X(MM_ERROR_DEVICE, 75, "the device failed or ran out of memory")                                               \
    X(MM_ERROR_STORAGE, 75, "the results could not be saved for too long; what was committed is safe")             \
    X(MM_ERROR_MEMORY, 1, "out of memory")                                                                         \
    X(MM_ERROR_LAPACK, 1, "a LAPACK routine failed")                                                               \
    X(MM_ERROR_HDF5, 1, "an HDF5 call failed")                                                                     \
    X(MM_ERROR_SYSTEM, 1, "a system call failed")

#define MM_STATUS_ENUM(name, exit_code, text) name,
/** Result of every fallible function. MM_OK is zero. */
typedef enum mm_status { MM_STATUS_LIST(MM_STATUS_ENUM) } mm_status;
#undef MM_STATUS_ENUM

#endif
