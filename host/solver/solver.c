/* solver.c - opens a backend for a problem, checks everything that enters it, and gives what failed to the next. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cblas.h>
#include <omp.h>
#include <pthread.h>

#include "base/options.h"
#include "solver/backend.h"
#include "model/problem.h"
#include "model/state.h"

enum { MM_THREADS_MAX = 4096 };

struct mm_solver {
    const struct mm_backend *backend;
    void *state;
    struct mm_problem problem;
    struct mm_batch *batches; /* owned, behind problem.batches */
    size_t free_batches;
    char device[128];
    struct mm_solver *next; /* on the next backend, for points that failed; NULL until there is one */
};

/* --------------------------------------------------------------------------------------- list of backends */

/* A row of the list: table is NULL where the backend was not compiled in, and reason says why. */
struct backend_entry {
    const char *name;
    const struct mm_backend *table;
    const char *reason;
};

#ifndef MM_WITH_CUDA
#define MM_WITH_CUDA 0
#endif
#define MM_TABLE_IF_0(name)                         NULL
#define MM_TABLE_IF_1(name)                         &mm_backend_##name
#define MM_TABLE_IF(condition, name)                MM_TABLE_IF_##condition(name)
#define MM_BACKEND_ENTRY(name, compiled_in, reason) {#name, MM_TABLE_IF(compiled_in, name), reason},

static const struct backend_entry backend_entries[] = {MM_BACKEND_LIST(MM_BACKEND_ENTRY)};
enum { BACKEND_COUNT = sizeof backend_entries / sizeof backend_entries[0] };

/* As mm_backend.available. */
static bool entry_available(const struct backend_entry *entry, size_t size, char *text)
{
    if (entry->table != NULL)
        return entry->table->available(size, text);
    snprintf(text, size, "%s", entry->reason);
    return false;
}

void mm_backend_describe(void (*line)(void *context, const char *name, bool available, const char *text),
                         void *context)
{
    for (int i = 0; i < BACKEND_COUNT; i++) {
        char text[MM_BACKEND_TEXT];
        bool available = entry_available(&backend_entries[i], sizeof text, text);
        line(context, backend_entries[i].name, available, text);
    }
}

bool mm_backend_is_automatic(const char *name)
{
    return name == NULL || strcmp(name, "auto") == 0;
}

bool mm_backend_is_known(const char *name)
{
    bool known = mm_backend_is_automatic(name);
    for (int i = 0; i < BACKEND_COUNT && !known; i++)
        known = strcmp(name, backend_entries[i].name) == 0;
    return known;
}

/* What a backend is looked for. */
struct need {
    bool little; /* too little for a device: `auto` passes it over */
    bool wigner; /* it must have this operation */
};

/* Whether a backend has what is needed; of one that was not compiled in it is taken for granted. */
static bool serves(const struct backend_entry *entry, struct need need)
{
    return entry->table == NULL || !need.wigner || entry->table->wigner != NULL;
}

static bool is_device(const struct backend_entry *entry)
{
    return entry->table != NULL && entry->table->traits.device;
}

/* Writes the names that can be given, "auto, cpu and cuda": in the order of the alphabet, and as many as fit. */
static void list_names(struct need need, size_t size, char *text)
{
    const char *last = "";
    size_t length = (size_t)snprintf(text, size, "auto");
    for (int left = BACKEND_COUNT; left > 0 && length < size; left--) {
        const char *next = NULL;
        bool more = false;
        for (int i = 0; i < BACKEND_COUNT; i++) {
            const char *name = backend_entries[i].name;
            if (!serves(&backend_entries[i], need) || strcmp(name, last) <= 0)
                continue;
            more = more || next != NULL;
            next = next == NULL || strcmp(name, next) < 0 ? name : next;
        }
        if (next == NULL)
            return;
        length += (size_t)snprintf(text + length, size - length, "%s%s", more ? ", " : " and ", next);
        last = next;
    }
}

static mm_status find_backend(const char *name, struct need need, const struct mm_backend **backend,
                              struct mm_error *error)
{
    char text[MM_BACKEND_TEXT];
    bool automatic = mm_backend_is_automatic(name);
    for (int i = 0; i < BACKEND_COUNT; i++) {
        const struct backend_entry *entry = &backend_entries[i];
        const bool chosen = automatic ? !(need.little && is_device(entry)) : strcmp(name, entry->name) == 0;
        if (!chosen || !serves(entry, need))
            continue;
        if (entry_available(entry, sizeof text, text)) {
            *backend = entry->table;
            return MM_OK;
        }
        if (!automatic)
            return mm_fail(error, MM_ERROR_BACKEND, "backend '%s' is not available: %s", name, text);
    }
    list_names(need, sizeof text, text);
    return mm_fail(error, MM_ERROR_INPUT,
                   need.wigner ? "backend '%s': the Wigner function has %s"
                               : "unknown backend '%s'; allowed are %s",
                   name, text);
}

