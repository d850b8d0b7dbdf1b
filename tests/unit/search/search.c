/* search.c - the search driver: the same bits for any slots and threads, refill, stopping, going on. */
#include <math.h>
#include <stdlib.h>

#include "support/search_checks.h"

static void run_search(const struct mm_config *config, const struct mm_search_options *options,
                       struct mm_results *results)
{
    struct mm_error error = {0};
    if (mm_results_create(results, config, &error) != MM_OK ||
        mm_search_run(config, options, results, &error) != MM_OK)
        fail_msg("%s", error.message);
}

static int64_t count_finished(const struct mm_results *results)
{
    int64_t finished = 0;
    for (int64_t i = 0; i < results->chain_count; i++)
        finished += results->chains[i].finished;
    return finished;
}

static void assert_independent_of_slots_and_threads(const char *configuration)
{
    static const size_t slots[] = {1, 3, 64};
    struct mm_config config;
    struct mm_results expected;
    read_config(configuration, &config);
    struct mm_search_options one = {.solver = &(struct mm_solver_options){.backend = "cpu", .threads = 1},
                                    .slots = 1};
    run_search(&config, &one, &expected);
    assert_int_equal(count_finished(&expected), expected.chain_count);
    for (int threads = 1; threads <= 2; threads++)
        for (size_t i = 0; i < 3; i++) {
            struct mm_results results;
            struct mm_search_options options = {
                .solver = &(struct mm_solver_options){.backend = "cpu", .threads = threads}, .slots = slots[i]};
            run_search(&config, &options, &results);
            assert_same_results(&expected, &results);
            mm_results_free(&results);
        }
    mm_results_free(&expected);
    mm_config_free(&config);
}

static void independent_of_slots_and_threads(void **state)
{
    (void)state;
    assert_independent_of_slots_and_threads(small_search);
}

/* Chains of very different sizes after each other in the same slots and threads. */
static void independent_of_what_ran_before(void **state)
{
    (void)state;
    assert_independent_of_slots_and_threads("[coupling]\ng = 0.3,0.8\n[batch.1]\nqubits = 60\n"
                                            "[loss]\nlambda = 1\n[search]\nstarts = 12\niterations = 15\n");
}

/* Spreads all batches' parameters to the free ones alone: the inverse of what the search stores. */
static void free_parameters(const struct mm_config *config, const double *all, double *parameters)
{
    for (size_t b = 0; b < config->batch_count; b++)
        if (!config->batches[b].fixed) {
            *parameters++ = all[2 * b];
            *parameters++ = all[2 * b + 1];
        }
}

static struct mm_evaluation evaluate(const struct mm_config *config, const char *backend,
                                     const struct mm_chain *chain, const double *all)
{
    double parameters[4];
    struct mm_solver *solver = NULL;
    struct mm_evaluation evaluation = {0};
    struct mm_channel_gradient gradient[2];
    struct mm_error error = {0};
    struct mm_problem problem = mm_config_problem(config);
    struct mm_solver_options options = {.backend = backend, .threads = 1};
    free_parameters(config, all, parameters);
    struct mm_point point = {
        .g = config->g[chain->g_index], .lambda = config->lambda[chain->lambda_index], .parameters = parameters};
    if (mm_solver_open(&solver, &problem, &options, &error) != MM_OK ||
        mm_solver_evaluate(solver, 1, &point, &evaluation, gradient, &error) != MM_OK)
        fail_msg("%s", error.message);
    mm_solver_close(solver);
    return evaluation;
}

/* What is reported of a chain is what its final point evaluates to: the same bits on the same backend, and the same
 * loss on the reference backend. It is below the loss at the start, and the start is the documented one. */
