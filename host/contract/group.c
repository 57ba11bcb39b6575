/*
 * gm_contract_group_plan_create: layouts are checked, lowered to one step each and told apart by
 * their hash; problems are sorted by layout, the layouts with the most work first, so that what is
 * started last is small.
 */
#include "host/contract/group.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = INT32_MAX };

gm_status gm_group_fail_at(gm_context *context, gm_status status, const char *what,
                           int64_t number) {
    char reason[sizeof context->call.error];
    snprintf(reason, sizeof reason, "%s", gm_last_error(context));
    return gm_fail(context, status, "%s %" PRId64 ": %s", what, number, reason);
}

/* What is made on the way to a plan. */
typedef struct maker {
    gm_contract_group_plan *plan;
    const gm_contract_group *group;
    int64_t *given;       /* of each layout of the plan, the number it was given with first */
    int32_t *of;          /* of each layout that was given, its number in the plan */
    int32_t *table;       /* open hash table of numbers in the plan, -1: free */
    uint64_t places;      /* of the table, a power of 2 */
    gm_group_kind *kinds; /* of each layout of the plan */
    int64_t room;
} maker;

/* ---- a layout as it was given ---------------------------------------------------------------- */

/* NULL where the group has no such tensor. */
static const gm_tensor *given_tensor(const gm_contract_group *g, int64_t layout,
                                     gm_group_role role) {
    switch (role) {
    case GM_GROUP_A:
    case GM_GROUP_B:
        return &g->inputs[GM_GROUP_OPERANDS * layout + (role == GM_GROUP_B)];
    case GM_GROUP_C:
        return g->addends != NULL ? &g->addends[layout] : NULL;
    case GM_GROUP_BIAS:
        return g->biases != NULL ? &g->biases[layout] : NULL;
    default:
        return &g->outputs[layout];
    }
}

/* False where one cannot be compared: the checks say why. */
static bool hash_layout(const gm_contract_group *g, int64_t layout, uint64_t *hash) {
    *hash = 0xcbf29ce484222325u;
    for (int role = 0; role < GM_GROUP_ROLES; ++role) {
        const gm_tensor *t = given_tensor(g, layout, (gm_group_role)role);
        if (t != NULL && (t->ndim < 0 || t->ndim > GM_MAX_DIMS)) {
            return false;
        }
        *hash = t != NULL ? gm_contract_mix_layout(*hash, t) : *hash;
    }
    return true;
}

static bool is_same(const gm_contract_group *g, int64_t x, int64_t y) {
    for (int role = 0; role < GM_GROUP_ROLES; ++role) {
        const gm_tensor *a = given_tensor(g, x, (gm_group_role)role);
        if (a != NULL && !gm_contract_same_layout(a, given_tensor(g, y, (gm_group_role)role))) {
            return false;
        }
    }
    return true;
}

static gm_status check_layout(const maker *m, int64_t layout) {
    gm_contract_group_plan *plan = m->plan;
    gm_context *context = plan->context;
    const gm_tensor *inputs = given_tensor(m->group, layout, GM_GROUP_A);
    const gm_tensor *output = given_tensor(m->group, layout, GM_GROUP_D);
    const gm_tensor *addend = given_tensor(m->group, layout, GM_GROUP_C);
    const gm_tensor *bias = given_tensor(m->group, layout, GM_GROUP_BIAS);
    const gm_contract_group_options *o = &plan->options;
    const gm_contract_epilogue epilogue = {.activation = o->activation, .sample = o->sample};
    const bool finishes = o->activation != GM_ACTIVATION_NONE || o->sample || bias != NULL;
    const gm_contract_options options = {.math = o->math, .epilogue = finishes ? &epilogue : NULL};
    GM_TRY(gm_contract_check(context, plan->text, GM_GROUP_OPERANDS, inputs, output, &options));
    GM_CHECK(context, inputs->dtype == plan->input && output->dtype == plan->output,
             GM_STATUS_INVALID_ARGUMENT, "%s gives %s: must be as in layout 0, %s gives %s",
             gm_dtype_name(inputs->dtype), gm_dtype_name(output->dtype), gm_dtype_name(plan->input),
             gm_dtype_name(plan->output));
    if (addend != NULL) {
        GM_TRY(
            gm_check_layout(context, "addend", addend, output->ndim, GM_DTYPE_BIT(output->dtype)));
        for (int32_t axis = 0; axis < output->ndim; ++axis) {
            GM_TRY(gm_check_size(context, "addend", addend, axis, output->shape[axis],
                                 "as that of the output"));
        }
    }
    return bias != NULL ? gm_contract_check_bias(context, "bias", bias, output) : GM_STATUS_OK;
}

