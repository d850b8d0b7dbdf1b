/* optimizer.c - L-BFGS-B as a state machine: iterations, restarts and the rules by which it stops.
 *
 * An iteration at x takes the quadratic model of optimise/limited_memory.c to a point within the bounds
 * (optimise/bound_step.c) and searches the line from x through that point (optimise/line_search.c), which stays
 * within the bounds. The accepted point is the next x, and the pair (s, y) = (step, change of the gradient) enters
 * the memory. References:
 *
 *   Byrd, Lu, Nocedal and Zhu, SIAM J. Sci. Comput. 16, 1190 (1995)
 *   Zhu, Byrd, Lu and Nocedal, ACM Trans. Math. Softw. 23, 550 (1997), Algorithm 778
 *   Morales and Nocedal, ACM Trans. Math. Softw. 38, 7 (2011)
 *   More and Thuente, ACM Trans. Math. Softw. 20, 286 (1994)
 *
 * The first trial of a line search is the minimum of the model. A model that knows little of the function may put
 * it at the far end of the bounds, from where the search goes on in another valley: trial_length keeps first trials
 * short. The line search may still lengthen its step; steps of the model that are shorter are not touched.
 *
 * After each iteration, in this order (that of SciPy): the number of iterations, the projected gradient, the
 * relative reduction of the value. The number of evaluations is checked whenever one more is wanted, so it is never
 * exceeded.
 *
 * With rough phases there are several functions, from the roughest to the exact one. Whatever would end the
 * minimisation of a rough one leads to the next one instead, and everything goes on with the same memory: they are
 * close, and so are their curvatures. The next one is begun with where the model of the last one has its minimum,
 * for that is where the next iteration would have gone. A function also ends where the model expects hardly any
 * decrease from it, instead of after an iteration that shows as much. One evaluation of those allowed is kept for
 * the exact one.
 *
 * Where the function has kinks a line search may find no acceptable step. The optimiser then goes back to the best
 * point it has seen and starts afresh from steepest descent; if that fails as well, without an iteration in
 * between, it ends. A value or gradient that is not finite only shortens the step: it enters neither x nor the
 * memory. Neither does a point above the iterate, of which the gradient need not be told.
 */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "optimise/bound_step.h"
#include "optimise/limited_memory.h"
#include "optimise/line_search.h"
#include "micromaser.h"
#include "base/dot.h"
#include "base/options.h"

enum { CORRECTIONS_MAX = 100 };

static const double longest_step_unbounded = 1e10; /* in units of the model's step */

/* What the value told next belongs to. */
enum phase {
    PHASE_START,       /* where a function is begun with: the start, or the end of a rough phase */
    PHASE_LINE_SEARCH, /* a trial of the line search */
    PHASE_FINISHED,    /* nothing more is wanted */
};

/* A point with its value and gradient. */
struct place {
    double *x;        /* [n] */
    double *gradient; /* [n] */
    double value;
};

struct mm_optimizer {
    size_t n;
    struct mm_optimizer_options options;
    bool bounded;  /* some variable has a bound */
    bool boxed;    /* every variable has two */
    int rough;     /* the rough phases that are not over */
    double *lower; /* [n] */
    double *upper; /* [n] */
    enum phase phase;
    enum mm_stop_reason reason;
    int64_t iterations;
    int64_t evaluations;
    bool restarted;       /* from steepest descent, with no iteration since */
    struct place current; /* the iterate x */
    struct place trial;   /* the point asked for */
    struct place best;    /* the lowest seen; its value is INFINITY before the first finite one */
    double *direction;    /* [n], from the iterate to the target of the step */
    double *change;       /* [n], y */
    struct mm_limited_memory memory;
    struct mm_bound_step step;
    struct mm_line_search search;
};

const char *mm_stop_reason_text(enum mm_stop_reason reason)
{
    switch (reason) {
#define MM_STOP_REASON_TEXT(name, text)                                                                            \
    case name:                                                                                                     \
        return text;
        MM_STOP_REASON_LIST(MM_STOP_REASON_TEXT)
#undef MM_STOP_REASON_TEXT
    }
    return "unknown reason";
}

