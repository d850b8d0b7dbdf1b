/* wigner.c - Wigner functions against QuTiP, closed forms, marginals of the Hermite functions, and their own
 * integrals. */
#include "support/assert_double.h"
#include "support/physics_fixtures.h"
#include "support/protocols.h"
#include "support/solver_checks.h"
#include "wigner/wigner.h"

enum { AXIS_MAX = 1001 };

static const struct mm_solver_options one_thread = {.backend = "cpu", .threads = 1};

/* Every instruction set that runs here. */
static size_t supported_instructions(enum mm_instructions list[MM_INSTRUCTIONS_COUNT])
{
    size_t count = 0;
    for (int i = 0; i < MM_INSTRUCTIONS_COUNT; i++)
        if (mm_instructions_supported((enum mm_instructions)i))
            list[count++] = (enum mm_instructions)i;
    return count;
}

static double *numbers(size_t count)
{
    double *values = malloc(count * sizeof *values);
    assert_non_null(values);
    return values;
}

/* The state of real-gauge amplitudes r_n; to be freed with mm_state_free. */
static struct mm_state pure_state(int levels, const double *r)
{
    const size_t n = (size_t)levels;
    struct mm_state state = {.levels = levels, .density = numbers(n * n)};
    for (size_t i = 0; i < n * n; i++)
        state.density[i] = r[i / n] * r[i % n];
    return state;
}

static struct mm_state fock_state(int levels, int n)
{
    double *r = calloc((size_t)levels, sizeof *r);
    assert_non_null(r);
    r[n] = 1.0;
    struct mm_state state = pure_state(levels, r);
    free(r);
    return state;
}

/* The coherent state alpha = -i beta, whose amplitudes r_n are real. */
static struct mm_state coherent_state(int levels, double beta)
{
    double *r = numbers((size_t)levels);
    for (int n = 0; n < levels; n++)
        r[n] = exp(n * log(beta) - 0.5 * beta * beta - 0.5 * lgamma(n + 1.0));
    struct mm_state state = pure_state(levels, r);
    free(r);
    return state;
}

/* The state of the paper's stream of qubits. */
static struct mm_state battery_state(int levels, int64_t qubits)
{
    struct stream stream;
    stream_set(&stream, levels, qubits, M_PI / sqrt(15.6), 0.31003, 0.14462);
    return evolve_on("cpu", &stream.problem, &stream.point, qubits, NULL);
}

static double *wigner_of(const struct mm_state *state, const struct mm_wigner_grid *grid)
{
    struct mm_error error = {0};
    double *wigner = numbers(grid->x_count * grid->p_count);
    if (mm_wigner(state, grid, &one_thread, wigner, &error) != MM_OK)
        fail_msg("%s", error.message);
    return wigner;
}

/* W at one point. */
static double wigner_at(const struct mm_state *state, double x, double p)
{
    double value = NAN;
    const struct mm_wigner_grid grid = {1, &x, 1, &p};
    assert_int_equal(mm_wigner(state, &grid, &one_thread, &value, NULL), MM_OK);
    return value;
}

/* ------------------------------------------------------------------------------------------- fixtures */

/* "name count values" */
static double *read_row(FILE *file, const char *name, size_t *count)
{
    char found[32];
    assert_int_equal(fscanf(file, "%31s %zu", found, count), 2);
    assert_string_equal(found, name);
    double *values = numbers(*count);
    for (size_t i = 0; i < *count; i++)
        assert_int_equal(fscanf(file, "%lf", &values[i]), 1);
    return values;
}

