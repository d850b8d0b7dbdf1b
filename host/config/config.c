/* config.c - settings to a configuration: defaults, values, checks between keys, canonical text.
 *
 * Eq. 9: g = Q pi / sqrt(m + epsilon), for every (Q, m, epsilon), epsilon running fastest.
 */
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config/parse.h"
#include "base/numbers.h"
#include "model/problem.h"
#include "base/text.h"

enum { CHAINS_MAX = 1000000000, REASON_SIZE = 160 };

/* The value of one key; its kind says which field holds it. */
struct value {
    int64_t integer;
    uint64_t seed;
    double real;
    struct mm_list list;
};

/* A configuration being made. */
struct draft {
    struct mm_settings settings;
    struct value values[MM_KEY_COUNT]; /* of keys outside the batches; zero if neither given nor by default */
    struct mm_config config;
};

/* ---------------------------------------------------------------------------------------------------- values */

static bool read_integer(const struct mm_key *key, const char *text, int64_t *integer)
{
    uint64_t number;
    if (!mm_integer_parse(text, strlen(text), &number))
        return false;
    if ((double)number < key->minimum || (double)number > key->maximum)
        return false;
    *integer = (int64_t)number;
    return true;
}

static bool read_real(const struct mm_key *key, const char *text, double *real)
{
    return mm_number_parse(text, strlen(text), real) && *real >= key->minimum && *real <= key->maximum;
}

static bool read_scalar(const struct mm_key *key, const char *text, struct value *value)
{
    switch (key->kind) {
    case MM_KIND_LEVELS:
        value->integer = MM_LEVELS_AUTO;
        return strcmp(text, "auto") == 0 || read_integer(key, text, &value->integer);
    case MM_KIND_INTEGER:
        return read_integer(key, text, &value->integer);
    case MM_KIND_SEED:
        return mm_integer_parse(text, strlen(text), &value->seed);
    case MM_KIND_REAL:
        return read_real(key, text, &value->real);
    case MM_KIND_REAL_LIST:
    case MM_KIND_INTEGER_LIST:
        break;
    }
    return false;
}

/* Reads what was given for a key, or its default; leaves *value alone if there is neither. */
static mm_status read_value(const struct mm_settings *settings, enum mm_key_id id, int batch, struct value *value,
                            struct mm_error *error)
{
    const struct mm_key *key = &mm_keys[id];
    const struct mm_setting *setting = mm_settings_find(settings, id, batch);
    const char *text = setting == NULL ? key->default_text : setting->text;
    if (text == NULL)
        return MM_OK;
    if (key->kind != MM_KIND_REAL_LIST && key->kind != MM_KIND_INTEGER_LIST)
        return read_scalar(key, text, value) ? MM_OK : mm_settings_fail(settings, id, batch, NULL, error);
    struct mm_list_limits limits = {key->minimum, key->maximum, key->kind == MM_KIND_INTEGER_LIST};
    struct mm_error reason = {0};
    mm_status status = mm_list_parse(text, &limits, &value->list, &reason);
    if (status == MM_ERROR_INPUT)
        return mm_settings_fail(settings, id, batch, reason.message, error);
    return status == MM_OK ? MM_OK : mm_fail(error, status, "%s", reason.message);
}

static mm_status read_values(struct draft *draft, struct mm_error *error)
{
    mm_status status = MM_OK;
    for (size_t k = 0; k < MM_KEY_COUNT && status == MM_OK; k++)
        if (!mm_key_is_per_batch((enum mm_key_id)k))
            status = read_value(&draft->settings, (enum mm_key_id)k, 0, &draft->values[k], error);
    return status;
}

/* -------------------------------------------------------------------------------------------------- coupling */

static bool is_given(const struct draft *draft, enum mm_key_id key)
{
    return mm_settings_find(&draft->settings, key, 0) != NULL;
}

