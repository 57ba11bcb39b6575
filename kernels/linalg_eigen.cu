/*
 * Eigenvalues of any square matrix, A V = V diag(w), in the complex type of its precision.
 *
 * Householder reflections take A to Hessenberg form H = Z^H A Z; QR steps with Wilkinson's shift,
 * in their implicit form, take H to an upper triangle T. A step is a chain of rotations: each is
 * applied to two rows by a thread for each column, a barrier, then to two columns of T and Z by a
 * thread for each row, a barrier. Every thread reads the same entries for shifts and deflation and
 * so takes the same way. Each eigenvector of T is found by one thread, by back substitution, and
 * kept in its row below the diagonal of T, where only zeros were; V = Z X is taken in place, a row
 * a thread, from the last column on.
 *
 * An entry beside the diagonal is 0 where it is at most eps times its neighbours on it. A tenth
 * step without one takes another shift; after 300 the problem is NOT_CONVERGED.
 *
 * Scratch: H, Z, w and a column: for 32 in shared memory 17 KiB of float, 34 of double. The chain
 * of rotations leaves no more than 32 threads at work, so a warp takes a problem and a block of
 * several warps has several. As all of it is complex, a real problem runs the kernels of a complex
 * one. Larger problems go to a library, in complex numbers too. Not yet run on a GPU. Source:
 * Golub, Van Loan, 7.4, 7.5.
 */
#include "kernels/linalg_spectral_vendor.cuh"
#include "kernels/linalg_table.cuh"

