/* robustness.c - the HDF5 file of a robustness study.
 *
 *   /            attributes as in a result file, kind = "robustness"
 *   /protocol, /curve   as in an evolution file
 *   /robustness  k, quantile (0.05, 0.25, 0.5, 0.75, 0.95); for energy, ergotropy and purity
 *                <name>_mean, <name>_standard_deviation [curve][k] and <name>_quantile [curve][k][quantile];
 *                drawn, clipped_c, clipped_q [curve]: pairs (c, q) drawn, values that left [0, 1];
 *                attributes: noise, c_width, q_width, g_width, per_batch, noise_seed, realisations,
 *                and the sums of drawn, clipped_c and clipped_q over all curves
 */
#include <hdf5_hl.h>
#include <stdlib.h>
#include <string.h>

#include "files/evolution/file.h"
#include "files/hdf5/root.h"
#include "files/robustness.h"

struct writer {
    struct mm_hdf5 hdf5;
    hid_t file;
    hid_t group;
    hid_t curve_axis;
    hid_t k_axis;
    hid_t quantile_axis;
    struct mm_robustness *robustness;
};

static void write_noise(struct writer *writer, const struct mm_noise *noise)
{
    static const char *const shapes[] = {
#define SHAPE_TEXT(name, text) text,
        MM_NOISE_LIST(SHAPE_TEXT)
#undef SHAPE_TEXT
    };
    struct mm_hdf5 *hdf5 = &writer->hdf5;
    const int8_t per_batch = noise->per_batch;
    mm_hdf5_write_text(hdf5, writer->group, "noise", shapes[noise->shape]);
    mm_hdf5_write_attribute(hdf5, writer->group, "c_width", H5T_NATIVE_DOUBLE, &noise->c_width);
    mm_hdf5_write_attribute(hdf5, writer->group, "q_width", H5T_NATIVE_DOUBLE, &noise->q_width);
    mm_hdf5_write_attribute(hdf5, writer->group, "g_width", H5T_NATIVE_DOUBLE, &noise->g_width);
    mm_hdf5_write_attribute(hdf5, writer->group, "per_batch", H5T_NATIVE_INT8, &per_batch);
    mm_hdf5_write_attribute(hdf5, writer->group, "noise_seed", H5T_NATIVE_UINT64, &noise->seed);
    mm_hdf5_write_attribute(hdf5, writer->group, "realisations", H5T_NATIVE_INT64,
                            &writer->robustness->realisations_done);
}

/* A count of every curve, and its sum as an attribute. `offset` is that of a member of struct mm_clipped. */
static void write_counts(struct writer *writer, const char *name, const char *long_name, size_t offset)
{
    const size_t curves = writer->robustness->curve_count;
    int64_t *counts = calloc(curves, sizeof *counts), sum = 0;
    if (counts == NULL) {
        mm_hdf5_fail(&writer->hdf5, MM_ERROR_MEMORY, "out of memory for the curves");
        return;
    }
    for (size_t c = 0; c < curves; c++) {
        memcpy(&counts[c], (const char *)&writer->robustness->clipped[c] + offset, sizeof counts[c]);
        sum += counts[c];
    }
    const struct mm_dataset dataset = {.group = writer->group,
                                       .name = name,
                                       .units = "1",
                                       .long_name = long_name,
                                       .rank = 1,
                                       .length = {curves},
                                       .scale = {writer->curve_axis}};
    mm_hdf5_write_dataset(&writer->hdf5, &dataset, H5T_STD_I64LE, H5T_NATIVE_INT64, counts);
    mm_hdf5_write_attribute(&writer->hdf5, writer->group, name, H5T_NATIVE_INT64, &sum);
    free(counts);
}

static void write_axes(struct writer *writer)
{
    const struct mm_dataset k = {.group = writer->group,
                                 .name = "k",
                                 .units = "1",
                                 .long_name = "number of collisions",
                                 .rank = 1,
                                 .length = {writer->robustness->record_count}};
    const struct mm_dataset quantile = {.group = writer->group,
                                        .name = "quantile",
                                        .units = "1",
                                        .long_name = "share of the realisations below",
                                        .rank = 1,
                                        .length = {MM_QUANTILES}};
    writer->k_axis = mm_hdf5_write_axis(&writer->hdf5, &k, H5T_STD_I64LE, H5T_NATIVE_INT64, writer->robustness->k);
    writer->quantile_axis =
        mm_hdf5_write_axis(&writer->hdf5, &quantile, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, mm_quantiles);
    mm_hdf5_link_axis(&writer->hdf5, writer->curve_axis, writer->group, "curve");
}

