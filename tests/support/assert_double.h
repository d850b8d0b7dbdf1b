/* assert_double.h - comparison of doubles in double precision; cmocka's assert_float_equal rounds to float. */
#ifndef MM_TESTS_SUPPORT_ASSERT_DOUBLE_H
#define MM_TESTS_SUPPORT_ASSERT_DOUBLE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/** Fails unless |found - expected| <= tolerance; a NaN always fails. */
#define assert_double_near(found, expected, tolerance)                                                             \
    check_double_near(#found, (found), (expected), (tolerance), __FILE__, __LINE__)

static inline void check_double_near(const char *name, double found, double expected, double tolerance,
                                     const char *file, int line)
{
    if (fabs(found - expected) <= tolerance)
        return;
    print_error("%s is %.17g, not %.17g: they differ by %.3g, more than %.3g\n", name, found, expected,
                fabs(found - expected), tolerance);
    _fail(file, line);
}

#endif