namespace gm {
namespace {

using namespace linalg;

constexpr int MOST_STEPS = 300; /* for an eigenvalue; it takes 2 to 4 */

/* Larger than this an eigenvector is scaled down. */
template <class R> constexpr R LARGE = sizeof(R) == 4 ? R(1e10f) : R(1e60);
template <class R> constexpr R SMALLEST = sizeof(R) == 4 ? R(0x1p-126f) : R(0x1p-1022);

template <class C> struct eigen_scratch {
    tile<C> h, z;
    C *w, *column;
    real_type<C> *last; /* of an eigenvector of T: its entry on the diagonal */
    int *permutation;

    __host__ __device__ constexpr eigen_scratch(arena &memory, const dims &d)
        : h(memory.take_tile<C>(d, d.n, d.n)), z(memory.take_tile<C>(d, d.n, d.n)),
          w(memory.take<C>(d.n)), column(memory.take<C>(d.n)), last(memory.take<real_type<C>>(d.n)),
          permutation(memory.take<int>(d.n)) {
    }
};

/* ---- Hessenberg form ------------------------------------------------------------------------- */

/* One reflection I - f v v^H, v in s.column from row k + 1 on, of column k. Returns f, 0 for none.
 * Ends with a barrier. */
template <class R, class Group, class Scratch>
__device__ R reflection_of(const Group &g, const Scratch &s, int n, int k) {
    const complex<R> head = s.h(k + 1, k);
    R sum = 0;
    for (int i = k + 2 + g.rank; i < n; i += g.size) {
        sum += square_of(s.h(i, k));
    }
    sum = g.reduce(sum, take_sum());
    const R size = sum > 0 ? hypotenuse(modulus(head), sqrt(sum)) : R(0);
    const complex<R> phase = modulus(head) > 0 ? head / modulus(head) : complex<R>{1, 0};
    for (int i = k + 1 + g.rank; i < n; i += g.size) {
        s.column[i] = i == k + 1 ? head + phase * size : s.h(i, k);
        if (size > 0 || i > k + 1) {
            s.h(i, k) = i == k + 1 ? -(phase * size) : complex<R>{0, 0};
        }
    }
    g.sync();
    return size > 0 ? 1 / (size * (size + modulus(head))) : R(0);
}

/* The rows of m times the reflection, a row a thread. */
template <class R, class Group>
__device__ void reflect_rows(const Group &g, int n, int k, R factor, const complex<R> *v,
                             const tile<complex<R>> &m) {
    for (int i = g.rank; i < n; i += g.size) {
        complex<R> sum = {0, 0};
        for (int j = k + 1; j < n; ++j) {
            sum += m(i, j) * v[j];
        }
        sum = sum * factor;
        for (int j = k + 1; j < n; ++j) {
            m(i, j) -= sum * conjugate(v[j]);
        }
    }
}

/* s.h := Z^H s.h Z, zero below the first subdiagonal; s.z := Z. */
template <class R, class Group, class Scratch>
__device__ void to_hessenberg(const Group &g, const Scratch &s, int n) {
    set_identity(g, n, n, s.z);
    for (int k = 0; k + 2 < n; ++k) {
        const R factor = reflection_of<R>(g, s, n, k);
        if (factor == 0) {
            continue;
        }
        for (int j = k + 1 + g.rank; j < n; j += g.size) {
            complex<R> sum = {0, 0};
            for (int i = k + 1; i < n; ++i) {
                sum += conjugate(s.column[i]) * s.h(i, j);
            }
            sum = sum * factor;
            for (int i = k + 1; i < n; ++i) {
                s.h(i, j) -= sum * s.column[i];
            }
        }
        g.sync();
        reflect_rows(g, n, k, factor, s.column, s.h);
        reflect_rows(g, n, k, factor, s.column, s.z);
        g.sync();
    }
}

/* ---- Schur form ------------------------------------------------------------------------------ */

template <class R> __device__ complex<R> root_of(complex<R> a) {
    const R size = modulus(a), t = sqrt((fabs(a.x) + size) / 2);
    if (!(t > 0)) {
        return {0, 0};
    }
    const R other = fabs(a.y) / (2 * t);
    const R x = a.x >= 0 ? t : other, y = a.x >= 0 ? other : t;
    return {x, a.y < 0 ? -y : y};
}

/* The eigenvalue of the block that ends at row k that is closer to its last entry; every tenth time
 * another number, which breaks a cycle. */
template <class R> __device__ complex<R> shift_of(const tile<complex<R>> &h, int k, int step) {
    const complex<R> p = h(k - 1, k - 1), q = h(k - 1, k), r = h(k, k - 1), last = h(k, k);
    if (step % 10 == 9) {
        return last + complex<R>{modulus(r), 0};
    }
    const complex<R> half = (p - last) / R(2), root = root_of(half * half + q * r);
    const complex<R> sum = modulus(half + root) > modulus(half - root) ? half + root : half - root;
    return sum == complex<R>{0, 0} ? last : last - q * r / sum;
}

/* ((c, s), (-conj s, c)), which takes (x, y) to a multiple of (1, 0). */
template <class R> struct chain_rotation {
    R c;
    complex<R> s;
};

template <class R> __device__ chain_rotation<R> chain_rotation_of(complex<R> x, complex<R> y) {
    const R left = modulus(x), size = hypotenuse(left, modulus(y));
    if (!(size > 0)) {
        return {1, {0, 0}};
    }
    const complex<R> phase = left > 0 ? x / left : complex<R>{1, 0};
    return {left / size, phase * conjugate(y / size)};
}

/* One implicit step on rows low ... high. Ends with a barrier. */
template <class R, class Group, class Scratch>
__device__ void qr_step(const Group &g, const Scratch &s, int n, int low, int high,
                        complex<R> shift) {
    const tile<complex<R>> &h = s.h, &z = s.z;
    complex<R> x = h(low, low) - shift, y = h(low + 1, low);
    g.sync(); /* all have read them */
    for (int k = low; k < high; ++k) {
        if (k > low) { /* column k - 1 is written only after the next barrier */
            x = h(k, k - 1);
            y = h(k + 1, k - 1);
        }
        const chain_rotation<R> j = chain_rotation_of(x, y);
        for (int i = k + g.rank; i < n; i += g.size) {
            const complex<R> upper = h(k, i), lower = h(k + 1, i);
            h(k, i) = upper * j.c + j.s * lower;
            h(k + 1, i) = lower * j.c - conjugate(j.s) * upper;
        }
        g.sync();
        if (k > low && g.rank == 0) {
            h(k, k - 1) = x * j.c + j.s * y;
            h(k + 1, k - 1) = {0, 0};
        }
        const int rows = k + 2 < high ? k + 3 : high + 1;
        for (int i = g.rank; i < n; i += g.size) {
            if (i < rows) {
                const complex<R> left = h(i, k), right = h(i, k + 1);
                h(i, k) = left * j.c + right * conjugate(j.s);
                h(i, k + 1) = right * j.c - left * j.s;
            }
            const complex<R> left = z(i, k), right = z(i, k + 1);
            z(i, k) = left * j.c + right * conjugate(j.s);
            z(i, k + 1) = right * j.c - left * j.s;
        }
        g.sync();
    }
}

/* The first row of the block that ends at row `high` and has no 0 beside its diagonal. */
template <class R> __device__ int block_start(const tile<complex<R>> &h, int high, R norm) {
    int low = high;
    for (; low > 0; --low) {
        const R beside = modulus(h(low, low)) + modulus(h(low - 1, low - 1));
        if (modulus(h(low, low - 1)) <= epsilon<R> * (beside > 0 ? beside : norm)) {
            break;
        }
    }
    return low;
}

/* Hessenberg s.h to an upper triangle, its diagonal also in s.w. Ends with a barrier. */
template <class R, class Group, class Scratch>
__device__ bool to_triangle(const Group &g, const Scratch &s, int n, R norm) {
    int step = 0;
    for (int high = n - 1; high > 0 && step < MOST_STEPS;) {
        const int low = block_start(s.h, high, norm);
        const complex<R> shift = low < high ? shift_of(s.h, high, step) : complex<R>{0, 0};
        g.sync(); /* all have read what is zeroed now */
        if (low > 0 && g.rank == 0) {
            s.h(low, low - 1) = {0, 0};
        }
        g.sync();
        step = low < high ? step + 1 : 0;
        if (low < high) {
            qr_step(g, s, n, low, high, shift);
        } else {
            --high;
        }
    }
    for (int k = g.rank; k < n; k += g.size) {
        s.w[k] = s.h(k, k);
    }
    g.sync();
    return step < MOST_STEPS;
}

/* ---- vectors --------------------------------------------------------------------------------- */

/* The eigenvector of the triangle t for its entry k, x_i in t(k, i), i < k, and x_k the result;
 * equal eigenvalues are set apart by the smallest distance that counts. */
template <class R> __device__ R triangle_vector(const tile<complex<R>> &t, int k, R least) {
    R last = 1;
    for (int i = k - 1; i >= 0; --i) {
        complex<R> sum = t(i, k) * last;
        for (int j = i + 1; j < k; ++j) {
            sum += t(i, j) * t(k, j);
        }
        const complex<R> distance = t(k, k) - t(i, i);
        const complex<R> x = modulus(distance) > least ? sum / distance : sum / least;
        const R size = modulus(x), down = size > LARGE<R> ? size : R(1);
        t(k, i) = x;
        for (int j = i; j < k && down > 1; ++j) {
            t(k, j) = t(k, j) / down;
        }
        last = last / down;
    }
    return last;
}

/* s.z := Z X, columns of norm 1. Ends with a barrier. */
template <class R, class Group, class Scratch>
__device__ void find_vectors(const Group &g, const Scratch &s, int n, R norm) {
    const R least = epsilon<R> * norm > SMALLEST<R> ? epsilon<R> * norm : SMALLEST<R>;
    for (int k = g.rank; k < n; k += g.size) {
        s.last[k] = triangle_vector(s.h, k, least);
    }
    g.sync();
    for (int i = g.rank; i < n; i += g.size) {
        for (int k = n - 1; k >= 0; --k) {
            complex<R> sum = s.z(i, k) * s.last[k];
            for (int j = 0; j < k; ++j) {
                sum += s.z(i, j) * s.h(k, j);
            }
            s.z(i, k) = sum;
        }
    }
    g.sync();
    for (int k = g.team; k < n; k += g.teams) {
        R sum = 0;
        for (int i = g.member; i < n; i += g.members) {
            sum += square_of(s.z(i, k));
        }
        const R size = sqrt(g.team_sum(sum));
        for (int i = g.member; i < n; i += g.members) {
            s.z(i, k) = s.z(i, k) / size;
        }
    }
    g.sync();
}

/* ---- the operation --------------------------------------------------------------------------- */

/* Entries of a problem as complex numbers, which its own may be. */
template <class C> struct complex_entries {
    view<C> a;
    view<real_type<C>> real; /* data NULL: complex */
    __device__ __forceinline__ C operator()(int i, int j) const {
        return real.data != nullptr ? C{real(i, j), 0} : a(i, j);
    }
};

struct eigen_item {
    template <class C> using scratch = eigen_scratch<C>;
    static constexpr vendor_spectrum_kind kind = VENDOR_GENERAL;
    static constexpr int step = 1;

