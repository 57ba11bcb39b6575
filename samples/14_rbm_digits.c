/*
 * A restricted Boltzmann machine learns handwritten digits: 64 pixels, on or off, and 16 hidden
 * units, trained by persistent contrastive divergence on 1500 digits of 8 x 8. With 16 hidden units
 * the likelihood is known exactly, by summing over their 65,536 states: the sample prints that of
 * the training digits and of 297 others after every second epoch, and checks that both rise, from
 * that of independent pixels on. Annealed importance sampling, which needs no such sum, must
 * bracket the same log Z.
 *
 * Picture, from the top: 16 digits; what the chains believe after 300 sweeps more (the means of the
 * pixels); what each hidden unit adds to a pixel; the log-likelihood of a digit over the epochs, of
 * the training digits (black) and the others (orange).
 *
 * usage: 14_rbm_digits [PICTURE.png]
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <genmath/genmath.h>
#include <genmath/philox.h>

#include "picture.h"
#include "try.h"

enum { N = 1797, TRAIN = 1500, SIDE = 8, NV = SIDE * SIDE, NH = 16, BATCH = 100 };
enum { BATCHES = TRAIN / BATCH, EPOCHS = 40, EVERY = 2, ROUNDS = EPOCHS / EVERY, SWEEPS = 5 };

static double digits[N * NV], energy[N], shown[BATCH * NV], weights[NV * NH];
static double curve[2][1 + ROUNDS];

/* A machine in the backend's memory: w, b, c, their velocities, a batch, its chains, all digits. */
enum { W, B, C, DW, DB, DC, DATA, CHAINS, ALL, ENERGY, LOG_Z, LOG_W, TENSORS };
static const int64_t shapes[TENSORS][2] = {{NV, NH}, {NV, 0}, {NH, 0},     {NV, NH},
                                           {NV, 0},  {NH, 0}, {BATCH, NV}, {BATCH, NV},
                                           {N, NV},  {N, 0},  {1, 0},      {BATCH, 0}};
static gm_tensor at[TENSORS];

static int64_t size_of(int which) {
    return shapes[which][0] * (shapes[which][1] > 0 ? shapes[which][1] : 1);
}

static gm_status upload(gm_context *context, int which, const double *from) {
    return gm_memory_upload(context, at[which].data, from, (size_t)size_of(which) * 8);
}

static gm_status download(gm_context *context, int which, double *to) {
    return gm_memory_download(context, to, at[which].data, (size_t)size_of(which) * 8);
}

/* The digits as on and off pixels, in a random order: the first 1500 are for training. */
static int load_digits(gm_context *context) {
    gm_tensor file;
    int64_t order[N];
    TRY(gm_npy_load(context, "samples/data/digits.npy", &file));
    TRY(gm_rbm_shuffle(1, 0, N, order));
    for (int i = 0; i < N * NV; ++i) {
        digits[i] = ((const uint8_t *)file.data)[order[i / NV] * NV + i % NV] >= 8;
    }
    gm_npy_free(&file);
    return EXIT_SUCCESS;
}

/* Small weights, and biases with which every pixel is on as often as in the data. */
static int start(gm_context *context) {
    static double w[NV * NH], b[NV], c[NH];
    for (int i = 0; i < NV; ++i) {
        double on = 1; /* one more of each, so that none is certain */
        for (int n = 0; n < TRAIN; ++n) {
            on += digits[n * NV + i];
        }
        b[i] = log(on / (TRAIN + 2 - on));
    }
    for (int i = 0; i < NV * NH; ++i) {
        w[i] = 0.2 * gm_normal_f64(2, (uint64_t)i, GM_STREAM_USER, 0);
    }
    for (int i = 0; i < TENSORS; ++i) {
        TRY(gm_memory_alloc(context, (size_t)size_of(i) * 8, &at[i].data));
        at[i] = shapes[i][1] > 0 ? gm_tensor_2d(at[i].data, GM_F64, shapes[i][0], shapes[i][1])
                                 : gm_tensor_1d(at[i].data, GM_F64, shapes[i][0]);
    }
    static const double zero[NV * NH];
    const double *const first[] = {w, b, c, zero, zero, zero, digits, digits, digits};
    for (int i = W; i <= ALL; ++i) {
        TRY(upload(context, i, first[i]));
    }
    return EXIT_SUCCESS;
}

typedef struct tool {
    gm_rbm_plan *plan;
    void *scratch;
    size_t bytes;
} tool;