void mm_optimizer_defaults(struct mm_optimizer_options *options, size_t size)
{
    const struct mm_optimizer_options defaults = {.size = size,
                                                  .ftol = 2.2e-9,
                                                  .gtol = 1e-5,
                                                  .iterations = 15000,
                                                  .evaluations = 15000,
                                                  .corrections = 10,
                                                  .line_search_steps = 20};
    memset(options, 0, size);
    memcpy(options, &defaults, size < sizeof defaults ? size : sizeof defaults);
}

/* --------------------------------------------------------------------------------------------- creation */

static mm_status check_tolerance(const char *name, double value, struct mm_error *error)
{
    if (isfinite(value) && value >= 0.0)
        return MM_OK;
    return mm_fail(error, MM_ERROR_INPUT, "optimiser: %s = %g: a finite number >= 0 is allowed", name, value);
}

static mm_status check_count(const char *name, int64_t value, int64_t most, struct mm_error *error)
{
    if (value >= 1 && value <= most)
        return MM_OK;
    return mm_fail(error, MM_ERROR_INPUT, "optimiser: %s = %lld: 1 .. %lld is allowed", name, (long long)value,
                   (long long)most);
}

static mm_status check_options(const struct mm_optimizer_options *options, struct mm_error *error)
{
    mm_status status = check_tolerance("ftol", options->ftol, error);
    if (status == MM_OK)
        status = check_tolerance("gtol", options->gtol, error);
    if (status == MM_OK)
        status = check_count("iterations", options->iterations, INT64_MAX, error);
    if (status == MM_OK)
        status = check_count("evaluations", options->evaluations, INT64_MAX, error);
    if (status == MM_OK)
        status = check_count("corrections", options->corrections, CORRECTIONS_MAX, error);
    if (status == MM_OK)
        status = check_count("line_search_steps", options->line_search_steps, INT_MAX, error);
    if (status == MM_OK)
        status = check_tolerance("trial_length", options->trial_length, error);
    if (status == MM_OK && (options->rough_phases < 0 || options->rough_phases > MM_ROUGH_PHASES_MAX))
        status = mm_fail(error, MM_ERROR_INPUT, "optimiser: rough_phases = %d: 0 .. %d is allowed",
                         options->rough_phases, MM_ROUGH_PHASES_MAX);
    for (int i = 0; i < options->rough_phases && status == MM_OK; i++) {
        status = check_tolerance("ftol of a rough phase", options->rough[i].ftol, error);
        if (status == MM_OK)
            status = check_tolerance("gtol of a rough phase", options->rough[i].gtol, error);
    }
    return status;
}

static mm_status check_variable(size_t i, double lower, double upper, double start, struct mm_error *error)
{
    if (!(lower <= upper) || lower == INFINITY || upper == -INFINITY)
        return mm_fail(
            error, MM_ERROR_INPUT,
            "optimiser: bounds %g and %g of variable %zu: lower <= upper is allowed, and -inf or inf for "
            "none",
            lower, upper, i);
    if (!isfinite(start))
        return mm_fail(error, MM_ERROR_INPUT, "optimiser: start %g of variable %zu: a finite number is allowed",
                       start, i);
    return MM_OK;
}

static void layout_place(struct place *place, size_t n, struct mm_arena *arena)
{
    place->x = mm_arena_take(arena, n, sizeof(double));
    place->gradient = mm_arena_take(arena, n, sizeof(double));
    place->value = INFINITY;
}

/* Gives every array its place in the arena. */
static void layout(struct mm_optimizer *optimizer, struct mm_arena *arena)
{
    size_t n = optimizer->n;
    size_t corrections = (size_t)optimizer->options.corrections;
    optimizer->lower = mm_arena_take(arena, n, sizeof(double));
    optimizer->upper = mm_arena_take(arena, n, sizeof(double));
    layout_place(&optimizer->current, n, arena);
    layout_place(&optimizer->trial, n, arena);
    layout_place(&optimizer->best, n, arena);
    optimizer->direction = mm_arena_take(arena, n, sizeof(double));
    optimizer->change = mm_arena_take(arena, n, sizeof(double));
    mm_limited_memory_layout(&optimizer->memory, n, corrections, arena);
    mm_bound_step_layout(&optimizer->step, n, corrections, optimizer->lower, optimizer->upper, arena);
}

