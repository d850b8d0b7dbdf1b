/* line_search.h - the step length along a descent direction, asked and told one trial at a time. */
#ifndef MM_OPTIMISE_LINE_SEARCH_H
#define MM_OPTIMISE_LINE_SEARCH_H

#include <stdbool.h>

/** Value and slope of phi(t) = f(x + t d) at one step. */
struct mm_step_point {
    double step;
    double value;
    double slope; /* NAN where it was not told: of a rise only */
};

enum mm_line_search_outcome {
    MM_LINE_SEARCH_TRIAL,  /* the value at `trial` is wanted */
    MM_LINE_SEARCH_ACCEPT, /* the point just told ends the search */
    MM_LINE_SEARCH_FAIL,   /* no acceptable step was found */
};

/** A search in progress. */
struct mm_line_search {
    double trial; /* the step wanted next */

    struct mm_step_point start; /* step 0 */
    struct mm_step_point best;  /* lowest point of the auxiliary function so far */
    struct mm_step_point other; /* the other end of the interval that holds a minimum, if bracketed */
    bool bracketed;
    bool auxiliary;              /* still working on psi, not on phi */
    double longest;              /* step allowed at all */
    double trial_min, trial_max; /* the interval for the next trial */
    double width, width_before;  /* of the bracket, now and one step earlier */
    int trials_left;
};

/** Begins a search.
 *  @param value, slope  of phi at step 0; the slope must be negative
 *  @param trial         first step
 *  @param longest       longest step allowed, >= trial
 *  @param trials        most values asked for
 *  @returns TRIAL, or FAIL if the slope or the steps make no search possible */
enum mm_line_search_outcome mm_line_search_start(struct mm_line_search *search, double value, double slope,
                                                 double trial, double longest, int trials);

/** Takes the finite value and slope of phi at `trial`. */
enum mm_line_search_outcome mm_line_search_tell(struct mm_line_search *search, double value, double slope);

/** Takes the finite value of phi at `trial`, above that at step 0, without its slope. */
enum mm_line_search_outcome mm_line_search_tell_rise(struct mm_line_search *search, double value);

/** Takes the news that phi is not finite at `trial`: steps halfway back to the best point, and not beyond. */
enum mm_line_search_outcome mm_line_search_tell_undefined(struct mm_line_search *search);

#endif
