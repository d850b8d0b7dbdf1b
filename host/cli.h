/* cli.h - what the commands of the program share. */
#ifndef MM_CLI_H
#define MM_CLI_H

#include <argp.h>

#include "micromaser.h"

/** Every command. X(name, what it does); each is cli_<name> in cli_<name>.c. */
#define CLI_COMMAND_LIST(X)                                                                                        \
    X(search, "optimise a charging protocol from many random starts")                                              \
    X(evaluate, "one loss, its parts, its gradient")                                                               \
    X(info, "what this program was built with and can run on")

/** Runs a command; argv[0] is its full name, "micromaser search". Returns the exit code of the program. */
#define CLI_COMMAND_DECLARATION(name, summary) int cli_##name(int argc, char **argv);
CLI_COMMAND_LIST(CLI_COMMAND_DECLARATION)
#undef CLI_COMMAND_DECLARATION

/** Exit code for bad usage. */
enum { CLI_BAD_USAGE = 2 };

/** Writes "micromaser: <message>" as one line to standard error: the only way in which the program complains. */
void cli_report(const char *format, ...) MM_PRINTF(1, 2);

/** Reports an error and returns its exit code. */
int cli_fail(const struct mm_error *error);

/** Parses a command line; 0, or CLI_BAD_USAGE after the complaint. --help and the like exit at once. */
int cli_parse(const struct argp *argp, int argc, char **argv, void *input);

/** For argp parsers: reports and returns EINVAL. */
error_t cli_usage_error(const struct argp_state *state, const char *format, ...) MM_PRINTF(2, 3);

/** Parses an option's whole number in minimum .. maximum; EINVAL after the complaint. */
error_t cli_parse_integer(const struct argp_state *state, const char *option, const char *text, int64_t minimum,
                          int64_t maximum, int64_t *value);

/** Flushes standard output; returns exit_code, or 1 after the complaint if the output could not be written. */
int cli_finish_output(int exit_code);

/** What commands that compute from a configuration share. Free with cli_run_free. */
struct cli_run {
    const char *config_path;
    const char **overrides; /* [override_count], of --set */
    size_t override_count;
    struct mm_solver_options solver;
    bool json;
};

/** Parser of CONFIG, --backend, --set, --threads and --json; its input is a struct cli_run. */
extern const struct argp cli_run_argp;

void cli_run_free(struct cli_run *run);

#endif
