/* tridiagonal_loops.h - Householder's reduction to tridiagonal form and back, included once per instruction set.
 *
 * Step k takes column k of what is left of A to a multiple of the unit vector k+1 by H = I - tau u u^T, with
 * u_{k+1} = 1, and replaces the rest by H A H = A - u w^T - w u^T, where p = tau A u and w = p - (tau/2) (p^T u) u
 * (Golub and Van Loan, Matrix Computations, 8.3.1).
 *
 * The next column needs only itself to be brought up to date; the rest waits for the product with the next u, so
 * that one pass over what is left does both: four multiply-adds, one load and one store an element of the lower
 * half. Diagonal blocks are kept whole, so that vectors need no masks. The entries of u, v and w are zero where A
 * is done.
 */
#include <math.h>
#include <string.h>

#include "solver/band_layout.h"
#include "base/lanes.h"
#include "solver/spectrum.h"
#include "spectrum/tridiagonal.h"

enum {
    COLUMNS_AT_ONCE = 4,
    /* In the transformation back: what the sixteen registers of AVX2 hold, or the 32 of AVX-512. */
    REFLECTORS_AT_ONCE = 4,
    BACK_VECTORS = MM_VECTOR_LENGTH == 8 ? 4 : 2,
};

/** Vectors of a pass. The update from the last step is A - v w^T - w v^T, the product wanted p = A u. */
struct pass {
    const struct mm_tridiagonal *target;
    int rows; /* levels in whole blocks */
    double *v;
    double *w;
    double *u;
    double *p;
};

/** A diagonal block: p gets what it gives to its own rows. */
MM_INLINE void pass_diagonal(const struct pass *pass, int block)
{
    for (int i = block; i < block + MM_COLUMN_BLOCK; i += MM_VECTOR_LENGTH) {
        const mm_vector v = load(pass->v + i), w = load(pass->w + i);
        mm_vector p = load(pass->p + i);
        for (int column = block; column < block + MM_COLUMN_BLOCK; column++) {
            double *place = pass->target->matrix + (size_t)column * pass->target->stride + i;
            const mm_vector element = load(place) - v * pass->w[column] - w * pass->v[column];
            store(place, element);
            p += element * pass->u[column];
        }
        store(pass->p + i, p);
    }
}

/** Some columns below their diagonal block: p gets what they give to their rows, and by symmetry to their columns.
 */
MM_INLINE void pass_below(const struct pass *pass, int column, int first_row)
{
    const size_t stride = pass->target->stride;
    double *matrix = pass->target->matrix + (size_t)column * stride;
    double v_column[COLUMNS_AT_ONCE], w_column[COLUMNS_AT_ONCE], u_column[COLUMNS_AT_ONCE];
    const mm_vector zero = {0};
    mm_vector sums[COLUMNS_AT_ONCE];
    for (int c = 0; c < COLUMNS_AT_ONCE; c++) {
        sums[c] = zero; /* an initialiser of all would become a loop over bytes */
        v_column[c] = pass->v[column + c];
        w_column[c] = pass->w[column + c];
        u_column[c] = pass->u[column + c];
    }
    for (int i = first_row; i < pass->rows; i += MM_VECTOR_LENGTH) {
        const mm_vector v = load(pass->v + i), w = load(pass->w + i), u = load(pass->u + i);
        mm_vector p = load(pass->p + i);
        for (int c = 0; c < COLUMNS_AT_ONCE; c++) {
            double *place = matrix + (size_t)c * stride + i;
            const mm_vector element = load(place) - v * w_column[c] - w * v_column[c];
            store(place, element);
            p += element * u_column[c];
            sums[c] += element * u;
        }
        store(pass->p + i, p);
    }
    double down[COLUMNS_AT_ONCE];
    sum_four(sums, down);
    for (int c = 0; c < COLUMNS_AT_ONCE; c++)
        pass->p[column + c] += down[c];
}

