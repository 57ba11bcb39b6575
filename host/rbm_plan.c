/* gm_rbm_plan_create: checks, contractions, the workspace. */
#include <stdlib.h>
#include <string.h>

#include "host/rbm_plan.h"

enum { MOST_BITS_CPU = 18, MOST_BITS_DEVICE = 24, BLOCK_BITS = 12, MOST_UNITS = 1 << 24 };

static gm_status check_sizes(gm_context *context, const gm_rbm_options *o) {
    const struct {
        const char *name;
        int64_t value, least, most;
    } sizes[] = {{"rows", o->rows, 0, INT64_C(1) << 40},
                 {"visible", o->visible, 1, MOST_UNITS},
                 {"hidden", o->hidden, 1, MOST_UNITS}};
    for (int i = 0; i < 3; ++i) {
        GM_CHECK(context, sizes[i].value >= sizes[i].least && sizes[i].value <= sizes[i].most,
                 GM_STATUS_INVALID_ARGUMENT, "options.%s = %lld is not in %lld .. %lld",
                 sizes[i].name, (long long)sizes[i].value, (long long)sizes[i].least,
                 (long long)sizes[i].most);
    }
    if (o->kind == GM_RBM_POTTS) {
        GM_CHECK(context, o->colours >= 2 && o->visible % o->colours == 0,
                 GM_STATUS_INVALID_ARGUMENT,
                 "options.colours = %lld: must be at least 2 and divide visible = %lld",
                 (long long)o->colours, (long long)o->visible);
    } else {
        GM_CHECK(context, o->colours == 0, GM_STATUS_INVALID_ARGUMENT,
                 "options.colours = %lld: only potts units have colours", (long long)o->colours);
    }
    return GM_STATUS_OK;
}

static gm_status check_options(gm_context *context, const gm_rbm_options *o) {
    GM_CHECK(context, o != NULL, GM_STATUS_INVALID_ARGUMENT, "options is NULL");
    GM_CHECK(context, o->dtype == GM_F64 || o->dtype == GM_F32 || o->dtype == GM_BF16,
             GM_STATUS_INVALID_ARGUMENT, "options.dtype = %s: must be f64, f32 or bf16",
             gm_dtype_name(o->dtype));
    GM_CHECK(context, (unsigned)o->kind <= GM_RBM_POTTS, GM_STATUS_INVALID_ARGUMENT,
             "options.kind = %d is no gm_rbm_kind", (int)o->kind);
    GM_CHECK(context, o->dtype != GM_BF16 || (o->kind == GM_RBM_BINARY && o->partition == 0),
             GM_STATUS_UNSUPPORTED, "options.dtype = bf16: binary chains and means alone");
    GM_CHECK(context, o->partition == 0 || o->partition == 1, GM_STATUS_INVALID_ARGUMENT,
             "options.partition = %d is neither 0 nor 1", (int)o->partition);
    return check_sizes(context, o);
}

/* ---- contractions ---------------------------------------------------------------------------- */

typedef struct product_row {
    const char *expression;
    bool sigmoid, sample;
} product_row;

static const product_row rows[GM_RBM_PRODUCTS] = {
    [GM_RBM_HIDDEN_DRAW] = {"ni,ij->nj", true, true},
    [GM_RBM_HIDDEN_MEAN] = {"ni,ij->nj", true, false},
    [GM_RBM_VISIBLE_DRAW] = {"nj,ij->ni", true, true},
    [GM_RBM_VISIBLE_MEAN] = {"nj,ij->ni", true, false},
    [GM_RBM_COPY_B] = {"i->i", false, false},
    [GM_RBM_COPY_C] = {"j->j", false, false},
    [GM_RBM_HIDDEN_FIELD] = {"ni,ij->nj", false, false},
    [GM_RBM_VISIBLE_FIELD] = {"nj,ij->ni", false, false},
    [GM_RBM_FIELD_DRAW] = {"nj->nj", true, true},
    [GM_RBM_GRADIENT] = {"ni,nj->ij", false, false},
    [GM_RBM_SUM_V] = {"ni->i", false, false},
    [GM_RBM_SUM_H] = {"nj->j", false, false},
    [GM_RBM_COPY_W] = {"ij->ij", false, false},
    [GM_RBM_STATES_FIELD] = {"sj,ij->si", false, false},
};

