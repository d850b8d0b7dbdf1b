/* eigen.c - spectra, passive energies and their derivatives against LAPACK's own driver.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lapacke.h>

#include "support/assert_double.h"
#include "solver/band_layout.h"
#include "cpu/loops.h"
#include "support/density_checks.h"
#include "spectrum/eigen.h"
#include "support/projector_checks.h"

enum { LEVELS_MOST = 75, CASES = 60 };

/* Element (row, column) of a test matrix of one of several kinds. */
static double draw_element(int kind, int row, int column, uint64_t *random)
{
    const double uniform = 2.0 * random_uniform(random) - 1.0;
    switch (kind) {
    case 0: /* dense */
        return uniform;
    case 1: /* graded like a density matrix: from 1 to 1e-16 */
        return uniform * pow(10.0, -8.0 * (row + column) / LEVELS_MOST);
    case 2: /* a narrow band */
        return row - column <= 3 ? uniform : 0.0;
    case 3: /* so small beside the diagonal that squares vanish */
        return row == column ? uniform : uniform * 1e-170;
    case 4: /* degenerate */
        return row == column ? (row % 3) * 0.25 : 0.0;
    default: /* nothing */
        return 0.0;
    }
}
enum { KINDS = 6 };

struct spectrum {
    int levels;
    double matrix[LEVELS_MOST * LEVELS_MOST]; /* column-major, both triangles */
    double values[LEVELS_MOST];               /* ascending, by dsyevd */
    struct mm_eigen eigen;
};

static void draw_spectrum(struct spectrum *spectrum, const struct mm_spectrum_loops *loops, int kind,
                          uint64_t *random)
{
    const int levels = spectrum->levels = random_integer(random, 1, LEVELS_MOST);
    double copy[LEVELS_MOST * LEVELS_MOST];
    for (int column = 0; column < levels; column++)
        for (int row = column; row < levels; row++)
            spectrum->matrix[row * levels + column] = spectrum->matrix[column * levels + row] =
                draw_element(kind, row, column, random);
    memcpy(copy, spectrum->matrix, sizeof copy);
    assert_int_equal(LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'N', 'L', levels, copy, levels, spectrum->values), 0);
    spectrum->eigen.loops = loops;
    assert_int_equal(mm_eigen_reserve(&spectrum->eigen, levels, NULL), MM_OK);
    for (int column = 0; column < levels; column++)
        for (int row = 0; row < levels; row++) /* the upper triangle must not be read */
            spectrum->eigen.matrix[column * levels + row] =
                row >= column ? spectrum->matrix[column * levels + row] : NAN;
}

typedef void (*spectrum_check)(struct spectrum *spectrum);

/* Runs a check on random matrices with every instruction set this processor has; memory is reused throughout. */
static void for_all_loops(spectrum_check check)
{
    for (int i = 0; i < MM_INSTRUCTIONS_COUNT; i++) {
        struct spectrum *spectrum = calloc(1, sizeof *spectrum);
        uint64_t random = 7;
        assert_non_null(spectrum);
        for (int k = 0; k < CASES && mm_instructions_supported((enum mm_instructions)i); k++) {
            draw_spectrum(spectrum, mm_spectrum_loops((enum mm_instructions)i), k % KINDS, &random);
            check(spectrum);
        }
        mm_eigen_free(&spectrum->eigen);
        free(spectrum);
    }
}

static void check_values(struct spectrum *spectrum)
{
    const int levels = spectrum->levels;
    double passive = 0.0;
    assert_int_equal(mm_eigen_solve(&spectrum->eigen, levels, false, NULL), MM_OK);
    for (int k = 0; k < levels; k++) {
        assert_double_near(spectrum->eigen.values[k], spectrum->values[k], 1e-15 * (levels + 10));
        passive += (levels - 1 - k) * spectrum->values[k];
    }
    assert_double_near(mm_eigen_passive_energy(&spectrum->eigen, levels), passive,
                       1e-15 * levels * (levels + 10) * 5);
}

static void eigenvalues_are_those_of_lapack(void **state)
{
    (void)state;
    for_all_loops(check_values);
}

