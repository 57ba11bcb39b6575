/*
 * Contractions in floating point: errors within one bound for all sizes, compensated sums, what
 * happens after the sum, and the same bits for any number of threads and any batch.
 */
#include "tests/contract.h"

#include <float.h>

#include <genmath/random.h>

#include "host/ref/half.h"

/* ---- errors ---------------------------------------------------------------------------------- */

typedef struct sized {
    const char *expression;
    int32_t count, ndims[3];
    int64_t shapes[8];
} sized;

/* Sizes about the tiles of kernels, and awkward ones. */
static const sized sizes[] = {
    {"ij,jk->ik", 2, {2, 2}, {1, 1, 1, 1}},
    {"ij,jk->ik", 2, {2, 2}, {3, 4097, 4097, 2}},
    {"ij,jk->ik", 2, {2, 2}, {15, 16, 16, 17}},
    {"ij,jk->ik", 2, {2, 2}, {33, 31, 31, 65}},
    {"ij,jk->ik", 2, {2, 2}, {64, 64, 64, 64}},
    {"ij,jk->ik", 2, {2, 2}, {67, 129, 129, 35}},
    {"ij,kj->ki", 2, {2, 2}, {67, 129, 35, 129}},
    {"ji,jk->ik", 2, {2, 2}, {70, 33, 70, 66}},
    {"bij,bjk->bik", 2, {3, 3}, {17, 7, 9, 17, 9, 5}},
    {"bij,bjk->bik", 2, {3, 3}, {3, 32, 32, 3, 32, 32}},
    {"ib,jb->ijb", 2, {2, 2}, {5, 67, 6, 67}},
    {"i,i->", 2, {1, 1}, {10007, 10007}},
    {"ij->i", 1, {2}, {13, 1031}},
    {"ij->j", 1, {2}, {1031, 13}},
    {"ij,j->i", 2, {2, 1}, {131, 257, 257}},
    {"i,j->ij", 2, {1, 1}, {65, 33}},
    {"abc,cdb->ad", 2, {3, 3}, {9, 10, 11, 11, 12, 10}},
    {"ij,jk,kl->il", 3, {2, 2, 2}, {9, 40, 40, 41, 41, 8}},
};

typedef struct kind {
    gm_dtype input, output;
    gm_contract_math math;
    double relative; /* error of each product beside the sum's, of the magnitude */
} kind;

static const kind kinds[] = {
    {GM_F64, GM_F64, GM_CONTRACT_STANDARD, 0},     {GM_F32, GM_F32, GM_CONTRACT_STANDARD, 0},
    {GM_F16, GM_F16, GM_CONTRACT_STANDARD, 0},     {GM_F16, GM_F32, GM_CONTRACT_STANDARD, 0},
    {GM_BF16, GM_BF16, GM_CONTRACT_STANDARD, 0},   {GM_BF16, GM_F32, GM_CONTRACT_STANDARD, 0},
    {GM_F16, GM_BF16, GM_CONTRACT_STANDARD, 0},    {GM_C64, GM_C64, GM_CONTRACT_STANDARD, 0},
    {GM_C128, GM_C128, GM_CONTRACT_STANDARD, 0},   {GM_F32, GM_F32, GM_CONTRACT_TF32, 0x1p-9},
    {GM_F32, GM_F32, GM_CONTRACT_TF32X3, 0x1p-19}, {GM_F32, GM_F32, GM_CONTRACT_COMPENSATED, 0},
    {GM_F64, GM_F64, GM_CONTRACT_COMPENSATED, 0},
};

