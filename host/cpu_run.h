/* cpu_run.h - one chain on one thread: the banded state, its window, and the memory that a run reuses. */
#ifndef MM_CPU_RUN_H
#define MM_CPU_RUN_H

#include "collision.h"
#include "cpu_band.h"
#include "drawn_collision.h"
#include "eigen_lapack.h"
#include "micromaser.h"

/** The part of a matrix that is kept: rows and columns below `levels`, diagonals below `bands`. */
struct mm_window {
    int levels; /* a multiple of MM_COLUMN_BLOCK, or N */
    int bands;  /* 1 .. levels */
};

static inline int mm_smaller(int a, int b)
{
    return a < b ? a : b;
}

/** The largest window that lies in both, and the smallest that holds both. */
static inline struct mm_window mm_window_common(struct mm_window a, struct mm_window b)
{
    return (struct mm_window){mm_smaller(a.levels, b.levels), mm_smaller(a.bands, b.bands)};
}

static inline struct mm_window mm_window_hull(struct mm_window a, struct mm_window b)
{
    return (struct mm_window){a.levels > b.levels ? a.levels : b.levels, a.bands > b.bands ? a.bands : b.bands};
}

/** A state put aside, in its window only: [bands][columns of levels]. */
struct mm_checkpoint {
    struct mm_window window;
    struct mm_window narrow; /* what a derivative needs of it */
    size_t capacity;         /* doubles in data */
    double *data;
};

/** The collisions first .. end-1 of a schedule: from state `first` to state `end`. */
struct mm_collision_range {
    int64_t first;
    int64_t end;
};

/** A state of the segment that the adjoint is working on, in the layout of the run. */
struct mm_segment_state {
    struct mm_window window; /* outside it the data are zero */
    double *data;
};

/** Memory and state of one chain. Matrices have `stride` doubles a diagonal and capacity_bands + 1 diagonals (the
 *  last live one is followed by zeros). */
struct mm_cpu_run {
    const struct mm_problem *problem;
    const struct mm_band_loops *loops;
    int levels;              /* N, or MM_LEVELS_MAX while the space grows with the state */
    int64_t *batch_ends;     /* [batch_count]: collisions up to the end of each batch */
    struct mm_qubit *qubits; /* [batch_count] */
    double g;
    struct mm_qubit qubit; /* of the collision prepared */
    bool derivative;       /* the window keeps a margin for derivatives */
    double band_tolerance; /* of the run */

    int capacity_levels;
    int capacity_bands;
    size_t stride;
    double *cosine; /* as in mm_band_sweep */
    double *sine;   /* cut off at the window's levels */
    double *rows;   /* row factors of rows_qubit in a window of rows_levels levels; 0 levels: of none yet */
    struct mm_qubit rows_qubit;
    int rows_levels;
    double *carried;

    double *state; /* R after `collision` collisions */
    int64_t collision;
    size_t batch; /* batch of the next collision */
    struct mm_window window;
    double band_error;
    double truncation_population;

    int8_t *tail_signs; /* [tail]: sign of E_k - E_{k-1} */
    double *adjoint;    /* A, same layout as state */
    struct mm_segment_state *segment;
    int segment_capacity;
    struct mm_checkpoint *checkpoints;       /* [MM_CHECKPOINT_DEPTH][MM_CHECKPOINT_FAN + 1] */
    struct mm_channel_gradient *derivatives; /* [batch_count] */
    struct mm_eigen eigen;
};

enum {
    MM_CHECKPOINT_FAN = 128, /* pieces between the checkpoints of one level of the recursion */
    MM_CHECKPOINT_DEPTH = 4, /* enough for 10^9 collisions */
};

/** Prepares a run for a problem, which must outlive it. *run is zero before; free it with mm_cpu_run_free. */
mm_status mm_cpu_run_create(struct mm_cpu_run *run, const struct mm_problem *problem,
                            const struct mm_band_loops *loops, struct mm_error *error);

void mm_cpu_run_free(struct mm_cpu_run *run);

/** Puts the vacuum at the start of a protocol.
 *  @param derivative  the window is to hold the derivatives of the states as well */
void mm_cpu_run_start(struct mm_cpu_run *run, const struct mm_point *point, bool derivative);

/** Puts a state at its place in a protocol: the vacuum where its density is NULL. Its window is the smallest one
 *  that holds every element that is not zero. mm_state.levels must not exceed the run's. */
mm_status mm_cpu_run_resume(struct mm_cpu_run *run, const struct mm_point *point, const struct mm_state *state,
                            struct mm_error *error);

