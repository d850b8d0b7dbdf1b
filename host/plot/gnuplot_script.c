/* gnuplot_script.c - the one look of all figures, as gnuplot scripts.
 *
 * All lengths are in points (1/72 inch). A figure of one column of panels is as wide as one column of a journal of
 * two, others as wide as the page; panels get their places on the page from here, so that labels and the legend
 * below never reach into the data. A picture format only sets how many of its units a point has. The colours are
 * those of Okabe and Ito, "Color Universal Design" (2008); maps use samples of viridis and of ColorBrewer's RdBu.
 */
#include <math.h>
#include <string.h>

#include "plot/gnuplot.h"
#include "base/numbers.h"
#include "base/text.h"

enum {
    MARKERS = 8,         /* along a line */
    SAMPLE_POINTS = 3,   /* of a line in the legend */
    STEPS_MAX = 6,       /* of an axis */
    PALETTE_COLOURS = 65 /* of a map: odd, so that 0 is white; more would show only in the size of the file */
};

static const double COLUMN_WIDTH = 246;
static const double PAGE_WIDTH = 510;
static const double LEFT = 41;            /* of a panel: its label and numbers */
static const double RIGHT = 9;            /* of a panel without a colour bar */
static const double RIGHT_OF_COLOUR = 56; /* of a panel with one */
static const double TOP = 7;
static const double TITLE = 11;
static const double BOTTOM = 29;         /* label and numbers of the x axis */
static const double BETWEEN_SHARED = 11; /* panels that share an x axis */
static const double LEGEND_LINE = 12;
static const double CHARACTER = 4;      /* mean width */
static const double SAMPLE_LENGTH = 16; /* the line before a label of the legend */
static const double SAMPLE_GAP = 5;     /* and the gap between them */
static const double FONT_SIZE = 8;

static const char *const colours[MM_FIGURE_COLOURS] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                       "#e69f00", "#56b4e9", "#000000"};
static const int markers[MM_FIGURE_COLOURS] = {7, 5, 9, 11, 13, 6, 2};

static const char *const palettes[] = {
    [MM_PALETTE_SEQUENTIAL] = "0 '#440154', 1 '#472d7b', 2 '#3b528b', 3 '#2c728e', 4 '#21918c', 5 '#28ae80', "
                              "6 '#5ec962', 7 '#addc30', 8 '#fde725'",
    [MM_PALETTE_DIVERGING] = "0 '#053061', 1 '#2166ac', 2 '#4393c3', 3 '#92c5de', 4 '#d1e5f0', 5 '#ffffff', "
                             "6 '#fddbc7', 7 '#f4a582', 8 '#d6604d', 9 '#b2182b', 10 '#67001f'",
};

/* A rectangle on the page, from its lower left corner. */
struct box {
    double x;
    double y;
    double width;
    double height;
};

struct page {
    const struct mm_figure *figure;
    FILE *stream;
    double width;
    double height;
    double legend_height;
    size_t legend_entries;
    size_t legend_columns;
};

/* ------------------------------------------------------------------------------------------------ text */

/* A blank beside a change of font: readers of SVG may drop it, so that it is left as wide as an unseen dot. */
static const char BLANK_BESIDE_FONT[] = "&{.}";

static void write_character(FILE *stream, char c)
{
    fputs(c == '\'' ? "'" : "", stream); /* in single quotes, one is written as two */
    fputc(c, stream);
}

/* Writes enhanced text; the blank that ends the name of a font, "{/:Italic W}", stays one. */
static void write_enhanced(FILE *stream, const char *enhanced)
{
    bool in_font_name = false;
    fputc('\'', stream);
    for (const char *c = enhanced; *c != '\0'; c++) {
        bool beside_font = *c == ' ' && !in_font_name && (c[1] == '{' || (c > enhanced && c[-1] == '}'));
        in_font_name = *c != ' ' && (in_font_name || strncmp(c, "{/", 2) == 0);
        if (beside_font)
            fputs(BLANK_BESIDE_FONT, stream);
        else
            write_character(stream, *c);
    }
    fputc('\'', stream);
}

/* What plain text spells out, and how it is drawn. */
struct symbol {
    const char *spelled;
    const char *drawn;
};

/* The symbol that a text begins with, or NULL. */
static const struct symbol *find_symbol(const char *text)
{
    static const struct symbol symbols[] = {
        {"lambda", "{/:Italic λ}"}, {"epsilon", "{/:Italic ε}"}, {"hbar omega", "ħω"}};
    for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++)
        if (strncmp(text, symbols[i].spelled, strlen(symbols[i].spelled)) == 0)
            return &symbols[i];
    return NULL;
}

