/* table.c - the contents of our files as flat tables.
 *
 * A table runs over the first dimensions of its datasets, its axes: the first columns say where a row stands, the
 * others hold one dataset each. Datasets with more dimensions give several columns: [..][batch][2] becomes c1, q1,
 * c2, q2, ..; [..][quantile] one column a quantile.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "chain/columns.h"
#include "files/table.h"
#include "files/hdf5/root.h"

#define END_COLUMN "final" /* where a chain ended */

enum { AXES_MAX = 4, COLUMNS_MAX = 24 };

/* How a dataset becomes columns. */
enum form {
    FORM_END,        /* no more columns */
    FORM_NUMBERS,    /* over the axes */
    FORM_PARAMETERS, /* over the axes, batches, and c and q */
    FORM_QUANTILES,  /* over the axes and the quantiles of /robustness/quantile */
    FORM_TEXTS,      /* over one axis */
    FORM_STATUS,     /* over one axis or more: why an optimiser stopped */
    FORM_LAST,       /* over one axis and the recorded collisions, of which the last is taken */
    FORM_CHAINS,     /* every column of a chain (chain/columns.h), from the datasets of a group */
    FORM_BEST,       /* those that the best chain of a grid point has, but for its end, which stands apart */
};

struct part {
    enum form form;
    const char *name; /* of the column; of parameters, what stands before c1, q1, .. */
    const char *path; /* of the dataset, or the group */
};

struct specification {
    enum mm_file_kind kind;
    const char *name;
    int rank;                   /* number of axes */
    struct part axes[AXES_MAX]; /* path NULL: numbered from 0 */
    struct part parts[COLUMNS_MAX];
};

#define NUMBERS(group, name)                                                                                       \
    {                                                                                                              \
        FORM_NUMBERS, #name, "/" group "/" #name                                                                   \
    }
#define LAST(group, name)                                                                                          \
    {                                                                                                              \
        FORM_LAST, #name, "/" group "/" #name                                                                      \
    }
#define PROTOCOL                                                                                                   \
    {FORM_TEXTS, "label", "/curve/label"}, NUMBERS("curve", g), NUMBERS("curve", lambda),                          \
    {                                                                                                              \
        FORM_PARAMETERS, "", "/curve/parameters"                                                                   \
    }
