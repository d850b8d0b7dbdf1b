/* stored_states.c - reads the states that an evolution file stores. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "files/hdf5/write.h"
#include "files/hdf5/root.h"
#include "files/evolution/stored_states.h"

static const char *const density_path = "/state/density_matrix";

/* The largest imaginary part that an element may have in the real gauge; the trace is 1. */
static const double REAL_TOLERANCE = 1e-9;

/* A complex number of mm_hdf5_complex_type. */
struct complex_number {
    double r;
    double i;
};

/* ---------------------------------------------------------------------------------------------- opening */

/* Finds the numbers of curves, states and levels. */
static void find_shape(struct mm_stored_states *stored)
{
    struct mm_hdf5 *hdf5 = &stored->file.hdf5;
    hsize_t length[4] = {0};
    hid_t space = mm_hdf5_check(hdf5, H5Dget_space(stored->density), "open dataset", density_path);
    if (space >= 0 &&
        (H5Sget_simple_extent_ndims(space) != 4 || H5Sget_simple_extent_dims(space, length, NULL) != 4))
        mm_hdf5_fail(hdf5, MM_ERROR_INPUT, "/state/density_matrix has the wrong number of dimensions");
    else if (length[2] != length[3] || length[2] < 1 || length[2] > MM_LEVELS_MAX || length[0] < 1)
        mm_hdf5_fail(hdf5, MM_ERROR_INPUT, "/state/density_matrix has the wrong shape");
    mm_hdf5_close(hdf5, space, H5Sclose, density_path);
    stored->curves = length[0];
    stored->states = length[1];
    stored->levels = length[2];
    mm_hdf5_check_length(&stored->file, "/state/k", &stored->k, 0, stored->states);
}

static void open_density(struct mm_stored_states *stored)
{
    struct mm_hdf5 *hdf5 = &stored->file.hdf5;
    stored->complex_type = mm_hdf5_complex_type(hdf5, H5T_NATIVE_DOUBLE);
    stored->density =
        mm_hdf5_check(hdf5, H5Dopen2(stored->file.file, density_path, H5P_DEFAULT), "open dataset", density_path);
    find_shape(stored);
    if (hdf5->status != MM_OK)
        return;
    stored->buffer = malloc(stored->levels * stored->levels * sizeof(struct complex_number));
    if (stored->buffer == NULL)
        mm_hdf5_fail(hdf5, MM_ERROR_MEMORY, "out of memory for a state");
}

mm_status mm_stored_states_open(struct mm_stored_states *stored, const char *path, struct mm_error *error)
{
    *stored = (struct mm_stored_states){.density = -1, .complex_type = -1};
    mm_status status = mm_hdf5_file_open(&stored->file, path, error);
    if (status != MM_OK)
        return status;
    struct mm_hdf5 *hdf5 = &stored->file.hdf5;
    if (stored->file.kind != MM_FILE_EVOLUTION)
        mm_hdf5_fail(hdf5, MM_ERROR_INPUT, "holds no evolution, and so no states");
    mm_hdf5_read_array(&stored->file, "/state/k", 1, &stored->k);
    if (hdf5->status == MM_OK && !mm_hdf5_has(&stored->file, density_path))
        mm_hdf5_fail(hdf5, MM_ERROR_INPUT, "/state/density_matrix is missing");
    if (hdf5->status == MM_OK)
        open_density(stored);
    return hdf5->status == MM_OK ? MM_OK : mm_stored_states_close(stored);
}

mm_status mm_stored_states_close(struct mm_stored_states *stored)
{
    struct mm_hdf5 *hdf5 = &stored->file.hdf5;
    mm_hdf5_array_free(&stored->k);
    free(stored->buffer);
    mm_hdf5_close(hdf5, stored->density, H5Dclose, density_path);
    mm_hdf5_close(hdf5, stored->complex_type, H5Tclose, "complex number");
    return mm_hdf5_file_close(&stored->file);
}

/* ----------------------------------------------------------------------------------------------- finding */

void mm_stored_states_check(struct mm_stored_states *stored, int64_t state)
{
    char reason[MM_ERROR_MESSAGE_SIZE];
    if (state >= 0 && (size_t)state < stored->states)
        return;
    snprintf(reason, sizeof reason, "has no state %lld: it stores %zu, counted from 0", (long long)state,
             stored->states);
    mm_hdf5_fail(&stored->file.hdf5, MM_ERROR_INPUT, reason);
}

/* ----------------------------------------------------------------------------------------------- reading */

/* Turns rho_nm into R_nm = i^(n-m) rho_nm; only the lower triangle is looked at. False if R is not real. */
static bool take_real_gauge(size_t levels, const struct complex_number *rho, double *density)
{
    bool real = true;
    for (size_t n = 0; n < levels; n++)
        for (size_t m = 0; m <= n; m++) {
            const struct complex_number from = rho[n * levels + m];
            const struct complex_number turned[] = {
                {from.r, from.i}, {-from.i, from.r}, {-from.r, -from.i}, {from.i, -from.r}};
            const struct complex_number element = turned[(n - m) % 4];
            density[n * levels + m] = density[m * levels + n] = element.r;
            real = real && isfinite(element.r) && fabs(element.i) <= REAL_TOLERANCE;
        }
    return real;
}

void mm_stored_states_read(struct mm_stored_states *stored, size_t curve, size_t state, double *density)
{
    struct mm_hdf5 *hdf5 = &stored->file.hdf5;
    const hsize_t start[] = {curve, state, 0, 0};
    const hsize_t extent[] = {1, 1, stored->levels, stored->levels};
    hid_t memory = mm_hdf5_check(hdf5, H5Screate_simple(4, extent, NULL), "read", density_path);
    hid_t space = mm_hdf5_check(hdf5, H5Dget_space(stored->density), "read", density_path);
    mm_hdf5_check(hdf5, H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, extent, NULL), "read",
                  density_path);
    mm_hdf5_check(hdf5, H5Dread(stored->density, stored->complex_type, memory, space, H5P_DEFAULT, stored->buffer),
                  "read", density_path);
    mm_hdf5_close(hdf5, space, H5Sclose, density_path);
    mm_hdf5_close(hdf5, memory, H5Sclose, density_path);
    if (hdf5->status == MM_OK && !take_real_gauge(stored->levels, stored->buffer, density))
        mm_hdf5_fail(hdf5, MM_ERROR_INPUT,
                     "/state/density_matrix holds what charging from the vacuum cannot give: i^(n-m) rho_nm is not "
                     "real and finite");
}
