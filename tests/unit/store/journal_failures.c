/* journal_failures.c - journals whose disk is full or whose file or folder is gone lose nothing that was
 * committed. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "support/journal_checks.h"

enum { BIG_COMMIT = 1500 };

/* More records than fit under a limit: the commit fails as a whole, and succeeds when the limit is lifted. */
static void commit_after_failure(const struct bench *bench, struct mm_journal *journal,
                                 void (*lift)(const struct bench *bench))
{
    struct stat before;
    struct stat after;
    struct mm_error error = {0};
    unsigned char *records = malloc((size_t)BIG_COMMIT * bench->record_size);
    assert_non_null(records);
    for (size_t i = 0; i < BIG_COMMIT; i++)
        memcpy(records + i * bench->record_size, bench->records + i % 4 * bench->record_size, bench->record_size);
    assert_int_equal(stat(mm_journal_path(journal), &before), 0);
    for (int attempt = 0; attempt < 3; attempt++) {
        assert_int_equal(mm_journal_commit(journal, BIG_COMMIT, records, &error), MM_ERROR_SYSTEM);
        assert_non_null(strstr(error.message, mm_journal_path(journal)));
        assert_int_equal(mm_journal_committed(journal), 4);
        assert_int_equal(stat(mm_journal_path(journal), &after), 0);
        assert_int_equal(after.st_size, before.st_size);
    }
    lift(bench);
    commit(journal, BIG_COMMIT, records);
    assert_journal_holds(bench, journal, 4, 1 + BIG_COMMIT / 4);
    free(records);
}

static void set_file_limit(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void lift_file_limit(const struct bench *bench)
{
    (void)bench;
    set_file_limit(RLIM_INFINITY);
}

static void commits_fail_whole_at_a_size_limit(void **state)
{
    const struct bench *bench = *state;
    signal(SIGXFSZ, SIG_IGN);
    struct mm_journal *journal = create(bench);
    commit(journal, 4, bench->records);
    set_file_limit(100 * 1000);
    commit_after_failure(bench, journal, lift_file_limit);
    mm_journal_close(journal, true);
}

static void journals_that_cannot_be_created_leave_nothing(void **state)
{
    const struct bench *bench = *state;
    struct mm_journal_header header = make_header(bench);
    struct mm_journal *journal = NULL;
    struct mm_error error = {0};
    signal(SIGXFSZ, SIG_IGN);
    set_file_limit(100);
    mm_status status = mm_journal_create(&journal, bench->output, &header, bench->record_size, &error);
    set_file_limit(RLIM_INFINITY);
    assert_int_equal(status, MM_ERROR_OUTPUT);
    assert_int_equal(entries(bench->folder), 0);
    char absent[PATH_SIZE];
    snprintf(absent, sizeof absent, "%s/absent/result.h5", bench->folder);
    status = mm_journal_create(&journal, absent, &header, bench->record_size, &error);
    assert_int_equal(status, MM_ERROR_OUTPUT);
    assert_non_null(strstr(error.message, "absent"));
}

static void enlarge(const struct bench *bench)
{
    assert_int_equal(mount(NULL, bench->folder, NULL, MS_REMOUNT, "size=64m"), 0);
}

/* Mounts a small tmpfs on the folder, for this process alone; false if that is not allowed. */
static bool mount_small(const char *folder)
{
    bool alone = unshare(CLONE_NEWNS) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0;
    return alone && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", folder, "tmpfs", 0, "size=256k") == 0;
}

/* In a child, because its file systems become its own. */
static void commits_fail_whole_on_a_full_disk(void **state)
{
    enum { NOT_ALLOWED = 77 };
    const struct bench *bench = *state;
    int ended = 0;
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (!mount_small(bench->folder))
            _exit(NOT_ALLOWED);
        struct mm_journal *journal = create(bench);
        commit(journal, 4, bench->records);
        commit_after_failure(bench, journal, enlarge); /* a failed assertion ends the child with another code */
        mm_journal_close(journal, true);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &ended, 0), child);
    if (WIFEXITED(ended) && WEXITSTATUS(ended) == NOT_ALLOWED) {
        print_message("not tried: this user may not mount a tmpfs\n");
        skip();
    }
    assert_true(WIFEXITED(ended));
    assert_int_equal(WEXITSTATUS(ended), 0);
}

static void removed_journals_are_written_anew(void **state)
{
    const struct bench *bench = *state;
    struct mm_journal *journal = create(bench);
    commit(journal, 4, bench->records);
    char first_path[PATH_SIZE];
    snprintf(first_path, sizeof first_path, "%s", mm_journal_path(journal));
    assert_int_equal(unlink(first_path), 0);
    commit(journal, 4, bench->records);
    assert_string_not_equal(mm_journal_path(journal), first_path);
    assert_journal_holds(bench, journal, 4, 2);
    struct mm_journal_file *files = NULL;
    assert_int_equal(list(bench, true, &files), 1);
    assert_true(files[0].readable && files[0].alive);
    assert_header(bench, &files[0].header);
    assert_int_equal(files[0].records, 8);
    mm_journal_list_free(files, 1);

    /* another file of its name is not taken for it */
    snprintf(first_path, sizeof first_path, "%s", mm_journal_path(journal));
    assert_int_equal(unlink(first_path), 0);
    assert_int_equal(close(open(first_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
    commit(journal, 4, bench->records);
    assert_journal_holds(bench, journal, 4, 3);
    mm_journal_close(journal, true);
    assert_int_equal(unlink(first_path), 0);
    assert_int_equal(entries(bench->folder), 0);
}

static void vanished_directories_are_waited_for(void **state)
{
    const struct bench *bench = *state;
    struct mm_journal *journal = create(bench);
    struct mm_error error = {0};
    char moved[PATH_SIZE];
    snprintf(moved, sizeof moved, "%s.moved", bench->folder);
    commit(journal, 4, bench->records);

    assert_int_equal(rename(bench->folder, moved), 0); /* moved away and back */
    assert_int_equal(mm_journal_commit(journal, 4, bench->records, &error), MM_ERROR_SYSTEM);
    assert_int_equal(mm_journal_committed(journal), 4);
    assert_int_equal(rename(moved, bench->folder), 0);
    commit(journal, 4, bench->records);
    assert_journal_holds(bench, journal, 4, 2);

    remove_tree(bench->folder); /* removed and made again */
    assert_int_equal(mm_journal_commit(journal, 4, bench->records, &error), MM_ERROR_SYSTEM);
    assert_non_null(strstr(error.message, bench->folder));
    assert_int_equal(mkdir(bench->folder, 0700), 0);
    commit(journal, 4, bench->records);
    assert_journal_holds(bench, journal, 4, 3);
    mm_journal_close(journal, true);
    assert_int_equal(entries(bench->folder), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(commits_fail_whole_at_a_size_limit),  TEST(journals_that_cannot_be_created_leave_nothing),
        TEST(commits_fail_whole_on_a_full_disk),   TEST(removed_journals_are_written_anew),
        TEST(vanished_directories_are_waited_for),
    };
    return cmocka_run_group_tests_name("journal failures", tests, NULL, NULL);
}
