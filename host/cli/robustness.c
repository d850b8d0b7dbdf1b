/* robustness.c - the command that shows what noise in the qubits and the coupling does to protocols. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/curves.h"
#include "cli/recording.h"
#include "base/json.h"
#include "base/numbers.h"
#include "cli/progress.h"
#include "files/robustness.h"

enum {
    OPTION_REALISATIONS = 512,
    OPTION_NOISE,
    OPTION_WIDTH_C,
    OPTION_WIDTH_Q,
    OPTION_WIDTH_G,
    OPTION_PER_BATCH,
    OPTION_SEED,
    DEFAULT_REALISATIONS = 100,
    REALISATIONS_MAX = 1000000,
};

struct robustness_command {
    struct cli_curves_options curves;
    struct cli_recording recording;
    int64_t realisations;
    struct mm_noise noise;
};

/* One study from its configuration to its file. */
struct robustness_run {
    const struct robustness_command *command;
    struct cli_curves curves;
    struct mm_evolution_plan plan;
    struct mm_robustness robustness;
    char *output;
    struct cli_description description;
};

/* ---------------------------------------------------------------------------------------------- options */

static error_t parse_width(const struct argp_state *state, const char *option, const char *text, double *width)
{
    if (mm_number_parse(text, strlen(text), width) && *width >= 0.0 && *width <= 1.0)
        return 0;
    return cli_usage_error(state, "%s '%s': must be a number from 0 to 1", option, text);
}

static error_t parse_shape(const struct argp_state *state, const char *text, enum mm_noise_shape *shape)
{
#define FIND_SHAPE(name, shape_text)                                                                               \
    if (strcmp(text, shape_text) == 0) {                                                                           \
        *shape = name;                                                                                             \
        return 0;                                                                                                  \
    }
    MM_NOISE_LIST(FIND_SHAPE)
#undef FIND_SHAPE
    return cli_usage_error(state, "--noise '%s': must be gaussian or uniform", text);
}

static error_t parse_seed(const struct argp_state *state, const char *text, uint64_t *seed)
{
    if (mm_integer_parse(text, strlen(text), seed))
        return 0;
    return cli_usage_error(state, "--seed '%s': must be a whole number from 0 to 18446744073709551615", text);
}

