/* plot.c - the command that draws figures of our files. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "files/hdf5/root.h"
#include "plot/gnuplot.h"
#include "base/numbers.h"
#include "disk/output_file.h"
#include "plot/plot.h"

enum {
    OPTION_WHAT = 512,
    OPTION_DATA,
    OPTION_SELECT,
    OPTION_STATE,
    OPTION_K,
    OPTION_LABEL,
    OPTION_G_INDEX,
    OPTION_LAMBDA_INDEX,
    OPTION_QUANTITY,
    OPTION_FORCE
};

enum { NUMBER_MAX = 1000000000 };

struct plot_command {
    struct mm_plot_request request;
    const char **paths;
    const char **labels;
    int64_t *selected;
    const char *picture_path;
    const char *data_path;
    bool replace;
};

/* ------------------------------------------------------------------------------------------- options */

/* Appends a text to a list of texts. */
static error_t append_text(const char *text, const char ***texts, size_t *count)
{
    const char **grown = realloc(*texts, (*count + 1) * sizeof *grown);
    if (grown == NULL)
        return ENOMEM;
    *texts = grown;
    grown[(*count)++] = text;
    return 0;
}

/* Reads "0,2,3". */
static error_t parse_selection(struct plot_command *command, const char *text, const struct argp_state *state)
{
    if (command->selected != NULL)
        return cli_usage_error(state, "--select is given twice: one list is enough, as 0,2,3");
    size_t count = 1;
    for (const char *c = text; *c != '\0'; c++)
        count += *c == ',';
    command->selected = calloc(count, sizeof *command->selected);
    if (command->selected == NULL)
        return ENOMEM;
    for (size_t i = 0; i < count; i++) {
        size_t length = strcspn(text, ",");
        uint64_t number = 0;
        if (!mm_integer_parse(text, length, &number) || number > NUMBER_MAX)
            return cli_usage_error(state, "--select '%.*s': must be whole numbers from 0, as 0,2,3", (int)length,
                                   text);
        command->selected[i] = (int64_t)number;
        text += length + 1;
    }
    command->request.selected_count = count;
    return 0;
}

