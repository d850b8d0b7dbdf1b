/* progress.h - one live line on a terminal while something long runs. */
#ifndef MM_CLI_PROGRESS_H
#define MM_CLI_PROGRESS_H

#include <stdio.h>

#include "micromaser.h"

/** The line; start with {.stream, .done_before}. */
struct progress_line {
    FILE *stream;        /* a terminal */
    int64_t done_before; /* chains (or collisions, ..) that were finished before this run began */
    double drawn_at;     /* seconds of the last drawing */
    int drawn_width;     /* characters on the terminal now */
};

/** Draws the line, at most ten times a second; `line` is a struct progress_line. For mm_search_options. */
void progress_draw(void *line, const struct mm_progress *progress);

/** Draws "done/total things", their speed and the time left, at most ten times a second. */
void progress_draw_count(struct progress_line *line, const char *things, int64_t done, int64_t total,
                         double seconds);

/** Wipes the line. */
void progress_clear(struct progress_line *line);

#endif
