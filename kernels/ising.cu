/*
 * gm_ising_run: sweeps of Ising chains; include/genmath/ising.h has the model, host/ising_args.h
 * the decisions, which are integers, so that the spins are those of the CPU to the bit.
 *
 * Layout: a site lives at a position, the positions of a colour are contiguous and begin at a
 * multiple of four. Spins are bytes by position; neighbours, couplings and fields are 32-bit
 * integers by position, the same for all chains, which is why they stay in the caches.
 *
 * Parallelised:
 *   ising_coloured    a block a chain, for all its sweeps. A thread owns the four positions of one
 *                     Philox block at a time; a barrier after each colour. Energy and magnetisation
 *                     follow from the flips and are added over the block once a sweep, in integers.
 *                     resident: the spins stay in shared memory; else they are in the workspace.
 *                     A run in several calls leaves them there by position, with their energy.
 *   ising_sequential  RANDOM and RASTER: a thread a chain; spins in the workspace, the chains of a
 *                     position side by side.
 *   ising_sites       few chains of a large graph: a launch a colour, all the positions of all
 *                     chains at once; ising_sites.cu.
 *
 * Shared memory: ising_shared, then the table of thresholds (4 (reach + 1) bytes, if there is one:
 * made by the block from its chain's beta), then the resident spins (1 byte each).
 *
 * Numerical choices: probabilities in double, once for an entry of the table; where the fields
 * reach too far for a table, once for an update.
 *
 * Versions: (1) this one. Not yet timed on a GPU.
 */
#include "kernels/block.cuh"
#include "kernels/ising_chain.cuh"
#include "kernels/module.cuh"

