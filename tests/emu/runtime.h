// What the emulator's own files know of each other.
#ifndef GENMATH_EMU_RUNTIME_H
#define GENMATH_EMU_RUNTIME_H

#include <stdint.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "emu_api.h"
#include "emu_cp_async.h"
#include "emu_launch.h"
#include "emu_thread.h"
#include "fiber.h"
#include "schedule.h"

namespace emu {

constexpr unsigned max_block_threads = 1024;
constexpr size_t shared_limit = 48 * 1024;              // without cudaFuncSetAttribute
constexpr size_t shared_limit_optin = 227 * 1024;       // with it
constexpr size_t device_memory_bytes = size_t{8} << 30; // what the device claims to have
constexpr unsigned char poison = 0xff;                  // a NaN in every floating-point format
constexpr unsigned char canary = 0xc5;

// ---- a launch and its threads ----------------------------------------------------------------

struct launch_record {
    launch_config config;
    std::shared_ptr<kernel_call> call;
};

// A warp function. Lanes park with their operands; the last lane of the mask runs it for all.
struct collective_kind {
    const char *name;
    void (*run)(void *const operands[warp_size], unsigned lanes);
    bool needs_all_named; // a lane of the mask that has exited is an error
    bool needs_full_warp; // all 32 lanes must take part
    bool orders_memory;   // a happens-before edge for the thread sanitizer
};

enum class thread_state : unsigned char {
    ready,
    at_barrier,
    at_collective,
    at_mbarrier,  // `operand` is its address and `mask` the parity
    at_warpgroup, // at a function of four warps
    done
};

// First in, first out, in place: a container that allocates or moves memory while a CUDA thread runs would
// look to the thread sanitizer like an access of that thread.
template <class Item, size_t capacity> struct fixed_queue {
    Item items[capacity];
    size_t first, count;

    void clear() {
        first = count = 0;
    }
    bool push_back(const Item &item) {
        if (count == capacity) {
            return false;
        }
        items[(first + count++) % capacity] = item;
        return true;
    }
    Item &front() {
        return items[first];
    }
    void pop_front() {
        first = (first + 1) % capacity;
        --count;
    }
};

struct thread_record {
    fiber context;
    uint3 index;
    thread_state state;
    bool started;
    site at; // the last barrier or warp function
    barrier_kind barrier;
    const collective_kind *collective;
    unsigned mask;
    void *operand;
    void *order; // what the thread sanitizer's edge goes through
    bool copies; // has some, see copy_record
};

// The asynchronous copies of a thread, apart from what every switch reads.
struct copy_record {
    fixed_queue<async_copy, 256> copies;
    fixed_queue<size_t, 64> groups; // sizes of the committed groups, oldest first
    size_t uncommitted;

    void clear() {
        copies.clear();
        groups.clear();
        uncommitted = 0;
    }
};

struct block_record {
    const launch_record *launch; // null when no kernel is running
    uint3 index;
    unsigned threads, warps;
    unsigned live;    // threads that have not exited
    unsigned waiting; // threads at the block barrier
    uint32_t ready[max_warps];
    uint32_t parked[max_warps]; // at a warp function
    site barrier_site;
    barrier_kind barrier;
    bool barriers_differ;
    int votes, result; // of __syncthreads_count and its like
    void *barrier_order;
    bool failed;
};

extern block_record block;
extern thread_record threads[max_block_threads];
extern copy_record copies_of_threads[max_block_threads];
extern thread_record *running; // null on the OS thread's own stack

// Runs all blocks of a launch. False, with the report written, if the kernel was in error.
bool run_launch(const launch_record &launch);

void collective(const collective_kind &kind, void *operand, unsigned mask, site at);
// As collective for 128 threads from a multiple of 128 on; there is but one such function.
void warpgroup_collective(void (*run)(void *const operands[], unsigned first_thread), void *operand,
                          site at);

// The running thread stops until someone wakes it.
void park(thread_state state);
void wake(thread_record &thread);

// Ends the kernel from one of its threads: writes the report and does not return.
[[noreturn]] void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

// ---- reports ---------------------------------------------------------------------------------

const std::string &report();
void clear_report();
// The report of a kernel: where it stands and what every thread does.
void report_kernel(const std::string &headline);
// The report of anything else.
void report_text(const std::string &text);
std::string format_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
// Kernel, launch, schedule and block in one line.
std::string launch_description();
// Has the address sanitizer, which ends the process, print that line too.
void name_launch_on_death();

// ---- the memory of a block -------------------------------------------------------------------

// Stacks and shared memory for blocks of this size; false if the system has no memory left.
bool arena_reserve(unsigned thread_count, size_t shared_bytes);
// Poisons shared memory and, for the thread sanitizer, forgets the accesses of the block before;
// false if the system has no memory left.
bool arena_start_block();
// Empty, or what was written outside shared memory.
std::string arena_check();
void arena_abandon_stacks();
char *arena_stack(unsigned thread);
size_t arena_stack_bytes(unsigned thread);
void *arena_order_object();
bool in_shared_memory(const void *address, size_t bytes);
// Where an address of the block's shared window points.
unsigned char *shared_pointer(unsigned address);
// Empty, or what the address is if it belongs to the arena.
std::string arena_describe(const void *address);
void *arena_emergency_stack_top();

// ---- the thread sanitizer's view of a launch; nothing without it ------------------------------

void tsan_start_launch(fiber &host);
void tsan_end_launch();
void tsan_start_block();
void tsan_end_block();
void tsan_start_thread();
void tsan_end_thread();

// ---- device memory ---------------------------------------------------------------------------

// Opens device memory to this process while device work runs.
class device_section {
  public:
    device_section();
    ~device_section();
    device_section(const device_section &) = delete;
    device_section &operator=(const device_section &) = delete;
};

enum class memory_kind { unknown, pinned, device };
// The kind of the memory that holds all of [pointer, pointer + bytes).
memory_kind memory_of(const void *pointer, size_t bytes);
bool touches_device_memory(const void *pointer, size_t bytes);
// Empty, or what was written just outside an allocation.
std::string memory_check();
// Empty, or what the address is if it belongs to an allocation.
std::string memory_describe(const void *address);

// ---- streams ---------------------------------------------------------------------------------

bool stream_exists(cudaStream_t stream);
// Appends to the stream; the work runs when something waits for it.
cudaError_t queue_work(cudaStream_t stream, std::function<cudaError_t()> work);
// Runs all that has been queued in the stream, and what that depends on.
cudaError_t run_stream(cudaStream_t stream);
cudaError_t run_all_streams();
void drop_pending_work();

// ---- errors ----------------------------------------------------------------------------------

void set_sticky_error(cudaError_t error);
// cudaSuccess if there is none.
cudaError_t sticky_error();
// Remembers it for cudaGetLastError and returns it.
cudaError_t record_error(cudaError_t error);

// Every entry point runs under one lock: kernels run on the thread that waits for them.
class entry_lock {
  public:
    entry_lock();
    ~entry_lock();
    entry_lock(const entry_lock &) = delete;
    entry_lock &operator=(const entry_lock &) = delete;
};

// The frame of every entry point: nothing works after a sticky error, and errors are remembered.
template <class Body> cudaError_t entry(Body body) {
    entry_lock lock;
    if (sticky_error() != cudaSuccess) {
        return sticky_error();
    }
    cudaError_t error = body();
    return record_error(sticky_error() != cudaSuccess ? sticky_error() : error);
}

// ---- faults ----------------------------------------------------------------------------------

// Around a launch: faults of its threads become reports.
void fault_section_begin();
void fault_section_end();

} // namespace emu

#endif
