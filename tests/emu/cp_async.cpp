// Bookkeeping of asynchronous copies: which of a thread's copies belong to which group.
#include <stdint.h>

#include "runtime.h"

namespace emu {

namespace {

copy_record &own_copies() {
    running->copies = true;
    return copies_of_threads[running - threads];
}

} // namespace

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
    copy_record &own = own_copies();
    if (!own.copies.push_back(copy)) {
        running->at = at;
        fail("cp.async: the emulator holds 256 copies of a thread that have not been waited for");
    }
    ++own.uncommitted;
}

void cp_async_commit() {
    if (!running) {
        fail("cp.async outside a kernel");
    }
    copy_record &own = own_copies();
    if (!own.groups.push_back(own.uncommitted)) {
        fail("cp.async: the emulator holds 64 groups of a thread that have not been waited for");
    }
    own.uncommitted = 0;
}

bool cp_async_next(int pending, async_copy *copy, site at) {
    if (!running) {
        fail("cp.async outside a kernel");
    }
    running->at = at;
    copy_record &own = own_copies();
    while (own.groups.count > static_cast<size_t>(pending)) {
        if (own.groups.front() != 0) {
            --own.groups.front();
            *copy = own.copies.front();
            own.copies.pop_front();
            return true;
        }
        own.groups.pop_front();
    }
    return false;
}

} // namespace emu
