#include "linalg.h"

#include <float.h>
#include <math.h>

host hosts[HOSTS] = {
    {"ref", {.backend = GM_BACKEND_REF}, NULL},
    {"cpu", {.backend = GM_BACKEND_CPU, .threads = 1}, NULL},
    {"emu", {.backend = GM_BACKEND_EMU}, NULL},
    {"cuda", {.backend = GM_BACKEND_CUDA}, NULL},
    {"cpu, 3 threads", {.backend = GM_BACKEND_CPU, .threads = 3}, NULL},
};

bool is_device(const host *s) {
    return s == &hosts[EMU] || s == &hosts[CUDA];
}

int open_hosts(void **state) {
    (void)state;
    for (int i = 0; i < HOSTS; ++i) {
        const gm_status status = gm_context_create(&hosts[i].options, &hosts[i].context);
        if (status != GM_STATUS_OK && is_device(&hosts[i])) {
            print_message("skip: %s: %s\n", hosts[i].name, gm_last_error(NULL));
            continue;
        }
        ASSERT_OK(NULL, status);
    }
    return 0;
}

int close_hosts(void **state) {
    (void)state;
    for (int i = 0; i < HOSTS; ++i) {
        gm_context_destroy(hosts[i].context);
    }
    return 0;
}

/* ---- the operations -------------------------------------------------------------------------- */

#define RUN(name, call)                                                                            \
    static gm_status run_##name(gm_context *c, const gm_tensor *in, const gm_tensor *const *out,   \
                                const gm_linalg_report *r, gm_workspace *w) {                      \
        return call;                                                                               \
    }
RUN(lu, gm_linalg_lu(c, &in[0], out[0], out[1], r, w))
RUN(cholesky, gm_linalg_cholesky(c, &in[0], out[0], r, w))
RUN(qr, gm_linalg_qr(c, &in[0], out[0], out[1], r, w))
RUN(solve, gm_linalg_solve(c, &in[0], &in[1], out[0], r, w))
RUN(triangular, gm_linalg_triangular_solve(c, NULL, &in[0], &in[1], out[0], r, w))
RUN(inverse, gm_linalg_inverse(c, &in[0], out[0], r, w))
RUN(determinant, gm_linalg_determinant(c, &in[0], &(gm_determinant_result){out[0], out[1], out[2]},
                                       &(gm_linalg_report){r->status, r->rcond, NULL}, w))
RUN(svd, gm_linalg_svd(c, &in[0], out[0], out[1], out[2], r, w))
RUN(svd_truncated, gm_linalg_svd(c, &in[0], out[0], out[1], out[2],
                                 &(gm_linalg_report){r->status, r->rcond, NULL}, w))
RUN(svd_values,
    gm_linalg_svd(c, &in[0], NULL, out[0], NULL, &(gm_linalg_report){r->status, r->rcond, NULL}, w))
RUN(eigen_hermitian, gm_linalg_eigen_hermitian(c, &in[0], out[0], out[1], r, w))
RUN(eigen, gm_linalg_eigen(c, &in[0], out[0], out[1], r, w))
RUN(least_squares, gm_linalg_least_squares(c, 0, &in[0], &in[1], out[0], out[1], r, w))
RUN(pseudoinverse, gm_linalg_pseudoinverse(c, 0, &in[0], out[0], out[1], r, w))
RUN(sqrt_psd, gm_linalg_sqrt_psd(c, &in[0], out[0], r, w))
RUN(inverse_sqrt_psd, gm_linalg_inverse_sqrt_psd(c, &in[0], out[0], r, w))
#define STATUS_ONLY (&(gm_linalg_report){.status = r->status})
RUN(exp, gm_linalg_exp(c, 0.75, &in[0], out[0], STATUS_ONLY, w))
RUN(exp_apply, gm_linalg_exp_apply(c, -1.25, &in[0], &in[1], out[0], STATUS_ONLY, w))
RUN(power, gm_linalg_power(c, 5, &in[0], out[0], STATUS_ONLY, w))
RUN(phi, gm_linalg_phi(c, 0.75, &in[0], out[0], STATUS_ONLY, w))
RUN(magnus, gm_linalg_magnus(c, 0.5, &in[0], out[0], STATUS_ONLY, w))
RUN(kronecker, gm_linalg_kronecker_apply(c, &in[0], &in[2], &in[1], out[0], STATUS_ONLY, w))
RUN(kronecker_solve, gm_linalg_kronecker_solve(c, &in[0], &in[2], &in[1], out[0], r, w))

