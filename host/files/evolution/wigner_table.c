/* wigner_table.c - /state/wigner of an evolution file, added or extended in a copy of it.
 *
 *   /state/x [x], /state/p [p]           axes, dimension scales
 *   /state/wigner [curve][state][x][p]   NaN for states that were not asked for
 *
 * The first two axes of /state/wigner are those of /state/density_matrix. Its states grow as theirs do, so that an
 * evolution that went on can be completed on the same grid.
 */
#include <hdf5_hl.h>
#include <string.h>

#include "files/evolution/state_insert.h"
#include "files/evolution/wigner_table.h"

static const char *const wigner_path = "/state/wigner";

enum { CHUNK_BYTES = 1024 * 1024 /* most bytes of one chunk */ };

static void remove_link(struct mm_wigner_table *table, const char *name)
{
    if (H5Lexists(table->group, name, H5P_DEFAULT) > 0)
        mm_hdf5_check(&table->hdf5, H5Ldelete(table->group, name, H5P_DEFAULT), "replace", name);
}

/* Takes the first scale of a dimension: H5DSiterate_scales stops at a value that is not zero. */
static herr_t take_scale(hid_t dataset, unsigned dimension, hid_t scale, void *taken)
{
    (void)dataset;
    (void)dimension;
    *(hid_t *)taken = scale;
    return H5Iinc_ref(scale) >= 0 ? 1 : -1; /* HDF5 closes it once when this returns */
}

/* Finds the axes of curves and states where /state/density_matrix has them. */
static void find_scales(struct mm_wigner_table *table)
{
    static const char *const name = "density_matrix";
    struct mm_hdf5 *hdf5 = &table->hdf5;
    hid_t density = mm_hdf5_check(hdf5, H5Dopen2(table->group, name, H5P_DEFAULT), "open dataset", name);
    for (unsigned d = 0; d < 2 && density >= 0; d++)
        if (H5DSget_num_scales(density, d) > 0)
            mm_hdf5_check(hdf5, H5DSiterate_scales(density, d, NULL, take_scale, &table->scales[d]),
                          "find the axes of", name);
    mm_hdf5_close(hdf5, density, H5Dclose, name);
}

static hid_t create_axis(struct mm_wigner_table *table, const char *name, const char *long_name, size_t count,
                         const double *values)
{
    const struct mm_dataset axis = {
        .group = table->group, .name = name, .units = "1", .long_name = long_name, .rank = 1, .length = {count}};
    remove_link(table, name);
    return mm_hdf5_write_axis(&table->hdf5, &axis, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, values);
}

/* Creates /state/wigner with no state yet, and its axes. */
static void create_wigner(struct mm_wigner_table *table, size_t curves, const struct mm_wigner_grid *grid)
{
    size_t rows = CHUNK_BYTES / (sizeof(double) * grid->p_count);
    remove_link(table, "wigner");
    find_scales(table);
    table->scales[2] =
        create_axis(table, "x", "position quadrature x = (a + a^dagger) / sqrt(2)", grid->x_count, grid->x);
    table->scales[3] =
        create_axis(table, "p", "momentum quadrature p = (a - a^dagger) / (i sqrt(2))", grid->p_count, grid->p);
    struct mm_dataset wigner = {
        .group = table->group,
        .name = "wigner",
        .units = "1",
        .long_name = "Wigner function W(x, p), integral 1; NaN where it was not asked for",
        .rank = 4,
        .length = {curves, 0, grid->x_count, grid->p_count},
        .blank_is_nan = true,
        .grows = {false, true, false, false},
        .chunk = {1, 1, rows < grid->x_count ? rows : grid->x_count, grid->p_count},
    };
    memcpy(wigner.scale, table->scales, sizeof table->scales);
    table->wigner = mm_hdf5_create_dataset(&table->hdf5, &wigner, H5T_IEEE_F64LE);
}

/* Makes /state/wigner as long as the states. */
static void lengthen_wigner(struct mm_wigner_table *table, const struct mm_wigner_table_shape *shape)
{
    struct mm_hdf5 *hdf5 = &table->hdf5;
    const hsize_t wanted[] = {shape->curves, shape->states, shape->grid->x_count, shape->grid->p_count};
    hsize_t length[4] = {0};
    hid_t space = mm_hdf5_check(hdf5, H5Dget_space(table->wigner), "extend", wigner_path);
    bool right = space >= 0 && H5Sget_simple_extent_ndims(space) == 4 &&
                 H5Sget_simple_extent_dims(space, length, NULL) == 4 && length[0] == wanted[0] &&
                 length[1] <= wanted[1] && length[2] == wanted[2] && length[3] == wanted[3];
    if (right)
        mm_hdf5_check(hdf5, H5Dset_extent(table->wigner, wanted), "extend", wigner_path);
    else
        mm_hdf5_fail(hdf5, MM_ERROR_INPUT, "/state/wigner has the wrong shape");
    mm_hdf5_close(hdf5, space, H5Sclose, wigner_path);
}

void mm_wigner_table_begin(struct mm_wigner_table *table, const struct mm_output_file *output,
                           const struct mm_wigner_table_shape *shape, const struct mm_inserted_state *inserted,
                           struct mm_error *error)
{
    struct mm_hdf5 *hdf5 = &table->hdf5;
    *table = (struct mm_wigner_table){.file = -1, .group = -1, .scales = {-1, -1, -1, -1}, .wigner = -1};
    mm_hdf5_begin(hdf5, output->path, MM_ERROR_HDF5, error);
    table->file = mm_hdf5_open_on_disk(hdf5, output, &table->disk);
    if (table->file < 0)
        return;
    if (inserted->states != NULL)
        mm_evolution_insert_state(hdf5, table->file, inserted->row, inserted->k, shape->curves, inserted->states);
    table->group = mm_hdf5_check(hdf5, H5Gopen2(table->file, "/state", H5P_DEFAULT), "open group", "/state");
    if (shape->keeps)
        table->wigner =
            mm_hdf5_check(hdf5, H5Dopen2(table->group, "wigner", H5P_DEFAULT), "open dataset", wigner_path);
    else
        create_wigner(table, shape->curves, shape->grid);
    lengthen_wigner(table, shape);
}

void mm_wigner_table_put(struct mm_wigner_table *table, const struct mm_wigner_grid *grid, size_t curve,
                         size_t state, const double *wigner)
{
    const hsize_t start[] = {curve, state, 0, 0};
    const hsize_t extent[] = {1, 1, grid->x_count, grid->p_count};
    mm_hdf5_put_block(&table->hdf5, table->wigner, wigner_path, 4, start, extent, H5T_NATIVE_DOUBLE, wigner);
    mm_hdf5_check_disk(&table->hdf5, &table->disk);
}

mm_status mm_wigner_table_end(struct mm_wigner_table *table)
{
    struct mm_hdf5 *hdf5 = &table->hdf5;
    mm_hdf5_close(hdf5, table->wigner, H5Dclose, wigner_path);
    for (size_t d = 0; d < 4; d++)
        mm_hdf5_close(hdf5, table->scales[d], H5Dclose, "axis");
    mm_hdf5_close(hdf5, table->group, H5Gclose, "/state");
    mm_hdf5_close_on_disk(hdf5, table->file, &table->disk);
    return mm_hdf5_end(hdf5);
}
