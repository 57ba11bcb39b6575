/*
 * Taking and adding along an axis by index: the rows of an embedding table, and their gradient.
 *
 *     gm_gather        out[.., k, ..] = in[.., indices[k], ..]
 *     gm_scatter_add   out[.., indices[k], ..] += in[.., k, ..]    for k = 0, 1, ... in this order
 *
 * Common to both:
 *
 *     axis           [in]   -ndim to ndim - 1; negative ones count from the last, which is -1
 *     in             [in]   any strides; ndim >= 1
 *     indices        [in]   i32 or i64, of one axis, any stride; 0 <= index < the size indexed
 *     out            [out]  any strides, no two elements in the same memory; it must not overlap
 * the other arguments first_invalid  [out]  i64, one element (ndim 0): -1, or the least k whose
 * index is out of range. NULL if nobody asks.
 *
 * An index out of range: ref and cpu return INVALID_ARGUMENT and write nothing but first_invalid. A
 * device cannot say before its kernel has run: there the call succeeds, first_invalid tells, and
 * nothing else is written; with first_invalid NULL the positions of bad indices are left out, and
 * the others written. Memory outside the tensors is never touched.
 *
 * Errors: INVALID_ARGUMENT (a null argument, axis out of range, a dtype not named, overlapping
 * memory), SHAPE_MISMATCH, UNSUPPORTED. On an error nothing is written. Nothing is allocated.
 *
 * Determinism: gm_scatter_add adds to an element in the order of k, each sum rounded to the type it
 * is computed in (f64; f32 for f32, f16 and bf16) and the last to the dtype: no atomics, the same
 * bits on cpu, emu and cuda for any number of threads and any grid. ref adds in double.
 */
#ifndef GENMATH_GATHER_H
#define GENMATH_GATHER_H

#include <genmath/context.h>
#include <genmath/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 *     in, out  any dtype but the complex ones, the same; out has the shape of in with the number of
 *              indices along axis
 *
 * Cost: what is taken is read once and written once.
 */
gm_status gm_gather(gm_context *context, int32_t axis, const gm_tensor *in,
                    const gm_tensor *indices, const gm_tensor *out, const gm_tensor *first_invalid);

/*
 *     in, out  f64, f32, f16 or bf16, the same; in has the shape of out with the number of indices
 *              along axis
 *
 * Cost: every element of in is read once and, on cpu, out is read and written as often; a device
 * reads the indices once for each 64 of the positions indexed.
 */
gm_status gm_scatter_add(gm_context *context, int32_t axis, const gm_tensor *in,
                         const gm_tensor *indices, const gm_tensor *out,
                         const gm_tensor *first_invalid);

#ifdef __cplusplus
}
#endif
#endif
