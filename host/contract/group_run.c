/*
 * gm_contract_group_bind and gm_contract_group_execute. That no output meets another tensor is
 * found by sorting the ranges of bytes: one walk over them sees every pair that overlaps.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "host/contract/group.h"

/* ---- the tensors of a problem ---------------------------------------------------------------- */

static const char *const role_names[GM_GROUP_ROLES] = {"inputs[0]", "inputs[1]", "addends",
                                                       "biases", "outputs"};

/* A problem and what its arrays are. */
typedef struct bound {
    const gm_group_layout *layout;
    const void *data[GM_GROUP_ROLES]; /* NULL: not read */
    gm_contract_scale scale;
    uint64_t first;
} bound;

static gm_status find_arrays(const gm_contract_group_plan *plan,
                             const gm_contract_group_arrays *arrays, int64_t p, bound *b) {
    b->layout = &plan->layout[plan->layout_of[p]];
    b->scale = arrays->scales == NULL ? (gm_contract_scale){.alpha = 1}
                                      : arrays->scales[arrays->scale_count == 1 ? 0 : p];
    b->first = arrays->first != NULL ? arrays->first[p] : 0;
    GM_TRY(gm_contract_check_scale(plan->context, &b->scale, plan->output));
    const bool adds = gm_contract_adds(&b->scale, plan->output);
    GM_CHECK(plan->context, !adds || plan->has_addends, GM_STATUS_INVALID_ARGUMENT,
             "scale.beta is not 0, and the plan has no addends");
    const void *const all[GM_GROUP_ROLES] = {
        [GM_GROUP_A] = arrays->inputs[GM_GROUP_OPERANDS * p],
        [GM_GROUP_B] = arrays->inputs[GM_GROUP_OPERANDS * p + 1],
        [GM_GROUP_C] = adds && arrays->addends != NULL ? arrays->addends[p] : NULL,
        [GM_GROUP_BIAS] = plan->has_biases ? arrays->biases[p] : NULL,
        [GM_GROUP_D] = arrays->outputs[p],
    };
    const bool has_work = b->layout->extent[GM_GROUP_D].end > 0;
    const bool has_sum =
        b->layout->extent[GM_GROUP_A].end > 0 && b->layout->extent[GM_GROUP_B].end > 0;
    const bool read[GM_GROUP_ROLES] = {has_work && has_sum, has_work && has_sum, has_work && adds,
                                       has_work && plan->has_biases, has_work};
    for (int role = 0; role < GM_GROUP_ROLES; ++role) {
        const gm_dtype type = role <= GM_GROUP_B ? plan->input : plan->output;
        const gm_tensor one = {(void *)(uintptr_t)all[role], type, 0, {0}, {0}};
        b->data[role] = read[role] ? all[role] : NULL;
        if (read[role]) {
            GM_TRY(gm_check_tensor(plan->context, role_names[role], &one, 0, GM_DTYPE_BIT(type)));
        }
    }
    return GM_STATUS_OK;
}

static gm_status check_arrays(const gm_contract_group_plan *plan,
                              const gm_contract_group_arrays *arrays) {
    gm_context *context = plan->context;
    GM_CHECK(context, arrays != NULL, GM_STATUS_INVALID_ARGUMENT, "arrays is NULL");
    GM_CHECK(context, plan->problems == 0 || (arrays->inputs != NULL && arrays->outputs != NULL),
             GM_STATUS_INVALID_ARGUMENT, "arrays.%s is NULL",
             arrays->inputs == NULL ? "inputs" : "outputs");
    GM_CHECK(context, plan->problems == 0 || !plan->has_biases || arrays->biases != NULL,
             GM_STATUS_INVALID_ARGUMENT, "arrays.biases is NULL, and the plan has biases");
    GM_CHECK(context,
             arrays->scales == NULL || arrays->scale_count == 1 ||
                 arrays->scale_count == plan->problems,
             GM_STATUS_INVALID_ARGUMENT,
             "arrays.scale_count = %" PRId64 ": must be 1 or %" PRId64 ", one for each problem",
             arrays->scale_count, plan->problems);
    GM_CHECK(context, !plan->options.sample || arrays->first != NULL || plan->problems <= 1,
             GM_STATUS_INVALID_ARGUMENT,
             "arrays.first is NULL: the problems would all draw the same samples");
    return GM_STATUS_OK;
}