/* Reads a grid and QuTiP's values and compares the state with them. */
static void compare_with_fixture(FILE *file, const char *name, const struct mm_state *state, double tolerance)
{
    enum mm_instructions list[MM_INSTRUCTIONS_COUNT];
    const size_t loops = supported_instructions(list);
    size_t count;
    struct mm_wigner_grid grid;
    double *x = read_row(file, "x", &grid.x_count);
    double *p = read_row(file, "p", &grid.p_count);
    double *expected = read_row(file, "wigner", &count);
    double *found = numbers(count);
    grid.x = x;
    grid.p = p;
    assert_int_equal(count, grid.x_count * grid.p_count);
    for (size_t l = 0; l < loops; l++) {
        double largest = 0.0;
        assert_int_equal(mm_wigner(state, &grid,
                                   &(struct mm_solver_options){.instructions = mm_instructions_name(list[l])},
                                   found, NULL),
                         MM_OK);
        for (size_t i = 0; i < count; i++)
            largest = fmax(largest, fabs(found[i] - expected[i]));
        if (!(largest <= tolerance))
            fail_msg("%s, %s: differs from QuTiP by %.3g", name, mm_instructions_name(list[l]), largest);
    }
    free(x);
    free(p);
    free(expected);
    free(found);
}

static void check_pure(FILE *file)
{
    char name[32];
    size_t levels;
    assert_int_equal(fscanf(file, "%31s %zu", name, &levels), 2);
    double *r = numbers(levels);
    for (size_t i = 0; i < levels; i++)
        assert_int_equal(fscanf(file, "%lf", &r[i]), 1);
    struct mm_state state = pure_state((int)levels, r);
    compare_with_fixture(file, name, &state, 1e-11);
    mm_state_free(&state);
    free(r);
}

/* Charges the battery with the cpu backend; QuTiP's file has the literal evolution. */
static void check_battery(FILE *file, double g)
{
    char name[32];
    struct protocol protocol = {.point = {.g = g, .lambda = 1.0, .parameters = protocol.parameters}};
    struct mm_problem *problem = &protocol.problem;
    problem->batches = protocol.batches;
    problem->tail = 1;
    problem->band_tolerance = 1e-16;
    assert_int_equal(fscanf(file, "%31s %d %zu", name, &problem->levels, &problem->batch_count), 3);
    assert_in_range(problem->batch_count, 1, PROTOCOL_BATCHES_MAX);
    for (size_t i = 0; i < problem->batch_count; i++) {
        double *parameters = protocol.parameters + 2 * i;
        assert_int_equal(fscanf(file, "%ld %lf %lf", &protocol.batches[i].qubits, &parameters[0], &parameters[1]),
                         3);
    }
    struct mm_state state = evolve_on("cpu", problem, &protocol.point, mm_problem_collisions(problem), NULL);
    compare_with_fixture(file, name, &state, 1e-9);
    mm_state_free(&state);
}

static void test_qutip(void **unused)
{
    (void)unused;
    char kind[32];
    int pure = 0;
    int batteries = 0;
    FILE *file = fixture_open("wigner.txt");
    const double g = fixture_field(file, "g");
    while (fscanf(file, " %31s", kind) == 1)
        if (strcmp(kind, "pure") == 0) {
            check_pure(file);
            pure++;
        } else {
            assert_string_equal(kind, "battery");
            check_battery(file, g);
            batteries++;
        }
    assert_true(feof(file));
    assert_int_equal(fclose(file), 0);
    assert_int_equal(pure, 7);
    assert_int_equal(batteries, 2);
}

/* --------------------------------------------------------------------------------------- closed forms */

static void test_vacuum(void **unused)
{
    (void)unused;
    const struct mm_state vacuum = {0};
    for (double x = -5.0; x <= 5.0; x += 0.7)
        assert_double_near(wigner_at(&vacuum, x, 0.3), exp(-x * x - 0.09) / M_PI, 1e-16);
}

/* W of |n> is (-1)^n exp(-r^2) L_n(2 r^2) / pi, here with the recurrence of L_n itself in long double, whose range
 * holds it. */
