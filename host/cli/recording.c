/* recording.c - options of the commands that take protocols through collisions and record them in a file. */
#include <stdlib.h>
#include <string.h>

#include "cli/recording.h"

enum { OPTION_COLLISIONS = 2048, OPTION_PER_DECADE, OPTION_EVERY, OPTION_FORCE, DEFAULT_PER_DECADE = 50 };

static error_t check_options(const struct cli_recording *recording, const struct argp_state *state)
{
    if (recording->collisions == 0)
        return cli_usage_error(state, "--collisions K is needed");
    if (recording->per_decade > 0 && recording->every > 0)
        return cli_usage_error(state, "--per-decade and --every: choose one");
    return 0;
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    struct cli_recording *recording = state->input;
    switch (key) {
    case 'o':
        recording->output = text;
        return 0;
    case 'q':
        recording->quiet = true;
        return 0;
    case OPTION_COLLISIONS:
        return cli_parse_integer(state, "--collisions", text, 1, CLI_COLLISIONS_MAX, &recording->collisions);
    case OPTION_PER_DECADE:
        return cli_parse_integer(state, "--per-decade", text, 1, MM_PER_DECADE_MAX, &recording->per_decade);
    case OPTION_EVERY:
        return cli_parse_integer(state, "--every", text, 1, CLI_COLLISIONS_MAX, &recording->every);
    case OPTION_FORCE:
        recording->force = true;
        return 0;
    case ARGP_KEY_END:
        return check_options(recording, state);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option recording_options[] = {
    {"collisions", OPTION_COLLISIONS, "K", 0, "Number of collisions; the last batch continues", 0},
    {"per-decade", OPTION_PER_DECADE, "N", 0, "Record N times a decade, on a logarithmic grid (default 50)", 0},
    {"every", OPTION_EVERY, "N", 0, "Record after every N collisions instead", 0},
    {"output", 'o', "FILE.h5", 0, "File to write", 0},
    {"force", OPTION_FORCE, NULL, 0, "Replace an existing file", 0},
    {"quiet", 'q', NULL, 0, "No progress and no notes on standard error", 0},
    {0},
};

/* Adds to the help what the output is called if it is not given. */
static char *tell_default(int key, const char *text, void *input)
{
    const struct cli_recording *recording = input;
    char *told = NULL;
    if (key != 'o' || recording == NULL)
        return (char *)text;
    if (asprintf(&told, "%s (default: name of the input with %s)", text, recording->ending) < 0)
        return (char *)text;
    return told; /* argp frees it */
}

const struct argp cli_recording_argp = {
    .options = recording_options, .parser = parse_option, .help_filter = tell_default};

void cli_recording_plan(const struct cli_recording *recording, struct mm_evolution_plan *plan)
{
    plan->collisions = recording->collisions;
    plan->every = recording->every;
    plan->per_decade = recording->every > 0        ? 0
                       : recording->per_decade > 0 ? (int)recording->per_decade
                                                   : DEFAULT_PER_DECADE;
}

char *cli_recording_output(const struct cli_recording *recording, const char *input)
{
    return recording->output != NULL ? strdup(recording->output) : cli_default_output(input, recording->ending);
}
