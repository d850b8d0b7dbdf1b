/* physics_fixtures.h - reads what tests/fixtures/make_physics_fixtures.py wrote. */
#ifndef MM_TESTS_SUPPORT_PHYSICS_FIXTURES_H
#define MM_TESTS_SUPPORT_PHYSICS_FIXTURES_H

#include <complex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/assert_double.h"
#include "micromaser.h"

enum { FIXTURE_BATCHES_MAX = 8, FIXTURE_LINE_MAX = 256 };

/** One protocol and what Python found for it. Not to be copied: problem.batches points into it. */
struct physics_case {
    char name[64];
    struct mm_batch batches[FIXTURE_BATCHES_MAX];
    struct mm_problem problem; /* band_tolerance is 0 */
    double parameters[2 * FIXTURE_BATCHES_MAX];
    struct mm_point point;
    struct mm_evaluation expected;            /* loss .. mean_q, truncation_population and levels */
    double gradient[2 * FIXTURE_BATCHES_MAX]; /* dL/dc, dL/dq of each free batch */
    size_t free_batches;
};

/** Opens a fixture and skips its comments. */
static inline FILE *fixture_open(const char *name)
{
    char path[4096];
    char line[FIXTURE_LINE_MAX];
    long data = 0;
    assert_in_range(snprintf(path, sizeof path, "%s/%s", MM_FIXTURES, name), 1, sizeof path - 1);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("%s cannot be read", path);
    while (fgets(line, sizeof line, file) != NULL && line[0] == '#')
        data = ftell(file);
    assert_int_equal(fseek(file, data, SEEK_SET), 0);
    return file;
}

/** Reads "name value" and returns the value. */
static inline double fixture_field(FILE *file, const char *name)
{
    char found[64];
    double value = 0.0;
    assert_int_equal(fscanf(file, "%63s %lf", found, &value), 2);
    assert_string_equal(found, name);
    return value;
}

static inline void fixture_batches(FILE *file, struct physics_case *fixture)
{
    fixture->problem.batch_count = (size_t)fixture_field(file, "batches");
    assert_in_range(fixture->problem.batch_count, 1, FIXTURE_BATCHES_MAX);
    for (size_t i = 0; i < fixture->problem.batch_count; i++) {
        double qubits;
        double fixed;
        double c;
        double q;
        assert_int_equal(fscanf(file, "%lf %lf %lf %lf", &qubits, &fixed, &c, &q), 4);
        fixture->batches[i] = (struct mm_batch){.qubits = (int64_t)qubits, .fixed = fixed != 0.0};
        if (fixture->batches[i].fixed) {
            fixture->batches[i].c = c;
            fixture->batches[i].q = q;
        } else {
            fixture->parameters[2 * fixture->free_batches] = c;
            fixture->parameters[2 * fixture->free_batches + 1] = q;
            fixture->free_batches++;
        }
    }
    fixture->problem.batches = fixture->batches;
    fixture->point.parameters = fixture->parameters;
}

/** Reads the next case of physics_cases.txt. @returns false at the end of the file */
static inline bool physics_case_read(FILE *file, struct physics_case *fixture)
{
    *fixture = (struct physics_case){0};
    if (fscanf(file, " case %63s", fixture->name) != 1) {
        assert_true(feof(file));
        return false;
    }
    fixture->problem.levels = (int)fixture_field(file, "levels");
    fixture->point.g = fixture_field(file, "g");
    fixture->point.lambda = fixture_field(file, "lambda");
    fixture->problem.tail = (int64_t)fixture_field(file, "tail");
    fixture_batches(file, fixture);
    fixture->expected.loss = fixture_field(file, "loss");
    fixture->expected.ergotropy = fixture_field(file, "ergotropy");
    fixture->expected.energy = fixture_field(file, "energy");
    fixture->expected.purity = fixture_field(file, "purity");
    fixture->expected.instability = fixture_field(file, "instability");
    fixture->expected.mean_c = fixture_field(file, "mean_c");
    fixture->expected.mean_q = fixture_field(file, "mean_q");
    fixture->expected.truncation_population = fixture_field(file, "truncation_population");
    fixture->expected.levels = fixture->problem.levels;
    assert_int_equal((int)fixture_field(file, "gradient"), fixture->free_batches);
    for (size_t i = 0; i < 2 * fixture->free_batches; i++)
        assert_int_equal(fscanf(file, "%lf", &fixture->gradient[i]), 1);
    return true;
}

/** Reads the final density matrix of a case, [levels][levels], to be freed by the caller.
 *  @returns NULL if the fixtures hold none for this case */
static inline double complex *physics_density_read(const struct physics_case *fixture)
{
    static const char *const stored[] = {"identical", "eight_levels", "tail_of_one", "fixed_between"};
    bool found = false;
    char name[128];
    int levels = 0;
    for (size_t i = 0; i < sizeof stored / sizeof stored[0]; i++)
        found = found || strcmp(stored[i], fixture->name) == 0;
    if (!found)
        return NULL;
    snprintf(name, sizeof name, "physics_density_%s.txt", fixture->name);
    FILE *file = fixture_open(name);
    assert_int_equal(fscanf(file, "%d", &levels), 1);
    assert_int_equal(levels, fixture->problem.levels);
    const size_t size = (size_t)levels;
    double complex *rho = calloc(size * size, sizeof *rho);
    assert_non_null(rho);
    for (size_t n = 0; n < size; n++)
        for (size_t m = 0; m <= n; m++) {
            double real;
            double imaginary;
            assert_int_equal(fscanf(file, "%lf %lf", &real, &imaginary), 2);
            rho[n * size + m] = real + imaginary * I;
            rho[m * size + n] = real - imaginary * I;
        }
    assert_int_equal(fclose(file), 0);
    return rho;
}

/** An evaluation agrees with what Python found for its protocol. */
static inline void assert_is_fixture(const struct mm_evaluation *found, const struct physics_case *fixture)
{
    const struct mm_evaluation *expected = &fixture->expected;
    assert_double_near(found->loss, expected->loss, 1e-11 * fmax(1.0, fixture->point.lambda));
    assert_double_near(found->ergotropy, expected->ergotropy, 1e-11);
    assert_double_near(found->energy, expected->energy, 1e-11);
    assert_double_near(found->purity, expected->purity, 1e-12);
    assert_double_near(found->instability, expected->instability, 1e-11);
    assert_double_near(found->mean_c, expected->mean_c, 1e-15);
    assert_double_near(found->mean_q, expected->mean_q, 1e-15);
    assert_double_near(found->truncation_population, expected->truncation_population, 1e-13);
    assert_double_near(found->band_error, 0.0, 0.0);
    assert_int_equal(found->levels, fixture->problem.levels);
}

/** Populations of Eq. 8 for one m and q, [m]. */
static inline void steady_state_read(int m, double q, double *populations)
{
    FILE *file = fixture_open("physics_steady_state.csv");
    char header[FIXTURE_LINE_MAX];
    int found = 0;
    int row_m;
    int row_n;
    double row_q;
    double population;
    assert_non_null(fgets(header, sizeof header, file));
    while (fscanf(file, "%d,%lf,%d,%lf", &row_m, &row_q, &row_n, &population) == 4)
        if (row_m == m && row_q == q) {
            assert_int_equal(row_n, found);
            populations[found++] = population;
        }
    assert_int_equal(found, m);
    assert_int_equal(fclose(file), 0);
}

#endif