static double fock_wigner(int n, double x, double p)
{
    const long double square = (long double)x * x + (long double)p * p;
    long double before = 0.0L;
    long double present = 1.0L;
    for (int m = 0; m < n; m++) {
        long double next = ((2 * m + 1 - 2 * square) * present - m * before) / (m + 1);
        before = present;
        present = next;
    }
    return (double)((n % 2 == 0 ? present : -present) * expl(-square) / (long double)M_PI);
}

static void test_fock_states(void **unused)
{
    (void)unused;
    static const int numbers_of_quanta[] = {0, 1, 2, 15, 64, 150, 298, 299, 1500};
    for (size_t i = 0; i < sizeof numbers_of_quanta / sizeof *numbers_of_quanta; i++) {
        const int n = numbers_of_quanta[i];
        struct mm_state state = fock_state(n + 1, n);
        assert_double_near(wigner_at(&state, 0.0, 0.0), (n % 2 == 0 ? 1.0 : -1.0) / M_PI, 1e-12);
        for (double r = 0.05; r < 1.5 * sqrt(2.0 * n + 1.0) + 3.0; r += 0.613)
            assert_double_near(wigner_at(&state, 0.6 * r, 0.8 * r), fock_wigner(n, 0.6 * r, 0.8 * r), 1e-12);
        mm_state_free(&state);
    }
}

/* All 300 diagonals count, and cancel everywhere but near x = 0, p = -sqrt 2 beta. */
static void test_coherent_state(void **unused)
{
    (void)unused;
    const double beta = sqrt(150.0);
    double axis[81];
    const struct mm_wigner_grid grid = {81, axis, 81, axis};
    struct mm_state state = coherent_state(300, beta);
    mm_wigner_axis(24.0, 81, axis);
    double *wigner = wigner_of(&state, &grid);
    for (size_t i = 0; i < 81; i++)
        for (size_t j = 0; j < 81; j++) {
            const double p = axis[j] + M_SQRT2 * beta;
            assert_double_near(wigner[i * 81 + j], exp(-axis[i] * axis[i] - p * p) / M_PI, 1e-11);
        }
    free(wigner);
    mm_state_free(&state);
}

/* exp(-t/2) underflows over most of this grid, and more than once. */
static void test_high_coherent_state(void **unused)
{
    (void)unused;
    const double beta = sqrt(1200.0);
    const double x[] = {-0.8, 0.0, 0.3, 45.0};
    const double p[] = {-M_SQRT2 * beta - 0.7, -M_SQRT2 * beta, -M_SQRT2 * beta + 0.4, 0.0, M_SQRT2 * beta};
    const struct mm_wigner_grid grid = {4, x, 5, p};
    struct mm_state state = coherent_state(1500, beta);
    double *wigner = wigner_of(&state, &grid);
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < 5; j++) {
            const double away = p[j] + M_SQRT2 * beta;
            assert_double_near(wigner[i * 5 + j], exp(-x[i] * x[i] - away * away) / M_PI, 1e-9);
        }
    free(wigner);
    mm_state_free(&state);
}

static void test_far_away(void **unused)
{
    (void)unused;
    struct mm_state state = battery_state(60, 100);
    struct mm_state fock = fock_state(300, 299);
    for (double r = 40.0; r <= MM_WIGNER_COORDINATE_MAX; r *= 1.1) {
        assert_double_near(wigner_at(&state, r, -r), 0.0, 1e-300);
        assert_double_near(wigner_at(&fock, -r, r), 0.0, 1e-300);
    }
    assert_double_near(wigner_at(&fock, MM_WIGNER_COORDINATE_MAX, MM_WIGNER_COORDINATE_MAX), 0.0, 0.0);
    mm_state_free(&state);
    mm_state_free(&fock);
}

/* ----------------------------------------------------------------------------------------- integrals */

static double energy_of(const struct mm_state *state)
{
    double energy = 0.0;
    for (int n = 0; n < state->levels; n++)
        energy += n * state->density[n * state->levels + n];
    return energy;
}

