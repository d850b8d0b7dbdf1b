/* options.c - option structs of callers that were compiled with another version of the header: shorter ones, longer
 * ones, and such as no version had. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/options.h"

/* Three versions of one struct. */
struct first {
    size_t size;
    double a;
    int b, c;
};

struct second {
    size_t size;
    double a;
    int b, c;
    double d;
};

struct third {
    size_t size;
    double a;
    int b, c;
    double d, e;
};

static const struct second defaults = {sizeof(struct second), 0.5, 1, 2, 4.0};

/* What a library that knows the second version takes. */
static mm_status take(const void *given, struct second *own, struct mm_error *error)
{
    *own = defaults;
    return mm_options_copy("options", MM_OPTIONS_FIRST_SIZE(struct first, c), sizeof *own, given, own, error);
}

static void taken(const void *given, struct second expected)
{
    struct second own;
    struct mm_error error;
    if (take(given, &own, &error) != MM_OK)
        fail_msg("%s", error.message);
    assert_memory_equal(&own, &expected, sizeof own);
}

static void refused(const void *given, const char *message)
{
    struct second own;
    struct mm_error error;
    assert_int_equal(take(given, &own, &error), MM_ERROR_INPUT);
    assert_string_equal(error.message, message);
}

static void test_every_version_is_taken(void **state)
{
    (void)state;
    taken(NULL, defaults);
    taken(&(struct first){sizeof(struct first), 7.0, 8, 9}, (struct second){sizeof(struct second), 7.0, 8, 9, 4.0});
    taken(&(struct second){sizeof(struct second), 7.0, 8, 9, 10.0},
          (struct second){sizeof(struct second), 7.0, 8, 9, 10.0});
    taken(&(struct third){sizeof(struct third), 7.0, 8, 9, 10.0, 0.0},
          (struct second){sizeof(struct second), 7.0, 8, 9, 10.0});
}

/* Callers that know of no size have the first version; what lies behind it is not read. */
static void test_no_size_is_that_of_the_first_version(void **state)
{
    (void)state;
    struct first *alone = calloc(1, sizeof *alone);
    assert_non_null(alone);
    alone->b = 8;
    taken(alone, (struct second){sizeof(struct second), 0.0, 8, 0, 4.0});
    free(alone);
    taken(&(struct second){0, 7.0, 8, 9, 10.0}, (struct second){sizeof(struct second), 7.0, 8, 9, 4.0});
}

static void test_what_no_version_had_is_refused(void **state)
{
    (void)state;
    refused(&(struct first){1, 0.0, 0, 0}, "options: size = 1; allowed are 0 and 24 to 4096");
    refused(&(struct first){23, 0.0, 0, 0}, "options: size = 23; allowed are 0 and 24 to 4096");
    refused(&(struct first){SIZE_MAX, 0.0, 0, 0},
            "options: size = 18446744073709551615; allowed are 0 and 24 to 4096");
    refused(&(struct third){sizeof(struct third), 0.0, 0, 0, 0.0, 1.0},
            "options: size = 40, with values beyond the 32 bytes that version " MM_VERSION " knows");
}

/* No member that comes later may lie in what was padding. */
static void test_structs_of_the_header_end_with_their_last_member(void **state)
{
    (void)state;
    assert_int_equal(sizeof(struct mm_solver_options),
                     MM_OPTIONS_FIRST_SIZE(struct mm_solver_options, check_eigen));
    assert_int_equal(sizeof(struct mm_optimizer_options),
                     MM_OPTIONS_FIRST_SIZE(struct mm_optimizer_options, rough));
    assert_int_equal(sizeof(struct mm_search_options),
                     MM_OPTIONS_FIRST_SIZE(struct mm_search_options, progress_context));
}

/* Every function that takes options goes by their size. */
static void test_every_function_looks_at_the_size(void **state)
{
    (void)state;
    static const char TEXT[] = "[cavity]\nlevels = 4\n[coupling]\ng = 0.8\n[batch.1]\nqubits = 3\n"
                               "[loss]\nlambda = 1\ntail = 1\n[search]\nstarts = 1\n";
    const struct mm_solver_options solver_options = {.size = 3};
    const struct mm_search_options search_options = {.size = 3};
    struct mm_optimizer_options optimizer_options = mm_optimizer_default_options();
    struct mm_config config;
    struct mm_results results;
    struct mm_solver *solver;
    struct mm_optimizer *optimizer;
    struct mm_error error;
    double value = 0.0, lower = 0.0, upper = 1.0;
    assert_int_equal(optimizer_options.size, sizeof optimizer_options);
    optimizer_options.size = 3;
    assert_int_equal(mm_config_parse("text", TEXT, sizeof TEXT - 1, 0, NULL, &config, &error), MM_OK);
    const struct mm_problem problem = mm_config_problem(&config);
    assert_int_equal(mm_solver_open(&solver, &problem, &solver_options, &error), MM_ERROR_INPUT);
    assert_non_null(strstr(error.message, "mm_solver_options: size = 3"));
    assert_int_equal(mm_wigner(&(struct mm_state){0}, &(struct mm_wigner_grid){1, &value, 1, &value},
                               &solver_options, &upper, &error),
                     MM_ERROR_INPUT);
    assert_non_null(strstr(error.message, "mm_solver_options: size = 3"));
    assert_int_equal(mm_optimizer_create(&optimizer, 1, &lower, &upper, &value, &optimizer_options, &error),
                     MM_ERROR_INPUT);
    assert_non_null(strstr(error.message, "mm_optimizer_options: size = 3"));
    assert_int_equal(mm_results_create(&results, &config, &error), MM_OK);
    assert_int_equal(mm_search_run(&config, &search_options, &results, &error), MM_ERROR_INPUT);
    assert_non_null(strstr(error.message, "mm_search_options: size = 3"));
    mm_results_free(&results);
    mm_config_free(&config);
}

static void test_defaults_are_written_into_structs_of_any_size(void **state)
{
    (void)state;
    struct {
        struct mm_optimizer_options options;
        double guard[2];
    } held;
    const size_t known = sizeof held.options;
    memset(&held, 0xff, sizeof held);
    mm_optimizer_defaults(&held.options, known - sizeof held.options.rough);
    assert_int_equal(held.options.size, known - sizeof held.options.rough);
    assert_int_equal(held.options.corrections, 10);
    assert_true(isnan(held.options.rough[0].ftol));
    memset(&held, 0xff, sizeof held);
    mm_optimizer_defaults(&held.options, known + sizeof held.guard[0]);
    assert_true(held.options.rough[0].ftol == 0.0 && held.guard[0] == 0.0 && isnan(held.guard[1]));
}

static void test_the_version_is_the_headers(void **state)
{
    (void)state;
    assert_string_equal(mm_version(), MM_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_version_is_taken),
        cmocka_unit_test(test_no_size_is_that_of_the_first_version),
        cmocka_unit_test(test_what_no_version_had_is_refused),
        cmocka_unit_test(test_structs_of_the_header_end_with_their_last_member),
        cmocka_unit_test(test_every_function_looks_at_the_size),
        cmocka_unit_test(test_defaults_are_written_into_structs_of_any_size),
        cmocka_unit_test(test_the_version_is_the_headers),
    };
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
