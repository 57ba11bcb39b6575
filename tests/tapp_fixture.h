/* What the tests of TAPP share: a handle on every backend, and errors as they should be. */
#ifndef GENMATH_TESTS_TAPP_FIXTURE_H
#define GENMATH_TESTS_TAPP_FIXTURE_H

#include "tests/support.h"

#include <genmath/tensor.h>
#include <tapp.h>

#include "host/tapp/product.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

typedef struct target {
    const char *name;
    gm_context *context; /* whose memory the handle's backend shares */
    TAPP_handle handle;
    TAPP_executor executor;
    bool is_device;
} target;

static target targets[4];
static int target_count;
#define FOR_EACH_TARGET(t) for (const target *t = targets; t < targets + target_count; ++t)

__attribute__((unused)) static void assert_success(TAPP_error error) {
    char text[512];
    if (!TAPP_check_success(error)) {
        TAPP_explain_error(error, sizeof text, text);
        fail_msg("%d, %d: %s", error.type, error.code, text);
    }
}

__attribute__((unused)) static void assert_error(TAPP_error error, int type, int code,
                                                 const char *part) {
    char text[512];
    TAPP_explain_error(error, sizeof text, text);
    if (error.type != type || error.code != code || strstr(text, part) == NULL) {
        fail_msg("%d, %d: %s; expected %d, %d: ...%s", error.type, error.code, text, type, code,
                 part);
    }
}

__attribute__((unused)) static void assert_invalid(TAPP_error error, const char *part) {
    assert_error(error, TAPP_ERROR_TYPE_GENMATH, GM_STATUS_INVALID_ARGUMENT, part);
}

static int open_targets(void **state) {
    static const char *const names[] = {"ref", "cpu", "emu", "cuda"};
    (void)state;
    for (int i = 0; i < COUNT(names); ++i) {
        target *t = &targets[target_count];
        *t = (target){.name = names[i], .is_device = i >= 2};
        const gm_context_options options = {
            .backend = (gm_backend_id[]){GM_BACKEND_REF, GM_BACKEND_CPU, GM_BACKEND_EMU,
                                         GM_BACKEND_CUDA}[i]};
        if (gm_context_create(&options, &t->context) != GM_STATUS_OK) {
            printf("skip: %s: %s\n", names[i], gm_last_error(NULL));
            continue;
        }
        setenv("GENMATH_BACKEND", names[i], 1);
        assert_success(TAPP_create_handle(0, &t->handle));
        assert_success(TAPP_create_executor(&t->executor));
        ++target_count;
    }
    unsetenv("GENMATH_BACKEND");
    return 0;
}

static int close_targets(void **state) {
    (void)state;
    FOR_EACH_TARGET(t) {
        assert_success(TAPP_destroy_executor(t->executor));
        assert_success(TAPP_destroy_handle(t->handle));
        gm_context_destroy(t->context);
    }
    return 0;
}

#endif
