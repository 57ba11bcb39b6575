/*
 * Benchmarks of contractions: matrix products, batches of tiny ones, forms of coupled cluster
 * theory at 50 to 200 million operations, and what memory alone bounds. Those are larger than the
 * last cache or so much arithmetic that one set of operands will do.
 */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <genmath/contract.h>

#include "host/cli/bench.h"
#include "host/cli/ensemble_case.h"

enum { OPERANDS = 2, SLICE = 3 };

typedef struct contract_state {
    const char *expression;
    int32_t count;
    double summed; /* products in an element */
    gm_tensor inputs[OPERANDS], output;
    gm_contract_plan *plan;
    void *workspace;
    size_t bytes;
} contract_state;

/* "ab=40 c=36": the size of a label. */
static int64_t size_of(const char *sizes, char label) {
    const char *found = strchr(sizes, label);
    return found == NULL ? 1 : strtoll(strchr(found, '=') + 1, NULL, 10);
}

/* The sizes of the labels up to the next ',' or '-'; returns what follows them. */
static const char *shape_of(const char *labels, const char *sizes, int32_t *ndim, int64_t *shape) {
    *ndim = 0;
    for (; isalpha((unsigned char)*labels); ++labels) {
        shape[(*ndim)++] = size_of(sizes, *labels);
    }
    return labels;
}

static gm_status fill_input(gm_context *context, gm_dtype dtype, int32_t ndim, const int64_t *shape,
                            uint64_t seed, gm_tensor *tensor) {
    int64_t elements = 1;
    for (int32_t i = 0; i < ndim; ++i) {
        elements *= shape[i];
    }
    double *host = malloc((size_t)elements * sizeof *host);
    if (host == NULL) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    for (int64_t i = 0; i < elements; ++i) {
        const double x = case_random(&seed, -1, 1);
        if (dtype == GM_F64) {
            host[i] = x;
        } else {
            ((float *)host)[i] = (float)x;
        }
    }
    const gm_status status = gm_case_upload(context, host, dtype, ndim, shape, tensor);
    free(host);
    return status;
}

static gm_status setup_contract(gm_context *context, const char *expression, const char *sizes,
                                gm_dtype dtype, void **state) {
    contract_state *made = calloc(1, sizeof *made);
    *state = made;
    if (made == NULL) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    made->expression = expression;
    made->summed = 1;
    const char *output = strchr(expression, '>') + 1;
    bool seen[128] = {false};
    gm_status status = GM_STATUS_OK;
    int64_t shape[GM_MAX_DIMS];
    int32_t ndim;
    for (const char *at = expression; status == GM_STATUS_OK && *at != '-'; at += *at == ',') {
        for (const char *l = at; isalpha((unsigned char)*l); ++l) {
            const bool counts = strchr(output, *l) == NULL && !seen[(int)*l];
            made->summed *= counts ? (double)size_of(sizes, *l) : 1;
            seen[(int)*l] = true;
        }
        at = shape_of(at, sizes, &ndim, shape);
        status = fill_input(context, dtype, ndim, shape, 100 + (uint64_t)made->count,
                            &made->inputs[made->count]);
        ++made->count;
    }
    shape_of(output, sizes, &ndim, shape);
    status =
        status == GM_STATUS_OK ? gm_case_alloc(context, dtype, ndim, shape, &made->output) : status;
    status = status == GM_STATUS_OK
                 ? gm_contract_plan_create(context, expression, made->count, made->inputs,
                                           &made->output, NULL, &made->plan)
                 : status;
    made->bytes = gm_contract_workspace(made->plan);
    return status == GM_STATUS_OK ? gm_memory_alloc(context, made->bytes, &made->workspace)
                                  : status;
}

static gm_status run_contract(gm_context *context, void *state, int64_t round) {
    const contract_state *s = state;
    (void)context;
    (void)round;
    return gm_contract_execute(s->plan, NULL, s->inputs, NULL, &s->output, s->workspace, s->bytes);
}

static void teardown_contract(gm_context *context, void *state) {
    contract_state *s = state;
    if (s == NULL) {
        return;
    }
    gm_contract_plan_destroy(s->plan);
    gm_memory_free(context, s->workspace);
    gm_case_free(context, &s->output);
    for (int i = 0; i < OPERANDS; ++i) {
        gm_case_free(context, &s->inputs[i]);
    }
    free(s);
}

