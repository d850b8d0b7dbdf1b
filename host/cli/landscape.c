/* landscape.c - the command that computes the loss over (c, q) of one batch. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain/grid.h"
#include "cli/cli.h"
#include "base/json.h"
#include "evolve/landscape.h"
#include "base/numbers.h"
#include "cli/progress.h"
#include "base/text.h"

enum {
    OPTION_PARAMS = 512,
    OPTION_BATCH,
    OPTION_GRID,
    OPTION_CHAINS,
    OPTION_G_INDEX,
    OPTION_LAMBDA_INDEX,
    OPTION_RESUME,
    OPTION_FORCE,
};

enum { POINTS_MIN = 2, POINTS_MAX = 4001, POINTS_DEFAULT = 101, INDEX_MAX = 1000000 };

struct landscape_command {
    struct cli_run run;
    const char *output;
    const char *params;
    const char *chains;
    int64_t batch;        /* from 1; 0: not given */
    int64_t g_index;      /* -1: all */
    int64_t lambda_index; /* -1: all */
    uint64_t grid[2];
    bool resume;
    bool replace;
};

/* One landscape from its configuration to its file. */
struct landscape_run {
    const struct landscape_command *command;
    struct mm_config config;
    struct mm_landscape_request request;
    struct mm_landscape_cell *cells;
    double *parameters;
    struct mm_solver *solver;
    struct mm_landscape landscape;
    char *output;
    bool continues;
    struct cli_description description;
};

/* ------------------------------------------------------------------------------------------- options */

