/*
 * gm_conv_* by transforms, on every backend with them: against the sum written out, under the bound
 * of conv.h; what the plan chooses by itself, and what it refuses.
 */
#include "tests/conv_fixture.h"

static problem by_transforms(const problem *p) {
    problem forced = *p;
    forced.options.algorithm = GM_CONV_FFT;
    return forced;
}

/* The 2-norm of elements (a, b) of a (A, B, sizes...) block, a and b from one value up to another.
 */
static double norm_of(const block *b, int64_t a0, int64_t a1, int64_t b0, int64_t b1) {
    const gm_tensor *v = &b->view;
    int64_t inner = 1;
    double sum = 0;
    for (int32_t axis = 2; axis < v->ndim; ++axis) {
        inner *= v->shape[axis];
    }
    for (int64_t a = a0; a < a1; ++a) {
        for (int64_t e = (a * v->shape[1] + b0) * inner; e < (a * v->shape[1] + b1) * inner; ++e) {
            const double complex z = get_element(b, e);
            sum += creal(z * conj(z));
        }
    }
    return sqrt(sum);
}

/* |a| |b| of the operands of element (i, j, ...) of the result: those of its sum. */
static double norms_of(const problem *p, gm_conv_operation operation, const operands *o, int64_t i,
                       int64_t j) {
    const int64_t groups = at_least_1(p->options.groups);
    const int64_t outer = p->outputs / groups, inner = p->channels / groups, n = p->samples;
    if (operation == GM_CONV_FORWARD) { /* sample i, output j */
        const int64_t g = j / outer;
        return norm_of(&o->x, i, i + 1, g * inner, (g + 1) * inner) *
               norm_of(&o->w, j, j + 1, 0, inner);
    }
    if (operation == GM_CONV_DATA) { /* sample i, channel j */
        const int64_t g = j / inner;
        return norm_of(&o->y, i, i + 1, g * outer, (g + 1) * outer) *
               norm_of(&o->w, g * outer, (g + 1) * outer, j % inner, j % inner + 1);
    }
    const int64_t c = i / outer * inner + j; /* output i, channel j of its group */
    return norm_of(&o->x, 0, n, c, c + 1) * norm_of(&o->y, 0, n, i, i + 1);
}

/* The transforms' lengths are at most 4/3 of what x, its padding and both reaches take: a smooth
 * number is never further away. */
static double length_bound(const problem *p) {
    double length = 1;
    for (int i = 0; i < p->dims; ++i) {
        const gm_conv_options *q = &p->options;
        const int64_t reach = at_least_1(q->dilation[i]) * p->taps[i];
        const int64_t last = at_least_1(q->stride[i]) * output_size(p, i);
        length *= 4.0 / 3 * (double)(p->x[i] + q->pad_before[i] + q->pad_after[i] + reach + last);
    }
    return length;
}

static double unit_of(gm_dtype dtype) { /* eps */
    return dtype == GM_F32 || dtype == GM_C64 ? 0x1p-23 : 0x1p-52;
}

static void assert_close(const target *t, const problem *p, gm_conv_operation operation,
                         operands *o, const double complex *sum) {
    const block *result = result_of(o, operation);
    const gm_tensor *v = &result->view;
    int64_t inner = 1;
    for (int32_t axis = 2; axis < v->ndim; ++axis) {
        inner *= v->shape[axis];
    }
    const double c = 4 * unit_of(v->dtype) * (1 + log2(length_bound(p)));
    for (int64_t slice = 0; slice < v->shape[0] * v->shape[1]; ++slice) {
        const double bound =
            c * norms_of(p, operation, o, slice / v->shape[1], slice % v->shape[1]);
        for (int64_t e = slice * inner; e < (slice + 1) * inner; ++e) {
            const double error = cabs(get_element(result, e) - sum[e]);
            if (!(error <= bound)) {
                fail_msg("%s, %s, operation %d, %s: element %lld is off by %g, bound %g", t->name,
                         p->name, operation, gm_dtype_name(v->dtype), (long long)e, error, bound);
            }
        }
    }
}

