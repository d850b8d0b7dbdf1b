/* line_search.c - line search with guaranteed sufficient decrease (More and Thuente 1994).
 *
 * Wanted is a step t with phi(t) <= phi(0) + mu t phi'(0) (decrease) and |phi'(t)| <= eta |phi'(0)| (curvature);
 * mu = 1e-3, eta = 0.9. Trials shrink or extend an interval with ends `best` and `other`, of which `best` has the
 * lowest value and a slope that points into the interval. Until a trial has both decrease and a slope >= 0, the
 * interval belongs to the auxiliary function psi(t) = phi(t) - phi(0) - mu t phi'(0), whose minimum satisfies the
 * decrease condition.
 *
 * The next trial (section 4) is the minimum c of the cubic, or q of the quadratic (secant), through two points:
 *   1. higher value: bracketed; c if it is nearer to best than q is, else halfway between c and q;
 *   2. lower value, slope of the other sign: bracketed; of c and q the farther from the trial;
 *   3. lower value, smaller slope of the same sign: c where the cubic has its minimum beyond the trial; of c and q
 * the nearer if bracketed, the farther if not; not beyond 0.66 of a bracket;
 *   4. lower value, larger slope of the same sign: c with the other end if bracketed, else as far as allowed.
 * A bracket that has not shrunk to 0.66 in two trials is halved. One shorter than 0.1 of its end goes to its best
 * point, which is accepted.
 *
 * A trial above phi(0) can do without its slope, which may cost several times what the value does. Case 1 then
 * takes the minimum of the parabola through best and the new value, but not less than 0.3 of the way: where the
 * value jumps at a wall the parabola would creep. Such a point can only become `other`, and in case 4 a parabola
 * takes its place.
 */
#include "optimise/line_search.h"

#include <math.h>

static const double sufficient_decrease = 1e-3; /* mu */
static const double curvature_decrease = 0.9;   /* eta */
static const double bracket_width = 0.1;        /* relative width at which a bracket is given up */
static const double shrinkage = 0.66;           /* a bracket must shrink to this in two trials */
static const double retreat = 0.3;              /* least next trial after a rise of unknown slope, of its way */
static const double extrapolation_min = 1.1;    /* of the last move, where there is no bracket */
static const double extrapolation_max = 4.0;

enum mm_line_search_outcome mm_line_search_start(struct mm_line_search *search, double value, double slope,
                                                 double trial, double longest, int trials)
{
    if (!(slope < 0.0) || !isfinite(slope) || !(trial > 0.0) || !(longest >= trial) || trials < 1)
        return MM_LINE_SEARCH_FAIL;
    struct mm_step_point start = {.step = 0.0, .value = value, .slope = slope};
    *search = (struct mm_line_search){.trial = trial,
                                      .start = start,
                                      .best = start,
                                      .other = start,
                                      .bracketed = false,
                                      .auxiliary = true,
                                      .longest = longest,
                                      .trial_min = 0.0,
                                      .trial_max = trial + extrapolation_max * trial,
                                      .width = longest,
                                      .width_before = 2.0 * longest,
                                      .trials_left = trials};
    return MM_LINE_SEARCH_TRIAL;
}

/* Where the cubic through two points has its minimum, as a fraction of the way from one to the other. *bends tells
 * whether the cubic bends at all. */
static double cubic_minimum(struct mm_step_point from, struct mm_step_point to, bool *bends)
{
    double sum = 3.0 * (from.value - to.value) / (to.step - from.step) + from.slope + to.slope;
    double scale = fmax(fabs(sum), fmax(fabs(from.slope), fabs(to.slope)));
    double square = (sum / scale) * (sum / scale) - (from.slope / scale) * (to.slope / scale);
    double root = scale * sqrt(fmax(square, 0.0));
    if (to.step < from.step)
        root = -root;
    *bends = root != 0.0;
    return ((root - from.slope) + sum) / (((root - from.slope) + root) + to.slope);
}

/* Where the parabola through a point, its slope and the value of another has its minimum, as a fraction of the way.
 */
