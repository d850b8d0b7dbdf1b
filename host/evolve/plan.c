/* plan.c - where an evolution records.
 *
 * The logarithmic grid of D records a decade is 0 and the rounded 10^(i/D), each once.
 */
#include <math.h>

#include "evolve/evolve.h"

static int64_t logarithmic_number(const struct mm_evolution_plan *plan, int64_t i)
{
    const double number = round(pow(10.0, (double)i / plan->per_decade));
    return number < (double)plan->collisions ? (int64_t)number : plan->collisions;
}

int64_t mm_evolution_next_record(const struct mm_evolution_plan *plan, int64_t k)
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

int64_t mm_evolution_record_count(const struct mm_evolution_plan *plan, int64_t first, int64_t last)
{
    if (plan->per_decade == 0)
        return (last - first) / plan->every + 1;
    const double decades = log10((double)last) - (first == 0 ? 0.0 : log10((double)first));
    const double count = ceil(plan->per_decade * decades) + 2.0;
    return count < (double)(last - first) ? (int64_t)count : last - first;
}

int mm_plan_largest_space(const struct mm_evolution_plan *plan)
{
    return plan->problem.levels == MM_LEVELS_AUTO ? MM_LEVELS_MAX : plan->problem.levels;
}
