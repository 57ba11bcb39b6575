/*
 * Singular values, A = U diag(s) V^H, the pseudoinverse, A^+ = V diag(1/s) U^H over the values
 * above the cutoff, and least squares of least norm, X = A^+ B.
 *
 * One-sided Jacobi (Hestenes) on W = A, or A^H where A has more columns than rows: pairs of columns
 * of W are rotated until all are orthogonal, W J_1 J_2 ... = U diag(s), V = J_1 J_2 ... A round of
 * the tournament takes n / 2 pairs at once, each by its own neighbouring threads, which keep to
 * their rows: a round has one barrier. A pair is orthogonal where |x^H y| <= eps sqrt(rows) |x|
 * |y|, so that small values come out as exact as large ones; after 40 sweeps it is NOT_CONVERGED.
 * The squares of the columns are taken once a sweep and follow the rotations in it. Columns that
 * vanish, and those of a complete basis, are completed by an axis less its part in the span of the
 * others, the axis that they span least. Order, sharing and sums depend on the sizes alone.
 *
 * Scratch: W, V (and for the pseudoinverse a third matrix), s and its order: for 32 in shared
 * memory 17 KiB of double, 34 of complex double, half as much again for the pseudoinverse. Ladder:
 * (1) one thread rotates a pair, the others wait; (2) this one: 16 pairs side by side, two lanes
 * each at 32. Not yet run on a GPU. Source: Golub, Van Loan, 8.6.3; Hestenes (1958).
 */
#include "kernels/linalg_solve.cuh"
#include "kernels/linalg_spectral_vendor.cuh"
#include "kernels/linalg_table.cuh"

