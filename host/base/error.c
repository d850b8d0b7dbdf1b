/* error.c - the one place where failures become words: status texts, exit codes, messages. */
#include <stdarg.h>
#include <stdio.h>

#include "micromaser.h"

const char *mm_status_text(mm_status status)
{
    switch (status) {
#define MM_STATUS_TEXT(name, exit_code, text)                                                                      \
    case name:                                                                                                     \
        return text;
        MM_STATUS_LIST(MM_STATUS_TEXT)
#undef MM_STATUS_TEXT
    }
    return "unknown status";
}

int mm_status_exit_code(mm_status status)
{
    switch (status) {
#define MM_STATUS_EXIT_CODE(name, exit_code, text)                                                                 \
    case name:                                                                                                     \
        return exit_code;
        MM_STATUS_LIST(MM_STATUS_EXIT_CODE)
#undef MM_STATUS_EXIT_CODE
    }
    return 1;
}

mm_status mm_fail(struct mm_error *error, mm_status status, const char *format, ...)
{
    if (error == NULL)
        return status;
    error->status = status;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    if (length < 0)
        snprintf(error->message, sizeof error->message, "%s", mm_status_text(status));
    return status;
}
