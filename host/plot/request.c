/* request.c - which of the things that a figure can show were asked for. */
#include <stdlib.h>

#include "plot/request.h"

mm_status mm_plot_select(const struct mm_plot_request *request, size_t count, size_t most, const char *what,
                         size_t **shown, size_t *shown_count, struct mm_error *error)
{
    *shown_count = request->selected_count == 0 ? count : request->selected_count;
    if (*shown_count > most)
        return mm_fail(error, MM_ERROR_INPUT, "%s: %zu %s; at most %zu can be told apart: choose with --select",
                       request->paths[0], *shown_count, what, most);
    *shown = malloc((*shown_count + 1) * sizeof **shown); /* + 1: never an empty request */
    if (*shown == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory for %zu %s", *shown_count, what);
    for (size_t i = 0; i < *shown_count; i++) {
        (*shown)[i] = request->selected_count == 0 ? i : (size_t)request->selected[i];
        if ((*shown)[i] < count)
            continue;
        free(*shown);
        *shown = NULL;
        return mm_fail(error, MM_ERROR_INPUT, "%s: --select %zu: there are %zu %s, counted from 0",
                       request->paths[0], (size_t)request->selected[i], count, what);
    }
    return MM_OK;
}
