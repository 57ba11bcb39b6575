/*
 * What gm_annealing_run does after each stretch of sweeps: the weight of every chain, and its state
 * of lowest energy; include/genmath/annealing.h has the formula.
 *
 * Layout: chains as in gm_ising_run, any strides; energies in whole quanta from the kernel that
 * swept them.
 *
 * Parallelised: a block a chain. Every thread reads the two energies; after a barrier the first
 * writes the lower one and the weight, and where the state is the best so far all copy it.
 *
 * Shared memory: none.
 *
 * Numerical choices: weights in double, one fma a step.
 *
 * Versions: (1) this one. Not yet timed on a GPU.
 */
#include "host/annealing_args.h"
#include "kernels/launch.cuh"
#include "kernels/module.cuh"

namespace gm {
namespace {

constexpr unsigned THREADS = 64;

__device__ inline void weigh(const gm_annealing_args &a, int64_t chain, bool good, int64_t energy) {
    double &weight = a.log_weight[chain * a.log_weight_stride];
    const double before = a.begins != 0 ? 0.0 : weight;
    weight = good ? gm_annealing_weigh(&a, before, energy)
                  : gm_from_bits_f64(UINT64_C(0x7ff8000000000000));
}

__global__ void __launch_bounds__(THREADS) step_chains(const GM_GRID_CONSTANT gm_annealing_args a) {
    const int64_t chain = blockIdx.x;
    const bool good = a.chain_status[chain * a.status_stride] == GM_STATUS_OK;
    const int64_t energy = good ? a.energy[chain * a.energy_stride] : 0;
    bool better = false;
    if (a.best_energy != nullptr) {
        better = a.begins != 0 || (good && energy < a.best_energy[chain * a.best_energy_stride]);
    }
    __syncthreads();
    if (better && good && a.best != nullptr) {
        for (int64_t i = threadIdx.x; i < a.sites; i += blockDim.x) {
            a.best[chain * a.best_stride[0] + i * a.best_stride[1]] =
                a.spins[chain * a.spins_stride[0] + i * a.spins_stride[1]];
        }
    }
    if (threadIdx.x == 0) {
        if (better) {
            a.best_energy[chain * a.best_energy_stride] = energy;
        }
        if (a.log_weight != nullptr) {
            weigh(a, chain, good, energy);
        }
    }
}

} // namespace

gm_status annealing_step(gm_call *call, const gm_annealing_args *args) {
    call->kernel = "annealing_blocks";
    if (args->chains > 0x7fffffff) {
        return gm_call_fail(call, GM_STATUS_UNSUPPORTED, "%lld chains: too many for one call",
                            static_cast<long long>(args->chains));
    }
    GM_LAUNCH(step_chains, static_cast<unsigned>(args->chains), THREADS, 0, stream_of(call), *args);
    return check_cuda(call, cudaGetLastError(), "annealing kernel launch");
}

} // namespace gm
