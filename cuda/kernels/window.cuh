/* window.cuh - the window of a chain follows its state: the sums that the rule (solver/window_rule.h) is told, and
 * the account of what it drops. */
#ifndef MM_CUDA_KERNELS_WINDOW_CUH
#define MM_CUDA_KERNELS_WINDOW_CUH

#include "kernels/chain_batch.cuh"
#include "solver/window_rule.h"

/** What is known of a state before its collision; the same in every thread. */
struct mm_state_sums {
    double outer;     /* sum of |elements| of the outermost diagonal of the window */
    double inner;     /* of the diagonal before it, 0 if there is none */
    double top;       /* of the top row of the window, lower triangle */
    double below_top; /* of the row below it */
    double energy;
};

/** Which of these sums a collision needs, beyond those of the diagonals. */
struct mm_sums_wanted {
    bool top;
    bool energy;
};

__device__ static inline struct mm_sums_wanted mm_wanted_sums(const struct mm_device_problem &problem,
                                                              struct mm_window window, int64_t k, bool all_energies)
{
    struct mm_sums_wanted wanted;
    wanted.top = window.levels < problem.levels;
    wanted.energy = all_energies || mm_tail_needs_energy(problem.tail, k);
    return wanted;
}

/** Chooses the window of state k+1; all threads agree.
 *  @param reach         |S_L| of the first level above the window
 *  @param diagonal_sum  gives the sum of |elements| of a diagonal of the state, to all threads of the block */
template <class DiagonalSum>
__device__ __forceinline__ struct mm_window_choice
mm_choose_window(const struct mm_device_problem &problem, double band_tolerance, int64_t k, struct mm_window window,
                 double reach, struct mm_qubit qubit, const struct mm_state_sums &sums, DiagonalSum diagonal_sum)
{
    const struct mm_window_rule rule = {problem.levels, problem.derivative, band_tolerance, reach, qubit};
    struct mm_window_choice choice = mm_window_choose_levels(rule, window, sums.top, sums.below_top);
    double outer = sums.outer, inner = sums.inner, faded = 0.0;
    while (mm_window_may_shrink(k) && choice.window.bands > 1) {
        const double innermost = choice.window.bands > 2 ? diagonal_sum(choice.window.bands - 3) : 0.0;
        if (!mm_window_gives_up(rule, choice.window, faded, outer, inner, innermost))
            break;
        faded += 2.0 * outer;
        outer = inner;
        inner = innermost;
        choice.window.bands--;
    }
    return mm_window_choose_bands(rule, choice, faded, outer, inner);
}

/* --------------------------------------------------------------------- account, kept by one thread of a block */

/** Enters the energy of the present state, number chain.collision.
 *  @param first  the state that the propagation started from: the step that led to it is counted already */
__device__ static inline void mm_enter_energy(const struct mm_device_problem &problem,
                                              const struct mm_chain_view &view, struct mm_device_chain &chain,
                                              int64_t first, double energy)
{
    if (chain.collision > first && mm_tail_has(problem.tail, chain.collision)) {
        const double step = energy - chain.energy;
        chain.instability += mm_tail_value(step);
        view.tail_signs[mm_tail_place(problem.tail, chain.collision)] = mm_tail_sign(step);
    }
    if (chain.collision > first && view.energies != nullptr)
        view.energies[chain.collision - first - 1] = energy;
    chain.energy = energy;
}

/** Enters state k, and what the window of the next one drops. */
__device__ static inline void mm_enter_collision(const struct mm_device_problem &problem,
                                                 const struct mm_chain_view &view, struct mm_device_chain &chain,
                                                 int64_t first, int64_t k, struct mm_sums_wanted wanted,
                                                 const struct mm_state_sums &sums,
                                                 const struct mm_window_choice &choice)
{
    chain.collision = k;
    if (wanted.energy)
        mm_enter_energy(problem, view, chain, first, sums.energy);
    chain.most_bands = max(chain.most_bands, choice.window.bands);
    chain.band_error += choice.dropped;
}

/** Ends the chain before a window that does not fit the class. */
__device__ static inline void mm_enter_overflow(const struct mm_chain_view &view, struct mm_device_chain &chain,
                                                struct mm_window window)
{
    chain.window = window;
    chain.overflow = 1;
    *view.chain = chain;
}

/** Enters the final state of a propagation, and its window. */
__device__ static inline void mm_enter_end(const struct mm_device_problem &problem,
                                           const struct mm_chain_view &view, struct mm_device_chain &chain,
                                           int64_t first, int64_t end, double energy, struct mm_window window)
{
    chain.collision = end;
    mm_enter_energy(problem, view, chain, first, energy);
    chain.window = window;
    *view.chain = chain;
}

#endif