static void errors_are_bounded(void **state) {
    (void)state;
    for (int i = 0; i < COUNT(sizes) * COUNT(kinds); ++i) {
        const sized *s = &sizes[i % COUNT(sizes)];
        const kind *k = &kinds[i / COUNT(sizes)];
        uint64_t random = (uint64_t)i + 1;
        block inputs[3];
        const int64_t *shape = s->shapes;
        for (int32_t j = 0; j < s->count; ++j) {
            inputs[j] = make_block(k->input, s->ndims[j], shape, i % 2 == 0 ? ROWS : PADDED, REALS,
                                   &random);
            shape += s->ndims[j];
        }
        oracle o = work_out(s->expression, s->count, inputs);
        /* Partial products of the 16-bit types are rounded to them. */
        const bool rounded = s->count > 2 && (k->input == GM_F16 || k->input == GM_BF16);
        const double half = rounded ? 1.1 * unit_of_type(k->input) : 0;
        const double unit = unit_of_type(k->output),
                     sums = unit_of_type(k->input) < 0x1p-30 ? unit_of_type(k->input) : 0x1p-24;
        const double bound = (unit + sums * (o.terms + 1) + k->relative + half) / unit;
        FOR_EACH_TARGET(t) {
            if (t->is_slow && i % 3 != 0) {
                continue;
            }
            block out = make_output(s->expression, s->count, inputs, k->output, ROWS, &random);
            run r = {.expression = s->expression, .count = s->count, .inputs = inputs};
            r.options.math = k->math;
            if (run_on(t, &r, &out, true) == GM_STATUS_OK) {
                const double residual = scaled_residual(&out, &o);
                if (!(residual <= bound)) {
                    fail_msg("%s: %s of %s in %s by %s: residual %g over %g", t->name,
                             s->expression, gm_dtype_name(k->input), gm_dtype_name(k->output),
                             r.kernel, residual, bound);
                }
            } else if (i % COUNT(sizes) == 0) {
                printf("skip: %s: %s with math %d\n", t->name, gm_dtype_name(k->input),
                       (int)k->math);
            }
            free_block(&out);
        }
        free_oracle(&o);
        for (int32_t j = 0; j < s->count; ++j) {
            free_block(&inputs[j]);
        }
    }
}

/* The error of a compensated sum does not grow with its length; products round once each. */
static void compensated_sums(void **state) {
    (void)state;
    static const int64_t lengths[] = {10, 1000, 100000, 1000000};
    FOR_EACH_TARGET(t) {
        for (int i = 0; i < 2 * COUNT(lengths); ++i) {
            const gm_dtype type = i % 2 == 0 ? GM_F64 : GM_F32;
            const int64_t n = lengths[i / 2];
            uint64_t random = 5;
            if (t->is_loops || (t->is_slow && n > 1000)) {
                continue;
            }
            block inputs[] = {make_block(type, 1, &n, ROWS, REALS, &random),
                              make_block(type, 1, &n, ROWS, ONES, &random)};
            long double sum = 0, magnitude = 0;
            for (int64_t e = 0; e < n; ++e) { /* all of one sign: the sum grows, and rounds */
                const double x = fabs(creal(get_element(&inputs[0], e)));
                set_element(&inputs[0], e, x);
                sum += (long double)x;
                magnitude += (long double)x;
            }
            block out = make_block(type, 0, &n, ROWS, POISON, &random);
            run r = {.expression = "i,i->", .count = 2, .inputs = inputs};
            r.options.math = GM_CONTRACT_COMPENSATED;
            if (run_on(t, &r, &out, true) == GM_STATUS_OK) {
                const long double error = fabsl((long double)creal(get_element(&out, 0)) - sum);
                if (!(error <= 4 * (long double)unit_of_type(type) * magnitude)) {
                    fail_msg("%s: %s, %lld terms: off by %Lg units", t->name, gm_dtype_name(type),
                             (long long)n, error / (long double)unit_of_type(type) / magnitude);
                }
            } else if (i < 2) {
                printf("skip: %s: compensated sums\n", t->name);
            }
            free_block(&out);
            free_block(&inputs[0]);
            free_block(&inputs[1]);
        }
    }
}

/*
 * Numbers at the end of the range, split into parts of tf32: one product in each sum, of which f32
 * says what it is. A part that has rounded to infinity would make NaN of it.
 */
