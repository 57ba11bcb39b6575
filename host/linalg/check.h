/* Argument checks and dispatch that the operations of linear algebra share. */
#ifndef GENMATH_HOST_LINALG_CHECK_H
#define GENMATH_HOST_LINALG_CHECK_H

#include "host/internal.h"
#include "host/linalg_args.h"

#define GM_LINALG_DTYPES (GM_FLOATS | GM_DTYPE_BIT(GM_C64) | GM_DTYPE_BIT(GM_C128))

typedef enum gm_linalg_number {
    GM_LINALG_SAME,    /* the type of a */
    GM_LINALG_REAL,    /* the real type of its precision */
    GM_LINALG_COMPLEX, /* the complex one */
    GM_LINALG_INTEGER  /* I32 */
} gm_linalg_number;

/* A tensor beside a: what it must be, and where its description goes. */
typedef struct gm_linalg_operand {
    const char *name;
    const gm_tensor *tensor;
    gm_linalg_matrix *to;
    int32_t core; /* axes behind the batch: 2 a matrix, 1 a vector, 0 a number, 3 with one extra */
    int64_t size[2];
    const char *because; /* completes "must be N, " */
    gm_linalg_number number;
    bool input, needed;
} gm_linalg_operand;

/* Starts args from a: its type, its batch, its matrix behind `core` axes. */
gm_status gm_linalg_open(gm_context *context, gm_linalg_kind kind, const gm_tensor *a, int32_t core,
                         gm_linalg_args *args);

gm_status gm_linalg_square(gm_context *context, const gm_linalg_args *args);

/* The size of a tensor's axis, counted from the last as -1; -1 where there is none to read. */
int64_t gm_linalg_axis(const gm_tensor *tensor, int32_t from_last);

/* Which entries of the report a function gives. */
enum { GM_LINALG_RCOND = 1, GM_LINALG_RESIDUAL = 2 };

/* Checks the operands, the report and the workspace against args, then sizes or runs. */
gm_status gm_linalg_run(gm_context *context, gm_linalg_args *args, const gm_tensor *a,
                        const gm_linalg_operand *operands, int32_t count,
                        const gm_linalg_report *report, int reported, gm_workspace *workspace);

#endif