/** The same outside any protocol: every collision is prepared with a qubit of its own. g is that of the first. */
mm_status mm_cpu_run_resume_drawn(struct mm_cpu_run *run, double g, const struct mm_state *state,
                                  struct mm_error *error);

/** Decides the window of the next state: grown where the collision would drop more than the tolerance, shrunk where
 *  the outside has faded. Source is the present state in the layout of the run; what
 *  a shrinking window leaves outside is cleared in it. The last batch continues after the schedule ends. */
mm_status mm_cpu_run_prepare(struct mm_cpu_run *run, double *source, struct mm_error *error);

/** The same for a collision with a qubit and a coupling of its own. */
mm_status mm_cpu_run_prepare_drawn(struct mm_cpu_run *run, double *source, const struct mm_drawn_collision *drawn,
                                   struct mm_error *error);

/** The same without a decision: the next state has the run's window as it is. */
void mm_cpu_run_prepare_as_it_is(struct mm_cpu_run *run);

/** The collision prepared: target = window of Phi(source). target may be source, else it must be zero outside
 *  the window. */
void mm_cpu_run_collide(struct mm_cpu_run *run, const double *source, double *target);

/** Makes the run stand at a place of its protocol, in a window that its memory holds. */
void mm_cpu_run_seek(struct mm_cpu_run *run, int64_t collision, struct mm_window window);

/** Makes the run stand one collision earlier: run->batch becomes that of the collision between. */
void mm_cpu_run_step_back(struct mm_cpu_run *run);

/** The smallest window that holds all of the run's state but elements whose |values| add up to the limit, and
 * around them the diagonals and rows that a derivative reaches. It is not larger than the run's. */
struct mm_window mm_cpu_run_narrow_window(const struct mm_cpu_run *run, double limit);

/** Sets the window: the sine table is cut at its levels. */
void mm_cpu_run_set_window(struct mm_cpu_run *run, struct mm_window window);

/** The sweep over the run's window. */
struct mm_band_sweep mm_cpu_run_sweep(const struct mm_cpu_run *run);

/** Moves a matrix from one window to a smaller one by clearing what is outside. */
void mm_cpu_run_clip(const struct mm_cpu_run *run, double *matrix, struct mm_window from, struct mm_window to);

/** Copies the window of a matrix between two strides. */
void mm_cpu_run_copy_window(const double *source, size_t source_stride, double *target, size_t target_stride,
                            struct mm_window window);

/** Doubles in one matrix of the run. */
size_t mm_cpu_run_matrix_size(const struct mm_cpu_run *run);

/** E = Tr(H R) and Tr(R^2) of the run's state. */
double mm_cpu_run_energy(const struct mm_cpu_run *run);
double mm_cpu_run_purity(const struct mm_cpu_run *run);

/** Passive energy of the run's state (Eq. 10), by LAPACK on the live block; diagonal states need no LAPACK.
 *  With `derivative`, run->adjoint becomes H minus the derivative of the passive energy, i.e. dW/dR, in the
 *  window of the state. */
mm_status mm_cpu_passive_energy(struct mm_cpu_run *run, bool derivative, double *energy, struct mm_error *error);

/** Loss, its parts and, where gradient is not NULL, its derivatives by every free batch, at one point. */
mm_status mm_cpu_evaluate(struct mm_cpu_run *run, const struct mm_point *point, struct mm_evaluation *evaluation,
                          struct mm_channel_gradient *gradient, struct mm_error *error);

/** Evolves a state as mm_solver_evolve does. */
mm_status mm_cpu_evolve(struct mm_cpu_run *run, const struct mm_point *point, int64_t collisions, double *energies,
                        struct mm_state *state, struct mm_error *error);

/** Evolves a state through collisions that are given one by one; the batches of the problem are not used.
 *  @param drawn  [collisions], at least one */
mm_status mm_cpu_evolve_drawn(struct mm_cpu_run *run, const struct mm_drawn_collision *drawn, int64_t collisions,
                              struct mm_state *state, struct mm_error *error);

/** Puts run->state aside at recursion level `depth` if the adjoint over a range is to begin again there: every so
 * many collisions, and at the end. */
mm_status mm_cpu_checkpoint(struct mm_cpu_run *run, int depth, struct mm_collision_range range,
                            struct mm_error *error);

/** Sweeps the adjoint over the range of collisions that a schedule ends with and that has left checkpoints at depth
 * 0. run->adjoint holds dL/dR_n on entry.
 *  @param lambda   weight of the instability
 *  @param gradient [free batches], out */
mm_status mm_cpu_adjoint_sweep(struct mm_cpu_run *run, struct mm_collision_range range, double lambda,
                               struct mm_channel_gradient *gradient, struct mm_error *error);

#endif