static void tf32_by_parts_near_infinity(void **state) {
    (void)state;
    static const float left[] = {FLT_MAX,      -FLT_MAX,      0x1.fffp127f, 0x1.ffeffep127f,
                                 0x1.ffep127f, INFINITY,      -INFINITY,    NAN,
                                 1.0f,         0x1.000ffep0f, -0x1p-60f,    0.0f};
    static const float right[] = {1.0f,     -0.5f,     0x1.001p0f, 0x1.ffeffep-1f, 0x1p-100f, 0.0f,
                                  INFINITY, -INFINITY, NAN,        0x1.fffp127f,   3.0f};
    enum { SIDE = 16, PLACE = 5 };
    const int64_t shape[] = {SIDE, SIDE};
    int ran = 0;
    FOR_EACH_TARGET(t) {
        for (int i = 0; i < COUNT(left) * COUNT(right); ++i) {
            const float x = left[i % COUNT(left)], y = right[i / COUNT(left)];
            const double expected = (double)(x * y);
            uint64_t random = 3;
            block inputs[] = {make_block(GM_F32, 2, shape, ROWS, ONES, &random),
                              make_block(GM_F32, 2, shape, ROWS, ONES, &random)};
            for (int e = 0; e < SIDE * SIDE; ++e) {
                set_element(&inputs[0], e, e % SIDE == PLACE ? (double)x : 0);
                set_element(&inputs[1], e, e / SIDE == PLACE ? (double)y : 0);
            }
            block out = make_output("ij,jk->ik", 2, inputs, GM_F32, ROWS, &random);
            run r = {.expression = "ij,jk->ik",
                     .count = 2,
                     .inputs = inputs,
                     .options = {.math = GM_CONTRACT_TF32X3, .kernel = "tensor"}};
            if (run_on(t, &r, &out, true) == GM_STATUS_OK) {
                ++ran;
                for (int e = 0; e < SIDE * SIDE; ++e) {
                    const double got = creal(get_element(&out, e));
                    const bool good = isnan(expected) ? isnan(got)
                                      : isinf(expected)
                                          ? got == expected
                                          : fabs(got - expected) <= 0x1p-19 * fabs(expected);
                    if (!good) {
                        fail_msg("%s: %a times %a: %a, not %a", t->name, (double)x, (double)y, got,
                                 expected);
                    }
                }
            }
            free_block(&out);
            free_block(&inputs[0]);
            free_block(&inputs[1]);
        }
    }
    if (ran == 0) {
        printf("skip: no kernel for tf32 in three products\n");
        skip();
    }
}

/* ---- after the sum --------------------------------------------------------------------------- */

static double activated(gm_activation activation, double x) {
    switch (activation) {
    case GM_ACTIVATION_RELU:
        return x > 0 ? x : 0;
    case GM_ACTIVATION_SIGMOID:
        return 1 / (1 + exp(-x));
    case GM_ACTIVATION_TANH:
        return tanh(x);
    case GM_ACTIVATION_SILU:
        return x / (1 + exp(-x));
    case GM_ACTIVATION_GELU:
        return 0.5 * x * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
    default:
        return x;
    }
}

