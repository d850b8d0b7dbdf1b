/* numbers.c - numbers, lists and ranges of numbers, as text and as values.
 *
 *     list    item , item , ..
 *     item    x                        the value x
 *             a : b : n                a + (b - a) i / (n - 1),     i = 0 .. n-1
 *             log : a : b : n          10^(lg a + (lg b - lg a) i / (n - 1))
 *
 * The ends a and b of a range are taken as they are; the product (b - a) i comes before the division, so that
 * ranges of whole numbers stay whole.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/numbers.h"
#include "base/text.h"

enum { LINE_WIDTH = 100 }; /* a longer list is wrapped */

static size_t count_digits(const char *at, const char *end)
{
    size_t count = 0;
    while (at + count < end && at[count] >= '0' && at[count] <= '9')
        count++;
    return count;
}

/* True if text[0 .. length-1] is [sign] digits [. digits] [e [sign] digits], with a digit before the e. strtod
 * alone would also take hexadecimal, inf and nan. */
static bool is_decimal(const char *text, size_t length)
{
    const char *at = text;
    const char *end = text + length;
    at += at < end && (*at == '+' || *at == '-');
    size_t whole = count_digits(at, end);
    at += whole;
    size_t fraction = 0;
    if (at < end && *at == '.') {
        fraction = count_digits(at + 1, end);
        at += 1 + fraction;
    }
    if (whole + fraction == 0)
        return false;
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < end && (*at == '+' || *at == '-');
        size_t exponent = count_digits(at, end);
        if (exponent == 0)
            return false;
        at += exponent;
    }
    return at == end;
}

bool mm_number_parse(const char *text, size_t length, double *value)
{
    if (!is_decimal(text, length))
        return false;
    char *end;
    errno = 0;
    double number = strtod(text, &end);
    bool lost = errno == ERANGE && (number == 0 || !isfinite(number));
    if (end != text + length || lost)
        return false;
    *value = number + 0.0; /* -0 + 0 = 0 */
    return true;
}

bool mm_integer_parse(const char *text, size_t length, uint64_t *value)
{
    if (length == 0 || count_digits(text, text + length) != length)
        return false;
    uint64_t number = 0;
    for (size_t i = 0; i < length; i++) {
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (number > (UINT64_MAX - digit) / 10)
            return false;
        number = 10 * number + digit;
    }
    *value = number;
    return true;
}

void mm_number_text(double value, char text[MM_NUMBER_TEXT_SIZE])
{
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, MM_NUMBER_TEXT_SIZE, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            return;
    }
}

static mm_status fail_item(struct mm_span item, const char *reason, struct mm_error *error)
{
    int excerpt = mm_text_excerpt(item.text, item.length);
    return mm_fail(error, MM_ERROR_INPUT, "'%.*s' %s", excerpt, item.text, reason);
}

/* Reads start:stop:count. `item` is the whole item, for messages; `range` is what follows "log:". */
static mm_status parse_range(struct mm_span item, struct mm_span range, struct mm_list_item *parsed,
                             struct mm_error *error)
{
    struct mm_span fields[3];
    const char *end = range.text + range.length;
    const char *at = range.text;
    for (int i = 0; i < 3; i++) {
        const char *colon = memchr(at, ':', (size_t)(end - at));
        if ((colon == NULL) != (i == 2))
            return fail_item(item, "is not a range start:stop:count or log:start:stop:count", error);
        fields[i] = mm_span_trim(at, colon == NULL ? end : colon);
        at = colon == NULL ? end : colon + 1;
    }
    uint64_t count;
    if (!mm_number_parse(fields[0].text, fields[0].length, &parsed->start) ||
        !mm_number_parse(fields[1].text, fields[1].length, &parsed->stop))
        return fail_item(item, "has an end that is not a number", error);
    if (!mm_integer_parse(fields[2].text, fields[2].length, &count) || count < 1 || count > MM_LIST_VALUES_MAX)
        return fail_item(item, "has a count that is not an integer 1 .. 1000000", error);
    if (count == 1 && parsed->start != parsed->stop)
        return fail_item(item, "has one value but two ends", error);
    if (parsed->logarithmic && (parsed->start <= 0 || parsed->stop <= 0))
        return fail_item(item, "is a logarithmic range with an end that is not above 0", error);
    parsed->count = (size_t)count;
    return MM_OK;
}

static mm_status parse_item(struct mm_span item, struct mm_list_item *parsed, struct mm_error *error)
{
    struct mm_span range = item;
    if (item.length >= 4 && strncmp(item.text, "log:", 4) == 0) {
        parsed->logarithmic = true;
        range = (struct mm_span){item.text + 4, item.length - 4};
    }
    if (memchr(item.text, ':', item.length) != NULL)
        return parse_range(item, range, parsed, error);
    if (!mm_number_parse(item.text, item.length, &parsed->start))
        return fail_item(item, "is not a number", error);
    parsed->stop = parsed->start;
    parsed->count = 1;
    return MM_OK;
}

