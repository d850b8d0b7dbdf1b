/* curves.h - the curves of one or several files of evolutions, as figures need them. */
#ifndef MM_PLOT_CURVES_H
#define MM_PLOT_CURVES_H

#include "plot/plot.h"

/** What a figure needs of its files; flags. */
enum mm_plot_needs {
    MM_PLOT_TRAJECTORIES = 1, /* /evolution */
    MM_PLOT_BANDS = 2,        /* /robustness */
    MM_PLOT_POPULATIONS = 4,  /* /state/population */
    MM_PLOT_WIGNER = 8,       /* /state/wigner */
};

enum { MM_PLOT_QUANTILES = 5 }; /* of a robustness file: 5, 25, 50, 75, 95 % */

/** What was read of one file with C curves; empty where it was not needed. */
struct mm_plot_source {
    struct mm_hdf5_array g;          /* [C] */
    struct mm_hdf5_texts label;      /* [C] */
    struct mm_hdf5_array k;          /* [K] */
    struct mm_hdf5_array ergotropy;  /* [C][K], or [C][K][MM_PLOT_QUANTILES] */
    struct mm_hdf5_array purity;     /* the same */
    struct mm_hdf5_array state_k;    /* [S], where populations or Wigner functions are needed */
    struct mm_hdf5_array population; /* [C][S][N] */
    struct mm_hdf5_array wigner;     /* [C][at most S][nx][np]; NaN where there is none */
    struct mm_hdf5_array x;          /* [nx], at least two */
    struct mm_hdf5_array p;          /* [np], at least two */
};

/** One curve of one file. */
struct mm_plot_curve {
    const struct mm_plot_source *source;
    size_t row;   /* in the arrays of its source */
    size_t state; /* number of the stored state that is shown */
    double g;
    bool reference; /* the fine-tuned one beside others that are not */
    char label[MM_LABEL_SIZE];
};

/** The curves to show. End with mm_plot_curves_free, even after a failure. */
struct mm_plot_curves {
    size_t source_count;
    struct mm_plot_source *sources;
    size_t count;
    struct mm_plot_curve *curves; /* [count] */
};

/** Reads the files of a request and chooses the curves that it selects, at most `most`.
 *  @param needs  MM_PLOT_TRAJECTORIES | .. */
mm_status mm_plot_curves_read(const struct mm_plot_request *request, unsigned needs, size_t most,
                              struct mm_plot_curves *curves, struct mm_error *error);

void mm_plot_curves_free(struct mm_plot_curves *curves);

#endif
