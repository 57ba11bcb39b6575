/*
 * Total variation denoising (Rudin, Osher, Fatemi) of a page of scanned digits with added noise:
 *
 *     min_u P(u) = |u - f|^2 / 2 + lambda sum |grad u|,  grad by forward differences, |.| isotropic
 *
 * through its dual, max over fields p with |p| <= 1 everywhere of D(p) = |f|^2 / 2 - |f + lambda
 * div p|^2 / 2, by projected gradients with Nesterov's momentum (Chambolle 2004; Beck, Teboulle
 * 2009). Every operation is one of the library's, on views. u = f + lambda div p; the duality gap
 * P(u) - D(p) bounds |u - u*|^2 / 2, so the sample knows how far it is from the solution and stops
 * there. It checks the gap, that the mean is kept (div sums to 0) and that the noise went down.
 * usage: 09_tv_denoising [PICTURE.png]
 */
#include <genmath/genmath.h>

#include "picture.h"
#include "try.h"

enum {
    DIGIT = 8,
    ZOOM = 5,
    ROWS = 4,
    COLUMNS = 8,
    H = ROWS * DIGIT * ZOOM,
    W = COLUMNS * DIGIT * ZOOM
};
enum { CHECK_EVERY = 10, MOST = 3000 };

static gm_context *context;
static double clean[H * W], noisy[H * W], restored[H * W];

/* H x W image `plane` of an array, from row i and column j on, without the last `cut` ones. */
static gm_tensor part(const gm_tensor *array, int plane, int i, int j, int cut_rows,
                      int cut_columns) {
    return (gm_tensor){(double *)array->data + plane * H * W + i * W + j,
                       GM_F64,
                       2,
                       {H - cut_rows, W - cut_columns},
                       {W, 1}};
}

/* g = alpha grad u + g: differences to the next row and to the next column; 0 at the last. */
static gm_status add_gradient(const gm_tensor *u, double alpha, const gm_tensor *g) {
    const gm_tensor row = part(u, 0, 0, 0, 1, 0), next_row = part(u, 0, 1, 0, 1, 0);
    const gm_tensor column = part(u, 0, 0, 0, 0, 1), next_column = part(u, 0, 0, 1, 0, 1);
    const gm_tensor down = part(g, 0, 0, 0, 1, 0), across = part(g, 1, 0, 0, 0, 1);
    PASS(gm_combine(context, GM_COMBINE_SUBTRACT, alpha, &next_row, &row, 1, &down));
    return gm_combine(context, GM_COMBINE_SUBTRACT, alpha, &next_column, &column, 1, &across);
}

/* u = f + lambda div p, div the negative adjoint of grad; p is 0 in the last row, and column. */
static gm_status add_divergence(const gm_tensor *f, const gm_tensor *p, double lambda,
                                const gm_tensor *u) {
    const gm_tensor pd = part(p, 0, 0, 0, 1, 0), pa = part(p, 1, 0, 0, 0, 1);
    const gm_tensor ud = part(u, 0, 0, 0, 1, 0), below = part(u, 0, 1, 0, 1, 0);
    const gm_tensor ua = part(u, 0, 0, 0, 0, 1), right = part(u, 0, 0, 1, 0, 1);
    PASS(gm_map(context, GM_MAP_COPY, 1, f, 0, u));
    PASS(gm_map(context, GM_MAP_COPY, lambda, &pd, 1, &ud));
    PASS(gm_map(context, GM_MAP_COPY, -lambda, &pd, 1, &below));
    PASS(gm_map(context, GM_MAP_COPY, lambda, &pa, 1, &ua));
    return gm_map(context, GM_MAP_COPY, -lambda, &pa, 1, &right);
}

static gm_status reduce(gm_reduction reduction, uint32_t axes, const gm_tensor *in,
                        const gm_tensor *out) {
    return gm_reduce(context, &(gm_reduce_options){.reduction = reduction, .axes = axes}, in, out);
}

