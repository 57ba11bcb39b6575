/* op(A) X = B by columns that fit into scratch, with the residual of all: what the solves share. */
#pragma once

#include "kernels/linalg_group.cuh"

namespace gm {
namespace linalg {

/* Columns first ... first + count - 1. */
template <class T>
__device__ __forceinline__ view<T> columns_of(const view<T> &v, int first, int count) {
    return {v.data == nullptr ? nullptr : v.data + first * v.column_stride, v.row_stride,
            v.column_stride, v.rows, count};
}

/* Frobenius norms of what has been solved so far. */
template <class R> struct solve_norms {
    R error, x, b;

    __device__ __forceinline__ R residual(R norm_of_a) const {
        const R scale = norm_of_a * x + b;
        return scale > 0 ? error / scale : R(0);
    }
};

/* Adds the columns x of the solution of op x = b. */
template <class Group, class T, class A, class R>
__device__ void add_columns(const Group &g, int n, int k, const A &op, const tile<T> &x,
                            const view<T> &b, R norm_of_a, solve_norms<R> &norms) {
    const R size_x = norm(g, n, k, x), size_b = norm(g, n, k, b);
    const R scale = norm_of_a * size_x + size_b;
    const product_error<A, tile<T>, view<T>> rest = {op, x, b, n};
    const R error = relative_norm(g, n, k, rest, scale);
    norms.error = hypotenuse(norms.error, error > 0 ? error * scale : R(0));
    norms.x = hypotenuse(norms.x, size_x);
    norms.b = hypotenuse(norms.b, size_b);
}

/* X by solve(b, x), which puts the solution for the columns b into x, `width` columns at a time. */
template <class Group, class T, class A, class Solve>
__device__ outcome<real_type<T>> solve_columns(const Group &g, const gm_linalg_args &args,
                                               int64_t problem, const A &op, const tile<T> &x,
                                               int width, real_type<T> rcond, const Solve &solve) {
    using R = real_type<T>;
    const view<T> b = view_of<T>(args, args.in[1], problem);
    const view<T> out = view_of<T>(args, args.out[0], problem);
    const bool check = args.residual.data != nullptr;
    const int n = b.rows;
    const R norm_of_a = check ? norm(g, n, n, op) : R(0);
    solve_norms<R> norms = {0, 0, 0};
    bool good = true;
    for (int first = 0; first < b.columns; first += width) {
        const int count = b.columns - first < width ? b.columns - first : width;
        const view<T> right = columns_of(b, first, count);
        solve(right, x);
        if (check) {
            add_columns(g, n, count, op, x, right, norm_of_a, norms);
        }
        good &= store(g, columns_of(out, first, count), x);
    }
    return good ? outcome<R>{GM_STATUS_OK, true, rcond, norms.residual(norm_of_a), 0}
                : failed<R>(GM_STATUS_NON_FINITE);
}

} // namespace linalg
} // namespace gm
