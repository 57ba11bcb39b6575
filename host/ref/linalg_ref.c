/* The oracle of linear algebra: one problem after another, and the operations all of them use. */
#include "host/ref/linalg_ref.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "host/ref/ref.h"

#define ITEM(kind, name) gm_ref_item_##name,
static const gm_linalg_item items[] = {GM_LINALG_LIST(ITEM)};

#define KERNEL(kind, name) "linalg_" #name "_ref",
static const char *const kernels[] = {GM_LINALG_LIST(KERNEL)};

size_t gm_ref_linalg_workspace(gm_call *call, const gm_linalg_args *args) {
    (void)call;
    return gm_linalg_item_bytes(items[args->kind], args);
}

gm_status gm_ref_linalg(gm_call *call, const gm_linalg_args *args) {
    for (int64_t problem = 0; problem < args->problems; ++problem) {
        gm_arena arena = {args->workspace, 0, NULL};
        const gm_linalg_outcome outcome = items[args->kind](args, problem, &arena);
        gm_linalg_finish(args, problem, &outcome);
    }
    call->kernel = kernels[args->kind];
    return GM_STATUS_OK;
}

static gm_complex load_entry(const gm_linalg_matrix *m, int64_t at) {
    switch (m->dtype) {
    case GM_F64:
        return ((const double *)m->data)[at];
    case GM_F32:
        return (double)((const float *)m->data)[at];
    case GM_C128:
        return CMPLX(((const double *)m->data)[2 * at], ((const double *)m->data)[2 * at + 1]);
    default:
        return CMPLX((double)((const float *)m->data)[2 * at],
                     (double)((const float *)m->data)[2 * at + 1]);
    }
}

/* Returns whether the stored value is finite. */
static bool store_entry(const gm_linalg_matrix *m, int64_t at, gm_complex value) {
    const double real = creal(value), imaginary = cimag(value);
    switch (m->dtype) {
    case GM_F64:
        ((double *)m->data)[at] = real;
        return isfinite(real);
    case GM_F32:
        ((float *)m->data)[at] = (float)real;
        return isfinite((float)real);
    case GM_C128:
        ((double *)m->data)[2 * at] = real;
        ((double *)m->data)[2 * at + 1] = imaginary;
        return isfinite(real) && isfinite(imaginary);
    case GM_C64:
        ((float *)m->data)[2 * at] = (float)real;
        ((float *)m->data)[2 * at + 1] = (float)imaginary;
        return isfinite((float)real) && isfinite((float)imaginary);
    default:
        ((int32_t *)m->data)[at] = (int32_t)real;
        return true;
    }
}

static int64_t layer_offset(const gm_linalg_args *args, const gm_linalg_matrix *m, int64_t problem,
                            const int64_t layer[2]) {
    return gm_linalg_offset(args, m, problem) + layer[0] * m->extra_stride[0] +
           layer[1] * m->extra_stride[1];
}

bool gm_ref_load_layer(const gm_linalg_args *args, const gm_linalg_matrix *m, int64_t problem,
                       const int64_t layer[2], gm_complex *to) {
    const int64_t first = layer_offset(args, m, problem, layer);
    bool finite = true;
    for (int64_t j = 0; j < m->columns; ++j) {
        for (int64_t i = 0; i < m->rows; ++i) {
            const gm_complex value =
                load_entry(m, first + i * m->row_stride + j * m->column_stride);
            to[i + j * m->rows] = value;
            finite = finite && isfinite(creal(value)) && isfinite(cimag(value));
        }
    }
    return finite;
}

bool gm_ref_store_layer(const gm_linalg_args *args, const gm_linalg_matrix *m, int64_t problem,
                        const int64_t layer[2], const gm_complex *from, int64_t ld) {
    if (m->data == NULL) {
        return true;
    }
    const int64_t first = layer_offset(args, m, problem, layer);
    bool finite = true;
    for (int64_t j = 0; j < m->columns; ++j) {
        for (int64_t i = 0; i < m->rows; ++i) {
            finite &=
                store_entry(m, first + i * m->row_stride + j * m->column_stride, from[i + j * ld]);
        }
    }
    return finite;
}

