/* collision_sum.c - which few collisions stand for all of a stretch, and with what weights.
 *
 * With the eigenvalues z_i of Phi, the terms f(k) = <A_{k+1}, M R_k> are sums of z_i^k z_j^(n-1-k), that is of
 * modes r^k and r^(n-1-k), |r| <= 1, that begin at one end of the stretch or the other. Where R and A change
 * slowly, hundreds of terms are as smooth as that, and few of them determine the sum. Eigenvalues of a collision
 * are real or nearly so, and of either sign: with z = +-exp(-d +- i p), |p| is below PHASE_SLOPE d (0.2 d at the
 * most in eleven protocols, N = 44). A mode with decay d' and phase p' arises from a pair with decays of d' + d and
 * d, where p' <= PHASE_SLOPE (d' + 2 d), and is at most exp(-n d) large: phases matter where there is decay.
 *
 * A grid of such modes is what a sum has to be right for. Only even combinations, f(k) + f(n-1-k), enter a sum, so
 * that a collision and its mirror image have the same weight. Candidates are the collisions near the ends and ever
 * sparser pairs of neighbours towards the middle. A QR factorisation with column pivoting of the matrix [modes]
 * [candidates] takes them in the order in which they matter, and its triangle gives the weights of the first so
 * many that fit the sums of all modes (empirical interpolation: Bremer, Gimbutas and Rokhlin, SIAM J. Sci. Comput.
 * 32, 1761 (2010)). A sum over 800 collisions takes 134 terms for 1e-13 and 82 for 1e-6.
 */
#include <complex.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cblas.h>
#include <lapacke.h>

#include "solver/collision_sum.h"
#include "base/memory.h"

enum {
    NEAR_END = 40,        /* collisions next to an end that are all candidates */
    CANDIDATES_MAX = 400, /* more than there are with 10^9 collisions */
};

static const double CANDIDATE_GROWTH = 1.15; /* of the distance from the end, from pair to pair */
static const double PHASE_SLOPE = 1.0;
static const double LEAST_DECAY = 0.05, LEAST_PHASE = 0.3; /* over the whole stretch */
static const double LARGEST_DECAY = 3.0, LARGEST_PHASE = 2.0;
static const double DECAYS_PER_DECADE = 3.0, PHASES_PER_DECADE = 2.2;
static const double LEAST_AMPLITUDE = 1e-13;

/* Zero and values in equal ratios. */
struct grid {
    int count;
    double least; /* above zero */
    double ratio;
};

/* The matrix [mode_count][candidate_count], column-major, and the sums of the modes; both are overwritten by the
 * factorisation. */
struct fit {
    int64_t length;
    struct grid decays;
    struct grid phases;
    int candidate_count;
    int mode_count;
    int stride;                         /* of the matrix: room for so many modes */
    int64_t candidates[CANDIDATES_MAX]; /* in the first half of the stretch */
    lapack_int pivots[CANDIDATES_MAX];  /* from 1 */
    double scales[CANDIDATES_MAX];
    double *modes;
    double *sums;
};

/* ------------------------------------------------------------------------------------------------- modes */

static double sign_of(int64_t k)
{
    return k % 2 != 0 ? -1.0 : 1.0;
}

/* exp(-z) - 1 without cancellation. */
static double complex exponential_less_one(double complex z)
{
    const double half = sin(0.5 * cimag(z));
    return expm1(-creal(z)) * cos(cimag(z)) - 2.0 * half * half - I * exp(-creal(z)) * sin(cimag(z));
}

/* Sum of exp(-rate k) over all collisions. */
static double complex sum_of_mode(double complex rate, int64_t length)
{
    const double n = (double)length;
    return rate == 0.0 ? n : exponential_less_one(n * rate) / exponential_less_one(rate);
}

/* Sum of (-1)^k exp(-rate k). */
static double complex sum_of_alternating(double complex rate, int64_t length)
{
    return (1.0 - sign_of(length) * cexp(-(double)length * rate)) / (1.0 + cexp(-rate));
}

