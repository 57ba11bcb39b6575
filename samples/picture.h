/* What the samples draw with: a canvas, grey images and lines on it, a PNG file. */
#ifndef GENMATH_SAMPLES_PICTURE_H
#define GENMATH_SAMPLES_PICTURE_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

typedef struct canvas {
    int width, height;
    uint8_t *pixels; /* RGB, from the top; white at first */
} canvas;

static inline canvas canvas_make(int width, int height) {
    canvas c = {width, height, malloc((size_t)width * (size_t)height * 3)};
    if (c.pixels != NULL) {
        memset(c.pixels, 255, (size_t)width * (size_t)height * 3);
    }
    return c;
}

static inline void canvas_dot(const canvas *c, int x, int y, uint32_t rgb) {
    if (x >= 0 && x < c->width && y >= 0 && y < c->height) {
        uint8_t *p = c->pixels + 3 * ((size_t)y * (size_t)c->width + (size_t)x);
        p[0] = (uint8_t)(rgb >> 16);
        p[1] = (uint8_t)(rgb >> 8);
        p[2] = (uint8_t)rgb;
    }
}

/* Row-major grey values, `black` to `white`, each zoom x zoom pixels, its corner at (x, y). */
static inline void canvas_image(const canvas *c, int x, int y, int zoom, int width, int height,
                                const double *values, double black, double white) {
    for (int i = 0; i < height * zoom; ++i) {
        for (int j = 0; j < width * zoom; ++j) {
            const double share = (values[i / zoom * width + j / zoom] - black) / (white - black);
            const uint32_t grey = (uint32_t)(255 * fmin(fmax(share, 0), 1) + 0.5);
            canvas_dot(c, x + j, y + i, grey << 16 | grey << 8 | grey);
        }
    }
}

static inline void canvas_line(const canvas *c, double x0, double y0, double x1, double y1,
                               uint32_t rgb) {
    const int steps = 1 + (int)fmax(fabs(x1 - x0), fabs(y1 - y0));
    for (int s = 0; s <= steps; ++s) {
        const int x = (int)lround(x0 + (x1 - x0) * s / steps);
        const int y = (int)lround(y0 + (y1 - y0) * s / steps);
        canvas_dot(c, x, y, rgb);
        canvas_dot(c, x, y + 1, rgb);
    }
}

/* count values at equal distances, low to high over the height of the frame. */
static inline void canvas_plot(const canvas *c, int x, int y, int width, int height, int count,
                               const double *values, double low, double high, uint32_t rgb) {
    for (int i = 0; i + 1 < count; ++i) {
        const double step = (double)width / (count - 1), scale = height / (high - low);
        canvas_line(c, x + i * step, y + height - (values[i] - low) * scale, x + (i + 1) * step,
                    y + height - (values[i + 1] - low) * scale, rgb);
    }
}

/* Writes the picture and releases it; says where, or why not: false. */
static inline int canvas_save(canvas *c, const char *path) {
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)c->width,
                       .height = (png_uint_32)c->height,
                       .format = PNG_FORMAT_RGB};
    const int saved =
        c->pixels != NULL && png_image_write_to_file(&image, path, 0, c->pixels, 0, NULL) != 0;
    free(c->pixels);
    c->pixels = NULL;
    printf("%s %s%s\n", saved ? "picture:" : "no picture:", path, saved ? "" : image.message);
    return saved;
}

#endif
