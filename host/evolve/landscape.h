/* landscape.h - the loss over (c, q) of one batch at chosen grid points, and its file. */
#ifndef MM_EVOLVE_LANDSCAPE_H
#define MM_EVOLVE_LANDSCAPE_H

#include "micromaser.h"

/** A grid point: where the loss is computed. */
struct mm_landscape_cell {
    double g;
    double lambda;
};

/** What to compute. The caller owns the arrays. */
struct mm_landscape_request {
    size_t cell_count;
    const struct mm_landscape_cell *cells; /* [cell_count] */
    size_t batch;                          /* the free batch that is varied, from 0 */
    size_t c_count;                        /* points along c, >= 2, from 0 to 1 */
    size_t q_count;                        /* points along q, >= 2, from 0 to 1 */
    const double *parameters;              /* [free batches][2]: c, q of the other free batches */
    const volatile int *stop;              /* set to non-zero to stop after the points in flight; may be NULL */
    void (*progress)(void *context, int64_t done, int64_t total, double seconds); /* may be NULL */
    void *progress_context;
};

/** End points of chains of a search at the grid points of a landscape. */
struct mm_end_points {
    size_t count;
    int64_t *cell; /* [count], number of the grid point in the landscape */
    double *c;     /* [count] */
    double *q;     /* [count] */
    double *loss;  /* [count] */
};

/** A landscape. Free with mm_landscape_free. */
struct mm_landscape {
    size_t batch; /* the batch that is varied, of all batches, from 0 */
    size_t batch_count;
    double *parameters; /* [batch_count][2]: c, q of every batch, fixed ones included; NaN of the varied one */
    size_t cell_count;
    size_t c_count;
    size_t q_count;
    double *c;           /* [c_count] */
    double *q;           /* [q_count] */
    double *g;           /* [cell_count] */
    double *lambda;      /* [cell_count] */
    double *loss;        /* [cell_count][c_count][q_count] (Eq. 11), NaN until it is computed; and so on */
    double *ergotropy;   /* Eq. 10 */
    double *instability; /* the sum over the tail of |E_k - E_(k-1)| */
    struct mm_end_points end_points;
    double seconds; /* wall time */
};

/** Allocates a landscape with nothing computed and fills its axes. */
mm_status mm_landscape_prepare(const struct mm_config *config, const struct mm_landscape_request *request,
                               struct mm_landscape *landscape, struct mm_error *error);

/** Points that are not computed. */
size_t mm_landscape_missing(const struct mm_landscape *landscape);

/** Evaluates the missing points of a prepared landscape, many in each call of the solver. After MM_STOPPED (when
 *  request->stop was set) and MM_ERROR_DEVICE, what was computed is there. */
mm_status mm_landscape_compute(const struct mm_config *config, const struct mm_landscape_request *request,
                               struct mm_solver *solver, struct mm_landscape *landscape, struct mm_error *error);

/** Adds to a prepared landscape the end points of the chains of a result file whose g and lambda are those of a
 * grid point. MM_ERROR_INPUT if the file is not one, has other batches, or has no chain there. */
mm_status mm_landscape_file_read_end_points(const char *path, const struct mm_config *config,
                                            struct mm_landscape *landscape, struct mm_error *error);

/** Takes over what an earlier run of the same landscape computed, its end points unless there are some, and its
 *  seconds. MM_ERROR_INPUT names what differs. */
mm_status mm_landscape_file_resume(const char *path, const struct mm_config *config, const struct mm_solver *solver,
                                   struct mm_landscape *landscape, struct mm_error *error);

/** Writes /landscape and, if there are any, /end_points to an HDF5 file, complete or not at all; the root attribute
 *  `complete` tells whether points are missing.
 *  @param solver  that computed it, for the description of the run */
mm_status mm_landscape_file_write(const char *path, const struct mm_config *config,
                                  const struct mm_landscape *landscape, const struct mm_solver *solver,
                                  const struct mm_run_info *info, bool replace, struct mm_error *error);

void mm_landscape_free(struct mm_landscape *landscape);

#endif
