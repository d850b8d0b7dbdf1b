/* problem.h - limits of a problem that are not part of the public interface. */
#ifndef MM_PROBLEM_H
#define MM_PROBLEM_H

enum { MM_COLLISIONS_MAX = 1000000000 }; /* most collisions of a charging protocol */

#endif