/* A V = V diag(values) and V^T V = 1. */
static void check_vectors(struct spectrum *spectrum)
{
    const int levels = spectrum->levels;
    const size_t stride = mm_eigen_stride(levels);
    assert_int_equal(mm_eigen_solve(&spectrum->eigen, levels, true, NULL), MM_OK);
    for (int k = 0; k < levels; k++) {
        const double *vectors = spectrum->eigen.vectors;
        assert_double_near(spectrum->eigen.values[k], spectrum->values[k], 1e-15 * (levels + 10));
        for (int row = 0; row < levels; row++) {
            double product = 0.0, overlap = 0.0;
            for (int j = 0; j < levels; j++) {
                product += spectrum->matrix[j * levels + row] * vectors[(size_t)j * stride + (size_t)k];
                overlap += vectors[(size_t)j * stride + (size_t)row] * vectors[(size_t)j * stride + (size_t)k];
            }
            assert_double_near(product, spectrum->eigen.values[k] * vectors[(size_t)row * stride + (size_t)k],
                               2e-15 * (levels + 10));
            assert_double_near(overlap, row == k ? 1.0 : 0.0, 1e-15 * (levels + 10));
        }
    }
}

static void eigenvectors_solve_and_are_orthonormal(void **state)
{
    (void)state;
    for_all_loops(check_vectors);
}

/* <A, P> with P = sum_k k v_k v_k^T is the passive energy itself, also where A is no density matrix. */
static void check_projector(struct spectrum *spectrum)
{
    const int levels = spectrum->levels;
    struct mm_projector projector;
    double found = 0.0, energy = 0.0, dense[LEVELS_MOST * LEVELS_MOST];
    assert_int_equal(mm_eigen_passive_derivative(&spectrum->eigen, levels, false, &energy, &projector, NULL),
                     MM_OK);
    multiply_out(&projector, dense);
    for (int i = 0; i < levels * levels; i++)
        found += spectrum->matrix[i] * dense[i];
    assert_double_near(found, energy, 1e-15 * levels * (levels + 10) * 5);
}

static void projectors_give_the_passive_energy(void **state)
{
    (void)state;
    for_all_loops(check_projector);
}

/* Fills a density matrix R = B B^T with populations that fall by the factor `decay` from one to the next, or by
 * pairs of equal ones, in random directions. */
static void draw_state(struct spectrum *spectrum, double decay, bool pairs, uint64_t *random)
{
    const int levels = spectrum->levels = random_integer(random, 2, LEVELS_MOST);
    double trace = 0.0, directions[LEVELS_MOST * LEVELS_MOST], *matrix = spectrum->matrix;
    double lengths[LEVELS_MOST];
    for (int i = 0; i < levels * levels; i++)
        directions[i] = 2.0 * random_uniform(random) - 1.0;
    assert_int_equal(LAPACKE_dgeqrf(LAPACK_COL_MAJOR, levels, levels, directions, levels, lengths), 0);
    assert_int_equal(LAPACKE_dorgqr(LAPACK_COL_MAJOR, levels, levels, levels, directions, levels, lengths), 0);
    for (int k = 0; k < levels; k++)
        trace += lengths[k] = pow(decay, pairs ? k / 2 : k);
    for (int column = 0; column < levels; column++)
        for (int row = 0; row < levels; row++) {
            matrix[column * levels + row] = 0.0;
            for (int k = 0; k < levels; k++)
                matrix[column * levels + row] +=
                    lengths[k] / trace * directions[k * levels + row] * directions[k * levels + column];
        }
    assert_int_equal(mm_eigen_reserve(&spectrum->eigen, levels, NULL), MM_OK);
    memcpy(spectrum->eigen.matrix, matrix, (size_t)(levels * levels) * sizeof *matrix);
}

/* Derivative of the passive energy along D R + R D, with D diagonal: <P, D R + R D>. */
static double along(const double *projector, const struct spectrum *spectrum, const double *scales)
{
    const int levels = spectrum->levels;
    double sum = 0.0;
    for (int n = 0; n < levels; n++)
        for (int m = 0; m < levels; m++)
            sum += projector[n * levels + m] * (scales[n] + scales[m]) * spectrum->matrix[n * levels + m];
    return sum;
}