static void reports_the_final_point(void **state)
{
    (void)state;
    struct mm_config config;
    struct mm_results results;
    struct mm_search_options options = {.solver = &(struct mm_solver_options){.backend = "cpu"}};
    read_config(small_search, &config);
    run_search(&config, &options, &results);
    assert_string_equal(results.backend, "cpu");
    assert_true(results.seconds > 0.0);
    for (int64_t i = 0; i < results.chain_count; i++) {
        const struct mm_chain *chain = &results.chains[i];
        double start[4];
        double expected_start[4];
        struct mm_evaluation cpu = evaluate(&config, "cpu", chain, chain->final);
        struct mm_evaluation reference = evaluate(&config, "reference", chain, chain->final);
        struct mm_evaluation at_start = evaluate(&config, "cpu", chain, chain->initial);
        assert_same_evaluation(&cpu, &chain->evaluation);
        assert_true(fabs(reference.loss - chain->evaluation.loss) < 1e-10);
        assert_true(chain->evaluation.loss <= at_start.loss + 1e-14);
        assert_true(isfinite(chain->gradient_norm) && chain->iterations <= 25);
        assert_int_not_equal(chain->status, MM_RUNNING);

        free_parameters(&config, chain->initial, start);
        mm_random_start(config.seed, chain->g_index, chain->lambda_index, chain->start, 2, expected_start);
        assert_memory_equal(start, expected_start, sizeof start);
        assert_true(chain->final[2] == 0.25 && chain->final[3] == 0.5); /* the fixed batch */
    }
    mm_results_free(&results);
    mm_config_free(&config);
}

/* What a search told while it ran. */
struct watch {
    int64_t calls;
    int64_t evaluations; /* at the last call */
    int64_t done;        /* at the last call */
    int64_t stop_at;     /* chains done at which to stop, if > 0 */
    volatile int stop;
    double best_loss[2];
};

static void watch_evaluation(void *context, const struct mm_progress *progress)
{
    struct watch *watch = context;
    assert_int_equal(progress->evaluations - watch->evaluations, 1);
    assert_true(progress->chains_done >= watch->done);
    assert_int_equal(progress->lambda_count, 2);
    watch->calls++;
    watch->evaluations = progress->evaluations;
    watch->done = progress->chains_done;
    memcpy(watch->best_loss, progress->best_loss, sizeof watch->best_loss);
    watch->stop = watch->stop_at > 0 && progress->chains_done >= watch->stop_at;
}

static void every_evaluation_is_told(void **state)
{
    (void)state;
    struct mm_config config;
    read_config(small_search, &config);
    for (size_t slots = 1; slots <= 7; slots += 3) {
        struct watch watch = {0};
        struct mm_results results;
        struct mm_search_options options = {.solver = &(struct mm_solver_options){.backend = "cpu"},
                                            .slots = slots,
                                            .progress = watch_evaluation,
                                            .progress_context = &watch};
        run_search(&config, &options, &results);
        int64_t evaluations = 0;
        for (int64_t i = 0; i < results.chain_count; i++)
            evaluations += results.chains[i].evaluations;
        assert_int_equal(watch.done, 16);
        assert_int_equal(watch.evaluations, evaluations);
        for (size_t lambda = 0; lambda < 2; lambda++) {
            double first = results.chains[mm_results_best(&results, &config, 0, lambda, NULL)].evaluation.loss;
            double second = results.chains[mm_results_best(&results, &config, 1, lambda, NULL)].evaluation.loss;
            assert_same_double(watch.best_loss[lambda], fmin(first, second));
        }
        mm_results_free(&results);
    }
    mm_config_free(&config);
}

static void stops_and_goes_on(void **state)
{
    (void)state;
    struct mm_config config;
    struct mm_results expected;
    struct mm_results results;
    struct mm_error error = {0};
    read_config(small_search, &config);
    struct mm_search_options undisturbed = {.solver = &(struct mm_solver_options){.backend = "cpu"}};
    run_search(&config, &undisturbed, &expected);

    struct watch watch = {.stop_at = 6};
    struct mm_search_options stopping = {.solver = &(struct mm_solver_options){.backend = "cpu"},
                                         .slots = 5,
                                         .stop = &watch.stop,
                                         .progress = watch_evaluation,
                                         .progress_context = &watch};
    assert_int_equal(mm_results_create(&results, &config, &error), MM_OK);
    assert_int_equal(mm_search_run(&config, &stopping, &results, &error), MM_STOPPED);
    int64_t finished = count_finished(&results);
    assert_in_range(finished, 6, 10);
    for (int64_t i = 0; i < results.chain_count; i++)
        if (results.chains[i].finished)
            assert_same_chain(&results.chains[i], &expected.chains[i], results.batch_count);
        else
            assert_null(results.chains[i].initial);

    watch = (struct watch){.done = finished};
    stopping.slots = 2;
    assert_int_equal(mm_search_run(&config, &stopping, &results, &error), MM_OK);
    assert_same_results(&expected, &results);

    watch = (struct watch){.done = 16};
    assert_int_equal(mm_search_run(&config, &stopping, &results, &error), MM_OK); /* nothing is left */
    assert_int_equal(watch.calls, 0);
    mm_results_free(&expected);
    mm_results_free(&results);
    mm_config_free(&config);
}

