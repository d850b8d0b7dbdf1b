/* main.c - the program: finds the command and runs it. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <cblas.h>

#include "cli/cli.h"

/* argp looks these names up; it prints this one for --version. */
MM_API const char *argp_program_version = "micromaser " MM_VERSION;

#define COMMAND_LINE(name, summary) "  " #name "\t" summary "\n"

static const char documentation[] =
    "Finds charging protocols of a micromaser quantum battery.\v"
    "Commands:\n" CLI_COMMAND_LIST(COMMAND_LINE) "\n'micromaser COMMAND --help' tells more of each.\n"
                                                 "Exit codes: 0 done, 1 failed while running, 2 bad usage or "
                                                 "input, 75 stopped early with everything saved.";

/* The command line up to the command. */
struct invocation {
    int argc;
    char **argv; /* from the command on; NULL if there is none */
};

static error_t find_command(int key, char *text, struct argp_state *state)
{
    (void)text;
    struct invocation *invocation = state->input;
    if (key == ARGP_KEY_END && invocation->argv == NULL)
        return cli_usage_error(state, "a command is needed");
    if (key != ARGP_KEY_ARG)
        return ARGP_ERR_UNKNOWN;
    invocation->argv = state->argv + state->next - 1;
    invocation->argc = state->argc - state->next + 1;
    state->next = state->argc; /* the rest is the command's */
    return 0;
}

static int run_command(int argc, char **argv)
{
#define RUN(name, summary)                                                                                         \
    if (strcmp(argv[0], #name) == 0) {                                                                             \
        static char full_name[] = "micromaser " #name;                                                             \
        argv[0] = full_name;                                                                                       \
        return cli_##name(argc, argv);                                                                             \
    }
    CLI_COMMAND_LIST(RUN)
#undef RUN
#define NAME(name, summary) " " #name
    cli_report("'%s': unknown command; the commands are" CLI_COMMAND_LIST(NAME), argv[0]);
#undef NAME
    return CLI_BAD_USAGE;
}

/* Of OpenBLAS: its threads end. Not every build of it has threads. */
extern int blas_thread_shutdown_(void) __attribute__((weak));

/* OpenBLAS starts a thread for every processor as it is loaded. Chains are the parallel work, BLAS gets none; but
 * these threads spin for it for a tenth of a second, beside a search that may take no longer. */
static void dismiss_blas_threads(void)
{
    openblas_set_num_threads(1); /* before: it would start them again */
    if (blas_thread_shutdown_ != NULL)
        blas_thread_shutdown_();
}

int main(int argc, char **argv)
{
    static char program_name[] = "micromaser";
    const struct argp argp = {.parser = find_command, .args_doc = "COMMAND [OPTION...]", .doc = documentation};
    struct invocation invocation = {0};
    argp_err_exit_status = CLI_BAD_USAGE;
    dismiss_blas_threads();
    signal(SIGXFSZ, SIG_IGN); /* a file beyond `ulimit -f` is a failed write, told as such */
    if (argc > 0)
        argv[0] = program_name;
    if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &invocation) != 0)
        return CLI_BAD_USAGE;
    return run_command(invocation.argc, invocation.argv);
}
