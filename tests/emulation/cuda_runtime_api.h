/* cuda_runtime_api.h - the name under which libraries include the runtime. */
#include "cuda_runtime.h"
