/* status_print.c - how far a search is, on standard output. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "chain/grid.h"
#include "cli/cli.h"
#include "cli/status.h"
#include "base/json.h"
#include "chain/results.h"
#include "base/text.h"
#include "base/utc_time.h"

enum { TEXT_SIZE = 64, LINE_SIZE = 4096, COMMAND_SIZE = 65536 };

/* Seconds as [D-]HH:MM:SS, or as such where they are few. */
static void format_duration(double seconds, char text[TEXT_SIZE])
{
    if (seconds < 10.0) {
        snprintf(text, TEXT_SIZE, "%.2g s", seconds);
        return;
    }
    int64_t whole = (int64_t)(seconds + 0.5);
    int days = (int)(whole / 86400), rest = (int)(whole % 86400);
    char prefix[32] = "";
    if (days > 0)
        snprintf(prefix, sizeof prefix, "%d-", days);
    snprintf(text, TEXT_SIZE, "%s%02d:%02d:%02d", prefix, rest / 3600, rest / 60 % 60, rest % 60);
}

/* Seconds until the end; negative if they cannot be told. */
static double seconds_left(const struct cli_run_status *run)
{
    return run->progress.missing == 0     ? 0.0
           : run->chains_per_second > 0.0 ? (double)run->progress.missing / run->chains_per_second
                                          : -1.0;
}

/* ------------------------------------------------------------------------------------------------ people */

static void print_counts(const struct cli_run_status *run)
{
    const int64_t needed = run->progress.finished + run->progress.missing;
    printf("%lld of %lld chain%s finished (%.1f %%)", (long long)run->progress.finished, (long long)needed,
           mm_plural(needed), 100.0 * (double)run->progress.finished / (double)needed);
    if (needed < run->progress.total)
        printf("; %lld more are not needed", (long long)(run->progress.total - needed));
    if (run->progress.missing == 0)
        printf("; the grid is complete\n");
    else
        printf("; gaps: %lld chain%s at %lld of %lld grid point%s\n", (long long)run->progress.missing,
               mm_plural(run->progress.missing), (long long)run->progress.incomplete,
               (long long)run->progress.grid_points, mm_plural(run->progress.grid_points));
    if (run->task.count > 1 && !run->share_known)
        printf("task %lld of %lld: its round '%s' has not begun\n", (long long)run->task.index,
               (long long)run->task.count, run->task.round);
    else if (run->task.count > 1)
        printf("task %lld of %lld: %lld chain%s of its share missing\n", (long long)run->task.index,
               (long long)run->task.count, (long long)run->progress.share_missing,
               mm_plural(run->progress.share_missing));
}

static void print_speed(const struct cli_run_status *run)
{
    char text[TEXT_SIZE];
    char device[sizeof run->device];
    format_duration(run->seconds, text);
    mm_text_to_line(run->device, sizeof device, device);
    printf("backend %s%s%s; computing time %s\n", run->backend, device[0] == '\0' ? "" : ": ", device, text);
    if (run->progress.missing == 0 && run->journal_count == 0)
        return;
    printf("%lld task%s at work", (long long)run->alive, mm_plural(run->alive));
    if (run->dead > 0)
        printf(", %lld dead with a journal that is not folded", (long long)run->dead);
    if (run->alive > 0 && run->chains_per_second > 0.0) {
        format_duration(seconds_left(run), text);
        printf("; %.3g chains/s, about %s left", run->chains_per_second, text);
    }
    printf("\n");
}

static void print_tasks(const struct cli_run_status *run)
{
    if (run->journal_count == 0)
        return;
    printf("\n%-13s %-5s %-20s %8s  %-20s  %-20s %9s\n", "task", "state", "host", "pid", "started", "last commit",
           "chains");
    for (size_t i = 0; i < run->journal_count; i++) {
        const struct mm_journal_file *journal = &run->journals[i];
        const struct mm_journal_header *header = &journal->header;
        if (!journal->readable)
            continue; /* told as damage */
        char task[TEXT_SIZE], host[TEXT_SIZE], started[TEXT_SIZE], committed[TEXT_SIZE];
        snprintf(task, sizeof task, "%lld of %lld", (long long)header->task.index, (long long)header->task.count);
        mm_text_to_line(header->host, sizeof host, host);
        mm_format_utc(header->start_time, started);
        mm_format_utc(journal->commit_time, committed);
        printf("%-13s %-5s %-20s %8lld  %-20s  %-20s %9lld\n", task, journal->alive ? "alive" : "dead", host,
               (long long)header->process, started, committed, (long long)journal->records);
    }
}

static void print_best(const struct cli_run_status *run)
{
    const struct mm_config *config = run->config;
    printf("\n%12s %15s %12s %8s %10s\n", "lambda", "best loss", "g", "start", "finished");
    const struct mm_axis lambda = mm_grid_axis(config, MM_AXIS_lambda);
    for (size_t i = 0; i < lambda.count; i++) {
        const struct mm_lambda_best *best = &run->best[i];
        if (best->chain < 0) {
            printf("%12.6g %15s %12s %8s %10d\n", lambda.values[i], "-", "-", "-", 0);
            continue;
        }
        printf("%12.6g %15.8f %12.6g %8d %10lld\n", lambda.values[i], run->losses[best->chain],
               mm_grid_value(config, mm_grid_point_of(config, best->chain), MM_AXIS_g),
               (int)mm_grid_start_of(config, best->chain), (long long)best->finished);
    }
}

