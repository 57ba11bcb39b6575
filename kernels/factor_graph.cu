/*
 * gm_factor_graph_run: Gibbs sampling of factor graphs; include/genmath/factor_graph.h has the
 * model, host/factor_graph_args.h the decisions, which are integers, so that the labels are those
 * of the CPU to the bit.
 *
 * Layout: a variable lives at a position, the positions of a colour are contiguous and begin at an
 * even one. Labels are bytes by position; tables are 64-bit integers, the same for all chains.
 *
 * Parallelised:
 *   factor_coloured    a block a chain, for all its sweeps. A thread owns the two positions of one
 *                      Philox block at a time; a barrier after each colour. resident: the labels
 *                      stay in shared memory; else they are in the workspace.
 *   factor_sequential  RANDOM and RASTER: a thread a chain; labels in the workspace, the chains of
 *                      a position side by side.
 *   factor_zero        the counts, before the chains.
 *
 * Shared memory: factor_shared, then the resident labels (1 byte each).
 *
 * Numerical choices: a variable's sums over its factors are made for eight labels at a time, in
 * registers; with more labels they are made again for each of the three passes (the likeliest, the
 * total, the choice) instead of being stored. Exponentials in double: they become integers of 53
 * bits.
 *
 * Versions: (1) this one. Not yet timed on a GPU.
 */
#include "host/factor_graph_args.h"
#include "kernels/block.cuh"
#include "kernels/chain_graph.cuh"
#include "kernels/module.cuh"

