/*
 * What the kernels of linear algebra share: a problem's matrices as views, the threads that work on
 * it as a group, its scratch, how its outcome is stored, and the launch of a batch.
 *
 * An operation is an item, a struct with
 *     sizes(args)               the dims of a problem in a block
 *     scratch<T>(arena, dims)   what one problem takes, said by taking it
 *     run(group, args, problem, scratch, dims)   one problem by the threads of a group -> outcome
 * written once and launched in two ways:
 *     lanes N   4, 8, 16 or 32 lanes of a warp take a problem of at most N rows and columns, with
 * its scratch in shared memory; a block takes as many as give it 128 threads, fewer where their
 * scratch is beyond 48 KiB. block     256 threads take a problem of any size, with its scratch in
 * the workspace. Blocks take problems in turn, so that the workspace does not grow with the batch.
 * A group's threads meet in group.sync(); its reductions have a fixed order, and groups differ in
 * nothing that a result depends on but the order in which a sum is taken: the bits of a problem
 * depend on the row of the table that its size chooses, not on the batch or the grid.
 */
#pragma once

#include <type_traits>

#include "host/backend.h"
#include "host/linalg_args.h"
#include "kernels/complex.cuh"
#include "kernels/launch.cuh"
#include "kernels/warp.cuh"

namespace gm {
namespace linalg {

typedef complex<float> c64;
typedef complex<double> c128;

/* ---- matrices -------------------------------------------------------------------------------- */

/* A problem's matrix as the caller strides it. data is NULL where it is not wanted. */
template <class T> struct view {
    T *data;
    int64_t row_stride, column_stride;
    int rows, columns;

    __device__ __forceinline__ T &operator()(int i, int j) const {
        return data[i * row_stride + j * column_stride];
    }
};

template <class T>
__host__ __device__ view<T> view_of(const gm_linalg_args &args, const gm_linalg_matrix &m,
                                    int64_t problem, int64_t layer0 = 0, int64_t layer1 = 0) {
    T *data = static_cast<T *>(m.data);
    if (data != nullptr) {
        data += gm_linalg_offset(&args, &m, problem) + layer0 * m.extra_stride[0] +
                layer1 * m.extra_stride[1];
    }
    return {data, m.row_stride, m.column_stride, static_cast<int>(m.rows),
            static_cast<int>(m.columns)};
}

/* A matrix in scratch: column-major, `ld` from column to column. */
template <class T> struct tile {
    T *data;
    int ld;

    __device__ __forceinline__ T &operator()(int i, int j) const {
        return data[i + j * ld];
    }
};

/* ---- scratch --------------------------------------------------------------------------------- */

/* The sizes that scratch is laid out for: a m x n, k columns at a time of b. */
struct dims {
    int m, n, k;
    int pad; /* of a tile's columns: 1 in shared memory, against bank conflicts */
};

/* Hands out scratch. Without memory it only counts. */
struct arena {
    char *base;
    size_t used;

