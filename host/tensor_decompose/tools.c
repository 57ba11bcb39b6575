/* What the decompositions of tensors share: checks, workspace, views, numbers. */
#include "host/tensor_decompose/tools.h"

#include <float.h>

#include <genmath/elementwise.h>
#include <genmath/reduce.h>

/* ---- arguments ------------------------------------------------------------------------------- */

gm_status gm_td_check_disjoint(gm_context *context, const gm_td_operand *operands, int32_t count) {
    for (int32_t i = 0; i < count; ++i) {
        for (int32_t j = 0; j < i; ++j) {
            if (operands[i].output || operands[j].output) {
                GM_TRY(gm_check_disjoint(context, operands[i].name, operands[i].tensor,
                                         operands[j].name, operands[j].tensor, false));
            }
        }
    }
    return GM_STATUS_OK;
}

gm_status gm_td_check_sizes(gm_context *context, const char *name, const gm_tensor *tensor) {
    for (int32_t axis = 0; axis < tensor->ndim; ++axis) {
        GM_CHECK(context, tensor->shape[axis] >= 1, GM_STATUS_INVALID_ARGUMENT,
                 "%s.shape[%d] = %lld: must be 1 or more", name, (int)axis,
                 (long long)tensor->shape[axis]);
    }
    GM_CHECK(context, gm_td_elements(tensor) <= INT64_C(1) << 40, GM_STATUS_INVALID_ARGUMENT,
             "%s has %lld elements: at most 2^40", name, (long long)gm_td_elements(tensor));
    return GM_STATUS_OK;
}

gm_status gm_td_check_input(gm_context *context, const char *name, const gm_tensor *x,
                            int32_t ndim) {
    GM_TRY(gm_check_tensor(context, name, x, ndim, GM_FLOATS));
    return gm_td_check_sizes(context, name, x);
}

gm_status gm_td_check_found(gm_context *context, const char *name, const gm_tensor *tensor,
                            int32_t ndim, gm_dtype dtype) {
    GM_TRY(gm_check_output(context, name, tensor, ndim, GM_DTYPE_BIT(dtype)));
    GM_TRY(gm_td_check_sizes(context, name, tensor));
    GM_CHECK(context, gm_tensor_is_contiguous(tensor), GM_STATUS_INVALID_ARGUMENT,
             "%s is not row-major: its ranks are found, and its strides with them", name);
    return GM_STATUS_OK;
}

gm_status gm_td_workspace(gm_td *td, gm_workspace *workspace, const gm_td_operand *operands,
                          int32_t count, bool *sized) {
    gm_context *context = td->context;
    const size_t bytes = td->arena.used;
    *sized = workspace->data == NULL;
    if (*sized) {
        workspace->bytes = bytes;
        return GM_STATUS_OK;
    }
    GM_CHECK(context, workspace->bytes >= bytes, GM_STATUS_WORKSPACE_TOO_SMALL,
             "workspace.bytes = %zu: this call needs %zu", workspace->bytes, bytes);
    GM_CHECK(context, (uintptr_t)workspace->data % 64 == 0, GM_STATUS_INVALID_ARGUMENT,
             "workspace.data is not aligned to 64 bytes");
    const gm_tensor memory = gm_tensor_1d(workspace->data, GM_U8, (int64_t)bytes);
    GM_TRY(gm_check_tensor(context, "workspace", &memory, 1, GM_DTYPE_BIT(GM_U8)));
    for (int32_t i = 0; i < count; ++i) {
        GM_TRY(gm_check_disjoint(context, "workspace", &memory, operands[i].name,
                                 operands[i].tensor, false));
    }
    td->arena = (gm_arena){.base = workspace->data};
    return GM_STATUS_OK;
}

/* ---- memory and linear algebra -----------------------------------------------------------------
 */

void *gm_td_take(gm_td *td, int64_t count) {
    return gm_arena_take(&td->arena, count, gm_dtype_size(td->dtype));
}

void *gm_td_at(const gm_td *td, const void *data, int64_t offset) {
    return (char *)(uintptr_t)data + offset * (int64_t)gm_dtype_size(td->dtype);
}

