/* curves.c - the protocols of the curves, as every file with curves holds them.
 *
 *   /protocol   qubits [batch], fixed [batch]
 *   /curve      one protocol at one coupling each: g, lambda, label [curve], parameters [curve][batch][parameter]
 */
#include <stdlib.h>

#include "files/evolution/curves.h"
#include "model/protocol.h"

/* Writes an axis of numbers first, first + 1, .. and closes nothing. */
static hid_t write_numbers(struct mm_hdf5 *hdf5, hid_t group, const char *name, const char *long_name,
                           size_t length, int64_t first)
{
    int64_t *numbers = malloc((length + 1) * sizeof *numbers); /* + 1: never an empty request */
    hid_t axis = -1;
    if (numbers == NULL) {
        mm_hdf5_fail(hdf5, MM_ERROR_MEMORY, "out of memory for an axis");
        return axis;
    }
    for (size_t i = 0; i < length; i++)
        numbers[i] = first + (int64_t)i;
    const struct mm_dataset dataset = {
        .group = group, .name = name, .units = "1", .long_name = long_name, .rank = 1, .length = {length}};
    axis = mm_hdf5_write_axis(hdf5, &dataset, H5T_STD_I64LE, H5T_NATIVE_INT64, numbers);
    free(numbers);
    return axis;
}
static void write_protocol(struct mm_hdf5 *hdf5, hid_t file, const struct mm_config *config, hid_t batch_axis)
{
    hid_t group = mm_hdf5_create_group(hdf5, file, "protocol");
    mm_hdf5_link_axis(hdf5, batch_axis, group, "batch");
    int64_t *qubits = calloc(config->batch_count, sizeof *qubits);
    int8_t *fixed = calloc(config->batch_count, sizeof *fixed);
    if (qubits == NULL || fixed == NULL) {
        mm_hdf5_fail(hdf5, MM_ERROR_MEMORY, "out of memory for the protocol");
    } else {
        for (size_t b = 0; b < config->batch_count; b++) {
            qubits[b] = config->batches[b].qubits;
            fixed[b] = config->batches[b].fixed;
        }
        struct mm_dataset dataset = {.group = group,
                                     .name = "qubits",
                                     .units = "1",
                                     .long_name = "number of qubits of each batch",
                                     .rank = 1,
                                     .length = {config->batch_count},
                                     .scale = {batch_axis}};
        mm_hdf5_write_dataset(hdf5, &dataset, H5T_STD_I64LE, H5T_NATIVE_INT64, qubits);
        dataset.name = "fixed";
        dataset.long_name = "1: c and q are held, 0: they are optimised";
        mm_hdf5_write_dataset(hdf5, &dataset, H5T_STD_I8LE, H5T_NATIVE_INT8, fixed);
    }
    free(qubits);
    free(fixed);
    mm_hdf5_close(hdf5, group, H5Gclose, "protocol");
}

static void write_parameters(struct mm_hdf5 *hdf5, hid_t group, const struct mm_config *config, size_t curve_count,
                             const struct mm_curve *curves, const hid_t axes[3])
{
    double *parameters = calloc(curve_count * config->batch_count, 2 * sizeof *parameters);
    if (parameters == NULL) {
        mm_hdf5_fail(hdf5, MM_ERROR_MEMORY, "out of memory for the protocols");
        return;
    }
    for (size_t c = 0; c < curve_count; c++)
        mm_spread_parameters(config->batch_count, config->batches, curves[c].parameters,
                             &parameters[2 * c * config->batch_count]);
    const struct mm_dataset dataset = {.group = group,
                                       .name = "parameters",
                                       .units = "1",
                                       .long_name = "c and q of each batch",
                                       .rank = 3,
                                       .length = {curve_count, config->batch_count, 2},
                                       .scale = {axes[0], axes[1], axes[2]}};
    mm_hdf5_write_dataset(hdf5, &dataset, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, parameters);
    free(parameters);
}

void mm_evolution_write_of_curves(struct mm_hdf5 *hdf5, hid_t group, const char *name, const char *long_name,
                                  size_t curve_count, hid_t axis, hid_t type, const void *values)
{
    const struct mm_dataset dataset = {.group = group,
                                       .name = name,
                                       .units = "1",
                                       .long_name = long_name,
                                       .rank = 1,
                                       .length = {curve_count},
                                       .scale = {axis}};
    const bool is_number = H5Tget_class(type) == H5T_FLOAT;
    mm_hdf5_write_dataset(hdf5, &dataset, is_number ? H5T_IEEE_F64LE : type, type, values);
}

static void write_couplings(struct mm_hdf5 *hdf5, hid_t group, size_t curve_count, const struct mm_curve *curves,
                            hid_t axis)
{
    double *g = calloc(curve_count, sizeof *g), *lambda = calloc(curve_count, sizeof *lambda);
    const char **labels = calloc(curve_count, sizeof *labels);
    hid_t text = mm_hdf5_text_type(hdf5);
    if (g == NULL || lambda == NULL || labels == NULL) {
        mm_hdf5_fail(hdf5, MM_ERROR_MEMORY, "out of memory for the curves");
    } else {
        for (size_t c = 0; c < curve_count; c++) {
            g[c] = curves[c].g;
            lambda[c] = curves[c].lambda;
            labels[c] = curves[c].label;
        }
        mm_evolution_write_of_curves(hdf5, group, "g", "coupling constant g (times tau, Eq. 4)", curve_count, axis,
                                     H5T_NATIVE_DOUBLE, g);
        mm_evolution_write_of_curves(hdf5, group, "lambda",
                                     "weight lambda of the instability (Eq. 11); NaN where there is none",
                                     curve_count, axis, H5T_NATIVE_DOUBLE, lambda);
        mm_evolution_write_of_curves(hdf5, group, "label", "short name of the curve", curve_count, axis, text,
                                     labels);
    }
    mm_hdf5_close(hdf5, text, H5Tclose, "string");
    free(g);
    free(lambda);
    free(labels);
}

void mm_evolution_write_curves(struct mm_hdf5 *hdf5, hid_t file, const struct mm_config *config, size_t curve_count,
                               const struct mm_curve *curves, hid_t *curve_axis)
{
    static const char *const names[] = {"c", "q"};
    hid_t group = mm_hdf5_create_group(hdf5, file, "curve");
    hid_t text = mm_hdf5_text_type(hdf5);
    const struct mm_dataset parameter = {.group = group,
                                         .name = "parameter",
                                         .units = "1",
                                         .long_name = "coherence c and ground-state population q of the qubits",
                                         .rank = 1,
                                         .length = {2}};
    const hid_t axes[3] = {
        write_numbers(hdf5, group, "curve", "number of the curve", curve_count, 0),
        write_numbers(hdf5, group, "batch", "number of the batch, in the order of the collisions",
                      config->batch_count, 1),
        mm_hdf5_write_axis(hdf5, &parameter, text, text, names),
    };
    write_couplings(hdf5, group, curve_count, curves, axes[0]);
    write_parameters(hdf5, group, config, curve_count, curves, axes);
    write_protocol(hdf5, file, config, axes[1]);
    mm_hdf5_close(hdf5, text, H5Tclose, "string");
    mm_hdf5_close(hdf5, axes[1], H5Dclose, "batch");
    mm_hdf5_close(hdf5, axes[2], H5Dclose, "parameter");
    mm_hdf5_close(hdf5, group, H5Gclose, "curve");
    *curve_axis = axes[0];
}
