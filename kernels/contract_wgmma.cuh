/*
 * d[b, m, n] = epilogue(alpha sum_k a[b, m, k] b[b, k, n] + beta c[b, m, n]) on Hopper, f16 and
 * bf16: bulk copies bring the operands, warpgroups multiply them, sums in f32.
 *
 * Grid: a block for each multiprocessor, 384 threads; a block goes over tiles of 128 x 256 of each
 * batch and piece of k, sixteen rows of tiles side by side, so that what 132 blocks read at a time
 * is near to square. What a tile gives does not depend on who computes it.
 *
 * One thread of warpgroup 0 issues the copies of stage after stage, through tile after tile, as far
 * ahead as the ring of four stages allows; the registers of this warpgroup go to the others.
 * Warpgroups 1 and 2 have 64 rows of a tile each, 128 sums a thread: four products m64n256k16 a
 * stage, which are under way while the next stage is waited for. A stage has two mbarriers, `full`
 * (the copies' bytes have landed) and `empty` (eight warps have computed with it). Both operands
 * are multiplied as they lie, k or rows innermost.
 *
 * An operand is a map of at most five dimensions, its modes; a tile's rows and a stage's k must be
 * a box of it (contract_wgmma.cu says when). Zeros from outside the tensor fill the last tiles.
 *
 * Shared memory, 217 KiB: stages of a (16 KiB) and b (32 KiB), four of them, lines of 128 bytes
 * swizzled; for each consumer warp 16 rows by 32 columns of sums on their way to d and the places
 * of its rows. A warp stores its own rows and waits for nobody.
 *
 * Ladder, counted, not measured: (1) mma.sync (contract_tensor.cu): every operand goes through
 * registers, and the instruction has not the rate of wgmma; (2) wgmma from shared memory by tiles
 * of 128 x 256 x 64: 2^22 operations on 48 KiB, 85 for a byte; at 4096 operations a cycle and
 * multiprocessor a stage lasts 1024 cycles and asks the L2 for 48 bytes a cycle, of the 64 that a
 * multiprocessor can take; (3) a warpgroup that only copies, so that a copy never waits for a
 * product, and setmaxnreg: 40 + 2 x 232 registers instead of 3 x 168, room for the 128 sums and the
 * epilogue without spills; (4) blocks that stay: the next tile's first four stages come while a
 * tile is stored. The store itself is not hidden: 128 KiB of f32 at 64 bytes a cycle are 2048
 * cycles, the time of two stages to the 128 of k = 8192: a ceiling of 98 %. Next: clusters of two
 * blocks that share b by multicast, 32 bytes a cycle instead of 48; two tiles in turn on the two
 * warpgroups, so that one stores while the other multiplies. Compiled and emulated, not yet run on
 * a GPU: no figures.
 */
#pragma once

#include "kernels/contract_tile.cuh"
#include "kernels/hopper.cuh"

