/* compare_optima.c - compares the optima in result files with the published and the verified ones.
 *
 * usage: compare_optima OPTIMA.csv RESULT.h5..
 *
 * A result file is compared with the rows of the table whose column `configuration` is its own name; rows of the
 * same case and lambda, one a batch, make up one optimum. An optimum is found if a chain ended within 1e-3 of it
 * in every c and q and in the loss; else it is marked DIFFERS. The loss has several minima: where the lowest one of
 * a lambda is not in the table it is printed and marked LOWER, which is news rather than a failure.
 * Exit code: 0 if every optimum was found, 1 if not or a file cannot be read, 2 for bad usage.
 */
#include <errno.h>
#include <hdf5.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double LARGEST_DIFFERENCE = 1e-3;

/* Columns of the table that are used, in the order of column_names. */
enum column {
    CASE,
    CONFIGURATION,
    LAMBDA,
    BATCH,
    PAPER_C,
    PAPER_Q,
    VERIFIED_C,
    VERIFIED_Q,
    VERIFIED_LOSS,
    COLUMNS
};
static const char *const column_names[COLUMNS] = {
    "case", "configuration", "lambda", "batch", "paper_c", "paper_q", "verified_c", "verified_q", "verified_loss"};

enum { LINE_SIZE = 1024, FIELDS_MAX = 32, NAME_SIZE = 64, ROWS_MAX = 256 };

/* One row of the table; batches count from 1. */
struct optimum {
    char case_name[NAME_SIZE];
    char configuration[NAME_SIZE]; /* without folder and extension */
    double lambda;
    long batch;
    double paper[2];    /* c, q */
    double verified[2]; /* c, q */
    double verified_loss;
};

/* The ends of the chains of a result file with one value of g. */
struct chains {
    hsize_t lambda_count, chain_count, batch_count;
    double *lambda;       /* [lambda_count] */
    double *lambda_index; /* [chain_count] */
    double *loss;         /* [chain_count] */
    double *parameters;   /* [chain_count][batch_count][2], c and q */
};

/* ------------------------------------------------------------------------------------------------- the table */

/* Splits a line at its commas, in place; returns the number of fields, at most FIELDS_MAX. */
static size_t split(char *line, char *fields[FIELDS_MAX])
{
    size_t count = 0;
    line[strcspn(line, "\r\n")] = '\0';
    while (count < FIELDS_MAX && line != NULL)
        fields[count++] = strsep(&line, ",");
    return count;
}

/* Copies a path's last component without its extension. */
static void stem(const char *path, char name[NAME_SIZE])
{
    const char *slash = strrchr(path, '/');
    snprintf(name, NAME_SIZE, "%s", slash == NULL ? path : slash + 1);
    char *dot = strrchr(name, '.');
    if (dot != NULL)
        *dot = '\0';
}

/* A number that fills its field, or NaN for an empty field; *good becomes false for anything else. */
static double number(const char *field, bool *good)
{
    char *end;
    if (*field == '\0')
        return NAN;
    double value = strtod(field, &end);
    *good = *good && *end == '\0';
    return value;
}

/* Fills a row from its fields; where[] says which field holds which column. */
static bool read_row(char *const *fields, size_t field_count, const size_t where[COLUMNS], struct optimum *row)
{
    bool good = true;
    for (int column = 0; column < COLUMNS; column++)
        if (where[column] >= field_count)
            return false;
    snprintf(row->case_name, NAME_SIZE, "%s", fields[where[CASE]]);
    stem(fields[where[CONFIGURATION]], row->configuration);
    row->lambda = number(fields[where[LAMBDA]], &good);
    row->batch = (long)number(fields[where[BATCH]], &good);
    for (int i = 0; i < 2; i++) {
        row->paper[i] = number(fields[where[PAPER_C + i]], &good);
        row->verified[i] = number(fields[where[VERIFIED_C + i]], &good);
    }
    row->verified_loss = number(fields[where[VERIFIED_LOSS]], &good);
    return good;
}

