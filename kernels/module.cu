/* The table of a module: cuda where nvcc built it, emu where a C++ compiler did. */
#include "kernels/module.cuh"

#include "kernels/jit.cuh"
#include "kernels/launch.cuh"
#include "kernels/linalg_table.cuh"

namespace gm {
namespace {

gm_status open_device(gm_call *call) {
    int count = 0;
    const cudaError_t error = cudaGetDeviceCount(&count);
    if (error != cudaSuccess || count == 0) {
        (void)cudaGetLastError();
        return gm_call_fail(call, GM_STATUS_NO_DEVICE, "%s",
                            error == cudaErrorInsufficientDriver
                                ? "no NVIDIA driver here, or one too old for this CUDA runtime"
                            : error != cudaSuccess ? cudaGetErrorString(error)
                                                   : "no CUDA device");
    }
    if (call->device >= count) {
        return gm_call_fail(call, GM_STATUS_NO_DEVICE, "device %d of %d does not exist",
                            call->device, count);
    }
    return check_cuda(call, cudaSetDevice(call->device), "cudaSetDevice");
}

gm_status device_info(gm_call *call, gm_device_info *info) {
    cudaDeviceProp properties;
    const gm_status status = check_cuda(call, cudaGetDeviceProperties(&properties, call->device),
                                        "cudaGetDeviceProperties");
    if (status == GM_STATUS_OK) {
        snprintf(info->name, sizeof info->name, "%.*s", static_cast<int>(sizeof info->name) - 1,
                 properties.name);
        snprintf(info->detail, sizeof info->detail, "compute capability %d.%d", properties.major,
                 properties.minor);
        info->memory_bytes = static_cast<int64_t>(properties.totalGlobalMem);
        info->processors = properties.multiProcessorCount;
    }
    return status;
}

gm_status memory_alloc(gm_call *call, size_t bytes, void **memory) {
    const cudaError_t error = cudaMalloc(memory, bytes);
    if (error == cudaErrorMemoryAllocation) {
        (void)cudaGetLastError(); /* not sticky: the device is as it was */
    }
    return check_cuda(call, error, "cudaMalloc");
}

gm_status memory_free(gm_call *call, void *memory) {
    return check_cuda(call, cudaFree(memory), "cudaFree");
}

gm_status copy(gm_call *call, void *to, const void *from, size_t bytes, cudaMemcpyKind kind) {
    const gm_status status = check_cuda(
        call, cudaMemcpyAsync(to, from, bytes, kind, stream_of(call)), "cudaMemcpyAsync");
    return status != GM_STATUS_OK ? status
                                  : check_cuda(call, cudaStreamSynchronize(stream_of(call)),
                                               "a copy or an earlier kernel");
}

gm_status memory_upload(gm_call *call, void *memory, const void *host, size_t bytes) {
    return copy(call, memory, host, bytes, cudaMemcpyHostToDevice);
}

gm_status memory_download(gm_call *call, void *host, const void *memory, size_t bytes) {
    return copy(call, host, memory, bytes, cudaMemcpyDeviceToHost);
}

int memory_is_reachable(gm_call *call, const void *memory) {
    (void)call;
    cudaPointerAttributes attributes;
    if (cudaPointerGetAttributes(&attributes, memory) != cudaSuccess) {
        (void)cudaGetLastError();
        return 0;
    }
    return attributes.devicePointer != nullptr;
}

gm_status synchronize(gm_call *call) {
    return check_cuda(call, cudaStreamSynchronize(stream_of(call)), "a kernel");
}

const char *build_info() {
#ifdef __CUDACC__
#define GM_TEXT_(x) #x
#define GM_TEXT(x) GM_TEXT_(x)
    return "nvcc " GM_TEXT(__CUDACC_VER_MAJOR__) "." GM_TEXT(
        __CUDACC_VER_MINOR__) ", " GM_ARCHITECTURES;
#else
    return "a C++ compiler for the emulator, " __VERSION__;
#endif
}

const gm_backend backend = {
#ifdef __CUDACC__
    "cuda",
#else
    "emu",
#endif
    open_device,
    device_info,
    memory_alloc,
    memory_free,
    memory_upload,
    memory_download,
    memory_is_reachable,
    synchronize,
    build_info,
    random_fill,
    ode_prepare,
    ode_solve,
    ode_release,
    sde_prepare,
    sde_solve,
    sde_release,
    diffusion_perturb,
    diffusion_score,
    diffusion_sample,
    contract_choose,
    contract_run,
    nullptr, /* contract_direct */
    contract_kernel,
    contract_group_choose,
    contract_group_bind,
    contract_group_run,
    GM_LINALG_TABLE,
    fft_prepare,
    fft_run,
    fft_release,
    structured_prepare,
    structured_run,
    structured_release,
    reduce,
    reduce_workspace,
    softmax,
    elementwise,
    gather,
    scatter_add,
    diagnose,
    diagnose_workspace,
    ising_prepare,
    ising_workspace,
    ising_run,
    ising_release,
    mcmc_prepare,
    mcmc_run,
    mcmc_release,
    mcmc_mass,
    tempering_begin,
    tempering_swap,
    annealing_step,
    potts_prepare,
    potts_workspace,
    potts_run,
    potts_release,
    factor_prepare,
    factor_workspace,
    factor_run,
    factor_release,
    rbm_run,
    importance_prepare,
    importance_draw,
    importance_release,
    importance_weigh,
    importance_weigh_workspace,
    importance_resample,
    importance_resample_workspace,
    hopfield_begin,
    hopfield_run,
    multispin_prepare,
    multispin_workspace,
    multispin_run,
    multispin_convert,
    multispin_release,
    gibbs_prepare,
    gibbs_run,
    gibbs_release,
    correlations_prepare,
    nullptr, /* correlations_workspace */
    correlations_add,
    correlations_release,
    nullptr, /* multispin_correlate_workspace */
    multispin_correlate,
    density_annealing_step,
#ifdef __CUDACC__
    jit_try_compile,
#else
    nullptr,
#endif
};

} // namespace
} // namespace gm

extern "C" const gm_backend *gm_module_backend(int abi) {
    return abi == GM_MODULE_ABI ? &gm::backend : nullptr;
}
