/*
 * Ten thousand Lorenz systems at once, each with its own rho, written once in C and run on the GPU
 * or on the CPU's vectors. For rho between 2 and 12 every trajectory spirals into one of two fixed
 * points, (±s, ±s, rho - 1) with s = sqrt(beta (rho - 1)): the sample checks that each has arrived.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <genmath/genmath.h>

#include "try.h"

GM_SYSTEM(my_lorenz, 3 /* states */, 3 /* parameters */, {
    dydt[0] = p[0] * (y[1] - y[0]);
    dydt[1] = y[0] * (p[1] - y[2]) - y[1];
    dydt[2] = y[0] * y[1] - p[2] * y[2];
})

enum { N = 10000 };

static double state[3][N], params[3][N];
static int32_t accepted[N], statuses[N];

int main(void) {
    gm_context *context = NULL;
    gm_ode_plan *plan;
    void *y_memory, *p_memory, *accepted_memory, *status_memory;
    TRY(gm_context_create(NULL, &context)); /* the GPU if there is one, else the CPU */

    /* Structures of arrays, (component, trajectory): what neighbouring lanes or threads read lies
     * side by side. */
    for (int i = 0; i < N; ++i) {
        state[0][i] = i % 2 == 0 ? 1 : -1;
        state[1][i] = state[0][i];
        state[2][i] = 1;
        params[0][i] = 10;
        params[1][i] = 2 + 10.0 * i / (N - 1);
        params[2][i] = 8.0 / 3;
    }
    TRY(gm_memory_alloc(context, sizeof state, &y_memory));
    TRY(gm_memory_alloc(context, sizeof params, &p_memory));
    TRY(gm_memory_alloc(context, sizeof accepted, &accepted_memory));
    TRY(gm_memory_alloc(context, sizeof statuses, &status_memory));
    TRY(gm_memory_upload(context, y_memory, state, sizeof state));
    TRY(gm_memory_upload(context, p_memory, params, sizeof params));

    /* An adaptive method to t = 100; the end overwrites the start. */
    const gm_tensor y = gm_tensor_2d(y_memory, GM_F64, 3, N),
                    p = gm_tensor_2d(p_memory, GM_F64, 3, N);
    const gm_tensor steps = gm_tensor_1d(accepted_memory, GM_I32, N);
    const gm_tensor outcome = gm_tensor_1d(status_memory, GM_I32, N);
    const gm_ode_result result = {.end = &y, .accepted = &steps, .status = &outcome};
    TRY(gm_ode_plan_create(context, &my_lorenz, &(gm_ode_options){.t1 = 100, .rtol = 1e-7}, &plan));
    TRY(gm_ode_solve(plan, &y, &p, &result));
    TRY(gm_memory_download(context, state, y_memory, sizeof state));
    TRY(gm_memory_download(context, accepted, accepted_memory, sizeof accepted));
    TRY(gm_memory_download(context, statuses, status_memory, sizeof statuses));

    /* Attracted to the fixed points, the states keep no more error than the steps make: some
     * tolerances. */
    double largest = 0, total = 0;
    int failed = 0;
    for (int i = 0; i < N; ++i) {
        const double s = sqrt(params[2][i] * (params[1][i] - 1)), side = state[0][i] > 0 ? s : -s;
        const double distance =
            hypot(hypot(state[0][i] - side, state[1][i] - side), state[2][i] - params[1][i] + 1);
        largest = distance > largest || isnan(distance) ? distance : largest;
        total += accepted[i];
        failed += statuses[i] != GM_STATUS_OK;
    }
    printf("%d Lorenz systems to t = 100 on %s (%s): %.0f steps each, farthest from its fixed "
           "point %.2g\n",
           N, gm_context_backend_name(context), gm_last_kernel(context), total / N, largest);
    gm_ode_plan_destroy(plan);
    TRY(gm_memory_free(context, y_memory));
    TRY(gm_memory_free(context, p_memory));
    TRY(gm_memory_free(context, accepted_memory));
    TRY(gm_memory_free(context, status_memory));
    gm_context_destroy(context);
    return failed == 0 && largest < 1e-4 ? EXIT_SUCCESS : EXIT_FAILURE;
}
