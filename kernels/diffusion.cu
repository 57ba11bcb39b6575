/*
 * The diffusion operations on the device: which kernel runs a shape, and its launch. The kernels
 * are in diffusion_thread.cuh (few dimensions), diffusion_tile.cuh (up to 128) and
 * diffusion_wide.cuh (any).
 */
#include <math.h>

#include "kernels/diffusion_wide.cuh"
#include "kernels/diffusion_thread.cuh"
#include "kernels/launch.cuh"
#include "kernels/module.cuh"

namespace gm {
namespace diffusion {
namespace {

/* ---- forward noising: one thread a row and block of normals ---------------------------------- */

template <typename real> struct perturb_job {
    int64_t count, dim, blocks; /* of normals in a row */
    rows_view<const real> t, x0;
    rows_view<real> xt, z;
    real beta_min, half_slope;
    uint64_t seed, first_index;
};

constexpr int PERTURB_BLOCK = 256;

__device__ __forceinline__ void block_normals(uint64_t seed, uint64_t index, uint64_t block,
                                              float *z) {
    gm_normal4_f32(seed, index, GM_STREAM_PERTURB, block, z, z + 1, z + 2, z + 3);
}
__device__ __forceinline__ void block_normals(uint64_t seed, uint64_t index, uint64_t block,
                                              double *z) {
    gm_normal2_f64(seed, index, GM_STREAM_PERTURB, block, z, z + 1);
}

template <typename real> __device__ __forceinline__ real not_a_number() {
    return static_cast<real>(GM_NAN_F32);
}

template <typename real>
__global__ void __launch_bounds__(PERTURB_BLOCK) perturb_rows(perturb_job<real> job) {
    constexpr int normals = 16 / static_cast<int>(sizeof(real));
    const int64_t item = static_cast<int64_t>(blockIdx.x) * PERTURB_BLOCK + threadIdx.x;
    if (item >= job.count * job.blocks) {
        return;
    }
    const int64_t i = item / job.blocks, block = item % job.blocks;
    const real t = job.t.at(i, 0);
    const real integral =
        t >= 0 && t <= 1 ? t * multiply_add(t, job.half_slope, job.beta_min) : not_a_number<real>();
    const real alpha = gm_exp(-integral / 2), deviation = gm_sqrt(-gm_expm1(-integral));
    real z[normals];
    block_normals(job.seed, job.first_index + static_cast<uint64_t>(i),
                  static_cast<uint64_t>(block), z);
    GM_UNROLL for (int c = 0; c < normals; ++c) {
        const int64_t j = block * normals + c;
        if (j < job.dim) {
            job.xt.at(i, j) = multiply_add(deviation, z[c], alpha * job.x0.at(i, j));
            if (job.z.data != nullptr) {
                job.z.at(i, j) = z[c];
            }
        }
    }
}

/* ---- arguments and launches ------------------------------------------------------------------ */

template <typename real> rows_view<real> typed(const gm_diffusion_view &view) {
    return {static_cast<real *>(view.data), view.stride[0], view.stride[1]};
}

template <typename real> mixture<real> typed(const gm_diffusion_model_args &args) {
    mixture<real> model;
    model.means = typed<const real>(args.means);
    model.weights = typed<const real>(args.weights);
    model.deviations = typed<const real>(args.deviations);
    model.components = args.components;
    model.dim = static_cast<int>(args.dim);
    model.bandwidth2 = static_cast<real>(args.bandwidth2);
    const int64_t pack = 16 / static_cast<int64_t>(sizeof(real));
    model.packed = reinterpret_cast<uintptr_t>(args.means.data) % 16 == 0 && args.dim % pack == 0 &&
                   args.means.stride[1] == 1 && args.means.stride[0] % pack == 0;
    return model;
}

template <typename real> job<real> score_job(const gm_diffusion_score_args &args) {
    const gm_diffusion_model_args &model = args.model;
    const double narrowest = args.alpha * args.alpha * model.bandwidth2 + args.variance;
    const double unit = static_cast<real>(narrowest) > 0 ? narrowest : 1.0;
    const double pi = 3.14159265358979323846;
    const double equal =
        model.weights.data == nullptr ? static_cast<double>(model.components) : 1.0;
    job<real> j = {};
    j.model = typed<real>(model);
    j.count = args.count;
    j.alpha = static_cast<real>(args.alpha);
    j.variance = static_cast<real>(args.variance);
    j.log_unit = static_cast<real>(-0.5 * static_cast<double>(model.dim) * log(2.0 * pi * unit) -
                                   log(equal));
    j.x = typed<const real>(args.x);
    j.out = typed<real>(args.score);
    j.log_density = typed<real>(args.log_density);
    return j;
}

template <typename real> job<real> path_job(const gm_diffusion_sample_args &args) {
    job<real> j = {};
    j.model = typed<real>(args.model);
    j.count = args.count;
    j.x = typed<const real>(args.start);
    j.out = typed<real>(args.samples);
    j.rows = args.rows;
    j.table = static_cast<const real *>(args.table);
    j.status = typed<int32_t>(args.status);
    j.seed = args.seed;
    j.first_index = args.first_index;
    j.workspace = static_cast<real *>(args.workspace);
    return j;
}

gm_status grid_of(gm_call *call, int64_t count, int64_t per_block, unsigned *blocks) {
    const int64_t need = (count - 1) / per_block + 1;
    if (need > 0x7fffffff) {
        return gm_call_fail(call, GM_STATUS_UNSUPPORTED,
                            "%lld rows: one call takes %lld on this backend",
                            static_cast<long long>(count), 0x7fffffffLL * per_block);
    }
    *blocks = static_cast<unsigned>(need);
    return GM_STATUS_OK;
}

template <typename real, typename Shared>
gm_status launch(gm_call *call, void (*kernel)(job<real>), int samples, int threads,
                 const job<real> &j) {
    unsigned blocks = 0;
    gm_status status = grid_of(call, j.count, samples, &blocks);
    if (status == GM_STATUS_OK && sizeof(Shared) > 48 * 1024) {
        status =
            check_cuda(call,
                       cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                            static_cast<int>(sizeof(Shared))),
                       "shared memory of the diffusion kernel");
    }
    if (status != GM_STATUS_OK) {
        return status;
    }
    GM_LAUNCH(kernel, blocks, static_cast<unsigned>(threads), sizeof(Shared), stream_of(call), j);
    return check_cuda(call, cudaGetLastError(), "diffusion kernel launch");
}

template <typename real, int D> gm_status run_thread(gm_call *call, const job<real> &j) {
    return launch<real, thread_shared<real, D>>(
        call, j.table != nullptr ? thread_path<real, D> : thread_score<real, D>, THREAD_BLOCK,
        THREAD_BLOCK, j);
}

template <typename real, int D> gm_status run_tile(gm_call *call, const job<real> &j) {
    return launch<real, tile_shared<real, D>>(
        call, j.table != nullptr ? tile_path<real, D> : tile_score<real, D>, TILE_SAMPLES,
        TILE_BLOCK, j);
}

template <typename real> gm_status run_wide(gm_call *call, const job<real> &j) {
    return launch<real, tile_shared<real, WIDE_CHUNK>>(
        call, j.table != nullptr ? wide_path<real> : wide_score<real>, TILE_SAMPLES, TILE_BLOCK, j);
}

/* ---- which kernel: the first row whose dimensions suffice ------------------------------------ */

struct kernel_row {
    int64_t dims;
    const char *name_f32, *name_f64;
    gm_status (*run_f32)(gm_call *call, const job<float> &j);
    gm_status (*run_f64)(gm_call *call, const job<double> &j);
};

const kernel_row kernels[] = {
    {2, "diffusion_f32_thread_2", "diffusion_f64_thread_2", run_thread<float, 2>,
     run_thread<double, 2>},
    {8, "diffusion_f32_thread_8", "diffusion_f64_thread_8", run_thread<float, 8>,
     run_thread<double, 8>},
    {32, "diffusion_f32_tile_32", "diffusion_f64_tile_32", run_tile<float, 32>,
     run_tile<double, 32>},
    {64, "diffusion_f32_tile_64", "diffusion_f64_tile_64", run_tile<float, 64>,
     run_tile<double, 64>},
    {128, "diffusion_f32_tile_128", "diffusion_f64_tile_128", run_tile<float, 128>,
     run_tile<double, 128>},
    {0x7fffffff, "diffusion_f32_wide", "diffusion_f64_wide", run_wide<float>, run_wide<double>},
};
static_assert(GM_DIFFUSION_CHIP_DIM == 128, "wider rows need the workspace");

const kernel_row *find_kernel(gm_call *call, const gm_diffusion_model_args &model) {
    for (const kernel_row &row : kernels) {
        if (model.dim <= row.dims) {
            call->kernel = model.dtype == GM_F32 ? row.name_f32 : row.name_f64;
            return &row;
        }
    }
    gm_call_fail(call, GM_STATUS_UNSUPPORTED, "%lld dimensions: at most 2^31 - 1 on this backend",
                 static_cast<long long>(model.dim));
    return nullptr;
}

template <typename real>
gm_status run_perturb(gm_call *call, const gm_diffusion_perturb_args &args) {
    constexpr int64_t normals = 16 / static_cast<int64_t>(sizeof(real));
    perturb_job<real> j;
    j.count = args.count;
    j.dim = args.dim;
    j.blocks = (args.dim - 1) / normals + 1;
    j.t = typed<const real>(args.t);
    j.x0 = typed<const real>(args.x0);
    j.xt = typed<real>(args.xt);
    j.z = typed<real>(args.z);
    j.beta_min = static_cast<real>(args.beta_min);
    j.half_slope = static_cast<real>(0.5 * (args.beta_max - args.beta_min));
    j.seed = args.seed;
    j.first_index = args.first_index;
    unsigned blocks = 0;
    const gm_status status = grid_of(call, j.count * j.blocks, PERTURB_BLOCK, &blocks);
    if (status != GM_STATUS_OK) {
        return status;
    }
    GM_LAUNCH((perturb_rows<real>), blocks, PERTURB_BLOCK, 0, stream_of(call), j);
    return check_cuda(call, cudaGetLastError(), "diffusion kernel launch");
}

} // namespace
} // namespace diffusion

