/* gradient.c - derivatives of the loss with respect to (c, q) and (c, theta), from those of the channel.
 *
 * The loss L depends on the (c_j, q_j) of free batch j through its channel, with x_j = c_j sqrt(q_j (1 - q_j)),
 * and directly through the means cbar = sum_j w_j c_j and qbar = sum_j w_j q_j of Eq. 11, where w_j is the share
 * of batch j in the qubits of all free batches. With by_q, by_x the derivatives through the channel,
 *
 *     dL/dc = by_x sqrt(q (1-q))                          + w dL/dcbar
 *     dL/dq = by_q + by_x c (1 - 2q) / (2 sqrt(q (1-q)))  + w dL/dqbar.
 *
 * The slope of x in q is infinite at q = 0 and 1. It is smooth in theta, where q = sin^2(theta/2),
 * x = (c/2) sin(theta), dq/dtheta = sin(theta)/2 and dx/dtheta = (c/2) cos(theta):
 *
 *     dL/dc     = by_x sin(theta)/2 + w dL/dcbar
 *     dL/dtheta = (by_q + w dL/dqbar) sin(theta)/2 + by_x (c/2) cos(theta).
 */
#include <math.h>

#include "micromaser.h"

static double free_qubits(const struct mm_problem *problem)
{
    double sum = 0;
    for (size_t j = 0; j < problem->batch_count; j++)
        if (!problem->batches[j].fixed)
            sum += (double)problem->batches[j].qubits;
    return sum;
}

/* by_x dx/dq. A channel that does not feel x has no slope, however steep x is. */
static double slope_through_x(double c, double q, double by_x)
{
    if (c == 0 || by_x == 0)
        return 0;
    return by_x * c * (1 - 2 * q) / (2 * sqrt(q * (1 - q)));
}

void mm_gradient_population(const struct mm_problem *problem, const double *parameters,
                            const struct mm_evaluation *evaluation, const struct mm_channel_gradient *channel,
                            double *gradient)
{
    double qubits = free_qubits(problem);
    for (size_t j = 0, k = 0; j < problem->batch_count; j++) {
        if (problem->batches[j].fixed)
            continue;
        double weight = (double)problem->batches[j].qubits / qubits;
        double c = parameters[2 * k];
        double q = parameters[2 * k + 1];
        gradient[2 * k] = channel[k].by_x * sqrt(q * (1 - q)) + weight * evaluation->loss_by_mean_c;
        gradient[2 * k + 1] =
            channel[k].by_q + slope_through_x(c, q, channel[k].by_x) + weight * evaluation->loss_by_mean_q;
        k++;
    }
}

void mm_gradient_angle(const struct mm_problem *problem, const double *angles,
                       const struct mm_evaluation *evaluation, const struct mm_channel_gradient *channel,
                       double *gradient)
{
    double qubits = free_qubits(problem);
    for (size_t j = 0, k = 0; j < problem->batch_count; j++) {
        if (problem->batches[j].fixed)
            continue;
        double weight = (double)problem->batches[j].qubits / qubits;
        double c = angles[2 * k];
        double half_sine = sin(angles[2 * k + 1]) / 2;
        double half_cosine = cos(angles[2 * k + 1]) / 2;
        gradient[2 * k] = channel[k].by_x * half_sine + weight * evaluation->loss_by_mean_c;
        gradient[2 * k + 1] =
            (channel[k].by_q + weight * evaluation->loss_by_mean_q) * half_sine + channel[k].by_x * c * half_cosine;
        k++;
    }
}

double mm_angle_from_population(double q)
{
    return 2 * atan2(sqrt(q), sqrt(1 - q));
}

double mm_population_from_angle(double theta)
{
    double sine = sin(theta / 2);
    return sine * sine;
}
