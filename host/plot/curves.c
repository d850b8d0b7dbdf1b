/* curves.c - the curves of one or several files of evolutions, as figures need them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plot/curves.h"
#include "files/hdf5/root.h"
#include "base/text.h"

/* (pi/g)^2 this near to a whole number is fine-tuned (Eq. 7). */
static const double FINE_TUNING = 1e-6;

/* ------------------------------------------------------------------------------------------- reading */

static void read_names(struct mm_hdf5_file *file, struct mm_plot_source *source)
{
    mm_hdf5_read_array(file, "/curve/g", 1, &source->g);
    mm_hdf5_read_texts(file, "/curve/label", &source->label);
    if (file->hdf5.status == MM_OK && source->label.count != source->g.count)
        mm_hdf5_fail(&file->hdf5, MM_ERROR_INPUT, "is damaged: /curve/label has the wrong shape");
    for (size_t i = 0; i < source->g.count; i++)
        if (!(source->g.values[i] > 0))
            mm_hdf5_fail(&file->hdf5, MM_ERROR_INPUT, "is damaged: /curve/g holds a coupling that is not positive");
}

static void read_trajectories(struct mm_hdf5_file *file, struct mm_plot_source *source)
{
    size_t count = source->g.count;
    mm_hdf5_read_array(file, "/evolution/k", 1, &source->k);
    mm_hdf5_read_array(file, "/evolution/ergotropy", 2, &source->ergotropy);
    mm_hdf5_read_array(file, "/evolution/purity", 2, &source->purity);
    mm_hdf5_check_length(file, "/evolution/ergotropy", &source->ergotropy, 0, count);
    mm_hdf5_check_length(file, "/evolution/ergotropy", &source->ergotropy, 1, source->k.count);
    mm_hdf5_check_length(file, "/evolution/purity", &source->purity, 0, count);
    mm_hdf5_check_length(file, "/evolution/purity", &source->purity, 1, source->k.count);
}

static void read_bands(struct mm_hdf5_file *file, struct mm_plot_source *source)
{
    struct mm_hdf5_array *arrays[] = {&source->ergotropy, &source->purity};
    const char *const paths[] = {"/robustness/ergotropy_quantile", "/robustness/purity_quantile"};
    mm_hdf5_read_array(file, "/robustness/k", 1, &source->k);
    for (size_t i = 0; i < 2; i++) {
        mm_hdf5_read_array(file, paths[i], 3, arrays[i]);
        mm_hdf5_check_length(file, paths[i], arrays[i], 0, source->g.count);
        mm_hdf5_check_length(file, paths[i], arrays[i], 1, source->k.count);
        mm_hdf5_check_length(file, paths[i], arrays[i], 2, MM_PLOT_QUANTILES);
    }
}

static void read_populations(struct mm_hdf5_file *file, struct mm_plot_source *source)
{
    mm_hdf5_read_array(file, "/state/population", 3, &source->population);
    mm_hdf5_check_length(file, "/state/population", &source->population, 0, source->g.count);
}

static void read_wigner(struct mm_hdf5_file *file, struct mm_plot_source *source)
{
    if (file->hdf5.status == MM_OK && !mm_hdf5_has(file, "/state/wigner"))
        mm_hdf5_fail(&file->hdf5, MM_ERROR_INPUT,
                     "has no Wigner function yet: run 'micromaser wigner' on it first");
    mm_hdf5_read_array(file, "/state/x", 1, &source->x);
    mm_hdf5_read_array(file, "/state/p", 1, &source->p);
    mm_hdf5_read_array(file, "/state/wigner", 4, &source->wigner);
    mm_hdf5_check_length(file, "/state/wigner", &source->wigner, 0, source->g.count);
    mm_hdf5_check_length(file, "/state/wigner", &source->wigner, 2, source->x.count);
    mm_hdf5_check_length(file, "/state/wigner", &source->wigner, 3, source->p.count);
    if (file->hdf5.status == MM_OK && (source->x.count < 2 || source->p.count < 2))
        mm_hdf5_fail(&file->hdf5, MM_ERROR_INPUT, "is damaged: /state/x or /state/p has fewer than two points");
}

/* Collisions that led to the stored states. */
static void read_state_numbers(struct mm_hdf5_file *file, unsigned needs, struct mm_plot_source *source)
{
    mm_hdf5_read_array(file, "/state/k", 1, &source->state_k);
    if ((needs & MM_PLOT_POPULATIONS) != 0)
        mm_hdf5_check_length(file, "/state/population", &source->population, 1, source->state_k.count);
    if (file->hdf5.status == MM_OK && source->state_k.count == 0)
        mm_hdf5_fail(&file->hdf5, MM_ERROR_INPUT, "stores no state");
    if (file->hdf5.status == MM_OK && (needs & MM_PLOT_WIGNER) != 0 &&
        source->wigner.length[1] > source->state_k.count)
        mm_hdf5_fail(&file->hdf5, MM_ERROR_INPUT, "is damaged: /state/wigner has more states than /state/k");
}

