/*
 * Tensors of TAPP with values on the host as well, and an oracle: a product summed over its
 * indices, with the strides as they were given.
 */
#ifndef GENMATH_TESTS_TAPP_ORACLE_H
#define GENMATH_TESTS_TAPP_ORACLE_H

#include "tests/tapp_fixture.h"

#include <complex.h>

#include "host/ref/half.h"

enum { MODES = 6, BATCHES = 3 };

static const size_t size_of[] = {4, 8, 8, 16, 2, 2};
static const TAPP_datatype types[] = {TAPP_F32, TAPP_F64, TAPP_C32, TAPP_C64, TAPP_F16, TAPP_BF16};

static inline bool is_complex(TAPP_datatype type) {
    return type == TAPP_C32 || type == TAPP_C64;
}

/* ---- elements -------------------------------------------------------------------------------- */

static inline void put(TAPP_datatype type, void *memory, int64_t i, double complex x) {
    const double pair[] = {creal(x), cimag(x)};
    const float floats[] = {(float)pair[0], (float)pair[1]};
    const uint16_t half = type == TAPP_F16 ? gm_half_from(pair[0]) : gm_bfloat_from(pair[0]);
    const bool wide = type == TAPP_F64 || type == TAPP_C64;
    const void *from = type == TAPP_F16 || type == TAPP_BF16 ? (const void *)&half
                       : wide                                ? (const void *)pair
                                                             : (const void *)floats;
    memcpy((char *)memory + i * (int64_t)size_of[type], from, size_of[type]);
}

static inline double complex make_complex(double re, double im) {
    return re + im * I;
}

static inline double complex get(TAPP_datatype type, const void *memory, int64_t i) {
    const char *at = (const char *)memory + i * (int64_t)size_of[type];
    double pair[2] = {0};
    float floats[2] = {0};
    uint16_t half;
    switch (type) {
    case TAPP_F16:
    case TAPP_BF16:
        memcpy(&half, at, 2);
        return type == TAPP_F16 ? gm_half_value(half) : gm_bfloat_value(half);
    case TAPP_F64:
    case TAPP_C64:
        memcpy(pair, at, size_of[type]);
        break;
    default:
        memcpy(floats, at, size_of[type]);
        pair[0] = (double)floats[0];
        pair[1] = (double)floats[1];
    }
    return make_complex(pair[0], pair[1]);
}

/* ---- tensors --------------------------------------------------------------------------------- */

/* Modes by letter; a stride of PACKED for the first: row-major. */
#define PACKED INT64_MIN

typedef struct shape {
    const char *idx;
    int64_t extent[MODES], stride[MODES];
} shape;

typedef struct tensor {
    TAPP_datatype type;
    TAPP_element_op op;
    int nmode;
    int64_t idx[MODES], extent[MODES], stride[MODES];
    int64_t low, count;    /* elements of the storage below element 0, and in all */
    double complex *value; /* of the storage, BATCHES times */
    void *memory;          /* the same, where the backend computes */
    TAPP_tensor_info info;
} tensor;

/* Letters become indices that are no small numbers. */
static inline int64_t index_of(char letter) {
    return letter % 2 == 0 ? -(int64_t)letter * 1000003 : INT64_MAX - letter;
}

static inline void describe(tensor *x, const shape *s, TAPP_datatype type) {
    int64_t high = 0, step = 1;
    *x = (tensor){.type = type, .nmode = (int)strlen(s->idx)};
    for (int i = x->nmode - 1; i >= 0; --i) {
        x->idx[i] = index_of(s->idx[i]);
        x->extent[i] = s->extent[i];
        x->stride[i] = s->stride[0] == PACKED ? step : s->stride[i];
        step *= s->extent[i];
        const int64_t reach = s->extent[i] > 0 ? x->stride[i] * (s->extent[i] - 1) : 0;
        *(reach < 0 ? &x->low : &high) += reach < 0 ? -reach : reach;
    }
    x->count = x->low + high + 4; /* a gap between batches */
}

/* Random values on the host and on the device. */
static inline void fill(const target *t, tensor *x, uint64_t *random) {
    const int64_t all = x->count * BATCHES;
    const int range = x->type == TAPP_F16 || x->type == TAPP_BF16 ? 3 : 5;
    x->value = calloc((size_t)all, sizeof *x->value);
    unsigned char *bytes = calloc((size_t)all, size_of[x->type]);
    assert_true(x->value != NULL && bytes != NULL);
    for (int64_t i = 0; i < all; ++i) {
        const int re = (int)(next_random(random) % (unsigned)range) - range / 2;
        const int im = (int)(next_random(random) % (unsigned)range) - range / 2;
        x->value[i] = make_complex(re, is_complex(x->type) ? im : 0);
        put(x->type, bytes, i, x->value[i]);
    }
    const size_t size = (size_t)all * size_of[x->type];
    ASSERT_OK(t->context, gm_memory_alloc(t->context, size, &x->memory));
    ASSERT_OK(t->context, gm_memory_upload(t->context, x->memory, bytes, size));
    free(bytes);
    assert_success(
        TAPP_create_tensor_info(&x->info, t->handle, x->type, x->nmode, x->extent, x->stride));
}

