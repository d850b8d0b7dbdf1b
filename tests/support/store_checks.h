/* store_checks.h - made-up chains, runs in folders of their own, and what their stores must hold, for tests. */
#ifndef MM_TESTS_SUPPORT_STORE_CHECKS_H
#define MM_TESTS_SUPPORT_STORE_CHECKS_H

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/store.h"
#include "chain/grid.h"
#include "chain/results.h"
#include "support/search_checks.h"

static const struct mm_run_info made_up_run = {"micromaser search test.ini", "2026-01-01T00:00:00Z", NULL,
                                               "laboratory"};

/** A run in a folder of its own, and what its store told. */
struct run {
    char folder[64];
    char file[80]; /* folder/result.h5 */
    struct mm_config config;
    int lines;        /* reported so far */
    char last[1100];  /* the last of them */
    double *storage;  /* [2][batch_count][2] */
    double *storage2; /* the same */
};

static inline void remember_line(void *context, const char *line)
{
    struct run *run = context;
    assert_null(strchr(line, '\n'));
    run->lines++;
    snprintf(run->last, sizeof run->last, "%s", line);
}

/** A run of a configuration; end with end_run. */
static inline struct run begin_run(const char *configuration)
{
    struct run run = {.lines = 0};
    read_config(configuration, &run.config);
    snprintf(run.folder, sizeof run.folder, "/tmp/test_store.XXXXXX");
    assert_non_null(mkdtemp(run.folder));
    snprintf(run.file, sizeof run.file, "%s/result.h5", run.folder);
    run.storage = calloc(run.config.batch_count, 8 * sizeof *run.storage);
    assert_non_null(run.storage);
    run.storage2 = run.storage + 4 * run.config.batch_count;
    return run;
}

/** Number of entries of a folder; copies the name of one whose name holds `part`, which may be NULL. */
static inline int list_folder(const char *folder, const char *part, size_t size, char *name)
{
    DIR *directory = opendir(folder);
    int count = -2; /* . and .. */
    assert_non_null(directory);
    for (const struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        count++;
        if (part != NULL && strstr(entry->d_name, part) != NULL)
            snprintf(name, size, "%s/%s", folder, entry->d_name);
    }
    assert_int_equal(closedir(directory), 0);
    return count;
}

/** Path of the only file of a run whose name holds `part`. */
static inline void find_file(const struct run *run, const char *part, char path[400])
{
    path[0] = '\0';
    list_folder(run->folder, part, 400, path);
    assert_true(path[0] != '\0');
}

/** Removes the folder, which must hold nothing but the result file. */
static inline void end_run(struct run *run)
{
    assert_int_equal(unlink(run->file), 0);
    assert_int_equal(rmdir(run->folder), 0);
    free(run->storage);
    mm_config_free(&run->config);
}

/** The end of a chain, made up from its number alone. */
static inline struct mm_chain made_up_chain(const struct mm_config *config, int64_t index, double *storage)
{
    uint64_t state = (uint64_t)index * 0x9e3779b97f4a7c15u + 1;
    double values[14];
    for (size_t i = 0; i < 4 * config->batch_count + 14; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        double value = ldexp((double)(state >> 11), -53);
        *(i < 14 ? &values[i] : &storage[i - 14]) = value;
    }
    struct mm_chain chain = {
        .finished = true,
        .initial = storage,
        .final = storage + 2 * config->batch_count,
        .evaluation = {.loss = index % 7 == 3 ? INFINITY : -values[0],
                       .ergotropy = values[1],
                       .energy = values[2],
                       .purity = values[3],
                       .instability = values[4],
                       .mean_c = values[5],
                       .mean_q = values[6],
                       .loss_by_mean_c = values[7],
                       .loss_by_mean_q = values[8],
                       .band_error = values[9],
                       .truncation_population = values[10],
                       .levels = (int)(index % 4096)},
        .gradient_norm = values[11],
        .iterations = index,
        .evaluations = 2 * index + 1,
        .eigen_failures = index % 3,
        .status = (enum mm_stop_reason)(1 + index % 5),
    };
    mm_grid_place(config, index, &chain);
    return chain;
}