const operation operations[] = {
    {"lu", {"mns"}, {"mns", "mi"}, 'g', 2, run_lu},
    {"cholesky", {"nns"}, {"nns"}, 'p', 3, run_cholesky},
    {"qr", {"mns"}, {"mls", "lns"}, 'g', 2, run_qr},
    {"qr complete", {"mns"}, {"mms", "mns"}, 'g', 2, run_qr},
    {"solve", {"nns", "nks"}, {"nks"}, 'r', 3, run_solve},
    {"triangular_solve", {"nns", "nks"}, {"nks"}, 't', 3, run_triangular},
    {"inverse", {"nns"}, {"nns"}, 'r', 3, run_inverse},
    {"determinant", {"nns"}, {"s", "s", "r"}, 'r', 1, run_determinant},
    {"svd", {"mns"}, {"mls", "lr", "lns"}, 'g', 3, run_svd},
    {"svd complete", {"mns"}, {"mms", "lr", "nns"}, 'g', 3, run_svd},
    {"svd values", {"mns"}, {"lr"}, 'g', 1, run_svd_values},
    {"eigen_hermitian", {"nns"}, {"nr", "nns"}, 'p', 3, run_eigen_hermitian},
    {"eigen", {"nns"}, {"nc", "nnc"}, 'r', 3, run_eigen},
    {"least_squares", {"mns", "mks"}, {"nks", "i"}, 'g', 3, run_least_squares},
    {"pseudoinverse", {"mns"}, {"nms", "i"}, 'g', 3, run_pseudoinverse},
    {"sqrt_psd", {"nns"}, {"nns"}, 'p', 3, run_sqrt_psd},
    {"inverse_sqrt_psd", {"nns"}, {"nns"}, 'p', 3, run_inverse_sqrt_psd},
    {"exp", {"nns"}, {"nns"}, 'r', 0, run_exp},
    {"exp_apply", {"nns", "nks"}, {"nks"}, 'r', 0, run_exp_apply},
    {"power", {"nns"}, {"nns"}, 'r', 0, run_power},
    {"phi", {"nns"}, {"4nns"}, 'r', 0, run_phi},
    {"magnus 2", {"31nns"}, {"nns"}, 'r', 0, run_magnus},
    {"magnus 4", {"32nns"}, {"nns"}, 'r', 0, run_magnus},
    {"svd truncated", {"mns"}, {"m1s", "1r", "1ns"}, 'g', 1, run_svd_truncated},
    {"kronecker_apply", {"mns", "xks", "23s"}, {"yks"}, 'g', 0, run_kronecker},
    {"kronecker_solve", {"nns", "xks", "33s"}, {"xks"}, 'r', 3, run_kronecker_solve},
};
const int operation_count = sizeof operations / sizeof *operations;

const operation *find_operation(const char *name) {
    for (int i = 0; i < operation_count; ++i) {
        if (strcmp(operations[i].name, name) == 0) {
            return &operations[i];
        }
    }
    fail_msg("no operation %s", name);
    return NULL;
}

