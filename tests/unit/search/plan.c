/* plan.c - which chains a search runs, in which order, and where each of them starts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <math.h>

#include "chain/agreement.h"
#include "search/plan.h"
#include "support/search_checks.h"

enum { CHAINS_MOST = 4096 };

/* A configuration of that grid, and its losses, none of them known. */
struct fixture {
    struct mm_config config;
    double losses[CHAINS_MOST];
    struct mm_search_plan *plan;
};

static void make_fixture(struct fixture *fixture, const char *coupling, const char *lambda, const char *search)
{
    char text[512];
    snprintf(text, sizeof text,
             "[cavity]\nlevels = 4\n[coupling]\n%s\n[batch.1]\nqubits = 2\n[loss]\nlambda = %s\n[search]\n%s\n",
             coupling, lambda, search);
    read_config(text, &fixture->config);
    assert_true(mm_config_chains(&fixture->config) <= CHAINS_MOST);
    for (int64_t i = 0; i < CHAINS_MOST; i++)
        fixture->losses[i] = NAN;
    assert_int_equal(mm_search_plan_create(&fixture->plan, &fixture->config, fixture->losses, NULL, NULL), MM_OK);
}

static void free_fixture(struct fixture *fixture)
{
    mm_search_plan_free(fixture->plan);
    mm_config_free(&fixture->config);
}

static void end_chain(struct fixture *fixture, int64_t index, double loss)
{
    fixture->losses[index] = loss;
    mm_search_plan_ended(fixture->plan, index);
}

static void every_chain_once_in_order(void **state)
{
    (void)state;
    struct fixture fixture;
    make_fixture(&fixture, "g = 1,2", "1,10,100", "starts = 4");
    for (int64_t i = 0; i < 24; i++)
        assert_int_equal(mm_search_plan_next(fixture.plan, false), i);
    assert_int_equal(mm_search_plan_next(fixture.plan, true), -1);
    free_fixture(&fixture);
}

static void finished_chains_are_passed_over(void **state)
{
    (void)state;
    struct fixture fixture;
    int64_t finished = 0;
    int64_t needed = 0;
    make_fixture(&fixture, "g = 1", "1", "starts = 5");
    fixture.losses[0] = -0.5;
    fixture.losses[3] = INFINITY; /* it found no finite loss, and is finished */
    mm_search_plan_recount(fixture.plan);
    mm_search_plan_count(fixture.plan, &finished, &needed);
    assert_int_equal(finished, 2);
    assert_int_equal(needed, 5);
    assert_int_equal(mm_search_plan_next(fixture.plan, false), 1);
    assert_int_equal(mm_search_plan_next(fixture.plan, false), 2);
    assert_int_equal(mm_search_plan_next(fixture.plan, false), 4);
    assert_int_equal(mm_search_plan_next(fixture.plan, false), -1);
    free_fixture(&fixture);
}

/* ------------------------------------------------------------------------------------------ agreement */

/* The definition, literally: the fewest first starts of which `agree` found the best loss among them. */
static int64_t needed_literally(int64_t agree, int64_t starts, const double *losses)
{
    for (int64_t count = 1; count <= starts && !isnan(losses[count - 1]); count++) {
        double best = INFINITY;
        int64_t found = 0;
        for (int64_t s = 0; s < count; s++)
            best = fmin(best, losses[s]);
        for (int64_t s = 0; s < count; s++)
            found += isfinite(best) && losses[s] <= best + 1e-6 * fmax(1.0, fabs(best));
        if (found >= agree)
            return count;
    }
    return starts;
}

static void agreement_is_as_defined(void **state)
{
    (void)state;
    static const double values[] = {-0.5, -0.5 + 5e-7, -0.5 - 5e-7, -0.4, 0.0, -3.0, -3.0 + 2e-6, INFINITY, NAN};
    srand(7);
    for (int trial = 0; trial < 20000; trial++) {
        double losses[12];
        struct mm_config config = {.starts = 12, .agree = 1 + rand() % 5};
        int kinds = 1 + rand() % 9;
        for (int s = 0; s < 12; s++)
            losses[s] = values[rand() % kinds];
        assert_int_equal(mm_starts_needed(&config, losses), needed_literally(config.agree, 12, losses));
    }
}

/* Whatever the order in which chains end, the same starts are needed in the end, and no others are begun
 * once that is known. */
