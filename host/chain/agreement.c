/* agreement.c - when enough starts of a grid point have found the same best loss.
 *
 * Starts are looked at in their order. After start s the best loss so far is b_s, and the starts up to s whose loss
 * is at most mm_agreeing_loss(b_s) have found it. The first s at which `agree` of them have ends the grid point.
 * Where a chain is not finished its start, and so what follows, is undecided.
 */
#include <math.h>

#include "chain/agreement.h"
#include "chain/grid.h"

double mm_agreeing_loss(double best)
{
    return best + 1e-6 * fmax(1.0, fabs(best));
}

/* Starts [0, count) whose loss agrees with `best`. */
static int64_t count_agreeing(const double *losses, int64_t count, double best)
{
    int64_t agreeing = 0;
    for (int64_t s = 0; s < count; s++)
        agreeing += losses[s] <= mm_agreeing_loss(best);
    return agreeing;
}

static void look_at(struct mm_agreement *agreement, const double *losses)
{
    double loss = losses[agreement->decided++];
    if (agreement->decided == 1 || loss < agreement->best) {
        agreement->best = loss;
        agreement->agreeing = isfinite(loss) ? count_agreeing(losses, agreement->decided, loss) : 0;
    } else if (isfinite(agreement->best)) {
        agreement->agreeing += loss <= mm_agreeing_loss(agreement->best);
    }
}

int64_t mm_agreement_advance(struct mm_agreement *agreement, const struct mm_config *config, const double *losses)
{
    while (config->agree > 0 && !agreement->enough && agreement->decided < config->starts &&
           !isnan(losses[agreement->decided])) {
        look_at(agreement, losses);
        agreement->enough = agreement->agreeing >= config->agree;
    }
    return agreement->enough ? agreement->decided : config->starts;
}

int64_t mm_starts_needed(const struct mm_config *config, const double *losses)
{
    struct mm_agreement agreement = {0};
    return mm_agreement_advance(&agreement, config, losses);
}

int64_t mm_chains_missing(const struct mm_config *config, const double *losses)
{
    int64_t missing = 0;
    for (int64_t cell = 0; cell < mm_grid_points(config); cell++) {
        const double *of_cell = losses + cell * config->starts;
        int64_t needed = mm_starts_needed(config, of_cell);
        for (int64_t s = 0; s < needed; s++)
            missing += isnan(of_cell[s]) != 0;
    }
    return missing;
}
