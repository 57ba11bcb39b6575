/* Execution of tensor products, one and many. */
#include <string.h>

#include "host/ref/half.h"
#include "host/tapp/product.h"

/* One call: the product, its factors, and an array of pointers for each tensor. */
typedef struct execution {
    tapp_product *product;
    gm_contract_scale scale;
    bool adds; /* beta is not 0 */
    int64_t count;
    const void *const *pointers[TAPP_TENSORS];
} execution;

/* ---- arguments ------------------------------------------------------------------------------- */

/* A factor of the type of D. */
static void read_factor(gm_dtype type, const void *from, double *re, double *im) {
    float f[2];
    double d[2];
    uint16_t h;
    *re = *im = 0;
    switch (type) {
    case GM_F16:
    case GM_BF16:
        memcpy(&h, from, sizeof h);
        *re = type == GM_F16 ? gm_half_value(h) : gm_bfloat_value(h);
        break;
    case GM_F64:
    case GM_C128:
        memcpy(d, from, gm_dtype_size(type));
        *re = d[0];
        *im = type == GM_C128 ? d[1] : 0;
        break;
    default: /* GM_F32, GM_C64 */
        memcpy(f, from, gm_dtype_size(type));
        *re = (double)f[0];
        *im = type == GM_C64 ? (double)f[1] : 0;
    }
}

static TAPP_error read_scale(execution *x, const void *alpha, const void *beta) {
    const tapp_product *p = x->product;
    gm_contract_scale *s = &x->scale;
    TAPP_NOT_NULL(alpha, "alpha");
    read_factor(p->type[TAPP_D], alpha, &s->alpha, &s->alpha_imaginary);
    if (beta != NULL) {
        read_factor(p->type[TAPP_D], beta, &s->beta, &s->beta_imaginary);
    }
    if (p->conjugate_scale) {
        s->alpha_imaginary = -s->alpha_imaginary;
        s->beta_imaginary = -s->beta_imaginary;
    }
    x->adds = s->beta != 0 || s->beta_imaginary != 0;
    return TAPP_SUCCESS;
}

static TAPP_error check_addends(const execution *x) {
    for (int64_t i = 0; i < x->count && x->adds; ++i) {
        if (x->pointers[TAPP_C] == NULL || x->pointers[TAPP_C][i] == NULL) {
            return tapp_fail(TAPP_ERR_C_NULL_BETA, "batch %lld", (long long)i);
        }
    }
    return TAPP_SUCCESS;
}

/* ---- one run --------------------------------------------------------------------------------- */

static const void *pointer_of(const execution *x, int tensor, int64_t i) {
    return x->pointers[tensor] != NULL ? x->pointers[tensor][i] : NULL;
}

static TAPP_error copy_in(const execution *x, const tapp_run *run, int tensor, const void *from) {
    const tapp_product *p = x->product;
    return tapp_copy_run(run->copy[tensor], p->library->context, from,
                         p->workspace + run->at[tensor], p->workspace + run->scratch_at,
                         run->bytes - run->scratch_at);
}

/* D from what the contraction wrote: its own memory, or the workspace. */
static TAPP_error copy_out(const execution *x, const tapp_run *run, void *d) {
    const tapp_product *p = x->product;
    const bool in_place = run->copy[TAPP_D]->way == TAPP_COPY_IN_PLACE;
    return tapp_copy_run(run->copy[TAPP_D], p->library->context,
                         in_place ? d : p->workspace + run->at[TAPP_D], d,
                         p->workspace + run->scratch_at, run->bytes - run->scratch_at);
}
/* Runs from batch i on; a run for several batches runs them all. */
static TAPP_error run_from(const execution *x, const tapp_run *run, int64_t i) {
    const tapp_product *p = x->product;
    gm_tensor view[TAPP_TENSORS];
    for (int t = 0; t < TAPP_TENSORS; ++t) {
        const void *data = pointer_of(x, t, i);
        const bool is_temporary = run->copy[t] != NULL && run->copy[t]->way != TAPP_COPY_IN_PLACE;
        if (t != TAPP_D && run->copy[t] != NULL && (t != TAPP_C || x->adds)) {
            TAPP_TRY(copy_in(x, run, t, data));
        }
        view[t] = run->view[t];
        view[t].data = is_temporary ? p->workspace + run->at[t] : (void *)(uintptr_t)data;
    }
    const gm_status status = gm_contract_execute(
        run->plan, &x->scale, view, x->adds ? &view[TAPP_C] : NULL, &view[TAPP_D],
        p->workspace + run->scratch_at, run->bytes - run->scratch_at);
    TAPP_TRY(tapp_from_status(p->library->context, status));
    return run->copy[TAPP_D] != NULL ? copy_out(x, run, (void *)(uintptr_t)pointer_of(x, TAPP_D, i))
                                     : TAPP_SUCCESS;
}

/* ---- batches --------------------------------------------------------------------------------- */

