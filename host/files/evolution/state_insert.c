/* state_insert.c - puts one more state between those of an evolution file. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "files/evolution/state_insert.h"

/* A dataset of a file, with its present shape. */
struct table {
    struct mm_hdf5 *hdf5;
    const char *path;
    hid_t dataset;
    int rank;
    hsize_t length[MM_DATASET_RANK_MAX];
};

static struct table open_table(struct mm_hdf5 *hdf5, hid_t file, const char *path)
{
    struct table table = {.hdf5 = hdf5, .path = path};
    table.dataset = mm_hdf5_check(hdf5, H5Dopen2(file, path, H5P_DEFAULT), "open dataset", path);
    hid_t space = mm_hdf5_check(hdf5, H5Dget_space(table.dataset), "extend", path);
    table.rank = (int)mm_hdf5_check(hdf5, H5Sget_simple_extent_ndims(space), "extend", path);
    if (table.rank > MM_DATASET_RANK_MAX)
        mm_hdf5_fail(hdf5, MM_ERROR_INPUT, "has a dataset of too many dimensions");
    else
        mm_hdf5_check(hdf5, H5Sget_simple_extent_dims(space, table.length, NULL), "extend", path);
    mm_hdf5_close(hdf5, space, H5Sclose, path);
    return table;
}

static void close_table(struct table *table)
{
    mm_hdf5_close(table->hdf5, table->dataset, H5Dclose, table->path);
}

static void resize(struct table *table)
{
    mm_hdf5_check(table->hdf5, H5Dset_extent(table->dataset, table->length), "extend", table->path);
}

/* ----------------------------------------------------------------------------------------- moving rows on */

/* Reads or writes one row of one curve, or of a table without curves. */
static void transfer(const struct table *table, int dimension, size_t curve, size_t row, bool writes, hid_t type,
                     void *buffer)
{
    struct mm_hdf5 *hdf5 = table->hdf5;
    hsize_t start[MM_DATASET_RANK_MAX] = {0}, extent[MM_DATASET_RANK_MAX];
    memcpy(extent, table->length, sizeof extent);
    start[0] = curve;
    start[dimension] = row;
    extent[0] = extent[dimension] = 1;
    if (writes) {
        mm_hdf5_put_block(hdf5, table->dataset, table->path, table->rank, start, extent, type, buffer);
        return;
    }
    hid_t memory = mm_hdf5_check(hdf5, H5Screate_simple(table->rank, extent, NULL), "read", table->path);
    hid_t space = mm_hdf5_check(hdf5, H5Dget_space(table->dataset), "read", table->path);
    mm_hdf5_check(hdf5, H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, extent, NULL), "read", table->path);
    mm_hdf5_check(hdf5, H5Dread(table->dataset, type, memory, space, H5P_DEFAULT, buffer), "read", table->path);
    mm_hdf5_close(hdf5, space, H5Sclose, table->path);
    mm_hdf5_close(hdf5, memory, H5Sclose, table->path);
}

/* Bytes of one row of one curve in memory. */
static size_t row_bytes(const struct table *table, int dimension, hid_t type)
{
    size_t bytes = H5Tget_size(type);
    for (int d = dimension + 1; d < table->rank; d++)
        bytes *= table->length[d];
    return bytes;
}

/* Lengthens a table by a row and moves rows from `row` to its end on by one.
 * dimension: 0 where the table has no curves, else 1 */
static void move_rows(struct table *table, int dimension, size_t row)
{
    struct mm_hdf5 *hdf5 = table->hdf5;
    const size_t rows = table->length[dimension], curves = dimension == 0 ? 1 : table->length[0];
    hid_t type = mm_hdf5_check(hdf5, H5Dget_type(table->dataset), "read", table->path);
    void *buffer = hdf5->status == MM_OK ? malloc(row_bytes(table, dimension, type)) : NULL;
    if (buffer == NULL)
        mm_hdf5_fail(hdf5, MM_ERROR_MEMORY, "out of memory for a state");
    table->length[dimension]++;
    resize(table);
    for (size_t r = rows; hdf5->status == MM_OK && r > row; r--)
        for (size_t c = 0; c < curves; c++) {
            transfer(table, dimension, dimension == 0 ? r - 1 : c, r - 1, false, type, buffer);
            transfer(table, dimension, dimension == 0 ? r : c, r, true, type, buffer);
        }
    free(buffer);
    mm_hdf5_close(hdf5, type, H5Tclose, table->path);
}

/* ------------------------------------------------------------------------------------------------ levels */

static void lengthen_axis(struct mm_hdf5 *hdf5, hid_t file, const char *path, hsize_t levels)
{
    struct table axis = open_table(hdf5, file, path);
    const hsize_t one = 1;
    for (hsize_t n = axis.length[0]; hdf5->status == MM_OK && n < levels; n++) {
        const int64_t level = (int64_t)n;
        mm_hdf5_put_block(hdf5, axis.dataset, path, 1, &n, &one, H5T_NATIVE_INT64, &level);
    }
    close_table(&axis);
}

