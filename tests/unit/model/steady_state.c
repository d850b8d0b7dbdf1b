/* steady_state.c - chambers, the steady state of Eq. 8 and lifetimes, against evolutions and by hand. */
#include "support/assert_double.h"
#include "support/protocols.h"
#include "support/solver_checks.h"
#include "model/steady_state.h"

static struct mm_chambers chambers_of(double g, int levels)
{
    struct mm_chambers chambers;
    assert_int_equal(mm_chambers_find(g, levels, &chambers, NULL), MM_OK);
    return chambers;
}

static void assert_border(const struct mm_chambers *chambers, int index, int Q, int m, double epsilon)
{
    assert_in_range(index, 0, chambers->border_count - 1);
    assert_int_equal(chambers->borders[index].Q, Q);
    assert_int_equal(chambers->borders[index].m, m);
    assert_double_near(chambers->borders[index].epsilon, epsilon, 1e-9);
}

/* The paper's fine-tuned coupling: walls at 16 and 64 (Fig. 2). */
static void fine_tuned_chambers(void **state)
{
    (void)state;
    struct mm_chambers chambers = chambers_of(M_PI / 4.0, 120);
    assert_int_equal(chambers.border_count, 2);
    assert_border(&chambers, 0, 1, 16, 0.0);
    assert_border(&chambers, 1, 2, 64, 0.0);
    assert_true(chambers.borders[0].leak < 1e-28 && chambers.borders[1].leak < 1e-28);
    assert_int_equal(mm_chambers_of_level(&chambers, 0), 0);
    assert_int_equal(mm_chambers_of_level(&chambers, 15), 0);
    assert_int_equal(mm_chambers_of_level(&chambers, 16), 1);
    assert_int_equal(mm_chambers_of_level(&chambers, 64), 2);
    mm_chambers_free(&chambers);
}

/* The paper's g = pi / sqrt(15.6): 4 * 15.6 = 62.4. */
static void chambers_beside_the_fine_tuned_ones(void **state)
{
    (void)state;
    struct mm_chambers chambers = chambers_of(-M_PI / sqrt(15.6), 100);
    assert_int_equal(chambers.border_count, 2);
    assert_border(&chambers, 0, 1, 16, -0.4);
    assert_border(&chambers, 1, 2, 62, 0.4);
    const double sine = sin(M_PI * sqrt(16.0 / 15.6));
    assert_double_near(chambers.borders[0].leak, sine * sine, 1e-15);
    mm_chambers_free(&chambers);
}

/* Q = 3, m = 16: Q = 1 and 2 lie at 16/9 and 64/9. A large g has several Q at one m; the nearest stays. */
static void borders_of_large_couplings(void **state)
{
    (void)state;
    struct mm_chambers chambers = chambers_of(3.0 * M_PI / 4.0, 20);
    assert_int_equal(chambers.border_count, 3);
    assert_border(&chambers, 0, 1, 2, 16.0 / 9.0 - 2.0);
    assert_border(&chambers, 1, 2, 7, 64.0 / 9.0 - 7.0);
    assert_border(&chambers, 2, 3, 16, 0.0);
    mm_chambers_free(&chambers);
    chambers = chambers_of(20.0, 4);
    assert_int_equal(chambers.border_count, 3);
    assert_border(&chambers, 0, 6, 1, 36.0 * M_PI * M_PI / 400.0 - 1.0);
    mm_chambers_free(&chambers);
    chambers = chambers_of(0.0, 4);
    assert_int_equal(chambers.border_count, 0);
    mm_chambers_free(&chambers);
}

static void populations_add_up_by_chamber(void **state)
{
    (void)state;
    struct mm_chambers chambers = chambers_of(M_PI / 2.0, 20); /* borders at 4 and 16 */
    double populations[22], sums[3];
    for (int n = 0; n < 22; n++)
        populations[n] = n;
    mm_chambers_sum(&chambers, 22, populations, sums);
    assert_double_near(sums[0], 6.0, 0.0);
    assert_double_near(sums[1], 114.0, 0.0);
    assert_double_near(sums[2], 111.0, 0.0);
    mm_chambers_sum(&chambers, 3, populations, sums);
    assert_double_near(sums[0] + sums[1] + sums[2], 3.0, 0.0);
    mm_chambers_free(&chambers);
}

/* Fine-tuned and coherent, a long evolution ends in the pure state with the populations of Eq. 8. */
static void coherent_evolution_ends_in_the_steady_state(void **state)
{
    (void)state;
    static const struct {
        int Q;
        int m;
        double q;
    } cases[] = {{1, 4, 0.3}, {1, 9, 0.4}, {1, 16, 0.2}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const double g = cases[i].Q * M_PI / sqrt((double)cases[i].m);
        double populations[16];
        struct stream stream;
        stream_set(&stream, cases[i].m + 4, 10, g, 1.0, cases[i].q);
        struct mm_state found = evolve_on("cpu", &stream.problem, &stream.point, 30000, NULL);
        mm_steady_populations(g, cases[i].m, cases[i].q, populations);
        double purity = 0.0;
        for (int j = 0; j < found.levels * found.levels; j++)
            purity += found.density[j] * found.density[j];
        assert_double_near(purity, 1.0, 1e-9);
        for (int n = 0; n < found.levels; n++)
            assert_double_near(found.density[n * found.levels + n], n < cases[i].m ? populations[n] : 0.0, 1e-9);
        mm_state_free(&found);
    }
}

