/* wigner.h - Wigner functions of the states that an evolution file stores, added to it. */
#ifndef MM_FILES_EVOLUTION_WIGNER_H
#define MM_FILES_EVOLUTION_WIGNER_H

#include "micromaser.h"

/** What to add to which file. */
struct mm_wigner_request {
    const char *path;   /* an evolution file */
    const char *output; /* where the extended copy goes; NULL: in the place of the file itself */
    bool replace;       /* an existing output, and Wigner functions on another grid */
    int64_t state;      /* row of /state/k; -1: all, or the one of k */
    int64_t k;          /* number of collisions of the state, stored or not; -1: as `state` says */
    size_t x_count;     /* 0: as many as in the file, or MM_WIGNER_POINTS_DEFAULT */
    size_t p_count;
    double x_extent; /* half-widths of the grid; 0: as in the file, or as wide as the widest state needs */
    double p_extent;
    struct mm_solver_options solver; /* backend and threads, as for mm_wigner */
    const volatile int *stop;        /* set to non-zero to stop after the state in work */
};

/** What was found of one state. */
struct mm_wigner_entry {
    size_t curve;
    int64_t k;
    double energy; /* of the density matrix, as the next one */
    double purity;
    struct mm_wigner_summary summary; /* of the Wigner function */
};

/** Free with mm_wigner_report_free. */
struct mm_wigner_report {
    size_t count;
    struct mm_wigner_entry *entries; /* [count] */
    size_t curve_count;
    char **labels; /* [curve_count] */
    size_t x_count;
    size_t p_count;
    double x_extent;
    double p_extent;
};

/** Adds /state/wigner [curve][state][x][p], /state/x and /state/p. Functions already there on the same grid are
 *  kept; states never asked for are NaN. A state after k collisions that is not stored is computed again and stored
 *  between the others. The file is extended in a copy and renamed, so it is never half-written.
 *  Returns MM_STOPPED when *request->stop was set: what is done is saved.
 *  Errors: MM_ERROR_INPUT (not an evolution file, damaged, no such state), MM_ERROR_OUTPUT, ... */
mm_status mm_wigner_file_add(const struct mm_wigner_request *request, struct mm_wigner_report *report,
                             struct mm_error *error);

void mm_wigner_report_free(struct mm_wigner_report *report);

#endif
