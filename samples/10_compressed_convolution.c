/*
 * A convolution layer compressed by Tucker-2 (Kim et al., ICLR 2016). Its weight w (O, C, 3, 3),
 * reduced in its output and input channels only,
 *
 *     w[o, c, i, j] ~ sum_ab U[o, a] core[a, b, i, j] V[c, b],
 *
 * is a chain of three smaller layers: 1 x 1 from C to B channels, 3 x 3 from B to A, 1 x 1 to O.
 *
 * The layer is learnt from the digits: its input is what 16 cosine filters and a rectifier make of
 * a digit, its filters are the principal components of 3 x 3 windows of that (a PCANet), each
 * scaled by its deviation. The sample compresses it at several tolerances and checks the outputs: a
 * window of x is in 9 sums at most, so |y - y'| <= 3 |w - w'| |x|. usage: 10_compressed_convolution
 * [PICTURE.png]
 */
#include <genmath/genmath.h>

#include "picture.h"
#include "try.h"

enum { N = 500, SIDE = 8, PIXELS = SIDE * SIDE, K = 3, C = 16, O = 48, WINDOW = C * K * K };
enum { CASES = 3, SHOWN = 12, MAPS = 6 };

static gm_context *context;
static double digits[N][PIXELS], maps[N][C][PIXELS], windows[N * 36][WINDOW];
static double weight[O][WINDOW], smaller[O][WINDOW];
static double exact[N][O][PIXELS], chained[N][O][PIXELS], direct[N][O][PIXELS];
static double narrow[N][C][PIXELS], middle[N][O][PIXELS];
static double core_memory[O * WINDOW], factor_memory[4][O * O];

static gm_tensor tensor_4d(void *data, int64_t a, int64_t b, int64_t c, int64_t d) {
    return (gm_tensor){data, GM_F64, 4, {a, b, c, d}, {b * c * d, c * d, d, 1}};
}

static gm_tensor layer(void *data, int64_t channels) {
    return tensor_4d(data, N, channels, SIDE, SIDE);
}

/* y = conv(x, w), as many pixels out as in; rectified or not. */
static gm_status convolve(const gm_tensor *x, const gm_tensor *w, gm_activation activation,
                          const gm_tensor *y) {
    const int64_t pad = w->shape[2] / 2;
    const gm_contract_epilogue epilogue = {.activation = activation};
    const gm_conv_options options = {
        .pad_before = {pad, pad}, .pad_after = {pad, pad}, .epilogue = &epilogue};
    gm_conv_plan *plan;
    void *workspace;
    PASS(gm_conv_plan_create(context, GM_CONV_FORWARD, x, w, y, &options, &plan));
    const size_t bytes = gm_conv_workspace(plan);
    gm_status status = gm_memory_alloc(context, bytes, &workspace);
    if (status == GM_STATUS_OK) {
        status = gm_conv_execute(plan, NULL, x, w, y, workspace, bytes);
        gm_memory_free(context, workspace);
    }
    gm_conv_plan_destroy(plan);
    return status;
}

static double norm_of(int64_t count, const double *x) {
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) {
        sum += x[i] * x[i];
    }
    return sqrt(sum);
}

static double distance(int64_t count, const double *x, const double *y) {
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) {
        sum += (x[i] - y[i]) * (x[i] - y[i]);
    }
    return sqrt(sum);
}

/* The digits, and 8 filters of a 3 x 3 cosine transform, each with both signs, rectified. */
static gm_status make_input(void) {
    gm_tensor file;
    double filters[C][K][K];
    PASS(gm_npy_load(context, "samples/data/digits.npy", &file));
    for (int e = 0; e < N * PIXELS; ++e) {
        digits[e / PIXELS][e % PIXELS] = ((const uint8_t *)file.data)[e] / 16.0;
    }
    gm_npy_free(&file);
    for (int e = 0; e < C * K * K; ++e) {
        const int c = e / (K * K), i = e / K % K, j = e % K, f = c / 2 + 1;
        const double angle = acos(-1.0) / K;
        filters[c][i][j] = (c % 2 ? -1 : 1) * cos(angle * (f / K) * (i + 0.5)) *
                           cos(angle * (f % K) * (j + 0.5)) * 2.0 / K;
    }
    const gm_tensor x = layer(digits, 1), w = tensor_4d(filters, C, 1, K, K), y = layer(maps, C);
    return convolve(&x, &w, GM_ACTIVATION_RELU, &y);
}

/* The O leading right singular vectors of all windows inside the maps, times their values. */
static gm_status learn_layer(void) {
    static double s[O];
    const int64_t inside = SIDE - K + 1;
    const gm_tensor view = {
        maps, GM_F64, 6, {N, inside, inside, C, K, K}, {C * PIXELS, SIDE, 1, PIXELS, SIDE, 1}};
    gm_tensor copy;
    PASS(gm_tensor_view(windows, GM_F64, 6, view.shape, &copy));
    PASS(gm_map(context, GM_MAP_COPY, 1, &view, 0, &copy));
    const gm_tensor a = gm_tensor_2d(windows, GM_F64, 16000, WINDOW);
    const gm_tensor values = gm_tensor_2d(s, GM_F64, O, 1),
                    vt = gm_tensor_2d(weight, GM_F64, O, WINDOW);
    const gm_tensor leading = gm_tensor_1d(s, GM_F64, O);
    gm_approximation_report report;
    gm_workspace workspace = {NULL, 0};
    PASS(gm_svd_truncated(context, NULL, &a, NULL, &leading, &vt, &report, &workspace));
    PASS(gm_memory_alloc(context, workspace.bytes, &workspace.data));
    PASS(gm_svd_truncated(context, NULL, &a, NULL, &leading, &vt, &report, &workspace));
    PASS(gm_memory_free(context, workspace.data));
    return gm_combine(context, GM_COMBINE_MULTIPLY, 1 / s[0], &vt, &values, 0, &vt);
}

