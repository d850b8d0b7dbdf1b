/* options.c - option structs of callers that were compiled with another version of the public header. */
#include <string.h>

#include "base/options.h"

const char *mm_version(void)
{
    return MM_VERSION;
}

mm_status mm_options_copy(const char *name, size_t first_size, size_t size, const void *given, void *own,
                          struct mm_error *error)
{
    size_t told = 0;
    if (given != NULL)
        memcpy(&told, given, sizeof told);
    const size_t there = told == 0 ? first_size : told;
    if (there < first_size || there > MM_OPTIONS_SIZE_MAX)
        return mm_fail(error, MM_ERROR_INPUT, "%s: size = %zu; allowed are 0 and %zu to %d", name, told, first_size,
                       MM_OPTIONS_SIZE_MAX);
    for (size_t i = size; given != NULL && i < there; i++)
        if (((const unsigned char *)given)[i] != 0)
            return mm_fail(error, MM_ERROR_INPUT,
                           "%s: size = %zu, with values beyond the %zu bytes that version %s knows", name, told,
                           size, mm_version());
    if (given != NULL)
        memcpy(own, given, there < size ? there : size);
    memcpy(own, &size, sizeof size);
    return MM_OK;
}
