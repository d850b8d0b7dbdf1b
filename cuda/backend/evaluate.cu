/* evaluate.cu - loss and gradient of many chains on one worker: forward run, spectra, adjoint sweep.
 *
 * Chains of one class go through the device together. Those that outgrow the class are run again in the class of
 * the window that did not fit; all others are sorted by size, their eigenvalue problems are solved in groups of the
 * same size, the host finishes the loss, and one adjoint sweep gives the gradients of those that want one.
 */
#include "backend/worker.cuh"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "kernels/adjoint.cuh"
#include "kernels/density.cuh"
#include "device/check.cuh"
#include "backend/host.cuh"
#include "kernels/propagate.cuh"

namespace
{

/* Chains of one class on their way through the device. */
struct pass {
    struct mm_cuda_worker *worker;
    const struct mm_cuda_job *job;
    struct mm_cuda_item *items; /* [plan.rows]: a row of the batch each */
    struct mm_chain_plan plan;
    struct mm_chain_batch batch;
    int *order;   /* [plan.rows], device memory */
    int finished; /* the first rows of the sorted order, which did not outgrow the class */
    int swept;    /* those of them whose gradient is wanted, which take their place in the order for the sweep */
};

double seconds_now()
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/* Ends a stage, where times are wanted. */
mm_status end_stage(const struct pass &pass, enum mm_cuda_stage stage, struct mm_error *error)
{
    struct mm_cuda_times *times = &pass.worker->times;
    if (!times->wanted)
        return MM_OK;
    MM_CUDA_CHECK(error, cudaStreamSynchronize(pass.worker->stream));
    const double now = seconds_now();
    times->seconds[stage] += now - times->since;
    times->since = now;
    return MM_OK;
}

/* ----------------------------------------------------------------------------------------- forward run */

/* Puts all states and chains aside, or back, as they are at the start of a segment. */
mm_status copy_checkpoint(const struct pass &pass, int64_t segment, bool restore, struct mm_error *error)
{
    const struct mm_device_memory &memory = pass.worker->memory;
    const size_t rows = static_cast<size_t>(pass.plan.rows), index = static_cast<size_t>(segment);
    const size_t matrices = rows * mm_batch_matrix(pass.batch);
    double *states = mm_on_device<double>(memory, MM_ARRAY_CHECKPOINT_STATES) + index * matrices;
    struct mm_device_chain *chains =
        mm_on_device<struct mm_device_chain>(memory, MM_ARRAY_CHECKPOINT_CHAINS) + index * rows;
    MM_CUDA_CHECK(error, cudaMemcpyAsync(restore ? pass.batch.state : states, restore ? states : pass.batch.state,
                                         matrices * sizeof(double), cudaMemcpyDeviceToDevice, pass.worker->stream));
    MM_CUDA_CHECK(error, cudaMemcpyAsync(restore ? pass.batch.chains : chains, restore ? chains : pass.batch.chains,
                                         rows * sizeof *chains, cudaMemcpyDeviceToDevice, pass.worker->stream));
    return MM_OK;
}

/* From the vacuum to the end of the schedule. With gradients the states of the last segment are kept, and a
 * checkpoint is left at the start of every other. */
mm_status run_forward(const struct pass &pass, struct mm_error *error)
{
    const struct mm_chain_plan &plan = pass.plan;
    const cudaStream_t stream = pass.worker->stream;
    const int64_t first = plan.gradient ? plan.first : plan.collisions;
    mm_status status = MM_OK;
    if (first > 0)
        status = mm_cuda_propagate(pass.batch, plan.rows, pass.order, 0, first, false, stream, error);
    for (int64_t segment = 0; plan.gradient && segment < plan.segments && status == MM_OK; segment++) {
        const bool keep = segment == plan.segments - 1;
        if (!keep)
            status = copy_checkpoint(pass, segment, false, error);
        if (status == MM_OK)
            status = mm_cuda_propagate(pass.batch, plan.rows, pass.order, mm_chain_plan_segment(&plan, segment),
                                       mm_chain_plan_segment(&plan, segment + 1), keep, stream, error);
    }
    return status;
}

/* Sorts the rows, and brings keys, order and chains to the host. */
mm_status sort_rows(struct pass *pass, struct mm_error *error)
{
    struct mm_cuda_worker *worker = pass->worker;
    const size_t rows = static_cast<size_t>(pass->plan.rows);
    int *keys = mm_on_device<int>(worker->memory, MM_ARRAY_KEYS);
    mm_status status = mm_cuda_sort_chains(pass->batch, pass->plan.rows, pass->order, keys, &worker->scratch,
                                           worker->stream, error);
    if (status == MM_OK)
        status = mm_cuda_worker_download(worker, MM_ARRAY_KEYS, rows * sizeof(int), error);
    if (status != MM_OK)
        return status;
    MM_CUDA_CHECK(error, cudaStreamSynchronize(worker->stream));
    const int *sorted = mm_staged<int>(worker->memory, MM_ARRAY_KEYS);
    pass->finished = static_cast<int>(std::lower_bound(sorted, sorted + rows, MM_KEY_OVERFLOW) - sorted);
    if (pass->finished > 0)
        status = mm_cuda_purity(pass->batch, pass->finished, pass->order, worker->stream, error);
    if (status == MM_OK)
        status = mm_cuda_worker_download(worker, MM_ARRAY_ORDER, rows * sizeof(int), error);
    if (status == MM_OK)
        status = mm_cuda_worker_download(worker, MM_ARRAY_INPUT, rows * sizeof(struct mm_device_chain), error);
    if (status != MM_OK)
        return status;
    MM_CUDA_CHECK(error, cudaStreamSynchronize(worker->stream));
    return MM_OK;
}

/* Decides which chains are finished, and in which class the others are run again. */
void set_classes(const struct pass &pass)
{
    const struct mm_device_chain *chains = mm_staged<struct mm_device_chain>(pass.worker->memory, MM_ARRAY_INPUT);
    for (int row = 0; row < pass.plan.rows; row++) {
        struct mm_cuda_item *item = &pass.items[row];
        const struct mm_device_chain &chain = chains[row];
        if (chain.overflow) {
            item->size = mm_chain_class_next(pass.plan.size, chain.window);
            continue;
        }
        const struct mm_window most = {chain.window.levels, chain.most_bands};
        const struct mm_chain_class own = mm_chain_class_own(pass.worker->problem, most);
        item->finished = item->settled || mm_chain_class_same(own, pass.plan.size);
        if (item->finished)
            continue;
        item->settled = true;
        item->size = own;
    }
}

/* Takes the chains that are run again out of the order: nothing more is asked of this run of theirs. */
mm_status keep_finished(struct pass *pass, struct mm_error *error)
{
    int *order = mm_staged<int>(pass->worker->memory, MM_ARRAY_ORDER);
    int *keys = mm_staged<int>(pass->worker->memory, MM_ARRAY_KEYS);
    int kept = 0;
    for (int place = 0; place < pass->finished; place++)
        if (pass->items[order[place]].finished) {
            order[kept] = order[place];
            keys[kept++] = keys[place];
        }
    if (kept < pass->finished)
        MM_CUDA_CHECK(error, cudaMemcpyAsync(pass->order, order, static_cast<size_t>(kept) * sizeof(int),
                                             cudaMemcpyHostToDevice, pass->worker->stream));
    pass->finished = kept;
    return MM_OK;
}

/* --------------------------------------------------------------------------------------------- spectra */

/* Fills the evaluation of one chain; the ergotropy is never negative.
 * @returns the partial derivatives of its loss */
struct mm_loss finish_evaluation(const struct pass &pass, int row, double passive)
{
    const struct mm_problem *problem = pass.worker->problem;
    const struct mm_device_chain &chain =
        mm_staged<struct mm_device_chain>(pass.worker->memory, MM_ARRAY_INPUT)[row];
    const size_t point = pass.items[row].point;
    struct mm_evaluation *evaluation = &pass.job->evaluations[point];
    *evaluation = {};
    evaluation->energy = chain.energy;
    evaluation->ergotropy = chain.energy > passive ? chain.energy - passive : 0.0;
    evaluation->purity = chain.purity;
    evaluation->instability = chain.instability;
    evaluation->band_error = chain.band_error;
    evaluation->truncation_population = chain.truncation_population;
    evaluation->levels = problem->levels == MM_LEVELS_AUTO ? chain.window.levels : problem->levels;
    evaluation->eigen_failures = pass.items[row].eigen_failed;
    const struct mm_loss loss = mm_loss_finish(problem, &pass.job->points[point], evaluation);
    pass.items[row].swept = mm_loss_wants_gradient(&pass.job->points[point], evaluation);
    return loss;
}

/* The final adjoint of a group from its projectors and the derivatives of the losses. */
mm_status build_adjoints(const struct pass &pass, const struct mm_eigen_group &group, struct mm_error *error)
{
    struct mm_cuda_worker *worker = pass.worker;
    const double *projectors;
    struct mm_loss *losses = mm_on_device<struct mm_loss>(worker->memory, MM_ARRAY_LOSSES);
    mm_status status = mm_eigen_projectors(&worker->eigen, group, &projectors, error);
    if (status != MM_OK)
        return status;
    MM_CUDA_CHECK(error, cudaMemcpyAsync(losses, mm_staged<struct mm_loss>(worker->memory, MM_ARRAY_LOSSES),
                                         static_cast<size_t>(group.count) * sizeof *losses, cudaMemcpyHostToDevice,
                                         worker->stream));
    return mm_cuda_build_adjoint(pass.batch, group.count, group.order, group.levels, projectors, losses,
                                 worker->stream, error);
}

/* As many chains of a group as there is room for, from place `place` of the order; group->count becomes theirs. */
mm_status finish_group(const struct pass &pass, int place, struct mm_eigen_group *group, struct mm_error *error)
{
    struct mm_cuda_worker *worker = pass.worker;
    const int *order = mm_staged<int>(worker->memory, MM_ARRAY_ORDER);
    const double *passive;
    const int *info;
    mm_status status = mm_eigen_reserve(&worker->eigen, group, error);
    if (status == MM_OK)
        status = mm_eigen_passive(&worker->eigen, pass.batch, *group, &passive, &info, error);
    if (status == MM_OK)
        status = end_stage(pass, MM_STAGE_EIGEN, error);
    for (int i = 0; i < group->count && status == MM_OK; i++) {
        const int row = order[place + i];
        pass.items[row].eigen_failed = info[i] != 0;
        worker->eigen_failures += pass.items[row].eigen_failed;
        const struct mm_loss loss = finish_evaluation(pass, row, passive[i]);
        if (group->vectors)
            mm_staged<struct mm_loss>(worker->memory, MM_ARRAY_LOSSES)[i] = loss;
    }
    if (status == MM_OK)
        status = end_stage(pass, MM_STAGE_HOST, error);
    if (status == MM_OK && group->vectors)
        status = build_adjoints(pass, *group, error);
    return status == MM_OK ? end_stage(pass, MM_STAGE_EIGEN, error) : status;
}

/* Evaluations, and with gradients the final adjoints, of all finished rows. */
mm_status finish_rows(const struct pass &pass, struct mm_error *error)
{
    struct mm_cuda_worker *worker = pass.worker;
    const int *keys = mm_staged<int>(worker->memory, MM_ARRAY_KEYS);
    mm_status status = MM_OK;
    if (pass.plan.gradient)
        status = mm_device_memory_stage(&worker->memory, MM_ARRAY_LOSSES,
                                        static_cast<size_t>(pass.plan.rows) * sizeof(struct mm_loss), error);
    for (int place = 0; place < pass.finished && status == MM_OK;) {
        const int key = keys[place];
        int end = place;
        while (end < pass.finished && mm_key_group(keys[end]) == mm_key_group(key))
            end++;
        struct mm_eigen_group group = {pass.order + place, end - place, mm_key_levels(key), mm_key_diagonal(key),
                                       pass.plan.gradient};
        status = finish_group(pass, place, &group, error);
        place += group.count;
    }
    return status;
}

/* ------------------------------------------------------------------------------------------- gradients */

/* Leaves only the chains whose gradient is wanted in the order. */
mm_status select_swept(struct pass *pass, struct mm_error *error)
{
    int *order = mm_staged<int>(pass->worker->memory, MM_ARRAY_ORDER);
    const struct mm_cuda_item *items = pass->items;
    int *end = std::remove_if(order, order + pass->finished, [items](int row) { return !items[row].swept; });
    pass->swept = static_cast<int>(end - order);
    MM_CUDA_CHECK(error, cudaMemcpyAsync(pass->order, order, static_cast<size_t>(pass->swept) * sizeof(int),
                                         cudaMemcpyHostToDevice, pass->worker->stream));
    return MM_OK;
}

/* Segment by segment, last one first, recomputing the states of all but the last. */
mm_status sweep_adjoints(const struct pass &pass, struct mm_error *error)
{
    const cudaStream_t stream = pass.worker->stream;
    mm_status status = MM_OK;
    for (int64_t segment = pass.plan.segments - 1; segment >= 0 && status == MM_OK; segment--) {
        const int64_t first = mm_chain_plan_segment(&pass.plan, segment);
        const int64_t end = mm_chain_plan_segment(&pass.plan, segment + 1);
        if (segment < pass.plan.segments - 1) {
            status = copy_checkpoint(pass, segment, true, error);
            if (status == MM_OK)
                status = mm_cuda_propagate(pass.batch, pass.swept, pass.order, first, end, true, stream, error);
        }
        if (status == MM_OK)
            status = mm_cuda_adjoint_sweep(pass.batch, pass.swept, pass.order, first, end, stream, error);
    }
    return status;
}

/* The gradient of a row, from its derivatives by all batches; NAN where it is not wanted. */
void write_gradient(const struct pass &pass, int row, const double *derivative)
{
    const struct mm_problem *problem = pass.worker->problem;
    struct mm_channel_gradient *gradient = pass.job->gradients + pass.items[row].point * pass.job->free_batches;
    for (size_t b = 0; b < problem->batch_count; b++)
        if (!problem->batches[b].fixed)
            *gradient++ = pass.items[row].swept ? mm_channel_gradient{derivative[2 * b], derivative[2 * b + 1]}
                                                : mm_channel_gradient{NAN, NAN};
}

/* Brings the derivatives of all rows home. Where few collisions did not tell, the chain is not finished. */
mm_status collect_gradients(const struct pass &pass, struct mm_error *error)
{
    struct mm_cuda_worker *worker = pass.worker;
    const size_t rows = static_cast<size_t>(pass.plan.rows), row_size = worker->problem->batch_count * 2;
    mm_status status =
        mm_cuda_worker_download(worker, MM_ARRAY_DERIVATIVES, rows * row_size * sizeof(double), error);
    if (status == MM_OK)
        status = mm_cuda_worker_download(worker, MM_ARRAY_FEW_SUMS, rows * sizeof(struct mm_few_sums), error);
    if (status != MM_OK)
        return status;
    MM_CUDA_CHECK(error, cudaStreamSynchronize(worker->stream));
    const double *derivatives = mm_staged<double>(worker->memory, MM_ARRAY_DERIVATIVES);
    const struct mm_few_sums *few = mm_staged<struct mm_few_sums>(worker->memory, MM_ARRAY_FEW_SUMS);
    for (size_t row = 0; row < rows; row++) {
        struct mm_cuda_item *item = &pass.items[row];
        if (item->finished && item->swept && !item->eigen_failed && few[row].failed) {
            item->finished = false;
            item->every = true;
            worker->summed_again++;
        } else if (item->finished) {
            write_gradient(pass, static_cast<int>(row), derivatives + row * row_size);
        }
    }
    return MM_OK;
}

/* ---------------------------------------------------------------------------------------------- chains */

/* Evaluations and gradients of the chains that did not outgrow the class. */
mm_status finish_pass(struct pass *pass, struct mm_error *error)
{
    mm_status status = finish_rows(*pass, error);
    if (status == MM_OK && pass->plan.gradient)
        status = select_swept(pass, error);
    if (status == MM_OK && pass->swept > 0)
        status = sweep_adjoints(*pass, error);
    if (status == MM_OK)
        status = end_stage(*pass, MM_STAGE_ADJOINT, error);
    if (status == MM_OK && pass->plan.gradient)
        status = collect_gradients(*pass, error);
    return status == MM_OK ? end_stage(*pass, MM_STAGE_TRANSFER, error) : status;
}

/* The way of a chain's adjoint sweep. */
enum mm_sweep_way way_of(const struct pass &pass, int row)
{
    const struct mm_cuda_item &item = pass.items[row];
    if (item.every)
        return MM_SWEEP_EVERY;
    return mm_gradient_may_be_rough(pass.worker->problem, &pass.job->points[item.point]) ? MM_SWEEP_ROUGH
                                                                                         : MM_SWEEP_EXACT;
}

/* All chains of a pass, from the vacuum to their results. */
mm_status run_pass(struct pass *pass, struct mm_error *error)
{
    struct mm_cuda_worker *worker = pass->worker;
    size_t wanted[MM_ARRAY_COUNT];
    mm_chain_plan_arrays(&pass->plan, worker->problem, wanted);
    mm_status status = mm_cuda_worker_reserve(worker, wanted, error);
    if (status != MM_OK)
        return status;
    pass->batch = mm_cuda_worker_batch(worker, pass->plan);
    pass->order = mm_on_device<int>(worker->memory, MM_ARRAY_ORDER);
    for (int row = 0; row < pass->plan.rows; row++)
        mm_cuda_worker_stage_point(worker, pass->plan, row, &pass->job->points[pass->items[row].point],
                                   way_of(*pass, row));
    status = end_stage(*pass, MM_STAGE_HOST, error);
    if (status == MM_OK)
        status = mm_cuda_worker_begin(worker, pass->plan, pass->batch, error);
    if (status == MM_OK)
        status = end_stage(*pass, MM_STAGE_TRANSFER, error);
    if (status == MM_OK)
        status = run_forward(*pass, error);
    if (status == MM_OK)
        status = end_stage(*pass, MM_STAGE_PROPAGATION, error);
    if (status == MM_OK)
        status = sort_rows(pass, error);
    if (status == MM_OK)
        status = end_stage(*pass, MM_STAGE_TRANSFER, error);
    if (status != MM_OK)
        return status;
    set_classes(*pass);
    status = keep_finished(pass, error);
    return status == MM_OK && pass->finished > 0 ? finish_pass(pass, error) : status;
}

/* Whether two items may go through the device together. */
bool alike(const struct mm_cuda_item &a, const struct mm_cuda_item &b)
{
    return a.every == b.every && mm_chain_class_same(a.size, b.size);
}

bool before(const struct mm_cuda_item &a, const struct mm_cuda_item &b)
{
    if (a.every != b.every)
        return b.every;
    return mm_chain_class_same(a.size, b.size) ? a.point < b.point : mm_chain_class_before(a.size, b.size);
}

} // namespace

