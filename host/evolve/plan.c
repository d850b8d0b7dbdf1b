/* plan.c - where an evolution records, and the qubits that its curves meet.
 *
 * The logarithmic grid of D records a decade is 0 and the rounded 10^(i/D), each once.
 */
#include <math.h>

#include "model/collision.h"
#include "evolve/evolve.h"

/* ------------------------------------------------------------------------------------------------- grid */

static int64_t logarithmic_number(const struct mm_evolution_plan *plan, int64_t i)
{
    const double number = round(pow(10.0, (double)i / plan->per_decade));
    return number < (double)plan->collisions ? (int64_t)number : plan->collisions;
}

int64_t mm_record_next(const struct mm_evolution_plan *plan, int64_t k)
{
    if (k < 0)
        return 0;
    if (plan->per_decade == 0) {
        const int64_t next = (k / plan->every + 1) * plan->every;
        return next < plan->collisions ? next : plan->collisions;
    }
    int64_t i = k == 0 ? 0 : (int64_t)floor(plan->per_decade * log10((double)k)) - 1;
    i = i < 0 ? 0 : i;
    while (logarithmic_number(plan, i) <= k)
        i++;
    return logarithmic_number(plan, i);
}

int64_t mm_record_count(const struct mm_evolution_plan *plan, int64_t first, int64_t last)
{
    if (plan->per_decade == 0)
        return (last - first) / plan->every + 1;
    const double decades = log10((double)last) - (first == 0 ? 0.0 : log10((double)first));
    const double count = ceil(plan->per_decade * decades) + 2.0;
    return count < (double)(last - first) ? (int64_t)count : last - first;
}

/* --------------------------------------------------------------------------------------------- protocol */

const double *mm_curve_batch(const struct mm_evolution_plan *plan, size_t curve, size_t batch, double fixed[2])
{
    size_t free_batches = 0;
    for (size_t b = 0; b < batch; b++)
        free_batches += !plan->problem.batches[b].fixed;
    if (!plan->problem.batches[batch].fixed)
        return &plan->curves[curve].parameters[2 * free_batches];
    fixed[0] = plan->problem.batches[batch].c;
    fixed[1] = plan->problem.batches[batch].q;
    return fixed;
}

struct mm_qubit mm_curve_qubit(const struct mm_evolution_plan *plan, size_t curve, size_t batch)
{
    double fixed[2];
    const double *parameters = mm_curve_batch(plan, curve, batch, fixed);
    return mm_qubit_from_population(parameters[0], parameters[1]);
}

bool mm_curve_is_diagonal(const struct mm_evolution_plan *plan, size_t curve, size_t batch)
{
    for (size_t b = 0; b <= batch; b++)
        if (mm_curve_qubit(plan, curve, b).coherence != 0.0)
            return false;
    return true;
}

int mm_plan_largest_space(const struct mm_evolution_plan *plan)
{
    return plan->problem.levels == MM_LEVELS_AUTO ? MM_LEVELS_MAX : plan->problem.levels;
}
