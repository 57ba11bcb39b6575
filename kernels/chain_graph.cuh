/*
 * What the kernels of discrete models share: plans, the arrays of a graph on the device, blocks by
 * its colours, a chain's status. A graph is gm_ising_problem, gm_chain_graph or, but for its
 * arrays, gm_factor_problem: the names are the same.
 */
#pragma once

#include <new>

#include "kernels/launch.cuh"

namespace gm {

constexpr unsigned CHAIN_MOST_THREADS = 256; /* a block of a chain */

/* So many positions a thread of the largest colour, whole warps. */
template <class Graph> unsigned chain_block(const Graph &g, unsigned each) {
    int32_t largest = 1;
    for (int32_t c = 0; c < g.colours; ++c) {
        const int32_t count = g.colour[2 * c + 1] - g.colour[2 * c];
        largest = count > largest ? count : largest;
    }
    const unsigned warps = (static_cast<unsigned>(largest) + 32 * each - 1) / (32 * each);
    return 32 * warps < CHAIN_MOST_THREADS ? 32 * warps : CHAIN_MOST_THREADS;
}

/* A plan with its defaults; NULL: no memory, and the call has failed. */
template <class Plan> Plan *chain_plan(gm_call *call, void **state) {
    Plan *plan = new (std::nothrow) Plan;
    if (plan == nullptr) {
        (void)gm_call_fail(call, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    }
    *state = plan;
    return plan;
}

/* Whether a chain's state fits into a block's shared memory beside `fixed` bytes: then bytes are
 * both, and the kernel that keeps it there may use as much. */
template <class Kernel>
gm_status chain_memory(gm_call *call, Kernel kernel, size_t fixed, size_t state, bool *resident,
                       size_t *bytes) {
    int most = 0;
    gm_status status = check_cuda(
        call, cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, call->device),
        "cudaDeviceGetAttribute");
    *resident = fixed + state <= static_cast<size_t>(most);
    *bytes = fixed + (*resident ? state : 0);
    if (status == GM_STATUS_OK && *resident) {
        status = check_cuda(
            call, cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, most),
            "cudaFuncSetAttribute");
    }
    return status;
}

/* One allocation for all arrays, in the order of the graph's pointers; fields: of a position. */
template <class Graph>
gm_status chain_copy(gm_call *call, const Graph &g, int32_t fields, Graph *device, void **memory) {
    const int32_t **const targets[] = {&device->site,      &device->colour,   &device->first,
                                       &device->neighbour, &device->coupling, &device->field};
    const int32_t *const sources[] = {g.site, g.colour, g.first, g.neighbour, g.coupling, g.field};
    const size_t positions = static_cast<size_t>(g.positions);
    const size_t neighbours = static_cast<size_t>(g.neighbours);
    const size_t counts[] = {positions,     2 * static_cast<size_t>(g.colours),
                             positions + 1, neighbours,
                             neighbours,    positions * static_cast<size_t>(fields)};
    size_t total = 0;
    for (size_t count : counts) {
        total += count;
    }
    gm_status status = check_cuda(call, cudaMalloc(memory, total * sizeof(int32_t)), "cudaMalloc");
    int32_t *next = static_cast<int32_t *>(*memory);
    for (int i = 0; i < 6 && status == GM_STATUS_OK; ++i) {
        *targets[i] = next;
        if (counts[i] > 0) {
            status = check_cuda(
                call,
                cudaMemcpy(next, sources[i], counts[i] * sizeof(int32_t), cudaMemcpyHostToDevice),
                "cudaMemcpy");
        }
        next += counts[i];
    }
    return status;
}

__device__ inline gm_status chain_status(double beta, bool bad_state) {
    const bool finite = beta - beta == 0;
    return !finite ? GM_STATUS_NON_FINITE : bad_state ? GM_STATUS_INVALID_ARGUMENT : GM_STATUS_OK;
}

} // namespace gm
