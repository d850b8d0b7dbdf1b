/* source.c - the best chain of a grid point, of any source of finished chains. */
#include <math.h>

#include "chain/agreement.h"
#include "chain/source.h"

int64_t mm_chain_source_best(const struct mm_chain_source *source, size_t cell, int64_t *agree)
{
    int64_t first = (int64_t)cell * source->config->starts;
    int64_t end = first + source->config->starts;
    int64_t best = -1;
    double lowest = INFINITY;
    for (int64_t i = first; i < end; i++)
        if (source->has(source->context, i) && source->loss(source->context, i) < lowest) {
            best = i;
            lowest = source->loss(source->context, i);
        }
    if (agree == NULL)
        return best;
    *agree = 0;
    for (int64_t i = first; i < end && best >= 0; i++)
        *agree += source->has(source->context, i) && source->loss(source->context, i) <= mm_agreeing_loss(lowest);
    return best;
}