/* Finds the columns in the line that names them. */
static bool read_header(char *const *fields, size_t field_count, size_t where[COLUMNS])
{
    for (int column = 0; column < COLUMNS; column++) {
        size_t field = 0;
        while (field < field_count && strcmp(fields[field], column_names[column]) != 0)
            field++;
        if (field == field_count)
            return false;
        where[column] = field;
    }
    return true;
}

/* Reads the table; returns the number of rows, or -1 after a message. */
static int read_table(const char *path, struct optimum rows[ROWS_MAX])
{
    char line[LINE_SIZE];
    char *fields[FIELDS_MAX];
    size_t where[COLUMNS];
    int count = 0;
    bool header_read = false;
    bool good = true;
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fprintf(stderr, "compare_optima: %s: %s\n", path, strerror(errno));
        return -1;
    }
    while (good && count < ROWS_MAX && fgets(line, sizeof line, file) != NULL) {
        if (line[0] == '#' || line[strspn(line, " \r\n")] == '\0')
            continue;
        size_t field_count = split(line, fields);
        if (!header_read)
            header_read = good = read_header(fields, field_count, where);
        else
            good = read_row(fields, field_count, where, &rows[count++]);
    }
    good = good && header_read && ferror(file) == 0;
    if (fclose(file) != 0 || !good) {
        fprintf(stderr, "compare_optima: %s: not a table with the columns of paper_optima.csv\n", path);
        return -1;
    }
    return count;
}

/* ----------------------------------------------------------------------------------------------- result files */

/* Reads a whole open dataset of doubles of the given rank into new memory; NULL on failure. */
static double *read_values(hid_t dataset, hid_t space, int rank, hsize_t *shape)
{
    if (H5Sget_simple_extent_ndims(space) != rank || H5Sget_simple_extent_dims(space, shape, NULL) != rank)
        return NULL;
    hssize_t count = H5Sget_simple_extent_npoints(space);
    double *values = count > 0 ? malloc((size_t)count * sizeof *values) : NULL;
    if (values != NULL && H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0) {
        free(values);
        return NULL;
    }
    return values;
}

/* Reads a dataset by its name; NULL on failure. */
static double *read_dataset(hid_t file, const char *name, int rank, hsize_t *shape)
{
    double *values = NULL;
    bool closed = true;
    hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT);
    if (dataset < 0)
        return NULL;
    hid_t space = H5Dget_space(dataset);
    if (space >= 0) {
        values = read_values(dataset, space, rank, shape);
        closed = H5Sclose(space) >= 0;
    }
    if (H5Dclose(dataset) < 0 || !closed) {
        free(values);
        return NULL;
    }
    return values;
}

static void free_chains(struct chains *chains)
{
    free(chains->lambda);
    free(chains->lambda_index);
    free(chains->loss);
    free(chains->parameters);
}

/* Reads the chains; false after a message. The caller frees *chains in either case. */
static bool read_chains(const char *path, struct chains *chains)
{
    hsize_t index_count = 0;
    hsize_t loss_count = 0;
    hsize_t shape[3] = {0};
    hsize_t g_count = 0;
    double *g = NULL;
    bool closed = false;
    *chains = (struct chains){0};
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (file >= 0) {
        g = read_dataset(file, "/grid/g", 1, &g_count);
        chains->lambda = read_dataset(file, "/grid/lambda", 1, &chains->lambda_count);
        chains->lambda_index = read_dataset(file, "/chains/lambda_index", 1, &index_count);
        chains->loss = read_dataset(file, "/chains/loss", 1, &loss_count);
        chains->parameters = read_dataset(file, "/chains/final", 3, shape);
        closed = H5Fclose(file) >= 0;
    }
    free(g);
    chains->chain_count = shape[0];
    chains->batch_count = shape[1];
    if (closed && g_count == 1 && chains->lambda != NULL && chains->lambda_index != NULL && chains->loss != NULL &&
        chains->parameters != NULL && index_count == shape[0] && loss_count == shape[0] && shape[2] == 2)
        return true;
    fprintf(stderr, "compare_optima: %s: not a result file with finished chains and one value of g\n", path);
    return false;
}

