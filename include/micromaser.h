/* micromaser.h - public interface of libmicromaser: charging a micromaser quantum battery, optimised in batches.
 *
 * A cavity mode (the battery) collides with a stream of qubits, each prepared with population q of its ground
 * state and coherence c. The library computes the loss of a charging protocol, its exact gradient, and searches
 * the protocols (c, q) that minimise it from many random starts.
 *
 * Units: hbar = omega = 1 and interaction time tau = 1 throughout, so energies are counted in quanta of the mode.
 * Equation numbers are those of Rodriguez, Rosa and Olle, "Artificial intelligence discovery of a charging
 * protocol in a micromaser quantum battery" (2023).
 *
 * Conventions: a function that can fail returns mm_status and describes the failure in its last argument, which
 * may be NULL; on failure nothing needs to be freed and output arrays hold nothing of meaning. Nothing here keeps
 * global state; objects may be used from different threads as long as each object is used by one thread at a time.
 *
 * Option structs grow at their end from version to version. They begin with `size`, the sizeof of the struct that
 * the caller was compiled with: what a shorter one lacks has its default, and a longer one is taken if what this
 * library does not know in it is zero. A size of 0 stands for that of version 0.1, so that options that are all
 * zero, but for what is wanted otherwise, are good there. All other structs are the same as long as the number in
 * the name of the shared library is.
 */
#ifndef MICROMASER_H
#define MICROMASER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mm_status.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define MM_API                                  __attribute__((visibility("default")))
#define MM_PRINTF(format_index, first_argument) __attribute__((format(printf, format_index, first_argument)))
#else
#define MM_API
#define MM_PRINTF(format_index, first_argument)
#endif

#define MM_VERSION "0.1.0"

/** MM_VERSION of the library that is linked. */
MM_API const char *mm_version(void);

/* ------------------------------------------------------------------------------------------------ errors */

enum { MM_ERROR_MESSAGE_SIZE = 512 };

/** What went wrong, in one line that names the thing, its value and what is allowed. */
struct mm_error {
    mm_status status;
    char message[MM_ERROR_MESSAGE_SIZE];
};

/** Text of a status code; never NULL. */
MM_API const char *mm_status_text(mm_status status);

/** Exit code the program uses for a status: 0, 1, 2 or 75. */
MM_API int mm_status_exit_code(mm_status status);

/** Fills *error (which may be NULL) with a one-line message and returns status, so that callers can return it. */
MM_API mm_status mm_fail(struct mm_error *error, mm_status status, const char *format, ...) MM_PRINTF(3, 4);

/* ----------------------------------------------------------------------------------------------- problem */

enum {
    MM_LEVELS_AUTO = 0,    /* the space grows with the state */
    MM_LEVELS_MIN = 2,     /* fewest Fock levels */
    MM_LEVELS_MAX = 4096,  /* most Fock levels; the ceiling of MM_LEVELS_AUTO */
    MM_BATCHES_MAX = 1000, /* most batches of a charging protocol */
};

/** A run of identical qubits. A fixed batch keeps its (c, q) and does not enter the means of Eq. 11. */
struct mm_batch {
    int64_t qubits; /* number of collisions, >= 1 */
    bool fixed;     /* true: (c, q) below are used; false: they are parameters of the search */
    double c;       /* coherence in [0, 1], for a fixed batch */
    double q;       /* ground-state population in [0, 1], for a fixed batch */
};

/** Everything that all points of one batch evaluation share. The caller owns the arrays. */
struct mm_problem {
    int levels;                     /* Fock levels N, MM_LEVELS_MIN .. MM_LEVELS_MAX, or MM_LEVELS_AUTO */
    size_t batch_count;             /* 1 .. MM_BATCHES_MAX */
    const struct mm_batch *batches; /* [batch_count], in the order of the collisions; at least one is free */
    int64_t tail;                   /* the last `tail` collisions enter the instability, 1 .. all of them */
    double band_tolerance;          /* largest sum of |elements| dropped in one collision, >= 0 */
};

/** Number of free batches of a problem. */
MM_API size_t mm_problem_free_batches(const struct mm_problem *problem);

