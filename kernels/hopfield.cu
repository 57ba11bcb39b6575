/*
 * gm_hopfield_run: probes of a Hopfield network run into their fixed points; include/genmath/
 * hopfield.h has the model. The fields of the first states are a product by the contraction engine.
 *
 * Layout: states and fields are 32-bit integers in the workspace, a row a probe; couplings are
 * 32-bit integers, the same for all probes.
 *
 * Parallelised:
 *   hopfield_begin  a block a probe: widens the states and looks whether they are some.
 *   hopfield_run    a block a probe, a thread a part of its neurons. All threads look at the same
 *                   neuron; where it flips they add its row of couplings to their fields, between
 *                   two barriers: the first because another thread may still have to read the field
 *                   that is changed. A neuron that stays costs no barrier. Synchronous updates
 *                   first mark all that flip.
 *
 * Shared memory: hopfield_shared. No floating point but for the energy.
 *
 * Versions: (1) this one. Not yet timed on a GPU.
 */
#include "host/hopfield_args.h"
#include "kernels/block.cuh"
#include "kernels/launch.cuh"
#include "kernels/module.cuh"

namespace gm {
namespace {

constexpr unsigned THREADS = 128;

struct hopfield_shared {
    gm_block_reduce_shared<long long> reduce;
};

__global__ void __launch_bounds__(THREADS)
    hopfield_load(const GM_GRID_CONSTANT gm_hopfield_args a) {
    const int64_t probe = blockIdx.x;
    int32_t *x = a.state + probe * a.neurons;
    const int32_t thread = static_cast<int32_t>(threadIdx.x);
    int bad = 0;
    for (int32_t i = thread; i < a.neurons; i += THREADS) {
        x[i] = *gm_hopfield_user(&a, probe, i);
        bad |= x[i] != 1 && x[i] != -1;
    }
    if (__syncthreads_or(bad)) {
        for (int32_t i = thread; i < a.neurons; i += THREADS) {
            x[i] = 0;
        }
    }
}

/* What a neuron's step of -2 or 2 does to all fields. */
__device__ inline void add_row(const gm_hopfield_args &a, int32_t *field, int32_t neuron,
                               int32_t step) {
    const int32_t *row = a.coupling + static_cast<int64_t>(neuron) * a.neurons;
    for (int32_t j = static_cast<int32_t>(threadIdx.x); j < a.neurons; j += THREADS) {
        field[j] += step * row[j];
    }
}

__device__ inline bool sweep_asynchronous(const gm_hopfield_args &a, int32_t *x, int32_t *field) {
    bool changed = false;
    for (int32_t i = 0; i < a.neurons; ++i) {
        const int32_t old = x[i];
        const int32_t fresh = gm_hopfield_sign(&a, field[i], old);
        if (fresh != old) {
            __syncthreads();
            add_row(a, field, i, fresh - old);
            if (threadIdx.x == 0) {
                x[i] = fresh;
            }
            changed = true;
            __syncthreads();
        }
    }
    return changed;
}

/* x becomes 3 where it turns to 1 and -3 where to -1, until the fields have been changed. */
__device__ inline bool sweep_synchronous(const gm_hopfield_args &a, int32_t *x, int32_t *field) {
    const int32_t thread = static_cast<int32_t>(threadIdx.x);
    bool changed = false;
    for (int32_t i = thread; i < a.neurons; i += THREADS) {
        const int32_t fresh = gm_hopfield_sign(&a, field[i], x[i]);
        x[i] = fresh != x[i] ? 3 * fresh : fresh;
    }
    __syncthreads();
    for (int32_t i = 0; i < a.neurons; ++i) {
        const int32_t flipped = x[i] / 3;
        if (flipped != 0) {
            add_row(a, field, i, 2 * flipped);
            changed = true;
        }
    }
    __syncthreads();
    for (int32_t i = thread; i < a.neurons; i += THREADS) {
        x[i] = x[i] > 0 ? 1 : -1;
    }
    __syncthreads();
    return changed;
}

__global__ void __launch_bounds__(THREADS)
    hopfield_settle(const GM_GRID_CONSTANT gm_hopfield_args a) {
    GM_SHARED(hopfield_shared, shared);
    const int64_t probe = blockIdx.x;
    int32_t *x = a.state + probe * a.neurons, *field = a.field + probe * a.neurons;
    const int32_t thread = static_cast<int32_t>(threadIdx.x);
    gm_status status = x[0] == 0 ? GM_STATUS_INVALID_ARGUMENT : GM_STATUS_NOT_CONVERGED;
    __syncthreads(); /* before x[0] is changed */
    int64_t swept = 0;
    for (int64_t s = 0; s < a.sweeps && status == GM_STATUS_NOT_CONVERGED; ++s) {
        if (a.synchronous ? sweep_synchronous(a, x, field) : sweep_asynchronous(a, x, field)) {
            ++swept;
        } else {
            status = GM_STATUS_OK;
        }
    }
    long long sum = 0;
    for (int32_t i = thread; i < a.neurons; i += THREADS) {
        sum += static_cast<long long>(x[i]) * (field[i] + a.bias[i]);
        if (status != GM_STATUS_INVALID_ARGUMENT) {
            *gm_hopfield_user(&a, probe, i) = static_cast<int8_t>(x[i]);
        }
    }
    sum = gm_block_sum(sum, shared.reduce);
    if (thread == 0) {
        gm_hopfield_store(&a, probe, status, swept, sum);
    }
}

} // namespace

gm_status hopfield_begin(gm_call *call, const gm_hopfield_args *args) {
    GM_LAUNCH(hopfield_load, static_cast<unsigned>(args->probes), THREADS, 0, stream_of(call),
              *args);
    return check_cuda(call, cudaGetLastError(), "hopfield kernel launch");
}

gm_status hopfield_run(gm_call *call, const gm_hopfield_args *args) {
    call->kernel = "hopfield_settle";
    GM_LAUNCH(hopfield_settle, static_cast<unsigned>(args->probes), THREADS,
              sizeof(hopfield_shared), stream_of(call), *args);
    return check_cuda(call, cudaGetLastError(), "hopfield kernel launch");
}

} // namespace gm
