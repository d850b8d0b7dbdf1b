/* text.h - checks and pieces of text that came from outside. */
#ifndef MM_BASE_TEXT_H
#define MM_BASE_TEXT_H

#include <stddef.h>
#include <stdint.h>

enum { MM_TEXT_EXCERPT = 60 }; /* most bytes of foreign text quoted in a message */

/** Offset of the first byte that is not UTF-8 text, or size if all of it is. Tabs, line feeds and carriage
 *  returns before a line feed are text; every other control character is not. */
size_t mm_text_check(const char *text, size_t size);

/** Bytes of text[0 .. length-1] to quote in a message: at most MM_TEXT_EXCERPT, no character cut in two. */
int mm_text_excerpt(const char *text, size_t length);

/** Copies text into line[size] with every byte that would break the line or the terminal replaced by '?'; keeps
 *  the end of a text that is too long, because the end of a path tells most. */
void mm_text_to_line(const char *text, size_t size, char *line);

/** "belongs to another WHAT: [section] there '..', here '..'", with the first line in which two INI texts
 * differ. */
void mm_text_difference(const char *what, const char *there, const char *here, size_t size, char *message);

/** What makes a noun plural: "" for 1, else "s". */
const char *mm_plural(int64_t count);

/** A piece of a text that belongs to somebody else. */
struct mm_span {
    const char *text;
    size_t length;
};

/** The piece from begin up to end without the blanks and tabs around it. */
struct mm_span mm_span_trim(const char *begin, const char *end);

#endif
