/* state.c - the state in which charging begins is the vacuum. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/state.h"

static void charging_begins_in_the_vacuum(void **unused)
{
    (void)unused;
    struct mm_state state = {.levels = 7, .collisions = 3, .band_error = 1.0, .truncation_population = 1.0};
    assert_int_equal(mm_initial_state(&state, NULL), MM_OK);
    assert_int_equal(state.levels, 1);
    assert_true(state.density[0] == 1.0);
    assert_int_equal(state.collisions, 0);
    assert_true(state.band_error == 0.0 && state.truncation_population == 0.0);
    mm_state_free(&state);
    assert_null(state.density);
    assert_int_equal(state.levels, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(charging_begins_in_the_vacuum)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
