/* PNG files and grids of images, read back through libpng's own reader. */
/* The program's file itself: programs are not linked into tests. */
#include "host/cli/picture.c"

#define FIXTURE_FILE "a.png"
#include "file_fixture.h"

#include <math.h>

static const gm_status bad = GM_STATUS_INVALID_ARGUMENT;

static void test_errors(void **state) {
    (void)state;
    static const uint8_t pixels[4] = {0};
    static const float image[4] = {0};
    uint8_t *out = NULL;
    int64_t width, height;
    ASSERT_FAILS(context, gm_picture_save_png(context, path, 0, 1, 1, pixels), bad, "width");
    ASSERT_FAILS(context, gm_picture_save_png(context, path, 1, -1, 1, pixels), bad, "height");
    ASSERT_FAILS(context, gm_picture_save_png(context, path, INT64_MAX, 1, 1, pixels), bad,
                 "width");
    ASSERT_FAILS(context, gm_picture_save_png(context, path, 1, 1, 2, pixels), bad, "channels");
    ASSERT_FAILS(context, gm_picture_save_png(context, path, 1, 1, 1, NULL), bad, "pixels");
    ASSERT_FAILS(context, gm_picture_save_png(context, NULL, 1, 1, 1, pixels), bad, "path");
    ASSERT_FAILS(context, gm_picture_save_png(context, folder, 1, 1, 1, pixels), GM_STATUS_IO_ERROR,
                 "not a regular file");
    ASSERT_FAILS(context, gm_picture_save_png(context, "/nonexistent/a.png", 1, 1, 1, pixels),
                 GM_STATUS_IO_ERROR, "No such file");
    assert_int_equal(count_files(folder), 0);

#define TILE(image, count, w, h, columns, black, white, zoom, out)                                 \
    gm_picture_tile(context, image, count, w, h, columns, black, white, zoom, out, &width, &height)
    ASSERT_FAILS(context, TILE(NULL, 1, 2, 2, 1, 0, 1, 1, &out), bad, "images");
    ASSERT_FAILS(context, TILE(image, 0, 2, 2, 1, 0, 1, 1, &out), bad, "count");
    ASSERT_FAILS(context, TILE(image, 1, 2, 2, 0, 0, 1, 1, &out), bad, "columns");
    ASSERT_FAILS(context, TILE(image, 1, 2, 2, 1, 0, 1, 0, &out), bad, "zoom");
    ASSERT_FAILS(context, TILE(image, 1, 2, 2, 1, 1, 1, 1, &out), bad, "black and white");
    ASSERT_FAILS(context, TILE(image, 1, 2, 2, 1, NAN, 1, 1, &out), bad, "black and white");
    ASSERT_FAILS(context, TILE(image, 1, 2, 2, 1, 0, 1, INT64_MAX, &out), bad, "pixels a side");
    ASSERT_FAILS(context, TILE(image, INT64_MAX, 2, 2, INT64_MAX, 0, 1, 1, &out), bad,
                 "pixels a side");
    ASSERT_FAILS(context, TILE(image, INT64_MAX, 2, 2, 1, 0, 1, 1, &out), bad, "pixels a side");
    ASSERT_FAILS(context, TILE(image, 1, 2, 2, 1, 0, 1, 1, NULL), bad, "output");
    assert_null(out);
}

static void test_files_read_back(void **state) {
    (void)state;
    static const struct {
        int32_t channels;
        png_uint_32 format;
    } kinds[] = {{1, PNG_FORMAT_GRAY}, {3, PNG_FORMAT_RGB}, {4, PNG_FORMAT_RGBA}};
    enum { WIDTH = 37, HEIGHT = 11 };
    static uint8_t pixels[WIDTH * HEIGHT * 4], back[WIDTH * HEIGHT * 4];
    uint64_t seed = 5;
    for (size_t i = 0; i < sizeof pixels; ++i) {
        pixels[i] = (uint8_t)next_random(&seed);
    }
    for (int i = 0; i < 3; ++i) {
        ASSERT_OK(context,
                  gm_picture_save_png(context, path, WIDTH, HEIGHT, kinds[i].channels, pixels));
        png_image image = {.version = PNG_IMAGE_VERSION};
        assert_true(png_image_begin_read_from_file(&image, path));
        assert_int_equal(image.width, WIDTH);
        assert_int_equal(image.height, HEIGHT);
        assert_int_equal(image.format, kinds[i].format);
        assert_true(png_image_finish_read(&image, NULL, back, 0, NULL));
        assert_memory_equal(back, pixels, (size_t)(WIDTH * HEIGHT * kinds[i].channels));
        assert_int_equal(count_files(folder), 1);
    }
}

static void test_tiles(void **state) {
    (void)state;
    /* Three images of 1 x 2, two a row, zoom 2: 6 x 2 + margins. 128 is the margin and the empty
     * place. */
    static const float images[6] = {0, 1, 0.5f, -7, NAN, 9};
    static const uint8_t expected[7 * 11] = {
        128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, /* */
        128, 0,   0,   255, 255, 128, 128, 128, 0,   0,   128, /* */
        128, 0,   0,   255, 255, 128, 128, 128, 0,   0,   128, /* */
        128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, /* */
        128, 0,   0,   255, 255, 128, 128, 128, 128, 128, 128, /* */
        128, 0,   0,   255, 255, 128, 128, 128, 128, 128, 128, /* */
        128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
    };
    uint8_t *pixels;
    int64_t width, height;
    ASSERT_OK(context, TILE(images, 3, 2, 1, 2, 0, 1, 2, &pixels));
    assert_int_equal(width, 11);
    assert_int_equal(height, 7);
    assert_memory_equal(pixels, expected, sizeof expected);
    free(pixels);
    ASSERT_OK(context,
              TILE(images, 1, 2, 1, 50, 1, 0, 1, &pixels)); /* inverted, fewer than a row */
    assert_true(width == 4 && height == 3);
    assert_true(pixels[4 + 1] == 255 && pixels[4 + 2] == 0);
    free(pixels);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_files_read_back),
        cmocka_unit_test(test_tiles),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
