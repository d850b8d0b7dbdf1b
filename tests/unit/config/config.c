/* config.c - configurations: what is read, what is refused and with which words, and the canonical text. */
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/assert_double.h"
#include "config/parse.h"
#include "micromaser.h"

/* The shortest configuration; its lines are numbered 1 to 6. */
#define SHORTEST                                                                                                   \
    "[coupling]\n"                                                                                                 \
    "g = 0.8\n"                                                                                                    \
    "[batch.1]\n"                                                                                                  \
    "qubits = 1000\n"                                                                                              \
    "[loss]\n"                                                                                                     \
    "lambda = 10\n"

enum { OVERRIDES_MAX = 4 };

static size_t count_overrides(const char *const overrides[OVERRIDES_MAX])
{
    size_t count = 0;
    while (count < OVERRIDES_MAX && overrides[count] != NULL)
        count++;
    return count;
}

/* Parses a copy of just the right size, so that a sanitizer sees any reading beyond it. */
static mm_status parse(const char *text, const char *const overrides[OVERRIDES_MAX], struct mm_config *config,
                       struct mm_error *error)
{
    size_t size = strlen(text);
    char *copy = malloc(size);
    assert_true(copy != NULL || size == 0);
    if (size > 0)
        memcpy(copy, text, size);
    mm_status status = mm_config_parse("my.ini", copy, size, count_overrides(overrides), overrides, config, error);
    free(copy);
    return status;
}

static void parse_good(const char *text, const char *const overrides[OVERRIDES_MAX], struct mm_config *config)
{
    struct mm_error error = {0};
    if (parse(text, overrides, config, &error) != MM_OK)
        fail_msg("refused: %s", error.message);
}

static void assert_one_line(const struct mm_error *error)
{
    assert_true(strlen(error->message) > 0 && strlen(error->message) < sizeof error->message - 1);
    assert_null(strpbrk(error->message, "\r\n\033"));
}

static void assert_message(const struct mm_error *error, const char *expected)
{
    assert_one_line(error);
    if (strstr(error->message, expected) == NULL)
        fail_msg("'%s' does not contain '%s'", error->message, expected);
}

/* ------------------------------------------------------------------------------------------------ good input */

static const char *const none[OVERRIDES_MAX] = {NULL};

static void defaults(void **state)
{
    (void)state;
    struct mm_config config;
    parse_good(SHORTEST, none, &config);
    const struct mm_optimizer_options usual = mm_optimizer_default_options();
    assert_int_equal(config.levels, MM_LEVELS_AUTO);
    assert_int_equal(config.g_count, 1);
    assert_true(config.g[0] == 0.8);
    assert_int_equal(config.batch_count, 1);
    assert_int_equal(config.batches[0].qubits, 1000);
    assert_false(config.batches[0].fixed);
    assert_int_equal(config.lambda_count, 1);
    assert_true(config.lambda[0] == 10);
    assert_int_equal(config.tail, 200);
    assert_int_equal(config.starts, 64);
    assert_int_equal(config.neighbour_starts, 0);
    assert_int_equal(config.excited_starts, 0);
    assert_int_equal(config.agree, 0);
    assert_int_equal(config.race, 0);
    assert_int_equal(config.finalists, 0);
    assert_int_equal(config.seed, 1);
    assert_true(config.optimizer.ftol == usual.ftol && config.optimizer.gtol == usual.gtol);
    assert_int_equal(config.optimizer.iterations, usual.iterations);
    assert_int_equal(config.optimizer.evaluations, usual.evaluations);
    assert_int_equal(config.optimizer.corrections, usual.corrections);
    assert_int_equal(config.optimizer.line_search_steps, usual.line_search_steps);
    assert_true(config.band_tolerance == 1e-16);
    assert_true(config.rough_tolerance == 1e-7);
    assert_int_equal(mm_config_chains(&config), 64);
    mm_config_free(&config);
    assert_null(config.text);
}

#define EVERY_KEY                                                                                                  \
    "[cavity]\nlevels = 150\n"                                                                                     \
    "[coupling]\ng = 0.5,0.25:0.75:2\n"                                                                            \
    "[batch.2]\nqubits = 7\nc = 0.125\nq = 1\n"                                                                    \
    "[batch.1]\nqubits = 5\n"                                                                                      \
    "[loss]\nlambda = log:1:1000:4\ntail = 12\n"                                                                   \
    "[search]\nstarts = 1000\nneighbour_starts = 7\nagree = 1000\nseed = 18446744073709551615\niterations = "      \
    "3\nevaluations = 1000000000\n"                                                                                \
    "ftol = 2.2204460492503131e-09\ngtol = 0\ncorrections = 100\n"                                                 \
    "[numerics]\nband_tolerance = 1e-3\nrough_tolerance = 0\n"

static void every_key(void **state)
{
    (void)state;
    struct mm_config config;
    parse_good(EVERY_KEY, none, &config);
    assert_int_equal(config.levels, 150);
    const double g[] = {0.5, 0.25, 0.75};
    const double lambda[] = {1, 10, 100, 1000};
    assert_int_equal(config.g_count, 3);
    assert_memory_equal(config.g, g, sizeof g);
    assert_int_equal(config.lambda_count, 4);
    assert_memory_equal(config.lambda, lambda, sizeof lambda);
    assert_int_equal(config.batch_count, 2);
    assert_int_equal(config.batches[0].qubits, 5);
    assert_true(config.batches[1].fixed && config.batches[1].c == 0.125 && config.batches[1].q == 1);
    assert_int_equal(config.batches[1].qubits, 7);
    assert_false(config.batches[0].fixed);
    assert_int_equal(config.tail, 12);
    assert_int_equal(config.starts, 1000);
    assert_int_equal(config.neighbour_starts, 7);
    assert_int_equal(config.agree, 1000);
    assert_true(config.seed == UINT64_MAX);
    assert_int_equal(config.optimizer.iterations, 3);
    assert_int_equal(config.optimizer.evaluations, 1000000000);
    assert_true(config.optimizer.ftol == 0x1.312dp-29);
    assert_true(config.optimizer.gtol == 0);
    assert_int_equal(config.optimizer.corrections, 100);
    assert_true(config.band_tolerance == 1e-3);
    assert_true(config.rough_tolerance == 0.0);
    assert_int_equal(mm_config_chains(&config), 12000);
    struct mm_problem problem = mm_config_problem(&config);
    assert_int_equal(mm_problem_check(&problem, NULL), MM_OK);
    assert_ptr_equal(problem.batches, config.batches);
    mm_config_free(&config);
}