/* Writes plain text as enhanced text, with the symbols that it spells out. */
static void write_text(FILE *stream, const char *plain)
{
    char line[MM_LABEL_SIZE];
    mm_text_to_line(plain, sizeof line, line);
    bool after_symbol = false;
    fputc('\'', stream);
    for (const char *c = line; *c != '\0';) {
        const struct symbol *symbol = find_symbol(c);
        if (symbol != NULL)
            fputs(symbol->drawn, stream);
        else if (*c == ' ' && (after_symbol || find_symbol(c + 1) != NULL))
            fputs(BLANK_BESIDE_FONT, stream);
        else {
            fputs(strchr("_^{}@&~\\", *c) != NULL ? "\\" : "", stream);
            write_character(stream, *c);
        }
        after_symbol = symbol != NULL;
        c += symbol != NULL ? strlen(symbol->spelled) : 1;
    }
    fputc('\'', stream);
}

/* Characters of plain text as it is drawn. */
static size_t count_characters(const char *text)
{
    size_t count = 0;
    while (*text != '\0') {
        const struct symbol *symbol = find_symbol(text);
        count += symbol != NULL || ((unsigned char)*text & 0xC0) != 0x80;
        text += symbol != NULL ? strlen(symbol->spelled) : 1;
    }
    return count;
}

/* ---------------------------------------------------------------------------------------------- layout */

static bool column_has_colour_bar(const struct mm_figure *figure, size_t column)
{
    for (size_t row = 0; row < figure->rows; row++)
        if (figure->panels[row * figure->columns + column].colour.text != NULL)
            return true;
    return false;
}

static bool row_has_title(const struct mm_figure *figure, size_t row)
{
    for (size_t column = 0; column < figure->columns; column++)
        if (figure->panels[row * figure->columns + column].title[0] != '\0')
            return true;
    return false;
}

static double panel_width(const struct page *page, size_t column)
{
    double right = column_has_colour_bar(page->figure, column) ? RIGHT_OF_COLOUR : RIGHT;
    return page->width / (double)page->figure->columns - LEFT - right;
}

static double row_height(const struct page *page, size_t row)
{
    double height = 0;
    for (size_t column = 0; column < page->figure->columns; column++)
        height = fmax(height, panel_width(page, column) *
                                  page->figure->panels[row * page->figure->columns + column].aspect);
    return height;
}

static double above(const struct page *page, size_t row)
{
    return (row == 0 ? TOP : 0) + (row_has_title(page->figure, row) ? TITLE : 0);
}

static double below(const struct page *page, size_t row)
{
    return page->figure->shared_x && row + 1 < page->figure->rows ? BETWEEN_SHARED : BOTTOM;
}

static struct box place_panel(const struct page *page, size_t row, size_t column)
{
    double top = page->height;
    for (size_t r = 0; r < row; r++)
        top -= above(page, r) + row_height(page, r) + below(page, r);
    top -= above(page, row);
    struct box box = {.width = panel_width(page, column)};
    box.height = box.width * page->figure->panels[row * page->figure->columns + column].aspect;
    box.x = (double)column * page->width / (double)page->figure->columns + LEFT;
    box.y = top - box.height;
    return box;
}

static void lay_out_legend(struct page *page)
{
    size_t longest = 0;
    for (size_t i = 0; i < page->figure->rows * page->figure->columns; i++)
        for (size_t s = 0; s < page->figure->panels[i].series_count; s++) {
            const struct mm_series *series = &page->figure->panels[i].series[s];
            if (!series->in_legend)
                continue;
            size_t length = count_characters(series->label);
            page->legend_entries++;
            longest = length > longest ? length : longest;
        }
    if (page->legend_entries == 0)
        return;
    double fitting = floor((page->width - LEFT) / ((double)longest * CHARACTER + SAMPLE_LENGTH + 3 * SAMPLE_GAP));
    page->legend_columns = fitting < 1 ? 1 : (size_t)fitting;
    size_t lines = (page->legend_entries - 1) / page->legend_columns + 1;
    page->legend_columns = (page->legend_entries - 1) / lines + 1; /* as even as the lines allow */
    page->legend_height = LEGEND_LINE * (double)lines + 4;
}

