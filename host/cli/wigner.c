/* wigner.c - the command that adds Wigner functions to an evolution file. */
#include <math.h>
#include <string.h>

#include "cli/cli.h"
#include "base/json.h"
#include "base/numbers.h"
#include "base/text.h"
#include "files/evolution/wigner.h"

enum {
    OPTION_K = 512,
    OPTION_STATE,
    OPTION_GRID,
    OPTION_EXTENT,
    OPTION_FORCE,
    OPTION_BACKEND,
    OPTION_THREADS,
    OPTION_JSON
};

enum { POINTS_MIN = 2, STATES_MAX = 1000000000 };

/* Beyond these the grid is called too narrow or too coarse. */
static const double LARGEST_INTEGRAL_ERROR = 1e-6;
static const double LARGEST_MEAN_SQUARE_ERROR = 1e-4;

struct wigner_command {
    struct mm_wigner_request request;
    bool json;
};

/* ------------------------------------------------------------------------------------------- options */

/* Finds the two parts of "A,B", or of "A" which stands for both. False if there are more. */
static bool split_pair(const char *text, struct mm_span parts[2])
{
    size_t length = strcspn(text, ",");
    parts[0] = (struct mm_span){text, length};
    parts[1] = text[length] == ',' ? (struct mm_span){text + length + 1, strlen(text + length + 1)} : parts[0];
    return memchr(parts[1].text, ',', parts[1].length) == NULL;
}

static error_t parse_grid(struct mm_wigner_request *request, const char *text, const struct argp_state *state)
{
    struct mm_span parts[2];
    uint64_t count[2] = {0};
    bool valid = split_pair(text, parts);
    for (size_t i = 0; i < 2; i++)
        valid = valid && mm_integer_parse(parts[i].text, parts[i].length, &count[i]) && count[i] >= POINTS_MIN &&
                count[i] <= MM_WIGNER_POINTS_MAX;
    if (!valid)
        return cli_usage_error(state, "--grid '%.*s': must be NX,NP, whole numbers of points from %d to %d",
                               mm_text_excerpt(text, strlen(text)), text, POINTS_MIN, MM_WIGNER_POINTS_MAX);
    request->x_count = count[0];
    request->p_count = count[1];
    return 0;
}

static error_t parse_extent(struct mm_wigner_request *request, const char *text, const struct argp_state *state)
{
    struct mm_span parts[2];
    double extent[2] = {0.0};
    bool valid = split_pair(text, parts);
    for (size_t i = 0; i < 2; i++)
        valid = valid && mm_number_parse(parts[i].text, parts[i].length, &extent[i]) && extent[i] > 0.0 &&
                extent[i] <= MM_WIGNER_COORDINATE_MAX;
    if (!valid)
        return cli_usage_error(state, "--extent '%.*s': must be X,P, numbers above 0 and up to %d",
                               mm_text_excerpt(text, strlen(text)), text, MM_WIGNER_COORDINATE_MAX);
    request->x_extent = extent[0];
    request->p_extent = extent[1];
    return 0;
}

