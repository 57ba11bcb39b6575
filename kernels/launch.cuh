/* Host-side helpers of the modules: CUDA errors as statuses, ensemble arguments, device copies. */
#pragma once

#include <string.h>

#include "host/backend.h"
#include "host/ensemble_args.h"
#include "kernels/device.cuh"
#include "kernels/ensemble.cuh"

namespace gm {

inline gm_status check_cuda(gm_call *call, cudaError_t error, const char *what) {
    if (error == cudaSuccess) {
        return GM_STATUS_OK;
    }
    return gm_call_fail(
        call, error == cudaErrorMemoryAllocation ? GM_STATUS_OUT_OF_MEMORY : GM_STATUS_DEVICE_ERROR,
        "%s: %s", what, cudaGetErrorString(error));
}

inline cudaStream_t stream_of(const gm_call *call) {
    return static_cast<cudaStream_t>(call->stream);
}

/* Blocks of ENSEMBLE_BLOCK threads, one thread a trajectory; a grid holds 2^31 - 1 of them. */
inline gm_status ensemble_grid(gm_call *call, int64_t n, unsigned *blocks) {
    const int64_t count = (n + ENSEMBLE_BLOCK - 1) / ENSEMBLE_BLOCK;
    if (count > 0x7fffffff) {
        return gm_call_fail(call, GM_STATUS_UNSUPPORTED,
                            "%lld trajectories: one call takes %lld on this backend",
                            static_cast<long long>(n), 0x7fffffffLL * ENSEMBLE_BLOCK);
    }
    *blocks = static_cast<unsigned>(count);
    return GM_STATUS_OK;
}

template <typename real> ensemble<real> typed_ensemble(const gm_ensemble_arrays &a) {
    ensemble<real> e;
    e.n = a.n;
    e.y0 = static_cast<const real *>(a.y0);
    e.params = static_cast<const real *>(a.params);
    e.end = static_cast<real *>(a.end);
    e.saved = static_cast<real *>(a.saved);
    e.time = static_cast<real *>(a.time);
    e.status = a.status;
    e.accepted = a.accepted;
    e.rejected = a.rejected;
    e.evaluations = a.evaluations;
    memcpy(e.y0_stride, a.y0_stride, sizeof e.y0_stride);
    memcpy(e.params_stride, a.params_stride, sizeof e.params_stride);
    memcpy(e.end_stride, a.end_stride, sizeof e.end_stride);
    memcpy(e.saved_stride, a.saved_stride, sizeof e.saved_stride);
    e.time_stride = a.time_stride;
    e.status_stride = a.status_stride;
    e.accepted_stride = a.accepted_stride;
    e.rejected_stride = a.rejected_stride;
    e.evaluations_stride = a.evaluations_stride;
    return e;
}

/* A copy of host memory on the device; NULL for no bytes. Made when a plan is, never in execute. */
inline gm_status device_copy(gm_call *call, const void *host, size_t bytes, void **device) {
    *device = nullptr;
    if (bytes == 0) {
        return GM_STATUS_OK;
    }
    gm_status status = check_cuda(call, cudaMalloc(device, bytes), "cudaMalloc");
    if (status == GM_STATUS_OK) {
        status = check_cuda(call, cudaMemcpy(*device, host, bytes, cudaMemcpyHostToDevice),
                            "cudaMemcpy");
    }
    return status;
}

} // namespace gm
