/* cli_search.c - the command that optimises a charging protocol from many random starts and stores the result. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "cli_results.h"
#include "output_file.h"
#include "progress.h"
#include "results.h"

enum { OPTION_RESUME = 512, OPTION_FORCE, OPTION_SLOTS, SLOTS_MAX = 1000000 };

struct search_command {
    struct cli_run run;
    const char *output; /* as given, or NULL */
    bool resume;
    bool force;
    bool quiet;
    size_t slots;
};

/* One search from its configuration to its file. */
struct search_run {
    const struct search_command *command;
    struct mm_config config;
    struct mm_results results;
    char *output;
    bool continues;          /* an earlier file is being continued */
    int64_t finished_before; /* chains that it held */
    char *command_line;
    struct cli_description description;
};

/* ---------------------------------------------------------------------------------------- options */

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    struct search_command *command = state->input;
    int64_t slots = 0;
    error_t failure = 0;
    switch (key) {
    case 'o':
        command->output = text;
        return 0;
    case 'q':
        command->quiet = true;
        return 0;
    case OPTION_RESUME:
        command->resume = true;
        return 0;
    case OPTION_FORCE:
        command->force = true;
        return 0;
    case OPTION_SLOTS:
        failure = cli_parse_integer(state, "--slots", text, 1, SLOTS_MAX, &slots);
        command->slots = (size_t)slots;
        return failure;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &command->run;
        return 0;
    case ARGP_KEY_END:
        if (command->resume && command->force)
            return cli_usage_error(state, "--resume keeps the file and --force replaces it: choose one");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* -------------------------------------------------------------------------------------------- steps */

static mm_status prepare(struct search_run *current, struct mm_error *error)
{
    const struct search_command *command = current->command;
    const struct cli_run *run = &command->run;
    mm_status status =
        mm_config_read(run->config_path, run->override_count, run->overrides, &current->config, error);
    if (status != MM_OK)
        return status;
    current->output =
        command->output != NULL ? strdup(command->output) : cli_default_output(run->config_path, ".h5");
    if (current->output == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory");
    status = cli_describe_run(&current->description, current->command_line, error);
    if (status != MM_OK)
        return status;
    status = cli_check_output(current->output, run->config_path, command->resume, command->force, command->quiet,
                              &current->continues, error);
    if (status == MM_OK)
        status = mm_results_create(&current->results, &current->config, error);
    if (status == MM_OK && current->continues)
        status = mm_result_file_resume(current->output, &current->config, &current->results, error);
    current->finished_before = mm_results_finished(&current->results);
    return status;
}

static mm_status search(struct search_run *current, struct mm_error *error)
{
    const struct search_command *command = current->command;
    bool live = !command->quiet && isatty(STDERR_FILENO);
    struct progress_line line = {.stream = stderr, .done_before = current->finished_before};
    struct mm_search_options options = {
        .solver = command->run.solver,
        .slots = command->slots,
        .stop = cli_stop_requested(),
        .progress = live ? progress_draw : NULL,
        .progress_context = &line,
    };
    bool automatic = options.solver.backend == NULL || strcmp(options.solver.backend, "auto") == 0;
    if (automatic && current->finished_before > 0)
        options.solver.backend = current->results.backend; /* one backend a file */
    cli_catch_interrupts();
    mm_status status = mm_search_run(&current->config, &options, &current->results, error);
    progress_clear(&line);
    return status;
}

static mm_status store(struct search_run *current, struct mm_error *error)
{
    const struct mm_run_info info = cli_run_info(&current->description);
    bool replace = current->continues || current->command->force;
    return mm_result_file_write(current->output, &current->config, &current->results, &info, replace, error);
}

static void print_results(const struct search_run *current, bool stored)
{
    const struct mm_results *results = &current->results;
    if (!current->command->quiet)
        cli_report("%lld of %lld chains finished in %.2f s by backend %s: %s",
                   (long long)mm_results_finished(results), (long long)results->chain_count, results->seconds,
                   results->backend, results->device);
    cli_warn_of_truncation(&current->config, results);
    if (current->command->run.json) {
        cli_print_results_json(&current->config, results, current->output);
        return;
    }
    cli_print_table(&current->config, results);
    if (stored)
        printf("wrote %s\n", current->output);
}

/* Tells how a search that did not reach its end goes on. */
static void report_saved(const struct search_run *current)
{
    cli_report("%lld of %lld chains are saved in %s; to go on, run the same command with --resume%s",
               (long long)mm_results_finished(&current->results), (long long)current->results.chain_count,
               current->output, current->command->force ? " instead of --force" : "");
}

/* ---------------------------------------------------------------------------------------------- command */

/* Searches what is missing and stores it. Chains that finished before a failure are stored as well. */
static int search_and_store(struct search_run *current)
{
    struct mm_error error = {0};
    mm_status searched = search(current, &error);
    int code = mm_status_exit_code(searched);
    if (searched != MM_OK)
        cli_report("%s", error.message);
    bool worth_storing = searched == MM_OK || searched == MM_STOPPED ||
                         mm_results_finished(&current->results) > current->finished_before;
    if (!worth_storing)
        return code;
    mm_status stored = store(current, &error);
    print_results(current, stored == MM_OK);
    if (stored != MM_OK)
        return cli_fail(&error);
    if (searched != MM_OK)
        report_saved(current);
    return code;
}

static int run(const struct search_command *command, char *command_line)
{
    struct search_run current = {.command = command, .command_line = command_line};
    struct mm_error error = {0};
    mm_status status = prepare(&current, &error);
    int code = 0;
    if (status != MM_OK)
        code = cli_fail(&error);
    else if (current.finished_before == current.results.chain_count)
        print_results(&current, false);
    else
        code = search_and_store(&current);
    mm_results_free(&current.results);
    mm_config_free(&current.config);
    free(current.output);
    return cli_finish_output(code);
}

int cli_search(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"output", 'o', "FILE.h5", 0, "Result file (default: name of CONFIG with .h5, in the current directory)",
         0},
        {"resume", OPTION_RESUME, NULL, 0, "Continue an existing result file of the same configuration", 0},
        {"force", OPTION_FORCE, NULL, 0, "Replace an existing result file", 0},
        {"slots", OPTION_SLOTS, "N", 0, "Chains in flight (default: what keeps the backend busy)", 0},
        {"quiet", 'q', NULL, 0, "No progress and no notes on standard error", 0},
        {0},
    };
    static const struct argp_child children[] = {{.argp = &cli_run_argp}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse_option,
        .args_doc = "CONFIG",
        .doc = "Optimises the charging protocol of a configuration from many random starts at every grid point and "
               "stores the result.\v"
               "The first Ctrl-C finishes the evaluation in flight, saves every finished chain and exits with 75; "
               "--resume goes on from there. The second quits at once.",
        .children = children,
    };
    struct search_command command = {0};
    char *command_line = cli_join_arguments(argc, argv); /* before argp reorders them */
    int code = cli_parse(&argp, argc, argv, &command);
    if (code == 0)
        code = run(&command, command_line);
    free(command_line);
    cli_run_free(&command.run);
    return code;
}
