/* recomputed_states.c - states of an evolution that its file does not store, computed again from it. */
#include <stdlib.h>
#include <string.h>

#include "evolve/evolve.h"
#include "files/hdf5/root.h"
#include "base/memory.h"
#include "model/protocol.h"
#include "solver/backend.h"
#include "files/evolution/recomputed_states.h"

/* The protocols of a file. */
struct protocols {
    struct mm_config config;
    struct mm_curve *curves; /* [curve] */
    double *parameters;      /* behind the curves: [curve][batch][2], the free batches first */
};

/* ------------------------------------------------------------------------------------ protocols of a file */

static void read_config(struct mm_stored_states *stored, struct mm_config *config)
{
    struct mm_hdf5 *hdf5 = &stored->file.hdf5;
    char *text = mm_hdf5_read_text(hdf5, stored->file.file, "configuration");
    if (text != NULL && hdf5->status == MM_OK)
        hdf5->status = mm_config_parse(hdf5->path, text, strlen(text), 0, NULL, config, hdf5->error);
    H5free_memory(text);
}

static void read_protocols(struct mm_stored_states *stored, struct protocols *protocols)
{
    struct mm_hdf5 *hdf5 = &stored->file.hdf5;
    struct mm_hdf5_array g = {0}, parameters = {0};
    read_config(stored, &protocols->config);
    const size_t batches = protocols->config.batch_count;
    mm_hdf5_read_array(&stored->file, "/curve/g", 1, &g);
    mm_hdf5_check_length(&stored->file, "/curve/g", &g, 0, stored->curves);
    mm_hdf5_read_array(&stored->file, "/curve/parameters", 3, &parameters);
    mm_hdf5_check_length(&stored->file, "/curve/parameters", &parameters, 0, stored->curves);
    mm_hdf5_check_length(&stored->file, "/curve/parameters", &parameters, 1, batches);
    mm_hdf5_check_length(&stored->file, "/curve/parameters", &parameters, 2, 2);
    protocols->curves = calloc(stored->curves, sizeof *protocols->curves);
    protocols->parameters = mm_allocate_doubles(stored->curves * batches * 2);
    if (protocols->curves == NULL || protocols->parameters == NULL)
        mm_hdf5_fail(hdf5, MM_ERROR_MEMORY, "out of memory for the protocols");
    for (size_t c = 0; hdf5->status == MM_OK && c < stored->curves; c++) {
        double *own = &protocols->parameters[2 * batches * c];
        mm_gather_parameters(protocols->config.batch_count, protocols->config.batches,
                             &parameters.values[2 * batches * c], own);
        protocols->curves[c] = (struct mm_curve){.g = g.values[c], .parameters = own};
    }
    mm_hdf5_array_free(&g);
    mm_hdf5_array_free(&parameters);
}

static void free_protocols(struct protocols *protocols)
{
    mm_config_free(&protocols->config);
    free(protocols->curves);
    free(protocols->parameters);
}

/* ------------------------------------------------------------------------------------------- evolution */

/* Refuses a number of collisions that the evolution did not reach. */
static void check_end(struct mm_stored_states *stored, int64_t k)
{
    struct mm_hdf5_array recorded = {0};
    char reason[160];
    mm_hdf5_read_array(&stored->file, "/evolution/k", 1, &recorded);
    const double end = recorded.count == 0 ? 0.0 : recorded.values[recorded.count - 1];
    snprintf(reason, sizeof reason, "k = %lld is beyond the end of the evolution, which has %.0f collisions",
             (long long)k, end);
    if ((double)k > end)
        mm_hdf5_fail(&stored->file.hdf5, MM_ERROR_INPUT, reason);
    mm_hdf5_array_free(&recorded);
}

/* Makes the evolution stand at the last stored states before k, where there are any. */
static mm_status start(struct mm_stored_states *stored, int64_t k, struct mm_evolution *evolution,
                       struct mm_state *states)
{
    struct mm_hdf5 *hdf5 = &stored->file.hdf5;
    size_t before = 0;
    while (before < stored->states && stored->k.values[before] < (double)k)
        before++;
    if (before == 0)
        return hdf5->status;
    const int64_t collisions = (int64_t)stored->k.values[before - 1];
    for (size_t c = 0; hdf5->status == MM_OK && c < stored->curves; c++) {
        states[c] = (struct mm_state){.levels = (int)stored->levels,
                                      .density = mm_allocate_doubles(stored->levels * stored->levels),
                                      .collisions = collisions};
        if (states[c].density == NULL)
            mm_hdf5_fail(hdf5, MM_ERROR_MEMORY, "out of memory for a state");
        else
            mm_stored_states_read(stored, c, before - 1, states[c].density);
    }
    if (hdf5->status == MM_OK)
        mm_evolution_set(evolution, collisions, states);
    return hdf5->status;
}

/* Takes every curve to the end of the plan and hands its states over. */
static mm_status run(struct mm_evolution *evolution, const volatile int *stop, struct mm_state *states,
                     const char *path, struct mm_error *error)
{
    mm_status status = MM_OK;
    while (status == MM_OK && !mm_evolution_done(evolution)) {
        if (stop != NULL && *stop != 0)
            return mm_fail(error, MM_STOPPED, "%s: stopped before the state was reached; the file is as it was",
                           path);
        status = mm_evolution_advance(evolution, error);
    }
    for (size_t c = 0; status == MM_OK && c < evolution->plan->curve_count; c++) {
        states[c] = evolution->states[c];
        evolution->states[c] = (struct mm_state){0};
    }
    return status;
}

static mm_status evolve(struct mm_stored_states *stored, const struct protocols *protocols, int64_t k,
                        const struct mm_solver_options *options, const volatile int *stop, struct mm_state *states,
                        struct mm_error *error)
{
    const struct mm_evolution_plan plan = {.problem = mm_config_problem(&protocols->config),
                                           .curve_count = stored->curves,
                                           .curves = protocols->curves,
                                           .collisions = k,
                                           .every = k > 0 ? k : 1};
    struct mm_solver_options own = *options;
    struct mm_evolution evolution = {0};
    own.backend = mm_backend_for_little(own.backend); /* a few curves would leave a device idle */
    mm_status status = mm_evolution_open(&evolution, &plan, &own, error);
    if (status == MM_OK)
        status = start(stored, k, &evolution, states);
    if (status == MM_OK)
        status = run(&evolution, stop, states, stored->file.hdf5.path, error);
    mm_evolution_close(&evolution);
    return status;
}

mm_status mm_evolution_recompute_states(struct mm_stored_states *stored, int64_t k,
                                        const struct mm_solver_options *options, const volatile int *stop,
                                        struct mm_state *states, struct mm_error *error)
{
    struct mm_hdf5 *hdf5 = &stored->file.hdf5;
    struct protocols protocols = {0};
    check_end(stored, k);
    if (hdf5->status == MM_OK)
        read_protocols(stored, &protocols);
    mm_status status = hdf5->status;
    if (status == MM_OK)
        status = evolve(stored, &protocols, k, options, stop, states, error);
    free_protocols(&protocols);
    return status;
}
