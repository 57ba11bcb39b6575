/* gm_gather, gm_scatter_add: the formulas of gather.h, sums in double. */
#include <string.h>

#include "host/check_indices.h"
#include "host/ref/element.h"
#include "host/ref/ref.h"

gm_status gm_ref_gather(gm_call *call, const gm_gather_args *args) {
    const int64_t size = (int64_t)gm_dtype_size(args->dtype);
    const gm_status status = gm_check_indices(call, args);
    call->kernel = "gather_ref";
    for (int64_t e = 0; status == GM_STATUS_OK && e < args->others.elements; ++e) {
        const int64_t from = gm_layout_offset(&args->others, 0, e);
        const int64_t to = gm_layout_offset(&args->others, 1, e);
        for (int64_t k = 0; k < args->count; ++k) {
            memcpy((char *)args->out + (to + k * args->out_stride) * size,
                   (const char *)args->in +
                       (from + gm_checked_index(args, k) * args->in_stride) * size,
                   (size_t)size);
        }
    }
    return status;
}

enum { SUMS = 256 }; /* places summed at once */

/* What was at the places first .. end - 1 and all that is added to it, in the order of k. */
static void add_to_places(const gm_gather_args *args, int64_t from, int64_t to, int64_t first,
                          int64_t end) {
    double sums[SUMS];
    for (int64_t place = first; place < end; ++place) {
        sums[place - first] =
            gm_load_element(args->out, args->dtype, to + place * args->out_stride);
    }
    for (int64_t k = 0; k < args->count; ++k) {
        const int64_t place = gm_checked_index(args, k);
        if (place >= first && place < end) {
            sums[place - first] +=
                gm_load_element(args->in, args->dtype, from + k * args->in_stride);
        }
    }
    for (int64_t place = first; place < end; ++place) {
        gm_store_element(args->out, args->dtype, to + place * args->out_stride,
                         sums[place - first]);
    }
}

gm_status gm_ref_scatter_add(gm_call *call, const gm_gather_args *args) {
    const gm_status status = gm_check_indices(call, args);
    call->kernel = "scatter_add_ref";
    for (int64_t e = 0; status == GM_STATUS_OK && e < args->others.elements; ++e) {
        for (int64_t first = 0; first < args->size; first += SUMS) {
            const int64_t end = first + SUMS < args->size ? first + SUMS : args->size;
            add_to_places(args, gm_layout_offset(&args->others, 0, e),
                          gm_layout_offset(&args->others, 1, e), first, end);
        }
    }
    return status;
}
