// What a thread of a kernel sees: its indices, the barriers, shared memory and fences.
#ifndef GENMATH_EMU_THREAD_H
#define GENMATH_EMU_THREAD_H

#include <stddef.h>

#include "emu_types.h"

// Set by the scheduler before it resumes a thread.
extern uint3 threadIdx;
extern uint3 blockIdx;
extern dim3 blockDim;
extern dim3 gridDim;
extern const int warpSize;

namespace emu {

// Where in the source a call stands. As a default argument, here() is the place of the caller.
struct site {
    const char *file;
    int line;
};

constexpr site here(const char *file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
}

enum class barrier_kind { plain, count, all, any };

int block_barrier(barrier_kind kind, int predicate, site at);
void warp_barrier(unsigned mask, site at);
void *shared_arena(size_t bytes, site at);
unsigned shared_address(const void *pointer);
void fence();
void fence_block();

} // namespace emu

inline void __syncthreads(emu::site at = emu::here()) {
    emu::block_barrier(emu::barrier_kind::plain, 0, at);
}

inline int __syncthreads_count(int predicate, emu::site at = emu::here()) {
    return emu::block_barrier(emu::barrier_kind::count, predicate, at);
}

inline int __syncthreads_and(int predicate, emu::site at = emu::here()) {
    return emu::block_barrier(emu::barrier_kind::all, predicate, at);
}

inline int __syncthreads_or(int predicate, emu::site at = emu::here()) {
    return emu::block_barrier(emu::barrier_kind::any, predicate, at);
}

inline void __syncwarp(unsigned mask = 0xffffffffu, emu::site at = emu::here()) {
    emu::warp_barrier(mask, at);
}

// The emulator never reorders memory accesses, so it cannot prove that a fence suffices. Under
// the thread sanitizer a fence orders everything before it with everything after a later fence.
inline void __threadfence() {
    emu::fence();
}

inline void __threadfence_system() {
    emu::fence();
}

inline void __threadfence_block() {
    emu::fence_block();
}

#endif