static error_t check_command(const struct plot_command *command, const struct argp_state *state)
{
    if (command->request.file_count == 0)
        return cli_usage_error(state, "a file is needed");
    if (command->picture_path == NULL && command->data_path == NULL)
        return cli_usage_error(state, "-o FIGURE or --data FILE is needed");
    if (command->request.state >= 0 && command->request.k >= 0)
        return cli_usage_error(state, "--k and --state choose a state each: give one of them");
    return 0;
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    struct plot_command *command = state->input;
    struct mm_plot_request *request = &command->request;
    switch (key) {
    case OPTION_WHAT:
        request->what = text;
        return 0;
    case OPTION_DATA:
        command->data_path = text;
        return 0;
    case OPTION_SELECT:
        return parse_selection(command, text, state);
    case OPTION_STATE:
        return cli_parse_integer(state, "--state", text, 0, NUMBER_MAX, &request->state);
    case OPTION_K:
        return cli_parse_integer(state, "--k", text, 0, INT64_MAX, &request->k);
    case OPTION_LABEL:
        return append_text(text, &command->labels, &request->label_count);
    case OPTION_G_INDEX:
        return cli_parse_integer(state, "--g-index", text, 0, NUMBER_MAX, &request->g_index);
    case OPTION_LAMBDA_INDEX:
        return cli_parse_integer(state, "--lambda-index", text, 0, NUMBER_MAX, &request->lambda_index);
    case OPTION_QUANTITY:
        request->quantity = text;
        return 0;
    case OPTION_FORCE:
        command->replace = true;
        return 0;
    case 'o':
        command->picture_path = text;
        return 0;
    case ARGP_KEY_ARG:
        return append_text(text, &command->paths, &request->file_count);
    case ARGP_KEY_END:
        return check_command(command, state);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* -------------------------------------------------------------------------------------------- output */

static mm_status make_data(const struct mm_figure *figure, struct mm_picture *data, struct mm_error *error)
{
    FILE *stream = open_memstream(&data->content, &data->size);
    if (stream == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory for the data of the figure");
    mm_figure_write_data(figure, stream);
    bool failed = ferror(stream) != 0;
    failed = fclose(stream) != 0 || failed;
    return failed ? mm_fail(error, MM_ERROR_MEMORY, "out of memory for the data of the figure") : MM_OK;
}

/* Writes the picture and the data, both or neither; a path that is NULL is left out. */
static mm_status write_outputs(const struct plot_command *command, const struct mm_picture contents[2],
                               struct mm_error *error)
{
    const char *const paths[] = {command->data_path, command->picture_path};
    struct mm_output_file files[2] = {0};
    mm_status status = MM_OK;
    for (size_t i = 0; status == MM_OK && i < 2; i++)
        if (paths[i] != NULL) {
            status = mm_output_file_create(&files[i], paths[i], command->replace, error);
            if (status == MM_OK)
                status = mm_output_file_write(&files[i], contents[i].content, contents[i].size, error);
        }
    for (size_t i = 0; i < 2; i++) {
        if (status == MM_OK && paths[i] != NULL)
            status = mm_output_file_commit(&files[i], command->replace, error);
        else
            mm_output_file_discard(&files[i]);
    }
    return status;
}

/* Whether two outputs, there or not, would be one file: of one name in one folder. */
static bool is_same_output(const char *one, const char *other)
{
    const char *const paths[] = {one, other};
    const char *names[2];
    char folders[2][PATH_MAX];
    for (size_t i = 0; i < 2; i++) {
        const char *slash = strrchr(paths[i], '/');
        names[i] = slash == NULL ? paths[i] : slash + 1;
        snprintf(folders[i], sizeof folders[i], "%.*s.", (int)(names[i] - paths[i]), paths[i]);
    }
    return strcmp(names[0], names[1]) == 0 && cli_is_same_file(folders[0], folders[1]);
}

static mm_status check_outputs(const struct plot_command *command, enum mm_picture_format *format,
                               struct mm_error *error)
{
    mm_status status = MM_OK;
    if (command->picture_path != NULL && command->data_path != NULL &&
        is_same_output(command->picture_path, command->data_path))
        status = mm_fail(error, MM_ERROR_INPUT, "%s: picture and --data are the same file", command->data_path);
    if (status == MM_OK && command->picture_path != NULL)
        status = mm_picture_format_find(command->picture_path, format, error);
    if (status == MM_OK && command->picture_path != NULL)
        status = mm_output_file_check(command->picture_path, command->replace, error);
    if (status == MM_OK && command->data_path != NULL)
        status = mm_output_file_check(command->data_path, command->replace, error);
    for (size_t i = 0; status == MM_OK && i < command->request.file_count; i++) {
        const char *path = command->request.paths[i];
        bool overwrites = (command->picture_path != NULL && cli_is_same_file(path, command->picture_path)) ||
                          (command->data_path != NULL && cli_is_same_file(path, command->data_path));
        if (overwrites)
            status = mm_fail(error, MM_ERROR_INPUT, "%s: is both input and output", path);
    }
    return status;
}

/* Warns of the files that are not complete. */
static mm_status check_inputs(const struct mm_plot_request *request, struct mm_error *error)
{
    mm_status status = MM_OK;
    for (size_t i = 0; status == MM_OK && i < request->file_count; i++) {
        struct mm_hdf5_file file;
        status = mm_hdf5_file_open(&file, request->paths[i], error);
        if (status != MM_OK)
            break;
        cli_warn_if_incomplete(&file, request->paths[i]);
        status = mm_hdf5_file_close(&file);
    }
    return status;
}

static int run(const struct plot_command *command)
{
    struct mm_error error = {0};
    struct mm_figure figure = {0};
    struct mm_picture contents[2] = {0}; /* data, picture */
    enum mm_picture_format format = MM_PICTURE_SVG;
    mm_status status = check_outputs(command, &format, &error);
    if (status == MM_OK)
        status = mm_plot_build(&command->request, &figure, &error);
    if (status == MM_OK && command->data_path != NULL)
        status = make_data(&figure, &contents[0], &error);
    if (status == MM_OK && command->picture_path != NULL)
        status = mm_gnuplot_draw(&figure, format, &contents[1], &error);
    if (status == MM_OK)
        status = write_outputs(command, contents, &error);
    if (status == MM_OK)
        status = check_inputs(&command->request, &error);
    free(contents[0].content);
    free(contents[1].content);
    mm_figure_free(&figure);
    return status == MM_OK ? 0 : cli_fail(&error);
}

int cli_plot(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"output", 'o', "FIGURE", 0, "Picture to write; its name ends in .svg, .pdf or .png", 0},
        {"what", OPTION_WHAT, "KIND", 0, "Kind of figure (default: the first of the file's kind, see below)", 0},
        {"data", OPTION_DATA, "FILE", 0, "Write the plotted numbers as text", 0},
        {"select", OPTION_SELECT, "I,J,..", 0, "Only these curves or grid points, counted from 0", 0},
        {"state", OPTION_STATE, "I", 0, "Which stored state, counted from 0 (default: the last that can be shown)",
         0},
        {"k", OPTION_K, "K", 0, "The stored state after K collisions, instead", 0},
        {"label", OPTION_LABEL, "TEXT", 0, "Label of the next curve; may be repeated", 0},
        {"g-index", OPTION_G_INDEX, "I", 0, "Optima over lambda at this g, counted from 0", 0},
        {"lambda-index", OPTION_LAMBDA_INDEX, "I", 0, "Optima over g at this lambda, counted from 0", 0},
        {"quantity", OPTION_QUANTITY, "NAME", 0, "Of a landscape: loss (default), ergotropy or instability", 0},
        {"force", OPTION_FORCE, NULL, 0, "Overwrite existing files", 0},
        {0},
    };
#define KIND_LINE(name, kind, choices, text) "  " #name "\t" text "\n"
    static const struct argp argp = {
        .options = options,
        .parser = parse_option,
        .args_doc = "FILE.h5..",
        .doc = "Draws a figure of a file that this program wrote; evolutions of several files can share one. "
               "Needs gnuplot.\vKinds of figures:\n" MM_PLOT_LIST(KIND_LINE),
    };
#undef KIND_LINE
    struct plot_command command = {.request = {.state = -1, .k = -1, .g_index = -1, .lambda_index = -1}};
    int code = cli_parse(&argp, argc, argv, &command);
    command.request.paths = command.paths;
    command.request.labels = command.labels;
    command.request.selected = command.selected;
    if (code == 0)
        code = run(&command);
    free(command.paths);
    free(command.labels);
    free(command.selected);
    return code;
}
