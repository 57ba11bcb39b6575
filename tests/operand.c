/* Operands of the tensor tests. */
#include "operand.h"

#include <math.h>

#include "host/half.h"

enum { GUARD = 64 }; /* bytes: keeps the alignment of what follows */

operand operand_make(gm_dtype dtype, int32_t ndim, const int64_t *shape, layout how) {
    operand o = {.view = {.dtype = dtype, .ndim = ndim}, .elements = 1};
    const int64_t size = (int64_t)gm_dtype_size(dtype);
    int64_t span = how == PADDED ? 2 : 1, first = 0;
    for (int32_t i = 0; i < ndim; ++i) {
        const int32_t axis = how == TRANSPOSED ? i : ndim - 1 - i;
        o.elements *= shape[axis];
        o.view.shape[axis] = shape[axis];
        o.view.stride[axis] = how == REVERSED ? -span : span;
        if (how == SPREAD && axis == 0) {
            o.view.stride[axis] = 0;
            continue;
        }
        first += how == REVERSED && shape[axis] > 0 ? span * (shape[axis] - 1) : 0;
        span = span * (shape[axis] > 0 ? shape[axis] : 1) + (how == PADDED ? 3 : 0);
    }
    o.size = (size_t)(span * size) + 2 * GUARD;
    o.bytes = malloc(o.size);
    assert_non_null(o.bytes);
    memset(o.bytes, 0xff, o.size);
    o.view.data = o.bytes + GUARD + first * size;
    return o;
}

void operand_free(operand *o) {
    free(o->bytes);
    *o = (operand){0};
}

void operand_keep_first(operand *first, operand *result) {
    if (first->bytes == NULL) {
        *first = *result;
    } else {
        operand_free(result);
    }
}

void *operand_at(const operand *o, int64_t e) {
    int64_t offset = 0;
    for (int32_t axis = o->view.ndim - 1; axis >= 0; --axis) {
        offset += e % o->view.shape[axis] * o->view.stride[axis];
        e /= o->view.shape[axis];
    }
    return (char *)o->view.data + offset * (int64_t)gm_dtype_size(o->view.dtype);
}

void **operand_places(const operand *o) {
    void **places = malloc(((size_t)o->elements + 1) * sizeof *places);
    int64_t index[GM_MAX_DIMS] = {0};
    const int64_t size = (int64_t)gm_dtype_size(o->view.dtype);
    char *at = o->view.data;
    assert_non_null(places);
    for (int64_t e = 0; e < o->elements; ++e) {
        places[e] = at;
        for (int32_t axis = o->view.ndim - 1; axis >= 0; --axis) {
            at += o->view.stride[axis] * size;
            if (++index[axis] < o->view.shape[axis]) {
                break;
            }
            at -= o->view.shape[axis] * o->view.stride[axis] * size;
            index[axis] = 0;
        }
    }
    return places;
}

double operand_get(const operand *o, int64_t e) {
    const void *at = operand_at(o, e);
    switch (o->view.dtype) {
    case GM_F64:
        return *(const double *)at;
    case GM_F32:
        return (double)*(const float *)at;
    case GM_F16:
        return (double)gm_f32_from_f16(*(const uint16_t *)at);
    case GM_BF16:
        return (double)gm_f32_from_bf16(*(const uint16_t *)at);
    default:
        return (double)operand_get_integer(o, e);
    }
}

int64_t operand_get_integer(const operand *o, int64_t e) {
    const void *at = operand_at(o, e);
    switch (o->view.dtype) {
    case GM_I8:
        return *(const int8_t *)at;
    case GM_I16:
        return *(const int16_t *)at;
    case GM_I32:
        return *(const int32_t *)at;
    case GM_U16:
        return *(const uint16_t *)at;
    case GM_U32:
        return *(const uint32_t *)at;
    case GM_I64:
    case GM_U64:
        return *(const int64_t *)at;
    default:
        return *(const uint8_t *)at;
    }
}