static void activations_and_biases(void **state) {
    (void)state;
    static const gm_dtype types[] = {GM_F64, GM_F32, GM_F16, GM_BF16};
    static const int64_t biases[][2] = {{17, 19}, {1, 19}, {17, 1}, {1, 1}};
    const int64_t a[] = {17, 9}, b[] = {9, 19};
    int ran = 0;
    FOR_EACH_TARGET(t) {
        for (int i = 0; i < 4 * 6 * 5; ++i) {
            const gm_dtype type = types[i % 4];
            const gm_activation activation = (gm_activation)(i / 4 % 6);
            const int with_bias = i / 24 - 1; /* -1: none */
            uint64_t random = (uint64_t)i;
            block inputs[] = {make_block(type, 2, a, ROWS, REALS, &random),
                              make_block(type, 2, b, PADDED, REALS, &random)};
            oracle o = work_out("ij,jk->ki", 2, inputs);
            const int64_t shape[] = {with_bias >= 0 ? biases[with_bias][1] : 1,
                                     with_bias >= 0 ? biases[with_bias][0] : 1};
            block bias = make_block(type, 2, shape, BACKWARD, REALS, &random);
            block addend = make_block(type, 2, (const int64_t[]){19, 17}, PADDED, REALS, &random);
            block out = make_output("ij,jk->ki", 2, inputs, type, PADDED, &random);
            const gm_contract_scale scale = {.alpha = 0.25, .beta = -0.5};
            run r = {.expression = "ij,jk->ki",
                     .count = 2,
                     .inputs = inputs,
                     .addend = &addend,
                     .bias = with_bias >= 0 ? &bias : NULL,
                     .scale = &scale,
                     .has_epilogue = true,
                     .epilogue = {.activation = activation}};
            if (run_on(t, &r, &out, true) == GM_STATUS_OK) {
                ++ran;
                for (int64_t e = 0; e < 17 * 19; ++e) {
                    const int64_t row = shape[0] == 1 ? 0 : e / 17,
                                  column = shape[1] == 1 ? 0 : e % 17;
                    const double shift =
                        with_bias >= 0 ? creal(get_element(&bias, row * shape[1] + column)) : 0;
                    const double c = creal(get_element(&addend, e));
                    const double x = 0.25 * creal(o.value[e]) - 0.5 * c + shift;
                    const double input =
                        (o.magnitude[e] * 12 + 2) * (type == GM_F64 ? 0x1p-53 : 0x1p-24);
                    const double expected = activated(activation, x);
                    /* No slope is over 1.13. */
                    const double bound = 1.2 * input + 1.2 * unit_of_type(type) * fabs(expected) +
                                         (type == GM_F16 ? 0x1p-24 : 0);
                    if (!(fabs(creal(get_element(&out, e)) - expected) <= bound)) {
                        fail_msg("%s: %s, activation %d, bias %d: %.17g, not %.17g by %s", t->name,
                                 gm_dtype_name(type), (int)activation, with_bias,
                                 creal(get_element(&out, e)), expected, r.kernel);
                    }
                }
            }
            free_oracle(&o);
            free_block(&out);
            free_block(&addend);
            free_block(&bias);
            free_block(&inputs[0]);
            free_block(&inputs[1]);
        }
    }
    assert_true(ran >= 4 * 6 * 5);
}

/* Dimensions that all tensors but the bias walk as one. */
static void biases_along_some_dimensions(void **state) {
    (void)state;
    const int64_t shape[] = {4, 3, 5};
    FOR_EACH_TARGET(t) {
        for (int which = 0; which < 8; ++which) {
            uint64_t random = 8;
            const int64_t part[] = {(which & 1) != 0 ? 4 : 1, (which & 2) != 0 ? 3 : 1,
                                    (which & 4) != 0 ? 5 : 1};
            block input = make_block(GM_F32, 3, shape, ROWS, INTEGERS, &random);
            block bias = make_block(GM_F32, 3, part, ROWS, INTEGERS, &random);
            block out = make_block(GM_F32, 3, shape, ROWS, POISON, &random);
            run r = {.expression = "ijk->ijk",
                     .count = 1,
                     .inputs = &input,
                     .bias = &bias,
                     .has_epilogue = true};
            run_on(t, &r, &out, false);
            for (int64_t e = 0; e < 60; ++e) {
                const int64_t i = e / 15 % part[0], j = e / 5 % 3 % part[1], k = e % 5 % part[2];
                const double complex b = get_element(&bias, (i * part[1] + j) * part[2] + k);
                assert_true(get_element(&out, e) == get_element(&input, e) + b);
            }
            free_block(&input);
            free_block(&bias);
            free_block(&out);
        }
    }
}