/* Eq. 9, with epsilon running fastest and Q slowest. */
static void coupling_by_chambers(void **state)
{
    (void)state;
    static const char *const chambers[OVERRIDES_MAX] = {"coupling.Q=1,2", "coupling.m=16,15",
                                                        "coupling.epsilon=-0.4,0.5", NULL};
    const double pi = 3.14159265358979323846;
    const double g[] = {pi / sqrt(15.6),     pi / sqrt(16.5),     pi / sqrt(14.6),     pi / sqrt(15.5),
                        2 * pi / sqrt(15.6), 2 * pi / sqrt(16.5), 2 * pi / sqrt(14.6), 2 * pi / sqrt(15.5)};
    struct mm_config config;
    parse_good(SHORTEST, chambers, &config);
    assert_int_equal(config.g_count, 8);
    for (size_t k = 0; k < 8; k++)
        assert_double_near(config.g[k], g[k], 1e-15);
    mm_config_free(&config);
    static const char *const fine_tuned[OVERRIDES_MAX] = {"coupling.Q=1", "coupling.m=16", NULL};
    parse_good(SHORTEST, fine_tuned, &config);
    assert_double_near(config.g[0], pi / 4, 1e-16);
    mm_config_free(&config);
}

struct list_case {
    const char *text;
    size_t count;
    double values[6];
};

static void lists_and_ranges(void **state)
{
    (void)state;
    static const struct list_case cases[] = {
        {"5", 1, {5}},
        {" 3 ,\t1,2 ", 3, {3, 1, 2}},
        {"0:1:5", 5, {0, 0.25, 0.5, 0.75, 1}},
        {"1:0:3", 3, {1, 0.5, 0}},
        {"7:7:1", 1, {7}},
        {"log:1:1e4:5", 5, {1, 10, 100, 1000, 10000}},
        {"log:1000:1:4", 4, {1000, 100, 10, 1}},
        {"2:3:2,log:4:8:2,+.5e1", 5, {2, 3, 4, 8, 5}},
        {"0.1 : 0.3 : 2", 2, {0.1, 0.3}},
        {"-0", 1, {0}},
    };
    const struct mm_list_limits limits = {-10, 1e5, false};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mm_list list;
        struct mm_error error = {0};
        if (mm_list_parse(cases[i].text, &limits, &list, &error) != MM_OK)
            fail_msg("'%s' refused: %s", cases[i].text, error.message);
        assert_int_equal(list.count, cases[i].count);
        assert_memory_equal(list.values, cases[i].values, list.count * sizeof(double));
        mm_list_free(&list);
    }
}

/* Integer ranges stay whole however long they are, and the ends of any range are exact. */
static void ranges_are_exact(void **state)
{
    (void)state;
    struct mm_list list;
    assert_int_equal(mm_list_parse("1:99999:99999", &(struct mm_list_limits){1, 1e6, true}, &list, NULL), MM_OK);
    for (size_t i = 0; i < list.count; i++)
        assert_true(list.values[i] == (double)(i + 1));
    mm_list_free(&list);
    static const char *const ranges[] = {"0.1:0.7:1000", "log:0.1:0.7:1000"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(mm_list_parse(ranges[i], &(struct mm_list_limits){0, 1, false}, &list, NULL), MM_OK);
        assert_true(list.values[0] == 0.1 && list.values[999] == 0.7);
        for (size_t k = 1; k < list.count; k++)
            assert_true(list.values[k] > list.values[k - 1]);
        mm_list_free(&list);
    }
}

static void layout_does_not_matter(void **state)
{
    (void)state;
    static const char *const layouts[] = {
        "[coupling]\r\ng = 0.8\r\n[batch.1]\r\nqubits = 1000\r\n[loss]\r\nlambda = 10\r\n",
        "\xEF\xBB\xBF[coupling]\ng=0.8\n[batch.1]\nqubits=1000\n[loss]\nlambda=10",
        "; \xCE\xB5 = 0\n[loss] ; Eq. 11\n  lambda =\t10 ; weight\n# more\n\n  tail = 200\n\t[coupling]\ng = "
        "+8e-1\n"
        "[batch.1]\n  qubits = 1000 \n",
        "[loss]\nlambda = 10\n[batch.1]\n[coupling]\ng = .8\n[loss]\ntail = 200\n[batch.1]\nqubits = 0001000\n",
    };
    struct mm_config plain;
    parse_good(SHORTEST, none, &plain);
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
        struct mm_config config;
        parse_good(layouts[i], none, &config);
        assert_string_equal(config.text, plain.text);
        mm_config_free(&config);
    }
    mm_config_free(&plain);
}

static void a_list_goes_on_after_a_comma(void **state)
{
    (void)state;
    struct mm_config config;
    parse_good(
        "[coupling]\ng = 0.8\n[batch.1]\nqubits = 9\n[loss]\nlambda = 1, ; first\n\n; then\n10,\n  100\ntail=3\n",
        none, &config);
    const double lambda[] = {1, 10, 100};
    assert_int_equal(config.lambda_count, 3);
    assert_memory_equal(config.lambda, lambda, sizeof lambda);
    assert_int_equal(config.tail, 3);
    mm_config_free(&config);
}

