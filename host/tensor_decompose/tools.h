/* What the decompositions of tensors share: workspace, views, numbers fetched by the host, and the
 * space that the rows of a long matrix span. */
#ifndef GENMATH_HOST_TENSOR_DECOMPOSE_H
#define GENMATH_HOST_TENSOR_DECOMPOSE_H

#include <genmath/tensor_decompose.h>

#include "host/internal.h"
#include "host/linalg/host.h"

enum {
    GM_TD_MOST_MODES = 16, /* two labels a mode, at most GM_MAX_LABELS */
    GM_TD_FETCH = 256      /* numbers that the host fetches at once */
};

/* A call at work. Its arena counts at first, then hands out the user's workspace. */
typedef struct gm_td {
    gm_context *context;
    gm_dtype dtype;
    gm_arena arena;
    size_t linalg_bytes; /* the most that a call of linear algebra needs */
    void *linalg;        /* that memory */
    void *scalar;        /* a number of the type */
    void *status;        /* an I32 */
} gm_td;

/* ---- arguments ------------------------------------------------------------------------------- */

/* The tensors of a call for the check that no output overlaps another of them. */
typedef struct gm_td_operand {
    const char *name;
    const gm_tensor *tensor; /* NULL: none */
    bool output;
} gm_td_operand;

gm_status gm_td_check_disjoint(gm_context *context, const gm_td_operand *operands, int32_t count);

/* Sizes of a checked tensor: at least 1, and so few elements that no size here can overflow. */
gm_status gm_td_check_sizes(gm_context *context, const char *name, const gm_tensor *tensor);
/* x as a tensor of floats with sizes of at least 1. */
gm_status gm_td_check_input(gm_context *context, const char *name, const gm_tensor *x,
                            int32_t ndim);
/* An in-out view whose ranks are found: an output, row-major. */
gm_status gm_td_check_found(gm_context *context, const char *name, const gm_tensor *tensor,
                            int32_t ndim, gm_dtype dtype);

/*
 * With workspace->data NULL: stores the bytes counted by td's arena and says so in *sized. Else
 * checks the workspace and rewinds the arena to hand it out: the caller takes its pieces again.
 */
gm_status gm_td_workspace(gm_td *td, gm_workspace *workspace, const gm_td_operand *operands,
                          int32_t count, bool *sized);

/* ---- memory and linear algebra -----------------------------------------------------------------
 */

/* The pieces that every call has; the first of them to be taken. */
void gm_td_begin(gm_td *td);
/* The linear algebra's memory, the last to be taken. */
void gm_td_end(gm_td *td);
/* count numbers of the type. */
void *gm_td_take(gm_td *td, int64_t count);
/* The number `offset` after one of the type. */
void *gm_td_at(const gm_td *td, const void *data, int64_t offset);

/* Notes what a call of linear algebra will need. args: the type, the batch and the workspace are
 * filled in here; sizes, and which outputs there are, by the caller. */
gm_status gm_td_need(gm_td *td, gm_linalg_kind kind, int64_t problems, gm_linalg_args args);
/* A row-major matrix for args; wanted: not NULL. */
gm_linalg_matrix gm_td_described(const gm_td *td, int64_t rows, int64_t columns, bool wanted);
gm_status gm_td_need_qr(gm_td *td, int64_t problems, int64_t m, int64_t n, bool q, bool r);
gm_status gm_td_need_svd(gm_td *td, int64_t problems, int64_t m, int64_t n, int64_t rank, bool u,
                         bool vt);
/* The workspace as linalg.h takes it. */
gm_workspace gm_td_linalg(const gm_td *td);

/* ---- views and numbers -------------------------------------------------------------------------
 */

gm_tensor gm_td_matrix(const gm_td *td, void *data, int64_t rows, int64_t columns);
gm_tensor gm_td_transposed(const gm_tensor *matrix); /* the last two axes exchanged */
gm_tensor gm_td_scalar(const gm_td *td, void *data);
/* Row-major (the first batch_axes sizes of like, then `core` sizes). */
gm_tensor gm_td_batch(const gm_td *td, void *data, const gm_tensor *like, int32_t batch_axes,
                      int32_t core, const int64_t *sizes);
/* The part of a tensor that belongs to one problem. */
gm_tensor gm_td_problem(const gm_tensor *tensor, int32_t batch_axes, int64_t problem);
/* Axis `axis` from `first` to `end`. */
gm_tensor gm_td_slice(const gm_tensor *tensor, int32_t axis, int64_t first, int64_t end);
int64_t gm_td_elements(const gm_tensor *tensor); /* of a checked tensor */

gm_status gm_td_copy(gm_td *td, const gm_tensor *in, const gm_tensor *out);
/* A number that broadcasts; it lasts until the next. */
gm_status gm_td_number(gm_td *td, double value, gm_tensor *number);
gm_status gm_td_fill(gm_td *td, double value, const gm_tensor *out);

/* count <= GM_TD_FETCH numbers of the type from `first` on. */
gm_status gm_td_fetch(gm_td *td, const void *data, int64_t first, int64_t count, double *numbers);
gm_status gm_td_norm(gm_td *td, const gm_tensor *x, double *norm);

double gm_td_eps(gm_dtype dtype);

/* ---- the space of rows -------------------------------------------------------------------------
 */

/*
 * Singular values and right singular vectors of a matrix of many rows: QR of blocks of rows, QR of
 * their triangles stacked, and so on until one triangle is left, and its singular values.
 */
typedef struct gm_td_rows {
    int64_t stack_size, s_size, vt_size;
    void *stack[2]; /* triangles */
    void *s, *vt;   /* of the last call: count values, (count, columns) row-major */
    int64_t count;
} gm_td_rows;

/* Makes room for matrices of up to this size, beside those noted before; then takes the memory. */
gm_status gm_td_rows_need(gm_td *td, int64_t rows, int64_t columns, gm_td_rows *r);
void gm_td_rows_take(gm_td *td, gm_td_rows *r);
/* matrix: two axes, any strides. *status is how the decomposition went. */
gm_status gm_td_rows_run(gm_td *td, gm_td_rows *r, const gm_tensor *matrix, gm_status *status);

/*
 * The rank that leaves out singular values of squares that sum up to `share` of norm^2 at most, at
 * least 1 and at most `most`; share < 0: as many as allowed. *discarded is that sum over norm^2.
 */
gm_status gm_td_choose_rank(gm_td *td, const void *s, int64_t count, int64_t most, double norm,
                            double share, int64_t *rank, double *discarded);

#endif