namespace gm {
namespace {

constexpr unsigned SEQUENTIAL_THREADS = 64;

struct ising_shared {
    gm_block_reduce_shared<long long> reduce;
    uint64_t sums[2 * GM_ISING_SUMS];
};

/* What a chain leaves for the call that resumes. */
struct held_chain {
    totals now;
    long long bad;
};

/* Behind the spins of all chains in the workspace. */
__host__ __device__ inline size_t held_at(const gm_ising_problem &p, int64_t chains) {
    return (static_cast<size_t>(chains) * static_cast<size_t>(p.positions) + 7) / 8 * 8;
}

__device__ inline held_chain &held_of(const ising_job &job, int64_t chain) {
    char *memory = static_cast<char *>(job.a.workspace) + held_at(job.p, job.a.chains);
    return reinterpret_cast<held_chain *>(memory)[chain];
}

/* ---- a block a chain ------------------------------------------------------------------------- */

__device__ inline void sweep_colours(const ising_job &job, const chain_view &c, uint64_t sweep,
                                     totals &change, long long &flips) {
    const gm_ising_problem &p = job.p;
    for (int32_t colour = 0; colour < p.colours; ++colour) {
        const int32_t last = p.colour[2 * colour + 1];
        const int32_t stride = static_cast<int32_t>(4 * blockDim.x);
        int32_t at = p.colour[2 * colour] + static_cast<int32_t>(4 * threadIdx.x);
        for (; at < last; at += stride) {
            const gm_words words = gm_ising_words(job.a.seed, c.number, sweep, p.blocks, at / 4);
            for (int32_t i = 0; i < 4 && at + i < last; ++i) {
                update_site(p, c, at + i, gm_word(words, static_cast<uint32_t>(i)), change, flips);
            }
        }
        __syncthreads();
    }
}

/* Energy and magnetisation of the chain, in every thread. */
__device__ inline totals measure_chain(const gm_ising_problem &p, const chain_view &c,
                                       ising_shared &shared) {
    totals sum = {0, 0};
    for (int32_t at = static_cast<int32_t>(threadIdx.x); at < p.positions;
         at += static_cast<int32_t>(blockDim.x)) {
        if (p.site[at] >= 0) {
            add_site(p, c, at, sum);
        }
    }
    sum.energy = gm_block_sum(sum.energy, shared.reduce) / 2;
    sum.magnetisation = gm_block_sum(sum.magnetisation, shared.reduce);
    return sum;
}

/* Returns energy and magnetisation after the last sweep, in every thread. */
__device__ inline totals run_sweeps(const ising_job &job, const chain_view &c, totals now,
                                    ising_shared &shared) {
    totals change = {0, 0}; /* since `now` */
    long long flips = 0;
    for (int64_t s = 0; s < job.a.sweeps; ++s) {
        sweep_colours(job, c, job.a.first_sweep + static_cast<uint64_t>(s), change, flips);
        if (job.a.sums != nullptr) {
            const totals before = now;
            now.energy += gm_block_sum(change.energy, shared.reduce);
            now.magnetisation += gm_block_sum(change.magnetisation, shared.reduce);
            change = {0, 0};
            if (threadIdx.x == 0) {
                gm_ising_measure(shared.sums, before.energy, before.magnetisation, now.energy,
                                 now.magnetisation);
            }
        }
    }
    flips = gm_block_sum(flips, shared.reduce);
    if (threadIdx.x == 0) {
        gm_ising_add_product(shared.sums + 2 * GM_ISING_FLIPS, flips, 1);
    }
    now.energy += gm_block_sum(change.energy, shared.reduce);
    now.magnetisation += gm_block_sum(change.magnetisation, shared.reduce);
    return now;
}

/* The spins of a chain that is resumed, or those of the user; not 0 if one of them is none. The
 * caller has the barrier. */
template <bool resident>
__device__ inline int open_chain(const ising_job &job, const chain_view &c, int64_t chain) {
    const int32_t step = static_cast<int32_t>(blockDim.x);
    const int8_t *held = static_cast<const int8_t *>(job.a.workspace) + chain * job.p.positions;
    int bad = 0;
    for (int32_t at = static_cast<int32_t>(threadIdx.x); at < job.p.positions; at += step) {
        if (job.a.resumes == 0) {
            bad |= load_site(job, c, chain, at);
        } else if (resident) {
            c.spins[at] = held[at];
        }
    }
    if (job.a.resumes != 0) {
        bad = held_of(job, chain).bad != 0;
    }
    return bad;
}

/* Keeps the chain, or writes the spins of a good one back. */
template <bool resident>
__device__ inline void close_chain(const ising_job &job, const chain_view &c, int64_t chain,
                                   gm_status status, bool bad, totals now) {
    const int32_t step = static_cast<int32_t>(blockDim.x);
    int8_t *held = static_cast<int8_t *>(job.a.workspace) + chain * job.p.positions;
    for (int32_t at = static_cast<int32_t>(threadIdx.x); at < job.p.positions; at += step) {
        if (job.a.holds == 0 && status == GM_STATUS_OK) {
            store_site(job, c, chain, at);
        } else if (job.a.holds != 0 && resident) {
            held[at] = c.spins[at];
        }
    }
    if (job.a.holds != 0 && threadIdx.x == 0) {
        held_of(job, chain) = {now, bad};
    }
}

template <bool resident>
__global__ void __launch_bounds__(CHAIN_MOST_THREADS)
    ising_coloured(const GM_GRID_CONSTANT ising_job job) {
    GM_SHARED(ising_shared, shared);
    const gm_ising_problem &p = job.p;
    const int64_t chain = blockIdx.x;
    const int32_t rows = gm_ising_rows(&p, job.a.sweeps);
    uint32_t *table = reinterpret_cast<uint32_t *>(&shared + 1);
    chain_view c;
    c.spins = resident ? reinterpret_cast<int8_t *>(table + rows)
                       : static_cast<int8_t *>(job.a.workspace) + chain * p.positions;
    c.stride = 1;
    c.table = rows > 0 ? table : nullptr;
    c.beta = job.a.beta[chain * job.a.beta_stride];
    c.sign = gm_ising_sign(c.beta);
    c.number = job.a.first_chain + static_cast<uint64_t>(chain);
    const int32_t thread = static_cast<int32_t>(threadIdx.x);
    const int32_t threads = static_cast<int32_t>(blockDim.x);
    const int bad_here = open_chain<resident>(job, c, chain);
    for (int32_t f = thread; f < rows; f += threads) {
        table[f] = gm_ising_threshold(p.update, p.log_odds, c.beta, f);
    }
    for (int32_t k = thread; k < 2 * GM_ISING_SUMS; k += threads) {
        shared.sums[k] = 0;
    }
    /* Its barriers publish the three loops above as well. */
    const bool bad = gm_block_sum(static_cast<long long>(bad_here), shared.reduce) != 0;
    const gm_status status = chain_status(c.beta, bad);
    totals now = {0, 0};
    if (status == GM_STATUS_OK) {
        now = job.a.resumes != 0 ? held_of(job, chain).now : measure_chain(p, c, shared);
        now = run_sweeps(job, c, now, shared);
    }
    close_chain<resident>(job, c, chain, status, bad, now);
    if (threadIdx.x == 0) {
        gm_ising_store(&job.a, chain, status, shared.sums, now.energy);
    }
}

/* ---- a thread a chain ------------------------------------------------------------------------ */

__device__ inline int32_t position_of(const ising_job &job, uint64_t chain, uint64_t sweep,
                                      int32_t number) {
    return job.p.order == GM_ISING_RANDOM
               ? gm_ising_choose(job.a.seed, chain, sweep, job.p.blocks, number, job.p.free_sites)
               : number;
}

/* Returns the energy after the last sweep. */
__device__ inline int64_t run_alone(const ising_job &job, const chain_view &c, uint64_t *sums) {
    const gm_ising_problem &p = job.p;
    totals now = {0, 0};
    for (int32_t at = 0; at < p.positions; ++at) {
        add_site(p, c, at, now);
    }
    now.energy /= 2;
    long long flips = 0;
    for (int64_t s = 0; s < job.a.sweeps; ++s) {
        const uint64_t sweep = job.a.first_sweep + static_cast<uint64_t>(s);
        const totals before = now;
        gm_words words = {0, 0, 0, 0};
        for (int32_t k = 0; k < p.free_sites; ++k) {
            if (k % 4 == 0) {
                words = gm_ising_words(job.a.seed, c.number, sweep, p.blocks, k / 4);
            }
            update_site(p, c, position_of(job, c.number, sweep, k),
                        gm_word(words, static_cast<uint32_t>(k) % 4), now, flips);
        }
        gm_ising_measure(sums, before.energy, before.magnetisation, now.energy, now.magnetisation);
    }
    gm_ising_add_product(sums + 2 * GM_ISING_FLIPS, flips, 1);
    return now.energy;
}

__global__ void __launch_bounds__(SEQUENTIAL_THREADS)
    ising_sequential(const GM_GRID_CONSTANT ising_job job) {
    const int64_t chain = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (chain >= job.a.chains) {
        return;
    }
    chain_view c;
    c.spins = static_cast<int8_t *>(job.a.workspace) + chain;
    c.stride = job.a.chains;
    c.table = nullptr;
    c.beta = job.a.beta[chain * job.a.beta_stride];
    c.sign = gm_ising_sign(c.beta);
    c.number = job.a.first_chain + static_cast<uint64_t>(chain);
    int bad = 0;
    for (int32_t at = 0; at < job.p.positions; ++at) {
        bad |= load_site(job, c, chain, at);
    }
    uint64_t sums[2 * GM_ISING_SUMS] = {0};
    const gm_status status = chain_status(c.beta, bad != 0);
    int64_t energy = 0;
    if (status == GM_STATUS_OK) {
        energy = run_alone(job, c, sums);
        for (int32_t at = 0; at < job.p.positions; ++at) {
            store_site(job, c, chain, at);
        }
    }
    gm_ising_store(&job.a, chain, status, sums, energy);
}

/* ---- the plan -------------------------------------------------------------------------------- */

struct ising_plan {
    gm_ising_problem problem; /* its arrays on the device */
    void *memory = nullptr;
    size_t shared_bytes = 0;
    unsigned threads = 0;
    bool resident = false;
    int processors = 1; /* multiprocessors of the device */
};

/* Whether the spins fit beside the table, and the kernel's permission to use as much. */
gm_status choose_memory(gm_call *call, const gm_ising_problem &p, ising_plan *plan) {
    const size_t rows = p.reach <= GM_ISING_TABLE_REACH ? static_cast<size_t>(p.reach) + 1 : 0;
    const size_t fixed = sizeof(ising_shared) + rows * sizeof(uint32_t);
    const gm_status status = check_cuda(
        call,
        cudaDeviceGetAttribute(&plan->processors, cudaDevAttrMultiProcessorCount, call->device),
        "cudaDeviceGetAttribute");
    return status == GM_STATUS_OK
               ? chain_memory(call, ising_coloured<true>, fixed, static_cast<size_t>(p.positions),
                              &plan->resident, &plan->shared_bytes)
               : status;
}

/* ---- which kernel ---------------------------------------------------------------------------- */

constexpr int32_t FEWEST_POSITIONS = 1 << 15; /* a colour is tens of blocks: worth its launch */

bool is_sequential(const gm_ising_problem &p, const ising_plan &, int64_t) {
    return p.order != GM_ISING_COLOURED;
}

/* A block a chain would leave half of the device idle. */
bool has_few_chains(const gm_ising_problem &p, const ising_plan &plan, int64_t chains) {
    return p.positions >= FEWEST_POSITIONS && 2 * chains <= plan.processors;
}

bool is_resident(const gm_ising_problem &, const ising_plan &plan, int64_t) {
    return plan.resident;
}

bool is_any(const gm_ising_problem &, const ising_plan &, int64_t) {
    return true;
}

size_t spin_bytes(const gm_ising_problem &p, int64_t chains) {
    return static_cast<size_t>(chains) * static_cast<size_t>(p.positions);
}

/* Of COLOURED: what chains hold from call to call, if they do, else the spins that are not
 * resident. */
size_t held_bytes(const gm_ising_problem &p, int64_t chains) {
    return held_at(p, chains) + static_cast<size_t>(chains) * sizeof(held_chain);
}

size_t resident_bytes(const gm_ising_problem &p, int64_t chains) {
    return p.keeps != 0 ? held_bytes(p, chains) : 0;
}

size_t global_bytes(const gm_ising_problem &p, int64_t chains) {
    return p.keeps != 0 ? held_bytes(p, chains) : spin_bytes(p, chains);
}

gm_status launched(gm_call *call) {
    return check_cuda(call, cudaGetLastError(), "ising kernel launch");
}

gm_status run_sequential(gm_call *call, const gm_ising_problem &, const ising_plan &,
                         const ising_job &job) {
    const int64_t blocks = (job.a.chains + SEQUENTIAL_THREADS - 1) / SEQUENTIAL_THREADS;
    GM_LAUNCH(ising_sequential, static_cast<unsigned>(blocks), SEQUENTIAL_THREADS, 0,
              stream_of(call), job);
    return launched(call);
}

gm_status run_sites(gm_call *call, const gm_ising_problem &p, const ising_plan &,
                    const ising_job &job) {
    return ising_sites_run(call, p.colour, job);
}

template <bool resident>
gm_status run_coloured(gm_call *call, const gm_ising_problem &, const ising_plan &plan,
                       const ising_job &job) {
    GM_LAUNCH((ising_coloured<resident>), static_cast<unsigned>(job.a.chains), plan.threads,
              plan.shared_bytes, stream_of(call), job);
    return launched(call);
}

struct ising_row {
    const char *kernel;
    bool (*can)(const gm_ising_problem &p, const ising_plan &plan, int64_t chains);
    size_t (*workspace)(const gm_ising_problem &p, int64_t chains);
    /* p: its arrays on the host, those of the job on the device */
    gm_status (*run)(gm_call *call, const gm_ising_problem &p, const ising_plan &plan,
                     const ising_job &job);
};

/* The first that can. */
const ising_row rows[] = {
    {"ising_sequential", is_sequential, spin_bytes, run_sequential},
    {"ising_sites", has_few_chains, ising_sites_workspace, run_sites},
    {"ising_coloured_resident", is_resident, resident_bytes, run_coloured<true>},
    {"ising_coloured_global", is_any, global_bytes, run_coloured<false>},
};

const ising_row &choose(const gm_ising_problem &p, const ising_plan &plan, int64_t chains) {
    const ising_row *row = rows;
    while (!row->can(p, plan, chains)) {
        ++row;
    }
    return *row;
}

} // namespace

gm_status ising_prepare(gm_call *call, const gm_ising_problem *problem, void **state) {
    ising_plan *plan = chain_plan<ising_plan>(call, state);
    if (plan == nullptr) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    plan->problem = *problem;
    plan->threads = chain_block(*problem, 4);
    const gm_status status = choose_memory(call, *problem, plan);
    return status == GM_STATUS_OK ? chain_copy(call, *problem, 1, &plan->problem, &plan->memory)
                                  : status;
}

size_t ising_workspace(gm_call *call, const gm_ising_problem *problem, void *state,
                       int64_t chains) {
    (void)call;
    const ising_plan &plan = *static_cast<const ising_plan *>(state);
    return choose(*problem, plan, chains).workspace(*problem, chains);
}

gm_status ising_run(gm_call *call, const gm_ising_problem *problem, void *state,
                    const gm_ising_arrays *arrays) {
    const ising_plan &plan = *static_cast<const ising_plan *>(state);
    const ising_row &row = choose(*problem, plan, arrays->chains);
    if (arrays->chains > 0x7fffffff) {
        return gm_call_fail(call, GM_STATUS_UNSUPPORTED, "%lld chains: too many for one call",
                            static_cast<long long>(arrays->chains));
    }
    call->kernel = row.kernel;
    return row.run(call, *problem, plan, {plan.problem, *arrays});
}

void ising_release(gm_call *call, void *state) {
    (void)call;
    ising_plan *plan = static_cast<ising_plan *>(state);
    if (plan->memory != nullptr) {
        (void)cudaFree(plan->memory);
    }
    delete plan;
}

} // namespace gm
