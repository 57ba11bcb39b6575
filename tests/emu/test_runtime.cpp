// Memory, copies, streams, events, errors and limits, as a host program meets them on a device.
#include <math.h>

#include "emu_test.h"

namespace {

const float unset = -1.0f;

bool is_poison(float value) {
    unsigned bits;
    memcpy(&bits, &value, sizeof bits);
    return bits == 0xffffffffu;
}

__global__ void fill(float *out, float value, int n) {
    const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    if (i < n) {
        out[i] = value;
    }
}

__global__ void add(float *out, const float *in, float value) {
    out[threadIdx.x] = in[threadIdx.x] + value;
}

// A pinned buffer and a stream for the length of a test.
struct fixture {
    float *pinned = nullptr;
    cudaStream_t stream = nullptr;
    fixture() {
        CHECK_CUDA(cudaMallocHost(&pinned, 32 * sizeof(float)));
        CHECK_CUDA(cudaStreamCreate(&stream));
        for (int i = 0; i < 32; ++i) {
            pinned[i] = unset;
        }
    }
    ~fixture() {
        cudaStreamDestroy(stream);
        cudaFreeHost(pinned);
    }
    fixture(const fixture &) = delete;
    fixture &operator=(const fixture &) = delete;
};

constexpr size_t bytes = 32 * sizeof(float);

// ---- memory ----------------------------------------------------------------------------------

void test_memory_is_poisoned(void **) {
    device_array<float> data(1000);
    for (float value : data.values()) {
        assert_true(is_poison(value));
    }
    float *pinned = nullptr;
    CHECK_CUDA(cudaMallocHost(&pinned, 8));
    assert_true(is_poison(pinned[0]) && is_poison(pinned[1]));
    CHECK_CUDA(cudaFreeHost(pinned));
}

void test_allocation(void **) {
    void *p = &p;
    CHECK_CUDA(cudaMalloc(&p, 0));
    assert_null(p);
    CHECK_CUDA(cudaFree(nullptr));
    size_t free_before, free_during, total;
    CHECK_CUDA(cudaMemGetInfo(&free_before, &total));
    assert_int_equal(cudaMalloc(&p, total + 1), cudaErrorMemoryAllocation);
    assert_null(p);
    assert_int_equal(cudaGetLastError(), cudaErrorMemoryAllocation);
    assert_int_equal(cudaGetLastError(), cudaSuccess);
    for (size_t size : {size_t{1}, size_t{100}, size_t{256}, size_t{4096}, size_t{10000}}) {
        CHECK_CUDA(cudaMalloc(&p, size));
        assert_int_equal(reinterpret_cast<uintptr_t>(p) % 16, 0);
        assert_true(size % 256 != 0 || reinterpret_cast<uintptr_t>(p) % 256 == 0);
        CHECK_CUDA(cudaMemGetInfo(&free_during, &total));
        assert_int_equal(free_before - free_during, size);
        assert_int_equal(cudaFree(static_cast<char *>(p) + 1), cudaErrorInvalidValue);
        assert_int_equal(cudaFreeHost(p), cudaErrorInvalidValue);
        CHECK_CUDA(cudaFree(p));
        assert_int_equal(cudaFree(p), cudaErrorInvalidValue);
    }
    CHECK_CUDA(cudaMemGetInfo(&free_during, &total));
    assert_int_equal(free_before, free_during);
    assert_int_equal(cudaGetLastError(), cudaErrorInvalidValue);
}

void test_pointer_attributes(void **) {
    fixture f;
    device_array<float> data(8);
    float local = 0;
    struct cudaPointerAttributes attributes;
    CHECK_CUDA(cudaPointerGetAttributes(&attributes, data.data() + 7));
    assert_int_equal(attributes.type, cudaMemoryTypeDevice);
    CHECK_CUDA(cudaPointerGetAttributes(&attributes, f.pinned));
    assert_int_equal(attributes.type, cudaMemoryTypeHost);
    CHECK_CUDA(cudaPointerGetAttributes(&attributes, &local));
    assert_int_equal(attributes.type, cudaMemoryTypeUnregistered);
}

void test_copies_check_their_pointers(void **) {
    device_array<float> device(32);
    fixture f;
    std::vector<float> host(64, 1.0f);
    float *d = device.data();
    const size_t n = bytes;
    struct {
        void *target;
        const void *source;
        size_t size;
        cudaMemcpyKind kind;
        cudaError_t expected;
    } const cases[] = {
        {d, host.data(), n, cudaMemcpyHostToDevice, cudaSuccess},
        {d, f.pinned, n, cudaMemcpyHostToDevice, cudaSuccess},
        {d, host.data(), n, cudaMemcpyDefault, cudaSuccess},
        {host.data(), d, n, cudaMemcpyDeviceToHost, cudaSuccess},
        {host.data(), d, n, cudaMemcpyDefault, cudaSuccess},
        {f.pinned, d, n, cudaMemcpyDeviceToDevice, cudaSuccess},
        {host.data(), host.data() + 32, n, cudaMemcpyHostToHost, cudaSuccess},
        {d, host.data(), 0, cudaMemcpyHostToDevice, cudaSuccess},
        {host.data() + 32, host.data(), n, cudaMemcpyHostToDevice, cudaErrorInvalidValue},
        {d, d, n, cudaMemcpyHostToDevice, cudaErrorInvalidValue},
        {host.data(), host.data() + 32, n, cudaMemcpyDeviceToHost, cudaErrorInvalidValue},
        {d, d, n, cudaMemcpyDeviceToHost, cudaErrorInvalidValue},
        {d, host.data(), n, cudaMemcpyDeviceToDevice, cudaErrorInvalidValue},
        {d, host.data(), n, cudaMemcpyHostToHost, cudaErrorInvalidValue},
        {d, host.data(), n + 1, cudaMemcpyHostToDevice, cudaErrorInvalidValue},
        {d + 1, host.data(), n, cudaMemcpyHostToDevice, cudaErrorInvalidValue},
        {d, nullptr, n, cudaMemcpyHostToDevice, cudaErrorInvalidValue},
        {nullptr, host.data(), n, cudaMemcpyHostToDevice, cudaErrorInvalidValue},
        {d, host.data(), n, static_cast<cudaMemcpyKind>(7), cudaErrorInvalidMemcpyDirection},
    };
    for (const auto &c : cases) {
        assert_int_equal(cudaMemcpy(c.target, c.source, c.size, c.kind), c.expected);
        assert_int_equal(cudaMemcpyAsync(c.target, c.source, c.size, c.kind, f.stream), c.expected);
        assert_int_equal(cudaGetLastError(), c.expected);
    }
    assert_int_equal(cudaMemset(host.data(), 0, n), cudaErrorInvalidValue);
    assert_int_equal(cudaMemset(d, 0, n + 4), cudaErrorInvalidValue);
    assert_int_equal(cudaMemsetAsync(d, 0, n, reinterpret_cast<cudaStream_t>(&device)),
                     cudaErrorInvalidResourceHandle);
    CHECK_CUDA(cudaDeviceSynchronize());
    cudaGetLastError();
}

void test_host_access_can_be_allowed(void **) {
    device_array<float> data(std::vector<float>(32, 3.0f));
    assert_int_equal(emu_protect_memory(0), 1);
    assert_true(data.data()[31] == 3.0f);
    assert_int_equal(emu_protect_memory(1), 0);
    assert_int_equal(emu_protect_memory(1), 1);
}

// ---- streams ---------------------------------------------------------------------------------

// Each entry waits for the work in another way; nothing else makes it visible.
void test_work_is_done_when_waited_for(void **) {
    for (int way = 0; way < 8; ++way) {
        fixture f;
        device_array<float> data(32);
        cudaEvent_t event;
        CHECK_CUDA(cudaEventCreate(&event));
        GM_LAUNCH(fill, 1, 32, 0, f.stream, data.data(), 5.0f, 32);
        CHECK_CUDA(cudaMemcpyAsync(f.pinned, data.data(), bytes, cudaMemcpyDeviceToHost, f.stream));
        CHECK_CUDA(cudaEventRecord(event, f.stream));
        assert_true(is_poison(f.pinned[0]) && is_poison(f.pinned[31]));
        float other;
        switch (way) {
        case 0:
            CHECK_CUDA(cudaStreamSynchronize(f.stream));
            break;
        case 1:
            CHECK_CUDA(cudaDeviceSynchronize());
            break;
        case 2:
            CHECK_CUDA(cudaEventSynchronize(event));
            break;
        case 3: // a blocking copy in the default stream, which waits for blocking streams
            CHECK_CUDA(cudaMemcpy(&other, data.data(), 4, cudaMemcpyDeviceToHost));
            assert_true(other == 5.0f);
            break;
        case 4:
            CHECK_CUDA(cudaStreamDestroy(f.stream));
            CHECK_CUDA(cudaStreamCreate(&f.stream));
            break;
        case 5: {
            int queries = 0;
            while (cudaStreamQuery(f.stream) == cudaErrorNotReady) {
                ++queries;
            }
            assert_int_equal(queries, 3);
            break;
        }
        case 6:
            while (cudaEventQuery(event) == cudaErrorNotReady) {
            }
            break;
        case 7: { // freeing waits for all work
            float *scratch;
            CHECK_CUDA(cudaMalloc(&scratch, 4));
            CHECK_CUDA(cudaFree(scratch));
            break;
        }
        }
        assert_true(f.pinned[0] == 5.0f && f.pinned[31] == 5.0f);
        cudaGetLastError();
        CHECK_CUDA(cudaEventDestroy(event));
    }
}

void test_arguments_and_pageable_sources_are_copied(void **) {
    fixture f;
    device_array<float> data(32);
    std::vector<float> host(32, 1.0f);
    float value = 2.0f;
    CHECK_CUDA(cudaMemcpyAsync(data.data(), host.data(), bytes, cudaMemcpyHostToDevice, f.stream));
    GM_LAUNCH(add, 1, 32, 0, f.stream, data.data(), data.data(), value);
    host[0] = value = 100.0f;
    CHECK_CUDA(cudaStreamSynchronize(f.stream));
    assert_true(data.values()[0] == 3.0f);
    // A pinned source is read when the copy runs, as the hardware does.
    f.pinned[0] = 1.0f;
    CHECK_CUDA(cudaMemcpyAsync(data.data(), f.pinned, 4, cudaMemcpyHostToDevice, f.stream));
    f.pinned[0] = 9.0f;
    CHECK_CUDA(cudaStreamSynchronize(f.stream));
    assert_true(data.values()[0] == 9.0f);
}

void test_default_stream_is_ordered_with_blocking_streams(void **) {
    for (unsigned flags : {cudaStreamDefault, cudaStreamNonBlocking}) {
        cudaStream_t first, second;
        CHECK_CUDA(cudaStreamCreateWithFlags(&first, flags));
        CHECK_CUDA(cudaStreamCreateWithFlags(&second, flags));
        device_array<float> data(32);
        GM_LAUNCH(fill, 1, 32, 0, first, data.data(), 1.0f, 32);
        GM_LAUNCH(add, 1, 32, 0, nullptr, data.data(), data.data(), 1.0f);
        GM_LAUNCH(add, 1, 32, 0, second, data.data(), data.data(), 1.0f);
        CHECK_CUDA(cudaStreamSynchronize(second));
        float value;
        emu_protect_memory(0);
        value = data.data()[5];
        emu_protect_memory(1);
        if (flags == cudaStreamNonBlocking) {
            assert_true(isnan(value)); // nothing made the second stream wait
        } else {
            assert_true(value == 3.0f);
        }
        CHECK_CUDA(cudaStreamDestroy(first));
        CHECK_CUDA(cudaStreamDestroy(second));
    }
}

void test_streams_are_unordered_without_an_event(void **) {
    for (bool ordered : {false, true}) {
        fixture f;
        cudaStream_t other;
        cudaEvent_t event;
        CHECK_CUDA(cudaStreamCreate(&other));
        CHECK_CUDA(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
        CHECK_CUDA(cudaStreamWaitEvent(other, event)); // not recorded yet: no effect
        device_array<float> data(32);
        GM_LAUNCH(fill, 1, 32, 0, f.stream, data.data(), 1.0f, 32);
        CHECK_CUDA(cudaEventRecord(event, f.stream));
        GM_LAUNCH(fill, 1, 32, 0, f.stream, data.data(), 7.0f, 32);
        if (ordered) {
            CHECK_CUDA(cudaStreamWaitEvent(other, event));
        }
        CHECK_CUDA(cudaMemcpyAsync(f.pinned, data.data(), bytes, cudaMemcpyDeviceToHost, other));
        CHECK_CUDA(cudaStreamSynchronize(other));
        // With the event: what was before its record, and not what came after.
        assert_true(ordered ? f.pinned[3] == 1.0f : is_poison(f.pinned[3]));
        CHECK_CUDA(cudaEventDestroy(event));
        CHECK_CUDA(cudaStreamDestroy(other));
    }
}

void test_device_synchronisation_takes_streams_in_schedule_order(void **) {
    float last[2];
    const char *const names[] = {"forward", "reverse"};
    for (int i = 0; i < 2; ++i) {
        emu_set_schedule(names[i]);
        cudaStream_t a, b;
        CHECK_CUDA(cudaStreamCreate(&a));
        CHECK_CUDA(cudaStreamCreate(&b));
        device_array<float> data(32);
        GM_LAUNCH(fill, 1, 32, 0, a, data.data(), 1.0f, 32);
        GM_LAUNCH(fill, 1, 32, 0, b, data.data(), 2.0f, 32);
        CHECK_CUDA(cudaDeviceSynchronize());
        last[i] = data.values()[0];
        CHECK_CUDA(cudaStreamDestroy(a));
        CHECK_CUDA(cudaStreamDestroy(b));
    }
    emu_set_schedule("forward");
    assert_true(last[0] == 2.0f && last[1] == 1.0f);
}

void test_stream_ordered_memory(void **) {
    fixture f;
    float *data = nullptr;
    CHECK_CUDA(cudaMallocAsync(&data, bytes, f.stream));
    GM_LAUNCH(fill, 1, 32, 0, f.stream, data, 4.0f, 32);
    CHECK_CUDA(cudaMemcpyAsync(f.pinned, data, bytes, cudaMemcpyDeviceToHost, f.stream));
    CHECK_CUDA(cudaFreeAsync(data, f.stream));
    CHECK_CUDA(cudaStreamSynchronize(f.stream));
    assert_true(f.pinned[31] == 4.0f);
    assert_int_equal(cudaMemset(data, 0, bytes), cudaErrorInvalidValue);
    cudaGetLastError();
}

// ---- events ----------------------------------------------------------------------------------

void test_events(void **) {
    fixture f;
    device_array<float> data(32);
    cudaEvent_t start, end, untimed;
    float ms = -1.0f;
    CHECK_CUDA(cudaEventCreate(&start));
    CHECK_CUDA(cudaEventCreate(&end));
    CHECK_CUDA(cudaEventCreateWithFlags(&untimed, cudaEventDisableTiming));
    CHECK_CUDA(cudaEventSynchronize(start));
    CHECK_CUDA(cudaEventQuery(start));
    assert_int_equal(cudaEventElapsedTime(&ms, start, end), cudaErrorInvalidResourceHandle);
    CHECK_CUDA(cudaEventRecord(start, f.stream));
    GM_LAUNCH(fill, 64, 32, 0, f.stream, data.data(), 4.0f, 32);
    CHECK_CUDA(cudaEventRecord(end, f.stream));
    CHECK_CUDA(cudaEventRecord(untimed, f.stream));
    assert_int_equal(cudaEventElapsedTime(&ms, start, end), cudaErrorNotReady);
    CHECK_CUDA(cudaEventSynchronize(end));
    CHECK_CUDA(cudaEventElapsedTime(&ms, start, end));
    assert_true(ms > 0.0f && ms < 10000.0f);
    assert_int_equal(cudaEventElapsedTime(&ms, start, untimed), cudaErrorInvalidResourceHandle);
    CHECK_CUDA(cudaEventDestroy(start));
    CHECK_CUDA(cudaEventDestroy(end));
    CHECK_CUDA(cudaEventDestroy(untimed));
    assert_int_equal(cudaEventDestroy(untimed), cudaErrorInvalidResourceHandle);
    cudaGetLastError();
}

// ---- errors and limits -----------------------------------------------------------------------

__global__ void misuse(int *out) {
    out[threadIdx.x] = __shfl_sync(1u, 0, 0);
}

void test_errors_of_a_kernel_stick(void **) {
    device_array<int> data(std::vector<int>(32, 6));
    fixture f;
    GM_LAUNCH(misuse, 1, 32, 0, nullptr, data.data());
    CHECK_CUDA(cudaGetLastError()); // the launch itself was right
    int *p = nullptr;
    assert_int_equal(cudaDeviceSynchronize(), cudaErrorLaunchFailure);
    assert_non_null(strstr(emu_report(), "kernel misuse"));
    for (int repeat = 0; repeat < 2; ++repeat) {
        assert_int_equal(cudaGetLastError(), cudaErrorLaunchFailure);
        assert_int_equal(cudaPeekAtLastError(), cudaErrorLaunchFailure);
        assert_int_equal(cudaMalloc(&p, 4), cudaErrorLaunchFailure);
        assert_int_equal(cudaMemset(data.data(), 0, 4), cudaErrorLaunchFailure);
        assert_int_equal(cudaStreamSynchronize(f.stream), cudaErrorLaunchFailure);
        assert_int_equal(cudaEventRecord(nullptr, f.stream), cudaErrorLaunchFailure);
    }
    emu_reset();
    assert_string_equal(emu_report(), "");
    CHECK_CUDA(cudaGetLastError());
    assert_int_equal(data.values()[31], 6);
}

void test_nothing_runs_after_an_error(void **) {
    device_array<int> data(32);
    device_array<float> other(std::vector<float>(32, 1.0f));
    GM_LAUNCH(misuse, 1, 32, 0, nullptr, data.data());
    GM_LAUNCH(fill, 1, 32, 0, nullptr, other.data(), 2.0f, 32);
    assert_int_equal(cudaDeviceSynchronize(), cudaErrorLaunchFailure);
    emu_reset();
    CHECK_CUDA(cudaDeviceSynchronize());
    assert_true(other.values()[0] == 1.0f);
}

__global__ void big_shared(float *out) {
    GM_SHARED(float, first);
    first = 1.0f;
    out[0] = first;
}

void expect_launch(dim3 grid, dim3 block, size_t shared, cudaStream_t stream, cudaError_t error) {
    device_array<float> out(1);
    GM_LAUNCH(big_shared, grid, block, shared, stream, out.data());
    assert_int_equal(cudaPeekAtLastError(), error);
    assert_int_equal(cudaGetLastError(), error);
    assert_int_equal(cudaGetLastError(), cudaSuccess);
    CHECK_CUDA(cudaDeviceSynchronize());
}

void test_limits_of_a_launch(void **) {
    const cudaError_t bad = cudaErrorInvalidConfiguration;
    expect_launch(1, 1, 16, nullptr, cudaSuccess);
    expect_launch(0, 32, 16, nullptr, bad);
    expect_launch(dim3(1, 0), 32, 16, nullptr, bad);
    expect_launch(1, 0, 16, nullptr, bad);
    expect_launch(1, 1025, 16, nullptr, bad);
    expect_launch(1, dim3(32, 33), 16, nullptr, bad);
    expect_launch(1, dim3(1, 1, 65), 16, nullptr, bad);
    expect_launch(dim3(1, 65536), 1, 16, nullptr, bad);
    expect_launch(dim3(1, 1, 65536), 1, 16, nullptr, bad);
    expect_launch(0x80000000u, 1, 16, nullptr, bad);
    expect_launch(1, 1, 16, reinterpret_cast<cudaStream_t>(0x10), cudaErrorInvalidResourceHandle);
    expect_launch(1, 1, 48 * 1024, nullptr, cudaSuccess);
    expect_launch(1, 1, 48 * 1024 + 1, nullptr, cudaErrorInvalidValue);
    const cudaFuncAttribute limit = cudaFuncAttributeMaxDynamicSharedMemorySize;
    assert_int_equal(cudaFuncSetAttribute(big_shared, limit, 227 * 1024 + 1),
                     cudaErrorInvalidValue);
    cudaGetLastError();
    CHECK_CUDA(cudaFuncSetAttribute(big_shared, limit, 227 * 1024));
    struct cudaFuncAttributes attributes;
    CHECK_CUDA(cudaFuncGetAttributes(&attributes, big_shared));
    assert_int_equal(attributes.maxDynamicSharedSizeBytes, 227 * 1024);
    expect_launch(1, 1, 227 * 1024, nullptr, cudaSuccess);
    expect_launch(1, 1, 227 * 1024 + 1, nullptr, cudaErrorInvalidValue);
    int blocks = 0;
    CHECK_CUDA(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, big_shared, 1024, 0));
    assert_int_equal(blocks, 2);
    CHECK_CUDA(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, big_shared, 32, 100 * 1024));
    assert_int_equal(blocks, 2);
    CHECK_CUDA(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, big_shared, 32, 0));
    assert_int_equal(blocks, 32);
}

