/*
 * Is it an eight? Bayesian logistic regression on 1,797 handwritten digits of 8 x 8 pixels, half of
 * which it learns from: the probability of an eight is 1 / (1 + exp(-w . x)), x a constant and the
 * 20 directions in which the digits differ most, w ~ N(0, 1) a priori. 128 Hamiltonian chains, with
 * a step size and a scale for each weight from a warm-up, draw w from its posterior. R-hat and the
 * effective sample sizes say whether to believe the draws; the other half of the digits, whether to
 * believe the model: it must know most of them, and be right as often as it says.
 *
 * Picture, from the left: the mean of the posterior as what each pixel adds to w . x (grey: 0), its
 * standard deviation (black: 0), and the one over the other. Below, the eights that it takes for
 * one least, and what it takes for an eight most and is none.
 *
 * usage: 18_logistic_regression [PICTURE.png]
 */
#include <stdbool.h>

#include <genmath/genmath.h>

#include "picture.h"
#include "try.h"

enum { N = 1797, PIXELS = 64, SIDE = 8, USED = 20, DIM = 1 + USED, COLUMNS = DIM + 1 };
enum { TRAIN = (N + 1) / 2, CHAINS = 128, HEAD = 60, WARM = 90, DRAWS = 240, EIGHT = 8, BINS = 5 };

/* d: the inputs, and whether it is an eight. Three products at a time: see density.h. */
GM_DENSITY_DATA(
    eights, DIM, 0, COLUMNS,
    {
        logp[0] = 0;
        GM_UNROLL for (int c = 0; c < DIM; ++c) {
            logp[0] -= (real)0.5 * y[c] * y[c];
        }
    },
    {
        GM_UNROLL for (int c = 0; c < DIM; ++c) {
            grad[c] = -y[c];
        }
    },
    {
        real eta = 0;
        GM_UNROLL for (int c = 0; c < 7; ++c) {
            eta += d[c] * y[c] + d[7 + c] * y[7 + c] + d[14 + c] * y[14 + c];
        }
        const real size = eta < 0 ? -eta : eta; /* log(1 + exp(eta)) without overflow */
        logp[0] = d[21] * eta - (real)0.5 * (eta + size) - gm_log(1 + gm_exp(-size));
    },
    {
        real eta = 0;
        GM_UNROLL for (int c = 0; c < 7; ++c) {
            eta += d[c] * y[c] + d[7 + c] * y[7 + c] + d[14 + c] * y[14 + c];
        }
        const real rest = d[21] - 1 / (1 + gm_exp(-eta));
        GM_UNROLL for (int c = 0; c < 21; ++c) {
            grad[c] = rest * d[c];
        }
    })

static double digits[N * PIXELS], originals[N * PIXELS], mean[PIXELS], s[USED], vt[USED * PIXELS];
static double scores[N * USED], rows[N][COLUMNS], draws[DRAWS * DIM * CHAINS], believed[N];
static double by_weight[DIM * DRAWS * CHAINS];

/* The inputs of every digit, even ones first: those are learnt from. All on the host. */
static int load(gm_context *context) {
    gm_tensor images, labels;
    const gm_tensor x = gm_tensor_2d(digits, GM_F64, N, PIXELS);
    const gm_tensor average = gm_tensor_1d(mean, GM_F64, PIXELS);
    const gm_tensor v = gm_tensor_2d(vt, GM_F64, USED, PIXELS);
    const gm_tensor sigma = gm_tensor_1d(s, GM_F64, USED);
    const gm_tensor z = gm_tensor_2d(scores, GM_F64, N, USED);
    TRY(gm_npy_load(context, "samples/data/digits.npy", &images));
    TRY(gm_npy_load(context, "samples/data/labels.npy", &labels));
    TRY(gm_map(context, GM_MAP_COPY, 1, &images, 0, &x));
    memcpy(originals, digits, sizeof digits);
    TRY(gm_reduce(context, &(gm_reduce_options){.reduction = GM_REDUCE_MEAN, .axes = 1}, &x,
                  &average));
    TRY(gm_combine(context, GM_COMBINE_SUBTRACT, 1, &x, &average, 0, &x));
    gm_approximation_report report;
    gm_workspace workspace = {NULL, 0};
    TRY(gm_svd_truncated(context, NULL, &x, NULL, &sigma, &v, &report, &workspace));
    TRY(gm_memory_alloc(context, workspace.bytes, &workspace.data));
    TRY(gm_svd_truncated(context, NULL, &x, NULL, &sigma, &v, &report, &workspace));
    TRY(gm_memory_free(context, workspace.data));
    TRY(gm_contract(context, "ij,kj->ik", 2, (gm_tensor[]){x, v}, &z));
    for (int i = 0; i < N; ++i) {
        double *row = rows[i % 2 == 0 ? i / 2 : TRAIN + i / 2];
        row[0] = 1;
        for (int k = 0; k < USED; ++k) { /* of variance 1 */
            row[1 + k] = scores[i * USED + k] / s[k] * sqrt(N);
        }
        row[DIM] = ((const uint8_t *)labels.data)[i] == EIGHT;
    }
    gm_npy_free(&images);
    gm_npy_free(&labels);
    return EXIT_SUCCESS;
}