static gm_status make_tool(gm_context *context, int64_t rows, int32_t partition, tool *t) {
    const gm_rbm_options options = {
        .dtype = GM_F64, .rows = rows, .visible = NV, .hidden = NH, .partition = partition};
    const gm_status status = gm_rbm_plan_create(context, &options, &t->plan);
    t->bytes = gm_rbm_workspace(t->plan);
    return status == GM_STATUS_OK ? gm_memory_alloc(context, t->bytes, &t->scratch) : status;
}

static const gm_rbm_model model = {&at[W], &at[B], &at[C], NULL};
static const gm_rbm_velocity velocity = {&at[DW], &at[DB], &at[DC]};

/* Exact mean log-likelihood of the training digits and of the others. */
static int measure(gm_context *context, const tool *all, int round, double *log_z) {
    TRY(gm_rbm_free_energy(all->plan, &model, 1, &at[ALL], &at[ENERGY], all->scratch, all->bytes));
    TRY(gm_rbm_log_partition(all->plan, &model, 1, &at[LOG_Z], all->scratch, all->bytes));
    TRY(download(context, ENERGY, energy));
    TRY(download(context, LOG_Z, log_z));
    double sum[2] = {0, 0};
    for (int n = 0; n < N; ++n) {
        sum[n >= TRAIN] += -energy[n] - *log_z;
    }
    curve[0][round] = sum[0] / TRAIN;
    curve[1][round] = sum[1] / (N - TRAIN);
    printf("%6d %12.4f %12.4f %12.4f\n", round * EVERY, curve[0][round], curve[1][round], *log_z);
    return EXIT_SUCCESS;
}

static int train(gm_context *context, const tool *batch, const tool *all, double *log_z) {
    static double data[BATCH * NV];
    int64_t order[TRAIN];
    uint64_t sweep = 0;
    printf("%6s %12s %12s %12s   exact, nats a digit\n", "epoch", "training", "others", "log Z");
    if (measure(context, all, 0, log_z) != EXIT_SUCCESS) {
        return EXIT_FAILURE;
    }
    for (int epoch = 0; epoch < EPOCHS; ++epoch) {
        TRY(gm_rbm_shuffle(3, (uint64_t)epoch, TRAIN, order));
        for (int i = 0; i < BATCHES; ++i, sweep += SWEEPS) {
            for (int n = 0; n < BATCH; ++n) {
                memcpy(data + n * NV, digits + order[i * BATCH + n] * NV, NV * sizeof *data);
            }
            TRY(upload(context, DATA, data));
            const gm_rbm_step step = {.seed = 4,
                                      .first_sweep = sweep,
                                      .k = SWEEPS,
                                      .rate =
                                          gm_rbm_rate(0.12, 8 * BATCHES, (int64_t)sweep / SWEEPS),
                                      .momentum = 0.5,
                                      .decay = 1e-4,
                                      .persistent = 1};
            TRY(gm_rbm_train(batch->plan, &step, &model, &velocity, &at[DATA], &at[CHAINS],
                             batch->scratch, batch->bytes));
        }
        if ((epoch + 1) % EVERY == 0 &&
            measure(context, all, (epoch + 1) / EVERY, log_z) != EXIT_SUCCESS) {
            return EXIT_FAILURE;
        }
    }
    return EXIT_SUCCESS;
}

/* Annealing from independent units, and back from the chains: below and above log Z. */
static int bracket(gm_context *context, const tool *batch, double log_z, int *good) {
    double w[2][BATCH];
    gm_rbm_estimate e[2];
    const gm_rbm_sweeps more = {.seed = 5, .sweeps = 300};
    TRY(gm_rbm_gibbs(batch->plan, &more, &model, &at[CHAINS], NULL, batch->scratch, batch->bytes));
    for (int back = 1; back >= 0; --back) {
        const gm_tensor *v = back != 0 ? &at[CHAINS] : &at[DATA];
        TRY(download(context, CHAINS, shown));
        const gm_rbm_anneal run = {.seed = 6, .steps = 30, .reverse = back};
        TRY(gm_rbm_ais(batch->plan, &run, &model, v, &at[LOG_W], batch->scratch, batch->bytes));
        TRY(upload(context, CHAINS, shown));
        TRY(download(context, LOG_W, w[back]));
        TRY(gm_rbm_ais_estimate(w[back], BATCH, back, &e[back]));
    }
    *good = e[0].mean < log_z && log_z < e[1].mean && fabs(e[0].log_z - log_z) < 5 * e[0].error;
    printf("annealing, 30 steps: %.3f < log Z = %.3f < %.3f; estimate %.3f +- %.3f\n", e[0].mean,
           log_z, e[1].mean, e[0].log_z, e[0].error);
    return EXIT_SUCCESS;
}

