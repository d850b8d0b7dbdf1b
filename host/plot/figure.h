/* figure.h - what a figure shows, apart from how it is drawn: panels, axes, series of numbers. */
#ifndef MM_PLOT_FIGURE_H
#define MM_PLOT_FIGURE_H

#include <stdio.h>

#include "micromaser.h"

enum {
    MM_FIGURE_COLUMNS_MAX = 4, /* panels side by side */
    MM_FIGURE_COLOURS = 7,     /* colours that the colour-blind can tell apart on white */
    MM_FIGURE_CURVES_MAX = 14, /* each colour in two dashings */
    MM_SERIES_COLUMNS_MAX = 4,
    MM_LABEL_SIZE = 96,
};

/** How a series is drawn, and what its columns are. */
enum mm_mark {
    MM_MARK_LINE,   /* x, y: a line with a marker now and then */
    MM_MARK_POINTS, /* x, y: a line with a marker at each point */
    MM_MARK_DASHED, /* x, y: a dashed reference line */
    MM_MARK_ENDS,   /* x, y: open circles, no line */
    MM_MARK_BARS,   /* x, y: bars of unit width */
    MM_MARK_BAND,   /* x, low, high: a shaded band */
    MM_MARK_BORDER, /* x, bottom, top: vertical lines through the panel */
    MM_MARK_IMAGE,  /* x, y, z: a map on a regular grid, y running fastest */
};

/** One series. */
struct mm_series {
    enum mm_mark mark;
    int colour;                /* 0 .. MM_FIGURE_CURVES_MAX - 1 */
    bool in_legend;            /* a label that stands in several panels is listed once */
    char label[MM_LABEL_SIZE]; /* plain text; what it is in the data, too */
    size_t rows;
    size_t columns;
    const char *names[MM_SERIES_COLUMNS_MAX]; /* of the columns, with units */
    double *values;                           /* [rows][columns]; NaN where there is no value */
};

/** A labelled place on an axis. */
struct mm_tick {
    double at;
    char text[MM_LABEL_SIZE];
};

/** One axis. */
struct mm_figure_axis {
    const char *text; /* symbol and units in gnuplot's enhanced text */
    bool logarithmic;
    double minimum; /* NaN: from the data */
    double maximum;
    size_t tick_count; /* 0: chosen by gnuplot */
    struct mm_tick *ticks;
};

/** Colours of maps. */
enum mm_palette {
    MM_PALETTE_SEQUENTIAL, /* dark to bright, from the lowest to the highest value */
    MM_PALETTE_DIVERGING,  /* blue, white, red: centred on 0 */
};

/** One coordinate system. */
struct mm_panel {
    char title[MM_LABEL_SIZE]; /* plain text, may be "" */
    struct mm_figure_axis x;
    struct mm_figure_axis y;
    struct mm_figure_axis colour; /* of maps; its text is NULL where there is none */
    enum mm_palette palette;
    double aspect; /* height / width of the panel */
    size_t series_count;
    struct mm_series *series; /* [series_count], drawn in this order */
};

/** Panels in rows and columns. Start with mm_figure_create, end with mm_figure_free. */
struct mm_figure {
    size_t rows;
    size_t columns;
    bool shared_x;           /* the x axis is labelled below the lowest panel only */
    struct mm_panel *panels; /* [rows][columns] */
};

/** Creates an empty figure. */
mm_status mm_figure_create(struct mm_figure *figure, size_t rows, size_t columns, struct mm_error *error);

void mm_figure_free(struct mm_figure *figure);

/** The panel in a row and a column, both from 0. */
struct mm_panel *mm_figure_panel(struct mm_figure *figure, size_t row, size_t column);

/** Adds a series of `rows` rows of NaN to a panel; NULL when memory is short (then *error says so).
 *  @param names    [columns], not copied
 *  @param label    copied, cut to MM_LABEL_SIZE
 *  The pointer holds until the next series of the panel is added. */
struct mm_series *mm_panel_add(struct mm_panel *panel, enum mm_mark mark, int colour, const char *label,
                               size_t rows, size_t columns, const char *const *names, struct mm_error *error);

/** Adds a labelled place to an axis. */
mm_status mm_figure_axis_add_tick(struct mm_figure_axis *axis, double at, const char *text, struct mm_error *error);

/** Writes every series as a block of text: comment lines that say what it is, one line a row, two empty lines
 *  between blocks (what gnuplot and NumPy read). The caller checks the stream. */
void mm_figure_write_data(const struct mm_figure *figure, FILE *stream);

#endif
