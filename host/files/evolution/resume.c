/* resume.c - what an evolution file holds so that a later run can go on, and its check by that run.
 *
 *   /resume   collisions (attribute); one dataset a curve, "0", "1", ..: R_nm = i^(n-m) rho_nm, with band_error and
 *             truncation_population
 */
#include <stdlib.h>
#include <string.h>

#include "files/evolution/curves.h"
#include "files/hdf5/root.h"
#include "files/evolution/resume.h"
#include "model/protocol.h"

/* ------------------------------------------------------------------------------------- what was asked for */

mm_status mm_evolution_plan_text(const struct mm_evolution_plan *plan, char text[MM_PLAN_TEXT_SIZE],
                                 struct mm_error *error)
{
    int length = snprintf(text, MM_PLAN_TEXT_SIZE,
                          "[evolution]\ncollisions = %lld\nper_decade = %d\nevery = %lld\nenergy_step = %lld\n"
                          "curves = %zu\nstates = ",
                          (long long)plan->collisions, plan->per_decade, (long long)plan->every,
                          (long long)plan->energy_step, plan->curve_count);
    for (size_t i = 0; i < plan->state_count && length < MM_PLAN_TEXT_SIZE; i++)
        length += snprintf(text + length, (size_t)(MM_PLAN_TEXT_SIZE - length), "%s%lld", i == 0 ? "" : ",",
                           (long long)plan->states[i]);
    if (length < MM_PLAN_TEXT_SIZE)
        return MM_OK;
    return mm_fail(error, MM_ERROR_INPUT, "%zu states are too many", plan->state_count);
}
/* --------------------------------------------------------------------------------------------- writing */

void mm_evolution_resume_write(struct mm_hdf5 *hdf5, hid_t file, const struct mm_evolution *evolution)
{
    const size_t curves = evolution->plan->curve_count;
    hid_t group = mm_hdf5_create_group(hdf5, file, "resume");
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
/* --------------------------------------------------------------------------------------------- reading */

static void check_curves(struct mm_hdf5_file *there, const struct mm_evolution *evolution,
                         const struct mm_config *config)
{
    const struct mm_evolution_plan *plan = evolution->plan;
    const size_t per_curve = 2 * config->batch_count;
    struct mm_hdf5_array g, parameters;
    mm_hdf5_read_array(there, "/curve/g", 1, &g);
    mm_hdf5_read_array(there, "/curve/parameters", 3, &parameters);
    double *here = calloc(per_curve, sizeof *here);
    if (here == NULL)
        mm_hdf5_fail(&there->hdf5, MM_ERROR_MEMORY, "out of memory for the protocols");
    bool same = there->hdf5.status == MM_OK && g.count == plan->curve_count &&
                parameters.count == plan->curve_count * per_curve;
    for (size_t c = 0; same && c < plan->curve_count; c++) {
        mm_spread_parameters(config->batch_count, config->batches, plan->curves[c].parameters, here);
        same = g.values[c] == plan->curves[c].g &&
               memcmp(here, &parameters.values[c * per_curve], per_curve * sizeof *here) == 0;
    }
    if (!same)
        mm_hdf5_fail(&there->hdf5, MM_ERROR_INPUT, "holds other protocols: their c, q or g differ");
    free(here);
    mm_hdf5_array_free(&g);
    mm_hdf5_array_free(&parameters);
}

/* Reads the states from which to go on; their number is that of the curves. */
static void read_states(struct mm_hdf5_file *there, size_t curves, int64_t collisions, struct mm_state *states)
{
    struct mm_hdf5 *hdf5 = &there->hdf5;
    for (size_t c = 0; c < curves && hdf5->status == MM_OK; c++) {
        char path[48];
        struct mm_hdf5_array density;
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

mm_status mm_evolution_resume_read(const char *path, struct mm_evolution *evolution, const struct mm_config *config,
                                   double *seconds, bool *complete, struct mm_error *error)
{
    const size_t curves = evolution->plan->curve_count;
    struct mm_hdf5_file there;
    struct mm_state *states = calloc(curves, sizeof *states);
    char plan[MM_PLAN_TEXT_SIZE];
    int64_t collisions = 0;
    int8_t finished = 0;
    mm_status status = states == NULL ? mm_fail(error, MM_ERROR_MEMORY, "no memory for %zu curves", curves)
                                      : mm_evolution_plan_text(evolution->plan, plan, error);
    if (status == MM_OK)
        status = mm_hdf5_file_open(&there, path, error);
    if (status != MM_OK) {
        free(states);
        return status;
    }
    if (there.kind != MM_FILE_EVOLUTION)
        mm_hdf5_fail(&there.hdf5, MM_ERROR_INPUT, "is not an evolution file");
    mm_hdf5_check_text(&there, "configuration", "configuration", config->text);
    mm_hdf5_check_text(&there, "plan", "evolution", plan);
    mm_hdf5_check_text(&there, "backend", "backend", mm_evolution_backend(evolution));
    check_curves(&there, evolution, config);
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
