/* What the tests of gm_conv_* share: problems, their operands, a run, and the sum written out. */
#ifndef GENMATH_TESTS_CONV_FIXTURE_H
#define GENMATH_TESTS_CONV_FIXTURE_H

#include "tests/contract.h"

#include <genmath/conv.h>

static const gm_conv_operation operations[] = {GM_CONV_FORWARD, GM_CONV_DATA, GM_CONV_WEIGHTS};

/* ---- problems
 * ------------------------------------------------------------------------------------ */

typedef struct problem {
    const char *name;
    int32_t dims;
    int64_t samples, channels, outputs; /* of all groups */
    int64_t x[3], taps[3];
    gm_conv_options options;
} problem;

static const problem problems[] = {
    {"plain", 1, 2, 3, 4, {9}, {3}, {.flip = 0}},
    {"one tap", 1, 1, 2, 5, {7}, {1}, {.flip = 0}},
    {"one position", 2, 3, 2, 2, {3, 4}, {3, 4}, {.flip = 0}},
    {"same", 2, 2, 3, 5, {6, 7}, {3, 3}, {.pad_before = {1, 1}, .pad_after = {1, 1}}},
    {"full", 1, 2, 2, 3, {6}, {4}, {.pad_before = {3}, .pad_after = {3}}},
    {"fuller", 1, 2, 2, 3, {4}, {3}, {.pad_before = {5}, .pad_after = {4}}},
    {"stride", 2, 2, 2, 3, {9, 8}, {3, 2}, {.stride = {2, 3}}},
    {"stride over taps", 1, 2, 2, 2, {11}, {2}, {.stride = {4}, .pad_before = {1}}},
    {"dilation", 2, 1, 3, 2, {9, 10}, {3, 3}, {.dilation = {2, 3}, .pad_after = {0, 2}}},
    {"groups", 2, 2, 6, 4, {5, 5}, {3, 3}, {.groups = 2, .pad_before = {1, 0}}},
    {"a group a channel", 1, 2, 4, 4, {8}, {3}, {.groups = 4, .pad_after = {2}}},
    {"all in 3",
     3,
     2,
     4,
     6,
     {5, 6, 4},
     {2, 3, 2},
     {.stride = {2, 1, 1},
      .dilation = {1, 2, 1},
      .groups = 2,
      .pad_before = {1, 2, 0},
      .pad_after = {0, 1, 1}}},
    {"all in 2, flipped",
     2,
     3,
     4,
     2,
     {8, 7},
     {3, 2},
     {.stride = {2, 2},
      .dilation = {2, 1},
      .groups = 2,
      .pad_before = {2, 1},
      .pad_after = {1, 1},
      .flip = 1}},
    {"unread end", 1, 2, 2, 2, {9}, {3}, {.stride = {3}, .pad_after = {5}}},
};

__attribute__((unused)) static int64_t at_least_1(int64_t value) {
    return value > 0 ? value : 1;
}

__attribute__((unused)) static int64_t output_size(const problem *p, int i) {
    const gm_conv_options *o = &p->options;
    const int64_t room = p->x[i] + o->pad_before[i] + o->pad_after[i] -
                         at_least_1(o->dilation[i]) * (p->taps[i] - 1) - 1;
    return room / at_least_1(o->stride[i]) + 1;
}

/* x, w and y of a problem. Their values depend on the seed alone; the result of `operation` is
 * poisoned, if that is one. */
typedef struct operands {
    block x, w, y;
} operands;

enum { NO_RESULT = -1 };

__attribute__((unused)) static operands make_operands(const problem *p, gm_dtype dtype, layout how,
                                                      filling with, int operation, uint64_t seed) {
    int64_t shapes[3][5] = {{p->samples, p->outputs},
                            {p->samples, p->channels},
                            {p->outputs, p->channels / at_least_1(p->options.groups)}};
    for (int i = 0; i < p->dims; ++i) {
        shapes[0][2 + i] = output_size(p, i);
        shapes[1][2 + i] = p->x[i];
        shapes[2][2 + i] = p->taps[i];
    }
    block made[3]; /* y, x, w: the results of operations 0, 1, 2 */
    for (int i = 0; i < 3; ++i) {
        uint64_t random = 3 * seed + (uint64_t)i;
        made[i] =
            make_block(dtype, 2 + p->dims, shapes[i], how, i == operation ? POISON : with, &random);
    }
    return (operands){.y = made[0], .x = made[1], .w = made[2]};
}