static void lay_out(struct page *page)
{
    page->width = page->figure->columns == 1 ? COLUMN_WIDTH : PAGE_WIDTH;
    lay_out_legend(page);
    page->height = page->legend_height;
    for (size_t row = 0; row < page->figure->rows; row++)
        page->height += above(page, row) + row_height(page, row) + below(page, row);
}

/* ---------------------------------------------------------------------------------------------- header */

/* cairo counts 96 of its font's points to an inch, and lines of a PDF are half as wide as those of other formats.
 */
static void write_terminal(const struct page *page, enum mm_picture_format format)
{
    static const double cairo_font = 0.75;
    static const double svg_scale = 2;
    static const double png_scale = 300.0 / 72.0;
    switch (format) {
    case MM_PICTURE_SVG:
        fprintf(page->stream,
                "set terminal svg size %.0f,%.0f enhanced font 'Arial,%g' linewidth %g background 'white'\n",
                page->width * svg_scale, page->height * svg_scale, FONT_SIZE * svg_scale, svg_scale);
        break;
    case MM_PICTURE_PDF:
        fprintf(page->stream,
                "set terminal pdfcairo size %gin,%gin enhanced font 'Arial,%g' fontscale %g linewidth 2 background "
                "'white'\n",
                page->width / 72, page->height / 72, FONT_SIZE, cairo_font);
        break;
    case MM_PICTURE_PNG:
        fprintf(page->stream,
                "set terminal pngcairo size %.0f,%.0f enhanced font 'Arial,%g' fontscale %g linewidth %g "
                "pointscale %g background 'white'\n",
                page->width * png_scale, page->height * png_scale, FONT_SIZE, png_scale * cairo_font, png_scale,
                png_scale / 2);
        break;
    }
}

static void write_header(const struct page *page, enum mm_picture_format format)
{
    fputs("set encoding utf8\n", page->stream);
    write_terminal(page, format);
    fputs("set border linewidth 0.5\n"
          "set tics in scale 0.6,0.3\n"
          "set ytics offset 0.5,0\n"
          "set xtics offset 0,0.3\n"
          "set style fill solid noborder\n"
          "set boxwidth 0.85\n"
          "set minussign\n"
          "unset key\n"
          "set multiplot\n",
          page->stream);
}

/* ---------------------------------------------------------------------------------------------- panels */

static const char *colour_of(const struct mm_series *series)
{
    return series->mark == MM_MARK_DASHED ? "#000000" : colours[series->colour % MM_FIGURE_COLOURS];
}

/* How a series looks, in its panel and in the legend; one of `interval` points has a marker. */
static void write_look(const struct mm_series *series, size_t interval, FILE *stream)
{
    const char *colour = colour_of(series);
    int marker = markers[series->colour % MM_FIGURE_COLOURS];
    int dashing = 1 + series->colour / MM_FIGURE_COLOURS;
    switch (series->mark) {
    case MM_MARK_LINE:
    case MM_MARK_POINTS:
        fprintf(stream,
                "with linespoints linewidth 1.1 dashtype %d linecolor rgb '%s' pointtype %d pointsize 0.45 "
                "pointinterval %zu",
                dashing, colour, marker, interval);
        break;
    case MM_MARK_DASHED:
        fprintf(stream, "with lines linewidth 1.1 dashtype (8,5) linecolor rgb '%s'", colour);
        break;
    case MM_MARK_ENDS:
        fputs("with points pointtype 6 pointsize 0.5 linewidth 0.8 linecolor rgb '#000000'", stream);
        break;
    case MM_MARK_BARS:
        fprintf(stream, "with boxes linecolor rgb '%s'", colour);
        break;
    case MM_MARK_BAND:
        fprintf(stream, "with filledcurves fillstyle transparent solid 0.25 noborder linecolor rgb '%s'", colour);
        break;
    case MM_MARK_BORDER:
        fputs("with lines linewidth 0.8 dashtype (3,3) linecolor rgb '#555555'", stream);
        break;
    case MM_MARK_IMAGE:
        fputs("with image", stream);
        break;
    }
}

static void write_blocks(const struct mm_panel *panel, FILE *stream)
{
    for (size_t s = 0; s < panel->series_count; s++) {
        const struct mm_series *series = &panel->series[s];
        fprintf(stream, "$series%zu << END\n", s);
        for (size_t i = 0; i < series->rows * series->columns; i++) {
            if (isfinite(series->values[i]))
                fprintf(stream, "%.9g", series->values[i]);
            else
                fputs("NaN", stream);
            fputc((i + 1) % series->columns == 0 ? '\n' : ' ', stream);
        }
        fputs("END\n", stream);
    }
}

