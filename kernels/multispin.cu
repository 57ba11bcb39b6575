/*
 * gm_multispin_*: sweeps of multi-spin coded Ising chains; include/genmath/multispin.h has the
 * model, the packed spins and the noise, host/multispin_args.h the lattice as shifts of whole
 * colours, host/multispin_word.inc the logic, multispin_words.cuh the update of a few words.
 * All decisions are integers: the spins are those of the CPU.
 *
 * Parallelised, a word of 32 sites of one colour at a time:
 *   multispin_resident  a block runs as many chains as it has groups of threads, for all their
 *                       sweeps, with the spins in shared memory at one bit each: chains of 64 spins
 *                       take a thread, larger ones up to 256. A barrier after each colour.
 *   multispin_colour    lattices too large for that, or too few of them: one launch for each colour
 *                       of each sweep over all words of all chains in the workspace, four words a
 *                       thread, loaded and stored as 16 bytes; multispin_measure, a thread a chain,
 *                       adds a sweep to the sums.
 * Energy, magnetisation and flips of a sweep are counts of bits, added in integers in any order.
 *
 * Shared memory: multispin_resident: a multispin_shared for each chain of the block (sums and
 * counts), then the packed spins of each. multispin_colour: what a block sum needs.
 *
 * Work: see multispin_words.cuh. multispin_colour reads and writes 6 to 14 words of 4 bytes for 32
 * updates.
 *
 * Versions: (1) this one. Not yet timed on a GPU.
 */
#include <new>

#include "kernels/block.cuh"
#include "kernels/launch.cuh"
#include "kernels/module.cuh"
#include "kernels/multispin_words.cuh"