static inline void drop(const target *t, tensor *x) {
    ASSERT_OK(t->context, gm_memory_free(t->context, x->memory));
    assert_success(TAPP_destroy_tensor_info(x->info));
    free(x->value);
}

static inline void *at_batch(const tensor *x, int batch) {
    return (char *)x->memory + (x->count * batch + x->low) * (int64_t)size_of[x->type];
}

/* ---- the oracle ------------------------------------------------------------------------------ */

typedef struct labels {
    int count, outputs; /* those of D come first */
    int64_t idx[3 * MODES], extent[3 * MODES], at[3 * MODES];
} labels;

static inline int find_label(const labels *l, int64_t idx) {
    for (int i = 0; i < l->count; ++i) {
        if (l->idx[i] == idx) {
            return i;
        }
    }
    return -1;
}

static inline void add_labels(labels *l, const tensor *x) {
    for (int i = 0; i < x->nmode; ++i) {
        if (find_label(l, x->idx[i]) < 0) {
            l->idx[l->count] = x->idx[i];
            l->extent[l->count++] = x->extent[i];
        }
    }
}

/* Counts labels first..end on by one; false when they are through. */
static inline bool advance(labels *l, int first, int end) {
    for (int i = end - 1; i >= first; --i) {
        if (++l->at[i] < l->extent[i]) {
            return true;
        }
        l->at[i] = 0;
    }
    return false;
}

static inline bool is_empty(const labels *l, int first, int end) {
    for (int i = first; i < end; ++i) {
        if (l->extent[i] == 0) {
            return true;
        }
    }
    return false;
}

static inline int64_t place_of(const labels *l, const tensor *x, int batch) {
    int64_t place = x->count * batch + x->low;
    for (int i = 0; i < x->nmode; ++i) {
        place += x->stride[i] * l->at[find_label(l, x->idx[i])];
    }
    return place;
}

static inline double complex apply(const tensor *x, double complex value) {
    return x->op == TAPP_CONJUGATE ? conj(value) : value;
}

/* Writes the storage of D as it must be after one batch. c NULL: D before. */
static inline void work_out(const tensor *a, const tensor *b, const tensor *c, const tensor *d,
                            int batch, double complex alpha, double complex beta,
                            double complex *expected) {
    labels l = {0};
    add_labels(&l, d);
    l.outputs = l.count;
    add_labels(&l, a);
    add_labels(&l, b);
    if (is_empty(&l, 0, l.outputs)) {
        return;
    }
    do {
        double complex sum = 0;
        if (!is_empty(&l, l.outputs, l.count)) {
            do {
                sum += apply(a, a->value[place_of(&l, a, batch)]) *
                       apply(b, b->value[place_of(&l, b, batch)]);
            } while (advance(&l, l.outputs, l.count));
        }
        const int64_t at = place_of(&l, d, batch);
        double complex addend = 0;
        if (beta != 0) {
            addend = apply(c, c->value[place_of(&l, c, batch)]);
        }
        const double complex result = apply(d, alpha * sum + beta * addend);
        assert_true(cabs(result) <= (d->type >= TAPP_F16 ? 256 : 1 << 20)); /* exact */
        expected[at] = result;
    } while (advance(&l, 0, l.outputs));
}

static inline void assert_storage(const target *t, const char *name, const tensor *d,
                                  const double complex *expected) {
    const int64_t all = d->count * BATCHES;
    unsigned char *bytes = malloc((size_t)all * size_of[d->type]);
    assert_non_null(bytes);
    ASSERT_OK(t->context,
              gm_memory_download(t->context, bytes, d->memory, (size_t)all * size_of[d->type]));
    for (int64_t i = 0; i < all; ++i) {
        const double complex got = get(d->type, bytes, i);
        if (creal(got) != creal(expected[i]) || cimag(got) != cimag(expected[i])) {
            fail_msg("%s: %s: type %d, element %lld is %g + %gi, not %g + %gi", t->name, name,
                     d->type, (long long)i, creal(got), cimag(got), creal(expected[i]),
                     cimag(expected[i]));
        }
    }
    free(bytes);
}

#endif
