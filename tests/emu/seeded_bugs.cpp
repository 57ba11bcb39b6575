// Kernels with one bug each, and their corrected twins. `seeded_bugs NAME bug` must be caught: by a
// wrong result or a report under some schedule, or by the sanitizer it is built with.
// `seeded_bugs NAME fixed` must print nothing and return 0. test_seeded_bugs runs both for every
// name and holds what must catch each.
#include <stdio.h>
#include <string.h>

#include <string>
#include <vector>

#include <cuda_bf16.h>

#include "kernels/block.cuh"
#include "kernels/cp_async.cuh"
#include "kernels/hopper.cuh"

#include "emu.h"

namespace {

constexpr unsigned full = 0xffffffffu;

struct floats {
    alignas(16) float value[256];
};

// A device array that lives as long as the program, which runs one case.
template <class T> T *upload(const std::vector<T> &values) {
    T *data = nullptr;
    cudaMalloc(&data, values.size() * sizeof(T));
    cudaMemcpy(data, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice);
    return data;
}

float *upload_counting(size_t n) {
    std::vector<float> values(n);
    for (size_t i = 0; i < n; ++i) {
        values[i] = static_cast<float>(i + 1);
    }
    return upload(values);
}

float *blank(size_t n) {
    float *data = nullptr;
    cudaMalloc(&data, n * sizeof(float));
    return data;
}

// Empty if out[i] == expected(i) for all i, else what is wrong.
template <class Expected> std::string compare(const float *out, size_t n, Expected expected) {
    std::vector<float> result(n);
    if (cudaMemcpy(result.data(), out, n * sizeof(float), cudaMemcpyDeviceToHost) != cudaSuccess) {
        return emu_report();
    }
    for (size_t i = 0; i < n; ++i) {
        if (!(result[i] == static_cast<float>(expected(i)))) {
            char text[128];
            snprintf(text, sizeof text, "wrong result under schedule %s: [%zu] is %g, not %g\n",
                     emu_schedule(), i, static_cast<double>(result[i]),
                     static_cast<double>(expected(i)));
            return text;
        }
    }
    return "";
}

// ---- order between threads -------------------------------------------------------------------

template <bool bug> __global__ void missing_barrier(const float *in, float *out) {
    GM_SHARED(floats, shared);
    const unsigned i = threadIdx.x;
    shared.value[i] = in[i];
    if (!bug) {
        __syncthreads();
    }
    out[i] = shared.value[blockDim.x - 1 - i];
}

template <bool bug> std::string run_missing_barrier() {
    float *out = blank(256);
    GM_LAUNCH(missing_barrier<bug>, 1, 256, sizeof(floats), nullptr, upload_counting(256), out);
    return compare(out, 256, [](size_t i) { return 256 - i; });
}

template <bool bug> __global__ void missing_syncwarp(const float *in, float *out) {
    GM_SHARED(floats, shared);
    const unsigned i = threadIdx.x;
    shared.value[i] = in[i];
    if (!bug) {
        __syncwarp();
    }
    out[i] = shared.value[i ^ 1u];
}

template <bool bug> std::string run_missing_syncwarp() {
    float *out = blank(64);
    GM_LAUNCH(missing_syncwarp<bug>, 1, 64, sizeof(floats), nullptr, upload_counting(64), out);
    return compare(out, 64, [](size_t i) { return (i ^ 1u) + 1; });
}

// The tile of one step is overwritten by the next before everyone has read it.
template <bool bug> __global__ void stale_shared(const float *in, float *out) {
    GM_SHARED(floats, shared);
    const unsigned i = threadIdx.x;
    float sum = 0.0f;
    for (unsigned step = 0; step < 4; ++step) {
        shared.value[i] = in[step * 64 + i];
        __syncthreads();
        sum += shared.value[63 - i];
        if (!bug) {
            __syncthreads();
        }
    }
    out[i] = sum;
}

template <bool bug> std::string run_stale_shared() {
    float *out = blank(64);
    GM_LAUNCH(stale_shared<bug>, 1, 64, sizeof(floats), nullptr, upload_counting(256), out);
    return compare(out, 64, [](size_t i) { return 4 * (64 - i) + 64 * 6; });
}

template <bool bug> __global__ void missing_atomic(float *sum) {
    if (bug) {
        *sum += 1.0f;
    } else {
        atomicAdd(sum, 1.0f);
    }
}

template <bool bug> std::string run_missing_atomic() {
    float *sum = upload(std::vector<float>(1, 0.0f));
    GM_LAUNCH(missing_atomic<bug>, 4, 64, 0, nullptr, sum);
    return compare(sum, 1, [](size_t) { return 256; });
}

// Only the first thread of each block adds, so that the race is between blocks, with a barrier
// after it that orders nothing between them.
template <bool bug> __global__ void block_race(float *sum) {
    if (threadIdx.x == 0) {
        if (bug) {
            *sum += 1.0f;
        } else {
            atomicAdd(sum, 1.0f);
        }
    }
    __syncthreads();
}

template <bool bug> std::string run_block_race() {
    float *sum = upload(std::vector<float>(1, 0.0f));
    GM_LAUNCH(block_race<bug>, 8, 64, 0, nullptr, sum);
    return compare(sum, 1, [](size_t) { return 8; });
}

// A block passes on what the block before it wrote; the twin computes it itself.
template <bool bug> __global__ void block_order(float *out) {
    const unsigned b = blockIdx.x;
    if (bug) {
        out[b] = b == 0 ? 1.0f : out[b - 1] + 1.0f;
    } else {
        out[b] = static_cast<float>(b) + 1.0f;
    }
}

template <bool bug> std::string run_block_order() {
    float *out = blank(8);
    GM_LAUNCH(block_order<bug>, 8, 1, 0, nullptr, out);
    return compare(out, 8, [](size_t i) { return i + 1; });
}

// The last block to finish adds up what all blocks wrote, which needs the fence.
template <bool bug> __global__ void missing_fence(float *parts, unsigned *done, float *sum) {
    parts[blockIdx.x] = static_cast<float>(blockIdx.x) + 1.0f;
    if (!bug) {
        __threadfence();
    }
    if (atomicAdd(done, 1u) == gridDim.x - 1) {
        float total = 0.0f;
        for (unsigned b = 0; b < gridDim.x; ++b) {
            total += parts[b];
        }
        *sum = total;
    }
}

template <bool bug> std::string run_missing_fence() {
    float *sum = blank(1);
    GM_LAUNCH(missing_fence<bug>, 8, 1, 0, nullptr, blank(8), upload(std::vector<unsigned>(1, 0u)),
              sum);
    return compare(sum, 1, [](size_t) { return 36; });
}

// ---- barriers and warp functions -------------------------------------------------------------

template <bool bug> __global__ void divergent_barrier(float *out) {
    GM_SHARED(floats, shared);
    shared.value[threadIdx.x] = 1.0f;
    if (bug && threadIdx.x % 2 == 0) {
        __syncthreads();
        shared.value[threadIdx.x] += 1.0f;
    }
    __syncthreads();
    out[threadIdx.x] = shared.value[threadIdx.x];
}

template <bool bug> std::string run_divergent_barrier() {
    float *out = blank(64);
    GM_LAUNCH(divergent_barrier<bug>, 1, 64, sizeof(floats), nullptr, out);
    return compare(out, 64, [](size_t) { return 1; });
}

// The block ends within its second warp, whose upper lanes do not exist.
template <bool bug> __global__ void absent_lane(float *out) {
    const unsigned i = threadIdx.x;
    out[i] = __shfl_down_sync(full, static_cast<float>(i), 4, bug ? 32 : 8);
}

template <bool bug> std::string run_absent_lane() {
    float *out = blank(40);
    GM_LAUNCH(absent_lane<bug>, 1, 40, 0, nullptr, out);
    return compare(out, 40, [](size_t i) { return i % 8 < 4 ? i + 4 : i; });
}

template <bool bug> __global__ void wrong_mask(float *out) {
    const unsigned i = threadIdx.x;
    const unsigned mask = bug ? 0x0000ffffu : (i < 16 ? 0x0000ffffu : 0xffff0000u);
    out[i] = __shfl_xor_sync(mask, static_cast<float>(i), 1);
}

template <bool bug> std::string run_wrong_mask() {
    float *out = blank(32);
    GM_LAUNCH(wrong_mask<bug>, 1, 32, 0, nullptr, out);
    return compare(out, 32, [](size_t i) { return i ^ 1u; });
}

template <bool bug> __global__ void early_exit(int n, float *out) {
    const int i = static_cast<int>(threadIdx.x);
    if (bug && i >= n) {
        return;
    }
    const float sum = gm_warp_sum(i < n ? 1.0f : 0.0f);
    if (i < n) {
        out[i] = sum;
    }
}

template <bool bug> std::string run_early_exit() {
    float *out = blank(20);
    GM_LAUNCH(early_exit<bug>, 1, 32, 0, nullptr, 20, out);
    return compare(out, 20, [](size_t) { return 20; });
}

// One lane waits for the block while its warp waits for the lane.
template <bool bug> __global__ void deadlock(float *out) {
    const bool first = threadIdx.x == 0;
    if (bug && first) {
        __syncthreads();
    }
    out[threadIdx.x] = __shfl_sync(full, static_cast<float>(threadIdx.x), 3);
    if (!bug || !first) {
        __syncthreads();
    }
}

template <bool bug> std::string run_deadlock() {
    float *out = blank(32);
    GM_LAUNCH(deadlock<bug>, 1, 32, 0, nullptr, out);
    return compare(out, 32, [](size_t) { return 3; });
}

// ---- memory ----------------------------------------------------------------------------------

template <bool bug> __global__ void shared_bounds(float *out) {
    GM_SHARED(floats, shared);
    float *first = shared.value;
    first[threadIdx.x + (bug ? 1u : 0u)] = 1.0f;
    __syncthreads();
    out[threadIdx.x] = first[threadIdx.x % 2 + 1];
}

template <bool bug> std::string run_shared_bounds() {
    float *out = blank(256);
    GM_LAUNCH(shared_bounds<bug>, 1, 256, sizeof(floats), nullptr, out);
    return compare(out, 256, [](size_t) { return 1; });
}

template <bool bug> __global__ void global_bounds(const float *in, float *out, unsigned n) {
    const unsigned i = threadIdx.x;
    if (bug || i < n) {
        out[i] = in[i] + 1.0f;
    }
}

template <bool bug> std::string run_global_bounds() {
    float *out = blank(101);
    GM_LAUNCH(global_bounds<bug>, 1, 128, 0, nullptr, upload_counting(101), out, 101);
    return compare(out, 101, [](size_t i) { return i + 2; });
}

template <bool bug> __global__ void use_after_free(const float *in, float *out) {
    out[threadIdx.x] = in[threadIdx.x];
}

template <bool bug> std::string run_use_after_free() {
    float *in = upload_counting(32);
    float *out = blank(32);
    if (bug) {
        cudaFree(in);
    }
    GM_LAUNCH(use_after_free<bug>, 1, 32, 0, nullptr, in, out);
    return compare(out, 32, [](size_t i) { return i + 1; });
}

template <bool bug> __global__ void misaligned(const float *in, float *out) {
    const float *start = in + 4 * threadIdx.x + (bug ? 1 : 0);
    const float4 four = *reinterpret_cast<const float4 *>(start);
    out[threadIdx.x] = four.x + four.y + four.z + four.w;
}

template <bool bug> std::string run_misaligned() {
    float *out = blank(16);
    GM_LAUNCH(misaligned<bug>, 1, 16, 0, nullptr, upload_counting(68), out);
    return compare(out, 16, [](size_t i) { return 16 * i + 10 + (bug ? 4 : 0); });
}

template <bool bug> __global__ void uninitialised(float *scratch, float *out) {
    const unsigned i = threadIdx.x;
    if (!bug || i % 7 != 0) {
        scratch[i] = 2.0f;
    }
    out[i] = scratch[i] * 3.0f;
}

template <bool bug> std::string run_uninitialised() {
    float *out = blank(64);
    GM_LAUNCH(uninitialised<bug>, 1, 64, 0, nullptr, blank(64), out);
    return compare(out, 64, [](size_t) { return 6; });
}

// Sums into shared memory that only the twin sets to zero. The first block would leave it so.
template <bool bug> __global__ void shared_uninitialised(float *out) {
    GM_SHARED(floats, shared);
    if (!bug) {
        shared.value[threadIdx.x] = 0.0f;
    }
    shared.value[threadIdx.x] += 1.0f;
    out[blockIdx.x * blockDim.x + threadIdx.x] = shared.value[threadIdx.x];
}

template <bool bug> std::string run_shared_uninitialised() {
    float *out = blank(128);
    GM_LAUNCH(shared_uninitialised<bug>, 2, 64, sizeof(floats), nullptr, out);
    return compare(out, 128, [](size_t) { return 1; });
}

template <bool bug> __global__ void missing_wait(const float *in, float *out) {
    GM_SHARED(floats, shared);
    const unsigned i = threadIdx.x;
    gm_cp_async<16>(&shared.value[4 * i], in + 4 * i);
    gm_cp_async_commit();
    if (!bug) {
        gm_cp_async_wait<0>();
    }
    out[i] = shared.value[4 * i] + shared.value[4 * i + 3];
}

template <bool bug> std::string run_missing_wait() {
    float *out = blank(64);
    GM_LAUNCH(missing_wait<bug>, 1, 64, sizeof(floats), nullptr, upload_counting(256), out);
    return compare(out, 64, [](size_t i) { return 8 * i + 5; });
}

// One group too many may be under way when the tile is read.
template <bool bug> __global__ void short_wait(const float *in, float *out) {
    GM_SHARED(floats, shared);
    const unsigned i = threadIdx.x;
    for (unsigned stage = 0; stage < 2; ++stage) {
        gm_cp_async<4>(&shared.value[64 * stage + i], in + 64 * stage + i);
        gm_cp_async_commit();
    }
    gm_cp_async_wait<bug ? 1 : 0>();
    out[i] = shared.value[i] + shared.value[64 + i];
}

template <bool bug> std::string run_short_wait() {
    float *out = blank(64);
    GM_LAUNCH(short_wait<bug>, 1, 64, sizeof(floats), nullptr, upload_counting(128), out);
    return compare(out, 64, [](size_t i) { return 2 * i + 66; });
}

template <bool bug> __global__ void large_frame(float *out) {
    volatile float local[bug ? 100000 : 100];
    for (int i = 0; i < (bug ? 100000 : 100); ++i) {
        local[i] = 1.0f;
    }
    out[threadIdx.x] = local[threadIdx.x];
}

template <bool bug> std::string run_large_frame() {
    float *out = blank(32);
    GM_LAUNCH(large_frame<bug>, 1, 32, 0, nullptr, out);
    return compare(out, 32, [](size_t) { return 1; });
}

// ---- bulk copies and products of a warpgroup -------------------------------------------------

enum class hopper_bug {
    none,
    missing_full_wait,
    wrong_phase,
    missing_empty_wait,
    early_release,
    short_expect,
    missing_init_fence,
    missing_wgmma_fence,
    missing_commit,
    missing_wgmma_wait,
    wrong_stride,
    divergent_operand,
    product_at_exit
};

constexpr unsigned product_slots = 2, product_steps = 4, product_depth = 64;
constexpr unsigned product_columns = 256;

struct product_shared {
    struct slot {
        unsigned char a[64 * 128], b[product_columns * 128];
    };
    alignas(16) unsigned char slots[product_slots * sizeof(slot) + 1008];
    gm_mbarrier full[product_slots], empty[product_slots];
};

struct product_maps {
    CUtensorMap a, b;
};

// Thread 128 copies, warpgroup 0 multiplies: 64 x 256 sums over 4 x 64 values of k.
template <hopper_bug bug>
__device__ void copy_operands(const product_maps &maps, product_shared &shared,
                              product_shared::slot *slots) {
    for (unsigned step = 0; step < product_steps; ++step) {
        const unsigned slot = step % product_slots, round = step / product_slots;
        const int at[5] = {static_cast<int>(step * product_depth), 0, 0, 0, 0};
        if (bug != hopper_bug::missing_empty_wait) {
            gm_mbarrier_wait(shared.empty[slot], ~round & 1u);
        }
        gm_mbarrier_arrive_expect(
            shared.full[slot], bug == hopper_bug::short_expect ? sizeof slots->b : sizeof *slots);
        gm_bulk_tensor_load(slots[slot].a, maps.a, at, shared.full[slot]);
        gm_bulk_tensor_load(slots[slot].b, maps.b, at, shared.full[slot]);
    }
}

template <hopper_bug bug>
__device__ void multiply_slot(const product_shared::slot &slot, float (&sums)[128]) {
    if (bug != hopper_bug::missing_wgmma_fence) {
        gm_wgmma_fence();
    }
    for (unsigned k = 0; k < product_depth; k += 16) {
        const bool strays = bug == hopper_bug::divergent_operand && threadIdx.x == 77;
        gm_wgmma_m64n256k16_bf16<false, false>(
            sums, gm_wgmma_operand(slot.a + 2 * k + (strays ? 32 : 0), 16, 1024),
            gm_wgmma_operand(slot.b + 2 * k, 16, bug == hopper_bug::wrong_stride ? 2048 : 1024));
    }
    if (bug != hopper_bug::missing_commit) {
        gm_wgmma_commit();
    }
}

template <hopper_bug bug>
__device__ void multiply_operands(product_shared &shared, const product_shared::slot *slots,
                                  float *out) {
    float sums[128] = {};
    for (unsigned step = 0; step < product_steps; ++step) {
        const unsigned slot = step % product_slots, round = step / product_slots;
        if (bug != hopper_bug::missing_full_wait) {
            gm_mbarrier_wait(shared.full[slot],
                             (bug == hopper_bug::wrong_phase ? ~round : round) & 1u);
        }
        multiply_slot<bug>(slots[slot], sums);
        if (bug != hopper_bug::missing_wgmma_wait && bug != hopper_bug::early_release &&
            (bug != hopper_bug::product_at_exit || step + 1 < product_steps)) {
            gm_wgmma_wait<0>();
        }
        if (threadIdx.x % 32 == 0) {
            gm_mbarrier_arrive(shared.empty[slot]);
        }
        if (bug == hopper_bug::early_release) {
            gm_wgmma_wait<0>();
        }
    }
    for (unsigned v = 0; v < 128; ++v) {
        out[v * 128 + threadIdx.x] = sums[v];
    }
}

template <hopper_bug bug>
__global__ void product(const __grid_constant__ product_maps maps, float *out) {
    GM_SHARED(product_shared, shared);
    if (threadIdx.x == 0) {
        for (unsigned slot = 0; slot < product_slots; ++slot) {
            gm_mbarrier_init(shared.full[slot], 1);
            gm_mbarrier_init(shared.empty[slot], 4);
        }
        if (bug != hopper_bug::missing_init_fence) {
            gm_mbarrier_fence_init();
        }
    }
    __syncthreads();
    unsigned char *start = shared.slots + (1024 - gm_shared_address(shared.slots) % 1024) % 1024;
    product_shared::slot *slots = reinterpret_cast<product_shared::slot *>(start);
    if (threadIdx.x < 128) {
        multiply_operands<bug>(shared, slots, out);
    } else if (threadIdx.x == 128) {
        copy_operands<bug>(maps, shared, slots);
    }
}

CUtensorMap map_of(__nv_bfloat16 *data, unsigned rows) {
    typedef CUresult encode_function(CUtensorMap *, CUtensorMapDataType, cuuint32_t, void *,
                                     const cuuint64_t *, const cuuint64_t *, const cuuint32_t *,
                                     const cuuint32_t *, CUtensorMapInterleave, CUtensorMapSwizzle,
                                     CUtensorMapL2promotion, CUtensorMapFloatOOBfill);
    void *function = nullptr;
    cudaDriverEntryPointQueryResult result;
    cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, 12000, cudaEnableDefault,
                                     &result);
    const cuuint64_t depth = product_depth * product_steps;
    const cuuint64_t extent[] = {depth, rows, 1, 1, 1}, stride[] = {2 * depth, 16, 16, 16};
    const cuuint32_t box[] = {product_depth, rows, 1, 1, 1}, step[] = {1, 1, 1, 1, 1};
    CUtensorMap map = {};
    reinterpret_cast<encode_function *>(function)(
        &map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 5, data, extent, stride, box, step,
        CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_NONE,
        CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
    return map;
}

// Ones times 1, 2, 3 and 4, a number for each step.
template <hopper_bug bug> std::string run_product() {
    const size_t depth = product_depth * product_steps;
    std::vector<__nv_bfloat16> a(64 * depth), b(product_columns * depth);
    for (size_t i = 0; i < a.size(); ++i) {
        a[i] = __float2bfloat16(static_cast<float>(1 + i % depth / product_depth));
    }
    for (__nv_bfloat16 &value : b) {
        value = __float2bfloat16(1.0f);
    }
    const product_maps maps = {map_of(upload(a), 64), map_of(upload(b), product_columns)};
    float *out = blank(64 * product_columns);
    cudaFuncSetAttribute(product<bug>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                         sizeof(product_shared));
    GM_LAUNCH(product<bug>, 1, 160, sizeof(product_shared), nullptr, maps, out);
    return compare(out, 64 * product_columns, [](size_t) { return 640; });
}

#define SEEDED_PRODUCT(name)                                                                       \
    template <bool bug> std::string run_##name() {                                                 \
        return run_product < bug ? hopper_bug::name : hopper_bug::none > ();                       \
    }
