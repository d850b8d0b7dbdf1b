/* reference.c - the literal dense complex form of Eqs. 2, 4-6 and 10: slow, and as plain as the paper.
 *
 * The joint space is battery (x) qubit: N Fock levels times (|g>, |e>), |n> (x) |s> in row 2 n + s, s = 0 for |g>.
 *
 *     A       = a sigma_+ + a^dagger sigma_-            with a truncated to N levels: real symmetric
 *     U       = exp(-i g A) = V exp(-i g D) V^T         A = V D V^T by LAPACK
 *     rho_q   = q |g><g| + (1-q) |e><e| + x (|g><e| + |e><g|),   x = c sqrt(q (1-q))
 *     rho'    = Phi(rho) = Tr_q [ U (rho (x) rho_q) U^dagger ]
 *
 * rho_q is linear in q and in x, so the tangent of the state with respect to one of them, w, of one batch obeys
 *
 *     drho'   = Tr_q [ U (drho (x) rho_q + rho (x) drho_q/dw) U^dagger ]     during that batch
 *     drho'   = Tr_q [ U (drho (x) rho_q) U^dagger ]                         after it
 *
 * With E = sum_n n rho_nn, the eigenvalues r_k of rho in descending order and their vectors v_k,
 *
 *     W  = E - sum_k k r_k                              (Eq. 10)
 *     dW = dE - sum_k k <v_k|drho|v_k>                  (Hellmann-Feynman)
 *     d(instability) = sum_k s_k (dE_k - dE_{k-1}),     s_k = sign(E_k - E_{k-1}), 0 at 0.
 */
#include <cblas.h>
#include <complex.h>
#include <lapacke.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/problem.h"
#include "model/protocol.h"
#include "model/state.h"
#include "solver/backend.h"
#include "solver/reference.h"
#include "model/loss.h"
#include "base/memory.h"

enum {
    AUTO_FIRST_LEVELS = 32, /* Fock levels with which MM_LEVELS_AUTO starts */
    TANGENTS_PER_BATCH = 2, /* by q at constant x, by x at constant q */
};

/* With MM_LEVELS_AUTO the space is enlarged until the top level never held more than this. */
static const double auto_truncation_population = 1e-14;

/* A 2 x 2 qubit matrix in the basis (|g>, |e>): a state of Eq. 2 or its derivative. */
struct qubit {
    double element[2][2];
};

static const struct qubit qubit_by_q = {{{1.0, 0.0}, {0.0, -1.0}}};
static const struct qubit qubit_by_x = {{{0.0, 1.0}, {1.0, 0.0}}};

/* One protocol on its way, with everything that is freed together. Matrices are row-major. */
struct run {
    int levels;                    /* N */
    size_t tangent_count;          /* TANGENTS_PER_BATCH for each free batch, or 0 if no gradient is wanted */
    double complex *unitary;       /* U, [2N][2N] */
    double complex *joint;         /* the joint state, [2N][2N] */
    double complex *product;       /* workspace, [2N][2N] */
    double complex *rho;           /* the battery, [N][N] */
    double complex *next;          /* workspace, [N][N] */
    double complex *tangents;      /* drho, [tangent_count][N][N] */
    double *tangent_instabilities; /* d(instability), [tangent_count] */
    double *energies;              /* E after 0, 1, .. collisions */
    int64_t *batch_ends;           /* of the protocol (model/protocol.h) */
    double truncation_population;  /* the largest rho_{N-1,N-1} so far */
};

/* Opened for one problem; there is nothing else to keep. */
struct reference {
    const struct mm_problem *problem;
};

/* ---------------------------------------------------------------------------------------------- memory */

static void run_free(struct run *run)
{
    free(run->unitary);
    free(run->joint);
    free(run->product);
    free(run->rho);
    free(run->next);
    free(run->tangents);
    free(run->tangent_instabilities);
    free(run->energies);
    free(run->batch_ends);
    *run = (struct run){0};
}