static void agreement_does_not_depend_on_the_order(void **state)
{
    (void)state;
    srand(11);
    for (int trial = 0; trial < 300; trial++) {
        double ends[24];
        int64_t expected[2];
        struct fixture fixture;
        make_fixture(&fixture, "g = 1", "1,10", "starts = 12\nagree = 3");
        for (int i = 0; i < 24; i++)
            ends[i] = rand() % 3 == 0 ? -0.5 : -0.1 * (rand() % 5);
        for (int cell = 0; cell < 2; cell++)
            expected[cell] = needed_literally(3, 12, ends + 12 * cell);
        int64_t flying[5];
        int count = 0;
        for (;;) {
            int64_t next = count < 5 ? mm_search_plan_next(fixture.plan, count == 0) : -1;
            if (next >= 0)
                flying[count++] = next;
            else if (count == 0)
                break;
            else {
                int lands = rand() % count;
                int64_t index = flying[lands];
                flying[lands] = flying[--count];
                if (mm_search_plan_wants(fixture.plan, index))
                    end_chain(&fixture, index, ends[index]);
            }
        }
        for (int cell = 0; cell < 2; cell++) {
            assert_int_equal(mm_starts_needed(&fixture.config, fixture.losses + 12 * cell), expected[cell]);
            for (int64_t s = 0; s < expected[cell]; s++)
                assert_true(fixture.losses[12 * cell + s] < 1.0); /* not NAN */
        }
        int64_t finished = 0;
        int64_t needed = 0;
        mm_search_plan_count(fixture.plan, &finished, &needed);
        assert_int_equal(needed, expected[0] + expected[1]);
        assert_int_equal(finished, needed);
        assert_int_equal(mm_chains_missing(&fixture.config, fixture.losses), 0);
        free_fixture(&fixture);
    }
}

/* ----------------------------------------------------------------------------------------- neighbours */

/* Ends every chain that the plan gives out, with a loss of its own. */
static void run_all(struct fixture *fixture, bool idle)
{
    for (int64_t index = mm_search_plan_next(fixture->plan, idle); index >= 0;
         index = mm_search_plan_next(fixture->plan, idle))
        end_chain(fixture, index, -0.01 * (double)(index % 7) - 1e-3 * (double)index);
}

static void neighbours_come_second(void **state)
{
    (void)state;
    struct fixture fixture;
    make_fixture(&fixture, "g = 1,2", "10,1", "starts = 5\nneighbour_starts = 2"); /* lambda = 1 is the lower one */
    /* Random starts first: all five of (g = 1, lambda = 1), which has no lower neighbour, three of the others. */
    static const int64_t first_pass[] = {0, 1, 2, 5, 6, 7, 8, 9, 10, 11, 12, 15, 16, 17};
    for (size_t i = 0; i < sizeof first_pass / sizeof first_pass[0]; i++)
        assert_int_equal(mm_search_plan_next(fixture.plan, false), first_pass[i]);
    assert_int_equal(mm_search_plan_next(fixture.plan, false), -1); /* they wait */
    for (size_t i = 0; i < sizeof first_pass / sizeof first_pass[0]; i++)
        end_chain(&fixture, first_pass[i], -0.1 * (double)first_pass[i]);
    static const int64_t second_pass[] = {3, 4, 13, 14, 18, 19};
    for (size_t i = 0; i < sizeof second_pass / sizeof second_pass[0]; i++)
        assert_int_equal(mm_search_plan_next(fixture.plan, false), second_pass[i]);
    assert_int_equal(mm_search_plan_next(fixture.plan, true), -1);
    free_fixture(&fixture);
}

static void neighbours_take_turns_from_their_best_optima(void **state)
{
    (void)state;
    struct fixture fixture;
    make_fixture(&fixture, "g = 1,2", "1,10", "starts = 8\nneighbour_starts = 5");
    const double losses[] = {-0.2, -0.5, -0.5 - 1e-9, -0.3,
                             -0.3, -0.3, -0.3,        -0.3}; /* of (g = 1, lambda = 1), all random */
    for (int64_t i = 0; i < 32; i++)
        if (i < 8)
            end_chain(&fixture, i, losses[i]);
        else if (i % 8 < 3)
            end_chain(&fixture, i, i % 8 == 1 ? -0.7 : -0.6);
    /* (g = 2, lambda = 10): neighbours (g = 2, lambda = 1), chains 16.., and (g = 1, lambda = 10), chains 8.. */
    static const int64_t expected[] = {17, 9, 16, 8, -1};
    for (int64_t s = 0; s < 5; s++)
        assert_int_equal(mm_search_plan_start_source(fixture.plan, 24 + 3 + s), expected[s]);
    /* (g = 1, lambda = 10): its one neighbour has three optima: -0.5, found twice, -0.3 and -0.2. */
    static const int64_t of_one[] = {2, 3, 0, -1, -1};
    for (int64_t s = 0; s < 5; s++)
        assert_int_equal(mm_search_plan_start_source(fixture.plan, 8 + 3 + s), of_one[s]);
    for (int64_t s = 0; s < 8; s++)
        assert_int_equal(mm_search_plan_start_source(fixture.plan, s), -1);
    free_fixture(&fixture);
}

