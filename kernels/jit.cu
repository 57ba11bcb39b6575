/*
 * Compiling a user's system with NVRTC. The kernels' own headers travel inside the module as text.
 * NVRTC and the driver are opened when first needed, so that the module loads where they are not.
 */
#include "kernels/jit.cuh"

#include <cuda.h>
#include <dlfcn.h>
#include <new>
#include <nvrtc.h>
#include <vector>

#include "kernels/gibbs_source.h"
#include "kernels/jit_cache.h"
#include "kernels/jit_source.h"
#include "kernels/launch.cuh"

namespace gm {

struct jit_kernel {
    CUmodule module = nullptr;
    CUfunction function = nullptr;
};

namespace {

struct embedded_header {
    const char *name, *text;
};

const embedded_header embedded_headers[] = {
#include "embedded_headers.inc"
};
constexpr int embedded_count = sizeof embedded_headers / sizeof embedded_headers[0];

struct nvrtc_library {
    decltype(&nvrtcVersion) version;
    decltype(&nvrtcCreateProgram) create;
    decltype(&nvrtcCompileProgram) compile;
    decltype(&nvrtcGetProgramLogSize) log_size;
    decltype(&nvrtcGetProgramLog) log;
    decltype(&nvrtcGetCUBINSize) image_size;
    decltype(&nvrtcGetCUBIN) image;
    decltype(&nvrtcDestroyProgram) destroy;
};

struct driver_library {
    decltype(&cuModuleLoadData) load;
    decltype(&cuModuleGetFunction) function;
    decltype(&cuModuleUnload) unload;
    decltype(&cuLaunchKernel) launch;
    decltype(&cuGetErrorString) error_string;
};

template <class Function> bool find(void *library, const char *name, Function *function) {
    *function = reinterpret_cast<Function>(dlsym(library, name));
    return *function != nullptr;
}

/* The handle stays open for the process: kernels may run until its end. */
const nvrtc_library *open_nvrtc() {
    static nvrtc_library library;
    static const bool opened = [] {
        void *handle = nullptr;
        for (const char *name : {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"}) {
            handle = handle != nullptr ? handle : dlopen(name, RTLD_NOW | RTLD_LOCAL);
        }
        return handle != nullptr && find(handle, "nvrtcVersion", &library.version) &&
               find(handle, "nvrtcCreateProgram", &library.create) &&
               find(handle, "nvrtcCompileProgram", &library.compile) &&
               find(handle, "nvrtcGetProgramLogSize", &library.log_size) &&
               find(handle, "nvrtcGetProgramLog", &library.log) &&
               find(handle, "nvrtcGetCUBINSize", &library.image_size) &&
               find(handle, "nvrtcGetCUBIN", &library.image) &&
               find(handle, "nvrtcDestroyProgram", &library.destroy);
    }();
    return opened ? &library : nullptr;
}

const driver_library *open_driver() {
    static driver_library library;
    static const bool opened = [] {
        void *handle = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
        return handle != nullptr && find(handle, "cuModuleLoadData", &library.load) &&
               find(handle, "cuModuleGetFunction", &library.function) &&
               find(handle, "cuModuleUnload", &library.unload) &&
               find(handle, "cuLaunchKernel", &library.launch) &&
               find(handle, "cuGetErrorString", &library.error_string);
    }();
    return opened ? &library : nullptr;
}

gm_status check_driver(gm_call *call, CUresult result, const char *what) {
    if (result == CUDA_SUCCESS) {
        return GM_STATUS_OK;
    }
    const char *text = nullptr;
    open_driver()->error_string(result, &text);
    return gm_call_fail(call, GM_STATUS_DEVICE_ERROR, "%s: %s", what,
                        text != nullptr ? text : "unknown driver error");
}

/* The first lines of the compiler's log that say what is wrong, as far as the message has room. */
gm_status report_compile_error(gm_call *call, const nvrtc_library &nvrtc, nvrtcProgram program,
                               const char *name) {
    size_t size = 0;
    nvrtc.log_size(program, &size);
    std::string log(size, '\0');
    nvrtc.log(program, &log[0]);
    return gm_call_fail(call, GM_STATUS_COMPILE_ERROR, "system %s: %s", name, log.c_str());
}

gm_status compile(gm_call *call, const char *name, const std::string &text, int architecture,
                  std::vector<char> *image) {
    const nvrtc_library *nvrtc = open_nvrtc();
    if (nvrtc == nullptr) {
        return gm_call_fail(call, GM_STATUS_DEVICE_ERROR,
                            "libnvrtc is not found: it compiles a user's system for the GPU");
    }
    int major = 0, minor = 0;
    nvrtc->version(&major, &minor);
    const std::string key = text + "\n// sm_" + std::to_string(architecture) + " nvrtc " +
                            std::to_string(major) + "." + std::to_string(minor) + " genmath " +
                            GM_VERSION_STRING + "\n" +
                            embedded_digest(embedded_headers, embedded_count);
    if (jit_cache_load(key, image)) {
        return GM_STATUS_OK;
    }
    std::vector<const char *> names, texts;
    for (const embedded_header &header : embedded_headers) {
        names.push_back(header.name);
        texts.push_back(header.text);
    }
    nvrtcProgram program = nullptr;
    if (nvrtc->create(&program, text.c_str(), name, embedded_count, texts.data(), names.data()) !=
        NVRTC_SUCCESS) {
        return gm_call_fail(call, GM_STATUS_INTERNAL, "NVRTC does not take the program of %s",
                            name);
    }
    const std::string target = "--gpu-architecture=sm_" + std::to_string(architecture);
    const char *options[] = {target.c_str(), "--std=c++17", "--device-as-default-execution-space"};
    gm_status status = GM_STATUS_OK;
    if (nvrtc->compile(program, 3, options) != NVRTC_SUCCESS) {
        status = report_compile_error(call, *nvrtc, program, name);
    } else {
        size_t size = 0;
        nvrtc->image_size(program, &size);
        image->resize(size);
        nvrtc->image(program, image->data());
        jit_cache_store(key, *image);
    }
    nvrtc->destroy(&program);
    return status;
}

gm_status load(gm_call *call, const std::vector<char> &image, jit_kernel **kernel) {
    const driver_library *driver = open_driver();
    if (driver == nullptr) {
        return gm_call_fail(call, GM_STATUS_DEVICE_ERROR, "libcuda.so.1 is not found");
    }
    jit_kernel *made = new (std::nothrow) jit_kernel;
    if (made == nullptr) {
        return gm_call_fail(call, GM_STATUS_OUT_OF_MEMORY, "no memory for a kernel");
    }
    cudaFree(nullptr); /* makes the runtime's context current, which the driver's calls use */
    gm_status status =
        check_driver(call, driver->load(&made->module, image.data()), "cuModuleLoadData");
    if (status == GM_STATUS_OK) {
        status =
            check_driver(call, driver->function(&made->function, made->module, "gm_user_kernel"),
                         "cuModuleGetFunction");
    }
    if (status != GM_STATUS_OK) {
        jit_release(made);
        return status;
    }
    *kernel = made;
    return GM_STATUS_OK;
}

gm_status build(gm_call *call, const char *name, const std::string &text, jit_kernel **kernel) {
    int major = 0, minor = 0;
    cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, call->device);
    cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, call->device);
    std::vector<char> image;
    const gm_status status = compile(call, name, text, 10 * major + minor, &image);
    return status != GM_STATUS_OK ? status : load(call, image, kernel);
}

} // namespace

