/* search.c - the command that optimises a charging protocol from many starts and keeps the results safe. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain/agreement.h"
#include "cli/cli.h"
#include "store/launch.h"
#include "cli/results.h"
#include "disk/retry.h"
#include "cli/progress.h"
#include "store/store.h"
#include "store/task_share.h"
#include "search/search.h"
#include "solver/backend.h"
#include "base/text.h"

enum {
    OPTION_RESUME = 512,
    OPTION_FORCE,
    OPTION_SLOTS,
    OPTION_TASK,
    OPTION_MAX_TIME,
    OPTION_PATIENCE,
    OPTION_FOLD_EVERY,
    SLOTS_MAX = 1000000,
};

struct search_command {
    struct cli_run run;
    const char *output; /* as given, or NULL */
    const char *task;   /* as given, or NULL */
    bool resume;
    bool force;
    bool quiet;
    size_t slots;
    double max_seconds;
    double patience;
    double fold_every;
};

/* One search from its configuration to its file. */
struct search_run {
    const struct search_command *command;
    struct mm_config config;
    struct mm_task task;
    char *output;
    char *command_line;
    struct cli_description description;
    struct mm_run_info info;
    struct mm_solver *solver;
    struct mm_store *store;
    struct mm_share share; /* where there are several tasks */
    struct mm_search_plan *plan;
    bool resumes;            /* an earlier run is gone on with */
    int64_t finished_before; /* chains of this task that it had finished */
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
    case OPTION_TASK:
        command->task = text;
        return 0;
    case OPTION_MAX_TIME:
        failure = cli_parse_duration(state, "--max-time", text, &command->max_seconds);
        return failure != 0 || command->max_seconds > 0.0
                   ? failure
                   : cli_usage_error(state, "--max-time '%s': must be more than 0", text);
    case OPTION_PATIENCE:
        return cli_parse_duration(state, "--patience", text, &command->patience);
    case OPTION_FOLD_EVERY:
        return cli_parse_duration(state, "--fold-every", text, &command->fold_every);
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

/* ------------------------------------------------------------------------------------------- setting up */

static char *look_up(const char *name)
{
    return getenv(name);
}

static mm_status find_task(struct search_run *current, struct mm_error *error)
{
    const struct search_command *command = current->command;
    mm_status status = command->task != NULL ? mm_task_parse(command->task, &current->task, error)
                                             : mm_task_from_environment(look_up, &current->task, error);
    if (status == MM_OK && command->force && current->task.count > 1)
        return mm_fail(error, MM_ERROR_INPUT,
                       "--force would throw away what the other %lld tasks have done: remove %s before they start",
                       (long long)current->task.count - 1, current->output);
    return status;
}

/* What needs no look at earlier results. */
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
    return status == MM_OK ? find_task(current, error) : status;
}

static mm_status check_output(struct search_run *current, struct mm_error *error)
{
    const struct search_command *command = current->command;
    bool there = access(current->output, F_OK) == 0;
    return cli_check_output(current->output, command->run.config_path,
                            command->resume || (there && !command->force), command->force, command->quiet,
                            &current->resumes, error);
}

/* What cannot be gone on with can still be replaced. */
static mm_status tell_of_force(mm_status status, struct mm_error *error)
{
    const struct mm_error cause = *error;
    return status == MM_ERROR_INPUT ? mm_fail(error, status, "%s; --force replaces it", cause.message) : status;
}

/* One backend a run: without a choice, that of the results which are there. */
static mm_status open_solver(struct search_run *current, struct mm_error *error)
{
    const struct mm_problem problem = mm_config_problem(&current->config);
    struct mm_solver_options options = current->command->run.solver;
    char backend[16] = "";
    mm_status status = MM_OK;
    if (!current->command->force)
        status = tell_of_force(mm_store_backend(current->output, &current->config, backend, error), error);
    if (mm_backend_is_automatic(options.backend) && backend[0] != '\0')
        options.backend = backend;
    options.host_index = current->task.host_index;
    options.host_count = current->task.host_count;
    return status == MM_OK ? mm_solver_open(&current->solver, &problem, &options, error) : status;
}