/** Number of collisions of a problem: the sum of the qubits of its batches. */
MM_API int64_t mm_problem_collisions(const struct mm_problem *problem);

/** Checks every field of a problem; MM_ERROR_INPUT names the first one that is out of range. */
MM_API mm_status mm_problem_check(const struct mm_problem *problem, struct mm_error *error);

/** One point of the parameter space. */
struct mm_point {
    double g;                     /* coupling constant of Eq. 4, finite */
    double lambda;                /* weight of the instability in Eq. 11, >= 0 */
    const double *parameters;     /* [free batches][2]: c, q of each free batch, in [0, 1] */
    const double *gradient_limit; /* NULL, or the loss above which the gradient is not wanted and may be left NAN */
    double band_tolerance; /* the larger one of this and the problem's holds at the point; 0: the problem's. Where
                              this one is larger, loss and gradient may be rough besides: those of a function that
                              is as close to the exact one as the tolerance says, and quicker to evaluate */
};

/** Loss of Eq. 11 and its parts at one point. */
struct mm_evaluation {
    double loss;                  /* Eq. 11 */
    double ergotropy;             /* W of Eq. 10, in units of omega */
    double energy;                /* E = Tr(H rho) after the last collision */
    double purity;                /* Tr(rho^2) after the last collision */
    double instability;           /* sum over the tail of |E_k - E_{k-1}| */
    double mean_c;                /* mean over the qubits of the free batches */
    double mean_q;                /* the same for q */
    double loss_by_mean_c;        /* partial derivative of the loss with respect to mean_c, all else held */
    double loss_by_mean_q;        /* the same for mean_q */
    double band_error;            /* bound on the trace norm of everything dropped from the band and the top */
    double truncation_population; /* largest population that the top Fock level N-1 ever held */
    int levels;                   /* Fock levels N used; with MM_LEVELS_AUTO the highest live level + 1 */
    int eigen_failures; /* 1: the backend did not find the eigenvalues, and another evaluated the point; else 0 */
};

/** Derivatives of the loss through the channel of one batch, Phi = (1-q) Phi_e + q Phi_g + x Phi_x with
 *  x = c sqrt(q (1-q)). The direct dependence through mean_c and mean_q is not included: it is in
 *  mm_evaluation, and mm_gradient_* below combine the two. Both fields are finite everywhere. */
struct mm_channel_gradient {
    double by_q; /* at constant x */
    double by_x; /* at constant q */
};

/** Gradient with respect to (c, q).
 *  @param problem     the problem the evaluation belongs to
 *  @param parameters  [free batches][2], c and q
 *  @param evaluation  of the same point
 *  @param channel     [free batches], of the same point
 *  @param gradient    [free batches][2], out: dL/dc, dL/dq. dL/dq is +-infinity where x has an infinite slope
 *                     in q (q = 0 or 1 with c > 0) and the channel gradient there is not zero. Where it
 *                     is zero the slope through x counts as none; what it tends to is found at a q inside. */
MM_API void mm_gradient_population(const struct mm_problem *problem, const double *parameters,
                                   const struct mm_evaluation *evaluation,
                                   const struct mm_channel_gradient *channel, double *gradient);

/** Gradient with respect to (c, theta), q = sin^2(theta/2), x = (c/2) sin(theta): finite everywhere.
 *  @param angles    [free batches][2], c and theta in [0, pi]
 *  @param gradient  [free batches][2], out: dL/dc, dL/dtheta; other arguments as above. */
MM_API void mm_gradient_angle(const struct mm_problem *problem, const double *angles,
                              const struct mm_evaluation *evaluation, const struct mm_channel_gradient *channel,
                              double *gradient);

/** theta in [0, pi] of a population q in [0, 1]: q = sin^2(theta/2). */
MM_API double mm_angle_from_population(double q);

/** q in [0, 1] of an angle theta in [0, pi]. */
MM_API double mm_population_from_angle(double theta);

/* ------------------------------------------------------------------------------------------------ solver */

/** A density matrix in the real gauge: rho_nm = (-i)^(n-m) R_nm. Zero-initialised it stands for the vacuum before
 *  the first collision. Free with mm_state_free. */
