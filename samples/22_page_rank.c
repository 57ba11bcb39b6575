/*
 * Which handwritten digits are typical, and which digit is one that nobody has named? A surfer on
 * 500 images goes from each to one of the 8 that look most like it, and in 15 % of the steps to
 * any: PageRank. Where he is most often are images that many others look like. If he starts again
 * only at the three named images of one class, his law tells how near the others are to that class
 * along the links, and each unnamed image goes to the class whose surfer is there most.
 *
 * The sample checks that elimination and powers give the same law, that no eigenvalue but the first
 * is larger than the damping (Haveliwala and Kamvar, The Second Eigenvalue of the Google Matrix,
 * 2003), which bounds the steps that the powers take, and that the surfers name more images right
 * than the nearest named image does.
 *
 * Picture: the most and the least typical images; below, for each digit, its three named images and
 * the unnamed ones that its surfer visits most.
 *
 * usage: 22_page_rank [PICTURE.png]
 */
#include <math.h>
#include <stdbool.h>

#include <genmath/genmath.h>

#include "picture.h"
#include "try.h"

enum { N = 500, SIDE = 8, PIXELS = SIDE * SIDE, LINKS = 8, CLASSES = 10, NAMED = 3 };
#define DAMPING 0.85
#define TOLERANCE 1e-12

static double image[N][PIXELS], link[N][N], chain[N][N], law[N], found[N], by_class[CLASSES][N];
static double start[N], eigenvalue[2 * N];
static uint8_t label[N];
static bool is_named[N];
static int named[CLASSES][NAMED];

static gm_status load(gm_context *context) {
    gm_tensor images, labels;
    PASS(gm_npy_load(context, "samples/data/digits.npy", &images));
    const gm_tensor first = gm_tensor_2d(images.data, images.dtype, N, PIXELS);
    const gm_tensor all = gm_tensor_2d(image, GM_F64, N, PIXELS);
    PASS(gm_map(context, GM_MAP_COPY, 1, &first, 0, &all));
    gm_npy_free(&images);
    PASS(gm_npy_load(context, "samples/data/labels.npy", &labels));
    memcpy(label, labels.data, sizeof label);
    gm_npy_free(&labels);
    int count[CLASSES] = {0};
    for (int i = 0; i < N; ++i) {
        if (count[label[i]] < NAMED) {
            named[label[i]][count[label[i]]++] = i;
            is_named[i] = true;
        }
    }
    return GM_STATUS_OK;
}

static double distance(int i, int j) {
    double sum = 0;
    for (int k = 0; k < PIXELS; ++k) {
        sum += (image[i][k] - image[j][k]) * (image[i][k] - image[j][k]);
    }
    return sum;
}

/* To the nearest others. */
static void set_links(void) {
    for (int i = 0; i < N; ++i) {
        for (int k = 0; k < LINKS; ++k) {
            int nearest = -1;
            double least = INFINITY;
            for (int j = 0; j < N; ++j) {
                const double d = j != i && link[i][j] == 0 ? distance(i, j) : INFINITY;
                nearest = d < least ? j : nearest;
                least = fmin(least, d);
            }
            link[i][nearest] = 1;
        }
    }
}

/* The surfer's chain, who starts again at any image or at those of a class. */
static gm_status set_chain(gm_context *context, int class) {
    const gm_tensor links = gm_tensor_2d(link, GM_F64, N, N), p = gm_tensor_2d(chain, GM_F64, N, N);
    const gm_tensor teleport = gm_tensor_1d(start, GM_F64, N);
    for (int i = 0; i < N; ++i) {
        start[i] = class < 0 ? 1.0 / N : 0;
    }
    for (int k = 0; k < NAMED && class >= 0; ++k) {
        start[named[class][k]] = 1.0 / NAMED;
    }
    return gm_markov_pagerank(context, &links, DAMPING, &teleport, &p);
}

/* The law by powers of the chain, from where the surfer starts. */
static gm_status surf(gm_context *context, double *to, int64_t *steps) {
    const gm_tensor p = gm_tensor_2d(chain, GM_F64, N, N), from = gm_tensor_1d(start, GM_F64, N);
    const gm_tensor end = gm_tensor_1d(to, GM_F64, N);
    gm_workspace workspace = {0};
    PASS(gm_markov_power(context, &p, &from, TOLERANCE, 1000, &end, steps, &workspace));
    PASS(gm_memory_alloc(context, workspace.bytes, &workspace.data));
    PASS(gm_markov_power(context, &p, &from, TOLERANCE, 1000, &end, steps, &workspace));
    return gm_memory_free(context, workspace.data);
}