/* p = y / max(1, |y|), |y| over the two components. */
static gm_status project(const gm_tensor *y, const gm_tensor *one, const gm_tensor *size,
                         const gm_tensor *p) {
    PASS(reduce(GM_REDUCE_NORM2, 1, y, size));
    PASS(gm_combine(context, GM_COMBINE_MAXIMUM, 1, size, one, 0, size));
    return gm_combine(context, GM_COMBINE_DIVIDE, 1, y, size, 0, p);
}

static gm_status number(gm_reduction reduction, const gm_tensor *in, const gm_tensor *scalar,
                        double *value) {
    PASS(reduce(reduction, 0, in, scalar));
    return gm_memory_download(context, value, scalar->data, sizeof *value);
}

/* Arrays on the backend: images f, u, size; fields p, y, old. */
typedef struct problem {
    gm_tensor f, u, size, rest, p, y, old, scalar, one;
    double lambda, squares; /* |f|^2 */
} problem;

/* P(u) - D(p) for u = f + lambda div p; rest and y are scratch. */
static gm_status measure_gap(problem *q, double *primal, double *gap) {
    double distance, variation, norm;
    PASS(add_divergence(&q->f, &q->p, q->lambda, &q->u));
    PASS(gm_combine(context, GM_COMBINE_SUBTRACT, 1, &q->u, &q->f, 0, &q->rest));
    PASS(number(GM_REDUCE_NORM2, &q->rest, &q->scalar, &distance));
    PASS(number(GM_REDUCE_NORM2, &q->u, &q->scalar, &norm));
    PASS(gm_combine(context, GM_COMBINE_SUBTRACT, 1, &q->p, &q->p, 0, &q->old)); /* zeros */
    PASS(add_gradient(&q->u, 1, &q->old));
    PASS(reduce(GM_REDUCE_NORM2, 1, &q->old, &q->size));
    PASS(number(GM_REDUCE_SUM, &q->size, &q->scalar, &variation));
    *primal = distance * distance / 2 + q->lambda * variation;
    *gap = *primal - (q->squares - norm * norm) / 2;
    return GM_STATUS_OK;
}

/* One step of the accelerated projected gradient; |grad|^2 <= 8, so 1 / (8 lambda) is stable. */
static gm_status step(problem *q, double momentum) {
    PASS(gm_map(context, GM_MAP_COPY, 1, &q->p, 0, &q->old));
    PASS(add_divergence(&q->f, &q->y, q->lambda, &q->u));
    PASS(add_gradient(&q->u, 1 / (8 * q->lambda), &q->y));
    PASS(project(&q->y, &q->one, &q->size, &q->p));
    PASS(gm_combine(context, GM_COMBINE_SUBTRACT, momentum, &q->p, &q->old, 0, &q->y));
    return gm_map(context, GM_MAP_COPY, 1, &q->p, 1, &q->y);
}

static gm_status solve(problem *q, double goal, int *steps, double *primal, double *gap) {
    double t = 1;
    for (*steps = 0; *steps < MOST;) {
        const double next = (1 + sqrt(1 + 4 * t * t)) / 2;
        PASS(step(q, (t - 1) / next));
        t = next;
        if (++*steps % CHECK_EVERY == 0) {
            PASS(measure_gap(q, primal, gap));
            if (*steps % 50 == 0 || *gap <= goal * *primal) {
                printf("step %4d: P(u) = %.6f, gap %.2e\n", *steps, *primal, *gap);
            }
            if (*gap <= goal * *primal) {
                break;
            }
        }
    }
    return GM_STATUS_OK;
}

static double psnr(const double *image) {
    double sum = 0;
    for (int i = 0; i < H * W; ++i) {
        sum += (image[i] - clean[i]) * (image[i] - clean[i]);
    }
    return -10 * log10(sum / (H * W));
}

