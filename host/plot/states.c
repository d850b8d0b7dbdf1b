/* states.c - figures of stored states: populations with the borders of the chambers, Wigner functions. */
#include <math.h>

#include "plot/curves.h"
#include "model/steady_state.h"
#include "base/text.h"

enum { STATES_MAX = 8 /* panels of states in one figure */ };

/* Populations below this part of the largest do not show. */
static const double SMALLEST_POPULATION = 2e-3;

/* Values of a Wigner function below this part of the largest do not show; the space kept around those that do. */
static const double SMALLEST_WIGNER = 1e-2;
static const double WINDOW_MARGIN = 1;

/* Space above the highest bar. */
static const double HEADROOM = 1.08;

/* Marks the borders of the chambers (Eqs. 7 and 9), halfway between the levels m - 1 and m. */
static mm_status add_borders(double g, struct mm_panel *panel, struct mm_error *error)
{
    static const char *const names[] = {"border of a chamber, n [1]"};
    struct mm_chambers chambers = {0};
    mm_status status = mm_chambers_find(g, (int)ceil(panel->x.maximum), &chambers, error);
    if (status != MM_OK)
        return status;
    struct mm_series *series =
        mm_panel_add(panel, MM_MARK_BORDER, 0, "chamber border", (size_t)chambers.border_count, 1, names, error);
    for (int i = 0; series != NULL && i < chambers.border_count; i++)
        series->values[i] = chambers.borders[i].m - 0.5;
    mm_chambers_free(&chambers);
    return series != NULL ? MM_OK : MM_ERROR_MEMORY;
}

/* Levels that are shown: up to the last that can be seen, and beyond the first chamber at least. */
static size_t count_levels_shown(const double *population, size_t levels, double g)
{
    double largest = 0;
    for (size_t n = 0; n < levels; n++)
        largest = fmax(largest, population[n]);
    size_t shown = (size_t)fmin(pow(M_PI / g, 2) + 3, (double)levels);
    for (size_t n = shown; n < levels; n++)
        if (population[n] > SMALLEST_POPULATION * largest)
            shown = n + 1;
    return shown;
}

static mm_status add_populations(const struct mm_plot_curve *curve, struct mm_panel *panel, struct mm_error *error)
{
    static const char *const names[] = {"n [1]", "population [1]"};
    const struct mm_hdf5_array *array = &curve->source->population;
    size_t levels = array->length[2];
    const double *population = &array->values[(curve->row * array->length[1] + curve->state) * levels];
    size_t shown = count_levels_shown(population, levels, curve->g);
    struct mm_series *series = mm_panel_add(panel, MM_MARK_BARS, 0, curve->label, shown, 2, names, error);
    if (series == NULL)
        return MM_ERROR_MEMORY;
    double largest = 0;
    for (size_t n = 0; n < shown; n++) {
        series->values[2 * n] = (double)n;
        series->values[2 * n + 1] = population[n];
        largest = fmax(largest, population[n]);
    }
    panel->x.text = "Fock level {/:Italic n}";
    panel->x.minimum = -0.8;
    panel->x.maximum = (double)shown - 0.2;
    panel->y.text = "population {/:Italic ρ_{nn}}";
    panel->y.minimum = 0;
    panel->y.maximum = largest > 0 ? HEADROOM * largest : 1;
    return add_borders(curve->g, panel, error);
}

/* W(x, p) of the state of a curve, [nx][np]; NULL where there is none. */
static const double *wigner_of(const struct mm_plot_curve *curve)
{
    const struct mm_hdf5_array *array = &curve->source->wigner;
    if (curve->state >= array->length[1])
        return NULL; /* the evolution has gone on since */
    const double *wigner =
        &array->values[(curve->row * array->length[1] + curve->state) * array->length[2] * array->length[3]];
    return isfinite(wigner[0]) ? wigner : NULL; /* NaN: it was not asked for */
}

static double largest_absolute(const double *values, size_t count)
{
    double largest = 0;
    for (size_t i = 0; i < count; i++)
        largest = fmax(largest, fabs(values[i]));
    return largest;
}

/* A square of phase space. */
struct window {
    double x;    /* centre */
    double p;    /* centre */
    double half; /* half its side */
};

