/* grid.c - the axes of a grid: chains are numbered with the last axis and then the starts running fastest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "chain/columns.h"
#include "chain/grid.h"
#include "support/search_checks.h"

static const char grid_of_24[] = "[cavity]\nlevels = 4\n[coupling]\ng = 0.9,0.7,0.8\n[batch.1]\nqubits = 2\n"
                                 "[loss]\nlambda = 5,1\n[search]\nstarts = 4\nseed = 11\n";

static int set_up(void **state)
{
    static struct mm_config config;
    read_config(grid_of_24, &config);
    *state = &config;
    return 0;
}

static int tear_down(void **state)
{
    mm_config_free(*state);
    return 0;
}

static void axes_are_those_of_the_configuration(void **state)
{
    const struct mm_config *config = *state;
    const struct mm_axis g = mm_grid_axis(config, MM_AXIS_g), lambda = mm_grid_axis(config, MM_AXIS_lambda);
    assert_string_equal(g.name, "g");
    assert_string_equal(lambda.name, "lambda");
    assert_int_equal(g.count, 3);
    assert_int_equal(lambda.count, 2);
    assert_ptr_equal(g.values, config->g);
    assert_ptr_equal(lambda.values, config->lambda);
    assert_int_equal(mm_grid_points(config), 6);
}

/* Counted by hand: three values of g, of two lambdas each, of four starts each. */
static void chains_are_counted_start_by_start_and_axis_by_axis(void **state)
{
    const struct mm_config *config = *state;
    int64_t index = 0, point = 0;
    for (int32_t g = 0; g < 3; g++)
        for (int32_t lambda = 0; lambda < 2; lambda++, point++)
            for (int32_t start = 0; start < 4; start++, index++) {
                struct mm_chain chain = {0};
                mm_grid_place(config, index, &chain);
                assert_int_equal(chain.g_index, g);
                assert_int_equal(chain.lambda_index, lambda);
                assert_int_equal(chain.start, start);
                assert_int_equal(mm_grid_index_of(config, &chain), index);
                assert_int_equal(mm_grid_point_of(config, index), point);
                assert_int_equal(mm_grid_start_of(config, index), start);
                const struct mm_point at = mm_grid_evaluation_point(config, point);
                assert_same_double(at.g, config->g[g]);
                assert_same_double(at.lambda, config->lambda[lambda]);
                assert_same_double(mm_grid_value(config, point, MM_AXIS_lambda), config->lambda[lambda]);
            }
    assert_int_equal(index, mm_config_chains(config));
}

static void a_move_along_one_axis_leaves_the_others(void **state)
{
    const struct mm_config *config = *state;
    for (int64_t point = 0; point < mm_grid_points(config); point++)
        for (size_t g = 0; g < 3; g++)
            for (size_t lambda = 0; lambda < 2; lambda++) {
                const int64_t moved = mm_grid_move(config, point, MM_AXIS_g, g);
                assert_int_equal(mm_grid_position(config, moved, MM_AXIS_g), g);
                assert_int_equal(mm_grid_position(config, moved, MM_AXIS_lambda),
                                 mm_grid_position(config, point, MM_AXIS_lambda));
                assert_int_equal(mm_grid_move(config, moved, MM_AXIS_lambda, lambda), 2 * g + lambda);
            }
}

static void places_outside_are_none(void **state)
{
    const struct mm_config *config = *state;
    static const struct mm_chain outside[] = {
        {.g_index = 3},
        {.g_index = -1},
        {.lambda_index = 2},
        {.lambda_index = -1},
        {.start = 4},
        {.start = -1},
        {.g_index = INT32_MAX, .lambda_index = INT32_MAX, .start = INT32_MAX},
    };
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++)
        assert_int_equal(mm_grid_index_of(config, &outside[i]), -1);
}

static void random_starts_are_keyed_by_the_place(void **state)
{
    const struct mm_config *config = *state;
    double found[2], expected[2];
    mm_grid_random_start(config, 2 * 8 + 4 + 3, 1, found);
    mm_random_start(11, 2, 1, 3, 1, expected);
    assert_memory_equal(found, expected, sizeof found);
}

static void messages_name_the_place(void **state)
{
    char text[MM_GRID_TEXT_SIZE];
    mm_grid_text(*state, 2 * 8 + 4 + 3, text);
    assert_string_equal(text, "g_index 2, lambda_index 1, start 3");
}

static void grids_are_the_same_by_their_values(void **state)
{
    struct mm_config other;
    read_config(grid_of_24, &other);
    assert_true(mm_grid_is_same(*state, &other));
    other.lambda[1] = 2.0;
    assert_false(mm_grid_is_same(*state, &other));
    mm_config_free(&other);
}

/* The first columns of a chain say where it stands, in the order of the axes. */
static void every_axis_is_a_column(void **state)
{
    (void)state;
    assert_string_equal(mm_chain_columns[MM_AXIS_g].name, "g_index");
    assert_string_equal(mm_chain_columns[MM_AXIS_lambda].name, "lambda_index");
    assert_string_equal(mm_chain_columns[MM_AXES].name, "start");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(axes_are_those_of_the_configuration),
        cmocka_unit_test(chains_are_counted_start_by_start_and_axis_by_axis),
        cmocka_unit_test(a_move_along_one_axis_leaves_the_others),
        cmocka_unit_test(places_outside_are_none),
        cmocka_unit_test(random_starts_are_keyed_by_the_place),
        cmocka_unit_test(messages_name_the_place),
        cmocka_unit_test(grids_are_the_same_by_their_values),
        cmocka_unit_test(every_axis_is_a_column),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