static double purity_of(const struct mm_state *state)
{
    double purity = 0.0;
    for (int i = 0; i < state->levels * state->levels; i++)
        purity += state->density[i] * state->density[i];
    return purity;
}

/* Populations and purity are in the Wigner function, on the automatic extent. */
static void check_integrals(struct mm_state state, size_t points)
{
    static double axis[AXIS_MAX];
    const struct mm_wigner_grid grid = {points, axis, points, axis};
    mm_wigner_axis(mm_wigner_extent(&state), points, axis);
    double *wigner = wigner_of(&state, &grid);
    const struct mm_wigner_summary summary = mm_wigner_summarize(&grid, wigner);
    assert_double_near(summary.integral, 1.0, 1e-7);
    assert_double_near(summary.mean_square, 2.0 * energy_of(&state) + 1.0, 1e-5);
    assert_double_near(summary.purity, purity_of(&state), 1e-7);
    assert_true(summary.minimum >= -1.0 / M_PI && summary.maximum <= 1.0 / M_PI);
    free(wigner);
    mm_state_free(&state);
}

static void test_integrals(void **unused)
{
    (void)unused;
    check_integrals(fock_state(1, 0), 41);
    check_integrals(fock_state(8, 7), 101);
    check_integrals(battery_state(60, 100), MM_WIGNER_POINTS_DEFAULT);
    check_integrals(battery_state(120, 1000), MM_WIGNER_POINTS_DEFAULT);
    check_integrals(fock_state(300, 299), AXIS_MAX);
}

/* |1>: the integral of |W| is 4 exp(-1/2) - 1. */
static void test_negative_volume(void **unused)
{
    (void)unused;
    static double axis[AXIS_MAX];
    const struct mm_wigner_grid grid = {AXIS_MAX, axis, AXIS_MAX, axis};
    struct mm_state state = fock_state(2, 1);
    mm_wigner_axis(6.0, AXIS_MAX, axis);
    double *wigner = wigner_of(&state, &grid);
    assert_double_near(mm_wigner_summarize(&grid, wigner).negative_volume, 2.0 * exp(-0.5) - 1.0, 1e-5);
    free(wigner);
    mm_state_free(&state);
}

/* Hermite functions psi_n(x), n < levels. */
static void hermite_functions(int levels, double x, double *psi)
{
    psi[0] = exp(-0.5 * x * x) / sqrt(sqrt(M_PI));
    for (int n = 0; n + 1 < levels; n++)
        psi[n + 1] = sqrt(2.0 / (n + 1)) * x * psi[n] - (n > 0 ? sqrt((double)n / (n + 1)) * psi[n - 1] : 0.0);
}

/* <x|rho|x> if phase is 0, with rho_nm = (-i)^(n-m) R_nm; <p|rho|p> if it is 1, where <p|n> = (-i)^n psi_n(p) makes
 * the phase (-i)^(2(n-m)). Only even n - m contribute to the first, all to the second. */
static double marginal(const struct mm_state *state, int phase, double coordinate)
{
    double psi[300];
    double sum = 0.0;
    assert_in_range(state->levels, 1, 300);
    hermite_functions(state->levels, coordinate, psi);
    for (int n = 0; n < state->levels; n++)
        for (int m = 0; m < state->levels; m++) {
            const int d = abs(n - m);
            const double factor = phase == 1 ? (d % 2 == 0 ? 1.0 : -1.0) : (d % 4 == 0) - (d % 4 == 2);
            sum += factor * state->density[n * state->levels + m] * psi[n] * psi[m];
        }
    return sum;
}