static mm_status copy_list(const struct mm_list *list, size_t *count, double **values, struct mm_error *error)
{
    *values = calloc(list->count, sizeof **values);
    if (*values == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for %zu grid values", list->count);
    memcpy(*values, list->values, list->count * sizeof **values);
    *count = list->count;
    return MM_OK;
}

static mm_status make_g_from_chambers(struct draft *draft, struct mm_error *error)
{
    const struct mm_list *Q = &draft->values[MM_KEY_Q].list;
    const struct mm_list *m = &draft->values[MM_KEY_M].list;
    const struct mm_list *epsilon = &draft->values[MM_KEY_EPSILON].list;
    char reason[REASON_SIZE];
    size_t most = MM_LIST_VALUES_MAX;
    if (Q->count > most / m->count || Q->count * m->count > most / epsilon->count) {
        snprintf(reason, sizeof reason, "Q, m and epsilon give more than %zu values of g", most);
        return mm_settings_fail(&draft->settings, MM_KEY_Q, 0, reason, error);
    }
    size_t count = Q->count * m->count * epsilon->count;
    draft->config.g = calloc(count, sizeof *draft->config.g);
    if (draft->config.g == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for %zu grid values", count);
    draft->config.g_count = count;
    for (size_t k = 0; k < count; k++) {
        double distance = m->values[k / epsilon->count % m->count] + epsilon->values[k % epsilon->count];
        double g = Q->values[k / epsilon->count / m->count] * M_PI / sqrt(distance);
        if (g > mm_keys[MM_KEY_G].maximum) {
            snprintf(reason, sizeof reason, "Eq. 9 gives g = %g, above %g", g, mm_keys[MM_KEY_G].maximum);
            return mm_settings_fail(&draft->settings, MM_KEY_Q, 0, reason, error);
        }
        draft->config.g[k] = g;
    }
    return MM_OK;
}

static mm_status make_g(struct draft *draft, struct mm_error *error)
{
    if (is_given(draft, MM_KEY_G))
        return copy_list(&draft->values[MM_KEY_G].list, &draft->config.g_count, &draft->config.g, error);
    bool by_chambers = is_given(draft, MM_KEY_Q) || is_given(draft, MM_KEY_M) || is_given(draft, MM_KEY_EPSILON);
    if (!by_chambers)
        return mm_settings_fail(&draft->settings, MM_KEY_G, 0, "give g, or Q and m of Eq. 9", error);
    if (!is_given(draft, MM_KEY_Q))
        return mm_settings_fail(&draft->settings, MM_KEY_Q, 0, "Eq. 9 needs Q and m", error);
    if (!is_given(draft, MM_KEY_M))
        return mm_settings_fail(&draft->settings, MM_KEY_M, 0, "Eq. 9 needs Q and m", error);
    return make_g_from_chambers(draft, error);
}

/* --------------------------------------------------------------------------------------------------- batches */

static mm_status make_batch(const struct mm_settings *settings, int number, struct mm_batch *batch,
                            struct mm_error *error)
{
    struct value qubits = {0};
    struct value c = {0};
    struct value q = {0};
    if (mm_settings_find(settings, MM_KEY_BATCH_QUBITS, number) == NULL)
        return mm_settings_fail(settings, MM_KEY_BATCH_QUBITS, number,
                                "batches are numbered from 1 without gaps, each with its qubits", error);
    mm_status status = read_value(settings, MM_KEY_BATCH_QUBITS, number, &qubits, error);
    if (status == MM_OK)
        status = read_value(settings, MM_KEY_BATCH_C, number, &c, error);
    if (status == MM_OK)
        status = read_value(settings, MM_KEY_BATCH_Q, number, &q, error);
    if (status != MM_OK)
        return status;
    bool has_c = mm_settings_find(settings, MM_KEY_BATCH_C, number) != NULL;
    bool has_q = mm_settings_find(settings, MM_KEY_BATCH_Q, number) != NULL;
    if (has_c != has_q)
        return mm_settings_fail(settings, has_c ? MM_KEY_BATCH_Q : MM_KEY_BATCH_C, number,
                                has_c ? "c alone is given" : "q alone is given", error);
    *batch = (struct mm_batch){qubits.integer, has_c, c.real, q.real};
    return MM_OK;
}

static mm_status make_batches(struct draft *draft, struct mm_error *error)
{
    const struct mm_settings *settings = &draft->settings;
    struct mm_config *config = &draft->config;
    if (settings->batch_count == 0)
        return mm_settings_fail(settings, MM_KEY_BATCH_QUBITS, 1, "at least one batch is needed", error);
    config->batches = calloc((size_t)settings->batch_count, sizeof *config->batches);
    if (config->batches == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for %d batches", settings->batch_count);
    config->batch_count = (size_t)settings->batch_count;
    int64_t collisions = 0;
    bool any_free = false;
    for (int j = 0; j < settings->batch_count; j++) {
        mm_status status = make_batch(settings, j + 1, &config->batches[j], error);
        if (status != MM_OK)
            return status;
        collisions += config->batches[j].qubits;
        any_free |= !config->batches[j].fixed;
        if (collisions > MM_COLLISIONS_MAX)
            return mm_settings_fail(settings, MM_KEY_BATCH_QUBITS, j + 1,
                                    "the batches have more than 1000000000 qubits in all", error);
    }
    if (!any_free)
        return mm_settings_fail(settings, MM_KEY_BATCH_C, settings->batch_count,
                                "every batch is fixed, and a search needs a free one", error);
    return MM_OK;
}

/* ------------------------------------------------------------------------------------------- loss and search */

static mm_status make_loss(struct draft *draft, struct mm_error *error)
{
    struct mm_config *config = &draft->config;
    struct mm_problem problem = mm_config_problem(config);
    int64_t collisions = mm_problem_collisions(&problem);
    if (!is_given(draft, MM_KEY_LAMBDA))
        return mm_settings_fail(&draft->settings, MM_KEY_LAMBDA, 0, NULL, error);
    int64_t tail = draft->values[MM_KEY_TAIL].integer;
    if (!is_given(draft, MM_KEY_TAIL)) {
        tail = llround(draft->values[MM_KEY_TAIL_FRACTION].real * (double)collisions);
        tail = tail < 1 ? 1 : tail;
    }
    if (tail > collisions) {
        char reason[REASON_SIZE];
        snprintf(reason, sizeof reason, "the batches have %" PRId64 " collisions in all", collisions);
        return mm_settings_fail(&draft->settings, MM_KEY_TAIL, 0, reason, error);
    }
    config->tail = tail;
    return copy_list(&draft->values[MM_KEY_LAMBDA].list, &config->lambda_count, &config->lambda, error);
}

/* Reports a key of the search that the number of starts is too small for. */
static mm_status fail_on_starts(struct draft *draft, enum mm_key_id key, struct mm_error *error)
{
    char reason[REASON_SIZE];
    snprintf(reason, sizeof reason, "each grid point has %" PRId64 " starts (search.starts)", draft->config.starts);
    return mm_settings_fail(&draft->settings, key, 0, reason, error);
}

/* A race has finalists, and nothing else that begins from ends of chains or drops chains. */
static mm_status check_race(struct draft *draft, struct mm_error *error)
{
    const struct mm_config *config = &draft->config;
    if ((config->race > 0) != (config->finalists > 0))
        return mm_settings_fail(&draft->settings, config->race > 0 ? MM_KEY_FINALISTS : MM_KEY_RACE, 0,
                                "search.race and search.finalists go together", error);
    if (config->race > 0 && (config->neighbour_starts > 0 || config->agree > 0))
        return mm_settings_fail(&draft->settings, MM_KEY_RACE, 0,
                                "a race goes with neither search.neighbour_starts nor search.agree", error);
    return config->finalists >= config->starts ? fail_on_starts(draft, MM_KEY_FINALISTS, error) : MM_OK;
}

/* The last free batch never begins excited, so that there must be another one. */
static mm_status check_excited_starts(struct draft *draft, struct mm_error *error)
{
    const struct mm_config *config = &draft->config;
    const struct mm_problem problem = mm_config_problem(config);
    if (config->excited_starts > 0 && mm_problem_free_batches(&problem) < 2)
        return mm_settings_fail(&draft->settings, MM_KEY_EXCITED_STARTS, 0,
                                "the last free batch never begins excited, and there is no other", error);
    return config->excited_starts > config->starts ? fail_on_starts(draft, MM_KEY_EXCITED_STARTS, error) : MM_OK;
}

static mm_status make_search(struct draft *draft, struct mm_error *error)
{
    const struct value *values = draft->values;
    struct mm_config *config = &draft->config;
    config->levels = (int)values[MM_KEY_LEVELS].integer;
    config->band_tolerance = values[MM_KEY_BAND_TOLERANCE].real;
    config->rough_tolerance = values[MM_KEY_ROUGH_TOLERANCE].real;
    config->starts = values[MM_KEY_STARTS].integer;
    config->neighbour_starts = values[MM_KEY_NEIGHBOUR_STARTS].integer;
    config->excited_starts = values[MM_KEY_EXCITED_STARTS].integer;
    config->agree = values[MM_KEY_AGREE].integer;
    config->race = values[MM_KEY_RACE].integer;
    config->finalists = values[MM_KEY_FINALISTS].integer;
    config->seed = values[MM_KEY_SEED].seed;
    config->optimizer = mm_optimizer_default_options();
    config->optimizer.ftol = values[MM_KEY_FTOL].real;
    config->optimizer.gtol = values[MM_KEY_GTOL].real;
    config->optimizer.iterations = values[MM_KEY_ITERATIONS].integer;
    config->optimizer.evaluations = values[MM_KEY_EVALUATIONS].integer;
    config->optimizer.corrections = (int)values[MM_KEY_CORRECTIONS].integer;
    if (config->neighbour_starts >= config->starts)
        return fail_on_starts(draft, MM_KEY_NEIGHBOUR_STARTS, error);
    if (config->agree > config->starts)
        return fail_on_starts(draft, MM_KEY_AGREE, error);
    mm_status status = check_race(draft, error);
    if (status == MM_OK)
        status = check_excited_starts(draft, error);
    if (status != MM_OK)
        return status;
    /* Both counts are at most 10^6, so their product fits. */
    int64_t cells = (int64_t)config->g_count * (int64_t)config->lambda_count;
    if (cells > CHAINS_MAX / config->starts)
        return mm_fail(error, MM_ERROR_INPUT,
                       "%s: %zu values of g, %zu of lambda and %" PRId64
                       " starts (search.starts) make more than %d chains",
                       draft->settings.file, config->g_count, config->lambda_count, config->starts, CHAINS_MAX);
    return MM_OK;
}

/* -------------------------------------------------------------------------------------------- canonical text */

static void write_value(FILE *stream, const struct mm_key *key, const struct value *value)
{
    char number[MM_NUMBER_TEXT_SIZE];
    fprintf(stream, "%s = ", key->name);
    switch (key->kind) {
    case MM_KIND_LEVELS:
    case MM_KIND_INTEGER:
        if (key->kind == MM_KIND_LEVELS && value->integer == MM_LEVELS_AUTO)
            fputs("auto", stream);
        else
            fprintf(stream, "%" PRId64, value->integer);
        break;
    case MM_KIND_SEED:
        fprintf(stream, "%" PRIu64, value->seed);
        break;
    case MM_KIND_REAL:
        mm_number_text(value->real, number);
        fputs(number, stream);
        break;
    case MM_KIND_REAL_LIST:
    case MM_KIND_INTEGER_LIST:
        mm_list_write(stream, &value->list);
        break;
    }
    fputc('\n', stream);
}

static void write_batches(FILE *stream, const struct mm_config *config)
{
    for (size_t j = 0; j < config->batch_count; j++) {
        const struct mm_batch *batch = &config->batches[j];
        fprintf(stream, "\n[batch.%zu]\n", j + 1);
        write_value(stream, &mm_keys[MM_KEY_BATCH_QUBITS], &(struct value){.integer = batch->qubits});
        if (!batch->fixed)
            continue;
        write_value(stream, &mm_keys[MM_KEY_BATCH_C], &(struct value){.real = batch->c});
        write_value(stream, &mm_keys[MM_KEY_BATCH_Q], &(struct value){.real = batch->q});
    }
}

/* Of two ways to say the same, the one that was used. A race, or excited starts, only where there are any: the
 * text, and with it the identity of a run, is then what it was before they existed. */
static bool is_written(const struct draft *draft, enum mm_key_id key)
{
    switch (key) {
    case MM_KEY_G:
        return is_given(draft, MM_KEY_G);
    case MM_KEY_Q:
    case MM_KEY_M:
    case MM_KEY_EPSILON:
        return !is_given(draft, MM_KEY_G);
    case MM_KEY_EXCITED_STARTS:
        return draft->config.excited_starts > 0;
    case MM_KEY_RACE:
    case MM_KEY_FINALISTS:
        return draft->config.race > 0;
    case MM_KEY_TAIL_FRACTION:
        return false; /* the tail itself is written */
    default:
        return !mm_key_is_per_batch(key);
    }
}

static void write_draft(FILE *stream, const struct draft *draft)
{
    const char *section = "";
    for (size_t k = 0; k < MM_KEY_COUNT; k++) {
        const struct mm_key *key = &mm_keys[k];
        bool opens = strcmp(section, key->section) != 0;
        if (opens && mm_key_is_per_batch((enum mm_key_id)k))
            write_batches(stream, &draft->config);
        else if (opens)
            fprintf(stream, "%s[%s]\n", *section == '\0' ? "" : "\n", key->section);
        section = key->section;
        if (is_written(draft, (enum mm_key_id)k))
            write_value(stream, key, &draft->values[k]);
    }
}

static mm_status make_text(struct draft *draft, struct mm_error *error)
{
    size_t size = 0;
    draft->values[MM_KEY_TAIL].integer = draft->config.tail;
    FILE *stream = open_memstream(&draft->config.text, &size);
    if (stream == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for the text of the configuration");
    write_draft(stream, draft);
    bool failed = ferror(stream) != 0;
    if (fclose(stream) != 0 || failed)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for the text of the configuration");
    if (size > MM_CONFIG_SIZE_MAX)
        return mm_fail(error, MM_ERROR_INPUT,
                       "%s: the configuration takes %zu bytes with all its keys; expected at most %d",
                       draft->settings.file, size, MM_CONFIG_SIZE_MAX);
    return MM_OK;
}

/* ------------------------------------------------------------------------------------------------ public API */

static mm_status make_config(struct draft *draft, struct mm_error *error)
{
    mm_status status = read_values(draft, error);
    if (status == MM_OK)
        status = make_g(draft, error);
    if (status == MM_OK)
        status = make_batches(draft, error);
    if (status == MM_OK)
        status = make_loss(draft, error);
    if (status == MM_OK)
        status = make_search(draft, error);
    if (status == MM_OK)
        status = make_text(draft, error);
    return status;
}

static void free_draft(struct draft *draft)
{
    for (size_t k = 0; k < MM_KEY_COUNT; k++)
        mm_list_free(&draft->values[k].list);
    mm_settings_free(&draft->settings);
}

mm_status mm_config_parse(const char *name, const char *text, size_t size, size_t override_count,
                          const char *const *overrides, struct mm_config *config, struct mm_error *error)
{
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (plain == (locale_t)0)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for the C locale");
    locale_t previous = uselocale(plain); /* numbers have a decimal point whatever the caller's language */
    struct draft draft = {0};
    mm_status status = mm_settings_read(name, text, size, override_count, overrides, &draft.settings, error);
    if (status == MM_OK)
        status = make_config(&draft, error);
    free_draft(&draft);
    uselocale(previous);
    freelocale(plain);
    if (status == MM_OK)
        *config = draft.config;
    else
        mm_config_free(&draft.config);
    return status;
}

/* Reads at most MM_CONFIG_SIZE_MAX + 1 bytes, enough to see that a file is too long. */
static mm_status read_file(const char *label, FILE *file, char **text, size_t *size, struct mm_error *error)
{
    struct stat information;
    if (fstat(fileno(file), &information) != 0)
        return mm_fail(error, MM_ERROR_INPUT, "%s: %s", label, strerror(errno));
    if (S_ISDIR(information.st_mode))
        return mm_fail(error, MM_ERROR_INPUT, "%s: this is a directory; expected a configuration file", label);
    *text = malloc(MM_CONFIG_SIZE_MAX + 1);
    if (*text == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory to read %s", label);
    *size = fread(*text, 1, MM_CONFIG_SIZE_MAX + 1, file);
    if (ferror(file))
        return mm_fail(error, MM_ERROR_INPUT, "%s: it cannot be read: %s", label, strerror(errno));
    return MM_OK;
}

mm_status mm_config_read(const char *path, size_t override_count, const char *const *overrides,
                         struct mm_config *config, struct mm_error *error)
{
    char label[MM_FILE_LABEL_SIZE];
    mm_text_to_line(path, sizeof label, label);
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return mm_fail(error, MM_ERROR_INPUT, "%s: %s; expected a configuration file", label, strerror(errno));
    char *text = NULL;
    size_t size = 0;
    mm_status status = read_file(label, file, &text, &size, error);
    if (fclose(file) != 0 && status == MM_OK)
        status = mm_fail(error, MM_ERROR_SYSTEM, "%s: %s", label, strerror(errno));
    if (status == MM_OK)
        status = mm_config_parse(path, text, size, override_count, overrides, config, error);
    free(text);
    return status;
}

struct mm_problem mm_config_problem(const struct mm_config *config)
{
    return (struct mm_problem){
        .levels = config->levels,
        .batch_count = config->batch_count,
        .batches = config->batches,
        .tail = config->tail,
        .band_tolerance = config->band_tolerance,
    };
}

int64_t mm_config_chains(const struct mm_config *config)
{
    return (int64_t)config->g_count * (int64_t)config->lambda_count * config->starts;
}

void mm_config_free(struct mm_config *config)
{
    free(config->g);
    free(config->batches);
    free(config->lambda);
    free(config->text);
    *config = (struct mm_config){0};
}