namespace gm {
namespace {

constexpr int MOST_THREADS = 256;     /* of a chain, and of a block */
constexpr int FEWEST_THREADS = 64;    /* of a block */
constexpr int64_t FEWEST_CHAINS = 32; /* fewer leave the device idle if each has one block ... */
constexpr int32_t SMALL_WORDS = 1024; /* ... unless a colour is as small as this */

/* A problem whose masks are on the device, and the arrays of the call. */
struct multispin_job {
    gm_multispin_problem p;
    gm_multispin_arrays a;
    int32_t threads;                /* resident: of a chain */
    uint32_t *spins;                /* colour: (chains, 2, padded words) */
    struct multispin_total *totals; /* colour: (chains) */
};

/* A chain of multispin_colour. */
struct multispin_total {
    multispin_counts sweep, now;
    uint64_t sums[2 * GM_ISING_SUMS];
};

/* A chain of multispin_resident. */
struct multispin_shared {
    uint64_t sums[2 * GM_ISING_SUMS];
    unsigned int counts[2][3]; /* of even and odd sweeps */
    unsigned int unused[2];    /* to 16 bytes */
};
static_assert(sizeof(multispin_shared) % 16 == 0, "the spins behind are aligned");

/* ---- spins in shared memory ------------------------------------------------------------------ */

/* The counts of the threads of each chain, added to those of its sweep. */
__device__ inline void add_counts(int32_t threads, const multispin_counts &sum,
                                  unsigned int *counts) {
    unsigned int values[3] = {static_cast<unsigned int>(sum.bonds),
                              static_cast<unsigned int>(sum.up),
                              static_cast<unsigned int>(sum.flips)};
    const int width = threads < GM_WARP_SIZE ? threads : GM_WARP_SIZE;
    for (int offset = width / 2; offset > 0; offset /= 2) {
        GM_UNROLL
        for (int i = 0; i < 3; ++i) {
            values[i] += __shfl_xor_sync(GM_FULL_MASK, values[i], offset);
        }
    }
    if (static_cast<int>(threadIdx.x) % width == 0) {
        GM_UNROLL
        for (int i = 0; i < 3; ++i) {
            atomicAdd(counts + i, values[i]);
        }
    }
}

/* Reads the counts of a sweep and clears them for the next but one. */
__device__ inline multispin_counts take_counts(unsigned int *counts, uint64_t flips) {
    multispin_counts now;
    now.bonds = static_cast<uint64_t>(static_cast<long long>(static_cast<int>(counts[0])));
    now.up = counts[1];
    now.flips = flips + counts[2];
    counts[0] = counts[1] = counts[2] = 0;
    return now;
}

template <int n, bool is_open, bool has_field>
__global__ void __launch_bounds__(MOST_THREADS)
    multispin_resident(const GM_GRID_CONSTANT multispin_job job) {
    GM_SHARED(multispin_shared, first);
    const gm_multispin_problem &p = job.p;
    const int32_t own = static_cast<int32_t>(threadIdx.x) % job.threads;
    const int32_t slot = static_cast<int32_t>(threadIdx.x) / job.threads;
    const int32_t slots = static_cast<int32_t>(blockDim.x) / job.threads;
    const int64_t number = static_cast<int64_t>(blockIdx.x) * slots + slot;
    const bool is_real = number < job.a.run.chains; /* else the last one again, not stored */
    const int64_t chain = is_real ? number : job.a.run.chains - 1;
    multispin_shared &shared = (&first)[slot];
    uint32_t *spins = reinterpret_cast<uint32_t *>(&first + slots) + slot * 2 * p.words;
    uint32_t *packed = job.a.packed + chain * job.a.chain_stride;
    for (int32_t w = own; w < 2 * p.words; w += job.threads) {
        spins[w] = packed[w * job.a.word_stride];
    }
    for (int32_t k = own; k < 2 * GM_ISING_SUMS; k += job.threads) {
        shared.sums[k] = 0;
    }
    for (int32_t k = own; k < 6; k += job.threads) {
        shared.counts[k / 3][k % 3] = 0;
    }
    const chain_view<has_field> c = view_chain<n, is_open, has_field>(p, job.a.run, chain);
    multispin_counts now = {0, 0, 0};
    __syncthreads();
    for (int64_t s = -1; s < job.a.run.sweeps; ++s) { /* -1: no sweep */
        const uint64_t sweep = job.a.run.first_sweep + static_cast<uint64_t>(s);
        unsigned int *counts = shared.counts[s & 1];
        multispin_counts sum = {0, 0, 0};
        for (int colour = 0; colour < 2; ++colour) {
            for (int32_t w = own; w < p.words; w += job.threads) {
                update_words<n, is_open, has_field, 1>(p, c, s < 0 ? nullptr : &sweep, colour,
                                                       spins + (1 - colour) * p.words,
                                                       spins + colour * p.words, w, sum);
            }
            if (colour == 1) {
                add_counts(job.threads, sum, counts);
            }
            __syncthreads();
        }
        if (own == 0) { /* while the others begin the next sweep, which has the other counts */
            const multispin_counts before = now;
            now = take_counts(counts, now.flips);
            if (s >= 0) {
                measure_chain(p, before, now, shared.sums);
            }
        }
    }
    const bool good = is_finite(job.a.run.beta[chain * job.a.run.beta_stride]);
    for (int32_t w = own; w < 2 * p.words && is_real && good; w += job.threads) {
        packed[w * job.a.word_stride] = spins[w];
    }
    if (own == 0 && is_real) {
        const uint64_t none[2 * GM_ISING_SUMS] = {0};
        gm_ising_add_product(shared.sums + 2 * GM_ISING_FLIPS, static_cast<int64_t>(now.flips), 1);
        gm_ising_store(&job.a.run, chain, good ? GM_STATUS_OK : GM_STATUS_NON_FINITE,
                       good ? shared.sums : none, energy_of(p, now));
    }
}

/* ---- spins in the workspace ------------------------------------------------------------------ */

/* Words of memory for a colour. */
GM_INLINE int32_t padded_words(const gm_multispin_problem &p) {
    return (p.words + WIDE - 1) / WIDE * WIDE;
}

/* Whether anybody asks for what a sweep leads to. */
GM_INLINE bool wants_counts(const multispin_job &job) {
    return job.a.run.sums != nullptr || job.a.run.energy != nullptr;
}

/* Copies the chains in, or back where their betas are finite; a block row a chain. */
__global__ void __launch_bounds__(MOST_THREADS)
    multispin_copy(const GM_GRID_CONSTANT multispin_job job, int back) {
    const gm_multispin_problem &p = job.p;
    const int32_t padded = padded_words(p);
    const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    const int64_t chain = i / (2 * padded), colour = i / padded % 2, w = i % padded;
    if (chain >= job.a.run.chains) {
        return;
    }
    uint32_t *packed =
        job.a.packed + chain * job.a.chain_stride + (colour * p.words + w) * job.a.word_stride;
    multispin_total &total = job.totals[chain];
    const bool good = is_finite(job.a.run.beta[chain * job.a.run.beta_stride]);
    if (back == 0) {
        job.spins[i] = w < p.words ? *packed : 0;
    } else if (w < p.words && good) {
        *packed = job.spins[i];
    }
    if (colour == 0 && w == 0 && back == 0) {
        total = multispin_total();
    } else if (colour == 0 && w == 0) {
        const uint64_t none[2 * GM_ISING_SUMS] = {0};
        gm_ising_add_product(total.sums + 2 * GM_ISING_FLIPS, static_cast<int64_t>(total.now.flips),
                             1);
        gm_ising_store(&job.a.run, chain, good ? GM_STATUS_OK : GM_STATUS_NON_FINITE,
                       good ? total.sums : none, energy_of(p, total.now));
    }
}

/* A colour of all chains; blockIdx.x counts the parts of a chain, then the chains. */
template <int n, bool is_open, bool has_field>
__global__ void __launch_bounds__(MOST_THREADS)
    multispin_colour(const GM_GRID_CONSTANT multispin_job job, int64_t s, int colour, int parts) {
    GM_SHARED(gm_block_reduce_shared<unsigned long long>, shared);
    const gm_multispin_problem &p = job.p;
    const int64_t chain = blockIdx.x / static_cast<unsigned>(parts);
    const int32_t part = static_cast<int32_t>(blockIdx.x % static_cast<unsigned>(parts));
    const int32_t w =
        WIDE * (part * static_cast<int32_t>(blockDim.x) + static_cast<int32_t>(threadIdx.x));
    uint32_t *spins = job.spins + chain * 2 * padded_words(p);
    const uint64_t sweep = job.a.run.first_sweep + static_cast<uint64_t>(s);
    multispin_counts sum = {0, 0, 0};
    if (w < p.words) {
        const chain_view<has_field> c = view_chain<n, is_open, has_field>(p, job.a.run, chain);
        update_words<n, is_open, has_field, WIDE>(p, c, s < 0 ? nullptr : &sweep, colour,
                                                  spins + (1 - colour) * padded_words(p),
                                                  spins + colour * padded_words(p), w, sum);
    }
    if (wants_counts(job)) {
        const unsigned long long values[3] = {sum.bonds, sum.up, sum.flips};
        unsigned long long *const totals[3] = {
            reinterpret_cast<unsigned long long *>(&job.totals[chain].sweep.bonds),
            reinterpret_cast<unsigned long long *>(&job.totals[chain].sweep.up),
            reinterpret_cast<unsigned long long *>(&job.totals[chain].sweep.flips)};
        for (int i = 0; i < 3; ++i) {
            const unsigned long long all = gm_block_sum(values[i], shared);
            if (threadIdx.x == 0) {
                atomicAdd(totals[i], all);
            }
        }
    }
}

/* Takes a sweep's counts over. */
__global__ void __launch_bounds__(MOST_THREADS)
    multispin_measure(const GM_GRID_CONSTANT multispin_job job, int64_t s) {
    const int64_t chain = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (chain >= job.a.run.chains) {
        return;
    }
    multispin_total &total = job.totals[chain];
    const multispin_counts before = total.now;
    total.now = total.sweep;
    total.now.flips += before.flips;
    total.sweep = multispin_counts();
    if (s >= 0) {
        measure_chain(job.p, before, total.now, total.sums);
    }
}

/* ---- packing --------------------------------------------------------------------------------- */

/* A word of a packed chain from its spins. */
__device__ inline uint32_t pack_word(const gm_multispin_problem &p, const int8_t *spins,
                                     int64_t stride, int32_t word) {
    const int colour = word / p.words;
    uint32_t bits = 0;
    for (int32_t b = 0; b < 32; ++b) {
        const int32_t place = word % p.words * 32 + b;
        int32_t z, y, x;
        gm_multispin_site(&p, colour, place, &z, &y, &x);
        if (place < p.places && x < p.size[2]) {
            const int64_t site = (static_cast<int64_t>(z) * p.size[1] + y) * p.size[2] + x;
            bits |= static_cast<uint32_t>(spins[site * stride] == 1) << b;
        }
    }
    return bits;
}

/* A block a chain. */
__global__ void __launch_bounds__(MOST_THREADS)
    multispin_convert_spins(const GM_GRID_CONSTANT gm_multispin_problem p,
                            const GM_GRID_CONSTANT gm_multispin_spins a) {
    GM_SHARED(gm_block_reduce_shared<int>, shared);
    const int64_t chain = blockIdx.x;
    const int32_t thread = static_cast<int32_t>(threadIdx.x);
    const int32_t threads = static_cast<int32_t>(blockDim.x);
    int8_t *spins = a.spins + chain * a.spins_stride[0];
    uint32_t *packed = a.packed + chain * a.packed_stride[0];
    int bad = 0;
    for (int32_t i = thread; i < p.sites; i += threads) {
        if (a.status != nullptr) {
            const int8_t x = spins[i * a.spins_stride[1]];
            bad |= x != 1 && x != -1;
        } else {
            int32_t word, bit;
            const int32_t row = i / p.size[2];
            gm_multispin_place(&p, row / p.size[1], row % p.size[1], i % p.size[2], &word, &bit);
            spins[i * a.spins_stride[1]] = static_cast<int8_t>(
                gm_ising_value(GM_ISING_SIGNS, packed[word * a.packed_stride[1]] >> bit & 1));
        }
    }
    bad = gm_block_max(bad, shared);
    for (int32_t w = thread; w < 2 * p.words && a.status != nullptr && bad == 0; w += threads) {
        packed[w * a.packed_stride[1]] = pack_word(p, spins, a.spins_stride[1], w);
    }
    if (thread == 0 && a.status != nullptr) {
        a.status[chain * a.status_stride] = bad ? GM_STATUS_INVALID_ARGUMENT : GM_STATUS_OK;
    }
}

/* ---- the table ------------------------------------------------------------------------------- */

struct multispin_plan {
    gm_multispin_problem problem; /* its masks on the device */
    void *masks = nullptr;
    int32_t threads = 0;       /* of a resident chain */
    size_t resident_bytes = 0; /* of shared memory for a block; 0: does not fit */
};

/* The kernels of a lattice. */
struct multispin_kernels {
    int32_t neighbours, is_open, has_field;
    void (*resident)(const multispin_job);
    void (*colour)(const multispin_job, int64_t, int, int);
};

#define MULTISPIN_ROW(n, is_open, has_field)                                                       \
    {                                                                                              \
        n, is_open, has_field, multispin_resident<n, is_open != 0, has_field != 0>,                \
            multispin_colour<n, is_open != 0, has_field != 0>                                      \
    }
#define MULTISPIN_ROWS(n)                                                                          \
    MULTISPIN_ROW(n, 0, 0), MULTISPIN_ROW(n, 0, 1), MULTISPIN_ROW(n, 1, 0), MULTISPIN_ROW(n, 1, 1)
const multispin_kernels lattices[] = {MULTISPIN_ROWS(2), MULTISPIN_ROWS(3), MULTISPIN_ROWS(4),
                                      MULTISPIN_ROWS(6)};
#undef MULTISPIN_ROWS
#undef MULTISPIN_ROW

const multispin_kernels &kernels_of(const gm_multispin_problem &p) {
    const multispin_kernels *row = lattices;
    while (row->neighbours != p.neighbours || row->is_open != p.is_open ||
           row->has_field != (p.field != 0)) {
        ++row;
    }
    return *row;
}

gm_status too_many(gm_call *call, int64_t chains) {
    return gm_call_fail(call, GM_STATUS_UNSUPPORTED, "%lld chains: too many for one call",
                        static_cast<long long>(chains));
}

int32_t block_of(const multispin_plan &plan) {
    return plan.threads < FEWEST_THREADS ? FEWEST_THREADS : plan.threads;
}

bool fits_resident(const multispin_plan &plan, int64_t chains) {
    return plan.resident_bytes > 0 &&
           (chains >= FEWEST_CHAINS || plan.problem.words <= SMALL_WORDS);
}

gm_status run_resident(gm_call *call, const multispin_plan &plan, const multispin_job &job) {
    const int64_t slots = block_of(plan) / plan.threads;
    const int64_t blocks = (job.a.run.chains + slots - 1) / slots;
    if (blocks > 0x7fffffff) {
        return too_many(call, job.a.run.chains);
    }
    GM_LAUNCH(kernels_of(plan.problem).resident, static_cast<unsigned>(blocks),
              static_cast<unsigned>(block_of(plan)), plan.resident_bytes, stream_of(call), job);
    return check_cuda(call, cudaGetLastError(), "multispin kernel launch");
}

bool fits_any(const multispin_plan &plan, int64_t chains) {
    (void)plan;
    (void)chains;
    return true;
}

size_t spins_bytes(const gm_multispin_problem &p, int64_t chains) {
    return (2 * static_cast<size_t>(padded_words(p)) * sizeof(uint32_t) *
                static_cast<size_t>(chains) +
            63) /
           64 * 64;
}

gm_status run_colours(gm_call *call, const multispin_plan &plan, const multispin_job &given) {
    const int64_t chains = given.a.run.chains, padded = padded_words(plan.problem);
    const int64_t parts = (padded / WIDE + MOST_THREADS - 1) / MOST_THREADS;
    const int64_t copies = (chains * 2 * padded + MOST_THREADS - 1) / MOST_THREADS;
    if (chains * parts > 0x7fffffff || copies > 0x7fffffff) {
        return too_many(call, chains);
    }
    multispin_job job = given;
    job.spins = static_cast<uint32_t *>(job.a.run.workspace);
    job.totals = reinterpret_cast<multispin_total *>(static_cast<char *>(job.a.run.workspace) +
                                                     spins_bytes(plan.problem, chains));
    const unsigned measures = static_cast<unsigned>((chains + MOST_THREADS - 1) / MOST_THREADS);
    const size_t shared = sizeof(gm_block_reduce_shared<unsigned long long>);
    const cudaStream_t stream = stream_of(call);
    GM_LAUNCH(multispin_copy, static_cast<unsigned>(copies), MOST_THREADS, 0, stream, job, 0);
    const bool counts = wants_counts(job) || job.a.run.sweeps == 0;
    for (int64_t s = counts ? -1 : 0; s < job.a.run.sweeps; ++s) {
        for (int colour = 0; colour < 2; ++colour) {
            GM_LAUNCH(kernels_of(plan.problem).colour, static_cast<unsigned>(chains * parts),
                      MOST_THREADS, shared, stream, job, s, colour, static_cast<int>(parts));
        }
        if (wants_counts(job)) {
            GM_LAUNCH(multispin_measure, measures, MOST_THREADS, 0, stream, job, s);
        }
    }
    GM_LAUNCH(multispin_copy, static_cast<unsigned>(copies), MOST_THREADS, 0, stream, job, 1);
    return check_cuda(call, cudaGetLastError(), "multispin kernel launch");
}

/* From top to bottom, the first that fits. */
struct multispin_row {
    const char *name;
    bool uses_workspace;
    bool (*fits)(const multispin_plan &plan, int64_t chains);
    gm_status (*run)(gm_call *call, const multispin_plan &plan, const multispin_job &job);
};
const multispin_row rows[] = {{"multispin_resident", false, fits_resident, run_resident},
                              {"multispin_colour", true, fits_any, run_colours}};

const multispin_row &row_for(const multispin_plan &plan, int64_t chains) {
    const multispin_row *row = rows;
    while (!row->fits(plan, chains)) {
        ++row;
    }
    return *row;
}

/* Threads of a chain, and whether a block of chains fits in shared memory: then the kernel's
 * permission to use as much. */
gm_status choose_memory(gm_call *call, multispin_plan *plan) {
    const gm_multispin_problem &p = plan->problem;
    plan->threads = 1;
    while (plan->threads < p.words && plan->threads < MOST_THREADS) {
        plan->threads *= 2;
    }
    const size_t slots = static_cast<size_t>(block_of(*plan) / plan->threads);
    const size_t bytes =
        slots * (sizeof(multispin_shared) + 2 * static_cast<size_t>(p.words) * sizeof(uint32_t));
    int most = 0;
    gm_status status = check_cuda(
        call, cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, call->device),
        "cudaDeviceGetAttribute");
    if (status == GM_STATUS_OK && bytes <= static_cast<size_t>(most)) {
        plan->resident_bytes = bytes;
        status = check_cuda(call,
                            cudaFuncSetAttribute(kernels_of(p).resident,
                                                 cudaFuncAttributeMaxDynamicSharedMemorySize, most),
                            "cudaFuncSetAttribute");
    }
    return status;
}

} // namespace

