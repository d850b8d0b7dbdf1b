/* bound_step.c - approximate minimum of the quadratic model within the bounds, in two stages.
 *
 * Model: q(z) = g.(z - x) + (z - x)^T B (z - x) / 2 with the compact B = theta I - W M W^T of
 * optimise/limited_memory.c.
 *
 * 1. Generalised Cauchy point (Byrd, Lu, Nocedal and Zhu 1995, section 4): the first local minimum of q along the
 * projected gradient path x(t) = P(x - t g). The path bends at the breakpoints t_i where variable i meets its
 * bound. Between two of them it is straight with direction d (-g_i where not yet at a bound, else 0), and with p =
 * W^T d and c = W^T (x(t) - x)
 *
 *     q'  = g.d + theta (x(t) - x).d - p.M c,     q'' = theta d.d - p.M p.
 *
 * When variable b stops, with d_b its direction, z_b its displacement and w_b its row of W, a leg of length h ends:
 *
 *     c += h p,   q'  += h q'' + d_b^2 - theta d_b z_b + d_b w_b.M c,
 *                 q'' -= theta d_b^2 - 2 d_b w_b.M p + d_b^2 w_b.M w_b,   p -= d_b w_b
 *
 * (p on the right is the old one), in O(m^2) for each breakpoint. A heap gives the breakpoints in order; few are
 * usually needed.
 *
 * 2. Subspace minimum (section 5.1): with the other variables held at the Cauchy point z, the free ones move by
 *
 *     v = (Z^T B Z)^-1 r,     r = - Z^T (g + theta (z - x) - W M c)
 *
 * and the result is P(z + v) if it lies downhill from x, else z + a v with the largest a <= 1 that stays within the
 * bounds (Morales and Nocedal 2011).
 */
#include "optimise/bound_step.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/dot.h"

/* The model along the present leg of the path. */
struct leg {
    double start;     /* path parameter t at its start */
    double slope;     /* q' there */
    double curvature; /* q'' */
};

void mm_bound_step_layout(struct mm_bound_step *step, size_t n, size_t capacity, const double *lower,
                          const double *upper, struct mm_arena *arena)
{
    step->n = n;
    step->lower = lower;
    step->upper = upper;
    step->target = mm_arena_take(arena, n, sizeof(double));
    step->direction = mm_arena_take(arena, n, sizeof(double));
    step->residual = mm_arena_take(arena, n, sizeof(double));
    step->breakpoint = mm_arena_take(arena, n, sizeof(double));
    step->path = mm_arena_take(arena, 2 * capacity, sizeof(double));
    step->cauchy = mm_arena_take(arena, 2 * capacity, sizeof(double));
    step->row = mm_arena_take(arena, 2 * capacity, sizeof(double));
    step->product = mm_arena_take(arena, 2 * capacity, sizeof(double));
    step->queue = mm_arena_take(arena, n, sizeof(size_t));
    step->is_free = mm_arena_take(arena, n, sizeof(bool));
}

static double within(const struct mm_bound_step *step, size_t i, double value)
{
    return fmin(fmax(value, step->lower[i]), step->upper[i]);
}

/* True if variable a meets its bound before b; the number decides a tie, so that the order is always the same. */
static bool is_earlier(const struct mm_bound_step *step, size_t a, size_t b)
{
    if (step->breakpoint[a] != step->breakpoint[b])
        return step->breakpoint[a] < step->breakpoint[b];
    return a < b;
}

/* Restores the heap below one of its places. */
static void sift_down(struct mm_bound_step *step, size_t length, size_t place)
{
    size_t *queue = step->queue;
    size_t variable = queue[place];
    for (size_t child = 2 * place + 1; child < length; child = 2 * place + 1) {
        if (child + 1 < length && is_earlier(step, queue[child + 1], queue[child]))
            child++;
        if (!is_earlier(step, queue[child], variable))
            break;
        queue[place] = queue[child];
        place = child;
    }
    queue[place] = variable;
}

