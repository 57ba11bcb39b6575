// Bookkeeping of asynchronous copies: which of a thread's copies belong to which group.
#include <stdint.h>

#include "runtime.h"

namespace emu {

void cp_async_issue(const async_copy &copy, site at) {
    if (!running) {
        fail("cp.async outside a kernel");
    }
    size_t alignment = static_cast<size_t>(copy.bytes);
    if (reinterpret_cast<uintptr_t>(copy.target) % alignment != 0 ||
        reinterpret_cast<uintptr_t>(copy.source) % alignment != 0) {
        running->at = at;
        fail("cp.async of %d bytes: target %p or source %p is not aligned to it", copy.bytes,
             copy.target, copy.source);
    }
    if (!in_shared_memory(copy.target, alignment)) {
        running->at = at;
        fail("cp.async: the target %p is outside the block's shared memory", copy.target);
    }
    if (!running->copies.push_back(copy)) {
        running->at = at;
        fail("cp.async: the emulator holds 256 copies of a thread that have not been waited for");
    }
    ++running->uncommitted;
}

void cp_async_commit() {
    if (!running) {
        fail("cp.async outside a kernel");
    }
    if (!running->copy_groups.push_back(running->uncommitted)) {
        fail("cp.async: the emulator holds 64 groups of a thread that have not been waited for");
    }
    running->uncommitted = 0;
}

bool cp_async_next(int pending, async_copy *copy, site at) {
    if (!running) {
        fail("cp.async outside a kernel");
    }
    thread_record &self = *running;
    self.at = at;
    while (self.copy_groups.count > static_cast<size_t>(pending)) {
        if (self.copy_groups.front() != 0) {
            --self.copy_groups.front();
            *copy = self.copies.front();
            self.copies.pop_front();
            return true;
        }
        self.copy_groups.pop_front();
    }
    return false;
}

} // namespace emu
