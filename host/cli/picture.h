/* PNG files, and grids of small grey images. */
#ifndef GENMATH_HOST_CLI_PICTURE_H
#define GENMATH_HOST_CLI_PICTURE_H

#include <stdint.h>

#include <genmath/context.h>

/*
 * Writes pixels, rows top to bottom, as an 8-bit PNG file: the file is complete or untouched.
 * channels [in] 1 grey, 3 RGB, 4 RGBA
 * Errors: INVALID_ARGUMENT, IO_ERROR (with the system's reason), OUT_OF_MEMORY.
 */
gm_status gm_picture_save_png(gm_context *context, const char *path, int64_t width, int64_t height,
                              int32_t channels, const uint8_t *pixels);

/*
 * Tiles count images of height x width values, image after image, into one grey picture with
 * `columns` images a row. Values from black to white map to 0 .. 255, values beyond are clipped, a
 * NaN is black; black > white inverts. Each value becomes zoom x zoom pixels; one grey pixel
 * separates the images and frames the picture. pixels [out] the picture, to be released with free;
 * NULL on failure Errors: INVALID_ARGUMENT, OUT_OF_MEMORY.
 */
gm_status gm_picture_tile(gm_context *context, const float *images, int64_t count, int64_t width,
                          int64_t height, int64_t columns, float black, float white, int64_t zoom,
                          uint8_t **pixels, int64_t *picture_width, int64_t *picture_height);

#endif
