/* window.cuh - the window of a chain follows its state: the cpu's rule (host/cpu/run.c, where it is derived).
 *
 * What a collision would drop above the top and beyond the band is bounded by sums of |elements| before it is done.
 * What exceeds its share of the tolerance makes the window grow, the rest is added to band_error; every
 * MM_SHRINK_INTERVAL collisions the outer diagonals that have faded are given up under the same account. With
 * derivatives wanted, the two outermost diagonals and the two top rows are watched instead.
 */
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

/** A window for the next state, and what its choice drops. */
struct mm_window_choice {
    struct mm_device_window window;
    double dropped;
};

__device__ static inline struct mm_sums_wanted mm_wanted_sums(const struct mm_device_problem &problem,
                                                              struct mm_device_window window, int64_t k,
                                                              bool all_energies)
{
    struct mm_sums_wanted wanted;
    wanted.top = window.levels < problem.levels;
    wanted.energy = all_energies || mm_tail_needs_energy(problem.tail, k);
    return wanted;
}

/** Sum of |elements| near the outermost diagonal that decides whether the band grows. */
__device__ static inline double mm_watched_beyond(const struct mm_device_problem &problem,
                                                  struct mm_device_window window, struct mm_qubit qubit,
                                                  double outer, double inner)
{
    if (window.bands >= window.levels)
        return 0.0;
    return problem.derivative ? outer + inner : 2.0 * qubit.coherence * outer;
}

/** Chooses the window of state k+1; all threads agree.
 *  @param reach         |S_L| of the first level above the window: the share of the top row that may leave it
 *  @param diagonal_sum  gives the sum of |elements| of a diagonal of the state, to all threads of the block */
template <class DiagonalSum>
__device__ __forceinline__ struct mm_window_choice
mm_choose_window(const struct mm_device_problem &problem, double band_tolerance, int64_t k,
                 struct mm_device_window window, double reach, struct mm_qubit qubit,
                 const struct mm_state_sums &sums, DiagonalSum diagonal_sum)
{
    const double limit = MM_BAND_SHARE * band_tolerance;
    struct mm_window_choice choice = {window, 0.0};
    if (window.levels < problem.levels) {
        const double dropped = reach * (qubit.excited + qubit.coherence) * 2.0 * sums.top;
        const double watched = problem.derivative ? 2.0 * sums.top + 2.0 * sums.below_top : dropped;
        if (watched > MM_TOP_SHARE * band_tolerance)
            choice.window.levels = min(window.levels + MM_WINDOW_STEP, problem.levels);
        else
            choice.dropped = dropped;
    }
    const bool may_shrink = k % MM_SHRINK_INTERVAL == 0;
    const double allowance = MM_SHRINK_SHARE * limit;
    double outer = sums.outer, inner = sums.inner, faded = 0.0;
    while (may_shrink && choice.window.bands > 1) {
        const struct mm_device_window smaller = {choice.window.levels, choice.window.bands - 1};
        if (faded + 2.0 * outer > allowance)
            break;
        const double innermost = smaller.bands > 1 ? diagonal_sum(smaller.bands - 2) : 0.0;
        if (mm_watched_beyond(problem, smaller, qubit, inner, innermost) > allowance)
            break;
        faded += 2.0 * outer;
        outer = inner;
        inner = innermost;
        choice.window = smaller;
    }
    choice.dropped += faded;
    if (mm_watched_beyond(problem, choice.window, qubit, outer, inner) > limit)
        choice.window.bands++;
    else if (choice.window.bands < choice.window.levels)
        choice.dropped += 2.0 * qubit.coherence * outer;
    return choice;
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
                                                struct mm_device_window window)
{
    chain.window = window;
    chain.overflow = 1;
    *view.chain = chain;
}

/** Enters the final state of a propagation, and its window. */
__device__ static inline void mm_enter_end(const struct mm_device_problem &problem,
                                           const struct mm_chain_view &view, struct mm_device_chain &chain,
                                           int64_t first, int64_t end, double energy,
                                           struct mm_device_window window)
{
    chain.collision = end;
    mm_enter_energy(problem, view, chain, first, energy);
    chain.window = window;
    *view.chain = chain;
}

#endif