/* `count` complex numbers set to zero, aligned so that BLAS treats every run alike. */
static double complex *allocate_complex(size_t count)
{
    return (double complex *)mm_allocate_doubles(2 * count);
}

/* Allocates a run whose matrices are zero. On failure nothing stays allocated. */
static mm_status run_create(struct run *run, const struct mm_problem *problem, int levels, size_t tangent_count,
                            int64_t collisions, struct mm_error *error)
{
    const size_t n = (size_t)levels;
    *run = (struct run){
        .levels = levels,
        .tangent_count = tangent_count,
        .unitary = allocate_complex(4 * n * n),
        .joint = allocate_complex(4 * n * n),
        .product = allocate_complex(4 * n * n),
        .rho = allocate_complex(n * n),
        .next = allocate_complex(n * n),
        .tangents = allocate_complex(tangent_count * n * n),
        .tangent_instabilities = mm_allocate_doubles(tangent_count),
        .energies = mm_allocate_doubles((size_t)collisions + 1),
        .batch_ends = calloc(problem->batch_count, sizeof *run->batch_ends),
    };
    if (!run->unitary || !run->joint || !run->product || !run->rho || !run->next || !run->tangents ||
        !run->tangent_instabilities || !run->energies || !run->batch_ends) {
        run_free(run);
        return mm_fail(error, MM_ERROR_MEMORY,
                       "the reference backend has no memory for %d levels, %zu tangents and %lld collisions",
                       levels, tangent_count, (long long)collisions);
    }
    mm_protocol_find_ends(problem, run->batch_ends);
    return MM_OK;
}

/* --------------------------------------------------------------------------------------------- channel */

/* U of Eq. 4, by way of the eigenvectors and eigenvalues of A. */
static mm_status build_unitary(struct run *run, double g, struct mm_error *error)
{
    const size_t size = 2 * (size_t)run->levels;
    double *vectors = mm_allocate_doubles(size * size);
    double *values = mm_allocate_doubles(size);
    mm_status status = MM_OK;
    lapack_int info = 0;
    if (!vectors || !values) {
        status =
            mm_fail(error, MM_ERROR_MEMORY, "no memory to diagonalise the interaction of %d levels", run->levels);
        goto done;
    }
    /* a sigma_+ |n+1, g> = sqrt(n+1) |n, e>, in the lower triangle: row of |n+1, g>, column of |n, e> */
    for (size_t n = 0; n + 1 < (size_t)run->levels; n++)
        vectors[2 * (n + 1) * size + 2 * n + 1] = sqrt((double)(n + 1));
    info = LAPACKE_dsyevd(LAPACK_ROW_MAJOR, 'V', 'L', (lapack_int)size, vectors, (lapack_int)size, values);
    if (info != 0) {
        status = mm_fail(error, MM_ERROR_LAPACK, "LAPACKE_dsyevd returned %lld for the interaction of %d levels",
                         (long long)info, run->levels);
        goto done;
    }
    for (size_t i = 0; i < size * size; i++) {
        run->joint[i] = vectors[i];
        run->product[i] = vectors[i] * cexp(-I * g * values[i % size]);
    }
    const double complex one = 1.0;
    const double complex zero = 0.0;
    const int n = (int)size;
    cblas_zgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, n, n, &one, run->product, n, run->joint, n, &zero,
                run->unitary, n);
done:
    free(vectors);
    free(values);
    return status;
}

/* Eq. 2. */
static struct qubit qubit_state(double c, double q)
{
    const double x = c * sqrt(q * (1.0 - q));
    return (struct qubit){{{q, x}, {x, 1.0 - q}}};
}

