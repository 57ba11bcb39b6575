// The primitive headers of the kernels: matrix instructions on integer data against a plain
// product, bulk copies. The file compiles with nvcc as well and shows on a device that the wrappers
// mean the same. Loads and reductions are in test_loads.cu.
#include "kernels/hopper.cuh"
#include "kernels/mma.cuh"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "tests/emu/encode_map.h"
#include "tests/emu/primitives.cuh"

namespace {

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

} // namespace

int main() {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mma_is_a_product),
        cmocka_unit_test(test_tf32_rounds_to_nearest),
        cmocka_unit_test(test_bulk_copies_swizzle),
        cmocka_unit_test(test_warpgroup_product),
    };
    return cmocka_run_group_tests_name("kernel primitives", tests, nullptr, nullptr);
}
