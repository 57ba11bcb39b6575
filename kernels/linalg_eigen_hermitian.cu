/*
 * Hermitian eigenvalues, A = V diag(w) V^H, and the roots of positive semidefinite matrices,
 * S = V diag(f(w)) V^H with f(w) = sqrt(w) or 1 / sqrt(w).
 *
 * Jacobi's cyclic method: J^H A J annihilates the entries (p, q), (q, p), V := V J. A round of the
 * tournament rotates n / 2 pairs at once, each by its own neighbouring threads: first all pairs'
 * columns of A and V, a barrier, then their rows of A, a barrier. What is annihilated is set to
 * exactly 0. Sweeps end when one has rotated nothing, so when each |a_pq| <= eps |A| / 8 (n + 1);
 * after 40 it is NOT_CONVERGED. Order, sharing and sums depend on n alone.
 *
 * Scratch: A, V (a third matrix for the roots), the round's rotations, w and its order: for 32 in
 * shared memory 17 KiB of double, 34 of complex double. Ladder: (1) one thread rotates a pair, the
 * others wait; (2) this one: 16 pairs side by side, two lanes each at 32. Not yet run on a GPU.
 * Source: Golub, Van Loan, 8.5.
 */
#include "kernels/linalg_spectral_vendor.cuh"
#include "kernels/linalg_table.cuh"

namespace gm {
namespace {

using namespace linalg;

/* product: n x k, for the roots. */
template <class T, bool with_product> struct hermitian_scratch {
    tile<T> a, v, product;
    rotation<T> *kept;
    real_type<T> *w;
    int *order;

    __host__ __device__ constexpr hermitian_scratch(arena &memory, const dims &d)
        : a(memory.take_tile<T>(d, d.n, d.n)), v(memory.take_tile<T>(d, d.n, d.n)),
          product(memory.take_tile<T>(d, d.n, with_product ? d.k : 0)),
          kept(memory.take<rotation<T>>((d.n + 1) / 2)), w(memory.take<real_type<T>>(d.n)),
          order(memory.take<int>(d.n)) {
    }
    __device__ const tile<T> &matrix() const {
        return a;
    }
};

/* The columns of a round's pairs in a and v; true if this thread's were rotated. */
template <class T, class Group, class Scratch>
__device__ bool rotate_columns(const Group &g, const Scratch &s, int n, real_type<T> enough,
                               int round) {
    const pair_split split = split_pairs(g, n);
    bool rotated = false;
    for (int first = 0; first < pairs_of(n); first += split.groups) {
        const int index = first + split.group;
        const column_pair at = pair_of(n, round, index);
        rotation<T> j = {0, 0, number_of<T>(0)};
        if (at.used && modulus(s.a(at.p, at.q)) > enough) {
            j = rotation_of(real_part(s.a(at.p, at.p)), real_part(s.a(at.q, at.q)), s.a(at.p, at.q),
                            modulus(s.a(at.p, at.q)));
            rotated = true;
        }
        __syncwarp(split.mask); /* the pair's threads have read what they write now */
        if (split.member == 0 && index < pairs_of(n)) {
            s.kept[index] = j;
        }
        for (int i = j.c > 0 ? split.member : n; i < n; i += split.width) {
            rotate(j, s.a(i, at.p), s.a(i, at.q));
            rotate(j, s.v(i, at.p), s.v(i, at.q));
        }
    }
    g.sync();
    return rotated;
}

template <class T, class Group, class Scratch>
__device__ void rotate_rows(const Group &g, const Scratch &s, int n, int round) {
    const pair_split split = split_pairs(g, n);
    for (int index = split.group; index < pairs_of(n); index += split.groups) {
        const column_pair at = pair_of(n, round, index);
        const rotation<T> kept = s.kept[index], j = {kept.c, kept.s, conjugate(kept.phase)};
        for (int i = j.c > 0 ? split.member : n; i < n; i += split.width) {
            T x = s.a(at.p, i), y = s.a(at.q, i);
            rotate(j, x, y);
            const bool annihilated = i == at.p || i == at.q;
            x = annihilated ? number_of<T>(i == at.p ? real_part(x) : 0) : x;
            y = annihilated ? number_of<T>(i == at.q ? real_part(y) : 0) : y;
            s.a(at.p, i) = x;
            s.a(at.q, i) = y;
        }
    }
    g.sync();
}

/* s.a to s.w, by s.order ascending, and s.v. Ends with a barrier. */
template <class T, class Group, class Scratch>
__device__ bool diagonalize(const Group &g, const Scratch &s, int n, real_type<T> norm) {
    using R = real_type<T>;
    const R enough = epsilon<R> / 8 * norm / static_cast<R>(n + 1);
    set_identity(g, n, n, s.v);
    bool done = false;
    for (int sweep = 0; sweep < MOST_SWEEPS && !done; ++sweep) {
        bool rotated = false;
        for (int round = 0; round < rounds_of(n); ++round) {
            rotated |= rotate_columns<T>(g, s, n, enough, round);
            rotate_rows<T>(g, s, n, round);
        }
        done = g.all(!rotated);
    }
    for (int j = g.rank; j < n; j += g.size) {
        s.w[j] = real_part(s.a(j, j));
    }
    g.sync();
    sort_order(g, n, false, s.w, s.order);
    return done;
}

/* min |w| / max |w| */
template <class R> __device__ R ratio_of_moduli(int n, const R *w) {
    R least = n > 0 ? fabs(w[0]) : R(1), most = least;
    for (int i = 1; i < n; ++i) {
        least = fabs(w[i]) < least ? fabs(w[i]) : least;
        most = fabs(w[i]) > most ? fabs(w[i]) : most;
    }
    return most > 0 ? least / most : R(0);
}

/* ---- eigenvalues ----------------------------------------------------------------------------- */

template <class Item, bool with_product> struct hermitian_item : spectral_item<Item> {
    template <class T> using scratch = hermitian_scratch<T, with_product>;
    static constexpr vendor_spectrum_kind kind = VENDOR_HERMITIAN;

    template <class T>
    static __device__ hermitian_entries<T> entries(const gm_linalg_args &args, int64_t problem) {
        return {view_of<T>(args, args.in[0], problem)};
    }
    /* The exponent of the scale is a multiple of this: of 2^exponent there must be a root. */
    static constexpr int step = with_product ? 2 : 1;

    template <class T, class Group>
    static __device__ bool decompose(const Group &g, const gm_linalg_args &args,
                                     const scratch<T> &s, real_type<T> norm) {
        return diagonalize<T>(g, s, static_cast<int>(args.in[0].rows), norm);
    }
};

struct eigen_hermitian_item : hermitian_item<eigen_hermitian_item, false> {
    static dims sizes(const gm_linalg_args &args) {
        return sizes_of(args, 0);
    }
    static bool wants_vectors(const gm_linalg_args &args) {
        return args.out[1].data != nullptr;
    }