struct mm_state {
    int levels;                   /* Fock levels N */
    double *density;              /* R, [levels][levels], row-major, symmetric; NULL for the vacuum */
    int64_t collisions;           /* collisions that led to it */
    double band_error;            /* as in mm_evaluation */
    double truncation_population; /* as in mm_evaluation */
};

/** Releases the matrix of a state and clears it. */
MM_API void mm_state_free(struct mm_state *state);

/** An opened backend bound to one problem. */
struct mm_solver;

/** What finds the eigenvalues of many states at once on a CUDA device. */
enum mm_eigen_method {
    MM_EIGEN_CUSOLVER,    /* NVIDIA's library */
    MM_EIGEN_TRIDIAGONAL, /* micromaser's own, where it can */
};

struct mm_solver_options {
    size_t size;              /* of this struct */
    const char *backend;      /* "auto", "cpu", "cuda" or "reference"; NULL means "auto" */
    int threads;              /* CPU threads, 0 means all that are available */
    const char *instructions; /* "avx512", "avx2" or "portable", for the cpu; NULL means the widest there is */
    int host_index;           /* this process among those of one run on this machine, from 0, .. */
    int host_count;           /* .. which divide its processors and devices among them; 0 or 1: it has them alone */

    enum mm_eigen_method eigen_method; /* on a device */

    /* 1: for debugging, whatever a device's eigenvalue solver finds is checked, and has failed if it is not good
     * enough; this takes longer than everything else. No bool, so that a later field cannot lie in padding. */
    int check_eigen;
};

/** Opens a backend for a problem. "auto" takes cuda if a device answers, else cpu.
 *  The problem and its batches are copied. Errors: MM_ERROR_INPUT, MM_ERROR_BACKEND, MM_ERROR_MEMORY. */
MM_API mm_status mm_solver_open(struct mm_solver **solver, const struct mm_problem *problem,
                                const struct mm_solver_options *options, struct mm_error *error);

/** Name of the backend in use: "cpu", "cuda" or "reference". */
MM_API const char *mm_solver_backend(const struct mm_solver *solver);

/** One line on what computes: instruction set and threads, or the device. Owned by the solver. */
MM_API const char *mm_solver_device(const struct mm_solver *solver);

/** How many points one call of mm_solver_evaluate should hold to keep the backend busy. */
MM_API size_t mm_solver_preferred_points(const struct mm_solver *solver);

/** Loss, its parts and (where gradients is not NULL) its exact gradient at many points (Eqs. 4-6, 10, 11).
 *  The result at a point depends, bit for bit, on that point and on whether gradients are asked for alone.
 *  @param points       [count]; parameters must lie in [0, 1], else MM_ERROR_INPUT
 *  @param evaluations  [count], out
 *  @param gradients    [count][free batches], out, or NULL */
MM_API mm_status mm_solver_evaluate(struct mm_solver *solver, size_t count, const struct mm_point *points,
                                    struct mm_evaluation *evaluations, struct mm_channel_gradient *gradients,
                                    struct mm_error *error);

/** Evolves a state through `collisions` more collisions of one protocol; the last batch continues after the
 *  schedule ends.
 *  @param energies  [collisions + 1], out: E before the first and after 1, 2, .. of these collisions; may be NULL
 *  @param state     in: where to start, {0} for the vacuum, else what an earlier call gave: the batch of the next
 *                   collision follows from its `collisions`, and its levels may be fewer than the problem's;
 *                   out: the state reached, to be freed by the caller; the matrix given is freed. band_error and
 *                   truncation_population go on from the values given. On failure it is left as it was.
 *  Evolving in pieces gives the state of one call to rounding; the same pieces give the same bits.
 *  Errors: MM_ERROR_INPUT also for a state that is not symmetric, not finite or has too many levels. */
MM_API mm_status mm_solver_evolve(struct mm_solver *solver, const struct mm_point *point, int64_t collisions,
                                  double *energies, struct mm_state *state, struct mm_error *error);

/** Closes a solver; NULL is allowed. */
MM_API void mm_solver_close(struct mm_solver *solver);

/** Whether a backend has this name, compiled in or not; "auto" and NULL count as names. */
MM_API bool mm_backend_is_known(const char *name);