/* joint += rho (x) qubit, Eq. 5 */
static void add_tensor_product(size_t levels, const double complex *rho, const struct qubit *qubit,
                               double complex *joint)
{
    for (size_t n = 0; n < levels; n++)
        for (size_t m = 0; m < levels; m++)
            for (size_t s = 0; s < 2; s++)
                for (size_t t = 0; t < 2; t++)
                    joint[(2 * n + s) * 2 * levels + 2 * m + t] += rho[n * levels + m] * qubit->element[s][t];
}

/* battery = Tr_q [ U (rho (x) qubit + other (x) other_qubit) U^dagger ], Eq. 6; other may be NULL.
 * battery may be rho. States and tangents, of a protocol or of collisions given, all go from one collision to the
 * next by this step. */
static void collide(struct run *run, const double complex *rho, const struct qubit *qubit,
                    const double complex *other, const struct qubit *other_qubit, double complex *battery)
{
    const size_t levels = (size_t)run->levels;
    const int size = 2 * run->levels;
    const double complex one = 1.0;
    const double complex zero = 0.0;
    memset(run->joint, 0, 4 * levels * levels * sizeof *run->joint);
    add_tensor_product(levels, rho, qubit, run->joint);
    if (other != NULL)
        add_tensor_product(levels, other, other_qubit, run->joint);
    cblas_zgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, size, size, size, &one, run->unitary, size, run->joint,
                size, &zero, run->product, size);
    cblas_zgemm(CblasRowMajor, CblasNoTrans, CblasConjTrans, size, size, size, &one, run->product, size,
                run->unitary, size, &zero, run->joint, size);
    for (size_t n = 0; n < levels; n++)
        for (size_t m = 0; m < levels; m++)
            battery[n * levels + m] =
                run->joint[2 * n * 2 * levels + 2 * m] + run->joint[(2 * n + 1) * 2 * levels + 2 * m + 1];
}

/* Tr(H rho), also of a tangent. */
static double energy_of(int levels, const double complex *rho)
{
    double energy = 0.0;
    for (size_t n = 0; n < (size_t)levels; n++)
        energy += (double)n * creal(rho[n * (size_t)levels + n]);
    return energy;
}

/* ------------------------------------------------------------------------------------------- evolution */

/* The batch that a collision lies in. */
struct position {
    int batch;
    size_t free_batches; /* free batches from the first to this one, both included */
    struct qubit qubit;
};

static struct position position_of(const struct mm_problem *problem, const double *parameters, int batch)
{
    struct position position = {.batch = batch};
    double own[2];
    for (int b = 0; b <= batch; b++)
        position.free_batches += !problem->batches[b].fixed;
    mm_protocol_parameters(problem, parameters, (size_t)batch, own);
    position.qubit = qubit_state(own[0], own[1]);
    return position;
}

/* Takes every tangent that is not zero yet, and those of this batch, through one collision. They use the state
 * before the collision, so the battery itself goes last. energy_sign is s_k of this collision, 0 outside the tail.
 */
static void collide_tangents(struct run *run, const struct position *position, bool batch_is_free,
                             double energy_sign)
{
    const size_t elements = (size_t)run->levels * (size_t)run->levels;
    const size_t begun = TANGENTS_PER_BATCH * position->free_batches;
    for (size_t i = 0; i < begun; i++) {
        double complex *tangent = &run->tangents[i * elements];
        const bool own = batch_is_free && i + TANGENTS_PER_BATCH >= begun;
        const double energy_before = energy_of(run->levels, tangent);
        collide(run, tangent, &position->qubit, own ? run->rho : NULL, i % 2 == 0 ? &qubit_by_q : &qubit_by_x,
                tangent);
        run->tangent_instabilities[i] += energy_sign * (energy_of(run->levels, tangent) - energy_before);
    }
}

/* What a run is to do. */
struct task {
    const struct mm_problem *problem;
    const struct mm_point *point;
    const struct mm_state *start;           /* where to begin */
    const struct mm_drawn_collision *drawn; /* [collisions], in place of the protocol, or NULL */
    int64_t collisions;
    size_t tangent_count;
};

