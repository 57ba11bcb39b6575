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

size_t data_pages(const allocation &area) {
    return area.mapping_bytes - page();
}

void set_access(const allocation &area, int access) {
    mprotect(area.mapping, data_pages(area), access);
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
    const allocation &area = std::prev(next)->second;
    return static_cast<const char *>(pointer) <= area.data + area.bytes ? &area : nullptr;
}

// The checked bytes around the data: a little below, and all up to the guard page.
char *checked_begin(const allocation &area) {
    return area.data - area.mapping > static_cast<ptrdiff_t>(head_canary) ? area.data - head_canary
                                                                          : area.mapping;
}

char *checked_end(const allocation &area) {
    return area.mapping + data_pages(area);
}

void fill_canary(const allocation &area) {
    char *end = area.data + area.bytes;
    memset(checked_begin(area), canary, static_cast<size_t>(area.data - checked_begin(area)));
    memset(end, canary, static_cast<size_t>(checked_end(area) - end));
}

// Called with device memory open to this process. A damaged canary is reported once.
std::string check(const allocation &area) {
    std::string found;
    const char *end = area.data + area.bytes;
    for (const char *p = checked_begin(area); p < area.data && found.empty(); ++p) {
        if (static_cast<unsigned char>(*p) != canary) {
            found = format_text("write %zu bytes below an allocation of %zu bytes",
                                size_t(area.data - p), area.bytes);
        }
    }
    for (const char *p = end; p < checked_end(area) && found.empty(); ++p) {
        if (static_cast<unsigned char>(*p) != canary) {
            found = format_text("write %zu bytes past the end of an allocation of %zu bytes",
                                size_t(p - end) + 1, area.bytes);
        }
    }
    if (!found.empty()) {
        fill_canary(area);
    }
    return found;
}

cudaError_t allocate(void **pointer, size_t bytes, memory_kind kind) {
    if (!pointer) {
        return cudaErrorInvalidValue;
    }
    *pointer = nullptr;
    if (bytes == 0) {
        return cudaSuccess;
    }
    if (bytes > device_memory_bytes - (kind == memory_kind::device ? used_bytes : 0)) {
        return cudaErrorMemoryAllocation;
    }
    allocation area;
    area.bytes = bytes;
    area.kind = kind;
    area.mapping_bytes = round_up(bytes, page()) + page();
    void *mapping = mmap(nullptr, area.mapping_bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED) {
        return cudaErrorMemoryAllocation;
    }
    area.mapping = static_cast<char *>(mapping);
    char *end = area.mapping + data_pages(area);
    area.data = end - round_up(bytes, alignment_of(bytes));
    memset(area.data, poison, bytes);
    fill_canary(area);
    poison_region(area.mapping, static_cast<size_t>(area.data - area.mapping));
    poison_region(area.data + bytes, static_cast<size_t>(end - area.data) - bytes);
    mprotect(end, page(), PROT_NONE);
    if (kind == memory_kind::device) {
        used_bytes += bytes;
        if (protect && open_sections == 0) {
            set_access(area, PROT_NONE);
        }
    }
    allocations[reinterpret_cast<uintptr_t>(area.data)] = area;
    *pointer = area.data;
    return cudaSuccess;
}

void release(std::map<uintptr_t, allocation>::iterator entry) {
    allocation area = entry->second;
    allocations.erase(entry);
    if (area.kind == memory_kind::device) {
        used_bytes -= area.bytes;
    }
    unpoison_region(area.mapping, data_pages(area));
    madvise(area.mapping, area.mapping_bytes, MADV_DONTNEED);
    mprotect(area.mapping, area.mapping_bytes, PROT_NONE);
    freed.push_back(area);
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
    const allocation *area = find(pointer);
    if (!area) {
        return memory_kind::unknown;
    }
    size_t offset = static_cast<size_t>(static_cast<const char *>(pointer) - area->data);
    return bytes <= area->bytes - offset ? area->kind : memory_kind::unknown;
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
    for (const allocation &area : freed) {
        if (p >= area.mapping && p < area.mapping + area.mapping_bytes) {
            return format_text("in an allocation of %zu bytes that has been freed", area.bytes);
        }
    }
    for (const auto &entry : allocations) {
        const allocation &area = entry.second;
        if (p >= area.mapping && p < area.mapping + area.mapping_bytes) {
            if (p < area.data) {
                return format_text("%zu bytes below an allocation of %zu bytes",
                                   size_t(area.data - p), area.bytes);
            }
            return format_text("at byte %zu of an allocation of %zu bytes", size_t(p - area.data),
                               area.bytes);
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
        *free_bytes = device_memory_bytes - used_bytes;
        *total_bytes = device_memory_bytes;
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