namespace gm {
namespace {

using namespace linalg;

/* Below this a column of a matrix of size 1 is rounding, and its square is still a number. */
template <class R> constexpr R NOTHING = epsilon<R> *epsilon<R>;

inline __host__ __device__ constexpr int long_side(const dims &d) {
    return d.m > d.n ? d.m : d.n;
}
inline __host__ __device__ constexpr int short_side(const dims &d) {
    return d.m < d.n ? d.m : d.n;
}

/* w: long side x k, k at least the short side. inverse: the third matrix, like w. */
template <class T, bool with_inverse> struct svd_scratch {
    tile<T> w, v, inverse;
    real_type<T> *values;
    int *order;   /* values[order[0]] is the largest */
    int *missing; /* columns of w that are still to be found */
    T *dots;

    __host__ __device__ constexpr svd_scratch(arena &memory, const dims &d)
        : w(memory.take_tile<T>(d, long_side(d), d.k)),
          v(memory.take_tile<T>(d, short_side(d), short_side(d))),
          inverse(memory.take_tile<T>(d, long_side(d), with_inverse ? short_side(d) : 0)),
          values(memory.take<real_type<T>>(short_side(d))), order(memory.take<int>(short_side(d))),
          missing(memory.take<int>(d.k)), dots(memory.take<T>(d.k)) {
    }
    __device__ const tile<T> &matrix() const {
        return w;
    }
};

/* A problem: rows >= columns, of w `wanted` columns in the end. */
struct svd_sizes {
    int rows, columns, wanted;
    bool adjoint, vectors;
};

/* One round on w and v; true if this thread's pair was rotated. */
template <class T, class Group, class Scratch>
__device__ bool orthogonalize(const Group &g, const Scratch &s, const svd_sizes &z, int round) {
    using R = real_type<T>;
    const R enough = epsilon<R> * sqrt(static_cast<R>(z.rows)), zero = NOTHING<R> * NOTHING<R>;
    const pair_split split = split_pairs(g, z.columns);
    bool rotated = false;
    for (int first = 0; first < pairs_of(z.columns); first += split.groups) {
        const column_pair at = pair_of(z.columns, round, first + split.group);
        const R xx = at.used ? s.values[at.p] : R(0), yy = at.used ? s.values[at.q] : R(0);
        T xy = number_of<T>(0);
        for (int i = at.used ? split.member : z.rows; i < z.rows; i += split.width) {
            xy += conjugate(s.w(i, at.p)) * s.w(i, at.q);
        }
        xy = pair_sum(split, xy);
        __syncwarp(split.mask); /* the pair's threads have read the squares */
        const R size = modulus(xy);
        if (xx > zero && yy > zero && size > enough * sqrt(xx) * sqrt(yy)) {
            const rotation<T> j = rotation_of(xx, yy, xy, size);
            rotated = true;
            if (split.member == 0) {
                s.values[at.p] = xx - j.s / j.c * size;
                s.values[at.q] = yy + j.s / j.c * size;
            }
            for (int i = split.member; i < z.rows; i += split.width) {
                rotate(j, s.w(i, at.p), s.w(i, at.q));
            }
            for (int i = z.vectors ? split.member : z.columns; i < z.columns; i += split.width) {
                rotate(j, s.v(i, at.p), s.v(i, at.q));
            }
        }
    }
    g.sync();
    return rotated;
}

/* The squares of the columns, to s.values. Rotations move them from column to column; they are
 * taken anew in every sweep. Ends with a barrier. */
template <class T, class Group, class Scratch>
__device__ void take_squares(const Group &g, const Scratch &s, const svd_sizes &z) {
    for (int j = g.team; j < z.columns; j += g.teams) {
        real_type<T> sum = 0;
        for (int i = g.member; i < z.rows; i += g.members) {
            sum += square_of(s.w(i, j));
        }
        sum = g.team_sum(sum);
        if (g.member == 0) {
            s.values[j] = sum;
        }
    }
    g.sync();
}

/* Norms of the columns, their order, and the columns over their norms. Ends with a barrier. */
template <class T, class Group, class Scratch>
__device__ void normalize(const Group &g, const Scratch &s, const svd_sizes &z) {
    using R = real_type<T>;
    take_squares<T>(g, s, z);
    for (int j = g.team; j < z.wanted; j += g.teams) {
        const R size = j < z.columns ? sqrt(s.values[j]) : R(0);
        g.team_sync(); /* the team has read it */
        for (int i = size > NOTHING<R> ? g.member : z.rows; i < z.rows; i += g.members) {
            s.w(i, j) = s.w(i, j) / size;
        }
        if (g.member == 0) {
            s.missing[j] = size > NOTHING<R> ? 0 : 1;
            if (j < z.columns) {
                s.values[j] = size;
            }
        }
    }
    g.sync();
    sort_order(g, z.columns, true, s.values, s.order);
}

/* The axis that the columns found so far span least: its part outside has a square of 1 / rows or
 * more. */
template <class T, class Group, class Scratch>
__device__ int least_spanned(const Group &g, const Scratch &s, const svd_sizes &z) {
    candidate<real_type<T>> best = {-1, z.rows};
    for (int i = g.rank; i < z.rows; i += g.size) {
        real_type<T> rest = 1;
        for (int k = 0; k < z.wanted; ++k) {
            rest -= s.missing[k] != 0 ? 0 : square_of(s.w(i, k));
        }
        best = take_largest()(best, candidate<real_type<T>>{rest, i});
    }
    return g.reduce(best, take_largest()).row;
}

/* Column c of w: the least spanned axis less its part in the span of those found, twice. Ends with
 * a barrier. */
template <class T, class Group, class Scratch>
__device__ void complete_column(const Group &g, const Scratch &s, const svd_sizes &z, int c) {
    const int axis = least_spanned<T>(g, s, z);
    real_type<T> sum = 0;
    for (int i = g.rank; i < z.rows; i += g.size) {
        s.w(i, c) = number_of<T>(i == axis);
    }
    g.sync();
    for (int pass = 0; pass < 2; ++pass) {
        for (int k = g.team; k < z.wanted; k += g.teams) {
            T dot = number_of<T>(0);
            for (int i = s.missing[k] == 0 ? g.member : z.rows; i < z.rows; i += g.members) {
                dot += conjugate(s.w(i, k)) * s.w(i, c);
            }
            dot = g.team_sum(dot);
            if (g.member == 0) {
                s.dots[k] = dot;
            }
        }
        g.sync();
        sum = 0;
        for (int i = g.rank; i < z.rows; i += g.size) {
            T value = s.w(i, c);
            for (int k = 0; k < z.wanted; ++k) {
                value -= s.missing[k] != 0 ? number_of<T>(0) : s.w(i, k) * s.dots[k];
            }
            s.w(i, c) = value;
            sum += square_of(value);
        }
        g.sync();
    }
    const real_type<T> size = sqrt(g.reduce(sum, take_sum()));
    for (int i = g.rank; i < z.rows; i += g.size) {
        s.w(i, c) = s.w(i, c) / size;
    }
    if (g.rank == 0) {
        s.missing[c] = 0;
    }
    g.sync();
}

/* s.w to s.w diag(s.values) s.v^H. Ends with a barrier. False: no convergence. */
template <class T, class Group, class Scratch>
__device__ bool singular_values(const Group &g, const Scratch &s, const svd_sizes &z) {
    if (z.vectors) {
        set_identity(g, z.columns, z.columns, s.v);
    }
    bool done = false;
    for (int sweep = 0; sweep < MOST_SWEEPS && !done; ++sweep) {
        bool rotated = false;
        take_squares<T>(g, s, z);
        for (int round = 0; round < rounds_of(z.columns); ++round) {
            rotated |= orthogonalize<T>(g, s, z, round);
        }
        done = g.all(!rotated);
    }
    normalize<T>(g, s, z);
    for (int c = 0; z.vectors && c < z.wanted; ++c) {
        if (s.missing[c] != 0) { /* the same in every thread: a barrier is before it */
            complete_column<T>(g, s, z, c);
        }
    }
    return done;
}

/* s_min / s_max */
template <class Scratch> __device__ auto ratio_of_values(int n, const Scratch &s) {
    using R = std::decay_t<decltype(s.values[0])>;
    return n == 0                     ? R(1)
           : s.values[s.order[0]] > 0 ? s.values[s.order[n - 1]] / s.values[s.order[0]]
                                      : R(0);
}

/* ---- singular values ------------------------------------------------------------------------- */

template <class Item, bool with_inverse> struct singular_item : spectral_item<Item> {
    template <class T> using scratch = svd_scratch<T, with_inverse>;
    static constexpr vendor_spectrum_kind kind = VENDOR_SINGULAR;
    static constexpr int step = 1;

    template <class T>
    static __device__ tall_entries<T> entries(const gm_linalg_args &args, int64_t problem) {
        return {view_of<T>(args, args.in[0], problem), args.in[0].rows < args.in[0].columns};
    }

    template <class T, class Group>
    static __device__ bool decompose(const Group &g, const gm_linalg_args &args,
                                     const scratch<T> &s, real_type<T>) {
        return singular_values<T>(g, s, Item::sizes_here(args));
    }
};

inline __host__ __device__ svd_sizes sizes_of_svd(const gm_linalg_args &args, int wanted,
                                                  bool vectors) {
    const int m = static_cast<int>(args.in[0].rows), n = static_cast<int>(args.in[0].columns);
    return {m > n ? m : n, m > n ? n : m, wanted, m < n, vectors};
}

struct svd_item : singular_item<svd_item, false> {
    /* Columns of the long side's basis. */
    static __host__ __device__ int wanted(const gm_linalg_args &args) {
        const int64_t m = args.in[0].rows, n = args.in[0].columns;
        const gm_linalg_matrix &basis = args.out[m < n ? 2 : 0];
        const int64_t columns = basis.data == nullptr ? 0 : m < n ? basis.rows : basis.columns;
        const int64_t least = m < n ? m : n;
        return static_cast<int>(columns > least ? columns : least);
    }