static const problem longer[] = {
    {"long kernel", 1, 2, 2, 3, {150}, {70}, {.pad_before = {69}}},
    {"long and sparse",
     1,
     1,
     2,
     2,
     {201},
     {19},
     {.stride = {3}, .dilation = {7}, .pad_after = {9}}},
    {"wide image", 2, 1, 2, 2, {20, 33}, {11, 17}, {.pad_before = {5, 8}, .pad_after = {5, 8}}},
};

static const problem *problem_at(int which) {
    return which < COUNT(problems) ? &problems[which] : &longer[which - COUNT(problems)];
}

static void agrees_with_sum(void **state) {
    (void)state;
    static const gm_dtype dtypes[] = {GM_F64, GM_F32, GM_C128, GM_C64};
    static const layout layouts[] = {ROWS, COLUMNS, PADDED, BACKWARD};
    FOR_EACH_TARGET(t) {
        uint64_t random = 5;
        for (int which = 0; which < COUNT(problems) + COUNT(longer) && !t->is_loops; ++which) {
            for (int i = 0; i < COUNT(operations) * COUNT(dtypes); ++i) {
                const problem p = by_transforms(problem_at(which));
                const gm_conv_operation operation = operations[i / COUNT(dtypes)];
                const layout how = layouts[below(&random, COUNT(layouts))];
                operands o = make_operands(&p, dtypes[i % COUNT(dtypes)], how, REALS,
                                           (int)operation, next_random(&random) / 4);
                run_conv(t, &p, operation, NULL, &o);
                double complex *sum = convolve(&p, operation, &o);
                assert_close(t, &p, operation, &o, sum);
                free(sum);
                free_operands(&o);
            }
        }
    }
}

/* alpha, beta, a bias for each channel and an activation: the sum's, within alpha times its bound.
 */
static void scales_and_epilogues_by_transforms(void **state) {
    (void)state;
    FOR_EACH_TARGET(t) {
        for (int which = 0; which < COUNT(problems) && !t->is_loops; ++which) {
            const problem p = by_transforms(&problems[which]);
            operands o;
            block bias;
            double complex *wanted = run_epilogue(t, &p, &o, &bias);
            const int64_t positions = elements_of(&o.y.view) / (p.samples * p.outputs);
            const double c = 4 * 0x1p-52 * (1 + log2(length_bound(&p)));
            for (int64_t e = 0; e < elements_of(&o.y.view); ++e) {
                const double b = creal(get_element(&bias, e / positions % p.outputs));
                const double want = creal(wanted[e]);
                const double bound =
                    epilogue_scale.alpha * c *
                        norms_of(&p, GM_CONV_FORWARD, &o, e / positions / p.outputs,
                                 e / positions % p.outputs) +
                    4 * 0x1p-52 * (fabs(want) + epilogue_first + fabs(b));
                assert_true(fabs(creal(get_element(&o.y, e)) - want) <= bound);
            }
            free(wanted);
            free_block(&bias);
            free_operands(&o);
        }
    }
}