/* Takes the earliest breakpoint out of a heap of *length > 0. */
static size_t next_breakpoint(struct mm_bound_step *step, size_t *length)
{
    size_t variable = step->queue[0];
    step->queue[0] = step->queue[--*length];
    if (*length > 0)
        sift_down(step, *length, 0);
    return variable;
}

/* Sets directions, free variables and breakpoints at the start of the path. Returns the breakpoints ahead. */
static size_t start_path(struct mm_bound_step *step, const double *x, const double *gradient)
{
    size_t ahead = 0;
    for (size_t i = 0; i < step->n; i++) {
        double room = gradient[i] > 0.0 ? x[i] - step->lower[i] : step->upper[i] - x[i];
        bool at_bound = x[i] <= step->lower[i] || x[i] >= step->upper[i];
        step->is_free[i] = gradient[i] == 0.0 ? !at_bound : room > 0.0;
        step->direction[i] = step->is_free[i] ? -gradient[i] : 0.0;
        if (step->direction[i] == 0.0)
            continue;
        step->breakpoint[i] = room / fabs(gradient[i]);
        if (step->breakpoint[i] < INFINITY)
            step->queue[ahead++] = i;
    }
    for (size_t place = ahead / 2; place-- > 0;)
        sift_down(step, ahead, place);
    return ahead;
}

/* Model on the first leg; step->path and step->cauchy are set. */
static struct leg first_leg(struct mm_bound_step *step, const struct mm_limited_memory *memory)
{
    size_t columns = 2 * memory->count;
    double square = mm_dot(step->n, step->direction, step->direction);
    mm_limited_memory_project(memory, step->direction, step->path);
    memset(step->cauchy, 0, columns * sizeof(double));
    memcpy(step->product, step->path, columns * sizeof(double));
    mm_limited_memory_apply_middle(memory, step->product);
    return (struct leg){.start = 0.0,
                        .slope = -square,
                        .curvature = memory->theta * square - mm_dot(columns, step->path, step->product)};
}

/* Ends a leg of some length where a variable stops at its bound, and gives the next one. */
static struct leg stop_variable(struct mm_bound_step *step, const struct mm_limited_memory *memory, struct leg leg,
                                double length, size_t variable, double displacement)
{
    size_t columns = 2 * memory->count;
    double d = step->direction[variable];
    for (size_t k = 0; k < columns; k++)
        step->cauchy[k] += length * step->path[k];
    mm_limited_memory_row(memory, variable, step->row);
    memcpy(step->product, step->row, columns * sizeof(double));
    mm_limited_memory_apply_middle(memory, step->product);
    struct leg next = {.start = step->breakpoint[variable],
                       .slope = leg.slope + length * leg.curvature + d * d - memory->theta * d * displacement,
                       .curvature = leg.curvature - memory->theta * d * d};
    next.slope += d * mm_dot(columns, step->product, step->cauchy);
    next.curvature += 2.0 * d * mm_dot(columns, step->product, step->path);
    next.curvature -= d * d * mm_dot(columns, step->product, step->row);
    for (size_t k = 0; k < columns; k++)
        step->path[k] -= d * step->row[k];
    step->direction[variable] = 0.0;
    step->is_free[variable] = false;
    return next;
}

/* Moves all variables that have not met their bounds to the end of the path, `length` along its last leg. */
static void finish_path(struct mm_bound_step *step, const struct mm_limited_memory *memory, const double *x,
                        struct leg leg, double length)
{
    for (size_t i = 0; i < step->n; i++)
        if (step->direction[i] != 0.0)
            step->target[i] = within(step, i, x[i] + (leg.start + length) * step->direction[i]);
    for (size_t k = 0; k < 2 * memory->count; k++)
        step->cauchy[k] += length * step->path[k];
}

