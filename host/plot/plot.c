/* plot.c - makes figures of our files: which kind of figure, and of which curves. */
#include <string.h>

#include "plot/plot.h"
#include "files/hdf5/root.h"

struct plot {
    const char *name;
    enum mm_file_kind kind;
    unsigned choices; /* of enum mm_plot_choice */
    mm_status (*build)(const struct mm_plot_request *request, struct mm_figure *figure, struct mm_error *error);
};

static const struct plot plots[] = {
#define PLOT(name, kind, choices, text) {#name, kind, choices, mm_plot_##name},
    MM_PLOT_LIST(PLOT)
#undef PLOT
};

enum { PLOT_COUNT = sizeof plots / sizeof plots[0] };

static mm_status find_kind(const char *path, enum mm_file_kind *kind, struct mm_error *error)
{
    struct mm_hdf5_file file;
    mm_status status = mm_hdf5_file_open(&file, path, error);
    if (status != MM_OK)
        return status;
    *kind = file.kind;
    return mm_hdf5_file_close(&file);
}

static mm_status find_plot(const struct mm_plot_request *request, enum mm_file_kind kind, const struct plot **plot,
                           struct mm_error *error)
{
    for (size_t i = 0; i < PLOT_COUNT; i++) {
        *plot = &plots[i];
        if (plots[i].kind == kind && (request->what == NULL || strcmp(request->what, plots[i].name) == 0))
            return MM_OK;
    }
    char names[MM_ERROR_MESSAGE_SIZE / 2] = "";
    size_t length = 0;
    for (size_t i = 0; i < PLOT_COUNT; i++)
        if (plots[i].kind == kind)
            length += (size_t)snprintf(names + length, sizeof names - length, " %s", plots[i].name);
    return mm_fail(error, MM_ERROR_INPUT, "%s: no figure '%s' of a file of kind %s; there are:%s",
                   request->paths[0], request->what, mm_file_kind_text(kind), names);
}

/* Refuses an option that the figure would not heed. */
static mm_status check_choices(const struct mm_plot_request *request, const struct plot *plot,
                               struct mm_error *error)
{
    const struct {
        const char *option;
        unsigned choice;
        bool given;
    } options[] = {
        {"--select", MM_PLOT_CURVES, request->selected_count > 0},
        {"--label", MM_PLOT_LABELS, request->label_count > 0},
        {"--state", MM_PLOT_STATE, request->state >= 0},
        {"--k", MM_PLOT_STATE, request->k >= 0},
        {"--g-index", MM_PLOT_LINE, request->g_index >= 0},
        {"--lambda-index", MM_PLOT_LINE, request->lambda_index >= 0},
        {"--quantity", MM_PLOT_QUANTITY, request->quantity != NULL},
    };
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        if (options[i].given && (plot->choices & options[i].choice) == 0)
            return mm_fail(error, MM_ERROR_INPUT, "%s: %s does not apply to the figure '%s' (see --what)",
                           request->paths[0], options[i].option, plot->name);
    return MM_OK;
}

mm_status mm_plot_build(const struct mm_plot_request *request, struct mm_figure *figure, struct mm_error *error)
{
    const struct plot *plot = NULL;
    enum mm_file_kind kind = MM_FILE_SEARCH;
    for (size_t i = request->file_count; i-- > 0;) {
        enum mm_file_kind next = kind;
        mm_status status = find_kind(request->paths[i], &kind, error);
        if (status != MM_OK)
            return status;
        bool one_figure = i + 1 == request->file_count || (kind == next && kind == MM_FILE_EVOLUTION);
        if (!one_figure)
            return mm_fail(error, MM_ERROR_INPUT, "%s: only files of kind %s can share a figure", request->paths[i],
                           mm_file_kind_text(MM_FILE_EVOLUTION));
    }
    mm_status status = find_plot(request, kind, &plot, error);
    *figure = (struct mm_figure){0};
    if (status == MM_OK)
        status = check_choices(request, plot, error);
    if (status == MM_OK)
        status = plot->build(request, figure, error);
    if (status != MM_OK)
        mm_figure_free(figure);
    return status;
}
