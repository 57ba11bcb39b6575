// Device memory and pinned host memory: every allocation is a mapping of its own that ends at an
// inaccessible page and is filled with NaN. Device memory is accessible only while device work
// runs, so host code that reads or writes it faults.
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <deque>
#include <map>

#include "emu.h"
#include "runtime.h"

namespace emu {

namespace {

constexpr size_t device_bytes = size_t{8} << 30; // what the device claims to have
constexpr size_t head_canary = 64;
constexpr size_t kept_after_free = 64; // freed mappings kept inaccessible to catch late accesses

struct allocation {
    char *mapping;
    size_t mapping_bytes; // with the inaccessible page
    char *data;
    size_t bytes;
    memory_kind kind;
};

std::map<uintptr_t, allocation> allocations; // by the address of the data
std::deque<allocation> freed;
size_t used_bytes;
bool protect = true;
int open_sections;

size_t page() {
    static const size_t size = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    return size;
}

size_t round_up(size_t bytes, size_t to) {
    return (bytes + to - 1) / to * to;
}

size_t data_pages(const allocation &block) {
    return block.mapping_bytes - page();
}

void set_access(const allocation &block, int access) {
    mprotect(block.mapping, data_pages(block), access);
}

void set_device_access(int access) {
    for (const auto &entry : allocations) {
        if (entry.second.kind == memory_kind::device) {
            set_access(entry.second, access);
        }
    }
}

// Up to 256 bytes, as cudaMalloc aligns, but no more than keeps the data next to the guard page.
size_t alignment_of(size_t bytes) {
    size_t alignment = 256;
    while (alignment > 16 && bytes % alignment != 0) {
        alignment /= 2;
    }
    return alignment;
}

const allocation *find(const void *pointer) {
    auto next = allocations.upper_bound(reinterpret_cast<uintptr_t>(pointer));
    if (next == allocations.begin()) {
        return nullptr;
    }
    const allocation &block = std::prev(next)->second;
    return static_cast<const char *>(pointer) <= block.data + block.bytes ? &block : nullptr;
}

// Called with device memory open to this process.
std::string check(const allocation &block) {
    const char *low = block.data - block.mapping > static_cast<ptrdiff_t>(head_canary)
                          ? block.data - head_canary
                          : block.mapping;
    for (const char *p = low; p < block.data; ++p) {
        if (static_cast<unsigned char>(*p) != canary) {
            return format_text("write %zu bytes below an allocation of %zu bytes",
                               size_t(block.data - p), block.bytes);
        }
    }
    const char *end = block.data + block.bytes;
    for (const char *p = end; p < block.mapping + data_pages(block); ++p) {
        if (static_cast<unsigned char>(*p) != canary) {
            return format_text("write %zu bytes past the end of an allocation of %zu bytes",
                               size_t(p - end) + 1, block.bytes);
        }
    }
    return "";
}

cudaError_t allocate(void **pointer, size_t bytes, memory_kind kind) {
    if (!pointer) {
        return cudaErrorInvalidValue;
    }
    *pointer = nullptr;
    if (bytes == 0) {
        return cudaSuccess;
    }
    if (bytes > device_bytes - (kind == memory_kind::device ? used_bytes : 0)) {
        return cudaErrorMemoryAllocation;
    }
    allocation block;
    block.bytes = bytes;
    block.kind = kind;
    block.mapping_bytes = round_up(bytes, page()) + page();
    void *mapping = mmap(nullptr, block.mapping_bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED) {
        return cudaErrorMemoryAllocation;
    }
    block.mapping = static_cast<char *>(mapping);
    char *end = block.mapping + data_pages(block);
    block.data = end - round_up(bytes, alignment_of(bytes));
    memset(block.mapping, canary, static_cast<size_t>(block.data - block.mapping));
    memset(block.data, poison, bytes);
    memset(block.data + bytes, canary, static_cast<size_t>(end - block.data) - bytes);
    poison_region(block.mapping, static_cast<size_t>(block.data - block.mapping));
    poison_region(block.data + bytes, static_cast<size_t>(end - block.data) - bytes);
    mprotect(end, page(), PROT_NONE);
    if (kind == memory_kind::device) {
        used_bytes += bytes;
        if (protect && open_sections == 0) {
            set_access(block, PROT_NONE);
        }
    }
    allocations[reinterpret_cast<uintptr_t>(block.data)] = block;
    *pointer = block.data;
    return cudaSuccess;
}

void release(std::map<uintptr_t, allocation>::iterator entry) {
    allocation block = entry->second;
    allocations.erase(entry);
    if (block.kind == memory_kind::device) {
        used_bytes -= block.bytes;
    }
    unpoison_region(block.mapping, data_pages(block));
    madvise(block.mapping, block.mapping_bytes, MADV_DONTNEED);
    mprotect(block.mapping, block.mapping_bytes, PROT_NONE);
    freed.push_back(block);
    if (freed.size() > kept_after_free) {
        munmap(freed.front().mapping, freed.front().mapping_bytes);
        freed.pop_front();
    }
}

std::map<uintptr_t, allocation>::iterator find_exact(const void *pointer, memory_kind kind) {
    auto entry = allocations.find(reinterpret_cast<uintptr_t>(pointer));
    return entry != allocations.end() && entry->second.kind == kind ? entry : allocations.end();
}

// Frees in program order; all work queued before may still use the memory, so it runs first.
cudaError_t free_now(void *pointer, memory_kind kind) {
    if (!pointer) {
        return cudaSuccess;
    }
    if (find_exact(pointer, kind) == allocations.end()) {
        return cudaErrorInvalidValue;
    }
    cudaError_t error = run_all_streams();
    release(find_exact(pointer, kind));
    return error;
}

} // namespace

device_section::device_section() {
    if (open_sections++ == 0 && protect) {
        set_device_access(PROT_READ | PROT_WRITE);
    }
}

device_section::~device_section() {
    if (--open_sections == 0 && protect) {
        set_device_access(PROT_NONE);
    }
}

memory_kind memory_of(const void *pointer, size_t bytes) {
    const allocation *block = find(pointer);
    if (!block) {
        return memory_kind::unknown;
    }
    size_t offset = static_cast<size_t>(static_cast<const char *>(pointer) - block->data);
    return bytes <= block->bytes - offset ? block->kind : memory_kind::unknown;
}

bool touches_device_memory(const void *pointer, size_t bytes) {
    uintptr_t begin = reinterpret_cast<uintptr_t>(pointer);
    for (const auto &entry : allocations) {
        if (entry.second.kind == memory_kind::device && begin < entry.first + entry.second.bytes &&
            entry.first < begin + bytes) {
            return true;
        }
    }
    return false;
}

std::string memory_check() {
    if (under_asan()) {
        return "";
    }
    device_section open;
    for (const auto &entry : allocations) {
        std::string overrun = check(entry.second);
        if (!overrun.empty()) {
            return overrun;
        }
    }
    return "";
}

std::string memory_describe(const void *address) {
    const char *p = static_cast<const char *>(address);
    for (const allocation &block : freed) {
        if (p >= block.mapping && p < block.mapping + block.mapping_bytes) {
            return format_text("in an allocation of %zu bytes that has been freed", block.bytes);
        }
    }
    for (const auto &entry : allocations) {
        const allocation &block = entry.second;
        if (p >= block.mapping && p < block.mapping + block.mapping_bytes) {
            if (p < block.data) {
                return format_text("%zu bytes below an allocation of %zu bytes",
                                   size_t(block.data - p), block.bytes);
            }
            return format_text("at byte %zu of an allocation of %zu bytes", size_t(p - block.data),
                               block.bytes);
        }
    }
    return "";
}

cudaError_t free_in_order(void *pointer) {
    auto entry = find_exact(pointer, memory_kind::device);
    if (entry == allocations.end()) {
        return cudaErrorInvalidValue;
    }
    release(entry);
    return cudaSuccess;
}

} // namespace emu