static void tail_fraction_is_rounded(void **state)
{
    (void)state;
    static const struct {
        const char *qubits;
        const char *fraction;
        int64_t tail;
    } cases[] = {
        {"batch.1.qubits=13", "loss.tail_fraction=0.2", 3},   {"batch.1.qubits=12", "loss.tail_fraction=0.2", 2},
        {"batch.1.qubits=2", "loss.tail_fraction=0.2", 1},    {"batch.1.qubits=7", "loss.tail_fraction=1", 7},
        {"batch.1.qubits=5", "loss.tail_fraction=1e-300", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *const overrides[OVERRIDES_MAX] = {cases[i].qubits, cases[i].fraction};
        struct mm_config config;
        parse_good(SHORTEST, overrides, &config);
        assert_int_equal(config.tail, cases[i].tail);
        mm_config_free(&config);
    }
}

static void overrides_replace_and_define(void **state)
{
    (void)state;
    static const char *const overrides[OVERRIDES_MAX] = {"batch.2.qubits=500", " coupling.g = 1:2:2 ",
                                                         "loss.tail=3", "batch.1.qubits=1"};
    struct mm_config config;
    parse_good(SHORTEST "tail_fraction = 0.5\n", overrides, &config);
    assert_int_equal(config.batch_count, 2);
    assert_int_equal(config.batches[0].qubits, 1);
    assert_int_equal(config.batches[1].qubits, 500);
    assert_int_equal(config.g_count, 2);
    assert_int_equal(config.tail, 3);
    mm_config_free(&config);

    static const char *const by_g[OVERRIDES_MAX] = {"coupling.g=0.5", "loss.tail_fraction=0.1"};
    parse_good("[coupling]\nQ = 1\nm = 16\nepsilon = 0.1\n[batch.1]\nqubits = 100\n[loss]\nlambda = 1\ntail = 7\n",
               by_g, &config);
    assert_int_equal(config.g_count, 1);
    assert_true(config.g[0] == 0.5);
    assert_int_equal(config.tail, 10);
    mm_config_free(&config);
}

/* -------------------------------------------------------------------------------------------- canonical text */

static void assert_same(const struct mm_config *a, const struct mm_config *b)
{
    assert_string_equal(a->text, b->text);
    assert_int_equal(a->levels, b->levels);
    assert_int_equal(a->g_count, b->g_count);
    assert_memory_equal(a->g, b->g, a->g_count * sizeof *a->g);
    assert_int_equal(a->lambda_count, b->lambda_count);
    assert_memory_equal(a->lambda, b->lambda, a->lambda_count * sizeof *a->lambda);
    assert_int_equal(a->batch_count, b->batch_count);
    for (size_t j = 0; j < a->batch_count; j++) {
        assert_int_equal(a->batches[j].qubits, b->batches[j].qubits);
        assert_int_equal(a->batches[j].fixed, b->batches[j].fixed);
        assert_true(a->batches[j].c == b->batches[j].c && a->batches[j].q == b->batches[j].q);
    }
    assert_int_equal(a->tail, b->tail);
    assert_int_equal(a->starts, b->starts);
    assert_int_equal(a->neighbour_starts, b->neighbour_starts);
    assert_int_equal(a->excited_starts, b->excited_starts);
    assert_int_equal(a->agree, b->agree);
    assert_int_equal(a->race, b->race);
    assert_int_equal(a->finalists, b->finalists);
    assert_true(a->seed == b->seed);
    assert_true(a->optimizer.ftol == b->optimizer.ftol && a->optimizer.gtol == b->optimizer.gtol);
    assert_int_equal(a->optimizer.iterations, b->optimizer.iterations);
    assert_int_equal(a->optimizer.evaluations, b->optimizer.evaluations);
    assert_int_equal(a->optimizer.corrections, b->optimizer.corrections);
    assert_int_equal(a->optimizer.line_search_steps, b->optimizer.line_search_steps);
    assert_true(a->band_tolerance == b->band_tolerance);
    assert_true(a->rough_tolerance == b->rough_tolerance);
}

static void assert_reads_back(const struct mm_config *config)
{
    struct mm_config again;
    parse_good(config->text, none, &again);
    assert_same(config, &again);
    mm_config_free(&again);
}

/* Numbers with every digit, long lists, ranges and Eq. 9. */
static void canonical_text_reads_back(void **state)
{
    (void)state;
    char lambda[4000] = "loss.lambda=0.1";
    for (int i = 1; i < 120; i++)
        snprintf(lambda + strlen(lambda), sizeof lambda - strlen(lambda), ",%.17g", i / 7.0);
    const char *const sets[][OVERRIDES_MAX] = {
        {NULL},
        {lambda, "search.ftol=2.2250738585072014e-308", "search.gtol=4.9e-324"},
        {"coupling.g=log:0.3:99.999999999999986:777,0.1:0.29:1000", "search.ftol=1.7976931348623157e308"},
        {"coupling.Q=1:3:3", "coupling.m=16,17", "coupling.epsilon=-0.49999999999999994:0.5:4"},
        {"batch.2.qubits=3", "batch.2.c=0.1", "batch.2.q=0.30000000000000004", "loss.tail_fraction=0.333"},
    };
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        struct mm_config config;
        parse_good(SHORTEST, sets[i], &config);
        assert_reads_back(&config);
        mm_config_free(&config);
        parse_good(EVERY_KEY, sets[i], &config);
        assert_reads_back(&config);
        mm_config_free(&config);
    }
}

static void canonical_text_is_complete(void **state)
{
    (void)state;
    struct mm_config config;
    parse_good(SHORTEST, none, &config);
    assert_string_equal(config.text, "[cavity]\nlevels = auto\n"
                                     "\n[coupling]\ng = 0.8\n"
                                     "\n[batch.1]\nqubits = 1000\n"
                                     "\n[loss]\nlambda = 10\ntail = 200\n"
                                     "\n[search]\nstarts = 64\nneighbour_starts = 0\nagree = 0\nseed = 1\n"
                                     "iterations = 15000\nevaluations = 15000\n"
                                     "ftol = 2.2e-09\ngtol = 1e-05\ncorrections = 10\n"
                                     "\n[numerics]\nband_tolerance = 1e-16\nrough_tolerance = 1e-07\n");
    mm_config_free(&config);
}

/* Reading the canonical text gives the configuration again. */
static void assert_text_tells_all(const struct mm_config *config)
{
    struct mm_config again;
    parse_good(config->text, none, &again);
    assert_same(config, &again);
    mm_config_free(&again);
}

/* A race is told in the text, and its absence is not: earlier runs keep their identity. */
static void a_race_is_in_the_text(void **state)
{
    (void)state;
    static const char *const race[OVERRIDES_MAX] = {"search.race=12", "search.finalists=8"};
    struct mm_config config;
    parse_good(SHORTEST, race, &config);
    assert_int_equal(config.race, 12);
    assert_int_equal(config.finalists, 8);
    assert_non_null(strstr(config.text, "agree = 0\nrace = 12\nfinalists = 8\nseed = 1\n"));
    assert_text_tells_all(&config);
    mm_config_free(&config);
}

/* So are excited starts. */
static void excited_starts_are_in_the_text(void **state)
{
    (void)state;
    static const char *const some[OVERRIDES_MAX] = {"search.excited_starts=64"};
    struct mm_config config;
    parse_good(SHORTEST "[batch.2]\nqubits = 3\n", none, &config);
    assert_null(strstr(config.text, "excited"));
    mm_config_free(&config);
    parse_good(SHORTEST "[batch.2]\nqubits = 3\n", some, &config);
    assert_int_equal(config.excited_starts, 64);
    assert_non_null(strstr(config.text, "neighbour_starts = 0\nexcited_starts = 64\nagree = 0\n"));
    assert_text_tells_all(&config);
    mm_config_free(&config);
}

