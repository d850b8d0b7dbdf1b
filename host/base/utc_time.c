/* utc_time.c - times as text. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/utc_time.h"

void mm_format_utc(int64_t seconds, char text[MM_UTC_SIZE])
{
    struct tm calendar;
    time_t when = (time_t)seconds;
    if (gmtime_r(&when, &calendar) == NULL || strftime(text, MM_UTC_SIZE, "%Y-%m-%dT%H:%M:%SZ", &calendar) == 0)
        snprintf(text, MM_UTC_SIZE, "%" PRId64, seconds);
}
