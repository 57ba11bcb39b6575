// ldmatrix, cp.async, warp and block reductions. The file compiles with nvcc as well and shows on a
// device that the wrappers mean the same.
#include "kernels/block.cuh"
#include "kernels/cp_async.cuh"
#include "kernels/mma.cuh"

#include "tests/emu/primitives.cuh"

namespace {

// ---- ldmatrix --------------------------------------------------------------------------------

struct matrices {
    alignas(16) unsigned short element[4][8][8];
};

// out[variant][lane][register], variants x1, x2, x4, then the same transposed.
__global__ void load_matrices(unsigned *out) {
    GM_SHARED(matrices, shared);
    const unsigned lane = threadIdx.x;
    for (unsigned i = lane; i < 256; i += 32) {
        shared.element[i / 64][i / 8 % 8][i % 8] = static_cast<unsigned short>(i);
    }
    __syncthreads();
    const void *row = shared.element[lane / 8][lane % 8];
    unsigned r1[1], r2[2], r4[4];
    for (unsigned variant = 0; variant < 2; ++variant) {
        if (variant == 0) {
            gm_ldmatrix_x1(r1, row);
            gm_ldmatrix_x2(r2, row);
            gm_ldmatrix_x4(r4, row);
        } else {
            gm_ldmatrix_x1_trans(r1, row);
            gm_ldmatrix_x2_trans(r2, row);
            gm_ldmatrix_x4_trans(r4, row);
        }
        unsigned *base = out + (variant * 32 + lane) * 7;
        base[0] = r1[0];
        base[1] = r2[0];
        base[2] = r2[1];
        for (int i = 0; i < 4; ++i) {
            base[3 + i] = r4[i];
        }
    }
}

void test_ldmatrix(void **) {
    on_every_schedule([] {
        buffer<unsigned> out(2 * 32 * 7);
        GM_LAUNCH(load_matrices, 1, 32, sizeof(matrices), nullptr, out.data);
        const std::vector<unsigned> result = out.values();
        const unsigned matrix_of[7] = {0, 0, 1, 0, 1, 2, 3};
        for (unsigned lane = 0; lane < 32; ++lane) {
            const unsigned g = lane / 4, q = lane % 4;
            for (unsigned slot = 0; slot < 7; ++slot) {
                const unsigned first = 64 * matrix_of[slot];
                const unsigned plain = (first + 8 * g + 2 * q) | (first + 8 * g + 2 * q + 1) << 16;
                const unsigned trans = (first + 16 * q + g) | (first + 16 * q + 8 + g) << 16;
                assert_int_equal(result[lane * 7 + slot], plain);
                assert_int_equal(result[(32 + lane) * 7 + slot], trans);
            }
        }
    });
}

// ---- cp.async --------------------------------------------------------------------------------

struct stages {
    alignas(16) float tile[3][128];
};

// Sums tiles through a pipeline of three stages; the last tile is cut off at n.
__global__ void pipeline(const float *in, float *out, int n, int tiles) {
    GM_SHARED(stages, shared);
    const int i = static_cast<int>(threadIdx.x);
    float sum = 0.0f;
    for (int tile = 0; tile < tiles + 2; ++tile) {
        if (tile < tiles) {
            const int at = tile * 128 + 4 * i;
            gm_cp_async_if<16>(&shared.tile[tile % 3][4 * i], in + (at < n ? at : 0), at < n);
        }
        gm_cp_async_commit();
        gm_cp_async_wait<2>();
        __syncthreads();
        if (tile >= 2) {
            for (int k = 0; k < 4; ++k) {
                sum += shared.tile[(tile - 2) % 3][(4 * i + k + 5) % 128];
            }
        }
        __syncthreads();
    }
    out[i] = sum;
}

__global__ void copy_sizes(const double *in, double *out) {
    GM_SHARED(stages, shared);
    double *both = reinterpret_cast<double *>(shared.tile[0]);
    float *words = reinterpret_cast<float *>(both + 32);
    gm_cp_async<8>(both + threadIdx.x, in + threadIdx.x);
    gm_cp_async<4>(words + threadIdx.x, reinterpret_cast<const float *>(in) + threadIdx.x);
    gm_cp_async_commit();
    gm_cp_async_wait<0>();
    out[threadIdx.x] = both[threadIdx.x];
    reinterpret_cast<float *>(out + 32)[threadIdx.x] = words[threadIdx.x];
}

void test_cp_async(void **) {
    constexpr int tiles = 7, n = 128 * 6 + 64;
    std::vector<float> input(n);
    for (size_t i = 0; i < n; ++i) {
        input[i] = static_cast<float>(small_integer(static_cast<unsigned>(i)));
    }
    on_every_schedule([&] {
        buffer<float> in(input), out(32);
        GM_LAUNCH(pipeline, 1, 32, sizeof(stages), nullptr, in.data, out.data, n, tiles);
        const std::vector<float> result = out.values();
        for (size_t i = 0; i < 32; ++i) {
            float sum = 0.0f;
            for (size_t tile = 0; tile < tiles; ++tile) {
                for (size_t k = 0; k < 4; ++k) {
                    const size_t at = tile * 128 + (4 * i + k + 5) % 128;
                    sum += at < n ? input[at] : 0.0f;
                }
            }
            assert_true(result[i] == sum);
        }
        std::vector<double> pairs(32);
        for (size_t i = 0; i < 32; ++i) {
            pairs[i] = static_cast<double>(i) + 0.1;
        }
        buffer<double> source(pairs), target(48);
        GM_LAUNCH(copy_sizes, 1, 32, sizeof(stages), nullptr, source.data, target.data);
        const std::vector<double> copied = target.values();
        assert_memory_equal(copied.data(), pairs.data(), 32 * sizeof(double));
        assert_memory_equal(copied.data() + 32, pairs.data(), 16 * sizeof(double));
    });
}

// ---- reductions ------------------------------------------------------------------------------

struct reduce_shared {
    gm_block_reduce_shared<float> values;
    gm_block_reduce_shared<int> numbers;
};

__global__ void reduce(const float *in, float *out, int *ints) {
    GM_SHARED(reduce_shared, shared);
    const unsigned i = gm_thread_in_block();
    const float value = in[i];
    float *mine = out + i * 8;
    mine[0] = gm_warp_sum(value);
    mine[1] = gm_warp_max(value);
    mine[2] = gm_warp_min(value);
    mine[3] = gm_group_sum<4>(value);
    mine[4] = gm_group_max<8>(value);
    mine[5] = gm_warp_prefix_sum(value);
    // Twice with the same memory: each must end with a barrier.
    mine[6] = gm_block_sum(value, shared.values);
    mine[7] = gm_block_max(-value, shared.values);
    ints[i] = gm_block_sum(static_cast<int>(i), shared.numbers);
}

void test_reductions(void **) {
    for (unsigned threads : {32u, 96u, 1024u}) {
        std::vector<float> input(threads);
        for (unsigned i = 0; i < threads; ++i) {
            input[i] = static_cast<float>(small_integer(i) * 3);
        }
        on_every_schedule([&] {
            buffer<float> in(input), out(threads * 8);
            buffer<int> ints(threads);
            GM_LAUNCH(reduce, 1, dim3(8, threads / 8), sizeof(reduce_shared), nullptr, in.data,
                      out.data, ints.data);
            const std::vector<float> result = out.values();
            const std::vector<int> numbers = ints.values();
            float block_sum = 0.0f, block_min = 100.0f;
            for (float value : input) {
                block_sum += value;
                block_min = value < block_min ? value : block_min;
            }
            for (unsigned i = 0; i < threads; ++i) {
                float sum = 0, largest = -100, smallest = 100, four = 0, eight = -100, prefix = 0;
                for (unsigned j = i / 32 * 32; j < i / 32 * 32 + 32; ++j) {
                    const float value = input[j];
                    sum += value;
                    largest = value > largest ? value : largest;
                    smallest = value < smallest ? value : smallest;
                    four += j / 4 == i / 4 ? value : 0.0f;
                    eight = j / 8 == i / 8 && value > eight ? value : eight;
                    prefix += j <= i ? value : 0.0f;
                }
                const float expected[8] = {sum,   largest, smallest,  four,
                                           eight, prefix,  block_sum, -block_min};
                assert_memory_equal(&result[i * 8], expected, sizeof expected);
                assert_int_equal(numbers[i], threads * (threads - 1) / 2);
            }
        });
    }
}

// Sums of numbers that round: the same bits in every lane and under every schedule.
void test_reductions_are_deterministic(void **) {
    std::vector<float> input(256);
    for (unsigned i = 0; i < 256; ++i) {
        input[i] = 1.0f / static_cast<float>(i + 3);
    }
    std::vector<float> first;
    on_every_schedule([&] {
        buffer<float> in(input), out(256 * 8);
        buffer<int> ints(256);
        GM_LAUNCH(reduce, 1, 256, sizeof(reduce_shared), nullptr, in.data, out.data, ints.data);
        const std::vector<float> result = out.values();
        first = first.empty() ? result : first;
        assert_memory_equal(result.data(), first.data(), result.size() * sizeof(float));
        for (unsigned i = 0; i < 256; ++i) {
            assert_true(result[i * 8 + 6] == result[6]);
            assert_true(result[i * 8] == result[i / 32 * 32 * 8]);
        }
    });
}

} // namespace

int main() {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ldmatrix),
        cmocka_unit_test(test_cp_async),
        cmocka_unit_test(test_reductions),
        cmocka_unit_test(test_reductions_are_deterministic),
    };
    return cmocka_run_group_tests_name("loads and reductions", tests, nullptr, nullptr);
}
