// Threads, blocks, barriers, schedules, shared memory, faults and what is reported of them.
#include <stdlib.h>

#include <algorithm>
#include <string>

#include "emu_test.h"

namespace {

struct block_shared {
    int value[256];
};

__global__ void mark_thread(int *visits, int *sizes) {
    const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
    const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
    const unsigned threads = blockDim.x * blockDim.y * blockDim.z;
    atomicAdd(&visits[block * threads + thread], 1);
    if (block == 0 && thread == 0) {
        sizes[0] = static_cast<int>(gridDim.x * 100 + gridDim.y * 10 + gridDim.z);
        sizes[1] = static_cast<int>(blockDim.x * 100 + blockDim.y * 10 + blockDim.z);
        sizes[2] = warpSize;
    }
}

void test_every_thread_runs_once(void **) {
    on_every_schedule([] {
        device_array<int> visits(std::vector<int>(3 * 2 * 4 * 5 * 3 * 2, 0));
        device_array<int> sizes(3);
        GM_LAUNCH(mark_thread, dim3(3, 2, 4), dim3(5, 3, 2), 0, nullptr, visits.data(),
                  sizes.data());
        for (int count : visits.values()) {
            assert_int_equal(count, 1);
        }
        const std::vector<int> seen = sizes.values();
        assert_int_equal(seen[0], 324);
        assert_int_equal(seen[1], 532);
        assert_int_equal(seen[2], 32);
    });
}

__global__ void reverse_block(const int *in, int *out) {
    GM_SHARED(block_shared, shared);
    const unsigned i = threadIdx.x;
    const unsigned base = blockIdx.x * blockDim.x;
    shared.value[i] = in[base + i];
    __syncthreads();
    out[base + i] = shared.value[blockDim.x - 1 - i];
}

// Inclusive prefix sums by doubling, in place: two barriers a step.
__global__ void prefix_sum(const int *in, int *out) {
    GM_SHARED(block_shared, shared);
    const unsigned i = threadIdx.x;
    shared.value[i] = in[i];
    __syncthreads();
    for (unsigned step = 1; step < blockDim.x; step *= 2) {
        const int below = i >= step ? shared.value[i - step] : 0;
        __syncthreads();
        shared.value[i] += below;
        __syncthreads();
    }
    out[i] = shared.value[i];
}

void test_barriers_order_shared_memory(void **) {
    for (unsigned threads : {1u, 31u, 33u, 100u, 256u}) {
        std::vector<int> input(threads * 3);
        for (size_t i = 0; i < input.size(); ++i) {
            input[i] = static_cast<int>(i * 7 % 101);
        }
        on_every_schedule([&] {
            device_array<int> in(input);
            device_array<int> out(input.size());
            GM_LAUNCH(reverse_block, 3, threads, sizeof(block_shared), nullptr, in.data(),
                      out.data());
            const std::vector<int> result = out.values();
            for (size_t i = 0; i < input.size(); ++i) {
                assert_int_equal(result[i],
                                 input[i / threads * threads + threads - 1 - i % threads]);
            }
            GM_LAUNCH(prefix_sum, 1, threads, sizeof(block_shared), nullptr, in.data(), out.data());
            const std::vector<int> sums = out.values();
            int sum = 0;
            for (size_t i = 0; i < threads; ++i) {
                sum += input[i];
                assert_int_equal(sums[i], sum);
            }
        });
    }
}

__global__ void vote_block(int threshold, int *out) {
    const int predicate = static_cast<int>(threadIdx.x) < threshold;
    const int count = __syncthreads_count(predicate);
    const int all = __syncthreads_and(predicate);
    const int any = __syncthreads_or(predicate);
    out[threadIdx.x] = count * 4 + all * 2 + any;
}

void test_barriers_that_vote(void **) {
    for (int threshold : {0, 1, 39, 40, 41, 70}) {
        on_every_schedule([threshold] {
            device_array<int> out(70);
            GM_LAUNCH(vote_block, 1, 70, 0, nullptr, threshold, out.data());
            for (int result : out.values()) {
                assert_int_equal(result,
                                 threshold * 4 + (threshold == 70 ? 2 : 0) + (threshold > 0));
            }
        });
    }
}

// Threads that return before a barrier do not hold it up, and do not run again.
__global__ void exit_early(int n, int *visits, int *sum) {
    GM_SHARED(block_shared, shared);
    const int i = static_cast<int>(threadIdx.x);
    atomicAdd(&visits[i], 1);
    if (i >= n) {
        return;
    }
    shared.value[i] = i;
    __syncthreads();
    atomicAdd(sum, shared.value[n - 1 - i]);
}

void test_early_exit_before_a_barrier(void **) {
    on_every_schedule([] {
        device_array<int> visits(std::vector<int>(100, 0));
        device_array<int> sum(std::vector<int>(1, 0));
        GM_LAUNCH(exit_early, 1, 100, sizeof(block_shared), nullptr, 37, visits.data(), sum.data());
        for (int count : visits.values()) {
            assert_int_equal(count, 1);
        }
        assert_int_equal(sum.values()[0], 37 * 36 / 2);
    });
}

// One warp uses shuffles and __syncwarp while the others wait at the block's barrier.
__global__ void one_warp_works(int *out) {
    GM_SHARED(block_shared, shared);
    if (threadIdx.x < 32) {
        int value = static_cast<int>(threadIdx.x);
        for (int offset = 16; offset > 0; offset /= 2) {
            value += __shfl_xor_sync(0xffffffffu, value, offset);
        }
        shared.value[threadIdx.x] = value;
        __syncwarp();
        shared.value[32 + threadIdx.x] = shared.value[31 - threadIdx.x];
    }
    __syncthreads();
    out[threadIdx.x] = shared.value[32 + threadIdx.x % 32];
}

void test_warp_functions_are_no_block_barrier(void **) {
    on_every_schedule([] {
        device_array<int> out(128);
        GM_LAUNCH(one_warp_works, 1, 128, sizeof(block_shared), nullptr, out.data());
        for (int value : out.values()) {
            assert_int_equal(value, 496);
        }
    });
}

// ---- schedules -------------------------------------------------------------------------------

__global__ void take_tickets(int *ticket, int *order) {
    const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    order[atomicAdd(ticket, 1)] = i;
    __syncthreads();
}

std::vector<int> order_of_threads(const char *schedule, unsigned blocks, unsigned threads) {
    assert_int_equal(emu_set_schedule(schedule), 0);
    device_array<int> ticket(std::vector<int>(1, 0));
    device_array<int> order(blocks * threads);
    GM_LAUNCH(take_tickets, blocks, threads, 0, nullptr, ticket.data(), order.data());
    return order.values();
}

void test_schedules_are_what_they_say(void **) {
    const std::vector<int> forward = order_of_threads("forward", 5, 70);
    const std::vector<int> reverse = order_of_threads("reverse", 5, 70);
    assert_true(std::is_sorted(forward.begin(), forward.end()));
    assert_true(std::is_sorted(reverse.rbegin(), reverse.rend()));
    const std::vector<int> ahead = order_of_threads("warp-ahead", 5, 70);
    assert_int_equal(ahead[0] / 70, 4);
    const std::vector<int> one = order_of_threads("random:1", 5, 70);
    assert_true(one == order_of_threads("random:1", 5, 70));
    assert_true(one != order_of_threads("random:2", 5, 70));
    for (const std::vector<int> *order : {&ahead, &one}) {
        assert_true(std::is_permutation(order->begin(), order->end(), forward.begin()));
        assert_false(std::is_sorted(order->begin(), order->end()));
    }
    for (unsigned blocks : {1u, 2u, 3u, 64u, 97u, 360u}) {
        const std::vector<int> order = order_of_threads("random:7", blocks, 1);
        std::vector<int> sorted = order;
        std::sort(sorted.begin(), sorted.end());
        for (size_t i = 0; i < sorted.size(); ++i) {
            assert_int_equal(sorted[i], static_cast<int>(i));
        }
    }
}

// How far each warp has come when another reads: a warp that is ahead leaves the others behind.
__global__ void watch_progress(int *progress, int *largest_lead) {
    const unsigned warp = threadIdx.x / 32;
    for (int step = 1; step <= 20; ++step) {
        if (threadIdx.x % 32 == 0) {
            atomicExch(&progress[warp], step);
            atomicMax(largest_lead, step - atomicAdd(&progress[1 - warp], 0));
        }
        __syncwarp();
    }
}

int lead_under(const char *schedule) {
    assert_int_equal(emu_set_schedule(schedule), 0);
    device_array<int> progress(std::vector<int>(2, 0));
    device_array<int> lead(std::vector<int>(1, 0));
    GM_LAUNCH(watch_progress, 1, 64, 0, nullptr, progress.data(), lead.data());
    return lead.values()[0];
}

void test_warp_ahead_runs_ahead(void **) {
    assert_true(lead_under("warp-ahead") == 20);
    assert_true(lead_under("forward") == 1);
    assert_true(lead_under("reverse") == 1);
}

void test_schedule_names(void **) {
    assert_int_equal(emu_set_schedule("reverse"), 0);
    for (const char *name : {"", "Forward", "random:", "random:x", "random:1x", "randomly"}) {
        assert_int_equal(emu_set_schedule(name), -1);
        assert_string_equal(emu_schedule(), "reverse");
    }
    assert_int_equal(emu_set_schedule(nullptr), -1);
    assert_int_equal(emu_set_schedule("random"), 0);
    const std::string drawn = emu_schedule();
    assert_true(drawn.rfind("random:", 0) == 0 && drawn.size() > 7);
    assert_int_equal(emu_set_schedule(drawn.c_str()), 0);
    assert_string_equal(emu_schedule(), drawn.c_str());
}

// ---- shared memory ---------------------------------------------------------------------------

__global__ void read_shared_first(unsigned *found) {
    GM_SHARED(block_shared, shared);
    const int before = shared.value[threadIdx.x];
    atomicAnd(found, static_cast<unsigned>(before));
    __syncthreads();
    shared.value[threadIdx.x] = 0;
}

void test_shared_memory_is_poisoned_for_each_block(void **) {
    on_every_schedule([] {
        device_array<unsigned> found(std::vector<unsigned>(1, 0xffffffffu));
        GM_LAUNCH(read_shared_first, 4, 256, sizeof(block_shared), nullptr, found.data());
        assert_int_equal(found.values()[0], 0xffffffffu);
    });
}

__global__ void use_shared(int value) {
    GM_SHARED(block_shared, shared);
    shared.value[threadIdx.x] = value;
}

void test_too_little_shared_memory_is_reported(void **) {
    GM_LAUNCH(use_shared, 1, 32, sizeof(block_shared) - 4, nullptr, 0);
    expect_failure({"kernel use_shared", "uses 1024 bytes of shared memory", "provides 1020"});
}

// ---- reports ---------------------------------------------------------------------------------

__global__ void diverge(unsigned first) {
    if (threadIdx.x < first) {
        __syncthreads();
    } else {
        __syncthreads();
    }
}

__global__ void barrier_against_warp(unsigned which) {
    if (threadIdx.x == which) {
        __syncthreads();
    } else {
        __syncwarp();
    }
    __syncthreads();
}

__global__ void two_collectives(int *out) {
    if (threadIdx.x < 16) {
        out[threadIdx.x] = __shfl_sync(0xffffffffu, 1, 0);
    } else {
        out[threadIdx.x] = __any_sync(0xffffffffu, 1);
    }
}

__global__ void outside_mask(int *out) {
    out[threadIdx.x] = __shfl_sync(0x0000ffffu, 1, 0);
}

__global__ void bad_width(int *out) {
    out[threadIdx.x] = __shfl_sync(0xffffffffu, 1, 0, 12);
}

void test_errors_name_schedule_and_every_thread(void **) {
    device_array<int> out(64);
    for (const char *schedule : schedules) {
        assert_int_equal(emu_set_schedule(schedule), 0);
        const std::string name = std::string("schedule ") + schedule;
        GM_LAUNCH(diverge, 2, 64, 0, nullptr, 40);
        expect_failure({"kernel diverge<<<(2,1,1), (64,1,1), 0>>>", name.c_str(), "block (",
                        "different barriers", "threads 0-39: at __syncthreads",
                        "threads 40-63: at __syncthreads", "test_block.cpp:"});
        GM_LAUNCH(barrier_against_warp, 1, 32, 0, nullptr, 5);
        expect_failure({name.c_str(), "deadlock", "waits in __syncwarp", "for thread 5",
                        "thread 5: at __syncthreads"});
        GM_LAUNCH(two_collectives, 1, 32, 0, nullptr, out.data());
        expect_failure({name.c_str(), "deadlock", "threads 0-15: at __shfl_sync",
                        "threads 16-31: at __any_sync"});
        GM_LAUNCH(outside_mask, 1, 32, 0, nullptr, out.data());
        expect_failure({name.c_str(), "mask 0x0000ffff does not name"});
        GM_LAUNCH(bad_width, 1, 32, 0, nullptr, out.data());
        expect_failure({name.c_str(), "width 12"});
    }
}

// ---- faults ----------------------------------------------------------------------------------

// The address sanitizer ends the process at a fault; there, test_seeded_bugs covers them.
#if !EMU_TEST_ASAN

__global__ void write_at(int *data, long long index, int value) {
    data[index] = value;
}

__global__ void write_shared_at(int index) {
    GM_SHARED(block_shared, shared);
    int *first = shared.value;
    first[index] = 1;
}

__global__ void recurse(int depth, int *out) {
    volatile char local[1024];
    local[depth % 1024] = static_cast<char>(depth);
    if (depth > 0) {
        recurse(depth - 1, out);
    }
    out[0] = local[0];
}

__global__ void call_abort(int condition) {
    if (condition) {
        abort();
    }
}

void test_faults_become_reports(void **) {
    device_array<int> data(1024); // 4096 bytes: no slack before the guard page
    device_array<int> odd(1001);
    GM_LAUNCH(write_at, 1, 1, 0, nullptr, data.data(), 1024, 0);
    expect_failure({"kernel write_at", "byte 4096 of an allocation of 4096 bytes"});
    GM_LAUNCH(write_at, 1, 1, 0, nullptr, odd.data(), 1001, 0);
    expect_failure({"kernel write_at", "past the end of an allocation of 4004 bytes"});
    GM_LAUNCH(write_at, 1, 1, 0, nullptr, odd.data(), -1, 0);
    expect_failure({"kernel write_at", "4 bytes below an allocation"});
    GM_LAUNCH(write_at, 1, 1, 0, nullptr, static_cast<int *>(nullptr), 0, 0);
    expect_failure({"null pointer"});
    GM_LAUNCH(write_shared_at, 1, 1, sizeof(block_shared), nullptr, 256);
    expect_failure({"byte 1024 of shared memory, which has 1024"});
    GM_LAUNCH(write_shared_at, 1, 1, sizeof(block_shared) + 4, nullptr, 257);
    expect_failure({"past the end of the 1028 bytes of shared memory"});
    GM_LAUNCH(write_shared_at, 1, 1, sizeof(block_shared), nullptr, -1);
    expect_failure({"below shared memory"});
    GM_LAUNCH(call_abort, 1, 1, 0, nullptr, 1);
    expect_failure({"abort"});
    for (unsigned threads : {1u, 33u}) {
        GM_LAUNCH(recurse, 1, threads, 0, nullptr, 100000, data.data());
        expect_failure({"stack of thread", "overflowed"});
    }
    // And the emulator works as before.
    GM_LAUNCH(write_at, 1, 1, 0, nullptr, data.data(), 1023, 77);
    assert_int_equal(data.values()[1023], 77);
}

#endif

} // namespace

int main() {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_thread_runs_once),
        cmocka_unit_test(test_barriers_order_shared_memory),
        cmocka_unit_test(test_barriers_that_vote),
        cmocka_unit_test(test_early_exit_before_a_barrier),
        cmocka_unit_test(test_warp_functions_are_no_block_barrier),
        cmocka_unit_test(test_schedules_are_what_they_say),
        cmocka_unit_test(test_warp_ahead_runs_ahead),
        cmocka_unit_test(test_schedule_names),
        cmocka_unit_test(test_shared_memory_is_poisoned_for_each_block),
        cmocka_unit_test(test_too_little_shared_memory_is_reported),
        cmocka_unit_test(test_errors_name_schedule_and_every_thread),
#if !EMU_TEST_ASAN
        cmocka_unit_test(test_faults_become_reports),
#endif
    };
    return cmocka_run_group_tests_name("emu block", tests, nullptr, nullptr);
}
