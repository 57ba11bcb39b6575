/*
 * gm_linalg_exp, gm_linalg_phi and gm_linalg_magnus: exp(X) by scaling and squaring with the
 * diagonal Padé approximant of degree 3, 5, 7, 9 or 13, in single precision 3, 5 or 7 (Higham,
 * SIAM J. Matrix Anal. Appl. 26 (2005) 1179): the least degree whose theta the 1-norm does not
 * exceed, else X / 2^s with the last, squared s times. With U odd and V even in X,
 *
 *     (V - U) exp = V + U,  degree 13:  U = X (A6 (b13 A6 + b11 A4 + b9 A2) + b7 A6 + ... + b1),
 *                                       V = A6 (b12 A6 + b10 A4 + b8 A2) + b6 A6 + ... + b0.
 *
 * phi_0 .. phi_p are the first rows of the exponential of ((tA, I, 0, ...), (0, 0, I, ...), ...) of
 * n (p + 1) rows (Al-Mohy, Higham 2011, theorem 2.1). Magnus multiplies an exponential a step, of
 * h A or of h / 2 (A1 + A2) - sqrt(3) / 12 h^2 [A1, A2].
 *
 * Parallelised as linalg.cuh says: 4 or 8 lanes a problem of at most as many rows, a block with
 * shared scratch up to 32, a block with its scratch in the workspace beyond. Scratch: six n x n
 * tiles, Magnus a seventh: X, its powers A2, A4, A6, and two that take turns; V takes the place of
 * X, or U that of A6. At n = 32 that is 25 KiB for f32, 50 for f64 and c64, 99 for c128 (Magnus 30,
 * 58, 58, 116). Not yet run on a GPU.
 */
#include "kernels/linalg_shared.cuh"
#include "kernels/linalg_table.cuh"

