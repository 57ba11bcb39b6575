// The primitive headers of the kernels: matrix instructions on integer data against a plain
// product, ldmatrix, cp.async, warp and block reductions. It uses nothing but CUDA's own interface,
// so the same file compiles with nvcc and shows on a device that the wrappers mean the same.
#include "kernels/block.cuh"
#include "kernels/cp_async.cuh"
#include "kernels/hopper.cuh"
#include "kernels/mma.cuh"

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <vector>

extern "C" {
#include <cmocka.h>
}

#include "tests/emu/encode_map.h"

namespace {

#if defined(__CUDACC__)
const char *const schedules[] = {"device"};
void use_schedule(const char *) {
}
#else
extern "C" int emu_set_schedule(const char *name);
extern "C" const char *emu_report(void);
const char *const schedules[] = {"forward", "reverse", "warp-ahead", "random:1"};
void use_schedule(const char *name) {
    assert_int_equal(emu_set_schedule(name), 0);
}
#endif

void check(cudaError_t error) {
    if (error != cudaSuccess) {
        print_message("%s\n", cudaGetErrorString(error));
#if !defined(__CUDACC__)
        print_message("%s", emu_report());
#endif
    }
    assert_int_equal(error, cudaSuccess);
}

template <class T> struct buffer {
    T *data = nullptr;
    size_t count;
    explicit buffer(size_t n) : count(n) {
        check(cudaMalloc(&data, n * sizeof(T)));
    }
    explicit buffer(const std::vector<T> &values) : buffer(values.size()) {
        check(cudaMemcpy(data, values.data(), count * sizeof(T), cudaMemcpyHostToDevice));
    }
    ~buffer() {
        cudaFree(data);
    }
    buffer(const buffer &) = delete;
    buffer &operator=(const buffer &) = delete;
    std::vector<T> values() const {
        std::vector<T> result(count);
        check(cudaGetLastError());
        check(cudaMemcpy(result.data(), data, count * sizeof(T), cudaMemcpyDeviceToHost));
        return result;
    }
};

template <class Body> void on_every_schedule(Body body) {
    for (const char *name : schedules) {
        use_schedule(name);
        body();
    }
}

int small_integer(unsigned i) {
    return static_cast<int>((i * 2654435761u >> 20) % 15u) - 7;
}

// ---- mma -------------------------------------------------------------------------------------

enum number { f16, bf16 };

// Packs two neighbours as the fragments want them.
template <number type> __device__ unsigned pack(float low, float high) {
    if (type == f16) {
        return static_cast<unsigned>(__half_as_ushort(__float2half(high))) << 16 |
               __half_as_ushort(__float2half(low));
    }
    return static_cast<unsigned>(__bfloat16_as_ushort(__float2bfloat16(high))) << 16 |
           __bfloat16_as_ushort(__float2bfloat16(low));
}

// a is 16 x 16 by rows, b is 16 x 8 by rows, c is 16 x 8 by rows.
template <number type> __global__ void mma_k16(const float *a, const float *b, float *c) {
    const int g = static_cast<int>(threadIdx.x) / 4;
    const int q = static_cast<int>(threadIdx.x) % 4;
    unsigned fa[4], fb[2];
    float acc[4];
    for (int r = 0; r < 4; ++r) {
        const float *p = a + 16 * (g + 8 * (r % 2)) + 2 * q + 8 * (r / 2);
        fa[r] = pack<type>(p[0], p[1]);
        acc[r] = c[8 * (g + 8 * (r / 2)) + 2 * q + r % 2];
    }
    for (int r = 0; r < 2; ++r) {
        const float *p = b + 8 * (2 * q + 8 * r) + g;
        fb[r] = pack<type>(p[0], p[8]);
    }
    if (type == f16) {
        gm_mma_m16n8k16_f16(acc, fa, fb);
    } else {
        gm_mma_m16n8k16_bf16(acc, fa, fb);
    }
    for (int r = 0; r < 4; ++r) {
        c[8 * (g + 8 * (r / 2)) + 2 * q + r % 2] = acc[r];
    }
}

__global__ void mma_tf32(const float *a, const float *b, float *c) {
    const int g = static_cast<int>(threadIdx.x) / 4;
    const int q = static_cast<int>(threadIdx.x) % 4;
    unsigned fa[4], fb[2];
    float acc[4];
    for (int r = 0; r < 4; ++r) {
        fa[r] = gm_tf32(a[8 * (g + 8 * (r % 2)) + q + 4 * (r / 2)]);
        acc[r] = c[8 * (g + 8 * (r / 2)) + 2 * q + r % 2];
    }
    for (int r = 0; r < 2; ++r) {
        fb[r] = gm_tf32(b[8 * (q + 4 * r) + g]);
    }
    gm_mma_m16n8k8_tf32(acc, fa, fb);
    for (int r = 0; r < 4; ++r) {
        c[8 * (g + 8 * (r / 2)) + 2 * q + r % 2] = acc[r];
    }
}

__global__ void mma_f64(const double *a, const double *b, double *c) {
    const int g = static_cast<int>(threadIdx.x) / 4;
    const int q = static_cast<int>(threadIdx.x) % 4;
    double acc[2] = {c[8 * g + 2 * q], c[8 * g + 2 * q + 1]};
    gm_mma_m8n8k4_f64(acc, a[4 * g + q], b[8 * q + g]);
    c[8 * g + 2 * q] = acc[0];
    c[8 * g + 2 * q + 1] = acc[1];
}

template <class T>
void check_product(void (*kernel)(const T *, const T *, T *), int rows, int inner) {
    std::vector<T> a, b, c, expected;
    for (int i = 0; i < rows * inner; ++i) {
        a.push_back(static_cast<T>(small_integer(static_cast<unsigned>(i))));
    }
    for (int i = 0; i < inner * 8; ++i) {
        b.push_back(static_cast<T>(small_integer(static_cast<unsigned>(i) + 1000)));
    }
    for (int i = 0; i < rows * 8; ++i) {
        c.push_back(static_cast<T>(small_integer(static_cast<unsigned>(i) + 2000)));
    }
    for (int i = 0; i < rows; ++i) {
        for (int j = 0; j < 8; ++j) {
            T sum = c[static_cast<size_t>(8 * i + j)];
            for (int k = 0; k < inner; ++k) {
                sum += a[static_cast<size_t>(inner * i + k)] * b[static_cast<size_t>(8 * k + j)];
            }
            expected.push_back(sum);
        }
    }
    on_every_schedule([&] {
        buffer<T> da(a), db(b), dc(c);
        GM_LAUNCH(kernel, 1, 32, 0, nullptr, da.data, db.data, dc.data);
        assert_true(dc.values() == expected);
    });
}

void test_mma_is_a_product(void **) {
    check_product<float>(mma_k16<f16>, 16, 16);
    check_product<float>(mma_k16<bf16>, 16, 16);
    check_product<float>(mma_tf32, 16, 8);
    check_product<double>(mma_f64, 8, 4);
}

__global__ void round_tf32(const float *in, unsigned *out) {
    out[threadIdx.x] = gm_tf32(in[threadIdx.x]);
}

void test_tf32_rounds_to_nearest(void **) {
    const std::vector<float> in = {1.0f, 0x1.001p0f, -0x1.002p0f, 0x1.000ffep0f, 0x1.003p0f, 0.0f};
    const std::vector<unsigned> expected = {0x3f800000u, 0x3f800000u, 0xbf802000u,
                                            0x3f800000u, 0x3f802000u, 0u};
    buffer<float> source(in);
    buffer<unsigned> result(in.size());
    GM_LAUNCH(round_tf32, 1, static_cast<unsigned>(in.size()), 0, nullptr, source.data,
              result.data);
    const std::vector<unsigned> bits = result.values();
    for (size_t i = 0; i < in.size(); ++i) {
        // The hardware leaves the low 13 bits unspecified.
        assert_int_equal(bits[i] & 0xffffe000u, expected[i]);
    }
}

// ---- bulk copies, products of a warpgroup ----------------------------------------------------

// Operands of 64 values of k: lines of 64 elements, those of k one after the other or rows.
struct warpgroup_shared {
    alignas(16) unsigned char operands[(64 + 256) * 128 + 1008];
    gm_mbarrier full;
};

struct warpgroup_maps {
    CUtensorMap a, b;
};

template <bool rows_inner>
__device__ unsigned long long operand_at(const unsigned char *panel, int k) {
    return gm_wgmma_operand(panel + (rows_inner ? 128 : 2) * k, 64 * 128, 1024);
}

// c = A B + c, c by rows; `first` is where the box of A begins along its lines' own direction.
template <number type, bool a_rows_inner, bool b_columns_inner>
__global__ void warpgroup_product(const __grid_constant__ warpgroup_maps maps, int first,
                                  float *c) {
    GM_SHARED(warpgroup_shared, shared);
    const unsigned past = gm_shared_address(shared.operands) % 1024;
    unsigned char *a = shared.operands + (1024 - past) % 1024, *b = a + 64 * 128;
    if (threadIdx.x == 0) {
        gm_mbarrier_init(shared.full, 1);
        gm_mbarrier_fence_init();
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        const int at[5] = {0, first, 0, 0, 0};
        gm_mbarrier_arrive_expect(shared.full, (64 + 256) * 128);
        gm_bulk_tensor_load(a, maps.a, at, shared.full);
        for (int i = 0; i < 4; ++i) { // 64 columns at a time, or 64 lines of columns
            const int place[5] = {b_columns_inner ? 64 * i : 0, b_columns_inner ? 0 : 64 * i, 0, 0,
                                  0};
            gm_bulk_tensor_load(b + i * 64 * 128, maps.b, place, shared.full);
        }
    }
    float sums[128];
    const int row = static_cast<int>(threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4);
    const int column = static_cast<int>(threadIdx.x % 4 * 2);
    for (int v = 0; v < 128; ++v) {
        sums[v] = c[(row + v / 2 % 2 * 8) * 256 + column + v / 4 * 8 + v % 2];
    }
    gm_mbarrier_wait(shared.full, 0);
    gm_wgmma_fence();
#pragma unroll
    for (int k = 0; k < 64; k += 16) {
        if (type == f16) {
            gm_wgmma_m64n256k16_f16<a_rows_inner, b_columns_inner>(
                sums, operand_at<a_rows_inner>(a, k), operand_at<b_columns_inner>(b, k));
        } else {
            gm_wgmma_m64n256k16_bf16<a_rows_inner, b_columns_inner>(
                sums, operand_at<a_rows_inner>(a, k), operand_at<b_columns_inner>(b, k));
        }
    }
    gm_wgmma_commit();
    gm_wgmma_wait<0>();
    for (int v = 0; v < 128; ++v) {
        c[(row + v / 2 % 2 * 8) * 256 + column + v / 4 * 8 + v % 2] = sums[v];
    }
}

template <number type> unsigned short bits_of(float x) {
    return type == f16 ? __half_as_ushort(__float2half(x))
                       : __bfloat16_as_ushort(__float2bfloat16(x));
}

// A's box begins `first` lines before or after its own first one: those outside are zero.
template <number type, bool a_rows_inner, bool b_columns_inner> void check_warpgroup(int first) {
    std::vector<unsigned short> a(64 * 64), b(256 * 64);
    std::vector<float> c, expected;
    const auto a_at = [](int m, int k) { return small_integer(static_cast<unsigned>(64 * m + k)); };
    const auto b_at = [](int k, int n) {
        return small_integer(static_cast<unsigned>(256 * k + n) + 9999);
    };
    for (int i = 0; i < 64 * 64; ++i) {
        const int m = i / 64, k = i % 64;
        a[static_cast<size_t>(a_rows_inner ? k * 64 + m : i)] =
            bits_of<type>(static_cast<float>(a_at(m, k)));
    }
    for (int i = 0; i < 64 * 256; ++i) {
        const int k = i / 256, n = i % 256;
        b[static_cast<size_t>(b_columns_inner ? i : n * 64 + k)] =
            bits_of<type>(static_cast<float>(b_at(k, n)));
    }
    for (int i = 0; i < 64 * 256; ++i) {
        int sum = small_integer(static_cast<unsigned>(i) + 77);
        c.push_back(static_cast<float>(sum));
        for (int k = 0; k < 64; ++k) {
            const int line = (a_rows_inner ? k : i / 256) + first;
            const int value = line < 0 || line >= 64 ? 0
                              : a_rows_inner         ? a_at(i / 256, line)
                                                     : a_at(line, k);
            sum += value * b_at(k, i % 256);
        }
        expected.push_back(static_cast<float>(sum));
    }
    on_every_schedule([&] {
        buffer<unsigned short> da(a), db(b);
        buffer<float> dc(c);
        const CUtensorMapDataType kind =
            type == f16 ? CU_TENSOR_MAP_DATA_TYPE_FLOAT16 : CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;
        const warpgroup_maps maps = {encode_map(da.data, kind, 64, 64, 64),
                                     b_columns_inner ? encode_map(db.data, kind, 256, 64, 64)
                                                     : encode_map(db.data, kind, 64, 256, 64)};
        GM_LAUNCH((warpgroup_product<type, a_rows_inner, b_columns_inner>), 1, 128,
                  sizeof(warpgroup_shared), nullptr, maps, first, dc.data);
        assert_true(dc.values() == expected);
    });
}

// The box of 64 lines from (first, first) on, as it lies in shared memory.
__global__ void raw_box(const __grid_constant__ CUtensorMap map, int first, unsigned short *out) {
    GM_SHARED(warpgroup_shared, shared);
    const unsigned past = gm_shared_address(shared.operands) % 1024;
    unsigned char *box = shared.operands + (1024 - past) % 1024;
    if (threadIdx.x == 0) {
        const int at[5] = {first, first, 0, 0, 0};
        gm_mbarrier_init(shared.full, 1);
        gm_mbarrier_fence_init();
        gm_mbarrier_arrive_expect(shared.full, 64 * 128);
        gm_bulk_tensor_load(box, map, at, shared.full);
        gm_mbarrier_wait(shared.full, 0);
    }
    __syncthreads();
    for (unsigned i = threadIdx.x; i < 64 * 64; i += blockDim.x) {
        out[i] = reinterpret_cast<const unsigned short *>(box)[i];
    }
}

void skip_without_hopper() {
    int major = 0;
    check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0));
    if (major != 9) {
        print_message("skip: no device of compute capability 9\n");
        skip();
    }
}

