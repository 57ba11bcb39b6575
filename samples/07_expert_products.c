/*
 * A mixture of experts: 1000 tokens of 32 numbers, each sent to one of 12 experts, a net of its own
 * of 32 -> 64 -> 32 with a SiLU between. The experts get uneven numbers of tokens, one of them
 * none; a layer is one group of products, y_e = silu(x_e W_e + b_e), in one launch. The sample
 * checks every token against the nets worked out one number at a time.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <genmath/genmath.h>

#include "try.h"

enum { TOKENS = 1000, EXPERTS = 12, WIDTH = 32, HIDDEN = 64 };

/* Tokens sorted by expert: those of expert e are rows first[e] .. first[e + 1] - 1. */
static double x[TOKENS][WIDTH], hidden[TOKENS][HIDDEN], y[TOKENS][WIDTH];
static double w1[EXPERTS][WIDTH][HIDDEN], b1[EXPERTS][HIDDEN], w2[EXPERTS][HIDDEN][WIDTH];
static int first[EXPERTS + 1];

static gm_contract_group_plan *plans[2];
static void *workspaces[2];

/* A layer as a group: its shapes change with the tokens, so it is planned where those are known. */
static gm_status plan_layer(gm_context *context, int layer, const double *from, const double *w,
                            const double *bias, double *to, int in, int out) {
    gm_tensor inputs[2 * EXPERTS], outputs[EXPERTS], biases[EXPERTS];
    const void *input_data[2 * EXPERTS], *bias_data[EXPERTS];
    void *output_data[EXPERTS];
    for (int e = 0; e < EXPERTS; ++e) {
        const int tokens = first[e + 1] - first[e];
        inputs[2 * e] = gm_tensor_2d(NULL, GM_F64, tokens, in);
        inputs[2 * e + 1] = gm_tensor_2d(NULL, GM_F64, in, out);
        outputs[e] = gm_tensor_2d(NULL, GM_F64, tokens, out);
        biases[e] = gm_tensor_2d(NULL, GM_F64, 1, out);
        input_data[2 * e] = from + first[e] * in;
        input_data[2 * e + 1] = w + e * in * out;
        output_data[e] = to + first[e] * out;
        bias_data[e] = bias != NULL ? bias + e * out : NULL;
    }
    const gm_contract_group group = {.operands = 2,
                                     .problems = EXPERTS,
                                     .layouts = EXPERTS,
                                     .inputs = inputs,
                                     .outputs = outputs,
                                     .biases = bias != NULL ? biases : NULL};
    const gm_contract_group_options options = {.activation = bias != NULL ? GM_ACTIVATION_SILU
                                                                          : GM_ACTIVATION_NONE};
    gm_status status =
        gm_contract_group_plan_create(context, "tk,kn->tn", &group, &options, &plans[layer]);
    if (status != GM_STATUS_OK) {
        return status;
    }
    const size_t bytes = gm_contract_group_workspace(plans[layer]);
    status = gm_memory_alloc(context, bytes, &workspaces[layer]);
    const gm_contract_group_arrays arrays = {
        .inputs = input_data, .outputs = output_data, .biases = bias_data};
    return status == GM_STATUS_OK
               ? gm_contract_group_bind(plans[layer], &arrays, workspaces[layer], bytes)
               : status;
}

/* The largest difference from expert e's net, worked out for one token. */
static double check(int e, int token) {
    double h[HIDDEN], largest = 0;
    for (int j = 0; j < HIDDEN; ++j) {
        double sum = b1[e][j];
        for (int k = 0; k < WIDTH; ++k) {
            sum += x[token][k] * w1[e][k][j];
        }
        h[j] = sum / (1 + exp(-sum));
    }
    for (int i = 0; i < WIDTH; ++i) {
        double sum = 0;
        for (int j = 0; j < HIDDEN; ++j) {
            sum += h[j] * w2[e][j][i];
        }
        largest = fmax(largest, fabs(sum - y[token][i]));
    }
    return largest;
}

int main(void) {
    gm_context *context = NULL;
    TRY(gm_context_create(&(gm_context_options){.backend = GM_BACKEND_CPU}, &context));
    const gm_tensor fill[] = {gm_tensor_2d(x, GM_F64, TOKENS, WIDTH),
                              gm_tensor_2d(w1, GM_F64, EXPERTS * WIDTH, HIDDEN),
                              gm_tensor_2d(b1, GM_F64, EXPERTS, HIDDEN),
                              gm_tensor_2d(w2, GM_F64, EXPERTS * HIDDEN, WIDTH)};
    for (int i = 0; i < 4; ++i) {
        const gm_random_stream stream = {.seed = (uint64_t)i + 1};
        TRY(gm_random_fill_normal(context, &stream, 0, 0.5, &fill[i]));
    }
    for (int e = 0; e < EXPERTS; ++e) { /* where a router sent the tokens */
        static const int tokens[EXPERTS] = {7, 130, 64, 1, 0, 33, 300, 12, 95, 200, 31, 127};
        first[e + 1] = first[e] + tokens[e];
    }
    TRY(plan_layer(context, 0, &x[0][0], &w1[0][0][0], &b1[0][0], &hidden[0][0], WIDTH, HIDDEN));
    TRY(plan_layer(context, 1, &hidden[0][0], &w2[0][0][0], NULL, &y[0][0], HIDDEN, WIDTH));
    TRY(gm_contract_group_execute(plans[0]));
    TRY(gm_contract_group_execute(plans[1]));

    double largest = 0;
    for (int e = 0; e < EXPERTS; ++e) {
        for (int token = first[e]; token < first[e + 1]; ++token) {
            largest = fmax(largest, check(e, token));
        }
    }
    printf("%s%d tokens through %d experts by %s: off by %.2g at most\n",
           gm_contract_group_explain(plans[0]), first[EXPERTS], EXPERTS, gm_last_kernel(context),
           largest);
    for (int layer = 0; layer < 2; ++layer) {
        gm_contract_group_plan_destroy(plans[layer]);
        TRY(gm_memory_free(context, workspaces[layer]));
    }
    gm_context_destroy(context);
    return first[EXPERTS] == TOKENS && largest < 1e-10 ? EXIT_SUCCESS : EXIT_FAILURE;
}
