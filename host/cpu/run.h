/* run.h - one chain on one thread: the banded state, its window, and the memory that a run reuses. */
#ifndef MM_CPU_RUN_H
#define MM_CPU_RUN_H

#include "solver/window_rule.h"
#include "model/protocol.h"
#include "model/collision.h"
#include "cpu/loops.h"
#include "model/drawn_collision.h"
#include "spectrum/eigen.h"
#include "spectrum/low_rank.h"
#include "micromaser.h"
#include "solver/sweep_plan.h"

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

/** A state, or an adjoint, put aside in a window: [bands][columns of levels]. */
struct mm_checkpoint {
    struct mm_window window; /* what a derivative needs of it */
    struct mm_window passed; /* the same for all states looked at up to the next one put aside */
    enum mm_precision precision;
    size_t capacity; /* bytes of data */
    void *data;
};

/** A state of the segment that the adjoint is working on, in the layout of the run. */
struct mm_segment_state {
    struct mm_window window; /* outside it the data are zero */
    void *data;
};

/** The tables and matrices of a run in one precision. Matrices have `stride` numbers a diagonal and
 *  capacity_bands + 1 diagonals (the last live one is followed by zeros). */
struct mm_cpu_store {
    const struct mm_collision_loops *loops;
    void *cosine; /* as in mm_band_sweep; NULL: there is no memory yet */
    void *sine;   /* cut off at the window's levels */
    void *rows;   /* row factors of rows_qubit in a window of rows_levels levels; 0 levels: of none yet */
    struct mm_qubit rows_qubit;
    int rows_levels;
    void *carried;
    void *state;   /* R after `collision` collisions, where the run is in this precision */
    void *adjoint; /* A, same layout */
    struct mm_segment_state *segment;
    int segment_capacity;
};

/** The part of a run that is in single precision. */
struct mm_single_part {
    int64_t state;   /* collisions before this one; less than all of the schedule */
    int64_t adjoint; /* the same for the adjoint and the states that it is swept over; at most all */
};

/** Memory and state of one chain. */
struct mm_cpu_run {
    const struct mm_problem *problem;
    const struct mm_spectrum_loops *spectrum_loops;
    int levels; /* N, or MM_LEVELS_MAX while the space grows with the state */
    struct mm_protocol protocol;
    int64_t *batch_ends;     /* [batch_count], those of the protocol */
    struct mm_qubit *qubits; /* [batch_count] */
    double g;
    bool derivative;       /* the window keeps a margin for derivatives */
    double band_tolerance; /* of the run */
    struct mm_single_part single;

    int capacity_levels;
    int capacity_bands;
    size_t stride;
    enum mm_precision precision; /* of the state, and of what is done next */
    struct mm_cpu_store stores[MM_PRECISIONS];

    int64_t collision;
    int batch; /* batch of the next collision */
    struct mm_window window;
    double sine_above; /* S_L at the top of the window, which the tables leave out */
    double band_error;
    double truncation_population;

    int8_t *tail_signs;               /* [tail]: sign of E_k - E_{k-1} */
    const struct mm_sweep_plan *plan; /* of the adjoint sweep that is to follow, borrowed; or NULL */
    double left_out;                  /* sum of |elements| that windows of the sweep may leave out of a state */
    size_t passed_marks;              /* of the plan, whose states have been put aside */
    size_t mark_capacity;
    struct mm_checkpoint *marks;             /* [mark_capacity], the states at the plan's marks */
    struct mm_checkpoint entry;              /* the adjoint where the sweep entered the present stretch */
    struct mm_checkpoint *checkpoints;       /* [MM_CHECKPOINT_DEPTH][MM_SWEEP_PIECES + 1], between marks */
    struct mm_channel_gradient *derivatives; /* [batch_count] */
    struct mm_eigen eigen;
    struct mm_low_rank low_rank;
};

/** The store in use, and its state. */
static inline struct mm_cpu_store *mm_cpu_run_store(struct mm_cpu_run *run)
{
    return &run->stores[run->precision];
}

/** The state and the adjoint of a run in double precision. */
static inline double *mm_cpu_run_state(const struct mm_cpu_run *run)
{
    return (double *)run->stores[MM_DOUBLE].state;
}

