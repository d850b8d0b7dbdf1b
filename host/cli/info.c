/* info.c - the command that says what the program was built with and can run on. */
#include <cblas.h>
#include <omp.h>
#include <string.h>

#include "files/hdf5/checked.h"
#include "cli/cli.h"
#include "base/instructions.h"
#include "base/json.h"

#ifndef MM_GIT_COMMIT
#define MM_GIT_COMMIT "unknown"
#endif

#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif

enum { OPTION_JSON = 512 };

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    bool *json = state->input;
    if (key == ARGP_KEY_ARG)
        return cli_usage_error(state, "'%s': info takes no arguments", text);
    if (key != OPTION_JSON)
        return ARGP_ERR_UNKNOWN;
    *json = true;
    return 0;
}

static void print_backend(void *context, const char *name, bool available, const char *text)
{
    (void)context;
    printf("backend %-10s %s: %s\n", name, available ? "available" : "not available", text);
}

static void print_backend_json(void *context, const char *name, bool available, const char *text)
{
    struct json *json = context;
    json_open(json, NULL, '{');
    json_string(json, "name", name);
    json_boolean(json, "available", available);
    json_string(json, "text", text);
    json_close(json, '}');
}

static void print_text(const char *hdf5_version)
{
    printf("micromaser         %s\n", MM_VERSION);
    printf("git commit         %s\n", MM_GIT_COMMIT);
    printf("compiler           %s\n", COMPILER);
    printf("instruction set    %s\n", mm_instructions_name(mm_instructions_find(NULL)));
    printf("threads            %d\n", omp_get_max_threads());
    printf("HDF5               %s\n", hdf5_version);
    printf("BLAS               %s\n", openblas_get_config());
    mm_backend_describe(print_backend, NULL);
}

static void print_json(const char *hdf5_version)
{
    struct json json = {.stream = stdout};
    json_open(&json, NULL, '{');
    json_string(&json, "version", MM_VERSION);
    json_string(&json, "git_commit", MM_GIT_COMMIT);
    json_string(&json, "compiler", COMPILER);
    json_string(&json, "instruction_set", mm_instructions_name(mm_instructions_find(NULL)));
    json_integer(&json, "threads", omp_get_max_threads());
    json_string(&json, "hdf5", hdf5_version);
    json_string(&json, "blas", openblas_get_config());
    json_open(&json, "backends", '[');
    mm_backend_describe(print_backend_json, &json);
    json_close(&json, ']');
    json_close(&json, '}');
    printf("\n");
}

int cli_info(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"json", OPTION_JSON, NULL, 0, "Print one JSON object", 0},
        {0},
    };
    static const struct argp argp = {
        .options = options,
        .parser = parse_option,
        .doc = "Says what this program was built with and which backends can run here.",
    };
    bool json = false;
    int code = cli_parse(&argp, argc, argv, &json);
    if (code != 0)
        return code;
    char hdf5_version[MM_HDF5_VERSION_SIZE];
    if (!mm_hdf5_version(hdf5_version)) {
        cli_report("HDF5 does not tell its version");
        return 1;
    }
    (json ? print_json : print_text)(hdf5_version);
    return cli_finish_output(0);
}
