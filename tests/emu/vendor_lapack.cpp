/* kernels/vendor.h for the emu module: LAPACK and BLAS, queued in the emulator's streams. */
#include <cblas.h>
#include <lapack.h>

#include "kernels/vendor.h"

#include "runtime.h"

namespace gm {
namespace {

/* Queues work behind what the stream has. */
template <class Work> gm_status queue(gm_call *call, Work work) {
    const cudaError_t error = emu::entry([&] {
        return emu::queue_work(static_cast<cudaStream_t>(call->stream), [work] {
            work();
            return cudaSuccess;
        });
    });
    return error == cudaSuccess ? GM_STATUS_OK
                                : gm_call_fail(call, GM_STATUS_DEVICE_ERROR, "LAPACK: %s",
                                               cudaGetErrorString(error));
}

constexpr int block = 64; /* columns that LAPACK's blocked algorithms work on at once, at most */

#define TYPED(letter, scalar, ungqr)                                                               \
    void factor_##letter(const vendor_factor &f) {                                                 \
        scalar *a = static_cast<scalar *>(f.a), *tau = static_cast<scalar *>(f.tau);               \
        scalar *work = static_cast<scalar *>(f.work);                                              \
        switch (f.what) {                                                                          \
        case VENDOR_LU:                                                                            \
            LAPACK_##letter##getrf(&f.m, &f.n, a, &f.ld, f.pivots, f.info);                        \
            break;                                                                                 \
        case VENDOR_CHOLESKY:                                                                      \
            LAPACK_##letter##potrf("L", &f.n, a, &f.ld, f.info);                                   \
            break;                                                                                 \
        case VENDOR_QR:                                                                            \
            LAPACK_##letter##geqrf(&f.m, &f.n, a, &f.ld, tau, work, &f.work_elements, f.info);     \
            break;                                                                                 \
        default:                                                                                   \
            ungqr(&f.m, &f.n, &f.k, a, &f.ld, tau, work, &f.work_elements, f.info);                \
        }                                                                                          \
    }
TYPED(d, double, LAPACK_dorgqr)
TYPED(s, float, LAPACK_sorgqr)
TYPED(z, lapack_complex_double, LAPACK_zungqr)
TYPED(c, lapack_complex_float, LAPACK_cungqr)
#undef TYPED

/* Work of 5 n + m elements: what the real type takes; of the complex one the second part is real.
 */
#define TYPED_REAL(letter, real)                                                                   \
    void spectrum_##letter(const vendor_spectrum &s) {                                             \
        real *a = static_cast<real *>(s.a), *w = static_cast<real *>(s.w);                         \
        real *work = static_cast<real *>(s.work);                                                  \
        const char *const u = s.columns == 0 ? "N" : s.columns == s.n ? "S" : "A";                 \
        if (s.kind == VENDOR_SINGULAR) {                                                           \
            LAPACK_##letter##gesvd(u, s.columns == 0 ? "N" : "S", &s.m, &s.n, a, &s.lda, w,        \
                                   static_cast<real *>(s.u), &s.ldu, static_cast<real *>(s.vh),    \
                                   &s.ldvh, work, &s.work_elements, s.info);                       \
        } else {                                                                                   \
            LAPACK_##letter##syev(s.columns == 0 ? "N" : "V", "L", &s.n, a, &s.lda, w, work,       \
                                  &s.work_elements, s.info);                                       \
        }                                                                                          \
    }
