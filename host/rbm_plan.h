/* The plan of a Boltzmann machine, and what the files of gm_rbm_* share. */
#ifndef GENMATH_HOST_RBM_PLAN_H
#define GENMATH_HOST_RBM_PLAN_H

#include <genmath/contract.h>

#include "host/internal.h"
#include "host/rbm_args.h"

/* The contractions of a plan. Letters: n rows, i visible, j hidden, s states of a block. */
typedef enum gm_rbm_product {
    GM_RBM_HIDDEN_DRAW, /* v, W */
    GM_RBM_HIDDEN_MEAN,
    GM_RBM_VISIBLE_DRAW, /* h, W; binary */
    GM_RBM_VISIBLE_MEAN,
    GM_RBM_COPY_B, /* scaled copies, in place with an addend */
    GM_RBM_COPY_C,
    GM_RBM_BFLOAT_PRODUCTS, /* bf16 has the products above alone */
    GM_RBM_HIDDEN_FIELD = GM_RBM_BFLOAT_PRODUCTS,
    GM_RBM_VISIBLE_FIELD,
    GM_RBM_FIELD_DRAW, /* a hidden field: the draw alone */
    GM_RBM_GRADIENT,   /* v, h */
    GM_RBM_SUM_V,
    GM_RBM_SUM_H,
    GM_RBM_COPY_W,
    GM_RBM_STATES_FIELD, /* states, W */
    GM_RBM_PRODUCTS
} gm_rbm_product;

/* Places in the workspace. */
typedef enum gm_rbm_place {
    GM_RBM_AT_CONTRACT,
    GM_RBM_AT_B, /* beta b */
    GM_RBM_AT_C,
    GM_RBM_AT_FIELD,    /* (rows, the larger layer) */
    GM_RBM_AT_V,        /* (rows, visible): v / sigma, or a draw before clamping */
    GM_RBM_AT_H,        /* (rows, hidden) */
    GM_RBM_AT_DATA_H,   /* (rows, hidden) */
    GM_RBM_AT_STATES,   /* (block, enumerated) */
    GM_RBM_AT_STATES_X, /* (block, others) */
    GM_RBM_AT_TERMS,    /* (block) */
    GM_RBM_AT_SUM,      /* maximum, sum */
    GM_RBM_PLACES
} gm_rbm_place;

typedef struct gm_rbm_contraction {
    gm_contract_plan *plan; /* NULL: not of this machine */
    gm_tensor inputs[2], output;
} gm_rbm_contraction;

struct gm_rbm_plan {
    gm_context *context;
    const gm_backend *backend;
    gm_rbm_options options;
    gm_rbm_contraction product[GM_RBM_PRODUCTS];
    void *bias; /* the plans' own, which no execution uses */
    size_t at[GM_RBM_PLACES], bytes;
    bool of_visible; /* log Z goes through the states of v */
    int64_t bits, block;
};

/* A call's checked arguments. */
typedef struct gm_rbm_run {
    const gm_rbm_plan *plan;
    void *w, *b, *c, *sigma; /* of the model; sigma NULL unless gaussian */
    char *workspace;
    double beta;
    const void *beta_b, *beta_c;
    uint64_t seed, first_chain;
    const uint8_t *clamp;
} gm_rbm_run;

/* Checks the model and the workspace, sets all but seed, first_chain and clamp. beta 0 is 1. */
gm_status gm_rbm_check(const gm_rbm_plan *plan, const gm_rbm_model *model, double beta,
                       void *workspace, size_t workspace_bytes, gm_rbm_run *run);

/* A row-major tensor of the plan's type, (rows, columns), or with columns = 0 (rows); apart from
 * the workspace. */
gm_status gm_rbm_check_matrix(const gm_rbm_run *run, const char *name, const gm_tensor *tensor,
                              int64_t rows, int64_t columns);

/* The outputs, `count` of them first in `tensors`, overlap neither each other nor the rest. NULL
 * tensors are skipped. */
gm_status gm_rbm_check_apart(const gm_rbm_plan *plan, int32_t outputs, int32_t count,
                             const char *const *names, const gm_tensor *const *tensors);

static inline void *gm_rbm_at(const gm_rbm_run *run, gm_rbm_place place) {
    return run->workspace + run->plan->at[place];
}

/* beta b and beta c where beta is not 1: before products with biases. */
gm_status gm_rbm_scale_biases(gm_rbm_run *run);

/* The key of a half sweep. */
uint64_t gm_rbm_key(uint64_t seed, uint64_t sweep, uint32_t layer);

/* out = epilogue(alpha sum + beta out), the epilogue with this bias and the draws of a key. */
gm_status gm_rbm_multiply(const gm_rbm_run *run, gm_rbm_product which, const void *a, const void *b,
                          double alpha, double beta, const void *bias, uint64_t key, void *out);

/* v as the hidden units see it: v itself, or v / sigma in the place of GM_RBM_AT_V. */
gm_status gm_rbm_seen(const gm_rbm_run *run, const void *v, const void **seen);

/* h from v, and v from h, with the draws of a key; gain is of the field. */
gm_status gm_rbm_draw_hidden(const gm_rbm_run *run, const void *v, uint64_t key, void *h);
gm_status gm_rbm_draw_visible(const gm_rbm_run *run, const void *h, double gain, uint64_t key,
                              void *v);

/* Sweeps first .. first + count - 1; h is the last hidden layer. */
gm_status gm_rbm_sweep(const gm_rbm_run *run, uint64_t first, int64_t count, void *v, void *h);

/* The backend's operation, and arguments of the plan's for it. */
gm_status gm_rbm_work_on(const gm_rbm_run *run, const gm_rbm_args *args);
gm_rbm_args gm_rbm_args_of(const gm_rbm_run *run, gm_rbm_work work, bool of_visible);

#endif
