/* limited_memory.c - the limited-memory BFGS matrix in compact form (Byrd, Nocedal and Schnabel 1994).
 *
 * The pairs s_k = x_{k+1} - x_k, y_k = g_{k+1} - g_k of the last iterations are the columns of S and Y. With
 * D = diag(s_k . y_k), L the part of S^T Y strictly below the diagonal, and theta = y.y / s.y of the newest pair,
 *
 *     B = theta I - W M W^T,    W = [Y, theta S],    M^-1 = [ -D  L^T           ]
 *                                                           [  L  theta S^T S   ]
 *
 * is the matrix that BFGS updates starting at theta I would give. Over the free variables, whose unit vectors are
 * the columns of Z (those of A belong to the others), the Sherman-Morrison-Woodbury formula inverts it:
 *
 *     (Z^T B Z)^-1 = I / theta + Z^T W K^-1 W^T Z / theta^2,
 *     K = M^-1 - W^T Z Z^T W / theta = [ -D - Y^T Z Z^T Y / theta   E^T                ]
 *                                      [  E                         theta S^T A A^T S  ]
 *     E_ab = (S^T A A^T Y)_ab where a is newer than b, else -(S^T Z Z^T Y)_ab
 *
 * (Byrd, Lu, Nocedal and Zhu 1995, section 5; this K is free of cancellation). Both M^-1 and K are saddle matrices.
 * The sums in K are kept from one iteration to the next and corrected for the variables that have changed sides: on
 * becoming free a variable adds y_a y_b to Y^T Z Z^T Y, takes s_a s_b from S^T A A^T S and s_a y_b from E.
 */
#include "optimise/limited_memory.h"

#include <float.h>
#include <string.h>

#include "base/dot.h"

void mm_limited_memory_layout(struct mm_limited_memory *memory, size_t n, size_t capacity, struct mm_arena *arena)
{
    size_t square = capacity * capacity;
    memory->n = n;
    memory->capacity = capacity;
    memory->s = mm_arena_take(arena, capacity * n, sizeof(double));
    memory->y = mm_arena_take(arena, capacity * n, sizeof(double));
    memory->ss = mm_arena_take(arena, square, sizeof(double));
    memory->sy = mm_arena_take(arena, square, sizeof(double));
    memory->free_yy = mm_arena_take(arena, square, sizeof(double));
    memory->active_ss = mm_arena_take(arena, square, sizeof(double));
    memory->split_sy = mm_arena_take(arena, square, sizeof(double));
    mm_saddle_matrix_layout(&memory->middle, capacity, arena);
    mm_saddle_matrix_layout(&memory->reduced, capacity, arena);
    memory->is_free = mm_arena_take(arena, n, sizeof(bool));
    mm_limited_memory_clear(memory);
    if (memory->is_free != NULL)
        memset(memory->is_free, true, n * sizeof(bool));
}

void mm_limited_memory_clear(struct mm_limited_memory *memory)
{
    memory->count = 0;
    memory->oldest = 0;
    memory->theta = 1.0;
}

/* Slot of a pair by its age, 0 for the oldest. */
static size_t slot_of(const struct mm_limited_memory *memory, size_t rank)
{
    return (memory->oldest + rank) % memory->capacity;
}

/* Element of a matrix by slots, named by the ranks of two pairs. */
static double *element(const struct mm_limited_memory *memory, double *matrix, size_t row_rank, size_t column_rank)
{
    return matrix + slot_of(memory, row_rank) * memory->capacity + slot_of(memory, column_rank);
}

static double *step_of(const struct mm_limited_memory *memory, size_t rank)
{
    return memory->s + slot_of(memory, rank) * memory->n;
}

static double *change_of(const struct mm_limited_memory *memory, size_t rank)
{
    return memory->y + slot_of(memory, rank) * memory->n;
}

/* Sum of a_i b_i over the variables that are free, or over those that are not. */
static double dot_where(const struct mm_limited_memory *memory, bool side, const double *a, const double *b)
{
    double sum = 0.0;
    for (size_t i = 0; i < memory->n; i++)
        sum += memory->is_free[i] == side ? a[i] * b[i] : 0.0;
    return sum;
}

/* Fills the rows and columns of all matrices of products that belong to the newest pair. */
static void add_products(struct mm_limited_memory *memory)
{
    size_t newest = memory->count - 1;
    const double *s = step_of(memory, newest);
    const double *y = change_of(memory, newest);
    for (size_t k = 0; k <= newest; k++) {
        const double *other_s = step_of(memory, k);
        const double *other_y = change_of(memory, k);
        *element(memory, memory->sy, newest, k) = mm_dot(memory->n, s, other_y);
        *element(memory, memory->ss, newest, k) = mm_dot(memory->n, s, other_s);
        *element(memory, memory->free_yy, newest, k) = dot_where(memory, true, y, other_y);
        *element(memory, memory->active_ss, newest, k) = dot_where(memory, false, s, other_s);
        if (k < newest)
            *element(memory, memory->split_sy, newest, k) = dot_where(memory, false, s, other_y);
        *element(memory, memory->split_sy, k, newest) = -dot_where(memory, true, other_s, y);
    }
}

