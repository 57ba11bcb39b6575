// Runs a launch: the blocks one after the other, the threads of a block in turns. A thread runs
// until it reaches a barrier or a warp function, or returns.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "hopper.h"
#include "runtime.h"

uint3 threadIdx;
uint3 blockIdx;
dim3 blockDim;
dim3 gridDim;
const int warpSize = 32;

namespace emu {

block_record block;
thread_record threads[max_block_threads];
copy_record copies_of_threads[max_block_threads];
thread_record *running;

namespace {

fiber host; // the OS thread's own stack
launch_order *turns;
constexpr unsigned warpgroup = 4 * warp_size;

unsigned number(const thread_record &thread) {
    return static_cast<unsigned>(&thread - threads);
}

// The thread whose turn it is, null if none can run.
thread_record *take_next() {
    const int next = turns->next_thread(block.ready);
    if (next < 0) {
        return nullptr;
    }
    unsigned i = static_cast<unsigned>(next);
    block.ready[i / warp_size] &= ~(1u << i % warp_size);
    threads[i].started = true;
    threadIdx = threads[i].index;
    return &threads[i];
}

// Goes on with the next thread at once; sanitizers see every switch begin or end on the host's
// stack.
void suspend() {
    thread_record &self = *running;
    thread_record *next = under_asan() || under_tsan() ? nullptr : take_next();
    running = next ? next : &self;
    if (next != &self) {
        fiber_switch(self.context, next ? next->context : host);
    }
}

const char *barrier_name(barrier_kind kind) {
    static const char *const names[] = {"__syncthreads", "__syncthreads_count", "__syncthreads_and",
                                        "__syncthreads_or"};
    return names[static_cast<int>(kind)];
}

void open_barrier() {
    if (block.barriers_differ) {
        fail("threads of one block are at different barriers");
    }
    switch (block.barrier) {
    case barrier_kind::all:
        block.result = block.votes == static_cast<int>(block.waiting);
        break;
    case barrier_kind::any:
        block.result = block.votes != 0;
        break;
    default:
        block.result = block.votes;
    }
    block.votes = 0;
    block.waiting = 0;
    for (unsigned i = 0; i < block.threads; ++i) {
        if (threads[i].state == thread_state::at_barrier) {
            wake(threads[i]);
        }
    }
}

// The lanes of the warp that exist in the block: the last warp may be partial.
uint32_t existing_lanes(unsigned warp) {
    unsigned count = block.threads - warp * warp_size;
    return count >= warp_size ? 0xffffffffu : (1u << count) - 1u;
}

bool same_collective(const thread_record &a, const thread_record &b) {
    return a.collective == b.collective && a.mask == b.mask && a.at.line == b.at.line &&
           (a.at.file == b.at.file || std::string(a.at.file) == b.at.file);
}

// Runs the warp function that `first` is parked at if all lanes of its mask have come.
void try_collective(thread_record &first) {
    const collective_kind &kind = *first.collective;
    unsigned warp = number(first) / warp_size;
    thread_record *lane = &threads[warp * warp_size];
    uint32_t lanes = first.mask & existing_lanes(warp);
    if (kind.needs_full_warp && lanes != 0xffffffffu) {
        fail("%s needs a full warp, and %s", kind.name,
             first.mask == 0xffffffffu ? "the block ends within this one" : "its mask is partial");
    }
    uint32_t missing = lanes & ~block.parked[warp];
    while (missing != 0) {
        unsigned i = static_cast<unsigned>(__builtin_ctz(missing));
        missing &= missing - 1;
        if (lane[i].state != thread_state::done) {
            return;
        }
        if (kind.needs_all_named) {
            fail("%s names lane %u in its mask, which has exited", kind.name, i);
        }
        lanes &= ~(1u << i);
    }
    void *operands[warp_size] = {};
    for (unsigned i = 0; i < warp_size; ++i) {
        if (lanes >> i & 1u) {
            if (!same_collective(lane[i], first)) {
                return;
            }
            operands[i] = lane[i].operand;
        }
    }
    if (kind.run) {
        kind.run(operands, lanes);
    }
    block.parked[warp] &= ~lanes;
    for (unsigned i = 0; i < warp_size; ++i) {
        if (lanes >> i & 1u) {
            wake(lane[i]);
        }
    }
}

// The lanes of one __syncwarp share an object of their own: with one per warp, lanes that are slow
// to resume would also acquire what happened later, which hides races.
void *collective_order(const thread_record &self) {
    unsigned warp = number(self) / warp_size;
    for (unsigned i = 0; i < warp_size; ++i) {
        const thread_record &other = threads[warp * warp_size + i];
        if ((block.parked[warp] >> i & 1u) && &other != &self && same_collective(other, self)) {
            return other.order;
        }
    }
    return arena_order_object();
}

void finish_thread() {
    thread_record &self = *running;
    unsigned warp = number(self) / warp_size;
    self.state = thread_state::done;
    --block.live;
    tsan_end_thread();
    if (block.waiting != 0 && block.waiting == block.live) {
        open_barrier();
    }
    uint32_t parked = block.parked[warp];
    for (unsigned i = 0; i < warp_size; ++i) {
        thread_record &other = threads[warp * warp_size + i];
        if ((parked & block.parked[warp]) >> i & 1u) {
            if (other.mask >> number(self) % warp_size & 1u) {
                try_collective(other);
            }
        }
    }
}

void thread_main() {
    fiber_entered(host);
    tsan_start_thread();
    block.launch->call->run_thread();
    wgmma_check_exit();
    finish_thread();
    fiber_exit(running->context, host);
}

std::string name_of_wait(const thread_record &thread) {
    switch (thread.state) {
    case thread_state::at_barrier:
        return barrier_name(thread.barrier);
    case thread_state::at_mbarrier:
        return hopper_describe_wait(thread);
    case thread_state::at_warpgroup:
        return "wgmma";
    default:
        return thread.collective->name;
    }
}

// What the threads that cannot go on wait for.
std::string deadlock_reason() {
    for (unsigned i = 0; i < block.threads; ++i) {
        const thread_record &self = threads[i];
        if (self.state != thread_state::at_collective) {
            continue;
        }
        unsigned warp = i / warp_size;
        uint32_t lanes = self.mask & existing_lanes(warp);
        for (unsigned j = 0; j < warp_size; ++j) {
            const thread_record &other = threads[warp * warp_size + j];
            if ((lanes >> j & 1u) &&
                !(other.state == thread_state::at_collective && same_collective(self, other))) {
                return format_text(
                    "deadlock: thread %u waits in %s (mask 0x%08x, %s:%d) for thread %u, which "
                    "is at %s (%s:%d)",
                    i, self.collective->name, self.mask, self.at.file, self.at.line,
                    warp * warp_size + j, name_of_wait(other).c_str(), other.at.file,
                    other.at.line);
            }
        }
    }
    for (unsigned i = 0; i < block.threads; ++i) {
        const thread_record &self = threads[i];
        if (self.state == thread_state::at_mbarrier || self.state == thread_state::at_warpgroup) {
            return format_text("deadlock: thread %u waits at %s (%s:%d)", i,
                               name_of_wait(self).c_str(), self.at.file, self.at.line);
        }
    }
    return "deadlock: no thread can run";
}

bool start_threads() {
    if (!arena_start_block()) {
        return false;
    }
    for (unsigned i = 0; i < block.threads; ++i) {
        thread_record &thread = threads[i];
        thread.index = {i % blockDim.x, i / blockDim.x % blockDim.y, i / blockDim.x / blockDim.y};
        thread.started = false;
        thread.at = {nullptr, 0};
        if (thread.copies) {
            thread.copies = false;
            copies_of_threads[i].clear();
        }
        fiber_prepare(thread.context, arena_stack(i), arena_stack_bytes(i), thread_main);
        wake(thread);
    }
    hopper_start_block();
    tsan_start_block();
    return true;
}

bool run_block(launch_order &order, uint64_t linear_block) {
    const dim3 grid = block.launch->config.grid;
    blockIdx = {static_cast<unsigned>(linear_block % grid.x),
                static_cast<unsigned>(linear_block / grid.x % grid.y),
                static_cast<unsigned>(linear_block / grid.x / grid.y)};
    block.index = blockIdx;
    block.live = block.threads;
    if (!start_threads()) {
        block.failed = true;
        report_text("the emulator is out of memory for stacks and shared memory");
        return false;
    }
    order.start_block(linear_block, block.warps);
    turns = &order;
    while (!block.failed) {
        running = take_next();
        if (!running) {
            if (hopper_land_copy()) {
                continue;
            }
            break;
        }
        fiber_switch(host, running->context);
        running = nullptr;
    }
    if (!block.failed && block.live != 0) {
        block.failed = true;
        report_kernel(deadlock_reason());
    }
    for (std::string (*const check)() : {hopper_end_block, arena_check}) {
        std::string wrong = block.failed ? "" : check();
        if (!wrong.empty()) {
            block.failed = true;
            report_kernel(wrong);
        }
    }
    tsan_end_block();
    return !block.failed;
}

} // namespace

bool run_launch(const launch_record &launch) {
    const launch_config &config = launch.config;
    block = {};
    block.launch = &launch;
    block.threads = config.block.x * config.block.y * config.block.z;
    block.warps = (block.threads + warp_size - 1) / warp_size;
    gridDim = config.grid;
    blockDim = config.block;
    if (!arena_reserve(block.threads, config.shared_bytes)) {
        report_text("the emulator is out of memory for stacks and shared memory");
        block.launch = nullptr;
        return false;
    }
    tsan_start_launch(host);
    name_launch_on_death();
    fault_section_begin();
    uint64_t blocks = static_cast<uint64_t>(config.grid.x) * config.grid.y * config.grid.z;
    launch_order order(blocks);
    for (uint64_t position = 0; position < blocks; ++position) {
        if (!run_block(order, order.block(position))) {
            arena_abandon_stacks();
            break;
        }
    }
    fault_section_end();
    tsan_end_launch();
    if (!block.failed) {
        std::string overrun = memory_check();
        if (!overrun.empty()) {
            block.failed = true;
            report_kernel(overrun);
        }
    }
    block.launch = nullptr;
    return !block.failed;
}

void park(thread_state state) {
    running->state = state;
    suspend();
}

void wake(thread_record &thread) {
    unsigned i = number(thread);
    thread.state = thread_state::ready;
    block.ready[i / warp_size] |= 1u << i % warp_size;
}

void warpgroup_collective(void (*run)(void *const operands[], unsigned first_thread), void *operand,
                          site at) {
    if (!running) {
        fail("wgmma outside a kernel");
    }
    unsigned first = number(*running) / warpgroup * warpgroup;
    running->at = at;
    running->operand = operand;
    running->state = thread_state::at_warpgroup;
    if (first + warpgroup > block.threads) {
        fail("wgmma: the block ends within this warpgroup");
    }
    void *operands[warpgroup];
    bool all = true;
    for (unsigned i = 0; i < warpgroup; ++i) {
        thread_record &other = threads[first + i];
        operands[i] = other.operand;
        all = all && other.state == thread_state::at_warpgroup;
    }
    if (all) {
        run(operands, first);
        for (unsigned i = 0; i < warpgroup; ++i) {
            wake(threads[first + i]);
        }
    }
    suspend();
}

int block_barrier(barrier_kind kind, int predicate, site at) {
    if (!running) {
        fail("%s outside a kernel", barrier_name(kind));
    }
    thread_record &self = *running;
    self.state = thread_state::at_barrier;
    self.at = at;
    self.barrier = kind;
    if (block.waiting == 0) {
        block.barrier_site = at;
        block.barrier = kind;
        block.barriers_differ = false;
        block.barrier_order = arena_order_object();
    } else if (kind != block.barrier || at.line != block.barrier_site.line ||
               (at.file != block.barrier_site.file &&
                std::string(at.file) != block.barrier_site.file)) {
        block.barriers_differ = true;
    }
    ++block.waiting;
    block.votes += predicate != 0;
    self.order = block.barrier_order;
    order_release(self.order);
    if (block.waiting == block.live) {
        open_barrier();
    }
    suspend();
    order_acquire(self.order);
    return block.result;
}

void collective(const collective_kind &kind, void *operand, unsigned mask, site at) {
    if (!running) {
        fail("%s outside a kernel", kind.name);
    }
    thread_record &self = *running;
    unsigned i = number(self);
    self.at = at;
    if (!(mask >> i % warp_size & 1u)) {
        fail("%s is called by lane %u, which its mask 0x%08x does not name", kind.name,
             i % warp_size, mask);
    }
    self.state = thread_state::at_collective;
    self.collective = &kind;
    self.mask = mask;
    self.operand = operand;
    block.parked[i / warp_size] |= 1u << i % warp_size;
    if (kind.orders_memory && under_tsan()) {
        self.order = collective_order(self);
        order_release(self.order);
    }
    try_collective(self);
    suspend();
    if (kind.orders_memory && under_tsan()) {
        order_acquire(self.order);
    }
}

void fail(const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (!running) {
        fprintf(stderr, "emulator: %s\n", text);
        abort();
    }
    report_kernel(text);
    block.failed = true;
    fiber_exit(running->context, host);
}

void fence() {
    static char object;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    order_acquire(&object);
    order_release(&object);
}

void fence_block() {
    fence();
}

} // namespace emu