static inline double *mm_cpu_run_adjoint(const struct mm_cpu_run *run)
{
    return (double *)run->stores[MM_DOUBLE].adjoint;
}

enum {
    MM_CHECKPOINT_DEPTH = 4, /* levels of recursion between marks: enough for 10^9 collisions */
};

/** Prepares a run for a problem, which must outlive it. *run is zero before; free it with mm_cpu_run_free. */
mm_status mm_cpu_run_create(struct mm_cpu_run *run, const struct mm_problem *problem,
                            enum mm_instructions instructions, struct mm_error *error);

void mm_cpu_run_free(struct mm_cpu_run *run);

/** Puts the vacuum at the start of a protocol.
 *  @param derivative  the window is to hold the derivatives of the states as well
 *  @param single      what may be in single precision; NULL: nothing */
mm_status mm_cpu_run_start(struct mm_cpu_run *run, const struct mm_point *point, bool derivative,
                           const struct mm_single_part *single, struct mm_error *error);

/** Puts a state at its place in a protocol. Its window is the smallest one that holds every element that is not
 *  zero. mm_state.levels must not exceed the run's. */
mm_status mm_cpu_run_resume(struct mm_cpu_run *run, const struct mm_point *point, const struct mm_state *state,
                            struct mm_error *error);

/** The same outside any protocol: every collision is prepared with a qubit of its own. g is that of the first. */
mm_status mm_cpu_run_resume_drawn(struct mm_cpu_run *run, double g, const struct mm_state *state,
                                  struct mm_error *error);

/** One collision of the run's state. The window of the next state is decided before: grown where the collision
 * would drop more than the tolerance, shrunk where the outside has faded. The last batch continues after the
 * schedule ends.
 */
mm_status mm_cpu_run_advance(struct mm_cpu_run *run, struct mm_error *error);

/** The same with a qubit and a coupling of its own. */
mm_status mm_cpu_run_advance_drawn(struct mm_cpu_run *run, const struct mm_drawn_collision *drawn,
                                   struct mm_error *error);

/** The same from one matrix of the store in use to another, in the window as it is: target = window of Phi(source).
 *  target must be zero outside the window. Whatever goes forward goes through here or mm_cpu_run_advance, which
 *  share their step. */
void mm_cpu_run_collide(struct mm_cpu_run *run, const void *source, void *target);

/** One collision backwards in the run's window: matrix = window of Phi^T(matrix), and the run stands before it, its
 *  batch being that of the collision. Whatever goes backwards goes through here.
 *  @param state  before the collision: <dPhi^T(matrix), state> by q and by x are returned, matrix being that before
 *                the call; NULL: they are not wanted, and 0 */
struct mm_channel_gradient mm_cpu_run_collide_back(struct mm_cpu_run *run, void *matrix, const void *state);

/** Makes room for a window; the state moves along. */
mm_status mm_cpu_run_reserve(struct mm_cpu_run *run, struct mm_window window, struct mm_error *error);

/** Fills the tables for the run's g. */
void mm_cpu_run_fill_tables(struct mm_cpu_run *run);

/** Frees all tables and matrices. */
void mm_cpu_run_free_stores(struct mm_cpu_run *run);

/** Goes over to a precision and makes room for it. The state does not go along. */
mm_status mm_cpu_run_use(struct mm_cpu_run *run, enum mm_precision precision, struct mm_error *error);

/** Makes the run stand at a place of its protocol, in a window that its memory holds. */
void mm_cpu_run_seek(struct mm_cpu_run *run, int64_t collision, struct mm_window window);

/** The smallest window that holds all of the run's state but elements whose |values| add up to the limit, and
 * around them the diagonals and rows that a derivative reaches. It is not larger than the run's. */
struct mm_window mm_cpu_run_narrow_window(const struct mm_cpu_run *run, double limit);

/** Sets the window, which the memory must hold: the sine tables are cut at its levels. */
void mm_cpu_run_set_window(struct mm_cpu_run *run, struct mm_window window);