bool runs(const host *s, const operation *o) {
    static signed char known[HOSTS][sizeof operations / sizeof *operations];
    signed char *has = &known[s - hosts][o - operations];
    if (!is_device(s) || *has != 0 || s->context == NULL) {
        return s->context != NULL && *has >= 0;
    }
    const gm_workspace nothing = {0};
    gm_workspace workspace = nothing;
    batch none = make_batch(o, GM_F64, 2, 2, 1, 0, ROWS, false, 1);
    const gm_tensor in[INPUTS] = {none.in[0].tensor, none.in[1].tensor, none.in[2].tensor};
    const gm_tensor *out[OUTPUTS];
    for (int i = 0; i < OUTPUTS; ++i) {
        out[i] = none.out[i].memory != NULL ? &none.out[i].tensor : NULL;
    }
    const gm_status status = o->run(s->context, in, out, &(gm_linalg_report){0}, &workspace);
    free_batch(&none);
    if (status == GM_STATUS_UNSUPPORTED) {
        print_message("skip: %s\n", gm_last_error(s->context));
    } else {
        ASSERT_OK(s->context, status);
    }
    *has = status == GM_STATUS_OK ? 1 : -1;
    return *has > 0;
}

bool runs_all(const host *s, const char *const *names) {
    while (*names != NULL && runs(s, find_operation(*names))) {
        ++names;
    }
    return *names == NULL;
}

/* ---- arrays ---------------------------------------------------------------------------------- */

const gm_dtype dtypes[4] = {GM_F64, GM_F32, GM_C128, GM_C64};

static bool single(gm_dtype dtype) {
    return dtype == GM_F32 || dtype == GM_C64;
}

double eps_of(gm_dtype dtype) {
    return single(dtype) ? (double)FLT_EPSILON : DBL_EPSILON;
}

gm_dtype real_of(gm_dtype dtype) {
    return single(dtype) ? GM_F32 : GM_F64;
}

gm_dtype complex_of(gm_dtype dtype) {
    return single(dtype) ? GM_C64 : GM_C128;
}

enum { GUARD = 64 };

/* Strides for a shape whose axis 0 is the batch. */
static void lay_out(gm_tensor *t, layout l, int64_t *low, int64_t *high) {
    int order[8], axes = t->ndim; /* from the slowest to the fastest */
    for (int i = 0; i < axes; ++i) {
        order[i] = l == INTERLEAVED ? axes - 1 - i : i;
    }
    if (l == COLUMNS && axes >= 3) {
        order[axes - 1] = axes - 2;
        order[axes - 2] = axes - 1;
    }
    int64_t stride = l == INTERLEAVED ? 2 : 1;
    *low = *high = 0;
    for (int i = axes - 1; i >= 0; --i) {
        const int axis = order[i];
        t->stride[axis] = l == BACKWARDS ? -stride : stride;
        const int64_t reach = (t->shape[axis] - 1) * t->stride[axis];
        *(reach < 0 ? low : high) += t->shape[axis] > 0 ? reach : 0;
        stride *= (t->shape[axis] > 0 ? t->shape[axis] : 1) + (l == BACKWARDS && i == axes - 1);
    }
}

/* spec NULL or "": none. */
static array make_array(const batch *b, const char *spec, layout l) {
    array a = {0};
    if (spec == NULL || spec[0] == '\0') {
        return a;
    }
    gm_tensor *t = &a.tensor;
    const size_t last = strlen(spec) - 1;
    const char kind = spec[last];
    t->dtype = kind == 's'   ? b->dtype
               : kind == 'r' ? real_of(b->dtype)
               : kind == 'c' ? complex_of(b->dtype)
                             : GM_I32;
    t->ndim = (int32_t)last + 1;
    t->shape[0] = b->problems;
    a.elements = 1;
    for (size_t i = 0; i < last; ++i) {
        const int64_t least = b->m < b->n ? b->m : b->n;
        const char c = spec[i];
        t->shape[i + 1] = c == 'm'   ? b->m
                          : c == 'n' ? b->n
                          : c == 'k' ? b->k
                          : c == 'l' ? least
                          : c == 'x' ? 3 * b->n
                          : c == 'y' ? 2 * b->m
                          : c == 'h' ? (b->n > 0 ? b->n / 2 + 1 : 0)
                                     : c - '0';
        if (c == '1' && last <= 2 && least < 1) {
            t->shape[i + 1] = 0; /* nothing to truncate */
        }
        a.elements *= t->shape[i + 1];
    }
    int64_t low, high;
    lay_out(t, l, &low, &high);
    const size_t size = gm_dtype_size(t->dtype);
    a.bytes = (size_t)(high - low + 1) * size + 2 * GUARD;
    a.memory = malloc(a.bytes);
    a.before = malloc(a.bytes);
    assert_true(a.memory != NULL && a.before != NULL);
    memset(a.memory, 0xa5, a.bytes);
    t->data = a.memory + GUARD - low * (int64_t)size;
    return a;
}

