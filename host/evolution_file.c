/* evolution_file.c - the HDF5 file of an evolution, written as it grows.
 *
 *   /           attributes as in a result file, kind = "evolution", and `plan`: what was asked for, as text
 *   /protocol   qubits [batch], fixed [batch]
 *   /curve      one protocol at one coupling each: g, lambda, label, method [curve], parameters
 * [curve][batch][parameter] /evolution  k, and energy, ergotropy, purity, truncation_population, band_error
 * [curve][k], population [curve][k][level]; energy_k, energy_steps [curve][energy_k] where asked for /state      k,
 * density_matrix [curve][k][level][level_column] (rho_nm itself), population [curve][k][level] /resume     in a
 * file that is not complete: the states from which to go on, as R_nm = i^(n-m) rho_nm
 *
 * The file is written under a temporary name and given its own at the end, so that it is never seen half-written.
 * Datasets grow along k, and along the levels where the space grows with the states.
 */
#include <hdf5_hl.h>
#include <stdlib.h>
#include <string.h>

#include "evolution_file.h"
#include "hdf5_read.h"
#include "memory.h"
#include "result_schema.h"

enum { PLAN_TEXT_SIZE = 8192 };

/** Dimensions of the datasets that grow. */
enum dimension {
    DIMENSION_CURVE,
    DIMENSION_RECORD,
    DIMENSION_LEVEL,
    DIMENSION_ENERGY,
    DIMENSION_STATE,
    DIMENSION_COLUMN
};

/** What a dataset that grows is called and holds. An axis has one dimension and no axis of its own. */
struct column {
    const char *group;
    const char *name;
    const char *units;
    const char *long_name;
    int rank;
    enum dimension dimensions[4];
    hsize_t chunk[4];
    bool is_axis;
};

static const struct column columns[MM_EVOLUTION_DATASETS] = {
    [MM_EVOLUTION_K] = {"evolution", "k", "1", "number of collisions", 1, {DIMENSION_RECORD}, {256}, true},
    [MM_EVOLUTION_LEVEL] = {"evolution", "level", "1", "Fock level n", 1, {DIMENSION_LEVEL}, {256}, true},
    [MM_EVOLUTION_ENERGY] = {"evolution",
                             "energy",
                             "hbar omega",
                             "energy E = Tr(H rho)",
                             2,
                             {DIMENSION_CURVE, DIMENSION_RECORD},
                             {1, 256},
                             false},
    [MM_EVOLUTION_ERGOTROPY] = {"evolution",
                                "ergotropy",
                                "hbar omega",
                                "ergotropy W (Eq. 10)",
                                2,
                                {DIMENSION_CURVE, DIMENSION_RECORD},
                                {1, 256},
                                false},
    [MM_EVOLUTION_PURITY] =
        {"evolution", "purity", "1", "purity Tr(rho^2)", 2, {DIMENSION_CURVE, DIMENSION_RECORD}, {1, 256}, false},
    [MM_EVOLUTION_TRUNCATION_POPULATION] = {"evolution",
                                            "truncation_population",
                                            "1",
                                            "largest population that the top Fock level held so far",
                                            2,
                                            {DIMENSION_CURVE, DIMENSION_RECORD},
                                            {1, 256},
                                            false},
    [MM_EVOLUTION_BAND_ERROR] = {"evolution",
                                 "band_error",
                                 "1",
                                 "bound on the trace norm of everything dropped from the density matrix",
                                 2,
                                 {DIMENSION_CURVE, DIMENSION_RECORD},
                                 {1, 256},
                                 false},
    [MM_EVOLUTION_POPULATION] = {"evolution",
                                 "population",
                                 "1",
                                 "population of each Fock level, rho_nn",
                                 3,
                                 {DIMENSION_CURVE, DIMENSION_RECORD, DIMENSION_LEVEL},
                                 {1, 64, 128},
                                 false},
    [MM_EVOLUTION_ENERGY_K] =
        {"evolution", "energy_k", "1", "number of collisions", 1, {DIMENSION_ENERGY}, {16384}, true},
    [MM_EVOLUTION_ENERGY_STEPS] = {"evolution",
                                   "energy_steps",
                                   "hbar omega",
                                   "energy E = Tr(H rho)",
                                   2,
                                   {DIMENSION_CURVE, DIMENSION_ENERGY},
                                   {1, 16384},
                                   false},
    [MM_STATE_K] = {"state", "k", "1", "number of collisions", 1, {DIMENSION_STATE}, {64}, true},
    [MM_STATE_LEVEL_COLUMN] =
        {"state", "level_column", "1", "Fock level m of a column", 1, {DIMENSION_COLUMN}, {256}, true},
    [MM_STATE_DENSITY_MATRIX] = {"state",
                                 "density_matrix",
                                 "1",
                                 "density matrix rho_nm",
                                 4,
                                 {DIMENSION_CURVE, DIMENSION_STATE, DIMENSION_LEVEL, DIMENSION_COLUMN},
                                 {1, 1, 64, 64},
                                 false},
    [MM_STATE_POPULATION] = {"state",
                             "population",
                             "1",
                             "population of each Fock level, rho_nn",
                             3,
                             {DIMENSION_CURVE, DIMENSION_STATE, DIMENSION_LEVEL},
                             {1, 1, 256},
                             false},
};