/* What the chains work on, in the backend's memory. */
typedef struct work {
    gm_tensor data, state, step, scale, found, draws;
} work;

/* `steps` more of all chains: adapting their step sizes to found, or keeping the states. */
static int advance(gm_context *context, const work *w, int64_t first, int64_t steps, bool adapts) {
    const gm_mcmc_options options = {.dtype = GM_F64,
                                     .method = GM_MCMC_HMC,
                                     .steps = steps,
                                     .thin = adapts ? 0 : 1,
                                     .leapfrogs = 14,
                                     .jitter = 1,
                                     .target = adapts ? 0.8 : 0,
                                     .seed = 18};
    const gm_mcmc_input input = {
        .state = &w->state, .step = &w->step, .scale = &w->scale, .data = &w->data};
    const gm_mcmc_result result = {
        .state = &w->state, .step = adapts ? &w->found : NULL, .draws = adapts ? NULL : &w->draws};
    gm_mcmc_plan *plan;
    TRY(gm_mcmc_plan_create(context, &eights, &options, &plan));
    TRY(gm_mcmc_run(plan, first, &input, &result));
    gm_mcmc_plan_destroy(plan);
    if (adapts) { /* the mean of the chains' own is more certain than each */
        double sizes[CHAINS], all = 0;
        TRY(gm_memory_download(context, sizes, w->found.data, sizeof sizes));
        for (int i = 0; i < CHAINS; ++i) {
            all += sizes[i] / CHAINS;
        }
        TRY(gm_memory_upload(context, w->step.data, &all, sizeof all));
    }
    return EXIT_SUCCESS;
}

static int sample(gm_context *context) {
    static double start[DIM * CHAINS];
    double first_step = 0.05, ones[DIM];
    void *memory[6];
    const size_t sizes[] = {TRAIN * sizeof rows[0], sizeof start, sizeof first_step, sizeof ones,
                            CHAINS * sizeof *start, sizeof draws};
    for (int i = 0; i < 6; ++i) {
        TRY(gm_memory_alloc(context, sizes[i], &memory[i]));
    }
    for (int i = 0; i < DIM * CHAINS; ++i) { /* apart, so that R-hat sees if they do not mix */
        start[i] = 2 * sin(1 + 1.7 * i);
    }
    for (int c = 0; c < DIM; ++c) {
        ones[c] = 1;
    }
    TRY(gm_memory_upload(context, memory[0], rows, sizes[0]));
    TRY(gm_memory_upload(context, memory[1], start, sizes[1]));
    TRY(gm_memory_upload(context, memory[2], &first_step, sizes[2]));
    TRY(gm_memory_upload(context, memory[3], ones, sizes[3]));
    const work w = {.data = gm_tensor_2d(memory[0], GM_F64, TRAIN, COLUMNS),
                    .state = gm_tensor_2d(memory[1], GM_F64, DIM, CHAINS),
                    .step = {memory[2], GM_F64, 1, {CHAINS}, {0}}, /* stride 0: one for all */
                    .scale = {memory[3], GM_F64, 2, {DIM, CHAINS}, {1, 0}},
                    .found = gm_tensor_1d(memory[4], GM_F64, CHAINS),
                    .draws = gm_tensor_3d(memory[5], GM_F64, DRAWS, DIM, CHAINS)};
    const gm_tensor last = gm_tensor_3d(memory[1], GM_F64, 1, DIM, CHAINS);
    const gm_tensor scale = gm_tensor_1d(memory[3], GM_F64, DIM);
    if (advance(context, &w, 0, HEAD, true) != EXIT_SUCCESS) {
        return EXIT_FAILURE;
    }
    TRY(gm_mcmc_mass(context, &last, &scale, NULL));
    first_step = 0.5; /* of a posterior of about unit size */
    TRY(gm_memory_upload(context, memory[2], &first_step, sizes[2]));
    if (advance(context, &w, HEAD, WARM, true) != EXIT_SUCCESS ||
        advance(context, &w, HEAD + WARM, DRAWS, false) != EXIT_SUCCESS) {
        return EXIT_FAILURE;
    }
    printf("%d chains on %s (%s)\n", CHAINS, gm_context_backend_name(context),
           gm_last_kernel(context));
    TRY(gm_memory_download(context, draws, memory[5], sizes[5]));
    for (int i = 0; i < 6; ++i) {
        TRY(gm_memory_free(context, memory[i]));
    }
    return EXIT_SUCCESS;
}

