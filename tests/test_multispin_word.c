/* The logic on words of packed Ising chains, against that of one site after the other. */
#include "tests/ensemble.h"

#include "host/multispin_args.h"

#define MS_WORD uint32_t
#define MS_INLINE static inline
#define MS(name) name##_tested
#include "host/multispin_word.inc"

/*
 * Numbers that agree with a threshold in their first 0 to 32 bits, bit by bit among 32 sites whose
 * classes have different thresholds, against the comparison of whole numbers; with a field, those
 * of either sign.
 */
static void bits_are_compared_exactly(void **state) {
    (void)state;
    uint64_t random = 12;
    for (int round = 0; round < 3000; ++round) {
        const int has_field = round % 2;
        uint32_t t[GM_MULTISPIN_ROWS], planes[GM_MULTISPIN_PLANES] = {0}, expected = 0;
        uint32_t table[GM_MULTISPIN_PLANES][GM_MULTISPIN_ROWS];
        static const uint32_t special[] = {0, 1, 1u << 31, ~0u, 0x80000001u, 0x7fffffffu};
        for (int row = 0; row < GM_MULTISPIN_ROWS; ++row) {
            const uint64_t drawn = next_random(&random);
            t[row] = drawn % 3 == 0 ? special[drawn / 3 % COUNT(special)] : (uint32_t)(drawn >> 32);
            for (int plane = 0; plane < GM_MULTISPIN_PLANES; ++plane) {
                table[plane][row] = 0u - (t[row] >> (31 - plane) & 1);
            }
        }
        field_tested f = {{0}, 0};
        for (int site = 0; site < 32; ++site) {
            const int m = site % GM_MULTISPIN_CLASSES, same = (round + site) % 33;
            const bool positive = m > 0 && (round >> (site / GM_MULTISPIN_CLASSES) & 2) != 0;
            const int row = has_field && m > 0 && !positive ? GM_MULTISPIN_CLASSES + m : m;
            const uint32_t mask = same == 32 ? 0 : ~0u >> same;
            const uint32_t u = (t[row] & ~mask) | ((uint32_t)(next_random(&random) >> 32) & mask);
            f.magnitude[m] |= 1u << site;
            f.positive |= (uint32_t)positive << site;
            expected |= (uint32_t)(u < t[row]) << site;
            for (int plane = 0; plane < GM_MULTISPIN_PLANES; ++plane) {
                planes[plane] |= (u >> (31 - plane) & 1) << site;
            }
        }
        uint32_t left = ~0u, less = 0;
        for (int plane = 0; plane < GM_MULTISPIN_PLANES && left != 0; ++plane) {
            compare_plane_tested(6, 1, has_field, &f, table[plane], planes[plane], &left, &less);
        }
        assert_true((less & ~left) == expected);
    }
}

/* All sums of neighbours that are up, down or missing: 3^n. */
static void neighbours_are_summed_exactly(void **state) {
    (void)state;
    static const int degrees[] = {2, 3, 4, 6};
    for (int k = 0; k < 2 * COUNT(degrees); ++k) {
        const int n = degrees[k / 2], is_open = k % 2;
        for (int code = 0; code < 729; ++code) {
            uint32_t up[3] = {0}, missing[3] = {0};
            int sum = 0, rest = code;
            for (int j = 0; j < n; ++j, rest /= 3) {
                const int state_of = is_open ? rest % 3 : rest % 2;
                add_bit_tested(up, state_of == 1 ? ~0u : 0);
                add_bit_tested(missing, state_of == 2 ? ~0u : 0);
                sum += state_of == 1 ? 1 : state_of == 0 ? -1 : 0;
            }
            field_tested f;
            classify_tested(n, is_open, up, missing, &f);
            for (int m = 0; m < GM_MULTISPIN_CLASSES; ++m) {
                assert_true(f.magnitude[m] == (m == abs(sum) ? ~0u : 0));
            }
            assert_true(f.positive == (sum > 0 ? ~0u : 0));
            assert_true(gm_multispin_has_class(n, is_open, abs(sum)));
        }
    }
}

/* Every update of 32 sites, each with a field of its own, from whole numbers of noise. */
static void decisions_are_those_of_a_site(void **state) {
    (void)state;
    static const gm_ising_update updates[] = {GM_ISING_HEAT_BATH, GM_ISING_METROPOLIS,
                                              GM_ISING_GLAUBER, GM_ISING_LAZY_METROPOLIS};
    uint64_t random = 31;
    for (int round = 0; round < 4000; ++round) {
        const gm_ising_update update = updates[round % COUNT(updates)];
        const uint32_t metropolis = update == GM_ISING_METROPOLIS ? ~0u : 0;
        const uint32_t lazy = update == GM_ISING_LAZY_METROPOLIS ? ~0u : 0;
        /* Of no field, of one up and of one down, in the rows of the sums 0, 1 and -1. */
        const uint32_t t[3] = {gm_ising_threshold(update, 2, 1, 0),
                               (uint32_t)(next_random(&random) >> 33),
                               (uint32_t)(next_random(&random) >> 33)};
        uint32_t likely = 0, tied = 0, old = 0, expected = 0, rows[GM_MULTISPIN_ROWS] = {0};
        uint32_t planes[GM_MULTISPIN_PLANES] = {0};
        const uint32_t valid = (uint32_t)(next_random(&random) >> 32);
        field_tested f = {{0}, 0};
        for (int site = 0; site < 32; ++site) {
            const uint64_t drawn = next_random(&random);
            const int kind = (int)(drawn % 3), field = kind == 2 ? -1 : kind;
            const uint32_t up = (uint32_t)(drawn >> 20) & 1, u = (uint32_t)(drawn >> 32);
            f.magnitude[abs(field)] |= 1u << site;
            f.positive |= (uint32_t)(field > 0) << site;
            likely |= (uint32_t)(field >= 0) << site;
            tied |= (uint32_t)(field == 0) << site;
            old |= up << site;
            expected |= gm_ising_decide(update, field, up, u, t[kind]) << site;
            for (int plane = 0; plane < GM_MULTISPIN_PLANES; ++plane) {
                planes[plane] |= (u >> (31 - plane) & 1) << site;
            }
        }
        const choice_tested c = choose_tested(likely, tied, metropolis, lazy, old, valid);
        uint32_t left = c.left, less = c.tossed & planes[0];
        for (int plane = 0; plane < GM_MULTISPIN_PLANES; ++plane) {
            rows[0] = 0u - (t[0] >> (31 - plane) & 1);
            rows[1] = 0u - (t[1] >> (31 - plane) & 1);
            rows[GM_MULTISPIN_CLASSES + 1] = 0u - (t[2] >> (31 - plane) & 1);
            compare_plane_tested(6, 1, 1, &f, rows, planes[plane], &left, &less);
        }
        assert_true(decide_tested(&c, less & ~left, old, valid) == (expected & valid));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_are_compared_exactly),
        cmocka_unit_test(neighbours_are_summed_exactly),
        cmocka_unit_test(decisions_are_those_of_a_site),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
