/* collision_loop.c - how fast the loops of the cpu backend run by themselves, measured. */
#include "collision_loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "band_layout.h"
#include "collision.h"
#include "cpu_band.h"
#include "memory.h"

enum { COLLISIONS = 500, ROUNDS = 15 };
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

/** Elements of the window, and those marched over: a block of columns takes its longest column and one row more. */
static void count_elements(int levels, int bands, struct collision_loop *loop)
{
    loop->elements = loop->rows = 0.0;
    for (int d = 0; d < bands; d++)
        loop->elements += levels - d;
    for (int m = 0; m < levels; m += MM_COLUMN_BLOCK)
        loop->rows += MM_COLUMN_BLOCK * ((levels - m < bands ? levels - m : bands) + 1);
}

/** Times the loops on a state that has evolved in the window, keeping the fastest round. */
static void time_loops(const struct mm_band_loops *loops, const struct mm_band_sweep *sweep, double *state,
                       double *adjoint, struct collision_loop *loop)
{
    const struct mm_qubit qubit = mm_qubit_from_population(0.31, 0.145);
    double by_q, by_x;
    loop->forward_seconds = loop->adjoint_seconds = 1.0;
    for (int round = 0; round < ROUNDS; round++) {
        double start = seconds_now();
        for (int k = 0; k < COLLISIONS; k++)
            loops->forward(sweep, &qubit, state, state);
        double middle = seconds_now();
        for (int k = 0; k < COLLISIONS; k++)
            loops->adjoint(sweep, &qubit, adjoint, state, &by_q, &by_x);
        double end = seconds_now();
        loop->forward_seconds = fmin(loop->forward_seconds, (middle - start) / COLLISIONS);
        loop->adjoint_seconds = fmin(loop->adjoint_seconds, (end - middle) / COLLISIONS);
    }
}

struct collision_loop measure_collision_loop(int levels, int bands)
{
    const struct mm_band_loops *loops = mm_band_loops_find(NULL);
    const size_t rows = 2 * (size_t)mm_band_columns(levels) + 2 * MM_COLUMN_BLOCK;
    const size_t stride = mm_band_stride(levels), matrix = (size_t)(bands + 1) * stride;
    struct collision_loop loop = {.instructions = loops->name};
    double *cosine = allocate(rows), *sine = allocate(rows),
           *carried = allocate((size_t)(bands + 2) * MM_COLUMN_BLOCK);
    double *state = allocate(matrix), *adjoint = allocate(matrix);
    for (int n = 0; n <= levels; n++) {
        cosine[n] = mm_collision_cos(COUPLING, n, levels);
        sine[n] = mm_collision_sin(COUPLING, n, levels);
    }
    for (int n = 0; n < levels; n++)
        adjoint[n] = n;
    state[0] = 1.0;
    const struct mm_band_sweep sweep = {stride, levels, bands, cosine, sine, carried};
    count_elements(levels, bands, &loop);
    time_loops(loops, &sweep, state, adjoint, &loop);
    free(cosine);
    free(sine);
    free(carried);
    free(state);
    free(adjoint);
    return loop;
}