TYPED_REAL(d, double)
TYPED_REAL(s, float)
#undef TYPED_REAL
#define TYPED_COMPLEX(letter, scalar, real)                                                        \
    void spectrum_##letter(const vendor_spectrum &s) {                                             \
        scalar *a = static_cast<scalar *>(s.a), *work = static_cast<scalar *>(s.work);             \
        real *w = static_cast<real *>(s.w);                                                        \
        const lapack_int first = 2 * s.n + s.m;                                                    \
        real *rest = reinterpret_cast<real *>(work + first);                                       \
        const char *const u = s.columns == 0 ? "N" : s.columns == s.n ? "S" : "A";                 \
        if (s.kind == VENDOR_SINGULAR) {                                                           \
            LAPACK_##letter##gesvd(u, s.columns == 0 ? "N" : "S", &s.m, &s.n, a, &s.lda, w,        \
                                   static_cast<scalar *>(s.u), &s.ldu,                             \
                                   static_cast<scalar *>(s.vh), &s.ldvh, work, &first, rest,       \
                                   s.info);                                                        \
        } else if (s.kind == VENDOR_GENERAL) {                                                     \
            LAPACK_##letter##geev("N", s.columns == 0 ? "N" : "V", &s.n, a, &s.lda,                \
                                  static_cast<scalar *>(s.w), nullptr, &s.n,                       \
                                  static_cast<scalar *>(s.u), &s.ldu, work, &first, rest, s.info); \
        } else {                                                                                   \
            LAPACK_##letter##heev(s.columns == 0 ? "N" : "V", "L", &s.n, a, &s.lda, w, work,       \
                                  &first, rest, s.info);                                           \
        }                                                                                          \
    }
TYPED_COMPLEX(z, lapack_complex_double, double)
TYPED_COMPLEX(c, lapack_complex_float, float)
#undef TYPED_COMPLEX

void substitute(const vendor_substitution &s) {
    const auto upper = s.upper ? CblasUpper : CblasLower;
    const auto transpose = s.transpose ? CblasConjTrans : CblasNoTrans;
    const auto unit = s.unit ? CblasUnit : CblasNonUnit;
    const double one[2] = {1, 0};
    const float single_one[2] = {1, 0};
    switch (s.dtype) {
    case GM_F64:
        cblas_dtrsm(CblasColMajor, CblasLeft, upper, transpose, unit, s.n, s.k, 1,
                    static_cast<const double *>(s.a), s.lda, static_cast<double *>(s.b), s.ldb);
        break;
    case GM_F32:
        cblas_strsm(CblasColMajor, CblasLeft, upper, transpose, unit, s.n, s.k, 1,
                    static_cast<const float *>(s.a), s.lda, static_cast<float *>(s.b), s.ldb);
        break;
    case GM_C128:
        cblas_ztrsm(CblasColMajor, CblasLeft, upper, transpose, unit, s.n, s.k, one, s.a, s.lda,
                    s.b, s.ldb);
        break;
    default:
        cblas_ctrsm(CblasColMajor, CblasLeft, upper, transpose, unit, s.n, s.k, single_one, s.a,
                    s.lda, s.b, s.ldb);
    }
}

} // namespace

gm_status vendor_open(gm_call *) {
    return GM_STATUS_OK;
}

gm_status vendor_work(gm_call *, const vendor_factor *f, int *elements) {
    *elements = f->n * block + 1;
    return GM_STATUS_OK;
}

gm_status vendor_run(gm_call *call, const vendor_factor *factor) {
    const vendor_factor f = *factor;
    return queue(call, [f] {
        f.dtype == GM_F64    ? factor_d(f)
        : f.dtype == GM_F32  ? factor_s(f)
        : f.dtype == GM_C128 ? factor_z(f)
                             : factor_c(f);
    });
}

gm_status vendor_substitute(gm_call *call, const vendor_substitution *substitution) {
    const vendor_substitution s = *substitution;
    return queue(call, [s] { substitute(s); });
}

bool vendor_has(vendor_spectrum_kind) {
    return true;
}

gm_status vendor_spectrum_work(gm_call *, const vendor_spectrum *s, int *elements) {
    *elements = 5 * s->n + s->m;
    return GM_STATUS_OK;
}

gm_status vendor_spectrum_run(gm_call *call, const vendor_spectrum *spectrum) {
    const vendor_spectrum s = *spectrum;
    return queue(call, [s] {
        s.dtype == GM_F64    ? spectrum_d(s)
        : s.dtype == GM_F32  ? spectrum_s(s)
        : s.dtype == GM_C128 ? spectrum_z(s)
                             : spectrum_c(s);
    });
}

} // namespace gm
