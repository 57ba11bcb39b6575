/* The helpers of contract.h: tensors, runs, the oracle. */
#include "tests/contract.h"

#include <ctype.h>
#include <float.h>

#include "host/ref/half.h"

enum { GUARD = 64 };

double uniform_real(uint64_t *random) {
    return (double)(next_random(random) >> 11) * 0x1p-53;
}

int64_t below(uint64_t *random, int64_t bound) {
    return (int64_t)(next_random(random) % (uint64_t)bound);
}

double unit_of_type(gm_dtype dtype) {
    switch (dtype) {
    case GM_F64:
    case GM_C128:
        return DBL_EPSILON / 2;
    case GM_F16:
        return 0x1p-11;
    case GM_BF16:
        return 0x1p-8;
    default:
        return (double)FLT_EPSILON / 2;
    }
}

/* ---- elements -------------------------------------------------------------------------------- */

int64_t elements_of(const gm_tensor *view) {
    int64_t elements;
    assert_int_equal(gm_tensor_elements(view, &elements), GM_STATUS_OK);
    return elements;
}

static unsigned char *place_of(const gm_tensor *view, int64_t e) {
    int64_t offset = 0;
    for (int32_t axis = view->ndim - 1; axis >= 0; --axis) {
        offset += e % view->shape[axis] * view->stride[axis];
        e /= view->shape[axis];
    }
    return (unsigned char *)view->data + offset * (int64_t)gm_dtype_size(view->dtype);
}

static double complex fetch(const unsigned char *at, gm_dtype dtype) {
    union {
        double f64[2];
        float f32[2];
        uint16_t u16;
        int8_t i8;
        int32_t i32;
    } bits;
    memcpy(&bits, at, gm_dtype_size(dtype));
    switch (dtype) {
    case GM_F64:
        return bits.f64[0];
    case GM_F32:
        return (double)bits.f32[0];
    case GM_F16:
        return gm_half_value(bits.u16);
    case GM_BF16:
        return gm_bfloat_value(bits.u16);
    case GM_C64:
        return make_complex((double)bits.f32[0], (double)bits.f32[1]);
    case GM_C128:
        return make_complex(bits.f64[0], bits.f64[1]);
    case GM_I8:
        return bits.i8;
    default:
        return bits.i32;
    }
}

static void put(unsigned char *at, gm_dtype dtype, double complex value) {
    const double x = creal(value);
    const double both[] = {x, cimag(value)};
    const float narrow[] = {(float)x, (float)cimag(value)};
    const uint16_t half = dtype == GM_F16 ? gm_half_from(x) : gm_bfloat_from(x);
    const int32_t whole = dtype == GM_I8 || dtype == GM_I32 ? (int32_t)x : 0;
    const int8_t small = (int8_t)whole;
    const void *from = dtype == GM_F64 || dtype == GM_C128   ? (const void *)both
                       : dtype == GM_F32 || dtype == GM_C64  ? (const void *)narrow
                       : dtype == GM_F16 || dtype == GM_BF16 ? (const void *)&half
                       : dtype == GM_I8                      ? (const void *)&small
                                                             : (const void *)&whole;
    memcpy(at, from, gm_dtype_size(dtype));
}

double complex get_element(const block *b, int64_t e) {
    return fetch(place_of(&b->view, e), b->view.dtype);
}

void set_element(block *b, int64_t e, double complex value) {
    put(place_of(&b->view, e), b->view.dtype, value);
}

static double draw(filling with, uint64_t *random) {
    const double sign = next_random(random) % 2 == 0 ? 1 : -1;
    switch (with) {
    case UNITS:
        return sign;
    case INTEGERS:
        return sign * (double)(1 + below(random, 2));
    case REALS:
        return sign * ldexp(1 + uniform_real(random), (int)below(random, 4) - 2);
    default:
        return 1;
    }
}

