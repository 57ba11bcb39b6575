/*
 * gm_potts_run: sweeps of Potts chains; include/genmath/potts.h has the model, host/potts_args.h
 * the decisions, which are integers, so that the labels are those of the CPU to the bit.
 *
 * Layout: as in ising.cu. A site lives at a position, the positions of a colour are contiguous and
 * begin at a multiple of four. Labels are bytes by position; neighbours, couplings and fields are
 * 32-bit integers by position, the same for all chains, which is why they stay in the caches.
 *
 * Parallelised:
 *   potts_coloured    a block a chain, for all its sweeps. A thread owns the four positions of one
 *                     Philox block at a time; a barrier after each colour. The energy follows from
 *                     the flips and is added over the block once a sweep, in integers; the sites of
 *                     each label are counted by atomics on integers, in shared memory.
 *                     resident: the labels stay in shared memory; else they are in the workspace.
 *   potts_sequential  RANDOM and RASTER: a thread a chain; labels in the workspace, the chains of a
 *                     position side by side.
 *   most              the labels that there is room for: with 8 the local fields are in registers,
 *                     with 256 in local memory.
 *
 * Shared memory: potts_shared, then the table of weights (8 (span + 1) bytes, if there is one: made
 * by the block from its chain's beta), then the resident labels (1 byte each).
 *
 * Numerical choices: exponentials in double, once for an entry of the table; where the gaps are too
 * large for a table, for each label of an update.
 *
 * Versions: (1) this one. Not yet timed on a GPU.
 */
#include "host/potts_args.h"
#include "kernels/block.cuh"
#include "kernels/chain_graph.cuh"
#include "kernels/module.cuh"