/* One zeroed block with the optimiser and all its arrays; NULL if there is not enough memory. */
static struct mm_optimizer *allocate(size_t n, const struct mm_optimizer_options *options)
{
    size_t arrays = 64 + 2 * (size_t)options->corrections; /* of n doubles, more than layout takes */
    if (n > (SIZE_MAX / 2) / (arrays * sizeof(double)))
        return NULL;
    struct mm_optimizer draft = {.n = n, .options = *options};
    struct mm_arena counting = {.base = NULL, .used = 0};
    mm_arena_take(&counting, 1, sizeof draft);
    layout(&draft, &counting);
    struct mm_arena arena = {.base = aligned_alloc(MM_ARENA_ALIGNMENT, counting.used), .used = 0};
    if (arena.base == NULL)
        return NULL;
    memset(arena.base, 0, counting.used);
    struct mm_optimizer *optimizer = mm_arena_take(&arena, 1, sizeof draft);
    optimizer->n = n;
    optimizer->options = *options;
    layout(optimizer, &arena);
    return optimizer;
}

static double within_bounds(const struct mm_optimizer *optimizer, size_t i, double value)
{
    return fmin(fmax(value, optimizer->lower[i]), optimizer->upper[i]);
}

mm_status mm_optimizer_create(struct mm_optimizer **optimizer, size_t n, const double *lower, const double *upper,
                              const double *start, const struct mm_optimizer_options *options,
                              struct mm_error *error)
{
    static const size_t FIRST_SIZE = MM_OPTIONS_FIRST_SIZE(struct mm_optimizer_options, rough);
    struct mm_optimizer_options own = mm_optimizer_default_options();
    if (n == 0)
        return mm_fail(error, MM_ERROR_INPUT, "optimiser: 0 variables: at least 1 is needed");
    mm_status status = mm_options_copy("mm_optimizer_options", FIRST_SIZE, sizeof own, options, &own, error);
    if (status == MM_OK)
        status = check_options(&own, error);
    for (size_t i = 0; i < n && status == MM_OK; i++)
        status = check_variable(i, lower[i], upper[i], start[i], error);
    if (status != MM_OK)
        return status;
    struct mm_optimizer *made = allocate(n, &own);
    if (made == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "out of memory for an optimiser of %zu variables", n);
    made->boxed = true;
    for (size_t i = 0; i < n; i++) {
        made->lower[i] = lower[i];
        made->upper[i] = upper[i];
        made->trial.x[i] = made->best.x[i] = within_bounds(made, i, start[i]);
        made->bounded = made->bounded || isfinite(lower[i]) || isfinite(upper[i]);
        made->boxed = made->boxed && isfinite(lower[i]) && isfinite(upper[i]);
    }
    made->rough = own.evaluations > 1 ? own.rough_phases : 0;
    made->phase = PHASE_START;
    made->reason = MM_RUNNING;
    *optimizer = made;
    return MM_OK;
}

void mm_optimizer_free(struct mm_optimizer *optimizer)
{
    free(optimizer);
}

/* --------------------------------------------------------------------------------------------- iteration */

static void copy_place(size_t n, struct place *to, const struct place *from)
{
    memcpy(to->x, from->x, n * sizeof *to->x);
    memcpy(to->gradient, from->gradient, n * sizeof *to->gradient);
    to->value = from->value;
}

/* Largest component of P(x - g) - x. */
static double projected_gradient(const struct mm_optimizer *optimizer, const struct place *place)
{
    double largest = 0.0;
    for (size_t i = 0; i < optimizer->n; i++) {
        double g = place->gradient[i];
        double room = g < 0.0 ? optimizer->upper[i] - place->x[i] : place->x[i] - optimizer->lower[i];
        largest = fmax(largest, fmin(fabs(g), room));
    }
    return largest;
}

/* Longest step along the direction for which the bounds allow it. The first step of all has no scale yet: where
 * there are bounds it goes no further than the model's. */