block make_block(gm_dtype dtype, int32_t ndim, const int64_t *shape, layout how, filling with,
                 uint64_t *random) {
    block b = {.view = {.dtype = dtype, .ndim = ndim}};
    int32_t order[GM_MAX_DIMS];
    for (int32_t i = 0; i < ndim; ++i) {
        order[i] = how == COLUMNS ? ndim - 1 - i : i;
    }
    for (int32_t i = ndim - 1; i > 0 && how >= PADDED; --i) {
        const int64_t j = below(random, i + 1);
        const int32_t other = order[j];
        order[j] = order[i];
        order[i] = other;
    }
    int64_t stride = 1, first = 0, span = 1;
    for (int32_t i = ndim - 1; i >= 0; --i) {
        const int32_t axis = order[i];
        b.view.shape[axis] = shape[axis];
        stride = how >= PADDED ? span + below(random, 3) : stride;
        b.view.stride[axis] = stride;
        if (how == REPEATED && below(random, 3) == 0) {
            b.view.stride[axis] = 0;
        } else if (shape[axis] > 0) {
            span += stride * (shape[axis] - 1);
            if (how == BACKWARD && below(random, 2) == 0) {
                first += stride * (shape[axis] - 1);
                b.view.stride[axis] = -stride;
            }
        }
        stride *= shape[axis] > 0 ? shape[axis] : 1;
    }
    const int64_t size = (int64_t)gm_dtype_size(dtype);
    b.bytes = (size_t)((span * size + 7) / 8 * 8) + 2 * GUARD;
    b.memory = malloc(b.bytes);
    assert_non_null(b.memory);
    memset(b.memory, 0xff, b.bytes);
    b.view.data = b.memory + GUARD + first * size;
    const int64_t elements = with == POISON ? 0 : elements_of(&b.view);
    const bool is_complex = dtype == GM_C64 || dtype == GM_C128;
    for (int64_t e = 0; e < elements; ++e) {
        const double real = draw(with, random),
                     imaginary = is_complex && with != ONES ? draw(with, random) : 0;
        set_element(&b, e, make_complex(real, imaginary));
    }
    return b;
}

void free_block(block *b) {
    free(b->memory);
    *b = (block){.bytes = 0};
}

/* ---- runs ------------------------------------------------------------------------------------ */

image upload(gm_context *context, const block *b) {
    image i = {.view = b->view};
    ASSERT_OK(context, gm_memory_alloc(context, b->bytes, &i.memory));
    ASSERT_OK(context, gm_memory_upload(context, i.memory, b->memory, b->bytes));
    i.view.data = (unsigned char *)i.memory + ((unsigned char *)b->view.data - b->memory);
    return i;
}

void drop(gm_context *context, image *i, const block *b, const char *what) {
    unsigned char *after = malloc(b->bytes);
    assert_non_null(after);
    ASSERT_OK(context, gm_memory_download(context, after, i->memory, b->bytes));
    if (memcmp(after, b->memory, b->bytes) != 0) {
        fail_msg("%s was written", what);
    }
    free(after);
    ASSERT_OK(context, gm_memory_free(context, i->memory));
}

void take_output(gm_context *context, image *i, block *out) {
    unsigned char *after = malloc(out->bytes);
    assert_non_null(after);
    ASSERT_OK(context, gm_memory_download(context, after, i->memory, out->bytes));
    const size_t size = gm_dtype_size(out->view.dtype);
    const int64_t elements = elements_of(&out->view);
    static const unsigned char poison[16] = {255, 255, 255, 255, 255, 255, 255, 255,
                                             255, 255, 255, 255, 255, 255, 255, 255};
    for (int64_t e = 0; e < elements; ++e) {
        unsigned char *to = place_of(&out->view, e), *from = after + (to - out->memory);
        if (out->view.dtype != GM_I32 && memcmp(from, poison, size) == 0) {
            fail_msg("element %lld was not written", (long long)e);
        }
        memcpy(to, from, size);
    }
    if (memcmp(after, out->memory, out->bytes) != 0) {
        fail_msg("something beside the output was written");
    }
    free(after);
    ASSERT_OK(context, gm_memory_free(context, i->memory));
}

static gm_status run_plan(const target *t, run *r, const gm_tensor *inputs, const image *addend,
                          const image *bias, const gm_tensor *out, bool allow_unsupported) {
    gm_context *context = t->context;
    gm_contract_plan *plan;
    gm_contract_options options = r->options;
    gm_contract_epilogue epilogue = r->epilogue;
    if (r->has_epilogue) {
        epilogue.bias = bias->memory != NULL ? &bias->view : NULL;
        options.epilogue = &epilogue;
    }
    gm_status status =
        gm_contract_plan_create(context, r->expression, r->count, inputs, out, &options, &plan);
    if (allow_unsupported && status == GM_STATUS_UNSUPPORTED) {
        return status;
    }
    if (status != GM_STATUS_OK) {
        fail_msg("%s: plan of %s: %s", t->name, r->expression, gm_last_error(context));
    }
    r->operations = gm_contract_operations(plan);
    r->workspace = gm_contract_workspace(plan);
    /* The workspace with a guard behind it. */
    const block scratch = {.bytes = r->workspace + GUARD, .memory = malloc(r->workspace + GUARD)};
    unsigned char *after = malloc(scratch.bytes);
    assert_true(scratch.memory != NULL && after != NULL);
    memset(scratch.memory, 0xff, scratch.bytes);
    image i = {.memory = NULL};
    ASSERT_OK(context, gm_memory_alloc(context, scratch.bytes, &i.memory));
    ASSERT_OK(context, gm_memory_upload(context, i.memory, scratch.memory, scratch.bytes));
    const gm_tensor *c = r->in_place ? out : addend->memory != NULL ? &addend->view : NULL;
    status = gm_contract_execute(plan, r->scale, inputs, c, out, r->workspace > 0 ? i.memory : NULL,
                                 r->workspace);
    if (status != GM_STATUS_OK) {
        fail_msg("%s: %s: %s\n%s", t->name, r->expression, gm_last_error(context),
                 gm_contract_explain(plan));
    }
    ASSERT_OK(context, gm_context_synchronize(context));
    r->kernel = gm_last_kernel(context);
    ASSERT_OK(context, gm_memory_download(context, after, i.memory, scratch.bytes));
    assert_memory_equal(after + r->workspace, scratch.memory + r->workspace, GUARD);
    ASSERT_OK(context, gm_memory_free(context, i.memory));
    free(after);
    free(scratch.memory);
    gm_contract_plan_destroy(plan);
    return GM_STATUS_OK;
}

