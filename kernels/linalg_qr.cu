/*
 * gm_linalg_qr: A = Q R by Householder reflections, kept below R until Q is formed by applying them
 * to the identity, the last first.
 *
 * Parallelised as linalg.cuh says: a reflection is made by the whole group and applied by a lane,
 * in a block by a warp, to each column. Scratch: the reflections, m x n, and Q, which first serves
 * for R^-1 where rcond is wanted: that is exact up to rounding. Not yet timed on a GPU.
 *
 * Numerical choices: the diagonal of R has the sign opposite to a_kk, so that nothing cancels;
 * norms of columns are scaled by their largest entry.
 */
#include "kernels/linalg_group.cuh"
#include "kernels/linalg_table.cuh"
#include "kernels/linalg_vendor.cuh"

namespace gm {
namespace {

using namespace linalg;

struct qr_item {
    template <class T> struct scratch {
        tile<T> a, q;
        T *tau;
        __host__ __device__ constexpr scratch(arena &memory, const dims &d)
            : a(memory.take_tile<T>(d, d.m, d.n)), q(memory.take_tile<T>(d, d.m, d.k)),
              tau(memory.take<T>(d.n)) {
        }
    };

    static dims sizes(const gm_linalg_args &args) {
        const int64_t n = args.in[0].columns;
        const int64_t k = args.out[0].data != nullptr ? args.out[0].columns : 0;
        return sizes_of(args, args.rcond.data != nullptr && n > k ? n : k);
    }

    template <class T, class Group>
    static __device__ outcome<real_type<T>> run(const Group &g, const gm_linalg_args &args,
                                                int64_t problem, const scratch<T> &s,
                                                const dims &) {
        using R = real_type<T>;
        const view<T> a = view_of<T>(args, args.in[0], problem);
        const view<T> q = view_of<T>(args, args.out[0], problem);
        const int m = a.rows, n = a.columns, steps = m < n ? m : n;
        const upper_form<T> r = {s.a};
        if (!load(g, a, s.a)) {
            return failed<R>(GM_STATUS_NON_FINITE);
        }
        factor_qr(g, m, n, s.a, s.tau);
        outcome<R> o = {GM_STATUS_OK, true, 0, 0, 0};
        if (args.rcond.data != nullptr) {
            set_identity(g, n, n, s.q);
            substitute(g, UPPER, false, n, n, r, s.q);
            o.rcond = reciprocal_condition(n, norm_1(g, n, n, r), norm_1(g, n, n, s.q));
        }
        if (q.data != nullptr) {
            form_q(g, m, q.columns, steps, s.a, s.tau, s.q);
        }
        if (args.residual.data != nullptr) {
            const qr_error<T> error = {s.q, s.a, a, steps};
            o.residual = relative_norm(g, m, n, error, norm(g, m, n, a));
        }
        bool good = store(g, q, s.q);
        good = store(g, view_of<T>(args, args.out[1], problem), r) && good;
        return good ? o : failed<R>(GM_STATUS_NON_FINITE);
    }
};

const row qr_rows[] = GM_LINALG_FACTOR_ROWS(qr_item, "qr");

} // namespace

GM_LINALG_DEFINE(qr, qr_rows)

} // namespace gm
