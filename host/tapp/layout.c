/* From infos and indices to labels and strides; the checks of the tensors against each other. */
#include <string.h>

#include "host/tapp/product.h"

static const char names[] = "ABCD";

/* The mode of a term that has an index; -1 if there is none. */
static int find_mode(const tapp_term *term, int modes, int64_t idx) {
    for (int i = 0; i < modes; ++i) {
        if (term->idx[i] == idx) {
            return i;
        }
    }
    return -1;
}

/* ---- checks ---------------------------------------------------------------------------------- */

static TAPP_error check_repeated(const tapp_term terms[TAPP_TENSORS], int tensor, int code) {
    const tapp_term *t = &terms[tensor];
    for (int i = 0; i < t->info->nmode; ++i) {
        const int first = find_mode(t, t->info->nmode, t->idx[i]);
        if (t->info->extents[first] != t->info->extents[i]) {
            return tapp_fail(code, "index %lld of %c is %lld in mode %d and %lld in mode %d",
                             (long long)t->idx[i], names[tensor],
                             (long long)t->info->extents[first], first,
                             (long long)t->info->extents[i], i);
        }
    }
    return TAPP_SUCCESS;
}

static TAPP_error check_shared(const tapp_term terms[TAPP_TENSORS], int a, int b, int code) {
    const tapp_term *x = &terms[a], *y = &terms[b];
    for (int i = 0; i < x->info->nmode; ++i) {
        const int j = find_mode(y, y->info->nmode, x->idx[i]);
        if (j >= 0 && x->info->extents[i] != y->info->extents[j]) {
            return tapp_fail(code, "index %lld is %lld in %c and %lld in %c", (long long)x->idx[i],
                             (long long)x->info->extents[i], names[a],
                             (long long)y->info->extents[j], names[b]);
        }
    }
    return TAPP_SUCCESS;
}

static TAPP_error check_unshared(const tapp_term terms[TAPP_TENSORS]) {
    const tapp_term *d = &terms[TAPP_D];
    for (int i = 0; i < d->info->nmode; ++i) {
        if (find_mode(&terms[TAPP_A], terms[TAPP_A].info->nmode, d->idx[i]) < 0 &&
            find_mode(&terms[TAPP_B], terms[TAPP_B].info->nmode, d->idx[i]) < 0) {
            return tapp_fail(TAPP_ERR_D_UNSHARED_IDX, "index %lld", (long long)d->idx[i]);
        }
    }
    return TAPP_SUCCESS;
}

static TAPP_error check_addend(const tapp_term *c, const tapp_term *d) {
    if (c->info == NULL) {
        return TAPP_SUCCESS;
    }
    if (c->info->nmode != d->info->nmode) {
        return tapp_fail(TAPP_ERR_CD_NDIM, "%d in C, %d in D", c->info->nmode, d->info->nmode);
    }
    for (int i = 0; i < d->info->nmode; ++i) {
        if (c->idx[i] != d->idx[i]) {
            return tapp_fail(TAPP_ERR_CD_IDX, "mode %d is %lld in C and %lld in D", i,
                             (long long)c->idx[i], (long long)d->idx[i]);
        }
    }
    for (int i = 0; i < d->info->nmode; ++i) {
        if (c->info->extents[i] != d->info->extents[i]) {
            return tapp_fail(TAPP_ERR_EXTENTS_CD, "mode %d is %lld in C and %lld in D", i,
                             (long long)c->info->extents[i], (long long)d->info->extents[i]);
        }
    }
    return TAPP_SUCCESS;
}

static TAPP_error check_terms(const tapp_term terms[TAPP_TENSORS]) {
    TAPP_TRY(check_repeated(terms, TAPP_A, TAPP_ERR_A_IDX_EXTENTS));
    TAPP_TRY(check_repeated(terms, TAPP_B, TAPP_ERR_B_IDX_EXTENTS));
    TAPP_TRY(check_repeated(terms, TAPP_D, TAPP_ERR_D_IDX_EXTENTS));
    TAPP_TRY(check_unshared(terms));
    TAPP_TRY(check_shared(terms, TAPP_A, TAPP_B, TAPP_ERR_EXTENTS_AB));
    TAPP_TRY(check_shared(terms, TAPP_A, TAPP_D, TAPP_ERR_EXTENTS_AD));
    TAPP_TRY(check_shared(terms, TAPP_B, TAPP_D, TAPP_ERR_EXTENTS_BD));
    return check_addend(&terms[TAPP_C], &terms[TAPP_D]);
}

/* ---- labels ---------------------------------------------------------------------------------- */

static int find_value(const int64_t *list, int32_t count, int64_t value) {
    for (int32_t i = 0; i < count; ++i) {
        if (list[i] == value) {
            return i;
        }
    }
    return -1;
}

static bool is_empty(const tapp_info *info) {
    return find_value(info->extents, info->nmode, 0) >= 0;
}

/* Adds a mode of a tensor to a label's step. Where there are no elements, strides may be anything
 * and none is kept. */
static TAPP_error add_stride(tapp_layout *layout, int tensor, const tapp_info *info, int mode,
                             int label) {
    int64_t *stride = &layout->stride[tensor][label];
    layout->has[tensor] |= UINT32_C(1) << label;
    if (!is_empty(info) && __builtin_add_overflow(*stride, info->strides[mode], stride)) {
        return tapp_fail_genmath(GM_STATUS_INVALID_ARGUMENT,
                                 "%c: its strides reach over 2^63 - 1 bytes", names[tensor]);
    }
    return TAPP_SUCCESS;
}