/* The means of the pixels given hidden units drawn from the chains' own. */
static int believe(gm_context *context, const tool *batch) {
    void *memory;
    TRY(gm_memory_alloc(context, BATCH * NH * 8, &memory));
    const gm_tensor h = gm_tensor_2d(memory, GM_F64, BATCH, NH);
    const gm_rbm_sweeps one = {.seed = 7, .sweeps = 1};
    TRY(gm_rbm_gibbs(batch->plan, &one, &model, &at[CHAINS], &h, batch->scratch, batch->bytes));
    TRY(gm_rbm_visible_mean(batch->plan, &model, 1, &h, &at[DATA], batch->scratch, batch->bytes));
    TRY(download(context, DATA, shown));
    TRY(download(context, W, weights));
    return gm_memory_free(context, memory) == GM_STATUS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int draw(const char *path) {
    enum { ZOOM = 5, CELL = SIDE * ZOOM + 4, WIDTH = 16 * CELL + 4, PLOT = 200 };
    canvas c = canvas_make(WIDTH, 4 * CELL + PLOT + 40);
    double low = curve[0][0];
    if (c.pixels == NULL) {
        return 0;
    }
    for (int i = 0; i < 16; ++i) {
        double filter[NV];
        for (int p = 0; p < NV; ++p) {
            filter[p] = weights[p * NH + i];
        }
        const int x = 4 + i * CELL;
        canvas_image(&c, x, 4, ZOOM, SIDE, SIDE, digits + i * NV, 1, 0);
        canvas_image(&c, x, 10 + CELL, ZOOM, SIDE, SIDE, shown + i * NV, 1, 0);
        canvas_image(&c, x, 10 + 2 * CELL, ZOOM, SIDE, SIDE, shown + (16 + i) * NV, 1, 0);
        canvas_image(&c, x, 16 + 3 * CELL, ZOOM, SIDE, SIDE, filter, -2.5, 2.5);
    }
    for (int k = 0; k < 2; ++k) {
        low = fmin(low, curve[k][0]);
    }
    for (int k = 0; k < 2; ++k) {
        canvas_plot(&c, 10, 4 * CELL + 26, WIDTH - 20, PLOT, 1 + ROUNDS, curve[k], low - 1,
                    curve[0][ROUNDS] + 1, k == 0 ? 0 : 0xe07000);
    }
    return canvas_save(&c, path);
}

int main(int argc, char **argv) {
    gm_context *context = NULL;
    tool batch = {0}, all = {0};
    double log_z = 0;
    int good = 0;
    TRY(gm_context_create(NULL, &context));
    if (load_digits(context) != EXIT_SUCCESS || start(context) != EXIT_SUCCESS) {
        return EXIT_FAILURE;
    }
    TRY(make_tool(context, BATCH, 0, &batch));
    TRY(make_tool(context, N, 1, &all));
    if (train(context, &batch, &all, &log_z) != EXIT_SUCCESS ||
        bracket(context, &batch, log_z, &good) != EXIT_SUCCESS ||
        believe(context, &batch) != EXIT_SUCCESS) {
        return EXIT_FAILURE;
    }
    for (int k = 0; k < 2; ++k) { /* a step may go back a little */
        for (int round = 1; round <= ROUNDS; ++round) {
            good = good && curve[k][round] > curve[k][round - 1] - (k == 0 ? 0.05 : 0.1);
        }
        good = good && curve[k][ROUNDS] > curve[k][0] + 5;
    }
    draw(argc > 1 ? argv[1] : "build/rbm_digits.png");
    for (int i = 0; i < TENSORS; ++i) {
        gm_memory_free(context, at[i].data);
    }
    gm_memory_free(context, batch.scratch);
    gm_memory_free(context, all.scratch);
    gm_rbm_plan_destroy(batch.plan);
    gm_rbm_plan_destroy(all.plan);
    gm_context_destroy(context);
    printf("%s\n", good ? "OK" : "FAILED: the likelihood does not rise, or the bracket is wrong");
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