    static dims sizes(const gm_linalg_args &args) {
        return sizes_of(args, 0);
    }

    static __host__ __device__ bool wants_vectors(const gm_linalg_args &args) {
        return args.out[1].data != nullptr;
    }

    template <class C>
    static __device__ complex_entries<C> entries(const gm_linalg_args &args, int64_t problem) {
        if (args.dtype == GM_F64 || args.dtype == GM_F32) {
            return {{}, view_of<real_type<C>>(args, args.in[0], problem)};
        }
        return {view_of<C>(args, args.in[0], problem), {}};
    }

    /* 1 / (|V| |V^-1|); V is used up. */
    template <class R, class Group, class Scratch>
    static __device__ R rcond_of_vectors(const Group &g, const Scratch &s, int n) {
        const R size = norm_1(g, n, n, s.z);
        set(g, n, n, s.h, [&](int i, int j) { return s.z(i, j); });
        if (!factor_lu(g, n, n, s.h, s.permutation).regular) {
            return 0;
        }
        invert_lu(g, n, s.h, s.permutation, s.z);
        return reciprocal_condition(n, size, norm_1(g, n, n, s.z));
    }

    /* Stores s.w and s.z, the values and vectors of what was loaded. */
    template <class C, class Group>
    static __device__ outcome<real_type<C>> conclude(const Group &g, const gm_linalg_args &args,
                                                     int64_t problem, const scratch<C> &s,
                                                     const loaded<real_type<C>> &a) {
        using R = real_type<C>;
        const int n = static_cast<int>(args.in[0].rows);
        outcome<R> result = {GM_STATUS_OK, true, 0, 0, 0};
        if (args.residual.data != nullptr) { /* |A V - V diag(w)| / |A| */
            load_at(g, entries<C>(args, problem), n, n, a.exponent, s.h);
            const auto error = [&](int i, int j) {
                return dot(i, j, 0, n, s.h, s.z) - s.z(i, j) * s.w[j];
            };
            result.residual = relative_norm(g, n, n, error, a.norm);
        }
        (void)store(g, view_of<C>(args, args.out[1], problem), s.z);
        const bool good = store(g, view_of<C>(args, args.out[0], problem),
                                [&](int i, int) { return times_power_of_2(s.w[i], a.exponent); });
        if (args.rcond.data != nullptr) {
            result.rcond = rcond_of_vectors<R>(g, s, n);
        }
        return good ? result : failed<R>(GM_STATUS_NON_FINITE);
    }

