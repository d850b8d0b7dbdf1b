/* random_start.c - random starts: the published Philox words, an independent table, and their statistics. */
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "micromaser.h"

enum { WORD_BITS = 53 };

/* What mm_random_start must make of four Philox words. */
static void assert_words(const double *start, const uint32_t words[4])
{
    uint64_t c_bits = ((uint64_t)words[0] << 32 | words[1]) >> 11;
    uint64_t q_bits = ((uint64_t)words[2] << 32 | words[3]) >> 11;
    assert_true(start[0] == ldexp((double)c_bits, -WORD_BITS));
    assert_true(start[1] == ldexp((double)q_bits, -WORD_BITS));
}

/* Known answers of philox4x32 with 10 rounds, published with Random123 (kat_vectors). */
static void known_answers(void **state)
{
    (void)state;
    static const uint32_t words_of_zeros[4] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
    double parameters[2];
    mm_random_start(0, 0, 0, 0, 1, parameters);
    assert_words(parameters, words_of_zeros);
}

static void table_of_independent_values(void **state)
{
    (void)state;
    FILE *table = fopen(MM_FIXTURES "/random_start.csv", "r");
    assert_non_null(table);
    char line[200];
    assert_non_null(fgets(line, sizeof line, table));
    int rows = 0;
    for (; fgets(line, sizeof line, table) != NULL; rows++) {
        uint64_t seed;
        int32_t g_index, lambda_index, start;
        size_t batch;
        double c, q;
        int fields = sscanf(line, "%" SCNu64 ",%" SCNd32 ",%" SCNd32 ",%" SCNd32 ",%zu,%la,%la", &seed, &g_index,
                            &lambda_index, &start, &batch, &c, &q);
        assert_int_equal(fields, 7);
        double *parameters = calloc(batch + 1, 2 * sizeof *parameters);
        assert_non_null(parameters);
        mm_random_start(seed, g_index, lambda_index, start, batch + 1, parameters);
        assert_true(parameters[2 * batch] == c);
        assert_true(parameters[2 * batch + 1] == q);
        free(parameters);
    }
    assert_int_equal(fclose(table), 0);
    assert_int_equal(rows, 9);
}

/* Mean 1/2 and variance 1/12 of each coordinate, no correlation between them; the tolerances are five standard
 * deviations of the mean of 100000 values. */
static void uniform_in_the_unit_square(void **state)
{
    (void)state;
    enum { STARTS = 100000 };
    double sum[2] = {0}, square[2] = {0}, product = 0;
    for (int32_t start = 0; start < STARTS; start++) {
        double point[2];
        mm_random_start(1, 0, 0, start, 1, point);
        for (int i = 0; i < 2; i++) {
            assert_true(point[i] >= 0 && point[i] < 1);
            sum[i] += point[i];
            square[i] += (point[i] - 0.5) * (point[i] - 0.5);
        }
        product += (point[0] - 0.5) * (point[1] - 0.5);
    }
    double noise = 5 / sqrt(STARTS);
    for (int i = 0; i < 2; i++) {
        assert_true(fabs(sum[i] / STARTS - 0.5) < noise * sqrt(1 / 12.0));
        assert_true(fabs(square[i] / STARTS - 1 / 12.0) < noise * sqrt(1 / 180.0));
    }
    assert_true(fabs(product / STARTS) < noise / 12);
}

static int compare_numbers(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Every combination of seed, grid point, start and batch has its own numbers. */
static void all_distinct(void **state)
{
    (void)state;
    enum { SIDE = 6, BATCHES = 4, COUNT = SIDE * SIDE * SIDE * SIDE * BATCHES * 2 };
    double *values = calloc(COUNT, sizeof *values);
    assert_non_null(values);
    double *next = values;
    for (uint64_t seed = 0; seed < SIDE; seed++)
        for (int32_t g = 0; g < SIDE; g++)
            for (int32_t lambda = 0; lambda < SIDE; lambda++)
                for (int32_t start = 0; start < SIDE; start++, next += 2 * BATCHES)
                    mm_random_start(seed, g, lambda, start, BATCHES, next);
    qsort(values, COUNT, sizeof *values, compare_numbers);
    for (int i = 1; i < COUNT; i++)
        assert_true(values[i] > values[i - 1]);
    free(values);
}

/* The first batches of a longer protocol start as those of a shorter one, and nothing is written beyond. */
static void batches_are_independent(void **state)
{
    (void)state;
    double one[3] = {-1, -1, -1};
    double many[20];
    mm_random_start(7, 1, 2, 3, 1, one);
    mm_random_start(7, 1, 2, 3, 10, many);
    assert_true(one[0] == many[0] && one[1] == many[1]);
    assert_true(one[2] == -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),
        cmocka_unit_test(table_of_independent_values),
        cmocka_unit_test(uniform_in_the_unit_square),
        cmocka_unit_test(all_distinct),
        cmocka_unit_test(batches_are_independent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
