/*
 * Eigendigits: the mean of 1797 handwritten digits of 8 x 8 pixels, the directions in which they
 * differ most, and how well k of them draw a digit. With X the centred digits as rows and X = U S
 * V^T the error of rank k is |X - X V_k V_k^T|^2 = sum of s_j^2 over j > k: the sample draws the
 * digits again at several ranks and checks that. A randomized sketch must come to the same
 * spectrum. usage: 08_eigendigits [PICTURE.png]
 */
#include <genmath/genmath.h>

#include "picture.h"
#include "try.h"

enum { N = 1797, PIXELS = 64, SIDE = 8, RANKS = 6, SHOWN = 16, SKETCHED = 14 };

static const int ranks[RANKS] = {1, 2, 5, 10, 20, 40};
static double digits[N * PIXELS], mean[PIXELS], s[PIXELS], vt[PIXELS * PIXELS];
static double scores[N * PIXELS], drawn[RANKS][N * PIXELS], sketched[SKETCHED];

static gm_status decompose(gm_context *context, const gm_svd_options *options, int rank,
                           double *values, double *rows, gm_approximation_report *report) {
    const gm_tensor x = gm_tensor_2d(digits, GM_F64, N, PIXELS);
    const gm_tensor sigma = gm_tensor_1d(values, GM_F64, rank);
    const gm_tensor v = gm_tensor_2d(rows, GM_F64, rank, PIXELS);
    gm_workspace workspace = {NULL, 0};
    gm_status status = gm_svd_truncated(context, options, &x, NULL, &sigma,
                                        rows != NULL ? &v : NULL, report, &workspace);
    if (status == GM_STATUS_OK) {
        status = gm_memory_alloc(context, workspace.bytes, &workspace.data);
    }
    if (status == GM_STATUS_OK) {
        status = gm_svd_truncated(context, options, &x, NULL, &sigma, rows != NULL ? &v : NULL,
                                  report, &workspace);
        gm_memory_free(context, workspace.data);
    }
    return status;
}

/* From the top: the mean and 31 directions; 16 digits at ranks 1 to 40, and as they are; s_j / s_1
 * (blue) and the share of the variance explained (red). */
static int draw(const char *path, const double *originals) {
    enum { ZOOM = 6, CELL = SIDE * ZOOM + 4, WIDTH = SHOWN * CELL + 4, PLOT = 220 };
    canvas c = canvas_make(WIDTH, (3 + RANKS) * CELL + PLOT + 40);
    double shares[PIXELS], left = 1, spectrum[PIXELS], all = 0;
    if (c.pixels == NULL) {
        return 0;
    }
    canvas_image(&c, 4, 4, ZOOM, SIDE, SIDE, mean, 16, 0);
    for (int i = 1; i < 2 * SHOWN; ++i) {
        canvas_image(&c, 4 + i % SHOWN * CELL, 4 + i / SHOWN * CELL, ZOOM, SIDE, SIDE,
                     vt + (i - 1) * PIXELS, -0.4, 0.4);
    }
    for (int i = 0; i < SHOWN; ++i) {
        for (int r = 0; r <= RANKS; ++r) {
            const double *image = r < RANKS ? drawn[r] : originals;
            canvas_image(&c, 4 + i * CELL, 12 + (2 + r) * CELL, ZOOM, SIDE, SIDE,
                         image + i * PIXELS, 16, 0);
        }
    }
    for (int j = 0; j < PIXELS; ++j) {
        all += s[j] * s[j];
    }
    for (int j = 0; j < PIXELS; ++j) {
        spectrum[j] = s[j] / s[0];
        shares[j] = 1 - (left -= s[j] * s[j] / all);
    }
    const int top = 24 + (3 + RANKS) * CELL;
    canvas_line(&c, 10, top + PLOT, WIDTH - 10, top + PLOT, 0x808080);
    canvas_line(&c, 10, top, 10, top + PLOT, 0x808080);
    canvas_plot(&c, 10, top, WIDTH - 20, PLOT, PIXELS, spectrum, 0, 1, 0x005ab5);
    canvas_plot(&c, 10, top, WIDTH - 20, PLOT, PIXELS, shares, 0, 1, 0xdc3220);
    return canvas_save(&c, path);
}

