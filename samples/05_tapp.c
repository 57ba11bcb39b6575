/*
 * The energy of a chain of spins by tensor contraction, in plain TAPP: nothing here is of genmath.
 *
 * The one-dimensional Ising model: n spins of +1 or -1 in a ring, neighbours that agree lower the
 * energy by J and weigh exp(J / T) more. The sum over all 2^n states is the trace of the n-th power
 * of the 2 by 2 transfer matrix M(s, s') = exp(J s s' / T) (Kramers and Wannier, 1941), and its
 * eigenvalues 2 cosh(J / T), 2 sinh(J / T) give it in closed form. Powers are taken by squaring,
 * for all temperatures at once: a batched index, a contracted one and two free ones; the trace is a
 * product with the repeated index of a diagonal.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tapp.h>

enum { TEMPERATURES = 6, SQUARINGS = 4 }; /* 2^4 spins */

static void check(TAPP_error error) {
    char text[300];
    if (!TAPP_check_success(error)) {
        TAPP_explain_error(error, sizeof text, text);
        printf("%s\n", text);
        exit(EXIT_FAILURE);
    }
}

int main(void) {
    static double m[TEMPERATURES][2][2], squared[TEMPERATURES][2][2], trace[TEMPERATURES];
    const double one = 1, zero = 0;
    /* The arrays are in host memory, so let the library compute there unless told otherwise. */
    setenv("GENMATH_BACKEND", "cpu", 0);

    TAPP_handle handle;
    TAPP_executor executor;
    check(TAPP_create_handle(0, &handle));
    check(TAPP_create_executor(&executor));

    TAPP_tensor_info matrices, numbers, scalar;
    const int64_t extents[] = {TEMPERATURES, 2, 2}, strides[] = {4, 2, 1};
    check(TAPP_create_tensor_info(&matrices, handle, TAPP_F64, 3, extents, strides));
    check(TAPP_create_tensor_info(&numbers, handle, TAPP_F64, 1, (int64_t[]){TEMPERATURES},
                                  (int64_t[]){1}));
    check(TAPP_create_tensor_info(&scalar, handle, TAPP_F64, 0, NULL, NULL));

    TAPP_tensor_product square, sum;
    const int64_t tij[] = {'t', 'i', 'j'}, tjk[] = {'t', 'j', 'k'}, tik[] = {'t', 'i', 'k'},
                  tii[] = {'t', 'i', 'i'}, t[] = {'t'};
    check(TAPP_create_tensor_product(&square, handle, TAPP_IDENTITY, matrices, tij, TAPP_IDENTITY,
                                     matrices, tjk, TAPP_IDENTITY, matrices, tik, TAPP_IDENTITY,
                                     matrices, tik, TAPP_DEFAULT_PREC));
    check(TAPP_create_tensor_product(&sum, handle, TAPP_IDENTITY, matrices, tii, TAPP_IDENTITY,
                                     scalar, NULL, TAPP_IDENTITY, numbers, t, TAPP_IDENTITY,
                                     numbers, t, TAPP_F64F64_ACCUM_F64));

    for (int i = 0; i < TEMPERATURES; ++i) {
        const double j_over_t = 0.25 * (i + 1);
        m[i][0][0] = m[i][1][1] = exp(j_over_t);
        m[i][0][1] = m[i][1][0] = exp(-j_over_t);
    }
    for (int i = 0; i < SQUARINGS; ++i) {
        check(TAPP_execute_product(square, executor, NULL, &one, m, m, &zero, NULL, squared));
        check(TAPP_executor_wait(executor));
        memcpy(m, squared, sizeof m);
    }
    TAPP_status status;
    TAPP_completion completion;
    check(TAPP_execute_product(sum, executor, &status, &one, m, &one, &zero, NULL, trace));
    check(TAPP_status_check_completion(status, &completion, NULL));
    check(TAPP_destroy_status(status));

    int wrong = completion != TAPP_COMPLETE;
    for (int i = 0; i < TEMPERATURES; ++i) {
        const double j_over_t = 0.25 * (i + 1);
        const double spins = 1 << SQUARINGS;
        const double exact = pow(2 * cosh(j_over_t), spins) + pow(2 * sinh(j_over_t), spins);
        const int bad = !(fabs(trace[i] - exact) <= 1e-12 * exact);
        printf("J/T %.2f  sum over 65536 states %.12e  exact %.12e  %s\n", j_over_t, trace[i],
               exact, bad ? "WRONG" : "ok");
        wrong += bad;
    }
    check(TAPP_destroy_tensor_product(square));
    check(TAPP_destroy_tensor_product(sum));
    check(TAPP_destroy_tensor_info(matrices));
    check(TAPP_destroy_tensor_info(numbers));
    check(TAPP_destroy_tensor_info(scalar));
    check(TAPP_destroy_executor(executor));
    check(TAPP_destroy_handle(handle));
    return wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
