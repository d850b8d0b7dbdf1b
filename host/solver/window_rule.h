/* window_rule.h - what decides how the window of a state moves (derived in cpu/run.c), for host and device. */
#ifndef MM_SOLVER_WINDOW_RULE_H
#define MM_SOLVER_WINDOW_RULE_H

/* Shares of the tolerance that a collision may drop beyond the band and above the top. */
#define MM_BAND_SHARE 0.5
#define MM_TOP_SHARE  0.05

/* Share of the band's that giving up faded diagonals may use: what fades goes on fading. */
#define MM_SHRINK_SHARE 0.25

enum { MM_SHRINK_INTERVAL = 16 }; /* collisions between looks at whether the band may shrink */

#endif
