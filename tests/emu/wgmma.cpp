// Matrix products of a warpgroup: issued by its 128 threads together, computed for the rows of a
// warp when that warp waits. Like mma.cpp, never instrumented.
#include "cuda_bf16.h"
#include "cuda_fp16.h"
#include "emu_hopper.h"
#include "hopper.h"
#include "runtime.h"

namespace emu {

namespace {

constexpr unsigned group_warps = 4;
constexpr unsigned group_threads = group_warps * warp_size;
constexpr unsigned max_groups = max_block_threads / group_threads;
constexpr size_t max_products = 64;
constexpr unsigned rows = 64, columns = 256, depth = 16, values = 128;
constexpr unsigned line_bytes = 128, line_elements = 64, line_count = 8;

// An operand as its descriptor says, in addresses of the shared window, and all the bytes from its
// first to its last.
struct operand_view {
    unsigned start, leading, stride;
    bool lines_along_k;
    const unsigned char *begin;
    size_t bytes;
};

struct product {
    operand_view a, b;
    bool bfloat;
};

struct warp_state {
    size_t done;                       // products computed, of all the warpgroup has issued
    size_t uncommitted;                // since the last commit
    fixed_queue<size_t, 64> committed; // products of each group, oldest first
};

// The products of a warpgroup, a ring: product i is in slot i % max_products.
struct group_state {
    product products[max_products];
    size_t issued;
    warp_state warps[group_warps];
};

// A thread's accumulators while products use them.
struct accumulators {
    float *place; // null: none are in use
    float value[values];
    bool fenced;
};

group_state groups[max_groups];
accumulators sums_of[max_block_threads];

struct issue_operand {
    float *sums;
    wgmma_operands operands;
};

unsigned thread_number() {
    return static_cast<unsigned>(running - threads);
}

operand_view view_of(unsigned long long descriptor, bool rows_inner) {
    if (descriptor >> 62 != 1 || (descriptor >> 49 & 7u) != 0) {
        fail("wgmma: the emulator knows the 128-byte swizzle without a base offset, not the "
             "descriptor %016llx",
             descriptor);
    }
    return {static_cast<unsigned>(descriptor & 0x3fffu) << 4,
            static_cast<unsigned>(descriptor >> 16 & 0x3fffu) << 4,
            static_cast<unsigned>(descriptor >> 32 & 0x3fffu) << 4,
            !rows_inner,
            nullptr,
            0};
}

// The address of element (row, k) of an operand.
unsigned address_of(const operand_view &view, unsigned row, unsigned k) {
    const unsigned line = view.lines_along_k ? row : k, along = view.lines_along_k ? k : row;
    return swizzle_128(view.start + along / line_elements * view.leading +
                       line / line_count * view.stride + line % line_count * line_bytes +
                       along % line_elements * 2);
}

// Finds the bytes of an operand of so many rows, and that they may be read.
void check_operand(operand_view &view, unsigned row_count, const char *name) {
    unsigned low = ~0u, high = 0;
    for (unsigned row = 0; row < row_count; ++row) {
        for (unsigned k = 0; k < depth; ++k) {
            const unsigned address = address_of(view, row, k);
            low = address < low ? address : low;
            high = address + 2 > high ? address + 2 : high;
        }
    }
    view.begin = shared_pointer(low);
    view.bytes = high - low;
    if (!in_shared_memory(view.begin, view.bytes)) {
        fail("wgmma: %s does not lie in the block's shared memory", name);
    }
    if (bulk_copy_writes(view.begin, view.bytes)) {
        fail("wgmma: %s is still being written by a bulk copy", name);
    }
}

float element(unsigned address, bool bfloat) {
    const unsigned short bits =
        *reinterpret_cast<const volatile unsigned short *>(shared_pointer(address));
    return bfloat ? __bfloat162float(__ushort_as_bfloat16(bits))
                  : __half2float(__ushort_as_half(bits));
}

unsigned fragment_row(unsigned lane, unsigned v) {
    return lane / 4 + 8 * (v / 2 % 2);
}

unsigned fragment_column(unsigned lane, unsigned v) {
    return v / 4 * 8 + lane % 4 * 2 + v % 2;
}

// The rows of one warp, in ascending k.
void compute(const product &p, unsigned warp, accumulators *lanes) {
    static float sum[warp_size / 2][columns], b[depth][columns];
    for (unsigned k = 0; k < depth; ++k) {
        for (unsigned column = 0; column < columns; ++column) {
            b[k][column] = element(address_of(p.b, column, k), p.bfloat);
        }
    }
    for (unsigned lane = 0; lane < warp_size; ++lane) {
        for (unsigned v = 0; v < values; ++v) {
            sum[fragment_row(lane, v)][fragment_column(lane, v)] = lanes[lane].value[v];
        }
    }
    for (unsigned row = 0; row < warp_size / 2; ++row) {
        for (unsigned k = 0; k < depth; ++k) {
            const float a = element(address_of(p.a, 16 * warp + row, k), p.bfloat);
            for (unsigned column = 0; column < columns; ++column) {
                sum[row][column] += a * b[k][column];
            }
        }
    }
    for (unsigned lane = 0; lane < warp_size; ++lane) {
        for (unsigned v = 0; v < values; ++v) {
            lanes[lane].value[v] = sum[fragment_row(lane, v)][fragment_column(lane, v)];
        }
    }
}

void take_accumulators(accumulators &mine, float *sums) {
    if (mine.place == sums) {
        return;
    }
    if (mine.place) {
        fail("wgmma: the emulator holds one set of accumulators of a thread under way");
    }
    if (!mine.fenced) {
        fail("wgmma: no wgmma.fence between its accumulators' last use and this");
    }
    mine.place = sums;
    for (unsigned v = 0; v < values; ++v) {
        mine.value[v] = sums[v];
        static_cast<volatile float *>(sums)[v] = __builtin_nanf("");
    }
}

void return_accumulators(accumulators &mine) {
    for (unsigned v = 0; mine.place && v < values; ++v) {
        static_cast<volatile float *>(mine.place)[v] = mine.value[v];
    }
    mine.place = nullptr;
    mine.fenced = false;
}

// All 128 threads are here.
void issue(void *const operands[], unsigned first_thread) {
    group_state &group = groups[first_thread / group_threads];
    const wgmma_operands &given = static_cast<const issue_operand *>(operands[0])->operands;
    for (unsigned i = 0; i < group_threads; ++i) {
        const issue_operand &self = *static_cast<const issue_operand *>(operands[i]);
        if (self.operands.a != given.a || self.operands.b != given.b) {
            fail("wgmma: the descriptors of threads %u and %u differ", first_thread,
                 first_thread + i);
        }
        take_accumulators(sums_of[first_thread + i], self.sums);
    }
    product &slot = group.products[group.issued % max_products];
    for (warp_state &warp : group.warps) {
        if (group.issued - warp.done == max_products) {
            fail("wgmma: the emulator holds %zu products that have not been waited for",
                 max_products);
        }
        ++warp.uncommitted;
    }
    slot = {view_of(given.a, given.a_rows_inner), view_of(given.b, given.b_columns_inner),
            given.bfloat};
    check_operand(slot.a, rows, "A");
    check_operand(slot.b, columns, "B");
    ++group.issued;
}

warp_state &state_of_warp(unsigned thread) {
    return groups[thread / group_threads].warps[thread / warp_size % group_warps];
}

void run_commit(void *const operands[warp_size], unsigned) {
    warp_state &warp = state_of_warp(*static_cast<const unsigned *>(operands[0]));
    if (!warp.committed.push_back(warp.uncommitted)) {
        fail("wgmma: the emulator holds 64 groups of a warp that have not been waited for");
    }
    warp.uncommitted = 0;
}

struct wait_operand {
    unsigned thread;
    size_t pending;
};

void run_wait(void *const operands[warp_size], unsigned) {
    const wait_operand &self = *static_cast<const wait_operand *>(operands[0]);
    const unsigned first = self.thread / warp_size * warp_size;
    group_state &group = groups[first / group_threads];
    warp_state &warp = state_of_warp(first);
    while (warp.committed.count > self.pending) {
        for (size_t i = 0; i < warp.committed.front(); ++i, ++warp.done) {
            compute(group.products[warp.done % max_products], first / warp_size % group_warps,
                    &sums_of[first]);
        }
        warp.committed.pop_front();
    }
    for (unsigned i = 0; warp.done == group.issued && i < warp_size; ++i) {
        return_accumulators(sums_of[first + i]);
    }
}

const collective_kind commit_kind = {"wgmma.commit_group", run_commit, true, true, false};
const collective_kind wait_kind = {"wgmma.wait_group", run_wait, true, true, false};

} // namespace

void wgmma_fence() {
    if (!running) {
        fail("wgmma.fence outside a kernel");
    }
    sums_of[thread_number()].fenced = true;
}

void wgmma_m64n256k16(float (&sums)[128], const wgmma_operands &operands, site at) {
    issue_operand self = {sums, operands};
    warpgroup_collective(issue, &self, at);
}

void wgmma_commit(site at) {
    unsigned thread = running ? thread_number() : 0;
    collective(commit_kind, &thread, 0xffffffffu, at);
}

void wgmma_wait(int pending, site at) {
    wait_operand self = {running ? thread_number() : 0, static_cast<size_t>(pending)};
    collective(wait_kind, &self, 0xffffffffu, at);
}

void wgmma_start_block() {
    for (group_state &group : groups) {
        group.issued = 0;
        for (warp_state &warp : group.warps) {
            warp.done = warp.uncommitted = 0;
            warp.committed.clear();
        }
    }
    for (accumulators &mine : sums_of) {
        mine.place = nullptr;
        mine.fenced = false;
    }
}

bool wgmma_reads(const unsigned char *target, size_t bytes) {
    for (const group_state &group : groups) {
        size_t oldest = group.issued;
        for (const warp_state &warp : group.warps) {
            oldest = warp.done < oldest ? warp.done : oldest;
        }
        for (; oldest < group.issued; ++oldest) {
            const product &p = group.products[oldest % max_products];
            for (const operand_view *view : {&p.a, &p.b}) {
                if (target < view->begin + view->bytes && view->begin < target + bytes) {
                    return true;
                }
            }
        }
    }
    return false;
}

void wgmma_check_exit() {
    if (sums_of[thread_number()].place) {
        fail("wgmma: the thread exits with products that it has not waited for");
    }
}

} // namespace emu
