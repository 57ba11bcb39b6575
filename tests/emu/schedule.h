// In which order threads, blocks and streams take their turns.
#ifndef GENMATH_EMU_SCHEDULE_H
#define GENMATH_EMU_SCHEDULE_H

#include <stdint.h>

#include <string>
#include <vector>

namespace emu {

constexpr unsigned warp_size = 32;
constexpr unsigned max_warps = 32;

enum class order { forward, reverse, warp_ahead, random };

// The schedule of the process. Its name is null if the environment names one that does not exist.
const char *schedule_name();
bool set_schedule(const char *name);

// The turns of one launch. A launch draws its random numbers from the seed and its own number, so
// that the same program with the same seed runs the same way.
class launch_order {
  public:
    explicit launch_order(uint64_t blocks);

    // The block that runs as number `position`; a permutation of 0 ... blocks - 1.
    uint64_t block(uint64_t position) const;

    void start_block(uint64_t block, unsigned warps);

    // The next thread among the ready ones, one bit for each lane of each warp; -1 if none is.
    int next_thread(const uint32_t ready[max_warps]);

  private:
    uint64_t random();
    int next_forward(const uint32_t ready[max_warps]);
    int next_reverse(const uint32_t ready[max_warps]);
    int next_warp_ahead(const uint32_t ready[max_warps]) const;
    int next_random(const uint32_t ready[max_warps]);

    order order_;
    uint64_t state_;
    uint64_t blocks_;
    uint64_t factor_ = 1;
    uint64_t offset_ = 0;
    unsigned warps_ = 0;
    unsigned leader_ = 0; // the warp that is ahead
    unsigned turn_ = 0;   // the thread after the last one that ran, in the order's direction
};

// The order in which cudaDeviceSynchronize works through `count` streams.
std::vector<size_t> stream_order(size_t count);

} // namespace emu

#endif
