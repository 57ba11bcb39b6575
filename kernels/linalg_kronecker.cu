/*
 * gm_linalg_kronecker_apply and gm_linalg_kronecker_solve: a column x of (A (x) B) x, seen as the
 * q x n matrix X with X_lj = x_(j q + l), is B X A^T; the solution is B^-1 X A^-T by LU of both.
 *
 * Parallelised as linalg.cuh says, a column of x after the other: 4 or 8 lanes where no side of A
 * and B is longer, a block with shared scratch up to 32, with its scratch in the workspace beyond.
 * Scratch, tiles as large as the larger sides of A and B: A, B and the half product; to solve, the
 * factors, two for X, and where the report is wanted A and B themselves and a product. A and B are
 * copied first, as the result may take the place of either.
 *
 * The condition number is the product of those of A and B by their inverses, exact up to rounding.
 * Not yet run on a GPU.
 */
#include "kernels/linalg_shared.cuh"
#include "kernels/linalg_table.cuh"

namespace gm {
namespace {

using namespace linalg;

/* Column j of x as the matrix of `rows` rows that it stands for. */
template <class T> __device__ __forceinline__ view<T> column_of(const view<T> &x, int j, int rows) {
    return {x.data + j * x.column_stride, x.row_stride, rows * x.row_stride, rows,
            rows > 0 ? x.rows / rows : 0};
}

inline int64_t longer(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* Sides of tiles that hold A as well as B. */
inline dims sizes_of_both(const gm_linalg_args &args, bool report) {
    const gm_linalg_matrix &a = args.in[0], &b = args.in[2];
    return {static_cast<int>(longer(a.rows, b.rows)),
            static_cast<int>(longer(a.columns, b.columns)), report, 0};
}

struct kronecker_item {
    static bool fits(const gm_linalg_args &args, int64_t n) {
        const gm_linalg_matrix &a = args.in[0], &b = args.in[2];
        return longer(longer(a.rows, a.columns), longer(b.rows, b.columns)) <= n;
    }
};

/* out = B X A^T, A m x n, B p x q; half: p n entries. */
template <class Group, class T, class X, class F>
__device__ void apply_both(const Group &g, int m, int n, int p, int q, const tile<T> &a,
                           const tile<T> &b, const X &x, const tile<T> &half, F use) {
    product(g, p, n, q, b, x, [&](int l, int j, T sum) { half(l, j) = sum; });
    product(
        g, p, m, n, half, [&](int l, int j) { return a(j, l); }, use);
}

/* ---- apply ----------------------------------------------------------------------------------- */

template <class T> struct apply_scratch {
    tile<T> a, b, half;
    __host__ __device__ constexpr apply_scratch(arena &memory, const dims &d)
        : a(memory.take_tile<T>(d, d.m, d.n)), b(memory.take_tile<T>(d, d.m, d.n)),
          half(memory.take_tile<T>(d, d.m, d.n)) {
    }
};

struct kronecker_apply_item : kronecker_item {
    template <class T> using scratch = apply_scratch<T>;

    static dims sizes(const gm_linalg_args &args) {
        return sizes_of_both(args, false);
    }

    template <class T, class Group>
    static __device__ outcome<real_type<T>> run(const Group &g, const gm_linalg_args &args,
                                                int64_t problem, const scratch<T> &s,
                                                const dims &) {
        using R = real_type<T>;
        const view<T> a = view_of<T>(args, args.in[0], problem);
        const view<T> b = view_of<T>(args, args.in[2], problem);
        const view<T> x = view_of<T>(args, args.in[1], problem);
        const view<T> out = view_of<T>(args, args.out[0], problem);
        bool good = load(g, a, s.a);
        good = load(g, b, s.b) && good;
        good = finite(g, x) && good;
        for (int j = 0; good && j < x.columns; ++j) {
            const view<T> to = column_of(out, j, b.rows);
            bool stored_well = true;
            apply_both(g, a.rows, a.columns, b.rows, b.columns, s.a, s.b,
                       column_of(x, j, b.columns), s.half, [&](int l, int i, T sum) {
                           to(l, i) = sum;
                           stored_well = stored_well && is_finite(sum);
                       });
            good = g.all(stored_well);
        }
        return stored<R>(good);
    }
};

/* ---- solve ----------------------------------------------------------------------------------- */

template <class T> struct solve_scratch {
    tile<T> lu_a, lu_b, x, turned, a, b, product;
    int *permutation_a, *permutation_b;
    __host__ __device__ constexpr solve_scratch(arena &memory, const dims &d)
        : lu_a(memory.take_tile<T>(d, d.m, d.n)), lu_b(memory.take_tile<T>(d, d.m, d.n)),
          x(memory.take_tile<T>(d, d.m, d.n)), turned(memory.take_tile<T>(d, d.m, d.n)),
          a(memory.take_tile<T>(d, d.k > 0 ? d.m : 0, d.k > 0 ? d.n : 0)),
          b(memory.take_tile<T>(d, d.k > 0 ? d.m : 0, d.k > 0 ? d.n : 0)),
          product(memory.take_tile<T>(d, d.k > 0 ? d.m : 0, d.k > 0 ? d.n : 0)),
          permutation_a(memory.take<int>(d.m)), permutation_b(memory.take<int>(d.m)) {
    }
};

/* Frobenius norms over the columns of x so far. */
template <class R> struct column_norms { R given, found, error; };

struct kronecker_solve_item : kronecker_item {
    template <class T> using scratch = solve_scratch<T>;

    static dims sizes(const gm_linalg_args &args) {
        return sizes_of_both(args, args.rcond.data != nullptr || args.residual.data != nullptr);
    }

    /* The solution of column `from`, X^T = A^-1 (B^-1 X)^T, to s.turned, n x q. */
    template <class T, class Group>
    static __device__ void solve(const Group &g, int n, int q, const view<T> &from,
                                 const scratch<T> &s) {
        set(g, q, n, s.x, [&](int l, int i) { return from(s.permutation_b[l], i); });
        solve_factored(g, q, n, s.lu_b, s.x);
        set(g, n, q, s.turned, [&](int i, int l) { return s.x(l, s.permutation_a[i]); });
        solve_factored(g, n, q, s.lu_a, s.turned);
    }

    /* What a column adds to the norms; s.x and s.product are used up. */
    template <class T, class Group>
    static __device__ void add_norms(const Group &g, int n, int q, const view<T> &from,
                                     const scratch<T> &s, column_norms<real_type<T>> &norms) {
        const auto found = [&](int l, int i) { return s.turned(i, l); };
        apply_both(g, n, n, q, q, s.a, s.b, found, s.x,
                   [&](int l, int i, T sum) { s.product(l, i) = sum - from(l, i); });
        norms.given = hypotenuse(norms.given, norm(g, q, n, from));
        norms.found = hypotenuse(norms.found, norm(g, q, n, found));
        norms.error = hypotenuse(norms.error, norm(g, q, n, s.product));
    }

    template <class T, class Group>
    static __device__ real_type<T> rcond_of(const Group &g, int n, const tile<T> &a,
                                            const tile<T> &lu, const int *permutation,
                                            const scratch<T> &s) {
        invert_factored(g, n, lu, permutation, s.x);
        return reciprocal_condition(n, norm_1(g, n, n, a), norm_1(g, n, n, s.x));
    }

    template <class T, class Group>
    static __device__ outcome<real_type<T>> run(const Group &g, const gm_linalg_args &args,
                                                int64_t problem, const scratch<T> &s,
                                                const dims &d) {
        using R = real_type<T>;
        const view<T> a = view_of<T>(args, args.in[0], problem);
        const view<T> b = view_of<T>(args, args.in[2], problem);
        const view<T> x = view_of<T>(args, args.in[1], problem);
        const view<T> out = view_of<T>(args, args.out[0], problem);
        const int n = a.rows, q = b.rows;
        bool good = load(g, a, s.lu_a);
        good = load(g, b, s.lu_b) && good;
        good = finite(g, x) && good;
        if (!good) {
            return failed<R>(GM_STATUS_NON_FINITE);
        }
        if (d.k > 0) {
            set(g, n, n, s.a, s.lu_a);
            set(g, q, q, s.b, s.lu_b);
        }
        const bool regular = factor_square(g, n, s.lu_a, s.permutation_a);
        if (!regular || !factor_square(g, q, s.lu_b, s.permutation_b)) {
            return failed<R>(GM_STATUS_SINGULAR);
        }
        outcome<R> o = {GM_STATUS_OK, true, 0, 0, 0};
        if (args.rcond.data != nullptr) {
            o.rcond = rcond_of(g, n, s.a, s.lu_a, s.permutation_a, s) *
                      rcond_of(g, q, s.b, s.lu_b, s.permutation_b, s);
        }
        column_norms<R> norms = {0, 0, 0};
        for (int j = 0; good && j < x.columns; ++j) {
            const view<T> from = column_of(x, j, q);
            solve(g, n, q, from, s);
            if (args.residual.data != nullptr) {
                add_norms(g, n, q, from, s, norms);
            }
            good = store(g, column_of(out, j, q), [&](int l, int i) { return s.turned(i, l); });
        }
        if (args.residual.data != nullptr) {
            const R scale = norm(g, n, n, s.a) * norm(g, q, q, s.b) * norms.found + norms.given;
            o.residual = scale > 0 ? norms.error / scale : R(0);
        }
        return good ? o : failed<R>(GM_STATUS_NON_FINITE);
    }
};

const row kronecker_apply_rows[] = GM_LINALG_FITTING_ROWS(kronecker_apply_item, "kronecker_apply");
const row kronecker_solve_rows[] = GM_LINALG_FITTING_ROWS(kronecker_solve_item, "kronecker_solve");

} // namespace

GM_LINALG_DEFINE(kronecker_apply, kronecker_apply_rows)
GM_LINALG_DEFINE(kronecker_solve, kronecker_solve_rows)

} // namespace gm
