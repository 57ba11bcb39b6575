/* Results that must have the same bits in two contexts. */
#ifndef GENMATH_HOST_CLI_BITS_CASE_H
#define GENMATH_HOST_CLI_BITS_CASE_H

#include <stdlib.h>

#include "host/cli/cases.h"

/* Adds the number of elements that differ in any bit to the error. */
static inline gm_status gm_case_compare_bits(gm_context *reference, const gm_tensor *a,
                                             gm_context *subject, const gm_tensor *b,
                                             gm_case_result *result) {
    int64_t count;
    CASE_TRY(gm_tensor_elements(a, &count));
    const size_t size = gm_dtype_size(a->dtype);
    char *x = malloc((size_t)count * size + 1), *y = malloc((size_t)count * size + 1);
    gm_status status =
        x == NULL || y == NULL ? GM_STATUS_OUT_OF_MEMORY : gm_case_download(reference, a, x);
    status = status == GM_STATUS_OK ? gm_case_download(subject, b, y) : status;
    if (status == GM_STATUS_OK) {
        result->error += (double)gm_case_bit_differences(size, x, y, count, NULL);
    }
    free(x);
    free(y);
    return status;
}

#endif