int main(int argc, char **argv) {
    gm_context *context = NULL;
    gm_tensor file;
    gm_approximation_report report, sketch;
    static double originals[N * PIXELS];
    TRY(gm_context_create(&(gm_context_options){.backend = GM_BACKEND_CPU}, &context));
    TRY(gm_npy_load(context, "samples/data/digits.npy", &file));
    const gm_tensor x = gm_tensor_2d(digits, GM_F64, N, PIXELS);
    const gm_tensor average = gm_tensor_1d(mean, GM_F64, PIXELS);
    TRY(gm_map(context, GM_MAP_COPY, 1, &file, 0, &x));
    memcpy(originals, digits, sizeof digits);
    TRY(gm_reduce(context, &(gm_reduce_options){.reduction = GM_REDUCE_MEAN, .axes = 1}, &x,
                  &average));
    TRY(gm_combine(context, GM_COMBINE_SUBTRACT, 1, &x, &average, 0, &x));
    gm_npy_free(&file);

    TRY(decompose(context, NULL, PIXELS, s, vt, &report));
    const gm_svd_options by_sketch = {.method = GM_SVD_RANDOMIZED, .seed = 8};
    TRY(decompose(context, &by_sketch, SKETCHED, sketched, NULL, &sketch));

    /* Scores on the k leading directions, and the digits that these draw. */
    double worst = 0;
    for (int r = 0; r < RANKS; ++r) {
        const gm_tensor v = gm_tensor_2d(vt, GM_F64, ranks[r], PIXELS);
        const gm_tensor z = gm_tensor_2d(scores, GM_F64, N, ranks[r]);
        const gm_tensor y = gm_tensor_2d(drawn[r], GM_F64, N, PIXELS);
        TRY(gm_contract(context, "ij,kj->ik", 2, (gm_tensor[]){x, v}, &z));
        TRY(gm_contract(context, "ik,kj->ij", 2, (gm_tensor[]){z, v}, &y));
        double error = 0, tail = 0;
        for (int i = 0; i < N * PIXELS; ++i) {
            error += (digits[i] - drawn[r][i]) * (digits[i] - drawn[r][i]);
        }
        for (int j = ranks[r]; j < PIXELS; ++j) {
            tail += s[j] * s[j];
        }
        worst = fmax(worst, fabs(error / tail - 1));
        printf("rank %2d: %5.1f %% of the variance left, the tail of the spectrum %5.1f %%\n",
               ranks[r], 100 * error / report.norm / report.norm,
               100 * tail / report.norm / report.norm);
        TRY(gm_combine(context, GM_COMBINE_ADD, 1, &y, &average, 0, &y));
    }
    double apart = 0, tail = 0;
    for (int j = 0; j < PIXELS; ++j) {
        apart = j < SKETCHED ? fmax(apart, fabs(sketched[j] / s[j] - 1)) : apart;
        tail += j < SKETCHED ? 0 : s[j] * s[j];
    }
    const double best = sqrt(tail) / report.norm;
    const int saved = draw(argc > 1 ? argv[1] : "build/eigendigits.png", originals);
    printf("errors and tails differ by %.1e of themselves; the first %d values by a sketch of %d "
           "columns are within %.1e, and its error is %.5f where %.5f is the least\n",
           worst, SKETCHED, SKETCHED + 10, apart, sketch.error, best);
    gm_context_destroy(context);
    return saved && worst < 1e-10 && apart < 2e-2 && sketch.error >= best * (1 - 1e-12) &&
                   sketch.error < 1.01 * best
               ? EXIT_SUCCESS
               : EXIT_FAILURE;
}