/* Infinities and NaN go through an activation as through its limit. */
static void activations_at_the_ends(void **state) {
    (void)state;
    static const double ends[][6] = {{-INFINITY, 0, 0, -1, 0, 0},
                                     {INFINITY, INFINITY, 1, 1, INFINITY, INFINITY},
                                     {-3e38, 0, 0, -1, 0, 0},
                                     {-200, 0, 0, -1, 0, 0}};
    static const gm_dtype types[] = {GM_F64, GM_F32};
    FOR_EACH_TARGET(t) {
        for (int i = 0; i < 6 * 2; ++i) {
            uint64_t random = 1;
            const int64_t n = COUNT(ends) + 1;
            block input = make_block(types[i % 2], 1, &n, ROWS, ONES, &random);
            block out = make_block(types[i % 2], 1, &n, ROWS, POISON, &random);
            set_element(&input, n - 1, (double)NAN);
            for (int64_t e = 0; e < n - 1; ++e) {
                set_element(&input, e, ends[e][0]);
            }
            run r = {.expression = "i->i",
                     .count = 1,
                     .inputs = &input,
                     .has_epilogue = true,
                     .epilogue = {.activation = (gm_activation)(i / 2)}};
            run_on(t, &r, &out, true);
            assert_true(isnan(creal(get_element(&out, n - 1))));
            for (int64_t e = 0; e < n - 1; ++e) {
                const double expected = ends[e][i / 2], got = creal(get_element(&out, e));
                assert_true(got == expected || fabs(got - expected) < 1e-30 ||
                            got == (double)(float)expected);
            }
            free_block(&out);
            free_block(&input);
        }
    }
}

/* A sample is the comparison with the stated uniform, and its bits do not depend on the layout. */
static void samples_are_the_stated_draws(void **state) {
    (void)state;
    enum { ROWS_N = 61, COLUMNS_N = 35, N = ROWS_N * COLUMNS_N };
    static const gm_dtype types[] = {GM_F64, GM_F32, GM_F16, GM_BF16};
    const int64_t shape[] = {ROWS_N, COLUMNS_N};
    static uint32_t words[2 * N];
    FOR_EACH_TARGET(t) {
        for (int i = 0; i < 8; ++i) {
            const gm_dtype type = types[i % 4];
            const uint64_t seed = 12345678901u + (uint64_t)i, first = i < 4 ? 0 : (1ull << 33) + 3;
            uint64_t random = seed;
            const gm_random_stream stream = {seed, type == GM_F64 ? 2 * first : first, 9};
            const gm_tensor all = gm_tensor_1d(words, GM_U32, type == GM_F64 ? 2 * N : N);
            ASSERT_OK(targets[0].context, gm_random_fill_u32(targets[0].context, &stream, &all));
            /* Once with the output's layout: but for the numbering, its modes are one. */
            const layout how = i % 2 == 0 ? PADDED : (layout)(i % 4);
            block input = make_block(type, 2, shape, how, ONES, &random);
            for (int64_t e = 0; e < N; ++e) {
                set_element(&input, e, e % 50 == 0 ? 0 : e % 50 == 1 ? 1 : uniform_real(&random));
            }
            block out = make_block(type, 2, shape, (layout)(i % 4), POISON, &random);
            run r = {.expression = "ij->ij",
                     .count = 1,
                     .inputs = &input,
                     .has_epilogue = true,
                     .epilogue = {.sample = 1, .seed = seed, .first = first}};
            if (run_on(t, &r, &out, true) == GM_STATUS_OK) {
                for (int64_t e = 0; e < N; ++e) {
                    const double p = creal(get_element(&input, e));
                    const uint64_t pair = (uint64_t)words[2 * e] << 32 | words[2 * e + 1];
                    const double u = type == GM_F64 ? (double)(pair >> 12) * 0x1p-52
                                                    : (double)(words[e] >> 8) * 0x1p-24;
                    if (creal(get_element(&out, e)) != (u < p ? 1 : 0)) {
                        fail_msg("%s: %s, element %lld: u = %g, p = %g", t->name,
                                 gm_dtype_name(type), (long long)e, u, p);
                    }
                }
            }
            free_block(&out);
            free_block(&input);
        }
    }
}