static mm_status parse_items(const char *text, struct mm_list *list, struct mm_error *error)
{
    size_t capacity = 1;
    for (const char *at = text; *at != '\0'; at++)
        capacity += *at == ',';
    if (capacity > MM_LIST_VALUES_MAX)
        return mm_fail(error, MM_ERROR_INPUT, "more than %d values", MM_LIST_VALUES_MAX);
    list->items = calloc(capacity, sizeof *list->items);
    if (list->items == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for a list of %zu items", capacity);
    for (const char *at = text; list->item_count < capacity; list->item_count++) {
        const char *end = strchrnul(at, ',');
        struct mm_list_item *item = &list->items[list->item_count];
        mm_status status = parse_item(mm_span_trim(at, end), item, error);
        if (status != MM_OK)
            return status;
        list->count += item->count;
        if (list->count > MM_LIST_VALUES_MAX)
            return mm_fail(error, MM_ERROR_INPUT, "more than %d values", MM_LIST_VALUES_MAX);
        at = end + 1;
    }
    return MM_OK;
}

static double item_value(const struct mm_list_item *item, size_t i)
{
    if (i == 0)
        return item->start;
    if (i == item->count - 1)
        return item->stop;
    double steps = (double)(item->count - 1);
    if (!item->logarithmic)
        return item->start + (item->stop - item->start) * (double)i / steps;
    double lowest = log10(item->start);
    return pow(10.0, lowest + (log10(item->stop) - lowest) * (double)i / steps);
}

static mm_status check_value(double value, const struct mm_list_limits *limits, struct mm_error *error)
{
    bool in_range = value >= limits->minimum && value <= limits->maximum;
    if (in_range && (!limits->integers || value == floor(value)))
        return MM_OK;
    char text[MM_NUMBER_TEXT_SIZE];
    mm_number_text(value, text);
    return mm_fail(error, MM_ERROR_INPUT, "%s is %s", text, in_range ? "not an integer" : "out of range");
}

static mm_status expand_items(const struct mm_list_limits *limits, struct mm_list *list, struct mm_error *error)
{
    list->values = calloc(list->count, sizeof *list->values);
    if (list->values == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for a list of %zu values", list->count);
    size_t k = 0;
    for (size_t j = 0; j < list->item_count; j++)
        for (size_t i = 0; i < list->items[j].count; i++, k++) {
            list->values[k] = item_value(&list->items[j], i);
            mm_status status = check_value(list->values[k], limits, error);
            if (status != MM_OK)
                return status;
        }
    return MM_OK;
}

static int compare_numbers(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

static mm_status check_distinct(const struct mm_list *list, struct mm_error *error)
{
    double *sorted = calloc(list->count, sizeof *sorted);
    if (sorted == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for a list of %zu values", list->count);
    memcpy(sorted, list->values, list->count * sizeof *sorted);
    qsort(sorted, list->count, sizeof *sorted, compare_numbers);
    mm_status status = MM_OK;
    for (size_t i = 1; i < list->count && status == MM_OK; i++)
        if (sorted[i] == sorted[i - 1]) {
            char text[MM_NUMBER_TEXT_SIZE];
            mm_number_text(sorted[i], text);
            status = mm_fail(error, MM_ERROR_INPUT, "the value %s is repeated", text);
        }
    free(sorted);
    return status;
}

mm_status mm_list_parse(const char *text, const struct mm_list_limits *limits, struct mm_list *list,
                        struct mm_error *error)
{
    *list = (struct mm_list){0};
    mm_status status = parse_items(text, list, error);
    if (status == MM_OK)
        status = expand_items(limits, list, error);
    if (status == MM_OK)
        status = check_distinct(list, error);
    if (status != MM_OK)
        mm_list_free(list);
    return status;
}

/* Writes one item into text and returns its length. */
static int item_text(const struct mm_list_item *item, size_t size, char *text)
{
    char start[MM_NUMBER_TEXT_SIZE];
    char stop[MM_NUMBER_TEXT_SIZE];
    mm_number_text(item->start, start);
    mm_number_text(item->stop, stop);
    if (item->count == 1)
        return snprintf(text, size, "%s", start);
    return snprintf(text, size, "%s%s:%s:%zu", item->logarithmic ? "log:" : "", start, stop, item->count);
}

void mm_list_write(FILE *stream, const struct mm_list *list)
{
    int column = 0;
    for (size_t j = 0; j < list->item_count; j++) {
        char text[3 * MM_NUMBER_TEXT_SIZE];
        int length = item_text(&list->items[j], sizeof text, text);
        bool wraps = column + length > LINE_WIDTH;
        fprintf(stream, "%s%s%s", j > 0 ? "," : "", wraps ? "\n    " : "", text);
        column = (wraps ? 0 : column) + length + 1;
    }
}

void mm_list_free(struct mm_list *list)
{
    free(list->items);
    free(list->values);
    *list = (struct mm_list){0};
}
