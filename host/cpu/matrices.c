/* matrices.c - the tables and matrices of a run, in double and in single precision. */
#include <stdlib.h>
#include <string.h>

#include "solver/band_layout.h"
#include "cpu/run.h"
#include "base/memory.h"

size_t mm_cpu_run_matrix_bytes(const struct mm_cpu_run *run)
{
    return (size_t)(run->capacity_bands + 1) * run->stride * run->stores[run->precision].loops->number_size;
}

/* ----------------------------------------------------------------------------------------------- copying */

/* Place of the first element of a diagonal. */
static void *diagonal_of(struct mm_band_matrix matrix, int diagonal)
{
    const size_t place = mm_band_index(matrix.stride, diagonal, 0);
    return matrix.precision == MM_SINGLE ? (void *)((float *)matrix.data + place)
                                         : (void *)((double *)matrix.data + place);
}

static void narrow(const double *source, float *target, size_t count)
{
    for (size_t i = 0; i < count; i++)
        target[i] = (float)source[i];
}

static void widen(const float *source, double *target, size_t count)
{
    for (size_t i = 0; i < count; i++)
        target[i] = (double)source[i];
}

void mm_copy_window(struct mm_band_matrix source, struct mm_band_matrix target, struct mm_window window)
{
    const size_t columns = (size_t)mm_band_columns(window.levels);
    const size_t size = source.precision == MM_SINGLE ? sizeof(float) : sizeof(double);
    for (int d = 0; d < window.bands; d++) {
        const void *from = diagonal_of(source, d);
        void *to = diagonal_of(target, d);
        if (source.precision == target.precision)
            memcpy(to, from, columns * size);
        else if (target.precision == MM_SINGLE)
            narrow(from, to, columns);
        else
            widen(from, to, columns);
    }
}

void mm_cpu_run_clip(const struct mm_cpu_run *run, void *matrix, struct mm_window from, struct mm_window to)
{
    const size_t size = run->stores[run->precision].loops->number_size;
    const size_t columns = (size_t)mm_band_columns(from.levels);
    for (int d = to.bands; d < from.bands; d++)
        memset((char *)matrix + mm_band_index(run->stride, d, 0) * size, 0, columns * size);
    for (int d = 0; d < to.bands && to.levels < from.levels; d++) {
        int first = to.levels > d ? to.levels - d : 0;
        memset((char *)matrix + mm_band_index(run->stride, d, first) * size, 0, (columns - (size_t)first) * size);
    }
}

/* ------------------------------------------------------------------------------------------------ tables */

/* Entries of a table. */
static int table_size(const struct mm_cpu_run *run)
{
    return 2 * mm_band_columns(run->capacity_levels) + 2 * MM_COLUMN_BLOCK;
}

/* Fills S_n from `first` on, cut off at the window: nothing leaves it upwards. */
static void fill_sines(struct mm_cpu_run *run, int first)
{
    const struct mm_cpu_store *single = &run->stores[MM_SINGLE];
    double *sine = run->stores[MM_DOUBLE].sine;
    const int levels = run->window.levels, rest = first < levels ? first : levels;
    for (int n = first; n < levels; n++)
        sine[n] = mm_collision_sin(run->g, n, run->levels);
    run->sine_above = mm_collision_sin(run->g, levels, run->levels);
    memset(sine + levels, 0, (size_t)(table_size(run) - levels) * sizeof(double));
    if (single->sine != NULL)
        narrow(sine + rest, (float *)single->sine + rest, (size_t)(table_size(run) - rest));
}

void mm_cpu_run_fill_tables(struct mm_cpu_run *run)
{
    const struct mm_cpu_store *single = &run->stores[MM_SINGLE];
    double *cosine = run->stores[MM_DOUBLE].cosine;
    for (int n = 0; n <= run->capacity_levels; n++)
        cosine[n] = mm_collision_cos(run->g, n, run->levels);
    if (single->cosine != NULL)
        narrow(cosine, single->cosine, (size_t)table_size(run));
    fill_sines(run, 0);
    for (int i = 0; i < MM_PRECISIONS; i++)
        run->stores[i].rows_levels = 0;
}

void mm_cpu_run_set_window(struct mm_cpu_run *run, struct mm_window window)
{
    int before = run->window.levels;
    run->window = window;
    if (window.levels != before)
        fill_sines(run, before);
}

/* ------------------------------------------------------------------------------------------------ memory */

static void *allocate_numbers(const struct mm_cpu_store *store, size_t count)
{
    return mm_allocate_doubles((count * store->loops->number_size + sizeof(double) - 1) / sizeof(double));
}

