/*
 * Tensors of random numbers. Element e of a tensor, counted in row-major order whatever its
 * strides, is element stream->index + e of an endless sequence that (seed, stream) names: a tensor
 * filled in one call, in slices, on any backend and by any number of threads holds the same bits.
 *
 * Element p of the sequence is drawn from Philox index p / 4, block 0, lane p % 4; of doubles,
 * index p / 2 and half p % 2. philox.h has the layout, and inline functions for one draw at a time.
 *
 * Common to all functions:
 *
 *     stream  [in]   which sequence, and the element it begins at; not NULL
 *     out     [out]  any ndim and strides, as long as no two elements share memory; what lies
 *                    between its elements is not written
 *
 * Errors: INVALID_ARGUMENT (a null argument, a dtype not named, overlapping elements, a stream id
 * over 255, stream->index + elements over 2^64, a parameter out of its range), UNSUPPORTED. On an
 * error nothing is written. Zero elements succeed and do nothing.
 *
 * Determinism: bits equal on every backend. Cost: one Philox block for four (double: two) elements;
 * nothing is allocated.
 */
#ifndef GENMATH_RANDOM_H
#define GENMATH_RANDOM_H

#include <genmath/context.h>
#include <genmath/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gm_random_stream {
    uint64_t seed;
    uint64_t index;  /* of the first element */
    uint32_t stream; /* 0 to 255: GM_STREAM_FILL, or GM_STREAM_USER + n for sequences of your own */
} gm_random_stream;

/* The words themselves. out: u32. */
gm_status gm_random_fill_u32(gm_context *context, const gm_random_stream *stream,
                             const gm_tensor *out);

/*
 * low + (high - low) u, rounded once, with u = gm_uniform_f32 in (0, 1] or gm_uniform_f64 in
 * (0, 1). A rounded result can be low or high itself.
 *
 *     low, high  [in]   low < high, both and high - low finite; rounded to the dtype first
 *     out        [out]  f32 or f64
 */
gm_status gm_random_fill_uniform(gm_context *context, const gm_random_stream *stream, double low,
                                 double high, const gm_tensor *out);

/*
 * mean + deviation z, rounded once, z a standard normal by Box and Muller: |z| is at most 6.66 for
 * f32, 8.57 for f64.
 *
 *     mean, deviation  [in]   finite, deviation >= 0; rounded to the dtype first
 *     out              [out]  f32 or f64
 */
gm_status gm_random_fill_normal(gm_context *context, const gm_random_stream *stream, double mean,
                                double deviation, const gm_tensor *out);

/*
 * mean * E, E = -log(u) the exponential distribution of mean 1, at most 22.2 for f32, 36.7 for f64.
 *
 *     mean  [in]   finite, > 0; rounded to the dtype first
 *     out   [out]  f32 or f64
 */
gm_status gm_random_fill_exponential(gm_context *context, const gm_random_stream *stream,
                                     double mean, const gm_tensor *out);

/*
 * 1 with the given probability, else 0: word < round(probability 2^32), so the probability is exact
 * if it is a multiple of 2^-32 and else off by 2^-33 at most.
 *
 *     probability  [in]   in [0, 1]
 *     out          [out]  u8 or bool
 */
gm_status gm_random_fill_bernoulli(gm_context *context, const gm_random_stream *stream,
                                   double probability, const gm_tensor *out);

/*
 * Integers low, low + 1, ..., high - 1, each with the same probability (gm_bounded_u32: Lemire's
 * multiplication with rejection; the retries of an element disturb no other).
 *
 *     low, high  [in]   low < high, high - low <= 2^32; low and high - 1 are values of the dtype
 *     out        [out]  i32, u32 or i64
 */
gm_status gm_random_fill_integers(gm_context *context, const gm_random_stream *stream, int64_t low,
                                  int64_t high, const gm_tensor *out);

/*
 * The numbers of cuRAND's device generator Philox4_32_10: element e is what call e + 1 of curand,
 * or of curand_uniform or curand_uniform_double, returns after
 * curand_init(seed, subsequence, offset).
 *
 *     out  [out]  u32; f32 or f64
 *
 * Errors: as above, and offset + elements over 2^64.
 */
gm_status gm_random_fill_curand_u32(gm_context *context, uint64_t seed, uint64_t subsequence,
                                    uint64_t offset, const gm_tensor *out);
gm_status gm_random_fill_curand_uniform(gm_context *context, uint64_t seed, uint64_t subsequence,
                                        uint64_t offset, const gm_tensor *out);

#ifdef __cplusplus
}
#endif
#endif