    static dims sizes(const gm_linalg_args &args) {
        return sizes_of(args, wanted(args));
    }
    static __host__ __device__ bool wants_vectors(const gm_linalg_args &args) {
        return args.out[0].data != nullptr || args.out[2].data != nullptr;
    }
    static __host__ __device__ svd_sizes sizes_here(const gm_linalg_args &args) {
        return sizes_of_svd(args, wanted(args), wants_vectors(args));
    }

    template <class T, class Group>
    static __device__ bool store_results(const Group &g, const gm_linalg_args &args,
                                         int64_t problem, const scratch<T> &s, const svd_sizes &z,
                                         int exponent) {
        using R = real_type<T>;
        const auto column = [&](int j) { return j < z.columns ? s.order[j] : j; };
        (void)store(g, view_of<T>(args, args.out[0], problem), [&](int i, int j) {
            return z.adjoint ? s.v(i, s.order[j]) : s.w(i, column(j));
        });
        (void)store(g, view_of<T>(args, args.out[2], problem), [&](int i, int j) {
            return conjugate(z.adjoint ? s.w(j, column(i)) : s.v(j, s.order[i]));
        });
        return store(g, view_of<R>(args, args.out[1], problem),
                     [&](int i, int) { return times_power_of_2(s.values[s.order[i]], exponent); });
    }

