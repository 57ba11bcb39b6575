/*
 * Importance sampling, twice.
 *
 * A rare event: (x_1 + ... + x_8) / sqrt(8) > level for independent standard normals, of
 * probability Q(level). Crude sampling needs 100 / Q samples for a tenth of relative error; the
 * cross-entropy method finds a proposal that makes the event common, and weighs its samples. For
 * six levels the two are compared at the same number of samples.
 *
 * A posterior: y | theta ~ N(theta, 1), theta ~ N(0, 10), y = 3, by self-normalised weights of
 * samples from N(2, 2): N(30/11, 10/11), and the evidence N(3; 0, 11) by the way.
 *
 * The picture: on the left, log10 of the probability against the level, exact (black), by cross
 * entropy with 2 standard errors (blue), crude (red; none where no sample hit); on the right the
 * posterior (black), proposal (grey) and the histogram of 4000 samples drawn again by their
 * weights.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <genmath/genmath.h>
#include <genmath/philox.h>

#include "picture.h"
#include "try.h"

GM_DENSITY(
    posterior, 1, 1,
    {
        const real away = p[0] - y[0];
        logp[0] = (real)-0.5 * (away * away + y[0] * y[0] / 10);
    },
    { grad[0] = p[0] - y[0] - y[0] / 10; })

enum { DIM = 8, LEVELS = 6, SAMPLES = 2000, ESTIMATE = 20000, N = 20000, DRAWN = 4000, BINS = 60 };

static gm_status direction(void *user, int64_t n, const double *points, double *scores) {
    (void)user;
    for (int64_t i = 0; i < n; ++i) {
        scores[i] = 0;
        for (int c = 0; c < DIM; ++c) {
            scores[i] += points[c * n + i] / sqrt(DIM);
        }
    }
    return GM_STATUS_OK;
}

typedef struct estimate {
    double level, exact, found, error, crude;
} estimate;

/* The share of as many standard normal directions, as the search used in all, above the level. */
static double crude_share(double level, int64_t samples) {
    int64_t hits = 0;
    for (int64_t i = 0; i < samples; ++i) {
        double sum = 0;
        for (int c = 0; c < DIM; ++c) {
            sum += gm_normal_f64(9, (uint64_t)i, GM_STREAM_USER, (uint64_t)c) / sqrt(DIM);
        }
        hits += sum > level;
    }
    return (double)hits / (double)samples;
}

static int rare_events(gm_context *context, estimate *e) {
    double mean[DIM] = {0}, factor[DIM * DIM] = {0}, found_mean[DIM], found_factor[DIM * DIM];
    const gm_cross_entropy_score score = {.function = direction};
    for (int c = 0; c < DIM; ++c) {
        factor[c * DIM + c] = 1;
    }
    printf("level   exact     cross-entropy        crude     samples   variance reduced\n");
    for (int i = 0; i < LEVELS; ++i) {
        e[i].level = 2 + i * 0.8;
        const gm_cross_entropy_options options = {.goal = GM_CROSS_ENTROPY_RARE_EVENT,
                                                  .dim = DIM,
                                                  .iterations = 30,
                                                  .samples = SAMPLES,
                                                  .final_samples = ESTIMATE,
                                                  .elite = 0.1,
                                                  .smoothing = 1,
                                                  .floor = 1, /* tails as wide as the target's */
                                                  .level = e[i].level,
                                                  .seed = 2026};
        gm_cross_entropy_result result = {.mean = found_mean, .factor = found_factor};
        TRY(gm_cross_entropy(context, &options, &score, mean, factor, &result));
        const int64_t used = (int64_t)result.iterations * SAMPLES + ESTIMATE;
        e[i].exact = 0.5 * erfc(e[i].level / sqrt(2));
        e[i].found = result.probability;
        e[i].error = result.error;
        e[i].crude = crude_share(e[i].level, used);
        const double crude_error = sqrt(e[i].exact * (1 - e[i].exact) / (double)used);
        printf("%5.1f  %9.3g  %9.4g +- %-7.2g  %8.3g  %8lld  %.3g\n", e[i].level, e[i].exact,
               e[i].found, e[i].error, e[i].crude, (long long)used,
               pow(crude_error / e[i].error, 2));
        if (!(fabs(e[i].found - e[i].exact) < 5 * e[i].error && e[i].error < 0.05 * e[i].exact)) {
            printf("FAIL: not within 5 standard errors of the exact probability\n");
            return EXIT_FAILURE;
        }
    }
    return EXIT_SUCCESS;
}

