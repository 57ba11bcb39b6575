/*
 * gm_linalg_lu: P A = L U by right-looking elimination with partial pivoting, the pivot the first
 * of the largest by |re| + |im|, as the reference has it. gm_linalg_determinant: the product of the
 * pivots and the sum of their logarithms.
 *
 * Parallelised as linalg.cuh says, a lane or a warp to each column of what is left. Scratch: the
 * factors, m x n, and where rcond is wanted the inverse. rcond is exact up to rounding: 1 / (|A|
 * |A^-1|) with all columns of the inverse.
 *
 * Numerical choices: multipliers are quotients, not products with a reciprocal. The residual reads
 * A from where the caller has it, so nothing is stored before it is known.
 */
#include "kernels/linalg_group.cuh"
#include "kernels/linalg_table.cuh"

namespace gm {
namespace {

using namespace linalg;

/* The factors, and the inverse for rcond. */
template <class T> struct lu_scratch {
    tile<T> a, x;
    int *permutation;
    __host__ __device__ constexpr lu_scratch(arena &memory, const dims &d)
        : a(memory.take_tile<T>(d, d.m, d.n)), x(memory.take_tile<T>(d, d.m, d.k)),
          permutation(memory.take<int>(d.m)) {
    }
};

inline dims sizes_with_inverse(const gm_linalg_args &args) {
    return sizes_of(args, args.rcond.data != nullptr ? args.in[0].columns : 0);
}

/* rcond of the n x n matrix behind a view from its factors; the inverse goes to s.x. */
template <class Group, class T>
__device__ real_type<T> rcond_of_lu(const Group &g, int n, const view<T> &a,
                                    const lu_scratch<T> &s) {
    invert_lu(g, n, s.a, s.permutation, s.x);
    return reciprocal_condition(n, norm_1(g, n, n, a), norm_1(g, n, n, s.x));
}

struct lu_item {
    template <class T> using scratch = lu_scratch<T>;

    static dims sizes(const gm_linalg_args &args) {
        return sizes_with_inverse(args);
    }

    template <class T, class Group>
    static __device__ outcome<real_type<T>> run(const Group &g, const gm_linalg_args &args,
                                                int64_t problem, const scratch<T> &s,
                                                const dims &) {
        using R = real_type<T>;
        const view<T> a = view_of<T>(args, args.in[0], problem);
        const int m = a.rows, n = a.columns;
        if (!load(g, a, s.a)) {
            return failed<R>(GM_STATUS_NON_FINITE);
        }
        const bool regular = factor_lu(g, m, n, s.a, s.permutation).regular;
        outcome<R> o = {regular ? GM_STATUS_OK : GM_STATUS_SINGULAR, true, 0, 0, 0};
        if (args.residual.data != nullptr) {
            const auto error = [&](int i, int j) {
                const T sum = dot(i, j, 0, i <= j ? i : j + 1, s.a, s.a);
                return (i <= j ? sum + s.a(i, j) : sum) - a(s.permutation[i], j); /* L_ii is 1 */
            };
            o.residual = relative_norm(g, m, n, error, norm(g, m, n, a));
        }
        if (args.rcond.data != nullptr && regular) {
            o.rcond = rcond_of_lu(g, n, a, s);
        }
        const view<int32_t> rows = view_of<int32_t>(args, args.out[1], problem);
        for (int i = g.rank; rows.data != nullptr && i < m; i += g.size) {
            rows(i, 0) = s.permutation[i];
        }
        if (!store(g, view_of<T>(args, args.out[0], problem), s.a)) {
            o.status = GM_STATUS_NON_FINITE;
        }
        return o;
    }
};

struct determinant_item {
    template <class T> using scratch = lu_scratch<T>;

    static dims sizes(const gm_linalg_args &args) {
        return sizes_with_inverse(args);
    }

    template <class T, class Group>
    static __device__ outcome<real_type<T>> run(const Group &g, const gm_linalg_args &args,
                                                int64_t problem, const scratch<T> &s,
                                                const dims &) {
        using R = real_type<T>;
        const view<T> a = view_of<T>(args, args.in[0], problem);
        const int n = a.rows;
        if (!load(g, a, s.a)) {
            return failed<R>(GM_STATUS_NON_FINITE);
        }
        const lu_outcome lu = factor_lu(g, n, n, s.a, s.permutation);
        outcome<R> o = {GM_STATUS_OK, true, 0, 0, 0};
        if (args.rcond.data != nullptr && lu.regular) {
            o.rcond = rcond_of_lu(g, n, a, s);
        }
        if (g.rank == 0) {
            T det = number_of<T>(lu.odd ? -1 : 1), sign = det;
            R log_abs = 0;
            for (int i = 0; i < n; ++i) {
                const T pivot = s.a(i, i);
                const R size = modulus(pivot);
                det = det * pivot;
                sign = size > 0 ? sign * (pivot / size) : number_of<T>(0);
                log_abs += log(size);
            }
            store_number(args, args.out[0], problem, det);
            store_number(args, args.out[1], problem, sign);
            store_number(args, args.out[2], problem, log_abs);
        }
        return o;
    }
};

const row lu_rows[] = {
    lanes_row<lu_item, 4>("linalg_lu_4"),   lanes_row<lu_item, 8>("linalg_lu_8"),
    lanes_row<lu_item, 16>("linalg_lu_16"), lanes_row<lu_item, 32>("linalg_lu_32"),
    block_row<lu_item>("linalg_lu_block"),
};

const row determinant_rows[] = {
    lanes_row<determinant_item, 4>("linalg_determinant_4"),
    lanes_row<determinant_item, 8>("linalg_determinant_8"),
    lanes_row<determinant_item, 16>("linalg_determinant_16"),
    lanes_row<determinant_item, 32>("linalg_determinant_32"),
    block_row<determinant_item>("linalg_determinant_block"),
};

} // namespace

GM_LINALG_DEFINE(lu, lu_rows)
GM_LINALG_DEFINE(determinant, determinant_rows)

} // namespace gm
