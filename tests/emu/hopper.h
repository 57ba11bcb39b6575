// What the emulator's files know of the asynchronous instructions of sm_90a.
#ifndef GENMATH_EMU_HOPPER_STATE_H
#define GENMATH_EMU_HOPPER_STATE_H

#include <stddef.h>

#include <string>

namespace emu {

struct thread_record;

// Where a byte at an address of the shared window lies with the 128-byte swizzle.
unsigned swizzle_128(unsigned address);

void hopper_start_block();
// Empty, or what is still under way.
std::string hopper_end_block();
// What a thread at an mbarrier waits for.
std::string hopper_describe_wait(const thread_record &thread);
// The oldest bulk copy lands; false if none is under way.
bool hopper_land_copy();
// Whether a bulk copy that is under way writes there.
bool bulk_copy_writes(const unsigned char *begin, size_t bytes);

void wgmma_start_block();
// Whether a product that some warp has not waited for reads there.
bool wgmma_reads(const unsigned char *begin, size_t bytes);
// Ends the kernel if the thread that exits has products under way.
void wgmma_check_exit();

} // namespace emu

#endif