#define BAND(name)                                                                                                 \
    {FORM_NUMBERS, #name "_mean", "/robustness/" #name "_mean"},                                                   \
        {FORM_NUMBERS, #name "_standard_deviation", "/robustness/" #name "_standard_deviation"},                   \
    {                                                                                                              \
        FORM_QUANTILES, #name "_quantile_", "/robustness/" #name "_quantile"                                       \
    }
/* The first table of a kind of file is its summary. */
static const struct specification specifications[] = {
    {MM_FILE_SEARCH,
     "best",
     2,
     {{FORM_NUMBERS, "g", "/grid/g"}, {FORM_NUMBERS, "lambda", "/grid/lambda"}},
     {{FORM_PARAMETERS, "", "/best/final"},
      NUMBERS("best", agree),
      NUMBERS("best", finished),
      {FORM_BEST, NULL, "/best"}}},
    {MM_FILE_SEARCH, "chains", 1, {{FORM_NUMBERS, "chain", NULL}}, {{FORM_CHAINS, NULL, "/chains"}}},
    {MM_FILE_EVOLUTION,
     "curves",
     1,
     {{FORM_NUMBERS, "curve", NULL}},
     {PROTOCOL, LAST("evolution", ergotropy), LAST("evolution", energy), LAST("evolution", purity),
      LAST("evolution", truncation_population), LAST("evolution", band_error)}},
    {MM_FILE_EVOLUTION,
     "evolution",
     2,
     {{FORM_NUMBERS, "curve", NULL}, {FORM_NUMBERS, "k", "/evolution/k"}},
     {NUMBERS("evolution", ergotropy), NUMBERS("evolution", energy), NUMBERS("evolution", purity),
      NUMBERS("evolution", truncation_population), NUMBERS("evolution", band_error)}},
    {MM_FILE_EVOLUTION,
     "energies",
     2,
     {{FORM_NUMBERS, "curve", NULL}, {FORM_NUMBERS, "k", "/evolution/energy_k"}},
     {{FORM_NUMBERS, "energy", "/evolution/energy_steps"}}},
    {MM_FILE_EVOLUTION,
     "populations",
     3,
     {{FORM_NUMBERS, "curve", NULL}, {FORM_NUMBERS, "k", "/state/k"}, {FORM_NUMBERS, "n", NULL}},
     {NUMBERS("state", population)}},
    {MM_FILE_EVOLUTION,
     "wigner",
     4,
     {{FORM_NUMBERS, "curve", NULL},
      {FORM_NUMBERS, "k", "/state/k"},
      {FORM_NUMBERS, "x", "/state/x"},
      {FORM_NUMBERS, "p", "/state/p"}},
     {NUMBERS("state", wigner)}},
    {MM_FILE_ROBUSTNESS,
     "curves",
     1,
     {{FORM_NUMBERS, "curve", NULL}},
     {PROTOCOL, LAST("robustness", ergotropy_mean), LAST("robustness", ergotropy_standard_deviation),
      LAST("robustness", energy_mean), LAST("robustness", energy_standard_deviation),
      LAST("robustness", purity_mean), LAST("robustness", purity_standard_deviation)}},
    {MM_FILE_ROBUSTNESS,
     "robustness",
     2,
     {{FORM_NUMBERS, "curve", NULL}, {FORM_NUMBERS, "k", "/robustness/k"}},
     {BAND(ergotropy), BAND(energy), BAND(purity)}},
    {MM_FILE_LANDSCAPE,
     "cells",
     1,
     {{FORM_NUMBERS, "cell", NULL}},
     {NUMBERS("landscape", g), NUMBERS("landscape", lambda)}},
    {MM_FILE_LANDSCAPE,
     "landscape",
     3,
     {{FORM_NUMBERS, "cell", NULL}, {FORM_NUMBERS, "c", "/landscape/c"}, {FORM_NUMBERS, "q", "/landscape/q"}},
     {NUMBERS("landscape", loss), NUMBERS("landscape", ergotropy), NUMBERS("landscape", instability)}},
    {MM_FILE_LANDSCAPE,
     "end_points",
     1,
     {{FORM_NUMBERS, "point", NULL}},
     {NUMBERS("end_points", cell), NUMBERS("end_points", c), NUMBERS("end_points", q),
      NUMBERS("end_points", loss)}},
};

enum { SPECIFICATION_COUNT = sizeof specifications / sizeof specifications[0] };

/* A table being read: the lengths of its axes are those of the first dataset of numbers. */
struct reading {
    struct mm_hdf5_file *file;
    const struct specification *specification;
    struct mm_table *table;
    bool shaped; /* the lengths are known */
    size_t length[AXES_MAX];
};

/* --------------------------------------------------------------------------------------------- columns */

static void fail_for_memory(struct mm_hdf5_file *file)
{
    mm_hdf5_fail(&file->hdf5, MM_ERROR_MEMORY, "out of memory for a table");
}

/* Adds a column of numbers and returns it; NULL after a failure. */
static struct mm_table_column *add_column(struct reading *reading, const char *prefix, const char *name)
{
    struct mm_table *table = reading->table;
    if (reading->file->hdf5.status != MM_OK)
        return NULL;
    struct mm_table_column *grown = realloc(table->columns, (table->column_count + 1) * sizeof *grown);
    double *numbers = calloc(table->row_count + 1, sizeof *numbers); /* + 1: never an empty request */
    if (grown != NULL)
        table->columns = grown;
    if (grown == NULL || numbers == NULL) {
        free(numbers);
        fail_for_memory(reading->file);
        return NULL;
    }
    struct mm_table_column *column = &table->columns[table->column_count++];
    *column = (struct mm_table_column){.numbers = numbers};
    snprintf(column->name, sizeof column->name, "%s%s", prefix, name);
    return column;
}

/* Turns a column of numbers into one of texts; false after a failure. */
static bool make_texts(struct reading *reading, struct mm_table_column *column)
{
    column->texts = calloc(reading->table->row_count + 1, sizeof *column->texts);
    if (column->texts == NULL) {
        fail_for_memory(reading->file);
        return false;
    }
    free(column->numbers);
    column->numbers = NULL;
    return true;
}

/* Takes every `stride`-th number of an array, from `offset` on. */
static void take_numbers(struct reading *reading, const char *prefix, const char *name,
                         const struct mm_hdf5_array *array, size_t stride, size_t offset)
{
    struct mm_table_column *column = add_column(reading, prefix, name);
    for (size_t i = 0; column != NULL && i < reading->table->row_count; i++)
        column->numbers[i] = array->values[i * stride + offset];
}

/* ------------------------------------------------------------------------------------------------ parts */

/* Fills the columns of the axes, once the lengths are known. */
static void add_axes(struct reading *reading, const struct mm_hdf5_array *array)
{
    const struct specification *specification = reading->specification;
    reading->shaped = true;
    reading->table->row_count = 1;
    for (int d = 0; d < specification->rank; d++) {
        reading->length[d] = array->length[d];
        reading->table->row_count *= array->length[d];
    }
    size_t repeat = reading->table->row_count;
    for (int d = 0; d < specification->rank; d++) {
        const struct part *axis = &specification->axes[d];
        struct mm_hdf5_array values = {0};
        if (axis->path != NULL) {
            mm_hdf5_read_array(reading->file, axis->path, 1, &values);
            mm_hdf5_check_length(reading->file, axis->path, &values, 0, reading->length[d]);
        }
        repeat = reading->length[d] == 0 ? 0 : repeat / reading->length[d];
        struct mm_table_column *column = add_column(reading, "", axis->name);
        for (size_t i = 0; column != NULL && i < reading->table->row_count; i++) {
            size_t position = i / repeat % reading->length[d];
            column->numbers[i] = axis->path == NULL ? (double)position : values.values[position];
        }
        mm_hdf5_array_free(&values);
    }
}

/* Reads a dataset over the axes and `more` further dimensions. False after a failure. */
static bool read_part(struct reading *reading, const struct part *part, int more, struct mm_hdf5_array *array)
{
    int rank = reading->specification->rank;
    mm_hdf5_read_array(reading->file, part->path, rank + more, array);
    if (reading->file->hdf5.status != MM_OK)
        return false;
    if (!reading->shaped)
        add_axes(reading, array);
    for (int d = 0; d < rank; d++)
        mm_hdf5_check_length(reading->file, part->path, array, d, reading->length[d]);
    return reading->file->hdf5.status == MM_OK;
}

static void add_numbers(struct reading *reading, const struct part *part)
{
    struct mm_hdf5_array array = {0};
    if (read_part(reading, part, 0, &array))
        take_numbers(reading, "", part->name, &array, 1, 0);
    mm_hdf5_array_free(&array);
}

static void add_parameters(struct reading *reading, const struct part *part)
{
    struct mm_hdf5_array array = {0};
    int rank = reading->specification->rank;
    bool read = read_part(reading, part, 2, &array);
    mm_hdf5_check_length(reading->file, part->path, &array, rank + 1, 2);
    for (size_t i = 0; read && i < 2 * array.length[rank]; i++) {
        char name[MM_TABLE_NAME_SIZE];
        snprintf(name, sizeof name, "%c%zu", i % 2 == 0 ? 'c' : 'q', i / 2 + 1);
        take_numbers(reading, part->name, name, &array, 2 * array.length[rank], i);
    }
    mm_hdf5_array_free(&array);
}

static void add_quantiles(struct reading *reading, const struct part *part)
{
    struct mm_hdf5_array array = {0};
    struct mm_hdf5_array quantile = {0};
    int rank = reading->specification->rank;
    bool read = read_part(reading, part, 1, &array);
    mm_hdf5_read_array(reading->file, "/robustness/quantile", 1, &quantile);
    mm_hdf5_check_length(reading->file, part->path, &array, rank, quantile.count);
    for (size_t i = 0; read && i < quantile.count; i++) {
        char name[MM_TABLE_NAME_SIZE];
        snprintf(name, sizeof name, "%g", quantile.values[i]);
        take_numbers(reading, part->name, name, &array, array.length[rank], i);
    }
    mm_hdf5_array_free(&quantile);
    mm_hdf5_array_free(&array);
}

static void add_last(struct reading *reading, const struct part *part)
{
    struct mm_hdf5_array array = {0};
    if (read_part(reading, part, 1, &array) && array.length[1] > 0)
        take_numbers(reading, "", part->name, &array, array.length[1], array.length[1] - 1);
    mm_hdf5_array_free(&array);
}

static const char *status_name(double value)
{
#define STATUS_NAME(name, text)                                                                                    \
    if (value == (double)(name))                                                                                   \
        return &#name[sizeof "MM_" - 1];
    MM_STOP_REASON_LIST(STATUS_NAME)
#undef STATUS_NAME
    return "NO_FINISHED_CHAIN";
}

static void add_status(struct reading *reading, const struct part *part)
{
    struct mm_hdf5_array array = {0};
    struct mm_table_column *column = NULL;
    if (read_part(reading, part, 0, &array))
        column = add_column(reading, "", part->name);
    if (column != NULL && make_texts(reading, column))
        for (size_t i = 0; i < reading->table->row_count; i++) {
            column->texts[i] = strdup(status_name(array.values[i]));
            if (column->texts[i] == NULL)
                fail_for_memory(reading->file);
        }
    mm_hdf5_array_free(&array);
}

/* The texts change hands. */
static void add_texts(struct reading *reading, const struct part *part)
{
    struct mm_hdf5_texts texts = {0};
    mm_hdf5_read_texts(reading->file, part->path, &texts);
    const struct mm_hdf5_array shape = {.rank = 1, .length = {texts.count}};
    if (reading->file->hdf5.status == MM_OK && !reading->shaped)
        add_axes(reading, &shape);
    mm_hdf5_check_length(reading->file, part->path, &shape, 0, reading->length[0]);
    struct mm_table_column *column = add_column(reading, "", part->name);
    if (column != NULL && make_texts(reading, column)) {
        memcpy(column->texts, texts.texts, texts.count * sizeof *texts.texts);
        texts.count = 0;
    }
    mm_hdf5_texts_free(&texts);
}

static void add_part(struct reading *reading, const struct part *part);

/* The end of a chain is what a reader looks for: its c and q have no prefix. */
static void add_chain_column(struct reading *reading, const char *group, const struct mm_chain_column *column)
{
    char path[2 * MM_TABLE_NAME_SIZE], prefix[MM_TABLE_NAME_SIZE] = "";
    snprintf(path, sizeof path, "%s/%s", group, column->name);
    if (strcmp(column->name, END_COLUMN) != 0)
        snprintf(prefix, sizeof prefix, "%s_", column->name);
    const struct part numbers = {FORM_NUMBERS, column->name, path}, status = {FORM_STATUS, column->name, path},
                      parameters = {FORM_PARAMETERS, prefix, path};
    add_part(reading, column->kind == MM_CHAIN_COLUMN_STATUS       ? &status
                      : column->kind == MM_CHAIN_COLUMN_PARAMETERS ? &parameters
                                                                   : &numbers);
}

static void add_chain(struct reading *reading, const struct part *part)
{
    for (size_t i = 0; i < mm_chain_column_count; i++)
        if (part->form == FORM_CHAINS ||
            (mm_chain_columns[i].in_best && strcmp(mm_chain_columns[i].name, END_COLUMN) != 0))
            add_chain_column(reading, part->path, &mm_chain_columns[i]);
}

static void add_part(struct reading *reading, const struct part *part)
{
    switch (part->form) {
    case FORM_NUMBERS:
        add_numbers(reading, part);
        break;
    case FORM_PARAMETERS:
        add_parameters(reading, part);
        break;
    case FORM_QUANTILES:
        add_quantiles(reading, part);
        break;
    case FORM_TEXTS:
        add_texts(reading, part);
        break;
    case FORM_STATUS:
        add_status(reading, part);
        break;
    case FORM_LAST:
        add_last(reading, part);
        break;
    case FORM_CHAINS:
    case FORM_BEST:
        add_chain(reading, part);
        break;
    case FORM_END:
        break;
    }
}

/* ----------------------------------------------------------------------------------------------- tables */

static const struct specification *find_specification(struct mm_hdf5_file *file, const char *name)
{
    char known[MM_ERROR_MESSAGE_SIZE / 2];
    size_t length = 0;
    for (size_t i = 0; i < SPECIFICATION_COUNT; i++) {
        if (specifications[i].kind != file->kind)
            continue;
        if (name == NULL || strcmp(name, specifications[i].name) == 0)
            return &specifications[i];
        length += (size_t)snprintf(known + length, sizeof known - length, " %s", specifications[i].name);
    }
    char reason[MM_ERROR_MESSAGE_SIZE];
    snprintf(reason, sizeof reason, "no table '%.60s' in a file of kind %s; there are:%s", name,
             mm_file_kind_text(file->kind), known);
    mm_hdf5_fail(&file->hdf5, MM_ERROR_INPUT, reason);
    return NULL;
}

void mm_table_read(struct mm_hdf5_file *file, const char *name, struct mm_table *table)
{
    *table = (struct mm_table){0};
    const struct specification *specification = find_specification(file, name);
    if (specification == NULL)
        return;
    struct reading reading = {.file = file, .specification = specification, .table = table};
    table->name = specification->name;
    for (size_t i = 0; file->hdf5.status == MM_OK && specification->parts[i].form != FORM_END; i++)
        add_part(&reading, &specification->parts[i]);
    if (file->hdf5.status != MM_OK)
        mm_table_free(table);
}

const struct mm_table_column *mm_table_find(const struct mm_table *table, const char *name)
{
    for (size_t i = 0; i < table->column_count; i++)
        if (strcmp(table->columns[i].name, name) == 0)
            return &table->columns[i];
    return NULL;
}

void mm_table_free(struct mm_table *table)
{
    for (size_t c = 0; c < table->column_count; c++) {
        for (size_t i = 0; table->columns[c].texts != NULL && i < table->row_count; i++)
            free(table->columns[c].texts[i]);
        free(table->columns[c].texts);
        free(table->columns[c].numbers);
    }
    free(table->columns);
    *table = (struct mm_table){0};
}
