// The device as a program sees it: errors, properties, limits, and the check of a launch.
#include <limits.h>
#include <string.h>

#include <map>
#include <mutex>

#include "emu.h"
#include "runtime.h"

namespace emu {

namespace {

std::mutex lock;
cudaError_t sticky = cudaSuccess;
thread_local cudaError_t last = cudaSuccess;

// Kernels whose limit of shared memory has been raised.
std::map<const void *, size_t> shared_limits;

// What kernels here may assume is sm_90a. The number of multiprocessors is odd, so that code which
// divides work among them meets a remainder.
constexpr int compute_major = 9;
constexpr int compute_minor = 0;
constexpr int multiprocessors = 3;
constexpr int registers = 65536;
constexpr int threads_per_multiprocessor = 2048;
constexpr int blocks_per_multiprocessor = 32;
constexpr size_t shared_per_multiprocessor = 228 * 1024;
constexpr size_t shared_reserved = 1024;
constexpr size_t constant_bytes = 64 * 1024;
constexpr int cache_bytes = 40 << 20;
constexpr int max_block_z = 64;
constexpr int max_grid_yz = 65535;

size_t shared_limit_of(const void *function) {
    auto found = shared_limits.find(function);
    return found == shared_limits.end() ? shared_limit : found->second;
}

cudaError_t check_launch(const launch_config &config) {
    const dim3 &grid = config.grid;
    const dim3 &threads_of = config.block;
    if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > INT_MAX || grid.y > max_grid_yz ||
        grid.z > max_grid_yz) {
        return cudaErrorInvalidConfiguration;
    }
    if (threads_of.x == 0 || threads_of.y == 0 || threads_of.z == 0 ||
        threads_of.x > max_block_threads || threads_of.y > max_block_threads ||
        threads_of.z > max_block_z ||
        threads_of.x * threads_of.y * threads_of.z > max_block_threads) {
        return cudaErrorInvalidConfiguration;
    }
    if (config.shared_bytes > shared_limit_of(config.function)) {
        return cudaErrorInvalidValue;
    }
    if (!stream_exists(config.stream)) {
        return cudaErrorInvalidResourceHandle;
    }
    if (!schedule_name()) {
        report_text("GENMATH_EMU_SCHEDULE names no schedule");
        return cudaErrorInvalidValue;
    }
    return cudaSuccess;
}

struct attribute {
    cudaDeviceAttr name;
    int value;
};

const attribute attributes[] = {
    {cudaDevAttrMaxThreadsPerBlock, static_cast<int>(max_block_threads)},
    {cudaDevAttrMaxBlockDimX, static_cast<int>(max_block_threads)},
    {cudaDevAttrMaxBlockDimY, static_cast<int>(max_block_threads)},
    {cudaDevAttrMaxBlockDimZ, max_block_z},
    {cudaDevAttrMaxGridDimX, INT_MAX},
    {cudaDevAttrMaxGridDimY, max_grid_yz},
    {cudaDevAttrMaxGridDimZ, max_grid_yz},
    {cudaDevAttrMaxSharedMemoryPerBlock, static_cast<int>(shared_limit)},
    {cudaDevAttrTotalConstantMemory, static_cast<int>(constant_bytes)},
    {cudaDevAttrWarpSize, static_cast<int>(warp_size)},
    {cudaDevAttrMaxRegistersPerBlock, registers},
    {cudaDevAttrMultiProcessorCount, multiprocessors},
    {cudaDevAttrIntegrated, 0},
    {cudaDevAttrComputeMode, 0},
    {cudaDevAttrConcurrentKernels, 1},
    {cudaDevAttrL2CacheSize, cache_bytes},
    {cudaDevAttrMaxThreadsPerMultiProcessor, threads_per_multiprocessor},
    {cudaDevAttrUnifiedAddressing, 1},
    {cudaDevAttrComputeCapabilityMajor, compute_major},
    {cudaDevAttrComputeCapabilityMinor, compute_minor},
    {cudaDevAttrMaxSharedMemoryPerMultiprocessor, static_cast<int>(shared_per_multiprocessor)},
    {cudaDevAttrManagedMemory, 0},
    {cudaDevAttrPageableMemoryAccess, 0},
    {cudaDevAttrCooperativeLaunch, 0},
    {cudaDevAttrMaxSharedMemoryPerBlockOptin, static_cast<int>(shared_limit_optin)},
    {cudaDevAttrMaxBlocksPerMultiprocessor, blocks_per_multiprocessor},
    {cudaDevAttrReservedSharedMemoryPerBlock, static_cast<int>(shared_reserved)},
    {cudaDevAttrMemoryPoolsSupported, 1},
};

void fill_properties(cudaDeviceProp *prop) {
    *prop = {};
    strcpy(prop->name, "genmath CUDA emulator");
    prop->sharedMemPerBlock = shared_limit;
    prop->regsPerBlock = registers;
    prop->warpSize = static_cast<int>(warp_size);
    prop->maxThreadsPerBlock = static_cast<int>(max_block_threads);
    prop->maxThreadsDim[0] = static_cast<int>(max_block_threads);
    prop->maxThreadsDim[1] = static_cast<int>(max_block_threads);
    prop->maxThreadsDim[2] = max_block_z;
    prop->maxGridSize[0] = INT_MAX;
    prop->maxGridSize[1] = max_grid_yz;
    prop->maxGridSize[2] = max_grid_yz;
    prop->totalConstMem = constant_bytes;
    prop->major = compute_major;
    prop->minor = compute_minor;
    prop->multiProcessorCount = multiprocessors;
    prop->concurrentKernels = 1;
    prop->unifiedAddressing = 1;
    prop->l2CacheSize = cache_bytes;
    prop->maxThreadsPerMultiProcessor = threads_per_multiprocessor;
    prop->sharedMemPerMultiprocessor = shared_per_multiprocessor;
    prop->sharedMemPerBlockOptin = shared_limit_optin;
    prop->maxBlocksPerMultiProcessor = blocks_per_multiprocessor;
    prop->reservedSharedMemPerBlock = shared_reserved;
    prop->memoryPoolsSupported = 1;
    prop->totalGlobalMem = device_memory_bytes;
}

int active_blocks(const void *function, int block_threads, size_t shared_bytes) {
    if (shared_bytes > shared_limit_of(function)) {
        return 0;
    }
    int warps = (block_threads + static_cast<int>(warp_size) - 1) / static_cast<int>(warp_size);
    int by_threads = threads_per_multiprocessor / static_cast<int>(warp_size) / warps;
    int by_shared = static_cast<int>(shared_per_multiprocessor / (shared_bytes + shared_reserved));
    int blocks = by_threads < by_shared ? by_threads : by_shared;
    return blocks < blocks_per_multiprocessor ? blocks : blocks_per_multiprocessor;
}

} // namespace

