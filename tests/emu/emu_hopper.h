// Asynchronous instructions of sm_90a, for kernels/hopper.cuh.
//
// A bulk copy poisons its target when it is issued and lands when no thread can run without it; a
// product of a warpgroup poisons the accumulators and is computed, from what shared memory then
// holds, when a warp waits for it. So whoever does not wait sees NaN. Beyond that it is an error to
// issue a product of what is still being copied, or a copy over what a product still reads.
#ifndef GENMATH_EMU_HOPPER_H
#define GENMATH_EMU_HOPPER_H

#include "cuda.h"
#include "emu_thread.h"

namespace emu {

void mbarrier_init(unsigned long long *barrier, unsigned arrivals, site at);
void mbarrier_fence_init();
void mbarrier_arrive(unsigned long long *barrier, unsigned bytes, site at);
void mbarrier_wait(unsigned long long *barrier, unsigned parity, site at);

void bulk_tensor_load(void *shared, const CUtensorMap &map, const int (&place)[5],
                      unsigned long long *barrier, site at);

// Operands by their descriptors; rows or columns innermost, or k; f16 or bf16.
struct wgmma_operands {
    unsigned long long a, b;
    bool a_rows_inner, b_columns_inner, bfloat;
};

void wgmma_fence();
void wgmma_m64n256k16(float (&sums)[128], const wgmma_operands &operands, site at);
void wgmma_commit(site at);
void wgmma_wait(int pending, site at);

} // namespace emu

#endif