/* Claim: a sample's bits are the same alone and in a batch, and by any number of threads. */
static void bits_are_a_sample_s_own(void **state) {
    (void)state;
    gm_context *many = open_threads(3);
    FOR_EACH_TARGET(t) {
        for (int which = 0; which < COUNT(longer) && !t->is_loops; ++which) {
            problem p = by_transforms(&longer[which]), one = p;
            p.samples = 3;
            one.samples = 1;
            operands o = make_operands(&p, GM_F64, ROWS, REALS, GM_CONV_FORWARD, 9);
            operands single = make_operands(&one, GM_F64, ROWS, REALS, GM_CONV_FORWARD, 9);
            const int64_t in = elements_of(&single.x.view), out = elements_of(&single.y.view);
            for (int64_t e = 0; e < in; ++e) {
                set_element(&single.x, e, get_element(&o.x, in + e));
            }
            run_conv(t, &p, GM_CONV_FORWARD, NULL, &o);
            run_conv(t, &one, GM_CONV_FORWARD, NULL, &single);
            for (int64_t e = 0; e < out; ++e) {
                assert_true(get_element(&single.y, e) == get_element(&o.y, out + e));
            }
            free_operands(&o);
            free_operands(&single);
        }
    }
    for (int which = 0; which < COUNT(longer) && many != NULL; ++which) {
        const problem p = by_transforms(&longer[which]);
        gm_context *few = open_threads(1);
        const target threads[] = {{.name = "1 thread", .context = few},
                                  {.name = "3 threads", .context = many}};
        operands o[2];
        for (int i = 0; i < 2; ++i) {
            o[i] = make_operands(&p, GM_F32, ROWS, REALS, GM_CONV_DATA, 2);
            run_conv(&threads[i], &p, GM_CONV_DATA, NULL, &o[i]);
        }
        assert_memory_equal(o[0].x.memory, o[1].x.memory, o[0].x.bytes);
        free_operands(&o[0]);
        free_operands(&o[1]);
        gm_context_destroy(few);
    }
    gm_context_destroy(many);
}

static void check_choice(gm_context *context, const problem *p, gm_dtype dtype, const char *text) {
    operands o = make_operands(p, dtype, ROWS, UNITS, GM_CONV_FORWARD, 1);
    gm_conv_plan *plan;
    o.x.view.data = o.w.view.data = o.y.view.data = NULL; /* planning looks at none */
    ASSERT_OK(context, gm_conv_plan_create(context, GM_CONV_FORWARD, &o.x.view, &o.w.view,
                                           &o.y.view, &p->options, &plan));
    if (strncmp(gm_conv_explain(plan), text, strlen(text)) != 0) {
        fail_msg("%s: %s, not %s", p->name, gm_conv_explain(plan), text);
    }
    gm_conv_plan_destroy(plan);
    free_operands(&o);
}

/* Claim: short kernels are contracted, long ones transformed, the reference sums, and the plan says
 * so; what was asked for is done. */
static void plan_chooses(void **state) {
    (void)state;
    static const problem three = {"3 x 3", 2, 1, 8, 8, {32, 32}, {3, 3}, {.flip = 0}};
    static const problem lengthy = {"1024 taps", 1,      1,      4,
                                    4,           {2048}, {1024}, {.pad_before = {1023}}};
    problem forced = by_transforms(&three), kept = lengthy;
    kept.options.algorithm = GM_CONV_CONTRACTION;
    FOR_EACH_TARGET(t) {
        if (t->is_loops) {
            check_choice(t->context, &lengthy, GM_F32, "contraction: no fast transforms here");
            continue;
        }
        check_choice(t->context, &three, GM_F32, "contraction: no ");
        check_choice(t->context, &lengthy, GM_F32,
                     t->is_reference ? "contraction: no fast transforms here"
                                     : "transforms: less work");
        check_choice(t->context, &lengthy, GM_BF16, "contraction: the type");
        check_choice(t->context, &forced, GM_F64, "transforms: asked for");
        check_choice(t->context, &kept, GM_F64, "contraction: asked for");
        problem exact = lengthy;
        exact.options.math = GM_CONTRACT_COMPENSATED;
        check_choice(t->context, &exact, GM_F64, "contraction: the type or the math");
    }
}