/* The bounds that messages name are allowed themselves. */
static void bounds_are_inclusive(void **state)
{
    (void)state;
    static const char *const sets[][OVERRIDES_MAX] = {
        {"cavity.levels=2", "search.starts=10000000", "search.seed=0", "search.iterations=1"},
        {"cavity.levels=4096", "search.starts=1", "search.iterations=1000000000", "search.evaluations=1"},
        {"search.evaluations=1000000000", "search.corrections=1", "numerics.band_tolerance=0", "coupling.g=100"},
        {"batch.1.qubits=1000000000", "loss.tail=1000000000", "loss.lambda=0,1e100", "coupling.g=1e-300"},
        {"batch.1.qubits=1", "loss.tail=1", "search.ftol=0", "numerics.band_tolerance=0.001"},
        {"coupling.Q=1,31", "coupling.m=1,1000000", "coupling.epsilon=0.5", "loss.tail_fraction=1"},
    };
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        struct mm_config config;
        parse_good(SHORTEST, sets[i], &config);
        assert_reads_back(&config);
        mm_config_free(&config);
    }
}

/* A thousand batches, the most there may be, in reverse order. */
static void many_batches(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    assert_non_null(stream);
    fputs("[coupling]\ng = 1\n[loss]\nlambda = 1\n", stream);
    for (int j = MM_BATCHES_MAX; j >= 1; j--)
        fprintf(stream, "[batch.%d]\nqubits = %d\n", j, j);
    assert_int_equal(fclose(stream), 0);
    struct mm_config config;
    parse_good(text, none, &config);
    assert_int_equal(config.batch_count, MM_BATCHES_MAX);
    for (int j = 0; j < MM_BATCHES_MAX; j++)
        assert_int_equal(config.batches[j].qubits, j + 1);
    assert_reads_back(&config);
    mm_config_free(&config);
    free(text);
}

/* ------------------------------------------------------------------------------------------------- bad input */

struct bad_case {
    const char *text;
    const char *overrides[OVERRIDES_MAX];
    const char *message; /* part of what must be said */
};

static const struct bad_case bad_lines[] = {
    {"", {NULL}, "my.ini: the file is empty"},
    {"; nothing\n", {NULL}, "my.ini: coupling.g is missing"},
    {"g = 1\n", {NULL}, "my.ini:1: key 'g' stands before any [section]"},
    {SHORTEST "tail\n", {NULL}, "my.ini:7: 'tail': expected [section], key = value, or a comment"},
    {SHORTEST "tail =\n", {NULL}, "my.ini:7: loss.tail = '': the value is empty; expected an integer"},
    {SHORTEST "= 5\n", {NULL}, "my.ini:7: unknown key ''"},
    {SHORTEST "lamda = 5\n",
     {NULL},
     "my.ini:7: unknown key 'lamda' in section loss; expected one of: lambda, tail, tail_fraction"},
    {SHORTEST "[search]\nStarts = 5\n",
     {NULL},
     "my.ini:8: unknown key 'Starts' in section search; expected one of: starts"},
    {SHORTEST "[los]\n", {NULL}, "my.ini:7: unknown section 'los'; expected one of: cavity, coupling, batch.1 .."},
    {SHORTEST "[ loss ]\n", {NULL}, "my.ini:7: unknown section ' loss '"},
    {SHORTEST "[batch]\nqubits = 1\n", {NULL}, "my.ini:7: unknown section 'batch'"},
    {SHORTEST "[batch.0]\nqubits = 1\n", {NULL}, "my.ini:7: unknown section 'batch.0'"},
    {SHORTEST "[batch.01]\nqubits = 1\n", {NULL}, "my.ini:7: unknown section 'batch.01'"},
    {SHORTEST "[batch.1001]\nqubits = 1\n", {NULL}, "my.ini:7: unknown section 'batch.1001'"},
    {SHORTEST "[batch.2\n", {NULL}, "my.ini:7: section '[batch.2' has no closing ]"},
    {SHORTEST "[loss] tail = 3\n", {NULL}, "my.ini:7: 'tail = 3' follows [loss]; expected the end of the line"},
    {SHORTEST "lambda = 5\n", {NULL}, "my.ini:7: loss.lambda = '5' repeats line 6; expected each key once"},
    {SHORTEST "[batch.1]\nqubits = 5\n", {NULL}, "my.ini:8: batch.1.qubits = '5' repeats line 4"},
    {SHORTEST "10,100\n", {NULL}, "my.ini:7: '10,100': expected [section], key = value"},
    {SHORTEST "  10,100\n", {NULL}, "my.ini:7: '  10,100': expected [section], key = value"},
    {"[coupling]\ng = 1\n[loss]\nlambda = 1,\n[batch.1]\nqubits = 4\n",
     {NULL},
     "my.ini:4: loss.lambda = '1,': nothing follows the last comma; expected"},
    {"nonsense\n[los]\n", {NULL}, "my.ini:1: 'nonsense': expected [section]"},
    {SHORTEST "tail = 5 # comment\n", {NULL}, "my.ini:7: loss.tail = '5 # comment': expected an integer"},
    {SHORTEST "tail = \001\n", {NULL}, "my.ini:7: byte 0x01 is not text"},
    {SHORTEST "; \x1b[31m\n", {NULL}, "my.ini:7: byte 0x1b is not text"},
    {SHORTEST "; caf\xE9\n", {NULL}, "my.ini:7: byte 0xe9 is not text; expected UTF-8"},
    {SHORTEST "; \xC0\xAF\n", {NULL}, "my.ini:7: byte 0xc0 is not text"},
    {SHORTEST "; \xED\xA0\x80\n", {NULL}, "my.ini:7: byte 0xed is not text"},
    {SHORTEST "; \xE2\x82", {NULL}, "my.ini:7: byte 0xe2 is not text"},
    {SHORTEST "; \rx\n", {NULL}, "my.ini:7: byte 0x0d is not text"},
};