    template <class V> __host__ __device__ constexpr V *take(int64_t count) {
        V *piece = base != nullptr ? reinterpret_cast<V *>(base + used) : nullptr;
        used += (static_cast<size_t>(count) * sizeof(V) + 15) / 16 * 16;
        return piece;
    }
    template <class T>
    __host__ __device__ constexpr tile<T> take_tile(const dims &d, int rows, int columns) {
        const int ld = rows + d.pad;
        return {take<T>(static_cast<int64_t>(ld) * columns), ld};
    }
};

template <class Item, class T> constexpr size_t scratch_bytes(const dims &d) {
    arena counting = {nullptr, 0};
    const typename Item::template scratch<T> taken(counting, d);
    (void)taken;
    return (counting.used + 63) / 64 * 64;
}

/* ---- groups ---------------------------------------------------------------------------------- */

template <class R> __device__ __forceinline__ R exchange(unsigned mask, R value, int offset) {
    return __shfl_xor_sync(mask, value, offset);
}
template <class R>
__device__ __forceinline__ complex<R> exchange(unsigned mask, complex<R> value, int offset) {
    return {__shfl_xor_sync(mask, value.x, offset), __shfl_xor_sync(mask, value.y, offset)};
}

/* A row and the size of its entry: what a pivot is chosen by. */
template <class R> struct candidate {
    R size; /* not NaN: all threads must agree on the largest */
    int row;
};
template <class R>
__device__ __forceinline__ candidate<R> exchange(unsigned mask, candidate<R> c, int offset) {
    return {__shfl_xor_sync(mask, c.size, offset), __shfl_xor_sync(mask, c.row, offset)};
}

struct take_sum {
    template <class V> __device__ __forceinline__ V operator()(V a, V b) const {
        return a + b;
    }
};
struct take_largest {
    template <class V> __device__ __forceinline__ V operator()(V a, V b) const {
        return a > b ? a : b;
    }
    /* the first of the largest */
    template <class R>
    __device__ __forceinline__ candidate<R> operator()(candidate<R> a, candidate<R> b) const {
        return b.size > a.size || (b.size == a.size && b.row < a.row) ? b : a;
    }
};

/* f combines two values and commutes, so that all lanes get the same. */
template <int lanes, class V, class F>
__device__ __forceinline__ V reduce_lanes(unsigned mask, V value, F f) {
#pragma unroll
    for (int offset = lanes / 2; offset > 0; offset /= 2) {
        value = f(value, exchange(mask, value, offset));
    }
    return value;
}

/*
 * The threads of a problem: `rank` of `size`. A team is the part of them that takes a column:
 * `member` of `members` of team `team` of `teams`.
 *
 * lane_group: an aligned part of a warp; a team is one lane.
 */
template <int lanes> struct lane_group {
    static constexpr int size = lanes, teams = lanes, members = 1, member = 0;
    int rank, team;
    unsigned mask;

    __device__ lane_group() {
        rank = team = static_cast<int>(gm_lane()) % lanes;
        mask =
            lanes == 32 ? GM_FULL_MASK : ((1u << lanes % 32) - 1u) << (gm_lane() / lanes * lanes);
    }
    __device__ __forceinline__ void sync() const {
        __syncwarp(mask);
    }
    __device__ __forceinline__ void team_sync() const {
    }
    template <class V, class F> __device__ __forceinline__ V reduce(V value, F f) const {
        value = reduce_lanes<lanes>(mask, value, f);
        __syncwarp(mask); /* a shuffle does not order memory */
        return value;
    }
    template <class V> __device__ __forceinline__ V team_sum(V value) const {
        return value;
    }
    __device__ __forceinline__ bool all(bool value) const {
        const bool result = __all_sync(mask, value) != 0;
        __syncwarp(mask);
        return result;
    }
};

constexpr int BLOCK_THREADS = 256;

/* What a block's reductions need of shared memory. */
struct block_shared {
    alignas(16) unsigned char warp[BLOCK_THREADS / 32][16];
};

/* A whole block; a team is a warp. */
struct block_group {
    static constexpr int size = BLOCK_THREADS, teams = BLOCK_THREADS / 32, members = 32;
    int rank, team, member;
    block_shared *shared;

