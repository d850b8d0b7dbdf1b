/* test_eigen.c - spectra, passive energies and their derivatives against LAPACK's own driver.
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

#include "assert_double.h"
#include "band_layout.h"
#include "cpu_band.h"
#include "density_checks.h"
#include "eigen_lapack.h"

enum { LEVELS_MOST = 75, CASES = 60 };

/** Element (row, column) of a test matrix of one of several kinds. */
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

static void draw_spectrum(struct spectrum *spectrum, const struct mm_band_loops *loops, int kind, uint64_t *random)
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

/** Runs a check on random matrices with every instruction set this processor has; memory is reused throughout. */
static void for_all_loops(spectrum_check check)
{
    int count;
    const struct mm_band_loops *const *list = mm_band_loops_list(&count);
    for (int i = 0; i < count; i++) {
        struct spectrum *spectrum = calloc(1, sizeof *spectrum);
        uint64_t random = 7;
        assert_non_null(spectrum);
        for (int k = 0; k < CASES && list[i]->supported(); k++) {
            draw_spectrum(spectrum, list[i], k % KINDS, &random);
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

/** A V = V diag(values) and V^T V = 1. */
static void check_vectors(struct spectrum *spectrum)
{
    const int levels = spectrum->levels, stride = mm_band_columns(levels);
    assert_int_equal(mm_eigen_solve(&spectrum->eigen, levels, true, NULL), MM_OK);
    for (int k = 0; k < levels; k++) {
        const double *vector = spectrum->eigen.vectors + (size_t)k * (size_t)stride;
        assert_double_near(spectrum->eigen.values[k], spectrum->values[k], 1e-15 * (levels + 10));
        for (int row = 0; row < levels; row++) {
            double product = 0.0, overlap = 0.0;
            for (int j = 0; j < levels; j++) {
                product += spectrum->matrix[j * levels + row] * vector[j];
                overlap += spectrum->eigen.vectors[(size_t)row * (size_t)stride + (size_t)j] * vector[j];
            }
            assert_double_near(product, spectrum->eigen.values[k] * vector[row], 2e-15 * (levels + 10));
            assert_double_near(overlap, row == k ? 1.0 : 0.0, 1e-15 * (levels + 10));
        }
    }
}

static void eigenvectors_solve_and_are_orthonormal(void **state)
{
    (void)state;
    for_all_loops(check_vectors);
}

/** <A, P> with P = sum_k k v_k v_k^T is the passive energy itself. */
static void check_projector(struct spectrum *spectrum)
{
    const int levels = spectrum->levels;
    double found = 0.0;
    assert_int_equal(mm_eigen_solve(&spectrum->eigen, levels, true, NULL), MM_OK);
    mm_eigen_passive_projector(&spectrum->eigen, levels);
    for (int column = 0; column < levels; column++)
        for (int row = column; row < levels; row++)
            found += (row == column ? 1.0 : 2.0) * spectrum->matrix[column * levels + row] *
                     spectrum->eigen.projector[column * levels + row];
    assert_double_near(found, mm_eigen_passive_energy(&spectrum->eigen, levels),
                       1e-15 * levels * (levels + 10) * 5);
}

static void projectors_give_the_passive_energy(void **state)
{
    (void)state;
    for_all_loops(check_projector);
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
        const size_t columns = (size_t)mm_band_columns(levels);
        assert_int_equal(mm_eigen_solve(&spectrum[0].eigen, levels, true, NULL), MM_OK);
        assert_int_equal(mm_eigen_solve(&spectrum[1].eigen, levels, true, NULL), MM_OK);
        assert_memory_equal(spectrum[0].eigen.values, spectrum[1].eigen.values, (size_t)levels * sizeof(double));
        assert_memory_equal(spectrum[0].eigen.vectors, spectrum[1].eigen.vectors,
                            (size_t)levels * columns * sizeof(double));
        mm_eigen_free(&spectrum[1].eigen);
    }
    mm_eigen_free(&spectrum[0].eigen);
    free(spectrum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eigenvalues_are_those_of_lapack),
        cmocka_unit_test(eigenvectors_solve_and_are_orthonormal),
        cmocka_unit_test(projectors_give_the_passive_energy),
        cmocka_unit_test(used_memory_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
