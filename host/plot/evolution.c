/* evolution.c - figures of evolutions: ergotropy and purity against the number of collisions, with noise
 * bands. */
#include <math.h>

#include "plot/curves.h"

/* Places in the quantiles of a robustness file. */
enum { LOWEST_QUANTILE, LOW_QUANTILE, MEDIAN, HIGH_QUANTILE, HIGHEST_QUANTILE };

/* -------------------------------------------------------------------------------------- trajectories */

static void set_collision_axis(struct mm_panel *panel, const struct mm_plot_curves *curves)
{
    panel->x.text = MM_TEXT_COLLISIONS;
    panel->x.logarithmic = true;
    panel->x.minimum = 1;
    panel->x.maximum = 10;
    for (size_t i = 0; i < curves->count; i++) {
        const struct mm_hdf5_array *k = &curves->curves[i].source->k;
        if (k->count > 0)
            panel->x.maximum = fmax(panel->x.maximum, k->values[k->count - 1]);
    }
}

static mm_status prepare_trajectories(const struct mm_plot_curves *curves, struct mm_figure *figure,
                                      struct mm_error *error)
{
    mm_status status = mm_figure_create(figure, 2, 1, error);
    if (status != MM_OK)
        return status;
    figure->shared_x = true;
    static const char *const texts[] = {MM_TEXT_ERGOTROPY, MM_TEXT_PURITY};
    for (size_t row = 0; row < 2; row++) {
        struct mm_panel *panel = mm_figure_panel(figure, row, 0);
        set_collision_axis(panel, curves);
        panel->y.text = texts[row];
        panel->y.minimum = 0;
        panel->aspect = row == 0 ? 0.62 : 0.45;
    }
    mm_figure_panel(figure, 1, 0)->y.maximum = 1.02;
    return MM_OK;
}

static mm_status add_trajectory(const struct mm_plot_curve *curve, size_t colour, struct mm_figure *figure,
                                struct mm_error *error)
{
    static const char *const names[][2] = {{"k [1]", "ergotropy [hbar omega]"}, {"k [1]", "purity [1]"}};
    const struct mm_plot_source *source = curve->source;
    const struct mm_hdf5_array *arrays[] = {&source->ergotropy, &source->purity};
    size_t points = source->k.count;
    for (size_t row = 0; row < 2; row++) {
        struct mm_series *series =
            mm_panel_add(mm_figure_panel(figure, row, 0), curve->reference ? MM_MARK_DASHED : MM_MARK_LINE,
                         (int)colour, curve->label, points, 2, names[row], error);
        if (series == NULL)
            return MM_ERROR_MEMORY;
        series->in_legend = row == 0;
        for (size_t i = 0; i < points; i++) {
            series->values[2 * i] = source->k.values[i];
            series->values[2 * i + 1] = arrays[row]->values[curve->row * points + i];
        }
    }
    return MM_OK;
}

mm_status mm_plot_evolution(const struct mm_plot_request *request, struct mm_figure *figure, struct mm_error *error)
{
    struct mm_plot_curves curves;
    mm_status status = mm_plot_curves_read(request, MM_PLOT_TRAJECTORIES, MM_FIGURE_CURVES_MAX, &curves, error);
    if (status == MM_OK)
        status = prepare_trajectories(&curves, figure, error);
    size_t colour = 0; /* a reference takes none */
    for (size_t i = 0; status == MM_OK && i < curves.count; i++) {
        status = add_trajectory(&curves.curves[i], colour, figure, error);
        colour += !curves.curves[i].reference;
    }
    mm_plot_curves_free(&curves);
    return status;
}

/* ---------------------------------------------------------------------------------------- robustness */

static mm_status add_band(const struct mm_plot_curve *curve, const struct mm_hdf5_array *quantiles, int colour,
                          size_t low, size_t high, struct mm_panel *panel, struct mm_error *error)
{
    static const char *const names[] = {"k [1]", "lower quantile", "upper quantile"};
    const struct mm_hdf5_array *k = &curve->source->k;
    char label[2 * MM_LABEL_SIZE];
    snprintf(label, sizeof label, "%s, %s", curve->label, low == LOWEST_QUANTILE ? "5 to 95 %" : "25 to 75 %");
    struct mm_series *series = mm_panel_add(panel, MM_MARK_BAND, colour, label, k->count, 3, names, error);
    if (series == NULL)
        return MM_ERROR_MEMORY;
    for (size_t i = 0; i < k->count; i++) {
        const double *at = &quantiles->values[(curve->row * k->count + i) * MM_PLOT_QUANTILES];
        series->values[3 * i] = k->values[i];
        series->values[3 * i + 1] = at[low];
        series->values[3 * i + 2] = at[high];
    }
    return MM_OK;
}

static mm_status add_median(const struct mm_plot_curve *curve, const struct mm_hdf5_array *quantiles, int colour,
                            bool in_legend, struct mm_panel *panel, struct mm_error *error)
{
    static const char *const names[] = {"k [1]", "median"};
    const struct mm_hdf5_array *k = &curve->source->k;
    struct mm_series *series = mm_panel_add(panel, MM_MARK_LINE, colour, curve->label, k->count, 2, names, error);
    if (series == NULL)
        return MM_ERROR_MEMORY;
    series->in_legend = in_legend;
    for (size_t i = 0; i < k->count; i++) {
        series->values[2 * i] = k->values[i];
        series->values[2 * i + 1] = quantiles->values[(curve->row * k->count + i) * MM_PLOT_QUANTILES + MEDIAN];
    }
    return MM_OK;
}

static mm_status add_robustness(const struct mm_plot_curve *curve, int colour, struct mm_figure *figure,
                                struct mm_error *error)
{
    const struct mm_hdf5_array *arrays[] = {&curve->source->ergotropy, &curve->source->purity};
    mm_status status = MM_OK;
    for (size_t row = 0; status == MM_OK && row < 2; row++) {
        struct mm_panel *panel = mm_figure_panel(figure, row, 0);
        status = add_band(curve, arrays[row], colour, LOWEST_QUANTILE, HIGHEST_QUANTILE, panel, error);
        if (status == MM_OK)
            status = add_band(curve, arrays[row], colour, LOW_QUANTILE, HIGH_QUANTILE, panel, error);
        if (status == MM_OK)
            status = add_median(curve, arrays[row], colour, row == 0, panel, error);
    }
    return status;
}

mm_status mm_plot_robustness(const struct mm_plot_request *request, struct mm_figure *figure,
                             struct mm_error *error)
{
    struct mm_plot_curves curves;
    mm_status status = mm_plot_curves_read(request, MM_PLOT_BANDS, MM_FIGURE_COLOURS, &curves, error);
    if (status == MM_OK)
        status = prepare_trajectories(&curves, figure, error);
    if (status == MM_OK)
        snprintf(mm_figure_panel(figure, 0, 0)->title, MM_LABEL_SIZE, "median; bands: 25 to 75 %%, 5 to 95 %%");
    for (size_t i = 0; status == MM_OK && i < curves.count; i++)
        status = add_robustness(&curves.curves[i], (int)i, figure, error);
    mm_plot_curves_free(&curves);
    return status;
}
