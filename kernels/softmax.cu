/*
 * gm_softmax, gm_log_softmax: y_i = exp((x_i - m) q) / sum_j exp((x_j - m) q) along rows, q = 1 /
 * t. The maximum and the sum are the state of a LOGSUMEXP, so its order and its bits are
 * gm_reduce's.
 *
 * Parallelised (table at the end):
 *   warp     n <= 4096: a warp takes a row, a block 8 of them.
 *   block    longer rows: the 8 warps of a block take chunks in turn; then all write.
 *   columns  rows side by side: a block takes 32, as reduce.cu's; threads write what they read.
 * Shared memory: block 1.5 KiB, columns 18 KiB (f32) or 36 KiB (f64), as in reduce.cu.
 *
 * Numerical choices: host/reduce_state.inc's. A row is read before any of it is written, and by the
 * threads that write it, so `in` may be `out`.
 *
 * Versions: (1) maximum, sum and values in three reads of a long row; (2) maximum and sum of each
 * chunk together and combined as online softmax does (Milakov and Gimelshein, 2018): two. Not yet
 * timed on a GPU.
 */
#include "kernels/module.cuh"
#include "kernels/reduce_chunk.cuh"

namespace gm {
namespace {

using namespace reduction;

/* What the elements of a row are turned into. */
template <class real> struct softmax_of_row {
    real maximum, q, last; /* last: 1 / sum, or its logarithm */
    bool logarithm;

    __device__ __forceinline__ real operator()(real x) const {
        return logarithm ? math<real>::log_softmax(x, maximum, q, last)
                         : math<real>::softmax(x, maximum, q, last);
    }
};

template <class real>
__device__ __forceinline__ softmax_of_row<real> softmax_of(const gm_reduce_args &args, real maximum,
                                                           real sum) {
    const bool logarithm = args.logarithm != 0;
    return {maximum, scale_of(args, real()),
            logarithm ? math<real>::log(sum) : math<real>::inverse(sum), logarithm};
}

/* Elements part, part + parts, ... of a row, in fours where both sides allow it. */
template <class T>
__device__ void write_row(const gm_reduce_args &args, const T *from, T *to,
                          const softmax_of_row<typename element<T>::real> &f, int part, int parts) {
    const int64_t n = args.inner.elements;
    int64_t done = 0;
    if (row_is_packed(args.inner, from) && args.inner.stride[1][0] == 1 && is_packed<T, 4>(to)) {
        done = n / 4 * 4;
        for (int64_t i = 4 * static_cast<int64_t>(part); i < done; i += 4 * parts) {
            pack<T, 4> x = *reinterpret_cast<const pack<T, 4> *>(from + i);
#pragma unroll
            for (int j = 0; j < 4; ++j) {
                store_real(&x.value[j], f(load_real(x.value[j])));
            }
            *reinterpret_cast<pack<T, 4> *>(to + i) = x;
        }
    }
    for (int64_t i = done + part; i < n; i += parts) {
        const T x = from[inner_offset(args.inner, 0, i)];
        store_real(to + inner_offset(args.inner, 1, i), f(load_real(x)));
    }
}

template <class T>
__global__ void __launch_bounds__(THREADS)
    softmax_warp(const GM_GRID_CONSTANT gm_reduce_args args) {
    using real = typename element<T>::real;
    const int64_t row = static_cast<int64_t>(blockIdx.x) * WARPS + gm_warp();
    if (row >= args.outer.elements) {
        return; /* the whole warp */
    }
    const int32_t n = static_cast<int32_t>(args.inner.elements);
    const T *from = static_cast<const T *>(args.in) + gm_layout_offset(&args.outer, 0, row);
    T *to = static_cast<T *>(args.out) + gm_layout_offset(&args.outer, 1, row);
    const warp_chunk<T> chunk = {from, &args.inner, 0, n, row_is_packed(args.inner, from)};
    const auto state = math<real>::chunk(GM_REDUCE_LOGSUMEXP, chunk, 0, n, scale_of(args, real()));
    __syncwarp(); /* in place a lane writes what another has read */
    write_row(args, from, to, softmax_of(args, state.a, state.b), static_cast<int>(gm_lane()), 32);
}

template <class real> struct block_shared {
    typename math<real>::state states[WARPS];
    typename math<real>::tree tree;
    typename math<real>::state row;
};

template <class T>
__global__ void __launch_bounds__(THREADS)
    softmax_block(const GM_GRID_CONSTANT gm_reduce_args args) {
    using real = typename element<T>::real;
    GM_SHARED(block_shared<real>, shared);
    const int64_t row = blockIdx.x, chunks = chunks_of(args.inner.elements);
    const T *from = static_cast<const T *>(args.in) + gm_layout_offset(&args.outer, 0, row);
    T *to = static_cast<T *>(args.out) + gm_layout_offset(&args.outer, 1, row);
    const bool packed = row_is_packed(args.inner, from);
    const real q = scale_of(args, real());
    if (threadIdx.x == 0) {
        shared.tree.count = 0;
    }
    for (int64_t c = 0; c < chunks; c += WARPS) {
        const int64_t own = c + gm_warp();
        if (own < chunks) {
            const int32_t n = chunk_length(args.inner.elements, own);
            const warp_chunk<T> chunk = {from, &args.inner, own * GM_CHUNK, n, packed};
            const auto state = math<real>::chunk(GM_REDUCE_LOGSUMEXP, chunk, 0, n, q);
            if (gm_lane() == 0) {
                shared.states[gm_warp()] = state;
            }
        }
        __syncthreads();
        if (threadIdx.x == 0) {
            for (int64_t i = c; i < chunks && i < c + WARPS; ++i) {
                math<real>::push(GM_REDUCE_LOGSUMEXP, &shared.tree, shared.states[i - c], q);
            }
            shared.row = math<real>::top(GM_REDUCE_LOGSUMEXP, &shared.tree, q);
        }
        __syncthreads();
    }
    write_row(args, from, to, softmax_of(args, shared.row.a, shared.row.b),
              static_cast<int>(threadIdx.x), THREADS);
}

template <class T>
__global__ void __launch_bounds__(THREADS)
    softmax_columns(const GM_GRID_CONSTANT gm_reduce_args args) {
    using real = typename element<T>::real;
    GM_SHARED(column_shared<real>, shared);
    const int64_t row = static_cast<int64_t>(blockIdx.x) * COLUMNS + gm_lane();
    const bool used = row < args.outer.elements;
    const int64_t read = used ? row : args.outer.elements - 1; /* lanes left over repeat the last */
    const T *from = static_cast<const T *>(args.in) + gm_layout_offset(&args.outer, 0, read);
    const real q = scale_of(args, real());
    typename math<real>::tree tree;
    tree.count = 0;
    for (int64_t c = 0; c < chunks_of(args.inner.elements); ++c) {
        const int32_t n = chunk_length(args.inner.elements, c);
        const column_chunk<T> chunk = {from, &args.inner, c * GM_CHUNK, n, &shared};
        math<real>::push(GM_REDUCE_LOGSUMEXP, &tree,
                         math<real>::chunk(GM_REDUCE_LOGSUMEXP, chunk, 0, n, q), q);
    }
    if (!used) {
        return; /* no barrier follows */
    }
    T *to = static_cast<T *>(args.out) + gm_layout_offset(&args.outer, 1, row);
    const auto state = math<real>::top(GM_REDUCE_LOGSUMEXP, &tree, q);
    const auto f = softmax_of(args, state.a, state.b);
    for (int64_t i = gm_warp(); i < args.inner.elements; i += WARPS) {
        const T x = from[inner_offset(args.inner, 0, i)];
        store_real(to + inner_offset(args.inner, 1, i), f(load_real(x)));
    }
}

template <class T> void run_warp(gm_call *call, const gm_reduce_args &args, unsigned grid) {
    GM_LAUNCH((softmax_warp<T>), grid, THREADS, 0, stream_of(call), args);
}

template <class T> void run_block(gm_call *call, const gm_reduce_args &args, unsigned grid) {
    using real = typename element<T>::real;
    GM_LAUNCH((softmax_block<T>), grid, THREADS, sizeof(block_shared<real>), stream_of(call), args);
}

template <class T> void run_columns(gm_call *call, const gm_reduce_args &args, unsigned grid) {
    using real = typename element<T>::real;
    GM_LAUNCH((softmax_columns<T>), grid, THREADS, sizeof(column_shared<real>), stream_of(call),
              args);
}

const way ways[] = {
    {"softmax_columns", side_by_side, COLUMNS, GM_EVERY_TYPE(run_columns)},
    {"softmax_warp", one_chunk, WARPS, GM_EVERY_TYPE(run_warp)},
    {"softmax_block", always, 1, GM_EVERY_TYPE(run_block)},
};

} // namespace

gm_status softmax(gm_call *call, const gm_reduce_args *args) {
    return run_first(ways, call, *args);
}

} // namespace gm
