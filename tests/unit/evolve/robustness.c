/* robustness.c - noise: its draws, the collisions it makes on both backends, and the spread over realisations.
 */
#include <stdlib.h>
#include <string.h>

#include "support/assert_double.h"
#include "evolve/robustness.h"
#include "support/solver_checks.h"

enum { COLLISIONS = 24 };

static const struct mm_batch batches[] = {
    {.qubits = 5}, {.qubits = 6, .fixed = true, .c = 0.02, .q = 0.9}, {.qubits = 4}};
static const double first_parameters[] = {0.5, 0.2, 0.6, 0.3};
static const double second_parameters[] = {0.1, 0.0, 1.0, 0.7};
static const struct mm_curve curves[] = {{.g = 0.9, .parameters = first_parameters},
                                         {.g = 0.7, .parameters = second_parameters}};

static struct mm_evolution_plan plan_of(int levels)
{
    return (struct mm_evolution_plan){
        .problem = {.levels = levels, .batch_count = 3, .batches = batches, .tail = 1, .band_tolerance = 1e-16},
        .curve_count = 2,
        .curves = curves,
        .collisions = COLLISIONS,
        .every = 7,
    };
}

static struct mm_robustness run(const struct mm_evolution_plan *plan, const struct mm_noise *noise,
                                int64_t realisations, const char *backend, int threads)
{
    const struct mm_robustness_options options = {.solver = {.backend = backend, .threads = threads}};
    struct mm_robustness robustness;
    struct mm_error error = {0};
    if (mm_robustness_run(plan, noise, realisations, &options, &robustness, &error) != MM_OK)
        fail_msg("%s", error.message);
    return robustness;
}

static size_t sample_count(const struct mm_robustness *robustness)
{
    return robustness->curve_count * robustness->record_count * MM_MEASURES * (size_t)robustness->realisations;
}

/* ------------------------------------------------------------------------------------------------- draws */

static struct mm_drawn_collision draw(const struct mm_evolution_plan *plan, const struct mm_noise *noise,
                                      size_t curve, int64_t realisation, int64_t collision,
                                      struct mm_clipped *clipped)
{
    int64_t ends[MM_BATCHES_MAX];
    mm_protocol_find_ends(&plan->problem, ends);
    return mm_noise_draw(&plan->problem, (struct mm_protocol){(int)plan->problem.batch_count, ends},
                         &plan->curves[curve], noise, realisation, collision, clipped);
}

/* Mean and variance of many draws, whose standard errors are about 1/140 of the width. */
static void check_moments(enum mm_noise_shape shape, double variance)
{
    enum { DRAWS = 20000 };
    const struct mm_evolution_plan plan = plan_of(10);
    const struct mm_noise noise = {.shape = shape, .c_width = 0.01, .q_width = 0.02, .g_width = 0.03, .seed = 7};
    const double centre[3] = {0.6, 0.3, 0.9}, width[3] = {0.01, 0.02, 0.03};
    double sums[3] = {0}, squares[3] = {0}, product = 0.0;
    struct mm_clipped clipped = {0};
    for (int i = 0; i < DRAWS; i++) {
        const struct mm_drawn_collision drawn = draw(&plan, &noise, 0, 3, 1000 + i, &clipped);
        const double values[3] = {drawn.c, drawn.q, drawn.g};
        double scaled[3];
        for (int j = 0; j < 3; j++) {
            scaled[j] = (values[j] - centre[j]) / width[j];
            sums[j] += scaled[j] / DRAWS;
            squares[j] += scaled[j] * scaled[j] / DRAWS;
            if (shape == MM_NOISE_UNIFORM)
                assert_true(fabs(scaled[j]) <= 1.0 + 1e-12);
        }
        product += scaled[0] * scaled[1] / DRAWS;
    }
    for (int j = 0; j < 3; j++) {
        assert_double_near(sums[j], 0.0, 0.04);
        assert_double_near(squares[j], variance, 0.05 * variance);
    }
    assert_double_near(product, 0.0, 0.04);
    assert_int_equal(clipped.drawn, DRAWS);
    assert_int_equal(clipped.c + clipped.q, 0);
}

static void draws_have_the_width_asked_for(void **state)
{
    (void)state;
    check_moments(MM_NOISE_GAUSSIAN, 1.0);
    check_moments(MM_NOISE_UNIFORM, 1.0 / 3.0);
}

