/*
 * gm_random_fill_*: element e = draw number first + e of a stream, from Philox index
 * (first + e) / per_block and lane (first + e) % per_block; include/genmath/philox.h has the layout.
 *
 * Parallelised: a thread owns one Philox block, 4 elements (2 of doubles), whether or not all of
 * them belong to the tensor; blocks of 256 threads, as many as cover the elements.
 * Shared memory: none.
 *
 * Numerical choices: none here; the arithmetic is the shared header's, and the bits are the CPU's.
 *
 * Versions: (1) one thread for an element computes each block four times; (2) this one, and the
 * elements of a whole block of a contiguous tensor leave in one 16-byte store where they are so
 * aligned. Not yet timed on a GPU.
 */
#include <genmath/philox.h>

#include "host/random_args.h"
#include "kernels/launch.cuh"
#include "kernels/module.cuh"

namespace gm {
namespace {

constexpr unsigned THREADS =
    256; /* eight warps hide the latency of the products; no more is gained */

/* One struct for each kind and type: make writes the elements that block `index` of the stream
 * holds. */
struct words_u32 {
    using type = uint32_t;
    static constexpr int per_block = 4;
    static __device__ void make(const gm_random_fill_args &a, uint64_t index, type *out) {
        const gm_words w = gm_philox_block(a.seed, index, a.stream, 0);
        out[0] = w.w0;
        out[1] = w.w1;
        out[2] = w.w2;
        out[3] = w.w3;
    }
};

/* A law given as a function of one word, of two in double precision. */
template <float (*law)(uint32_t)> struct from_word {
    using type = float;
    static constexpr int per_block = 4;
    static __device__ void make(const gm_random_fill_args &a, uint64_t index, type *out) {
        uint32_t w[4];
        words_u32::make(a, index, w);
        for (int i = 0; i < 4; ++i) {
            out[i] = gm_fma_f32(a.scale_f32, law(w[i]), a.offset_f32);
        }
    }
};

template <double (*law)(uint32_t, uint32_t)> struct from_words {
    using type = double;
    static constexpr int per_block = 2;
    static __device__ void make(const gm_random_fill_args &a, uint64_t index, type *out) {
        const gm_words w = gm_philox_block(a.seed, index, a.stream, 0);
        out[0] = gm_fma_f64(a.scale, law(w.w0, w.w1), a.offset);
        out[1] = gm_fma_f64(a.scale, law(w.w2, w.w3), a.offset);
    }
};

using uniform_f32 = from_word<gm_uniform_f32>;
using uniform_f64 = from_words<gm_uniform_f64>;
using exponential_f32 = from_word<gm_exponential_f32>;
using exponential_f64 = from_words<gm_exponential_f64>;

struct normal_f32 {
    using type = float;
    static constexpr int per_block = 4;
    static __device__ void make(const gm_random_fill_args &a, uint64_t index, type *out) {
        gm_normal4_f32(a.seed, index, a.stream, 0, &out[0], &out[1], &out[2], &out[3]);
        for (int i = 0; i < 4; ++i) {
            out[i] = gm_fma_f32(a.scale_f32, out[i], a.offset_f32);
        }
    }
};

struct normal_f64 {
    using type = double;
    static constexpr int per_block = 2;
    static __device__ void make(const gm_random_fill_args &a, uint64_t index, type *out) {
        gm_normal2_f64(a.seed, index, a.stream, 0, &out[0], &out[1]);
        out[0] = gm_fma_f64(a.scale, out[0], a.offset);
        out[1] = gm_fma_f64(a.scale, out[1], a.offset);
    }
};

struct bernoulli_u8 {
    using type = uint8_t;
    static constexpr int per_block = 4;
    static __device__ void make(const gm_random_fill_args &a, uint64_t index, type *out) {
        uint32_t w[4];
        words_u32::make(a, index, w);
        for (int i = 0; i < 4; ++i) {
            out[i] = (uint8_t)gm_bernoulli(w[i], a.bound);
        }
    }
};

/* The first try of all four lanes, then the retries of those refused. */
template <class T> struct integers {
    using type = T;
    static constexpr int per_block = 4;
    static __device__ void make(const gm_random_fill_args &a, uint64_t index, type *out) {
        const uint32_t refused = gm_bounded_refused(a.bound);
        uint32_t w[4];
        words_u32::make(a, index, w);
        for (int i = 0; i < 4; ++i) {
            int accept;
            uint32_t value = gm_bounded_try(w[i], a.bound, refused, &accept);
            if (!accept) {
                value = gm_bounded_u32(a.seed, index, a.stream, (uint64_t)i, a.bound);
            }
            out[i] = (type)(a.low + (int64_t)value);
        }
    }
};

/* cuRAND's counter: the block in words 0-1, the subsequence in words 2-3. */
struct curand_u32 {
    using type = uint32_t;
    static constexpr int per_block = 4;
    static __device__ void make(const gm_random_fill_args &a, uint64_t index, type *out) {
        const gm_words w = gm_philox4x32_10(
            (uint32_t)index, (uint32_t)(index >> 32), (uint32_t)a.subsequence,
            (uint32_t)(a.subsequence >> 32), (uint32_t)a.seed, (uint32_t)(a.seed >> 32));
        out[0] = w.w0;
        out[1] = w.w1;
        out[2] = w.w2;
        out[3] = w.w3;
    }
};

struct curand_f32 {
    using type = float;
    static constexpr int per_block = 4;
    static __device__ void make(const gm_random_fill_args &a, uint64_t index, type *out) {
        uint32_t w[4];
        curand_u32::make(a, index, w);
        for (int i = 0; i < 4; ++i) {
            out[i] = gm_curand_uniform_f32(w[i]);
        }
    }
};

struct curand_f64 {
    using type = double;
    static constexpr int per_block = 4;
    static __device__ void make(const gm_random_fill_args &a, uint64_t index, type *out) {
        uint32_t w[4];
        curand_u32::make(a, index, w);
        for (int i = 0; i < 4; ++i) {
            out[i] = gm_curand_uniform_f64(w[i]);
        }
    }
};

__device__ int64_t element_offset(const gm_random_fill_args &a, int64_t e) {
    int64_t offset = 0;
    for (int32_t axis = a.axes - 1; axis >= 0; --axis) {
        offset += e % a.shape[axis] * a.stride[axis];
        e /= a.shape[axis];
    }
    return offset;
}

/* All elements of a block next to each other: one store if they lie on a 16-byte boundary. */
template <class T, int N> __device__ void store_together(T *to, const T *elements) {
    if constexpr (sizeof(T) * N == 16) {
        if (((uintptr_t)to & 15u) == 0) {
            uint4 packed;
            static_assert(sizeof packed == sizeof(T) * N, "one vector store");
            memcpy(&packed, elements, sizeof packed);
            *(uint4 *)to = packed;
            return;
        }
    }
    for (int i = 0; i < N; ++i) {
        to[i] = elements[i];
    }
}

template <class Draw> __global__ void fill(const gm_random_fill_args args) {
    using T = typename Draw::type;
    constexpr int N = Draw::per_block;
    const uint64_t first = args.first, last = first + (uint64_t)args.elements - 1;
    const uint64_t block = first / N + (uint64_t)blockIdx.x * THREADS + threadIdx.x;
    if (block > last / N) {
        return;
    }
    T elements[N];
    Draw::make(args, block, elements);
    const uint64_t draw = block * N;
    T *const data = (T *)args.data;
    if (args.axes == 1 && args.stride[0] == 1 && draw >= first && last - draw >= N - 1) {
        store_together<T, N>(data + (draw - first), elements);
        return;
    }
    for (int i = 0; i < N; ++i) {
        if (draw + (uint64_t)i >= first && draw + (uint64_t)i <= last) {
            data[element_offset(args, (int64_t)(draw + (uint64_t)i - first))] = elements[i];
        }
    }
}

template <class Draw> gm_status launch_fill(gm_call *call, const gm_random_fill_args *args) {
    const uint64_t last = args->first + (uint64_t)args->elements - 1;
    const uint64_t blocks = last / Draw::per_block - args->first / Draw::per_block + 1;
    const uint64_t grid =
        (blocks + THREADS - 1) / THREADS; /* 2^31 - 1 of them are 10^12 elements */
    GM_LAUNCH((fill<Draw>), static_cast<unsigned>(grid), THREADS, 0, stream_of(call), *args);
    return check_cuda(call, cudaGetLastError(), call->kernel);
}

struct fill_entry {
    gm_random_kind kind;
    gm_dtype dtype;
    const char *name;
    gm_status (*launch)(gm_call *call, const gm_random_fill_args *args);
};

const fill_entry entries[] = {
    {GM_RANDOM_U32, GM_U32, "random_u32", launch_fill<words_u32>},
    {GM_RANDOM_UNIFORM, GM_F32, "random_uniform_f32", launch_fill<uniform_f32>},
    {GM_RANDOM_UNIFORM, GM_F64, "random_uniform_f64", launch_fill<uniform_f64>},
    {GM_RANDOM_NORMAL, GM_F32, "random_normal_f32", launch_fill<normal_f32>},
    {GM_RANDOM_NORMAL, GM_F64, "random_normal_f64", launch_fill<normal_f64>},
    {GM_RANDOM_EXPONENTIAL, GM_F32, "random_exponential_f32", launch_fill<exponential_f32>},
    {GM_RANDOM_EXPONENTIAL, GM_F64, "random_exponential_f64", launch_fill<exponential_f64>},
    {GM_RANDOM_BERNOULLI, GM_U8, "random_bernoulli_u8", launch_fill<bernoulli_u8>},
    {GM_RANDOM_BERNOULLI, GM_BOOL, "random_bernoulli_u8", launch_fill<bernoulli_u8>},
    {GM_RANDOM_INTEGERS, GM_I32, "random_integers_i32", launch_fill<integers<int32_t>>},
    {GM_RANDOM_INTEGERS, GM_U32, "random_integers_u32", launch_fill<integers<uint32_t>>},
    {GM_RANDOM_INTEGERS, GM_I64, "random_integers_i64", launch_fill<integers<int64_t>>},
    {GM_RANDOM_CURAND_U32, GM_U32, "random_curand_u32", launch_fill<curand_u32>},
    {GM_RANDOM_CURAND_UNIFORM, GM_F32, "random_curand_f32", launch_fill<curand_f32>},
    {GM_RANDOM_CURAND_UNIFORM, GM_F64, "random_curand_f64", launch_fill<curand_f64>},
};

} // namespace

gm_status random_fill(gm_call *call, const gm_random_fill_args *args) {
    for (const fill_entry &entry : entries) {
        if (entry.kind == args->kind && entry.dtype == args->dtype) {
            call->kernel = entry.name;
            return entry.launch(call, args);
        }
    }
    return gm_call_fail(call, GM_STATUS_INTERNAL, "random_fill: no kernel for kind %d of %s",
                        static_cast<int>(args->kind), gm_dtype_text(args->dtype));
}

} // namespace gm
