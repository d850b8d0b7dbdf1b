/* progress.c - how far a search is: what of its grid, and of one task's share in it, is finished and what is missing. */
#include <math.h>

#include "chain/agreement.h"
#include "chain/grid.h"
#include "chain/progress.h"

struct mm_grid_progress mm_grid_progress(const struct mm_config *config, const double *losses,
                                         const struct mm_share *share)
{
    const int64_t starts = config->starts;
    struct mm_grid_progress progress = {.total = mm_config_chains(config), .grid_points = mm_grid_points(config)};
    for (int64_t point = 0; point < progress.grid_points; point++) {
        const double *here = losses + point * starts;
        const int64_t needed = mm_starts_needed(config, here);
        int64_t missing = 0;
        for (int64_t s = 0; s < needed; s++)
            if (isnan(here[s])) {
                missing++;
                progress.share_missing += mm_share_has(share, point * starts + s);
            }
        progress.finished += needed - missing;
        progress.missing += missing;
        progress.incomplete += missing > 0;
    }
    return progress;
}

void mm_lambda_best_find(const struct mm_chain_source *source, struct mm_lambda_best *best)
{
    const struct mm_config *config = source->config;
    for (size_t i = 0; i < mm_grid_axis(config, MM_AXIS_lambda).count; i++)
        best[i] = (struct mm_lambda_best){.chain = -1};
    for (int64_t chain = 0; chain < mm_config_chains(config); chain++) {
        if (!source->has(source->context, chain))
            continue;
        struct mm_lambda_best *here =
            &best[mm_grid_position(config, mm_grid_point_of(config, chain), MM_AXIS_lambda)];
        here->finished++;
        if (here->chain < 0 || source->loss(source->context, chain) < source->loss(source->context, here->chain))
            here->chain = chain;
    }
}
