/* show.c - the command that prints what is in our files: tables, and W(k) as a line of little bars. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "files/hdf5/root.h"
#include "files/table.h"
#include "base/json.h"
#include "base/numbers.h"
#include "base/text.h"

enum { OPTION_JSON = 512, OPTION_CSV };

enum {
    SPARKS = 60,      /* little bars of a line */
    COLUMN_WIDTH = 11 /* of a number in a table on the terminal */
};

struct show_command {
    const char *path;
    const char *table; /* NULL: the summary */
    bool json;
    bool csv;
};

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    struct show_command *command = state->input;
    switch (key) {
    case OPTION_JSON:
        command->json = true;
        return 0;
    case OPTION_CSV:
        command->csv = true;
        return 0;
    case ARGP_KEY_ARG:
        if (command->table != NULL)
            return cli_usage_error(state, "'%s': one file and one table are enough", text);
        if (command->path == NULL)
            command->path = text;
        else
            command->table = text;
        return 0;
    case ARGP_KEY_END:
        if (command->path == NULL)
            return cli_usage_error(state, "a file is needed");
        return command->json && command->csv ? cli_usage_error(state, "--json and --csv: choose one") : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ----------------------------------------------------------------------------------------------- export */

static void print_json_table(const struct show_command *command, const struct mm_hdf5_file *file,
                             const struct mm_table *table)
{
    struct json json = {.stream = stdout};
    json_open(&json, NULL, '{');
    json_string(&json, "file", command->path);
    json_string(&json, "kind", mm_file_kind_text(file->kind));
    json_string(&json, "table", table->name);
    json_open(&json, "rows", '[');
    for (size_t row = 0; row < table->row_count; row++) {
        json_open(&json, NULL, '{');
        for (size_t c = 0; c < table->column_count; c++) {
            const struct mm_table_column *column = &table->columns[c];
            if (column->texts != NULL)
                json_string(&json, column->name, column->texts[row]);
            else
                json_number(&json, column->name, column->numbers[row]);
        }
        json_close(&json, '}');
    }
    json_close(&json, ']');
    json_close(&json, '}');
    printf("\n");
}

/* A field of CSV (RFC 4180). */
static void print_csv_text(const char *text)
{
    if (text[strcspn(text, ",\"\r\n")] == '\0') {
        fputs(text, stdout);
        return;
    }
    putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"')
            putchar('"');
        putchar(*text);
    }
    putchar('"');
}

static void print_csv_table(const struct mm_table *table)
{
    for (size_t c = 0; c < table->column_count; c++)
        printf("%s%s", c == 0 ? "" : ",", table->columns[c].name);
    printf("\n");
    for (size_t row = 0; row < table->row_count; row++)
        for (size_t c = 0; c < table->column_count; c++) {
            const struct mm_table_column *column = &table->columns[c];
            char number[MM_NUMBER_TEXT_SIZE] = "";
            if (column->numbers != NULL && isfinite(column->numbers[row]))
                mm_number_text(column->numbers[row], number);
            print_csv_text(column->texts != NULL ? column->texts[row] : number);
            putchar(c + 1 < table->column_count ? ',' : '\n');
        }
}

/* -------------------------------------------------------------------------------------------- terminal */

/* Characters that a text takes on a terminal. */
static int displayed_width(const char *text)
{
    int width = 0;
    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xC0) != 0x80;
    return width;
}

static int column_width(const struct mm_table *table, const struct mm_table_column *column)
{
    int width = displayed_width(column->name);
    for (size_t row = 0; column->texts != NULL && row < table->row_count; row++) {
        int needed = displayed_width(column->texts[row]);
        width = needed > width ? needed : width;
    }
    return column->texts == NULL && width < COLUMN_WIDTH ? COLUMN_WIDTH : width;
}

static void print_cell(const struct mm_table_column *column, size_t row, int width)
{
    if (column->texts == NULL) {
        printf("%*.6g", width, column->numbers[row]);
        return;
    }
    char line[256];
    mm_text_to_line(column->texts[row], sizeof line, line);
    printf("%s%*s", line, width > displayed_width(line) ? width - displayed_width(line) : 0, "");
}

static void print_text_table(const struct mm_table *table, struct mm_hdf5_file *file)
{
    int *width = calloc(table->column_count + 1, sizeof *width); /* + 1: never an empty request */
    if (width == NULL) {
        mm_hdf5_fail(&file->hdf5, MM_ERROR_MEMORY, "out of memory for a table");
        return;
    }
    for (size_t c = 0; c < table->column_count; c++) {
        width[c] = column_width(table, &table->columns[c]);
        printf("%s%*s", c == 0 ? "" : "  ", table->columns[c].texts != NULL ? -width[c] : width[c],
               table->columns[c].name);
    }
    printf("\n");
    for (size_t row = 0; row < table->row_count; row++) {
        for (size_t c = 0; c < table->column_count; c++) {
            fputs(c == 0 ? "" : "  ", stdout);
            print_cell(&table->columns[c], row, width[c]);
        }
        printf("\n");
    }
    free(width);
}