/* core (A, B, 3, 3), factors[0] (O, A), factors[1] (C, B); the spatial modes are kept. */
static gm_status compress(double tolerance, gm_tensor *core, gm_tensor factors[4],
                          gm_approximation_report *report) {
    const gm_tensor w = tensor_4d(weight, O, C, K, K);
    const gm_tucker_options options = {
        .method = GM_TUCKER_HOOI, .tolerance = tolerance, .keep = 1 << 2 | 1 << 3};
    gm_workspace workspace = {NULL, 0};
    *core = tensor_4d(core_memory, O, C, K, K);
    for (int k = 0; k < 4; ++k) {
        factors[k] = gm_tensor_2d(factor_memory[k], GM_F64, w.shape[k], w.shape[k]);
    }
    PASS(gm_tucker(context, &options, &w, core, factors, report, &workspace));
    PASS(gm_memory_alloc(context, workspace.bytes, &workspace.data));
    PASS(gm_tucker(context, &options, &w, core, factors, report, &workspace));
    return gm_memory_free(context, workspace.data);
}

/* The chain: V^T as a 1 x 1 layer, the core, U as a 1 x 1 layer. */
static gm_status run_chain(const gm_tensor *core, const gm_tensor factors[4]) {
    const int64_t a = core->shape[0], b = core->shape[1];
    const gm_tensor first = {factors[1].data, GM_F64, 4, {b, C, 1, 1}, {1, b, 1, 1}};
    const gm_tensor last = {factors[0].data, GM_F64, 4, {O, a, 1, 1}, {a, 1, 1, 1}};
    const gm_tensor x = layer(maps, C), m = layer(narrow, b), n = layer(middle, a);
    const gm_tensor y = layer(chained, O);
    PASS(convolve(&x, &first, GM_ACTIVATION_NONE, &m));
    PASS(convolve(&m, core, GM_ACTIVATION_NONE, &n));
    return convolve(&n, &last, GM_ACTIVATION_NONE, &y);
}

/* Digits; a few maps of the layer; the same of the chain. */
static int draw(const char *path) {
    enum { ZOOM = 5, CELL = SIDE * ZOOM + 4 };
    canvas c = canvas_make(SHOWN * CELL + 4, (1 + 2 * MAPS) * CELL + 4 + 8 * MAPS);
    for (int i = 0; i < SHOWN && c.pixels != NULL; ++i) {
        const int x = 4 + i * CELL;
        canvas_image(&c, x, 4, ZOOM, SIDE, SIDE, digits[i], 1, 0);
        for (int map = 0; map < MAPS; ++map) {
            const double scale = norm_of(PIXELS, exact[i][map]) / 3;
            const int y = 12 + (1 + 2 * map) * CELL + 8 * map;
            canvas_image(&c, x, y, ZOOM, SIDE, SIDE, exact[i][map], -scale, scale);
            canvas_image(&c, x, y + CELL, ZOOM, SIDE, SIDE, chained[i][map], -scale, scale);
        }
    }
    return canvas_save(&c, path);
}

int main(int argc, char **argv) {
    static const double tolerances[CASES] = {0.25, 0.35, 0.5};
    int wrong = 0;
    TRY(gm_context_create(&(gm_context_options){.backend = GM_BACKEND_CPU}, &context));
    TRY(make_input());
    TRY(learn_layer());
    const gm_tensor x = layer(maps, C), w = tensor_4d(weight, O, C, K, K);
    const gm_tensor y = layer(exact, O), z = layer(direct, O);
    TRY(convolve(&x, &w, GM_ACTIVATION_NONE, &y));
    const double norm_y = norm_of(N * O * PIXELS, exact[0][0]);
    const double norm_x = norm_of(N * C * PIXELS, maps[0][0]);
    for (int i = 0; i < CASES; ++i) {
        gm_tensor core, factors[4];
        gm_approximation_report report;
        TRY(compress(tolerances[i], &core, factors, &report));
        TRY(run_chain(&core, factors));
        const gm_tensor v = tensor_4d(smaller, O, C, K, K);
        TRY(gm_tucker_reconstruct(context, &core, factors, &v));
        TRY(convolve(&x, &v, GM_ACTIVATION_NONE, &z));
        const double error = distance(N * O * PIXELS, exact[0][0], chained[0][0]);
        const double bound = 3 * distance(O * WINDOW, weight[0], smaller[0]) * norm_x;
        const double rounding = distance(N * O * PIXELS, direct[0][0], chained[0][0]) / norm_y;
        const int64_t a = core.shape[0], b = core.shape[1];
        const double whole = O * C * K * K, parts = (double)(C * b + a * b * K * K + a * O);
        const int ok = error <= bound && report.error <= tolerances[i] && parts < whole &&
                       rounding < 1e-13 && report.status == GM_STATUS_OK;
        printf("tolerance %.2f: %d -> %lld -> %lld -> %d channels, %.2f times fewer operations; "
               "weight off by %.4f, output by %.4f (at most %.4f); chain and dense by %.1e  %s\n",
               tolerances[i], C, (long long)b, (long long)a, O, whole / parts, report.error,
               error / norm_y, bound / norm_y, rounding, ok ? "ok" : "WRONG");
        wrong += !ok;
    }
    wrong += !draw(argc > 1 ? argv[1] : "build/compressed_convolution.png");
    gm_context_destroy(context);
    return wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
