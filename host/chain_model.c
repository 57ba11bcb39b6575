/* The arrays of a call that runs a model: checked one after the other, all apart. */
#include "host/chain_model.h"

#include "host/internal.h"

gm_status gm_choose_chain_model(gm_context *context, const char *name, const gm_ising_plan *ising,
                                const gm_potts_plan *potts, gm_chain_model *model) {
    GM_CHECK(context, ising != NULL || potts != NULL, GM_STATUS_INVALID_ARGUMENT,
             "%s.ising is NULL, and so is %s.potts", name, name);
    GM_CHECK(context, ising == NULL || potts == NULL, GM_STATUS_INVALID_ARGUMENT,
             "%s.ising and %s.potts: only one may be given", name, name);
    if (ising != NULL) {
        gm_ising_chain_model(ising, model);
    } else {
        gm_potts_chain_model(potts, model);
    }
    GM_CHECK(context, model->context == context, GM_STATUS_INVALID_ARGUMENT,
             "%s.%s: is a plan of another context", name, ising != NULL ? "ising" : "potts");
    return GM_STATUS_OK;
}

gm_status gm_list_array(gm_context *context, gm_array_list *list, const char *name,
                        const gm_tensor *tensor, gm_dtype dtype, int32_t ndim, const int64_t *shape,
                        int64_t *strides) {
    if (tensor == NULL) {
        return GM_STATUS_OK;
    }
    GM_TRY(gm_check_output(context, name, tensor, ndim, GM_DTYPE_BIT(dtype)));
    for (int32_t axis = 0; axis < ndim; ++axis) {
        GM_TRY(gm_check_size(context, name, tensor, axis, shape[axis],
                             "as the plan and the other arrays have it"));
        strides[axis] = tensor->stride[axis];
    }
    for (int i = 0; i < list->count; ++i) {
        GM_TRY(gm_check_disjoint(context, list->name[i], list->tensor[i], name, tensor, false));
    }
    list->name[list->count] = name;
    list->tensor[list->count++] = tensor;
    return GM_STATUS_OK;
}

gm_status gm_list_workspace(gm_context *context, const gm_array_list *list, size_t bytes,
                            const gm_workspace *workspace) {
    gm_tensor scratch;
    GM_TRY(gm_check_workspace(context, "the plan", bytes, workspace->data, workspace->bytes,
                              &scratch));
    for (int i = 0; i < list->count; ++i) {
        GM_TRY(gm_check_disjoint(context, "workspace", &scratch, list->name[i], list->tensor[i],
                                 false));
    }
    return GM_STATUS_OK;
}
