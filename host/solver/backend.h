/* backend.h - the private table of whole-batch operations and traits that every backend fills. */
#ifndef MM_SOLVER_BACKEND_H
#define MM_SOLVER_BACKEND_H

#include "model/drawn_collision.h"
#include "micromaser.h"
#include "solver/work_queue.h"

struct mm_wigner_work;

/** How a backend wants to be given its work. */
struct mm_backend_traits {
    /* It takes about a second to wake up and idles unless it has many states at once: `auto` passes it over where
     * there is little to do, and one solver serves all threads. */
    bool device;
    bool powers; /* an evolution may take powers of the channel in its place (evolve/powers.h) */
};

/** One backend. `state` is what open returned; points are checked before they arrive here, and the problem
 *  outlives the state. Every operation gives the same bits for a point whatever the other points are. */
struct mm_backend {
    const char *name;
    struct mm_backend_traits traits;

    /** True if the backend can run here. One line into text[size]: what it would run on, or else why it cannot. */
    bool (*available)(size_t size, char *text);

    /** Allocates the backend's state for a problem. options->threads is at least 1 here. */
    mm_status (*open)(void **state, const struct mm_problem *problem, const struct mm_solver_options *options,
                      struct mm_error *error);

    /** One line on what computes, into text[size]. */
    void (*device)(const void *state, size_t size, char *text);

    /** Points that keep the backend busy in one call. */
    size_t (*preferred_points)(const void *state);

    /** As mm_solver_evaluate. A point whose eigenvalues failed is marked by eigen_failures = 1, and all else about
     * it is without meaning: the solver gives it to the next backend of the list. */
    mm_status (*evaluate)(void *state, size_t count, const struct mm_point *points,
                          struct mm_evaluation *evaluations, struct mm_channel_gradient *gradients,
                          struct mm_error *error);

    /** As mm_solver_evaluate_work, and marks points as `evaluate` does; NULL: queues are evaluated in rounds. */
    mm_status (*evaluate_work)(void *state, const struct mm_work_queue *work, struct mm_error *error);

    /** As mm_solver_evolve, from a state that has a matrix. */
    mm_status (*evolve)(void *state, const struct mm_point *point, int64_t collisions, double *energies,
                        struct mm_state *result, struct mm_error *error);

    /** As mm_solver_evolve_drawn, from states that have a matrix. */
    mm_status (*evolve_drawn)(void *state, size_t count, int64_t collisions, const struct mm_drawn_collision *drawn,
                              struct mm_state *states, struct mm_error *error);

    void (*close)(void *state);

    /** The values of a Wigner function (wigner/wigner.h), without a state; NULL: it has none. */
    mm_status (*wigner)(const struct mm_wigner_work *work, struct mm_error *error);
};

/** Bytes that a line on what a backend runs on gets. */
enum { MM_BACKEND_TEXT = 256 };

/* Why there is no cuda backend: the build knows. */
#ifndef MM_CUDA_ABSENT
#define MM_CUDA_ABSENT "not compiled in"
#endif

/** Every backend there is, in the order in which `auto` tries them, and in which one takes over the points that
 *  failed on another. X(name, macro that is 1 if built in, why not if it is not). */
#define MM_BACKEND_LIST(X)                                                                                         \
    X(cuda, MM_WITH_CUDA, MM_CUDA_ABSENT)                                                                          \
    X(cpu, 1, "")                                                                                                  \
    X(reference, 1, "")

#define MM_BACKEND_DECLARATION(name, built_in, reason) extern const struct mm_backend mm_backend_##name;
MM_BACKEND_LIST(MM_BACKEND_DECLARATION)
#undef MM_BACKEND_DECLARATION

/** Whether a name leaves the choice of a backend open: "auto" or NULL. */
bool mm_backend_is_automatic(const char *name);

/** The name of the backend for little work: the one named, and of those that `auto` tries the first that is no
 *  device. */
const char *mm_backend_for_little(const char *name);

/** Finds the backend that sums a Wigner function.
 *  @param name    as in mm_solver_options
 *  @param little  `auto` is not to take a device
 *  Errors: MM_ERROR_INPUT, MM_ERROR_BACKEND. */
mm_status mm_backend_for_wigner(const char *name, bool little, const struct mm_backend **backend,
                                struct mm_error *error);

/** Options of a caller as this version has them, all defaults where *given is NULL.
 *  Errors: MM_ERROR_INPUT (mm_options_copy). */
mm_status mm_solver_options_take(const struct mm_solver_options *given, struct mm_solver_options *own,
                                 struct mm_error *error);

/** The traits of the backend in use. */
const struct mm_backend_traits *mm_solver_traits(const struct mm_solver *solver);

/** Evaluates a work queue of points with their gradients. The evaluation of a point is the same, bit for bit, as
 * that of mm_solver_evaluate. */
mm_status mm_solver_evaluate_work(struct mm_solver *solver, const struct mm_work_queue *work,
                                  struct mm_error *error);

/** Evolves many states through collisions that are given one by one, in place of the problem's batches.
 *  @param drawn   [count][collisions]: c and q in [0, 1], g finite
 *  @param states  [count], as the state of mm_solver_evolve, all after the same number of collisions; after a
 *                 failure they hold nothing of meaning, but are to be freed as ever
 *  The result of a state depends, bit for bit, on that state and its collisions alone. */
mm_status mm_solver_evolve_drawn(struct mm_solver *solver, size_t count, int64_t collisions,
                                 const struct mm_drawn_collision *drawn, struct mm_state *states,
                                 struct mm_error *error);

#endif