namespace gm {
namespace contract {

constexpr int WGMMA_STAGES = 4, WGMMA_DEPTH = 64;
constexpr int WGMMA_CONSUMERS = 2;               /* warpgroups, one after the other down a tile */
constexpr int WGMMA_WARPS = WGMMA_CONSUMERS * 4; /* that multiply */
constexpr int WGMMA_THREADS = 128 * (1 + WGMMA_CONSUMERS);
constexpr int WGMMA_RASTER = 16;
constexpr int WGMMA_LINE = 128, WGMMA_ATOM = 1024; /* bytes of the swizzle: a line, 8 lines */
/* What setmaxnreg makes of the 168 registers that 384 threads can have at the start. */
constexpr int WGMMA_REGISTERS_COPY = 40, WGMMA_REGISTERS_MULTIPLY = 232;
static_assert(WGMMA_REGISTERS_COPY + WGMMA_CONSUMERS * WGMMA_REGISTERS_MULTIPLY <= 3 * 168,
              "the registers of a multiprocessor");
static_assert(WGMMA_DEPTH * 2 == WGMMA_LINE, "a line of k is a line of the swizzle");

/* The tile, as a policy of contract_tile.cuh. */
template <class arithmetic> struct wgmma_tile {
    typedef arithmetic arith;
    static constexpr int ROWS = 64 * WGMMA_CONSUMERS, COLS = 256;
};
constexpr int WGMMA_ROWS = wgmma_tile<arith_f16>::ROWS, WGMMA_COLS = wgmma_tile<arith_f16>::COLS;

enum wgmma_index { WGMMA_BATCH, WGMMA_ROW, WGMMA_K, WGMMA_INDICES };

/* How the dimensions of an operand's map are walked: where the coordinate of an index is. */
struct wgmma_operand {
    int32_t index[5];              /* of which the dimension is a part, */
    int64_t divisor[5], extent[5]; /* the part: index / divisor % extent */
    int32_t step[5];               /* of k from a stage to the next, 0 for others */
};

struct wgmma_job {
    CUtensorMap map_a, map_b;
    wgmma_operand a, b;
    job<float> common;
};

struct wgmma_shared {
    struct stage {
        unsigned char a[WGMMA_ROWS * WGMMA_LINE], b[WGMMA_COLS * WGMMA_LINE];
    };
    static constexpr int CHUNK = 32,
                         PITCH = CHUNK + 8; /* a pad that spreads pairs over the banks */
    /* Shared memory begins at a multiple of 16; the stages at the first of 1024 in it. */
    alignas(16) unsigned char stages[WGMMA_STAGES * sizeof(stage) + WGMMA_ATOM - 16];
    alignas(16) float chunk[WGMMA_WARPS][16][PITCH];
    places rows[WGMMA_WARPS][16];
    gm_mbarrier full[WGMMA_STAGES], empty[WGMMA_STAGES];
};
static_assert(sizeof(wgmma_shared) <= 227 * 1024, "what a block can have");
constexpr unsigned WGMMA_STAGE_BYTES = sizeof(wgmma_shared::stage);
static_assert(WGMMA_STAGE_BYTES % WGMMA_ATOM == 0, "stages keep the alignment");

__device__ __forceinline__ wgmma_shared::stage *wgmma_stages(wgmma_shared &shared) {
    const unsigned past = gm_shared_address(shared.stages) % WGMMA_ATOM;
    return reinterpret_cast<wgmma_shared::stage *>(shared.stages +
                                                   (WGMMA_ATOM - past) % WGMMA_ATOM);
}

/* A place in the ring of stages. Phases of a slot alternate in parity from one round to the next.
 */
struct wgmma_ring {
    int slot;
    unsigned parity;
    __device__ __forceinline__ void advance() {
        parity ^= slot == WGMMA_STAGES - 1 ? 1u : 0u;
        slot = slot == WGMMA_STAGES - 1 ? 0 : slot + 1;
    }
};

__device__ __forceinline__ int64_t wgmma_tiles(const job<float> &job) {
    return (job.m + WGMMA_ROWS - 1) / WGMMA_ROWS * ((job.n + WGMMA_COLS - 1) / WGMMA_COLS) *
           job.splits * job.count;
}

/* ---- the warpgroup that copies ----------------------------------------------------------------
 */

/* The box of an operand at a tile's rows and first k. */
__device__ __forceinline__ void find_box(const wgmma_operand &operand, int64_t batch, int64_t row,
                                         int64_t k, int (&at)[5]) {
    GM_UNROLL for (int i = 0; i < 5; ++i) {
        const int32_t which = operand.index[i];
        const int64_t index = which == WGMMA_BATCH ? batch : which == WGMMA_ROW ? row : k;
        const int64_t part = quotient(index, operand.divisor[i]);
        at[i] = static_cast<int>(part - quotient(part, operand.extent[i]) * operand.extent[i]);
    }
}

/* To the next stage: the dimensions of k count up, the innermost first. */
__device__ __forceinline__ void advance_box(const wgmma_operand &operand, int (&at)[5]) {
    bool carry = true;
    GM_UNROLL for (int i = 0; i < 5; ++i) {
        if (carry && operand.step[i] > 0) {
            at[i] += operand.step[i];
            carry = at[i] >= operand.extent[i];
            at[i] = carry ? 0 : at[i];
        }
    }
}

/* One box with k innermost; with rows innermost one for each 64 of them. */
template <int rows, bool k_inner>
__device__ __forceinline__ void copy_box(unsigned char *to, const CUtensorMap &map,
                                         const int (&at)[5], gm_mbarrier &full) {
    constexpr int boxes = k_inner ? 1 : rows / 64;
    GM_UNROLL for (int i = 0; i < boxes; ++i) {
        const int place[5] = {at[0] + 64 * i, at[1], at[2], at[3], at[4]};
        gm_bulk_tensor_load(to + i * 64 * WGMMA_LINE, map, place, full);
    }
}

template <class tile, bool AK, bool BK>
__device__ __forceinline__ void copy_tiles(const wgmma_job &job, wgmma_shared &shared) {
    const int64_t tiles = wgmma_tiles(job.common);
    wgmma_shared::stage *stages = wgmma_stages(shared);
    wgmma_ring ring = {0, 0};
    for (int64_t index = blockIdx.x; index < tiles; index += gridDim.x) {
        const tile_place at = place_of<tile, WGMMA_RASTER>(job.common, index);
        int box_a[5], box_b[5];
        find_box(job.a, at.batch, at.row, at.k, box_a);
        find_box(job.b, at.batch, at.column, at.k, box_b);
#pragma unroll 1
        for (int64_t k = 0; k < at.depth; k += WGMMA_DEPTH) {
            gm_mbarrier &full = shared.full[ring.slot];
            gm_mbarrier_wait(shared.empty[ring.slot], ring.parity ^ 1u);
            gm_mbarrier_arrive_expect(full, WGMMA_STAGE_BYTES);
            copy_box<WGMMA_ROWS, AK>(stages[ring.slot].a, job.map_a, box_a, full);
            copy_box<WGMMA_COLS, BK>(stages[ring.slot].b, job.map_b, box_b, full);
            advance_box(job.a, box_a);
            advance_box(job.b, box_b);
            ring.advance();
        }
    }
}

/* ---- the warpgroups that multiply -------------------------------------------------------------
 */

template <bool AK, bool BK>
__device__ __forceinline__ void multiply_warpgroup(float (&sums)[128], unsigned long long a,
                                                   unsigned long long b, __half) {
    gm_wgmma_m64n256k16_f16<!AK, !BK>(sums, a, b);
}
template <bool AK, bool BK>
__device__ __forceinline__ void multiply_warpgroup(float (&sums)[128], unsigned long long a,
                                                   unsigned long long b, __nv_bfloat16) {
    gm_wgmma_m64n256k16_bf16<!AK, !BK>(sums, a, b);
}

/* Values k .. k + 15 of a panel of a stage: along its lines, or 16 lines further for each 16. */
template <bool k_inner>
__device__ __forceinline__ unsigned long long wgmma_operand_at(const unsigned char *panel, int k) {
    return gm_wgmma_operand(panel + k * (k_inner ? 2 : WGMMA_LINE), WGMMA_DEPTH * WGMMA_LINE,
                            WGMMA_ATOM);
}

/* The sums of a tile over its piece of k. */
template <class tile, bool AK, bool BK>
__device__ __forceinline__ void multiply_tile(wgmma_shared &shared, wgmma_ring &ring, int64_t depth,
                                              int group, float (&sums)[128]) {
    typedef typename tile::arith::element element;
    wgmma_shared::stage *stages = wgmma_stages(shared);
    const bool signals = threadIdx.x % 32 == 0;
    int before = -1; /* the slot of the stage before */
    GM_UNROLL for (float &sum : sums) {
        sum = 0.0f;
    }
#pragma unroll 1
    for (int64_t k = 0; k < depth; k += WGMMA_DEPTH) {
        const unsigned char *a = stages[ring.slot].a + group * 64 * WGMMA_LINE;
        const unsigned char *b = stages[ring.slot].b;
        gm_mbarrier_wait(shared.full[ring.slot], ring.parity);
        gm_wgmma_fence();
        GM_UNROLL for (int step = 0; step < WGMMA_DEPTH; step += 16) {
            multiply_warpgroup<AK, BK>(sums, wgmma_operand_at<AK>(a, step),
                                       wgmma_operand_at<BK>(b, step), element{});
        }
        gm_wgmma_commit();
        gm_wgmma_wait<1>();
        if (signals && before >= 0) {
            gm_mbarrier_arrive(shared.empty[before]);
        }
        before = ring.slot;
        ring.advance();
    }
    gm_wgmma_wait<0>();
    if (signals) {
        gm_mbarrier_arrive(shared.empty[before]);
    }
}

/* 16 rows by 32 columns of a warp's sums to shared memory. Ends with a barrier of the warp. */
__device__ __forceinline__ void stage_sums(const float (&sums)[128], int chunk,
                                           float (&to)[16][wgmma_shared::PITCH]) {
    const int row = static_cast<int>(threadIdx.x % 32 / 4);
    const int column = static_cast<int>(threadIdx.x % 4 * 2);
    GM_UNROLL for (int i = 0; i < WGMMA_COLS / wgmma_shared::CHUNK; ++i) {
        if (i == chunk) { /* registers are named by constants */
            GM_UNROLL for (int v = 0; v < 16; v += 2) {
                *reinterpret_cast<float2 *>(&to[row + v / 2 % 2 * 8][column + v / 4 * 8]) =
                    make_float2(sums[i * 16 + v], sums[i * 16 + v + 1]);
            }
        }
    }
    __syncwarp();
}

/* A warp's 16 rows of a tile to d. Ends with a barrier of the warp. */
template <class tile>
__device__ __forceinline__ void store_rows(const job<float> &job, const tile_place &at, int first,
                                           float (&chunk)[16][wgmma_shared::PITCH],
                                           places (&rows)[16], const float (&sums)[128]) {
    const int lane = static_cast<int>(threadIdx.x % 32);
    const int count = at.rows - first < 16 ? at.rows - first : 16;
    const bool plain = job.splits == 1 && job.activation == GM_ACTIVATION_NONE && job.sample == 0;
    if (lane < count) {
        rows[lane] = walk<places>(job.batch_modes(), job.batches, at.batch) +
                     walk<places>(job.m_modes(), job.ms, at.row + first + lane);
    }
#pragma unroll 1
    for (int i = 0; i * wgmma_shared::CHUNK < at.columns; ++i) {
        stage_sums(sums, i, chunk); /* the first time, the places are there too */
        const int column = i * wgmma_shared::CHUNK + lane;
        const places across = walk<places>(job.n_modes(), job.ns, at.column + column);
        if (column < at.columns && plain) {
#pragma unroll 4
            for (int row = 0; row < count; ++row) {
                const places place = rows[row] + across;
                put(job.d, job.output, place.d, combined(job, chunk[row][lane], place));
            }
        } else if (column < at.columns) {
#pragma unroll 1
            for (int row = 0; row < count; ++row) {
                leave<tile>(job, at, first + row, column, rows[row] + across, chunk[row][lane]);
            }
        }
        __syncwarp(); /* the chunk, and after the last the places, may be overwritten */
    }
}

template <class tile, bool AK, bool BK>
__device__ __forceinline__ void multiply_tiles(const wgmma_job &job, wgmma_shared &shared) {
    const int64_t tiles = wgmma_tiles(job.common);
    const int warp = static_cast<int>(threadIdx.x / 32) - 4;
    wgmma_ring ring = {0, 0};
    for (int64_t index = blockIdx.x; index < tiles; index += gridDim.x) {
        const tile_place at = place_of<tile, WGMMA_RASTER>(job.common, index);
        float sums[128];
        multiply_tile<tile, AK, BK>(shared, ring, at.depth, warp / 4, sums);
        store_rows<tile>(job.common, at, warp * 16, shared.chunk[warp], shared.rows[warp], sums);
    }
}

template <class arith, bool AK, bool BK>
__global__ void __launch_bounds__(WGMMA_THREADS, 1) wgmma(const __grid_constant__ wgmma_job job) {
#if GM_HAS_HOPPER
    typedef wgmma_shared shared_struct;
    typedef wgmma_tile<arith> tile;
    GM_SHARED(shared_struct, shared);
    if (threadIdx.x == 0) {
        GM_UNROLL for (int i = 0; i < WGMMA_STAGES; ++i) {
            gm_mbarrier_init(shared.full[i], 1);
            gm_mbarrier_init(shared.empty[i], WGMMA_WARPS);
        }
        gm_mbarrier_fence_init();
    }
    __syncthreads(); /* the mbarriers are there */
    if (threadIdx.x < 128) {
        gm_registers_lower<WGMMA_REGISTERS_COPY>();
        if (threadIdx.x == 0) {
            copy_tiles<tile, AK, BK>(job, shared);
        }
    } else {
        gm_registers_raise<WGMMA_REGISTERS_MULTIPLY>();
        multiply_tiles<tile, AK, BK>(job, shared);
    }
#else
    (void)job;
    __trap(); /* the host launches it on nothing else */
#endif
}

} // namespace contract
} // namespace gm