    template <class T, class Group>
    static __device__ outcome<real_type<T>> conclude(const Group &g, const gm_linalg_args &args,
                                                     int64_t problem, const scratch<T> &s,
                                                     const loaded<real_type<T>> &a) {
        using R = real_type<T>;
        const int n = static_cast<int>(args.in[0].rows);
        outcome<R> result = {GM_STATUS_OK, true, ratio_of_moduli(n, s.w), 0, 0};
        if (args.residual.data != nullptr) { /* |A V - V diag(w)| / |A| */
            load_at(g, entries<T>(args, problem), n, n, a.exponent, s.a);
            const auto error = [&](int i, int j) {
                return dot(i, j, 0, n, s.a, s.v) - s.v(i, j) * s.w[j];
            };
            result.residual = relative_norm(g, n, n, error, a.norm);
        }
        const bool good = store(g, view_of<R>(args, args.out[0], problem), [&](int i, int) {
            return times_power_of_2(s.w[s.order[i]], a.exponent);
        });
        (void)store(g, view_of<T>(args, args.out[1], problem),
                    [&](int i, int j) { return s.v(i, s.order[j]); });
        return good ? result : failed<R>(GM_STATUS_NON_FINITE);
    }
};

/* ---- roots ----------------------------------------------------------------------------------- */

struct root_item : hermitian_item<root_item, true> {
    static dims sizes(const gm_linalg_args &args) {
        const bool product =
            args.kind == GM_LINALG_INVERSE_SQRT_PSD && args.residual.data != nullptr;
        return sizes_of(args, product ? args.in[0].columns : 0);
    }
    static bool wants_vectors(const gm_linalg_args &) {
        return true;
    }