/* Once a batch: the same in all of it, also after the schedule, and different between batches and realisations. */
static void draws_of_a_batch_stay(void **state)
{
    (void)state;
    const struct mm_evolution_plan plan = plan_of(10);
    const struct mm_noise noise = {.c_width = 0.01, .q_width = 0.01, .g_width = 0.01, .per_batch = true, .seed = 1};
    struct mm_clipped clipped = {0};
    const struct mm_drawn_collision first = draw(&plan, &noise, 0, 0, 0, &clipped);
    const struct mm_drawn_collision same = draw(&plan, &noise, 0, 0, 4, &clipped);
    const struct mm_drawn_collision last = draw(&plan, &noise, 0, 0, 11, &clipped);
    const struct mm_drawn_collision beyond = draw(&plan, &noise, 0, 0, 1000000, &clipped);
    const struct mm_drawn_collision other = draw(&plan, &noise, 0, 1, 0, &clipped);
    assert_true(first.c == same.c && first.q == same.q && first.g != same.g);
    assert_true(last.c == beyond.c && last.q == beyond.q && last.g != beyond.g);
    assert_true(first.c != other.c && first.q != other.q && first.c - 0.5 != last.c - 0.6);
    /* the noise of a realisation is the same for every curve */
    const struct mm_drawn_collision second = draw(&plan, &noise, 1, 0, 0, &clipped);
    assert_double_near(second.c - 0.1, first.c - 0.5, 1e-15);
    assert_int_equal(clipped.drawn, 4); /* at the first collisions of batches alone */
}

/* The second curve's q = 0 is clipped half of the time, its c = 1 too; nothing leaves [0, 1]. */
static void clipped_values_are_counted(void **state)
{
    (void)state;
    const struct mm_evolution_plan plan = plan_of(10);
    const struct mm_noise noise = {.c_width = 0.05, .q_width = 0.05, .seed = 2};
    struct mm_clipped clipped = {0};
    int64_t at_bound = 0;
    for (int i = 0; i < 1000; i++) {
        const struct mm_drawn_collision first = draw(&plan, &noise, 1, i, 0, &clipped);
        const struct mm_drawn_collision last = draw(&plan, &noise, 1, i, 20, &clipped);
        assert_true(first.q >= 0.0 && last.c <= 1.0);
        at_bound += (first.q == 0.0) + (last.c == 1.0);
        at_bound += first.c == 0.0;
    }
    assert_int_equal(clipped.drawn, 2000);
    assert_int_equal(clipped.c + clipped.q, at_bound);
    assert_in_range(clipped.q, 440, 560);
    assert_in_range(clipped.c, 440, 620);
}

/* --------------------------------------------------------------------------------------------- evolutions */

static void backends_agree_under_noise(void **state)
{
    (void)state;
    static const int levels[] = {12, MM_LEVELS_AUTO};
    const struct mm_noise noises[] = {
        {.c_width = 0.1, .q_width = 0.1, .g_width = 0.05, .seed = 3},
        {.shape = MM_NOISE_UNIFORM, .c_width = 0.2, .q_width = 0.3, .per_batch = true, .seed = 4},
        {.g_width = 0.2, .seed = 5},
    };
    for (size_t l = 0; l < 2; l++)
        for (size_t i = 0; i < sizeof noises / sizeof noises[0]; i++) {
            const struct mm_evolution_plan plan = plan_of(levels[l]);
            struct mm_robustness found = run(&plan, &noises[i], 3, "cpu", 2);
            struct mm_robustness expected = run(&plan, &noises[i], 3, "reference", 1);
            assert_int_equal(found.realisations_done, 3);
            for (size_t j = 0; j < sample_count(&found); j++)
                assert_double_near(found.samples[j], expected.samples[j], 1e-10);
            assert_memory_equal(found.clipped, expected.clipped, 2 * sizeof *found.clipped);
            mm_robustness_free(&found);
            mm_robustness_free(&expected);
        }
}

