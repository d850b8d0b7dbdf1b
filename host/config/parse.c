/* parse.c - text to settings: reads INI lines and overrides, and knows where each key was set.
 *
 * inih splits the lines; the reader below hands them to it one by one, so that every message can name its line.
 * Leading blanks mean nothing, except that a value ending in a comma goes on in the next line: such a line reaches
 * inih with a blank in front, which makes it continue the value above.
 */
#include <ini.h>
#include <stdlib.h>
#include <string.h>

#include "config/parse.h"
#include "base/text.h"

#define MM_KEY_ROW(identifier, section, name, kind, minimum, maximum, default_text, allowed)                       \
    {section, name, MM_KIND_##kind, minimum, maximum, default_text, allowed},
const struct mm_key mm_keys[MM_KEY_COUNT] = {MM_KEY_LIST(MM_KEY_ROW)};
#undef MM_KEY_ROW

enum { KEY_TEXT_SIZE = 40 }; /* holds the longest section.key */

/* Keys that say the same thing in two ways. */
static const enum mm_key_id rivals[][2] = {
    {MM_KEY_G, MM_KEY_Q},
    {MM_KEY_G, MM_KEY_M},
    {MM_KEY_G, MM_KEY_EPSILON},
    {MM_KEY_TAIL, MM_KEY_TAIL_FRACTION},
};

enum { RIVAL_COUNT = sizeof rivals / sizeof rivals[0] };

/* ---------------------------------------------------------------------------------------------- names of keys */

bool mm_key_is_per_batch(enum mm_key_id key)
{
    return strcmp(mm_keys[key].section, "batch") == 0;
}

static void key_text(enum mm_key_id key, int batch, char text[KEY_TEXT_SIZE])
{
    const struct mm_key *row = &mm_keys[key];
    if (mm_key_is_per_batch(key))
        snprintf(text, KEY_TEXT_SIZE, "%s.%d.%s", row->section, batch, row->name);
    else
        snprintf(text, KEY_TEXT_SIZE, "%s.%s", row->section, row->name);
}

/* Splits "batch.K" into "batch" and K; other names keep batch 0. False if no key has this section. */
static bool find_section(const char *name, size_t length, const char **section, int *batch)
{
    static const char prefix[] = "batch.";
    const size_t prefix_length = sizeof prefix - 1;
    uint64_t number = 0;
    if (length > prefix_length && memcmp(name, prefix, prefix_length) == 0 && name[prefix_length] != '0' &&
        mm_integer_parse(name + prefix_length, length - prefix_length, &number) && number <= MM_BATCHES_MAX) {
        *batch = (int)number;
        *section = mm_keys[MM_KEY_BATCH_QUBITS].section;
        return true;
    }
    *batch = 0;
    for (size_t k = 0; k < MM_KEY_COUNT; k++) {
        *section = mm_keys[k].section;
        if (!mm_key_is_per_batch((enum mm_key_id)k) && strlen(*section) == length &&
            memcmp(*section, name, length) == 0)
            return true;
    }
    return false;
}

/* Appends to a list of words for a message; what does not fit is left out. */
static void append_word(size_t size, char *list, const char *word)
{
    size_t length = strlen(list);
    snprintf(list + length, size - length, "%s%s", length > 0 ? ", " : "", word);
}

static mm_status fail_section(const char *where, const char *name, size_t length, struct mm_error *error)
{
    char known[120] = "";
    const char *last = "";
    for (size_t k = 0; k < MM_KEY_COUNT; last = mm_keys[k].section, k++)
        if (strcmp(last, mm_keys[k].section) != 0)
            append_word(sizeof known, known,
                        mm_key_is_per_batch((enum mm_key_id)k) ? "batch.1 .. batch.1000" : mm_keys[k].section);
    return mm_fail(error, MM_ERROR_INPUT, "%s: unknown section '%.*s'; expected one of: %s", where,
                   mm_text_excerpt(name, length), name, known);
}

static mm_status find_key(const char *where, const char *section, const char *name, enum mm_key_id *key,
                          struct mm_error *error)
{
    char known[200] = "";
    for (size_t k = 0; k < MM_KEY_COUNT; k++) {
        if (strcmp(mm_keys[k].section, section) != 0)
            continue;
        *key = (enum mm_key_id)k;
        if (strcmp(mm_keys[k].name, name) == 0)
            return MM_OK;
        append_word(sizeof known, known, mm_keys[k].name);
    }
    return mm_fail(error, MM_ERROR_INPUT, "%s: unknown key '%.*s' in section %s; expected one of: %s", where,
                   mm_text_excerpt(name, strlen(name)), name, section, known);
}

/* -------------------------------------------------------------------------------------------------- settings */

static struct mm_setting *find_setting(const struct mm_settings *settings, enum mm_key_id key, int batch)
{
    for (size_t i = 0; i < settings->count; i++)
        if (settings->items[i].key == key && settings->items[i].batch == batch)
            return &settings->items[i];
    return NULL;
}

const struct mm_setting *mm_settings_find(const struct mm_settings *settings, enum mm_key_id key, int batch)
{
    return find_setting(settings, key, batch);
}

mm_status mm_settings_fail(const struct mm_settings *settings, enum mm_key_id key, int batch, const char *reason,
                           struct mm_error *error)
{
    char name[KEY_TEXT_SIZE];
    key_text(key, batch, name);
    const char *separator = reason == NULL ? "" : "; ";
    const char *why = reason == NULL ? "" : reason;
    const char *allowed = mm_keys[key].allowed;
    const struct mm_setting *setting = find_setting(settings, key, batch);
    if (setting == NULL)
        return mm_fail(error, MM_ERROR_INPUT, "%s: %s is missing%s%s: expected %s", settings->file, name, separator,
                       why, allowed);
    int excerpt = mm_text_excerpt(setting->text, strlen(setting->text));
    if (setting->line == 0)
        return mm_fail(error, MM_ERROR_INPUT, "--set %s=%.*s: %s%sexpected %s", name, excerpt, setting->text, why,
                       separator, allowed);
    return mm_fail(error, MM_ERROR_INPUT, "%s:%d: %s = '%.*s': %s%sexpected %s", settings->file, setting->line,
                   name, excerpt, setting->text, why, separator, allowed);
}

void mm_settings_free(struct mm_settings *settings)
{
    for (size_t i = 0; i < settings->count; i++)
        free(settings->items[i].text);
    free(settings->items);
    *settings = (struct mm_settings){0};
}

/* Adds a setting whose key is not there yet. */
static mm_status add_setting(struct mm_settings *settings, enum mm_key_id key, int batch, const char *value,
                             size_t length, int line, struct mm_error *error)
{
    bool full = (settings->count & (settings->count - 1)) == 0; /* the capacity is the next power of two */
    size_t capacity = settings->count == 0 ? 1 : 2 * settings->count;
    if (full) {
        struct mm_setting *items = reallocarray(settings->items, capacity, sizeof *items);
        if (items == NULL)
            return mm_fail(error, MM_ERROR_MEMORY, "no memory for %zu settings", capacity);
        settings->items = items;
    }
    char *text = strndup(value, length);
    if (text == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for a value of %zu bytes", length);
    settings->items[settings->count++] = (struct mm_setting){key, batch, text, line};
    if (batch > settings->batch_count)
        settings->batch_count = batch;
    return MM_OK;
}

/* Removes the setting of a key if it came from the file. */
static void drop_from_file(struct mm_settings *settings, enum mm_key_id key, int batch)
{
    struct mm_setting *setting = find_setting(settings, key, batch);
    if (setting == NULL || setting->line == 0)
        return;
    free(setting->text);
    *setting = settings->items[--settings->count];
}

/* --------------------------------------------------------------------------------------------------- the file */

/* One pass over the text. */
struct reading {
    struct mm_settings *settings;
    const char *at; /* the next line */
    const char *end;
    int line;       /* number of the last line handed out */
    bool continues; /* the last value ended in a comma */
    mm_status status;
    struct mm_error *error;
};

enum { PLACE_SIZE = 180 }; /* holds FILE:LINE */

static const char *place(const struct reading *reading, int line, char text[PLACE_SIZE])
{
    snprintf(text, PLACE_SIZE, "%s:%d", reading->settings->file, line);
    return text;
}

static mm_status extend_setting(struct reading *reading, const char *value)
{
    struct mm_setting *setting = &reading->settings->items[reading->settings->count - 1];
    size_t length = strlen(setting->text);
    size_t added = strlen(value);
    char *text = realloc(setting->text, length + added + 1);
    if (text == NULL)
        return mm_fail(reading->error, MM_ERROR_MEMORY, "no memory for a value of %zu bytes", length + added);
    memcpy(text + length, value, added + 1);
    setting->text = text;
    return MM_OK;
}

static mm_status take_new_setting(struct reading *reading, const char *section_name, const char *name,
                                  const char *value)
{
    char text[PLACE_SIZE];
    const char *where = place(reading, reading->line, text);
    const char *section;
    int batch;
    enum mm_key_id key = MM_KEY_COUNT;
    if (!find_section(section_name, strlen(section_name), &section, &batch))
        return mm_fail(reading->error, MM_ERROR_INPUT, "%s: key '%.*s' stands before any [section]", where,
                       mm_text_excerpt(name, strlen(name)), name);
    mm_status status = find_key(where, section, name, &key, reading->error);
    if (status != MM_OK)
        return status;
    char full_name[KEY_TEXT_SIZE];
    key_text(key, batch, full_name);
    const struct mm_setting *earlier = find_setting(reading->settings, key, batch);
    if (earlier != NULL)
        return mm_fail(reading->error, MM_ERROR_INPUT, "%s: %s = '%.*s' repeats line %d; expected each key once",
                       where, full_name, mm_text_excerpt(value, strlen(value)), value, earlier->line);
    status = add_setting(reading->settings, key, batch, value, strlen(value), reading->line, reading->error);
    if (status == MM_OK && *value == '\0')
        return mm_settings_fail(reading->settings, key, batch, "the value is empty", reading->error);
    return status;
}

/* Called by inih for each "name = value" and for each line that goes on with a value. Zero means failure. */
static int take_value(void *context, const char *section, const char *name, const char *value)
{
    struct reading *reading = context;
    if (reading->continues)
        reading->status = extend_setting(reading, value);
    else
        reading->status = take_new_setting(reading, section, name, value);
    size_t length = strlen(value);
    reading->continues = length > 0 && value[length - 1] == ',';
    return reading->status == MM_OK;
}

/* inih ignores what follows "]" and sections without keys; here both must be right as well. */
static mm_status check_section(struct reading *reading, const char *line, size_t length)
{
    char text[PLACE_SIZE];
    const char *where = place(reading, reading->line, text);
    const char *name = line + 1;
    const char *close = memchr(name, ']', length - 1);
    if (close == NULL)
        return mm_fail(reading->error, MM_ERROR_INPUT, "%s: section '%.*s' has no closing ]", where,
                       mm_text_excerpt(line, length), line);
    const char *section;
    int batch;
    if (!find_section(name, (size_t)(close - name), &section, &batch))
        return fail_section(where, name, (size_t)(close - name), reading->error);
    if (batch > reading->settings->batch_count)
        reading->settings->batch_count = batch;
    struct mm_span rest = mm_span_trim(close + 1, line + length);
    if (rest.length > 0 && *rest.text != ';')
        return mm_fail(reading->error, MM_ERROR_INPUT, "%s: '%.*s' follows [%.*s]; expected the end of the line",
                       where, mm_text_excerpt(rest.text, rest.length), rest.text, (int)(close - name), name);
    return MM_OK;
}

static mm_status fail_dangling_comma(const struct reading *reading)
{
    const struct mm_setting *last = &reading->settings->items[reading->settings->count - 1];
    return mm_settings_fail(reading->settings, last->key, last->batch, "nothing follows the last comma",
                            reading->error);
}

/* Checks one line and copies it for inih, whose buffer ends it with '\n' and '\0'. */
static mm_status hand_out_line(struct reading *reading, const char *line, size_t length, char *buffer, size_t size)
{
    size_t most = size - 2;
    if (length > most)
        return mm_fail(reading->error, MM_ERROR_INPUT,
                       "%s:%d: the line has %zu bytes; expected at most %zu (a list may go on in the next line "
                       "after a comma)",
                       reading->settings->file, reading->line, length, most);
    struct mm_span rest = mm_span_trim(line, line + length);
    if (rest.length > 0 && *rest.text == '[') {
        mm_status status =
            reading->continues ? fail_dangling_comma(reading) : check_section(reading, rest.text, rest.length);
        if (status != MM_OK)
            return status;
    }
    *buffer = ' ';
    memcpy(buffer + reading->continues, rest.text, rest.length);
    buffer[rest.length + reading->continues] = '\0';
    return MM_OK;
}

/* Called by inih for each line, like fgets. */
static char *next_line(char *buffer, int size, void *context)
{
    struct reading *reading = context;
    if (reading->status != MM_OK || reading->at == reading->end)
        return NULL;
    const char *line = reading->at;
    const char *newline = memchr(line, '\n', (size_t)(reading->end - line));
    const char *stop = newline == NULL ? reading->end : newline;
    reading->at = newline == NULL ? reading->end : newline + 1;
    reading->line++;
    if (stop > line && stop[-1] == '\r')
        stop--;
    reading->status = hand_out_line(reading, line, (size_t)(stop - line), buffer, (size_t)size);
    return reading->status == MM_OK ? buffer : NULL;
}

/* Reports a line that inih could not read. */
static mm_status fail_line(const struct reading *reading, const char *text, int number)
{
    char where[PLACE_SIZE];
    for (int i = 1; i < number; i++)
        text = (const char *)rawmemchr(text, '\n') + 1;
    const char *newline = memchr(text, '\n', (size_t)(reading->end - text));
    size_t length = (size_t)((newline == NULL ? reading->end : newline) - text);
    length -= length > 0 && text[length - 1] == '\r';
    return mm_fail(reading->error, MM_ERROR_INPUT, "%s: '%.*s': expected [section], key = value, or a comment",
                   place(reading, number, where), mm_text_excerpt(text, length), text);
}

static mm_status check_text(const struct reading *reading)
{
    const char *text = reading->at;
    size_t size = (size_t)(reading->end - text);
    const char *file = reading->settings->file;
    if (size > MM_CONFIG_SIZE_MAX)
        return mm_fail(reading->error, MM_ERROR_INPUT,
                       "%s: the file has more than %d bytes; that is no configuration", file, MM_CONFIG_SIZE_MAX);
    size_t good = mm_text_check(text, size);
    if (good < size) {
        int line = 1;
        for (size_t i = 0; i < good; i++)
            line += text[i] == '\n';
        return mm_fail(reading->error, MM_ERROR_INPUT,
                       "%s:%d: byte 0x%02x is not text; expected UTF-8 without control "
                       "characters",
                       file, line, (unsigned)(unsigned char)text[good]);
    }
    if (size == 0)
        return mm_fail(reading->error, MM_ERROR_INPUT, "%s: the file is empty; expected a configuration", file);
    return MM_OK;
}

static mm_status read_text(struct mm_settings *settings, const char *text, size_t size, struct mm_error *error)
{
    static const char byte_order_mark[] = "\xEF\xBB\xBF";
    if (size >= 3 && memcmp(text, byte_order_mark, 3) == 0) {
        text += 3;
        size -= 3;
    }
    struct reading reading = {.settings = settings, .at = text, .end = text + size, .error = error};
    mm_status status = check_text(&reading);
    if (status != MM_OK)
        return status;
    int bad_line = ini_parse_stream(next_line, &reading, take_value, &reading);
    if (bad_line < 0)
        return mm_fail(error, MM_ERROR_MEMORY, "%s: no memory to read the configuration", settings->file);
    /* inih reads on after a line that it cannot read: the first failure is the one to report. */
    if (bad_line > 0 && (reading.status == MM_OK || bad_line < reading.line))
        return fail_line(&reading, text, bad_line);
    return reading.status;
}

/* -------------------------------------------------------------------------------------------------- overrides */

/* One "section.key=value". */
struct override {
    enum mm_key_id key;
    int batch;
    const char *value;
    size_t length; /* of the value */
};

static mm_status split_override(const char *text, struct override *override, struct mm_error *error)
{
    char where[MM_TEXT_EXCERPT + 16];
    snprintf(where, sizeof where, "--set %.*s", mm_text_excerpt(text, strlen(text)), text);
    const char *equals = strchrnul(text, '=');
    struct mm_span name = mm_span_trim(text, equals);
    struct mm_span value = mm_span_trim(*equals == '=' ? equals + 1 : equals, strchr(text, '\0'));
    const char *dot = memrchr(name.text, '.', name.length);
    if (value.length == 0 || dot == NULL)
        return mm_fail(error, MM_ERROR_INPUT, "%s: expected section.key=value", where);
    const char *section;
    size_t section_length = (size_t)(dot - name.text);
    if (!find_section(name.text, section_length, &section, &override->batch))
        return fail_section(where, name.text, section_length, error);
    char key_name[MM_TEXT_EXCERPT];
    snprintf(key_name, sizeof key_name, "%.*s", mm_text_excerpt(dot + 1, name.length - section_length - 1),
             dot + 1);
    override->value = value.text;
    override->length = value.length;
    return find_key(where, section, key_name, &override->key, error);
}

/* Removes what the file says about the key of an override, in either way of saying it. */
static void make_way(struct mm_settings *settings, const struct override *override)
{
    drop_from_file(settings, override->key, override->batch);
    for (size_t i = 0; i < RIVAL_COUNT; i++)
        for (int side = 0; side < 2; side++)
            if (rivals[i][side] == override->key)
                drop_from_file(settings, rivals[i][1 - side], 0);
}

static mm_status apply_override(struct mm_settings *settings, const char *text, struct mm_error *error)
{
    if (mm_text_check(text, strlen(text)) < strlen(text) || strchr(text, '\n') != NULL) {
        char line[MM_TEXT_EXCERPT];
        mm_text_to_line(text, sizeof line, line);
        return mm_fail(error, MM_ERROR_INPUT, "--set %s: expected one line of UTF-8 without control characters",
                       line);
    }
    struct override override = {0};
    mm_status status = split_override(text, &override, error);
    if (status != MM_OK)
        return status;
    make_way(settings, &override);
    if (find_setting(settings, override.key, override.batch) != NULL)
        return mm_fail(error, MM_ERROR_INPUT, "--set %.*s: the key is overridden twice; expected each key once",
                       mm_text_excerpt(text, strlen(text)), text);
    return add_setting(settings, override.key, override.batch, override.value, override.length, 0, error);
}

static mm_status check_rivals(const struct mm_settings *settings, struct mm_error *error)
{
    for (size_t i = 0; i < RIVAL_COUNT; i++) {
        if (find_setting(settings, rivals[i][0], 0) == NULL || find_setting(settings, rivals[i][1], 0) == NULL)
            continue;
        char reason[KEY_TEXT_SIZE + 32];
        char name[KEY_TEXT_SIZE];
        key_text(rivals[i][0], 0, name);
        snprintf(reason, sizeof reason, "%s is given as well, keep one", name);
        return mm_settings_fail(settings, rivals[i][1], 0, reason, error);
    }
    return MM_OK;
}

mm_status mm_settings_read(const char *name, const char *text, size_t size, size_t override_count,
                           const char *const *overrides, struct mm_settings *settings, struct mm_error *error)
{
    *settings = (struct mm_settings){0};
    mm_text_to_line(name, sizeof settings->file, settings->file);
    mm_status status = read_text(settings, text, size, error);
    for (size_t i = 0; i < override_count && status == MM_OK; i++)
        status = apply_override(settings, overrides[i], error);
    if (status == MM_OK)
        status = check_rivals(settings, error);
    if (status != MM_OK)
        mm_settings_free(settings);
    return status;
}