/* ---- overlaps -------------------------------------------------------------------------------- */

typedef struct range {
    uintptr_t first, end;
    int32_t problem; /* -1: the workspace */
    gm_group_role role;
} range;

static int by_first(const void *a, const void *b) {
    const range *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

static void name_range(const range *r, char *text, size_t size) {
    if (r->problem < 0) {
        snprintf(text, size, "the workspace");
    } else {
        snprintf(text, size, "%s of problem %d", role_names[r->role], (int)r->problem);
    }
}

static gm_status check_pair(gm_context *context, const range *x, const range *y) {
    if (x == NULL || x->end <= y->first) {
        return GM_STATUS_OK;
    }
    char a[48], b[48];
    name_range(x, a, sizeof a);
    name_range(y, b, sizeof b);
    return gm_fail(context, GM_STATUS_INVALID_ARGUMENT, "%s and %s overlap in memory", a, b);
}

/* What is written meets nothing that begins before it, what is read nothing written. */
static gm_status check_ranges(gm_context *context, range *ranges, int64_t count) {
    const range *written = NULL, *read = NULL; /* those so far that end last */
    qsort(ranges, (size_t)count, sizeof *ranges, by_first);
    for (int64_t i = 0; i < count; ++i) {
        const range *r = &ranges[i];
        const bool writes = r->problem < 0 || r->role == GM_GROUP_D;
        GM_TRY(check_pair(context, written, r));
        if (writes) {
            GM_TRY(check_pair(context, read, r));
            written = r; /* it meets no other */
        } else {
            read = read == NULL || r->end > read->end ? r : read;
        }
    }
    return GM_STATUS_OK;
}

static int64_t add_ranges(const bound *b, int64_t p, range *ranges) {
    int64_t count = 0;
    for (int role = 0; role < GM_GROUP_ROLES; ++role) {
        const gm_group_extent extent = b->layout->extent[role];
        const bool is_output = role == GM_GROUP_C && b->layout->addend_like_output &&
                               b->data[role] == b->data[GM_GROUP_D];
        if (b->data[role] != NULL && !is_output) {
            const uintptr_t at = (uintptr_t)b->data[role];
            ranges[count++] = (range){at + (uintptr_t)extent.low, at + (uintptr_t)extent.end,
                                      (int32_t)p, (gm_group_role)role};
        }
    }
    return count;
}

/* ---- bind ------------------------------------------------------------------------------------ */

static gm_status check_workspace(const gm_contract_group_plan *plan, void *workspace,
                                 size_t bytes) {
    const size_t needed = (size_t)plan->args.workspace_bytes;
    if (needed == 0) {
        return GM_STATUS_OK;
    }
    GM_CHECK(plan->context, bytes >= needed, GM_STATUS_WORKSPACE_TOO_SMALL,
             "workspace_bytes = %zu: the plan needs %zu", bytes, needed);
    const gm_tensor all = gm_tensor_1d(workspace, GM_U8, (int64_t)needed);
    GM_TRY(gm_check_tensor(plan->context, "workspace", &all, 1, GM_DTYPE_BIT(GM_U8)));
    GM_CHECK(plan->context, (uintptr_t)workspace % 64 == 0, GM_STATUS_INVALID_ARGUMENT,
             "workspace is not aligned to 64 bytes");
    return GM_STATUS_OK;
}

static gm_status take_arrays(gm_contract_group_plan *plan, const gm_contract_group_arrays *arrays,
                             range *ranges, int64_t count) {
    for (int64_t p = 0; p < plan->problems; ++p) {
        bound b;
        const gm_status status = find_arrays(plan, arrays, p, &b);
        if (status != GM_STATUS_OK) {
            return gm_group_fail_at(plan->context, status, "problem", p);
        }
        if (plan->slot[p] >= 0) {
            count += add_ranges(&b, p, ranges + count);
            const bool swapped = b.layout->swapped;
            plan->args.problem[plan->slot[p]] =
                (gm_group_problem){.arrays = {.a = b.data[swapped ? GM_GROUP_B : GM_GROUP_A],
                                              .b = b.data[swapped ? GM_GROUP_A : GM_GROUP_B],
                                              .c = b.data[GM_GROUP_C],
                                              .bias = b.data[GM_GROUP_BIAS],
                                              .d = (void *)(uintptr_t)b.data[GM_GROUP_D],
                                              .scale = b.scale},
                                   .first = b.first};
        }
    }
    return check_ranges(plan->context, ranges, count);
}

gm_status gm_contract_group_bind(gm_contract_group_plan *plan,
                                 const gm_contract_group_arrays *arrays, void *workspace,
                                 size_t workspace_bytes) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    plan->bound = false;
    GM_TRY(check_arrays(plan, arrays));
    GM_TRY(check_workspace(plan, workspace, workspace_bytes));
    range *ranges = malloc(((size_t)plan->problems * GM_GROUP_ROLES + 1) * sizeof *ranges);
    GM_CHECK(plan->context, ranges != NULL, GM_STATUS_OUT_OF_MEMORY,
             "no memory to compare %" PRId64 " problems", plan->problems);
    ranges[0] =
        (range){(uintptr_t)workspace, (uintptr_t)workspace + (uintptr_t)plan->args.workspace_bytes,
                -1, GM_GROUP_D};
    const gm_status status =
        take_arrays(plan, arrays, ranges, plan->args.workspace_bytes > 0 ? 1 : 0);
    free(ranges);
    GM_TRY(status);
    plan->args.workspace = workspace;
    if (plan->args.units > 0 && plan->backend->contract_group_bind != NULL) {
        GM_TRY(plan->backend->contract_group_bind(&plan->context->call, &plan->args));
    }
    plan->bound = true;
    return GM_STATUS_OK;
}

