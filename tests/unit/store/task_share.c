/* task_share.c - the shares of tasks: without overlap, without gaps, whenever each of them begins. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/search_checks.h"
#include "store/task_share.h"

enum { CHAINS = 2 * 2 * 9 };

struct fixture {
    char folder[64];
    char output[96];
    struct mm_config config;
    double losses[CHAINS];
};

static void read_grid(struct mm_config *config, const char *more)
{
    char text[256];
    snprintf(text, sizeof text,
             "[coupling]\ng = 1,2\n[batch.1]\nqubits = 2\n[loss]\nlambda = 1,10\n[search]\nstarts = 9\n%s", more);
    read_config(text, config);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    snprintf(fixture->folder, sizeof fixture->folder, "/tmp/micromaser_share.XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    snprintf(fixture->output, sizeof fixture->output, "%s/out.h5", fixture->folder);
    read_grid(&fixture->config, "");
    for (int i = 0; i < CHAINS; i++)
        fixture->losses[i] = NAN;
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(mm_task_share_remove(fixture->output, NULL), MM_OK);
    assert_int_equal(rmdir(fixture->folder), 0); /* nothing else was left */
    mm_config_free(&fixture->config);
    free(fixture);
    return 0;
}

static struct mm_task make_task(int64_t index, int64_t count, const char *round)
{
    struct mm_task task = {.index = index, .count = count};
    snprintf(task.round, sizeof task.round, "%s", round);
    return task;
}

static struct mm_share open_share(const struct fixture *fixture, const struct mm_config *config, int64_t index,
                                  int64_t count, const char *round)
{
    struct mm_share share = {0};
    struct mm_error error = {0};
    const struct mm_task task = make_task(index, count, round);
    if (mm_task_share_open(&share, fixture->output, config, &task, fixture->losses, &error) != MM_OK)
        fail_msg("%s", error.message);
    return share;
}

/* Tasks that begin one after another, each when the one before has ended: together they have every missing chain
 * once, and each has every T-th of them. */
static void shares_are_stable_while_chains_end(void **state)
{
    struct fixture *fixture = *state;
    fixture->losses[4] = -1.0; /* there before the round began */
    for (int64_t task = 0; task < 5; task++) {
        struct mm_share share = open_share(fixture, &fixture->config, task, 5, "r1");
        int64_t rank = 0;
        for (int64_t i = 0; i < CHAINS; i++) {
            bool expected = i != 4 && rank++ % 5 == task;
            assert_int_equal(mm_share_has(&share, i), i == 4 ? task == 4 : expected);
            if (expected) {
                assert_false(fixture->losses[i] < 1.0); /* NAN */
                fixture->losses[i] = -0.1;
            }
        }
        mm_share_free(&share);
    }
    for (int i = 0; i < CHAINS; i++)
        assert_true(fixture->losses[i] < 1.0); /* not NAN */
}

/* A later round shares what is missing then, evenly. */
static void a_new_round_shares_what_is_left(void **state)
{
    struct fixture *fixture = *state;
    struct mm_share first = open_share(fixture, &fixture->config, 0, 4, "r1");
    for (int64_t i = 0; i < CHAINS; i++)
        if (i % 4 != 3) /* the last task of the first round was lost */
            fixture->losses[i] = -0.1;
    mm_share_free(&first);
    for (int64_t task = 0; task < 3; task++) {
        struct mm_share share = open_share(fixture, &fixture->config, task, 3, "r2");
        int64_t own = 0;
        for (int64_t i = 0; i < CHAINS; i++) {
            own += mm_share_has(&share, i) && i % 4 == 3;
        }
        assert_int_equal(own, 3);
        mm_share_free(&share);
    }
}

/* With `agree` the starts of a grid point decide together, so they stay together. */
static void grid_points_stay_together_with_agree(void **state)
{
    struct fixture *fixture = *state;
    struct mm_config config;
    read_grid(&config, "agree = 2\n");
    for (int64_t i = 0; i < 2; i++)
        fixture->losses[9 + i] = -0.5; /* the second grid point has enough starts */
    for (int64_t task = 0; task < 2; task++) {
        struct mm_share share = open_share(fixture, &config, task, 2, "r1");
        static const int64_t owner[] = {0, 1, 1, 0};
        for (int64_t i = 0; i < CHAINS; i++)
            assert_int_equal(mm_share_has(&share, i), owner[i / 9] == task);
        mm_share_free(&share);
    }
    mm_config_free(&config);
}

