/* columns.c - the columns of a finished chain: what they are called, what they hold, where in struct mm_chain. */
#include <math.h>
#include <string.h>

#include "chain/columns.h"
#include "chain/grid.h"

_Static_assert(sizeof(int) == sizeof(int32_t), "mm_evaluation.levels is stored as a 32-bit integer");
_Static_assert(sizeof(enum mm_stop_reason) == sizeof(int32_t), "the status is stored as a 32-bit integer");

#define AT(member)    offsetof(struct mm_chain, member)
#define VALUE(member) AT(evaluation.member)

const struct mm_chain_column mm_chain_columns[] = {
#define AXIS(name, long_name)                                                                                      \
    {#name "_index", MM_CHAIN_COLUMN_INT32, false, AT(name##_index), "1", "position in /grid/" #name},
    MM_AXIS_LIST(AXIS)
#undef AXIS
        {"start", MM_CHAIN_COLUMN_INT32, true, AT(start), "1", "number of the random start"},
    {"initial", MM_CHAIN_COLUMN_PARAMETERS, true, AT(initial), "1", "c and q of each batch at the random start"},
    {"final", MM_CHAIN_COLUMN_PARAMETERS, true, AT(final), "1", "c and q of each batch at the optimum"},
    {"loss", MM_CHAIN_COLUMN_DOUBLE, true, VALUE(loss), "1", "loss (Eq. 11)"},
    {"ergotropy", MM_CHAIN_COLUMN_DOUBLE, true, VALUE(ergotropy), "hbar omega", "ergotropy W (Eq. 10)"},
    {"energy", MM_CHAIN_COLUMN_DOUBLE, true, VALUE(energy), "hbar omega", "energy E after the last collision"},
    {"purity", MM_CHAIN_COLUMN_DOUBLE, true, VALUE(purity), "1", "purity Tr(rho^2) after the last collision"},
    {"instability", MM_CHAIN_COLUMN_DOUBLE, true, VALUE(instability), "hbar omega",
     "sum of |E_k - E_(k-1)| over the tail"},
    {"mean_c", MM_CHAIN_COLUMN_DOUBLE, true, VALUE(mean_c), "1", "mean of c over the qubits of the free batches"},
    {"mean_q", MM_CHAIN_COLUMN_DOUBLE, true, VALUE(mean_q), "1", "mean of q over the qubits of the free batches"},
    {"loss_by_mean_c", MM_CHAIN_COLUMN_DOUBLE, true, VALUE(loss_by_mean_c), "1",
     "partial derivative of loss by mean_c"},
    {"loss_by_mean_q", MM_CHAIN_COLUMN_DOUBLE, true, VALUE(loss_by_mean_q), "1",
     "partial derivative of loss by mean_q"},
    {"gradient_norm", MM_CHAIN_COLUMN_DOUBLE, true, AT(gradient_norm), "1",
     "largest component of the projected gradient over c and theta/2, q = sin^2(theta/2)"},
    {"iterations", MM_CHAIN_COLUMN_INT64, true, AT(iterations), "1", "iterations of the optimiser"},
    {"evaluations", MM_CHAIN_COLUMN_INT64, true, AT(evaluations), "1",
     "evaluations of the loss, with gradient where it is not above the iterate's"},
    {"eigen_failures", MM_CHAIN_COLUMN_INT64, true, AT(eigen_failures), "1",
     "evaluations that the cpu did because their eigenvalues failed on the device"},
    {"status", MM_CHAIN_COLUMN_STATUS, true, AT(status), "1", "why the optimiser stopped"},
    {"band_error", MM_CHAIN_COLUMN_DOUBLE, true, VALUE(band_error), "1",
     "bound on the trace norm of everything dropped from the density matrix"},
    {"truncation_population", MM_CHAIN_COLUMN_DOUBLE, true, VALUE(truncation_population), "1",
     "largest population that the top Fock level ever held"},
    {"levels", MM_CHAIN_COLUMN_INT32, true, VALUE(levels), "1", "number of Fock levels"},
};

const size_t mm_chain_column_count = sizeof mm_chain_columns / sizeof mm_chain_columns[0];

static size_t element_size(enum mm_chain_column_kind kind)
{
    bool is_short =
        kind == MM_CHAIN_COLUMN_INT32 || kind == MM_CHAIN_COLUMN_UINT32 || kind == MM_CHAIN_COLUMN_STATUS;
    return is_short ? sizeof(int32_t) : sizeof(double);
}

size_t mm_chain_column_size(const struct mm_chain_column *column, size_t batch_count)
{
    return element_size(column->kind) * (column->kind == MM_CHAIN_COLUMN_PARAMETERS ? 2 * batch_count : 1);
}

static void take_missing(const struct mm_chain_column *column, size_t size, char *row)
{
    static const double missing = NAN;
    bool is_double = column->kind == MM_CHAIN_COLUMN_DOUBLE || column->kind == MM_CHAIN_COLUMN_PARAMETERS;
    if (!is_double) {
        memset(row, 0xff, size); /* -1 in two's complement */
        return;
    }
    for (size_t i = 0; i < size; i += sizeof missing)
        memcpy(row + i, &missing, sizeof missing);
}

void mm_chain_column_take(const struct mm_chain_column *column, size_t batch_count, const struct mm_chain *chain,
                          char *row)
{
    size_t size = mm_chain_column_size(column, batch_count);
    if (chain == NULL) {
        take_missing(column, size, row);
        return;
    }
    const char *member = (const char *)chain + column->offset;
    const double *parameters = NULL;
    if (column->kind == MM_CHAIN_COLUMN_PARAMETERS) {
        memcpy(&parameters, member, sizeof parameters);
        member = (const char *)parameters;
    }
    memcpy(row, member, size);
}

void mm_chain_column_put(const struct mm_chain_column *column, size_t batch_count, const char *row,
                         struct mm_chain *chain)
{
    char *member = (char *)chain + column->offset;
    double *parameters = NULL;
    if (column->kind == MM_CHAIN_COLUMN_PARAMETERS) {
        memcpy(&parameters, member, sizeof parameters);
        member = (char *)parameters;
    }
    memcpy(member, row, mm_chain_column_size(column, batch_count));
}
