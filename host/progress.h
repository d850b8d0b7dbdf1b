/* progress.h - one live line on a terminal while a search runs. */
#ifndef MM_PROGRESS_H
#define MM_PROGRESS_H

#include <stdio.h>

#include "micromaser.h"

/** The line; start with {.stream, .done_before}. */
struct progress_line {
    FILE *stream;        /* a terminal */
    int64_t done_before; /* chains that were finished before the search began */
    double drawn_at;     /* seconds of the last drawing */
    int drawn_width;     /* characters on the terminal now */
};

/** Draws the line, at most ten times a second; `line` is a struct progress_line. For mm_search_options. */
void progress_draw(void *line, const struct mm_progress *progress);

/** Wipes the line. */
void progress_clear(struct progress_line *line);

#endif
