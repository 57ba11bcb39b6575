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
#include "encode_map.h"

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

} // namespace

#include "seeded_products.h"

namespace {

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