static double parabola_minimum(struct mm_step_point from, struct mm_step_point to)
{
    double chord = (from.value - to.value) / (to.step - from.step);
    return from.slope / (chord + from.slope) / 2.0;
}

/* The step some fraction of the way from one point to another. */
static double along(struct mm_step_point from, struct mm_step_point to, double fraction)
{
    return from.step + fraction * (to.step - from.step);
}

/* Where the slopes of two points extrapolate to zero. */
static double secant_minimum(struct mm_step_point from, struct mm_step_point to)
{
    return along(from, to, from.slope / (from.slope - to.slope));
}

/* Case 1: the value has risen. */
static double trial_after_rise(struct mm_step_point best, struct mm_step_point trial)
{
    bool bends;
    double fraction = parabola_minimum(best, trial);
    if (isnan(trial.slope))
        return along(best, trial, fmax(fraction, retreat));
    double cubic = along(best, trial, cubic_minimum(best, trial, &bends));
    double quadratic = along(best, trial, fraction);
    if (fabs(cubic - best.step) < fabs(quadratic - best.step))
        return cubic;
    return cubic + (quadratic - cubic) / 2.0;
}

/* Case 2: the slope has changed its sign. */
static double trial_after_turn(struct mm_step_point best, struct mm_step_point trial)
{
    bool bends;
    double cubic = along(trial, best, cubic_minimum(trial, best, &bends));
    double secant = secant_minimum(trial, best);
    return fabs(cubic - trial.step) > fabs(secant - trial.step) ? cubic : secant;
}

/* Case 3: the slope has become smaller. */
static double trial_after_flattening(const struct mm_line_search *search, struct mm_step_point best,
                                     struct mm_step_point trial)
{
    bool bends;
    bool forward = trial.step > best.step;
    double fraction = cubic_minimum(trial, best, &bends);
    double farthest = forward ? search->trial_max : search->trial_min;
    double cubic = fraction < 0.0 && bends ? along(trial, best, fraction) : farthest;
    double secant = secant_minimum(trial, best);
    bool cubic_is_nearer = fabs(cubic - trial.step) < fabs(secant - trial.step);
    if (search->bracketed) {
        double next = cubic_is_nearer ? cubic : secant;
        double limit = along(trial, search->other, shrinkage);
        return forward ? fmin(limit, next) : fmax(limit, next);
    }
    return fmin(fmax(cubic_is_nearer ? secant : cubic, search->trial_min), search->trial_max);
}

/* Case 4: the slope has become steeper. */
static double trial_after_steepening(const struct mm_line_search *search, struct mm_step_point best,
                                     struct mm_step_point trial)
{
    bool bends;
    if (search->bracketed && isnan(search->other.slope))
        return along(trial, search->other, parabola_minimum(trial, search->other));
    if (search->bracketed)
        return along(trial, search->other, cubic_minimum(trial, search->other, &bends));
    return trial.step > best.step ? search->trial_max : search->trial_min;
}

/* Chooses the next trial and updates the interval, on phi or on psi as the points are given. */
static void update_interval(struct mm_line_search *search, struct mm_step_point trial)
{
    struct mm_step_point best = search->best;
    bool turned = trial.slope * copysign(1.0, best.slope) < 0.0;
    double next;
    if (trial.value > best.value)
        next = trial_after_rise(best, trial);
    else if (turned)
        next = trial_after_turn(best, trial);
    else if (fabs(trial.slope) < fabs(best.slope))
        next = trial_after_flattening(search, best, trial);
    else
        next = trial_after_steepening(search, best, trial);

    if (trial.value > best.value) {
        search->other = trial;
    } else {
        if (turned)
            search->other = best;
        search->best = trial;
    }
    search->bracketed = search->bracketed || trial.value > best.value || turned;
    /* slopes and values near the largest double make a polynomial overflow */
    search->trial = isfinite(next) ? next : along(best, trial, 0.5);
}

/* The same point on psi (sign -1), or back on phi (sign +1). */
static struct mm_step_point tilt(const struct mm_line_search *search, struct mm_step_point point, double sign)
{
    double slope = sign * sufficient_decrease * search->start.slope;
    point.value += point.step * slope;
    point.slope += slope;
    return point;
}

