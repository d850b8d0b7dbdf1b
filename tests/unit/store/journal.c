/* journal.c - journals as they lie on the disk: headers, records, torn tails, and who is alive. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "support/journal_checks.h"

static unsigned char *read_whole(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *size = (size_t)ftell(file);
    unsigned char *data = malloc(*size + 1);
    assert_non_null(data);
    rewind(file);
    assert_int_equal(fread(data, 1, *size, file), *size);
    fclose(file);
    return data;
}

static mm_status parse(const struct bench *bench, const unsigned char *data, size_t size)
{
    struct mm_journal_header header;
    int64_t first = 0;
    size_t record_size = 0;
    mm_status status = mm_journal_header_parse(data, size, &header, &first, &record_size, NULL);
    if (status != MM_OK)
        return status;
    assert_header(bench, &header);
    assert_int_equal(record_size, bench->record_size);
    assert_true(first > 0 && first % 4096 == 0);
    mm_journal_header_free(&header);
    return MM_OK;
}

static void one_damaged_header_copy_is_no_loss(void **state)
{
    const struct bench *bench = *state;
    struct mm_journal *journal = create(bench);
    size_t size = 0;
    unsigned char *data = read_whole(mm_journal_path(journal), &size);
    for (size_t bit = 0; bit < 8 * size; bit += bit % 64 == 63 ? 1 : 7) {
        data[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_int_equal(parse(bench, data, size), MM_OK);
        data[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    for (size_t half = 0; half < 2; half++) {
        unsigned char *copy = malloc(size);
        assert_non_null(copy);
        memcpy(copy, data, size);
        memset(copy + half * (size / 2), 0, size / 2);
        assert_int_equal(parse(bench, copy, size), MM_OK);
        copy[100] ^= 1;
        copy[size / 2 + 100] ^= 1;
        assert_int_equal(parse(bench, copy, size), MM_ERROR_INPUT);
        free(copy);
    }
    free(data);
    mm_journal_close(journal, true);
}

/* Headers cut anywhere are refused or read right, never read beyond their end (which sanitizers see). */
static void cut_headers_are_refused(void **state)
{
    const struct bench *bench = *state;
    struct mm_journal *journal = create(bench);
    size_t size = 0;
    unsigned char *data = read_whole(mm_journal_path(journal), &size);
    int read = 0;
    for (size_t length = 0; length < size; length += length < 200 ? 1 : 13) {
        unsigned char *cut = malloc(length + (length == 0));
        assert_non_null(cut);
        memcpy(cut, data, length);
        read += parse(bench, cut, length) == MM_OK;
        free(cut);
    }
    assert_true(read > 0);
    free(data);
    mm_journal_close(journal, true);
}

static void headers_longer_than_a_block_are_read(void **state)
{
    const struct bench *bench = *state;
    struct mm_journal_header header = make_header(bench);
    struct mm_journal *journal = NULL;
    struct mm_journal_file *files = NULL;
    size_t length = 300 * 1000;
    header.command_line = malloc(length + 1);
    assert_non_null(header.command_line);
    memset(header.command_line, 'x', length);
    header.command_line[length] = '\0';
    assert_int_equal(mm_journal_create(&journal, bench->output, &header, bench->record_size, NULL), MM_OK);
    commit(journal, 2, bench->records);
    int descriptor = open(mm_journal_path(journal), O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(descriptor, "damage", 6, 0), 6);
    assert_int_equal(close(descriptor), 0);
    assert_int_equal(list(bench, false, &files), 1);
    assert_true(files[0].readable && files[0].records == 2);
    assert_string_equal(files[0].header.command_line, header.command_line);
    mm_journal_list_free(files, 1);
    mm_journal_close(journal, true);
    free(header.command_line);
}

/* -------------------------------------------------------------------------------------------------- journals */

