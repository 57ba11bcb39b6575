// Switching stacks. What a switch must keep is what a function call may not change: the
// callee-saved registers. The floating-point control words are the host's in every thread; on
// x86-64, where they cost as much as all the rest, they are left alone.
#include "fiber.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if EMU_FIBER_UCONTEXT

// The C library switches.

#elif defined(__x86_64__)

// Frame, from the stack pointer up: r15 r14 r13 r12 rbx rbp, return address.
asm(R"(
.text
.globl emu_fiber_switch
.hidden emu_fiber_switch
.type emu_fiber_switch, @function
.align 16
emu_fiber_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size emu_fiber_switch, . - emu_fiber_switch
)");

#elif defined(__aarch64__)

// Frame, from the stack pointer up: x19 ... x30, d8 ... d15, fpcr, padding to 16 bytes.
asm(R"(
.text
.globl emu_fiber_switch
.hidden emu_fiber_switch
.type emu_fiber_switch, %function
.align 4
emu_fiber_switch:
    sub sp, sp, #176
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mrs x9, fpcr
    str x9, [sp, #160]
    mov x10, sp
    str x10, [x0]
    mov sp, x1
    ldr x9, [sp, #160]
    msr fpcr, x9
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #176
    ret
.size emu_fiber_switch, . - emu_fiber_switch
)");

#endif

#if !EMU_FIBER_UCONTEXT
extern "C" void emu_fiber_switch(void **save, void *load);
#endif

namespace emu {

namespace {

void change_stack(fiber &from, fiber &to) {
    if (under_tsan()) {
        __tsan_switch_to_fiber(to.tsan, tsan_no_sync);
    }
#if EMU_FIBER_UCONTEXT
    swapcontext(&from.context, &to.context);
#else
    emu_fiber_switch(&from.stack_pointer, to.stack_pointer);
#endif
}

} // namespace

#if EMU_FIBER_UCONTEXT

void fiber_prepare(fiber &self, char *stack, size_t stack_bytes, void (*entry)()) {
    self.stack = stack;
    self.stack_bytes = stack_bytes;
    self.asan_fake_stack = nullptr;
    getcontext(&self.context);
    self.context.uc_stack.ss_sp = stack;
    self.context.uc_stack.ss_size = stack_bytes;
    self.context.uc_link = nullptr;
    makecontext(&self.context, entry, 0);
}

#else

void fiber_prepare(fiber &self, char *stack, size_t stack_bytes, void (*entry)()) {
    self.stack = stack;
    self.stack_bytes = stack_bytes;
    self.asan_fake_stack = nullptr;
    uintptr_t top = reinterpret_cast<uintptr_t>(stack + stack_bytes) & ~uintptr_t{15};
#if defined(__x86_64__)
    // After the return into entry the stack pointer is 8 below a multiple of 16, as after a call;
    // the word it points to is the return address that ends a debugger's walk.
    uint64_t *frame = reinterpret_cast<uint64_t *>(top) - 8;
    memset(frame, 0, 8 * sizeof *frame);
    frame[6] = reinterpret_cast<uint64_t>(entry);
#else
    uint64_t *frame = reinterpret_cast<uint64_t *>(top) - 22;
    memset(frame, 0, 22 * sizeof *frame);
    uint64_t control;
    asm volatile("mrs %0, fpcr" : "=r"(control));
    frame[11] = reinterpret_cast<uint64_t>(entry);
    frame[20] = control;
#endif
    self.stack_pointer = frame;
}

#endif

void fiber_switch(fiber &from, fiber &to) {
    if (__sanitizer_start_switch_fiber) {
        __sanitizer_start_switch_fiber(&from.asan_fake_stack, to.stack, to.stack_bytes);
    }
    change_stack(from, to);
    if (__sanitizer_finish_switch_fiber) {
        __sanitizer_finish_switch_fiber(from.asan_fake_stack, nullptr, nullptr);
    }
}

void fiber_exit(fiber &from, fiber &to) {
    if (__sanitizer_start_switch_fiber) {
        __sanitizer_start_switch_fiber(nullptr, to.stack, to.stack_bytes);
    }
    change_stack(from, to);
    abort();
}

void fiber_entered(fiber &from) {
    if (__sanitizer_finish_switch_fiber) {
        const void *bottom = nullptr;
        size_t bytes = 0;
        __sanitizer_finish_switch_fiber(nullptr, &bottom, &bytes);
        from.stack = static_cast<char *>(const_cast<void *>(bottom));
        from.stack_bytes = bytes;
    }
}

} // namespace emu