static void stopped_before_it_began(void **state)
{
    (void)state;
    struct mm_config config;
    struct mm_results results;
    struct mm_error error = {0};
    struct watch watch = {.stop = 1};
    struct mm_search_options options = {.solver = &(struct mm_solver_options){.backend = "cpu"},
                                        .stop = &watch.stop,
                                        .progress = watch_evaluation,
                                        .progress_context = &watch};
    read_config(small_search, &config);
    assert_int_equal(mm_results_create(&results, &config, &error), MM_OK);
    assert_int_equal(mm_search_run(&config, &options, &results, &error), MM_STOPPED);
    assert_int_equal(count_finished(&results), 0);
    assert_int_equal(watch.calls, 0);
    assert_int_equal(mm_results_best(&results, &config, 0, 0, NULL), -1);
    mm_results_free(&results);
    mm_config_free(&config);
}

static void one_backend_for_all_chains(void **state)
{
    (void)state;
    struct mm_config config;
    struct mm_results results;
    struct mm_error error = {0};
    struct watch watch = {.stop_at = 1};
    struct mm_search_options options = {.solver = &(struct mm_solver_options){.backend = "cpu"},
                                        .stop = &watch.stop,
                                        .slots = 16,
                                        .progress = watch_evaluation,
                                        .progress_context = &watch};
    read_config(small_search, &config);
    assert_int_equal(mm_results_create(&results, &config, &error), MM_OK);
    assert_int_equal(mm_search_run(&config, &options, &results, &error), MM_STOPPED);
    options.solver = &(struct mm_solver_options){.backend = "reference"};
    assert_int_equal(mm_search_run(&config, &options, &results, &error), MM_ERROR_INPUT);
    assert_non_null(strstr(error.message, "'cpu'"));
    assert_non_null(strstr(error.message, "'reference'"));
    options.solver = &(struct mm_solver_options){.backend = "abacus"};
    assert_int_not_equal(mm_search_run(&config, &options, &results, &error), MM_OK);
    assert_non_null(strstr(error.message, "abacus"));
    mm_results_free(&results);
    mm_config_free(&config);
}

/* The first starts are the random ones, but for q = 0 in the first free batch, or the first two in turn. */
static void excited_starts_begin_excited(void **state)
{
    (void)state;
    struct mm_config config;
    struct mm_results results;
    struct mm_search_options options = {.solver = &(struct mm_solver_options){.backend = "cpu"}};
    read_config("[cavity]\nlevels = 12\n[coupling]\ng = 0.8\n[batch.1]\nqubits = 5\n[batch.2]\nqubits = 4\n"
                "c = 0.25\nq = 0.5\n[batch.3]\nqubits = 6\n[batch.4]\nqubits = 7\n[loss]\nlambda = 1\n"
                "[search]\nstarts = 4\nexcited_starts = 3\niterations = 5\n",
                &config);
    run_search(&config, &options, &results);
    static const int excited[4] = {1, 2, 1, 0};
    for (int start = 0; start < 4; start++) {
        double found[6], expected[6];
        free_parameters(&config, results.chains[start].initial, found);
        mm_random_start(config.seed, 0, 0, start, 3, expected);
        for (int b = 0; b < excited[start]; b++)
            expected[2 * b + 1] = 0.0;
        assert_memory_equal(found, expected, sizeof found);
        assert_true(isfinite(results.chains[start].evaluation.loss));
    }
    mm_results_free(&results);
    mm_config_free(&config);
}

