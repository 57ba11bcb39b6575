// Asynchronous instructions of sm_90a: mbarriers and bulk copies. The work is done in the
// scheduler's time, so this file is never instrumented; data is copied by volatile accesses, which
// no compiler turns into a call that the sanitizers would watch.
#include "emu_hopper.h"

#include "hopper.h"
#include "runtime.h"

namespace emu {

namespace {

constexpr size_t max_barriers = 64;
constexpr size_t max_copies = 64;
constexpr size_t max_box_bytes = 64 * 1024;
constexpr unsigned max_arrivals = (1u << 20) - 1;
constexpr unsigned line_bytes = 128; // of the swizzle
constexpr unsigned atom_bytes = 1024;

// What an mbarrier's memory holds: the emulator keeps its state elsewhere, and sees overwriting.
constexpr unsigned long long barrier_mark = 0x6d62617272696572u;

struct barrier_state {
    unsigned long long *address;
    unsigned arrivals, pending; // of a phase, and those that have not come
    long long bytes;            // expected and not landed
    unsigned phase;
    bool fenced;
    const thread_record *maker;
    void *order;
};

struct bulk_copy {
    barrier_state *barrier;
    unsigned char *target;
    unsigned bytes;
    unsigned char data[max_box_bytes];
};

barrier_state barriers[max_barriers];
size_t barrier_count;
bulk_copy copies[max_copies]; // a ring, oldest first
size_t first_copy, copy_count;

bulk_copy &copy_number(size_t i) {
    return copies[(first_copy + i) % max_copies];
}

barrier_state &state_of(const unsigned long long *barrier, const char *what, site at) {
    if (!running) {
        fail("%s outside a kernel", what);
    }
    running->at = at;
    for (size_t i = 0; i < barrier_count; ++i) {
        if (barriers[i].address == barrier) {
            if (*static_cast<const volatile unsigned long long *>(barrier) != barrier_mark + i) {
                fail("%s: the mbarrier has been overwritten", what);
            }
            return barriers[i];
        }
    }
    fail("%s: the mbarrier has not been initialised", what);
}

bool is_over(const barrier_state &barrier, unsigned parity) {
    return (barrier.phase & 1u) != parity;
}

// Ends the phase if nothing is missing, and wakes those who wait for it.
void try_end_phase(barrier_state &barrier) {
    if (barrier.pending != 0 || barrier.bytes != 0) {
        return;
    }
    ++barrier.phase;
    barrier.pending = barrier.arrivals;
    for (unsigned i = 0; i < block.threads; ++i) {
        if (threads[i].state == thread_state::at_mbarrier &&
            threads[i].operand == barrier.address && is_over(barrier, threads[i].mask)) {
            wake(threads[i]);
        }
    }
}

void check_target(const unsigned char *target, unsigned bytes) {
    if (!in_shared_memory(target, bytes)) {
        fail("bulk copy: its %u bytes do not lie in the block's shared memory", bytes);
    }
    if (shared_address(target) % atom_bytes != 0) {
        fail("bulk copy: the target is no multiple of %u in shared memory", atom_bytes);
    }
    for (size_t i = 0; i < copy_count; ++i) {
        const bulk_copy &other = copy_number(i);
        if (target < other.target + other.bytes && other.target < target + bytes) {
            fail("bulk copy: another one into the same memory is under way");
        }
    }
    if (wgmma_reads(target, bytes)) {
        fail("bulk copy: it overwrites what a wgmma reads that has not been waited for");
    }
}

// One line of a box along the contiguous dimension.
void read_line(const CUtensorMap &map, const long long *at, unsigned char *to) {
    const unsigned element = static_cast<unsigned>(map.stride[0]);
    bool inside = true;
    long long offset = 0;
    for (unsigned i = 1; i < map.rank; ++i) {
        inside = inside && at[i] >= 0 && at[i] < static_cast<long long>(map.extent[i]);
        offset += at[i] * static_cast<long long>(map.stride[i]);
    }
    for (unsigned i = 0; i < map.box[0]; ++i) {
        const long long column = at[0] + i;
        const bool valid = inside && column >= 0 && column < static_cast<long long>(map.extent[0]);
        const volatile unsigned char *from = reinterpret_cast<const volatile unsigned char *>(
            map.address + static_cast<cuuint64_t>(valid ? offset + column * element : 0));
        for (unsigned byte = 0; byte < element; ++byte) {
            to[i * element + byte] = valid ? from[byte] : 0;
        }
    }
}

void read_box(const CUtensorMap &map, const int (&place)[5], bulk_copy &copy) {
    const unsigned line = map.box[0] * static_cast<unsigned>(map.stride[0]);
    const unsigned lines = copy.bytes / line;
    for (unsigned i = 0; i < lines; ++i) {
        long long at[5] = {place[0]};
        unsigned rest = i;
        for (unsigned axis = 1; axis < map.rank; ++axis) {
            at[axis] = place[axis] + static_cast<long long>(rest % map.box[axis]);
            rest /= map.box[axis];
        }
        read_line(map, at, copy.data + i * line);
    }
}

unsigned char *swizzled(unsigned char *target, unsigned offset) {
    const unsigned address = shared_address(target) + offset;
    return target + (swizzle_128(address) - shared_address(target));
}

} // namespace

unsigned swizzle_128(unsigned address) {
    return address ^ (address / line_bytes % 8 * 16);
}

void mbarrier_init(unsigned long long *barrier, unsigned arrivals, site at) {
    if (!running) {
        fail("mbarrier.init outside a kernel");
    }
    running->at = at;
    if (arrivals == 0 || arrivals > max_arrivals) {
        fail("mbarrier.init: %u arrivals", arrivals);
    }
    if (!in_shared_memory(barrier, sizeof *barrier)) {
        fail("mbarrier.init: the mbarrier is not in shared memory");
    }
    if (barrier_count == max_barriers) {
        fail("mbarrier.init: the emulator holds %zu mbarriers of a block", max_barriers);
    }
    barriers[barrier_count] = {barrier, arrivals, arrivals, 0,
                               0,       false,    running,  arena_order_object()};
    *static_cast<volatile unsigned long long *>(barrier) = barrier_mark + barrier_count++;
}

void mbarrier_fence_init() {
    for (size_t i = 0; i < barrier_count; ++i) {
        barriers[i].fenced = barriers[i].fenced || barriers[i].maker == running;
    }
}

void mbarrier_arrive(unsigned long long *address, unsigned bytes, site at) {
    barrier_state &barrier = state_of(address, "mbarrier.arrive", at);
    if (barrier.pending == 0) {
        fail("mbarrier.arrive: the phase has had its %u arrivals", barrier.arrivals);
    }
    order_release(barrier.order);
    barrier.bytes += bytes;
    --barrier.pending;
    try_end_phase(barrier);
}

void mbarrier_wait(unsigned long long *address, unsigned parity, site at) {
    barrier_state &barrier = state_of(address, "mbarrier.try_wait", at);
    if (parity > 1) {
        fail("mbarrier.try_wait: the parity is %u", parity);
    }
    if (!is_over(barrier, parity)) {
        running->operand = address;
        running->mask = parity;
        park(thread_state::at_mbarrier);
    }
    order_acquire(barrier.order);
}

void bulk_tensor_load(void *shared, const CUtensorMap &map, const int (&place)[5],
                      unsigned long long *address, site at) {
    barrier_state &barrier = state_of(address, "bulk copy", at);
    if (!barrier.fenced) {
        fail("bulk copy: no fence after the initialisation of its mbarrier");
    }
    if (map.rank != 5) {
        fail("bulk copy: the map has %u dimensions, the instruction five", map.rank);
    }
    if (copy_count == max_copies) {
        fail("bulk copy: the emulator holds %zu that are under way", max_copies);
    }
    unsigned long long bytes = map.stride[0];
    for (const cuuint32_t extent : map.box) {
        bytes *= extent;
    }
    if (bytes > max_box_bytes || map.box[0] * map.stride[0] != line_bytes) {
        fail("bulk copy: the emulator copies boxes of lines of %u bytes, %zu in all", line_bytes,
             max_box_bytes);
    }
    check_target(static_cast<unsigned char *>(shared), static_cast<unsigned>(bytes));
    bulk_copy &copy = copy_number(copy_count);
    copy.barrier = &barrier;
    copy.target = static_cast<unsigned char *>(shared);
    copy.bytes = static_cast<unsigned>(bytes);
    read_box(map, place, copy);
    for (unsigned i = 0; i < copy.bytes; ++i) {
        static_cast<volatile unsigned char *>(shared)[i] = poison;
    }
    ++copy_count;
}

bool hopper_land_copy() {
    if (copy_count == 0) {
        return false;
    }
    bulk_copy &copy = copy_number(0);
    for (unsigned i = 0; i < copy.bytes; ++i) {
        *static_cast<volatile unsigned char *>(swizzled(copy.target, i)) = copy.data[i];
    }
    first_copy = (first_copy + 1) % max_copies;
    --copy_count;
    copy.barrier->bytes -= copy.bytes;
    try_end_phase(*copy.barrier);
    return true;
}

bool bulk_copy_writes(const unsigned char *begin, size_t bytes) {
    for (size_t i = 0; i < copy_count; ++i) {
        const bulk_copy &copy = copy_number(i);
        if (copy.target < begin + bytes && begin < copy.target + copy.bytes) {
            return true;
        }
    }
    return false;
}

void hopper_start_block() {
    barrier_count = first_copy = copy_count = 0;
    wgmma_start_block();
}

std::string hopper_end_block() {
    return copy_count != 0
               ? format_text("%zu bulk copies have not landed at the end of the block", copy_count)
               : "";
}

std::string hopper_describe_wait(const thread_record &thread) {
    for (size_t i = 0; i < barrier_count; ++i) {
        if (barriers[i].address == thread.operand) {
            return format_text("parity %u of an mbarrier in phase %u, of which %u arrivals and "
                               "%lld bytes are missing",
                               thread.mask, barriers[i].phase, barriers[i].pending,
                               barriers[i].bytes);
        }
    }
    return "an mbarrier";
}

} // namespace emu

