/*
 * What the kernels of discrete models share: the arrays of a graph on the device, blocks by its
 * colours, a chain's status. A graph is gm_ising_problem or gm_chain_graph: the names are the same.
 */
#pragma once

#include "kernels/launch.cuh"

namespace gm {

constexpr unsigned CHAIN_MOST_THREADS = 256; /* a block of a chain; four positions a thread */

/* Four positions a thread of the largest colour, whole warps. */
template <class Graph> unsigned chain_block(const Graph &g) {
    int32_t largest = 1;
    for (int32_t c = 0; c < g.colours; ++c) {
        const int32_t count = g.colour[2 * c + 1] - g.colour[2 * c];
        largest = count > largest ? count : largest;
    }
    const unsigned warps = (static_cast<unsigned>(largest) + 127) / 128;
    return 32 * warps < CHAIN_MOST_THREADS ? 32 * warps : CHAIN_MOST_THREADS;
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
