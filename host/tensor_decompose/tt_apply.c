/* gm_tt_inner and gm_tt_reconstruct. */
#include <math.h>

#include <genmath/contract.h>

#include "host/tensor_decompose/tt.h"

/* ---- the inner product -------------------------------------------------------------------------
 */

/* The products of the cores so far, (rank of x, rank of y), in turn. */
static void take_inner(gm_td *td, int32_t count, const gm_tensor *x, const gm_tensor *y,
                       void *products[2]) {
    int64_t most = 1;
    gm_td_begin(td);
    for (int32_t k = 0; k < count; ++k) {
        const int64_t size = x[k].shape[2] * y[k].shape[2];
        most = size > most ? size : most;
    }
    products[0] = gm_td_take(td, most);
    products[1] = gm_td_take(td, most);
}

gm_status gm_tt_inner(gm_context *context, int32_t count, const gm_tensor *x, const gm_tensor *y,
                      double *result, gm_workspace *workspace) {
    GM_CHECK(NULL, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, result != NULL, GM_STATUS_INVALID_ARGUMENT, "result is NULL");
    GM_CHECK(context, workspace != NULL, GM_STATUS_INVALID_ARGUMENT, "workspace is NULL");
    GM_TRY(gm_tt_check(context, "x", count, x, false));
    GM_TRY(gm_tt_check(context, "y", count, y, false));
    GM_CHECK(context, x[0].dtype == y[0].dtype, GM_STATUS_INVALID_ARGUMENT,
             "y[0].dtype = %s: must be %s, as that of x", gm_dtype_name(y[0].dtype),
             gm_dtype_name(x[0].dtype));
    for (int32_t k = 0; k < count; ++k) {
        GM_TRY(gm_check_size(context, "a core of y", &y[k], 1, x[k].shape[1], "as x has it"));
    }
    gm_td td = {.context = context, .dtype = x[0].dtype};
    void *products[2];
    bool sized;
    take_inner(&td, count, x, y, products);
    GM_TRY(gm_tt_workspace(&td, workspace, count, x, NULL, y, &sized));
    if (sized) {
        return GM_STATUS_OK;
    }
    take_inner(&td, count, x, y, products);
    gm_tensor product = gm_td_matrix(&td, products[0], 1, 1);
    GM_TRY(gm_td_fill(&td, 1, &product));
    for (int32_t k = 0; k < count; ++k) {
        const gm_tensor inputs[] = {product, x[k], y[k]};
        product = gm_td_matrix(&td, products[1 - k % 2], x[k].shape[2], y[k].shape[2]);
        GM_TRY(gm_contract(context, "ab,aic,bid->cd", 3, inputs, &product));
    }
    return gm_td_fetch(&td, product.data, 0, 1, result);
}

/* ---- the tensor --------------------------------------------------------------------------------
 */

/* The cores so far as a matrix (sizes so far, rank), in turn. */
static void take_reconstruct(gm_td *td, int32_t count, const gm_tensor *cores, bool copied,
                             void *parts[2]) {
    int64_t sizes = 1, most = 1;
    gm_td_begin(td);
    for (int32_t k = 0; k < count; ++k) {
        sizes *= cores[k].shape[1];
        const int64_t elements = sizes * cores[k].shape[2];
        most = elements > most && (k + 1 < count || copied) ? elements : most;
    }
    parts[0] = gm_td_take(td, most);
    parts[1] = gm_td_take(td, most);
}

gm_status gm_tt_reconstruct(gm_context *context, int32_t count, const gm_tensor *cores,
                            const gm_tensor *out, gm_workspace *workspace) {
    GM_CHECK(NULL, context != NULL, GM_STATUS_INVALID_ARGUMENT, "context is NULL");
    GM_CHECK(context, workspace != NULL, GM_STATUS_INVALID_ARGUMENT, "workspace is NULL");
    GM_TRY(gm_tt_check(context, "cores", count, cores, false));
    GM_CHECK(context, count <= GM_MAX_DIMS, GM_STATUS_INVALID_ARGUMENT,
             "count = %d: a tensor has at most %d axes", (int)count, GM_MAX_DIMS);
    GM_TRY(gm_check_output(context, "out", out, count, GM_DTYPE_BIT(cores[0].dtype)));
    GM_TRY(gm_td_check_sizes(context, "out", out));
    for (int32_t k = 0; k < count; ++k) {
        GM_TRY(gm_check_size(context, "out", out, k, cores[k].shape[1], "the core's"));
        GM_TRY(gm_check_disjoint(context, "out", out, "a core", &cores[k], false));
    }
    gm_td td = {.context = context, .dtype = cores[0].dtype};
    const bool copied = !gm_tensor_is_contiguous(out);
    void *parts[2];
    bool sized;
    take_reconstruct(&td, count, cores, copied, parts);
    GM_TRY(gm_tt_workspace(&td, workspace, count, cores, out, NULL, &sized));
    if (sized) {
        return GM_STATUS_OK;
    }
    take_reconstruct(&td, count, cores, copied, parts);
    gm_tensor part = gm_td_matrix(&td, parts[0], 1, 1);
    GM_TRY(gm_td_fill(&td, 1, &part));
    for (int32_t k = 0; k < count; ++k) {
        const int64_t *s = cores[k].shape;
        void *place = k + 1 == count && !copied ? out->data : parts[1 - k % 2];
        const gm_tensor next = gm_tensor_3d(place, td.dtype, part.shape[0], s[1], s[2]);
        GM_TRY(gm_contract(context, "pa,aib->pib", 2, (gm_tensor[]){part, cores[k]}, &next));
        part = gm_td_matrix(&td, place, part.shape[0] * s[1], s[2]);
    }
    if (!copied) {
        return GM_STATUS_OK;
    }
    const gm_tensor whole = gm_td_batch(&td, part.data, out, 0, count, out->shape);
    return gm_td_copy(&td, &whole, out);
}