/* Prints one curve as bars over the logarithm of k, from 1 to the last: each shows the last value up to its k. */
static void print_sparks(const double *k, const double *value, size_t count, double highest)
{
    static const char *const bars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    size_t at = 0;
    for (int i = 0; i < SPARKS; i++) {
        double until = pow(k[count - 1], (double)(i + 1) / SPARKS) * (1 + 1e-9);
        while (at + 1 < count && k[at + 1] <= until)
            at++;
        double part = highest > 0 && isfinite(value[at]) ? value[at] / highest : 0;
        int bar = (int)(part * 8);
        fputs(bars[bar < 0 ? 0 : bar > 7 ? 7 : bar], stdout);
    }
}

/* Prints W(k) of each curve of a table with the columns curve, k and `name`. */
static void print_curves(const struct mm_table *table, const char *name)
{
    const double *curve = mm_table_find(table, "curve")->numbers;
    const double *k = mm_table_find(table, "k")->numbers;
    const double *value = mm_table_find(table, name)->numbers;
    double highest = 0;
    for (size_t i = 0; i < table->row_count; i++)
        highest = fmax(highest, value[i]);
    for (size_t begin = 0; begin < table->row_count;) {
        size_t end = begin;
        while (end < table->row_count && curve[end] == curve[begin])
            end++;
        printf("\ncurve %-4.0f", curve[begin]);
        print_sparks(k + begin, value + begin, end - begin, highest);
        begin = end;
    }
    printf("\nW(k)      for k = 1 to %.6g, k on a logarithmic scale, full height %.6g\n",
           table->row_count == 0 ? 0 : k[table->row_count - 1], highest);
}

/* Prints a text attribute of the root. */
static void print_attribute(struct mm_hdf5_file *file, const char *title, const char *name)
{
    char *text = mm_hdf5_read_text(&file->hdf5, file->file, name);
    char line[512];
    if (text != NULL) {
        mm_text_to_line(text, sizeof line, line);
        printf("%-14s %s\n", title, line);
    }
    H5free_memory(text);
}

static void print_summary(struct mm_hdf5_file *file, const struct mm_table *table, const struct mm_table *curves)
{
    printf("%-14s %s\n", "kind", mm_file_kind_text(file->kind));
    print_attribute(file, "version", "version");
    print_attribute(file, "command line", "command_line");
    print_attribute(file, "backend", "backend");
    print_attribute(file, "started", "start_time");
    printf("\n");
    print_text_table(table, file);
    if (curves->row_count > 0)
        print_curves(curves, file->kind == MM_FILE_EVOLUTION ? "ergotropy" : "ergotropy_mean");
}

/* ---------------------------------------------------------------------------------------------- command */

static int run(const struct show_command *command)
{
    struct mm_error error = {0};
    struct mm_hdf5_file file;
    struct mm_table table = {0};
    struct mm_table curves = {0};
    mm_status status = mm_hdf5_file_open(&file, command->path, &error);
    if (status != MM_OK)
        return cli_fail(&error);
    bool summary = command->table == NULL && !command->json && !command->csv;
    mm_table_read(&file, command->table, &table);
    if (summary && file.hdf5.status == MM_OK && file.kind == MM_FILE_EVOLUTION)
        mm_table_read(&file, "evolution", &curves);
    else if (summary && file.hdf5.status == MM_OK && file.kind == MM_FILE_ROBUSTNESS)
        mm_table_read(&file, "robustness", &curves);
    if (file.hdf5.status == MM_OK && summary)
        print_summary(&file, &table, &curves);
    else if (file.hdf5.status == MM_OK && command->json)
        print_json_table(command, &file, &table);
    else if (file.hdf5.status == MM_OK && command->csv)
        print_csv_table(&table);
    else if (file.hdf5.status == MM_OK)
        print_text_table(&table, &file);
    if (file.hdf5.status == MM_OK)
        cli_warn_if_incomplete(&file, command->path);
    mm_table_free(&table);
    mm_table_free(&curves);
    status = mm_hdf5_file_close(&file);
    return status == MM_OK ? cli_finish_output(0) : cli_fail(&error);
}

int cli_show(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"json", OPTION_JSON, NULL, 0, "Print the table as JSON, one object a row", 0},
        {"csv", OPTION_CSV, NULL, 0, "Print the table as CSV", 0},
        {0},
    };
    static const struct argp argp = {
        .options = options,
        .parser = parse_option,
        .args_doc = "FILE.h5 [TABLE]",
        .doc =
            "Prints what is in a file that this program wrote.\vTables of a search: best, chains; of an evolution: "
            "curves, evolution, energies, populations, wigner; of a robustness file: curves, robustness; of a "
            "landscape: cells, landscape, end_points. Without TABLE: the first, and for evolutions and robustness "
            "files W(k) as lines of little bars.",
    };
    struct show_command command = {0};
    int code = cli_parse(&argp, argc, argv, &command);
    return code == 0 ? run(&command) : code;
}