gm_status run_on(const target *t, run *r, block *out, bool allow_unsupported) {
    image inputs[GM_MAX_OPERANDS], addend = {.memory = NULL}, bias = {.memory = NULL};
    static gm_tensor views[GM_MAX_OPERANDS];
    for (int32_t i = 0; i < r->count; ++i) {
        inputs[i] = upload(t->context, &r->inputs[i]);
        views[i] = inputs[i].view;
    }
    if (r->addend != NULL && !r->in_place) {
        addend = upload(t->context, r->addend);
    }
    if (r->bias != NULL) {
        bias = upload(t->context, r->bias);
    }
    if (r->in_place) {
        for (int64_t e = 0; e < elements_of(&out->view); ++e) {
            set_element(out, e, get_element(r->addend, e));
        }
    }
    image result = upload(t->context, out);
    const gm_status status = run_plan(t, r, views, &addend, &bias, &result.view, allow_unsupported);
    for (int32_t i = 0; i < r->count; ++i) {
        drop(t->context, &inputs[i], &r->inputs[i], "an input");
    }
    if (addend.memory != NULL) {
        drop(t->context, &addend, r->addend, "the addend");
    }
    if (bias.memory != NULL) {
        drop(t->context, &bias, r->bias, "the bias");
    }
    if (status == GM_STATUS_OK) {
        take_output(t->context, &result, out);
    } else {
        drop(t->context, &result, out, "the output");
    }
    return status;
}

/* ---- the oracle ------------------------------------------------------------------------------ */

/* The labels of term number `which` of an expression; the output's is number `count`. */
static const char *term_of(const char *expression, int which, int count) {
    const char *at = expression;
    for (int i = 0; i < which && i < count - 1; ++i) {
        at = strchr(at, ',') + 1;
    }
    return which < count ? at : strstr(at, "->") + 2;
}

/* The extents of the labels and, in the order in which they are summed, the labels. */
static int find_labels(const char *expression, int32_t count, const block *inputs,
                       int64_t extent[128], char *labels) {
    for (int letter = 0; letter < 128; ++letter) {
        extent[letter] = -1;
    }
    for (int32_t i = 0; i < count; ++i) {
        const char *term = term_of(expression, i, count);
        for (int32_t axis = 0; axis < inputs[i].view.ndim; ++axis) {
            int64_t *size = &extent[(int)term[axis]];
            assert_true(isalpha((unsigned char)term[axis]));
            if (inputs[i].view.shape[axis] != 1 || *size < 0) {
                *size = inputs[i].view.shape[axis];
            }
        }
    }
    int found = 0;
    const char *output = term_of(expression, count, count);
    for (const char *c = output; *c != '\0'; ++c) {
        labels[found++] = *c;
    }
    for (int letter = 0; letter < 128; ++letter) {
        if (extent[letter] >= 0 && strchr(output, letter) == NULL) {
            labels[found++] = (char)letter;
        }
    }
    labels[found] = '\0';
    return found;
}

/* An operand as the oracle walks over it: its elements in row-major order, and how far a step along
 * each label goes. */
typedef struct walk {
    double complex *values;
    int64_t step[64], at;
} walk;

static walk walk_over(const block *input, const char *term, const char *labels) {
    const gm_tensor *view = &input->view;
    const int64_t elements = elements_of(view);
    walk w = {.values = malloc(((size_t)elements + 1) * sizeof *w.values)};
    assert_non_null(w.values);
    for (int64_t e = 0; e < elements; ++e) {
        w.values[e] = get_element(input, e);
    }
    int64_t stride = 1;
    for (int32_t axis = view->ndim - 1; axis >= 0; --axis) {
        if (view->shape[axis] != 1) {
            w.step[strchr(labels, term[axis]) - labels] += stride;
        }
        stride *= view->shape[axis];
    }
    return w;
}