/* A page of the first digits, ink 1 on paper 0, enlarged. */
static gm_status load(void) {
    gm_tensor file;
    PASS(gm_npy_load(context, "samples/data/digits.npy", &file));
    for (int i = 0; i < H * W; ++i) {
        const int row = i / W / ZOOM, column = i % W / ZOOM;
        const int digit = row / DIGIT * COLUMNS + column / DIGIT;
        const int pixel = row % DIGIT * DIGIT + column % DIGIT;
        clean[i] = ((const uint8_t *)file.data)[digit * DIGIT * DIGIT + pixel] / 16.0;
    }
    gm_npy_free(&file);
    return GM_STATUS_OK;
}

int main(int argc, char **argv) {
    const double deviation = 0.2, goal = 1e-4, unit = 1;
    problem q = {.lambda = 0.25};
    void *memory;
    int steps;
    double primal = 0, gap = 0, before = 0, after = 0, norm;
    TRY(gm_context_create(NULL, &context)); /* the GPU if there is one, else the CPU */
    TRY(load());
    TRY(gm_memory_alloc(context, sizeof(double) * (10 * H * W + 2), &memory));
    double *next = memory;
    gm_tensor *const images[] = {&q.f, &q.u, &q.size, &q.rest};
    gm_tensor *const fields[] = {&q.p, &q.y, &q.old};
    for (int i = 0; i < 4; ++i, next += H * W) {
        *images[i] = gm_tensor_2d(next, GM_F64, H, W);
    }
    for (int i = 0; i < 3; ++i, next += 2 * H * W) {
        *fields[i] = gm_tensor_3d(next, GM_F64, 2, H, W);
    }
    q.scalar = (gm_tensor){.data = next, .dtype = GM_F64};
    q.one = (gm_tensor){.data = next + 1, .dtype = GM_F64};
    TRY(gm_memory_upload(context, q.one.data, &unit, sizeof unit));

    /* f = the page + noise; p = y = 0, as f - f makes it. */
    TRY(gm_memory_upload(context, q.u.data, clean, sizeof clean));
    TRY(gm_random_fill_normal(context, &(gm_random_stream){.seed = 5}, 0, deviation, &q.f));
    TRY(gm_map(context, GM_MAP_COPY, 1, &q.u, 1, &q.f));
    TRY(gm_combine(context, GM_COMBINE_SUBTRACT, 1, &q.f, &q.f, 0, &q.p));
    TRY(gm_map(context, GM_MAP_COPY, 1, &q.p, 0, &q.y));
    TRY(number(GM_REDUCE_NORM2, &q.f, &q.scalar, &norm));
    TRY(number(GM_REDUCE_MEAN, &q.f, &q.scalar, &before));
    q.squares = norm * norm;
    TRY(solve(&q, goal, &steps, &primal, &gap));
    TRY(number(GM_REDUCE_MEAN, &q.u, &q.scalar, &after));
    TRY(gm_memory_download(context, noisy, q.f.data, sizeof noisy));
    TRY(gm_memory_download(context, restored, q.u.data, sizeof restored));

    canvas c = canvas_make(W + 8, 3 * (H + 4) + 4);
    for (int i = 0; i < 3 && c.pixels != NULL; ++i) {
        canvas_image(&c, 4, 4 + i * (H + 4), 1, W, H,
                     i == 0   ? clean
                     : i == 1 ? noisy
                              : restored,
                     1, 0);
    }
    const int saved = canvas_save(&c, argc > 1 ? argv[1] : "build/tv_denoising.png");
    const double gain = psnr(restored) - psnr(noisy), drift = fabs(after - before);
    printf("%d x %d pixels on %s: %d steps, relative gap %.1e, within %.3f of the solution's grey "
           "(rms); PSNR %.2f dB to %.2f dB, gain %.2f dB; the mean moved by %.1e\n",
           H, W, gm_context_backend_name(context), steps, gap / primal, sqrt(2 * gap / (H * W)),
           psnr(noisy), psnr(restored), gain, drift);
    gm_memory_free(context, memory);
    gm_context_destroy(context);
    return saved && gap >= 0 && gap <= goal * primal && gain > 5 && drift < 1e-12 ? EXIT_SUCCESS
                                                                                  : EXIT_FAILURE;
}