static void update_auxiliary_interval(struct mm_line_search *search, struct mm_step_point trial)
{
    search->best = tilt(search, search->best, -1.0);
    search->other = tilt(search, search->other, -1.0);
    update_interval(search, tilt(search, trial, -1.0));
    search->best = tilt(search, search->best, 1.0);
    search->other = tilt(search, search->other, 1.0);
}

static bool bracket_is_spent(const struct mm_line_search *search)
{
    bool at_end = search->trial <= search->trial_min || search->trial >= search->trial_max;
    bool narrow = search->trial_max - search->trial_min <= bracket_width * search->trial_max;
    return search->bracketed && (at_end || narrow);
}

/* Keeps the trial that update_interval chose within its limits, and the bracket shrinking. */
static void safeguard_trial(struct mm_line_search *search)
{
    const struct mm_step_point *best = &search->best;
    if (search->bracketed) {
        double width = fabs(search->other.step - best->step);
        if (width >= shrinkage * search->width_before)
            search->trial = along(*best, search->other, 0.5);
        search->width_before = search->width;
        search->width = width;
        search->trial_min = fmin(best->step, search->other.step);
        search->trial_max = fmax(best->step, search->other.step);
    } else {
        search->trial_min = search->trial + extrapolation_min * (search->trial - best->step);
        search->trial_max = search->trial + extrapolation_max * (search->trial - best->step);
    }
    search->trial = fmin(fmax(search->trial, 0.0), search->longest);
    if (bracket_is_spent(search))
        search->trial = best->step;
}

/* Asks for the trial if that can still lead anywhere. */
static enum mm_line_search_outcome ask(struct mm_line_search *search)
{
    bool possible = search->trials_left > 0 && search->trial > 0.0 && isfinite(search->trial);
    return possible ? MM_LINE_SEARCH_TRIAL : MM_LINE_SEARCH_FAIL;
}

/* Judges a point that ends the search without meeting both conditions. */
static enum mm_line_search_outcome settle(const struct mm_line_search *search, struct mm_step_point point)
{
    return point.value <= search->start.value ? MM_LINE_SEARCH_ACCEPT : MM_LINE_SEARCH_FAIL;
}

enum mm_line_search_outcome mm_line_search_tell(struct mm_line_search *search, double value, double slope)
{
    struct mm_step_point point = {.step = search->trial, .value = value, .slope = slope};
    double least_slope = sufficient_decrease * search->start.slope;
    bool decreased = value <= search->start.value + point.step * least_slope;
    search->trials_left--;
    if (decreased && slope >= 0.0)
        search->auxiliary = false;
    if (decreased && fabs(slope) <= -curvature_decrease * search->start.slope)
        return MM_LINE_SEARCH_ACCEPT;
    if (decreased && point.step >= search->longest && slope <= least_slope)
        return MM_LINE_SEARCH_ACCEPT;
    if (bracket_is_spent(search))
        return settle(search, point);

    if (search->auxiliary && value <= search->best.value && !decreased)
        update_auxiliary_interval(search, point);
    else
        update_interval(search, point);
    safeguard_trial(search);
    if (search->trial == point.step) /* just told: the best of a spent bracket, or the last defined step */
        return settle(search, point);
    return ask(search);
}

enum mm_line_search_outcome mm_line_search_tell_rise(struct mm_line_search *search, double value)
{
    return mm_line_search_tell(search, value, NAN);
}

enum mm_line_search_outcome mm_line_search_tell_undefined(struct mm_line_search *search)
{
    double halfway = search->best.step + (search->trial - search->best.step) / 2.0;
    search->trials_left--;
    search->trial = halfway;
    search->bracketed = false;
    search->other = search->best;
    search->width = fabs(halfway - search->best.step);
    search->width_before = 2.0 * search->width;
    search->trial_min = fmin(halfway, search->best.step);
    search->trial_max = fmax(halfway, search->best.step);
    return ask(search);
}
