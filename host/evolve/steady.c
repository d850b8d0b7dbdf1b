/* steady.c - chambers, steady states and lifetimes of a protocol, gathered from an evolution. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "evolve/steady.h"

static const double DEFAULT_BAND = 0.01;

mm_status mm_steady_begin(struct mm_steady *steady, const char *label, double g, int levels, size_t records,
                          struct mm_error *error)
{
    snprintf(steady->label, sizeof steady->label, "%s", label);
    mm_status status = mm_chambers_find(g, levels, &steady->chambers, error);
    if (status != MM_OK)
        return status;
    steady->k = calloc(records + 1, sizeof *steady->k); /* + 1: never an empty request */
    steady->energies = calloc(records + 1, sizeof *steady->energies);
    steady->sums = calloc(records + 1, ((size_t)steady->chambers.border_count + 1) * sizeof *steady->sums);
    if (steady->k == NULL || steady->energies == NULL || steady->sums == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory for %zu records", records);
    return MM_OK;
}

void mm_steady_add(struct mm_steady *steady, int64_t k, double energy, size_t levels, const double *populations)
{
    const size_t chambers = (size_t)steady->chambers.border_count + 1;
    steady->k[steady->count] = k;
    steady->energies[steady->count] = energy;
    mm_chambers_sum(&steady->chambers, levels, populations, &steady->sums[steady->count * chambers]);
    steady->count++;
}

void mm_steady_add_round(struct mm_steady *steady, const struct mm_evolution *evolution)
{
    const struct mm_round *round = &evolution->round;
    for (size_t c = 0; c < evolution->plan->curve_count; c++) {
        const struct mm_populations *populations = &round->populations[c];
        for (size_t i = 0; i < round->record_count; i++)
            mm_steady_add(&steady[c], round->k[i], round->figures[c * MM_ROUND_RECORDS + i].energy,
                          (size_t)populations->levels, &populations->values[i * (size_t)populations->levels]);
    }
}

mm_status mm_steady_finish(struct mm_steady *steady, int64_t from, double band, double q, struct mm_error *error)
{
    steady->lifetime =
        mm_lifetime_find(steady->count, steady->k, steady->energies, from, isnan(band) ? DEFAULT_BAND : band);
    if (isnan(q) || steady->chambers.border_count == 0)
        return MM_OK;
    const int m = steady->chambers.borders[0].m;
    steady->steady = calloc((size_t)m, sizeof *steady->steady);
    if (steady->steady == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory for %d levels", m);
    mm_steady_populations(steady->chambers.g, m, q, steady->steady);
    return MM_OK;
}

void mm_steady_free(struct mm_steady *steady)
{
    mm_chambers_free(&steady->chambers);
    free(steady->k);
    free(steady->energies);
    free(steady->sums);
    free(steady->steady);
    *steady = (struct mm_steady){0};
}