/** The dataset of the axis along a dimension. */
static const enum mm_evolution_dataset axis_of[] = {
    [DIMENSION_RECORD] = MM_EVOLUTION_K,        [DIMENSION_LEVEL] = MM_EVOLUTION_LEVEL,
    [DIMENSION_ENERGY] = MM_EVOLUTION_ENERGY_K, [DIMENSION_STATE] = MM_STATE_K,
    [DIMENSION_COLUMN] = MM_STATE_LEVEL_COLUMN,
};

/* ------------------------------------------------------------------------------------------------ types */

static hid_t file_type(struct mm_hdf5 *hdf5, enum mm_evolution_dataset which)
{
    if (which == MM_STATE_DENSITY_MATRIX)
        return mm_hdf5_complex_type(hdf5, H5T_IEEE_F64LE);
    return mm_hdf5_check(hdf5, H5Tcopy(columns[which].is_axis ? H5T_STD_I64LE : H5T_IEEE_F64LE), "copy type",
                         columns[which].name);
}

/* ------------------------------------------------------------------------------------- what was asked for */

/* The plan as text: two evolutions of the same configuration and curves are the same if it is. */
static mm_status plan_text(const struct mm_evolution_plan *plan, char text[PLAN_TEXT_SIZE], struct mm_error *error)
{
    int length = snprintf(text, PLAN_TEXT_SIZE,
                          "[evolution]\ncollisions = %lld\nper_decade = %d\nevery = %lld\nenergy_step = %lld\n"
                          "curves = %zu\nstates = ",
                          (long long)plan->collisions, plan->per_decade, (long long)plan->every,
                          (long long)plan->energy_step, plan->curve_count);
    for (size_t i = 0; i < plan->state_count && length < PLAN_TEXT_SIZE; i++)
        length += snprintf(text + length, (size_t)(PLAN_TEXT_SIZE - length), "%s%lld", i == 0 ? "" : ",",
                           (long long)plan->states[i]);
    if (length < PLAN_TEXT_SIZE)
        return MM_OK;
    return mm_fail(error, MM_ERROR_INPUT, "%zu states are too many", plan->state_count);
}

/* --------------------------------------------------------------------------------------------- protocols */

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

static void link_axis(struct mm_hdf5 *hdf5, hid_t axis, hid_t group, const char *name)
{
    mm_hdf5_check(hdf5, H5Olink(axis, group, name, H5P_DEFAULT, H5P_DEFAULT), "link axis", name);
}