gm_status multispin_prepare(gm_call *call, const gm_multispin_problem *problem, void **state) {
    multispin_plan *plan = new (std::nothrow) multispin_plan;
    if (plan == nullptr) {
        return gm_call_fail(call, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    }
    *state = plan;
    plan->problem = *problem;
    gm_status status =
        device_copy(call, problem->masks,
                    static_cast<size_t>(problem->mask_words) * sizeof(uint32_t), &plan->masks);
    plan->problem.masks = static_cast<const uint32_t *>(plan->masks);
    return status == GM_STATUS_OK ? choose_memory(call, plan) : status;
}

size_t multispin_workspace(gm_call *call, const gm_multispin_problem *problem, void *state,
                           int64_t chains) {
    (void)call;
    const multispin_plan &plan = *static_cast<const multispin_plan *>(state);
    return row_for(plan, chains).uses_workspace
               ? spins_bytes(*problem, chains) +
                     sizeof(multispin_total) * static_cast<size_t>(chains)
               : 0;
}

gm_status multispin_run(gm_call *call, const gm_multispin_problem *problem, void *state,
                        const gm_multispin_arrays *arrays) {
    (void)problem;
    const multispin_plan &plan = *static_cast<const multispin_plan *>(state);
    const multispin_row &row = row_for(plan, arrays->run.chains);
    const multispin_job job = {plan.problem, *arrays, plan.threads, nullptr, nullptr};
    call->kernel = row.name;
    return row.run(call, plan, job);
}

gm_status multispin_convert(gm_call *call, const gm_multispin_problem *problem, void *state,
                            const gm_multispin_spins *spins) {
    (void)problem;
    const multispin_plan &plan = *static_cast<const multispin_plan *>(state);
    if (spins->chains > 0x7fffffff) {
        return too_many(call, spins->chains);
    }
    call->kernel = spins->status != nullptr ? "multispin_pack" : "multispin_unpack";
    GM_LAUNCH(multispin_convert_spins, static_cast<unsigned>(spins->chains), MOST_THREADS,
              sizeof(gm_block_reduce_shared<int>), stream_of(call), plan.problem, *spins);
    return check_cuda(call, cudaGetLastError(), "multispin conversion launch");
}

void multispin_release(gm_call *call, void *state) {
    (void)call;
    multispin_plan *plan = static_cast<multispin_plan *>(state);
    if (plan->masks != nullptr) {
        (void)cudaFree(plan->masks);
    }
    delete plan;
}

} // namespace gm