static void report_line(void *context, const char *line)
{
    (void)context;
    cli_report("%s", line);
}

static mm_status open_store(struct search_run *current, struct mm_error *error)
{
    const struct search_command *command = current->command;
    current->info = cli_run_info(&current->description);
    current->info.end_time = NULL; /* each fold is an end of its own */
    const struct mm_store_options options = {
        .task = current->task,
        .backend = mm_solver_backend(current->solver),
        .device = mm_solver_device(current->solver),
        .info = &current->info,
        .replace = command->force,
        .patience = command->patience,
        .fold_every = command->fold_every,
        .stop = cli_stop_requested(),
        .report = report_line,
    };
    return tell_of_force(mm_store_open(&current->store, current->output, &current->config, &options, error), error);
}

/* Which chains are this task's, and which of them are left. */
static mm_status make_plan(struct search_run *current, struct mm_error *error)
{
    const double *losses = mm_store_losses(current->store);
    const struct mm_share *share = current->task.count > 1 ? &current->share : NULL;
    int64_t needed = 0;
    mm_status status = MM_OK;
    if (share != NULL)
        status =
            mm_task_share_open(&current->share, current->output, &current->config, &current->task, losses, error);
    if (status == MM_OK)
        status = mm_search_plan_create(&current->plan, &current->config, losses, share, error);
    if (status != MM_OK)
        return status;
    mm_search_plan_count(current->plan, &current->finished_before, &needed);
    if (current->resumes && !current->command->quiet)
        cli_report("%s: resuming; %lld of %lld chain%s there already", current->output,
                   (long long)current->finished_before, (long long)needed, needed == 1 ? " is" : "s are");
    return MM_OK;
}

/* One attempt to get hold of everything; after a failure the next one goes on from there. */
static mm_status open_once(void *context, struct mm_error *error)
{
    struct search_run *current = context;
    mm_status status = current->solver == NULL ? check_output(current, error) : MM_OK;
    if (status == MM_OK && current->solver == NULL)
        status = open_solver(current, error);
    if (status == MM_OK && current->store == NULL)
        status = open_store(current, error);
    return status == MM_OK ? make_plan(current, error) : status;
}

/* A disk may fail already now: it is borne with. What a person did wrong is told at once. */
static bool may_pass(mm_status status)
{
    return status == MM_ERROR_SYSTEM;
}

static mm_status open_run(struct search_run *current, struct mm_error *error)
{
    const struct search_command *command = current->command;
    double most = command->max_seconds > 0 ? command->max_seconds : INFINITY;
    struct mm_retry retry = {
        .path = current->output,
        .meanwhile = "the search waits for the disk",
        .seconds = fmin(command->patience, most),
        .stop = cli_stop_requested(),
        .report = report_line,
        .failing_since = -1,
    };
    return mm_retry_until_done(&retry, open_once, current, may_pass, error);
}

/* --------------------------------------------------------------------------------------- searching */

static mm_status read_chain(void *context, int64_t index, double *parameters, struct mm_chain *chain,
                            struct mm_error *error)
{
    return mm_store_read(context, index, parameters, chain, error);
}

static mm_status take_chain(void *context, int64_t index, const struct mm_chain *chain, struct mm_error *error)
{
    return mm_store_append(context, index, chain, error);
}

static mm_status maintain(void *context, struct mm_error *error)
{
    return mm_store_maintain(context, error);
}

static mm_status refresh(void *context, struct mm_error *error)
{
    return mm_store_refresh(context, error);
}