static int64_t offset_of(const array *a, int64_t problem, int64_t e) {
    int64_t offset = problem * a->tensor.stride[0];
    for (int32_t axis = a->tensor.ndim - 1; axis > 0; --axis) {
        offset += e % a->tensor.shape[axis] * a->tensor.stride[axis];
        e /= a->tensor.shape[axis];
    }
    return offset;
}

static number read_element(const void *data, gm_dtype dtype, int64_t at) {
    const double *d = data;
    const float *f = data;
    switch (dtype) {
    case GM_F64:
        return d[at];
    case GM_F32:
        return (double)f[at];
    case GM_C128:
        return CMPLX(d[2 * at], d[2 * at + 1]);
    case GM_C64:
        return CMPLX((double)f[2 * at], (double)f[2 * at + 1]);
    default:
        return ((const int32_t *)data)[at];
    }
}

number get(const array *a, int64_t problem, int64_t e) {
    return read_element(a->tensor.data, a->tensor.dtype, offset_of(a, problem, e));
}

void set(array *a, int64_t problem, int64_t e, number value) {
    const int64_t at = offset_of(a, problem, e);
    double *d = a->tensor.data;
    float *f = a->tensor.data;
    switch (a->tensor.dtype) {
    case GM_F64:
        d[at] = creal(value);
        break;
    case GM_F32:
        f[at] = (float)creal(value);
        break;
    case GM_C128:
        d[2 * at] = creal(value);
        d[2 * at + 1] = cimag(value);
        break;
    case GM_C64:
        f[2 * at] = (float)creal(value);
        f[2 * at + 1] = (float)cimag(value);
        break;
    default:
        ((int32_t *)a->tensor.data)[at] = (int32_t)creal(value);
    }
}

int64_t count_of(const array *a) {
    return a->elements;
}

/* Every byte that is no element is as it was; of an input every byte. */
static void assert_guards(const array *a, bool input) {
    uint8_t *expected = malloc(a->bytes);
    assert_non_null(expected);
    memcpy(expected, a->before, a->bytes);
    const size_t size = gm_dtype_size(a->tensor.dtype);
    const uint8_t *data = a->tensor.data;
    for (int64_t p = 0; p < a->tensor.shape[0] && !input; ++p) {
        for (int64_t e = 0; e < a->elements; ++e) {
            const ptrdiff_t at = data - a->memory + offset_of(a, p, e) * (int64_t)size;
            memcpy(expected + at, a->memory + at, size);
        }
    }
    assert_memory_equal(a->memory, expected, a->bytes);
    free(expected);
}

/* ---- batches --------------------------------------------------------------------------------- */

static double uniform(uint64_t *state) {
    return (double)(next_random(state) >> 11) * 0x1p-52 - 1;
}

