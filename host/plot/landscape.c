/* landscape.c - the loss over (c, q) of one batch, with the end points of the chains of a search. */
#include <math.h>
#include <string.h>
#include <stdlib.h>

#include "plot/plot.h"
#include "files/hdf5/root.h"

enum { LANDSCAPES_MAX = 8 };

struct landscape_file {
    struct mm_hdf5_array c;
    struct mm_hdf5_array q;
    struct mm_hdf5_array g;      /* [cell] */
    struct mm_hdf5_array lambda; /* [cell] */
    struct mm_hdf5_array values; /* [cell][nc][nq] */
    struct mm_hdf5_array chain_cell;
    struct mm_hdf5_array chain_c;
    struct mm_hdf5_array chain_q;
};

/* The quantities of a landscape. X(name of the dataset, units, text of the axis). */
#define QUANTITY_LIST(X)                                                                                           \
    X(loss, "1", MM_TEXT_LOSS)                                                                                     \
    X(ergotropy, "hbar omega", MM_TEXT_ERGOTROPY)                                                                  \
    X(instability, "hbar omega", "instability Σ|Δ{/:Italic E}| (ħω)")

struct quantity {
    const char *name;
    const char *path;
    const char *column;
    const char *text;
};

static const struct quantity quantities[] = {
#define QUANTITY(name, units, text) {#name, "/landscape/" #name, #name " [" units "]", text},
    QUANTITY_LIST(QUANTITY)
#undef QUANTITY
};

static mm_status find_quantity(const struct mm_plot_request *request, const struct quantity **quantity,
                               struct mm_error *error)
{
    for (size_t i = 0; i < sizeof quantities / sizeof quantities[0]; i++) {
        *quantity = &quantities[i];
        if (request->quantity == NULL || strcmp(request->quantity, (*quantity)->name) == 0)
            return MM_OK;
    }
#define LIST_QUANTITY(name, units, text) " " #name
    return mm_fail(error, MM_ERROR_INPUT, "--quantity %s: a landscape has" QUANTITY_LIST(LIST_QUANTITY),
                   request->quantity);
#undef LIST_QUANTITY
}

static mm_status read_landscape(const char *path, const struct quantity *quantity, struct landscape_file *landscape,
                                struct mm_error *error)
{
    struct mm_hdf5_file file;
    *landscape = (struct landscape_file){0};
    mm_status status = mm_hdf5_file_open(&file, path, error);
    if (status != MM_OK)
        return status;
    mm_hdf5_read_array(&file, "/landscape/c", 1, &landscape->c);
    mm_hdf5_read_array(&file, "/landscape/q", 1, &landscape->q);
    mm_hdf5_read_array(&file, "/landscape/g", 1, &landscape->g);
    mm_hdf5_read_array(&file, "/landscape/lambda", 1, &landscape->lambda);
    mm_hdf5_read_array(&file, quantity->path, 3, &landscape->values);
    mm_hdf5_check_length(&file, "/landscape/lambda", &landscape->lambda, 0, landscape->g.count);
    mm_hdf5_check_length(&file, quantity->path, &landscape->values, 0, landscape->g.count);
    mm_hdf5_check_length(&file, quantity->path, &landscape->values, 1, landscape->c.count);
    mm_hdf5_check_length(&file, quantity->path, &landscape->values, 2, landscape->q.count);
    if (file.hdf5.status == MM_OK && mm_hdf5_has(&file, "/end_points")) {
        mm_hdf5_read_array(&file, "/end_points/cell", 1, &landscape->chain_cell);
        mm_hdf5_read_array(&file, "/end_points/c", 1, &landscape->chain_c);
        mm_hdf5_read_array(&file, "/end_points/q", 1, &landscape->chain_q);
        mm_hdf5_check_length(&file, "/end_points/c", &landscape->chain_c, 0, landscape->chain_cell.count);
        mm_hdf5_check_length(&file, "/end_points/q", &landscape->chain_q, 0, landscape->chain_cell.count);
    }
    return mm_hdf5_file_close(&file);
}

static void free_landscape(struct landscape_file *landscape)
{
    struct mm_hdf5_array *arrays[] = {&landscape->c,       &landscape->q,      &landscape->g,
                                      &landscape->lambda,  &landscape->values, &landscape->chain_cell,
                                      &landscape->chain_c, &landscape->chain_q};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++)
        mm_hdf5_array_free(arrays[i]);
}