/* Finds the square, symmetric in x, outside of which no Wigner function shown can be seen. */
static struct window find_window(const struct mm_plot_curves *curves)
{
    double x = 0;
    double lowest = INFINITY;
    double highest = -INFINITY;
    for (size_t i = 0; i < curves->count; i++) {
        const struct mm_plot_source *source = curves->curves[i].source;
        const double *wigner = wigner_of(&curves->curves[i]);
        size_t count = wigner == NULL ? 0 : source->x.count * source->p.count;
        double largest = largest_absolute(wigner, count);
        for (size_t at = 0; at < count; at++)
            if (fabs(wigner[at]) >= SMALLEST_WIGNER * largest) {
                double p = source->p.values[at % source->p.count];
                x = fmax(x, fabs(source->x.values[at / source->p.count]));
                lowest = fmin(lowest, p);
                highest = fmax(highest, p);
            }
    }
    double half = fmax(x, 0.5 * (highest - lowest)) + WINDOW_MARGIN;
    return (struct window){0, 0.5 * (highest + lowest), half};
}

static bool contains(const struct window *window, double x, double p)
{
    return fabs(x - window->x) <= window->half && fabs(p - window->p) <= window->half;
}

/* The panel of a state without Wigner function stays blank. */
static mm_status add_wigner(const struct mm_plot_curve *curve, const struct window *window, struct mm_panel *panel,
                            struct mm_error *error)
{
    static const char *const names[] = {"x [1]", "p [1]", "W(x, p) [1]"};
    const struct mm_hdf5_array *x = &curve->source->x;
    const struct mm_hdf5_array *p = &curve->source->p;
    const double *wigner = wigner_of(curve);
    size_t shown = 0;
    if (wigner == NULL)
        return MM_OK;
    for (size_t i = 0; i < x->count * p->count; i++)
        shown += contains(window, x->values[i / p->count], p->values[i % p->count]);
    struct mm_series *series = mm_panel_add(panel, MM_MARK_IMAGE, 0, curve->label, shown, 3, names, error);
    if (series == NULL)
        return MM_ERROR_MEMORY;
    double *at = series->values;
    for (size_t i = 0; i < x->count * p->count; i++) {
        if (!contains(window, x->values[i / p->count], p->values[i % p->count]))
            continue;
        *at++ = x->values[i / p->count];
        *at++ = p->values[i % p->count];
        *at++ = wigner[i];
    }
    double largest = largest_absolute(wigner, x->count * p->count);
    panel->x =
        (struct mm_figure_axis){"{/:Italic x}", false, window->x - window->half, window->x + window->half, 0, NULL};
    panel->y =
        (struct mm_figure_axis){"{/:Italic p}", false, window->p - window->half, window->p + window->half, 0, NULL};
    panel->colour =
        (struct mm_figure_axis){"{/:Italic W}({/:Italic x}, {/:Italic p})", false, -largest, largest, 0, NULL};
    panel->palette = MM_PALETTE_DIVERGING;
    panel->aspect = 1;
    return MM_OK;
}

/* -------------------------------------------------------------------------------------- choice of states */

/* The last stored state that every curve of a file can show, or else one of them at least. */
static size_t last_state(const struct mm_plot_curves *curves, const struct mm_plot_source *source, bool wigner)
{
    size_t best = source->state_k.count - 1, most = 0;
    for (size_t state = source->state_k.count; wigner && state-- > 0;) {
        size_t having = 0, all = 0;
        for (size_t i = 0; i < curves->count; i++) {
            struct mm_plot_curve curve = curves->curves[i];
            curve.state = state;
            all += curve.source == source;
            having += curve.source == source && wigner_of(&curve) != NULL;
        }
        if (having > most) {
            best = state;
            most = having;
        }
        if (most == all)
            break;
    }
    return best;
}

/* The state after k collisions. */
static mm_status find_state(const struct mm_plot_source *source, const char *path, int64_t k, size_t *state,
                            struct mm_error *error)
{
    for (*state = 0; *state < source->state_k.count; ++*state)
        if (source->state_k.values[*state] == (double)k)
            return MM_OK;
    return mm_fail(error, MM_ERROR_INPUT,
                   "%s: does not store the state after %lld collisions; 'micromaser wigner --k %lld' adds it", path,
                   (long long)k, (long long)k);
}

static mm_status choose_state(const struct mm_plot_request *request, const struct mm_plot_curves *curves,
                              const struct mm_plot_source *source, bool wigner, size_t *state,
                              struct mm_error *error)
{
    const char *path = request->paths[source - curves->sources];
    if (request->k >= 0)
        return find_state(source, path, request->k, state, error);
    *state = request->state < 0 ? last_state(curves, source, wigner) : (size_t)request->state;
    if (*state < source->state_k.count)
        return MM_OK;
    return mm_fail(error, MM_ERROR_INPUT, "%s: --state %lld: there %s %zu stored state%s, counted from 0", path,
                   (long long)request->state, source->state_k.count == 1 ? "is" : "are", source->state_k.count,
                   mm_plural((int64_t)source->state_k.count));
}

