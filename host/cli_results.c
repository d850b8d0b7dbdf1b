/* cli_results.c - the results of a search on standard output. */
#include <stdio.h>

#include "cli.h"
#include "cli_results.h"
#include "json.h"

enum { BATCHES_SHOWN = 4 /* more are abbreviated to the first and the last */ };

/* A population of the top level above which the loss may depend on the number of levels. */
static const double LARGEST_TRUNCATION_POPULATION = 1e-8;

/** The best chain of a grid point. */
struct best {
    size_t g_index;
    size_t lambda_index;
    const struct mm_chain *chain; /* NULL if none is finished */
    int64_t agree;
    int64_t finished;
};

static struct best find_best(const struct mm_config *config, const struct mm_results *results, size_t cell)
{
    struct best best = {.g_index = cell / config->lambda_count, .lambda_index = cell % config->lambda_count};
    int64_t index = mm_results_best(results, config, best.g_index, best.lambda_index, &best.agree);
    best.chain = index < 0 ? NULL : &results->chains[index];
    for (int64_t start = 0; start < config->starts; start++)
        best.finished += results->chains[(int64_t)cell * config->starts + start].finished;
    return best;
}

/* ----------------------------------------------------------------------------------------- table */

static bool is_shown(const struct mm_config *config, size_t batch)
{
    return config->batch_count <= BATCHES_SHOWN || batch == 0 || batch == config->batch_count - 1;
}

static void print_heading(const struct mm_config *config)
{
    printf("%10s %10s ", "g", "lambda");
    for (size_t b = 0; b < config->batch_count; b++) {
        char name[32];
        if (b == 1 && !is_shown(config, b))
            printf(" ...");
        if (!is_shown(config, b))
            continue;
        snprintf(name, sizeof name, "c%zu", b + 1);
        printf(" %8s", name);
        name[0] = 'q';
        printf(" %8s", name);
    }
    printf(" %13s %10s %8s %11s  %s\n", "loss", "W", "purity", "instability", "agree");
}

static void print_parameters(const struct mm_config *config, const struct mm_chain *chain)
{
    for (size_t b = 0; b < config->batch_count; b++) {
        if (b == 1 && !is_shown(config, b))
            printf(" ...");
        if (is_shown(config, b))
            printf(" %8.5f %8.5f", chain->final[2 * b], chain->final[2 * b + 1]);
    }
}

void cli_print_table(const struct mm_config *config, const struct mm_results *results)
{
    print_heading(config);
    for (size_t cell = 0; cell < config->g_count * config->lambda_count; cell++) {
        struct best best = find_best(config, results, cell);
        printf("%10.6g %10.6g ", config->g[best.g_index], config->lambda[best.lambda_index]);
        if (best.chain == NULL) {
            printf(" no chain is finished\n");
            continue;
        }
        const struct mm_evaluation *evaluation = &best.chain->evaluation;
        print_parameters(config, best.chain);
        printf(" %13.8f %10.5f %8.5f %11.4e  %lld/%lld\n", evaluation->loss, evaluation->ergotropy,
               evaluation->purity, evaluation->instability, (long long)best.agree, (long long)best.finished);
    }
}

/* ------------------------------------------------------------------------------------------ JSON */

static void print_best_json(struct json *json, const struct mm_config *config, const struct mm_chain *chain)
{
    const struct mm_evaluation *evaluation = &chain->evaluation;
    for (size_t parameter = 0; parameter < 2; parameter++) {
        json_open(json, parameter == 0 ? "c" : "q", '[');
        for (size_t b = 0; b < config->batch_count; b++)
            json_number(json, NULL, chain->final[2 * b + parameter]);
        json_close(json, ']');
    }
    json_number(json, "loss", evaluation->loss);
    json_number(json, "ergotropy", evaluation->ergotropy);
    json_number(json, "energy", evaluation->energy);
    json_number(json, "purity", evaluation->purity);
    json_number(json, "instability", evaluation->instability);
    json_number(json, "band_error", evaluation->band_error);
    json_number(json, "truncation_population", evaluation->truncation_population);
    json_integer(json, "levels", evaluation->levels);
    json_integer(json, "start", chain->start);
    json_string(json, "status", mm_stop_reason_text(chain->status));
}

static void print_cell_json(struct json *json, const struct mm_config *config, const struct best *best)
{
    json_open(json, NULL, '{');
    json_number(json, "g", config->g[best->g_index]);
    json_number(json, "lambda", config->lambda[best->lambda_index]);
    json_integer(json, "finished", best->finished);
    json_integer(json, "agree", best->agree);
    if (best->chain != NULL)
        print_best_json(json, config, best->chain);
    json_close(json, '}');
}

void cli_print_results_json(const struct mm_config *config, const struct mm_results *results, const char *path)
{
    struct json json = {.stream = stdout};
    json_open(&json, NULL, '{');
    json_string(&json, "file", path);
    json_string(&json, "backend", results->backend);
    json_string(&json, "device", results->device);
    json_number(&json, "seconds", results->seconds);
    json_integer(&json, "starts", config->starts);
    json_open(&json, "grid", '[');
    for (size_t cell = 0; cell < config->g_count * config->lambda_count; cell++) {
        struct best best = find_best(config, results, cell);
        print_cell_json(&json, config, &best);
    }
    json_close(&json, ']');
    json_close(&json, '}');
    printf("\n");
}

/* -------------------------------------------------------------------------------------- warnings */

void cli_warn_of_truncation(const struct mm_config *config, const struct mm_results *results)
{
    struct best worst = {0};
    size_t affected = 0;
    for (size_t cell = 0; cell < config->g_count * config->lambda_count; cell++) {
        struct best best = find_best(config, results, cell);
        if (best.chain == NULL || best.chain->evaluation.truncation_population <= LARGEST_TRUNCATION_POPULATION)
            continue;
        affected++;
        if (worst.chain == NULL ||
            best.chain->evaluation.truncation_population > worst.chain->evaluation.truncation_population)
            worst = best;
    }
    if (affected > 0)
        cli_report(
            "warning: at %zu grid point%s the state reached the top of its %d levels (population %.1e at g = "
            "%.6g, lambda = %.6g): set cavity.levels higher, or to auto",
            affected, affected == 1 ? "" : "s", worst.chain->evaluation.levels,
            worst.chain->evaluation.truncation_population, config->g[worst.g_index],
            config->lambda[worst.lambda_index]);
}