void mm_bound_step_cauchy(struct mm_bound_step *step, const struct mm_limited_memory *memory, const double *x,
                          const double *gradient)
{
    memcpy(step->target, x, step->n * sizeof *x);
    size_t ahead = start_path(step, x, gradient);
    struct leg leg = first_leg(step, memory);
    size_t moving = 0;
    for (size_t i = 0; i < step->n; i++)
        moving += step->direction[i] != 0.0;
    /* rounding must not turn the curvature of a positive definite model to zero or below */
    double least_curvature = DBL_EPSILON * leg.curvature;
    while (ahead > 0 && moving > 0) {
        double length = step->breakpoint[step->queue[0]] - leg.start;
        if (-leg.slope < length * leg.curvature)
            break;
        size_t variable = next_breakpoint(step, &ahead);
        step->target[variable] = step->direction[variable] > 0.0 ? step->upper[variable] : step->lower[variable];
        leg = stop_variable(step, memory, leg, length, variable, step->target[variable] - x[variable]);
        leg.curvature = fmax(leg.curvature, least_curvature);
        moving--;
    }
    double length = moving > 0 ? fmax(-leg.slope / leg.curvature, 0.0) : 0.0;
    finish_path(step, memory, x, leg, length);
}

/* residual := r, the reduced gradient with its sign turned, at the Cauchy point. Uses up step->cauchy. */
static void reduced_residual(struct mm_bound_step *step, const struct mm_limited_memory *memory, const double *x,
                             const double *gradient)
{
    for (size_t i = 0; i < step->n; i++)
        step->residual[i] = -gradient[i] - memory->theta * (step->target[i] - x[i]);
    mm_limited_memory_apply_middle(memory, step->cauchy);
    mm_limited_memory_expand(memory, step->cauchy, step->residual);
    for (size_t i = 0; i < step->n; i++)
        if (!step->is_free[i])
            step->residual[i] = 0.0;
}

/* Largest a <= 1 for which target + a direction stays within the bounds, and in *stopped the variable that meets
 * its bound there (n if none does). */
static double longest_step(const struct mm_bound_step *step, size_t *stopped)
{
    double longest = 1.0;
    *stopped = step->n;
    for (size_t i = 0; i < step->n; i++) {
        double d = step->direction[i];
        double room = (d > 0.0 ? step->upper[i] : step->lower[i]) - step->target[i];
        if (d != 0.0 && fabs(room) < longest * fabs(d)) {
            longest = room / d;
            *stopped = i;
        }
    }
    return longest;
}

/* Moves the target along the direction as far as the bounds allow. */
static void truncate_at_bounds(struct mm_bound_step *step)
{
    size_t stopped;
    double longest = longest_step(step, &stopped);
    for (size_t i = 0; i < step->n; i++)
        step->target[i] = within(step, i, step->target[i] + longest * step->direction[i]);
    if (stopped < step->n)
        step->target[stopped] = step->direction[stopped] > 0.0 ? step->upper[stopped] : step->lower[stopped];
}

/* Moves the target by the direction: projected onto the bounds if that is downhill from x, else truncated. */
static void move_within_bounds(struct mm_bound_step *step, const double *x, const double *gradient)
{
    double slope = 0.0;
    bool projected = false;
    for (size_t i = 0; i < step->n; i++) {
        double wanted = step->target[i] + step->direction[i];
        double allowed = within(step, i, wanted);
        projected = projected || allowed != wanted;
        slope += (allowed - x[i]) * gradient[i];
    }
    if (projected && slope > 0.0) {
        truncate_at_bounds(step);
        return;
    }
    for (size_t i = 0; i < step->n; i++)
        step->target[i] = within(step, i, step->target[i] + step->direction[i]);
}

bool mm_bound_step_minimum(struct mm_bound_step *step, struct mm_limited_memory *memory, const double *x,
                           const double *gradient)
{
    mm_bound_step_cauchy(step, memory, x, gradient);
    size_t free_count = 0;
    for (size_t i = 0; i < step->n; i++)
        free_count += step->is_free[i];
    if (memory->count == 0 || free_count == 0)
        return true;
    if (!mm_limited_memory_restrict(memory, step->is_free))
        return false;
    reduced_residual(step, memory, x, gradient);
    mm_limited_memory_solve(memory, step->residual, step->product, step->direction);
    move_within_bounds(step, x, gradient);
    return true;
}
