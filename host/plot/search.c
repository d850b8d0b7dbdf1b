/* search.c - figures of searches: optima over lambda or g, maps over the grid, sorted losses. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plot/plot.h"
#include "files/hdf5/root.h"

enum {
    BATCHES_MAX = 7, /* that can be told apart: c and q take two of the fourteen looks */
    LABELS_MAX = 6,  /* along an axis of a map */
};

/* Losses nearer to the best than this are equal to it. */
static const double SMALLEST_DIFFERENCE = 1e-16;

/* A logarithmic axis where the values span at least this factor. */
static const double LOGARITHMIC_SPAN = 10;

/* What the figures need of a result file. */
struct search_file {
    const char *path;
    struct mm_hdf5_array g;
    struct mm_hdf5_array lambda;
    struct mm_hdf5_array fixed;     /* [batch] */
    struct mm_hdf5_array final;     /* [g][lambda][batch][2], of the best */
    struct mm_hdf5_array loss;      /* [g][lambda] */
    struct mm_hdf5_array ergotropy; /* [g][lambda] */
    struct mm_hdf5_array purity;    /* [g][lambda] */
    struct mm_hdf5_array agree;     /* [g][lambda] */
    struct mm_hdf5_array chain_g;   /* [chain], and so on */
    struct mm_hdf5_array chain_lambda;
    struct mm_hdf5_array chain_loss;
};

/* ------------------------------------------------------------------------------------------- reading */

static void read_best(struct mm_hdf5_file *file, const char *path, int rank, const struct search_file *search,
                      struct mm_hdf5_array *array)
{
    mm_hdf5_read_array(file, path, rank, array);
    mm_hdf5_check_length(file, path, array, 0, search->g.count);
    mm_hdf5_check_length(file, path, array, 1, search->lambda.count);
}

static void read_chains(struct mm_hdf5_file *file, struct search_file *search)
{
    mm_hdf5_read_array(file, "/chains/g_index", 1, &search->chain_g);
    mm_hdf5_read_array(file, "/chains/lambda_index", 1, &search->chain_lambda);
    mm_hdf5_read_array(file, "/chains/loss", 1, &search->chain_loss);
    mm_hdf5_check_length(file, "/chains/lambda_index", &search->chain_lambda, 0, search->chain_g.count);
    mm_hdf5_check_length(file, "/chains/loss", &search->chain_loss, 0, search->chain_g.count);
}

static mm_status read_search(const char *path, struct search_file *search, struct mm_error *error)
{
    struct mm_hdf5_file file;
    *search = (struct search_file){.path = path};
    mm_status status = mm_hdf5_file_open(&file, path, error);
    if (status != MM_OK)
        return status;
    mm_hdf5_read_array(&file, "/grid/g", 1, &search->g);
    mm_hdf5_read_array(&file, "/grid/lambda", 1, &search->lambda);
    mm_hdf5_read_array(&file, "/protocol/fixed", 1, &search->fixed);
    read_best(&file, "/best/final", 4, search, &search->final);
    mm_hdf5_check_length(&file, "/best/final", &search->final, 2, search->fixed.count);
    mm_hdf5_check_length(&file, "/best/final", &search->final, 3, 2);
    read_best(&file, "/best/loss", 2, search, &search->loss);
    read_best(&file, "/best/ergotropy", 2, search, &search->ergotropy);
    read_best(&file, "/best/purity", 2, search, &search->purity);
    read_best(&file, "/best/agree", 2, search, &search->agree);
    read_chains(&file, search);
    return mm_hdf5_file_close(&file);
}

static void free_search(struct search_file *search)
{
    struct mm_hdf5_array *arrays[] = {&search->g,       &search->lambda,       &search->fixed,     &search->final,
                                      &search->loss,    &search->ergotropy,    &search->purity,    &search->agree,
                                      &search->chain_g, &search->chain_lambda, &search->chain_loss};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++)
        mm_hdf5_array_free(arrays[i]);
}

/* -------------------------------------------------------------------------------------------- optima */

/* A line through the grid: along lambda at one g, or along g at one lambda. */
struct line {
    const struct mm_hdf5_array *axis;
    bool over_lambda;
    size_t fixed_index; /* of the other axis */
};

static mm_status check_index(const char *path, const char *option, int64_t index, size_t count,
                             struct mm_error *error)
{
    if (index < (int64_t)count)
        return MM_OK;
    return mm_fail(error, MM_ERROR_INPUT, "%s: %s %lld: the grid has %zu, counted from 0", path, option,
                   (long long)index, count);
}