mm_status mm_cuda_worker_evaluate(struct mm_cuda_worker *worker, const struct mm_cuda_job &job, size_t count,
                                  struct mm_cuda_item *items, struct mm_error *error)
{
    MM_CUDA_CHECK(error, cudaSetDevice(worker->device));
    worker->times.since = seconds_now();
    while (count > 0) {
        std::sort(items, items + count, before);
        const struct mm_cuda_item first = items[0];
        const struct mm_cuda_item *end = std::find_if(
            items, items + count, [first](const struct mm_cuda_item &item) { return !alike(item, first); });
        struct pass pass = {worker, &job, items, {}, {}, nullptr, 0, 0};
        const struct mm_chain_purpose purpose = {job.gradients == nullptr ? nullptr : worker->ways, first.every};
        const size_t wanted = mm_cuda_worker_rows(worker, first.size, mm_problem_collisions(worker->problem),
                                                  static_cast<size_t>(end - items));
        mm_status status = mm_chain_plan_make(&pass.plan, worker->problem, first.size, purpose, wanted,
                                              worker->resident, worker->memory.limit, error);
        if (status == MM_OK)
            status = run_pass(&pass, error);
        if (status != MM_OK)
            return status;
        struct mm_cuda_item *rest = std::partition(items, items + pass.plan.rows,
                                                   [](const struct mm_cuda_item &item) { return item.finished; });
        count -= static_cast<size_t>(rest - items);
        items = rest;
    }
    return MM_OK;
}
