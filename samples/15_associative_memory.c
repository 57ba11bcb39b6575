/*
 * Ten handwritten digits as the memories of a Hopfield network of 64 neurons, found again from
 * noise: each pixel of a probe is flipped with the same probability, 200 probes of each digit at
 * nine noise levels, all in one run. Digits are alike, and ten of them are more than 0.138 x 64, so
 * that Hebb's rule forgets them, while the pseudo-inverse keeps every one as a fixed point.
 *
 * Picture: the digits; probes with a tenth of the pixels flipped; what they run into by the
 * pseudo-inverse, and by Hebb's rule; below, the share of probes that come back to their digit
 * against the noise (black: pseudo-inverse, orange: Hebb).
 *
 * usage: 15_associative_memory [PICTURE.png]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <genmath/genmath.h>
#include <genmath/philox.h>

#include "picture.h"
#include "try.h"

enum { DIGITS = 10, PIXELS = 64, LEVELS = 9, EACH = 200, PROBES = LEVELS * DIGITS * EACH };
enum { SHOWN = 2 }; /* the level of the picture: 0.05 apart, so a tenth */

static int8_t digits[DIGITS * PIXELS], probes[PROBES * PIXELS];
static int8_t recalled[2][PROBES * PIXELS]; /* by each rule */
static int32_t overlap[PROBES * DIGITS], settled[PROBES];
static double success[2][LEVELS];

/* Probe r is digit r % DIGITS at noise level r / DIGITS / EACH. */
static int level_of(int r) {
    return r / DIGITS / EACH;
}

static int load_digits(gm_context *context) {
    gm_tensor file;
    TRY(gm_npy_load(context, "samples/data/digits.npy", &file));
    const uint8_t *grey = file.data; /* 0 to 16; the first ten are 0 to 9 */
    for (int k = 0; k < DIGITS * PIXELS; ++k) {
        digits[k] = grey[k] >= 8 ? 1 : -1;
    }
    gm_npy_free(&file);
    for (int k = 0; k < PROBES * PIXELS; ++k) {
        const int r = k / PIXELS;
        const float u = gm_uniform_f32(gm_philox_block(13, (uint64_t)k, GM_STREAM_USER, 0).w0);
        const int8_t pixel = digits[r % DIGITS * PIXELS + k % PIXELS];
        probes[k] = u < 0.05f * (float)level_of(r) ? (int8_t)-pixel : pixel;
    }
    return EXIT_SUCCESS;
}

static int recall(gm_context *context, gm_hopfield_rule rule) {
    const gm_hopfield_model model = {
        .neurons = PIXELS, .patterns = DIGITS, .pattern = digits, .probes = PROBES, .rule = rule};
    gm_hopfield_plan *plan;
    void *memory[4];
    const size_t bytes[3] = {sizeof probes, sizeof overlap, sizeof settled};
    TRY(gm_hopfield_plan_create(context, &model, &plan));
    for (int i = 0; i < 3; ++i) {
        TRY(gm_memory_alloc(context, bytes[i], &memory[i]));
    }
    TRY(gm_memory_upload(context, memory[0], probes, sizeof probes));
    const gm_tensor states = gm_tensor_2d(memory[0], GM_I8, PROBES, PIXELS);
    const gm_tensor m = gm_tensor_2d(memory[1], GM_I32, PROBES, DIGITS);
    const gm_tensor stable = gm_tensor_1d(memory[2], GM_I32, PROBES);
    const gm_hopfield_result result = {.overlap = &m, .status = &stable};
    gm_workspace workspace = {0};
    TRY(gm_hopfield_run(plan, NULL, &states, &result, &workspace)); /* only asks */
    TRY(gm_memory_alloc(context, workspace.bytes, &memory[3]));
    workspace.data = memory[3];
    TRY(gm_hopfield_run(plan, NULL, &states, &result, &workspace));
    TRY(gm_memory_download(context, recalled[rule], memory[0], sizeof probes));
    TRY(gm_memory_download(context, overlap, memory[1], sizeof overlap));
    TRY(gm_memory_download(context, settled, memory[2], sizeof settled));
    for (int i = 0; i < 4; ++i) {
        TRY(gm_memory_free(context, memory[i]));
    }
    gm_hopfield_plan_destroy(plan);
    return EXIT_SUCCESS;
}

/* Counts the probes that came back; returns those that are in no fixed point. */
static int count_recalled(gm_hopfield_rule rule) {
    int wrong = 0;
    for (int r = 0; r < PROBES; ++r) {
        wrong += settled[r] != GM_STATUS_OK;
        success[rule][level_of(r)] += overlap[r * DIGITS + r % DIGITS] == PIXELS;
    }
    for (int k = 0; k < LEVELS; ++k) {
        success[rule][k] /= DIGITS * EACH;
    }
    return wrong;
}

static void draw(const char *path) {
    canvas c = canvas_make(640, 470);
    const int first = SHOWN * DIGITS * EACH;
    const int8_t *const rows[4] = {digits, probes + first * PIXELS,
                                   recalled[GM_HOPFIELD_PSEUDO_INVERSE] + first * PIXELS,
                                   recalled[GM_HOPFIELD_HEBB] + first * PIXELS};
    for (int k = 0; k < 4 * DIGITS && c.pixels != NULL; ++k) {
        double values[PIXELS];
        for (int i = 0; i < PIXELS; ++i) {
            values[i] = rows[k / DIGITS][k % DIGITS * PIXELS + i];
        }
        canvas_image(&c, 24 + 60 * (k % DIGITS), 20 + 60 * (k / DIGITS), 6, 8, 8, values, 1, -1);
    }
    if (c.pixels != NULL) {
        canvas_plot(&c, 24, 290, 588, 150, LEVELS, success[0], -0.02, 1.02, 0xe07000);
        canvas_plot(&c, 24, 290, 588, 150, LEVELS, success[1], -0.02, 1.02, 0x000000);
    }
    (void)canvas_save(&c, path);
}

int main(int argc, char **argv) {
    gm_context *context = NULL;
    TRY(gm_context_create(NULL, &context)); /* the GPU if there is one, else the CPU */
    int wrong = load_digits(context);
    for (int rule = 0; rule < 2 && wrong == 0; ++rule) {
        wrong += recall(context, (gm_hopfield_rule)rule);
        wrong += count_recalled((gm_hopfield_rule)rule);
    }
    if (wrong != 0) {
        return EXIT_FAILURE;
    }
    printf("%d probes of %d digits on %s\n", PROBES, DIGITS, gm_context_backend_name(context));
    printf("flipped   Hebb    pseudo-inverse\n");
    for (int k = 0; k < LEVELS; ++k) {
        printf("  %3.0f %%  %6.3f  %6.3f\n", 5.0 * k, success[0][k], success[1][k]);
        /* one is the mean of 2000 probes: five standard errors */
        wrong += k > 0 && success[1][k] > success[1][k - 1] + 0.056;
    }
    wrong += success[1][0] != 1; /* every digit is a fixed point */
    wrong += !(success[1][SHOWN] > 2 * success[0][SHOWN]);
    draw(argc > 1 ? argv[1] : "build/associative_memory.png");
    gm_context_destroy(context);
    return wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
