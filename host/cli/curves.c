/* curves.c - protocols from the command line: of a configuration with --params, or of a result file. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain/grid.h"
#include "cli/curves.h"
#include "files/hdf5/root.h"
#include "base/numbers.h"
#include "model/protocol.h"
#include "chain/results.h"
#include "base/text.h"

enum { OPTION_PARAMS = 1024, OPTION_LABEL, OPTION_BEST, OPTION_CHAIN, OPTION_LEVELS, CHAIN_MAX = 1000000000 };

/* ---------------------------------------------------------------------------------------------- options */

static error_t add_text(const char ***texts, size_t *count, const char *text)
{
    const char **longer = realloc(*texts, (*count + 1) * sizeof *longer);
    if (longer == NULL)
        return ENOMEM;
    *texts = longer;
    longer[(*count)++] = text;
    return 0;
}

/* --levels N is --set cavity.levels=N. */
static error_t set_levels(struct cli_curves_options *options, const char *text)
{
    free(options->levels);
    return asprintf(&options->levels, "cavity.levels=%s", text) < 0 ? ENOMEM : 0;
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    struct cli_curves_options *options = state->input;
    switch (key) {
    case OPTION_PARAMS:
        return add_text(&options->params, &options->params_count, text);
    case OPTION_LABEL:
        return add_text(&options->labels, &options->label_count, text);
    case OPTION_BEST:
        options->best = true;
        return 0;
    case OPTION_CHAIN:
        return cli_parse_integer(state, "--chain", text, 0, CHAIN_MAX, &options->chain);
    case OPTION_LEVELS:
        return set_levels(options, text);
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->run;
        return 0;
    case ARGP_KEY_END:
        if ((options->params_count > 0) + options->best + (options->chain >= 0) > 1)
            return cli_usage_error(state, "--params, --best and --chain: choose one");
        if (options->label_count > 0 && options->label_count != options->params_count)
            return cli_usage_error(state, "%zu --label for %zu --params: as many are needed", options->label_count,
                                   options->params_count);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option curve_options[] = {
    {"params", OPTION_PARAMS, "C1,Q1[,C2,Q2..]", 0,
     "Coherence and ground-state population of each free batch; may be repeated", 0},
    {"label", OPTION_LABEL, "TEXT", 0, "Short name of the protocol of each --params, in the same order", 0},
    {"best", OPTION_BEST, NULL, 0, "The best chain of every grid point of a result file (the default for one)", 0},
    {"chain", OPTION_CHAIN, "I", 0, "Row I of /chains of a result file, from 0", 0},
    {"levels", OPTION_LEVELS, "N", 0, "Fock levels, or auto: short for --set cavity.levels=N", 0},
    {0},
};
static const struct argp_child curve_children[] = {{.argp = &cli_run_argp}, {0}};

const struct argp cli_curves_argp = {.options = curve_options, .parser = parse_option, .children = curve_children};

void cli_curves_free(struct cli_curves_options *options, struct cli_curves *curves)
{
    cli_run_free(&options->run);
    free(options->params);
    free(options->labels);
    free(options->levels);
    mm_config_free(&curves->config);
    free(curves->curves);
    free(curves->parameters);
    *curves = (struct cli_curves){0};
}

int cli_label_width(const struct cli_curves *curves)
{
    size_t width = sizeof "curve" - 1;
    for (size_t c = 0; c < curves->count; c++)
        width = strlen(curves->curves[c].label) > width ? strlen(curves->curves[c].label) : width;
    return (int)width;
}

bool cli_is_hdf5(const char *path)
{
    static const char signature[8] = "\211HDF\r\n\032\n";
    char start[sizeof signature] = {0};
    FILE *file = fopen(path, "rb");
    bool found = file != NULL && fread(start, 1, sizeof start, file) == sizeof start &&
                 memcmp(start, signature, sizeof start) == 0;
    if (file != NULL)
        fclose(file);
    return found;
}

/* -------------------------------------------------------------------------------------------- storage */

static mm_status reserve(struct cli_curves *curves, size_t count, struct mm_error *error)
{
    const struct mm_problem problem = mm_config_problem(&curves->config);
    const size_t per_curve = 2 * mm_problem_free_batches(&problem);
    curves->curves = calloc(count, sizeof *curves->curves);
    curves->parameters = calloc(count, per_curve * sizeof *curves->parameters);
    if (curves->curves == NULL || curves->parameters == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory for %zu protocols", count);
    for (size_t i = 0; i < count; i++)
        curves->curves[i].parameters = &curves->parameters[i * per_curve];
    return MM_OK;
}

/* Storage behind the parameters of a curve. */
static double *parameters_of(struct cli_curves *curves, size_t index)
{
    return &curves->parameters[curves->curves[index].parameters - curves->parameters];
}

const char **cli_curves_overrides(const struct cli_curves_options *options, size_t *count)
{
    const struct cli_run *run = &options->run;
    const char **overrides = calloc(run->override_count + 1, sizeof *overrides);
    if (overrides == NULL)
        return NULL;
    for (size_t i = 0; i < run->override_count; i++)
        overrides[i] = run->overrides[i];
    *count = run->override_count;
    if (options->levels != NULL)
        overrides[(*count)++] = options->levels;
    return overrides;
}

/* -------------------------------------------------------------------------------------------- --params */

/* "c = 0.31, q = 0.145", of all free batches, behind the coupling where there are several. */
static void describe(const struct cli_curves *curves, size_t free_batches, struct mm_curve *curve)
{
    size_t used = 0;
    curve->label[0] = '\0';
    if (curves->config.g_count > 1)
        used = (size_t)snprintf(curve->label, sizeof curve->label, "g = %.6g, ", curve->g);
    for (size_t b = 0; b < free_batches && used < sizeof curve->label; b++)
        used += (size_t)snprintf(curve->label + used, sizeof curve->label - used, "%sc = %.4g, q = %.4g",
                                 b == 0 ? "" : "; ", curve->parameters[2 * b], curve->parameters[2 * b + 1]);
}

/* One curve for every --params at every g. */
static mm_status take_params(const struct cli_curves_options *options, struct cli_curves *curves,
                             struct mm_error *error)
{
    const struct mm_problem problem = mm_config_problem(&curves->config);
    const size_t free_batches = mm_problem_free_batches(&problem);
    const struct mm_axis couplings = mm_grid_axis(&curves->config, MM_AXIS_g);
    mm_status status = reserve(curves, options->params_count * couplings.count, error);
    for (size_t i = 0; i < options->params_count && status == MM_OK; i++)
        for (size_t g = 0; g < couplings.count && status == MM_OK; g++) {
            struct mm_curve *curve = &curves->curves[curves->count];
            status =
                cli_parse_parameters(options->params[i], free_batches, parameters_of(curves, curves->count), error);
            curve->g = couplings.values[g];
            curve->lambda = NAN;
            curves->count++;
            describe(curves, free_batches, curve);
            if (options->label_count > 0)
                snprintf(curve->label, sizeof curve->label, "%s", options->labels[i]);
        }
    return status;
}

static mm_status read_config(const struct cli_curves_options *options, struct cli_curves *curves,
                             struct mm_error *error)
{
    if (options->params_count == 0)
        return mm_fail(error, MM_ERROR_INPUT, "%s: is a configuration; --params c1,q1[,c2,q2..] is needed",
                       options->run.config_path);
    size_t count = 0;
    const char **overrides = cli_curves_overrides(options, &count);
    if (overrides == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory");
    mm_status status = mm_config_read(options->run.config_path, count, overrides, &curves->config, error);
    free(overrides);
    return status == MM_OK ? take_params(options, curves, error) : status;
}

/* ---------------------------------------------------------------------------------------- result files */

/* Copies c and q of the free batches of a chain. */
static void take_chain(struct cli_curves *curves, const struct mm_chain *chain)
{
    const struct mm_config *config = &curves->config;
    struct mm_curve *curve = &curves->curves[curves->count];
    mm_gather_parameters(config->batch_count, config->batches, chain->final, parameters_of(curves, curves->count));
    const struct mm_point at =
        mm_grid_evaluation_point(config, mm_grid_point_of(config, mm_grid_index_of(config, chain)));
    curve->g = at.g;
    curve->lambda = at.lambda;
    if (config->g_count > 1)
        snprintf(curve->label, sizeof curve->label, "g = %.6g, lambda = %.6g", curve->g, curve->lambda);
    else
        snprintf(curve->label, sizeof curve->label, "lambda = %.6g", curve->lambda);
    curves->count++;
}

static mm_status take_one_chain(const char *path, const struct mm_results *results, int64_t row,
                                struct cli_curves *curves, struct mm_error *error)
{
    int64_t finished = 0;
    for (int64_t i = 0; i < results->chain_count; i++) {
        if (!results->chains[i].finished || finished++ != row)
            continue;
        mm_status status = reserve(curves, 1, error);
        if (status == MM_OK)
            take_chain(curves, &results->chains[i]);
        return status;
    }
    return mm_fail(error, MM_ERROR_INPUT, "%s: --chain %lld: there %s %lld chain%s, numbered from 0", path,
                   (long long)row, finished == 1 ? "is" : "are", (long long)finished, mm_plural(finished));
}

static mm_status take_best_chains(const char *path, const struct mm_results *results, struct cli_curves *curves,
                                  struct mm_error *error)
{
    const struct mm_config *config = &curves->config;
    struct mm_results_view view = {config, results};
    const struct mm_chain_source source = mm_results_source(&view);
    mm_status status = reserve(curves, (size_t)mm_grid_points(config), error);
    for (int64_t point = 0; point < mm_grid_points(config) && status == MM_OK; point++) {
        const int64_t best = mm_chain_source_best(&source, (size_t)point, NULL);
        if (best >= 0)
            take_chain(curves, &results->chains[best]);
    }
    if (status == MM_OK && curves->count == 0)
        return mm_fail(error, MM_ERROR_INPUT, "%s: holds no finished chain", path);
    return status;
}

/* The configuration may be changed, but not what the chains were optimised for. */
static mm_status check_same_grid(const char *path, const struct mm_config *there, const struct mm_config *here,
                                 struct mm_error *error)
{
    bool same =
        mm_grid_is_same(there, here) && there->batch_count == here->batch_count && there->starts == here->starts;
    for (size_t b = 0; same && b < here->batch_count; b++)
        same = there->batches[b].fixed == here->batches[b].fixed;
    if (same)
        return MM_OK;
    return mm_fail(
        error, MM_ERROR_INPUT,
        "%s: --set must not change coupling, lambda, starts or which batches are fixed: its chains belong "
        "to those",
        path);
}

static mm_status take_chains(const struct cli_curves_options *options, const struct mm_config *there,
                             struct cli_curves *curves, struct mm_error *error)
{
    const char *path = options->run.config_path;
    struct mm_results results = {0};
    int64_t damaged = 0;
    mm_status status = check_same_grid(path, there, &curves->config, error);
    if (status == MM_OK)
        status = mm_results_create(&results, there, error);
    if (status == MM_OK)
        status = mm_result_file_resume(path, there, &results, &damaged, error);
    if (status == MM_OK && damaged > 0)
        status = mm_fail(error, MM_ERROR_INPUT,
                         "%s: %lld of its chains are damaged; the search command computes them again", path,
                         (long long)damaged);
    if (status == MM_OK)
        status = options->chain >= 0 ? take_one_chain(path, &results, options->chain, curves, error)
                                     : take_best_chains(path, &results, curves, error);
    mm_results_free(&results);
    return status;
}

/* Text of the configuration in a result file; free with free. */
static mm_status read_configuration(const char *path, char **text, struct mm_error *error)
{
    struct mm_hdf5_file file;
    mm_status status = mm_hdf5_file_open(&file, path, error);
    if (status != MM_OK)
        return status;
    if (file.kind != MM_FILE_SEARCH)
        mm_hdf5_fail(&file.hdf5, MM_ERROR_INPUT, "is not the result of a search");
    char *there = mm_hdf5_read_text(&file.hdf5, file.file, "configuration");
    *text = there == NULL ? NULL : strdup(there);
    if (*text == NULL)
        mm_hdf5_fail(&file.hdf5, MM_ERROR_MEMORY, "out of memory for the configuration");
    H5free_memory(there);
    if (file.hdf5.status == MM_OK)
        cli_warn_if_incomplete(&file, path);
    status = mm_hdf5_file_close(&file);
    if (status != MM_OK)
        free(*text);
    return status;
}

static mm_status read_result(const struct cli_curves_options *options, struct cli_curves *curves,
                             struct mm_error *error)
{
    const char *path = options->run.config_path;
    char *text = NULL;
    size_t count = 0;
    struct mm_config there = {0};
    mm_status status = read_configuration(path, &text, error);
    if (status != MM_OK)
        return status;
    const char **overrides = cli_curves_overrides(options, &count);
    if (overrides == NULL)
        status = mm_fail(error, MM_ERROR_MEMORY, "out of memory");
    if (status == MM_OK)
        status = mm_config_parse(path, text, strlen(text), 0, NULL, &there, error);
    if (status == MM_OK)
        status = mm_config_parse(path, text, strlen(text), count, overrides, &curves->config, error);
    if (status == MM_OK)
        status = options->params_count > 0 ? take_params(options, curves, error)
                                           : take_chains(options, &there, curves, error);
    mm_config_free(&there);
    free(overrides);
    free(text);
    return status;
}

mm_status cli_curves_read(const struct cli_curves_options *options, struct cli_curves *curves,
                          struct mm_error *error)
{
    const char *path = options->run.config_path;
    if (access(path, R_OK) != 0)
        return mm_fail(error, MM_ERROR_INPUT, "%s: cannot be read: %s", path, strerror(errno));
    if (cli_is_hdf5(path))
        return read_result(options, curves, error);
    if (options->best || options->chain >= 0)
        return mm_fail(error, MM_ERROR_INPUT, "%s: is not a result file, which --best and --chain need", path);
    return read_config(options, curves, error);
}
