/* text.c - checks and pieces of text that came from outside. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static bool is_continuation(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

/* Length of the UTF-8 character at text, or 0. `left` bytes may be read.
 * Rejected: overlong forms, surrogates, code points above U+10FFFF, and the control characters U+0080 .. U+009F. */
static size_t multibyte_length(const unsigned char *text, size_t left)
{
    static const uint32_t smallest[] = {0, 0, 0xA0, 0x800, 0x10000};
    size_t length = text[0] >= 0xF0 ? 4 : text[0] >= 0xE0 ? 3 : 2;
    if (text[0] < 0xC2 || text[0] > 0xF4 || left < length)
        return 0;
    uint32_t code = text[0] & (0xFFu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if (!is_continuation(text[i]))
            return 0;
        code = code << 6 | (text[i] & 0x3Fu);
    }
    bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    return code < smallest[length] || surrogate || code > 0x10FFFF ? 0 : length;
}

/* Length of the character at text, or 0 if it is not text. */
static size_t character_length(const unsigned char *text, size_t left)
{
    if (text[0] >= 0x80)
        return multibyte_length(text, left);
    if (text[0] == '\r')
        return left >= 2 && text[1] == '\n' ? 1 : 0;
    return text[0] == '\t' || text[0] == '\n' || (text[0] >= 0x20 && text[0] != 0x7F) ? 1 : 0;
}

size_t mm_text_check(const char *text, size_t size)
{
    size_t at = 0;
    while (at < size) {
        size_t length = character_length((const unsigned char *)text + at, size - at);
        if (length == 0)
            break;
        at += length;
    }
    return at;
}

int mm_text_excerpt(const char *text, size_t length)
{
    if (length <= MM_TEXT_EXCERPT)
        return (int)length;
    int excerpt = MM_TEXT_EXCERPT;
    while (excerpt > 0 && is_continuation((unsigned char)text[excerpt]))
        excerpt--;
    return excerpt;
}

void mm_text_to_line(const char *text, size_t size, char *line)
{
    size_t length = strlen(text);
    size_t skipped = length < size ? 0 : length - (size - 1);
    const unsigned char *from = (const unsigned char *)text + skipped;
    size_t left = length - skipped;
    while (left > 0) {
        size_t character = *from < 0x20 ? 0 : character_length(from, left);
        if (character == 0)
            *line = '?';
        else
            memcpy(line, from, character);
        character += character == 0;
        line += character;
        from += character;
        left -= character;
    }
    *line = '\0';
}

const char *mm_plural(int64_t count)
{
    return count == 1 ? "" : "s";
}

struct mm_span mm_span_trim(const char *begin, const char *end)
{
    while (begin < end && (*begin == ' ' || *begin == '\t'))
        begin++;
    while (end > begin && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    return (struct mm_span){begin, (size_t)(end - begin)};
}

/* Characters of a line that a message shows. */
static int shown(const char *line)
{
    enum { SHOWN = 100 };
    size_t length = strcspn(line, "\n");
    return length < SHOWN ? (int)length : SHOWN;
}

void mm_text_difference(const char *what, const char *there, const char *here, size_t size, char *message)
{
    const char *section = "";
    while (*there != '\0' && *here != '\0') {
        size_t length = strcspn(there, "\n");
        if (length != strcspn(here, "\n") || strncmp(there, here, length) != 0)
            break;
        if (*there == '[')
            section = there;
        there += length + (there[length] == '\n');
        here += length + (here[length] == '\n');
    }
    const bool of_sections = *there == '[' || *here == '[';
    snprintf(message, size, "belongs to another %s: %s%.*s there '%.*s', here '%.*s'", what,
             of_sections ? "after " : "", shown(section), section, shown(there), there, shown(here), here);
}