gm_status jit_ode(gm_call *call, const gm_system &system, gm_dtype dtype, bool adaptive,
                  jit_kernel **kernel) {
    return build(call, system.name, jit_program(system, nullptr, dtype == GM_F64, adaptive),
                 kernel);
}

gm_status jit_sde(gm_call *call, const gm_sde &sde, gm_dtype dtype, jit_kernel **kernel) {
    return build(call, sde.drift->name, jit_program(*sde.drift, &sde, dtype == GM_F64, false),
                 kernel);
}

gm_status jit_mcmc(gm_call *call, const gm_density &density, gm_dtype dtype, jit_kernel **kernel) {
    return build(call, density.name, jit_density_program(density, dtype == GM_F64), kernel);
}

gm_status jit_importance(gm_call *call, const gm_density &density, gm_dtype dtype,
                         jit_kernel **kernel) {
    return build(call, density.name, jit_importance_program(density, dtype == GM_F64), kernel);
}

gm_status jit_gibbs(gm_call *call, const gm_gibbs &gibbs, gm_dtype dtype, jit_kernel **kernel) {
    return build(call, gibbs.name, jit_gibbs_program(gibbs, dtype == GM_F64), kernel);
}

gm_status jit_launch(gm_call *call, const jit_kernel *kernel, unsigned blocks, unsigned threads,
                     const void *params) {
    void *arguments[] = {const_cast<void *>(params)};
    return check_driver(call,
                        open_driver()->launch(kernel->function, blocks, 1, 1, threads, 1, 1, 0,
                                              static_cast<CUstream>(call->stream), arguments,
                                              nullptr),
                        "kernel launch");
}

void jit_release(jit_kernel *kernel) {
    if (kernel != nullptr) {
        if (kernel->module != nullptr) {
            open_driver()->unload(kernel->module);
        }
        delete kernel;
    }
}

gm_status jit_try_compile(gm_call *call, const gm_system *system, const gm_sde *sde, gm_dtype dtype,
                          int adaptive, int architecture, size_t *image) {
    std::vector<char> code;
    const gm_status status =
        compile(call, system->name, jit_program(*system, sde, dtype == GM_F64, adaptive != 0),
                architecture, &code);
    *image = code.size();
    return status;
}

} // namespace gm