/* ------------------------------------------------------------------------------------------------- comparison */

static bool same_optimum(const struct optimum *a, const struct optimum *b)
{
    return a->lambda == b->lambda && strcmp(a->case_name, b->case_name) == 0 &&
           strcmp(a->configuration, b->configuration) == 0;
}

static bool has_lambda(const struct chains *chains, hsize_t chain, double lambda)
{
    return fabs(chains->lambda[(hsize_t)chains->lambda_index[chain]] - lambda) <= 1e-9 * lambda;
}

/* Largest difference in c, q and loss between the end of a chain and the optimum that starts at *first; infinite
 * if they have another lambda or other batches. */
static double distance(const struct chains *chains, hsize_t chain, const struct optimum *first,
                       const struct optimum *end)
{
    double largest = fabs(chains->loss[chain] - first->verified_loss);
    hsize_t batch = 0;
    if (!has_lambda(chains, chain, first->lambda))
        return INFINITY;
    for (const struct optimum *row = first; row < end && same_optimum(row, first); row++, batch++) {
        if (batch >= chains->batch_count)
            return INFINITY;
        const double *found = chains->parameters + 2 * (chain * chains->batch_count + batch);
        largest = fmax(largest, fmax(fabs(found[0] - row->verified[0]), fabs(found[1] - row->verified[1])));
    }
    return batch == chains->batch_count ? largest : INFINITY;
}

/* A published value as text; rows that were not published have none. */
static const char *published(double value, char text[static 8])
{
    if (isnan(value))
        return "-";
    snprintf(text, 8, "%5.3f", value);
    return text;
}

/* Prints the optimum that starts at *first beside the chain nearest to it; true if that one agrees. */
static bool compare_optimum(const struct chains *chains, const struct optimum *first, const struct optimum *end)
{
    hsize_t nearest = 0;
    long reached = 0;
    long starts = 0;
    for (hsize_t chain = 0; chain < chains->chain_count; chain++) {
        double its_distance = distance(chains, chain, first, end);
        nearest = its_distance < distance(chains, nearest, first, end) ? chain : nearest;
        reached += its_distance <= LARGEST_DIFFERENCE ? 1 : 0;
        starts += has_lambda(chains, chain, first->lambda) ? 1 : 0;
    }
    if (!(distance(chains, nearest, first, end) < INFINITY)) {
        printf("%-17s %6g   not in the result file  DIFFERS\n", first->case_name, first->lambda);
        return false;
    }
    hsize_t batch = 0;
    for (const struct optimum *row = first; row < end && same_optimum(row, first); row++, batch++) {
        const double *found = chains->parameters + 2 * (nearest * chains->batch_count + batch);
        char paper_c[8];
        char paper_q[8];
        printf("%-17s %6g %5ld   %5s %5s   %7.5f %7.5f   %7.5f %7.5f   %11.8f %11.8f   %ld/%ld%s\n", row->case_name,
               row->lambda, row->batch, published(row->paper[0], paper_c), published(row->paper[1], paper_q),
               row->verified[0], row->verified[1], found[0], found[1], row->verified_loss, chains->loss[nearest],
               reached, starts, reached > 0 ? "" : "  DIFFERS");
    }
    return reached > 0;
}

/* Index of the chain with the lowest loss of a lambda, or the number of chains if there is none. */
static hsize_t lowest_chain(const struct chains *chains, hsize_t lambda_index)
{
    hsize_t lowest = chains->chain_count;
    for (hsize_t chain = 0; chain < chains->chain_count; chain++)
        if ((hsize_t)chains->lambda_index[chain] == lambda_index &&
            (lowest == chains->chain_count || chains->loss[chain] < chains->loss[lowest]))
            lowest = chain;
    return lowest;
}

