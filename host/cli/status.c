/* status.c - the command that tells how far a search is, which tasks work on it, and how it goes on. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "chain/grid.h"
#include "chain/agreement.h"
#include "cli/cli.h"
#include "cli/status.h"
#include "files/search/reader.h"
#include "chain/results.h"
#include "store/task_share.h"

enum { OPTION_JSON = 512, OPTION_TASK, OPTION_MINE };

/* Seconds by which a result file may be younger than a task that folded it as it began. */
static const double FIRST_FOLD = 5.0;

struct status_command {
    const char *path;
    const char *task; /* as given, or NULL */
    bool mine;
    bool json;
    bool quiet;
};

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    struct status_command *command = state->input;
    switch (key) {
    case OPTION_JSON:
        command->json = true;
        return 0;
    case OPTION_TASK:
        command->task = text;
        return 0;
    case OPTION_MINE:
        command->mine = true;
        return 0;
    case 'q':
        command->quiet = true;
        return 0;
    case ARGP_KEY_ARG:
        if (command->path != NULL)
            return cli_usage_error(state, "'%s': one result file is enough", text);
        command->path = text;
        return 0;
    case ARGP_KEY_END:
        if (command->path == NULL)
            return cli_usage_error(state, "a result file is needed");
        return command->task != NULL && command->mine ? cli_usage_error(state, "--task and --mine: choose one") : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ------------------------------------------------------------------------------------------------ counts */

static mm_status find_task(const struct status_command *command, struct mm_task *task, struct mm_error *error)
{
    *task = (struct mm_task){.count = 1, .launch_count = 1, .host_count = 1};
    if (command->task != NULL)
        return mm_task_parse(command->task, task, error);
    return command->mine ? mm_task_from_environment(getenv, task, error) : MM_OK;
}

static mm_status count_share(struct cli_run_status *run, struct mm_error *error)
{
    struct mm_share share = {0};
    mm_status status = MM_OK;
    if (run->task.count > 1)
        status = mm_task_share_view(&share, &run->share_known, run->path, run->config, &run->task, error);
    if (status == MM_OK)
        run->progress = mm_grid_progress(run->config, run->losses, run->share_known ? &share : NULL);
    mm_share_free(&share);
    return status;
}

static mm_status find_best(struct cli_run_status *run, const struct mm_chain_source *source, struct mm_error *error)
{
    const size_t lambdas = mm_grid_axis(run->config, MM_AXIS_lambda).count;
    run->best = malloc(lambdas * sizeof *run->best);
    if (run->best == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory for %zu values of lambda", lambdas);
    mm_lambda_best_find(source, run->best);
    return MM_OK;
}

/* ------------------------------------------------------------------------------------------------- tasks */

/* Seconds since 1970 of the last fold; 0 if there was none. */
static double fold_time(const char *path)
{
    struct stat file;
    return stat(path, &file) == 0 ? (double)file.st_mtime : 0.0;
}

/* Chains that the tasks at work finish in a second. As long as no task has folded since it began, its journal holds
 * all that it did. After that, the average over the whole run stands for each of them: all that is finished, by the
 * time that was spent on it. */
static double find_rate(const struct cli_run_status *run)
{
    const double now = (double)time(NULL);
    const double folded = fold_time(run->path);
    double rate = 0.0, spent = 0.0;
    bool direct = true;
    for (size_t i = 0; i < run->journal_count; i++) {
        const struct mm_journal_file *journal = &run->journals[i];
        if (!journal->alive || !journal->readable)
            continue;
        double began = (double)journal->header.start_time;
        double worked = fmax(now - began, 1.0);
        direct = direct && folded <= began + FIRST_FOLD;
        rate += (double)journal->records / worked;
        spent += worked;
    }
    spent = fmax(spent, run->seconds);
    return direct || !(spent > 0.0) ? rate : (double)run->alive * (double)run->progress.finished / spent;
}

static void count_tasks(struct cli_run_status *run)
{
    for (size_t i = 0; i < run->journal_count; i++) {
        run->alive += run->journals[i].alive;
        run->dead += !run->journals[i].alive;
    }
    run->chains_per_second = find_rate(run);
}

/* The command as a journal tells it, with its folder, or else as the result file does. */
static mm_status find_command(struct cli_run_status *run, struct mm_error *error)
{
    for (size_t i = 0; i < run->journal_count && run->command == NULL; i++)
        if (run->journals[i].readable) {
            const struct mm_journal_header *header = &run->journals[i].header;
            run->command = cli_resuming_command(header->command_line, header->folder);
        }
    if (run->command != NULL || access(run->path, F_OK) != 0)
        return MM_OK;
    struct mm_result_reader *reader = NULL;
    mm_status status = mm_result_reader_open(&reader, run->path, error);
    if (status == MM_OK)
        run->command = cli_resuming_command(mm_result_reader_description(reader)->command_line, "");
    mm_result_reader_close(reader);
    return status;
}

/* ----------------------------------------------------------------------------------------------- command */

static mm_status describe(struct cli_run_status *run, struct mm_store *store, struct mm_error *error)
{
    const struct mm_chain_source source = mm_store_source(store);
    run->config = mm_store_config(store);
    run->losses = mm_store_losses(store);
    run->seconds = source.seconds;
    memcpy(run->backend, source.backend, sizeof run->backend);
    memcpy(run->device, source.device, sizeof run->device);
    run->journals = mm_store_journals(store, &run->journal_count);
    run->damage = mm_store_damage(store, &run->damage_count);
    mm_status status = count_share(run, error);
    if (status == MM_OK)
        status = find_best(run, &source, error);
    if (status != MM_OK)
        return status;
    count_tasks(run);
    return run->progress.missing > 0 ? find_command(run, error) : MM_OK;
}

static int run(const struct status_command *command)
{
    struct mm_error error = {0};
    struct mm_store *store = NULL;
    struct cli_run_status run = {.path = command->path};
    mm_status status = find_task(command, &run.task, &error);
    if (status == MM_OK)
        status = mm_store_view(&store, command->path, &error);
    if (status == MM_OK)
        status = describe(&run, store, &error);
    if (status == MM_OK && command->json)
        cli_print_status_json(&run);
    else if (status == MM_OK && !command->quiet)
        cli_print_status(&run);
    int code = status != MM_OK ? cli_fail(&error)
                               : mm_status_exit_code(run.progress.share_missing == 0 ? MM_OK : MM_STOPPED);
    free(run.best);
    free(run.command);
    mm_store_close(store);
    return cli_finish_output(code);
}

int cli_status(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"json", OPTION_JSON, NULL, 0, "Print it as one JSON object", 0},
        {"task", OPTION_TASK, "I/T", 0, "The exit code is about the share of task I of T", 0},
        {"mine", OPTION_MINE, NULL, 0,
         "The exit code is about the share of the task that this process would be, found in the environment as "
         "search "
         "finds it",
         0},
        {"quiet", 'q', NULL, 0, "Print nothing: the exit code tells", 0},
        {0},
    };
    static const struct argp argp = {
        .options = options,
        .parser = parse_option,
        .args_doc = "FILE.h5",
        .doc = "Tells how far the search is whose result is FILE.h5, also while it runs: chains, rate and time "
               "left, the "
               "best of each lambda, the tasks at work, gaps, damage, and the command that fills the gaps.\v"
               "Exit codes: 0 nothing is missing, 75 chains are missing, 2 no result of a search.",
    };
    struct status_command command = {0};
    int code = cli_parse(&argp, argc, argv, &command);
    return code == 0 ? run(&command) : code;
}