/* Where the posterior's arrays are, in the context's memory. */
typedef struct buffers {
    double *mean, *scale, *datum, *points, *log_p, *log_q, *weights, *numbers;
    int32_t *indices;
} buffers;

/* Samples, estimates, and DRAWN samples drawn again; numbers: mean, its error, variance, log Z and
 * its error, ess. */
static int sample_posterior(gm_context *context, const buffers *b, void **room) {
    const gm_importance_options options = {GM_F64, 123, 0};
    const gm_tensor mean = gm_tensor_2d(b->mean, GM_F64, 1, 1);
    const gm_tensor scale = gm_tensor_2d(b->scale, GM_F64, 1, 1);
    const gm_tensor datum = gm_tensor_2d(b->datum, GM_F64, 1, 1);
    const gm_tensor points = gm_tensor_3d(b->points, GM_F64, 1, 1, N);
    const gm_tensor log_p = gm_tensor_2d(b->log_p, GM_F64, 1, N);
    const gm_tensor log_q = gm_tensor_2d(b->log_q, GM_F64, 1, N);
    const gm_tensor weights = gm_tensor_2d(b->weights, GM_F64, 1, N);
    const gm_tensor indices = gm_tensor_2d(b->indices, GM_I32, 1, DRAWN);
    gm_tensor number[6];
    for (int i = 0; i < 6; ++i) {
        number[i] = i < 3 ? gm_tensor_2d(b->numbers + i, GM_F64, 1, 1)
                          : gm_tensor_1d(b->numbers + i, GM_F64, 1);
    }
    gm_importance_plan *plan;
    TRY(gm_importance_plan_create(context, &posterior, 0, &options, &plan));
    TRY(gm_importance_draw(plan,
                           &(gm_importance_input){.mean = &mean, .scale = &scale, .params = &datum},
                           &(gm_importance_samples){&points, &log_p, &log_q}));
    gm_importance_plan_destroy(plan);
    const gm_importance_estimates wanted = {.weights = &weights,
                                            .mean = &number[0],
                                            .mean_error = &number[1],
                                            .variance = &number[2],
                                            .log_normalizer = &number[3],
                                            .log_normalizer_error = &number[4],
                                            .ess = &number[5]};
    const gm_resample_options again = {GM_RESAMPLE_SYSTEMATIC, 5, 0};
    gm_workspace one = {0}, two = {0};
    TRY(gm_importance_weigh(context, &log_p, &log_q, &points, &wanted, &one));
    TRY(gm_importance_resample(context, &again, &weights, &indices, NULL, &two));
    TRY(gm_memory_alloc(context, one.bytes > two.bytes ? one.bytes : two.bytes, room));
    one.data = two.data = *room;
    TRY(gm_importance_weigh(context, &log_p, &log_q, &points, &wanted, &one));
    TRY(gm_importance_resample(context, &again, &weights, &indices, NULL, &two));
    return EXIT_SUCCESS;
}

static double normal(double x, double mean, double variance) {
    return exp(-(x - mean) * (x - mean) / (2 * variance)) / sqrt(2 * M_PI * variance);
}

