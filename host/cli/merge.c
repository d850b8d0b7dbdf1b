/* merge.c - the command that brings the results of tasks or parts together in one file. */
#include <stdlib.h>

#include "chain/agreement.h"
#include "cli/cli.h"
#include "store/store.h"
#include "base/text.h"

enum { OPTION_FORCE = 512 };

struct merge_command {
    const char **parts; /* [count]; one and no output: the result whose journals are folded */
    size_t count;
    const char *output; /* NULL: the only part itself */
    bool force;
    bool quiet;
};

static error_t add_part(struct merge_command *command, const char *path)
{
    const char **parts = realloc(command->parts, (command->count + 1) * sizeof *parts);
    if (parts == NULL)
        return ENOMEM;
    command->parts = parts;
    command->parts[command->count++] = path;
    return 0;
}

static error_t check_options(const struct merge_command *command, const struct argp_state *state)
{
    if (command->count == 0)
        return cli_usage_error(state, "a result file is needed");
    if (command->count > 1 && command->output == NULL)
        return cli_usage_error(state, "%zu files: -o says which file they become", command->count);
    if (command->force && command->output == NULL)
        return cli_usage_error(state, "--force goes with -o");
    return 0;
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    struct merge_command *command = state->input;
    switch (key) {
    case 'o':
        command->output = text;
        return 0;
    case 'q':
        command->quiet = true;
        return 0;
    case OPTION_FORCE:
        command->force = true;
        return 0;
    case ARGP_KEY_ARG:
        return add_part(command, text);
    case ARGP_KEY_END:
        return check_options(command, state);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void report_line(void *context, const char *line)
{
    (void)context;
    cli_report("%s", line);
}

/* Folds the journals of a result and counts what it then holds. */
static mm_status fold(const char *path, const struct mm_run_info *info, struct mm_merge_summary *summary,
                      bool *written, struct mm_error *error)
{
    struct mm_store *store = NULL;
    mm_status status = mm_store_fold_run(path, info, report_line, NULL, written, error);
    if (status == MM_OK)
        status = mm_store_view(&store, path, error);
    if (status == MM_OK) {
        const struct mm_config *config = mm_store_config(store);
        const struct mm_chain_source source = mm_store_source(store);
        for (int64_t chain = 0; chain < mm_config_chains(config); chain++)
            summary->chains += source.has(source.context, chain);
        summary->missing = mm_chains_missing(config, mm_store_losses(store));
    }
    mm_store_close(store);
    return status;
}

static mm_status join(const struct merge_command *command, const struct mm_run_info *info,
                      struct mm_merge_summary *summary, struct mm_error *error)
{
    for (size_t i = 0; i < command->count; i++)
        if (cli_is_same_file(command->parts[i], command->output))
            return mm_fail(error, MM_ERROR_OUTPUT, "%s: is one of the parts; choose another output with -o",
                           command->output);
    return mm_store_merge(command->count, command->parts, command->output, command->force, info, report_line, NULL,
                          summary, error);
}

static void print_summary(const struct merge_command *command, const struct mm_merge_summary *summary, bool written)
{
    printf(written ? "wrote %s: %lld chain%s" : "%s is up to date already: %lld chain%s",
           command->output == NULL ? command->parts[0] : command->output, (long long)summary->chains,
           mm_plural(summary->chains));
    if (command->output != NULL)
        printf(" of %zu part%s, %lld duplicate%s left out", command->count, mm_plural((int64_t)command->count),
               (long long)summary->duplicates, mm_plural(summary->duplicates));
    if (summary->missing == 0)
        printf("; the grid is complete\n");
    else
        printf("; %lld are missing\n", (long long)summary->missing);
}

static int run(const struct merge_command *command, const char *command_line)
{
    struct mm_error error = {0};
    struct cli_description description;
    struct mm_merge_summary summary = {0};
    bool written = true;
    mm_status status = cli_describe_run(&description, command_line, &error);
    if (status == MM_OK) {
        const struct mm_run_info info = cli_run_info(&description);
        status = command->output == NULL ? fold(command->parts[0], &info, &summary, &written, &error)
                                         : join(command, &info, &summary, &error);
    }
    if (status != MM_OK)
        return cli_fail(&error);
    if (!command->quiet)
        print_summary(command, &summary, written);
    return cli_finish_output(0);
}

int cli_merge(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"output", 'o', "FILE.h5", 0, "Join the parts into this file", 0},
        {"force", OPTION_FORCE, NULL, 0, "Replace an existing output", 0},
        {"quiet", 'q', NULL, 0, "Print nothing but errors and damage", 0},
        {0},
    };
    static const struct argp argp = {
        .options = options,
        .parser = parse_option,
        .args_doc = "FILE.h5\nPART.h5.. -o FILE.h5",
        .doc =
            "Brings what the tasks of a search have saved so far into its result file, also while they run; or "
            "joins "
            "parts of one search, each with what lies beside it, into another file.\v"
            "Chains that lie in several places must be the same bit for bit. If the parts do not belong together, "
            "nothing is written.",
    };
    struct merge_command command = {0};
    char *command_line = cli_join_arguments(argc, argv);
    int code = cli_parse(&argp, argc, argv, &command);
    if (code == 0)
        code = run(&command, command_line);
    free(command_line);
    free(command.parts);
    return code;
}
