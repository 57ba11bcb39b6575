/* vendor.h by cuSOLVER and cuBLAS. The emu module has tests/emu/vendor_lapack.cpp instead. */
#include "kernels/vendor.h"

#include <cublas_v2.h>
#include <cusolverDn.h>
#include <climits>
#include <cstdlib>
#include <dlfcn.h>
#include <mutex>
#include <vector>

#include "kernels/launch.cuh"

namespace gm {
namespace {

/* The functions of one element type; the types of matrices are erased. */
struct typed_functions {
    cusolverStatus_t (*getrf_size)(cusolverDnHandle_t, int, int, void *, int, int *);
    cusolverStatus_t (*getrf)(cusolverDnHandle_t, int, int, void *, int, void *, int *, int *);
    cusolverStatus_t (*potrf_size)(cusolverDnHandle_t, cublasFillMode_t, int, void *, int, int *);
    cusolverStatus_t (*potrf)(cusolverDnHandle_t, cublasFillMode_t, int, void *, int, void *, int,
                              int *);
    cusolverStatus_t (*geqrf_size)(cusolverDnHandle_t, int, int, void *, int, int *);
    cusolverStatus_t (*geqrf)(cusolverDnHandle_t, int, int, void *, int, void *, void *, int,
                              int *);
    cusolverStatus_t (*ungqr_size)(cusolverDnHandle_t, int, int, int, const void *, int,
                                   const void *, int *);
    cusolverStatus_t (*ungqr)(cusolverDnHandle_t, int, int, int, void *, int, const void *, void *,
                              int, int *);
    cusolverStatus_t (*heevd_size)(cusolverDnHandle_t, cusolverEigMode_t, cublasFillMode_t, int,
                                   const void *, int, const void *, int *);
    cusolverStatus_t (*heevd)(cusolverDnHandle_t, cusolverEigMode_t, cublasFillMode_t, int, void *,
                              int, void *, void *, int, int *);
    cusolverStatus_t (*gesvd_size)(cusolverDnHandle_t, int, int, int *);
    cusolverStatus_t (*gesvd)(cusolverDnHandle_t, signed char, signed char, int, int, void *, int,
                              void *, void *, int, void *, int, void *, int, void *, int *);
    cublasStatus_t (*trsm)(cublasHandle_t, cublasSideMode_t, cublasFillMode_t, cublasOperation_t,
                           cublasDiagType_t, int, int, const void *, const void *, int, void *,
                           int);
};

struct libraries {
    decltype(&cublasCreate_v2) create_blas;
    decltype(&cublasSetStream_v2) set_blas_stream;
    decltype(&cusolverDnCreate) create_solver;
    decltype(&cusolverDnSetStream) set_solver_stream;
    typed_functions typed[4]; /* f64, f32, c128, c64 */
    /* General eigenvalues, from CUDA 12.6 on; NULL before. */
    decltype(&cusolverDnCreateParams) create_parameters;
    decltype(&cusolverDnXgeev_bufferSize) geev_size;
    decltype(&cusolverDnXgeev) geev;
    const char *missing; /* a library or function; NULL: all are there */
};

void *open_any(std::initializer_list<const char *> names) {
    void *handle = nullptr;
    for (const char *name : names) {
        handle = handle != nullptr ? handle : dlopen(name, RTLD_NOW | RTLD_LOCAL);
    }
    return handle;
}

template <class Function>
void find(libraries &l, void *library, Function *function, const char *format, char letter) {
    static char name[64]; /* the first that is missing is quoted */
    if (l.missing != nullptr) {
        return;
    }
    snprintf(name, sizeof name, format, letter);
    *function = reinterpret_cast<Function>(dlsym(library, name));
    l.missing = *function == nullptr ? name : nullptr;
}

void find_typed(libraries &l, void *blas, void *solver, int type) {
    typed_functions &t = l.typed[type];
    const char letter = "DSZC"[type];
    const bool is_complex = type >= 2;
    find(l, solver, &t.getrf_size, "cusolverDn%cgetrf_bufferSize", letter);
    find(l, solver, &t.getrf, "cusolverDn%cgetrf", letter);
    find(l, solver, &t.potrf_size, "cusolverDn%cpotrf_bufferSize", letter);
    find(l, solver, &t.potrf, "cusolverDn%cpotrf", letter);
    find(l, solver, &t.geqrf_size, "cusolverDn%cgeqrf_bufferSize", letter);
    find(l, solver, &t.geqrf, "cusolverDn%cgeqrf", letter);
    find(l, solver, &t.ungqr_size,
         is_complex ? "cusolverDn%cungqr_bufferSize" : "cusolverDn%corgqr_bufferSize", letter);
    find(l, solver, &t.ungqr, is_complex ? "cusolverDn%cungqr" : "cusolverDn%corgqr", letter);
    find(l, solver, &t.heevd_size,
         is_complex ? "cusolverDn%cheevd_bufferSize" : "cusolverDn%csyevd_bufferSize", letter);
    find(l, solver, &t.heevd, is_complex ? "cusolverDn%cheevd" : "cusolverDn%csyevd", letter);
    find(l, solver, &t.gesvd_size, "cusolverDn%cgesvd_bufferSize", letter);
    find(l, solver, &t.gesvd, "cusolverDn%cgesvd", letter);
    find(l, blas, &t.trsm, "cublas%ctrsm_v2", letter);
}

/* The handles stay open for the process. */
const libraries &open_libraries() {
    static libraries l = {};
    static const bool opened = [] {
        void *blas = open_any({"libcublas.so.13", "libcublas.so.12", "libcublas.so"});
        void *solver = open_any({"libcusolver.so.12", "libcusolver.so.11", "libcusolver.so"});
        l.missing = blas == nullptr     ? "libcublas.so"
                    : solver == nullptr ? "libcusolver.so"
                                        : nullptr;
        find(l, blas, &l.create_blas, "cublasCreate_v2", 0);
        find(l, blas, &l.set_blas_stream, "cublasSetStream_v2", 0);
        find(l, solver, &l.create_solver, "cusolverDnCreate", 0);
        find(l, solver, &l.set_solver_stream, "cusolverDnSetStream", 0);
        for (int type = 0; type < 4; ++type) {
            find_typed(l, blas, solver, type);
        }
        if (l.missing == nullptr) {
            find(l, solver, &l.create_parameters, "cusolverDnCreateParams", 0);
            find(l, solver, &l.geev_size, "cusolverDnXgeev_bufferSize", 0);
            find(l, solver, &l.geev, "cusolverDnXgeev", 0);
            l.geev = l.missing == nullptr ? l.geev : nullptr;
            l.missing = nullptr;
        }
        return true;
    }();
    (void)opened;
    return l;
}

/* A stream's own handles: a library's scratch hangs on them, and streams run side by side. */
struct stream_handles {
    int device;
    void *stream;
    cublasHandle_t blas;
    cusolverDnHandle_t solver;
    cusolverDnParams_t parameters; /* of general eigenvalues */
    void *host;                    /* memory for those, which the processor takes part in */
    size_t host_bytes;
};

std::mutex lock;
std::vector<stream_handles> all_handles;

gm_status check(gm_call *call, int status, const char *what) {
    return status == 0 ? GM_STATUS_OK
                       : gm_call_fail(call, GM_STATUS_DEVICE_ERROR, "%s: status %d", what, status);
}

gm_status handles_of(gm_call *call, stream_handles *found) {
    const libraries &l = open_libraries();
    if (l.missing != nullptr) {
        return gm_call_fail(call, GM_STATUS_UNSUPPORTED, "%s is not there", l.missing);
    }
    const std::lock_guard<std::mutex> guard(lock);
    for (const stream_handles &h : all_handles) {
        if (h.device == call->device && h.stream == call->stream) {
            *found = h;
            return GM_STATUS_OK;
        }
    }
    stream_handles h = {call->device, call->stream, nullptr, nullptr, nullptr, nullptr, 0};
    gm_status status = check(call, l.create_blas(&h.blas), "cublasCreate");
    if (status == GM_STATUS_OK) {
        status = check(call, l.set_blas_stream(h.blas, stream_of(call)), "cublasSetStream");
    }
    if (status == GM_STATUS_OK) {
        status = check(call, l.create_solver(&h.solver), "cusolverDnCreate");
    }
    if (status == GM_STATUS_OK) {
        status = check(call, l.set_solver_stream(h.solver, stream_of(call)), "cusolverDnSetStream");
    }
    if (status == GM_STATUS_OK && l.geev != nullptr) {
        status = check(call, l.create_parameters(&h.parameters), "cusolverDnCreateParams");
    }
    if (status == GM_STATUS_OK) {
        all_handles.push_back(h);
        *found = h;
    }
    return status;
}

/* Memory of the host for a stream. What it had stays, as work that is queued may use it: all of it
 * together is less than twice the most. */
gm_status host_memory(gm_call *call, size_t bytes) {
    const std::lock_guard<std::mutex> guard(lock);
    for (stream_handles &h : all_handles) {
        if (h.device == call->device && h.stream == call->stream && h.host_bytes < bytes) {
            const size_t wanted = bytes > 2 * h.host_bytes ? bytes : 2 * h.host_bytes;
            void *memory = malloc(wanted);
            if (memory == nullptr) {
                return gm_call_fail(call, GM_STATUS_OUT_OF_MEMORY, "geev: %zu bytes of the host",
                                    wanted);
            }
            h.host = memory;
            h.host_bytes = wanted;
        }
    }
    return GM_STATUS_OK;
}

int type_of(gm_dtype dtype) {
    return dtype == GM_F64 ? 0 : dtype == GM_F32 ? 1 : dtype == GM_C128 ? 2 : 3;
}

} // namespace

gm_status vendor_open(gm_call *call) {
    stream_handles h;
    return handles_of(call, &h);
}

gm_status vendor_work(gm_call *call, const vendor_factor *f, int *elements) {
    stream_handles h;
    const gm_status status = handles_of(call, &h);
    if (status != GM_STATUS_OK) {
        return status;
    }
    const typed_functions &t = open_libraries().typed[type_of(f->dtype)];
    switch (f->what) {
    case VENDOR_LU:
        return check(call, t.getrf_size(h.solver, f->m, f->n, f->a, f->ld, elements), "getrf");
    case VENDOR_CHOLESKY:
        return check(call,
                     t.potrf_size(h.solver, CUBLAS_FILL_MODE_LOWER, f->n, f->a, f->ld, elements),
                     "potrf");
    case VENDOR_QR:
        return check(call, t.geqrf_size(h.solver, f->m, f->n, f->a, f->ld, elements), "geqrf");
    default:
        return check(call, t.ungqr_size(h.solver, f->m, f->n, f->k, f->a, f->ld, f->tau, elements),
                     "ungqr");
    }
}

gm_status vendor_run(gm_call *call, const vendor_factor *f) {
    stream_handles h;
    const gm_status status = handles_of(call, &h);
    if (status != GM_STATUS_OK) {
        return status;
    }
    const typed_functions &t = open_libraries().typed[type_of(f->dtype)];
    switch (f->what) {
    case VENDOR_LU:
        return check(call, t.getrf(h.solver, f->m, f->n, f->a, f->ld, f->work, f->pivots, f->info),
                     "getrf");
    case VENDOR_CHOLESKY:
        return check(call,
                     t.potrf(h.solver, CUBLAS_FILL_MODE_LOWER, f->n, f->a, f->ld, f->work,
                             f->work_elements, f->info),
                     "potrf");
    case VENDOR_QR:
        return check(
            call,
            t.geqrf(h.solver, f->m, f->n, f->a, f->ld, f->tau, f->work, f->work_elements, f->info),
            "geqrf");
    default:
        return check(call,
                     t.ungqr(h.solver, f->m, f->n, f->k, f->a, f->ld, f->tau, f->work,
                             f->work_elements, f->info),
                     "ungqr");
    }
}

gm_status vendor_substitute(gm_call *call, const vendor_substitution *s) {
    stream_handles h;
    const gm_status status = handles_of(call, &h);
    if (status != GM_STATUS_OK) {
        return status;
    }
    static const double one[2] = {1, 0};
    static const float single_one[2] = {1, 0};
    const bool single = s->dtype == GM_F32 || s->dtype == GM_C64;
    const void *alpha = single ? static_cast<const void *>(single_one) : one;
    return check(call,
                 open_libraries().typed[type_of(s->dtype)].trsm(
                     h.blas, CUBLAS_SIDE_LEFT,
                     s->upper ? CUBLAS_FILL_MODE_UPPER : CUBLAS_FILL_MODE_LOWER,
                     s->transpose ? CUBLAS_OP_C : CUBLAS_OP_N,
                     s->unit ? CUBLAS_DIAG_UNIT : CUBLAS_DIAG_NON_UNIT, s->n, s->k, alpha, s->a,
                     s->lda, s->b, s->ldb),
                 "trsm");
}

static cusolverEigMode_t mode_of(const vendor_spectrum *s) {
    return s->columns > 0 ? CUSOLVER_EIG_MODE_VECTOR : CUSOLVER_EIG_MODE_NOVECTOR;
}

bool vendor_has(vendor_spectrum_kind kind) {
    return kind != VENDOR_GENERAL || open_libraries().geev != nullptr;
}

static cudaDataType complex_type(const vendor_spectrum *s) {
    return s->dtype == GM_C128 ? CUDA_C_64F : CUDA_C_32F;
}

static gm_status general_work(gm_call *call, const stream_handles &h, const vendor_spectrum *s,
                              int *elements) {
    const cudaDataType type = complex_type(s);
    size_t device = 0, host = 0;
    const gm_status status =
        check(call,
              open_libraries().geev_size(h.solver, h.parameters, CUSOLVER_EIG_MODE_NOVECTOR,
                                         mode_of(s), s->n, type, s->a, s->lda, type, s->w, type,
                                         nullptr, s->n, type, s->u, s->ldu, type, &device, &host),
              "geev");
    const size_t element = s->dtype == GM_C128 ? 16 : 8, count = device / element + 1;
    if (status != GM_STATUS_OK) {
        return status;
    }
    if (count > INT_MAX) {
        return gm_call_fail(call, GM_STATUS_UNSUPPORTED, "geev: a workspace of %zu bytes", device);
    }
    *elements = static_cast<int>(count);
    return host_memory(call, host);
}

static gm_status general_run(gm_call *call, const stream_handles &h, const vendor_spectrum *s) {
    const cudaDataType type = complex_type(s);
    const size_t bytes = static_cast<size_t>(s->work_elements) * (s->dtype == GM_C128 ? 16 : 8);
    return check(call,
                 open_libraries().geev(h.solver, h.parameters, CUSOLVER_EIG_MODE_NOVECTOR,
                                       mode_of(s), s->n, type, s->a, s->lda, type, s->w, type,
                                       nullptr, s->n, type, s->u, s->ldu, type, s->work, bytes,
                                       h.host, h.host_bytes, s->info),
                 "geev");
}

gm_status vendor_spectrum_work(gm_call *call, const vendor_spectrum *s, int *elements) {
    stream_handles h;
    const gm_status status = handles_of(call, &h);
    if (status != GM_STATUS_OK) {
        return status;
    }
    if (s->kind == VENDOR_GENERAL) {
        return general_work(call, h, s, elements);
    }
    const typed_functions &t = open_libraries().typed[type_of(s->dtype)];
    return s->kind == VENDOR_SINGULAR
               ? check(call, t.gesvd_size(h.solver, s->m, s->n, elements), "gesvd")
               : check(call,
                       t.heevd_size(h.solver, mode_of(s), CUBLAS_FILL_MODE_LOWER, s->n, s->a,
                                    s->lda, s->w, elements),
                       "heevd");
}

gm_status vendor_spectrum_run(gm_call *call, const vendor_spectrum *s) {
    stream_handles h;
    const gm_status status = handles_of(call, &h);
    if (status != GM_STATUS_OK) {
        return status;
    }
    const typed_functions &t = open_libraries().typed[type_of(s->dtype)];
    if (s->kind == VENDOR_GENERAL) {
        return general_run(call, h, s);
    }
    if (s->kind == VENDOR_HERMITIAN) {
        return check(call,
                     t.heevd(h.solver, mode_of(s), CUBLAS_FILL_MODE_LOWER, s->n, s->a, s->lda, s->w,
                             s->work, s->work_elements, s->info),
                     "heevd");
    }
    const signed char u = s->columns == 0 ? 'N' : s->columns == s->n ? 'S' : 'A';
    const signed char vh = s->columns == 0 ? 'N' : 'S';
    return check(call,
                 t.gesvd(h.solver, u, vh, s->m, s->n, s->a, s->lda, s->w, s->u, s->ldu, s->vh,
                         s->ldvh, s->work, s->work_elements, nullptr, s->info),
                 "gesvd");
}

} // namespace gm
