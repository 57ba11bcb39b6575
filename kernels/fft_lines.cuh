/*
 * Complex lines of up to some thousand entries, each transformed by a group of threads in shared
 * memory: what fft.cu builds every transform of.
 *
 * A line of n = r_1 r_2 ... goes through Stockham's passes. One of radix r with s the product of
 * the radices before it and m = n / (s r) makes, for p < m, q < s,
 *
 *     y[q + s (r p + j)] = exp(-2 pi i p j / (r m)) sum_k x[q + s (p + m k)] exp(-2 pi i j k / r)
 *
 * Radices 2, 3, 4, 5, 7, 8 are written out; an odd prime up to 47 is a sum over k, in which outputs
 * j and r - j share what they read.
 *
 * Parallelised: `threads` threads a line, `lines` lines a block. A thread has at most 8 entries of
 * a pass in registers, so one buffer is enough: all read, a barrier, all write, a barrier. Entry i
 * is at i + i / (entries in 128 bytes), which keeps the strided writes of a pass on different
 * banks. Where the ends allow it the first pass reads global memory and the last writes it.
 * Neighbouring threads have neighbouring entries, or, where those of the tensor lie further apart
 * than the lines do, neighbouring lines; the two ends of a line choose for themselves.
 * Shared memory: the padded lines: 72 KiB at most (4096 entries of f64, 8192 of f32).
 *
 * Numerical choices: roots are correctly rounded tables; the root 1 is multiplied by as any other.
 * A line's operations depend on its length and the kind of its ends alone.
 *
 * Versions: (1) two buffers and a barrier a pass; (2) one buffer, twice the lines on a
 * multiprocessor. Not yet timed on a GPU.
 * Source: Van Loan, Computational Frameworks for the Fast Fourier Transform, 1.7.
 */
#pragma once

#include "host/fft_sweeps.h"
#include "kernels/elements.cuh"
#include "kernels/fft_butterfly.cuh"