    template <class C, class Group>
    static __device__ outcome<real_type<C>> run(const Group &g, const gm_linalg_args &args,
                                                int64_t problem, const scratch<C> &s,
                                                const dims &) {
        using R = real_type<C>;
        const int n = static_cast<int>(args.in[0].rows);
        const loaded<R> a = load_scaled(g, entries<C>(args, problem), n, n, step, s.h);
        if (!a.finite) {
            return failed<R>(GM_STATUS_NON_FINITE);
        }
        to_hessenberg<R>(g, s, n);
        if (!to_triangle(g, s, n, a.norm)) {
            return failed<R>(GM_STATUS_NOT_CONVERGED);
        }
        if (wants_vectors(args)) {
            find_vectors(g, s, n, a.norm);
        }
        return conclude<C>(g, args, problem, s, a);
    }
};

/* Rows of the functions for complex types alone. */
template <int N> constexpr row complex_lanes_row(const char *name) {
    constexpr auto wide = run_lanes<c128, eigen_item, N>, narrow = run_lanes<c64, eigen_item, N>;
    return {name,
            at_most<N>,
            {no_workspace, no_workspace, no_workspace, no_workspace},
            {wide, narrow, wide, narrow}};
}
constexpr row complex_row(const char *name, bool (*fits)(gm_call *, const gm_linalg_args &),
                          size_t (*const (&workspace)[2])(gm_call *, const gm_linalg_args &),
                          gm_status (*const (&run)[2])(gm_call *, const gm_linalg_args &)) {
    return {name,
            fits,
            {workspace[0], workspace[1], workspace[0], workspace[1]},
            {run[0], run[1], run[0], run[1]}};
}

const row eigen_rows[] = {
    complex_lanes_row<8>("linalg_eigen_8"),
    complex_lanes_row<16>("linalg_eigen_16"),
    complex_lanes_row<32>("linalg_eigen_32"),
    complex_row("linalg_eigen_vendor", spectral_vendor_fits<eigen_item>,
                {spectral_workspace<c128, eigen_item>, spectral_workspace<c64, eigen_item>},
                {spectral_run<c128, eigen_item>, spectral_run<c64, eigen_item>}),
    complex_row("linalg_eigen_block", any_size,
                {block_workspace<c128, eigen_item>, block_workspace<c64, eigen_item>},
                {run_block<c128, eigen_item>, run_block<c64, eigen_item>}),
};

} // namespace

GM_LINALG_DEFINE(eigen, eigen_rows)

} // namespace gm