void operand_set(operand *o, int64_t e, double value) {
    void *at = operand_at(o, e);
    switch (o->view.dtype) {
    case GM_F64:
        *(double *)at = value;
        break;
    case GM_F32:
        *(float *)at = (float)value;
        break;
    case GM_F16:
        *(uint16_t *)at = gm_f16_from_f32((float)value);
        break;
    case GM_BF16:
        *(uint16_t *)at = gm_bf16_from_f32((float)value);
        break;
    case GM_U64: {
        const uint64_t whole = (uint64_t)value;
        memcpy(at, &whole, sizeof whole);
        break;
    }
    default: { /* little-endian: the low bytes come first */
        const int64_t whole = (int64_t)value;
        memcpy(at, &whole, gm_dtype_size(o->view.dtype));
        break;
    }
    }
}

void operand_fill(operand *o, uint64_t seed, double low, double high) {
    for (int64_t e = 0; e < o->elements; ++e) {
        const double u = (double)(next_random(&seed) >> 11) * 0x1p-53;
        operand_set(o, e, low + (high - low) * u);
    }
}

void *operand_upload(const target *t, const operand *o, gm_tensor *view) {
    void *memory;
    ASSERT_OK(t->context, gm_memory_alloc(t->context, o->size, &memory));
    ASSERT_OK(t->context, gm_memory_upload(t->context, memory, o->bytes, o->size));
    *view = o->view;
    view->data = (char *)memory + ((char *)o->view.data - (char *)o->bytes);
    return memory;
}

static uint8_t *fetch(const target *t, const operand *o, void *memory) {
    uint8_t *bytes = malloc(o->size);
    assert_non_null(bytes);
    ASSERT_OK(t->context, gm_memory_download(t->context, bytes, memory, o->size));
    ASSERT_OK(t->context, gm_memory_free(t->context, memory));
    return bytes;
}

void operand_download(const target *t, operand *o, void *memory) {
    uint8_t *bytes = fetch(t, o, memory);
    const size_t size = gm_dtype_size(o->view.dtype);
    for (int64_t e = 0; e < o->elements; ++e) {
        uint8_t *at = operand_at(o, e);
        memcpy(at, bytes + (at - o->bytes), size);
    }
    if (memcmp(bytes, o->bytes, o->size) != 0) {
        fail_msg("%s: something beside the elements of a tensor was written", t->name);
    }
    free(bytes);
}

void operand_unchanged(const target *t, const operand *o, void *memory) {
    uint8_t *bytes = fetch(t, o, memory);
    if (memcmp(bytes, o->bytes, o->size) != 0) {
        fail_msg("%s: an input was written", t->name);
    }
    free(bytes);
}

float *scratch_make(const target *t, int fill) {
    float host[SCRATCH];
    void *memory;
    memset(host, fill, sizeof host);
    ASSERT_OK(t->context, gm_memory_alloc(t->context, sizeof host, &memory));
    ASSERT_OK(t->context, gm_memory_upload(t->context, memory, host, sizeof host));
    return memory;
}

void scratch_untouched(const target *t, float *memory, int fill) {
    float host[SCRATCH], after[SCRATCH];
    memset(host, fill, sizeof host);
    ASSERT_OK(t->context, gm_memory_download(t->context, after, memory, sizeof after));
    assert_memory_equal(host, after, sizeof host);
    ASSERT_OK(t->context, gm_memory_free(t->context, memory));
}

double roundoff(gm_dtype dtype) {
    return dtype == GM_F64    ? 0x1p-53
           : dtype == GM_F32  ? 0x1p-24
           : dtype == GM_F16  ? 0x1p-11
           : dtype == GM_BF16 ? 0x1p-8
                              : 0;
}

double compute_roundoff(gm_dtype dtype) {
    return dtype == GM_F64 ? 0x1p-53 : 0x1p-24;
}

bool is_near(double got, double want, double bound) {
    return got == want || (isnan(got) && isnan(want)) || fabs(got - want) <= bound;
}