static double longest_step(const struct mm_optimizer *optimizer)
{
    if (optimizer->bounded && optimizer->iterations == 0)
        return 1.0;
    double longest = longest_step_unbounded;
    for (size_t i = 0; i < optimizer->n; i++) {
        double d = optimizer->direction[i];
        const double *bound = d < 0.0 ? optimizer->lower : optimizer->upper;
        double room = fabs(bound[i] - optimizer->current.x[i]);
        if (d != 0.0 && room < longest * fabs(d))
            longest = room / fabs(d);
    }
    return longest;
}

/* First trial of a line search, in units of the model's step: the model's minimum, but not too far where its scale
 * is not known yet, or farther than the options allow. */
static double first_trial(const struct mm_optimizer *optimizer, double longest)
{
    double length = sqrt(mm_dot(optimizer->n, optimizer->direction, optimizer->direction));
    double first = 1.0;
    if (optimizer->iterations == 0 && !optimizer->boxed)
        first = fmin(1.0 / length, longest);
    if (optimizer->options.trial_length > 0.0)
        first = fmin(first, optimizer->options.trial_length / length);
    return first;
}

/* Sets the direction from the iterate to the target of the step. */
static void set_direction(struct mm_optimizer *optimizer)
{
    for (size_t i = 0; i < optimizer->n; i++)
        optimizer->direction[i] = optimizer->step.target[i] - optimizer->current.x[i];
}

/* Puts the trial so far along the direction, in units of the model's step. */
static void step_along(struct mm_optimizer *optimizer, double t)
{
    const double *x = optimizer->current.x;
    for (size_t i = 0; i < optimizer->n; i++)
        optimizer->trial.x[i] = within_bounds(optimizer, i, x[i] + t * optimizer->direction[i]);
}

/* Puts the trial where the next function is to be begun with: where the model leads from the iterate, or where it
 * has failed at the best point. */
static void place_start(struct mm_optimizer *optimizer, enum mm_stop_reason reason)
{
    const bool converged = reason == MM_CONVERGED_FTOL || reason == MM_CONVERGED_GTOL;
    const struct place *current = &optimizer->current;
    memcpy(optimizer->trial.x, optimizer->best.x, optimizer->n * sizeof *optimizer->trial.x);
    if (!converged || optimizer->memory.count == 0 ||
        !mm_bound_step_minimum(&optimizer->step, &optimizer->memory, current->x, current->gradient))
        return;
    set_direction(optimizer);
    step_along(optimizer, first_trial(optimizer, 1.0));
}

/* From rough values to better ones, exact ones if only one evaluation is left. What was said of the best point is
 * forgotten. */
static enum mm_stop_reason leave_rough_phase(struct mm_optimizer *optimizer, enum mm_stop_reason reason)
{
    const bool last = optimizer->evaluations + 1 >= optimizer->options.evaluations;
    place_start(optimizer, reason);
    optimizer->best.value = INFINITY;
    optimizer->rough = last ? 0 : optimizer->rough - 1;
    optimizer->restarted = false;
    optimizer->phase = PHASE_START;
    return MM_RUNNING;
}

/* The end, or that of a rough phase. */
static enum mm_stop_reason finish(struct mm_optimizer *optimizer, enum mm_stop_reason reason)
{
    if (optimizer->rough > 0)
        return leave_rough_phase(optimizer, reason);
    optimizer->phase = PHASE_FINISHED;
    optimizer->reason = reason;
    return reason;
}

/* Sets direction and line search of a new iteration; false if the line is no descent. */
static bool aim(struct mm_optimizer *optimizer)
{
    struct place *current = &optimizer->current;
    if (!mm_bound_step_minimum(&optimizer->step, &optimizer->memory, current->x, current->gradient)) {
        mm_limited_memory_clear(&optimizer->memory);
        mm_bound_step_cauchy(&optimizer->step, &optimizer->memory, current->x, current->gradient);
    }
    set_direction(optimizer);
    double slope = mm_dot(optimizer->n, current->gradient, optimizer->direction);
    double longest = longest_step(optimizer);
    return mm_line_search_start(&optimizer->search, current->value, slope, first_trial(optimizer, longest), longest,
                                optimizer->options.line_search_steps) == MM_LINE_SEARCH_TRIAL;
}

