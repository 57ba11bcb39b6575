/*
 * gm_fft_*: the plan of a transform and its launches. The kernel is fft_lines.cuh's; a complex line
 * of n entries goes one of three ways, which n alone decides (`ways` below):
 *
 *     lines      n fits shared memory: one launch for a batch
 *     split      n = n1 n2 (Bailey): columns of length n1 and roots of unity into the workspace,
 *                then rows of length n2, which are split again where they are too long. Two passes
 *                over memory up to 2^24 (f64) and 2^26 (f32), three beyond
 *     bluestein  n has a prime factor over 47: two transforms of a smooth length >= 2n - 1, whose
 *                first and last passes multiply by the chirp, the filter in between; one launch
 *                where that length fits
 *
 * Real lines of even n are complex ones of n/2, whose ends combine entries k and n/2 - k: as they
 * are read, and as they are written where a line is in one block, else in a launch of its own.
 *
 * All kernels are hand-written; cuFFT is a peer to compare with.
 * Source: Van Loan, Computational Frameworks for the Fast Fourier Transform, 1.7, 3.3, 4.2.3.
 */
#include <new>

#include "kernels/fft_plan.cuh"
#include "kernels/module.cuh"

namespace gm {
namespace fourier {
namespace {

constexpr int64_t SHARED_BYTES = 96 * 1024; /* of a block: two on a multiprocessor */
constexpr int64_t NO_LIMIT = INT64_MAX;

/* ---- launches -------------------------------------------------------------------------------- */

int64_t magnitude(int64_t x) {
    return x < 0 ? -x : x;
}

/* Whether neighbouring lines lie closer than neighbouring entries of one. */
template <class real>
bool lies_across(const line_places &places, const int64_t *stride, const line_end<real> &end) {
    int32_t d = places.dims - 1;
    while (d >= 0 && places.shape[d] == 1) {
        --d;
    }
    return d >= 0 &&
           (end.form == PAIRS ? magnitude(stride[d]) < magnitude(end.pitch)
                              : places.mark[d] != 0 || magnitude(stride[d]) < magnitude(end.pitch));
}

/* Lines of a block: 128 threads, and where they are read or written across at least the 128 bytes
 * of a cache line, if 512 threads and the shared memory allow it. */
template <class real> void set_block(line_job<real> &job) {
    const int64_t threads = job.passes.threads, size = sizeof(pair<real>);
    int64_t lines = threads < 128 ? 128 / threads : 1;
    if ((job.in_across || job.out_across) && lines < 128 / size) {
        lines = 128 / size < THREADS / threads ? 128 / size : THREADS / threads;
    }
    job.pitch = padded<real>(job.passes.n) | 1;
    const int64_t most = SHARED_BYTES / (job.pitch * size);
    lines = lines < most ? lines : most;
    lines = lines < job.places.count ? lines : job.places.count;
    job.lines = static_cast<int32_t>(lines > 0 ? lines : 1);
}

template <class real> gm_status launch_lines(gm_call *call, line_job<real> &job) {
    const line_passes &passes = job.passes;
    const bool direct = passes.count > 0;
    job.in_direct = direct && job.in.form == PAIRS && is_direct(passes.radix[0]);
    job.out_direct = direct && job.out.form == PAIRS && is_direct(passes.radix[passes.count - 1]);
    job.in_across = lies_across(job.places, job.places.in, job.in);
    job.out_across = lies_across(job.places, job.places.out, job.out);
    if (passes.count < 2 && job.in_direct) {
        job.in_across = job.out_across; /* nothing is exchanged in between */
    }
    set_block(job);
    const size_t shared =
        static_cast<size_t>(job.lines) * static_cast<size_t>(job.pitch) * sizeof(pair<real>);
    unsigned grid;
    gm_status status = grid_for(call, job.places.count, job.lines, &grid);
    if (status == GM_STATUS_OK && shared > 48 * 1024) {
        status = check_cuda(call,
                            cudaFuncSetAttribute(transform_lines<real>,
                                                 cudaFuncAttributeMaxDynamicSharedMemorySize,
                                                 static_cast<int>(shared)),
                            "shared memory of the transform");
    }
    if (status != GM_STATUS_OK) {
        return status;
    }
    GM_LAUNCH((transform_lines<real>), grid, static_cast<unsigned>(passes.threads * job.lines),
              shared, stream_of(call), job);
    return check_cuda(call, cudaGetLastError(), call->kernel);
}

template <class real> line_end<real> dense_end(const pair<real> *data) {
    line_end<real> end = {};
    end.data = const_cast<real *>(reinterpret_cast<const real *>(data));
    end.pitch = 2;
    end.gap = 1;
    end.form = PAIRS;
    end.packed = 1;
    end.step = 1;
    end.limit = NO_LIMIT;
    return end;
}

/* Gives the lines of a set the places of dense lines of n pairs on one side, the first at 0. */
void make_dense(line_places &places, int64_t n, int64_t *stride, int64_t *base) {
    int64_t dense = 2 * n;
    for (int32_t d = places.dims - 1; d >= 0; --d) {
        stride[d] = dense;
        dense *= places.shape[d];
    }
    *base = -places.first * 2 * n;
}

/* Adds the parts of every line as an innermost dimension. */
void add_parts(line_places &places, int64_t count, int64_t in, int64_t out, int64_t mark) {
    places.shape[places.dims] = count;
    places.in[places.dims] = in;
    places.out[places.dims] = out;
    places.mark[places.dims++] = mark;
    places.first *= count;
    places.count *= count;
}

/* Complex lines from level `level` of a chain on; `job` has the ends and places of whole lines. */
template <class real>
gm_status run_chain(gm_call *call, const chain &c, int level, const line_job<real> &job,
                    pair<real> *workspace) {
    line_job<real> columns = job;
    columns.passes = c.level[level].passes;
    if (level == c.levels - 1) {
        return launch_lines(call, columns);
    }
    const int64_t n = c.level[level].n, n1 = columns.passes.n, n2 = n / n1;
    line_job<real> rows = job;
    for (int32_t d = 0; d < job.places.dims; ++d) {
        columns.places.mark[d] = 0;
    }
    make_dense(columns.places, n, columns.places.out, &columns.places.out_base);
    add_parts(columns.places, n2, job.in.form == PAIRS ? job.in.pitch : 0, 2, 1);
    columns.in.pitch *= job.in.form == PAIRS ? n2 : 1;
    columns.in.step = n2;
    columns.out = dense_end(workspace);
    columns.out.pitch = 2 * n2;
    columns.out.step = n2;
    columns.out.factors = job.tables + c.level[level].cross;
    columns.scale = 1;
    const gm_status status = launch_lines(call, columns);
    if (status != GM_STATUS_OK) {
        return status;
    }
    rows.in = dense_end(workspace);
    make_dense(rows.places, n, rows.places.in, &rows.places.in_base);
    add_parts(rows.places, n1, 2 * n2, job.out.form == PAIRS ? job.out.pitch : 0, job.out.step);
    rows.out.pitch *= job.out.form == PAIRS ? n1 : 1;
    rows.out.step *= n1;
    return run_chain(call, c, level + 1, rows, workspace + job.places.count * n);
}

/* The last step of long real lines, from dense transforms of their pairs. */
template <class real>
gm_status launch_untangle(gm_call *call, const line_job<real> &job, const pair<real> *z) {
    line_job<real> last = job;
    last.in = dense_end(z);
    unsigned grid;
    const gm_status status =
        grid_for(call, job.places.count * (job.length / 2 + 1), THREADS, &grid);
    if (status != GM_STATUS_OK) {
        return status;
    }
    GM_LAUNCH((untangle_lines<real>), grid, THREADS, 0, stream_of(call), last);
    return check_cuda(call, cudaGetLastError(), call->kernel);
}

/* Lines whose workspace is there. */
template <class real>
gm_status run_lines(gm_call *call, const axis_plan &axis, line_job<real> job,
                    pair<real> *workspace) {
    const bool apart = job.out.form == TANGLED_SPECTRUM && axis.line.levels > 1;
    const line_job<real> whole = job;
    pair<real> *const transformed = workspace;
    gm_status status = GM_STATUS_OK;
    if (apart) {
        job.out = dense_end(transformed);
        make_dense(job.places, axis.n, job.places.out, &job.places.out_base);
        job.scale = 1;
        workspace += job.places.count * axis.n;
    }
    if (axis.bluestein) {
        job.in.factors = job.out.factors = job.tables + axis.chirp;
        job.in.limit = job.out.limit = axis.n;
        job.out.swap_inner = 1;
        job.filter = job.tables + axis.filter;
    }
    if (axis.bluestein && axis.line.levels > 1) {
        const int64_t m = axis.line.n;
        line_job<real> first = job;
        pair<real> *const between = workspace;
        workspace += job.places.count * m;
        first.filter = job.filter = nullptr;
        first.out = dense_end(between);
        first.out.factors = job.tables + axis.filter;
        first.scale = 1;
        make_dense(first.places, m, first.places.out, &first.places.out_base);
        status = run_chain(call, axis.line, 0, first, workspace);
        job.in = dense_end(between);
        job.in.swap_inner = 1;
        make_dense(job.places, m, job.places.in, &job.places.in_base);
    }
    if (status == GM_STATUS_OK) {
        status = run_chain(call, axis.line, 0, job, workspace);
    }
    return status == GM_STATUS_OK && apart ? launch_untangle(call, whole, transformed) : status;
}

/* ---- a sweep --------------------------------------------------------------------------------- */

/* Both parts of an entry in one access: they are neighbours, and every entry is aligned. */
template <class real>
bool is_packed_end(const line_end<real> &end, const line_places &places, const int64_t *stride,
                   int64_t base) {
    bool even = end.gap == 1 && end.pitch % 2 == 0 && base % 2 == 0 &&
                reinterpret_cast<uintptr_t>(end.data) % sizeof(pair<real>) == 0;
    for (int32_t d = 0; d < places.dims; ++d) {
        even = even && (places.shape[d] == 1 || stride[d] % 2 == 0);
    }
    return even;
}

/* One side of a sweep: complex entries, or those of a real line by its form. */
template <class real>
line_end<real> sweep_end(const void *data, int64_t step, bool complex_side, int32_t real_form) {
    line_end<real> end = dense_end(static_cast<const pair<real> *>(data));
    end.form = real_form;
    end.pitch = complex_side ? 2 * step : step;
    if (real_form == PAIRS && !complex_side) {
        end.pitch = 2 * step;
        end.gap = step;
    }
    return end;
}

template <class real>
line_job<real> sweep_job(const plan<real> &p, const axis_plan &axis, const gm_fft_sweep &sweep) {
    const gm_fft_kind kind = sweep.kind;
    const bool complex_in = gm_fft_complex_in(kind), complex_out = gm_fft_complex_out(kind);
    const bool cosine = kind == GM_FFT_DCT2 || kind == GM_FFT_DCT3;
    const bool complex_only = kind == GM_FFT_FORWARD || kind == GM_FFT_INVERSE;
    const int32_t real_form = !axis.halves ? REAL : cosine ? REAL_PAIRS : PAIRS;
    const int32_t spectrum = axis.halves ? TANGLED_SPECTRUM : SPECTRUM;
    const bool inverse = gm_fft_inverse(kind) != 0;
    line_job<real> job = {};
    job.in = sweep_end<real>(sweep.in, sweep.lines.in_step, complex_in,
                             complex_only ? PAIRS
                             : inverse    ? spectrum
                                          : real_form);
    job.out = sweep_end<real>(sweep.out, sweep.lines.out_step, complex_out,
                              complex_only ? PAIRS
                              : inverse    ? real_form
                                           : spectrum);
    job.in.swap_user = job.out.swap_user = inverse;
    job.tables = p.tables;
    job.length = axis.length;
    job.half = axis.half >= 0 ? p.tables + axis.half : nullptr;
    job.cosine = axis.cosine >= 0 ? p.tables + axis.cosine : nullptr;
    job.scale = static_cast<real>(sweep.scale);
    line_places &places = job.places;
    places.dims = sweep.lines.dims;
    for (int32_t d = 0; d < places.dims; ++d) {
        places.shape[d] = sweep.lines.shape[d];
        places.in[d] = sweep.lines.in[d] * (complex_in ? 2 : 1);
        places.out[d] = sweep.lines.out[d] * (complex_out ? 2 : 1);
    }
    places.in_base = sweep.lines.in_base * (complex_in ? 2 : 1);
    places.out_base = sweep.lines.out_base * (complex_out ? 2 : 1);
    places.first = sweep.lines.first;
    places.count = sweep.lines.count;
    job.in.packed = is_packed_end(job.in, places, places.in, places.in_base);
    job.out.packed = is_packed_end(job.out, places, places.out, places.out_base);
    return job;
}

int64_t lines_at_once(int64_t at_once, int64_t entries) {
    return entries > 0 && at_once > entries ? at_once / entries : 1;
}

template <class real> struct sweeps {
    gm_call *call;
    const plan<real> *p;
    pair<real> *workspace;
    int32_t ortho;
};

template <class real> gm_status run_sweep(void *context, const gm_fft_sweep *sweep) {
    const sweeps<real> &s = *static_cast<const sweeps<real> *>(context);
    const axis_plan &axis = s.p->axes[sweep->axis];
    line_job<real> job = sweep_job(*s.p, axis, *sweep);
    job.ortho = s.ortho;
    const int64_t need =
        axis.workspace(sweep->kind == GM_FFT_REAL_TO_COMPLEX || sweep->kind == GM_FFT_DCT2);
    const int64_t group = lines_at_once(s.p->at_once, need);
    const int64_t first = job.places.first, end = first + job.places.count;
    const int64_t step = need > 0 ? group : job.places.count;
    gm_status status = GM_STATUS_OK;
    for (int64_t line = first; line < end && status == GM_STATUS_OK; line += step) {
        job.places.first = line;
        job.places.count = end - line < step ? end - line : step;
        status = run_lines(s.call, axis, job, s.workspace);
    }
    return status;
}

/* ---- preparation ----------------------------------------------------------------------------- */

/* The filter of Bluestein's convolution is the transform of what make_axis left in its place. */
template <class real>
gm_status transform_filter(gm_call *call, const plan<real> &p, const axis_plan &axis) {
    const chain &line = axis.line;
    void *workspace = nullptr;
    if (line.levels > 1) {
        const size_t bytes = static_cast<size_t>(line.n * (line.levels - 1)) * sizeof(pair<real>);
        const gm_status status = check_cuda(call, cudaMalloc(&workspace, bytes), "cudaMalloc");
        if (status != GM_STATUS_OK) {
            return status;
        }
    }
    line_job<real> job = {};
    job.in = job.out = dense_end(p.tables + axis.filter);
    job.tables = p.tables;
    job.places.count = 1;
    job.scale = 1;
    gm_status status = run_chain(call, line, 0, job, static_cast<pair<real> *>(workspace));
    if (status == GM_STATUS_OK) {
        status = check_cuda(call, cudaStreamSynchronize(stream_of(call)), "the chirp's filter");
    }
    cudaFree(workspace);
    return status;
}

template <class real>
gm_status prepare(gm_call *call, const gm_fft_problem &problem, plan<real> &p,
                  int64_t *workspace_bytes) {
    int64_t need = 0;
    gm_status status = entries_at_once(call, &p.at_once);
    const bool to_half = problem.kind == GM_FFT_REAL_TO_COMPLEX || problem.kind == GM_FFT_DCT2;
    for (int32_t a = 0; a < problem.axes; ++a) {
        if (problem.length[a] == 0) {
            continue;
        }
        p.axes[a] = make_axis(p, problem, a);
        const int64_t lines = p.axes[a].workspace(to_half);
        const int64_t group = lines_at_once(p.at_once, lines);
        need = lines * group > need ? lines * group : need;
    }
    void *tables = nullptr;
    if (status == GM_STATUS_OK) {
        status = device_copy(call, p.host.data(), p.host.size() * sizeof(pair<real>), &tables);
    }
    p.tables = static_cast<pair<real> *>(tables);
    p.host = std::vector<pair<real>>();
    for (int32_t a = 0; a < problem.axes && status == GM_STATUS_OK; ++a) {
        if (p.axes[a].bluestein) {
            status = transform_filter(call, p, p.axes[a]);
        }
    }
    const int64_t item = gm_fft_between(&problem);
    p.group = item == 0 ? INT64_MAX : lines_at_once(p.at_once, item);
    p.line_entries = need;
    const int64_t bytes =
        (need + (item > 0 ? p.group * item : 0)) * static_cast<int64_t>(sizeof(pair<real>));
    *workspace_bytes = quotient_up(bytes, 64) * 64;
    return status;
}

template <class real> const char *name_of(const gm_fft_problem &problem, const plan<real> &p) {
    bool split = false, bluestein = false;
    for (int32_t a = 0; a < problem.axes; ++a) {
        split = split || p.axes[a].line.levels > 1;
        bluestein = bluestein || p.axes[a].bluestein;
    }
    return split ? (bluestein ? "fft_bluestein_split" : "fft_split")
                 : (bluestein ? "fft_bluestein" : "fft_lines");
}

template <class real>
gm_status run(gm_call *call, const gm_fft_problem &problem, const plan<real> &p,
              const gm_fft_arrays &arrays) {
    pair<real> *const workspace = static_cast<pair<real> *>(arrays.workspace);
    sweeps<real> s = {call, &p, workspace, problem.ortho};
    call->kernel = name_of(problem, p);
    return gm_fft_each_sweep(&problem, &arrays, p.group, workspace + p.line_entries,
                             run_sweep<real>, &s);
}

template <class real>
gm_status make_plan(gm_call *call, const gm_fft_problem &problem, void **state,
                    int64_t *workspace_bytes) {
    plan<real> *const p = new (std::nothrow) plan<real>();
    if (p == nullptr) {
        return gm_call_fail(call, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    }
    *state = p; /* the caller releases it, whatever comes */
    try {
        return prepare(call, problem, *p, workspace_bytes);
    } catch (const std::bad_alloc &) {
        return gm_call_fail(call, GM_STATUS_OUT_OF_MEMORY, "no memory for the tables");
    }
}

/* What releases a plan of either precision begins with what it is. */
struct any_plan {
    gm_dtype dtype;
    void *typed;
};

template <class real> void release(void *state) {
    plan<real> *const p = static_cast<plan<real> *>(state);
    if (p != nullptr) {
        cudaFree(p->tables);
        delete p;
    }
}

} // namespace
} // namespace fourier

gm_status fft_prepare(gm_call *call, const gm_fft_problem *problem, void **state,
                      int64_t *workspace_bytes) {
    using namespace fourier;
    any_plan *const made = new (std::nothrow) any_plan();
    if (made == nullptr) {
        return gm_call_fail(call, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    }
    *state = made; /* the caller releases it */
    made->dtype = problem->dtype;
    return problem->dtype == GM_F64
               ? make_plan<double>(call, *problem, &made->typed, workspace_bytes)
               : make_plan<float>(call, *problem, &made->typed, workspace_bytes);
}

gm_status fft_run(gm_call *call, const gm_fft_problem *problem, void *state,
                  const gm_fft_arrays *arrays) {
    using namespace fourier;
    const void *typed = static_cast<const any_plan *>(state)->typed;
    return problem->dtype == GM_F64
               ? run(call, *problem, *static_cast<const plan<double> *>(typed), *arrays)
               : run(call, *problem, *static_cast<const plan<float> *>(typed), *arrays);
}

void fft_release(gm_call *call, void *state) {
    using namespace fourier;
    (void)call;
    any_plan *const p = static_cast<any_plan *>(state);
    p->dtype == GM_F64 ? release<double>(p->typed) : release<float>(p->typed);
    delete p;
}

} // namespace gm
