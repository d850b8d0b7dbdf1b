/* request.h - what a figure is asked to show. */
#ifndef MM_PLOT_REQUEST_H
#define MM_PLOT_REQUEST_H

#include "micromaser.h"

/** What to show. */
struct mm_plot_request {
    const char *what; /* a name of MM_PLOT_LIST; NULL: the default of the file */
    size_t file_count;
    const char *const *paths; /* [file_count]; several only of evolutions */
    size_t selected_count;    /* 0: all */
    const int64_t *selected;  /* [selected_count]: curves, or grid points in the order (g, lambda), from 0 */
    int64_t state;            /* number of the stored state, from 0; -1: not given */
    int64_t k;                /* its number of collisions; -1: not given. Neither: the last that can be shown */
    int64_t g_index;          /* -1: not given */
    int64_t lambda_index;     /* -1: not given */
    size_t label_count;
    const char *const *labels; /* [label_count]: replace those of the first curves */
    const char *quantity;      /* of a landscape: "loss", "ergotropy" or "instability"; NULL: loss */
};

/** Which of `count` things are shown: the selected ones, or all. MM_ERROR_INPUT if one is out of range, or if they
 *  are more than `most`.
 *  @param what   the things, for messages: "curves"
 *  @param shown  out, [*shown_count], to be freed */
mm_status mm_plot_select(const struct mm_plot_request *request, size_t count, size_t most, const char *what,
                         size_t **shown, size_t *shown_count, struct mm_error *error);

/** Texts of axes. */
#define MM_TEXT_COLLISIONS "collisions {/:Italic k}"
#define MM_TEXT_ERGOTROPY  "ergotropy {/:Italic W} (ħω)"
#define MM_TEXT_PURITY     "purity Tr {/:Italic ρ}^2"
#define MM_TEXT_LOSS       "loss {/:Italic L}"

#endif
