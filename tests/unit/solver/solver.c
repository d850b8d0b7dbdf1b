/* solver.c - which backend a solver takes, by name or by itself, and what it says about those it cannot take. */
#include <stdio.h>
#include <string.h>

#include "solver/backend.h"
#include "support/solver_checks.h"

static void refused(const char *name, const char *message)
{
    const struct mm_batch batch = {.qubits = 3};
    const struct mm_problem problem = {.levels = 4, .batch_count = 1, .batches = &batch, .tail = 1};
    const struct mm_solver_options options = {.backend = name};
    struct mm_solver *solver;
    struct mm_error error;
    assert_int_equal(mm_solver_open(&solver, &problem, &options, &error), MM_ERROR_INPUT);
    assert_string_equal(error.message, message);
}

static void test_names(void **state)
{
    (void)state;
    assert_true(mm_backend_is_automatic(NULL) && mm_backend_is_automatic("auto"));
    assert_false(mm_backend_is_automatic("cpu") || mm_backend_is_automatic(""));
    refused("abacus", "unknown backend 'abacus'; allowed are auto, cpu, cuda and reference");
    refused("", "unknown backend ''; allowed are auto, cpu, cuda and reference");
}

static void test_little_work_is_for_no_device(void **state)
{
    (void)state;
    assert_string_equal(mm_backend_for_little(NULL), "cpu");
    assert_string_equal(mm_backend_for_little("auto"), "cpu");
    assert_string_equal(mm_backend_for_little("reference"), "reference");
    assert_string_equal(mm_backend_for_little("cuda"), "cuda");
}

static void test_backends_of_wigner_functions(void **state)
{
    (void)state;
    const char *const found[] = {NULL, "auto", "cpu"}, *const refused_names[] = {"reference", "abacus"};
    const struct mm_backend *backend = NULL;
    struct mm_error error;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(mm_backend_for_wigner(found[i], true, &backend, &error), MM_OK);
        assert_string_equal(backend->name, "cpu");
        assert_non_null(backend->wigner);
    }
    assert_int_equal(mm_backend_for_wigner("auto", false, &backend, &error), MM_OK);
    assert_non_null(backend->wigner);
    for (int i = 0; i < 2; i++) {
        char message[128];
        snprintf(message, sizeof message, "backend '%s': the Wigner function has auto, cpu and cuda",
                 refused_names[i]);
        assert_int_equal(mm_backend_for_wigner(refused_names[i], false, &backend, &error), MM_ERROR_INPUT);
        assert_string_equal(error.message, message);
    }
}

/* What `micromaser info` says about the cuda backend. */
struct cuda_line {
    bool available;
    char text[MM_BACKEND_TEXT];
};

static void take_line(void *context, const char *name, bool available, const char *text)
{
    struct cuda_line *line = context;
    if (strcmp(name, "cuda") != 0)
        return;
    line->available = available;
    snprintf(line->text, sizeof line->text, "%s", text);
}

/* One that was not compiled in, or finds no device, has the same words for everybody. */
static void test_a_backend_that_cannot_run_explains_itself(void **state)
{
    (void)state;
    const struct mm_backend *backend = NULL;
    struct cuda_line line = {0};
    struct mm_error error;
    char message[MM_BACKEND_TEXT + 64];
    mm_backend_describe(take_line, &line);
    if (line.available)
        skip();
    snprintf(message, sizeof message, "backend 'cuda' is not available: %s", line.text);
    assert_int_equal(mm_backend_for_wigner("cuda", true, &backend, &error), MM_ERROR_BACKEND);
    assert_string_equal(error.message, message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_little_work_is_for_no_device),
        cmocka_unit_test(test_backends_of_wigner_functions),
        cmocka_unit_test(test_a_backend_that_cannot_run_explains_itself),
    };
    return cmocka_run_group_tests_name("solver", tests, NULL, NULL);
}
