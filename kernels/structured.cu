/*
 * gm_structured_*: circulant and Toeplitz products and convolutions through fft.cu's transforms.
 * Groups of problems, padded to a length whose circular convolution has no wrapped term among the
 * results that are kept, are transformed, multiplied, transformed back and cut out; a kernel that
 * all problems share is transformed once.
 *
 * Parallelised: a thread an entry of a padded line, a spectrum or a result, neighbouring threads at
 * neighbouring entries. divide_spectra: a block a problem, which first finds the smallest and the
 * largest eigenvalue.
 * Shared memory: divide_spectra only, 1.5 KiB (f32) or 3 KiB (f64).
 *
 * Numerical choices: a quotient is taken by the eigenvalue's direction and then its size, so that
 * no square overflows. Deterministic: minima and maxima do not depend on their order.
 *
 * Versions: (1) these; multiplying as the transforms load and store would save two passes over the
 * spectra. Not yet timed on a GPU.
 */
#include <new>

#include "host/structured_args.h"
#include "kernels/fft_lines.cuh"
#include "kernels/module.cuh"

namespace gm {
namespace structured {
namespace {

using fourier::pair;

constexpr int THREADS = 256;

struct plan {
    gm_fft_problem forward, inverse;
    void *forward_state, *inverse_state;
    int64_t length, spectrum; /* of the transforms; entries of one */
    int64_t group;            /* problems at once */
    int64_t fft_bytes, line_bytes, spectrum_bytes;
};

/* Rows of a view in reals. */
template <class real> struct rows {
    real *data;
    int64_t stride[2];
};

template <class real> rows<real> rows_of(const gm_structured_view &view, int64_t parts) {
    return {static_cast<real *>(view.data), {view.stride[0] * parts, view.stride[1] * parts}};
}

/* A step over the problems of a group. */
template <class real> struct step_job {
    rows<real> kernel, row, x, y, rcond;
    rows<int32_t> status;
    real *lines;
    pair<real> *spectra, *kernels;
    int64_t first, problems, length, spectrum, m, n, results, offset;
    int32_t parts;  /* reals of an entry */
    int32_t shared; /* the first spectrum of the kernels serves all */
    int32_t toeplitz;
};

__device__ __forceinline__ int64_t thread_index() {
    return static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x;
}

/* ---- kernels --------------------------------------------------------------------------------- */

/* Entry -d of a Toeplitz matrix is that of the period before. */
template <class real>
__global__ void __launch_bounds__(THREADS) pad_kernel(const GM_GRID_CONSTANT step_job<real> job) {
    const int64_t i = thread_index(), width = job.length * job.parts;
    if (i >= job.problems * width) {
        return;
    }
    const int64_t problem = i / width, e = i % width / job.parts, part = i % job.parts;
    const int64_t back = job.length - e;
    real value = 0;
    if (e < job.m) {
        value = job.kernel.data[(job.first + problem) * job.kernel.stride[0] +
                                e * job.kernel.stride[1] + part];
    } else if (job.toeplitz && back < job.n) {
        value =
            job.row
                .data[(job.first + problem) * job.row.stride[0] + back * job.row.stride[1] + part];
    }
    job.lines[i] = value;
}

template <class real>
__global__ void __launch_bounds__(THREADS) pad_x(const GM_GRID_CONSTANT step_job<real> job) {
    const int64_t i = thread_index(), width = job.length * job.parts;
    if (i >= job.problems * width) {
        return;
    }
    const int64_t problem = i / width, e = i % width / job.parts, part = i % job.parts;
    job.lines[i] =
        e < job.n ? job.x.data[(job.first + problem) * job.x.stride[0] + e * job.x.stride[1] + part]
                  : static_cast<real>(0);
}

template <class real>
__global__ void __launch_bounds__(THREADS)
    multiply_spectra(const GM_GRID_CONSTANT step_job<real> job) {
    using fourier::operator*;
    const int64_t i = thread_index();
    if (i < job.problems * job.spectrum) {
        job.spectra[i] = job.spectra[i] * job.kernels[job.shared ? i % job.spectrum : i];
    }
}

/* |z| without overflow or underflow on the way; infinite or NaN where z is. */
template <class real> __device__ __forceinline__ real size_of(const pair<real> &z) {
    const real a = z.re < 0 ? -z.re : z.re, b = z.im < 0 ? -z.im : z.im;
    const real large = a < b ? b : a, small = a < b ? a : b;
    if (!(large > 0) || !is_finite(large) || !is_finite(small)) {
        return a + b;
    }
    const real ratio = small / large;
    return large * gm_sqrt(multiply_add(ratio, ratio, static_cast<real>(1)));
}

template <class real> struct divide_shared {
    real least[THREADS], most[THREADS];
    int32_t finite[THREADS];
};

/* The smallest and largest size of the kernel's entries, the same in every thread. */
template <class real>
__device__ void find_range(const step_job<real> &job, const pair<real> *kernel,
                           divide_shared<real> &shared, real *least, real *most, bool *finite) {
    const int t = static_cast<int>(threadIdx.x);
    real low = size_of(kernel[0]), high = 0;
    int32_t all = 1;
    for (int64_t k = t; k < job.spectrum; k += THREADS) {
        const real size = size_of(kernel[k]);
        low = size < low ? size : low;
        high = size > high ? size : high;
        all = all && is_finite(size);
    }
    shared.least[t] = low;
    shared.most[t] = high;
    shared.finite[t] = all;
    for (int half = THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (t < half) {
            const real other = shared.least[t + half], larger = shared.most[t + half];
            shared.least[t] = other < shared.least[t] ? other : shared.least[t];
            shared.most[t] = larger > shared.most[t] ? larger : shared.most[t];
            shared.finite[t] = shared.finite[t] && shared.finite[t + half];
        }
    }
    __syncthreads();
    *least = shared.least[0];
    *most = shared.most[0];
    *finite = shared.finite[0] != 0;
}

__device__ __forceinline__ float epsilon_of(float) {
    return 0x1p-23f;
}
__device__ __forceinline__ double epsilon_of(double) {
    return 0x1p-52;
}

/* Divides a spectrum by the eigenvalues; reports whether that can be done. */
template <class real>
__global__ void __launch_bounds__(THREADS)
    divide_spectra(const GM_GRID_CONSTANT step_job<real> job) {
    GM_SHARED(divide_shared<real>, shared);
    const int64_t problem = blockIdx.x;
    const pair<real> *kernel = job.kernels + (job.shared ? 0 : problem * job.spectrum);
    pair<real> *spectrum = job.spectra + problem * job.spectrum;
    const real nan = static_cast<real>(GM_NAN_F32);
    real least, most;
    bool finite;
    find_range(job, kernel, shared, &least, &most, &finite);
    const real rcond = !finite ? nan : most > 0 ? least / most : static_cast<real>(0);
    const bool solved = finite && rcond > epsilon_of(real());
    for (int64_t k = threadIdx.x; k < job.spectrum; k += THREADS) {
        const pair<real> z = spectrum[k], lambda = kernel[k];
        const real size = size_of(lambda), cr = lambda.re / size, ci = lambda.im / size;
        spectrum[k] = {solved ? (z.re * cr + z.im * ci) / size : nan,
                       solved ? (z.im * cr - z.re * ci) / size : nan};
    }
    if (threadIdx.x == 0 && job.status.data != nullptr) {
        job.status.data[(job.first + problem) * job.status.stride[0]] =
            !finite  ? GM_STATUS_NON_FINITE
            : solved ? GM_STATUS_OK
                     : GM_STATUS_SINGULAR;
    }
    if (threadIdx.x == 0 && job.rcond.data != nullptr) {
        job.rcond.data[(job.first + problem) * job.rcond.stride[0]] = rcond;
    }
}

template <class real>
__global__ void __launch_bounds__(THREADS) cut_results(const GM_GRID_CONSTANT step_job<real> job) {
    const int64_t i = thread_index(), width = job.results * job.parts;
    if (i >= job.problems * width) {
        return;
    }
    const int64_t problem = i / width, e = i % width / job.parts, part = i % job.parts;
    job.y.data[(job.first + problem) * job.y.stride[0] + e * job.y.stride[1] + part] =
        job.lines[(problem * job.length + job.offset + e) * job.parts + part];
}

/* The kernel's spectrum, the second half of a real kernel's by its symmetry. */
template <class real>
__global__ void __launch_bounds__(THREADS)
    copy_eigenvalues(const GM_GRID_CONSTANT step_job<real> job) {
    const int64_t i = thread_index();
    if (i >= job.problems * job.n) {
        return;
    }
    const int64_t problem = i / job.n, k = i % job.n;
    const bool there = k < job.spectrum;
    const pair<real> value = job.kernels[problem * job.spectrum + (there ? k : job.n - k)];
    real *y = job.y.data + (job.first + problem) * job.y.stride[0] + k * job.y.stride[1];
    y[0] = value.re;
    y[1] = there ? value.im : -value.im;
}

/* ---- the plan -------------------------------------------------------------------------------- */

int64_t rounded(int64_t bytes) {
    return (bytes + 63) / 64 * 64;
}

gm_status fill_plan(gm_call *call, const gm_structured_problem &p, plan &s,
                    int64_t *workspace_bytes) {
    const int64_t size = p.real == GM_F64 ? 8 : 4;
    s.length = gm_structured_length(&p);
    s.spectrum = p.is_complex ? s.length : gm_fft_half(s.length);
    int64_t at_once = 0;
    gm_status status = fourier::entries_at_once(call, &at_once);
    s.group = at_once > s.length ? at_once / s.length : 1;
    gm_structured_transforms(&p, &s.forward, &s.inverse);
    int64_t forward_bytes = 0, inverse_bytes = 0;
    if (status == GM_STATUS_OK) {
        status = fft_prepare(call, &s.forward, &s.forward_state, &forward_bytes);
    }
    if (status == GM_STATUS_OK) {
        status = fft_prepare(call, &s.inverse, &s.inverse_state, &inverse_bytes);
    }
    s.fft_bytes = forward_bytes > inverse_bytes ? forward_bytes : inverse_bytes;
    s.line_bytes = rounded(s.group * s.length * size * (p.is_complex ? 2 : 1));
    s.spectrum_bytes = rounded(s.group * s.spectrum * size * 2);
    *workspace_bytes = s.fft_bytes + s.line_bytes + 2 * s.spectrum_bytes;
    return status;
}

/* ---- launches -------------------------------------------------------------------------------- */

template <class real>
gm_status launch(gm_call *call, void (*kernel)(step_job<real>), const step_job<real> &job,
                 int64_t threads) {
    unsigned grid;
    const gm_status status = grid_for(call, threads, THREADS, &grid);
    if (status != GM_STATUS_OK) {
        return status;
    }
    GM_LAUNCH(kernel, grid, THREADS, 0, stream_of(call), job);
    return check_cuda(call, cudaGetLastError(), "a step of a structured product");
}

template <class real> gm_status launch_divide(gm_call *call, const step_job<real> &job) {
    unsigned grid;
    const gm_status status = grid_for(call, job.problems, 1, &grid);
    if (status != GM_STATUS_OK) {
        return status;
    }
    GM_LAUNCH((divide_spectra<real>), grid, THREADS, sizeof(divide_shared<real>), stream_of(call),
              job);
    return check_cuda(call, cudaGetLastError(), "divide_spectra");
}

/* `count` transforms between dense arrays. */
gm_status transform(gm_call *call, const plan &s, bool forward, int64_t count, const void *in,
                    void *out, void *workspace) {
    gm_fft_arrays arrays = {};
    arrays.in = in;
    arrays.out = out;
    arrays.workspace = workspace;
    arrays.in_stride[0] = arrays.out_stride[0] = 1;
    arrays.batch = arrays.batch_shape[0] = count;
    arrays.batch_axes = 1;
    arrays.batch_in[0] = forward ? s.length : s.spectrum;
    arrays.batch_out[0] = forward ? s.spectrum : s.length;
    return fft_run(call, forward ? &s.forward : &s.inverse,
                   forward ? s.forward_state : s.inverse_state, &arrays);
}

template <class real> struct group_run {
    gm_call *call;
    const gm_structured_problem &problem;
    const plan &s;
    void *workspace;
    step_job<real> job;

    gm_status kernels() {
        step_job<real> some = job;
        some.problems = job.shared ? 1 : job.problems;
        const gm_status status =
            launch(call, pad_kernel<real>, some, some.problems * some.length * some.parts);
        return status == GM_STATUS_OK
                   ? transform(call, s, true, some.problems, some.lines, some.kernels, workspace)
                   : status;
    }

    gm_status product() {
        const int64_t n = job.problems;
        gm_status status = launch(call, pad_x<real>, job, n * job.length * job.parts);
        if (status == GM_STATUS_OK) {
            status = transform(call, s, true, n, job.lines, job.spectra, workspace);
        }
        if (status == GM_STATUS_OK) {
            status = problem.kind == GM_CIRCULANT_SOLVE
                         ? launch_divide(call, job)
                         : launch(call, multiply_spectra<real>, job, n * job.spectrum);
        }
        if (status == GM_STATUS_OK) {
            status = transform(call, s, false, n, job.spectra, job.lines, workspace);
        }
        return status == GM_STATUS_OK
                   ? launch(call, cut_results<real>, job, n * job.results * job.parts)
                   : status;
    }

    gm_status run(bool first) {
        gm_status status = job.shared && !first ? GM_STATUS_OK : kernels();
        if (status != GM_STATUS_OK) {
            return status;
        }
        return problem.kind == GM_CIRCULANT_EIGENVALUES
                   ? launch(call, copy_eigenvalues<real>, job, job.problems * job.n)
                   : product();
    }
};

template <class real>
gm_status run(gm_call *call, const gm_structured_problem &problem, const plan &s,
              const gm_structured_call &c) {
    const bool values = problem.kind == GM_CIRCULANT_EIGENVALUES;
    const int32_t parts = problem.is_complex ? 2 : 1;
    char *const workspace = static_cast<char *>(c.workspace);
    step_job<real> job = {};
    job.kernel = rows_of<real>(c.kernel, parts);
    job.row = rows_of<real>(c.row, parts);
    job.x = rows_of<real>(c.x, parts);
    job.y = rows_of<real>(c.y, values ? 2 : parts);
    job.rcond = rows_of<real>(c.rcond, 1);
    job.status = rows_of<int32_t>(c.status, 1);
    job.lines = reinterpret_cast<real *>(workspace + s.fft_bytes);
    job.spectra = reinterpret_cast<pair<real> *>(workspace + s.fft_bytes + s.line_bytes);
    job.kernels =
        reinterpret_cast<pair<real> *>(workspace + s.fft_bytes + s.line_bytes + s.spectrum_bytes);
    job.length = s.length;
    job.spectrum = s.spectrum;
    job.m = problem.m;
    job.n = problem.n;
    job.results = problem.results;
    job.offset = problem.offset;
    job.parts = parts;
    job.toeplitz = c.row.data != nullptr;
    job.shared = !values && c.kernel.stride[0] == 0 && (!job.toeplitz || c.row.stride[0] == 0);
    gm_status status = GM_STATUS_OK;
    for (int64_t first = 0; first < c.batch && status == GM_STATUS_OK; first += s.group) {
        job.first = first;
        job.problems = c.batch - first < s.group ? c.batch - first : s.group;
        status = group_run<real>{call, problem, s, workspace, job}.run(first == 0);
    }
    call->kernel = "structured_fft";
    return status;
}

} // namespace
} // namespace structured

gm_status structured_prepare(gm_call *call, const gm_structured_problem *problem, void **state,
                             int64_t *workspace_bytes) {
    structured::plan *const made = new (std::nothrow) structured::plan();
    if (made == nullptr) {
        return gm_call_fail(call, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    }
    *state = made; /* the caller releases it */
    return structured::fill_plan(call, *problem, *made, workspace_bytes);
}

gm_status structured_run(gm_call *call, const gm_structured_problem *problem, void *state,
                         const gm_structured_call *arrays) {
    const structured::plan &s = *static_cast<const structured::plan *>(state);
    return problem->real == GM_F64 ? structured::run<double>(call, *problem, s, *arrays)
                                   : structured::run<float>(call, *problem, s, *arrays);
}

void structured_release(gm_call *call, void *state) {
    structured::plan *const s = static_cast<structured::plan *>(state);
    if (s->forward_state != nullptr) {
        fft_release(call, s->forward_state);
    }
    if (s->inverse_state != nullptr) {
        fft_release(call, s->inverse_state);
    }
    delete s;
}

} // namespace gm
