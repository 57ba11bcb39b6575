// Atomics, bit functions, conversions and the alignment of the vector types.
#include <math.h>

#include "emu_test.h"

namespace {

struct counters {
    int add_i, sub_i, min_i, max_i, and_i, or_i, xor_i;
    unsigned add_u, sub_u, min_u, max_u, and_u, or_u, xor_u, inc_u, dec_u;
    unsigned long long add_l, min_l, max_l;
    long long min_s, max_s;
    float add_f;
    double add_d;
};

__global__ void count(counters *c) {
    const int i = static_cast<int>(threadIdx.x + blockIdx.x * blockDim.x);
    const unsigned u = static_cast<unsigned>(i);
    atomicAdd(&c->add_i, i - 10);
    atomicSub(&c->sub_i, i);
    atomicMin(&c->min_i, -i);
    atomicMax(&c->max_i, i);
    atomicAnd(&c->and_i, ~(1 << i % 7));
    atomicOr(&c->or_i, 1 << i % 9);
    atomicXor(&c->xor_i, i);
    atomicAdd(&c->add_u, u);
    atomicSub(&c->sub_u, u);
    atomicMin(&c->min_u, u + 5);
    atomicMax(&c->max_u, u);
    atomicAnd(&c->and_u, ~(1u << u % 7));
    atomicOr(&c->or_u, 1u << u % 9);
    atomicXor(&c->xor_u, u);
    atomicInc(&c->inc_u, 6);
    atomicDec(&c->dec_u, 6);
    atomicAdd(&c->add_l, 1ull << 40);
    atomicMin(&c->min_l, static_cast<unsigned long long>(u) << 33);
    atomicMax(&c->max_l, static_cast<unsigned long long>(u) << 33);
    atomicMin(&c->min_s, -(static_cast<long long>(i) << 33));
    atomicMax(&c->max_s, static_cast<long long>(i) << 33);
    atomicAdd(&c->add_f, 0.5f);
    atomicAdd(&c->add_d, 0.25);
}

void test_atomics_from_many_threads(void **) {
    constexpr int n = 3 * 70;
    on_every_schedule([] {
        device_array<counters> device(std::vector<counters>(1, [] {
            counters c = {};
            c.and_i = -1;
            c.and_u = 0xffffffffu;
            c.min_u = 1000;
            c.min_l = ~0ull;
            return c;
        }()));
        GM_LAUNCH(count, 3, 70, 0, nullptr, device.data());
        const counters c = device.values()[0];
        int exclusive = 0;
        for (int i = 0; i < n; ++i) {
            exclusive ^= i;
        }
        const int sum = n * (n - 1) / 2;
        assert_int_equal(c.add_i, sum - 10 * n);
        assert_int_equal(c.sub_i, -sum);
        assert_int_equal(c.min_i, -(n - 1));
        assert_int_equal(c.max_i, n - 1);
        assert_int_equal(c.and_i, ~0x7f);
        assert_int_equal(c.or_i, 0x1ff);
        assert_int_equal(c.xor_i, exclusive);
        assert_int_equal(c.add_u, sum);
        assert_int_equal(c.sub_u, static_cast<unsigned>(-sum));
        assert_int_equal(c.min_u, 5);
        assert_int_equal(c.max_u, n - 1);
        assert_int_equal(c.and_u, ~0x7fu);
        assert_int_equal(c.or_u, 0x1ff);
        assert_int_equal(c.xor_u, exclusive);
        // Inc counts 0 ... 6 and wraps: n steps from 0. Dec counts down through the same values.
        assert_int_equal(c.inc_u, n % 7);
        assert_int_equal(c.dec_u, (7 - n % 7) % 7);
        assert_true(c.add_l == static_cast<unsigned long long>(n) << 40);
        assert_true(c.min_l == 0 && c.max_l == static_cast<unsigned long long>(n - 1) << 33);
        assert_true(c.min_s == -(static_cast<long long>(n - 1) << 33));
        assert_true(c.max_s == static_cast<long long>(n - 1) << 33);
        assert_true(c.add_f == 0.5f * n && c.add_d == 0.25 * n);
    });
}

void test_atomics_return_the_old_value(void **) {
    unsigned u = 9;
    assert_int_equal(atomicInc(&u, 8), 9); // above the limit: wraps to 0
    assert_int_equal(u, 0);
    assert_int_equal(atomicDec(&u, 5), 0);
    assert_int_equal(u, 5);
    u = 7;
    assert_int_equal(atomicDec(&u, 5), 7); // above the limit: becomes the limit
    assert_int_equal(u, 5);
    assert_int_equal(atomicCAS(&u, 4u, 1u), 5);
    assert_int_equal(u, 5);
    assert_int_equal(atomicCAS(&u, 5u, 1u), 5);
    assert_int_equal(u, 1);
    int i = -3;
    assert_int_equal(atomicExch(&i, 4), -3);
    assert_int_equal(atomicCAS(&i, 4, 5), 4);
    unsigned long long l = 1;
    assert_true(atomicCAS(&l, 1ull, 1ull << 63) == 1 && l == 1ull << 63);
    float f = NAN;
    assert_true(isnan(atomicAdd(&f, 1.0f)) && isnan(f));
    assert_true(isnan(atomicExch(&f, 2.0f)) && f == 2.0f);
}

void test_bit_functions(void **) {
    assert_int_equal(__popc(0xf0f00001u), 9);
    assert_int_equal(__popcll(0xf000000000000001ull), 5);
    assert_int_equal(__clz(0), 32);
    assert_int_equal(__clz(1), 31);
    assert_int_equal(__clz(-1), 0);
    assert_int_equal(__clzll(0), 64);
    assert_int_equal(__clzll(1), 63);
    assert_int_equal(__ffs(0), 0);
    assert_int_equal(__ffs(8), 4);
    assert_int_equal(__ffsll(1ll << 40), 41);
    assert_int_equal(__brev(1u), 0x80000000u);
    assert_int_equal(__brev(0x12345678u), 0x1e6a2c48u);
    assert_true(__brevll(0x12345678ull) == 0x1e6a2c4800000000ull);
    assert_int_equal(__umulhi(0xffffffffu, 0xffffffffu), 0xfffffffeu);
    assert_int_equal(__mulhi(-1, 1), -1);
    assert_true(__umul64hi(~0ull, ~0ull) == ~1ull);
    assert_true(__mul64hi(-1, 1) == -1);
    assert_int_equal(__funnelshift_l(0x80000000u, 0x1u, 4), 0x18u);
    assert_int_equal(__funnelshift_r(0x80000000u, 0x1u, 4), 0x18000000u);
    assert_int_equal(__float_as_uint(1.0f), 0x3f800000u);
    assert_true(__int_as_float(0x40000000) == 2.0f && __uint_as_float(0xbf800000u) == -1.0f);
    assert_true(__longlong_as_double(__double_as_longlong(0.1)) == 0.1);
}

void test_mathematics(void **) {
    assert_true(min(3, -4) == -4 && max(3u, 4u) == 4u && min(2.0f, 1.0f) == 1.0f);
    assert_true(max(1.0f, NAN) == 1.0f && min(static_cast<double>(NAN), 2.0) == 2.0);
    assert_true(rsqrtf(4.0f) == 0.5f && rsqrt(0.25) == 2.0 && isinf(rsqrtf(0.0f)));
    assert_true(__fmaf_rn(0x1.000002p0f, 0x1.000002p0f, -0x1.000004p0f) == 0x1p-46f);
    assert_true(__fsqrt_rn(2.0f) == 0x1.6a09e6p0f && __frcp_rn(4.0f) == 0.25f);
    assert_true(__expf(0.0f) == 1.0f && __powf(2.0f, 3.0f) == 8.0f && __fdividef(1, 4) == 0.25f);
    assert_true(__saturatef(NAN) == 0.0f && __saturatef(2.0f) == 1.0f);
    assert_int_equal(__float2int_rn(2.5f), 2);
    assert_int_equal(__float2int_rz(-2.7f), -2);
    assert_int_equal(__float2int_rd(-2.1f), -3);
    assert_int_equal(__float2int_ru(2.1f), 3);
    assert_int_equal(__float2int_rn(1e20f), 2147483647);
    assert_int_equal(__float2int_rn(-1e20f), -2147483647 - 1);
    assert_int_equal(__float2int_rn(NAN), 0);
    assert_int_equal(__float2uint_rz(-3.0f), 0);
    assert_int_equal(__float2uint_rz(1e20f), 0xffffffffu);
    assert_int_equal(__double2int_rn(-2.5), -2);
    const int stored = 11;
    assert_int_equal(__ldg(&stored), 11);
}

void test_vector_types(void **) {
    assert_int_equal(alignof(float2), 8);
    assert_int_equal(alignof(float3), 4);
    assert_int_equal(alignof(float4), 16);
    assert_int_equal(alignof(int4), 16);
    assert_int_equal(alignof(double2), 16);
    assert_int_equal(alignof(ushort4), 8);
    assert_int_equal(sizeof(float3), 12);
    const float4 v = make_float4(1, 2, 3, 4);
    assert_true(v.x == 1 && v.y == 2 && v.z == 3 && v.w == 4);
    const dim3 d(7);
    assert_true(d.x == 7 && d.y == 1 && d.z == 1);
}

} // namespace

int main() {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_atomics_from_many_threads),
        cmocka_unit_test(test_atomics_return_the_old_value),
        cmocka_unit_test(test_bit_functions),
        cmocka_unit_test(test_mathematics),
        cmocka_unit_test(test_vector_types),
    };
    return cmocka_run_group_tests_name("emu functions", tests, nullptr, nullptr);
}
