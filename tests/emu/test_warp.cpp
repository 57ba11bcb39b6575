// Every warp function at every width, for full and partial warps and masks, against a model on the
// host that knows nothing of lanes waiting for each other.
#include "emu_test.h"

#include "cuda_bf16.h"
#include "cuda_fp16.h"

namespace {

constexpr unsigned full = 0xffffffffu;
const unsigned thread_counts[] = {64, 40};
const unsigned masks[] = {full, 0x0000ffffu, 0xaaaaaaaau, 0x800000ffu, 0x00000004u};

unsigned hash(unsigned x) {
    x = (x ^ x >> 16) * 0x45d9f3bu;
    return (x ^ x >> 16) * 0x45d9f3bu;
}

// The schedules take turns from one configuration to the next.
void next_schedule() {
    static size_t turn;
    assert_int_equal(emu_set_schedule(schedules[turn++ % (sizeof schedules / sizeof schedules[0])]),
                     0);
}

// ---- shuffles --------------------------------------------------------------------------------

enum shuffle { by_index, up, down, exclusive_or };

template <class T>
__global__ void shuffle_all(shuffle kind, unsigned mask, int operand, int width, const T *in,
                            T *out) {
    const unsigned i = threadIdx.x;
    if (!(mask >> i % 32 & 1u)) {
        return;
    }
    const T value = in[i];
    switch (kind) {
    case by_index:
        out[i] = __shfl_sync(mask, value, operand, width);
        break;
    case up:
        out[i] = __shfl_up_sync(mask, value, static_cast<unsigned>(operand), width);
        break;
    case down:
        out[i] = __shfl_down_sync(mask, value, static_cast<unsigned>(operand), width);
        break;
    case exclusive_or:
        out[i] = __shfl_xor_sync(mask, value, operand, width);
        break;
    }
}

// The lane that CUDA's manual says is read, in its own words: a warp is cut into sections of
// `width` lanes; up and down leave lanes alone whose source would be outside the section.
int source_lane(shuffle kind, int lane, int operand, int width) {
    const int section = lane / width * width;
    int source = lane;
    switch (kind) {
    case by_index:
        return section + operand % width;
    case up:
        return lane - operand < section ? lane : lane - operand;
    case down:
        return lane + operand >= section + width ? lane : lane + operand;
    case exclusive_or:
        source = lane ^ operand;
        return source >= section + width ? lane : source;
    }
    return source;
}

bool takes_part(int lane_in_warp, unsigned warp, unsigned mask, unsigned threads) {
    return (mask >> lane_in_warp & 1u) && warp * 32 + static_cast<unsigned>(lane_in_warp) < threads;
}

void check_shuffle(shuffle kind, unsigned mask, int operand, int width, unsigned threads) {
    std::vector<unsigned> input(64), expected(64);
    bool absent = false;
    for (unsigned i = 0; i < 64; ++i) {
        input[i] = hash(i + 1);
        expected[i] = 0xdeadbeefu;
    }
    for (unsigned i = 0; i < threads; ++i) {
        const int lane = static_cast<int>(i % 32);
        if (takes_part(lane, i / 32, mask, threads)) {
            const int source = source_lane(kind, lane, operand, width);
            absent = absent || !takes_part(source, i / 32, mask, threads);
            expected[i] = input[i / 32 * 32 + static_cast<unsigned>(source)];
        }
    }
    device_array<unsigned> in(input);
    device_array<unsigned> out(std::vector<unsigned>(64, 0xdeadbeefu));
    next_schedule();
    GM_LAUNCH((shuffle_all<unsigned>), 1, threads, 0, nullptr, kind, mask, operand, width,
              in.data(), out.data());
    if (absent) {
        expect_failure({"shuffle: lane ", "does not take part"});
    } else {
        assert_true(out.values() == expected);
    }
}

// The thread sanitizer makes a launch slow, and the arithmetic of lanes is none of its business.
#if EMU_TEST_TSAN
const int operands[] = {1, 16};
#else
const int operands[] = {0, 1, 2, 3, 7, 8, 16, 31};
#endif

void test_shuffles_of_every_width(void **) {
    for (unsigned threads : thread_counts) {
        for (unsigned mask : masks) {
            for (shuffle kind : {by_index, up, down, exclusive_or}) {
                for (int width = 1; width <= 32; width *= 2) {
                    for (int operand : operands) {
                        check_shuffle(kind, mask, operand, width, threads);
                    }
                }
            }
        }
    }
}

template <class T> void check_type(T (*make)(unsigned)) {
    std::vector<T> input(64);
    for (unsigned i = 0; i < 64; ++i) {
        input[i] = make(hash(i));
    }
    on_every_schedule([&] {
        device_array<T> in(input);
        device_array<T> out(64);
        GM_LAUNCH((shuffle_all<T>), 1, 64, 0, nullptr, exclusive_or, full, 21, 32, in.data(),
                  out.data());
        const std::vector<T> result = out.values();
        for (unsigned i = 0; i < 64; ++i) {
            assert_memory_equal(&result[i], &input[i ^ 21u], sizeof(T));
        }
    });
}

template <class T> T from_hash(unsigned bits) {
    return static_cast<T>(bits);
}

void test_shuffles_of_every_type(void **) {
    check_type<int>(from_hash<int>);
    check_type<unsigned>(from_hash<unsigned>);
    check_type<float>(from_hash<float>);
    check_type<double>(from_hash<double>);
    check_type<long>(from_hash<long>);
    check_type<unsigned long>(from_hash<unsigned long>);
    check_type<long long>([](unsigned x) { return static_cast<long long>(x) * 0x40000001LL; });
    check_type<unsigned long long>([](unsigned x) { return x * 0x100000001ULL; });
    check_type<__half>([](unsigned x) { return __ushort_as_half(static_cast<uint16_t>(x)); });
    check_type<__nv_bfloat162>([](unsigned x) {
        return __halves2bfloat162(__ushort_as_bfloat16(static_cast<uint16_t>(x)),
                                  __ushort_as_bfloat16(static_cast<uint16_t>(x >> 16)));
    });
}

// ---- votes, matches, reductions --------------------------------------------------------------

struct warp_results {
    unsigned all, any, ballot, match_any, match_all, match_predicate;
    unsigned add, min, max, bit_and, bit_or, bit_xor;
    int signed_add, signed_min, signed_max;
};

__global__ void collect(unsigned mask, const unsigned *in, warp_results *out) {
    const unsigned i = threadIdx.x;
    if (!(mask >> i % 32 & 1u)) {
        return;
    }
    const unsigned value = in[i];
    const int number = static_cast<int>(value) - 3;
    const bool predicate = value % 3 != 0;
    warp_results result;
    int matched = -1;
    result.all = static_cast<unsigned>(__all_sync(mask, predicate));
    result.any = static_cast<unsigned>(__any_sync(mask, predicate));
    result.ballot = __ballot_sync(mask, predicate);
    result.match_any = __match_any_sync(mask, value);
    result.match_all = __match_all_sync(mask, value, &matched);
    result.match_predicate = static_cast<unsigned>(matched);
    result.add = __reduce_add_sync(mask, value);
    result.min = __reduce_min_sync(mask, value);
    result.max = __reduce_max_sync(mask, value);
    result.bit_and = __reduce_and_sync(mask, value);
    result.bit_or = __reduce_or_sync(mask, value);
    result.bit_xor = __reduce_xor_sync(mask, value);
    result.signed_add = __reduce_add_sync(mask, number);
    result.signed_min = __reduce_min_sync(mask, number);
    result.signed_max = __reduce_max_sync(mask, number);
    out[i] = result;
}

warp_results model(const std::vector<unsigned> &in, unsigned lanes, unsigned warp, unsigned self) {
    warp_results r = {1, 0, 0, 0, lanes, 1, 0, full, 0, full, 0, 0, 0, 0x7fffffff, -0x7fffffff};
    for (unsigned i = 0; i < 32; ++i) {
        if (!(lanes >> i & 1u)) {
            continue;
        }
        const unsigned value = in[warp * 32 + i];
        const int number = static_cast<int>(value) - 3;
        if (value % 3 != 0) {
            r.ballot |= 1u << i;
            r.any = 1;
        } else {
            r.all = 0;
        }
        if (value == in[self]) {
            r.match_any |= 1u << i;
        } else {
            r.match_all = 0;
            r.match_predicate = 0;
        }
        r.add += value;
        r.min = value < r.min ? value : r.min;
        r.max = value > r.max ? value : r.max;
        r.bit_and &= value;
        r.bit_or |= value;
        r.bit_xor ^= value;
        r.signed_add += number;
        r.signed_min = number < r.signed_min ? number : r.signed_min;
        r.signed_max = number > r.signed_max ? number : r.signed_max;
    }
    return r;
}

// Inputs that make votes and matches come out either way: few values, one value, all different.
std::vector<unsigned> inputs(int kind) {
    std::vector<unsigned> result(64);
    for (unsigned i = 0; i < 64; ++i) {
        result[i] = kind == 0 ? hash(i) % 5 : kind == 1 ? 4u : kind == 2 ? 6u : hash(i) % 1000003;
    }
    return result;
}

void test_votes_matches_and_reductions(void **) {
    for (unsigned threads : thread_counts) {
        const unsigned existing[2] = {full, threads == 64 ? full : 0xffu};
        for (unsigned mask : masks) {
            for (int kind = 0; kind < 4; ++kind) {
                const std::vector<unsigned> input = inputs(kind);
                on_every_schedule([&] {
                    device_array<unsigned> in(input);
                    device_array<warp_results> out(64);
                    GM_LAUNCH(collect, 1, threads, 0, nullptr, mask, in.data(), out.data());
                    const std::vector<warp_results> results = out.values();
                    for (unsigned i = 0; i < threads; ++i) {
                        if (mask >> i % 32 & 1u) {
                            const warp_results expected =
                                model(input, mask & existing[i / 32], i / 32, i);
                            assert_memory_equal(&results[i], &expected, sizeof expected);
                        }
                    }
                });
            }
        }
    }
}

// Votes count the threads that have not exited, as CUDA defines them.
__global__ void vote_after_exit(unsigned *out) {
    if (threadIdx.x % 4 == 0) {
        return;
    }
    const unsigned ballot = __ballot_sync(full, 1);
    __syncwarp();
    out[threadIdx.x] = ballot;
}

void test_votes_without_exited_lanes(void **) {
    on_every_schedule([] {
        device_array<unsigned> out(32);
        GM_LAUNCH(vote_after_exit, 1, 32, 0, nullptr, out.data());
        const std::vector<unsigned> result = out.values();
        for (unsigned i = 0; i < 32; ++i) {
            assert_int_equal(result[i], i % 4 == 0 ? 0xffffffffu : 0xeeeeeeeeu);
        }
    });
}

__global__ void shuffle_after_exit(int *out) {
    if (threadIdx.x == 9) {
        return;
    }
    out[threadIdx.x] = __shfl_sync(full, static_cast<int>(threadIdx.x), 0);
}

void test_shuffle_after_exit_is_an_error(void **) {
    device_array<int> out(32);
    for (const char *schedule : schedules) {
        assert_int_equal(emu_set_schedule(schedule), 0);
        GM_LAUNCH(shuffle_after_exit, 1, 32, 0, nullptr, out.data());
        expect_failure({"__shfl_sync names lane 9 in its mask, which has exited"});
    }
}

// ---- __syncwarp ------------------------------------------------------------------------------

struct warp_shared {
    int value[64];
};

// Each half of a warp, and then odd and even lanes, pass values through shared memory on their own.
__global__ void sync_parts(int *out) {
    GM_SHARED(warp_shared, shared);
    const unsigned i = threadIdx.x;
    const unsigned half = i % 32 < 16 ? 0x0000ffffu : 0xffff0000u;
    const unsigned parity = i % 2 == 0 ? 0x55555555u : 0xaaaaaaaau;
    shared.value[i] = static_cast<int>(i);
    __syncwarp(half);
    const int across = shared.value[i ^ 15u];
    __syncwarp();
    shared.value[i] = across * 3;
    __syncwarp(parity);
    out[i] = shared.value[i ^ 30u];
}

void test_syncwarp_of_parts(void **) {
    on_every_schedule([] {
        device_array<int> out(64);
        GM_LAUNCH(sync_parts, 1, 64, sizeof(warp_shared), nullptr, out.data());
        const std::vector<int> result = out.values();
        for (unsigned i = 0; i < 64; ++i) {
            assert_int_equal(result[i], static_cast<int>((i ^ 30u ^ 15u) * 3));
        }
    });
}

} // namespace

int main() {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shuffles_of_every_width),
        cmocka_unit_test(test_shuffles_of_every_type),
        cmocka_unit_test(test_votes_matches_and_reductions),
        cmocka_unit_test(test_votes_without_exited_lanes),
        cmocka_unit_test(test_shuffle_after_exit_is_an_error),
        cmocka_unit_test(test_syncwarp_of_parts),
    };
    return cmocka_run_group_tests_name("emu warp", tests, nullptr, nullptr);
}
