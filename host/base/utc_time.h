/* utc_time.h - times as text. */
#ifndef MM_BASE_UTC_TIME_H
#define MM_BASE_UTC_TIME_H

#include <stdint.h>

enum { MM_UTC_SIZE = 32 };

/** Seconds since 1970 as ISO 8601 in UTC, "2023-04-01T12:00:00Z"; as a plain number if there is no such date. */
void mm_format_utc(int64_t seconds, char text[MM_UTC_SIZE]);

#endif
