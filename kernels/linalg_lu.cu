/*
 * P A = L U and what follows from it: gm_linalg_lu, gm_linalg_determinant, gm_linalg_solve,
 * gm_linalg_inverse. Right-looking elimination with partial pivoting, the pivot the first of the
 * largest by |re| + |im|, as the reference has it; then substitution.
 *
 * Parallelised as linalg.cuh says: a lane, in a block a warp, to each column of what is left and to
 * each column of X; with few columns of X the rows are shared instead. Scratch: the factors, n x n,
 * and as many columns of X or of the inverse.
 *
 * rcond is exact up to rounding: 1 / (|A| |A^-1|) with all columns of the inverse, 4/3 n^3 more.
 *
 * Numerical choices: multipliers are quotients, not products with a reciprocal. The residual reads
 * A and B from where the caller has them, so nothing is stored before it is known.
 *
 * One kernel serves all four: they differ in what comes after the elimination. Versions: (1) tiles
 * in shared memory. Not yet timed on a GPU.
 */
#include "kernels/linalg_solve.cuh"
#include "kernels/linalg_table.cuh"
#include "kernels/linalg_vendor.cuh"

namespace gm {
namespace {

using namespace linalg;

struct lu_item {
    template <class T> struct scratch {
        tile<T> a, x;
        int *permutation;
        __host__ __device__ constexpr scratch(arena &memory, const dims &d)
            : a(memory.take_tile<T>(d, d.m, d.n)), x(memory.take_tile<T>(d, d.m, d.k)),
              permutation(memory.take<int>(d.m)) {
        }
    };

    static dims sizes(const gm_linalg_args &args) {
        const int64_t n = args.in[0].columns;
        const bool whole = args.rcond.data != nullptr || args.kind == GM_LINALG_INVERSE;
        const int64_t k = args.kind == GM_LINALG_SOLVE ? args.in[1].columns : 0;
        return sizes_of(args, whole && n > k ? n : k);
    }

    template <class T, class Group>
    static __device__ outcome<real_type<T>> run(const Group &g, const gm_linalg_args &args,
                                                int64_t problem, const scratch<T> &s,
                                                const dims &d);
};

template <class T> using lu_scratch = lu_item::scratch<T>;

/* The factors, their residual and the permutation. */
template <class Group, class T>
__device__ outcome<real_type<T>>
finish_lu(const Group &g, const gm_linalg_args &args, int64_t problem, const view<T> &a,
          const lu_scratch<T> &s, bool regular, real_type<T> rcond) {
    outcome<real_type<T>> o = {regular ? GM_STATUS_OK : GM_STATUS_SINGULAR, true, rcond, 0, 0};
    if (args.residual.data != nullptr) {
        const lu_error<T> error = {s.a, {a, s.permutation}};
        o.residual = relative_norm(g, a.rows, a.columns, error, norm(g, a.rows, a.columns, a));
    }
    const view<int32_t> rows = view_of<int32_t>(args, args.out[1], problem);
    for (int i = g.rank; rows.data != nullptr && i < a.rows; i += g.size) {
        rows(i, 0) = s.permutation[i];
    }
    if (!store(g, view_of<T>(args, args.out[0], problem), s.a)) {
        o.status = GM_STATUS_NON_FINITE;
    }
    return o;
}

/* A^-1, which is in s.x. */
template <class Group, class T>
__device__ outcome<real_type<T>> finish_inverse(const Group &g, const gm_linalg_args &args,
                                                int64_t problem, const view<T> &a,
                                                const lu_scratch<T> &s, real_type<T> rcond) {
    using R = real_type<T>;
    const int n = a.rows;
    outcome<R> o = {GM_STATUS_OK, true, rcond, 0, 0};
    if (args.residual.data != nullptr) {
        const product_error<view<T>, tile<T>, identity_form<T>> error = {a, s.x, {}, n};
        o.residual = relative_norm(g, n, n, error, norm(g, n, n, a) * norm(g, n, n, s.x));
    }
    return store(g, view_of<T>(args, args.out[0], problem), s.x) ? o
                                                                 : failed<R>(GM_STATUS_NON_FINITE);
}

template <class T, class Group>
__device__ outcome<real_type<T>> lu_item::run(const Group &g, const gm_linalg_args &args,
                                              int64_t problem, const scratch<T> &s, const dims &d) {
    using R = real_type<T>;
    const view<T> a = view_of<T>(args, args.in[0], problem);
    const bool solves = args.kind == GM_LINALG_SOLVE, inverts = args.kind == GM_LINALG_INVERSE;
    bool good = load(g, a, s.a);
    if (solves) {
        good = finite(g, view_of<T>(args, args.in[1], problem)) && good;
    }
    if (!good) {
        return failed<R>(GM_STATUS_NON_FINITE);
    }
    const lu_outcome lu = factor_lu(g, a.rows, a.columns, s.a, s.permutation);
    if (!lu.regular && (solves || inverts)) {
        return failed<R>(GM_STATUS_SINGULAR);
    }
    R rcond = 0;
    if (lu.regular && (inverts || args.rcond.data != nullptr)) {
        const int n = a.rows;
        invert_lu(g, n, s.a, s.permutation, s.x);
        rcond = reciprocal_condition(n, norm_1(g, n, n, a), norm_1(g, n, n, s.x));
    }
    if (args.kind == GM_LINALG_LU) {
        return finish_lu(g, args, problem, a, s, lu.regular, rcond);
    }
    if (args.kind == GM_LINALG_DETERMINANT) {
        store_determinant(g, args, problem, a.rows, s.a, lu.odd);
        return {GM_STATUS_OK, true, rcond, 0, 0};
    }
    if (inverts) {
        return finish_inverse(g, args, problem, a, s, rcond);
    }
    return solve_columns(g, args, problem, a, s.x, d.k, rcond,
                         [&](const view<T> &b, const tile<T> &x) {
                             set(g, b.rows, b.columns, x, permuted_form<view<T>>{b, s.permutation});
                             substitute_lu(g, b.rows, b.columns, s.a, x);
                         });
}

const row lu_rows[] = GM_LINALG_FACTOR_ROWS(lu_item, "lu");
const row determinant_rows[] = GM_LINALG_FACTOR_ROWS(lu_item, "determinant");
const row solve_rows[] = GM_LINALG_FACTOR_ROWS(lu_item, "solve");
const row inverse_rows[] = GM_LINALG_FACTOR_ROWS(lu_item, "inverse");

} // namespace

GM_LINALG_DEFINE(lu, lu_rows)
GM_LINALG_DEFINE(determinant, determinant_rows)
GM_LINALG_DEFINE(solve, solve_rows)
GM_LINALG_DEFINE(inverse, inverse_rows)

} // namespace gm