static error_t check_options(const struct robustness_command *command, const struct argp_state *state)
{
    const struct mm_noise *noise = &command->noise;
    if (noise->c_width == 0.0 && noise->q_width == 0.0 && noise->g_width == 0.0)
        return cli_usage_error(state, "there is no noise: give --width-c, --width-q or --width-g");
    if (noise->per_batch && noise->c_width == 0.0 && noise->q_width == 0.0)
        return cli_usage_error(state,
                               "--per-batch is about c and q, which have no noise: give --width-c or --width-q");
    return 0;
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    struct robustness_command *command = state->input;
    switch (key) {
    case OPTION_REALISATIONS:
        return cli_parse_integer(state, "--realisations", text, 1, REALISATIONS_MAX, &command->realisations);
    case OPTION_NOISE:
        return parse_shape(state, text, &command->noise.shape);
    case OPTION_WIDTH_C:
        return parse_width(state, "--width-c", text, &command->noise.c_width);
    case OPTION_WIDTH_Q:
        return parse_width(state, "--width-q", text, &command->noise.q_width);
    case OPTION_WIDTH_G:
        return parse_width(state, "--width-g", text, &command->noise.g_width);
    case OPTION_PER_BATCH:
        command->noise.per_batch = true;
        return 0;
    case OPTION_SEED:
        return parse_seed(state, text, &command->noise.seed);
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &command->curves;
        state->child_inputs[1] = &command->recording;
        return 0;
    case ARGP_KEY_END:
        return check_options(command, state);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* -------------------------------------------------------------------------------------------- one study */

/* Everything that can be wrong is found here, before the first collision. */
static mm_status prepare(struct robustness_run *run, const char *command_line, struct mm_error *error)
{
    const struct robustness_command *command = run->command;
    const char *input = command->curves.run.config_path;
    mm_status status = cli_curves_read(&command->curves, &run->curves, error);
    if (status == MM_OK)
        status = cli_describe_run(&run->description, command_line, error);
    if (status != MM_OK)
        return status;
    run->plan = (struct mm_evolution_plan){
        .problem = mm_config_problem(&run->curves.config),
        .curve_count = run->curves.count,
        .curves = run->curves.curves,
    };
    cli_recording_plan(&command->recording, &run->plan);
    run->output = cli_recording_output(&command->recording, input);
    if (run->output == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory");
    return cli_check_output(run->output, input, false, command->recording.force, command->recording.quiet, NULL,
                            error);
}

static void draw_progress(void *context, int64_t done, int64_t total, double seconds)
{
    progress_draw_count(context, "realisations", done, total, seconds);
}

static mm_status study(struct robustness_run *run, struct mm_error *error)
{
    const struct robustness_command *command = run->command;
    struct progress_line line = {.stream = stderr};
    const struct mm_robustness_options options = {
        .solver = command->curves.run.solver,
        .stop = cli_stop_requested(),
        .progress = !command->recording.quiet && isatty(STDERR_FILENO) ? draw_progress : NULL,
        .progress_context = &line,
    };
    cli_catch_interrupts();
    mm_status status =
        mm_robustness_run(&run->plan, &command->noise, command->realisations, &options, &run->robustness, error);
    progress_clear(&line);
    return status;
}

/* ---------------------------------------------------------------------------------------------- results */

static void print_table(struct robustness_run *run)
{
    const size_t last = run->robustness.record_count - 1;
    const int width = cli_label_width(&run->curves);
    printf("%-*s %10s %12s %12s %12s %12s %12s\n", width, "curve", "k", "W mean", "W deviation", "W 5 %", "W 50 %",
           "W 95 %");
    for (size_t c = 0; c < run->plan.curve_count; c++) {
        const struct mm_spread spread = mm_robustness_spread(&run->robustness, c, last, 1);
        printf("%-*s %10lld %12.6f %12.6f %12.6f %12.6f %12.6f\n", width, run->plan.curves[c].label,
               (long long)run->plan.collisions, spread.mean, spread.standard_deviation, spread.quantile[0],
               spread.quantile[2], spread.quantile[4]);
    }
    printf("wrote %s\n", run->output);
}

static void print_measure_json(struct json *json, struct robustness_run *run, size_t curve, size_t measure)
{
    const struct mm_spread spread =
        mm_robustness_spread(&run->robustness, curve, run->robustness.record_count - 1, measure);
    json_open(json, mm_measure_names[measure], '{');
    json_number(json, "mean", spread.mean);
    json_number(json, "standard_deviation", spread.standard_deviation);
    json_open(json, "quantile", '[');
    for (size_t i = 0; i < MM_QUANTILES; i++)
        json_number(json, NULL, spread.quantile[i]);
    json_close(json, ']');
    json_close(json, '}');
}

static void print_json(struct robustness_run *run)
{
    struct json json = {.stream = stdout};
    json_open(&json, NULL, '{');
    json_string(&json, "file", run->output);
    json_string(&json, "backend", run->robustness.backend);
    json_string(&json, "device", run->robustness.device);
    json_number(&json, "seconds", run->robustness.seconds);
    json_integer(&json, "collisions", run->plan.collisions);
    json_integer(&json, "realisations", run->robustness.realisations_done);
    json_open(&json, "curves", '[');
    for (size_t c = 0; c < run->plan.curve_count; c++) {
        json_open(&json, NULL, '{');
        json_string(&json, "label", run->plan.curves[c].label);
        for (size_t measure = 0; measure < MM_MEASURES; measure++)
            print_measure_json(&json, run, c, measure);
        json_integer(&json, "drawn", run->robustness.clipped[c].drawn);
        json_integer(&json, "clipped_c", run->robustness.clipped[c].c);
        json_integer(&json, "clipped_q", run->robustness.clipped[c].q);
        json_close(&json, '}');
    }
    json_close(&json, ']');
    json_close(&json, '}');
    printf("\n");
}

/* Notes on standard error: how long it took, and how much of the noise was cut off. */
static void print_notes(const struct robustness_run *run)
{
    const struct mm_robustness *robustness = &run->robustness;
    if (run->command->recording.quiet)
        return;
    cli_report("%lld of %lld realisations in %.2f s by backend %s: %s", (long long)robustness->realisations_done,
               (long long)robustness->realisations, robustness->seconds, robustness->backend, robustness->device);
    for (size_t c = 0; c < run->plan.curve_count; c++) {
        const struct mm_clipped *clipped = &robustness->clipped[c];
        if (clipped->c + clipped->q > 0)
            cli_report(
                "curve '%s': of %lld drawn pairs, %lld values of c and %lld of q left [0, 1] and were clipped",
                run->plan.curves[c].label, (long long)clipped->drawn, (long long)clipped->c, (long long)clipped->q);
    }
}

/* ---------------------------------------------------------------------------------------------- command */

/* Studies and stores; realisations that were done when somebody wanted it to stop are stored too. */
static int study_and_store(struct robustness_run *run)
{
    struct mm_error error = {0};
    mm_status studied = study(run, &error);
    if (studied != MM_OK)
        cli_report("%s", error.message);
    const int code = mm_status_exit_code(studied);
    if (run->robustness.realisations_done == 0)
        return code == mm_status_exit_code(MM_STOPPED) ? 1 : code; /* nothing is saved */
    const struct mm_run_info info = cli_run_info(&run->description);
    mm_status status = mm_robustness_file_write(run->output, &run->curves.config, &run->plan, &run->command->noise,
                                                &run->robustness, &info, run->command->recording.force, &error);
    if (status != MM_OK)
        return cli_fail(&error);
    print_notes(run);
    (run->command->curves.run.json ? print_json : print_table)(run);
    return code;
}

static int run_command(struct robustness_command *command, const char *command_line)
{
    struct robustness_run run = {.command = command};
    struct mm_error error = {0};
    mm_status status = prepare(&run, command_line, &error);
    int code = status == MM_OK ? study_and_store(&run) : cli_fail(&error);
    mm_robustness_free(&run.robustness);
    cli_curves_free(&command->curves, &run.curves);
    free(run.output);
    return cli_finish_output(code);
}

int cli_robustness(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"realisations", OPTION_REALISATIONS, "R", 0, "Number of realisations of the noise (default 100)", 0},
        {"noise", OPTION_NOISE, "SHAPE", 0,
         "gaussian (default; widths are standard deviations) or uniform (half the "
         "range)",
         0},
        {"width-c", OPTION_WIDTH_C, "X", 0, "Width of the noise on c, 0 to 1", 0},
        {"width-q", OPTION_WIDTH_Q, "X", 0, "Width of the noise on q, 0 to 1", 0},
        {"width-g", OPTION_WIDTH_G, "X", 0, "Width of the noise on g, 0 to 1, drawn for every collision", 0},
        {"per-batch", OPTION_PER_BATCH, NULL, 0, "Draw c and q once a batch, not once a collision", 0},
        {"seed", OPTION_SEED, "N", 0, "Seed of the noise (default 1)", 0},
        {0},
    };
    static const struct argp_child children[] = {{.argp = &cli_curves_argp}, {.argp = &cli_recording_argp}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse_option,
        .args_doc = "CONFIG|RESULT.h5",
        .doc =
            "Takes charging protocols through many realisations of noise in their qubits and coupling and stores "
            "the mean, the standard deviation and quantiles of energy, ergotropy and purity.\v"
            "Values of c and q that leave [0, 1] are clipped and counted. The result depends on the seed and not "
            "on "
            "the threads. Ctrl-C stores the realisations that are done and exits with 75.",
        .children = children,
    };
    struct robustness_command command = {.curves.chain = -1,
                                         .recording.ending = ".robustness.h5",
                                         .realisations = DEFAULT_REALISATIONS,
                                         .noise.seed = 1};
    char *command_line = cli_join_arguments(argc, argv); /* before argp reorders them */
    int code = cli_parse(&argp, argc, argv, &command);
    if (code == 0) {
        code = run_command(&command, command_line);
    } else {
        struct cli_curves none = {0};
        cli_curves_free(&command.curves, &none);
    }
    free(command_line);
    return code;
}
