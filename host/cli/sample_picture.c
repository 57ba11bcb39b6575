/* The picture of `genmath sample`: a grid of images, a scatter plot, or a histogram. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/picture.h"
#include "host/cli/sample.h"
#include "host/internal.h"

enum {
    COLUMNS = 32, /* images a row */
    ROWS = 20,
    GRID_WIDTH = 1440, /* pixels that the zoom aims at */
    PLOT_WIDTH = 900,
    PLOT_HEIGHT = 900,
    HISTOGRAM_HEIGHT = 450,
    BINS = 90
};

typedef struct color {
    uint8_t red, green, blue;
} color;

static const color paper = {255, 255, 255}, data_ink = {176, 176, 176}, sample_ink = {0, 90, 181};

static gm_status draw_grid(gm_context *context, const char *path, const gm_vectors *data,
                           const float *samples, int64_t count) {
    const int64_t shown = count < COLUMNS * ROWS ? count : COLUMNS * ROWS;
    const int64_t fit = (int64_t)ceil(sqrt((double)shown * 1.6));
    const int64_t columns = fit < COLUMNS ? fit : COLUMNS;
    const int64_t zoom = GRID_WIDTH / (COLUMNS * (data->width + 1));
    uint8_t *pixels;
    int64_t width, height;
    GM_TRY(gm_picture_tile(context, samples, shown, data->width, data->height, columns,
                           (float)data->low, (float)data->high, zoom > 1 ? zoom : 1, &pixels,
                           &width, &height));
    const gm_status status = gm_picture_save_png(context, path, width, height, 1, pixels);
    free(pixels);
    return status;
}

static void dot(uint8_t *pixels, double x, double y, int radius, color ink) {
    for (int dy = -radius; dy <= radius; ++dy) {
        for (int dx = -radius; dx <= radius; ++dx) {
            const double column = floor(x) + dx, row = floor(y) + dy;
            if (dx * dx + dy * dy <= radius * radius && column >= 0 && column < PLOT_WIDTH &&
                row >= 0 && row < PLOT_HEIGHT) {
                memcpy(pixels + 3 * ((int64_t)row * PLOT_WIDTH + (int64_t)column), &ink, 3);
            }
        }
    }
}

/*
 * One scale for both axes, so that a round cloud is round; the data's range and a sixth around it.
 */
static void draw_scatter(const gm_vectors *data, const float *samples, int64_t count,
                         uint8_t *pixels) {
    double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
    for (int64_t i = 0; i < 2 * data->count; ++i) {
        const double value = data->mean + data->scale * data->values[i];
        low[i % 2] = fmin(low[i % 2], value);
        high[i % 2] = fmax(high[i % 2], value);
    }
    const double widest = fmax(high[0] - low[0], high[1] - low[1]);
    const double span = widest > 0.0 ? widest * 4.0 / 3.0 : 1.0, zoom = PLOT_WIDTH / span;
    const double left = (low[0] + high[0] - span) / 2.0, bottom = (low[1] + high[1] - span) / 2.0;
    for (int64_t i = 0; i < data->count; ++i) {
        const double x = data->mean + data->scale * data->values[2 * i];
        const double y = data->mean + data->scale * data->values[2 * i + 1];
        dot(pixels, (x - left) * zoom, PLOT_HEIGHT - 1 - (y - bottom) * zoom, 4, data_ink);
    }
    for (int64_t i = 0; i < count; ++i) {
        const double x = (double)samples[2 * i], y = (double)samples[2 * i + 1];
        if (isfinite(x) && isfinite(y)) {
            dot(pixels, (x - left) * zoom, PLOT_HEIGHT - 1 - (y - bottom) * zoom, 1, sample_ink);
        }
    }
}

static void add_to_bin(double *bins, double position, double weight) {
    if (position >= 0.0 && position < BINS) {
        bins[(int)position] += weight;
    }
}

/* Shares of the data as filled bars, of the samples as a line over them. */
static void draw_histogram(const gm_vectors *data, const float *samples, int64_t count,
                           uint8_t *pixels) {
    const double range = data->high > data->low ? data->high - data->low : 1.0;
    const double left = (data->low + data->high) / 2.0 - range * 2.0 / 3.0;
    const double zoom = BINS / (range * 4.0 / 3.0);
    double of_data[BINS] = {0}, of_samples[BINS] = {0}, most = 0.0;
    for (int64_t i = 0; i < data->count; ++i) {
        const double value = data->mean + data->scale * data->values[i];
        add_to_bin(of_data, (value - left) * zoom, 1.0 / (double)data->count);
    }
    for (int64_t i = 0; i < count; ++i) {
        add_to_bin(of_samples, ((double)samples[i] - left) * zoom, 1.0 / (double)count);
    }
    for (int bin = 0; bin < BINS; ++bin) {
        most = fmax(most, fmax(of_data[bin], of_samples[bin]));
    }
    most = most > 0.0 ? most : 1.0;
    for (int64_t column = 0; column < PLOT_WIDTH; ++column) {
        const int64_t bin = column * BINS / PLOT_WIDTH, previous = bin > 0 ? bin - 1 : 0;
        const bool edge = column * BINS % PLOT_WIDTH == 0;
        const double full = (HISTOGRAM_HEIGHT - 20) / most;
        const int64_t bar = (int64_t)(of_data[bin] * full),
                      line = (int64_t)(of_samples[bin] * full);
        const int64_t last = (int64_t)(of_samples[previous] * full);
        for (int64_t up = 0; up < HISTOGRAM_HEIGHT; ++up) {
            uint8_t *pixel = pixels + 3 * ((HISTOGRAM_HEIGHT - 1 - up) * PLOT_WIDTH + column);
            const bool between = edge && (up - line) * (up - last) <= 0;
            if (between || up == line || up == line + 1) {
                memcpy(pixel, &sample_ink, 3);
            } else if (up < bar) {
                memcpy(pixel, &data_ink, 3);
            }
        }
    }
}

static gm_status draw_plot(gm_context *context, const char *path, const gm_vectors *data,
                           const float *samples, int64_t count) {
    const int64_t height = data->dim == 2 ? PLOT_HEIGHT : HISTOGRAM_HEIGHT;
    const size_t bytes = (size_t)(3 * PLOT_WIDTH * height);
    uint8_t *pixels = malloc(bytes);
    GM_CHECK(context, pixels != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for the picture");
    memset(pixels, paper.red, bytes);
    if (data->dim == 2) {
        draw_scatter(data, samples, count, pixels);
    } else {
        draw_histogram(data, samples, count, pixels);
    }
    const gm_status status = gm_picture_save_png(context, path, PLOT_WIDTH, height, 3, pixels);
    free(pixels);
    return status;
}

const char *gm_sample_no_picture(const gm_vectors *data, int64_t count) {
    if (count == 0) {
        return "there are no samples";
    }
    if (data->dim > 2 && data->height == 0) {
        return "the vectors are neither images (d a square, or data of shape (n, height, width)) "
               "nor of one "
               "or two dimensions";
    }
    return NULL;
}

gm_status gm_sample_picture(gm_context *context, const char *path, const gm_vectors *data,
                            const float *samples, int64_t count) {
    return data->dim > 2 ? draw_grid(context, path, data, samples, count)
                         : draw_plot(context, path, data, samples, count);
}