__attribute__((unused)) static void free_operands(operands *o) {
    free_block(&o->x);
    free_block(&o->w);
    free_block(&o->y);
}

__attribute__((unused)) static block *result_of(operands *o, gm_conv_operation operation) {
    return operation == GM_CONV_FORWARD ? &o->y : operation == GM_CONV_DATA ? &o->x : &o->w;
}

/* ---- runs
 * ---------------------------------------------------------------------------------------- */

__attribute__((unused)) static void run_conv(const target *t, const problem *p,
                                             gm_conv_operation operation,
                                             const gm_contract_scale *scale, operands *o) {
    gm_context *context = t->context;
    image x = upload(context, &o->x), w = upload(context, &o->w), y = upload(context, &o->y);
    gm_conv_plan *plan;
    if (gm_conv_plan_create(context, operation, &x.view, &w.view, &y.view, &p->options, &plan) !=
        GM_STATUS_OK) {
        fail_msg("%s, %s: %s", t->name, p->name, gm_last_error(context));
    }
    const size_t bytes = gm_conv_workspace(plan);
    void *workspace = NULL;
    ASSERT_OK(context, gm_memory_alloc(context, bytes, &workspace));
    unsigned char *noise = malloc(bytes + 1);
    memset(noise, 0xff, bytes + 1);
    ASSERT_OK(context, gm_memory_upload(context, workspace, noise, bytes));
    free(noise);
    if (gm_conv_execute(plan, scale, &x.view, &w.view, &y.view, workspace, bytes) != GM_STATUS_OK) {
        fail_msg("%s, %s: %s\n%s", t->name, p->name, gm_last_error(context), gm_conv_explain(plan));
    }
    ASSERT_OK(context, gm_context_synchronize(context));
    ASSERT_OK(context, gm_memory_free(context, workspace));
    gm_conv_plan_destroy(plan);
    image *images[] = {&y, &x, &w}; /* in the order of the operations' results */
    block *blocks[] = {&o->y, &o->x, &o->w};
    for (int i = 0; i < 3; ++i) {
        if (i == (int)operation) {
            take_output(context, images[i], blocks[i]);
        } else {
            drop(context, images[i], blocks[i], "an operand");
        }
    }
}

/* ---- the oracle
 * ---------------------------------------------------------------------------------- */

/* The element of a (samples, channels, sizes...) block, or its number. */
__attribute__((unused)) static int64_t number_of(const block *b, int64_t n, int64_t c,
                                                 const int64_t *at, int dims) {
    int64_t e = n * b->view.shape[1] + c;
    for (int i = 0; i < dims; ++i) {
        e = e * b->view.shape[2 + i] + at[i];
    }
    return e;
}

/* Advances a counter with the given sizes; false when it has run through. */
__attribute__((unused)) static bool next_index(int64_t *at, const int64_t *size, int dims) {
    for (int i = dims - 1; i >= 0; --i) {
        if (++at[i] < size[i]) {
            return true;
        }
        at[i] = 0;
    }
    return false;
}

