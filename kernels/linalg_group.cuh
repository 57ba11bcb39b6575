/*
 * Dense algebra by the threads of a group (linalg.cuh) on tiles: copies, norms, products, LU,
 * substitution, Cholesky, Householder reflections. A matrix is given as a tile, a view or any
 * function of row and column.
 *
 * Columns go to teams and rows to the members of a team: in a lane_group a lane owns a column, in a
 * block a warp does. Each function starts with its inputs visible to the group and ends with a
 * barrier, or with a reduction, which has one; so its outputs are visible too.
 *
 * Numerical choices: an entry's sum is taken in the order of its index by one thread; sums over a
 * matrix are taken by each thread over its own entries and then in the fixed order of the group's
 * reduction. Norms scale by the largest entry, so that squares neither overflow nor underflow.
 */
#pragma once

#include "kernels/linalg_forms.cuh"

namespace gm {
namespace linalg {

/* ---- between memory and tiles ---------------------------------------------------------------- */

/* f(i, j) once for each entry of a view; neighbouring threads take neighbours in memory. */
template <class Group, class T, class F>
__device__ __forceinline__ void for_each(const Group &g, const view<T> &v, F f) {
    const int64_t down = v.row_stride < 0 ? -v.row_stride : v.row_stride;
    const int64_t across = v.column_stride < 0 ? -v.column_stride : v.column_stride;
    const bool rows_are_close = down < across || v.columns == 1;
    const int inner = rows_are_close ? v.rows : v.columns;
    const int outer = rows_are_close ? v.columns : v.rows;
    const int width = Group::members > 1 ? Group::members : Group::teams;
    const int first = Group::members > 1 ? g.team : 0;
    const int step = Group::members > 1 ? Group::teams : 1;
    for (int o = first; o < outer; o += step) {
        for (int i = Group::members > 1 ? g.member : g.team; i < inner; i += width) {
            rows_are_close ? f(i, o) : f(o, i);
        }
    }
}

/* Whether all entries are finite. */
template <class Group, class T> __device__ bool finite(const Group &g, const view<T> &v) {
    bool good = true;
    for_each(g, v, [&](int i, int j) { good = good && is_finite(v(i, j)); });
    return g.all(good);
}

/* The view's entries into a tile; returns whether all are finite. */
template <class Group, class T>
__device__ bool load(const Group &g, const view<T> &from, const tile<T> &to) {
    bool good = true;
    for_each(g, from, [&](int i, int j) {
        const T value = from(i, j);
        to(i, j) = value;
        good = good && is_finite(value);
    });
    return g.all(good);
}

/* f(i, j) to the view's entries, if it is wanted; returns whether all were finite. */
template <class Group, class T, class F>
__device__ bool store(const Group &g, const view<T> &to, F f) {
    bool good = true;
    if (to.data != nullptr) {
        for_each(g, to, [&](int i, int j) {
            const T value = f(i, j);
            to(i, j) = value;
            good = good && is_finite(value);
        });
    }
    return g.all(good);
}

/* The entries f(i, j) of an m x n tile. */
template <class Group, class T, class F>
__device__ void set(const Group &g, int m, int n, const tile<T> &to, F f) {
    for (int j = g.team; j < n; j += g.teams) {
        for (int i = g.member; i < m; i += g.members) {
            to(i, j) = f(i, j);
        }
    }
    g.sync();
}

template <class Group, class T>
__device__ void set_identity(const Group &g, int m, int n, const tile<T> &to) {
    set(g, m, n, to, identity_form<T>());
}

/* ---- norms ----------------------------------------------------------------------------------- */

/* A size that all threads agree on: a NaN is infinite. */
template <class R> __device__ __forceinline__ R sure(R size) {
    return size >= 0 ? size : R(INFINITY);
}

/* The 1-norm: the largest sum of a column's moduli. */
template <class Group, class A> __device__ auto norm_1(const Group &g, int m, int n, const A &a) {
    using R = real_type<std::decay_t<decltype(a(0, 0))>>;
    R most = 0;
    for (int j = g.team; j < n; j += g.teams) {
        R sum = 0;
        for (int i = g.member; i < m; i += g.members) {
            sum += modulus(a(i, j));
        }
        const R column = sure(g.team_sum(sum));
        most = column > most ? column : most;
    }
    return g.reduce(most, take_largest());
}

/* sqrt(sum |a_ij / scale|^2) */
template <class Group, class A, class R>
__device__ R norm_over(const Group &g, int m, int n, const A &a, R scale) {
    R sum = 0;
    for (int j = g.team; j < n; j += g.teams) {
        for (int i = g.member; i < m; i += g.members) {
            sum += square_of(a(i, j) / scale);
        }
    }
    return sqrt(g.reduce(sum, take_sum()));
}

/* The Frobenius norm. */
template <class Group, class A> __device__ auto norm(const Group &g, int m, int n, const A &a) {
    using R = real_type<std::decay_t<decltype(a(0, 0))>>;
    R most = 0;
    for (int j = g.team; j < n; j += g.teams) {
        for (int i = g.member; i < m; i += g.members) {
            const R size = sure(largest_part(a(i, j)));
            most = size > most ? size : most;
        }
    }
    most = g.reduce(most, take_largest());
    return most > 0 && most < R(INFINITY) ? most * norm_over(g, m, n, a, most) : most;
}

/* |a| / scale in the Frobenius norm where a is small beside scale; 0 for a scale of 0. */
template <class Group, class A, class R>
__device__ R relative_norm(const Group &g, int m, int n, const A &a, R scale) {
    return scale > 0 ? norm_over(g, m, n, a, scale) : R(0);
}

/* ---- products -------------------------------------------------------------------------------- */

/* c = a b, a m x k, b k x n; c overlaps neither. */
template <class Group, class A, class B, class T>
__device__ void multiply(const Group &g, int m, int n, int k, const A &a, const B &b,
                         const tile<T> &c) {
    set(g, m, n, c, [&](int i, int j) { return dot(i, j, 0, k, a, b); });
}

/* ---- LU -------------------------------------------------------------------------------------- */

struct lu_outcome {
    bool regular; /* no pivot is 0 */
    bool odd;     /* the permutation is */
};

/* The first row from k on with the largest entry of column k. */
template <class Group, class T>
__device__ __forceinline__ candidate<real_type<T>> find_pivot(const Group &g, int m, int k,
                                                              const tile<T> &a) {
    candidate<real_type<T>> best = {-1, INT32_MAX};
    for (int i = k + g.rank; i < m; i += g.size) {
        const real_type<T> size = pivot_size(a(i, k));
        best = take_largest()(best, candidate<real_type<T>>{size >= 0 ? size : -1, i});
    }
    return g.reduce(best, take_largest());
}

/* P A = L U in place, right-looking; row i of P A is row permutation[i] of A. */
template <class Group, class T>
__device__ lu_outcome factor_lu(const Group &g, int m, int n, const tile<T> &a, int *permutation) {
    lu_outcome outcome = {true, false};
    for (int i = g.rank; i < m; i += g.size) {
        permutation[i] = i;
    }
    g.sync();
    for (int k = 0; k < m && k < n; ++k) {
        const candidate<real_type<T>> pivot = find_pivot(g, m, k, a);
        if (pivot.size == 0) {
            outcome.regular = false;
            continue;
        }
        if (pivot.row != k) {
            outcome.odd = !outcome.odd;
            for (int j = g.rank; j < n; j += g.size) {
                const T value = a(k, j);
                a(k, j) = a(pivot.row, j);
                a(pivot.row, j) = value;
            }
            if (g.rank == 0) {
                const int row = permutation[k];
                permutation[k] = permutation[pivot.row];
                permutation[pivot.row] = row;
            }
            g.sync();
        }
        for (int i = k + 1 + g.rank; i < m; i += g.size) {
            a(i, k) = a(i, k) / a(k, k);
        }
        g.sync();
        for (int j = k + 1 + g.team; j < n; j += g.teams) {
            const T above = a(k, j);
            for (int i = k + 1 + g.member; i < m; i += g.members) {
                a(i, j) -= a(i, k) * above;
            }
        }
        g.sync();
    }
    return outcome;
}

/* The determinant, its sign and its logarithm from factors. */
template <class Group, class T>
__device__ void store_determinant(const Group &g, const gm_linalg_args &args, int64_t problem,
                                  int n, const tile<T> &lu, bool odd) {
    if (g.rank != 0) {
        return;
    }
    T det = number_of<T>(odd ? -1 : 1), sign = det;
    real_type<T> log_abs = 0;
    for (int i = 0; i < n; ++i) {
        const T pivot = lu(i, i);
        const real_type<T> size = modulus(pivot);
        det = det * pivot;
        sign = size > 0 ? sign * (pivot / size) : number_of<T>(0);
        log_abs += log(size);
    }
    store_number(args, args.out[0], problem, det);
    store_number(args, args.out[1], problem, sign);
    store_number(args, args.out[2], problem, log_abs);
}

/* ---- substitution ---------------------------------------------------------------------------- */

enum triangle { LOWER, UPPER };

/* x := t^-1 x for k columns of x, t a triangle as a function; unit: its diagonal is 1. With fewer
 * columns than half the teams the rows of all are shared; the bits are the same. */
template <class Group, class A, class T>
__device__ void substitute(const Group &g, triangle which, bool unit, int n, int k, const A &t,
                           const tile<T> &x) {
    const bool by_rows = 2 * k < g.teams;
    const int first = by_rows ? 0 : g.team, step = by_rows ? 1 : g.teams;
    const int member = by_rows ? g.rank : g.member, members = by_rows ? g.size : g.members;
    for (int j = first; j < k; j += step) {
        for (int s = 0; s < n; ++s) {
            const int i = which == LOWER ? s : n - 1 - s;
            if (!unit) {
                const T value = x(i, j) / t(i, i);
                by_rows ? g.sync() : g.team_sync(); /* all have read it */
                if (member == 0) {
                    x(i, j) = value;
                }
            }
            by_rows ? g.sync() : g.team_sync();
            const T value = x(i, j);
            const int end = which == LOWER ? n : i;
            for (int r = (which == LOWER ? i + 1 : 0) + member; r < end; r += members) {
                x(r, j) -= t(r, i) * value;
            }
            by_rows ? g.sync() : g.team_sync();
        }
    }
    g.sync();
}

/* x := U^-1 L^-1 x from the factors of LU in one tile. */
template <class Group, class T>
__device__ void substitute_lu(const Group &g, int n, int k, const tile<T> &lu, const tile<T> &x) {
    substitute(g, LOWER, true, n, k, lu, x);
    substitute(g, UPPER, false, n, k, lu, x);
}

/* x = A^-1 from its factors. */
template <class Group, class T>
__device__ void invert_lu(const Group &g, int n, const tile<T> &lu, const int *permutation,
                          const tile<T> &x) {
    set(g, n, n, x, permuted_form<identity_form<T>>{{}, permutation});
    substitute_lu(g, n, n, lu, x);
}

/* 1 / (norm norm_of_inverse) of an n x n matrix, 0 where that is beyond the range. */
template <class R>
__device__ __forceinline__ R reciprocal_condition(int n, R norm, R norm_of_inverse) {
    const R rcond = n == 0 ? 1 : 1 / norm / norm_of_inverse;
    return rcond >= 0 ? rcond : R(0);
}

/* ---- Cholesky -------------------------------------------------------------------------------- */

/* A = L L^H in place, right-looking, on and below the diagonal. False: not positive definite. */
template <class Group, class T>
__device__ bool factor_cholesky(const Group &g, int n, const tile<T> &a) {
    for (int k = 0; k < n; ++k) {
        const real_type<T> pivot = real_part(a(k, k));
        g.sync(); /* all have read it */
        if (!(pivot > 0)) {
            return false;
        }
        const real_type<T> root = sqrt(pivot);
        for (int i = k + g.rank; i < n; i += g.size) {
            a(i, k) = i == k ? number_of<T>(root) : a(i, k) / root;
        }
        g.sync();
        for (int j = k + 1 + g.team; j < n; j += g.teams) {
            const T factor = conjugate(a(j, k));
            for (int i = j + g.member; i < n; i += g.members) {
                a(i, j) -= a(i, k) * factor;
            }
        }
        g.sync();
    }
    return true;
}

/* ---- Householder reflections ----------------------------------------------------------------- */

/* (I - tau v v^H)^H takes column k of a, from row k on, to a real multiple of e_k. That number
 * replaces a_kk and v, whose v_k is 1, the entries below. Returns tau, in all threads. */
template <class Group, class T>
__device__ T reflect_column(const Group &g, int m, int k, const tile<T> &a) {
    using R = real_type<T>;
    const T head = a(k, k);
    R most = 0;
    for (int i = k + 1 + g.rank; i < m; i += g.size) {
        const R size = sure(largest_part(a(i, k)));
        most = size > most ? size : most;
    }
    most = g.reduce(most, take_largest());
    R sum = 0;
    for (int i = k + 1 + g.rank; most > 0 && i < m; i += g.size) {
        sum += square_of(a(i, k) / most);
    }
    sum = g.reduce(sum, take_sum());
    if (most == 0 && imaginary_part(head) == 0) {
        return number_of<T>(0);
    }
    const R size = hypotenuse(most * sqrt(sum), modulus(head));
    const R beta = real_part(head) >= 0 ? -size : size;
    const T divisor = head - number_of<T>(beta);
    for (int i = k + g.rank; i < m; i += g.size) {
        a(i, k) = i == k ? number_of<T>(beta) : a(i, k) / divisor;
    }
    g.sync();
    return (number_of<T>(beta) - head) / beta;
}

/* x := (I - factor v v^H) x for columns first ... end - 1, v as reflect_column leaves it in column
 * k of a. */
template <class Group, class T>
__device__ void apply_reflection(const Group &g, int m, int k, T factor, const tile<T> &a,
                                 int first, int end, const tile<T> &x) {
    for (int j = first + g.team; j < end; j += g.teams) {
        T sum = number_of<T>(0);
        for (int i = k + g.member; i < m; i += g.members) {
            sum += i == k ? x(i, j) : conjugate(a(i, k)) * x(i, j);
        }
        sum = factor * g.team_sum(sum);
        g.team_sync();
        for (int i = k + g.member; i < m; i += g.members) {
            x(i, j) -= i == k ? sum : sum * a(i, k);
        }
    }
    g.sync();
}

/* A = Q R in place: R on and above the diagonal, the reflections below and in tau. */
template <class Group, class T>
__device__ void factor_qr(const Group &g, int m, int n, const tile<T> &a, T *tau) {
    for (int k = 0; k < m && k < n; ++k) {
        const T t = reflect_column(g, m, k, a);
        if (g.rank == 0) {
            tau[k] = t;
        }
        apply_reflection(g, m, k, conjugate(t), a, k + 1, n, a);
    }
    g.sync();
}

/* The first `columns` columns of Q from `count` reflections. */
template <class Group, class T>
__device__ void form_q(const Group &g, int m, int columns, int count, const tile<T> &a,
                       const T *tau, const tile<T> &q) {
    set_identity(g, m, columns, q);
    for (int k = count - 1; k >= 0; --k) {
        apply_reflection(g, m, k, tau[k], a, k, columns, q);
    }
}

} // namespace linalg
} // namespace gm
