/* TAPP's handles, executors and statuses: who owns a context, and who waits for it. */
#include <stdlib.h>

#include "host/tapp/object.h"

/* ---- handles --------------------------------------------------------------------------------- */

tapp_library *tapp_library_share(tapp_library *library) {
    atomic_fetch_add(&library->owners, 1);
    return library;
}

void tapp_library_release(tapp_library *library) {
    if (atomic_fetch_sub(&library->owners, 1) == 1) {
        gm_context_destroy(library->context);
        pthread_mutex_destroy(&library->lock);
        free(library);
    }
}

TAPP_error TAPP_create_handle(uint64_t lib_id, TAPP_handle *handle) {
    (void)lib_id;
    TAPP_NOT_NULL(handle, "handle");
    *handle = 0;
    gm_context *context;
    TAPP_TRY(tapp_from_status(NULL, gm_context_create(NULL, &context)));
    tapp_library *library = calloc(1, sizeof *library);
    if (library == NULL) {
        gm_context_destroy(context);
        return tapp_fail_genmath(GM_STATUS_OUT_OF_MEMORY, "no memory for a handle");
    }
    const gm_backend_id id = gm_context_backend(context);
    library->context = context;
    library->is_device = id == GM_BACKEND_CUDA || id == GM_BACKEND_EMU;
    atomic_init(&library->owners, 1);
    pthread_mutex_init(&library->lock, NULL);
    *handle = tapp_object_add(TAPP_KIND_HANDLE, library);
    if (*handle == 0) {
        tapp_library_release(library);
        return tapp_fail_genmath(GM_STATUS_OUT_OF_MEMORY, "no memory for a handle");
    }
    return TAPP_SUCCESS;
}

TAPP_error TAPP_destroy_handle(TAPP_handle handle) {
    tapp_library *library;
    TAPP_TAKE(library, TAPP_KIND_HANDLE, handle, "handle");
    tapp_library_release(library);
    return TAPP_SUCCESS;
}

/* ---- executors ------------------------------------------------------------------------------- */

static void release_work(tapp_work *work) {
    if (atomic_fetch_sub(&work->owners, 1) == 1) {
        for (int i = 0; i < work->count; ++i) {
            tapp_library_release(work->library[i]);
        }
        pthread_mutex_destroy(&work->lock);
        free(work->library);
        free(work);
    }
}

static TAPP_error add_library(tapp_work *work, tapp_library *library) {
    for (int i = 0; i < work->count; ++i) {
        if (work->library[i] == library) {
            return TAPP_SUCCESS;
        }
    }
    tapp_library **longer =
        realloc(work->library, (size_t)(work->count + 1) * sizeof *work->library);
    if (longer == NULL) {
        return tapp_fail_genmath(GM_STATUS_OUT_OF_MEMORY, "no memory for an executor");
    }
    work->library = longer;
    work->library[work->count++] = tapp_library_share(library);
    return TAPP_SUCCESS;
}

TAPP_error tapp_work_note(tapp_work *work, tapp_library *library) {
    if (!library->is_device) {
        return TAPP_SUCCESS; /* done when the call returns */
    }
    pthread_mutex_lock(&work->lock);
    const TAPP_error error = add_library(work, library);
    pthread_mutex_unlock(&work->lock);
    return error;
}

static TAPP_error wait_for(tapp_work *work) {
    TAPP_error error = TAPP_SUCCESS;
    pthread_mutex_lock(&work->lock);
    for (int i = 0; i < work->count && TAPP_check_success(error); ++i) {
        tapp_library *library = work->library[i];
        pthread_mutex_lock(&library->lock);
        error = tapp_from_status(library->context, gm_context_synchronize(library->context));
        pthread_mutex_unlock(&library->lock);
    }
    pthread_mutex_unlock(&work->lock);
    return error;
}