/* The worst R-hat and effective size of the weights. */
static int diagnose(gm_context *context, int *good) {
    static const gm_diagnostic wanted[] = {GM_DIAGNOSTIC_RHAT, GM_DIAGNOSTIC_ESS_BULK,
                                           GM_DIAGNOSTIC_ESS_TAIL};
    double found[3][DIM], worst[3] = {0, 1e300, 1e300};
    for (int i = 0; i < DRAWS * DIM * CHAINS; ++i) {
        const int m = i / (DIM * CHAINS), c = i / CHAINS % DIM;
        by_weight[(c * DRAWS + m) * CHAINS + i % CHAINS] = draws[i];
    }
    const gm_tensor weights = gm_tensor_3d(by_weight, GM_F64, DIM, DRAWS, CHAINS);
    for (int k = 0; k < 3; ++k) {
        const gm_diagnose_options options = {.diagnostic = wanted[k]};
        const gm_tensor out = gm_tensor_1d(found[k], GM_F64, DIM);
        gm_workspace workspace = {0};
        TRY(gm_diagnose(context, &options, &weights, &out, &workspace));
        TRY(gm_memory_alloc(context, workspace.bytes, &workspace.data));
        TRY(gm_diagnose(context, &options, &weights, &out, &workspace));
        TRY(gm_memory_free(context, workspace.data));
        for (int c = 0; c < DIM; ++c) {
            worst[k] = k == 0 ? fmax(worst[k], found[k][c]) : fmin(worst[k], found[k][c]);
        }
    }
    printf(
        "worst of %d weights: R-hat %.4f, effective draws %.0f in the bulk and %.0f in the tails "
        "of %d\n",
        DIM, worst[0], worst[1], worst[2], DRAWS * CHAINS);
    *good = worst[0] < 1.01 && worst[1] > 1000 && worst[2] > 1000;
    return EXIT_SUCCESS;
}

/* The mean over the draws of the probability of an eight, of each digit that was not learnt from.
 */
static void predict(void) {
    for (int i = TRAIN; i < N; ++i) {
        double sum = 0;
        for (int k = 0; k < DRAWS * CHAINS; k += 16) { /* every 16th chain: enough for a mean */
            double eta = 0;
            for (int c = 0; c < DIM; ++c) {
                eta += rows[i][c] * draws[(k / CHAINS * DIM + c) * CHAINS + k % CHAINS];
            }
            sum += 1 / (1 + exp(-eta));
        }
        believed[i] = sum / (DRAWS * CHAINS / 16);
    }
}

/* Are there as many eights as it says? In five classes of what it says, by how many standard
 * deviations they are off. */
static int judge(void) {
    static const double edge[BINS + 1] = {0, 0.02, 0.2, 0.6, 0.95, 1.0001};
    int right = 0, eights_there = 0, wrong = 0;
    double loss = 0;
    printf("%18s %8s %8s %8s\n", "said", "digits", "eights", "expected");
    for (int b = 0; b < BINS; ++b) {
        int count = 0, found = 0;
        double expected = 0, variance = 0;
        for (int i = TRAIN; i < N; ++i) {
            const double p = believed[i];
            if (p >= edge[b] && p < edge[b + 1]) {
                const int is_one = rows[i][DIM] > 0.5;
                ++count;
                found += is_one;
                expected += p;
                variance += p * (1 - p);
                right += is_one == (p > 0.5);
                loss -= log(is_one ? p : 1 - p) / (N - TRAIN);
            }
        }
        const double z = (found - expected) / sqrt(variance);
        printf("   %5.2f to %5.2f   %8d %8d %8.1f   %+.1f sigma\n", edge[b], fmin(edge[b + 1], 1),
               count, found, expected, z);
        eights_there += found;
        wrong += !(fabs(z) < 4);
    }
    const double share = (double)eights_there / (N - TRAIN);
    const double blind = -share * log(share) - (1 - share) * log(1 - share);
    const double accuracy = (double)right / (N - TRAIN);
    printf("%.1f %% of %d other digits are told right, %.1f %% by \"never an eight\"; %.3f nats a "
           "digit, %.3f by their share\n",
           100 * accuracy, N - TRAIN, 100 * (1 - share), loss, blind);
    return wrong == 0 && accuracy > 0.93 && loss < 0.6 * blind;
}