static void test_marginals(void **unused)
{
    (void)unused;
    static double axis[MM_WIGNER_POINTS_DEFAULT];
    const size_t points = MM_WIGNER_POINTS_DEFAULT;
    const struct mm_wigner_grid grid = {points, axis, points, axis};
    struct mm_state state = battery_state(120, 1000);
    const double extent = mm_wigner_extent(&state);
    const double step = 2.0 * extent / (double)(points - 1);
    mm_wigner_axis(extent, points, axis);
    double *wigner = wigner_of(&state, &grid);
    for (size_t i = 0; i < points; i++) {
        double of_x = 0.0;
        double of_p = 0.0;
        for (size_t j = 0; j < points; j++) {
            of_x += step * wigner[i * points + j];
            of_p += step * wigner[j * points + i];
        }
        assert_double_near(of_x, marginal(&state, 0, axis[i]), 1e-8);
        assert_double_near(of_p, marginal(&state, 1, axis[i]), 1e-8);
    }
    free(wigner);
    mm_state_free(&state);
}

/* ---------------------------------------------------------------------------------------------- grids */

/* Less than 1e-8 of the position density of |n> lies beyond the extent. */
static void test_extent(void **unused)
{
    (void)unused;
    for (int n = 0; n < 300; n = n < 12 ? n + 1 : 2 * n) {
        struct mm_state state = fock_state(n + 1, n);
        const double extent = mm_wigner_extent(&state);
        const double step = 1e-3;
        double beyond = 0.0;
        for (double x = extent + 0.5 * step; x < extent + 4.0; x += step)
            beyond += 2.0 * step * marginal(&state, 0, x);
        assert_true(beyond < 1e-8);
        assert_true(extent < sqrt(2.0 * n + 1.0) + 4.0);
        mm_state_free(&state);
    }
}

/* Empty levels do not widen it. */
static void test_extent_of_populations(void **unused)
{
    (void)unused;
    const struct mm_state vacuum = {0};
    struct mm_state one = fock_state(2, 1);
    struct mm_state other = fock_state(200, 1);
    assert_double_near(mm_wigner_extent(&one), mm_wigner_extent(&other), 0.0);
    assert_double_near(mm_wigner_extent(&vacuum), 4.8, 1e-15);
    mm_state_free(&one);
    mm_state_free(&other);
}

static void test_axis(void **unused)
{
    (void)unused;
    double axis[201];
    for (size_t count = 2; count <= 201; count += 1 + count / 3) {
        mm_wigner_axis(7.3, count, axis);
        assert_double_near(axis[0], -7.3, 0.0);
        assert_double_near(axis[count - 1], 7.3, 0.0);
        for (size_t i = 0; i < count; i++)
            assert_double_near(axis[i], -axis[count - 1 - i], 0.0);
    }
}

/* What symmetry gives is what summing gives: every point of a grid against that point alone. */
static void check_points(const struct mm_state *state, const struct mm_wigner_grid *grid)
{
    double *wigner = wigner_of(state, grid);
    for (size_t i = 0; i < grid->x_count; i++)
        for (size_t j = 0; j < grid->p_count; j++)
            assert_double_near(wigner[i * grid->p_count + j], wigner_at(state, grid->x[i], grid->p[j]), 1e-14);
    free(wigner);
}

static void test_symmetry(void **unused)
{
    (void)unused;
    double even[12];
    double odd[9];
    const double any[] = {0.5, -1.25, 3.0, -0.5, 0.5, 0.0, -0.0};
    struct mm_state state = battery_state(40, 60);
    mm_wigner_axis(6.0, 12, even);
    mm_wigner_axis(4.0, 9, odd);
    check_points(&state, &(struct mm_wigner_grid){12, even, 12, even}); /* an eighth */
    check_points(&state, &(struct mm_wigner_grid){9, odd, 9, odd});
    check_points(&state, &(struct mm_wigner_grid){12, even, 9, odd}); /* a quarter */
    check_points(&state, &(struct mm_wigner_grid){9, odd, 1, any});
    check_points(&state, &(struct mm_wigner_grid){7, any, 7, any}); /* repeated and unsorted */
    check_points(&state, &(struct mm_wigner_grid){7, any, 12, even});
    mm_state_free(&state);
}