static mm_status read_source(const char *path, unsigned needs, struct mm_plot_source *source,
                             struct mm_error *error)
{
    struct mm_hdf5_file file;
    mm_status status = mm_hdf5_file_open(&file, path, error);
    if (status != MM_OK)
        return status;
    read_names(&file, source);
    if ((needs & MM_PLOT_TRAJECTORIES) != 0)
        read_trajectories(&file, source);
    if ((needs & MM_PLOT_BANDS) != 0)
        read_bands(&file, source);
    if ((needs & MM_PLOT_POPULATIONS) != 0)
        read_populations(&file, source);
    if ((needs & MM_PLOT_WIGNER) != 0)
        read_wigner(&file, source);
    if ((needs & (MM_PLOT_POPULATIONS | MM_PLOT_WIGNER)) != 0)
        read_state_numbers(&file, needs, source);
    return mm_hdf5_file_close(&file);
}

static void free_source(struct mm_plot_source *source)
{
    struct mm_hdf5_array *arrays[] = {&source->g,       &source->k,          &source->ergotropy,
                                      &source->purity,  &source->population, &source->wigner,
                                      &source->state_k, &source->x,          &source->p};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++)
        mm_hdf5_array_free(arrays[i]);
    mm_hdf5_texts_free(&source->label);
}

/* -------------------------------------------------------------------------------------------- curves */

/* Curve number `index` of all files, counted through. */
static struct mm_plot_curve find_curve(const struct mm_plot_curves *curves, size_t index)
{
    const struct mm_plot_source *source = curves->sources;
    while (index >= source->g.count)
        index -= source++->g.count;
    struct mm_plot_curve curve = {.source = source, .row = index, .g = source->g.values[index]};
    snprintf(curve.label, sizeof curve.label, "%s", source->label.texts[index]);
    return curve;
}

static bool is_fine_tuned(double g)
{
    double m = pow(M_PI / g, 2);
    return fabs(m - round(m)) < FINE_TUNING * m;
}

/* A fine-tuned curve beside others that are not is their reference, and is labelled so. */
static void find_references(struct mm_plot_curves *curves)
{
    size_t fine_tuned = 0;
    for (size_t i = 0; i < curves->count; i++)
        fine_tuned += is_fine_tuned(curves->curves[i].g);
    for (size_t i = 0; i < curves->count; i++) {
        struct mm_plot_curve *curve = &curves->curves[i];
        bool labelled = strstr(curve->label, "fine-tuned") != NULL;
        curve->reference = labelled || (fine_tuned < curves->count && is_fine_tuned(curve->g));
        if (curve->reference && !labelled)
            snprintf(curve->label, sizeof curve->label, "fine-tuned g");
    }
}

static mm_status choose_curves(const struct mm_plot_request *request, size_t most, struct mm_plot_curves *curves,
                               struct mm_error *error)
{
    size_t total = 0;
    size_t *shown = NULL;
    for (size_t i = 0; i < curves->source_count; i++)
        total += curves->sources[i].g.count;
    mm_status status = mm_plot_select(request, total, most, "curves", &shown, &curves->count, error);
    if (status != MM_OK)
        return status;
    if (request->label_count > curves->count)
        status = mm_fail(error, MM_ERROR_INPUT, "%s: %zu --label for %zu curve%s", request->paths[0],
                         request->label_count, curves->count, mm_plural((int64_t)curves->count));
    curves->curves = calloc(curves->count + 1, sizeof *curves->curves); /* + 1: never an empty request */
    if (status == MM_OK && curves->curves == NULL)
        status = mm_fail(error, MM_ERROR_MEMORY, "out of memory for %zu curves", curves->count);
    for (size_t i = 0; status == MM_OK && i < curves->count; i++)
        curves->curves[i] = find_curve(curves, shown[i]);
    free(shown);
    if (status == MM_OK)
        find_references(curves);
    for (size_t i = 0; status == MM_OK && i < request->label_count; i++)
        snprintf(curves->curves[i].label, MM_LABEL_SIZE, "%s", request->labels[i]);
    return status;
}

mm_status mm_plot_curves_read(const struct mm_plot_request *request, unsigned needs, size_t most,
                              struct mm_plot_curves *curves, struct mm_error *error)
{
    mm_status status = MM_OK;
    *curves = (struct mm_plot_curves){.source_count = request->file_count};
    curves->sources = calloc(request->file_count, sizeof *curves->sources);
    if (curves->sources == NULL) {
        curves->source_count = 0;
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory for %zu files", request->file_count);
    }
    for (size_t i = 0; status == MM_OK && i < request->file_count; i++)
        status = read_source(request->paths[i], needs, &curves->sources[i], error);
    return status == MM_OK ? choose_curves(request, most, curves, error) : status;
}

void mm_plot_curves_free(struct mm_plot_curves *curves)
{
    for (size_t i = 0; i < curves->source_count; i++)
        free_source(&curves->sources[i]);
    free(curves->sources);
    free(curves->curves);
}
