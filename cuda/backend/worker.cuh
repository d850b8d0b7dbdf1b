/* worker.cuh - one stream of one device with all it needs to evaluate chains on its own. */
#ifndef MM_CUDA_BACKEND_WORKER_CUH
#define MM_CUDA_BACKEND_WORKER_CUH

#include "backend/chain_plan.cuh"
#include "backend/chain_sort.cuh"
#include "model/drawn_collision.h"
#include "spectrum/eigen.cuh"

/** What a worker spends its time on. */
enum mm_cuda_stage {
    MM_STAGE_TRANSFER,
    MM_STAGE_PROPAGATION,
    MM_STAGE_EIGEN,
    MM_STAGE_ADJOINT, /* with the recomputation of states */
    MM_STAGE_HOST,
    MM_STAGE_COUNT
};

/** Where the time of a worker goes. It is measured only where it is wanted, because each stage then waits for the
 *  one before. */
struct mm_cuda_times {
    bool wanted;
    double since; /* end of the last stage */
    double seconds[MM_STAGE_COUNT];
};

/** A worker is used by one thread of the host at a time. Zero-initialise before mm_cuda_worker_open. */
struct mm_cuda_worker {
    const struct mm_problem *problem;
    int device;
    cudaStream_t stream;
    size_t resident;                  /* chains that keep the device busy */
    size_t timed;                     /* multiprocessors of a device whose driver ends long kernels, else 0 */
    int64_t *batch_ends;              /* [batch_count], device memory */
    const struct mm_sweep_ways *ways; /* NULL: all batches are fixed */
    struct mm_device_ways device_ways;
    struct mm_device_memory memory;
    struct mm_sort_scratch scratch;
    struct mm_eigen_solver eigen;
    size_t eigen_failures; /* chains whose eigenvalues failed */
    size_t summed_again;   /* gradients that few collisions did not tell */
    struct mm_cuda_times times;
};

/** What is to be evaluated: as mm_solver_evaluate. */
struct mm_cuda_job {
    const struct mm_point *points;
    struct mm_evaluation *evaluations;
    struct mm_channel_gradient *gradients; /* NULL if they are not wanted */
    size_t free_batches;
};

/** One point of a job. All flags are false on entry. */
struct mm_cuda_item {
    size_t point;
    struct mm_chain_class size; /* in: the class to begin with; out: the one it ended in */
    bool settled;               /* it has been sent to its own class: where it ends after that, it is finished */
    bool every;                 /* its gradient is summed by every collision, since few of them did not tell */
    bool finished;
    bool swept; /* its gradient is wanted */
    bool eigen_failed;
};

/** Opens a worker on a device. It may not use memory before it is given its share.
 *  @param ways  of the problem, for gradients; NULL if all its batches are fixed
 *  Errors: MM_ERROR_DEVICE, MM_ERROR_MEMORY. Close it with mm_cuda_worker_close after a failure, too. */
mm_status mm_cuda_worker_open(struct mm_cuda_worker *worker, int device, const struct mm_problem *problem,
                              const struct mm_sweep_ways *ways, const struct mm_cuda_libraries *libraries,
                              struct mm_error *error);

/** Bytes of device memory that the worker may use from now on; what it holds is given back. */
void mm_cuda_worker_share(struct mm_cuda_worker *worker, size_t bytes);

void mm_cuda_worker_close(struct mm_cuda_worker *worker);

/** Chains with gradients of the largest class in registers that the worker takes at once. */
size_t mm_cuda_worker_capacity(const struct mm_cuda_worker *worker);

/** Evaluates the points of `items`. Chains that outgrow their class are run again in the next one, chains that
 *  began in a class too large in their own, and chains whose gradient few collisions did not tell by all of them.
 *  @param items  [count], put into another order */
mm_status mm_cuda_worker_evaluate(struct mm_cuda_worker *worker, const struct mm_cuda_job &job, size_t count,
                                  struct mm_cuda_item *items, struct mm_error *error);

/** As mm_solver_evolve. */
mm_status mm_cuda_worker_evolve(struct mm_cuda_worker *worker, const struct mm_point *point, int64_t collisions,
                                double *energies, struct mm_state *state, struct mm_error *error);

/** Takes states through collisions that are given one by one, as mm_backend.evolve_drawn does. */
mm_status mm_cuda_worker_evolve_drawn(struct mm_cuda_worker *worker, size_t count, int64_t collisions,
                                      const struct mm_drawn_collision *drawn, struct mm_state *states,
                                      struct mm_error *error);

/* ------------------------------------------------------------- what evaluation and evolution have in common */

/** Chains of a class to be taken at once out of so many that are there: all, unless the driver would end the
 * kernel.
 *  @param collisions  of a launch */
size_t mm_cuda_worker_rows(const struct mm_cuda_worker *worker, struct mm_chain_class size, int64_t collisions,
                           size_t count);

/** Reserves arrays on the device, and pinned memory for the input.
 *  @param wanted  [MM_ARRAY_COUNT], bytes, from mm_chain_plan_arrays */
mm_status mm_cuda_worker_reserve(struct mm_cuda_worker *worker, const size_t *wanted, struct mm_error *error);

/** The batch that lies in the worker's arrays, reserved for the plan. */
struct mm_chain_batch mm_cuda_worker_batch(const struct mm_cuda_worker *worker, const struct mm_chain_plan &plan);

/** Writes the chain and the qubits of a point into the staged input.
 *  @param way  of its adjoint sweep, if it has one */
void mm_cuda_worker_stage_point(struct mm_cuda_worker *worker, const struct mm_chain_plan &plan, int row,
                                const struct mm_point *point, enum mm_sweep_way way);

/** Uploads the staged input, numbers the rows in MM_ARRAY_ORDER, and puts the vacuum into all chains. */
mm_status mm_cuda_worker_begin(struct mm_cuda_worker *worker, const struct mm_chain_plan &plan,
                               const struct mm_chain_batch &batch, struct mm_error *error);

/** Brings the first `bytes` of an array to its pinned twin, in the order of the stream. */
mm_status mm_cuda_worker_download(struct mm_cuda_worker *worker, enum mm_array array, size_t bytes,
                                  struct mm_error *error);

#endif
