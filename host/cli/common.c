/* common.c - what the commands share: complaints, parsing, the options of commands that compute. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "base/numbers.h"
#include "base/text.h"

enum { MESSAGE_SIZE = 2 * MM_ERROR_MESSAGE_SIZE };

static const double SECONDS_A_DAY = 86400.0;
static const double DURATION_MAX = 1e9; /* 31 years: longer is a slip of the finger */

static void report(const char *format, va_list arguments)
{
    char message[MESSAGE_SIZE];
    char line[MESSAGE_SIZE];
    if (vsnprintf(message, sizeof message, format, arguments) < 0)
        message[0] = '\0';
    mm_text_to_line(message, sizeof line, line); /* a path may hold anything */
    fprintf(stderr, "micromaser: %s\n", line);
}

void cli_report(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    report(format, arguments);
    va_end(arguments);
}

int cli_fail(const struct mm_error *error)
{
    cli_report("%s", error->message);
    return mm_status_exit_code(error->status);
}

int cli_parse(const struct argp *argp, int argc, char **argv, void *input)
{
    return argp_parse(argp, argc, argv, 0, NULL, input) == 0 ? 0 : CLI_BAD_USAGE;
}

error_t cli_usage_error(const struct argp_state *state, const char *format, ...)
{
    char message[MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(message, sizeof message, format, arguments) < 0)
        message[0] = '\0';
    va_end(arguments);
    cli_report("%s (see '%s --help')", message, state->argv[0]);
    return EINVAL;
}

error_t cli_parse_once(const struct argp_state *state, const char *option, const char *text, const char **value)
{
    if (*value != NULL)
        return cli_usage_error(state, "%s is given twice, '%s' and '%s': one is enough", option, *value, text);
    *value = text;
    return 0;
}

error_t cli_parse_integer(const struct argp_state *state, const char *option, const char *text, int64_t minimum,
                          int64_t maximum, int64_t *value)
{
    uint64_t number = 0;
    bool whole = mm_integer_parse(text, strlen(text), &number);
    if (!whole || number < (uint64_t)minimum || number > (uint64_t)maximum)
        return cli_usage_error(state, "%s '%s': must be a whole number from %lld to %lld", option, text,
                               (long long)minimum, (long long)maximum);
    *value = (int64_t)number;
    return 0;
}

/* Reads whole numbers between colons, each but the first below 60. */
static bool parse_sexagesimal(const char *text, double *seconds)
{
    double sum = 0.0;
    for (bool first = true; *text != '\0'; first = false) {
        size_t length = strcspn(text, ":");
        uint64_t number = 0;
        if (!mm_integer_parse(text, length, &number) || (!first && number >= 60) || (double)number > DURATION_MAX)
            return false;
        sum = 60.0 * sum + (double)number;
        text += length;
        if (*text == ':' && *++text == '\0')
            return false;
    }
    *seconds = sum;
    return true;
}

/* Reads [D-]HH:MM:SS, MM:SS or a number of seconds. */
static bool parse_duration(const char *text, double *seconds)
{
    const char *dash = strchr(text, '-');
    const char *clock = dash == NULL ? text : dash + 1;
    const char *colon = strchr(clock, ':');
    size_t colons = 0;
    uint64_t days = 0;
    for (const char *c = clock; *c != '\0'; c++)
        colons += *c == ':';
    if (colon == NULL)
        return dash == NULL && mm_number_parse(text, strlen(text), seconds);
    if (colons > 2 || (dash != NULL && (colons != 2 || !mm_integer_parse(text, (size_t)(dash - text), &days))))
        return false;
    if (!parse_sexagesimal(clock, seconds) || (dash != NULL && *seconds >= SECONDS_A_DAY))
        return false;
    *seconds += SECONDS_A_DAY * (double)days;
    return true;
}

error_t cli_parse_duration(const struct argp_state *state, const char *option, const char *text, double *seconds)
{
    double value = 0.0;
    if (!parse_duration(text, &value) || !(value >= 0.0 && value <= DURATION_MAX))
        return cli_usage_error(state, "%s '%s': must be [D-]HH:MM:SS, MM:SS or a number of seconds", option, text);
    *seconds = value;
    return 0;
}

