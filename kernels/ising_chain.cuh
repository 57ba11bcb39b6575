/*
 * One Ising chain, whatever runs it: updates, energies, copies of its spins. kernels/ising.cu has
 * the layout.
 */
#pragma once

#include "host/ising_args.h"
#include "kernels/chain_graph.cuh"

namespace gm {

/* A problem whose arrays are on the device, and the arrays of the call. */
struct ising_job {
    gm_ising_problem p;
    gm_ising_arrays a;
};

/* What updates add up to, and what a chain is at. */
struct totals {
    long long energy, magnetisation;
};

/* Where a chain's spins are: position `at` at spins[at * stride]. */
struct chain_view {
    int8_t *spins;
    int64_t stride;
    const uint32_t *table; /* NULL: thresholds are computed */
    double beta;
    int32_t sign;
    uint64_t number;
};

__device__ inline int32_t neighbour_sum(const gm_ising_problem &p, const chain_view &c,
                                        int32_t at) {
    int32_t sum = 0;
    const int32_t end = p.first[at + 1];
    for (int32_t k = p.first[at]; k < end; ++k) {
        sum += p.coupling[k] * c.spins[p.neighbour[k] * c.stride];
    }
    return sum;
}

/* One update; what it does to energy, magnetisation and the number of flips is added. */
__device__ inline void update_site(const gm_ising_problem &p, const chain_view &c, int32_t at,
                                   uint32_t word, totals &change, long long &flips) {
    const int32_t field = neighbour_sum(p, c, at) + p.field[at];
    const int32_t magnitude = field < 0 ? -field : field;
    const uint32_t threshold = c.table != nullptr
                                   ? c.table[magnitude]
                                   : gm_ising_threshold(p.update, p.log_odds, c.beta, magnitude);
    const int32_t old = c.spins[at * c.stride];
    const uint32_t up = gm_ising_decide(p.update, c.sign * field, old == 1, word, threshold);
    const int32_t step = gm_ising_value(p.spins, up) - old;
    if (step != 0) {
        c.spins[at * c.stride] = static_cast<int8_t>(old + step);
        change.energy -= static_cast<long long>(step) * field;
        change.magnetisation += step;
        ++flips;
    }
}

/* Twice the energy and once the magnetisation of a position. */
__device__ inline void add_site(const gm_ising_problem &p, const chain_view &c, int32_t at,
                                totals &sum) {
    const long long x = c.spins[at * c.stride];
    sum.energy -= x * (neighbour_sum(p, c, at) + 2ll * p.field[at]);
    sum.magnetisation += x;
}

/* Copies the spin of a position in; 0 if it is one. */
__device__ inline int load_site(const ising_job &job, const chain_view &c, int64_t chain,
                                int32_t at) {
    const int32_t site = job.p.site[at], down = gm_ising_down(job.p.spins);
    int32_t x = down;
    if (site >= 0) {
        x = job.a.spins[chain * job.a.chain_stride + site * job.a.site_stride];
    }
    const bool is_spin = x == 1 || x == down;
    c.spins[at * c.stride] = static_cast<int8_t>(is_spin ? x : down);
    return !is_spin;
}

__device__ inline void store_site(const ising_job &job, const chain_view &c, int64_t chain,
                                  int32_t at) {
    const int32_t site = job.p.site[at];
    if (site >= 0) {
        job.a.spins[chain * job.a.chain_stride + site * job.a.site_stride] = c.spins[at * c.stride];
    }
}

/* Few chains of a large graph: kernels/ising_sites.cu. colour: (colours, 2) on the host. */
size_t ising_sites_workspace(const gm_ising_problem &p, int64_t chains);
gm_status ising_sites_run(gm_call *call, const int32_t *colour, const ising_job &job);

} // namespace gm