/* The state itself, sqrt(rho_nn) with the signs of cot(g sqrt(n) / 2) as amplitudes, is not changed by a collision,
 * also where it is hard to reach (Q = 3). */
static void steady_state_is_steady(void **state)
{
    (void)state;
    static const int turns[] = {1, 3, 5};
    for (size_t i = 0; i < sizeof turns / sizeof turns[0]; i++) {
        enum { M = 16, LEVELS = 20 };
        const double g = turns[i] * M_PI / 4.0, q = 0.4;
        double populations[M], amplitudes[LEVELS] = {0};
        struct stream stream;
        stream_set(&stream, LEVELS, 10, g, 1.0, q);
        mm_steady_populations(g, M, q, populations);
        double sign = 1.0;
        for (int n = 0; n < M; n++) {
            sign *= n > 0 && tan(0.5 * g * sqrt((double)n)) < 0.0 ? -1.0 : 1.0;
            amplitudes[n] = sign * sqrt(populations[n]);
        }
        struct mm_state found = {.levels = LEVELS, .density = calloc((size_t)LEVELS * LEVELS, sizeof(double))};
        assert_non_null(found.density);
        for (int n = 0; n < LEVELS; n++)
            for (int m = 0; m < LEVELS; m++)
                found.density[n * LEVELS + m] = amplitudes[n] * amplitudes[m];
        struct mm_solver *solver = open_solver("cpu", NULL, &stream.problem);
        assert_int_equal(mm_solver_evolve(solver, &stream.point, 3, NULL, &found, NULL), MM_OK);
        for (int n = 0; n < LEVELS; n++)
            for (int m = 0; m < LEVELS; m++)
                assert_double_near(found.density[n * LEVELS + m], amplitudes[n] * amplitudes[m], 1e-13);
        mm_solver_close(solver);
        mm_state_free(&found);
    }
}

static void steady_state_at_the_bounds_of_q(void **state)
{
    (void)state;
    double populations[200], sum = 0.0;
    mm_steady_populations(M_PI / 4.0, 16, 0.0, populations);
    assert_double_near(populations[15], 1.0, 0.0);
    mm_steady_populations(M_PI / 4.0, 16, 1.0, populations);
    assert_double_near(populations[0], 1.0, 0.0);
    mm_steady_populations(M_PI / 4.0, 16, 1e-300, populations);
    assert_double_near(populations[15], 1.0, 1e-12);
    mm_steady_populations(M_PI / sqrt(200.0), 200, 1e-5, populations);
    for (int n = 0; n < 200; n++)
        sum += populations[n];
    assert_double_near(sum, 1.0, 1e-12);
}

/* E = 10 (1 - e^(-k/20)) + k / 1000 on a logarithmic grid: dE / d ln k is smallest between rise and drift. */
static void lifetime_of_a_drifting_plateau(void **state)
{
    (void)state;
    enum { POINTS = 401 };
    int64_t k[POINTS];
    double energies[POINTS];
    size_t count = 0;
    for (int i = 0; i < POINTS; i++) {
        const int64_t number = llround(pow(10.0, 0.01 * i));
        if (count > 0 && number == k[count - 1])
            continue;
        k[count] = number;
        energies[count++] = 10.0 * (1.0 - exp(-(double)number / 20.0)) + (double)number / 1000.0;
    }
    const struct mm_lifetime found = mm_lifetime_find(count, k, energies, 10, 0.02);
    assert_true(found.found);
    /* dE / d ln k = (k/2) e^(-k/20) + k/1000 has its minimum where (1/2 - k/40) e^(-k/20) + 1/1000 = 0: k = 164 */
    assert_in_range(found.plateau, 155, 173);
    const double plateau = 10.0 * (1.0 - exp(-(double)found.plateau / 20.0)) + (double)found.plateau / 1000.0;
    assert_double_near(found.energy, plateau, 1e-12);
    assert_double_near(found.band, 0.02 * plateau, 1e-12);
    assert_double_near(found.leaves, 1000.0 * (plateau + found.band - 10.0), 1.0);
    const double edge = 10.0 * (1.0 - exp(-found.enters / 20.0)) + found.enters / 1000.0;
    assert_double_near(edge, plateau - found.band, 1e-3);
    assert_double_near(found.lifetime, found.leaves - found.enters, 0.0);
    assert_double_near(found.slope, 1e-3, 2e-5);
    assert_double_near(found.rate, found.slope / found.band, 1e-15);
    /* a wide band is never left */
    const struct mm_lifetime wide = mm_lifetime_find(count, k, energies, 10, 1.0);
    assert_true(isinf(wide.leaves) && isinf(wide.lifetime));
    assert_double_near(wide.enters, 1.0, 0.0);
    /* nothing to look at */
    assert_false(mm_lifetime_find(count, k, energies, 10000, 0.02).found);
    assert_false(mm_lifetime_find(2, k, energies, 0, 0.02).found);
    assert_false(mm_lifetime_find(0, NULL, NULL, 0, 0.02).found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fine_tuned_chambers),
        cmocka_unit_test(chambers_beside_the_fine_tuned_ones),
        cmocka_unit_test(borders_of_large_couplings),
        cmocka_unit_test(populations_add_up_by_chamber),
        cmocka_unit_test(coherent_evolution_ends_in_the_steady_state),
        cmocka_unit_test(steady_state_is_steady),
        cmocka_unit_test(steady_state_at_the_bounds_of_q),
        cmocka_unit_test(lifetime_of_a_drifting_plateau),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