static error_t check_command(const struct mm_wigner_request *request, const struct argp_state *state)
{
    if (request->path == NULL)
        return cli_usage_error(state, "an evolution file is needed");
    if (request->k >= 0 && request->state >= 0)
        return cli_usage_error(state, "--k and --state choose a state each: give one of them");
    return 0;
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    struct wigner_command *command = state->input;
    struct mm_wigner_request *request = &command->request;
    int64_t threads = 0;
    error_t failure = 0;
    switch (key) {
    case OPTION_K:
        return cli_parse_integer(state, "--k", text, 0, INT64_MAX, &request->k);
    case OPTION_STATE:
        return cli_parse_integer(state, "--state", text, 0, STATES_MAX, &request->state);
    case OPTION_GRID:
        return parse_grid(request, text, state);
    case OPTION_EXTENT:
        return parse_extent(request, text, state);
    case OPTION_FORCE:
        request->replace = true;
        return 0;
    case OPTION_BACKEND:
        request->solver.backend = text;
        return 0;
    case OPTION_THREADS:
        failure = cli_parse_integer(state, "--threads", text, 1, CLI_THREADS_MAX, &threads);
        request->solver.threads = (int)threads;
        return failure;
    case OPTION_JSON:
        command->json = true;
        return 0;
    case 'o':
        request->output = text;
        return 0;
    case ARGP_KEY_ARG:
        if (request->path != NULL)
            return cli_usage_error(state, "'%s': one file is enough", text);
        request->path = text;
        return 0;
    case ARGP_KEY_END:
        return check_command(request, state);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* -------------------------------------------------------------------------------------------- output */

static void print_table(const struct mm_wigner_report *report)
{
    printf("%12s %12s %12s %12s %12s %10s %10s  %s\n", "k", "integral-1", "<x2+p2>", "2E+1", "purity", "minimum",
           "negative", "curve");
    for (size_t i = 0; i < report->count; i++) {
        const struct mm_wigner_entry *entry = &report->entries[i];
        const struct mm_wigner_summary *summary = &entry->summary;
        char label[256];
        mm_text_to_line(report->labels[entry->curve], sizeof label, label);
        printf("%12lld %12.1e %12.7g %12.7g %12.9f %10.6f %10.6f  %s\n", (long long)entry->k,
               summary->integral - 1.0, summary->mean_square, 2.0 * entry->energy + 1.0, summary->purity,
               summary->minimum, summary->negative_volume, label);
    }
}

static void print_json(const struct mm_wigner_request *request, const struct mm_wigner_report *report)
{
    struct json json = {.stream = stdout};
    json_open(&json, NULL, '{');
    json_string(&json, "file", request->output == NULL ? request->path : request->output);
    json_integer(&json, "x_points", (int64_t)report->x_count);
    json_integer(&json, "p_points", (int64_t)report->p_count);
    json_number(&json, "x_extent", report->x_extent);
    json_number(&json, "p_extent", report->p_extent);
    json_open(&json, "states", '[');
    for (size_t i = 0; i < report->count; i++) {
        const struct mm_wigner_entry *entry = &report->entries[i];
        json_open(&json, NULL, '{');
        json_integer(&json, "curve", (int64_t)entry->curve);
        json_string(&json, "label", report->labels[entry->curve]);
        json_integer(&json, "k", entry->k);
        json_number(&json, "energy", entry->energy);
        json_number(&json, "purity", entry->purity);
        json_number(&json, "integral", entry->summary.integral);
        json_number(&json, "mean_square", entry->summary.mean_square);
        json_number(&json, "purity_from_wigner", entry->summary.purity);
        json_number(&json, "negative_volume", entry->summary.negative_volume);
        json_number(&json, "minimum", entry->summary.minimum);
        json_number(&json, "maximum", entry->summary.maximum);
        json_close(&json, '}');
    }
    json_close(&json, ']');
    json_close(&json, '}');
    printf("\n");
}

/* The integral must be 1 and the mean square that of the populations, unless the grid misses something. */
static void warn_of_grid(const struct mm_wigner_report *report)
{
    const struct mm_wigner_entry *worst = NULL;
    size_t affected = 0;
    for (size_t i = 0; i < report->count; i++) {
        const struct mm_wigner_entry *entry = &report->entries[i];
        double expected = 2.0 * entry->energy + 1.0;
        if (fabs(entry->summary.integral - 1.0) <= LARGEST_INTEGRAL_ERROR &&
            fabs(entry->summary.mean_square - expected) <= LARGEST_MEAN_SQUARE_ERROR * expected)
            continue;
        affected++;
        if (worst == NULL || fabs(entry->summary.integral - 1.0) > fabs(worst->summary.integral - 1.0))
            worst = entry;
    }
    if (worst != NULL)
        cli_report(
            "warning: the grid is too narrow or too coarse for %zu of %zu states: after %lld collisions the "
            "integral is %.8g and <x^2 + p^2> is %.8g, not %.8g; give --grid more points or --extent more room",
            affected, report->count, (long long)worst->k, worst->summary.integral, worst->summary.mean_square,
            2.0 * worst->energy + 1.0);
}

static int run(struct wigner_command *command)
{
    struct mm_wigner_report report = {0};
    struct mm_error error = {0};
    cli_catch_interrupts();
    command->request.stop = cli_stop_requested();
    mm_status status = mm_wigner_file_add(&command->request, &report, &error);
    if (status == MM_OK || status == MM_STOPPED) {
        if (command->json)
            print_json(&command->request, &report);
        else
            print_table(&report);
        warn_of_grid(&report);
    }
    mm_wigner_report_free(&report);
    return status == MM_OK ? cli_finish_output(0) : cli_fail(&error);
}

int cli_wigner(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"k", OPTION_K, "K", 0,
         "Only the state after K collisions; it is computed and stored where the file has none", 0},
        {"state", OPTION_STATE, "I", 0, "Only the I-th stored state, counted from 0", 0},
        {"grid", OPTION_GRID, "NX,NP", 0, "Points of x and p, 2 to 4001 (default: as in the file, or 201,201)", 0},
        {"extent", OPTION_EXTENT, "X,P", 0,
         "The grid runs from -X to X and -P to P (default: as in the file, or as wide as needed)", 0},
        {"output", 'o', "FILE.h5", 0, "Write an extended copy (default: extend the file itself)", 0},
        {"force", OPTION_FORCE, NULL, 0, "Replace an existing output, and Wigner functions on another grid", 0},
        {"backend", OPTION_BACKEND, "NAME", 0, "auto (default), cpu or cuda", 0},
        {"threads", OPTION_THREADS, "N", 0, "CPU threads (default: all that are available)", 0},
        {"json", OPTION_JSON, NULL, 0, "Print the checks as one JSON object", 0},
        {0},
    };
    static const struct argp argp = {
        .options = options,
        .parser = parse_option,
        .args_doc = "EVOLUTION.h5",
        .doc = "Adds the Wigner functions W(x, p) of the states, x = (a + a^dagger) / sqrt(2), integral 1, to "
               "an evolution file: /state/wigner, /state/x and /state/p. Prints how well they keep their integral, "
               "and <x^2 + p^2> = 2 E + 1 of the populations.",
    };
    struct wigner_command command = {
        .request = {.state = -1, .k = -1, .solver = {.size = sizeof(struct mm_solver_options)}},
    };
    int code = cli_parse(&argp, argc, argv, &command);
    return code == 0 ? run(&command) : code;
}
