/* collision_loop.h - how fast the parts of the cpu backend run by themselves, measured. */
#ifndef COLLISION_LOOP_H
#define COLLISION_LOOP_H

struct collision_loop {
    const char *instructions;
    int abreast;             /* blocks of columns that go together without derivatives */
    double forward_seconds;  /* of one collision */
    double backward_seconds; /* of one collision of the adjoint without derivatives */
    double adjoint_seconds;  /* of one collision of the adjoint with both derivatives */
    double elements;         /* of the lower half of the window */
    double rows;             /* elements the loops march over: whole vectors, and one row more a column */
};

/** Measures the widest loops on a window of `levels` levels and `bands` diagonals; takes a few milliseconds. */
struct collision_loop measure_collision_loop(int levels, int bands);

struct spectrum_time {
    double values_seconds;  /* eigenvalues and passive energy, as a loss needs them */
    double vectors_seconds; /* these, eigenvectors and the derivative, as a gradient needs them */
};

/** Processor time this process has used, which other programs do not lengthen. */
double processor_seconds(void);

/** Measures in processor time the spectrum of a density matrix, column-major, lower triangle; takes some
 * milliseconds. */
struct spectrum_time measure_spectrum(const double *density, int levels);

#endif
