/* Tensor products: types, conjugations, plans and the workspace. */
#include "host/tapp/product.h"

#include <stdlib.h>
#include <string.h>

static const gm_dtype types[] = {[TAPP_F32] = GM_F32,  [TAPP_F64] = GM_F64, [TAPP_C32] = GM_C64,
                                 [TAPP_C64] = GM_C128, [TAPP_F16] = GM_F16, [TAPP_BF16] = GM_BF16};

/* ---- types ----------------------------------------------------------------------------------- */

/* The decimal digits that a precision asks for; 0: none in particular; -1: it is not known. */
static int digits_of(TAPP_prectype precision) {
    const int digits = precision % 1000;
    switch (precision) {
    case TAPP_DEFAULT_PREC:
    case TAPP_F16F16_ACCUM_F16:
    case TAPP_F16F16_ACCUM_F32:
    case TAPP_BF16BF16_ACCUM_F32:
        return 0;
    case TAPP_F32F32_ACCUM_F32:
        return 7;
    case TAPP_F64F64_ACCUM_F64:
        return 16;
    default:
        return (precision / 1000 == 1 || precision / 1000 == 2) && digits >= 3 &&
                       (digits <= 16 || digits == 34)
                   ? digits
                   : -1;
    }
}

static bool is_wide(gm_dtype type) {
    return type == GM_F64 || type == GM_C128;
}

static bool is_half(gm_dtype type) {
    return type == GM_F16 || type == GM_BF16;
}

/* The type that is multiplied, and the one that the contraction writes. */
static TAPP_error choose_types(tapp_product *p, TAPP_prectype precision) {
    const gm_dtype a = p->type[TAPP_A], b = p->type[TAPP_B], d = p->type[TAPP_D];
    const int digits = digits_of(precision);
    if (digits < 0 || digits == 34) {
        return tapp_fail(TAPP_ERR_NOT_IMPLEMENTED, "precision = %d", precision);
    }
    const bool is_complex = tapp_is_complex(a) || tapp_is_complex(b) || tapp_is_complex(d);
    if ((is_complex || tapp_is_complex(p->type[TAPP_C])) && !tapp_is_complex(d)) {
        return tapp_fail(TAPP_ERR_NOT_IMPLEMENTED, "a complex tensor with a real D");
    }
    const bool wide = digits > 7 || is_wide(a) || is_wide(b) || is_wide(d);
    const bool halves = is_half(a) && a == b && (is_half(d) || d == GM_F32) && !wide;
    p->compute = halves ? a : is_complex ? (wide ? GM_C128 : GM_C64) : (wide ? GM_F64 : GM_F32);
    p->output = halves ? d : p->compute;
    p->math = digits == 3 && p->compute == GM_F32 ? GM_CONTRACT_TF32 : GM_CONTRACT_STANDARD;
    return TAPP_SUCCESS;
}

/* ---- conjugations ---------------------------------------------------------------------------- */

static double elements_of(const tapp_layout *layout, int tensor) {
    double elements = 1;
    for (int32_t l = 0; l < layout->labels; ++l) {
        elements *= (layout->has[tensor] >> l & 1u) != 0 ? (double)layout->extent[l] : 1;
    }
    return elements;
}

/*
 * conj(x + y z) = conj(x) + conj(y) conj(z): of a choice and its opposite, with the scale
 * conjugated, the one that touches fewer elements.
 */
static void choose_conjugations(tapp_product *p, const TAPP_element_op ops[TAPP_TENSORS]) {
    double cost = 0, opposite = 0;
    for (int t = 0; t < TAPP_TENSORS; ++t) {
        const double elements = tapp_is_complex(p->type[t]) ? elements_of(&p->layout, t) : 0;
        *(ops[t] == TAPP_CONJUGATE ? &cost : &opposite) += elements;
    }
    p->conjugate_scale = opposite < cost;
    for (int t = 0; t < TAPP_TENSORS; ++t) {
        p->conjugate[t] =
            tapp_is_complex(p->type[t]) && (ops[t] == TAPP_CONJUGATE) != p->conjugate_scale;
    }
}

/* ---- runs ------------------------------------------------------------------------------------ */

/* Reserves room in the workspace, in steps of 64 bytes. */
static TAPP_error reserve(size_t *end, size_t bytes, size_t *at) {
    *at = *end;
    if (bytes > (size_t)INT64_MAX / 2 || *end > (size_t)INT64_MAX / 2) {
        return tapp_fail_genmath(GM_STATUS_OUT_OF_MEMORY, "a workspace of over 2^62 bytes");
    }
    *end += (bytes + 63) / 64 * 64;
    return TAPP_SUCCESS;
}

