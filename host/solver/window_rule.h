/* window_rule.h - how the window of a state moves, for host and device; only the sums it is told come from each
 * one's own loops.
 *
 * What a collision would drop above the top of the window and beyond its band is bounded by sums of |elements|
 * before it is done. What exceeds its share of the tolerance makes the window grow, the rest is accounted for;
 * every MM_SHRINK_INTERVAL collisions the outer diagonals that have faded are given up under the same account. With
 * derivatives wanted, the two outermost diagonals and the two top rows are watched instead. (Derived in cpu/run.c.)
 */
#ifndef MM_SOLVER_WINDOW_RULE_H
#define MM_SOLVER_WINDOW_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/inline.h"
#include "model/collision.h"

/* Shares of the tolerance that a collision may drop beyond the band and above the top. */
#define MM_BAND_SHARE 0.5
#define MM_TOP_SHARE  0.05

/* Share of the band's that giving up faded diagonals may use: what fades goes on fading. */
#define MM_SHRINK_SHARE 0.25

enum {
    MM_SHRINK_INTERVAL = 16, /* collisions between looks at whether the band may shrink */
    MM_WINDOW_STEP = 8,      /* live levels grow in this step: the columns of a block (solver/band_layout.h) */
};

/** The part of a matrix that is kept: rows and columns below `levels`, diagonals below `bands`. */
struct mm_window {
    int levels;
    int bands;
};

/** What a choice depends on besides the state. */
struct mm_window_rule {
    int levels;       /* most there may be */
    bool derivative;  /* the window keeps a margin for derivatives */
    double tolerance; /* of the band */
    double reach;     /* |S_L| of the first level above the window: the share of its top row that may leave it */
    struct mm_qubit qubit;
};

/** A window for the next state, and the sum of |elements| that it drops. */
struct mm_window_choice {
    struct mm_window window;
    double dropped;
};

/** Grows the top, or accounts for what leaves it.
 *  @param top, below_top  sums of |elements| of the two top rows, lower triangle; not looked at when the window is
 *                         as high as it may be */
MM_INLINE struct mm_window_choice mm_window_choose_levels(struct mm_window_rule rule, struct mm_window window,
                                                          double top, double below_top)
{
    struct mm_window_choice choice = {window, 0.0};
    if (window.levels >= rule.levels)
        return choice;
    const double dropped = rule.reach * (rule.qubit.excited + rule.qubit.coherence) * (2.0 * top);
    const double watched = rule.derivative ? 2.0 * top + 2.0 * below_top : dropped;
    if (watched > MM_TOP_SHARE * rule.tolerance) {
        const int levels = window.levels + MM_WINDOW_STEP;
        choice.window.levels = levels < rule.levels ? levels : rule.levels;
    } else {
        choice.dropped = dropped;
    }
    return choice;
}

/** Sum of |elements| near the outermost diagonal of a window that decides whether the band grows.
 *  @param outer, inner  of that diagonal and the one before it, 0 if there is none */
MM_INLINE double mm_window_watched(struct mm_window_rule rule, struct mm_window window, double outer, double inner)
{
    if (window.bands >= window.levels)
        return 0.0;
    return rule.derivative ? outer + inner : 2.0 * rule.qubit.coherence * outer;
}

/** Whether the band may shrink before this collision. */
MM_INLINE bool mm_window_may_shrink(int64_t collision)
{
    return collision % MM_SHRINK_INTERVAL == 0;
}

/** Whether the outermost diagonal has faded enough to be given up, unless its inner neighbours would make the band
 *  grow again at once.
 *  @param faded                    what was given up before it in this collision
 *  @param outer, inner, innermost  of the outermost diagonal and the two before it, 0 if there is none */
MM_INLINE bool mm_window_gives_up(struct mm_window_rule rule, struct mm_window window, double faded, double outer,
                                  double inner, double innermost)
{
    const double allowance = MM_SHRINK_SHARE * (MM_BAND_SHARE * rule.tolerance);
    const struct mm_window smaller = {window.levels, window.bands - 1};
    return !(faded + 2.0 * outer > allowance) && !(mm_window_watched(rule, smaller, inner, innermost) > allowance);
}

/** Grows the band, or accounts for what leaves it; what was given up before is accounted for as well. */
MM_INLINE struct mm_window_choice mm_window_choose_bands(struct mm_window_rule rule, struct mm_window_choice choice,
                                                         double faded, double outer, double inner)
{
    choice.dropped += faded;
    if (mm_window_watched(rule, choice.window, outer, inner) > MM_BAND_SHARE * rule.tolerance)
        choice.window.bands++;
    else if (choice.window.bands < choice.window.levels)
        choice.dropped += 2.0 * rule.qubit.coherence * outer;
    return choice;
}

#endif