/** One line a backend for `micromaser info`: its name, whether it is available, and what it would run on or why it
 *  cannot. Calls `line` once for each backend; the texts last as long as the call. */
MM_API void mm_backend_describe(void (*line)(void *context, const char *name, bool available, const char *text),
                                void *context);

/* --------------------------------------------------------------------------------------------- optimiser */

/** Why an optimiser stopped, with SciPy's names (scipy.optimize, L-BFGS-B). X(name, text). */
#define MM_STOP_REASON_LIST(X)                                                                                     \
    X(MM_RUNNING, "RUNNING")                                                                                       \
    X(MM_CONVERGED_FTOL, "CONVERGENCE: REL_REDUCTION_OF_F_<=_FACTR*EPSMCH")                                        \
    X(MM_CONVERGED_GTOL, "CONVERGENCE: NORM_OF_PROJECTED_GRADIENT_<=_PGTOL")                                       \
    X(MM_STOPPED_ITERATIONS, "STOP: TOTAL NO. of ITERATIONS REACHED LIMIT")                                        \
    X(MM_STOPPED_EVALUATIONS, "STOP: TOTAL NO. of f AND g EVALUATIONS EXCEEDS LIMIT")                              \
    X(MM_STOPPED_LINE_SEARCH, "ABNORMAL_TERMINATION_IN_LNSRCH")

#define MM_STOP_REASON_ENUM(name, text) name,
enum mm_stop_reason { MM_STOP_REASON_LIST(MM_STOP_REASON_ENUM) };
#undef MM_STOP_REASON_ENUM

/** SciPy's text of a reason; never NULL. */
MM_API const char *mm_stop_reason_text(enum mm_stop_reason reason);

/** What ends the minimisation of a function. */
struct mm_phase_end {
    double ftol; /* (f_k - f_{k+1}) / max(|f_k|, |f_{k+1}|, 1) <= ftol; with rough phases also if the model, once it
                    knows as many directions as there are variables, expects no more of the next iteration */
    double gtol; /* max_i |projected gradient_i| <= gtol */
};

enum { MM_ROUGH_PHASES_MAX = 2 };

/** Rules of the optimiser; the defaults of SciPy in brackets. */
struct mm_optimizer_options {
    size_t size;           /* of this struct */
    double ftol;           /* as in mm_phase_end  [2.2e-9] */
    double gtol;           /* [1e-5] */
    int64_t iterations;    /* most iterations  [15000] */
    int64_t evaluations;   /* most evaluations  [15000] */
    int corrections;       /* pairs (s, y) kept, 1 .. 100  [10] */
    int line_search_steps; /* most evaluations of one line search  [20] */
    double trial_length;   /* longest first trial of a line search, in the variables' units; 0: no limit  [0] */
    int rough_phases;      /* phases in which values may be rough, before they must be exact  [0] */
    struct mm_phase_end rough[MM_ROUGH_PHASES_MAX]; /* the ends of these phases, roughest first */
};

/** Writes the defaults above.
 *  @param size  of the struct */
MM_API void mm_optimizer_defaults(struct mm_optimizer_options *options, size_t size);

/** The defaults above. */
static inline struct mm_optimizer_options mm_optimizer_default_options(void)
{
    struct mm_optimizer_options options;
    mm_optimizer_defaults(&options, sizeof options);
    return options;
}

/** Bound-constrained limited-memory BFGS as a state machine: ask for a point, tell its value and gradient. */
struct mm_optimizer;

/** @param n             number of variables, >= 1
 *  @param lower, upper  [n], bounds; -INFINITY and INFINITY mean none
 *  @param start         [n], projected onto the bounds
 *  @param options       NULL means the defaults */
MM_API mm_status mm_optimizer_create(struct mm_optimizer **optimizer, size_t n, const double *lower,
                                     const double *upper, const double *start,
                                     const struct mm_optimizer_options *options, struct mm_error *error);

/** The point whose value and gradient are wanted next, [n]; after the end, the best point found. */
MM_API const double *mm_optimizer_ask(const struct mm_optimizer *optimizer);

/** Values at the point asked for above this one can be told without a gradient; INFINITY where it is always needed.
 */
