/* TAPP's errors and their texts. */
#include <string.h>

#include "host/tapp/object.h"

/* The last failure of this thread. */
static _Thread_local TAPP_error last;
static _Thread_local char last_reason[512];

static const char *const meanings[] = {
    [TAPP_ERR_SUCCESS] = "success",
    [TAPP_ERR_EXTENTS_AB] = "an index has different extents in A and B",
    [TAPP_ERR_EXTENTS_AD] = "an index has different extents in A and D",
    [TAPP_ERR_EXTENTS_BD] = "an index has different extents in B and D",
    [TAPP_ERR_D_UNSHARED_IDX] = "an index of D is in neither A nor B",
    [TAPP_ERR_CD_NDIM] = "C and D have different numbers of modes",
    [TAPP_ERR_CD_IDX] = "C and D have different indices",
    [TAPP_ERR_EXTENTS_CD] = "C and D have different extents",
    [TAPP_ERR_D_ALIASING] = "two elements of D share memory",
    [TAPP_ERR_A_IDX_EXTENTS] = "an index repeated in A has two extents",
    [TAPP_ERR_B_IDX_EXTENTS] = "an index repeated in B has two extents",
    [TAPP_ERR_D_IDX_EXTENTS] = "an index repeated in D has two extents",
    [TAPP_ERR_C_NULL_BETA] = "C is NULL and beta is not 0",
    [TAPP_ERR_NMODE_NEGATIVE] = "the number of modes is negative",
    [TAPP_ERR_EXTENTS_NEGATIVE] = "an extent is negative",
    [TAPP_ERR_INVALID_KEY] = "the key is not valid, or has no value",
    [TAPP_ERR_NO_EXECUTOR] = "the executor is none",
    [TAPP_ERR_NOT_IMPLEMENTED] = "not implemented",
};

static TAPP_error keep_reason(TAPP_error error, const char *format, va_list arguments) {
    last = error;
    vsnprintf(last_reason, sizeof last_reason, format, arguments);
    return error;
}

TAPP_error tapp_fail(int code, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const TAPP_error error =
        keep_reason((TAPP_error){TAPP_ERROR_TYPE_TAPP, code}, format, arguments);
    va_end(arguments);
    return error;
}

TAPP_error tapp_fail_genmath(gm_status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const TAPP_error error =
        keep_reason((TAPP_error){TAPP_ERROR_TYPE_GENMATH, (int)status}, format, arguments);
    va_end(arguments);
    return error;
}

TAPP_error tapp_no_object(const char *name) {
    return tapp_fail_genmath(GM_STATUS_INVALID_ARGUMENT,
                             "%s is no handle of its kind, or its object is destroyed", name);
}

TAPP_error tapp_from_status(const gm_context *context, gm_status status) {
    return status == GM_STATUS_OK ? TAPP_SUCCESS
           : status == GM_STATUS_UNSUPPORTED
               ? tapp_fail(TAPP_ERR_NOT_IMPLEMENTED, "%s", gm_last_error(context))
               : tapp_fail_genmath(status, "%s", gm_last_error(context));
}

bool TAPP_check_success(TAPP_error error) {
    return error.type == TAPP_ERROR_TYPE_TAPP && error.code == TAPP_ERR_SUCCESS;
}

static void write_meaning(TAPP_error error, char *text, size_t size) {
    static const char *const others[] = {[TAPP_ERROR_TYPE_CUDA] = "CUDA",
                                         [TAPP_ERROR_TYPE_CUTENSOR] = "cuTENSOR",
                                         [TAPP_ERROR_TYPE_CUBLAS] = "cuBLAS",
                                         [TAPP_ERROR_TYPE_TBLIS] = "TBLIS"};
    if (error.type == TAPP_ERROR_TYPE_GENMATH) {
        snprintf(text, size, "genmath: %s", gm_status_string((gm_status)error.code));
    } else if (error.type > TAPP_ERROR_TYPE_TAPP && error.type <= TAPP_ERROR_TYPE_TBLIS) {
        snprintf(text, size, "error %d of %s", error.code, others[error.type]);
    } else if (error.type == TAPP_ERROR_TYPE_TAPP && error.code >= 0 &&
               error.code <= TAPP_ERR_NOT_IMPLEMENTED) {
        snprintf(text, size, "%s", meanings[error.code]);
    } else {
        snprintf(text, size, "error %d of the unknown type %d", error.code, error.type);
    }
}

size_t TAPP_explain_error(TAPP_error error, size_t maxlen, char *message) {
    char text[sizeof last_reason + 128];
    write_meaning(error, text, sizeof text);
    if (!TAPP_check_success(error) && error.type == last.type && error.code == last.code) {
        const size_t length = strlen(text);
        snprintf(text + length, sizeof text - length, ": %s", last_reason);
    }
    const size_t whole = strlen(text);
    if (maxlen == 0) {
        return whole;
    }
    const size_t length = whole < maxlen - 1 ? whole : maxlen - 1;
    if (message == NULL) {
        return 0;
    }
    memcpy(message, text, length);
    message[length] = '\0';
    return length;
}
