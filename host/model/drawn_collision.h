/* drawn_collision.h - a collision with a qubit and a coupling of its own, for protocols with noise. */
#ifndef MM_MODEL_DRAWN_COLLISION_H
#define MM_MODEL_DRAWN_COLLISION_H

/** What one collision is made with, in place of what its batch says. */
struct mm_drawn_collision {
    double c; /* coherence in [0, 1] */
    double q; /* ground-state population in [0, 1] */
    double g; /* coupling constant, finite */
};

#endif