static void write_protocol(struct mm_hdf5 *hdf5, hid_t file, const struct mm_config *config, hid_t batch_axis)
{
    hid_t group = mm_hdf5_create_group(hdf5, file, "protocol");
    link_axis(hdf5, batch_axis, group, "batch");
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

/* c and q of every batch of a curve, fixed ones included, into parameters[batch_count][2]. */
static void take_parameters(const struct mm_config *config, const struct mm_curve *curve, double *parameters)
{
    const double *own = curve->parameters;
    for (size_t b = 0; b < config->batch_count; b++) {
        const struct mm_batch *batch = &config->batches[b];
        parameters[2 * b] = batch->fixed ? batch->c : own[0];
        parameters[2 * b + 1] = batch->fixed ? batch->q : own[1];
        own += batch->fixed ? 0 : 2;
    }
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
        take_parameters(config, &curves[c], &parameters[2 * c * config->batch_count]);
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

/* A number, or a text, of every curve. */
static void write_of_curves(struct mm_hdf5 *hdf5, hid_t group, const char *name, const char *long_name,
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
        write_of_curves(hdf5, group, "g", "coupling constant g (times tau, Eq. 4)", curve_count, axis,
                        H5T_NATIVE_DOUBLE, g);
        write_of_curves(hdf5, group, "lambda", "weight lambda of the instability (Eq. 11); NaN where there is none",
                        curve_count, axis, H5T_NATIVE_DOUBLE, lambda);
        write_of_curves(hdf5, group, "label", "short name of the curve", curve_count, axis, text, labels);
    }
    mm_hdf5_close(hdf5, text, H5Tclose, "string");
    free(g);
    free(lambda);
    free(labels);
}

void mm_write_curves(struct mm_hdf5 *hdf5, hid_t file, const struct mm_config *config, size_t curve_count,
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

/* Which methods the batches of each curve take. */
static void write_methods(struct mm_evolution_file *file, const struct mm_evolution *evolution, hid_t curve_axis)
{
    const struct mm_evolution_plan *plan = evolution->plan;
    struct mm_hdf5 *hdf5 = &file->hdf5;
    const char **methods = calloc(plan->curve_count, sizeof *methods);
    if (methods == NULL) {
        mm_hdf5_fail(hdf5, MM_ERROR_MEMORY, "out of memory for the curves");
        return;
    }
    for (size_t c = 0; c < plan->curve_count; c++)
        methods[c] = mm_evolution_method(evolution, c);
    hid_t group = mm_hdf5_check(hdf5, H5Gopen2(file->file, "curve", H5P_DEFAULT), "open group", "curve");
    hid_t text = mm_hdf5_text_type(hdf5);
    write_of_curves(hdf5, group, "method", "how the collisions are made: stencil, powers of the channel, or both",
                    plan->curve_count, curve_axis, text, methods);
    mm_hdf5_close(hdf5, text, H5Tclose, "string");
    mm_hdf5_close(hdf5, group, H5Gclose, "curve");
    free(methods);
}

/* ------------------------------------------------------------------------------------- growing datasets */

static bool has_dataset(const struct mm_evolution *evolution, enum mm_evolution_dataset which)
{
    return evolution->plan->energy_step > 0 ||
           (which != MM_EVOLUTION_ENERGY_K && which != MM_EVOLUTION_ENERGY_STEPS);
}

static hsize_t length_of(const struct mm_evolution_file *file, const struct mm_evolution *evolution,
                         enum dimension dimension)
{
    switch (dimension) {
    case DIMENSION_CURVE:
        return evolution->plan->curve_count;
    case DIMENSION_RECORD:
        return file->records;
    case DIMENSION_ENERGY:
        return file->energies;
    case DIMENSION_STATE:
        return file->states;
    case DIMENSION_LEVEL:
    case DIMENSION_COLUMN:
        break;
    }
    return file->levels;
}

/* Creates one dataset, empty but for the curves. Axes come before what runs along them. */
static void create_growing(struct mm_evolution_file *file, const struct mm_evolution *evolution,
                           enum mm_evolution_dataset which, hid_t group, hid_t curve_axis)
{
    const struct column *column = &columns[which];
    struct mm_hdf5 *hdf5 = &file->hdf5;
    struct mm_dataset dataset = {.group = group,
                                 .name = column->name,
                                 .units = column->units,
                                 .long_name = column->long_name,
                                 .rank = column->rank};
    for (int d = 0; d < column->rank; d++) {
        const enum dimension dimension = column->dimensions[d];
        dataset.length[d] = length_of(file, evolution, dimension);
        dataset.chunk[d] = column->chunk[d];
        dataset.grows[d] = dimension != DIMENSION_CURVE;
        if (!column->is_axis)
            dataset.scale[d] = dimension == DIMENSION_CURVE ? curve_axis : file->datasets[axis_of[dimension]];
    }
    hid_t type = file_type(hdf5, which);
    file->datasets[which] = mm_hdf5_create_dataset(hdf5, &dataset, type);
    if (column->is_axis)
        mm_hdf5_check(hdf5, H5DSset_scale(file->datasets[which], column->name), "make an axis of", column->name);
    mm_hdf5_close(hdf5, type, H5Tclose, column->name);
}

static void create_datasets(struct mm_evolution_file *file, const struct mm_evolution *evolution, hid_t curve_axis)
{
    struct mm_hdf5 *hdf5 = &file->hdf5;
    hid_t evolution_group = mm_hdf5_create_group(hdf5, file->file, "evolution");
    hid_t state_group = mm_hdf5_create_group(hdf5, file->file, "state");
    for (int axes = 1; axes >= 0; axes--)
        for (enum mm_evolution_dataset which = 0; which < MM_EVOLUTION_DATASETS; which++)
            if (columns[which].is_axis == (axes == 1) && has_dataset(evolution, which))
                create_growing(file, evolution, which,
                               strcmp(columns[which].group, "state") == 0 ? state_group : evolution_group,
                               curve_axis);
    link_axis(hdf5, curve_axis, evolution_group, "curve");
    link_axis(hdf5, curve_axis, state_group, "curve");
    link_axis(hdf5, file->datasets[MM_EVOLUTION_LEVEL], state_group, "level");
    mm_hdf5_close(hdf5, evolution_group, H5Gclose, "evolution");
    mm_hdf5_close(hdf5, state_group, H5Gclose, "state");
}

/* Gives every dataset the lengths that the file has now. */
static void extend_datasets(struct mm_evolution_file *file, const struct mm_evolution *evolution)
{
    for (enum mm_evolution_dataset which = 0; which < MM_EVOLUTION_DATASETS; which++) {
        hsize_t length[4];
        for (int d = 0; d < columns[which].rank; d++)
            length[d] = length_of(file, evolution, columns[which].dimensions[d]);
        if (has_dataset(evolution, which))
            mm_hdf5_check(&file->hdf5, H5Dset_extent(file->datasets[which], length), "extend", columns[which].name);
    }
}

static void put(struct mm_evolution_file *file, enum mm_evolution_dataset which, const hsize_t *start,
                const hsize_t *extent, hid_t type, const void *values)
{
    mm_hdf5_put_block(&file->hdf5, file->datasets[which], columns[which].name, columns[which].rank, start, extent,
                      type, values);
}

/* --------------------------------------------------------------------------------------------- appending */

/* Extends the axes of levels to the largest space of any state so far. */
static void grow_levels(struct mm_evolution_file *file, hsize_t before)
{
    for (hsize_t n = before; n < file->levels; n++) {
        const hsize_t one = 1;
        const int64_t level = (int64_t)n;
        put(file, MM_EVOLUTION_LEVEL, &n, &one, H5T_NATIVE_INT64, &level);
        put(file, MM_STATE_LEVEL_COLUMN, &n, &one, H5T_NATIVE_INT64, &level);
    }
}

/* The rows of one curve: figures and populations. */
static void append_records(struct mm_evolution_file *file, const struct mm_round *round, size_t curve,
                           hsize_t first)
{
    const hsize_t count = round->record_count;
    const hsize_t start[3] = {curve, first, 0};
    const hsize_t extent[3] = {1, count, (hsize_t)round->populations[curve].levels};
    double values[3][MM_ROUND_RECORDS];
    for (size_t i = 0; i < count; i++) {
        const struct mm_figures *figures = &round->figures[curve * MM_ROUND_RECORDS + i];
        values[0][i] = figures->energy;
        values[1][i] = figures->ergotropy;
        values[2][i] = figures->purity;
    }
    put(file, MM_EVOLUTION_ENERGY, start, extent, H5T_NATIVE_DOUBLE, values[0]);
    put(file, MM_EVOLUTION_ERGOTROPY, start, extent, H5T_NATIVE_DOUBLE, values[1]);
    put(file, MM_EVOLUTION_PURITY, start, extent, H5T_NATIVE_DOUBLE, values[2]);
    put(file, MM_EVOLUTION_TRUNCATION_POPULATION, start, extent, H5T_NATIVE_DOUBLE,
        &round->truncation_populations[curve * MM_ROUND_RECORDS]);
    put(file, MM_EVOLUTION_BAND_ERROR, start, extent, H5T_NATIVE_DOUBLE,
        &round->band_errors[curve * MM_ROUND_RECORDS]);
    if (count > 0)
        put(file, MM_EVOLUTION_POPULATION, start, extent, H5T_NATIVE_DOUBLE, round->populations[curve].values);
}

static void append_energies(struct mm_evolution_file *file, const struct mm_evolution *evolution, hsize_t first)
{
    const struct mm_round *round = &evolution->round;
    const hsize_t count = round->energy_count;
    int64_t k[MM_ENERGIES];
    for (size_t i = 0; i < count; i++)
        k[i] = (round->first_energy + (int64_t)i) * evolution->plan->energy_step;
    put(file, MM_EVOLUTION_ENERGY_K, &first, &count, H5T_NATIVE_INT64, k);
    for (size_t c = 0; c < evolution->plan->curve_count; c++) {
        const hsize_t start[2] = {c, first}, extent[2] = {1, count};
        put(file, MM_EVOLUTION_ENERGY_STEPS, start, extent, H5T_NATIVE_DOUBLE, &round->energies[c * MM_ENERGIES]);
    }
}

/* rho_nm = (-i)^(n-m) R_nm as pairs of real and imaginary parts. */
static void to_physical_gauge(const struct mm_state *state, double *pairs)
{
    const int levels = state->levels;
    for (int n = 0; n < levels; n++)
        for (int m = 0; m < levels; m++) {
            const size_t at = (size_t)n * (size_t)levels + (size_t)m;
            const double element = state->density[at];
            const int turns = ((n - m) % 4 + 4) % 4;
            pairs[2 * at] = turns == 0 ? element : turns == 2 ? -element : 0.0;
            pairs[2 * at + 1] = turns == 1 ? -element : turns == 3 ? element : 0.0;
        }
}

static void append_state(struct mm_evolution_file *file, const struct mm_state *state, size_t curve, hsize_t row)
{
    struct mm_hdf5 *hdf5 = &file->hdf5;
    const hsize_t levels = (hsize_t)state->levels;
    const hsize_t start[4] = {curve, row, 0, 0}, extent[4] = {1, 1, levels, levels};
    double *pairs = mm_allocate_doubles(2 * levels * levels);
    if (pairs == NULL) {
        mm_hdf5_fail(hdf5, MM_ERROR_MEMORY, "out of memory for a state");
        return;
    }
    hid_t type = mm_hdf5_complex_type(hdf5, H5T_NATIVE_DOUBLE);
    to_physical_gauge(state, pairs);
    put(file, MM_STATE_DENSITY_MATRIX, start, extent, type, pairs);
    for (size_t n = 0; n < levels; n++)
        pairs[n] = state->density[n * levels + n];
    put(file, MM_STATE_POPULATION, start, extent, H5T_NATIVE_DOUBLE, pairs);
    mm_hdf5_close(hdf5, type, H5Tclose, "complex");
    free(pairs);
}

static void append_states(struct mm_evolution_file *file, const struct mm_evolution *evolution, hsize_t row)
{
    const hsize_t one = 1;
    put(file, MM_STATE_K, &row, &one, H5T_NATIVE_INT64, &evolution->collisions);
    for (size_t c = 0; c < evolution->plan->curve_count; c++)
        append_state(file, &evolution->states[c], c, row);
}

mm_status mm_evolution_file_append(struct mm_evolution_file *file, const struct mm_evolution *evolution,
                                   struct mm_error *error)
{
    const struct mm_round *round = &evolution->round;
    const hsize_t records = file->records, energies = file->energies, states = file->states;
    const hsize_t levels = file->levels, one = 1;
    file->hdf5.error = error;
    file->records += round->record_count;
    file->energies += round->energy_count;
    file->states += round->state_wanted;
    for (size_t c = 0; c < evolution->plan->curve_count; c++) {
        const hsize_t own = (hsize_t)round->populations[c].levels;
        file->levels = own > file->levels ? own : file->levels;
    }
    extend_datasets(file, evolution);
    grow_levels(file, levels);
    for (hsize_t i = 0; i < round->record_count; i++) {
        const hsize_t row = records + i;
        put(file, MM_EVOLUTION_K, &row, &one, H5T_NATIVE_INT64, &round->k[i]);
    }
    for (size_t c = 0; c < evolution->plan->curve_count; c++)
        append_records(file, round, c, records);
    if (round->energy_count > 0)
        append_energies(file, evolution, energies);
    if (round->state_wanted)
        append_states(file, evolution, states);
    return file->hdf5.status;
}

/* ----------------------------------------------------------------------------------- beginning and ending */

static void clear(struct mm_evolution_file *file)
{
    *file = (struct mm_evolution_file){.file = -1};
    for (enum mm_evolution_dataset which = 0; which < MM_EVOLUTION_DATASETS; which++)
        file->datasets[which] = -1;
}

/* Ends the HDF5 side of a file. */
static mm_status close_hdf5(struct mm_evolution_file *file)
{
    for (enum mm_evolution_dataset which = 0; which < MM_EVOLUTION_DATASETS; which++)
        mm_hdf5_close(&file->hdf5, file->datasets[which], H5Dclose, columns[which].name);
    mm_hdf5_close(&file->hdf5, file->file, H5Fclose, "file");
    return mm_hdf5_end(&file->hdf5);
}

void mm_evolution_file_discard(struct mm_evolution_file *file)
{
    close_hdf5(file); /* whatever it says: the file is removed */
    mm_output_file_discard(&file->output);
    clear(file);
}

mm_status mm_evolution_file_create(struct mm_evolution_file *file, const char *path, bool replace,
                                   const struct mm_evolution *evolution, const struct mm_evolution_run *run,
                                   struct mm_error *error)
{
    char plan[PLAN_TEXT_SIZE];
    hid_t curve_axis = -1;
    clear(file);
    mm_status status = plan_text(evolution->plan, plan, error);
    if (status == MM_OK)
        status = mm_output_file_create(&file->output, path, replace, error);
    if (status != MM_OK)
        return status;
    struct mm_hdf5 *hdf5 = &file->hdf5;
    mm_hdf5_begin(hdf5, file->output.path, MM_ERROR_HDF5, error);
    file->file = mm_hdf5_check(hdf5, H5Fcreate(file->output.temporary, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT),
                               "create", "file");
    mm_hdf5_write_text(hdf5, file->file, "plan", plan);
    mm_write_curves(hdf5, file->file, run->config, evolution->plan->curve_count, evolution->plan->curves,
                    &curve_axis);
    write_methods(file, evolution, curve_axis);
    create_datasets(file, evolution, curve_axis);
    mm_hdf5_close(hdf5, curve_axis, H5Dclose, "curve");
    if (hdf5->status == MM_OK)
        return MM_OK;
    status = hdf5->status;
    mm_evolution_file_discard(file);
    return status;
}

/* Writes what the next run needs to go on. */
static void write_resume(struct mm_evolution_file *file, const struct mm_evolution *evolution)
{
    struct mm_hdf5 *hdf5 = &file->hdf5;
    const size_t curves = evolution->plan->curve_count;
    hid_t group = mm_hdf5_create_group(hdf5, file->file, "resume");
    mm_hdf5_write_attribute(hdf5, group, "collisions", H5T_NATIVE_INT64, &evolution->collisions);
    for (size_t c = 0; c < curves; c++) {
        const struct mm_state *state = &evolution->states[c];
        const hsize_t levels = (hsize_t)state->levels;
        char name[32];
        snprintf(name, sizeof name, "%zu", c);
        const struct mm_dataset dataset = {.group = group,
                                           .name = name,
                                           .units = "1",
                                           .long_name = "R_nm = i^(n-m) rho_nm of this curve, to go on from",
                                           .rank = 2,
                                           .length = {levels, levels}};
        hid_t created = mm_hdf5_create_dataset(hdf5, &dataset, H5T_IEEE_F64LE);
        mm_hdf5_check(hdf5, H5Dwrite(created, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, state->density),
                      "write", name);
        mm_hdf5_write_attribute(hdf5, created, "band_error", H5T_NATIVE_DOUBLE, &state->band_error);
        mm_hdf5_write_attribute(hdf5, created, "truncation_population", H5T_NATIVE_DOUBLE,
                                &state->truncation_population);
        mm_hdf5_close(hdf5, created, H5Dclose, name);
    }
    mm_hdf5_close(hdf5, group, H5Gclose, "resume");
}

mm_status mm_evolution_file_finish(struct mm_evolution_file *file, const struct mm_evolution *evolution,
                                   const struct mm_evolution_run *run, bool replace, struct mm_error *error)
{
    const struct mm_file_root root = {
        .kind = mm_file_kind_text(MM_FILE_EVOLUTION),
        .configuration = run->config->text,
        .seed = run->config->seed,
        .backend = mm_evolution_backend(evolution),
        .device = mm_evolution_device(evolution),
        .info = run->info,
        .seconds = run->seconds,
        .complete = mm_evolution_done(evolution),
    };
    file->hdf5.error = error;
    mm_hdf5_write_root(&file->hdf5, file->file, &root);
    if (!root.complete)
        write_resume(file, evolution);
    mm_status status = close_hdf5(file);
    if (status == MM_OK)
        status = mm_output_file_sync(&file->output, error);
    if (status == MM_OK)
        status = mm_output_file_commit(&file->output, replace, error);
    else
        mm_output_file_discard(&file->output);
    clear(file);
    return status;
}

/* --------------------------------------------------------------------------------------------- going on */

/* Compares a text of the file with what it must be. */
static void check_text(struct mm_hdf5_file *there, const char *name, const char *what, const char *here)
{
    char *text = mm_hdf5_read_text(&there->hdf5, there->file, name);
    if (text != NULL && strcmp(text, here) != 0)
        mm_hdf5_fail_on_difference(&there->hdf5, what, text, here);
    H5free_memory(text);
}

static void check_curves(struct mm_hdf5_file *there, const struct mm_evolution *evolution,
                         const struct mm_config *config)
{
    const struct mm_evolution_plan *plan = evolution->plan;
    const size_t per_curve = 2 * config->batch_count;
    struct mm_array g, parameters;
    mm_hdf5_read_array(there, "/curve/g", 1, &g);
    mm_hdf5_read_array(there, "/curve/parameters", 3, &parameters);
    double *here = calloc(per_curve, sizeof *here);
    if (here == NULL)
        mm_hdf5_fail(&there->hdf5, MM_ERROR_MEMORY, "out of memory for the protocols");
    bool same = there->hdf5.status == MM_OK && g.count == plan->curve_count &&
                parameters.count == plan->curve_count * per_curve;
    for (size_t c = 0; same && c < plan->curve_count; c++) {
        take_parameters(config, &plan->curves[c], here);
        same = g.values[c] == plan->curves[c].g &&
               memcmp(here, &parameters.values[c * per_curve], per_curve * sizeof *here) == 0;
    }
    if (!same)
        mm_hdf5_fail(&there->hdf5, MM_ERROR_INPUT, "holds other protocols: their c, q or g differ");
    free(here);
    mm_array_free(&g);
    mm_array_free(&parameters);
}

/* Reads the states from which to go on; their number is that of the curves. */
static void read_states(struct mm_hdf5_file *there, size_t curves, int64_t collisions, struct mm_state *states)
{
    struct mm_hdf5 *hdf5 = &there->hdf5;
    for (size_t c = 0; c < curves && hdf5->status == MM_OK; c++) {
        char path[48];
        struct mm_array density;
        snprintf(path, sizeof path, "/resume/%zu", c);
        mm_hdf5_read_array(there, path, 2, &density);
        mm_hdf5_check_length(there, path, &density, 1, density.length[0]);
        hid_t dataset = mm_hdf5_check(hdf5, H5Dopen2(there->file, path, H5P_DEFAULT), "open dataset", path);
        states[c] = (struct mm_state){.levels = (int)density.length[0], .collisions = collisions};
        mm_hdf5_read_attribute(hdf5, dataset, "band_error", H5T_NATIVE_DOUBLE, &states[c].band_error);
        mm_hdf5_read_attribute(hdf5, dataset, "truncation_population", H5T_NATIVE_DOUBLE,
                               &states[c].truncation_population);
        mm_hdf5_close(hdf5, dataset, H5Dclose, path);
        states[c].density = density.values;
    }
}

/* Reads where the earlier run stopped, and checks that it did the same. */
static mm_status read_resume(const char *path, struct mm_evolution *evolution, const struct mm_evolution_run *run,
                             double *seconds, bool *complete, struct mm_error *error)
{
    const size_t curves = evolution->plan->curve_count;
    struct mm_hdf5_file there;
    struct mm_state *states = calloc(curves, sizeof *states);
    char plan[PLAN_TEXT_SIZE];
    int64_t collisions = 0;
    int8_t finished = 0;
    mm_status status = states == NULL ? mm_fail(error, MM_ERROR_MEMORY, "no memory for %zu curves", curves)
                                      : plan_text(evolution->plan, plan, error);
    if (status == MM_OK)
        status = mm_hdf5_file_open(&there, path, error);
    if (status != MM_OK) {
        free(states);
        return status;
    }
    if (there.kind != MM_FILE_EVOLUTION)
        mm_hdf5_fail(&there.hdf5, MM_ERROR_INPUT, "is not an evolution file");
    check_text(&there, "configuration", "configuration", run->config->text);
    check_text(&there, "plan", "evolution", plan);
    check_text(&there, "backend", "backend", mm_evolution_backend(evolution));
    check_curves(&there, evolution, run->config);
    mm_hdf5_read_attribute(&there.hdf5, there.file, "seconds", H5T_NATIVE_DOUBLE, seconds);
    mm_hdf5_read_attribute(&there.hdf5, there.file, "complete", H5T_NATIVE_INT8, &finished);
    if (there.hdf5.status == MM_OK && !finished) {
        hid_t group =
            mm_hdf5_check(&there.hdf5, H5Gopen2(there.file, "resume", H5P_DEFAULT), "open group", "resume");
        mm_hdf5_read_attribute(&there.hdf5, group, "collisions", H5T_NATIVE_INT64, &collisions);
        mm_hdf5_close(&there.hdf5, group, H5Gclose, "resume");
        read_states(&there, curves, collisions, states);
    }
    if (collisions < 0 || collisions > evolution->plan->collisions)
        mm_hdf5_fail(&there.hdf5, MM_ERROR_INPUT, "is damaged: /resume says an impossible number of collisions");
    status = mm_hdf5_file_close(&there);
    *complete = finished;
    if (status == MM_OK && !finished)
        mm_evolution_set(evolution, collisions, states);
    for (size_t c = 0; c < curves; c++)
        mm_state_free(&states[c]);
    free(states);
    return status;
}

/* Length of one dimension of a dataset that is there already. */
static hsize_t present_length(struct mm_evolution_file *file, enum mm_evolution_dataset which)
{
    hsize_t length[4] = {0};
    hid_t space = mm_hdf5_check(&file->hdf5, H5Dget_space(file->datasets[which]), "read", columns[which].name);
    mm_hdf5_check(&file->hdf5, H5Sget_simple_extent_dims(space, length, NULL), "read", columns[which].name);
    mm_hdf5_close(&file->hdf5, space, H5Sclose, columns[which].name);
    return length[0];
}

static void open_datasets(struct mm_evolution_file *file, const struct mm_evolution *evolution)
{
    for (enum mm_evolution_dataset which = 0; which < MM_EVOLUTION_DATASETS; which++) {
        char path[64];
        snprintf(path, sizeof path, "/%s/%s", columns[which].group, columns[which].name);
        if (has_dataset(evolution, which))
            file->datasets[which] =
                mm_hdf5_check(&file->hdf5, H5Dopen2(file->file, path, H5P_DEFAULT), "open dataset", path);
    }
    file->records = present_length(file, MM_EVOLUTION_K);
    file->states = present_length(file, MM_STATE_K);
    file->levels = present_length(file, MM_EVOLUTION_LEVEL);
    if (has_dataset(evolution, MM_EVOLUTION_ENERGY_K))
        file->energies = present_length(file, MM_EVOLUTION_ENERGY_K);
}

mm_status mm_evolution_file_continue(struct mm_evolution_file *file, const char *path,
                                     struct mm_evolution *evolution, const struct mm_evolution_run *run,
                                     double *seconds, bool *complete, struct mm_error *error)
{
    clear(file);
    mm_status status = read_resume(path, evolution, run, seconds, complete, error);
    if (status != MM_OK || *complete)
        return status;
    status = mm_output_file_create(&file->output, path, true, error);
    if (status != MM_OK)
        return status;
    mm_hdf5_begin(&file->hdf5, file->output.path, MM_ERROR_HDF5, error);
    file->hdf5.status = mm_output_file_copy(&file->output, path, error);
    if (file->hdf5.status == MM_OK)
        file->file =
            mm_hdf5_check(&file->hdf5, H5Fopen(file->output.temporary, H5F_ACC_RDWR, H5P_DEFAULT), "open", "file");
    mm_hdf5_check(&file->hdf5, H5Ldelete(file->file, "resume", H5P_DEFAULT), "remove", "resume");
    open_datasets(file, evolution);
    if (file->hdf5.status == MM_OK)
        return MM_OK;
    status = file->hdf5.status;
    mm_evolution_file_discard(file);
    return status;
}
