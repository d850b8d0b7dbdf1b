/* collision_loop.c - how fast the parts of the cpu backend run by themselves, measured. */
#include "collision_loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "solver/band_layout.h"
#include "model/collision.h"
#include "cpu/loops.h"
#include "spectrum/eigen.h"
#include "base/memory.h"

enum { COLLISIONS = 500, ROUNDS = 15, SPECTRA = 3 };
static const double COUPLING = 0.79540363890780597; /* pi / sqrt(15.6) */

static double seconds_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time); /* cannot fail: the clock and the pointer are valid */
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static double *allocate(size_t count)
{
    double *doubles = mm_allocate_doubles(count);
    if (doubles == NULL) {
        fprintf(stderr, "collision_loop: out of memory\n");
        exit(1);
    }
    return doubles;
}

/* Elements of the window, and those marched over: a block of columns takes its longest column and one row more. */
static void count_elements(int levels, int bands, struct collision_loop *loop)
{
    loop->elements = loop->rows = 0.0;
    for (int d = 0; d < bands; d++)
        loop->elements += levels - d;
    for (int m = 0; m < levels; m += MM_COLUMN_BLOCK)
        loop->rows += MM_COLUMN_BLOCK * ((levels - m < bands ? levels - m : bands) + 1);
}

/* Times the loops on a state that has evolved in the window, keeping the fastest round. */
static void time_loops(const struct mm_collision_loops *loops, const struct mm_band_sweep *sweep,
                       const struct mm_qubit *qubit, double *state, double *adjoint, struct collision_loop *loop)
{
    double by_q, by_x;
    loop->forward_seconds = loop->backward_seconds = loop->adjoint_seconds = 1.0;
    for (int round = 0; round < ROUNDS; round++) {
        const double start = seconds_now();
        for (int k = 0; k < COLLISIONS; k++)
            loops->forward(sweep, qubit, state, state);
        const double turned = seconds_now();
        for (int k = 0; k < COLLISIONS; k++)
            loops->backward(sweep, qubit, adjoint);
        const double differentiated = seconds_now();
        for (int k = 0; k < COLLISIONS; k++)
            loops->adjoint(sweep, qubit, adjoint, state, &by_q, &by_x);
        const double end = seconds_now();
        loop->forward_seconds = fmin(loop->forward_seconds, (turned - start) / COLLISIONS);
        loop->backward_seconds = fmin(loop->backward_seconds, (differentiated - turned) / COLLISIONS);
        loop->adjoint_seconds = fmin(loop->adjoint_seconds, (end - differentiated) / COLLISIONS);
    }
}

struct collision_loop measure_collision_loop(int levels, int bands)
{
    const enum mm_instructions instructions = mm_instructions_find(NULL);
    const struct mm_collision_loops *loops = mm_collision_loops(instructions)[MM_DOUBLE];
    const struct mm_qubit qubit = mm_qubit_from_population(0.31, 0.145);
    const size_t rows = 2 * (size_t)mm_band_columns(levels) + 2 * MM_COLUMN_BLOCK;
    const size_t stride = mm_band_stride(levels), matrix = (size_t)(bands + 1) * stride;
    struct collision_loop loop = {.instructions = mm_instructions_name(instructions), .abreast = loops->abreast};
    double *cosine = allocate(rows), *sine = allocate(rows),
           *carried = allocate((size_t)(bands + 2) * MM_COLUMN_BLOCK),
           *row_factors = allocate((size_t)mm_band_rows(levels) * MM_ROW_NUMBERS);
    double *state = allocate(matrix), *adjoint = allocate(matrix);
    for (int n = 0; n <= levels; n++) {
        cosine[n] = mm_collision_cos(COUPLING, n, levels);
        sine[n] = mm_collision_sin(COUPLING, n, levels);
    }
    for (int n = 0; n < levels; n++)
        adjoint[n] = n;
    state[0] = 1.0;
    const struct mm_band_sweep sweep = {stride, levels, bands, cosine, sine, row_factors, carried};
    loops->fill_rows(&sweep, &qubit, row_factors);
    count_elements(levels, bands, &loop);
    time_loops(loops, &sweep, &qubit, state, adjoint, &loop);
    free(cosine);
    free(sine);
    free(row_factors);
    free(carried);
    free(state);
    free(adjoint);
    return loop;
}

double processor_seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time); /* cannot fail either */
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Seconds of one spectrum of eigen->matrix, and of the derivative with `vectors`. */
static double time_spectrum(struct mm_eigen *eigen, int levels, int bands, bool vectors, double *target)
{
    struct mm_error error;
    const double start = processor_seconds();
    struct mm_projector projector;
    double energy;
    if ((vectors ? mm_eigen_passive_derivative(eigen, levels, false, &energy, &projector, &error)
                 : mm_eigen_solve(eigen, levels, false, &error)) != MM_OK) {
        fprintf(stderr, "collision_loop: %s\n", error.message);
        exit(1);
    }
    if (vectors) {
        projector.bands = bands;
        projector.target = target;
        projector.target_stride = mm_band_stride(levels);
        eigen->loops->add_projector(&projector);
    }
    return processor_seconds() - start;
}

/* Diagonals of a density matrix that are not zero. */
static int count_bands(const double *density, int levels)
{
    int bands = 1;
    for (int n = 0; n < levels; n++)
        for (int m = 0; m + bands <= n; m++)
            if (density[n * levels + m] != 0.0)
                bands = n - m + 1;
    return bands;
}

struct spectrum_time measure_spectrum(const double *density, int levels)
{
    const int bands = count_bands(density, levels);
    double *target = allocate((size_t)bands * mm_band_stride(levels));
    struct mm_eigen eigen = {0};
    struct mm_error error;
    struct spectrum_time time = {1.0, 1.0};
    if (mm_eigen_reserve(&eigen, levels, &error) != MM_OK) {
        fprintf(stderr, "collision_loop: %s\n", error.message);
        exit(1);
    }
    memcpy(eigen.matrix, density, (size_t)levels * (size_t)levels * sizeof *density);
    for (int i = 0; i < SPECTRA; i++) {
        time.values_seconds = fmin(time.values_seconds, time_spectrum(&eigen, levels, bands, false, target));
        time.vectors_seconds = fmin(time.vectors_seconds, time_spectrum(&eigen, levels, bands, true, target));
    }
    mm_eigen_free(&eigen);
    free(target);
    return time;
}
