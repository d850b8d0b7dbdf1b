/* evaluate.c - the command that prints one loss, its parts and its gradient. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "solver/edge_gradient.h"
#include "chain/grid.h"
#include "cli/cli.h"
#include "base/json.h"

enum { OPTION_PARAMS = 512, OPTION_GRADIENT };

struct evaluate_command {
    struct cli_run run;
    const char *params;
    bool gradient;
};

/* One evaluated point and what it took. */
struct evaluated {
    size_t free_batches;
    double *parameters; /* [free_batches][2] */
    struct mm_evaluation evaluation;
    struct mm_channel_gradient *channels; /* [free_batches] */
    double *gradient;                     /* [free_batches][2] */
    const char *backend;
    const char *device;
};

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    struct evaluate_command *command = state->input;
    switch (key) {
    case OPTION_PARAMS:
        return cli_parse_once(state, "--params", text, &command->params);
    case OPTION_GRADIENT:
        command->gradient = true;
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &command->run;
        return 0;
    case ARGP_KEY_END:
        return command->params != NULL ? 0 : cli_usage_error(state, "--params c1,q1[,c2,q2..] is needed");
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ----------------------------------------------------------------------------------------- input */

static mm_status check_single_point(const char *path, const struct mm_config *config, struct mm_error *error)
{
    if (mm_grid_points(config) == 1)
        return MM_OK;
    return mm_fail(
        error, MM_ERROR_INPUT,
        "%s: %zu values of g and %zu of lambda; evaluate takes one of each: choose with --set coupling.g=.. "
        "--set loss.lambda=..",
        path, config->g_count, config->lambda_count);
}

/* ------------------------------------------------------------------------------------- computation */

static mm_status evaluate_point(const struct mm_config *config, struct mm_solver *solver, bool with_gradient,
                                struct evaluated *point, struct mm_error *error)
{
    struct mm_problem problem = mm_config_problem(config);
    struct mm_point at = mm_grid_evaluation_point(config, 0);
    at.parameters = point->parameters;
    mm_status status =
        mm_solver_evaluate(solver, 1, &at, &point->evaluation, with_gradient ? point->channels : NULL, error);
    if (status == MM_OK && with_gradient)
        status =
            mm_edge_gradient(solver, &problem, &at, &point->evaluation, point->channels, point->gradient, error);
    point->backend = mm_solver_backend(solver);
    point->device = mm_solver_device(solver);
    return status;
}

static mm_status allocate_point(const struct mm_config *config, struct evaluated *point, struct mm_error *error)
{
    struct mm_problem problem = mm_config_problem(config);
    point->free_batches = mm_problem_free_batches(&problem);
    point->parameters = calloc(point->free_batches, 2 * sizeof *point->parameters);
    point->channels = calloc(point->free_batches, sizeof *point->channels);
    point->gradient = calloc(point->free_batches, 2 * sizeof *point->gradient);
    if (point->parameters == NULL || point->channels == NULL || point->gradient == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory for %zu free batches", point->free_batches);
    return MM_OK;
}

/* ------------------------------------------------------------------------------------------ output */

static void print_json(const struct evaluated *point, bool with_gradient)
{
    const struct mm_evaluation *evaluation = &point->evaluation;
    struct json json = {.stream = stdout};
    json_open(&json, NULL, '{');
    json_number(&json, "loss", evaluation->loss);
    json_number(&json, "ergotropy", evaluation->ergotropy);
    json_number(&json, "energy", evaluation->energy);
    json_number(&json, "purity", evaluation->purity);
    json_number(&json, "instability", evaluation->instability);
    json_number(&json, "mean_c", evaluation->mean_c);
    json_number(&json, "mean_q", evaluation->mean_q);
    if (with_gradient) {
        json_open(&json, "gradient", '[');
        for (size_t i = 0; i < 2 * point->free_batches; i++)
            json_number(&json, NULL, point->gradient[i]);
        json_close(&json, ']');
    }
    json_number(&json, "band_error", evaluation->band_error);
    json_number(&json, "truncation_population", evaluation->truncation_population);
    json_string(&json, "backend", point->backend);
    json_integer(&json, "levels", evaluation->levels);
    json_close(&json, '}');
    printf("\n");
}

static void print_text(const struct evaluated *point, bool with_gradient)
{
    const struct mm_evaluation *evaluation = &point->evaluation;
    printf("loss                   %.10g\n", evaluation->loss);
    printf("ergotropy              %.10g hbar omega\n", evaluation->ergotropy);
    printf("energy                 %.10g hbar omega\n", evaluation->energy);
    printf("purity                 %.10g\n", evaluation->purity);
    printf("instability            %.10g hbar omega\n", evaluation->instability);
    printf("mean c, q              %.10g %.10g\n", evaluation->mean_c, evaluation->mean_q);
    for (size_t b = 0; with_gradient && b < point->free_batches; b++)
        printf("d loss / d c%zu, q%-6zu %.10g %.10g\n", b + 1, b + 1, point->gradient[2 * b],
               point->gradient[2 * b + 1]);
    printf("band error             %.3g (bound on what was dropped)\n", evaluation->band_error);
    printf("truncation population  %.3g (largest in the top level)\n", evaluation->truncation_population);
    printf("levels                 %d\n", evaluation->levels);
    printf("backend                %s: %s\n", point->backend, point->device);
}

static int run(const struct evaluate_command *command)
{
    struct mm_config config = {0};
    struct mm_solver *solver = NULL;
    struct evaluated point = {0};
    struct mm_error error = {0};
    const struct cli_run *given = &command->run;
    mm_status status = mm_config_read(given->config_path, given->override_count, given->overrides, &config, &error);
    if (status == MM_OK)
        status = check_single_point(given->config_path, &config, &error);
    if (status == MM_OK)
        status = allocate_point(&config, &point, &error);
    if (status == MM_OK)
        status = cli_parse_parameters(command->params, point.free_batches, point.parameters, &error);
    struct mm_problem problem = mm_config_problem(&config);
    if (status == MM_OK)
        status = mm_solver_open(&solver, &problem, &given->solver, &error);
    if (status == MM_OK)
        status = evaluate_point(&config, solver, command->gradient, &point, &error);
    if (status == MM_OK)
        (given->json ? print_json : print_text)(&point, command->gradient);
    mm_solver_close(solver);
    free(point.parameters);
    free(point.channels);
    free(point.gradient);
    mm_config_free(&config);
    return status == MM_OK ? cli_finish_output(0) : cli_fail(&error);
}

int cli_evaluate(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"params", OPTION_PARAMS, "C1,Q1[,C2,Q2..]", 0, "Coherence and ground-state population of each free batch",
         0},
        {"gradient", OPTION_GRADIENT, NULL, 0, "Also the gradient, in the order of --params", 0},
        {0},
    };
    static const struct argp_child children[] = {{.argp = &cli_run_argp}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse_option,
        .args_doc = "CONFIG",
        .doc = "Prints the loss of one charging protocol, its parts and its gradient.",
        .children = children,
    };
    struct evaluate_command command = {0};
    int code = cli_parse(&argp, argc, argv, &command);
    if (code == 0)
        code = run(&command);
    cli_run_free(&command.run);
    return code;
}
