/* What gm_reduce and gm_softmax hand to a backend, checked. Read by C and by the kernels. */
#ifndef GENMATH_HOST_REDUCE_ARGS_H
#define GENMATH_HOST_REDUCE_ARGS_H

#include <genmath/reduce.h>

#include "host/layout.h"

/* The order of a result's bits: reduce.h states it to the user. */
enum {
    GM_CHUNK = 4096,      /* elements */
    GM_ACCUMULATORS = 128 /* of a chunk */
};

typedef struct gm_reduce_args {
    gm_reduction reduction; /* LOGSUMEXP for a softmax: its state is what a softmax needs */
    gm_dtype dtype, out_dtype;
    int32_t unbiased;
    int32_t logarithm; /* softmax: 1 for its logarithm */
    double scale;      /* softmax: 1 / temperature; else 1 */
    float scale_f32;
    const void *in;
    void *out;
    /* Tensor 0 is in, 1 is out. A row is what goes into one result, or one softmax: `outer` numbers
     * the rows, in any order; `inner` walks the elements of a row in theirs. */
    gm_layout outer, inner;
    void *workspace; /* NULL, or of workspace_bytes as the backend asked for */
    size_t workspace_bytes;
} gm_reduce_args;

#endif