    explicit __device__ block_group(block_shared *memory) {
        rank = static_cast<int>(threadIdx.x);
        team = rank / 32;
        member = rank % 32;
        shared = memory;
    }
    __device__ __forceinline__ void sync() const {
        __syncthreads();
    }
    __device__ __forceinline__ void team_sync() const {
        __syncwarp();
    }
    template <class V, class F> __device__ V reduce(V value, F f) const {
        static_assert(sizeof(V) <= sizeof shared->warp[0], "block_shared");
        value = reduce_lanes<32>(GM_FULL_MASK, value, f);
        if (member == 0) {
            *reinterpret_cast<V *>(shared->warp[team]) = value;
        }
        __syncthreads();
        value = *reinterpret_cast<const V *>(shared->warp[0]);
        for (int warp = 1; warp < teams; ++warp) {
            value = f(value, *reinterpret_cast<const V *>(shared->warp[warp]));
        }
        __syncthreads();
        return value;
    }
    template <class V> __device__ __forceinline__ V team_sum(V value) const {
        return reduce_lanes<32>(GM_FULL_MASK, value, take_sum());
    }
    __device__ __forceinline__ bool all(bool value) const {
        return __syncthreads_and(value) != 0;
    }
};

/* ---- outcomes -------------------------------------------------------------------------------- */

/* How a problem went; R is the real type. */
template <class R> struct outcome {
    gm_status status;
    bool outputs_hold; /* though the status is not OK */
    R rcond, residual;
    int32_t rank;
};

template <class R> __device__ __forceinline__ outcome<R> failed(gm_status status) {
    return {status, false, status == GM_STATUS_SINGULAR ? R(0) : R(NAN), R(NAN), -1};
}

/* NaN, or -1 in integers, in all layers of an output. */
template <class Group>
__device__ void fill_failed(const Group &g, const gm_linalg_args &args, const gm_linalg_matrix &m,
                            int64_t problem) {
    if (m.data == nullptr) {
        return;
    }
    const int64_t first = gm_linalg_offset(&args, &m, problem);
    const int64_t entries = m.rows * m.columns, count = m.extra[0] * m.extra[1] * entries;
    const bool wide = m.dtype == GM_F64 || m.dtype == GM_C128;
    const int parts = m.dtype == GM_C64 || m.dtype == GM_C128 ? 2 : 1;
    for (int64_t e = g.rank; e < count; e += g.size) {
        const int64_t layer = e / entries, i = e % entries / m.columns, j = e % m.columns;
        const int64_t at = first + layer / m.extra[1] * m.extra_stride[0] +
                           layer % m.extra[1] * m.extra_stride[1] + i * m.row_stride +
                           j * m.column_stride;
        for (int part = 0; part < parts; ++part) {
            if (m.dtype == GM_I32) {
                static_cast<int32_t *>(m.data)[at] = -1;
            } else if (wide) { /* all ones is a NaN: no double arithmetic in a float kernel */
                static_cast<int64_t *>(m.data)[parts * at + part] = INT64_C(0x7ff8000000000000);
            } else {
                static_cast<float *>(m.data)[parts * at + part] = NAN;
            }
        }
    }
}

template <class V>
__device__ void store_number(const gm_linalg_args &args, const gm_linalg_matrix &m, int64_t problem,
                             V value) {
    if (m.data != nullptr) {
        static_cast<V *>(m.data)[gm_linalg_offset(&args, &m, problem)] = value;
    }
}

/* Stores the report of a problem and, where its outputs do not hold, NaN and -1 in all of them.
 * Every store to the outputs must have been made by the same group. */
template <class R, class Group>
__device__ void finish(const Group &g, const gm_linalg_args &args, int64_t problem,
                       const outcome<R> &o) {
    if (o.status != GM_STATUS_OK && !o.outputs_hold) {
        g.sync(); /* another thread may have stored what is overwritten here */
        for (int i = 0; i < GM_LINALG_OUTPUTS; ++i) {
            fill_failed(g, args, args.out[i], problem);
        }
    }
    if (g.rank == 0) {
        store_number(args, args.status, problem, static_cast<int32_t>(o.status));
        store_number(args, args.rcond, problem, o.rcond);
        store_number(args, args.residual, problem, o.residual);
        store_number(args, args.rank, problem, o.rank);
    }
    g.sync(); /* the next problem's scratch is this one's */
}

/* ---- launches ----------------------------------------------------------------------------------
 * Kernels are bound to one block a multiprocessor at least: registers are not what limits the
 * blocks, scratch is, and without that bound the compiler spills to make room for more. */

constexpr size_t SHARED_LIMIT = 48 * 1024; /* what every device gives without being asked */
constexpr size_t SHARED_MOST = 64 * 1024;  /* what each of sm_80 on gives on request */

__host__ __device__ constexpr dims small_dims(int n) {
    return {n, n, n, 1};
}

/* Threads of a block whose problems of `bytes` each take `lanes`: 128, or 64 or 32. */
constexpr int small_threads(size_t bytes, int lanes) {
    int threads = 128;
    while (threads > 32 && static_cast<size_t>(threads / lanes) * bytes > SHARED_LIMIT) {
        threads /= 2;
    }
    return threads;
}

template <class T, class Item, int N> struct small_shape {
    static constexpr size_t bytes = scratch_bytes<Item, T>(small_dims(N));
    static constexpr int threads = small_threads(bytes, N), problems = threads / N;
    struct shared {
        alignas(16) char scratch[problems][bytes];
    };
    static_assert(sizeof(shared) <= SHARED_MOST, "a problem's scratch fits");
};

template <class T, class Item, int N>
__global__ void __launch_bounds__(small_shape<T, Item, N>::threads, 1)
    linalg_lanes(const GM_GRID_CONSTANT gm_linalg_args args) {
    using shape = small_shape<T, Item, N>;
    using shared_memory = typename shape::shared;
    GM_SHARED(shared_memory, shared);
    const lane_group<N> g;
    const int own = static_cast<int>(threadIdx.x) / N;
    const dims d = small_dims(N);
    arena memory = {shared.scratch[own], 0};
    const typename Item::template scratch<T> scratch(memory, d);
    const int64_t stride = static_cast<int64_t>(gridDim.x) * shape::problems;
    for (int64_t problem = static_cast<int64_t>(blockIdx.x) * shape::problems + own;
         problem < args.problems; problem += stride) {
        finish(g, args, problem, Item::template run<T>(g, args, problem, scratch, d));
    }
}

template <class T, class Item>
__global__ void __launch_bounds__(BLOCK_THREADS, 1)
    linalg_block(const GM_GRID_CONSTANT gm_linalg_args args, const dims d, size_t bytes) {
    GM_SHARED(block_shared, shared);
    const block_group g(&shared);
    arena memory = {static_cast<char *>(args.workspace) + blockIdx.x * bytes, 0};
    const typename Item::template scratch<T> scratch(memory, d);
    for (int64_t problem = blockIdx.x; problem < args.problems; problem += gridDim.x) {
        finish(g, args, problem, Item::template run<T>(g, args, problem, scratch, d));
    }
}

/* The sizes of a, and k columns, for Item::sizes. */
inline dims sizes_of(const gm_linalg_args &args, int64_t k) {
    return {static_cast<int>(args.in[0].rows), static_cast<int>(args.in[0].columns),
            static_cast<int>(k), 0};
}

/* Problems in flight at most, with `bytes` of the workspace each: what fills the device, in 256 MiB
 * where a problem does not take more. */
inline int64_t slots_of(gm_call *call, size_t bytes) {
    int processors = 1;
    (void)cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, call->device);
    const int64_t most = static_cast<int64_t>((size_t{256} << 20) / bytes);
    const int64_t wanted = 4 * static_cast<int64_t>(processors);
    return most < 1 ? 1 : most < wanted ? most : wanted;
}

template <class T, class Item, int N>
gm_status run_lanes(gm_call *call, const gm_linalg_args &args) {
    using shape = small_shape<T, Item, N>;
    const int64_t blocks = (args.problems + shape::problems - 1) / shape::problems;
    const unsigned grid = static_cast<unsigned>(blocks < 0x100000 ? blocks : 0x100000);
    if (sizeof(typename shape::shared) > SHARED_LIMIT) {
        const gm_status status = check_cuda(
            call,
            cudaFuncSetAttribute(linalg_lanes<T, Item, N>,
                                 cudaFuncAttributeMaxDynamicSharedMemorySize,
                                 static_cast<int>(sizeof(typename shape::shared))),
            call->kernel);
        if (status != GM_STATUS_OK) {
            return status;
        }
    }
    GM_LAUNCH((linalg_lanes<T, Item, N>), grid, static_cast<unsigned>(shape::threads),
              sizeof(typename shape::shared), stream_of(call), args);
    return check_cuda(call, cudaGetLastError(), call->kernel);
}

template <class T, class Item> size_t block_workspace(gm_call *call, const gm_linalg_args &args) {
    const size_t bytes = scratch_bytes<Item, T>(Item::sizes(args));
    return bytes > 0 ? bytes * static_cast<size_t>(slots_of(call, bytes)) : 1;
}

template <class T, class Item> gm_status run_block(gm_call *call, const gm_linalg_args &args) {
    const dims d = Item::sizes(args);
    const size_t bytes = scratch_bytes<Item, T>(d);
    const int64_t slots = bytes > 0 ? slots_of(call, bytes) : 1;
    const unsigned grid = static_cast<unsigned>(args.problems < slots ? args.problems : slots);
    GM_LAUNCH((linalg_block<T, Item>), grid, static_cast<unsigned>(BLOCK_THREADS),
              sizeof(block_shared), stream_of(call), args, d, bytes);
    return check_cuda(call, cudaGetLastError(), call->kernel);
}

/* ---- which kernel for which size ------------------------------------------------------------- */

/* Of each operation a static const table of rows; the first that fits runs. The functions are those
 * of f64, f32, c128, c64. */
struct row {
    const char *name;
    bool (*fits)(gm_call *call, const gm_linalg_args &args);
    size_t (*workspace[4])(gm_call *call, const gm_linalg_args &args);
    gm_status (*run[4])(gm_call *call, const gm_linalg_args &args);
};

inline bool any_size(gm_call *, const gm_linalg_args &) {
    return true;
}
template <int N> bool at_most(gm_call *, const gm_linalg_args &args) {
    return args.in[0].rows <= N && args.in[0].columns <= N;
}
inline size_t no_workspace(gm_call *, const gm_linalg_args &) {
    return 1;
}

template <class Item, int N> constexpr row lanes_row(const char *name) {
    return {name,
            at_most<N>,
            {no_workspace, no_workspace, no_workspace, no_workspace},
            {run_lanes<double, Item, N>, run_lanes<float, Item, N>, run_lanes<c128, Item, N>,
             run_lanes<c64, Item, N>}};
}
template <class Item> constexpr row block_row(const char *name) {
    return {name,
            any_size,
            {block_workspace<double, Item>, block_workspace<float, Item>,
             block_workspace<c128, Item>, block_workspace<c64, Item>},
            {run_block<double, Item>, run_block<float, Item>, run_block<c128, Item>,
             run_block<c64, Item>}};
}

inline int type_index(gm_dtype dtype) {
    return dtype == GM_F64 ? 0 : dtype == GM_F32 ? 1 : dtype == GM_C128 ? 2 : 3;
}

inline const row &choose(const row *rows, gm_call *call, const gm_linalg_args &args) {
    while (!rows->fits(call, args)) {
        ++rows;
    }
    return *rows;
}

inline size_t workspace_of(const row *rows, gm_call *call, const gm_linalg_args &args) {
    return choose(rows, call, args).workspace[type_index(args.dtype)](call, args);
}

inline gm_status run_row(const row *rows, gm_call *call, const gm_linalg_args &args) {
    const row &chosen = choose(rows, call, args);
    call->kernel = chosen.name;
    return chosen.run[type_index(args.dtype)](call, args);
}

} // namespace linalg
} // namespace gm

/* Defines the two functions that linalg_table.cuh declares for an operation, from its table. */
#define GM_LINALG_DEFINE(name, rows)                                                               \
    size_t linalg_##name##_workspace(gm_call *call, const gm_linalg_args *args) {                  \
        return linalg::workspace_of(rows, call, *args);                                            \
    }                                                                                              \
    gm_status linalg_##name(gm_call *call, const gm_linalg_args *args) {                           \
        return linalg::run_row(rows, call, *args);                                                 \
    }
