/* tables.c - the tables of an evolution file that grow: what they hold, their making and finding.
 *
 *   /evolution  k; energy, ergotropy, purity, truncation_population, band_error [curve][k],
 *               population [curve][k][level]; where asked for, energy_k and energy_steps [curve][energy_k]
 *   /state      k; density_matrix [curve][k][level][level_column] (rho_nm itself), population [curve][k][level]
 *
 * They grow along k, and along the levels where the space grows with the states.
 */
#include <hdf5_hl.h>
#include <string.h>

#include "files/evolution/curves.h"
#include "files/evolution/tables.h"

/* Dimensions of the datasets that grow. */
enum dimension {
    DIMENSION_CURVE,
    DIMENSION_RECORD,
    DIMENSION_LEVEL,
    DIMENSION_ENERGY,
    DIMENSION_STATE,
    DIMENSION_COLUMN
};

/* What a dataset that grows is called and holds. An axis has one dimension and no axis of its own. */
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

/* The dataset of the axis along a dimension. */
static const enum mm_evolution_dataset axis_of[] = {
    [DIMENSION_RECORD] = MM_EVOLUTION_K,        [DIMENSION_LEVEL] = MM_EVOLUTION_LEVEL,
    [DIMENSION_ENERGY] = MM_EVOLUTION_ENERGY_K, [DIMENSION_STATE] = MM_STATE_K,
    [DIMENSION_COLUMN] = MM_STATE_LEVEL_COLUMN,
};

static hid_t file_type(struct mm_hdf5 *hdf5, enum mm_evolution_dataset which)
{
    if (which == MM_STATE_DENSITY_MATRIX)
        return mm_hdf5_complex_type(hdf5, H5T_IEEE_F64LE);
    return mm_hdf5_check(hdf5, H5Tcopy(columns[which].is_axis ? H5T_STD_I64LE : H5T_IEEE_F64LE), "copy type",
                         columns[which].name);
}

static bool has_dataset(const struct mm_evolution_tables *tables, enum mm_evolution_dataset which)
{
    return tables->has_energies || (which != MM_EVOLUTION_ENERGY_K && which != MM_EVOLUTION_ENERGY_STEPS);
}

static hsize_t length_of(const struct mm_evolution_tables *tables, enum dimension dimension)
{
    switch (dimension) {
    case DIMENSION_CURVE:
        return tables->curves;
    case DIMENSION_RECORD:
        return tables->records;
    case DIMENSION_ENERGY:
        return tables->energies;
    case DIMENSION_STATE:
        return tables->states;
    case DIMENSION_LEVEL:
    case DIMENSION_COLUMN:
        break;
    }
    return tables->levels;
}

/* Creates one dataset, empty but for the curves. Axes come before what runs along them. */
static void create_growing(struct mm_evolution_tables *tables, enum mm_evolution_dataset which, hid_t group,
                           hid_t curve_axis)
{
    const struct column *column = &columns[which];
    struct mm_hdf5 *hdf5 = tables->hdf5;
    struct mm_dataset dataset = {.group = group,
                                 .name = column->name,
                                 .units = column->units,
                                 .long_name = column->long_name,
                                 .rank = column->rank};
    for (int d = 0; d < column->rank; d++) {
        const enum dimension dimension = column->dimensions[d];
        dataset.length[d] = length_of(tables, dimension);
        dataset.chunk[d] = column->chunk[d];
        dataset.grows[d] = dimension != DIMENSION_CURVE;
        if (!column->is_axis)
            dataset.scale[d] = dimension == DIMENSION_CURVE ? curve_axis : tables->datasets[axis_of[dimension]];
    }
    hid_t type = file_type(hdf5, which);
    tables->datasets[which] = mm_hdf5_create_dataset(hdf5, &dataset, type);
    if (column->is_axis)
        mm_hdf5_check(hdf5, H5DSset_scale(tables->datasets[which], column->name), "make an axis of", column->name);
    mm_hdf5_close(hdf5, type, H5Tclose, column->name);
}

