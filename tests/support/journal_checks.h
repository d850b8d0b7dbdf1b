/* journal_checks.h - journals in folders of their own, for tests. */
#ifndef MM_TESTS_SUPPORT_JOURNAL_CHECKS_H
#define MM_TESTS_SUPPORT_JOURNAL_CHECKS_H

#include "store/journal.h"
#include "support/store_checks.h"

enum { PATH_SIZE = 512, BATCHES = 3 };

/** A folder of its own for each test, a configuration and its records. */
struct bench {
    char folder[64];
    char output[80]; /* folder/result.h5 */
    struct mm_config config;
    uint64_t fingerprint;
    size_t record_size;
    unsigned char *records; /* of every chain, in their order */
    int64_t record_count;
};

/** A made-up end of a chain, among its values the extremes of double. */
static inline struct mm_chain make_up_chain(const struct mm_config *config, int64_t index, double *parameters)
{
    struct mm_chain chain = made_up_chain(config, index, parameters);
    chain.evaluation.ergotropy = 0x1p-1074;
    chain.evaluation.energy = 0x1.fffffffffffffp1023;
    chain.evaluation.purity = -0.0;
    chain.evaluation.instability = NAN;
    chain.iterations = INT64_MAX - index;
    return chain;
}

static inline int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    if (bench == NULL)
        return -1;
    snprintf(bench->folder, sizeof bench->folder, "/tmp/test_journal.XXXXXX");
    if (mkdtemp(bench->folder) == NULL)
        return -1;
    snprintf(bench->output, sizeof bench->output, "%s/result.h5", bench->folder);
    read_config(small_search, &bench->config);
    bench->fingerprint = mm_run_fingerprint(&bench->config);
    bench->record_size = mm_chain_record_size(bench->config.batch_count);
    bench->record_count = mm_config_chains(&bench->config);
    bench->records = calloc((size_t)bench->record_count, bench->record_size);
    assert_non_null(bench->records);
    for (int64_t i = 0; i < bench->record_count; i++) {
        double parameters[4 * BATCHES];
        struct mm_chain chain = make_up_chain(&bench->config, i, parameters);
        mm_chain_record_pack(bench->fingerprint, bench->config.batch_count, i, &chain,
                             bench->records + (size_t)i * bench->record_size);
    }
    *state = bench;
    return 0;
}

/** Removes a folder with what is in it. */
static inline void remove_tree(const char *folder)
{
    DIR *directory = opendir(folder);
    if (directory == NULL)
        return;
    for (const struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory))
        if (entry->d_name[0] != '.' || strlen(entry->d_name) > 2)
            unlinkat(dirfd(directory), entry->d_name, 0);
    closedir(directory);
    rmdir(folder);
}

static inline int tear_down(void **state)
{
    struct bench *bench = *state;
    remove_tree(bench->folder);
    mm_config_free(&bench->config);
    free(bench->records);
    free(bench);
    return 0;
}

static inline int entries(const char *folder)
{
    return list_folder(folder, NULL, 0, NULL);
}

static inline struct mm_journal_header make_header(const struct bench *bench)
{
    static char command_line[] = "micromaser search 'a b.ini'";
    static char folder[] = "/home/somebody/\303\244";
    return (struct mm_journal_header){
        .fingerprint = bench->fingerprint,
        .configuration = bench->config.text,
        .command_line = command_line,
        .folder = folder,
        .host = "node-7.cluster/x y",
        .process = getpid(),
        .start_time = 1700000000,
        .backend = "cpu",
        .device = "made up",
        .task = {.index = 3, .count = 16, .round = "slurm-12", .host_index = 1, .host_count = 4},
    };
}

static inline struct mm_journal *create(const struct bench *bench)
{
    struct mm_journal_header header = make_header(bench);
    struct mm_journal *journal = NULL;
    struct mm_error error = {0};
    if (mm_journal_create(&journal, bench->output, &header, bench->record_size, &error) != MM_OK)
        fail_msg("%s", error.message);
    return journal;
}

static inline void assert_header(const struct bench *bench, const struct mm_journal_header *header)
{
    struct mm_journal_header expected = make_header(bench);
    assert_true(header->fingerprint == expected.fingerprint);
    assert_string_equal(header->configuration, expected.configuration);
    assert_string_equal(header->command_line, expected.command_line);
    assert_string_equal(header->folder, expected.folder);
    assert_string_equal(header->host, expected.host);
    assert_int_equal(header->process, expected.process);
    assert_int_equal(header->start_time, expected.start_time);
    assert_string_equal(header->backend, expected.backend);
    assert_string_equal(header->device, expected.device);
    assert_int_equal(header->task.index, expected.task.index);
    assert_int_equal(header->task.count, expected.task.count);
    assert_string_equal(header->task.round, expected.task.round);
    assert_int_equal(header->task.host_index, expected.task.host_index);
    assert_int_equal(header->task.host_count, expected.task.host_count);
}

static inline void commit(struct mm_journal *journal, size_t count, const unsigned char *records)
{
    struct mm_error error = {0};
    if (mm_journal_commit(journal, count, records, &error) != MM_OK)
        fail_msg("%s", error.message);
}

/** The journal holds the first `count` records of the bench, `repeats` times. */
static inline void assert_journal_holds(const struct bench *bench, const struct mm_journal *journal, int64_t count,
                                        int64_t repeats)
{
    unsigned char *record = malloc(bench->record_size);
    assert_non_null(record);
    assert_int_equal(mm_journal_committed(journal), count * repeats);
    for (int64_t i = 0; i < count * repeats; i++) {
        assert_int_equal(mm_journal_read(journal, i, record, NULL), MM_OK);
        assert_memory_equal(record, bench->records + (size_t)(i % count) * bench->record_size, bench->record_size);
        assert_int_equal(mm_chain_record_check(bench->fingerprint, &bench->config, record), i % count);
    }
    free(record);
}

static inline size_t list(const struct bench *bench, bool lock, struct mm_journal_file **files)
{
    size_t count = 0;
    struct mm_error error = {0};
    if (mm_journal_list(bench->output, lock, files, &count, &error) != MM_OK)
        fail_msg("%s", error.message);
    return count;
}

#endif