/* Without samples or channels there is nothing to transform: no result, or zeros. */
static void empty_problems_by_transforms(void **state) {
    (void)state;
    static const problem empty[] = {
        {"no samples", 2, 0, 2, 3, {5, 5}, {3, 3}, {.algorithm = GM_CONV_FFT}},
        {"no channels", 1, 2, 0, 3, {5}, {3}, {.pad_before = {1}, .algorithm = GM_CONV_FFT}},
        {"padding alone", 1, 2, 3, 2, {0}, {3}, {.pad_before = {4}, .algorithm = GM_CONV_FFT}}};
    FOR_EACH_TARGET(t) {
        for (int i = 0; i < COUNT(empty) * 3 && !t->is_loops; ++i) {
            const problem *p = &empty[i / 3];
            operands o = make_operands(p, GM_F64, ROWS, UNITS, i % 3, 2);
            run_conv(t, p, operations[i % 3], NULL, &o);
            double complex *sum = convolve(p, operations[i % 3], &o);
            assert_sums(t, p, operations[i % 3], result_of(&o, operations[i % 3]), sum);
            free(sum);
            free_operands(&o);
        }
    }
}

static void refusals_of_transforms(void **state) {
    (void)state;
    gm_context *context = targets[0].context;
    static _Alignas(64) float data[64], room[1 << 14];
    const gm_tensor x = {data, GM_F32, 3, {1, 1, 8}, {8, 8, 1}};
    const gm_tensor w = {data + 16, GM_F32, 3, {1, 1, 3}, {3, 3, 1}};
    const gm_tensor y = {data + 32, GM_F32, 3, {1, 1, 6}, {6, 6, 1}};
    gm_conv_options o = {.algorithm = (gm_conv_algorithm)3};
    gm_conv_plan *plan = (gm_conv_plan *)data;
    const gm_status bad = GM_STATUS_INVALID_ARGUMENT;
    ASSERT_FAILS(context, gm_conv_plan_create(context, GM_CONV_FORWARD, &x, &w, &y, &o, &plan), bad,
                 "options.algorithm = 3");
    assert_null(plan);
    o = (gm_conv_options){.algorithm = GM_CONV_FFT, .math = GM_CONTRACT_COMPENSATED};
    ASSERT_FAILS(context, gm_conv_plan_create(context, GM_CONV_FORWARD, &x, &w, &y, &o, &plan),
                 GM_STATUS_UNSUPPORTED, "standard math");
    gm_tensor halves[] = {x, w, y};
    halves[0].dtype = halves[1].dtype = halves[2].dtype = GM_F16;
    o.math = GM_CONTRACT_STANDARD;
    ASSERT_FAILS(context,
                 gm_conv_plan_create(context, GM_CONV_FORWARD, &halves[0], &halves[1], &halves[2],
                                     &o, &plan),
                 GM_STATUS_UNSUPPORTED, "f16");
    ASSERT_OK(context, gm_conv_plan_create(context, GM_CONV_FORWARD, &x, &w, &y, &o, &plan));
    const size_t bytes = gm_conv_workspace(plan);
    assert_true(bytes > 0 && bytes <= sizeof room);
    ASSERT_FAILS(context, gm_conv_execute(plan, NULL, &x, &w, &y, room, bytes - 1),
                 GM_STATUS_WORKSPACE_TOO_SMALL, "workspace_bytes");
    ASSERT_FAILS(context, gm_conv_execute(plan, NULL, &x, &w, &y, NULL, bytes), bad,
                 "workspace is NULL");
    ASSERT_FAILS(context, gm_conv_execute(plan, NULL, &x, &w, &y, room + 1, bytes), bad, "aligned");
    gm_tensor over = y;
    over.data = data + 12;
    ASSERT_FAILS(context, gm_conv_execute(plan, NULL, &x, &w, &over, room, bytes), bad, "overlap");
    gm_conv_plan_destroy(plan);
    for (int i = 0; i < COUNT(data); ++i) {
        assert_true(data[i] == 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals_of_transforms),
        cmocka_unit_test(plan_chooses),
        cmocka_unit_test(agrees_with_sum),
        cmocka_unit_test(scales_and_epilogues_by_transforms),
        cmocka_unit_test(bits_are_a_sample_s_own),
        cmocka_unit_test(empty_problems_by_transforms),
    };
    return cmocka_run_group_tests(tests, open_targets, close_targets);
}