namespace gm {
namespace {

constexpr unsigned SEQUENTIAL_THREADS = 64;
constexpr int CHUNK = 8; /* labels whose sums are in registers */

/* Blocks of a multiprocessor that a kernel leaves room for: the most that it can without keeping
 * registers in local memory. The compiler would do that to make room for more. */
constexpr int COLOURED_BLOCKS = 2, SEQUENTIAL_BLOCKS = 8;

struct factor_shared {
    gm_block_reduce_shared<long long> reduce;
};

/* A problem whose arrays are on the device, and the arrays of the call. */
struct factor_job {
    gm_factor_problem p;
    gm_factor_arrays a;
};

/* ---- one chain, whatever runs it ------------------------------------------------------------- */

/* Where a chain's labels are: position `at` at labels[at * stride]. */
struct chain_view {
    uint8_t *labels;
    int64_t stride;
    double beta, scale;
    int64_t chain;
    uint64_t number;
};

__device__ inline int64_t entry_of(const gm_factor_problem &p, const chain_view &c,
                                   int32_t factor) {
    int64_t index = p.base[factor];
    const int32_t end = p.first_member[factor + 1];
    for (int32_t k = p.first_member[factor]; k < end; ++k) {
        const gm_factor_member member = p.member[k];
        index += static_cast<int64_t>(member.step) * c.labels[member.place * c.stride];
    }
    return index;
}

/* The sums of labels first to first + CHUNK - 1; forbidden beyond the last label. */
__device__ inline void sum_chunk(const gm_factor_problem &p, const chain_view &c, int32_t at,
                                 int32_t first, int64_t (&sums)[CHUNK]) {
    const int32_t count = p.cardinality[at] - first, last = p.first[at + 1];
    GM_UNROLL
    for (int i = 0; i < CHUNK; ++i) {
        sums[i] = i < count ? 0 : GM_FACTOR_FORBIDDEN;
    }
    for (int32_t l = p.first[at]; l < last; ++l) {
        const gm_factor_link link = p.link[l];
        const int64_t own = first - static_cast<int64_t>(c.labels[at * c.stride]);
        const int64_t *entry = p.table + entry_of(p, c, link.factor) + own * link.step;
        GM_UNROLL
        for (int i = 0; i < CHUNK; ++i) {
            if (i < count) {
                sums[i] = gm_factor_add(sums[i], entry[static_cast<int64_t>(i) * link.step]);
            }
        }
    }
}

/* The sums of a chunk become weights; returns their total. */
__device__ inline uint64_t weigh_chunk(int64_t (&sums)[CHUNK], int64_t likeliest, double scale) {
    uint64_t total = 0;
    GM_UNROLL
    for (int i = 0; i < CHUNK; ++i) {
        const uint64_t weight = gm_factor_weight(sums[i], likeliest, scale);
        sums[i] = static_cast<int64_t>(weight);
        total += weight;
    }
    return total;
}

/* Draws the label of a position anew; false if none is possible. */
__device__ inline bool draw_label(const gm_factor_problem &p, const chain_view &c, int32_t at,
                                  uint64_t random) {
    const int32_t cardinality = p.cardinality[at];
    const bool once = cardinality <= CHUNK;
    int64_t sums[CHUNK], likeliest = GM_FACTOR_FORBIDDEN;
    for (int32_t first = 0; first < cardinality; first += CHUNK) {
        sum_chunk(p, c, at, first, sums);
        GM_UNROLL
        for (int i = 0; i < CHUNK; ++i) {
            likeliest = gm_factor_likelier(likeliest, sums[i], c.beta);
        }
    }
    if (likeliest == GM_FACTOR_FORBIDDEN) {
        return false;
    }
    uint64_t total = 0, below = 0;
    for (int32_t first = 0; first < cardinality; first += CHUNK) {
        if (!once) {
            sum_chunk(p, c, at, first, sums);
        }
        total += weigh_chunk(sums, likeliest, c.scale);
    }
    const uint64_t target = gm_factor_target(total, random);
    int32_t label = 0;
    for (int32_t first = 0; first < cardinality; first += CHUNK) {
        if (!once) {
            sum_chunk(p, c, at, first, sums);
            (void)weigh_chunk(sums, likeliest, c.scale);
        }
        GM_UNROLL
        for (int i = 0; i < CHUNK; ++i) {
            below += static_cast<uint64_t>(sums[i]);
            label += below <= target;
        }
    }
    c.labels[at * c.stride] = static_cast<uint8_t>(label);
    return true;
}

/* Copies the label of a position in; 1 if it is none, and then 0 is put there. */
__device__ inline int load_label(const factor_job &job, const chain_view &c, int32_t at) {
    const int32_t variable = job.p.variable[at];
    int32_t x = 0;
    if (variable >= 0) {
        x = job.a.labels[c.chain * job.a.chain_stride + variable * job.a.variable_stride];
    }
    const bool bad = variable >= 0 && x >= job.p.cardinality[at];
    c.labels[at * c.stride] = static_cast<uint8_t>(bad ? 0 : x);
    return bad;
}

__device__ inline void store_label(const factor_job &job, const chain_view &c, int32_t at) {
    const int32_t variable = job.p.variable[at];
    if (variable >= 0) {
        job.a.labels[c.chain * job.a.chain_stride + variable * job.a.variable_stride] =
            c.labels[at * c.stride];
    }
}

/* Counts the label of a position. */
__device__ inline void count_label(const factor_job &job, const chain_view &c, int32_t at) {
    if (job.p.variable[at] < 0) {
        return;
    }
    const int64_t column = job.p.state[at] + c.labels[at * c.stride];
    uint64_t *count =
        job.a.counts + c.chain * job.a.count_chain_stride + column * job.a.count_stride;
    if (job.a.reduced) {
        atomicAdd(reinterpret_cast<unsigned long long *>(count), 1ull);
    } else {
        *count += 1;
    }
}

__device__ inline void store_potential(const factor_job &job, const chain_view &c, int64_t sweep,
                                       double value) {
    job.a.log_potential[c.chain * job.a.potential_stride[0] + sweep * job.a.potential_stride[1]] =
        value;
}

__device__ inline chain_view view_of(const factor_job &job, int64_t chain, uint8_t *labels,
                                     int64_t stride) {
    chain_view c;
    c.labels = labels;
    c.stride = stride;
    c.beta = job.a.beta[chain * job.a.beta_stride];
    c.scale = gm_abs_f64(c.beta) * job.p.quantum;
    c.chain = chain;
    c.number = job.a.first_chain + static_cast<uint64_t>(chain);
    return c;
}

__device__ inline gm_status status_of(const factor_job &job, const chain_view &c, bool bad) {
    return !gm_factor_beta_is_fine(&job.p, c.beta) ? GM_STATUS_NON_FINITE
           : bad                                   ? GM_STATUS_INVALID_ARGUMENT
                                                   : GM_STATUS_OK;
}

__device__ inline void store_status(const factor_job &job, const chain_view &c, gm_status status) {
    if (job.a.status != nullptr) {
        job.a.status[c.chain * job.a.status_stride] = status;
    }
}

/* ---- a block a chain ------------------------------------------------------------------------- */

/* Returns whether this thread met a variable without a possible label. */
__device__ inline bool sweep_colours(const factor_job &job, const chain_view &c, uint64_t sweep) {
    const gm_factor_problem &p = job.p;
    bool stuck = false;
    for (int32_t colour = 0; colour < p.colours; ++colour) {
        const int32_t last = p.colour[2 * colour + 1];
        const int32_t stride = static_cast<int32_t>(2 * blockDim.x);
        int32_t at = p.colour[2 * colour] + static_cast<int32_t>(2 * threadIdx.x);
        for (; at < last; at += stride) {
            const gm_words words = gm_factor_words(job.a.seed, c.number, sweep, p.blocks, at / 2);
            for (int32_t i = 0; i < 2 && at + i < last; ++i) {
                stuck |= !draw_label(p, c, at + i, gm_factor_random(words, i));
            }
        }
        __syncthreads();
    }
    return stuck;
}

/* What the state after a sweep adds to the results. Ends with a barrier. */
__device__ inline void measure_block(const factor_job &job, const chain_view &c, int64_t sweep,
                                     factor_shared &shared) {
    const int32_t thread = static_cast<int32_t>(threadIdx.x);
    const int32_t threads = static_cast<int32_t>(blockDim.x);
    if (job.a.counts != nullptr) {
        for (int32_t at = thread; at < job.p.positions; at += threads) {
            count_label(job, c, at);
        }
    }
    if (job.a.log_potential != nullptr) {
        long long sum = 0, forbidden = 0;
        for (int32_t f = thread; f < job.p.factors; f += threads) {
            const int64_t theta = job.p.table[entry_of(job.p, c, f)];
            forbidden += theta == GM_FACTOR_FORBIDDEN;
            sum += theta == GM_FACTOR_FORBIDDEN ? 0 : theta;
        }
        sum = gm_block_sum(sum, shared.reduce);
        forbidden = gm_block_sum(forbidden, shared.reduce);
        if (thread == 0) {
            store_potential(job, c, sweep,
                            gm_factor_potential(&job.p, forbidden > 0 ? GM_FACTOR_FORBIDDEN : sum));
        }
    }
    __syncthreads();
}

__device__ inline gm_status run_block(const factor_job &job, const chain_view &c, gm_status status,
                                      factor_shared &shared) {
    bool runs = status == GM_STATUS_OK;
    for (int64_t s = 0; s < job.a.sweeps; ++s) {
        if (runs) {
            const bool stuck = sweep_colours(job, c, job.a.first_sweep + static_cast<uint64_t>(s));
            if (__syncthreads_or(stuck)) {
                status = GM_STATUS_NON_FINITE;
                runs = false;
            }
        }
        if (runs) {
            measure_block(job, c, s, shared);
        } else if (job.a.log_potential != nullptr && threadIdx.x == 0) {
            store_potential(job, c, s, GM_NAN_F64);
        }
    }
    return status;
}

template <bool resident>
__global__ void __launch_bounds__(CHAIN_MOST_THREADS, COLOURED_BLOCKS)
    factor_coloured(const GM_GRID_CONSTANT factor_job job) {
    GM_SHARED(factor_shared, shared);
    const gm_factor_problem &p = job.p;
    const int64_t chain = blockIdx.x;
    uint8_t *labels = resident ? reinterpret_cast<uint8_t *>(&shared + 1)
                               : static_cast<uint8_t *>(job.a.workspace) + chain * p.positions;
    const chain_view c = view_of(job, chain, labels, 1);
    const int32_t thread = static_cast<int32_t>(threadIdx.x);
    const int32_t threads = static_cast<int32_t>(blockDim.x);
    int bad = 0;
    for (int32_t at = thread; at < p.positions; at += threads) {
        bad |= load_label(job, c, at);
    }
    /* Its barriers publish the labels as well. */
    const gm_status before =
        status_of(job, c, gm_block_sum(static_cast<long long>(bad), shared.reduce) != 0);
    const gm_status after = run_block(job, c, before, shared);
    for (int32_t at = thread; at < p.positions && before == GM_STATUS_OK; at += threads) {
        store_label(job, c, at);
    }
    if (thread == 0) {
        store_status(job, c, after);
    }
}

/* ---- a thread a chain ------------------------------------------------------------------------ */

/* Returns whether a variable without a possible label was met. */
__device__ inline bool sweep_alone(const factor_job &job, const chain_view &c, uint64_t sweep) {
    const gm_factor_problem &p = job.p;
    gm_words words = {0, 0, 0, 0};
    bool stuck = false;
    for (int32_t k = 0; k < p.free_variables; ++k) {
        if (k % 2 == 0) {
            words = gm_factor_words(job.a.seed, c.number, sweep, p.blocks, k / 2);
        }
        const int32_t at =
            p.order == GM_ISING_RANDOM
                ? gm_factor_choose(job.a.seed, c.number, sweep, p.blocks, k, p.free_variables)
                : k;
        stuck |= !draw_label(p, c, at, gm_factor_random(words, k % 2));
    }
    return stuck;
}

__device__ inline void measure_alone(const factor_job &job, const chain_view &c, int64_t sweep) {
    for (int32_t at = 0; at < job.p.positions && job.a.counts != nullptr; ++at) {
        count_label(job, c, at);
    }
    if (job.a.log_potential != nullptr) {
        int64_t sum = 0;
        for (int32_t f = 0; f < job.p.factors; ++f) {
            sum = gm_factor_add(sum, job.p.table[entry_of(job.p, c, f)]);
        }
        store_potential(job, c, sweep, gm_factor_potential(&job.p, sum));
    }
}

__global__ void __launch_bounds__(SEQUENTIAL_THREADS, SEQUENTIAL_BLOCKS)
    factor_sequential(const GM_GRID_CONSTANT factor_job job) {
    const int64_t chain = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (chain >= job.a.chains) {
        return;
    }
    const chain_view c =
        view_of(job, chain, static_cast<uint8_t *>(job.a.workspace) + chain, job.a.chains);
    int bad = 0;
    for (int32_t at = 0; at < job.p.positions; ++at) {
        bad |= load_label(job, c, at);
    }
    const gm_status before = status_of(job, c, bad != 0);
    bool runs = before == GM_STATUS_OK, stuck = false;
    for (int64_t s = 0; s < job.a.sweeps; ++s) {
        if (runs) {
            stuck = sweep_alone(job, c, job.a.first_sweep + static_cast<uint64_t>(s));
            runs = !stuck;
        }
        if (runs) {
            measure_alone(job, c, s);
        } else if (job.a.log_potential != nullptr) {
            store_potential(job, c, s, GM_NAN_F64);
        }
    }
    for (int32_t at = 0; at < job.p.positions && before == GM_STATUS_OK; ++at) {
        store_label(job, c, at);
    }
    store_status(job, c, stuck ? GM_STATUS_NON_FINITE : before);
}

__global__ void factor_zero(const GM_GRID_CONSTANT factor_job job) {
    const int64_t rows = job.a.reduced ? 1 : job.a.chains;
    const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
    int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    for (; i < rows * job.p.states; i += stride) {
        job.a.counts[i / job.p.states * job.a.count_chain_stride +
                     i % job.p.states * job.a.count_stride] = 0;
    }
}

/* ---- the plan -------------------------------------------------------------------------------- */

struct factor_plan {
    gm_factor_problem problem; /* its arrays on the device */
    size_t shared_bytes = 0;
    unsigned threads = 0;
    bool resident = false;
};

/* The address on the device of an array of the problem. */
template <class T> void move_array(const T *&array, const void *from, void *to) {
    const size_t offset = static_cast<size_t>(reinterpret_cast<const char *>(array) -
                                              static_cast<const char *>(from));
    array = reinterpret_cast<const T *>(static_cast<char *>(to) + offset);
}

gm_status copy_problem(gm_call *call, const gm_factor_problem &p, factor_plan *plan) {
    gm_factor_problem &d = plan->problem;
    d.memory = nullptr;
    gm_status status = check_cuda(call, cudaMalloc(&d.memory, p.bytes), "cudaMalloc");
    if (status == GM_STATUS_OK) {
        status = check_cuda(call, cudaMemcpy(d.memory, p.memory, p.bytes, cudaMemcpyHostToDevice),
                            "cudaMemcpy");
    }
    move_array(d.table, p.memory, d.memory);
    move_array(d.state, p.memory, d.memory);
    move_array(d.link, p.memory, d.memory);
    move_array(d.member, p.memory, d.memory);
    move_array(d.variable, p.memory, d.memory);
    move_array(d.cardinality, p.memory, d.memory);
    move_array(d.first, p.memory, d.memory);
    move_array(d.colour, p.memory, d.memory);
    move_array(d.base, p.memory, d.memory);
    move_array(d.first_member, p.memory, d.memory);
    return status;
}

} // namespace

gm_status factor_prepare(gm_call *call, const gm_factor_problem *problem, void **state) {
    factor_plan *plan = chain_plan<factor_plan>(call, state);
    if (plan == nullptr) {
        return GM_STATUS_OUT_OF_MEMORY;
    }
    plan->problem = *problem;
    plan->problem.memory = nullptr;
    plan->threads = chain_block(*problem, 2);
    const gm_status status =
        chain_memory(call, factor_coloured<true>, sizeof(factor_shared),
                     static_cast<size_t>(problem->positions), &plan->resident, &plan->shared_bytes);
    return status == GM_STATUS_OK ? copy_problem(call, *problem, plan) : status;
}

size_t factor_workspace(gm_call *call, const gm_factor_problem *problem, void *state,
                        int64_t chains) {
    (void)call;
    const factor_plan &plan = *static_cast<const factor_plan *>(state);
    const bool is_used = problem->order != GM_ISING_COLOURED || !plan.resident;
    return is_used ? static_cast<size_t>(chains) * static_cast<size_t>(problem->positions) : 0;
}

gm_status factor_run(gm_call *call, const gm_factor_problem *problem, void *state,
                     const gm_factor_arrays *arrays) {
    const factor_plan &plan = *static_cast<const factor_plan *>(state);
    const factor_job job = {plan.problem, *arrays};
    const bool coloured = problem->order == GM_ISING_COLOURED;
    const int64_t blocks =
        coloured ? arrays->chains : (arrays->chains + SEQUENTIAL_THREADS - 1) / SEQUENTIAL_THREADS;
    if (blocks > 0x7fffffff) {
        return gm_call_fail(call, GM_STATUS_UNSUPPORTED, "%lld chains: too many for one call",
                            static_cast<long long>(arrays->chains));
    }
    const unsigned grid = static_cast<unsigned>(blocks);
    const int64_t zeros = problem->states * (arrays->reduced ? 1 : arrays->chains);
    if (arrays->counts != nullptr && zeros > 0) {
        const int64_t most = (zeros + 255) / 256;
        GM_LAUNCH(factor_zero, static_cast<unsigned>(most < 1024 ? most : 1024), 256, 0,
                  stream_of(call), job);
    }
    if (grid == 0) {
        call->kernel = "none";
    } else if (!coloured) {
        call->kernel = "factor_sequential";
        GM_LAUNCH(factor_sequential, grid, SEQUENTIAL_THREADS, 0, stream_of(call), job);
    } else if (plan.resident) {
        call->kernel = "factor_coloured_resident";
        GM_LAUNCH((factor_coloured<true>), grid, plan.threads, plan.shared_bytes, stream_of(call),
                  job);
    } else {
        call->kernel = "factor_coloured_global";
        GM_LAUNCH((factor_coloured<false>), grid, plan.threads, plan.shared_bytes, stream_of(call),
                  job);
    }
    return check_cuda(call, cudaGetLastError(), "factor graph kernel launch");
}

void factor_release(gm_call *call, void *state) {
    (void)call;
    factor_plan *plan = static_cast<factor_plan *>(state);
    if (plan->problem.memory != nullptr) {
        (void)cudaFree(plan->problem.memory);
    }
    delete plan;
}

} // namespace gm