/* A row-major view with the sizes of some letters, and no data. */
static gm_tensor view_of(const gm_rbm_plan *plan, const char *letters, int32_t count) {
    const gm_rbm_options *o = &plan->options;
    gm_tensor t = {.dtype = o->dtype, .ndim = count};
    int64_t stride = 1;
    for (int32_t axis = count; axis-- > 0;) {
        const char letter = letters[axis];
        t.shape[axis] = letter == 'n'   ? o->rows
                        : letter == 'i' ? o->visible
                        : letter == 'j' ? o->hidden
                                        : plan->block;
        t.stride[axis] = stride;
        stride *= t.shape[axis];
    }
    return t;
}

static gm_status make_product(gm_rbm_plan *plan, gm_rbm_product which) {
    gm_rbm_contraction *p = &plan->product[which];
    const product_row *row = &rows[which];
    const char *text =
        which == GM_RBM_STATES_FIELD && plan->of_visible ? "si,ij->sj" : row->expression;
    const char *arrow = strchr(text, '>'), *comma = strchr(text, ',');
    const int32_t operands = comma != NULL ? 2 : 1;
    p->inputs[0] = view_of(plan, text, (int32_t)((comma != NULL ? comma : arrow - 1) - text));
    if (operands == 2) {
        p->inputs[1] = view_of(plan, comma + 1, (int32_t)(arrow - 1 - comma - 1));
    }
    p->output = view_of(plan, arrow + 1, (int32_t)strlen(arrow + 1));
    gm_tensor bias = gm_tensor_2d(plan->bias, plan->options.dtype, 1, p->output.shape[1]);
    const gm_contract_epilogue epilogue = {
        .bias = &bias, .activation = GM_ACTIVATION_SIGMOID, .sample = row->sample};
    const gm_contract_options options = {.epilogue = row->sigmoid ? &epilogue : NULL};
    return gm_contract_plan_create(plan->context, text, operands, p->inputs, &p->output, &options,
                                   &p->plan);
}

static bool has_product(const gm_rbm_options *o, int which) {
    if (o->dtype == GM_BF16 && which >= GM_RBM_BFLOAT_PRODUCTS) {
        return false;
    }
    return which == GM_RBM_STATES_FIELD                                   ? o->partition != 0
           : which == GM_RBM_VISIBLE_DRAW || which == GM_RBM_VISIBLE_MEAN ? o->kind == GM_RBM_BINARY
                                                                          : true;
}

