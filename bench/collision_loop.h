/* collision_loop.h - how fast the loops of the cpu backend run by themselves, measured. */
#ifndef COLLISION_LOOP_H
#define COLLISION_LOOP_H

struct collision_loop {
    const char *instructions;
    double forward_seconds; /* of one collision */
    double adjoint_seconds; /* of one collision of the adjoint with both derivatives */
    double elements;        /* of the lower half of the window */
    double rows;            /* elements the loops march over: whole vectors, and one row more a column */
};

/** Measures the widest loops on a window of `levels` levels and `bands` diagonals; takes a few milliseconds. */
struct collision_loop measure_collision_loop(int levels, int bands);

#endif