/* The three maps are one sum over all (n, o, c, i, k) of y x w, with one of them left out. */
__attribute__((unused)) static double complex *convolve(const problem *p,
                                                        gm_conv_operation operation, operands *o) {
    const block *result = result_of(o, operation);
    double complex *sum = calloc((size_t)elements_of(&result->view) + 1, sizeof *sum);
    const gm_conv_options *q = &p->options;
    const int64_t groups = at_least_1(q->groups), inner = p->channels / groups;
    const int64_t outer = p->outputs / groups;
    int64_t sizes[3];
    bool any = p->samples * p->channels * p->outputs > 0;
    for (int i = 0; i < p->dims; ++i) {
        sizes[i] = output_size(p, i);
    }
    for (int64_t n = 0; any && n < p->samples; ++n) {
        for (int64_t m = 0; m < p->outputs; ++m) {
            for (int64_t c = 0; c < inner; ++c) {
                int64_t position[3] = {0};
                do {
                    int64_t tap[3] = {0};
                    do {
                        int64_t from[3] = {0}, weight[3] = {0};
                        bool inside = true;
                        for (int i = 0; i < p->dims; ++i) {
                            from[i] = position[i] * at_least_1(q->stride[i]) +
                                      tap[i] * at_least_1(q->dilation[i]) - q->pad_before[i];
                            inside = inside && from[i] >= 0 && from[i] < p->x[i];
                            weight[i] = q->flip ? p->taps[i] - 1 - tap[i] : tap[i];
                        }
                        if (inside) {
                            const int64_t x =
                                number_of(&o->x, n, m / outer * inner + c, from, p->dims);
                            const int64_t w = number_of(&o->w, m, c, weight, p->dims);
                            const int64_t y = number_of(&o->y, n, m, position, p->dims);
                            if (operation == GM_CONV_FORWARD) {
                                sum[y] += get_element(&o->x, x) * get_element(&o->w, w);
                            } else if (operation == GM_CONV_DATA) {
                                sum[x] += get_element(&o->y, y) * get_element(&o->w, w);
                            } else {
                                sum[w] += get_element(&o->x, x) * get_element(&o->y, y);
                            }
                        }
                    } while (next_index(tap, p->taps, p->dims));
                } while (next_index(position, sizes, p->dims));
            }
        }
    }
    return sum;
}

__attribute__((unused)) static void assert_sums(const target *t, const problem *p,
                                                gm_conv_operation operation, const block *result,
                                                const double complex *sum) {
    static const char *const names[] = {"forward", "data", "weights"};
    for (int64_t e = 0; e < elements_of(&result->view); ++e) {
        const double complex got = get_element(result, e);
        if (creal(got) != creal(sum[e]) || cimag(got) != cimag(sum[e])) {
            fail_msg("%s, %s, %s, %s: element %lld is %g, not %g", t->name, p->name,
                     names[operation], gm_dtype_name(result->view.dtype), (long long)e, creal(got),
                     creal(sum[e]));
        }
    }
}

/* ---- epilogues ------------------------------------------------------------------------------- */

static const gm_contract_scale epilogue_scale = {.alpha = 2, .beta = -1};
static const double epilogue_first = 3; /* what y holds before */

/* y = relu(alpha x * w + beta y + bias), a bias for each channel; returns what that is by the sum
 * written out, to be freed. */
__attribute__((unused)) static double complex *run_epilogue(const target *t, const problem *plain,
                                                            operands *o, block *bias) {
    problem p = *plain;
    *o = make_operands(&p, GM_F64, ROWS, UNITS, NO_RESULT, 21);
    double complex *sum = convolve(&p, GM_CONV_FORWARD, o);
    int64_t shape[5] = {1, p.outputs, 1, 1, 1};
    uint64_t random = 4;
    *bias = make_block(GM_F64, 2 + p.dims, shape, ROWS, INTEGERS, &random);
    image there = upload(t->context, bias);
    const gm_contract_epilogue epilogue = {.bias = &there.view, .activation = GM_ACTIVATION_RELU};
    p.options.epilogue = &epilogue;
    for (int64_t e = 0; e < elements_of(&o->y.view); ++e) {
        set_element(&o->y, e, epilogue_first);
    }
    run_conv(t, &p, GM_CONV_FORWARD, &epilogue_scale, o);
    drop(t->context, &there, bias, "the bias");
    const int64_t positions = elements_of(&o->y.view) / (p.samples * p.outputs);
    for (int64_t e = 0; e < elements_of(&o->y.view); ++e) {
        const double b = creal(get_element(bias, e / positions % p.outputs));
        sum[e] = fmax(
            epilogue_scale.alpha * creal(sum[e]) + epilogue_scale.beta * epilogue_first + b, 0);
    }
    return sum;
}

#endif
