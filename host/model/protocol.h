/* protocol.h - the charging protocol: in which batch a collision lies, and with which qubits it is made.
 *
 * The first part is shared by CPU and CUDA. A protocol is a schedule of batches, one after another; the last one
 * continues after the schedule ends.
 */
#ifndef MM_MODEL_PROTOCOL_H
#define MM_MODEL_PROTOCOL_H

#include <stdint.h>

#include "base/inline.h"
#include "micromaser.h"
#include "model/collision.h"

/** Where the batches of a protocol lie. Collisions are counted from 0. */
struct mm_protocol {
    int batch_count;
    const int64_t
        *ends; /* [batch_count], borrowed: collisions up to the end of each batch (mm_protocol_find_ends) */
};

/** First collision of a batch. */
MM_INLINE int64_t mm_protocol_begin(struct mm_protocol protocol, int batch)
{
    return batch > 0 ? protocol.ends[batch - 1] : 0;
}

/** First collision after those of a batch. */
MM_INLINE int64_t mm_protocol_end(struct mm_protocol protocol, int batch)
{
    return batch + 1 < protocol.batch_count ? protocol.ends[batch] : INT64_MAX;
}

/** Batch that a collision lies in.
 *  @param near  where to look first: the batch of a neighbouring collision, or 0 */
MM_INLINE int mm_protocol_batch(struct mm_protocol protocol, int64_t collision, int near)
{
    int batch = near;
    while (batch + 1 < protocol.batch_count && collision >= protocol.ends[batch])
        batch++;
    while (batch > 0 && collision < protocol.ends[batch - 1])
        batch--;
    return batch;
}

/* --------------------------------------------------------------------------------------------- of the host */

/** Fills ends[batch_count] of a problem's protocol. */
void mm_protocol_find_ends(const struct mm_problem *problem, int64_t *ends);

/** c and q of one batch, into own[2].
 *  @param parameters  [free batches][2], of a point */
void mm_protocol_parameters(const struct mm_problem *problem, const double *parameters, size_t batch,
                            double own[2]);

/** The qubits of every batch.
 *  @param qubits  [batch_count], out */
void mm_protocol_qubits(const struct mm_problem *problem, const double *parameters, struct mm_qubit *qubits);

/** c and q of every batch, fixed ones included.
 *  @param free_parameters  [free batches][2]
 *  @param all              [batch_count][2], out */
void mm_spread_parameters(size_t batch_count, const struct mm_batch *batches, const double *free_parameters,
                          double *all);

/** The inverse: c and q of the free batches among those of every batch. */
void mm_gather_parameters(size_t batch_count, const struct mm_batch *batches, const double *all,
                          double *free_parameters);

enum { MM_CURVE_LABEL_SIZE = 128 };

/** One protocol at one coupling. */
struct mm_curve {
    double g;
    double lambda;            /* of the optimisation behind it, NaN where there is none */
    const double *parameters; /* [free batches][2] */
    char label[MM_CURVE_LABEL_SIZE];
};

/** The qubits of a batch of a curve. */
struct mm_qubit mm_curve_qubit(const struct mm_problem *problem, const struct mm_curve *curve, size_t batch);

/** Whether a curve is diagonal up to the end of a batch: from the vacuum, a state stays diagonal as long as no
 *  qubit has any coherence. */
bool mm_curve_is_diagonal(const struct mm_problem *problem, const struct mm_curve *curve, size_t batch);

#endif
