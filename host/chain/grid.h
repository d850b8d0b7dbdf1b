/* grid.h - the grid of a search: the only place that knows what its axes are, and where a chain stands on them.
 *
 * Grid points are numbered with the last axis running fastest, chains point by point, start by start: chain =
 * point * starts + start. Another axis is a row of MM_AXIS_LIST, two members of struct mm_config (its key), one of struct
 * mm_chain, and the code that uses its value.
 */
#ifndef MM_CHAIN_GRID_H
#define MM_CHAIN_GRID_H

#include "micromaser.h"

/** Every axis, the slowest first. X(name, long_name): the name is that of the configuration's key and of its values
 *  in struct mm_config (with <name>_count), of the dataset /grid/<name>, and of the column <name>_index of a
 * chain. */
#define MM_AXIS_LIST(X)                                                                                            \
    X(g, "coupling constant g (times tau, Eq. 4)")                                                                 \
    X(lambda, "weight lambda of the instability (Eq. 11)")

#define MM_AXIS_ENUM(name, long_name) MM_AXIS_##name,
enum mm_axis_number { MM_AXIS_LIST(MM_AXIS_ENUM) MM_AXES };
#undef MM_AXIS_ENUM

/** One axis of the grid of a configuration; borrows its values. */
struct mm_axis {
    const char *name;
    const char *long_name;
    size_t count;
    const double *values; /* [count] */
};

struct mm_axis mm_grid_axis(const struct mm_config *config, enum mm_axis_number axis);

/** Number of grid points. */
int64_t mm_grid_points(const struct mm_config *config);

/** Whether two configurations have the same axes with the same values. */
bool mm_grid_is_same(const struct mm_config *one, const struct mm_config *other);

/** Grid point of a chain, and which of its starts it is. */
int64_t mm_grid_point_of(const struct mm_config *config, int64_t chain);
int32_t mm_grid_start_of(const struct mm_config *config, int64_t chain);

/** Position of a grid point on an axis, and the value there. */
size_t mm_grid_position(const struct mm_config *config, int64_t point, enum mm_axis_number axis);
double mm_grid_value(const struct mm_config *config, int64_t point, enum mm_axis_number axis);

/** The grid point that is as `point`, but at another position on one axis. */
int64_t mm_grid_move(const struct mm_config *config, int64_t point, enum mm_axis_number axis, size_t position);

/** What a backend is asked at a grid point; the parameters and the rest are the caller's to set. */
struct mm_point mm_grid_evaluation_point(const struct mm_config *config, int64_t point);

/** Sets the position of a chain on every axis and its start. */
void mm_grid_place(const struct mm_config *config, int64_t index, struct mm_chain *chain);

/** Number of the chain that stands where `chain` says; -1 if that is not in the grid. */
int64_t mm_grid_index_of(const struct mm_config *config, const struct mm_chain *chain);

/** Random start of a chain (mm_random_start). */
void mm_grid_random_start(const struct mm_config *config, int64_t index, size_t free_batches, double *parameters);

/** "g_index 0, lambda_index 1, start 2": where a chain stands, as messages say it. */
enum { MM_GRID_TEXT_SIZE = 96 };
void mm_grid_text(const struct mm_config *config, int64_t index, char text[MM_GRID_TEXT_SIZE]);

#endif
