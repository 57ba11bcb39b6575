/*
 * gm_ising_run for few chains of a large graph, where a block a chain would leave most of the
 * device idle: every launch takes all the positions of one colour of all chains. ising.cu has the
 * model's layout and chooses.
 *
 *     load      spins into the workspace, thresholds into a table
 *     begin     energy and magnetisation
 *     update    one colour of one sweep: a thread owns the four positions of one Philox block
 *     measure   a thread a chain: adds what the sweep led to
 *     store     spins and sums out
 *
 * Launches are ordered by the stream, so a colour sees the one before it whole, and a captured call
 * is a chain of nodes. A call of S sweeps has S (colours + 1) launches and some; without sums, S
 * colours.
 *
 * Workspace: a line a chain, then the tables (4 (reach + 1) bytes a chain), then the spins, a byte
 * each. Shared memory: sites_shared.
 *
 * Numerical choices: a block adds up its changes of energy and magnetisation and adds them to its
 * chain's line by an atomic on 64-bit integers, whose sum has the same bits in every order.
 *
 * Versions: (1) this one. Not yet timed on a GPU.
 */
#include "kernels/block.cuh"
#include "kernels/ising_chain.cuh"

namespace gm {
namespace {

constexpr unsigned THREADS = 256;
constexpr int32_t SPAN = 4 * static_cast<int32_t>(THREADS); /* positions of a block */

struct sites_shared {
    gm_block_reduce_shared<long long> reduce;
};

/* A chain's state between launches; zero at first. */
struct chain_line {
    unsigned long long energy, magnetisation, flips; /* two's complement, after the last launch */
    long long energy_before, magnetisation_before;   /* at the end of the sweep before */
    uint64_t sums[2 * GM_ISING_SUMS];
    int bad; /* not 0: a spin is none */
};

__device__ inline int32_t table_rows(const gm_ising_problem &p) {
    return p.reach <= GM_ISING_TABLE_REACH ? p.reach + 1 : 0;
}

__device__ inline chain_line *line_of(const ising_job &job, int64_t chain) {
    return static_cast<chain_line *>(job.a.workspace) + chain;
}

__device__ inline uint32_t *table_of(const ising_job &job, int64_t chain) {
    uint32_t *tables = reinterpret_cast<uint32_t *>(line_of(job, job.a.chains));
    return tables + chain * table_rows(job.p);
}

__device__ inline chain_view view_of(const ising_job &job, int64_t chain) {
    chain_view c;
    c.spins = reinterpret_cast<int8_t *>(table_of(job, job.a.chains)) + chain * job.p.positions;
    c.stride = 1;
    c.table = table_rows(job.p) > 0 ? table_of(job, chain) : nullptr;
    c.beta = job.a.beta[chain * job.a.beta_stride];
    c.sign = gm_ising_sign(c.beta);
    c.number = job.a.first_chain + static_cast<uint64_t>(chain);
    return c;
}

/* The first of the four positions of a thread. */
__device__ inline int32_t first_position() {
    return static_cast<int32_t>(blockIdx.x) * SPAN + 4 * static_cast<int32_t>(threadIdx.x);
}

__device__ inline void add_to(unsigned long long *sum, long long value) {
    if (value != 0) {
        atomicAdd(sum, static_cast<unsigned long long>(value));
    }
}

__global__ void __launch_bounds__(THREADS) sites_load(const GM_GRID_CONSTANT ising_job job) {
    const int64_t chain = blockIdx.y;
    const chain_view c = view_of(job, chain);
    const int32_t first = first_position();
    int bad = 0;
    for (int32_t at = first; at < first + 4 && at < job.p.positions; ++at) {
        bad |= load_site(job, c, chain, at);
    }
    if (bad != 0) {
        atomicOr(&line_of(job, chain)->bad, 1);
    }
    if (blockIdx.x == 0) {
        uint32_t *table = table_of(job, chain);
        for (int32_t f = static_cast<int32_t>(threadIdx.x); f < table_rows(job.p);
             f += static_cast<int32_t>(THREADS)) {
            table[f] = gm_ising_threshold(job.p.update, job.p.log_odds, c.beta, f);
        }
    }
}

/* Twice the energy. */
__global__ void __launch_bounds__(THREADS) sites_begin(const GM_GRID_CONSTANT ising_job job) {
    GM_SHARED(sites_shared, shared);
    const int64_t chain = blockIdx.y;
    const chain_view c = view_of(job, chain);
    const int32_t first = first_position();
    totals sum = {0, 0};
    for (int32_t at = first; at < first + 4 && at < job.p.positions; ++at) {
        if (job.p.site[at] >= 0) {
            add_site(job.p, c, at, sum);
        }
    }
    sum.energy = gm_block_sum(sum.energy, shared.reduce);
    sum.magnetisation = gm_block_sum(sum.magnetisation, shared.reduce);
    if (threadIdx.x == 0) {
        add_to(&line_of(job, chain)->energy, sum.energy);
        add_to(&line_of(job, chain)->magnetisation, sum.magnetisation);
    }
}

__global__ void __launch_bounds__(THREADS)
    sites_update(const GM_GRID_CONSTANT ising_job job, uint64_t sweep, int32_t colour) {
    GM_SHARED(sites_shared, shared);
    const gm_ising_problem &p = job.p;
    const int64_t chain = blockIdx.y;
    const chain_view c = view_of(job, chain);
    chain_line *line = line_of(job, chain);
    if (chain_status(c.beta, line->bad != 0) != GM_STATUS_OK) {
        return;
    }
    const int32_t first = p.colour[2 * colour] + first_position(), last = p.colour[2 * colour + 1];
    totals change = {0, 0};
    long long flips = 0;
    if (first < last) {
        const gm_words words = gm_ising_words(job.a.seed, c.number, sweep, p.blocks, first / 4);
        for (int32_t i = 0; i < 4 && first + i < last; ++i) {
            update_site(p, c, first + i, gm_word(words, static_cast<uint32_t>(i)), change, flips);
        }
    }
    change.energy = gm_block_sum(change.energy, shared.reduce);
    change.magnetisation = gm_block_sum(change.magnetisation, shared.reduce);
    flips = gm_block_sum(flips, shared.reduce);
    if (threadIdx.x == 0) {
        add_to(&line->energy, change.energy);
        add_to(&line->magnetisation, change.magnetisation);
        add_to(&line->flips, flips);
    }
}

/* After begin, and after a sweep. */
__global__ void __launch_bounds__(THREADS)
    sites_measure(const GM_GRID_CONSTANT ising_job job, bool begins) {
    const int64_t chain = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x;
    if (chain >= job.a.chains) {
        return;
    }
    chain_line *line = line_of(job, chain);
    long long energy = static_cast<long long>(line->energy);
    const long long magnetisation = static_cast<long long>(line->magnetisation);
    if (begins) {
        energy /= 2;
        line->energy = static_cast<unsigned long long>(energy);
    } else {
        gm_ising_measure(line->sums, line->energy_before, line->magnetisation_before, energy,
                         magnetisation);
    }
    line->energy_before = energy;
    line->magnetisation_before = magnetisation;
}

__global__ void __launch_bounds__(THREADS) sites_store(const GM_GRID_CONSTANT ising_job job) {
    const int64_t chain = blockIdx.y;
    const chain_view c = view_of(job, chain);
    chain_line *line = line_of(job, chain);
    const gm_status status = chain_status(c.beta, line->bad != 0);
    const int32_t first = first_position();
    for (int32_t at = first; at < first + 4 && at < job.p.positions && status == GM_STATUS_OK;
         ++at) {
        store_site(job, c, chain, at);
    }
    if (blockIdx.x == 0 && threadIdx.x == 0) {
        uint64_t sums[2 * GM_ISING_SUMS] = {0};
        for (int32_t k = 0; k < 2 * GM_ISING_SUMS && status == GM_STATUS_OK; ++k) {
            sums[k] = line->sums[k];
        }
        if (status == GM_STATUS_OK) {
            gm_ising_add_product(sums + 2 * GM_ISING_FLIPS, static_cast<int64_t>(line->flips), 1);
        }
        gm_ising_store(&job.a, chain, status, sums, static_cast<int64_t>(line->energy));
    }
}

/* Enough blocks for the positions, a row of them for each chain. */
dim3 grid_for(int32_t positions, int64_t chains) {
    const int32_t blocks = (positions + SPAN - 1) / SPAN;
    return dim3(blocks > 0 ? static_cast<unsigned>(blocks) : 1u, static_cast<unsigned>(chains));
}

} // namespace

size_t ising_sites_workspace(const gm_ising_problem &p, int64_t chains) {
    const size_t rows = p.reach <= GM_ISING_TABLE_REACH ? static_cast<size_t>(p.reach) + 1 : 0;
    return static_cast<size_t>(chains) *
           (sizeof(chain_line) + rows * sizeof(uint32_t) + static_cast<size_t>(p.positions));
}

gm_status ising_sites_run(gm_call *call, const int32_t *colour, const ising_job &job) {
    const gm_ising_problem &p = job.p;
    const cudaStream_t stream = stream_of(call);
    const size_t lines = static_cast<size_t>(job.a.chains) * sizeof(chain_line);
    const dim3 all = grid_for(p.positions, job.a.chains);
    const dim3 chains((static_cast<unsigned>(job.a.chains) + THREADS - 1) / THREADS);
    gm_status status =
        check_cuda(call, cudaMemsetAsync(job.a.workspace, 0, lines, stream), "cudaMemsetAsync");
    if (status != GM_STATUS_OK) {
        return status;
    }
    GM_LAUNCH(sites_load, all, THREADS, 0, stream, job);
    GM_LAUNCH(sites_begin, all, THREADS, sizeof(sites_shared), stream, job);
    GM_LAUNCH(sites_measure, chains, THREADS, 0, stream, job, true);
    for (int64_t s = 0; s < job.a.sweeps; ++s) {
        for (int32_t k = 0; k < p.colours; ++k) {
            const dim3 grid = grid_for(colour[2 * k + 1] - colour[2 * k], job.a.chains);
            GM_LAUNCH(sites_update, grid, THREADS, sizeof(sites_shared), stream, job,
                      job.a.first_sweep + static_cast<uint64_t>(s), k);
        }
        if (job.a.sums != nullptr) {
            GM_LAUNCH(sites_measure, chains, THREADS, 0, stream, job, false);
        }
    }
    GM_LAUNCH(sites_store, all, THREADS, 0, stream, job);
    return check_cuda(call, cudaGetLastError(), "ising kernel launch");
}

} // namespace gm