namespace gm {
namespace {

using namespace linalg;

/* ---- the approximants ------------------------------------------------------------------------ */

/* Rows 0, 1, 2, ... are the degrees 3, 5, 7, 9 and 13. */
__device__ __forceinline__ int pade_degree(int row) {
    return row == 4 ? 13 : 3 + 2 * row;
}

/* The largest 1-norms at which their backward errors are below the unit roundoff, and their
 * numerators' coefficients. Higham (2005), table 2.3 and (2.11). */
__constant__ double pade_theta_f64[] = {1.495585217958292e-2, 2.539398330063230e-1,
                                        9.504178996162932e-1, 2.097847961257068e0,
                                        5.371920351148152e0};
__constant__ float pade_theta_f32[] = {4.258730016922831e-1f, 1.880152677804762e0f,
                                       3.925724783138660e0f};
__constant__ double pade_f64[][14] = {
    {120, 60, 12, 1},
    {30240, 15120, 3360, 420, 30, 1},
    {17297280, 8648640, 1995840, 277200, 25200, 1512, 56, 1},
    {17643225600., 8821612800., 2075673600, 302702400, 30270240, 2162160, 110880, 3960, 90, 1},
    {64764752532480000., 32382376266240000., 7771770303897600., 1187353796428800., 129060195264000.,
     10559470521600., 670442572800., 33522128640., 1323241920, 40840800, 960960, 16380, 182, 1}};
__constant__ float pade_f32[][8] = {{120, 60, 12, 1},
                                    {30240, 15120, 3360, 420, 30, 1},
                                    {17297280, 8648640, 1995840, 277200, 25200, 1512, 56, 1}};

template <class R> struct pade;
template <> struct pade<double> {
    static constexpr int last = 4;
    static __device__ __forceinline__ double theta(int row) {
        return pade_theta_f64[row];
    }
    static __device__ __forceinline__ double b(int row, int k) {
        return pade_f64[row][k];
    }
};
template <> struct pade<float> {
    static constexpr int last = 2;
    static __device__ __forceinline__ float theta(int row) {
        return pade_theta_f32[row];
    }
    static __device__ __forceinline__ float b(int row, int k) {
        return pade_f32[row][k];
    }
};

/* Which approximant, and how often to halve X before it. */
struct approximant {
    int row, halvings;
};

/* For a 1-norm of size 2^exponent, in which nothing overflows. */
template <class R> __device__ approximant choose_approximant(R size, int exponent) {
    using table = pade<R>;
    const R norm = ldexp(size, exponent);
    int row = 0;
    while (row < table::last && norm > table::theta(row)) {
        ++row;
    }
    if (!(norm > table::theta(table::last))) {
        return {row, 0};
    }
    int power; /* size / theta = fraction 2^power, 1/2 <= fraction < 1 */
    const R fraction = frexp(size / table::theta(table::last), &power);
    return {row, (fraction > R(0.5) ? power : power - 1) + exponent};
}

/* ---- the exponential ------------------------------------------------------------------------- */

template <class T> struct exp_scratch {
    tile<T> x, powers[3], odd, out;
    int *permutation;
    __host__ __device__ constexpr exp_scratch(arena &memory, const dims &d)
        : x(memory.take_tile<T>(d, d.m, d.m)), powers{memory.take_tile<T>(d, d.m, d.m),
                                                      memory.take_tile<T>(d, d.m, d.m),
                                                      memory.take_tile<T>(d, d.m, d.m)},
          odd(memory.take_tile<T>(d, d.m, d.m)), out(memory.take_tile<T>(d, d.m, d.m)),
          permutation(memory.take<int>(d.m)) {
    }
};

/* b_first I + b_(first + 2) A2 + b_(first + 4) A4 + ..., `terms` powers; `with_identity` or not. */
template <class T>
__device__ __forceinline__ T combination(const exp_scratch<T> &s, int row, int first, int terms,
                                         bool with_identity, int i, int j) {
    using table = pade<real_type<T>>;
    T sum = number_of<T>(with_identity && i == j ? table::b(row, first) : 0);
    for (int k = 0; k < terms; ++k) {
        sum += s.powers[k](i, j) * table::b(row, first + 2 * (k + 1));
    }
    return sum;
}

/* U and V, wherever they end up. */
template <class T> struct odd_and_even { tile<T> odd, even; };

/* Degrees 3 to 9. */
template <class Group, class T>
__device__ odd_and_even<T> approximate_low(const Group &g, int n, int row,
                                           const exp_scratch<T> &s) {
    using table = pade<real_type<T>>;
    const int degree = pade_degree(row), terms = degree / 2 < 3 ? degree / 2 : 3;
    for (int k = 1; k < terms; ++k) {
        multiply_square(g, n, s.powers[0], s.powers[k - 1], s.powers[k]);
    }
    set(g, n, n, s.out, [&](int i, int j) { return combination(s, row, 1, terms, true, i, j); });
    set(g, n, n, s.odd, [&](int i, int j) { return combination(s, row, 0, terms, true, i, j); });
    if constexpr (table::last > 2) {
        if (degree == 9) { /* A8 needs no place of its own */
            product(g, n, n, n, s.powers[0], s.powers[2], [&](int i, int j, T sum) {
                s.out(i, j) += sum * table::b(row, 9);
                s.odd(i, j) += sum * table::b(row, 8);
            });
        }
    }
    multiply_square(g, n, s.x, s.out, s.powers[2]);
    return {s.powers[2], s.odd};
}

/* Degree 13: six products with A2. */
template <class Group, class T>
__device__ odd_and_even<T> approximate_13(const Group &g, int n, int row, const exp_scratch<T> &s) {
    const tile<T> a6 = s.powers[2];
    multiply_square(g, n, s.powers[0], s.powers[0], s.powers[1]);
    multiply_square(g, n, s.powers[0], s.powers[1], a6);
    set(g, n, n, s.odd, [&](int i, int j) { return combination(s, row, 7, 3, false, i, j); });
    product(g, n, n, n, a6, s.odd, [&](int i, int j, T sum) {
        s.out(i, j) = combination(s, row, 1, 3, true, i, j) + sum;
    });
    multiply_square(g, n, s.x, s.out, s.odd);
    set(g, n, n, s.out, [&](int i, int j) { return combination(s, row, 6, 3, false, i, j); });
    product(g, n, n, n, a6, s.out,
            [&](int i, int j, T sum) { s.x(i, j) = combination(s, row, 0, 3, true, i, j) + sum; });
    return {s.odd, s.x};
}

template <class Group, class T>
__device__ odd_and_even<T> approximate(const Group &g, int n, int row, const exp_scratch<T> &s) {
    if constexpr (pade<real_type<T>>::last == 4) {
        if (row == 4) {
            return approximate_13(g, n, row, s);
        }
    }
    return approximate_low(g, n, row, s);
}

/* One function for the three operations: inlined into each it takes minutes to compile. exp(t X) of
 * the matrix in s.x, which is used up; where it lies goes to *result. False: it
 * overflows. */
template <class Group, class T>
GM_NOINLINE __device__ bool exp_of(const Group &g, int n, split_number<real_type<T>> t,
                                   const exp_scratch<T> &s, tile<T> *result) {
    using R = real_type<T>;
    const R size = norm_1(g, n, n, s.x);
    if (!is_finite(size)) {
        return false;
    }
    const approximant chosen = choose_approximant<R>(size * fabs(t.fraction), t.exponent);
    set(g, n, n, s.x, [&](int i, int j) {
        return times_power_of_2(s.x(i, j) * t.fraction, t.exponent - chosen.halvings);
    });
    multiply_square(g, n, s.x, s.x, s.powers[0]);
    const odd_and_even<T> part = approximate(g, n, chosen.row, s);
    bool good = true;
    set(g, n, n, s.out, [&](int i, int j) {
        const T u = part.odd(i, j), v = part.even(i, j);
        part.even(i, j) = v - u;
        good = good && is_finite(v + u);
        return v + u;
    });
    if (!g.all(good) || !factor_square(g, n, part.even, s.permutation)) {
        return false;
    }
    tile<T> power = part.odd, other = s.out;
    set(g, n, n, power, [&](int i, int j) { return s.out(s.permutation[i], j); });
    solve_factored(g, n, n, part.even, power);
    for (int k = 0; k < chosen.halvings; ++k) {
        multiply_square(g, n, power, power, other);
        exchange_tiles(power, other);
    }
    *result = power;
    return true;
}

struct exp_item : square_item {
    template <class T> using scratch = exp_scratch<T>;

