/* bench_store.c - what keeping results costs: 10^4, 10^5 and 10^6 chains through the search driver, the journal and
 * the fold, with a stand-in for the physics.
 *
 * The functions mm_solver_* that the driver calls are defined here, so that the linker takes these and not the
 * library's: a loss that is a sum of squares, found in a few evaluations that cost nothing. All the rest is the
 * program's own. Each size runs in a process of its own, whose largest memory is then known.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chain/agreement.h"
#include "base/clock.h"
#include "store/store.h"
#include "search/search.h"
#include "solver/backend.h"

enum { SLOTS = 4096, PATH_SIZE = 512 };

/* ------------------------------------------------------------------------------------------ the stand-in */

struct mm_solver {
    int unused;
};

const char *mm_solver_device(const struct mm_solver *solver)
{
    (void)solver;
    return "a stand-in that computes nothing";
}

size_t mm_solver_preferred_points(const struct mm_solver *solver)
{
    (void)solver;
    return SLOTS;
}

/* L = (c - 0.3)^2 + (q - 0.2)^2 - 1: the direct derivatives by the means of the one free batch are all there is. */
static mm_status evaluate(void *context, size_t count, const struct mm_point *points,
                          struct mm_evaluation *evaluations, struct mm_channel_gradient *gradients,
                          struct mm_error *error)
{
    (void)context;
    (void)error;
    for (size_t i = 0; i < count; i++) {
        double c = points[i].parameters[0] - 0.3;
        double q = points[i].parameters[1] - 0.2;
        evaluations[i] = (struct mm_evaluation){
            .loss = c * c + q * q - 1.0, .loss_by_mean_c = 2.0 * c, .loss_by_mean_q = 2.0 * q, .levels = 2};
        gradients[i] = (struct mm_channel_gradient){0};
    }
    return MM_OK;
}

mm_status mm_solver_evaluate_work(struct mm_solver *solver, const struct mm_work_queue *work,
                                  struct mm_error *error)
{
    (void)solver;
    return mm_work_in_rounds(work, evaluate, NULL, error);
}

/* ---------------------------------------------------------------------------------------------- keeping */

/* A store, and how long its commits took. */
struct measured {
    struct mm_store *store;
    int64_t commits;
    double seconds;
    double longest;
};

static mm_status read_chain(void *context, int64_t index, double *parameters, struct mm_chain *chain,
                            struct mm_error *error)
{
    struct measured *measured = context;
    return mm_store_read(measured->store, index, parameters, chain, error);
}

static mm_status take_chain(void *context, int64_t index, const struct mm_chain *chain, struct mm_error *error)
{
    struct measured *measured = context;
    return mm_store_append(measured->store, index, chain, error);
}

/* Most calls commit nothing, because a second has not passed: those below 20 microseconds are not counted. */
static mm_status maintain(void *context, struct mm_error *error)
{
    struct measured *measured = context;
    double start = mm_monotonic_seconds();
    mm_status status = mm_store_maintain(measured->store, error);
    double seconds = mm_monotonic_seconds() - start;
    if (seconds > 20e-6) {
        measured->commits++;
        measured->seconds += seconds;
        measured->longest = fmax(measured->longest, seconds);
    }
    return status;
}

static void report(void *context, const char *line)
{
    (void)context;
    fprintf(stderr, "bench_store: %s\n", line);
}

/* ---------------------------------------------------------------------------------------------- running */

static mm_status open_run(const char *path, int64_t starts, struct mm_config *config, struct measured *measured,
                          const struct mm_run_info *info, struct mm_error *error)
{
    char text[256];
    const struct mm_store_options options = {.task = {.count = 1},
                                             .backend = "none",
                                             .device = "none",
                                             .info = info,
                                             .replace = true,
                                             .patience = 10.0,
                                             .fold_every = 1e9,
                                             .report = report};
    snprintf(text, sizeof text,
             "[coupling]\ng = 0.5:1:10\n[batch.1]\nqubits = 10\n[loss]\nlambda = log:1:1000:10\n"
             "[search]\nstarts = %lld\n",
             (long long)starts);
    mm_status status = mm_config_parse("bench", text, strlen(text), 0, NULL, config, error);
    return status == MM_OK ? mm_store_open(&measured->store, path, config, &options, error) : status;
}

static mm_status run(const char *path, int64_t starts, struct mm_error *error)
{
    struct mm_config config = {0};
    struct mm_search_plan *plan = NULL;
    struct measured measured = {0};
    struct mm_solver solver = {0};
    struct stat file = {0};
    struct rusage usage = {0};
    const struct mm_run_info info = {.command_line = "bench_store", .start_time = "", .host = ""};
    const struct mm_search_options options = {0};
    const struct mm_chain_keeper keeper = {
        .context = &measured, .read = read_chain, .take = take_chain, .after_evaluation = maintain};
    mm_status status = open_run(path, starts, &config, &measured, &info, error);
    if (status == MM_OK)
        status = mm_search_plan_create(&plan, &config, mm_store_losses(measured.store), NULL, error);
    double start = mm_monotonic_seconds();
    if (status == MM_OK)
        status = mm_search_chains(&config, &options, &solver, plan, &keeper, error);
    double searched = mm_monotonic_seconds();
    if (status == MM_OK)
        status = mm_store_finish(measured.store, error);
    double folded = mm_monotonic_seconds();
    if (status == MM_OK && mm_chains_missing(&config, mm_store_losses(measured.store)) != 0)
        status = mm_fail(error, MM_ERROR_SYSTEM, "chains are missing");
    if (status == MM_OK && (stat(path, &file) != 0 || getrusage(RUSAGE_SELF, &usage) != 0))
        status = mm_fail(error, MM_ERROR_SYSTEM, "%s: cannot be measured", path);
    if (status == MM_OK)
        printf("%9lld %11.2f %9lld %12.2f %12.2f %9.2f %9.1f %9.1f\n", (long long)(100 * starts), searched - start,
               (long long)measured.commits, 1e3 * measured.seconds / fmax(1.0, (double)measured.commits),
               1e3 * measured.longest, folded - searched, (double)file.st_size / 1e6,
               (double)usage.ru_maxrss / 1e3);
    mm_search_plan_free(plan);
    mm_store_close(measured.store);
    mm_config_free(&config);
    return status;
}

static bool run_in_own_process(const char *path, int64_t starts)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct mm_error error = {0};
        mm_status status = run(path, starts, &error);
        if (status != MM_OK)
            fprintf(stderr, "bench_store: %s\n", error.message);
        fflush(stdout);
        _exit(status == MM_OK ? 0 : 1);
    }
    int outcome = 1;
    return child > 0 && waitpid(child, &outcome, 0) == child && outcome == 0;
}

int main(int argc, char **argv)
{
    char path[PATH_SIZE];
    if (argc != 2 || snprintf(path, sizeof path, "%s/bench_store.h5", argv[1]) >= (int)sizeof path) {
        fprintf(stderr, "usage: bench_store FOLDER\n");
        return 2;
    }
    printf("%9s %11s %9s %12s %12s %9s %9s %9s\n", "chains", "search (s)", "commits", "commit (ms)", "longest (ms)",
           "fold (s)", "file (MB)", "peak (MB)");
    bool fine = true;
    for (int64_t starts = 100; fine && starts <= 10000; starts *= 10)
        fine = run_in_own_process(path, starts);
    unlink(path);
    return fine ? 0 : 1;
}