void gm_td_begin(gm_td *td) {
    td->scalar = gm_td_take(td, 1);
    td->status = gm_arena_take(&td->arena, 1, sizeof(int32_t));
}

void gm_td_end(gm_td *td) {
    td->linalg = gm_arena_take(&td->arena, (int64_t)td->linalg_bytes, 1);
}

gm_workspace gm_td_linalg(const gm_td *td) {
    return (gm_workspace){td->linalg, td->linalg_bytes};
}

/* The sizes stand for tensors that do not exist yet: nothing looks at their data. */
gm_status gm_td_need(gm_td *td, gm_linalg_kind kind, int64_t problems, gm_linalg_args args) {
    gm_context *context = td->context;
    const gm_linalg_entry *entry = &context->backend->linalg[kind];
    if (entry->run == NULL && context->fallback != NULL) {
        entry = &context->fallback->linalg[kind];
    }
    GM_CHECK(context, entry->run != NULL, GM_STATUS_UNSUPPORTED,
             "the %s backend has no kernel for the linear algebra that this takes",
             context->backend->name);
    args.kind = kind;
    args.dtype = td->dtype;
    args.problems = problems;
    args.batch_axes = 1;
    args.batch_shape[0] = problems;
    const int64_t m = args.in[0].rows, n = args.in[0].columns;
    GM_CHECK(context, m <= GM_LINALG_MAX_SIZE && n <= GM_LINALG_MAX_SIZE,
             GM_STATUS_INVALID_ARGUMENT,
             "a matrix of %lld x %lld has to be decomposed: at most %d rows and columns",
             (long long)m, (long long)n, GM_LINALG_MAX_SIZE);
    const size_t bytes = entry->workspace(&context->call, &args);
    td->linalg_bytes = bytes > td->linalg_bytes ? bytes : td->linalg_bytes;
    return GM_STATUS_OK;
}

gm_linalg_matrix gm_td_described(const gm_td *td, int64_t rows, int64_t columns, bool wanted) {
    static double place;
    gm_linalg_matrix m = {.data = wanted ? &place : NULL,
                          .dtype = td->dtype,
                          .rows = rows,
                          .columns = columns,
                          .row_stride = columns,
                          .column_stride = 1,
                          .extra = {1, 1}};
    m.batch_stride[0] = rows * columns;
    return m;
}

gm_status gm_td_need_qr(gm_td *td, int64_t problems, int64_t m, int64_t n, bool q, bool r) {
    const int64_t k = m < n ? m : n;
    gm_linalg_args args = {.in = {gm_td_described(td, m, n, true)}};
    args.out[0] = gm_td_described(td, m, k, q);
    args.out[1] = gm_td_described(td, k, n, r);
    args.status = gm_td_described(td, 1, 1, true);
    return gm_td_need(td, GM_LINALG_QR, problems, args);
}

gm_status gm_td_need_svd(gm_td *td, int64_t problems, int64_t m, int64_t n, int64_t rank, bool u,
                         bool vt) {
    gm_linalg_args args = {.in = {gm_td_described(td, m, n, true)}};
    args.out[0] = gm_td_described(td, m, rank, u);
    args.out[1] = gm_td_described(td, rank, 1, true);
    args.out[2] = gm_td_described(td, rank, n, vt);
    args.status = gm_td_described(td, 1, 1, true);
    return gm_td_need(td, GM_LINALG_SVD, problems, args);
}

/* ---- views -------------------------------------------------------------------------------------
 */

gm_tensor gm_td_matrix(const gm_td *td, void *data, int64_t rows, int64_t columns) {
    return gm_tensor_2d(data, td->dtype, rows, columns);
}

gm_tensor gm_td_scalar(const gm_td *td, void *data) {
    return (gm_tensor){.data = data, .dtype = td->dtype};
}

gm_tensor gm_td_transposed(const gm_tensor *matrix) {
    gm_tensor t = *matrix;
    const int32_t row = t.ndim - 2, column = t.ndim - 1;
    t.shape[row] = matrix->shape[column];
    t.shape[column] = matrix->shape[row];
    t.stride[row] = matrix->stride[column];
    t.stride[column] = matrix->stride[row];
    return t;
}