static const struct bad_case bad_values[] = {
    {SHORTEST "[cavity]\nlevels = 1\n",
     {NULL},
     "my.ini:8: cavity.levels = '1': expected auto or an integer 2 .. 4096"},
    {SHORTEST, {"cavity.levels=4097"}, "--set cavity.levels=4097: expected auto or an integer 2 .. 4096"},
    {SHORTEST, {"cavity.levels=-2"}, "--set cavity.levels=-2: expected auto"},
    {SHORTEST, {"cavity.levels=Auto"}, "--set cavity.levels=Auto: expected auto"},
    {SHORTEST, {"cavity.levels=120.5"}, "--set cavity.levels=120.5: expected auto"},
    {SHORTEST, {"batch.1.qubits=0"}, "--set batch.1.qubits=0: expected an integer 1 .. 1000000000"},
    {SHORTEST "[batch.2]\nqubits = -5\n",
     {NULL},
     "my.ini:8: batch.2.qubits = '-5': expected an integer 1 .. 1000000000"},
    {SHORTEST, {"batch.1.qubits=1e3"}, "expected an integer 1 .. 1000000000"},
    {SHORTEST, {"batch.1.qubits=99999999999999999999999"}, "expected an integer 1 .. 1000000000"},
    {SHORTEST, {"batch.2.qubits=1000000000"}, "more than 1000000000 qubits in all"},
    {SHORTEST "[batch.2]\nqubits = 5\nc = 1.5\nq = 0\n",
     {NULL},
     "my.ini:9: batch.2.c = '1.5': expected a number 0 .. 1"},
    {SHORTEST "[batch.2]\nqubits = 5\nc = 0\nq = -0.1\n",
     {NULL},
     "my.ini:10: batch.2.q = '-0.1': expected a number 0 .. 1"},
    {SHORTEST "[batch.2]\nqubits = 5\nc = nan\nq = 0\n",
     {NULL},
     "my.ini:9: batch.2.c = 'nan': expected a number 0 .. 1"},
    {SHORTEST "[batch.2]\nqubits = 5\nc = 0x1\nq = 0\n",
     {NULL},
     "my.ini:9: batch.2.c = '0x1': expected a number 0 .. 1"},
    {SHORTEST "[batch.2]\nqubits = 5\nc = 0,5\nq = 0\n",
     {NULL},
     "my.ini:9: batch.2.c = '0,5': expected a number 0 .. 1"},
    {SHORTEST "[batch.2]\nqubits = 5\nc = 0.5\n", {NULL}, "my.ini: batch.2.q is missing; c alone is given"},
    {SHORTEST, {"batch.1.q=0.5"}, "my.ini: batch.1.c is missing; q alone is given"},
    {SHORTEST, {"batch.1.q=0", "batch.1.c=0"}, "--set batch.1.c=0: every batch is fixed"},
    {SHORTEST "[batch.2]\n", {NULL}, "my.ini: batch.2.qubits is missing"},
    {SHORTEST, {"batch.3.qubits=5"}, "my.ini: batch.2.qubits is missing; batches are numbered from 1 without gaps"},
    {"[coupling]\ng = 1\n[loss]\nlambda = 1\n", {NULL}, "my.ini: batch.1.qubits is missing; at least one batch"},
    {"[coupling]\ng = 1\n[batch.1]\nqubits = 9\n",
     {NULL},
     "my.ini: loss.lambda is missing: expected numbers 0 .. 1e100"},
    {SHORTEST, {"loss.tail=1001"}, "--set loss.tail=1001: the batches have 1000 collisions in all; expected"},
    {SHORTEST "tail = 0\n", {NULL}, "my.ini:7: loss.tail = '0': expected an integer 1 .. all collisions"},
    {SHORTEST "tail = 5\ntail_fraction = 0.5\n",
     {NULL},
     "my.ini:8: loss.tail_fraction = '0.5': loss.tail is given as well, keep one"},
    {SHORTEST, {"loss.tail_fraction=0"}, "expected a number > 0 and <= 1"},
    {SHORTEST, {"loss.tail_fraction=1.0000001"}, "expected a number > 0 and <= 1"},
    {SHORTEST, {"loss.tail=5", "loss.tail_fraction=1"}, "--set loss.tail_fraction=1: loss.tail is given as well"},
    {SHORTEST, {"search.starts=0"}, "--set search.starts=0: expected an integer 1 .. 10000000"},
    {SHORTEST, {"search.starts=10000001"}, "expected an integer 1 .. 10000000"},
    {SHORTEST,
     {"search.neighbour_starts=64"},
     "--set search.neighbour_starts=64: each grid point has 64 starts (search.starts); expected an integer 0 .. "
     "starts"},
    {SHORTEST, {"search.neighbour_starts=-1"}, "expected an integer 0 .. starts - 1"},
    {SHORTEST, {"search.excited_starts=-1"}, "expected an integer 0 .. starts"},
    {SHORTEST,
     {"search.excited_starts=1"},
     "--set search.excited_starts=1: the last free batch never begins excited, and there is no other; expected"},
    {SHORTEST "[batch.2]\nqubits = 3\n",
     {"search.excited_starts=65"},
     "--set search.excited_starts=65: each grid point has 64 starts (search.starts); expected"},
    {SHORTEST,
     {"search.agree=65"},
     "--set search.agree=65: each grid point has 64 starts (search.starts); expected"},
    {SHORTEST,
     {"search.race=10"},
     "my.ini: search.finalists is missing; search.race and search.finalists go together: expected an integer 0 .. "
     "starts - 1"},
    {SHORTEST, {"search.finalists=3"}, "search.race is missing; search.race and search.finalists go together"},
    {SHORTEST,
     {"search.race=10", "search.finalists=64"},
     "--set search.finalists=64: each grid point has 64 starts (search.starts); expected"},
    {SHORTEST,
     {"search.race=10", "search.finalists=3", "search.agree=2"},
     "--set search.race=10: a race goes with neither search.neighbour_starts nor search.agree"},
    {SHORTEST, {"search.race=10", "search.finalists=3", "search.neighbour_starts=2"}, "a race goes with neither"},
    {SHORTEST, {"search.race=1000000001", "search.finalists=3"}, "expected an integer 0 .. 1000000000"},
    {SHORTEST, {"search.seed=18446744073709551616"}, "expected an integer 0 .. 18446744073709551615"},
    {SHORTEST, {"search.seed=-1"}, "expected an integer 0 .. 18446744073709551615"},
    {SHORTEST, {"search.ftol=-1e-9"}, "expected a finite number >= 0"},
    {SHORTEST, {"search.ftol=inf"}, "expected a finite number >= 0"},
    {SHORTEST, {"search.gtol=1e999"}, "expected a finite number >= 0"},
    {SHORTEST, {"search.gtol=1e-999"}, "expected a finite number >= 0"},
    {SHORTEST, {"search.gtol=1e-5x"}, "--set search.gtol=1e-5x: expected a finite number >= 0"},
    {SHORTEST, {"search.iterations=0"}, "expected an integer 1 .. 1000000000"},
    {SHORTEST, {"search.evaluations=1000000001"}, "expected an integer 1 .. 1000000000"},
    {SHORTEST, {"search.corrections=101"}, "expected an integer 1 .. 100"},
    {SHORTEST, {"numerics.band_tolerance=0.01"}, "expected a number 0 .. 1e-3"},
    {SHORTEST, {"numerics.rough_tolerance=-1e-9"}, "expected a number 0 .. 1e-3"},
    {SHORTEST, {"loss.lambda=0:1:1000000", "search.starts=1001"}, "make more than 1000000000 chains"},
    {SHORTEST,
     {"loss.lambda=0:1:1000000", "coupling.g=1:2:1000000", "search.starts=10000000"},
     "my.ini: 1000000 values of g, 1000000 of lambda and 10000000 starts (search.starts) make more than"},
};

