/* tables.c - the tables of a result file, written block by block: /chains and /best.
 *
 * The rows of a table run along one dimension (chain) or the axes of the grid. Chains are read once, as packed
 * records, some thousand at a time (chain/record.h); every column takes its part of these into a block of its own,
 * which is one chunk of its dataset. So memory does not grow with the number of chains.
 *
 * Doubles are not compressed: measured with 10^6 chains of two batches, that would make 132 MB of 171 MB and take
 * four times as long. Integers shrink to a tenth.
 */
#include <stdlib.h>
#include <string.h>

#include "files/hdf5/write.h"
#include "files/search/types.h"
#include "files/search/tables.h"

enum {
    BLOCK_BYTES = 4 * 1024 * 1024, /* of the records of one block */
    BLOCK_ROWS = 8192,             /* at most */
    NUMBERS = 3,                   /* columns that are not of a record */
    RANK_MAX = 4,
};

/* Integers that the table adds to the record of a chain, in each row. */
struct numbers {
    int64_t chain;    /* row in /chains */
    int64_t agree;    /* of a grid point */
    int64_t finished; /* of a grid point */
};

struct column {
    struct mm_chain_column is;
    size_t offset; /* in a row */
    hid_t dataset;
    hid_t type;
};

struct table {
    struct mm_result_writer *writer;
    size_t batch_count;
    size_t record_size;
    size_t row_size; /* a record, and struct numbers after it */
    hid_t group;
    int rank;                 /* dimensions of the rows */
    hsize_t length[RANK_MAX]; /* of the table along these, batch and parameter */
    hsize_t block[RANK_MAX];  /* of one block, likewise */
    hid_t scale[RANK_MAX];
    struct column *columns; /* [column_count] */
    size_t column_count;
    unsigned char *records; /* [rows of a block][record_size] */
    unsigned char *rows;    /* [rows of a block][row_size] */
    char *values;           /* of one column of a block */
    int64_t *indices;       /* [rows of a block]: chains that are to be read */
    size_t *places;         /* [rows of a block]: rows that they belong to */
};

static int64_t count_chains(const struct mm_chain_source *source)
{
    int64_t count = 0;
    int64_t end = mm_config_chains(source->config);
    for (int64_t i = 0; i < end; i++)
        count += source->has(source->context, i);
    return count;
}

/* -------------------------------------------------------------------------------------------- columns */

static void add_column(struct table *table, const struct mm_chain_column *is, size_t offset)
{
    struct mm_hdf5 *hdf5 = &table->writer->hdf5;
    if (table->columns == NULL)
        return;
    struct column *column = &table->columns[table->column_count++];
    *column = (struct column){.is = *is, .offset = offset, .type = mm_result_column_type(hdf5, is->kind)};
    struct mm_dataset dataset = {
        .group = table->group,
        .name = is->name,
        .units = is->units,
        .long_name = is->long_name,
        .rank = is->kind == MM_CHAIN_COLUMN_PARAMETERS ? table->rank + 2 : table->rank,
        .incompressible = is->kind == MM_CHAIN_COLUMN_DOUBLE || is->kind == MM_CHAIN_COLUMN_PARAMETERS,
    };
    bool is_axis = table->rank == 1 && table->scale[0] <= 0;
    for (int d = 0; d < dataset.rank; d++) {
        dataset.length[d] = table->length[d];
        dataset.chunk[d] = table->length[0] > 0 ? table->block[d] : 0;
        dataset.scale[d] = table->scale[d];
    }
    column->dataset = (is_axis ? mm_hdf5_create_axis : mm_hdf5_create_dataset)(hdf5, &dataset, column->type);
    if (is_axis)
        table->scale[0] = column->dataset;
}

static void add_number(struct table *table, const char *name, const char *long_name, size_t offset)
{
    const struct mm_chain_column is = {name, MM_CHAIN_COLUMN_INT64, false, 0, "1", long_name};
    add_column(table, &is, table->record_size + offset);
}

/* The columns of a record (chain/columns.h); of a best chain, those that tell more than its place does. */
static void add_record(struct table *table, bool best)
{
    size_t offset = sizeof(int64_t); /* after the chain's number */
    for (size_t i = 0; i < mm_chain_column_count; i++) {
        if (mm_chain_columns[i].in_best || !best)
            add_column(table, &mm_chain_columns[i], offset);
        offset += mm_chain_column_size(&mm_chain_columns[i], table->batch_count);
    }
}

/* --------------------------------------------------------------------------------------------- blocks */

/* As many rows as their bytes allow, whole in the last dimensions, in blocks of even length: the last one takes as
 * much space in the file as the others. */
static size_t choose_block(struct table *table)
{
    size_t fitting = BLOCK_BYTES / table->record_size;
    size_t rows = 1;
    fitting = fitting > BLOCK_ROWS ? BLOCK_ROWS : fitting;
    for (int d = table->rank; d-- > 0;) {
        hsize_t most = fitting / rows > 0 ? fitting / rows : 1;
        hsize_t blocks = (table->length[d] + most - 1) / most;
        table->block[d] = blocks > 0 ? (table->length[d] + blocks - 1) / blocks : 1;
        rows *= table->block[d];
    }
    return rows;
}