void test_device(void **) {
    int count = 0, device = -1, value = 0;
    CHECK_CUDA(cudaGetDeviceCount(&count));
    assert_int_equal(count, 1);
    CHECK_CUDA(cudaSetDevice(0));
    CHECK_CUDA(cudaGetDevice(&device));
    assert_int_equal(device, 0);
    assert_int_equal(cudaSetDevice(1), cudaErrorInvalidDevice);
    struct cudaDeviceProp prop;
    CHECK_CUDA(cudaGetDeviceProperties(&prop, 0));
    assert_int_equal(prop.warpSize, 32);
    assert_int_equal(prop.sharedMemPerBlockOptin, 227 * 1024);
    CHECK_CUDA(cudaDeviceGetAttribute(&value, cudaDevAttrMultiProcessorCount, 0));
    assert_int_equal(value, prop.multiProcessorCount);
    assert_int_equal(cudaDeviceGetAttribute(&value, static_cast<cudaDeviceAttr>(127), 0),
                     cudaErrorInvalidValue);
    cudaGetLastError();
    assert_string_equal(cudaGetErrorName(cudaErrorLaunchFailure), "cudaErrorLaunchFailure");
    assert_string_equal(cudaGetErrorString(cudaSuccess), "no error");
}

} // namespace

int main() {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_is_poisoned),
        cmocka_unit_test(test_allocation),
        cmocka_unit_test(test_pointer_attributes),
        cmocka_unit_test(test_copies_check_their_pointers),
        cmocka_unit_test(test_host_access_can_be_allowed),
        cmocka_unit_test(test_work_is_done_when_waited_for),
        cmocka_unit_test(test_arguments_and_pageable_sources_are_copied),
        cmocka_unit_test(test_default_stream_is_ordered_with_blocking_streams),
        cmocka_unit_test(test_streams_are_unordered_without_an_event),
        cmocka_unit_test(test_device_synchronisation_takes_streams_in_schedule_order),
        cmocka_unit_test(test_stream_ordered_memory),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_errors_of_a_kernel_stick),
        cmocka_unit_test(test_nothing_runs_after_an_error),
        cmocka_unit_test(test_limits_of_a_launch),
        cmocka_unit_test(test_device),
    };
    return cmocka_run_group_tests_name("emu runtime", tests, nullptr, nullptr);
}
