/* plot.h - makes figures of our files. */
#ifndef MM_PLOT_PLOT_H
#define MM_PLOT_PLOT_H

#include "plot/figure.h"
#include "files/hdf5/read.h"
#include "plot/request.h"

/** What an option chooses; every kind of figure takes some. */
enum mm_plot_choice {
    MM_PLOT_CURVES = 1, /* --select */
    MM_PLOT_LABELS = 2, /* --label */
    MM_PLOT_STATE = 4,  /* --state, --k */
    MM_PLOT_LINE = 8,   /* --g-index, --lambda-index */
    MM_PLOT_QUANTITY = 16,
};

/** Every kind of figure; the first of a kind of file is its default.
 *  X(name, kind of file, what can be chosen, what it shows); each is built by mm_plot_<name>. */
#define MM_PLOT_LIST(X)                                                                                            \
    X(evolution, MM_FILE_EVOLUTION, MM_PLOT_CURVES | MM_PLOT_LABELS,                                               \
      "ergotropy and purity against the number of collisions")                                                     \
    X(populations, MM_FILE_EVOLUTION, MM_PLOT_CURVES | MM_PLOT_LABELS | MM_PLOT_STATE,                             \
      "populations of the Fock levels of a stored state")                                                          \
    X(wigner, MM_FILE_EVOLUTION, MM_PLOT_CURVES | MM_PLOT_LABELS | MM_PLOT_STATE,                                  \
      "Wigner function of a stored state")                                                                         \
    X(state, MM_FILE_EVOLUTION, MM_PLOT_CURVES | MM_PLOT_LABELS | MM_PLOT_STATE,                                   \
      "populations above Wigner functions")                                                                        \
    X(optima, MM_FILE_SEARCH, MM_PLOT_LINE, "best c, q, ergotropy and purity over lambda or g")                    \
    X(map, MM_FILE_SEARCH, 0, "loss, ergotropy and purity of the best over the grid of g and lambda")              \
    X(convergence, MM_FILE_SEARCH, MM_PLOT_CURVES, "sorted losses of the starts of each grid point")               \
    X(robustness, MM_FILE_ROBUSTNESS, MM_PLOT_CURVES | MM_PLOT_LABELS,                                             \
      "median and quantiles of ergotropy and purity under noise")                                                  \
    X(landscape, MM_FILE_LANDSCAPE, MM_PLOT_CURVES | MM_PLOT_QUANTITY,                                             \
      "loss over c and q of one batch, with the end points of the chains")

/** Builds the figure that is asked for; free it with mm_figure_free.
 *  MM_ERROR_INPUT: a file that cannot be read or has no such data, a kind of figure that it cannot give, a choice
 *  that this kind does not have, a number out of range, more labels than curves, more curves than can be told
 *  apart. */
mm_status mm_plot_build(const struct mm_plot_request *request, struct mm_figure *figure, struct mm_error *error);

/** The builders, all of one form. On failure the figure may be half-built; the caller frees it. */
#define MM_PLOT_DECLARATION(name, kind, choices, text)                                                             \
    mm_status mm_plot_##name(const struct mm_plot_request *request, struct mm_figure *figure,                      \
                             struct mm_error *error);
MM_PLOT_LIST(MM_PLOT_DECLARATION)
#undef MM_PLOT_DECLARATION

#endif
