/*
 * gm_map, gm_combine: out = alpha f(in) + beta out, out = alpha (a op b) + beta out, element by
 * element.
 *
 * Parallelised (entry by entry in the table at the end):
 *   packed     everything in one piece and aligned: a thread takes 16 bytes of each operand.
 *   transpose  a copy whose operand lies along another axis than out: a block of 32 x 8 threads
 *              takes a tile of 32 x 32 through shared memory, so that reads and writes are both of
 *              elements next to each other.
 *   strided    anything else: a thread takes an element.
 *   cast       between dtypes: a thread takes an element.
 * Shared memory: transpose, 32 x 33 elements: the odd row puts a column in 32 banks.
 *
 * Numerical choices: host/elementwise_op.h's, the bits are cpu's. The kernel of a cast between any
 * two dtypes computes in double; those between f32 and the halves do not.
 *
 * Versions: (1) strided for all; (2) packed, one kernel for each operation, so that none pays for
 * the registers of another; (3) transpose. Not yet timed on a GPU.
 */
#include "host/cast.h"
#include "host/elementwise_op.h"
#include "kernels/elements.cuh"
#include "kernels/module.cuh"
#include "kernels/warp.cuh"

namespace gm {
namespace {

constexpr int THREADS = 256;
constexpr int TILE = 32;
constexpr int TILE_ROWS = 8; /* threads of a tile: each four elements */

__device__ __forceinline__ float map_one(int operation, float x) {
    return gm_map_f32(operation, x);
}
__device__ __forceinline__ double map_one(int operation, double x) {
    return gm_map_f64(operation, x);
}
__device__ __forceinline__ float combine_one(int operation, float a, float b) {
    return gm_combine_f32(operation, a, b);
}
__device__ __forceinline__ double combine_one(int operation, double a, double b) {
    return gm_combine_f64(operation, a, b);
}
__device__ __forceinline__ float scaled(const gm_elementwise_args &args, float y, float old) {
    return gm_scaled_f32(y, args.alpha_f32, args.beta_f32, old);
}
__device__ __forceinline__ double scaled(const gm_elementwise_args &args, double y, double old) {
    return gm_scaled_f64(y, args.alpha, args.beta, old);
}

template <int OPERANDS, class real>
__device__ __forceinline__ real compute(int operation, real a, real b) {
    return OPERANDS == 1 ? map_one(operation, a) : combine_one(operation, a, b);
}

template <class T, int OPERANDS, int OPERATION>
__global__ void __launch_bounds__(THREADS)
    elementwise_packed(const GM_GRID_CONSTANT gm_elementwise_args args) {
    using real = typename element<T>::real;
    constexpr int N = 16 / sizeof(T);
    const int64_t first = (static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x) * N;
    const T *a = static_cast<const T *>(args.in[0]), *b = static_cast<const T *>(args.in[1]);
    T *out = static_cast<T *>(args.out);
    const int64_t left = args.layout.elements - first;
    pack<T, N> x = {}, y = {}, z = {};
    if (left >= N) {
        x = *reinterpret_cast<const pack<T, N> *>(a + first);
        if (OPERANDS == 2) {
            y = *reinterpret_cast<const pack<T, N> *>(b + first);
        }
        if (args.reads_out) {
            z = *reinterpret_cast<const pack<T, N> *>(out + first);
        }
    } else {
#pragma unroll
        for (int j = 0; j < N; ++j) {
            if (j < left) {
                x.value[j] = a[first + j];
                if (OPERANDS == 2) {
                    y.value[j] = b[first + j];
                }
                if (args.reads_out) {
                    z.value[j] = out[first + j];
                }
            }
        }
    }
    if (OPERANDS == 2 || OPERATION != GM_MAP_COPY || args.scaled) { /* else the bits */
#pragma unroll
        for (int j = 0; j < N; ++j) {
            real r = compute<OPERANDS>(OPERATION, load_real(x.value[j]), load_real(y.value[j]));
            r = args.scaled ? scaled(args, r, load_real(z.value[j])) : r;
            store_real(&x.value[j], r);
        }
    }
    if (left >= N) {
        *reinterpret_cast<pack<T, N> *>(out + first) = x;
    } else {
#pragma unroll
        for (int j = 0; j < N; ++j) {
            if (j < left) {
                out[first + j] = x.value[j];
            }
        }
    }
}

template <class T, int OPERANDS>
__global__ void __launch_bounds__(THREADS)
    elementwise_strided(const GM_GRID_CONSTANT gm_elementwise_args args) {
    using real = typename element<T>::real;
    const int64_t e = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x;
    if (e >= args.layout.elements) {
        return;
    }
    T *const to = static_cast<T *>(args.out) + gm_layout_offset(&args.layout, 0, e);
    const T *a = static_cast<const T *>(args.in[0]) + gm_layout_offset(&args.layout, 1, e);
    real y = 0;
    if (OPERANDS == 2) {
        y = load_real(static_cast<const T *>(args.in[1])[gm_layout_offset(&args.layout, 2, e)]);
    }
    const real r = compute<OPERANDS>(args.operation, load_real(*a), y);
    store_real(to, args.scaled ? scaled(args, r, args.reads_out ? load_real(*to) : real(0)) : r);
}

/* The bits of one element. */
template <class Bits>
__global__ void __launch_bounds__(THREADS)
    copy_strided(const GM_GRID_CONSTANT gm_elementwise_args args) {
    const int64_t e = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x;
    if (e < args.layout.elements) {
        static_cast<Bits *>(args.out)[gm_layout_offset(&args.layout, 0, e)] =
            static_cast<const Bits *>(args.in[0])[gm_layout_offset(&args.layout, 1, e)];
    }
}

template <class Bits> struct tile_shared { Bits element[TILE][TILE + 1]; };

/*
 * The innermost axis of out has n elements; along `across`, of m elements, the operand lies
 * together. A block takes 32 of each, at one place of the other axes.
 */
template <class Bits>
__global__ void __launch_bounds__(TILE *TILE_ROWS)
    copy_transpose(const GM_GRID_CONSTANT gm_elementwise_args args,
                   const GM_GRID_CONSTANT gm_layout others, int32_t across) {
    GM_SHARED(tile_shared<Bits>, shared);
    const gm_layout &l = args.layout;
    const int32_t last = l.axes - 1;
    const int64_t n = l.shape[last], m = l.shape[across];
    const int64_t columns = (n + TILE - 1) / TILE, rows = (m + TILE - 1) / TILE;
    const int64_t tile = blockIdx.x, place = tile / (columns * rows);
    const int64_t i0 = tile % columns * TILE, j0 = tile / columns % rows * TILE;
    const Bits *from = static_cast<const Bits *>(args.in[0]) + gm_layout_offset(&others, 1, place);
    Bits *to = static_cast<Bits *>(args.out) + gm_layout_offset(&others, 0, place);
    const int x = static_cast<int>(threadIdx.x), y = static_cast<int>(threadIdx.y);
    for (int k = y; k < TILE; k += TILE_ROWS) {
        if (i0 + k < n && j0 + x < m) {
            shared.element[k][x] =
                from[(i0 + k) * l.stride[1][last] + (j0 + x) * l.stride[1][across]];
        }
    }
    __syncthreads();
    for (int k = y; k < TILE; k += TILE_ROWS) {
        if (i0 + x < n && j0 + k < m) {
            to[(i0 + x) * l.stride[0][last] + (j0 + k) * l.stride[0][across]] =
                shared.element[x][k];
        }
    }
}

template <class From, class To>
__global__ void __launch_bounds__(THREADS)
    cast_real(const GM_GRID_CONSTANT gm_elementwise_args args) {
    const int64_t e = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x;
    if (e < args.layout.elements) {
        store_real(
            static_cast<To *>(args.out) + gm_layout_offset(&args.layout, 0, e),
            load_real(static_cast<const From *>(args.in[0])[gm_layout_offset(&args.layout, 1, e)]));
    }
}

__global__ void __launch_bounds__(THREADS)
    cast_any(const GM_GRID_CONSTANT gm_elementwise_args args) {
    const int64_t e = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x;
    if (e < args.layout.elements) {
        const gm_number x =
            gm_number_load(args.in[0], args.dtype, gm_layout_offset(&args.layout, 1, e));
        gm_number_store(x, args.dtype, args.out, args.out_dtype,
                        gm_layout_offset(&args.layout, 0, e));
    }
}

/* ---- launchers ---- */

using launcher = gm_status (*)(gm_call *call, const gm_elementwise_args &args);

/* A kernel of the args alone, a thread for `each` elements. */
template <class Kernel>
gm_status launch(gm_call *call, Kernel kernel, const gm_elementwise_args &args, int64_t each) {
    unsigned grid;
    const gm_status status = grid_for(call, args.layout.elements, THREADS * each, &grid);
    if (status != GM_STATUS_OK) {
        return status;
    }
    GM_LAUNCH(kernel, grid, THREADS, 0, stream_of(call), args);
    return check_cuda(call, cudaGetLastError(), call->kernel);
}

template <class T, int OPERANDS, int OPERATION>
gm_status packed(gm_call *call, const gm_elementwise_args &args) {
    return launch(call, elementwise_packed<T, OPERANDS, OPERATION>, args, 16 / sizeof(T));
}

#define MAP_PACKED(T)                                                                              \
    {                                                                                              \
        packed<T, 1, 0>, packed<T, 1, 1>, packed<T, 1, 2>, packed<T, 1, 3>, packed<T, 1, 4>,       \
            packed<T, 1, 5>, packed<T, 1, 6>, packed<T, 1, 7>, packed<T, 1, 8>, packed<T, 1, 9>,   \
            packed<T, 1, 10>, packed<T, 1, 11>, packed<T, 1, 12>, packed<T, 1, 13>,                \
            packed<T, 1, 14>, packed<T, 1, 15>                                                     \
    }
#define COMBINE_PACKED(T)                                                                          \
    {                                                                                              \
        packed<T, 2, 0>, packed<T, 2, 1>, packed<T, 2, 2>, packed<T, 2, 3>, packed<T, 2, 4>,       \
            packed<T, 2, 5>, packed<T, 2, 6>                                                       \
    }
const launcher map_packed[][GM_MAP_COUNT] = {MAP_PACKED(double), MAP_PACKED(float),
                                             MAP_PACKED(__half), MAP_PACKED(__nv_bfloat16)};
const launcher combine_packed[][GM_COMBINE_COUNT] = {COMBINE_PACKED(double), COMBINE_PACKED(float),
                                                     COMBINE_PACKED(__half),
                                                     COMBINE_PACKED(__nv_bfloat16)};
static_assert(GM_F64 == 0 && GM_F32 == 1 && GM_F16 == 2 && GM_BF16 == 3, "the tables' order");

gm_status run_packed(gm_call *call, const gm_elementwise_args &args) {
    return (args.operands == 1 ? map_packed[args.dtype][args.operation]
                               : combine_packed[args.dtype][args.operation])(call, args);
}

template <class T> gm_status strided_of(gm_call *call, const gm_elementwise_args &args) {
    return args.operands == 1 ? launch(call, elementwise_strided<T, 1>, args, 1)
                              : launch(call, elementwise_strided<T, 2>, args, 1);
}

gm_status run_strided(gm_call *call, const gm_elementwise_args &args) {
    static const launcher of[] = {strided_of<double>, strided_of<float>, strided_of<__half>,
                                  strided_of<__nv_bfloat16>};
    return of[args.dtype](call, args);
}

template <class Bits> gm_status copy_of(gm_call *call, const gm_elementwise_args &args) {
    return launch(call, copy_strided<Bits>, args, 1);
}

/* Copies go by the size of an element. */
template <class Run> gm_status by_size(gm_dtype dtype, const Run &run) {
    switch (dtype) {
    case GM_F64:
    case GM_I64:
    case GM_U64:
        return run(uint64_t());
    case GM_F32:
    case GM_I32:
    case GM_U32:
        return run(uint32_t());
    case GM_F16:
    case GM_BF16:
    case GM_I16:
    case GM_U16:
        return run(uint16_t());
    default:
        return run(uint8_t());
    }
}

gm_status run_copy(gm_call *call, const gm_elementwise_args &args) {
    return by_size(args.dtype, [&](auto bits) { return copy_of<decltype(bits)>(call, args); });
}

/* The axis along which the operand lies together, if that is not the innermost one; else -1. */
int32_t axis_across(const gm_layout &l) {
    const int32_t last = l.axes - 1;
    for (int32_t axis = 0; axis < last; ++axis) {
        if (l.stride[1][axis] == 1 && l.stride[1][last] != 1 && l.shape[axis] >= TILE / 2 &&
            l.shape[last] >= TILE / 2) {
            return axis;
        }
    }
    return -1;
}

template <class Bits> gm_status transpose_of(gm_call *call, const gm_elementwise_args &args) {
    const gm_layout &l = args.layout;
    const int32_t across = axis_across(l);
    gm_layout others = {};
    others.elements = 1;
    others.tensors = 2;
    for (int32_t axis = 0; axis < l.axes - 1; ++axis) {
        if (axis != across) {
            others.shape[others.axes] = l.shape[axis];
            others.stride[0][others.axes] = l.stride[0][axis];
            others.stride[1][others.axes++] = l.stride[1][axis];
            others.elements *= l.shape[axis];
        }
    }
    const int64_t tiles = ((l.shape[l.axes - 1] + TILE - 1) / TILE) *
                          ((l.shape[across] + TILE - 1) / TILE) * others.elements;
    unsigned grid;
    const gm_status status = grid_for(call, tiles, 1, &grid);
    if (status != GM_STATUS_OK) {
        return status;
    }
    GM_LAUNCH((copy_transpose<Bits>), grid, dim3(TILE, TILE_ROWS), sizeof(tile_shared<Bits>),
              stream_of(call), args, others, across);
    return check_cuda(call, cudaGetLastError(), call->kernel);
}

gm_status run_transpose(gm_call *call, const gm_elementwise_args &args) {
    return by_size(args.dtype, [&](auto bits) { return transpose_of<decltype(bits)>(call, args); });
}

template <class From> gm_status cast_from(gm_call *call, const gm_elementwise_args &args) {
    return args.out_dtype == GM_F32   ? launch(call, cast_real<From, float>, args, 1)
           : args.out_dtype == GM_F16 ? launch(call, cast_real<From, __half>, args, 1)
                                      : launch(call, cast_real<From, __nv_bfloat16>, args, 1);
}

gm_status run_cast_real(gm_call *call, const gm_elementwise_args &args) {
    return args.dtype == GM_F32   ? cast_from<float>(call, args)
           : args.dtype == GM_F16 ? cast_from<__half>(call, args)
                                  : cast_from<__nv_bfloat16>(call, args);
}

gm_status run_cast_any(gm_call *call, const gm_elementwise_args &args) {
    return launch(call, cast_any, args, 1);
}

/* ---- the table ---- */

bool is_aligned(const void *p) {
    return reinterpret_cast<uintptr_t>(p) % 16 == 0;
}

bool is_packed_whole(const gm_elementwise_args &args) {
    bool together = args.layout.axes <= 1 && args.dtype == args.out_dtype &&
                    gm_dtype_is_floating(args.dtype) && is_aligned(args.out);
    for (int32_t i = 0; i <= args.operands; ++i) {
        together = together && gm_layout_step(&args.layout, i) == 1;
    }
    return together && is_aligned(args.in[0]) && (args.operands == 1 || is_aligned(args.in[1]));
}

bool copies_bits(const gm_elementwise_args &args) {
    return args.operands == 1 && args.operation == GM_MAP_COPY && !args.scaled &&
           args.dtype == args.out_dtype;
}

bool transposes(const gm_elementwise_args &args) {
    return copies_bits(args) && axis_across(args.layout) >= 0;
}

bool keeps_dtype(const gm_elementwise_args &args) {
    return args.dtype == args.out_dtype;
}

bool is_single(gm_dtype dtype) {
    return dtype == GM_F32 || dtype == GM_F16 || dtype == GM_BF16;
}

bool casts_single(const gm_elementwise_args &args) {
    return is_single(args.dtype) && is_single(args.out_dtype);
}

bool always(const gm_elementwise_args &) {
    return true;
}

/* Scanned from the top: the first whose condition holds runs. */
const struct {
    const char *name;
    bool (*fits)(const gm_elementwise_args &args);
    launcher run;
} entries[] = {
    {"copy_transpose", transposes, run_transpose},
    {"elementwise_packed", is_packed_whole, run_packed},
    {"copy_strided", copies_bits, run_copy},
    {"elementwise_strided", keeps_dtype, run_strided},
    {"cast_real", casts_single, run_cast_real},
    {"cast_any", always, run_cast_any},
};

} // namespace

gm_status elementwise(gm_call *call, const gm_elementwise_args *args) {
    int found = 0;
    while (!entries[found].fits(*args)) {
        ++found;
    }
    call->kernel = entries[found].name;
    return entries[found].run(call, *args);
}

} // namespace gm