entry_lock::entry_lock() {
    lock.lock();
}

entry_lock::~entry_lock() {
    lock.unlock();
}

cudaError_t sticky_error() {
    return sticky;
}

void set_sticky_error(cudaError_t error) {
    sticky = error;
}

cudaError_t record_error(cudaError_t error) {
    if (error != cudaSuccess) {
        last = error;
    }
    return error;
}

void launch(const launch_config &config, std::unique_ptr<kernel_call> call) {
    entry([&] {
        cudaError_t error = check_launch(config);
        if (error != cudaSuccess) {
            return error;
        }
        launch_record record = {config, std::move(call)};
        return queue_work(config.stream, [record] {
            return run_launch(record) ? cudaSuccess : cudaErrorLaunchFailure;
        });
    });
}

} // namespace emu

using namespace emu;

extern "C" {

const char *cudaGetErrorName(cudaError_t error) {
    switch (error) {
#define EMU_NAME(name, number, text)                                                               \
    case name:                                                                                     \
        return #name;
        EMU_CUDA_ERRORS(EMU_NAME)
#undef EMU_NAME
    }
    return "unrecognized error code";
}

const char *cudaGetErrorString(cudaError_t error) {
    switch (error) {
#define EMU_TEXT(name, number, text)                                                               \
    case name:                                                                                     \
        return text;
        EMU_CUDA_ERRORS(EMU_TEXT)
#undef EMU_TEXT
    }
    return "unrecognized error code";
}

cudaError_t cudaGetLastError(void) {
    entry_lock guard;
    cudaError_t error = sticky != cudaSuccess ? sticky : last;
    last = cudaSuccess;
    return error;
}

cudaError_t cudaPeekAtLastError(void) {
    entry_lock guard;
    return sticky != cudaSuccess ? sticky : last;
}

cudaError_t cudaGetDeviceCount(int *count) {
    return entry([&] {
        *count = 1;
        return cudaSuccess;
    });
}

cudaError_t cudaSetDevice(int device) {
    return entry([&] { return device == 0 ? cudaSuccess : cudaErrorInvalidDevice; });
}

cudaError_t cudaGetDevice(int *device) {
    return entry([&] {
        *device = 0;
        return cudaSuccess;
    });
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *prop, int device) {
    return entry([&] {
        if (device != 0) {
            return cudaErrorInvalidDevice;
        }
        fill_properties(prop);
        return cudaSuccess;
    });
}

cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attr, int device) {
    return entry([&] {
        if (device != 0) {
            return cudaErrorInvalidDevice;
        }
        for (const attribute &known : attributes) {
            if (known.name == attr) {
                *value = known.value;
                return cudaSuccess;
            }
        }
        return cudaErrorInvalidValue;
    });
}

