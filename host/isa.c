/* Which vector instructions the cpu backend may use. */
#include <genmath/compiler.h>

#include "host/internal.h"

gm_isa gm_isa_detect(void) {
#if GM_HAVE_X86_TARGETS
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw")) {
        return GM_ISA_AVX512;
    }
    return avx2 ? GM_ISA_AVX2 : GM_ISA_BASE;
#else
    return GM_ISA_BASE;
#endif
}

const char *gm_isa_name(gm_isa isa) {
    static const char *const names[] = {"auto", "base", "avx2", "avx512"};
    return (unsigned)isa <= GM_ISA_AVX512 ? names[isa] : "auto";
}
