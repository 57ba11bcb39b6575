/*
 * gm_linalg_power: A^p by repeated squaring from the lowest binary digit of |p| up, of A^-1 by LU
 * for a negative p. gm_linalg_exp_apply: exp(t A) B as s times the Taylor polynomial of degree m of
 * t (A - mu I) / s, mu the mean of the diagonal, each step times exp(t mu / s); (s, m) the cheapest
 * for the 1-norm (Al-Mohy, Higham, SIAM J. Sci. Comput. 33 (2011) 488). A step ends early where two
 * terms in a row are below the unit roundoff beside the sum.
 *
 * Parallelised as linalg.cuh says, with a block with shared scratch between 9 and 32 rows. Scratch:
 * three n x n tiles for a power; A and three n x k tiles for the action, whose columns are taken as
 * many at a time as fit: n of them, or 64 with the scratch in the workspace. The degree of a step
 * is chosen for A, where it ends by the columns that are taken together. Not yet run on a GPU.
 */
#include <genmath/math.h>

#include "kernels/linalg_shared.cuh"
#include "kernels/linalg_table.cuh"

namespace gm {
namespace {

using namespace linalg;

/* ---- powers ---------------------------------------------------------------------------------- */

template <class T> struct power_scratch {
    tile<T> square, out, product;
    int *permutation;
    __host__ __device__ constexpr power_scratch(arena &memory, const dims &d)
        : square(memory.take_tile<T>(d, d.m, d.m)), out(memory.take_tile<T>(d, d.m, d.m)),
          product(memory.take_tile<T>(d, d.m, d.m)), permutation(memory.take<int>(d.m)) {
    }
};

struct power_item : square_item {
    template <class T> using scratch = power_scratch<T>;

    template <class T, class Group>
    static __device__ outcome<real_type<T>> run(const Group &g, const gm_linalg_args &args,
                                                int64_t problem, const scratch<T> &given,
                                                const dims &) {
        using R = real_type<T>;
        const view<T> a = view_of<T>(args, args.in[0], problem);
        const int n = a.rows;
        scratch<T> s = given;
        if (!load(g, a, s.square)) {
            return failed<R>(GM_STATUS_NON_FINITE);
        }
        uint64_t power = static_cast<uint64_t>(args.power);
        if (args.power < 0) {
            power = 0 - power;
            if (!factor_square(g, n, s.square, s.permutation)) {
                return failed<R>(GM_STATUS_SINGULAR);
            }
            invert_factored(g, n, s.square, s.permutation, s.product);
            exchange_tiles(s.square, s.product);
        }
        set_identity(g, n, n, s.out);
        for (; power > 0; power >>= 1) {
            if (power & 1) {
                multiply_square(g, n, s.square, s.out, s.product);
                exchange_tiles(s.out, s.product);
            }
            if (power > 1) {
                multiply_square(g, n, s.square, s.square, s.product);
                exchange_tiles(s.square, s.product);
            }
        }
        return stored<R>(store(g, view_of<T>(args, args.out[0], problem), s.out));
    }
};

/* ---- the action of the exponential ----------------------------------------------------------- */

/* The largest 1-norms of the Taylor polynomials of degree 5, 10, ... 55: Al-Mohy, Higham (2011),
 * table 3.1. */
constexpr int TAYLOR_ROWS = 11;
__constant__ double taylor_theta_f64[TAYLOR_ROWS] = {2.4e-3, 1.4e-1, 6.4e-1, 1.4, 2.4, 3.5,
                                                     4.7,    6.0,    7.2,    8.5, 9.9};
__constant__ float taylor_theta_f32[TAYLOR_ROWS] = {1.3e-1f, 1.0f, 2.2f, 3.6f, 4.9f, 6.3f,
                                                    7.7f,    9.1f, 11.f, 12.f, 13.f};

__device__ __forceinline__ double taylor_theta(int row, double) {
    return taylor_theta_f64[row];
}
__device__ __forceinline__ float taylor_theta(int row, float) {
    return taylor_theta_f32[row];
}

struct taylor_plan {
    int degree;
    int64_t steps;
};

/* The degree and the number of steps with the least products. */
template <class R> __device__ taylor_plan plan_taylor(R norm) {
    taylor_plan best = {0, 1};
    for (int row = 0; row < TAYLOR_ROWS; ++row) {
        const int degree = 5 * (row + 1);
        const int64_t count = static_cast<int64_t>(ceil(norm / taylor_theta(row, R(0))));
        const int64_t steps = count > 1 ? count : 1;
        if (best.degree == 0 || degree * steps < best.degree * best.steps) {
            best = {degree, steps};
        }
    }
    return best;
}

/* CUDA's own sine and cosine in single precision reduce large arguments in double. */
__device__ __forceinline__ float exponential(float z) {
    return gm_exp_f32(z);
}
__device__ __forceinline__ double exponential(double z) {
    return gm_exp_f64(z);
}
__device__ __forceinline__ complex<float> exponential(complex<float> z) {
    const float size = gm_exp_f32(z.x);
    return {size * gm_cos_f32(z.y), size * gm_sin_f32(z.y)};
}
__device__ __forceinline__ complex<double> exponential(complex<double> z) {
    const double size = gm_exp_f64(z.x);
    return {size * gm_cos_f64(z.y), size * gm_sin_f64(z.y)};
}

template <class T> struct action_scratch {
    tile<T> a, b, term, next;
    __host__ __device__ constexpr action_scratch(arena &memory, const dims &d)
        : a(memory.take_tile<T>(d, d.m, d.m)), b(memory.take_tile<T>(d, d.m, d.k)),
          term(memory.take_tile<T>(d, d.m, d.k)), next(memory.take_tile<T>(d, d.m, d.k)) {
    }
};

/* b := growth^steps times the polynomial; s.a is shifted. */
template <class Group, class T>
__device__ void apply_taylor(const Group &g, int n, int k, real_type<T> t, const taylor_plan &plan,
                             T growth, action_scratch<T> s) {
    using R = real_type<T>;
    for (int64_t step = 0; step < plan.steps; ++step) {
        set(g, n, k, s.term, s.b);
        R before = norm(g, n, k, s.term);
        for (int j = 1; j <= plan.degree; ++j) {
            const R factor = t / (static_cast<R>(plan.steps) * static_cast<R>(j));
            product(g, n, k, n, s.a, s.term, [&](int i, int c, T sum) {
                s.next(i, c) = sum * factor;
                s.b(i, c) += sum * factor;
            });
            exchange_tiles(s.term, s.next);
            const R now = norm(g, n, k, s.term); /* two small terms: the rest is smaller */
            if (before + now <= epsilon<R> / 2 * norm(g, n, k, s.b)) {
                break;
            }
            before = now;
        }
        set(g, n, k, s.b, [&](int i, int c) { return s.b(i, c) * growth; });
    }
}

struct exp_apply_item : square_item {
    template <class T> using scratch = action_scratch<T>;