/* ---- the workspace --------------------------------------------------------------------------- */

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static gm_status place_arrays(gm_rbm_plan *plan) {
    const gm_rbm_options *o = &plan->options;
    const int64_t others = plan->of_visible ? o->hidden : o->visible;
    const int64_t sizes[GM_RBM_PLACES][2] = {
        [GM_RBM_AT_B] = {o->visible, 1},
        [GM_RBM_AT_C] = {o->hidden, 1},
        [GM_RBM_AT_FIELD] = {o->rows, larger(o->visible, o->hidden)},
        [GM_RBM_AT_V] = {o->rows, o->visible},
        [GM_RBM_AT_H] = {o->rows, o->hidden},
        [GM_RBM_AT_DATA_H] = {o->rows, o->hidden},
        [GM_RBM_AT_STATES] = {plan->block, plan->bits},
        [GM_RBM_AT_STATES_X] = {plan->block, others},
        [GM_RBM_AT_TERMS] = {plan->block, 1},
        [GM_RBM_AT_SUM] = {2, 1},
    };
    size_t contract = 0;
    for (int i = 0; i < GM_RBM_PRODUCTS; ++i) {
        const size_t bytes = gm_contract_workspace(plan->product[i].plan);
        contract = bytes > contract ? bytes : contract;
    }
    int64_t total = (int64_t)((contract + 63) / 64 * 64);
    for (int i = GM_RBM_AT_CONTRACT + 1; i < GM_RBM_PLACES; ++i) {
        int64_t bytes;
        GM_CHECK(plan->context,
                 gm_multiply_sizes(sizes[i][0], sizes[i][1], &bytes) &&
                     gm_multiply_sizes(bytes, (int64_t)gm_dtype_size(o->dtype), &bytes) &&
                     bytes < INT64_MAX / 16 && total < INT64_MAX / 2,
                 GM_STATUS_OUT_OF_MEMORY, "options: the workspace has more than 2^59 bytes");
        plan->at[i] = (size_t)total;
        total += (bytes + 63) / 64 * 64;
    }
    plan->bytes = (size_t)total;
    return GM_STATUS_OK;
}

/* ---- the plan -------------------------------------------------------------------------------- */

/* Which layer's states log Z goes through. */
static gm_status choose_layer(gm_rbm_plan *plan) {
    const gm_rbm_options *o = &plan->options;
    if (o->partition == 0) {
        return GM_STATUS_OK;
    }
    const bool device =
        strcmp(plan->backend->name, "ref") != 0 && strcmp(plan->backend->name, "cpu") != 0;
    const int64_t most = device ? MOST_BITS_DEVICE : MOST_BITS_CPU;
    plan->of_visible = o->kind == GM_RBM_BINARY && o->visible < o->hidden;
    plan->bits = plan->of_visible ? o->visible : o->hidden;
    GM_CHECK(plan->context, plan->bits <= most, GM_STATUS_UNSUPPORTED,
             "options.partition: 2^%lld states of the %s layer, and %s enumerates 2^%d at most",
             (long long)plan->bits, plan->of_visible ? "visible" : "hidden", plan->backend->name,
             (int)most);
    plan->block = INT64_C(1) << (plan->bits < BLOCK_BITS ? plan->bits : BLOCK_BITS);
    return GM_STATUS_OK;
}

static gm_status prepare(gm_rbm_plan *plan) {
    const gm_rbm_options *o = &plan->options;
    GM_TRY(choose_layer(plan));
    const size_t widest = (size_t)larger(o->visible, o->hidden);
    GM_TRY(gm_memory_alloc(plan->context, widest * gm_dtype_size(o->dtype), &plan->bias));
    for (int i = 0; i < GM_RBM_PRODUCTS; ++i) {
        if (has_product(o, i)) {
            GM_TRY(make_product(plan, (gm_rbm_product)i));
        }
    }
    return place_arrays(plan);
}

gm_status gm_rbm_plan_create(gm_context *context, const gm_rbm_options *options,
                             gm_rbm_plan **plan) {
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    *plan = NULL;
    GM_TRY(check_options(context, options));
    gm_rbm_plan *made;
    GM_NEW_PLAN(context, rbm_run, made);
    made->options = *options;
    const gm_status status = prepare(made);
    if (status != GM_STATUS_OK) {
        gm_rbm_plan_destroy(made);
        return status;
    }
    *plan = made;
    return GM_STATUS_OK;
}

void gm_rbm_plan_destroy(gm_rbm_plan *plan) {
    if (plan == NULL) {
        return;
    }
    for (int i = 0; i < GM_RBM_PRODUCTS; ++i) {
        gm_contract_plan_destroy(plan->product[i].plan);
    }
    gm_memory_free(plan->context, plan->bias);
    free(plan);
}

size_t gm_rbm_workspace(const gm_rbm_plan *plan) {
    return plan != NULL ? plan->bytes : 0;
}