/* Without noise every realisation is the evolution itself. */
static void no_noise_is_the_evolution(void **state)
{
    (void)state;
    const struct mm_evolution_plan plan = plan_of(20);
    const struct mm_noise none = {.seed = 1};
    struct mm_robustness found = run(&plan, &none, 2, NULL, 1);
    double energies[COLLISIONS + 1];
    const struct mm_point point = {.g = curves[1].g, .parameters = curves[1].parameters};
    struct mm_state final = evolve_on("cpu", &plan.problem, &point, COLLISIONS, energies);
    assert_int_equal(found.record_count, 5); /* 0, 7, 14, 21, 24 */
    for (size_t i = 0; i < found.record_count; i++) {
        const struct mm_spread spread = mm_robustness_spread(&found, 1, i, 0);
        assert_double_near(spread.mean, energies[found.k[i]], 1e-12);
        assert_double_near(spread.standard_deviation, 0.0, 0.0);
        assert_double_near(spread.quantile[4], energies[found.k[i]], 1e-12);
    }
    assert_int_equal(found.clipped[1].drawn, 0);
    mm_state_free(&final);
    mm_robustness_free(&found);
}

static void threads_do_not_matter(void **state)
{
    (void)state;
    const struct mm_evolution_plan plan = plan_of(30);
    const struct mm_noise noise = {.c_width = 0.1, .q_width = 0.1, .g_width = 0.01, .seed = 11};
    const struct mm_noise other = {.c_width = 0.1, .q_width = 0.1, .g_width = 0.01, .seed = 12};
    struct mm_robustness one = run(&plan, &noise, 20, "cpu", 1);
    struct mm_robustness two = run(&plan, &noise, 20, "cpu", 2);
    struct mm_robustness different = run(&plan, &other, 20, "cpu", 2);
    assert_memory_equal(one.samples, two.samples, sample_count(&one) * sizeof *one.samples);
    assert_memory_not_equal(one.samples, different.samples, sample_count(&one) * sizeof *one.samples);
    mm_robustness_free(&one);
    mm_robustness_free(&two);
    mm_robustness_free(&different);
}

static void stopping_keeps_what_is_done(void **state)
{
    (void)state;
    const struct mm_evolution_plan plan = plan_of(10);
    const struct mm_noise noise = {.c_width = 0.1, .seed = 1};
    const volatile int stop = 1;
    const struct mm_robustness_options options = {.solver = {.threads = 1}, .stop = &stop};
    struct mm_robustness found;
    struct mm_error error = {0};
    assert_int_equal(mm_robustness_run(&plan, &noise, 5, &options, &found, &error), MM_STOPPED);
    assert_int_equal(found.realisations_done, 0);
    mm_robustness_free(&found);
    const struct mm_robustness_options unknown = {.solver = {.backend = "abacus"}};
    assert_int_equal(mm_robustness_run(&plan, &noise, 5, &unknown, &found, &error), MM_ERROR_INPUT);
}

/* ---------------------------------------------------------------------------------------------- statistics */

static void spread_of_known_samples(void **state)
{
    (void)state;
    double samples[] = {4.0, 1.0, 3.0, 2.0, 10.0, 99.0}; /* the last one is of a realisation that is not done */
    int64_t k = 0;
    struct mm_robustness robustness = {.curve_count = 1,
                                       .record_count = 1,
                                       .k = &k,
                                       .realisations = 6,
                                       .realisations_done = 5,
                                       .samples = samples};
    const struct mm_spread spread = mm_robustness_spread(&robustness, 0, 0, 0);
    assert_double_near(spread.mean, 4.0, 1e-15);
    assert_double_near(spread.standard_deviation, sqrt(50.0 / 4.0), 1e-14);
    assert_double_near(spread.quantile[0], 1.2, 1e-14); /* position 0.2 */
    assert_double_near(spread.quantile[1], 2.0, 1e-14);
    assert_double_near(spread.quantile[2], 3.0, 1e-14);
    assert_double_near(spread.quantile[3], 4.0, 1e-14);
    assert_double_near(spread.quantile[4], 8.8, 1e-14); /* position 3.8 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_have_the_width_asked_for), cmocka_unit_test(draws_of_a_batch_stay),
        cmocka_unit_test(clipped_values_are_counted),     cmocka_unit_test(backends_agree_under_noise),
        cmocka_unit_test(no_noise_is_the_evolution),      cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(stopping_keeps_what_is_done),    cmocka_unit_test(spread_of_known_samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