static void a_viewer_creates_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct mm_share share = {0};
    const struct mm_task task = make_task(1, 3, "r1");
    bool found = true;
    assert_int_equal(mm_task_share_view(&share, &found, fixture->output, &fixture->config, &task, NULL), MM_OK);
    assert_false(found);
    struct mm_share opened = open_share(fixture, &fixture->config, 1, 3, "r1");
    assert_int_equal(mm_task_share_view(&share, &found, fixture->output, &fixture->config, &task, NULL), MM_OK);
    assert_true(found);
    for (int64_t i = 0; i < CHAINS; i++)
        assert_int_equal(mm_share_has(&share, i), mm_share_has(&opened, i));
    mm_share_free(&share);
    mm_share_free(&opened);
}

/* Any changed byte, and any other length, is noticed. */
static void damage_is_noticed(void **state)
{
    struct fixture *fixture = *state;
    const struct mm_task task = make_task(0, 2, "r1");
    struct mm_share share = open_share(fixture, &fixture->config, 0, 2, "r1");
    mm_share_free(&share);
    char path[128];
    snprintf(path, sizeof path, "%s.share.r1", fixture->output);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    for (off_t at = 0; at <= status.st_size; at++) {
        struct mm_error error = {0};
        FILE *file = fopen(path, "r+b");
        assert_non_null(file);
        assert_int_equal(fseek(file, at, SEEK_SET), 0);
        int byte = at < status.st_size ? fgetc(file) : 0;
        assert_int_equal(fseek(file, at, SEEK_SET), 0);
        assert_int_not_equal(fputc(byte ^ 0x10, file), EOF); /* the last one makes the file longer */
        assert_int_equal(fclose(file), 0);
        assert_int_equal(
            mm_task_share_open(&share, fixture->output, &fixture->config, &task, fixture->losses, &error),
            MM_ERROR_INPUT);
        assert_non_null(strstr(error.message, path));
        file = fopen(path, "r+b");
        assert_non_null(file);
        assert_int_equal(fseek(file, at, SEEK_SET), 0);
        assert_int_not_equal(fputc(byte, file), EOF);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(truncate(path, status.st_size), 0);
    }
    share = open_share(fixture, &fixture->config, 0, 2, "r1");
    mm_share_free(&share);
}

/* A task that is killed while it writes the shares leaves a hidden file behind. */
static void unfinished_shares_are_removed(void **state)
{
    struct fixture *fixture = *state;
    char path[sizeof fixture->folder + 64];
    snprintf(path, sizeof path, "%s/.out.h5.share.T3.unfinished.abcdef", fixture->folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(mm_task_share_remove(fixture->output, NULL), MM_OK);
    assert_int_not_equal(access(path, F_OK), 0);
}

static void another_run_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct mm_config other;
    struct mm_error error = {0};
    struct mm_task task = make_task(0, 2, "r1");
    struct mm_share share = open_share(fixture, &fixture->config, 0, 2, "r1");
    mm_share_free(&share);
    read_grid(&other, "seed = 2\n");
    assert_int_equal(mm_task_share_open(&share, fixture->output, &other, &task, fixture->losses, &error),
                     MM_ERROR_INPUT);
    task.count = 3; /* of a round, all tasks know the same number of tasks */
    assert_int_equal(mm_task_share_open(&share, fixture->output, &fixture->config, &task, fixture->losses, &error),
                     MM_ERROR_INPUT);
    mm_config_free(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(shares_are_stable_while_chains_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_new_round_shares_what_is_left, set_up, tear_down),
        cmocka_unit_test_setup_teardown(grid_points_stay_together_with_agree, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_viewer_creates_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damage_is_noticed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unfinished_shares_are_removed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_run_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