/* True if the end of a chain is one of the known optima. */
static bool is_known(const struct chains *chains, hsize_t chain, const struct optimum *rows,
                     const struct optimum *end, const char *configuration)
{
    for (const struct optimum *row = rows; row < end; row++)
        if (row->batch == 1 && strcmp(row->configuration, configuration) == 0 &&
            distance(chains, chain, row, end) <= LARGEST_DIFFERENCE)
            return true;
    return false;
}

/* Prints the lowest loss of a lambda if it is none of the known optima; true if it printed. */
static bool report_lower(const struct chains *chains, hsize_t lambda_index, const struct optimum *rows,
                         const struct optimum *end, const char *configuration)
{
    hsize_t lowest = lowest_chain(chains, lambda_index);
    if (lowest == chains->chain_count || is_known(chains, lowest, rows, end, configuration))
        return false;
    long reached = 0;
    for (hsize_t chain = 0; chain < chains->chain_count; chain++)
        reached += has_lambda(chains, chain, chains->lambda[lambda_index]) &&
                   chains->loss[chain] <= chains->loss[lowest] + LARGEST_DIFFERENCE;
    printf("LOWER  %s, lambda = %g: %ld start%s at another minimum, loss %.8f at", configuration,
           chains->lambda[lambda_index], reached, reached == 1 ? " ends" : "s end", chains->loss[lowest]);
    for (hsize_t batch = 0; batch < chains->batch_count; batch++) {
        const double *found = chains->parameters + 2 * (lowest * chains->batch_count + batch);
        printf("%s (%.5f, %.5f)", batch == 0 ? "" : ",", found[0], found[1]);
    }
    printf("\n");
    return true;
}

/* What all comparisons add up to. */
struct tally {
    int compared;
    int different;
    int lower;
};

/* Compares one result file with its rows. */
static bool compare_file(const char *path, const struct optimum *rows, const struct optimum *end,
                         struct tally *tally)
{
    char configuration[NAME_SIZE];
    struct chains chains;
    int before = tally->compared;
    stem(path, configuration);
    bool good = read_chains(path, &chains);
    for (const struct optimum *row = rows; good && row < end; row++) {
        if (row->batch != 1 || strcmp(row->configuration, configuration) != 0)
            continue;
        tally->compared++;
        tally->different += compare_optimum(&chains, row, end) ? 0 : 1;
    }
    for (hsize_t i = 0; good && i < chains.lambda_count; i++)
        tally->lower += report_lower(&chains, i, rows, end, configuration) ? 1 : 0;
    if (good && tally->compared == before) {
        fprintf(stderr, "compare_optima: %s: the table has no row for configuration \"%s\"\n", path, configuration);
        good = false;
    }
    free_chains(&chains);
    return good;
}

int main(int argc, char **argv)
{
    static struct optimum rows[ROWS_MAX];
    struct tally tally = {0};
    bool good = true;
    if (argc < 3) {
        fprintf(stderr, "usage: compare_optima OPTIMA.csv RESULT.h5..\n");
        return 2;
    }
    int row_count = read_table(argv[1], rows);
    if (row_count < 0 || H5Eset_auto2(H5E_DEFAULT, NULL, NULL) < 0)
        return 1;
    printf("%-17s %6s %5s   %-11s   %-15s   %-15s   %-23s\n", "", "", "", "   paper", "   verified", "     found",
           "         loss");
    printf("%-17s %6s %5s   %5s %5s   %7s %7s   %7s %7s   %11s %11s   %s\n", "case", "lambda", "batch", "c", "q",
           "c", "q", "c", "q", "verified", "found", "starts");
    for (int i = 2; i < argc; i++)
        good = compare_file(argv[i], rows, rows + row_count, &tally) && good;
    printf("%d optima compared with the verified ones to %g in c, q and loss: %d differ", tally.compared,
           LARGEST_DIFFERENCE, tally.different);
    if (tally.lower > 0)
        printf("; %d lower minima, marked above", tally.lower);
    printf("\n");
    return good && tally.compared > 0 && tally.different == 0 ? 0 : 1;
}