    template <class T, class Group>
    static __device__ outcome<real_type<T>> conclude(const Group &g, const gm_linalg_args &args,
                                                     int64_t problem, const scratch<T> &s,
                                                     const loaded<real_type<T>> &a) {
        using R = real_type<T>;
        const svd_sizes z = sizes_here(args);
        const tall_entries<T> from = entries<T>(args, problem);
        outcome<R> result = {GM_STATUS_OK, true, ratio_of_values(z.columns, s), 0, 0};
        if (args.residual.data != nullptr) { /* |A - U S V^H| / |A| */
            const auto error = [&](int i, int j) {
                T sum = -times_power_of_2(from(i, j), -a.exponent);
                for (int k = 0; k < z.columns; ++k) {
                    sum += s.w(i, k) * s.values[k] * conjugate(s.v(j, k));
                }
                return sum;
            };
            result.residual = relative_norm(g, z.rows, z.columns, error, a.norm);
        }
        return store_results<T>(g, args, problem, s, z, a.exponent)
                   ? result
                   : failed<R>(GM_STATUS_NON_FINITE);
    }
};

/* ---- the pseudoinverse ----------------------------------------------------------------------- */

/* What it shares with least squares. */
template <class Item> struct inverting_item : singular_item<Item, true> {
    template <class T> using scratch = svd_scratch<T, true>;

    static dims sizes(const gm_linalg_args &args) {
        return sizes_of(args, sizes_here(args).wanted);
    }
    static bool wants_vectors(const gm_linalg_args &) {
        return true;
    }
    static __host__ __device__ svd_sizes sizes_here(const gm_linalg_args &args) {
        const int64_t m = args.in[0].rows, n = args.in[0].columns;
        return sizes_of_svd(args, static_cast<int>(m < n ? m : n), true);
    }

    template <class R> static __device__ R cutoff_of(const gm_linalg_args &args) {
        if constexpr (sizeof(R) == 4) {
            return args.cutoff_f32;
        } else {
            return args.cutoff;
        }
    }

    /* s.inverse := (W^+)^H; returns the rank. Ends with a barrier. */
    template <class T, class Group>
    static __device__ int invert(const Group &g, const scratch<T> &s, const svd_sizes &z,
                                 real_type<T> cutoff) {
        const real_type<T> least = z.columns > 0 ? cutoff * s.values[s.order[0]] : 0;
        int rank = 0;
        for (int k = 0; k < z.columns; ++k) {
            rank += s.values[k] > least ? 1 : 0;
        }
        set(g, z.rows, z.columns, s.inverse, [&](int i, int j) {
            T sum = number_of<T>(0);
            for (int k = 0; k < rank; ++k) {
                const int at = s.order[k];
                sum += s.w(i, at) * (conjugate(s.v(j, at)) / s.values[at]);
            }
            return sum;
        });
        return rank;
    }
};

struct pseudoinverse_item : inverting_item<pseudoinverse_item> {
    /* |W W^+ W - W| / (|W|^2 |W^+|) */
    template <class T, class Group>
    static __device__ real_type<T> residual(const Group &g, const scratch<T> &s, const svd_sizes &z,
                                            const tall_entries<T> &from,
                                            const loaded<real_type<T>> &a) {
        load_at(g, from, z.rows, z.columns, a.exponent, s.w);
        set(g, z.columns, z.columns, s.v, [&](int i, int j) {
            T sum = number_of<T>(0);
            for (int k = 0; k < z.rows; ++k) {
                sum += conjugate(s.inverse(k, i)) * s.w(k, j);
            }
            return sum;
        });
        const auto error = [&](int i, int j) {
            return dot(i, j, 0, z.columns, s.w, s.v) - s.w(i, j);
        };
        const real_type<T> size = norm(g, z.rows, z.columns, s.inverse);
        return relative_norm(g, z.rows, z.columns, error, a.norm * a.norm * size);
    }

    template <class T, class Group>
    static __device__ outcome<real_type<T>> conclude(const Group &g, const gm_linalg_args &args,
                                                     int64_t problem, const scratch<T> &s,
                                                     const loaded<real_type<T>> &a) {
        using R = real_type<T>;
        const svd_sizes z = sizes_here(args);
        outcome<R> result = {GM_STATUS_OK, true, ratio_of_values(z.columns, s), 0, 0};
        result.rank = invert(g, s, z, cutoff_of<R>(args));
        if (args.residual.data != nullptr) {
            result.residual = residual(g, s, z, entries<T>(args, problem), a);
        }
        const bool good = store(g, view_of<T>(args, args.out[0], problem), [&](int i, int j) {
            return times_power_of_2(z.adjoint ? s.inverse(i, j) : conjugate(s.inverse(j, i)),
                                    -a.exponent);
        });
        return good ? result : failed<R>(GM_STATUS_NON_FINITE);
    }
};

const row svd_rows[] = GM_LINALG_SPECTRAL_ROWS(svd_item, "svd");

const row pseudoinverse_rows[] = GM_LINALG_SPECTRAL_ROWS(pseudoinverse_item, "pseudoinverse");

/* ---- least squares --------------------------------------------------------------------------- */

/* X = A^+ B, min(m, n) columns at a time: X and A X - B are where W and V were, the longer of the
 * two in W. All is of the scaled A; X is scaled when it is stored. */
struct least_squares_item : inverting_item<least_squares_item> {
    /* x = A^+ b */
    template <class T, class Group>
    static __device__ void apply(const Group &g, const scratch<T> &s, const svd_sizes &z,
                                 const view<T> &b, int n, const tile<T> &x) {
        set(g, n, b.columns, x, [&](int i, int j) {
            T sum = number_of<T>(0);
            for (int k = 0; k < b.rows; ++k) {
                sum += (z.adjoint ? s.inverse(i, k) : conjugate(s.inverse(k, i))) * b(k, j);
            }
            return sum;
        });
    }

