// What the emulator does not have must not compile. Built with -DCASE=n for n = 1 ... 7 this file
// must fail, and with -DCASE=0 it must not, so that each failure is that of its case.
#include "kernels/device.cuh"

__global__ void unsupported(int *out) {
#if CASE == 1
    __shared__ int values[32];
    out[0] = values[0];
#elif CASE == 2
    extern __shared__ int values[];
    out[0] = values[0];
#elif CASE == 3
    out[0] = static_cast<int>(__activemask());
#elif CASE == 4
    out[0] = __shfl(1, 0);
#elif CASE == 5
    out[0] = __shfl_sync(0xffffffffu, static_cast<short>(1), 0);
#elif CASE == 6
    asm volatile("cp.async.commit_group;");
#elif CASE == 7
    out[0] = static_cast<int>(clock64());
#endif
    out[0] = 0;
}

void launch_unsupported(int *out) {
    GM_LAUNCH(unsupported, 1, 1, 0, nullptr, out);
}