namespace gm {
namespace {

constexpr unsigned SEQUENTIAL_THREADS = 64;
constexpr int FEW_LABELS = 8; /* fields of so many are kept in registers */

/* Blocks of a multiprocessor that a kernel leaves room for: the most that it can on sm_80 and
 * sm_90a without keeping registers in local memory. The compiler would do that to make room for
 * more. */
constexpr int coloured_blocks(int most) {
    return most == FEW_LABELS ? 3 : 5;
}
constexpr int SEQUENTIAL_BLOCKS = 6;

struct potts_shared {
    gm_block_reduce_shared<long long> reduce;
    uint64_t sums[2 * GM_POTTS_SUMS];
    int count[GM_POTTS_MOST_LABELS]; /* sites of each label */
};

/* A problem whose arrays are on the device, and the arrays of the call. */
struct potts_job {
    gm_potts_problem p;
    gm_potts_arrays a;
};

/* ---- one chain, whatever runs it ------------------------------------------------------------- */

/* Where a chain's labels are: position `at` at labels[at * stride]. */
struct chain_view {
    uint8_t *labels;
    int64_t stride;
    const uint64_t *table; /* NULL: weights are computed */
    double beta;
    int32_t sign;
    uint64_t number;
};

/* What an update did: from a label to another, with that much more local field. */
struct move {
    int32_t from, to, gain;
};

__device__ inline uint64_t weight_of(const gm_potts_problem &p, const chain_view &c, uint32_t gap) {
    return c.table != nullptr ? c.table[gap] : gm_potts_weight(p.graph.quantum, c.beta, gap);
}

__device__ inline int32_t field_at(const gm_chain_graph &g, int32_t at, int32_t label) {
    return g.labels > 0 ? g.field[static_cast<int64_t>(at) * g.labels + label] : 0;
}

/* The local fields of all labels; loops over `most` labels keep the array in registers. */
template <int most>
__device__ inline void find_fields(const gm_potts_problem &p, const chain_view &c, int32_t at,
                                   int32_t *field) {
    const gm_chain_graph &g = p.graph;
#pragma unroll
    for (int32_t k = 0; k < (most == FEW_LABELS ? most : p.q); ++k) {
        field[k] = k < p.q ? field_at(g, at, k) : 0;
    }
    for (int32_t n = g.first[at]; n < g.first[at + 1]; ++n) {
        const int32_t label = c.labels[g.neighbour[n] * c.stride], coupling = g.coupling[n];
        if constexpr (most > FEW_LABELS) {
            field[label] += coupling;
        } else {
#pragma unroll
            for (int32_t k = 0; k < most; ++k) {
                field[k] += label == k ? coupling : 0;
            }
        }
    }
}

template <int most>
__device__ inline move draw_label(const gm_potts_problem &p, const chain_view &c, int32_t at,
                                  uint32_t word) {
    int32_t field[most];
    find_fields<most>(p, c, at, field);
    const int32_t labels = most == FEW_LABELS ? most : p.q;
    int32_t best = c.sign * field[0];
#pragma unroll
    for (int32_t k = 1; k < labels; ++k) {
        best = k < p.q ? max(best, c.sign * field[k]) : best;
    }
    uint64_t total = 0, sum = 0;
#pragma unroll
    for (int32_t k = 0; k < labels; ++k) {
        total += k < p.q ? weight_of(p, c, gm_potts_gap(best, c.sign * field[k])) : 0;
    }
    const uint64_t point = gm_potts_point(total, word);
    move m = {c.labels[at * c.stride], 0, 0};
    int32_t from = 0, to = field[0];
#pragma unroll
    for (int32_t k = 0; k < labels; ++k) {
        const bool passed = k < p.q && sum <= point;
        m.to = passed ? k : m.to;
        to = passed ? field[k] : to;
        from = k == m.from ? field[k] : from;
        sum += k < p.q ? weight_of(p, c, gm_potts_gap(best, c.sign * field[k])) : 0;
    }
    m.gain = to - from;
    return m;
}

__device__ inline move propose_label(const gm_potts_problem &p, const chain_view &c, int32_t at,
                                     uint32_t word) {
    const gm_chain_graph &g = p.graph;
    move m = {c.labels[at * c.stride], 0, 0};
    m.to = gm_potts_propose(p.q, m.from, word);
    m.gain = field_at(g, at, m.to) - field_at(g, at, m.from);
    for (int32_t n = g.first[at]; n < g.first[at + 1]; ++n) {
        const int32_t label = c.labels[g.neighbour[n] * c.stride];
        m.gain += label == m.to ? g.coupling[n] : label == m.from ? -g.coupling[n] : 0;
    }
    const int32_t aligned = c.sign * m.gain;
    const uint32_t gap = aligned < 0 ? static_cast<uint32_t>(-aligned) : 0;
    if (!gm_potts_accept(p.q, word, weight_of(p, c, gap))) {
        m.to = m.from;
        m.gain = 0;
    }
    return m;
}

template <int most>
__device__ inline move update_site(const gm_potts_problem &p, const chain_view &c, int32_t at,
                                   uint32_t word) {
    const move m = p.update == GM_POTTS_METROPOLIS ? propose_label(p, c, at, word)
                                                   : draw_label<most>(p, c, at, word);
    if (m.to != m.from) {
        c.labels[at * c.stride] = static_cast<uint8_t>(m.to);
    }
    return m;
}

/* Twice the energy of a position. */
__device__ inline long long energy_at(const gm_chain_graph &g, const chain_view &c, int32_t at) {
    const int32_t own = c.labels[at * c.stride];
    long long energy = -2ll * field_at(g, at, own);
    for (int32_t n = g.first[at]; n < g.first[at + 1]; ++n) {
        energy -= c.labels[g.neighbour[n] * c.stride] == own ? g.coupling[n] : 0;
    }
    return energy;
}

/* Copies the label of a position in; 0 if it is one. */
__device__ inline int load_site(const potts_job &job, const chain_view &c, int64_t chain,
                                int32_t at) {
    const int32_t site = job.p.graph.site[at];
    const int32_t x =
        site < 0 ? 0 : job.a.labels[chain * job.a.chain_stride + site * job.a.site_stride];
    const bool is_label = x < job.p.q;
    c.labels[at * c.stride] = static_cast<uint8_t>(is_label ? x : 0);
    return !is_label;
}

__device__ inline void store_site(const potts_job &job, const chain_view &c, int64_t chain,
                                  int32_t at) {
    const int32_t site = job.p.graph.site[at];
    if (site >= 0) {
        job.a.labels[chain * job.a.chain_stride + site * job.a.site_stride] =
            c.labels[at * c.stride];
    }
}

/* ---- a block a chain ------------------------------------------------------------------------- */

template <int most>
__device__ inline void sweep_colours(const potts_job &job, const chain_view &c, uint64_t sweep,
                                     potts_shared &shared, long long &energy, long long &flips) {
    const gm_chain_graph &g = job.p.graph;
    for (int32_t colour = 0; colour < g.colours; ++colour) {
        const int32_t last = g.colour[2 * colour + 1];
        const int32_t stride = static_cast<int32_t>(4 * blockDim.x);
        int32_t at = g.colour[2 * colour] + static_cast<int32_t>(4 * threadIdx.x);
        for (; at < last; at += stride) {
            const gm_words words = gm_ising_words(job.a.seed, c.number, sweep, g.blocks, at / 4);
            for (int32_t i = 0; i < 4 && at + i < last; ++i) {
                const move m =
                    update_site<most>(job.p, c, at + i, gm_word(words, static_cast<uint32_t>(i)));
                if (m.to != m.from) {
                    energy -= m.gain;
                    ++flips;
                    atomicAdd(&shared.count[m.from], -1);
                    atomicAdd(&shared.count[m.to], 1);
                }
            }
        }
        __syncthreads();
    }
}

/* The order parameter, in every thread; the counts have been published by a barrier. */
__device__ inline long long measure_order(const gm_potts_problem &p, potts_shared &shared) {
    long long most = 0;
    for (int32_t k = static_cast<int32_t>(threadIdx.x); k < p.q;
         k += static_cast<int32_t>(blockDim.x)) {
        most = shared.count[k] > most ? shared.count[k] : most;
    }
    return gm_potts_order(&p, gm_block_max(most, shared.reduce));
}

/* Counts the labels and adds up the energy, in every thread. */
__device__ inline long long measure_chain(const gm_chain_graph &g, const chain_view &c,
                                          potts_shared &shared) {
    long long twice = 0;
    for (int32_t at = static_cast<int32_t>(threadIdx.x); at < g.positions;
         at += static_cast<int32_t>(blockDim.x)) {
        if (g.site[at] >= 0) {
            twice += energy_at(g, c, at);
            atomicAdd(&shared.count[c.labels[at * c.stride]], 1);
        }
    }
    return gm_block_sum(twice, shared.reduce) / 2;
}

/* Returns the energy it ends with, if it is wanted, in every thread. */
template <int most>
__device__ inline long long run_sweeps(const potts_job &job, const chain_view &c,
                                       potts_shared &shared) {
    long long energy = measure_chain(job.p.graph, c, shared);
    long long order = measure_order(job.p, shared), flips = 0;
    for (int64_t s = 0; s < job.a.sweeps; ++s) {
        long long change = 0;
        sweep_colours<most>(job, c, job.a.first_sweep + static_cast<uint64_t>(s), shared, change,
                            flips);
        if (job.a.sums != nullptr || job.a.energy != nullptr) {
            const long long energy_before = energy, order_before = order;
            energy += gm_block_sum(change, shared.reduce);
            order = measure_order(job.p, shared);
            if (threadIdx.x == 0) {
                gm_potts_measure(shared.sums, energy_before, order_before, energy, order);
            }
        }
    }
    flips = gm_block_sum(flips, shared.reduce);
    if (threadIdx.x == 0) {
        gm_ising_add_product(shared.sums + 2 * GM_POTTS_FLIPS, flips, 1);
    }
    return energy;
}

template <bool resident, int most>
__global__ void __launch_bounds__(CHAIN_MOST_THREADS, coloured_blocks(most))
    potts_coloured(const GM_GRID_CONSTANT potts_job job) {
    GM_SHARED(potts_shared, shared);
    const gm_potts_problem &p = job.p;
    const int64_t chain = blockIdx.x;
    const int32_t rows = gm_potts_has_table(&p) ? static_cast<int32_t>(p.span) + 1 : 0;
    uint64_t *table = reinterpret_cast<uint64_t *>(&shared + 1);
    chain_view c;
    c.labels = resident ? reinterpret_cast<uint8_t *>(table + rows)
                        : static_cast<uint8_t *>(job.a.workspace) + chain * p.graph.positions;
    c.stride = 1;
    c.table = rows > 0 ? table : nullptr;
    c.beta = job.a.beta[chain * job.a.beta_stride];
    c.sign = gm_ising_sign(c.beta);
    c.number = job.a.first_chain + static_cast<uint64_t>(chain);
    const int32_t thread = static_cast<int32_t>(threadIdx.x);
    const int32_t threads = static_cast<int32_t>(blockDim.x);
    int bad = 0;
    for (int32_t at = thread; at < p.graph.positions; at += threads) {
        bad |= load_site(job, c, chain, at);
    }
    for (int32_t gap = thread; gap < rows; gap += threads) {
        table[gap] = gm_potts_weight(p.graph.quantum, c.beta, static_cast<uint32_t>(gap));
    }
    for (int32_t k = thread; k < 2 * GM_POTTS_SUMS; k += threads) {
        shared.sums[k] = 0;
    }
    for (int32_t k = thread; k < p.q; k += threads) {
        shared.count[k] = 0;
    }
    /* Its barriers publish the loops above as well. */
    const gm_status status =
        chain_status(c.beta, gm_block_sum(static_cast<long long>(bad), shared.reduce) != 0);
    long long energy = 0;
    if (status == GM_STATUS_OK) {
        energy = run_sweeps<most>(job, c, shared);
        for (int32_t at = thread; at < p.graph.positions; at += threads) {
            store_site(job, c, chain, at);
        }
    }
    if (threadIdx.x == 0) {
        gm_potts_store(&job.a, chain, status, shared.sums, energy);
    }
}

/* ---- a thread a chain ------------------------------------------------------------------------ */

template <int most>
__device__ inline long long order_of(const gm_potts_problem &p, const int32_t *count) {
    long long largest = 0;
#pragma unroll
    for (int32_t k = 0; k < (most == FEW_LABELS ? most : p.q); ++k) {
        largest = count[k] > largest ? count[k] : largest;
    }
    return gm_potts_order(&p, largest);
}

/* In registers where `most` is small, so every label is compared. */
template <int most> __device__ inline void count_label(int32_t *count, int32_t label, int32_t by) {
    if constexpr (most > FEW_LABELS) {
        count[label] += by;
    } else {
#pragma unroll
        for (int32_t k = 0; k < most; ++k) {
            count[k] += label == k ? by : 0;
        }
    }
}

/* Returns the energy it ends with. */
template <int most>
__device__ inline long long run_alone(const potts_job &job, const chain_view &c, uint64_t *sums) {
    const gm_chain_graph &g = job.p.graph;
    int32_t count[most] = {0};
    long long energy = 0, flips = 0;
    for (int32_t at = 0; at < g.positions; ++at) {
        energy += energy_at(g, c, at);
        count_label<most>(count, c.labels[at * c.stride], 1);
    }
    energy /= 2;
    for (int64_t s = 0; s < job.a.sweeps; ++s) {
        const uint64_t sweep = job.a.first_sweep + static_cast<uint64_t>(s);
        const long long energy_before = energy, order_before = order_of<most>(job.p, count);
        gm_words words = {0, 0, 0, 0};
        for (int32_t k = 0; k < g.free_sites; ++k) {
            if (k % 4 == 0) {
                words = gm_ising_words(job.a.seed, c.number, sweep, g.blocks, k / 4);
            }
            const int32_t at =
                job.p.order == GM_ISING_RANDOM
                    ? gm_ising_choose(job.a.seed, c.number, sweep, g.blocks, k, g.free_sites)
                    : k;
            const move m =
                update_site<most>(job.p, c, at, gm_word(words, static_cast<uint32_t>(k) % 4));
            if (m.to != m.from) {
                energy -= m.gain;
                ++flips;
                count_label<most>(count, m.from, -1);
                count_label<most>(count, m.to, 1);
            }
        }
        if (job.a.sums != nullptr) {
            gm_potts_measure(sums, energy_before, order_before, energy,
                             order_of<most>(job.p, count));
        }
    }
    gm_ising_add_product(sums + 2 * GM_POTTS_FLIPS, flips, 1);
    return energy;
}

template <int most>
__global__ void __launch_bounds__(SEQUENTIAL_THREADS, SEQUENTIAL_BLOCKS)
    potts_sequential(const GM_GRID_CONSTANT potts_job job) {
    const int64_t chain = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (chain >= job.a.chains) {
        return;
    }
    const gm_chain_graph &g = job.p.graph;
    chain_view c;
    c.labels = static_cast<uint8_t *>(job.a.workspace) + chain;
    c.stride = job.a.chains;
    c.table = nullptr;
    c.beta = job.a.beta[chain * job.a.beta_stride];
    c.sign = gm_ising_sign(c.beta);
    c.number = job.a.first_chain + static_cast<uint64_t>(chain);
    int bad = 0;
    for (int32_t at = 0; at < g.positions; ++at) {
        bad |= load_site(job, c, chain, at);
    }
    uint64_t sums[2 * GM_POTTS_SUMS] = {0};
    const gm_status status = chain_status(c.beta, bad != 0);
    long long energy = 0;
    if (status == GM_STATUS_OK) {
        energy = run_alone<most>(job, c, sums);
        for (int32_t at = 0; at < g.positions; ++at) {
            store_site(job, c, chain, at);
        }
    }
    gm_potts_store(&job.a, chain, status, sums, energy);
}

/* ---- the plan -------------------------------------------------------------------------------- */

typedef void (*potts_kernel)(const potts_job);

struct potts_plan {
    gm_potts_problem problem; /* its arrays on the device */
    void *memory = nullptr;
    size_t shared_bytes = 0;
    unsigned threads = 0;
    bool resident = false;
};

potts_kernel coloured_kernel(bool resident, bool few) {
    return resident ? (few ? potts_coloured<true, FEW_LABELS>
                           : potts_coloured<true, GM_POTTS_MOST_LABELS>)
                    : (few ? potts_coloured<false, FEW_LABELS>
                           : potts_coloured<false, GM_POTTS_MOST_LABELS>);
}

/* Whether the labels fit beside the table, and the kernel's permission to use as much. */
gm_status choose_memory(gm_call *call, const gm_potts_problem &p, potts_plan *plan) {
    const size_t rows = gm_potts_has_table(&p) ? static_cast<size_t>(p.span) + 1 : 0;
    return chain_memory(call, coloured_kernel(true, p.q <= FEW_LABELS),
                        sizeof(potts_shared) + rows * sizeof(uint64_t),
                        static_cast<size_t>(p.graph.positions), &plan->resident,
                        &plan->shared_bytes);
}

} // namespace

gm_status potts_prepare(gm_call *call, const gm_potts_problem *problem, void **state) {
    potts_plan *plan = chain_plan<potts_plan>(call, state);
    if (plan == nullptr) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    plan->problem = *problem;
    plan->threads = chain_block(problem->graph, 4);
    const gm_status status = choose_memory(call, *problem, plan);
    return status == GM_STATUS_OK ? chain_copy(call, problem->graph, problem->graph.labels,
                                               &plan->problem.graph, &plan->memory)
                                  : status;
}

size_t potts_workspace(gm_call *call, const gm_potts_problem *problem, void *state,
                       int64_t chains) {
    (void)call;
    const potts_plan &plan = *static_cast<const potts_plan *>(state);
    const bool is_used = problem->order != GM_ISING_COLOURED || !plan.resident;
    return is_used ? static_cast<size_t>(chains) * static_cast<size_t>(problem->graph.positions)
                   : 0;
}

gm_status potts_run(gm_call *call, const gm_potts_problem *problem, void *state,
                    const gm_potts_arrays *arrays) {
    const potts_plan &plan = *static_cast<const potts_plan *>(state);
    const potts_job job = {plan.problem, *arrays};
    const bool coloured = problem->order == GM_ISING_COLOURED, few = problem->q <= FEW_LABELS;
    const int64_t blocks =
        coloured ? arrays->chains : (arrays->chains + SEQUENTIAL_THREADS - 1) / SEQUENTIAL_THREADS;
    if (blocks > 0x7fffffff) {
        return gm_call_fail(call, GM_STATUS_UNSUPPORTED, "%lld chains: too many for one call",
                            static_cast<long long>(arrays->chains));
    }
    const unsigned grid = static_cast<unsigned>(blocks);
    const potts_kernel kernel = coloured ? coloured_kernel(plan.resident, few)
                                : few    ? potts_sequential<FEW_LABELS>
                                         : potts_sequential<GM_POTTS_MOST_LABELS>;
    call->kernel = !coloured       ? "potts_sequential"
                   : plan.resident ? "potts_coloured_resident"
                                   : "potts_coloured_global";
    GM_LAUNCH(kernel, grid, coloured ? plan.threads : SEQUENTIAL_THREADS,
              coloured ? plan.shared_bytes : 0, stream_of(call), job);
    return check_cuda(call, cudaGetLastError(), "potts kernel launch");
}

void potts_release(gm_call *call, void *state) {
    (void)call;
    potts_plan *plan = static_cast<potts_plan *>(state);
    if (plan->memory != nullptr) {
        (void)cudaFree(plan->memory);
    }
    delete plan;
}

} // namespace gm
