/*
 * gm_reduce: out[row] = reduction of the row's n elements, in the order that reduce.h states:
 * chunks of 4096 with 128 accumulators, combined in pairs.
 *
 * Parallelised (entry by entry in the table at the end):
 *   warp     n <= 4096: a warp takes a row, its lanes four accumulators each; a block 8 rows.
 *   block    longer rows: the 8 warps of a block take chunks in turn, thread 0 combines them.
 *   groups   few long rows and a workspace: block (row, group) takes 2^k chunks and leaves a state
 *            in the workspace; a second kernel, a thread for each row, combines them.
 *   columns  rows side by side (reduction over leading axes): a block takes 32 rows, a lane has its
 *            row, a warp 16 of the accumulators; 32 elements next to each other in every load.
 *   column_groups  the same for few and long ones: 2^k chunks a block, combined as groups'.
 * Shared memory: block, groups: 8 states and a tree of 52, 1.5 KiB (f32 and f64). columns: the
 * accumulators of 32 rows, 18 KiB (f32) or 36 KiB (f64).
 *
 * Numerical choices: host/reduce_state.inc's. The order depends on n alone, so all kernels,
 * and cpu, give the same bits.
 *
 * Versions: (1) a thread for each row reads rows of one piece with a stride of a row between lanes;
 * (2) a warp for each row, loads of 16 bytes (f32; 8 for halves, 2 x 16 for f64) where aligned; (3)
 * eight shuffles for a fold in place of 28; (4) chunks of one long row over many blocks. A second
 * or third pass over a chunk (ARGMAX, LOGSUMEXP, NORM2, VARIANCE) finds it in the caches. Not yet
 * timed on a GPU.
 */
#include "kernels/module.cuh"
#include "kernels/reduce_chunk.cuh"