/* A matrix of the kind the operation wants, in row-major order. */
static void fill_matrix(const batch *b, const array *a, uint64_t *state, number *x) {
    const bool is_complex = b->dtype == GM_C64 || b->dtype == GM_C128;
    const int64_t n = b->n;
    for (int64_t e = 0; e < a->elements; ++e) {
        const double real = uniform(state), imaginary = uniform(state);
        x[e] = CMPLX(real, is_complex ? imaginary : 0);
    }
    if (a == &b->in[0] && b->operation->matrix == 'p') { /* B B^H / n + I / 10 */
        number *square = malloc((size_t)(n * n + 1) * sizeof *square);
        assert_non_null(square);
        for (int64_t i = 0; i < n; ++i) {
            for (int64_t j = 0; j < n; ++j) {
                number sum = i == j ? 0.1 : 0;
                for (int64_t l = 0; l < n; ++l) {
                    sum += x[i * n + l] * conj(x[j * n + l]) / (double)n;
                }
                square[i * n + j] = i < j ? NAN : sum;
            }
        }
        memcpy(x, square, (size_t)(n * n) * sizeof *x);
        free(square);
    } else if (a == &b->in[0] && b->operation->matrix == 't') {
        for (int64_t i = 0; i < n; ++i) {
            x[i * n + i] += creal(x[i * n + i]) < 0 ? -2 : 2;
            for (int64_t j = 0; j < n; ++j) {
                x[i * n + j] = j > i ? NAN : x[i * n + j] / (i == j ? 1 : (double)n);
            }
        }
    }
}

batch make_batch(const operation *o, gm_dtype dtype, int64_t m, int64_t n, int64_t k,
                 int64_t problems, layout l, bool shared, uint64_t seed) {
    batch b = {.operation = o,
               .dtype = dtype,
               .m = o->matrix == 'g' ? m : n,
               .n = n,
               .k = k,
               .problems = problems,
               .shared = shared};
    for (int i = 0; i < INPUTS; ++i) {
        b.in[i] = make_array(&b, o->in[i], l);
    }
    for (int i = 0; i < OUTPUTS; ++i) {
        b.out[i] = make_array(&b, o->out[i], l);
    }
    b.status = make_array(&b, "i", l);
    b.rcond = make_array(&b, o->report & RCOND ? "r" : "", l);
    b.residual = make_array(&b, o->report & RESIDUAL ? "r" : "", l);
    for (int i = 0; i < INPUTS; ++i) {
        if (b.in[i].memory == NULL) {
            continue;
        }
        number *x = malloc((size_t)(b.in[i].elements + 1) * sizeof *x);
        assert_non_null(x);
        for (int64_t p = 0; p < problems; ++p) {
            uint64_t state = (seed + (uint64_t)(shared ? 0 : p)) * INPUTS + (uint64_t)i;
            fill_matrix(&b, &b.in[i], &state, x);
            for (int64_t e = 0; e < b.in[i].elements; ++e) {
                const bool right = i == 1 || o->matrix == 'g' || o->matrix == 'r';
                /* every layer of Magnus is a matrix of its own; scale keeps norms near 1 */
                const double scale = right ? 1 / sqrt((double)(n > 0 ? n : 1)) : 1;
                set(&b.in[i], p, e, x[e] * scale);
            }
        }
        if (shared) {
            b.in[i].tensor.stride[0] = 0;
        }
        free(x);
    }
    return b;
}

static void free_array(array *a) {
    free(a->memory);
    free(a->before);
}

void free_batch(batch *b) {
    for (int i = 0; i < INPUTS; ++i) {
        free_array(&b->in[i]);
    }
    for (int i = 0; i < OUTPUTS; ++i) {
        free_array(&b->out[i]);
    }
    free_array(&b->status);
    free_array(&b->rcond);
    free_array(&b->residual);
}

static void each_array(batch *b, void (*visit)(array *a, bool input)) {
    for (int i = 0; i < INPUTS + OUTPUTS + 3; ++i) {
        array *const reported[] = {&b->status, &b->rcond, &b->residual};
        array *a = i < INPUTS             ? &b->in[i]
                   : i < INPUTS + OUTPUTS ? &b->out[i - INPUTS]
                                          : reported[i - INPUTS - OUTPUTS];
        if (a->memory != NULL) {
            visit(a, i < INPUTS);
        }
    }
}

static void remember(array *a, bool input) {
    (void)input;
    memcpy(a->before, a->memory, a->bytes);
}

static void check_guards(array *a, bool input) {
    assert_guards(a, input);
}

