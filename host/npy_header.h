/* The text header of a .npy file. */
#ifndef GENMATH_HOST_NPY_HEADER_H
#define GENMATH_HOST_NPY_HEADER_H

#include <stdbool.h>

#include <genmath/context.h>
#include <genmath/tensor.h>

typedef struct gm_npy_header {
    gm_dtype dtype;
    bool swapped; /* the file's byte order is not this machine's */
    bool fortran_order;
    int32_t ndim;
    int64_t shape[GM_MAX_DIMS];
} gm_npy_header;

/*
 * Parses the dictionary. text need not end with a zero. path only goes into messages.
 * python2 [in] a number may end in L, as Python 2 wrote long integers
 * Errors: CORRUPT_DATA, UNSUPPORTED; header is untouched then.
 */
gm_status gm_npy_header_parse(gm_context *context, const char *path, const char *text,
                              size_t length, bool python2, gm_npy_header *header);

/* Writes the dictionary and a terminating zero; returns its length. GM_NPY_HEADER_SIZE is enough.
 */
#define GM_NPY_HEADER_SIZE (128 + 24 * GM_MAX_DIMS)
size_t gm_npy_header_write(const gm_npy_header *header, char *text);

#endif