mm_status cli_parse_parameters(const char *text, size_t free_batches, double *parameters, struct mm_error *error)
{
    size_t needed = 2 * free_batches;
    size_t given = 1;
    for (const char *c = text; *c != '\0'; c++)
        given += *c == ',';
    if (given != needed)
        return mm_fail(error, MM_ERROR_INPUT, "--params: %zu values needed (c, q of %zu free batch%s), %zu given",
                       needed, free_batches, free_batches == 1 ? "" : "es", given);
    for (size_t i = 0; i < needed; i++) {
        size_t length = strcspn(text, ",");
        double *value = &parameters[i];
        if (!mm_number_parse(text, length, value) || !(*value >= 0.0 && *value <= 1.0))
            return mm_fail(error, MM_ERROR_INPUT,
                           "--params: value %zu, %c of free batch %zu, is '%.*s': must be a number from 0 to 1",
                           i + 1, i % 2 == 0 ? 'c' : 'q', i / 2 + 1, mm_text_excerpt(text, length), text);
        text += length + 1;
    }
    return MM_OK;
}

int cli_finish_output(int exit_code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return exit_code;
    cli_report("standard output cannot be written: %s", strerror(errno));
    return 1;
}

/* ------------------------------------------------------------------------- commands that compute */

enum { OPTION_BACKEND = 256, OPTION_SET, OPTION_THREADS, OPTION_EIGEN_SOLVER, OPTION_CHECK_EIGEN, OPTION_JSON };

static const struct argp_option run_options[] = {
    {"backend", OPTION_BACKEND, "NAME", 0, "auto (default), cpu, cuda or reference", 0},
    {"set", OPTION_SET, "SECTION.KEY=VALUE", 0, "Replace a key of the configuration; may be repeated", 0},
    {"threads", OPTION_THREADS, "N", 0, "CPU threads (default: all that are available)", 0},
    {"eigen-solver", OPTION_EIGEN_SOLVER, "NAME", 0,
     "What finds eigenvalues on a CUDA device: cusolver (default) or tridiagonal, kernels of micromaser's own", 0},
    {"check-eigen", OPTION_CHECK_EIGEN, NULL, 0,
     "For debugging: check every solution of it, its residual and its orthogonality", 0},
    {"json", OPTION_JSON, NULL, 0, "Print the results as one JSON object", 0},
    {0},
};

static error_t add_override(struct cli_run *run, const char *text)
{
    const char **overrides = realloc(run->overrides, (run->override_count + 1) * sizeof *overrides);
    if (overrides == NULL)
        return ENOMEM;
    run->overrides = overrides;
    run->overrides[run->override_count++] = text;
    return 0;
}

/* Here already, because a finished search opens none. */
static error_t check_backend(const struct argp_state *state, const char *text)
{
    return mm_backend_is_known(text)
               ? 0
               : cli_usage_error(state, "--backend '%s': must be auto, cpu, cuda or reference", text);
}

static error_t parse_eigen_solver(struct argp_state *state, const char *text, enum mm_eigen_method *method)
{
    static const char *const names[] = {[MM_EIGEN_CUSOLVER] = "cusolver", [MM_EIGEN_TRIDIAGONAL] = "tridiagonal"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(text, names[i]) == 0) {
            *method = (enum mm_eigen_method)i;
            return 0;
        }
    return cli_usage_error(state, "--eigen-solver '%s': must be cusolver or tridiagonal", text);
}

static error_t parse_run_option(int key, char *text, struct argp_state *state)
{
    struct cli_run *run = state->input;
    int64_t threads = 0;
    error_t failure = 0;
    switch (key) {
    case ARGP_KEY_INIT:
        run->solver.size = sizeof run->solver;
        return 0;
    case OPTION_BACKEND:
        run->solver.backend = text;
        return check_backend(state, text);
    case OPTION_SET:
        return add_override(run, text);
    case OPTION_THREADS:
        failure = cli_parse_integer(state, "--threads", text, 1, CLI_THREADS_MAX, &threads);
        run->solver.threads = (int)threads;
        return failure;
    case OPTION_EIGEN_SOLVER:
        return parse_eigen_solver(state, text, &run->solver.eigen_method);
    case OPTION_CHECK_EIGEN:
        run->solver.check_eigen = true;
        return 0;
    case OPTION_JSON:
        run->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (run->config_path != NULL)
            return cli_usage_error(state, "'%s': one configuration is enough", text);
        run->config_path = text;
        return 0;
    case ARGP_KEY_END:
        return run->config_path != NULL ? 0 : cli_usage_error(state, "a configuration file is needed");
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp cli_run_argp = {.options = run_options, .parser = parse_run_option};

void cli_run_free(struct cli_run *run)
{
    free(run->overrides);
    *run = (struct cli_run){0};
}
