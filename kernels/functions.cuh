/* Functions of genmath/math.h by the type of their argument, for kernels of either precision. */
#pragma once

#include <genmath/math.h>

namespace gm {

__device__ __forceinline__ float root(float x) {
    return gm_sqrt_f32(x);
}

__device__ __forceinline__ double root(double x) {
    return gm_sqrt_f64(x);
}

__device__ __forceinline__ float exponential(float x) {
    return gm_exp_f32(x);
}

__device__ __forceinline__ double exponential(double x) {
    return gm_exp_f64(x);
}

__device__ __forceinline__ float logarithm(float x) {
    return gm_log_f32(x);
}

__device__ __forceinline__ double logarithm(double x) {
    return gm_log_f64(x);
}

} // namespace gm