/* Refuses a figure of Wigner functions without any. */
static mm_status check_wigner(const struct mm_plot_request *request, const struct mm_plot_curves *curves,
                              struct mm_error *error)
{
    for (size_t i = 0; i < curves->count; i++)
        if (wigner_of(&curves->curves[i]) != NULL)
            return MM_OK;
    const struct mm_plot_curve *curve = &curves->curves[0];
    return mm_fail(error, MM_ERROR_INPUT,
                   "%s: no Wigner function of the state after %.0f collisions: 'micromaser wigner' adds it",
                   request->paths[curve->source - curves->sources], curve->source->state_k.values[curve->state]);
}

/* Chooses the state of every curve; unless they are asked for by number, all after as many collisions. */
static mm_status choose_states(const struct mm_plot_request *request, bool wigner, struct mm_plot_curves *curves,
                               struct mm_error *error)
{
    mm_status status = MM_OK;
    for (size_t i = 0; status == MM_OK && i < curves->count; i++) {
        struct mm_plot_curve *curve = &curves->curves[i], *first = &curves->curves[0];
        status = choose_state(request, curves, curve->source, wigner, &curve->state, error);
        if (status != MM_OK || request->state >= 0)
            continue;
        const double k = curve->source->state_k.values[curve->state];
        const double first_k = first->source->state_k.values[first->state];
        if (k != first_k)
            status =
                mm_fail(error, MM_ERROR_INPUT,
                        "%s: its last state is after %.0f collisions, and not after %.0f as in %s: give --k or "
                        "--state",
                        request->paths[curve->source - curves->sources], k, first_k,
                        request->paths[first->source - curves->sources]);
    }
    return status == MM_OK && wigner ? check_wigner(request, curves, error) : status;
}

/* Leaves out curves without Wigner function, where a figure shows nothing else of them. */
static void leave_out_blanks(struct mm_plot_curves *curves)
{
    size_t kept = 0;
    for (size_t i = 0; i < curves->count; i++)
        if (wigner_of(&curves->curves[i]) != NULL)
            curves->curves[kept++] = curves->curves[i];
    curves->count = kept;
}

/* ---------------------------------------------------------------------------------------------- figures */

/* Draws populations, Wigner functions, or both above each other, two curves side by side. */
static mm_status draw_states(const struct mm_plot_request *request, bool populations, bool wigner,
                             struct mm_figure *figure, struct mm_error *error)
{
    struct mm_plot_curves curves;
    struct window window = {0};
    unsigned needs = (populations ? MM_PLOT_POPULATIONS : 0u) | (wigner ? MM_PLOT_WIGNER : 0u);
    size_t kinds = (size_t)populations + (size_t)wigner;
    mm_status status = mm_plot_curves_read(request, needs, STATES_MAX, &curves, error);
    if (status == MM_OK)
        status = choose_states(request, wigner, &curves, error);
    if (status == MM_OK && wigner && !populations)
        leave_out_blanks(&curves);
    size_t columns = curves.count < 2 ? 1 : 2;
    size_t rows = curves.count == 0 ? 1 : (curves.count - 1) / columns + 1;
    if (status == MM_OK)
        status = mm_figure_create(figure, rows * kinds, columns, error);
    if (status == MM_OK && wigner)
        window = find_window(&curves);
    for (size_t i = 0; status == MM_OK && i < curves.count; i++) {
        struct mm_panel *first = mm_figure_panel(figure, i / columns * kinds, i % columns);
        struct mm_panel *last = mm_figure_panel(figure, i / columns * kinds + kinds - 1, i % columns);
        if (populations)
            status = add_populations(&curves.curves[i], first, error);
        if (status == MM_OK && wigner)
            status = add_wigner(&curves.curves[i], &window, last, error);
        snprintf(first->title, sizeof first->title, "%s", curves.curves[i].label);
    }
    mm_plot_curves_free(&curves);
    return status;
}

mm_status mm_plot_populations(const struct mm_plot_request *request, struct mm_figure *figure,
                              struct mm_error *error)
{
    return draw_states(request, true, false, figure, error);
}

mm_status mm_plot_wigner(const struct mm_plot_request *request, struct mm_figure *figure, struct mm_error *error)
{
    return draw_states(request, false, true, figure, error);
}

mm_status mm_plot_state(const struct mm_plot_request *request, struct mm_figure *figure, struct mm_error *error)
{
    return draw_states(request, true, true, figure, error);
}
