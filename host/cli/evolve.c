/* evolve.c - the command that takes protocols through many collisions and stores what becomes of them. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/curves.h"
#include "cli/recording.h"
#include "base/clock.h"
#include "files/evolution/file.h"
#include "base/json.h"
#include "base/numbers.h"
#include "cli/progress.h"
#include "base/text.h"
#include "model/problem.h"

enum {
    OPTION_STATES = 512,
    OPTION_ENERGIES,
    OPTION_RESUME,
    OPTION_SAVE_EVERY,
    DEFAULT_SAVE_EVERY = 30, /* seconds */
    SAVE_EVERY_MAX = 86400,
    SAVING_SHARE = 10, /* at most so small a part of the time is spent on saving */
    STATES_MAX = 1000,
};

struct evolve_command {
    struct cli_curves_options curves;
    struct cli_recording recording;
    const char *states; /* as given, or NULL */
    int64_t energy_step;
    int64_t save_every; /* seconds */
    bool resume;
};

/* One evolution from its configuration to its file. */
struct evolve_run {
    const struct evolve_command *command;
    struct cli_curves curves;
    int64_t *states; /* [plan.state_count] */
    struct mm_evolution_plan plan;
    struct mm_evolution evolution;
    char *output;
    bool continues;
    int64_t saved;         /* collisions that the file of that name holds; -1 where it is not this evolution's */
    double seconds_before; /* of the runs that are continued */
    double seconds;
    char *command_line;
    struct cli_description description;
};

/* ---------------------------------------------------------------------------------------------- options */