/* The copies of A, B and C go to `work`, the layout that the contraction sees; that of D comes from
 * there. */
static TAPP_error make_copies(tapp_product *p, const tapp_layout *layout, tapp_layout *work,
                              tapp_run *run) {
    for (int t = 0; t < TAPP_TENSORS; ++t) {
        const bool out = t == TAPP_D;
        const gm_dtype type = t == TAPP_A || t == TAPP_B ? p->compute : p->output;
        const bool converts = p->type[t] != type;
        size_t bytes;
        if (!converts && !p->conjugate[t]) {
            continue;
        }
        if (converts || !out) {
            TAPP_TRY(tapp_layout_pack(work, t, type, &bytes));
            TAPP_TRY(reserve(&run->bytes, bytes, &run->at[t]));
        }
        TAPP_TRY(tapp_copy_make(p->library, out ? work : layout, out ? layout : work, t,
                                out ? type : p->type[t], out ? p->type[t] : type, p->conjugate[t],
                                out && !converts, &run->copy[t]));
    }
    return TAPP_SUCCESS;
}

static TAPP_error make_contraction(tapp_product *p, const tapp_layout *work, tapp_run *run) {
    gm_context *context = p->library->context;
    char text[4 * GM_MAX_LABELS];
    gm_contract_options options = {.math = p->math};
    for (int t = 0; t < TAPP_TENSORS; ++t) {
        run->view[t] =
            tapp_layout_view(work, t, t == TAPP_A || t == TAPP_B ? p->compute : p->output);
    }
    tapp_layout_expression(work, text);
    gm_status status = gm_contract_plan_create(context, text, 2, run->view, &run->view[TAPP_D],
                                               &options, &run->plan);
    if (status == GM_STATUS_UNSUPPORTED && options.math != GM_CONTRACT_STANDARD) {
        options.math = GM_CONTRACT_STANDARD; /* more than was asked for */
        status = gm_contract_plan_create(context, text, 2, run->view, &run->view[TAPP_D], &options,
                                         &run->plan);
    }
    return tapp_from_status(context, status);
}

/* What the contraction and the copies need beside, one after the other. */
static size_t scratch_of(const tapp_run *run) {
    size_t most = gm_contract_workspace(run->plan);
    for (int t = 0; t < TAPP_TENSORS; ++t) {
        const size_t bytes = run->copy[t] != NULL ? gm_contract_workspace(run->copy[t]->plan) : 0;
        most = bytes > most ? bytes : most;
    }
    return most;
}

static TAPP_error grow_workspace(tapp_product *p, size_t bytes) {
    gm_context *context = p->library->context;
    if (bytes <= p->workspace_bytes) {
        return TAPP_SUCCESS;
    }
    void *memory;
    TAPP_TRY(tapp_from_status(context, gm_context_synchronize(context)));
    TAPP_TRY(tapp_from_status(context, gm_memory_alloc(context, bytes, &memory)));
    gm_memory_free(context, p->workspace);
    p->workspace = memory;
    p->workspace_bytes = bytes;
    return TAPP_SUCCESS;
}

static TAPP_error fill_run(tapp_product *p, const tapp_layout *layout, tapp_run *run) {
    tapp_layout work = *layout;
    TAPP_TRY(make_copies(p, layout, &work, run));
    TAPP_TRY(make_contraction(p, &work, run));
    TAPP_TRY(reserve(&run->bytes, scratch_of(run), &run->scratch_at));
    return grow_workspace(p, run->bytes);
}

TAPP_error tapp_run_make(tapp_product *product, const tapp_layout *layout, tapp_run *run) {
    const TAPP_error error = fill_run(product, layout, run);
    run->is_made = true;
    run->is_usable = TAPP_check_success(error);
    return error;
}

void tapp_run_clear(tapp_run *run) {
    gm_contract_plan_destroy(run->plan);
    for (int t = 0; t < TAPP_TENSORS; ++t) {
        tapp_copy_free(run->copy[t]);
    }
    *run = (tapp_run){.plan = NULL};
}

/* ---- products -------------------------------------------------------------------------------- */

