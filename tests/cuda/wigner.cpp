/* wigner.cpp - the sums of a Wigner function on a device against the loops of the CPU, on grids of every
 * symmetry, near the origin and where exp(-t/2) underflows. */
#include <cmath>
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

extern "C" {
#include <cmocka.h>
}

#include "wigner/wigner.cuh"

namespace
{

constexpr double TOLERANCE = 1e-12;

/* A random mixture of pure states with that many diagonals; the other elements are zero. */
std::vector<double> random_density(int levels, int diagonals, unsigned seed)
{
    std::mt19937_64 random(seed);
    std::normal_distribution<double> normal;
    std::vector<double> density((size_t)levels * levels);
    for (int n = 0; n < levels; n++)
        for (int m = 0; m <= n; m++)
            density[(size_t)n * levels + m] = density[(size_t)m * levels + n] =
                n - m < diagonals ? normal(random) / levels : 0.0;
    return density;
}

/* The coherent state alpha = -i beta. */
std::vector<double> coherent_density(int levels, double beta)
{
    std::vector<double> r(levels), density((size_t)levels * levels);
    for (int n = 0; n < levels; n++)
        r[n] = std::exp(n * std::log(beta) - 0.5 * beta * beta - 0.5 * std::lgamma(n + 1.0));
    for (size_t i = 0; i < density.size(); i++)
        density[i] = r[i / levels] * r[i % levels];
    return density;
}

void check(int levels, std::vector<double> density, const std::vector<double> &x, const std::vector<double> &p)
{
    mm_state state = {};
    mm_error error = {};
    mm_wigner_series series = {};
    mm_wigner_points points = {};
    const mm_wigner_grid grid = {x.size(), x.data(), p.size(), p.data()};
    std::vector<double> expected(x.size() * p.size(), NAN), found(x.size() * p.size(), NAN);
    state.levels = levels;
    state.density = density.data();
    assert_int_equal(mm_wigner_series_create(&series, &state, &error), MM_OK);
    assert_int_equal(mm_wigner_points_create(&points, &grid, &error), MM_OK);
    mm_wigner_work work = {&series, &points,        &grid, mm_wigner_loops(mm_instructions_find("portable")),
                           1,       expected.data()};
    assert_int_equal(mm_cpu_wigner(&work, &error), MM_OK);
    work.wigner = found.data();
    if (mm_cuda_wigner(&work, &error) != MM_OK)
        fail_msg("%s", error.message);
    for (size_t i = 0; i < found.size(); i++)
        if (!(std::fabs(found[i] - expected[i]) <= TOLERANCE))
            fail_msg("W(%g, %g) is %.17g, not %.17g", x[i / p.size()], p[i % p.size()], found[i], expected[i]);
    mm_wigner_series_free(&series);
    mm_wigner_points_free(&points);
}

std::vector<double> axis(double extent, size_t count)
{
    std::vector<double> values(count);
    mm_wigner_axis(extent, count, values.data());
    return values;
}

void test_symmetric_grids(void **)
{
    check(30, random_density(30, 30, 1), axis(8.0, 21), axis(8.0, 21));
    check(30, random_density(30, 7, 2), axis(8.0, 20), axis(6.0, 13));
}

void test_any_points(void **)
{
    const std::vector<double> any = {0.5, -1.25, 3.0, -0.5, 0.5, 0.0, -0.0, 7.5};
    check(25, random_density(25, 25, 3), any, {0.0, 0.7, -2.0});
    check(1, {1.0}, {0.0}, {0.0});
    check(2, {0.0, 0.0, 0.0, 0.0}, {0.0, 1.0}, {1.0});
}

/* t reaches 1.6e5 and every diagonal counts. */
void test_range(void **)
{
    const double beta = std::sqrt(400.0), centre = -std::sqrt(2.0) * beta;
    check(520, coherent_density(520, beta), {-0.5, 0.0, 30.0, 200.0}, {centre, centre + 0.5, 0.0, 200.0});
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        cmocka_unit_test(test_symmetric_grids),
        cmocka_unit_test(test_any_points),
        cmocka_unit_test(test_range),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