static void test_threads(void **unused)
{
    (void)unused;
    static double axis[101];
    static double one[101 * 101];
    static double other[101 * 101];
    const struct mm_wigner_grid grid = {101, axis, 101, axis};
    struct mm_state state = battery_state(60, 100);
    mm_wigner_axis(9.0, 101, axis);
    assert_int_equal(mm_wigner(&state, &grid, &one_thread, one, NULL), MM_OK);
    for (int threads = 0; threads <= 3; threads++) {
        memset(other, 0xff, sizeof other);
        assert_int_equal(mm_wigner(&state, &grid, &(struct mm_solver_options){.threads = threads}, other, NULL),
                         MM_OK);
        assert_memory_equal(one, other, sizeof one);
    }
    mm_state_free(&state);
}

/* ------------------------------------------------------------------------------------------ bad input */

static void refuse(const struct mm_state *state, const struct mm_wigner_grid *grid, const char *mention)
{
    struct mm_error error = {0};
    double value[4];
    assert_int_equal(mm_wigner(state, grid, NULL, value, &error), MM_ERROR_INPUT);
    assert_non_null(strstr(error.message, mention));
}

static void test_bad_input(void **unused)
{
    (void)unused;
    static const double zeros[MM_WIGNER_POINTS_MAX + 1];
    const double bad[] = {NAN, INFINITY, -200.5};
    struct mm_state state = fock_state(3, 1);
    refuse(&state, &(struct mm_wigner_grid){0, zeros, 1, zeros}, "0 points of x");
    refuse(&state, &(struct mm_wigner_grid){1, zeros, 0, zeros}, "0 points of p");
    refuse(&state, &(struct mm_wigner_grid){1, zeros, MM_WIGNER_POINTS_MAX + 1, zeros}, "4002 points of p");
    for (size_t i = 0; i < 3; i++) {
        refuse(&state, &(struct mm_wigner_grid){1, &bad[i], 1, zeros}, "point 0 of x");
        refuse(&state, &(struct mm_wigner_grid){1, zeros, 1, &bad[i]}, "point 0 of p");
    }
    state.density[5] = 0.0;
    state.density[7] = NAN; /* (2, 1) */
    refuse(&state, &(struct mm_wigner_grid){1, zeros, 1, zeros}, "(2, 1)");
    mm_state_free(&state);
    refuse(&(struct mm_state){.levels = MM_LEVELS_MAX + 1, .density = (double[]){1.0}},
           &(struct mm_wigner_grid){1, zeros, 1, zeros}, "4097 levels");
}

static void test_bad_options(void **unused)
{
    (void)unused;
    const double zero = 0.0;
    const struct mm_wigner_grid grid = {1, &zero, 1, &zero};
    const struct mm_state vacuum = {0};
    struct mm_error error = {0};
    double value;
    assert_int_equal(mm_wigner(&vacuum, &grid, &(struct mm_solver_options){.backend = "reference"}, &value, &error),
                     MM_ERROR_INPUT);
    assert_non_null(strstr(error.message, "reference"));
    assert_int_equal(mm_wigner(&vacuum, &grid, &(struct mm_solver_options){.instructions = "sse"}, &value, &error),
                     MM_ERROR_INPUT);
    assert_non_null(strstr(error.message, "sse"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_qutip),
        cmocka_unit_test(test_vacuum),
        cmocka_unit_test(test_fock_states),
        cmocka_unit_test(test_coherent_state),
        cmocka_unit_test(test_high_coherent_state),
        cmocka_unit_test(test_far_away),
        cmocka_unit_test(test_integrals),
        cmocka_unit_test(test_negative_volume),
        cmocka_unit_test(test_marginals),
        cmocka_unit_test(test_extent),
        cmocka_unit_test(test_extent_of_populations),
        cmocka_unit_test(test_axis),
        cmocka_unit_test(test_symmetry),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_bad_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