/* Puts the trial where the line search wants it. */
static enum mm_stop_reason place_trial(struct mm_optimizer *optimizer)
{
    const int kept = optimizer->rough > 0; /* for the exact value at the end */
    if (optimizer->evaluations + kept >= optimizer->options.evaluations)
        return finish(optimizer, MM_STOPPED_EVALUATIONS);
    double t = optimizer->search.trial;
    step_along(optimizer, t);
    if (t == 1.0) /* without the rounding that could leave a variable just beside its bound */
        memcpy(optimizer->trial.x, optimizer->step.target, optimizer->n * sizeof *optimizer->trial.x);
    optimizer->phase = PHASE_LINE_SEARCH;
    return MM_RUNNING;
}

/* After a failed line search: back to the best point with an empty memory. False if that would only repeat what has
 * just failed. */
static bool restart(struct mm_optimizer *optimizer)
{
    bool moved = optimizer->best.value < optimizer->current.value;
    if (optimizer->restarted || (optimizer->memory.count == 0 && !moved))
        return false;
    copy_place(optimizer->n, &optimizer->current, &optimizer->best);
    mm_limited_memory_clear(&optimizer->memory);
    optimizer->restarted = true;
    return true;
}

static enum mm_stop_reason begin_iteration(struct mm_optimizer *optimizer)
{
    while (!aim(optimizer))
        if (!restart(optimizer))
            return finish(optimizer, MM_STOPPED_LINE_SEARCH);
    return place_trial(optimizer);
}

/* Puts step and change of the gradient from the iterate to the trial into the memory. */
static void remember(struct mm_optimizer *optimizer)
{
    for (size_t i = 0; i < optimizer->n; i++) {
        optimizer->direction[i] = optimizer->trial.x[i] - optimizer->current.x[i];
        optimizer->change[i] = optimizer->trial.gradient[i] - optimizer->current.gradient[i];
    }
    mm_limited_memory_update(&optimizer->memory, optimizer->direction, optimizer->change);
}

/* Where the present phase ends. */
static struct mm_phase_end phase_end(const struct mm_optimizer *optimizer)
{
    const struct mm_optimizer_options *options = &optimizer->options;
    if (optimizer->rough > 0)
        return options->rough[options->rough_phases - optimizer->rough];
    return (struct mm_phase_end){options->ftol, options->gtol};
}

/* Goes on from a new iterate, unless a rule ends it there.
 * little: the iterate is hardly lower than the one before */
static enum mm_stop_reason go_on(struct mm_optimizer *optimizer, bool little)
{
    if (optimizer->iterations >= optimizer->options.iterations)
        return finish(optimizer, MM_STOPPED_ITERATIONS);
    if (projected_gradient(optimizer, &optimizer->current) <= phase_end(optimizer).gtol)
        return finish(optimizer, MM_CONVERGED_GTOL);
    return little ? finish(optimizer, MM_CONVERGED_FTOL) : begin_iteration(optimizer);
}

/* With rough phases, whether the model expects hardly any decrease from the iterate: half the slope towards its
 * minimum. It has to know the function in as many directions as there are, or as it can. */
static bool expects_little(struct mm_optimizer *optimizer)
{
    const struct mm_optimizer_options *options = &optimizer->options;
    const struct place *current = &optimizer->current;
    const size_t most = (size_t)options->corrections, known = optimizer->memory.count;
    if (options->rough_phases == 0 || known < (optimizer->n < most ? optimizer->n : most) ||
        !mm_bound_step_minimum(&optimizer->step, &optimizer->memory, current->x, current->gradient))
        return false;
    set_direction(optimizer);
    const double slope = mm_dot(optimizer->n, current->gradient, optimizer->direction);
    return -0.5 * slope <= phase_end(optimizer).ftol * fmax(fabs(current->value), 1.0);
}