static void open_table(struct table *table, const char *name)
{
    struct mm_hdf5 *hdf5 = &table->writer->hdf5;
    table->batch_count = table->writer->source->config->batch_count;
    table->record_size = mm_chain_record_size(table->batch_count);
    table->row_size = table->record_size + sizeof(struct numbers);
    size_t rows = choose_block(table);
    table->length[table->rank] = table->block[table->rank] = table->batch_count;
    table->length[table->rank + 1] = table->block[table->rank + 1] = 2;
    table->scale[table->rank] = table->writer->batch;
    table->scale[table->rank + 1] = table->writer->parameter;
    table->columns = calloc(mm_chain_column_count + NUMBERS, sizeof *table->columns);
    table->records = malloc(rows * table->record_size);
    table->rows = malloc(rows * table->row_size);
    table->values = malloc(rows * table->record_size);
    table->indices = malloc(rows * sizeof *table->indices);
    table->places = malloc(rows * sizeof *table->places);
    if (table->columns == NULL || table->records == NULL || table->rows == NULL || table->values == NULL ||
        table->indices == NULL || table->places == NULL)
        mm_hdf5_fail(hdf5, MM_ERROR_MEMORY, "out of memory for a block of chains");
    table->group = mm_hdf5_create_group(hdf5, table->writer->file, name);
}

static void close_table(struct table *table)
{
    struct mm_hdf5 *hdf5 = &table->writer->hdf5;
    for (size_t i = 0; i < table->column_count; i++) {
        mm_hdf5_close(hdf5, table->columns[i].dataset, H5Dclose, table->columns[i].is.name);
        mm_hdf5_close(hdf5, table->columns[i].type, H5Tclose, table->columns[i].is.name);
    }
    mm_hdf5_close(hdf5, table->group, H5Gclose, "table");
    free(table->columns);
    free(table->records);
    free(table->rows);
    free(table->values);
    free(table->indices);
    free(table->places);
}

static void set_numbers(struct table *table, size_t row, struct numbers numbers)
{
    memcpy(table->rows + row * table->row_size + table->record_size, &numbers, sizeof numbers);
}

/* Fills the columns of a row that has no chain with NaN and -1. */
static void set_missing(struct table *table, size_t row)
{
    unsigned char *at = table->rows + row * table->row_size + sizeof(int64_t);
    for (size_t i = 0; i < mm_chain_column_count; i++) {
        mm_chain_column_take(&mm_chain_columns[i], table->batch_count, NULL, (char *)at);
        at += mm_chain_column_size(&mm_chain_columns[i], table->batch_count);
    }
}

/* Reads the first `count` chains of `indices` into the rows of `places`. */
static void read_chains(struct table *table, size_t count)
{
    struct mm_hdf5 *hdf5 = &table->writer->hdf5;
    struct mm_chain_source *source = table->writer->source;
    if (hdf5->status == MM_OK && count > 0)
        hdf5->status = source->read(source->context, count, table->indices, table->records, hdf5->error);
    for (size_t i = 0; hdf5->status == MM_OK && i < count; i++)
        memcpy(table->rows + table->places[i] * table->row_size, table->records + i * table->record_size,
               table->record_size);
}

/* Writes the rows to every column.
 * @param start, extent  [rank] */
static void write_block(struct table *table, const hsize_t *start, const hsize_t *extent)
{
    struct mm_hdf5 *hdf5 = &table->writer->hdf5;
    hsize_t from[RANK_MAX] = {0};
    hsize_t part[RANK_MAX] = {0};
    size_t rows = 1;
    memcpy(part, table->block, sizeof part);
    for (int d = 0; d < table->rank; d++) {
        from[d] = start[d];
        part[d] = extent[d];
        rows *= extent[d];
    }
    for (size_t c = 0; c < table->column_count && hdf5->status == MM_OK; c++) {
        const struct column *column = &table->columns[c];
        size_t size = mm_chain_column_size(&column->is, table->batch_count);
        for (size_t i = 0; i < rows; i++)
            memcpy(table->values + i * size, table->rows + i * table->row_size + column->offset, size);
        mm_hdf5_put_block(hdf5, column->dataset, column->is.name,
                          column->is.kind == MM_CHAIN_COLUMN_PARAMETERS ? table->rank + 2 : table->rank, from, part,
                          column->type, table->values);
    }
    mm_hdf5_check_disk(hdf5, &table->writer->disk);
}

/* --------------------------------------------------------------------------------------------- tables */

static void write_chain_block(struct table *table, hsize_t first, hsize_t count)
{
    for (size_t i = 0; i < count; i++) {
        table->places[i] = i;
        set_numbers(table, i, (struct numbers){.chain = (int64_t)(first + i)});
    }
    read_chains(table, count);
    write_block(table, &first, &count);
}

static void write_chain_rows(struct table *table)
{
    const struct mm_chain_source *source = table->writer->source;
    int64_t chains = mm_config_chains(source->config);
    hsize_t first = 0;
    hsize_t count = 0;
    for (int64_t i = 0; i < chains && table->writer->hdf5.status == MM_OK; i++) {
        if (!source->has(source->context, i))
            continue;
        table->indices[count++] = i;
        if (count == table->block[0] || first + count == table->length[0]) {
            write_chain_block(table, first, count);
            first += count;
            count = 0;
        }
    }
}