static TAPP_error add_labels(const tapp_term terms[TAPP_TENSORS], tapp_layout *layout) {
    int64_t idx_of_label[GM_MAX_LABELS];
    for (int tensor = 0; tensor < TAPP_TENSORS; ++tensor) {
        const bool as_d = tensor == TAPP_C && terms[tensor].info == NULL;
        const tapp_term *term = &terms[as_d ? TAPP_D : tensor];
        for (int i = 0; i < term->info->nmode; ++i) {
            const int64_t idx = term->idx[i], extent = term->info->extents[i];
            int label = find_value(idx_of_label, layout->labels, idx);
            if (extent == 1) {
                continue;
            }
            if (label < 0) {
                if (layout->labels == GM_MAX_LABELS) {
                    return tapp_fail(TAPP_ERR_NOT_IMPLEMENTED,
                                     "more than %d indices with an extent other than 1",
                                     GM_MAX_LABELS);
                }
                label = layout->labels++;
                idx_of_label[label] = idx;
                layout->extent[label] = extent;
            }
            TAPP_TRY(add_stride(layout, tensor, term->info, i, label));
        }
    }
    return TAPP_SUCCESS;
}

TAPP_error tapp_layout_make(const tapp_term terms[TAPP_TENSORS], tapp_layout *layout) {
    *layout = (tapp_layout){.labels = 0};
    TAPP_TRY(check_terms(terms));
    TAPP_TRY(add_labels(terms, layout));
    const gm_tensor d = tapp_layout_view(layout, TAPP_D, GM_F32);
    return gm_elements_are_distinct(&d)
               ? TAPP_SUCCESS
               : tapp_fail(TAPP_ERR_D_ALIASING, "a stride of 0, or strides that overlap");
}

bool tapp_layout_repeat(tapp_layout *layout, int64_t count, const int64_t spacing[TAPP_TENSORS]) {
    if (layout->labels == GM_MAX_LABELS) {
        return false;
    }
    const int32_t label = layout->labels++;
    layout->extent[label] = count;
    /* An operand that stays is left without the label, so that it is free in the other one. */
    const bool both_stay = spacing[TAPP_A] == 0 && spacing[TAPP_B] == 0;
    for (int tensor = 0; tensor < TAPP_TENSORS; ++tensor) {
        const bool has = spacing[tensor] != 0 || tensor == TAPP_C || tensor == TAPP_D ||
                         (tensor == TAPP_A && both_stay);
        layout->stride[tensor][label] = spacing[tensor];
        layout->has[tensor] |= has ? UINT32_C(1) << label : 0;
    }
    return true;
}

/* ---- what is made of them -------------------------------------------------------------------- */

gm_tensor tapp_layout_view(const tapp_layout *layout, int tensor, gm_dtype dtype) {
    gm_tensor view = {.dtype = dtype};
    for (int32_t l = 0; l < layout->labels; ++l) {
        if ((layout->has[tensor] >> l & 1u) != 0) {
            view.shape[view.ndim] = layout->extent[l];
            view.stride[view.ndim++] = layout->stride[tensor][l];
        }
    }
    return view;
}

static uint64_t magnitude(int64_t stride) {
    return stride < 0 ? 0 - (uint64_t)stride : (uint64_t)stride;
}

/* The label with the smallest stride among those of a set that are not 0; -1 if there is none. */
static int smallest(const int64_t *stride, uint32_t set) {
    int best = -1;
    for (; set != 0; set &= set - 1) {
        const int label = __builtin_ctz(set);
        if (stride[label] != 0 &&
            (best < 0 || magnitude(stride[label]) < magnitude(stride[best]))) {
            best = label;
        }
    }
    return best;
}

TAPP_error tapp_layout_pack(tapp_layout *layout, int tensor, gm_dtype dtype, size_t *bytes) {
    int64_t elements = 1, size = 0, *stride = layout->stride[tensor];
    uint32_t rest = layout->has[tensor];
    for (int label; (label = smallest(stride, rest)) >= 0; rest &= ~(UINT32_C(1) << label)) {
        stride[label] = elements;
        if (!gm_multiply_sizes(elements, layout->extent[label], &elements)) {
            return tapp_fail_genmath(GM_STATUS_OUT_OF_MEMORY, "a copy of %c has 2^63 elements",
                                     names[tensor]);
        }
    }
    if (!gm_multiply_sizes(elements, (int64_t)gm_dtype_size(dtype), &size)) {
        return tapp_fail_genmath(GM_STATUS_OUT_OF_MEMORY, "a copy of %c has 2^63 bytes",
                                 names[tensor]);
    }
    *bytes = (size_t)size;
    return TAPP_SUCCESS;
}

static char *write_labels(const tapp_layout *layout, int tensor, char *at) {
    for (int32_t l = 0; l < layout->labels; ++l) {
        if ((layout->has[tensor] >> l & 1u) != 0) {
            *at++ = (char)(l < 26 ? 'a' + l : 'A' + l - 26);
        }
    }
    return at;
}

void tapp_layout_expression(const tapp_layout *layout, char text[4 * GM_MAX_LABELS]) {
    char *at = write_labels(layout, TAPP_A, text);
    *at++ = ',';
    at = write_labels(layout, TAPP_B, at);
    *at++ = '-';
    *at++ = '>';
    *write_labels(layout, TAPP_D, at) = '\0';
}