using namespace emu;

extern "C" {

cudaError_t cudaMalloc(void **pointer, size_t bytes) {
    return entry([&] { return allocate(pointer, bytes, memory_kind::device); });
}

cudaError_t cudaFree(void *pointer) {
    return entry([&] { return free_now(pointer, memory_kind::device); });
}

cudaError_t cudaMallocHost(void **pointer, size_t bytes) {
    return entry([&] { return allocate(pointer, bytes, memory_kind::pinned); });
}

cudaError_t cudaHostAlloc(void **pointer, size_t bytes, unsigned flags) {
    return entry([&] {
        constexpr unsigned known = cudaHostAllocPortable | cudaHostAllocMapped;
        return flags & ~known ? cudaErrorInvalidValue
                              : allocate(pointer, bytes, memory_kind::pinned);
    });
}

cudaError_t cudaFreeHost(void *pointer) {
    return entry([&] { return free_now(pointer, memory_kind::pinned); });
}

// The address is usable at once; the memory is the stream's from here on.
cudaError_t cudaMallocAsync(void **pointer, size_t bytes, cudaStream_t stream) {
    return entry([&] {
        return stream_exists(stream) ? allocate(pointer, bytes, memory_kind::device)
                                     : cudaErrorInvalidResourceHandle;
    });
}

cudaError_t cudaFreeAsync(void *pointer, cudaStream_t stream) {
    return entry([&] {
        if (!pointer) {
            return cudaSuccess;
        }
        if (find_exact(pointer, memory_kind::device) == allocations.end()) {
            return cudaErrorInvalidValue;
        }
        return queue_work(stream, [pointer] { return free_in_order(pointer); });
    });
}

cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total_bytes) {
    return entry([&] {
        *free_bytes = device_bytes - used_bytes;
        *total_bytes = device_bytes;
        return cudaSuccess;
    });
}

cudaError_t cudaPointerGetAttributes(struct cudaPointerAttributes *attributes,
                                     const void *pointer) {
    return entry([&] {
        if (!attributes) {
            return cudaErrorInvalidValue;
        }
        void *address = const_cast<void *>(pointer);
        switch (memory_of(pointer, 1)) {
        case memory_kind::device:
            *attributes = {cudaMemoryTypeDevice, 0, address, nullptr};
            break;
        case memory_kind::pinned:
            *attributes = {cudaMemoryTypeHost, 0, address, address};
            break;
        default:
            *attributes = {cudaMemoryTypeUnregistered, -2, nullptr, address};
        }
        return cudaSuccess;
    });
}

int emu_protect_memory(int on) {
    entry_lock lock;
    int before = protect;
    protect = on != 0;
    if (open_sections == 0) {
        set_device_access(protect ? PROT_NONE : PROT_READ | PROT_WRITE);
    }
    return before;
}

} // extern "C"
