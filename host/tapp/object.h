/* The objects behind TAPP's handles, and its errors. */
#ifndef GENMATH_HOST_TAPP_OBJECT_H
#define GENMATH_HOST_TAPP_OBJECT_H

#include <pthread.h>
#include <stdatomic.h>

#include <tapp.h>

#include "host/internal.h"

/* ---- object.c: handles ----------------------------------------------------------------------- */

typedef enum tapp_kind {
    TAPP_KIND_HANDLE = 1,
    TAPP_KIND_EXECUTOR,
    TAPP_KIND_STATUS,
    TAPP_KIND_ATTR,
    TAPP_KIND_INFO,
    TAPP_KIND_PRODUCT
} tapp_kind;

/* A handle for an object; 0 if there is no memory. */
intptr_t tapp_object_add(tapp_kind kind, void *object);
/* The object of a handle; NULL if the handle is none, of another kind, or of a removed object. */
void *tapp_object_find(tapp_kind kind, intptr_t handle);
/* Ends a handle; what tapp_object_find would have given. */
void *tapp_object_remove(tapp_kind kind, intptr_t handle);

/* ---- error.c --------------------------------------------------------------------------------- */

/* The error, and its reason for TAPP_explain_error. */
TAPP_error tapp_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
TAPP_error tapp_fail_genmath(gm_status status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* What a function of genmath returned, its reason with it; UNSUPPORTED is NOT_IMPLEMENTED. */
TAPP_error tapp_from_status(const gm_context *context, gm_status status);

TAPP_error tapp_no_object(const char *name); /* a handle is none, or of another kind */

#define TAPP_TRY(expression)                                                                       \
    do {                                                                                           \
        const TAPP_error tapp_try = (expression);                                                  \
        if (!TAPP_check_success(tapp_try)) {                                                       \
            return tapp_try;                                                                       \
        }                                                                                          \
    } while (0)

/* Finds the object of a handle, or returns the error. `name` is how the user knows it. */
#define TAPP_FIND(pointer, kind, handle, name)                                                     \
    do {                                                                                           \
        (pointer) = tapp_object_find((kind), (handle));                                            \
        if ((pointer) == NULL) {                                                                   \
            return tapp_no_object(name);                                                           \
        }                                                                                          \
    } while (0)

/* The same, and ends the handle: of two threads that destroy an object one gets it. */
#define TAPP_TAKE(pointer, kind, handle, name)                                                     \
    do {                                                                                           \
        (pointer) = tapp_object_remove((kind), (handle));                                          \
        if ((pointer) == NULL) {                                                                   \
            return tapp_no_object(name);                                                           \
        }                                                                                          \
    } while (0)

#define TAPP_NOT_NULL(pointer, name)                                                               \
    do {                                                                                           \
        if ((pointer) == NULL) {                                                                   \
            return tapp_fail_genmath(GM_STATUS_INVALID_ARGUMENT, "%s is NULL", (name));            \
        }                                                                                          \
    } while (0)

/* ---- info.c ---------------------------------------------------------------------------------- */

typedef struct tapp_info {
    TAPP_datatype type;
    int nmode;
    int64_t *extents, *strides;
} tapp_info;

/* ---- executor.c ------------------------------------------------------------------------------ */

/* What a TAPP_handle stands for. Products and executors share it, the last one ends it. */
typedef struct tapp_library {
    gm_context *context;
    pthread_mutex_t lock; /* held by whoever uses the context */
    atomic_int owners;
    bool is_device;
} tapp_library;

tapp_library *tapp_library_share(tapp_library *library);
void tapp_library_release(tapp_library *library);

/* The libraries whose devices it gave work to. Statuses share it. */
typedef struct tapp_work {
    pthread_mutex_t lock;
    atomic_int owners;
    int count;
    tapp_library **library;
} tapp_work;

/* To be called before work is given to a library. */
TAPP_error tapp_work_note(tapp_work *work, tapp_library *library);
TAPP_error tapp_status_create(tapp_work *work, TAPP_status *status);

#endif
