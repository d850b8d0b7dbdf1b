/* grid.c - the grid of a search: what its axes are, and where a chain stands on them. */
#include <stdio.h>
#include <string.h>

#include "chain/grid.h"

/* Where the values of an axis and the position of a chain on it are kept. */
static const struct row {
    const char *name;
    const char *long_name;
    size_t count;    /* offset in struct mm_config */
    size_t values;   /* the same */
    size_t position; /* offset in struct mm_chain, of an int32_t */
} rows[MM_AXES] = {
#define ROW(name, long_name)                                                                                       \
    {#name, long_name, offsetof(struct mm_config, name##_count), offsetof(struct mm_config, name),                 \
     offsetof(struct mm_chain, name##_index)},
    MM_AXIS_LIST(ROW)
#undef ROW
};

struct mm_axis mm_grid_axis(const struct mm_config *config, enum mm_axis_number axis)
{
    const struct row *row = &rows[axis];
    return (struct mm_axis){
        .name = row->name,
        .long_name = row->long_name,
        .count = *(const size_t *)((const char *)config + row->count),
        .values = *(double *const *)((const char *)config + row->values),
    };
}

int64_t mm_grid_points(const struct mm_config *config)
{
    return mm_config_chains(config) / config->starts;
}

bool mm_grid_is_same(const struct mm_config *one, const struct mm_config *other)
{
    bool same = true;
    for (int i = 0; i < MM_AXES && same; i++) {
        const struct mm_axis a = mm_grid_axis(one, (enum mm_axis_number)i),
                             b = mm_grid_axis(other, (enum mm_axis_number)i);
        same = a.count == b.count && memcmp(a.values, b.values, a.count * sizeof *a.values) == 0;
    }
    return same;
}

int64_t mm_grid_point_of(const struct mm_config *config, int64_t chain)
{
    return chain / config->starts;
}

int32_t mm_grid_start_of(const struct mm_config *config, int64_t chain)
{
    return (int32_t)(chain % config->starts);
}

/* Grid points from one position on an axis to the next. */
static int64_t step_of(const struct mm_config *config, enum mm_axis_number axis)
{
    int64_t step = 1;
    for (int faster = (int)axis + 1; faster < MM_AXES; faster++)
        step *= (int64_t)mm_grid_axis(config, (enum mm_axis_number)faster).count;
    return step;
}

size_t mm_grid_position(const struct mm_config *config, int64_t point, enum mm_axis_number axis)
{
    return (size_t)(point / step_of(config, axis)) % mm_grid_axis(config, axis).count;
}

double mm_grid_value(const struct mm_config *config, int64_t point, enum mm_axis_number axis)
{
    return mm_grid_axis(config, axis).values[mm_grid_position(config, point, axis)];
}

int64_t mm_grid_move(const struct mm_config *config, int64_t point, enum mm_axis_number axis, size_t position)
{
    return point + ((int64_t)position - (int64_t)mm_grid_position(config, point, axis)) * step_of(config, axis);
}

struct mm_point mm_grid_evaluation_point(const struct mm_config *config, int64_t point)
{
    return (struct mm_point){
#define VALUE(name, long_name) .name = mm_grid_value(config, point, MM_AXIS_##name),
        MM_AXIS_LIST(VALUE)
#undef VALUE
    };
}

static int32_t *position_in(struct mm_chain *chain, int axis)
{
    return (int32_t *)((char *)chain + rows[axis].position);
}

void mm_grid_place(const struct mm_config *config, int64_t index, struct mm_chain *chain)
{
    const int64_t point = mm_grid_point_of(config, index);
    for (int axis = 0; axis < MM_AXES; axis++)
        *position_in(chain, axis) = (int32_t)mm_grid_position(config, point, (enum mm_axis_number)axis);
    chain->start = mm_grid_start_of(config, index);
}

int64_t mm_grid_index_of(const struct mm_config *config, const struct mm_chain *chain)
{
    int64_t point = 0;
    if (chain->start < 0 || chain->start >= config->starts)
        return -1;
    for (int axis = 0; axis < MM_AXES; axis++) {
        const int32_t position = *(const int32_t *)((const char *)chain + rows[axis].position);
        const int64_t count = (int64_t)mm_grid_axis(config, (enum mm_axis_number)axis).count;
        if (position < 0 || position >= count)
            return -1;
        point = point * count + position;
    }
    return point * config->starts + chain->start;
}

void mm_grid_random_start(const struct mm_config *config, int64_t index, size_t free_batches, double *parameters)
{
    struct mm_chain chain = {0};
    mm_grid_place(config, index, &chain);
    mm_random_start(config->seed, chain.g_index, chain.lambda_index, chain.start, free_batches, parameters);
}

void mm_grid_text(const struct mm_config *config, int64_t index, char text[MM_GRID_TEXT_SIZE])
{
    const int64_t point = mm_grid_point_of(config, index);
    size_t length = 0;
    for (int axis = 0; axis < MM_AXES; axis++)
        length += (size_t)snprintf(text + length, MM_GRID_TEXT_SIZE - length, "%s_index %d, ", rows[axis].name,
                                   (int)mm_grid_position(config, point, (enum mm_axis_number)axis));
    snprintf(text + length, MM_GRID_TEXT_SIZE - length, "start %d", (int)mm_grid_start_of(config, index));
}