    /* Adds |A^H (A x - b)| / |A|, and |x| and |b|. */
    template <class T, class Group>
    static __device__ void add_residual(const Group &g, const view<T> &a, int exponent,
                                        real_type<T> norm_of_a, const tile<T> &x, const view<T> &b,
                                        const tile<T> &rest, solve_norms<real_type<T>> &norms) {
        using R = real_type<T>;
        const auto scaled = [&](int i, int j) { return times_power_of_2(a(i, j), -exponent); };
        set(g, b.rows, b.columns, rest,
            [&](int i, int j) { return dot(i, j, 0, a.columns, scaled, x) - b(i, j); });
        const R size_x = norm(g, a.columns, b.columns, x), size_b = norm(g, b.rows, b.columns, b);
        const R scale = norm_of_a * size_x + size_b;
        const auto turned = [&](int i, int j) { return conjugate(scaled(j, i)) / norm_of_a; };
        const auto normal = [&](int i, int j) { return dot(i, j, 0, b.rows, turned, rest); };
        const R error =
            norm_of_a > 0 ? relative_norm(g, a.columns, b.columns, normal, scale) : R(0);
        norms.error = hypotenuse(norms.error, error > 0 ? error * scale : R(0));
        norms.x = hypotenuse(norms.x, size_x);
        norms.b = hypotenuse(norms.b, size_b);
    }

    template <class T, class Group>
    static __device__ outcome<real_type<T>> conclude(const Group &g, const gm_linalg_args &args,
                                                     int64_t problem, const scratch<T> &s,
                                                     const loaded<real_type<T>> &from) {
        using R = real_type<T>;
        const svd_sizes z = sizes_here(args);
        const view<T> a = view_of<T>(args, args.in[0], problem);
        const view<T> b = view_of<T>(args, args.in[1], problem);
        const view<T> out = view_of<T>(args, args.out[0], problem);
        const tile<T> x = z.adjoint ? s.w : s.v, rest = z.adjoint ? s.v : s.w;
        if (!finite(g, b)) {
            return failed<R>(GM_STATUS_NON_FINITE);
        }
        outcome<R> result = {GM_STATUS_OK, true, ratio_of_values(z.columns, s), 0, 0};
        result.rank = invert(g, s, z, cutoff_of<R>(args));
        if (z.columns == 0) {
            (void)store(g, out, [](int, int) { return number_of<T>(0); });
            return result;
        }
        solve_norms<R> norms = {0, 0, 0};
        bool good = true;
        for (int first = 0; first < b.columns; first += z.columns) {
            const int left = b.columns - first, count = left < z.columns ? left : z.columns;
            const view<T> right = columns_of(b, first, count);
            apply(g, s, z, right, a.columns, x);
            if (args.residual.data != nullptr) {
                add_residual(g, a, from.exponent, from.norm, x, right, rest, norms);
            }
            good &= store(g, columns_of(out, first, count),
                          [&](int i, int j) { return times_power_of_2(x(i, j), -from.exponent); });
        }
        result.residual = norms.residual(from.norm);
        return good ? result : failed<R>(GM_STATUS_NON_FINITE);
    }
};

const row least_squares_rows[] = GM_LINALG_SPECTRAL_ROWS(least_squares_item, "least_squares");

} // namespace

GM_LINALG_DEFINE(svd, svd_rows)
GM_LINALG_DEFINE(pseudoinverse, pseudoinverse_rows)
GM_LINALG_DEFINE(least_squares, least_squares_rows)

} // namespace gm
