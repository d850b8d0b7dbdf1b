/* progress.c - one live line on a terminal: how much is done, speed, time left, best loss so far of each lambda. */
#include <math.h>
#include <string.h>
#include <sys/ioctl.h>

#include "cli/progress.h"

enum { LINE_SIZE = 512, DEFAULT_WIDTH = 80 };

static const double SECONDS_BETWEEN_DRAWINGS = 0.1;

static int terminal_width(FILE *stream)
{
    struct winsize size;
    if (ioctl(fileno(stream), TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return DEFAULT_WIDTH;
    return size.ws_col < LINE_SIZE ? size.ws_col : LINE_SIZE - 1;
}

static void format_time_left(const struct progress_line *line, int64_t done, int64_t total, double seconds,
                             size_t size, char *text)
{
    int64_t done_now = done - line->done_before;
    if (done_now <= 0) {
        snprintf(text, size, "-:--");
        return;
    }
    double left = (double)(total - done) * seconds / (double)done_now;
    long long whole = llround(fmin(left, 1e9));
    if (whole < 3600)
        snprintf(text, size, "%lld:%02lld", whole / 60, whole % 60);
    else
        snprintf(text, size, "%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60, whole % 60);
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

static bool is_due(const struct progress_line *line, double seconds)
{
    return line->drawn_width == 0 || seconds - line->drawn_at >= SECONDS_BETWEEN_DRAWINGS;
}

static void draw(struct progress_line *line, double seconds, const char *text)
{
    int length = (int)strlen(text);
    int erase = line->drawn_width > length ? line->drawn_width - length : 0;
    fprintf(line->stream, "\r%s%*s", text, erase, "");
    fflush(line->stream);
    line->drawn_at = seconds;
    line->drawn_width = length;
}

void progress_draw(void *context, const struct mm_progress *progress)
{
    struct progress_line *line = context;
    if (!is_due(line, progress->seconds))
        return;
    char left[32];
    char text[LINE_SIZE];
    int width = terminal_width(line->stream) - 1; /* a full line would wrap */
    format_time_left(line, progress->chains_done, progress->chains_total, progress->seconds, sizeof left, left);
    snprintf(text, (size_t)width + 1, "%lld/%lld chains  %.4g evaluations/s  %s left",
             (long long)progress->chains_done, (long long)progress->chains_total,
             (double)progress->evaluations / fmax(progress->seconds, 1e-9), left);
    append_best_losses(progress, width, text);
    draw(line, progress->seconds, text);
}

void progress_draw_count(struct progress_line *line, const char *things, int64_t done, int64_t total,
                         double seconds)
{
    if (!is_due(line, seconds))
        return;
    char left[32];
    char text[LINE_SIZE];
    format_time_left(line, done, total, seconds, sizeof left, left);
    snprintf(text, (size_t)terminal_width(line->stream), "%lld/%lld %s  %.4g %s/s  %s left", (long long)done,
             (long long)total, things, (double)(done - line->done_before) / fmax(seconds, 1e-9), things, left);
    draw(line, seconds, text);
}

void progress_clear(struct progress_line *line)
{
    if (line->drawn_width > 0) {
        fprintf(line->stream, "\r%*s\r", line->drawn_width, "");
        fflush(line->stream);
    }
    line->drawn_width = 0;
}