SEEDED_PRODUCT(missing_full_wait)
SEEDED_PRODUCT(wrong_phase)
SEEDED_PRODUCT(missing_empty_wait)
SEEDED_PRODUCT(early_release)
SEEDED_PRODUCT(short_expect)
SEEDED_PRODUCT(missing_init_fence)
SEEDED_PRODUCT(missing_wgmma_fence)
SEEDED_PRODUCT(missing_commit)
SEEDED_PRODUCT(missing_wgmma_wait)
SEEDED_PRODUCT(wrong_stride)
SEEDED_PRODUCT(divergent_operand)
SEEDED_PRODUCT(product_at_exit)

// ---- host ------------------------------------------------------------------------------------

template <bool bug> __global__ void count_up(float *out) {
    out[threadIdx.x] = static_cast<float>(threadIdx.x);
}

// Reads the result of an asynchronous copy without waiting for it.
template <bool bug> std::string run_missing_synchronise() {
    cudaStream_t stream;
    float *host = nullptr;
    cudaStreamCreate(&stream);
    cudaMallocHost(&host, 32 * sizeof(float));
    float *out = blank(32);
    GM_LAUNCH(count_up<bug>, 1, 32, 0, stream, out);
    cudaMemcpyAsync(host, out, 32 * sizeof(float), cudaMemcpyDeviceToHost, stream);
    if (!bug) {
        cudaStreamSynchronize(stream);
    }
    const bool right = host[31] == 31.0f;
    cudaStreamDestroy(stream);
    return right ? "" : "wrong result: the copy has not landed\n";
}

