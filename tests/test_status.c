/* The status list: every entry has a name, a text of its own and its place in the enum. */
#include "support.h"

#include <genmath/status.h>

#define ENTRY(status, text) {status, #status, text},
static const struct {
    gm_status status;
    const char *name, *text;
} entries[] = {GM_STATUS_LIST(ENTRY)};
enum { ENTRIES = sizeof entries / sizeof entries[0] };

static void test_walk(void **state) {
    (void)state;
    assert_int_equal(ENTRIES, (int)GM_STATUS_COUNT);
    for (int i = 0; i < ENTRIES; ++i) {
        assert_int_equal(entries[i].status, i);
        assert_string_equal(gm_status_name(entries[i].status), entries[i].name);
        assert_string_equal(gm_status_string(entries[i].status), entries[i].text);
        for (int j = 0; j < i; ++j) {
            assert_string_not_equal(entries[i].text, entries[j].text);
            assert_string_not_equal(entries[i].name, entries[j].name);
        }
    }
}

/* What bindings in other languages rely on. */
static void test_fixed_values(void **state) {
    (void)state;
    assert_int_equal(GM_STATUS_OK, 0);
    assert_int_equal(GM_STATUS_INVALID_ARGUMENT, 1);
    assert_string_equal(gm_status_string(GM_STATUS_OK), "success");
}

static void test_outside(void **state) {
    (void)state;
    static const int outside[] = {-1, GM_STATUS_COUNT, GM_STATUS_COUNT + 1, INT_MAX, INT_MIN};
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; ++i) {
        assert_string_equal(gm_status_string((gm_status)outside[i]), "unknown status");
        assert_null(gm_status_name((gm_status)outside[i]));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_fixed_values),
        cmocka_unit_test(test_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