/* Derivatives of the passive energy of density matrices along changes that leave them density matrices are those
 * of LAPACK's eigenvectors, whether populations fall off fast, into the noise, or slowly, or are equal. */
static void derivatives_are_those_of_lapack(void **state)
{
    (void)state;
    static const double decays[] = {0.2, 0.5, 0.8, 0.97};
    int by_lapack = 0;
    struct spectrum *spectrum = calloc(1, sizeof *spectrum);
    uint64_t random = 21;
    assert_non_null(spectrum);
    for (int i = 0; i < 40 * MM_INSTRUCTIONS_COUNT; i++) {
        struct mm_projector projector;
        double energy, scales[LEVELS_MOST], found[LEVELS_MOST * LEVELS_MOST], expected[LEVELS_MOST * LEVELS_MOST];
        const bool pairs = i / MM_INSTRUCTIONS_COUNT % 8 >= 6;
        spectrum->eigen.loops = mm_spectrum_loops((enum mm_instructions)(i % MM_INSTRUCTIONS_COUNT));
        if (!mm_instructions_supported((enum mm_instructions)(i % MM_INSTRUCTIONS_COUNT)))
            continue;
        draw_state(spectrum, decays[i / MM_INSTRUCTIONS_COUNT % 4], pairs, &random);
        const int levels = spectrum->levels;
        for (int n = 0; n < levels; n++)
            scales[n] = random_uniform(&random);
        assert_int_equal(mm_eigen_passive_derivative(&spectrum->eigen, levels, false, &energy, &projector, NULL),
                         MM_OK);
        multiply_out(&projector, found);
        by_lapack +=
            !pairs && projector.count == levels && pow(decays[i / MM_INSTRUCTIONS_COUNT % 4], levels) < 1e-14;
        assert_int_equal(mm_eigen_solve(&spectrum->eigen, levels, true, NULL), MM_OK);
        derivative_of_vectors(&spectrum->eigen, levels, expected);
        assert_double_near(energy, mm_eigen_passive_energy(&spectrum->eigen, levels), 1e-12);
        /* equal populations have any vectors: only the derivative that leaves them equal is theirs */
        for (int n = 0; n < levels && pairs; n++)
            scales[n] = 0.5;
        assert_double_near(along(found, spectrum, scales), along(expected, spectrum, scales), 2e-11);
    }
    assert_int_equal(by_lapack, 0); /* noise has been told from populations */
    mm_eigen_free(&spectrum->eigen);
    free(spectrum);
}

/* The window of F F^T is that of the product, and nothing else is touched. */
static void projectors_fill_their_window(void **state)
{
    (void)state;
    enum { MOST = 37, MOST_STRIDE = 80 };
    uint64_t random = 5;
    for (int i = 0; i < 60 * MM_INSTRUCTIONS_COUNT; i++) {
        static _Alignas(64) double factor[MOST * 48];
        static _Alignas(64) double target[(MOST + 1) * MOST_STRIDE];
        const int levels = random_integer(&random, 1, MOST), columns = random_integer(&random, 1, levels);
        double dense[MOST * MOST];
        const struct mm_projector projector = {.levels = levels,
                                               .count = columns,
                                               .factor = factor,
                                               .factor_stride = 48,
                                               .bands = random_integer(&random, 1, levels),
                                               .target = target,
                                               .target_stride = mm_band_stride(levels)};
        if (!mm_instructions_supported((enum mm_instructions)(i % MM_INSTRUCTIONS_COUNT)))
            continue;
        assert_true(projector.target_stride <= MOST_STRIDE);
        for (int n = 0; n < levels; n++)
            for (int k = 0; k < 48; k++)
                factor[n * 48 + k] = k < columns ? 2.0 * random_uniform(&random) - 1.0 : 0.0;
        for (size_t j = 0; j < sizeof target / sizeof target[0]; j++)
            target[j] = 0.25;
        multiply_out(&projector, dense);
        mm_spectrum_loops((enum mm_instructions)(i % MM_INSTRUCTIONS_COUNT))->add_projector(&projector);
        for (int d = 0; d <= MOST; d++)
            for (int m = 0; m < (int)projector.target_stride; m++) {
                const bool inside = d < projector.bands && m + d < levels;
                const double product = inside ? (d == 0 ? columns : 0.0) - dense[(m + d) * levels + m] : 0.0;
                assert_double_near(target[mm_band_index(projector.target_stride, d, m)], 0.25 + product, 1e-13);
            }
    }
}