/* ---- the same bits --------------------------------------------------------------------------- */

static void run_bits(gm_context *context, const char *expression, const block *a, const block *b,
                     block *out) {
    const target t = {.name = "threads", .context = context};
    const block inputs[] = {*a, *b};
    run r = {.expression = expression, .count = 2, .inputs = inputs};
    run_on(&t, &r, out, false);
}

static void threads_change_nothing(void **state) {
    (void)state;
    static const sized shapes[] = {{"ij,jk->ik", 2, {2, 2}, {200, 300, 300, 150}},
                                   {"ij,jk->ik", 2, {2, 2}, {3, 20000, 20000, 2}},
                                   {"bij,bjk->bik", 2, {3, 3}, {40, 16, 20, 40, 20, 24}},
                                   {"i,i->", 2, {1, 1}, {300001, 300001}}};
    gm_context *contexts[3];
    for (int i = 0; i < 3; ++i) {
        contexts[i] = open_threads(i + 1);
    }
    if (contexts[0] == NULL) {
        printf("skip: cpu: no kernels for contractions\n");
        skip();
    }
    for (int i = 0; i < COUNT(shapes) * 2; ++i) {
        const sized *s = &shapes[i / 2];
        uint64_t random = 4;
        const gm_dtype type = i % 2 == 0 ? GM_F64 : GM_F32;
        block a = make_block(type, s->ndims[0], s->shapes, ROWS, REALS, &random);
        block b = make_block(type, s->ndims[1], s->shapes + s->ndims[0], ROWS, REALS, &random);
        const block both[] = {a, b};
        block first = make_output(s->expression, 2, both, type, ROWS, &random);
        run_bits(contexts[0], s->expression, &a, &b, &first);
        for (int k = 1; k < 3; ++k) {
            block other = make_output(s->expression, 2, both, type, ROWS, &random);
            run_bits(contexts[k], s->expression, &a, &b, &other);
            assert_memory_equal(first.memory, other.memory, first.bytes);
            free_block(&other);
        }
        free_block(&first);
        free_block(&a);
        free_block(&b);
    }
    for (int i = 0; i < 3; ++i) {
        gm_context_destroy(contexts[i]);
    }
}

/* The elements from `from` on of the first dimension. */
static block part_of(const block *whole, int64_t from, int64_t count) {
    uint64_t random = 0;
    int64_t shape[GM_MAX_DIMS];
    memcpy(shape, whole->view.shape, sizeof shape);
    const int64_t each = elements_of(&whole->view) / shape[0];
    shape[0] = count;
    block part = make_block(whole->view.dtype, whole->view.ndim, shape, ROWS, POISON, &random);
    for (int64_t e = 0; e < count * each; ++e) {
        set_element(&part, e, get_element(whole, from * each + e));
    }
    return part;
}

