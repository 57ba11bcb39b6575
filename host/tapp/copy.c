/*
 * Copies that convert or conjugate. The engine has neither as such, but what it has does it on
 * every backend: a complex tensor is two real ones with twice the strides, of which the second
 * changes its sign. Conversions it lacks are a loop on the host.
 */
#include <stdlib.h>
#include <string.h>

#include "host/ref/half.h"
#include "host/tapp/product.h"

/* ---- the loop -------------------------------------------------------------------------------- */

enum { CHUNK = 256 };

/* Elements of a row on their way; doubles hold all types exactly. */
typedef struct chunk {
    double re[CHUNK], im[CHUNK];
} chunk;

#define LOAD(type, real, imaginary)                                                                \
    for (int64_t i = 0; i < count; ++i) {                                                          \
        type x;                                                                                    \
        memcpy(&x, (const char *)from + i * stride * (int64_t)sizeof x, sizeof x);                 \
        c->re[i] = (real);                                                                         \
        c->im[i] = (imaginary);                                                                    \
    }                                                                                              \
    break

#define STORE(type, ...)                                                                           \
    for (int64_t i = 0; i < count; ++i) {                                                          \
        const type x = __VA_ARGS__;                                                                \
        memcpy((char *)to + i * stride * (int64_t)sizeof x, &x, sizeof x);                         \
    }                                                                                              \
    break

typedef struct pair_f32 {
    float re, im;
} pair_f32;

typedef struct pair_f64 {
    double re, im;
} pair_f64;

static void load(gm_dtype type, const void *from, int64_t stride, int64_t count, chunk *c) {
    switch (type) {
    case GM_F64:
        LOAD(double, x, 0);
    case GM_F16:
        LOAD(uint16_t, gm_half_value(x), 0);
    case GM_BF16:
        LOAD(uint16_t, gm_bfloat_value(x), 0);
    case GM_C64:
        LOAD(pair_f32, (double)x.re, (double)x.im);
    case GM_C128:
        LOAD(pair_f64, x.re, x.im);
    default: /* GM_F32 */
        LOAD(float, (double)x, 0);
    }
}

static void store(gm_dtype type, const chunk *c, int64_t count, int64_t stride, void *to) {
    switch (type) {
    case GM_F64:
        STORE(double, c->re[i]);
    case GM_F16:
        STORE(uint16_t, gm_half_from(c->re[i]));
    case GM_BF16:
        STORE(uint16_t, gm_bfloat_from(c->re[i]));
    case GM_C64:
        STORE(pair_f32, {(float)c->re[i], (float)c->im[i]});
    case GM_C128:
        STORE(pair_f64, {c->re[i], c->im[i]});
    default: /* GM_F32 */
        STORE(float, (float)c->re[i]);
    }
}

static void copy_row(const tapp_copy *copy, const char *from, char *to) {
    const int32_t inner = copy->from.ndim - 1;
    const int64_t count = inner >= 0 ? copy->from.shape[inner] : 1;
    const int64_t from_stride = inner >= 0 ? copy->from.stride[inner] : 0;
    const int64_t to_stride = inner >= 0 ? copy->to.stride[inner] : 0;
    const int64_t from_size = (int64_t)gm_dtype_size(copy->from.dtype);
    const int64_t to_size = (int64_t)gm_dtype_size(copy->to.dtype);
    chunk c;
    for (int64_t at = 0; at < count; at += CHUNK) {
        const int64_t some = count - at < CHUNK ? count - at : CHUNK;
        load(copy->from.dtype, from + at * from_stride * from_size, from_stride, some, &c);
        for (int64_t i = 0; i < some && copy->is_conjugate; ++i) {
            c.im[i] = -c.im[i];
        }
        store(copy->to.dtype, &c, some, to_stride, to + at * to_stride * to_size);
    }
}

static void copy_all(const tapp_copy *copy, const char *from, char *to) {
    int64_t index[GM_MAX_DIMS] = {0};
    const int64_t from_size = (int64_t)gm_dtype_size(copy->from.dtype);
    const int64_t to_size = (int64_t)gm_dtype_size(copy->to.dtype);
    for (;;) {
        copy_row(copy, from, to);
        int32_t axis = copy->from.ndim - 2;
        for (; axis >= 0; --axis) {
            from += copy->from.stride[axis] * from_size;
            to += copy->to.stride[axis] * to_size;
            if (++index[axis] < copy->from.shape[axis]) {
                break;
            }
            from -= copy->from.stride[axis] * from_size * index[axis];
            to -= copy->to.stride[axis] * to_size * index[axis];
            index[axis] = 0;
        }
        if (axis < 0) {
            return;
        }
    }
}

/* ---- the plan -------------------------------------------------------------------------------- */

static uint64_t magnitude(int64_t stride) {
    return stride < 0 ? 0 - (uint64_t)stride : (uint64_t)stride;
}

/* A tensor before and after; labels along which neither moves are left out. */
static void take_shape(tapp_copy *copy, const tapp_layout *from, const tapp_layout *to,
                       int tensor) {
    for (int32_t l = 0; l < from->labels; ++l) {
        const int64_t step = from->stride[tensor][l], extent = from->extent[l];
        if ((from->has[tensor] >> l & 1u) == 0) {
            continue;
        }
        copy->is_empty = copy->is_empty || extent == 0;
        if (step == 0 && to->stride[tensor][l] == 0) {
            continue;
        }
        int32_t at = copy->from.ndim++;
        for (; at > 0 && magnitude(copy->from.stride[at - 1]) < magnitude(step); --at) {
            copy->from.shape[at] = copy->from.shape[at - 1];
            copy->from.stride[at] = copy->from.stride[at - 1];
            copy->to.stride[at] = copy->to.stride[at - 1];
        }
        copy->from.shape[at] = extent;
        copy->from.stride[at] = step;
        copy->to.stride[at] = to->stride[tensor][l];
    }
    copy->to.ndim = copy->from.ndim;
    memcpy(copy->to.shape, copy->from.shape, sizeof copy->to.shape);
}