/* Makes the trial the next iterate. */
static enum mm_stop_reason accept(struct mm_optimizer *optimizer)
{
    double before = optimizer->current.value;
    double after = optimizer->trial.value;
    remember(optimizer);
    copy_place(optimizer->n, &optimizer->current, &optimizer->trial);
    optimizer->iterations++;
    optimizer->restarted = false;
    const double least = phase_end(optimizer).ftol * fmax(fmax(fabs(before), fabs(after)), 1.0);
    return go_on(optimizer, before - after <= least || expects_little(optimizer));
}

static enum mm_stop_reason begin(struct mm_optimizer *optimizer, bool defined)
{
    if (!defined)
        return finish(optimizer, MM_STOPPED_LINE_SEARCH);
    copy_place(optimizer->n, &optimizer->current, &optimizer->trial);
    return go_on(optimizer, expects_little(optimizer));
}

/* What the line search makes of the trial. */
static enum mm_line_search_outcome judge(struct mm_optimizer *optimizer, bool defined)
{
    double slope = mm_dot(optimizer->n, optimizer->trial.gradient, optimizer->direction);
    return defined && isfinite(slope) ? mm_line_search_tell(&optimizer->search, optimizer->trial.value, slope)
                                      : mm_line_search_tell_undefined(&optimizer->search);
}

/* Goes where the line search leads to. */
static enum mm_stop_reason follow(struct mm_optimizer *optimizer, enum mm_line_search_outcome outcome)
{
    switch (outcome) {
    case MM_LINE_SEARCH_TRIAL:
        return place_trial(optimizer);
    case MM_LINE_SEARCH_ACCEPT:
        return accept(optimizer);
    case MM_LINE_SEARCH_FAIL:
        break;
    }
    return restart(optimizer) ? begin_iteration(optimizer) : finish(optimizer, MM_STOPPED_LINE_SEARCH);
}

enum mm_stop_reason mm_optimizer_tell(struct mm_optimizer *optimizer, double value, const double *gradient)
{
    if (optimizer->phase == PHASE_FINISHED)
        return optimizer->reason;
    optimizer->evaluations++;
    optimizer->trial.value = value;
    if (gradient == NULL && isfinite(value) && value > mm_optimizer_gradient_limit(optimizer))
        return follow(optimizer, mm_line_search_tell_rise(&optimizer->search, value));
    bool defined = gradient != NULL && isfinite(value);
    for (size_t i = 0; i < optimizer->n && defined; i++)
        defined = isfinite(gradient[i]);
    if (defined)
        memcpy(optimizer->trial.gradient, gradient, optimizer->n * sizeof *gradient);
    if (defined && value < optimizer->best.value)
        copy_place(optimizer->n, &optimizer->best, &optimizer->trial);
    return optimizer->phase == PHASE_START ? begin(optimizer, defined)
                                           : follow(optimizer, judge(optimizer, defined));
}

/* ----------------------------------------------------------------------------------------------- queries */

const double *mm_optimizer_ask(const struct mm_optimizer *optimizer)
{
    return optimizer->phase == PHASE_FINISHED ? optimizer->best.x : optimizer->trial.x;
}

double mm_optimizer_gradient_limit(const struct mm_optimizer *optimizer)
{
    return optimizer->phase == PHASE_LINE_SEARCH ? optimizer->current.value : INFINITY;
}

int mm_optimizer_rough_phases_left(const struct mm_optimizer *optimizer)
{
    return optimizer->rough;
}

enum mm_stop_reason mm_optimizer_reason(const struct mm_optimizer *optimizer)
{
    return optimizer->reason;
}

double mm_optimizer_value(const struct mm_optimizer *optimizer)
{
    return optimizer->best.value;
}

double mm_optimizer_gradient_norm(const struct mm_optimizer *optimizer)
{
    return optimizer->best.value < INFINITY ? projected_gradient(optimizer, &optimizer->best) : INFINITY;
}

int64_t mm_optimizer_iterations(const struct mm_optimizer *optimizer)
{
    return optimizer->iterations;
}

int64_t mm_optimizer_evaluations(const struct mm_optimizer *optimizer)
{
    return optimizer->evaluations;
}
