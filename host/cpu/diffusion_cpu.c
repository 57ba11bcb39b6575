/*
 * The diffusion operations on threads and vectors: tiles of samples, each by one thread.
 *
 * Count for the score of n samples against K data of d dimensions: 3 n K d lane operations (a
 * subtraction and a fused multiply-add for the distance, one more for the weighted sum), so a core
 * that starts V lanes of fused multiply-add and V of addition per cycle needs 2 n K d / V cycles at
 * least. A register tile of 8 data by two registers of samples has 10 loads for 32 operations in
 * the distance and for 16 in the sum. Both passes are blocked over the data, so that a block
 * stays in the first-level cache, and the largest logit so far is carried along (online softmax).
 */
#include <genmath/diffusion.h>
#include <genmath/philox.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/cpu/cpu.h"
#include "host/diffusion_args.h"
#include "host/internal.h"

#if GM_HAVE_X86_TARGETS
#include <immintrin.h>
#endif

/* Both are part of what a result's bits are, since they order its sums. */
#define BLOCK 64 /* data: 16 KiB of f32 at d = 64 */
#define CHUNK 64 /* dimensions */

#define PASTE_(a, b) a##_##b
#define PASTE(a, b) PASTE_(a, b)

#define REAL float
#define TYPE f32
#define FMA_512(a, b, c) _mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c))
#define FMA_256(a, b, c) _mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c))
#define NORMALS 4 /* in a block of draws */
#define LOWEST (-FLT_MAX)
static inline __attribute__((always_inline)) void block_normals_f32(uint64_t seed, uint64_t index,
                                                                    uint32_t stream, uint64_t block,
                                                                    float *z, int stride) {
    gm_normal4_f32(seed, index, stream, block, z, z + stride, z + 2 * stride, z + 3 * stride);
}
#include "host/cpu/diffusion_type.inc"

#define REAL double
#define TYPE f64
#define FMA_512(a, b, c) _mm512_fmadd_pd((__m512d)(a), (__m512d)(b), (__m512d)(c))
#define FMA_256(a, b, c) _mm256_fmadd_pd((__m256d)(a), (__m256d)(b), (__m256d)(c))
#define NORMALS 2
#define LOWEST (-DBL_MAX)
static inline __attribute__((always_inline)) void block_normals_f64(uint64_t seed, uint64_t index,
                                                                    uint32_t stream, uint64_t block,
                                                                    double *z, int stride) {
    gm_normal2_f64(seed, index, stream, block, z, z + stride);
}
#include "host/cpu/diffusion_type.inc"

gm_status gm_cpu_diffusion_perturb(gm_call *call, const struct gm_diffusion_perturb_args *args) {
    return args->dtype == GM_F32 ? perturb_f32(call, args) : perturb_f64(call, args);
}

gm_status gm_cpu_diffusion_score(gm_call *call, const struct gm_diffusion_score_args *args) {
    return args->model.dtype == GM_F32 ? score_f32(call, args) : score_f64(call, args);
}

gm_status gm_cpu_diffusion_sample(gm_call *call, const struct gm_diffusion_sample_args *args) {
    return args->model.dtype == GM_F32 ? sample_f32(call, args) : sample_f64(call, args);
}