// ---- maps ------------------------------------------------------------------------------------

namespace {

// What the driver's documentation demands, for what this encodes: 16-bit elements, swizzled lines.
CUresult encode_tiled(CUtensorMap *map, CUtensorMapDataType type, cuuint32_t rank, void *address,
                      const cuuint64_t *extent, const cuuint64_t *stride, const cuuint32_t *box,
                      const cuuint32_t *step, CUtensorMapInterleave interleave,
                      CUtensorMapSwizzle swizzle, CUtensorMapL2promotion, CUtensorMapFloatOOBfill) {
    const cuuint64_t element = 2;
    if ((type != CU_TENSOR_MAP_DATA_TYPE_FLOAT16 && type != CU_TENSOR_MAP_DATA_TYPE_BFLOAT16) ||
        interleave != CU_TENSOR_MAP_INTERLEAVE_NONE || swizzle != CU_TENSOR_MAP_SWIZZLE_128B) {
        return CUDA_ERROR_NOT_SUPPORTED;
    }
    bool good = rank >= 1 && rank <= 5 && reinterpret_cast<uintptr_t>(address) % 16 == 0;
    CUtensorMap result = {};
    for (cuuint32_t i = 0; good && i < rank; ++i) {
        result.extent[i] = extent[i];
        result.box[i] = box[i];
        result.stride[i] = i == 0 ? element : stride[i - 1];
        good = extent[i] >= 1 && extent[i] <= cuuint64_t{1} << 32 && box[i] >= 1 && box[i] <= 256 &&
               step[i] >= 1 && step[i] <= 8 && (i == 0 || result.stride[i] % 16 == 0) &&
               result.stride[i] < cuuint64_t{1} << 40;
        if (step[i] != 1) {
            return CUDA_ERROR_NOT_SUPPORTED;
        }
    }
    if (!good || box[0] * element % 16 != 0 || box[0] * element > 128) {
        return CUDA_ERROR_INVALID_VALUE;
    }
    result.address = reinterpret_cast<uintptr_t>(address);
    result.rank = rank;
    *map = result;
    return CUDA_SUCCESS;
}

} // namespace

extern "C" cudaError_t
cudaGetDriverEntryPointByVersion(const char *symbol, void **function, unsigned, unsigned long long,
                                 enum cudaDriverEntryPointQueryResult *result) {
    const bool known = std::string(symbol) == "cuTensorMapEncodeTiled";
    *function = known ? reinterpret_cast<void *>(encode_tiled) : nullptr;
    *result = known ? cudaDriverEntryPointSuccess : cudaDriverEntryPointSymbolNotFound;
    return cudaSuccess;
}
