/* The progress line. */
#include <stdio.h>
#include <unistd.h>

#include "host/cli/cli.h"

/* Short jobs stay silent, and a fast one spends its time on the work, not on the terminal. */
static const double first_after = 0.5, again_after = 0.1;

void gm_progress_begin(gm_progress *progress, bool quiet, const char *title, const char *unit,
                       int64_t total) {
    *progress = (gm_progress){.title = title,
                              .unit = unit,
                              .total = total,
                              .start = gm_cli_seconds(),
                              .active = !quiet && isatty(STDERR_FILENO)};
    progress->shown = progress->start + first_after - again_after;
}

void gm_progress_update(gm_progress *progress, int64_t done) {
    progress->done = done;
    if (!progress->active) {
        return;
    }
    const double now = gm_cli_seconds();
    if (now < progress->shown + again_after) {
        return;
    }
    progress->shown = now;
    const double elapsed = now - progress->start;
    const double rate = (double)done / elapsed;
    fprintf(stderr, "\r%s: %lld of %lld %s (%.0f %%), %.3g a second", progress->title,
            (long long)done, (long long)progress->total, progress->unit,
            progress->total > 0 ? 100.0 * (double)done / (double)progress->total : 100.0, rate);
    if (done > 0) {
        fprintf(stderr, ", %.0f s left", (double)(progress->total - done) / rate);
    }
    fputs("\033[K", stderr); /* clears what a longer line before left behind */
    fflush(stderr);
}

void gm_progress_wipe(const gm_progress *progress) {
    if (progress->active) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
}

void gm_progress_end(gm_progress *progress) {
    gm_progress_wipe(progress);
    progress->active = false;
}
