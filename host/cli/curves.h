/* curves.h - protocols from the command line: of a configuration with --params, or of a result file. */
#ifndef MM_CLI_CURVES_H
#define MM_CLI_CURVES_H

#include "cli/cli.h"
#include "evolve/evolve.h"

/** What was asked for. Free with cli_curves_free. */
struct cli_curves_options {
    struct cli_run run;
    size_t params_count;
    const char **params; /* [params_count] */
    size_t label_count;
    const char **labels; /* [label_count], of the protocols in --params */
    bool best;
    int64_t chain; /* row of /chains, or -1 */
    char *levels;  /* override that --levels stands for, or NULL */
};

/** The protocols. */
struct cli_curves {
    struct mm_config config;
    size_t count;
    struct mm_curve *curves; /* [count] */
    double *parameters;      /* behind the curves, [count][free batches][2] */
};

/** Parser of CONFIG|RESULT.h5, --params, --label, --best, --chain, --levels and what cli_run_argp parses; its input
 *  is a struct cli_curves_options with chain = -1. */
extern const struct argp cli_curves_argp;

/** Reads the configuration and the protocols. Free with cli_curves_free, also after a failure. */
mm_status cli_curves_read(const struct cli_curves_options *options, struct cli_curves *curves,
                          struct mm_error *error);

/** The overrides of --set, and of --levels. NULL if memory runs out; free with free.
 *  @param count  out */
const char **cli_curves_overrides(const struct cli_curves_options *options, size_t *count);

/** Width of the column of labels in a table. */
int cli_label_width(const struct cli_curves *curves);

/** Whether a file begins as HDF5 files do. */
bool cli_is_hdf5(const char *path);

void cli_curves_free(struct cli_curves_options *options, struct cli_curves *curves);

#endif