/* A copy on the host, cut down to the last SLICE values of each label of the output. */
static gm_status slice(gm_context *context, const gm_tensor *tensor, const char *labels,
                       const char *output, void **host, gm_tensor *view) {
    int64_t elements = 0;
    gm_tensor_elements(tensor, &elements);
    *host = malloc((size_t)elements * gm_dtype_size(tensor->dtype));
    if (*host == NULL) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    *view = *tensor;
    char *at = *host;
    for (int32_t i = 0; i < view->ndim; ++i) {
        if (strchr(output, labels[i]) != NULL && view->shape[i] > SLICE) {
            at += (view->shape[i] - SLICE) * view->stride[i] * (int64_t)gm_dtype_size(view->dtype);
            view->shape[i] = SLICE;
        }
    }
    view->data = at;
    return gm_case_download(context, tensor, *host);
}

static double element(const gm_tensor *tensor, int64_t number) {
    int64_t at = 0;
    for (int32_t i = tensor->ndim - 1; i >= 0; --i) {
        at += number % tensor->shape[i] * tensor->stride[i];
        number /= tensor->shape[i];
    }
    return tensor->dtype == GM_F64 ? ((const double *)tensor->data)[at]
                                   : (double)((const float *)tensor->data)[at];
}

static gm_status compare_slices(gm_context *reference, const contract_state *s,
                                const gm_tensor *inputs, const gm_tensor *got,
                                gm_case_result *result) {
    gm_tensor expected = {0};
    int64_t elements = 0;
    gm_status status = gm_case_alloc(reference, got->dtype, got->ndim, got->shape, &expected);
    status = status == GM_STATUS_OK
                 ? gm_contract(reference, s->expression, s->count, inputs, &expected)
                 : status;
    gm_tensor_elements(got, &elements);
    for (int64_t i = 0; status == GM_STATUS_OK && i < elements; ++i) {
        const double error = fabs(element(got, i) - element(&expected, i)) /
                             (case_unit(got->dtype) * (s->summed + 3));
        result->error = error <= result->error ? result->error : error; /* a NaN stays */
    }
    gm_case_free(reference, &expected);
    return status;
}

/* Operands are in [-1, 1], so that sum |a| |b| is at most the number of products, K, and the error
 * at most u (K + 3) K; what is printed is in units of u (K + 3), and rarely above 1. */
static gm_status verify_contract(gm_context *reference, gm_context *context, void *state,
                                 gm_case_result *result) {
    const contract_state *s = state;
    const char *labels = s->expression, *output = strchr(s->expression, '>') + 1;
    gm_tensor inputs[OPERANDS], got;
    void *hosts[OPERANDS + 1] = {NULL};
    gm_status status = slice(context, &s->output, output, output, &hosts[OPERANDS], &got);
    for (int32_t i = 0; i < s->count && status == GM_STATUS_OK; ++i) {
        status = slice(context, &s->inputs[i], labels, output, &hosts[i], &inputs[i]);
        labels += s->inputs[i].ndim + 1;
    }
    result->bound = 16;
    if (status == GM_STATUS_OK) {
        status = compare_slices(reference, s, inputs, &got, result);
    }
    for (int i = 0; i <= OPERANDS; ++i) {
        free(hosts[i]);
    }
    return status;
}

