// Half and bfloat16: every pattern to float and back, and every rounding decision. The model is the
// definition of the formats: a value is fraction times a power of two, and a float rounds to the
// nearer neighbour, or to the even one from the midpoint.
#include <math.h>

#include "emu_test.h"

#include "cuda_bf16.h"
#include "cuda_fp16.h"

namespace {

struct format {
    int fraction_bits;
    int bias;
    unsigned infinity; // the pattern
};

const format f16 = {10, 15, 0x7c00};
const format bf16 = {7, 127, 0x7f80};

double decode(const format &f, unsigned pattern) {
    const int exponent = static_cast<int>((pattern & 0x7fffu) >> f.fraction_bits);
    const int fraction = static_cast<int>(pattern & ((1u << f.fraction_bits) - 1u));
    const int hidden = exponent == 0 ? 0 : 1 << f.fraction_bits;
    const double magnitude =
        ldexp(fraction + hidden, (exponent == 0 ? 1 : exponent) - f.bias - f.fraction_bits);
    return pattern & 0x8000u ? -magnitude : magnitude;
}

template <class To, class From> void check_format(const format &f, To to_float, From from_float) {
    for (unsigned pattern = 0; pattern < 0x10000u; ++pattern) {
        const unsigned magnitude = pattern & 0x7fffu;
        const float value = to_float(static_cast<unsigned short>(pattern));
        if (magnitude > f.infinity) {
            assert_true(isnan(value));
            assert_int_equal(from_float(value), 0x7fff);
            continue;
        }
        assert_int_equal(signbit(value) != 0, pattern >> 15);
        assert_int_equal(from_float(value), pattern);
        if (magnitude == f.infinity) {
            assert_true(isinf(value));
            continue;
        }
        assert_true(static_cast<double>(value) == decode(f, pattern));
    }
    for (unsigned pattern = 0; pattern < f.infinity; ++pattern) {
        // Above the largest value, infinity stands where the next one would be.
        const double middle = (decode(f, pattern) + decode(f, pattern + 1)) / 2;
        const float tie = static_cast<float>(middle);
        if (static_cast<double>(tie) != middle) {
            continue; // below the smallest float: no float lies on the midpoint
        }
        const unsigned even = pattern + (pattern & 1u);
        for (unsigned sign : {0u, 0x8000u}) {
            const float s = sign ? -1.0f : 1.0f;
            assert_int_equal(from_float(s * tie), sign | even);
            assert_int_equal(from_float(s * nextafterf(tie, 0.0f)), sign | pattern);
            assert_int_equal(from_float(s * nextafterf(tie, INFINITY)), sign | (pattern + 1));
        }
    }
}

void test_half(void **) {
    check_format(
        f16, [](unsigned short bits) { return __half2float(__ushort_as_half(bits)); },
        [](float value) { return __half_as_ushort(__float2half(value)); });
    assert_int_equal(__half_as_ushort(__float2half(65519.996f)), 0x7bff);
    assert_int_equal(__half_as_ushort(__float2half(65520.0f)), 0x7c00);
    assert_int_equal(__half_as_ushort(__float2half(0x1p-25f)), 0);
    assert_int_equal(__half_as_ushort(__float2half(-1e-30f)), 0x8000);
}

void test_bfloat16(void **) {
    check_format(
        bf16, [](unsigned short bits) { return __bfloat162float(__ushort_as_bfloat16(bits)); },
        [](float value) { return __bfloat16_as_ushort(__float2bfloat16(value)); });
}

void test_pairs(void **) {
    const __half2 h = __floats2half2_rn(1.5f, -2.0f);
    assert_int_equal(__half_as_ushort(h.x), 0x3e00);
    assert_int_equal(__half_as_ushort(h.y), 0xc000);
    const float2 f = __half22float2(h);
    assert_true(f.x == 1.5f && f.y == -2.0f);
    assert_true(__low2float(h) == 1.5f && __high2float(h) == -2.0f);
    const __nv_bfloat162 b = __floats2bfloat162_rn(1.5f, -2.0f);
    assert_int_equal(__bfloat16_as_ushort(b.x), 0x3fc0);
    assert_int_equal(__bfloat16_as_ushort(b.y), 0xc000);
    const float2 g = __bfloat1622float2(b);
    assert_true(g.x == 1.5f && g.y == -2.0f);
    // The first of a pair is the lower half of a register, as the mma fragments want it.
    unsigned word;
    memcpy(&word, &h, sizeof word);
    assert_int_equal(word, 0xc0003e00u);
    assert_int_equal(alignof(__half2), 4);
}

} // namespace

int main() {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_half),
        cmocka_unit_test(test_bfloat16),
        cmocka_unit_test(test_pairs),
    };
    return cmocka_run_group_tests_name("emu half", tests, nullptr, nullptr);
}
