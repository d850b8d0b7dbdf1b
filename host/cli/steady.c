/* steady.c - the command that tells chambers, steady states and lifetimes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/curves.h"
#include "files/hdf5/root.h"
#include "base/json.h"
#include "base/numbers.h"
#include "evolve/steady.h"

enum {
    OPTION_COLLISIONS = 512,
    OPTION_PER_DECADE,
    OPTION_Q,
    OPTION_BAND,
    OPTION_FROM,
    DEFAULT_PER_DECADE = 50,
    COLLISIONS_MAX = 1000000000,
    RECORDS_MAX = 1000000,
};

struct steady_command {
    struct cli_curves_options curves;
    int64_t collisions;
    int64_t per_decade;
    double q;     /* for Eq. 8, or NAN */
    double band;  /* relative half width, or NAN: the default */
    int64_t from; /* or -1: the default */
};

struct reports {
    size_t count;
    struct mm_steady *items; /* [count] */
};

/* ---------------------------------------------------------------------------------------------- options */

static error_t parse_number(const struct argp_state *state, const char *option, const char *text, double minimum,
                            double maximum, double *value)
{
    if (mm_number_parse(text, strlen(text), value) && *value >= minimum && *value <= maximum)
        return 0;
    return cli_usage_error(state, "%s '%s': must be a number from %g to %g", option, text, minimum, maximum);
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    struct steady_command *command = state->input;
    switch (key) {
    case OPTION_COLLISIONS:
        return cli_parse_integer(state, "--collisions", text, 1, COLLISIONS_MAX, &command->collisions);
    case OPTION_PER_DECADE:
        return cli_parse_integer(state, "--per-decade", text, 1, MM_PER_DECADE_MAX, &command->per_decade);
    case OPTION_Q:
        return parse_number(state, "--q", text, 0.0, 1.0, &command->q);
    case OPTION_BAND:
        return parse_number(state, "--band", text, 1e-12, 1.0, &command->band);
    case OPTION_FROM:
        return cli_parse_integer(state, "--from", text, 0, COLLISIONS_MAX, &command->from);
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &command->curves;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---------------------------------------------------------------------------------------------- reports */

static void free_reports(struct reports *reports)
{
    for (size_t i = 0; i < reports->count; i++)
        mm_steady_free(&reports->items[i]);
    free(reports->items);
    *reports = (struct reports){0};
}

static mm_status create_reports(struct reports *reports, size_t count, struct mm_error *error)
{
    reports->items = calloc(count, sizeof *reports->items);
    if (reports->items == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory for %zu curves", count);
    reports->count = count;
    return MM_OK;
}

/* Finds what follows from the records and from --q. */
static mm_status finish_reports(const struct steady_command *command, int64_t schedule, struct reports *reports,
                                struct mm_error *error)
{
    const int64_t from = command->from >= 0 ? command->from : schedule;
    mm_status status = MM_OK;
    for (size_t i = 0; i < reports->count && status == MM_OK; i++)
        status = mm_steady_finish(&reports->items[i], from, command->band, command->q, error);
    return status;
}

/* --------------------------------------------------------------------------------- from an evolution file */

struct arrays {
    struct mm_hdf5_array k, energy, population, g, qubits;
    struct mm_hdf5_texts labels;
};

static void read_arrays(struct mm_hdf5_file *file, struct arrays *arrays)
{
    mm_hdf5_read_array(file, "/evolution/k", 1, &arrays->k);
    mm_hdf5_read_array(file, "/evolution/energy", 2, &arrays->energy);
    mm_hdf5_read_array(file, "/evolution/population", 3, &arrays->population);
    mm_hdf5_read_array(file, "/curve/g", 1, &arrays->g);
    mm_hdf5_read_array(file, "/protocol/qubits", 1, &arrays->qubits);
    mm_hdf5_read_texts(file, "/curve/label", &arrays->labels);
    mm_hdf5_check_length(file, "/evolution/energy", &arrays->energy, 0, arrays->g.count);
    mm_hdf5_check_length(file, "/evolution/energy", &arrays->energy, 1, arrays->k.count);
    mm_hdf5_check_length(file, "/evolution/population", &arrays->population, 0, arrays->g.count);
    mm_hdf5_check_length(file, "/evolution/population", &arrays->population, 1, arrays->k.count);
    if (file->hdf5.status == MM_OK && arrays->labels.count != arrays->g.count)
        mm_hdf5_fail(&file->hdf5, MM_ERROR_INPUT, "/curve/label has the wrong shape");
    if (file->hdf5.status == MM_OK &&
        (arrays->population.length[2] < 1 || arrays->population.length[2] > MM_LEVELS_MAX))
        mm_hdf5_fail(&file->hdf5, MM_ERROR_INPUT, "/evolution/population has an impossible number of levels");
}

static void free_arrays(struct arrays *arrays)
{
    mm_hdf5_array_free(&arrays->k);
    mm_hdf5_array_free(&arrays->energy);
    mm_hdf5_array_free(&arrays->population);
    mm_hdf5_array_free(&arrays->g);
    mm_hdf5_array_free(&arrays->qubits);
    mm_hdf5_texts_free(&arrays->labels);
}

static mm_status report_arrays(const struct arrays *arrays, struct reports *reports, struct mm_error *error)
{
    const size_t records = arrays->k.count, levels = arrays->population.length[2];
    mm_status status = create_reports(reports, arrays->g.count, error);
    for (size_t c = 0; c < arrays->g.count && status == MM_OK; c++) {
        struct mm_steady *report = &reports->items[c];
        status = mm_steady_begin(report, arrays->labels.texts[c], arrays->g.values[c], (int)levels, records, error);
        for (size_t i = 0; i < records && status == MM_OK; i++)
            mm_steady_add(report, (int64_t)arrays->k.values[i], arrays->energy.values[c * records + i], levels,
                          &arrays->population.values[(c * records + i) * levels]);
    }
    return status;
}

static mm_status read_evolution(const struct steady_command *command, struct reports *reports,
                                struct mm_error *error)
{
    const char *path = command->curves.run.config_path;
    struct arrays arrays = {0};
    struct mm_hdf5_file file;
    mm_status status = mm_hdf5_file_open(&file, path, error);
    if (status != MM_OK)
        return status;
    if (file.kind != MM_FILE_EVOLUTION)
        mm_hdf5_fail(&file.hdf5, MM_ERROR_INPUT, "is not an evolution file; for a result file give --collisions");
    read_arrays(&file, &arrays);
    if (file.hdf5.status == MM_OK)
        cli_warn_if_incomplete(&file, path);
    status = mm_hdf5_file_close(&file);
    if (status == MM_OK)
        status = report_arrays(&arrays, reports, error);
    int64_t schedule = 0;
    for (size_t b = 0; b < arrays.qubits.count; b++)
        schedule += (int64_t)arrays.qubits.values[b];
    if (status == MM_OK)
        status = finish_reports(command, schedule, reports, error);
    free_arrays(&arrays);
    return status;
}

/* ------------------------------------------------------------------------------- from a computed evolution */

static mm_status evolve(const struct steady_command *command, const struct mm_evolution_plan *plan,
                        struct reports *reports, struct mm_error *error)
{
    struct mm_evolution evolution = {0};
    mm_status status = mm_evolution_open(&evolution, plan, &command->curves.run.solver, error);
    while (status == MM_OK && !mm_evolution_done(&evolution)) {
        status = mm_evolution_advance(&evolution, error);
        if (status == MM_OK)
            mm_steady_add_round(reports->items, &evolution);
    }
    mm_evolution_close(&evolution);
    return status;
}

static mm_status report_curves(const struct steady_command *command, const struct cli_curves *curves,
                               struct reports *reports, struct mm_error *error)
{
    const int64_t last = command->collisions;
    const struct mm_evolution_plan plan = {
        .problem = mm_config_problem(&curves->config),
        .curve_count = curves->count,
        .curves = curves->curves,
        .collisions = last,
        .per_decade = command->per_decade > 0 ? (int)command->per_decade : DEFAULT_PER_DECADE,
        .state_count = 1,
        .states = &last,
    };
    const int64_t records = mm_evolution_record_count(&plan, 0, last) + 1;
    if (records > RECORDS_MAX)
        return mm_fail(error, MM_ERROR_INPUT, "--per-decade %d: more than %d records", plan.per_decade,
                       RECORDS_MAX);
    mm_status status = create_reports(reports, curves->count, error);
    for (size_t c = 0; c < curves->count && status == MM_OK; c++)
        status =
            mm_steady_begin(&reports->items[c], curves->curves[c].label, curves->curves[c].g,
                            mm_chambers_levels(curves->config.levels, curves->curves[c].g), (size_t)records, error);
    if (status == MM_OK)
        status = evolve(command, &plan, reports, error);
    if (status == MM_OK)
        status = finish_reports(command, mm_problem_collisions(&plan.problem), reports, error);
    return status;
}

/* Chambers alone, of every g of a configuration. */
static mm_status report_couplings(const struct steady_command *command, struct reports *reports,
                                  struct mm_error *error)
{
    size_t count = 0;
    struct mm_config config = {0};
    const char **overrides = cli_curves_overrides(&command->curves, &count);
    if (overrides == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory");
    mm_status status = mm_config_read(command->curves.run.config_path, count, overrides, &config, error);
    free(overrides);
    if (status == MM_OK)
        status = create_reports(reports, config.g_count, error);
    for (size_t g = 0; g < reports->count && status == MM_OK; g++) {
        char label[64];
        snprintf(label, sizeof label, "g = %.9g", config.g[g]);
        status = mm_steady_begin(&reports->items[g], label, config.g[g],
                                 mm_chambers_levels(config.levels, config.g[g]), 0, error);
    }
    if (status == MM_OK)
        status = finish_reports(command, 0, reports, error);
    mm_config_free(&config);
    return status;
}

/* ------------------------------------------------------------------------------------------------ output */

static void print_borders(const struct mm_chambers *chambers)
{
    printf("%8s %12s %4s %6s %12s %12s\n", "chamber", "levels", "Q", "m", "epsilon", "leak");
    int first = 0;
    for (int i = 0; i < chambers->border_count; i++) {
        const struct mm_chamber_border *border = &chambers->borders[i];
        char range[32];
        snprintf(range, sizeof range, "%d .. %d", first, border->m - 1);
        printf("%8d %12s %4d %6d %12.6f %12.4g\n", i + 1, range, border->Q, border->m, border->epsilon,
               border->leak);
        first = border->m;
    }
    printf("%8d %9d ..\n", chambers->border_count + 1, first);
}

static void print_lifetime(const struct mm_lifetime *lifetime)
{
    if (!lifetime->found) {
        printf("no plateau: fewer than three records from the end of the schedule on (see --from)\n");
        return;
    }
    printf("plateau    E = %.6f at k = %lld, band +- %.4g\n", lifetime->energy, (long long)lifetime->plateau,
           lifetime->band);
    printf("enters     k = %.0f\n", lifetime->enters);
    if (isfinite(lifetime->leaves))
        printf("leaves     k = %.0f\nlifetime   %.0f collisions\n", lifetime->leaves, lifetime->lifetime);
    else
        printf("leaves     not before the end\n");
    printf("drift      dE/dk = %.4g, rate %.4g a collision\n", lifetime->slope, lifetime->rate);
}

/* Rows of the table of chambers: k = 0, the first record of every decade, and the last one. */
static bool is_shown(const struct mm_steady *report, size_t i)
{
    if (i == 0 || i + 1 == report->count)
        return true;
    const double decade = floor(log10((double)report->k[i]));
    return report->k[i - 1] == 0 || floor(log10((double)report->k[i - 1])) < decade;
}

static void print_populations(const struct mm_steady *report)
{
    const size_t chambers = (size_t)report->chambers.border_count + 1;
    printf("%10s %12s", "k", "E");
    for (size_t j = 0; j < chambers; j++)
        printf("   chamber %-2zu", j + 1);
    printf("\n");
    for (size_t i = 0; i < report->count; i++) {
        if (!is_shown(report, i))
            continue;
        printf("%10lld %12.6f", (long long)report->k[i], report->energies[i]);
        for (size_t j = 0; j < chambers; j++)
            printf(" %12.6g", report->sums[i * chambers + j]);
        printf("\n");
    }
}

static void print_steady(const struct mm_steady *report, double q)
{
    if (report->steady == NULL) {
        printf("no steady state of Eq. 8: no chamber ends within %d levels\n", report->chambers.levels);
        return;
    }
    const struct mm_chamber_border *border = &report->chambers.borders[0];
    printf("steady state for c = 1, q = %.6g in the first chamber (Eq. 8), %s\n%6s %14s\n", q,
           mm_chamber_is_fine_tuned(border) ? "g is fine-tuned" : "as if g were fine-tuned, which it is not", "n",
           "rho_nn");
    for (int n = 0; n < border->m; n++)
        printf("%6d %14.8g\n", n, report->steady[n]);
}

/* Whether a label begins with the coupling, as those of several couplings do. */
static bool tells_coupling(const char *label, double g)
{
    static const char begin[] = "g = ";
    const size_t length = sizeof begin - 1;
    return strncmp(label, begin, length) == 0 && fabs(strtod(label + length, NULL) - g) <= 1e-5 * g;
}

static void print_heading(const struct mm_steady *report)
{
    printf("%s", report->label);
    if (!tells_coupling(report->label, report->chambers.g))
        printf(", g = %.9g", report->chambers.g);
    printf("\n");
}

static void print_text(const struct steady_command *command, const struct reports *reports)
{
    for (size_t i = 0; i < reports->count; i++) {
        const struct mm_steady *report = &reports->items[i];
        printf("%s", i == 0 ? "" : "\n");
        print_heading(report);
        print_borders(&report->chambers);
        if (!isnan(command->q))
            print_steady(report, command->q);
        if (report->count == 0)
            continue;
        print_lifetime(&report->lifetime);
        print_populations(report);
    }
}

static void print_chambers_json(struct json *json, const struct mm_chambers *chambers)
{
    json_open(json, "borders", '[');
    for (int i = 0; i < chambers->border_count; i++) {
        json_open(json, NULL, '{');
        json_integer(json, "Q", chambers->borders[i].Q);
        json_integer(json, "m", chambers->borders[i].m);
        json_number(json, "epsilon", chambers->borders[i].epsilon);
        json_number(json, "leak", chambers->borders[i].leak);
        json_close(json, '}');
    }
    json_close(json, ']');
    json_open(json, "chamber_of_level", '[');
    for (int n = 0; n < chambers->levels; n++)
        json_integer(json, NULL, mm_chambers_of_level(chambers, n) + 1);
    json_close(json, ']');
}

static void print_lifetime_json(struct json *json, const struct mm_lifetime *lifetime)
{
    json_open(json, "lifetime", '{');
    json_boolean(json, "found", lifetime->found);
    json_integer(json, "plateau", lifetime->plateau);
    json_number(json, "energy", lifetime->energy);
    json_number(json, "band", lifetime->band);
    json_number(json, "enters", lifetime->enters);
    json_number(json, "leaves", lifetime->leaves);
    json_number(json, "lifetime", lifetime->lifetime);
    json_number(json, "slope", lifetime->slope);
    json_number(json, "rate", lifetime->rate);
    json_close(json, '}');
}

static void print_records_json(struct json *json, const struct mm_steady *report)
{
    const size_t chambers = (size_t)report->chambers.border_count + 1;
    json_open(json, "k", '[');
    for (size_t i = 0; i < report->count; i++)
        json_integer(json, NULL, report->k[i]);
    json_close(json, ']');
    json_open(json, "chamber_population", '[');
    for (size_t i = 0; i < report->count; i++) {
        json_open(json, NULL, '[');
        for (size_t j = 0; j < chambers; j++)
            json_number(json, NULL, report->sums[i * chambers + j]);
        json_close(json, ']');
    }
    json_close(json, ']');
}

static void print_json(const struct reports *reports)
{
    struct json json = {.stream = stdout};
    json_open(&json, NULL, '[');
    for (size_t c = 0; c < reports->count; c++) {
        const struct mm_steady *report = &reports->items[c];
        json_open(&json, NULL, '{');
        json_string(&json, "label", report->label);
        json_number(&json, "g", report->chambers.g);
        print_chambers_json(&json, &report->chambers);
        if (report->steady != NULL) {
            json_open(&json, "steady_population", '[');
            for (int n = 0; n < report->chambers.borders[0].m; n++)
                json_number(&json, NULL, report->steady[n]);
            json_close(&json, ']');
        }
        if (report->count > 0) {
            print_lifetime_json(&json, &report->lifetime);
            print_records_json(&json, report);
        }
        json_close(&json, '}');
    }
    json_close(&json, ']');
    printf("\n");
}

/* ----------------------------------------------------------------------------------------------- command */

static bool has_protocols(const struct cli_curves_options *options)
{
    return options->params_count > 0 || options->best || options->chain >= 0;
}

/* Refuses an option that has no effect where nothing is evolved: `evolved` before, or not at all. */
static mm_status check_options(const struct steady_command *command, bool evolved, struct mm_error *error)
{
    const struct cli_curves_options *curves = &command->curves;
    const char *path = curves->run.config_path;
    if (has_protocols(curves) || command->per_decade > 0)
        return mm_fail(error, MM_ERROR_INPUT, "--collisions K is needed to evolve a protocol");
    if (evolved && (curves->run.override_count > 0 || curves->levels != NULL))
        return mm_fail(error, MM_ERROR_INPUT, "%s: --set and --levels do not change what has been evolved already",
                       path);
    if (!evolved && (command->from >= 0 || !isnan(command->band)))
        return mm_fail(error, MM_ERROR_INPUT, "%s: --from and --band need an evolution: --collisions K makes one",
                       path);
    return MM_OK;
}

static mm_status make_reports(const struct steady_command *command, struct cli_curves *curves,
                              struct reports *reports, struct mm_error *error)
{
    mm_status status = MM_OK;
    if (command->collisions > 0) {
        status = cli_curves_read(&command->curves, curves, error);
        return status == MM_OK ? report_curves(command, curves, reports, error) : status;
    }
    const bool evolved = cli_is_hdf5(command->curves.run.config_path);
    status = check_options(command, evolved, error);
    if (status == MM_OK)
        status = evolved ? read_evolution(command, reports, error) : report_couplings(command, reports, error);
    return status;
}

static int run_command(struct steady_command *command)
{
    struct cli_curves curves = {0};
    struct reports reports = {0};
    struct mm_error error = {0};
    mm_status status = make_reports(command, &curves, &reports, &error);
    if (status != MM_OK) {
        cli_fail(&error);
    } else if (command->curves.run.json) {
        print_json(&reports);
    } else {
        print_text(command, &reports);
    }
    free_reports(&reports);
    cli_curves_free(&command->curves, &curves);
    return status == MM_OK ? cli_finish_output(0) : mm_status_exit_code(status);
}

int cli_steady(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"collisions", OPTION_COLLISIONS, "K", 0, "Evolve the protocols through K collisions first", 0},
        {"per-decade", OPTION_PER_DECADE, "N", 0, "States a decade of that evolution (default 50)", 0},
        {"q", OPTION_Q, "Q", 0, "Also the steady state of Eq. 8 for qubits with c = 1 and this q", 0},
        {"band", OPTION_BAND, "X", 0,
         "Half width of the band around the plateau, relative to its energy "
         "(default 0.01)",
         0},
        {"from", OPTION_FROM, "K", 0, "Look for the plateau from here on (default: the end of the schedule)", 0},
        {0},
    };
    static const struct argp_child children[] = {{.argp = &cli_curves_argp}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse_option,
        .args_doc = "CONFIG|RESULT.h5|EVOLUTION.h5",
        .doc =
            "Tells the trapping chambers of the coupling (Eqs. 7 and 9), the population in each of them along an "
            "evolution, and how long its plateau lives.\v"
            "The plateau is the recorded k, from the end of the schedule on, where |dE / d ln k| is smallest; its "
            "lifetime are the collisions between entering and leaving the band around its energy; the rate is the "
            "slope dE/dk from there on divided by the half width of the band.",
        .children = children,
    };
    struct steady_command command = {.curves.chain = -1, .q = NAN, .band = NAN, .from = -1};
    int code = cli_parse(&argp, argc, argv, &command);
    if (code == 0)
        return run_command(&command);
    struct cli_curves none = {0};
    cli_curves_free(&command.curves, &none);
    return code;
}