static void write_bound(FILE *stream, double bound)
{
    if (isfinite(bound))
        fprintf(stream, "%.17g", bound);
    else
        fputs("*", stream);
}

/* Labels a linear axis of known ends at steps of 1, 2 or 5 times a power of ten, at most STEPS_MAX of them: gnuplot
 * does not see how narrow a panel is. */
static void write_step(FILE *stream, const char *name, const struct mm_figure_axis *axis)
{
    double span = axis->maximum - axis->minimum;
    if (axis->logarithmic || !(span > 0) || !isfinite(span)) {
        fprintf(stream, "set %stics autofreq\n", name);
        return;
    }
    double step = pow(10, floor(log10(span / STEPS_MAX)));
    double steps = span / step / STEPS_MAX;
    step *= steps <= 1 ? 1 : steps <= 2 ? 2 : steps <= 5 ? 5 : 10;
    fprintf(stream, "set %stics %.17g\n", name, step);
}

static void write_axis(FILE *stream, const char *name, const struct mm_figure_axis *axis, bool labelled)
{
    fprintf(stream, "%s logscale %s\n", axis->logarithmic ? "set" : "unset", name);
    fprintf(stream, "set %srange [", name);
    write_bound(stream, axis->minimum);
    fputs(":", stream);
    write_bound(stream, axis->maximum);
    fprintf(stream, "]\nset format %s '%s'\n", name, !labelled ? "" : axis->logarithmic ? "10^{%T}" : "%g");
    fprintf(stream, "set %slabel ", name);
    write_enhanced(stream, labelled ? axis->text : "");
    fputs("\n", stream);
    write_step(stream, name, axis);
    if (axis->tick_count == 0)
        return;
    fprintf(stream, "set %stics (", name);
    for (size_t i = 0; i < axis->tick_count; i++) {
        fputs(i == 0 ? "" : ", ", stream);
        write_text(stream, labelled ? axis->ticks[i].text : "");
        fprintf(stream, " %.17g", axis->ticks[i].at);
    }
    fputs(")\n", stream);
}

static void write_borders(const struct mm_panel *panel, FILE *stream)
{
    fputs("unset arrow\n", stream);
    for (size_t s = 0; s < panel->series_count; s++) {
        const struct mm_series *series = &panel->series[s];
        for (size_t r = 0; series->mark == MM_MARK_BORDER && r < series->rows; r++)
            fprintf(stream,
                    "set arrow from first %.17g, graph 0 to first %.17g, graph 1 nohead front linewidth 0.8 "
                    "dashtype (3,3) linecolor rgb '#555555'\n",
                    series->values[r * series->columns], series->values[r * series->columns]);
    }
}

static void write_colour(const struct page *page, const struct mm_panel *panel, const struct box *box)
{
    FILE *stream = page->stream;
    if (panel->colour.text == NULL)
        return;
    fprintf(stream, "set palette maxcolors %d defined (%s)\n", PALETTE_COLOURS, palettes[panel->palette]);
    write_axis(stream, "cb", &panel->colour, true);
    fprintf(stream, "set colorbox user origin %.6f,%.6f size %.6f,%.6f\n", (box->x + box->width + 5) / page->width,
            box->y / page->height, 6 / page->width, box->height / page->height);
    fputs("set cbtics offset -0.7,0\nset cblabel offset -0.3,0\n", stream);
}

static void write_plot(const struct mm_panel *panel, FILE *stream)
{
    const char *separator = "plot ";
    for (size_t s = 0; s < panel->series_count; s++) {
        const struct mm_series *series = &panel->series[s];
        if (series->mark == MM_MARK_BORDER)
            continue;
        if (series->mark == MM_MARK_BARS) /* bars too low to be seen would only fill the file */
            fprintf(stream, "%s$series%zu using 1:($2 > %g ? $2 : NaN) ", separator, s, 1e-3 * panel->y.maximum);
        else
            fprintf(stream, "%s$series%zu using 1:2%s ", separator, s, series->columns > 2 ? ":3" : "");
        if (series->mark == MM_MARK_ENDS) /* a pale rim, to be seen on any colour */
            fprintf(stream,
                    "with points pointtype 6 pointsize 0.5 linewidth 2.2 linecolor rgb '#ffffff', "
                    "$series%zu using 1:2 ",
                    s);
        size_t interval = series->mark == MM_MARK_POINTS || series->rows < MARKERS ? 1 : series->rows / MARKERS;
        write_look(series, interval, stream);
        fputs(" notitle", stream);
        separator = ", ";
    }
    fputs("\n", stream);
}