static const struct bad_case bad_lists[] = {
    {SHORTEST, {"loss.lambda=1,x,3"}, "--set loss.lambda=1,x,3: 'x' is not a number; expected numbers 0 .. 1e100"},
    {SHORTEST, {"loss.lambda=1,,3"}, "'' is not a number"},
    {SHORTEST, {"loss.lambda=1,"}, "'' is not a number"},
    {SHORTEST, {"loss.lambda=1 2"}, "'1 2' is not a number"},
    {SHORTEST, {"loss.lambda=1.5.2"}, "'1.5.2' is not a number"},
    {SHORTEST, {"loss.lambda=1e"}, "'1e' is not a number"},
    {SHORTEST, {"loss.lambda=."}, "'.' is not a number"},
    {SHORTEST, {"loss.lambda=NaN"}, "'NaN' is not a number"},
    {SHORTEST, {"loss.lambda=1,-2"}, "-2 is out of range; expected numbers 0 .. 1e100"},
    {SHORTEST, {"loss.lambda=1e101"}, "1e+101 is out of range"},
    {SHORTEST, {"loss.lambda=1,2,1.0"}, "the value 1 is repeated"},
    {SHORTEST, {"loss.lambda=0:2:3,1"}, "the value 1 is repeated"},
    {SHORTEST, {"loss.lambda=1:1:2"}, "the value 1 is repeated"},
    {SHORTEST, {"loss.lambda=1:2"}, "'1:2' is not a range start:stop:count"},
    {SHORTEST, {"loss.lambda=1:2:3:4"}, "'1:2:3:4' is not a range start:stop:count"},
    {SHORTEST, {"loss.lambda=log:1:2"}, "'log:1:2' is not a range"},
    {SHORTEST, {"loss.lambda=lin:1:2:3"}, "'lin:1:2:3' is not a range"},
    {SHORTEST, {"loss.lambda=a:2:3"}, "'a:2:3' has an end that is not a number"},
    {SHORTEST, {"loss.lambda=1::3"}, "'1::3' has an end that is not a number"},
    {SHORTEST, {"loss.lambda=1:2:0"}, "'1:2:0' has a count that is not an integer 1 .. 1000000"},
    {SHORTEST, {"loss.lambda=1:2:-3"}, "'1:2:-3' has a count that is not an integer 1 .. 1000000"},
    {SHORTEST, {"loss.lambda=1:2:2.5"}, "'1:2:2.5' has a count that is not an integer"},
    {SHORTEST, {"loss.lambda=1:2:1000001"}, "'1:2:1000001' has a count that is not an integer 1 .. 1000000"},
    {SHORTEST, {"loss.lambda=1:2:600000,3:4:600000"}, "more than 1000000 values"},
    {SHORTEST, {"loss.lambda=1:2:1"}, "'1:2:1' has one value but two ends"},
    {SHORTEST, {"loss.lambda=log:0:1:5"}, "'log:0:1:5' is a logarithmic range with an end that is not above 0"},
    {SHORTEST, {"coupling.g=0"}, "--set coupling.g=0: 0 is out of range; expected numbers > 0 and <= 100"},
    {SHORTEST, {"coupling.g=100.1"}, "100.1 is out of range"},
    {SHORTEST "[coupling]\nQ = 1\n", {NULL}, "my.ini:8: coupling.Q = '1': coupling.g is given as well, keep one"},
    {SHORTEST "[coupling]\nepsilon = 0\n", {NULL}, "my.ini:8: coupling.epsilon = '0': coupling.g is given as well"},
    {SHORTEST, {"coupling.g=1", "coupling.m=1"}, "--set coupling.m=1: coupling.g is given as well"},
    {SHORTEST, {"coupling.Q=1"}, "my.ini: coupling.m is missing; Eq. 9 needs Q and m: expected integers"},
    {SHORTEST, {"coupling.m=1"}, "my.ini: coupling.Q is missing; Eq. 9 needs Q and m"},
    {SHORTEST, {"coupling.epsilon=0.1"}, "my.ini: coupling.Q is missing; Eq. 9 needs Q and m"},
    {SHORTEST, {"coupling.Q=1.5", "coupling.m=1"}, "1.5 is not an integer"},
    {SHORTEST, {"coupling.Q=1:4:3", "coupling.m=1"}, "2.5 is not an integer"},
    {SHORTEST, {"coupling.Q=0", "coupling.m=1"}, "0 is out of range; expected integers 1 .. 1000000"},
    {SHORTEST,
     {"coupling.Q=1", "coupling.m=1", "coupling.epsilon=-0.5"},
     "--set coupling.epsilon=-0.5: -0.5 is out of range; expected numbers > -0.5 and <= 0.5"},
    {SHORTEST, {"coupling.Q=1", "coupling.m=1", "coupling.epsilon=0.6"}, "0.6 is out of range"},
    {SHORTEST, {"coupling.Q=100", "coupling.m=1"}, "--set coupling.Q=100: Eq. 9 gives g = 314.159, above 100"},
    {SHORTEST,
     {"coupling.Q=1:1000:1000", "coupling.m=1:1001:1001"},
     "Q, m and epsilon give more than 1000000 values of g"},
    {SHORTEST,
     {"coupling.Q=1:10:10", "coupling.m=1:1000:1000", "coupling.epsilon=0:0.5:101"},
     "Q, m and epsilon give more than 1000000 values of g"},
};