static mm_status choose_line(const struct mm_plot_request *request, const struct search_file *search,
                             struct line *line, struct mm_error *error)
{
    mm_status status = check_index(search->path, "--g-index", request->g_index, search->g.count, error);
    if (status == MM_OK)
        status = check_index(search->path, "--lambda-index", request->lambda_index, search->lambda.count, error);
    if (status != MM_OK)
        return status;
    bool at_g = request->g_index >= 0;
    bool at_lambda = request->lambda_index >= 0;
    bool one_g = search->g.count == 1;
    bool one_lambda = search->lambda.count == 1;
    if (at_g == at_lambda && !one_g && !one_lambda)
        return mm_fail(error, MM_ERROR_INPUT,
                       "%s: %zu values of g and %zu of lambda: give one of --g-index and --lambda-index, or take "
                       "--what map",
                       search->path, search->g.count, search->lambda.count);
    line->over_lambda = at_g != at_lambda ? at_g : !one_lambda || one_g;
    line->axis = line->over_lambda ? &search->lambda : &search->g;
    int64_t index = line->over_lambda ? request->g_index : request->lambda_index;
    line->fixed_index = index < 0 ? 0 : (size_t)index;
    return MM_OK;
}

static size_t cell_of(const struct line *line, const struct search_file *search, size_t i)
{
    return line->over_lambda ? line->fixed_index * search->lambda.count + i
                             : i * search->lambda.count + line->fixed_index;
}

static int compare_rows(const void *one, const void *other)
{
    double first = *(const double *)one;
    double second = *(const double *)other;
    return (first > second) - (first < second);
}

/* Adds one quantity along the line, in the order of the axis: `stride` values a grid point, at `offset`. */
static mm_status add_along(const struct line *line, const struct search_file *search,
                           const struct mm_hdf5_array *array, size_t stride, size_t offset, int colour,
                           const char *label, const char *unit_name, struct mm_panel *panel, struct mm_error *error)
{
    const char *const names[] = {line->over_lambda ? "lambda [1]" : "g [1]", unit_name};
    size_t count = line->axis->count;
    struct mm_series *series = mm_panel_add(panel, MM_MARK_POINTS, colour, label, count, 2, names, error);
    if (series == NULL)
        return MM_ERROR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        series->values[2 * i] = line->axis->values[i];
        series->values[2 * i + 1] = array->values[cell_of(line, search, i) * stride + offset];
    }
    qsort(series->values, count, 2 * sizeof *series->values, compare_rows);
    return MM_OK;
}

static mm_status add_parameters(const struct line *line, const struct search_file *search, struct mm_panel *panel,
                                struct mm_error *error)
{
    static const char *const names[] = {"c [1]", "q [1]"};
    size_t batches = search->fixed.count;
    int free_batches = 0;
    mm_status status = MM_OK;
    for (size_t b = 0; b < batches; b++)
        free_batches += search->fixed.values[b] == 0.0;
    if (free_batches > BATCHES_MAX)
        return mm_fail(error, MM_ERROR_INPUT, "%s: %d free batches; at most %d can be told apart in a figure",
                       search->path, free_batches, BATCHES_MAX);
    int colour = 0;
    for (size_t b = 0; status == MM_OK && b < batches; b++)
        for (size_t parameter = 0; status == MM_OK && search->fixed.values[b] == 0.0 && parameter < 2;
             parameter++) {
            char label[MM_LABEL_SIZE];
            snprintf(label, sizeof label, batches == 1 ? "%c" : "%c, batch %zu", parameter == 0 ? 'c' : 'q', b + 1);
            status = add_along(line, search, &search->final, 2 * batches, 2 * b + parameter, colour++, label,
                               names[parameter], panel, error);
            if (status == MM_OK)
                panel->series[panel->series_count - 1].in_legend = true;
        }
    return status;
}

static void set_line_axis(const struct line *line, struct mm_panel *panel)
{
    double lowest = INFINITY;
    double highest = -INFINITY;
    for (size_t i = 0; i < line->axis->count; i++) {
        lowest = fmin(lowest, line->axis->values[i]);
        highest = fmax(highest, line->axis->values[i]);
    }
    panel->x.text = line->over_lambda ? "weight of the instability {/:Italic λ}" : "coupling {/:Italic g}";
    panel->x.logarithmic = lowest > 0 && highest >= LOGARITHMIC_SPAN * lowest;
    double margin = line->axis->count == 1 ? 0.5 * highest + 0.1 : 0.04 * (highest - lowest);
    double factor = pow(highest / lowest, 0.04);
    panel->x.minimum = panel->x.logarithmic ? lowest / factor : lowest - margin;
    panel->x.maximum = panel->x.logarithmic ? highest * factor : highest + margin;
}

