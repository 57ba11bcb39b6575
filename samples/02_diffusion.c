/*
 * Draws from a mixture of three Gaussians in the plane by running a diffusion backwards, and checks
 * the samples' mean and covariance against the mixture's own.
 *
 * The score, the only thing a diffusion model has to know, is exact here: nothing is trained. The
 * same calls draw images if the means are a data set: see `genmath sample`.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <genmath/diffusion.h>

#include "try.h"

enum { SAMPLES = 20000, COMPONENTS = 3 };

static const float means[COMPONENTS][2] = {{-1.0f, 0.0f}, {1.0f, 0.5f}, {0.0f, -1.0f}};
static const float weights[COMPONENTS] = {0.5f, 0.3f, 0.2f};
static const float deviations[COMPONENTS] = {0.3f, 0.2f, 0.4f};
static float samples[SAMPLES][2];

/* Mean and covariance (xx, xy, yy): of the mixture E[s^2] I + Cov[m], and of the samples. */
static void mixture_moments(double moments[5]) {
    for (int i = 0; i < 5; ++i) {
        moments[i] = 0.0;
    }
    for (int k = 0; k < COMPONENTS; ++k) {
        moments[0] += (double)(weights[k] * means[k][0]);
        moments[1] += (double)(weights[k] * means[k][1]);
    }
    for (int k = 0; k < COMPONENTS; ++k) {
        const double w = (double)weights[k], variance = (double)(deviations[k] * deviations[k]);
        const double x = (double)means[k][0] - moments[0], y = (double)means[k][1] - moments[1];
        moments[2] += w * (variance + x * x);
        moments[3] += w * x * y;
        moments[4] += w * (variance + y * y);
    }
}

static void sample_moments(double moments[5]) {
    for (int i = 0; i < 5; ++i) {
        moments[i] = 0.0;
    }
    for (int i = 0; i < SAMPLES; ++i) {
        moments[0] += (double)samples[i][0] / SAMPLES;
        moments[1] += (double)samples[i][1] / SAMPLES;
    }
    for (int i = 0; i < SAMPLES; ++i) {
        const double x = (double)samples[i][0] - moments[0], y = (double)samples[i][1] - moments[1];
        moments[2] += x * x / SAMPLES;
        moments[3] += x * y / SAMPLES;
        moments[4] += y * y / SAMPLES;
    }
}

int main(void) {
    gm_context *context = NULL;
    gm_diffusion_plan *plan;
    void *model_memory, *sample_memory, *workspace;
    int64_t workspace_bytes;
    TRY(gm_context_create(NULL, &context)); /* the GPU if there is one, else the CPU */

    /* The model: means, then weights, then deviations, in memory that the backend reads. */
    TRY(gm_memory_alloc(context, sizeof means + sizeof weights + sizeof deviations, &model_memory));
    float *m = model_memory, *w = m + 2 * COMPONENTS, *s = w + COMPONENTS;
    TRY(gm_memory_upload(context, m, means, sizeof means));
    TRY(gm_memory_upload(context, w, weights, sizeof weights));
    TRY(gm_memory_upload(context, s, deviations, sizeof deviations));
    const gm_tensor mean_view = gm_tensor_2d(m, GM_F32, COMPONENTS, 2);
    const gm_tensor weight_view = gm_tensor_1d(w, GM_F32, COMPONENTS);
    const gm_tensor deviation_view = gm_tensor_1d(s, GM_F32, COMPONENTS);
    const gm_diffusion_model model = {
        .means = &mean_view, .weights = &weight_view, .deviations = &deviation_view};

    /* The plan: 500 steps of the reverse SDE from t = 1 to 0.001. */
    const gm_diffusion_options options = {.steps = 500};
    TRY(gm_diffusion_plan_create(context, &options, &plan));
    TRY(gm_diffusion_workspace_size(plan, GM_F32, SAMPLES, 2, &workspace_bytes));
    TRY(gm_memory_alloc(context, (size_t)workspace_bytes, &workspace));
    TRY(gm_memory_alloc(context, sizeof samples, &sample_memory));
    const gm_tensor sample_view = gm_tensor_2d(sample_memory, GM_F32, SAMPLES, 2);
    const gm_diffusion_noise noise = {.seed = 2024};
    TRY(gm_diffusion_sample(plan, &model, &noise, NULL, workspace, workspace_bytes, &sample_view,
                            NULL));
    TRY(gm_memory_download(context, samples, sample_memory, sizeof samples));

    /* Five standard errors, and 0.02 for what 500 steps leave: Euler–Maruyama has weak order 1. */
    static const char *const names[] = {"mean x", "mean y", "var x", "cov xy", "var y"};
    double exact[5], sampled[5];
    int wrong = 0;
    mixture_moments(exact);
    sample_moments(sampled);
    printf("%d samples on %s (%s)\n", SAMPLES, gm_context_backend_name(context),
           gm_last_kernel(context));
    for (int i = 0; i < 5; ++i) {
        const double allowed = 5.0 * sqrt(2.0 / SAMPLES) + 0.02;
        const int off = !(fabs(sampled[i] - exact[i]) < allowed);
        printf("%-6s  exact %8.4f  sampled %8.4f  %s\n", names[i], exact[i], sampled[i],
               off ? "WRONG" : "ok");
        wrong += off;
    }
    TRY(gm_memory_free(context, workspace));
    TRY(gm_memory_free(context, sample_memory));
    TRY(gm_memory_free(context, model_memory));
    gm_diffusion_plan_destroy(plan);
    gm_context_destroy(context);
    return wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
