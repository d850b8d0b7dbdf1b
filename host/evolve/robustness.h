/* robustness.h - what noise in the qubits and the coupling does to protocols: many realisations and their spread.
 */
#ifndef MM_EVOLVE_ROBUSTNESS_H
#define MM_EVOLVE_ROBUSTNESS_H

#include "evolve/evolve.h"
#include "model/noise.h"

enum { MM_QUANTILES = 5, MM_MEASURES = 3 };

/** The quantiles that are kept: 5, 25, 50, 75 and 95 %. */
extern const double mm_quantiles[MM_QUANTILES];

/** Names of the measures in the order of the samples: energy, ergotropy, purity. */
extern const char *const mm_measure_names[MM_MEASURES];

/** Samples of all realisations. Free with mm_robustness_free. */
struct mm_robustness {
    size_t curve_count;
    size_t record_count;
    int64_t *k; /* [record_count] */
    int64_t realisations;
    int64_t realisations_done;  /* the first ones, of every curve */
    double *samples;            /* [curve][record][measure][realisation] */
    struct mm_clipped *clipped; /* [curve], of the realisations that are done */
    char backend[16];
    char device[128];
    double seconds;
};

/** Spread of one measure after one number of collisions. */
struct mm_spread {
    double mean;
    double standard_deviation; /* with n - 1; 0 for one realisation */
    double quantile[MM_QUANTILES];
};

struct mm_robustness_options {
    struct mm_solver_options solver; /* any backend: the noise is the same for all */
    const volatile int *stop;        /* set to non-zero to stop; may be NULL */
    void (*progress)(void *context, int64_t done, int64_t total, double seconds); /* may be NULL */
    void *progress_context;
};

/** Takes every curve of a plan through `realisations` realisations of the noise. Of the plan, states and
 *  energy_step are not used. Returns MM_OK, MM_STOPPED when options->stop was set or MM_ERROR_DEVICE (the
 *  realisations that are done for every curve are in *robustness), or another error (then nothing needs to be
 *  freed). */
mm_status mm_robustness_run(const struct mm_evolution_plan *plan, const struct mm_noise *noise,
                            int64_t realisations, const struct mm_robustness_options *options,
                            struct mm_robustness *robustness, struct mm_error *error);

/** Spread over the realisations done, at least one; quantiles by linear interpolation between the ordered samples
 *  (type 7 of Hyndman and Fan 1996, NumPy's default). Sorts the samples in place. */
struct mm_spread mm_robustness_spread(struct mm_robustness *robustness, size_t curve, size_t record,
                                      size_t measure);

void mm_robustness_free(struct mm_robustness *robustness);

#endif
