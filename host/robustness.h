/* robustness.h - what noise in the qubits and the coupling does to protocols: many realisations and their spread.
 */
#ifndef MM_ROBUSTNESS_H
#define MM_ROBUSTNESS_H

#include "drawn_collision.h"
#include "evolve.h"

/** Distributions of noise. X(enumerator, name on the command line). */
#define MM_NOISE_LIST(X)                                                                                           \
    X(MM_NOISE_GAUSSIAN, "gaussian")                                                                               \
    X(MM_NOISE_UNIFORM, "uniform")

#define MM_NOISE_ENUM(name, text) name,
enum mm_noise_shape { MM_NOISE_LIST(MM_NOISE_ENUM) };
#undef MM_NOISE_ENUM

/** Noise that is added to the parameters of a protocol. A width is the standard deviation of a gaussian, or half
 * the range of a uniform distribution around 0; c and q are clipped to [0, 1]. */
struct mm_noise {
    enum mm_noise_shape shape;
    double c_width;
    double q_width;
    double g_width;
    bool per_batch; /* c and q are drawn once a batch and not once a collision; g always is once a collision */
    uint64_t seed;
};

enum { MM_QUANTILES = 5, MM_MEASURES = 3 };

/** The quantiles that are kept: 5, 25, 50, 75 and 95 %. */
extern const double mm_quantiles[MM_QUANTILES];

/** Names of the measures in the order of the samples: energy, ergotropy, purity. */
extern const char *const mm_measure_names[MM_MEASURES];

/** How often noise left [0, 1]. */
struct mm_clipped {
    int64_t drawn; /* pairs (c, q) */
    int64_t c;     /* clipped values of c */
    int64_t q;
};

/** Samples of all realisations. Free with mm_robustness_free. */
struct mm_robustness {
    size_t curve_count;
    size_t record_count;
    int64_t *k; /* [record_count] */
    int64_t realisations;
    int64_t realisations_done;  /* the first ones, of every curve */
    double *samples;            /* [curve][record][measure][realisation] */
    struct mm_clipped *clipped; /* [curve], of the realisations that are done */
    const char *backend;
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
    struct mm_solver_options solver; /* "cpu" (also "auto" and NULL) or "reference" */
    const volatile int *stop;        /* set to non-zero to stop; may be NULL */
    void (*progress)(void *context, int64_t done, int64_t total, double seconds); /* may be NULL */
    void *progress_context;
};

/** The collision number `collision` of a realisation of a curve; adds to *clipped. Every curve of a realisation
 *  meets the same noise. The result depends on the arguments alone. */
struct mm_drawn_collision mm_noise_draw(const struct mm_evolution_plan *plan, const struct mm_noise *noise,
                                        size_t curve, int64_t realisation, int64_t collision,
                                        struct mm_clipped *clipped);

/** Takes every curve of a plan through `realisations` realisations of the noise. Of the plan, states and
 *  energy_step are not used. Returns MM_OK, MM_STOPPED when options->stop was set (the realisations that are done
 *  for every curve are in *robustness), or an error (then nothing needs to be freed). */
mm_status mm_robustness_run(const struct mm_evolution_plan *plan, const struct mm_noise *noise,
                            int64_t realisations, const struct mm_robustness_options *options,
                            struct mm_robustness *robustness, struct mm_error *error);

/** Spread over the realisations done, at least one; quantiles by linear interpolation between the ordered samples
 *  (type 7 of Hyndman and Fan 1996, NumPy's default). Sorts the samples in place. */
struct mm_spread mm_robustness_spread(struct mm_robustness *robustness, size_t curve, size_t record,
                                      size_t measure);

void mm_robustness_free(struct mm_robustness *robustness);

#endif