static void write_panel(const struct page *page, size_t row, size_t column)
{
    const struct mm_panel *panel = &page->figure->panels[row * page->figure->columns + column];
    FILE *stream = page->stream;
    struct box box = place_panel(page, row, column);
    if (panel->series_count == 0)
        return;
    fprintf(stream,
            "set lmargin at screen %.6f\nset rmargin at screen %.6f\nset bmargin at screen %.6f\nset tmargin at "
            "screen %.6f\n",
            box.x / page->width, (box.x + box.width) / page->width, box.y / page->height,
            (box.y + box.height) / page->height);
    fputs("set title offset 0,-0.7\nset title ", stream);
    write_text(stream, panel->title);
    fputs("\n", stream);
    write_axis(stream, "x", &panel->x, !page->figure->shared_x || row + 1 == page->figure->rows);
    write_axis(stream, "y", &panel->y, true);
    fputs("set xlabel offset 0,0.6\nset ylabel offset 0.5,0\n", stream);
    write_colour(page, panel, &box);
    write_borders(panel, stream);
    write_blocks(panel, stream);
    write_plot(panel, stream);
}

/* Writes the label of a legend entry and the data of its sample: the middle first, where the marker is, then both
 * ends of the line. Open circles have no line. */
static void write_entry(const struct page *page, const struct mm_series *series, size_t entry)
{
    double column_width = (page->width - LEFT) / (double)page->legend_columns;
    double middle = LEFT + column_width * (double)(entry % page->legend_columns) + SAMPLE_LENGTH / 2;
    double y = page->legend_height - LEGEND_LINE * ((double)(entry / page->legend_columns) + 0.5);
    double half = series->mark == MM_MARK_ENDS ? 0 : SAMPLE_LENGTH / 2;
    double first = series->mark == MM_MARK_DASHED ? middle - half : middle; /* dashes must not overlap */
    fprintf(page->stream, "$entry%zu << END\n%g %g\n%g %g\n%g %g\nEND\nset label %zu ", entry, first, y,
            middle - half, y, middle + half, y, entry + 1);
    write_text(page->stream, series->label);
    fprintf(page->stream, " at first %g, first %g left\n", middle + SAMPLE_LENGTH / 2 + SAMPLE_GAP, y);
}

/* The legend is a panel of its own in the strip at the bottom, whose coordinates are points. gnuplot's own key
 * guesses the width of its labels, and drops entries where it guesses wrong. */
static void write_legend(const struct page *page)
{
    FILE *stream = page->stream;
    const struct mm_figure *figure = page->figure;
    if (page->legend_entries == 0)
        return;
    fprintf(
        stream,
        "unset arrow\nunset logscale\nunset border\nunset tics\nunset xlabel\nunset ylabel\nunset title\n"
        "set lmargin at screen 0\nset rmargin at screen 1\nset bmargin at screen 0\nset tmargin at screen %.6f\n"
        "set xrange [0:%g]\nset yrange [0:%g]\n",
        page->legend_height / page->height, page->width, page->legend_height);
    for (int drawing = 0; drawing < 2; drawing++) { /* all data, then one plot of all */
        size_t entry = 0;
        for (size_t i = 0; i < figure->rows * figure->columns; i++)
            for (size_t s = 0; s < figure->panels[i].series_count; s++) {
                const struct mm_series *series = &figure->panels[i].series[s];
                if (!series->in_legend)
                    continue;
                if (drawing == 0) {
                    write_entry(page, series, entry++);
                    continue;
                }
                fprintf(stream, "%s$entry%zu using 1:2 ", entry == 0 ? "plot " : ", ", entry);
                write_look(series, SAMPLE_POINTS, stream);
                fputs(" notitle", stream);
                entry++;
            }
    }
    fputs("\n", stream);
}

void mm_gnuplot_write_script(const struct mm_figure *figure, enum mm_picture_format format, FILE *stream)
{
    struct page page = {.figure = figure, .stream = stream};
    lay_out(&page);
    write_header(&page, format);
    for (size_t row = 0; row < figure->rows; row++)
        for (size_t column = 0; column < figure->columns; column++)
            write_panel(&page, row, column);
    write_legend(&page);
    fputs("unset multiplot\n", stream);
}