static inline struct mm_store_options made_up_options(struct run *run)
{
    return (struct mm_store_options){
        .task = {.count = 1, .host_count = 1},
        .backend = "cpu",
        .device = "made up",
        .info = &made_up_run,
        .patience = 600,
        .fold_every = INFINITY,
        .report = remember_line,
        .report_context = run,
    };
}

static inline struct mm_store *open_store(struct run *run, const struct mm_store_options *options)
{
    struct mm_store *store = NULL;
    struct mm_error error = {0};
    if (mm_store_open(&store, run->file, &run->config, options, &error) != MM_OK)
        fail_msg("%s", error.message);
    return store;
}

static inline struct mm_store *open_simply(struct run *run)
{
    struct mm_store_options options = made_up_options(run);
    return open_store(run, &options);
}

/** Appends chains first, first + step, .. below end. */
static inline void append_chains(struct run *run, struct mm_store *store, int64_t first, int64_t end, int64_t step)
{
    struct mm_error error = {0};
    for (int64_t i = first; i < end; i += step) {
        struct mm_chain chain = made_up_chain(&run->config, i, run->storage);
        if (mm_store_append(store, i, &chain, &error) != MM_OK)
            fail_msg("%s", error.message);
    }
}

static inline void must(mm_status status, const struct mm_error *error)
{
    if (status != MM_OK)
        fail_msg("%s", error == NULL ? "unexpected failure" : error->message);
}

/** Settles, which commits at once if nothing was committed for a second. */
static inline void settle(struct mm_store *store)
{
    struct mm_error error = {0};
    must(mm_store_maintain(store, &error), &error);
}

static inline void finish(struct mm_store *store)
{
    struct mm_error error = {0};
    must(mm_store_finish(store, &error), &error);
    mm_store_close(store);
}

/** Every bit of a chain must be what was made up. */
static inline void assert_chain(struct run *run, struct mm_store *store, int64_t index)
{
    struct mm_error error = {0};
    struct mm_chain chain;
    struct mm_chain expected = made_up_chain(&run->config, index, run->storage);
    must(mm_store_read(store, index, run->storage2, &chain, &error), &error);
    assert_same_chain(&chain, &expected, run->config.batch_count);
    assert_same_double(mm_store_loss(store, index), expected.evaluation.loss);
}

/** The store must hold chains first, first + step, .. below end, and nothing else. */
static inline void assert_holds(struct run *run, struct mm_store *store, int64_t first, int64_t end, int64_t step)
{
    for (int64_t i = 0; i < mm_config_chains(&run->config); i++)
        if (i >= first && i < end && (i - first) % step == 0)
            assert_chain(run, store, i);
        else
            assert_true(isnan(mm_store_loss(store, i)));
}

/** The same of what is on the disk, as anybody sees it. */
static inline void assert_on_disk(struct run *run, int64_t first, int64_t end, int64_t step)
{
    struct mm_store *store = NULL;
    struct mm_error error = {0};
    must(mm_store_view(&store, run->file, &error), &error);
    assert_string_equal(mm_store_config(store)->text, run->config.text);
    assert_holds(run, store, first, end, step);
    mm_store_close(store);
}

/** A message of one line that holds each of these. */
static inline void assert_mentions(const char *message, const char *one, const char *other)
{
    assert_true(message[0] != '\0');
    assert_null(strchr(message, '\n'));
    if (strstr(message, one) == NULL || strstr(message, other) == NULL)
        fail_msg("'%s' does not mention '%s' and '%s'", message, one, other);
}

/** Opening must fail with this status and a message that holds both texts. */
static inline void assert_refused(struct run *run, const struct mm_store_options *options, mm_status status,
                                  const char *one, const char *other)
{
    struct mm_store *store = NULL;
    struct mm_error error = {0};
    assert_int_equal(mm_store_open(&store, run->file, &run->config, options, &error), status);
    assert_mentions(error.message, one, other);
}

#endif