cudaError_t cudaRuntimeGetVersion(int *number) {
    return entry([&] {
        *number = CUDART_VERSION;
        return cudaSuccess;
    });
}

cudaError_t cudaDriverGetVersion(int *number) {
    return cudaRuntimeGetVersion(number);
}

cudaError_t cudaFuncSetAttribute(const void *function, enum cudaFuncAttribute attr, int value) {
    return entry([&] {
        if (attr == cudaFuncAttributePreferredSharedMemoryCarveout) {
            return cudaSuccess;
        }
        if (!function || attr != cudaFuncAttributeMaxDynamicSharedMemorySize || value < 0 ||
            static_cast<size_t>(value) > shared_limit_optin) {
            return cudaErrorInvalidValue;
        }
        shared_limits[function] = static_cast<size_t>(value);
        return cudaSuccess;
    });
}

cudaError_t cudaFuncGetAttributes(struct cudaFuncAttributes *attr, const void *function) {
    return entry([&] {
        if (!attr || !function) {
            return cudaErrorInvalidValue;
        }
        *attr = {};
        attr->maxThreadsPerBlock = static_cast<int>(max_block_threads);
        attr->numRegs = registers / threads_per_multiprocessor;
        attr->ptxVersion = attr->binaryVersion = compute_major * 10 + compute_minor;
        attr->maxDynamicSharedSizeBytes = static_cast<int>(shared_limit_of(function));
        attr->preferredShmemCarveout = -1;
        return cudaSuccess;
    });
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, const void *function,
                                                          int block_threads, size_t shared_bytes) {
    return entry([&] {
        if (!blocks || !function || block_threads < 1 ||
            block_threads > static_cast<int>(max_block_threads)) {
            return cudaErrorInvalidValue;
        }
        *blocks = active_blocks(function, block_threads, shared_bytes);
        return cudaSuccess;
    });
}

int emu_set_schedule(const char *name) {
    entry_lock guard;
    return set_schedule(name) ? 0 : -1;
}

const char *emu_schedule(void) {
    entry_lock guard;
    const char *name = schedule_name();
    return name ? name : "";
}

const char *emu_report(void) {
    entry_lock guard;
    return report().c_str();
}

void emu_reset(void) {
    entry_lock guard;
    sticky = cudaSuccess;
    last = cudaSuccess;
    clear_report();
    drop_pending_work();
}

} // extern "C"
