// Tells the thread sanitizer what CUDA says of order: what the host did is before a launch, a
// launch is before what the host does next, and between its threads there is no order except by
// barriers. Each CUDA thread runs as a sanitizer thread of its own.
//
// Creating sanitizer threads is slow, so they are kept and used again. One that ran in an earlier
// block remembers what it was ordered after there, which could hide a race with that block. They
// are therefore taken in turn from a pool of at least two full blocks: a block of 256 threads meets
// the sanitizer threads of the eighth block before it, and those between are unknown to it.
#include "runtime.h"

namespace emu {

namespace {

constexpr size_t pool_size = 2 * max_block_threads;

std::vector<void *> pool(pool_size);
size_t next_in_pool;
size_t in_use[max_block_threads]; // the pool's entry of each thread of the block

char launch_begin; // released by the host, acquired by every thread
char launch_end;   // released by every thread, acquired by the host
fiber *host_fiber;

} // namespace

void tsan_start_launch(fiber &host) {
    if (under_tsan()) {
        host.tsan = __tsan_get_current_fiber();
        host_fiber = &host;
    }
}

void tsan_end_launch() {
    order_acquire(&launch_end);
}

void tsan_start_block() {
    if (!under_tsan()) {
        return;
    }
    for (unsigned i = 0; i < block.threads; ++i) {
        in_use[i] = next_in_pool;
        void *&entry = pool[next_in_pool];
        if (!entry) {
            entry = __tsan_create_fiber(0);
        }
        threads[i].context.tsan = entry;
        next_in_pool = (next_in_pool + 1) % pool_size;
    }
    order_release(&launch_begin);
}

void tsan_end_block() {
    if (!under_tsan() || !block.failed) {
        return;
    }
    // Threads that were stopped on their way are before what follows, too; and as they never
    // returned from their functions, their call stacks are of no more use.
    for (unsigned i = 0; i < block.threads; ++i) {
        __tsan_switch_to_fiber(threads[i].context.tsan, tsan_no_sync);
        __tsan_release(&launch_end);
        __tsan_switch_to_fiber(host_fiber->tsan, tsan_no_sync);
        __tsan_destroy_fiber(threads[i].context.tsan);
        pool[in_use[i]] = nullptr;
    }
}

void tsan_start_thread() {
    order_acquire(&launch_begin);
}

void tsan_end_thread() {
    order_release(&launch_end);
}

} // namespace emu