TAPP_error TAPP_create_executor(TAPP_executor *executor) {
    TAPP_NOT_NULL(executor, "executor");
    tapp_work *work = calloc(1, sizeof *work);
    *executor = work != NULL ? tapp_object_add(TAPP_KIND_EXECUTOR, work) : 0;
    if (*executor == 0) {
        free(work);
        return tapp_fail_genmath(GM_STATUS_OUT_OF_MEMORY, "no memory for an executor");
    }
    atomic_init(&work->owners, 1);
    pthread_mutex_init(&work->lock, NULL);
    return TAPP_SUCCESS;
}

/* The executor of a handle, or NO_EXECUTOR. */
#define FIND_EXECUTOR(work, how, executor)                                                         \
    do {                                                                                           \
        (work) = how(TAPP_KIND_EXECUTOR, (executor));                                              \
        if ((work) == NULL) {                                                                      \
            return tapp_fail(TAPP_ERR_NO_EXECUTOR, "not a handle, or its object is destroyed");    \
        }                                                                                          \
    } while (0)

TAPP_error TAPP_destroy_executor(TAPP_executor executor) {
    tapp_work *work;
    FIND_EXECUTOR(work, tapp_object_remove, executor);
    release_work(work);
    return TAPP_SUCCESS;
}

TAPP_error TAPP_executor_wait(TAPP_executor executor) {
    tapp_work *work;
    FIND_EXECUTOR(work, tapp_object_find, executor);
    return wait_for(work);
}

TAPP_error TAPP_executor_get_status(TAPP_executor executor, TAPP_status *status) {
    tapp_work *work;
    TAPP_NOT_NULL(status, "status");
    *status = 0;
    FIND_EXECUTOR(work, tapp_object_find, executor);
    return tapp_status_create(work, status);
}

/* ---- statuses -------------------------------------------------------------------------------- */

typedef struct status_of_work {
    tapp_work *work;
    pthread_mutex_t lock;
    TAPP_completion completion;
    TAPP_error error;
} status_of_work;

TAPP_error tapp_status_create(tapp_work *work, TAPP_status *status) {
    status_of_work *made = calloc(1, sizeof *made);
    *status = made != NULL ? tapp_object_add(TAPP_KIND_STATUS, made) : 0;
    if (*status == 0) {
        free(made);
        return tapp_fail_genmath(GM_STATUS_OUT_OF_MEMORY, "no memory for a status");
    }
    made->completion = TAPP_INCOMPLETE;
    made->work = work;
    atomic_fetch_add(&work->owners, 1);
    pthread_mutex_init(&made->lock, NULL);
    return TAPP_SUCCESS;
}

TAPP_error TAPP_status_check_completion(TAPP_status status, TAPP_completion *completion,
                                        TAPP_error *error) {
    status_of_work *s;
    TAPP_FIND(s, TAPP_KIND_STATUS, status, "status");
    pthread_mutex_lock(&s->lock);
    if (s->completion == TAPP_INCOMPLETE) {
        s->error = wait_for(s->work);
        s->completion = TAPP_check_success(s->error) ? TAPP_COMPLETE : TAPP_FAILED;
    }
    if (completion != NULL) {
        *completion = s->completion;
    }
    if (error != NULL) {
        *error = s->error;
    }
    pthread_mutex_unlock(&s->lock);
    return TAPP_SUCCESS;
}

TAPP_error TAPP_status_get_error(TAPP_status status) {
    status_of_work *s;
    TAPP_FIND(s, TAPP_KIND_STATUS, status, "status");
    pthread_mutex_lock(&s->lock);
    const TAPP_error error = s->error;
    pthread_mutex_unlock(&s->lock);
    return error;
}

TAPP_error TAPP_destroy_status(TAPP_status status) {
    status_of_work *s;
    TAPP_TAKE(s, TAPP_KIND_STATUS, status, "status");
    release_work(s->work);
    pthread_mutex_destroy(&s->lock);
    free(s);
    return TAPP_SUCCESS;
}