void mm_result_write_chains(struct mm_result_writer *writer)
{
    static const struct mm_chain_column crc = {
        "crc32", MM_CHAIN_COLUMN_UINT32,
        false,   0,
        "1",     "CRC-32 of the row: key of the run, number of the chain, columns",
    };
    struct table table = {.writer = writer, .rank = 1, .length = {(hsize_t)count_chains(writer->source)}};
    open_table(&table, "chains");
    mm_hdf5_link_axis(&writer->hdf5, writer->batch, table.group, "batch");
    mm_hdf5_link_axis(&writer->hdf5, writer->parameter, table.group, "parameter");
    add_number(&table, "chain", "row of the table of finished chains", offsetof(struct numbers, chain));
    add_record(&table, false);
    add_column(&table, &crc, table.record_size - sizeof(uint32_t));
    write_chain_rows(&table);
    close_table(&table);
}

/* What the chains of a grid point tell; `best` gets the number of its best chain, -1 for none.
 * @param before  chains of the grid points before it */
static struct numbers look_at_cell(const struct mm_chain_source *source, size_t cell, int64_t before, int64_t *best)
{
    struct numbers numbers = {.chain = -1};
    int64_t first = (int64_t)cell * source->config->starts;
    *best = mm_chain_source_best(source, cell, &numbers.agree);
    for (int64_t i = first; i < first + source->config->starts; i++) {
        if (i == *best)
            numbers.chain = before + numbers.finished;
        numbers.finished += source->has(source->context, i);
    }
    return numbers;
}

/* The grid point in a row of a block. */
static size_t point_of_row(const struct table *table, const hsize_t *start, const hsize_t *extent, size_t row)
{
    size_t point = 0, step = 1;
    for (int axis = MM_AXES; axis-- > 0;) {
        point += (start[axis] + row % extent[axis]) * step;
        step *= table->length[axis];
        row /= extent[axis];
    }
    return point;
}

/* Writes a block of grid points.
 * @param before  in and out: chains of all grid points before */
static void write_best_block(struct table *table, const hsize_t *start, const hsize_t *extent, int64_t *before)
{
    const struct mm_chain_source *source = table->writer->source;
    size_t chains = 0, rows = 1;
    for (int axis = 0; axis < MM_AXES; axis++)
        rows *= extent[axis];
    for (size_t row = 0; row < rows; row++) {
        int64_t best = -1;
        struct numbers numbers = look_at_cell(source, point_of_row(table, start, extent, row), *before, &best);
        *before += numbers.finished;
        set_numbers(table, row, numbers);
        if (best < 0) {
            set_missing(table, row);
        } else {
            table->indices[chains] = best;
            table->places[chains++] = row;
        }
    }
    read_chains(table, chains);
    write_block(table, start, extent);
}

/* Writes all blocks, the last axis running fastest: a block is whole in the axes behind the first that it divides,
 * so that the grid points come in their order. */
static void write_best_rows(struct table *table)
{
    hsize_t start[MM_AXES] = {0}, extent[MM_AXES];
    int64_t before = 0;
    for (int axis = 0; axis >= 0 && table->writer->hdf5.status == MM_OK;) {
        for (axis = 0; axis < MM_AXES; axis++) {
            const hsize_t left = table->length[axis] - start[axis];
            extent[axis] = left < table->block[axis] ? left : table->block[axis];
        }
        write_best_block(table, start, extent, &before);
        for (axis = MM_AXES - 1; axis >= 0; axis--) {
            start[axis] += table->block[axis];
            if (start[axis] < table->length[axis])
                break;
            start[axis] = 0;
        }
    }
}

void mm_result_write_best(struct mm_result_writer *writer)
{
    const struct mm_config *config = writer->source->config;
    struct table table = {.writer = writer, .rank = MM_AXES};
    for (int axis = 0; axis < MM_AXES; axis++) {
        table.length[axis] = mm_grid_axis(config, (enum mm_axis_number)axis).count;
        table.scale[axis] = writer->axes[axis];
    }
    open_table(&table, "best");
    for (int axis = 0; axis < MM_AXES; axis++)
        mm_hdf5_link_axis(&writer->hdf5, writer->axes[axis], table.group,
                          mm_grid_axis(config, (enum mm_axis_number)axis).name);
    mm_hdf5_link_axis(&writer->hdf5, writer->batch, table.group, "batch");
    mm_hdf5_link_axis(&writer->hdf5, writer->parameter, table.group, "parameter");
    add_record(&table, true);
    add_number(&table, "chain", "row of the best chain in /chains", offsetof(struct numbers, chain));
    add_number(&table, "agree", "finished chains whose loss is within 1e-6 max(1, |loss|) of the best",
               offsetof(struct numbers, agree));
    add_number(&table, "finished", "finished chains", offsetof(struct numbers, finished));
    write_best_rows(&table);
    close_table(&table);
}
