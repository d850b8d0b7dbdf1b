/* checkpoints.c - checkpoints of a run for the adjoint sweep: states that are saved, and loaded again.
 *
 * Only what derivatives need of a state is put aside, and in the precision in which the adjoint will be swept over
 * it: copying a state takes as long as some collisions, and more the less of them the caches hold.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "solver/band_layout.h"
#include "cpu/run.h"
#include "base/memory.h"

enum { WINDOW_INTERVAL = 16 }; /* collisions between looks at what a derivative needs of the states */

/* The sum of |elements| that the window between two states that are put aside may leave out of each: so many
 * tolerances of one collision, but not more than the limit over lambda, which weighs what is left out, unless the
 * tolerance itself is. With a tolerance of 1e-16, N = 120 and n = 1000 gradients are right to 3e-9 then (two
 * hundred random protocols, lambda = 1, 10, 100 and 1000), and take up to a tenth less time. */
static const double WINDOW_TOLERANCES = 1e3;
static const double WINDOW_LIMIT = 1e-13;

static double left_out_at(double tolerance, double lambda)
{
    return fmin(WINDOW_TOLERANCES * tolerance, fmax(WINDOW_LIMIT / fmax(lambda, 1.0), tolerance));
}

mm_status mm_cpu_save_checkpoint(const struct mm_cpu_run *run, const void *matrix, struct mm_window window,
                                 enum mm_precision precision, struct mm_checkpoint *checkpoint,
                                 struct mm_error *error)
{
    const size_t columns = (size_t)mm_band_columns(window.levels);
    const size_t bytes = columns * (size_t)window.bands * run->stores[precision].loops->number_size;
    if (bytes > checkpoint->capacity) {
        const size_t doubles = bytes / sizeof(double) + bytes / (4 * sizeof(double)) + 1;
        double *data = mm_allocate_doubles(doubles);
        if (data == NULL)
            return mm_fail(error, MM_ERROR_MEMORY, "no memory for a checkpoint of %zu bytes", bytes);
        free(checkpoint->data);
        checkpoint->data = data;
        checkpoint->capacity = doubles * sizeof(double);
    }
    checkpoint->window = window;
    checkpoint->precision = precision;
    mm_copy_window((struct mm_band_matrix){run->precision, run->stride, (void *)matrix},
                   (struct mm_band_matrix){precision, columns, checkpoint->data}, window);
    return MM_OK;
}

mm_status mm_cpu_save_state(struct mm_cpu_run *run, enum mm_precision precision, struct mm_checkpoint *checkpoint,
                            struct mm_error *error)
{
    checkpoint->passed = mm_cpu_run_narrow_window(run, run->left_out);
    return mm_cpu_save_checkpoint(run, mm_cpu_run_store(run)->state, checkpoint->passed, precision, checkpoint,
                                  error);
}

mm_status mm_cpu_follow_plan(struct mm_cpu_run *run, const struct mm_sweep_plan *plan, double lambda,
                             struct mm_error *error)
{
    run->plan = plan;
    run->left_out = left_out_at(run->band_tolerance, lambda);
    run->passed_marks = 0;
    if (plan == NULL || plan->mark_count <= run->mark_capacity)
        return MM_OK;
    struct mm_checkpoint *marks = realloc(run->marks, plan->mark_count * sizeof *marks);
    if (marks == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for %zu states of a run", plan->mark_count);
    memset(marks + run->mark_capacity, 0, (plan->mark_count - run->mark_capacity) * sizeof *marks);
    run->marks = marks;
    run->mark_capacity = plan->mark_count;
    return MM_OK;
}

enum mm_precision mm_cpu_sweep_precision(const struct mm_cpu_run *run, int64_t end)
{
    return end <= run->single.adjoint ? MM_SINGLE : MM_DOUBLE;
}

mm_status mm_cpu_pass_mark(struct mm_cpu_run *run, struct mm_error *error)
{
    const struct mm_sweep_plan *plan = run->plan;
    const size_t next = run->passed_marks;
    if (plan == NULL || run->collision < plan->marks[0].collision)
        return MM_OK;
    if (next < plan->mark_count && run->collision == plan->marks[next].collision) {
        run->passed_marks++;
        const bool last = next + 1 == plan->mark_count;
        return mm_cpu_save_state(
            run, last ? run->precision : mm_cpu_sweep_precision(run, plan->marks[next + 1].collision),
            &run->marks[next], error);
    }
    if ((run->collision - plan->marks[next - 1].collision) % WINDOW_INTERVAL == 0) {
        struct mm_checkpoint *mark = &run->marks[next - 1];
        mark->passed = mm_window_hull(mark->passed, mm_cpu_run_narrow_window(run, run->left_out));
    }
    return MM_OK;
}

void mm_cpu_load_checkpoint(const struct mm_cpu_run *run, const struct mm_checkpoint *checkpoint, void *matrix,
                            struct mm_window window)
{
    const struct mm_window common = mm_window_common(checkpoint->window, window);
    const size_t columns = (size_t)mm_band_columns(checkpoint->window.levels);
    mm_cpu_run_clip(run, matrix, window, common);
    mm_copy_window((struct mm_band_matrix){checkpoint->precision, columns, checkpoint->data},
                   (struct mm_band_matrix){run->precision, run->stride, matrix}, common);
    mm_cpu_run_clip(run, matrix, checkpoint->window, common);
}