    static dims sizes(const gm_linalg_args &args) {
        const int64_t columns = args.in[1].columns;
        return sizes_of(args, columns < 64 ? columns : 64);
    }

    /* A - mu I into s.a; returns mu. */
    template <class T, class Group>
    static __device__ T shift(const Group &g, int n, const scratch<T> &s) {
        T mean = number_of<T>(0);
        for (int i = 0; i < n; ++i) {
            mean += s.a(i, i) / static_cast<real_type<T>>(n);
        }
        g.sync(); /* all have read the diagonal */
        for (int i = g.rank; i < n; i += g.size) {
            s.a(i, i) -= mean;
        }
        g.sync();
        return mean;
    }

    template <class T, class Group>
    static __device__ outcome<real_type<T>> run(const Group &g, const gm_linalg_args &args,
                                                int64_t problem, const scratch<T> &s,
                                                const dims &d) {
        using R = real_type<T>;
        const view<T> a = view_of<T>(args, args.in[0], problem);
        const int n = a.rows;
        bool good = load(g, a, s.a);
        good = finite(g, view_of<T>(args, args.in[1], problem)) && good;
        if (!good) {
            return failed<R>(GM_STATUS_NON_FINITE);
        }
        const T mean = shift(g, n, s);
        const split_number<R> t = t_of<R>(args);
        int exponent;
        const R size = norm_1(g, n, n, s.a) * fabs(t.fraction);
        (void)frexp(size, &exponent);
        const R total = ldexp(size, t.exponent);
        if (!(total < R(1e9f))) { /* as many products: no digit would be right */
            const bool too_large = !is_finite(size) || exponent + t.exponent > 1024;
            return failed<R>(too_large ? GM_STATUS_NON_FINITE : GM_STATUS_NOT_CONVERGED);
        }
        const taylor_plan plan = plan_taylor(total);
        const T growth = exponential(mean * (t.value() / static_cast<R>(plan.steps)));
        view<T> b = view_of<T>(args, args.in[1], problem);
        view<T> out = view_of<T>(args, args.out[0], problem);
        const int columns = b.columns;
        for (int first = 0; first < columns; first += d.k) {
            b.columns = out.columns = columns - first < d.k ? columns - first : d.k;
            (void)load(g, b, s.b);
            apply_taylor(g, n, b.columns, t.value(), plan, growth, s);
            good = store(g, out, s.b) && good;
            b.data += d.k * b.column_stride;
            out.data += d.k * out.column_stride;
        }
        return stored<R>(good);
    }
};

const row power_rows[] = GM_LINALG_FITTING_ROWS(power_item, "power");
const row exp_apply_rows[] = GM_LINALG_FITTING_ROWS(exp_apply_item, "exp_apply");

} // namespace

GM_LINALG_DEFINE(power, power_rows)
GM_LINALG_DEFINE_WITH_T(exp_apply, exp_apply_rows)

} // namespace gm
