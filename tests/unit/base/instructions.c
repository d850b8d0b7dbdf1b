/* instructions.c - instruction sets by name, and the widest that runs here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/instructions.h"

static void a_set_is_found_by_its_name_where_it_runs(void **state)
{
    (void)state;
    for (int i = 0; i < MM_INSTRUCTIONS_COUNT; i++) {
        const enum mm_instructions set = (enum mm_instructions)i;
        const enum mm_instructions found = mm_instructions_find(mm_instructions_name(set));
        assert_int_equal(found, mm_instructions_supported(set) ? set : MM_INSTRUCTIONS_NONE);
    }
    assert_int_equal(mm_instructions_find("abacus"), MM_INSTRUCTIONS_NONE);
}

static void the_portable_one_runs_everywhere_and_is_the_last_choice(void **state)
{
    (void)state;
    assert_string_equal(mm_instructions_name(MM_INSTRUCTIONS_portable), "portable");
    assert_true(mm_instructions_supported(MM_INSTRUCTIONS_portable));
    const enum mm_instructions widest = mm_instructions_find(NULL);
    assert_int_not_equal(widest, MM_INSTRUCTIONS_NONE);
    assert_true(mm_instructions_supported(widest));
    for (int i = 0; i < (int)widest; i++)
        assert_false(mm_instructions_supported((enum mm_instructions)i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_is_found_by_its_name_where_it_runs),
        cmocka_unit_test(the_portable_one_runs_everywhere_and_is_the_last_choice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
