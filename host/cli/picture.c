/* PNG through libpng; grids of images. */
#include "host/cli/picture.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "host/file.h"
#include "host/internal.h"

/* libpng reports through callbacks; the reason is kept until the jump is done. */
static void keep_reason(png_structp png, png_const_charp message) {
    char *reason = png_get_error_ptr(png);
    snprintf(reason, 128, "%s", message);
    png_longjmp(png, 1);
}

static void ignore_warning(png_structp png, png_const_charp message) {
    (void)png;
    (void)message;
}

/* Encodes to a stream; false with the reason set. Nothing here is owned by the caller on failure.
 */
static bool encode(FILE *stream, uint32_t width, uint32_t height, int32_t channels,
                   const uint8_t *pixels, char *reason) {
    const int color = channels == 1   ? PNG_COLOR_TYPE_GRAY
                      : channels == 3 ? PNG_COLOR_TYPE_RGB
                                      : PNG_COLOR_TYPE_RGBA;
    png_structp png =
        png_create_write_struct(PNG_LIBPNG_VER_STRING, reason, keep_reason, ignore_warning);
    png_infop info = png != NULL ? png_create_info_struct(png) : NULL;
    if (info == NULL) {
        png_destroy_write_struct(&png, NULL);
        snprintf(reason, 128, "no memory for the encoder");
        return false;
    }
    if (setjmp(png_jmpbuf(png)) != 0) {
        png_destroy_write_struct(&png, &info);
        return false;
    }
    png_init_io(png, stream);
    png_set_IHDR(png, info, width, height, 8, color, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (uint32_t row = 0; row < height; ++row) {
        png_write_row(png, pixels + (size_t)row * width * (size_t)channels);
    }
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    return true;
}

gm_status gm_picture_save_png(gm_context *context, const char *path, int64_t width, int64_t height,
                              int32_t channels, const uint8_t *pixels) {
    GM_CHECK(context, width > 0 && width <= PNG_USER_WIDTH_MAX, GM_STATUS_INVALID_ARGUMENT,
             "width = %lld is not in 1 .. %d", (long long)width, PNG_USER_WIDTH_MAX);
    GM_CHECK(context, height > 0 && height <= PNG_USER_HEIGHT_MAX, GM_STATUS_INVALID_ARGUMENT,
             "height = %lld is not in 1 .. %d", (long long)height, PNG_USER_HEIGHT_MAX);
    GM_CHECK(context, channels == 1 || channels == 3 || channels == 4, GM_STATUS_INVALID_ARGUMENT,
             "channels = %d is not 1, 3 or 4", (int)channels);
    GM_CHECK(context, pixels != NULL, GM_STATUS_INVALID_ARGUMENT, "pixels is NULL");

    gm_file file;
    GM_TRY(gm_file_begin(context, path, &file));
    char reason[128] = "";
    if (!encode(file.stream, (uint32_t)width, (uint32_t)height, channels, pixels, reason)) {
        gm_file_abandon(&file);
        return gm_fail(context, GM_STATUS_IO_ERROR, "%s: %s", path, reason);
    }
    return gm_file_commit(context, &file);
}

static uint8_t grey(float value, float black, float white) {
    const float share = (value - black) / (white - black);
    return share >= 1.0f ? 255 : share > 0.0f ? (uint8_t)(share * 255.0f + 0.5f) : 0;
}

gm_status gm_picture_tile(gm_context *context, const float *images, int64_t count, int64_t width,
                          int64_t height, int64_t columns, float black, float white, int64_t zoom,
                          uint8_t **pixels, int64_t *picture_width, int64_t *picture_height) {
    static const uint8_t margin_grey = 128;
    GM_CHECK(context, pixels != NULL && picture_width != NULL && picture_height != NULL,
             GM_STATUS_INVALID_ARGUMENT, "an output is NULL");
    *pixels = NULL;
    GM_CHECK(context, images != NULL, GM_STATUS_INVALID_ARGUMENT, "images is NULL");
    GM_CHECK(context, count > 0 && width > 0 && height > 0 && columns > 0 && zoom > 0,
             GM_STATUS_INVALID_ARGUMENT, "count, width, height, columns and zoom must be positive");
    GM_CHECK(context, black < white || black > white, GM_STATUS_INVALID_ARGUMENT,
             "black and white are equal or not numbers");
    columns = columns < count ? columns : count;
    const int64_t rows = (count - 1) / columns + 1;
    int64_t cell_width, cell_height, total_width, total_height, total;
    const bool fits = gm_multiply_sizes(width, zoom, &cell_width) &&
                      gm_multiply_sizes(height, zoom, &cell_height) &&
                      cell_width < PNG_USER_WIDTH_MAX && cell_height < PNG_USER_HEIGHT_MAX &&
                      gm_multiply_sizes(columns, cell_width + 1, &total_width) &&
                      gm_multiply_sizes(rows, cell_height + 1, &total_height) &&
                      total_width < PNG_USER_WIDTH_MAX && total_height < PNG_USER_HEIGHT_MAX &&
                      gm_multiply_sizes(total_width + 1, total_height + 1, &total);
    GM_CHECK(context, fits, GM_STATUS_INVALID_ARGUMENT,
             "the picture would have over %d pixels a side", PNG_USER_WIDTH_MAX);
    ++total_width;
    ++total_height;
    uint8_t *picture = malloc((size_t)total);
    GM_CHECK(context, picture != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for %lld pixels",
             (long long)total);
    memset(picture, margin_grey, (size_t)total);
    for (int64_t i = 0; i < count; ++i) {
        uint8_t *cell = picture + (i / columns * (cell_height + 1) + 1) * total_width +
                        i % columns * (cell_width + 1) + 1;
        const float *image = images + i * width * height;
        for (int64_t y = 0; y < cell_height; ++y) {
            for (int64_t x = 0; x < cell_width; ++x) {
                cell[y * total_width + x] = grey(image[y / zoom * width + x / zoom], black, white);
            }
        }
    }
    *pixels = picture;
    *picture_width = total_width;
    *picture_height = total_height;
    return GM_STATUS_OK;
}