/** Brings everything from column `first` on up to date, and p = A u for it. */
static void run_pass(const struct pass *pass, int first)
{
    const int start = first / MM_COLUMN_BLOCK * MM_COLUMN_BLOCK;
    memset(pass->p + start, 0, (size_t)(pass->rows - start) * sizeof(double));
    for (int block = start; block < pass->rows; block += MM_COLUMN_BLOCK) {
        pass_diagonal(pass, block);
        for (int column = block; column < block + MM_COLUMN_BLOCK; column += COLUMNS_AT_ONCE)
            pass_below(pass, column, block + MM_COLUMN_BLOCK);
    }
}

static double dot(int first, int rows, const double *a, const double *b)
{
    mm_vector sum = {0};
    for (int i = first / MM_COLUMN_BLOCK * MM_COLUMN_BLOCK; i < rows; i += MM_VECTOR_LENGTH)
        sum += load(a + i) * load(b + i);
    return sum_lanes(sum);
}

/** Brings column k up to date in u, and takes v and w out of what is done. */
static void take_column(const struct pass *pass, int k)
{
    const double *column = pass->target->matrix + (size_t)k * pass->target->stride;
    const double v = pass->v[k], w = pass->w[k];
    for (int i = k / MM_COLUMN_BLOCK * MM_COLUMN_BLOCK; i < pass->rows; i += MM_VECTOR_LENGTH)
        store(pass->u + i, load(column + i) - load(pass->v + i) * w - load(pass->w + i) * v);
    pass->target->diagonal[k] = pass->u[k];
    for (int i = k / MM_COLUMN_BLOCK * MM_COLUMN_BLOCK; i <= k; i++)
        pass->u[i] = pass->v[i] = pass->w[i] = 0.0;
}

/** Makes the reflector of column k of u, and keeps it. */
static void make_reflector(const struct pass *pass, int k)
{
    const struct mm_tridiagonal *target = pass->target;
    const double first = pass->u[k + 1];
    pass->u[k + 1] = 0.0;
    const double square = dot(k + 1, pass->rows, pass->u, pass->u);
    const struct mm_reflector reflector = mm_find_reflector(first, square);
    target->below[k] = reflector.below;
    target->scales[k] = reflector.tau;
    for (int i = (k + 1) / MM_COLUMN_BLOCK * MM_COLUMN_BLOCK; i < pass->rows; i += MM_VECTOR_LENGTH)
        store(pass->u + i, load(pass->u + i) * reflector.scale);
    pass->u[k + 1] = reflector.scale != 0.0 ? 1.0 : 0.0;
    const int start = k / MM_COLUMN_BLOCK * MM_COLUMN_BLOCK;
    memcpy(target->matrix + (size_t)k * target->stride + start, pass->u + start,
           (size_t)(pass->rows - start) * sizeof(double));
}

/** Makes w of p, for the next update. */
static void make_update(const struct pass *pass, int k)
{
    const double tau = pass->target->scales[k];
    const int start = (k + 1) / MM_COLUMN_BLOCK * MM_COLUMN_BLOCK;
    for (int i = start; i <= k; i++)
        pass->p[i] = 0.0;
    const double share = 0.5 * tau * tau * dot(k + 1, pass->rows, pass->p, pass->u);
    for (int i = start; i < pass->rows; i += MM_VECTOR_LENGTH)
        store(pass->w + i, load(pass->p + i) * tau - load(pass->u + i) * share);
}

static void tridiagonalize(const struct mm_tridiagonal *target)
{
    const int last = target->levels - 1;
    struct pass pass = {target,
                        mm_band_columns(target->levels),
                        target->scratch,
                        target->scratch + target->stride,
                        target->scratch + 2 * target->stride,
                        target->scratch + 3 * target->stride};
    memset(target->scratch, 0, MM_TRIDIAGONAL_VECTORS * target->stride * sizeof(double));
    for (int k = 0; k < last; k++) {
        take_column(&pass, k);
        make_reflector(&pass, k);
        run_pass(&pass, k + 1);
        make_update(&pass, k);
        double *const done = pass.v;
        pass.v = pass.u;
        pass.u = done;
    }
    take_column(&pass, last);
}

