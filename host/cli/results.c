/* results.c - the results of a search on standard output. */
#include <stdio.h>
#include <stdlib.h>

#include "chain/grid.h"
#include "cli/cli.h"
#include "cli/results.h"
#include "base/json.h"
#include "base/text.h"
#include "model/problem.h"

enum { BATCHES_SHOWN = 4 /* more are abbreviated to the first and the last */ };

/* The best chain of a grid point. */
struct best {
    int64_t point;
    bool found; /* false: none is finished, and `chain` means nothing */
    struct mm_chain chain;
    int64_t agree;
    int64_t finished;
};

/* Walks through the best chains of all grid points. */
struct walk {
    struct mm_chain_source *source;
    size_t cell;           /* the next one */
    double *parameters;    /* storage behind the chain of the last one */
    unsigned char *record; /* scratch */
    mm_status status;
    struct mm_error *error;
};

static struct walk begin_walk(struct mm_chain_source *source, struct mm_error *error)
{
    size_t batch_count = source->config->batch_count;
    struct walk walk = {
        .source = source,
        .parameters = malloc(4 * batch_count * sizeof *walk.parameters),
        .record = malloc(mm_chain_record_size(batch_count)),
        .error = error,
    };
    if (walk.parameters == NULL || walk.record == NULL)
        walk.status = mm_fail(error, MM_ERROR_MEMORY, "out of memory");
    return walk;
}

static mm_status end_walk(struct walk *walk)
{
    free(walk->parameters);
    free(walk->record);
    return walk->status;
}

/* Goes to the next grid point; false after the last one or a failure. */
static bool next_best(struct walk *walk, struct best *best)
{
    struct mm_chain_source *source = walk->source;
    const struct mm_config *config = source->config;
    size_t cell = walk->cell++;
    if (walk->status != MM_OK || cell == (size_t)mm_grid_points(config))
        return false;
    *best = (struct best){.point = (int64_t)cell};
    int64_t index = mm_chain_source_best(source, cell, &best->agree);
    for (int64_t start = 0; start < config->starts; start++)
        best->finished += source->has(source->context, (int64_t)cell * config->starts + start);
    best->found = index >= 0;
    if (!best->found)
        return true;
    walk->status = source->read(source->context, 1, &index, walk->record, walk->error);
    if (walk->status == MM_OK)
        mm_chain_record_unpack(config->batch_count, walk->record, walk->parameters, &best->chain);
    return walk->status == MM_OK;
}

/* ----------------------------------------------------------------------------------------- table */

static bool is_shown(const struct mm_config *config, size_t batch)
{
    return config->batch_count <= BATCHES_SHOWN || batch == 0 || batch == config->batch_count - 1;
}

static void print_heading(const struct mm_config *config)
{
    for (int axis = 0; axis < MM_AXES; axis++)
        printf("%10s ", mm_grid_axis(config, (enum mm_axis_number)axis).name);
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

mm_status cli_print_table(struct mm_chain_source *source, struct mm_error *error)
{
    const struct mm_config *config = source->config;
    struct walk walk = begin_walk(source, error);
    struct best best;
    print_heading(config);
    while (next_best(&walk, &best)) {
        const struct mm_evaluation *evaluation = &best.chain.evaluation;
        for (int axis = 0; axis < MM_AXES; axis++)
            printf("%10.6g ", mm_grid_value(config, best.point, (enum mm_axis_number)axis));
        if (!best.found) {
            printf(" no chain is finished\n");
            continue;
        }
        print_parameters(config, &best.chain);
        printf(" %13.8f %10.5f %8.5f %11.4e  %lld/%lld\n", evaluation->loss, evaluation->ergotropy,
               evaluation->purity, evaluation->instability, (long long)best.agree, (long long)best.finished);
    }
    return end_walk(&walk);
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
    for (int axis = 0; axis < MM_AXES; axis++)
        json_number(json, mm_grid_axis(config, (enum mm_axis_number)axis).name,
                    mm_grid_value(config, best->point, (enum mm_axis_number)axis));
    json_integer(json, "finished", best->finished);
    json_integer(json, "agree", best->agree);
    if (best->found)
        print_best_json(json, config, &best->chain);
    json_close(json, '}');
}

mm_status cli_print_results_json(struct mm_chain_source *source, const char *path, struct mm_error *error)
{
    struct walk walk = begin_walk(source, error);
    struct best best;
    struct json json = {.stream = stdout};
    json_open(&json, NULL, '{');
    json_string(&json, "file", path);
    json_string(&json, "backend", source->backend);
    json_string(&json, "device", source->device);
    json_number(&json, "seconds", source->seconds);
    json_integer(&json, "starts", source->config->starts);
    json_open(&json, "grid", '[');
    while (next_best(&walk, &best))
        print_cell_json(&json, source->config, &best);
    json_close(&json, ']');
    json_close(&json, '}');
    printf("\n");
    return end_walk(&walk);
}

/* -------------------------------------------------------------------------------------- warnings */

mm_status cli_warn_of_truncation(struct mm_chain_source *source, struct mm_error *error)
{
    const struct mm_config *config = source->config;
    struct walk walk = begin_walk(source, error);
    struct best best;
    struct best worst = {0};
    size_t affected = 0;
    while (next_best(&walk, &best)) {
        double population = best.chain.evaluation.truncation_population;
        if (!best.found || !mm_truncation_may_matter(population))
            continue;
        affected++;
        if (population > worst.chain.evaluation.truncation_population)
            worst = best;
    }
    if (affected > 0)
        cli_report(
            "warning: at %zu grid point%s the state reached the top of its %d levels (population %.1e at g = "
            "%.6g, lambda = %.6g): set cavity.levels higher, or to auto",
            affected, mm_plural((int64_t)affected), worst.chain.evaluation.levels,
            worst.chain.evaluation.truncation_population, mm_grid_value(config, worst.point, MM_AXIS_g),
            mm_grid_value(config, worst.point, MM_AXIS_lambda));
    return end_walk(&walk);
}