/* The posterior's estimates, checked; the histogram of the samples drawn again, as a density. */
static int posterior_of(gm_context *context, double low, double high, double *histogram) {
    static double points[N];
    static int32_t indices[DRAWN];
    const double settings[] = {2, sqrt(2), 3};
    double numbers[6];
    void *memory, *chosen, *room = NULL;
    TRY(gm_memory_alloc(context, (3 + 4 * N + 6) * sizeof(double), &memory));
    TRY(gm_memory_alloc(context, sizeof indices, &chosen));
    TRY(gm_memory_upload(context, memory, settings, sizeof settings));
    double *const at = memory;
    const buffers b = {at,         at + 1,         at + 2,         at + 3,
                       at + 3 + N, at + 3 + 2 * N, at + 3 + 3 * N, at + 3 + 4 * N,
                       chosen};
    const int made = sample_posterior(context, &b, &room);
    TRY(gm_memory_download(context, points, b.points, sizeof points));
    TRY(gm_memory_download(context, indices, b.indices, sizeof indices));
    TRY(gm_memory_download(context, numbers, b.numbers, sizeof numbers));
    TRY(gm_memory_free(context, memory));
    TRY(gm_memory_free(context, chosen));
    TRY(gm_memory_free(context, room));
    if (made != EXIT_SUCCESS) {
        return made;
    }
    for (int i = 0; i < DRAWN; ++i) {
        const int bin = (int)((points[indices[i]] - low) / (high - low) * BINS);
        if (bin >= 0 && bin < BINS) {
            histogram[bin] += BINS / (high - low) / DRAWN;
        }
    }
    const double evidence = numbers[3] - log(2 * M_PI * sqrt(10));
    printf("posterior: mean %.4f +- %.4f (2.7273), variance %.4f (0.9091), ess / n %.4f (0.7063)\n",
           numbers[0], numbers[1], numbers[2], numbers[5] / N);
    printf("log evidence %.5f +- %.5f (-2.52698)\n", evidence, numbers[4]);
    if (fabs(numbers[0] - 30.0 / 11) > 5 * numbers[1] || fabs(numbers[5] / N - 0.7063159) > 0.03 ||
        fabs(evidence - log(0.07990018757)) > 5 * numbers[4]) {
        printf("FAIL: not the exact posterior\n");
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

static void draw_levels(const canvas *c, const estimate *e) {
    double exact[LEVELS];
    for (int i = 0; i < LEVELS; ++i) {
        exact[i] = log10(e[i].exact);
    }
    canvas_plot(c, 20, 20, 340, 300, LEVELS, exact, -10, 0, 0x000000);
    for (int i = 0; i < LEVELS; ++i) {
        const double x = 20 + 340.0 * i / (LEVELS - 1);
        const double up = 20 - 30 * log10(e[i].found + 2 * e[i].error);
        const double down = 20 - 30 * log10(fmax(e[i].found - 2 * e[i].error, 1e-10));
        canvas_line(c, x, up - 3, x, down + 3, 0x2060d0);
        canvas_line(c, x - 5, up - 3, x + 5, up - 3, 0x2060d0);
        canvas_line(c, x - 5, down + 3, x + 5, down + 3, 0x2060d0);
        if (e[i].crude > 0) {
            const double y = 20 - 30 * log10(e[i].crude);
            canvas_line(c, x - 4, y - 4, x + 4, y + 4, 0xd03020);
            canvas_line(c, x - 4, y + 4, x + 4, y - 4, 0xd03020);
        }
    }
}

static void draw_posterior(const canvas *c, double low, double high, const double *histogram) {
    enum { POINTS = 170 };
    double p[POINTS], q[POINTS];
    for (int i = 0; i < POINTS; ++i) {
        const double x = low + (high - low) * i / (POINTS - 1);
        p[i] = normal(x, 30.0 / 11, 10.0 / 11);
        q[i] = normal(x, 2, 2);
    }
    for (int b = 0; b < BINS; ++b) {
        const double x = 400 + 340.0 * (b + 0.5) / BINS, height = 300 * histogram[b] / 0.5;
        for (int w = -2; w <= 1; ++w) {
            canvas_line(c, x + w, 320, x + w, 320 - height, 0x9ec0f0);
        }
    }
    canvas_plot(c, 400, 20, 340, 300, POINTS, q, 0, 0.5, 0x909090);
    canvas_plot(c, 400, 20, 340, 300, POINTS, p, 0, 0.5, 0x000000);
}

int main(int argc, char **argv) {
    gm_context *context = NULL;
    estimate estimates[LEVELS];
    double histogram[BINS] = {0};
    const double low = -1.5, high = 6.5;
    TRY(gm_context_create(NULL, &context));
    int result = rare_events(context, estimates);
    if (result == EXIT_SUCCESS) {
        result = posterior_of(context, low, high, histogram);
    }
    gm_context_destroy(context);
    if (result != EXIT_SUCCESS) {
        return result;
    }
    canvas c = canvas_make(760, 340);
    if (c.pixels == NULL) {
        printf("no memory for the picture\n");
        return EXIT_FAILURE;
    }
    draw_levels(&c, estimates);
    draw_posterior(&c, low, high, histogram);
    return canvas_save(&c, argc > 1 ? argv[1] : "build/rare_event.png") ? EXIT_SUCCESS
                                                                        : EXIT_FAILURE;
}