MM_API double mm_optimizer_gradient_limit(const struct mm_optimizer *optimizer);

/** How many rough phases are not over: 0 if the value and gradient wanted next must be exact. Else they may be
 * those of a function close by that is cheaper, the same one during a phase. Where the optimiser expects the
 * minimum of that function it asks for the next phase, and goes on from there with what it has learned. It ends
 * with exact values only. */
MM_API int mm_optimizer_rough_phases_left(const struct mm_optimizer *optimizer);

/** Takes the value and gradient [n] at the point asked for, and prepares the next one.
 *  A value or gradient that is not finite makes the line search step back; it never enters the memory.
 *  @param gradient  may be NULL where the value is above mm_optimizer_gradient_limit, or not finite */
MM_API enum mm_stop_reason mm_optimizer_tell(struct mm_optimizer *optimizer, double value, const double *gradient);

/** MM_RUNNING while the optimiser wants more evaluations, else why it stopped. */
MM_API enum mm_stop_reason mm_optimizer_reason(const struct mm_optimizer *optimizer);

/** Best value found; INFINITY before the first finite one. */
MM_API double mm_optimizer_value(const struct mm_optimizer *optimizer);

/** Largest component of the projected gradient at the best point. */
MM_API double mm_optimizer_gradient_norm(const struct mm_optimizer *optimizer);

MM_API int64_t mm_optimizer_iterations(const struct mm_optimizer *optimizer);
MM_API int64_t mm_optimizer_evaluations(const struct mm_optimizer *optimizer);

/** Frees an optimiser; NULL is allowed. */
MM_API void mm_optimizer_free(struct mm_optimizer *optimizer);

/* ----------------------------------------------------------------------------------------- configuration */

/** A search: the problem, the grid over g and lambda, the starts, and the rules of the optimiser.
 *  The names are those of the configuration keys (README.md). */
struct mm_config {
    int levels;               /* [cavity] levels */
    size_t g_count;           /* [coupling] g, or one value for each (Q, m, epsilon) of Eq. 9 */
    double *g;                /* [g_count] */
    size_t batch_count;       /* [batch.1], [batch.2], .. */
    struct mm_batch *batches; /* [batch_count] */
    size_t lambda_count;      /* [loss] lambda */
    double *lambda;           /* [lambda_count] */
    int64_t tail;             /* [loss] tail, or tail_fraction of all collisions, rounded to the nearest */
    int64_t starts;           /* [search] starts of each grid point, random but for the last neighbour_starts
                                  or finalists */
    int64_t neighbour_starts; /* [search] starts from the optima of the grid points with the next lower lambda
                                  and g */
    int64_t excited_starts; /* [search] of the starts, the first ones, which begin with excited batches if random */
    int64_t agree;          /* [search] starts that must find a grid point's best loss to end it; 0: all are run */
    int64_t race;           /* [search] evaluations after which a random start ends; 0: there is no race */
    int64_t finalists;      /* [search] starts that go on from the best ends of a race */
    uint64_t seed;          /* [search] seed */
    struct mm_optimizer_options optimizer; /* [search] ftol, gtol, iterations, evaluations, .. */
    double band_tolerance;                 /* [numerics] band_tolerance */
    double rough_tolerance; /* [numerics] rough_tolerance, the band tolerance on the way to an optimum; 0: none */
    char *text; /* canonical text of the whole configuration: reading it gives this configuration again */
};

/** Reads a configuration file (INI) and applies overrides.
 *  @param path       file to read
 *  @param overrides  [override_count], "section.key=value" as given to --set; they replace keys of the file
 *  @param config     out; free with mm_config_free
 *  Errors: MM_ERROR_INPUT with file, line, key, value and what is allowed. */
MM_API mm_status mm_config_read(const char *path, size_t override_count, const char *const *overrides,
                                struct mm_config *config, struct mm_error *error);

/** The same from memory; `name` stands for the file in messages. Never reads beyond text[0 .. size-1]. */
MM_API mm_status mm_config_parse(const char *name, const char *text, size_t size, size_t override_count,
                                 const char *const *overrides, struct mm_config *config, struct mm_error *error);