/* Forms and factors M^-1. Row ranks run over the newer pair: only those elements of ss and sy are kept. */
static bool factor_middle(struct mm_limited_memory *memory)
{
    struct mm_saddle_matrix *middle = &memory->middle;
    middle->size = memory->count;
    for (size_t i = 0; i < memory->count; i++) {
        for (size_t j = 0; j < memory->count; j++) {
            size_t at = i * middle->capacity + j;
            middle->a[at] = i == j ? *element(memory, memory->sy, i, i) : 0.0;
            middle->b[at] = i > j ? *element(memory, memory->sy, i, j) : 0.0;
            middle->c[at] = i >= j ? memory->theta * *element(memory, memory->ss, i, j) : 0.0;
        }
    }
    return mm_saddle_matrix_factor(middle);
}

void mm_limited_memory_update(struct mm_limited_memory *memory, const double *s, const double *y)
{
    double curvature = mm_dot(memory->n, s, y);
    double change = mm_dot(memory->n, y, y);
    if (!(curvature > DBL_EPSILON * change))
        return;
    if (memory->count == memory->capacity)
        memory->oldest = slot_of(memory, 1);
    else
        memory->count++;
    memcpy(step_of(memory, memory->count - 1), s, memory->n * sizeof *s);
    memcpy(change_of(memory, memory->count - 1), y, memory->n * sizeof *y);
    memory->theta = change / curvature;
    add_products(memory);
    if (!factor_middle(memory))
        mm_limited_memory_clear(memory);
}

void mm_limited_memory_project(const struct mm_limited_memory *memory, const double *vector, double *result)
{
    for (size_t k = 0; k < memory->count; k++) {
        result[k] = mm_dot(memory->n, change_of(memory, k), vector);
        result[memory->count + k] = memory->theta * mm_dot(memory->n, step_of(memory, k), vector);
    }
}

void mm_limited_memory_expand(const struct mm_limited_memory *memory, const double *coefficients, double *vector)
{
    for (size_t k = 0; k < memory->count; k++) {
        const double *s = step_of(memory, k);
        const double *y = change_of(memory, k);
        double of_y = coefficients[k];
        double of_s = memory->theta * coefficients[memory->count + k];
        for (size_t i = 0; i < memory->n; i++)
            vector[i] += of_y * y[i] + of_s * s[i];
    }
}

void mm_limited_memory_row(const struct mm_limited_memory *memory, size_t variable, double *row)
{
    for (size_t k = 0; k < memory->count; k++) {
        row[k] = change_of(memory, k)[variable];
        row[memory->count + k] = memory->theta * step_of(memory, k)[variable];
    }
}

void mm_limited_memory_apply_middle(const struct mm_limited_memory *memory, double *vector)
{
    if (memory->count > 0)
        mm_saddle_matrix_solve(&memory->middle, vector);
}

/* Corrects the sums for one variable that becomes free (sign +1) or ceases to be (sign -1). */
static void move_variable(struct mm_limited_memory *memory, size_t variable, double sign)
{
    for (size_t a = 0; a < memory->count; a++) {
        double s = sign * step_of(memory, a)[variable];
        double y = sign * change_of(memory, a)[variable];
        for (size_t b = 0; b < memory->count; b++) {
            *element(memory, memory->split_sy, a, b) -= s * change_of(memory, b)[variable];
            if (b <= a) {
                *element(memory, memory->free_yy, a, b) += y * change_of(memory, b)[variable];
                *element(memory, memory->active_ss, a, b) -= s * step_of(memory, b)[variable];
            }
        }
    }
}

/* Forms and factors K from the sums over the present split. */
static bool factor_reduced(struct mm_limited_memory *memory)
{
    struct mm_saddle_matrix *reduced = &memory->reduced;
    reduced->size = memory->count;
    for (size_t i = 0; i < memory->count; i++) {
        for (size_t j = 0; j < memory->count; j++) {
            size_t at = i * reduced->capacity + j;
            reduced->b[at] = *element(memory, memory->split_sy, i, j);
            if (j <= i) {
                reduced->a[at] = *element(memory, memory->free_yy, i, j) / memory->theta;
                reduced->c[at] = memory->theta * *element(memory, memory->active_ss, i, j);
            }
        }
        reduced->a[i * reduced->capacity + i] += *element(memory, memory->sy, i, i);
    }
    return mm_saddle_matrix_factor(reduced);
}

bool mm_limited_memory_restrict(struct mm_limited_memory *memory, const bool *is_free)
{
    for (size_t i = 0; i < memory->n; i++) {
        if (is_free[i] != memory->is_free[i])
            move_variable(memory, i, is_free[i] ? 1.0 : -1.0);
        memory->is_free[i] = is_free[i];
    }
    return factor_reduced(memory);
}

void mm_limited_memory_solve(const struct mm_limited_memory *memory, const double *vector, double *coefficients,
                             double *result)
{
    double theta = memory->theta;
    mm_limited_memory_project(memory, vector, coefficients);
    mm_saddle_matrix_solve(&memory->reduced, coefficients);
    for (size_t k = 0; k < 2 * memory->count; k++)
        coefficients[k] /= theta * theta;
    for (size_t i = 0; i < memory->n; i++)
        result[i] = vector[i] / theta;
    mm_limited_memory_expand(memory, coefficients, result);
    for (size_t i = 0; i < memory->n; i++)
        if (!memory->is_free[i])
            result[i] = 0.0;
}
