// Turns a fault inside a kernel (an access to an inaccessible page, a failed assert, a division by
// zero) into a report. The signal handler moves the faulting thread to a reserve stack, where it
// ends the kernel as any other error does. The handlers are in place only while a kernel runs. The
// address sanitizer reports faults itself, so nothing is installed with it.
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <ucontext.h>

#include "runtime.h"

namespace emu {

namespace {

constexpr int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
constexpr size_t signal_count = sizeof signals / sizeof signals[0];

struct sigaction previous[signal_count];
pthread_t kernel_thread;

alignas(16) char handler_stack[64 * 1024];
stack_t previous_stack;

// What the handler saw, for the landing.
struct {
    int signal;
    void *address;
    void *instruction;
} fault;

// Runs in place of the faulting instruction, no longer inside the handler.
void landing() {
    std::string where;
    Dl_info symbol;
    if (dladdr(fault.instruction, &symbol) && symbol.dli_fname) {
        where = format_text(
            ", instruction %s+0x%zx", symbol.dli_sname ? symbol.dli_sname : symbol.dli_fname,
            size_t(static_cast<char *>(fault.instruction) -
                   static_cast<char *>(symbol.dli_sname ? symbol.dli_saddr : symbol.dli_fbase)));
    }
    if (fault.signal == SIGABRT) {
        fail("the kernel called abort, as a failed assert does");
    }
    if (fault.signal == SIGFPE) {
        fail("integer division by zero%s", where.c_str());
    }
    if (fault.signal != SIGSEGV && fault.signal != SIGBUS) {
        fail("illegal instruction%s", where.c_str());
    }
    std::string target = arena_describe(fault.address);
    if (target.empty()) {
        target = memory_describe(fault.address);
    }
    if (target.empty()) {
        // A general protection fault, as a misaligned vector access raises, names no address.
        target = fault.address ? "in no allocation"
                               : "a null pointer, or a vector access that is not aligned";
    }
    fail("invalid access at %p: %s%s", fault.address, target.c_str(), where.c_str());
}

void pass_on(size_t which, int signal, siginfo_t *info, void *context) {
    const struct sigaction &old = previous[which];
    if (old.sa_flags & SA_SIGINFO) {
        old.sa_sigaction(signal, info, context);
    } else if (old.sa_handler != SIG_DFL && old.sa_handler != SIG_IGN) {
        old.sa_handler(signal);
    } else {
        // With the default action back in place, the instruction faults again and ends the process.
        sigaction(signal, &old, nullptr);
        if (info->si_code <= 0) {
            raise(signal);
        }
    }
}

void handler(int signal, siginfo_t *info, void *raw_context) {
    size_t which = 0;
    while (signals[which] != signal) {
        ++which;
    }
#if defined(__x86_64__) || defined(__aarch64__)
    if (running && pthread_equal(pthread_self(), kernel_thread)) {
        ucontext_t *context = static_cast<ucontext_t *>(raw_context);
        uintptr_t stack = reinterpret_cast<uintptr_t>(arena_emergency_stack_top());
        fault.signal = signal;
        fault.address = info->si_addr;
#if defined(__x86_64__)
        greg_t *registers = context->uc_mcontext.gregs;
        fault.instruction = reinterpret_cast<void *>(registers[REG_RIP]);
        registers[REG_RIP] = reinterpret_cast<greg_t>(landing);
        registers[REG_RSP] = static_cast<greg_t>(stack - 8); // as after a call
#else
        fault.instruction = reinterpret_cast<void *>(context->uc_mcontext.pc);
        context->uc_mcontext.pc = reinterpret_cast<uintptr_t>(landing);
        context->uc_mcontext.sp = stack;
        context->uc_mcontext.regs[29] = 0;
        context->uc_mcontext.regs[30] = 0;
#endif
        return;
    }
#endif
    pass_on(which, signal, info, raw_context);
}

} // namespace

void fault_section_begin() {
    if (under_asan()) {
        return;
    }
    stack_t stack = {};
    stack.ss_sp = handler_stack;
    stack.ss_size = sizeof handler_stack;
    sigaltstack(&stack, &previous_stack);
    kernel_thread = pthread_self();
    struct sigaction action = {};
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < signal_count; ++i) {
        sigaction(signals[i], &action, &previous[i]);
    }
}

void fault_section_end() {
    if (under_asan()) {
        return;
    }
    for (size_t i = 0; i < signal_count; ++i) {
        sigaction(signals[i], &previous[i], nullptr);
    }
    sigaltstack(&previous_stack, nullptr);
}

} // namespace emu