/* Chains that wait for another process's are passed over only when nothing runs that could end the wait. */
static void waiting_chains_are_passed_over_when_idle(void **state)
{
    (void)state;
    static unsigned char own = 0x3; /* chains 0 and 1 of 8 are another's: see below */
    struct fixture fixture;
    struct mm_share share = {.starts = 1, .units = &own};
    make_fixture(&fixture, "g = 1", "1,10", "starts = 4\nneighbour_starts = 1");
    mm_search_plan_free(fixture.plan);
    own = 0xfc; /* ours: 2 .. 7 */
    assert_int_equal(mm_search_plan_create(&fixture.plan, &fixture.config, fixture.losses, &share, NULL), MM_OK);
    run_all(&fixture, false);
    assert_false(fixture.losses[7] < 1.0); /* NAN */
    assert_int_equal(mm_search_plan_next(fixture.plan, false), -1);
    assert_int_equal(mm_search_plan_next(fixture.plan, true), -1);
    assert_int_equal(mm_chains_missing(&fixture.config, fixture.losses), 3);
    free_fixture(&fixture);
}

/* Q = 1, m = 4 and Q = 2, m = 16 are the same coupling. */
static void equal_values_are_no_neighbours(void **state)
{
    (void)state;
    struct fixture fixture;
    make_fixture(&fixture, "Q = 1,2\nm = 4,16", "1", "starts = 3\nneighbour_starts = 1");
    assert_true(fixture.config.g[0] == fixture.config.g[3]);
    run_all(&fixture, true);
    assert_int_equal(mm_search_plan_start_source(fixture.plan, 3 + 2), -1); /* g = pi/4, the lowest */
    assert_int_equal(mm_search_plan_start_source(fixture.plan, 2) / 3, 1);
    assert_int_equal(mm_search_plan_start_source(fixture.plan, 9 + 2) / 3, 1);
    assert_int_equal(mm_search_plan_start_source(fixture.plan, 6 + 2) / 3 % 3, 0); /* g = pi: either of the two */
    free_fixture(&fixture);
}

/* --------------------------------------------------------------------------------------------- races */

/* The random starts of every grid point are short; the finalists go on from the best ends of their own grid point.
 */
static void finalists_go_on_from_the_best_ends(void **state)
{
    (void)state;
    struct fixture fixture;
    make_fixture(&fixture, "g = 1,2", "10", "starts = 6\nrace = 3\nfinalists = 3\nevaluations = 50");
    static const int64_t racing[] = {0, 1, 2, 6, 7, 8};
    static const double losses[] = {-0.2, -0.4, -0.4 + 1e-9, -0.1, -0.2, -0.3};
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(mm_search_plan_next(fixture.plan, false), racing[i]);
        assert_int_equal(mm_search_plan_start_source(fixture.plan, racing[i]), -1);
        assert_int_equal(mm_search_plan_evaluations(fixture.plan, racing[i]), 3);
    }
    assert_int_equal(mm_search_plan_next(fixture.plan, false), -1); /* the finalists wait */
    for (size_t i = 0; i < 6; i++)
        end_chain(&fixture, racing[i], losses[i]);
    static const int64_t finalists[] = {3, 4, 5, 9, 10, 11};
    static const int64_t sources[] = {1, 0, -1, 8, 7, 6}; /* of chains 1 and 2, which agree, one goes on */
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(mm_search_plan_next(fixture.plan, false), finalists[i]);
        assert_int_equal(mm_search_plan_start_source(fixture.plan, finalists[i]), sources[i]);
        assert_int_equal(mm_search_plan_evaluations(fixture.plan, finalists[i]), 50);
    }
    assert_int_equal(mm_search_plan_next(fixture.plan, true), -1);
    free_fixture(&fixture);
}

/* ---------------------------------------------------------------------------------------- the search */

static struct mm_results search(const char *text, struct mm_config *config, int threads, size_t slots)
{
    struct mm_results results;
    struct mm_error error = {0};
    const struct mm_search_options options = {
        .solver = &(struct mm_solver_options){.backend = "cpu", .threads = threads}, .slots = slots};
    read_config(text, config);
    if (mm_results_create(&results, config, &error) != MM_OK ||
        mm_search_run(config, &options, &results, &error) != MM_OK)
        fail_msg("%s", error.message);
    return results;
}