static error_t check_options(const struct evolve_command *command, const struct argp_state *state)
{
    if (command->resume && command->recording.force)
        return cli_usage_error(state, "--resume keeps the file and --force replaces it: choose one");
    return 0;
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    struct evolve_command *command = state->input;
    switch (key) {
    case OPTION_STATES:
        return cli_parse_once(state, "--states", text, &command->states);
    case OPTION_ENERGIES:
        command->energy_step = 1;
        return text == NULL
                   ? 0
                   : cli_parse_integer(state, "--energies", text, 1, CLI_COLLISIONS_MAX, &command->energy_step);
    case OPTION_SAVE_EVERY:
        return cli_parse_integer(state, "--save-every", text, 0, SAVE_EVERY_MAX, &command->save_every);
    case OPTION_RESUME:
        command->resume = true;
        return 0;
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

/* ------------------------------------------------------------------------------------------------- plan */

static int compare_numbers(const void *a, const void *b)
{
    const int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

/* Reads the list given to --states, which may be missing. On failure *list holds nothing. */
static mm_status read_states(const struct evolve_command *command, struct mm_list *list, struct mm_error *error)
{
    const struct mm_list_limits limits = {0, (double)command->recording.collisions, true};
    struct mm_error reason = {0};
    if (command->states == NULL)
        return MM_OK;
    mm_status status = mm_list_parse(command->states, &limits, list, &reason);
    if (status != MM_OK)
        return mm_fail(error, status, "--states: %.400s; expected integers 0 .. %lld, the --collisions",
                       reason.message, (long long)command->recording.collisions);
    const size_t count = list->count;
    if (count <= STATES_MAX)
        return MM_OK;
    mm_list_free(list);
    return mm_fail(error, MM_ERROR_INPUT, "--states: %zu values; allowed are %d", count, STATES_MAX);
}

/* Takes --states: the numbers of collisions, to which the last one is added, in order and each once. */
static mm_status take_states(struct evolve_run *run, struct mm_error *error)
{
    const struct evolve_command *command = run->command;
    struct mm_list list = {0};
    mm_status status = read_states(command, &list, error);
    if (status != MM_OK)
        return status;
    run->states = calloc(list.count + 1, sizeof *run->states);
    if (run->states == NULL) {
        mm_list_free(&list);
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory");
    }
    size_t count = 0;
    for (size_t i = 0; i < list.count; i++)
        if ((int64_t)list.values[i] != command->recording.collisions)
            run->states[count++] = (int64_t)list.values[i];
    run->states[count++] = command->recording.collisions;
    qsort(run->states, count, sizeof *run->states, compare_numbers);
    run->plan.states = run->states;
    run->plan.state_count = count;
    mm_list_free(&list);
    return MM_OK;
}

static mm_status make_plan(struct evolve_run *run, struct mm_error *error)
{
    const struct evolve_command *command = run->command;
    mm_status status = cli_curves_read(&command->curves, &run->curves, error);
    if (status != MM_OK)
        return status;
    run->plan = (struct mm_evolution_plan){
        .problem = mm_config_problem(&run->curves.config),
        .curve_count = run->curves.count,
        .curves = run->curves.curves,
        .energy_step = command->energy_step,
    };
    cli_recording_plan(&command->recording, &run->plan);
    return take_states(run, error);
}

/* Everything that can be wrong is found here, before the first collision. */
static mm_status prepare(struct evolve_run *run, struct mm_error *error)
{
    const struct evolve_command *command = run->command;
    const char *input = command->curves.run.config_path;
    mm_status status = make_plan(run, error);
    if (status != MM_OK)
        return status;
    run->output = cli_recording_output(&command->recording, input);
    if (run->output == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory");
    status = cli_describe_run(&run->description, run->command_line, error);
    if (status != MM_OK)
        return status;
    status = cli_check_output(run->output, input, command->resume, command->recording.force,
                              command->recording.quiet, &run->continues, error);
    if (status == MM_OK)
        status = mm_evolution_open(&run->evolution, &run->plan, &command->curves.run.solver, error);
    return status;
}

/* -------------------------------------------------------------------------------------------- evolution */

static mm_status save(struct evolve_run *run, struct mm_evolution_file *file, struct mm_error *error)
{
    const struct mm_run_info info = cli_run_info(&run->description);
    const struct mm_evolution_run description = {
        .config = &run->curves.config, .info = &info, .seconds = run->seconds_before + run->seconds};
    mm_status status = mm_evolution_file_save(file, &run->evolution, &description, error);
    if (status == MM_OK)
        run->saved = run->evolution.collisions;
    return status;
}

/* Saves if it is time to; *due is when it is time again. */
static mm_status save_now_and_then(struct evolve_run *run, struct mm_evolution_file *file, double *due,
                                   struct mm_error *error)
{
    const double begin = mm_monotonic_seconds();
    if (begin < *due)
        return MM_OK;
    mm_status status = save(run, file, error);
    const double end = mm_monotonic_seconds(), share = SAVING_SHARE * (end - begin);
    const double interval = (double)run->command->save_every;
    *due = end + (interval > share ? interval : share);
    return status;
}

/* Goes on until the end or until somebody wants it to stop. *lost: what was appended since the last save cannot be
 * saved any more. */
static mm_status evolve(struct evolve_run *run, struct mm_evolution_file *file, bool *lost, struct mm_error *error)
{
    struct mm_evolution *evolution = &run->evolution;
    const bool live = !run->command->recording.quiet && isatty(STDERR_FILENO);
    const double begin = mm_monotonic_seconds();
    const int64_t before = evolution->collisions < 0 ? 0 : evolution->collisions;
    struct progress_line line = {.stream = stderr, .done_before = before};
    double due = begin + (double)run->command->save_every;
    mm_status status = MM_OK;
    while (status == MM_OK && !mm_evolution_done(evolution) && *cli_stop_requested() == 0) {
        status = mm_evolution_advance(evolution, error);
        run->seconds = mm_monotonic_seconds() - begin;
        if (status != MM_OK)
            break;
        status = mm_evolution_file_append(file, evolution, error);
        if (status == MM_OK && !mm_evolution_done(evolution))
            status = save_now_and_then(run, file, &due, error);
        *lost = status != MM_OK;
        if (live)
            progress_draw_count(&line, "collisions", evolution->collisions, run->plan.collisions, run->seconds);
    }
    progress_clear(&line);
    return status;
}

/* Opens the file, new or to be continued. *complete: nothing is left to do. */
static mm_status open_file(struct evolve_run *run, struct mm_evolution_file *file, bool *complete,
                           struct mm_error *error)
{
    const struct mm_evolution_run description = {.config = &run->curves.config};
    *complete = false;
    run->saved = -1;
    if (run->continues) {
        mm_status status = mm_evolution_file_continue(file, run->output, &run->evolution, &description,
                                                      &run->seconds_before, complete, error);
        run->saved = run->evolution.collisions;
        return status;
    }
    return mm_evolution_file_create(file, run->output, run->command->recording.force, &run->evolution, &description,
                                    error);
}

/* ---------------------------------------------------------------------------------------------- results */

/* Figures of a curve in the last record of the last round. */
static const struct mm_merits *last_figures(const struct mm_evolution *evolution, size_t curve)
{
    const size_t last = evolution->round.record_count - 1;
    return &evolution->round.figures[curve * MM_ROUND_RECORDS + last];
}

static void print_table(const struct evolve_run *run)
{
    const struct mm_evolution *evolution = &run->evolution;
    const int width = cli_label_width(&run->curves);
    printf("%-*s %10s %12s %12s %10s %6s  %s\n", width, "curve", "k", "E", "W", "purity", "levels", "method");
    for (size_t c = 0; c < run->plan.curve_count; c++) {
        const struct mm_merits *figures = last_figures(evolution, c);
        printf("%-*s %10lld %12.6f %12.6f %10.6f %6d  %s\n", width, run->plan.curves[c].label,
               (long long)run->plan.collisions, figures->energy, figures->ergotropy, figures->purity,
               evolution->states[c].levels, mm_evolution_method(evolution, c));
    }
    printf("wrote %s\n", run->output);
}

static void print_json(const struct evolve_run *run)
{
    const struct mm_evolution *evolution = &run->evolution;
    struct json json = {.stream = stdout};
    json_open(&json, NULL, '{');
    json_string(&json, "file", run->output);
    json_string(&json, "backend", mm_evolution_backend(evolution));
    json_string(&json, "device", mm_evolution_device(evolution));
    json_number(&json, "seconds", run->seconds_before + run->seconds);
    json_integer(&json, "collisions", run->plan.collisions);
    json_open(&json, "curves", '[');
    for (size_t c = 0; c < run->plan.curve_count; c++) {
        const struct mm_merits *figures = last_figures(evolution, c);
        json_open(&json, NULL, '{');
        json_string(&json, "label", run->plan.curves[c].label);
        json_number(&json, "g", run->plan.curves[c].g);
        json_number(&json, "lambda", run->plan.curves[c].lambda);
        json_number(&json, "energy", figures->energy);
        json_number(&json, "ergotropy", figures->ergotropy);
        json_number(&json, "purity", figures->purity);
        json_number(&json, "truncation_population", evolution->states[c].truncation_population);
        json_number(&json, "band_error", evolution->states[c].band_error);
        json_integer(&json, "levels", evolution->states[c].levels);
        json_string(&json, "method", mm_evolution_method(evolution, c));
        json_close(&json, '}');
    }
    json_close(&json, ']');
    json_close(&json, '}');
    printf("\n");
}

static void warn_of_truncation(const struct evolve_run *run)
{
    for (size_t c = 0; c < run->plan.curve_count; c++) {
        const struct mm_state *state = &run->evolution.states[c];
        if (!mm_truncation_may_matter(state->truncation_population))
            continue;
        cli_report(
            "warning: curve '%s' reached the top of its %d levels (population %.1e): set cavity.levels higher, "
            "or to auto",
            run->plan.curves[c].label, state->levels, state->truncation_population);
    }
}

/* ---------------------------------------------------------------------------------------------- command */

/* Reports a failure and what is left to go on from; returns the exit code. */
static int report_failure(const struct evolve_run *run, const struct mm_error *error)
{
    const int stopped = mm_status_exit_code(MM_STOPPED);
    const char *device = error->status == MM_ERROR_DEVICE ? mm_evolution_device(&run->evolution) : NULL;
    const char *name = device == NULL ? "" : device, *colon = device == NULL ? "" : ": ";
    if (run->saved < 0) {
        const int code = mm_status_exit_code(error->status);
        cli_report("%s%s%s", name, colon, error->message);
        return code == stopped ? 1 : code; /* nothing is saved */
    }
    cli_report("%s%s%s; %lld of %lld collisions are saved in %s: the same command with --resume%s goes on", name,
               colon, error->message, (long long)run->saved, (long long)run->plan.collisions, run->output,
               run->command->recording.force ? " instead of --force" : "");
    return stopped;
}

static int report_stop(const struct evolve_run *run)
{
    cli_report("stopped after %lld of %lld collisions, which are saved in %s; to go on, run the same command with "
               "--resume%s",
               (long long)run->evolution.collisions, (long long)run->plan.collisions, run->output,
               run->command->recording.force ? " instead of --force" : "");
    return mm_status_exit_code(MM_STOPPED);
}

/* Evolves and saves; what was reached is saved also where somebody wanted it to stop or a device failed. */
static int evolve_and_save(struct evolve_run *run, struct mm_evolution_file *file)
{
    struct mm_error error = {0}, of_save = {0};
    bool lost = false;
    cli_catch_interrupts();
    mm_status status = evolve(run, file, &lost, &error);
    if (!lost && run->evolution.collisions >= 0) {
        mm_status saved = save(run, file, &of_save);
        if (status == MM_OK && saved != MM_OK) {
            status = saved;
            error = of_save;
        }
    }
    if (status != MM_OK)
        return report_failure(run, &error);
    if (!mm_evolution_done(&run->evolution))
        return report_stop(run);
    if (!run->command->recording.quiet)
        cli_report("%zu curve%s through %lld collisions in %.2f s by backend %s: %s", run->plan.curve_count,
                   mm_plural((int64_t)run->plan.curve_count), (long long)run->plan.collisions,
                   run->seconds_before + run->seconds, mm_evolution_backend(&run->evolution),
                   mm_evolution_device(&run->evolution));
    warn_of_truncation(run);
    (run->command->curves.run.json ? print_json : print_table)(run);
    return 0;
}

static int run_command(struct evolve_command *command, char *command_line)
{
    struct evolve_run run = {.command = command, .command_line = command_line};
    struct mm_evolution_file file = {.working.descriptor = -1, .file = -1};
    struct mm_error error = {0};
    bool complete = false;
    int code = 0;
    mm_status status = prepare(&run, &error);
    if (status == MM_OK)
        status = open_file(&run, &file, &complete, &error);
    if (status != MM_OK) {
        code = cli_fail(&error);
        code = code == mm_status_exit_code(MM_STOPPED) && !run.continues ? 1 : code; /* nothing is saved */
    } else if (complete) {
        cli_report("%s is complete already", run.output);
    } else {
        code = evolve_and_save(&run, &file);
    }
    mm_evolution_file_close(&file);
    mm_evolution_close(&run.evolution);
    cli_curves_free(&command->curves, &run.curves);
    free(run.states);
    free(run.output);
    return cli_finish_output(code);
}

int cli_evolve(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"states", OPTION_STATES, "K1,K2..", 0, "Also keep the whole states after so many collisions", 0},
        {"energies", OPTION_ENERGIES, "N", OPTION_ARG_OPTIONAL, "Also the energy after every collision (every N)",
         0},
        {"save-every", OPTION_SAVE_EVERY, "SECONDS", 0, "Save now and then (default 30; 0: as often as is cheap)",
         0},
        {"resume", OPTION_RESUME, NULL, 0, "Continue an evolution that was stopped", 0},
        {0},
    };
    static const struct argp_child children[] = {{.argp = &cli_curves_argp}, {.argp = &cli_recording_argp}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse_option,
        .args_doc = "CONFIG|RESULT.h5",
        .doc = "Takes charging protocols, of a configuration with --params or the optima of a result file, through "
               "many collisions and stores energy, ergotropy, purity, populations and states on the way.\v"
               "What was reached is saved every half minute, and when the first Ctrl-C, a full disk or a failing "
               "device "
               "ends the program with exit code 75; --resume goes on from there with the same result, bit for bit. "
               "The second Ctrl-C quits at once.",
        .children = children,
    };
    struct evolve_command command = {
        .curves.chain = -1, .recording.ending = ".evolution.h5", .save_every = DEFAULT_SAVE_EVERY};
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
