/* What gm_map and gm_combine hand to a backend, checked. Read by C and by the kernels. */
#ifndef GENMATH_HOST_ELEMENTWISE_ARGS_H
#define GENMATH_HOST_ELEMENTWISE_ARGS_H

#include <genmath/elementwise.h>

#include "host/layout.h"

typedef struct gm_elementwise_args {
    int32_t operation; /* gm_map_operation, or of two operands gm_combine_operation */
    int32_t operands;  /* 1 or 2 */
    gm_dtype dtype;    /* of the operands */
    gm_dtype out_dtype;
    double alpha, beta;
    float alpha_f32, beta_f32; /* so that no float kernel converts a double */
    int32_t scaled;            /* 0: alpha = 1, beta = 0 */
    int32_t reads_out;         /* beta is not 0, as rounded */
    const void *in[2];
    void *out;
    gm_layout layout; /* tensor 0 is out, 1 and 2 the operands; the axes ordered for out */
} gm_elementwise_args;

#endif
