// What the emulator's tests share.
#ifndef GENMATH_EMU_TEST_H
#define GENMATH_EMU_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <vector>

extern "C" {
#include <cmocka.h>
}

#include "kernels/device.cuh"

#include "emu.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EMU_TEST_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define EMU_TEST_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define EMU_TEST_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define EMU_TEST_TSAN 1
#endif

static const char *const schedules[] = {"forward",  "reverse",  "warp-ahead",
                                        "random:1", "random:2", "random:3"};

#define CHECK_CUDA(call) assert_int_equal((call), cudaSuccess)

// Device memory for the length of a test.
template <class T> class device_array {
  public:
    explicit device_array(size_t count) : count_(count) {
        CHECK_CUDA(cudaMalloc(&data_, count * sizeof(T)));
    }
    explicit device_array(const std::vector<T> &values) : device_array(values.size()) {
        CHECK_CUDA(cudaMemcpy(data_, values.data(), count_ * sizeof(T), cudaMemcpyHostToDevice));
    }
    ~device_array() {
        cudaFree(data_);
    }
    device_array(const device_array &) = delete;
    device_array &operator=(const device_array &) = delete;

    T *data() {
        return data_;
    }
    std::vector<T> values() const {
        std::vector<T> result(count_);
        CHECK_CUDA(cudaMemcpy(result.data(), data_, count_ * sizeof(T), cudaMemcpyDeviceToHost));
        return result;
    }

  private:
    T *data_ = nullptr;
    size_t count_;
};

// Runs the body under every schedule and checks that no kernel was in error.
template <class Body> void on_every_schedule(Body body) {
    for (const char *schedule : schedules) {
        assert_int_equal(emu_set_schedule(schedule), 0);
        body();
        assert_string_equal(emu_report(), "");
    }
    assert_int_equal(emu_set_schedule("forward"), 0);
}

// The work queued so far must fail with a report that holds each of the texts.
inline void expect_failure(std::initializer_list<const char *> texts) {
    assert_int_equal(cudaDeviceSynchronize(), cudaErrorLaunchFailure);
    for (const char *text : texts) {
        if (!strstr(emu_report(), text)) {
            print_message("expected '%s' in:\n%s", text, emu_report());
        }
        assert_non_null(strstr(emu_report(), text));
    }
    emu_reset();
}

#endif