/* The law by elimination, and the spectral gap. */
static gm_status eliminate(gm_context *context, gm_markov_report *report, double *gap) {
    const gm_tensor p = gm_tensor_2d(chain, GM_F64, N, N), exact = gm_tensor_1d(law, GM_F64, N);
    const gm_tensor values = gm_tensor_1d(eigenvalue, GM_C128, N);
    gm_workspace w = {0}, v = {0};
    PASS(gm_markov_stationary(context, &p, &exact, report, &w));
    PASS(gm_memory_alloc(context, w.bytes, &w.data));
    PASS(gm_markov_stationary(context, &p, &exact, report, &w));
    PASS(gm_markov_spectrum(context, &p, &values, gap, &v));
    PASS(gm_memory_alloc(context, v.bytes, &v.data));
    PASS(gm_markov_spectrum(context, &p, &values, gap, &v));
    PASS(gm_memory_free(context, w.data));
    return gm_memory_free(context, v.data);
}

/* The place of the rank-th largest value, of images that have no name if so wanted. */
static int place_of(const double *values, int rank, bool unnamed) {
    for (int i = 0; i < N; ++i) {
        int larger = 0;
        for (int j = 0; j < N; ++j) {
            const bool counts = !unnamed || !is_named[j];
            larger += counts && (values[j] > values[i] || (values[j] == values[i] && j < i));
        }
        if (larger == rank && !(unnamed && is_named[i])) {
            return i;
        }
    }
    return 0;
}

static int nearest_class(int i) {
    int best = 0;
    double least = INFINITY;
    for (int k = 0; k < CLASSES * NAMED; ++k) {
        const double d = distance(i, named[k / NAMED][k % NAMED]);
        best = d < least ? k / NAMED : best;
        least = fmin(least, d);
    }
    return best;
}

static int surfed_class(int i) {
    int best = 0;
    for (int class = 1; class < CLASSES; ++class) {
        best = by_class[class][i] > by_class[best][i] ? class : best;
    }
    return best;
}

static void draw(const char *path) {
    enum { ZOOM = 4, CELL = SIDE * ZOOM + 4, ACROSS = 12 };
    canvas c = canvas_make(ACROSS * CELL + 24, (2 + CLASSES) * CELL + 36);
    for (int k = 0; k < ACROSS && c.pixels != NULL; ++k) {
        for (int row = 0; row < 2; ++row) {
            const int i = place_of(law, row == 0 ? k : N - 1 - k, false);
            canvas_image(&c, 12 + k * CELL, 12 + row * CELL, ZOOM, SIDE, SIDE, image[i], 16, 0);
        }
        for (int class = 0; class < CLASSES; ++class) {
            const int i = k < NAMED ? named[class][k] : place_of(by_class[class], k - NAMED, true);
            canvas_image(&c, 12 + k * CELL + (k < NAMED ? 0 : 8), 24 + (2 + class) * CELL, ZOOM,
                         SIDE, SIDE, image[i], 16, 0);
        }
    }
    canvas_save(&c, path);
}

int main(int argc, char **argv) {
    gm_context *context;
    const gm_context_options options = {.backend = GM_BACKEND_CPU};
    if (gm_context_create(&options, &context) != GM_STATUS_OK) {
        printf("%s\n", gm_last_error(NULL));
        return EXIT_FAILURE;
    }
    TRY(load(context));
    set_links();
    gm_markov_report report;
    double gap, apart = 0;
    int64_t steps;
    TRY(set_chain(context, -1));
    TRY(eliminate(context, &report, &gap));
    TRY(surf(context, found, &steps));
    for (int i = 0; i < N; ++i) {
        apart = fmax(apart, fabs(found[i] - law[i]));
    }
    /* A step changes the law by at most 2 at first, and by DAMPING of the last change after that.
     */
    const int64_t most = (int64_t)ceil(log(TOLERANCE / 2) / log(DAMPING));
    printf("%d images, %d links each: the second eigenvalue is %.4f in size, of %.2f allowed\n", N,
           LINKS, 1 - gap, DAMPING);
    printf("law by elimination, and by %lld steps (%lld at most): they differ by %.1e\n",
           (long long)steps, (long long)most, apart);
    const double top = law[place_of(law, 0, false)] * N, low = law[place_of(law, N - 1, false)] * N;
    printf("the most typical image is visited %.2f times as often as the mean, the least %.2f\n",
           top, low);
    for (int class = 0; class < CLASSES; ++class) {
        TRY(set_chain(context, class));
        TRY(surf(context, by_class[class], &steps));
    }
    int surfed = 0, nearest = 0, unnamed = N - CLASSES * NAMED;
    for (int i = 0; i < N; ++i) {
        surfed += !is_named[i] && surfed_class(i) == label[i];
        nearest += !is_named[i] && nearest_class(i) == label[i];
    }
    printf("of %d unnamed images %.1f %% are named right by the surfers of the classes, %.1f %% by "
           "the nearest of the %d named\n",
           unnamed, 100.0 * surfed / unnamed, 100.0 * nearest / unnamed, CLASSES * NAMED);
    draw(argc > 1 ? argv[1] : "build/page_rank.png");
    const bool ok = report.classes == 1 && report.period == 1 && gap >= 1 - DAMPING - 1e-12 &&
                    apart < TOLERANCE / (1 - DAMPING) && steps <= most && surfed > nearest;
    printf("%s\n", ok ? "OK" : "FAILED");
    gm_context_destroy(context);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