void *place_on(const host *s, void *memory, size_t bytes) {
    void *placed = memory;
    if (is_device(s)) {
        ASSERT_OK(s->context, gm_memory_alloc(s->context, bytes, &placed));
        ASSERT_OK(s->context, gm_memory_upload(s->context, placed, memory, bytes));
    }
    return placed;
}

void take_from(const host *s, void *placed, void *memory, size_t bytes) {
    if (is_device(s)) {
        ASSERT_OK(s->context, gm_memory_download(s->context, memory, placed, bytes));
        ASSERT_OK(s->context, gm_memory_free(s->context, placed));
    }
}

/* Runs with a guarded workspace of the size that is asked for. */
static void run_guarded(const host *s, const operation *o, const gm_tensor *in,
                        const gm_tensor *const *out, const gm_linalg_report *report) {
    gm_workspace workspace = {0};
    ASSERT_OK(s->context, o->run(s->context, in, out, report, &workspace));
    const size_t bytes = (workspace.bytes + 63) / 64 * 64 + GUARD;
    uint8_t *memory = aligned_alloc(64, bytes);
    assert_non_null(memory);
    memset(memory, 0xff, workspace.bytes); /* NaN, to show scratch that is read before written */
    memset(memory + workspace.bytes, 0x5a, bytes - workspace.bytes);
    workspace.data = place_on(s, memory, bytes);
    ASSERT_OK(s->context, o->run(s->context, in, out, report, &workspace));
    take_from(s, workspace.data, memory, bytes);
    for (size_t i = workspace.bytes; i < bytes; ++i) {
        assert_int_equal(memory[i], 0x5a);
    }
    free(memory);
}

enum { ARRAYS = INPUTS + OUTPUTS + 3 };

void run_batch(const host *s, batch *b) {
    each_array(b, remember);
    array *const arrays[ARRAYS] = {&b->in[0],  &b->in[1],  &b->in[2], &b->out[0],  &b->out[1],
                                   &b->out[2], &b->status, &b->rcond, &b->residual};
    gm_tensor tensors[ARRAYS];
    const gm_tensor *wanted[ARRAYS];
    void *copies[ARRAYS];
    for (int i = 0; i < ARRAYS; ++i) {
        const array *a = arrays[i];
        tensors[i] = a->tensor;
        wanted[i] = a->memory != NULL ? &tensors[i] : NULL;
        if (a->memory != NULL) {
            copies[i] = place_on(s, a->memory, a->bytes);
            tensors[i].data = (uint8_t *)copies[i] + ((uint8_t *)a->tensor.data - a->memory);
        }
    }
    const gm_linalg_report report = {wanted[INPUTS + OUTPUTS], wanted[INPUTS + OUTPUTS + 1],
                                     wanted[INPUTS + OUTPUTS + 2]};
    run_guarded(s, b->operation, tensors, wanted + INPUTS, &report);
    for (int i = 0; i < ARRAYS; ++i) {
        if (wanted[i] != NULL) {
            take_from(s, copies[i], arrays[i]->memory, arrays[i]->bytes);
        }
    }
    each_array(b, check_guards);
}

static bool same_array(const array *a, int64_t p, const array *b, int64_t q) {
    const size_t size = a->memory != NULL ? gm_dtype_size(a->tensor.dtype) : 0;
    for (int64_t e = 0; e < (a->memory != NULL ? a->elements : 0); ++e) {
        const char *left = (const char *)a->tensor.data + offset_of(a, p, e) * (int64_t)size;
        const char *right = (const char *)b->tensor.data + offset_of(b, q, e) * (int64_t)size;
        if (memcmp(left, right, size) != 0) {
            return false;
        }
    }
    return true;
}

bool same_bits(const batch *a, int64_t p, const batch *b, int64_t q) {
    bool same = same_array(&a->status, p, &b->status, q) &&
                same_array(&a->rcond, p, &b->rcond, q) &&
                same_array(&a->residual, p, &b->residual, q);
    for (int i = 0; i < OUTPUTS; ++i) {
        same = same && same_array(&a->out[i], p, &b->out[i], q);
    }
    return same;
}
