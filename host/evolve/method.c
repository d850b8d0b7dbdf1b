/* method.c - which batches of an evolution are taken by powers of the channel, and which by the stencil.
 *
 * Powers are for backends with that trait (the reference is there to be compared, a device works by itself), and
 * only where the energies in between are not wanted. What they cost is counted in evolve/powers.c.
 */
#include "evolve/evolve.h"

bool mm_evolution_takes_powers(const struct mm_evolution *evolution, size_t curve, size_t batch)
{
    return evolution->by_powers[curve * evolution->plan->problem.batch_count + batch];
}

const char *mm_evolution_method(const struct mm_evolution *evolution, size_t curve)
{
    bool powers = false, stencil = false;
    for (size_t b = 0; b < evolution->plan->problem.batch_count; b++) {
        const bool is_run = mm_protocol_begin(evolution->protocol, (int)b) < evolution->plan->collisions;
        powers = powers || (is_run && mm_evolution_takes_powers(evolution, curve, b));
        stencil = stencil || (is_run && !mm_evolution_takes_powers(evolution, curve, b));
    }
    return powers ? stencil ? "stencil, powers" : "powers" : "stencil";
}

void mm_evolution_choose_methods(struct mm_evolution *evolution, bool powers)
{
    const struct mm_evolution_plan *plan = evolution->plan;
    if (!powers || plan->energy_step > 0)
        return;
    const size_t batches = plan->problem.batch_count;
    for (size_t c = 0; c < plan->curve_count; c++) {
        const int live = mm_closed_levels(plan->curves[c].g, mm_plan_largest_space(plan));
        for (size_t b = 0; b < batches; b++) {
            const int64_t begin = mm_protocol_begin(evolution->protocol, (int)b);
            const int64_t batch_end = mm_protocol_end(evolution->protocol, (int)b);
            const int64_t end = batch_end < plan->collisions ? batch_end : plan->collisions;
            const bool diagonal = mm_curve_is_diagonal(&plan->problem, &plan->curves[c], b);
            evolution->by_powers[c * batches + b] =
                end > begin &&
                mm_channel_powers_pay(live, diagonal, end - begin, mm_evolution_record_count(plan, begin, end));
        }
    }
}