static const struct bad_case bad_overrides[] = {
    {SHORTEST, {"loss.tail"}, "--set loss.tail: expected section.key=value"},
    {SHORTEST, {""}, "--set : expected section.key=value"},
    {SHORTEST, {"="}, "--set =: expected section.key=value"},
    {SHORTEST, {"tail=5"}, "--set tail=5: expected section.key=value"},
    {SHORTEST, {"loss.tail= "}, "--set loss.tail= : expected section.key=value"},
    {SHORTEST,
     {"loss.tails=5"},
     "--set loss.tails=5: unknown key 'tails' in section loss; expected one of: lambda, tail"},
    {SHORTEST, {"loss.=5"}, "--set loss.=5: unknown key ''"},
    {SHORTEST, {"los.tail=5"}, "--set los.tail=5: unknown section 'los'; expected one of: cavity"},
    {SHORTEST, {".tail=5"}, "--set .tail=5: unknown section ''"},
    {SHORTEST, {"batch.x.qubits=5"}, "--set batch.x.qubits=5: unknown section 'batch.x'"},
    {SHORTEST, {"batch.qubits=5"}, "--set batch.qubits=5: unknown section 'batch'"},
    {SHORTEST, {"loss.tail=5", "loss.tail=6"}, "--set loss.tail=6: the key is overridden twice"},
    {SHORTEST, {"loss.tail=5\n"}, "--set loss.tail=5?: expected one line of UTF-8"},
    {SHORTEST, {"loss.tail=\xff"}, "--set loss.tail=?: expected one line of UTF-8"},
};

static void assert_refused(const struct bad_case *bad)
{
    struct mm_config config;
    memset(&config, 0x5A, sizeof config);
    const struct mm_config untouched = config;
    struct mm_error error = {0};
    mm_status status = parse(bad->text, bad->overrides, &config, &error);
    if (status != MM_ERROR_INPUT)
        fail_msg("status %d, not invalid input, where '%s' is expected", (int)status, bad->message);
    assert_int_equal(error.status, MM_ERROR_INPUT);
    assert_message(&error, bad->message);
    assert_memory_equal(&config, &untouched, sizeof config);
    assert_int_equal(parse(bad->text, bad->overrides, &config, NULL), MM_ERROR_INPUT);
}

#define ASSERT_ALL_REFUSED(cases)                                                                                  \
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases)[0]; i++)                                                  \
    assert_refused(&(cases)[i])

static void refuses_bad_lines(void **state)
{
    (void)state;
    ASSERT_ALL_REFUSED(bad_lines);
}

static void refuses_bad_values(void **state)
{
    (void)state;
    ASSERT_ALL_REFUSED(bad_values);
}

static void refuses_bad_lists(void **state)
{
    (void)state;
    ASSERT_ALL_REFUSED(bad_lists);
}

static void refuses_bad_overrides(void **state)
{
    (void)state;
    ASSERT_ALL_REFUSED(bad_overrides);
}

/* inih cuts longer lines in two, so they are refused; 198 bytes still fit. */
static void line_length(void **state)
{
    (void)state;
    for (int length = 198; length <= 199; length++) {
        char text[sizeof SHORTEST + 200];
        snprintf(text, sizeof text, "%s;%*s\n", SHORTEST, length - 1, "x");
        struct mm_config config;
        struct mm_error error = {0};
        mm_status status = parse(text, none, &config, &error);
        assert_int_equal(status, length == 198 ? MM_OK : MM_ERROR_INPUT);
        if (status == MM_OK)
            mm_config_free(&config);
        else
            assert_message(&error, "my.ini:7: the line has 199 bytes; expected at most 198");
    }
}

static void zero_byte(void **state)
{
    (void)state;
    static const char text[] = SHORTEST "tail = 5\0\n";
    struct mm_config config;
    struct mm_error error = {0};
    assert_int_equal(mm_config_parse("my.ini", text, sizeof text - 1, 0, NULL, &config, &error), MM_ERROR_INPUT);
    assert_message(&error, "my.ini:7: byte 0x00 is not text");
}

/* Long or hostile names and values are cut and cleaned, so that the message stays one line and complete. */
static void messages_stay_one_line(void **state)
{
    (void)state;
    char name[1000];
    memset(name, 'n', sizeof name);
    memcpy(name, "evil\n\033[2J", 9);
    memcpy(name + sizeof name - 8, "end.ini", 8);
    char override[2000] = "loss.tail=";
    for (size_t i = strlen(override); i + 3 < sizeof override; i += 2)
        memcpy(override + i, "\xC3\xA9", 3);
    const char *const overrides[] = {override};
    struct mm_config config;
    struct mm_error error = {0};
    assert_int_equal(mm_config_parse(name, SHORTEST, sizeof SHORTEST - 1, 1, overrides, &config, &error),
                     MM_ERROR_INPUT);
    assert_message(&error, "expected an integer 1 .. all collisions");
    assert_int_equal(mm_config_parse(name, "x", 1, 0, NULL, &config, &error), MM_ERROR_INPUT);
    assert_message(&error, "end.ini:1: 'x': expected [section]");
    assert_int_equal(mm_config_parse("evil\n\033[2J", "x", 1, 0, NULL, &config, &error), MM_ERROR_INPUT);
    assert_message(&error, "evil??[2J:1: 'x'");
}

/* ---------------------------------------------------------------------------------------------------- files */

static int make_directory(void **state)
{
    char *path = strdup("/tmp/micromaser_config_XXXXXX");
    *state = path;
    return path == NULL || mkdtemp(path) == NULL ? -1 : 0;
}

static int remove_directory(void **state)
{
    int failed = rmdir(*state);
    free(*state);
    return failed;
}

static void assert_file_refused(const char *path, const char *expected)
{
    struct mm_config config;
    struct mm_error error = {0};
    assert_int_equal(mm_config_read(path, 0, NULL, &config, &error), MM_ERROR_INPUT);
    assert_message(&error, expected);
    assert_int_equal(mm_config_read(path, 0, NULL, &config, NULL), MM_ERROR_INPUT);
}

static void write_file(const char *path, const char *bytes, size_t size, off_t length)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    if (length > 0)
        assert_int_equal(truncate(path, length), 0);
}

static void refuses_bad_files(void **state)
{
    const char *directory = *state;
    char path[200];
    snprintf(path, sizeof path, "%s/bad.ini", directory);
    assert_file_refused(path, "bad.ini: No such file or directory; expected a configuration file");
    assert_file_refused(directory, ": this is a directory; expected a configuration file");
    write_file(path, "", 0, 0);
    assert_file_refused(path, "bad.ini: the file is empty");
    static const char program[] = "\177ELF\2\1\1\0\0\0";
    write_file(path, program, sizeof program, 0);
    assert_file_refused(path, "bad.ini:1: byte 0x7f is not text");
    write_file(path, SHORTEST, sizeof SHORTEST - 1, 100 * 1000 * 1000);
    assert_file_refused(path, "bad.ini: the file has more than 1048576 bytes");
    write_file(path, SHORTEST "seed = 1\n", sizeof SHORTEST - 1 + 9, 0);
    assert_file_refused(path, "bad.ini:7: unknown key 'seed' in section loss");
    assert_int_equal(remove(path), 0);
}