static void commits_come_back(void **state)
{
    const struct bench *bench = *state;
    struct mm_journal *journal = create(bench);
    assert_int_equal(mm_journal_committed(journal), 0);
    commit(journal, 16, bench->records);
    commit(journal, 16, bench->records);
    assert_journal_holds(bench, journal, 16, 2);
    assert_int_equal(mm_journal_clear(journal, NULL), MM_OK);
    assert_int_equal(mm_journal_committed(journal), 0);
    commit(journal, 3, bench->records);
    assert_journal_holds(bench, journal, 3, 1);
    mm_journal_close(journal, false);

    struct mm_journal_file *files = NULL;
    assert_int_equal(list(bench, true, &files), 1);
    assert_true(files[0].readable && !files[0].alive);
    assert_header(bench, &files[0].header);
    assert_int_equal(files[0].records, 3);
    assert_int_equal(files[0].torn_bytes, 0);
    assert_int_equal(files[0].record_size, bench->record_size);
    unsigned char *records = malloc(3 * bench->record_size);
    assert_non_null(records);
    assert_int_equal(pread(files[0].descriptor, records, 3 * bench->record_size, files[0].first),
                     3 * bench->record_size);
    assert_memory_equal(records, bench->records, 3 * bench->record_size);
    free(records);
    mm_journal_list_free(files, 1);
}

static void names_tell_task_host_and_process(void **state)
{
    const struct bench *bench = *state;
    struct mm_journal *journal = create(bench);
    char expected[PATH_SIZE];
    int length = snprintf(expected, sizeof expected, "%s.journal.3of16.node-7-cluster-x-y.%d.", bench->output,
                          (int)getpid());
    assert_memory_equal(mm_journal_path(journal), expected, (size_t)length);
    assert_int_equal(strlen(mm_journal_path(journal)), length + 6);
    assert_int_equal(entries(bench->folder), 1);
    mm_journal_close(journal, true);
    assert_int_equal(entries(bench->folder), 0);
}

static void torn_tails_are_told(void **state)
{
    const struct bench *bench = *state;
    struct mm_journal *journal = create(bench);
    commit(journal, 4, bench->records);
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s", mm_journal_path(journal));
    mm_journal_close(journal, false);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    for (off_t cut = 0; cut <= (off_t)bench->record_size * 4 + 100; cut += 37) {
        struct mm_journal_file *files = NULL;
        assert_int_equal(truncate(path, status.st_size - cut), 0);
        assert_int_equal(list(bench, true, &files), 1);
        off_t left = 4 * (off_t)bench->record_size - cut;
        assert_true(files[0].readable);
        assert_int_equal(files[0].records, left < 0 ? 0 : left / (off_t)bench->record_size);
        assert_int_equal(files[0].torn_bytes, left < 0 ? 0 : left % (off_t)bench->record_size);
        mm_journal_list_free(files, 1);
    }
}