/* ---- a layout of the plan -------------------------------------------------------------------- */

/* One step, with the addend's strides. */
static gm_status lower(const maker *m, int64_t given, const gm_expression *e,
                       gm_group_layout *layout, gm_contraction *contraction) {
    gm_context *context = m->plan->context;
    const gm_contract_group_options *o = &m->plan->options;
    const gm_tensor *addend = given_tensor(m->group, given, GM_GROUP_C);
    const gm_contract_epilogue epilogue = {.bias = given_tensor(m->group, given, GM_GROUP_BIAS),
                                           .activation = o->activation,
                                           .sample = o->sample,
                                           .seed = o->seed};
    const gm_contract_options options = {.math = o->math, .epilogue = &epilogue};
    const gm_path path = {.steps = 1, .step = {{0, 1}}, .whole = true};
    gm_contract_steps steps = {0};
    gm_status status =
        gm_contract_lower(context, e, given_tensor(m->group, given, GM_GROUP_A),
                          given_tensor(m->group, given, GM_GROUP_D), &options, &path, &steps);
    if (status == GM_STATUS_OK) {
        gm_contract_step *step = &steps.step[0];
        *contraction = step->contraction;
        layout->swapped = step->a == 1;
        if (addend != NULL) {
            gm_contract_output_strides(e, addend, step->view.c_stride);
            gm_contract_build(e, &step->view, contraction); /* it fitted before */
            contraction->k = step->contraction.k;
        }
    }
    free(steps.step);
    return status;
}

static gm_group_extent extent_of(const gm_tensor *t) {
    gm_group_extent extent = {0, 0};
    int64_t elements, low, high;
    if (t != NULL && gm_tensor_elements(t, &elements) == GM_STATUS_OK && elements > 0 &&
        gm_tensor_reach(t, &low, &high)) {
        const int64_t size = (int64_t)gm_dtype_size(t->dtype);
        extent = (gm_group_extent){low * size, (high + 1) * size};
    }
    return extent;
}

static bool same_strides(const gm_tensor *a, const gm_tensor *b) {
    for (int32_t axis = 0; axis < b->ndim; ++axis) {
        if (b->shape[axis] > 1 && a->stride[axis] != b->stride[axis]) {
            return false;
        }
    }
    return true;
}

static gm_status keep_tensors(const maker *m, int64_t given, gm_group_layout *layout) {
    layout->tensors = calloc(GM_GROUP_ROLES, sizeof *layout->tensors);
    GM_CHECK(m->plan->context, layout->tensors != NULL, GM_STATUS_OUT_OF_MEMORY,
             "no memory for a plan");
    for (int role = 0; role < GM_GROUP_ROLES; ++role) {
        const gm_tensor *t = given_tensor(m->group, given, (gm_group_role)role);
        if (t != NULL) {
            layout->tensors[role] = *t;
        }
    }
    return GM_STATUS_OK;
}

static gm_status fill_layout(const maker *m, int64_t given, gm_group_layout *layout,
                             gm_group_kind *kind) {
    const gm_tensor *addend = given_tensor(m->group, given, GM_GROUP_C);
    gm_expression e;
    GM_TRY(gm_expression_parse(m->plan->context, m->plan->text, GM_GROUP_OPERANDS,
                               given_tensor(m->group, given, GM_GROUP_A),
                               given_tensor(m->group, given, GM_GROUP_D), &e));
    for (int role = 0; role < GM_GROUP_ROLES; ++role) {
        layout->extent[role] = extent_of(given_tensor(m->group, given, (gm_group_role)role));
    }
    layout->addend_like_output =
        addend != NULL && same_strides(addend, given_tensor(m->group, given, GM_GROUP_D));
    layout->kind = e.empty_output ? -1 : 0;
    if (m->plan->backend->contract_direct != NULL) {
        GM_TRY(keep_tensors(m, given, layout));
    }
    return e.empty_output ? GM_STATUS_OK : lower(m, given, &e, layout, &kind->contraction);
}