/* One array over curves, records and, for rank 3, quantiles. */
static void write_array(struct writer *writer, size_t measure, const char *suffix, const char *what, int rank,
                        const double *values)
{
    char name[64], long_name[128];
    const char *measure_name = mm_measure_names[measure];
    snprintf(name, sizeof name, "%s_%s", measure_name, suffix);
    snprintf(long_name, sizeof long_name, "%s of the %s over the realisations", what, measure_name);
    const struct mm_dataset dataset = {
        .group = writer->group,
        .name = name,
        .units = strcmp(measure_name, "purity") == 0 ? "1" : "hbar omega",
        .long_name = long_name,
        .rank = rank,
        .length = {writer->robustness->curve_count, writer->robustness->record_count, MM_QUANTILES},
        .scale = {writer->curve_axis, writer->k_axis, writer->quantile_axis}};
    mm_hdf5_write_dataset(&writer->hdf5, &dataset, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, values);
}

static void write_measure(struct writer *writer, size_t measure)
{
    struct mm_robustness *robustness = writer->robustness;
    const size_t records = robustness->record_count, count = robustness->curve_count * records;
    double *means = calloc(count, sizeof *means), *deviations = calloc(count, sizeof *deviations);
    double *quantiles = calloc(count, MM_QUANTILES * sizeof *quantiles);
    if (means == NULL || deviations == NULL || quantiles == NULL) {
        mm_hdf5_fail(&writer->hdf5, MM_ERROR_MEMORY, "out of memory for the spread");
    } else {
        for (size_t i = 0; i < count; i++) {
            const struct mm_spread spread = mm_robustness_spread(robustness, i / records, i % records, measure);
            means[i] = spread.mean;
            deviations[i] = spread.standard_deviation;
            memcpy(&quantiles[i * MM_QUANTILES], spread.quantile, sizeof spread.quantile);
        }
        write_array(writer, measure, "mean", "mean", 2, means);
        write_array(writer, measure, "standard_deviation", "standard deviation", 2, deviations);
        write_array(writer, measure, "quantile", "quantiles", 3, quantiles);
    }
    free(means);
    free(deviations);
    free(quantiles);
}

static void write_contents(struct writer *writer, const struct mm_config *config,
                           const struct mm_evolution_plan *plan, const struct mm_noise *noise,
                           const struct mm_file_root *root)
{
    struct mm_hdf5 *hdf5 = &writer->hdf5;
    mm_hdf5_write_root(hdf5, writer->file, root);
    mm_evolution_write_curves(hdf5, writer->file, config, plan->curve_count, plan->curves, &writer->curve_axis);
    writer->group = mm_hdf5_create_group(hdf5, writer->file, "robustness");
    write_noise(writer, noise);
    write_counts(writer, "drawn", "pairs (c, q) drawn", offsetof(struct mm_clipped, drawn));
    write_counts(writer, "clipped_c", "drawn values of c outside [0, 1]", offsetof(struct mm_clipped, c));
    write_counts(writer, "clipped_q", "drawn values of q outside [0, 1]", offsetof(struct mm_clipped, q));
    write_axes(writer);
    for (size_t i = 0; i < MM_MEASURES; i++)
        write_measure(writer, i);
    mm_hdf5_close(hdf5, writer->k_axis, H5Dclose, "k");
    mm_hdf5_close(hdf5, writer->quantile_axis, H5Dclose, "quantile");
    mm_hdf5_close(hdf5, writer->curve_axis, H5Dclose, "curve");
    mm_hdf5_close(hdf5, writer->group, H5Gclose, "robustness");
}

mm_status mm_robustness_file_write(const char *path, const struct mm_config *config,
                                   const struct mm_evolution_plan *plan, const struct mm_noise *noise,
                                   struct mm_robustness *robustness, const struct mm_run_info *info, bool replace,
                                   struct mm_error *error)
{
    const struct mm_file_root root = {
        .kind = mm_file_kind_text(MM_FILE_ROBUSTNESS),
        .configuration = config->text,
        .seed = config->seed,
        .backend = robustness->backend,
        .device = robustness->device,
        .info = info,
        .seconds = robustness->seconds,
        .complete = robustness->realisations_done == robustness->realisations,
    };
    struct mm_output_file output = {0};
    struct writer writer = {.robustness = robustness};
    struct mm_hdf5_disk disk;
    mm_status status = mm_output_file_create(&output, path, replace, error);
    if (status != MM_OK)
        return status;
    mm_hdf5_begin(&writer.hdf5, output.path, MM_ERROR_HDF5, error);
    writer.file = mm_hdf5_create_on_disk(&writer.hdf5, &output, &disk);
    write_contents(&writer, config, plan, noise, &root);
    mm_hdf5_close_on_disk(&writer.hdf5, writer.file, &disk);
    status = mm_hdf5_end(&writer.hdf5);
    if (status == MM_OK)
        return mm_output_file_commit(&output, replace, error);
    mm_output_file_discard(&output);
    return status;
}
