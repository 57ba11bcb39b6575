/* The backends of targets.h. */
#include "targets.h"

target backends[TARGETS] = {
    {"ref", {.backend = GM_BACKEND_REF}, NULL},
    {"cpu base", {.backend = GM_BACKEND_CPU, .isa = GM_ISA_BASE, .threads = 1}, NULL},
    {"cpu avx2", {.backend = GM_BACKEND_CPU, .isa = GM_ISA_AVX2, .threads = 1}, NULL},
    {"cpu avx512", {.backend = GM_BACKEND_CPU, .isa = GM_ISA_AVX512, .threads = 1}, NULL},
    {"cpu, 3 threads", {.backend = GM_BACKEND_CPU, .threads = 3}, NULL},
    {"emu", {.backend = GM_BACKEND_EMU}, NULL},
    {"cuda", {.backend = GM_BACKEND_CUDA}, NULL},
};

int open_backends(void **state) {
    (void)state;
    int skipped = 0;
    for (int i = 0; i < TARGETS; ++i) {
        if (gm_context_create(&backends[i].options, &backends[i].context) != GM_STATUS_OK) {
            print_message("skipped: %s: %s\n", backends[i].name, gm_last_error(NULL));
            ++skipped;
        }
    }
    print_message("%d of %d backends, %d skipped\n", TARGETS - skipped, TARGETS, skipped);
    return backends[REF].context == NULL || backends[FIRST_CPU].context == NULL;
}

int close_backends(void **state) {
    (void)state;
    for (int i = 0; i < TARGETS; ++i) {
        gm_context_destroy(backends[i].context);
    }
    return 0;
}