/* The same input gives the same bits, whatever larger matrices the memory has seen. */
static void used_memory_changes_nothing(void **state)
{
    (void)state;
    struct spectrum *spectrum = calloc(2, sizeof *spectrum);
    uint64_t random = 11;
    assert_non_null(spectrum);
    for (int k = 0; k < 20; k++) {
        uint64_t again = random;
        draw_spectrum(&spectrum[0], NULL, k % KINDS, &random);
        draw_spectrum(&spectrum[1], NULL, k % KINDS, &again);
        const int levels = spectrum[0].levels;
        const size_t columns = mm_eigen_stride(levels);
        assert_int_equal(mm_eigen_solve(&spectrum[0].eigen, levels, true, NULL), MM_OK);
        assert_int_equal(mm_eigen_solve(&spectrum[1].eigen, levels, true, NULL), MM_OK);
        assert_memory_equal(spectrum[0].eigen.values, spectrum[1].eigen.values, (size_t)levels * sizeof(double));
        assert_memory_equal(spectrum[0].eigen.vectors, spectrum[1].eigen.vectors,
                            (size_t)levels * columns * sizeof(double));
        mm_eigen_free(&spectrum[1].eigen);
    }
    for (int k = 0; k < 20; k++) {
        uint64_t again = random;
        double energies[2], dense[2][LEVELS_MOST * LEVELS_MOST];
        draw_state(&spectrum[0], 0.3 + 0.03 * k, false, &random);
        draw_state(&spectrum[1], 0.3 + 0.03 * k, false, &again);
        const int levels = spectrum[0].levels;
        for (int i = 0; i < 2; i++) {
            struct mm_projector projector;
            assert_int_equal(
                mm_eigen_passive_derivative(&spectrum[i].eigen, levels, false, &energies[i], &projector, NULL),
                MM_OK);
            multiply_out(&projector, dense[i]);
        }
        assert_memory_equal(&energies[0], &energies[1], sizeof energies[0]);
        assert_memory_equal(dense[0], dense[1], (size_t)(levels * levels) * sizeof(double));
        mm_eigen_free(&spectrum[1].eigen);
    }
    mm_eigen_free(&spectrum[0].eigen);
    free(spectrum);
}

/* A matrix that no method can solve ends in LAPACK's refusal. */
static void what_is_not_a_number_is_an_error(void **state)
{
    (void)state;
    struct mm_eigen eigen = {0};
    struct mm_error error = {0};
    struct mm_projector projector;
    double energy;
    assert_int_equal(mm_eigen_reserve(&eigen, 20, &error), MM_OK);
    for (int i = 0; i < 400; i++)
        eigen.matrix[i] = i == 45 ? NAN : 0.01;
    assert_int_equal(mm_eigen_solve(&eigen, 20, false, &error), MM_ERROR_LAPACK);
    assert_non_null(strstr(error.message, "dsterf"));
    assert_int_equal(mm_eigen_solve(&eigen, 20, true, &error), MM_ERROR_LAPACK);
    assert_non_null(strstr(error.message, "dstedc"));
    assert_int_equal(mm_eigen_passive_derivative(&eigen, 20, false, &energy, &projector, &error), MM_ERROR_LAPACK);
    mm_eigen_free(&eigen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eigenvalues_are_those_of_lapack),
        cmocka_unit_test(eigenvectors_solve_and_are_orthonormal),
        cmocka_unit_test(projectors_give_the_passive_energy),
        cmocka_unit_test(derivatives_are_those_of_lapack),
        cmocka_unit_test(projectors_fill_their_window),
        cmocka_unit_test(used_memory_changes_nothing),
        cmocka_unit_test(what_is_not_a_number_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