static struct grid make_grid(double least, double largest, double per_decade)
{
    const int steps = (int)ceil(per_decade * log10(largest / least));
    return (struct grid){steps + 2, least, pow(largest / least, 1.0 / steps)};
}

static double grid_value(const struct grid *grid, int i)
{
    return i == 0 ? 0.0 : grid->least * pow(grid->ratio, i - 1.0);
}

/* Takes the modes of a rate and both signs into the fit: the imaginary parts after the real ones, if there are
 * any. */
static void add_modes_of(struct fit *fit, double complex rate, double amplitude)
{
    const int parts = cimag(rate) == 0.0 ? 1 : 2;
    const double complex sums[2] = {amplitude * sum_of_mode(rate, fit->length),
                                    amplitude * sum_of_alternating(rate, fit->length)};
    for (int j = 0; j < fit->candidate_count; j++) {
        const int64_t k = fit->candidates[j], mirrored = fit->length - 1 - k;
        const double scale = amplitude * fit->scales[j];
        const double complex here = scale * cexp(-rate * (double)k), there = scale * cexp(-rate * (double)mirrored);
        const double complex even[2] = {here + there, sign_of(k) * here + sign_of(mirrored) * there};
        double *place = fit->modes + (size_t)j * (size_t)fit->stride + (size_t)fit->mode_count;
        for (int i = 0; i < 2 * parts; i++)
            place[i] = i < 2 ? creal(even[i]) : cimag(even[i - 2]);
    }
    for (int i = 0; i < 2 * parts; i++)
        fit->sums[fit->mode_count++] = i < 2 ? creal(sums[i]) : cimag(sums[i - 2]);
}

static void add_modes(struct fit *fit)
{
    const double n = (double)fit->length;
    for (int d = 0; d < fit->decays.count; d++)
        for (int p = 0; p < fit->phases.count; p++) {
            const double decay = grid_value(&fit->decays, d), phase = grid_value(&fit->phases, p);
            const double amplitude = exp(-n * fmax(0.0, 0.5 * (phase / PHASE_SLOPE - decay)));
            if (amplitude >= LEAST_AMPLITUDE)
                add_modes_of(fit, decay - I * phase, amplitude);
        }
}

/* ------------------------------------------------------------------------------------------------ choice */

static void add_candidate(struct fit *fit, int64_t k)
{
    /* The middle is its own mirror image, and is not to be counted twice. */
    fit->scales[fit->candidate_count] = 2 * k == fit->length - 1 ? 0.5 : 1.0;
    fit->candidates[fit->candidate_count++] = k;
}

static void add_candidates(struct fit *fit)
{
    const int64_t half = (fit->length + 1) / 2;
    int64_t k = 0;
    for (; k < half && k < NEAR_END; k++)
        add_candidate(fit, k);
    for (; k + 1 < half; k = (int64_t)fmax((double)k + 2.0, CANDIDATE_GROWTH * (double)k)) {
        add_candidate(fit, k);
        add_candidate(fit, k + 1);
    }
    if (fit->candidates[fit->candidate_count - 1] < half - 1)
        add_candidate(fit, half - 1);
}

/* Factorises the matrix; its triangle and Q^T times the sums take their places. */
static mm_status factorise(struct fit *fit, struct mm_error *error)
{
    double reflectors[CANDIDATES_MAX];
    const int rows = fit->mode_count, columns = fit->candidate_count;
    const int count = rows < columns ? rows : columns;
    int info = LAPACKE_dgeqp3(LAPACK_COL_MAJOR, rows, columns, fit->modes, fit->stride, fit->pivots, reflectors);
    if (info == 0)
        info = LAPACKE_dormqr(LAPACK_COL_MAJOR, 'L', 'T', rows, 1, count, fit->modes, fit->stride, reflectors,
                              fit->sums, rows);
    if (info != 0)
        return mm_fail(error, MM_ERROR_LAPACK, "LAPACKE_dgeqp3 or _dormqr returned %d for the sum of %lld terms",
                       info, (long long)fit->length);
    return MM_OK;
}

