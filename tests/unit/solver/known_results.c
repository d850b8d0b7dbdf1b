/* known_results.c - losses at the verified optima of the paper's cases, and its long evolutions. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/assert_double.h"
#include "support/density_checks.h"
#include "support/known_protocols.h"
#include "support/solver_checks.h"

/* Optima found by an independent implementation, to the digits given, and the losses there. The loss is flat at
 * an optimum: digits left out of the parameters do not show in it. */
static const struct {
    int levels;
    size_t batch_count;
    const struct mm_batch *batches;
    int64_t tail;
    double lambda;
    double parameters[4];
    double loss;
    double tolerance;
} optima[] = {
    {120, 1, identical, 200, 1.0, {0.31003, 0.14462}, -0.4925177, 1e-7},
    {120, 1, identical, 200, 10.0, {0.39043, 0.16792}, -0.4199818, 1e-7},
    {120, 1, identical, 200, 100.0, {0.47051, 0.18315}, -0.3546602, 1e-7},
    {120, 1, identical, 200, 1000.0, {0.55294, 0.19024}, -0.2934610, 1e-7},
    {150, 2, two_batches, 100, 1.0, {0.15137, 0.07949, 0.36095, 0.15014}, -0.56534655, 1e-7},
    {150, 2, two_batches, 100, 10.0, {0.22965, 0.12268, 0.41397, 0.16477}, -0.49197610, 1e-7},
    {150, 2, two_batches, 100, 100.0, {0.27032, 0.15178, 0.48615, 0.17890}, -0.43701473, 1e-7},
    {150, 2, improved, 200, 10.0, {0.4490, 0.2076}, -0.37992, 1e-5},
};

static void losses_at_the_optima(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof optima / sizeof optima[0]; i++) {
        const struct mm_problem problem = {.levels = optima[i].levels,
                                           .batch_count = optima[i].batch_count,
                                           .batches = optima[i].batches,
                                           .tail = optima[i].tail,
                                           .band_tolerance = 1e-16};
        const struct mm_point point = {
            .g = coupling(), .lambda = optima[i].lambda, .parameters = optima[i].parameters};
        const struct mm_evaluation found = evaluate_on("cpu", &problem, &point, NULL);
        assert_double_near(found.loss, optima[i].loss, optima[i].tolerance);
        assert_true(found.band_error <= 1e-12);
    }
}

static void ergotropies_of_long_evolutions(void **state)
{
    (void)state;
    for (size_t i = 0; i < LONG_EVOLUTIONS; i++) {
        const struct mm_problem problem = {.levels = long_evolutions[i].levels,
                                           .batch_count = long_evolutions[i].batch_count,
                                           .batches = long_evolutions[i].batches,
                                           .tail = 1,
                                           .band_tolerance = 1e-16};
        const struct mm_point point = {.g = coupling(), .parameters = long_evolutions[i].parameters};
        int64_t collisions = 1000;
        for (size_t j = 0; j < 3; j++, collisions *= 10) {
            struct mm_state found = evolve_on("cpu", &problem, &point, collisions, NULL);
            assert_double_near(matrix_ergotropy(found.density, found.levels), long_evolutions[i].ergotropy[j],
                               6e-5);
            mm_state_free(&found);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_at_the_optima),
        cmocka_unit_test(ergotropies_of_long_evolutions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
