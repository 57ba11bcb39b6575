// The memory in which a block runs: one stack for each thread, and shared memory.
//
// One mapping, from the low end: words for the thread sanitizer's edges, shared memory that ends at
// an inaccessible page, an emergency stack, then the stacks, each above an inaccessible page.
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime.h"

namespace emu {

namespace {

constexpr size_t order_objects = 8192; // of 8 bytes, reused in a ring within a block
constexpr size_t emergency_bytes = 64 * 1024;
constexpr size_t head_canary = 64;         // bytes below shared memory that are checked
constexpr size_t window_start = 1024 + 16; // of dynamic shared memory: CUDA promises 16 bytes

struct {
    char *base = nullptr;
    size_t bytes = 0;
    unsigned threads = 0;    // stacks in the mapping
    size_t shared_bytes = 0; // of the present launch
    size_t next_order_object = 0;
    bool reused = false;
} arena;

size_t page() {
    static const size_t size = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    return size;
}

size_t round_up(size_t bytes, size_t to) {
    return (bytes + to - 1) / to * to;
}

// Redzones around every local array take room.
size_t least_stack_bytes() {
    return under_asan() || under_tsan() ? 256 * 1024 : 64 * 1024;
}

size_t stack_stride() {
    return least_stack_bytes() + 2 * page();
}

char *shared_begin_of_mapping() {
    return arena.base + order_objects * 8;
}

// Shared memory ends here, at an inaccessible page.
char *shared_end() {
    return shared_begin_of_mapping() + round_up(shared_limit_optin, page()) + page();
}

char *shared_start() {
    return shared_end() - round_up(arena.shared_bytes, 16);
}

char *emergency_stack() {
    return shared_end() + page();
}

char *stacks() {
    return emergency_stack() + emergency_bytes;
}

bool map(unsigned thread_count) {
    if (arena.base) {
        unpoison_region(arena.base, arena.bytes); // whoever gets these addresses next
        munmap(arena.base, arena.bytes);
        arena.base = nullptr;
    }
    size_t bytes = static_cast<size_t>(stacks() - arena.base) + thread_count * stack_stride();
    void *mapping = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED) {
        return false;
    }
    arena.base = static_cast<char *>(mapping);
    arena.bytes = bytes;
    arena.threads = thread_count;
    mprotect(shared_end(), page(), PROT_NONE);
    for (unsigned i = 0; i < thread_count; ++i) {
        mprotect(stacks() + i * stack_stride(), page(), PROT_NONE);
    }
    return true;
}

void fill_shared() {
    char *start = shared_start();
    unpoison_region(start - head_canary, head_canary + round_up(arena.shared_bytes, 16));
    memset(start - head_canary, canary, head_canary);
    memset(start, poison, arena.shared_bytes);
    memset(start + arena.shared_bytes, canary,
           static_cast<size_t>(shared_end() - start) - arena.shared_bytes);
    poison_region(shared_begin_of_mapping(),
                  static_cast<size_t>(start - shared_begin_of_mapping()));
    poison_region(start + arena.shared_bytes,
                  static_cast<size_t>(shared_end() - start) - arena.shared_bytes);
}

} // namespace

// The tops lie in different sets of the first-level cache: a warp's threads take turns.
size_t arena_stack_bytes(unsigned thread) {
    return least_stack_bytes() + page() - thread % 32 * 128;
}

bool arena_reserve(unsigned thread_count, size_t shared_bytes) {
    if (arena.base && arena.shared_bytes != shared_bytes) {
        unpoison_region(shared_begin_of_mapping(),
                        static_cast<size_t>(shared_end() - shared_begin_of_mapping()));
    }
    arena.shared_bytes = shared_bytes;
    if (arena.threads >= thread_count && arena.base && !under_tsan()) {
        return true;
    }
    arena.reused = false;
    return map(thread_count);
}

bool arena_start_block() {
    if (under_tsan() && arena.reused) {
        // Blocks are unordered, but that they take turns on the same stacks and the same shared
        // memory is no race: a new mapping makes the sanitizer forget who used the old one.
        if (!map(arena.threads)) {
            return false;
        }
    }
    arena.reused = true;
    arena.next_order_object = 0;
    fill_shared();
    return true;
}

std::string arena_check() {
    if (under_asan()) {
        return "";
    }
    const char *start = shared_start();
    const char *end = start + arena.shared_bytes;
    for (const char *p = start - head_canary; p < shared_end(); p = p + 1 == start ? end : p + 1) {
        if (static_cast<unsigned char>(*p) != canary) {
            return p < start
                       ? format_text("write %zu bytes below shared memory", size_t(start - p))
                       : format_text("write %zu bytes past the end of the %zu bytes of shared "
                                     "memory",
                                     size_t(p - end) + 1, arena.shared_bytes);
        }
    }
    return "";
}

void arena_abandon_stacks() {
    // Frames that never returned have left the address sanitizer's redzones behind.
    for (unsigned i = 0; i < arena.threads; ++i) {
        unpoison_region(arena_stack(i), arena_stack_bytes(i));
    }
}

char *arena_stack(unsigned thread) {
    return stacks() + thread * stack_stride() + page();
}

void *arena_order_object() {
    return arena.base + 8 * (arena.next_order_object++ % order_objects);
}

void *arena_emergency_stack_top() {
    return emergency_stack() + emergency_bytes;
}

bool in_shared_memory(const void *address, size_t bytes) {
    const char *p = static_cast<const char *>(address);
    const char *start = shared_start();
    return p >= start && p + bytes <= start + arena.shared_bytes;
}

unsigned shared_address(const void *pointer) {
    return static_cast<unsigned>(static_cast<const char *>(pointer) - shared_start() +
                                 static_cast<ptrdiff_t>(window_start));
}

unsigned char *shared_pointer(unsigned address) {
    return reinterpret_cast<unsigned char *>(shared_start()) + address - window_start;
}

std::string arena_describe(const void *address) {
    const char *p = static_cast<const char *>(address);
    if (!arena.base || p < arena.base || p >= arena.base + arena.bytes) {
        return "";
    }
    if (p < emergency_stack()) {
        const char *start = shared_start();
        return p < start ? format_text("%zu bytes below shared memory", size_t(start - p))
                         : format_text("at byte %zu of shared memory, which has %zu",
                                       size_t(p - start), arena.shared_bytes);
    }
    const size_t thread = p < stacks() ? 0 : size_t(p - stacks()) / stack_stride();
    return format_text("in the stack of thread %zu, which has overflowed its %zu bytes", thread,
                       arena_stack_bytes(static_cast<unsigned>(thread)));
}

void *shared_arena(size_t bytes, site at) {
    if (!running) {
        fail("shared memory is used outside a kernel");
    }
    if (bytes > arena.shared_bytes) {
        running->at = at;
        fail("the kernel uses %zu bytes of shared memory, the launch provides %zu", bytes,
             arena.shared_bytes);
    }
    return shared_start();
}

} // namespace emu
