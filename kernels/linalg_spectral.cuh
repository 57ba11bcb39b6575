/*
 * What the kernels of singular values and eigenvalues share: loading a problem so that its largest
 * part is in [1, 2), so that squares neither overflow nor lose what counts; the order of the
 * results; the tournament in which pairs of columns meet.
 */
#pragma once

#include "kernels/linalg_group.cuh"

namespace gm {
namespace linalg {

/* ---- where a problem's entries come from ----------------------------------------------------- */

/* Of a matrix with more columns than rows, its adjoint. */
template <class T> struct tall_entries {
    view<T> a;
    bool adjoint;
    __device__ __forceinline__ T operator()(int i, int j) const {
        return adjoint ? conjugate(a(j, i)) : a(i, j);
    }
};

/* Of a Hermitian matrix what is below the diagonal and the diagonal's real part. */
template <class T> struct hermitian_entries {
    view<T> a;
    __device__ __forceinline__ T operator()(int i, int j) const {
        return i > j ? a(i, j) : i < j ? conjugate(a(j, i)) : number_of<T>(real_part(a(i, i)));
    }
};

__device__ __forceinline__ float times_power_of_2(float x, int e) {
    return ldexpf(x, e);
}
__device__ __forceinline__ double times_power_of_2(double x, int e) {
    return ldexp(x, e);
}
template <class R> __device__ __forceinline__ complex<R> times_power_of_2(complex<R> x, int e) {
    return {times_power_of_2(x.x, e), times_power_of_2(x.y, e)};
}
__device__ __forceinline__ int exponent_of(float x) {
    return ilogbf(x);
}
__device__ __forceinline__ int exponent_of(double x) {
    return ilogb(x);
}

/* to := 2^-exponent entries. Ends with a barrier. */
template <class T, class Group, class Entries>
__device__ void load_at(const Group &g, const Entries &entries, int rows, int columns, int exponent,
                        const tile<T> &to) {
    set(g, rows, columns, to,
        [&](int i, int j) { return times_power_of_2(entries(i, j), -exponent); });
}

/* A problem as it was loaded: 2^-exponent times what it is. norm: Frobenius, of what was loaded. */
template <class R> struct loaded {
    bool finite;
    int exponent;
    R norm;
};

/* Loads with an exponent that is a multiple of `step`: 1 or 2. */
template <class T, class Group, class Entries>
__device__ loaded<real_type<T>> load_scaled(const Group &g, const Entries &entries, int rows,
                                            int columns, int step, const tile<T> &to) {
    using R = real_type<T>;
    R largest = 0;
    bool good = true;
    for (int j = g.team; j < columns; j += g.teams) {
        for (int i = g.member; i < rows; i += g.members) {
            const T value = entries(i, j);
            good = good && is_finite(value);
            largest = take_largest()(largest, good ? largest_part(value) : R(0));
        }
    }
    if (!g.all(good)) {
        return {false, 0, 0};
    }
    largest = g.reduce(largest, take_largest());
    const int found = largest > 0 ? exponent_of(largest) : 0;
    const int exponent = found - (found % step + step) % step;
    load_at(g, entries, rows, columns, exponent, to);
    return {true, exponent, norm(g, rows, columns, to)};
}

/*
 * What the items have in common. scratch: of the type of the problem's entries, with
 * matrix(): where the problem is loaded. The item has entries and step, what is loaded and with
 * which exponent; decompose, false: no convergence; conclude, the results.
 */
template <class Item> struct spectral_item {
    template <class T, class Group, class Scratch>
    static __device__ outcome<real_type<T>> run(const Group &g, const gm_linalg_args &args,
                                                int64_t problem, const Scratch &s, const dims &) {
        using R = real_type<T>;
        const int m = static_cast<int>(args.in[0].rows), n = static_cast<int>(args.in[0].columns);
        const loaded<R> a = load_scaled(g, Item::template entries<T>(args, problem), m > n ? m : n,
                                        m > n ? n : m, Item::step, s.matrix());
        if (!a.finite) {
            return failed<R>(GM_STATUS_NON_FINITE);
        }
        if (!Item::template decompose<T>(g, args, s, a.norm)) {
            return failed<R>(GM_STATUS_NOT_CONVERGED);
        }
        return Item::template conclude<T>(g, args, problem, s, a);
    }
};

/* ---- order ----------------------------------------------------------------------------------- */

/* order[rank] = the index of that rank by value; ties by index. Ends with a barrier. */
template <class Group, class R>
__device__ void sort_order(const Group &g, int n, bool descending, const R *values, int *order) {
    for (int j = g.rank; j < n; j += g.size) {
        int rank = 0;
        for (int i = 0; i < n; ++i) {
            const bool before = descending ? values[i] > values[j] : values[i] < values[j];
            rank += before || (values[i] == values[j] && i < j) ? 1 : 0;
        }
        order[rank] = j;
    }
    g.sync();
}

/* ---- the tournament -------------------------------------------------------------------------- */

constexpr int MOST_SWEEPS = 40; /* what converges takes 5 to 12 */

struct column_pair {
    int p, q;  /* p < q */
    bool used; /* not the column that sits this round out */
};

/* Rounds of a sweep over n columns. */
__device__ __forceinline__ int rounds_of(int n) {
    return n + n % 2 - 1;
}
__device__ __forceinline__ int pairs_of(int n) {
    return (n + 1) / 2;
}

/* Round robin: of n + n % 2 players one stays and the others go round it. */
__device__ __forceinline__ column_pair pair_of(int n, int round, int index) {
    const int last = rounds_of(n);
    const int a = index == 0 ? last : (round + index) % last;
    const int b = index == 0 ? round : (round + last - index) % last;
    const int q = a > b ? a : b;
    return {a > b ? b : a, q, q < n && index < pairs_of(n)};
}

template <int lanes> __device__ __forceinline__ unsigned mask_of(const lane_group<lanes> &g) {
    return g.mask;
}
__device__ __forceinline__ unsigned mask_of(const block_group &) {
    return GM_FULL_MASK;
}

/* How a group's threads are shared among the pairs: `width` neighbours each, a power of two within
 * a warp. */
struct pair_split {
    int width, groups, group, member;
    unsigned mask;
};

template <class Group> __device__ __forceinline__ pair_split split_pairs(const Group &g, int n) {
    int width = Group::size < 32 ? Group::size : 32;
    while (width > 1 && width * pairs_of(n) > Group::size) {
        width /= 2;
    }
    return {width, Group::size / width, g.rank / width, g.rank % width, mask_of(g)};
}

/* The sum over the threads of a pair, in each of them. All threads of the group call. */
template <class V> __device__ __forceinline__ V pair_sum(const pair_split &s, V value) {
    for (int offset = s.width / 2; offset > 0; offset /= 2) {
        value += exchange(s.mask, value, offset);
    }
    return value;
}

/* J = ((c, s), (-s p, c p)), which makes J^H ((a, g), (conj g, b)) J diagonal. c = 0: none. */
template <class T> struct rotation {
    real_type<T> c, s;
    T phase;
};

/* size: |g| > 0. Source: Golub, Van Loan, 8.5.2. */
template <class T>
__device__ __forceinline__ rotation<T> rotation_of(real_type<T> a, real_type<T> b, T g,
                                                   real_type<T> size) {
    using R = real_type<T>;
    constexpr R NO_ROOT = R(1e8); /* 1 + zeta^2 is zeta^2 from here on */
    const R zeta = (b - a) / (2 * size), away = fabs(zeta);
    R t = away < NO_ROOT ? 1 / (away + sqrt(1 + zeta * zeta)) : 1 / (2 * away);
    t = zeta < 0 ? -t : t;
    const R c = 1 / sqrt(1 + t * t);
    return {c, c * t, conjugate(g) / size};
}

/* The row (x, y) times J. */
template <class T> __device__ __forceinline__ void rotate(const rotation<T> &j, T &x, T &y) {
    const T left = x, right = y * j.phase;
    x = left * j.c - right * j.s;
    y = left * j.s + right * j.c;
}

} // namespace linalg
} // namespace gm
