// Asynchronous copies from global to shared memory, for kernels/cp_async.cuh.
//
// The destination is poisoned when a copy is issued and filled when the thread waits for it, so a
// read before the wait sees NaN. Both accesses are made here, in instrumented code, so that the
// sanitizers see them.
#ifndef GENMATH_EMU_CP_ASYNC_H
#define GENMATH_EMU_CP_ASYNC_H

#include <string.h>

#include "emu_thread.h"

namespace emu {

struct async_copy {
    void *target;
    const void *source; // null for zeros
    int bytes;
};

void cp_async_issue(const async_copy &copy, site at);
void cp_async_commit();
// Takes the oldest copy that must have landed when at most `pending` groups remain; false if none.
bool cp_async_next(int pending, async_copy *copy, site at);

template <int bytes> struct alignas(bytes) copy_word { unsigned char data[bytes]; };

template <int bytes> void cp_async(void *target, const void *source, site at) {
    static_assert(bytes == 4 || bytes == 8 || bytes == 16, "cp.async copies 4, 8 or 16 bytes");
    cp_async_issue({target, source, bytes}, at);
    copy_word<bytes> poisoned;
    memset(&poisoned, 0xff, sizeof poisoned);
    *static_cast<copy_word<bytes> *>(target) = poisoned;
}

template <int bytes> void cp_async_land(const async_copy &copy) {
    copy_word<bytes> word = {};
    if (copy.source) {
        word = *static_cast<const copy_word<bytes> *>(copy.source);
    }
    *static_cast<copy_word<bytes> *>(copy.target) = word;
}

inline void cp_async_wait(int pending, site at) {
    async_copy copy;
    while (cp_async_next(pending, &copy, at)) {
        switch (copy.bytes) {
        case 4:
            cp_async_land<4>(copy);
            break;
        case 8:
            cp_async_land<8>(copy);
            break;
        default:
            cp_async_land<16>(copy);
        }
    }
}

} // namespace emu

#endif
