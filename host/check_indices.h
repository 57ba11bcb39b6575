/* The indices of a gather, checked before anything is written: by ref and cpu. */
#ifndef GENMATH_HOST_CHECK_INDICES_H
#define GENMATH_HOST_CHECK_INDICES_H

#include "host/backend.h"
#include "host/gather_args.h"

static inline gm_status gm_check_indices(gm_call *call, const gm_gather_args *args) {
    int64_t k = 0;
    while (k < args->count && gm_checked_index(args, k) >= 0) {
        ++k;
    }
    if (args->first_invalid != NULL) {
        *args->first_invalid = k < args->count ? k : -1;
    }
    return k == args->count
               ? GM_STATUS_OK
               : gm_call_fail(call, GM_STATUS_INVALID_ARGUMENT, "indices[%lld] is not in 0 .. %lld",
                              (long long)k, (long long)args->size - 1);
}

#endif
