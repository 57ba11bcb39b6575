/* A tensor product: labels and strides, the copies around a contraction, and its plans. */
#ifndef GENMATH_HOST_TAPP_PRODUCT_H
#define GENMATH_HOST_TAPP_PRODUCT_H

#include <genmath/contract.h>

#include "host/tapp/object.h"

enum { TAPP_A, TAPP_B, TAPP_C, TAPP_D, TAPP_TENSORS };

/* ---- layout.c -------------------------------------------------------------------------------- */

/* The indices with an extent other than 1 as labels from 0, and the step along each in each tensor:
 * a diagonal is one label with the sum of its strides. */
typedef struct tapp_layout {
    int32_t labels;
    int64_t extent[GM_MAX_LABELS];
    int64_t stride[TAPP_TENSORS][GM_MAX_LABELS]; /* in elements; 0 where a tensor lacks the label */
    uint32_t has[TAPP_TENSORS];                  /* bit l: the tensor has label l */
} tapp_layout;

typedef struct tapp_term {
    const tapp_info *info; /* of C NULL: it lies as D does */
    const int64_t *idx;
} tapp_term;

/* Checks the tensors against each other. */
TAPP_error tapp_layout_make(const tapp_term terms[TAPP_TENSORS], tapp_layout *layout);
/* The same contraction `count` times: a label more, with these steps; false if there are too many.
 */
bool tapp_layout_repeat(tapp_layout *layout, int64_t count, const int64_t spacing[TAPP_TENSORS]);

/* The tensor as the engine sees it, without data. */
gm_tensor tapp_layout_view(const tapp_layout *layout, int tensor, gm_dtype dtype);
/* Gives a tensor the strides of a copy without gaps, in the order of those it has; a stride of 0
 * stays. *bytes is the size of the copy. Errors: OUT_OF_MEMORY. */
TAPP_error tapp_layout_pack(tapp_layout *layout, int tensor, gm_dtype dtype, size_t *bytes);
void tapp_layout_expression(const tapp_layout *layout, char text[4 * GM_MAX_LABELS]);

/* ---- copy.c ---------------------------------------------------------------------------------- */

typedef enum tapp_copy_way {
    TAPP_COPY_CONVERT,   /* f16 or bf16 to f32, by the engine */
    TAPP_COPY_CONJUGATE, /* real and imaginary parts apart, by the engine */
    TAPP_COPY_IN_PLACE,  /* the imaginary parts change sign where they are, by the engine */
    TAPP_COPY_LOOP       /* any conversion, on the host */
} tapp_copy_way;

/* A copy with another type, conjugated, or both. */
typedef struct tapp_copy {
    tapp_copy_way way;
    bool is_conjugate, is_empty;
    gm_tensor from, to; /* without data; the dimensions in the order of falling strides */
    gm_tensor input;    /* as the engine sees them */
    gm_tensor output;
    gm_contract_plan *plan; /* NULL for a loop */
} tapp_copy;

/*
 * `from` and `to` are a tensor's strides before and after, which are the same where it is
 * conjugated in place. Errors: NOT_IMPLEMENTED.
 */
TAPP_error tapp_copy_make(tapp_library *library, const tapp_layout *from, const tapp_layout *to,
                          int tensor, gm_dtype from_type, gm_dtype to_type, bool is_conjugate,
                          bool is_in_place, tapp_copy **copy);
TAPP_error tapp_copy_run(const tapp_copy *copy, gm_context *context, const void *from, void *to,
                         void *scratch, size_t bytes);
void tapp_copy_free(tapp_copy *copy); /* NULL is fine */

/* ---- product.c ------------------------------------------------------------------------------- */

/* A way to run a product, once or at equal distances: copies in, contraction, copy out. */
typedef struct tapp_run {
    bool is_made, is_usable; /* made and not usable: these distances take a loop */
    int64_t count, spacing[TAPP_TENSORS];
    gm_contract_plan *plan;
    gm_tensor view[TAPP_TENSORS]; /* what the contraction works on */
    tapp_copy *copy[TAPP_TENSORS];
    size_t at[TAPP_TENSORS]; /* of the copies in the workspace */
    size_t scratch_at, bytes;
} tapp_run;

enum { TAPP_SPACINGS = 4 };

typedef struct tapp_product {
    tapp_library *library;
    tapp_layout layout;
    gm_dtype type[TAPP_TENSORS], compute, output; /* output: what the contraction writes */
    bool conjugate[TAPP_TENSORS], conjugate_scale;
    gm_contract_math math;
    tapp_run once, spaced[TAPP_SPACINGS];
    int next; /* of the spacings, to be replaced */
    unsigned char *workspace;
    size_t workspace_bytes;
} tapp_product;

static inline bool tapp_is_complex(gm_dtype type) {
    return type == GM_C64 || type == GM_C128;
}

/* Makes a run and the room it needs. The library is locked. */
TAPP_error tapp_run_make(tapp_product *product, const tapp_layout *layout, tapp_run *run);
void tapp_run_clear(tapp_run *run);

#endif