namespace gm {
namespace fourier {

constexpr int THREADS = 512; /* of a block, at most */
constexpr int HELD = 8;      /* entries of a pass that a thread has in registers */
constexpr int MAX_PASSES = 16;
constexpr int MAX_DIMS = GM_FFT_LINE_DIMS + 4; /* of lines, with those that splits add */

/* How entry e of a complex line lies in memory. Of a real line of even n the entries are pairs of
 * neighbours; `spectrum` is half of a conjugate-symmetric line. */
enum form {
    PAIRS,           /* two reals, `gap` apart */
    REAL,            /* in: the imaginary part is 0; out: it is dropped */
    REAL_PAIRS,      /* entries 2e and 2e + 1 of a real line in the order of a cosine transform */
    SPECTRUM,        /* in: entries past n/2 are conjugates; out: only those up to n/2 */
    TANGLED_SPECTRUM /* of a real line of even n, as the line of n/2 complex entries */
};

/* One side of the lines. */
template <class real> struct line_end {
    real *data;
    int64_t pitch; /* reals from one entry to the next */
    int64_t gap;   /* PAIRS: reals from the first part to the second */
    int32_t form;
    int32_t packed;     /* PAIRS: both parts in one access */
    int32_t swap_user;  /* the parts exchanged: an inverse transform is a forward one between */
    int32_t swap_inner; /* the same on the other side of the factors */
    const pair<real> *factors; /* entry e times factors[e]; NULL: none */
    /* Entry j of a line is number mark + j step of what the line is a part of; of those at or past
     * limit, reads are 0 and writes dropped. */
    int64_t step, limit;
};

/* Where line l begins: its offset on both sides, and its mark. */
struct line_places {
    int32_t dims;
    int64_t shape[MAX_DIMS], in[MAX_DIMS], out[MAX_DIMS], mark[MAX_DIMS];
    int64_t in_base, out_base;
    int64_t first, count;
};

/* The passes of a line, and the tables they use. */
struct line_passes {
    int32_t n, count, threads;
    int32_t radix[MAX_PASSES];
    int64_t twiddle[MAX_PASSES]; /* (r - 1, m) roots */
    int64_t roots[MAX_PASSES];   /* r of them, for a radix that is not written out */
};

template <class real> struct line_job {
    line_passes passes;
    line_places places;
    line_end<real> in, out;
    const pair<real> *tables;
    int32_t lines, pitch; /* of a block; entries of shared memory for each */
    int32_t in_across, out_across, in_direct, out_direct;
    /* Bluestein's convolution in one block: entry e of the transform times filter[e], and back;
     * NULL: the transform alone. */
    const pair<real> *filter;
    /* Real lines. */
    int64_t length;
    const pair<real> *half, *cosine; /* exp(-2 pi i k / n), exp(-pi i k / 2n); cosine NULL: none */
    int32_t ortho;
    real scale;
};

template <class real> struct line_shared { pair<real> entry[1]; /* the launch gives the rest */ };

template <class real> __host__ __device__ __forceinline__ int32_t padded(int32_t i) {
    return i + i / (64 / static_cast<int32_t>(sizeof(real)));
}

/* The entries that go through a step together: 8 for each thread that the device holds. More would
 * leave its caches, fewer would not fill it. No result depends on it. */
inline gm_status entries_at_once(gm_call *call, int64_t *entries) {
    int processors = 0, threads = 0;
    gm_status status = check_cuda(
        call, cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, call->device),
        "cudaDeviceGetAttribute");
    if (status == GM_STATUS_OK) {
        status = check_cuda(
            call,
            cudaDeviceGetAttribute(&threads, cudaDevAttrMaxThreadsPerMultiProcessor, call->device),
            "cudaDeviceGetAttribute");
    }
    *entries = static_cast<int64_t>(processors) * threads * 8;
    return status;
}

/* ---- lines ----------------------------------------------------------------------------------- */

/* A thread's place in its block, as one end of the lines sees it. */
template <class real> struct seat {
    int32_t line, lane; /* of the block; of the line */
    bool used;          /* the block's last lines may not be there */
    int64_t mark;
    real *data; /* of the line */
    pair<real> *entry;
};

template <class real>
__device__ __forceinline__ seat<real> take_seat(const line_job<real> &job, bool across, bool out,
                                                pair<real> *shared) {
    const line_places &places = job.places;
    const int32_t t = static_cast<int32_t>(threadIdx.x), threads = job.passes.threads;
    seat<real> s;
    s.line = across ? t % job.lines : t / threads;
    s.lane = across ? t / job.lines : t % threads;
    int64_t line = static_cast<int64_t>(blockIdx.x) * job.lines + s.line;
    s.used = line < places.count;
    line = places.first + (s.used ? line : 0);
    int64_t offset = out ? places.out_base : places.in_base;
    s.mark = 0;
    for (int32_t d = places.dims - 1; d >= 0; --d) {
        const int64_t next = d > 0 ? line / places.shape[d] : 0;
        const int64_t i = line - next * places.shape[d];
        offset += i * (out ? places.out[d] : places.in[d]);
        s.mark += i * places.mark[d];
        line = next;
    }
    s.data = (out ? job.out.data : job.in.data) + offset;
    s.entry = shared + s.line * job.pitch;
    return s;
}

/* Entry j of a line of PAIRS, with the factors and the limit of its end. */
template <class real>
__device__ __forceinline__ pair<real> finish_load(const line_end<real> &end, const seat<real> &s,
                                                  int32_t j, pair<real> v) {
    v = end.swap_user ? swapped(v) : v;
    if (end.factors != nullptr) {
        v = v * end.factors[s.mark + j * end.step];
    }
    return end.swap_inner ? swapped(v) : v;
}

template <class real>
__device__ __forceinline__ pair<real> load_pair(const line_end<real> &end, const seat<real> &s,
                                                int32_t j) {
    if (s.mark + j * end.step >= end.limit) {
        return {0, 0};
    }
    const real *at = s.data + j * end.pitch;
    const pair<real> v =
        end.packed ? *reinterpret_cast<const pair<real> *>(at) : pair<real>{at[0], at[end.gap]};
    return finish_load(end, s, j, v);
}

template <class real>
__device__ __forceinline__ pair<real> finish_store(const line_end<real> &end, const seat<real> &s,
                                                   int32_t j, real scale, pair<real> v) {
    v = end.swap_inner ? swapped(v) : v;
    if (end.factors != nullptr) {
        v = v * end.factors[s.mark + j * end.step];
    }
    v = times(scale, v);
    return end.swap_user ? swapped(v) : v;
}

template <class real>
__device__ __forceinline__ void store_pair(const line_end<real> &end, const seat<real> &s,
                                           int32_t j, real scale, pair<real> v) {
    if (s.mark + j * end.step >= end.limit) {
        return;
    }
    v = finish_store(end, s, j, scale, v);
    real *at = s.data + j * end.pitch;
    if (end.packed) {
        *reinterpret_cast<pair<real> *>(at) = v;
    } else {
        at[0] = v.re;
        at[end.gap] = v.im;
    }
}

/* ---- passes ---------------------------------------------------------------------------------- */

/* What a pass reads, and where it writes. */
template <class real> struct pass_at {
    seat<real> in, out;
    int32_t s, m;
    const pair<real> *twiddle, *roots;
};

template <class real, int R, bool IN, bool OUT>
__device__ __forceinline__ void run_pass(const line_job<real> &job, const pass_at<real> &a) {
    constexpr int EACH = HELD / R;
    const int32_t groups = a.s * a.m, threads = job.passes.threads;
    pair<real> v[EACH][R];
    const seat<real> &from = IN ? a.in : a.out;
#pragma unroll
    for (int c = 0; c < EACH; ++c) {
        const int32_t t = from.lane + c * threads;
        if (t < groups && from.used) {
#pragma unroll
            for (int k = 0; k < R; ++k) {
                v[c][k] = IN ? load_pair(job.in, from, t + k * groups)
                             : from.entry[padded<real>(t + k * groups)];
            }
        }
    }
    if (!IN && !OUT) {
        __syncthreads(); /* all have read what is overwritten now */
    }
    const seat<real> &to = IN && !OUT ? a.in : a.out; /* one pass: both sit alike */
#pragma unroll
    for (int c = 0; c < EACH; ++c) {
        const int32_t t = to.lane + c * threads;
        if (t >= groups || !to.used) {
            continue;
        }
        const int32_t p = t / a.s, first = t + (R - 1) * a.s * p;
        butterfly<real, R>::run(v[c]);
#pragma unroll
        for (int j = 0; j < R; ++j) {
            if (j > 0 && a.m > 1) {
                v[c][j] = v[c][j] * a.twiddle[(j - 1) * a.m + p];
            }
            if (OUT) {
                store_pair(job.out, to, first + j * a.s, job.scale, v[c][j]);
            } else {
                to.entry[padded<real>(first + j * a.s)] = v[c][j];
            }
        }
    }
    if (!OUT) {
        __syncthreads();
    }
}

/* An odd prime radix: an item is a butterfly's outputs j and r - j, or its output 0. */
template <class real>
__device__ __forceinline__ void sum_item(const pass_at<real> &a, int32_t r, int32_t t, int32_t j,
                                         pair<real> *v) {
    const int32_t groups = a.s * a.m;
    const pair<real> *x = a.out.entry;
    const pair<real> first = x[padded<real>(t)];
    pair<real> u = first, w = {0, 0};
    int32_t e = 0; /* j k mod r */
    for (int32_t k = 1; k <= (r - 1) / 2; ++k) {
        const pair<real> one = x[padded<real>(t + k * groups)];
        const pair<real> other = x[padded<real>(t + (r - k) * groups)];
        e = e + j < r ? e + j : e + j - r;
        const pair<real> root = a.roots[e];
        u = u + times(root.re, one + other);
        w = w + times(-root.im, turned(one - other));
    }
    v[0] = u + w;
    v[1] = u - w;
}

template <class real>
__device__ __forceinline__ void run_odd_pass(const line_job<real> &job, const pass_at<real> &a,
                                             int32_t r) {
    constexpr int EACH = HELD / 2;
    const int32_t groups = a.s * a.m, items = groups * ((r + 1) / 2);
    const int32_t threads = job.passes.threads;
    pair<real> v[EACH][2];
#pragma unroll
    for (int c = 0; c < EACH; ++c) {
        const int32_t item = a.out.lane + c * threads;
        if (item < items && a.out.used) {
            sum_item(a, r, item % groups, item / groups, v[c]);
        }
    }
    __syncthreads();
#pragma unroll
    for (int c = 0; c < EACH; ++c) {
        const int32_t item = a.out.lane + c * threads;
        if (item >= items || !a.out.used) {
            continue;
        }
        const int32_t t = item % groups, j = item / groups, p = t / a.s;
        const int32_t first = t + (r - 1) * a.s * p;
        pair<real> *y = a.out.entry;
        if (j == 0) {
            y[padded<real>(first)] = v[c][0];
            continue;
        }
        y[padded<real>(first + j * a.s)] = v[c][0] * a.twiddle[(j - 1) * a.m + p];
        y[padded<real>(first + (r - j) * a.s)] = v[c][1] * a.twiddle[(r - j - 1) * a.m + p];
    }
    __syncthreads();
}

/* A pass at a direct end: the radices that the plan allows there. */
template <class real, bool IN, bool OUT>
__device__ __forceinline__ void run_end(const line_job<real> &job, const pass_at<real> &a,
                                        int32_t r) {
    if (r == 8) {
        run_pass<real, 8, IN, OUT>(job, a);
    } else if (r == 4) {
        run_pass<real, 4, IN, OUT>(job, a);
    } else {
        run_pass<real, 2, IN, OUT>(job, a);
    }
}

template <class real>
__device__ __forceinline__ void run_middle(const line_job<real> &job, const pass_at<real> &a,
                                           int32_t r) {
    switch (r) {
    case 3:
        return run_pass<real, 3, false, false>(job, a);
    case 5:
        return run_pass<real, 5, false, false>(job, a);
    case 7:
        return run_pass<real, 7, false, false>(job, a);
    case 2:
    case 4:
    case 8:
        return run_end<real, false, false>(job, a, r);
    default:
        return run_odd_pass(job, a, r);
    }
}

template <class real>
__device__ __forceinline__ void run_passes(const line_job<real> &job, const seat<real> &in,
                                           const seat<real> &out, bool in_direct, bool out_direct) {
    pass_at<real> a = {in, out, 1, job.passes.n, nullptr, nullptr};
    for (int32_t i = 0; i < job.passes.count; ++i) {
        const int32_t r = job.passes.radix[i];
        a.m /= r;
        a.twiddle = job.tables + job.passes.twiddle[i];
        a.roots = job.tables + job.passes.roots[i];
        const bool first = i == 0 && in_direct;
        const bool last = i == job.passes.count - 1 && out_direct;
        if (first && last) {
            run_end<real, true, true>(job, a, r);
        } else if (first) {
            run_end<real, true, false>(job, a, r);
        } else if (last) {
            run_end<real, false, true>(job, a, r);
        } else {
            run_middle(job, a, r);
        }
        a.s *= r;
    }
}

/* ---- ends that go through shared memory ------------------------------------------------------ */

/* Where number s of a real line is: in the order of a cosine transform the even ones come first,
 * then the odd ones backwards. */
template <class real>
__device__ __forceinline__ int64_t slot(const line_job<real> &job, int64_t s) {
    return job.cosine == nullptr      ? s
           : s < (job.length + 1) / 2 ? 2 * s
                                      : 2 * (job.length - 1 - s) + 1;
}

/* Number k <= n/2 of a spectrum; of a cosine transform X_k = conj(c_k) (y_k - i y_{n-k}), y_n = 0.
 */
template <class real>
__device__ __forceinline__ pair<real> load_spectrum(const line_job<real> &job, const real *line,
                                                    int64_t k) {
    const int64_t n = job.length, pitch = job.in.pitch;
    pair<real> x;
    if (job.cosine != nullptr) {
        const pair<real> c = job.cosine[k];
        const real root2 = static_cast<real>(1.41421356237309504880);
        const real re = k == 0 && job.ortho ? line[0] * root2 : line[k * pitch];
        const real im = k > 0 ? -line[(n - k) * pitch] : 0;
        x = {re * c.re + im * c.im, im * c.re - re * c.im};
    } else {
        x = *reinterpret_cast<const pair<real> *>(line + k * pitch);
    }
    return k == 0 || 2 * k == n ? pair<real>{x.re, 0} : x;
}

/* y_k = 2 Re(c_k X_k), y_{n-k} = -2 Im(c_k X_k). */
template <class real>
__device__ __forceinline__ void store_spectrum(const line_job<real> &job, real *line, int64_t k,
                                               pair<real> x) {
    const int64_t n = job.length, pitch = job.out.pitch;
    if (job.cosine == nullptr) {
        *reinterpret_cast<pair<real> *>(line + k * pitch) = times(job.scale, x);
        return;
    }
    const pair<real> y = x * job.cosine[k];
    const real twice = 2 * job.scale;
    const real own =
        k == 0 && job.ortho ? twice * static_cast<real>(0.70710678118654752440) : twice;
    line[k * pitch] = own * y.re;
    if (k > 0 && 2 * k != n) {
        line[(n - k) * pitch] = -twice * y.im;
    }
}

/* X_k of a real line from the transform z of its pairs: E - i w_n^k D, E = (z_k + conj z_{h-k}) /
 * 2, D = (z_k - conj z_{h-k}) / 2. */
template <class real>
__device__ __forceinline__ pair<real> untangle(pair<real> w, pair<real> a, pair<real> b) {
    const real half = static_cast<real>(0.5);
    const pair<real> e = {half * (a.re + b.re), half * (a.im - b.im)};
    const pair<real> d = {half * (a.re - b.re), half * (a.im + b.im)};
    return {e.re + (w.re * d.im + w.im * d.re), e.im - (w.re * d.re - w.im * d.im)};
}

/* The way back, times 2: z_k = S + i conj(w_n^k) D, S = X_k + conj X_{h-k}, D = X_k - conj
 * X_{h-k}. */
template <class real>
__device__ __forceinline__ pair<real> tangle(pair<real> w, pair<real> a, pair<real> b) {
    const pair<real> s = {a.re + b.re, a.im - b.im}, d = {a.re - b.re, a.im + b.im};
    return {s.re - (d.im * w.re - d.re * w.im), s.im + (d.re * w.re + d.im * w.im)};
}

template <class real>
__device__ __forceinline__ pair<real> load_entry(const line_job<real> &job, const seat<real> &s,
                                                 int32_t j) {
    const line_end<real> &end = job.in;
    const int64_t e = s.mark + j * end.step, n = job.length;
    if (end.form == PAIRS || e >= end.limit) {
        return load_pair(end, s, j);
    }
    pair<real> v = {0, 0};
    if (end.form == REAL) {
        v.re = s.data[slot(job, e) * end.pitch];
    } else if (end.form == REAL_PAIRS) {
        v = {s.data[slot(job, 2 * e) * end.pitch], s.data[slot(job, 2 * e + 1) * end.pitch]};
    } else if (end.form == SPECTRUM) {
        v = load_spectrum(job, s.data, e <= n / 2 ? e : n - e);
        v.im = e <= n / 2 ? v.im : -v.im;
    } else {
        v = tangle(job.half[e], load_spectrum(job, s.data, e),
                   load_spectrum(job, s.data, n / 2 - e));
    }
    return finish_load(end, s, j, v);
}

template <class real>
__device__ __forceinline__ void store_entry(const line_job<real> &job, const seat<real> &s,
                                            int32_t j, pair<real> v) {
    const line_end<real> &end = job.out;
    const int64_t e = s.mark + j * end.step;
    if (end.form == PAIRS || e >= end.limit) {
        store_pair(end, s, j, job.scale, v);
    } else if (end.form == REAL) {
        s.data[slot(job, e) * end.pitch] = finish_store(end, s, j, job.scale, v).re;
    } else if (end.form == REAL_PAIRS) {
        v = finish_store(end, s, j, job.scale, v);
        s.data[slot(job, 2 * e) * end.pitch] = v.re;
        s.data[slot(job, 2 * e + 1) * end.pitch] = v.im;
    } else if (e <= job.length / 2) {
        store_spectrum(job, s.data, e, finish_store(end, s, j, static_cast<real>(1), v));
    }
}

/* TANGLED_SPECTRUM: X_0 .. X_h from the whole line, which is not a part of a longer one. */
template <class real>
__device__ __forceinline__ void store_untangled(const line_job<real> &job, const seat<real> &s) {
    const int32_t h = static_cast<int32_t>(job.length / 2);
    const real one = static_cast<real>(1);
    for (int32_t k = s.lane; k <= h; k += job.passes.threads) {
        const int32_t a = k == h ? 0 : k, b = k == 0 ? 0 : h - k;
        const pair<real> za = finish_store(job.out, s, a, one, s.entry[padded<real>(a)]);
        const pair<real> zb = finish_store(job.out, s, b, one, s.entry[padded<real>(b)]);
        store_spectrum(job, s.data, k, untangle(job.half[k], za, zb));
    }
}

/* The parts exchanged, so that the next transform is an inverse one. */
template <class real>
__device__ __forceinline__ void apply_filter(const line_job<real> &job, const seat<real> &s) {
    for (int32_t j = s.lane; j < job.passes.n && s.used; j += job.passes.threads) {
        pair<real> *const at = &s.entry[padded<real>(j)];
        *at = swapped(*at * job.filter[j]);
    }
    __syncthreads();
}

template <class real>
__global__ void __launch_bounds__(THREADS, 1)
    transform_lines(const GM_GRID_CONSTANT line_job<real> job) {
    GM_SHARED(line_shared<real>, shared);
    const seat<real> in = take_seat(job, job.in_across != 0, false, &shared.entry[0]);
    const seat<real> out = take_seat(job, job.out_across != 0, true, &shared.entry[0]);
    if (!job.in_direct) {
        for (int32_t j = in.lane; j < job.passes.n && in.used; j += job.passes.threads) {
            in.entry[padded<real>(j)] = load_entry(job, in, j);
        }
        __syncthreads();
    }
    const int rounds = job.filter != nullptr ? 2 : 1;
    for (int round = 0; round < rounds; ++round) {
        if (round > 0) {
            apply_filter(job, out);
        }
        run_passes(job, in, out, round == 0 && job.in_direct,
                   round == rounds - 1 && job.out_direct);
    }
    if (job.out_direct || !out.used) {
        return;
    }
    if (job.out.form == TANGLED_SPECTRUM) {
        store_untangled(job, out);
        return;
    }
    for (int32_t j = out.lane; j < job.passes.n; j += job.passes.threads) {
        store_entry(job, out, j, out.entry[padded<real>(j)]);
    }
}

/* The last step of long real lines: job.in holds their transforms as dense lines of h = n/2 pairs.
 * A thread for each X_k. */
template <class real>
__global__ void __launch_bounds__(THREADS)
    untangle_lines(const GM_GRID_CONSTANT line_job<real> job) {
    const int64_t h = job.length / 2, i = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x;
    if (i >= job.places.count * (h + 1)) {
        return;
    }
    const int64_t k = i % (h + 1);
    int64_t line = i / (h + 1);
    const pair<real> *z = reinterpret_cast<const pair<real> *>(job.in.data) + line * h;
    int64_t offset = job.places.out_base;
    line += job.places.first;
    for (int32_t d = job.places.dims - 1; d >= 0; --d) {
        offset += line % job.places.shape[d] * job.places.out[d];
        line /= job.places.shape[d];
    }
    const pair<real> x = untangle(job.half[k], z[k == h ? 0 : k], z[k == 0 ? 0 : h - k]);
    store_spectrum(job, job.out.data + offset, k, x);
}

} // namespace fourier
} // namespace gm