static void free_product(tapp_product *p) {
    tapp_library *library = p->library;
    pthread_mutex_lock(&library->lock);
    if (p->workspace != NULL) {
        gm_context_synchronize(library->context); /* kernels may still use it */
        gm_memory_free(library->context, p->workspace);
    }
    tapp_run_clear(&p->once);
    for (int i = 0; i < TAPP_SPACINGS; ++i) {
        tapp_run_clear(&p->spaced[i]);
    }
    pthread_mutex_unlock(&library->lock);
    tapp_library_release(library);
    free(p);
}

static TAPP_error fill_product(tapp_product *p, const tapp_term terms[TAPP_TENSORS],
                               const TAPP_element_op ops[TAPP_TENSORS], TAPP_prectype precision) {
    TAPP_TRY(tapp_layout_make(terms, &p->layout));
    for (int t = 0; t < TAPP_TENSORS; ++t) {
        const tapp_info *info = terms[t].info != NULL ? terms[t].info : terms[TAPP_D].info;
        p->type[t] = types[info->type];
    }
    TAPP_TRY(choose_types(p, precision));
    choose_conjugations(p, ops);
    pthread_mutex_lock(&p->library->lock);
    const TAPP_error error = tapp_run_make(p, &p->layout, &p->once);
    pthread_mutex_unlock(&p->library->lock);
    return error;
}

/* The arguments as terms; what is asked of the handles and pointers themselves. */
static TAPP_error take_term(TAPP_element_op op, TAPP_tensor_info info, const int64_t *idx,
                            int tensor, tapp_term *term) {
    static const char *const names[][3] = {{"A", "idx_A", "op_A"},
                                           {"B", "idx_B", "op_B"},
                                           {"C", "idx_C", "op_C"},
                                           {"D", "idx_D", "op_D"}};
    *term = (tapp_term){.idx = idx};
    if (op != TAPP_IDENTITY && op != TAPP_CONJUGATE) {
        return tapp_fail_genmath(GM_STATUS_INVALID_ARGUMENT, "%s = %d is not an operation",
                                 names[tensor][2], op);
    }
    if (info == 0 && tensor == TAPP_C) {
        return TAPP_SUCCESS;
    }
    TAPP_FIND(term->info, TAPP_KIND_INFO, info, names[tensor][0]);
    if (term->info->nmode > 0) {
        TAPP_NOT_NULL(idx, names[tensor][1]);
    }
    return TAPP_SUCCESS;
}

TAPP_error
TAPP_create_tensor_product(TAPP_tensor_product *product, TAPP_handle handle, TAPP_element_op op_A,
                           TAPP_tensor_info A, const int64_t *idx_A, TAPP_element_op op_B,
                           TAPP_tensor_info B, const int64_t *idx_B, TAPP_element_op op_C,
                           TAPP_tensor_info C, const int64_t *idx_C, TAPP_element_op op_D,
                           TAPP_tensor_info D, const int64_t *idx_D, TAPP_prectype precision) {
    const TAPP_element_op ops[] = {op_A, op_B, op_C, op_D};
    tapp_library *library;
    tapp_term terms[TAPP_TENSORS];
    TAPP_NOT_NULL(product, "product");
    *product = 0;
    TAPP_FIND(library, TAPP_KIND_HANDLE, handle, "handle");
    TAPP_TRY(take_term(op_A, A, idx_A, TAPP_A, &terms[TAPP_A]));
    TAPP_TRY(take_term(op_B, B, idx_B, TAPP_B, &terms[TAPP_B]));
    TAPP_TRY(take_term(op_C, C, idx_C, TAPP_C, &terms[TAPP_C]));
    TAPP_TRY(take_term(op_D, D, idx_D, TAPP_D, &terms[TAPP_D]));
    tapp_product *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return tapp_fail_genmath(GM_STATUS_OUT_OF_MEMORY, "no memory for a product");
    }
    made->library = tapp_library_share(library);
    const TAPP_error error = fill_product(made, terms, ops, precision);
    if (!TAPP_check_success(error)) {
        free_product(made);
        return error;
    }
    *product = tapp_object_add(TAPP_KIND_PRODUCT, made);
    if (*product == 0) {
        free_product(made);
        return tapp_fail_genmath(GM_STATUS_OUT_OF_MEMORY, "no memory for a handle");
    }
    return TAPP_SUCCESS;
}

TAPP_error TAPP_destroy_tensor_product(TAPP_tensor_product product) {
    tapp_product *p;
    TAPP_TAKE(p, TAPP_KIND_PRODUCT, product, "product");
    free_product(p);
    return TAPP_SUCCESS;
}