/** Reflectors that are applied together, those of the columns first + 3 .. first of the reduced matrix, in this
 * order. They begin in the same block of rows. */
struct reflectors {
    const double *u[REFLECTORS_AT_ONCE];
    double scales[REFLECTORS_AT_ONCE];
    double products[REFLECTORS_AT_ONCE]
                   [REFLECTORS_AT_ONCE]; /* u_i^T u_j, i < j: by these the later see the earlier */
    int start;                           /* first row of the block */
};

/** @param zeros  stands for reflectors beyond the last one */
static struct reflectors gather_reflectors(const struct mm_tridiagonal *reduced, int first, const double *zeros)
{
    const int rows = mm_band_columns(reduced->levels);
    struct reflectors group;
    group.start = first / MM_COLUMN_BLOCK * MM_COLUMN_BLOCK;
    for (int i = 0; i < REFLECTORS_AT_ONCE; i++) {
        const int k = first + REFLECTORS_AT_ONCE - 1 - i;
        const bool exists = k < reduced->levels - 1;
        group.u[i] = exists ? reduced->matrix + (size_t)k * reduced->stride : zeros;
        group.scales[i] = exists ? reduced->scales[k] : 0.0;
        for (int j = 0; j < i; j++)
            group.products[j][i] = dot(group.start, rows, group.u[j], group.u[i]);
    }
    return group;
}

/** All of them on some columns of Z. */
MM_INLINE void reflect(const struct reflectors *group, int rows, size_t stride, double *columns)
{
    const mm_vector zero = {0};
    mm_vector shares[BACK_VECTORS][REFLECTORS_AT_ONCE];
    for (int v = 0; v < BACK_VECTORS; v++)
        for (int r = 0; r < REFLECTORS_AT_ONCE; r++)
            shares[v][r] = zero;
    for (int i = group->start; i < rows; i++)
        for (int v = 0; v < BACK_VECTORS; v++) {
            const mm_vector element = load(columns + (size_t)i * stride + (size_t)v * MM_VECTOR_LENGTH);
            for (int r = 0; r < REFLECTORS_AT_ONCE; r++)
                shares[v][r] += element * group->u[r][i];
        }
    for (int v = 0; v < BACK_VECTORS; v++)
        for (int r = 0; r < REFLECTORS_AT_ONCE; r++) {
            for (int earlier = 0; earlier < r; earlier++)
                shares[v][r] -= shares[v][earlier] * group->products[earlier][r];
            shares[v][r] *= group->scales[r];
        }
    for (int i = group->start; i < rows; i++) {
        double u[REFLECTORS_AT_ONCE]; /* which the stores could change, for all that the compiler knows */
        for (int r = 0; r < REFLECTORS_AT_ONCE; r++)
            u[r] = group->u[r][i];
        for (int v = 0; v < BACK_VECTORS; v++) {
            double *place = columns + (size_t)i * stride + (size_t)v * MM_VECTOR_LENGTH;
            mm_vector element = load(place);
            for (int r = 0; r < REFLECTORS_AT_ONCE; r++)
                element -= shares[v][r] * u[r];
            store(place, element);
        }
    }
}

/** Z = Q Z, the last reflectors first. */
static void transform_back(const struct mm_tridiagonal *reduced, double *vectors, size_t stride, int columns)
{
    const int last = (reduced->levels - 2) / REFLECTORS_AT_ONCE * REFLECTORS_AT_ONCE;
    memset(reduced->scratch, 0, reduced->stride * sizeof(double));
    for (int first = reduced->levels > 1 ? last : -1; first >= 0; first -= REFLECTORS_AT_ONCE) {
        const struct reflectors group = gather_reflectors(reduced, first, reduced->scratch);
        for (int column = 0; column < columns; column += BACK_VECTORS * MM_VECTOR_LENGTH)
            reflect(&group, reduced->levels, stride, vectors + column);
    }
}
