/* Host side of the contraction kernels: from a contraction and its arrays to a job and a launch. */
#pragma once

#include <stdlib.h>

#include "kernels/contract_direct.cuh"
#include "kernels/contract_job.cuh"
#include "kernels/contract_rows.cuh"
#include "kernels/contract_tile.cuh"
#include "kernels/launch.cuh"

namespace gm {
namespace contract {

inline int64_t ceiling(int64_t x, int64_t y) {
    return (x + y - 1) / y;
}

inline int64_t magnitude(int64_t x) {
    return x < 0 ? -x : x;
}

/* A grid holds 2^31 - 1 blocks; kernels go over the rest in a loop. */
inline unsigned grid_for(int64_t blocks) {
    return static_cast<unsigned>(blocks < 0x7fffffff ? blocks : 0x7fffffff);
}

/* ---- types ------------------------------------------------------------------------------------
 */

template <class T> struct type_tag { typedef T type; };

/* f(type_tag<arith>()) for the arithmetic of a contraction. f32 by tf32 is f32 to kernels without.
 */
template <class F> auto with_arithmetic(const gm_contraction &c, F f) {
    const bool exact = c.math == GM_CONTRACT_COMPENSATED;
    switch (c.input) {
    case GM_F64:
        return exact ? f(type_tag<arith_compensated_f64>()) : f(type_tag<arith_f64>());
    case GM_F16:
        return f(type_tag<arith_f16>());
    case GM_BF16:
        return f(type_tag<arith_bf16>());
    case GM_C64:
        return f(type_tag<arith_c64>());
    case GM_C128:
        return f(type_tag<arith_c128>());
    case GM_I8:
        return f(type_tag<arith_i8>());
    case GM_I32:
        return f(type_tag<arith_i32>());
    default:
        return exact ? f(type_tag<arith_compensated_f32>()) : f(type_tag<arith_f32>());
    }
}

inline void set_scale(float &to, double real, double) {
    to = static_cast<float>(real);
}
inline void set_scale(double &to, double real, double) {
    to = real;
}
inline void set_scale(int32_t &to, double real, double) {
    to = static_cast<int32_t>(static_cast<uint32_t>(static_cast<int64_t>(real)));
}
template <class real_type> void set_scale(complex<real_type> &to, double real, double imaginary) {
    to = {static_cast<real_type>(real), static_cast<real_type>(imaginary)};
}

/* ---- modes ------------------------------------------------------------------------------------
 */

/* The same contraction with m and n, and with them a and b, exchanged. */
inline gm_contraction exchanged(const gm_contraction &c) {
    gm_contraction out = c;
    int32_t at = c.batches;
    for (int32_t i = 0; i < c.ns; ++i) {
        out.modes[at++] = c.modes[c.batches + c.ms + i];
    }
    for (int32_t i = 0; i < c.ms; ++i) {
        out.modes[at++] = c.modes[c.batches + i];
    }
    for (gm_mode &mode : out.modes) {
        const int64_t a = mode.a;
        mode.a = mode.b;
        mode.b = a;
    }
    out.ms = c.ns;
    out.ns = c.ms;
    out.m = c.n;
    out.n = c.m;
    return out;
}

/* Whether m, not n, is innermost in d: products are then computed with m and n exchanged. */
inline bool is_upright(const gm_contraction &c) {
    if (c.ms == 0 || c.ns == 0) {
        return c.ms != 0;
    }
    return magnitude(c.modes[c.batches + c.ms - 1].d) <
           magnitude(c.modes[c.batches + c.ms + c.ns - 1].d);
}

/* The same with all modes of the output as m, the innermost in d last. */
inline gm_contraction flattened(const gm_contraction &c) {
    gm_contraction out = c;
    const int32_t count = c.batches + c.ms + c.ns;
    for (int32_t i = 1; i < count; ++i) { /* sorted by insertion: equal strides stay in order */
        const gm_mode mode = out.modes[i];
        int32_t at = i;
        for (; at > 0 && magnitude(out.modes[at - 1].d) < magnitude(mode.d); --at) {
            out.modes[at] = out.modes[at - 1];
        }
        out.modes[at] = mode;
    }
    out.batches = out.ns = 0;
    out.ms = count;
    out.m = c.batch * c.m * c.n;
    out.batch = out.n = 1;
    return out;
}

/* ---- the job ----------------------------------------------------------------------------------
 */

template <class value>
job<value> job_of(const gm_contraction &c, const gm_contract_arrays &arrays) {
    job<value> j = {};
    j.a = arrays.a;
    j.b = arrays.b;
    j.c = arrays.c;
    j.bias = arrays.bias;
    j.d = arrays.d;
    j.partials = arrays.workspace;
    set_scale(j.alpha, arrays.scale.alpha, arrays.scale.alpha_imaginary);
    set_scale(j.beta, arrays.scale.beta, arrays.scale.beta_imaginary);
    j.batch = c.batch;
    j.m = c.m;
    j.n = c.n;
    j.k = c.k;
    j.batches = c.batches;
    j.ms = c.ms;
    j.ns = c.ns;
    j.ks = c.ks;
    memcpy(j.modes, c.modes, sizeof j.modes);
    j.splits = 1;
    j.piece = c.k;
    j.count = c.batch;
    j.activation = static_cast<int32_t>(c.activation);
    j.has_c = arrays.c != nullptr;
    j.has_bias = c.has_bias;
    j.sample = c.sample;
    j.output = c.output;
    j.seed = c.seed;
    j.first = c.first;
    static_assert(sizeof j <= 4096, "what every device takes as arguments of a kernel");
    return j;
}

/* The job of a product, with m and n exchanged where m is innermost in d; `c` is then exchanged
 * too. */
template <class value>
job<value> product_job_of(const gm_contraction &given, const gm_contract_arrays &arrays,
                          gm_contraction *c) {
    const bool upright = is_upright(given);
    *c = upright ? exchanged(given) : given;
    job<value> j = job_of<value>(*c, arrays);
    if (upright) {
        j.a = arrays.b;
        j.b = arrays.a;
    }
    return j;
}

template <class arguments>
gm_status launch(gm_call *call, void (*kernel)(arguments), int64_t blocks, int threads,
                 size_t shared, const arguments &j) {
    if (shared > 48 * 1024) {
        const gm_status status =
            check_cuda(call,
                       cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                            static_cast<int>(shared)),
                       "shared memory of the contraction kernel");
        if (status != GM_STATUS_OK) {
            return status;
        }
    }
    GM_LAUNCH(kernel, grid_for(blocks), static_cast<unsigned>(threads), shared, stream_of(call), j);
    return check_cuda(call, cudaGetLastError(), call->kernel);
}

/* The arithmetic in which the sums of another are added: those of narrower operands are alike. */
template <class arith> struct summing { typedef arith type; };
template <> struct summing<arith_f16> { typedef arith_f32 type; };
template <> struct summing<arith_bf16> { typedef arith_f32 type; };
template <> struct summing<arith_i8> { typedef arith_i32 type; };

/* `combine`, once for each kind of sum: defined in contract_combine.cu. */
template <class arith> gm_status combine_sums(gm_call *call, const job<typename arith::value> &j);

template <class arith>
gm_status launch_combine(gm_call *call, const job<typename arith::value> &j) {
    return combine_sums<typename summing<arith>::type>(call, j);
}

/* ---- tiles ------------------------------------------------------------------------------------
 */

/* Whether every position of an operand but those of `line` is a multiple of `pack` elements. */
template <int64_t gm_mode::*stride>
bool in_packs(const gm_contraction &c, int32_t line, int64_t pack) {
    const int32_t count = c.batches + c.ms + c.ns + c.ks;
    for (int32_t i = 0; i < count; ++i) {
        const bool good = i == line ? c.modes[i].*stride == 1 && c.modes[i].extent % pack == 0
                                    : c.modes[i].*stride % pack == 0;
        if (!good) {
            return false;
        }
    }
    return true;
}

/*
 * How an operand with rows `first_row` ... comes to shared memory: vectors where they are possible,
 * along k only if a stage may have k innermost.
 */
template <int64_t gm_mode::*stride>
loading loading_of(const gm_contraction &c, int32_t first_row, int32_t rows, const void *data,
                   int64_t bytes, bool any_layout) {
    const int32_t last_row = first_row + rows - 1;
    const int32_t last_k = c.batches + c.ms + c.ns + c.ks - 1;
    const int64_t pack = 16 / bytes;
    const bool aligned = reinterpret_cast<uintptr_t>(data) % 16 == 0;
    loading how;
    how.vectors = how.along_k = 0;
    if (aligned && rows > 0 && in_packs<stride>(c, last_row, pack)) {
        how.vectors = 1;
    } else if (aligned && any_layout && c.ks > 0 && in_packs<stride>(c, last_k, pack)) {
        how.vectors = how.along_k = 1;
    } else if (c.ks > 0) {
        how.along_k =
            rows == 0 || magnitude(c.modes[last_k].*stride) < magnitude(c.modes[last_row].*stride);
    }
    return how;
}

/* How a product is cut: pieces of k, and the batches of a launch. */
struct cut {
    int64_t splits, piece, group;
};

/*
 * Pieces of k until there are some 256 blocks, two for each multiprocessor of the largest devices
 * (128 of a kernel of which one fits). The number depends on m, n and k, not on the batch or the
 * device, so that an element does not depend on them either. A large batch is computed in groups,
 * which bounds the workspace.
 */
inline cut cut_of(const gm_contraction &c, int64_t rows, int64_t columns, int64_t blocks = 256) {
    constexpr int64_t unit = 64;
    const int64_t tiles = ceiling(c.m, rows) * ceiling(c.n, columns);
    const int64_t wanted = blocks / tiles > 2 ? blocks / tiles : 2;
    const int64_t most = c.k / TILE_PIECE > 1 ? c.k / TILE_PIECE : 1;
    cut out;
    out.piece = ceiling(ceiling(c.k, wanted < most ? wanted : most), unit) * unit;
    out.splits = ceiling(c.k, out.piece);
    out.group = blocks / (tiles * out.splits);
    out.group = out.group < 1 ? 1 : out.group > c.batch ? c.batch : out.group;
    return out;
}

template <class policy> struct tile_kernels {
    typedef job<typename policy::arith::value> job_type;

    template <bool AK, bool BK> static gm_status run(gm_call *call, const job_type &j) {
        const int64_t tiles =
            ceiling(j.m, policy::ROWS) * ceiling(j.n, policy::COLS) * j.splits * j.count;
        return launch(call, tile<policy, AK, BK>, tiles, TILE_THREADS,
                      sizeof(tile_shared<policy, AK, BK>), j);
    }

    static gm_status run_layout(gm_call *call, const job_type &j) {
        if constexpr (policy::ANY_LAYOUT) {
            return j.load_a.along_k
                       ? (j.load_b.along_k ? run<true, true>(call, j) : run<true, false>(call, j))
                       : (j.load_b.along_k ? run<false, true>(call, j)
                                           : run<false, false>(call, j));
        } else {
            return run<false, false>(call, j);
        }
    }

    static job_type make(const gm_contraction &given, const gm_contract_arrays &arrays) {
        gm_contraction c;
        job_type j = product_job_of<typename policy::arith::value>(given, arrays, &c);
        constexpr int64_t bytes = sizeof(typename policy::arith::element);
        j.load_a = loading_of<&gm_mode::a>(c, c.batches, c.ms, j.a, bytes, policy::ANY_LAYOUT);
        j.load_b =
            loading_of<&gm_mode::b>(c, c.batches + c.ms, c.ns, j.b, bytes, policy::ANY_LAYOUT);
        return j;
    }

    static cut cut_for(const gm_contraction &c) {
        return is_upright(c) ? cut_of(c, policy::COLS, policy::ROWS)
                             : cut_of(c, policy::ROWS, policy::COLS);
    }

    static int64_t split_workspace(const gm_contraction &c) {
        const cut cut = cut_for(c);
        return cut.group * cut.splits * c.m * c.n *
               static_cast<int64_t>(sizeof(typename policy::arith::sum));
    }

    static gm_status launch_all(gm_call *call, const gm_contraction &c,
                                const gm_contract_arrays &arrays) {
        return run_layout(call, make(c, arrays));
    }

    static gm_status launch_split(gm_call *call, const gm_contraction &c,
                                  const gm_contract_arrays &arrays) {
        const cut cut = cut_for(c);
        job_type j = make(c, arrays);
        j.splits = cut.splits;
        j.piece = cut.piece;
        gm_status status = GM_STATUS_OK;
        for (int64_t first = 0; first < c.batch && status == GM_STATUS_OK; first += cut.group) {
            j.first_batch = first;
            j.count = c.batch - first < cut.group ? c.batch - first : cut.group;
            status = run_layout(call, j);
            if (status == GM_STATUS_OK) {
                status = launch_combine<typename policy::arith>(call, j);
            }
        }
        return status;
    }
};

} // namespace contract
} // namespace gm
