/*
 * gm_linalg_triangular_solve: op(A) X = B by substitution, op(A) formed in scratch with zeros where
 * A is not read, so that all twelve kinds of triangle are two.
 *
 * Parallelised as linalg.cuh says: a lane, in a block a warp, to each column of X; with few columns
 * the rows are shared instead. Scratch: op(A), n x n, and as many columns of X or of the inverse.
 * rcond is exact up to rounding: all columns of the inverse. Not yet timed on a GPU.
 */
#include "kernels/linalg_solve.cuh"
#include "kernels/linalg_table.cuh"
#include "kernels/linalg_vendor.cuh"

namespace gm {
namespace {

using namespace linalg;

struct triangular_item {
    template <class T> struct scratch {
        tile<T> op, x;
        __host__ __device__ constexpr scratch(arena &memory, const dims &d)
            : op(memory.take_tile<T>(d, d.m, d.n)), x(memory.take_tile<T>(d, d.m, d.k)) {
        }
    };

    static dims sizes(const gm_linalg_args &args) {
        const int64_t n = args.in[0].columns, k = args.in[1].columns;
        return sizes_of(args, args.rcond.data != nullptr && n > k ? n : k);
    }

    template <class T, class Group>
    static __device__ outcome<real_type<T>> run(const Group &g, const gm_linalg_args &args,
                                                int64_t problem, const scratch<T> &s,
                                                const dims &d) {
        using R = real_type<T>;
        const view<T> a = view_of<T>(args, args.in[0], problem);
        const triangle_form<T> op = {a, args.triangle};
        const int n = a.rows;
        bool good = true;
        for_each(g, a, [&](int i, int j) {
            const bool turned = args.triangle.transpose != GM_TRANSPOSE_NONE;
            const int row = turned ? j : i, column = turned ? i : j;
            const T value = op(row, column);
            s.op(row, column) = value;
            good = good && is_finite(value);
        });
        good = g.all(good);
        if (!(finite(g, view_of<T>(args, args.in[1], problem)) && good)) {
            return failed<R>(GM_STATUS_NON_FINITE);
        }
        bool regular = true;
        for (int i = g.rank; i < n; i += g.size) {
            regular = regular && !(s.op(i, i) == number_of<T>(0));
        }
        if (!g.all(regular)) {
            return failed<R>(GM_STATUS_SINGULAR);
        }
        const triangle which = op.is_lower() ? LOWER : UPPER;
        R rcond = 0;
        if (args.rcond.data != nullptr) {
            set_identity(g, n, n, s.x);
            substitute(g, which, false, n, n, s.op, s.x);
            rcond = reciprocal_condition(n, norm_1(g, n, n, s.op), norm_1(g, n, n, s.x));
        }
        return solve_columns(g, args, problem, s.op, s.x, d.k, rcond,
                             [&](const view<T> &b, const tile<T> &x) {
                                 set(g, n, b.columns, x, b);
                                 substitute(g, which, false, n, b.columns, s.op, x);
                             });
    }
};

const row triangular_rows[] = GM_LINALG_FACTOR_ROWS(triangular_item, "triangular_solve");

} // namespace

GM_LINALG_DEFINE(triangular_solve, triangular_rows)

} // namespace gm
