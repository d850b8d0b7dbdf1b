/* protocol.c - which batch a collision lies in, and with which c and q, counted by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/protocol.h"

/* Collisions 0-2, 3, 4-8; the middle batch is held fixed. */
static const struct mm_batch batches[] = {
    {.qubits = 3}, {.qubits = 1, .fixed = true, .c = 0.25, .q = 0.75}, {.qubits = 5}};
static const struct mm_problem problem = {.levels = 4, .batch_count = 3, .batches = batches, .tail = 2};
static const double parameters[] = {0.1, 0.2, 0.3, 0.4};

static struct mm_protocol protocol_of(int64_t ends[3])
{
    mm_protocol_find_ends(&problem, ends);
    return (struct mm_protocol){3, ends};
}

static void batches_end_one_after_another(void **state)
{
    (void)state;
    int64_t ends[3];
    const struct mm_protocol protocol = protocol_of(ends);
    const int64_t begins[] = {0, 3, 4}, stops[] = {3, 4, INT64_MAX};
    for (int b = 0; b < 3; b++) {
        assert_int_equal(mm_protocol_begin(protocol, b), begins[b]);
        assert_int_equal(mm_protocol_end(protocol, b), stops[b]);
    }
}

/* From wherever one looks; the last batch continues after the schedule. */
static void a_collision_lies_in_one_batch(void **state)
{
    (void)state;
    static const int expected[] = {0, 0, 0, 1, 2, 2, 2, 2, 2, 2, 2, 2};
    int64_t ends[3];
    const struct mm_protocol protocol = protocol_of(ends);
    for (int64_t k = 0; k < 12; k++)
        for (int near = 0; near < 3; near++)
            assert_int_equal(mm_protocol_batch(protocol, k, near), expected[k]);
    assert_int_equal(mm_protocol_batch(protocol, INT64_MAX - 1, 0), 2);
}

static void fixed_batches_have_their_own_parameters(void **state)
{
    (void)state;
    static const double expected[3][2] = {{0.1, 0.2}, {0.25, 0.75}, {0.3, 0.4}};
    struct mm_qubit qubits[3];
    double all[6], own[2], gathered[4];
    mm_protocol_qubits(&problem, parameters, qubits);
    mm_spread_parameters(3, batches, parameters, all);
    const struct mm_curve curve = {.parameters = parameters};
    for (size_t b = 0; b < 3; b++) {
        mm_protocol_parameters(&problem, parameters, b, own);
        assert_memory_equal(own, expected[b], sizeof own);
        assert_memory_equal(&all[2 * b], expected[b], sizeof own);
        const struct mm_qubit qubit = mm_qubit_from_population(expected[b][0], expected[b][1]);
        const struct mm_qubit of_curve = mm_curve_qubit(&problem, &curve, b);
        assert_memory_equal(&qubits[b], &qubit, sizeof qubit);
        assert_memory_equal(&of_curve, &qubit, sizeof qubit);
    }
    mm_gather_parameters(3, batches, all, gathered);
    assert_memory_equal(gathered, parameters, sizeof gathered);
}

static void a_state_is_diagonal_until_the_first_coherence(void **state)
{
    (void)state;
    static const double incoherent[] = {0.0, 0.2, 0.3, 0.4}, pure[] = {0.9, 1.0, 0.0, 0.5};
    const struct mm_curve first = {.parameters = incoherent}, other = {.parameters = parameters},
                          excited = {.parameters = pure};
    assert_true(mm_curve_is_diagonal(&problem, &first, 0));
    assert_false(mm_curve_is_diagonal(&problem, &first, 1)); /* the fixed batch has coherence */
    assert_false(mm_curve_is_diagonal(&problem, &other, 0));
    assert_true(mm_curve_is_diagonal(&problem, &excited, 0)); /* c = 0.9, but q = 1: no coherence is left */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_end_one_after_another),
        cmocka_unit_test(a_collision_lies_in_one_batch),
        cmocka_unit_test(fixed_batches_have_their_own_parameters),
        cmocka_unit_test(a_state_is_diagonal_until_the_first_coherence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
