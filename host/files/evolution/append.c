/* append.c - takes what a round of an evolution found into the tables of its file. */
#include <stdlib.h>

#include "files/evolution/tables.h"
#include "base/memory.h"
#include "files/evolution/state_insert.h"

/* Extends the axes of levels to the largest space of any state so far. */
static void grow_levels(struct mm_evolution_tables *tables, hsize_t before)
{
    for (hsize_t n = before; n < tables->levels; n++) {
        const hsize_t one = 1;
        const int64_t level = (int64_t)n;
        mm_evolution_tables_put(tables, MM_EVOLUTION_LEVEL, &n, &one, H5T_NATIVE_INT64, &level);
        mm_evolution_tables_put(tables, MM_STATE_LEVEL_COLUMN, &n, &one, H5T_NATIVE_INT64, &level);
    }
}

/* The rows of one curve: figures and populations. */
static void append_records(struct mm_evolution_tables *tables, const struct mm_round *round, size_t curve,
                           hsize_t first)
{
    const hsize_t count = round->record_count;
    const hsize_t start[3] = {curve, first, 0};
    const hsize_t extent[3] = {1, count, (hsize_t)round->populations[curve].levels};
    double values[3][MM_ROUND_RECORDS];
    for (size_t i = 0; i < count; i++) {
        const struct mm_merits *figures = &round->figures[curve * MM_ROUND_RECORDS + i];
        values[0][i] = figures->energy;
        values[1][i] = figures->ergotropy;
        values[2][i] = figures->purity;
    }
    mm_evolution_tables_put(tables, MM_EVOLUTION_ENERGY, start, extent, H5T_NATIVE_DOUBLE, values[0]);
    mm_evolution_tables_put(tables, MM_EVOLUTION_ERGOTROPY, start, extent, H5T_NATIVE_DOUBLE, values[1]);
    mm_evolution_tables_put(tables, MM_EVOLUTION_PURITY, start, extent, H5T_NATIVE_DOUBLE, values[2]);
    mm_evolution_tables_put(tables, MM_EVOLUTION_TRUNCATION_POPULATION, start, extent, H5T_NATIVE_DOUBLE,
                            &round->truncation_populations[curve * MM_ROUND_RECORDS]);
    mm_evolution_tables_put(tables, MM_EVOLUTION_BAND_ERROR, start, extent, H5T_NATIVE_DOUBLE,
                            &round->band_errors[curve * MM_ROUND_RECORDS]);
    if (count > 0)
        mm_evolution_tables_put(tables, MM_EVOLUTION_POPULATION, start, extent, H5T_NATIVE_DOUBLE,
                                round->populations[curve].values);
}

static void append_energies(struct mm_evolution_tables *tables, const struct mm_evolution *evolution, hsize_t first)
{
    const struct mm_round *round = &evolution->round;
    const hsize_t count = round->energy_count;
    int64_t k[MM_ENERGIES];
    for (size_t i = 0; i < count; i++)
        k[i] = (round->first_energy + (int64_t)i) * evolution->plan->energy_step;
    mm_evolution_tables_put(tables, MM_EVOLUTION_ENERGY_K, &first, &count, H5T_NATIVE_INT64, k);
    for (size_t c = 0; c < evolution->plan->curve_count; c++) {
        const hsize_t start[2] = {c, first}, extent[2] = {1, count};
        mm_evolution_tables_put(tables, MM_EVOLUTION_ENERGY_STEPS, start, extent, H5T_NATIVE_DOUBLE,
                                &round->energies[c * MM_ENERGIES]);
    }
}

static void append_state(struct mm_evolution_tables *tables, const struct mm_state *state, size_t curve,
                         hsize_t row)
{
    struct mm_hdf5 *hdf5 = tables->hdf5;
    const hsize_t levels = (hsize_t)state->levels;
    const hsize_t start[4] = {curve, row, 0, 0}, extent[4] = {1, 1, levels, levels};
    double *pairs = mm_allocate_doubles(2 * levels * levels);
    if (pairs == NULL) {
        mm_hdf5_fail(hdf5, MM_ERROR_MEMORY, "out of memory for a state");
        return;
    }
    hid_t type = mm_hdf5_complex_type(hdf5, H5T_NATIVE_DOUBLE);
    mm_evolution_physical_gauge(state, pairs);
    mm_evolution_tables_put(tables, MM_STATE_DENSITY_MATRIX, start, extent, type, pairs);
    for (size_t n = 0; n < levels; n++)
        pairs[n] = state->density[n * levels + n];
    mm_evolution_tables_put(tables, MM_STATE_POPULATION, start, extent, H5T_NATIVE_DOUBLE, pairs);
    mm_hdf5_close(hdf5, type, H5Tclose, "complex");
    free(pairs);
}

static void append_states(struct mm_evolution_tables *tables, const struct mm_evolution *evolution, hsize_t row)
{
    const hsize_t one = 1;
    mm_evolution_tables_put(tables, MM_STATE_K, &row, &one, H5T_NATIVE_INT64, &evolution->collisions);
    for (size_t c = 0; c < evolution->plan->curve_count; c++)
        append_state(tables, &evolution->states[c], c, row);
}

void mm_evolution_tables_append(struct mm_evolution_tables *tables, const struct mm_evolution *evolution)
{
    const struct mm_round *round = &evolution->round;
    const hsize_t records = tables->records, energies = tables->energies, states = tables->states;
    const hsize_t levels = tables->levels, count = round->record_count;
    tables->records += round->record_count;
    tables->energies += round->energy_count;
    tables->states += round->state_wanted;
    for (size_t c = 0; c < evolution->plan->curve_count; c++) {
        const hsize_t own = (hsize_t)round->populations[c].levels;
        tables->levels = own > tables->levels ? own : tables->levels;
    }
    mm_evolution_tables_extend(tables);
    grow_levels(tables, levels);
    mm_evolution_tables_put(tables, MM_EVOLUTION_K, &records, &count, H5T_NATIVE_INT64, round->k);
    for (size_t c = 0; c < evolution->plan->curve_count; c++)
        append_records(tables, round, c, records);
    if (round->energy_count > 0)
        append_energies(tables, evolution, energies);
    if (round->state_wanted)
        append_states(tables, evolution, states);
}