static mm_status add_end_points(const struct landscape_file *landscape, size_t cell, bool *in_legend,
                                struct mm_panel *panel, struct mm_error *error)
{
    static const char *const names[] = {"c [1]", "q [1]"};
    size_t count = 0;
    for (size_t i = 0; i < landscape->chain_cell.count; i++)
        count += landscape->chain_cell.values[i] == (double)cell;
    if (count == 0)
        return MM_OK;
    struct mm_series *series =
        mm_panel_add(panel, MM_MARK_ENDS, 0, "end points of the chains", count, 2, names, error);
    if (series == NULL)
        return MM_ERROR_MEMORY;
    series->in_legend = !*in_legend;
    *in_legend = true;
    for (size_t i = 0, row = 0; i < landscape->chain_cell.count; i++)
        if (landscape->chain_cell.values[i] == (double)cell) {
            series->values[2 * row] = landscape->chain_c.values[i];
            series->values[2 * row++ + 1] = landscape->chain_q.values[i];
        }
    return MM_OK;
}

/* A loss above 0 is worse than doing nothing (c = q = 1): the map ends there, where that leaves anything. */
static void set_colour_axis(const struct quantity *quantity, double lowest, struct mm_panel *panel)
{
    panel->colour.text = quantity->text;
    panel->palette = MM_PALETTE_SEQUENTIAL;
    if (quantity == &quantities[0] && lowest < 0) {
        panel->colour.minimum = lowest;
        panel->colour.maximum = 0;
    }
}

static mm_status add_landscape(const struct landscape_file *landscape, const struct quantity *quantity, size_t cell,
                               bool *in_legend, struct mm_panel *panel, struct mm_error *error)
{
    const char *const names[] = {"c [1]", "q [1]", quantity->column};
    size_t nq = landscape->q.count;
    size_t count = landscape->c.count * nq;
    struct mm_series *series = mm_panel_add(panel, MM_MARK_IMAGE, 0, quantity->name, count, 3, names, error);
    if (series == NULL)
        return MM_ERROR_MEMORY;
    double lowest = INFINITY;
    for (size_t i = 0; i < count; i++) {
        series->values[3 * i] = landscape->c.values[i / nq];
        series->values[3 * i + 1] = landscape->q.values[i % nq];
        series->values[3 * i + 2] = landscape->values.values[cell * count + i];
        lowest = fmin(lowest, series->values[3 * i + 2]);
    }
    snprintf(panel->title, sizeof panel->title, "lambda = %.4g, g = %.4g", landscape->lambda.values[cell],
             landscape->g.values[cell]);
    panel->x = (struct mm_figure_axis){"coherence {/:Italic c}", false, 0, 1, 0, NULL};
    panel->y = (struct mm_figure_axis){"ground-state population {/:Italic q}", false, 0, 1, 0, NULL};
    panel->aspect = 1;
    set_colour_axis(quantity, lowest, panel);
    return add_end_points(landscape, cell, in_legend, panel, error);
}

mm_status mm_plot_landscape(const struct mm_plot_request *request, struct mm_figure *figure, struct mm_error *error)
{
    const struct quantity *quantity = NULL;
    struct landscape_file landscape = {0};
    size_t *shown = NULL;
    size_t count = 0;
    mm_status status = find_quantity(request, &quantity, error);
    if (status == MM_OK)
        status = read_landscape(request->paths[0], quantity, &landscape, error);
    if (status == MM_OK)
        status = mm_plot_select(request, landscape.g.count, LANDSCAPES_MAX, "landscapes", &shown, &count, error);
    size_t columns = count < 2 ? 1 : 2;
    bool in_legend = false; /* end points are explained once */
    if (status == MM_OK)
        status = mm_figure_create(figure, count == 0 ? 1 : (count - 1) / columns + 1, columns, error);
    for (size_t i = 0; status == MM_OK && i < count; i++)
        status = add_landscape(&landscape, quantity, shown[i], &in_legend,
                               mm_figure_panel(figure, i / columns, i % columns), error);
    free(shown);
    free_landscape(&landscape);
    return status;
}