/* The digit of row i. */
static const double *image_of(int i) {
    return originals + (i < TRAIN ? 2 * i : 2 * (i - TRAIN) + 1) * PIXELS;
}

static int draw(const char *path) {
    enum { ZOOM = 16, BIG = SIDE * ZOOM + 12, SMALL = SIDE * 5 + 4, SHOWN = 9 };
    static double maps[3][PIXELS];
    canvas c = canvas_make(3 * BIG + 12, BIG + 2 * SMALL + 24);
    if (c.pixels == NULL) {
        return 0;
    }
    for (int i = 0; i < PIXELS; ++i) {
        double first = 0, second = 0;
        for (int k = 0; k < DRAWS * CHAINS; k += 16) {
            double weight = 0;
            for (int j = 0; j < USED; ++j) {
                weight += draws[(k / CHAINS * DIM + 1 + j) * CHAINS + k % CHAINS] *
                          vt[j * PIXELS + i] / s[j] * sqrt(N);
            }
            first += weight / (DRAWS * CHAINS / 16);
            second += weight * weight / (DRAWS * CHAINS / 16);
        }
        maps[0][i] = first;
        maps[1][i] = sqrt(fmax(second - first * first, 0));
        maps[2][i] = maps[1][i] > 1e-9 ? first / maps[1][i] : 0;
    }
    for (int m = 0; m < 3; ++m) {
        double most = 0;
        for (int i = 0; i < PIXELS; ++i) {
            most = fmax(most, fabs(maps[m][i]));
        }
        canvas_image(&c, 12 + m * BIG, 12, ZOOM, SIDE, SIDE, maps[m], m == 1 ? 0 : -most, most);
    }
    for (int row = 0; row < 2; ++row) { /* eights that look like none, then the reverse */
        double bound = 2;
        for (int k = 0; k < SHOWN; ++k) {
            int worst = -1;
            double most = -1;
            for (int i = TRAIN; i < N; ++i) {
                const double off = fabs(rows[i][DIM] - believed[i]);
                if ((rows[i][DIM] > 0.5) == (row == 0) && off > most && off < bound) {
                    most = off;
                    worst = i;
                }
            }
            bound = most;
            if (worst >= 0) {
                canvas_image(&c, 12 + k * SMALL, 16 + BIG + row * SMALL, 5, SIDE, SIDE,
                             image_of(worst), 16, 0);
            }
        }
    }
    return canvas_save(&c, path);
}

int main(int argc, char **argv) {
    const gm_context_options on_host = {.backend = GM_BACKEND_CPU};
    gm_context *context = NULL, *host = NULL;
    char message[256];
    double point[DIM];
    int good = 0;
    TRY(gm_context_create(&on_host, &host));
    if (load(host) != EXIT_SUCCESS) {
        return EXIT_FAILURE;
    }
    for (int c = 0; c < DIM; ++c) {
        point[c] = 0.3 * cos(c);
    }
    if (gm_density_check_data(&eights, point, NULL, 100, &rows[0][0], message) != GM_STATUS_OK) {
        printf("the density is wrong: %s\n", message);
        return EXIT_FAILURE;
    }
    TRY(gm_context_create(NULL, &context)); /* the GPU if there is one, else the CPU */
    if (sample(context) != EXIT_SUCCESS || diagnose(host, &good) != EXIT_SUCCESS) {
        return EXIT_FAILURE;
    }
    predict();
    good = judge() && good;
    good = draw(argc > 1 ? argv[1] : "build/logistic_regression.png") && good;
    gm_context_destroy(context);
    gm_context_destroy(host);
    printf("%s\n", good ? "OK" : "FAILED: the chains do not mix, or the model is not calibrated");
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