mm_status mm_plot_optima(const struct mm_plot_request *request, struct mm_figure *figure, struct mm_error *error)
{
    static const char *const texts[] = {"{/:Italic c}, {/:Italic q}", MM_TEXT_ERGOTROPY, MM_TEXT_PURITY};
    struct search_file search;
    struct line line = {0};
    mm_status status = read_search(request->paths[0], &search, error);
    if (status == MM_OK)
        status = choose_line(request, &search, &line, error);
    if (status == MM_OK)
        status = mm_figure_create(figure, 3, 1, error);
    for (size_t row = 0; status == MM_OK && row < 3; row++) {
        struct mm_panel *panel = mm_figure_panel(figure, row, 0);
        figure->shared_x = true;
        set_line_axis(&line, panel);
        panel->y.text = texts[row];
        panel->aspect = 0.42;
    }
    if (status == MM_OK)
        status = add_parameters(&line, &search, mm_figure_panel(figure, 0, 0), error);
    if (status == MM_OK)
        status = add_along(&line, &search, &search.ergotropy, 1, 0, 6, "ergotropy", "ergotropy [hbar omega]",
                           mm_figure_panel(figure, 1, 0), error);
    if (status == MM_OK)
        status = add_along(&line, &search, &search.purity, 1, 0, 6, "purity", "purity [1]",
                           mm_figure_panel(figure, 2, 0), error);
    free_search(&search);
    return status;
}

/* ---------------------------------------------------------------------------------------------- maps */

/* Labels a few of the cells along an axis with their values; the axis itself counts cells. */
static mm_status label_cells(const struct mm_hdf5_array *values, struct mm_figure_axis *axis,
                             struct mm_error *error)
{
    mm_status status = MM_OK;
    size_t step = (values->count - 1) / LABELS_MAX + 1;
    axis->minimum = -0.5;
    axis->maximum = (double)values->count - 0.5;
    for (size_t i = 0; status == MM_OK && i < values->count; i += step) {
        char text[MM_LABEL_SIZE];
        snprintf(text, sizeof text, "%.4g", values->values[i]);
        status = mm_figure_axis_add_tick(axis, (double)i, text, error);
    }
    return status;
}

static mm_status add_map(const struct search_file *search, const struct mm_hdf5_array *array, const char *name,
                         const char *text, struct mm_panel *panel, struct mm_error *error)
{
    const char *const names[] = {"lambda index", "g index", name};
    size_t lambdas = search->lambda.count;
    struct mm_series *series =
        mm_panel_add(panel, MM_MARK_IMAGE, 0, name, search->g.count * lambdas, 3, names, error);
    if (series == NULL)
        return MM_ERROR_MEMORY;
    for (size_t l = 0; l < lambdas; l++)
        for (size_t g = 0; g < search->g.count; g++) {
            double *at = &series->values[3 * (l * search->g.count + g)];
            at[0] = (double)l;
            at[1] = (double)g;
            at[2] = array->values[g * lambdas + l];
        }
    panel->x.text = "weight of the instability {/:Italic λ}";
    panel->y.text = "coupling {/:Italic g}";
    panel->colour.text = text;
    panel->palette = MM_PALETTE_SEQUENTIAL;
    panel->aspect = 0.75;
    mm_status status = label_cells(&search->lambda, &panel->x, error);
    return status == MM_OK ? label_cells(&search->g, &panel->y, error) : status;
}

mm_status mm_plot_map(const struct mm_plot_request *request, struct mm_figure *figure, struct mm_error *error)
{
    struct search_file search;
    mm_status status = read_search(request->paths[0], &search, error);
    const struct {
        const struct mm_hdf5_array *array;
        const char *name;
        const char *text;
    } maps[] = {{&search.loss, "loss [1]", MM_TEXT_LOSS},
                {&search.ergotropy, "ergotropy [hbar omega]", MM_TEXT_ERGOTROPY},
                {&search.purity, "purity [1]", MM_TEXT_PURITY}};
    if (status == MM_OK)
        status = mm_figure_create(figure, 3, 1, error);
    for (size_t i = 0; status == MM_OK && i < 3; i++)
        status = add_map(&search, maps[i].array, maps[i].name, maps[i].text, mm_figure_panel(figure, i, 0), error);
    if (status == MM_OK)
        figure->shared_x = true;
    free_search(&search);
    return status;
}

/* --------------------------------------------------------------------------------------- convergence */

