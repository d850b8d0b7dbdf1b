/* progress.c - one live line on a terminal: chains done, speed, time left, best loss so far of each lambda. */
#include <math.h>
#include <string.h>
#include <sys/ioctl.h>

#include "progress.h"

enum { LINE_SIZE = 512, DEFAULT_WIDTH = 80 };

static const double SECONDS_BETWEEN_DRAWINGS = 0.1;

static int terminal_width(FILE *stream)
{
    struct winsize size;
    if (ioctl(fileno(stream), TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return DEFAULT_WIDTH;
    return size.ws_col < LINE_SIZE ? size.ws_col : LINE_SIZE - 1;
}

static void format_time_left(const struct progress_line *line, const struct mm_progress *progress, size_t size,
                             char *text)
{
    int64_t done = progress->chains_done - line->done_before;
    if (done <= 0) {
        snprintf(text, size, "-:--");
        return;
    }
    double left = (double)(progress->chains_total - progress->chains_done) * progress->seconds / (double)done;
    long long seconds = llround(fmin(left, 1e9));
    if (seconds < 3600)
        snprintf(text, size, "%lld:%02lld", seconds / 60, seconds % 60);
    else
        snprintf(text, size, "%lld:%02lld:%02lld", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

/* Appends the best loss of every lambda that still fits in `width` characters. */
static void append_best_losses(const struct mm_progress *progress, int width, char *text)
{
    const char *heading = "  best";
    for (size_t i = 0; i < progress->lambda_count; i++) {
        char entry[64];
        if (!isfinite(progress->best_loss[i]))
            continue;
        int length = snprintf(entry, sizeof entry, "%s  lambda %.4g: %.6f", heading, progress->lambda[i],
                              progress->best_loss[i]);
        size_t used = strlen(text);
        if (length < 0 || (size_t)length >= sizeof entry || (int)used + length > width)
            return;
        memcpy(text + used, entry, (size_t)length + 1);
        heading = "";
    }
}

void progress_draw(void *context, const struct mm_progress *progress)
{
    struct progress_line *line = context;
    if (line->drawn_width > 0 && progress->seconds - line->drawn_at < SECONDS_BETWEEN_DRAWINGS)
        return;
    char left[32];
    char text[LINE_SIZE];
    int width = terminal_width(line->stream) - 1; /* a full line would wrap */
    format_time_left(line, progress, sizeof left, left);
    snprintf(text, (size_t)width + 1, "%lld/%lld chains  %.4g evaluations/s  %s left",
             (long long)progress->chains_done, (long long)progress->chains_total,
             (double)progress->evaluations / fmax(progress->seconds, 1e-9), left);
    append_best_losses(progress, width, text);
    int length = (int)strlen(text);
    int erase = line->drawn_width > length ? line->drawn_width - length : 0;
    fprintf(line->stream, "\r%s%*s", text, erase, "");
    fflush(line->stream);
    line->drawn_at = progress->seconds;
    line->drawn_width = length;
}

void progress_clear(struct progress_line *line)
{
    if (line->drawn_width > 0) {
        fprintf(line->stream, "\r%*s\r", line->drawn_width, "");
        fflush(line->stream);
    }
    line->drawn_width = 0;
}