/* The battery after its collision number k of the task: a new state, whose energy and top level are noted. */
static void finish_collision(struct run *run, int64_t k)
{
    const size_t levels = (size_t)run->levels;
    run->energies[k] = energy_of(run->levels, run->next);
    run->truncation_population = fmax(run->truncation_population, creal(run->next[levels * levels - 1]));
}

/* Runs through the protocol, or until the top level holds more than truncation_limit. */
static void run_collisions(struct run *run, const struct task *task, double truncation_limit)
{
    const struct mm_problem *problem = task->problem;
    const double *parameters = task->point->parameters;
    const size_t levels = (size_t)run->levels;
    const struct mm_protocol protocol = {(int)problem->batch_count, run->batch_ends};
    const struct mm_tail tail = mm_problem_tail(problem);
    struct position position = position_of(problem, parameters, 0);
    for (int64_t k = 1; k <= task->collisions && run->truncation_population <= truncation_limit; k++) {
        const int batch = mm_protocol_batch(protocol, task->start->collisions + k - 1, position.batch);
        if (batch != position.batch)
            position = position_of(problem, parameters, batch);
        collide(run, run->rho, &position.qubit, NULL, NULL, run->next);
        finish_collision(run, k);
        if (run->tangent_count > 0) {
            const double step = run->energies[k] - run->energies[k - 1];
            const double energy_sign = mm_tail_has(tail, k) ? (double)mm_tail_sign(step) : 0.0;
            collide_tangents(run, &position, !problem->batches[position.batch].fixed, energy_sign);
        }
        memcpy(run->rho, run->next, levels * levels * sizeof *run->rho);
    }
}

/* The same for collisions that are given one by one, each with its own unitary. */
static mm_status run_drawn(struct run *run, const struct task *task, double truncation_limit,
                           struct mm_error *error)
{
    const size_t levels = (size_t)run->levels;
    for (int64_t k = 1; k <= task->collisions && run->truncation_population <= truncation_limit; k++) {
        const struct mm_drawn_collision *drawn = &task->drawn[k - 1];
        const struct qubit qubit = qubit_state(drawn->c, drawn->q);
        mm_status status = build_unitary(run, drawn->g, error);
        if (status != MM_OK)
            return status;
        collide(run, run->rho, &qubit, NULL, NULL, run->next);
        finish_collision(run, k);
        memcpy(run->rho, run->next, levels * levels * sizeof *run->rho);
    }
    return MM_OK;
}

/* rho_nm = (-i)^(n-m) R_nm. */
static double complex physical_gauge(double element, size_t row, size_t column)
{
    static const double complex phases[4] = {1.0, -I, -1.0, I};
    return phases[(row + 3 * column) % 4] * element; /* -m = 3 m modulo 4 */
}

/* Puts the state at which a task begins into a run whose matrices are zero. */
static void load_start(struct run *run, const struct mm_state *start)
{
    for (size_t n = 0; n < (size_t)start->levels; n++)
        for (size_t m = 0; m < (size_t)start->levels; m++)
            run->rho[n * (size_t)run->levels + m] =
                physical_gauge(start->density[n * (size_t)start->levels + m], n, m);
    run->energies[0] = energy_of(run->levels, run->rho);
}

/* Creates a run of so many levels and takes it through the task. On failure nothing stays allocated. */
static mm_status run_levels(struct run *run, const struct task *task, int levels, double truncation_limit,
                            struct mm_error *error)
{
    mm_status status = run_create(run, task->problem, levels, task->tangent_count, task->collisions, error);
    if (status != MM_OK)
        return status;
    load_start(run, task->start);
    if (task->drawn != NULL)
        status = run_drawn(run, task, truncation_limit, error);
    else
        status = build_unitary(run, task->point->g, error);
    if (status == MM_OK && task->drawn == NULL)
        run_collisions(run, task, truncation_limit);
    if (status != MM_OK)
        run_free(run);
    return status;
}

