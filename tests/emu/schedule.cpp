#include "schedule.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <numeric>

#include "emu.h"

namespace emu {

namespace {

struct setting {
    order kind = order::forward;
    uint64_t seed = 0;
    uint64_t launches = 0;
    std::string name = "forward";
    bool valid = true;
};

bool parse(const char *name, setting &result) {
    static const struct {
        const char *name;
        order kind;
    } fixed[] = {{"forward", order::forward},
                 {"reverse", order::reverse},
                 {"warp-ahead", order::warp_ahead}};
    for (const auto &entry : fixed) {
        if (strcmp(name, entry.name) == 0) {
            result = {};
            result.kind = entry.kind;
            result.name = name;
            return true;
        }
    }
    if (strncmp(name, "random", 6) != 0 || (name[6] != '\0' && name[6] != ':')) {
        return false;
    }
    uint64_t seed = 0;
    if (name[6] == ':') {
        if (name[7] < '0' || name[7] > '9') {
            return false;
        }
        char *end = nullptr;
        seed = strtoull(name + 7, &end, 10);
        if (*end != '\0') {
            return false;
        }
    } else {
        timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        seed = static_cast<uint64_t>(now.tv_nsec) & 0xffffffu;
    }
    result = {};
    result.kind = order::random;
    result.seed = seed;
    result.name = "random:" + std::to_string(seed);
    return true;
}

setting &current() {
    static setting instance = [] {
        setting initial;
        const char *name = getenv("GENMATH_EMU_SCHEDULE");
        if (name && *name != '\0') {
            initial.valid = parse(name, initial);
        }
        return initial;
    }();
    return instance;
}

// SplitMix64: a full-period sequence whose every state is a good seed.
uint64_t mix(uint64_t &state) {
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

int lowest(uint32_t lanes) {
    return __builtin_ctz(lanes);
}

int highest(uint32_t lanes) {
    return 31 - __builtin_clz(lanes);
}

} // namespace

const char *schedule_name() {
    return current().valid ? current().name.c_str() : nullptr;
}

bool set_schedule(const char *name) {
    setting parsed;
    if (!name || !parse(name, parsed)) {
        return false;
    }
    current() = parsed;
    return true;
}

launch_order::launch_order(uint64_t blocks)
    : order_(current().kind), state_(current().seed ^ (current().launches << 32)), blocks_(blocks) {
    ++current().launches;
    if (order_ == order::random && blocks > 1) {
        // position -> factor * position + offset (mod blocks) is a permutation if the factor has
        // no divisor in common with the number of blocks.
        do {
            factor_ = random() % blocks;
        } while (std::gcd(factor_, blocks) != 1);
        offset_ = random() % blocks;
    }
}

uint64_t launch_order::block(uint64_t position) const {
    switch (order_) {
    case order::reverse:
        return blocks_ - 1 - position;
    case order::warp_ahead: // the last block first, then the others
        return position == 0 ? blocks_ - 1 : position - 1;
    default: {
        __extension__ typedef unsigned __int128 wide;
        return static_cast<uint64_t>((static_cast<wide>(factor_) * position + offset_) % blocks_);
    }
    }
}

void launch_order::start_block(uint64_t block, unsigned warps) {
    warps_ = warps;
    leader_ = static_cast<unsigned>((block + 1) % warps);
    turn_ = order_ == order::reverse ? warps * warp_size : 0;
}

uint64_t launch_order::random() {
    return mix(state_);
}

int launch_order::next_forward(const uint32_t ready[max_warps]) {
    unsigned warp = turn_ / warp_size;
    uint32_t lanes = warp < warps_ ? ready[warp] & (0xffffffffu << turn_ % warp_size) : 0;
    for (unsigned tries = 0; lanes == 0; ++tries) {
        if (tries > warps_) {
            return -1;
        }
        warp = warp + 1 < warps_ ? warp + 1 : 0;
        lanes = ready[warp];
    }
    turn_ = warp * warp_size + static_cast<unsigned>(lowest(lanes)) + 1;
    return static_cast<int>(turn_ - 1);
}

int launch_order::next_reverse(const uint32_t ready[max_warps]) {
    unsigned warp = turn_ / warp_size;
    uint32_t lanes = warp < warps_ ? ready[warp] & ~(0xffffffffu << turn_ % warp_size) : 0;
    for (unsigned tries = 0; lanes == 0; ++tries) {
        if (tries > warps_) {
            return -1;
        }
        warp = warp > 0 ? warp - 1 : warps_ - 1;
        lanes = ready[warp];
    }
    turn_ = warp * warp_size + static_cast<unsigned>(highest(lanes));
    return static_cast<int>(turn_);
}

int launch_order::next_warp_ahead(const uint32_t ready[max_warps]) const {
    unsigned warp = leader_;
    if (ready[warp] == 0) {
        for (warp = 0; warp < warps_ && ready[warp] == 0; ++warp) {
        }
        if (warp == warps_) {
            return -1;
        }
    }
    return static_cast<int>(warp * warp_size) + lowest(ready[warp]);
}

int launch_order::next_random(const uint32_t ready[max_warps]) {
    uint64_t draw = random();
    unsigned warp = static_cast<unsigned>(draw % warps_);
    for (unsigned tries = 0; ready[warp] == 0; ++tries) {
        if (tries == warps_) {
            return -1;
        }
        warp = warp + 1 < warps_ ? warp + 1 : 0;
    }
    uint32_t lanes = ready[warp];
    unsigned skip =
        static_cast<unsigned>(draw >> 40) % static_cast<unsigned>(__builtin_popcount(lanes));
    for (; skip > 0; --skip) {
        lanes &= lanes - 1;
    }
    return static_cast<int>(warp * warp_size) + lowest(lanes);
}

int launch_order::next_thread(const uint32_t ready[max_warps]) {
    switch (order_) {
    case order::forward:
        return next_forward(ready);
    case order::reverse:
        return next_reverse(ready);
    case order::warp_ahead:
        return next_warp_ahead(ready);
    default:
        return next_random(ready);
    }
}

std::vector<size_t> stream_order(size_t count) {
    std::vector<size_t> result(count);
    std::iota(result.begin(), result.end(), size_t{0});
    setting &now = current();
    if (now.kind == order::reverse || now.kind == order::warp_ahead) {
        for (size_t i = 0; i < count; ++i) {
            result[i] = count - 1 - i;
        }
    } else if (now.kind == order::random) {
        uint64_t state = now.seed + ++now.launches;
        for (size_t i = count; i > 1; --i) {
            std::swap(result[i - 1], result[mix(state) % i]);
        }
    }
    return result;
}

} // namespace emu