gm_status diffusion_perturb(gm_call *call, const gm_diffusion_perturb_args *args) {
    call->kernel = args->dtype == GM_F32 ? "diffusion_f32_perturb" : "diffusion_f64_perturb";
    return args->dtype == GM_F32 ? diffusion::run_perturb<float>(call, *args)
                                 : diffusion::run_perturb<double>(call, *args);
}

gm_status diffusion_score(gm_call *call, const gm_diffusion_score_args *args) {
    const diffusion::kernel_row *kernel = diffusion::find_kernel(call, args->model);
    if (kernel == nullptr) {
        return GM_STATUS_UNSUPPORTED;
    }
    return args->model.dtype == GM_F32 ? kernel->run_f32(call, diffusion::score_job<float>(*args))
                                       : kernel->run_f64(call, diffusion::score_job<double>(*args));
}

gm_status diffusion_sample(gm_call *call, const gm_diffusion_sample_args *args) {
    const diffusion::kernel_row *kernel = diffusion::find_kernel(call, args->model);
    if (kernel == nullptr) {
        return GM_STATUS_UNSUPPORTED;
    }
    return args->model.dtype == GM_F32 ? kernel->run_f32(call, diffusion::path_job<float>(*args))
                                       : kernel->run_f64(call, diffusion::path_job<double>(*args));
}

} // namespace gm