static void other_files_are_no_journals(void **state)
{
    const struct bench *bench = *state;
    char path[PATH_SIZE];
    struct mm_journal_file *files = NULL;
    snprintf(path, sizeof path, "%s.journal.text", bench->output);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("no journal\n", file);
    fclose(file);
    snprintf(path, sizeof path, "%s.journal.pipe", bench->output);
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(path, sizeof path, "%s.journal.link", bench->output);
    assert_int_equal(symlink("/dev/zero", path), 0);
    snprintf(path, sizeof path, "%s/other.h5.journal.x", bench->folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(list(bench, true, &files), 1);
    assert_false(files[0].readable);
    assert_int_equal(files[0].records, 0);
    mm_journal_list_free(files, 1);
}

/* More journals than this process may open files, as the tasks of a large array leave. */
static void many_journals_are_opened(void **state)
{
    enum { MANY = 50, ALLOWED = 30 };
    const struct bench *bench = *state;
    struct mm_journal_file *files = NULL;
    struct rlimit before;
    for (int i = 0; i < MANY; i++)
        mm_journal_close(create(bench), false);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit few = {.rlim_cur = ALLOWED, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    assert_int_equal(list(bench, true, &files), MANY);
    mm_journal_list_free(files, MANY);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* -------------------------------------------------------------------------------------------------- processes */

/* A child that creates a journal, tells its end of the pipe and waits until it is killed. */
static pid_t start_writer(const struct bench *bench)
{
    int pipes[2];
    char ready = 0;
    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct mm_journal *journal = create(bench);
        commit(journal, 2, bench->records);
        ssize_t told = write(pipes[1], "r", 1);
        while (told == 1)
            pause();
        _exit(1);
    }
    close(pipes[1]);
    assert_int_equal(read(pipes[0], &ready, 1), 1);
    close(pipes[0]);
    return child;
}

static void locks_tell_who_is_alive(void **state)
{
    const struct bench *bench = *state;
    struct mm_journal_file *files = NULL;
    struct mm_journal_file *again = NULL;
    pid_t child = start_writer(bench);
    for (int lock = 0; lock < 2; lock++) {
        assert_int_equal(list(bench, lock == 1, &files), 1);
        assert_true(files[0].alive);
        assert_int_equal(files[0].header.process, child);
        assert_int_equal(files[0].records, 2);
        mm_journal_list_free(files, 1);
    }
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(list(bench, false, &files), 1); /* only looked at: nobody is kept from it */
    assert_false(files[0].alive);
    assert_int_equal(list(bench, true, &again), 1);
    assert_false(again[0].alive);
    mm_journal_list_free(files, 1);
    assert_int_equal(list(bench, true, &files), 1); /* now the other one has the lock */
    assert_true(files[0].alive);
    mm_journal_list_free(files, 1);
    mm_journal_list_free(again, 1);
    assert_int_equal(list(bench, true, &files), 1);
    assert_false(files[0].alive);
    mm_journal_list_free(files, 1);
}

/* Those who look at a dead journal all the time do not make it look alive to one who takes it. */
static void lookers_do_not_look_like_writers(void **state)
{
    const struct bench *bench = *state;
    struct mm_journal_file *files = NULL;
    mm_journal_close(create(bench), false);
    pid_t looker = fork();
    assert_true(looker >= 0);
    while (looker == 0) {
        size_t count = list(bench, false, &files);
        mm_journal_list_free(files, count);
    }
    for (int i = 0; i < 300; i++) {
        assert_int_equal(list(bench, true, &files), 1);
        assert_false(files[0].alive);
        mm_journal_list_free(files, 1);
    }
    assert_int_equal(kill(looker, SIGKILL), 0);
    assert_int_equal(waitpid(looker, NULL, 0), looker);
}

/* What a process left that died before its journal had its name goes; the same of a process alive stays. */
static void half_created_journals_are_removed(void **state)
{
    const struct bench *bench = *state;
    struct mm_journal_file *files = NULL;
    struct mm_journal *journal = create(bench);
    char dead[PATH_SIZE];
    char alive[PATH_SIZE];
    snprintf(dead, sizeof dead, "%s/.result.h5.journal.0of1.x.1.abcdef", bench->folder);
    snprintf(alive, sizeof alive, "%s/.result.h5.journal.0of1.x.2.abcdef", bench->folder);
    assert_int_equal(close(open(dead, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
    assert_int_equal(rename(mm_journal_path(journal), alive), 0); /* its lock is held by this process */
    assert_int_equal(list(bench, false, &files), 0);
    assert_int_equal(access(dead, F_OK), 0);
    mm_journal_list_free(files, 0);
    assert_int_equal(list(bench, true, &files), 0);
    mm_journal_list_free(files, 0);
    assert_int_not_equal(access(dead, F_OK), 0);
    assert_int_equal(access(alive, F_OK), 0);
    mm_journal_close(journal, false);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(one_damaged_header_copy_is_no_loss),
        TEST(cut_headers_are_refused),
        TEST(headers_longer_than_a_block_are_read),
        TEST(commits_come_back),
        TEST(names_tell_task_host_and_process),
        TEST(torn_tails_are_told),
        TEST(other_files_are_no_journals),
        TEST(many_journals_are_opened),
        TEST(locks_tell_who_is_alive),
        TEST(lookers_do_not_look_like_writers),
        TEST(half_created_journals_are_removed),
    };
    return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