mm_status mm_backend_for_wigner(const char *name, bool little, const struct mm_backend **backend,
                                struct mm_error *error)
{
    return find_backend(name, (struct need){.little = little, .wigner = true}, backend, error);
}

const char *mm_backend_for_little(const char *name)
{
    const struct mm_backend *backend = NULL;
    if (!mm_backend_is_automatic(name))
        return name;
    return find_backend(name, (struct need){.little = true}, &backend, NULL) == MM_OK ? backend->name : name;
}

/* The next backend of the list that is available; NULL: there is none. */
static const char *next_backend(const struct mm_backend *backend)
{
    char text[MM_BACKEND_TEXT];
    bool passed = false;
    for (int i = 0; i < BACKEND_COUNT; i++) {
        if (passed && entry_available(&backend_entries[i], sizeof text, text))
            return backend_entries[i].name;
        passed = passed || backend_entries[i].table == backend;
    }
    return NULL;
}

/* ------------------------------------------------------------------------------------------------- solver */

void mm_solver_close(struct mm_solver *solver)
{
    if (solver == NULL)
        return;
    if (solver->state != NULL)
        solver->backend->close(solver->state);
    mm_solver_close(solver->next);
    free(solver->batches);
    free(solver);
}

static mm_status copy_problem(struct mm_solver *solver, const struct mm_problem *problem, struct mm_error *error)
{
    solver->problem = *problem;
    solver->batches = calloc(problem->batch_count, sizeof *solver->batches);
    if (solver->batches == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for %zu batches", problem->batch_count);
    memcpy(solver->batches, problem->batches, problem->batch_count * sizeof *solver->batches);
    solver->problem.batches = solver->batches;
    solver->free_batches = mm_problem_free_batches(problem);
    return MM_OK;
}

/* Threads of a process that was told no number: its processors, divided among the processes of the run on this
 * machine unless the launcher has bound each to its own (or OMP_NUM_THREADS says how many). */
static int default_threads(int host_count)
{
    int threads = omp_get_max_threads();
    bool bound = omp_get_num_procs() < sysconf(_SC_NPROCESSORS_ONLN);
    if (host_count < 2 || bound || threads < omp_get_num_procs())
        return threads;
    return threads > host_count ? threads / host_count : 1;
}

mm_status mm_solver_options_take(const struct mm_solver_options *given, struct mm_solver_options *own,
                                 struct mm_error *error)
{
    static const size_t FIRST_SIZE = MM_OPTIONS_FIRST_SIZE(struct mm_solver_options, check_eigen);
    *own = (struct mm_solver_options){0};
    return mm_options_copy("mm_solver_options", FIRST_SIZE, sizeof *own, given, own, error);
}

/* Fills in what the caller left open. */
static mm_status complete_options(const struct mm_solver_options *options, struct mm_solver_options *complete,
                                  struct mm_error *error)
{
    mm_status status = mm_solver_options_take(options, complete, error);
    if (status != MM_OK)
        return status;
    if (complete->threads < 0 || complete->threads > MM_THREADS_MAX)
        return mm_fail(error, MM_ERROR_INPUT, "threads = %d; allowed are 0 (all available) to %d",
                       complete->threads, MM_THREADS_MAX);
    if (complete->host_index < 0 || (complete->host_index > 0 && complete->host_index >= complete->host_count))
        return mm_fail(error, MM_ERROR_INPUT, "host_index = %d; allowed are 0 to host_count - 1 = %d",
                       complete->host_index, complete->host_count - 1);
    if (complete->threads == 0)
        complete->threads = default_threads(complete->host_count);
    return MM_OK;
}

mm_status mm_solver_open(struct mm_solver **solver, const struct mm_problem *problem,
                         const struct mm_solver_options *options, struct mm_error *error)
{
    struct mm_solver_options complete;
    struct mm_solver *opened = calloc(1, sizeof *opened);
    if (opened == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for a solver");
    mm_status status = mm_problem_check(problem, error);
    if (status == MM_OK)
        status = complete_options(options, &complete, error);
    if (status == MM_OK)
        status = find_backend(complete.backend, (struct need){0}, &opened->backend, error);
    if (status == MM_OK)
        status = copy_problem(opened, problem, error);
    if (status == MM_OK) {
        /* chains are the parallel work: a BLAS that starts threads of its own would only get in the way, and
         * its sums would depend on their number */
        if (openblas_get_num_threads() != 1) /* else it might start threads that were dismissed */
            openblas_set_num_threads(1);
        status = opened->backend->open(&opened->state, &opened->problem, &complete, error);
    }
    if (status != MM_OK) {
        mm_solver_close(opened);
        return status;
    }
    opened->backend->device(opened->state, sizeof opened->device, opened->device);
    *solver = opened;
    return MM_OK;
}

const char *mm_solver_backend(const struct mm_solver *solver)
{
    return solver->backend->name;
}

const char *mm_solver_device(const struct mm_solver *solver)
{
    return solver->device;
}

const struct mm_backend_traits *mm_solver_traits(const struct mm_solver *solver)
{
    return &solver->backend->traits;
}

size_t mm_solver_preferred_points(const struct mm_solver *solver)
{
    return solver->backend->preferred_points(solver->state);
}

/* Evaluates a point again whose eigenvalues failed, on the next backend; leaves every other as it is. */
static mm_status replace_failed(struct mm_solver *solver, const struct mm_point *point,
                                struct mm_evaluation *evaluation, struct mm_channel_gradient *gradient,
                                struct mm_error *error)
{
    mm_status status = MM_OK;
    if (evaluation->eigen_failures == 0)
        return MM_OK;
    if (solver->next == NULL) {
        const struct mm_solver_options options = {.backend = next_backend(solver->backend), .threads = 1};
        if (options.backend == NULL)
            return mm_fail(error, MM_ERROR_LAPACK, "eigenvalues failed on %s, the last backend",
                           solver->backend->name);
        status = mm_solver_open(&solver->next, &solver->problem, &options, error);
    }
    if (status == MM_OK)
        status = mm_solver_evaluate(solver->next, 1, point, evaluation, gradient, error);
    evaluation->eigen_failures = 1;
    return status;
}

mm_status mm_solver_evaluate(struct mm_solver *solver, size_t count, const struct mm_point *points,
                             struct mm_evaluation *evaluations, struct mm_channel_gradient *gradients,
                             struct mm_error *error)
{
    for (size_t i = 0; i < count; i++) {
        mm_status status = mm_point_check(&points[i], solver->free_batches, error);
        if (status != MM_OK)
            return status;
    }
    mm_status status = solver->backend->evaluate(solver->state, count, points, evaluations, gradients, error);
    for (size_t i = 0; i < count && status == MM_OK; i++)
        status = replace_failed(solver, &points[i], &evaluations[i],
                                gradients == NULL ? NULL : gradients + i * solver->free_batches, error);
    return status;
}

/* ------------------------------------------------------------------------------------------------- flows */

/* A work queue in which points that failed are replaced before anybody makes use of them. */
struct mended_work {
    struct mm_solver *solver;
    const struct mm_work_queue *given;
    pthread_mutex_t lock; /* of the solver and what follows: points are used side by side */
    mm_status status;     /* the first of a replacement that was not MM_OK */
    struct mm_error error;
};

static mm_status next_mended(void *context, size_t *slot, struct mm_error *error)
{
    const struct mm_work_queue *given = ((struct mended_work *)context)->given;
    return given->next(given->context, slot, error);
}

static void use_mended(void *context, size_t slot)
{
    struct mended_work *mended = context;
    const struct mm_work_queue *given = mended->given;
    mm_status status = MM_OK;
    if (given->evaluations[slot].eigen_failures > 0) {
        pthread_mutex_lock(&mended->lock);
        if (mended->status == MM_OK)
            mended->status = replace_failed(mended->solver, &given->points[slot], &given->evaluations[slot],
                                            given->gradients + slot * given->free_batches, &mended->error);
        status = mended->status;
        pthread_mutex_unlock(&mended->lock);
    }
    if (status == MM_OK)
        given->use(given->context, slot);
}

static mm_status finish_mended(void *context, size_t slot, struct mm_error *error)
{
    struct mended_work *mended = context;
    const struct mm_work_queue *given = mended->given;
    pthread_mutex_lock(&mended->lock);
    const mm_status status = mended->status;
    pthread_mutex_unlock(&mended->lock);
    return status != MM_OK ? mm_fail(error, status, "%s", mended->error.message)
                           : given->finish(given->context, slot, error);
}

mm_status mm_solver_evaluate_work(struct mm_solver *solver, const struct mm_work_queue *work,
                                  struct mm_error *error)
{
    const struct mm_backend *backend = solver->backend;
    struct mended_work mended = {.solver = solver, .given = work};
    struct mm_work_queue own = *work;
    own.context = &mended;
    own.next = next_mended;
    own.use = use_mended;
    own.finish = finish_mended;
    if (pthread_mutex_init(&mended.lock, NULL) != 0)
        return mm_fail(error, MM_ERROR_MEMORY, "no lock for a solver");
    mm_status status = backend->evaluate_work != NULL
                           ? backend->evaluate_work(solver->state, &own, error)
                           : mm_work_in_rounds(&own, backend->evaluate, solver->state, error);
    pthread_mutex_destroy(&mended.lock);
    return status;
}

/* --------------------------------------------------------------------------------------------- evolution */

/* A density matrix that a backend can go on from, or {0}. */
static mm_status check_state(const struct mm_solver *solver, const struct mm_state *state, struct mm_error *error)
{
    const int most = solver->problem.levels == MM_LEVELS_AUTO ? MM_LEVELS_MAX : solver->problem.levels;
    if (state->density == NULL)
        return MM_OK;
    if (state->levels < 1 || state->levels > most)
        return mm_fail(error, MM_ERROR_INPUT, "a state of %d levels; allowed are 1 to %d here", state->levels,
                       most);
    if (state->collisions < 0)
        return mm_fail(error, MM_ERROR_INPUT, "a state after %lld collisions; allowed is 0 or more",
                       (long long)state->collisions);
    const size_t levels = (size_t)state->levels;
    for (size_t n = 0; n < levels; n++)
        for (size_t m = 0; m <= n; m++) {
            const double element = state->density[n * levels + m];
            if (!isfinite(element) || element != state->density[m * levels + n])
                return mm_fail(error, MM_ERROR_INPUT,
                               "elements (%zu, %zu) and (%zu, %zu) of a state are %g and %g; they must be finite "
                               "and equal",
                               n, m, m, n, element, state->density[m * levels + n]);
        }
    return MM_OK;
}

/* Where {0} was given, the state in which charging begins. */
static mm_status begin_state(struct mm_state *state, struct mm_error *error)
{
    return state->density != NULL ? MM_OK : mm_initial_state(state, error);
}

mm_status mm_solver_evolve(struct mm_solver *solver, const struct mm_point *point, int64_t collisions,
                           double *energies, struct mm_state *state, struct mm_error *error)
{
    if (collisions < 0)
        return mm_fail(error, MM_ERROR_INPUT, "collisions = %lld; allowed is 0 or more", (long long)collisions);
    mm_status status = mm_point_check(point, solver->free_batches, error);
    if (status == MM_OK)
        status = check_state(solver, state, error);
    if (status != MM_OK)
        return status;
    struct mm_state own = *state;
    status = begin_state(&own, error);
    const int64_t end = own.collisions + collisions;
    if (status == MM_OK)
        status = solver->backend->evolve(solver->state, point, collisions, energies, &own, error);
    if (status != MM_OK) {
        if (state->density == NULL)
            mm_state_free(&own);
        return status;
    }
    own.collisions = end;
    *state = own;
    return MM_OK;
}

/* Collisions that a backend can make, and states that stand side by side. */
static mm_status check_drawn(const struct mm_solver *solver, size_t count, int64_t collisions,
                             const struct mm_drawn_collision *drawn, const struct mm_state *states,
                             struct mm_error *error)
{
    mm_status status = MM_OK;
    for (size_t i = 0; i < count && status == MM_OK; i++) {
        status = check_state(solver, &states[i], error);
        if (status == MM_OK && states[i].collisions != states[0].collisions)
            status = mm_fail(error, MM_ERROR_INPUT, "states after %lld and %lld collisions; they must be as many",
                             (long long)states[0].collisions, (long long)states[i].collisions);
    }
    for (size_t i = 0; i < count * (size_t)collisions && status == MM_OK; i++)
        if (!(drawn[i].c >= 0.0 && drawn[i].c <= 1.0 && drawn[i].q >= 0.0 && drawn[i].q <= 1.0 &&
              isfinite(drawn[i].g)))
            status = mm_fail(error, MM_ERROR_INPUT,
                             "a collision of c = %g, q = %g, g = %g; c and q must be 0 to 1, g finite", drawn[i].c,
                             drawn[i].q, drawn[i].g);
    return status;
}

mm_status mm_solver_evolve_drawn(struct mm_solver *solver, size_t count, int64_t collisions,
                                 const struct mm_drawn_collision *drawn, struct mm_state *states,
                                 struct mm_error *error)
{
    if (collisions < 0)
        return mm_fail(error, MM_ERROR_INPUT, "collisions = %lld; allowed is 0 or more", (long long)collisions);
    if (collisions == 0 || count == 0)
        return MM_OK;
    mm_status status = check_drawn(solver, count, collisions, drawn, states, error);
    for (size_t i = 0; i < count && status == MM_OK; i++)
        status = begin_state(&states[i], error);
    return status == MM_OK ? solver->backend->evolve_drawn(solver->state, count, collisions, drawn, states, error)
                           : status;
}