    /* f(w) in place of w; false where the matrix has none. */
    template <class R, class Group>
    static __device__ bool roots_of(const Group &g, bool inverse, int n, R *w, const int *order) {
        const R small = n > 0 ? static_cast<R>(n) * epsilon<R> * fabs(w[order[n - 1]]) : R(0);
        g.sync(); /* all have read the largest */
        bool there = true;
        for (int i = g.rank; i < n; i += g.size) {
            there = there && (inverse ? w[i] > small : w[i] >= -small);
            const R root = sqrt(w[i] > 0 ? w[i] : R(0));
            w[i] = inverse ? 1 / root : root;
        }
        return g.all(there);
    }

    /* s.a := V diag(w) V^H, Hermitian to the bit. Ends with a barrier. */
    template <class T, class Group, class Scratch>
    static __device__ void assemble(const Group &g, const Scratch &s, int n) {
        for (int e = g.rank; e < n * n; e += g.size) {
            const int i = e % n, j = e / n;
            T sum = number_of<T>(0);
            for (int k = i < j ? n : 0; k < n; ++k) {
                sum += s.v(i, k) * s.w[k] * conjugate(s.v(j, k));
            }
            if (i == j) {
                s.a(i, i) = number_of<T>(real_part(sum));
            } else if (i > j) {
                s.a(i, j) = sum;
                s.a(j, i) = conjugate(sum);
            }
        }
        g.sync();
    }

    /* |S S - A| / |A|, or |T A T - I| / (|T|^2 |A|) */
    template <class T, class Group, class Scratch>
    static __device__ real_type<T> residual(const Group &g, const Scratch &s, bool inverse, int n,
                                            const hermitian_entries<T> &from,
                                            const loaded<real_type<T>> &a) {
        load_at(g, from, n, n, a.exponent, s.v);
        if (!inverse) {
            const auto error = [&](int i, int j) { return dot(i, j, 0, n, s.a, s.a) - s.v(i, j); };
            return relative_norm(g, n, n, error, a.norm);
        }
        multiply(g, n, n, n, s.a, s.v, s.product);
        const real_type<T> root = norm(g, n, n, s.a);
        const auto error = [&](int i, int j) {
            return dot(i, j, 0, n, s.product, s.a) - number_of<T>(i == j);
        };
        return relative_norm(g, n, n, error, root * root * a.norm);
    }

    template <class T, class Group>
    static __device__ outcome<real_type<T>> conclude(const Group &g, const gm_linalg_args &args,
                                                     int64_t problem, const scratch<T> &s,
                                                     const loaded<real_type<T>> &a) {
        using R = real_type<T>;
        const int n = static_cast<int>(args.in[0].rows);
        const bool inverse = args.kind == GM_LINALG_INVERSE_SQRT_PSD;
        outcome<R> result = {GM_STATUS_OK, true, ratio_of_moduli(n, s.w), 0, 0};
        if (!roots_of(g, inverse, n, s.w, s.order)) {
            const R rcond = result.rcond;
            result = failed<R>(GM_STATUS_SINGULAR);
            result.rcond = rcond;
            return result;
        }
        assemble<T>(g, s, n);
        if (args.residual.data != nullptr) {
            result.residual = residual(g, s, inverse, n, entries<T>(args, problem), a);
        }
        const int half = inverse ? -a.exponent / 2 : a.exponent / 2;
        const bool finite = store(g, view_of<T>(args, args.out[0], problem),
                                  [&](int i, int j) { return times_power_of_2(s.a(i, j), half); });
        return finite ? result : failed<R>(GM_STATUS_NON_FINITE);
    }
};

const row eigen_hermitian_rows[] = GM_LINALG_SPECTRAL_ROWS(eigen_hermitian_item, "eigen_hermitian");

const row root_rows[] = GM_LINALG_SPECTRAL_ROWS(root_item, "root");

} // namespace

GM_LINALG_DEFINE(eigen_hermitian, eigen_hermitian_rows)
GM_LINALG_DEFINE(sqrt_psd, root_rows)
GM_LINALG_DEFINE(inverse_sqrt_psd, root_rows)

} // namespace gm