/* Makes room for so many levels in everything that runs along them. */
static void lengthen_levels(struct mm_hdf5 *hdf5, hid_t file, hsize_t levels)
{
    static const struct {
        const char *path;
        int first; /* dimension of levels; all after it are, too */
    } tables[] = {{"/evolution/population", 2}, {"/state/population", 2}, {"/state/density_matrix", 2}};
    lengthen_axis(hdf5, file, "/evolution/level", levels);
    lengthen_axis(hdf5, file, "/state/level_column", levels);
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++) {
        struct table table = open_table(hdf5, file, tables[t].path);
        bool short_of = false;
        for (int d = tables[t].first; d < table.rank; d++)
            if (table.length[d] < levels) {
                table.length[d] = levels;
                short_of = true;
            }
        if (short_of)
            resize(&table);
        close_table(&table);
    }
}

/* ------------------------------------------------------------------------------------------------ states */

void mm_evolution_physical_gauge(const struct mm_state *state, double *pairs)
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

/* Doubles in one row of one curve. */
static size_t row_doubles(const struct table *table)
{
    size_t count = 1;
    for (int d = 2; d < table->rank; d++)
        count *= table->length[d];
    return count;
}

static void insert_density(struct mm_hdf5 *hdf5, hid_t file, size_t row, size_t curves,
                           const struct mm_state *states)
{
    struct table table = open_table(hdf5, file, "/state/density_matrix");
    hid_t type = mm_hdf5_complex_type(hdf5, H5T_NATIVE_DOUBLE);
    move_rows(&table, 1, row);
    const size_t width = table.length[3];
    double *pairs = mm_allocate_doubles(2 * row_doubles(&table));
    double *own = mm_allocate_doubles(2 * row_doubles(&table));
    if (pairs == NULL || own == NULL)
        mm_hdf5_fail(hdf5, MM_ERROR_MEMORY, "out of memory for a state");
    for (size_t c = 0; hdf5->status == MM_OK && c < curves; c++) {
        const size_t levels = (size_t)states[c].levels;
        memset(pairs, 0, 2 * row_doubles(&table) * sizeof *pairs);
        mm_evolution_physical_gauge(&states[c], own);
        for (size_t n = 0; n < levels; n++)
            memcpy(&pairs[2 * n * width], &own[2 * n * levels], 2 * levels * sizeof *own);
        transfer(&table, 1, c, row, true, type, pairs);
    }
    free(own);
    free(pairs);
    mm_hdf5_close(hdf5, type, H5Tclose, "complex");
    close_table(&table);
}

static void insert_population(struct mm_hdf5 *hdf5, hid_t file, size_t row, size_t curves,
                              const struct mm_state *states)
{
    struct table table = open_table(hdf5, file, "/state/population");
    move_rows(&table, 1, row);
    double *values = mm_allocate_doubles(row_doubles(&table));
    if (values == NULL)
        mm_hdf5_fail(hdf5, MM_ERROR_MEMORY, "out of memory for a state");
    for (size_t c = 0; hdf5->status == MM_OK && c < curves; c++) {
        const size_t levels = (size_t)states[c].levels;
        memset(values, 0, row_doubles(&table) * sizeof *values);
        for (size_t n = 0; n < levels; n++)
            values[n] = states[c].density[n * levels + n];
        transfer(&table, 1, c, row, true, H5T_NATIVE_DOUBLE, values);
    }
    free(values);
    close_table(&table);
}

/* What was never asked for is NaN. */
static void insert_wigner(struct mm_hdf5 *hdf5, hid_t file, size_t row, size_t curves)
{
    struct table table = open_table(hdf5, file, "/state/wigner");
    if (hdf5->status == MM_OK && table.rank == 4 && table.length[1] > row) {
        move_rows(&table, 1, row);
        double *blank = mm_allocate_doubles(row_doubles(&table));
        if (blank == NULL)
            mm_hdf5_fail(hdf5, MM_ERROR_MEMORY, "out of memory for a Wigner function");
        for (size_t i = 0; blank != NULL && i < row_doubles(&table); i++)
            blank[i] = NAN;
        for (size_t c = 0; hdf5->status == MM_OK && c < curves; c++)
            transfer(&table, 1, c, row, true, H5T_NATIVE_DOUBLE, blank);
        free(blank);
    }
    close_table(&table);
}

void mm_evolution_insert_state(struct mm_hdf5 *hdf5, hid_t file, size_t row, int64_t k, size_t curves,
                               const struct mm_state *states)
{
    int levels = 0;
    for (size_t c = 0; c < curves; c++)
        levels = states[c].levels > levels ? states[c].levels : levels;
    lengthen_levels(hdf5, file, (hsize_t)levels);
    struct table axis = open_table(hdf5, file, "/state/k");
    move_rows(&axis, 0, row);
    transfer(&axis, 0, row, row, true, H5T_NATIVE_INT64, &k);
    close_table(&axis);
    insert_density(hdf5, file, row, curves, states);
    insert_population(hdf5, file, row, curves, states);
    if (H5Lexists(file, "/state/wigner", H5P_DEFAULT) > 0)
        insert_wigner(hdf5, file, row, curves);
}
