/* Results that must have the same bits in two contexts. */
#ifndef GENMATH_HOST_CLI_BITS_CASE_H
#define GENMATH_HOST_CLI_BITS_CASE_H

#include <stdlib.h>

#include "host/cli/cases.h"

/* Adds the number of elements, of `width` bytes, that differ to the error. Packed tensors of one or
 * two dimensions. */
static inline gm_status gm_case_compare_bits(gm_context *reference, const gm_tensor *a,
                                             gm_context *subject, const gm_tensor *b, size_t width,
                                             gm_case_result *result) {
    const int64_t count = a->shape[0] * (a->ndim == 2 ? a->shape[1] : 1);
    char *x = malloc((size_t)count * width + 1), *y = malloc((size_t)count * width + 1);
    gm_status status =
        x == NULL || y == NULL ? GM_STATUS_OUT_OF_MEMORY : gm_case_download(reference, a, x);
    status = status == GM_STATUS_OK ? gm_case_download(subject, b, y) : status;
    if (status == GM_STATUS_OK) {
        result->error += (double)gm_case_bit_differences(width, x, y, count, NULL);
    }
    free(x);
    free(y);
    return status;
}

#endif