static void batches_change_nothing(void **state) {
    (void)state;
    static const int64_t cuts[] = {0, 1, 3, 10, 23};
    static const int64_t sides[][3] = {{5, 6, 7}, {16, 16, 16}, {33, 20, 40}, {1, 65, 1}};
    FOR_EACH_TARGET(t) {
        for (int i = 0; i < COUNT(sides) * 3; ++i) {
            static const gm_dtype types[] = {GM_F64, GM_F32, GM_BF16};
            const gm_dtype type = types[i % 3];
            const int64_t *side = sides[i / 3];
            uint64_t random = 6;
            if (t->is_slow && i > 4) {
                continue;
            }
            block inputs[] = {
                make_block(type, 3, (const int64_t[]){23, side[0], side[1]}, ROWS, REALS, &random),
                make_block(type, 3, (const int64_t[]){23, side[1], side[2]}, ROWS, REALS, &random)};
            block whole = make_output("bij,bjk->bik", 2, inputs, type, ROWS, &random);
            run_bits(t->context, "bij,bjk->bik", &inputs[0], &inputs[1], &whole);
            for (int c = 0; c + 1 < COUNT(cuts); ++c) {
                const int64_t n = cuts[c + 1] - cuts[c], each = side[0] * side[2];
                block parts[] = {part_of(&inputs[0], cuts[c], n), part_of(&inputs[1], cuts[c], n)};
                block out = make_output("bij,bjk->bik", 2, parts, type, ROWS, &random);
                run_bits(t->context, "bij,bjk->bik", &parts[0], &parts[1], &out);
                for (int64_t e = 0; e < n * each; ++e) {
                    if (get_element(&out, e) != get_element(&whole, cuts[c] * each + e)) {
                        fail_msg("%s: %s, %lld x %lld x %lld: a batch of %lld differs", t->name,
                                 gm_dtype_name(type), (long long)side[0], (long long)side[1],
                                 (long long)side[2], (long long)n);
                    }
                }
                free_block(&out);
                free_block(&parts[0]);
                free_block(&parts[1]);
            }
            free_block(&whole);
            free_block(&inputs[0]);
            free_block(&inputs[1]);
        }
    }
}

/* ---- the 16-bit types ------------------------------------------------------------------------ */

static void sixteen_bits_round_to_nearest(void **state) {
    (void)state;
    for (uint32_t bits = 0; bits < 0x7c00; ++bits) {
        const double here = gm_half_value((uint16_t)bits), up = gm_half_value((uint16_t)(bits + 1));
        assert_int_equal(gm_half_from(here), bits);
        assert_int_equal(gm_half_from(-here), bits | 0x8000);
        const double middle = bits == 0x7bff ? 65520 : (here + up) / 2;
        assert_int_equal(gm_half_from(middle), bits + bits % 2);
        assert_int_equal(gm_half_from(nextafter(middle, INFINITY)), bits + 1);
        assert_int_equal(gm_half_from(nextafter(middle, 0)), bits);
    }
    for (uint32_t bits = 0; bits < 0x7f80; ++bits) {
        const double here = gm_bfloat_value((uint16_t)bits);
        const double up = bits == 0x7f7f ? 0x1p128 : gm_bfloat_value((uint16_t)(bits + 1));
        assert_int_equal(gm_bfloat_from(here), bits);
        assert_int_equal(gm_bfloat_from((here + up) / 2), bits + bits % 2);
        assert_int_equal(gm_bfloat_from(nextafter((here + up) / 2, INFINITY)), bits + 1);
    }
    assert_true(gm_half_value(1) == 0x1p-24 && gm_half_value(0x3c00) == 1);
    assert_true(gm_half_value(0x7bff) == 65504 && gm_half_value(0xfc00) == -INFINITY);
    assert_int_equal(gm_half_from(INFINITY), 0x7c00);
    assert_int_equal(gm_half_from(1e300), 0x7c00);
    assert_true(isnan(gm_half_value(gm_half_from((double)NAN))));
    assert_true(isnan(gm_bfloat_value(gm_bfloat_from((double)NAN))));
    assert_true(gm_bfloat_value(0x3f80) == 1 && gm_bfloat_value(0xc040) == -3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_bounded),
        cmocka_unit_test(compensated_sums),
        cmocka_unit_test(tf32_by_parts_near_infinity),
        cmocka_unit_test(activations_and_biases),
        cmocka_unit_test(biases_along_some_dimensions),
        cmocka_unit_test(activations_at_the_ends),
        cmocka_unit_test(samples_are_the_stated_draws),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(batches_change_nothing),
        cmocka_unit_test(sixteen_bits_round_to_nearest),
    };
    return cmocka_run_group_tests(tests, open_targets, close_targets);
}