/* name, operation, expression, sizes, multiplications and additions, elements read and written */
#define CONTRACTIONS(X)                                                                            \
    X(gemm_512, "contract gemm", "ij,jk->ik", "ijk=512", 2.0 * 512 * 512 * 512, 3.0 * 512 * 512)   \
    X(gemm_1024, "contract gemm", "ij,jk->ik", "ijk=1024", 2.0 * 1024 * 1024 * 1024,               \
      3.0 * 1024 * 1024)                                                                           \
    X(bmm_4, "contract batched", "bij,bjk->bik", "b=65536 ijk=4", 2.0 * 65536 * 64,                \
      3.0 * 65536 * 16)                                                                            \
    X(bmm_8, "contract batched", "bij,bjk->bik", "b=32768 ijk=8", 2.0 * 32768 * 512,               \
      3.0 * 32768 * 64)                                                                            \
    X(bmm_16, "contract batched", "bij,bjk->bik", "b=8192 ijk=16", 2.0 * 8192 * 4096,              \
      3.0 * 8192 * 256)                                                                            \
    X(bmm_32, "contract batched", "bij,bjk->bik", "b=2048 ijk=32", 2.0 * 2048 * 32768,             \
      3.0 * 2048 * 1024)                                                                           \
    X(cc_1, "contract aebf,fdec->abcd", "aebf,fdec->abcd", "abcdef=20", 2.0 * 64e6, 3.0 * 16e4)    \
    X(cc_2, "contract dbea,ec->abcd", "dbea,ec->abcd", "abcde=40", 2.0 * 1024e5, 2.0 * 256e4)      \
    X(cc_3, "contract ebad,ce->abcd", "ebad,ce->abcd", "abcd=40 e=36", 2.0 * 256e4 * 36,           \
      1.9 * 256e4)                                                                                 \
    X(cc_4, "contract ecbfa,fd->abcde", "ecbfa,fd->abcde", "abcde=18 f=32", 2.0 * 1889568 * 32,    \
      1889568.0 * 50 / 18)                                                                         \
    X(cc_5, "contract efcad,bf->abcde", "efcad,bf->abcde", "abcde=18 f=32", 2.0 * 1889568 * 32,    \
      1889568.0 * 50 / 18)                                                                         \
    X(cc_6, "contract ea,ebcd->abcd", "ea,ebcd->abcd", "ae=48 b=40 cd=32",                         \
      2.0 * 48 * 48 * 40 * 32 * 32, 2.0 * 48 * 40 * 32 * 32)                                       \
    X(cc_7, "contract eb,aecd->abcd", "eb,aecd->abcd", "be=48 a=40 cd=32",                         \
      2.0 * 48 * 48 * 40 * 32 * 32, 2.0 * 48 * 40 * 32 * 32)                                       \
    X(cc_8, "contract bda,dc->abc", "bda,dc->abc", "a=128 b=96 cd=64", 2.0 * 128 * 96 * 64 * 64,   \
      2.0 * 128 * 96 * 64)                                                                         \
    X(cc_9, "contract adec,ebd->abc", "adec,ebd->abc", "a=96 b=72 c=64 d=12 e=14",                 \
      2.0 * 96 * 72 * 64 * 168, 96.0 * 64 * (72 + 168))                                            \
    X(cc_10, "contract cad,dcb->ab", "cad,dcb->ab", "a=192 b=160 c=40 d=48",                       \
      2.0 * 192 * 160 * 1920, 352.0 * 1920)                                                        \
    X(cc_11, "contract dega,gfbc->abcdef", "dega,gfbc->abcdef", "abcdef=12 g=16",                  \
      2.0 * 2985984 * 16, 2985984.0)                                                               \
    X(cc_12, "contract abcd,cdij->abij", "abcd,cdij->abij", "abcd=22 ij=16", 2.0 * 234256 * 256,   \
      234256.0 + 2 * 123904)                                                                       \
    X(outer, "contract outer", "i,j->ij", "ij=4096", 16777216, 16777216)                           \
    X(transposition, "contract transposition", "ij->ji", "ij=4096", 0, 2.0 * 16777216)             \
    X(permutation, "contract permutation", "abcd->dbca", "abcd=64", 0, 2.0 * 16777216)             \
    X(trace, "contract trace", "ii->", "i=4096", 4096, 4096)                                       \
    X(row_sums, "contract row sums", "ij->i", "ij=4096", 16777216, 16777216)                       \
    X(gemv, "contract matrix vector", "ij,j->i", "ij=4096", 2.0 * 16777216, 16777216)              \
    X(dot, "contract dot", "i,i->", "i=16777216", 2.0 * 16777216, 2.0 * 16777216)

#define DEFINE(name, operation, expression, sizes, flops, elements)                                \
    static gm_status setup_##name##_f64(gm_context *context, void **state) {                       \
        return setup_contract(context, expression, sizes, GM_F64, state);                          \
    }                                                                                              \
    static gm_status setup_##name##_f32(gm_context *context, void **state) {                       \
        return setup_contract(context, expression, sizes, GM_F32, state);                          \
    }
CONTRACTIONS(DEFINE)

#define ENTRY(name, operation, expression, sizes, flops, elements)                                 \
    {operation,                                                                                    \
     "f64",                                                                                        \
     sizes,                                                                                        \
     setup_##name##_f64,                                                                           \
     run_contract,                                                                                 \
     verify_contract,                                                                              \
     teardown_contract,                                                                            \
     flops,                                                                                        \
     8 * (elements),                                                                               \
     0,                                                                                            \
     NULL},                                                                                        \
        {operation,                                                                                \
         "f32",                                                                                    \
         sizes,                                                                                    \
         setup_##name##_f32,                                                                       \
         run_contract,                                                                             \
         verify_contract,                                                                          \
         teardown_contract,                                                                        \
         flops,                                                                                    \
         4 * (elements),                                                                           \
         0,                                                                                        \
         NULL},
const gm_bench_case gm_contract_bench[] = {CONTRACTIONS(ENTRY)};
const int gm_contract_bench_count = sizeof gm_contract_bench / sizeof gm_contract_bench[0];