/* ---- execute --------------------------------------------------------------------------------- */

/* A problem by a backend that runs expressions whole. */
static gm_status run_whole(const gm_contract_group_plan *plan, int64_t p) {
    const gm_group_layout *layout = &plan->layout[plan->layout_of[p]];
    const gm_tensor *tensors = layout->tensors;
    const gm_group_problem *problem = &plan->args.problem[plan->slot[p]];
    const gm_contract_arrays *arrays = &problem->arrays;
    const gm_contract_epilogue epilogue = {.bias =
                                               plan->has_biases ? &tensors[GM_GROUP_BIAS] : NULL,
                                           .activation = plan->options.activation,
                                           .sample = plan->options.sample,
                                           .seed = plan->options.seed,
                                           .first = problem->first};
    gm_expression e;
    gm_contract_direct direct;
    GM_TRY(gm_expression_parse(plan->context, plan->text, GM_GROUP_OPERANDS, tensors,
                               &tensors[GM_GROUP_D], &e));
    gm_contract_fill_direct(&e, tensors, &tensors[GM_GROUP_D], plan->options.math, &epilogue,
                            &direct);
    for (int32_t axis = 0; axis < e.outputs && arrays->c != NULL; ++axis) {
        direct.c_stride[axis] = tensors[GM_GROUP_C].stride[axis];
    }
    direct.inputs[0] = layout->swapped ? arrays->b : arrays->a;
    direct.inputs[1] = layout->swapped ? arrays->a : arrays->b;
    direct.c = arrays->c;
    direct.bias = arrays->bias;
    direct.d = arrays->d;
    direct.scale = arrays->scale;
    return plan->backend->contract_direct(&plan->context->call, &direct);
}

gm_status gm_contract_group_execute(const gm_contract_group_plan *plan) {
    GM_CHECK(NULL, plan != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    GM_CHECK(plan->context, plan->bound, GM_STATUS_INVALID_ARGUMENT,
             "plan: gm_contract_group_bind has not told it where its tensors are");
    if (plan->backend->contract_direct == NULL) {
        return plan->args.units == 0
                   ? GM_STATUS_OK
                   : plan->backend->contract_group_run(&plan->context->call, &plan->args);
    }
    for (int64_t p = 0; p < plan->problems; ++p) {
        if (plan->slot[p] >= 0) {
            GM_TRY(run_whole(plan, p));
        }
    }
    return GM_STATUS_OK;
}