gm_tensor gm_td_batch(const gm_td *td, void *data, const gm_tensor *like, int32_t batch_axes,
                      int32_t core, const int64_t *sizes) {
    gm_tensor t = {.data = data, .dtype = td->dtype, .ndim = batch_axes + core};
    int64_t stride = 1;
    for (int32_t axis = t.ndim - 1; axis >= 0; --axis) {
        t.shape[axis] = axis < batch_axes ? like->shape[axis] : sizes[axis - batch_axes];
        t.stride[axis] = stride;
        stride *= t.shape[axis];
    }
    return t;
}

gm_tensor gm_td_problem(const gm_tensor *tensor, int32_t batch_axes, int64_t problem) {
    gm_tensor t = {.dtype = tensor->dtype, .ndim = tensor->ndim - batch_axes};
    int64_t offset = 0;
    for (int32_t axis = batch_axes - 1; axis >= 0; --axis) {
        offset += problem % tensor->shape[axis] * tensor->stride[axis];
        problem /= tensor->shape[axis];
    }
    t.data = (char *)tensor->data + offset * (int64_t)gm_dtype_size(t.dtype);
    for (int32_t axis = 0; axis < t.ndim; ++axis) {
        t.shape[axis] = tensor->shape[batch_axes + axis];
        t.stride[axis] = tensor->stride[batch_axes + axis];
    }
    return t;
}

gm_tensor gm_td_slice(const gm_tensor *tensor, int32_t axis, int64_t first, int64_t end) {
    gm_tensor t = *tensor;
    t.data = (char *)t.data + first * t.stride[axis] * (int64_t)gm_dtype_size(t.dtype);
    t.shape[axis] = end - first;
    return t;
}

int64_t gm_td_elements(const gm_tensor *tensor) {
    int64_t elements = 1;
    for (int32_t axis = 0; axis < tensor->ndim; ++axis) {
        elements *= tensor->shape[axis];
    }
    return elements;
}

/* ---- numbers -----------------------------------------------------------------------------------
 */

gm_status gm_td_copy(gm_td *td, const gm_tensor *in, const gm_tensor *out) {
    return gm_map(td->context, GM_MAP_COPY, 1, in, 0, out);
}

gm_status gm_td_number(gm_td *td, double value, gm_tensor *number) {
    const float narrow = (float)value;
    const void *from = td->dtype == GM_F32 ? (const void *)&narrow : &value;
    *number = gm_td_scalar(td, td->scalar);
    return gm_memory_upload(td->context, td->scalar, from, gm_dtype_size(td->dtype));
}

gm_status gm_td_fill(gm_td *td, double value, const gm_tensor *out) {
    gm_tensor number;
    GM_TRY(gm_td_number(td, value, &number));
    return gm_td_copy(td, &number, out);
}

gm_status gm_td_fetch(gm_td *td, const void *data, int64_t first, int64_t count, double *numbers) {
    float narrow[GM_TD_FETCH];
    const size_t size = gm_dtype_size(td->dtype);
    void *place = td->dtype == GM_F32 ? (void *)narrow : numbers;
    GM_TRY(gm_memory_download(td->context, place, gm_td_at(td, data, first), (size_t)count * size));
    for (int64_t i = 0; td->dtype == GM_F32 && i < count; ++i) {
        numbers[i] = (double)narrow[i];
    }
    return GM_STATUS_OK;
}

gm_status gm_td_norm(gm_td *td, const gm_tensor *x, double *norm) {
    const gm_tensor scalar = gm_td_scalar(td, td->scalar);
    GM_TRY(gm_reduce(td->context, &(gm_reduce_options){.reduction = GM_REDUCE_NORM2}, x, &scalar));
    return gm_td_fetch(td, td->scalar, 0, 1, norm);
}

double gm_td_eps(gm_dtype dtype) {
    return dtype == GM_F32 ? (double)FLT_EPSILON : DBL_EPSILON;
}
