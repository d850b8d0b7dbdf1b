/* json.c - writes JSON to a stream. */
#include <math.h>

#include "base/json.h"

/* Length of the UTF-8 character at text, or 0 if it is not one (RFC 3629). */
static size_t utf8_length(const unsigned char *text)
{
    if (text[0] < 0x80)
        return 1;
    size_t length = text[0] >= 0xc2 && text[0] <= 0xdf ? 2 : (text[0] & 0xf0) == 0xe0 ? 3 : 4;
    if (length == 4 && (text[0] < 0xf0 || text[0] > 0xf4))
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xf0 && text[1] < 0x90);
    bool surrogate = text[0] == 0xed && text[1] > 0x9f;
    bool beyond = text[0] == 0xf4 && text[1] > 0x8f;
    return overlong || surrogate || beyond ? 0 : length;
}

static void write_text(FILE *stream, const char *text)
{
    const unsigned char *c = (const unsigned char *)text;
    fputc('"', stream);
    while (*c != '\0') {
        size_t length = utf8_length(c);
        if (length == 0)
            fputs("\\ufffd", stream);
        else if (*c == '"' || *c == '\\')
            fprintf(stream, "\\%c", *c);
        else if (*c < 0x20)
            fprintf(stream, "\\u%04x", (unsigned)*c);
        else
            fwrite(c, 1, length, stream);
        c += length == 0 ? 1 : length;
    }
    fputc('"', stream);
}

static void begin_value(struct json *json, const char *key)
{
    if (json->follows)
        fputs(", ", json->stream);
    if (key != NULL) {
        write_text(json->stream, key);
        fputs(": ", json->stream);
    }
    json->follows = true;
}

void json_open(struct json *json, const char *key, char bracket)
{
    begin_value(json, key);
    fputc(bracket, json->stream);
    json->follows = false;
}

void json_close(struct json *json, char bracket)
{
    fputc(bracket, json->stream);
    json->follows = true;
}

void json_number(struct json *json, const char *key, double value)
{
    begin_value(json, key);
    if (isfinite(value))
        fprintf(json->stream, "%.17g", value);
    else
        fputs("null", json->stream);
}

void json_integer(struct json *json, const char *key, int64_t value)
{
    begin_value(json, key);
    fprintf(json->stream, "%lld", (long long)value);
}

void json_boolean(struct json *json, const char *key, bool value)
{
    begin_value(json, key);
    fputs(value ? "true" : "false", json->stream);
}

void json_string(struct json *json, const char *key, const char *text)
{
    begin_value(json, key);
    write_text(json->stream, text);
}
