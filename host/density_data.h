/* The data of a density, checked: what backends get besides its state and parameters. */
#ifndef GENMATH_HOST_DENSITY_DATA_H
#define GENMATH_HOST_DENSITY_DATA_H

#include <stdint.h>

/* Zero for a density without. stride: in elements, from row to row and from column to column. */
typedef struct gm_density_data {
    const void *data;
    int64_t rows, stride[2];
} gm_density_data;

#endif
