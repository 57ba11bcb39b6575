/* What the files of the host library share and the user does not see. */
#ifndef GENMATH_HOST_INTERNAL_H
#define GENMATH_HOST_INTERNAL_H

#include <stdbool.h>

#include <genmath/context.h>
#include <genmath/tensor.h>

#include "host/backend.h"

struct gm_context {
    gm_call call;
    gm_backend_id id;
    const gm_backend *backend;
    const gm_backend *fallback; /* cpu where the caller allowed fallback, else NULL */
    void *module;               /* dlopen handle of cuda and emu */
    struct gm_contract_cache *contract_cache; /* plans of gm_contract, NULL before the first */
};

/* Records the reason in the context, or for this thread if the context is NULL; returns status. */
gm_status gm_fail(gm_context *context, gm_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define GM_CHECK(context, condition, status, ...)                                                  \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            return gm_fail((context), (status), __VA_ARGS__);                                      \
        }                                                                                          \
    } while (0)

#define GM_TRY(expression)                                                                         \
    do {                                                                                           \
        const gm_status gm_try = (expression);                                                     \
        if (gm_try != GM_STATUS_OK) {                                                              \
            return gm_try;                                                                         \
        }                                                                                          \
    } while (0)

/* The backend that runs an operation: the context's own, else the fallback, else NULL and
 * UNSUPPORTED said. */
#define GM_BACKEND_WITH(context, operation)                                                        \
    ((context)->backend->operation != NULL ? (context)->backend                                    \
     : (context)->fallback != NULL && (context)->fallback->operation != NULL                       \
         ? (context)->fallback                                                                     \
         : (gm_fail((context), GM_STATUS_UNSUPPORTED, "%s: the %s backend has no kernel for it",   \
                    #operation, (context)->backend->name),                                         \
            (const gm_backend *)NULL))

/* Allocates a plan, zero but for its context and the backend that runs an operation; returns from
 * the function where there is none. `made` points to a plan. */
#define GM_NEW_PLAN(owner, operation, made)                                                        \
    do {                                                                                           \
        const gm_backend *const gm_new_backend = GM_BACKEND_WITH(owner, operation);                \
        if (gm_new_backend == NULL) {                                                              \
            return GM_STATUS_UNSUPPORTED;                                                          \
        }                                                                                          \
        (made) = calloc(1, sizeof *(made));                                                        \
        GM_CHECK((owner), (made) != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");        \
        (made)->context = (owner);                                                                 \
        (made)->backend = gm_new_backend;                                                          \
    } while (0)

/* check.c: argument checks shared by the operations. `name` is how the user knows the argument. */

#define GM_DTYPE_BIT(dtype) (1u << (dtype))
#define GM_FLOATS (GM_DTYPE_BIT(GM_F64) | GM_DTYPE_BIT(GM_F32))

/* Not null, a known dtype among those allowed, ndim as asked, sizes >= 0 whose product fits, and
 * strides whose reach does. Data is not looked at. */
gm_status gm_check_layout(gm_context *context, const char *name, const gm_tensor *tensor,
                          int32_t ndim, unsigned dtypes);

/* As gm_check_layout, and data present, aligned to its element and reachable by the backend. */
gm_status gm_check_tensor(gm_context *context, const char *name, const gm_tensor *tensor,
                          int32_t ndim, unsigned dtypes);

/* As gm_check_tensor with the ndim and dtype of a tensor that was planned, and the same sizes
 * (SHAPE_MISMATCH) and strides (INVALID_ARGUMENT). */
gm_status gm_check_planned(gm_context *context, const char *name, const gm_tensor *tensor,
                           const gm_tensor *planned);

/* As gm_check_tensor, and no two elements of the tensor share memory: it can be written. */
gm_status gm_check_output(gm_context *context, const char *name, const gm_tensor *tensor,
                          int32_t ndim, unsigned dtypes);

/* The byte ranges of two tensors do not touch. With `same_is_fine`, an identical view is allowed:
 * the operation reads an element before it writes it. NULL tensors are disjoint from everything. */
gm_status gm_check_disjoint(gm_context *context, const char *a_name, const gm_tensor *a,
                            const char *b_name, const gm_tensor *b, bool same_is_fine);

/* `given` bytes at `data` are enough for `what`, aligned to 64 bytes and reachable by the backend;
 * `scratch` becomes the view of those needed. */
gm_status gm_check_workspace(gm_context *context, const char *what, size_t needed, void *data,
                             size_t given, gm_tensor *scratch);

/* shape[axis] is the size asked for; `because` completes "must be N: ...". */
gm_status gm_check_size(gm_context *context, const char *name, const gm_tensor *tensor,
                        int32_t axis, int64_t size, const char *because);

/* No two elements of a checked tensor share memory. */
bool gm_elements_are_distinct(const gm_tensor *tensor);

/* The lowest and highest element offsets of a non-empty tensor; false if the range overflows. */
bool gm_tensor_reach(const gm_tensor *tensor, int64_t *low, int64_t *high);

/* a * b; false if the product of two sizes >= 0 does not fit. */
bool gm_multiply_sizes(int64_t a, int64_t b, int64_t *product);

/* parallel.c: a pool of threads that run numbered blocks; results never depend on their number. */
typedef struct gm_pool gm_pool;
gm_pool *gm_pool_create(int32_t threads); /* NULL if out of memory */
void gm_pool_destroy(gm_pool *pool);
int32_t gm_pool_threads(const gm_pool *pool);

/* Runs body(argument, block, thread) for every block from 0 to blocks - 1 and returns when all are
 * done. Blocks are handed out in order to whichever thread is free. */
void gm_parallel_for(gm_pool *pool, int64_t blocks,
                     void (*body)(void *argument, int64_t block, int32_t thread), void *argument);

/* isa.c: the best vector instructions of this machine. */
gm_isa gm_isa_detect(void);

#endif