/* Takes a run through a task, enlarging the space where the problem leaves it open. */
static mm_status run_task(struct run *run, const struct task *task, struct mm_error *error)
{
    const bool enlarge = task->problem->levels == MM_LEVELS_AUTO;
    const int first = task->start->levels > AUTO_FIRST_LEVELS ? task->start->levels : AUTO_FIRST_LEVELS;
    int levels = enlarge ? first : task->problem->levels;
    for (;;) {
        const double limit = enlarge && levels < MM_LEVELS_MAX ? auto_truncation_population : INFINITY;
        mm_status status = run_levels(run, task, levels, limit, error);
        if (status != MM_OK || run->truncation_population <= limit)
            return status;
        run_free(run);
        levels = levels + levels / 2 < MM_LEVELS_MAX ? levels + levels / 2 : MM_LEVELS_MAX;
    }
}

/* ------------------------------------------------------------------------------------ figures of merit */

/* Eigenvalues r, ascending, and eigenvectors v, in the columns of a row-major matrix, of a battery state. */
static mm_status diagonalise(const struct run *run, double *values, double complex *vectors, struct mm_error *error)
{
    const size_t elements = (size_t)run->levels * (size_t)run->levels;
    memcpy(vectors, run->rho, elements * sizeof *vectors);
    const lapack_int info = LAPACKE_zheevd(LAPACK_ROW_MAJOR, 'V', 'L', run->levels, vectors, run->levels, values);
    if (info != 0)
        return mm_fail(error, MM_ERROR_LAPACK, "LAPACKE_zheevd returned %lld for a density matrix of %d levels",
                       (long long)info, run->levels);
    return MM_OK;
}

/* sum_k k r_k with r_k in descending order: LAPACK's last eigenvalue is level 0. */
static double passive_energy(size_t levels, const double *values)
{
    double energy = 0.0;
    for (size_t k = 0; k < levels; k++)
        energy += (double)k * values[levels - 1 - k];
    return energy;
}

/* sum_k k <v_k|drho|v_k> in the same order. */
static double passive_energy_tangent(size_t levels, const double complex *vectors, const double complex *tangent)
{
    double sum = 0.0;
    for (size_t k = 0; k < levels; k++) {
        const double complex *v = &vectors[levels - 1 - k];
        double complex expectation = 0.0;
        for (size_t n = 0; n < levels; n++)
            for (size_t m = 0; m < levels; m++)
                expectation += conj(v[n * levels]) * tangent[n * levels + m] * v[m * levels];
        sum += (double)k * creal(expectation);
    }
    return sum;
}

static double purity_of(const struct run *run)
{
    const size_t elements = (size_t)run->levels * (size_t)run->levels;
    double purity = 0.0;
    for (size_t i = 0; i < elements; i++)
        purity += creal(run->rho[i]) * creal(run->rho[i]) + cimag(run->rho[i]) * cimag(run->rho[i]);
    return purity;
}

static double instability_of(const struct run *run, struct mm_tail tail)
{
    double instability = 0.0;
    for (int64_t k = tail.start + 1; k <= tail.end; k++)
        instability += mm_tail_value(run->energies[k] - run->energies[k - 1]);
    return instability;
}

/* dL/dw of tangent i: through the ergotropy and the instability, and the energy and the purity where the loss knows
 * them. */
static double loss_tangent(const struct run *run, size_t i, const double complex *vectors,
                           const struct mm_loss *loss)
{
    const size_t levels = (size_t)run->levels;
    const double complex *tangent = &run->tangents[i * levels * levels];
    const double energy = energy_of(run->levels, tangent);
    const double ergotropy = energy - passive_energy_tangent(levels, vectors, tangent);
    double sum = loss->by_ergotropy * ergotropy + loss->by_instability * run->tangent_instabilities[i];
    if (loss->by_energy != 0.0)
        sum += loss->by_energy * energy;
    for (size_t e = 0; loss->by_purity != 0.0 && e < levels * levels; e++)
        sum += 2.0 * loss->by_purity * creal(conj(run->rho[e]) * tangent[e]);
    return sum;
}

