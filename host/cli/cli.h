/* cli.h - what the commands of the program share. */
#ifndef MM_CLI_CLI_H
#define MM_CLI_CLI_H

#include <argp.h>
#include <limits.h>

#include "files/hdf5/read.h"
#include "micromaser.h"
#include "base/utc_time.h"

/** Every command. X(name, what it does); each is cli_<name> in cli_<name>.c. */
#define CLI_COMMAND_LIST(X)                                                                                        \
    X(search, "optimise a charging protocol from many random starts")                                              \
    X(evaluate, "one loss, its parts, its gradient")                                                               \
    X(wigner, "add the Wigner functions of the states of an evolution")                                            \
    X(evolve, "a protocol through many collisions: energy, ergotropy, purity, populations, states")                \
    X(robustness, "what noise in the qubits and the coupling does to a protocol")                                  \
    X(steady, "chambers, steady states and lifetimes")                                                             \
    X(landscape, "the loss over c and q of one batch, to be drawn")                                                \
    X(plot, "draw a figure of a file")                                                                             \
    X(status, "how far a search is, which tasks work on it, how it goes on")                                       \
    X(merge, "bring the results of tasks or parts together in one file")                                           \
    X(show, "print the tables of a file")                                                                          \
    X(info, "what this program was built with and can run on")

/** Runs a command; argv[0] is its full name, "micromaser search". Returns the exit code of the program. */
#define CLI_COMMAND_DECLARATION(name, summary) int cli_##name(int argc, char **argv);
CLI_COMMAND_LIST(CLI_COMMAND_DECLARATION)
#undef CLI_COMMAND_DECLARATION

enum {
    CLI_BAD_USAGE = 2,      /* exit code for bad usage */
    CLI_THREADS_MAX = 4096, /* most that --threads takes */
};

/** Writes "micromaser: <message>" as one line to standard error: the only way in which the program complains. */
void cli_report(const char *format, ...) MM_PRINTF(1, 2);

/** Reports an error and returns its exit code. */
int cli_fail(const struct mm_error *error);

/** Parses a command line; 0, or CLI_BAD_USAGE after the complaint. --help and the like exit at once. */
int cli_parse(const struct argp *argp, int argc, char **argv, void *input);

/** For argp parsers: reports and returns EINVAL. */
error_t cli_usage_error(const struct argp_state *state, const char *format, ...) MM_PRINTF(2, 3);

/** Takes the text of an option whose list would be lost if it came again: EINVAL after the complaint.
 *  @param value  NULL before the first time */
error_t cli_parse_once(const struct argp_state *state, const char *option, const char *text, const char **value);

/** Parses an option's whole number in minimum .. maximum; EINVAL after the complaint. */
error_t cli_parse_integer(const struct argp_state *state, const char *option, const char *text, int64_t minimum,
                          int64_t maximum, int64_t *value);

/** Parses an option's time, [D-]HH:MM:SS, MM:SS or a plain number of seconds, 0 allowed; EINVAL after the
 * complaint. */
error_t cli_parse_duration(const struct argp_state *state, const char *option, const char *text, double *seconds);

/** Flushes standard output; returns exit_code, or 1 after the complaint if the output could not be written. */
int cli_finish_output(int exit_code);

/** Makes SIGINT, SIGTERM and SIGUSR1 set *cli_stop_requested(), and a second SIGINT end the program at once. */
void cli_catch_interrupts(void);

/** Not zero once the program was asked to stop. */
const volatile int *cli_stop_requested(void);

/** The command line as one that a shell would take; NULL if there is no memory. Call it before argp reorders the
 *  arguments. */
char *cli_join_arguments(int argc, char **argv);

/** The command that goes on with a run in a shell: the command line that began it without --force and --task, after
 *  a change to its folder unless that is "". NULL if there is no memory. */
char *cli_resuming_command(const char *command_line, const char *folder);

/** What a file tells about the run that wrote it. */
struct cli_description {
    char start_time[MM_UTC_SIZE];
    char end_time[MM_UTC_SIZE];
    char host[HOST_NAME_MAX + 1];
    const char *command_line; /* borrowed */
};

/** Begins the description now; command_line NULL means that there was no memory for it. */
mm_status cli_describe_run(struct cli_description *description, const char *command_line, struct mm_error *error);

/** Ends the description now; the result borrows from it. */
struct mm_run_info cli_run_info(struct cli_description *description);

/** "FOLDER/NAME.ini" -> "NAME<ending>", in the current directory; NULL if there is no memory. */
char *cli_default_output(const char *input, const char *ending);

/** Whether two names are those of one file. */
bool cli_is_same_file(const char *one, const char *other);

/** Warns of a file that is open whose run had not come to its end. */
void cli_warn_if_incomplete(struct mm_hdf5_file *file, const char *path);

/** Checks an output before anything is computed for it: it is not the input, can be written, and is there already
 *  only if it is to be continued or replaced.
 *  @param continues  out: it is there and is to be continued; NULL for a command that cannot do that */
mm_status cli_check_output(const char *path, const char *input, bool resume, bool force, bool quiet,
                           bool *continues, struct mm_error *error);

/** Reads "c1,q1,c2,q2.." as it is given to --params into parameters[2 * free_batches], each in [0, 1].
 *  MM_ERROR_INPUT names the first value that is wrong. */
mm_status cli_parse_parameters(const char *text, size_t free_batches, double *parameters, struct mm_error *error);

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
