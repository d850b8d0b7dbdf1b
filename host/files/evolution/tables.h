/* tables.h - the tables of an evolution file that grow: what they hold, their making, finding, filling.
 */
#ifndef MM_FILES_EVOLUTION_TABLES_H
#define MM_FILES_EVOLUTION_TABLES_H

#include "evolve/evolve.h"
#include "files/hdf5/write.h"

enum mm_evolution_dataset {
    MM_EVOLUTION_K,
    MM_EVOLUTION_ENERGY,
    MM_EVOLUTION_ERGOTROPY,
    MM_EVOLUTION_PURITY,
    MM_EVOLUTION_TRUNCATION_POPULATION,
    MM_EVOLUTION_BAND_ERROR,
    MM_EVOLUTION_POPULATION,
    MM_EVOLUTION_LEVEL,
    MM_EVOLUTION_ENERGY_K,
    MM_EVOLUTION_ENERGY_STEPS,
    MM_STATE_K,
    MM_STATE_LEVEL_COLUMN,
    MM_STATE_DENSITY_MATRIX,
    MM_STATE_POPULATION,
    MM_EVOLUTION_DATASETS,
};

/** The open tables of one file. */
struct mm_evolution_tables {
    struct mm_hdf5 *hdf5;                  /* of the file; failures are remembered there */
    hid_t datasets[MM_EVOLUTION_DATASETS]; /* -1 where there is none */
    hsize_t curves;
    hsize_t records;  /* rows of /evolution */
    hsize_t energies; /* rows of /evolution/energy_k */
    hsize_t states;   /* rows of /state */
    hsize_t levels;   /* length of /evolution/level */
    bool has_energies;
};

/** No tables yet. */
void mm_evolution_tables_clear(struct mm_evolution_tables *tables, struct mm_hdf5 *hdf5,
                               const struct mm_evolution_plan *plan);

/** Creates the tables of a plan, empty. They are cleared before; end them with mm_evolution_tables_close. */
void mm_evolution_tables_create(struct mm_evolution_tables *tables, hid_t file, hid_t curve_axis);

/** Opens those that a file has already. */
void mm_evolution_tables_open(struct mm_evolution_tables *tables, hid_t file);

/** Appends the evolution's last round. */
void mm_evolution_tables_append(struct mm_evolution_tables *tables, const struct mm_evolution *evolution);

/** Gives every table the lengths that are noted in *tables. */
void mm_evolution_tables_extend(struct mm_evolution_tables *tables);

/** Writes a block into one of the tables; see mm_hdf5_put_block. */
void mm_evolution_tables_put(struct mm_evolution_tables *tables, enum mm_evolution_dataset which,
                             const hsize_t *start, const hsize_t *extent, hid_t type, const void *values);

void mm_evolution_tables_close(struct mm_evolution_tables *tables);

#endif
