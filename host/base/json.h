/* json.h - writes JSON to a stream. */
#ifndef MM_BASE_JSON_H
#define MM_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/** A JSON text being written, {0} but for the stream. Keys are NULL inside arrays and at the top.
 *  Errors of the stream are left to the caller. */
struct json {
    FILE *stream;
    bool follows; /* a value stands before the next one at this depth */
};

void json_open(struct json *json, const char *key, char bracket);   /* '{' or '[' */
void json_close(struct json *json, char bracket);                   /* '}' or ']' */
void json_number(struct json *json, const char *key, double value); /* exact; null if not finite */
void json_integer(struct json *json, const char *key, int64_t value);
void json_boolean(struct json *json, const char *key, bool value);
void json_string(struct json *json, const char *key, const char *text); /* bytes that are not UTF-8 become U+FFFD */

#endif
