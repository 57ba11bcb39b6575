/*
 * gm_correlations_add: of each group of pairs (i, j) of sites and each chain, the pairs that match,
 * sites of the same value or, of spins 0 and 1, both 1; what that is worth is added to the sum.
 * gm_multispin_correlations: the same of packed lattices and the distances along an axis. All are
 * integers, so their order does not matter.
 *
 * Parallelised:
 *   correlations_shared  a block has four chains, a byte of a word for each, in shared memory, and
 * a part of the groups: a thread takes every 256th pair of a group, and one comparison of two words
 * is that of four chains. correlations_check,  lattices too large for that: a block a chain looks
 * for values that are correlations_global  none; then a block has 4,096 pairs of a group of a
 * chain, which it reads where they are, and adds to the sum atomically. multispin_correlate  a
 * block has 4,096 words of 32 places of one colour of a row, of a distance and a chain: they are
 * compared with the 32 places that they meet, taken from two words wherever they start, and
 * differences are counted as bits.
 *
 * Shared memory: the block sums' 264 bytes; correlations_shared 4 bytes a site after it.
 *
 * Work: correlations_shared reads 8 bytes of a pair from the second-level cache and two words from
 * shared memory for 4 chains, with 9 operations. multispin_correlate has about 40 operations for 32
 * pairs, of lattices whose rows have fewer than 64 sites as many for fewer pairs.
 *
 * Versions: (1) this one. Not yet timed on a GPU.
 */
#include <new>

#include "host/correlations_args.h"
#include "kernels/block.cuh"
#include "kernels/launch.cuh"
#include "kernels/module.cuh"