    template <class T, class Group>
    static __device__ outcome<real_type<T>> run(const Group &g, const gm_linalg_args &args,
                                                int64_t problem, const scratch<T> &s,
                                                const dims &) {
        using R = real_type<T>;
        const view<T> a = view_of<T>(args, args.in[0], problem);
        tile<T> result;
        return stored<R>(load(g, a, s.x) && exp_of(g, a.rows, t_of<R>(args), s, &result) &&
                         store(g, view_of<T>(args, args.out[0], problem), result));
    }
};

/* ---- phi functions --------------------------------------------------------------------------- */

struct phi_item {
    template <class T> using scratch = exp_scratch<T>;

    static int64_t rows(const gm_linalg_args &args) {
        return args.in[0].rows * args.out[0].extra[0];
    }
    static dims sizes(const gm_linalg_args &args) {
        return {static_cast<int>(rows(args)), static_cast<int>(rows(args)), 0, 0};
    }
    static bool fits(const gm_linalg_args &args, int64_t n) {
        return rows(args) <= n;
    }

    template <class T, class Group>
    static __device__ outcome<real_type<T>> run(const Group &g, const gm_linalg_args &args,
                                                int64_t problem, const scratch<T> &s,
                                                const dims &) {
        using R = real_type<T>;
        const view<T> a = view_of<T>(args, args.in[0], problem);
        const int n = a.rows, count = static_cast<int>(args.out[0].extra[0]), size = n * count;
        const split_number<R> t = t_of<R>(args);
        if (!finite(g, a)) {
            return failed<R>(GM_STATUS_NON_FINITE);
        }
        set(g, size, size, s.x, [&](int i, int j) {
            return i < n && j < n ? times_power_of_2(a(i, j) * t.fraction, t.exponent)
                                  : number_of<T>(j - i == n);
        });
        tile<T> result;
        if (!exp_of(g, size, split_number<R>{1, 0}, s, &result)) {
            return failed<R>(GM_STATUS_NON_FINITE);
        }
        bool good = true;
        for (int k = 0; k < count; ++k) {
            const auto phi = [&](int i, int j) { return result(i, k * n + j); };
            good = store(g, view_of<T>(args, args.out[0], problem, k), phi) && good;
        }
        return stored<R>(good);
    }
};

/* ---- time-ordered exponential ---------------------------------------------------------------- */

template <class T> struct magnus_scratch {
    exp_scratch<T> exp;
    tile<T> total;
    __host__ __device__ constexpr magnus_scratch(arena &memory, const dims &d)
        : exp(memory, d), total(memory.take_tile<T>(d, d.m, d.m)) {
    }
};

/* The exponent of one step into s.x; false: a sample is not finite. */
template <class Group, class T>
__device__ bool magnus_exponent(const Group &g, const gm_linalg_args &args, int64_t problem,
                                int64_t step, real_type<T> h, const exp_scratch<T> &s) {
    using R = real_type<T>;
    const gm_linalg_matrix &m = args.in[0];
    const view<T> first = view_of<T>(args, m, problem, step, 0);
    const int n = first.rows;
    bool good = finite(g, first);
    if (m.extra[1] == 1) {
        set(g, n, n, s.x, [&](int i, int j) { return first(i, j) * h; });
        return good;
    }
    const view<T> second = view_of<T>(args, m, problem, step, 1);
    good = finite(g, second) && good;
    const R factor = R(0.14433756729740644) * h * h; /* sqrt(3) / 12 */
    product(g, n, n, n, first, second, [&](int i, int j, T sum) { s.out(i, j) = sum; });
    product(g, n, n, n, second, first, [&](int i, int j, T sum) {
        s.x(i, j) = (first(i, j) + second(i, j)) * (h / 2) - (s.out(i, j) - sum) * factor;
    });
    return good;
}

struct magnus_item : square_item {
    template <class T> using scratch = magnus_scratch<T>;

