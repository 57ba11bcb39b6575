// The sanitizers' functions, bound weakly: absent from a plain program, they are null there. So
// one set of emulator objects serves every build, and it is never itself instrumented.
#ifndef GENMATH_EMU_SANITIZER_H
#define GENMATH_EMU_SANITIZER_H

#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define EMU_UNDER_TSAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__) || defined(EMU_UNDER_TSAN)
#error "compile the emulator's own files without -fsanitize=thread: switching stacks inside an \
instrumented function breaks the sanitizer's call stack"
#endif

#define EMU_WEAK __attribute__((weak))

extern "C" {

EMU_WEAK void *__tsan_create_fiber(unsigned flags);
EMU_WEAK void __tsan_destroy_fiber(void *fiber);
EMU_WEAK void *__tsan_get_current_fiber(void);
EMU_WEAK void __tsan_switch_to_fiber(void *fiber, unsigned flags);
EMU_WEAK void __tsan_acquire(void *address);
EMU_WEAK void __tsan_release(void *address);

EMU_WEAK void __asan_poison_memory_region(const volatile void *address, size_t bytes);
EMU_WEAK void __asan_unpoison_memory_region(const volatile void *address, size_t bytes);
EMU_WEAK void __sanitizer_start_switch_fiber(void **save, const void *bottom, size_t bytes);
EMU_WEAK void __sanitizer_finish_switch_fiber(void *save, const void **bottom, size_t *bytes);
EMU_WEAK void __sanitizer_set_death_callback(void (*callback)(void));

} // extern "C"

namespace emu {

inline bool under_tsan() {
    return __tsan_create_fiber != nullptr;
}

inline bool under_asan() {
    return __asan_poison_memory_region != nullptr;
}

// A switch that orders nothing: the only order between CUDA threads is what the kernel asks for.
constexpr unsigned tsan_no_sync = 1;

inline void order_release(void *object) {
    if (__tsan_release) {
        __tsan_release(object);
    }
}

inline void order_acquire(void *object) {
    if (__tsan_acquire) {
        __tsan_acquire(object);
    }
}

inline void poison_region(const void *address, size_t bytes) {
    if (__asan_poison_memory_region) {
        __asan_poison_memory_region(address, bytes);
    }
}

inline void unpoison_region(const void *address, size_t bytes) {
    if (__asan_unpoison_memory_region) {
        __asan_unpoison_memory_region(address, bytes);
    }
}

} // namespace emu

#endif