static void print_damage(const struct cli_run_status *run)
{
    for (size_t i = 0; i < run->damage_count; i++) {
        const struct mm_store_damage *damage = &run->damage[i];
        char path[LINE_SIZE];
        mm_text_to_line(damage->path, sizeof path, path);
        printf("%sdamage: %s:", i == 0 ? "\n" : "", path);
        if (damage->header)
            printf(" its header cannot be read, nor what it holds");
        if (damage->records > 0)
            printf(" %lld record%s with a wrong checksum, left out", (long long)damage->records,
                   mm_plural(damage->records));
        if (damage->torn_bytes > 0)
            printf("%s %lld bytes of a record that was never committed", damage->records > 0 ? ";" : "",
                   (long long)damage->torn_bytes);
        printf("\n");
    }
}

void cli_print_status(const struct cli_run_status *run)
{
    char path[LINE_SIZE];
    mm_text_to_line(run->path, sizeof path, path);
    printf("%s\n", path);
    print_counts(run);
    print_speed(run);
    print_tasks(run);
    print_best(run);
    print_damage(run);
    if (run->progress.missing > 0 && run->command != NULL) {
        char command[COMMAND_SIZE];
        mm_text_to_line(run->command, sizeof command, command);
        printf("\n%s:\n  %s\n",
               run->alive > 0 ? "to fill what gaps these tasks leave, after them" : "to fill the gaps", command);
    }
}

/* -------------------------------------------------------------------------------------------------- JSON */

static void print_chains_json(struct json *json, const struct cli_run_status *run)
{
    json_open(json, "chains", '{');
    json_integer(json, "finished", run->progress.finished);
    json_integer(json, "missing", run->progress.missing);
    json_integer(json, "needed", run->progress.finished + run->progress.missing);
    json_integer(json, "total", run->progress.total);
    json_close(json, '}');
    json_open(json, "grid_points", '{');
    json_integer(json, "total", run->progress.grid_points);
    json_integer(json, "incomplete", run->progress.incomplete);
    json_close(json, '}');
    if (run->task.count > 1) {
        json_open(json, "share", '{');
        json_integer(json, "task", run->task.index);
        json_integer(json, "tasks", run->task.count);
        json_string(json, "round", run->task.round);
        json_boolean(json, "begun", run->share_known);
        json_integer(json, "missing", run->progress.share_missing);
        json_close(json, '}');
    }
}

static void print_tasks_json(struct json *json, const struct cli_run_status *run)
{
    char text[TEXT_SIZE];
    json_open(json, "tasks", '[');
    for (size_t i = 0; i < run->journal_count; i++) {
        const struct mm_journal_file *journal = &run->journals[i];
        if (!journal->readable)
            continue;
        json_open(json, NULL, '{');
        json_integer(json, "task", journal->header.task.index);
        json_integer(json, "tasks", journal->header.task.count);
        json_boolean(json, "alive", journal->alive);
        json_string(json, "host", journal->header.host);
        json_integer(json, "pid", journal->header.process);
        mm_format_utc(journal->header.start_time, text);
        json_string(json, "started", text);
        mm_format_utc(journal->commit_time, text);
        json_string(json, "last_commit", text);
        json_integer(json, "chains", journal->records);
        json_string(json, "journal", journal->path);
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void print_best_json(struct json *json, const struct cli_run_status *run)
{
    const struct mm_config *config = run->config;
    const struct mm_axis lambda = mm_grid_axis(config, MM_AXIS_lambda);
    json_open(json, "best", '[');
    for (size_t i = 0; i < lambda.count; i++) {
        const struct mm_lambda_best *best = &run->best[i];
        json_open(json, NULL, '{');
        json_number(json, "lambda", lambda.values[i]);
        json_integer(json, "finished", best->finished);
        if (best->chain >= 0) {
            json_number(json, "loss", run->losses[best->chain]);
            json_number(json, "g", mm_grid_value(config, mm_grid_point_of(config, best->chain), MM_AXIS_g));
            json_integer(json, "start", mm_grid_start_of(config, best->chain));
        }
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void print_damage_json(struct json *json, const struct cli_run_status *run)
{
    json_open(json, "damage", '[');
    for (size_t i = 0; i < run->damage_count; i++) {
        json_open(json, NULL, '{');
        json_string(json, "file", run->damage[i].path);
        json_boolean(json, "header", run->damage[i].header);
        json_integer(json, "records", run->damage[i].records);
        json_integer(json, "torn_bytes", run->damage[i].torn_bytes);
        json_close(json, '}');
    }
    json_close(json, ']');
}

void cli_print_status_json(const struct cli_run_status *run)
{
    struct json json = {.stream = stdout};
    json_open(&json, NULL, '{');
    json_string(&json, "file", run->path);
    json_boolean(&json, "complete", run->progress.missing == 0);
    print_chains_json(&json, run);
    json_string(&json, "backend", run->backend);
    json_string(&json, "device", run->device);
    json_number(&json, "seconds", run->seconds);
    json_integer(&json, "alive", run->alive);
    json_integer(&json, "dead", run->dead);
    json_number(&json, "chains_per_second", run->chains_per_second);
    if (seconds_left(run) >= 0.0)
        json_number(&json, "seconds_left", seconds_left(run));
    print_tasks_json(&json, run);
    print_best_json(&json, run);
    print_damage_json(&json, run);
    if (run->command != NULL)
        json_string(&json, "command", run->command);
    json_close(&json, '}');
    printf("\n");
}
