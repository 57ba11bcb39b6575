/* What plans with a backend's state and a workspace have in common: the end of their life, the size
 * of the workspace, its checks. */
#ifndef GENMATH_HOST_FRAME_H
#define GENMATH_HOST_FRAME_H

#include <stdlib.h>

#include "host/internal.h"

typedef struct gm_frame {
    gm_context *context;
    const gm_backend *backend;
    int64_t workspace_bytes;
    void *state; /* the backend's; NULL: none */
} gm_frame;

/* Memory for a plan of `bytes`, zeroed, whose first member is a frame. */
static inline gm_status gm_frame_make(gm_context *context, const gm_backend *backend, size_t bytes,
                                      void **plan) {
    gm_frame *frame = calloc(1, bytes);
    GM_CHECK(context, frame != NULL, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    frame->context = context;
    frame->backend = backend;
    *plan = frame;
    return GM_STATUS_OK;
}

static inline void gm_frame_destroy(gm_frame *frame, void (*release)(gm_call *call, void *state)) {
    if (frame->state != NULL) {
        release(&frame->context->call, frame->state);
    }
    free(frame);
}

static inline gm_status gm_frame_workspace_size(const gm_frame *frame, int64_t *bytes) {
    GM_CHECK(NULL, frame != NULL, GM_STATUS_INVALID_ARGUMENT, "plan is NULL");
    GM_CHECK(frame->context, bytes != NULL, GM_STATUS_INVALID_ARGUMENT, "bytes is NULL");
    *bytes = frame->workspace_bytes;
    return GM_STATUS_OK;
}

/* Large enough, there, aligned, the backend's; `view` becomes the tensor that operands must be
 * disjoint from. */
static inline gm_status gm_frame_check_workspace(const gm_frame *frame, const void *workspace,
                                                 int64_t bytes, gm_tensor *view) {
    gm_context *context = frame->context;
    const int64_t need = frame->workspace_bytes;
    GM_CHECK(context, bytes >= need, GM_STATUS_WORKSPACE_TOO_SMALL,
             "workspace_bytes = %lld: this plan needs %lld", (long long)bytes, (long long)need);
    GM_CHECK(context, need == 0 || workspace != NULL, GM_STATUS_INVALID_ARGUMENT,
             "workspace is NULL");
    GM_CHECK(context, (uintptr_t)workspace % 64 == 0, GM_STATUS_INVALID_ARGUMENT,
             "workspace is not aligned to 64 bytes");
    *view = gm_tensor_1d((void *)(uintptr_t)workspace, GM_U8, need);
    return gm_check_tensor(context, "workspace", view, 1, GM_DTYPE_BIT(GM_U8));
}

#endif
