/*
 * What the contraction kernels share: the arguments in the type of the sums, the walk from an index
 * to the places in the tensors, the arithmetic of each type, and the epilogue.
 */
#pragma once

#include <string.h>

#include "host/contract_args.h"
#include "host/contract_epilogue.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "kernels/cp_async.cuh"
#include "kernels/device.cuh"
#include "kernels/warp.cuh"

namespace gm {
namespace contract {

/* ---- types ----------------------------------------------------------------------------------- */

template <class real> struct alignas(2 * sizeof(real)) complex { real x, y; };
typedef complex<float> c64;
typedef complex<double> c128;

/* 16 bytes of neighbours: what one access of shared memory moves at most. */
template <class element> struct alignas(16) pack16 {
    static constexpr int count = 16 / static_cast<int>(sizeof(element));
    element v[count];
};

/* How an operand comes from global memory; decided at the launch, for it depends on addresses. */
struct loading {
    int32_t vectors; /* 16 bytes at a time, along the direction of stride 1 */
    int32_t along_k; /* neighbouring threads take neighbouring k, else neighbouring rows */
};

/* What happens to a sum, and where it goes. `value` is the type of alpha and of the sum. */
template <class value> struct way_out {
    const void *c, *bias;
    void *d;
    value alpha, beta;
    int32_t activation, has_c, has_bias, sample;
    gm_dtype output;
    uint64_t seed, first;
};

/* d = epilogue(alpha sum + beta c): one launch. */
template <class value> struct job : way_out<value> {
    const void *a, *b;
    void *partials;
    int64_t batch, m, n, k;
    int32_t batches, ms, ns, ks;
    gm_mode modes[GM_MAX_LABELS];
    /* k is cut into `splits` pieces of `piece`; with more than one, the sums of the pieces go to
     * `partials`, [split][batch - first_batch][m][n]. A launch computes `count` of the batches. */
    int64_t splits, piece, first_batch, count;
    loading load_a, load_b;

    __host__ __device__ __forceinline__ const gm_mode *batch_modes() const {
        return modes;
    }
    __host__ __device__ __forceinline__ const gm_mode *m_modes() const {
        return modes + batches;
    }
    __host__ __device__ __forceinline__ const gm_mode *n_modes() const {
        return modes + batches + ms;
    }
    __host__ __device__ __forceinline__ const gm_mode *k_modes() const {
        return modes + batches + ms + ns;
    }
};

/* ---- from an index to places ------------------------------------------------------------------
 */

/* x / y for x >= 0, y > 0; most are small, and 64-bit division takes four times as long. */
__host__ __device__ __forceinline__ int64_t quotient(int64_t x, int64_t y) {
    const uint64_t ux = static_cast<uint64_t>(x), uy = static_cast<uint64_t>(y);
    if ((ux | uy) >> 32 == 0) {
        return static_cast<int64_t>(static_cast<uint32_t>(ux) / static_cast<uint32_t>(uy));
    }
    return static_cast<int64_t>(ux / uy);
}

struct sources { /* offsets in the operands */
    int64_t a, b;
    __host__ __device__ __forceinline__ void step(const gm_mode &mode, int64_t position) {
        a += position * mode.a;
        b += position * mode.b;
    }
};

struct places { /* offsets in the tensors of an output element, and its number */
    int64_t d, c, bias, index;
    __host__ __device__ __forceinline__ void step(const gm_mode &mode, int64_t position) {
        d += position * mode.d;
        c += position * mode.c;
        bias += position * mode.bias;
        index += position * mode.index;
    }
};

__device__ __forceinline__ sources operator+(const sources &x, const sources &y) {
    return {x.a + y.a, x.b + y.b};
}
__device__ __forceinline__ places operator+(const places &x, const places &y) {
    return {x.d + y.d, x.c + y.c, x.bias + y.bias, x.index + y.index};
}

/* The offsets of `index`, the row-major number of a position in the modes. One mode: no division.
 */
template <class offsets>
__device__ __forceinline__ offsets walk(const gm_mode *modes, int32_t count, int64_t index) {
    offsets at = {};
    for (int32_t i = count - 1; i > 0; --i) {
        const int64_t rest = quotient(index, modes[i].extent);
        at.step(modes[i], index - rest * modes[i].extent);
        index = rest;
    }
    if (count > 0) {
        at.step(modes[0], index);
    }
    return at;
}

/* ---- arithmetic -------------------------------------------------------------------------------
 */

/*
 * One struct for each type of operand: `element` in memory, `scalar` in registers, `sum` while it
 * grows, `value` when it is done; merge adds a later piece to an earlier one.
 */
template <class real> struct arith_real {
    typedef real element;
    typedef real scalar;
    typedef real sum;
    typedef real value;
    static __device__ __forceinline__ scalar load(element x) {
        return x;
    }
    static __device__ __forceinline__ scalar one() {
        return 1;
    }
    static __device__ __forceinline__ sum zero() {
        return 0;
    }
    static __device__ __forceinline__ void multiply_add(sum &s, float x, float y) {
        s = gm_fma_f32(x, y, s);
    }
    static __device__ __forceinline__ void multiply_add(sum &s, double x, double y) {
        s = gm_fma_f64(x, y, s);
    }
    static __device__ __forceinline__ void merge(sum &s, sum later) {
        s += later;
    }
    static __device__ __forceinline__ value total(sum s) {
        return s;
    }
};
typedef arith_real<float> arith_f32;
typedef arith_real<double> arith_f64;

struct arith_f16 : arith_f32 {
    typedef __half element;
    static __device__ __forceinline__ float load(element x) {
        return __half2float(x);
    }
};

struct arith_bf16 : arith_f32 {
    typedef __nv_bfloat16 element;
    static __device__ __forceinline__ float load(element x) {
        return __bfloat162float(x);
    }
};

__device__ __forceinline__ float fused(float x, float y, float z) {
    return gm_fma_f32(x, y, z);
}
__device__ __forceinline__ double fused(double x, double y, double z) {
    return gm_fma_f64(x, y, z);
}

/* An excess is 0 where the sum has left the finite numbers, so that infinity stays infinity. */
__device__ __forceinline__ float finite_or_zero(float x) {
    return gm_abs_f32(x) < GM_INF_F32 ? x : 0.0f;
}
__device__ __forceinline__ double finite_or_zero(double x) {
    return gm_abs_f64(x) < GM_INF_F64 ? x : 0.0;
}

/*
 * Kahan's sum: `excess` is what the rounded sum has too much. The product is not rounded on its
 * own: it meets the excess in one fused operation.
 */
template <class real> struct compensated { real sum, excess; };

template <class real> struct arith_compensated : arith_real<real> {
    typedef compensated<real> sum;
    static __device__ __forceinline__ sum zero() {
        return {0, 0};
    }
    static __device__ __forceinline__ void multiply_add(sum &s, real x, real y) {
        const real term = fused(x, y, -s.excess);
        const real next = s.sum + term;
        s.excess = finite_or_zero((next - s.sum) - term);
        s.sum = next;
    }
    static __device__ __forceinline__ void merge(sum &s, const sum &later) {
        const real next = s.sum + later.sum;
        const real taken = next - s.sum;
        /* Knuth's error of a sum: exact, whichever is larger. */
        const real error = (s.sum - (next - taken)) + (later.sum - taken);
        s.excess = finite_or_zero(s.excess + later.excess - error);
        s.sum = next;
    }
    static __device__ __forceinline__ real total(const sum &s) {
        return s.sum - s.excess;
    }
};
typedef arith_compensated<float> arith_compensated_f32;
typedef arith_compensated<double> arith_compensated_f64;

template <class real> struct arith_complex {
    typedef complex<real> element;
    typedef complex<real> scalar;
    typedef complex<real> sum;
    typedef complex<real> value;
    static __device__ __forceinline__ scalar load(element x) {
        return x;
    }
    static __device__ __forceinline__ scalar one() {
        return {1, 0};
    }
    static __device__ __forceinline__ sum zero() {
        return {0, 0};
    }
    static __device__ __forceinline__ void multiply_add(sum &s, scalar x, scalar y) {
        s.x = fused(-x.y, y.y, fused(x.x, y.x, s.x));
        s.y = fused(x.y, y.x, fused(x.x, y.y, s.y));
    }
    static __device__ __forceinline__ void merge(sum &s, sum later) {
        s.x += later.x;
        s.y += later.y;
    }
    static __device__ __forceinline__ value total(sum s) {
        return s;
    }
};
typedef arith_complex<float> arith_c64;
typedef arith_complex<double> arith_c128;

/* Wraps as two's complement does: unsigned in C++. */
template <class stored> struct arith_integer {
    typedef stored element;
    typedef int32_t scalar;
    typedef uint32_t sum;
    typedef int32_t value;
    static __device__ __forceinline__ scalar load(element x) {
        return x;
    }
    static __device__ __forceinline__ scalar one() {
        return 1;
    }
    static __device__ __forceinline__ sum zero() {
        return 0;
    }
    static __device__ __forceinline__ void multiply_add(sum &s, scalar x, scalar y) {
        s += static_cast<uint32_t>(x) * static_cast<uint32_t>(y);
    }
    static __device__ __forceinline__ void merge(sum &s, sum later) {
        s += later;
    }
    static __device__ __forceinline__ value total(sum s) {
        return static_cast<int32_t>(s);
    }
};
typedef arith_integer<int32_t> arith_i32;
typedef arith_integer<int8_t> arith_i8;

/* What lane + offset holds. */
template <class T> __device__ __forceinline__ T shuffle_down(const T &x, unsigned offset) {
    unsigned words[sizeof(T) / 4];
    memcpy(words, &x, sizeof x);
    GM_UNROLL for (unsigned &word : words) {
        word = __shfl_down_sync(GM_FULL_MASK, word, offset);
    }
    T result;
    memcpy(&result, words, sizeof result);
    return result;
}

/* Lane 0 gets the sum over the lanes, in a fixed order. */
template <class arith>
__device__ __forceinline__ typename arith::sum warp_total(typename arith::sum s) {
    GM_UNROLL for (unsigned offset = 16; offset > 0; offset /= 2) {
        arith::merge(s, shuffle_down(s, offset));
    }
    return s;
}

/* ---- the way out ------------------------------------------------------------------------------
 */

__device__ __forceinline__ float scaled(float alpha, float x) {
    return alpha * x;
}
__device__ __forceinline__ double scaled(double alpha, double x) {
    return alpha * x;
}
template <class real>
__device__ __forceinline__ complex<real> scaled(complex<real> alpha, complex<real> x) {
    return {fused(alpha.x, x.x, -(alpha.y * x.y)), fused(alpha.x, x.y, alpha.y * x.x)};
}
__device__ __forceinline__ int32_t scaled(int32_t alpha, int32_t x) {
    return static_cast<int32_t>(static_cast<uint32_t>(alpha) * static_cast<uint32_t>(x));
}

__device__ __forceinline__ float plus(float x, float y) {
    return x + y;
}
__device__ __forceinline__ double plus(double x, double y) {
    return x + y;
}
template <class real>
__device__ __forceinline__ complex<real> plus(complex<real> x, complex<real> y) {
    return {x.x + y.x, x.y + y.y};
}
__device__ __forceinline__ int32_t plus(int32_t x, int32_t y) {
    return static_cast<int32_t>(static_cast<uint32_t>(x) + static_cast<uint32_t>(y));
}

/* Element `at` of a tensor of the output's type: f16, bf16 and f32 are float in registers. */
template <class value>
__device__ __forceinline__ value fetch(const void *from, gm_dtype, int64_t at) {
    return static_cast<const value *>(from)[at];
}
template <>
__device__ __forceinline__ float fetch<float>(const void *from, gm_dtype type, int64_t at) {
    return type == GM_F32   ? static_cast<const float *>(from)[at]
           : type == GM_F16 ? __half2float(static_cast<const __half *>(from)[at])
                            : __bfloat162float(static_cast<const __nv_bfloat16 *>(from)[at]);
}

template <class value>
__device__ __forceinline__ void put(void *to, gm_dtype, int64_t at, value x) {
    static_cast<value *>(to)[at] = x;
}
template <>
__device__ __forceinline__ void put<float>(void *to, gm_dtype type, int64_t at, float x) {
    if (type == GM_F32) {
        static_cast<float *>(to)[at] = x;
    } else if (type == GM_F16) {
        static_cast<__half *>(to)[at] = __float2half_rn(x);
    } else {
        static_cast<__nv_bfloat16 *>(to)[at] = __float2bfloat16_rn(x);
    }
}

/* Activation and sample; types without them pass. */
template <class value>
__device__ __forceinline__ value activated(const way_out<value> &, value x, int64_t) {
    return x;
}
__device__ __forceinline__ float activated(const way_out<float> &out, float x, int64_t index) {
    x = gm_contract_activate_f32(out.activation, x);
    return out.sample
               ? gm_contract_sample_f32(out.seed, out.first + static_cast<uint64_t>(index), x)
               : x;
}
__device__ __forceinline__ double activated(const way_out<double> &out, double x, int64_t index) {
    x = gm_contract_activate_f64(out.activation, x);
    return out.sample
               ? gm_contract_sample_f64(out.seed, out.first + static_cast<uint64_t>(index), x)
               : x;
}

/* alpha sum + beta c + bias. */
template <class value>
__device__ __forceinline__ value combined(const way_out<value> &out, value sum, const places &at) {
    value x = scaled(out.alpha, sum);
    if (out.has_c) {
        x = plus(x, scaled(out.beta, fetch<value>(out.c, out.output, at.c)));
    }
    if (out.has_bias) {
        x = plus(x, fetch<value>(out.bias, out.output, at.bias));
    }
    return x;
}

/* Stores the element of d that a sum gives. */
template <class value>
__device__ __forceinline__ void finish(const way_out<value> &out, value sum, const places &at) {
    put(out.d, out.output, at.d, activated(out, combined(out, sum, at), at.index));
}

} // namespace contract
} // namespace gm