static gm_tensor real_view(const gm_tensor *tensor) {
    gm_tensor view = *tensor;
    view.dtype = tensor->dtype == GM_C64 ? GM_F32 : GM_F64;
    for (int32_t axis = 0; axis < view.ndim; ++axis) {
        view.stride[axis] *= 2;
    }
    return view;
}

/* A sum over nothing, of the dimensions of `output`: what is left is beta times the addend. */
static gm_tensor nothing_of(const gm_tensor *output) {
    gm_tensor view = *output;
    view.shape[view.ndim] = 0;
    view.stride[view.ndim++] = 0;
    return view;
}

static bool is_half(gm_dtype type) {
    return type == GM_F16 || type == GM_BF16;
}

static TAPP_error choose_way(tapp_copy *copy, const tapp_library *library, bool is_in_place) {
    const gm_dtype from = copy->from.dtype, to = copy->to.dtype;
    if (is_in_place && copy->from.ndim == GM_MAX_DIMS) {
        return tapp_fail(TAPP_ERR_NOT_IMPLEMENTED, "a conjugate D with %d indices", GM_MAX_DIMS);
    }
    if (from == to) {
        copy->way = is_in_place ? TAPP_COPY_IN_PLACE : TAPP_COPY_CONJUGATE;
    } else if (is_half(from) && to == GM_F32) {
        copy->way = TAPP_COPY_CONVERT;
    } else if (!library->is_device) {
        copy->way = TAPP_COPY_LOOP;
    } else {
        return tapp_fail(TAPP_ERR_NOT_IMPLEMENTED, "the %s backend does not convert %s to %s",
                         gm_context_backend_name(library->context), gm_dtype_name(from),
                         gm_dtype_name(to));
    }
    return TAPP_SUCCESS;
}

static TAPP_error make_plan(tapp_copy *copy, gm_context *context) {
    char text[2 * GM_MAX_LABELS + 4], *at = text;
    copy->input = copy->from;
    copy->output = copy->to;
    if (copy->way != TAPP_COPY_CONVERT) {
        copy->output = real_view(&copy->to);
        copy->input =
            copy->way == TAPP_COPY_CONJUGATE ? real_view(&copy->from) : nothing_of(&copy->output);
    }
    for (int i = 0; i < copy->input.ndim; ++i) {
        *at++ = (char)(i < 26 ? 'a' + i : 'A' + i - 26);
    }
    *at++ = '-';
    *at++ = '>';
    memcpy(at, text, (size_t)copy->output.ndim);
    at[copy->output.ndim] = '\0';
    return tapp_from_status(context, gm_contract_plan_create(context, text, 1, &copy->input,
                                                             &copy->output, NULL, &copy->plan));
}

TAPP_error tapp_copy_make(tapp_library *library, const tapp_layout *from, const tapp_layout *to,
                          int tensor, gm_dtype from_type, gm_dtype to_type, bool is_conjugate,
                          bool is_in_place, tapp_copy **copy) {
    tapp_copy *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return tapp_fail_genmath(GM_STATUS_OUT_OF_MEMORY, "no memory for a copy");
    }
    *copy = made; /* the run frees it, after an error too */
    made->is_conjugate = is_conjugate;
    take_shape(made, from, to, tensor);
    made->from.dtype = from_type;
    made->to.dtype = to_type;
    TAPP_TRY(choose_way(made, library, is_in_place));
    return made->is_empty || made->way == TAPP_COPY_LOOP ? TAPP_SUCCESS
                                                         : make_plan(made, library->context);
}

void tapp_copy_free(tapp_copy *copy) {
    if (copy != NULL) {
        gm_contract_plan_destroy(copy->plan);
        free(copy);
    }
}

/* ---- running --------------------------------------------------------------------------------- */

static gm_status run_plan(const tapp_copy *copy, const void *from, void *to, double sign,
                          void *scratch, size_t bytes) {
    const bool in_place = copy->way == TAPP_COPY_IN_PLACE;
    gm_tensor input = copy->input, output = copy->output;
    input.data = in_place ? NULL : (void *)(uintptr_t)from;
    output.data = to;
    const gm_contract_scale scale = {.alpha = in_place ? 0 : sign, .beta = in_place ? sign : 0};
    return gm_contract_execute(copy->plan, &scale, &input, in_place ? &output : NULL, &output,
                               scratch, bytes);
}

TAPP_error tapp_copy_run(const tapp_copy *copy, gm_context *context, const void *from, void *to,
                         void *scratch, size_t bytes) {
    if (copy->is_empty) {
        return TAPP_SUCCESS;
    }
    if (from == NULL || to == NULL) {
        return tapp_fail_genmath(GM_STATUS_INVALID_ARGUMENT, "a tensor to be copied is NULL");
    }
    if (copy->way == TAPP_COPY_LOOP) {
        copy_all(copy, from, to);
        return TAPP_SUCCESS;
    }
    const size_t half = gm_dtype_size(copy->to.dtype) / 2;
    gm_status status = GM_STATUS_OK;
    if (copy->way != TAPP_COPY_IN_PLACE) {
        status = run_plan(copy, from, to, 1, scratch, bytes);
    }
    if (status == GM_STATUS_OK && copy->way != TAPP_COPY_CONVERT) {
        status = run_plan(copy, (const char *)from + half, (char *)to + half, -1, scratch, bytes);
    }
    return tapp_from_status(context, status);
}
