/* figure.c - what a figure shows, apart from how it is drawn: panels, axes, series of numbers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plot/figure.h"
#include "base/numbers.h"

mm_status mm_figure_create(struct mm_figure *figure, size_t rows, size_t columns, struct mm_error *error)
{
    *figure = (struct mm_figure){.rows = rows, .columns = columns};
    figure->panels = calloc(rows * columns, sizeof *figure->panels);
    if (figure->panels == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory for a figure of %zu x %zu panels", rows, columns);
    for (size_t i = 0; i < rows * columns; i++) {
        struct mm_panel *panel = &figure->panels[i];
        struct mm_figure_axis *axes[] = {&panel->x, &panel->y, &panel->colour};
        for (size_t a = 0; a < sizeof axes / sizeof axes[0]; a++)
            axes[a]->minimum = axes[a]->maximum = NAN;
        panel->aspect = 0.62;
    }
    return MM_OK;
}

void mm_figure_free(struct mm_figure *figure)
{
    for (size_t i = 0; figure->panels != NULL && i < figure->rows * figure->columns; i++) {
        struct mm_panel *panel = &figure->panels[i];
        for (size_t s = 0; s < panel->series_count; s++)
            free(panel->series[s].values);
        free(panel->series);
        free(panel->x.ticks);
        free(panel->y.ticks);
        free(panel->colour.ticks);
    }
    free(figure->panels);
    *figure = (struct mm_figure){0};
}

struct mm_panel *mm_figure_panel(struct mm_figure *figure, size_t row, size_t column)
{
    return &figure->panels[row * figure->columns + column];
}

struct mm_series *mm_panel_add(struct mm_panel *panel, enum mm_mark mark, int colour, const char *label,
                               size_t rows, size_t columns, const char *const *names, struct mm_error *error)
{
    double *values = malloc((rows * columns + 1) * sizeof *values); /* + 1: never an empty request */
    struct mm_series *grown = realloc(panel->series, (panel->series_count + 1) * sizeof *grown);
    if (grown != NULL)
        panel->series = grown;
    if (grown == NULL || values == NULL) {
        free(values);
        mm_fail(error, MM_ERROR_MEMORY, "out of memory for %zu rows of a figure", rows);
        return NULL;
    }
    struct mm_series *series = &panel->series[panel->series_count++];
    *series = (struct mm_series){.mark = mark, .colour = colour, .rows = rows, .columns = columns};
    series->values = values;
    for (size_t i = 0; i < rows * columns; i++)
        values[i] = NAN;
    memcpy(series->names, names, columns * sizeof *names);
    snprintf(series->label, sizeof series->label, "%s", label);
    return series;
}

mm_status mm_figure_axis_add_tick(struct mm_figure_axis *axis, double at, const char *text, struct mm_error *error)
{
    struct mm_tick *grown = realloc(axis->ticks, (axis->tick_count + 1) * sizeof *grown);
    if (grown == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory for the labels of an axis");
    axis->ticks = grown;
    struct mm_tick *tick = &grown[axis->tick_count++];
    tick->at = at;
    snprintf(tick->text, sizeof tick->text, "%s", text);
    return MM_OK;
}

/* ----------------------------------------------------------------------------------------------- data */

static void write_value(FILE *stream, double value)
{
    char text[MM_NUMBER_TEXT_SIZE] = "NaN";
    if (isfinite(value))
        mm_number_text(value, text);
    fputs(text, stream);
}

static void write_series(const struct mm_series *series, FILE *stream)
{
    fputs("#", stream);
    for (size_t c = 0; c < series->columns; c++)
        fprintf(stream, "%s%s", c == 0 ? " " : ", ", series->names[c]);
    fputs("\n", stream);
    for (size_t r = 0; r < series->rows; r++)
        for (size_t c = 0; c < series->columns; c++) {
            write_value(stream, series->values[r * series->columns + c]);
            fputc(c + 1 < series->columns ? ' ' : '\n', stream);
        }
}

void mm_figure_write_data(const struct mm_figure *figure, FILE *stream)
{
    const char *separator = "";
    for (size_t i = 0; i < figure->rows * figure->columns; i++) {
        const struct mm_panel *panel = &figure->panels[i];
        for (size_t s = 0; s < panel->series_count; s++) {
            fprintf(stream, "%s# panel %zu%s%s; series: %s\n", separator, i + 1,
                    panel->title[0] == '\0' ? "" : ": ", panel->title, panel->series[s].label);
            write_series(&panel->series[s], stream);
            separator = "\n\n";
        }
    }
}
