/*
 * Heat on a ring of 4096 sites, dx_j/dt = x_{j-1} - 2 x_j + x_{j+1}, in one step to t = 20: the
 * solution is the circular convolution of the start with exp(-2t) I_|d|(2t), I the modified Bessel
 * functions, and each wave of it decays by exp(-t (2 - 2 cos(2 pi k / n))). The sample goes both
 * ways, by that convolution and by a transform, and checks that they agree and conserve the heat.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <genmath/genmath.h>

#include "try.h"

enum { N = 4096, TERMS = 200 };

/* exp(-2t) I_d(2t) = exp(-2t) sum_m t^(2m + d) / (m! (m + d)!), each term by its logarithm. */
static double heat_kernel(int d, double t) {
    double sum = 0;
    for (int m = 0; m < TERMS; ++m) {
        sum += exp((2 * m + d) * log(t) - 2 * t - lgamma(m + 1) - lgamma(m + d + 1));
    }
    return sum;
}

static double start[N], kernel[N], by_kernel[N], by_waves[N], waves[N + 2];

int main(void) {
    const double t = 20, pi = acos(-1.0);
    gm_context *context = NULL;
    TRY(gm_context_create(&(gm_context_options){.backend = GM_BACKEND_CPU}, &context));
    for (int j = 0; j < N; ++j) {
        start[j] = j % 1000 == 7 ? 3 : j > 2000 && j < 2100 ? 1 : 0;
        const int d = j < N - j ? j : N - j;
        kernel[j] = d < TERMS ? heat_kernel(d, t) : 0; /* 10^-160 and less beyond */
    }

    /* The ring's kernel is the first column of a circulant matrix. */
    gm_structured_plan *apply;
    int64_t bytes;
    const gm_tensor x = gm_tensor_2d(start, GM_F64, 1, N), k = gm_tensor_2d(kernel, GM_F64, 1, N);
    const gm_tensor y = gm_tensor_2d(by_kernel, GM_F64, 1, N);
    TRY(gm_structured_plan_create(context, &(gm_structured_options){.n = N}, &apply));
    TRY(gm_structured_workspace_size(apply, &bytes));
    void *workspace = NULL;
    TRY(gm_memory_alloc(context, (size_t)bytes, &workspace));
    TRY(gm_structured_execute(apply, &(gm_structured_arrays){.kernel = &k, .x = &x, .y = &y},
                              workspace, bytes));
    TRY(gm_memory_free(context, workspace));
    gm_structured_plan_destroy(apply);

    /* Or: to waves, each times its decay, and back. */
    gm_fft_plan *forward, *inverse;
    gm_fft_options options = {.kind = GM_FFT_REAL_TO_COMPLEX, .length = {N}};
    TRY(gm_fft_plan_create(context, &options, &forward));
    options.kind = GM_FFT_COMPLEX_TO_REAL;
    TRY(gm_fft_plan_create(context, &options, &inverse));
    int64_t inverse_bytes;
    TRY(gm_fft_workspace_size(forward, &bytes));
    TRY(gm_fft_workspace_size(inverse, &inverse_bytes));
    bytes = bytes > inverse_bytes ? bytes : inverse_bytes;
    TRY(gm_memory_alloc(context, (size_t)bytes, &workspace));
    const gm_tensor spectrum = gm_tensor_2d(waves, GM_C128, 1, N / 2 + 1);
    const gm_tensor z = gm_tensor_2d(by_waves, GM_F64, 1, N);
    TRY(gm_fft_execute(forward, &x, workspace, bytes, &spectrum));
    for (int i = 0; i <= N / 2; ++i) {
        const double decay = exp(-t * (2 - 2 * cos(2 * pi * i / N)));
        waves[2 * i] *= decay;
        waves[2 * i + 1] *= decay;
    }
    TRY(gm_fft_execute(inverse, &spectrum, workspace, bytes, &z));
    TRY(gm_memory_free(context, workspace));
    gm_fft_plan_destroy(forward);
    gm_fft_plan_destroy(inverse);

    double largest = 0, heat = 0, heat_at_start = 0;
    for (int j = 0; j < N; ++j) {
        largest = fmax(largest, fabs(by_kernel[j] - by_waves[j]));
        heat += by_kernel[j];
        heat_at_start += start[j];
    }
    printf("heat on a ring of %d by %s: kernel and waves differ by %.2g, heat %.12f of %.0f\n", N,
           gm_last_kernel(context), largest, heat, heat_at_start);
    gm_context_destroy(context);
    return largest < 1e-13 && fabs(heat - heat_at_start) < 1e-9 ? EXIT_SUCCESS : EXIT_FAILURE;
}
