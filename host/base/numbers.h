/* numbers.h - numbers, lists and ranges of numbers, as text and as values. */
#ifndef MM_BASE_NUMBERS_H
#define MM_BASE_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "micromaser.h"

enum {
    MM_LIST_VALUES_MAX = 1000000, /* most values of a list */
    MM_NUMBER_TEXT_SIZE = 32,     /* holds any double as text */
};

/** Reads a decimal number that fills text[0 .. length-1] exactly: no blanks, no hexadecimal, no inf or nan.
 *  False if it is not one, or if it overflows or vanishes in double precision. text must end in '\0' somewhere
 *  at or after text[length]; the thread's locale must have "." as decimal point. Minus zero becomes zero. */
bool mm_number_parse(const char *text, size_t length, double *value);

/** Reads a whole number of digits alone; false if there is anything else or it exceeds 64 bits. */
bool mm_integer_parse(const char *text, size_t length, uint64_t *value);

/** Shortest text of at least 6 significant digits that reads back as exactly this double. */
void mm_number_text(double value, char text[MM_NUMBER_TEXT_SIZE]);

/** One value (count = 1, start = stop) or one range of a list. */
struct mm_list_item {
    bool logarithmic;
    double start;
    double stop;
    size_t count;
};

/** A list as written (items) and what it means (values). Free with mm_list_free. */
struct mm_list {
    size_t item_count;
    struct mm_list_item *items; /* [item_count] */
    size_t count;
    double *values; /* [count] */
};

/** What the values of a list may be; the bounds are inclusive. */
struct mm_list_limits {
    double minimum;
    double maximum;
    bool integers;
};

/** Reads a list: items separated by commas, each a number, start:stop:count or log:start:stop:count.
 *  The values must keep the limits and differ from each other. On failure *list holds nothing.
 *  Errors: MM_ERROR_INPUT (the message names the item), MM_ERROR_MEMORY. */
mm_status mm_list_parse(const char *text, const struct mm_list_limits *limits, struct mm_list *list,
                        struct mm_error *error);

/** Writes a list so that mm_list_parse gives the same list; long ones go on after a comma on indented lines.
 *  The caller checks the stream for errors. */
void mm_list_write(FILE *stream, const struct mm_list *list);

/** Frees what a list owns and clears it. */
void mm_list_free(struct mm_list *list);

#endif