/* Candidates that a tolerance needs: the first ones in the order of the factorisation. */
static int needed_candidates(const struct fit *fit, double tolerance)
{
    const int most = fit->mode_count < fit->candidate_count ? fit->mode_count : fit->candidate_count;
    int count = 1;
    while (count < most &&
           fabs(fit->modes[(size_t)count * (size_t)(fit->stride + 1)]) > tolerance * fabs(fit->modes[0]))
        count++;
    return count;
}

/* A term and its weight, for sorting. */
struct term {
    int64_t collision;
    double weight;
};

static int compare_terms(const void *a, const void *b)
{
    const struct term *left = a, *right = b;
    return (left->collision > right->collision) - (left->collision < right->collision);
}

/* Makes a sum of terms. */
static mm_status take_terms(struct term *terms, int count, struct mm_collision_sum *sum, struct mm_error *error)
{
    *sum = (struct mm_collision_sum){count, malloc((size_t)count * sizeof *sum->collisions),
                                     malloc((size_t)count * sizeof *sum->weights)};
    if (sum->collisions == NULL || sum->weights == NULL) {
        mm_collision_sum_free(sum);
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for a sum of %d terms", count);
    }
    qsort(terms, (size_t)count, sizeof *terms, compare_terms);
    for (int i = 0; i < count; i++) {
        sum->collisions[i] = terms[i].collision;
        sum->weights[i] = terms[i].weight;
    }
    return MM_OK;
}

static mm_status solve_for(const struct fit *fit, double tolerance, struct mm_collision_sum *sum,
                           struct mm_error *error)
{
    double weights[CANDIDATES_MAX];
    struct term terms[2 * CANDIDATES_MAX];
    const int needed = needed_candidates(fit, tolerance);
    int count = 0;
    memcpy(weights, fit->sums, (size_t)needed * sizeof *weights);
    cblas_dtrsv(CblasColMajor, CblasUpper, CblasNoTrans, CblasNonUnit, needed, fit->modes, fit->stride, weights, 1);
    for (int i = 0; i < needed; i++) {
        const int j = fit->pivots[i] - 1;
        const int64_t k = fit->candidates[j], mirrored = fit->length - 1 - k;
        terms[count++] = (struct term){k, weights[i]};
        if (mirrored != k)
            terms[count++] = (struct term){mirrored, weights[i]};
    }
    return take_terms(terms, count, sum, error);
}

/* Sets a fit up and factorises it. Its arrays are to be freed in any case. */
static mm_status prepare(struct fit *fit, int64_t length, struct mm_error *error)
{
    const double n = (double)length;
    *fit = (struct fit){.length = length,
                        .decays = make_grid(LEAST_DECAY / n, LARGEST_DECAY, DECAYS_PER_DECADE),
                        .phases = make_grid(LEAST_PHASE / n, LARGEST_PHASE, PHASES_PER_DECADE)};
    fit->stride = 2 * fit->decays.count * (2 * fit->phases.count - 1); /* signs, real and imaginary parts */
    add_candidates(fit);
    fit->modes = mm_allocate_doubles((size_t)fit->candidate_count * (size_t)fit->stride);
    fit->sums = mm_allocate_doubles((size_t)fit->stride);
    if (fit->modes == NULL || fit->sums == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory to find a sum of %lld terms", (long long)length);
    add_modes(fit);
    return factorise(fit, error);
}

mm_status mm_collision_sums_find(int64_t length, size_t count, const double *tolerances,
                                 struct mm_collision_sum *sums, struct mm_error *error)
{
    struct fit fit;
    size_t found = 0;
    mm_status status = prepare(&fit, length, error);
    for (; status == MM_OK && found < count; found++)
        status = solve_for(&fit, tolerances[found], &sums[found], error);
    for (size_t i = 0; status != MM_OK && i < found; i++)
        mm_collision_sum_free(&sums[i]);
    free(fit.modes);
    free(fit.sums);
    return status;
}

void mm_collision_sum_free(struct mm_collision_sum *sum)
{
    free(sum->collisions);
    free(sum->weights);
    *sum = (struct mm_collision_sum){0};
}
