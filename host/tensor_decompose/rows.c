/* Singular values and right singular vectors of a matrix of many rows, and the choice of a rank. */
#include <genmath/decompose.h>

#include "host/tensor_decompose/tools.h"

/*
 * The rows of a block. Four times the columns: a level costs a quarter more than what follows, and
 * blocks are many; at least 256, so that few columns are no reason for thousands of tiny blocks.
 */
static int64_t block_of(int64_t columns) {
    const int64_t wanted = columns > 64 ? 4 * columns : 256;
    return wanted < GM_LINALG_MAX_SIZE ? wanted : GM_LINALG_MAX_SIZE;
}

/* The rows of the triangles of all blocks. */
static int64_t stacked(int64_t rows, int64_t columns) {
    const int64_t block = block_of(columns), rest = rows % block;
    return rows / block * columns + (rest < columns ? rest : columns);
}

/* A bound that grows with both sizes, so that smaller ranks than those planned fit too. */
static int64_t stack_size(int64_t rows, int64_t columns) {
    const int64_t a_quarter = rows * columns / 4 + 1,
                  of_most = (rows / GM_LINALG_MAX_SIZE + 1) * columns * columns;
    return (a_quarter > of_most ? a_quarter : of_most) + columns * columns;
}

static void enlarge(int64_t *size, int64_t wanted) {
    *size = wanted > *size ? wanted : *size;
}

static gm_status need(gm_td *td, int64_t rows, int64_t columns) {
    const int64_t block = block_of(columns), most = rows < block ? rows : block;
    const int64_t least = most < columns ? most : columns;
    GM_TRY(gm_td_need_qr(td, rows / most, most, columns, false, true));
    return gm_td_need_svd(td, 1, least, columns, least, false, true);
}

gm_status gm_td_rows_need(gm_td *td, int64_t rows, int64_t columns, gm_td_rows *r) {
    const int64_t block = block_of(columns), most = rows < block ? rows : block;
    /* A level must leave fewer rows than it found. */
    const int64_t limit = rows > block ? GM_LINALG_MAX_SIZE / 2 : GM_LINALG_MAX_SIZE;
    GM_CHECK(td->context, columns <= limit, GM_STATUS_INVALID_ARGUMENT,
             "a matrix of %lld x %lld has to be decomposed: at most %lld rows", (long long)columns,
             (long long)rows, (long long)limit);
    const int64_t least = most < columns ? most : columns;
    GM_TRY(need(td, rows, columns));
    /* Ranks found may leave fewer columns, for which a backend may take another way: its tables
     * turn at powers of two. */
    for (int64_t fewer = 1; fewer < columns; fewer *= 2) {
        GM_TRY(need(td, rows, fewer));
    }
    enlarge(&r->stack_size, rows > 1 ? stack_size(rows, columns) : 0);
    enlarge(&r->s_size, columns);
    enlarge(&r->vt_size, columns * least);
    return GM_STATUS_OK;
}

void gm_td_rows_take(gm_td *td, gm_td_rows *r) {
    r->stack[0] = gm_td_take(td, r->stack_size);
    r->stack[1] = gm_td_take(td, r->stack_size);
    r->s = gm_td_take(td, r->s_size);
    r->vt = gm_td_take(td, r->vt_size);
}

/* The triangles of the blocks of rows, one below the other. */
static gm_status reduce_blocks(gm_td *td, const gm_tensor *matrix, void *stack) {
    const int64_t rows = matrix->shape[0], columns = matrix->shape[1], block = block_of(columns);
    const int64_t blocks = rows / block, rest = rows % block;
    gm_workspace workspace = gm_td_linalg(td);
    const gm_tensor all = {matrix->data,
                           td->dtype,
                           3,
                           {blocks, block, columns},
                           {block * matrix->stride[0], matrix->stride[0], matrix->stride[1]}};
    const gm_tensor triangles = gm_tensor_3d(stack, td->dtype, blocks, columns, columns);
    if (blocks > 0) {
        GM_TRY(gm_linalg_qr(td->context, &all, NULL, &triangles, NULL, &workspace));
    }
    if (rest == 0) {
        return GM_STATUS_OK;
    }
    const gm_tensor last = gm_td_slice(matrix, 0, blocks * block, rows);
    const gm_tensor triangle = gm_td_matrix(td, gm_td_at(td, stack, blocks * columns * columns),
                                            rest < columns ? rest : columns, columns);
    return gm_linalg_qr(td->context, &last, NULL, &triangle, NULL, &workspace);
}

gm_status gm_td_rows_run(gm_td *td, gm_td_rows *r, const gm_tensor *matrix, gm_status *status) {
    gm_tensor rows = *matrix;
    const int64_t columns = rows.shape[1];
    for (int level = 0; rows.shape[0] > columns; ++level) {
        void *stack = r->stack[level % 2];
        GM_TRY(reduce_blocks(td, &rows, stack));
        rows = gm_td_matrix(td, stack, stacked(rows.shape[0], columns), columns);
    }
    r->count = rows.shape[0] < columns ? rows.shape[0] : columns;
    const gm_tensor s = gm_tensor_1d(r->s, td->dtype, r->count);
    const gm_tensor vt = gm_td_matrix(td, r->vt, r->count, columns);
    const gm_tensor outcome = {.data = td->status, .dtype = GM_I32};
    gm_workspace workspace = gm_td_linalg(td);
    GM_TRY(gm_linalg_svd(td->context, &rows, NULL, &s, &vt, &(gm_linalg_report){.status = &outcome},
                         &workspace));
    int32_t went;
    GM_TRY(gm_memory_download(td->context, &went, td->status, sizeof went));
    *status = (gm_status)went;
    return GM_STATUS_OK;
}

gm_status gm_td_choose_rank(gm_td *td, const void *s, int64_t count, int64_t most, double norm,
                            double share, int64_t *rank, double *discarded) {
    double numbers[GM_TD_FETCH], sum = 0;
    int64_t first = count;
    *rank = 1;
    *discarded = 0;
    for (int64_t j = count - 1; j > 0; --j) { /* the smallest first, so that they count */
        if (j < first) {
            first = j >= GM_TD_FETCH ? j - GM_TD_FETCH + 1 : 0;
            GM_TRY(gm_td_fetch(td, s, first, j - first + 1, numbers));
        }
        const double ratio = norm > 0 ? numbers[j - first] / norm : 0;
        sum += ratio * ratio;
        if (j < most && !(sum <= share)) {
            *rank = j + 1;
            return GM_STATUS_OK;
        }
        *discarded = sum;
    }
    return GM_STATUS_OK;
}
