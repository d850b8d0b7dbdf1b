/* search_checks.h - small searches and the comparison of their results, for tests. */
#ifndef MM_TESTS_SUPPORT_SEARCH_CHECKS_H
#define MM_TESTS_SUPPORT_SEARCH_CHECKS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "micromaser.h"

/** Two values of g and lambda each, four starts: 16 chains of two free batches around a fixed one. */
static const char small_search[] = "[cavity]\nlevels = 14\n[coupling]\ng = 0.7,0.8\n"
                                   "[batch.1]\nqubits = 12\n[batch.2]\nqubits = 5\nc = 0.25\nq = 0.5\n"
                                   "[batch.3]\nqubits = 8\n[loss]\nlambda = 1,10\ntail = 6\n"
                                   "[search]\nstarts = 4\niterations = 25\n";

static inline void read_config(const char *text, struct mm_config *config)
{
    struct mm_error error = {0};
    if (mm_config_parse("test", text, strlen(text), 0, NULL, config, &error) != MM_OK)
        fail_msg("%s", error.message);
}

/** Same bits, so that NaN equals itself and zero differs from minus zero. */
static inline void assert_same_double(double a, double b)
{
    assert_memory_equal(&a, &b, sizeof a);
}

static inline void assert_same_evaluation(const struct mm_evaluation *a, const struct mm_evaluation *b)
{
    assert_same_double(a->loss, b->loss);
    assert_same_double(a->ergotropy, b->ergotropy);
    assert_same_double(a->energy, b->energy);
    assert_same_double(a->purity, b->purity);
    assert_same_double(a->instability, b->instability);
    assert_same_double(a->mean_c, b->mean_c);
    assert_same_double(a->mean_q, b->mean_q);
    assert_same_double(a->loss_by_mean_c, b->loss_by_mean_c);
    assert_same_double(a->loss_by_mean_q, b->loss_by_mean_q);
    assert_same_double(a->band_error, b->band_error);
    assert_same_double(a->truncation_population, b->truncation_population);
    assert_int_equal(a->levels, b->levels);
    assert_int_equal(a->eigen_failures, b->eigen_failures);
}

static inline void assert_same_chain(const struct mm_chain *a, const struct mm_chain *b, size_t batch_count)
{
    assert_int_equal(a->finished, b->finished);
    if (!a->finished)
        return;
    assert_int_equal(a->g_index, b->g_index);
    assert_int_equal(a->lambda_index, b->lambda_index);
    assert_int_equal(a->start, b->start);
    assert_memory_equal(a->initial, b->initial, 2 * batch_count * sizeof(double));
    assert_memory_equal(a->final, b->final, 2 * batch_count * sizeof(double));
    assert_same_evaluation(&a->evaluation, &b->evaluation);
    assert_same_double(a->gradient_norm, b->gradient_norm);
    assert_int_equal(a->iterations, b->iterations);
    assert_int_equal(a->evaluations, b->evaluations);
    assert_int_equal(a->eigen_failures, b->eigen_failures);
    assert_int_equal(a->status, b->status);
}

static inline void assert_same_results(const struct mm_results *a, const struct mm_results *b)
{
    assert_int_equal(a->chain_count, b->chain_count);
    assert_int_equal(a->batch_count, b->batch_count);
    for (int64_t i = 0; i < a->chain_count; i++)
        assert_same_chain(&a->chains[i], &b->chains[i], a->batch_count);
}

#endif