namespace gm {
namespace {

constexpr int THREADS = 256;
constexpr int CHAINS = 4;       /* of a word */
constexpr int SHARE = 16;       /* pairs or words of a thread */
constexpr int64_t BLOCKS = 264; /* two for each of 132 processors */
constexpr int FULL = 255;       /* matches that a byte holds */
constexpr int64_t GRID = 0x7fffffff;

using block_sum = gm_block_reduce_shared<unsigned long long>;

/* A problem whose arrays are on the device, and those of the call. */
struct correlations_job {
    gm_correlations_problem p;
    gm_correlations_arrays a;
    int parts; /* shared: of the groups, a block each; global: of a group */
};

struct correlations_memory {
    block_sum sum;
    unsigned long long unused; /* to 16 bytes; the chains' words are behind it */
};
static_assert(sizeof(correlations_memory) % 16 == 0, "the words behind are aligned");

/* ---- four chains in shared memory ------------------------------------------------------------ */

/* 1 in each byte that is the same in both. */
__device__ inline uint32_t same_bytes(uint32_t x, uint32_t y) {
    const uint32_t low = 0x7f7f7f7fu, different = x ^ y;
    return ~(((different & low) + low) | different | low) >> 7;
}

/* The states of chains first .. first + 3, the last one for those that are not there; a 1 bit for
 * each that has a value that is none. */
__device__ inline unsigned load_chains(const correlations_job &job, int64_t first,
                                       uint32_t *words) {
    unsigned bad = 0;
    for (int64_t i = threadIdx.x; i < job.p.sites; i += THREADS) {
        uint32_t word = 0;
        GM_UNROLL
        for (int c = 0; c < CHAINS; ++c) {
            const int64_t chain = first + c < job.a.chains ? first + c : job.a.chains - 1;
            const uint32_t x =
                job.a.states[chain * job.a.states_stride[0] + i * job.a.states_stride[1]];
            bad |= gm_is_state(&job.p, x) ? 0u : 1u << c;
            word |= x << 8 * c;
        }
        words[i] = word;
    }
    return bad;
}

/* The matches of this thread's pairs of a group, of chains 0, 2 and 1, 3 in 32 bits each. */
__device__ inline void count_pairs(const correlations_job &job, int64_t group,
                                   const uint32_t *words, unsigned long long counts[2]) {
    const bool both = gm_matches_ones(&job.p) != 0;
    const int2 *ends = reinterpret_cast<const int2 *>(job.p.ends);
    uint32_t matches[CHAINS] = {0, 0, 0, 0}, held = 0;
    int room = FULL;
    for (int64_t k = job.p.first[group] + threadIdx.x; k < job.p.first[group + 1]; k += THREADS) {
        const int2 pair = ends[k];
        const uint32_t x = words[pair.x], y = words[pair.y];
        held += both ? x & y : same_bytes(x, y);
        room -= 1;
        if (room == 0) {
            GM_UNROLL
            for (int c = 0; c < CHAINS; ++c) {
                matches[c] += held >> 8 * c & 255u;
            }
            held = 0;
            room = FULL;
        }
    }
    GM_UNROLL
    for (int c = 0; c < CHAINS; ++c) {
        matches[c] += held >> 8 * c & 255u;
    }
    GM_UNROLL
    for (int i = 0; i < 2; ++i) {
        counts[i] = static_cast<unsigned long long>(matches[i + 2]) << 32 | matches[i];
    }
}

__global__ void __launch_bounds__(THREADS)
    correlations_shared(const GM_GRID_CONSTANT correlations_job job) {
    GM_SHARED(correlations_memory, shared);
    uint32_t *words = reinterpret_cast<uint32_t *>(&shared + 1);
    const int64_t part = blockIdx.x % static_cast<unsigned>(job.parts);
    const int64_t first =
        static_cast<int64_t>(blockIdx.x / static_cast<unsigned>(job.parts)) * CHAINS;
    const unsigned found = load_chains(job, first, words);
    unsigned long long bad = 0; /* sixteen bits for each chain, which up to 256 threads add 1 to */
    GM_UNROLL
    for (int c = 0; c < CHAINS; ++c) {
        bad |= static_cast<unsigned long long>(found >> c & 1u) << 16 * c;
    }
    bad = gm_block_sum(bad, shared.sum); /* its barrier ends the loading, too */
    const int c = static_cast<int>(threadIdx.x);
    const bool stores = c < CHAINS && first + c < job.a.chains;
    const bool good = stores && (bad >> 16 * c & 0xffffu) == 0;
    const int64_t end = job.p.groups * (part + 1) / job.parts;
    for (int64_t g = job.p.groups * part / job.parts; g < end; ++g) {
        unsigned long long counts[2];
        count_pairs(job, g, words, counts);
        const unsigned long long low = gm_block_sum(counts[0], shared.sum);
        const unsigned long long high = gm_block_sum(counts[1], shared.sum);
        if (good) {
            const int64_t matches =
                static_cast<int64_t>((c % 2 == 0 ? low : high) >> 32 * (c / 2) & 0xffffffffu);
            gm_add_wrapping(job.a.sums + (first + c) * job.a.sums_stride[0] +
                                g * job.a.sums_stride[1],
                            gm_group_value(&job.p, matches, job.p.first[g + 1] - job.p.first[g]));
        }
    }
    if (stores && part == 0) {
        job.a.status[(first + c) * job.a.status_stride] =
            good ? GM_STATUS_OK : GM_STATUS_INVALID_ARGUMENT;
    }
}

/* ---- large lattices -------------------------------------------------------------------------- */

__global__ void __launch_bounds__(THREADS)
    correlations_check(const GM_GRID_CONSTANT correlations_job job) {
    GM_SHARED(block_sum, shared);
    const uint8_t *states = job.a.states + blockIdx.x * job.a.states_stride[0];
    unsigned long long bad = 0;
    for (int64_t i = threadIdx.x; i < job.p.sites; i += THREADS) {
        bad |= gm_is_state(&job.p, states[i * job.a.states_stride[1]]) ? 0u : 1u;
    }
    bad = gm_block_sum(bad, shared);
    if (threadIdx.x == 0) {
        job.a.status[blockIdx.x * job.a.status_stride] =
            bad != 0 ? GM_STATUS_INVALID_ARGUMENT : GM_STATUS_OK;
    }
}

/* blockIdx.x counts the parts of a group, then the groups, then the chains. */
__global__ void __launch_bounds__(THREADS)
    correlations_global(const GM_GRID_CONSTANT correlations_job job) {
    GM_SHARED(block_sum, shared);
    const int64_t part = blockIdx.x % static_cast<unsigned>(job.parts);
    const int64_t group = blockIdx.x / static_cast<unsigned>(job.parts) % job.p.groups;
    const int64_t chain = blockIdx.x / static_cast<unsigned>(job.parts) / job.p.groups;
    const uint8_t *states = job.a.states + chain * job.a.states_stride[0];
    const bool both = gm_matches_ones(&job.p) != 0;
    const int64_t begin = job.p.first[group] + part * THREADS * SHARE;
    const int64_t last = job.p.first[group + 1];
    const int64_t end = begin + THREADS * SHARE < last ? begin + THREADS * SHARE : last;
    unsigned long long matches = 0;
    for (int64_t k = begin + threadIdx.x; k < end; k += THREADS) {
        const uint32_t x = states[job.p.ends[2 * k] * job.a.states_stride[1]];
        const uint32_t y = states[job.p.ends[2 * k + 1] * job.a.states_stride[1]];
        matches += both ? x & y : x == y ? 1u : 0u;
    }
    matches = gm_block_sum(matches, shared);
    if (threadIdx.x == 0 && begin < end &&
        job.a.status[chain * job.a.status_stride] == GM_STATUS_OK) {
        const int64_t value = gm_group_value(&job.p, static_cast<int64_t>(matches), end - begin);
        atomicAdd(reinterpret_cast<unsigned long long *>(job.a.sums + chain * job.a.sums_stride[0] +
                                                         group * job.a.sums_stride[1]),
                  static_cast<unsigned long long>(value));
    }
}

/* ---- packed lattices ------------------------------------------------------------------------- */

struct packed_job {
    gm_multispin_problem p;
    gm_multispin_pairs a;
    int parts; /* blocks of a distance */
};

/* 32 places of a colour from `start` on, which may be negative; those that are none are 0. */
__device__ inline uint32_t take_places(const packed_job &job, const uint32_t *packed, int colour,
                                       int32_t start) {
    const uint32_t *first = packed + colour * job.p.words * job.a.packed_stride[1];
    const int32_t word = start >> 5, shift = start & 31;
    const uint32_t low = word >= 0 && word < job.p.words ? first[word * job.a.packed_stride[1]] : 0;
    const uint32_t high = shift != 0 && word + 1 >= 0 && word + 1 < job.p.words
                              ? first[(word + 1) * job.a.packed_stride[1]]
                              : 0;
    return shift != 0 ? low >> shift | high << (32 - shift) : low;
}

/* The pairs that differ of 32 places: word j of a row and a colour; none beyond the row's end. */
__device__ inline int count_word(const packed_job &job, const uint32_t *packed, int32_t row,
                                 int colour, int32_t j, int32_t distance) {
    const gm_multispin_problem &p = job.p;
    const int32_t z = row / p.size[1], y = row % p.size[1], odd = (z + y + colour) % 2;
    const int32_t start = row * p.row + 32 * j, end = (p.size[2] - odd + 1) / 2 - 32 * j;
    const int32_t axis = job.a.axis;
    const int other = (colour + distance) % 2;
    const uint32_t own = take_places(job, packed, colour, start);
    if (axis ==
        2) { /* site 2 k + odd, its partner at place k + ahead or, around, half a row back */
        const int32_t ahead = (odd + distance) / 2, inside = p.size[2] - odd - distance;
        const int32_t near = (inside > 0 ? (inside + 1) / 2 : 0) - 32 * j;
        int different = __popc((own ^ take_places(job, packed, other, start + ahead)) &
                               gm_multispin_range(0, 0, near));
        if (p.periodic[2]) {
            different +=
                __popc((own ^ take_places(job, packed, other, start + ahead - p.size[2] / 2)) &
                       gm_multispin_range(0, near, end));
        }
        return different;
    }
    const int32_t step = axis == 1 ? 1 : p.size[1], at = axis == 1 ? y : z;
    const int32_t around = at + distance < p.size[axis] ? 0 : p.size[axis];
    if (around > 0 && !p.periodic[axis]) {
        return 0;
    }
    const int32_t partner = start + (distance - around) * step * p.row;
    return __popc((own ^ take_places(job, packed, other, partner)) & gm_multispin_range(0, 0, end));
}

/* blockIdx.x counts the parts of a distance, then the distances, then the chains. */
__global__ void __launch_bounds__(THREADS)
    multispin_correlate_words(const GM_GRID_CONSTANT packed_job job) {
    GM_SHARED(block_sum, shared);
    const gm_multispin_problem &p = job.p;
    const unsigned parts = static_cast<unsigned>(job.parts);
    const int64_t part = blockIdx.x % parts;
    const int32_t k = static_cast<int32_t>(blockIdx.x / parts % static_cast<unsigned>(job.a.count));
    const int64_t chain = blockIdx.x / parts / static_cast<unsigned>(job.a.count);
    const int32_t distance = job.a.first + k, words = (p.row + 31) / 32;
    const uint32_t *packed = job.a.packed + chain * job.a.packed_stride[0];
    const int64_t all = static_cast<int64_t>(p.size[0]) * p.size[1] * 2 * words;
    unsigned long long different = 0;
    for (int i = 0; i < SHARE; ++i) {
        const int64_t unit = (part * SHARE + i) * THREADS + threadIdx.x;
        if (unit < all) {
            const int32_t row = static_cast<int32_t>(unit / (2 * words));
            const int32_t rest = static_cast<int32_t>(unit % (2 * words));
            different += static_cast<unsigned long long>(
                count_word(job, packed, row, rest / words, rest % words, distance));
        }
    }
    different = gm_block_sum(different, shared);
    if (threadIdx.x == 0) {
        const int64_t pairs = part == 0 ? gm_multispin_pair_count(&p, job.a.axis, distance) : 0;
        atomicAdd(reinterpret_cast<unsigned long long *>(job.a.sums + chain * job.a.sums_stride[0] +
                                                         k * job.a.sums_stride[1]),
                  static_cast<unsigned long long>(pairs - 2 * static_cast<int64_t>(different)));
    }
}

/* ---- the table ------------------------------------------------------------------------------- */

struct correlations_plan {
    gm_correlations_problem problem; /* its arrays on the device */
    void *first = nullptr, *ends = nullptr;
    int64_t largest = 0;     /* pairs of a group */
    size_t shared_bytes = 0; /* 0: four chains do not fit */
};

gm_status too_many(gm_call *call, int64_t chains) {
    return gm_call_fail(call, GM_STATUS_UNSUPPORTED, "%lld chains: too many for one call",
                        static_cast<long long>(chains));
}

bool fits_shared(const correlations_plan &plan) {
    return plan.shared_bytes > 0;
}

bool fits_any(const correlations_plan &plan) {
    (void)plan;
    return true;
}

gm_status run_shared(gm_call *call, const correlations_plan &plan, correlations_job job) {
    const int64_t words = (job.a.chains + CHAINS - 1) / CHAINS;
    const int64_t wanted = (BLOCKS + words - 1) / words, groups = job.p.groups;
    job.parts = static_cast<int>(groups < 1 ? 1 : wanted < groups ? wanted : groups);
    if (words * job.parts > GRID) {
        return too_many(call, job.a.chains);
    }
    GM_LAUNCH(correlations_shared, static_cast<unsigned>(words * job.parts), THREADS,
              plan.shared_bytes, stream_of(call), job);
    return check_cuda(call, cudaGetLastError(), "correlations kernel launch");
}

gm_status run_global(gm_call *call, const correlations_plan &plan, correlations_job job) {
    const int64_t parts = (plan.largest + THREADS * SHARE - 1) / (THREADS * SHARE);
    job.parts = static_cast<int>(parts);
    int64_t blocks = 0;
    if (job.a.chains > GRID ||
        __builtin_mul_overflow(parts * job.p.groups, job.a.chains, &blocks) || blocks > GRID) {
        return too_many(call, job.a.chains);
    }
    GM_LAUNCH(correlations_check, static_cast<unsigned>(job.a.chains), THREADS, sizeof(block_sum),
              stream_of(call), job);
    if (blocks > 0) {
        GM_LAUNCH(correlations_global, static_cast<unsigned>(blocks), THREADS, sizeof(block_sum),
                  stream_of(call), job);
    }
    return check_cuda(call, cudaGetLastError(), "correlations kernel launch");
}

/* From top to bottom, the first that fits. */
struct correlations_row {
    const char *name;
    bool (*fits)(const correlations_plan &plan);
    gm_status (*run)(gm_call *call, const correlations_plan &plan, correlations_job job);
};
const correlations_row rows[] = {{"correlations_shared", fits_shared, run_shared},
                                 {"correlations_global", fits_any, run_global}};

/* Whether four chains fit in shared memory: then the kernel's permission to use as much. */
gm_status choose_memory(gm_call *call, correlations_plan *plan) {
    const size_t bytes =
        sizeof(correlations_memory) + static_cast<size_t>(plan->problem.sites) * sizeof(uint32_t);
    int most = 0;
    gm_status status = check_cuda(
        call, cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, call->device),
        "cudaDeviceGetAttribute");
    if (status == GM_STATUS_OK && bytes <= static_cast<size_t>(most)) {
        plan->shared_bytes = bytes;
        status = check_cuda(call,
                            cudaFuncSetAttribute(correlations_shared,
                                                 cudaFuncAttributeMaxDynamicSharedMemorySize, most),
                            "cudaFuncSetAttribute");
    }
    return status;
}

} // namespace