/* Evaluation and, where gradient is not NULL, gradient of a run that is through all its collisions. */
static mm_status measure(const struct run *run, const struct mm_problem *problem, const struct mm_point *point,
                         struct mm_evaluation *evaluation, struct mm_channel_gradient *gradient,
                         struct mm_error *error)
{
    const size_t levels = (size_t)run->levels;
    const int64_t collisions = mm_problem_collisions(problem);
    double *values = mm_allocate_doubles(levels);
    double complex *vectors = allocate_complex(levels * levels);
    mm_status status = MM_OK;
    if (!values || !vectors)
        status = mm_fail(error, MM_ERROR_MEMORY, "no memory to diagonalise a state of %d levels", run->levels);
    else
        status = diagonalise(run, values, vectors, error);
    if (status == MM_OK) {
        const double energy = run->energies[collisions];
        *evaluation = (struct mm_evaluation){
            .ergotropy = fmax(0.0, energy - passive_energy(levels, values)), /* rounding may make it negative */
            .energy = energy,
            .purity = purity_of(run),
            .instability = instability_of(run, mm_problem_tail(problem)),
            .truncation_population = run->truncation_population,
            .levels = run->levels,
        };
        const struct mm_loss loss = mm_loss_finish(problem, point, evaluation);
        for (size_t i = 0; i < run->tangent_count / TANGENTS_PER_BATCH; i++)
            gradient[i] = (struct mm_channel_gradient){
                .by_q = loss_tangent(run, TANGENTS_PER_BATCH * i, vectors, &loss),
                .by_x = loss_tangent(run, TANGENTS_PER_BATCH * i + 1, vectors, &loss),
            };
    }
    free(values);
    free(vectors);
    return status;
}

/* ------------------------------------------------------------------------------------------ operations */

static bool reference_available(size_t size, char *text)
{
    snprintf(text, size, "dense complex reference, 1 thread");
    return true;
}