namespace gm {
namespace {

using namespace reduction;

/* Of one row: with 8 warps each more than a GPU runs at once. */
constexpr int64_t MOST_GROUPS = 1024;

template <class real> struct block_shared {
    typename math<real>::state states[WARPS];
    typename math<real>::tree tree;
};

template <class T>
__device__ void write_result(const gm_reduce_args &args, int64_t row,
                             typename math<typename element<T>::real>::state state) {
    using real = typename element<T>::real;
    const int64_t to = gm_layout_offset(&args.outer, 1, row);
    if (args.out_dtype == GM_I64) {
        static_cast<int64_t *>(args.out)[to] = state.n;
        return;
    }
    const real result =
        math<real>::finish(args.reduction, state, args.inner.elements, args.unbiased);
    if (args.out_dtype == args.dtype) {
        store_real(static_cast<T *>(args.out) + to, result);
    } else {
        store_real(static_cast<real *>(args.out) + to, result);
    }
}

template <class T>
__global__ void __launch_bounds__(THREADS) reduce_warp(const GM_GRID_CONSTANT gm_reduce_args args) {
    using real = typename element<T>::real;
    const int64_t row = static_cast<int64_t>(blockIdx.x) * WARPS + gm_warp();
    if (row >= args.outer.elements) {
        return; /* the whole warp */
    }
    const int32_t n = static_cast<int32_t>(args.inner.elements);
    const T *from = static_cast<const T *>(args.in) + gm_layout_offset(&args.outer, 0, row);
    const warp_chunk<T> chunk = {from, &args.inner, 0, n, row_is_packed(args.inner, from)};
    typename math<real>::tree tree; /* of one chunk, or of none */
    tree.count = 0;
    const real q = scale_of(args, real());
    typename math<real>::state state = math<real>::top(args.reduction, &tree, q);
    if (n > 0) {
        state = math<real>::chunk(args.reduction, chunk, 0, n, q);
    }
    if (gm_lane() == 0) {
        write_result<T>(args, row, state);
    }
}

/* Block (row, group): chunks group * per_group and on. states NULL: the only group of its row. */
template <class T>
__global__ void __launch_bounds__(THREADS)
    reduce_block(const GM_GRID_CONSTANT gm_reduce_args args, int64_t per_group,
                 typename math<typename element<T>::real>::state *states) {
    using real = typename element<T>::real;
    GM_SHARED(block_shared<real>, shared);
    const int64_t row = blockIdx.x, chunks = chunks_of(args.inner.elements);
    const int64_t first = blockIdx.y * per_group;
    const int64_t end = first + per_group < chunks ? first + per_group : chunks;
    const T *from = static_cast<const T *>(args.in) + gm_layout_offset(&args.outer, 0, row);
    const bool packed = row_is_packed(args.inner, from);
    const real q = scale_of(args, real());
    if (threadIdx.x == 0) {
        shared.tree.count = 0;
    }
    for (int64_t c = first; c < end; c += WARPS) {
        const int64_t own = c + gm_warp();
        if (own < end) {
            const int32_t n = chunk_length(args.inner.elements, own);
            const warp_chunk<T> chunk = {from, &args.inner, own * GM_CHUNK, n, packed};
            const auto state = math<real>::chunk(args.reduction, chunk, own * GM_CHUNK, n, q);
            if (gm_lane() == 0) {
                shared.states[gm_warp()] = state;
            }
        }
        __syncthreads();
        if (threadIdx.x == 0) {
            for (int64_t i = c; i < end && i < c + WARPS; ++i) {
                math<real>::push(args.reduction, &shared.tree, shared.states[i - c], q);
            }
        }
        __syncthreads();
    }
    if (threadIdx.x == 0) {
        const auto state = math<real>::top(args.reduction, &shared.tree, q);
        if (states != nullptr) {
            states[row * gridDim.y + blockIdx.y] = state;
        } else {
            write_result<T>(args, row, state);
        }
    }
}

template <class T>
__global__ void __launch_bounds__(THREADS)
    reduce_groups(const GM_GRID_CONSTANT gm_reduce_args args, int32_t groups,
                  const typename math<typename element<T>::real>::state *states) {
    using real = typename element<T>::real;
    const int64_t row = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x;
    if (row >= args.outer.elements) {
        return;
    }
    const real q = scale_of(args, real());
    typename math<real>::tree tree;
    tree.count = 0;
    for (int32_t group = 0; group < groups; ++group) {
        math<real>::push(args.reduction, &tree, states[row * groups + group], q);
    }
    write_result<T>(args, row, math<real>::top(args.reduction, &tree, q));
}

/* As reduce_block, of 32 rows. */
template <class T>
__global__ void __launch_bounds__(THREADS)
    reduce_columns(const GM_GRID_CONSTANT gm_reduce_args args, int64_t per_group,
                   typename math<typename element<T>::real>::state *states) {
    using real = typename element<T>::real;
    GM_SHARED(column_shared<real>, shared);
    const int64_t row = static_cast<int64_t>(blockIdx.x) * COLUMNS + gm_lane();
    const bool used = row < args.outer.elements;
    const int64_t read = used ? row : args.outer.elements - 1; /* lanes left over repeat the last */
    const int64_t chunks = chunks_of(args.inner.elements), first = blockIdx.y * per_group;
    const int64_t end = first + per_group < chunks ? first + per_group : chunks;
    const T *from = static_cast<const T *>(args.in) + gm_layout_offset(&args.outer, 0, read);
    const real q = scale_of(args, real());
    typename math<real>::tree tree;
    tree.count = 0;
    for (int64_t c = first; c < end; ++c) {
        const int32_t n = chunk_length(args.inner.elements, c);
        const column_chunk<T> chunk = {from, &args.inner, c * GM_CHUNK, n, &shared};
        const auto state = math<real>::chunk(args.reduction, chunk, c * GM_CHUNK, n, q);
        if (gm_warp() == 0) {
            math<real>::push(args.reduction, &tree, state, q);
        }
    }
    if (used && gm_warp() == 0) {
        const auto state = math<real>::top(args.reduction, &tree, q);
        if (states != nullptr) {
            states[row * gridDim.y + blockIdx.y] = state;
        } else {
            write_result<T>(args, row, state);
        }
    }
}

/* Chunks of a group: a power of two, so that a group is a branch of the tree. A block of rows takes
 * a chunk at a time with all its warps, else every warp has its own. */
int64_t group_of(const gm_reduce_args &args) {
    int64_t group = side_by_side(args) ? 1 : WARPS;
    while ((chunks_of(args.inner.elements) + group - 1) / group > MOST_GROUPS) {
        group *= 2;
    }
    return group;
}

int32_t groups_of(const gm_reduce_args &args) {
    const int64_t group = group_of(args);
    return static_cast<int32_t>((chunks_of(args.inner.elements) + group - 1) / group);
}

template <class T> using state_of = typename math<typename element<T>::real>::state;

template <class T> void run_warp(gm_call *call, const gm_reduce_args &args, unsigned grid) {
    GM_LAUNCH((reduce_warp<T>), grid, THREADS, 0, stream_of(call), args);
}

/* Over the blocks of a grid, in one group or, with a workspace, in as many as it holds. */
template <class T>
void run_blocks(gm_call *call, const gm_reduce_args &args, dim3 grid, state_of<T> *states) {
    using real = typename element<T>::real;
    const int64_t per_group = states != nullptr ? group_of(args) : chunks_of(args.inner.elements);
    if (side_by_side(args)) {
        GM_LAUNCH((reduce_columns<T>), grid, THREADS, sizeof(column_shared<real>), stream_of(call),
                  args, per_group, states);
    } else {
        GM_LAUNCH((reduce_block<T>), grid, THREADS, sizeof(block_shared<real>), stream_of(call),
                  args, per_group, states);
    }
}

template <class T> void run_alone(gm_call *call, const gm_reduce_args &args, unsigned grid) {
    run_blocks<T>(call, args, grid, nullptr);
}

template <class T> void run_groups(gm_call *call, const gm_reduce_args &args, unsigned grid) {
    const int32_t groups = groups_of(args);
    state_of<T> *const states = static_cast<state_of<T> *>(args.workspace);
    run_blocks<T>(call, args, dim3(grid, static_cast<unsigned>(groups)), states);
    const unsigned rows = static_cast<unsigned>((args.outer.elements + THREADS - 1) / THREADS);
    GM_LAUNCH((reduce_groups<T>), rows, THREADS, 0, stream_of(call), args, groups,
              static_cast<const state_of<T> *>(states));
}

bool columns_in_groups(const gm_reduce_args &args) {
    return side_by_side(args) && args.workspace != nullptr;
}

bool in_groups(const gm_reduce_args &args) {
    return args.workspace != nullptr;
}

const way ways[] = {
    {"reduce_column_groups", columns_in_groups, COLUMNS, GM_EVERY_TYPE(run_groups)},
    {"reduce_columns", side_by_side, COLUMNS, GM_EVERY_TYPE(run_alone)},
    {"reduce_warp", one_chunk, WARPS, GM_EVERY_TYPE(run_warp)},
    {"reduce_groups", in_groups, 1, GM_EVERY_TYPE(run_groups)},
    {"reduce_block", always, 1, GM_EVERY_TYPE(run_alone)},
};

} // namespace

gm_status reduce(gm_call *call, const gm_reduce_args *args) {
    return run_first(ways, call, *args);
}

/* Blocks enough to fill a GPU by themselves need none. */
size_t reduce_workspace(const gm_reduce_args *args) {
    constexpr int64_t MANY_BLOCKS = 512;
    const bool columns = side_by_side(*args);
    const int64_t blocks = args->outer.elements / (columns ? COLUMNS : 1);
    const int32_t groups = groups_of(*args);
    if (groups < 2 || blocks > MANY_BLOCKS || (one_chunk(*args) && !columns)) {
        return 0;
    }
    const size_t state =
        args->dtype == GM_F64 ? sizeof(math<double>::state) : sizeof(math<float>::state);
    return static_cast<size_t>(args->outer.elements * groups) * state;
}

} // namespace gm