static gm_status make_room(maker *m) {
    gm_contract_group_plan *plan = m->plan;
    if (plan->layouts < m->room) {
        return GM_STATUS_OK;
    }
    const int64_t room = m->room == 0 ? 16 : 2 * m->room;
    gm_group_layout *layout = realloc(plan->layout, (size_t)room * sizeof *layout);
    plan->layout = layout != NULL ? layout : plan->layout;
    gm_group_kind *kinds = realloc(m->kinds, (size_t)room * sizeof *kinds);
    m->kinds = kinds != NULL ? kinds : m->kinds;
    int64_t *given = realloc(m->given, (size_t)room * sizeof *given);
    m->given = given != NULL ? given : m->given;
    GM_CHECK(plan->context, layout != NULL && kinds != NULL && given != NULL,
             GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    m->room = room;
    return GM_STATUS_OK;
}

/* The number in the plan of a layout that was given: found, or made. */
static gm_status place_layout(maker *m, int64_t given) {
    gm_contract_group_plan *plan = m->plan;
    uint64_t hash, at = 0;
    if (hash_layout(m->group, given, &hash)) {
        for (at = hash & (m->places - 1); m->table[at] >= 0; at = (at + 1) & (m->places - 1)) {
            if (is_same(m->group, m->given[m->table[at]], given)) {
                m->of[given] = m->table[at];
                return GM_STATUS_OK;
            }
        }
    }
    GM_TRY(check_layout(m, given));
    GM_TRY(make_room(m));
    gm_group_layout *layout = &plan->layout[plan->layouts];
    gm_group_kind *kind = &m->kinds[plan->layouts];
    *layout = (gm_group_layout){.kind = -1};
    *kind = (gm_group_kind){.first = 0};
    m->given[plan->layouts] = given;
    const int32_t number = (int32_t)plan->layouts++;
    m->of[given] = m->table[at] = number;
    return fill_layout(m, given, layout, kind);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static double products_of(const gm_contraction *c) {
    return (double)c->batch * (double)c->m * (double)c->n * (double)(c->k > 0 ? c->k : 1);
}

typedef struct rank {
    double products;
    int64_t layout;
} rank;

static int by_products(const void *a, const void *b) {
    const rank *x = a, *y = b;
    if (x->products != y->products) {
        return x->products < y->products ? 1 : -1;
    }
    return (x->layout > y->layout) - (x->layout < y->layout);
}

/* The kinds of the args: layouts with work to do, the largest first. */
static gm_status sort_kinds(maker *m) {
    gm_contract_group_plan *plan = m->plan;
    gm_group_args *args = &plan->args;
    rank *ranks = calloc((size_t)plan->layouts + 1, sizeof *ranks);
    args->kind = calloc((size_t)plan->layouts + 1, sizeof *args->kind);
    args->problem = calloc((size_t)plan->problems + 1, sizeof *args->problem);
    if (ranks == NULL || args->kind == NULL || args->problem == NULL) {
        free(ranks);
        return gm_fail(plan->context, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    }
    for (int64_t l = 0; l < plan->layouts; ++l) {
        if (plan->layout[l].kind >= 0 && plan->layout[l].problems > 0) {
            ranks[args->kinds++] = (rank){products_of(&m->kinds[l].contraction), l};
        }
        plan->layout[l].kind = -1;
    }
    qsort(ranks, (size_t)args->kinds, sizeof *ranks, by_products);
    for (int64_t k = 0; k < args->kinds; ++k) {
        gm_group_layout *layout = &plan->layout[ranks[k].layout];
        gm_group_kind *kind = &args->kind[k];
        *kind = m->kinds[ranks[k].layout];
        kind->first = args->problems;
        kind->count = layout->problems;
        args->problems += kind->count;
        layout->kind = k;
        plan->operations += (double)kind->count * products_of(&kind->contraction) *
                            (kind->contraction.k == 0   ? 0
                             : kind->contraction.k == 1 ? 1
                                                        : 2);
    }
    free(ranks);
    return GM_STATUS_OK;
}

static gm_status place_problems(maker *m) {
    gm_contract_group_plan *plan = m->plan;
    const int64_t *layout_of = m->group->layout_of;
    for (int64_t p = 0; p < plan->problems; ++p) {
        plan->layout_of[p] = m->of[layout_of != NULL ? layout_of[p] : p];
        ++plan->layout[plan->layout_of[p]].problems;
    }
    GM_TRY(sort_kinds(m));
    for (int64_t k = 0; k < plan->args.kinds; ++k) {
        plan->args.kind[k].count = 0;
    }
    plan->args.kind_of = plan->kind_of;
    for (int64_t p = 0, placed = 0; p < plan->problems; ++p) {
        const int64_t k = plan->layout[plan->layout_of[p]].kind;
        gm_group_kind *kind = k >= 0 ? &plan->args.kind[k] : NULL;
        if (kind != NULL) {
            plan->kind_of[placed++] = (int32_t)k;
        }
        plan->slot[p] = kind != NULL ? (int32_t)(kind->first + kind->count++) : -1;
    }
    return GM_STATUS_OK;
}

static gm_status choose(gm_contract_group_plan *plan) {
    const char *kernel = plan->options.kernel;
    if (plan->backend->contract_direct != NULL) {
        const char *own = plan->backend->contract_kernel(0);
        GM_CHECK(plan->context, kernel == NULL || strcmp(kernel, own) == 0, GM_STATUS_UNSUPPORTED,
                 "options.kernel = %.64s: the %s backend has but %s", kernel, plan->backend->name,
                 own);
        for (int64_t k = 0; k < plan->args.kinds; ++k) {
            plan->args.kind[k].kernel = own;
        }
        return GM_STATUS_OK;
    }
    GM_TRY(plan->backend->contract_group_choose(&plan->context->call, &plan->args, kernel));
    if (plan->args.staging_bytes > 0) {
        plan->args.staging = malloc((size_t)plan->args.staging_bytes);
        GM_CHECK(plan->context, plan->args.staging != NULL, GM_STATUS_OUT_OF_MEMORY,
                 "no memory for a plan");
    }
    return GM_STATUS_OK;
}

static gm_status fill_plan(maker *m) {
    gm_contract_group_plan *plan = m->plan;
    const size_t layouts = (size_t)m->group->layouts, problems = (size_t)plan->problems;
    for (m->places = 16; m->places < 2 * layouts;) {
        m->places *= 2;
    }
    m->of = calloc(layouts + 1, sizeof *m->of);
    m->table = malloc(m->places * sizeof *m->table);
    plan->layout_of = calloc(problems + 1, sizeof *plan->layout_of);
    plan->slot = calloc(problems + 1, sizeof *plan->slot);
    plan->kind_of = calloc(problems + 1, sizeof *plan->kind_of);
    GM_CHECK(plan->context,
             m->of != NULL && m->table != NULL && plan->layout_of != NULL && plan->slot != NULL &&
                 plan->kind_of != NULL,
             GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    memset(m->table, 0xff, m->places * sizeof *m->table);
    for (int64_t l = 0; l < m->group->layouts; ++l) {
        const gm_status status = place_layout(m, l);
        if (status != GM_STATUS_OK) {
            return gm_group_fail_at(plan->context, status, "layout", l);
        }
    }
    GM_TRY(place_problems(m));
    GM_TRY(choose(plan));
    plan->explanation = gm_group_describe(plan);
    GM_CHECK(plan->context, plan->explanation != NULL, GM_STATUS_OUT_OF_MEMORY,
             "no memory for a plan");
    return GM_STATUS_OK;
}

/* ---- the plan -------------------------------------------------------------------------------- */

static gm_status check_group(gm_context *context, const gm_contract_group *g) {
    GM_CHECK(context, g != NULL, GM_STATUS_INVALID_ARGUMENT, "group is NULL");
    GM_CHECK(context, g->operands == GM_GROUP_OPERANDS, GM_STATUS_UNSUPPORTED,
             "group.operands = %d: groups are of 2 operands; contract more pair by pair",
             (int)g->operands);
    GM_CHECK(context, g->problems >= 0 && g->problems <= MOST, GM_STATUS_INVALID_ARGUMENT,
             "group.problems = %" PRId64 " is not in 0 .. %d", g->problems, MOST);
    GM_CHECK(context, g->layouts >= 0 && g->layouts <= MOST, GM_STATUS_INVALID_ARGUMENT,
             "group.layouts = %" PRId64 " is not in 0 .. %d", g->layouts, MOST);
    GM_CHECK(context, g->layouts == 0 || (g->inputs != NULL && g->outputs != NULL),
             GM_STATUS_INVALID_ARGUMENT, "group.%s is NULL",
             g->inputs == NULL ? "inputs" : "outputs");
    GM_CHECK(context, g->layout_of != NULL || g->problems == g->layouts, GM_STATUS_INVALID_ARGUMENT,
             "group.layout_of is NULL, and there are %" PRId64 " problems of %" PRId64 " layouts",
             g->problems, g->layouts);
    for (int64_t p = 0; g->layout_of != NULL && p < g->problems; ++p) {
        GM_CHECK(context, g->layout_of[p] >= 0 && g->layout_of[p] < g->layouts,
                 GM_STATUS_INVALID_ARGUMENT,
                 "group.layout_of[%" PRId64 "] = %" PRId64 " is not one of %" PRId64 " layouts", p,
                 g->layout_of[p], g->layouts);
    }
    return GM_STATUS_OK;
}

static const gm_backend *backend_of(gm_context *context) {
    return context->backend->contract_direct != NULL
               ? context->backend
               : GM_BACKEND_WITH(context, contract_group_choose);
}

static gm_status make_plan(gm_contract_group_plan *plan, const char *expression,
                           const gm_contract_group *group) {
    plan->text = strdup(expression);
    GM_CHECK(plan->context, plan->text != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    plan->problems = group->problems;
    plan->has_addends = group->addends != NULL;
    plan->has_biases = group->biases != NULL;
    if (group->layouts > 0) {
        plan->input = group->inputs[0].dtype;
        plan->output = group->outputs[0].dtype;
    }
    maker m = {.plan = plan, .group = group};
    const gm_status status = fill_plan(&m);
    free(m.given);
    free(m.of);
    free(m.table);
    free(m.kinds);
    return status;
}

gm_status gm_contract_group_plan_create(gm_context *context, const char *expression,
                                        const gm_contract_group *group,
                                        const gm_contract_group_options *options,
                                        gm_contract_group_plan **plan) {
    GM_CHECK(context, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    *plan = NULL;
    GM_CHECK(context, expression != NULL, GM_STATUS_INVALID_ARGUMENT, "expression is NULL");
    GM_TRY(check_group(context, group));
    const gm_backend *backend = backend_of(context);
    if (backend == NULL) {
        return GM_STATUS_UNSUPPORTED;
    }
    gm_contract_group_plan *made = calloc(1, sizeof *made);
    GM_CHECK(context, made != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    made->context = context;
    made->backend = backend;
    made->options = options != NULL ? *options : (gm_contract_group_options){0};
    const gm_status status = make_plan(made, expression, group);
    made->options.kernel = NULL; /* the caller's */
    if (status != GM_STATUS_OK) {
        gm_contract_group_plan_destroy(made);
        return status;
    }
    *plan = made;
    return GM_STATUS_OK;
}

void gm_contract_group_plan_destroy(gm_contract_group_plan *plan) {
    if (plan == NULL) {
        return;
    }
    for (int64_t l = 0; l < plan->layouts; ++l) {
        free(plan->layout[l].tensors);
    }
    free(plan->layout);
    free(plan->layout_of);
    free(plan->slot);
    free(plan->kind_of);
    free(plan->args.state);
    free(plan->args.kind);
    free(plan->args.problem);
    free(plan->args.staging);
    free(plan->text);
    free(plan->explanation);
    free(plan);
}

/* ---- the plan as text ------------------------------------------------------------------------ */

static void print_group(FILE *out, const gm_contract_group_plan *plan) {
    enum { LINES = 64 };
    const gm_group_args *args = &plan->args;
    fprintf(out, "%s: %" PRId64 " problems of %" PRId64 " layouts, %.6g operations", plan->text,
            plan->problems, plan->layouts, plan->operations);
    if (args->units > 0) {
        fprintf(out, ", %" PRId64 " units of work", args->units);
    }
    fputc('\n', out);
    for (int64_t k = 0; k < args->kinds && k < LINES; ++k) {
        const gm_group_kind *kind = &args->kind[k];
        const gm_contraction *c = &kind->contraction;
        fprintf(out,
                "%" PRId64 " x batch %" PRId64 ", m %" PRId64 ", n %" PRId64 ", k %" PRId64
                ": kernel %s",
                kind->count, c->batch, c->m, c->n, c->k, kind->kernel);
        if (kind->run > 0) {
            fprintf(out, ", %" PRId64 " units", gm_group_units(kind));
        }
        fputc('\n', out);
    }
    if (args->kinds > LINES) {
        fprintf(out, "and %" PRId64 " layouts more\n", args->kinds - LINES);
    }
    if (args->problems < plan->problems) {
        fprintf(out, "%" PRId64 " without elements\n", plan->problems - args->problems);
    }
    fprintf(out, "workspace: %" PRId64 " bytes, of which bind copies %" PRId64 "\n",
            args->workspace_bytes, args->staging_bytes);
}

char *gm_group_describe(const gm_contract_group_plan *plan) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        return NULL;
    }
    print_group(out, plan);
    const int failed = ferror(out);
    if (fclose(out) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}

size_t gm_contract_group_workspace(const gm_contract_group_plan *plan) {
    return plan != NULL ? (size_t)plan->args.workspace_bytes : 0;
}

double gm_contract_group_operations(const gm_contract_group_plan *plan) {
    return plan != NULL ? plan->operations : 0;
}

const char *gm_contract_group_explain(const gm_contract_group_plan *plan) {
    return plan != NULL ? plan->explanation : "";
}