// Chunk c of 8 elements of line r is at chunk c ^ r % 8; what is outside the tensor is zero.
void test_bulk_copies_swizzle(void **) {
    skip_without_hopper();
    std::vector<unsigned short> values(64 * 64);
    for (size_t i = 0; i < values.size(); ++i) {
        values[i] = static_cast<unsigned short>(i + 1);
    }
    for (int first : {0, 3, -9, 63, 64}) {
        std::vector<unsigned short> expected(64 * 64);
        for (int i = 0; i < 64 * 64; ++i) {
            const int line = i / 64, column = i % 64, y = line + first, x = column + first;
            const int at = line * 64 + ((column / 8) ^ (line % 8)) * 8 + column % 8;
            const bool inside = y >= 0 && y < 64 && x >= 0 && x < 64;
            expected[static_cast<size_t>(at)] =
                inside ? values[static_cast<size_t>(64 * y + x)] : static_cast<unsigned short>(0);
        }
        on_every_schedule([&] {
            buffer<unsigned short> source(values), result(64 * 64);
            GM_LAUNCH(raw_box, 1, 96, sizeof(warpgroup_shared), nullptr,
                      encode_map(source.data, CU_TENSOR_MAP_DATA_TYPE_FLOAT16, 64, 64, 64), first,
                      result.data);
            assert_true(result.values() == expected);
        });
    }
}

void test_warpgroup_product(void **) {
    skip_without_hopper();
    for (int first : {0, 5, -3, 64}) {
        check_warpgroup<f16, false, false>(first);
        check_warpgroup<f16, false, true>(first);
        check_warpgroup<f16, true, false>(first);
        check_warpgroup<f16, true, true>(first);
        check_warpgroup<bf16, false, true>(first);
        check_warpgroup<bf16, true, false>(first);
    }
}

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
        cmocka_unit_test(test_mma_is_a_product),
        cmocka_unit_test(test_tf32_rounds_to_nearest),
        cmocka_unit_test(test_bulk_copies_swizzle),
        cmocka_unit_test(test_warpgroup_product),
        cmocka_unit_test(test_ldmatrix),
        cmocka_unit_test(test_cp_async),
        cmocka_unit_test(test_reductions),
        cmocka_unit_test(test_reductions_are_deterministic),
    };
    return cmocka_run_group_tests_name("kernel primitives", tests, nullptr, nullptr);
}