/* The reference computes every gradient, cpu only those that are wanted: chains go the same way all the same. */
static void chains_do_not_depend_on_gradients_left_out(void **state)
{
    (void)state;
    struct mm_config config;
    struct mm_results reference, cpu;
    struct mm_search_options options = {.solver =
                                            &(struct mm_solver_options){.backend = "reference", .threads = 2}};
    read_config(small_search, &config);
    config.optimizer.iterations = 3; /* before rounding grows */
    config.rough_tolerance = 0.0;    /* the reference drops nothing */
    run_search(&config, &options, &reference);
    options.solver = &(struct mm_solver_options){.backend = "cpu", .threads = 2};
    run_search(&config, &options, &cpu);
    int64_t rises = 0;
    for (int64_t i = 0; i < cpu.chain_count; i++) {
        const struct mm_chain *chain = &cpu.chains[i];
        assert_int_equal(chain->evaluations, reference.chains[i].evaluations);
        assert_true(fabs(chain->evaluation.loss - reference.chains[i].evaluation.loss) < 1e-9);
        rises += chain->evaluations - chain->iterations - 1;
    }
    assert_true(rises > 8);
    mm_results_free(&reference);
    mm_results_free(&cpu);
    mm_config_free(&config);
}

/* A rough beginning costs a few evaluations more, of which most are rough, and leads to the same minima. */
static void rough_beginnings_find_the_same_minima(void **state)
{
    (void)state;
    struct mm_config config;
    struct mm_results exact, rough;
    struct mm_search_options options = {.solver = &(struct mm_solver_options){.backend = "cpu", .threads = 2}};
    read_config("[cavity]\nlevels = 40\n[coupling]\ng = 0.795\n[batch.1]\nqubits = 150\n[loss]\nlambda = 1\n"
                "[search]\nstarts = 12\n",
                &config);
    assert_true(config.rough_tolerance == 1e-7);
    run_search(&config, &options, &rough);
    config.rough_tolerance = 0.0;
    run_search(&config, &options, &exact);
    int64_t more = 0;
    for (int64_t i = 0; i < exact.chain_count; i++) {
        const struct mm_evaluation at_end = evaluate(&config, "cpu", &rough.chains[i], rough.chains[i].final);
        assert_same_evaluation(&at_end, &rough.chains[i].evaluation);
        assert_true(fabs(rough.chains[i].evaluation.loss - exact.chains[i].evaluation.loss) < 1e-6);
        more += rough.chains[i].evaluations - exact.chains[i].evaluations;
    }
    assert_true(more > 0 && more < 4 * exact.chain_count);
    mm_results_free(&exact);
    mm_results_free(&rough);
    mm_config_free(&config);
}

static void best_of_a_grid_point(void **state)
{
    (void)state;
    static const double losses[4] = {-0.25, -0.5, -0.5, INFINITY};
    struct mm_config config;
    struct mm_results results;
    int64_t agree = -1;
    read_config(small_search, &config);
    assert_int_equal(mm_results_create(&results, &config, NULL), MM_OK);
    assert_int_equal(mm_results_best(&results, &config, 1, 0, &agree), -1);
    assert_int_equal(agree, 0);
    struct mm_chain *chains = results.chains + 8; /* g_index 1, lambda_index 0 */
    for (size_t i = 0; i < 4; i++) {
        chains[i].finished = true;
        chains[i].evaluation.loss = losses[i];
    }
    assert_int_equal(mm_results_best(&results, &config, 1, 0, &agree), 9); /* the lowest start wins the tie */
    assert_int_equal(agree, 2);
    chains[1].finished = false;
    assert_int_equal(mm_results_best(&results, &config, 1, 0, &agree), 10);
    assert_int_equal(agree, 1);
    chains[0].evaluation.loss = -0.5 + 0.9e-6;
    mm_results_best(&results, &config, 1, 0, &agree);
    assert_int_equal(agree, 2);
    chains[0].evaluation.loss = -0.5 + 1.1e-6;
    mm_results_best(&results, &config, 1, 0, &agree);
    assert_int_equal(agree, 1);
    chains[0].finished = chains[2].finished = false;
    assert_int_equal(mm_results_best(&results, &config, 1, 0, &agree), -1); /* no finite loss */
    mm_results_free(&results);
    mm_config_free(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(independent_of_slots_and_threads),
        cmocka_unit_test(independent_of_what_ran_before),
        cmocka_unit_test(reports_the_final_point),
        cmocka_unit_test(every_evaluation_is_told),
        cmocka_unit_test(stops_and_goes_on),
        cmocka_unit_test(stopped_before_it_began),
        cmocka_unit_test(one_backend_for_all_chains),
        cmocka_unit_test(excited_starts_begin_excited),
        cmocka_unit_test(chains_do_not_depend_on_gradients_left_out),
        cmocka_unit_test(rough_beginnings_find_the_same_minima),
        cmocka_unit_test(best_of_a_grid_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