static error_t parse_grid(struct landscape_command *command, const char *text, const struct argp_state *state)
{
    size_t first = strcspn(text, ",");
    const char *second = text[first] == ',' ? text + first + 1 : "";
    uint64_t *grid = command->grid;
    bool valid = mm_integer_parse(text, first, &grid[0]) && mm_integer_parse(second, strlen(second), &grid[1]);
    for (size_t i = 0; i < 2; i++)
        valid = valid && grid[i] >= POINTS_MIN && grid[i] <= POINTS_MAX;
    if (!valid)
        return cli_usage_error(state, "--grid '%.*s': must be NC,NQ, whole numbers of points from %d to %d",
                               mm_text_excerpt(text, strlen(text)), text, POINTS_MIN, POINTS_MAX);
    return 0;
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    struct landscape_command *command = state->input;
    switch (key) {
    case 'o':
        command->output = text;
        return 0;
    case OPTION_PARAMS:
        return cli_parse_once(state, "--params", text, &command->params);
    case OPTION_BATCH:
        return cli_parse_integer(state, "--batch", text, 1, MM_BATCHES_MAX, &command->batch);
    case OPTION_GRID:
        return parse_grid(command, text, state);
    case OPTION_CHAINS:
        command->chains = text;
        return 0;
    case OPTION_G_INDEX:
        return cli_parse_integer(state, "--g-index", text, 0, INDEX_MAX, &command->g_index);
    case OPTION_LAMBDA_INDEX:
        return cli_parse_integer(state, "--lambda-index", text, 0, INDEX_MAX, &command->lambda_index);
    case OPTION_RESUME:
        command->resume = true;
        return 0;
    case OPTION_FORCE:
        command->replace = true;
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &command->run;
        return 0;
    case ARGP_KEY_END:
        if (command->resume && command->replace)
            return cli_usage_error(state, "--resume keeps the file and --force replaces it: choose one");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ----------------------------------------------------------------------------------------------- input */

static mm_status check_index(const char *option, int64_t index, size_t count, struct mm_error *error)
{
    if (index < (int64_t)count)
        return MM_OK;
    return mm_fail(error, MM_ERROR_INPUT, "%s %lld: the configuration has %zu, counted from 0", option,
                   (long long)index, count);
}

/* The grid points of the landscape: those of one g or one lambda, of both, or all. */
static mm_status choose_cells(struct landscape_run *run, struct mm_error *error)
{
    const struct landscape_command *command = run->command;
    const struct mm_config *config = &run->config;
    const struct {
        const char *option;
        enum mm_axis_number axis;
        int64_t position; /* -1: all */
    } wanted[] = {{"--g-index", MM_AXIS_g, command->g_index},
                  {"--lambda-index", MM_AXIS_lambda, command->lambda_index}};
    mm_status status = MM_OK;
    for (size_t i = 0; i < 2 && status == MM_OK; i++)
        status =
            check_index(wanted[i].option, wanted[i].position, mm_grid_axis(config, wanted[i].axis).count, error);
    if (status != MM_OK)
        return status;
    run->cells = calloc((size_t)mm_grid_points(config), sizeof *run->cells);
    if (run->cells == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory for the grid points");
    for (int64_t point = 0; point < mm_grid_points(config); point++) {
        bool chosen = true;
        for (size_t i = 0; i < 2; i++)
            chosen = chosen && (wanted[i].position < 0 ||
                                mm_grid_position(config, point, wanted[i].axis) == (size_t)wanted[i].position);
        if (chosen)
            run->cells[run->request.cell_count++] = (struct mm_landscape_cell){
                mm_grid_value(config, point, MM_AXIS_g), mm_grid_value(config, point, MM_AXIS_lambda)};
    }
    run->request.cells = run->cells;
    return MM_OK;
}

/* Finds which free batch is varied; --batch counts all batches, from 1, as the configuration does. */
static mm_status choose_batch(struct landscape_run *run, size_t free_batches, struct mm_error *error)
{
    int64_t batch = run->command->batch;
    if (batch == 0 && free_batches > 1)
        return mm_fail(error, MM_ERROR_INPUT, "%zu free batches: choose one with --batch", free_batches);
    if (batch == 0)
        return MM_OK;
    if (batch > (int64_t)run->config.batch_count || run->config.batches[batch - 1].fixed)
        return mm_fail(error, MM_ERROR_INPUT, "--batch %lld: is not a free batch of the configuration",
                       (long long)batch);
    for (int64_t b = 0; b + 1 < batch; b++)
        run->request.batch += !run->config.batches[b].fixed;
    return MM_OK;
}

static mm_status choose_parameters(struct landscape_run *run, size_t free_batches, struct mm_error *error)
{
    const char *params = run->command->params;
    if (params == NULL && free_batches > 1)
        return mm_fail(error, MM_ERROR_INPUT, "%zu free batches: the others need --params c1,q1,c2,q2..",
                       free_batches);
    run->parameters = calloc(free_batches, 2 * sizeof *run->parameters);
    if (run->parameters == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory for %zu free batches", free_batches);
    run->request.parameters = run->parameters;
    return params == NULL ? MM_OK : cli_parse_parameters(params, free_batches, run->parameters, error);
}

/* End points and an earlier run are read here: a wrong file is told before the long part. */
static mm_status prepare_landscape(struct landscape_run *run, struct mm_error *error)
{
    const struct landscape_command *command = run->command;
    mm_status status = mm_landscape_prepare(&run->config, &run->request, &run->landscape, error);
    if (status == MM_OK && command->chains != NULL)
        status = mm_landscape_file_read_end_points(command->chains, &run->config, &run->landscape, error);
    if (status == MM_OK && run->continues)
        status = mm_landscape_file_resume(run->output, &run->config, run->solver, &run->landscape, error);
    return status;
}

static mm_status prepare(struct landscape_run *run, const char *command_line, struct mm_error *error)
{
    const struct landscape_command *command = run->command;
    const struct cli_run *given = &command->run;
    run->request.c_count = command->grid[0];
    run->request.q_count = command->grid[1];
    mm_status status =
        mm_config_read(given->config_path, given->override_count, given->overrides, &run->config, error);
    const struct mm_problem problem = mm_config_problem(&run->config); /* of no batches after a failure */
    const size_t free_batches = mm_problem_free_batches(&problem);
    if (status == MM_OK)
        status = choose_cells(run, error);
    if (status == MM_OK)
        status = choose_batch(run, free_batches, error);
    if (status == MM_OK)
        status = choose_parameters(run, free_batches, error);
    if (status == MM_OK)
        status = cli_describe_run(&run->description, command_line, error);
    if (status != MM_OK)
        return status;
    run->output =
        command->output != NULL ? strdup(command->output) : cli_default_output(given->config_path, ".landscape.h5");
    if (run->output == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory");
    status = cli_check_output(run->output, given->config_path, command->resume, command->replace, false,
                              &run->continues, error);
    if (status == MM_OK)
        status = mm_solver_open(&run->solver, &problem, &given->solver, error);
    return status == MM_OK ? prepare_landscape(run, error) : status;
}

/* ----------------------------------------------------------------------------------------- computation */

static void draw_progress(void *line, int64_t done, int64_t total, double seconds)
{
    progress_draw_count(line, "points", done, total, seconds);
}

static mm_status compute(struct landscape_run *run, struct mm_error *error)
{
    const struct mm_landscape *landscape = &run->landscape;
    const size_t total = landscape->cell_count * landscape->c_count * landscape->q_count;
    struct progress_line line = {.stream = stderr,
                                 .done_before = (int64_t)(total - mm_landscape_missing(landscape))};
    if (isatty(STDERR_FILENO)) {
        run->request.progress = draw_progress;
        run->request.progress_context = &line;
    }
    cli_catch_interrupts();
    run->request.stop = cli_stop_requested();
    mm_status status = mm_landscape_compute(&run->config, &run->request, run->solver, &run->landscape, error);
    progress_clear(&line);
    return status;
}

static mm_status store(struct landscape_run *run, struct mm_error *error)
{
    const struct mm_run_info info = cli_run_info(&run->description);
    return mm_landscape_file_write(run->output, &run->config, &run->landscape, run->solver, &info,
                                   run->command->replace || run->continues, error);
}

/* ---------------------------------------------------------------------------------------------- output */

/* Place of the lowest loss of a grid point. */
static size_t find_lowest(const struct mm_landscape *landscape, size_t cell)
{
    size_t plane = landscape->c_count * landscape->q_count;
    size_t lowest = cell * plane;
    for (size_t i = cell * plane; i < (cell + 1) * plane; i++)
        if (landscape->loss[i] < landscape->loss[lowest])
            lowest = i;
    return lowest;
}

static void print_text(const struct landscape_run *run)
{
    const struct mm_landscape *landscape = &run->landscape;
    size_t plane = landscape->c_count * landscape->q_count;
    printf("%10s %10s %13s %8s %8s %10s\n", "g", "lambda", "lowest loss", "c", "q", "W");
    for (size_t cell = 0; cell < landscape->cell_count; cell++) {
        size_t lowest = find_lowest(landscape, cell);
        printf("%10.6g %10.6g %13.8f %8.5f %8.5f %10.5f\n", landscape->g[cell], landscape->lambda[cell],
               landscape->loss[lowest], landscape->c[lowest % plane / landscape->q_count],
               landscape->q[lowest % landscape->q_count], landscape->ergotropy[lowest]);
    }
    printf("wrote %s\n", run->output);
}

static void print_json(const struct landscape_run *run)
{
    const struct mm_landscape *landscape = &run->landscape;
    size_t plane = landscape->c_count * landscape->q_count;
    struct json json = {.stream = stdout};
    json_open(&json, NULL, '{');
    json_string(&json, "file", run->output);
    json_string(&json, "backend", mm_solver_backend(run->solver));
    json_string(&json, "device", mm_solver_device(run->solver));
    json_number(&json, "seconds", landscape->seconds);
    json_open(&json, "lowest", '[');
    for (size_t cell = 0; cell < landscape->cell_count; cell++) {
        size_t lowest = find_lowest(landscape, cell);
        json_open(&json, NULL, '{');
        json_number(&json, "g", landscape->g[cell]);
        json_number(&json, "lambda", landscape->lambda[cell]);
        json_number(&json, "loss", landscape->loss[lowest]);
        json_number(&json, "c", landscape->c[lowest % plane / landscape->q_count]);
        json_number(&json, "q", landscape->q[lowest % landscape->q_count]);
        json_number(&json, "ergotropy", landscape->ergotropy[lowest]);
        json_close(&json, '}');
    }
    json_close(&json, ']');
    json_close(&json, '}');
    printf("\n");
}

/* --------------------------------------------------------------------------------------------- command */

/* What was computed when somebody wanted it to stop, or when a device failed, is stored too. */
static int compute_and_store(struct landscape_run *run)
{
    const struct mm_landscape *landscape = &run->landscape;
    const size_t total = landscape->cell_count * landscape->c_count * landscape->q_count;
    struct mm_error error = {0};
    const mm_status computed = compute(run, &error);
    const int code = mm_status_exit_code(computed);
    if (code != 0 && code != mm_status_exit_code(MM_STOPPED))
        return cli_fail(&error);
    if (code != 0)
        cli_report("%s", error.message);
    if (mm_landscape_missing(landscape) == total)
        return 1; /* nothing is saved */
    const mm_status status = store(run, &error);
    if (status != MM_OK)
        return cli_fail(&error);
    if (code == 0)
        (run->command->run.json ? print_json : print_text)(run);
    else
        cli_report("%zu of %zu points are saved in %s; to go on, run the same command with --resume%s",
                   total - mm_landscape_missing(landscape), total, run->output,
                   run->command->replace ? " instead of --force" : "");
    return code;
}

static int run_command(const struct landscape_command *command, const char *command_line)
{
    struct landscape_run run = {.command = command};
    struct mm_error error = {0};
    int code = 0;
    mm_status status = prepare(&run, command_line, &error);
    if (status != MM_OK)
        code = cli_fail(&error);
    else if (run.continues && mm_landscape_missing(&run.landscape) == 0)
        cli_report("%s is complete already", run.output);
    else
        code = compute_and_store(&run);
    mm_landscape_free(&run.landscape);
    mm_solver_close(run.solver);
    free(run.output);
    free(run.parameters);
    free(run.cells);
    mm_config_free(&run.config);
    return cli_finish_output(code);
}

int cli_landscape(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"output", 'o', "FILE.h5", 0, "Landscape file (default: name of the configuration with .landscape.h5)", 0},
        {"params", OPTION_PARAMS, "C1,Q1[,C2,Q2..]", 0,
         "Coherence and population of each free batch, for the others", 0},
        {"batch", OPTION_BATCH, "B", 0, "The batch that is varied, counted from 1 (default: the only free one)", 0},
        {"grid", OPTION_GRID, "NC,NQ", 0, "Points along c and q (default 101,101)", 0},
        {"chains", OPTION_CHAINS, "RESULT.h5", 0, "Also keep where the chains of this search ended", 0},
        {"g-index", OPTION_G_INDEX, "I", 0, "Only this g, counted from 0 (default: all)", 0},
        {"lambda-index", OPTION_LAMBDA_INDEX, "I", 0, "Only this lambda, counted from 0 (default: all)", 0},
        {"resume", OPTION_RESUME, NULL, 0, "Go on with a file that was stopped", 0},
        {"force", OPTION_FORCE, NULL, 0, "Overwrite an existing file", 0},
        {0},
    };
    static const struct argp_child children[] = {{.argp = &cli_run_argp}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse_option,
        .args_doc = "CONFIG",
        .doc = "Evaluates the loss over the coherence c and the population q of one batch, for 'micromaser plot'.\v"
               "Ctrl-C saves what is computed and exits with 75; --resume goes on from there.",
        .children = children,
    };
    struct landscape_command command = {
        .g_index = -1, .lambda_index = -1, .grid = {POINTS_DEFAULT, POINTS_DEFAULT}};
    char *command_line = cli_join_arguments(argc, argv); /* before argp reorders them */
    int code = cli_parse(&argp, argc, argv, &command);
    if (code == 0)
        code = run_command(&command, command_line);
    free(command_line);
    cli_run_free(&command.run);
    return code;
}
