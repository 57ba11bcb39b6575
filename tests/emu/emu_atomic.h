// CUDA's atomic functions on global and shared memory. They are relaxed atomics of the compiler,
// so that the thread sanitizer sees them: they exclude races on the word itself and order nothing.
#ifndef GENMATH_EMU_ATOMIC_H
#define GENMATH_EMU_ATOMIC_H

#include <string.h>

namespace emu {

// Replaces the word at address by update(old) in one step and returns old. The loop compares bits
// and not values, so that a NaN ends it too.
template <class T, class Update> T atomic_update(T *address, Update update) {
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "atomics are of 4 or 8 bytes");
    T old;
    __atomic_load(address, &old, __ATOMIC_RELAXED);
    for (;;) {
        T next = update(old);
        if (__atomic_compare_exchange(address, &old, &next, false, __ATOMIC_RELAXED,
                                      __ATOMIC_RELAXED)) {
            return old;
        }
    }
}

} // namespace emu

#define EMU_ATOMIC_INTEGER(name, type, function)                                                   \
    inline type name(type *address, type value) {                                                  \
        return function(address, value, __ATOMIC_RELAXED);                                         \
    }
#define EMU_ATOMIC_UPDATE(name, type, expression)                                                  \
    inline type name(type *address, type value) {                                                  \
        return emu::atomic_update(address, [value](type old) -> type { return expression; });      \
    }

#define EMU_ATOMIC_EXCHANGE(type)                                                                  \
    inline type atomicExch(type *address, type value) {                                            \
        type old;                                                                                  \
        __atomic_exchange(address, &value, &old, __ATOMIC_RELAXED);                                \
        return old;                                                                                \
    }

EMU_ATOMIC_INTEGER(atomicAdd, int, __atomic_fetch_add)
EMU_ATOMIC_INTEGER(atomicAdd, unsigned, __atomic_fetch_add)
EMU_ATOMIC_INTEGER(atomicAdd, unsigned long long, __atomic_fetch_add)
EMU_ATOMIC_UPDATE(atomicAdd, float, old + value)
EMU_ATOMIC_UPDATE(atomicAdd, double, old + value)

EMU_ATOMIC_INTEGER(atomicSub, int, __atomic_fetch_sub)
EMU_ATOMIC_INTEGER(atomicSub, unsigned, __atomic_fetch_sub)

EMU_ATOMIC_UPDATE(atomicMin, int, (value < old ? value : old))
EMU_ATOMIC_UPDATE(atomicMin, unsigned, (value < old ? value : old))
EMU_ATOMIC_UPDATE(atomicMin, long long, (value < old ? value : old))
EMU_ATOMIC_UPDATE(atomicMin, unsigned long long, (value < old ? value : old))
EMU_ATOMIC_UPDATE(atomicMax, int, (value > old ? value : old))
EMU_ATOMIC_UPDATE(atomicMax, unsigned, (value > old ? value : old))
EMU_ATOMIC_UPDATE(atomicMax, long long, (value > old ? value : old))
EMU_ATOMIC_UPDATE(atomicMax, unsigned long long, (value > old ? value : old))

EMU_ATOMIC_INTEGER(atomicAnd, int, __atomic_fetch_and)
EMU_ATOMIC_INTEGER(atomicAnd, unsigned, __atomic_fetch_and)
EMU_ATOMIC_INTEGER(atomicAnd, unsigned long long, __atomic_fetch_and)
EMU_ATOMIC_INTEGER(atomicOr, int, __atomic_fetch_or)
EMU_ATOMIC_INTEGER(atomicOr, unsigned, __atomic_fetch_or)
EMU_ATOMIC_INTEGER(atomicOr, unsigned long long, __atomic_fetch_or)
EMU_ATOMIC_INTEGER(atomicXor, int, __atomic_fetch_xor)
EMU_ATOMIC_INTEGER(atomicXor, unsigned, __atomic_fetch_xor)
EMU_ATOMIC_INTEGER(atomicXor, unsigned long long, __atomic_fetch_xor)

EMU_ATOMIC_EXCHANGE(int)
EMU_ATOMIC_EXCHANGE(unsigned)
EMU_ATOMIC_EXCHANGE(unsigned long long)
EMU_ATOMIC_EXCHANGE(float)

// The device's counters: Inc wraps to 0 after value, Dec wraps to value below 0 or above value.
EMU_ATOMIC_UPDATE(atomicInc, unsigned, (old >= value ? 0u : old + 1u))
EMU_ATOMIC_UPDATE(atomicDec, unsigned, (old == 0u || old > value ? value : old - 1u))

#undef EMU_ATOMIC_INTEGER
#undef EMU_ATOMIC_UPDATE
#undef EMU_ATOMIC_EXCHANGE

#define EMU_ATOMIC_CAS(type)                                                                       \
    inline type atomicCAS(type *address, type expected, type desired) {                            \
        __atomic_compare_exchange_n(address, &expected, desired, false, __ATOMIC_RELAXED,          \
                                    __ATOMIC_RELAXED);                                             \
        return expected;                                                                           \
    }
EMU_ATOMIC_CAS(int)
EMU_ATOMIC_CAS(unsigned)
EMU_ATOMIC_CAS(unsigned long long)
#undef EMU_ATOMIC_CAS

#endif
