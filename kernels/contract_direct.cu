/*
 * Contractions without tiles: kernels/contract_direct.cuh has the formulas and the kernels, and
 * says what a thread owns. Ladder: not climbed: these are bound by memory, which neighbouring
 * threads read and write in neighbouring addresses; `reduce` would gain from 16-byte loads.
 * Compiled, not yet run on a GPU.
 */
#include "kernels/contract_launch.cuh"

namespace gm {
namespace contract {
namespace {

int64_t piece_of_k(int64_t k, int64_t piece) {
    return k > piece ? piece : ceiling(k, 2);
}

/* `direct` or `reduce`, and the second stage where k is cut: piece > 0. */
template <class arith>
gm_status run_pieces(gm_call *call, const gm_contraction &given, const gm_contract_arrays &arrays,
                     bool warps, int64_t piece) {
    typedef typename arith::value value;
    job<value> j = job_of<value>(flattened(given), arrays);
    if (piece > 0) {
        j.piece = piece_of_k(j.k, piece);
        j.splits = ceiling(j.k, j.piece);
    }
    const bool two = given.operands == 2;
    void (*kernel)(job<value>) = nullptr;
    if (warps) {
        kernel = two ? reduce<arith, true> : reduce<arith, false>;
    } else {
        kernel = two ? direct<arith, true> : direct<arith, false>;
    }
    const int per_block = warps ? REDUCE_WARPS : DIRECT_THREADS;
    const gm_status status =
        launch(call, kernel, ceiling(j.m * j.splits, per_block), DIRECT_THREADS, 0, j);
    return status == GM_STATUS_OK && j.splits > 1 ? launch_combine<arith>(call, j) : status;
}

gm_status run_any(gm_call *call, const gm_contraction &c, const gm_contract_arrays &arrays,
                  bool warps, int64_t piece) {
    return with_arithmetic(c, [&](auto tag) {
        return run_pieces<typename decltype(tag)::type>(call, c, arrays, warps, piece);
    });
}

int64_t pieces_workspace(const gm_contraction &c, int64_t piece) {
    return with_arithmetic(c, [&](auto tag) {
        typedef typename decltype(tag)::type arith;
        return ceiling(c.k, piece_of_k(c.k, piece)) * c.batch * c.m * c.n *
               static_cast<int64_t>(sizeof(typename arith::sum));
    });
}

template <class arith>
gm_status run_transpose(gm_call *call, const gm_contraction &c, const gm_contract_arrays &arrays) {
    typedef typename arith::value value;
    job<value> j = job_of<value>(c, arrays);
    return launch(call, transpose<arith>,
                  j.batch * ceiling(j.m, TRANSPOSE_TILE) * ceiling(j.n, TRANSPOSE_TILE),
                  DIRECT_THREADS, sizeof(transpose_shared<arith>), j);
}

} // namespace

bool transpose_modes(const gm_contraction &c, int32_t *from, int32_t *to) {
    *from = *to = 0;
    for (int32_t i = 1; i < c.ms; ++i) {
        const gm_mode *modes = c.modes + c.batches;
        *from = magnitude(modes[i].a) < magnitude(modes[*from].a) ? i : *from;
        *to = magnitude(modes[i].d) < magnitude(modes[*to].d) ? i : *to;
    }
    return *from != *to;
}

gm_status transpose_launch(gm_call *call, const gm_contraction &given,
                           const gm_contract_arrays &arrays) {
    int32_t from, to;
    transpose_modes(given, &from, &to);
    gm_contraction c = given;
    int32_t at = 0;
    for (int32_t i = 0; i < given.ms; ++i) {
        if (i != from && i != to) {
            c.modes[at++] = given.modes[i];
        }
    }
    c.modes[at] = given.modes[from];
    c.modes[at + 1] = given.modes[to];
    c.batches = at;
    c.ms = c.ns = 1;
    c.m = given.modes[from].extent;
    c.n = given.modes[to].extent;
    c.batch = given.m / (c.m * c.n);
    return with_arithmetic(
        c, [&](auto tag) { return run_transpose<typename decltype(tag)::type>(call, c, arrays); });
}

gm_status reduce_launch(gm_call *call, const gm_contraction &c, const gm_contract_arrays &arrays) {
    return run_any(call, c, arrays, true, 0);
}

gm_status reduce_split_launch(gm_call *call, const gm_contraction &c,
                              const gm_contract_arrays &arrays) {
    return run_any(call, c, arrays, true, REDUCE_PIECE);
}

int64_t reduce_split_workspace(const gm_contraction &c) {
    return pieces_workspace(c, REDUCE_PIECE);
}

gm_status direct_launch(gm_call *call, const gm_contraction &c, const gm_contract_arrays &arrays) {
    return run_any(call, c, arrays, false, 0);
}

gm_status direct_split_launch(gm_call *call, const gm_contraction &c,
                              const gm_contract_arrays &arrays) {
    return run_any(call, c, arrays, false, DIRECT_PIECE);
}

int64_t direct_split_workspace(const gm_contraction &c) {
    return pieces_workspace(c, DIRECT_PIECE);
}

} // namespace contract
} // namespace gm