static void reads_files(void **state)
{
    char path[200];
    snprintf(path, sizeof path, "%s/good.ini", (const char *)*state);
    write_file(path, SHORTEST, sizeof SHORTEST - 1, 0);
    const char *const overrides[] = {"search.seed=5"};
    struct mm_config config;
    struct mm_error error = {0};
    assert_int_equal(mm_config_read(path, 1, overrides, &config, &error), MM_OK);
    assert_int_equal(config.seed, 5);
    mm_config_free(&config);
    assert_int_equal(remove(path), 0);
}

struct shipped {
    const char *name;
    int levels;
    double g;
    size_t batch_count;
    size_t lambda_count;
    int64_t tail;
};

static void shipped_configurations(void **state)
{
    (void)state;
    static const struct shipped files[] = {
        {"identical_stream", 120, M_PI / 3.9496835316262997, 1, 4, 200},
        {"two_batches", 150, M_PI / 3.9496835316262997, 2, 3, 100},
        {"improved_protocol", 150, M_PI / 3.9496835316262997, 2, 1, 200},
        {"fine_tuned", 120, M_PI / 4, 1, 4, 200},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[500];
        snprintf(path, sizeof path, "%s/../../data/%s.ini", MM_FIXTURES, files[i].name);
        struct mm_config config;
        struct mm_error error = {0};
        if (mm_config_read(path, 0, NULL, &config, &error) != MM_OK)
            fail_msg("%s", error.message);
        assert_int_equal(config.levels, files[i].levels);
        assert_int_equal(config.g_count, 1);
        assert_double_near(config.g[0], files[i].g, 1e-15);
        assert_int_equal(config.batch_count, files[i].batch_count);
        assert_int_equal(config.lambda_count, files[i].lambda_count);
        assert_int_equal(config.tail, files[i].tail);
        assert_reads_back(&config);
        mm_config_free(&config);
    }
}

/* ---------------------------------------------------------------------------------------------------- others */

/* A decimal comma in the caller's language must not change a number; where no such language is installed, at
 * least the caller's locale is left as it was. */
static void locale_does_not_matter(void **state)
{
    (void)state;
    const char *languages[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "fr_FR", "C"};
    size_t i = 0;
    while (setlocale(LC_ALL, languages[i]) == NULL)
        i++;
    struct mm_config config;
    locale_t before = uselocale((locale_t)0);
    parse_good(SHORTEST, none, &config);
    assert_ptr_equal(uselocale((locale_t)0), before);
    assert_true(config.g[0] == 0.8);
    assert_non_null(strstr(config.text, "g = 0.8\n"));
    assert_reads_back(&config);
    mm_config_free(&config);
    setlocale(LC_ALL, "C");
}

static void numbers_read_back_exactly(void **state)
{
    (void)state;
    uint64_t bits = 88172645463325252u; /* xorshift */
    for (int i = 0; i < 20000; i++) {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        double value;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
            continue;
        char text[MM_NUMBER_TEXT_SIZE];
        double again;
        mm_number_text(value, text);
        assert_true(mm_number_parse(text, strlen(text), &again));
        assert_true(again == value);
    }
    char text[MM_NUMBER_TEXT_SIZE];
    mm_number_text(0.1, text);
    assert_string_equal(text, "0.1");
}

static void describes_its_keys(void **state)
{
    (void)state;
    char list[2000] = "";
    for (size_t k = 0; k < MM_KEY_COUNT; k++) {
        const struct mm_key *key = &mm_keys[k];
        assert_true(strlen(key->allowed) > 0);
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s.%s=%s\n", key->section,
                 mm_key_is_per_batch((enum mm_key_id)k) ? ".K" : "", key->name,
                 key->default_text == NULL ? "" : key->default_text);
    }
    assert_string_equal(list,
                        "cavity.levels=auto\ncoupling.g=\ncoupling.Q=\ncoupling.m=\ncoupling.epsilon=0\n"
                        "batch.K.qubits=\nbatch.K.c=\nbatch.K.q=\nloss.lambda=\nloss.tail=\n"
                        "loss.tail_fraction=0.2\nsearch.starts=64\nsearch.neighbour_starts=0\n"
                        "search.excited_starts=0\nsearch.agree=0\n"
                        "search.race=0\nsearch.finalists=0\nsearch.seed=1\nsearch.iterations=15000\n"
                        "search.evaluations=15000\nsearch.ftol=2.2e-9\nsearch.gtol=1e-5\n"
                        "search.corrections=10\nnumerics.band_tolerance=1e-16\nnumerics.rough_tolerance=1e-7\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(every_key),
        cmocka_unit_test(coupling_by_chambers),
        cmocka_unit_test(lists_and_ranges),
        cmocka_unit_test(ranges_are_exact),
        cmocka_unit_test(layout_does_not_matter),
        cmocka_unit_test(a_list_goes_on_after_a_comma),
        cmocka_unit_test(tail_fraction_is_rounded),
        cmocka_unit_test(overrides_replace_and_define),
        cmocka_unit_test(canonical_text_reads_back),
        cmocka_unit_test(canonical_text_is_complete),
        cmocka_unit_test(a_race_is_in_the_text),
        cmocka_unit_test(excited_starts_are_in_the_text),
        cmocka_unit_test(bounds_are_inclusive),
        cmocka_unit_test(many_batches),
        cmocka_unit_test(refuses_bad_lines),
        cmocka_unit_test(refuses_bad_values),
        cmocka_unit_test(refuses_bad_lists),
        cmocka_unit_test(refuses_bad_overrides),
        cmocka_unit_test(line_length),
        cmocka_unit_test(zero_byte),
        cmocka_unit_test(messages_stay_one_line),
        cmocka_unit_test_setup_teardown(refuses_bad_files, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(reads_files, make_directory, remove_directory),
        cmocka_unit_test(shipped_configurations),
        cmocka_unit_test(locale_does_not_matter),
        cmocka_unit_test(numbers_read_back_exactly),
        cmocka_unit_test(describes_its_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
