/* band_state.cu - a state of the host as the band matrix of a chain, and back. */
#include "backend/band_state.cuh"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace
{

/* Element (m+d, m) of a state; zero beyond its levels. */
double state_element(const struct mm_state *state, int d, int m)
{
    const size_t levels = static_cast<size_t>(state->levels);
    return m + d < state->levels ? state->density[static_cast<size_t>(m + d) * levels + static_cast<size_t>(m)]
                                 : 0.0;
}

} // namespace

struct mm_window mm_band_state_window(const struct mm_state *state, int most_levels)
{
    struct mm_window window = {1, 1};
    for (int d = 0; d < state->levels; d++)
        for (int m = 0; m + d < state->levels; m++)
            if (state_element(state, d, m) != 0.0)
                window = {std::max(window.levels, m + d + 1), d + 1};
    window.levels = (window.levels + MM_WINDOW_STEP - 1) / MM_WINDOW_STEP * MM_WINDOW_STEP;
    window.levels = std::min(window.levels, most_levels);
    return window;
}

void mm_band_state_write(const struct mm_state *state, struct mm_window window, const struct mm_chain_batch &batch,
                         double *matrix)
{
    memset(matrix, 0, mm_batch_matrix(batch) * sizeof *matrix);
    for (int d = 0; d < window.bands; d++)
        for (int m = 0; m + d < window.levels; m++)
            matrix[d * batch.columns + m] = state_element(state, d, m);
}

mm_status mm_band_state_read(const double *matrix, const struct mm_chain_batch &batch,
                             const struct mm_device_chain &chain, int levels, struct mm_state *state,
                             struct mm_error *error)
{
    const struct mm_window window = chain.window;
    const size_t width = static_cast<size_t>(levels == MM_LEVELS_AUTO ? window.levels : levels);
    double *density = static_cast<double *>(calloc(width * width, sizeof(double)));
    if (density == nullptr)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for a density matrix of %zu levels", width);
    for (int d = 0; d < window.bands; d++)
        for (int m = 0; m + d < window.levels; m++) {
            const size_t n = static_cast<size_t>(m + d), column = static_cast<size_t>(m);
            const double element = matrix[d * batch.columns + m];
            density[n * width + column] = density[column * width + n] = element;
        }
    free(state->density);
    *state = {};
    state->levels = static_cast<int>(width);
    state->density = density;
    state->collisions = chain.collision;
    state->band_error = chain.band_error;
    state->truncation_population = chain.truncation_population;
    return MM_OK;
}