static mm_status reference_open(void **state, const struct mm_problem *problem,
                                const struct mm_solver_options *options, struct mm_error *error)
{
    (void)options; /* one thread whatever was asked for: this backend is for comparison */
    struct reference *reference = malloc(sizeof *reference);
    if (reference == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory to open the reference backend");
    reference->problem = problem;
    *state = reference;
    return MM_OK;
}

static void reference_device(const void *state, size_t size, char *text)
{
    (void)state;
    snprintf(text, size, "dense complex reference, 1 thread");
}

static size_t reference_preferred_points(const void *state)
{
    (void)state;
    return 1;
}

static mm_status reference_evaluate(void *state, size_t count, const struct mm_point *points,
                                    struct mm_evaluation *evaluations, struct mm_channel_gradient *gradients,
                                    struct mm_error *error)
{
    const struct reference *reference = state;
    const struct mm_problem *problem = reference->problem;
    const size_t free_batches = mm_problem_free_batches(problem);
    const size_t tangents = gradients != NULL ? TANGENTS_PER_BATCH * free_batches : 0;
    struct mm_state start;
    mm_status status = mm_initial_state(&start, error);
    for (size_t i = 0; i < count && status == MM_OK; i++) {
        const struct task task = {problem, &points[i], &start, NULL, mm_problem_collisions(problem), tangents};
        struct run run;
        status = run_task(&run, &task, error);
        if (status != MM_OK)
            break;
        status = measure(&run, problem, &points[i], &evaluations[i],
                         gradients != NULL ? &gradients[i * free_batches] : NULL, error);
        run_free(&run);
    }
    mm_state_free(&start);
    return status;
}

mm_status mm_reference_density(const struct mm_problem *problem, const struct mm_point *point, int64_t collisions,
                               double *energies, struct mm_state *state, double complex **density,
                               struct mm_error *error)
{
    struct mm_state start;
    mm_status status = mm_initial_state(&start, error);
    if (status != MM_OK)
        return status;
    const struct task task = {problem, point, &start, NULL, collisions, 0};
    struct run run;
    status = run_task(&run, &task, error);
    mm_state_free(&start);
    if (status != MM_OK)
        return status;
    if (energies != NULL)
        memcpy(energies, run.energies, ((size_t)collisions + 1) * sizeof *energies);
    *state = (struct mm_state){
        .levels = run.levels, .collisions = collisions, .truncation_population = run.truncation_population};
    *density = run.rho;
    run.rho = NULL;
    run_free(&run);
    return MM_OK;
}

/* R_nm = Re(i^(n-m) rho_nm) in the lower triangle, mirrored. */
static double real_gauge(const double complex *rho, size_t levels, size_t row, size_t column)
{
    const size_t n = row > column ? row : column;
    const size_t m = row > column ? column : row;
    const double complex element = rho[n * levels + m];
    switch ((n - m) % 4) {
    case 0:
        return creal(element);
    case 1:
        return -cimag(element);
    case 2:
        return -creal(element);
    default:
        return cimag(element);
    }
}

/* Replaces the state from which a task started by the one its run has reached. */
static mm_status take_state(const struct run *run, const struct task *task, struct mm_state *state,
                            struct mm_error *error)
{
    const size_t levels = (size_t)run->levels;
    double *density = mm_allocate_doubles(levels * levels);
    if (density == NULL)
        return mm_fail(error, MM_ERROR_MEMORY, "no memory for a density matrix of %d levels", run->levels);
    for (size_t n = 0; n < levels; n++)
        for (size_t m = 0; m < levels; m++)
            density[n * levels + m] = real_gauge(run->rho, levels, n, m);
    free(state->density);
    state->levels = run->levels;
    state->density = density;
    state->collisions += task->collisions;
    state->truncation_population = fmax(state->truncation_population, run->truncation_population);
    return MM_OK;
}

static mm_status evolve_task(const struct task *task, double *energies, struct mm_state *state,
                             struct mm_error *error)
{
    struct run run;
    mm_status status = run_task(&run, task, error);
    if (status != MM_OK)
        return status;
    if (energies != NULL)
        memcpy(energies, run.energies, ((size_t)task->collisions + 1) * sizeof *energies);
    status = take_state(&run, task, state, error);
    run_free(&run);
    return status;
}

static mm_status reference_evolve(void *state, const struct mm_point *point, int64_t collisions, double *energies,
                                  struct mm_state *result, struct mm_error *error)
{
    const struct reference *reference = state;
    const struct task task = {reference->problem, point, result, NULL, collisions, 0};
    return evolve_task(&task, energies, result, error);
}

static mm_status reference_evolve_drawn(void *state, size_t count, int64_t collisions,
                                        const struct mm_drawn_collision *drawn, struct mm_state *states,
                                        struct mm_error *error)
{
    const struct reference *reference = state;
    mm_status status = MM_OK;
    for (size_t i = 0; i < count && status == MM_OK; i++) {
        const struct task task = {reference->problem, NULL, &states[i], &drawn[i * (size_t)collisions],
                                  collisions,         0};
        status = evolve_task(&task, NULL, &states[i], error);
    }
    return status;
}

static void reference_close(void *state)
{
    free(state);
}

const struct mm_backend mm_backend_reference = {
    .name = "reference",
    .available = reference_available,
    .open = reference_open,
    .device = reference_device,
    .preferred_points = reference_preferred_points,
    .evaluate = reference_evaluate,
    .evolve = reference_evolve,
    .evolve_drawn = reference_evolve_drawn,
    .close = reference_close,
};
