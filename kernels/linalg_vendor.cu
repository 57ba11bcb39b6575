/*
 * LU, determinant, solve, inverse, Cholesky, QR and triangular solve of more than 256 rows or
 * columns: one problem after another, the O(n^3) steps by a vendor library (vendor.h), what is
 * around them by kernels of the whole grid.
 *
 * A problem is copied column-major into the workspace, factored and substituted there; an error
 * such as A X - B, where the report wants it, is a matrix that the grid fills; then one block takes
 * the norms, decides the outcome and stores. Workspace: the factors, X or Q or the inverse, and the
 * error, m x n each, and the library's own.
 *
 * A problem's bits are its own, as the library is called for it alone. Where the library is missing
 * the row does not fit and the block kernel runs. Not yet timed on a GPU.
 */
#include "kernels/linalg_vendor.cuh"

#include "kernels/linalg_group.cuh"
#include "kernels/vendor.h"

namespace gm {
namespace linalg {
namespace {

constexpr int VENDOR_ABOVE = 256; /* rows or columns */

/* ---- kernels --------------------------------------------------------------------------------- */

/* to = f, m x n; a thread takes every gridDim-th of the blocks of 256 entries of a column. */
template <class T, class F>
__global__ void __launch_bounds__(BLOCK_THREADS, 1)
    linalg_fill(const tile<T> to, int m, int n, const GM_GRID_CONSTANT F f) {
    const int64_t stride = static_cast<int64_t>(gridDim.x) * BLOCK_THREADS;
    for (int64_t e = static_cast<int64_t>(blockIdx.x) * BLOCK_THREADS + threadIdx.x;
         e < static_cast<int64_t>(m) * n; e += stride) {
        const int j = static_cast<int>(e / m),
                  i = static_cast<int>(e - static_cast<int64_t>(j) * m);
        to(i, j) = f(i, j);
    }
}

/* What is known of a problem between launches. */
template <class R> struct state {
    R rcond;
    int32_t regular, odd;
};

/* LAPACK's exchanges as the permutation that they make; whether all pivots are not 0. */
template <class T>
__global__ void __launch_bounds__(BLOCK_THREADS, 1)
    linalg_pivots(const tile<T> lu, int m, int n, const int32_t *pivots, int *permutation,
                  state<real_type<T>> *result) {
    GM_SHARED(block_shared, shared);
    const block_group g(&shared);
    const int least = m < n ? m : n;
    bool regular = true;
    for (int i = g.rank; i < m; i += g.size) {
        permutation[i] = i;
        regular = regular && (i >= least || !(lu(i, i) == number_of<T>(0)));
    }
    regular = g.all(regular);
    if (g.rank == 0) {
        int odd = 0;
        for (int i = 0; i < least; ++i) {
            const int other = pivots[i] - 1, row = permutation[i];
            permutation[i] = permutation[other];
            permutation[other] = row;
            odd ^= other != i;
        }
        *result = {0, regular, odd};
    }
}

template <class R> __global__ void linalg_begin(state<R> *result, int32_t *info) {
    *result = {0, 1, 0};
    *info = 0;
}

/* A triangle is regular where no entry of its diagonal is 0. */
template <class T>
__global__ void __launch_bounds__(BLOCK_THREADS, 1)
    linalg_diagonal(const tile<T> a, int n, state<real_type<T>> *result) {
    GM_SHARED(block_shared, shared);
    const block_group g(&shared);
    bool regular = true;
    for (int i = g.rank; i < n; i += g.size) {
        regular = regular && !(a(i, i) == number_of<T>(0));
    }
    regular = g.all(regular);
    if (g.rank == 0) {
        *result = {0, regular, 0};
    }
}

/* rcond of the matrix a from its inverse. */
template <class T, class A>
__global__ void __launch_bounds__(BLOCK_THREADS, 1)
    linalg_condition(const GM_GRID_CONSTANT A a, const tile<T> inverse, int n,
                     state<real_type<T>> *result) {
    GM_SHARED(block_shared, shared);
    const block_group g(&shared);
    const real_type<T> rcond =
        reciprocal_condition(n, norm_1(g, n, n, a), norm_1(g, n, n, inverse));
    if (g.rank == 0) {
        result->rcond = rcond;
    }
}

/* What the last kernel of a problem reads. */
template <class T> struct finished {
    gm_linalg_args args;
    int64_t problem;
    tile<T> f, x, error; /* the factors or op(A); X, Q or the inverse; what the residual measures */
    const int *permutation;
    const int32_t *info;
    const state<real_type<T>> *known;
};

/* Whether every entry that is read is finite. */
template <class T> __device__ bool inputs_are_finite(const block_group &g, const finished<T> &p) {
    const view<T> a = view_of<T>(p.args, p.args.in[0], p.problem);
    const triangle_form<T> triangle = {a, p.args.triangle};
    const lower_form<T> lower = {{a}};
    bool good = true;
    for_each(g, a, [&](int i, int j) {
        const bool turned = p.args.triangle.transpose != GM_TRANSPOSE_NONE;
        good = good && is_finite(p.args.kind == GM_LINALG_CHOLESKY ? lower(i, j)
                                 : p.args.kind == GM_LINALG_TRIANGULAR_SOLVE
                                     ? (turned ? triangle(j, i) : triangle(i, j))
                                     : a(i, j));
    });
    if (p.args.in[1].data != nullptr) {
        good = finite(g, view_of<T>(p.args, p.args.in[1], p.problem)) && good;
    }
    return g.all(good);
}

/* What |error| is relative to. */
template <class T>
__device__ real_type<T> scale_of_error(const block_group &g, const finished<T> &p,
                                       const view<T> &a) {
    const int n = a.columns;
    const real_type<T> size = p.args.kind == GM_LINALG_CHOLESKY
                                  ? norm(g, n, n, hermitian_form<T>{a})
                              : p.args.kind == GM_LINALG_TRIANGULAR_SOLVE ? norm(g, n, n, p.f)
                                                                          : norm(g, a.rows, n, a);
    if (p.args.in[1].data != nullptr) {
        const view<T> b = view_of<T>(p.args, p.args.in[1], p.problem);
        return size * norm(g, n, b.columns, p.x) + norm(g, n, b.columns, b);
    }
    return p.args.kind == GM_LINALG_INVERSE ? size * norm(g, n, n, p.x) : size;
}

/* The outputs of LU: the factors and the permutation. */
template <class T> __device__ bool store_lu(const block_group &g, const finished<T> &p) {
    const view<int32_t> rows = view_of<int32_t>(p.args, p.args.out[1], p.problem);
    for (int i = g.rank; rows.data != nullptr && i < rows.rows; i += g.size) {
        rows(i, 0) = p.permutation[i];
    }
    return store(g, view_of<T>(p.args, p.args.out[0], p.problem), p.f);
}

/* Stores the outputs; returns whether they are finite. */
template <class T>
__device__ bool store_outputs(const block_group &g, const finished<T> &p, bool odd) {
    const view<T> out = view_of<T>(p.args, p.args.out[0], p.problem);
    switch (p.args.kind) {
    case GM_LINALG_LU:
        return store_lu(g, p);
    case GM_LINALG_DETERMINANT:
        store_determinant(g, p.args, p.problem, static_cast<int>(p.args.in[0].rows), p.f, odd);
        return true;
    case GM_LINALG_CHOLESKY:
        return store(g, out, p.f);
    case GM_LINALG_QR: {
        const bool good = store(g, out, p.x);
        const view<T> r = view_of<T>(p.args, p.args.out[1], p.problem);
        return store(g, r, upper_form<T>{p.f}) && good;
    }
    default:
        return store(g, out, p.x);
    }
}

template <class T>
__global__ void __launch_bounds__(BLOCK_THREADS, 1)
    linalg_finish(const GM_GRID_CONSTANT finished<T> p) {
    using R = real_type<T>;
    GM_SHARED(block_shared, shared);
    const block_group g(&shared);
    const view<T> a = view_of<T>(p.args, p.args.in[0], p.problem);
    const gm_linalg_kind kind = p.args.kind;
    const bool regular = p.known->regular != 0 && (kind != GM_LINALG_CHOLESKY || *p.info == 0);
    const bool holds = regular || kind == GM_LINALG_LU || kind == GM_LINALG_DETERMINANT;
    outcome<R> o = {GM_STATUS_OK, true, regular ? p.known->rcond : R(0), 0, 0};
    if (!inputs_are_finite(g, p)) {
        o = failed<R>(GM_STATUS_NON_FINITE);
    } else if (!holds) {
        o = failed<R>(GM_STATUS_SINGULAR);
    } else {
        if (p.args.residual.data != nullptr) {
            const bool wide = p.args.in[1].data != nullptr;
            o.residual =
                relative_norm(g, a.rows, wide ? static_cast<int>(p.args.in[1].columns) : a.columns,
                              p.error, scale_of_error(g, p, a));
        }
        o.status = regular || kind != GM_LINALG_LU ? GM_STATUS_OK : GM_STATUS_SINGULAR;
        if (!store_outputs(g, p, p.known->odd != 0)) {
            o.status = GM_STATUS_NON_FINITE;
            o = kind == GM_LINALG_LU ? o : failed<R>(GM_STATUS_NON_FINITE);
        }
    }
    finish(g, p.args, p.problem, o);
}

/* ---- the steps of a problem ------------------------------------------------------------------ */

/* A problem's scratch in the workspace and the launches on it; stops at the first failure. */
template <class T> class large {
  public:
    large(gm_call *call, const gm_linalg_args &args) : call_(call), args_(args) {
        m_ = static_cast<int>(args.in[0].rows);
        n_ = static_cast<int>(args.in[0].columns);
        k_ = static_cast<int>(args.in[1].columns);
        least_ = m_ < n_ ? m_ : n_;
        const bool wanted = args.rcond.data != nullptr || args.kind == GM_LINALG_INVERSE;
        const int q = args.kind == GM_LINALG_QR && args.out[0].data != nullptr
                          ? static_cast<int>(args.out[0].columns)
                          : 0;
        width_ = wanted && n_ > k_ ? n_ : k_;
        width_ = q > width_ ? q : width_;
        const dims d = {m_, n_, width_, 0};
        arena memory = {static_cast<char *>(args.workspace), 0};
        p_.args = args;
        p_.f = memory.take_tile<T>(d, m_, n_);
        p_.x = memory.take_tile<T>(d, m_, width_);
        p_.error =
            memory.take_tile<T>(d, m_, args.residual.data != nullptr ? (n_ > k_ ? n_ : k_) : 0);
        p_.permutation = permutation_ = memory.take<int>(m_);
        pivots_ = memory.take<int32_t>(m_);
        p_.info = info_ = memory.take<int32_t>(1);
        p_.known = known_ = memory.take<state<real_type<T>>>(1);
        tau_ = memory.take<T>(n_);
        check(work_elements(&work_elements_));
        work_ = memory.take<T>(work_elements_);
        bytes_ = memory.used;
    }

    size_t bytes() const {
        return bytes_;
    }
    gm_status run() {
        for (int64_t i = 0; i < args_.problems && status_ == GM_STATUS_OK; ++i) {
            p_.problem = i;
            a_ = view_of<T>(args_, args_.in[0], i);
            b_ = view_of<T>(args_, args_.in[1], i);
            switch (args_.kind) {
            case GM_LINALG_CHOLESKY:
                cholesky();
                break;
            case GM_LINALG_QR:
                qr();
                break;
            case GM_LINALG_TRIANGULAR_SOLVE:
                triangular();
                break;
            default:
                lu();
            }
            GM_LAUNCH((linalg_finish<T>), 1, static_cast<unsigned>(BLOCK_THREADS),
                      sizeof(block_shared), stream_of(call_), p_);
            check(check_cuda(call_, cudaGetLastError(), call_->kernel));
        }
        return status_;
    }

  private:
    void check(gm_status status) {
        status_ = status_ == GM_STATUS_OK ? status : status_;
    }

    template <class F> void fill(const tile<T> &to, int m, int n, const F &f) {
        const int64_t blocks = (static_cast<int64_t>(m) * n + BLOCK_THREADS - 1) / BLOCK_THREADS;
        if (blocks > 0) {
            GM_LAUNCH((linalg_fill<T, F>), static_cast<unsigned>(blocks < 8192 ? blocks : 8192),
                      static_cast<unsigned>(BLOCK_THREADS), 0, stream_of(call_), to, m, n, f);
            check(check_cuda(call_, cudaGetLastError(), call_->kernel));
        }
    }
    template <class A> void condition(const A &a) {
        GM_LAUNCH((linalg_condition<T, A>), 1, static_cast<unsigned>(BLOCK_THREADS),
                  sizeof(block_shared), stream_of(call_), a, p_.x, n_, known_);
        check(check_cuda(call_, cudaGetLastError(), call_->kernel));
    }

    vendor_factor factor_of(vendor_factorization what, const tile<T> &a, int m, int n, int k) {
        return {what, args_.dtype, m,       n,     k,     a.data,
                a.ld, tau_,        pivots_, info_, work_, work_elements_};
    }
    void factor(vendor_factorization what, const tile<T> &a, int m, int n, int k) {
        const vendor_factor f = factor_of(what, a, m, n, k);
        if (m > 0 && n > 0 && status_ == GM_STATUS_OK) {
            check(vendor_run(call_, &f));
        }
    }
    /* The elements of work for all that the kind calls. */
    gm_status work_elements(int *most) {
        const vendor_factorization what = args_.kind == GM_LINALG_QR         ? VENDOR_QR
                                          : args_.kind == GM_LINALG_CHOLESKY ? VENDOR_CHOLESKY
                                                                             : VENDOR_LU;
        vendor_factor f = factor_of(what, p_.f, m_, n_, 0);
        gm_status status = m_ > 0 && n_ > 0 ? vendor_work(call_, &f, most) : GM_STATUS_OK;
        if (status == GM_STATUS_OK && what == VENDOR_QR && q_columns() > 0) {
            int other = 0;
            f = factor_of(VENDOR_FORM_Q, p_.x, m_, q_columns(), least_);
            status = vendor_work(call_, &f, &other);
            *most = other > *most ? other : *most;
        }
        return status;
    }
    int q_columns() const {
        return args_.out[0].data != nullptr ? static_cast<int>(args_.out[0].columns) : 0;
    }
    /* x := op(f)^-1 x */
    void substitute(bool upper, bool unit, bool transpose, int k) {
        const vendor_substitution s = {args_.dtype, upper,     unit,    transpose, n_,
                                       k,           p_.f.data, p_.f.ld, p_.x.data, p_.x.ld};
        if (n_ > 0 && k > 0 && status_ == GM_STATUS_OK) {
            check(vendor_substitute(call_, &s));
        }
    }
    void substitute_lu(int k) {
        substitute(false, true, false, k);
        substitute(true, false, false, k);
    }
    bool checks() const {
        return args_.residual.data != nullptr;
    }
    bool conditions() const {
        return args_.rcond.data != nullptr;
    }
    /* Nothing is singular that no one has looked at. */
    void begin() {
        GM_LAUNCH((linalg_begin<real_type<T>>), 1, 1, 0, stream_of(call_), known_, info_);
        check(check_cuda(call_, cudaGetLastError(), call_->kernel));
    }

    void lu();
    void cholesky();
    void qr();
    void triangular();

    gm_call *call_;
    const gm_linalg_args &args_;
    gm_status status_ = GM_STATUS_OK;
    int m_, n_, k_, least_, width_, work_elements_ = 0;
    finished<T> p_;
    view<T> a_, b_;
    int *permutation_;
    int32_t *pivots_, *info_;
    state<real_type<T>> *known_;
    T *tau_, *work_;
    size_t bytes_;
};

template <class T> void large<T>::lu() {
    const bool inverts = args_.kind == GM_LINALG_INVERSE;
    fill(p_.f, m_, n_, a_);
    factor(VENDOR_LU, p_.f, m_, n_, 0);
    GM_LAUNCH((linalg_pivots<T>), 1, static_cast<unsigned>(BLOCK_THREADS), sizeof(block_shared),
              stream_of(call_), p_.f, m_, n_, pivots_, permutation_, known_);
    check(check_cuda(call_, cudaGetLastError(), call_->kernel));
    if (inverts || conditions()) {
        fill(p_.x, n_, n_, permuted_form<identity_form<T>>{{}, permutation_});
        substitute_lu(n_);
        condition(a_);
    }
    if (args_.kind == GM_LINALG_SOLVE) {
        fill(p_.x, n_, k_, permuted_form<view<T>>{b_, permutation_});
        substitute_lu(k_);
    }
    if (checks() && args_.kind == GM_LINALG_LU) {
        fill(p_.error, m_, n_, lu_error<T>{p_.f, {a_, permutation_}});
    } else if (checks() && inverts) {
        fill(p_.error, n_, n_, product_error<view<T>, tile<T>, identity_form<T>>{a_, p_.x, {}, n_});
    } else if (checks()) {
        fill(p_.error, n_, k_, product_error<view<T>, tile<T>, view<T>>{a_, p_.x, b_, n_});
    }
}

template <class T> void large<T>::cholesky() {
    const hermitian_form<T> whole = {a_};
    begin();
    fill(p_.f, n_, n_, lower_form<T>{whole});
    factor(VENDOR_CHOLESKY, p_.f, n_, n_, 0);
    if (conditions()) {
        fill(p_.x, n_, n_, identity_form<T>());
        substitute(false, false, false, n_);
        substitute(false, false, true, n_);
        condition(whole);
    }
    if (checks()) {
        fill(p_.error, n_, n_, cholesky_error<T>{p_.f, whole});
    }
}

template <class T> void large<T>::qr() {
    const int columns = q_columns();
    begin();
    fill(p_.f, m_, n_, a_);
    factor(VENDOR_QR, p_.f, m_, n_, 0);
    if (conditions()) {
        fill(p_.x, n_, n_, identity_form<T>());
        substitute(true, false, false, n_);
        condition(upper_form<T>{p_.f});
    }
    if (columns > 0) {
        fill(p_.x, m_, least_, p_.f);
        factor(VENDOR_FORM_Q, p_.x, m_, columns, least_);
    }
    if (checks()) {
        fill(p_.error, m_, n_, qr_error<T>{p_.x, p_.f, a_, least_});
    }
}

template <class T> void large<T>::triangular() {
    const triangle_form<T> op = {a_, args_.triangle};
    fill(p_.f, n_, n_, op);
    GM_LAUNCH((linalg_diagonal<T>), 1, static_cast<unsigned>(BLOCK_THREADS), sizeof(block_shared),
              stream_of(call_), p_.f, n_, known_);
    check(check_cuda(call_, cudaGetLastError(), call_->kernel));
    if (conditions()) {
        fill(p_.x, n_, n_, identity_form<T>());
        substitute(!op.is_lower(), false, false, n_);
        condition(p_.f);
    }
    fill(p_.x, n_, k_, b_);
    substitute(!op.is_lower(), false, false, k_);
    if (checks()) {
        fill(p_.error, n_, k_, product_error<tile<T>, tile<T>, view<T>>{p_.f, p_.x, b_, n_});
    }
}

template <class T> size_t workspace_in(gm_call *call, const gm_linalg_args &args) {
    return large<T>(call, args).bytes();
}
template <class T> gm_status run_in(gm_call *call, const gm_linalg_args &args) {
    return large<T>(call, args).run();
}

} // namespace

bool vendor_fits(gm_call *call, const gm_linalg_args &args) {
    const bool is_large = args.in[0].rows > VENDOR_ABOVE || args.in[0].columns > VENDOR_ABOVE;
    const bool is_empty = args.in[0].rows == 0 || args.in[0].columns == 0;
    return is_large && !is_empty && vendor_open(call) == GM_STATUS_OK;
}

size_t vendor_workspace(gm_call *call, const gm_linalg_args &args) {
    size_t (*const typed[])(gm_call *, const gm_linalg_args &) = {
        workspace_in<double>, workspace_in<float>, workspace_in<c128>, workspace_in<c64>};
    return typed[type_index(args.dtype)](call, args);
}

gm_status vendor_row_run(gm_call *call, const gm_linalg_args &args) {
    gm_status (*const typed[])(gm_call *, const gm_linalg_args &) = {run_in<double>, run_in<float>,
                                                                     run_in<c128>, run_in<c64>};
    return typed[type_index(args.dtype)](call, args);
}

} // namespace linalg
} // namespace gm