/* The distance of equally spaced pointers, in elements. */
static bool find_spacing(const void *const *pointers, int64_t count, size_t size,
                         int64_t *spacing) {
    const intptr_t step = (intptr_t)((uintptr_t)pointers[1] - (uintptr_t)pointers[0]);
    for (int64_t i = 2; i < count; ++i) {
        if ((intptr_t)((uintptr_t)pointers[i] - (uintptr_t)pointers[i - 1]) != step) {
            return false;
        }
    }
    *spacing = step / (intptr_t)size;
    return step % (intptr_t)size == 0;
}

/* The run for batches so spaced, made at the first call; NULL if they are not, or there is none. */
static const tapp_run *find_spaced(const execution *x) {
    tapp_product *p = x->product;
    int64_t spacing[TAPP_TENSORS] = {0};
    for (int t = 0; t < TAPP_TENSORS; ++t) {
        if ((t != TAPP_C || x->adds) &&
            !find_spacing(x->pointers[t], x->count, gm_dtype_size(p->type[t]), &spacing[t])) {
            return NULL;
        }
    }
    for (int i = 0; i < TAPP_SPACINGS; ++i) {
        const tapp_run *run = &p->spaced[i];
        if (run->is_made && run->count == x->count &&
            memcmp(run->spacing, spacing, sizeof spacing) == 0) {
            return run->is_usable ? run : NULL;
        }
    }
    tapp_layout layout = p->layout;
    if (!tapp_layout_repeat(&layout, x->count, spacing)) {
        return NULL;
    }
    tapp_run *run = &p->spaced[p->next];
    p->next = (p->next + 1) % TAPP_SPACINGS;
    tapp_run_clear(run);
    const TAPP_error error = tapp_run_make(p, &layout, run);
    run->count = x->count;
    memcpy(run->spacing, spacing, sizeof spacing);
    return TAPP_check_success(error) ? run : NULL;
}

/* True if the engine refused a run, and so wrote nothing. */
static bool is_refused(TAPP_error error) {
    return (error.type == TAPP_ERROR_TYPE_TAPP && error.code == TAPP_ERR_NOT_IMPLEMENTED) ||
           (error.type == TAPP_ERROR_TYPE_GENMATH && error.code == GM_STATUS_INVALID_ARGUMENT);
}

static TAPP_error run_all(const execution *x) {
    const tapp_run *spaced = x->count > 1 ? find_spaced(x) : NULL;
    if (spaced != NULL) {
        const TAPP_error error = run_from(x, spaced, 0);
        if (!is_refused(error)) { /* refused: the tensors are interleaved in memory */
            return error;
        }
    }
    for (int64_t i = 0; i < x->count; ++i) {
        TAPP_TRY(run_from(x, &x->product->once, i));
    }
    return TAPP_SUCCESS;
}

static TAPP_error execute(execution *x, TAPP_executor executor, TAPP_status *status,
                          const void *alpha, const void *beta) {
    tapp_library *library = x->product->library;
    tapp_work *work = tapp_object_find(TAPP_KIND_EXECUTOR, executor);
    if (work == NULL) {
        return tapp_fail(TAPP_ERR_NO_EXECUTOR, "not a handle, or its object is destroyed");
    }
    TAPP_TRY(read_scale(x, alpha, beta));
    TAPP_TRY(check_addends(x));
    TAPP_TRY(tapp_work_note(work, library));
    pthread_mutex_lock(&library->lock);
    const TAPP_error error = run_all(x);
    pthread_mutex_unlock(&library->lock);
    TAPP_TRY(error);
    return status != NULL ? tapp_status_create(work, status) : TAPP_SUCCESS;
}

TAPP_error TAPP_execute_product(TAPP_tensor_product product, TAPP_executor executor,
                                TAPP_status *status, const void *alpha, const void *A,
                                const void *B, const void *beta, const void *C, void *D) {
    const void *const d = D;
    execution x = {.count = 1, .pointers = {&A, &B, &C, &d}};
    if (status != NULL) {
        *status = 0;
    }
    TAPP_FIND(x.product, TAPP_KIND_PRODUCT, product, "product");
    return execute(&x, executor, status, alpha, beta);
}

TAPP_error TAPP_execute_batched_product(TAPP_tensor_product product, TAPP_executor executor,
                                        TAPP_status *status, int num_batches, const void *alpha,
                                        const void **A, const void **B, const void *beta,
                                        const void **C, void **D) {
    execution x = {.count = num_batches, .pointers = {A, B, C, (const void *const *)D}};
    if (status != NULL) {
        *status = 0;
    }
    TAPP_FIND(x.product, TAPP_KIND_PRODUCT, product, "product");
    if (num_batches < 0) {
        return tapp_fail_genmath(GM_STATUS_INVALID_ARGUMENT, "num_batches = %d is negative",
                                 num_batches);
    }
    if (num_batches > 0) {
        TAPP_NOT_NULL(A, "A");
        TAPP_NOT_NULL(B, "B");
        TAPP_NOT_NULL(D, "D");
    }
    return execute(&x, executor, status, alpha, beta);
}