template <bool bug> std::string run_missing_event() {
    cudaStream_t producer, consumer;
    cudaEvent_t event;
    cudaStreamCreate(&producer);
    cudaStreamCreate(&consumer);
    cudaEventCreate(&event);
    float *data = blank(32);
    float *copy = blank(32);
    GM_LAUNCH(count_up<bug>, 1, 32, 0, producer, data);
    cudaEventRecord(event, producer);
    if (!bug) {
        cudaStreamWaitEvent(consumer, event);
    }
    cudaMemcpyAsync(copy, data, 32 * sizeof(float), cudaMemcpyDeviceToDevice, consumer);
    cudaStreamSynchronize(consumer);
    return compare(copy, 32, [](size_t i) { return i; });
}

template <bool bug> std::string run_host_access() {
    float *data = upload_counting(32);
    float local = 32.0f;
    if (!bug) {
        cudaMemcpy(&local, data + 31, sizeof local, cudaMemcpyDeviceToHost);
    }
    const volatile float *read = bug ? data + 31 : &local;
    return *read == 32.0f ? "" : "wrong result\n";
}

struct seeded_case {
    const char *name;
    std::string (*bug)();
    std::string (*fixed)();
};

#define SEEDED(name)                                                                               \
    { #name, run_##name < true>, run_##name < false> }
const seeded_case cases[] = {
    SEEDED(missing_barrier),     SEEDED(missing_syncwarp),  SEEDED(stale_shared),
    SEEDED(missing_atomic),      SEEDED(block_race),        SEEDED(block_order),
    SEEDED(missing_fence),       SEEDED(divergent_barrier), SEEDED(absent_lane),
    SEEDED(wrong_mask),          SEEDED(early_exit),        SEEDED(deadlock),
    SEEDED(shared_bounds),       SEEDED(global_bounds),     SEEDED(use_after_free),
    SEEDED(misaligned),          SEEDED(uninitialised),     SEEDED(shared_uninitialised),
    SEEDED(missing_wait),        SEEDED(short_wait),        SEEDED(large_frame),
    SEEDED(missing_synchronise), SEEDED(missing_event),     SEEDED(host_access),
    SEEDED(missing_full_wait),   SEEDED(wrong_phase),       SEEDED(missing_empty_wait),
    SEEDED(early_release),       SEEDED(short_expect),      SEEDED(missing_init_fence),
    SEEDED(missing_wgmma_fence), SEEDED(missing_commit),    SEEDED(missing_wgmma_wait),
    SEEDED(wrong_stride),        SEEDED(divergent_operand), SEEDED(product_at_exit),
};

// What GENMATH_EMU_SCHEDULE has chosen; if it names no schedule, launches must fail.
int show_schedule() {
    GM_LAUNCH(count_up<false>, 1, 32, 0, nullptr, blank(32));
    if (emu_schedule()[0] == '\0' && cudaGetLastError() == cudaErrorInvalidValue) {
        puts("no schedule: launches fail");
        return 1;
    }
    puts(emu_schedule());
    return cudaDeviceSynchronize() == cudaSuccess ? 0 : 1;
}

} // namespace

int main(int argc, char **argv) {
    static const char *const schedules[] = {"forward",  "reverse",  "warp-ahead",
                                            "random:1", "random:2", "random:3"};
    if (argc == 3 && strcmp(argv[1], "schedule") == 0) {
        return show_schedule();
    }
    for (const seeded_case &entry : cases) {
        if (argc != 3 || strcmp(argv[1], entry.name) != 0) {
            continue;
        }
        for (const char *schedule : schedules) {
            emu_set_schedule(schedule);
            const std::string wrong = strcmp(argv[2], "bug") == 0 ? entry.bug() : entry.fixed();
            if (!wrong.empty()) {
                fputs(wrong.c_str(), stderr);
                return 1;
            }
        }
        return 0;
    }
    fprintf(stderr, "usage: seeded_bugs NAME bug|fixed\n");
    return 2;
}
