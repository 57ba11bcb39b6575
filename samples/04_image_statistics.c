/*
 * Statistics of images and videos as contractions: the mean of each colour of an image, the grey
 * value of each frame of a video, and its mean over the frames of some seconds. The video lies with
 * its frames innermost, (row, column, colour, frame), as a sensor's time series does; no axis is
 * moved. It is a ramp that gets brighter frame by frame, so every mean is known.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <genmath/genmath.h>

#include "try.h"

enum { HEIGHT = 90, WIDTH = 160, COLOURS = 3, FRAMES = 60, RATE = 30, FROM = 15, TO = 45 };

static float video[HEIGHT][WIDTH][COLOURS][FRAMES];

/* Row i, column j, colour c, frame t; its mean over rows and columns is that of i, j at the middle.
 */
static double value(double i, double j, int c, double t) {
    return (c == 0 ? i : c == 1 ? j : i + j) + t;
}

static double mean_of(int c, double t) {
    return value((HEIGHT - 1) / 2.0, (WIDTH - 1) / 2.0, c, t);
}

int main(void) {
    static const float weights[COLOURS] = {0.2989f, 0.5870f, 0.1140f}; /* of red, green, blue */
    gm_context *context = NULL;
    void *memory, *weight_memory, *result_memory;
    float means[COLOURS], grey[FRAMES], mean_grey;
    TRY(gm_context_create(NULL, &context));
    for (int64_t at = 0; at < (int64_t)HEIGHT * WIDTH * COLOURS * FRAMES; ++at) {
        const int t = (int)(at % FRAMES), c = (int)(at / FRAMES % COLOURS);
        const int64_t j = at / FRAMES / COLOURS % WIDTH, i = at / FRAMES / COLOURS / WIDTH;
        video[i][j][c][t] = (float)value((double)i, (double)j, c, t);
    }
    TRY(gm_memory_alloc(context, sizeof video, &memory));
    TRY(gm_memory_alloc(context, sizeof weights, &weight_memory));
    TRY(gm_memory_alloc(context, sizeof grey, &result_memory));
    TRY(gm_memory_upload(context, memory, video, sizeof video));
    TRY(gm_memory_upload(context, weight_memory, weights, sizeof weights));
    gm_tensor all, seconds;
    TRY(gm_tensor_view(memory, GM_F32, 4, (int64_t[]){HEIGHT, WIDTH, COLOURS, FRAMES}, &all));
    const gm_tensor w = gm_tensor_1d(weight_memory, GM_F32, COLOURS);

    /* The first frame alone: a view of every FRAMES-th number. */
    const gm_tensor image = {memory,
                             GM_F32,
                             3,
                             {HEIGHT, WIDTH, COLOURS},
                             {WIDTH * COLOURS * FRAMES, COLOURS * FRAMES, FRAMES}};
    gm_tensor out = gm_tensor_1d(result_memory, GM_F32, COLOURS);
    TRY(gm_contract(context, "ijc->c", 1, &image, &out));
    TRY(gm_memory_download(context, means, result_memory, sizeof means));

    out = gm_tensor_1d(result_memory, GM_F32, FRAMES);
    TRY(gm_contract(context, "ijct,c->t", 2, (gm_tensor[]){all, w}, &out));
    TRY(gm_memory_download(context, grey, result_memory, sizeof grey));

    /* Frames FROM .. TO - 1 are a view too. The plan takes the division by their number along. */
    seconds = all;
    seconds.data = (float *)memory + FROM;
    seconds.shape[3] = TO - FROM;
    out = gm_tensor_1d(result_memory, GM_F32, 1);
    out.ndim = 0;
    gm_contract_plan *plan;
    void *workspace;
    const gm_contract_scale scale = {.alpha = 1.0 / HEIGHT / WIDTH / (TO - FROM)};
    const gm_tensor inputs[] = {seconds, w};
    TRY(gm_contract_plan_create(context, "ijct,c->", 2, inputs, &out, NULL, &plan));
    TRY(gm_memory_alloc(context, gm_contract_workspace(plan), &workspace));
    TRY(gm_contract_execute(plan, &scale, inputs, NULL, &out, workspace,
                            gm_contract_workspace(plan)));
    TRY(gm_memory_download(context, &mean_grey, result_memory, sizeof mean_grey));

    double error = 0, expected_mean = 0;
    for (int c = 0; c < COLOURS; ++c) {
        const double mean = means[c] / (HEIGHT * WIDTH);
        error = fmax(error, fabs(mean / mean_of(c, 0) - 1));
        expected_mean += (double)weights[c] * mean_of(c, (FROM + TO - 1) / 2.0);
    }
    for (int t = 0; t < FRAMES; ++t) {
        double expected = 0;
        for (int c = 0; c < COLOURS; ++c) {
            expected += (double)weights[c] * mean_of(c, t);
        }
        error = fmax(error, fabs(grey[t] / (HEIGHT * WIDTH) / expected - 1));
    }
    error = fmax(error, fabs(mean_grey / expected_mean - 1));
    printf("%d frames on %s: means of the first %.2f %.2f %.2f; grey from second %.1f to %.1f: "
           "%.3f, exact %.3f; largest error %.1e of the value\n%s",
           FRAMES, gm_context_backend_name(context), means[0] / (HEIGHT * WIDTH),
           means[1] / (HEIGHT * WIDTH), means[2] / (HEIGHT * WIDTH), (double)FROM / RATE,
           (double)TO / RATE, mean_grey, expected_mean, error, gm_contract_explain(plan));
    gm_contract_plan_destroy(plan);
    gm_memory_free(context, workspace);
    gm_memory_free(context, memory);
    gm_memory_free(context, weight_memory);
    gm_memory_free(context, result_memory);
    gm_context_destroy(context);
    return error < 1e-3 ? EXIT_SUCCESS : EXIT_FAILURE; /* sums of millions of floats */
}