static const char neighbour_search[] = "[cavity]\nlevels = 14\n[coupling]\ng = 0.7,0.8\n[batch.1]\nqubits = 12\n"
                                       "[batch.2]\nqubits = 5\nc = 0.25\nq = 0.5\n[loss]\nlambda = 1,10\ntail = 6\n"
                                       "[search]\nstarts = 9\nneighbour_starts = 2\nagree = 3\niterations = 40\n";

/* Fills text with that search, other keys in place of its last ones. */
static void replace_keys(size_t size, char *text, const char *keys)
{
    int kept = (int)(strstr(neighbour_search, "neighbour_starts") - neighbour_search);
    snprintf(text, size, "%.*s%s", kept, neighbour_search, keys);
}

static void assert_deterministic(const char *text)
{
    struct mm_config config;
    struct mm_results expected = search(text, &config, 1, 1);
    mm_config_free(&config);
    for (size_t slots = 2; slots < 50; slots += 13) {
        struct mm_results results = search(text, &config, 2, slots);
        assert_same_results(&expected, &results);
        mm_config_free(&config);
        mm_results_free(&results);
    }
    mm_results_free(&expected);
}

/* Both passes, the stop and a race give the same bits whatever runs side by side. */
static void search_is_deterministic(void **state)
{
    (void)state;
    char race[512];
    replace_keys(sizeof race, race, "race = 5\nfinalists = 3\niterations = 40\n");
    assert_deterministic(neighbour_search);
    assert_deterministic(race);
}

/* After a race the finalists go on where its best chains ended, and none ends worse than it began. */
static void finalists_improve_on_the_race(void **state)
{
    (void)state;
    struct mm_config config;
    char text[512];
    replace_keys(sizeof text, text, "race = 5\nfinalists = 3\niterations = 40\n");
    struct mm_results results = search(text, &config, 2, 0);
    for (int64_t first = 0; first < 36; first += 9) {
        const struct mm_chain *best = &results.chains[first];
        for (const struct mm_chain *racing = best; racing < &results.chains[first + 6]; racing++) {
            assert_in_range(racing->evaluations, 1, 5);
            best = racing->evaluation.loss < best->evaluation.loss ? racing : best;
        }
        const struct mm_chain *finalist = &results.chains[first + 6];
        for (int p = 0; p < 4; p++)
            assert_float_equal(finalist->initial[p], best->final[p], 1e-15);
        assert_true(finalist->evaluation.loss <= best->evaluation.loss + 1e-12);
    }
    mm_results_free(&results);
    mm_config_free(&config);
}

/* A start from a neighbour is where the neighbour's best random start ended. */
static void search_starts_at_the_neighbours_optimum(void **state)
{
    (void)state;
    struct mm_config config;
    char text[512];
    snprintf(text, sizeof text, "%.*s\niterations = 40\n",
             (int)(strstr(neighbour_search, "agree") - neighbour_search), neighbour_search);
    struct mm_results results = search(text, &config, 2, 0);
    int64_t best = 0;
    for (int64_t i = 0; i < 9; i++)
        if (results.chains[i].evaluation.loss < results.chains[best].evaluation.loss)
            best = i;
    const struct mm_chain *from_neighbour = &results.chains[9 + 7]; /* lambda = 10: its first such start */
    for (int p = 0; p < 4; p++)
        assert_float_equal(from_neighbour->initial[p], results.chains[best].final[p], 1e-15);
    assert_float_equal(from_neighbour->initial[2], 0.25, 0.0); /* the fixed batch */
    mm_results_free(&results);
    mm_config_free(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_chain_once_in_order),
        cmocka_unit_test(finished_chains_are_passed_over),
        cmocka_unit_test(agreement_is_as_defined),
        cmocka_unit_test(agreement_does_not_depend_on_the_order),
        cmocka_unit_test(neighbours_come_second),
        cmocka_unit_test(neighbours_take_turns_from_their_best_optima),
        cmocka_unit_test(waiting_chains_are_passed_over_when_idle),
        cmocka_unit_test(equal_values_are_no_neighbours),
        cmocka_unit_test(finalists_go_on_from_the_best_ends),
        cmocka_unit_test(search_is_deterministic),
        cmocka_unit_test(finalists_improve_on_the_race),
        cmocka_unit_test(search_starts_at_the_neighbours_optimum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