static void free_store(struct mm_cpu_store *store)
{
    for (int i = 0; i < store->segment_capacity; i++)
        free(store->segment[i].data);
    free(store->segment);
    free(store->cosine);
    free(store->sine);
    free(store->rows);
    free(store->carried);
    free(store->state);
    free(store->adjoint);
    *store = (struct mm_cpu_store){.loops = store->loops};
}

/* Gives an empty store its memory, in the run's capacity; false and nothing if there is none. */
static bool fill_store(const struct mm_cpu_run *run, struct mm_cpu_store *store)
{
    const size_t matrix = (size_t)(run->capacity_bands + 1) * run->stride;
    store->cosine = allocate_numbers(store, (size_t)table_size(run));
    store->sine = allocate_numbers(store, (size_t)table_size(run));
    store->rows = allocate_numbers(store, (size_t)mm_band_rows(run->capacity_levels) * MM_ROW_NUMBERS);
    store->carried = allocate_numbers(store, (size_t)(run->capacity_bands + 2) * MM_COLUMN_BLOCK);
    store->state = allocate_numbers(store, matrix);
    store->adjoint = allocate_numbers(store, matrix);
    if (store->cosine && store->sine && store->rows && store->carried && store->state && store->adjoint)
        return true;
    free_store(store);
    return false;
}

void mm_cpu_run_free_stores(struct mm_cpu_run *run)
{
    for (int i = 0; i < MM_PRECISIONS; i++)
        free_store(&run->stores[i]);
}

static mm_status fail_on_memory(const struct mm_cpu_run *run, struct mm_error *error)
{
    return mm_fail(error, MM_ERROR_MEMORY, "no memory for a band of %d diagonals over %d levels",
                   run->capacity_bands, run->capacity_levels);
}

/* Copies the adjoints of all precisions: a state that is computed again during a sweep may be what needs the room.
 */
static void copy_adjoints(const struct mm_cpu_run *run, struct mm_cpu_run *larger)
{
    const struct mm_window whole = {run->capacity_levels, run->capacity_bands};
    for (enum mm_precision i = 0; i < MM_PRECISIONS; i++)
        if (run->stores[i].adjoint != NULL)
            mm_copy_window((struct mm_band_matrix){i, run->stride, run->stores[i].adjoint},
                           (struct mm_band_matrix){i, larger->stride, larger->stores[i].adjoint}, whole);
}

/* Replaces the stores by those of a run of larger capacity. */
static mm_status enlarge(struct mm_cpu_run *run, struct mm_cpu_run *larger, struct mm_error *error)
{
    for (int i = 0; i < MM_PRECISIONS; i++) {
        larger->stores[i] = (struct mm_cpu_store){.loops = run->stores[i].loops};
        if ((i == MM_DOUBLE || run->stores[i].cosine != NULL) && !fill_store(larger, &larger->stores[i])) {
            mm_cpu_run_free_stores(larger);
            return fail_on_memory(larger, error);
        }
    }
    const enum mm_precision precision = run->precision;
    if (run->stores[precision].state != NULL)
        mm_copy_window((struct mm_band_matrix){precision, run->stride, run->stores[precision].state},
                       (struct mm_band_matrix){precision, larger->stride, larger->stores[precision].state},
                       run->window);
    copy_adjoints(run, larger);
    mm_cpu_run_free_stores(run);
    *run = *larger;
    mm_cpu_run_fill_tables(run);
    return MM_OK;
}

mm_status mm_cpu_run_reserve(struct mm_cpu_run *run, struct mm_window window, struct mm_error *error)
{
    if (window.levels <= run->capacity_levels && window.bands <= run->capacity_bands)
        return MM_OK;
    struct mm_cpu_run larger = *run;
    while (larger.capacity_levels < window.levels)
        larger.capacity_levels += larger.capacity_levels / 2 + 1;
    larger.capacity_levels = mm_smaller(larger.capacity_levels, run->levels);
    while (larger.capacity_bands < window.bands)
        larger.capacity_bands += larger.capacity_bands / 2 + 1;
    larger.stride = mm_band_stride(larger.capacity_levels);
    return enlarge(run, &larger, error);
}

mm_status mm_cpu_run_use(struct mm_cpu_run *run, enum mm_precision precision, struct mm_error *error)
{
    run->precision = precision;
    if (run->stores[precision].cosine != NULL)
        return MM_OK;
    if (!fill_store(run, &run->stores[precision]))
        return fail_on_memory(run, error);
    mm_cpu_run_fill_tables(run);
    return MM_OK;
}