/** The problem that all chains of the configuration share; borrows config->batches. */
MM_API struct mm_problem mm_config_problem(const struct mm_config *config);

/** Number of chains of the search: grid points times starts. */
MM_API int64_t mm_config_chains(const struct mm_config *config);

/** Frees what a configuration owns and clears it. */
MM_API void mm_config_free(struct mm_config *config);

/* ------------------------------------------------------------------------------------------------ search */

/** The end of one chain: one optimisation from one random start at one grid point. */
struct mm_chain {
    bool finished;                   /* false: not run (yet); all else is then zero */
    int32_t g_index;                 /* row of config->g */
    int32_t lambda_index;            /* row of config->lambda */
    int32_t start;                   /* number of the random start, from 0 */
    const double *initial;           /* [batch_count][2]: c, q of every batch at the start, fixed ones included */
    const double *final;             /* [batch_count][2]: the same at the best point */
    struct mm_evaluation evaluation; /* at the best point */
    double gradient_norm;            /* largest component of the projected gradient over (c, theta/2) */
    int64_t iterations;
    int64_t evaluations;
    int64_t eigen_failures; /* the sum of those of its evaluations */
    enum mm_stop_reason status;
};

/** All chains of a search, in the order (g, lambda, start). */
struct mm_results {
    int64_t chain_count;
    size_t batch_count;
    struct mm_chain *chains; /* [chain_count] */
    double *parameters;      /* storage behind initial and final, [chain_count][2][batch_count][2] */
    char backend[16];        /* which backend computed them */
    char device[128];        /* and on what */
    double seconds;          /* wall time of the search */
};

/** What a search has done so far. */
struct mm_progress {
    int64_t chains_done;
    int64_t chains_total; /* becomes smaller when grid points end with enough starts that agree */
    int64_t evaluations;  /* evaluations so far */
    double seconds;       /* since the start */
    size_t lambda_count;
    const double *lambda;    /* [lambda_count] */
    const double *best_loss; /* [lambda_count], over all g; INFINITY where no chain is done */
};

struct mm_search_options {
    size_t size;                            /* of this struct */
    const struct mm_solver_options *solver; /* NULL means the defaults */
    size_t slots;                           /* chains in flight, 0 means what the backend prefers */
    const volatile int *stop; /* set to non-zero (by a signal handler) to stop after the evaluation in flight */
    double max_seconds;       /* stop by itself after 0.99 of this time, 0 means never */
    /* Called after each evaluation, one call at a time but from any thread of the search; may be NULL. */
    void (*progress)(void *context, const struct mm_progress *progress);
    void *progress_context;
};

/** Allocates the results of a search with no chain finished. */
MM_API mm_status mm_results_create(struct mm_results *results, const struct mm_config *config,
                                   struct mm_error *error);

/** Runs every chain of the configuration that is needed and not finished in *results yet; with config->agree, the
 *  starts that are not needed stay unfinished. The program runs the same chains in the same way, and keeps their
 *  ends on disk instead, where nothing is lost; here they are in memory alone.
 *  The end of a chain depends on the configuration, seed and backend only, bit for bit: not on threads, slots,
 *  or which chains ran beside it.
 *  Returns MM_OK, MM_STOPPED when options->stop was set (finished chains are in *results), or an error. */
MM_API mm_status mm_search_run(const struct mm_config *config, const struct mm_search_options *options,
                               struct mm_results *results, struct mm_error *error);

/** Random start number `start` of a grid point: c, q of each free batch uniform in [0, 1), from Philox4x32-10
 *  (Salmon et al., SC'11) keyed by the seed and counted by (g_index, lambda_index, start, batch). */
MM_API void mm_random_start(uint64_t seed, int32_t g_index, int32_t lambda_index, int32_t start,
                            size_t free_batches, double *parameters);

/** Index of the finished chain with the lowest loss of a grid point (the lowest start number wins a tie),
 *  or -1. *agree (may be NULL) gets the number of its finished chains whose loss is within
 *  1e-6 max(1, |best|) of it. */
MM_API int64_t mm_results_best(const struct mm_results *results, const struct mm_config *config, size_t g_index,
                               size_t lambda_index, int64_t *agree);

