// Stacks that take turns on one OS thread: each CUDA thread of a block is a fiber.
#ifndef GENMATH_EMU_FIBER_H
#define GENMATH_EMU_FIBER_H

#include <stddef.h>

#include "sanitizer.h"

// Where no switch has been written by hand; -DEMU_FIBER_UCONTEXT=1 takes this one anywhere.
#if !defined(__x86_64__) && !defined(__aarch64__)
#define EMU_FIBER_UCONTEXT 1
#endif
#if EMU_FIBER_UCONTEXT
#include <ucontext.h>
#endif

namespace emu {

struct fiber {
    void *stack_pointer; // while it does not run
    char *stack;         // lowest address, null for the OS thread's own stack until it is left
    size_t stack_bytes;
    void *tsan;            // the thread sanitizer's fiber
    void *asan_fake_stack; // the address sanitizer's
#if EMU_FIBER_UCONTEXT
    ucontext_t context;
#endif
};

// Makes the fiber start in entry at its next switch. entry must not return.
void fiber_prepare(fiber &self, char *stack, size_t stack_bytes, void (*entry)());

// Leaves from and continues to. The call returns when something switches back to from.
void fiber_switch(fiber &from, fiber &to);

// Like fiber_switch, for a fiber that is never resumed.
[[noreturn]] void fiber_exit(fiber &from, fiber &to);

// The first call in entry, with the fiber that was left.
void fiber_entered(fiber &from);

} // namespace emu

#endif
