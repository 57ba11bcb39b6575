/*
 * NumPy's .npy files: one array of one type, so that results open in the user's plots as
 * numpy.load("x.npy"). Tensors of these functions lie in host memory, whatever the backend.
 *
 * The format: the bytes 93 'N' 'U' 'M' 'P' 'Y', a version (1.0, 2.0 or 3.0), the header's length
 * (two bytes, four from 2.0 on), the header, a Python dictionary literal {'descr', 'fortran_order',
 * 'shape'}, and the elements without gaps. It is described in numpy.lib.format and in NumPy's
 * NEP 1.
 *
 * bf16 is no type of NumPy. It is stored as '<V2', two opaque bytes, as the Python package
 * ml_dtypes does; numpy.load("x.npy").view(ml_dtypes.bfloat16) reads it, and any '<V2' or '|V2'
 * file loads as bf16.
 */
#ifndef GENMATH_NPY_H
#define GENMATH_NPY_H

#include <genmath/context.h>
#include <genmath/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Reads an array into host memory. The order of the file is kept: a Fortran-ordered file gives
 * column-major strides. Big-endian files come back in the machine's byte order.
 *
 * context [in]  takes the message of a failure; NULL: it is in gm_last_error(NULL)
 * path    [in]
 * tensor  [out] release with gm_npy_free; untouched on failure
 *
 * Errors: INVALID_ARGUMENT (an argument is NULL). IO_ERROR with the system's reason (no such file,
 * no permission, not a regular file). CORRUPT_DATA (not a .npy file, a header that is malformed or
 * over 65535 bytes, sizes whose product overflows, more or fewer bytes of data than the header
 * announces, a bool that is neither 0 nor 1). UNSUPPORTED (a version after 3, Python objects,
 * structured types, text, dates, long double, over 32 dimensions). OUT_OF_MEMORY. Nothing is
 * allocated for data that the file does not hold.
 */
gm_status gm_npy_load(gm_context *context, const char *path, gm_tensor *tensor);

/* Releases the data of gm_npy_load and zeroes the tensor. NULL and a zeroed tensor are fine. */
void gm_npy_free(gm_tensor *tensor);

/*
 * Writes a host tensor, whatever its strides (0 and negative ones too), as format version 1.0,
 * which holds every header this library can write. Row-major order, unless the tensor is
 * column-major. The file is complete or not there: a temporary file in the same folder is flushed
 * to the disk and renamed, so a failure leaves an older file at path as it was.
 *
 * context [in] takes the message of a failure; NULL: it is in gm_last_error(NULL)
 * path    [in] a symbolic link is followed
 * tensor  [in] in host memory; its data may be NULL if it has no elements, and need not be aligned
 *
 * Errors: INVALID_ARGUMENT (an argument is NULL, an unknown dtype, a size or stride out of range).
 * IO_ERROR with the system's reason (no such folder, no permission, disk full, or something at path
 * that is not a regular file). OUT_OF_MEMORY.
 */
gm_status gm_npy_save(gm_context *context, const char *path, const gm_tensor *tensor);

#ifdef __cplusplus
}
#endif
#endif
