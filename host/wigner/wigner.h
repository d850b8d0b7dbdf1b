/* wigner.h - the parts of the Wigner function: the series of a state, the points of a grid, the loops over both.
 *
 * For n >= m the Wigner function of |n><m| is, with z = sqrt 2 (-p + ix), t = |z|^2 and the real gauge's (-i)^(n-m)
 * taken in, z^d times a radial function, d = n - m. With rho_nm = (-i)^(n-m) R_nm it follows that
 *
 *     W(x, p) = (1/pi) sum_d (2 - delta_d0) Re(z^d) t^(-d/2) sum_m (-1)^m R_{m+d,m} phi_m(t)
 *     phi_m(t) = sqrt(m! / (m+d)!) t^(d/2) exp(-t/2) L_m^(d)(t)
 *
 * (Cahill and Glauber, Phys. Rev. 177, 1882 (1969)). Each phi_m is an element of a unitary matrix, so |phi_m| <= 1:
 * leaving out elements of R changes no value by more than the sum of their magnitudes over pi.
 */
#ifndef MM_WIGNER_WIGNER_H
#define MM_WIGNER_WIGNER_H

#include "base/instructions.h"
#include "micromaser.h"

enum {
    MM_WIGNER_TILE = 32, /* points that the loops take at once */
};

/** One term of the series of a diagonal, scaled so that its recurrence needs two multiply-adds (wigner/series.c):
 *  sum += weight P_m;  P_{m+1} = (constant - slope t) P_m - P_{m-1};  P_0 = 1, P_{-1} = 0. */
struct mm_wigner_term {
    double weight;
    double constant;
    double slope;
};

/** The series of a state. Free with mm_wigner_series_free. */
struct mm_wigner_series {
    int levels;
    int diagonals;                /* d = 0 .. diagonals-1 */
    size_t *first;                /* [diagonals + 1]: terms of diagonal d are first[d] .. first[d+1]-1 */
    struct mm_wigner_term *terms; /* [first[diagonals]] */
};

/** Makes the series of a state, without trailing elements of each diagonal and outer diagonals that sum to less
 *  than 1e-12 over both triangles. Errors: MM_ERROR_INPUT, MM_ERROR_MEMORY. */
mm_status mm_wigner_series_create(struct mm_wigner_series *series, const struct mm_state *state,
                                  struct mm_error *error);

void mm_wigner_series_free(struct mm_wigner_series *series);

/** Sums of one point (x, p) that give W there and at its mirror images. In the real gauge
 *      W(x, p)  = even + quarter + odd        W(x, -p) = even + quarter - odd        W(-x, p) = W(x, p)
 *      W(p, x)  = even - quarter + turned     W(p, -x) = even - quarter - turned     */
enum mm_wigner_sum {
    MM_WIGNER_EVEN,    /* d = 0, 4, 8, ..: Re z^d */
    MM_WIGNER_QUARTER, /* d = 2, 6, ..: Re z^d */
    MM_WIGNER_ODD,     /* d = 1, 3, ..: Re z^d */
    MM_WIGNER_TURNED,  /* d = 3, 7, ..: Im z^d, less the same for d = 1, 5, .. */
    MM_WIGNER_SUMS
};

/** Loops compiled for one instruction set. They differ in vector length only. */
struct mm_wigner_loops {
    /** The sums of MM_WIGNER_TILE points.
     *  @param x, p  [MM_WIGNER_TILE], aligned to 64 bytes
     *  @param sums  [MM_WIGNER_SUMS][MM_WIGNER_TILE], out, aligned to 64 bytes */
    void (*tile)(const struct mm_wigner_series *series, const double *x, const double *p, double *sums);
};

/** The loops for an instruction set. */
const struct mm_wigner_loops *mm_wigner_loops(enum mm_instructions instructions);

/** The distinct magnitudes of the points of an axis, and which points have each of them. */
struct mm_half_axis {
    size_t count;
    double *magnitude; /* [count], ascending */
    size_t *first;     /* [count + 1]: points of magnitude j are member[first[j]] .. member[first[j+1]-1] */
    size_t *member;
};

/** The points at which the sums are needed: pairs of magnitudes (j of x, k of p), k <= j only where both axes
 *  have the same magnitudes. Free with mm_wigner_points_free. */
struct mm_wigner_points {
    struct mm_half_axis x;
    struct mm_half_axis p;
    bool shared; /* both axes have the same magnitudes */
    size_t count;
};

/** Finds the points that a grid needs. Errors: MM_ERROR_INPUT, MM_ERROR_MEMORY. */
mm_status mm_wigner_points_create(struct mm_wigner_points *points, const struct mm_wigner_grid *grid,
                                  struct mm_error *error);

void mm_wigner_points_free(struct mm_wigner_points *points);

/** Coordinates of points first .. first + MM_WIGNER_TILE - 1; those beyond the last repeat it. */
void mm_wigner_points_get(const struct mm_wigner_points *points, size_t first, double *x, double *p);

/** Spreads the sums of those points over all grid points that they stand for.
 *  @param wigner  [x_count][p_count] */
void mm_wigner_points_put(const struct mm_wigner_points *points, const struct mm_wigner_grid *grid, size_t first,
                          const double *sums, double *wigner);

/** A Wigner function that a backend is to sum. All is borrowed. */
struct mm_wigner_work {
    const struct mm_wigner_series *series;
    const struct mm_wigner_points *points; /* of the grid */
    const struct mm_wigner_grid *grid;
    const struct mm_wigner_loops *loops; /* of the cpu, */
    int threads;                         /* and its threads */
    double *wigner;                      /* [x_count][p_count], out */
};

/** Does the work on threads of the cpu; never fails. */
mm_status mm_cpu_wigner(const struct mm_wigner_work *work, struct mm_error *error);

#endif
