// Warp shuffles, votes, matches and reductions. The work is done in collectives.cpp.
#ifndef GENMATH_EMU_WARP_H
#define GENMATH_EMU_WARP_H

#include <string.h>
#include <type_traits>

#include "emu_thread.h"

namespace emu {

enum class shuffle_mode { index, up, down, exclusive_or };
enum class vote_kind { all, any, ballot };
enum class reduce_kind {
    add,
    min_signed,
    max_signed,
    min_unsigned,
    max_unsigned,
    bit_and,
    bit_or,
    bit_xor
};

unsigned long long shuffle(shuffle_mode mode, unsigned mask, unsigned long long bits, int operand,
                           int width, site at);
unsigned vote(vote_kind kind, unsigned mask, bool predicate, site at);
unsigned match_any(unsigned mask, unsigned long long bits, site at);
unsigned match_all(unsigned mask, unsigned long long bits, int *predicate, site at);
unsigned reduce(reduce_kind kind, unsigned mask, unsigned value, site at);

template <class T> unsigned long long to_bits(T value) {
    static_assert(std::is_trivially_copyable<T>::value && sizeof(T) <= 8,
                  "a warp function moves scalars of at most 8 bytes");
    unsigned long long bits = 0;
    memcpy(&bits, &value, sizeof value);
    return bits;
}

template <class T> T from_bits(unsigned long long bits) {
    T value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

// On the device, shuffles exist for these types only; storage types of 16 and 2 x 16 bits name
// themselves in cuda_fp16.h and cuda_bf16.h.
template <class T>
struct shuffles : std::integral_constant<bool, std::is_arithmetic<T>::value &&
                                                   (sizeof(T) == 4 || sizeof(T) == 8)> {};

template <class T>
T shuffle_value(shuffle_mode mode, unsigned mask, T value, int operand, int width, site at) {
    static_assert(shuffles<T>::value, "no warp shuffle for this type");
    return from_bits<T>(shuffle(mode, mask, to_bits(value), operand, width, at));
}

} // namespace emu

template <class T>
T __shfl_sync(unsigned mask, T value, int lane, int width = 32, emu::site at = emu::here()) {
    return emu::shuffle_value(emu::shuffle_mode::index, mask, value, lane, width, at);
}

template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32,
                 emu::site at = emu::here()) {
    return emu::shuffle_value(emu::shuffle_mode::up, mask, value, static_cast<int>(delta), width,
                              at);
}

template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                   emu::site at = emu::here()) {
    return emu::shuffle_value(emu::shuffle_mode::down, mask, value, static_cast<int>(delta), width,
                              at);
}

template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32,
                  emu::site at = emu::here()) {
    return emu::shuffle_value(emu::shuffle_mode::exclusive_or, mask, value, lane_mask, width, at);
}

inline int __all_sync(unsigned mask, int predicate, emu::site at = emu::here()) {
    return emu::vote(emu::vote_kind::all, mask, predicate != 0, at) != 0;
}

inline int __any_sync(unsigned mask, int predicate, emu::site at = emu::here()) {
    return emu::vote(emu::vote_kind::any, mask, predicate != 0, at) != 0;
}

inline unsigned __ballot_sync(unsigned mask, int predicate, emu::site at = emu::here()) {
    return emu::vote(emu::vote_kind::ballot, mask, predicate != 0, at);
}

template <class T> unsigned __match_any_sync(unsigned mask, T value, emu::site at = emu::here()) {
    return emu::match_any(mask, emu::to_bits(value), at);
}

template <class T>
unsigned __match_all_sync(unsigned mask, T value, int *predicate, emu::site at = emu::here()) {
    return emu::match_all(mask, emu::to_bits(value), predicate, at);
}

#define EMU_REDUCE(name, type, kind)                                                               \
    inline type name(unsigned mask, type value, emu::site at = emu::here()) {                      \
        return static_cast<type>(                                                                  \
            emu::reduce(emu::reduce_kind::kind, mask, static_cast<unsigned>(value), at));          \
    }
EMU_REDUCE(__reduce_add_sync, unsigned, add)
EMU_REDUCE(__reduce_add_sync, int, add)
EMU_REDUCE(__reduce_min_sync, unsigned, min_unsigned)
EMU_REDUCE(__reduce_min_sync, int, min_signed)
EMU_REDUCE(__reduce_max_sync, unsigned, max_unsigned)
EMU_REDUCE(__reduce_max_sync, int, max_signed)
EMU_REDUCE(__reduce_and_sync, unsigned, bit_and)
EMU_REDUCE(__reduce_or_sync, unsigned, bit_or)
EMU_REDUCE(__reduce_xor_sync, unsigned, bit_xor)
#undef EMU_REDUCE

// Which lanes happen to run together is not defined on the device either; a kernel that needs
// the set of its lanes passes it as a mask.
template <int unsupported = 0> unsigned __activemask() {
    static_assert(unsupported != 0, "__activemask is not supported: name the lanes by a mask");
    return 0;
}

#endif
