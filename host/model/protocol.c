/* protocol.c - the charging protocol: where its batches end, and with which qubits they are made. */
#include "model/protocol.h"

void mm_protocol_find_ends(const struct mm_problem *problem, int64_t *ends)
{
    int64_t end = 0;
    for (size_t b = 0; b < problem->batch_count; b++)
        ends[b] = end += problem->batches[b].qubits;
}

/* c and q of a batch, its own or the next free ones, which it then steps over. */
static void take_batch(const struct mm_batch *batch, const double **free_parameters, double own[2])
{
    own[0] = batch->fixed ? batch->c : *(*free_parameters)++;
    own[1] = batch->fixed ? batch->q : *(*free_parameters)++;
}

void mm_protocol_parameters(const struct mm_problem *problem, const double *parameters, size_t batch, double own[2])
{
    for (size_t b = 0; b <= batch; b++)
        take_batch(&problem->batches[b], &parameters, own);
}

void mm_protocol_qubits(const struct mm_problem *problem, const double *parameters, struct mm_qubit *qubits)
{
    double own[2];
    for (size_t b = 0; b < problem->batch_count; b++) {
        take_batch(&problem->batches[b], &parameters, own);
        qubits[b] = mm_qubit_from_population(own[0], own[1]);
    }
}

void mm_spread_parameters(size_t batch_count, const struct mm_batch *batches, const double *free_parameters,
                          double *all)
{
    for (size_t b = 0; b < batch_count; b++)
        take_batch(&batches[b], &free_parameters, &all[2 * b]);
}

void mm_gather_parameters(size_t batch_count, const struct mm_batch *batches, const double *all,
                          double *free_parameters)
{
    for (size_t b = 0; b < batch_count; b++)
        if (!batches[b].fixed) {
            *free_parameters++ = all[2 * b];
            *free_parameters++ = all[2 * b + 1];
        }
}

struct mm_qubit mm_curve_qubit(const struct mm_problem *problem, const struct mm_curve *curve, size_t batch)
{
    double own[2];
    mm_protocol_parameters(problem, curve->parameters, batch, own);
    return mm_qubit_from_population(own[0], own[1]);
}

bool mm_curve_is_diagonal(const struct mm_problem *problem, const struct mm_curve *curve, size_t batch)
{
    for (size_t b = 0; b <= batch; b++)
        if (mm_curve_qubit(problem, curve, b).coherence != 0.0)
            return false;
    return true;
}