static mm_status search(struct search_run *current, struct mm_error *error)
{
    const struct search_command *command = current->command;
    bool live = !command->quiet && isatty(STDERR_FILENO);
    struct progress_line line = {.stream = stderr, .done_before = current->finished_before};
    const struct mm_search_options options = {
        .slots = command->slots,
        .stop = cli_stop_requested(),
        .max_seconds = command->max_seconds,
        .progress = live ? progress_draw : NULL,
        .progress_context = &line,
    };
    const struct mm_chain_keeper keeper = {
        .context = current->store,
        .read = read_chain,
        .take = take_chain,
        .after_evaluation = maintain,
        .refresh = current->task.count > 1 ? refresh : NULL,
    };
    mm_status status = mm_search_chains(&current->config, &options, current->solver, current->plan, &keeper, error);
    progress_clear(&line);
    return status;
}

/* --------------------------------------------------------------------------------------- reporting */

static mm_status print_results(const struct search_run *current, struct mm_store *store, struct mm_error *error)
{
    struct mm_chain_source source = mm_store_source(store);
    int64_t chains = mm_config_chains(&current->config);
    int64_t finished = 0;
    for (int64_t i = 0; i < chains; i++)
        finished += source.has(source.context, i);
    if (!current->command->quiet)
        cli_report("%lld of %lld chain%s finished in %.2f s by backend %s: %s", (long long)finished,
                   (long long)chains, mm_plural(chains), source.seconds, source.backend, source.device);
    mm_status status = cli_warn_of_truncation(&source, error);
    if (status != MM_OK)
        return status;
    return current->command->run.json ? cli_print_results_json(&source, current->output, error)
                                      : cli_print_table(&source, error);
}

/* Tells how a search that is not complete goes on. */
static void report_missing(const struct search_run *current, mm_status searched, int64_t missing)
{
    const char *instead = current->command->force ? " without --force" : "";
    if (searched == MM_OK && current->task.count > 1)
        cli_report("the share of task %lld/%lld is done; %lld chains of other tasks are missing; when these have "
                   "ended, run the same command again to fill what is left",
                   (long long)current->task.index, (long long)current->task.count, (long long)missing);
    else
        cli_report("every finished chain is saved in %s, %lld are missing; to go on, run the same command again%s",
                   current->output, (long long)missing, instead);
}

/* ---------------------------------------------------------------------------------------- command */

/* Commits and folds what was found, whatever ended the search; the exit code of all that. */
static int keep_results(struct search_run *current, mm_status searched)
{
    struct mm_error error = {0};
    mm_status stored = mm_store_finish(current->store, &error);
    if (stored != MM_OK)
        return cli_fail(&error);
    int64_t missing = mm_chains_missing(&current->config, mm_store_losses(current->store));
    if (missing > 0 && searched == MM_OK && current->task.launch_count > 1) {
        stored = mm_launch_wait(current->output, &current->task, current->store, cli_stop_requested(), &error);
        missing = mm_chains_missing(&current->config, mm_store_losses(current->store));
    }
    if (missing == 0 && stored == MM_OK)
        stored = mm_task_share_remove(current->output, &error);
    bool prints =
        current->task.index % current->task.launch_count == 0; /* one of those that waited for each other */
    if (stored == MM_OK && prints && (current->task.count == 1 || missing == 0 || current->command->run.json))
        stored = print_results(current, current->store, &error);
    if (stored != MM_OK)
        return cli_fail(&error);
    if (missing == 0 && prints && !current->command->run.json)
        printf("wrote %s\n", current->output);
    if (missing > 0)
        report_missing(current, searched, missing);
    return missing > 0 && searched == MM_OK ? mm_status_exit_code(MM_STOPPED) : mm_status_exit_code(searched);
}

static int search_and_store(struct search_run *current)
{
    struct mm_error error = {0};
    cli_catch_interrupts();
    mm_status status = open_run(current, &error);
    if (status != MM_OK)
        return cli_fail(&error);
    status = search(current, &error);
    if (status != MM_OK)
        cli_report("%s", error.message);
    return status == MM_ERROR_STORAGE ? mm_status_exit_code(status) : keep_results(current, status);
}

/* Writes a complete result again if it is damaged beside its chains; this needs no solver. */
static mm_status mend(struct search_run *current, struct mm_store *store, struct mm_error *error)
{
    struct mm_error fault = {0};
    bool sound = true;
    mm_status status = mm_store_check_file(store, &sound, &fault, error);
    if (status != MM_OK || sound)
        return status;
    const struct mm_run_info info = cli_run_info(&current->description);
    return mm_store_fold_run(current->output, &info, report_line, NULL, NULL, error);
}

