/* loss.h - the loss of Eq. 11 and its partial derivatives, used by every backend. */
#ifndef MM_MODEL_LOSS_H
#define MM_MODEL_LOSS_H

#include <stdbool.h>

#include "micromaser.h"

/** A loss and its partial derivatives by what it is made of, each with all else held. Those by energy and purity
 *  are zero for Eq. 11. */
struct mm_loss {
    double loss;
    double by_ergotropy; /* never positive */
    double by_energy;
    double by_purity;
    double by_instability;
    double by_mean_c; /* never negative */
    double by_mean_q; /* never negative */
};

/** Eq. 11 from its ingredients.
 *  @param ergotropy       W >= 0, in units of omega
 *  @param mean_c, mean_q  means over the free qubits, in [0, 1]
 *  @param instability     sum over the tail of |E_k - E_{k-1}|
 *  @param lambda          its weight
 *  Never divides by zero: at W = 0, mean_c = mean_q = 1 the first term and its derivatives are 0. */
struct mm_loss mm_loss_value(double ergotropy, double mean_c, double mean_q, double instability, double lambda);

/** Means of c and q over the free batches, weighted by their qubits; fixed batches do not enter.
 *  @param problem     with at least one free batch
 *  @param parameters  [free batches][2], c and q in [0, 1]
 *  @param mean_c      out, in [0, 1]
 *  @param mean_q      out, in [0, 1] */
void mm_loss_means(const struct mm_problem *problem, const double *parameters, double *mean_c, double *mean_q);

/** Completes an evaluation whose ergotropy and instability are known: fills loss, mean_c, mean_q, loss_by_mean_c
 *  and loss_by_mean_q.
 *  @returns the loss with its partial derivatives, the weights with which an adjoint run starts */
struct mm_loss mm_loss_finish(const struct mm_problem *problem, const struct mm_point *point,
                              struct mm_evaluation *evaluation);

/** Whether the gradient of a completed evaluation is wanted at all (mm_point.gradient_limit). */
bool mm_loss_wants_gradient(const struct mm_point *point, const struct mm_evaluation *evaluation);

#endif