MM_API void mm_results_free(struct mm_results *results);

/* ------------------------------------------------------------------------------------------------ wigner */

enum {
    MM_WIGNER_POINTS_DEFAULT = 201, /* points an axis */
    MM_WIGNER_POINTS_MAX = 4001,
    MM_WIGNER_COORDINATE_MAX = 200, /* largest |x| and |p| */
};

/** Points of phase space, x = (a + a^dagger) / sqrt 2 and p = (a - a^dagger) / (i sqrt 2), in units where
 *  hbar = 1: the convention of QuTiP's wigner with its default g = sqrt 2. Borrowed. */
struct mm_wigner_grid {
    size_t x_count;  /* 1 .. MM_WIGNER_POINTS_MAX */
    const double *x; /* [x_count], within MM_WIGNER_COORDINATE_MAX, in any order */
    size_t p_count;
    const double *p; /* [p_count] */
};

/** Half-width of a square around the origin beyond which a state holds less than 1e-8 of every marginal
 *  distribution of its Wigner function. */
MM_API double mm_wigner_extent(const struct mm_state *state);

/** Evenly spaced points from -extent to extent, exactly symmetric about 0, which makes mm_wigner up to eight times
 *  faster.
 *  @param count  >= 2
 *  @param axis   [count], out */
MM_API void mm_wigner_axis(double extent, size_t count, double *axis);

/** Wigner function W(x, p) of a state, whose integral over x and p is 1:
 *  W(x, p) = (1/pi) int dy <x+y| rho |x-y> exp(-2ipy).
 *  Elements of the state that sum to less than 1e-12 are left out; they could change no value by more than that.
 *  The values do not depend on the threads.
 *  @param state    {0} stands for the vacuum
 *  @param options  backend "auto" (a device only where there is work for about a second), "cpu" or "cuda", threads
 *                  and instructions; NULL means the defaults
 *  @param wigner   [x_count][p_count], out
 *  Errors: MM_ERROR_INPUT, MM_ERROR_BACKEND, MM_ERROR_DEVICE, MM_ERROR_MEMORY. */
MM_API mm_status mm_wigner(const struct mm_state *state, const struct mm_wigner_grid *grid,
                           const struct mm_solver_options *options, double *wigner, struct mm_error *error);

/** What a Wigner function on a grid tells, by the trapezoidal rule: it shows whether the grid is wide and fine
 *  enough. */
struct mm_wigner_summary {
    double integral;        /* 1 */
    double mean_square;     /* <x^2 + p^2> = 2 E + 1 */
    double purity;          /* 2 pi times the integral of W^2 = Tr(rho^2) */
    double negative_volume; /* integral of (|W| - W) / 2 */
    double minimum;
    double maximum;
};

/** Summarises a Wigner function on ascending axes of at least 2 points. */
MM_API struct mm_wigner_summary mm_wigner_summarize(const struct mm_wigner_grid *grid, const double *wigner);

/* ----------------------------------------------------------------------------------------------- storage */

/** Run description stored beside the results. */
struct mm_run_info {
    const char *command_line;
    const char *start_time; /* ISO 8601, UTC */
    const char *end_time;
    const char *host;
};

/** Writes results and configuration as the file of `micromaser search` (HDF5; layout: README.md), for a search that
 *  was run in memory. It gets a temporary name beside `path`, is synced and renamed. Nothing is left behind on
 * failure. Overwrites `path` only if `replace` is true. */
MM_API mm_status mm_result_file_write(const char *path, const struct mm_config *config,
                                      const struct mm_results *results, const struct mm_run_info *info,
                                      bool replace, struct mm_error *error);

/** Reads the finished chains of an earlier run of the same configuration into *results (made by
 *  mm_results_create). Rows of the file that are damaged leave their chains unfinished.
 *  @param damaged  out: number of these rows; may be NULL
 *  MM_ERROR_INPUT if the file is not ours, belongs to another configuration or is damaged as a whole. */
MM_API mm_status mm_result_file_resume(const char *path, const struct mm_config *config, struct mm_results *results,
                                       int64_t *damaged, struct mm_error *error);

#ifdef __cplusplus
}
#endif

#endif
