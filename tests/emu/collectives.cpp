// Warp functions: what the last lane to arrive computes for all. Lanes are read through their
// operands, which lie on the other lanes' stacks: this file is never instrumented, and copies word
// by word, so the thread sanitizer sees no access to them.
#include "emu_warp.h"
#include "runtime.h"

namespace emu {

namespace {

// ---- shuffles --------------------------------------------------------------------------------

struct shuffle_operand {
    unsigned long long bits, result;
    int operand, width;
};

// The lane that `lane` reads, by the rules of the PTX instruction: the low five bits of the
// operand count, and a source outside the segment of `width` lanes gives the lane's own value
// (but exclusive-or may reach into lower segments).
unsigned shuffle_source(shuffle_mode mode, unsigned lane, const shuffle_operand &self) {
    unsigned width = static_cast<unsigned>(self.width);
    unsigned operand = static_cast<unsigned>(self.operand) & 31u;
    unsigned first = lane & ~(width - 1);
    unsigned last = first + width - 1;
    unsigned source = lane;
    switch (mode) {
    case shuffle_mode::index:
        return first + (operand & (width - 1));
    case shuffle_mode::up:
        return lane >= first + operand ? lane - operand : lane;
    case shuffle_mode::down:
        source = lane + operand;
        break;
    case shuffle_mode::exclusive_or:
        source = lane ^ operand;
        break;
    }
    return source <= last ? source : lane;
}

template <shuffle_mode mode> void run_shuffle(void *const operands[warp_size], unsigned lanes) {
    for (unsigned i = 0; i < warp_size; ++i) {
        if (!(lanes >> i & 1u)) {
            continue;
        }
        shuffle_operand &self = *static_cast<shuffle_operand *>(operands[i]);
        unsigned source = shuffle_source(mode, i, self);
        if (!(lanes >> source & 1u)) {
            fail("shuffle: lane %u reads lane %u, which does not take part (lanes 0x%08x do)", i,
                 source, lanes);
        }
        self.result = static_cast<const shuffle_operand *>(operands[source])->bits;
    }
}

const collective_kind shuffle_kinds[] = {
    {"__shfl_sync", run_shuffle<shuffle_mode::index>, true, false, false},
    {"__shfl_up_sync", run_shuffle<shuffle_mode::up>, true, false, false},
    {"__shfl_down_sync", run_shuffle<shuffle_mode::down>, true, false, false},
    {"__shfl_xor_sync", run_shuffle<shuffle_mode::exclusive_or>, true, false, false},
};

// ---- votes -----------------------------------------------------------------------------------

struct vote_operand {
    unsigned predicate, result;
};

template <vote_kind kind> void run_vote(void *const operands[warp_size], unsigned lanes) {
    unsigned ballot = 0;
    for (unsigned i = 0; i < warp_size; ++i) {
        if ((lanes >> i & 1u) && static_cast<const vote_operand *>(operands[i])->predicate) {
            ballot |= 1u << i;
        }
    }
    unsigned result = kind == vote_kind::all   ? ballot == lanes
                      : kind == vote_kind::any ? ballot != 0
                                               : ballot;
    for (unsigned i = 0; i < warp_size; ++i) {
        if (lanes >> i & 1u) {
            static_cast<vote_operand *>(operands[i])->result = result;
        }
    }
}

// CUDA counts only the threads that have not exited, so lanes of the mask may have.
const collective_kind vote_kinds[] = {
    {"__all_sync", run_vote<vote_kind::all>, false, false, false},
    {"__any_sync", run_vote<vote_kind::any>, false, false, false},
    {"__ballot_sync", run_vote<vote_kind::ballot>, false, false, false},
};

const collective_kind syncwarp_kind = {"__syncwarp", nullptr, false, false, true};

// ---- matches ---------------------------------------------------------------------------------

struct match_operand {
    unsigned long long bits;
    unsigned result;
};

unsigned lanes_with(void *const operands[warp_size], unsigned lanes, unsigned long long bits) {
    unsigned result = 0;
    for (unsigned i = 0; i < warp_size; ++i) {
        if ((lanes >> i & 1u) && static_cast<const match_operand *>(operands[i])->bits == bits) {
            result |= 1u << i;
        }
    }
    return result;
}

void run_match_any(void *const operands[warp_size], unsigned lanes) {
    for (unsigned i = 0; i < warp_size; ++i) {
        if (lanes >> i & 1u) {
            match_operand &self = *static_cast<match_operand *>(operands[i]);
            self.result = lanes_with(operands, lanes, self.bits);
        }
    }
}

void run_match_all(void *const operands[warp_size], unsigned lanes) {
    for (unsigned i = 0; i < warp_size; ++i) {
        if (lanes >> i & 1u) {
            match_operand &self = *static_cast<match_operand *>(operands[i]);
            self.result = lanes_with(operands, lanes, self.bits) == lanes ? lanes : 0;
        }
    }
}

const collective_kind match_any_kind = {"__match_any_sync", run_match_any, true, false, false};
const collective_kind match_all_kind = {"__match_all_sync", run_match_all, true, false, false};

// ---- reductions ------------------------------------------------------------------------------

template <reduce_kind kind> unsigned combine(unsigned a, unsigned b) {
    int x = static_cast<int>(a);
    int y = static_cast<int>(b);
    switch (kind) {
    case reduce_kind::add:
        return a + b;
    case reduce_kind::min_signed:
        return x < y ? a : b;
    case reduce_kind::max_signed:
        return x > y ? a : b;
    case reduce_kind::min_unsigned:
        return a < b ? a : b;
    case reduce_kind::max_unsigned:
        return a > b ? a : b;
    case reduce_kind::bit_and:
        return a & b;
    case reduce_kind::bit_or:
        return a | b;
    case reduce_kind::bit_xor:
        return a ^ b;
    }
    return 0;
}

template <reduce_kind kind> void run_reduce(void *const operands[warp_size], unsigned lanes) {
    unsigned first = static_cast<unsigned>(__builtin_ctz(lanes));
    unsigned result = *static_cast<const unsigned *>(operands[first]);
    for (unsigned i = first + 1; i < warp_size; ++i) {
        if (lanes >> i & 1u) {
            result = combine<kind>(result, *static_cast<const unsigned *>(operands[i]));
        }
    }
    for (unsigned i = 0; i < warp_size; ++i) {
        if (lanes >> i & 1u) {
            *static_cast<unsigned *>(operands[i]) = result;
        }
    }
}

const collective_kind reduce_kinds[] = {
    {"__reduce_add_sync", run_reduce<reduce_kind::add>, true, false, false},
    {"__reduce_min_sync", run_reduce<reduce_kind::min_signed>, true, false, false},
    {"__reduce_max_sync", run_reduce<reduce_kind::max_signed>, true, false, false},
    {"__reduce_min_sync", run_reduce<reduce_kind::min_unsigned>, true, false, false},
    {"__reduce_max_sync", run_reduce<reduce_kind::max_unsigned>, true, false, false},
    {"__reduce_and_sync", run_reduce<reduce_kind::bit_and>, true, false, false},
    {"__reduce_or_sync", run_reduce<reduce_kind::bit_or>, true, false, false},
    {"__reduce_xor_sync", run_reduce<reduce_kind::bit_xor>, true, false, false},
};

} // namespace

unsigned long long shuffle(shuffle_mode mode, unsigned mask, unsigned long long bits, int operand,
                           int width, site at) {
    if (width < 1 || width > 32 || (width & (width - 1)) != 0) {
        fail("shuffle: the width %d is not a power of two from 1 to 32", width);
    }
    shuffle_operand self = {bits, 0, operand, width};
    collective(shuffle_kinds[static_cast<int>(mode)], &self, mask, at);
    return self.result;
}

unsigned vote(vote_kind kind, unsigned mask, bool predicate, site at) {
    vote_operand self = {predicate, 0};
    collective(vote_kinds[static_cast<int>(kind)], &self, mask, at);
    return self.result;
}

unsigned match_any(unsigned mask, unsigned long long bits, site at) {
    match_operand self = {bits, 0};
    collective(match_any_kind, &self, mask, at);
    return self.result;
}

unsigned match_all(unsigned mask, unsigned long long bits, int *predicate, site at) {
    match_operand self = {bits, 0};
    collective(match_all_kind, &self, mask, at);
    *predicate = self.result != 0;
    return self.result;
}

unsigned reduce(reduce_kind kind, unsigned mask, unsigned value, site at) {
    collective(reduce_kinds[static_cast<int>(kind)], &value, mask, at);
    return value;
}

void warp_barrier(unsigned mask, site at) {
    collective(syncwarp_kind, nullptr, mask, at);
}

} // namespace emu