void mm_evolution_tables_create(struct mm_evolution_tables *tables, hid_t file, hid_t curve_axis)
{
    struct mm_hdf5 *hdf5 = tables->hdf5;
    hid_t evolution_group = mm_hdf5_create_group(hdf5, file, "evolution");
    hid_t state_group = mm_hdf5_create_group(hdf5, file, "state");
    for (int axes = 1; axes >= 0; axes--)
        for (enum mm_evolution_dataset which = 0; which < MM_EVOLUTION_DATASETS; which++)
            if (columns[which].is_axis == (axes == 1) && has_dataset(tables, which))
                create_growing(tables, which,
                               strcmp(columns[which].group, "state") == 0 ? state_group : evolution_group,
                               curve_axis);
    mm_hdf5_link_axis(hdf5, curve_axis, evolution_group, "curve");
    mm_hdf5_link_axis(hdf5, curve_axis, state_group, "curve");
    mm_hdf5_link_axis(hdf5, tables->datasets[MM_EVOLUTION_LEVEL], state_group, "level");
    mm_hdf5_close(hdf5, evolution_group, H5Gclose, "evolution");
    mm_hdf5_close(hdf5, state_group, H5Gclose, "state");
}

void mm_evolution_tables_extend(struct mm_evolution_tables *tables)
{
    for (enum mm_evolution_dataset which = 0; which < MM_EVOLUTION_DATASETS; which++) {
        hsize_t length[4];
        for (int d = 0; d < columns[which].rank; d++)
            length[d] = length_of(tables, columns[which].dimensions[d]);
        if (has_dataset(tables, which))
            mm_hdf5_check(tables->hdf5, H5Dset_extent(tables->datasets[which], length), "extend",
                          columns[which].name);
    }
}

void mm_evolution_tables_put(struct mm_evolution_tables *tables, enum mm_evolution_dataset which,
                             const hsize_t *start, const hsize_t *extent, hid_t type, const void *values)
{
    mm_hdf5_put_block(tables->hdf5, tables->datasets[which], columns[which].name, columns[which].rank, start,
                      extent, type, values);
}

/* Length of the first dimension of a dataset that is there already. */
static hsize_t present_length(const struct mm_evolution_tables *tables, enum mm_evolution_dataset which)
{
    hsize_t length[4] = {0};
    hid_t space = mm_hdf5_check(tables->hdf5, H5Dget_space(tables->datasets[which]), "read", columns[which].name);
    mm_hdf5_check(tables->hdf5, H5Sget_simple_extent_dims(space, length, NULL), "read", columns[which].name);
    mm_hdf5_close(tables->hdf5, space, H5Sclose, columns[which].name);
    return length[0];
}

void mm_evolution_tables_open(struct mm_evolution_tables *tables, hid_t file)
{
    for (enum mm_evolution_dataset which = 0; which < MM_EVOLUTION_DATASETS; which++) {
        char path[64];
        snprintf(path, sizeof path, "/%s/%s", columns[which].group, columns[which].name);
        if (has_dataset(tables, which))
            tables->datasets[which] =
                mm_hdf5_check(tables->hdf5, H5Dopen2(file, path, H5P_DEFAULT), "open dataset", path);
    }
    tables->records = present_length(tables, MM_EVOLUTION_K);
    tables->states = present_length(tables, MM_STATE_K);
    tables->levels = present_length(tables, MM_EVOLUTION_LEVEL);
    if (has_dataset(tables, MM_EVOLUTION_ENERGY_K))
        tables->energies = present_length(tables, MM_EVOLUTION_ENERGY_K);
}

/* ----------------------------------------------------------------------------------- beginning and ending */

void mm_evolution_tables_clear(struct mm_evolution_tables *tables, struct mm_hdf5 *hdf5,
                               const struct mm_evolution_plan *plan)
{
    *tables = (struct mm_evolution_tables){
        .hdf5 = hdf5, .curves = plan->curve_count, .has_energies = plan->energy_step > 0};
    for (enum mm_evolution_dataset which = 0; which < MM_EVOLUTION_DATASETS; which++)
        tables->datasets[which] = -1;
}

void mm_evolution_tables_close(struct mm_evolution_tables *tables)
{
    for (enum mm_evolution_dataset which = 0; which < MM_EVOLUTION_DATASETS; which++) {
        mm_hdf5_close(tables->hdf5, tables->datasets[which], H5Dclose, columns[which].name);
        tables->datasets[which] = -1;
    }
}