/** Moves a matrix of the store in use from one window to a smaller one by clearing what is outside. */
void mm_cpu_run_clip(const struct mm_cpu_run *run, void *matrix, struct mm_window from, struct mm_window to);

/** A matrix for mm_copy_window. */
struct mm_band_matrix {
    enum mm_precision precision;
    size_t stride;
    void *data;
};

/** Copies the window of a matrix between two strides and precisions. */
void mm_copy_window(struct mm_band_matrix source, struct mm_band_matrix target, struct mm_window window);

/** Bytes of one matrix in the store in use. */
size_t mm_cpu_run_matrix_bytes(const struct mm_cpu_run *run);

/** E = Tr(H R) and Tr(R^2) of the run's state, which must be in double precision. */
double mm_cpu_run_energy(const struct mm_cpu_run *run);
double mm_cpu_run_purity(const struct mm_cpu_run *run);

/** Passive energy of the run's state (Eq. 10), in double precision, from the spectrum of its live block. With
 *  `derivative`, the adjoint becomes H minus the derivative of the passive energy, i.e. dW/dR, in the window of the
 *  state; it must be zero before. */
mm_status mm_cpu_passive_energy(struct mm_cpu_run *run, bool derivative, double *energy, struct mm_error *error);

/** Loss, its parts and, where gradient is not NULL, its derivatives by every free batch, at one point.
 *  @param plans  of the problem, where gradient is not NULL; they must outlive the call */
mm_status mm_cpu_evaluate(struct mm_cpu_run *run, const struct mm_sweep_plans *plans, const struct mm_point *point,
                          struct mm_evaluation *evaluation, struct mm_channel_gradient *gradient,
                          struct mm_error *error);

/** Evolves a state as mm_solver_evolve does. */
mm_status mm_cpu_evolve(struct mm_cpu_run *run, const struct mm_point *point, int64_t collisions, double *energies,
                        struct mm_state *state, struct mm_error *error);

/** Evolves a state through collisions that are given one by one; the batches of the problem are not used.
 *  @param drawn  [collisions], at least one */
mm_status mm_cpu_evolve_drawn(struct mm_cpu_run *run, const struct mm_drawn_collision *drawn, int64_t collisions,
                              struct mm_state *state, struct mm_error *error);

/** Puts the window of a matrix of the store in use aside, in a precision. */
mm_status mm_cpu_save_checkpoint(const struct mm_cpu_run *run, const void *matrix, struct mm_window window,
                                 enum mm_precision precision, struct mm_checkpoint *checkpoint,
                                 struct mm_error *error);

/** Puts the run's state aside, and what derivatives need of it. */
mm_status mm_cpu_save_state(struct mm_cpu_run *run, enum mm_precision precision, struct mm_checkpoint *checkpoint,
                            struct mm_error *error);

/** Brings the part of a matrix put aside that lies in a window into one of the store in use, which is zero outside
 * that window and is so afterwards. */
void mm_cpu_load_checkpoint(const struct mm_cpu_run *run, const struct mm_checkpoint *checkpoint, void *matrix,
                            struct mm_window window);

/** What the collisions up to a state are swept in. */
enum mm_precision mm_cpu_sweep_precision(const struct mm_cpu_run *run, int64_t end);

/** Makes a run that has just started put states aside for a sweep; NULL: for none.
 *  @param lambda  of the loss: the larger it is, the more of the states is put aside */
mm_status mm_cpu_follow_plan(struct mm_cpu_run *run, const struct mm_sweep_plan *plan, double lambda,
                             struct mm_error *error);

/** Puts the run's state aside if it is at the next mark of the run's plan. To be called before every collision of
 * the range that the plan is for, and at its end. */
mm_status mm_cpu_pass_mark(struct mm_cpu_run *run, struct mm_error *error);

/** Sweeps the adjoint over the stretches of the run's plan, all of whose marks the run has passed. The adjoint
 * holds dL/dR_n on entry, in double precision.
 *  @param by_instability  derivative of the loss by the instability
 *  @param gradient [free batches], out */
mm_status mm_cpu_adjoint_sweep(struct mm_cpu_run *run, double by_instability, struct mm_channel_gradient *gradient,
                               struct mm_error *error);

#endif