    template <class T, class Group>
    static __device__ outcome<real_type<T>> run(const Group &g, const gm_linalg_args &args,
                                                int64_t problem, const scratch<T> &given,
                                                const dims &) {
        using R = real_type<T>;
        const int n = static_cast<int>(args.in[0].rows);
        const R h = t_of<R>(args).value();
        scratch<T> s = given;
        set_identity(g, n, n, s.total);
        for (int64_t step = 0; step < args.in[0].extra[0]; ++step) {
            tile<T> result;
            if (!magnus_exponent(g, args, problem, step, h, s.exp) ||
                !exp_of(g, n, split_number<R>{1, 0}, s.exp, &result)) {
                return failed<R>(GM_STATUS_NON_FINITE);
            }
            multiply_square(g, n, result, s.total, s.exp.powers[0]);
            exchange_tiles(s.total, s.exp.powers[0]);
        }
        return stored<R>(store(g, view_of<T>(args, args.out[0], problem), s.total));
    }
};

const row exp_rows[] = GM_LINALG_FITTING_ROWS(exp_item, "exp");
const row phi_rows[] = GM_LINALG_FITTING_ROWS(phi_item, "phi");
const row magnus_rows[] = GM_LINALG_FITTING_ROWS(magnus_item, "magnus");

} // namespace

GM_LINALG_DEFINE_WITH_T(exp, exp_rows)
GM_LINALG_DEFINE_WITH_T(phi, phi_rows)
GM_LINALG_DEFINE_WITH_T(magnus, magnus_rows)

} // namespace gm