static const int64_t only_layer[2];

bool gm_ref_load(const gm_linalg_args *args, const gm_linalg_matrix *m, int64_t problem,
                 gm_complex *to) {
    return gm_ref_load_layer(args, m, problem, only_layer, to);
}

bool gm_ref_store(const gm_linalg_args *args, const gm_linalg_matrix *m, int64_t problem,
                  const gm_complex *from, int64_t ld) {
    return gm_ref_store_layer(args, m, problem, only_layer, from, ld);
}

bool gm_ref_finite(int64_t count, const gm_complex *a) {
    bool finite = true;
    for (int64_t i = 0; i < count; ++i) {
        finite = finite && isfinite(creal(a[i])) && isfinite(cimag(a[i]));
    }
    return finite;
}

bool gm_ref_load_hermitian(const gm_linalg_args *args, int64_t problem, gm_complex *to) {
    const int64_t n = args->in[0].rows;
    (void)gm_ref_load(args, &args->in[0], problem, to);
    for (int64_t j = 0; j < n; ++j) {
        to[j + j * n] = creal(to[j + j * n]);
        for (int64_t i = j + 1; i < n; ++i) {
            to[j + i * n] = conj(to[i + j * n]);
        }
    }
    return gm_ref_finite(n * n, to);
}

double gm_ref_eps(const gm_linalg_args *args) {
    return args->dtype == GM_F32 || args->dtype == GM_C64 ? (double)FLT_EPSILON : DBL_EPSILON;
}

double gm_ref_norm_1(int64_t m, int64_t n, const gm_complex *a) {
    double norm = 0;
    for (int64_t j = 0; j < n; ++j) {
        double sum = 0;
        for (int64_t i = 0; i < m; ++i) {
            sum += cabs(a[i + j * m]);
        }
        norm = fmax(norm, sum);
    }
    return norm;
}

double gm_ref_norm(int64_t m, int64_t n, const gm_complex *a) {
    double norm = 0; /* hypot neither overflows nor underflows on the way */
    for (int64_t i = 0; i < m * n; ++i) {
        norm = hypot(norm, cabs(a[i]));
    }
    return norm;
}

void gm_ref_multiply(int64_t m, int64_t n, int64_t k, const gm_complex *a, const gm_complex *b,
                     gm_complex *c) {
    for (int64_t j = 0; j < n; ++j) {
        for (int64_t i = 0; i < m; ++i) {
            gm_complex sum = 0;
            for (int64_t l = 0; l < k; ++l) {
                sum += a[i + l * m] * b[l + j * k];
            }
            c[i + j * m] = sum;
        }
    }
}

double gm_ref_relative_error(int64_t m, int64_t n, int64_t k, const gm_complex *left,
                             const gm_complex *right, const gm_complex *b, double scale,
                             gm_complex *product) {
    gm_ref_multiply(m, n, k, left, right, product);
    for (int64_t i = 0; i < m * n; ++i) {
        product[i] -= b[i];
    }
    return scale > 0 ? gm_ref_norm(m, n, product) / scale : 0;
}

void gm_ref_adjoint(int64_t m, int64_t n, const gm_complex *a, gm_complex *b) {
    for (int64_t j = 0; j < n; ++j) {
        for (int64_t i = 0; i < m; ++i) {
            b[j + i * n] = conj(a[i + j * m]);
        }
    }
}

void gm_ref_identity(int64_t n, gm_complex *a) {
    for (int64_t i = 0; i < n * n; ++i) {
        a[i] = i % (n + 1) == 0;
    }
}

void gm_ref_copy(int64_t count, const gm_complex *from, gm_complex *to) {
    memcpy(to, from, (size_t)count * sizeof *to);
}