/* To the next value of the labels, the last one fastest. */
static void advance(const char *labels, int found, const int64_t extent[128], int64_t index[64],
                    walk *walks, int32_t count) {
    for (int l = found - 1; l >= 0; --l) {
        const int64_t size = extent[(int)labels[l]];
        const bool wraps = ++index[l] == size;
        for (int32_t i = 0; i < count; ++i) {
            walks[i].at += wraps ? (1 - size) * walks[i].step[l] : walks[i].step[l];
        }
        if (!wraps) {
            return;
        }
        index[l] = 0;
    }
}

static void add_product(const walk *walks, int32_t count, oracle *o, int64_t e) {
    double complex product = 1;
    double magnitude = 1;
    uint32_t wrapped = 1;
    for (int32_t i = 0; i < count; ++i) {
        const double complex x = walks[i].values[walks[i].at];
        product = make_complex(creal(product) * creal(x) - cimag(product) * cimag(x),
                               creal(product) * cimag(x) + cimag(product) * creal(x));
        magnitude *= fabs(creal(x)) + fabs(cimag(x));
        wrapped *= (uint32_t)(int32_t)creal(x);
    }
    o->value[e] += product;
    o->magnitude[e] += magnitude;
    o->wrapped[e] += wrapped;
}

oracle work_out(const char *expression, int32_t count, const block *inputs) {
    int64_t extent[128], index[64] = {0};
    char labels[64];
    const int found = find_labels(expression, count, inputs, extent, labels);
    const int outputs = (int)strlen(term_of(expression, count, count));
    oracle o = {.elements = 1, .terms = 1};
    for (int i = 0; i < found; ++i) {
        if (i < outputs) {
            o.elements *= extent[(int)labels[i]];
        } else {
            o.terms *= (double)extent[(int)labels[i]];
        }
    }
    o.value = calloc((size_t)o.elements + 1, sizeof *o.value);
    o.magnitude = calloc((size_t)o.elements + 1, sizeof *o.magnitude);
    o.wrapped = calloc((size_t)o.elements + 1, sizeof *o.wrapped);
    assert_true(o.value != NULL && o.magnitude != NULL && o.wrapped != NULL);
    walk walks[GM_MAX_OPERANDS];
    for (int32_t i = 0; i < count; ++i) {
        walks[i] = walk_over(&inputs[i], term_of(expression, i, count), labels);
    }
    for (int64_t e = 0; e < o.elements; ++e) {
        for (int64_t term = 0; term < (int64_t)o.terms; ++term) {
            add_product(walks, count, &o, e);
            advance(labels, found, extent, index, walks, count);
        }
    }
    for (int32_t i = 0; i < count; ++i) {
        free(walks[i].values);
    }
    return o;
}

void free_oracle(oracle *o) {
    free(o->value);
    free(o->magnitude);
    free(o->wrapped);
    *o = (oracle){0};
}

block make_output(const char *expression, int32_t count, const block *inputs, gm_dtype dtype,
                  layout how, uint64_t *random) {
    int64_t extent[128], shape[GM_MAX_DIMS];
    char labels[64];
    find_labels(expression, count, inputs, extent, labels);
    const char *output = term_of(expression, count, count);
    const int32_t ndim = (int32_t)strlen(output);
    for (int32_t axis = 0; axis < ndim; ++axis) {
        shape[axis] = extent[(int)output[axis]];
    }
    return make_block(dtype, ndim, shape, how, POISON, random);
}

void assert_exact(const target *t, const char *what, const block *out, const oracle *o) {
    assert_int_equal(elements_of(&out->view), o->elements);
    for (int64_t e = 0; e < o->elements; ++e) {
        const double complex got = get_element(out, e);
        const double complex expected =
            out->view.dtype == GM_I32 ? (double)(int32_t)o->wrapped[e] : o->value[e];
        if (creal(got) != creal(expected) || cimag(got) != cimag(expected)) {
            fail_msg("%s: %s: %s, element %lld is %g + %gi, not %g + %gi", t->name, what,
                     gm_dtype_name(out->view.dtype), (long long)e, creal(got), cimag(got),
                     creal(expected), cimag(expected));
        }
    }
}

double scaled_residual(const block *out, const oracle *o) {
    double worst = 0;
    for (int64_t e = 0; e < o->elements; ++e) {
        const double difference = cabs(get_element(out, e) - o->value[e]);
        const double scale = unit_of_type(out->view.dtype) * o->magnitude[e];
        const double residual = difference == 0 ? 0 : difference / scale;
        worst = residual <= worst ? worst : residual; /* a NaN is kept */
    }
    return worst;
}