/* Shows a search whose every chain is there; false if it is not that, for whatever reason. */
static bool show_complete(struct search_run *current, int *code)
{
    struct mm_error error = {0};
    struct mm_store *store = NULL;
    if (current->command->force || mm_store_view(&store, current->output, NULL) != MM_OK)
        return false;
    const struct mm_config *config = mm_store_config(store);
    size_t journals = 0;
    mm_store_journals(store, &journals);
    bool complete = journals == 0 && strcmp(config->text, current->config.text) == 0 &&
                    mm_chains_missing(config, mm_store_losses(store)) == 0;
    if (complete) {
        if (!current->command->quiet)
            cli_report("%s: every chain of this search is there already", current->output);
        mm_status status = mend(current, store, &error);
        mm_store_tidy(current->output);
        if (status == MM_OK)
            status = print_results(current, store, &error);
        *code = status == MM_OK ? 0 : cli_fail(&error);
    }
    mm_store_close(store);
    return complete;
}

static int run(const struct search_command *command, char *command_line)
{
    struct search_run current = {.command = command, .command_line = command_line};
    struct mm_error error = {0};
    int code = 0;
    if (prepare(&current, &error) != MM_OK)
        code = cli_fail(&error);
    else if (!show_complete(&current, &code))
        code = search_and_store(&current);
    mm_search_plan_free(current.plan);
    mm_share_free(&current.share);
    mm_store_close(current.store);
    mm_solver_close(current.solver);
    mm_config_free(&current.config);
    free(current.output);
    return cli_finish_output(code);
}

int cli_search(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"output", 'o', "FILE.h5", 0, "Result file (default: name of CONFIG with .h5, in the current directory)",
         0},
        {"resume", OPTION_RESUME, NULL, 0,
         "Go on with an earlier run of the same configuration (the default where there is one)", 0},
        {"force", OPTION_FORCE, NULL, 0, "Replace an existing result file", 0},
        {"slots", OPTION_SLOTS, "N", 0, "Chains in flight (default: what keeps the backend busy)", 0},
        {"quiet", 'q', NULL, 0, "No progress and no notes on standard error", 0},
        {"task", OPTION_TASK, "I/T", 0,
         "Run the share of task I of T, I from 0 (default: what Slurm or mpirun says, else all)", 0},
        {"max-time", OPTION_MAX_TIME, "TIME", 0,
         "Stop in time and exit with 75: seconds, MM:SS, HH:MM:SS or D-HH:MM:SS", 0},
        {"patience", OPTION_PATIENCE, "TIME", 0, "How long a failing disk is tried again (default: 10:00)", 0},
        {"fold-every", OPTION_FOLD_EVERY, "TIME", 0,
         "How often the result file is brought up to date while the search runs (default: 10:00)", 0},
        {0},
    };
    static const struct argp_child children[] = {{.argp = &cli_run_argp}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse_option,
        .args_doc = "CONFIG",
        .doc = "Optimises the charging protocol of a configuration from many random starts at every grid point and "
               "stores the result. Finished chains are committed to a journal beside the output once a second, and "
               "nothing that was committed is lost.\v"
               "The first Ctrl-C, SIGTERM, SIGHUP or SIGUSR1 finishes the evaluation in flight, saves every "
               "finished chain "
               "and exits with 75; the same command goes on from there. A second Ctrl-C quits at once. The exit "
               "status is 0 only if every chain of the grid is there.",
        .children = children,
    };
    struct search_command command = {.patience = 600.0, .fold_every = 600.0};
    char *command_line = cli_join_arguments(argc, argv); /* before argp reorders them */
    int code = cli_parse(&argp, argc, argv, &command);
    if (code == 0)
        code = run(&command, command_line);
    free(command_line);
    cli_run_free(&command.run);
    return code;
}
