/*
 * gm_linalg_cholesky: A = L L^H, right-looking, from the diagonal's real part and what is below it.
 *
 * Parallelised as linalg.cuh says: a lane, in a block a warp, to each column of what is left.
 * Scratch: L, n x n, and where rcond is wanted A^-1 = L^-H L^-1, all of its columns: rcond is exact
 * up to rounding. Not yet timed on a GPU.
 */
#include "kernels/linalg_group.cuh"
#include "kernels/linalg_table.cuh"
#include "kernels/linalg_vendor.cuh"

namespace gm {
namespace {

using namespace linalg;

struct cholesky_item {
    template <class T> struct scratch {
        tile<T> l, x;
        __host__ __device__ constexpr scratch(arena &memory, const dims &d)
            : l(memory.take_tile<T>(d, d.n, d.n)), x(memory.take_tile<T>(d, d.n, d.k)) {
        }
    };

    static dims sizes(const gm_linalg_args &args) {
        return sizes_of(args, args.rcond.data != nullptr ? args.in[0].columns : 0);
    }

    template <class T, class Group>
    static __device__ outcome<real_type<T>> run(const Group &g, const gm_linalg_args &args,
                                                int64_t problem, const scratch<T> &s,
                                                const dims &) {
        using R = real_type<T>;
        const view<T> memory = view_of<T>(args, args.in[0], problem);
        const hermitian_form<T> a = {memory};
        const lower_form<T> lower = {a};
        const adjoint_form<T> lh = {s.l};
        const int n = memory.rows;
        bool good = true;
        for_each(g, memory, [&](int i, int j) {
            s.l(i, j) = lower(i, j);
            good = good && is_finite(s.l(i, j));
        });
        if (!g.all(good)) {
            return failed<R>(GM_STATUS_NON_FINITE);
        }
        if (!factor_cholesky(g, n, s.l)) {
            return failed<R>(GM_STATUS_SINGULAR);
        }
        outcome<R> o = {GM_STATUS_OK, true, 0, 0, 0};
        if (args.rcond.data != nullptr) {
            set_identity(g, n, n, s.x);
            substitute(g, LOWER, false, n, n, s.l, s.x);
            substitute(g, UPPER, false, n, n, lh, s.x);
            o.rcond = reciprocal_condition(n, norm_1(g, n, n, a), norm_1(g, n, n, s.x));
        }
        if (args.residual.data != nullptr) {
            const cholesky_error<T> error = {s.l, a};
            o.residual = relative_norm(g, n, n, error, norm(g, n, n, a));
        }
        store(g, view_of<T>(args, args.out[0], problem), s.l);
        return o;
    }
};

const row cholesky_rows[] = GM_LINALG_FACTOR_ROWS(cholesky_item, "cholesky");

} // namespace

GM_LINALG_DEFINE(cholesky, cholesky_rows)

} // namespace gm
