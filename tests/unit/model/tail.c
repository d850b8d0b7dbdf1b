/* tail.c - the tail's value and sources: the sum of |steps| and its derivative by every energy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/problem.h"
#include "support/assert_double.h"

/* Seven collisions, of which the last four count: states 3 .. 7. The energy turns at 5 and stands still into 7. */
static const struct mm_batch batches[] = {{.qubits = 4}, {.qubits = 3}};
static const struct mm_problem problem = {.levels = 4, .batch_count = 2, .batches = batches, .tail = 4};
static const double energies[] = {0.0, 3.0, 1.0, 2.0, 2.5, 4.0, 3.25, 3.25, 9.0};

static double instability_of(const double *of_state, int8_t signs[4])
{
    const struct mm_tail tail = mm_problem_tail(&problem);
    double sum = 0.0;
    for (int64_t k = 1; k <= 8; k++)
        if (mm_tail_has(tail, k)) {
            const double step = of_state[k] - of_state[k - 1];
            sum += mm_tail_value(step);
            signs[mm_tail_place(tail, k)] = mm_tail_sign(step);
        }
    return sum;
}

static void the_steps_of_the_tail_count(void **state)
{
    (void)state;
    const struct mm_tail tail = mm_problem_tail(&problem);
    int8_t signs[4];
    assert_int_equal(tail.start, 3);
    assert_int_equal(tail.end, 7);
    assert_double_near(instability_of(energies, signs), 0.5 + 1.5 + 0.75, 0.0);
    static const int8_t expected[] = {1, 1, -1, 0};
    assert_memory_equal(signs, expected, sizeof signs);
    for (int64_t k = 0; k <= 9; k++)
        assert_int_equal(mm_tail_needs_energy(tail, k), k >= 3 && k <= 7);
}

static void sources_are_the_derivatives_of_the_value(void **state)
{
    (void)state;
    enum { STATES = sizeof energies / sizeof energies[0] };
    const struct mm_tail tail = mm_problem_tail(&problem);
    int8_t signs[4], ignored[4];
    (void)instability_of(energies, signs);
    for (int64_t k = 0; k < STATES; k++) {
        double more[STATES], less[STATES];
        for (int i = 0; i < STATES; i++)
            more[i] = less[i] = energies[i];
        more[k] += 0.0625;
        less[k] -= 0.0625;
        /* a kink, where the energy stands still, has the mean of its slopes */
        const double slope = (instability_of(more, ignored) - instability_of(less, ignored)) / 0.125;
        assert_double_near(mm_tail_source(tail, signs, k), slope, 0.0);
    }
}

static void no_sign_without_a_number(void **state)
{
    (void)state;
    assert_int_equal(mm_tail_sign(-0.0), 0);
    assert_int_equal(mm_tail_sign((double)NAN), 0);
    assert_true(isnan(mm_tail_value((double)NAN)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_steps_of_the_tail_count),
        cmocka_unit_test(sources_are_the_derivatives_of_the_value),
        cmocka_unit_test(no_sign_without_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
