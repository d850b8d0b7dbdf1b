/* steady_state.h - trapping chambers, the coherent steady state, and how long a metastable state lives. */
#ifndef MM_MODEL_STEADY_STATE_H
#define MM_MODEL_STEADY_STATE_H

#include "micromaser.h"

/** A border between chambers: levels below `m` cannot, or hardly, be left upwards (Eqs. 7 and 9). */
struct mm_chamber_border {
    int Q;          /* half turns of the Rabi angle at the border: g = Q pi / sqrt(m + epsilon) */
    int m;          /* the first level above the border */
    double epsilon; /* in (-0.5, 0.5]; 0 where the coupling is fine-tuned to this border (Eq. 7) */
    double leak;    /* |S_m|^2 = sin^2(g sqrt m): chance of an excited qubit to lift |m-1> to |m> */
};

/** Chambers of a coupling. Chamber j = 0, 1, .. holds the levels from the border before it up to below border j;
 * the last one has no border above it within `levels`. Free with mm_chambers_free. */
struct mm_chambers {
    double g;
    int levels; /* levels that are looked at */
    int border_count;
    struct mm_chamber_border *borders; /* [border_count], ascending in m, each m once, all below `levels` */
};

/** Finds the chambers of a coupling: m is the integer nearest to (Q pi / g)^2, Q = 1, 2, ..; of several Q with one
 * m the one with the smallest |epsilon| stays. g = 0 has no borders. */
mm_status mm_chambers_find(double g, int levels, struct mm_chambers *chambers, struct mm_error *error);

/** Whether a coupling is fine-tuned to a border, to rounding: nothing leaks through it. */
bool mm_chamber_is_fine_tuned(const struct mm_chamber_border *border);

/** Levels to look at: those of a problem, or, where they are MM_LEVELS_AUTO, enough for the first four borders. */
int mm_chambers_levels(int levels, double g);

void mm_chambers_free(struct mm_chambers *chambers);

/** Chamber of a level, 0 .. border_count. */
int mm_chambers_of_level(const struct mm_chambers *chambers, int level);

/** Sums populations[level_count] by chamber into sums[border_count + 1]; levels beyond chambers->levels belong to
 * the last chamber. */
void mm_chambers_sum(const struct mm_chambers *chambers, size_t level_count, const double *populations,
                     double *sums);

/** Populations of the coherent steady state, c = 1, in the first chamber (Eq. 8).
 *  @param g            coupling; the state is a steady one where it is fine-tuned (Eq. 7) with an odd Q
 *  @param m            levels of the chamber, >= 1
 *  @param q            ground-state population of the qubits, 0 to 1; at 0 the limit |m-1>, at 1 the vacuum
 *  @param populations  [m], out, normalised */
void mm_steady_populations(double g, int m, double q, double *populations);

/** How long a metastable state lives, from E(k). Definitions: mm_lifetime_find. */
struct mm_lifetime {
    bool found;      /* false: there is no recorded k from `from` on but the first and last ones */
    int64_t plateau; /* k of the plateau */
    double energy;   /* E there: the plateau's value */
    double band;     /* half width of the band around it */
    double enters;   /* k at which E comes into the band */
    double leaves;   /* k at which E leaves it; infinite if it does not before the end */
    double lifetime; /* leaves - enters; infinite likewise */
    double slope;    /* dE/dk from the plateau until E leaves, or to the end */
    double rate;     /* |slope| / band: one over the collisions that a drift across half the band takes */
};

/** Finds plateau and lifetime of E(k) on a grid.
 *
 *  Plateau: of the inner points of the grid with k >= from, the one where |dE / d ln k|, by central differences, is
 *  smallest (the first of several); its E is the plateau's.
 *  Band: |E - E(plateau)| <= width E(plateau).
 *  enters, leaves: where E crosses the edge of the band last before and first after the plateau, by linear
 *  interpolation in k between the points beside the crossing; without a crossing, the first k, or infinity.
 *  slope: least squares of E over k, on the points from the plateau to the last one inside the band.
 *
 *  @param count     points
 *  @param k         [count], ascending, k[0] may be 0
 *  @param energies  [count]
 *  @param from      the schedule's end, say: where to look for the plateau
 *  @param width     relative, > 0 */
struct mm_lifetime mm_lifetime_find(size_t count, const int64_t *k, const double *energies, int64_t from,
                                    double width);

#endif
