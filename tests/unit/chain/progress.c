/* progress.c - how far a search is, counted by hand. */
#include <math.h>

#include "chain/progress.h"
#include "support/search_checks.h"

/* Two grid points of four starts; two agreeing starts end a grid point. */
static const char agreeing[] = "[cavity]\nlevels = 4\n[coupling]\ng = 0.7\n[batch.1]\nqubits = 3\n[loss]\n"
                               "lambda = 1,10\n[search]\nstarts = 4\nagree = 2\n";

/* The first has enough with its third start, and its second lacks; the other has one of four. */
static const double losses[8] = {-0.5, NAN, -0.5, NAN, NAN, -0.25, NAN, NAN};

static bool has(const void *context, int64_t index)
{
    (void)context;
    return !isnan(losses[index]);
}

static double loss_of(const void *context, int64_t index)
{
    (void)context;
    return losses[index];
}

static void what_is_needed_is_counted(void **state)
{
    (void)state;
    struct mm_config config;
    read_config(agreeing, &config);
    const struct mm_grid_progress progress = mm_grid_progress(&config, losses, NULL);
    assert_int_equal(progress.total, 8);
    assert_int_equal(progress.grid_points, 2);
    assert_int_equal(progress.finished, 3);
    assert_int_equal(progress.missing, 5);
    assert_int_equal(progress.incomplete, 2);
    assert_int_equal(progress.share_missing, 5);
    mm_config_free(&config);
}

/* With `agree` shares are of grid points: both are missing something, and go to one task each. */
static void a_share_is_counted_apart(void **state)
{
    (void)state;
    struct mm_config config;
    struct mm_share share;
    const unsigned char missing = 3;
    read_config(agreeing, &config);
    assert_int_equal(mm_share_create(&share, &config, 1, 2, &missing, NULL), MM_OK);
    const struct mm_grid_progress progress = mm_grid_progress(&config, losses, &share);
    assert_int_equal(progress.missing, 5);
    assert_int_equal(progress.share_missing, 3);
    mm_share_free(&share);
    mm_config_free(&config);
}

static void the_best_of_each_lambda_is_the_lowest_and_the_first(void **state)
{
    (void)state;
    struct mm_config config;
    struct mm_lambda_best best[2];
    read_config(agreeing, &config);
    const struct mm_chain_source source = {.config = &config, .has = has, .loss = loss_of};
    mm_lambda_best_find(&source, best);
    assert_int_equal(best[0].chain, 0);
    assert_int_equal(best[0].finished, 2);
    assert_int_equal(best[1].chain, 5);
    assert_int_equal(best[1].finished, 1);
    mm_config_free(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_needed_is_counted),
        cmocka_unit_test(a_share_is_counted_apart),
        cmocka_unit_test(the_best_of_each_lambda_is_the_lowest_and_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