gm_status correlations_prepare(gm_call *call, const gm_correlations_problem *problem,
                               void **state) {
    correlations_plan *plan = new (std::nothrow) correlations_plan;
    if (plan == nullptr) {
        return gm_call_fail(call, GM_STATUS_OUT_OF_MEMORY, "no memory for a plan");
    }
    *state = plan;
    plan->problem = *problem;
    for (int64_t g = 0; g < problem->groups; ++g) {
        const int64_t pairs = problem->first[g + 1] - problem->first[g];
        plan->largest = pairs > plan->largest ? pairs : plan->largest;
    }
    const size_t groups = static_cast<size_t>(problem->groups);
    const size_t pairs = static_cast<size_t>(problem->pairs);
    gm_status status =
        device_copy(call, problem->first, (groups + 1) * sizeof(int64_t), &plan->first);
    if (status == GM_STATUS_OK) {
        status = device_copy(call, problem->ends, 2 * pairs * sizeof(int32_t), &plan->ends);
    }
    plan->problem.first = static_cast<const int64_t *>(plan->first);
    plan->problem.ends = static_cast<const int32_t *>(plan->ends);
    return status == GM_STATUS_OK ? choose_memory(call, plan) : status;
}

gm_status correlations_add(gm_call *call, const gm_correlations_problem *problem, void *state,
                           const gm_correlations_arrays *arrays) {
    (void)problem;
    const correlations_plan &plan = *static_cast<const correlations_plan *>(state);
    const correlations_row *row = rows;
    while (!row->fits(plan)) {
        ++row;
    }
    call->kernel = row->name;
    return row->run(call, plan, correlations_job{plan.problem, *arrays, 1});
}

void correlations_release(gm_call *call, void *state) {
    (void)call;
    correlations_plan *plan = static_cast<correlations_plan *>(state);
    (void)cudaFree(plan->first);
    (void)cudaFree(plan->ends);
    delete plan;
}

gm_status multispin_correlate(gm_call *call, const gm_multispin_problem *problem, void *state,
                              const gm_multispin_pairs *arrays) {
    (void)state; /* the masks are not needed */
    const int64_t words = (problem->row + 31) / 32;
    const int64_t all = static_cast<int64_t>(problem->size[0]) * problem->size[1] * 2 * words;
    const int64_t parts = (all + THREADS * SHARE - 1) / (THREADS * SHARE);
    int64_t blocks = 0;
    if (__builtin_mul_overflow(parts * arrays->count, arrays->chains, &blocks) || blocks > GRID) {
        return too_many(call, arrays->chains);
    }
    call->kernel = "multispin_correlate";
    GM_LAUNCH(multispin_correlate_words, static_cast<unsigned>(blocks), THREADS, sizeof(block_sum),
              stream_of(call), packed_job{*problem, *arrays, static_cast<int>(parts)});
    return check_cuda(call, cudaGetLastError(), "correlations kernel launch");
}

} // namespace gm
