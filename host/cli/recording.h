/* recording.h - options of the commands that take protocols through collisions and record them in a file. */
#ifndef MM_CLI_RECORDING_H
#define MM_CLI_RECORDING_H

#include "cli/cli.h"
#include "evolve/evolve.h"

enum { CLI_COLLISIONS_MAX = 1000000000 };

/** What was asked for. Texts are borrowed. */
struct cli_recording {
    const char *ending; /* of the default output's name, ".evolution.h5"; given by the command */
    const char *output; /* NULL: named after the input */
    int64_t collisions;
    int64_t per_decade; /* 0: not given */
    int64_t every;      /* 0: not given */
    bool force;
    bool quiet;
};

/** Parser of --collisions, --per-decade, --every, -o, --force and -q; its input is a struct cli_recording with
 *  nothing but an ending. */
extern const struct argp cli_recording_argp;

/** Sets a plan's number of collisions and where it records. */
void cli_recording_plan(const struct cli_recording *recording, struct mm_evolution_plan *plan);

/** Name of the output for an input: as given, or the default. Free it; NULL if there is no memory. */
char *cli_recording_output(const struct cli_recording *recording, const char *input);

#endif
