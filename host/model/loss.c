/* loss.c - the loss of Eq. 11 and its partial derivatives.
 *
 * With a = 1 - mean_c, b = 1 - mean_q and D = W + a + b,
 *
 *     L     = - W a b / D + lambda sum |E_k - E_{k-1}|
 *     dL/dW = - a b (a + b) / D^2
 *     dL/dmean_c = + W b (W + b) / D^2          (da = -dmean_c)
 *     dL/dmean_q = + W a (W + a) / D^2
 *
 * W, a and b are not negative, so each ratio to D is at most 1: products of ratios neither overflow nor divide 0
 * by 0, however small D is. At D = 0 all three vanish, and so do the limits of the terms from inside the domain.
 */
#include "model/loss.h"

struct mm_loss mm_loss_value(double ergotropy, double mean_c, double mean_q, double instability, double lambda)
{
    struct mm_loss result = {.loss = lambda * instability, .by_instability = lambda};
    const double a = 1.0 - mean_c;
    const double b = 1.0 - mean_q;
    const double sum = ergotropy + a + b;
    if (sum > 0.0) {
        result.loss -= ergotropy / sum * a * b;
        result.by_ergotropy = -(a / sum) * b * ((a + b) / sum);
        result.by_mean_c = ergotropy / sum * b * ((ergotropy + b) / sum);
        result.by_mean_q = ergotropy / sum * a * ((ergotropy + a) / sum);
    }
    return result;
}

void mm_loss_means(const struct mm_problem *problem, const double *parameters, double *mean_c, double *mean_q)
{
    double qubits = 0.0;
    double sum_c = 0.0;
    double sum_q = 0.0;
    for (size_t i = 0; i < problem->batch_count; i++) {
        if (problem->batches[i].fixed)
            continue;
        const double weight = (double)problem->batches[i].qubits;
        qubits += weight;
        sum_c += weight * parameters[0];
        sum_q += weight * parameters[1];
        parameters += 2;
    }
    /* Rounding may carry a mean of numbers just below 1 above 1, where Eq. 11 would change sign. */
    *mean_c = sum_c < qubits ? sum_c / qubits : 1.0;
    *mean_q = sum_q < qubits ? sum_q / qubits : 1.0;
}

struct mm_loss mm_loss_finish(const struct mm_problem *problem, const struct mm_point *point,
                              struct mm_evaluation *evaluation)
{
    mm_loss_means(problem, point->parameters, &evaluation->mean_c, &evaluation->mean_q);
    const struct mm_loss loss = mm_loss_value(evaluation->ergotropy, evaluation->mean_c, evaluation->mean_q,
                                              evaluation->instability, point->lambda);
    evaluation->loss = loss.loss;
    evaluation->loss_by_mean_c = loss.by_mean_c;
    evaluation->loss_by_mean_q = loss.by_mean_q;
    return loss;
}

bool mm_loss_wants_gradient(const struct mm_point *point, const struct mm_evaluation *evaluation)
{
    return point->gradient_limit == NULL || !(evaluation->loss > *point->gradient_limit);
}