/* Collects the losses of one grid point, sorted; the number of them, or SIZE_MAX without memory. */
static size_t sort_losses(const struct search_file *search, size_t cell, double **losses)
{
    size_t count = 0;
    *losses = malloc((search->chain_loss.count + 1) * sizeof **losses); /* + 1: never an empty request */
    if (*losses == NULL)
        return SIZE_MAX;
    for (size_t i = 0; i < search->chain_loss.count; i++)
        if (search->chain_g.values[i] * (double)search->lambda.count + search->chain_lambda.values[i] ==
            (double)cell)
            (*losses)[count++] = search->chain_loss.values[i];
    qsort(*losses, count, sizeof **losses, compare_rows);
    return count;
}

static void name_cell(const struct search_file *search, size_t cell, size_t finished, char label[MM_LABEL_SIZE])
{
    size_t lambdas = search->lambda.count;
    char g[24] = "";
    if (search->g.count > 1)
        snprintf(g, sizeof g, "g = %.4g, ", search->g.values[cell / lambdas]);
    snprintf(label, MM_LABEL_SIZE, "%slambda = %.4g: %.10g of %zu agree", g, search->lambda.values[cell % lambdas],
             search->agree.values[cell], finished);
}

static mm_status add_losses(const struct search_file *search, size_t cell, int colour, struct mm_figure *figure,
                            struct mm_error *error)
{
    static const char *const names[][2] = {{"place [1]", "loss [1]"}, {"place [1]", "loss above the best [1]"}};
    char label[MM_LABEL_SIZE];
    double *losses = NULL;
    size_t count = sort_losses(search, cell, &losses);
    if (count == SIZE_MAX)
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory for the losses of a grid point");
    name_cell(search, cell, count, label);
    for (size_t row = 0; row < 2; row++) {
        struct mm_panel *panel = mm_figure_panel(figure, row, 0);
        struct mm_series *series = mm_panel_add(panel, MM_MARK_LINE, colour, label, count, 2, names[row], error);
        if (series == NULL) {
            free(losses);
            return MM_ERROR_MEMORY;
        }
        series->in_legend = row == 0;
        for (size_t i = 0; i < count; i++) {
            series->values[2 * i] = (double)(i + 1);
            series->values[2 * i + 1] = row == 0 ? losses[i] : losses[i] - losses[0];
        }
    }
    free(losses);
    return MM_OK;
}

/* Whole decades around the differences that are not 0; gnuplot fails on an axis with nothing on it. */
static void set_difference_axis(struct mm_figure *figure)
{
    struct mm_panel *panel = mm_figure_panel(figure, 1, 0);
    double lowest = 1;
    double highest = SMALLEST_DIFFERENCE;
    size_t longest = 1;
    for (size_t s = 0; s < panel->series_count; s++) {
        const struct mm_series *series = &panel->series[s];
        longest = series->rows > longest ? series->rows : longest;
        for (size_t i = 0; i < series->rows; i++) {
            double difference = series->values[2 * i + 1];
            if (difference > 0) {
                lowest = fmin(lowest, difference);
                highest = fmax(highest, difference);
            }
        }
    }
    panel->y.minimum = pow(10, floor(log10(fmax(lowest, SMALLEST_DIFFERENCE))));
    panel->y.maximum = pow(10, ceil(log10(fmax(highest, 10 * panel->y.minimum))));
    for (size_t row = 0; row < 2; row++)
        mm_figure_panel(figure, row, 0)->x.maximum = (double)longest + 0.5;
}

mm_status mm_plot_convergence(const struct mm_plot_request *request, struct mm_figure *figure,
                              struct mm_error *error)
{
    struct search_file search;
    size_t *shown = NULL;
    size_t count = 0;
    mm_status status = read_search(request->paths[0], &search, error);
    if (status == MM_OK)
        status = mm_plot_select(request, search.g.count * search.lambda.count, MM_FIGURE_CURVES_MAX, "grid points",
                                &shown, &count, error);
    if (status == MM_OK)
        status = mm_figure_create(figure, 2, 1, error);
    for (size_t row = 0; status == MM_OK && row < 2; row++) {
        struct mm_panel *panel = mm_figure_panel(figure, row, 0);
        figure->shared_x = true;
        panel->x.text = "starts, best first";
        panel->y.text = row == 0 ? MM_TEXT_LOSS : "{/:Italic L} − {/:Italic L}_{best}";
        panel->y.logarithmic = row == 1;
        panel->x.minimum = 0.5;
        panel->aspect = 0.5;
    }
    for (size_t i = 0; status == MM_OK && i < count; i++)
        status = add_losses(&search, shown[i], (int)i, figure, error);
    if (status == MM_OK)
        set_difference_axis(figure);
    free(shown);
    free_search(&search);
    return status;
}
